"""Part 10 bytes to a tree of places: which element stands where, with nothing decoded and nothing copied.

A receiving archive must know that a file is whole before it says so. pydicom reads a truncated file without a word,
so the walk over the elements is our own: every length is held against the bytes that are there, every sequence is
followed to its end, and the first lie ends the walk with `NotWhole`.

The walk is on the path of every received image, so it keeps to plain tuples and dictionaries.
Source of the format: DICOM PS3.5 chapter 7 and annex A, PS3.10 chapter 7.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from isocenter.errors import IsocenterError, LimitReached, NotWhole

__all__ = ["DEEPEST", "PIXELS", "Dataset", "File", "Slot", "parse", "same_object"]

_PADDING = 0xFFFCFFFC  # Data Set Trailing Padding, PS3.10 section 7.2
Slot = tuple[str, int, int, Any]
"""(VR or "" in implicit files, first byte, end, children): children are a list of data sets for a sequence, a list of
(start, end) for the fragments of encapsulated pixels, and None for a plain value."""

Dataset = dict[int, Slot]
"""Tag (group << 16 | element) to its slot."""

_ONCE = frozenset({0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00100010, 0x00100020, 0x00100021})
DEEPEST = 64
"""Sequences in sequences that are followed; DCMTK refuses beyond the same depth."""

PIXELS = 0x7FE00010
_PIXEL_GROUP = 0x7FE0
_PIXEL_TAGS = (0x7FE00008, 0x7FE00009, PIXELS)
_ITEM, _ITEM_END, _SEQUENCE_END = 0xFFFEE000, 0xFFFEE00D, 0xFFFEE0DD
_UNDEFINED = 0xFFFFFFFF
_IMPLICIT, _BIG, _DEFLATED = "1.2.840.10008.1.2", "1.2.840.10008.1.2.2", "1.2.840.10008.1.2.1.99"
_EXPLICIT = "1.2.840.10008.1.2.1"
# "??" is what some writers put for UN; it has the long form.
_LONG = frozenset(b"OB OD OF OL OV OW SQ SV UC UN UR UT UV ??".split())
_SHORT = frozenset(b"AE AS AT CS DA DS DT FD FL IS LO LT PN SH SL SS ST TM UI UL US".split())
_TEXT = {vr: vr.decode("ascii") for vr in _LONG | _SHORT}
_CODE = {"US": "H", "SS": "h", "UL": "I", "SL": "i", "FL": "f", "FD": "d", "UV": "Q", "SV": "q"}
_WIDTH = {code: struct.calcsize(f"={code}") for code in _CODE.values()}
# Room for what deflates well (an empty radiograph shrinks about thousandfold), none for a bomb.
_INFLATED_FREE, _INFLATED_RATIO, _INFLATED_MOST = 64 << 20, 50, 2 << 30


@dataclass(frozen=True)
class File:
    """A Part 10 file as places of its elements.

    Args:
        data: the bytes that the slots of `dataset` point into (inflated where the file is deflated).
        meta: file meta information; its slots point into the file as given.
        dataset: the data set.
        syntax: Transfer Syntax UID.
        head: the bytes that the slots of `meta` point into.
    """

    data: bytes | bytearray | memoryview
    meta: Dataset
    dataset: Dataset
    syntax: str
    head: bytes | bytearray | memoryview
    _memo: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def little(self) -> bool:
        """Whether numbers are written with their lowest byte first."""
        return self.syntax != _BIG

    def raw(self, slot: Slot) -> bytes:
        """The bytes of a value."""
        return bytes(self.data[slot[1] : slot[2]])

    def ascii(self, tag: int, among: Dataset | None = None) -> str:
        """A value of the basic repertoire (UI, CS, DS, DA, ...), padding removed; empty where it is absent."""
        slot = (self.dataset if among is None else among).get(tag)
        if slot is None or slot[3] is not None:
            return ""
        return str(self.data[slot[1] : slot[2]], "latin-1").strip(" \0")

    def meta_ascii(self, tag: int) -> str:
        """A value of the file meta information."""
        slot = self.meta.get(tag)
        return "" if slot is None else str(self.head[slot[1] : slot[2]], "latin-1").strip(" \0")

    def numbers(self, tag: int, among: Dataset | None = None, code: str = "H") -> tuple[float, ...]:
        """A binary value: `code` is the struct letter where the file does not write the VR itself."""
        slot = (self.dataset if among is None else among).get(tag)
        if slot is None or slot[3] is not None:
            return ()
        code = _CODE.get(slot[0], code)
        count = (slot[2] - slot[1]) // _WIDTH[code]
        return struct.unpack_from(f"{'<' if self.little else '>'}{count}{code}", self.data, slot[1])

    def integer(self, tag: int, default: int = 0, among: Dataset | None = None) -> int:
        """The first number of a US or SS value."""
        found = self.numbers(tag, among)
        return int(found[0]) if found else default

    def decimals(self, tag: int, among: Dataset | None = None) -> tuple[float, ...]:
        """A DS or IS value; what is no number becomes NaN, so that geometry refuses it by name.

        A binary VR (FD, FL) where a file uses one in its place is read too.
        """
        slot = (self.dataset if among is None else among).get(tag)
        if slot is not None and slot[0] in ("FD", "FL", "US", "SS", "UL", "SL"):
            return self.numbers(tag, among)
        said = self.ascii(tag, among)
        if not said:
            return ()
        found = []
        for part in said.split("\\"):
            try:
                found.append(float(part))
            except ValueError:
                found.append(float("nan"))
        return tuple(found)

    def items(self, tag: int, among: Dataset | None = None) -> list[Dataset]:
        """The items of a sequence; empty where it is absent."""
        slot = (self.dataset if among is None else among).get(tag)
        if slot is None or slot[3] is None or slot[0] == "fragments":
            return []
        found: list[Dataset] = slot[3]
        return found


def parse(data: bytes | bytearray | memoryview, *, until_pixels: bool = False) -> File:
    """Walk a Part 10 file.

    Args:
        data: the whole file.
        until_pixels: stop at the pixel data and do not descend into what has a length of its own: for finding the
            pixels of a file that was checked when it came.

    Raises:
        NotWhole: when it is not DICOM Part 10, is truncated, or a length does not fit.
        LimitReached: when sequences nest deeper than 64 or deflated data grows beyond its bound.
    """
    try:
        return _parse(data, until_pixels)
    except (struct.error, IndexError, ValueError, OverflowError) as fault:
        if isinstance(fault, IsocenterError):
            raise
        # Every length is checked before it is used, so this is a file that breaks the format in a way of its own.
        raise NotWhole("the file breaks off inside an element", str(fault), "send it again") from fault


def _parse(data: bytes | bytearray | memoryview, until_pixels: bool) -> File:
    size = len(data)
    meta, syntax, start = _head(data)
    body: bytes | bytearray | memoryview = data
    if syntax == _DEFLATED:
        body, start = _inflate(data, start, size), 0
    walk = _Walk(body, syntax, until_pixels)
    dataset: Dataset = {}
    end = walk.dataset(start, len(body), dataset, 0, walk.explicit_at(start, len(body)), within=False)
    if not until_pixels and end != len(body):
        raise NotWhole(f"{len(body) - end} bytes follow the data set", "they belong to no element", "send it again")
    return File(body, meta, dataset, syntax, data)


def same_object(one: bytes | bytearray, other: bytes | bytearray) -> bool:
    """Whether two whole files hold the same object: equal transfer syntax, and every element with the same bytes.

    The file meta information names who wrote the file (PS3.10 section 7.1), so one image has another digest when it
    came over the network and when it came as a file. Senders also leave out group lengths and trailing padding and
    write the lengths of sequences anew (DCMTK does); these say nothing of the patient and are not compared.

    Raises:
        NotWhole: when one of them is no whole Part 10 file.
        LimitReached: as `parse`.
    """
    (_, mine, at), (_, yours, there) = _head(one), _head(other)
    if mine != yours:
        return False
    if len(one) - at == len(other) - there and one[at:] == other[there:]:
        return True
    a, b = parse(one), parse(other)
    return _same_elements(a, a.dataset, b, b.dataset)


def _same_elements(a: File, mine: Dataset, b: File, yours: Dataset) -> bool:
    tags, others = ({tag for tag in them if tag & 0xFFFF and tag != _PADDING} for them in (mine, yours))
    return tags == others and all(_same_value(a, mine[tag], b, yours[tag]) for tag in tags)


def _same_value(a: File, mine: Slot, b: File, yours: Slot) -> bool:
    if mine[0] != yours[0] or (mine[3] is None) != (yours[3] is None):
        return False
    if mine[3] is None:
        return a.raw(mine) == b.raw(yours)
    if len(mine[3]) != len(yours[3]):
        return False
    pairs = zip(mine[3], yours[3], strict=True)
    if mine[0] == "fragments":
        return all(bytes(a.data[i:j]) == bytes(b.data[k:m]) for (i, j), (k, m) in pairs)
    return all(_same_elements(a, x, b, y) for x, y in pairs)


def _head(data: bytes | bytearray | memoryview) -> tuple[Dataset, str, int]:
    """File meta information, transfer syntax, and where the data set begins."""
    size = len(data)
    if size < 132 or data[128:132] != b"DICM":
        raise NotWhole(*_stranger(data))
    meta: Dataset = {}
    start = _meta(data, size, meta)
    slot = meta.get(0x00020010)
    syntax = str(data[slot[1] : slot[2]], "latin-1").strip(" \0") if slot else ""
    if not syntax:
        raise NotWhole(
            "the file meta information names no transfer syntax",
            "without it the bytes can be read in several ways",
            "export the file again with Transfer Syntax UID (0002,0010)",
        )
    return meta, syntax, start


def _stranger(data: bytes | bytearray | memoryview) -> tuple[str, str, str]:
    head = bytes(data[:132])
    wrap, unpack = "import images with --wrap", "give archives as a folder or as one ZIP"
    nifti = "NIfTI says neither modality nor patient: analyse it by itself, with --modality and --mask"
    for magic, name, do in (
        (b"\xff\xd8\xff", "a JPEG image", wrap),
        (b"\x89PNG", "a PNG image", wrap),
        (b"PK\x03\x04", "a ZIP archive", unpack),
        (b"\x1f\x8b", "a gzip file", f"unpack it; {nifti}"),
        (b"%PDF", "a PDF document", "leave it out"),
        (b"MZ", "a program", "leave it out"),
        (b"Rar!", "a RAR archive", "unpack it"),
        (b"7z\xbc\xaf", "a 7z archive", "unpack it"),
        (b"\x5c\x01\x00\x00", "a NIfTI image", nifti),
    ):
        if head.startswith(magic):
            return f"the file is {name}, not DICOM", "", do
    if not head:
        return "the file is empty", "", "send it again"
    if head[:2] in (b"\x08\x00", b"\x00\x08", b"\x02\x00") and len(data) > 16:
        return (
            "the file has no preamble and no 'DICM' mark",
            "without file meta information its transfer syntax is a guess",
            "export it again as a DICOM Part 10 file",
        )
    if all(c in b"\t\n\r" or 32 <= c < 127 for c in head):
        return "the file is text, not DICOM", "", "leave it out"
    return (
        "the file is not DICOM: the mark 'DICM' is missing at byte 128",
        "it is something else, encrypted, or damaged at its start",
        "decrypt it or send it again",
    )


def _meta(data: bytes | bytearray | memoryview, size: int, meta: Dataset) -> int:
    """Read group 2, always explicit little endian; the byte behind it."""
    at, wanted = 132, -1
    while at + 8 <= size:
        group, element, vr, length = struct.unpack_from("<HH2sH", data, at)
        if group != 2:
            break
        head = at
        at += 8
        if vr in _LONG:
            if at + 4 > size:
                raise _short(head, 12, size - head)
            (length,) = struct.unpack_from("<I", data, at)
            at += 4
        elif vr not in _SHORT:
            raise NotWhole(f"file meta element (0002,{element:04X}) has the unknown VR {vr!r}", "", "send it again")
        if at + length > size:
            raise _short(head, length, size - at)
        meta[0x00020000 | element] = (_TEXT[vr], at, at + length, None)
        at += length
        if element == 0 and length == 4:
            wanted = at + struct.unpack_from("<I", data, at - 4)[0]
    if wanted >= 0 and wanted != at:
        raise NotWhole(
            f"file meta information ends at byte {at}, its group length says {wanted}",
            "a length in the header lies, or the file is truncated",
            "send it again",
        )
    return at


def _inflate(data: bytes | bytearray | memoryview, start: int, size: int) -> bytes:
    """Inflate in bounded steps: a bomb is refused after its first megabytes, not after its last."""
    most = min(_INFLATED_MOST, _INFLATED_FREE + _INFLATED_RATIO * (size - start))
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    out = bytearray()
    feed: bytes = bytes(data[start:])
    try:
        while not inflater.eof:
            out += inflater.decompress(feed, 1 << 20)
            if len(out) > most:
                raise LimitReached(
                    f"deflated data of {size - start} bytes grows beyond {most >> 20} MiB",
                    "no image compresses so well; this would fill the memory",
                    "send it in another transfer syntax",
                )
            feed = inflater.unconsumed_tail
            if not feed and not inflater.eof:
                # Output may still be held back inside the inflater when all input is taken.
                held = inflater.decompress(b"", 1 << 20)
                if not held:
                    raise NotWhole("the deflated data set breaks off", "the file is truncated", "send it again")
                out += held
    except zlib.error as fault:
        raise NotWhole("the deflated data set is damaged", str(fault), "send it again") from fault
    rest = inflater.unused_data
    # Some writers end the stream as gzip does, with its checksum and length; others pad to an even number of bytes.
    if rest not in (b"", b"\0", struct.pack("<II", zlib.crc32(out), len(out) & _UNDEFINED)):
        raise NotWhole(f"{len(rest)} bytes follow the deflated data set", "", "send it again")
    return bytes(out)


def _short(at: int, wanted: int, there: int, tag: int = 0) -> NotWhole:
    where = f"element ({tag >> 16:04X},{tag & 0xFFFF:04X})" if tag else "an element"
    return NotWhole(
        f"{where} at byte {at} says {wanted} bytes and {max(there, 0)} are there",
        "the file is truncated, or a length lies",
        "send it again",
    )


@cache
def _sequences() -> frozenset[int]:
    """Tags that are sequences by the dictionary: implicit files do not say so themselves."""
    from pydicom.datadict import DicomDictionary

    return frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "SQ")


class _Walk:
    """The bytes and how their numbers are written; the walk itself is `dataset`."""

    def __init__(self, data: bytes | bytearray | memoryview, syntax: str, until_pixels: bool) -> None:
        self.data, self.until_pixels = data, until_pixels
        self.explicit = syntax != _IMPLICIT
        order = ">" if syntax == _BIG else "<"
        self.little = order == "<"
        self.native = syntax in (_IMPLICIT, _EXPLICIT, _BIG, _DEFLATED)
        self.short = struct.Struct(order + "HH2sH").unpack_from
        self.plain = struct.Struct(order + "HHI").unpack_from
        self.long = struct.Struct(order + "I").unpack_from

    def explicit_at(self, at: int, end: int) -> bool:
        """Whether the data set that begins here writes its VRs, whatever the transfer syntax says.

        Some writers store implicit data sets under an explicit syntax; the first element gives them away.
        """
        if at + 8 > end:
            return self.explicit
        vr = bytes(self.data[at + 4 : at + 6])
        if self.explicit:
            return vr in _LONG or vr in _SHORT or bytes(self.data[at + 2 : at + 4]) == b"\xfe\xff"
        return False

    def dataset(self, at: int, end: int, into: Dataset, depth: int, explicit: bool, *, within: bool) -> int:
        """Walk elements from `at`; returns the byte behind them.

        `within` is True inside an item of undefined length, which ends at its delimiter and not at `end`.
        """
        data, short, plain, long = self.data, self.short, self.plain, self.long
        while at < end:
            head = at
            if at + 8 > end:
                if not within and not any(data[at:end]):
                    return end
                raise _short(at, 8, end - at)
            if explicit:
                group, element, vr, length = short(data, at)
                at += 8
                if group == 0xFFFE:
                    (length,) = long(data, at - 4)
                    name = ""
                elif vr in _SHORT:
                    name, tag, stop = _TEXT[vr], group << 16 | element, at + length
                    if stop <= end and group != _PIXEL_GROUP and tag not in into:  # nearly all, and nothing odd of it
                        into[tag] = (name, at, stop, None)
                        at = stop
                        continue
                elif vr in _LONG:
                    if at + 4 > end:
                        raise _short(head, 12, end - head, group << 16 | element)
                    (length,) = long(data, at)
                    at += 4
                    name = _TEXT[vr]
                elif not depth and not group and not any(data[head:end]):
                    return end  # zeros up to the end: padding of the medium, not of the object
                else:
                    raise NotWhole(
                        f"element ({group:04X},{element:04X}) at byte {head} has the unknown VR {vr!r}",
                        "an earlier length lies, or the file is damaged",
                        "send it again",
                    )
            else:
                group, element, length = plain(data, at)
                at += 8
                name = ""
                if not group and not element and not length and not depth and not any(data[head:end]):
                    return end
            tag = group << 16 | element
            if group == 0xFFFE:
                if within and tag == _ITEM_END and not length:
                    return at
                raise NotWhole(
                    f"a delimiter ({group:04X},{element:04X}) stands at byte {head} where an element should",
                    "the nesting of sequences is broken",
                    "send it again",
                )
            if tag in _PIXEL_TAGS and not depth:
                if length == _UNDEFINED:
                    fragments, at = self.fragments(at, end)
                    into[tag] = ("fragments", head, at, fragments)
                else:
                    if at + length > end:
                        raise _short(head, length, end - at, tag)
                    into[tag] = (name, at, at + length, None)
                    at += length
                if self.until_pixels:
                    return at
                continue
            if length == _UNDEFINED:
                if name not in ("SQ", "UN", ""):
                    raise NotWhole(
                        f"element ({group:04X},{element:04X}) with VR {name} at byte {head} has no length",
                        "only sequences may leave it open",
                        "send it again",
                    )
                items, at = self.sequence(at, end, depth + 1, explicit and name == "SQ", open_end=True)
                into[tag] = ("SQ", head, at, items)
                continue
            stop = at + length
            if stop > end:
                raise _short(head, length, end - at, tag)
            if name == "SQ" or (not name and tag in _sequences()):
                if self.until_pixels:
                    into[tag] = ("SQ", at, stop, [])
                else:
                    items, _ = self.sequence(at, stop, depth + 1, explicit, open_end=False)
                    into[tag] = ("SQ", at, stop, items)
            else:
                if tag in into and not depth and tag in _ONCE:
                    raise NotWhole(
                        f"element ({group:04X},{element:04X}) stands twice",
                        "readers take the first or the last, and it says whose image this is",
                        "export it again",
                    )
                into[tag] = (name, at, stop, None)
            at = stop
        if within:
            raise _short(end, 8, 0)
        return at

    def sequence(self, at: int, end: int, depth: int, explicit: bool, *, open_end: bool) -> tuple[list[Dataset], int]:
        """Walk the items of a sequence; returns them and the byte behind them."""
        if depth > DEEPEST:
            raise LimitReached(
                f"sequences nest more than {DEEPEST} deep",
                "no real object does; this one would exhaust the reader",
                "send an object without such nesting",
            )
        items: list[Dataset] = []
        while at < end or open_end:
            if at + 8 > end:
                raise _short(at, 8, end - at)
            group, element, length = self.plain(self.data, at)
            tag = group << 16 | element
            head, at = at, at + 8
            if tag == _SEQUENCE_END and open_end and not length:
                return items, at
            if tag != _ITEM:
                raise NotWhole(
                    f"({group:04X},{element:04X}) stands at byte {head} where an item of a sequence should",
                    "a length inside the sequence lies",
                    "send it again",
                )
            item: Dataset = {}
            open_item = length == _UNDEFINED
            stop = end if open_item else at + length
            if stop > end:
                raise _short(head, length, end - at)
            spelled = explicit and self.explicit_at(at, stop)
            at = self.dataset(at, stop, item, depth, spelled, within=open_item)
            items.append(item)
        return items, at

    def fragments(self, at: int, end: int) -> tuple[list[tuple[int, int]], int]:
        """Walk encapsulated pixel data to its sequence delimiter; the first fragment is the offset table."""
        if self.native:
            raise NotWhole(
                "pixel data has no length in a transfer syntax that is not compressed",
                "header and pixels contradict each other",
                "export the file again",
            )
        found: list[tuple[int, int]] = []
        while True:
            if at + 8 > end:
                raise _short(at, 8, end - at, PIXELS)
            group, element, length = self.plain(self.data, at)
            tag = group << 16 | element
            head, at = at, at + 8
            if tag == _SEQUENCE_END:
                if length:
                    raise NotWhole(f"the pixel data's end at byte {head} has a length", "", "send it again")
                return found, at
            if tag != _ITEM or length == _UNDEFINED:
                raise NotWhole(
                    f"({group:04X},{element:04X}) stands at byte {head} where a fragment of pixel data should",
                    "a fragment's length lies",
                    "send it again",
                )
            if at + length > end:
                raise _short(head, length, end - at, PIXELS)
            found.append((at, at + length))
            at += length
