"""A file that is there whole or not at all: written beside its place, and named when all of it is written.

A table, a record or a mark that a full disk or a kill cut off is a file like any other to whoever reads it. What a
writer that was killed leaves is hidden and ends in ``.part``, so that nobody who looks for files of a kind meets it.

Three ways of keeping files go further and stand by themselves: `isocenter.store.disk` (images, many at once, streamed,
never replaced), `isocenter.store.key_files` (keys, whose old bytes are overwritten), `isocenter.dicom.release` (whole
folders).
"""

from __future__ import annotations

import errno
import os
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

__all__ = ["flush", "sweep", "write", "writing"]

_NO_LINKS = frozenset({errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS})  # of a file system that has none
_KEPT = 60  # letters of a name that stand in the one beside: with what is added no more than a file system takes


@contextmanager
def writing(path: Path, *, durable: bool = True, private: bool = False, new: bool = False) -> Iterator[BinaryIO]:
    """What `path` is to hold is written here; it takes its place at the end, and what failed leaves no trace.

    An earlier file stays until then. What is no file, such as ``/dev/stdout``, is written to as it comes; a link is
    followed.

    Args:
        path: in a folder that is there.
        durable: wait for the disk, so that a power cut leaves the old or the new file, too. Without it a kill does;
            that is enough for what the next start can do without.
        private: only the account that writes may read it.
        new: only where nothing is yet; of several who write at once the first one's stays.

    Raises:
        FileExistsError: something is, where it should be new.
        OSError: the disk said no; it names `path`.
    """
    place = path.resolve()
    if new and place.exists():
        raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path))
    if place.exists() and not place.is_file():
        with path.open("wb") as file:
            yield file
        return
    beside = place.with_name(f".{place.name[:_KEPT]}.{secrets.token_hex(4)}.part")
    try:
        opened = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600 if private else 0o666)
        with open(opened, "wb") as file:
            yield file
            file.flush()
            if durable:
                os.fsync(file.fileno())
        if new:
            _named(beside, place)
        else:
            beside.replace(place)
        if durable:
            flush(place.parent)
    except OSError as fault:
        if fault.errno is None or fault.filename not in (None, str(beside)):
            raise
        raise OSError(fault.errno, fault.strerror, str(path)) from fault
    finally:
        beside.unlink(missing_ok=True)


def write(
    path: Path, data: bytes | memoryview | str, *, durable: bool = True, private: bool = False, new: bool = False
) -> None:
    """Write a file as `writing` does; words go as UTF-8."""
    with writing(path, durable=durable, private=private, new=new) as file:
        file.write(data.encode("utf-8") if isinstance(data, str) else data)


def _named(beside: Path, place: Path) -> None:
    """Give a file a name that nothing has."""
    try:
        os.link(beside, place)
    except OSError as no:
        if no.errno not in _NO_LINKS:
            raise
        if place.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(beside)) from None
        beside.replace(place)


def sweep(path: Path) -> None:
    """Remove what writers of a file that were killed left beside it; nobody may be writing it."""
    left = re.compile(rf"\.{re.escape(path.name[:_KEPT])}\.[0-9a-f]{{8}}\.part")
    for beside in path.parent.iterdir() if path.parent.is_dir() else ():
        if left.fullmatch(beside.name):
            beside.unlink(missing_ok=True)


def flush(folder: Path) -> None:
    """Have the disk keep the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
