"""The two PDUs that open an association: a request read, and its acceptance written (PS3.8 sections 9.3.2 and 9.3.3).

A sender asks for up to 128 presentation contexts, and many a scanner opens an association for every image. So both are
read and written here in one pass over their bytes; nothing in them is believed beyond its length.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from isocenter.doors.part10 import IMPLEMENTATION_UID, IMPLEMENTATION_VERSION
from isocenter.errors import NotWhole

__all__ = ["APPLICATION", "Answer", "Proposal", "acceptance", "proposal"]

APPLICATION: Final = "1.2.840.10008.3.1.1.1"
"""The one application context name of DICOM."""

_APPLICATION, _ASKED, _ANSWERED, _ABSTRACT, _SYNTAX, _USER = 0x10, 0x20, 0x21, 0x30, 0x40, 0x50
_MAXIMUM, _CLASS, _ROLE, _VERSION = 0x51, 0x52, 0x54, 0x55
_FIXED: Final = 68  # bytes before the first item: protocol version, both AE titles, reserved


@dataclass(frozen=True)
class Proposal:
    """What a peer asks for when it calls.

    Args:
        calling, called: AE titles, without padding.
        contexts: (id, SOP Class UID, Transfer Syntax UIDs in the peer's order).
        roles: SOP Class UID to (peer as SCU, peer as SCP), where role selection was asked.
        maximum: largest PDU that the peer takes; 0 for any.
        application: application context name.
    """

    calling: str
    called: str
    contexts: tuple[tuple[int, str, tuple[str, ...]], ...]
    roles: Mapping[str, tuple[bool, bool]]
    maximum: int
    application: str


@dataclass(frozen=True)
class Answer:
    """What becomes of one proposed presentation context.

    Args:
        id: as proposed.
        result: 0 accepted; 3 abstract syntax, 4 transfer syntaxes not supported (PS3.8 table 9-18).
        syntax: Transfer Syntax UID; without meaning where it is not accepted.
    """

    id: int
    result: int
    syntax: str


def proposal(body: memoryview) -> Proposal:
    """Read the body of an A-ASSOCIATE-RQ.

    Raises:
        NotWhole: an item runs past what holds it, a name is no plain text, or a context has no number or no class.
    """
    if len(body) < _FIXED:
        raise _unreadable(f"it has {len(body)} bytes of {_FIXED}")
    contexts: dict[int, tuple[int, str, tuple[str, ...]]] = {}
    roles: dict[str, tuple[bool, bool]] = {}
    application, maximum = "", 0
    for kind, item in _items(body[_FIXED:]):
        if kind == _APPLICATION:
            application = _text(item)
        elif kind == _ASKED:
            context = _context(item)
            if contexts.setdefault(context[0], context) is not context:
                raise _unreadable(f"two contexts have the number {context[0]}")
        elif kind == _USER:
            for of, part in _items(item):
                if of == _MAXIMUM:
                    maximum = int.from_bytes(_exactly(part, 4), "big")
                elif of == _ROLE:
                    name, role = _role(part)
                    roles[name] = role
    if not contexts:
        raise _unreadable("it proposes nothing")
    called, calling = (_text(body[at : at + 16]).strip() for at in (4, 20))
    return Proposal(calling, called, tuple(contexts.values()), roles, maximum, application)


def acceptance(
    asked: Proposal, answers: Iterable[Answer], roles: Mapping[str, tuple[bool, bool]], *, maximum: int
) -> bytes:
    """Write the A-ASSOCIATE-AC that answers a proposal.

    Args:
        answers: one for each of its contexts.
        roles: what is granted of the roles that it asked for.
        maximum: largest PDU that we take.
    """
    ours = [_item(_MAXIMUM, maximum.to_bytes(4, "big")), _item(_CLASS, IMPLEMENTATION_UID.encode("ascii"))]
    for name, (scu, scp) in roles.items():
        uid = name.encode("ascii")
        ours.append(_item(_ROLE, struct.pack(">H", len(uid)) + uid + bytes((scu, scp))))
    ours.append(_item(_VERSION, IMPLEMENTATION_VERSION.encode("ascii")))
    called, calling = (title.encode("ascii").ljust(16) for title in (asked.called, asked.calling))
    body = b"".join((
        struct.pack(">HH16s16s32x", 1, 0, called, calling),
        _item(_APPLICATION, APPLICATION.encode("ascii")),
        *(_item(_ANSWERED, bytes((a.id, 0, a.result, 0)) + _item(_SYNTAX, a.syntax.encode("ascii"))) for a in answers),
        _item(_USER, b"".join(ours)),
    ))  # fmt: skip
    return struct.pack(">BxL", 2, len(body)) + body


def _context(item: memoryview) -> tuple[int, str, tuple[str, ...]]:
    if len(item) < 4 or not item[0] & 1:
        raise _unreadable("a context has no odd number")
    abstract, syntaxes = "", []
    for kind, part in _items(item[4:]):
        if kind == _ABSTRACT:
            abstract = _uid(part)
        elif kind == _SYNTAX:
            syntaxes.append(_uid(part))
    if not abstract:
        raise _unreadable(f"context {item[0]} has no class")
    return item[0], abstract, tuple(syntaxes)


def _role(part: memoryview) -> tuple[str, tuple[bool, bool]]:
    length = int.from_bytes(part[:2], "big")
    scu, scp = _exactly(part[2 + length :], 2)
    return _uid(part[2 : 2 + length]), (bool(scu), bool(scp))


def _items(rest: memoryview) -> Iterator[tuple[int, memoryview]]:
    """The items of a PDU or of an item: type and content."""
    while rest:
        if len(rest) < 4:
            raise _unreadable("an item is cut")
        length = int.from_bytes(rest[2:4], "big")
        if 4 + length > len(rest):
            raise _unreadable("an item runs past its end")
        yield rest[0], rest[4 : 4 + length]
        rest = rest[4 + length :]


def _item(kind: int, content: bytes) -> bytes:
    return struct.pack(">BxH", kind, len(content)) + content


def _exactly(part: memoryview, count: int) -> memoryview:
    if len(part) != count:
        raise _unreadable(f"an item has {len(part)} bytes in place of {count}")
    return part


def _uid(part: memoryview) -> str:
    text = _text(part)
    if len(text) > 64:
        raise _unreadable("a UID is longer than 64 characters")
    return text


def _text(part: memoryview) -> str:
    text = bytes(part).rstrip(b" \0")
    if not text.isascii():
        raise _unreadable("a name in it is no plain text")
    return text.decode("ascii")


def _unreadable(why: str) -> NotWhole:
    return NotWhole("An association request that cannot be read", why, "look at the sender's DICOM settings")
