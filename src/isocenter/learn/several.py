"""Pictures that may show several findings at once, or none: each is told by itself, with a certainty of its own.

As for classes, each network learns from all parts but one and answers for that one, people and near-duplicates being
kept together.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from isocenter.errors import Refused
from isocenter.learn.card import written
from isocenter.learn.classify import Answer, Beginning, Progress, ellipsoid, fit_classes_net, said_of, tensor, veil
from isocenter.learn.examples import Examples, folds
from isocenter.learn.export import exported
from isocenter.learn.findings import known_in, shown_in
from isocenter.learn.judge_classes import area_of, line_of, share_of, too_few
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import read_labelled
from isocenter.learn.learnt import keep
from isocenter.learn.monai_networks import named_on, room_for
from isocenter.learn.networks import GridNet
from isocenter.learn.outside import far, no_border
from isocenter.learn.splits import taught_on_test
from isocenter.learn.tested import laid
from isocenter.learn.unread import without
from isocenter.methods import calibration, roc
from isocenter.methods.calibration import Scale, fit_scale
from isocenter.methods.clusters import mean_error
from isocenter.record import Model

__all__ = ["cases_in", "figures_of_findings", "judged", "train_several"]

Truth = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def _dealt(examples: Examples, kinds: int, parts: int, seed: int) -> tuple[npt.NDArray[np.int64], int]:
    """The parts, so that each has its share of the rarest findings first, and of pictures without any."""
    shown = shown_in(examples.labels, kinds)
    people = np.array([len(np.unique(examples.groups[shown[:, k]])) for k in range(kinds)])
    first = np.full(len(examples), kinds)
    for k in np.argsort(-people):  # the rarest has the last word
        if people[k] >= parts:
            first[shown[:, k]] = k
    return folds(replace(examples, labels=first), parts, seed)


def train_several(
    how: Classes, data: Path, out: Path, seed: int, tell: Progress, clock: Callable[[], float],
    begin: Beginning | None = None,
) -> Model:  # fmt: skip
    """Train each network, calibrate each finding on what they had not seen, export and measure; see `train.train`."""
    chosen = how.fitted or tuple(range(how.members))
    limit = room_for(how, len(chosen))
    started, examples = clock(), read_labelled(data, how)
    kinds = len(how.classes)
    shown, known = shown_in(examples.labels, kinds), known_in(examples.labels, kinds)
    if not _differ(shown, known).any():
        raise Refused("pictures that all show the same", "nothing can be learnt from them", "give others, too")
    if how.loss and not known.all():
        raise Refused(
            "labels of which some are not known", f"the loss {how.loss} of the recipe asks for all of them",
            "leave the loss of the recipe out, or the pictures",
        )  # fmt: skip
    part, pairs = _dealt(examples, kinds, how.members, seed)
    for remark in (*examples.remarks, *taught_on_test(examples.ways)):
        tell(remark)
    tell(f"{len(examples)} examples in {how.members} parts; {pairs} near-duplicates kept together")
    pictures, veiled = tensor(examples.pictures, how), veil(how)
    nets: list[GridNet] = []
    logits = torch.zeros(len(examples), kinds)
    for number, k in enumerate(chosen):
        tell(f"network {number + 1} of {len(chosen)}")
        nets.append(fit_classes_net(
            how, examples.take(np.flatnonzero(part != k)), seed * 100 + k, checkpoint=out / f"member{k}.checkpoint",
            begin=begin, progress=tell,
        ))  # fmt: skip
        held = np.flatnonzero(part == k)
        logits[held] = said_of(nets[-1], pictures[held], how.views, veiled)[0]
    answered = np.isin(part, chosen)
    scores, truth, sure = logits.numpy().astype(np.float64)[answered], shown[answered], known[answered]
    scales = [_scale(truth[own, k], scores[own, k]) for k, own in enumerate(sure.T)]
    inside = said_of(nets[0], pictures, ((),), veiled)[1]
    centre, whiten = ellipsoid(inside, part == chosen[0])
    slopes, offsets = (torch.tensor([getattr(s, name) for s in scales]).float() for name in ("slope", "offset"))
    whole = Answer(nets, how.views, slopes, offsets, centre, whiten, veiled, several=True)
    digest, parity = exported(
        whole, (how.channels, *how.shape), out / "model.onnx", ("logits", "certainty", "embedding", "strangeness"),
        limit_bytes=limit,
    )  # fmt: skip
    keep(out, examples.pictures[part != chosen[0] if len(chosen) == 1 else np.ones(len(part), bool)])
    certainty = np.stack([scale(scores[:, k]) for k, scale in enumerate(scales)], 1)
    inputs: dict[str, Any] = {
        "kind": "findings", "classes": list(how.classes), "shape": list(how.shape), "channels": how.channels,
        "known_as": dict(how.known_as), "threshold": 0.5,
    }  # fmt: skip
    held_part, whose = part[answered], examples.groups[answered]

    def figures(own: Truth) -> dict[str, Any]:
        none = np.zeros(int(own.sum()), bool)
        return figures_of_findings(truth[own], scores[own], certainty[own], none, how.classes, whose[own], sure[own])

    evidence = figures(np.ones(len(truth), bool)) | {"parity": parity}
    evidence["networks"] = [figures(held_part == k)["metrics"] | {"seed": seed * 100 + k} for k in chosen]
    names = [examples.names[i] for i in np.flatnonzero(answered)]
    rows = _rows(names, truth, sure, certainty, how.classes)
    evidence |= laid(out, inputs, rows, data, {"finding": [str(row["findings"]) for row in rows]})
    return written(how, out, digest, examples.digest, inputs, evidence, {
        "examples": {name: int(n) for name, n in zip(how.classes, shown.sum(0), strict=True)}
        | {"none of them": int((known.all(1) & ~shown.any(1)).sum())}
        | {f"{name}, not known": int(n) for name, n in zip(how.classes, (~known).sum(0), strict=True) if n},
        "near_duplicates": pairs, "networks": len(chosen), "seed": seed, "seconds": round(clock() - started),
        "parameters": sum(p.numel() for net in nets for p in net.parameters()),
        "shown": f"{len(chosen)} of {how.members} parts, each by a network that had not seen it; their average ships",
        **named_on(how),
    })  # fmt: skip


def _differ(truth: Truth, known: Truth) -> Truth:
    """(findings,) which some pictures show and others do not, of those of which it is known."""
    return np.asarray((truth & known).any(0) & (~truth & known).any(0))


def _rows(
    names: Sequence[str], truth: Truth, known: Truth, certainty: Array, classes: Sequence[str]
) -> list[dict[str, Any]]:
    """Of each picture what it shows, how much of what is known was told rightly, and the certainty of each finding."""
    return [
        {"name": name, "findings": "|".join(np.array(classes)[own])}
        | ({} if sure.all() else {"not known": "|".join(np.array(classes)[~sure])})
        | {"right": float(((stated >= 0.5) == own)[sure].mean())}
        | {f"certainty {n}": float(v) for n, v in zip(classes, stated, strict=True)}
        for name, own, sure, stated in zip(names, truth, known, certainty, strict=True)
    ]


def _scale(truth: Truth, logits: Array) -> Scale:
    return fit_scale(truth.astype(int), logits) if 0 < truth.sum() < len(truth) else Scale(1.0)


def figures_of_findings(
    truth: Truth,
    scores: Array,
    certainty: Array,
    declined: Truth,
    classes: Sequence[str],
    people: npt.NDArray[Any] | None = None,
    known: Truth | None = None,
) -> dict[str, Any]:
    """Counts, metrics, calibration over all findings, and a row for each finding.

    Args:
        truth, scores, certainty: (n, findings). declined: (n,) whether the model would decline the picture.
        people: (n,) whose picture it is; intervals are those between people where they have several.
        known: (n, findings) whether it is known, of each picture of one at least; None: of all. The others count for
            nothing.

    Returns:
        ``metrics``: ``auc``, the mean over the findings; ``accuracy``, the share of findings told rightly at a
        certainty of 0.5, its interval from the spread between pictures; of the pictures, how many were `exact` in all.

    Raises:
        Refused: no finding that some pictures show and others do not.
    """
    sure = np.ones(truth.shape, bool) if known is None else known
    area = roc.of_findings(truth, scores, people=people, known=sure)
    right = np.asarray((((certainty >= 0.5) == truth) & sure).sum(1) / sure.sum(1))
    whose = np.arange(len(right)) if people is None else people
    mean, error = float(right.mean()), mean_error(right, whose) if len(np.unique(whose)) > 1 else 0.0
    metrics: dict[str, Any] = {
        "auc": {"value": area.value, "low": area.low, "high": area.high},
        "accuracy": {"value": mean, "low": max(0.0, mean - 1.96 * error), "high": min(1.0, mean + 1.96 * error)},
        "exact": share_of(right == 1, whose),
    }
    kept = ~declined
    if declined.any() and _differ(truth[kept], sure[kept]).any():
        answered = roc.of_findings(truth[kept], scores[kept], people=whose[kept], known=sure[kept])
        metrics["auc_answered"] = {"value": answered.value, "low": answered.low, "high": answered.high}
    said, stated = truth.astype(int)[sure], np.clip(certainty, 0, 1)[sure]
    return {
        "n": len(truth),
        "metrics": metrics,
        "calibration": {
            "ece": calibration.expected_error(said, stated), "brier": calibration.brier(said, stated),
            **line_of(said, stated, np.repeat(whose, sure.sum(1))),
            "bins": [{"n": n, "stated": told, "true": true} for n, told, true in calibration.reliability(said, stated)],
        },
        "subgroups": [
            {"by": "finding", "name": name, "n": int(truth[own, k].sum()),
             **({} if own.all() else {"not_known": int((~own).sum())}),
             **_of_one(truth[own, k], scores[own, k], certainty[own, k], whose[own])}
            for k, (name, own) in enumerate(zip(classes, sure.T, strict=True))
        ],
        "declined": int(np.count_nonzero(declined)),
    }  # fmt: skip


def _of_one(truth: Truth, score: Array, certainty: Array, people: npt.NDArray[Any]) -> dict[str, Any]:
    """Of one finding; no metrics where all pictures show it, or none, or so few people's that they say nothing."""
    if truth.all() or not truth.any():
        return {"metrics": {}}
    if few := too_few(truth, people):
        return {"metrics": {}, "insufficient": few}
    called = certainty >= 0.5
    return {"metrics": {
        "auc": area_of(truth.astype(int), score, people),
        "sensitivity": share_of(called[truth], people[truth]),
        "specificity": share_of(~called[~truth], people[~truth]),
    }}  # fmt: skip


def _asked(held: Model) -> Classes:
    inputs = held.inputs
    return Classes(
        task=held.name, classes=tuple(inputs["classes"]), shape=tuple(inputs["shape"]), several=True,
        channels=inputs["channels"], known_as=inputs["known_as"],
    )  # fmt: skip


def cases_in(held: Model, data: Path, split: str | None) -> npt.NDArray[np.uint8]:
    """The pictures that can be judged, as they are read."""
    return read_labelled(data, _asked(held), split, aside=[]).pictures


def named(held: Model, data: Path) -> tuple[Sequence[str], None]:
    """Names of the pictures that can be judged.

    Raises:
        Refused: see `labelled.read_labelled`; no finding that some pictures show and others do not.
    """
    how = _asked(held)
    examples = read_labelled(data, how, None)
    kinds = len(how.classes)
    if not _differ(shown_in(examples.labels, kinds), known_in(examples.labels, kinds)).any():
        raise Refused(
            f"{len(examples)} pictures in {data.name}", "there is no finding that some show and others do not",
            "give pictures with and without one",
        )  # fmt: skip
    return examples.names, None


def judged(
    held: Model, session: Any, data: Path, split: str | None
) -> tuple[dict[str, Any], list[dict[str, Any]], Mapping[str, Any]]:
    """Figures, and a row for each picture: what it shows, and the certainty of each finding.

    Raises:
        Refused: see `labelled.read_labelled`; no finding that some pictures show and others do not.
    """
    how = _asked(held)
    unread: list[tuple[str, str]] = []
    examples = read_labelled(data, how, split, aside=unread)
    parts: dict[str, list[Array]] = {name: [] for name in ("logits", "certainty", "strangeness")}
    for start in range(0, len(examples), 64):
        some = tensor(examples.pictures[start : start + 64], how).numpy().astype(np.float32) / 255
        for kept, value in zip(parts.values(), session.run(list(parts), {"image": some}), strict=True):
            kept.append(value.astype(np.float64))
    logits, certainty, strange = (np.concatenate(each) for each in parts.values())
    truth, known = (of(examples.labels, len(how.classes)) for of in (shown_in, known_in))
    declined, unsaid = strange > 1, no_border(held.inputs)
    told = _rows(examples.names, truth, known, certainty, how.classes)
    rows = [
        {"name": row["name"], "person": int(whose)} | row
        | {"declined": bool(s > 1), "because": far(s) if s > 1 else "" if stated.max() >= 0.5 else unsaid}
        for row, whose, stated, s in zip(told, examples.groups, certainty, strange, strict=True)
    ]  # fmt: skip
    figures = figures_of_findings(truth, logits, certainty, declined, how.classes, examples.groups, known)
    return *without(figures | {"remarks": list(examples.remarks), "parts": list(examples.parts)}, rows, unread), {}
