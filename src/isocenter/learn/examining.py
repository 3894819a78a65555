"""Examples looked at with a model's embedding: which labels are doubted, whose they are, and what to label next."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.dicom.confining import bounded_memory
from isocenter.errors import NotFound, Refused
from isocenter.learn.embedding import embedded, pictures_of
from isocenter.learn.examples import twins
from isocenter.learn.judge import folder_of, opened
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import unlabelled
from isocenter.learn.outside import no_border
from isocenter.learn.recipes import recipe_behind
from isocenter.methods.logistic import fit_head, unseen
from isocenter.methods.reader_noise import doubted, doubts
from isocenter.methods.selection import RULES, chosen, gain

__all__ = ["chosen_from", "doubted_in", "gained_in"]


@bounded_memory()
def doubted_in(
    data: Path, model: str | Path, extra: Path | None = None, *, false_alarms: float = 0.05
) -> dict[str, Any]:
    """Doubted labels of a folder of examples, and each reader's share in them.

    Each case is answered by a head on the model's embedding that saw no case of its person. Examples of several readers
    count for each of them. Images that the model was not made for are named with the reason (``because``), and pictures
    that are nearly the same under two persons or two labels (``twins``): strange pictures and copies are how a training
    set is poisoned, most often unmeant.

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
    looked = embedded(held, session, folder_of(model, held, extra), cases.pictures)
    rows = looked.rows
    certainty = unseen(rows, cases.labels, cases.groups, weights=cases.weights)
    flagged = doubts(cases.labels, certainty)
    votes = [(r, k) for k, name in enumerate(cases.names) for r in readers.get(name, ())]
    who, which = [r for r, _ in votes], np.array([k for _, k in votes], np.int64)
    told = doubted(who, cases.labels[which], certainty[which], false_alarms=false_alarms) if len(set(who)) > 1 else []
    worst = np.argsort(np.where(cases.labels == 1, certainty, 1 - certainty))
    return {
        "n": len(cases), "model": held.name, "border": no_border(held.inputs) or "asked",
        "because": {name: why for name, why in zip(cases.names, looked.why, strict=True) if why},
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
        "twins": [
            {"files": [cases.names[a], cases.names[b]], "apart": bool(cases.labels[a] != cases.labels[b]),
             "readers": sorted({*readers.get(cases.names[a], ()), *readers.get(cases.names[b], ())})}
            for a, b in twins(cases)
        ],
    }  # fmt: skip


@bounded_memory()
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
    how = recipe_behind(held)
    if not isinstance(how, Classes):
        raise Refused(
            f"'{held.name}' is of another kind",
            "images are chosen for classes of small pictures and volumes",
            "choose a classifier: `isocenter models`",
        )
    labelled = pictures_of(held, known)
    if set(np.unique(labelled.labels)) - {0, 1}:
        raise Refused("labels of more than two classes", "the rules know two", "put them into two")
    names, pictures = unlabelled(data, how)
    place = folder_of(model, held, extra)
    before = embedded(held, session, place, labelled.pictures).rows
    looked = embedded(held, session, place, pictures)
    rows, usual = looked.rows, np.flatnonzero(~looked.declined)
    if not 0 < n <= len(usual):
        raise Refused(
            f"{n} of {len(usual)} images", f"{len(names) - len(usual)} of {len(names)} are like nothing that "
            f"{held.name} learnt from", "ask for fewer, or take a model that knows such images",
        )  # fmt: skip
    certainty = fit_head(before, labelled.labels, weights=labelled.weights).certainty(rows)
    picked = usual[chosen(rows[usual], certainty[usual], n, rule=rule, known=before, seed=seed)]
    return {
        "rule": rule, "of": len(names), "strange": [names[k] for k in np.flatnonzero(looked.declined)],
        "because": {names[k]: looked.why[k] for k in np.flatnonzero(looked.declined)},
        "border": no_border(held.inputs) or "asked",
        "chosen": [{"file": names[k], "certainty": round(float(certainty[k]), 4)} for k in picked],
    }  # fmt: skip


@bounded_memory()
def gained_in(
    data: Path, model: str | Path, extra: Path | None = None, *, first: int = 10, batch: int = 10, rounds: int = 8,
    draws: int = 10,
) -> dict[str, Any]:  # fmt: skip
    """What each rule would have brought on cases whose labels are known: AUC of a head as labels come in.

    People are halved in every draw; labels are given to one half by the rule, the other half measures.

    Raises:
        Refused: labels of other than two classes, or fewer cases than the rounds ask for.
    """
    held, session = opened(model, extra)
    cases = pictures_of(held, data)
    if set(np.unique(cases.labels)) != {0, 1}:
        raise Refused("labels of other than two classes", "the rules know two", "give two classes")
    if draws < 2:
        raise Refused(f"{draws} draws", "without two nothing is known of chance", "ask for two or more")
    looked = embedded(held, session, folder_of(model, held, extra), cases.pictures)
    rows = looked.rows
    curves: dict[str, list[list[float]]] = {rule: [] for rule in RULES}
    people, counts = np.unique(cases.groups), list[int]()
    for seed in range(draws):
        mine = np.random.default_rng(seed).permutation(people)[: len(people) // 2]
        learns = np.isin(cases.groups, mine)
        for rule, told in curves.items():
            curve = gain(
                rows[learns], cases.labels[learns], rows[~learns], cases.labels[~learns], rule=rule, first=first,
                batch=batch, rounds=rounds, seed=seed,
            )  # fmt: skip
            counts = [n for n, _ in curve]
            told.append([area for _, area in curve])
    return {
        "model": held.name, "n": len(cases), "draws": draws,
        "declined": int(np.count_nonzero(looked.declined)), "border": no_border(held.inputs) or "asked",
        "rules": {
            rule: [
                {"labels": n, "auc": round(float(a.mean()), 4), "low": round(float(np.quantile(a, 0.025)), 4),
                 "high": round(float(np.quantile(a, 0.975)), 4)}
                for n, a in zip(counts, np.array(told).T, strict=True)
            ]
            for rule, told in curves.items()
        },
    }  # fmt: skip
