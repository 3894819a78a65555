"""Contrast agent between blood and tissue: curves of the models that dynamic contrast-enhanced imaging fits.

Each residue is a constant, an impulse and at most two exponentials, so each curve is the plasma curve convolved with
exponentials. The plasma curve is taken as straight between its samples, and the convolution is then exact: no sum over
samples, whose error is of the size of what is measured. Rates are **per second** here and only here; the fits take and
give the field's units (1/min, mL/100 mL/min), and the names say which.

Sources: Tofts et al., J Magn Reson Imaging 10 (1999) 223; Sourbron & Buckley, Phys Med Biol 57 (2012) R1; Patlak et
al., J Cereb Blood Flow Metab 3 (1983) 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused

__all__ = ["MODELS", "curve"]

MODELS: dict[str, tuple[str, ...]] = {
    "tofts": ("ktrans", "ve"),
    "extended_tofts": ("ktrans", "ve", "vp"),
    "patlak": ("ps", "vp"),
    "2cum": ("fp", "ps", "vp"),
    "2cxm": ("fp", "ps", "ve", "vp"),
}
"""Model -> its parameters: ktrans and ps in 1/min, fp in mL/100 mL/min, ve and vp as fractions."""

NUMBER = {"tofts": 0, "extended_tofts": 1, "patlak": 2, "2cum": 3, "2cxm": 4}


def curve(
    model: str, times_s: npt.ArrayLike, plasma: npt.ArrayLike, *, delay_s: float = 0.0, **parameters: float
) -> npt.NDArray[np.float64]:
    """Concentration in the tissue.

    Args:
        model: one of `MODELS`.
        times_s: (n,) rising, seconds.
        plasma: (n,) concentration in the plasma of the artery.
        delay_s: of the arrival in the tissue behind the artery.
        parameters: those of the model, in the units of `MODELS`.

    Returns:
        (n,) in the unit of `plasma`.

    Raises:
        Refused: for an unknown model or another set of parameters.

    >>> t = np.arange(0, 300, 1.0)
    >>> flat = curve("patlak", t, np.ones(300), ps=0.06, vp=0.1)
    >>> round(float(flat[100]), 6)
    0.2
    """
    if model not in MODELS or set(parameters) != set(MODELS[model]):
        known = {name: ", ".join(p) for name, p in MODELS.items()}
        raise Refused(
            f"model '{model}' with {', '.join(parameters) or 'no parameters'}",
            f"there are {known}",
            "name one of these with its parameters",
        )
    t, c = np.asarray(times_s, np.float64), np.asarray(plasma, np.float64)
    if t.shape != c.shape or len(t) < 2 or (np.diff(t) <= 0).any():
        raise Refused(
            f"{len(t)} times for {len(c)} concentrations",
            "times must rise, one for each",
            "give rising times, one for each concentration",
        )
    values = np.array([parameters[name] for name in MODELS[model]], np.float64)
    out, work = np.empty(len(t)), np.empty((8, len(t)))
    modelled(NUMBER[model], values, delay_s, t, c, work, out)
    return out


@njit(cache=True, error_model="numpy")
def shifted(times: Any, plasma: Any, delay: float, out: Any) -> None:
    """The plasma curve `delay` seconds later, straight between samples; before the first it is the first."""
    n = len(times)
    j = 0
    for i in range(n):
        at = times[i] - delay
        if at <= times[0]:
            out[i] = plasma[0]
            continue
        if at >= times[n - 1]:
            out[i] = plasma[n - 1]
            continue
        while j > 0 and times[j] > at:
            j -= 1
        while times[j + 1] < at:
            j += 1
        share = (at - times[j]) / (times[j + 1] - times[j])
        out[i] = plasma[j] + share * (plasma[j + 1] - plasma[j])


@njit(cache=True, error_model="numpy")
def convolved(times: Any, plasma: Any, rate: float, out: Any) -> None:
    """Integral of plasma(u) exp(-rate (t - u)) from the first time to each; exact between samples."""
    out[0] = 0.0
    before, fade, first, whole = -1.0, 0.0, 0.0, 0.0
    for i in range(1, len(times)):
        step = times[i] - times[i - 1]
        a, b = plasma[i - 1], plasma[i]
        if step == before:  # regular scans need one exponential, not one a sample
            out[i] = out[i - 1] * fade + a * first + b * (whole - first)
            continue
        before = step
        x = rate * step
        if x < 1e-3:  # series, where the closed form would lose its digits
            fade = 1.0 - x * (1.0 - x * (0.5 - x / 6.0))
            first = step * (0.5 - x * (1.0 / 3.0 - x * (0.125 - x / 30.0)))
            whole = step * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x / 24.0)))
        else:
            fade = np.exp(-x)
            whole = (1.0 - fade) / rate
            first = (whole - step * fade) / x
        # `first` weighs the sample before, `whole - first` the sample now.
        out[i] = out[i - 1] * fade + a * first + b * (whole - first)


@njit(cache=True, error_model="numpy")
def modelled(model: int, p: Any, delay: float, times: Any, plasma: Any, work: Any, out: Any) -> None:
    """One curve; `work` is (at least 3, n) of scratch. Parameters in the units and order of `MODELS`."""
    source, one, two = work[0], work[1], work[2]
    n = len(times)
    if delay != 0.0:
        shifted(times, plasma, delay, source)
    else:
        for i in range(n):
            source[i] = plasma[i]
    if model == 0 or model == 1:
        ktrans = p[0] / 60.0
        vp = p[2] if model == 1 else 0.0
        convolved(times, source, ktrans / max(p[1], 1e-9), one)
        for i in range(n):
            out[i] = ktrans * one[i] + vp * source[i]
    elif model == 2:
        convolved(times, source, 0.0, one)
        for i in range(n):
            out[i] = p[0] / 60.0 * one[i] + p[1] * source[i]
    elif model == 3:
        fp, ps, vp = p[0] / 6000.0, p[1] / 60.0, max(p[2], 1e-9)
        extracted = ps / (fp + ps)
        convolved(times, source, (fp + ps) / vp, one)
        convolved(times, source, 0.0, two)
        for i in range(n):
            out[i] = fp * ((1.0 - extracted) * one[i] + extracted * two[i])
    else:
        fp, ps, ve, vp = p[0] / 6000.0, p[1] / 60.0, max(p[2], 1e-9), max(p[3], 1e-9)
        total, product = (fp + ps) / vp + ps / ve, fp * ps / (vp * ve)
        root = np.sqrt(max(total * total - 4.0 * product, 0.0))
        fast = 0.5 * (total + root)
        slow = product / fast  # the difference of two near numbers would lose its digits
        share = (fast - fp / vp) / (fast - slow) if root > 1e-12 else 0.5
        convolved(times, source, fast, one)
        convolved(times, source, slow, two)
        for i in range(n):
            out[i] = fp * ((1.0 - share) * one[i] + share * two[i])


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def convolved_with_slope(times: Any, plasma: Any, rate: float, out: Any, slope: Any) -> None:
    """As `convolved`, and how the integral changes with the rate."""
    out[0], slope[0] = 0.0, 0.0
    before, fade, first, whole, faded, firsts, wholes = -1.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0
    now, turned = 0.0, 0.0
    for i in range(1, len(times)):
        step = times[i] - times[i - 1]
        if step != before:
            before = step
            x = rate * step
            if x < 1e-3:
                fade = 1.0 - x * (1.0 - x * (0.5 - x / 6.0))
                first = step * (0.5 - x * (1.0 / 3.0 - x * (0.125 - x / 30.0)))
                whole = step * (1.0 - x * (0.5 - x * (1.0 / 6.0 - x / 24.0)))
                firsts = -step * step * (1.0 / 3.0 - x * (0.25 - x / 10.0))
                wholes = -step * step * (0.5 - x * (1.0 / 3.0 - x / 8.0))
            else:
                fade = np.exp(-x)
                whole = (1.0 - fade) / rate
                first = (whole - step * fade) / x
                wholes = (step * fade - whole) / rate
                firsts = (wholes + step * step * fade) / x - first / rate
            faded = -step * fade
        a, b = plasma[i - 1], plasma[i]
        turned = turned * fade + (now * faded + a * firsts + b * (wholes - firsts))
        now = now * fade + (a * first + b * (whole - first))
        out[i], slope[i] = now, turned


@njit(cache=True, error_model="numpy")
def modelled_with_slopes(
    model: int, p: Any, times: Any, source: Any, integral: Any, work: Any, out: Any, slopes: Any
) -> None:
    """One curve, and how it changes with each parameter of the model.

    `source` is the plasma curve where it arrives, `integral` its integral over time, `work` (4, n) of scratch; `out` is
    (n,) and `slopes` (parameters, n).
    """
    one, one_by, two, two_by = work[0], work[1], work[2], work[3]
    n = len(times)
    if model == 0 or model == 1:
        ktrans, ve = p[0] / 60.0, max(p[1], 1e-9)
        rate = ktrans / ve
        convolved_with_slope(times, source, rate, one, one_by)
        vp = p[2] if model == 1 else 0.0
        for i in range(n):
            out[i] = ktrans * one[i] + vp * source[i]
            slopes[0, i] = (one[i] + rate * one_by[i]) / 60.0
            slopes[1, i] = -rate * rate * one_by[i]
            if model == 1:
                slopes[2, i] = source[i]
    elif model == 2:
        for i in range(n):
            out[i] = p[0] / 60.0 * integral[i] + p[1] * source[i]
            slopes[0, i] = integral[i] / 60.0
            slopes[1, i] = source[i]
    elif model == 3:
        fp, ps, vp = p[0] / 6000.0, p[1] / 60.0, max(p[2], 1e-9)
        both = fp + ps
        rate, stays, kept = both / vp, fp / both, ps / both
        convolved_with_slope(times, source, rate, one, one_by)
        for i in range(n):
            by_rate = fp * stays * one_by[i]
            out[i] = fp * (stays * one[i] + kept * integral[i])
            swap = stays * stays * (integral[i] - one[i])
            slopes[0, i] = (stays * (1.0 + kept) * one[i] + kept * kept * integral[i] + by_rate / vp) / 6000.0
            slopes[1, i] = (swap + by_rate / vp) / 60.0
            slopes[2, i] = -by_rate * rate / vp
    else:
        fp, ps, ve, vp = p[0] / 6000.0, p[1] / 60.0, max(p[2], 1e-9), max(p[3], 1e-9)
        total, product = (fp + ps) / vp + ps / ve, fp * ps / (vp * ve)
        root = np.sqrt(max(total * total - 4.0 * product, 0.0))
        fast = 0.5 * (total + root)
        slow = product / fast
        apart = root > 1e-12
        share = (fast - fp / vp) / (fast - slow) if apart else 0.5
        convolved_with_slope(times, source, fast, one, one_by)
        convolved_with_slope(times, source, slow, two, two_by)
        for i in range(n):
            out[i] = fp * ((1.0 - share) * one[i] + share * two[i])
        for k in range(4):
            # d total, d product and d(fp / vp) for each parameter, in rates per second.
            if k == 0:
                unit, more, times_, leave = 1.0 / 6000.0, 1.0 / vp, ps / (vp * ve), 1.0 / vp
            elif k == 1:
                unit, more, times_, leave = 1.0 / 60.0, 1.0 / vp + 1.0 / ve, fp / (vp * ve), 0.0
            elif k == 2:
                unit, more, times_, leave = 1.0, -ps / ve**2, -product / ve, 0.0
            else:
                unit, more, times_, leave = 1.0, -(fp + ps) / vp**2, -product / vp, -fp / vp**2
            spread = (total * more - 2.0 * times_) / root if apart else 0.0
            faster = 0.5 * (more + spread)
            slower = (times_ - slow * faster) / fast
            shares = (faster - leave - share * spread) / root if apart else 0.0
            own = 1.0 if k == 0 else 0.0
            a, b = unit * (own * (1.0 - share) - fp * shares), unit * (own * share + fp * shares)
            c, d = unit * fp * (1.0 - share) * faster, unit * fp * share * slower
            for i in range(n):
                slopes[k, i] = a * one[i] + c * one_by[i] + b * two[i] + d * two_by[i]
