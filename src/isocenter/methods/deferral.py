"""What is gained and lost when a model answers alone where it is sure, and leaves the rest to a person.

At each rule (below one certainty it says no, above another it says yes, between them a person decides) the curve tells
how much work is left, what the model gets wrong alone, and, first of all, how many diseased would go unseen, with the
upper bound that the number of cases allows: none among few shows little. Nothing here releases a study; that is a
decision of people, taken on cases that chose no threshold.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.clusters import owners, worth

__all__ = ["Deferral", "deferral", "upper_bound"]


_SHARES = tuple(n / 20 for n in range(21))


@dataclass(frozen=True, eq=False)
class Deferral:
    """A deferral curve; arrays are (k,), one place for each share that a person reads.

    Args:
        deferred: share of cases left to a person.
        wrong: share of the model's own answers that are wrong; NaN where it answers none.
        missed: diseased to whom the model alone said no. missed_at_most: upper 95 % bound of their share among all
            diseased.
        false_alarms: healthy to whom it alone said yes.
        system_accuracy: of model and person together, for a person as given.
    """

    deferred: npt.NDArray[np.float64]
    wrong: npt.NDArray[np.float64]
    missed: npt.NDArray[np.int64]
    missed_at_most: npt.NDArray[np.float64]
    false_alarms: npt.NDArray[np.int64]
    system_accuracy: npt.NDArray[np.float64]


def deferral(
    labels: npt.ArrayLike,
    certainty: npt.ArrayLike,
    *,
    threshold: float = 0.5,
    shares: npt.ArrayLike = _SHARES,
    person: float | npt.ArrayLike = 1.0,
    people: npt.ArrayLike | None = None,
) -> Deferral:
    """The curve: those nearest to the threshold are left to a person first.

    Args:
        labels: (n,) 0 or 1. certainty: (n,) 0 … 1. threshold: from which on the model says yes.
        shares: (k,) of the cases that a person reads.
        person: how often a person is right, or (n,) whether they were.
        people: (n,) whose case it is; of patients with several the bound counts the cases that theirs are worth.

    Raises:
        Refused: one class only, certainties or shares outside 0 … 1.

    >>> curve = deferral([0, 1, 1, 0], [0.1, 0.4, 0.9, 0.6], shares=[0.0, 0.5])
    >>> curve.missed.tolist(), curve.system_accuracy.tolist()
    ([1, 0], [0.5, 1.0])
    """
    truth, sure = np.asarray(labels).ravel(), np.asarray(certainty, np.float64).ravel()
    part = np.atleast_1d(np.asarray(shares, np.float64))
    if len(truth) != len(sure) or set(np.unique(truth).tolist()) != {0, 1}:
        raise Refused(
            f"{len(truth)} labels and {len(sure)} certainties",
            "there are diseased and healthy cases, 1 and 0",
            "give a certainty for each label, of both kinds",
        )
    for name, values in (("certainty", sure), ("share", part), ("threshold", np.array([threshold]))):
        if not np.isfinite(values).all() or values.min() < 0 or values.max() > 1:
            raise Refused(f"a {name} outside 0 … 1", "it is none", "give a number between these")
    right = np.broadcast_to(np.asarray(person, np.float64), truth.shape)
    order = np.argsort(np.abs(sure - threshold), kind="stable")  # the least sure first
    ill, called, human = truth[order] == 1, sure[order] >= threshold, right[order]
    n = np.rint(part * len(truth)).astype(np.int64)

    def left(flags: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
        return np.asarray(np.concatenate([np.cumsum(flags[::-1])[::-1], [0]])[n], np.int64)

    missed, alarms = left(ill & ~called), left(~ill & called)
    own = owners(people, len(truth))

    def at_most(many: int, first: int) -> float:
        """The bound where those before `first` are left to a person."""
        if own is None:
            return upper_bound(many, int(ill.sum()))
        hits = (~called & (np.arange(len(truth)) >= first))[ill]
        as_many = worth(hits, own[order][ill])
        return upper_bound(many / int(ill.sum()) * as_many, as_many)

    alone = len(truth) - n
    helped = np.concatenate([[0.0], np.cumsum(human)])[n]
    with np.errstate(invalid="ignore", divide="ignore"):
        wrong = np.where(alone > 0, (missed + alarms) / alone, np.nan)
    bounds = np.array([at_most(int(m), int(k)) for m, k in zip(missed, n, strict=True)])
    return Deferral(
        n / len(truth), wrong, missed, bounds, alarms,
        (alone - missed - alarms + helped) / len(truth),
    )  # fmt: skip


def upper_bound(events: float, n: float, *, level: float = 0.95) -> float:
    """One-sided upper bound of a share, exact (Clopper & Pearson 1934); for none of n it is 1 − 0.05^(1/n).

    Raises:
        Refused: no case, or more events than cases.

    >>> round(upper_bound(0, 100), 4)
    0.0295
    """
    from scipy.special import betaincinv

    if n < 1 or not 0 <= events <= n:
        raise Refused(f"{events:g} of {n:g}", "that is no share", "give no more events than cases")
    return 1.0 if events == n else float(betaincinv(events + 1, n - events, level))
