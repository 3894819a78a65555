"""On which side of a painted ventricle it is brighter."""

import numpy as np
import pytest

from isocenter.methods.beside_ventricle import brighter_side

Y, X = np.mgrid[:80, :80] - 39.5
R, ANGLE = np.hypot(Y, X) * 1.5, np.degrees(np.arctan2(-Y, X)) % 360
CAVITY, MUSCLE = (np.repeat(m[None], 4, 0) for m in (R < 20, (R >= 20) & (R < 30)))


@pytest.mark.parametrize("side", [0, 90, 205, 330])
def test_the_side_is_counted_from_the_right_of_the_picture_counter_clockwise(side: float) -> None:
    off = np.abs((ANGLE - side + 180) % 360 - 180)
    picture = np.where(R < 20, 1.0, np.where(R < 30, 0.5, np.where(off < 50, 0.9, 0.0)))
    found, pull = brighter_side(np.repeat(picture[None], 4, 0).astype(np.float32), CAVITY, MUSCLE, range(4), (1.5, 1.5))
    assert abs((found - side + 180) % 360 - 180) < 2 and 0.2 < pull < 0.6


def test_what_is_even_all_round_or_has_dark_blood_pulls_nowhere() -> None:
    even = np.where(CAVITY, 1.0, np.where(MUSCLE, 0.5, 0.2)).astype(np.float32)
    assert brighter_side(even, CAVITY, MUSCLE, range(4), (1.5, 1.5))[1] < 0.02
    assert brighter_side(1 - even, CAVITY, MUSCLE, range(4), (1.5, 1.5)) == (0.0, 0.0)
