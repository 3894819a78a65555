"""Lean and length by width of outlines, against ellipses along a line."""

import numpy as np
import pytest

from isocenter.methods.outline_shape import elongation, lean_deg

SPACING = (10.0, 1.5, 1.25)
Y, X = (np.arange(n)[:, None] * mm for n, mm in ((120, SPACING[1]), (150, SPACING[2])))


def ellipse(at: tuple[float, float], down: float, across: float) -> np.ndarray:
    return ((Y - at[0]) / down) ** 2 + ((X.T - at[1]) / across) ** 2 < 1


@pytest.mark.parametrize(("degrees", "towards"), [(0, 0), (20, 0), (35, 90), (45, 215)])
def test_lean_is_the_angle_of_the_line_through_the_middles(degrees: float, towards: float) -> None:
    away = np.tan(np.deg2rad(degrees)) * SPACING[0]
    step = away * np.array([np.sin(np.deg2rad(towards)), np.cos(np.deg2rad(towards))])
    cavity = np.stack([ellipse(tuple(np.array([90.0, 92.0]) + k * step), 20.0, 20.0) for k in range(-3, 4)])
    assert lean_deg(cavity, range(7), SPACING) == pytest.approx(degrees, abs=0.5)


def test_one_slice_leans_nowhere() -> None:
    assert lean_deg(ellipse((90.0, 92.0), 20.0, 20.0)[None], [0], SPACING) == 0.0


@pytest.mark.parametrize(("down", "across"), [(20.0, 20.0), (32.0, 20.0), (15.0, 30.0)])
def test_elongation_is_that_of_the_axes_of_an_ellipse(down: float, across: float) -> None:
    expected = max(down, across) / min(down, across)
    assert elongation(ellipse((90.0, 92.0), down, across), SPACING[1:]) == pytest.approx(expected, rel=0.04)
