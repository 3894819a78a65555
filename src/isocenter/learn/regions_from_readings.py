"""Where findings of signed reports lie: what counts, what is left out lest it teach that something is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, Said, examples_of
from isocenter.learn.kinds import Boxes, Masks, Structures
from isocenter.learn.labels_of_findings import GENERAL, called, label_of, label_of_code, names_of_labels
from isocenter.learn.signed_reports import Images, Signed
from isocenter.record import Code, Finding, Verdict
from isocenter.space import Reference, Region, Shape, Volume

__all__ = ["Drawn", "Regions", "Shown", "Stands", "Told", "alike", "grey"]

_OWN = (Verdict.ADDED, Verdict.CHANGED)
_SEEN, _UNSEEN = "concurrent", "shadow"  # modes of reading (see `from_readings.weight_of`)


Drawn = tuple[Region, int | None]
"""A region, and on which frame of its image it was drawn, where that is known."""


@dataclass(frozen=True, eq=False)
class Shown:
    """What one image shows: regions by label, and on which frame of it."""

    regions: Mapping[int, Sequence[Region]]
    frame: int | None = None


@dataclass(frozen=True, eq=False)
class Told:
    """Where the findings of one report lie, by label; and what keeps it from being learnt from, empty for nothing."""

    regions: Mapping[int, Sequence[Drawn]]
    own: bool
    lacks: str = ""


class Regions:
    """Where the things of a recipe lie, as reports tell it; see `teachers.Teacher`.

    Of a report count the findings that have the code or the name of a label, as they stood when it was signed; of those
    of other analyses, where nobody changed them, what does not lie where another does. An analysis that looks for a
    label and a report without it say together that it is not there, where the recipe says that this may be.

    Args:
        first: number of the first class. may_lack: whether a class may be nowhere (see `kinds.Masks`).
        shapes: that say where a thing ends.
    """

    _name_them = 'name these in the recipe: [known_as], such as "SCT:39607008" = 1'

    def __init__(
        self, how: Masks | Boxes | Structures, analysis: str, looks_for: Collection[Code], *, first: int,
        may_lack: bool, shapes: Collection[Shape],
    ) -> None:  # fmt: skip
        self._analysis, self._may_lack, self._shapes = analysis, may_lack, shapes
        self._classes = dict(enumerate(how.classes, start=first))
        self._names = names_of_labels(how.classes, how.known_as, first=first)
        self._sought = {label_of_code(code, self._names) for code in looks_for}

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """Where the findings of each report lie; left out are those that would teach that something is not there."""
        found, left, others, reports = list[Said](), dict[str, str](), set[str](), list(signed)
        for one in reports:
            call = one.call(self._analysis)
            if call and call["final"] and not one.results():
                left[one.study] = "what its report rests on was erased"
                continue
            told = self._told(_standing(one, self._analysis), call, others)
            if told is None:
                continue
            if told.lacks:
                left[one.study] = told.lacks
                continue
            there = bool(told.regions)
            mode, machine = (str(call["mode"]), bool(call["machine"])) if call else (_UNSEEN, False)
            if there and not told.own:  # who kept a machine's outline has seen it, whatever they had said before
                mode, machine = _SEEN, True
            found.append(Said(
                one.study, one.person, one.reader, one.time, mode, machine, there,
                call["first"] if call and not there else None, own=told.own, answer=told.regions,
            ))  # fmt: skip
        if not any(s.final for s in found):
            self._refuse(len(reports) if others else len(found) + len(left), Counter(left.values()), others)
        return found, left

    def _told(
        self, stands: Iterable[Stands], call: Mapping[str, Any] | None,
        others: set[str],
    ) -> Told | None:  # fmt: skip
        """None where the report tells nothing of what the recipe outlines.

        Args:
            stands: see `_standing`.
            call: what the signature says of the analysis; None where it had not answered.
            others: takes the names of outlined findings that are none of the recipe.
        """
        regions: dict[int, list[Drawn]] = {}
        bare, nameless, own = set[int](), False, False
        for finding, machines, frame, is_asked in stands:
            label, where = label_of(finding, self._names), finding.where
            if where is None or not self._ends(where):
                bare |= {label} if label is not None else set()
            elif label is None:
                others.add(called(finding))
                nameless |= machines is None and finding.what in GENERAL
            else:
                if any(_meets(where, there) for there, _ in regions.get(label, ())) and not is_asked:
                    continue  # several analyses speak of one thing
                regions.setdefault(label, []).append((where, frame))
                own |= machines is None or label_of(machines, self._names) != label or not alike(machines.where, where)
        if not regions and not bare and call is None:
            return None
        lacks = self._lacks(regions, bare, call, nameless=nameless)
        return Told(regions, own, lacks or self._apart(regions))

    def _ends(self, where: Region) -> bool:
        return where.shape in self._shapes and (where.shape is not Shape.MASK or where.voxels > 0)

    def _image(self, example: Example, images: Images) -> tuple[Volume, Sequence[str]]:
        """The image on which most of an example's regions were drawn, or that was looked at in vain."""
        shown: Shown = example.answer
        every = [region for own in shown.regions.values() for region in own]
        often = Counter(region.series_uid for region in every)
        on = max(every, key=lambda region: often[region.series_uid], default=None)
        volume, digests = images(example.study, on)
        return _one_time(volume, shown.frame), digests

    def _lacks(
        self, regions: Collection[int], bare: Collection[int], call: Mapping[str, Any] | None, *, nameless: bool
    ) -> str:  # fmt: skip
        """Why a report says less than it seems to; empty where it says all.

        An analysis looks for what its codes name, and where it found nothing at all for the one thing of a recipe.
        """
        classes = self._classes
        if missing := sorted(bare):
            return f"'{classes[missing[0]]}' is in the report without an outline"
        lacking = sorted(set(classes) - set(regions))
        if not self._may_lack:
            return f"no outline of '{classes[lacking[0]]}'" if lacking else ""
        if nameless:
            return "something is outlined that is not named"
        sought = self._sought if call is not None else set()
        if call is not None and not call["final"] and len(classes) == 1:
            sought = set(classes)
        if unsought := [k for k in lacking if k not in sought]:
            return f"nobody looked for '{classes[unsought[0]]}'"
        return ""

    def _apart(self, regions: Mapping[int, Sequence[Drawn]]) -> str:
        """Why regions on several images would teach that something is not there: on one of them a label has none."""
        labels = [set(shown.regions) for shown in _by_image(regions)]
        return "outlined each on another picture" if any(own != set(regions) for own in labels) else ""

    def _refuse(self, reports: int, left: Mapping[str, int], others: Collection[str]) -> None:
        if not reports:
            return  # no report at all, which is said elsewhere
        if others and not any("without an outline" in why for why in left):
            raise Refused(
                f"no finding of {reports} signed reports is called {' or '.join(self._classes.values())}",
                f"outlined are {', '.join(sorted(others)[:8])}", self._name_them,
            )  # fmt: skip
        why = "; ".join(f"{n}: {reason}" for reason, n in left.items())
        raise Refused(f"{reports} signed reports teach no outline", why or "all say that there is nothing",
                      "outline findings, or keep outlines of the analysis, and sign")  # fmt: skip

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """Readers are added up on whether anything is there; of those who prevail the latest of the weightiest outlines
        it. Each picture that they outlined is an example of its own: its answer is what it shows (`Shown`)."""
        made, torn = examples_of(told, agreement)
        return [replace(e, answer=part) for e in made for part in _by_image(e.answer) or [Shown({})]], torn


Stands = tuple[Finding, Finding | None, int | None, bool]


def _standing(signed: Signed, analysis: str) -> list[Stands]:
    """Findings that were not struck; each with what a machine had said of it (None for what a person added), its frame,
    and whether it is of the analysis or of a person, which come first."""
    said = {finding.tracking: finding for machines in signed.machines() for finding in machines.findings}
    found = []
    for result in signed.results():
        drawn = result.origin.parameters.get("drawn", {})
        for finding in result.findings:
            if finding.verdict is Verdict.STRUCK or finding.research:
                continue
            machines = said.get(finding.tracking) if finding.verdict is not Verdict.ADDED else None
            is_asked = result.machine.analysis in ("", analysis) or finding.verdict in _OWN
            found.append((finding, machines, drawn.get(finding.tracking, {}).get("frame"), is_asked))
    return sorted(found, key=lambda stands: not stands[3])


def _meets(one: Region, other: Region) -> bool:
    """Whether two regions share a voxel; on different grids or of other shapes, whether the boxes about them meet."""
    if one.geometry.reference is not Reference.PATIENT and one.instance_uid != other.instance_uid:
        return False
    if one.shape is other.shape is Shape.MASK and one.geometry.same_grid(other.geometry):
        return bool(np.any(np.asarray(one.mask) & np.asarray(other.mask)))
    (low, high), (start, stop) = _ends_of(one), _ends_of(other)
    return bool(np.all(low <= stop) and np.all(start <= high))


def _ends_of(region: Region) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    start, stop = (np.asarray(end, np.float64) for end in region.bounds)
    corners = region.geometry.to_patient(
        np.array(
            [
                (a, b, c)
                for a in (start[0], stop[0] - 1)
                for b in (start[1], stop[1] - 1)
                for c in (start[2], stop[2] - 1)
            ]
        )
    )
    return corners.min(axis=0), corners.max(axis=0)


def alike(one: Region | None, other: Region) -> bool:
    """Whether two regions are the same one."""
    if one is None or one.shape is not other.shape or not one.geometry.same_grid(other.geometry):
        return False
    if other.shape is Shape.MASK:
        return one.voxels == other.voxels and one.bounds == other.bounds and np.array_equal(one.cut, other.cut)
    return np.array_equal(np.asarray(one.points_mm), np.asarray(other.points_mm))


def _by_image(regions: Mapping[int, Sequence[Drawn]]) -> list[Shown]:
    """The regions of each picture; where they have a place in the patient, those that share a frame of reference.

    What names no frame lies with the marks on the first: of a picture that is no film only a mark names one.
    """
    found: dict[tuple[str | int, ...], dict[int, list[Region]]] = {}
    first = set[tuple[str | int, ...]]()
    for label, own in regions.items():
        for region, frame in own:
            grid = region.geometry
            placed = grid.reference is Reference.PATIENT
            image = (grid.frame_of_reference,) if placed else (frame or 0, region.series_uid, region.instance_uid)
            found.setdefault(image, {}).setdefault(label, []).append(region)
            if not placed and frame is not None:
                first.add(image)
    return [Shown(own, int(image[0]) if image in first else None) for image, own in found.items()]


def _one_time(volume: Volume, frame: int | None) -> Volume:
    """The frame of a film on which something was drawn; what is no film as it is."""
    times = [axis for axis in volume.axes if axis.name != "channel"]
    if frame is None or len(times) != 1 or volume.geometry.shape[0] > 1 or not 0 <= frame < len(times[0]):
        return volume
    return volume.at(times[0].name, frame)


def grey(volume: Volume) -> Volume:
    """One value for each voxel: the mean of colours.

    Raises:
        Refused: several times, echoes or directions.
    """
    if not volume.axes:
        return volume
    if [axis.name for axis in volume.axes] != ["channel"]:
        raise Refused(
            f"a series with {', '.join(a.name for a in volume.axes)}",
            "it has several values at each place",
            "outline on a series with one value at each place",
        )
    return replace(volume, array=volume.array.astype(np.float32).mean(axis=0), axes=())
