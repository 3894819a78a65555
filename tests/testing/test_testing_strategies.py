"""The strategies give what they promise, and reach the corners."""

from __future__ import annotations

import numpy as np
from hypothesis import find, given, settings

from isocenter.record import Outcome, Result, from_plain, to_plain
from isocenter.space import Geometry, Region, Volume
from isocenter.space.region import Shape
from isocenter.testing.strategies import geometries, regions, results, volumes

quick = settings(max_examples=25, deadline=None, database=None)


@quick
@given(geometries())
def test_a_geometry_has_the_spacing_that_was_drawn(grid: Geometry) -> None:
    assert all(0.05 * 0.999 <= s <= 20 * 1.09 for s in grid.spacing_mm)  # a tilt lengthens the step between slices
    assert np.abs(grid.to_index(grid.to_patient([0.0, 0.0, 0.0]))).max() < 1e-6


@quick
@given(volumes(axes=True))
def test_a_volume_fits_its_axes(volume: Volume) -> None:
    assert volume.array.shape[-3:] == volume.geometry.shape
    assert volume.array.ndim == 3 + len(volume.axes)


@quick
@given(regions())
def test_a_region_reads_back(region: Region) -> None:
    assert Region.from_json(region.to_json()) == region


@quick
@given(results())
def test_a_result_reads_back_with_the_same_identity(result: Result) -> None:
    assert from_plain(Result, to_plain(result)).id == result.id


def test_corners_are_reached() -> None:
    settled = settings(max_examples=500, deadline=None, database=None)
    assert not find(geometries(), lambda g: not g.is_orthogonal, settings=settled).is_orthogonal
    empty = find(regions(shapes=(Shape.MASK,)), lambda r: r.voxels == 0, settings=settled)
    assert empty.mask is not None and not empty.mask.any()
    declined = find(results(), lambda r: r.outcome is Outcome.DECLINED, settings=settled)
    assert declined.reasons and not declined.findings
