"""What several readers of one picture say together, where a table names the reader in each of its rows."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from isocenter.learn.findings import known_in, label_of, shown_in
from isocenter.learn.sheet import plain

__all__ = ["OVERLAP", "Drawn", "fused", "majority", "reader_column"]

OVERLAP = 0.5
"""Intersection over union from which boxes of one class that two readers drew are of one thing."""

_READERS = (
    "radid", "rad", "reader", "readerid", "readername", "radiologist", "radiologistid", "annotator", "annotatorid",
    "rater", "raterid", "observer", "observerid", "expert", "expertid", "grader", "graderid",
)  # fmt: skip


class Drawn(NamedTuple):
    """A box: its class, its sides (left, top, right, bottom), whether it is hard to see, and who drew it."""

    kind: str
    sides: Sequence[float]
    hard: bool
    reader: str


def reader_column(columns: Iterable[str]) -> str | None:
    """The column that names the reader.

    >>> reader_column(["image_id", "rad_ID", "Effusion"]), reader_column(["file", "label"])
    ('rad_ID', None)
    """
    known = {plain(c): c for c in columns}
    return next((known[name] for name in _READERS if name in known), None)


def majority(labels: Sequence[int], kinds: int) -> int:
    """One label of findings (see `findings`) out of those of several readers: what more than half of them say.

    A finding on which they are equal, or of which none knows it, is not known.

    >>> bin(majority([0b01, 0b11, 0b01], 2)), known_in(np.array([majority([0b1, 0b0], 1)]), 1).tolist()
    ('0b1', [[False]])
    """
    told = np.array(labels, np.int64)
    shown, known = shown_in(told, kinds), known_in(told, kinds)
    there, absent = (shown & known).sum(0), (~shown & known).sum(0)
    return label_of([None if a == b else bool(a > b) for a, b in zip(there, absent, strict=True)])


def fused(boxes: Sequence[Drawn]) -> list[tuple[str, Sequence[float], bool]]:
    """Boxes of one class that different readers drew about one thing, each such group as the mean of its sides.

    A group has one box of a reader at most. What one reader alone drew stays.

    >>> fused([Drawn("mass", [0, 0, 10, 10], False, "a"), Drawn("mass", [1, 0, 11, 10], False, "b"),
    ...        Drawn("mass", [40, 40, 50, 50], False, "b")])
    [('mass', [0.5, 0.0, 10.5, 10.0], False), ('mass', [40.0, 40.0, 50.0, 50.0], False)]
    """
    groups: list[list[Drawn]] = []
    for box in boxes:
        near = [
            (_overlap(_mean(group), np.array(box.sides, np.float64)), n) for n, group in enumerate(groups)
            if group[0].kind == box.kind and all(one.reader != box.reader for one in group)
        ]  # fmt: skip
        best, at = max(near, default=(0.0, -1))
        if best >= OVERLAP:
            groups[at].append(box)
        else:
            groups.append([box])
    return [(group[0].kind, _mean(group).tolist(), all(one.hard for one in group)) for group in groups]


def _mean(group: Sequence[Drawn]) -> npt.NDArray[np.float64]:
    return np.asarray(np.mean([one.sides for one in group], axis=0), np.float64)


def _overlap(one: npt.NDArray[np.float64], other: npt.NDArray[np.float64]) -> float:
    wide, tall = (np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])).clip(0)
    both = float(wide * tall)
    whole = float(np.prod(one[2:] - one[:2]) + np.prod(other[2:] - other[:2])) - both
    return both / whole if whole > 0 else 0.0
