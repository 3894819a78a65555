"""Labelled radiographs on one grid, in the layouts of `labelled`, with the kind of a positive where a name tells it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.examples import Examples
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import read_labelled
from isocenter.methods.picture import of_one_grey, prepared

__all__ = ["SIDE", "films_on", "read_films"]

SIDE = 224
"""Rows and columns that films are brought to (stretched, as the collection was)."""

_ADJECTIVES = {"bacteria": "bacterial", "virus": "viral"}
_CLEAR, _OPAQUE = ("clear", "healthy", "no finding", "no pneumonia"), ("opacity", "lung opacity", "consolidation")
"""What other collections of chest films call the two classes."""


def read_films(
    path: Path, how: Classifier2D, split: str | None = None, *, aside: list[tuple[str, str]] | None = None
) -> Examples:  # fmt: skip
    """Films with their labels; ``subtypes`` is the kind of a positive, -1 where it is not known.

    Args:
        path: folder with one folder a class (of either, of a kind, or numbered 0 and 1), ``.npz`` or ``.csv``.
        how: recipe that names the classes and, by words in file or folder names, the kinds of a positive.
        split: only this part. aside: where it is given, a film that cannot be used is put here with the reason.

    Raises:
        NotFound, Refused: as `read_labelled`; Refused also where a class has no film.
    """
    known = dict.fromkeys(_CLEAR, 0) | dict.fromkeys(_OPAQUE, 1)
    said = [word for kind in how.subtypes for word in (kind, _ADJECTIVES.get(kind, kind))]
    known |= {name: 1 for kind in said for name in (kind, f"{kind} {how.positive}", f"{how.positive} {kind}")}
    films = Classes(task=how.task, classes=(how.negative, how.positive), shape=(SIDE, SIDE), known_as=known)
    found = read_labelled(path, films, split, aside=aside, enlarge=True)
    for label, name in enumerate(films.classes):
        if not np.any(found.labels == label):
            raise Refused(
                f"no pictures of class '{name}' in {path.name}", "a classifier learns and is judged on both classes",
                f"give a folder that holds '{how.negative}' and '{how.positive}'",
            )  # fmt: skip
    kinds = [_kind(name, how.subtypes) if label else -1 for name, label in zip(found.names, found.labels, strict=True)]
    return replace(found, subtypes=np.array(kinds, np.int64))


def films_on(pictures: npt.NDArray[Any], size: int) -> npt.NDArray[np.float32]:
    """(n, 1, size, size) as a network sees films; one of one grey, on which nothing is to be seen, is black."""
    black = np.zeros((size, size), np.float32)
    return np.asarray(np.stack([black if of_one_grey(p) else prepared(p, size) for p in pictures])[:, None], np.float32)


def _kind(name: str, words: tuple[str, ...]) -> int:
    """Which kind the file, or else the folder nearest to it, is named after."""
    for part in reversed(PurePosixPath(name.lower()).parts):
        told = [k for k, word in enumerate(words) if word in part or _ADJECTIVES.get(word, word) in part]
        if told:
            return told[-1]
    return -1
