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
from isocenter.settings import Settings

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


def read_joined(
    data: Path, how: Table, split: str | None = None, *, digest: str = "", aside: list[tuple[str, str]] | None = None
) -> Joined:  # fmt: skip
    """The rows of a table (see `rows.read_rows`), and what is seen in the picture that each of them names.

    Args:
        digest: of the weights that looked when the model was trained; any where it is empty.
        aside: where it is given, a row whose picture is not there or cannot be read is put here with the reason.

    Raises:
        NotFound: no table, no picture where a row names one, or no model that looks.
        Refused: as `read_rows`; a picture that cannot be read or is of another kind; other weights than before.
    """
    rows = read_rows(data, how, split)
    if not how.through:
        return Joined(rows, how, np.zeros(len(rows.labels), bool), {})
    shelf = Path(own) if (own := Settings().models) else None
    if (there := models(shelf).get(how.through)) is None:
        raise MissingPart(f"'{how.task}' looks through the model '{how.through}'", "it is not here",
                          "lay its folder into that of ISOCENTER_MODELS")  # fmt: skip
    held, file = there
    if digest and held.digest != digest:
        raise Refused(
            f"the model '{how.through}'", f"'{how.task}' looked through {digest[:16]}…, here is {held.digest[:16]}…",
            "train it again through the model that is here",
        )  # fmt: skip
    rows, pictures = _pictures(rows, how, held, aside)
    looked = embedded(held, open_session(how.through, shelf), file.parent, pictures)
    columns = tuple(Column(f"{how.through} {k + 1}", "number") for k in range(looked.rows.shape[1]))
    sha = hashlib.sha256(rows.digest.encode() + pictures.tobytes())
    whole = replace(rows, values=np.hstack([rows.values, looked.rows.astype(np.float64)]), digest=sha.hexdigest())
    known = seen(file.parent, pictures)
    return Joined(
        whole, replace(how, columns=how.columns + columns), looked.declined,
        {"model": how.through, "digest": held.digest, "columns": len(columns)},
        0 if known is None else int(np.count_nonzero(known)),
    )  # fmt: skip


def _pictures(
    rows: Rows, how: Table, held: Model, aside: list[tuple[str, str]] | None
) -> tuple[Rows, npt.NDArray[np.uint8]]:  # fmt: skip
    """The rows whose pictures can be read, and these, (n, …grid) on the grid of the model that looks."""
    wanted = recipe_behind(held)
    if not isinstance(wanted, Classes):
        raise Refused(
            f"'{how.task}' looks through '{how.through}'",
            "only classifiers of pictures can be looked through",
            "name a classifier of pictures: `isocenter models`",
        )
    found = dict[int, npt.NDArray[np.uint8]]()
    for number, (file, name) in enumerate(zip(rows.files, rows.names, strict=True)):
        try:
            if not file.is_file():
                raise NotFound(f"no picture at {file}", f"{name} names it", "put it there, or take the row out")
            found[number] = fitted(opened(file, wanted), wanted, file.name)
        except (NotFound, Refused) as why:
            if aside is None:
                raise
            aside.append((name, str(why)))
    if not found:
        raise Refused(f"none of {len(rows.names)} rows has a picture that can be read", "there is nothing to look at",
                      "put the pictures beside the table")  # fmt: skip
    return rows if len(found) == len(rows.names) else rows.only(list(found)), np.stack(list(found.values()))
