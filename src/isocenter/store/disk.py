"""The few calls to the operating system by which an image becomes durable.

They stand in one small object, so that a test can pass a disk that is full, broken or slow to give up, and the real
one needs no patching. The order that makes a file durable is: write it under a name that nobody reads, flush the
file, give it its name, flush the folder. A power cut between any two of these leaves either nothing or all of it.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path

from isocenter.errors import Unavailable

__all__ = ["Disk", "unavailable"]


class Disk:
    """A local disk. Every method is one system call and raises what it raises (`OSError`)."""

    def make_folder(self, path: Path) -> None:
        """Make a folder, if it is not there yet."""
        path.mkdir(exist_ok=True)

    def create(self, path: Path) -> int:
        """Open a file that must not exist yet; returns its descriptor."""
        return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o640)

    def write(self, descriptor: int, data: memoryview) -> int:
        """Write some of the data; returns how many bytes went, which may be fewer than all."""
        return os.write(descriptor, data)

    def begin_flush(self, descriptor: int, start: int, count: int) -> None:
        """Have the device begin with what was just written, and do not wait; `flush` then has less to wait for."""
        if hasattr(os, "posix_fadvise"):
            # Linux starts to write such pages out; those that are not yet written stay in memory.
            os.posix_fadvise(descriptor, start, count, os.POSIX_FADV_DONTNEED)

    def flush(self, descriptor: int) -> None:
        """Have the device keep what was written (fsync)."""
        os.fsync(descriptor)

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        os.close(descriptor)

    def name(self, temporary: Path, final: Path) -> None:
        """Give a whole, flushed file its name; whoever reads sees the old or the new file, never half of one."""
        temporary.rename(final)

    def remove(self, path: Path) -> None:
        """Remove a file that nobody was told of."""
        path.unlink(missing_ok=True)

    def open_to_flush(self, path: Path) -> int:
        """A descriptor of a file or folder that is only to be flushed."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


_MEANING = {
    errno.ENOSPC: ("the disk is full", "free some space, then send again"),
    errno.EDQUOT: ("the quota of this account is used up", "raise the quota, then send again"),
    errno.EIO: ("the disk reports an error", "look at the disk's own log before sending again"),
    errno.EROFS: ("the disk is read-only", "mount it for writing, then send again"),
    errno.EACCES: ("this account may not write there", "give it the folder, then send again"),
}


def unavailable(error: BaseException, what: str) -> Unavailable:
    """A disk that said no, in words: what could not be done, why, and what to do."""
    number = getattr(error, "errno", None)
    why, do = _MEANING.get(
        number or 0, (str(error), "nothing of it counts as received; send again when this is mended")
    )
    return Unavailable(what, why, do)
