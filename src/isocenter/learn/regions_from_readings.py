"""Where findings of signed reports lie: what counts, what is left out lest it teach that something is not there."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from isocenter.errors import Refused
from isocenter.learn.from_readings import Example, Said, examples_of
from isocenter.learn.kinds import Boxes, Masks
from isocenter.learn.labels_of_findings import GENERAL, called, label_of, label_of_code, names_of_labels
from isocenter.record import Code, Finding, Outcome, Result, Verdict
from isocenter.space import Region, Shape, Volume

if TYPE_CHECKING:
    from isocenter.learn.signed_reports import Signed

__all__ = ["Regions", "grey"]

_OWN = (Verdict.ADDED, Verdict.CHANGED)
_SEEN, _UNSEEN = "concurrent", "shadow"  # modes of reading (see `from_readings.weight_of`)


@dataclass(frozen=True, eq=False)
class Told:
    """Where the findings of one report lie, by label; and what keeps it from being learnt from, empty for nothing."""

    regions: Mapping[int, Sequence[Region]]
    own: bool
    lacks: str = ""


class Regions:
    """Where the things of a recipe lie, as reports tell it; see `signed_reports.Teacher`.

    Of a report count the findings of the analysis and those of the reader, as they stood when it was signed, that have
    the code or the name of a label. An analysis that looks for a label and a report without it say together that it is
    not there, where the recipe says that this may be.

    Args:
        first: number of the first class. may_lack: whether a class may be nowhere (see `kinds.Masks`).
        shapes: that say where a thing ends.
    """

    def __init__(
        self, how: Masks | Boxes, analysis: str, looks_for: Collection[Code], *, first: int, may_lack: bool,
        shapes: Collection[Shape],
    ) -> None:  # fmt: skip
        self._analysis, self._may_lack, self._shapes = analysis, may_lack, shapes
        self._classes = dict(enumerate(how.classes, start=first))
        self._names = names_of_labels(how.classes, how.known_as, first=first)
        sought = {label_of_code(code, self._names) for code in looks_for}
        self._sought = {first} if len(how.classes) == 1 else sought - {None}

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """Where the findings of each report lie; left out are those that would teach that something is not there."""
        found, left, others = list[Said](), dict[str, str](), set[str]()
        for one in signed:
            call = one.call(self._analysis)
            told = self._told(one.results(), looked=call is not None, others=others)
            if told is None:
                continue
            if told.lacks:
                left[one.study] = told.lacks
                continue
            there = bool(told.regions)
            mode = str(call["mode"]) if call else _UNSEEN
            if there and not told.own:
                mode = _SEEN  # who kept the machine's outline has seen it, whatever they had said before
            found.append(Said(
                one.study, one.person, one.reader, one.time, mode, bool(call and call["machine"]), there,
                call["first"] if call and not there else None, own=told.own, answer=told.regions,
            ))  # fmt: skip
        if not any(s.final for s in found):
            self._refuse(len(found) + len(left), Counter(left.values()), others)
        return found, left

    def _told(self, results: Sequence[Result], *, looked: bool, others: set[str]) -> Told | None:
        """None where the report tells nothing of what the recipe outlines."""
        regions: dict[int, list[Region]] = {}
        bare, nameless, own = set[int](), False, False
        for finding, is_own in _counted(results, self._analysis):
            label = label_of(finding, self._names)
            if label is None:
                if finding.where is not None:
                    others.add(called(finding))
                nameless |= is_own and finding.what in GENERAL
            elif finding.where is None or not self._ends(finding.where):
                bare.add(label)
            else:
                regions.setdefault(label, []).append(finding.where)
                own |= is_own
        if not regions and not bare and not looked:
            return None
        return Told(regions, own, self._lacks(regions, bare, looked=looked, nameless=nameless))

    def _ends(self, where: Region) -> bool:
        return where.shape in self._shapes and (where.shape is not Shape.MASK or where.voxels > 0)

    def _lacks(self, regions: Collection[int], bare: Collection[int], *, looked: bool, nameless: bool) -> str:
        """Why a report says less than it seems to; empty where it says all."""
        classes = self._classes
        if missing := sorted(bare):
            return f"'{classes[missing[0]]}' is in the report without an outline"
        lacking = sorted(set(classes) - set(regions))
        if not lacking:
            return ""
        if not self._may_lack:
            return f"no outline of '{classes[lacking[0]]}'"
        if nameless:
            return "something is outlined that is not named"
        if unsought := [k for k in lacking if not looked or k not in self._sought]:
            return f"nobody looked for '{classes[unsought[0]]}'"
        return ""

    def _refuse(self, reports: int, left: Mapping[str, int], others: Collection[str]) -> None:
        if not reports:
            return  # no report at all, which is said elsewhere
        if others and not any("without an outline" in why for why in left):
            raise Refused(
                f"no finding of {reports} signed reports is called {' or '.join(self._classes.values())}",
                f"outlined are {', '.join(sorted(others)[:8])}",
                "name these in the recipe: [known_as], such as \"SCT:39607008\" = 1",
            )  # fmt: skip
        why = "; ".join(f"{n}: {reason}" for reason, n in left.items())
        raise Refused(f"{reports} signed reports teach no outline", why or "all say that there is nothing",
                      "outline findings, or keep outlines of the analysis, and sign")  # fmt: skip

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """Readers are added up on whether anything is there; of those who prevail the latest of the weightiest outlines
        it."""
        return examples_of(told, agreement)


def _counted(results: Sequence[Result], analysis: str) -> Iterable[tuple[Finding, bool]]:
    """Findings that stand and are of the analysis or of a person, and whether a person drew or changed them."""
    for result in results:
        if result.outcome is Outcome.DECLINED:
            continue
        for finding in result.findings:
            own = finding.verdict in _OWN or not result.machine.analysis
            if (
                finding.verdict is not Verdict.STRUCK
                and not finding.research
                and (own or result.machine.analysis == analysis)
            ):
                yield finding, own


def grey(volume: Volume) -> Volume:
    """One value for each voxel: the mean of colours.

    Raises:
        Refused: several times, echoes or directions.
    """
    if not volume.axes:
        return volume
    if [axis.name for axis in volume.axes] != ["channel"]:
        raise Refused(f"a series with {', '.join(a.name for a in volume.axes)}", "it has several values at each place")
    return replace(volume, array=volume.array.astype(np.float32).mean(axis=0), axes=())
