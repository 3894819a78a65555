"""Frames of one CT scan that was reconstructed more than once: with another kernel, or in slices of another thickness.

Scanners and archives lay several into one series. They show the same moments, and are stacks of their own.
"""

from __future__ import annotations

from isocenter.dicom.placed import Placed
from isocenter.dicom.places import normal, places

__all__ = ["at_one_place", "over_each_other"]

_MOSTLY = 0.5  # of the shortest part, that lies where the others lie


def _by_recipe(group: list[Placed]) -> list[list[Placed]]:
    parts: dict[tuple[str, float], list[Placed]] = {}
    for one in group:
        parts.setdefault((one.kernel, round(one.thickness, 1)), []).append(one)
    return list(parts.values())


def at_one_place(group: list[Placed]) -> list[list[Placed]]:
    """The frames of each reconstruction, where each place that two share has the same moments of both; else the group.

    A scan whose thickness changes on the way, or from slice to slice, is one.
    """
    parts = _by_recipe(group)
    if len(parts) < 2:
        return [group]
    number = {id(one): n for n, part in enumerate(parts) for one in part}
    shared = False
    for cell in places(group):
        moments: dict[int, set[object]] = {}
        for one in cell:
            moments.setdefault(number[id(one)], set()).add(one.keys.get("moment"))
        here = list(moments.values())
        if any(not a & b for n, a in enumerate(here) for b in here[:n]):
            return [group]
        shared = shared or len(here) > 1
    return parts if shared else [group]


def over_each_other(group: list[Placed]) -> list[list[Placed]]:
    """The frames of each reconstruction, where all show one part of the body in slices of their own; else the group."""
    parts = _by_recipe(group)
    if len(parts) < 2:
        return [group]
    across = normal(group[0])
    depths = [[float(one.position @ across) for one in part] for part in parts]
    common = min(max(d) for d in depths) - max(min(d) for d in depths)
    least = min(max(d) - min(d) for d in depths)
    return parts if common > _MOSTLY * least > 0.0 else [group]
