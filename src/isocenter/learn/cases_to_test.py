"""A sealed test set before anybody looks at it: all that can be known to be wrong while no answer was measured.

Looks are counted, and what a slip in a command uses up is lost. So that whatever the set itself tells is asked first:
can it be read for this model, has it cases of both classes, does the file of groups name each of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.learn.films import read_films
from isocenter.learn.judge import OWN, asked, kind_of, opened
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.labelled import read_labelled
from isocenter.learn.naming import REST
from isocenter.learn.recipes import recipe_behind

__all__ = ["cases_to_test", "of_cases"]


def cases_to_test(
    model: str | Path, data: Path, extra: Path | None = None, *, compared: bool = False
) -> list[str]:  # fmt: skip
    """Names of the cases of a set that can test a model, in their order; nothing of them is measured.

    Args:
        compared: with another model: one case of a class has no spread, and nothing can be compared on it.

    Raises:
        NotFound: nothing is there. Refused: the data cannot be read for this model, a class has too few cases, or
            models of this kind give no figure that a change record can bind.
    """
    held, least = opened(model, extra)[0], 2 if compared else 1
    kind = kind_of(held)
    if kind == "films":
        how = recipe_behind(held)
        assert isinstance(how, Classifier2D)
        films = read_films(data, how, None)
        return _of_classes(films.names, films.labels, (how.negative, how.positive), data, least)
    if kind == "classes":
        known = read_labelled(data, asked(held), None)
        inside = known.labels != REST
        _of_classes(known.names, known.labels[inside], held.inputs["classes"], data, least)
        return list(known.names)
    if kind == "heart":
        raise Refused(
            f"a sealed test of {held.name}", "it is measured by differences of volumes, which no change record binds",
            "measure it with `isocenter judge`; it stays a candidate",
        )  # fmt: skip
    if kind not in OWN:
        raise Refused(
            f"'{held.name}' answers for '{kind}'",
            "no figure of that kind is known here",
            "update Isocenter, or test a model of another kind",
        )
    names, labels = import_module(f"isocenter.learn.{OWN[kind]}").named(held, data)
    if labels is None and len(names) < 2:
        raise Refused(f"{len(names)} cases in {data.name}", "a mean of one has no interval", "seal more cases")
    if labels is None:
        return list(names)
    return _of_classes(names, labels, held.inputs["classes"], data, least)


def _of_classes(
    names: Sequence[str], labels: npt.NDArray[np.int64], classes: Sequence[str], data: Path, least: int
) -> list[str]:  # fmt: skip
    there = {str(name): int(np.count_nonzero(labels == k)) for k, name in enumerate(classes)}
    short = len(classes) == 2 and min(there.values()) < least
    if short or np.count_nonzero(list(there.values())) < 2:
        told = ", ".join(f"{n} of '{name}'" for name, n in there.items())
        raise Refused(
            f"{told} in {data.name}", "so few of a class have no curve to be compared",
            "seal cases of both classes" if len(classes) == 2 else "seal cases of two classes at least",
        )  # fmt: skip
    return list(names)


def of_cases(
    groups: Mapping[str, npt.NDArray[np.str_]], names: Sequence[str], some: Sequence[str]
) -> dict[str, npt.NDArray[np.str_]]:
    """Groups of those cases that were answered, out of the groups of all.

    >>> of_cases({"sex": np.array(["F", "M", "F"])}, ["a", "b", "c"], ["b", "c"])["sex"].tolist()
    ['M', 'F']
    """
    at = {name: k for k, name in enumerate(names)}
    rows = range(len(names)) if list(names) == list(some) else [at[name] for name in some]
    return {by: values[list(rows)] for by, values in groups.items()}
