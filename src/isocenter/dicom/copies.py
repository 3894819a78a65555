"""Frames that were sent, or written, more than once under UIDs of their own: each counts once.

A copy is known by its pixels, and by what its header tells. Each way of copying leaves another trace, so each has a
test of its own; all give the frames that are kept, and the SOP Instance UIDs of the copies that are not.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

from isocenter.dicom.placed import Placed
from isocenter.dicom.places import Cells

__all__ = ["Same", "crowded_once", "renumbered_once", "rewritten_once", "usual_many", "whole_series_once"]

Same = Callable[[Placed, Placed], bool]
"""Whether two frames hold the same values."""

_OF_A_COPY = frozenset({"number", "content"})  # may differ between copies of one image


def usual_many(cells: Cells) -> int:
    """How many frames most places have."""
    return Counter(len(cell) for cell in cells).most_common(1)[0][0]


def whole_series_once(cells: Cells, same_pixels: Same) -> tuple[Cells, list[str]]:
    """Each frame once, where a whole series was sent again under new UIDs.

    Copies share all but their number and when they were written, and hold the same pixels. Only where every frame has
    equally many of them are they such: that the frames before a bolus are alike, on a drawing, drops none.
    """
    kept: Cells = []
    dropped: list[str] = []
    many = 0
    for cell in cells:
        alike: dict[Any, list[Placed]] = {}
        for one in cell:
            alike.setdefault(_told_of_a_copy(one), []).append(one)
        once: list[Placed] = []
        for several in alike.values():
            while several:
                copies = [one for one in several[1:] if same_pixels(several[0], one)]
                many = many or len(copies)
                if not copies or len(copies) != many:
                    return cells, []
                once.append(several[0])
                dropped += [one.sop_uid for one in copies]
                several = [one for one in several[1:] if not any(one is copy for copy in copies)]
        kept.append(once)
    return kept, dropped


def rewritten_once(cells: Cells, same_pixels: Same) -> tuple[Cells, list[str]]:
    """Each frame once, where some were sent again with everything that the header tells, number and times too."""
    return _once(cells, same_pixels, _told, lambda one, cell: one.keys.get("number") is not None)


def renumbered_once(cells: Cells, same_pixels: Same) -> tuple[Cells, list[str]]:
    """Each frame once at places with more than others, where one of the same moment was sent under a new number."""
    usual = usual_many(cells)
    return _once(cells, same_pixels, _told_of_a_copy, lambda one, cell: len(cell) > usual)


def crowded_once(cells: Cells, same_pixels: Same) -> tuple[Cells, list[str]]:
    """Each frame once at places with more than others, whatever the headers of copies tell."""
    usual = usual_many(cells)
    return _once(cells, same_pixels, lambda one: None, lambda one, cell: len(cell) > usual)


def _once(
    cells: Cells, same_pixels: Same, told: Callable[[Placed], Any], may_be: Callable[[Placed, list[Placed]], bool]
) -> tuple[Cells, list[str]]:
    """Frames without those that may be copies, are told the same as one before them, and hold its pixels."""
    kept: Cells = []
    dropped: list[str] = []
    for cell in cells:
        alike: dict[Any, list[Placed]] = {}
        for one in cell:
            same = alike.setdefault(told(one), [])
            if may_be(one, cell) and any(same_pixels(one, other) for other in same):
                dropped.append(one.sop_uid)
            else:
                same.append(one)
        kept.append([one for same in alike.values() for one in same])
    return (kept, dropped) if dropped else (cells, [])


def _told(one: Placed) -> Any:
    return one.kind, tuple(sorted((k, repr(v)) for k, v in one.keys.items()))


def _told_of_a_copy(one: Placed) -> Any:
    return one.kind, tuple(sorted((k, repr(v)) for k, v in one.keys.items() if k not in _OF_A_COPY))
