"""Where on the images a report's findings are seen: the number [n] of each, its series, slice and segment.

Screen, print and PDF number findings alike, and every sentence leads back to its image by these numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from isocenter.forms import words
from isocenter.forms.text import latest
from isocenter.record import Finding, Result, Study, Verdict

__all__ = ["Evidence", "evidence"]


@dataclass(frozen=True)
class Evidence:
    """One finding that a report may speak of.

    Args:
        number: as sentences give it, from 1.
        tracking: identity of the finding; empty where it has none.
        name: the finding in a few words.
        segment: the label of its region; empty for none.
        series_uid, series: on which it was seen, by UID and by number; empty and None for a statement without a place.
        slice, slices: of the grid on which it lies, from 1, through its middle; 0 without one.
    """

    number: int
    tracking: str
    name: str
    segment: str = ""
    series_uid: str = ""
    series: int | None = None
    slice: int = 0
    slices: int = 0

    @property
    def where(self) -> str:
        """The place in words: series, slice, segment; empty where there is none."""
        said = [f"series {self.series}"] if self.series is not None else []
        if self.slice:
            said.append(f"slice {self.slice} of {self.slices}")
        if self.segment:
            said.append(f"segment {self.segment}")
        return ", ".join(said)


def evidence(study: Study, results: Sequence[Result]) -> tuple[Evidence, ...]:
    """Every finding that was not struck, numbered in the order of the results; those that are replaced, and numbers
    for research, are left out."""
    series = {s.uid: s.number for s in study.series}
    kept = [f for r in latest(results) for f in r.findings if f.verdict is not Verdict.STRUCK and not f.research]
    return tuple(_one(number, finding, series) for number, finding in enumerate(kept, 1))


def _one(number: int, finding: Finding, series: dict[str, int | None]) -> Evidence:
    name, where = words.one_line(words.name_of(finding)), finding.where
    if where is None:
        return Evidence(number, finding.tracking, name)
    at = 0
    if where.mask is None or where.voxels:
        start, stop = where.bounds
        at = (start[0] + stop[0] - 1) // 2 + 1
    slices = where.geometry.shape[0]
    if slices == 1:
        at = slices = 0  # a single image: its series says which
    uid = where.series_uid
    return Evidence(
        number, finding.tracking, name, words.one_line(where.label), uid, series.get(uid), at, slices if at else 0
    )
