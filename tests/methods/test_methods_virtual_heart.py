"""The virtual heart keeps its rules: labels where a ventricle is, blood bright, muscle dark, the same for a seed."""

import numpy as np
import pytest

from isocenter.methods.virtual_heart import Anatomy, VirtualHeart

USUAL = Anatomy(base_radius_mm=25.0, length_mm=88.0, wall_mm=9.0, ejected=0.6, descent_mm=10.0)


def test_the_same_seed_gives_the_same_heart() -> None:
    one, two = (VirtualHeart(5).rendered([30.0], [0.0, 1.0]) for _ in range(2))
    assert np.array_equal(one.pictures, two.pictures) and np.array_equal(one.cavity, two.cavity)
    assert not np.array_equal(one.pictures, VirtualHeart(6).rendered([30.0], [0.0, 1.0]).pictures)


@pytest.mark.parametrize("seed", range(4))
def test_labels_and_signal(seed: int) -> None:
    made = VirtualHeart(seed, USUAL).rendered([-20.0, 25.0, 45.0, 120.0], [0.0, 1.0], noise=0.01)
    area = made.cavity.sum(axis=(2, 3)) * 2.25
    assert (area[:, 0] == 0).all() and (area[:, 3] == 0).all()  # in the atrium, and beyond the apex
    middle = area[:, 1:3]
    assert (middle[1] < 0.75 * middle[0]).all() and (middle > 100).all()
    assert np.pi * 15**2 < middle[0, 0] < np.pi * 29**2
    assert (made.epicardium >= made.cavity - 1e-6).all()
    blood = made.cavity[0, 2] > 0.99
    muscle = (made.epicardium[0, 2] > 0.99) & (made.cavity[0, 2] < 0.01)
    assert np.median(made.pictures[0, 2][blood]) > 1.4 * np.median(made.pictures[0, 2][muscle])


def test_anatomies_are_those_of_hearts() -> None:
    drawn = [VirtualHeart(seed).shape for seed in range(60)]
    assert all(15 <= a.base_radius_mm <= 41 and 5 <= a.wall_mm <= 19 and 60 <= a.length_mm <= 116 for a in drawn)
    assert len({round(a.ejected, 6) for a in drawn}) == 60


def test_size_and_step_are_as_asked() -> None:
    made = VirtualHeart(1, USUAL, plain=True).rendered([30.0, 40.0], [0.0], size=96, step_mm=2.0)
    assert made.pictures.shape == (1, 2, 96, 96)
    wide = made.cavity.sum(axis=(2, 3)) * 4.0
    fine = (
        VirtualHeart(1, USUAL, plain=True).rendered([30.0, 40.0], [0.0], size=192, step_mm=1.0).cavity.sum(axis=(2, 3))
    )
    assert wide == pytest.approx(fine, rel=0.02)
