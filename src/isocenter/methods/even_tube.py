"""Bright pieces that run straight and hold as much all along: a stent looks so, and calcium seldom does.

A stent of 0.1 mm of metal reads 200 to 700 HU in slices of 3 mm, as calcium does. It differs by its make: what lies
above blood is summed over the cross section at every 3 mm of its long axis, and is the same all along; calcium comes in
lumps. A tube of calcium that is even, too, cannot be told from it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["even_tubes"]

_BLOOD_HU = 45.0
_STEP_MM = 3.0  # no finer than the slices, or they show as unevenness
_INNER, _LEAST_STEPS = 2, 3  # steps left out at an end, whose last slice is partly filled; that remain
_EVEN, _STRAIGHT_MM = 0.10, 0.6  # standard deviation over mean along the axis; centres about their mean


def even_tubes(
    hu: npt.NDArray[np.floating], counted: npt.NDArray[np.bool_], spacing_mm: tuple[float, float, float]
) -> list[float]:
    """Length in millimetres of each piece that is as even and as straight as a stent; the shortest is of 12 mm."""
    import cc3d
    from scipy.ndimage import binary_dilation

    lengths: list[float] = []
    pieces = cc3d.connected_components(np.ascontiguousarray(counted), connectivity=26)
    for number, box in enumerate(cc3d.statistics(pieces)["bounding_boxes"][1:], start=1):
        least = (_LEAST_STEPS + _INNER - 1) * _STEP_MM
        if np.hypot.reduce([(b.stop - b.start) * mm for b, mm in zip(box, spacing_mm, strict=True)]) < least:
            continue
        wide = tuple(slice(max(0, b.start - 1), b.stop + 1) for b in box)
        piece = pieces[wide] == number
        around = binary_dilation(piece, np.ones((3, 3, 3)))
        above = np.clip(hu[wide][around] - _BLOOD_HU, 0, None).astype(np.float64)
        length = _length_of_even(np.asarray(np.argwhere(around) * spacing_mm, np.float64), above, piece[around])
        if length is not None:
            lengths.append(length)
    return lengths


def _length_of_even(
    places: npt.NDArray[np.float64], above: npt.NDArray[np.float64], inside: npt.NDArray[np.bool_]
) -> float | None:
    """Length along the main axis; None where what lies above blood varies along it, or the piece bends."""
    away = places - (places * above[:, None]).sum(0) / above.sum()
    _, axes = np.linalg.eigh((away * above[:, None]).T @ away)
    along = away @ axes[:, 2]
    start, length = float(along[inside].min()), float(np.ptp(np.percentile(along[inside], [1, 99])))
    last = int((length - _STEP_MM) // _STEP_MM)
    if last - _INNER + 1 < _LEAST_STEPS:
        return None
    at = np.clip((along - start) / _STEP_MM, 0, None)
    before = at.astype(int)
    share = at - before

    def summed(values: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
        many = int(before.max()) + 2
        whole = np.bincount(before, values * (1 - share), many) + np.bincount(before + 1, values * share, many)
        return np.asarray(whole[_INNER : last + 1], np.float64)

    held = summed(above)
    if not held.all() or held.std() > _EVEN * held.mean():
        return None
    centres = np.stack([summed(above * (away @ axes[:, j])) / held for j in (0, 1)])
    bend = float(np.sqrt(((centres - centres.mean(axis=1, keepdims=True)) ** 2).sum(axis=0).mean()))
    return length if bend <= _STRAIGHT_MM else None
