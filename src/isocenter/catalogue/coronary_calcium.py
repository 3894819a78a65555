"""CT without contrast: how much calcium is in the coronary arteries."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.calcium_scan import (
    is_for_calcium,
    is_gated,
    must_be_clean,
    must_be_in_view,
    must_be_scorable,
)
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.errors import Refused
from isocenter.methods import risk
from isocenter.methods.calcium import (
    Calcium,
    agatston_class,
    cac_drs,
    calcium,
    callister_volume_mm3,
)
from isocenter.methods.even_tube import even_tubes
from isocenter.methods.heart_region import has_bone, heart_region
from isocenter.methods.sex import sex_stated
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Region, Volume

__all__ = ["CoronaryCalcium"]

_VESSELS: tuple[tuple[str, re.Pattern[str], Code], ...] = tuple(
    (name, re.compile(rf"(?<![a-z])(?:{words})(?![a-z])", re.IGNORECASE), code)
    for name, words, code in (
        ("left main", r"lm|lmca|left[ _-]?main\w*", codes.LEFT_MAIN),
        ("left anterior descending", r"lad|riva|iva|anterior[ _-]?desc\w*|d[1-3](?!\d)|diag\w*", codes.LAD),
        ("left circumflex", r"lcx|cx|rcx|circumflex\w*|om\d?|(?:obtuse|left)[ _-]?marginal\w*", codes.CIRCUMFLEX),
        ("right coronary", r"rca|acd|right[ _-]?coronary\w*|(?:acute|right)[ _-]?marginal\w*", codes.RCA),
        ("right coronary", r"pda|plb|plv|posterior[ _-]?desc\w*|postero[ _-]?lateral[ _-]?branch\w*", codes.RCA),
    )
)
"""Arteries, by their own names and those of their branches; the last are the right one's in most people."""
_LARGE_ML = 0.8  # that is one piece
_LINE_HU, _LINE_MM, _HARDLY_HU = 600.0, 50.0, 1000.0
_NO_ARTERY = re.compile(r"bronch|cusp|sinus|leaflet|ventric|vein", re.IGNORECASE)
_CORONARIES = re.compile(r"coronar|coronair|koronar|herzkranz|wieńcow|коронарн|冠状?动脉|冠動脈", re.IGNORECASE)
"""All arteries in one outline, where no artery's own name is in it."""
_HEART = re.compile(
    r"heart|cor\b|herz|cardiac|c(?:œ|oe)ur|coraz[oó]n|cuore|coraç[aã]o|(?<![a-z])hart(?![a-z])|hjärta|serce|сердце"
    r"|心脏|心臓",
    re.IGNORECASE,
)

Mask = npt.NDArray[np.bool_]


class CoronaryCalcium:
    """How much calcium is in the coronary arteries: Agatston score, volume, mass, CAC-DRS?"""

    name, version = "coronary_calcium", "15"
    needs: ClassVar[Mapping[str, Need]] = {
        "ct": Need(
            modality="CT",
            at_least=10,
            body_part=("heart", "chest", "thorax", "cardiac", "coronary"),
            better=is_for_calcium,
        ),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        Yield(what=codes.CORONARY_CALCIFICATION, units=("{score}", "mm3", "mg", "1", "[hnsf'U]")),
        Yield(what=codes.CALCIUM_SCORE, units=("{score}",)),
        Yield(what=codes.CALCIUM_VOLUME, units=("mm3",)),
        Yield(what=codes.CALCIUM_MASS, units=("mg",)),
        Yield(what=codes.CALCIUM_DENSITY, units=("1",)),
        Yield(what=codes.CARDIOVASCULAR_RISK, units=("%",)),
    )
    limits = Limits(seconds=60.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Count coronary calcium on a gated CT without contrast, for a person to confirm.",
        "not_for": "Scans with contrast; stents, bypass grafts and valves; telling a narrowed artery from an open one.",
        "sources": ("Agatston 1990", "SCCT/STR guideline 2016", "CAC-DRS 2018 (Hecht)", "MESA 2015 (McClelland)"),
        "limits": (
            "Without drawn arteries or heart, valves, aortic root and pericardium are not told apart from arteries.",
            "The area in which it looks for the heart may hold the dome of the liver, and finding the heart is "
            "not shown on patients.",
            "Agreement with a scanner's own software is not shown.",
        ),
        "level": "verified on blocks and phantoms that can be counted; not validated on patients",
    }

    def run(
        self,
        ct: Volume,
        drawn: tuple[Region, ...] | None,
        *,
        convention: Literal["spacing", "area"] = "spacing",
        neighbours: Literal[8, 4] = 8,
        gated: Literal["header", "yes", "no"] = "header",
        heart: Literal["find", "drawn"] = "find",
        other_grid: OtherGrid = "refuse",
        mg_per_mm3_hu: float = 0.0,
        systolic_mmhg: float = 0.0,
        cholesterol_mg_dl: float = 0.0,
        hdl_mg_dl: float = 0.0,
        ethnicity: Literal["white", "african_american", "chinese", "hispanic"] = "white",
        diabetes: bool = False,
        smoker: bool = False,
        pressure_drug: bool = False,
        lipid_drug: bool = False,
        family_history: bool = False,
    ) -> Answer:
        """Count the calcium.

        Args:
            ct: axial slices of 2.5 to 3 mm at 120 kV, without contrast, by a soft kernel.
            drawn: arteries (named LM, LAD, LCX, RCA, or by their branches) or a heart; without them the heart is
                looked for.
            convention: ``spacing`` multiplies the sum of area and weight by slice distance / 3 mm, ``area`` does not.
            neighbours: pixels of a slice that make one lesion touch in 8 directions, or in 4.
            gated: whether the scan followed the heart beat; ``header`` believes what the header says. A scan that did
                not gives a category and no number.
            heart: ``find`` looks for the heart where none is drawn, ``drawn`` declines then.
            other_grid: a drawn mask whose voxels are not those of the CT: ``nearest`` brings it there.
            mg_per_mm3_hu: calibration of the mass from an insert; 0 gives no mass.
            systolic_mmhg, cholesterol_mg_dl, hdl_mg_dl: with all three, and age and sex in the header, the risk of
                coronary heart disease within 10 years is given (MESA, with the score); 0 leaves it out.
            ethnicity, diabetes, smoker, pressure_drug, lipid_drug, family_history: for that risk.

        Raises:
            Refused: for contrast, another tube voltage, a virtual image, slices of another thickness, a sharp kernel,
                metal, noise, or when there is no heart to look in.
        """
        unsaid = must_be_scorable(ct)
        if mg_per_mm3_hu < 0:
            raise Refused(
                f"calibration {mg_per_mm3_hu:g}",
                "it is positive, or 0 for none",
                "give the calibration of this scanner, or leave it out",
            )
        turned = _axial(ct)
        hu = np.asarray(turned.array, dtype=np.float32)
        places, remarks = _places(turned, drawn or (), heart, other_grid)
        region = np.logical_or.reduce([p.mask for p in places])
        if places[0].site is not None:
            remarks += must_be_in_view(hu, region, "heart" if places[0].site == codes.HEART else "artery")
        remarks += unsaid + must_be_clean(hu, region, turned.geometry.disk_mm)
        by_beat = is_gated(ct) if gated == "header" else gated == "yes"
        spacing = turned.geometry.disk_mm
        if convention == "area" and abs(spacing[0] - 3.0) > 0.05:
            remarks.append(
                f"WARNING: by area alone slices {spacing[0]:.2f} mm apart count {3.0 / spacing[0]:.2f} times as much "
                "as Agatston's, which lie 3 mm apart; class, category and risk are those of area x weight x spacing / "
                "3 mm"
            )
        calibration = mg_per_mm3_hu or None

        def count(mask: Mask) -> Calcium:
            return calcium(
                hu, spacing, mask, convention=convention, neighbours=neighbours, mg_per_mm3_hu=calibration,
                together=region,
            )  # fmt: skip

        found = [(place, count(place.mask)) for place in places]
        if places[0].site == codes.HEART:
            _must_hold_no_lead(hu, found[0][1].mask, spacing)
            remarks += _large_pieces(found[0][1].mask, turned.geometry.voxel_volume_mm3 / 1000.0)
        for length in even_tubes(hu, np.logical_or.reduce([c.mask for _, c in found]), spacing):
            remarks.append(
                f"WARNING: one piece is {length:.0f} mm long, straight and as bright all along: a stent looks so, and "
                "so may calcium. It was counted; where it is a stent, draw the arteries and leave it out"
            )
        remarks += _brighter_than_calcium(hu, np.logical_or.reduce([c.mask for _, c in found]))
        total = sum(c.score for _, c in found)
        # Classes, categories and MESA were made from slices that lie 3 mm apart, whatever the sum is given by.
        agatston = total if convention == "spacing" else total * spacing[0] / 3.0
        named = [p for p in places if p.site is not None and p.vessel]
        vessels = sum(1 for p, c in found if p.vessel and c.is_there) if named else None
        name = f"Agatston, {'area x weight x spacing / 3 mm' if convention == 'spacing' else 'area x weight'}"
        if not by_beat:
            if any((systolic_mmhg, cholesterol_mg_dl, hdl_mg_dl)):
                remarks.append("no risk is given: it is made with a score, and a scan that is not gated gets none")
            return _categories(found, agatston, vessels, ct, turned, remarks)
        measured = _totals(found, total, name, hu, spacing, region)
        measured += _risk(
            ct, agatston, remarks, systolic_mmhg, cholesterol_mg_dl, hdl_mg_dl, ethnicity, diabetes, smoker,
            pressure_drug, lipid_drug, family_history,
        )  # fmt: skip
        said = (f"class {agatston_class(agatston)}, {cac_drs(agatston, vessels)}", *remarks)
        findings = [_finding(place, c, name, ct, turned) for place, c in found if c.score > 0]
        if not findings:
            return Answer.none(measurements=measured, reasons=said)
        return Answer.found(*findings, measurements=measured, reasons=said)


def _large_pieces(counted: Mask, voxel_ml: float) -> list[str]:
    """Words on what is larger than most calcified arteries: rings, valves and metal of low density may be."""
    import cc3d

    pieces = cc3d.connected_components(np.ascontiguousarray(counted), connectivity=26)
    most_ml = float(np.bincount(pieces.ravel())[1:].max(initial=0)) * voxel_ml
    if most_ml < _LARGE_ML:
        return []
    return [
        f"WARNING: {most_ml:.1f} mL of what was counted is one piece: an artery may hold so much, and so may a mitral "
        "ring, a valve or a stent, of which nothing counts. A person looks at it"
    ]


def _must_hold_no_lead(hu: npt.NDArray[np.float32], counted: Mask, spacing_mm: tuple[float, float, float]) -> None:
    """A lead of a pacemaker is thinner than a slice, so that it is no brighter there than much calcium is; calcium is
    in spots, and a lead as bright all along its way.

    Raises:
        Refused: where one piece is so bright and so long.
    """
    import cc3d

    bright = np.ascontiguousarray(counted & (hu >= _LINE_HU))
    if not bright.any():
        return
    for box in cc3d.statistics(cc3d.connected_components(bright, connectivity=26))["bounding_boxes"][1:]:
        long_mm = float(np.linalg.norm([(b.stop - b.start - 1) * mm for b, mm in zip(box, spacing_mm, strict=True)]))
        if long_mm >= _LINE_MM:
            raise Refused(
                f"a piece {long_mm:.0f} mm long with {_LINE_HU:g} HU and more all along in the heart",
                "calcium of arteries is not so bright for so long: a lead, stents in a row, a valve or a mitral ring",
                "draw the arteries (LM, LAD, LCX, RCA), leaving it out",
            )


def _brighter_than_calcium(hu: npt.NDArray[np.float32], counted: Mask) -> list[str]:
    """Words on spots of which hardly any is calcium."""
    if not counted.any() or float(hu[counted].max()) <= _HARDLY_HU:
        return []
    where = np.where(counted, hu, -np.inf).max(axis=(1, 2))
    return [
        f"WARNING: {int(np.count_nonzero(where > _HARDLY_HU))} slices hold spots of more than {_HARDLY_HU:g} HU, up to "
        f"{float(where.max()):.0f}: calcium is seldom so bright in slices of 3 mm, a stent, a clip or a lead often is. "
        "They were counted; where one is metal, draw the arteries and leave it out"
    ]


@dataclass(frozen=True, eq=False)
class _Place:
    """Where to count: pixels, and the artery whose they are."""

    mask: Mask
    label: str
    site: Code | None
    vessel: bool


def _axial(ct: Volume) -> Volume:
    """Rows to the back, columns to the patient's left; the slices stay as they were cut."""
    if ct.geometry.sides[0] not in "HF":
        raise Refused(f"slices towards {ct.geometry.sides[0]}", "calcium is scored on axial slices", "send those")
    if not np.isfinite(ct.array).all():
        raise Refused("pixels that are not numbers", "a threshold says nothing on them", "send the original CT")
    held = replace(ct, instance_uids=())
    if held.geometry.sides[1] in "LR":
        held = held.permuted((0, 2, 1))
    for axis, wanted in ((0, "H"), (1, "P"), (2, "L")):
        if held.geometry.sides[axis] != wanted:
            held = held.flipped(axis)
    return held


def _places(ct: Volume, drawn: tuple[Region, ...], heart: str, other_grid: OtherGrid) -> tuple[list[_Place], list[str]]:
    """Drawn arteries, else a drawn heart, else the heart that is found."""
    placed: dict[str, _Place] = {}
    hearts: list[tuple[Mask, str]] = []
    coronaries: list[tuple[Mask, str]] = []
    said: list[str] = []
    others: list[str] = []
    for region in drawn:
        region.must_be_placed()
        artery, all_arteries = _artery(region), _is_all_arteries(region)
        if not region.voxels:
            continue
        if artery is None and not all_arteries and not _is_heart(region):
            others.append(region.label or "nothing")
            continue
        moved, told = laid(region, ct.geometry, other_grid)
        if not moved.voxels:
            continue
        assert moved.mask is not None
        said += told
        if artery is None:
            (coronaries if all_arteries else hearts).append((moved.mask, region.label))
            continue
        if _VESSELS[-1][1].search(region.label):
            said.append(f"'{region.label}' was counted with the right coronary artery, from which it mostly springs")
        before = placed.get(
            artery[0]
        )  # branches and segments of an artery are one place, and a spot in two of them one
        mask = moved.mask if before is None else before.mask | moved.mask
        placed[artery[0]] = _Place(mask, artery[0], artery[1], True)
    if others and (placed or coronaries or hearts):
        more = f" and {len(others) - 4} more" if len(others) > 4 else ""
        said.append(
            f"WARNING: calcium within {', '.join(others[:4])}{more} was not counted: none is named as a coronary artery"
        )
    if placed:
        together = np.zeros(ct.geometry.shape, dtype=np.int8)
        for place in placed.values():
            together += place.mask
        if (together > 1).any():
            raise Refused("arteries that overlap", "their calcium would count twice", "draw them apart")
        return list(placed.values()), said
    if coronaries:
        mask, label = np.logical_or.reduce([m for m, _ in coronaries]), ", ".join(name for _, name in coronaries)
        return [_Place(mask, label, codes.CORONARY_ARTERY, False)], [
            *said,
            f"within '{label}' as drawn: which artery is not told",
        ]
    if hearts:
        mask = np.logical_or.reduce([m for m, _ in hearts])
        return [_Place(mask, "drawn heart", codes.HEART, False)], [
            *said,
            "within the drawn heart: valves, aortic root and arteries are not told apart",
        ]
    if drawn:
        raise Refused(
            f"regions named {', '.join(r.label or 'nothing' for r in drawn)}", "none of them is an artery or a heart",
            "name them LM, LAD, LCX, RCA, coronary arteries or heart",
        )  # fmt: skip
    if heart == "drawn":
        raise Refused("no heart is drawn", "without one, ribs and spine would count", "draw it, or let it be found")
    hu = np.asarray(ct.array, np.float32)
    try:
        mask = heart_region(hu, ct.geometry.spacing_mm)
    except Refused:
        if has_bone(hu, ct.geometry.voxel_volume_mm3):
            raise
        return [_Place(np.ones(hu.shape, bool), "whole image", None, False)], [
            "neither a heart nor any bone is in these images, as in those of a phantom: everything in them was counted"
        ]
    return [_Place(mask, "heart region", codes.HEART, False)], [
        "the heart was found between the lungs, in front of the spine: calcium of valves, aortic root and pericardium "
        "is not told apart from that of the arteries. A person must confirm each spot"
    ]


def _artery(region: Region) -> tuple[str, Code] | None:
    """Which artery an outline is of, by its name or its code: ``Left main bronchus`` and ``Right coronary cusp`` are
    of none.
    """
    if _NO_ARTERY.search(region.label):
        return None
    by_code = ((name, code) for name, _, code in _VESSELS if _is_coded(region, code))
    return next(((name, code) for name, words, code in _VESSELS if words.search(region.label)), next(by_code, None))


def _is_all_arteries(region: Region) -> bool:
    if _NO_ARTERY.search(region.label):
        return False
    return bool(_CORONARIES.search(region.label)) or _is_coded(region, codes.CORONARY_ARTERY)


def _is_heart(region: Region) -> bool:
    return bool(_HEART.search(region.label)) or _is_coded(region, codes.HEART)


def _is_coded(region: Region, code: Code) -> bool:
    return region.coded.split(" ")[0] == f"{code.scheme}:{code.code}"


def _categories(
    found: list[tuple[_Place, Calcium]], total: float, vessels: int | None, ct: Volume, turned: Volume,
    remarks: list[str],
) -> Answer:  # fmt: skip
    """A scan that did not follow the beat: the category alone."""
    why = "nothing says that the scan followed the heart beat: movement blurs calcium, so a category is given, no score"
    category = cac_drs(total, vessels)
    if total <= 0:
        return Answer.none(reasons=(f"no coronary calcium seen, {category}", why, *remarks))
    findings = [
        Finding(
            codes.CORONARY_CALCIFICATION,
            where=_back(c.mask, ct, turned, place.label),
            site=place.site,
            words=f"Coronary calcium, {place.label}: {category}, not gated.",
        )
        for place, c in found
        if c.score > 0
    ]
    return Answer.found(*findings, reasons=(category, why, *remarks))


def _totals(
    found: list[tuple[_Place, Calcium]], total: float, name: str, hu: npt.NDArray[np.float32],
    spacing: tuple[float, float, float], region: Mask,
) -> tuple[Measurement, ...]:  # fmt: skip
    volume = sum(c.volume_mm3 for _, c in found)
    said = [
        Measurement(codes.CALCIUM_SCORE, total, "{score}", definition=name),
        Measurement(codes.CALCIUM_VOLUME, volume, "mm3", definition="pixels counted x slice distance"),
    ]
    if volume:
        isotropic = callister_volume_mm3(hu, spacing, region)
        said.append(Measurement(codes.CALCIUM_VOLUME, isotropic, "mm3", definition="isotropic, Callister"))
        area = sum(lesion.area_mm2 for _, c in found for lesion in c.lesions)
        mean = sum(lesion.area_mm2 * lesion.weight for _, c in found for lesion in c.lesions) / area
        said.append(
            Measurement(codes.CALCIUM_DENSITY, mean, "1", definition="mean Agatston weight over the area, 1 to 4")
        )
    masses = [c.mass_mg for _, c in found if c.mass_mg is not None]
    if masses:
        said.append(Measurement(codes.CALCIUM_MASS, sum(masses), "mg", definition="calibration as given"))
    return tuple(said)


def _finding(place: _Place, c: Calcium, name: str, ct: Volume, turned: Volume) -> Finding:
    measured = [
        Measurement(codes.CALCIUM_SCORE, c.score, "{score}", definition=name),
        Measurement(codes.CALCIUM_VOLUME, c.volume_mm3, "mm3", definition="pixels counted x slice distance"),
        Measurement(codes.CALCIUM_DENSITY, c.density, "1", definition="mean Agatston weight over the area, 1 to 4"),
        Measurement(codes.MAXIMUM, c.peak_hu, "[hnsf'U]", definition="brightest pixel"),
    ]
    if c.mass_mg is not None:
        measured.append(Measurement(codes.CALCIUM_MASS, c.mass_mg, "mg", definition="calibration as given"))
    return Finding(
        codes.CORONARY_CALCIFICATION,
        where=_back(c.mask, ct, turned, place.label),
        measurements=tuple(measured),
        site=place.site,
        words=f"Coronary calcium, {place.label}: Agatston {c.score:.0f}, {c.volume_mm3:.0f} mm³.",
    )


def _back(mask: Mask, ct: Volume, turned: Volume, label: str) -> Region:
    """A mask of the turned images on the grid as it was given."""
    ours, theirs = turned.geometry.directions, ct.geometry.directions
    order = [int(np.abs(theirs[:, axis] @ ours).argmax()) for axis in range(3)]
    moved = mask.transpose(order)
    for axis in range(3):
        if float(theirs[:, axis] @ ours[:, order[axis]]) < 0:
            moved = np.flip(moved, axis)
    return Region(ct.geometry, mask=np.ascontiguousarray(moved), series_uid=ct.series_uid, label=label)


def _risk(
    ct: Volume, score: float, remarks: list[str], systolic: float, cholesterol: float, hdl: float, ethnicity: Any,
    diabetes: bool, smoker: bool, pressure_drug: bool, lipid_drug: bool, family: bool,
) -> tuple[Measurement, ...]:  # fmt: skip
    """MESA with the score, when all that it needs is there; why not, when only a part is."""
    given = (systolic, cholesterol, hdl)
    if not any(given):
        return ()
    age = re.fullmatch(r"(\d{2,3})Y", str(ct.facts.get("PatientAge") or ""))
    sex = sex_stated(ct.facts.get("PatientSex"))
    if not all(given) or age is None or sex not in ("M", "F"):
        remarks.append("no risk is given: it needs pressure, total and HDL cholesterol, and age and sex in the header")
        return ()
    try:
        found = risk.mesa_2015(
            sex="M" if sex == "M" else "F",
            age=int(age[1]),
            systolic_mmhg=systolic,
            cholesterol_mg_dl=cholesterol,
            hdl_mg_dl=hdl,
            ethnicity=ethnicity,
            calcium=score,
            diabetes=diabetes,
            smoker=smoker,
            pressure_drug=pressure_drug,
            lipid_drug=lipid_drug,
            family_history=family,
        )
    except Refused as why:
        remarks.append(f"no risk is given: {why}")
        return ()
    name = f"{found.outcome} within {found.years} years, {found.model}"
    return (Measurement(codes.CARDIOVASCULAR_RISK, found.percent, "%", definition=name),)
