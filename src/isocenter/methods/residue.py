"""How a tissue lets a tracer through: residue functions, and curves of tissue made from them.

The residue R(t) is the share of an ideal, instant bolus that is still in the tissue after t seconds; R(0) = 1 and the
area under R is the mean transit time. A tissue curve is the arterial curve convolved with flow times R.

Transit times of capillaries follow a gamma distribution of some shape: 1 is the well-mixed compartment (an
exponential R), large values are plug flow (a box). Sources: Østergaard et al., Magn Reson Med 36 (1996) 715;
Mouridsen et al., NeuroImage 33 (2006) 570.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaincc

from isocenter.errors import Refused

__all__ = ["gamma_residue", "tissue_curves"]

Floats = npt.NDArray[np.float64]


def gamma_residue(times_s: npt.ArrayLike, mtt_s: npt.ArrayLike, shape: float) -> Floats:
    """R(t) where transit times are gamma distributed.

    Args:
        times_s: (n,) seconds after the arrival of the bolus; before it R is 0.
        mtt_s: (m,) mean transit times, seconds.
        shape: of the distribution; 1 is exponential, infinity a box.

    Returns:
        (m, n) values from 0 to 1.

    Raises:
        Refused: for a shape or a transit time that is not above zero.

    >>> gamma_residue([-1.0, 0.0, 4.0], [4.0], 1.0).round(3).tolist()
    [[0.0, 1.0, 0.368]]
    """
    t, mtt = np.asarray(times_s, np.float64)[None, :], np.atleast_1d(np.asarray(mtt_s, np.float64))[:, None]
    if not shape > 0 or not (mtt > 0).all():
        raise Refused(
            f"shape {shape:g} and mean transit times from {mtt.min():g} s",
            "both must lie above zero",
            "give numbers above it",
        )
    if np.isinf(shape):
        return np.asarray((t >= 0) & (t < mtt), np.float64)
    return np.where(t >= 0, gammaincc(shape, shape * np.maximum(t, 0.0) / mtt), 0.0)


def tissue_curves(
    artery: npt.ArrayLike,
    step_s: float,
    mtt_s: npt.ArrayLike,
    shape: float,
    *,
    delay_s: float = 0.0,
    fine: int = 16,
) -> Floats:
    """Curves of tissue of flow one (1/s) behind an artery whose curve is smooth (a cubic spline) between its samples.

    This is the continuous convolution, seen at the sampling times: not a sum over samples, which counts the first
    sample whole and makes a volume too large by step / (2 mean transit time).

    Args:
        artery: (n,) concentration at regular times.
        step_s: between samples, seconds.
        mtt_s: (m,) mean transit times, seconds.
        shape: of the transit times, see `gamma_residue`.
        delay_s: arrival in the tissue after the artery; may be negative.
        fine: steps of the quadrature in one sample.

    Returns:
        (m, n) concentrations.
    """
    from scipy.interpolate import CubicSpline
    from scipy.signal import fftconvolve

    given = np.asarray(artery, np.float64)
    count = (len(given) - 1) * fine + 1
    step = step_s / fine
    at = np.arange(count) * step
    spline = CubicSpline(np.arange(len(given)) * step_s, given)
    smooth = spline(np.clip(at - delay_s, 0.0, (len(given) - 1) * step_s))
    residue = gamma_residue(at, mtt_s, shape)
    if np.isinf(shape):
        # A box ends between steps: cut at a step, transit times that differ by less would have one curve.
        area = np.concatenate([[0.0], np.cumsum(0.5 * step * (smooth[1:] + smooth[:-1]))])
        ends = np.atleast_1d(np.asarray(mtt_s, np.float64))
        return np.stack([(area - np.interp(at - end, at, area, left=0.0))[::fine] for end in ends])
    whole = fftconvolve(residue, smooth[None, :], axes=1)[:, :count]
    # The trapezoid rule: both ends of the integral count half.
    whole -= 0.5 * (residue[:, :1] * smooth[None, :] + residue * smooth[0])
    return np.asarray(whole[:, ::fine] * step, np.float64)
