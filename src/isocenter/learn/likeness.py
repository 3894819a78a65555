"""Likeness of labelled images by a model's embedding: the index, its neighbours, and what few examples are worth."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.learn.embedding import embedded, pictures_of
from isocenter.learn.examples import person
from isocenter.learn.judge import folder_of, opened
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import unlabelled
from isocenter.learn.outside import no_border
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.similar import Case, Index
from isocenter.methods.nearest import few_shots, precision_at, unit
from isocenter.record import Model

__all__ = ["found", "indexed", "worth"]


def indexed(
    data: Sequence[tuple[str, Path]], model: str | Path, extra: Path | None = None, *, refused: float = 0.01,
    left_out: list[tuple[str, str]] | None = None,
) -> Index:  # fmt: skip
    """An index of labelled images of one or several projects.

    Args:
        left_out: where it is given, images that the model was not made for are put here with the reason; they are not
            in the index either way.

    Raises:
        Refused: a model without an embedding, or too few people.
    """
    held, session = opened(model, extra)
    rows, cases = [], []
    for project, path in data:
        known = pictures_of(held, path)
        looked, names = embedded(held, session, folder_of(model, held, extra), known.pictures), _classes(held)
        rows.append(looked.rows[~looked.declined])
        for name, label, why in zip(known.names, known.labels.tolist(), looked.why, strict=True):
            if why:
                if left_out is not None:
                    left_out.append((name, why))
                continue
            cases.append(
                Case(name, _whose(name), project, names[label] if label >= 0 else "none of them", "with the images")
            )
    return Index.of(held.digest, np.concatenate(rows), cases, refused=refused)


def found(
    index: Path, images: Path, model: str | Path, extra: Path | None = None, *, k: int = 10,
    projects: Collection[str] | None = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """For each image its strangeness and its nearest known cases, none of the same person.

    Strange are images far from all known cases, or far from what the model learnt from: neither finds all that the
    other does. What the model was not made for has no neighbours: their labels would pass for an answer.

    Raises:
        Conflict: the index is of another model.
    """
    held, session = opened(model, extra)
    how, known = recipe_behind(held), Index.read(index)
    if isinstance(how, Classes):
        names, pictures = unlabelled(images, how)
    else:
        cases = pictures_of(held, images)
        names, pictures = list(cases.names), cases.pictures
    looked = embedded(held, session, folder_of(model, held, extra), pictures)
    rows = looked.rows
    strange = known.strangeness(rows, held.digest)
    near_all = known.like(rows, k, person=[_whose(n) for n in names], projects=projects, model=held.digest)
    told = zip(names, strange.tolist(), looked.strangeness.tolist(), looked.why, near_all, strict=True)
    return [
        {
            "file": name, "strangeness": round(far, 4), "strangeness_to_model": round(to_model, 4),
            "declined": why, "border": no_border(held.inputs) or "asked",
            "near": [] if why else [
                {"name": n.case.name, "label": n.case.label, "source": n.case.source, "project": n.case.project,
                 "distance": round(n.distance, 5)}
                for n in near
            ],
        }
        for name, far, to_model, why, near in told
    ]  # fmt: skip


def worth(data: Path, model: str | Path, extra: Path | None = None, *, draws: int = 100) -> dict[str, Any]:
    """AUC of heads that saw few people, and how often neighbours have the same label.

    Raises:
        Refused: more than two classes, or too few people.
    """
    held, session = opened(model, extra)
    cases = pictures_of(held, data)
    if set(np.unique(cases.labels)) != {0, 1}:
        raise Refused("labels of other than two classes", "a head tells one thing from another", "give two classes")
    looked = embedded(held, session, folder_of(model, held, extra), cases.pictures)
    rows = looked.rows
    value, low, high, chance = precision_at(unit(rows), cases.labels, cases.groups)
    return {
        "model": held.name, "n": len(cases), "draws": draws,
        "declined": int(np.count_nonzero(looked.declined)), "border": no_border(held.inputs) or "asked",
        "shots": [
            {"shots": s.shots, "auc": s.mean, "low": s.low, "high": s.high}
            for s in few_shots(rows, cases.labels, cases.groups, draws=draws)
        ],
        "precision_at_10": {"value": value, "low": low, "high": high, "chance": chance},
    }  # fmt: skip


def _whose(name: str) -> str:
    """The person of a picture by its file name; what is no file is a person of its own.

    >>> _whose("PNEUMONIA/person12_bacteria_3.jpeg"), _whose("val/00003")
    ('person12', 'val/00003')
    """
    return person(name) if Path(name).suffix else name


def _classes(model: Model) -> tuple[str, ...]:
    how = recipe_behind(model)
    if isinstance(how, Classifier2D):
        return how.negative, how.positive
    if isinstance(how, Classes):
        return how.classes
    raise Refused(f"'{model.name}' has no classes", "only classifiers have neighbours with labels")
