"""A region whose array is stored the other way round is the same region: voxels, areas and contours stay."""

import numpy as np
import pytest

from isocenter.methods.volumetry import measure
from isocenter.space import Geometry, Region
from isocenter.space.outline import filled

GRID = Geometry.regular(shape=(4, 30, 40), spacing_mm=(3.0, 0.8, 0.9), origin_mm=(5.0, -7.0, 11.0))
TURN = np.linspace(0, 2 * np.pi, 90, endpoint=False)


def drawn() -> Region:
    """An ellipse in the first two slices and a smaller one in the third; nothing in the last."""
    lines = {
        k: [np.stack([13.3 + r * np.sin(TURN), 18.6 + 1.4 * r * np.cos(TURN)], 1)]
        for k, r in enumerate((9.0, 9.0, 5.0))
    }
    mask = np.zeros(GRID.shape, bool)
    for k, own in lines.items():
        mask[k] = filled(own, GRID.shape[1:])
    areas = {k: float(mask[k].sum()) * 0.72 for k in lines}
    return Region.of_contours(
        GRID, mask, areas, series_uid="1.2", label="GTV", images=frozenset({"1.2.3"}), outlines=lines
    )


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_what_is_measured_stays(axis: int) -> None:
    region = drawn()
    turned = region.flipped(axis)
    here, there = measure(region), measure(turned)
    assert there.axes.long_mm == pytest.approx(here.axes.long_mm, abs=1e-9)
    assert there.axes.centre_mm == pytest.approx(here.axes.centre_mm) and there.volume_ml == here.volume_ml
    assert (turned.label, turned.series_uid, turned.images) == (region.label, region.series_uid, region.images)


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_twice_is_as_it_was(axis: int) -> None:
    region = drawn()
    again = region.flipped(axis).flipped(axis)
    assert again.geometry.same_grid(region.geometry) and np.array_equal(again.mask, region.mask)
    assert again.drawn_mm2 == region.drawn_mm2 and again.outlines is not None and region.outlines is not None
    for k, own in region.outlines.items():
        assert np.allclose(again.outlines[k][0], own[0], atol=1e-12)
