"""Voxels move to another grid with the same centres, or not at all."""

import itertools

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.space import Geometry, Volume
from isocenter.space.regrid import onto

GRID = Geometry.regular(shape=(3, 4, 5), spacing_mm=(2, 1, 0.5), origin_mm=(7, -3, 11), frame_of_reference="1.2")
VALUES = np.random.default_rng(0).normal(size=GRID.shape).astype(np.float32)


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_any_turn_is_undone(order: tuple[int, int, int], flips: tuple[int, ...]) -> None:
    turned = Volume(VALUES, GRID).permuted(order)
    for axis in flips:
        turned = turned.flipped(axis)
    assert np.array_equal(onto(turned.array, turned.geometry, GRID), VALUES)


def test_a_part_is_put_where_it_was() -> None:
    part = Volume(VALUES, GRID).cropped((1, 1, 2), (3, 3, 5))
    out = onto(part.array, part.geometry, GRID)
    assert np.array_equal(out[1:3, 1:3, 2:5], part.array) and np.count_nonzero(out) == part.array.size


def test_a_single_slice_takes_the_step_of_the_grid() -> None:
    part = Volume(VALUES, GRID).cropped((1, 0, 0), (2, 4, 5))
    affine = part.geometry.affine.copy()
    affine[:3, 0] *= 5
    alone = Geometry(affine, part.geometry.shape, "1.2")
    assert np.array_equal(onto(part.array, alone, GRID)[1], VALUES[1])


def test_zeros_may_lie_outside_and_values_may_not() -> None:
    grown = Volume(VALUES, GRID).padded((1, 1, 1), (1, 0, 2))
    assert np.array_equal(onto(grown.array, grown.geometry, GRID), VALUES)
    full = np.ones(grown.geometry.shape, np.float32)
    with pytest.raises(Refused, match="beyond the wanted grid"):
        onto(full, grown.geometry, GRID)


def test_centres_between_voxels_are_refused() -> None:
    shifted = Geometry.regular(
        shape=GRID.shape, spacing_mm=(2, 1, 0.5), origin_mm=(7.2, -3, 11), frame_of_reference="1.2"
    )
    with pytest.raises(Refused, match="between"):
        onto(VALUES, shifted, GRID)
    with pytest.raises(Refused, match="between"):
        onto(VALUES, GRID.respaced((1, 1, 1)), GRID)
    elsewhere = Geometry(GRID.affine, GRID.shape, "9.9")
    with pytest.raises(Refused, match="frames of reference"):
        onto(VALUES, elsewhere, GRID)
