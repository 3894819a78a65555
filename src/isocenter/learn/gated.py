"""The gate of a classifier of films taught anew: another version of the model, whose answers are those of the first.

The films that the model learnt from teach the gate, as the marks beside it tell; the others measure it.
"""

from __future__ import annotations

import hashlib
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Refused
from isocenter.learn.card import page
from isocenter.learn.export import Gate, exported
from isocenter.learn.films import films_on, read_films
from isocenter.learn.judge import answered, figures
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.learnt import FILE as MARKS
from isocenter.learn.learnt import seen
from isocenter.learn.model_folder import write_record
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.scope import SEEN, Scope, fit_scope, read_others
from isocenter.learn.taken_up import with_gate
from isocenter.learn.train import foreign_parts, refusals
from isocenter.record import Model

__all__ = ["gate_taught"]


def gate_taught(
    held: Model, place: Path, data: Path, out: Path, others: Path | None, seed: int, *, steps: int | None = None,
    tell: Callable[[str], None] = lambda line: None, taught: Scope | None = None,
) -> Model:  # fmt: skip
    """A new version of a classifier of films with a gate that was taught anew.

    Args:
        held: its record. place: its folder. data: the films that it learnt from, with some that it did not.
        out: folder for the new version; empty or new. others: MedNIST array; by default the one beside `data`.
        steps: of the teaching; by default those of the recipe. taught: a gate that was taught before, by `fit_scope`.

    Raises:
        Refused: a model without marks of what it learnt from, or films of which it learnt from all or from none.
    """
    import onnxruntime as ort

    how = recipe_behind(held)
    assert isinstance(how, Classifier2D)
    examples = read_films(data, how)
    known = seen(place, examples.pictures)
    if known is None or known.all() or not known.any():
        raise Refused(
            f"{0 if known is None else int(known.sum())} of {len(examples)} films that {held.name} learnt from",
            "those teach its gate, and others measure it", "give the films of its training, all of them",
        )  # fmt: skip
    inside, aside = (examples.take(np.flatnonzero(some)) for some in (known, ~known))
    tell(f"{len(inside)} films teach, {len(aside)} measure")
    beside = others or data.parent / "mednist" / "mednist_64.npz"
    shown, kept = foreign_parts(read_others(beside) if beside.is_file() else None, seed)
    gate = taught or fit_scope(inside, shown, seed, steps=steps or how.gate_steps, progress=tell)
    with tempfile.TemporaryDirectory() as folder:
        alone = Path(folder) / "gate.onnx"
        _, parity = exported(Gate(gate), (1, SEEN, SEEN), alone, ("scope", "strangeness"), seed=seed, name="small")
        weights = with_gate(read_file(place / "model.onnx"), alone.read_bytes())
    session = ort.InferenceSession(weights, providers=["CPUExecutionProvider"])
    size = int(held.inputs["size"])
    _must_answer_alike(place, session, aside.pictures[:16], size)
    found = figures(aside, answered(session, aside.pictures, size), held.inputs, how.subtypes)
    evidence: dict[str, Any] = {
        **held.evidence, "declined": found["declined"], "parity": max(parity, float(held.evidence["parity"])),
        "out_of_scope": refusals(session, aside, kept, size, seed),
    }  # fmt: skip
    if "auc_answered" in found["metrics"]:
        evidence["metrics"] = {**evidence["metrics"], "auc_answered": found["metrics"]["auc_answered"]}
    out.mkdir(parents=True, exist_ok=True)
    wholly.write(out / "model.onnx", weights)
    shutil.copyfile(place / MARKS, out / MARKS)
    told = (
        f"taught anew by isocenter scope, seed {seed}, {steps or how.gate_steps} steps; all else, and so the verdict "
        f"on its map, is that of the weights {held.digest[:12]}"
    )
    training = {**held.card["training"], "gate": told}
    digest = hashlib.sha256(weights).hexdigest()
    if verdicts := held.evidence.get("explanation"):  # on a map that is the same, bit for bit
        evidence["explanation"] = [
            {**one, "digest": digest} if one.get("digest") == held.digest else one for one in verdicts
        ]
    model = replace(
        held, version=str(int(held.version) + 1) if held.version.isdigit() else f"{held.version}, with another gate",
        digest=digest, parent=held.digest, state="candidate",
        card={**held.card, "training": training}, evidence=evidence,
    )  # fmt: skip
    write_record(out, model, page(model))
    return model


def _must_answer_alike(place: Path, session: Any, films: npt.NDArray[Any], size: int) -> None:
    """Refuse a file whose certainty or map is not that of the model before, to the last bit."""
    import onnxruntime as ort

    before = ort.InferenceSession(read_file(place / "model.onnx"), providers=["CPUExecutionProvider"])
    asked = {"image": films_on(films, size)}
    for name in ("logits", "certainty", "map", "embedding"):
        if not np.array_equal(before.run([name], asked)[0], session.run([name], asked)[0]):
            raise Refused(f"the {name} with another gate", "it is not that of the model before", "train the model anew")
