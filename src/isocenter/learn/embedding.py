"""What a shipped model sees in pictures, as one row of numbers each: the embedding before its answer."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.examples import Examples
from isocenter.learn.films import films_on, read_films
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import read_labelled
from isocenter.learn.outside import must_name, why_declined
from isocenter.learn.recipes import recipe_behind
from isocenter.record import Model

__all__ = ["Looked", "embedded", "pictures_of"]

_AT_ONCE = 64


def pictures_of(model: Model, data: Path, split: str | None = None, *, classes: Sequence[str] = ()) -> Examples:
    """Labelled pictures on the grid of a model.

    Args:
        classes: what the labels are called where they answer another question than the model's.

    Raises:
        Refused: a model without an embedding, pictures that cannot be read, or one class, or two of one name.
    """
    how = recipe_behind(model)
    if classes:
        if len({name.strip().lower() for name in classes}) < max(2, len(classes)):
            raise Refused(
                f"classes {', '.join(classes)}",
                "a question has two answers or more, each with its own name",
                "correct the classes",
            )
        if isinstance(how, Classifier2D):
            how = replace(how, negative=classes[0], positive=classes[1], subtypes=())
        elif isinstance(how, Classes):
            how = replace(how, classes=tuple(classes), known_as={}, positive=1, ordered=False, several=False, foreign=0)
    if isinstance(how, Classifier2D):
        return read_films(data, how, split)
    if isinstance(how, Classes):
        return read_labelled(data, how, split)
    raise Refused(
        f"'{model.name}' has no embedding",
        "only classifiers of pictures and volumes have one",
        "choose a classifier: `isocenter models`",
    )


@dataclass(frozen=True, eq=False)
class Looked:
    """What a model saw in pictures, and whether it was made for them.

    Args:
        rows: (n, channels) embeddings.
        strangeness: (n,) to the model and to the border beside it; above 1 it is like nothing that was learnt from.
        why: for each picture why the model declines it; empty where it does not.
    """

    rows: npt.NDArray[np.float32]
    strangeness: npt.NDArray[np.float64]
    why: tuple[str, ...]

    @property
    def declined(self) -> npt.NDArray[np.bool_]:
        """(n,) which pictures the model was not made for."""
        return np.array([bool(one) for one in self.why])


def embedded(model: Model, session: Any, folder: Path, pictures: npt.NDArray[np.uint8]) -> Looked:
    """What a model sees in pictures; none goes by the border that was taught to it.

    Args:
        folder: of the model, where its border lies.

    Raises:
        Refused: a model without an embedding, or whose border is not that of its record.
    """
    must_name(session, model.inputs)
    names = {o.name for o in session.get_outputs()}
    if not {"embedding", "strangeness"} <= names:
        raise Refused(
            f"'{model.name}' has no embedding",
            f"it answers {', '.join(sorted(names))}",
            "choose another model, or train it anew",
        )
    wanted = ["embedding", *(n for n in ("strangeness", "certainty", "scope") if n in names)]
    parts: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in wanted}
    for start in range(0, len(pictures), _AT_ONCE):
        image = _prepared(model, pictures[start : start + _AT_ONCE])
        for name, value in zip(wanted, session.run(wanted, {"image": image}), strict=True):
            parts[name].append(value.reshape(len(image), -1))
    said = {name: np.concatenate(values) for name, values in parts.items()}
    strange, why, _ = why_declined(folder, model.inputs, said, list(pictures))
    return Looked(said["embedding"].astype(np.float32), strange, tuple(why))


def _prepared(model: Model, some: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    if model.inputs.get("kind") == "classes":
        x = np.moveaxis(some, -1, 1) if int(model.inputs["channels"]) > 1 else some[:, None]
        return np.asarray(x, np.float32) / np.float32(255)
    size = int(model.inputs["size"])
    return films_on(some, size)
