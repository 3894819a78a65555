"""Straight pieces that hold as much all along, told from lumps and bends, in slices that cross them and that do not."""

import numpy as np
import numpy.typing as npt
import pytest
from scipy.ndimage import gaussian_filter

from isocenter.methods.even_tube import even_tubes

SPACING = (3.0, 0.5, 0.5)


def tube(axis: tuple[float, float, float], *, bend_mm: float = 0.0, lump: float = 0.0) -> npt.NDArray[np.float32]:
    """18 mm of a tube of 3 mm in 45 HU, on a grid of 0.5 mm that is then averaged to slices of 3 mm."""
    along = np.array(axis) / np.linalg.norm(axis)
    aside = np.cross(along, (0.3, 0.5, 0.8))
    aside /= np.linalg.norm(aside)
    places = (np.stack(np.indices((72, 72, 72)), -1) - 35.5) * 0.5
    s = places @ along
    middle = places - np.outer(s.ravel(), along).reshape(places.shape) - (bend_mm * (s / 9.0) ** 2)[..., None] * aside
    within = (np.linalg.norm(middle, axis=-1) < 1.5) & (np.abs(s) < 9.0)
    hu = np.where(within, 500.0 + lump * np.sin(0.7 * s), 0.0)
    smooth = gaussian_filter(hu, (0.5, 0.8, 0.8))
    return np.asarray(smooth.reshape(12, 6, 72, 72).mean(axis=1) + 45.0, np.float32)


@pytest.mark.parametrize("axis", [(1, 0.0, 0.05), (0, 1, 0.3), (1, 1, 0.4)])
def test_an_even_tube_is_found_with_its_length(axis: tuple[float, float, float]) -> None:
    hu = tube(axis)
    (length,) = even_tubes(hu, hu >= 130, SPACING)
    assert length == pytest.approx(18.0, abs=3.5)


@pytest.mark.parametrize("how", [{"bend_mm": 12.0}, {"lump": 350.0}])
def test_what_bends_or_holds_lumps_is_none(how: dict[str, float]) -> None:
    hu = tube((0, 1, 0.3), **how)
    assert not even_tubes(hu, hu >= 130, SPACING)


def test_a_spot_and_nothing_are_none() -> None:
    hu = tube((0, 1, 0.3))
    assert not even_tubes(hu[:, :30], hu[:, :30] >= 130, SPACING)
    assert not even_tubes(hu, np.zeros(hu.shape, bool), SPACING)
