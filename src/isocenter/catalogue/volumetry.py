"""Any segmentation or structure set: how large its structures are."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.errors import Refused
from isocenter.methods.volumetry import Extent, measure
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Geometry, Reference, Region

__all__ = ["SPHERICITY", "Volumetry"]

SPHERICITY = Code("sphericity", "99ISO", "Sphericity")
_FARTHEST_LEAP = 5  # slices from one drawn to the next; parts of a structure that lie farther apart are parts
_LEFT_OUT = 2  # slices on which an outline may have been forgotten
_SMALL = 27  # voxels: below three in each direction, half a voxel of border is a third of the size


class Volumetry:
    """How large is each segmented structure: volume, diameters, surface, and in how many parts?"""

    name, version = "volumetry", "10"
    needs: ClassVar[Mapping[str, Need]] = {
        "structures": Need(modality=("SEG", "RTSTRUCT"), gives="regions", every=True),
    }
    yields = (Yield(what=codes.STRUCTURE, units=("mL", "mm", "mm2", "{counts}", "{ratio}")),)
    limits = Limits(seconds=120.0, memory_mib=4096)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure structures that a person or another analysis has outlined.",
        "not_for": "Judging whether an outline is right; RECIST sums, which need a person's choice of lesions.",
        "sources": ("IBSI 1 (Zwanenburg 2020)", "RECIST 1.1 (Eisenhauer 2009)"),
        "limits": (
            "The surface of a voxel mask has steps and is about 8 % too large: compare surfaces of the same "
            "definition only.",
            "It measures the outline that is there, and does not judge whether it is right.",
        ),
        "level": "validated against the IBSI digital phantom; exact on balls, ellipsoids and boxes",
    }

    def run(self, structures: tuple[Region, ...], *, smallest_ml: float = 0.0) -> Answer:
        """Measure each structure.

        Args:
            structures: masks on grids with patient coordinates.
            smallest_ml: structures below this volume are left out.

        Raises:
            Refused: when none of the structures can be measured; the message says why for each.
        """
        findings: list[Finding] = []
        remarks: list[str] = []
        refused: dict[str, list[str]] = {}
        small = 0
        for number, region in enumerate(structures, start=1):
            called = region.label or f"structure {number}"
            try:
                size = measure(region)
            except Refused as why:
                refused.setdefault(str(why), []).append(called)
                continue
            if _volume_ml(size) < smallest_ml:
                small += 1
                continue
            findings.append(_finding(region, called, size))
            remarks += _doubts(region, called, size)
        remarks += [f"{_several(names)}: {why}" for why, names in refused.items()]
        if small:
            remarks.append(f"{small} below {smallest_ml:g} mL left out")
        if findings:
            return Answer.found(*findings, reasons=tuple(remarks))
        if small:
            return Answer.none(reasons=tuple(remarks))
        raise Refused(
            "no structure can be measured",
            "; ".join(remarks) or "the set is empty",
            "outline a structure with voxels on an image of the patient",
        )

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A box, a ball in two parts and an uncalibrated mask: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(20, 30, 40), spacing_mm=(3.0, 1.0, 1.5), frame_of_reference="2.25.1")
        box = np.zeros(grid.shape, dtype=bool)
        box[5:9, 10:22, 8:16] = True
        truth: Mapping[str, Any] = {
            "answer": "found",
            "findings": 1,
            "measurements": {str(codes.VOLUME): (4 * 12 * 8 * 4.5 / 1000.0, 1e-9), str(codes.COMPONENTS): (1, 0)},
        }
        yield {"structures": (Region(grid, mask=box, label="box"),)}, truth
        place = grid.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))
        ball = np.linalg.norm(place - grid.to_patient((9.5, 14.5, 20.0)), axis=-1) <= 11.0
        apart = ball.copy()
        apart[9:11] = False
        measured = {str(codes.DIAMETER): (22.0, 3.0)}  # half a step of 3 mm more at either end
        yield {"structures": (Region(grid, mask=ball, label="ball"),)}, {"answer": "found", "measurements": measured}
        yield (
            {"structures": (Region(grid, mask=apart, label="two caps"),)},
            {"answer": "found", "measurements": {str(codes.COMPONENTS): (2, 0)}},
        )
        pixels = Geometry.regular(shape=grid.shape, reference=Reference.PIXEL)
        yield {"structures": (Region(pixels, mask=box),)}, {"answer": "declined", "words": "millimetres"}


def _several(names: list[str]) -> str:
    """Names of structures that share a fate: all of a few, the first of many.

    >>> _several(["liver"]), _several(["a", "b", "c", "d"])
    ('liver', 'a and 3 others')
    """
    return ", ".join(names) if len(names) < 4 else f"{names[0]} and {len(names) - 1} others"


def _volume_ml(size: Extent) -> float:
    """By the fractions of voxels where a structure has them: cut at one half, a small one is too small or too large."""
    return size.volume_ml if size.occupied_ml is None else size.occupied_ml


def _ml(size: Extent) -> str:
    """In words: a nodule of 3 mm is 0.014 mL, and not 0.0."""
    volume = _volume_ml(size)
    return f"{volume:.1f} mL" if volume >= 0.1 else f"{volume:.2g} mL"


def _finding(region: Region, called: str, size: Extent) -> Finding:
    parts = f" in {size.components} parts" if size.components > 1 else ""
    fractions = (
        ()
        if size.occupied_ml is None
        else (Measurement(codes.VOLUME, size.occupied_ml, "mL", definition="sum of fractions (occupancy)"),)
    )
    return Finding(
        codes.STRUCTURE,
        where=region,
        measurements=(
            *fractions,
            Measurement(codes.VOLUME, size.volume_ml, "mL", definition="voxel counting"),
            Measurement(codes.VOLUME, size.mesh_volume_ml, "mL", definition="marching cubes at one half"),
            Measurement(
                codes.LONG_AXIS, size.axes.long_mm, "mm", definition=f"RECIST 1.1, {size.axes.plane}, largest part"
            ),
            Measurement(codes.SHORT_AXIS, size.axes.short_mm, "mm", definition="perpendicular in the same slice"),
            Measurement(codes.DIAMETER, size.diameter_mm, "mm", definition="IBSI maximum 3D diameter, largest part"),
            Measurement(codes.SURFACE_AREA, size.surface_mm2, "mm2", definition="IBSI, marching cubes at one half"),
            Measurement(SPHERICITY, size.sphericity, "{ratio}", definition="IBSI"),
            Measurement(codes.COMPONENTS, size.components, "{counts}", definition="26 neighbours"),
        ),
        words=f"{called}: {_ml(size)}{parts}, {size.axes.long_mm:.0f} x {size.axes.short_mm:.0f} mm {size.axes.plane}.",
    )


def _doubts(region: Region, called: str, size: Extent) -> list[str]:
    doubts = []
    if size.occupied_ml is not None:
        doubts.append(
            f"{called} is given as fractions of voxels: its volume is their sum; all else is of the voxels that it "
            "fills by half and more"
        )
    if size.cut and region.imageless and not _at_sides(region):
        doubts.append(
            f"{called}: the images that it was drawn on are not in the study; whether it reaches their first or last "
            "slice, and may go on outside, is not known"
        )
    elif size.cut:
        doubts.append(f"{called} reaches the edge of the image and may go on outside")
    if region.voxels < _SMALL:
        doubts.append(f"{called} has {region.voxels} voxels: its sizes are rough")
    if size.components > 1:
        share = 100.0 * size.largest_ml / size.volume_ml
        doubts.append(f"{called}: diameters are those of the largest of {size.components} parts ({share:.0f} %)")
    if size.components > 2 and (leap := _leap(region)):
        doubts.append(
            f"WARNING: {called} has voxels on every {leap}. slice only: if it goes on between them, its volume is "
            f"about {leap} times this one"
        )
    elif size.components > 1 and (skipped := _skipped(region)):
        slices, missing = skipped
        doubts.append(
            f"WARNING: {called} has no outline on {slices} slice{'s'[: slices != 1]} between such on which it lies at "
            f"one place: if one was left out there, its volume is about {missing:.2g} mL larger"
        )
    return doubts


def _skipped(region: Region) -> tuple[int, float] | None:
    """Empty slices between two that a structure fills at one place, and about what it would hold there, in mL; None
    where it has none. No more than two run together: farther apart lie parts.
    """
    mask = region.cut
    filled = np.flatnonzero(mask.any(axis=(1, 2)))
    slices, voxels = 0, 0.0
    for low, high in pairwise(filled):
        between = int(high - low - 1)
        below, above = mask[low], mask[high]
        least = min(np.count_nonzero(below), np.count_nonzero(above))
        if 1 <= between <= _LEFT_OUT and 2 * np.count_nonzero(below & above) > least:
            slices += between
            voxels += between * (np.count_nonzero(below) + np.count_nonzero(above)) / 2.0
    return (slices, voxels * region.geometry.voxel_volume_mm3 / 1000.0) if slices else None


def _at_sides(region: Region) -> bool:
    """Whether a mask reaches an edge of its slices, which are as large as those of the images also where these are
    not at hand; of a mask read by itself the first and last slice are but those with voxels.
    """
    assert region.mask is not None
    return any(region.mask.take(i, axis=axis).any() for axis in (1, 2) for i in (0, -1))


def _leap(region: Region) -> int:
    """From how many slices to the next a mask goes, along any axis, where most of its slices are followed by empty
    ones; else 0. So does one that was drawn on every second slice and not interpolated.
    """
    assert region.mask is not None
    for axis in range(3):
        filled = np.flatnonzero(region.mask.any(axis=tuple(a for a in range(3) if a != axis)))
        steps = np.diff(filled)
        if len(steps) < 3:
            continue
        usual = int(np.bincount(steps).argmax())
        if 1 < usual <= _FARTHEST_LEAP and 2 * int(np.count_nonzero(steps == usual)) > len(steps):
            return usual
    return 0
