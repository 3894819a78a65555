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
from isocenter.methods.exchange import MODELS, NUMBER, convolved, modelled, modelled_with_slopes, shifted
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

_RATES = np.geomspace(4e-4, 2.0, 15)  # 1/s: with which curves are compared for a start, for any model
_BRIEF = 8  # steps from each start
_APART = {"2cxm": (6, 2)}  # least steps on that grid between the two rates of a start; one start for each
_DELAYS = (0.0, 3.0, 6.0, 10.0)
_THOUSANDTHS = 0.012  # s: below it a step is one of seconds read as milliseconds, above it one of minutes


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
            f"bounds {dict(zip(names, zip(low, high, strict=True), strict=True))}",
            "each needs low below high",
            "exchange or widen them",
        )
    found = np.empty((len(data), len(names) + 2))
    delays = np.clip(_DELAYS, *chosen["delay_s"]) if fit_delay else np.zeros(1)
    bases, apart = _bases(t, c, delays), np.array(_APART.get(model, (1,)))
    gram = bases @ bases.transpose(0, 2, 1)
    in_parts(
        _fit_all, len(data), NUMBER[model], t, c, data, delays, bases, gram, _RATES, apart, low, high, iterations, found
    )
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
        raise Refused(f"model '{model}'", f"there are {', '.join(MODELS)}", "name one of these")
    if t.ndim != 1 or c.shape != t.shape or data.shape[1] != len(t):
        raise Refused(
            f"curves of {data.shape}, {len(t)} times, an artery of {c.shape}",
            "they must have one length",
            "give a time and a value of the artery for each frame",
        )
    if not (np.isfinite(t).all() and np.isfinite(c).all() and np.isfinite(data).all()):
        raise Refused("values that are not numbers", "no model fits them", "leave those voxels out")
    if (np.diff(t) <= 0).any():
        raise Refused(
            "times that do not rise", "curves have no course without them", "give the times of the frames in order"
        )
    if (step := float(np.diff(t).min())) < _THOUSANDTHS:
        raise Refused(
            f"times {step:.3g} s apart",
            f"no scanner is that fast: the header has seconds where milliseconds belong ({1000 * step:.3g} s?)",
            "mend Trigger Time or Temporal Resolution, which are milliseconds",
        )
    if step < 0.05:
        raise Refused(
            f"times {step:.3g} apart",
            "no scanner is that fast: these are minutes, and rates would be sixty times too large",
            "give seconds",
        )
    if len(t) < len(MODELS[model]) + 3:
        raise Refused(
            f"{len(t)} times for {len(MODELS[model])} parameters",
            "the fit would mean nothing",
            "give more frames, or a model of fewer parameters",
        )
    if not c.max() > 0:
        raise Refused("an artery without tracer", "nothing can come from it", "choose another")


def _bases(times: Floats, plasma: Floats, delays: Floats) -> npt.NDArray[np.float64]:
    """(delays, curves, n): the plasma curve where it arrives, its integral, and it convolved with each of `_RATES`."""
    bases = np.empty((len(delays), len(_RATES) + 2, len(times)))
    for own, delay in zip(bases, delays, strict=True):
        shifted(times, plasma, delay, own[0])
        for rate, curve in zip((0.0, *_RATES), own[1:], strict=True):
            convolved(times, own[0], rate, curve)
    return bases


@njit(cache=True, nogil=True, error_model="numpy")
def _fit_all(
    first: int, last: int, model: int, times: Any, plasma: Any, data: Any, delays: Any, bases: Any, gram: Any,
    rates: Any, apart: Any, low: Any, high: Any, most: int, found: Any,
) -> None:  # fmt: skip
    n, many, own = data.shape[1], len(low), _own(model)
    work, out, slopes = np.empty((6, n)), np.empty((2, n)), np.empty((2, many, n))
    p, along = np.empty(many), np.empty(bases.shape[1])
    # Of several starts only that which leads is followed to its end.
    brief = min(most, _BRIEF) if len(delays) * len(apart) > 1 else most
    for v in range(first, last):
        best, settled = np.inf, False
        for d in range(len(delays)):
            for r in range(len(along)):
                along[r] = _dot(data[v], bases[d, r])
            for g in range(len(apart)):
                _start(model, along, gram[d], rates, apart[g], p)
                if own < many:
                    p[own] = delays[d]
                for k in range(many):
                    p[k] = min(max(p[k], low[k]), high[k])
                left, calm = _levenberg(model, times, plasma, data[v], p, low, high, brief, work, out, slopes)
                if left < best:
                    best, settled = left, calm
                    for k in range(many):
                        found[v, k] = p[k]
        if not settled:
            for k in range(many):
                p[k] = found[v, k]
            best, settled = _levenberg(model, times, plasma, data[v], p, low, high, most, work, out, slopes)
            for k in range(many):
                found[v, k] = p[k]
        found[v, many] = best
        found[v, many + 1] = 1.0 if settled else 0.0


@njit(cache=True, error_model="numpy")
def _start(model: int, along: Any, gram: Any, rates: Any, apart: int, p: Any) -> None:
    """Every model is a sum of two curves, of which only rates are unknown: the best of a grid of rates, into `p`.

    `along` is the curve's product with each of `_bases`, `gram` theirs with one another.
    """
    best, a, b, one, two = -1.0, 0.0, 0.0, 2, 2
    for r in range(1 if model == 2 else 2, 2 if model == 2 else len(along)):
        # Beside it: nothing (Tofts), plasma (extended, Patlak), its integral (uptake), any slower rate (exchange).
        first = 2 if model == 4 else 1 if model == 3 else 0
        for s in range(first, r - apart + 1 if model == 4 else first + 1):
            x, y, cross = gram[r, r], gram[s, s], gram[r, s]
            u, w = along[r], along[s]
            whole = x * y - cross * cross
            i, j = (y * u - cross * w) / whole, (x * w - cross * u) / whole
            if model == 0 or not (i > 0.0 and j > 0.0):
                alone = model == 0 or w <= 0.0 or (u > 0.0 and u * u * y >= w * w * x)
                i, j = (max(u, 0.0) / x, 0.0) if alone else (0.0, w / y)
            gain = i * u + j * w
            if gain > best:
                best, a, b, one, two = gain, i, j, r, s
    _parameters(model, a, b, rates[max(one - 2, 0)], rates[max(two - 2, 0)], p)


@njit(cache=True)
def _own(model: int) -> int:
    """How many parameters a model has without the delay."""
    return 2 if model == 0 or model == 2 else 4 if model == 4 else 3


@njit(cache=True, error_model="numpy")
def _parameters(model: int, a: float, b: float, fast: float, slow: float, p: Any) -> None:
    """Those of a + b of the two curves; a little of what is missing, so that a fit can find it."""
    if model == 0 or model == 1:
        p[0], p[1] = max(60.0 * a, 1e-3), max(a / fast, 5e-3)
        if model == 1:
            p[2] = b
    elif model == 2:
        p[0], p[1] = 60.0 * a, b
    else:
        flow = max(a + b, 1e-5)
        share = min(max(b / flow, 0.02), 0.98)
        p[0] = 6000.0 * flow
        if model == 3:
            ps = flow * share / (1.0 - share)
            p[1], p[2] = 60.0 * ps, (flow + ps) / fast
        else:
            leave = fast - share * (fast - slow)
            vp = flow / leave
            ps = vp * (fast - leave) * (leave - slow) / leave
            p[1], p[2], p[3] = 60.0 * ps, ps * leave / (fast * slow), vp


@njit(cache=True, error_model="numpy", fastmath={"reassoc", "contract", "nsz"})
def _dot(a: Any, b: Any) -> float:
    total = 0.0
    for i in range(len(a)):
        total += a[i] * b[i]
    return total


@njit(cache=True, error_model="numpy")
def _left(model: int, times: Any, plasma: Any, target: Any, p: Any, work: Any, out: Any, slopes: Any) -> float:
    """Sum of squares that a set of parameters leaves; what is left stands in `out`, and its slopes beside it."""
    own = _own(model)
    late = own < len(p)
    if late:
        shifted(times, plasma, p[own], work[4])
    source = work[4] if late else plasma
    if late and (model == 2 or model == 3):
        convolved(times, source, 0.0, work[5])
    modelled_with_slopes(model, p, times, source, work[5], work, out, slopes)
    if late:  # the plasma curve has corners: its arrival has no slope of its own
        modelled(model, p, p[own] + 0.02, times, plasma, work, slopes[own])
        for i in range(len(times)):
            slopes[own, i] = (slopes[own, i] - out[i]) / 0.02
    for i in range(len(times)):
        out[i] = target[i] - out[i]
    left: float = _dot(out, out)
    return left


@njit(cache=True, error_model="numpy")
def _levenberg(
    model: int, times: Any, plasma: Any, target: Any, p: Any, low: Any, high: Any, most: int, work: Any, outs: Any,
    slopes: Any,
) -> tuple[float, bool]:  # fmt: skip
    """Refine `p` in place; what it leaves, and whether it settled."""
    many = len(p)
    normal, gradient, step, trial = np.empty((many, many)), np.empty(many), np.empty(many), np.empty(many)
    held, lower = np.zeros(many, np.bool_), np.zeros((many, many))
    damping, here = 1e-3, 0
    if many == _own(model):
        convolved(times, plasma, 0.0, work[5])
    now = _left(model, times, plasma, target, p, work, outs[0], slopes[0])
    for _ in range(most):
        for a in range(many):
            gradient[a] = _dot(slopes[here, a], outs[here])
            held[a] = (p[a] <= low[a] and gradient[a] < 0) or (p[a] >= high[a] and gradient[a] > 0)
            for b in range(a + 1):
                normal[a, b] = _dot(slopes[here, a], slopes[here, b])
                normal[b, a] = normal[a, b]
        better = False
        change = 0.0
        for _try in range(12):
            _solve(normal, gradient, held, damping, lower, step)
            for k in range(many):
                trial[k] = min(max(p[k] + step[k], low[k]), high[k])
            then = _left(model, times, plasma, target, trial, work, outs[1 - here], slopes[1 - here])
            if then < now:
                better = True
                change = (now - then) / (now + 1e-300)
                for k in range(many):  # to a slice, the words of an error would be compiled too, for seconds
                    p[k] = trial[k]
                now, here = then, 1 - here
                damping = max(damping * 0.1, 1e-12)
                break
            damping *= 10.0
        if not better or change < 1e-9:
            return now, True
    return now, False


@njit(cache=True, error_model="numpy")
def _solve(normal: Any, gradient: Any, held: Any, damping: float, lower: Any, step: Any) -> None:
    """(normal + damping diag(normal)) step = gradient by Cholesky; held parameters stay."""
    many = len(gradient)
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
