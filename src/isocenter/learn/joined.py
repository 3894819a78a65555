"""Pictures beside a table: what a model that is here sees in the picture of a row, as further columns of that row.

The model that looks is not trained on; what it sees is fixed, so that a few hundred rows are enough to learn how a
picture and a table go together. The answer holds for the weights that looked and for no others.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.weights import models, open_session
from isocenter.errors import MissingPart, NotFound, Refused
from isocenter.learn.embedding import embedded
from isocenter.learn.gridded import fitted, opened
from isocenter.learn.kinds import Classes, Column, Table
from isocenter.learn.learnt import seen
from isocenter.learn.recipes import recipe_behind
from isocenter.learn.rows import Rows, read_rows
from isocenter.record import Model

__all__ = ["Joined", "read_joined"]


@dataclass(frozen=True, eq=False)
class Joined:
    """A table, with what is seen in its pictures where a recipe looks at some.

    Args:
        rows: with the further columns at the end. how: the recipe with these columns.
        strange: (n,) whether a picture is like nothing that the model which looked had learnt from.
        eyes: name, digest and number of columns of that model; empty where no picture is looked at.
        known: pictures that it had learnt from: of these it sees what it remembers, and figures flatter.
    """

    rows: Rows
    how: Table
    strange: npt.NDArray[np.bool_]
    eyes: dict[str, Any]
    known: int = 0


def read_joined(data: Path, how: Table, split: str | None = None, *, digest: str = "") -> Joined:
    """The rows of a table (see `rows.read_rows`), and what is seen in the picture that each of them names.

    Args:
        digest: of the weights that looked when the model was trained; any where it is empty.

    Raises:
        NotFound: no table, no picture where a row names one, or no model that looks.
        Refused: as `read_rows`; a picture that cannot be read or is of another kind; other weights than before.
    """
    rows = read_rows(data, how, split)
    if not how.through:
        return Joined(rows, how, np.zeros(len(rows.labels), bool), {})
    if how.through not in models():
        raise MissingPart(f"'{how.task}' looks through the model '{how.through}'", "it is not here", "install it")
    held, file = models()[how.through]
    if digest and held.digest != digest:
        raise Refused(
            f"the model '{how.through}'", f"'{how.task}' looked through {digest[:16]}…, here is {held.digest[:16]}…",
            "train it again through the model that is here",
        )  # fmt: skip
    pictures = _pictures(rows, how, held)
    looked = embedded(held, open_session(how.through), file.parent, pictures)
    columns = tuple(Column(f"{how.through} {k + 1}", "number") for k in range(looked.rows.shape[1]))
    sha = hashlib.sha256(rows.digest.encode() + pictures.tobytes())
    whole = replace(rows, values=np.hstack([rows.values, looked.rows.astype(np.float64)]), digest=sha.hexdigest())
    known = seen(file.parent, pictures)
    return Joined(
        whole, replace(how, columns=how.columns + columns), looked.declined,
        {"model": how.through, "digest": held.digest, "columns": len(columns)},
        0 if known is None else int(np.count_nonzero(known)),
    )  # fmt: skip


def _pictures(rows: Rows, how: Table, held: Model) -> npt.NDArray[np.uint8]:
    """(n, …grid) of the rows, on the grid of the model that looks."""
    wanted = recipe_behind(held)
    if not isinstance(wanted, Classes):
        raise Refused(
            f"'{how.task}' looks through '{how.through}'",
            "only classifiers of pictures can be looked through",
            "name a classifier of pictures: `isocenter models`",
        )
    found = []
    for file, name in zip(rows.files, rows.names, strict=True):
        if not file.is_file():
            raise NotFound(f"no picture at {file}", f"{name} names it", "put it there, or take the row out")
        found.append(fitted(opened(file, wanted), wanted, file.name))
    return np.stack(found)
