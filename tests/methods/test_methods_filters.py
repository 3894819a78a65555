"""Filters of images whose response is known."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import filters

ONE = (1.0, 1.0, 1.0)


def test_a_constant_image_has_no_edges() -> None:
    flat = np.full((9, 9, 9), 40.0)
    assert filters.mean(flat, 5) == pytest.approx(flat)
    assert np.abs(filters.laws(flat, "E5E5E5")).max() < 1e-9
    assert np.abs(filters.laplacian_of_gaussian(flat, 2.0, ONE)).max() < 0.2


def test_the_laplacian_of_a_parabola() -> None:
    """x^2 + y^2 + z^2 has the Laplacian 6 everywhere; by slice 4."""
    place = np.indices((31, 31, 31)) - 15.0
    image = (place**2).sum(axis=0)
    assert filters.laplacian_of_gaussian(image, 1.5, ONE, truncate=6.0)[15, 15, 15] == pytest.approx(6.0, abs=1e-3)
    by_slice = filters.laplacian_of_gaussian(image, 1.5, ONE, truncate=6.0, by_slice=True)
    assert by_slice[15, 15, 15] == pytest.approx(4.0, abs=1e-3)


@pytest.mark.parametrize(("boundary", "wanted"), [("zero", 3.6), ("nearest", 7.2), ("periodic", 7.8), ("mirror", 6.0)])
def test_what_lies_beyond_the_edge(boundary: str, wanted: float) -> None:
    image = np.tile(np.array([9.0, 3.0, 6.0, 15.0]), (1, 5, 1))
    assert filters.mean(image, 5, boundary=boundary, by_slice=True)[0, 2, 0] == pytest.approx(wanted)


def test_rotation_invariance() -> None:
    """The pooled response of a turned image is the turned response."""
    image = np.random.default_rng(0).normal(size=(8, 8, 8))
    turned = np.rot90(image, axes=(0, 2))
    for pooling in ("max", "mean"):
        one, other = (
            filters.laws(i, "L5E5S5", rotation_invariant=True, pooling=pooling, energy=1) for i in (image, turned)
        )
        assert other == pytest.approx(np.rot90(one, axes=(0, 2)))
    plain = filters.laws(turned, "L5E5S5")
    assert not np.allclose(plain, np.rot90(filters.laws(image, "L5E5S5"), axes=(0, 2)))


def test_there_are_24_turns_of_a_cube_and_4_of_a_square() -> None:
    assert len(set(filters._turns(3))) == 24 and len(set(filters._turns(2))) == 4
    for order, signs in filters._turns(3):
        assert np.linalg.det(np.eye(3)[list(order)] * np.array(signs)[:, None]) == pytest.approx(1.0)


def test_refusals() -> None:
    image = np.zeros((4, 4, 4))
    with pytest.raises(Refused, match="needs a middle"):
        filters.mean(image, 4)
    with pytest.raises(Refused, match="boundary condition 'sky'"):
        filters.mean(image, 3, boundary="sky")
    with pytest.raises(Refused, match="Laws kernels 'L5Q5'"):
        filters.laws(image, "L5Q5")
    with pytest.raises(Refused, match="finer than the voxels"):
        filters.laplacian_of_gaussian(image, 0.1, ONE)
    with pytest.raises(Refused, match="an image of shape"):
        filters.mean(image[0], 3)
    with pytest.raises(Refused, match="not numbers"):
        filters.mean(np.full((3, 3, 3), np.nan), 3)
