"""Signed reports as cines with outlines of the left ventricle, as readers kept, changed or drew them.

A phase is told by the words of the analysis ("phase 3"), by the name of an outline ("LV endo phase 3"), or by the image
that a mark was drawn on. What a report leaves open, a structure, a phase, or the slices without a mark, is not taught:
neither where it is nor that it is not there.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, Said, examples_of, laid
from isocenter.learn.hearts import LEAST_PHASES, OPEN
from isocenter.learn.kinds import Structures
from isocenter.learn.labels_of_findings import called
from isocenter.learn.outlines_from_readings import DRAWN, nifti_file, on_grid, stored_values
from isocenter.learn.regions_from_readings import Drawn, Regions, Stands, Told, alike
from isocenter.learn.signed_reports import Images
from isocenter.methods.short_axis import SHORT_AXIS, along_heart
from isocenter.methods.ventricle_names import named
from isocenter.record import Code, Finding
from isocenter.space import Region, Shape, Volume

__all__ = ["Ventricles"]

_KINDS = {"endo": 1, "epi": 2, "myo": 3}
_CAVITY, _AROUND, _MUSCLE = 1, 2, 3
_NUMBERED = re.compile(r"\(phase (\d+)\)")
_LEAST_SLICES = 3  # each is looked at with its neighbours

Mask = npt.NDArray[np.bool_]
Labels = npt.NDArray[np.uint8]


class Ventricles(Regions):
    """Reports teach where the borders of the left ventricle lie; see `teachers.Teacher`."""

    _name_them = "call what is outlined by structure and phase, such as LV endo ED and LV epi ED"

    def __init__(self, how: Structures, analysis: str, looks_for: Collection[Code]) -> None:
        self._how = how
        super().__init__(how, analysis, looks_for, first=1, may_lack=True, shapes=(Shape.MASK, *DRAWN))

    def _told(self, stands: Iterable[Stands], call: Mapping[str, Any] | None, others: set[str]) -> Told | None:
        """Regions by structure, each with its phase, from 0; None where an image has to tell it."""
        found: list[tuple[int, str, int | None, Region]] = []
        own = False
        for finding, machines, _, is_asked in stands:
            kind, end = _structure(finding)
            where = finding.where
            if not is_asked or where is None or not self._ends(where):
                continue
            if kind is None:
                others.add(where.label or called(finding))
                continue
            found.append((_KINDS[kind], end, _number(finding, machines, end), where))
            own |= machines is None or not alike(machines.where, where)
        if not found and call is None:
            return None
        ends = {end: number for _, end, number, _ in found if number is not None}
        regions: dict[int, list[Drawn]] = {}
        nowhere = ""
        for label, end, number, where in found:
            phase = ends.get(end) if number is None else number
            if phase is None and not where.instance_uid:
                nowhere = nowhere or where.label
                continue
            regions.setdefault(label, []).append((where, phase))
        if _CAVITY in regions:
            return Told(regions, own)
        return Told(regions, own, f"'{nowhere}' does not say on which phase it lies" if nowhere else
                    "no outline of the cavity of the left ventricle")  # fmt: skip

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """See `from_readings.examples_of`: one cine for each study."""
        return examples_of(told, agreement)

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """A cine for each study as NIfTI, with labels beside it, numbered, as `labelled_cines` reads them.

        Raises:
            Conflict: the folder holds something already. Refused: no cine can be learnt from.
        """

        def keep(example: Example, name: str) -> tuple[str, list[str], Sequence[str]]:
            cine, digests = _cine(example, images)
            labels = labels_of(example.answer, cine)
            for ending, array in (("_sa", stored_values(cine.array)), ("_sa_gt", labels)):
                wholly.write(out / f"{name}{ending}.nii.gz", nifti_file(array, cine.geometry))
            return f"{name}_sa.nii.gz", [c for k, c in enumerate(self._how.classes, 1) if (labels == k).any()], digests

        return laid(out, examples, self._how.classes, keep, told)


def _structure(finding: Finding) -> tuple[str | None, str]:
    """What a finding outlines, and at which end or phase of the beat as far as its name says."""
    label = finding.where.label if finding.where is not None else ""
    for text in (label, finding.words.split(":")[0]):
        kind, phase = named(text)
        if kind is not None:
            return kind, phase or ""
    return None, ""


def _number(finding: Finding, machines: Finding | None, end: str) -> int | None:
    """The phase, from 0, that the name or the words tell; those of the machine where a reader changed them."""
    if end.isdigit():
        return int(end) - 1
    words = (finding.words, machines.words if machines is not None else "")
    said = next((told for text in words if (told := _NUMBERED.search(text))), None)
    return int(said[1]) - 1 if said else None


def _cine(example: Example, images: Images) -> tuple[Volume, Sequence[str]]:
    """The short-axis cine that was outlined.

    Raises:
        Refused: it is none.
    """
    every = [region for own in example.answer.values() for region, _ in own]
    on = max(every, key=lambda region: region.shape is Shape.MASK)
    cine, digests = images(example.study, replace(on, instance_uid=""))
    if len(cine.axes) != 1 or len(cine.array) < LEAST_PHASES:
        raise Refused(
            "outlines on images that are no cine", "the beat is shown in several phases", "outline on the cine"
        )
    if cine.geometry.shape[0] < _LEAST_SLICES:
        raise Refused(
            f"outlines on a cine of {cine.geometry.shape[0]} slices",
            "short axes in one series are learnt from",
            "outline on a stack of short axes",
        )
    _, down, across = cine.geometry.directions.T
    along = along_heart(down, across)
    if along < SHORT_AXIS:
        off = float(np.degrees(np.arccos(along)))
        raise Refused(
            f"outlines on slices {off:.0f}° off the usual short axis",
            "long axes are not learnt",
            "outline on the short axis",
        )
    return cine, digests


def labels_of(regions: Mapping[int, Sequence[Drawn]], cine: Volume) -> Labels:
    """(phases, slices, rows, columns): 1 in the cavity, 2 between it and the epicardium, `OPEN` in slices of which
    nothing is told; phases in which nothing was drawn are empty.

    Raises:
        Refused: a region on another grid, an image that is not of the cine, or no cavity in any slice.
    """
    shape = cine.geometry.shape
    whole: dict[int, dict[int, Mask]] = {}
    marks: dict[tuple[int, int], dict[int, Mask]] = {}
    for label, own in regions.items():
        for region, phase in own:
            if region.instance_uid:
                at, plane = _on_image(region, cine)
                there = marks.setdefault(at, {})
                there[label] = plane | there.get(label, np.zeros_like(plane))
                continue
            assert phase is not None
            if not 0 <= phase < len(cine.array):
                raise Refused(
                    f"an outline at phase {phase + 1}",
                    f"the cine has {len(cine.array)}",
                    "outline on a phase of this cine and sign again",
                )
            mask = on_grid(region, cine.geometry)
            if region.shape is Shape.MASK:
                there = whole.setdefault(phase, {})
                there[label] = mask | there.get(label, np.zeros_like(mask))
            else:
                for k in np.flatnonzero(mask.any(axis=(1, 2))).tolist():
                    marks.setdefault((phase, k), {})[label] = mask[k]
    labels = np.zeros((len(cine.array), *shape), np.uint8)
    for phase in sorted({*whole, *(phase for phase, _ in marks)}):
        labels[phase] = _phase(whole.get(phase, {}), {k: m for (p, k), m in marks.items() if p == phase}, shape)
        if not (labels[phase] == 1).any():
            labels[phase] = 0
    if not (labels == 1).any():
        raise Refused(
            "outlines without a cavity in any slice",
            "its volume is what is learnt first",
            "outline the cavity and sign again",
        )
    return labels


def _phase(whole: Mapping[int, Mask], marks: Mapping[int, Mapping[int, Mask]], shape: tuple[int, ...]) -> Labels:
    """Labels of one phase: of regions of voxels, and on their slices of what was marked there instead."""
    labels = np.full(shape, OPEN, np.uint8)
    none = np.zeros(shape, np.bool_)
    cavity = whole.get(_CAVITY, none)
    around = whole.get(_AROUND, none) | whole.get(_MUSCLE, none)
    if cavity.any():
        labels[:] = np.where(cavity, 1, np.where(around, 2, 0))
        filled = np.flatnonzero(cavity.any(axis=(1, 2)))
        gaps = np.setdiff1d(np.arange(filled[0], filled[-1]), filled)
        labels[gaps] = OPEN  # there is a ventricle between two slices that show it
    for k, drawn in marks.items():
        inner = drawn.get(_CAVITY, cavity[k])
        if inner.any():
            outer = drawn.get(_AROUND, none[k]) | drawn.get(_MUSCLE, none[k])
            outer = outer if outer.any() else around[k]
            labels[k] = np.where(inner, 1, np.where(outer, 2, 0))
    return labels


def _on_image(region: Region, cine: Volume) -> tuple[tuple[int, int], Mask]:
    """Phase and slice of the image that was drawn on, and the mask there."""
    slices, *plane = cine.geometry.shape
    uids = cine.instance_uids
    if len(set(uids)) < len(cine.array) * slices:
        raise Refused(
            "a mark on a film of several phases",
            "its image does not tell the phase",
            "outline on frames of one phase each, and sign again",
        )
    if region.instance_uid not in uids:
        raise Refused(
            "a mark on an image that is not of the cine",
            "it lies on another series",
            "outline on the cine and sign again",
        )
    grid = region.geometry
    if list(grid.shape) != [1, *plane]:
        raise Refused(
            "a mark on another grid than its cine",
            "its pixels are not those of the cine",
            "outline on the cine itself and sign again",
        )
    phase, k = divmod(uids.index(region.instance_uid), slices)
    return (phase, k), on_grid(region, grid)[0]
