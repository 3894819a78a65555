"""What tells frames of one place apart (echo, b-value, direction, energy, time) becomes a leading axis."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np

from isocenter.dicom.frame_times import Pace, Repeated, order_in_time, time_axis
from isocenter.dicom.placed import Placed
from isocenter.dicom.places import Cells
from isocenter.space import Axis

__all__ = ["leading_axes"]

_UNITS = {
    "echo": "ms",
    "inversion": "ms",
    "flip": "deg",
    "energy": "kV",
    "b_value": "s/mm2",
    "direction": "1",
    "encoding": "1",
}


def leading_axes(cells: Cells, pace: Pace) -> tuple[tuple[Axis, ...], list[list[Placed]], dict[str, Any]]:
    """Leading axes, for each position along them the frames of all places, and what is to be noted.

    Args:
        cells: the frames of each place, equally many.
        pace: what the series states of its times.

    Raises:
        NotAVolume: nothing tells the frames of a place apart.
    """
    names = _telling(cells)
    combos = Counter(tuple(one.keys.get(name) for name in names) for one in cells[0])
    repeats = set(combos.values())
    values = [sorted({combo[n] for combo in combos}, key=_order) for n in range(len(names))]
    full = len(combos) == int(np.prod([len(v) for v in values])) and len(repeats) == 1
    sorted_cells: Repeated = []
    clock = order_in_time(cells, names, pace) if max(repeats) > 1 else ""
    for cell in cells:
        by: dict[tuple[Any, ...], list[Placed]] = {}
        for one in cell:
            by.setdefault(tuple(one.keys.get(name) for name in names), []).append(one)
        for many in by.values():
            many.sort(key=lambda p: p.keys.get(clock) or 0.0 if clock else 0.0)
        sorted_cells.append(by)
    if full:
        return _product(names, values, repeats.pop(), sorted_cells, clock, pace)
    listed = [(combo, n) for combo, many in combos.items() for n in range(many)]
    listed.sort(key=lambda c: float(np.mean([by[c[0]][c[1]].keys.get("number") or 0.0 for by in sorted_cells])))
    main = "b_value" if "b_value" in names else names[0]
    axis = Axis(main, tuple(combo[names.index(main)] for combo, _ in listed), _UNITS[main])
    beside = {f"along_{main}_{name}": [combo[n] for combo, _ in listed] for n, name in enumerate(names) if name != main}
    return (axis,), [[by[combo][n] for by in sorted_cells] for combo, n in listed], beside


def _order(value: Any) -> Any:
    return (0, ()) if value is None else (1, value if isinstance(value, tuple) else (value,))


def _telling(cells: Cells) -> list[str]:
    """Keys that differ within a place, and in the same way at every place."""
    names = []
    for name in _UNITS:
        patterns = [Counter(one.keys.get(name) for one in cell) for cell in cells]
        if len(patterns[0]) > 1 and all(p == patterns[0] for p in patterns[1:]):
            names.append(name)
    return names


def _product(
    names: list[str],
    values: list[list[Any]],
    repeats: int,
    cells: Repeated,
    clock: str,
    pace: Pace,
) -> tuple[tuple[Axis, ...], list[list[Placed]], dict[str, Any]]:
    axes = [Axis(name, tuple(v), _UNITS[name]) for name, v in zip(names, values, strict=True)]
    combos: list[tuple[Any, ...]] = [()]
    for v in values:
        combos = [(*combo, one) for combo in combos for one in v]
    notes: dict[str, Any] = {}
    if repeats > 1:
        time, notes = time_axis(cells, repeats, clock, pace)
        axes.insert(0, time)
    return tuple(axes), [[by[combo][n] for by in cells] for n in range(repeats) for combo in combos], notes
