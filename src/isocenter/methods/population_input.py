"""Arterial curves of a population, for scans whose own artery cannot be measured.

Concentration of contrast agent in whole blood, mmol/L, at times after the bolus arrives; divide by one minus the
haematocrit for plasma. A population's curve is nobody's own: rates that rest on it are good for comparing, not more.

Sources: Parker et al., Magn Reson Med 56 (2006) 993, table 1; Georgiou et al., Magn Reson Med 81 (2019) 1844, table 3;
McGrath et al., Magn Reson Med 61 (2009) 1173, model B (rats).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy.special import gammaln

__all__ = ["georgiou", "mcgrath", "parker"]

Array = npt.NDArray[np.float64]

_GAUSSIANS_MIN = ((0.809, 0.17046, 0.0563), (0.330, 0.365, 0.132))  # area mmol/L min, centre min, width min
_ALPHA, _BETA_PER_MIN, _S_PER_MIN, _TAU_MIN = 1.050, 0.1685, 38.078, 0.483
# Table 3 with the digits that it rounds off, recovered from the curve which the authors published beside it.
_DECAYS = ((0.37432171, 0.11270067), (0.33118441, 1.17464623), (10.0612258, 16.01996202))  # mmol/L, 1/min
_GAMMA_ALPHA, _GAMMA_BETA_MIN, _CIRCULATION_MIN = 5.26698902, 0.03207883, 0.128556


def parker(times_s: npt.ArrayLike, *, arrival_s: float = 0.0) -> Array:
    """Two Gaussians and an exponential behind a sigmoid; zero before arrival.

    >>> parker([0.0, 10.0, 60.0]).round(4).tolist()
    [0.0804, 6.0422, 0.8872]
    """
    t = (np.asarray(times_s, np.float64) - arrival_s) / 60.0
    total = _ALPHA * np.exp(-_BETA_PER_MIN * t) / (1.0 + np.exp(np.clip(-_S_PER_MIN * (t - _TAU_MIN), -700, 700)))
    for area, centre, width in _GAUSSIANS_MIN:
        total = total + area / (width * np.sqrt(2 * np.pi)) * np.exp(-((t - centre) ** 2) / (2 * width**2))
    return np.where(t >= 0, total, 0.0)


def georgiou(times_s: npt.ArrayLike, *, arrival_s: float = 0.0) -> Array:
    """Gamma variates of each circulation, times three exponentials; zero before arrival.

    >>> georgiou([0.0, 10.0, 60.0]).round(2).tolist()
    [0.0, 7.12, 1.28]
    """
    t = (np.asarray(times_s, np.float64) - arrival_s) / 60.0
    after = np.maximum(t, 0.0)
    circulations = np.zeros_like(after)
    # Far circulations are wide and low, and their sum tends to 1 / circulation time.
    for k in range(int(after.max() / _CIRCULATION_MIN) + 1 if after.size else 0):
        shape = (k + 1) * _GAMMA_ALPHA + k
        since = after - k * _CIRCULATION_MIN
        inside = since > 0
        x = np.where(inside, since, 1.0)
        log = shape * np.log(x) - x / _GAMMA_BETA_MIN - (shape + 1) * np.log(_GAMMA_BETA_MIN) - gammaln(shape + 1)
        circulations += np.where(inside, np.exp(log), 0.0)
    decay = sum(height * np.exp(-rate * after) for height, rate in _DECAYS)
    return np.where(t >= 0, decay * circulations, 0.0)


def mcgrath(times_s: npt.ArrayLike, *, arrival_s: float = 0.0) -> Array:
    """For rats: a rise of 7 s, then two exponentials; zero before arrival.

    >>> mcgrath([0.0, 3.5, 7.0]).round(3).tolist()
    [0.0, 2.605, 5.21]
    """
    t = np.asarray(times_s, np.float64) - arrival_s
    fall = np.maximum(t - 7.0, 0.0)
    later = 3.4 * np.exp(-0.045 * fall) + 1.81 * np.exp(-0.0015 * fall)
    return np.where(t < 0, 0.0, np.where(t <= 7.0, 5.21 * np.clip(t, 0, 7) / 7.0, later))
