"""Answers of a classifier held against labels: areas, rates and agreement with intervals, calibration, subgroups."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import agreement, calibration, clusters, roc, subgroups

__all__ = ["FEW", "area_of", "class_figures", "grade_of", "line_of", "mean_of", "ranks", "share_of", "too_few"]

FEW = 10
"""Fewer events than this say nothing about a group."""
_DRAWN = 30


def area_of(
    truth: npt.NDArray[Any], score: npt.NDArray[Any], people: npt.NDArray[Any] | None = None
) -> dict[str, float]:
    """Area under the curve with DeLong's interval, as plain numbers; that between people where they have several."""
    area = roc.auc(truth, score, people=people)
    return {"value": area.value, "low": area.low, "high": area.high}


def mean_of(
    values: npt.NDArray[np.float64], people: Sequence[str], *, least: float = 0.0, most: float = 1.0
) -> dict[str, float]:
    """A mean over cases with its bootstrap interval; of fewer than 30, or where people have several, with Student's of
    the people (see `clusters`). One person alone has none, and neither have cases that are all the same: how far the
    next will differ cannot be told from them (distances on a grid are often all one voxel).
    """
    told, own = {"value": float(values.mean())}, clusters.owners(list(people), len(values))
    if np.ptp(values) == 0:
        return told
    if own is None and len(values) < _DRAWN:  # draws of few differ too little
        own = np.arange(len(values))
    if own is None:
        drawn = np.random.default_rng(0).choice(values, (2000, len(values))).mean(1)
        low, high = np.percentile(drawn, (2.5, 97.5))
        told |= {"low": float(low), "high": float(high)}
    elif own.max() > 0:
        between = clusters.mean(values, own, least=least, most=most)
        told |= {"low": between.low, "high": between.high}
    return told


def share_of(hits: npt.NDArray[Any], people: npt.NDArray[Any] | None = None) -> dict[str, float]:
    """A share of cases with Wilson's interval, as plain numbers; that between people where they have several."""
    told = clusters.share(hits, people)
    return {"value": told.value, "low": told.low, "high": told.high}


def line_of(truth: npt.ArrayLike, certainty: npt.ArrayLike, people: npt.NDArray[Any] | None = None) -> dict[str, Any]:
    """Slope, intercept and calibration in the large with their intervals, those between people where they have several;
    or ``line_not_made`` with the reason."""
    try:
        line = calibration.line(truth, certainty, people=people)
    except Refused as why:
        return {"line_not_made": f"{why.what}: {why.why}"}
    return {
        name: dict(zip(("value", "low", "high"), getattr(line, name), strict=True))
        for name in ("slope", "intercept", "in_the_large")
    }


def class_figures(
    labels: npt.NDArray[np.int64],
    scores: npt.NDArray[np.float64],
    certainty: npt.NDArray[np.float64],
    declined: npt.NDArray[np.bool_],
    inputs: Mapping[str, Any],
    groups: Mapping[str, npt.NDArray[Any]] | None = None,
    people: npt.NDArray[Any] | None = None,
) -> dict[str, Any]:
    """Counts, metrics, calibration and subgroups.

    Metrics are taken over all cases, also over those that the model would decline, so that declining cannot make it
    look better; ``auc_answered`` is taken over the others.

    Args:
        labels: (n,) 0, 1, 2 …
        scores, certainty: (n, classes) before and after calibration; the certainty adds up to 1.
        declined: (n,) whether the model would decline the case.
        inputs: of the model: ``classes``, ``positive``, ``threshold``, ``ordered``.
        groups: name -> (n,) value of each case, such as sex.
        people: (n,) whose case it is; intervals are those between people where they have several.

    Raises:
        Refused: for one class only.
    """
    classes = list(inputs["classes"])
    if len(np.unique(labels)) < 2:
        raise Refused(
            f"every label is {int(labels[0])} ({classes[int(labels[0])]})", "one class only has no curve",
            "give cases of two classes at least",
        )  # fmt: skip
    rank = ranks(scores, inputs)
    if len(classes) == 2:
        metrics = _of_two(labels, rank, certainty, inputs, people)
    else:
        metrics = _of_many(labels, rank, certainty, bool(inputs.get("ordered")), people)
    kept = ~declined
    if declined.any() and len(np.unique(labels[kept])) > 1:
        metrics["auc_answered"] = _area(labels[kept], rank[kept], inputs, _some(people, kept))
    said = certainty.argmax(1)
    if len(classes) == 2:
        positive = int(inputs["positive"])
        truth, stated = (labels == positive).astype(int), certainty[:, positive]
        error = calibration.brier(truth, stated)
    else:
        truth, stated = (said == labels).astype(int), certainty.max(1)
        error = float(np.mean(((certainty - np.eye(len(classes))[labels]) ** 2).sum(1)))
    stated = np.clip(stated, 0, 1)
    return {
        "n": len(labels),
        "metrics": metrics,
        "calibration": {
            "ece": calibration.expected_error(truth, stated),
            "brier": error,
            **line_of(truth, stated, people),
            "bins": [
                {"n": n, "stated": told, "true": true} for n, told, true in calibration.reliability(truth, stated)
            ],
        },
        "subgroups": [
            *_by_class(labels, rank, said, certainty, classes, people),
            *_by_group(labels, rank, certainty, inputs, groups or {}, people),
        ],
        "declined": int(np.count_nonzero(declined)),
    }


def ranks(scores: npt.NDArray[np.float64], inputs: Mapping[str, Any]) -> npt.NDArray[np.float64]:
    """What orders the cases: the difference of two logits, or the chance of each class before calibration."""
    if len(inputs["classes"]) == 2:
        positive = int(inputs["positive"])
        gap = scores[:, positive] - scores[:, 1 - positive]
        return np.asarray(np.stack([-gap, gap] if positive == 1 else [gap, -gap], 1), np.float64)
    z = np.exp(scores - scores.max(1, keepdims=True))
    return np.asarray(z / z.sum(1, keepdims=True), np.float64)


def _some(people: npt.NDArray[Any] | None, own: npt.NDArray[np.bool_]) -> npt.NDArray[Any] | None:
    return None if people is None else people[own]


def _area(
    labels: npt.NDArray[Any], rank: npt.NDArray[np.float64], inputs: Mapping[str, Any],
    people: npt.NDArray[Any] | None,
) -> dict[str, float]:  # fmt: skip
    if len(inputs["classes"]) == 2:
        positive = int(inputs["positive"])
        return area_of((labels == positive).astype(int), rank[:, positive], people)
    area = roc.one_against_rest(labels, rank, people=people)
    return {"value": area.value, "low": area.low, "high": area.high}


def _of_two(
    labels: npt.NDArray[Any], rank: npt.NDArray[np.float64], certainty: npt.NDArray[np.float64],
    inputs: Mapping[str, Any], people: npt.NDArray[Any] | None,
) -> dict[str, Any]:  # fmt: skip
    positive = int(inputs["positive"])
    ill, called = labels == positive, certainty[:, positive] >= float(inputs["threshold"])
    return {
        "auc": area_of(ill.astype(int), rank[:, positive], people),
        "accuracy": share_of(called == ill, people),
        "sensitivity": share_of(called[ill], _some(people, ill)),
        "specificity": share_of(~called[~ill], _some(people, ~ill)),
    }


def _of_many(
    labels: npt.NDArray[Any], rank: npt.NDArray[np.float64], certainty: npt.NDArray[np.float64], ordered: bool,
    people: npt.NDArray[Any] | None,
) -> dict[str, Any]:  # fmt: skip
    said = certainty.argmax(1)
    area = roc.one_against_rest(labels, rank, people=people)
    metrics: dict[str, Any] = {
        "auc": {"value": area.value, "low": area.low, "high": area.high},
        "accuracy": share_of(said == labels, people),
    }
    if ordered:
        grade = grade_of(certainty)
        for name, weights in (("quadratic_kappa", "quadratic"), ("linear_kappa", "linear")):
            found = agreement.kappa(labels, grade, weights=weights)  # type: ignore[arg-type]
            metrics[name] = {"value": found.value, "low": found.low, "high": found.high}
    return metrics


def grade_of(certainty: npt.NDArray[np.float64]) -> npt.NDArray[np.int64]:
    """The mean of the grades by their chances, rounded: it is nearer in squares than the likeliest.

    >>> grade_of(np.array([[0.5, 0.1, 0.4], [0.6, 0.3, 0.1]])).tolist()
    [1, 0]
    """
    return np.rint(certainty @ np.arange(certainty.shape[1])).astype(np.int64)


def too_few(own: npt.NDArray[np.bool_], people: npt.NDArray[Any] | None, what: str = "event") -> str:
    """That nothing is told of a group with so few people; empty where they are enough."""
    held = int(own.sum()) if people is None else len(np.unique(people[own]))
    return subgroups.insufficient(held, FEW, what) if held < FEW else ""


def _by_class(
    labels: npt.NDArray[Any], rank: npt.NDArray[np.float64], said: npt.NDArray[Any],
    certainty: npt.NDArray[np.float64], classes: list[str], people: npt.NDArray[Any] | None,
) -> list[dict[str, Any]]:  # fmt: skip
    """Of several classes each against the rest: found, believed when said, ranked, and how far its certainty is off."""
    if len(classes) == 2:
        return []
    rows = []
    for kind, name in enumerate(classes):
        own = labels == kind
        if own.any() and not own.all():
            if few := too_few(own, people):
                rows.append({"by": "class", "name": name, "n": int(own.sum()), "metrics": {}, "insufficient": few})
                continue
            figures = {
                "auc": area_of(own.astype(int), rank[:, kind], people),
                "sensitivity": share_of(said[own] == kind, _some(people, own)),
            }
            if (called := said == kind).any():
                figures["ppv"] = share_of(own[called], _some(people, called))
            error = calibration.expected_error(own, np.clip(certainty[:, kind], 0, 1))
            row = {"by": "class", "name": name, "n": int(own.sum()), "metrics": figures, "calibration": {"ece": error}}
            rows.append(row)
    return rows


def _by_group(
    labels: npt.NDArray[Any], rank: npt.NDArray[np.float64], certainty: npt.NDArray[np.float64],
    inputs: Mapping[str, Any], groups: Mapping[str, npt.NDArray[Any]], people: npt.NDArray[Any] | None,
) -> list[dict[str, Any]]:  # fmt: skip
    rows: list[dict[str, Any]] = []
    positive, two = int(inputs["positive"]), len(inputs["classes"]) == 2
    for by, values in groups.items():
        for value in sorted({str(v) for v in values}):
            own = np.array([str(v) == value for v in values])
            row: dict[str, Any] = {"by": by, "name": value, "n": int(own.sum())}
            if two:
                truth, stated = labels[own] == positive, certainty[own, positive]
                row["events"] = int(np.count_nonzero(truth))
                called = stated >= float(inputs["threshold"])
                row |= subgroups.figures_of(
                    truth, stated, called, rank=rank[own, positive], few=FEW, people=_some(people, own)
                )
            elif len(np.unique(labels[own])) < 2:
                row |= {"events": int(own.sum()), "metrics": {}, "without": "cases of one class only have no curve"}
            elif few := too_few(own, people, "case"):
                row |= {"events": int(own.sum()), "metrics": {}, "insufficient": few}
            else:
                area = _area(labels[own], rank[own], inputs, _some(people, own))
                row |= {"events": int(own.sum()), "metrics": {"auc": area}}
            rows.append(row)
    return rows
