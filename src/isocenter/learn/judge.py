"""A model measured on labelled pictures: metrics with intervals, calibration, subgroups, and what it declined."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.weights import model as found_model
from isocenter.analysis.weights import open_session
from isocenter.errors import NotFound, Refused
from isocenter.learn.examples import Examples, read_folder, read_npz
from isocenter.learn.recipes import recipe
from isocenter.methods import calibration, roc
from isocenter.methods.picture import prepared
from isocenter.record import Model, from_plain

__all__ = ["answered", "figures", "judge"]


def judge(model: str | Path, data: Path) -> dict[str, Any]:
    """Measure a two-class model.

    Args:
        model: name of a model in ``models/``, or a folder that holds ``model.json`` and ``model.onnx``.
        data: a folder with one folder for each class, or an ``.npz`` in the manner of MedMNIST.

    Returns:
        ``{"model", "digest", "task", "n", "metrics", "calibration", "subgroups", "declined"}``. Metrics are taken
        over all pictures, also over those that the model would decline in the clinic, so that declining cannot
        make it look better; ``auc_answered`` is taken over the others.

    Raises:
        NotFound: when the data are not there.
        Refused: when they hold one class only, or cannot be read.
    """
    held, session = _opened(model)
    how = recipe(held.name)
    if not data.exists():
        raise NotFound(f"no data at {data}", "there is nothing to judge on")
    if data.is_dir():
        examples = read_folder(data, how.negative, how.positive, how.subtypes)
    elif data.suffix == ".npz":
        examples = read_npz(data)
    else:
        raise Refused(f"{data.name} is neither a folder nor .npz", "pictures with labels are wanted")
    said = answered(session, examples.pictures, int(held.inputs["size"]))
    return {"model": held.name, "digest": held.digest, "task": how.task} | figures(
        examples, said, held.inputs, how.subtypes
    )


def _opened(model: str | Path) -> tuple[Model, Any]:
    folder = Path(model)
    if not (folder / "model.json").is_file():
        held, _ = found_model(str(model))
        return held, open_session(held.name)
    held = from_plain(Model, json.loads((folder / "model.json").read_text("utf-8")))
    if found_model(held.name, folder.resolve().parent)[1].resolve() != (folder / "model.onnx").resolve():
        raise Refused(f"two models named {held.name} beside each other", "which of them is meant?", "move one away")
    return held, open_session(held.name, folder.resolve().parent)


def answered(session: Any, pictures: npt.NDArray[np.uint8], size: int, batch: int = 16) -> dict[str, npt.NDArray[Any]]:
    """What an ONNX session says of pictures, by the names of its outputs; feature maps are left out."""
    names = [o.name for o in session.get_outputs()]
    wanted = [n for n in names if n not in ("map", "features")]
    parts: dict[str, list[npt.NDArray[Any]]] = {n: [] for n in wanted}
    for start in range(0, len(pictures), batch):
        some = np.stack([prepared(p, size) for p in pictures[start : start + batch]])[:, None]
        for name, value in zip(wanted, session.run(wanted, {"image": some}), strict=True):
            parts[name].append(value)
    return {name: np.concatenate(values) for name, values in parts.items()}


def figures(
    examples: Examples, said: dict[str, npt.NDArray[Any]], inputs: Any, subtypes: tuple[str, ...]
) -> dict[str, Any]:
    """Counts, metrics, calibration and subgroups of answers to labelled pictures."""
    truth, logit, certainty = examples.labels, said["logits"][:, 0].astype(np.float64), said["certainty"][:, 0]
    gate = inputs["gate"]
    kept = (said["scope"][:, 1] >= gate["child"]) & (said["strangeness"] <= gate["strangeness"])
    point = roc.operating_point(truth, certainty, float(inputs["threshold"]))
    metrics: dict[str, Any] = {"auc": _area(truth, logit)}
    if kept.any() and len(np.unique(truth[kept])) == 2:
        metrics["auc_answered"] = _area(truth[kept], logit[kept])
    for name in ("accuracy", "sensitivity", "specificity"):
        value, low, high = getattr(point, name)
        metrics[name] = {"value": value, "low": low, "high": high}
    subgroups = []
    for kind, word in enumerate(subtypes):
        own = examples.subtypes == kind
        if own.any():
            some = own | (truth == 0)
            hits = int(np.count_nonzero(certainty[own] >= point.threshold))
            low, high = roc.wilson(hits, int(own.sum()))
            subgroups.append(
                {
                    "name": word,
                    "n": int(own.sum()),
                    "metrics": {
                        "auc": _area(truth[some], logit[some]),
                        "sensitivity": {"value": hits / int(own.sum()), "low": low, "high": high},
                    },
                }
            )
    known = examples.subtypes >= 0
    if known.any() and len(np.unique(examples.subtypes[known])) == 2:
        metrics[f"auc_{subtypes[1]}_among_{len(subtypes)}_kinds"] = _area(
            examples.subtypes[known], said["logits"][known, 1]
        )
    return {
        "n": len(examples),
        "positives": int(truth.sum()),
        "threshold": point.threshold,
        "metrics": metrics,
        "calibration": {
            "ece": calibration.expected_error(truth, certainty),
            "brier": calibration.brier(truth, certainty),
            "bins": [
                {"n": n, "stated": stated, "true": true}
                for n, stated, true in calibration.reliability(truth, certainty)
            ],
        },
        "subgroups": subgroups,
        "declined": int(np.count_nonzero(~kept)),
    }


def _area(truth: npt.NDArray[Any], score: npt.NDArray[Any]) -> dict[str, float]:
    area = roc.auc(truth, score)
    return {"value": area.value, "low": area.low, "high": area.high}
