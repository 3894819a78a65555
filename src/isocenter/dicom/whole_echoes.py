"""Which echoes of a scan have an image of every slice, where some images were lost on the way.

An echo that one slice lacks is left out of all slices: the others are a scan with one echo fewer.
"""

from __future__ import annotations

from collections import Counter

from isocenter.dicom.placed import Placed
from isocenter.dicom.places import Cells

__all__ = ["whole_echoes"]

_LEAST = 3  # echoes that must be left: fewer are another kind of scan
_MOST_LACKING = 0.2  # of the echoes; one may always be left out


def whole_echoes(cells: Cells) -> tuple[Cells, dict[float, int]] | None:
    """Frames of the echoes that all slices have, and how many slices lack each of the others; None where it is no such.

    Args:
        cells: the frames of each slice.
    """
    if not all(_are_echoes(cell) for cell in cells):
        return None
    many = Counter(one.keys["echo"] for cell in cells for one in cell)
    lacking = {echo: len(cells) - n for echo, n in sorted(many.items()) if n < len(cells)}
    left = len(many) - len(lacking)
    if not lacking or left < _LEAST or len(lacking) > max(1, _MOST_LACKING * len(many)):
        return None
    return [[one for one in cell if one.keys["echo"] not in lacking] for cell in cells], lacking


def _are_echoes(cell: list[Placed]) -> bool:
    """Whether the frames of a slice are of different echo times and of one kind."""
    echoes = [one.keys.get("echo") for one in cell]
    return None not in echoes and len(set(echoes)) == len(echoes) and len({one.kind for one in cell}) == 1
