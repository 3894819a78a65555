"""The numbers of findings on a reader's pages: the same after a reload, in another window, and once they are answered.

A finding has the number of the place at which it first could be seen: an answer to it makes a newer result, and moves
no number. What a reader saw before the own opinion was locked comes before what the lock brought on screen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from isocenter.record import Result

__all__ = ["numbers"]


def numbers(
    every: Sequence[tuple[str, Result]], under: Mapping[str, str], seen_before: Callable[[Result], bool]
) -> dict[str, int]:
    """Tracking identity -> number, from 1.

    Args:
        every: (id, Result) of the study that the reader may see, in the order of the journal, also what was replaced
            or taken back: a number is not given twice.
        under: finding -> that under which it is answered; what is of one segment has one number.
        seen_before: whether the reader could see a result before their opinion was locked.
    """
    given: dict[str, int] = {}
    found: dict[str, int] = {}
    for _, result in sorted(every, key=lambda one: not seen_before(one[1])):
        for finding in result.findings:
            segment = under.get(finding.tracking, finding.tracking)
            found.setdefault(finding.tracking, given.setdefault(segment, len(given) + 1))
    return found
