"""Without a lie, what is written element by element is a whole object that everybody reads."""

from __future__ import annotations

import random
from io import BytesIO

import pydicom
import pytest

from isocenter.dicom.header import read_header
from isocenter.dicom.pixels import frames
from isocenter.testing.crooked import DEFLATED, EXPLICIT, IMPLICIT, deflated, element, image, item, uid, written


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
def test_an_image_without_a_lie_is_read_by_us_and_by_pydicom(syntax: str) -> None:
    made = image(random.Random(1), rows=3, columns=5)
    data = written(made, syntax=syntax)
    record = read_header(data)
    assert record.series[0].instances[0].transfer_syntax == syntax and record.patient.name == "Hostile^Member"
    theirs = pydicom.dcmread(BytesIO(data))
    assert (frames(data)[0] == theirs.pixel_array).all() and theirs.SOPInstanceUID == record.series[0].instances[
        0
    ].sop_uid


def test_a_deflated_image_and_a_sequence_are_whole() -> None:
    rng = random.Random(2)
    made = image(rng)
    inside = item(element(0x00080100, "SH", b"A "))
    body = b"".join(element(tag, *made[tag]) for tag in sorted(made) if tag < 0x00400000)
    body += element(0x00400555, "SQ", inside) + element(0x7FE00010, *made[0x7FE00010])
    data = deflated(made, body)
    assert read_header(data).series[0].instances[0].transfer_syntax == DEFLATED
    assert pydicom.dcmread(BytesIO(data)).AcquisitionContextSequence[0].CodeValue == "A"


def test_a_lie_is_written_as_it_is_told_and_identities_differ() -> None:
    rng = random.Random(3)
    assert element(0x00100020, "LO", b"AB", length=99)[6:8] == b"\x63\0"
    assert item(b"", length=0xFFFFFFFF, closed=False) == b"\xfe\xff\x00\xe0\xff\xff\xff\xff"
    assert len({uid(rng) for _ in range(100)}) == 100
