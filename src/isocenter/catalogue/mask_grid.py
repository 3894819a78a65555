"""A mask on the voxels of the image that it is laid over: as it is, moved by whole voxels, or told and refused.

One rule for every analysis (`laid`). A mask of the image's own voxels is taken as it is: flipped, with axes in another
order, or of a part of it. On any other grid its outline moves by up to half a voxel. What is counted up to the outline
(an area, a volume, a flow, calcium, shape, texture) moves with it, and the mask is refused; what is a mean over the
region or picks a place takes a mask whose voxels are no coarser than the image's, and says so. The person who asks can
decide otherwise by `other_grid`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

import numpy as np

from isocenter.errors import Refused
from isocenter.space import Geometry, Region, resample_region
from isocenter.space.regrid import onto

__all__ = ["OtherGrid", "brought", "laid", "only_its_own"]

OtherGrid = Literal["refuse", "nearest"]
"""What becomes of a mask whose outline would have to move: it is refused, or brought by nearest neighbour."""

_NO_COARSER = 1.01  # headers round


def laid(
    region: Region, image: Geometry, other_grid: OtherGrid = "refuse", *, mean: bool = False
) -> tuple[Region, tuple[str, ...]]:
    """A mask on the image's voxels, as far as what is measured in it can be trusted; then what is to be said of it.

    Args:
        other_grid: what the person decided for masks whose outline would move.
        mean: the answer does not hang on the outline: it is a mean over the region, or a place in it.

    Raises:
        Refused: when the two frames of reference differ, or the outline would move and the answer with it; the region
            is named.
    """
    called = f"'{region.label}'" if region.label else "a region"
    try:
        return only_its_own(region, image, otherwise="other_grid=nearest takes it all the same"), ()
    except Refused as why:
        own = region.geometry
        if own.frame_of_reference != image.frame_of_reference or (
            other_grid == "refuse" and not (mean and _no_coarser(own, image))
        ):
            raise Refused(f"{called}: {why.what}", why.why, why.do) from None
    moved, told = brought(region, image)
    return moved, (f"{called}: {told}",)


def only_its_own(region: Region, image: Geometry, *, otherwise: str = "") -> Region:
    """A mask whose voxels are voxels of the image, all of them or a part, in the image's order.

    Args:
        otherwise: what else whoever is refused may do.

    Raises:
        Refused: when its voxels are others, or marked ones lie beyond the image; both grids are named.
    """
    own = region.geometry
    if own.same_grid(image):
        return region
    own.must_share_frame(image)
    assert region.mask is not None
    try:
        return replace(region, geometry=image, mask=onto(region.mask, own, image))
    except Refused:
        raise Refused(
            f"a mask on another grid than the image ({_differing(own, image)}): "
            f"mask {_told(own)}; image {_told(image)}",
            "moved to the image's voxels, its outline would change, and what is measured up to it",
            "outline the region on this image, or export the mask with the size, spacing and origin of the image"
            + (otherwise and f"; {otherwise}"),
        ) from None


def brought(region: Region, image: Geometry) -> tuple[Region, str]:
    """A mask on the image's voxels, by the nearest one where its own are others; then also what is to be said of it.

    Raises:
        Refused: when the two frames of reference differ.
    """
    try:
        return only_its_own(region, image), ""
    except Refused:
        moved = resample_region(region, image)
    assert region.mask is not None
    beyond = ~image.contains(region.geometry.to_patient(np.argwhere(region.mask)))
    cut = f", and {np.count_nonzero(beyond)} voxels beyond the image are left out" if beyond.any() else ""
    return moved, (
        f"its mask ({_told(region.geometry)}) is on another grid than the image ({_told(image)}) and was brought to it "
        f"by nearest neighbour: the outline has moved up to half a voxel{cut}"
    )


def _no_coarser(mask: Geometry, image: Geometry) -> bool:
    """Whether a voxel of the mask is nowhere longer than one of the image, along the axes of the image."""
    along = np.abs(image.directions.T @ mask.affine[:3, :3])
    if mask.shape[0] == 1:  # one frame does not say how thick it is
        along = along[:, 1:]
    return bool((along.max(axis=1) <= _NO_COARSER * np.array(image.spacing_mm)).all())


def _differing(mask: Geometry, image: Geometry) -> str:
    turned = np.abs(mask.directions.T @ image.directions)
    if np.abs(turned.max(axis=0) - 1.0).max() > 1e-4:
        return "its axes are turned"
    if not np.allclose(np.array(mask.spacing_mm)[turned.argmax(axis=0)], image.spacing_mm, rtol=1e-3):
        return "its voxels have another size"
    first, last = (
        np.abs(image.to_index(mask.to_patient(end)) % 1.0 - 0.5).min() > 0.48
        for end in ((0, 0, 0), tuple(n - 1 for n in mask.shape))
    )
    if first and last:
        return "it marks voxels beyond the image"
    return "its axes or sizes differ by little" if first or last else "its voxels lie between those of the image"


def _told(grid: Geometry) -> str:
    size, spacing = (" x ".join(f"{v:.6g}" for v in values) for values in (grid.shape, grid.spacing_mm))
    origin = ", ".join(f"{v:.6g}" for v in grid.origin_mm)
    return f"{size} voxels of {spacing} mm from ({origin}) mm"
