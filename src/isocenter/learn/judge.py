"""A model measured on labelled cases: metrics with intervals, calibration, subgroups, and what it declined."""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import models as shelf
from isocenter.analysis.weights import open_session, session_in
from isocenter.dicom.confining import bounded_memory
from isocenter.errors import MissingPart, NotFound, Refused, Unavailable
from isocenter.learn.at_work import AtWork
from isocenter.learn.examples import Examples
from isocenter.learn.films import films_on, read_films
from isocenter.learn.fitting import must_fit
from isocenter.learn.judge_classes import area_of, class_figures, grade_of, line_of, ranks, share_of, too_few
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import read_labelled
from isocenter.learn.learnt import FILE, must_be_kept, seen
from isocenter.learn.naming import REST
from isocenter.learn.outside import must_name, no_border, strangeness, why_declined
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.splits import part_of, together
from isocenter.learn.unread import without
from isocenter.methods import calibration
from isocenter.methods.picture import of_one_grey
from isocenter.methods.saliency import standing_out
from isocenter.record import Model

__all__ = [
    "OWN", "Judged", "answered", "asked", "figures", "folder_of", "judge", "judged", "kind_of", "must_be_new", "opened",
]  # fmt: skip

_Measured = tuple[dict[str, Any], list[dict[str, Any]], npt.NDArray[np.float64] | None]
_REPORTED = ("n", "metrics", "calibration", "subgroups", "declined")

_ALL_ILL = "everybody of the group has the disease: there is no call that could be wrong, so no PPV and no ECE"
OWN = {
    "table": "tabulate", "masks": "segment", "boxes": "detect", "findings": "several", "heart": "heart",
    "chest": "judge_chest",
}  # fmt: skip
"""Kind of model -> the module whose `judged` measures it."""


@dataclass(frozen=True, eq=False)
class Judged:
    """What a model did on labelled cases.

    Args:
        report: ``{"model", "task", "n", "metrics", "calibration", "subgroups", "declined"}``; of pictures and
            volumes, and of a whole table, also ``learnt_from``, how many of the cases the model has learnt from, where
            that is known, and ``people``, how many people the cases are of. ``border`` is *asked*, or says that none
            was taught; ``remarks``, where there are some, says what was done to the cases as they were given.
        model: the record of what was judged.
        predictions: a row for each case: name, label, what was said, whether it would be declined, and why; a negative
            answer of a model that was taught no border says so there.
        features: (n, d) of the same cases, what the answers are made from; None where the model does not tell them.
        masks: name -> (labels, affine) of a model that outlines; empty for others.
        cases: a row for each case, of which the cases behind the figures are kept; mostly the predictions.
    """

    report: Mapping[str, Any]
    model: Model
    predictions: Sequence[Mapping[str, Any]]
    features: npt.NDArray[np.float64] | None
    masks: Mapping[str, tuple[npt.NDArray[np.uint8], npt.NDArray[np.float64]]]
    cases: Sequence[Mapping[str, Any]] = ()

    def write(self, path: Path) -> None:
        """The predictions as CSV, as JSON by that suffix, or, where masks are among them, into a folder.

        Each file is there whole or not at all.

        Raises:
            Unavailable: when the place cannot be written.
        """
        try:
            if self.masks and not path.suffix:
                import nibabel
                from PIL import Image

                path.mkdir(parents=True, exist_ok=True)
                for name, (labels, affine) in self.masks.items():
                    place = path / name
                    place.parent.mkdir(parents=True, exist_ok=True)
                    if labels.ndim == 2:
                        stem = place.name.split(".nii")[0] if ".nii" in place.name else place.stem
                        with wholly.writing(place.with_name(f"{stem}.png")) as file:
                            Image.fromarray(labels).save(file, "PNG")
                        continue
                    with wholly.writing(place.with_name(f"{place.name.split('.nii')[0]}.nii.gz")) as file:
                        file.write(gzip.compress(nibabel.Nifti1Image(labels, affine).to_bytes(), 1, mtime=0))
                path = path / "predictions.csv"
            path.parent.mkdir(parents=True, exist_ok=True)
            if path.suffix == ".json":
                wholly.write(path, json.dumps(list(self.predictions), indent=1) + "\n")
                return
            text = io.StringIO(newline="")
            fields = list(dict.fromkeys(name for row in self.predictions for name in row)) or ["name"]
            writer = csv.DictWriter(text, fields)
            writer.writeheader()
            writer.writerows(self.predictions)
            wholly.write(path, text.getvalue())
        except OSError as e:
            raise Unavailable(f"cannot write {path}", str(e), "choose another place") from e


_UNMARKED = f"whether it has learnt from some of these cases is not known: {FILE}, which its card names, is not there"


def _against(metrics: Mapping[str, Any]) -> list[str]:
    """A sentence where a model ranks cases against their labels: they may be numbered the other way round."""
    area = metrics.get("auc", {})
    if not area.get("high", 1.0) < 0.5:
        return []
    return [
        f"AUC {area['value']:.3f}, below one half by more than chance: the answers run against the labels. Look "
        "whether they are numbered the other way round, or black and white are exchanged"
    ]


def _mostly(rows: Sequence[Mapping[str, Any]], n: int) -> list[str]:
    """A sentence where more than half of the cases are declined: what the figures say is of what no model answers.

    >>> _mostly([{"name": "a", "declined": True, "because": "too dark"}, {"name": "b", "declined": False}], 2)
    []
    >>> _mostly([{"name": "a", "declined": True, "because": "too dark"}], 1)[0][:55]
    '1 of 1 cases are declined, such as a: too dark. The fig'
    """
    away = {str(row["name"]): row for row in rows if row.get("declined")}
    every = max(n, len({str(row["name"]) for row in rows}))
    if 2 * len(away) <= every:
        return []
    name, first = next(iter(away.items()))
    why = first.get("because") or first["declined"]
    return [
        f"{len(away)} of {every} cases are declined, such as {name}: {why}. The figures hold those that could be "
        "measured all the same, and say little of cases that the model was made for: look whether these are such"
    ]


def judge(model: str | Path, data: Path, split: str | None = None) -> dict[str, Any]:
    """The report alone; see `judged`."""
    return dict(judged(model, data, split).report)


@bounded_memory()
def judged(
    model: str | Path, data: Path, split: str | None = None, extra: Path | None = None, *,
    tell: Callable[[str], None] | None = None,
) -> Judged:  # fmt: skip
    """Measure a model.

    Metrics are taken over all cases, also over those that the model would decline in the clinic, so that declining
    cannot make it look better.

    Args:
        model: name of a model in ``models/``, or a folder that holds ``model.json`` and ``model.onnx``.
        data: pictures with labels (`labelled`) or boxes (`boxed`), rows (`rows`) or images with outlines (`outlined`),
            as the model needs.
        split: only this part of the data, such as ``test``; by default all that are there.
        extra: a site's own folder of models.
        tell: takes a line now and then on how far it is.

    Raises:
        NotFound: when the model or the data are not there.
        Refused: when the data hold one class only, other labels, or cannot be read; for a pickle as a model.
    """
    held, session = opened(model, extra)
    must_fit(held, session, kind_of(held))
    marked = must_be_kept(folder_of(model, held, extra), held.card, or_gone=True)
    must_name(session, held.inputs)
    if not data.exists():
        raise NotFound(
            f"no data at {data}", "there is nothing to judge on", "give the path of a file or folder that is there"
        )
    if tell is not None:
        session = AtWork(session, tell)
    kind = kind_of(held)
    masks: dict[str, Any] = {}
    features: npt.NDArray[np.float64] | None = None
    if kind == "films":
        figures_, rows, features = _films(held, session, data, split, folder_of(model, held, extra))
    elif kind == "classes":
        figures_, rows, features = _classes(held, session, data, split, folder_of(model, held, extra))
    elif kind in OWN:
        module, more = import_module(f"isocenter.learn.{OWN[kind]}"), {}
        if told := held.inputs.get("scope"):
            place = folder_of(model, held, extra)
            more["strange"] = partial(strangeness, place, told)
        figures_, rows, masks = module.judged(held, session, data, split, **more)
        if (known := _learnt(model, held, data, split, extra)) is not None:
            figures_ |= {"learnt_from": int(np.count_nonzero(known))}
    else:
        raise Refused(
            f"'{held.name}' answers for '{kind}'",
            f"judged are {', '.join(('films', 'classes', *OWN))}",
            "update Isocenter, or judge a model of these kinds",
        )
    report = {"model": held.name, "task": held.name, **{k: figures_[k] for k in _REPORTED}}
    report["border"] = no_border(held.inputs) or "asked"
    told = [str(row.get("person", "")) for row in figures_.get("cases", rows)]
    if people := len(set(told) - {""}):
        report["people"] = people
    if "learnt_from" in figures_:
        report["learnt_from"] = figures_["learnt_from"]
    parts = figures_.get("parts") or [part_of(str(row["name"])) for row in figures_.get("cases", rows)]
    parted = [] if split else together(parts)
    unmarked = [] if marked else [_UNMARKED]
    if remarks := [
        *figures_.get("remarks", ()),
        *parted,
        *_mostly(rows, report["n"]),
        *unmarked,
        *_against(report["metrics"]),
    ]:
        report["remarks"] = remarks
    return Judged(report, held, rows, features, masks, figures_.get("cases", rows))


def _learnt(
    model: str | Path, held: Model, data: Path, split: str | None, extra: Path | None
) -> npt.NDArray[np.bool_] | None:
    """(n,) whether the model has learnt from a case; None where its training did not keep that.

    Of tables only a whole one is known again: marks of rows would take strangers with the same few values for the
    same person, and would let anybody who tries all rows that there can be find those of the patients.
    """
    place, kind = folder_of(model, held, extra), held.inputs.get("kind")
    if kind == "table":
        return import_module(f"isocenter.learn.{OWN[kind]}").learnt(held, data, split)  # type: ignore[no-any-return]
    if not (place / FILE).is_file():
        return None
    if kind == "classes":
        return seen(place, read_labelled(data, asked(held), split).pictures)
    if kind is None:
        how = recipe_behind(held)
        assert isinstance(how, Classifier2D)
        return seen(place, read_films(data, how, split).pictures)
    return seen(place, import_module(f"isocenter.learn.{OWN[str(kind)]}").cases_in(held, data, split))


def must_be_new(model: str | Path, data: Path, extra: Path | None = None) -> None:
    """Refuse a sealed test with cases that the model has learnt from, before anything of it is measured.

    Raises:
        Refused: there are some, where the training kept which they are (see `learnt`).
    """
    held = opened(model, extra)[0]
    must_be_kept(folder_of(model, held, extra), held.card)
    known = _learnt(model, held, data, None, extra)
    if known is not None and known.any():
        raise Refused(
            f"{int(np.count_nonzero(known))} of {len(known)} cases of the sealed test",
            f"{held.name} has learnt from them",
            "seal a test of people who are in no training: isocenter release … --seal DATA",
        )  # fmt: skip


def kind_of(held: Model) -> str:
    """What a model is shown and answers; the older kinds are known by what stands in their records."""
    plain = "films" if "gate" in held.inputs else "chest" if "outlines" in held.inputs else "heart"
    return str(held.inputs.get("kind", plain))


def opened(model: str | Path, extra: Path | None) -> tuple[Model, Any]:
    """A model's record and its session, by name or folder.

    Raises:
        NotFound, MissingPart: it is not there. Refused: it is a pickle, or not the file of its card.
    """
    folder = Path(model)
    if folder.is_file():
        if folder.name != "model.onnx":
            raise Refused(f"{folder.name} is no model", "it is not opened: a pickle could run code",
                          "give a name, or a folder with model.onnx and model.json")  # fmt: skip
        folder = folder.parent
    if (folder / "model.json").is_file():
        return session_in(folder)
    here = {_plain(name): name for name in shelf(extra)}
    if folder.is_dir() and _plain(folder.name) not in here:
        raise MissingPart(f"no model.json in {folder}", "a model is model.onnx with model.json beside it",
                          "give another folder")  # fmt: skip
    name = here.get(_plain(str(model)))
    if name is None:
        raise NotFound(
            f"no model '{model}'",
            f"there are {', '.join(sorted(here.values()))}" if here else "none is installed here",
            f"name {'one of these, or ' if here else ''}a folder with model.onnx",
        )
    return shelf(extra)[name][0], open_session(name, extra)


def _plain(name: str) -> str:
    return name.lower().replace("_", "").replace("-", "")


def _films(held: Model, session: Any, data: Path, split: str | None, place: Path) -> _Measured:
    how = recipe_behind(held)
    assert isinstance(how, Classifier2D)
    unread: list[tuple[str, str]] = []
    examples = read_films(data, how, split, aside=unread)
    said = answered(session, examples.pictures, int(held.inputs["size"]))
    why = _or_colour(why_declined(place, held.inputs, said, list(examples.pictures))[1], examples)
    if "scope" in said:  # so that it counts as declined in all figures
        said["scope"][[name in examples.in_colour for name in examples.names]] = 0
    rows = [
        {"name": name, "person": int(whose), "label": int(label), "certainty": float(c), "declined": bool(line),
         "because": line}
        for name, whose, label, c, line in zip(
            examples.names, examples.groups, examples.labels, said["certainty"][:, 0], why, strict=True
        )
    ]  # fmt: skip
    shown = figures(examples, said, held.inputs, how.subtypes)
    shown |= {"remarks": list(examples.remarks), "parts": list(examples.parts)}
    if (known := seen(place, examples.pictures)) is not None:
        shown["learnt_from"] = int(np.count_nonzero(known))
    return *without(shown, rows, unread), said["embedding"].astype(np.float64)


def folder_of(model: str | Path, held: Model, extra: Path | None) -> Path:
    """The folder of a model that was opened."""
    folder = Path(model).parent if Path(model).is_file() else Path(model)
    return folder if (folder / "model.json").is_file() else shelf(extra)[held.name][1].parent


def asked(held: Model) -> Classes:
    """What a model of classes is asked, as far as its record tells."""
    inputs = held.inputs
    return Classes(
        task=held.name, classes=tuple(inputs["classes"]), shape=tuple(inputs["shape"]), positive=inputs["positive"],
        channels=inputs["channels"], known_as=inputs["known_as"], foreign=float(bool(inputs.get("rest"))),
    )  # fmt: skip


def _classes(held: Model, session: Any, data: Path, split: str | None, place: Path) -> _Measured:
    inputs, how = held.inputs, asked(held)
    rest = how.foreign > 0
    unread: list[tuple[str, str]] = []
    examples = read_labelled(data, how, split, aside=unread)
    kinds = len(how.classes)
    names = [o.name for o in session.get_outputs() if o.name in ("logits", "certainty", "strangeness", "embedding")]
    parts: dict[str, list[npt.NDArray[np.float64]]] = {name: [] for name in names}
    for start in range(0, len(examples), 64):
        some = examples.pictures[start : start + 64].astype(np.float32) / 255
        batch = np.ascontiguousarray(np.moveaxis(some, -1, 1)) if how.channels > 1 else some[:, None]
        for held_, value in zip(parts.values(), session.run(list(parts), {"image": batch}), strict=True):
            held_.append(value.astype(np.float64))
    said = {name: np.concatenate(v) for name, v in parts.items()}
    logits, certainty = said["logits"], said["certainty"]
    _, why, unsure = why_declined(place, inputs, said, list(examples.pictures))
    why = _or_colour(why, examples)
    declined = np.array([bool(line) for line in why])
    if rest:
        certainty = certainty[:, :kinds] / certainty[:, :kinds].sum(1, keepdims=True)
    inside = examples.labels != REST
    shown = class_figures(
        examples.labels[inside], logits[inside, :kinds], certainty[inside], declined[inside], inputs,
        people=examples.groups[inside],
    )  # fmt: skip
    shown |= {"remarks": list(examples.remarks), "parts": list(examples.parts)}
    if not inside.all():
        shown["metrics"]["rejection"] = share_of(declined[~inside], examples.groups[~inside])
        shown["n"], shown["declined"] = len(examples), int(np.count_nonzero(declined))
    if (known := seen(place, examples.pictures)) is not None:
        shown["learnt_from"] = int(np.count_nonzero(known))
    rank = ranks(logits[:, :kinds], inputs) if kinds > 2 else np.zeros((len(examples), 0))
    rows = [
        {"name": name, "person": int(whose), "label": int(label), "said": int(c.argmax())}
        | ({"grade": int(grade_of(c[None])[0])} if inputs["ordered"] else {})
        | {f"certainty {n}": float(v) for n, v in zip(how.classes, c, strict=True)}
        | {f"rank {n}": float(v) for n, v in zip(how.classes, r, strict=False)}
        | {"declined": bool(line), "because": line or (doubt if rest or not _positive(int(c.argmax()), inputs) else "")}
        for name, whose, label, c, r, line, doubt in zip(
            examples.names, examples.groups, examples.labels, certainty, rank, why, unsure, strict=True
        )
    ]  # fmt: skip
    return *without(shown, rows, unread), said.get("embedding")


def _or_colour(why: Sequence[str], examples: Examples) -> list[str]:
    """Why each picture is declined; one in colour, whose mean a model of grey values would be shown, for that alone."""
    return [
        "it is in colour, and the model learnt from grey values" if name in examples.in_colour else line
        for name, line in zip(examples.names, why, strict=True)
    ]


def _positive(said: int, inputs: Any) -> bool:
    """Whether an answer says that there is something."""
    return said >= int(inputs["positive"]) if inputs["ordered"] else said == int(inputs["positive"])


def answered(session: Any, pictures: npt.NDArray[np.uint8], size: int, batch: int = 16) -> dict[str, npt.NDArray[Any]]:
    """What an ONNX session says of pictures, by the names of its outputs.

    Feature maps are left out; of a map of places stays ``place``: how far the highest of them stand out. A picture of
    one grey is none of what a model was made for, and one of them must not end the answers to all others: where the
    model has a gate, the answer to it is that of black, with no chance of being what the gate lets through.
    """
    names = [o.name for o in session.get_outputs()]
    wanted = [n for n in names if n != "features"]
    parts: dict[str, list[npt.NDArray[Any]]] = {"place" if n == "map" else n: [] for n in wanted}
    for start in range(0, len(pictures), batch):
        some = films_on(pictures[start : start + batch], size)
        for name, value in zip(wanted, session.run(wanted, {"image": some}), strict=True):
            if name == "map":
                parts["place"].append(standing_out(value[:, 0]))
            else:
                parts[name].append(value)
    said = {name: np.concatenate(values) for name, values in parts.items()}
    if "scope" in said:
        said["scope"][[of_one_grey(p) for p in pictures]] = 0
    return said


def figures(
    examples: Examples, said: dict[str, npt.NDArray[Any]], inputs: Any, subtypes: tuple[str, ...]
) -> dict[str, Any]:
    """Counts, metrics, calibration and subgroups of answers to labelled pictures."""
    truth, logit, certainty = examples.labels, said["logits"][:, 0].astype(np.float64), said["certainty"][:, 0]
    kept, whose, ill = _answered(said, inputs), examples.groups, truth == 1
    threshold = float(inputs["threshold"])
    metrics: dict[str, Any] = {"auc": area_of(truth, logit, whose)}
    if kept.any() and len(np.unique(truth[kept])) == 2:
        metrics["auc_answered"] = area_of(truth[kept], logit[kept], whose[kept])
    called = certainty >= threshold
    metrics["accuracy"] = share_of(called == ill, whose)
    metrics["sensitivity"] = share_of(called[ill], whose[ill])
    metrics["specificity"] = share_of(~called[~ill], whose[~ill])
    if "place" in inputs:
        either = called | (said["place"] >= float(inputs["place"]))
        metrics["sensitivity_or_one_place"] = share_of(either[ill], whose[ill])
        metrics["specificity_or_one_place"] = share_of(~either[~ill], whose[~ill])
    subgroups = []
    for kind, word in enumerate(subtypes):
        own = examples.subtypes == kind
        if own.any() and (few := too_few(own, whose)):
            subgroups.append({"name": word, "n": int(own.sum()), "metrics": {}, "insufficient": few})
        elif own.any():
            some = own | (truth == 0)
            subgroups.append(
                {
                    "name": word,
                    "n": int(own.sum()),
                    "without": _ALL_ILL,
                    "metrics": {
                        "auc": area_of(truth[some], logit[some], whose[some]),
                        "sensitivity": share_of(called[own], whose[own]),
                    },
                }
            )
    known = examples.subtypes >= 0
    if known.any() and len(np.unique(examples.subtypes[known])) == 2:
        metrics[f"auc_{subtypes[1]}_among_{len(subtypes)}_kinds"] = area_of(
            examples.subtypes[known], said["logits"][known, 1], whose[known]
        )
    return {
        "n": len(examples),
        "positives": int(truth.sum()),
        "threshold": threshold,
        "metrics": metrics,
        "calibration": {
            "ece": calibration.expected_error(truth, certainty),
            "brier": calibration.brier(truth, certainty),
            **line_of(truth, certainty, whose),
            "bins": [
                {"n": n, "stated": stated, "true": true}
                for n, stated, true in calibration.reliability(truth, certainty)
            ],
        },
        "subgroups": subgroups,
        "declined": int(np.count_nonzero(~kept)),
    }


def _answered(said: dict[str, npt.NDArray[Any]], inputs: Any) -> npt.NDArray[np.bool_]:
    gate = inputs["gate"]
    return np.asarray((said["scope"][:, 1] >= gate["child"]) & (said["strangeness"] <= gate["strangeness"]))
