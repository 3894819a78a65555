"""One command from labelled pictures to a model with card and evidence."""

from __future__ import annotations

import errno
import hashlib
import importlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

import isocenter
from isocenter.errors import IsocenterError, NotFound, Refused, Unavailable
from isocenter.learn.augment import levelled, resized
from isocenter.learn.card import marks_in, must_beat_a_coin, page
from isocenter.learn.device import chosen, told
from isocenter.learn.examples import Examples, split
from isocenter.learn.export import Whole, export
from isocenter.learn.films import read_films
from isocenter.learn.fit import answers, fit
from isocenter.learn.from_readings import learned
from isocenter.learn.judge import answered, figures
from isocenter.learn.kinds import Boxes, Classes, Classifier2D, Masks, Recipe, Table
from isocenter.learn.learnt import keep
from isocenter.learn.model_folder import write_record
from isocenter.learn.networks import ResidualNet
from isocenter.learn.pretrain import beginning
from isocenter.learn.recipes import OWN_TRAINING, recipe
from isocenter.learn.scope import Others, Scope, fit_scope, read_others
from isocenter.learn.taken_up import SPLIT, apart_from, gate_of, handed_on, read_back, split_of
from isocenter.learn.tested import laid
from isocenter.methods.calibration import Scale, fit_scale
from isocenter.record import Model, to_plain

__all__ = ["code_digest", "foreign_parts", "refusals", "train"]

Progress = Callable[[str], None]
_OWN: dict[type, tuple[str, str]] = {
    Classes: ("classify", "train_classes"),
    Masks: ("segment", "train_masks"),
    Table: ("tabulate", "train_table"),
    Boxes: ("detect", "train_boxes"),
}
"""Kind of recipe -> the module and the function that train it."""
_SEVERAL = ("several", "train_several")

_PASSED = 256  # films by which a network that was read back gets the statistics of its norms
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)  # no room: on the disk, for this person, for a file of this size
_SEEDS = 2**24  # a network's own is a hundred times as large, and has to fit into 32 bits
_SPENT = 0.01  # of the clear films, for calling what one place alone shows
_GATE = {"child": 0.5, "strangeness": 1.0}


def train(
    task: str,
    data: Path,
    out: Path,
    seed: int = 0,
    progress: Progress | None = None,
    *,
    others: Path | None = None,
    begin: Path | None = None,
    device: str = "cpu",
    clock: Callable[[], float] = time.monotonic,
) -> Model:
    """Train, calibrate, export and measure; writes ``model.onnx``, ``model.json`` and ``card.md`` into `out`.

    A run that was killed goes on after its last finished epoch when it is started again with the same `out`.

    Args:
        task: name of a recipe.
        data: what the recipe's kind reads: pictures with labels (`labelled`), a table (`rows`), images with outlines
            (`outlined`); for `cardiac_cine` a folder of cine and contours, for `chest_xray_heart` films with outlines.
        out: folder for the model; made when it is not there.
        seed: the same seed, data and code give the same weights on one machine.
        device: ``"cpu"`` or ``"gpu"`` (see `device`); on a GPU the weights do not repeat to the last bit.
        progress: is told each step in one line.
        begin: folder of a pretraining (`pretrain`) whose body classes of pictures and volumes begin with; for a recipe
            of films that goes on from another, a folder with the model of that one, which, with its gate, is then not
            trained again; the people who were held back from it stay held back, whatever the seed, and among other
            examples nobody measures whom it learnt from.
        others: MedNIST array for the gate; by default ``mednist/mednist_64.npz`` beside `data`, where it is.

    Returns:
        The record that was written, a candidate: nobody has released it.

    Raises:
        NotFound: when there is no such recipe.
        Refused: when the data have one class only or cannot be read, or for a seed below 0.
        Unavailable: when `out` cannot be written, the disk is full, or there is no GPU where one is asked for.
    """
    new = not out.exists()
    try:
        with chosen(device):
            return _trained(task, data, out, seed, progress or (lambda line: None), others, begin, clock)
    except IsocenterError:
        if new and out.is_dir() and not any(out.iterdir()):
            out.rmdir()  # nothing was begun
        raise
    except OSError as e:
        if e.errno not in _FULL:
            raise
        raise Unavailable(
            f"cannot write into {out}", str(e), "make room and give the same command: it goes on after its last epoch"
        ) from e


def _trained(
    task: str, data: Path, out: Path, seed: int, tell: Progress, others: Path | None, begin: Path | None,
    clock: Callable[[], float],
) -> Model:  # fmt: skip
    if not 0 <= seed < _SEEDS:
        raise Refused(f"the seed {seed}", f"it is a whole number from 0 to {_SEEDS - 1}", "give another")
    if begin is not None and (task in OWN_TRAINING or not _begins(recipe(task))):
        raise Refused(
            f"a beginning for '{task}'",
            "only classes by our own network, and films, begin with one",
            "leave --begin out",
        )
    if task in OWN_TRAINING:  # not a classifier of pictures: its module has a training of its own
        made: Model = importlib.import_module(OWN_TRAINING[task]).train(data, out, seed, tell, clock)
        return learned(made, data, out)
    how, started = recipe(task), clock()
    if not data.exists():
        raise NotFound(f"no data at {data}", "there is nothing to learn from", "check the path")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot make {out}", str(e), "choose another folder") from e
    if not isinstance(how, Classifier2D):
        fit_own, known = _SEVERAL if isinstance(how, Classes) and how.several else _OWN[type(how)]
        rest = (beginning(begin),) if begin is not None else ()
        fit_it = getattr(importlib.import_module(f"isocenter.learn.{fit_own}"), known)
        model = fit_it(how, data, out, seed, tell, clock, *rest)
        tell(", ".join(f"{name} {_with_interval(value)}" for name, value in model.evidence["metrics"].items()))
        return learned(model, data, out)
    examples = read_films(data, how)
    drawn = seed if begin is None else split_of(begin, examples, seed)
    inside, aside, pairs = split(examples, how.validation, drawn)
    if begin is not None:
        inside, aside = apart_from(begin, examples, inside, aside)
    for remark in examples.remarks:
        tell(remark)
    tell(f"{len(examples)} pictures, {len(inside)} for training, {len(aside)} for validation; {pairs} near-duplicates")
    chosen, held = examples.take(inside), examples.take(aside)
    start = _begun(how, chosen, seed, begin, out, tell)
    nets = [
        fit(how, chosen, seed * 100 + k, start=start, checkpoint=out / f"member{k}.checkpoint", progress=tell)
        for k in range(how.members)
    ]
    beside = others or data.parent / "mednist" / "mednist_64.npz"
    foreign = read_others(beside) if beside.is_file() else None
    gate_train, gate_test = foreign_parts(foreign, seed)
    scope = (
        fit_scope(chosen, gate_train, seed, steps=how.gate_steps, progress=tell) if begin is None else gate_of(begin)
    )
    keep(out, chosen.pictures)
    model = _written(how, nets, scope, held, gate_test, out, seed, {
        "people": {"training": len(np.unique(chosen.groups)), "validation": len(np.unique(held.groups))},
        "pictures": {"training": len(chosen), "validation": len(held)},
        "near_duplicates": pairs,
        "examples": examples.digest,
        "seconds": round(clock() - started),
        "begun": begin,
        "split": drawn,
        "data": data,
        "others": "MedNIST" if foreign is not None else "none: the gate knows only what chests can be turned into",
    })  # fmt: skip
    for name in ("begun", *(f"member{k}" for k in range(how.members))):
        (out / f"{name}.checkpoint").unlink(missing_ok=True)
    tell(f"on {len(held)} pictures for validation: auc {_with_interval(model.evidence['metrics']['auc'])}")
    model = learned(model, data, out)
    return model if begin is None else handed_on(begin, out, model)


def _with_interval(figure: Mapping[str, float]) -> str:
    of = f" ({figure['low']:.4f} to {figure['high']:.4f})" if "low" in figure and "high" in figure else ""
    return f"{figure['value']:.4f}{of}"


def _begins(how: Recipe) -> bool:
    return (isinstance(how, Classes) and not how.measured and how.network is None) or (
        isinstance(how, Classifier2D) and how.begins is not None
    )


def _begun(
    how: Classifier2D, chosen: Examples, seed: int, begin: Path | None, out: Path, tell: Progress
) -> ResidualNet | None:
    """The network that the recipe goes on from: read back from a folder, or trained here."""
    if how.begins is None:
        return None
    if begin is not None:
        some = np.random.default_rng([seed, 15]).permutation(len(chosen))[:_PASSED]
        films = torch.from_numpy(levelled(chosen.pictures[some]))[:, None].float() / 255
        return read_back(begin, how.begins, resized(films, how.size))
    tell(f"{how.begins.epochs} epochs without drawings")
    return fit(how.begins, chosen, seed * 100, checkpoint=out / "begun.checkpoint", progress=tell)


def foreign_parts(others: Others | None, seed: int) -> tuple[Others | None, Others | None]:
    """Four fifths of the foreign pictures to train the gate, one fifth to show that it refuses."""
    if others is None:
        return None, None
    held = np.random.default_rng([seed, 9]).random(len(others.adult)) < 0.2
    return (
        Others(others.pictures[~held], others.adult[~held]),
        Others(others.pictures[held], others.adult[held]),
    )


def _told_of(how: Classifier2D, begin: Path | None) -> dict[str, str]:
    """Where the network began, for the card."""
    if how.begins is None:
        return {}
    if begin is None:
        return {"begins with": f"{how.begins.epochs} epochs without drawings, in the same run"}
    told = f"{how.begins.task}, read back with its gate from the file with SHA-256 {_digest_in(begin)}"
    return {"begins with": told}


def _digest_in(folder: Path | None) -> str:
    return hashlib.sha256((folder / "model.onnx").read_bytes()).hexdigest() if folder is not None else ""


def code_digest() -> str:
    """Version of the package, and a digest of the files that decide the weights."""
    sha = hashlib.sha256()
    folder = Path(__file__).parent
    for name in (
        "augment.py",
        "consolidations.py",
        "examples.py",
        "films.py",
        "fit.py",
        "gridded.py",
        "kinds.py",
        "labelled.py",
        "networks.py",
        "recipes.py",
        "scope.py",
        "taken_up.py",
    ):
        sha.update((folder / name).read_bytes())
    return f"{isocenter.__version__}+{sha.hexdigest()[:12]}"


def _scales(nets: list[ResidualNet], held: Examples, size: int) -> list[Scale]:
    """Calibration on the validation children, each class with the same weight."""
    logits = np.mean(
        [(answers(n, held.pictures, size) + answers(n, held.pictures[:, :, ::-1], size)) / 2 for n in nets], axis=0
    )
    share = held.labels.mean()
    weights = np.where(held.labels == 1, 0.5 / share, 0.5 / (1 - share))
    first = fit_scale(held.labels, logits[:, 0], weights=weights)
    known = held.subtypes >= 0
    if len(np.unique(held.subtypes[known])) < 2:
        return [first, Scale(1.0)]
    return [first, fit_scale(held.subtypes[known], logits[known, 1])]


def _place(labels: npt.NDArray[np.int64], said: dict[str, npt.NDArray[Any]], threshold: float) -> float:
    """How far the highest places of a film must stand out to be called by themselves: the least that costs at most one
    in a hundred of the clear films that the certainty alone passes."""
    clear = labels == 0
    passed = said["certainty"][clear, 0] < threshold
    places = np.sort(said["place"][clear][passed])
    lost = int(_SPENT * np.count_nonzero(clear))
    return float(np.nextafter(places[len(places) - 1 - lost], np.inf)) if len(places) > lost else 0.0


def refusals(session: Any, held: Examples, foreign: Others | None, size: int, seed: int) -> dict[str, Any]:
    """How many wrong pictures are declined, by kind; none of them was seen in training."""
    some = held.pictures[np.random.default_rng([seed, 8]).permutation(len(held))[:200]]
    rng = np.random.default_rng([seed, 7])
    kinds: dict[str, npt.NDArray[np.uint8]] = {
        "inverted": 255 - some,
        "upside down": some[:, ::-1],
        "on the side": np.rot90(some, 1, (1, 2)),
        "half turn": np.rot90(some, 2, (1, 2)),
        "a quarter of the picture": some[:, 56:168, 10:122],
        "noise": rng.integers(0, 256, (100, 224, 224), dtype=np.uint8),
    }
    if foreign is not None:
        flat = np.ptp(np.percentile(foreign.pictures, (1, 99), axis=(1, 2)), axis=0) == 0
        kinds["adults' chests"] = foreign.pictures[foreign.adult & ~flat]
        kinds["other parts and modalities (MedNIST)"] = foreign.pictures[~foreign.adult & ~flat]
    found = {}
    for kind, pictures in kinds.items():
        said = answered(session, np.ascontiguousarray(pictures), size)
        kept = (said["scope"][:, 1] >= _GATE["child"]) & (said["strangeness"] <= _GATE["strangeness"])
        found[kind] = {"n": len(pictures), "declined": int(np.count_nonzero(~kept))}
    return found


def _written(
    how: Classifier2D, nets: list[ResidualNet], scope: Scope, held: Examples, foreign: Others | None, out: Path,
    seed: int, facts: dict[str, Any],
) -> Model:  # fmt: skip
    import onnxruntime as ort

    scales = _scales(nets, held, how.size)
    path = out / "model.onnx"
    digest, parity = export(Whole(nets, scales, scope), how.size, path, seed=seed)
    session = ort.InferenceSession(path.read_bytes(), providers=["CPUExecutionProvider"])
    inputs: dict[str, Any] = {
        "size": how.size, "between": 224, "percentiles": [1, 99], "threshold": 0.5, "gate": dict(_GATE)
    }  # fmt: skip
    said = answered(session, held.pictures, how.size)
    inputs["place"] = _place(held.labels, said, float(inputs["threshold"]))
    shown = figures(held, said, inputs, how.subtypes)
    shown["out_of_scope"] = refusals(session, held, foreign, how.size, seed)
    shown["parity"] = parity
    rows = [
        {"name": name, "label": int(label), "certainty": float(stated)}
        for name, label, stated in zip(held.names, held.labels, said["certainty"][:, 0], strict=True)
    ]
    kinds = ["" if kind < 0 else how.subtypes[kind] for kind in held.subtypes]
    shown |= laid(out, inputs, rows, facts["data"], {"": kinds})
    numbers = {k: v for k, v in asdict(how).items() if k not in ("card", "task")}
    card = dict(how.card) | {k: facts[k] for k in ("people", "pictures", "near_duplicates")}
    card["training"] = {
        "command": f"isocenter train {how.task} --data FOLDER --seed {seed}",
        **_told_of(how, facts["begun"]),
        "networks": how.members,
        "parameters": sum(p.numel() for n in nets for p in n.parameters()),
        "epochs": how.epochs,
        "seconds since it was started or taken up again": facts["seconds"],
        "torch": torch.__version__,
        "foreign pictures for the gate": facts["others"],
        "seed": seed,
        **({SPLIT: facts["split"]} if facts["split"] != seed else {}),
        **told(how.precision),
        **marks_in(out),
        "recipe": json.dumps(to_plain(numbers), sort_keys=True),
    }
    model = Model(
        name=how.task, version="1", digest=digest, parent=_digest_in(facts["begun"]), examples=facts["examples"],
        code=code_digest(), card=card, evidence=shown, inputs=inputs,
    )  # fmt: skip
    must_beat_a_coin(shown["metrics"]["auc"])
    write_record(out, model, page(model))
    return model
