"""One image whose bytes are still arriving: digested and written while its sender is still sending.

Where images come over a network, the digest and the disk would else wait for the last byte, and the sender for both.
What is written here has no name that anyone reads, and counts for nothing until `Blobs.put_many` has flushed and named
it; so a sender that breaks off leaves nothing behind.
"""

from __future__ import annotations

import contextlib
import hashlib
from pathlib import Path

from isocenter.store.disk import Disk, unavailable
from isocenter.store.straight import Straight

__all__ = ["Incoming"]

_STEP = 1 << 17  # bytes that are digested and written at a time


class Incoming:
    """The bytes of one image, in the order in which they come.

    Args:
        disk: the system calls.
        place: the file that nobody reads yet; None where blobs are not kept in a local folder.
    """

    def __init__(self, disk: Disk, place: Path | None) -> None:
        self.data = bytearray()
        """What came so far."""
        self.place = place
        self._disk, self._digest = disk, hashlib.sha256()
        self._done, self._descriptor, self._begun = 0, -1, False
        self._file: Straight | None = None

    def write(self, piece: bytes | memoryview) -> None:
        """Take the next bytes.

        Raises:
            Unavailable: the disk took no more; the image can only be dropped.
        """
        self.data += piece
        if len(self.data) - self._done >= _STEP:
            try:
                self._advance()
            except OSError as error:
                raise unavailable(error, "the image could not be stored") from error

    def digest(self) -> str:
        """SHA-256 of all that came, in hexadecimal."""
        rest = self._digest.copy()
        rest.update(self.data[self._done :])
        return rest.hexdigest()

    def finish(self) -> int:
        """Write what is left; the descriptor of the file, which has no name yet and is not flushed.

        Raises:
            OSError: the disk did not take it; the image can only be dropped.
        """
        self._advance()
        return self._descriptor

    def write_out(self) -> None:
        """Write what is left; whoever calls this flushes.

        Raises:
            OSError: the disk did not take it; the image can only be dropped.
        """
        self._advance()
        self._close()

    def named(self) -> None:
        """The file was given its name: there is nothing to drop any more."""
        self._close()
        self._begun = False

    def drop(self) -> None:
        """Forget the image, and the file if one was begun; does nothing to one that was named."""
        self._close()
        if self.place is not None and self._begun:
            with contextlib.suppress(OSError):
                self._disk.remove(self.place)
            self._begun = False

    def _advance(self) -> None:
        with memoryview(self.data)[self._done :] as rest:
            self._digest.update(rest)
            if self.place is not None:
                if self._file is None:
                    self._descriptor, self._begun = self._disk.create(self.place), True
                    # Through the page cache: the device works while the rest arrives; past it each piece waits for it.
                    self._file = Straight(self._disk, self._descriptor, worth=False)
                self._file.write(rest)
                self._disk.begin_flush(self._descriptor, self._done, len(rest))
            self._done += len(rest)

    def _close(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            self._disk.close(descriptor)
