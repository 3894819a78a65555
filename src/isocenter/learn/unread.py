"""Cases of a set that cannot be read when a model is judged: counted and named, and in none of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

__all__ = ["not_measured", "without"]


def not_measured(unread: int, cases: int, first: str, kind: str = "images") -> str:
    """The sentence that tells cases which no figure holds from those that were measured.

    >>> not_measured(1, 100, "a.png: it is empty")
    '1 of 100 images were not measured: they count as declined and are in no other figure, such as a.png: it is empty'
    """
    return (
        f"{unread} of {cases} {kind} were not measured: they count as declined and are in no other figure, such as "
        f"{first}"
    )


def without(
    figures: Mapping[str, Any], rows: Sequence[dict[str, Any]], unread: Sequence[tuple[str, str]]
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures and rows of the cases that were measured, and after them a row for each that cannot be read.

    Args:
        figures: with ``n``, ``declined`` and ``remarks``. unread: name, and why.
    """
    if not unread:
        return dict(figures), list(rows)
    said = not_measured(len(unread), figures["n"] + len(unread), ": ".join(unread[0]))
    told = {"declined": figures["declined"] + len(unread), "remarks": [said, *figures.get("remarks", ())]}
    lines = [{"name": name, "declined": True, "because": why} for name, why in unread]
    return {"cases": list(rows), **figures, **told}, [*rows, *lines]
