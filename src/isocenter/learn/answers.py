"""What a model answered to labelled cases, in one shape for every kind of model, so that two can be compared and groups
told apart."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.record import Model

__all__ = ["Answers", "answers_of"]


@dataclass(frozen=True, eq=False)
class Answers:
    """Answers to cases.

    Args:
        names: (n,) of the cases.
        right: (n,) how right each answer was: 0 or 1, the share of findings told rightly, or the mean Dice of the
            structures that a case has.
        figure: what `right` is: ``accuracy`` or ``dice``.
        truth, score, called: (n,) for two classes: label 0 or 1, certainty, and whether it lies at or above the
            operating point; None for others.
        people: (n,) whose case it is; None where the predictions do not tell.
    """

    names: tuple[str, ...]
    right: npt.NDArray[np.float64]
    figure: str
    truth: npt.NDArray[np.int64] | None = None
    score: npt.NDArray[np.float64] | None = None
    called: npt.NDArray[np.bool_] | None = None
    people: npt.NDArray[np.str_] | None = None

    def __len__(self) -> int:
        return len(self.names)


def answers_of(model: Model, rows: Sequence[Mapping[str, Any]]) -> Answers:
    """The answers in the predictions of `isocenter.learn.judge.judged`, without cases that are none of the classes.

    Raises:
        Refused: when the predictions hold neither a label nor an overlap.
    """
    dice = sorted({key for row in rows for key in row if key.startswith("dice ")})
    if dice:
        kept = [r for r in rows if any(isinstance(r.get(d), float) and np.isfinite(r[d]) for d in dice)]
        right = [
            float(np.mean([r[d] for d in dice if isinstance(r.get(d), float) and np.isfinite(r[d])])) for r in kept
        ]
        names = tuple(str(r["name"]) for r in kept)
        return Answers(names, np.array(right, np.float64), "dice", people=_people(kept))
    if shared := [r for r in rows if "right" in r]:
        names = tuple(str(r["name"]) for r in shared)
        return Answers(names, np.array([float(r["right"]) for r in shared]), "accuracy", people=_people(shared))
    kept = [r for r in rows if int(r.get("label", -1)) >= 0]
    if not kept:
        raise Refused("predictions without labels", "nothing can be held against them", "judge it on labelled cases")
    names = tuple(str(r["name"]) for r in kept)
    label = np.array([int(r["label"]) for r in kept])
    classes = list(model.inputs.get("classes", ()))
    if len(classes) > 2:
        right = (np.array([int(r["said"]) for r in kept]) == label).astype(np.float64)
        return Answers(names, right, "accuracy", people=_people(kept))
    positive = int(model.inputs.get("positive", 1))
    stated = f"certainty {classes[positive]}" if classes and "certainty" not in kept[0] else "certainty"
    score = np.array([float(r[stated]) for r in kept])
    truth, called = (label == positive).astype(np.int64), score >= float(model.inputs["threshold"])
    right = (called == (truth == 1)).astype(np.float64)
    return Answers(names, right, "accuracy", truth, score, called, _people(kept))


def _people(rows: Sequence[Mapping[str, Any]]) -> npt.NDArray[np.str_] | None:
    told = [str(row.get("person", "")) for row in rows]
    return np.array(told, np.str_) if all(told) else None
