"""What to have labelled next: where the model does not know, where it has seen little, where a label would change it.

Each rule takes the cases without a label and gives them in the order in which they should be labelled. None is best
always, and each can be worse than chance; `gain` shows on cases with known labels what a rule would have brought.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.logistic import fit_head
from isocenter.methods.roc import auc

__all__ = ["RULES", "chosen", "gain"]

Floats = npt.NDArray[np.float64]


def _uncertain(x: Floats, p: Floats, known: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.argsort(np.abs(p - 0.5), kind="stable")[:n]


def _diverse(x: Floats, p: Floats, known: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The case farthest from all that are labelled or taken, again and again (k-centre; Sener, Savarese 2018)."""
    nearest = _squares(x, known).min(1) if len(known) else np.full(len(x), np.inf)
    taken: list[int] = []
    for _ in range(n):
        best = int(np.argmax(nearest))
        taken.append(best)
        nearest = np.minimum(nearest, _squares(x, x[best : best + 1])[:, 0])
        nearest[best] = -1
    return np.array(taken, np.int64)


def _changing(x: Floats, p: Floats, known: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """The largest expected gradient of a linear head: 2·p·(1−p)·‖(x, 1)‖ (Settles, Craven 2008)."""
    length = 2 * p * (1 - p) * np.sqrt(1 + (x * x).sum(1))
    return np.argsort(-length, kind="stable")[:n]


def _mixed(x: Floats, p: Floats, known: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    """Of the most uncertain tenth (at least five for each that is wanted) those that differ most."""
    pool = np.argsort(np.abs(p - 0.5), kind="stable")[: max(5 * n, len(x) // 10)]
    return np.asarray(pool[_diverse(x[pool], p[pool], known, min(n, len(pool)), rng)], np.int64)


def _by_chance(x: Floats, p: Floats, known: Floats, n: int, rng: np.random.Generator) -> npt.NDArray[np.int64]:
    return np.asarray(rng.permutation(len(x))[:n], np.int64)


Rule = Callable[[Floats, Floats, Floats, int, np.random.Generator], npt.NDArray[np.int64]]
RULES: dict[str, Rule] = {
    "uncertainty": _uncertain, "diversity": _diverse, "change": _changing, "mixed": _mixed, "chance": _by_chance,
}  # fmt: skip
"""Names of the rules."""


def _squares(a: Floats, b: Floats) -> Floats:
    return np.asarray(np.maximum((a * a).sum(1)[:, None] + (b * b).sum(1)[None] - 2 * a @ b.T, 0.0), np.float64)


def chosen(
    x: npt.ArrayLike, certainty: npt.ArrayLike, n: int, *, rule: str = "mixed", known: npt.ArrayLike | None = None,
    seed: int = 0,
) -> npt.NDArray[np.int64]:  # fmt: skip
    """(n,) numbers of the cases to label next, the first one first.

    Args:
        x: (cases, d) embeddings. certainty: (cases,) of the model, for two classes.
        known: (…, d) embeddings of what is labelled already.

    Raises:
        Refused: a rule that does not exist, or more cases than there are.

    >>> chosen([[0.0], [1.0], [2.0]], [0.1, 0.6, 0.9], 1, rule="uncertainty").tolist()
    [1]
    """
    rows, p = np.asarray(x, np.float64), np.asarray(certainty, np.float64).ravel()
    if rule not in RULES:
        raise Refused(f"a rule '{rule:.30}'", f"there are {', '.join(RULES)}", "name one of these")
    if not 0 < n <= len(rows) or len(p) != len(rows):
        raise Refused(f"{n} of {len(rows)} cases with {len(p)} certainties", "so many are not there", "ask for fewer")
    before = np.empty((0, rows.shape[1])) if known is None else np.asarray(known, np.float64)
    return RULES[rule](rows, p, before, n, np.random.default_rng(seed))


def gain(
    x: npt.ArrayLike, labels: npt.ArrayLike, test_x: npt.ArrayLike, test_labels: npt.ArrayLike, *, rule: str,
    first: int = 10, batch: int = 10, rounds: int = 8, seed: int = 0, ridge: float = 1.0,
) -> list[tuple[int, float]]:  # fmt: skip
    """(labels given, AUC of a head on the test cases) as labels come in, in a simulation with known labels.

    The first labels are drawn by chance, the same for every rule of one seed.

    Raises:
        Refused: too few cases.
    """
    rows, truth = np.asarray(x, np.float64), np.asarray(labels).ravel().astype(int)
    tests, answers = np.asarray(test_x, np.float64), np.asarray(test_labels).ravel().astype(int)
    if first + batch * rounds > len(rows):
        raise Refused(f"{first + batch * rounds} labels of {len(rows)} cases", "so many are not there", "ask for fewer")
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(rows))
    taken = [int(i) for i in order[:first]]
    for label in (0, 1):  # without both classes there is no head
        if label not in truth[taken]:
            taken[label] = int(next(i for i in order if truth[i] == label))
    curve = []
    for number in range(rounds + 1):
        head = fit_head(rows[taken], truth[taken], ridge=ridge)
        curve.append((len(taken), auc(answers, head.logit(tests)).value))
        if number < rounds:
            left = np.setdiff1d(np.arange(len(rows)), taken)
            some = RULES[rule](rows[left], head.certainty(rows[left]), rows[taken], batch, rng)
            taken += [int(left[i]) for i in some]
    return curve
