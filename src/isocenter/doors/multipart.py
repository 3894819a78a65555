"""multipart/related (RFC 2387): how DICOMweb puts many images into one body, read as a stream within bounds.

The body comes from strangers. Nothing is believed: the number of parts, the size of each, of its header and of the
whole are bounded, and a body that ends before its closing delimiter is refused.
"""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from dataclasses import dataclass
from email.message import Message
from typing import Final

from isocenter.errors import LimitReached, NotWhole, Refused

__all__ = ["Limits", "Part", "boundary_of", "content_type", "new_boundary", "read", "write"]

_HEADER_LIMIT: Final = 16_384


@dataclass(frozen=True)
class Limits:
    """Bounds of one body: bytes of one part, bytes of all, number of parts."""

    part: int = 2 * 2**30
    total: int = 64 * 2**30
    parts: int = 100_000


@dataclass(frozen=True)
class Part:
    """One part: its headers by lower-case name, and its bytes."""

    headers: Mapping[str, str]
    data: bytes | bytearray


def content_type(header: str) -> tuple[str, dict[str, str]]:
    """A media type in lower case, and its parameters, quoted or not.

    >>> content_type('Multipart/Related; type="application/dicom"; boundary=abc')
    ('multipart/related', {'type': 'application/dicom', 'boundary': 'abc'})
    """
    message = Message()
    message["content-type"] = header.replace("\r", " ").replace("\n", " ")
    said = message.get_params(failobj=[])
    params = {str(name).lower(): str(value) for name, value in said[1:]}
    return (str(said[0][0]).strip().lower() if said else ""), params


def boundary_of(params: Mapping[str, str]) -> bytes:
    """The boundary that a Content-Type names.

    Raises:
        Refused: there is none, or it is not one of RFC 2046 (1 to 70 characters of a small set).
    """
    said = params.get("boundary", "")
    letters = "'()+_,-./:=? "
    if (
        not 1 <= len(said) <= 70
        or said.endswith(" ")
        or not all(c.isascii() and (c.isalnum() or c in letters) for c in said)
    ):
        raise Refused("A multipart body without a usable boundary", "its parts cannot be told apart", "name a boundary")
    return said.encode("ascii")


def new_boundary() -> str:
    """A boundary that no image contains: 128 random bits."""
    return f"isocenter-{secrets.token_hex(16)}"


async def read(stream: AsyncIterator[bytes], boundary: bytes, limits: Limits) -> AsyncIterator[Part]:
    """The parts of a body, one by one, as it comes; never more than one part is held.

    Raises:
        NotWhole: the body ends too early, or does not begin with its boundary.
        LimitReached: a bound was passed.
    """
    source = _Source(stream, limits.total)
    delimiter = b"\r\n--" + boundary
    # The first delimiter needs no line break before it; a preamble is allowed and worth nothing.
    source.buffer += b"\r\n"
    await source.until(delimiter, _HEADER_LIMIT)
    count = 0
    while True:
        tail = await source.take(2)
        if tail == b"--":
            return
        # RFC 2046 lets white space pad the delimiter's line.
        rest = b"" if tail == b"\r\n" else await source.until(b"\r\n", 1024)
        if (tail + rest).strip(b" \t\r\n"):
            raise NotWhole(
                "A multipart delimiter with text behind it", "it is no delimiter of RFC 2046", "mend the sender"
            )
        count += 1
        if count > limits.parts:
            raise LimitReached(f"More than {limits.parts} parts", "one request may not hold more", "send several")
        headers = await _headers(source)
        yield Part(headers, await source.until(delimiter, limits.part))


async def _headers(source: _Source) -> dict[str, str]:
    headers: dict[str, str] = {}
    left = _HEADER_LIMIT
    while line := await source.until(b"\r\n", left):
        left -= len(line)
        name, _, value = line.decode("latin-1").partition(":")
        headers[name.strip().lower()] = value.strip()
    return headers


class _Source:
    """A stream of chunks of which a prefix up to a mark can be taken."""

    def __init__(self, stream: AsyncIterator[bytes], total: int) -> None:
        self._stream, self._left, self._most = stream, total, total
        self.buffer = bytearray()

    async def _more(self) -> None:
        chunk = b""
        while not chunk:
            try:
                chunk = await anext(self._stream)
            except StopAsyncIteration:
                raise NotWhole(
                    "A multipart body that ends before its closing delimiter", "a part may be cut", "send it again"
                ) from None
        self._left -= len(chunk)
        if self._left < 0:
            raise LimitReached(f"A body over {self._most} bytes", "one request may not hold more", "send several")
        self.buffer += chunk

    async def take(self, count: int) -> bytes:
        while len(self.buffer) < count:
            await self._more()
        taken = bytes(self.buffer[:count])
        del self.buffer[:count]
        return taken

    async def until(self, mark: bytes, limit: int) -> bytearray:
        """Bytes before the next mark; the mark is taken too."""
        searched = 0
        while (at := self.buffer.find(mark, searched)) < 0:
            searched = max(0, len(self.buffer) - len(mark) + 1)
            if searched > limit:
                raise LimitReached(f"A part or header over {limit} bytes", "it would fill the memory", "send less")
            await self._more()
        if at > limit:
            raise LimitReached(f"A part or header over {limit} bytes", "it would fill the memory", "send less")
        rest = self.buffer[at + len(mark) :]
        if len(rest) > at:
            taken = self.buffer[:at]
            del self.buffer[: at + len(mark)]
            return taken
        # An image is handed over and not copied; what has come behind it is the smaller part.
        taken, self.buffer = self.buffer, rest
        del taken[at:]
        return taken


def write(parts: Iterable[Part], boundary: str) -> Iterator[bytes]:
    """A body of parts, piece by piece, for a streaming answer."""
    for part in parts:
        lines = [f"--{boundary}", *(f"{name}: {value}" for name, value in part.headers.items()), "", ""]
        yield "\r\n".join(lines).encode("latin-1")
        yield bytes(part.data)
        yield b"\r\n"
    yield f"--{boundary}--\r\n".encode("ascii")
