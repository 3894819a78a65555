"""Masks: the image's own voxels are taken as they are, others by how far the answer hangs on the outline."""

from dataclasses import replace
from typing import Literal

import numpy as np
import pytest
from other_grids import coarser, elsewhere, finer, must_refuse, turned

from isocenter.catalogue.mask_grid import laid
from isocenter.errors import Refused
from isocenter.space import Geometry, Region

GRID = Geometry.regular(shape=(6, 20, 24), spacing_mm=(3.0, 1.0, 1.0), frame_of_reference="2.25.1")
BALL = np.zeros(GRID.shape, bool)
BALL[1:5, 4:13, 6:21] = np.random.default_rng(3).random((4, 9, 15)) > 0.3
REGION = Region(GRID, mask=BALL, label="lesion")


@pytest.mark.parametrize("mean", [True, False])
def test_the_images_own_voxels_are_taken_as_they_are(mean: bool) -> None:
    whole = replace(GRID.flipped(1), affine=GRID.flipped(1).affine)
    for given in (REGION, turned(REGION), Region(whole, mask=BALL[:, ::-1], label="lesion")):
        moved, told = laid(given, GRID, mean=mean)
        assert told == () and moved.geometry.same_grid(GRID) and np.array_equal(np.asarray(moved.mask), BALL)


def test_one_slice_does_not_say_how_thick_it_is() -> None:
    thin = Geometry.regular(shape=(1, 20, 24), origin_mm=(0.0, 0.0, 6.0), frame_of_reference="2.25.1")
    moved, told = laid(Region(thin, mask=BALL[2:3]), GRID)
    assert told == () and np.array_equal(np.asarray(moved.mask)[2], BALL[2]) and moved.voxels == BALL[2].sum()


def test_other_voxels_are_refused_where_the_answer_hangs_on_the_outline() -> None:
    must_refuse(lambda region: laid(region, GRID), REGION)
    must_refuse(lambda region: laid(region, GRID, mean=True), REGION, mean=True)
    halfway = replace(GRID, affine=GRID.affine + np.array([[0, 0, 0, 0.5], [0] * 4, [0] * 4, [0] * 4]))
    with pytest.raises(Refused, match="its voxels lie between those of the image"):
        laid(Region(halfway, mask=BALL), GRID)
    beyond = GRID.cropped((0, 0, 0), (6, 20, 18))
    with pytest.raises(Refused, match="it marks voxels beyond the image"):
        laid(REGION, beyond)
    leans = GRID.affine.copy()
    leans[1, 2] = 0.004  # over a row of 24 voxels a tenth of one: nothing is marked beyond the image
    with pytest.raises(Refused, match="its axes or sizes differ by little"):
        laid(Region(replace(GRID, affine=leans), mask=BALL), GRID)


@pytest.mark.parametrize(("other_grid", "mean"), [("nearest", False), ("nearest", True), ("refuse", True)])
def test_what_is_taken_all_the_same_is_told(other_grid: Literal["refuse", "nearest"], mean: bool) -> None:
    moved, told = laid(finer(REGION), GRID, other_grid, mean=mean)
    assert np.array_equal(np.asarray(moved.mask), BALL)  # a finer mask of the same outline says the same
    assert len(told) == 1 and told[0].startswith("'lesion': its mask (6 x 40 x 48 voxels of 3 x 0.5 x 0.5 mm")
    if other_grid == "nearest":
        assert laid(coarser(REGION), GRID, other_grid, mean=mean)[0].geometry.same_grid(GRID)
        with pytest.raises(Refused, match="two frames of reference"):
            laid(elsewhere(REGION), GRID, other_grid, mean=mean)


def test_a_plane_that_leans_a_little_is_no_coarser() -> None:
    angle = np.radians(10.0)
    lean = np.eye(4)
    lean[:2, :2] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    region = Region(replace(GRID, affine=lean @ GRID.affine), mask=BALL)
    with pytest.raises(Refused, match="its axes are turned"):
        laid(region, GRID)
    assert len(laid(region, GRID, mean=True)[1]) == 1
