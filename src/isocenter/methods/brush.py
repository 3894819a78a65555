"""Voxels under a brush, in a box, and within a range of values: what a reader paints, adds and takes away.

A stroke is the set of voxels whose centres lie within a radius of the line that the brush followed, in millimetres of
the patient whatever the voxels' shape; on one slice only, or as a ball through several. A range of values narrows it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import LimitReached, Refused
from isocenter.space import Geometry

__all__ = ["Part", "applied", "box", "stroke", "within"]

Bools = npt.NDArray[np.bool_]
Points = npt.NDArray[np.float64]

_MOST = 2**27  # voxels of one stroke's box


@dataclass(frozen=True)
class Part:
    """A mask on the part of a grid from index `start` to `stop`."""

    mask: Bools
    start: tuple[int, int, int]
    stop: tuple[int, int, int]

    @property
    def cut(self) -> tuple[slice, slice, slice]:
        """The part as an index of the whole array."""
        a, b = self.start, self.stop
        return slice(a[0], b[0]), slice(a[1], b[1]), slice(a[2], b[2])


def stroke(grid: Geometry, points: Points, radius: float, normal: Points | None = None) -> Part:
    """Voxels under a brush that went along a line.

    Args:
        grid: whose voxels.
        points: (n, 3) the line, in the unit of the grid (mm; pixels where it is not calibrated).
        radius: of the brush, in the same unit.
        normal: of the slice on which was painted: only voxels of that slice; None paints a ball.

    Raises:
        Refused: no point, a radius that is not above zero, or a stroke that touches no voxel.
        LimitReached: a stroke over more than 134 million voxels.

    >>> grid = Geometry.regular(shape=(1, 9, 9))
    >>> stroke(grid, np.array([[4.0, 4, 0]]), 1.0).mask.astype(int).tolist()
    [[[0, 1, 0], [1, 1, 1], [0, 1, 0]]]
    """
    if not len(points) or not np.isfinite(points).all():
        raise Refused("a stroke without points", "it touches nothing", "draw where it shall go")
    if not 0 < radius < np.inf:
        raise Refused(f"a brush of radius {radius:g}", "it touches nothing", "take a radius above zero")
    line = _thinned(points, radius / 4)
    reach = np.abs(np.linalg.inv(grid.affine[:3, :3])) @ np.full(3, radius)
    index = grid.to_index(line)
    low = np.clip(np.floor(index.min(axis=0) - reach), 0, grid.shape).astype(int)
    high = np.clip(np.ceil(index.max(axis=0) + reach) + 1, 0, grid.shape).astype(int)
    if (high <= low).any():
        raise Refused("a stroke beside the image", "it touches no voxel", "paint on the image")
    if (size := int(np.prod(high - low))) > _MOST:
        raise LimitReached(f"a stroke over {size:,} voxels", f"{_MOST:,} are painted at once", "make it shorter")
    at = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
    place = grid.to_patient(at).astype(np.float32)
    under = np.zeros(place.shape[:3], dtype=bool)
    limit = np.float32((radius * (1 + 1e-6)) ** 2)
    for a, b in zip(line, line[1:] if len(line) > 1 else line, strict=False):
        under |= _squared(place, a.astype(np.float32), b.astype(np.float32)) <= limit
    if normal is not None:
        under &= _on_slice(grid, place, line[0], normal)
    tight = _tight(under, low)
    if tight is None:
        raise Refused("a brush between the voxels", "it touches the centre of none", "take a larger radius")
    return tight


def box(grid: Geometry, corners: Points) -> Part:
    """Voxels whose centres lie in a box on the grid's own axes.

    Raises:
        Refused: a box that holds no voxel.
    """
    ends = np.sort(grid.to_index(corners), axis=0)
    low = np.clip(np.ceil(ends[0] - 1e-6), 0, grid.shape).astype(int)
    high = np.clip(np.floor(ends[1] + 1e-6) + 1, 0, grid.shape).astype(int)
    if (high <= low).any():
        raise Refused("a box that holds no voxel", "there is nothing in it", "draw it larger")
    return Part(np.ones(tuple(high - low), dtype=bool), _three(low), _three(high))


def within(part: Part, values: npt.NDArray[np.number], low: float, high: float) -> Part:
    """Those voxels of a part whose value lies from `low` to `high`, both included.

    Raises:
        Refused: the range is none, or no voxel of the part lies in it.
    """
    if not low <= high:
        raise Refused(f"a range from {low:g} to {high:g}", "nothing lies in it", "give the lower value first")
    inside = values[part.cut]
    mask = part.mask & (inside >= low) & (inside <= high)
    if not mask.any():
        raise Refused(f"no voxel from {low:g} to {high:g} there", "nothing would change", "widen the range, or move")
    return Part(mask, part.start, part.stop)


def applied(mask: Bools, part: Part, *, add: bool) -> Bools:
    """A new mask with the part added, or taken away.

    Raises:
        Refused: nothing would change.
    """
    before = mask[part.cut]
    after = before | part.mask if add else before & ~part.mask
    if np.array_equal(before, after):
        raise Refused(
            "a stroke that changes nothing",
            "it is all inside already" if add else "there is nothing there",
            "draw where it changes something",
        )
    made = mask.copy()
    made[part.cut] = after
    return made


def _thinned(points: Points, step: float) -> Points:
    kept = [points[0]]
    for point in points[1:-1]:
        if np.linalg.norm(point - kept[-1]) >= step:
            kept.append(point)
    return np.array(kept + [points[-1]] * (len(points) > 1))


def _squared(place: npt.NDArray[np.float32], a: npt.NDArray[np.float32], b: npt.NDArray[np.float32]) -> Points:
    """Squared distance of each place from the straight piece between two points."""
    along, from_a = b - a, place - a
    length = float(along @ along)
    if not length:
        return np.asarray((from_a**2).sum(axis=-1))
    share = np.clip(from_a @ along / np.float32(length), 0, 1)
    return np.asarray(((from_a - share[..., None] * along) ** 2).sum(axis=-1))


def _on_slice(grid: Geometry, place: npt.NDArray[np.float32], on: Points, normal: Points) -> Bools:
    across = np.asarray(normal, dtype=np.float64)
    if not np.linalg.norm(across):
        raise Refused("a slice without a normal", "it has no direction", "give the normal of the slice")
    across = across / np.linalg.norm(across)
    half = float(np.abs(across @ grid.affine[:3, :3]).max()) / 2
    depth = (place - on.astype(np.float32)) @ across.astype(np.float32)
    return np.asarray((depth > -half + 1e-4 * half) & (depth <= half * (1 + 1e-4)))


def _tight(under: Bools, low: npt.NDArray[np.int64]) -> Part | None:
    where = np.argwhere(under)
    if not len(where):
        return None
    first, last = where.min(axis=0), where.max(axis=0) + 1
    cut = tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))
    return Part(under[cut], _three(low + first), _three(low + last))


def _three(values: npt.NDArray[np.int64]) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])
