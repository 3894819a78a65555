r"""HL7 version 2 messages as text: read strictly, written with every escape, acknowledged with a reason.

A message is segments of fields; fields have repetitions, components and subcomponents, and the separators stand in the
message itself (MSH-1 and MSH-2). Only what our own messages need is understood here: no library of all segments stands
behind it, and none is needed to be strict. Source: HL7 version 2.5.1 chapter 2, tables 0008, 0211 and 0357.

>>> told = read(b"MSH|^~\\&|A|B|C|D|20261126||ADT^A08|7|P|2.5.1\rPID|1||P1^^^HOSP~X9||Meier^Anna")
>>> told.kind, told.one("PID").at(3, 4), told.one("PID").at(3, repetition=2)
('ADT^A08', 'HOSP', 'X9')
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from isocenter.errors import LimitReached, NotWhole, Refused

__all__ = ["HIDDEN", "LARGEST", "Message", "NotTaken", "Segment", "acknowledge", "escape", "read", "write"]

LARGEST: Final = 1 << 20
"""Bytes of a message that is taken."""

_MOST_SEGMENTS: Final = 5000
_MOST_REPEATS: Final = 1000  # each is looked at for itself: unbounded, one message keeps a processor busy for minutes
_CHARSETS: Final = {
    "ASCII": "ascii", "8859/1": "iso8859-1", "8859/2": "iso8859-2", "8859/3": "iso8859-3", "8859/4": "iso8859-4",
    "8859/5": "iso8859-5", "8859/6": "iso8859-6", "8859/7": "iso8859-7", "8859/8": "iso8859-8",
    "8859/9": "iso8859-9", "8859/15": "iso8859-15", "UNICODE": "utf-8", "UNICODE UTF-8": "utf-8",
    "GB 18030-2000": "gb18030", "KS X 1001": "euc_kr", "BIG-5": "big5", "ISO IR87": "iso2022_jp",
    "ISO IR14": "shift_jis",
}  # fmt: skip
_NAME: Final = re.compile(r"[A-Z][A-Z0-9]{2}")
HIDDEN: Final = "\ufffd"
"""Stands where an escape hid a control character."""
_FRAME: Final = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f]")


class NotTaken(Refused):
    """A message that is answered with an error; `code` is of table 0357, `place` the segment and field.

    Args:
        reject: whether the message itself is at fault (AR) rather than what it asks for (AE).
    """

    def __init__(
        self, what: str, why: str = "", do: str = "", *, code: int = 207, place: str = "", reject: bool = False
    ) -> None:
        super().__init__(what, why, do)
        self.code, self.place, self.reject = code, place, reject


@dataclass(frozen=True)
class Segment:
    """One segment; fields count from 1, as HL7 writes them (MSH-1 is the separator itself)."""

    name: str
    fields: tuple[str, ...]
    marks: str = "|^~\\&"

    def raw(self, field: int) -> str:
        """A whole field as it stands; empty where there is none."""
        return self.fields[field - 1] if 0 < field <= len(self.fields) else ""

    def repeats(self, field: int) -> int:
        """How often a field is told; 0 where it is empty."""
        return self.raw(field).count(self.marks[2]) + 1 if self.raw(field) else 0

    def at(self, field: int, component: int = 1, *, repetition: int = 1, sub: int = 1) -> str:
        """One value, its escapes undone. The explicit empty value (two quotation marks) is read as empty."""
        value = self.raw(field)
        for mark, place in ((self.marks[2], repetition), (self.marks[1], component), (self.marks[4], sub)):
            parts = value.split(mark)
            value = parts[place - 1] if place <= len(parts) else ""
        return "" if value == '""' else _unescape(value, self.marks).strip()


@dataclass(frozen=True)
class Message:
    """A message that was read; the first segment is MSH."""

    segments: tuple[Segment, ...]

    def one(self, name: str) -> Segment | None:
        """The first segment of a name."""
        return next((s for s in self.segments if s.name == name), None)

    @property
    def head(self) -> Segment:
        """MSH."""
        return self.segments[0]

    @property
    def kind(self) -> str:
        """Type and trigger event, such as ``ADT^A08``."""
        return "^".join(filter(None, (self.head.at(9, 1), self.head.at(9, 2))))

    @property
    def control(self) -> str:
        """Message Control ID."""
        return self.head.at(10)

    @property
    def sender(self) -> str:
        """Sending application and facility."""
        return "|".join((self.head.at(3), self.head.at(4)))


def read(data: bytes) -> Message:
    """Read one message.

    Segments end with a carriage return; a line feed is taken, too, since many senders write it. Where MSH-18 names no
    character set, the text is taken as UTF-8 if it is, and as ISO 8859-1 else.

    Raises:
        NotWhole: it has no header that can be read; no acknowledgement is possible then.
        NotTaken: a segment or the character set is wrong.
        LimitReached: larger than 1 MiB, more than 5000 segments, or a field that is told more than 1000 times.
    """
    if len(data) > LARGEST:
        raise LimitReached(f"A message of {len(data)} bytes", f"{LARGEST} are taken", "send it in parts")
    if not data.startswith(b"MSH") or len(data) < 8:
        raise NotWhole("A message without MSH", "every message opens with it", "look at the sender")
    marks = data[3:8].decode("latin-1")
    if len(set(marks)) != 5 or any(m.isalnum() or m.isspace() for m in marks):
        raise NotWhole("A message whose separators are not five different marks", "MSH-1 and MSH-2 say them", "")
    first = re.split(b"[\r\n]", data, maxsplit=1)[0].decode("latin-1").split(marks[0])
    said = first[17].split(marks[2])[0].strip() if len(first) > 17 else ""
    text = _decode(data, said)
    if (found := _FRAME.search(text)) is not None:
        raise NotTaken(f"A control character 0x{ord(found[0]):02X} in a message", code=102, reject=True)
    lines = [line for line in re.split("[\r\n]+", text) if line]
    if len(lines) > _MOST_SEGMENTS:
        raise LimitReached(f"A message of {len(lines)} segments", f"{_MOST_SEGMENTS} are taken", "send it in parts")
    return Message(tuple(_segment(line, marks) for line in lines))


def _decode(data: bytes, said: str) -> str:
    if not said:
        try:
            return data.decode("utf-8")
        except UnicodeDecodeError:
            return data.decode("iso8859-1")
    codec = _CHARSETS.get(said)
    if codec is None:
        raise NotTaken(
            f"The character set '{said:.20}'", "it is not known here", "say it by table 0211", code=103,
            place="MSH^1^18", reject=True,
        )  # fmt: skip
    try:
        return data.decode(codec)
    except UnicodeDecodeError as wrong:
        raise NotTaken(
            f"Byte {wrong.start} is not {said}", "MSH-18 says that it is", "correct MSH-18", code=102,
            place="MSH^1^18", reject=True,
        ) from None  # fmt: skip


def _segment(line: str, marks: str) -> Segment:
    name, *fields = line.split(marks[0])
    if not _NAME.fullmatch(name):
        raise NotTaken(f"A segment named '{name:.8}'", "names have three letters", code=100, reject=True)
    if line.count(marks[2]) >= _MOST_REPEATS and any(f.count(marks[2]) >= _MOST_REPEATS for f in fields):
        raise LimitReached(f"A field of {name} with too many values", f"{_MOST_REPEATS} are taken", "send it in parts")
    return Segment(name, (marks[0], *fields) if name == "MSH" else tuple(fields), marks)


def _unescape(text: str, marks: str) -> str:
    mark = marks[3]
    if mark not in text:
        return text
    known = {"F": marks[0], "S": marks[1], "R": marks[2], "E": mark, "T": marks[4], ".br": "\n", "H": "", "N": ""}

    def undone(found: re.Match[str]) -> str:
        said = found[1]
        if re.fullmatch(r"X(?:[0-9A-Fa-f]{2})+", said):
            return bytes.fromhex(said[1:]).decode("latin-1")
        return known.get(said, found[0])

    plain = re.sub(f"{re.escape(mark)}([^{re.escape(mark)}]*){re.escape(mark)}", undone, text)
    return _FRAME.sub(HIDDEN, plain)  # a control character that came behind an escape


def escape(text: str) -> str:
    r"""A text as it may stand in a field: no mark of its own ends it early.

    >>> escape("A|B^C & D\\E")
    'A\\F\\B\\S\\C \\T\\ D\\E\\E'
    """
    plain = "".join(c if c >= " " or c in "\r\n" else " " for c in text.replace("\\", "\\E\\"))
    for mark, said in (("|", "F"), ("^", "S"), ("~", "R"), ("&", "T")):
        plain = plain.replace(mark, f"\\{said}\\")
    return re.sub(r"\r\n?|\n", r"\\.br\\", plain)


def write(segments: Sequence[Sequence[str]]) -> bytes:
    """A message in UTF-8 from segments of fields that are escaped already; trailing empty fields are left out.

    The first field of MSH in `segments` is MSH-3.
    """
    lines = []
    for name, *fields in segments:
        while fields and not fields[-1]:
            fields.pop()
        lines.append("|".join((name, "^~\\&", *fields) if name == "MSH" else (name, *fields)))
    return ("\r".join(lines) + "\r").encode("utf-8", "replace")


def acknowledge(
    heard: Message | None, code: str, *, now: datetime, control: str, error: NotTaken | None = None, told: str = ""
) -> bytes:  # fmt: skip
    """The answer to a message.

    Args:
        heard: what is answered; None where not even its header could be read.
        code: AA, AE or AR.
        control: control id of the answer.
        error: why not; its place, code and words stand in ERR.
        told: words for MSA-3.
    """
    head = heard.head if heard is not None else None

    def said(field: int) -> str:
        return escape(head.at(field)) if head is not None else ""

    if head is not None and head.at(15) and head.at(16) == "NE":
        code = code.replace("A", "C", 1)  # enhanced mode: only the acceptance is wanted
    event = head.at(9, 2) if head is not None else ""
    kind = "^".join(filter(None, ("ACK", escape(event), "ACK" if event else "")))
    segments = [
        ["MSH", said(5) or "ISOCENTER", said(6), said(3), said(4), stamp(now), "", kind, control,
         said(11) or "P", said(12) or "2.5.1", "", "", "", "", "", "UNICODE UTF-8"],
        ["MSA", code, said(10), escape((error.what if error else told)[:80])],
    ]  # fmt: skip
    if error is not None:
        segments.append(["ERR", "", error.place, f"{error.code}^{_WORDS[error.code]}^HL70357", "E", "", "", "",
                         escape(str(error)[:250])])  # fmt: skip
    return write(segments)


def stamp(time: datetime) -> str:
    """A moment as HL7 writes it (TS), with its offset from UTC.

    >>> from datetime import UTC
    >>> stamp(datetime(2026, 11, 26, 8, 5, tzinfo=UTC))
    '20261126080500+0000'
    """
    return time.strftime("%Y%m%d%H%M%S%z")


_WORDS: Final = {
    100: "Segment sequence error", 101: "Required field missing", 102: "Data type error",
    103: "Table value not found", 200: "Unsupported message type", 201: "Unsupported event code",
    202: "Unsupported processing id", 203: "Unsupported version id", 204: "Unknown key identifier",
    205: "Duplicate key identifier", 206: "Application record locked", 207: "Application internal error",
}  # fmt: skip
