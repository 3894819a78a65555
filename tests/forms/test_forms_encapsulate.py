"""A document goes into the archive and comes out byte by byte."""

import io
from pathlib import Path

import pytest
from forms_samples import SERIES_UID, WHEN, Archive, dciodvfy, radiograph
from pydicom import dcmread

from isocenter.errors import Refused
from isocenter.forms import encapsulate
from isocenter.record import Study

ODD, EVEN = b"%PDF-1.7 odd..", b"%PDF-1.7 even"


@pytest.mark.parametrize("document", [ODD, EVEN, EVEN + b"\x00\x00"])
def test_the_document_comes_back(document: bytes, archive: Archive) -> None:
    made = encapsulate.write(document, *archive, when=WHEN, title="Report", identity="a")
    assert encapsulate.read(made) == document


@pytest.mark.peer
@pytest.mark.parametrize("film", [False, True])
def test_the_validator_finds_no_error(film: bool, archive: Archive, tmp_path: Path) -> None:
    made = encapsulate.write(ODD, *(radiograph() if film else archive), when=WHEN, title="Report", identity="a")
    assert dciodvfy(made, tmp_path) == []
    header = dcmread(io.BytesIO(made))
    assert header.ConceptNameCodeSequence[0].CodeValue == "11528-7"
    assert header.SeriesInstanceUID != archive[0].series[0].uid


def test_each_version_has_its_own_identity(archive: Archive) -> None:
    made = [encapsulate.write(ODD, *archive, when=WHEN, title="Report", identity=i) for i in ("a", "a", "b")]
    assert made[0] == made[1]
    assert dcmread(io.BytesIO(made[0])).SOPInstanceUID != dcmread(io.BytesIO(made[2])).SOPInstanceUID


def test_what_is_no_document_is_refused(archive: Archive) -> None:
    with pytest.raises(Refused, match="%PDF-"):
        encapsulate.write(b"<html>", *archive, when=WHEN, title="x", identity="a")
    with pytest.raises(Refused, match="no instance"):
        encapsulate.write(ODD, Study("1.2", archive[0].patient), archive[1], when=WHEN, title="x", identity="a")
    with pytest.raises(Refused, match="no PDF"):
        encapsulate.read(archive[1](f"{SERIES_UID}.1"))
