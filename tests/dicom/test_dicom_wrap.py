"""Pictures as DICOM objects."""

from __future__ import annotations

import io
import shutil
import subprocess
from datetime import datetime
from pathlib import Path

import made
import numpy as np
import pydicom
import pytest
from PIL import Image

from isocenter.dicom.assemble import assemble
from isocenter.dicom.header import read_header
from isocenter.dicom.pixels import frames
from isocenter.dicom.whole import check_whole
from isocenter.dicom.wrap import patient_from_name, wrap_image
from isocenter.errors import LimitReached, Refused

NOW = datetime(2026, 1, 2, 3, 4, 5)


def picture(kind: str, array: np.ndarray, **options: object) -> bytes:
    out = io.BytesIO()
    Image.fromarray(array).save(out, kind, **options)
    return out.getvalue()


GREY = (np.add.outer(np.arange(64), np.arange(48)) * 2 % 256).astype(np.uint8)
COLOUR = np.stack([GREY, GREY[::-1], 255 - GREY], axis=-1)


def test_a_grey_jpeg_is_kept_byte_for_byte() -> None:
    data = picture("JPEG", GREY)
    wrapped = wrap_image(data, "x.jpg", NOW)
    check_whole(wrapped)
    assert data in wrapped
    assert np.array_equal(frames(wrapped)[0], np.asarray(Image.open(io.BytesIO(data))))


def test_a_png_keeps_every_value() -> None:
    for array in (GREY, COLOUR):
        wrapped = wrap_image(picture("PNG", array), "x.png", NOW)
        check_whole(wrapped)
        assert np.array_equal(frames(wrapped)[0], array)
    deep = GREY.astype(np.uint16) * 200
    assert np.array_equal(frames(wrap_image(picture("PNG", deep), "x.png", NOW))[0], deep)


def test_a_colour_jpeg_shows_the_same_colours() -> None:
    data = picture("JPEG", COLOUR, quality=95)
    shown = frames(wrap_image(data, "x.jpg", NOW))[0].astype(int)
    assert np.abs(shown - np.asarray(Image.open(io.BytesIO(data))).astype(int)).max() <= 3  # two JPEG decoders


def test_a_progressive_jpeg_is_stored_as_pixels() -> None:
    wrapped = wrap_image(picture("JPEG", GREY, progressive=True), "x.jpg", NOW)
    assert read_header(wrapped).series[0].instances[0].transfer_syntax == made.EXPLICIT


def test_a_grey_radiograph_saved_as_colour_becomes_one_grey() -> None:
    data = picture("PNG", np.stack([GREY] * 3, axis=-1))
    as_radiograph = wrap_image(data, "person7_virus_2.png", NOW, modality="DX", body_part="CHEST", view="AP")
    study = read_header(as_radiograph)
    assert study.series[0].modality == "DX" and study.series[0].body_part == "CHEST"
    assert study.series[0].facts["ViewPosition"] == "AP" and study.patient.id == "person7"
    assert frames(as_radiograph).shape == (1, 64, 48)
    assert frames(wrap_image(data, "a.png", NOW)).shape == (1, 64, 48, 3)


def test_a_wrapped_radiograph_is_assembled_uncalibrated() -> None:
    series, read = made.record([wrap_image(picture("PNG", GREY), "a.png", NOW, modality="CR")])
    (volume,) = assemble(series, read)
    assert volume.geometry.reference == "pixel" and volume.geometry.shape == (1, 64, 48)


def test_identities_come_from_the_content() -> None:
    data = picture("PNG", GREY)
    assert wrap_image(data, "a.png", NOW) == wrap_image(data, "a.png", NOW)
    one, other = (read_header(wrap_image(d, "a.png", NOW)) for d in (data, picture("PNG", GREY[::-1])))
    assert one.uid != other.uid and one.series[0].instances[0].sop_uid != other.series[0].instances[0].sop_uid


def test_what_is_written_is_said() -> None:
    ds = pydicom.dcmread(io.BytesIO(wrap_image(picture("JPEG", GREY), "a.jpg", NOW, patient_id="P9")))
    assert (ds.ConversionType, ds.PatientID, ds.LossyImageCompression) == ("WSD", "P9", "01")
    assert ds.DateOfSecondaryCapture == "20260102" and ds.SOPClassUID == made.SC and str(ds.PatientName) == ""
    assert "LossyImageCompression" not in pydicom.dcmread(io.BytesIO(wrap_image(picture("PNG", GREY), "a.png", NOW)))


@pytest.mark.parametrize(
    ("name", "patient"),
    [
        ("person17_virus_48.jpeg", "person17"),
        ("x\\y\\IM-0115-0001.jpeg", "IM-0115"),
        ("NORMAL2-IM-0123-0001.jpeg", "NORMAL2-IM-0123"),
        ("scan.png", "scan"),
    ],
)
def test_the_person_in_a_file_name(name: str, patient: str) -> None:
    assert patient_from_name(name) == patient


@pytest.mark.parametrize(
    "data", [b"", b"GIF89a" + b"\0" * 50, b"\xff\xd8\xff" + b"\0" * 50, b"\x89PNG\r\n\x1a\n" + b"x"]
)
def test_what_is_no_picture_is_refused(data: bytes) -> None:
    with pytest.raises(Refused, match=r"a\.jpg"):
        wrap_image(data, "a.jpg", NOW)


def test_a_picture_of_a_billion_pixels_is_refused() -> None:
    import struct
    import zlib

    head = struct.pack(">IIBBBBB", 40000, 40000, 8, 0, 0, 0, 0)
    chunk = struct.pack(">I", 13) + b"IHDR" + head + struct.pack(">I", zlib.crc32(b"IHDR" + head))
    body = zlib.compress(b"\0" * 100)
    data = b"\x89PNG\r\n\x1a\n" + chunk + struct.pack(">I", len(body)) + b"IDAT" + body
    data += struct.pack(">I", zlib.crc32(b"IDAT" + body)) + struct.pack(">I", 0) + b"IEND" + b"\xaeB`\x82"
    with pytest.raises((LimitReached, Refused)):
        wrap_image(data, "a.png", NOW)


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
def test_wrapped_pictures_are_valid_secondary_captures(tmp_path: Path) -> None:
    for n, data in enumerate((picture("PNG", GREY), picture("JPEG", GREY), picture("JPEG", COLOUR))):
        for modality in ("OT", "DX"):
            path = tmp_path / f"{n}{modality}.dcm"
            part = "CHEST" if modality == "DX" else ""
            path.write_bytes(wrap_image(data, "a.png", NOW, modality=modality, body_part=part))
            said = subprocess.run(["dciodvfy", path], capture_output=True, text=True, check=False).stderr
            assert not [line for line in said.splitlines() if line.startswith("Error")]


def test_a_name_with_control_characters_is_written_without_them() -> None:
    study = read_header(wrap_image(picture("PNG", GREY), "per\x00son3\n_\x1b[2J.png", NOW))
    assert study.patient.id == "person3" and study.series[0].description == "person3_[2J.png"
