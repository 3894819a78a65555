"""What a shipped model sees in pictures, as one row of numbers each: the embedding before its answer."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.examples import Examples
from isocenter.learn.films import read_films
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import read_labelled
from isocenter.learn.recipes import recipe_behind
from isocenter.methods.picture import prepared
from isocenter.record import Model

__all__ = ["embedded", "pictures_of"]

_AT_ONCE = 64


def pictures_of(model: Model, data: Path, split: str | None = None) -> Examples:
    """Labelled pictures on the grid of a model.

    Raises:
        Refused: a model without an embedding, or pictures that cannot be read.
    """
    how = recipe_behind(model)
    if isinstance(how, Classifier2D):
        return read_films(data, how, split)
    if isinstance(how, Classes):
        return read_labelled(data, how, split)
    raise Refused(f"'{model.name}' has no embedding", "only classifiers of pictures and volumes have one")


def embedded(
    model: Model, session: Any, pictures: npt.NDArray[np.uint8]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """(n, channels) embeddings and (n,) strangeness: above 1 the picture is like nothing that the model learnt from.

    Raises:
        Refused: a model without an embedding.
    """
    names = {o.name for o in session.get_outputs()}
    if not {"embedding", "strangeness"} <= names:
        raise Refused(f"'{model.name}' has no embedding", f"it answers {', '.join(sorted(names))}")
    rows, strange = [], []
    for start in range(0, len(pictures), _AT_ONCE):
        image = _prepared(model, pictures[start : start + _AT_ONCE])
        row, far = session.run(["embedding", "strangeness"], {"image": image})
        rows.append(row.reshape(len(image), -1))
        strange.append(far.reshape(len(image)))
    return np.concatenate(rows).astype(np.float32), np.concatenate(strange).astype(np.float32)


def _prepared(model: Model, some: npt.NDArray[np.uint8]) -> npt.NDArray[np.float32]:
    if model.inputs.get("kind") == "classes":
        x = np.moveaxis(some, -1, 1) if int(model.inputs["channels"]) > 1 else some[:, None]
        return np.asarray(x, np.float32) / np.float32(255)
    size = int(model.inputs["size"])
    return np.asarray(np.stack([prepared(p, size)[None] for p in some]), np.float32)
