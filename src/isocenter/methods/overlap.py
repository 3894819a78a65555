"""How well two segmentations agree: overlap of their voxels, and distance between their surfaces.

Surface distances follow Nikolov et al. (2018, "Deep learning to achieve clinically applicable segmentation of head and
neck anatomy"): the surface is made of elements between voxel centres (marching cubes on the dual grid), each weighted
by its area (length in two dimensions), so that distances do not depend on how finely a surface happens to be voxelled.
Programs that count border voxels instead give other numbers for the same masks; the definition belongs to the number.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.shares import in_parts

__all__ = ["Surfaces", "dice", "jaccard", "surfaces"]

Mask = npt.NDArray[np.bool_]


def dice(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Dice coefficient 2·|A∩B| / (|A|+|B|); NaN when both are empty, which is no agreement about anything.

    >>> dice([True, True, False], [True, False, False])
    0.6666666666666666
    """
    a, b = _pair(one, other)
    total = int(np.count_nonzero(a)) + int(np.count_nonzero(b))
    return 2.0 * int(np.count_nonzero(a & b)) / total if total else float("nan")


def jaccard(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Intersection over union; NaN when both are empty.

    >>> jaccard([True, True, False], [True, False, False])
    0.5
    """
    a, b = _pair(one, other)
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else float("nan")


@dataclass(frozen=True, eq=False)
class Surfaces:
    """Distances from each surface to the other, in millimetres, sorted, with the area (mm², or mm) of their elements.

    `there` goes from the first mask's surface to the second's, `back` the other way. An empty mask has no surface:
    distances to it are infinite, and distances from it do not exist.
    """

    there: npt.NDArray[np.float64]
    there_area: npt.NDArray[np.float64]
    back: npt.NDArray[np.float64]
    back_area: npt.NDArray[np.float64]

    @property
    def average(self) -> tuple[float, float]:
        """Mean distance from each surface to the other; NaN from a surface that does not exist."""
        return _mean(self.there, self.there_area), _mean(self.back, self.back_area)

    @property
    def assd(self) -> float:
        """Average symmetric surface distance: over both surfaces together, by their area."""
        area = float(self.there_area.sum() + self.back_area.sum())
        if not area:
            return float("nan")
        return float((self.there @ self.there_area + self.back @ self.back_area) / area)

    def hausdorff(self, percent: float = 95.0) -> float:
        """The larger of the two directed distances below which this part of the surface area lies.

        ``hausdorff(95)`` is the HD95 of Nikolov et al.; other programs take a percentile over the union of both
        directions, which is smaller or equal. Infinite where a surface is missing.

        Raises:
            Refused: when the percentage is not above 0 and at most 100.
        """
        if not 0 < percent <= 100:
            raise Refused(
                f"the {percent:g}th percentile", "it lies above 0 and at most at 100", "give such a number, as 95"
            )
        if not len(self.there) or not len(self.back):
            return float("inf")
        return max(_percentile(self.there, self.there_area, percent), _percentile(self.back, self.back_area, percent))

    def overlap_at(self, tolerance_mm: float) -> tuple[float, float]:
        """Part of each surface that lies within a tolerance of the other; NaN of a surface that does not exist."""
        return _within(self.there, self.there_area, tolerance_mm), _within(self.back, self.back_area, tolerance_mm)

    def dice_at(self, tolerance_mm: float) -> float:
        """Normalised surface Dice (NSD) at a tolerance: part of both surfaces within it of each other.

        NaN when both masks are empty.
        """
        area = float(self.there_area.sum() + self.back_area.sum())
        if not area:
            return float("nan")
        close = [float(a[d <= tolerance_mm].sum()) for d, a in
                 ((self.there, self.there_area), (self.back, self.back_area))]  # fmt: skip
        return sum(close) / area


def surfaces(one: npt.ArrayLike, other: npt.ArrayLike, spacing_mm: Sequence[float]) -> Surfaces:
    """Measure the distances between the surfaces of two masks.

    Args:
        one, other: boolean masks of the same shape, two or three dimensions.
        spacing_mm: distance of neighbouring voxels along each axis.

    Raises:
        Refused: for shapes that differ, other than two or three dimensions, or spacing that is missing or not positive.

    >>> mask = np.zeros((8, 8), bool)
    >>> mask[2:5, 2:5] = True
    >>> measured = surfaces(mask, np.roll(mask, 1, axis=1), (2.0, 1.0))
    >>> measured.hausdorff(100)
    1.0
    """
    a, b = _pair(one, other)
    spacing = np.asarray(spacing_mm, np.float64)
    if a.ndim not in (2, 3):
        raise Refused(
            f"masks of {a.ndim} dimensions",
            "surfaces are measured in two or three",
            "give masks of slices, or of one slice",
        )
    if spacing.shape != (a.ndim,) or not (np.isfinite(spacing).all() and (spacing > 0).all()):
        raise Refused(
            f"spacing {list(spacing)} for {a.ndim} dimensions",
            "each axis needs a positive number of mm",
            "give one number for each axis",
        )
    whole = tuple(map(float, spacing)) if a.ndim == 3 else (1.0, *map(float, spacing))
    areas = _areas(tuple(map(float, spacing)))
    codes = [_codes(np.ascontiguousarray(m).view(np.uint8)) for m in _cropped(a, b)]
    places = [_places(c) for c in codes]
    there, back = (_distances(codes[1 - i], places[i], *whole) for i in (0, 1))
    sizes = [areas[c[tuple(at.T)]] for c, at in zip(codes, places, strict=True)]
    order_a, order_b = np.argsort(there), np.argsort(back)
    return Surfaces(there[order_a], sizes[0][order_a], back[order_b], sizes[1][order_b])


def _pair(one: npt.ArrayLike, other: npt.ArrayLike) -> tuple[Mask, Mask]:
    a, b = np.asarray(one), np.asarray(other)
    if a.shape != b.shape:
        raise Refused(f"masks of shape {a.shape} and {b.shape}", "they must lie on one grid", "resample one of them")
    if a.dtype != np.bool_ or b.dtype != np.bool_:
        raise Refused(f"masks of {a.dtype} and {b.dtype}", "a mask is boolean", "choose the label first: labels == 1")
    return a, b


def _cropped(a: Mask, b: Mask) -> tuple[Mask, Mask]:
    """The box that holds both, so that a small organ in a large scan costs little; one voxel of margin all around.

    Masks of two dimensions become one layer between two equal ones, so that one walk serves both.
    """
    either = a | b
    box = []
    for axis in reversed(range(a.ndim)):  # the last axis first: its reduction is the cheapest and shrinks the rest
        filled = np.flatnonzero(either.any(axis=tuple(i for i in range(a.ndim) if i != axis)))
        cut = slice(filled[0], filled[-1] + 1) if len(filled) else slice(0, 0)
        either = either[tuple(cut if i == axis else slice(None) for i in range(a.ndim))]
        box.append(cut)
    inner = [np.pad(m[tuple(reversed(box))], 1) for m in (a, b)]
    if a.ndim == 2:
        return inner[0][None], inner[1][None]
    return inner[0], inner[1]


_WORTH = 1 << 17  # voxels that are worth a thread


def _layers(kernel: Any, codes: Any, *given: Any) -> None:
    """A kernel over the layers of a picture, by as many threads as they are worth."""
    in_parts(kernel, len(codes), codes, *given, least=max(1, _WORTH // max(1, codes[0].size if len(codes) else 1)))


def _codes(mask: Any) -> Any:
    """Which corners of each cell of 2 x 2 x 2 voxels (2 x 2 in one layer) are filled; 0 where there is no surface."""
    layers, rows, columns = mask.shape
    codes = np.zeros((layers if layers == 1 else layers - 1, rows - 1, columns - 1), np.uint8)
    _layers(_coded, codes, mask)
    return codes


@njit(cache=True, nogil=True)
def _coded(first: int, last: int, codes: Any, mask: Any) -> None:
    layers, rows, columns = mask.shape
    flat = layers == 1
    for z in range(first, last):
        for y in range(rows - 1):
            for x in range(columns - 1):
                code = mask[z, y, x] | mask[z, y, x + 1] << 1 | mask[z, y + 1, x] << 2 | mask[z, y + 1, x + 1] << 3
                if not flat:
                    code |= mask[z + 1, y, x] << 4 | mask[z + 1, y, x + 1] << 5
                    code |= mask[z + 1, y + 1, x] << 6 | mask[z + 1, y + 1, x + 1] << 7
                full = 15 if flat else 255
                codes[z, y, x] = 0 if code == full else code


def _places(codes: Any) -> Any:
    """(n, 3) index of every cell with a surface, in order."""
    counts = np.zeros(len(codes), np.int64)
    _layers(_counted, codes, counts)
    starts = np.cumsum(counts) - counts
    found = np.empty((int(counts.sum()), 3), np.int32)
    _layers(_listed, codes, starts, found)
    return found


@njit(cache=True, nogil=True)
def _counted(first: int, last: int, codes: Any, counts: Any) -> None:
    for z in range(first, last):
        for y in range(codes.shape[1]):
            for x in range(codes.shape[2]):
                counts[z] += codes[z, y, x] != 0


@njit(cache=True, nogil=True)
def _listed(first: int, last: int, codes: Any, starts: Any, found: Any) -> None:
    for z in range(first, last):
        at = starts[z]
        for y in range(codes.shape[1]):
            for x in range(codes.shape[2]):
                if codes[z, y, x]:
                    found[at, 0], found[at, 1], found[at, 2] = z, y, x
                    at += 1


_FEW = 1 << 12  # places that are worth a thread
_ROWS_LOOKED_AT = 200  # rows around a place that are looked at one by one, before whole layers are


def _distances(codes: Any, places: Any, sz: float, sy: float, sx: float) -> npt.NDArray[np.float64]:
    """Exact distance (mm) from each place to the nearest cell with a surface.

    Most places of two outlines of one thing have the other surface close by: the nearest of each row is known, and rows
    are looked at from the nearest on, until none can be nearer. What is not found within a few hundred rows is found
    by the transform of whole layers.
    """
    in_row = np.empty(codes.shape, np.int16)
    _layers(_in_rows, codes, in_row)
    steps, beyond = _around(sz, sy)
    found = np.full(len(places), np.nan)
    in_parts(_close, len(places), in_row, places, steps, beyond, sz, sy, sx, found, least=_FEW)
    far = np.flatnonzero(np.isnan(found))
    if len(far):
        in_layer = np.full(in_row.shape, -1, np.int16)
        _layers(_in_layers, in_row, sy, sx, in_layer)
        away = np.empty(len(far))
        in_parts(_nearest, len(far), in_row, in_layer, places[far], sz, sy, sx, away, least=_FEW)
        found[far] = away
    return found


@lru_cache(maxsize=32)
def _around(sz: float, sy: float) -> tuple[npt.NDArray[np.int32], float]:
    """Steps (layers, rows) to the rows around, the nearest first, and the least square distance of all others."""
    reach = np.sqrt(_ROWS_LOOKED_AT * sz * sy / np.pi)
    high, wide = int(reach / sz) + 1, int(reach / sy) + 1
    z, y = (a.ravel() for a in np.mgrid[-high - 1 : high + 2, -wide - 1 : wide + 2])
    squares = (sz * z) ** 2 + (sy * y) ** 2
    order = np.argsort(squares, kind="stable")
    # Beyond the frame of this table squares are at least those of its nearer edge.
    edge = min((sz * (high + 1)) ** 2, (sy * (wide + 1)) ** 2)
    inside = order[squares[order] < min(edge, reach**2)]
    beyond = min(float(edge), float(squares[order[len(inside)]]))
    return np.stack([z[inside], y[inside]], 1).astype(np.int32), beyond


@njit(cache=True, nogil=True)
def _close(
    first: int, last: int, in_row: Any, places: Any, steps: Any, beyond: float, sz: float, sy: float, sx: float,
    out: Any,
) -> None:  # fmt: skip
    """Distance from each place where it is proven by the rows around alone; the others are left."""
    layers, rows, _ = in_row.shape
    for i in range(first, last):
        z, y, x = places[i, 0], places[i, 1], places[i, 2]
        best = np.inf
        for k in range(len(steps)):
            dz, dy = steps[k, 0], steps[k, 1]
            away = (sz * dz) ** 2 + (sy * dy) ** 2
            if away >= best:
                break
            if 0 <= z + dz < layers and 0 <= y + dy < rows:
                column = in_row[z + dz, y + dy, x]
                if column >= 0:
                    best = min(best, away + (sx * (x - column)) ** 2)
        if best <= beyond:
            out[i] = np.sqrt(best)


@njit(cache=True, nogil=True)
def _in_rows(first: int, last: int, codes: Any, in_row: Any) -> None:
    """Column of the nearest surface in the same row; -1 in a row without."""
    _, rows, columns = codes.shape
    for z in range(first, last):
        for y in range(rows):
            last = -1
            for x in range(columns):
                if codes[z, y, x]:
                    last = x
                in_row[z, y, x] = last
            last = -1
            for x in range(columns - 1, -1, -1):
                if codes[z, y, x]:
                    last = x
                before = in_row[z, y, x]
                if last >= 0 and (before < 0 or last - x < x - before):
                    in_row[z, y, x] = last


@njit(cache=True, nogil=True)
def _in_layers(first: int, last: int, in_row: Any, sy: float, sx: float, in_layer: Any) -> None:
    """Row of the nearest surface in the same layer; -1 is left in a layer without."""
    _, rows, columns = in_row.shape
    for z in range(first, last):
        heights, owners, starts = np.empty(rows), np.empty(rows, np.int64), np.empty(rows + 1)
        for x in range(columns):
            top = -1
            for y in range(rows):
                column = in_row[z, y, x]
                if column < 0:
                    continue
                heights[y] = (sx * (x - column)) ** 2
                start = -np.inf
                while top >= 0:
                    o = owners[top]
                    start = ((heights[y] - heights[o]) / (sy * sy) + y * y - o * o) / (2.0 * (y - o))
                    if start > starts[top]:
                        break
                    top -= 1
                    start = -np.inf
                top += 1
                owners[top], starts[top] = y, start
            if top < 0:
                continue
            starts[top + 1] = np.inf
            at = 0
            for y in range(rows):
                while starts[at + 1] < y:
                    at += 1
                in_layer[z, y, x] = owners[at]


@njit(cache=True, nogil=True)
def _nearest(
    first: int, last: int, in_row: Any, in_layer: Any, places: Any, sz: float, sy: float, sx: float, out: Any
) -> None:
    """Exact distance (mm) from each place to the nearest cell with a surface.

    Separable, as Felzenszwalb & Huttenlocher (2012), but the last axis is searched only from the places that are asked
    for, outwards, until no nearer one is possible.
    """
    layers = in_row.shape[0]
    for i in range(first, last):
        z, y, x = places[i, 0], places[i, 1], places[i, 2]
        best = np.inf
        for away in range(layers):
            depth = (sz * away) ** 2
            if depth >= best or (z - away < 0 and z + away >= layers):
                break
            for k in (z - away, z + away):
                if 0 <= k < layers and in_layer[k, y, x] >= 0:
                    row = in_layer[k, y, x]
                    near = depth + (sy * (y - row)) ** 2 + (sx * (x - in_row[k, row, x])) ** 2
                    best = min(best, near)
        out[i] = np.sqrt(best)


@lru_cache(maxsize=32)
def _areas(spacing: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """Area (length) of the surface in a cell, for each of the 16 or 256 ways to fill its corners."""
    n = len(spacing)
    sizes = np.zeros(1 << (1 << n))
    measure = _length if n == 2 else _area
    for code in range(1, len(sizes) - 1):
        corners = np.array([(code >> bit) & 1 for bit in range(1 << n)], np.float64).reshape(
            (2,) * n
        )  # last axis first
        sizes[code] = measure(corners, spacing)
    return sizes


def _length(corners: npt.NDArray[np.float64], spacing: tuple[float, ...]) -> float:
    from skimage.measure import find_contours

    lines = find_contours(corners, 0.5)  # one or two pieces, each a straight line
    return float(sum(np.linalg.norm(np.diff(line, axis=0) * spacing, axis=1).sum() for line in lines))


def _area(corners: npt.NDArray[np.float64], spacing: tuple[float, ...]) -> float:
    from skimage.measure import marching_cubes, mesh_surface_area

    vertices, faces, _, _ = marching_cubes(corners, 0.5, spacing=spacing, method="lorensen", allow_degenerate=False)
    return float(mesh_surface_area(vertices, faces))


def _mean(distance: npt.NDArray[Any], area: npt.NDArray[Any]) -> float:
    return float(distance @ area / area.sum()) if len(area) else float("nan")


def _percentile(distance: npt.NDArray[Any], area: npt.NDArray[Any], percent: float) -> float:
    # Rounding may leave the last sum a hair below the total; the farthest element is then the answer.
    reached = np.cumsum(area) / area.sum()
    return float(distance[min(int(np.searchsorted(reached, percent / 100.0)), len(distance) - 1)])


def _within(distance: npt.NDArray[Any], area: npt.NDArray[Any], tolerance_mm: float) -> float:
    return float(area[distance <= tolerance_mm].sum() / area.sum()) if len(area) else float("nan")
