"""Where the head lies in an image of it: an average head laid upon it, whatever the contrast and however it was sliced.

An affine fit by mutual information (Mattes 2003), which asks only that tissues differ, so that one average head in T1
serves CT and every weighting of MR. A fit is believed only when it says of the outline of this head what the image
says: the share of both that coincides is given, and whoever uses the fit decides on it.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.methods.components import largest
from isocenter.methods.cross_steps import closed, filled_in_slices, opened
from isocenter.methods.likeness import Laid, Likeness, shaped, similar
from isocenter.methods.smoothing import smoothed
from isocenter.methods.trilinear import sampled, shared
from isocenter.space import Geometry, Volume
from isocenter.space.resample import within

__all__ = ["AverageHead", "Fit", "fits", "tissue", "upright_at"]

Mask = npt.NDArray[np.bool_]
Matrix = npt.NDArray[np.float64]
_Signs = tuple[float, float, float]

_COARSE_MM, _SMOOTH_MM = 4.0, 4.0
_PLACES = (5_000, 40_000)  # that are compared coarsely and finely
_COARSELY, _FINELY, _SHAPED = (4.0, 0.2, 60), (4.0, 0.05, 80), (2.0, 0.03, 80)  # first, last step (mm); steps at most
_HOPELESS = 0.75  # seen coarsely so much less alike, of which no fine look makes a rival
_AIR_HU = -400.0
_AIR_SHARE = 0.08  # of the range from background to the brightest hundredth
_TALL_MM, _WINDOW_MM, _STEP_MM, _WINDOWS = 330.0, 260.0, 60.0, 8
_SHIFTS_MM = (0.0, -35.0, 35.0, -70.0)
_SCALES, _TURNED_DEG, _OUTLINE, _COINCIDES = (0.7, 1.4), 40.0, 0.8, 0.04
_STRAYED_DEG = 15.0
_ASKEW_DEG = 35.0  # so far a wrong header turns what was laid; real heads that were turned by 25 lay at 32 at most
_HALF_TURNS = ((1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), (-1.0, -1.0, 1.0))  # about x, y, z


@dataclass(frozen=True, eq=False)
class AverageHead:
    """An average head with its face.

    Args:
        signal: what was averaged, in the head's own millimetres (LPS), zero in air; its voxels are cubes.
        brain: where its brain is, on the same grid.
    """

    signal: Volume
    brain: Mask

    @cached_property
    def smooth(self) -> npt.NDArray[np.float32]:
        """The signal without its fine structure, to be laid coarsely."""
        return smoothed(self.plain, _SMOOTH_MM / self.signal.geometry.spacing_mm[0], mirrored=False)

    @cached_property
    def border(self) -> float:
        """Of the signal, between air and tissue."""
        return _AIR_SHARE * float(np.percentile(self.signal.array, 99))

    def overlap(self, matrix: npt.NDArray[np.float64], grid: Geometry, head: Mask, inside: Mask) -> float:
        """Overlap (Dice) of this head with the head of an image, within what the image has.

        Args:
            matrix: (4, 4) from the image's millimetres to the average head's.
            grid: of the image.
            head, inside: where its head is, and what of the grid it has.
        """
        part, step = self._all_of(self.plain, self._head_from, self._step(matrix, grid))
        return shared(part, step, self.border, head, inside)

    def brain_at(self, matrix: npt.NDArray[np.float64], grid: Geometry) -> Mask:
        """Its brain on the grid of an image; `matrix` as above."""
        part, step = self._all_of(self.brain, self._brain_from, self._step(matrix, grid))
        return np.asarray(sampled(part.astype(np.float32), step, grid.shape) >= 0.5)

    @cached_property
    def crown(self) -> npt.NDArray[np.float64]:
        """The middle of its uppermost ten centimetres, mm."""
        return _crown(self.signal.array > self.border, self.signal.geometry)

    @cached_property
    def plain(self) -> npt.NDArray[np.float32]:
        """The signal as it is compared."""
        return self.signal.array.astype(np.float32)

    @cached_property
    def _head_from(self) -> tuple[slice, ...]:
        return _reach(self.plain > self.border)

    @cached_property
    def _brain_from(self) -> tuple[slice, ...]:
        return _reach(self.brain)

    @staticmethod
    def _all_of(array: npt.NDArray[Any], part: tuple[slice, ...], step: Matrix) -> tuple[npt.NDArray[Any], Matrix]:
        """What of the head's grid is asked: where nothing of it is, no voxel of an image need be looked at."""
        moved = step.copy()
        moved[:3, 3] -= [one.start for one in part]
        return np.ascontiguousarray(array[part]), moved

    def _step(self, matrix: npt.NDArray[np.float64], grid: Geometry) -> npt.NDArray[np.float64]:
        return np.asarray(np.linalg.inv(self.signal.geometry.affine) @ matrix @ grid.affine)


@dataclass(frozen=True, eq=False)
class Fit:
    """An average head laid upon an image.

    Args:
        matrix: (4, 4) from the image's millimetres to the average head's.
        similarity: mutual information at the end, in nats.
        outline: overlap (Dice) of the two heads, of what lies in the field of view.
        scales: by how much the average head was shrunk or widened along its main axes.
        turned_deg: by how much it was turned.
        otherwise: mutual information of the best head that stands on its crown or looks to the back, as a share of
            that of this one, both laid by turn, shift and size: near one, the header may be wrong. Infinite where this
            head itself is turned as no head lies in a scanner.
    """

    matrix: npt.NDArray[np.float64]
    similarity: float
    outline: float
    scales: tuple[float, float, float]
    turned_deg: float
    otherwise: float


def upright_at(volume: Volume, spacing_mm: float) -> tuple[Volume, Mask]:
    """One image on an axial grid of cubes, and which of them the image has; finer voxels are averaged."""
    array = volume.array.reshape(-1, *volume.geometry.shape)[0]
    grid = volume.geometry
    factors = [max(1, min(n, int(spacing_mm / s + 0.25))) for s, n in zip(grid.spacing_mm, grid.shape, strict=True)]
    if max(factors) > 1:
        a, b, c = (n // f for n, f in zip(grid.shape, factors, strict=True))
        means = np.empty((a, b, c), np.float32)
        _averaged(np.asarray(array, np.float32), *factors, means)
        array = means
        step = np.eye(4)
        step[:3, :3] = np.diag(factors)
        step[:3, 3] = [(f - 1) / 2 for f in factors]
        grid = Geometry(grid.affine @ step, array.shape, grid.frame_of_reference)
    corners = volume.geometry.corners_mm()
    low, high = corners.min(0), corners.max(0)
    size = [max(1, int(np.ceil((high[k] - low[k]) / spacing_mm))) for k in (2, 1, 0)]
    onto = Geometry.regular(
        shape=(size[0], size[1], size[2]),
        spacing_mm=(spacing_mm,) * 3,
        origin_mm=(low[0] + spacing_mm / 2, low[1] + spacing_mm / 2, low[2] + spacing_mm / 2),
        frame_of_reference=grid.frame_of_reference,
    )
    # Of one slice, or of few, the planes of the grid lie between: a thin image fills the grid as thick as it is.
    seen = within(grid, onto)
    step = np.linalg.inv(grid.affine) @ onto.affine
    found = sampled(np.asarray(array, np.float32), step, onto.shape, beyond=0.5)
    return Volume(found, onto, volume.quantity, volume.unit), seen


@numba.njit(cache=True)
def _averaged(array, slices, rows, columns, means):  # type: ignore[no-untyped-def]  # pragma: no cover
    """The mean of each block of voxels."""
    a, b, c = means.shape
    share = np.float32(1.0 / (slices * rows * columns))
    sums = np.empty(c * columns, np.float32)
    for i in range(a):
        for j in range(b):
            for k in range(sums.size):
                sums[k] = 0
            for y in range(i * slices, (i + 1) * slices):
                for x in range(j * rows, (j + 1) * rows):
                    row = array[y, x]
                    for k in range(sums.size):
                        sums[k] += row[k]
            for k in range(c):
                total = np.float32(0)
                for z in range(k * columns, (k + 1) * columns):
                    total += sums[z]
                means[i, j, k] = total * share


def tissue(image: Volume, seen: Mask) -> Mask:
    """Head against air: all that is not air and hangs together, filled."""
    if image.quantity == "attenuation":
        border = _AIR_HU
    else:
        each = max(1, np.count_nonzero(seen) // 200_000)
        low, high = np.percentile(_some_of(image.array.reshape(-1), seen.reshape(-1), each), (2, 99))
        border = float(low + _AIR_SHARE * (high - low))
    held = largest(opened((image.array > border) & seen))
    return filled_in_slices(closed(np.pad(held, 2), 2)[2:-2, 2:-2, 2:-2]) & seen


@numba.njit(cache=True)
def _some_of(array, seen, each):  # type: ignore[no-untyped-def]  # pragma: no cover
    """Every so manieth value that is seen, in the order of the array."""
    found = np.empty(array.size // each + 1, array.dtype)
    count = 0
    ahead = 0
    for k in range(array.size):
        if seen[k]:
            if ahead == 0:
                found[count] = array[k]
                count += 1
                ahead = each
            ahead -= 1
    return found[:count]


def fits(volume: Volume, average: AverageHead) -> Iterator[Fit]:
    """Ways to lay the average head upon an image, each from another beginning; the likeliest first.

    Args:
        volume: an image; of one with leading axes the first is taken. In a tall one the head is sought from the top.

    Yields:
        those that leave the head the shape of a head and coincide with its outline.
    """
    image, seen = upright_at(volume, _COARSE_MM)
    head = tissue(image, seen)
    if np.count_nonzero(head) * _COARSE_MM**3 < 200_000.0:  # 200 mL are no head
        return
    for low, high in _windows(head):
        part = image.cropped((low, 0, 0), (high, *head.shape[1:]))
        inside, mine = seen[low:high], head[low:high]
        if np.count_nonzero(mine) * _COARSE_MM**3 < 200_000.0:
            continue
        clipped = np.clip(part.array, *np.percentile(part.array[inside], (1, 99.5))).astype(np.float32)
        laying = _Laying(clipped, part.geometry, inside, mine, average)
        for shift in _SHIFTS_MM:
            fit = laying.fit(shift)
            if fit is not None:
                yield fit


class _Laying:
    """An average head and an image that it is laid upon, as it stands and turned by half."""

    def __init__(
        self, image: npt.NDArray[np.float32], grid: Geometry, inside: Mask, head: Mask, average: AverageHead
    ) -> None:
        self._grid, self._inside, self._head, self._average = grid, inside, head, average
        smooth = smoothed(image, _SMOOTH_MM / _COARSE_MM, mirrored=False)
        theirs = average.signal.geometry
        self._coarse = Likeness(smooth, grid, inside, average.smooth, theirs, _PLACES[0], thinned=2)
        self._fine = Likeness(image, grid, inside, average.plain, theirs, _PLACES[1])
        self._crown = _crown(head, grid)
        self._middle = np.asarray(grid.to_patient(np.argwhere(head).mean(0)))

    def fit(self, shift_mm: float) -> Fit | None:
        """From crown on crown, so much higher: by turn, shift and size, then by proportions. None: there is no head."""
        start = np.eye(4)
        start[:3, 3] = self._average.crown - self._crown + (0.0, 0.0, shift_mm)
        coarse = similar(self._coarse, start, *_COARSELY)
        laid = shaped(self._fine, similar(self._fine, coarse.matrix, *_FINELY).matrix, *_SHAPED)
        outline, (turned, scales) = self._overlap(laid.matrix), _shape(laid.matrix)
        if outline < _OUTLINE or not _is_of_a_head(0.0, scales):
            return None
        askew = turned > _ASKEW_DEG
        otherwise = float("inf") if askew else self.share(laid.matrix, start)
        return Fit(laid.matrix, laid.value, outline, scales, turned, otherwise)

    def share(self, matrix: Matrix, start: Matrix) -> float:
        """How well the best head turned by half fits, as a share of how this one does, by turn, shift and size.

        Args:
            matrix: how the head was laid that they are held against.
            start: where that one began.
        """
        coarse = similar(self._coarse, matrix, *_COARSELY)
        alike = similar(self._fine, coarse.matrix, *_FINELY)
        if _shape(alike.matrix @ np.linalg.inv(matrix))[0] > _STRAYED_DEG:  # another head than the one that is asked of
            coarse, alike = (similar(one, matrix, *_COARSELY[:2], most=1) for one in (self._coarse, self._fine))
        share, least = 0.0, self._overlap(coarse.matrix) - _COINCIDES
        about = matrix[:3, :3] @ self._middle + matrix[:3, 3]
        for signs in _HALF_TURNS:
            half = _half_turn(signs, self._middle)
            level = half.copy()  # a head that is laid the wrong way round nods the wrong way, too
            level[:3, 3] += about - self._middle
            starts = (matrix @ half, level, start @ _half_turn(signs, self._crown))
            ends = sorted((similar(self._coarse, one, *_COARSELY) for one in starts), key=lambda end: -end.value)
            # Likeness is of what overlaps: what slid half out of the image may have more of it.
            best = next((end for end in ends if self._is_a_head(end, signs, least)), None)
            if best is None:
                continue
            if best.value < _HOPELESS * coarse.value:
                share = max(share, best.value / coarse.value)
                continue
            near = similar(self._fine, best.matrix, *_FINELY)
            if self._is_a_head(near, signs, self._overlap(alike.matrix) - _COINCIDES):
                share = max(share, near.value / alike.value)
        return share

    def _is_a_head(self, laid: Laid, signs: _Signs, least: float) -> bool:
        """From its half turn it may be turned by as much as any head."""
        return _is_of_a_head(*_shape(laid.matrix @ np.diag((*signs, 1.0)))) and self._overlap(laid.matrix) >= least

    def _overlap(self, matrix: Matrix) -> float:
        return self._average.overlap(matrix, self._grid, self._head, self._inside)


def _reach(mask: Mask) -> tuple[slice, ...]:
    """Where a mask lies, with a border of one voxel."""
    spans = (np.flatnonzero(mask.any(axis)) for axis in ((1, 2), (0, 2), (0, 1)))
    return tuple(slice(max(0, int(one[0]) - 1), int(one[-1]) + 2) for one in spans)


def _shape(matrix: Matrix) -> tuple[float, tuple[float, float, float]]:
    """By how much a matrix turns, degrees, and by how much it widens along its main axes."""
    turn, widths, other = np.linalg.svd(matrix[:3, :3])
    cosine = (np.trace(turn @ other) - 1.0) / 2.0
    turned = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
    return turned, (float(widths[0]), float(widths[1]), float(widths[2]))


def _is_of_a_head(turned: float, scales: tuple[float, float, float]) -> bool:
    return turned <= _TURNED_DEG and _SCALES[0] <= scales[2] <= scales[0] <= _SCALES[1]


def _windows(head: Mask) -> list[tuple[int, int]]:
    """Parts of a tall image that may hold the head, from the top down; all of an image that is not tall."""
    if head.shape[0] * _COARSE_MM <= _TALL_MM:
        return [(0, head.shape[0])]
    top = int(np.flatnonzero(head.any((1, 2))).max()) + 1
    height, step = int(_WINDOW_MM / _COARSE_MM), int(_STEP_MM / _COARSE_MM)
    tops = list(range(min(head.shape[0], top + 3), height // 2, -step))[:_WINDOWS]
    return [(max(0, t - height), t) for t in tops]


def _crown(mask: Mask, grid: Geometry) -> npt.NDArray[np.float64]:
    """Middle of the uppermost ten centimetres of a head, mm."""
    at = np.argwhere(mask)
    upper = at[at[:, 0] > at[:, 0].max() - 100.0 / grid.spacing_mm[0]]
    return np.asarray(grid.to_patient(upper.mean(0)))


def _half_turn(signs: _Signs, about: Matrix) -> Matrix:
    half = np.diag((*signs, 1.0))
    half[:3, 3] = about - half[:3, :3] @ about
    return half
