"""The card of a model as a page: written from the record, never by hand."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import isocenter
from isocenter import wholly
from isocenter.analysis.weights import read_file, record_in
from isocenter.errors import NotFound, Refused, Unavailable
from isocenter.learn.kinds import Boxes, Classes, Masks, Table, as_said
from isocenter.learn.learnt import FILE
from isocenter.learn.model_folder import write_record
from isocenter.learn.recipe_files import recipe_text
from isocenter.learn.recipes import RECIPES
from isocenter.methods import subgroups
from isocenter.record import Model, to_plain

__all__ = [
    "amended", "code_digest", "explained", "for_what", "headings", "marks_in", "must_beat_a_coin", "of_groups", "page",
    "plain_page", "versioned", "written",
]  # fmt: skip

_FILES = {
    Classes: (
        "augment", "classify", "examples", "findings", "fit", "foreign", "gridded", "kinds", "labelled",
        "monai_networks", "nested", "networks", "offered", "pretrained", "recipes", "several", "shape", "waves",
    ),
    Masks: (
        "augment", "fit", "kinds", "monai_networks", "networks", "offered", "outlined", "recipes", "segment", "windows",
    ),
    Table: ("boosted", "embedding", "gridded", "joined", "kinds", "recipes", "rows", "tabulate"),
    Boxes: ("boxed", "detect", "fit", "kinds", "networks", "recipes"),
}  # fmt: skip


def page(model: Model) -> str:
    """Markdown: use, limits, data, training, evidence, licence."""
    card, shown = model.card, model.evidence
    lines = [
        f"# {card['title']}",
        "",
        f"Model `{model.name}` version {model.version}, SHA-256 `{model.digest}`, state: {model.state}.",
        "Research software; not a medical device. This page is written by the training; do not edit it.",
        "",
        *for_what(card),
        "## Limits",
        "",
        *[f"- {line}" for line in card["limits"]],
        "",
        "## Data",
        "",
        card["source"] + ".",
        "",
        *of_groups(card),
        f"Licence: {card['licence']}.",
        "",
        f"{card['people']['training']} children ({card['pictures']['training']} pictures) for training, "
        f"{card['people']['validation']} ({card['pictures']['validation']}) for validation, split by person; "
        f"{card['near_duplicates']} pairs of near-duplicates were kept on one side. Digest of the examples "
        f"`{model.examples[:16]}…`.",
        "",
        "## Training",
        "",
        *[f"- {name}: {value}" for name, value in card["training"].items()],
        "",
        "## Evidence on the validation children",
        "",
        f"n = {shown['n']} ({shown['positives']} with opacity); threshold of certainty {shown['threshold']:g}.",
        "",
        "| figure | value | 95 % interval |",
        "|---|---|---|",
        *[_row(name, value) for name, value in shown["metrics"].items()],
        *[
            _row(f"{figure}, {_again(again)}", again[figure])
            for again in shown.get("seeds", ())
            for figure in again
            if figure.startswith("auc")
        ],
        *[
            _row(f"{metric}, {group['name']} (n = {group['n']})", value)
            for group in subgroups.shown(shown["subgroups"])
            for metric, value in group["metrics"].items()
        ],
        f"| expected calibration error | {shown['calibration']['ece']:.3f} | |",
        f"| Brier score | {shown['calibration']['brier']:.3f} | |",
        "",
        f"{shown['declined']} of these {shown['n']} pictures would be declined as out of scope.",
        "",
        "Weights, epochs and threshold were not chosen on these children; the calibration was fitted on them, so the",
        "calibration error on new children will be larger.",
        "",
        "## What is refused",
        "",
        "| pictures | n | declined |",
        "|---|---|---|",
        *[f"| {kind} | {row['n']} | {row['declined']} |" for kind, row in shown["out_of_scope"].items()],
        "",
        *explained(model),
    ]
    return "\n".join(lines)


def explained(model: Model) -> list[str]:
    """Lines on whether a map of where it was sensitive may be shown; none where none was tested."""
    lines: list[str] = []
    for one in model.evidence.get("explanation") or ():
        lines += [f"## The map {one['map']}, by {one['method']}", "", f"{one['says']} (n = {one['n']}).", ""]
        lines += ["| check | passed | p |", "|---|---|---|"]
        for name, check in one["checks"].items():
            p = check.get("p", {})
            worst = max(p.values(), default=None) if isinstance(p, Mapping) else p
            passed = "not made" if "not_made" in check else "yes" if check["passed"] else "no"
            lines.append(f"| {name} | {passed} | {'' if worst is None else f'{worst:.1g}'} |")
        lines.append("")
        lines += _how_tested(one)
        if planted := one.get("cases", {}).get("clear films with a planted lesion"):
            lines += [f"Of {planted} clear films with a planted lesion it calls {one['cases']['of these called']}.", ""]
        lines += _by_size(one.get("cases", {}).get("called by size and density", ()))
    return lines


def _how_tested(one: Mapping[str, Any]) -> list[str]:
    """Of a classifier of pictures: what is explained, whose cases these were, and what was planted in others."""
    cases = one.get("cases", {})
    if "held back" not in cases:
        return []
    whose = "held back from it" if cases["held back"] else "of those that it learnt from"
    turned = [f"{mark} {n['turned']} of {n['tried']} times" for mark, n in cases["marks"].items()]
    lines = [f"It is of the {one['map_of']}. Cases are {whose}. A planted mark turns the answer: "
             f"{', '.join(turned) or 'none was planted'}.", ""]  # fmt: skip
    return [*lines, f"{one['shorter']}.", ""] if "shorter" in one else lines


def _again(one: Mapping[str, Any]) -> str:
    """What an entry of ``evidence["seeds"]`` is, in words."""
    told = f"trained again with --seed {one['seed']}"
    return f"{told} from the same first network" if "began_with" in one else told


def _by_size(rows: Sequence[Mapping[str, float]]) -> list[str]:
    """How many clear films are called with one opacity in a lung: a row for each size, a column for each density."""
    if not rows:
        return []
    told: dict[float, list[Mapping[str, float]]] = {}
    for one in rows:
        told.setdefault(one["half_axis"], []).append(one)
    dense = [f"density {one['density']:g}" for one in next(iter(told.values()))]
    return [
        f"How many of {rows[0]['n']} clear films it calls with one opacity in a lung (in brackets the contrast: what "
        "it adds to the grey values, in parts of their span):", "",
        f"| half axis, part of the film's side (of its area) | {' | '.join(dense)} |", "|---|" + "---|" * len(dense),
        *[
            f"| {half:g} ({some[0]['part_of_film']:.3f}) | "
            + " | ".join(f"{one['called']:g} ({one['contrast']:.2f})" for one in some) + " |"
            for half, some in told.items()
        ], "",
    ]  # fmt: skip


def _row(name: str, value: Mapping[str, Any]) -> str:
    span = f"{value['low']:.3f} to {value['high']:.3f}" if "low" in value else "not known"
    return f"| {name.replace('_', ' ')} | {value['value']:.3f} | {span} |"


def code_digest(names: tuple[str, ...]) -> str:
    """Version of the package, and a digest of the files that decide the weights."""
    sha = hashlib.sha256()
    for name in names:
        sha.update((Path(__file__).parent / f"{name}.py").read_bytes())
    return f"{isocenter.__version__}+{sha.hexdigest()[:12]}"


def written(
    how: Classes | Masks | Table | Boxes, out: Path, digest: str, examples: str, inputs: Mapping[str, Any],
    shown: Mapping[str, Any], facts: Mapping[str, Any],
) -> Model:  # fmt: skip
    """The record of a model and its page, beside the ONNX file in `out`.

    Args:
        how: the recipe. digest: of the ONNX file. examples: digest of what it learnt from.
        inputs: how a case must be prepared. shown: the evidence. facts: what happened in the training; ``shown`` in it
            says in words on what the evidence was taken.

    Raises:
        Refused: when the area under the curve is below one half: labels are exchanged, or nothing was learnt.
    """
    from isocenter.learn.device import told  # with torch, which reading a card does without

    must_beat_a_coin(shown["metrics"].get("auc", {"value": 1.0}))
    recipe = {k: v for k, v in to_plain(as_said(how)).items() if k not in ("card", "goal", "task")}
    own = how.task not in RECIPES
    if own:  # the model's folder holds what repeats it
        wholly.write(out / "recipe.toml", recipe_text(how))
    training = {
        "command": f"isocenter train {'recipe.toml' if own else how.task} --data DATA --seed {facts['seed']}",
        **{k: v for k, v in facts.items() if k not in ("shown", "seconds")},
        **marks_in(out),
        **told(getattr(how, "precision", "float32")),
        "seconds since it was started or taken up again": facts["seconds"],
        "recipe": json.dumps(recipe, sort_keys=True),
    }
    card = {**how.card, "training": training, "goal": dict(how.goal), "shown_on": facts["shown"]}
    model = Model(
        name=how.task, version="1", digest=digest, examples=examples, code=code_digest(_FILES[type(how)]), card=card,
        evidence=shown, inputs=inputs,
    )  # fmt: skip
    write_record(out, model, plain_page(model))
    for file in out.glob("*.checkpoint"):
        file.unlink()
    return model


def must_beat_a_coin(area: Mapping[str, Any]) -> None:
    """Nothing, where the area under the curve of a validation is one half at least.

    Raises:
        Refused: it is less; by its interval labels are exchanged, or so few cases cannot tell.
    """
    value, high = float(area["value"]), float(area.get("high") or 0.0)
    if value >= 0.5:
        return
    if high >= 0.5:
        raise Refused(
            f"AUC {value:.3f} ({area['low']:.3f} to {high:.3f})", "the model is no better than a coin on so few cases",
            "train for longer or on more people; where it stays so, look at the labels",
        )  # fmt: skip
    raise Refused(f"AUC {value:.3f}", "the model is worse than a coin; labels swapped?", "look at the labels")


def amended(folder: Path, evidence: Callable[[Model], Mapping[str, Any]]) -> Model:
    """Add to the evidence of the model in a folder, and write its record and page anew.

    The weights, and with them the digest by which the gate knows the model, stay as they are.

    Args:
        evidence: what is added, or takes the place of what has its name, from the record as it is.

    Raises:
        NotFound: no model there. Refused: the file beside is not the one that the record names.
        Unavailable: the record cannot be written.
    """
    file, weights = folder / "model.json", folder / "model.onnx"
    if not file.is_file() or not weights.is_file():
        raise NotFound(
            f"a model in '{folder}'", "it is model.onnx with model.json beside it", "name the folder that holds both"
        )
    held = record_in(file)
    if hashlib.sha256(read_file(weights)).hexdigest() != held.digest:
        raise Refused(f"weights in '{folder}'", "they are not those of the record beside them", "restore the file")
    known = replace(held, evidence={**held.evidence, **evidence(held)})
    page_of = page if "gate" in known.inputs else plain_page
    try:
        write_record(folder, known, page_of(known) if (folder / "card.md").is_file() else None)
    except OSError as e:
        raise Unavailable(
            f"cannot write {file.name} of {held.name}", str(e), "copy the model to a folder of yours"
        ) from e
    return known


def versioned(folder: Path, version: str) -> Model:
    """Give the model in a folder its version, in its record and on its page."""
    file, card = folder / "model.json", folder / "card.md"
    held = record_in(file)
    if held.version == version:
        return held
    known = replace(held, version=version)
    said, says = (f"Model `{held.name}` version {v}, " for v in (held.version, version))
    write_record(folder, known, card.read_text("utf-8").replace(said, says) if card.is_file() else None)
    return known


def marks_in(folder: Path) -> dict[str, str]:
    """For the card: the digest of what tells the cases again that a model learnt from (see `learnt`)."""
    file = folder / FILE
    return {f"SHA-256 of {FILE}": hashlib.sha256(file.read_bytes()).hexdigest()} if file.is_file() else {}


def headings(metrics: Collection[str], goal: Collection[str] = ()) -> list[str]:
    """The figures by which trainings of one recipe are held beside each other: the usual ones, and those of its goal.

    >>> headings({"auc": 1, "accuracy": 1}), headings({"dice_anterior": 1, "dice_posterior": 1, "hd95_mm_anterior": 1})
    (['auc'], ['dice_anterior', 'dice_posterior'])
    """
    return [name for name in metrics if name in ("auc", "map50", *goal) or name.startswith("dice_")]


_FOR_WHOM = {
    "intended_patients": "Patients", "intended_users": "Who uses it", "developer": "Made by", "funding": "Paid for by",
}  # fmt: skip


def for_what(card: Mapping[str, Any]) -> list[str]:
    """What it is for and what not; whose images it is for, who uses it and who made it, where the card says it.

    >>> for_what({"intended_use": "Count.", "developer": "a hospital", "not_for": ["children"]})
    ['## For what', '', 'Count.', '', 'Made by: a hospital.', '', '## Not for', '', '- children', '']
    """
    told = [f"{says}: {card[name]}." for name, says in _FOR_WHOM.items() if card.get(name)]
    whom = [" ".join(told), ""] if told else []
    unfit = [f"- {line}" for line in card["not_for"]]
    return ["## For what", "", card["intended_use"], "", *whom, "## Not for", "", *unfit, ""]


def of_groups(card: Mapping[str, Any]) -> list[str]:
    """What the data tell of groups of people and what was done for them, where the card says it."""
    told = {"Groups of people": card.get("groups"), "Against bias": card.get("bias")}
    return [line for name, says in told.items() if says for line in (f"{name}: {says}.", "")]


def plain_page(model: Model) -> str:
    """The card of any model but the one of films: use, limits, data, training, evidence against its goal."""
    card, shown = model.card, model.evidence
    lines = [
        f"# {card['title']}", "",
        f"Model `{model.name}` version {model.version}, SHA-256 `{model.digest}`, state: {model.state}.",
        "Research software; not a medical device. This page is written by the training; do not edit it.", "",
        *for_what(card),
        "## Limits", "", *[f"- {line}" for line in card["limits"]], "", "## Data", "", card["source"] + ".", "",
        *of_groups(card),
        f"Licence: {card['licence']}. Digest of the examples `{model.examples[:16]}…`.", "",
        "## Training", "", *[f"- {name}: {value}" for name, value in card["training"].items()], "",
        "## Evidence", "", f"n = {shown['n']}: {card['shown_on']}.", "",
        "| figure | value | 95 % interval | goal |", "|---|---|---|---|",
        *[_aimed(name, value, card["goal"].get(name)) for name, value in shown["metrics"].items()],
    ]  # fmt: skip
    if calibrated := shown.get("calibration"):
        lines += [f"| expected calibration error | {calibrated['ece']:.3f} | | |",
                  f"| Brier score | {calibrated['brier']:.3f} | | |"]  # fmt: skip
    for split, metrics in shown.get("splits", {}).items():
        lines += [_aimed(f"{name}, split '{split}'", value, None) for name, value in metrics.items() if name == "auc"]
    one = "draw" if model.inputs["kind"] == "table" else "network"
    for number, metrics in enumerate(shown.get("networks", ())):
        for figure in headings(metrics):
            lines.append(_aimed(f"{figure}, {one} {number + 1} (seed {metrics['seed']})", metrics[figure], None))
    for again in shown.get("seeds", ()):
        for figure in headings(again, card["goal"]):
            lines.append(_aimed(f"{figure}, {_again(again)}", again[figure], None))
    groups = [g for g in subgroups.shown(shown["subgroups"]) if g["metrics"] or "insufficient" in g]
    if groups:
        lines += ["", "## Subgroups", "", "| group | n | figure | value | 95 % interval |", "|---|---|---|---|---|"]
        lines += [
            f"| {g['by']} {g['name']} | {g['n']} | {name} | {v['value']:.3f} | {v['low']:.3f} to {v['high']:.3f} |"
            for g in groups for name, v in g["metrics"].items()
        ]  # fmt: skip
        few = [g for g in groups if "insufficient" in g]
        lines += [f"| {g['by']} {g['name']} | {g['n']} | {g['insufficient']} | | |" for g in few]
    if refused := shown.get("out_of_scope"):
        of = "rows" if model.inputs["kind"] == "table" else "pictures"
        lines += ["", "## What is refused", "", f"| {of} | n | declined |", "|---|---|---|"]
        lines += [f"| {kind} | {row['n']} | {row['declined']} |" for kind, row in refused.items()]
    last = f"ONNX and torch differ by at most {shown['parity']:.1e}."
    return "\n".join([*lines, "", last, "", *explained(model)])


def _aimed(name: str, value: Mapping[str, Any], goal: float | None) -> str:
    interval = f"{value['low']:.3f} to {value['high']:.3f}" if "low" in value else ""
    return f"| {name.replace('_', ' ')} | {value['value']:.3f} | {interval} | {'' if goal is None else f'{goal:g}'} |"
