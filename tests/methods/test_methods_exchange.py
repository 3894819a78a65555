"""Curves of exchange models against a fine quadrature and against each other."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.exchange import MODELS, NUMBER, convolved, curve, modelled_with_slopes

T = np.linspace(0, 300, 301)
C = np.interp(T, [0, 10, 20, 300], [0.5, 0.5, 5, 1])
FINE = np.linspace(0, 300, 30001)


def brute(residue: np.ndarray) -> np.ndarray:
    """Trapezoid rule at 0.01 s."""
    artery, step = np.interp(FINE, T, C), FINE[1]
    whole = np.convolve(artery, residue)[: len(FINE)] - 0.5 * (artery * residue[0] + artery[0] * residue)
    return np.interp(T, FINE, step * whole)


def test_tofts_and_patlak() -> None:
    assert curve("tofts", T, C, ktrans=0.25, ve=0.3) == pytest.approx(
        brute(0.25 / 60 * np.exp(-0.25 / 60 / 0.3 * FINE)), abs=1e-6
    )
    assert curve("patlak", T, C, ps=0.05, vp=0.1) == pytest.approx(
        brute(np.full_like(FINE, 0.05 / 60)) + 0.1 * C, abs=1e-6
    )
    both = curve("extended_tofts", T, C, ktrans=0.25, ve=0.3, vp=0.1) - curve("tofts", T, C, ktrans=0.25, ve=0.3)
    assert both == pytest.approx(0.1 * C)


@pytest.mark.parametrize(("fp", "ps", "ve", "vp"), [(25, 0.05, 0.2, 0.1), (5, 0.15, 0.1, 0.02), (80, 1.0, 0.3, 0.05)])
def test_two_compartments_solve_their_equations(fp: float, ps: float, ve: float, vp: float) -> None:
    f, k = fp / 6000, ps / 60
    rates, modes = np.linalg.eig(np.array([[-(f + k) / vp, k / vp], [k / ve, -k / ve]]))
    start = np.linalg.solve(modes, [f / vp, 0.0])
    parts = modes @ (start[:, None] * np.exp(rates[:, None] * FINE))
    assert curve("2cxm", T, C, fp=fp, ps=ps, ve=ve, vp=vp) == pytest.approx(
        brute(vp * parts[0] + ve * parts[1]), abs=2e-6
    )


def test_limits_of_the_models() -> None:
    uptake = curve("2cum", T, C, fp=25, ps=0.05, vp=0.1)
    assert curve("2cxm", T, C, fp=25, ps=0.05, ve=1e6, vp=0.1) == pytest.approx(uptake, abs=1e-6)
    fast = curve("2cum", T, C, fp=1e6, ps=0.05, vp=0.1)
    assert fast[1:] == pytest.approx(curve("patlak", T, C, ps=0.05, vp=0.1)[1:], rel=1e-3, abs=1e-3)


def test_irregular_times_and_delays() -> None:
    some = np.concatenate([T[:100], T[100::3]])
    curved = curve("tofts", some, np.interp(some, T, C), ktrans=0.25, ve=0.3)
    assert curved == pytest.approx(np.interp(some, T, curve("tofts", T, C, ktrans=0.25, ve=0.3)), abs=2e-3)
    late = curve("tofts", T, C, ktrans=0.25, ve=0.3, delay_s=5.0)
    usual = curve("tofts", T, np.interp(T - 5, T, C), ktrans=0.25, ve=0.3)
    assert late == pytest.approx(usual)


def test_what_is_no_model() -> None:
    with pytest.raises(Refused, match="tofts"):
        curve("tofts", T, C, ktrans=0.2)
    with pytest.raises(Refused, match="rise"):
        curve("tofts", T[::-1], C, ktrans=0.2, ve=0.3)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize("low", [False, True])
def test_slopes_are_those_of_the_curves(model: str, low: bool) -> None:
    """Both the closed form and the series for slow exchange, against differences of the curves."""
    values = {"ktrans": 0.25, "ps": 0.08, "fp": 30.0, "ve": 0.3, "vp": 0.06} | ({"ktrans": 1e-3} if low else {})
    values |= {"ps": 1e-3} if low else {}
    names = MODELS[model]
    p = np.array([values[name] for name in names])
    integral, work, out, slopes = np.empty(301), np.empty((4, 301)), np.empty(301), np.empty((len(names), 301))
    convolved(T, C, 0.0, integral)
    modelled_with_slopes(NUMBER[model], p, T, C, integral, work, out, slopes)
    assert out == pytest.approx(curve(model, T, C, **dict(zip(names, p, strict=True))), rel=1e-12)
    for k, name in enumerate(names):
        far = 1e-4 * p[k]
        above, below = (
            curve(model, T, C, **dict(zip(names, p, strict=True)) | {name: p[k] + s * far}) for s in (1, -1)
        )
        assert slopes[k] == pytest.approx((above - below) / (2 * far), rel=1e-5, abs=1e-6 * np.abs(slopes[k]).max())
