"""Nothing rides along in a compressed stream, and its picture stays."""

from __future__ import annotations

import io
import struct
from collections.abc import Callable
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset
from pydicom.encaps import generate_fragments
from rle.rle import decode_segment, encode_segment

from isocenter.dicom import compressed
from isocenter.dicom.compressed import bare_rle, bare_stream
from isocenter.dicom.deidentify import deidentify
from isocenter.dicom.pixels import frames
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.errors import Refused

NAME = b"Zyqorblat"
COMMENT = b"\xff\xfe" + struct.pack(">H", 2 + len(NAME)) + NAME
BY = Pseudonyms(b"s" * 32)
NOISE = np.random.default_rng(7).integers(0, 256, (48, 64), np.uint8)


def jpeg(**how: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(NOISE).save(out, "JPEG", **how)
    return out.getvalue()


def j2k(*, boxes: bool = False, **how: Any) -> bytes:
    out = io.BytesIO()
    Image.fromarray(NOISE).save(out, "JPEG2000", no_jp2=not boxes, **how)
    return out.getvalue()


def seen(stream: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(stream)))


def before(stream: bytes, marker: bytes, what: bytes) -> bytes:
    at = stream.index(marker)
    return stream[:at] + what + stream[at:]


def in_tile(stream: bytes) -> bytes:
    """A comment in the header of the first part of a tile, whose length says so."""
    said = b"\xff\x64" + struct.pack(">HH", 4 + len(NAME), 1) + NAME
    start = stream.index(b"\xff\x90")
    (length,) = struct.unpack_from(">I", stream, start + 6)
    longer = stream[: start + 6] + struct.pack(">I", length + len(said) if length else 0) + stream[start + 10 :]
    return longer[: start + 12] + said + longer[start + 12 :]


def boxed(stream: bytes) -> bytes:
    """A box with a name before the box of the stream."""
    at = stream.index(b"jp2c") - 4
    return stream[:at] + struct.pack(">I", 8 + len(NAME)) + b"xml " + NAME + stream[at:]


HOLDING: dict[str, Callable[[], bytes]] = {
    "a comment": lambda: jpeg(comment=NAME),
    "behind the end": lambda: jpeg() + NAME,
    "behind the end, with another end": lambda: jpeg() + NAME + b"\xff\xd9",
    "a comment between scans": lambda: jpeg(progressive=True).replace(b"\xff\xda", COMMENT + b"\xff\xda"),
    "a comment before the end": lambda: jpeg()[:-2] + COMMENT + b"\xff\xd9",
    "between restarts": lambda: jpeg(restart_marker_blocks=2)[:-2] + COMMENT + b"\xff\xd9",
    "bytes of no segment": lambda: before(jpeg(), b"\xff\xdb", NAME),
    "a table that is none": lambda: before(jpeg(), b"\xff\xdb", b"\xff\xdb" + COMMENT[2:]),
    "a frame that is none": lambda: before(jpeg(), b"\xff\xdb", b"\xff\xf7" + COMMENT[2:]),
    "Adobe's segment that is none": lambda: before(jpeg(), b"\xff\xdb", b"\xff\xee\0\x0e" + NAME + b"   "),
    "a reserved segment": lambda: before(jpeg(), b"\xff\xdb", b"\xff\x02" + COMMENT[2:]),
    "a comment of JPEG 2000": lambda: before(j2k(), b"\xff\x52", b"\xff\x64" + COMMENT[2:]),
    "in the header of a tile": lambda: in_tile(j2k(tile_size=(32, 32))),
    "in the header of a tile alone": lambda: in_tile(j2k()),
    "behind the end of JPEG 2000": lambda: j2k() + NAME + b"\xff\xd9",
    "in a box": lambda: boxed(j2k(boxes=True)),
}


@pytest.mark.parametrize("where", HOLDING)
def test_a_name_leaves_and_the_picture_stays(where: str) -> None:
    stream = HOLDING[where]()
    bare = bare_stream(stream)
    assert NAME in stream and NAME not in bare and len(bare) % 2 == 0
    plain = jpeg(progressive="scans" in where) if stream[:2] == b"\xff\xd8" else j2k()
    assert np.array_equal(seen(bare), seen(plain))


@pytest.mark.parametrize("how", [{}, {"progressive": True}, {"restart_marker_rows": 1}, {"quality": 100}])
def test_a_jpeg_decodes_as_before(how: dict[str, Any]) -> None:
    assert np.array_equal(seen(bare_stream(jpeg(**how))), seen(jpeg(**how)))


@pytest.mark.parametrize("how", [{}, {"tile_size": (16, 16)}, {"num_resolutions": 2}, {"plt": True}])
def test_a_jpeg_2000_decodes_as_before(how: dict[str, Any]) -> None:
    assert np.array_equal(seen(bare_stream(j2k(**how))), NOISE)


def test_what_is_no_known_stream_is_refused() -> None:
    boxes = b"\0\0\0\x0cjP  \r\n\x87\n"
    for stream in (b"", NAME, boxes, boxes + b"\0\0\0\4free", boxes + struct.pack(">I4sQ", 1, b"free", 2)):
        with pytest.raises(Refused, match="unknown form"):
            bare_stream(stream)
    for stream in (b"", b"\0" * 64, struct.pack("<16I", 16, *[64] * 15), struct.pack("<2I", 1, 900) + b"\0" * 60):
        with pytest.raises(Refused, match="unknown form"):
            bare_rle(stream, 4)


def rle_of(*segments: bytes) -> bytes:
    starts = [64 + sum(map(len, segments[:n])) for n in range(len(segments))]
    return struct.pack("<16I", len(segments), *starts, *[0] * (15 - len(segments))) + b"".join(segments)


@pytest.mark.parametrize("most", [compressed._RLE_AT_ONCE, 0], ids=["decoded", "walked"])
def test_of_a_segment_stays_what_makes_its_bytes_however_that_is_found(
    most: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(compressed, "_RLE_AT_ONCE", most)
    rng = np.random.default_rng(5)
    for turn in range(30):
        wanted = int(rng.integers(1, 3000))
        plain = rng.integers(0, int(rng.choice([2, 5, 256])), wanted).astype(np.uint8).tobytes()
        segment = bytes(encode_segment(plain, wanted) if turn % 2 else rle_of_bytes(plain))
        alone = bare_rle(rle_of(segment, segment), wanted)
        before = (b"", b"\x07", b"\x80\x80", bytes([len(NAME) - 1]), b"\xf0")
        for hidden in (b"", b"Q", b"\x80", *(one + NAME for one in before)):
            bare = bare_rle(rle_of(segment + hidden, segment + hidden), wanted)
            assert NAME not in bare and len(bare) % 2 == 0
            assert bare == alone, "not even a byte that a scanner fills up with"
            for start in struct.unpack_from("<2I", bare, 4):
                assert bytes(decode_segment(bare[start : start + len(segment) + len(segment) % 2])) == plain
        short = bare_rle(rle_of(segment[:-1]), wanted)
        assert short[64:] == segment[:-1] + b"\0" * (len(segment[:-1]) % 2), "half a frame is no more than it was"


def rle_of_bytes(plain: bytes) -> bytes:
    return b"".join(bytes([len(part) - 1]) + part for part in (plain[n : n + 128] for n in range(0, len(plain), 128)))


def sample(name: str, change: Callable[[list[bytes]], list[bytes]]) -> bytes:
    ds = pydicom.dcmread(str(get_testdata_file(name)))
    parts = change([bytes(part) for part in generate_fragments(ds.PixelData)][1:])
    ds.PixelData = b"".join(struct.pack("<HHI", 0xFFFE, 0xE000, len(p)) + p for p in [b"", *parts])
    ds["PixelData"].is_undefined_length = True
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def header_of_rle(parts: list[bytes]) -> list[bytes]:
    (count,) = struct.unpack_from("<I", parts[0])
    at = 4 + 4 * count
    return [parts[0][:at] + NAME + parts[0][at + len(NAME) :], *parts[1:]]


@pytest.mark.parametrize("name", ["MR_small_RLE.dcm", "SC_rgb_rle_2frame.dcm"])
@pytest.mark.parametrize("change", [lambda parts: [p + NAME + b" " for p in parts], header_of_rle])
def test_a_name_leaves_frames_in_rle(name: str, change: Callable[[list[bytes]], list[bytes]]) -> None:
    given = sample(name, change)
    copy = deidentify(given, by=BY, reviewed=True, options=()).data
    assert NAME in given and NAME not in copy
    assert np.array_equal(frames(copy), frames(given))


@pytest.mark.parametrize("name", ["JPEG2000.dcm", "MR_small_jpeg_ls_lossless.dcm", "MR_small_RLE.dcm"])
def test_a_fragment_behind_the_frame_leaves_and_a_frame_in_pieces_stays(name: str) -> None:
    given = sample(name, lambda parts: [*parts, NAME + b" "])
    copy = deidentify(given, by=BY, reviewed=True, options=()).data
    assert NAME in given and NAME not in copy
    pieces = sample(name, lambda parts: [parts[0][:100], parts[0][100:]])
    again = deidentify(pieces, by=BY, reviewed=True, options=()).data
    whole = frames(sample(name, lambda parts: parts))
    assert np.array_equal(frames(copy), whole) and np.array_equal(frames(again), whole)


def test_a_mask_whose_stream_is_none_does_not_leave() -> None:
    """Nobody decodes a mask on its way out: no letters are sought in it."""
    ds: Dataset = made.dataset(sop_class="1.2.840.10008.5.1.4.1.1.66.4", modality="SEG", pixels=NOISE)
    ds.PixelData = struct.pack("<HHI", 0xFFFE, 0xE000, 0) + struct.pack("<HHI", 0xFFFE, 0xE000, 10) + NAME + b" "
    ds["PixelData"].VR, ds["PixelData"].is_undefined_length = "OB", True
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = made.J2K
    out = io.BytesIO()
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    with pytest.raises(Refused, match="unknown form"):
        deidentify(out.getvalue(), by=BY)
