"""Phase in every scale that scanners write, and none that is guessed."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.complex_images import from_magnitude_and_phase, from_parts, radians

ANGLES = np.linspace(-np.pi, np.pi, 4001)[:-1]


@pytest.mark.parametrize(
    "scaled",
    [
        ANGLES,
        1000 * ANGLES,
        4096 / np.pi * ANGLES,
        2048 / np.pi * ANGLES + 2048,
        180 / np.pi * ANGLES,
        2048 / np.pi * ANGLES,
        32768 / np.pi * ANGLES,
        32768 / np.pi * ANGLES + 32768,
        np.mod(ANGLES, 2 * np.pi),
        1000 * np.mod(ANGLES, 2 * np.pi),
        np.degrees(np.mod(ANGLES, 2 * np.pi)),
    ],
    ids=[
        "radians",
        "thousandths",
        "4096 to half a turn",
        "12 bits",
        "degrees",
        "12 bits about zero",
        "16 bits about zero",
        "16 bits",
        "radians from zero",
        "thousandths from zero",
        "degrees from zero",
    ],
)
def test_scales_of_phase(scaled: np.ndarray) -> None:
    assert np.abs(np.exp(1j * radians(scaled)) - np.exp(1j * ANGLES)).max() < 2e-3
    both = from_magnitude_and_phase(np.full(4000, 3.0), scaled)
    assert np.abs(both - 3 * np.exp(1j * ANGLES)).max() < 6e-3


def test_what_is_no_phase_and_no_part() -> None:
    for wrong in (0.4 * ANGLES, 500 * ANGLES, np.zeros(10)):
        with pytest.raises(Refused, match="scale is not known"):
            radians(wrong)
    with pytest.raises(Refused, match="never negative"):
        from_parts(np.ones(4), np.ones(4))
    with pytest.raises(Refused, match="must fit"):
        from_parts(np.ones(4), -np.ones(5))
    with pytest.raises(Refused, match="not numbers"):
        from_parts(np.full(4, np.nan), np.ones(4))
    assert from_parts(np.array([1.0, -2.0]), np.array([0.5, 1.0]))[1] == -2 + 1j


@pytest.mark.parametrize("half", [180.0, 2048.0, 32768.0])
def test_a_range_that_velocities_fill_too_tells_no_scale_of_them(half: float) -> None:
    """-180 to 180 may be degrees or cm/s."""
    filled = np.array([-half, 0.0, half - 1.0])
    assert radians(filled).max() == pytest.approx(np.pi, rel=0.01)
    with pytest.raises(Refused, match="scale is not known"):
        radians(filled, or_velocity=True)
