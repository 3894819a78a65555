"""A liver that was outlined: how large it is for this body, and what a resection would leave."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt
from scipy.ndimage import binary_dilation, find_objects

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.liver_outline import LESION, livers_among, names_no_liver, plain, whole_liver
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.catalogue.plane_image import age_said, age_years
from isocenter.errors import Refused
from isocenter.methods.components import labelled
from isocenter.methods.field_of_view import cut_slices
from isocenter.methods.liver_volume import FORMULAE, standard_volume_ml
from isocenter.record import Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region, Volume

__all__ = ["LiverVolumetry"]

_REMNANT = re.compile(
    r"remnant|reman[ae]n|(?<![a-z])flr(?![a-z])|fut[uú]r[ae]?[ _-]?(liver|remn|h[ií]gado)|rest[ -]?le(ber|ver)",
    re.IGNORECASE,
)
_LITRES = (0.3, 6.0)
_CUT_SHARE, _OUTSIDE_SHARE = 0.25, 0.05
_CUT_SLICES = 2  # that a field of view may graze
_LEFT_OUT = 0.02  # of the liver, in slices without an outline
_ADULT_YEARS = 18.0
_AROUND = 0.5  # of a tumour's border that is liver, from which it lies in it
_ROUNDED = 0.05  # of a voxel: positions in headers are rounded

Mask = npt.NDArray[np.bool_]


class LiverVolumetry:
    """How large is the outlined liver for this body, and what share would a resection leave?"""

    name, version = "liver_volumetry", "9"
    needs: ClassVar[Mapping[str, Need]] = {
        "drawn": Need(modality=("SEG", "RTSTRUCT"), gives="regions"),
        "image": Need(modality=("CT", "MR"), optional=True),
    }
    yields = (
        Yield(what=codes.LIVER, units=("mL", "%", "{ratio}")),
        Yield(what=codes.VOLUME, units=("mL",)),
        Yield(what=codes.STANDARD_VOLUME, units=("mL",)),
        Yield(what=codes.LIVER_SHARE, units=("%",)),
    )
    limits = Limits(seconds=60.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Set an outlined liver and its future remnant against standard volumes.",
        "not_for": "Deciding on a resection: function is not volume; judging whether the outline is right.",
        "sources": ("Urata 1995", "Vauthey 2002"),
        "limits": (
            "Volume is not function.",
            "The outline is the caller's, and a standard volume is a mean of adults without liver disease.",
        ),
        "level": "verified: voxel counts and published formulae",
    }

    def run(
        self,
        drawn: tuple[Region, ...],
        image: Volume | None,
        *,
        standard: Literal["Vauthey 2002", "Urata 1995"] = "Vauthey 2002",
        height_m: float = 0.0,
        weight_kg: float = 0.0,
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Measure the outlined liver.

        Args:
            drawn: a region named liver, or several that lie side by side (lobes, segments); may be with others named
                remnant (or FLR) and tumour (or lesion).
            image: whose header states height and weight.
            standard: formula of the standard volume.
            height_m, weight_kg: of the person, where the header does not state them; 0 believes the header.
            other_grid: a remnant or tumour on other voxels than the liver: ``nearest`` brings it there.

        Raises:
            Refused: when there is no liver among the regions, or its volume would be wrong.
        """
        liver, roomy, remnant, lesions, remarks = _named(drawn, other_grid)
        ml = liver.geometry.voxel_volume_mm3 / 1000.0
        assert liver.mask is not None
        total = liver.voxels * ml
        if not 1000 * _LITRES[0] <= total <= 1000 * _LITRES[1]:
            raise Refused(
                f"a liver of {total:.0f} mL",
                "no adult liver has that size: another structure, or a part",
                "outline the whole liver, and call nothing else liver",
            )
        _must_be_whole(liver)
        _must_be_in_view(liver, image)
        remarks += _left_out(liver)
        diseased = float((lesions & roomy).sum()) * ml
        said = [Measurement(codes.VOLUME, total, "mL", definition="total liver")]
        if diseased:
            said.append(Measurement(codes.VOLUME, diseased, "mL", definition="tumour within the liver"))
        expected = _standard(said, image, standard, height_m, weight_kg, remarks)
        if expected:
            share = 100.0 * total / expected
            said.append(Measurement(codes.LIVER_SHARE, share, "%", definition=f"total / standard ({standard})"))
        words = f"Liver of {total:.0f} mL" + (f", standard {expected:.0f} mL ({standard})" if expected else "")
        if remnant is not None:
            kept = replace(remnant, mask=np.asarray(remnant.mask) & ~lesions)
            if kept.voxels < remnant.voxels:
                remarks.append(
                    f"{(remnant.voxels - kept.voxels) * ml:.0f} mL of tumour within the remnant left out of it"
                )
            words += _left(said, kept, roomy, total - diseased, ml, expected, standard)
        finding = Finding(codes.LIVER, where=liver, site=codes.LIVER, measurements=tuple(said[:1]), words=f"{words}.")
        return Answer.found(finding, measurements=tuple(said), reasons=tuple(remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A box of 1400 mL with a remnant of 600, and a box that is no liver."""
        grid = Geometry.regular(shape=(30, 40, 40), spacing_mm=(5.0, 4.0, 4.0), frame_of_reference="2.25.1")
        box, part = np.zeros(grid.shape, bool), np.zeros(grid.shape, bool)
        box[5:25, 5:30, 3:38] = True
        part[5:25, 5:30, 3:18] = True
        regions = (Region(grid, mask=box, label="Liver"), Region(grid, mask=part, label="Future liver remnant"))
        truth = {"answer": "found", "measurements": {"Volume": (20 * 25 * 35 * 0.08, 1e-9)}, "words": "no height"}
        yield {"drawn": regions, "image": None}, {**truth, "findings": 1}
        yield {"drawn": (regions[1],), "image": None}, {"answer": "declined", "words": "named liver"}


def _named(drawn: tuple[Region, ...], other_grid: OtherGrid) -> tuple[Region, Mask, Region | None, Mask, list[str]]:
    """The liver as it was outlined; then on one grid that holds them all: liver, remnant and tumours; and remarks."""
    for region in drawn:
        region.must_be_placed()
    there = [r for r in drawn if r.mask is not None and r.voxels and not names_no_liver(r.label)]
    remnants = [r for r in there if _REMNANT.search(plain(r.label))]
    lesions = [r for r in there if LESION.search(plain(r.label)) and not _REMNANT.search(plain(r.label))]
    livers = livers_among(drawn)
    largest = max(livers, key=lambda r: r.voxels * r.geometry.voxel_volume_mm3)
    if largest.geometry.reference is not Reference.PATIENT:
        raise Refused(
            "an outline without patient coordinates",
            "its voxels have no volume",
            "outline it on a series with Image Position and Image Orientation (Patient)",
        )
    parts = [r for r in livers if r is not largest]
    roomy = _with_room(largest, [*parts, *lesions, *remnants])
    said: list[str] = []

    def on_one_grid(regions: list[Region]) -> list[Mask]:
        masks = []
        for region in regions:
            moved, told = laid(region, roomy.geometry, other_grid)
            said.extend(told)
            masks.append(np.asarray(moved.mask))
        return masks

    whole = whole_liver([largest, *parts], [np.asarray(roomy.mask), *on_one_grid(parts)], said)
    held, outlined = on_one_grid(lesions), whole
    for region, mask in zip(lesions, held, strict=True):
        if (around := _surrounded(mask, outlined)).any():
            whole = whole | around
            ml = float(around.sum()) * roomy.geometry.voxel_volume_mm3 / 1000.0
            said.append(
                f"the liver was outlined around '{region.label}', of which {ml:.3g} mL are counted as liver, too"
            )
    liver = largest if whole is roomy.mask else replace(largest, geometry=roomy.geometry, mask=whole)
    kept, tumour = _once(remnants, on_one_grid(remnants), said), np.zeros(roomy.geometry.shape, bool)
    for region, mask in zip(lesions, held, strict=True):
        if outside := round(100.0 * float((mask & ~whole).sum()) / region.voxels):
            said.append(
                f"{outside} % of '{region.label}' lie outside the outlined liver and are not counted in it: where the "
                "liver was outlined without its tumours, its volume is that without them"
            )
        tumour |= mask
    remnant = replace(remnants[0], geometry=roomy.geometry, mask=kept) if kept is not None else None
    return liver, whole, remnant, tumour, said


def _surrounded(mask: Mask, liver: Mask) -> Mask:
    """The parts of a tumour around which a liver was outlined, as a label map has it, where no voxel is of two."""
    found = np.zeros_like(mask)
    if (mask & liver).any():
        return found  # the liver was outlined with its tumours
    labels, _ = labelled(mask)
    for number, box in enumerate(find_objects(labels), start=1):
        room = tuple(slice(max(0, part.start - 1), part.stop + 1) for part in box)
        part = labels[room] == number
        rim = binary_dilation(part) & ~part
        if np.count_nonzero(rim & liver[room]) >= _AROUND * np.count_nonzero(rim):
            found[room] |= part
    return found


def _once(regions: list[Region], masks: list[Mask], said: list[str]) -> Mask | None:
    """All parts of the remnant together; None where there is none."""
    if len(regions) > 1:
        said.append(f"the remnant is {len(regions)} outlines together: {', '.join(r.label for r in regions)}")
    return np.logical_or.reduce(masks) if masks else None


def _with_room(liver: Region, others: list[Region]) -> Region:
    """The liver with empty voxels around it, as far as others reach: an object holds only the slices that it marks."""
    places = [_ends(r) for r in others if r.geometry.frame_of_reference == liver.geometry.frame_of_reference]
    if not places:
        return liver
    index = liver.geometry.to_index(np.concatenate(places))
    before = np.maximum(0, np.ceil(-index.min(axis=0) - _ROUNDED)).astype(int)
    after = np.maximum(0, np.ceil(index.max(axis=0) - np.array(liver.geometry.shape) + 1 - _ROUNDED)).astype(int)
    pads = list(zip(before.tolist(), after.tolist(), strict=True))
    grid = liver.geometry.padded((pads[0][0], pads[1][0], pads[2][0]), (pads[0][1], pads[1][1], pads[2][1]))
    return replace(liver, geometry=grid, mask=np.pad(np.asarray(liver.mask), pads))


def _ends(region: Region) -> npt.NDArray[np.float64]:
    """Outermost marked voxels, in patient millimetres."""
    start, stop = region.bounds
    return region.geometry.cropped(start, stop).corners_mm()


def _must_be_whole(liver: Region) -> None:
    assert liver.mask is not None
    for axis in range(3):
        areas = liver.mask.sum(axis=tuple(a for a in range(3) if a != axis))
        if max(areas[0], areas[-1]) > _CUT_SHARE * areas.max() and len(areas) > 1:
            raise Refused("a liver that the images cut", "a part of it lies outside them", "scan the whole liver")


def _must_be_in_view(liver: Region, image: Volume | None) -> None:
    """The round field of view of a CT may cut a liver that no side of its picture cuts: the body wall lies between."""
    if image is None or image.axes or image.unit != "[hnsf'U]":
        return
    if liver.geometry.frame_of_reference != image.geometry.frame_of_reference:
        return
    on_image, _ = laid(liver, image.geometry, "nearest")
    cut = cut_slices(np.asarray(image.array), np.asarray(on_image.mask))
    if cut > _CUT_SLICES:
        raise Refused(
            f"a liver that the field of view cuts in {cut} slices",
            "a part of it lies outside",
            "reconstruct a larger one",
        )


def _left_out(liver: Region) -> list[str]:
    """What is to be said of slices within the liver that nobody outlined.

    Raises:
        Refused: where they hold more than two hundredths of it.
    """
    areas = np.count_nonzero(np.asarray(liver.mask), axis=(1, 2))
    drawn = np.flatnonzero(areas)
    within = np.arange(drawn[0], drawn[-1] + 1)
    empty = int(np.count_nonzero(areas[within] == 0))
    if not empty:
        return []
    whole = np.interp(within, drawn, areas[drawn])
    share = float(whole[areas[within] == 0].sum() / whole.sum())
    told = f"a liver with {empty} slice{'s' * (empty > 1)} between others that nobody outlined"
    if share > _LEFT_OUT:
        raise Refused(told, f"some {share:.0%} of its volume would be missing", "outline them, or interpolate")
    return [f"{told}: some {100 * share:.1f} % of its volume are missing"]


def _standard(
    said: list[Measurement], image: Volume | None, formula: str, height_m: float, weight_kg: float, remarks: list[str]
) -> float:
    facts = {} if image is None else image.facts
    stated = [facts.get(keyword) or 0.0 for keyword in ("PatientSize", "PatientWeight")]
    height, weight = (given or said for given, said in zip((height_m, weight_kg), stated, strict=True))
    if isinstance(height, str) or isinstance(weight, str):
        remarks.append(f"no standard volume: a height of '{height}' and a weight of '{weight}' are no two numbers")
        return 0.0
    if not height or not weight:
        remarks.append("no height or no weight: no standard volume")
        return 0.0
    years = age_years(str(facts.get("PatientAge") or ""))
    if years is not None and years < _ADULT_YEARS and "children" not in FORMULAE[formula][1]:
        remarks.append(
            f"no standard volume: a patient of {age_said(years)}, and {formula} is of adults; Urata 1995 is of "
            "children too"
        )
        return 0.0
    try:
        expected = standard_volume_ml(height, weight, formula)
    except Refused as why:
        remarks.append(f"no standard volume: {why}")
        return 0.0
    surface, people, _ = FORMULAE[formula]
    words = f"{formula}, body surface by {surface.title()}; {people}"
    said.append(Measurement(codes.STANDARD_VOLUME, expected, "mL", definition=words))
    return expected


def _left(
    said: list[Measurement], remnant: Region, liver: Mask, healthy_ml: float, ml: float, expected: float, formula: str
) -> str:
    """The remnant in shares; its words."""
    assert remnant.mask is not None
    outside = float((remnant.mask & ~liver).sum()) / max(1, remnant.voxels)
    if outside > _OUTSIDE_SHARE:
        raise Refused(
            f"a remnant of which {100 * outside:.0f} % lie outside the liver",
            "its share would mean nothing",
            "outline the remnant within the liver",
        )
    left = float((remnant.mask & liver).sum()) * ml
    said.append(Measurement(codes.VOLUME, left, "mL", definition="future liver remnant"))
    share = 100.0 * left / healthy_ml
    said.append(Measurement(codes.LIVER_SHARE, share, "%", definition="remnant / (total - tumour)"))
    words = f"; remnant of {left:.0f} mL, {share:.0f} % of the liver without tumour"
    if expected:
        of_standard = 100.0 * left / expected
        said.append(Measurement(codes.LIVER_SHARE, of_standard, "%", definition=f"remnant / standard ({formula})"))
        words += f", {of_standard:.0f} % of the standard"
    return words
