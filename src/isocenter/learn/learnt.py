"""What a model has learnt from, known again when it is asked about it.

Of pictures that it learnt from a model answers from memory: figures over them say nothing of others. So a training
leaves four bytes for each picture beside the weights, from which nobody can make the picture again, and judging counts
how many of its cases are among them. Another picture is taken for one of them once in 2 ** 32 / n.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter import wholly
from isocenter.analysis.weights import read_file
from isocenter.errors import Refused

__all__ = ["FILE", "join", "keep", "must_be_kept", "seen"]

FILE = "learnt.bin"
"""Beside ``model.onnx``: the marks in order, four bytes each."""


def _marks(pictures: Iterable[npt.NDArray[Any]]) -> npt.NDArray[np.uint32]:
    each = [hashlib.sha256(np.ascontiguousarray(one).tobytes()).digest()[:4] for one in pictures]
    return np.frombuffer(b"".join(each), "<u4").astype(np.uint32)


def keep(folder: Path, pictures: Iterable[npt.NDArray[Any]]) -> None:
    """Write the marks of cases, as a model of this kind reads them, into its folder."""
    wholly.write(folder / FILE, np.unique(_marks(pictures)).astype("<u4").tobytes())


def join(folder: Path, other: Path) -> None:
    """Add the marks of another folder: a model that goes on from another has learnt from what that one learnt from."""
    marks = [np.frombuffer((one / FILE).read_bytes(), "<u4") for one in (folder, other)]
    wholly.write(folder / FILE, np.unique(np.concatenate(marks)).astype("<u4").tobytes())


def must_be_kept(folder: Path, card: Mapping[str, Any], *, or_gone: bool = False) -> bool:
    """Refuse marks that are not those of the training, where its card names them: with others, or without, what a model
    has learnt from would pass for new.

    Args:
        or_gone: whether none will do, where nothing depends on it.

    Returns:
        False where its card names them and they are gone.

    Raises:
        Refused: they are gone, or have been changed.
    """
    named = card.get("training", {}).get(f"SHA-256 of {FILE}")
    file = folder / FILE
    if not named:
        return True
    if or_gone and not file.is_file():
        return False
    found = hashlib.sha256(read_file(file)).hexdigest() if file.is_file() else "none"
    if found != named:
        raise Refused(f"{FILE} with digest {found[:12]}",
                      f"the card names {str(named)[:12]}: what the model has learnt from is not known any more",
                      "restore the file that belongs to the card")  # fmt: skip
    return True


def seen(folder: Path, pictures: Iterable[npt.NDArray[Any]]) -> npt.NDArray[np.bool_] | None:
    """(n,) whether a picture is one that the model of this folder learnt from; None where nothing was kept.

    Raises:
        Refused: what was kept has been cut off.

    >>> import tempfile
    >>> place, some = Path(tempfile.mkdtemp()), np.arange(12, dtype=np.uint8).reshape(3, 2, 2)
    >>> keep(place, some[:2])
    >>> seen(place, some).tolist(), seen(place / "elsewhere", some)
    ([True, True, False], None)
    """
    file = folder / FILE
    if not file.is_file():
        return None
    data = read_file(file)
    if len(data) % 4:
        raise Refused(f"{len(data)} bytes in {file}", "it holds four for each picture that the model learnt from",
                      "restore it, or train the model again")  # fmt: skip
    return np.isin(_marks(pictures), np.frombuffer(data, "<u4"))
