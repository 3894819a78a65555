"""The few calls to the operating system by which an image becomes durable.

They stand in one small object, so that a test can pass a disk that is full, broken or slow to give up, and the real
one needs no patching. The order that makes a file durable is: write it under a name that nobody reads, flush the
file, give it its name, flush the folder. A power cut between any two of these leaves either nothing or all of it.
"""

from __future__ import annotations

import os
from pathlib import Path

__all__ = ["Disk"]


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
