"""The command set of a DIMSE message: the few words that say "store this", "find that", "done".

Command sets are always Implicit VR Little Endian with elements of group 0000 only (PS3.7 section 6.3.1 and Annex E), so
a table of twenty elements is the whole language. Unknown elements are stepped over, as the standard asks.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from typing import Any, Final

from isocenter.errors import NotWhole

__all__ = [
    "C_CANCEL_RQ",
    "C_ECHO_RQ",
    "C_FIND_RQ",
    "C_GET_RQ",
    "C_MOVE_RQ",
    "C_STORE_RQ",
    "NO_DATA",
    "N_ACTION_RQ",
    "N_CREATE_RQ",
    "N_EVENT_REPORT_RQ",
    "N_GET_RQ",
    "N_SET_RQ",
    "RESPONSE",
    "comment",
    "decode",
    "encode",
]

C_STORE_RQ: Final = 0x0001
C_GET_RQ: Final = 0x0010
C_FIND_RQ: Final = 0x0020
C_MOVE_RQ: Final = 0x0021
C_ECHO_RQ: Final = 0x0030
C_CANCEL_RQ: Final = 0x0FFF
N_EVENT_REPORT_RQ: Final = 0x0100
N_GET_RQ: Final = 0x0110
N_SET_RQ: Final = 0x0120
N_ACTION_RQ: Final = 0x0130
N_CREATE_RQ: Final = 0x0140
RESPONSE: Final = 0x8000
"""Set in the Command Field of every response."""
NO_DATA: Final = 0x0101
"""Command Data Set Type of a message without a data set; every other value says that one follows."""

_WORDS: Final[dict[int, tuple[str, str]]] = {
    0x0002: ("AffectedSOPClassUID", "UI"),
    0x0003: ("RequestedSOPClassUID", "UI"),
    0x0100: ("CommandField", "US"),
    0x0110: ("MessageID", "US"),
    0x0120: ("MessageIDBeingRespondedTo", "US"),
    0x0600: ("MoveDestination", "AE"),
    0x0700: ("Priority", "US"),
    0x0800: ("CommandDataSetType", "US"),
    0x0900: ("Status", "US"),
    0x0902: ("ErrorComment", "LO"),
    0x0903: ("ErrorID", "US"),
    0x1000: ("AffectedSOPInstanceUID", "UI"),
    0x1001: ("RequestedSOPInstanceUID", "UI"),
    0x1002: ("EventTypeID", "US"),
    0x1005: ("AttributeIdentifierList", "AT"),
    0x1008: ("ActionTypeID", "US"),
    0x1020: ("NumberOfRemainingSuboperations", "US"),
    0x1021: ("NumberOfCompletedSuboperations", "US"),
    0x1022: ("NumberOfFailedSuboperations", "US"),
    0x1023: ("NumberOfWarningSuboperations", "US"),
    0x1030: ("MoveOriginatorApplicationEntityTitle", "AE"),
    0x1031: ("MoveOriginatorMessageID", "US"),
}
_TAGS: Final = {word: (element, vr) for element, (word, vr) in _WORDS.items()}


def comment(text: str) -> str:
    """A reason as it may stand in Error Comment (LO of the default repertoire, at most 64 characters).

    >>> comment("Blende geöffnet\\nund noch viel mehr " + "x" * 80)[:32]
    'Blende ge?ffnet und noch viel me'
    """
    plain = "".join(c if " " <= c <= "~" and c != "\\" else " " if c.isspace() else "?" for c in text)
    return plain[:64].rstrip()


def encode(words: Mapping[str, int | str]) -> bytes:
    """Write a command set, group length first, elements in ascending order.

    >>> decode(encode({"CommandField": C_ECHO_RQ, "MessageID": 7, "CommandDataSetType": NO_DATA}))["MessageID"]
    7
    """
    parts: list[bytes] = []
    for element, vr, value in sorted((*_TAGS[word], value) for word, value in words.items()):
        if vr == "US":
            raw = struct.pack("<H", value)
        else:
            raw = str(value).encode("ascii", "replace")
            if len(raw) % 2:
                raw += b"\0" if vr == "UI" else b" "
        parts.append(struct.pack("<HHI", 0, element, len(raw)) + raw)
    body = b"".join(parts)
    return struct.pack("<HHII", 0, 0, 4, len(body)) + body


def decode(data: bytes | bytearray) -> dict[str, Any]:
    """Read a command set to its words.

    Raises:
        NotWhole: an element runs past the end, or a number has no two bytes.
    """
    words: dict[str, Any] = {}
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            raise _broken(at)
        group, element, length = struct.unpack_from("<HHI", data, at)
        at += 8
        if group != 0 or at + length > len(data):
            raise _broken(at)
        known = _WORDS.get(element)
        if known:
            word, vr = known
            raw = bytes(data[at : at + length])
            if vr == "US":
                if length < 2:
                    raise _broken(at)
                words[word] = int.from_bytes(raw[:2], "little")
            elif vr == "AT":
                pairs = struct.iter_unpack("<HH", raw[: length // 4 * 4])
                words[word] = tuple(f"{group:04X}{inner:04X}" for group, inner in pairs)
            else:
                words[word] = raw.decode("ascii", "replace").strip(" \0")
        at += length
    if "CommandField" not in words or "CommandDataSetType" not in words:
        raise NotWhole(
            "A DIMSE command without Command Field or Command Data Set Type",
            "without them nobody can tell what is asked",
            "look at the sender's log: its command set is not DICOM",
        )
    return words


def _broken(at: int) -> NotWhole:
    return NotWhole(
        f"A DIMSE command that breaks off at byte {at}",
        "an element claims more bytes than were sent",
        "look at the sender's log: its command set is not DICOM",
    )
