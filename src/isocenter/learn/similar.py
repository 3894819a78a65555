"""An index of embeddings: which known cases look like this one, and whether any does.

A neighbour is shown with its label, where that came from, and its distance; it is no proof. Cases of the same patient
are never among the neighbours, because they are alike without telling anything, and nobody finds a case of a project
that they are not in.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Conflict, NotFound, Refused, Unavailable
from isocenter.learn.tensors import packed, unpacked
from isocenter.methods.nearest import border, far, nearest, unit

__all__ = ["Case", "Index", "Neighbour"]

NEIGHBOURS = 5
"""Neighbours whose mean distance tells whether a case is in scope."""


@dataclass(frozen=True)
class Case:
    """One known case.

    Args:
        name: by which it is found again. person: whose it is. project: who may find it.
        label: what it is, in words. source: where the label came from ("signed report", "file folder", "histology").
    """

    name: str
    person: str
    project: str = ""
    label: str = ""
    source: str = ""


@dataclass(frozen=True)
class Neighbour:
    """A known case and its cosine distance (0 the same direction, 1 unrelated)."""

    case: Case
    distance: float


@dataclass(frozen=True, eq=False)
class Index:
    """Known cases with their embeddings by one model.

    Args:
        model: digest of the weights; embeddings of another model mean something else.
        rows: (n, d), each of length 1. cases: (n).
        limit: mean distance to the nearest beyond which a case is like none of these; refused: how many of their like
            are refused by it, on the mean.
    """

    model: str
    rows: npt.NDArray[np.float32]
    cases: tuple[Case, ...]
    limit: float
    refused: float

    @classmethod
    def of(
        cls, model: str, rows: npt.ArrayLike, cases: Sequence[Case], *, refused: float = 0.01, seed: int = 0
    ) -> Index:
        """An index with its limit: people are halved, the distances of one half to the other set it.

        Raises:
            Refused: rows that fit no case, fewer than twenty people, or too few cases for so small a part.
        """
        unitary = unit(rows)
        if len(unitary) != len(cases):
            raise Refused(
                f"{len(unitary)} embeddings of {len(cases)} cases",
                "each case has one",
                "build the index again from its pictures",
            )
        people = sorted({c.person for c in cases})
        if len(people) < 20:
            raise Refused(f"{len(people)} people", "too few to say what is usual", "index at least twenty")
        held = {people[k] for k in np.random.default_rng(seed).permutation(len(people))[: len(people) // 2]}
        aside = np.array([c.person in held for c in cases])
        # Both ways: distances to half of the cases are a little longer than to all, so the limit errs to the wide side.
        distances = np.concatenate([
            far(unitary[~aside], unitary[aside], k=NEIGHBOURS), far(unitary[aside], unitary[~aside], k=NEIGHBOURS)
        ])  # fmt: skip
        return cls(model, unitary, tuple(cases), border(distances, refused), refused)

    def like(
        self, rows: npt.ArrayLike, k: int = 10, *, person: str | Sequence[str] = "",
        projects: Collection[str] | None = None, model: str = "",
    ) -> list[list[Neighbour]]:  # fmt: skip
        """The k nearest for each row.

        Args:
            person: whose case is asked for, or whose each of them; cases of the same person are left out.
            projects: whose cases may be found; None for all of them, for whoever owns the index.
            model: digest of the weights that made the rows.

        Raises:
            Conflict: another model made the rows.
        """
        asked = self._asked(rows, model)
        may = np.array([projects is None or c.project in projects for c in self.cases])
        whose = np.array([c.person for c in self.cases])
        own = [person] * len(asked) if isinstance(person, str) else list(person)
        allowed = may & (np.array(own)[:, None] != whose[None, :]) if any(own) else may
        which, distance = nearest(self.rows, asked, k, allowed)
        return [
            [Neighbour(self.cases[i], float(d)) for i, d in zip(a, b, strict=True) if i >= 0]
            for a, b in zip(which.tolist(), distance.tolist(), strict=True)
        ]

    def strangeness(self, rows: npt.ArrayLike, model: str = "") -> npt.NDArray[np.float64]:
        """(m,) distance from the known cases; above 1 it is like none of them, and no answer should be given."""
        distance = far(self.rows, self._asked(rows, model), k=NEIGHBOURS)
        return np.asarray(distance / max(self.limit, 1e-9), np.float64)

    def _asked(self, rows: npt.ArrayLike, model: str) -> npt.NDArray[np.float32]:
        if model and model != self.model:
            raise Conflict(f"embeddings of the model {model[:12]}", f"the index is of {self.model[:12]}",
                           "build the index anew")  # fmt: skip
        return unit(rows)

    def write(self, folder: Path) -> None:
        """``index.safetensors`` and ``cases.json``.

        Raises:
            Unavailable: the folder cannot be written, or the disk is full.
        """
        told = {"model": self.model, "limit": repr(self.limit), "refused": repr(self.refused)}
        try:
            folder.mkdir(parents=True, exist_ok=True)
            wholly.write(folder / "index.safetensors", packed({"rows": self.rows}, told))
            wholly.write(folder / "cases.json", json.dumps([vars(c) for c in self.cases]) + "\n")
        except OSError as e:
            raise Unavailable(f"cannot write into {folder}", str(e), "choose another folder, or make room") from e

    @classmethod
    def read(cls, folder: Path) -> Index:
        """What `write` wrote.

        Raises:
            NotFound: no index there. Refused: its parts do not fit.
        """
        try:
            arrays, told = unpacked(read_file(folder / "index.safetensors"))
            said: list[Mapping[str, Any]] = json.loads((folder / "cases.json").read_text("utf-8"))
        except FileNotFoundError:
            raise NotFound(
                f"an index in '{folder}'", "there is none", "make one with `isocenter similar build`"
            ) from None
        cases = tuple(Case(**{k: str(v) for k, v in one.items()}) for one in said)
        rows = arrays.get("rows")
        if rows is None or rows.ndim != 2 or len(rows) != len(cases):
            raise Refused(f"the index in '{folder}'", "its parts do not fit", "build it anew")
        return cls(told["model"], rows.astype(np.float32), cases, float(told["limit"]), float(told["refused"]))
