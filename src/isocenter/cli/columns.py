"""A table as lines of text: columns as wide as their cells, narrowed where a line ends before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import zip_longest

__all__ = ["in_columns"]

_BETWEEN = "  "
_LEAST = 12
"""Cells of the terminal below which no column of words is narrowed while another can be."""


def in_columns(rows: Sequence[Sequence[str]], room: int, *, whole: bool = False) -> Iterator[str]:
    """The lines of a table, none of which ends in a blank.

    What does not fit in `room` cells is broken: columns of words first, the widest of them, at their blanks, and
    columns without a blank (identifiers, numbers) last, or never where each shall stay `whole`.

    >>> list(in_columns([("study", "words"), ("1.2.3.4", "no word of it")], 16, whole=True))
    ['study    words', '1.2.3.4  no word', '         of it']
    """
    from rich.cells import cell_len

    cells = [[cell.expandtabs().split("\n") for cell in row] for row in rows]
    columns = list(zip(*cells, strict=True))
    wide = [max(cell_len(line) for cell in column for line in cell) for column in columns]
    # The first row names the columns: its blanks make no words of identifiers.
    wordy = [any(" " in line for cell in column[1:] for line in cell) for column in columns]
    room -= len(_BETWEEN) * (len(wide) - 1)
    shall = _narrowed(wide, [n for n, words in enumerate(wordy) if words], room, _LEAST)
    if not whole:
        shall = _narrowed(shall, list(range(len(shall))), room, 1)
    for row in cells:
        broken = [_broken(cell, width) for cell, width in zip(row, shall, strict=True)]
        for line in zip_longest(*broken, fillvalue=""):
            padded = (one + " " * (width - cell_len(one)) for one, width in zip(line, shall, strict=True))
            yield _BETWEEN.join(padded).rstrip()


def _narrowed(wide: list[int], which: list[int], room: int, least: int) -> list[int]:
    """The widths after the widest of some columns were made alike, so that all fit; none falls below the `least`."""
    over = sum(wide) - room
    if over <= 0 or not which:
        return wide
    most = next(
        (most for most in range(max(wide[n] for n in which), least, -1)
         if sum(max(wide[n] - most, 0) for n in which) >= over), least,
    )  # fmt: skip
    return [min(width, most) if n in which else width for n, width in enumerate(wide)]


def _broken(lines: Sequence[str], width: int) -> Sequence[str]:
    from rich.cells import cell_len

    if all(cell_len(line) <= width for line in lines):
        return lines
    from rich.console import Console
    from rich.text import Text

    return [part.plain.rstrip() for part in Text("\n".join(lines)).wrap(Console(), width, overflow="fold")]
