"""On which side of a painted ventricle blood and tissue lie, and beside which slices blood moves."""

import numpy as np
import pytest

from isocenter.methods.beside_ventricle import beside_ventricle

Y, X = np.mgrid[:80, :80] - 39.5
R, ANGLE = np.hypot(Y, X) * 1.5, np.degrees(np.arctan2(-Y, X)) % 360
CAVITY, MUSCLE = (np.repeat(m[None], 8, 0) for m in (R < 20, (R >= 20) & (R < 30)))
BEAT = 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(8) / 8)


def around(deg: float, wide: float) -> np.ndarray:
    return np.asarray(np.abs((ANGLE - deg + 180) % 360 - 180) < wide)


def painted(blood_deg: float, tissue_deg: float, slices: int = 8) -> np.ndarray:
    """(phases, 8, rows, columns): blood that comes and goes within still tissue; the last slices have none."""
    still = np.where(R < 20, 1.0, np.where(R < 30, 0.5, np.where(around(tissue_deg, 90), 0.4, 0.0)))
    made = np.repeat(np.repeat(still[None, None], 8, 0), 8, 1)
    right = around(blood_deg, 40) & (R > 30) & (R < 50)
    for phase, squeeze in enumerate(BEAT):
        made[phase, :slices, right] = 0.95 - 0.4 * squeeze
    return made.astype(np.float32)


@pytest.mark.parametrize(("blood", "tissue"), [(180, 220), (0, 320), (90, 130), (300, 10)])
def test_sides_are_counted_from_the_right_of_the_picture_counter_clockwise(blood: float, tissue: float) -> None:
    found = beside_ventricle(painted(blood, tissue), 0, CAVITY, MUSCLE, range(8), (1.5, 1.5))
    assert abs((found.blood[0] - blood + 180) % 360 - 180) < 3 and found.blood[1] > 0.6
    assert abs((found.tissue[0] - tissue + 180) % 360 - 180) < 8 and found.tissue[1] > 0.5


def test_blood_beside_each_slice() -> None:
    moving = beside_ventricle(painted(180, 220, slices=5), 0, CAVITY, MUSCLE, range(8), (1.5, 1.5)).moving_mm2
    assert moving[:5] == pytest.approx([moving[0]] * 5) and moving[0] > 100 and not moving[5:].any()


def test_at_the_edge_of_the_picture_what_is_not_seen_says_nothing() -> None:
    half = slice(None), slice(None), slice(None), slice(0, 62)
    whole, cut = (
        beside_ventricle(painted(180, 220)[part], 0, CAVITY[part[1:]], MUSCLE[part[1:]], range(8), (1.5, 1.5))
        for part in ((slice(None),) * 4, half)
    )
    assert abs(cut.tissue[0] - whole.tissue[0]) < 15 and abs(cut.blood[0] - whole.blood[0]) < 3


def test_what_is_even_all_round_or_has_dark_blood_lies_nowhere() -> None:
    even = np.where(R < 20, 1.0, np.where(R < 30, 0.5, 0.3)) * np.ones((8, 8, 1, 1))
    for greys in (even, 1 - even):
        found = beside_ventricle(greys.astype(np.float32), 0, CAVITY, MUSCLE, range(8), (1.5, 1.5))
        assert found.blood[1] < 0.02 and found.tissue[1] < 0.02 and not found.moving_mm2.any()
