"""Is acting on a model better than acting on everybody or on nobody? Decision curves.

At a threshold probability p a person who is treated needlessly weighs p/(1−p) of one who is treated rightly. Net
benefit counts both in units of true positives (Vickers & Elkin 2006): TP/n − FP/n · p/(1−p).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.survival import kaplan_meier

__all__ = ["Benefit", "net_benefit", "net_benefit_by"]


@dataclass(frozen=True, eq=False)
class Benefit:
    """A decision curve.

    Args:
        thresholds: (k,) threshold probabilities.
        model: (k,) net benefit of acting where the risk lies above the threshold.
        everybody: (k,) of acting on all; acting on nobody is zero everywhere.
        true_positive, false_positive: (k,) rates among all people.
    """

    thresholds: npt.NDArray[np.float64]
    model: npt.NDArray[np.float64]
    everybody: npt.NDArray[np.float64]
    true_positive: npt.NDArray[np.float64]
    false_positive: npt.NDArray[np.float64]

    @property
    def avoided(self) -> npt.NDArray[np.float64]:
        """(k,) needless actions that the model spares, per person, against acting on all; NaN at threshold 0."""
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(
                self.thresholds > 0, (self.model - self.everybody) / (self.thresholds / (1 - self.thresholds)), np.nan
            )


def net_benefit(
    labels: npt.ArrayLike,
    risk: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    *,
    prevalence: float | None = None,
    harm: float = 0.0,
) -> Benefit:
    """Decision curve of a risk for an outcome that everybody has or has not.

    Args:
        labels: (n,) 0 or 1.
        risk: (n,) probabilities, or a test's 0 and 1.
        thresholds: (k,) from 0 to below 1.
        prevalence: of the population, where cases and controls were chosen; that of the sample when None.
        harm: of the test itself, in units of true positives.

    Raises:
        Refused: for risks outside 0 … 1, thresholds outside 0 … <1, or one class only.

    >>> net_benefit([0, 0, 1, 1], [0.1, 0.6, 0.4, 0.9], [0.5]).model.tolist()
    [0.0]
    """
    y, r, t = _checked(labels, risk, thresholds)
    share = float(y.mean()) if prevalence is None else float(prevalence)
    if not 0 < share < 1 or y.all() or not y.any():
        raise Refused(
            f"a prevalence of {share:g}",
            "there must be people with and without the outcome",
            "give cases of both kinds",
        )
    sick, well = np.sort(r[y]), np.sort(r[~y])
    tp = share * (1 - np.searchsorted(sick, t, "right") / len(sick))
    fp = (1 - share) * (1 - np.searchsorted(well, t, "right") / len(well))
    return _benefit(t, tp, fp, share, harm)


def net_benefit_by(
    time: npt.ArrayLike,
    event: npt.ArrayLike,
    risk: npt.ArrayLike,
    thresholds: npt.ArrayLike,
    *,
    by: float,
    harm: float = 0.0,
) -> Benefit:
    """Decision curve of a risk of having the event by a time, where some people were not followed so long.

    The rate of events among those above a threshold is 1 − Kaplan-Meier at that time (Vickers 2008).

    Args:
        time, event: (n,) follow-up, and whether it ended with the event.
        risk: (n,) probability of the event by then.
        by: the time, in the unit of `time`; somebody must have been followed so long.

    Raises:
        Refused: as `net_benefit`; also when nobody was followed until then.
    """
    t_event = np.asarray(time, np.float64).ravel()
    happened = np.asarray(event).ravel().astype(bool)
    _, r, t = _checked(happened, risk, thresholds)
    if len(t_event) != len(r) or not np.isfinite(by) or t_event.max() < by:
        raise Refused(f"events by {by:g}", f"the longest follow-up is {t_event.max():g}", "choose an earlier time")
    share = 1 - float(kaplan_meier(t_event, happened).at(by))
    rate = np.zeros(len(t))
    above = np.array([np.count_nonzero(r > limit) for limit in t]) / len(r)
    for k, limit in enumerate(t):
        chosen = r > limit
        if chosen.any():
            rate[k] = 1 - float(kaplan_meier(t_event[chosen], happened[chosen]).at(by))
    return _benefit(t, rate * above, (1 - rate) * above, share, harm)


def _benefit(
    t: npt.NDArray[np.float64],
    tp: npt.NDArray[np.float64],
    fp: npt.NDArray[np.float64],
    share: float,
    harm: float,
) -> Benefit:
    odds = t / (1 - t)
    return Benefit(t, tp - odds * fp - harm, share - odds * (1 - share), tp, fp)


def _checked(
    labels: npt.ArrayLike, risk: npt.ArrayLike, thresholds: npt.ArrayLike
) -> tuple[npt.NDArray[np.bool_], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    y, r = np.asarray(labels).ravel(), np.asarray(risk, np.float64).ravel()
    t = np.atleast_1d(np.asarray(thresholds, np.float64))
    if len(y) != len(r) or not len(y):
        raise Refused(f"{len(y)} labels and {len(r)} risks", "every person needs both", "give one risk for each label")
    if set(np.unique(y).tolist()) - {0, 1}:
        raise Refused(f"labels {np.unique(y).tolist()[:5]}", "labels are 0 and 1", "give 0 and 1")
    if not np.isfinite(r).all() or r.min() < 0 or r.max() > 1:
        raise Refused(
            "a risk outside 0 … 1", "a threshold probability cannot be compared with it", "calibrate it first"
        )
    if not np.isfinite(t).all() or t.min() < 0 or t.max() >= 1:
        raise Refused("a threshold outside 0 … below 1", "its odds do not exist", "give thresholds from 0 to below 1")
    return y.astype(bool), r, t
