"""Examples looked at with a model's embedding: which labels are doubted, whose they are, and what to label next."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.errors import NotFound, Refused
from isocenter.learn.embedding import embedded, pictures_of
from isocenter.learn.judge import opened
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import unlabelled
from isocenter.learn.recipes import recipe
from isocenter.methods.logistic import fit_head, unseen
from isocenter.methods.reader_noise import doubted, doubts
from isocenter.methods.selection import chosen

__all__ = ["chosen_from", "doubted_in"]


def doubted_in(
    data: Path, model: str | Path, extra: Path | None = None, *, false_alarms: float = 0.05
) -> dict[str, Any]:
    """Doubted labels of a folder of examples, and each reader's share in them.

    Each case is answered by a head on the model's embedding that saw no case of its person. Examples of several readers
    count for each of them.

    Args:
        data: folder of `from_readings.written`.
        false_alarms: see `reader_noise.doubted`.

    Raises:
        NotFound: no ``examples.csv``. Refused: too few people, or one class.
    """
    table = data / "examples.csv"
    if not table.is_file():
        raise NotFound(f"no examples.csv in {data}", "who gave which label is not known",
                       "take a folder that `isocenter examples take` wrote")  # fmt: skip
    with table.open(newline="", encoding="utf-8") as text:
        readers = {row["file"]: row["readers"].split() for row in csv.DictReader(text)}
    held, session = opened(model, extra)
    cases = pictures_of(held, data)
    rows, _ = embedded(held, session, cases.pictures)
    certainty = unseen(rows, cases.labels, cases.groups, weights=cases.weights)
    flagged = doubts(cases.labels, certainty)
    votes = [(r, k) for k, name in enumerate(cases.names) for r in readers.get(name, ())]
    who, which = [r for r, _ in votes], np.array([k for _, k in votes], np.int64)
    told = doubted(who, cases.labels[which], certainty[which], false_alarms=false_alarms) if len(set(who)) > 1 else []
    worst = np.argsort(np.where(cases.labels == 1, certainty, 1 - certainty))
    return {
        "n": len(cases), "model": held.name,
        "readers": [
            {"reader": t.reader, "n": t.n, "doubted": t.doubted, "expected": round(t.expected, 2), "p": t.p,
             "named": t.named, "share": round(t.share, 4)}
            for t in told
        ],
        "files": [
            {"file": cases.names[k], "label": int(cases.labels[k]), "certainty": round(float(certainty[k]), 4),
             "readers": readers.get(cases.names[k], [])}
            for k in worst if flagged[k]
        ],
    }  # fmt: skip


def chosen_from(
    data: Path, known: Path, model: str | Path, extra: Path | None = None, *, n: int = 20, rule: str = "mixed",
    seed: int = 0,
) -> dict[str, Any]:  # fmt: skip
    """Which of many images without labels to label next; see `methods.selection`.

    Images that are like nothing that the model learnt from are told apart, not chosen: a label would not help it.

    Raises:
        Refused: a rule that does not exist, more images than there are, or another kind of model.
    """
    held, session = opened(model, extra)
    how = recipe(held.name)
    if not isinstance(how, Classes):
        raise Refused(
            f"'{held.name}' is of another kind", "images are chosen for classes of small pictures and volumes"
        )
    labelled = pictures_of(held, known)
    if set(np.unique(labelled.labels)) - {0, 1}:
        raise Refused("labels of more than two classes", "the rules know two")
    names, pictures = unlabelled(data, how)
    before, _ = embedded(held, session, labelled.pictures)
    rows, strange = embedded(held, session, pictures)
    usual = np.flatnonzero(strange <= 1)
    certainty = fit_head(before, labelled.labels, weights=labelled.weights).certainty(rows)
    picked = usual[chosen(rows[usual], certainty[usual], n, rule=rule, known=before, seed=seed)]
    return {
        "rule": rule, "of": len(names), "strange": [names[k] for k in np.flatnonzero(strange > 1)],
        "chosen": [{"file": names[k], "certainty": round(float(certainty[k]), 4)} for k in picked],
    }  # fmt: skip
