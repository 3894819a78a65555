"""A new file written from its beginning to its end, past the page cache where the disk allows it.

An archive writes far more than anybody reads soon. Through the page cache every image is copied once more, into memory
that the kernel has to find for it first, and on a virtual machine that memory may have to be fetched from the host:
1.8 ms of processor time an image of 525 kB were seen for this copy, and 0.2 ms without it (docs/know/speed.md).
What is written here is durable after a flush, as any file is.
"""

from __future__ import annotations

import errno
import mmap

from isocenter.store.disk import Disk

__all__ = ["STAGE", "Straight", "a_stage", "give_back"]

_BLOCK = 4096  # what memory, place and length have to be a multiple of
STAGE = 1 << 18
"""Bytes of one piece of such memory."""
_stages: list[mmap.mmap] = []  # pieces that nobody uses now; their pages are there already


class Straight:
    """One file that is being written.

    Args:
        disk: the system calls.
        descriptor: of a file that is empty; it stays the caller's to close.
        worth: whether the file is large enough for this; written as any other where it is not.
    """

    def __init__(self, disk: Disk, descriptor: int, *, worth: bool = True) -> None:
        self._disk, self.descriptor = disk, descriptor
        self.straight = worth and disk.go_straight(descriptor, True)
        """Whether the page cache is passed by; no longer once a piece was written that is no whole block."""

    def write(self, data: memoryview) -> None:
        """Write all of the data, however little the disk takes at a time; only the last may be no whole blocks.

        Raises:
            OSError: it took nothing.
        """
        rest = data
        if self.straight and len(rest) >= _BLOCK:
            stage = a_stage()
            try:
                with memoryview(stage) as aligned:
                    while self.straight and len(rest) >= _BLOCK:
                        rest = rest[self._block(aligned, rest) :]
            finally:
                give_back(stage)
        if self.straight and rest:
            self._plainly()
        while rest:
            rest = rest[_went(self._disk.write(self.descriptor, rest)) :]

    def _block(self, aligned: memoryview, rest: memoryview) -> int:
        size = min(len(rest), STAGE) // _BLOCK * _BLOCK
        aligned[:size] = rest[:size]
        try:
            with aligned[:size] as piece:
                went = _went(self._disk.write(self.descriptor, piece))
        except OSError as error:
            if error.errno != errno.EINVAL:
                raise
            went = -1  # this device wants larger blocks
        if went % _BLOCK:
            self._plainly()
        return max(went, 0)

    def _plainly(self) -> None:
        self._disk.go_straight(self.descriptor, False)
        self.straight = False


def a_stage() -> mmap.mmap:
    """Memory for `STAGE` bytes, mostly such as was used before, so that the system need not find it first."""
    try:
        return _stages.pop()  # another thread may have taken the last since one looked
    except IndexError:
        if not hasattr(mmap, "MAP_PRIVATE"):
            return mmap.mmap(-1, STAGE)
        # Shared, as Python makes it where nobody says otherwise, a forked process would write into the same memory.
        return mmap.mmap(-1, STAGE, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)


def give_back(stage: mmap.mmap) -> None:
    """Let others have a piece of memory; nobody looks into it any more."""
    _stages.append(stage)


def _went(count: int) -> int:
    if count <= 0:
        raise OSError(errno.EIO, "the disk took no bytes")
    return count
