"""The entry points at which bytes of strangers are read first, as functions that a fuzzer calls.

Each may refuse with an error of ours and do nothing else: any other exception, and any input that takes longer than
`PATIENCE_S`, is a fault. `run_fuzz.py` lets atheris look for such inputs; the corpus that it has found so far lies in
`corpus/`, one folder a target, and is replayed by `test_fuzz_corpus.py` with every `make test`.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import random
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from isocenter.dicom import header, whole
from isocenter.dicom.elements import parse
from isocenter.doors import commands, dicom_json, mllp, multipart, negotiation, part10
from isocenter.doors.upper_layer import Context, Ended, Link
from isocenter.errors import IsocenterError
from isocenter.forms import hl7, seg, sr

CORPUS = Path(__file__).parent / "corpus"
PATIENCE_S = 10.0
CT, EXPLICIT = "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1"


class Line:
    """A socket that says some bytes and then hangs up."""

    def __init__(self, data: bytes) -> None:
        self._said = io.BytesIO(data)

    def recv_into(self, room: memoryview) -> int:
        return self._said.readinto(room) or 0

    def recv(self, most: int) -> bytes:
        return self._said.read(most)

    def sendall(self, data: object) -> None:
        """Take it, and say nothing."""

    def setsockopt(self, *_: object) -> None:
        """As a socket does."""

    settimeout = shutdown = setsockopt

    def close(self) -> None:
        """As a socket does."""


def parser(data: bytes) -> None:
    """A file: its elements, whether it is whole, what its header says, and it as JSON."""
    for read in (parse, whole.check_whole, header.read_header, lambda d: dicom_json.header(d, "http://here")):
        try:
            read(data)
        except IsocenterError:
            continue


def association(data: bytes) -> None:
    """What a caller says first: the request for an association."""
    negotiation.read_request(Link(Line(data), 1.0))  # type: ignore[arg-type]


def messages(data: bytes) -> None:
    """What a caller says then: commands and data sets in fragments."""
    link = Link(Line(data), 1.0, largest_message=1 << 20, contexts={1: Context(1, CT, EXPLICIT)})  # type: ignore[arg-type]
    while (message := link.receive()) is not None:
        part10.identity(b"".join(message.data or ()), EXPLICIT)


def command(data: bytes) -> None:
    """A command set, and a file's meta information."""
    for read in (commands.decode, part10.split):
        try:
            read(data)
        except IsocenterError:
            continue


def body(data: bytes) -> None:
    """A multipart body whose first line is its Content-Type, in pieces of a size that its second byte tells."""
    head, _, rest = data.partition(b"\n")
    kind, params = multipart.content_type(head.decode("latin-1"))
    step = 1 + (rest[1] if len(rest) > 1 else 0)

    async def pieces() -> AsyncIterator[bytes]:
        for start in range(0, len(rest), step):
            yield rest[start : start + step]

    async def read() -> None:
        limits = multipart.Limits(1 << 20, 1 << 21, 100)
        async for part in multipart.read(pieces(), multipart.boundary_of(params), limits):
            multipart.content_type(part.headers.get("content-type", kind))

    asyncio.run(read())


def message(data: bytes) -> None:
    """An HL7 message, in its frame and without."""
    framed = mllp.Frames(Line(data), whole_s=1.0, idle_s=1.0)  # type: ignore[arg-type]
    for read in (framed.receive, lambda: hl7.read(data)):
        try:
            read()
        except IsocenterError:
            continue


def segmentation(data: bytes) -> None:
    """A Segmentation of a stranger."""
    seg.read(data)


def report(data: bytes) -> None:
    """A structured report of a stranger."""
    sr.read(data)


TARGETS: Mapping[str, Callable[[bytes], object]] = {
    f.__name__: f for f in (parser, association, messages, command, body, message, segmentation, report)
}


def checked(target: str, data: bytes) -> None:
    """One input: it may be refused."""
    try:
        TARGETS[target](data)
    except (IsocenterError, Ended):
        return


def seeds(target: str) -> Iterator[bytes]:
    """Honest inputs from which a fuzzer begins."""
    yield from {"parser": _files, "association": _requests, "messages": _stores, "command": _commands,
                "body": _bodies, "message": _hl7, "segmentation": _objects, "report": _objects}[target]()  # fmt: skip


def kept(target: str) -> list[Path]:
    """The corpus of a target."""
    return sorted((CORPUS / target).glob("*"))


def _files() -> Iterator[bytes]:
    from isocenter.testing.crooked import image, written

    yield from (written(image(random.Random(n))) for n in range(4))


def _requests() -> Iterator[bytes]:
    for offers in ([(CT, (EXPLICIT,))], [(CT, (EXPLICIT, "1.2.840.10008.1.2"))] * 3):
        told = bytearray()

        class Heard(Line):
            def sendall(self, data: Any, told: bytearray = told) -> None:
                told += data

        link = Link(Heard(b""), 1.0)  # type: ignore[arg-type]
        with contextlib.suppress(Ended, IsocenterError):
            negotiation.propose(link, calling="CT1", called="ISOCENTER", offers=offers)
        yield bytes(told)


def _stores() -> Iterator[bytes]:
    for data in _files():
        meta = part10.split(data)
        words = {"AffectedSOPClassUID": CT, "CommandField": 1, "MessageID": 1, "Priority": 0,
                 "AffectedSOPInstanceUID": meta.sop_uid}  # fmt: skip
        told = bytearray()

        class Heard(Line):
            def sendall(self, data: Any, told: bytearray = told) -> None:
                told += data

        Link(Heard(b""), 1.0).send(1, words, data[meta.start :])  # type: ignore[arg-type]
        yield bytes(told)


def _commands() -> Iterator[bytes]:
    yield commands.encode({"CommandField": 0x30, "MessageID": 7, "CommandDataSetType": 0x0101})
    yield next(_files())[:600]


def _bodies() -> Iterator[bytes]:
    parts = [multipart.Part({"content-type": "application/dicom"}, b"one"), multipart.Part({}, b"two\r\n--")]
    for boundary in ("x", "a b"):
        whole_body = b"".join(multipart.write(parts, boundary))
        yield f'multipart/related; type="application/dicom"; boundary="{boundary}"\n'.encode() + whole_body


def _hl7() -> Iterator[bytes]:
    text = (
        "MSH|^~\\&|RIS|H|I|I|20261126||ORM^O01|2|P|2.5\rPID|1||7^^^H||A^B||19700101|F\rORC|NW|1\rOBR|1|1||CT^CT\\T\\X\r"
    )
    yield text.encode()
    yield b"\x0b" + text.encode() + b"\x1c\r"


def _objects() -> Iterator[bytes]:
    yield from (path.read_bytes() for name in ("segmentation", "report") for path in kept(name)[:4])
