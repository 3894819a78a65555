"""The files in which sealed keys lie: replaced as a whole and durably, and overwritten before they are let go.

A key that was replaced or destroyed must not come back, so the old file is first kept under ``NAME.gone``, then the new
one takes its name, then the old bytes are overwritten and removed. Whoever was killed in between left a ``.gone`` file
that `finish` overwrites. What a disk or file system keeps of overwritten bytes elsewhere is beyond any program.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from isocenter import wholly
from isocenter.errors import Refused

__all__ = ["Look", "finish", "found", "look", "put", "read"]

Look = tuple[int, int, int]
"""What tells that a file was replaced: its inode, time and size."""

_KEY = re.compile(r"[0-9a-f]{32}")


def look(place: Path) -> Look | None:
    """Whether a file is the one that was read before; None where there is none."""
    try:
        seen = place.stat()
    except OSError:
        return None
    return seen.st_ino, seen.st_mtime_ns, seen.st_size


def read(place: Path) -> dict[str, Any]:
    """What a file says.

    Raises:
        Refused: it is damaged. OSError: it cannot be read.
    """
    try:
        told: dict[str, Any] = json.loads(place.read_bytes())
    except ValueError:
        raise Refused(
            f"the file of a key, {place.name[:16]}…", "it is damaged", "bring it back from the copy of the keys"
        ) from None
    return told


def put(place: Path, told: dict[str, Any], *, new: bool = False, wipe: bool = False) -> bool:
    """Write a file so that a power cut leaves the old or the new one; False where a new one is there already.

    Args:
        new: only where there is none yet.
        wipe: overwrite what stood there before.

    Raises:
        OSError: the disk said no.
    """
    place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    aside, gone = place.with_name(f"{place.name}.{secrets.token_hex(4)}.part"), place.with_name(f"{place.name}.gone")
    descriptor = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(json.dumps(told).encode())
        file.flush()
        os.fsync(file.fileno())
    try:
        if new:
            gone = aside
            os.link(aside, place)
        else:
            if wipe:
                with contextlib.suppress(FileExistsError):
                    os.link(place, gone)
            aside.replace(place)
    except FileExistsError:
        return False
    finally:
        aside.unlink(missing_ok=True)
    wholly.flush(place.parent)
    wholly.flush(place.parent.parent)
    if wipe:
        _overwrite(gone)
    return True


def found(folder: Path) -> Iterator[Path]:
    """The files of keys in a folder, by name; none where there is no such folder."""
    with contextlib.suppress(FileNotFoundError):
        yield from sorted(path for path in folder.iterdir() if _KEY.fullmatch(path.name))


def finish(folder: Path) -> None:
    """Overwrite what somebody who was killed had not overwritten yet, below a folder."""
    for gone in folder.rglob("*.gone"):
        _overwrite(gone)
    for aside in folder.rglob("*.part"):
        aside.unlink(missing_ok=True)


def _overwrite(gone: Path) -> None:
    with contextlib.suppress(FileNotFoundError), gone.open("r+b") as file:
        file.write(os.urandom(os.fstat(file.fileno()).st_size))
        file.flush()
        os.fsync(file.fileno())
        gone.unlink()
        wholly.flush(gone.parent)
