"""Walls of known thickness around the clock, and where the segments lie."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.myocardium import SEGMENTS, Thickness, levels, segment_means, thickening_percent, wall_thickness

TURN = np.linspace(0, 2 * np.pi, 240, endpoint=False)
CIRCLE = np.stack([np.sin(TURN), np.cos(TURN)], axis=1)


def test_concentric_circles() -> None:
    wall = wall_thickness(22.0 * CIRCLE + 50.0, 31.0 * CIRCLE + 50.0)
    assert wall.thickness_mm == pytest.approx(np.full(72, 9.0), abs=0.05)


def test_an_eccentric_circle_is_thickest_where_it_is_shifted_to() -> None:
    wall = wall_thickness(20.0 * CIRCLE, 30.0 * CIRCLE + np.array([0.0, 4.0]))
    assert wall.thickness_mm[0] == pytest.approx(14.0, abs=0.1)  # to the right of the picture
    assert wall.thickness_mm[36] == pytest.approx(6.0, abs=0.1)


def test_segments_stand_where_the_textbook_has_them() -> None:
    angle = np.arange(0.0, 360.0, 5.0)
    for number, at in ((0, 90), (1, 150), (2, 210), (3, 270), (4, 330), (5, 30)):
        away = np.abs((angle - at + 180) % 360 - 180)
        means = segment_means([("basal", Thickness(angle, (away < 25) * 1.0))])
        assert int(np.argmax([m or 0 for m in means])) == number, SEGMENTS[number]
    for number, at in ((12, 90), (13, 180), (14, 270), (15, 0)):
        away = np.abs((angle - at + 180) % 360 - 180)
        means = segment_means([("apical", Thickness(angle, (away < 40) * 1.0))])
        assert int(np.argmax([m or 0 for m in means])) == number
    assert segment_means([("mid", Thickness(angle, angle * 0 + 7.0))])[6:12] == (7.0,) * 6
    turned = segment_means([("basal", Thickness(angle, (np.abs(angle - 120) < 25) * 1.0))], anterior_deg=120.0)
    assert int(np.argmax([m or 0 for m in turned])) == 0
    assert segment_means([("basal", Thickness(angle, angle * 0 + 7.0))])[16] is None


def test_levels_and_thickening() -> None:
    assert list(levels(range(9)).values()) == ["basal"] * 3 + ["mid"] * 3 + ["apical"] * 3
    assert levels([5]) == {5: "basal"}
    assert thickening_percent([10.0, 8.0, None, 0.0], [15.0, 6.0, 9.0, 3.0]) == (50.0, -25.0, None, None)


def test_outlines_that_cross_are_refused() -> None:
    with pytest.raises(Refused, match="crosses"):
        wall_thickness(20.0 * CIRCLE, 24.0 * CIRCLE + np.array([0.0, 8.0]))
    with pytest.raises(Refused, match="three finite"):
        wall_thickness(CIRCLE[:2], CIRCLE)
