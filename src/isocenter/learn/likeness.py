"""Likeness of labelled images by a model's embedding: the index, its neighbours, and what few examples are worth."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.learn.embedding import embedded, pictures_of
from isocenter.learn.examples import coded, person
from isocenter.learn.judge import folder_of, opened
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import Aside, unlabelled
from isocenter.learn.outside import no_border
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.similar import Case, Index
from isocenter.methods.nearest import few_shots, precision_at, unit
from isocenter.record import Model

__all__ = ["found", "indexed", "worth"]


def indexed(
    data: Sequence[tuple[str, Path]], model: str | Path, extra: Path | None = None, *, refused: float = 0.01,
    left_out: list[tuple[str, str]] | None = None, classes: Sequence[str] = (),
) -> Index:  # fmt: skip
    """An index of labelled images of one or several projects.

    Args:
        left_out: where it is given, images that the model was not made for are put here with the reason; they are not
            in the index either way.
        classes: what the labels are called where they answer another question than the model's.

    Raises:
        Refused: a model without an embedding, or too few people.
    """
    held, session = opened(model, extra)
    rows, cases = [], []
    for project, path in data:
        known = pictures_of(held, path, classes=classes)
        looked = embedded(held, session, folder_of(model, held, extra), known.pictures)
        names = tuple(classes) or _classes(held)
        rows.append(looked.rows[~looked.declined])
        for name, whom, label, why in zip(known.names, known.whose, known.labels.tolist(), looked.why, strict=True):
            if why:
                if left_out is not None:
                    left_out.append((name, why))
                continue
            said = names[label] if label >= 0 else "none of them"
            cases.append(Case(name, _called(whom, name), project, said, "with the images"))
    return Index.of(held.digest, np.concatenate(rows), cases, refused=refused)


def found(
    index: Path, images: Path, model: str | Path, extra: Path | None = None, *, k: int = 10,
    projects: Collection[str] | None = None, aside: Aside = None,
) -> list[dict[str, Any]]:  # fmt: skip
    """For each image its strangeness and its nearest known cases, none of the same person.

    Strange are images far from all known cases, or far from what the model learnt from: neither finds all that the
    other does. What the model was not made for has no neighbours: their labels would pass for an answer.

    Args:
        aside: where it is given, pictures that cannot be used are put here with the reason.

    Raises:
        Conflict: the index is of another model. Refused: a project of which no case was indexed.
    """
    held, session = opened(model, extra)
    how, known = recipe_behind(held), Index.read(index)
    if isinstance(how, Classes):
        names, pictures = unlabelled(images, how, aside)
    else:
        cases = pictures_of(held, images)
        names, pictures = list(cases.names), cases.pictures
    looked = embedded(held, session, folder_of(model, held, extra), pictures)
    rows = looked.rows
    strange = known.strangeness(rows, held.digest)
    if projects and (none := [p for p in projects if all(case.project != p for case in known.cases)]):
        raise Refused(f"the project '{none[0]:.64}'", "no case of the index is of it", "name one that was indexed")
    people = {case.name: case.person for case in known.cases}
    known_people = frozenset(people.values())
    own = [_whose(name, people, known_people) for name in names]
    near_all = known.like(rows, k, person=own, projects=projects, model=held.digest)
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


def worth(
    data: Path, model: str | Path, extra: Path | None = None, *, draws: int = 100, classes: Sequence[str] = ()
) -> dict[str, Any]:
    """AUC of heads that saw few people, and how often neighbours have the same label.

    Args:
        classes: what the two labels are called where they answer another question than the model's.

    Raises:
        Refused: more than two classes, or too few people.
    """
    held, session = opened(model, extra)
    cases = pictures_of(held, data, classes=classes)
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


def _called(whom: str, name: str) -> str:
    """A person as the index keeps them; of a folder of theirs its name, whatever class it lies below.

    >>> _called("ill/Ann", "ill/Ann/3.png"), _called("P7", "ill/3.png"), _called("ill/3", "ill/3.png")
    ('Ann', 'P7', 'ill/3')
    """
    return PurePosixPath(whom).name if name.startswith(f"{whom}/") else whom


def _whose(name: str, people: Mapping[str, str], everybody: Collection[str]) -> str:
    """The person of a picture: as the index has it of that name, or by the name, or by a folder called like a person of
    the index (`everybody`); what is no file is a person of its own.

    >>> known = {"ill/Ann/1.png": "Ann", "ill/9.png": "P7"}
    >>> [_whose(n, known, {"Ann", "P7"}) for n in ("ill/person12_b.jpeg", "val/3", "new/Ann/2.png", "ill/9.png")]
    ['person12', 'val/3', 'Ann', 'P7']
    """
    if name in people or not PurePosixPath(name).suffix:
        return people.get(name, name)
    told = coded(PurePosixPath(name).name)
    return told or next((p for p in PurePosixPath(name).parts[:-1] if p in everybody), person(name))


def _classes(model: Model) -> tuple[str, ...]:
    how = recipe_behind(model)
    if isinstance(how, Classifier2D):
        return how.negative, how.positive
    if isinstance(how, Classes):
        return how.classes
    raise Refused(
        f"'{model.name}' has no classes",
        "only classifiers have neighbours with labels",
        "choose a classifier: `isocenter models`",
    )
