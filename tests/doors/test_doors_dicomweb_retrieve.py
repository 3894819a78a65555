from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO

import pytest
from pydicom import dcmread
from shelf_for_doors import READER, Shelf

from isocenter.doors import dicomweb_retrieve as retrieve
from isocenter.doors.media import EXPLICIT, NotAcceptable, wishes
from isocenter.errors import NotFound, Refused

_RLE = "1.2.840.10008.1.2.5"
_DICOM = 'multipart/related; type="application/dicom"'


def _target(shelf: Shelf, *files: bytes) -> retrieve.Target:
    for data in files:
        shelf.files[str(dcmread(BytesIO(data), stop_before_pixels=True).SOPInstanceUID)] = data
    uid = str(dcmread(BytesIO(files[0]), stop_before_pixels=True).StudyInstanceUID)
    return retrieve.find_target(shelf, READER, "http://x", uid)


def _parts(body: retrieve.Body) -> list[bytes]:
    boundary = body.type.split("boundary=")[1].encode()
    whole = b"".join(body.pieces)
    return [p.split(b"\r\n\r\n", 1)[1][:-2] for p in whole.split(b"--" + boundary)[1:-1]]


@pytest.mark.parametrize(
    ("accept", "syntax"),
    [
        (_DICOM + "; transfer-syntax=*", _RLE),
        ("*/*", _RLE),
        (_DICOM, EXPLICIT),
        (_DICOM + f"; transfer-syntax={EXPLICIT}", EXPLICIT),
        (_DICOM + "; transfer-syntax=1.2.840.10008.1.2", "1.2.840.10008.1.2"),
        (f"{_DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90, {_DICOM}; transfer-syntax={_RLE};q=0.5", _RLE),
        (f"{_DICOM}; transfer-syntax=1.2.840.10008.1.2.4.90, {_DICOM}", EXPLICIT),
    ],
)
def test_the_transfer_syntax_is_the_one_asked_for(
    shelf: Shelf, sample: Callable[[str], bytes], accept: str, syntax: str
) -> None:
    data = sample("MR_small_RLE.dcm")
    (part,) = _parts(retrieve.whole(shelf, READER, _target(shelf, data), wishes(accept)))
    assert dcmread(BytesIO(part)).file_meta.TransferSyntaxUID == syntax
    assert (part == data) is (syntax == _RLE)


def test_one_instance_comes_alone_when_asked_so(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    data = sample("CT_small.dcm")
    body = retrieve.whole(shelf, READER, _target(shelf, data), wishes("application/dicom"))
    assert body.type.startswith("application/dicom;") and b"".join(body.pieces) == data


@pytest.mark.parametrize("begin", [b"MZ\x90", b"\x7fELF", b"#!/bin/sh\n", b"%PDF-1.4", b"<html><script>"])
def test_no_program_leaves_in_front_of_an_image(shelf: Shelf, sample: Callable[[str], bytes], begin: bytes) -> None:
    data = sample("CT_small.dcm")
    planted = begin + data[len(begin) :]
    for accept in ("application/dicom", _DICOM + "; transfer-syntax=*"):
        left = b"".join(retrieve.whole(shelf, READER, _target(shelf, planted), wishes(accept)).pieces)
        assert begin not in left and bytes(128) + data[128:] in left
    assert shelf.files[str(dcmread(BytesIO(data)).SOPInstanceUID)] == planted, "what is stored stays as it came"


@pytest.mark.parametrize("accept", ["text/html", "image/png", _DICOM + "; transfer-syntax=1.2.840.10008.1.2.4.80"])
def test_what_cannot_be_given_whole(shelf: Shelf, sample: Callable[[str], bytes], accept: str) -> None:
    target = _target(shelf, sample("CT_small.dcm"))
    with pytest.raises(NotAcceptable):
        retrieve.whole(shelf, READER, target, wishes(accept))


def test_nothing_is_read_before_it_is_sent(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    """A study of thousands of images is given with one image in memory."""
    target = _target(shelf, sample("CT_small.dcm"))
    many = replace(target, instances=target.instances * 50)
    read: list[str] = []
    fetch = shelf.instance
    shelf.instance = lambda uid, *, who: read.append(uid) or fetch(uid, who=who)  # type: ignore[assignment, func-returns-value, method-assign]
    body = retrieve.whole(shelf, READER, many, wishes("*/*"))
    assert len(read) == 1
    for _ in range(4):
        next(body.pieces)
    assert len(read) <= 3


def test_metadata_of_all(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    target = _target(shelf, sample("CT_small.dcm"))
    body = retrieve.metadata(shelf, READER, replace(target, instances=target.instances * 2), wishes("application/json"))
    said = json.loads(b"".join(body.pieces))
    assert len(said) == 2 and said[0]["7FE00010"]["BulkDataURI"].startswith("http://x/studies/")
    with pytest.raises(NotAcceptable):
        retrieve.metadata(shelf, READER, target, wishes("application/dicom+xml"))


@pytest.mark.parametrize("text", ["0", "", "a", "1,,2", "-1", "1.5", "99999999999", "\u0661"])
def test_lists_of_frames_that_are_none(text: str) -> None:
    with pytest.raises(Refused):
        retrieve.frame_numbers(text)


def test_frames_as_stored_equal_the_stored_fragment(sample: Callable[[str], bytes]) -> None:
    from pydicom.encaps import generate_frames

    data = sample("examples_ybr_color.dcm")
    dataset = dcmread(BytesIO(data))
    count = int(dataset.NumberOfFrames)
    stored = list(generate_frames(dataset.PixelData, number_of_frames=count))
    syntax = str(dataset.file_meta.TransferSyntaxUID)
    numbers = [1, count, 2]
    body = retrieve.frames(data, numbers, syntax, wishes("multipart/related; type=image/jpeg"))
    assert _parts(body) == [stored[n - 1] for n in numbers]
    assert "image/jpeg" in body.type
    with pytest.raises(NotFound, match=f"frame {count + 1}"):
        retrieve.frames(data, [count + 1], syntax, wishes("*/*"))


def test_a_decoded_frame_is_the_picture(sample: Callable[[str], bytes]) -> None:
    data = sample("MR_small_RLE.dcm")
    body = retrieve.frames(data, [1], _RLE, wishes("application/octet-stream"))
    assert b"".join(body.pieces) == dcmread(BytesIO(data)).pixel_array.astype("<i2").tobytes()
    assert body.type == f"application/octet-stream; transfer-syntax={EXPLICIT}"


def test_several_frames_do_not_fit_into_one_part(sample: Callable[[str], bytes]) -> None:
    with pytest.raises(NotAcceptable, match="several frames"):
        retrieve.frames(
            sample("examples_ybr_color.dcm"), [1, 2], "1.2.840.10008.1.2.4.50", wishes("application/octet-stream")
        )


def test_bulk_data(sample: Callable[[str], bytes]) -> None:
    data = sample("CT_small.dcm")
    pixels = dcmread(BytesIO(data)).PixelData
    single = retrieve.bulk(data, "7FE00010", EXPLICIT, wishes("application/octet-stream"))
    many = retrieve.bulk(data, "7FE00010", EXPLICIT, wishes("multipart/related; type=application/octet-stream"))
    assert b"".join(single.pieces) == pixels and _parts(many) == [pixels]
    with pytest.raises(NotAcceptable):
        retrieve.bulk(data, "7FE00010", EXPLICIT, wishes("text/plain"))


def test_the_picture_that_stands_for_a_study(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    with pytest.raises(NotFound, match="picture"):
        retrieve.first_image(_target(shelf, sample("rtplan.dcm")))
    assert retrieve.first_image(_target(shelf, sample("CT_small.dcm"))).rows == 128


def test_entity_tags_change_with_what_arrives(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    ct = sample("CT_small.dcm")
    one = _target(shelf, ct).tag
    assert _target(shelf, ct).tag == one
    assert _target(shelf, ct, ct.replace(b"5962.1.1.1.1.1.2004", b"5962.1.1.1.1.2.2004")).tag != one


def test_a_series_or_instance_that_is_not_there(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    target = _target(shelf, sample("CT_small.dcm"))
    study = target.instances[0][0].split("/")[4]
    own = target.instances[0][0].split("/")[6]
    for series, instance in (("1.2", None), (own, "1.2"), ("1.2", target.instances[0][1].sop_uid)):
        with pytest.raises(NotFound):
            retrieve.find_target(shelf, READER, "http://x", study, series, instance)
