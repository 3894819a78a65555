"""Short-axis cine: one orientation for every scanner, where the heart beats, and the window that a network sees.

The stack is turned (permuted and flipped, never interpolated) so that slices run from base to apex, rows to the feet
and columns to the patient's left: the picture of the textbook, with the septum on the left. So a stack that was sent
transposed or reversed gives the same voxels, and the same answer.

The heart is found by its beat: of every pixel the amplitude of the first harmonic over the cycle is taken, which is
large where blood and muscle change places once a beat, and small in the chest wall, the liver and the noise (after
Lin et al., MICCAI 2006; Avendi et al., Med Image Anal 30 (2016) 108 name the same idea).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.space import Geometry, Volume

__all__ = [
    "APEX", "SHORT_AXIS", "Taps", "Turned", "along_heart", "beat", "centre_of_beat", "sampled", "sampling", "turned",
    "unsampling",
]  # fmt: skip

Array = npt.NDArray[np.float32]
APEX = np.array([0.60, -0.50, -0.62])
"""From base to apex in a usual chest: left, front, feet."""
SHORT_AXIS = 0.75
"""Least `along_heart` of slices that are taken for short axes, which is 41 degrees off."""


def along_heart(down: npt.ArrayLike, across: npt.ArrayLike) -> float:
    """Cosine, 0 to 1, between the normal of slices and the usual long axis of the heart.

    Args:
        down, across: directions of columns and rows in the patient (left, back, head), each of length 1.

    >>> round(along_heart([0, 1, 0], [1, 0, 0]), 2)
    0.62
    """
    return abs(float(np.cross(np.asarray(down, np.float64), np.asarray(across, np.float64)) @ APEX)) / float(
        np.linalg.norm(APEX)
    )


@dataclass(frozen=True, eq=False)
class Turned:
    """A cine in the textbook's orientation.

    Args:
        array: (phases, slices, rows, columns), slices from base to apex.
        geometry: of the turned grid.
        order, flips: what was done to the spatial axes, so that a mask can be brought back.
    """

    array: Array
    geometry: Geometry
    order: tuple[int, int, int]
    flips: tuple[bool, bool, bool]

    def back(self, mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
        """A mask on the turned grid, on the grid as it was given."""
        for axis, flip in enumerate(self.flips):
            if flip:
                mask = np.flip(mask, axis)
        return np.ascontiguousarray(mask.transpose(tuple(int(i) for i in np.argsort(self.order))))


def turned(cine: Volume, through: int = 0) -> Turned:
    """Turn a cine with one leading axis so that it looks like the textbook.

    Args:
        cine: (phases, then three spatial axes).
        through: the spatial axis along which slices follow each other.

    Raises:
        Refused: when there is not exactly one leading axis.
    """
    if len(cine.axes) != 1:
        raise Refused(
            f"axes {[a.name for a in cine.axes]}",
            "a cine has one leading axis, the phase of the beat",
            "choose the cine of the short axis",
        )
    directions = cine.geometry.directions
    rest = [a for a in range(3) if a != through]
    down = max(rest, key=lambda a: (abs(directions[2, a]), -a))
    across = next(a for a in rest if a != down)
    order = (through, down, across)
    geometry = cine.geometry.permuted(order)
    array = cine.array.transpose((0, *(1 + a for a in order)))
    d = geometry.directions
    flips = (bool(d[:, 0] @ APEX < 0), bool(d[2, 1] > 0), bool(d[0, 2] < 0))
    for axis, flip in enumerate(flips):
        if flip:
            array, geometry = np.flip(array, 1 + axis), geometry.flipped(axis)
    return Turned(np.ascontiguousarray(array, dtype=np.float32), geometry, order, flips)


def beat(array: Array) -> Array:
    """Amplitude of the first harmonic over the cycle: (phases, …) -> (…)."""
    n = len(array)
    angle = 2.0 * np.pi * np.arange(n) / n
    flat = array.reshape(n, -1)
    real = np.cos(angle).astype(np.float32) @ flat
    imaginary = np.sin(angle).astype(np.float32) @ flat
    return np.asarray(np.hypot(real, imaginary).reshape(array.shape[1:]) * np.float32(2.0 / n), np.float32)


def centre_of_beat(array: Array, spacing_mm: tuple[float, float]) -> tuple[float, float]:
    """Row and column about which the heart beats, over all slices.

    Args:
        array: (phases, slices, rows, columns).
        spacing_mm: between rows and between columns.

    Raises:
        Refused: when nothing changes over the cycle.
    """
    from scipy.ndimage import gaussian_filter

    slices = array.shape[1]
    middle = array[:, slices // 4 : max(slices // 4 + 1, slices - slices // 4)]
    moving = beat(middle)
    peak = np.quantile(moving, 0.99, axis=(1, 2))
    if not np.isfinite(moving).all() or float(peak.max()) < 1e-3 * float(np.abs(middle).max()):
        raise Refused("nothing moves over the cycle", "a cine shows a beating heart", "send the cine series")
    # Every slice counts the same, however near it lies to the coil, and no bright spot counts for more than its place.
    even = np.minimum(moving / np.maximum(peak, 0.01 * peak.max())[:, None, None], 1.0)
    sigma = [0.0, 9.0 / spacing_mm[0], 9.0 / spacing_mm[1]]
    together = np.sqrt(gaussian_filter(even, sigma)).mean(axis=0)
    y, x = np.ogrid[: array.shape[2], : array.shape[3]]
    off = np.hypot((y - (array.shape[2] - 1) / 2) * spacing_mm[0], (x - (array.shape[3] - 1) / 2) * spacing_mm[1])
    together = together * np.exp(-0.5 * (off / 70.0) ** 2)  # who plans a short axis puts the heart near the middle
    hot = np.clip(together - 0.6 * float(together.max()), 0, None)
    row, column = (float(v) for v in np.unravel_index(int(hot.argmax()), hot.shape))
    for _ in range(5):
        near = hot * (np.hypot((y - row) * spacing_mm[0], (x - column) * spacing_mm[1]) < 60.0)
        row, column = float((near * y).sum() / near.sum()), float((near * x).sum() / near.sum())
    return row, column


@dataclass(frozen=True, eq=False)
class Taps:
    """Linear interpolation along one axis: for each sample the indices that it is made of and their weights."""

    index: npt.NDArray[np.intp]  # (samples, taps)
    weight: Array  # (samples, taps)


def sampling(length: int, spacing_mm: float, centre: float, size: int, step_mm: float) -> Taps:
    """Interpolation of `size` samples, `step_mm` apart, about a fractional index of an axis; its ends are repeated.

    >>> sampled(np.arange(5, dtype=np.float32)[None], sampling(1, 1, 0, 1, 1), sampling(5, 1.0, 2.5, 3, 1.0))
    array([[1.5, 2.5, 3.5]], dtype=float32)
    """
    at = np.clip(centre + (np.arange(size) - (size - 1) / 2) * step_mm / spacing_mm, 0, length - 1)
    # Where the samples lie much coarser than the pixels, each is a mean over its neighbourhood: no aliasing.
    return _taps(at, length, step_mm / spacing_mm if step_mm >= 1.5 * spacing_mm else 1.0)


def unsampling(length: int, spacing_mm: float, centre: float, size: int, step_mm: float) -> Taps:
    """The way back: reads `size` samples at each index of the axis that they were taken from; 0 outside of them."""
    at = (np.arange(length) - centre) * spacing_mm / step_mm + (size - 1) / 2
    taps = _taps(np.clip(at, 0, size - 1), size, 1.0)
    inside = (at > -0.5) & (at < size - 0.5)
    return Taps(taps.index, np.asarray(taps.weight * inside[:, None], np.float32))


def _taps(at: npt.NDArray[np.float64], length: int, wide: float) -> Taps:
    first = np.floor(at - wide).astype(np.intp)[:, None] + np.arange(int(2 * np.ceil(wide)) + 1)[None, :]
    weight = np.clip(1.0 - np.abs(first - at[:, None]) / wide, 0.0, None)
    weight *= (first >= 0) & (first < length)
    weight /= weight.sum(axis=1, keepdims=True)
    used = weight.max(axis=0) > 0
    return Taps(np.clip(first[:, used], 0, length - 1), np.asarray(weight[:, used], np.float32))


def sampled(array: Array, rows: Taps, columns: Taps) -> Array:
    """Every picture (…, rows, columns) at the places of two `sampling`s."""
    flat = np.ascontiguousarray(array, np.float32).reshape(-1, *array.shape[-2:])
    made = _sampled(flat, rows.index, rows.weight, columns.index, columns.weight)
    return np.asarray(made.reshape(*array.shape[:-2], len(rows.index), len(columns.index)))


@njit(cache=True, nogil=True, error_model="numpy")
def _sampled(
    pictures: Array,
    rows: npt.NDArray[np.intp],
    row_weights: Array,
    columns: npt.NDArray[np.intp],
    column_weights: Array,
) -> Array:
    many, _, wide = pictures.shape
    out = np.zeros((many, len(rows), len(columns)), np.float32)
    line = np.empty(wide, np.float32)
    for n in range(many):
        for i in range(len(rows)):
            line[:] = 0.0
            for k in range(rows.shape[1]):
                weight, row = row_weights[i, k], pictures[n, rows[i, k]]
                for j in range(wide):
                    line[j] += weight * row[j]
            for j in range(len(columns)):
                total = np.float32(0.0)
                for k in range(columns.shape[1]):
                    total += column_weights[j, k] * line[columns[j, k]]
                out[n, i, j] = total
    return out
