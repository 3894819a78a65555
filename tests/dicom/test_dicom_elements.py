"""The walk over the elements finds what pydicom finds."""

from __future__ import annotations

import io
import warnings

import made
import pydicom
import pytest

from isocenter.dicom.elements import PIXELS, File, parse, same_object
from isocenter.errors import IsocenterError

SAMPLES = [p for p in sorted(made.SAMPLES.glob("*.dcm")) if p.name not in ("badVR.dcm",)]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda p: p.name)
def test_tags_and_values_are_those_of_pydicom(path) -> None:
    data = path.read_bytes()
    try:
        file = parse(data)
    except IsocenterError:
        return
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        ds = pydicom.dcmread(io.BytesIO(data))
        same(file, file.dataset, ds)


def same(file: File, mine: dict, theirs: pydicom.Dataset) -> None:
    assert set(mine) == {int(tag) for tag in theirs.keys()}  # noqa: SIM118 - iterating gives elements
    for tag, slot in mine.items():
        if slot[0] == "fragments":
            continue
        if slot[3] is not None:
            element = theirs[tag]
            if element.VR == "SQ":
                assert len(slot[3]) == len(element.value)
                for a, b in zip(slot[3], element.value, strict=True):
                    same(file, a, b)
            continue
        raw = theirs.get_item(tag)
        if getattr(raw, "is_raw", False) and raw.value is not None:
            assert file.raw(slot) == bytes(raw.value)


def test_numbers_are_read_in_both_byte_orders() -> None:
    for syntax in (made.EXPLICIT, made.BIG, made.IMPLICIT):
        file = parse(made.made(syntax=syntax))
        assert (file.integer(0x00280010), file.integer(0x00280011)) == (4, 6)
        assert file.decimals(0x00280030) == (1.0, 1.0)


def test_words_that_are_no_numbers_become_nan_and_absent_ones_nothing() -> None:
    data = made.made().replace(b"1.0\\1.0 ", b"1.0\\abc ")
    found = parse(data).decimals(0x00280030)
    assert found[0] == 1.0 and found[1] != found[1]
    assert parse(data).decimals(0x00189999) == () and parse(data).ascii(0x00189999) == ""
    assert parse(data).integer(0x00189999, 7) == 7 and parse(data).items(0x00189999) == []


def test_stopping_at_the_pixels_still_places_them() -> None:
    data = made.made()
    a, b = parse(data).dataset[PIXELS], parse(data, until_pixels=True).dataset[PIXELS]
    assert a == b


def test_an_implicit_data_set_under_an_explicit_syntax_is_recognised() -> None:
    data = made.made(syntax=made.IMPLICIT).replace(b"1.2.840.10008.1.2\0", b"1.2.840.10008.1.2.1\0", 1)
    # The UID grew by two bytes: mend its length and the group's.
    at = data.index(b"\x02\0\x10\0UI") + 6
    data = data[:at] + (20).to_bytes(2, "little") + data[at + 2 :]
    total = int.from_bytes(data[140:144], "little") + 2
    data = data[:140] + total.to_bytes(4, "little") + data[144:]
    assert parse(data).integer(0x00280010) == 4


def rewritten(data: bytes, **meta: str) -> bytes:
    """The same data set behind the file meta information of another program."""
    ds = pydicom.dcmread(io.BytesIO(data))
    for name, value in meta.items():
        setattr(ds.file_meta, name, value)
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_one_object_behind_two_headers_is_the_same() -> None:
    data = (made.SAMPLES / "CT_small.dcm").read_bytes()
    other = rewritten(data, ImplementationVersionName="ANOTHER", SourceApplicationEntityTitle="CT1")
    assert other != data and same_object(data, other)


def test_another_pixel_or_syntax_is_another_object() -> None:
    data = rewritten((made.SAMPLES / "CT_small.dcm").read_bytes())
    middle = len(data) // 2  # of the pixels
    assert not same_object(data, data[:middle] + bytes([data[middle] ^ 1]) + data[middle + 1 :])
    explicit, big = b"1.2.840.10008.1.2.1\0", b"1.2.840.10008.1.2.2\0"
    assert explicit in data and not same_object(data, data.replace(explicit, big))


@pytest.mark.parametrize("name", ["CT_small.dcm", "liver_1frame.dcm", "rtplan.dcm", "MR_small_RLE.dcm"])
def test_lengths_and_padding_written_anew_leave_the_object_the_same(name: str) -> None:
    data = (made.SAMPLES / name).read_bytes()
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.DataSetTrailingPadding = b"\0" * 64
    for element in ds:
        if element.VR == "SQ":
            element.is_undefined_length = not element.is_undefined_length
    padded = io.BytesIO()
    ds.save_as(padded)
    assert same_object(data, padded.getvalue()) and same_object(padded.getvalue(), data)
    ds.SOPInstanceUID += ".1"
    changed = io.BytesIO()
    ds.save_as(changed)
    assert not same_object(data, changed.getvalue())
    del ds.SOPInstanceUID
    fewer = io.BytesIO()
    ds.save_as(fewer, enforce_file_format=False)
    assert not same_object(changed.getvalue(), fewer.getvalue())


def test_another_fragment_is_another_object() -> None:
    ds = pydicom.dcmread(made.SAMPLES / "MR_small_RLE.dcm")
    ds.DataSetTrailingPadding = b"\0\0"
    plain = io.BytesIO()
    ds.save_as(plain)
    ds.PixelData = ds.PixelData[:2000] + bytes([ds.PixelData[2000] ^ 1]) + ds.PixelData[2001:]
    ds.DataSetTrailingPadding = b"\0\0\0\0"
    other = io.BytesIO()
    ds.save_as(other)
    assert not same_object(plain.getvalue(), other.getvalue())


def test_what_is_no_file_is_not_compared() -> None:
    data = (made.SAMPLES / "CT_small.dcm").read_bytes()
    for other in (b"\x00" * 200, data[:-2]):
        with pytest.raises(IsocenterError):
            same_object(data, other)
