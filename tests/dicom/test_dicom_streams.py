"""Nothing rides along with the pixels, and the pixels stay."""

from __future__ import annotations

import io
import struct

import made
import numpy as np
import pydicom
from PIL import Image, ImageCms
from pydicom.encaps import encapsulate, generate_frames

from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.pixels import frames
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.streams import blanked, native_pixels, neutral_profile

BY = Pseudonyms(b"s" * 32)
CANARY = b"Quaxelberg"


def stored(ds: pydicom.Dataset) -> bytes:
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def jpeg(level: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.full((16, 16), level, np.uint8)).save(out, "JPEG", comment=CANARY)
    return out.getvalue() + CANARY


def test_frames_of_a_compressed_object_are_found_after_their_comments_left() -> None:
    ds = made.dataset(sop_class=made.DX, modality="DX", pixels=np.zeros((2, 16, 16), np.uint8))
    ds.PixelData = encapsulate([jpeg(20), jpeg(200)])
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.4.50"
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    clean = deidentify(out.getvalue(), by=BY).data
    assert CANARY in out.getvalue() and CANARY not in clean
    held = pydicom.dcmread(io.BytesIO(clean))
    assert len(list(generate_frames(held.PixelData, number_of_frames=2))) == 2
    assert np.array_equal(frames(clean), frames(out.getvalue()))
    (length,) = struct.unpack_from("<I", held.PixelData, 4)
    assert length == 8  # the offset table was written anew


def test_bits_above_the_stored_ones_and_bytes_behind_the_last_pixel_are_gone() -> None:
    pixels = np.full((4, 4), 0xF123, np.uint16)
    ds = made.dataset(pixels=pixels, BitsStored=12, HighBit=11)
    ds.PixelData = ds.PixelData + CANARY
    file = parse(made.written(ds))
    out = native_pixels(file, file.dataset[0x7FE00010], 0x7FE00010)
    assert out == np.full((4, 4), 0x123, np.uint16).tobytes()
    signed = made.dataset(pixels=np.full((2, 2), 0x7123, np.int16), BitsStored=12, HighBit=11)
    file = parse(made.written(signed))
    assert np.frombuffer(native_pixels(file, file.dataset[0x7FE00010], 0x7FE00010), np.int16)[0] == 0x123


def test_boxes_are_blanked_and_nothing_else() -> None:
    data = made.made(pixels=np.arange(1, 101, dtype=np.uint16).reshape(10, 10))
    out = blanked(parse(data), data, [(-1, 2, 3, 5, 9)])[0]
    assert (out[2:5, 3:9] == 1).all()
    out[2:5, 3:9] = frames(data)[0][2:5, 3:9]
    assert np.array_equal(out, frames(data)[0])


def test_a_colour_profile_keeps_its_numbers_and_loses_its_words() -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    named = profile.replace(b"sRGB", b"Quax", 1).replace("sRGB".encode("utf-16-be"), "Quax".encode("utf-16-be"))
    bare = neutral_profile(named)
    assert b"Quax" in named.replace(b"\0", b"") and b"Quax" not in bare.replace(b"\0", b"")
    picture = Image.fromarray(np.random.default_rng(1).integers(0, 255, (8, 8, 3), np.uint8))
    lab = ImageCms.createProfile("LAB")
    both = [
        np.asarray(ImageCms.profileToProfile(picture, ImageCms.ImageCmsProfile(io.BytesIO(p)), lab, outputMode="LAB"))
        for p in (profile, bare)
    ]
    assert np.array_equal(*both)
    assert neutral_profile(b"Quaxelberg" * 20) == b""


def test_bits_above_the_stored_ones_leave_a_compressed_object_too() -> None:
    values = np.arange(64 * 64, dtype=np.uint16).reshape(64, 64) % 4096
    overlaid = values.copy()
    overlaid[10:20, 10:40] |= 1 << 15
    for pixels, syntax in ((overlaid, made.EXPLICIT), (values, made.RLE)):
        held = pydicom.dcmread(io.BytesIO(made.made(pixels=pixels, syntax=made.RLE)))
        held.BitsStored, held.HighBit = 12, 11  # the stream keeps all sixteen
        copy = pydicom.dcmread(io.BytesIO(deidentify(stored(held), by=BY, reviewed=True).data))
        assert copy.file_meta.TransferSyntaxUID == syntax
        copy.BitsStored, copy.HighBit = 16, 15
        assert np.array_equal(copy.pixel_array, values)
