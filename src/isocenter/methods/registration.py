"""Where a place of one scan lies in another of the same patient: rigid registration, with its error stated.

Mutual information (Mattes 2003) of 32 bins, from coarse to fine, by SimpleITK. The transform is computed both ways, and
how far the two disagree is given as the residual: a registration whose residual exceeds a few millimetres is no basis
for a comparison.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Geometry, Region, Volume
from isocenter.space.resample import to_itk

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["Rigid", "carried", "rigid"]

_GRID_MM = 3.0  # finest voxels that are used: finer ones cost time and win little for a rigid fit
_LEAST_OVERLAP = 0.3
_LEVELS, _STEPS = 3, 150  # of one fit: from coarse to fine, and at most so many in each
_SEED = (
    20261101  # samples are shifted a little, by chance: without a seed by the clock, and every run gave another answer
)


@dataclass(frozen=True, eq=False)
class Rigid:
    """A rigid transform in patient space.

    Args:
        matrix: (4, 4) from the moving scan's millimetres to the fixed scan's.
        residual_mm: mean distance over the fixed scan's volume between going there and back again.
        overlap: part of the smaller scan that lies within the other.
        similarity: mutual information at the end, in nats; higher is better.
    """

    matrix: npt.NDArray[np.float64]
    residual_mm: float
    overlap: float
    similarity: float

    @property
    def shift_mm(self) -> float:
        """Length of the translation at the origin."""
        return float(np.linalg.norm(self.matrix[:3, 3]))


def rigid(fixed: Volume, moving: Volume, *, told: Callable[[float], None] | None = None) -> Rigid:
    """Register two scans of one patient.

    Args:
        fixed, moving: without leading axes; of the same or of different modalities.
        told: hears which part of the longest possible way is done, 0 to 1, after each step; what it raises ends the
            registration, and is raised.

    Raises:
        Refused: for volumes with leading axes, without contrast, that have no more in common at the end than when they
            are displaced, or that overlap by less than 30 % afterwards.
    """
    for volume, name in ((fixed, "fixed"), (moving, "moving")):
        if volume.axes and any(len(a) > 1 for a in volume.axes):
            raise Refused(f"a {name} scan with {volume.axes[0].name}", "one image of each is registered", "choose one")
        if not np.isfinite(volume.array).all() or volume.array.min() == volume.array.max():
            raise Refused(
                f"a {name} scan without contrast", "there is nothing to align", "choose a series that shows the body"
            )
    one, other = _image(fixed), _image(moving)
    tell = told or _nobody
    there, similarity = _fit(one, other, told=lambda part: tell(part / 2))  # fixed mm -> moving mm, as ITK has it
    _must_fit(one, other, there, similarity)
    back, _ = _fit(other, one, start=_inverse(there), told=lambda part: tell(0.5 + part / 2))
    corners = _corners(fixed.geometry)
    again = _applied(back, _applied(there, corners))
    overlap = _overlap(fixed.geometry, moving.geometry, there)
    if overlap < _LEAST_OVERLAP:
        raise Refused(
            f"scans that overlap by {overlap:.0%}", "they show different parts", "compare scans of one region"
        )
    return Rigid(_inverse(there), float(np.linalg.norm(again - corners, axis=1).mean()), overlap, float(similarity))


def carried(region: Region, transform: Rigid, onto: Geometry) -> Region:
    """A region of the moving scan, on a grid of the fixed scan.

    Raises:
        Refused: when the region is no mask.
    """
    from scipy import ndimage

    if region.mask is None:
        raise Refused(f"a {region.shape.value}", "only masks are carried to another grid", "give a region with a mask")
    step = np.linalg.inv(region.geometry.affine) @ np.linalg.inv(transform.matrix) @ onto.affine
    mask = ndimage.affine_transform(
        region.mask.astype(np.float32), step[:3, :3], offset=step[:3, 3], output_shape=onto.shape, order=1
    )
    return Region(onto, mask=mask >= 0.5, label=region.label)


def _image(volume: Volume) -> SimpleITK.Image:
    """Float voxels of at least 3 mm, smoothed before they are thinned out."""
    import SimpleITK as sitk

    array = volume.array.reshape(volume.geometry.shape).astype(np.float32)
    low, high = np.percentile(array[:: max(1, array.shape[0] // 32)], (0.5, 99.5))
    image = to_itk(np.clip(array, low, high), volume.geometry)
    factors = [max(1, round(_GRID_MM / s)) for s in image.GetSpacing()]
    if max(factors) > 1:
        image = sitk.BinShrink(image, factors)
    return image


def _nobody(part: float) -> None:
    """Whom to tell where nobody asks."""


def _fit(
    fixed: SimpleITK.Image,
    moving: SimpleITK.Image,
    start: npt.NDArray[np.float64] | None = None,
    *,
    told: Callable[[float], None],
) -> tuple[npt.NDArray[np.float64], float]:
    import SimpleITK as sitk

    begin = sitk.Euler3DTransform()
    centre = fixed.TransformContinuousIndexToPhysicalPoint([(n - 1) / 2 for n in fixed.GetSize()])
    if start is None:
        begin = sitk.Euler3DTransform(
            sitk.CenteredTransformInitializer(
                fixed, moving, sitk.Euler3DTransform(), sitk.CenteredTransformInitializerFilter.GEOMETRY
            )
        )
        if _similarity(fixed, moving, sitk.Euler3DTransform()) >= _similarity(fixed, moving, begin):
            begin = sitk.Euler3DTransform()  # positions in the headers are better than centres of the boxes
            begin.SetCenter(centre)
    else:
        begin.SetCenter(centre)
        begin.SetMatrix(start[:3, :3].flatten().tolist(), 1e-4)
        offset = start[:3, 3] + (start[:3, :3] - np.eye(3)) @ np.array(centre)
        begin.SetTranslation(offset.tolist())
    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(min(1.0, 60_000 / fixed.GetNumberOfPixels()), seed=_SEED)
    method.SetInterpolator(sitk.sitkLinear)
    method.SetOptimizerAsRegularStepGradientDescent(
        learningRate=4.0, minStep=0.01, numberOfIterations=_STEPS, relaxationFactor=0.7, gradientMagnitudeTolerance=1e-6
    )
    method.SetOptimizerScalesFromPhysicalShift()
    method.SetShrinkFactorsPerLevel([4, 2, 1])
    method.SetSmoothingSigmasPerLevel([6.0, 3.0, 0.0])
    method.SmoothingSigmasAreSpecifiedInPhysicalUnitsOn()
    method.SetInitialTransform(begin, inPlace=True)
    ended: list[Exception] = []

    def step() -> None:
        try:
            told((method.GetCurrentLevel() + method.GetOptimizerIteration() / _STEPS) / _LEVELS)
        except Exception as why:  # it must not travel through ITK's own frames
            ended.append(why)
            method.StopRegistration()

    method.AddCommand(sitk.sitkIterationEvent, step)
    try:
        method.Execute(fixed, moving)
    except RuntimeError as failed:
        if ended:
            raise ended[0] from None
        raise Refused("scans that do not overlap", "nothing of one lies in the other", "compare one region") from failed
    if ended:
        raise ended[0]
    matrix = np.eye(4)
    matrix[:3, :3] = np.array(begin.GetMatrix()).reshape(3, 3)
    about = np.array(begin.GetCenter())
    matrix[:3, 3] = np.array(begin.GetTranslation()) + about - matrix[:3, :3] @ about
    return matrix, -float(method.GetMetricValue())


def _must_fit(
    fixed: SimpleITK.Image, moving: SimpleITK.Image, there: npt.NDArray[np.float64], similarity: float
) -> None:
    """Where two scans have something in common, displacing one by a fifth of the field loses a good part of it."""
    import SimpleITK as sitk

    displaced = []
    for axis, (n, mm) in enumerate(zip(fixed.GetSize(), fixed.GetSpacing(), strict=True)):
        for sign in (-0.2, 0.2):
            at = sitk.AffineTransform(3)
            at.SetMatrix(there[:3, :3].flatten().tolist())
            shift = np.array(fixed.GetDirection()).reshape(3, 3)[:, axis] * sign * n * mm
            at.SetTranslation((there[:3, 3] + shift).tolist())
            displaced.append(_similarity(fixed, moving, at))
    if similarity < 1.15 * max(displaced):
        raise Refused(
            f"mutual information of {similarity:.3f}, and {max(displaced):.3f} when displaced",
            "the scans have nothing in common that could be aligned",
            "compare scans of one region and kind",
        )


def _similarity(fixed: SimpleITK.Image, moving: SimpleITK.Image, at: SimpleITK.Transform) -> float:
    import SimpleITK as sitk

    method = sitk.ImageRegistrationMethod()
    method.SetMetricAsMattesMutualInformation(32)
    method.SetMetricSamplingStrategy(method.REGULAR)
    method.SetMetricSamplingPercentage(min(1.0, 60_000 / fixed.GetNumberOfPixels()), seed=_SEED)
    method.SetInterpolator(sitk.sitkLinear)
    # Only the value is asked for: the gradient of the whole image, which it does not need, takes nearly all the time.
    method.MetricUseMovingImageGradientFilterOff()
    method.MetricUseFixedImageGradientFilterOff()
    method.SetInitialTransform(at)
    try:
        return -float(method.MetricEvaluate(fixed, moving))
    except RuntimeError:
        return -1.0  # they do not overlap at all


def _corners(grid: Geometry) -> npt.NDArray[np.float64]:
    """A lattice of points over a scan, in millimetres."""
    steps = [np.linspace(0, n - 1, 4) for n in grid.shape]
    return np.asarray(grid.to_patient(np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)))


def _applied(matrix: npt.NDArray[np.float64], points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(points @ matrix[:3, :3].T + matrix[:3, 3])


def _inverse(matrix: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    return np.asarray(np.linalg.inv(matrix), np.float64)


def _overlap(fixed: Geometry, moving: Geometry, there: npt.NDArray[np.float64]) -> float:
    """Part of either scan that lies within the other, the larger of the two."""
    inside = moving.contains(_applied(there, _dense(fixed))).mean()
    back = fixed.contains(_applied(_inverse(there), _dense(moving))).mean()
    return float(max(inside, back))


def _dense(grid: Geometry) -> npt.NDArray[np.float64]:
    steps = [np.linspace(0, n - 1, 12) for n in grid.shape]
    return np.asarray(grid.to_patient(np.stack(np.meshgrid(*steps, indexing="ij"), -1).reshape(-1, 3)))
