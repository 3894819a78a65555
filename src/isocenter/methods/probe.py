"""What else a model's features tell: can the sex, the site or the scanner be read from them?

A model whose features name the hospital can use the hospital in place of the disease (a shortcut), and does so where
it was trained on hospitals of unequal share. Models that encode least of such things hold best elsewhere (Yang et al.,
Nat Med 2024). That something can be read does not show that it is used; that nothing can be read shows that it is not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Probe", "probe"]

_MOST = 20  # values of what is read
_AT_ONCE = 4_000_000  # numbers that are held at once


@dataclass(frozen=True)
class Probe:
    """How well something can be read from features.

    Args:
        auc: area under the curve of cases that the reading had not seen, mean over the values; 0.5 is nothing.
        p: chance of as much when the features tell nothing beyond the labels.
        n: cases. values: that were told apart.
        by_chance: area that is reached once in twenty by chance.
    """

    auc: float
    p: float
    n: int
    values: tuple[str, ...]
    by_chance: float


def probe(
    features: npt.ArrayLike,
    values: npt.ArrayLike,
    *,
    rng: np.random.Generator,
    labels: npt.ArrayLike | None = None,
    people: npt.ArrayLike | None = None,
    folds: int = 5,
    times: int = 499,
    least: int = 10,
) -> Probe:
    """Read a value from features by ridge regression, each case by a line that had not seen it (nor its person).

    Its chance is by permutation: values are exchanged among cases of the same label, so that a site where more people
    are ill is not found by the illness. Cases of one person go together.

    Args:
        features: (n, d). values: (n,) such as sex, site or scanner; those with fewer than `least` cases, and unknown
            ones, are left out.
        labels: (n,) disease or class, within which values are exchanged.
        people: (n,) whose case it is; cases of a person stay together in a fold.

    Raises:
        Refused: features that are not finite, fewer than two values with enough cases, more than 20, or too few people.
    """
    x, given = np.asarray(features, np.float64), np.asarray(values).astype(np.str_).ravel()
    if x.ndim != 2 or len(x) != len(given) or not np.isfinite(x).all():
        raise Refused(
            f"features of shape {x.shape} for {len(given)} values",
            "each case needs finite features",
            "give finite features for each value",
        )
    names, counts = np.unique(given, return_counts=True)
    kept = tuple(str(n) for n, c in zip(names, counts, strict=True) if c >= least and n not in ("", "unknown"))
    if not 2 <= len(kept) <= _MOST:
        raise Refused(
            f"{len(kept)} values with {least} cases or more",
            f"2 to {_MOST} can be told apart",
            "give more cases of each, or join values",
        )
    mine = np.isin(given, kept)
    x, given = x[mine], given[mine]
    strata = np.zeros(len(x), int) if labels is None else np.unique(np.asarray(labels)[mine], return_inverse=True)[1]
    owner = np.arange(len(x)) if people is None else np.unique(np.asarray(people)[mine], return_inverse=True)[1]
    if owner.max() + 1 < folds:
        raise Refused(
            f"{owner.max() + 1} people", f"{folds} folds need more", "give more people, or ask for fewer folds"
        )
    read = _reading(x, rng.permutation(owner.max() + 1)[owner] % folds, folds)
    hot = (given[:, None] == np.array(kept)).astype(np.float64)
    hot = hot[:, :1] if len(kept) == 2 else hot
    seen = float(_areas(read, hot[None])[0])
    # What a person has of one label and value is exchanged whole: their cases are alike, and would be read alike.
    code = (owner * (int(strata.max()) + 1) + strata) * len(kept) + np.searchsorted(np.sort(kept), given)
    _, first, unit = np.unique(code, return_index=True, return_inverse=True)
    orders = np.tile(first, (times, 1))
    for stratum in np.unique(strata):
        own = np.flatnonzero(strata[first] == stratum)
        orders[:, own] = rng.permuted(orders[:, own], axis=1)
    orders = orders[:, unit.ravel()]
    step = max(1, _AT_ONCE // hot.size)
    drawn = np.concatenate([_areas(read, hot[orders[at : at + step]]) for at in range(0, times, step)])
    p = (1 + int((drawn >= seen - 1e-12).sum())) / (1 + times)
    return Probe(seen, p, len(x), kept, float(np.quantile(drawn, 0.95)))


def _reading(x: npt.NDArray[np.float64], fold: npt.NDArray[np.int64], folds: int) -> npt.NDArray[np.float64]:
    """(n, n) what each case's reading takes of the values of all cases: nothing of its own fold.

    Ridge regression is linear in what it reads, so that all permutations share this matrix. Its penalty is the mean
    variance of the features times the number of cases, by which no direction of noise decides.
    """
    read = np.zeros((len(x), len(x)))
    for number in range(folds):
        out = fold == number
        centre, spread = x[~out].mean(0), x[~out].std(0)
        scale = np.where(spread > 1e-12, spread, 1.0)
        a, b = (x[~out] - centre) / scale, (x[out] - centre) / scale
        gram = a @ a.T
        inner = np.linalg.solve(gram + max(float(np.trace(gram)) / len(a), 1e-9) * np.eye(len(a)), np.eye(len(a)))
        own = (b @ a.T) @ inner
        read[np.ix_(out, ~out)] = own - own.mean(1, keepdims=True)  # of values less their mean
    return read


def _areas(read: npt.NDArray[np.float64], hot: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """(m,) of m orders (m, n, k) of the values: mean over the values of the area of each against the rest."""
    from scipy.stats import rankdata

    m, n, k = hot.shape
    columns = np.ascontiguousarray(hot.transpose(1, 0, 2).reshape(n, m * k))
    ranks, inside = rankdata(read @ columns, axis=0), columns.sum(0)
    area = ((ranks * columns).sum(0) - inside * (inside + 1) / 2) / (inside * (n - inside))
    return np.asarray(area.reshape(m, k).mean(1), np.float64)
