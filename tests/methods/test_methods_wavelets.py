"""Wavelets against their defining properties."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import wavelets
from isocenter.methods.wavelets import low_pass, separable_wavelet, simoncelli


@pytest.mark.parametrize("family", ["haar", "db2", "db3", "db8", "db12", "coif1"])
def test_a_scaling_function_is_orthonormal(family: str) -> None:
    h = low_pass(family)
    assert h.sum() == pytest.approx(np.sqrt(2.0), abs=1e-8)
    shifts = [float(h[2 * k :] @ h[: len(h) - 2 * k]) for k in range(len(h) // 2)]
    assert shifts == pytest.approx([1.0] + [0.0] * (len(shifts) - 1), abs=1e-6)


def test_vanishing_moments() -> None:
    """A wavelet with three of them is blind to parabolas."""
    image = np.tile((np.arange(64.0) - 20.0) ** 2, (1, 40, 1))
    assert np.abs(separable_wavelet(image, "db3", "HL")[0, 20, 20:40]).max() < 1e-6
    assert np.abs(separable_wavelet(image, "db2", "HL")[0, 20, 20:40]).max() > 0.1


def test_energy_is_kept_by_all_bands() -> None:
    """An undecimated level doubles the energy of each axis."""
    image = np.random.default_rng(0).normal(size=(8, 10, 12))
    bands = [a + b + c for a in "LH" for b in "LH" for c in "LH"]
    energy = sum((separable_wavelet(image, "db2", b, boundary="periodic") ** 2).sum() for b in bands)
    assert energy == pytest.approx(8.0 * (image**2).sum())


def test_rings_cover_frequencies_once() -> None:
    """Squared, neighbouring levels of Simoncelli's wavelet add to one."""
    f = wavelets.frequencies([64, 64])
    radius = np.sqrt(f[0] ** 2 + f[1] ** 2)
    total = sum(wavelets.ring(f, level) ** 2 for level in (1, 2, 3, 4))
    assert total[(radius > 1 / 16) & (radius < 0.5)] == pytest.approx(1.0)
    assert wavelets.ring(f, 1)[0, 0] == 0.0


def test_the_grid_of_the_consensus() -> None:
    """Odd shapes have their zero in the middle; of even ones both neighbours of zero are as far from it."""
    odd, even = wavelets.band([9], 1), wavelets.band([8], 1)
    assert odd[[0, 4, 5]] == pytest.approx(0.0, abs=1e-12)  # zero and both ends
    assert odd[1] == pytest.approx(np.cos(np.pi / 2 * np.log2(2 * 0.25)), abs=1e-12)
    assert odd[2] == pytest.approx(1.0) and (even == np.roll(even[::-1], 1)).all()


def test_a_ring_is_blind_to_direction() -> None:
    image = np.random.default_rng(0).normal(size=(16, 16, 16))
    assert simoncelli(image.transpose(2, 0, 1)) == pytest.approx(simoncelli(image).transpose(2, 0, 1))
    by_slice = simoncelli(image, by_slice=True)
    assert simoncelli(image[3:4], by_slice=True) == pytest.approx(by_slice[3:4])
    assert simoncelli(image, boundary="mirror").shape == image.shape


def test_refusals() -> None:
    image = np.zeros((4, 4, 4))
    for work, words in (
        (lambda: separable_wavelet(image, "sym4", "LHL"), "wavelet 'sym4'"),
        (lambda: separable_wavelet(image, "db13", "LHL"), "wavelet 'db13'"),
        (lambda: separable_wavelet(image, "db2", "LHX"), "bands 'LHX'"),
        (lambda: separable_wavelet(image, "db2", "LHL", level=0), "level 0"),
        (lambda: simoncelli(image, level=0), "level 0"),
    ):
        with pytest.raises(Refused, match=words):
            work()
