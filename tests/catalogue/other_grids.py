"""A mask as it may come: of the same voxels in another order or a part of them, on other voxels, or of elsewhere."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.space import Region, resample_region

__all__ = ["coarser", "elsewhere", "finer", "must_refuse", "turned"]


def turned(region: Region) -> Region:
    """The same voxels: cropped to those that are marked, flipped, and with axes in another order."""
    start, stop = region.bounds
    cut = np.asarray(region.mask)[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    grid = region.geometry.cropped(start, stop).flipped(0).flipped(2).permuted((0, 2, 1))
    return replace(region, geometry=grid, mask=np.ascontiguousarray(cut[::-1, :, ::-1].transpose(0, 2, 1)))


def coarser(region: Region) -> Region:
    """On pixels of twice the length."""
    dz, dy, dx = region.geometry.spacing_mm
    return resample_region(region, region.geometry.respaced((dz, 2 * dy, 2 * dx)))


def finer(region: Region) -> Region:
    """On pixels of half the length: every voxel is several."""
    dz, dy, dx = region.geometry.spacing_mm
    return resample_region(region, region.geometry.respaced((dz, dy / 2, dx / 2)))


def elsewhere(region: Region) -> Region:
    """The same numbers in another frame of reference."""
    return replace(region, geometry=replace(region.geometry, frame_of_reference="2.25.999"))


def must_refuse(run: Callable[[Region], Any], region: Region, *, mean: bool = False) -> None:
    """A mask of coarser voxels is refused, and one of finer voxels too where the answer hangs on the outline."""
    called = rf"'{region.label}': "
    for other in (coarser(region), *(() if mean else (finer(region),))):
        with pytest.raises(Refused, match=rf"{called}a mask on another grid than the image \(.*other_grid=nearest"):
            run(other)
    with pytest.raises(Refused, match="two frames of reference cannot be compared"):
        run(elsewhere(region))
