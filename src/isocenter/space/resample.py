"""Put a volume or a region onto another grid. The one door to SimpleITK's resampling."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space.geometry import Geometry
from isocenter.space.region import Region, Shape
from isocenter.space.volume import Volume

if TYPE_CHECKING:
    import SimpleITK

__all__ = ["from_itk", "resample", "resample_region", "to_itk", "within"]

_METHODS = ("nearest", "linear", "bspline")
_LEAN = 1e-6  # of a voxel, towards the feet, the front and the right: a tie that rounding errors do not decide


def to_itk(array: npt.NDArray[Any], geometry: Geometry) -> SimpleITK.Image:
    """A SimpleITK image on the same grid. Sheared grids are refused: ITK directions must be orthogonal."""
    import SimpleITK as sitk

    if not geometry.is_orthogonal:
        raise Refused("a sheared grid (tilted gantry)", "SimpleITK has orthogonal axes only", "resample it first")
    image = sitk.GetImageFromArray(np.ascontiguousarray(array.astype(np.uint8) if array.dtype == bool else array))
    image.SetSpacing(geometry.spacing_mm[::-1])
    image.SetOrigin(geometry.origin_mm)
    image.SetDirection(geometry.directions[:, ::-1].flatten().tolist())
    return image


def from_itk(image: SimpleITK.Image, frame_of_reference: str = "") -> tuple[npt.NDArray[Any], Geometry]:
    """Array (slice, row, column) and geometry of a three-dimensional SimpleITK image."""
    import SimpleITK as sitk

    array = sitk.GetArrayFromImage(image)
    affine = np.eye(4)
    steps = np.array(image.GetDirection()).reshape(3, 3) * np.array(image.GetSpacing())
    affine[:3, :3] = steps[:, ::-1]
    affine[:3, 3] = image.GetOrigin()
    return array, Geometry(affine, array.shape, frame_of_reference)


def resample(volume: Volume, onto: Geometry, *, method: str = "linear", outside: float = 0.0) -> Volume:
    """The volume's values at the voxel centres of another grid.

    Args:
        volume: with or without leading axes; a sheared grid is handled too.
        onto: the wanted grid, in the same frame of reference.
        method: ``"linear"``, ``"nearest"`` (labels) or ``"bspline"``.
        outside: value where the volume says nothing.

    Raises:
        Refused: when frames of reference differ or the method is unknown.
    """
    if method not in _METHODS:
        raise Refused(f"interpolation '{method}'", f"known are {', '.join(_METHODS)}", "name one of these")
    volume.geometry.must_share_frame(onto)
    flat = volume.array.reshape(-1, *volume.geometry.shape)
    out = np.stack([_one(part, volume.geometry, onto, method, outside) for part in flat])
    shaped = out.reshape(*(len(a) for a in volume.axes), *onto.shape)
    return replace(volume, array=shaped, geometry=onto, instance_uids=())


def resample_region(region: Region, onto: Geometry) -> Region:
    """A mask on another grid, by nearest neighbour; other shapes keep their points."""
    region.geometry.must_share_frame(onto)
    if region.shape != Shape.MASK:
        return replace(region, geometry=onto)
    assert region.mask is not None
    # A centre that lies midway between two voxels goes to the same one of the patient, however either grid is stored.
    held = Volume(region.mask, region.geometry).upright()
    mask = _one(held.array.astype(np.uint8), held.geometry, onto, "nearest", 0.0, lean=_LEAN) > 0
    return replace(region, geometry=onto, mask=mask)


def _one(
    array: npt.NDArray[Any], source: Geometry, onto: Geometry, method: str, outside: float, *, lean: float = 0.0
) -> npt.NDArray[Any]:
    from scipy import ndimage

    # index of `onto` -> index of `source`, one affine for any pair of grids, sheared ones included
    step = np.linalg.inv(source.affine) @ onto.affine
    kind = array.dtype if method == "nearest" else np.result_type(array.dtype, np.float32)
    result: npt.NDArray[Any] = ndimage.affine_transform(
        np.asarray(array, dtype=kind),
        step[:3, :3],
        offset=step[:3, 3] - lean,
        output_shape=onto.shape,
        order={"nearest": 0, "linear": 1, "bspline": 3}[method],
        mode="nearest",
    )
    result[~within(source, onto)] = outside
    return result


def within(source: Geometry, onto: Geometry) -> npt.NDArray[np.bool_]:
    """Which voxel centres of `onto` lie within the voxels of `source`, whose outer faces are half a step out."""
    step = np.linalg.inv(source.affine) @ onto.affine
    places = np.ogrid[: onto.shape[0], : onto.shape[1], : onto.shape[2]]
    inside = np.ones(onto.shape, dtype=bool)
    for axis, n in enumerate(source.shape):
        # Where the axes run alike this is one line, not a whole grid.
        at = sum((step[axis, k] * places[k] for k in range(3) if step[axis, k]), np.full((1, 1, 1), step[axis, 3]))
        inside &= (at >= -0.5 - 1e-6) & (at <= n - 0.5 + 1e-6)
    return inside
