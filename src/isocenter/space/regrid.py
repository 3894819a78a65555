"""Voxels moved, never interpolated, from one grid onto another that shares their centres.

An object that comes back from DICOM may hold its slices in another order, or only those that are not empty; the
values are the same and stand at the same places of the patient.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space.geometry import Geometry

__all__ = ["onto"]

_OFF_GRID = 0.02  # of a voxel: DICOM writes positions with 16 characters


def onto(array: npt.NDArray[Any], own: Geometry, wanted: Geometry) -> npt.NDArray[Any]:
    """The array on the wanted grid; zero where it says nothing.

    Args:
        array: (slices, rows, columns) on `own`.
        own: where it lies. A single frame does not say how far the next slice would be; the wanted grid does.
        wanted: a grid in the same frame of reference, with axes in any order and direction.

    Raises:
        Refused: when centres do not coincide, or values other than zero would fall outside.
    """
    own.must_share_frame(wanted)
    affine = own.affine.copy()
    if own.shape[0] == 1:
        normal = np.cross(affine[:3, 1], affine[:3, 2])
        axis = int(np.abs(wanted.directions.T @ (normal / np.linalg.norm(normal))).argmax())
        affine[:3, 0] = wanted.affine[:3, axis]
    step = np.linalg.inv(wanted.affine) @ affine
    turn = np.round(step[:3, :3]).astype(int)
    if not (
        np.array_equal(np.abs(turn).sum(axis=0), [1, 1, 1]) and np.array_equal(np.abs(turn).sum(axis=1), [1, 1, 1])
    ):
        raise _between()
    corners = np.array(
        [(a, b, c) for a in (0, own.shape[0] - 1) for b in (0, own.shape[1] - 1) for c in (0, own.shape[2] - 1)]
    )
    exact = corners @ step[:3, :3].T + step[:3, 3]
    if np.abs(exact - np.round(exact)).max() > _OFF_GRID:
        raise _between()
    order = [int(np.abs(turn[axis]).argmax()) for axis in range(3)]
    moved = np.transpose(array, order)
    for axis in range(3):
        if turn[axis, order[axis]] < 0:
            moved = np.flip(moved, axis)
    start = np.round(exact).astype(int).min(axis=0)
    inside, place = [], []
    for axis in range(3):
        a, b = max(0, -start[axis]), min(moved.shape[axis], wanted.shape[axis] - start[axis])
        inside.append(slice(a, max(a, b)))
        place.append(slice(start[axis] + a, start[axis] + max(a, b)))
    kept = moved[tuple(inside)]
    if np.count_nonzero(kept) != np.count_nonzero(moved):
        raise Refused("voxels that reach beyond the wanted grid", "they would be lost", "read without a grid")
    out = np.zeros(wanted.shape, dtype=array.dtype)
    out[tuple(place)] = kept
    return out


def _between() -> Refused:
    return Refused(
        "voxels on another grid than the one wanted",
        "their centres lie between those of the grid",
        "read without a grid and resample",
    )
