"""Images that wait on the disk for a while, sealed so that nobody but this process reads them there.

AES-256-GCM under a key that is drawn anew each time, stays in memory and is written nowhere: what is left of the
file after a kill or in a copy of the disk tells nobody anything. The file has no name where the system allows
that (Linux, macOS), so that the disk takes its room back by itself however the process ends.
"""

from __future__ import annotations

import struct
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from isocenter.errors import Unavailable

__all__ = ["Aside", "Held", "Lying"]

_CHUNK = 1 << 24  # bytes sealed at once; whole-slide images are larger than one call of the cipher takes
_TAG = 16


class Lying(Protocol):
    """What lies somewhere and is read when it is needed: a file by its `Path`, or what an `Aside` holds."""

    def read_bytes(self) -> bytes:
        """All of it."""
        ...


@dataclass(frozen=True)
class Held:
    """Bytes that an `Aside` holds.

    Args:
        place: where they begin in its file.
        size: how many they are.
        number: of their first chunk, counted over all that was laid down.
    """

    aside: Aside
    place: int
    size: int
    number: int

    def read_bytes(self) -> bytes:
        """The bytes, opened.

        Raises:
            Unavailable: the disk gave them back otherwise than they were written.
        """
        return self.aside._opened(self)


class Aside:
    """A place for what waits; everything in it is gone when it is closed.

    Args:
        folder: where the file lies; the system's temporary folder by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        # Not above: what needs no place to wait does not wait for the cipher.
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        self._cipher = AESGCM(AESGCM.generate_key(256))
        self._file = tempfile.TemporaryFile(prefix="isocenter-aside-", dir=folder)  # noqa: SIM115
        self._end = self._chunks = 0
        self._lock = threading.Lock()

    def __enter__(self) -> Aside:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def lay(self, data: bytes) -> Held:
        """Seal bytes and keep them.

        Raises:
            Unavailable: the disk said no.
        """
        view = memoryview(data)
        with self._lock:
            held = Held(self, self._end, len(view), self._chunks)
            try:
                self._file.seek(self._end)
                for at in range(0, len(view), _CHUNK):
                    # The key seals nothing else, so that chunks can be counted instead of drawing numbers.
                    sealed = self._cipher.encrypt(_nonce(self._chunks), view[at : at + _CHUNK], None)
                    self._chunks += 1
                    self._file.write(sealed)
                    self._end += len(sealed)
                self._file.flush()
            except OSError as fault:
                raise Unavailable(
                    "an image that has to wait cannot be kept", fault.strerror or str(fault),
                    f"free some space in {tempfile.gettempdir()}, or set TMPDIR to a larger folder, and begin again",
                ) from fault  # fmt: skip
        return held

    def _opened(self, held: Held) -> bytes:
        from cryptography.exceptions import InvalidTag

        parts, number, left = [], held.number, held.size
        with self._lock:
            self._file.seek(held.place)
            try:
                while left > 0:
                    sealed = self._file.read(min(left, _CHUNK) + _TAG)
                    parts.append(self._cipher.decrypt(_nonce(number), sealed, None))
                    number, left = number + 1, left - len(parts[-1])
            except (InvalidTag, OSError) as fault:
                raise Unavailable(
                    "an image that waited", "the disk gave it back changed", "look at the disk, and begin again"
                ) from fault
        return parts[0] if len(parts) == 1 else b"".join(parts)


def _nonce(number: int) -> bytes:
    return struct.pack(">IQ", 0, number)
