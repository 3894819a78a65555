"""What work in a process of its own may write: into a folder that goes away with it, and so many bytes in all.

An analysis has no need of the disk. One that fills it would stop what arrives for everybody, so whoever waits for the
process looks at what it has written (Linux tells, of files on a disk) and ends it beyond its limit.
"""

from __future__ import annotations

import contextlib
import os
import resource
import tempfile
from collections.abc import Iterator

__all__ = ["bound_files", "scratch", "written_bytes"]


@contextlib.contextmanager
def scratch() -> Iterator[str]:
    """A folder for temporary files of another process; what lies in it at the end is removed, also of one killed."""
    with tempfile.TemporaryDirectory(prefix="isocenter-run-", ignore_cleanup_errors=True) as folder:
        yield folder


def bound_files(folder: str, most: int) -> None:
    """In the process itself: temporary files go into this folder, and no file grows beyond so many bytes."""
    os.environ["TMPDIR"] = tempfile.tempdir = folder
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    bound = most if hard == resource.RLIM_INFINITY else min(most, hard)
    resource.setrlimit(resource.RLIMIT_FSIZE, (bound, bound))


def written_bytes(pid: int | None, folder: str) -> int:
    """What a process has written to disks so far, or what lies in its folder where that is more (in memory, say)."""
    told = 0
    with contextlib.suppress(OSError, ValueError), open(f"/proc/{pid}/io", encoding="ascii") as file:
        told = next((int(line.split()[1]) for line in file if line.startswith("write_bytes")), 0)
    return max(told, _lying(folder))


def _lying(folder: str) -> int:
    total = 0
    with contextlib.suppress(OSError):
        for entry in os.scandir(folder):
            with contextlib.suppress(OSError):  # it may go while we look
                inside = entry.is_dir(follow_symlinks=False)
                total += _lying(entry.path) if inside else entry.stat(follow_symlinks=False).st_blocks * 512
    return total
