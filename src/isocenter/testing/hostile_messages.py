"""The hostile corpus as HL7 v2 messages: the lie of each of the 26 classes in the words of a hospital's system.

Bytes of files, pictures, documents and weights travel in an observation (OBX, encapsulated data) and as they are;
text that a shell, a page, a search or a language model would obey stands in each field that is kept; what has a form
of its own in HL7 (separators, repetitions, code tables, times, control ids) lies in that form.

>>> one = messages("H12", seed=1, count=4)
>>> [m.form for m in one], one == messages("H12", seed=1, count=4)
(['hl7', 'hl7', 'hl7', 'hl7'], True)
"""

from __future__ import annotations

import base64
import hashlib
import json
import random
from collections.abc import Callable, Mapping

from isocenter.testing.hostile import CLASSES, members
from isocenter.testing.hostile_content import ORDERS, POLYGLOTS, SCRIPTS
from isocenter.testing.hostile_member import Member
from isocenter.testing.hostile_objects import PATHS, SHELLS

__all__ = ["honest", "messages"]

_MOST = 600_000  # bytes of a member that an observation carries; with base64 it stays below the largest message
_Lie = Callable[[random.Random, int], tuple[str, bytes]]


def honest(control: str, *, number: str = "A1", **told: str) -> bytes:
    """An order of one examination, as a hospital sends it.

    Args:
        control: Message Control ID.
        number: of the order.
        told: fields that differ: sender, kind, patient, name, birth, sex, code, procedure, charset, more (segments).
    """
    at = {
        "sender": "HIS", "kind": "ORM^O01", "patient": "P1^^^H^MR", "name": "Doe^Jane", "birth": "19700101", "sex": "F",
        "code": "NW", "procedure": "CT^CT chest^L", "charset": "UNICODE UTF-8", "version": "2.5.1", "more": "", **told,
    }  # fmt: skip
    lines = (
        f"MSH|^~\\&|{at['sender']}|H|||20261126||{at['kind']}|{control}|P|{at['version']}||||||{at['charset']}",
        f"PID|1||{at['patient']}||{at['name']}||{at['birth']}|{at['sex']}", f"ORC|{at['code']}|{number}",
        f"OBR|1|{number}||{at['procedure']}", at["more"],
    )  # fmt: skip
    return "\r".join(filter(None, lines)).encode("utf-8", "surrogatepass") + b"\r"


def messages(kind: str, *, seed: int = 0, count: int = 20) -> list[Member]:
    """The first messages of a class; the same seed gives the same bytes on every machine."""
    return [_message(kind, seed, n) for n in range(count)]


def _message(kind: str, seed: int, n: int) -> Member:
    rng = random.Random(int.from_bytes(hashlib.sha256(f"{seed}/hl7/{kind}/{n}".encode()).digest()[:8], "big"))
    if kind in _OWN:
        name, data = _OWN[kind](rng, n)
    elif kind in _TEXTS:
        texts = _TEXTS[kind]
        name, data = _in_a_field(kind, texts[n % len(texts)], n)
    else:
        name, data = _carried(members(kind, seed=seed, count=n + 1)[n], n)
    return Member(kind, f"{name} ({n})", "hl7", data)


def _in_a_field(kind: str, text: str, n: int) -> tuple[str, bytes]:
    where = ("patient", "name", "procedure", "sender", "number", "control")[n % 6]
    told = {} if where == "control" else {where: text}
    return f"{where} {text[:24]!r}", honest(text if where == "control" else f"{kind}-{n}", **told)


def _carried(member: Member, n: int) -> tuple[str, bytes]:
    """What another door is given: as it is, or encapsulated in an observation of an order."""
    data = member.data[:_MOST]
    if n % 2:
        return f"bytes of {member.name}", data
    packed = base64.b64encode(data).decode()
    return f"encapsulated: {member.name}", honest(
        f"{member.kind}-{n}", more=f"OBX|1|ED|X||^application^^Base64^{packed}"
    )


def _cut(rng: random.Random, n: int) -> tuple[str, bytes]:
    whole = honest(f"H01-{n}")
    at = rng.randrange(len(whole))
    return f"cut after {at} bytes", whole[:at]


def _misspelt(rng: random.Random, n: int) -> tuple[str, bytes]:
    whole = honest(f"H02-{n}")
    lies = (
        ("no header", whole.partition(b"\r")[2]), ("line feeds", whole.replace(b"\r", b"\n")),
        ("small letters", whole.lower()), ("one separator for all", whole.replace(b"^~\\&", b"||||")),
        ("a letter as separator", whole.replace(b"|", b"A")), ("a byte order mark", b"\xef\xbb\xbf" + whole),
        ("two headers", whole + whole), ("segments in reverse", b"\r".join(whole.split(b"\r")[::-1])),
        ("names of four letters", whole.replace(b"PID", b"PIDX")), ("NUL for each space", whole.replace(b" ", b"\0")),
    )  # fmt: skip
    return lies[n % len(lies)]


def _deep(rng: random.Random, n: int) -> tuple[str, bytes]:
    many = rng.choice((65, 5_000, 100_000))
    mark = "~^&\\"[n % 4]
    if n % 5 == 4:
        return f"{many} empty segments", honest(f"H03-{n}", more="\r".join(["ZZZ|"] * many))
    where = ("patient", "name", "procedure")[n % 3]
    return f"{many} times {mark} in {where}", honest(f"H03-{n}", **{where: mark * many})


def _framed(rng: random.Random, n: int) -> tuple[str, bytes]:
    whole = honest(f"H05-{n}")
    lies = (
        ("a frame within a frame", b"\x0b" + whole), ("an end without return", whole[:40] + b"\x1c" + whole[40:]),
        ("an end in the middle", whole[:60] + b"\x1c\r" + whole[60:]), ("nothing", b""),
        ("only returns", b"\r" * 70_000),
        ("a request of HTTP", b"POST / HTTP/1.1\r\nContent-Length: 9999999999\r\n\r\n" + whole),
        ("more than may be", whole + b"ZZZ|" + b"x" * (1 << 20)),
    )  # fmt: skip
    return lies[n % len(lies)]


def _numbers(rng: random.Random, n: int) -> tuple[str, bytes]:
    text = ("-1", "0", "9" * 400, "1e308", "NaN", "inf", "0x10", "\u0664\u0662", "1.5", "+")[n % 10]
    more = f"OBX|{text}|NM|X||{text}" if n % 2 else f"NTE|{text}||{text}"
    return f"the number {text[:12]}", honest(f"H06-{n}", number=text, birth=text, more=more)


def _tables(rng: random.Random, n: int) -> tuple[str, bytes]:
    field, text = (
        ("sex", "ZZ"), ("code", "XX"), ("version", "9.9"), ("kind", "ORM^O99"), ("kind", "ADT^A99"), ("kind", "^"),
        ("version", ""), ("code", ""), ("kind", "ACK"), ("sex", "F~M~U"),
    )[n % 10]  # fmt: skip
    return f"{field} {text!r}", honest(f"H07-{n}", **{field: text})


def _escapes(rng: random.Random, n: int) -> tuple[str, bytes]:
    text = (
        "\\X0D\\", "\\XZZ\\", "\\X" + "41" * 50_000 + "\\", "\\", "\\F\\S\\R\\T\\E", "\\C2842\\", "\\M2442\\", "\\Zx\\",
        "\\.sp9999999999\\", "\\X0B1C0D\\",
    )[n % 10]  # fmt: skip
    return f"the escape {text[:12]!r}", honest(f"H08-{n}", name=text, procedure=f"CT^{text}")


def _polyglot(rng: random.Random, n: int) -> tuple[str, bytes]:
    begin = POLYGLOTS[n % len(POLYGLOTS)]
    whole = honest(f"H14-{n}")
    return f"begins or ends as {begin[:5]!r}", begin + whole if n % 2 else whole + begin


def _documents(rng: random.Random, n: int) -> tuple[str, bytes]:
    entities = "".join(f'<!ENTITY a{k} "{f"&a{k - 1};" * 10}">' for k in range(1, 10))
    text = (
        f'<!DOCTYPE a [<!ENTITY a0 "ha">{entities}]><a>&a9;</a>',
        '<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        "<a>" * 20_000,
        "%PDF-1.7 /JS (app.alert(1))",
    )[n % 4]
    return _in_a_field("H15", text.replace("&", "\\T\\") if n % 2 else text, n)


def _fuzz(rng: random.Random, n: int) -> tuple[str, bytes]:
    noise = rng.randbytes(rng.choice((1, 40, 3_000, 200_000)))
    return f"{len(noise)} bytes of noise", noise if n % 2 else honest(f"H17-{n}").partition(b"PID")[0] + noise


def _colliding(rng: random.Random, n: int) -> tuple[str, bytes]:
    merge = {"kind": "ADT^A40^ADT_A39"}
    lies: tuple[tuple[str, bytes], ...] = (
        ("one control id, many messages", honest("H18", number=f"N{n}")),
        ("one order, another patient", honest(f"H18-{n}", number="H18", patient=f"Q{n}^^^H^MR")),
        ("merged with itself", honest(f"H18-{n}", more="MRG|P1^^^H^MR", **merge)),
        ("merged in a ring", honest(f"H18-{n}", patient=f"R{n % 2}^^^H", more=f"MRG|R{1 - n % 2}^^^H", **merge)),
        ("merged with nobody", honest(f"H18-{n}", more="MRG|", **merge)),
        ("two patients in one", honest(f"H18-{n}", more="PID|2||P2^^^H^MR||Roe^Richard")),
        ("taken back before it came", honest(f"H18-{n}", number=f"never{n}", code="CA")),
    )
    return lies[n % len(lies)]


def _charset(rng: random.Random, n: int) -> tuple[str, bytes]:
    charset = ("UNICODE UTF-8", "8859/1", "ISO IR87", "GB 18030-2000", "NO SUCH", "UNICODE UTF-8~ISO IR87", "ASCII")[
        n % 7
    ]
    name = (
        b"Jos\xc3", b"A\xc0\xafB", b"Yamada\x1b$B;3ED", b"\xb0\xa1\x81\x30\x81", "Doe\u202e1234".encode(),
        "Do\u200be^J\u0430ne".encode(), ("a" + "\u0301" * 2000).encode(), b"\xff\xfe", b"\xed\xa0\x80",
    )[n % 9]  # fmt: skip
    return f"{charset}: {name[:8]!r}", honest(f"H19-{n}", charset=charset).replace(b"Doe^Jane", name)


def _times(rng: random.Random, n: int) -> tuple[str, bytes]:
    text = (
        "20990101", "00000000", "20261332", "20260230", "20261126080000+9999", "99991231235959.9999-1400", "1",
        "-20261126", "20261126T08", "18000101",
    )[n % 10]  # fmt: skip
    return f"the time {text}", honest(f"H20-{n}", birth=text, more=f"TQ1|1||||||{text}|{text}")


def _private(rng: random.Random, n: int) -> tuple[str, bytes]:
    text = (SHELLS, SCRIPTS, PATHS)[n % 3][n % 20].replace("\r", "").replace("\n", "")
    return f"a segment of its own with {text[:16]!r}", honest(
        f"H21-{n}", more=f"ZPI|{text}|Doe^Jane|\rZPI|{text * 200}"
    )


def _changed(rng: random.Random, n: int) -> tuple[str, bytes]:
    whole = bytearray(honest(f"H25-{n}"))
    at = rng.randrange(len(whole))
    whole[at] ^= 1 << rng.randrange(8)
    return f"one bit of byte {at} is another", bytes(whole)


def _flooded(rng: random.Random, n: int) -> tuple[str, bytes]:
    each = [f"ORC|{rng.choice(('NW', 'CA', 'XO'))}|F{k % 7}\rOBR|1|F{k % 7}||CT^CT^L" for k in range(300)]
    return "300 orders that contradict each other", honest(f"H26-{n}", more="\r".join(each))


_OWN: Mapping[str, _Lie] = {
    "H01": _cut, "H02": _misspelt, "H03": _deep, "H05": _framed, "H06": _numbers, "H07": _tables, "H08": _escapes,
    "H14": _polyglot, "H15": _documents, "H17": _fuzz, "H18": _colliding, "H19": _charset, "H20": _times,
    "H21": _private, "H25": _changed, "H26": _flooded,
}  # fmt: skip
_TEXTS: Mapping[str, tuple[str, ...]] = {
    "H10": PATHS, "H11": SHELLS, "H13": SCRIPTS, "H24": ORDERS,
    "H12": tuple(
        next(iter(json.loads(one.data).values()))[:60_000] for one in members("H12") if len(one.data) < _MOST
    ),
}  # fmt: skip
assert {*_OWN, *_TEXTS, "H04", "H09", "H16", "H22", "H23"} == set(CLASSES)
