"""Where the head lies in an image of it: an average head laid upon it, whatever the contrast and however it was sliced.

An affine fit by mutual information (Mattes 2003), which asks only that tissues differ, so that one average head in T1
serves CT and every weighting of MR. A fit is believed only when it says of the outline of this head what the image
says: the share of both that coincides is given, and whoever uses the fit decides on it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.methods.components import labelled
from isocenter.methods.cross_steps import closed, filled_in_slices, opened
from isocenter.space import Geometry, Volume
from isocenter.space.resample import resample, to_itk, within

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["AverageHead", "Fit", "fits", "tissue", "upright_at"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

_COARSE_MM, _SEED = 4.0, 1
_AIR_HU = -400.0
_AIR_SHARE = 0.08  # of the range from background to the brightest hundredth
_TALL_MM, _WINDOW_MM, _STEP_MM, _WINDOWS = 330.0, 260.0, 60.0, 8
_SHIFTS_MM = (0.0, -35.0, 35.0, -70.0)
_SCALES, _TURNED_DEG, _OUTLINE, _COINCIDES = (0.7, 1.4), 40.0, 0.8, 0.04
_BACKWARDS = (-1.0, -1.0, 1.0)  # a half turn about z
_HALF_TURNS = ((1.0, -1.0, -1.0), (-1.0, 1.0, -1.0), _BACKWARDS)  # about x, y, z


@dataclass(frozen=True, eq=False)
class AverageHead:
    """An average head with its face.

    Args:
        signal: what was averaged, in the head's own millimetres (LPS), zero in air.
        brain: where its brain is, on the same grid.
    """

    signal: Volume
    brain: Mask

    def signal_at(self, matrix: npt.NDArray[np.float64], grid: Geometry) -> Floats:
        """Its signal on the grid of an image.

        Args:
            matrix: (4, 4) from the image's millimetres to the average head's.
        """
        return self._at(self.signal.array, matrix, grid)

    def brain_at(self, matrix: npt.NDArray[np.float64], grid: Geometry) -> Mask:
        """Its brain on the grid of an image; `matrix` as above."""
        return np.asarray(self._at(self.brain, matrix, grid) >= 0.5)

    def _at(self, array: npt.NDArray[Any], matrix: npt.NDArray[np.float64], grid: Geometry) -> Floats:
        step = np.linalg.inv(self.signal.geometry.affine) @ matrix @ grid.affine
        return np.asarray(
            ndimage.affine_transform(
                array.astype(np.float32), step[:3, :3], step[:3, 3], output_shape=grid.shape, order=1
            )
        )


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
            that of this one, both seen coarsely, or of one that was laid as carefully to the back: near one, the
            header may be wrong.
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
        kept = array[: a * factors[0], : b * factors[1], : c * factors[2]]
        array = kept.reshape(a, factors[0], b, factors[1], c, factors[2]).mean((1, 3, 5), dtype=np.float32)
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
    found = resample(Volume(np.asarray(array, np.float32), grid, volume.quantity, volume.unit), onto)
    return found, seen


def tissue(image: Volume, seen: Mask) -> Mask:
    """Head against air: all that is not air and hangs together, filled."""
    values = image.array[seen]
    if image.quantity == "attenuation":
        border = _AIR_HU
    else:
        low, high = np.percentile(values[:: max(1, values.size // 200_000)], (2, 99))
        border = float(low + _AIR_SHARE * (high - low))
    mask = (image.array > border) & seen
    mask = opened(mask)
    parts, count = labelled(mask)
    if not count:
        return np.zeros(mask.shape, bool)
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    held = parts == int(sizes.argmax())
    return filled_in_slices(closed(np.pad(held, 2), 2)[2:-2, 2:-2, 2:-2]) & seen


def fits(volume: Volume, average: AverageHead) -> Iterator[Fit]:
    """Ways to lay the average head upon an image, each from another beginning; the likeliest first.

    Args:
        volume: an image; of one with leading axes the first is taken. In a tall one the head is sought from the top.

    Yields:
        those that leave the head the shape of a head and coincide with its outline.
    """
    import SimpleITK as sitk

    image, seen = upright_at(volume, _COARSE_MM)
    head = tissue(image, seen)
    if head.sum() * _COARSE_MM**3 < 200_000.0:  # 200 mL are no head
        return
    moving = to_itk(average.signal.array.astype(np.float32), average.signal.geometry)
    model = average.signal.array > _AIR_SHARE * np.percentile(average.signal.array, 99)
    for low, high in _windows(head):
        part = image.cropped((low, 0, 0), (high, *head.shape[1:]))
        inside, mine = seen[low:high], head[low:high]
        if mine.sum() * _COARSE_MM**3 < 200_000.0:
            continue
        ends = np.percentile(part.array[inside], (1, 99.5))
        fixed = to_itk(np.clip(part.array, *ends).astype(np.float32), part.geometry)
        looked = sitk.Cast(to_itk(inside.astype(np.uint8), part.geometry), sitk.sitkUInt8)
        begins, centre = _crown(mine, part.geometry), _crown(model, average.signal.geometry)
        for shift in _SHIFTS_MM:
            start = np.eye(4)
            start[:3, 3] = centre - begins + (0.0, 0.0, shift)
            matrix, similarity = _laid(fixed, looked, moving, begins, start)
            if matrix is None:
                continue
            outline = _outline(average, matrix, part.geometry, mine, inside)
            turn, widths, other = np.linalg.svd(matrix[:3, :3])
            cosine = (np.trace(turn @ other) - 1.0) / 2.0
            turned = float(np.degrees(np.arccos(np.clip(cosine, -1.0, 1.0))))
            if outline < _OUTLINE or turned > _TURNED_DEG or not _SCALES[0] <= widths[2] <= widths[0] <= _SCALES[1]:
                continue

            def coincides(other: npt.NDArray[np.float64], at: Geometry = part.geometry, mine: Mask = mine) -> float:
                return _outline(average, other, at, mine, inside)  # noqa: B023  of this window

            middle = np.asarray(part.geometry.to_patient(np.argwhere(mine).mean(0)))
            otherwise = _otherwise(fixed, looked, moving, matrix, middle, coincides)
            half = _half_turn(_BACKWARDS, begins)
            facing, back = _laid(_moved(fixed, half), _moved(looked, half), moving, begins, start)
            if facing is not None and coincides(facing @ half) >= outline - _COINCIDES:
                otherwise = max(otherwise, back / similarity)
            scales = (float(widths[0]), float(widths[1]), float(widths[2]))
            yield Fit(matrix, similarity, outline, scales, turned, otherwise)


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


def _outline(average: AverageHead, matrix: npt.NDArray[np.float64], grid: Geometry, head: Mask, inside: Mask) -> float:
    """Overlap (Dice) of the average head with the head of an image, within the image."""
    laid = average.signal_at(matrix, grid)
    theirs = (laid > _AIR_SHARE * np.percentile(average.signal.array, 99)) & inside
    both = int(theirs.sum()) + int(head.sum())
    return 2.0 * float((theirs & head).sum()) / both if both else 0.0


def _otherwise(
    fixed: SimpleITK.Image, looked: SimpleITK.Image, moving: SimpleITK.Image, matrix: npt.NDArray[np.float64],
    middle: npt.NDArray[np.float64], coincides: Callable[[npt.NDArray[np.float64]], float],
) -> float:  # fmt: skip
    """How well the best of three heads turned by half fits, as a share of how this one fits, seen coarsely."""
    best: list[float] = []
    least = 0.0
    for signs in ((1.0, 1.0, 1.0), *_HALF_TURNS):
        found = [0.0]
        half = _half_turn(signs, middle)
        level = half.copy()  # a head that is laid the wrong way round nods the wrong way, too
        level[:3, 3] += matrix[:3, :3] @ middle + matrix[:3, 3] - middle
        for start in (matrix @ half, level):
            method, alike = _method(fixed, looked), _alike(start, middle)
            try:
                _descended(method, fixed, moving, alike, (4.0, 0.2, 60), ([2], [4.0]))
            except RuntimeError:  # they have slid apart
                continue
            turn, _, other = np.linalg.svd(start[:3, :3])
            ended = np.array(alike.GetMatrix()).reshape(3, 3)
            if float(np.trace(ended @ (turn @ other).T)) <= 1.0:  # it came back by more than a quarter turn
                continue
            # Mutual information is of what overlaps: what slid half out of the image may have more of it.
            outline = coincides(_matrix(alike))
            if best and outline < least:
                continue
            least = outline - _COINCIDES if not best else least
            found.append(-float(method.GetMetricValue()))
        best.append(max(found))
    return max(best[1:]) / best[0] if best[0] > 0 else 1.0


def _half_turn(signs: tuple[float, float, float], about: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    half = np.diag((*signs, 1.0))
    half[:3, 3] = about - half[:3, :3] @ about
    return half


def _moved(image: SimpleITK.Image, by: npt.NDArray[np.float64]) -> SimpleITK.Image:
    """The image elsewhere: a transform that begins at a half turn cannot be improved, for its versor has no scalar."""
    import SimpleITK as sitk

    moved = sitk.Image(image)
    moved.SetOrigin((by[:3, :3] @ np.array(image.GetOrigin()) + by[:3, 3]).tolist())
    moved.SetDirection((by[:3, :3] @ np.array(image.GetDirection()).reshape(3, 3)).flatten().tolist())
    return moved


def _alike(start: npt.NDArray[np.float64], centre: npt.NDArray[np.float64]) -> SimpleITK.Similarity3DTransform:
    import SimpleITK as sitk

    turn, _, other = np.linalg.svd(start[:3, :3])
    alike = sitk.Similarity3DTransform()
    alike.SetCenter(centre.tolist())
    alike.SetMatrix((turn @ other).flatten().tolist(), 1e-6)
    alike.SetTranslation((start[:3, :3] @ centre + start[:3, 3] - centre).tolist())
    return alike


def _matrix(transform: SimpleITK.AffineTransform | SimpleITK.Similarity3DTransform) -> npt.NDArray[np.float64]:
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(transform.GetMatrix()).reshape(3, 3)
    about = np.array(transform.GetCenter())
    matrix[:3, 3] = np.array(transform.GetTranslation()) + about - matrix[:3, :3] @ about
    return matrix


def _method(fixed: SimpleITK.Image, looked: SimpleITK.Image) -> SimpleITK.ImageRegistrationMethod:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(24)
    method.SetMetricFixedMask(looked)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(min(1.0, 40_000 / max(1, fixed.GetNumberOfPixels())), _SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    return method


def _laid(
    fixed: SimpleITK.Image, looked: SimpleITK.Image, moving: SimpleITK.Image, centre: npt.NDArray[np.float64],
    start: npt.NDArray[np.float64],
) -> tuple[npt.NDArray[np.float64] | None, float]:  # fmt: skip
    import SimpleITK as sitk

    method, alike = _method(fixed, looked), _alike(start, centre)
    affine = sitk.AffineTransform(3)
    try:
        _descended(method, fixed, moving, alike, (4.0, 0.05, 80), ([2, 1], [4.0, 0.0]))
        affine.SetCenter(alike.GetCenter())
        affine.SetMatrix(alike.GetMatrix())
        affine.SetTranslation(alike.GetTranslation())
        _descended(method, fixed, moving, affine, (2.0, 0.03, 80), ([1], [0.0]))
    except RuntimeError:  # they have slid apart
        return None, 0.0
    matrix = _matrix(affine)
    if not np.isfinite(matrix).all() or abs(np.linalg.det(matrix[:3, :3])) < 0.05:
        return None, 0.0
    return matrix, -float(method.GetMetricValue())


def _descended(
    method: SimpleITK.ImageRegistrationMethod, fixed: SimpleITK.Image, moving: SimpleITK.Image,
    transform: SimpleITK.Transform, steps: tuple[float, float, int], levels: tuple[list[int], list[float]],
) -> None:  # fmt: skip
    import SimpleITK as sitk

    method.SetOptimizerAsRegularStepGradientDescent(*steps, 0.6, 1e-6)
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel(levels[0])
    method.SetSmoothingSigmasPerLevel(levels[1])
    method.SetInitialTransform(transform, inPlace=True)
    threads = sitk.ProcessObject.GetGlobalDefaultNumberOfThreads()
    sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(1)  # sums of several differ each time, and the cut with them
    try:
        method.Execute(fixed, moving)
    finally:
        sitk.ProcessObject.SetGlobalDefaultNumberOfThreads(threads)
