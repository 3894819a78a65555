"""When the curve of a population arrives in a scan: between which frames is told by the tissue alone.

Frames are seconds apart, and a bolus that is set to begin with one of them comes up to a frame too early or too late:
the peak of the artery is as narrow as a few frames, so that plasma volume answers for the difference.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from isocenter.methods.dce import fit

__all__ = ["best_arrival_s"]

Array = npt.NDArray[np.float64]
_TRIED = 37


def best_arrival_s(
    model: str, times_s: Array, curve: npt.ArrayLike, plasma: Callable[[float], Array], *, about_s: float,
    within_s: float,
) -> float:  # fmt: skip
    """The arrival with which a model of exchange leaves least of the mean curve of a tissue.

    Args:
        model: one of `exchange.MODELS`. times_s: (n,) of the frames.
        curve: (n,) concentration in the tissue. plasma: arrival in seconds -> (n,) concentration in the plasma.
        about_s, within_s: the middle and half the width of where it is sought.

    >>> from isocenter.methods.exchange import curve
    >>> from isocenter.methods.population_input import parker
    >>> fine, frames = np.arange(0, 300, 0.25), np.arange(0, 300, 5.0)
    >>> tissue = curve("extended_tofts", fine, parker(fine, arrival_s=42.0), ktrans=0.2, ve=0.3, vp=0.05)
    >>> seen = np.interp(frames, fine, tissue)
    >>> arrives = lambda at_s: parker(frames, arrival_s=at_s)
    >>> round(best_arrival_s("extended_tofts", frames, seen, arrives, about_s=40.0, within_s=7.5), 0)
    42.0
    """
    tried = about_s + within_s * np.linspace(-1.0, 1.0, _TRIED)
    left = np.array([float(fit(model, times_s, np.asarray(curve), plasma(at)).error[0]) ** 2 for at in tried.tolist()])
    k = int(np.clip(np.argmin(left), 1, _TRIED - 2))
    before, here, after = left[k - 1 : k + 2]
    bend = before - 2.0 * here + after
    shift = float(np.clip(0.5 * (before - after) / bend, -1.0, 1.0)) if bend > 0 else 0.0
    return float(tried[k] + shift * (tried[1] - tried[0]))
