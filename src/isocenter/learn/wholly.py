"""A file that is there whole or not at all: written beside its place, and named when all of it is on the disk."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["wholly"]


@contextmanager
def wholly(path: Path) -> Iterator[Path]:
    """Where to write what `path` is to hold; it takes its place at the end, and what failed leaves no trace.

    A table that a full disk cut off is a table like any other to whoever reads it. An earlier file stays until then.
    What is no file, such as ``/dev/stdout``, is written to as it comes; a link is followed.

    Args:
        path: in a folder that is there. Its endings stay the same beside, since writers go by them.
    """
    place = path.resolve()
    if place.exists() and not place.is_file():
        yield path
        return
    beside = place.with_name(f".{os.getpid()}.part.{place.name}")
    try:
        yield beside
        with beside.open("rb") as written:
            os.fsync(written.fileno())
        beside.replace(place)
    finally:
        beside.unlink(missing_ok=True)
