"""What a model's certainties bring when people act on them: points to operate at, benefit, deferral, promises.

What is chosen on cases is never measured on the same cases here. A threshold for a wanted sensitivity, and the limits
of a conformal promise, are found on one half of the people and counted on the other; each half is once the one that
chooses thresholds. Cases for the promises alone may be given instead.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.judge_classes import share_of
from isocenter.methods import benefit, conformal, roc
from isocenter.methods.deferral import deferral
from isocenter.record import Model

__all__ = ["Stated", "stated_of", "used"]

_WANTED = (0.90, 0.95, 0.99)  # sensitivities for which a threshold is sought
_THRESHOLDS = tuple(n / 100 for n in (1, 2, 5, *range(10, 100, 5)))
_TWO = "it is a curve of two classes, and this model tells {} apart"


@dataclass(frozen=True, eq=False)
class Stated:
    """Labelled cases with what a model stated of them.

    Args:
        names: (n,) of the cases. labels: (n,) 0 … classes − 1. people: (n,) whose case it is.
        certainty: (n, classes), which adds up to 1.
        classes: their names.
    """

    names: tuple[str, ...]
    labels: npt.NDArray[np.int64]
    certainty: npt.NDArray[np.float64]
    people: npt.NDArray[np.int64]
    classes: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.names)


def stated_of(model: Model, rows: Sequence[Mapping[str, Any]]) -> Stated | None:
    """The labelled cases in the predictions of `isocenter.learn.judge.judged`; None of a model without classes."""
    kept = [r for r in rows if int(r.get("label", -1)) >= 0]
    classes = tuple(map(str, model.inputs.get("classes", ("no", "yes"))))
    if not kept or not ("certainty" in kept[0] or f"certainty {classes[0]}" in kept[0]):
        return None
    if "certainty" in kept[0]:
        yes = np.array([float(r["certainty"]) for r in kept])
        positive = int(model.inputs.get("positive", 1))
        certainty = np.stack([1 - yes, yes] if positive == 1 else [yes, 1 - yes], 1)
    else:
        certainty = np.array([[float(r[f"certainty {name}"]) for name in classes] for r in kept])
    people = np.unique([str(r.get("person", n)) for n, r in enumerate(kept)], return_inverse=True)[1]
    names = tuple(str(r["name"]) for r in kept)
    labels = np.array([int(r["label"]) for r in kept], np.int64)
    return Stated(names, labels, np.clip(certainty, 0, 1), people.ravel().astype(np.int64), classes)


def used(
    cases: Stated, model: Model, *, groups: Mapping[str, npt.NDArray[Any]] | None = None, alpha: float = 0.1,
    apart: tuple[Stated, Mapping[str, npt.NDArray[Any]]] | None = None,
) -> dict[str, Any]:  # fmt: skip
    """``{"operating_points", "decision_curve", "deferral", "conformal"}``; what cannot be made says why.

    Args:
        groups: division (sex, site, …) -> (n,) value of each case.
        alpha: part of cases that may miss the promise.
        apart: other cases of the same model, with their groups, on which the limits of the promises are found.

    Raises:
        Refused: alpha outside 0 … 1.
    """
    said: dict[str, Any] = {"conformal": _promised(cases, dict(groups or {}), alpha, apart)}
    if len(cases.classes) != 2:
        why = {"not_made": _TWO.format(len(cases.classes))}
        return {"operating_points": [], "decision_curve": why, "deferral": why, **said}
    positive = int(model.inputs.get("positive", 1))
    truth, risk = (cases.labels == positive).astype(np.int64), cases.certainty[:, positive]
    threshold = float(model.inputs["threshold"])
    curve = benefit.net_benefit(truth, risk, _THRESHOLDS)
    left = deferral(truth, risk, threshold=threshold, people=cases.people)
    return {
        "operating_points": _points(truth, risk, threshold, _halves(cases), cases.people),
        "decision_curve": {
            "thresholds": curve.thresholds.tolist(), "model": curve.model.tolist(),
            "everybody": curve.everybody.tolist(), "avoided": curve.avoided.tolist(),
        },
        "deferral": {
            "person": "taken as always right", "deferred": left.deferred.tolist(),
            "wrong": [None if np.isnan(w) else float(w) for w in left.wrong], "missed": left.missed.tolist(),
            "missed_at_most": left.missed_at_most.tolist(), "false_alarms": left.false_alarms.tolist(),
            "system_accuracy": left.system_accuracy.tolist(),
        },
        **said,
    }  # fmt: skip


def _halves(cases: Stated) -> npt.NDArray[np.bool_]:
    """(n,) whether a case is of the first half; people are dealt out, those of each class apart."""
    first = np.zeros(int(cases.people.max()) + 1, bool)
    kind = np.zeros(len(first), np.int64)
    kind[cases.people] = cases.labels
    rng = np.random.default_rng(0)
    for label in np.unique(kind):
        first[rng.permutation(np.flatnonzero(kind == label))[::2]] = True
    return np.asarray(first[cases.people], np.bool_)


def _points(
    truth: npt.NDArray[np.int64],
    risk: npt.NDArray[np.float64],
    own: float,
    half: npt.NDArray[np.bool_],
    people: npt.NDArray[np.int64],
) -> list[dict[str, Any]]:
    rows = [{"name": "its own", "threshold": own, "chosen": "beforehand", **_rates(truth, risk >= own, people)}]
    for wanted in _WANTED:
        called = np.zeros(len(truth), bool)
        try:
            for chooses in (half, ~half):
                limit = roc.threshold_for(truth[chooses], risk[chooses], sensitivity=wanted)
                called[~chooses] = risk[~chooses] >= limit
            threshold = roc.threshold_for(truth, risk, sensitivity=wanted)
        except Refused as why:
            rows.append({"name": f"sensitivity {wanted:g}", "not_made": f"{why.what}: {why.why}"})
            continue
        rows.append(
            {"name": f"sensitivity {wanted:g}", "threshold": threshold,
             "chosen": "on these cases; measured on the half that did not choose", **_rates(truth, called, people)}
        )  # fmt: skip
    return rows


def _rates(
    truth: npt.NDArray[np.int64], called: npt.NDArray[np.bool_], people: npt.NDArray[np.int64]
) -> dict[str, Any]:
    ill = truth == 1
    counts = {
        "sensitivity": (called & ill, ill), "specificity": (~called & ~ill, ~ill), "ppv": (called & ill, called),
        "npv": (~called & ~ill, ~called),
    }  # fmt: skip
    return {
        name: share_of(hit[of], people[of]) if of.any() else {"not_made": "no such case"}
        for name, (hit, of) in counts.items()
    }


def _promised(
    cases: Stated, groups: dict[str, npt.NDArray[Any]], alpha: float,
    apart: tuple[Stated, Mapping[str, npt.NDArray[Any]]] | None,
) -> dict[str, Any]:  # fmt: skip
    """Promises by class, and by class within each group, with what was held of them on cases that set no limit."""
    conformal.fewest(alpha)
    if apart is None:
        limits = np.flatnonzero(_halves(cases))
        counted = np.setdiff1d(np.arange(len(cases)), limits)
        of, theirs = cases, groups
    else:
        of, theirs = apart[0], dict(apart[1])
        limits, counted = np.arange(len(of)), np.arange(len(cases))
    promises = []
    for by, values in {"": np.full(len(cases), "everybody"), **groups}.items():
        known = theirs.get(by) if by else np.full(len(of), "everybody")
        for value in sorted({str(v) for v in values}):
            mine = counted[np.array([str(v) == value for v in values[counted]], bool)]
            give = np.zeros(0, np.int64) if known is None else limits[
                np.array([str(v) == value for v in known[limits]], bool)
            ]  # fmt: skip
            promises.append({"by": by, "group": value if by else "", **_one(of, give, cases, mine, alpha)})
    return {
        "alpha": alpha, "promise": 1 - alpha, "fewest": conformal.fewest(alpha),
        "limits_from": "half of the people" if apart is None else "cases given for it", "promises": promises,
    }  # fmt: skip


def _one(
    of: Stated, give: npt.NDArray[np.int64], cases: Stated, mine: npt.NDArray[np.int64], alpha: float
) -> dict[str, Any]:
    labels, whose = of.labels[give], of.people[give]
    calibrated = {name: len(np.unique(whose[labels == k])) for k, name in enumerate(of.classes)}
    word = "people" if len(np.unique(whose)) < len(whose) else "cases"
    wanted = conformal.fewest(alpha)
    if lacking := {name: wanted - n for name, n in calibrated.items() if n < wanted}:
        return {
            "calibrated_on": calibrated,
            "refused": f"no guarantee: a promise of {1 - alpha:.0%} needs {wanted} {word} of each class; lacking are "
            + ", ".join(f"{n} of {name}" for name, n in lacking.items()),
        }
    found = conformal.calibrate(labels, of.certainty[give], people=whose, alpha=alpha)
    sets = found.sets(cases.certainty[mine])
    size = sets.sum(1)
    labels, whose = cases.labels[mine], cases.people[mine]
    held = sets[np.arange(len(mine)), labels]
    return {
        "calibrated_on": calibrated,
        "limits": {name: float(1 - found.thresholds[None][k]) for k, name in enumerate(of.classes)},
        "held": {
            name: {**share_of(held[labels == k], whose[labels == k]), "n": int(np.count_nonzero(labels == k))}
            for k, name in enumerate(of.classes) if (labels == k).any()
        },
        "answers": {
            "one": int(np.count_nonzero(size == 1)), "several": int(np.count_nonzero(size > 1)),
            "none": int(np.count_nonzero(size == 0)),
        },
    }  # fmt: skip
