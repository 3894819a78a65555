"""Another calibration of a model as another version of it: its own file, its own digest, a candidate like any other.

What a model states is bent into what is true on cases of the place where it shall work, by temperature (one number),
Platt's line (two), or isotonic steps (many). Nothing is changed in place: new nodes behind the ``certainty`` of the
ONNX file make a file with another digest, whose parent is the old one, and which no reader sees before it went through
the gate. The network before those nodes stays as it was; `network_digest` proves it.
"""

from __future__ import annotations

import hashlib
import re
import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Conflict, Refused
from isocenter.learn.card import plain_page
from isocenter.learn.judge import judged, opened
from isocenter.learn.judge_classes import class_figures
from isocenter.learn.judge_use import Stated, stated_of
from isocenter.learn.learnt import FILE
from isocenter.learn.model_folder import write_record
from isocenter.learn.outside import FILE as BORDER
from isocenter.learn.sealed import digest_of_data
from isocenter.methods.calibration import fit_classes, fit_isotonic, fit_scale, sigmoid
from isocenter.record import Model

__all__ = ["HOW", "network_digest", "recalibrated"]

HOW = {"temperature": 20, "platt": 20, "isotonic": 100}
"""Way -> fewest cases of each class that it is fitted on."""

_LEAST = 1e-12  # of a certainty whose logarithm is taken
_PREFIX = "recalibrated/"
_FOLDS = 5
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Bend:
    """What is done to stated certainties: the numbers of it, and how it answers (n, classes) logarithms."""

    numbers: dict[str, Any]
    answers: Callable[[Array], Array]


def recalibrated(
    model: str | Path, data: Path, out: Path, how: str, extra: Path | None = None, *, split: str | None = None
) -> Model:
    """A new version of a model with another calibration, in a folder of its own.

    Its evidence is that of the same cases, each answered by a calibration that had not seen its person.

    Args:
        model: name, or folder. data: labelled cases that the model neither learnt from nor is tested on.
        out: folder for ``model.onnx`` and ``model.json``; empty or new. how: temperature, platt or isotonic.

    Raises:
        Refused: another way, too few cases of a class, a model that states no certainties or has a class for the rest,
            isotonic steps of more than two classes, or the data that it learnt from.
        Conflict: the folder holds something.
    """
    if how not in HOW:
        raise Refused(f"a calibration by '{how}'", f"there are {', '.join(HOW)}", "choose one of these")
    if out.exists() and any(out.iterdir()):
        raise Conflict(f"'{out}' is not empty", "a model is never changed in place", "name another folder")
    old, _ = opened(model, extra)
    found = judged(model, data, split, extra)
    cases = stated_of(old, found.predictions)
    if cases is None or old.inputs.get("rest"):
        why, do = _not_recalibrated(old)
        raise Refused(f"a calibration of {old.name}", why, do)
    if lost := found.predictions[len(found.cases) :]:
        raise Refused(f"'{lost[0]['name']}' cannot be used", str(lost[0]["because"]), "take it out or replace it")
    if digest_of_data(data) == old.examples or found.report.get("learnt_from"):
        raise Refused(f"the data '{data.name}'", "the model learnt from them", "take cases that it has not seen")
    if how == "isotonic" and len(cases.classes) > 2:
        raise Refused("isotonic steps of more than two classes", "they are of one score", "take temperature or platt")
    counts = np.bincount(cases.labels, minlength=len(cases.classes))
    if counts.min() < HOW[how]:
        few = cases.classes[int(counts.argmin())]
        raise Refused(f"{counts.min()} cases of '{few}'", f"{how} is fitted on at least {HOW[how]} of each class",
                      "collect more, or choose a way with fewer numbers")  # fmt: skip
    bend = _fitted(cases, np.ones(len(cases), bool), how)
    data_digest, file = digest_of_data(data), _file_of(model, extra)
    bytes_ = _bent(read_file(file), bend, how, len(cases.classes), "kind" not in old.inputs)
    made = _written(old, cases, found.predictions, bend, how, bytes_, out, data_digest)
    for beside in (FILE, BORDER):
        if file.with_name(beside).is_file():
            shutil.copyfile(file.with_name(beside), out / beside)
    return made


def _not_recalibrated(model: Model) -> tuple[str, str]:
    """Why a model that does not state one certainty for each of its classes keeps its calibration, and what to do."""
    if model.inputs.get("kind") == "findings":
        return (
            "each of its findings has a calibration of its own, and one bend is laid over all classes together",
            "train it on these cases, too: a training calibrates each finding on people whom no network saw",
        )
    if model.inputs.get("rest"):
        return (
            "what is none of its classes has a certainty, too, which cases of the classes do not calibrate",
            "train it on these cases, too: a training lays this border anew",
        )
    return "it does not state a certainty for each of its classes and no more", "`judge` tells how right it is"


def network_digest(data: bytes) -> str:
    """SHA-256 of what an ONNX file computes before any recalibration: weights and nodes, whatever was put behind.

    Raises:
        Refused: bytes that are no ONNX.
    """
    import onnx

    try:
        graph = onnx.load_model_from_string(data).graph
    except Exception as bad:
        raise Refused("bytes that are no ONNX", str(bad)[:120], "give the folder of a model") from bad
    whole = hashlib.sha256()
    for tensor in sorted((t for t in graph.initializer if not t.name.startswith(_PREFIX)), key=lambda t: str(t.name)):
        whole.update(tensor.SerializeToString(deterministic=True))
    for node in graph.node:
        if not node.name.startswith(_PREFIX):
            text = node.SerializeToString(deterministic=True)
            plain = onnx.NodeProto.FromString(text)
            for names in (plain.input, plain.output):
                names[:] = [re.sub(rf"^{_PREFIX}\d+/before$", "certainty", n) for n in names]
            whole.update(plain.SerializeToString(deterministic=True))
    return whole.hexdigest()


def _fitted(cases: Stated, which: npt.NDArray[np.bool_], how: str) -> _Bend:
    logs = np.log(np.clip(cases.certainty, _LEAST, None))
    labels = cases.labels[which]
    if logs.shape[1] > 2:
        slope, offsets = fit_classes(labels, logs[which])
        if how == "temperature":
            slope, offsets = _temperature(labels, logs[which]), np.zeros(logs.shape[1])
        return _Bend({"slope": slope, "offsets": offsets.tolist()}, lambda z: _softmax(slope * z + offsets))
    x = (logs[:, 1] - logs[:, 0])[which]
    if how == "isotonic":
        steps, least = fit_isotonic(labels, x), 1 / (len(x) + 2)  # nothing is stated to be never or always
        values = np.clip(steps.values, least, 1 - least)
        return _Bend(
            {"knots": steps.knots.tolist(), "values": values.tolist()},
            lambda z: _both(np.interp(z[:, 1] - z[:, 0], steps.knots, values)),
        )
    scale = fit_scale(labels, x, offset=how == "platt")
    return _Bend(
        {"slope": scale.slope, "offset": scale.offset},
        lambda z: _both(sigmoid(scale.slope * (z[:, 1] - z[:, 0]) + scale.offset)),
    )


def _temperature(labels: npt.NDArray[np.int64], logs: Array) -> float:
    from scipy.optimize import minimize_scalar
    from scipy.special import log_softmax

    def loss(power: float) -> float:
        return -float(np.mean(log_softmax(np.exp(power) * logs, axis=1)[np.arange(len(labels)), labels]))

    return float(np.exp(minimize_scalar(loss, bounds=(-6, 6), method="bounded").x))


def _softmax(z: Array) -> Array:
    from scipy.special import softmax

    return np.asarray(softmax(z, axis=1), np.float64)


def _both(yes: Array) -> Array:
    return np.asarray(np.stack([1 - yes, yes], 1), np.float64)


def _file_of(model: str | Path, extra: Path | None) -> Path:
    from isocenter.analysis.weights import models

    folder = Path(model)
    if (folder / "model.json").is_file():
        return folder / "model.onnx"
    return models(extra)[opened(model, extra)[0].name][1]


def _bent(data: bytes, bend: _Bend, how: str, classes: int, film: bool) -> bytes:
    """The ONNX file with the bend behind its certainty."""
    import onnx
    from onnx import helper, numpy_helper

    whole = onnx.load_model_from_string(data)
    graph, level = whole.graph, 1
    while any(o.startswith(f"{_PREFIX}{level}/") for n in graph.node for o in n.output):
        level += 1
    at = f"{_PREFIX}{level}/"
    for one in graph.node:
        for names in (one.input, one.output):
            names[:] = [f"{at}before" if n == "certainty" else n for n in names]

    def held(name: str, values: Any, kind: Any = np.float32) -> str:
        graph.initializer.append(numpy_helper.from_array(np.asarray(values, kind), at + name))
        return at + name

    def node(kind: str, inputs: list[str], out: str, **more: Any) -> str:
        name = "certainty" if out == "certainty" else at + out
        graph.node.append(helper.make_node(kind, inputs, [name], name=at + out, **more))
        return name

    before = f"{at}before"
    if film:  # the first column is the chance of the finding; others stay
        first = node(
            "Slice", [before, held("0", [0], np.int64), held("1", [1], np.int64), held("axis", [1], np.int64)], "yes"
        )
        no = node("Sub", [held("one", 1.0), first], "no")
        pair = node("Concat", [no, first], "pair", axis=1)
    else:
        pair = before
    logs = node("Log", [node("Max", [pair, held("least", _LEAST)], "clipped")], "logs")
    if classes > 2:
        scaled = node("Mul", [logs, held("slope", bend.numbers["slope"])], "scaled")
        node("Softmax", [node("Add", [scaled, held("offsets", bend.numbers["offsets"])], "moved")], "certainty", axis=1)
        return bytes(whole.SerializeToString())
    gap = node("MatMul", [logs, held("minus", [[-1.0], [1.0]])], "gap")  # (n, 1)
    if how == "isotonic":
        bent = _stepped(node, held, gap, bend.numbers)
    else:
        scaled = node("Mul", [gap, held("slope", bend.numbers["slope"])], "scaled")
        bent = node("Sigmoid", [node("Add", [scaled, held("offset", bend.numbers["offset"])], "moved")], "bent")
    if film:
        rest = node("Slice", [before, at + "1", held("end", [2**31], np.int64), at + "axis"], "rest")
        node("Concat", [bent, rest], "certainty", axis=1)
    else:
        node("Concat", [node("Sub", [held("whole", 1.0), bent], "other"), bent], "certainty", axis=1)
    return bytes(whole.SerializeToString())


def _stepped(node: Callable[..., str], held: Callable[..., str], gap: str, numbers: dict[str, Any]) -> str:
    """Lines between knots, level outside: which interval, and how far into it."""
    knots, values = np.asarray(numbers["knots"]), np.asarray(numbers["values"])
    if len(knots) < 2:
        knots, values = np.array([knots[0], knots[0] + 1]), np.array([values[0], values[0]])
    inside = node("Clip", [gap, held("low", np.float32(knots[0])), held("high", np.float32(knots[-1]))], "inside")
    passed = node("Cast", [node("GreaterOrEqual", [inside, held("inner", knots[1:-1])], "over")], "passed", to=7)
    # An empty row of inner knots sums to 0: the one interval that there is.
    which = node("ReduceSum", [passed, held("last", [1], np.int64)], "which", keepdims=1)
    tables = {"start": knots[:-1], "length": np.diff(knots), "value": values[:-1], "rise": np.diff(values)}
    parts = [node("Gather", [held(name, table), which], f"at_{name}") for name, table in tables.items()]
    part = node("Div", [node("Sub", [inside, parts[0]], "beyond"), parts[1]], "part")
    return node("Add", [parts[2], node("Mul", [part, parts[3]], "risen")], "bent")


def _written(
    old: Model, cases: Stated, rows: Any, bend: _Bend, how: str, data: bytes, out: Path, data_digest: str
) -> Model:  # fmt: skip
    logs = np.log(np.clip(cases.certainty, _LEAST, None))
    unseen, part = np.zeros_like(logs), _dealt(cases)
    for k in range(_FOLDS):
        unseen[part == k] = _fitted(cases, part != k, how).answers(logs[part == k])
    inputs = {"classes": list(cases.classes), "positive": 1, "threshold": 0.5, **old.inputs}
    declined = np.array([bool(r.get("declined")) for r in rows if int(r.get("label", -1)) >= 0])
    was = class_figures(cases.labels, logs, cases.certainty, declined, inputs)["calibration"]
    rank = logs if how != "isotonic" else np.log(unseen)
    shown = class_figures(cases.labels, rank, unseen, declined, inputs, people=cases.people)
    shown |= {"calibration_before": {k: was[k] for k in ("ece", "brier")}, "parity": old.evidence.get("parity", 0.0)}
    n = str(int(old.version) + 1) if old.version.isdigit() else f"{old.version}, recalibrated"
    told = {"how": how, **bend.numbers, "n": len(cases), "data": data_digest}
    card = {
        **old.card, "goal": old.card.get("goal", {}), "recalibrated": {"of": old.digest, "how": how, "n": len(cases)},
        "shown_on": f"{len(cases)} cases of the new calibration, each by one that had not seen its person",
    }  # fmt: skip
    network = str(old.inputs.get("network", old.digest))
    model = replace(
        old, version=n, digest=hashlib.sha256(data).hexdigest(), parent=old.digest, state="candidate", card=card,
        evidence=shown, inputs={**old.inputs, "calibration": told, "network": network},
    )  # fmt: skip
    out.mkdir(parents=True, exist_ok=True)
    wholly.write(out / "model.onnx", data)
    write_record(out, model, plain_page(model) if "kind" in old.inputs else None)
    return model


def _dealt(cases: Stated) -> npt.NDArray[np.int64]:
    """(n,) which fold a case is in: people are dealt out, those of each class apart."""
    of, kind = np.zeros(int(cases.people.max()) + 1, np.int64), np.zeros(int(cases.people.max()) + 1, np.int64)
    kind[cases.people] = cases.labels
    rng = np.random.default_rng(0)
    for label in np.unique(kind):
        some = rng.permutation(np.flatnonzero(kind == label))
        of[some] = np.arange(len(some)) % _FOLDS
    return np.asarray(of[cases.people], np.int64)
