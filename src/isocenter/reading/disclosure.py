"""Which of the machine's words a reader may see before they have said their own.

A site uses an analysis in one of several modes. In *unaided first* nothing of it may leave the server until the
reader's first opinion is locked; in *shadow* and *triage* its content never leaves. Every answer that could carry AI
content asks here, so that there is one place to look at.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from isocenter.record import Result

__all__ = ["Mode", "disclosed", "may_leave"]


class Mode(StrEnum):
    """How an analysis is used."""

    SHADOW = "shadow"  # runs beside, unseen
    TRIAGE = "triage"  # may raise a study on the list; its content is not shown
    UNAIDED_FIRST = "unaided-first"  # shown after the reader's own opinion
    SECOND = "second"  # shown as a second reader
    CONCURRENT = "concurrent"  # shown at once


def may_leave(mode: Mode, *, locked: bool) -> bool:
    """Whether content (findings, maps, contours, drafted sentences) may leave the server.

    >>> may_leave(Mode.UNAIDED_FIRST, locked=False), may_leave(Mode.UNAIDED_FIRST, locked=True)
    (False, True)
    """
    if mode is Mode.UNAIDED_FIRST:
        return locked
    return mode in (Mode.SECOND, Mode.CONCURRENT)


def disclosed(results: Sequence[tuple[str, Result]], mode: Mode, *, locked: bool) -> list[tuple[str, Result]]:
    """The results that may leave: a person's always, a machine's as its mode allows."""
    free = may_leave(mode, locked=locked)
    return [(i, r) for i, r in results if free or (r.origin.kind == "person" and "of" not in r.origin.parameters)]
