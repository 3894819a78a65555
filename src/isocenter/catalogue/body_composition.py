"""CT of the abdomen: how much muscle and fat, at a level and in the scanned length."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.contrast_agent import after_contrast
from isocenter.catalogue.made_alike import must_be_made_alike
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.catalogue.plane_image import age_said, age_years
from isocenter.catalogue.virtual_ct import virtual_image
from isocenter.errors import Refused
from isocenter.methods import lumbar_level
from isocenter.methods.body_composition import (
    WINDOWS_HU,
    Tissues,
    arms_against,
    arms_beside,
    muscle_is_whole,
    spine_area_mm2,
    tissues,
    wall_is_whole,
)
from isocenter.methods.body_limits import below
from isocenter.methods.calcium import is_sharp
from isocenter.methods.field_of_view import imaged
from isocenter.methods.sex import sex_stated
from isocenter.record import Code, Curve, Finding, Measurement, codes
from isocenter.space import Reference, Region, Volume, resample_region

__all__ = ["BodyComposition"]

_KV = (110.0, 130.0)
_THICKEST_MM = 5.0
_MOST_LEAN_DEG = 10.0  # areas grow by 1.5 %
_METAL_HU = 2800.0
_BRIGHT_ML = 5.0
_METAL_VOXELS = 20
_STREAKS_MM = 10.0  # from a slice with metal, up to which another is not measured: streaks lie in its plane
_LEAST_SPINE_MM2 = 200.0
_ARMS, _ARMS_UP = "WARNING: arms lie beside", "scan with the arms up, or outline the muscle (a region named muscle)"
_NONE_GIVEN = -9999.0
_ADULT_YEARS = 18
_SURE, _MARK_MM = 0.75, 12.0
_MOST_NAMED = 5  # outlines, in words
# Words for muscle, not of the fat between or in muscles.
_MUSCLE = re.compile(
    r"^(?!.*(?:(?<![a-z])(?:fat|gras|grasa|grasso|gordura|vet)(?![a-z])|fett|adip|脂)).*"
    r"(?:muscle|muskel|muskul|m[uú]scul|muscol|mięś|spier(?:en|weefsel|massa)|мышц|м['’]яз|筋|肌|근육)",
    re.IGNORECASE,
)
_ONE_MUSCLE = re.compile(
    r"psoas|erector|paraspinal|multifid|quadratus|rectus|obliqu|transvers|glute|latissimus|iliac|autochthon",
    re.IGNORECASE,
)
# The third lumbar vertebra, and not the disc below or above it.
_LEVEL = re.compile(
    r"(?<![a-z0-9])(?<!L2[/-])(?:L|LWK[ _-]?|LW)0?3(?![a-z0-9]|\s*[/-]\s*L?[2-5])|^\s*L[ _-]3\s*$"
    r"|(?:third|3rd) lumbar|dritter lendenwirbel"
    r"|(?:lumbar|lumbale|lombaire|lendenwirbel)\w*[ _-]+(?:vertebra[ _-]*)?L?3(?!\d)",
    re.IGNORECASE,
)
_CODED = {_MUSCLE: "SCT:127954009", _LEVEL: "SCT:36470004"}
_PARTS: tuple[tuple[str, str, Code], ...] = (
    ("muscle", "skeletal muscle", codes.SKELETAL_MUSCLE),
    ("visceral", "visceral fat", codes.VISCERAL_FAT),
    ("subcutaneous", "fat", codes.SUBCUTANEOUS_FAT),
    ("intermuscular", "intermuscular fat", codes.INTERMUSCULAR_FAT),
)

Mask = npt.NDArray[np.bool_]


def _is_soft(facts: Mapping[str, Any]) -> bool:
    """Whether these are plain images of about 120 kV by a stated kernel that is no sharp one, whose noise leaves the
    windows.
    """
    kernel, kv = str(facts.get("ConvolutionKernel") or ""), facts.get("KVP")
    if isinstance(kv, int | float) and not _KV[0] <= kv <= _KV[1]:
        return False
    return bool(kernel) and not is_sharp(kernel) and not virtual_image(facts)


class BodyComposition:
    """How much muscle and how much visceral, subcutaneous and intermuscular fat does a CT show?"""

    name, version = "body_composition", "17"
    needs: ClassVar[Mapping[str, Need]] = {
        "ct": Need(
            modality="CT",
            at_least=1,
            body_part=("abdomen", "lumbar", "pelvis", "trunk", "whole body"),
            better=_is_soft,
        ),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        *(Yield(what=code, units=("cm2", "mL", "[hnsf'U]")) for _, _, code in _PARTS),
        Yield(what=codes.THIRD_LUMBAR, units=("{score}",)),
        Yield(what=codes.MUSCLE_INDEX, units=("cm2/m2",)),
        Yield(what=codes.MUSCLE_ATTENUATION, units=("[hnsf'U]",)),
        Yield(what=codes.FAT_RATIO, units=("{ratio}",)),
        Yield(what=codes.LOW_MUSCLE, units=("cm2", "cm2/m2")),
        Yield(what=codes.LOW_MUSCLE_ATTENUATION, units=("[hnsf'U]",)),
        Yield(what=codes.VISCERAL_OBESITY, units=("cm2",)),
    )
    limits = Limits(seconds=120.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure muscle and fat on an abdominal CT that was taken for another reason.",
        "not_for": "Diagnosing sarcopenia (strength is needed too) or malnutrition (GLIM needs the clinic); children.",
        "sources": ("Prado 2008", "Martin 2013", "Derstine 2018", "van der Werf 2018", "Japan 2002"),
        "limits": (
            "Organs that touch the muscular wall may be taken for muscle to a small depth: look at the outlines.",
            "Cut-offs hold for the people whom they were found in, and a patient can be above one and below another.",
            "Finding the muscular wall is not shown on patients.",
        ),
        "level": "verified, not validated: counted on phantoms; no other program's outlines were at hand",
    }

    def run(
        self,
        ct: Volume,
        drawn: tuple[Region, ...] | None,
        *,
        level_mm: float = _NONE_GIVEN,
        find_level: bool = True,
        cutoff: Literal[
            "none", "Prado 2008", "Martin 2013", "Derstine 2018", "van der Werf 2018", "Japan 2002"
        ] = "none",
        height_m: float = 0.0,
        weight_kg: float = 0.0,
        lumbar_vertebrae: int = 5,
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Measure one CT.

        Args:
            ct: axial slices of up to 5 mm at 120 kV, as reconstructed.
            drawn: a region named L3, whose middle slice is the level; a region named muscle, which is taken as the
                muscle compartment in place of the one that is found.
            level_mm: height of the level (middle of the third lumbar vertebra) in patient millimetres, towards the
                head; -9999 where it is not given.
            find_level: look for the level where neither `level_mm` nor a region gives it; it is shown as a finding with
                its certainty, and not taken below 0.75.
            cutoff: the study whose limits are applied, with its population in the answer.
            height_m, weight_kg: of the person, where the header does not state them; 0 believes the header.
            lumbar_vertebrae: how many the person counted; with other than 5 the third is no common level.
            other_grid: a drawn muscle whose voxels are not those of the CT: ``nearest`` brings it there.

        Raises:
            Refused: for images on which areas or attenuation would be wrong; the message says why.
        """
        held = _axial(ct)
        remarks = _must_be_measurable(ct)
        if lumbar_vertebrae != 5:
            raise Refused(
                f"{lumbar_vertebrae} lumbar vertebrae", "published limits are of the third of five", "choose by hand"
            )
        hu, spacing = np.asarray(held.array), held.geometry.spacing_mm
        compartment = _drawn(held, drawn, _MUSCLE, other_grid, remarks)
        found = tissues(hu, spacing, muscle=compartment)
        bright_ml = float(found.bright.sum()) * held.geometry.voxel_volume_mm3 / 1000.0
        if bright_ml > _BRIGHT_ML:
            remarks.append(
                f"{bright_ml:.0f} mL above 300 HU beside the spine, as contrast in the bowel (or ribs and pelvis): "
                "streaks and edges of contrast move visceral fat in and out of its window"
            )
        if compartment is None:
            remarks.append("the muscle wall was found by the program: a person looks at the outlines")
        remarks += _not_taken(drawn)
        level, sight = _level(held, drawn, level_mm, other_grid, remarks), None
        if level is None and find_level:
            sight = _found_level(hu, spacing, remarks)
            level = None if sight is None else sight.index
        if (off_axial := _lean_deg(held)) > _MOST_LEAN_DEG:
            more = 100.0 / np.cos(np.radians(off_axial)) - 100.0
            remarks.append(
                f"slices lean by {off_axial:.0f}°: areas would be {more:.0f} % larger than on axial ones, none given"
            )
            level, sight = None, None
        metal = _metal(hu, found.body, spacing)
        if metal.any() and (level is None or metal[level]):
            where = "in the images" if level is None else "at the level"
            raise Refused(
                f"metal {where}",
                "its streaks move attenuation in and out of the windows",
                "choose a level without metal (level_mm), or images with metal reduction",
            )
        seen = imaged(hu)
        whole, lean = wall_is_whole(found.body, seen), muscle_is_whole(hu, found.body, seen, spacing)
        if compartment is not None:  # arms may be cut, and the outlined muscle whole
            lean = np.where(compartment.any(axis=(1, 2)), wall_is_whole(compartment, seen), lean)
        rows = slice(None) if level is None else slice(level, level + 1)
        arms = arms_beside(hu[rows], found.body[rows], spacing).any()
        if arms and compartment is None:
            raise Refused("arms lie beside the body", "they streak across the muscle", _ARMS_UP)
        if not lean[rows].any():
            if compartment is None and arms_against(hu[rows], found.body[rows], spacing).any():
                raise Refused(
                    "a picture that cuts what looks like arms against the body",
                    "their muscle and fat run on into those of the body",
                    _ARMS_UP,
                )
            raise Refused(
                "a picture that cuts the muscle wall",
                "muscle is missing, and fat within the wall is not parted from fat without",
                "reconstruct a larger field of view",
            )
        if compartment is not None and not compartment[rows].any():
            raise Refused(
                "no muscle outlined at the level", "its area would be 0", "outline it there, or give that level"
            )
        if compartment is None and not found.closed[rows].any():
            if arms_against(hu[rows], found.body[rows], spacing).any():
                raise Refused(
                    "no closed wall of muscle, and what looks like arms against the body",
                    "their muscle and fat run on into those of the body",
                    _ARMS_UP,
                )
            raise Refused(
                "no closed wall of muscle",
                "fat within it runs on into fat without, and the two are not parted",
                "outline the muscle (a region named muscle)",
            )
        if compartment is not None:
            touching = arms_against(hu, found.body, spacing, trunk=compartment) & compartment.any(axis=(1, 2))
            whole &= ~touching  # fat of an arm is none of the body
            if arms or touching[rows].any():
                remarks.append(
                    f"{_ARMS} or against the body: they streak across the muscle, and its attenuation is not that of "
                    "a scan with the arms up. No cut-off of attenuation is applied"
                )
        if metal.any():
            remarks.append(f"metal in {int(metal.sum())} slices, none of them at the level: no volumes")
        measured = [] if metal.any() else _volumes(found, held, whole, lean, remarks)
        curve = _course(found, held)
        if level is None:
            remarks.append("without a level (level_mm, or a region named L3): volumes of the scanned length, no index")
            return Answer.none(measurements=tuple(measured), curves=(curve,), reasons=tuple(remarks))
        areas = _at_level(found, held, level, bool(whole[level]), remarks)
        if compartment is None and spine_area_mm2(hu[level], found.body[level], spacing) < _LEAST_SPINE_MM2:
            remarks.append(
                "WARNING: no bone of the spine is seen at the level: psoas and muscle of the back may be missing from "
                "the area. Take another slice of the vertebra (level_mm), or outline the muscle"
            )
        size = height_m or _number(ct, "PatientSize")
        weight = weight_kg or _number(ct, "PatientWeight")
        part = "" if found.closed[level] else _muscle_by_name(drawn)
        if part:
            remarks.append(
                f"{part}: not all muscle of the level, of which index and limits are: none is given. Name the outline "
                "of all of it muscle"
            )
        else:
            areas += _index(areas, size, remarks)
        findings = [] if sight is None else [_vertebra(sight, ct, held)]
        findings += _outlines(found, ct, held, level, areas)
        findings += [] if part else _judged(areas, cutoff, ct, size, weight, remarks)
        return Answer.found(
            *findings, measurements=(*areas, *measured), curves=(curve,), reasons=tuple(dict.fromkeys(remarks))
        )


def _metal(hu: npt.NDArray[Any], body: Mask, spacing_mm: tuple[float, float, float]) -> npt.NDArray[np.bool_]:
    """Slices that show metal in the body, or lie next to one; none for a few voxels, which are no metal."""
    each = np.count_nonzero((hu > _METAL_HU) & body, axis=(1, 2))
    if int(each.sum()) <= _METAL_VOXELS:
        return np.zeros(len(each), bool)
    near = 1 + int(np.ceil(_STREAKS_MM / spacing_mm[0]))
    return np.convolve(each > 0, np.ones(2 * near + 1), "same") > 0


def _number(ct: Volume, keyword: str) -> float:
    value = ct.facts.get(keyword)
    return float(value) if isinstance(value, (int, float)) and value > 0 else 0.0


def _must_be_measurable(ct: Volume) -> list[str]:
    """What header and values must not say; what they say that limits the numbers."""
    facts, remarks = ct.facts, []
    if ct.axes or ct.geometry.reference is not Reference.PATIENT:
        raise Refused(
            f"a CT with {[a.name for a in ct.axes]}",
            "one image of the abdomen is measured",
            "choose a series with one image at each place",
        )
    if ct.unit != "[hnsf'U]":
        raise Refused(f"images in {ct.unit}", "tissue is told by Hounsfield units", "send the original CT")
    if not np.isfinite(ct.array).all() or min(ct.geometry.shape[1:]) < 64 or float(np.ptp(ct.array)) < 500.0:
        raise Refused(
            f"images of {ct.geometry.shape} without air and tissue",
            "this is no CT of a body",
            "choose a CT of the abdomen, and send it again if it is one",
        )
    kind = [str(w).upper() for w in facts.get("ImageType") or []]
    if any("MPR" in w or "RESAMPL" in w or "REFORMAT" in w for w in kind):
        raise Refused(
            f"reformatted images ({', '.join(kind)})",
            "interpolation moves edges in and out of the windows",
            "choose the images as they were reconstructed",
        )
    must_be_made_alike(ct, "fat and muscle lie elsewhere from one to the next")
    kv = facts.get("KVP")
    if kv is not None and not _KV[0] <= float(kv) <= _KV[1]:
        raise Refused(
            f"{float(kv):g} kV",
            "the windows are for 120 kV: fat and muscle lie elsewhere here",
            "choose images of 120 kV",
        )
    if virtual := virtual_image(facts):
        raise Refused(
            virtual, "the windows are for 120 kV: fat and muscle lie elsewhere here",
            "send the plain images, or virtual ones of about 70 keV",
        )  # fmt: skip
    thick = float(facts.get("SliceThickness") or ct.geometry.spacing_mm[0])
    if thick > _THICKEST_MM + 0.01:
        raise Refused(f"slices of {thick:g} mm", "fat and muscle mix within them", "reconstruct at 5 mm or less")
    if agent := after_contrast(facts):
        remarks.append(
            f"contrast ({agent}): muscle attenuation is 5 to 10 HU higher than without, by the phase, which the header "
            "does not tell. No cut-off of attenuation is applied"
        )
    return remarks


def _lean_deg(ct: Volume) -> float:
    """How far the slices lean from axial ones, as with a tilted gantry or an oblique reconstruction."""
    down, across = ct.geometry.directions[:, 1], ct.geometry.directions[:, 2]
    normal = np.cross(across, down)
    return float(np.degrees(np.arccos(min(1.0, abs(float(normal[2])) / float(np.linalg.norm(normal))))))


def _axial(ct: Volume) -> Volume:
    if ct.geometry.sides[0] not in "HF":
        raise Refused(f"slices towards {ct.geometry.sides[0]}", "areas are defined on axial slices", "send those")
    held = ct
    if held.geometry.sides[1] in "LR":
        held = held.permuted((0, 2, 1))
    for axis, wanted in ((0, "H"), (1, "P"), (2, "L")):
        if held.geometry.sides[axis] != wanted:
            held = held.flipped(axis)
    return held


def _drawn(
    ct: Volume,
    drawn: tuple[Region, ...] | None,
    named: re.Pattern[str],
    other_grid: OtherGrid,
    remarks: list[str],
    *,
    mean: bool = False,
) -> Mask | None:
    """All regions of a name together, on the CT's voxels: left and right, or muscle by muscle, are one compartment."""
    whole, labels = None, []
    for region in drawn or ():
        if not _is_called(region, named):
            continue
        region.must_be_placed()
        if region.mask is not None and region.voxels:
            moved, told = laid(region, ct.geometry, other_grid, mean=mean)
            if moved.voxels:
                remarks += told
                whole = np.asarray(moved.mask) if whole is None else whole | np.asarray(moved.mask)
                labels.append(region.label)
    if len(labels) > 1:
        remarks.append(f"{len(labels)} outlines are taken together: {', '.join(labels)}")
    return whole


def _is_called(region: Region, named: re.Pattern[str]) -> bool:
    return bool(named.search(region.label)) or region.coded.split(" ")[0] == _CODED[named]


def _not_taken(drawn: tuple[Region, ...] | None) -> list[str]:
    """That outlines are there and none is known as muscle or level: whoever drew them thinks that they were used."""
    labels = [r.label or "(no name)" for r in drawn or ()]
    if not labels or any(_is_called(r, named) for r in drawn or () for named in _CODED):
        return []
    named = ", ".join(labels[:_MOST_NAMED]) + (f" and {n} more" if (n := len(labels) - _MOST_NAMED) > 0 else "")
    return [f"none of the outlines ({named}) is named muscle or L3, and none is used: name them so where they are"]


def _muscle_by_name(drawn: tuple[Region, ...] | None) -> str:
    """The outlined muscles, where each is called by the name of a muscle of its own; empty where one is not."""
    names = [r.label for r in drawn or () if r.voxels and _is_called(r, _MUSCLE)]
    return ", ".join(names) if names and all(_ONE_MUSCLE.search(n) for n in names) else ""


def _level(
    ct: Volume, drawn: tuple[Region, ...] | None, level_mm: float, other_grid: OtherGrid, remarks: list[str]
) -> int | None:
    """Index of the slice of the level."""
    slices, rows, columns = ct.geometry.shape
    heights = ct.geometry.to_patient([(k, (rows - 1) / 2, (columns - 1) / 2) for k in range(slices)])
    if level_mm != _NONE_GIVEN:
        off = np.abs(heights[:, 2] - level_mm)
        if off.min() > ct.geometry.spacing_mm[0]:
            raise Refused(
                f"level_mm {level_mm:g}",
                f"the images reach from {heights[:, 2].min():g} to {heights[:, 2].max():g} mm",
                "give a height between these",
            )
        return int(off.argmin())
    mask = _drawn(ct, drawn, _LEVEL, other_grid, remarks, mean=True)  # it picks a slice
    if mask is None:
        return None
    held = np.flatnonzero(mask.any(axis=(1, 2)))
    return int(held[len(held) // 2])


def _found_level(
    hu: npt.NDArray[Any], spacing_mm: tuple[float, float, float], remarks: list[str]
) -> lumbar_level.Level | None:
    """The level that the program finds; None with the reason among the remarks."""
    try:
        found = lumbar_level.third_lumbar(hu, spacing_mm)
    except Refused as why:
        remarks.append(f"the third lumbar vertebra was not found: {why}")
        return None
    if found.certainty < _SURE:
        remarks.append(
            f"the third lumbar vertebra was found with certainty {found.certainty:.2f}, below {_SURE}, and not taken: "
            f"{found.words}"
        )
        return None
    remarks.append(
        f"the level was found by the program (certainty {found.certainty:.2f}: {found.words}): a person counts the "
        "vertebrae"
    )
    return found


def _vertebra(sight: lumbar_level.Level, ct: Volume, held: Volume) -> Finding:
    """The third lumbar vertebra, as a disc about the middle of its body, on the grid that was given."""
    mask = np.zeros(held.geometry.shape, bool)
    _, dy, dx = held.geometry.spacing_mm
    y, x = np.ogrid[: mask.shape[1], : mask.shape[2]]
    mask[sight.index] = np.hypot((y - sight.centre[0]) * dy, (x - sight.centre[1]) * dx) < _MARK_MM
    where = Region(held.geometry, mask=mask, series_uid=ct.series_uid, label="L3, found by the program")
    moved = where if held.geometry.same_grid(ct.geometry) else resample_region(where, ct.geometry)
    height = where.centre_mm[2]
    return Finding(
        codes.THIRD_LUMBAR,
        where=moved,
        measurements=(Measurement(codes.SCORE, sight.certainty, "{score}", definition="certainty, 0 to 1"),),
        words=f"Level: third lumbar vertebra at {height:.0f} mm, certainty {sight.certainty:.2f}; {sight.words}.",
    )


def _volumes(
    found: Tissues, ct: Volume, whole: npt.NDArray[np.bool_], lean: npt.NDArray[np.bool_], remarks: list[str]
) -> list[Measurement]:
    length = ct.geometry.shape[0] * ct.geometry.disk_mm[0]
    said = []
    if not lean.all():
        remarks.append(f"the picture cuts the muscle wall in {int((~lean).sum())} slices: no volumes")
        return []
    if not found.closed.all():
        remarks.append(f"no closed wall of muscle was found in {int((~found.closed).sum())} slices: no volumes")
        return []
    for name, window, code in _PARTS:
        if name == "subcutaneous" and not whole.all():
            remarks.append("the picture cuts the body wall, or arms lie against it: no volume of subcutaneous fat")
            continue
        low, high = WINDOWS_HU[window]
        ml = float(getattr(found, name).sum()) * ct.geometry.voxel_volume_mm3 / 1000.0
        words = f"volume over the scanned {length:.0f} mm, {low:g} to {high:g} HU"
        said.append(Measurement(code, ml, "mL", definition=words))
    return said


def _at_level(found: Tissues, ct: Volume, level: int, whole: bool, remarks: list[str]) -> list[Measurement]:
    pixel_cm2 = ct.geometry.spacing_mm[1] * ct.geometry.spacing_mm[2] / 100.0
    said, area = [], {}
    if not found.closed[level]:
        remarks.append("the outlined muscle encloses no cavity at the level: fat within and without is not parted")
    for name, window, code in _PARTS:
        if name in ("visceral", "subcutaneous") and not found.closed[level]:
            continue
        if name == "subcutaneous" and not whole:
            remarks.append(
                "the picture cuts the body wall at the level, or arms lie against it: no area of subcutaneous fat"
            )
            continue
        low, high = WINDOWS_HU[window]
        area[name] = float(getattr(found, name)[level].sum()) * pixel_cm2
        said.append(Measurement(code, area[name], "cm2", definition=f"area at the level, {low:g} to {high:g} HU"))
    inside = np.asarray(ct.array)[level][found.muscle[level]]
    if len(inside):
        mean = float(inside.mean())
        said.append(Measurement(codes.MUSCLE_ATTENUATION, mean, "[hnsf'U]", definition="SMRA at the level: mean"))
    if area.get("subcutaneous"):
        ratio = area["visceral"] / area["subcutaneous"]
        said.append(Measurement(codes.FAT_RATIO, ratio, "{ratio}", definition="visceral / subcutaneous at the level"))
    return said


def _index(areas: list[Measurement], height_m: float, remarks: list[str]) -> list[Measurement]:
    if not height_m:
        remarks.append("no height: no skeletal muscle index")
        return []
    if not 1.2 <= height_m <= 2.3:
        remarks.append(f"a height of {height_m:g} m: no skeletal muscle index")
        return []
    value = areas[0].value / height_m**2
    return [Measurement(codes.MUSCLE_INDEX, value, "cm2/m2", definition=f"SMI: area / ({height_m:g} m)2")]


def _course(found: Tissues, ct: Volume) -> Curve:
    step, pixel_cm2 = ct.geometry.spacing_mm[0], ct.geometry.spacing_mm[1] * ct.geometry.spacing_mm[2] / 100.0
    bottom = ct.geometry.origin_mm[2]
    return Curve(
        "Muscle and fat by height", tuple(round(bottom + step * k, 3) for k in range(ct.geometry.shape[0])), "height",
        "mm",
        {n: tuple(float(v) * pixel_cm2 for v in getattr(found, n).sum(axis=(1, 2))) for n, _, _ in _PARTS}, "cm2",
    )  # fmt: skip


def _outlines(found: Tissues, ct: Volume, held: Volume, level: int, areas: list[Measurement]) -> list[Finding]:
    """Muscle and each fat at the level, as regions on the grid that was given."""
    findings = []
    for name, _, code in _PARTS:
        number = next((m for m in areas if m.what == code), None)
        mask = np.zeros(held.geometry.shape, bool)
        mask[level] = getattr(found, name)[level]
        if number is None or not mask.any():
            continue
        where = Region(held.geometry, mask=mask, series_uid=ct.series_uid, label=name)
        moved = where if held.geometry.same_grid(ct.geometry) else resample_region(where, ct.geometry)
        words = f"{code}: {number.value:.1f} cm² at the level."
        findings.append(Finding(code, where=moved, measurements=(number,), words=words))
    return findings


def _judged(
    areas: list[Measurement], study: str, ct: Volume, height_m: float, weight_kg: float, remarks: list[str]
) -> list[Finding]:
    if study == "none":
        return []
    years = age_years(str(ct.facts.get("PatientAge") or ""))
    if years is not None and years < _ADULT_YEARS:
        remarks.append(f"a patient of {age_said(years)}: the limits of {study} are of adults, none is applied")
        return []
    sex = sex_stated(ct.facts.get("PatientSex"))
    bmi = weight_kg / height_m**2 if height_m and weight_kg else None
    contrast = any(r.startswith(("contrast", _ARMS)) for r in remarks)
    findings, looked = [], 0
    for quantity, what, finding in (
        ("SMI", codes.MUSCLE_INDEX, codes.LOW_MUSCLE), ("SMA", codes.SKELETAL_MUSCLE, codes.LOW_MUSCLE),
        ("SMRA", codes.MUSCLE_ATTENUATION, codes.LOW_MUSCLE_ATTENUATION),
        ("VAT", codes.VISCERAL_FAT, codes.VISCERAL_OBESITY),
    ):  # fmt: skip
        number = next((m for m in areas if m.what == what), None)
        if number is None or (quantity == "SMRA" and contrast):
            continue
        verdict = below(study, quantity, number.value, sex=sex, bmi=bmi, age=years)
        if verdict is None:
            continue
        looked += 1
        limit, bound, wrong = verdict
        if wrong:
            side = "above" if limit.high else "below"
            words = f"{finding}: {quantity} {number.value:.1f} is {side} {bound:g} ({study}: {limit.population})."
            findings.append(Finding(finding, measurements=(number,), words=words))
        else:
            remarks.append(f"{quantity} {number.value:.1f}: within {bound:g} of {study} ({limit.population})")
    if not looked:
        remarks.append(
            f"{study} has no limit for this person (sex '{sex}', BMI {'unknown' if bmi is None else f'{bmi:.0f}'}, "
            f"age {'unknown' if years is None else age_said(years)})"
        )
    return findings
