"""Which of several files of one name belongs to another: the one whose folders are most like those that are named."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

__all__ = ["nearest_files"]


def nearest_files(
    files: Sequence[Path], folders: Sequence[str], root: Path, rather: Callable[[list[str]], Any] = lambda above: ()
) -> list[Path]:
    """The files that share most folders with those named, from the last on, then from the first on; all that tie.

    Args:
        folders: above the file that is meant, in any case. rather: what decides a tie, the largest, by the folders
            (in small letters) above a file.

    >>> some = [Path("set/left/train/a.png"), Path("set/left/test/a.png")]
    >>> [str(p) for p in nearest_files(some, ["CXR", "Test"], Path("set"))]
    ['set/left/test/a.png']
    """
    asked = [folder.lower() for folder in folders]

    def alike(file: Path) -> tuple[int, int, Any]:
        above = [part.lower() for part in file.relative_to(root).parts[:-1]]
        return _same(reversed(above), reversed(asked)), _same(above, asked), rather(above)

    best = max(map(alike, files), default=None)
    return [file for file in files if alike(file) == best]


def _same(some: Iterable[str], others: Iterable[str]) -> int:
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(some, others, strict=False)))
