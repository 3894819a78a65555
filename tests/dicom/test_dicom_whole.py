"""The question before every acknowledgement: is the whole file there?"""

from __future__ import annotations

import random
import struct
import sys
import threading
import time
import tracemalloc
import zlib
from pathlib import Path

import made
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.dicom.whole import check_whole
from isocenter.errors import IsocenterError, LimitReached, NotFound, NotWhole

# What pydicom ships and what it is for; every other sample is a whole object.
BROKEN = {
    "MR_truncated.dcm": "says 8192 bytes",
    "rtplan_truncated.dcm": "truncated",
    "badVR.dcm": "number of frames lie",
    "no_meta.dcm": "DICM",
    "ExplVR_BigEndNoMeta.dcm": "no preamble",
    "ExplVR_LitEndNoMeta.dcm": "no preamble",
    "rtstruct.dcm": "no preamble",
    "meta_missing_tsyntax.dcm": "no transfer syntax",
    "no_meta_group_length.dcm": "without pixel data",
    "UN_sequence.dcm": "without pixel data",
    "priv_SQ.dcm": "without pixel data",
    "nested_priv_SQ.dcm": "make no image",
}
CUT = [
    "CT_small.dcm", "MR_small.dcm", "MR_small_implicit.dcm", "MR_small_bigendian.dcm", "MR_small_RLE.dcm",
    "JPEG2000.dcm", "image_dfl.dcm", "SC_rgb_rle_2frame.dcm", "rtplan.dcm", "liver_1frame.dcm",
    "SC_rgb_small_odd.dcm", "JPEGLSNearLossless_16.dcm", "test-SR.dcm", "rtdose.dcm", "MR_small_jp2klossless.dcm",
    "ExplVR_BigEnd.dcm", "SC_rgb_jpeg_dcmtk.dcm", "693_J2KI.dcm", "MR_small_padded.dcm", "JPGExtended.dcm",
]  # fmt: skip


@pytest.mark.parametrize("path", sorted(made.SAMPLES.glob("*.dcm")), ids=lambda p: p.name)
def test_samples_are_whole_or_refused_with_the_reason(path: Path) -> None:
    if path.name in BROKEN:
        with pytest.raises(NotWhole, match=BROKEN[path.name]):
            check_whole(path)
    else:
        check_whole(path)
        check_whole(path.read_bytes())


@pytest.mark.parametrize("name", CUT)
def test_a_file_cut_anywhere_is_refused(name: str) -> None:
    data = (made.SAMPLES / name).read_bytes()
    # Cut exactly behind the last needed element, a data set is legal and whole for all that a reader can know; what
    # may be lost there is only what follows the pixels (padding, a signature) or the last attribute of a plan.
    forgiven = {cut for cut in legal_ends(data) if cut < len(data)}
    step = max(1, len(data) // 500)
    cuts = sorted({*range(0, len(data), step), *range(max(0, len(data) - 60), len(data)), *range(0, 400)})
    accepted = [cut for cut in cuts if cut < len(data) and cut not in forgiven and passes(data[:cut])]
    assert not accepted


def legal_ends(data: bytes) -> set[int]:
    """Ends of top-level elements from the one on which makes the object whole, by pydicom's own reading."""
    import io

    import pydicom

    ends: set[int] = set()
    if data.find(b"1.2.840.10008.1.2.1.99") > 0:
        # Behind the deflated stream stand a checksum and a length that the standard does not ask for.
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        start = 144 + struct.unpack_from("<I", data, 140)[0]
        inflater.decompress(data[start:])
        return {len(data) - len(inflater.unused_data), len(data) - len(inflater.unused_data) + 1}
    ds = pydicom.dcmread(io.BytesIO(data))
    needed = 0x7FE00010 if "PixelData" in ds else {"SR": 0x0040A730, "RTPLAN": 0x300A0070}[ds.Modality]
    for element in ds:
        if element.tag > needed:
            tag = struct.pack("<HH", element.tag.group, element.tag.element)
            ends.add(data.rfind(tag))
    return ends


def passes(data: bytes) -> bool:
    try:
        check_whole(data)
    except IsocenterError:
        return False
    return True


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT, made.BIG, made.DEFLATED, made.RLE])
def test_every_single_cut_of_a_small_object_is_refused(syntax: str) -> None:
    data = made.made(syntax=syntax)
    check_whole(data)
    padding = {len(data) - 1} if syntax == made.DEFLATED else set()  # one byte to an even length may be absent
    assert not [cut for cut in range(len(data)) if cut not in padding and passes(data[:cut])]


@settings(max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(132, 1500), st.integers(0, 255)), min_size=1, max_size=6))
def test_whatever_bytes_are_changed_only_our_errors_come_out(changes: list[tuple[int, int]]) -> None:
    data = bytearray((made.SAMPLES / "MR_small.dcm").read_bytes())
    for at, value in changes:
        data[at] = value
    passes(bytes(data))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=400))
def test_no_bytes_at_all_raise_anything_else(tail: bytes) -> None:
    passes(tail)
    passes(b"\0" * 128 + b"DICM" + tail)
    passes(made.made()[:340] + tail)


def test_a_length_that_lies_is_named_with_its_tag() -> None:
    data = made.made()
    at = data.rindex(struct.pack("<HH", 0x7FE0, 0x0010)) + 8
    lie = data[:at] + struct.pack("<I", 2_147_483_632) + data[at + 4 :]
    with pytest.raises(NotWhole, match=r"\(7FE0,0010\).*2147483632 bytes and 48 are there"):
        check_whole(lie)


def test_an_open_length_on_a_plain_element_is_refused() -> None:
    ds = made.dataset()
    ds.add_new(0x00187006, "UT", "text")
    data = made.written(ds)
    at = data.index(b"UT\0\0") + 4
    with pytest.raises(NotWhole, match="has no length"):
        check_whole(data[:at] + b"\xff\xff\xff\xff" + data[at + 4 :])


def test_pixels_fewer_than_the_header_asks_for() -> None:
    with pytest.raises(NotWhole, match=r"48 bytes of pixels where .* ask for 400"):
        check_whole(made.made(Rows=10, Columns=20))


def test_pixels_of_more_frames_than_said() -> None:
    with pytest.raises(NotWhole, match="frames lie"):
        check_whole(made.made(pixels=np.zeros((3, 4, 6), np.uint16), NumberOfFrames=2))


def test_an_image_class_without_pixels_is_only_a_header() -> None:
    with pytest.raises(NotWhole, match="CT Image of 4 rows without pixel data"):
        check_whole(made.made(PixelData=None))


def test_a_structure_set_without_its_content() -> None:
    ds = made.dataset(sop_class=made.RTSTRUCT, modality="RTSTRUCT", PixelData=None)
    with pytest.raises(NotWhole, match=r"RT Structure Set without \(3006,0080\)"):
        check_whole(made.written(ds))


def test_fewer_fragments_than_frames() -> None:
    data = made.made(pixels=np.zeros((2, 4, 6), np.uint16), syntax=made.RLE)
    check_whole(data)
    at = data.index(b"2 ", data.index(struct.pack("<HH", 0x0028, 0x0008)))
    with pytest.raises(NotWhole, match="2 fragments for 9 frames"):
        check_whole(data[:at] + b"9 " + data[at + 2 :])


def test_compressed_pixels_of_fixed_length_contradict_their_syntax() -> None:
    data = made.made()
    lie = data.replace(b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.5\0", 1)
    with pytest.raises(NotWhole, match="fixed length in the compressed"):
        check_whole(lie)


def test_open_pixels_in_a_native_syntax() -> None:
    data = made.made(syntax=made.RLE)
    with pytest.raises(NotWhole, match="not compressed"):
        check_whole(data.replace(b"1.2.840.10008.1.2.5\0", b"1.2.840.10008.1.2.1\0", 1))


def test_bytes_behind_the_object_are_refused_and_zeros_are_padding() -> None:
    data = made.made()
    check_whole(data + b"\0" * 200)
    with pytest.raises(NotWhole):
        check_whole(data + b"evil payload behind the object")


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT, made.BIG])
def test_sixty_four_nested_sequences_pass_and_seventy_are_refused(syntax: str) -> None:
    ds = made.dataset()
    ds.ReferencedImageSequence = [made.nested(60)]
    check_whole(made.written(ds, syntax))
    ds = made.dataset()
    ds.ReferencedImageSequence = [made.nested(70)]
    with pytest.raises(LimitReached, match="nest more than 64"):
        check_whole(made.written(ds, syntax))


def test_hundred_thousand_open_sequences_do_not_exhaust_the_reader() -> None:
    head = made.made(PixelData=None)
    one = struct.pack("<HH2sHI", 0x0040, 0xA730, b"SQ", 0, 0xFFFFFFFF) + struct.pack("<HHI", 0xFFFE, 0xE000, 0xFFFFFFFF)
    with pytest.raises(LimitReached):
        check_whole(head + one * 100_000)


def bomb(megabytes: int) -> bytes:
    """A deflated object of zeros: about a thousandth of what it grows to."""
    plain = made.made(syntax=made.DEFLATED)
    start = 144 + struct.unpack_from("<I", plain, 140)[0]
    body = zlib.decompressobj(-zlib.MAX_WBITS).decompress(plain[start:])
    squeeze = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    out = squeeze.compress(body)
    for _ in range(megabytes):
        out += squeeze.compress(b"\0" * (1 << 20))
    return plain[:start] + out + squeeze.flush()


def test_a_bomb_of_500_kb_is_refused_within_bounds() -> None:
    data = bomb(500)
    assert 400_000 < len(data) < 700_000
    tracemalloc.start()
    try:
        with pytest.raises(LimitReached, match="grows beyond"):
            check_whole(data)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 256 << 20


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "empty"),
        (b"\xff\xd8\xff\xe0" + b"\0" * 300, "JPEG image"),
        (b"\x89PNG\r\n\x1a\n" + b"\0" * 300, "PNG image"),
        (b"PK\x03\x04" + b"\0" * 300, "ZIP archive"),
        (b"%PDF-1.7" + b"\0" * 300, "PDF document"),
        (b"MZ\x90" + b"\0" * 300, "is a program"),
        (b"Rar!\x1a" + b"\0" * 300, "RAR archive"),
        (b"this is a text file about an image\n" * 20, "text"),
        (bytes((n * 197 + 13) % 251 for n in range(2000)), "encrypted"),
    ],
)
def test_what_is_not_dicom_is_called_by_its_name(data: bytes, said: str) -> None:
    with pytest.raises(NotWhole, match=said):
        check_whole(data)


def test_paths_that_name_no_file(tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        check_whole(tmp_path / "none.dcm")
    (tmp_path / "empty.dcm").touch()
    with pytest.raises(NotWhole, match="empty"):
        check_whole(tmp_path / "empty.dcm")


def test_threads_check_at_once() -> None:
    data, faults = made.made(), []

    def work() -> None:
        for _ in range(50):
            if not passes(data):
                faults.append(1)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not faults and sys.getrecursionlimit() >= 200


def test_an_image_is_checked_in_less_than_a_millisecond() -> None:
    data = made.made(pixels=np.zeros((512, 512), np.uint16))
    check_whole(data)
    best = min(timed(data) for _ in range(30))
    assert best < 0.001


def timed(data: bytes) -> float:
    start = time.perf_counter()
    check_whole(data)
    return time.perf_counter() - start


def test_a_number_of_frames_beyond_all_numbers_is_refused_in_words() -> None:
    from isocenter.testing.crooked import image, written

    elements = image(random.Random(1)) | {0x00280008: ("IS", b"1e400 ")}
    with pytest.raises(NotWhole, match="frames"):
        check_whole(written(elements))


@pytest.mark.parametrize("tag", [0x00080018, 0x0020000D, 0x00100020])
def test_an_identity_that_stands_twice_is_refused(tag: int) -> None:
    """Found beside DCMTK: it takes the first, others the last, and the image would be of two patients."""
    from isocenter.testing.crooked import element, image, written

    elements = image(random.Random(1))
    once, again = element(tag, *elements[tag]), element(tag, elements[tag][0], b"1.2.3 ")
    whole = written(elements)
    check_whole(whole)
    with pytest.raises(NotWhole, match="stands twice"):
        check_whole(whole.replace(once, once + again))
