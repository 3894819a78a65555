"""Wall shear stress: viscosity times the slope of the velocity along the wall, at the wall.

At each point of the wall a full quadratic in three dimensions is fitted to the voxels beneath it (least squares,
weighted to those under the point). A parabolic profile is such a polynomial, so in a laminar pipe the slope is exact
wherever the wall is drawn; the wall itself is put where the fitted velocity comes to zero, within a voxel of the mask.
The fit is linear in the velocities, so it is made once and serves every frame.

Sources: Stalder 2008, Potters 2015 (wall shear stress from flow images); Ku 1985 (oscillatory shear index).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.flow_field import BLOOD_PA_S

__all__ = ["Wall", "oscillatory_index", "tangent", "voxels_across", "wall_shear"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LEAST_ACROSS = 5.0
_REACH, _BESIDE = 3.5, 2.5  # voxels under and beside a point that are looked at
_LEAST_DEPTH = 0.3
_AT_ONCE = 500
_LEAST_VOXELS = 18


@dataclass(frozen=True, eq=False)
class Wall:
    """Shear stress on the wall of a vessel.

    Args:
        points_mm: (n, 3) places along the axes of the array, from its first voxel.
        inward: (n, 3) unit normals into the vessel.
        shear_pa: (frames, n, 3) stress along the wall, Pa.
    """

    points_mm: npt.NDArray[np.float64]
    inward: npt.NDArray[np.float64]
    shear_pa: Floats

    @property
    def mean_pa(self) -> npt.NDArray[np.float64]:
        """(n,) size of the stress, averaged over the beat."""
        size: npt.NDArray[np.float64] = np.linalg.norm(self.shear_pa, axis=2).mean(axis=0)
        return size


def tangent(vector: npt.ArrayLike, normal: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """The part of vectors that lies along a wall with this unit normal.

    >>> tangent([1.0, 1.0, 0.0], [0.0, 1.0, 0.0])
    array([1., 0., 0.])
    """
    v, n = np.asarray(vector, np.float64), np.asarray(normal, np.float64)
    along: npt.NDArray[np.float64] = v - np.sum(v * n, axis=-1, keepdims=True) * n
    return along


def oscillatory_index(shear_pa: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
    """0 where stress keeps its direction over the beat, 0.5 where it goes as much forth as back; (frames, n, 3) in.

    >>> oscillatory_index(np.array([[[1.0, 0, 0]], [[-1.0, 0, 0]]])).tolist()
    [0.5]
    """
    whole = np.linalg.norm(np.asarray(shear_pa, np.float64).sum(axis=0), axis=1)
    parts = np.linalg.norm(np.asarray(shear_pa, np.float64), axis=2).sum(axis=0)
    index: npt.NDArray[np.float64] = 0.5 * (1.0 - whole / np.maximum(parts, 1e-12))
    return index


def voxels_across(inside: Mask) -> float:
    """Usual width of the lumen in voxels: twice the depth of its middle, in its narrowest dimension of the array."""
    from scipy.ndimage import distance_transform_edt, maximum_filter

    padded = np.pad(inside, 1)
    depth = distance_transform_edt(padded)
    ridge = padded & (depth >= maximum_filter(depth, size=3) - 1e-6) & (depth > 0.5 * depth.max())
    return float(2.0 * np.median(depth[ridge])) if ridge.any() else 0.0


def wall_shear(
    velocity: Floats,
    inside: Mask,
    spacing_mm: tuple[float, float, float],
    *,
    viscosity_pa_s: float = BLOOD_PA_S,
    ends: Mask | None = None,
) -> Wall:
    """Wall shear stress over the beat.

    Args:
        velocity: (3, frames, slices, rows, columns) m/s along the axes of the array.
        inside: (slices, rows, columns) lumen.
        spacing_mm: along the axes.
        ends: where the mask ends and no wall is, such as the edge of the field of view.

    Raises:
        Refused: when fewer than five voxels lie across the lumen, or the mask has no wall to look at.
    """
    across = voxels_across(inside)
    if across < _LEAST_ACROSS:
        raise Refused(
            f"{across:.1f} voxels across the lumen",
            f"with fewer than {_LEAST_ACROSS:.0f} the slope at the wall cannot be told",
            "scan with smaller voxels, or leave wall shear stress out",
        )
    points, inward = _surface(inside)
    if ends is not None:
        from scipy.ndimage import map_coordinates

        points_kept = map_coordinates(ends.astype(np.float32), points.T, order=0, mode="nearest") < 0.5
        points, inward = points[points_kept], inward[points_kept]
    low, high = 1.0, np.array(inside.shape) - 2.0
    within = np.all((points >= low) & (points <= high), axis=1)
    points, inward = points[within], inward[within]
    if len(points) == 0:
        raise Refused(
            "a vessel without a wall in the field of view",
            "there is no shear to measure",
            "choose a field of view with the whole vessel",
        )
    steps = np.array(spacing_mm, np.float64)
    normal = inward / steps  # normals of an index grid scale with the inverse of its steps
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    speed = np.sqrt(np.sum(velocity**2, axis=0))
    per_frame = speed[:, inside].mean(axis=1)
    reference = velocity[:, int(np.argmax(per_frame))]
    reading, held = _readings(reference, inside, points, normal, steps)
    frames = velocity.shape[1]
    slope = reading @ velocity[:, :, inside].reshape(3 * frames, -1).T.astype(np.float32)
    shear = 1000.0 * viscosity_pa_s * np.asarray(slope, np.float32).reshape(-1, 3, frames).transpose(2, 0, 1)
    shear -= np.sum(shear * normal[held], axis=2, keepdims=True) * normal[held]
    return Wall(points[held] * steps, normal[held], shear.astype(np.float32))


def _surface(inside: Mask) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Points on the wall (array index) and normals into the lumen (index units)."""
    from scipy.ndimage import gaussian_filter, map_coordinates
    from skimage.measure import marching_cubes

    soft = gaussian_filter(np.pad(inside, 2).astype(np.float32), 0.8)
    if not float(soft.max()) > 0.5:
        raise Refused(
            "a lumen too thin to have a wall",
            "there is no shear to measure",
            "outline a wider vessel, or acquire smaller voxels",
        )
    points, *_ = marching_cubes(soft, 0.5, step_size=1)
    smooth = gaussian_filter(np.pad(inside, 2).astype(np.float32), 1.5)
    slope = np.stack([map_coordinates(part, points.T, order=1) for part in np.gradient(smooth)], axis=1)
    slope /= np.maximum(np.linalg.norm(slope, axis=1, keepdims=True), 1e-9)
    return points.astype(np.float64) - 2.0, slope.astype(np.float64)


def _readings(
    reference: Floats, inside: Mask, points: Any, normals: Any, steps: npt.NDArray[np.float64]
) -> tuple[Any, Mask]:
    """A sparse matrix that reads the slope at the wall (per mm) from the velocities of the lumen, and which points had
    enough voxels beneath them."""
    from scipy.sparse import csr_array

    number = np.full(inside.shape, -1, np.int64)
    number[inside] = np.arange(int(inside.sum()))
    unit = float(steps.max())
    reach = np.ceil(np.hypot(_REACH, _BESIDE) * unit / steps).astype(int)
    box = np.stack(np.meshgrid(*(np.arange(-r, r + 1) for r in reach), indexing="ij"), axis=-1).reshape(-1, 3)
    box = box[np.linalg.norm(box * steps / unit, axis=1) <= np.hypot(_REACH, _BESIDE) + 0.9]
    held = np.zeros(len(points), np.bool_)
    values, columns, ends = [], [], [0]
    for first in range(0, len(points), _AT_ONCE):
        own = slice(first, first + _AT_ONCE)
        at, normal = points[own], normals[own]
        index = np.rint(at).astype(int)[:, None] + box
        offset = (index - at[:, None]) * steps / unit
        there = np.all((index >= 0) & (index < inside.shape), axis=2)
        index = np.where(there[..., None], index, 0)
        voxel = np.where(there, number[index[..., 0], index[..., 1], index[..., 2]], -1)
        side = np.eye(3)[np.argmin(np.abs(normal), axis=1)]
        side = tangent(side, normal)
        side /= np.linalg.norm(side, axis=1, keepdims=True)
        d, a, b = (np.einsum("nmk,nk->nm", offset, v) for v in (normal, side, np.cross(normal, side)))
        beside = a * a + b * b
        used = (voxel >= 0) & (d >= _LEAST_DEPTH) & (d <= _REACH) & (beside <= _BESIDE**2)
        many = used.sum(axis=1)
        enough = many >= _LEAST_VOXELS
        held[own] = enough
        if not enough.any():
            continue
        # Most of the box lies outside of the lumen: what is used is moved to the front and the rest left away.
        front = np.argsort(~used[enough], axis=1, kind="stable")[:, : int(many.max())]
        d, a, b, voxel, used = (np.take_along_axis(v[enough], front, axis=1) for v in (d, a, b, voxel, used))
        weight = np.where(used, np.exp(-0.5 * ((a * a + b * b) / 2.25 + d * d / 6.25)), 0.0)
        terms = np.stack([np.ones_like(d), d, a, b, d * d, a * a, b * b, d * a, d * b, a * b], axis=2)
        weighted = terms * weight[..., None]
        square = terms.transpose(0, 2, 1) @ weighted
        square += 1e-9 * np.trace(square, axis1=1, axis2=2)[:, None, None] * np.eye(10)
        wanted = np.linalg.solve(square, np.broadcast_to(np.eye(10)[:, [0, 1, 4]], (len(square), 10, 3)).copy())
        solve = weighted @ wanted  # (points, voxels, 3): height, slope and half the bend of the fit at the mask's wall
        speed = reference[:, inside][:, np.maximum(voxel, 0)]  # (3, points, voxels)
        mean = tangent(np.einsum("nm,knm->nk", weight, speed), normal[enough])
        mean /= np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-12)
        profile = np.einsum("nmc,knm,nk->nc", solve, speed, mean)
        wall = _where_zero(*profile.T)
        row = (solve[..., 1] + 2.0 * wall[:, None] * solve[..., 2]) / unit
        kept = weight > 0
        values.append(row[kept])
        columns.append(voxel[kept])
        ends.extend((ends[-1] + np.cumsum(kept.sum(axis=1))).tolist())
    if not held.any():
        raise Refused("a lumen with too few voxels beneath its wall", "there is no slope to be told", "leave it out")
    matrix = csr_array(
        (np.concatenate(values).astype(np.float32), np.concatenate(columns), np.array(ends)),
        shape=(int(held.sum()), int(inside.sum())),
    )
    return matrix, held


def _where_zero(height: Any, slope: Any, bend: Any) -> npt.NDArray[np.float64]:
    """Depth at which a profile height + slope d + bend d^2 rises from zero; 0 where that is not within a voxel."""
    with np.errstate(divide="ignore", invalid="ignore"):
        inner = np.sqrt(slope**2 - 4.0 * bend * height)
        # The root at which the profile rises, in the form that also holds for a straight one.
        found = -2.0 * height / (slope + inner)
    near: npt.NDArray[np.float64] = np.where(np.isfinite(found) & (np.abs(found) <= 1.0), found, 0.0)
    return near
