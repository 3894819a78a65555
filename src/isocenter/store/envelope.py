"""Bytes sealed so that only who has the key of their study reads them, and any part of them without the rest.

AES-256-GCM in chunks, each under its own nonce and bound to the digest of the whole, to its number and to whether it is
the last: a chunk that was changed, moved, taken from another file, or cut off at the end does not open. Every sealed
file has a data key of its own; the key of the study seals that one, and stands nowhere in the file. The same bytes
that two studies need are sealed once with two copies of the data key.

The file: ``ISOSEAL1``, size of the content (8 bytes), bytes of a chunk (4), how many keys open it (2); for each its
name (16) and the sealed data key (60); then the chunks, each followed by its tag (16). Numbers are big-endian.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from isocenter.errors import Damaged, IsocenterError, Refused
from isocenter.store.master_key import KEY_BYTES, unwrap, wrap

__all__ = ["START", "Envelope", "names_of", "seal"]

_MAGIC = b"ISOSEAL1"
_HEAD = struct.Struct(">8sQIH")
_NAME, _WRAPPED, _TAG = 16, 60, 16
_CHUNK = 1 << 17
_KEYS = 64  # more studies than will ever need the same bytes
START = _HEAD.size + _KEYS * (_NAME + _WRAPPED)
"""Bytes within which the names of all keys stand."""


def seal(data: bytes | bytearray | memoryview, digest: str, keys: Sequence[tuple[bytes, bytes]]) -> bytes:
    """Seal the bytes of a digest under the keys of one or more studies.

    Args:
        data: what is sealed.
        digest: its SHA-256, hexadecimal.
        keys: (name of 16 bytes, key of 32 bytes) of each study.
    """
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    own = os.urandom(KEY_BYTES)
    cipher, view = AESGCM(own), memoryview(data)
    parts = [_HEAD.pack(_MAGIC, len(view), _CHUNK, len(keys))]
    parts += [name + wrap(key, own, _purpose(digest, name)) for name, key in keys]
    last = max(len(view) - 1, 0) // _CHUNK
    bound = _bound(digest, len(view), _CHUNK)
    for number in range(last + 1):
        piece = view[number * _CHUNK : (number + 1) * _CHUNK]
        parts.append(cipher.encrypt(_nonce(number), piece, bound + _place(number, number == last)))
    return b"".join(parts)


def names_of(start: bytes) -> tuple[bytes, ...]:
    """The names of the keys that open a sealed file, from its first `START` bytes; none where it is no such file."""
    if len(start) < _HEAD.size or start[: len(_MAGIC)] != _MAGIC:
        return ()
    count = _HEAD.unpack_from(start)[3]
    step = _NAME + _WRAPPED
    starts = range(_HEAD.size, min(_HEAD.size + min(count, _KEYS) * step, len(start)), step)
    return tuple(bytes(start[at : at + _NAME]) for at in starts)


@dataclass(frozen=True)
class Envelope:
    """A sealed file, not yet opened.

    Args:
        size: bytes of its content.
        names: of the keys that open it.
    """

    size: int
    names: tuple[bytes, ...]
    _raw: memoryview
    _digest: str
    _chunk: int

    @classmethod
    def of(cls, raw: bytes, digest: str) -> Envelope:
        """Read what stands before the chunks.

        Raises:
            Damaged: it is no sealed file of this size.
        """
        if len(raw) < _HEAD.size:
            raise _broken(digest)
        magic, size, chunk, count = _HEAD.unpack_from(raw)
        if magic != _MAGIC or not 0 < count <= _KEYS or chunk != _CHUNK:
            raise _broken(digest)
        chunks = max(size - 1, 0) // chunk + 1
        if len(raw) != _HEAD.size + count * (_NAME + _WRAPPED) + size + chunks * _TAG:
            raise _broken(digest)
        return cls(size, names_of(raw), memoryview(raw), digest, chunk)

    def read(self, key_of: Callable[[bytes], bytes], start: int = 0, stop: int | None = None) -> bytes:
        """Some or all of the content; only the chunks that hold it are opened.

        Args:
            key_of: the key of a name; raises where it has none.
            start, stop: as of a slice, not negative.

        Raises:
            Damaged: something was changed, moved or cut off.
            what `key_of` raises, where it has none of the keys.
        """
        from cryptography.exceptions import InvalidTag
        from cryptography.hazmat.primitives.ciphers.aead import AESGCM

        cipher = AESGCM(self._own(key_of))
        stop = self.size if stop is None else min(stop, self.size)
        first, last = start // self._chunk, max(self.size - 1, 0) // self._chunk
        body = _HEAD.size + len(self.names) * (_NAME + _WRAPPED)
        bound, parts = _bound(self._digest, self.size, self._chunk), []
        for number in range(first, max(stop - 1, 0) // self._chunk + 1):
            at = body + number * (self._chunk + _TAG)
            sealed = self._raw[at : at + self._chunk + _TAG]
            try:
                parts.append(cipher.decrypt(_nonce(number), sealed, bound + _place(number, number == last)))
            except InvalidTag:
                raise _broken(self._digest) from None
        whole = parts[0] if len(parts) == 1 else b"".join(parts)
        skip = first * self._chunk
        return whole if (start, stop) == (skip, skip + len(whole)) else whole[start - skip : stop - skip]

    def _own(self, key_of: Callable[[bytes], bytes]) -> bytes:
        failure: IsocenterError | None = None
        for number, name in enumerate(self.names):
            at = _HEAD.size + number * (_NAME + _WRAPPED) + _NAME
            try:
                key = key_of(name)
            except IsocenterError as none:
                failure = none
                continue
            try:
                return unwrap(key, bytes(self._raw[at : at + _WRAPPED]), _purpose(self._digest, name))
            except Refused:
                failure = _broken(self._digest)
        assert failure is not None  # there is at least one name
        raise failure


def _bound(digest: str, size: int, chunk: int) -> bytes:
    return _MAGIC + bytes.fromhex(digest) + struct.pack(">QI", size, chunk)


def _place(number: int, last: bool) -> bytes:
    return struct.pack(">QB", number, last)


def _nonce(number: int) -> bytes:
    # A data key seals one file once, so that its chunks can be counted instead of drawing numbers.
    return struct.pack(">IQ", 0, number)


def _purpose(digest: str, name: bytes) -> bytes:
    return b"isocenter data key " + bytes.fromhex(digest) + name


def _broken(digest: str) -> Damaged:
    return Damaged(
        f"sealed blob {digest[:16]}… does not open", "its bytes were changed, moved or cut off after they were stored",
        "restore it from a copy; it will not be shown as an image",
    )  # fmt: skip
