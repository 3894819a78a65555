"""The few calls to the operating system by which an image becomes durable.

They stand in one small object, so that a test can pass a disk that is full, broken or slow to give up, and the real
one needs no patching. The order that makes a file durable is: write it under a name that nobody reads, flush the
file, give it its name, flush the folder. A power cut between any two of these leaves either nothing or all of it.

On filesystems that keep what happened to a file in order, a file that is new is named before it is flushed, and that
one flush keeps its name too. A power cut before it may leave a torn file under the name; nobody was told of it, its
digest tells, and the image that is sent again takes its place.

Many files at once take the same steps together: all are written, all that are new are named, and the filesystem is
flushed; where a file is to take the place of another, or the filesystem keeps no order, it is named after that flush,
and another follows. That is one wait for the device, or two, and not one for each file.
"""

from __future__ import annotations

import ctypes
import errno
import os
import re
import sys
from functools import cache
from pathlib import Path

from isocenter.errors import Unavailable

__all__ = ["Disk", "make_durable", "unavailable"]


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

    def go_straight(self, descriptor: int, straight: bool) -> bool:
        """Have writes pass the page cache by from now on, or not any more; False where they cannot."""
        wanted = getattr(os, "O_DIRECT", 0)
        if not wanted:
            return False
        import fcntl

        flags = fcntl.fcntl(descriptor, fcntl.F_GETFL)
        try:
            fcntl.fcntl(descriptor, fcntl.F_SETFL, flags | wanted if straight else flags & ~wanted)
        except OSError as error:
            if error.errno != errno.EINVAL or not straight:
                raise
            return False  # this filesystem has no such way
        return straight

    def begin_flush(self, descriptor: int, start: int, count: int) -> None:
        """Have the device begin with what was just written, and do not wait; `flush` then has less to wait for."""
        if hasattr(os, "posix_fadvise"):
            # Linux starts to write such pages out; those that are not yet written stay in memory.
            os.posix_fadvise(descriptor, start, count, os.POSIX_FADV_DONTNEED)

    def flush(self, descriptor: int) -> None:
        """Have the device keep what was written (fsync)."""
        os.fsync(descriptor)

    def keeps_names(self, folder: Path) -> bool:
        """Whether `flush` of a file under this folder keeps the name, too, that the file was given before."""
        return hasattr(_libc(), "renameat2") and _filesystem(folder) in _TRUSTED

    def flushes_all(self, folder: Path) -> bool:
        """Whether `flush_all` keeps its promise for files under this folder; `flush` each of them where it does not."""
        return _reports_failures() and _filesystem(folder) in _TRUSTED

    def flush_all(self, descriptor: int) -> None:
        """Have the device keep everything that was written to the filesystem of this file or folder (syncfs).

        It raises what went wrong with any file since the descriptor was opened, so that has to be before the writing.
        """
        if _libc().syncfs(descriptor):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def close(self, descriptor: int) -> None:
        """Close the descriptor."""
        os.close(descriptor)

    def name(self, temporary: Path, final: Path) -> None:
        """Give a whole, flushed file its name; whoever reads sees the old or the new file, never half of one."""
        temporary.rename(final)

    def name_new(self, temporary: Path, final: Path) -> None:
        """Give a file a name that nobody bears yet (renameat2 with RENAME_NOREPLACE).

        Raises:
            FileExistsError: somebody does.
        """
        if _libc().renameat2(_HERE, os.fsencode(temporary), _HERE, os.fsencode(final), _NO_REPLACE):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def remove(self, path: Path) -> None:
        """Remove a file that nobody was told of."""
        path.unlink(missing_ok=True)

    def open_to_flush(self, path: Path) -> int:
        """A descriptor of a file or folder that is only to be flushed."""
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)


def make_durable(disk: Disk, descriptor: int, temporary: Path, final: Path, *, in_order: bool) -> bool:
    """Flush a file that was written and give it its name; nothing that bears the name already is at risk.

    Args:
        in_order: what `Disk.keeps_names` said of the folder.

    Returns:
        whether the name is durable too; else its folder still has to be flushed.

    Raises:
        OSError: it is not durable; the file may lie under its temporary name.
    """
    if in_order and not final.exists():
        try:
            disk.name_new(temporary, final)
        except FileExistsError:
            pass  # another thread was faster; what it has promised must not be replaced by what is not flushed
        else:
            try:
                disk.flush(descriptor)
            except OSError:
                disk.remove(final)  # nobody may take it for what was flushed
                raise
            return True
    disk.flush(descriptor)
    disk.name(temporary, final)
    return False


# Filesystems of which it is known that syncfs ends with the data and their names on the device, and that what happened
# to one file becomes durable in order, so that its flush brings the name that it had by then. Others may have their own
# idea of it: a network filesystem, or one that a program serves.
_TRUSTED = frozenset({"ext4", "xfs", "btrfs"})
_HERE, _NO_REPLACE = -100, 1  # AT_FDCWD, RENAME_NOREPLACE


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


@cache
def _reports_failures() -> bool:
    """Whether syncfs tells of pages that could not be written: Linux does since 5.8."""
    if not sys.platform.startswith("linux") or not hasattr(_libc(), "syncfs"):
        return False
    number = re.match(r"(\d+)\.(\d+)", os.uname().release)
    return number is not None and (int(number[1]), int(number[2])) >= (5, 8)


def _filesystem(folder: Path) -> str:
    """The type of the filesystem on which a folder lies; empty where it cannot be told."""
    try:
        device = folder.stat().st_dev
        lines = Path("/proc/self/mountinfo").read_text("utf-8", "surrogateescape").splitlines()
    except OSError:
        return ""
    mine = f"{os.major(device)}:{os.minor(device)}"
    kinds = {line.split(" - ")[1].split()[0] for line in lines if line.split()[2] == mine}
    return kinds.pop() if len(kinds) == 1 else ""


_MEANING = {
    errno.ENOSPC: ("the disk is full", "free some space, then send again"),
    errno.EDQUOT: ("the quota of this account is used up", "raise the quota, then send again"),
    errno.EIO: ("the disk reports an error", "look at the disk's own log before sending again"),
    errno.EROFS: ("the disk is read-only", "mount it for writing, then send again"),
    errno.EACCES: ("this account may not write there", "give it the folder, then send again"),
}
_OF_PLACES = {
    errno.ENOTDIR: "a part of the path is a file",
    errno.EEXIST: "a file has that name",
    errno.ENOENT: "a part of the path is not there",
    errno.ENAMETOOLONG: "the name is too long",
    errno.ELOOP: "links lead round in a circle",
}
"""What is wrong with a path itself: no disk has to be mended, another place is to be named."""


def unavailable(error: BaseException, what: str) -> Unavailable:
    """A disk that said no, in words: what could not be done, why, and what to do."""
    number = getattr(error, "errno", None)
    if number in _OF_PLACES:
        return Unavailable(what, _OF_PLACES[number], "name another folder")
    if number is None:
        do = "check that the object store answers, its bucket and its keys (AWS_…), then send again"
        return Unavailable(what, _of_store(str(error)), do)
    why, do = _MEANING.get(number, (str(error), "nothing of it counts as received; send again when this is mended"))
    return Unavailable(what, why, do)


def _of_store(told: str) -> str:
    """What an object store said, without the page of its client's insides that follows.

    >>> _of_store("Generic S3 error: connection refused\\n\\nDebug source:\\nGeneric {")
    'Generic S3 error: connection refused'
    >>> _of_store("status code: 404 <?xml?>\\n<Error><Message>The specified bucket does not exist</Message>")
    'The specified bucket does not exist'
    """
    said = re.search(r"<Message>([^<]+)</Message>", told)
    lines = told.strip().splitlines() or ["no reason was told"]
    return (said[1] if said else lines[0])[:300].strip().rstrip(".")
