"""Labels of pictures that may show several findings: which are there, and of which nobody knows.

A label is one whole number: the sum of 2 ** k over the findings that are there, and of 2 ** (31 + k) over those of
which it is not known, as where a cell is empty or a report leaves it open (CheXpert, Irvin 2019).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["MOST", "NOT_KNOWN", "known_in", "label_of", "shown_in", "word_of_unknown"]

MOST = 31
"""Findings that may be unknown in one label; of more all are known."""

NOT_KNOWN = ("", "-1", "-1.0", "nan", "na", "n/a", "none", "null", "?", "u", "unknown", "uncertain", "not known")
"""What stands in a cell of which nobody knows the finding, in lower case."""

Truth = npt.NDArray[np.bool_]


def shown_in(labels: npt.NDArray[np.int64], kinds: int) -> Truth:
    """(n, kinds) whether a picture shows each finding; of one that is not known False.

    >>> shown_in(np.array([0, 5]), 3).tolist()
    [[False, False, False], [True, False, True]]
    """
    return np.asarray((labels[:, None] >> np.arange(kinds)) & 1 == 1, np.bool_)


def known_in(labels: npt.NDArray[np.int64], kinds: int) -> Truth:
    """(n, kinds) whether it is known of each finding.

    >>> known_in(np.array([0, 5, label_of([1, None, 0])]), 3).tolist()
    [[True, True, True], [True, True, True], [True, False, True]]
    """
    if kinds > MOST:
        return np.ones((len(labels), kinds), bool)
    return np.asarray((labels[:, None] >> (MOST + np.arange(kinds))) & 1 == 0, np.bool_)


def label_of(told: Sequence[Any], where: str = "") -> int:
    """The label of a picture of which each finding is 1, 0 or, where it is not known, None.

    Raises:
        Refused: one that is not known, among more than 31.
    """
    unknown = [k for k, value in enumerate(told) if value is None]
    if unknown and len(told) > MOST:
        raise Refused(f"{len(told)} findings in {where}, of which some are not known", f"{MOST} is the most of these",
                      "teach fewer at once, or leave out who is not sure")  # fmt: skip
    return sum(1 << k for k, value in enumerate(told) if value) + sum(1 << (MOST + k) for k in unknown)


def word_of_unknown(labels: npt.NDArray[np.int64], classes: Sequence[str]) -> str:
    """Of how many pictures each finding is not known; empty where all are.

    >>> word_of_unknown(np.array([0, label_of([1, None])]), ["Mass", "Nodule"])
    'not known, and left out of learning and figures: Nodule of 1 of 2 pictures. Where an empty cell means no, write 0'
    """
    known = known_in(labels, len(classes))
    if known.all():
        return ""
    told = (f"{n} of {int((~own).sum())}" for n, own in zip(classes, known.T, strict=True) if not own.all())
    return (
        f"not known, and left out of learning and figures: {', '.join(told)} of {len(labels)} pictures. Where an empty "
        "cell means no, write 0"
    )
