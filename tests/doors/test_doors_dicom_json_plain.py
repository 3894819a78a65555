"""What is read straight from the bytes is what a library reads from them, on every sample that it brings."""

from __future__ import annotations

import json
from collections.abc import Callable
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset

from isocenter.dicom.elements import parse
from isocenter.doors import dicom_json
from isocenter.doors.dicom_json_plain import element
from isocenter.errors import IsocenterError

_FILES = sorted(Path(str(get_testdata_file("CT_small.dcm"))).parent.glob("*.dcm"))


def _text(made: object) -> str:
    return json.dumps(made, sort_keys=True, default=str)


@pytest.mark.filterwarnings("ignore::UserWarning")  # the library says that some samples are odd
def test_every_element_of_every_sample_is_as_a_library_reads_it() -> None:
    plain = others = 0
    for path in _FILES:
        data = path.read_bytes()
        try:
            file = parse(data)
        except IsocenterError:
            continue  # it would not have been stored
        dataset = dcmread(BytesIO(data))
        for tag, slot in file.dataset.items():
            if tag & 0xFFFF and tag in dataset:
                made = element(file, tag, slot, "u")
                if made is None:
                    others += 1
                else:
                    plain += 1
                    assert _text(made) == _text(dicom_json._element(dataset, tag, "u")), (path.name, f"{tag:08X}")
    assert plain > 3000 and plain > 10 * others, (plain, others)


@pytest.mark.parametrize(
    ("vr", "value"),
    [
        (b"IS", b"1_0 "), (b"IS", b"1.5 "),
        (b"DS", b"NaN "), (b"DS", b"1\\\\2"), (b"LO", b"a\\\\b"), (b"PN", b"A^B=C "),
        (b"LO", "\xe9 ".encode("latin-1")), (b"US", b"abc"), (b"FD", b"\xff" * 8), (b"AE", b"A\0"), (b"UR", b"x "),
        (b"AT", b"\x08\x00\x18\x00"),
    ],
)  # fmt: skip
def test_what_could_be_read_in_two_ways_is_left_to_the_library(
    vr: bytes, value: bytes, sample: Callable[[str], bytes]
) -> None:
    data = _file(vr, value)
    file = parse(data)
    assert element(file, 0x00091001, file.dataset[0x00091001], "u") is None
    assert "00091001" in dicom_json.header(data, "u")


def _file(vr: bytes, value: bytes) -> bytes:
    dataset = Dataset()
    dataset.PatientID = "P"
    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2"
    made = BytesIO()
    dataset.save_as(made, enforce_file_format=True)
    head = b"\x09\x00\x01\x10" + vr
    long = vr in (b"UR",)
    size = b"\0\0" + len(value).to_bytes(4, "little") if long else len(value).to_bytes(2, "little")
    before, mark, after = made.getvalue().partition(b"\x10\x00\x20\x00")
    return before + head + size + value + mark + after
