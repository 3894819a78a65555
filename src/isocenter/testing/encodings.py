"""The same images written another way, as other makers and archives write them: no analysis may notice.

Each encoding takes whole files and gives whole files that say the same about the patient; None where it does not exist
for these files (one image has no order, a radiograph no other side). Analyses are held to the law that answer and
measurements stay (`same`).
"""

from __future__ import annotations

import io
import random
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.record import Finding, Measurement, Result

__all__ = ["ENCODINGS", "Encoding", "differences"]

Encoding = Callable[[Sequence[bytes], random.Random], list[bytes] | None]
"""Whole files of a study, and the dice, to whole files that say the same."""

_IMPLICIT, _EXPLICIT, _BIG = "1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"
_DEFLATED, _RLE, _JPEG_LS = "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80"
_JPEG_2000 = "1.2.840.10008.1.2.4.90"
_FILM = "1.2.840.10008.5.1.4.1.1.3.1"
_ECHO, _RAYS = frozenset({"US"}), frozenset({"CR", "DX", "MG"})
_LEAST_SIDE = 32  # pixels; its writer takes five halvings and refuses images that have fewer


def _read(data: bytes) -> Any:
    from pydicom import dcmread

    return dcmread(io.BytesIO(data))


def _written(ds: Any) -> bytes:
    from pydicom import dcmwrite

    out = io.BytesIO()
    dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def _native(syntax: str) -> Encoding:
    def encode(files: Sequence[bytes], _: random.Random) -> list[bytes]:
        made = []
        for data in files:
            ds = _read(data)
            if syntax == _BIG:
                _turn(ds)
            ds.file_meta.TransferSyntaxUID = syntax
            made.append(_written(ds))
        return made

    return encode


def _turn(ds: Any) -> None:
    """Words of pixels and of other data that pydicom keeps as bytes, most significant first."""
    for element in list(ds.iterall()):  # decoded here: raw elements would be written as they were read
        width = {"OW": 2, "OF": 4, "OL": 4, "OD": 8, "OV": 8}.get(element.VR, 1)
        if width > 1 and isinstance(element.value, bytes):
            element.value = np.frombuffer(element.value, dtype=f"u{width}").byteswap().tobytes()


def _compressed(syntax: str) -> Encoding:
    def encode(files: Sequence[bytes], _: random.Random) -> list[bytes] | None:
        made, any_image = [], False
        for data in files:
            ds = _read(data)
            if syntax == _JPEG_2000 and "PixelData" in ds and min(ds.Rows, ds.Columns) < _LEAST_SIDE:
                return None
            if "PixelData" not in ds or ds.SOPClassUID.name.startswith("Segmentation") or ds.BitsAllocated > 16:
                made.append(data)
                continue
            any_image = True
            if syntax == _JPEG_LS:
                made.append(_by_gdcm(data))
            else:
                ds.compress(syntax, generate_instance_uid=False)
                made.append(_written(ds))
        return made if any_image else None

    return encode


def _by_gdcm(data: bytes) -> bytes:
    import gdcm

    with tempfile.TemporaryDirectory() as folder:
        plain, packed = f"{folder}/plain", f"{folder}/packed"
        Path(plain).write_bytes(data)
        reader = gdcm.ImageReader()
        reader.SetFileName(plain)
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(gdcm.TransferSyntax.JPEGLSLossless))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFile(reader.GetFile())
        writer.SetFileName(packed)
        writer.SetImage(change.GetOutput())
        assert writer.Write()
        # GDCM may rewrite parts of the header: only its pixels are taken.
        ds, made = _read(data), _read(Path(packed).read_bytes())
    ds.PixelData, ds.file_meta.TransferSyntaxUID = made.PixelData, _JPEG_LS
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    return _written(ds)


def _shuffled(files: Sequence[bytes], dice: random.Random) -> list[bytes] | None:
    made = list(files)
    dice.shuffle(made)
    return made if len(made) > 1 else None


def _renumbered(files: Sequence[bytes], dice: random.Random) -> list[bytes] | None:
    """Instance numbers as an archive gives them that counts what arrives; the images keep their places."""
    headers = [_read(data) for data in files]
    numbers = list(range(1, len(files) + 1))
    dice.shuffle(numbers)
    for ds, number in zip(headers, numbers, strict=True):
        ds.InstanceNumber = number
    return [_written(ds) for ds in headers] if len(files) > 1 else None


def _flipped(axis: int) -> Encoding:
    """Rows (0) or columns (1) stored from the other end, with the position and the direction that say so."""

    def encode(files: Sequence[bytes], _: random.Random) -> list[bytes] | None:
        made, turned = [], False
        for data in files:
            ds = _read(data)
            if "ImagePositionPatient" in ds and "PixelData" in ds and int(ds.get("NumberOfFrames", 1)) == 1:
                turned = True
                _flip(ds, axis)
                made.append(_written(ds))
            elif "PixelData" in ds and "SharedFunctionalGroupsSequence" in ds and "SegmentSequence" not in ds:
                return None
            else:
                made.append(data)
        return made if turned else None

    return encode


def _flip(ds: Any, axis: int) -> None:
    cosines = np.array([float(v) for v in ds.ImageOrientationPatient])
    # The first three cosines point along a row: from column to column.
    part = slice(0, 3) if axis == 1 else slice(3, 6)
    steps = (int(ds.Columns) - 1) * float(ds.PixelSpacing[1]), (int(ds.Rows) - 1) * float(ds.PixelSpacing[0])
    there = np.array([float(v) for v in ds.ImagePositionPatient]) + steps[1 - axis] * cosines[part]
    cosines[part] *= -1.0
    ds.ImagePositionPatient = [f"{v:.10g}" for v in there]
    ds.ImageOrientationPatient = [f"{v:.10g}" for v in cosines]
    ds.PixelData = np.flip(ds.pixel_array, axis).tobytes()
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"


def _pictures(modalities: frozenset[str], change: Callable[[Any, npt.NDArray[Any]], None]) -> Encoding:
    """Grey pictures without a place in the patient, as whole bytes of a maker who stores them otherwise."""

    def encode(files: Sequence[bytes], _: random.Random) -> list[bytes] | None:
        made, any_picture = [], False
        for data in files:
            ds = _read(data)
            grey = "PixelData" in ds and ds.get("PhotometricInterpretation") == "MONOCHROME2"
            if grey and ds.Modality in modalities and int(ds.get("NumberOfFrames", 1)) == 1:
                any_picture = True
                change(ds, ds.pixel_array)
                made.append(_written(ds))
            else:
                made.append(data)
        return made if any_picture else None

    return encode


def _in_colour(kind: str, planes: int) -> Callable[[Any, npt.NDArray[Any]], None]:
    """Three samples of one grey value, pixel by pixel or plane by plane: machines that draw a marker write all so."""

    def change(ds: Any, grey: npt.NDArray[Any]) -> None:
        # Without colour the two differences of YBR stand at their middle.
        others = (grey, grey) if kind == "RGB" else (np.full_like(grey, 128), np.full_like(grey, 128))
        ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, kind, planes
        _put(ds, np.stack([grey, *others], axis=0 if planes else -1))

    return change


def _by_palette(ds: Any, grey: npt.NDArray[Any]) -> None:
    """Indices that run from white to black, with the table that says so."""
    ds.PhotometricInterpretation = "PALETTE COLOR"
    table = (np.arange(256)[::-1] * 257).astype("<u2").tobytes()
    for colour in range(3):
        ds.add_new(0x00281101 + colour, "US", [256, 0, 16])
        ds.add_new(0x00281201 + colour, "OW", table)
    for keyword in ("WindowCenter", "WindowWidth"):
        ds.pop(keyword, None)
    _put(ds, 255 - grey)


def _as_film(ds: Any, grey: npt.NDArray[Any]) -> None:
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = _FILM
    ds.NumberOfFrames, ds.FrameTime, ds.FrameIncrementPointer = 1, 40.0, 0x00181063


def _from_white(ds: Any, grey: npt.NDArray[Any]) -> None:
    ds.PhotometricInterpretation = "MONOCHROME1"
    largest = 2 ** int(ds.BitsStored) - 1
    if "WindowCenter" in ds:  # a window runs from half a value below (PS3.3 C.11.2.1.2), turned from half above
        ds.WindowCenter = largest + 1 - float(ds.WindowCenter)
    _put(ds, (largest - grey.astype(np.int64)).astype(grey.dtype))


def _put(ds: Any, pixels: npt.NDArray[Any]) -> None:
    raw = np.ascontiguousarray(pixels).tobytes()
    ds.PixelData = raw + b"\0" * (len(raw) % 2)
    ds["PixelData"].VR = "OW" if ds.BitsAllocated > 8 else "OB"


def _without_private(files: Sequence[bytes], _: random.Random) -> list[bytes] | None:
    headers = [_read(data) for data in files]
    for ds in headers:
        ds.remove_private_tags()
    return [_written(ds) for ds in headers]


def _with_private(files: Sequence[bytes], _: random.Random) -> list[bytes] | None:
    """Elements of a maker whom nobody knows, one that looks like a number among them."""
    headers = [_read(data) for data in files]
    for ds in headers:
        block = ds.private_block(0x0011, "NOBODY KNOWS ME", create=True)
        block.add_new(0x01, "UN", b"\x01\x02\x03\x04")
        block.add_new(0x02, "DS", "1.5")
        block.add_new(0x03, "LO", "CBF MTT T2* phase")
    return [_written(ds) for ds in headers]


def _named(charset: str, name: str) -> Encoding:
    def encode(files: Sequence[bytes], _: random.Random) -> list[bytes]:
        made = []
        for data in files:
            ds = _read(data)
            ds.SpecificCharacterSet = charset
            ds.PatientName, ds.InstitutionName = name, "Hôpital"
            made.append(_written(ds))
        return made

    return encode


def _apart(files: Sequence[bytes], dice: random.Random) -> list[bytes] | None:
    """A series of several echoes or flip angles as a series for each, as some scanners send them."""
    headers = [_read(data) for data in files]
    told: dict[str, set[str]] = {}
    for ds in headers:
        told.setdefault(str(ds.SeriesInstanceUID), set()).add(_contrast(ds))
    several = {uid: sorted(kinds) for uid, kinds in told.items() if len(kinds) > 1}
    if not several:
        return None
    for ds in headers:
        if kinds := several.get(str(ds.SeriesInstanceUID)):
            at = kinds.index(_contrast(ds))
            ds.SeriesInstanceUID = f"{str(ds.SeriesInstanceUID)[:48]}.{at + 1}"
            ds.SeriesNumber = 100 * int(ds.SeriesNumber) + at
    return [_written(ds) for ds in headers]


def _contrast(ds: Any) -> str:
    return f"{ds.get('EchoTime', '')}/{ds.get('FlipAngle', '')}"


ENCODINGS: Mapping[str, Encoding] = {
    "implicit VR": _native(_IMPLICIT),
    "big endian": _native(_BIG),
    "deflated": _native(_DEFLATED),
    "RLE": _compressed(_RLE),
    "JPEG-LS": _compressed(_JPEG_LS),
    "JPEG 2000": _compressed(_JPEG_2000),
    "shuffled": _shuffled,
    "renumbered": _renumbered,
    "rows flipped": _flipped(0),
    "columns flipped": _flipped(1),
    "no private elements": _without_private,
    "foreign private elements": _with_private,
    "Latin-1 names": _named("ISO_IR 100", "Müller^Jörg"),
    "UTF-8 names": _named("ISO_IR 192", "Müller^Łukasz=山田^太郎"),
    "a series for each contrast": _apart,
    "grey as RGB": _pictures(_ECHO, _in_colour("RGB", 0)),
    "grey as RGB, by plane": _pictures(_ECHO, _in_colour("RGB", 1)),
    "grey as YBR": _pictures(_ECHO, _in_colour("YBR_FULL", 0)),
    "grey by palette": _pictures(_ECHO, _by_palette),
    "a film of one frame": _pictures(_ECHO, _as_film),
    "black is the largest": _pictures(_RAYS, _from_white),
}
"""Name -> encoding."""


def differences(one: Sequence[Result], other: Sequence[Result], *, rel: float = 1e-5) -> list[str]:
    """What two runs say differently about the patient; empty when they say the same.

    Compared are answers, findings with their codes, sides, places and volumes, and every measurement with its unit
    and definition. Words and reasons may name files, and are not.
    """
    if len(one) != len(other):
        return [f"{len(one)} answers and {len(other)}"]
    told: list[str] = []
    for a, b in zip(one, other, strict=True):
        if a.outcome is not b.outcome:
            told.append(f"{a.outcome.value} {a.reasons} and {b.outcome.value} {b.reasons}")
            continue
        told += _unlike("answer", a.measurements, b.measurements, rel)
        kinds = [Counter((f.what, f.laterality, f.site) for f in r.findings) for r in (a, b)]
        if kinds[0] != kinds[1]:
            told.append(f"findings {kinds[0]} and {kinds[1]}")
            continue
        for first, second in _pairs(a.findings, b.findings):
            told += _unlike(first.what.meaning, first.measurements, second.measurements, rel)
            told += _elsewhere(first, second, rel)
        if [m.name for m in a.maps] != [m.name for m in b.maps]:
            told.append(f"maps {[m.name for m in a.maps]} and {[m.name for m in b.maps]}")
    return told


def _pairs(ones: Sequence[Finding], others: Sequence[Finding]) -> Iterable[tuple[Finding, Finding]]:
    """Findings of one kind, the nearest first: equal ones may change places."""
    left = list(others)
    for one in ones:
        alike = [f for f in left if (f.what, f.laterality, f.site) == (one.what, one.laterality, one.site)]
        best = min(alike, key=lambda f: _apart_mm(one, f))
        left.remove(best)
        yield one, best


def _apart_mm(one: Finding, other: Finding) -> tuple[bool, float]:
    if one.where is None or other.where is None or not one.where.voxels or not other.where.voxels:
        return one.words != other.words, 0.0
    away = np.subtract(one.where.centre_mm, other.where.centre_mm)
    return one.where.label != other.where.label, float(np.linalg.norm(away))


def _elsewhere(one: Finding, other: Finding, rel: float) -> list[str]:
    if (one.where is None) != (other.where is None):
        return [f"{one.what.meaning}: a place and none"]
    if one.where is None or other.where is None or one.where.mask is None or not one.where.voxels:
        return []
    if one.where.voxels != other.where.voxels:
        return [f"{one.what.meaning}: {one.where.voxels} voxels and {other.where.voxels}"]
    away = _apart_mm(one, other)[1]
    return [f"{one.what.meaning}: {away:g} mm apart"] if away > 1e-3 else []


def _unlike(where: str, ones: Sequence[Measurement], others: Sequence[Measurement], rel: float) -> list[str]:
    keys = [[(str(m.what), m.definition, m.unit) for m in some] for some in (ones, others)]
    if sorted(keys[0]) != sorted(keys[1]):
        return [f"{where}: {sorted(set(keys[0]) ^ set(keys[1]))} on one side only"]
    told = []
    pairs = zip(sorted(zip(keys[0], [m.value for m in ones], strict=True)),
                sorted(zip(keys[1], [m.value for m in others], strict=True)), strict=True)  # fmt: skip
    for (key, a), (_, b) in pairs:
        if not (a == b or abs(a - b) <= rel * max(abs(a), abs(b), 1e-6)):
            told.append(f"{where}, {key[0]} ({key[1]}): {a:.8g} and {b:.8g} {key[2]}")
    return told
