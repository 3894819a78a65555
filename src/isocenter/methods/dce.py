"""Permeability from dynamic contrast-enhanced MRI: fits of exchange models to the curves of many voxels.

Bounded least squares by Levenberg and Marquardt, each voxel for itself, all cores at once. A parameter that ends at a
bound is not a measurement: it is given as it is, and marked. Nothing is clipped in silence.

Sources: Tofts et al., J Magn Reson Imaging 10 (1999) 223; Sourbron & Buckley, Phys Med Biol 57 (2012) R1; QIBA Profile
DCE-MRI; OSIPI lexicon (CAPLEX).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.exchange import MODELS, NUMBER, modelled
from isocenter.methods.shares import in_parts

__all__ = ["BOUNDS", "Fit", "fit"]

Floats = npt.NDArray[np.floating]

BOUNDS: dict[str, tuple[float, float]] = {
    "ktrans": (0.0, 5.0),
    "ps": (0.0, 5.0),
    "fp": (0.1, 500.0),
    "ve": (0.001, 1.0),
    "vp": (0.0, 1.0),
    "delay_s": (-10.0, 20.0),
}
"""Lowest and highest value that is looked for: ktrans and ps in 1/min, fp in mL/100 mL/min, delay in seconds."""

_MAY_BE_NONE = ("ktrans", "ps", "vp")

_STARTS: dict[str, tuple[tuple[float, ...], ...]] = {
    "tofts": ((0.1, 0.25),),
    "extended_tofts": ((0.1, 0.25, 0.02),),
    "patlak": ((0.02, 0.05),),
    "2cum": ((15.0, 0.02, 0.05), (40.0, 0.01, 0.05)),
    "2cxm": ((15.0, 0.05, 0.2, 0.05), (40.0, 0.1, 0.15, 0.05), (5.0, 0.1, 0.1, 0.02)),
}
_DELAYS = (0.0, 3.0, 6.0, 10.0)


@dataclass(frozen=True, eq=False)
class Fit:
    """What a model says of each voxel.

    Args:
        model: its name.
        values: parameter -> (voxels,), in the units of `exchange.MODELS`; ``delay_s`` where it was fitted.
        error: (voxels,) root mean square of what the model leaves, in the unit of the curves.
        at_bound: parameter -> (voxels,) whether it ended at a bound: then it is no measurement. A ktrans, ps or vp of
            zero is one (tissue that does not leak, or has no plasma), but the ve of what does not leak is none.
        converged: (voxels,).
    """

    model: str
    values: Mapping[str, npt.NDArray[np.float64]]
    error: npt.NDArray[np.float64]
    at_bound: Mapping[str, npt.NDArray[np.bool_]]
    converged: npt.NDArray[np.bool_]


def fit(
    model: str,
    times_s: npt.ArrayLike,
    curves: Floats,
    plasma: npt.ArrayLike,
    *,
    fit_delay: bool = False,
    bounds: Mapping[str, tuple[float, float]] | None = None,
    iterations: int = 60,
) -> Fit:
    """Fit one model to many curves.

    Args:
        model: one of `exchange.MODELS`.
        times_s: (n,) seconds. Minutes given here make ktrans sixty times too large; the least step that is taken for
            seconds is 0.05.
        curves: (voxels, n) or (n,) concentration in the tissue.
        plasma: (n,) concentration in the plasma of the artery, in the same unit.
        fit_delay: whether the arrival in each voxel is fitted as well.
        bounds: of single parameters, in place of `BOUNDS`.
        iterations: at most.

    Raises:
        Refused: for an unknown model, curves that do not fit the times, times that cannot be seconds, fewer times than
            parameters, an artery without tracer.

    >>> from isocenter.methods.exchange import curve
    >>> t = np.arange(0, 360, 2.0)
    >>> artery = 5 * np.exp(-t / 90) * (t > 20)
    >>> found = fit("extended_tofts", t, curve("extended_tofts", t, artery, ktrans=0.2, ve=0.3, vp=0.05), artery)
    >>> [round(float(found.values[p][0]), 4) for p in ("ktrans", "ve", "vp")]
    [0.2, 0.3, 0.05]
    """
    t, c = np.asarray(times_s, np.float64), np.asarray(plasma, np.float64)
    data = np.ascontiguousarray(np.atleast_2d(np.asarray(curves, np.float64)))
    _must_fit(model, t, c, data)
    names = [*MODELS[model], *(["delay_s"] if fit_delay else [])]
    chosen = {**BOUNDS, **(bounds or {})}
    low, high = (np.array([chosen[n][k] for n in names]) for k in (0, 1))
    if not (low < high).all():
        raise Refused(
            f"bounds {dict(zip(names, zip(low, high, strict=True), strict=True))}", "each needs low below high"
        )
    starts = np.array(
        [[*s, *([d] if fit_delay else [])] for d in (_DELAYS if fit_delay else (0.0,)) for s in _STARTS[model]]
    )
    starts = np.clip(starts, low, high)
    found = np.empty((len(data), len(names) + 2))
    in_parts(_fit_all, len(data), NUMBER[model], t, c, data, starts, low, high, len(MODELS[model]), iterations, found)
    values = {n: found[:, k].copy() for k, n in enumerate(names)}
    near = 1e-6 * (high - low)
    none = {n: found[:, k] <= near[k] for k, n in enumerate(names) if n in _MAY_BE_NONE and low[k] == 0.0}
    hit = {n: (found[:, k] <= low[k] + near[k]) | (found[:, k] >= high[k] - near[k]) for k, n in enumerate(names)}
    for n, nothing in none.items():
        values[n][nothing] = 0.0
        hit[n] &= ~nothing
    if "ve" in hit:
        hit["ve"] |= none.get("ktrans", none.get("ps", False))
    return Fit(model, values, np.sqrt(found[:, -2] / len(t)), hit, found[:, -1] > 0)


def _must_fit(model: str, t: Floats, c: Floats, data: Floats) -> None:
    if model not in MODELS:
        raise Refused(f"model '{model}'", f"there are {', '.join(MODELS)}")
    if t.ndim != 1 or c.shape != t.shape or data.shape[1] != len(t):
        raise Refused(f"curves of {data.shape}, {len(t)} times, an artery of {c.shape}", "they must have one length")
    if not (np.isfinite(t).all() and np.isfinite(c).all() and np.isfinite(data).all()):
        raise Refused("values that are not numbers", "no model fits them", "leave those voxels out")
    if (np.diff(t) <= 0).any():
        raise Refused("times that do not rise", "curves have no course without them")
    if np.diff(t).min() < 0.05:
        raise Refused(
            f"times {np.diff(t).min():.3g} apart",
            "no scanner is that fast: these are minutes, and rates would be sixty times too large",
            "give seconds",
        )
    if len(t) < len(MODELS[model]) + 3:
        raise Refused(f"{len(t)} times for {len(MODELS[model])} parameters", "the fit would mean nothing")
    if not c.max() > 0:
        raise Refused("an artery without tracer", "nothing can come from it", "choose another")


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_all(
    first: int, last: int, model: int, times: Any, plasma: Any, data: Any, starts: Any, low: Any, high: Any, own: int,
    most: int, found: Any,
) -> None:  # fmt: skip
    n, many = data.shape[1], starts.shape[1]
    work, out, moved = np.empty((3, n)), np.empty(n), np.empty(n)
    slopes = np.empty((many, n))
    p = np.empty(many)
    for v in range(first, last):
        best, settled = np.inf, False
        for s in range(starts.shape[0]):
            for k in range(many):
                p[k] = starts[s, k]
            left, calm = _levenberg(model, times, plasma, data[v], p, low, high, own, most, work, out, moved, slopes)
            if left < best:
                best, settled = left, calm
                for k in range(many):
                    found[v, k] = p[k]
        found[v, many] = best
        found[v, many + 1] = 1.0 if settled else 0.0


@njit(cache=True, error_model="numpy")
def _left(model: int, times: Any, plasma: Any, target: Any, p: Any, own: int, work: Any, out: Any) -> float:
    """Sum of squares that a set of parameters leaves; its curve stands in `out`."""
    modelled(model, p, p[own] if len(p) > own else 0.0, times, plasma, work, out)
    total = 0.0
    for i in range(len(times)):
        total += (target[i] - out[i]) ** 2
    return total


@njit(cache=True, error_model="numpy")
def _levenberg(
    model: int, times: Any, plasma: Any, target: Any, p: Any, low: Any, high: Any, own: int, most: int, work: Any,
    out: Any, moved: Any, slopes: Any,
) -> tuple[float, bool]:  # fmt: skip
    """Refine `p` in place; what it leaves, and whether it settled."""
    many, n = len(p), len(times)
    normal, gradient, step, trial = np.empty((many, many)), np.empty(many), np.empty(many), np.empty(many)
    held = np.zeros(many, np.bool_)
    damping = 1e-2
    now = _left(model, times, plasma, target, p, own, work, out)
    for _ in range(most):
        for k in range(many):
            far = 0.02 if k >= own else 1e-6 + 1e-5 * abs(p[k])
            far = -far if p[k] + far > high[k] else far
            keep = p[k]
            p[k] = keep + far
            _left(model, times, plasma, target, p, own, work, moved)
            p[k] = keep
            for i in range(n):
                slopes[k, i] = (moved[i] - out[i]) / far
        for a in range(many):
            gradient[a] = 0.0
            for i in range(n):
                gradient[a] += slopes[a, i] * (target[i] - out[i])
            held[a] = (p[a] <= low[a] and gradient[a] < 0) or (p[a] >= high[a] and gradient[a] > 0)
            for b in range(a + 1):
                total = 0.0
                for i in range(n):
                    total += slopes[a, i] * slopes[b, i]
                normal[a, b] = total
                normal[b, a] = total
        better = False
        change = 0.0
        for _try in range(12):
            _solve(normal, gradient, held, damping, step)
            for k in range(many):
                trial[k] = min(max(p[k] + step[k], low[k]), high[k])
            then = _left(model, times, plasma, target, trial, own, work, moved)
            if then < now:
                better = True
                change = (now - then) / (now + 1e-300)
                for k in range(many):
                    p[k] = trial[k]
                for i in range(n):
                    out[i] = moved[i]
                now = then
                damping = max(damping * 0.1, 1e-12)
                break
            damping *= 10.0
        if not better or change < 1e-9:
            return now, True
    return now, False


@njit(cache=True, error_model="numpy")
def _solve(normal: Any, gradient: Any, held: Any, damping: float, step: Any) -> None:
    """(normal + damping diag(normal)) step = gradient by Cholesky; held parameters stay."""
    many = len(gradient)
    lower = np.zeros((many, many))
    for a in range(many):
        for b in range(a + 1):
            value = 0.0 if held[a] or held[b] else normal[a, b]
            if a == b:
                value = 1.0 if held[a] else value * (1.0 + damping) + 1e-300
            for k in range(b):
                value -= lower[a, k] * lower[b, k]
            if a == b:
                lower[a, a] = np.sqrt(max(value, 1e-30))
            else:
                lower[a, b] = value / lower[b, b]
    for a in range(many):
        value = 0.0 if held[a] else gradient[a]
        for k in range(a):
            value -= lower[a, k] * step[k]
        step[a] = value / lower[a, a]
    for a in range(many - 1, -1, -1):
        value = step[a]
        for k in range(a + 1, many):
            value -= lower[k, a] * step[k]
        step[a] = value / lower[a, a]
