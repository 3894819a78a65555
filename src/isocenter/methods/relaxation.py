"""T1 of tissue, and contrast agent from signal, for spoiled gradient echoes.

The steady state is S = S0 sin(a) (1 - E1) / (1 - E1 cos(a)), with E1 = exp(-TR/T1). Several flip angles give T1; T1 and
a baseline give the concentration that a brighter signal means. The true flip angle is the nominal one times B1.

Sources: Fram et al., Magn Reson Imaging 5 (1987) 201; Deoni et al., Magn Reson Med 49 (2003) 515; Schabel & Parker,
Phys Med Biol 53 (2008) 2345.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["T1Map", "concentration", "spoiled", "t1_from_inversion", "t1_from_angles"]

Floats = npt.NDArray[np.floating]
Array = npt.NDArray[np.float64]

T1_MS = (50.0, 5000.0)
"""T1 outside this is no tissue at 1.5 or 3 T."""
_LEAST_BASELINE = 3


@dataclass(frozen=True, eq=False)
class T1Map:
    """T1 (ms) and S0 of each voxel; NaN where the signals have no T1."""

    t1_ms: Array
    s0: Array

    @property
    def plausible(self) -> npt.NDArray[np.bool_]:
        """Where T1 lies between 50 and 5,000 ms."""
        return np.asarray((self.t1_ms >= T1_MS[0]) & (self.t1_ms <= T1_MS[1]))


def spoiled(t1_ms: npt.ArrayLike, tr_ms: float, flip_deg: npt.ArrayLike, s0: npt.ArrayLike = 1.0) -> Array:
    """Signal of a spoiled gradient echo in the steady state.

    >>> round(float(spoiled(1000.0, 5.0, 15.0)), 5)
    0.03319
    """
    e1, angle = np.exp(-tr_ms / np.asarray(t1_ms, np.float64)), np.deg2rad(np.asarray(flip_deg, np.float64))
    return np.asarray(np.asarray(s0) * np.sin(angle) * (1 - e1) / (1 - e1 * np.cos(angle)))


def t1_from_angles(
    signals: Floats, tr_ms: float, flips_deg: npt.ArrayLike, *, b1: npt.ArrayLike = 1.0, linear: bool = False
) -> T1Map:
    """T1 from spoiled gradient echoes at several flip angles.

    Args:
        signals: (angles, voxels).
        tr_ms: repetition time.
        flips_deg: (angles,) nominal.
        b1: true over nominal flip angle, one or (voxels,).
        linear: the straight line S/sin against S/tan (Fram), which weighs noise wrongly; else least squares on the
            signals, started from it.

    Raises:
        Refused: for fewer than two angles, no repetition time, or shapes that do not fit.
    """
    s, angles = np.asarray(signals, np.float64), np.asarray(flips_deg, np.float64)
    if s.ndim == 1:
        s = s[:, None]
    if len(angles) < 2 or len(np.unique(angles)) < 2 or s.shape[0] != len(angles):
        raise Refused(
            f"{len(angles)} flip angles for signals of {s.shape}",
            "T1 needs two or more of them",
            "give an image for each flip angle, two at least",
        )
    _must_have(tr_ms, float(angles.min()))
    true = np.deg2rad(angles[:, None] * np.broadcast_to(np.asarray(b1, np.float64), (s.shape[1],))[None, :])
    with np.errstate(divide="ignore", invalid="ignore"):
        y, x = s / np.sin(true), s / np.tan(true)
        off_x, off_y = x - x.mean(axis=0), y - y.mean(axis=0)
        slope = (off_x * off_y).sum(axis=0) / (off_x**2).sum(axis=0)
        e1 = np.clip(np.where(np.isfinite(slope), slope, np.nan), 1e-6, 1 - 1e-9)
        s0 = (y.mean(axis=0) - slope * x.mean(axis=0)) / (1 - e1)
        if not linear:
            e1, s0 = _refined(s, true, e1, s0)
        t1 = -tr_ms / np.log(e1)
    known = np.isfinite(t1) & np.isfinite(s0) & (slope > 0) & (slope < 1)
    return T1Map(np.where(known, t1, np.nan), np.where(known, s0, np.nan))


def _refined(s: Array, angle: Array, e1: Array, s0: Array) -> tuple[Array, Array]:
    """Gauss-Newton on S0 and T1 (as log of 1 - E1's rate), all voxels at once; steps that make it worse are halved."""
    rate = -np.log(e1)
    sine, cosine = np.sin(angle), np.cos(angle)

    def shape(r: Array) -> tuple[Array, Array]:
        e = np.exp(-r)
        below = 1 - e * cosine
        return sine * (1 - e) / below, sine * e * (1 - cosine) / below**2  # d/dr

    def best(r: Array) -> tuple[Array, Array, Array, Array]:
        f, d = shape(r)
        scale = (f * s).sum(axis=0) / (f * f).sum(axis=0)
        return f, d, scale, ((s - scale * f) ** 2).sum(axis=0)

    f, d, s0, now = best(rate)
    for _ in range(30):
        # S0 is eliminated (Kaufman): the part of the slope along the signal itself changes nothing.
        along = d - f * ((d * f).sum(axis=0) / (f * f).sum(axis=0))
        step = ((s - s0 * f) * along).sum(axis=0) / (s0 * (along * along).sum(axis=0))
        step = np.clip(np.where(np.isfinite(step), step, 0.0), -0.5 * rate, rate)
        moved = rate + step
        f2, d2, s02, then = best(moved)
        worse = then > now
        if worse.any():
            moved = np.where(worse, rate + 0.25 * step, moved)
            f2, d2, s02, then = best(moved)
        keep = then <= now
        rate, now = np.where(keep, moved, rate), np.where(keep, then, now)
        f, d, s0 = np.where(keep, f2, f), np.where(keep, d2, d), np.where(keep, s02, s0)
        if (np.abs(step) <= 1e-10 * rate).all() or not keep.any():
            break
    return np.exp(-rate), s0


def t1_from_inversion(signals: Floats, inversions_ms: npt.ArrayLike) -> T1Map:
    """T1 from magnitude images after inversion, by S = |S0 (1 - 2 exp(-TI/T1))| on a grid of T1, refined.

    Args:
        signals: (inversion times, voxels), magnitude.
        inversions_ms: (inversion times,); the repetition time must be long against T1.

    Raises:
        Refused: for fewer than three inversion times.
    """
    s, times = np.asarray(signals, np.float64), np.asarray(inversions_ms, np.float64)
    if s.ndim == 1:
        s = s[:, None]
    if len(times) < 3 or s.shape[0] != len(times):
        raise Refused(
            f"{len(times)} inversion times for signals of {s.shape}",
            "T1 needs three or more of them",
            "give an image for each inversion time, three at least",
        )
    grid = np.geomspace(T1_MS[0], T1_MS[1], 400)
    for _ in range(3):
        shapes = np.abs(1 - 2 * np.exp(-times[:, None] / grid[None, :])) if grid.ndim == 1 else None
        if shapes is None:
            shapes3 = np.abs(1 - 2 * np.exp(-times[:, None, None] / grid[None]))
            scale = (shapes3 * s[:, None, :]).sum(axis=0) / (shapes3**2).sum(axis=0)
            left = ((s[:, None, :] - scale * shapes3) ** 2).sum(axis=0)
        else:
            scale = (shapes.T @ s) / (shapes**2).sum(axis=0)[:, None]
            left = (s**2).sum(axis=0)[None, :] - scale**2 * (shapes**2).sum(axis=0)[:, None]
        at = left.argmin(axis=0)
        columns = np.arange(s.shape[1])
        found = (grid[at] if grid.ndim == 1 else grid[at, columns]), scale[at, columns]
        width = 1.02 if grid.ndim == 1 else 1.002
        grid = found[0][None, :] * np.geomspace(1 / width, width, 41)[:, None]
    inside = (found[0] > 1.01 * T1_MS[0]) & (found[0] < 0.99 * T1_MS[1]) & (found[1] > 0)
    return T1Map(np.where(inside, found[0], np.nan), np.where(inside, found[1], np.nan))


def concentration(
    signals: Floats,
    *,
    tr_ms: float,
    flip_deg: float,
    t1_ms: npt.ArrayLike,
    baseline: int,
    relaxivity_per_mm_s: float = 4.5,
    b1: npt.ArrayLike = 1.0,
) -> Array:
    """Contrast agent from the signal of a spoiled gradient echo.

    Args:
        signals: (frames, voxels) or (frames,).
        t1_ms: before the bolus, one or (voxels,).
        baseline: frames before the bolus.
        relaxivity_per_mm_s: of the agent, L/mmol/s: 4.5 for small gadolinium chelates at 1.5 T.

    Returns:
        (frames, voxels) mmol/L; NaN where the signal is larger than any concentration could make it.

    Raises:
        Refused: without repetition time or flip angle, with a baseline below 3 frames, or a T1 that no tissue has.
    """
    s = np.asarray(signals, np.float64)
    _must_have(tr_ms, flip_deg)
    if baseline < _LEAST_BASELINE:
        raise Refused(
            f"a baseline of {baseline} frame" + "s" * (baseline != 1),
            f"{_LEAST_BASELINE} are the least: its noise is in every concentration",
            "choose a series with more frames before the agent comes",
        )
    before = np.asarray(t1_ms, np.float64)
    if not ((before >= T1_MS[0]) & (before <= T1_MS[1]) | np.isnan(before)).all():
        raise Refused(
            f"T1 from {np.nanmin(before):g} to {np.nanmax(before):g} ms before the bolus",
            f"tissue has {T1_MS[0]:g} to {T1_MS[1]:g} ms: seconds may have been given",
            "give milliseconds",
        )
    return enhanced(s, tr_ms, flip_deg, before, baseline, relaxivity_per_mm_s, b1)


def enhanced(
    s: Array, tr_ms: float, flip_deg: float, t1_ms: Array, baseline: int, relaxivity: float, b1: npt.ArrayLike = 1.0
) -> Array:
    """The formula of `concentration`, for a baseline of any length."""
    cosine = np.cos(np.deg2rad(flip_deg) * np.asarray(b1, np.float64))
    start = np.exp(-tr_ms / t1_ms)
    with np.errstate(divide="ignore", invalid="ignore"):
        level = s / s[:baseline].mean(axis=0) * (1 - start) / (1 - cosine * start)
        e1 = (1 - level) / (1 - level * cosine)
        possible = (level * cosine < 1) & (e1 > 0)
        rate = np.where(possible, -np.log(np.where(possible, e1, 1.0)) / (tr_ms / 1000.0), np.nan)
    return np.asarray((rate - 1000.0 / t1_ms) / relaxivity)


def _must_have(tr_ms: float, flip_deg: float) -> None:
    if not np.isfinite(tr_ms) or not tr_ms > 0.1:
        raise Refused(
            f"a repetition time of {tr_ms:g} ms",
            "signal has no T1 without it; seconds may have been given",
            "complete it",
        )
    if not 0 < flip_deg < 180:
        raise Refused(f"a flip angle of {flip_deg:g} degrees", "signal has no T1 without it", "complete Flip Angle")
