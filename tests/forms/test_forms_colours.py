"""Scales of colour: even to the eye, monotone in lightness, and apart from the marks beyond their ends."""

import numpy as np
import numpy.typing as npt
import pytest

from isocenter.errors import Refused
from isocenter.forms.colours import ABOVE, BELOW, SCALES, Scale, scale_for


def lab(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.float64]:
    """CIE L*a*b* (D65) of sRGB, IEC 61966-2-1."""
    c = np.asarray(rgb, np.float64) / 255
    linear = np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)
    xyz = linear @ np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.072175],
                             [0.0193339, 0.119192, 0.9503041]]).T / (0.95047, 1, 1.08883)  # fmt: skip
    f = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    return np.stack([116 * f[..., 1] - 16, 500 * (f[..., 0] - f[..., 1]), 200 * (f[..., 1] - f[..., 2])], axis=-1)


@pytest.mark.parametrize("name", SCALES)
def test_a_scale_is_even_to_the_eye(name: str) -> None:
    scale = Scale(name)
    seen = lab(scale.colours(np.linspace(0, 1, 33)))
    steps = np.linalg.norm(np.diff(seen, axis=0), axis=1)
    assert steps.max() < 1.7 * steps.mean() and steps.min() > 0.5 * steps.mean()  # "jet" has 2.3 and 0.2
    lighter = np.diff(seen[:, 0])
    half = len(lighter) // 2
    assert (lighter[:half] > 0).all() and (lighter[half:] < 0).all() if scale.diverging else (lighter > 0).all()
    for mark in (ABOVE, BELOW):
        fine = lab(scale.colours(np.linspace(0, 1, 257)))
        assert np.linalg.norm(fine - lab(np.array(mark)), axis=1).min() > 20
    assert np.array_equal(scale.colours(np.array([-1.0, 2.0])), scale.colours(np.array([0.0, 1.0])))


def test_a_rainbow_is_refused_and_a_map_gets_its_scale() -> None:
    with pytest.raises(Refused, match="jet"):
        Scale("jet")
    assert [scale_for(*of).name for of in (("flow", "mL/min", 0, 9), ("fat", "%", 0, 9), ("Tmax", "s", 0, 9),
                                           ("field", "Hz", -9, 9), ("flow", "mL/min", -0.1, 9))] == [
        "inferno", "magma", "viridis", "vik", "inferno"]  # fmt: skip
