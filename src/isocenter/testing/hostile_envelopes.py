"""Hostile things around an object: archives, HTTP bodies, searches, JSON, associations, pictures, models, volumes."""

from __future__ import annotations

import gzip
import io
import json
import pickle
import random
import struct
import zipfile
import zlib
from functools import cache
from typing import Any

from isocenter.testing.crooked import DEFLATED, element, head, image, plain, written
from isocenter.testing.hostile_member import Member
from isocenter.testing.hostile_objects import PATHS

__all__ = ["associations", "json_bodies", "models", "packed", "pictures", "queries", "requests", "volumes"]

_MEGABYTE = 1 << 20


# ---- H04: archives


def packed(rng: random.Random, n: int) -> Member:
    """H04: bombs and archives that lie."""
    made = image(rng)
    whole = written(made)
    kind = n % 10
    lying = bytearray(_zip({"a.dcm": whole}))
    if kind == 0:
        megabytes = 150 + n // 10 * 50
        return Member("H04", f"deflated data set of {megabytes} MiB", "object", _bomb(made, megabytes), True)
    if kind == 1:
        name = f"ZIP whose member grows a thousandfold ({n})"
        return Member("H04", name, "archive", _zip_bomb(120 + n // 10 * 30), True, "a.zip")
    if kind == 2:
        name = PATHS[n // 10 % 9]
        return Member("H04", f"ZIP member {name!r}", "archive", _zip({name.replace("\0", ""): whole}), True, "a.zip")
    if kind == 3:
        data = _zip({"in.zip": _zip({"in.zip": _zip({"a.dcm": whole})})})
        return Member("H04", "ZIP in ZIP in ZIP", "archive", data, True, "a.zip")
    if kind == 4:
        at = lying.rindex(b"PK\x01\x02")
        lying[at + 24 : at + 28] = struct.pack("<I", rng.choice([1, 2**31, 2**32 - 1]))
        return Member("H04", "ZIP with a size that lies", "archive", bytes(lying), False, "a.zip")
    if kind == 5:
        data = _zip({"a.dcm": whole})
        return Member("H04", "ZIP cut short", "archive", data[: rng.randrange(30, len(data) - 4)], True, "a.zip")
    if kind == 6:
        lying[60:70] = rng.randbytes(10)
        return Member("H04", "ZIP with a damaged member", "archive", bytes(lying), False, "a.zip")
    if kind == 7:
        for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
            lying[lying.index(mark) + at] |= 1
        return Member("H04", "ZIP that says it is encrypted", "archive", bytes(lying), True, "a.zip")
    if kind == 8:
        return Member("H04", "gzip of an image", "object", gzip.compress(whole, mtime=0), True)
    body = zlib.compressobj(9, zlib.DEFLATED, -15)
    cut = head(made, DEFLATED) + body.compress(whole[300:])
    return Member("H04", "deflated data set that breaks off", "object", cut, True)


def _bomb(made: dict[int, tuple[str, bytes]], megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    padding = element(0xFFFCFFFC, "OB", b"", length=megabytes * _MEGABYTE)
    body = packer.compress(b"".join(element(tag, *made[tag]) for tag in sorted(made)) + padding)
    body += packer.flush(zlib.Z_FULL_FLUSH)
    # A block that begins anew is the same bytes each time, so the bomb is made as fast as it is copied.
    block = packer.compress(b"\0" * _MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return head(made, DEFLATED) + body + block * megabytes + packer.flush()


@cache
def _zip_bomb(megabytes: int) -> bytes:
    return _zip({"bomb.dcm": b""}, filled=megabytes)


@cache
def _gzip_bomb(begin: bytes, megabytes: int) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 16 + zlib.MAX_WBITS)
    body = packer.compress(begin) + packer.flush(zlib.Z_FULL_FLUSH)
    block = packer.compress(b"\0" * _MEGABYTE) + packer.flush(zlib.Z_FULL_FLUSH)
    return body + block * megabytes  # its checksum is wrong, and nobody should come so far as to see it


def _zip(members: dict[str, bytes], *, filled: int = 0) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members.items():
            told = zipfile.ZipInfo(name, (2026, 1, 2, 0, 0, 0))
            told.compress_type = zipfile.ZIP_DEFLATED
            with archive.open(told, "w") as file:
                file.write(data)
                for _ in range(filled):
                    file.write(b"\0" * _MEGABYTE)
    return out.getvalue()


# ---- H05: HTTP


def requests(rng: random.Random, n: int) -> Member:
    """H05: bodies for STOW-RS; `more` holds the headers, and whether the length is the true one."""
    whole = written(image(rng))
    part = b"\r\nContent-Type: application/dicom\r\n\r\n"
    good = b"--x" + part + whole + b"\r\n--x--\r\n"
    related = 'multipart/related; type="application/dicom"; boundary='
    tricks: list[tuple[str, str, bytes, dict[str, str]]] = [
        ("a length of 10^15", related + "x", good, {"Content-Length": str(10**15)}),
        ("a length that is no number", related + "x", good, {"Content-Length": "many"}),
        ("a negative length", related + "x", good, {"Content-Length": "-1"}),
        ("a chunk that never comes", related + "x", b"ffff\r\n" + whole, {"Transfer-Encoding": "chunked"}),
        ("a chunk of no number", related + "x", b"zz\r\n" + whole, {"Transfer-Encoding": "chunked"}),
        ("a hundred thousand empty parts", related + "x", (b"--x" + part) * 100_000 + b"--x--", {}),
        ("no end of the last part", related + "x", good[:-9], {}),
        ("a boundary of 70,000 characters", related + "x" * 70_000, good, {}),
        ("an empty boundary", related + '""', good, {}),
        ("a boundary with a line break", related + '"x\\r\\ny"', good, {}),
        ("a boundary that is in the image", related + "DICM", good.replace(b"--x", b"--DICM"), {}),
        ("a boundary that nothing begins", related + "y", good, {}),
        ("a part of a megabyte of headers", related + "x", b"--x\r\n" + b"A: b\r\n" * 180_000 + b"\r\n" + whole, {}),
        ("a header of nothing but colons", related + "x", b"--x\r\n:::::\r\n\r\n" + whole + b"\r\n--x--", {}),
        ("a body that is deflated", related + "x", zlib.compress(good), {"Content-Encoding": "deflate"}),
        ("a body that is gzip", related + "x", gzip.compress(good, mtime=0), {"Content-Encoding": "gzip"}),
        ("a type that is no type", "////;;;;==", good, {}),
        ("another type in the parts", 'multipart/related; type="text/html"; boundary=x', good, {}),
        ("no type at all", "", good, {}),
        ("a part in a part", related + "x", b"--x" + part + good + b"\r\n--x--", {}),
    ]
    name, kind, body, headers = tricks[n % len(tricks)]
    return Member("H05", name, "request", body, more={"headers": {"Content-Type": kind, **headers}})


# ---- H09: pictures


def pictures(rng: random.Random, n: int) -> Member:
    """H09: PNG, JPEG, TIFF, BMP and PNM with lies."""
    kind = n % 8
    if kind == 0:
        wide = rng.choice([2**31 - 1, 60_000, 0])
        name, data, file = f"PNG of {wide} squared", _png(wide, wide, zlib.compress(b"\0" * 100)), "a.png"
    elif kind == 1:
        name, data, file = (
            "PNG whose pixels are a bomb",
            _png(20_000, 20_000, zlib.compress(b"\0" * 8_000_000)),
            "a.png",
        )
    elif kind == 2:
        name, data, file = "PNG of noise", _png(16, 16, rng.randbytes(90)), "a.png"
    elif kind == 3:
        size = struct.pack(">HH", 65535, 65535)
        frame = b"\xff\xd8\xff\xc0\x00\x0b\x08" + size + b"\x01\x01\x11\x00"
        name, data, file = "JPEG of 65535 squared", frame + rng.randbytes(80) + b"\xff\xd9", "a.jpg"
    elif kind == 4:
        name, data, file = "JPEG without end", b"\xff\xd8" + b"\xff\x01" * 3000, "a.jpg"
    elif kind == 5:
        name, data, file = "TIFF whose directory points to itself", b"II*\0\x08\0\0\0\0\0\x08\0\0\0", "a.tif"
    elif kind == 6:
        name = "BMP of 2^31 rows"
        data, file = b"BM" + struct.pack("<IIIIii", 100, 0, 54, 40, 2**31 - 1, -(2**31)) + rng.randbytes(60), "a.bmp"
    else:
        name, data, file = "PNM of 10^9 squared", b"P6 1000000000 1000000000 65535\n" + rng.randbytes(30), "a.pnm"
    return Member("H09", f"{name} ({n})", "picture", data + rng.randbytes(n // 8), True, file)


def _png(width: int, height: int, pixels: bytes) -> bytes:
    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


# ---- H12: searches


def queries(rng: random.Random, n: int) -> Member:
    """H12: keys of a search at study level."""
    hostile = (
        "' OR '1'='1", "'; DROP TABLE study; --", "%", "_" * 50, "*" * 5000, "?" * 5000, "*a*a*a*a*a*a*a*a*b" * 20,
        "[a-z]", "\\", "\\\\", "x\0y", "\udcff", "(a+)+$", "${x}", "%s%n", "1" * 100_000, "-", "20260101-", "99999999",
        "\u202e",
    )  # fmt: skip
    text = hostile[n % len(hostile)]
    keys = {("PatientName", "PatientID", "StudyDescription", "AccessionNumber")[n % 4]: text}
    if n % 10 == 9:
        keys = {"StudyInstanceUID": "\\".join(f"1.2.{n}.{k}" for k in range(100_000))}
        return Member("H12", f"a list of 100,000 UIDs ({n})", "query", json.dumps(keys).encode())
    if n % 7 == 6:
        keys = {"StudyDate": text[:40], "PatientID": str(n)}
    return Member("H12", f"{next(iter(keys))} {text[:24]!r}", "query", json.dumps(keys).encode())


# ---- H16: JSON


def json_bodies(rng: random.Random, n: int) -> Member:
    """H16: JSON for the interface of the pages; each is a write that nobody may take."""
    name, data = _tricks_of_json()[n % 20]
    return Member("H16", name, "json", data, True)


@cache
def _tricks_of_json() -> list[tuple[str, bytes]]:
    return [
        ("100,000 arrays in each other", b"[" * 100_000),
        ("100,000 objects in each other", b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        ("doubled keys", b'{"version": 1, "version": "x", "version": null}'),
        ("a number of 10,000 digits", b'{"version": ' + b"9" * 10_000 + b"}"),
        ("a number beyond all numbers", b'{"version": 1e99999}'),
        ("not a number", b'{"version": NaN}'),
        ("half a surrogate", b'{"words": "\\ud800"}'),
        ("bytes that are no text", b'{"words": "\xff\xfe"}'),
        ("a NUL", b'{"words": "a\\u0000b"}'),
        ("cut short", b'{"words": "'),
        ("a list in place of an object", b"[1,2,3]"),
        ("nothing", b""),
        ("a megabyte of one key", b'{"' + b"k" * _MEGABYTE + b'": 1}'),
        ("a hundred thousand keys", json.dumps({f"k{i}": i for i in range(100_000)}).encode()),
        ("a prototype", b'{"__proto__": {"admin": true}, "constructor": {}}'),
        ("bulk data that is no base64", b'{"7FE00010": {"vr": "OW", "InlineBinary": "!!!!"}}'),
        ("a VR that is a list", b'{"00100010": {"vr": ["PN"], "Value": {"a": 1}}}'),
        ("a tag that is no tag", b'{"../../x": {"vr": "PN"}}'),
        ("a type that changes", b'{"version": {"$gt": 0}, "words": [["x"]]}'),
        ("UTF-16", '{"version": 1}'.encode("utf-16")),
    ]


# ---- H17: associations


def associations(rng: random.Random, n: int) -> Member:
    """H17: the first bytes on a DICOM port."""
    kind = n % 10
    if kind == 0:
        name, data = "255 contexts of 100 syntaxes", _request(contexts=128 - n, syntaxes=100)
    elif kind == 1:
        name, data = f"maximum length {2**32 - 1 if n < 10 else 0}", _request(maximum=2**32 - 1 if n < 10 else 0)
    elif kind == 2:
        name, data = "a PDU of 4 GiB", struct.pack(">BBL", 1, 0, 2**32 - 1) + rng.randbytes(2000)
    elif kind == 3:
        name, data = "data before an association", struct.pack(">BBL", 4, 0, 6) + b"\0\0\0\2\1" + bytes([n])
    elif kind == 4:
        name, data = "an AE title of control characters", _request(calling=bytes(range(n, n + 16)))
    elif kind == 5:
        name, data = "an AE title that is a path", _request(calling=b"../" * (1 + n // 10) + b"etc")
    elif kind == 6:
        name, data = "a user identity of 60 kB", _request(identity=rng.randbytes(60_000))
    elif kind == 7:
        broken = bytearray(_request())
        for _ in range(12):
            broken[rng.randrange(6, len(broken))] = rng.randrange(256)
        name, data = "a request with twelve wrong bytes", bytes(broken)
    elif kind == 8:
        name, data = "noise", rng.randbytes(4000)
    else:
        whole = _request()
        name, data = "a request cut short", whole[: rng.randrange(1, len(whole) - 1)]
    return Member("H17", f"{name} ({n})", "association", data, False)


def _request(
    *, calling: bytes = b"STRANGER", contexts: int = 1, syntaxes: int = 1, maximum: int = 16384, identity: bytes = b""
) -> bytes:
    def part(kind: int, content: bytes) -> bytes:
        return struct.pack(">BBH", kind, 0, len(content) & 0xFFFF) + content

    offers = part(0x30, b"1.2.840.10008.1.1") + part(0x40, b"1.2.840.10008.1.2") * syntaxes
    body = part(0x10, b"1.2.840.10008.3.1.1.1")
    for number in range(contexts):
        body += part(0x20, bytes(((2 * number + 1) % 256, 0, 0, 0)) + offers)
    user = part(0x51, struct.pack(">L", maximum)) + part(0x52, b"2.25.1")
    if identity:
        user += part(0x58, b"\1\0" + struct.pack(">H", len(identity)) + identity + b"\0\0")
    body += part(0x50, user)
    fixed = struct.pack(">HH", 1, 0) + b"ISOCENTER".ljust(16) + calling.ljust(16)[:16] + b"\0" * 32
    return struct.pack(">BBL", 1, 0, len(fixed) + len(body)) + fixed + body


# ---- H22: model files


class _Touch:
    """What a pickle would do to the disk when somebody loads it."""

    def __init__(self, path: str) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, "w")


CANARY = "isocenter-canary"
"""Name of the file that a hostile model would make, in the folder where the process runs."""
BAIT = "isocenter-bait"
"""Name of the file of 16 bytes that a hostile model would read there."""


def models(rng: random.Random, n: int) -> Member:
    """H22: files offered as weights."""
    if n < 6:
        data = pickle.dumps(_Touch(CANARY), protocol=n)
        return Member("H22", f"a pickle of protocol {n}", "model", data, True, "model.pkl")
    touch = pickle.dumps(_Touch(CANARY))
    objects = b"\x93NUMPY\x01\x00v\x00{'descr': '|O', 'fortran_order': False, 'shape': (1,), }"
    tricks: list[tuple[str, bytes, str]] = [
        ("a torch archive", _zip({"archive/data.pkl": touch, "archive/version": b"3\n"}), "m.pt"),
        ("TorchScript", _zip({"model/code/__torch__.py": b"import os", "model/constants.pkl": b"\x80\x02."}), "m.ts"),
        ("a .npy of objects", objects.ljust(128) + touch, "m.npy"),
        ("joblib in zlib", zlib.compress(touch), "m.joblib"),
        ("Keras with a Lambda", b"\x89HDF\r\n\x1a\n" + b'{"class_name": "Lambda", "config": "4wEA"}', "m.h5"),
        ("ONNX with data outside", _onnx(BAIT), "model.onnx"),
        ("ONNX with data up the tree", _onnx("../../../etc/passwd"), "model.onnx"),
        ("ONNX with data at an absolute path", _onnx("/etc/passwd"), "model.onnx"),
        ("ONNX with data outside, in a branch", _onnx(BAIT, branch=True), "model.onnx"),
        ("ONNX cut short", _onnx("")[:-7], "model.onnx"),
        ("ONNX with an operator of its own", _onnx("", domain=b"evil.ops"), "model.onnx"),
        ("safetensors with a header of 2^63", struct.pack("<Q", 2**63) + b"{}", "m.safetensors"),
        ("safetensors whose data overlap", _safetensors({"a": [0, 99], "b": [0, 99]}), "m.safetensors"),
        ("a bundle that imports", b'{"network": {"_target_": "os.system"}, "y": "$import os"}', "m.json"),
    ]  # fmt: skip
    name, data, file = tricks[(n - 6) % len(tricks)]
    return Member("H22", name, "model", data, True, file)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*out, number])


def _field(number: int, content: bytes | int) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    return _varint(number << 3 | 2) + _varint(len(content)) + content


def _onnx(location: str, *, branch: bool = False, domain: bytes = b"") -> bytes:
    """A model that adds one tensor, of which the numbers may lie elsewhere (fields as onnx.proto numbers them)."""
    tensor = _field(1, 4) + _field(2, 1) + _field(8, b"w")
    if location:
        where = _field(1, b"location") + _field(2, location.encode())
        tensor += _field(13, where) + _field(14, 1)
    else:
        tensor += _field(9, struct.pack("<4f", 1, 2, 3, 4))
    shape = _field(2, _field(1, _field(1, 4)))
    value = _field(2, _field(1, _field(1, 1) + shape))
    node = _field(1, b"x") + _field(1, b"w") + _field(2, b"y") + _field(4, b"Add")
    if domain:
        node += _field(7, domain)
    if branch:
        constant = (
            _field(2, b"c")
            + _field(4, b"Constant")
            + _field(5, _field(1, b"value") + _field(5, tensor) + _field(20, 4))
        )
        inner = _field(1, constant) + _field(2, b"then") + _field(12, _field(1, b"c") + value)
        node = _field(1, b"b") + _field(2, b"y") + _field(4, b"If")
        node += _field(5, _field(1, b"then_branch") + _field(6, inner) + _field(20, 5))
        node += _field(5, _field(1, b"else_branch") + _field(6, inner) + _field(20, 5))
        graph = _field(1, node) + _field(2, b"g") + _field(12, _field(1, b"y") + value)
    else:
        graph = _field(1, node) + _field(2, b"g") + _field(5, tensor)
        graph += _field(11, _field(1, b"x") + value) + _field(12, _field(1, b"y") + value)
    return _field(1, 8) + _field(7, graph) + _field(8, _field(1, b"") + _field(2, 17))


def _safetensors(parts: dict[str, list[int]]) -> bytes:
    header = json.dumps({k: {"dtype": "F32", "shape": [9], "data_offsets": v} for k, v in parts.items()}).encode()
    return struct.pack("<Q", len(header)) + header + b"\0" * 40


# ---- H23: research volumes


def volumes(rng: random.Random, n: int) -> Member:
    """H23: NIfTI, and what is no NIfTI under its name."""
    dims = (3, 4, 4, 4, 1, 1, 1, 1)
    good = _nifti(dims)
    tricks: list[tuple[str, bytes, str]] = [
        ("sizes of 32767", _nifti((3, 32767, 32767, 32767, 1, 1, 1, 1)), "a.nii"),
        ("negative sizes", _nifti((3, -4, 4, 4, 1, 1, 1, 1)), "a.nii"),
        ("nine axes", _nifti((9, 4, 4, 4, 4, 4, 4, 4)), "a.nii"),
        ("no axis", _nifti((0, 0, 0, 0, 0, 0, 0, 0)), "a.nii"),
        ("an unknown type", _nifti(dims, kind=9999), "a.nii"),
        ("voxels that begin behind the end", _nifti(dims, offset=1e9), "a.nii"),
        ("voxels that begin before the file", _nifti(dims, offset=-400), "a.nii"),
        ("voxels that begin nowhere", _nifti(dims, offset=float("nan")), "a.nii"),
        ("spacings of nothing", _nifti(dims, spacing=0.0), "a.nii"),
        ("spacings that are no number", _nifti(dims, spacing=float("nan")), "a.nii"),
        ("no place", _nifti(dims, placed=False), "a.nii"),
        ("cut short", good[:-20], "a.nii"),
        ("a gzip bomb", _gzip_bomb(good, 3000), "a.nii.gz"),
        ("a gzip that lies about its size", _nifti((3, 1000, 1000, 1000, 1, 1, 1, 1), packed=True), "a.nii.gz"),
        ("gzip cut short", gzip.compress(good, mtime=0)[:-9], "a.nii.gz"),
        ("noise", rng.randbytes(2000), "a.nii"),
        ("NRRD with its data elsewhere", b"NRRD0004\ntype: short\nsizes: 4 4 4\ndata file: /etc/passwd\n\n", "a.nii"),
        ("MetaImage with its data elsewhere", b"ObjectType = Image\nElementDataFile = /etc/passwd\n", "a.nii"),
        ("HDF5", b"\x89HDF\r\n\x1a\n" + rng.randbytes(200), "a.nii"),
        ("Zarr", b'{"zarr_format": 2, "shape": [1000000000000], "chunks": [1]}', "a.nii"),
    ]  # fmt: skip
    name, data, file = tricks[n % len(tricks)]
    return Member("H23", name, "volume", data, True, file)


def _nifti(
    dims: tuple[int, ...], *, kind: int = 4, offset: float = 352, spacing: float = 1.0, placed: bool = True,
    packed: bool = False,
) -> bytes:  # fmt: skip
    made = bytearray(352)
    struct.pack_into("<i", made, 0, 348)
    struct.pack_into("<8h", made, 40, *dims)
    struct.pack_into("<hh", made, 70, kind, 16)
    struct.pack_into("<8f", made, 76, *[spacing] * 8)
    struct.pack_into("<f", made, 108, offset)
    if placed:
        struct.pack_into("<hh", made, 252, 0, 1)
        struct.pack_into("<12f", made, 280, spacing, 0, 0, 0, 0, spacing, 0, 0, 0, 0, spacing, 0)
    made[344:348] = b"n+1\0"
    data = bytes(made) + plain("v" * 128)
    return gzip.compress(data, mtime=0) if packed else data
