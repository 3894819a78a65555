"""What every object says of its maker is derived, not drawn, and fits the standard."""

import io
from datetime import datetime, timedelta, timezone

import pytest
from forms_samples import SERIES_UID, WHEN, Archive, ball, file_bytes, found, radiograph
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import UID, ExplicitVRLittleEndian, SegmentationStorage

from isocenter.errors import NotFound, NotWhole, Refused
from isocenter.forms import maker
from isocenter.record import Code, Origin
from isocenter.space import Geometry


def test_uids_follow_from_words_and_are_valid() -> None:
    assert maker.uid("a", "b") == maker.uid("a", "b")
    assert len({maker.uid(*w) for w in (("a", "b"), ("ab",), ("a", "b", ""), ("b", "a"))}) == 4
    for words in (("a",), ("ü" * 500,), ()):
        assert UID(maker.uid(*words)).is_valid


def test_a_header_is_made_fit_to_be_cited() -> None:
    study, sources = radiograph()
    image = maker.header(sources, study.series[0].instances[0].sop_uid)
    assert image.PatientSex == "" and image.AccessionNumber == "" and image.PatientName == "Anonymous^"
    assert "PixelData" not in image


@pytest.mark.parametrize(("written", "kept"), [("00000000", ""), ("20120000", ""), ("20240229", "20240229")])
def test_a_day_that_is_none_is_left_empty(archive: Archive, written: str, kept: str) -> None:
    image = dcmread(io.BytesIO(archive[1](f"{SERIES_UID}.1")))
    image.PatientBirthDate = image.StudyDate = "19110101"
    data = file_bytes(image).replace(b"19110101", written.encode())  # as de-identified files have it
    cited = maker.header(lambda _: data, "x")
    assert str(cited.PatientBirthDate or "") == str(cited.StudyDate or "") == kept


def test_people_who_have_no_part_are_not_copied(archive: Archive) -> None:
    image = dcmread(io.BytesIO(archive[1](f"{SERIES_UID}.1")))
    image.PhysiciansOfRecord = "Other^Doctor"
    data = file_bytes(image)
    assert "PhysiciansOfRecord" not in maker.header(lambda _: data, "x")


def test_clock_and_chance_are_replaced() -> None:
    made = Dataset()
    made.ContentDate, made.PatientName = "20000101", "Anonymous^"
    made.DimensionOrganizationSequence = [Dataset()]
    when = datetime(2026, 11, 20, 9, 30, 1, 5, tzinfo=timezone(timedelta(hours=2)))
    maker.settle(made, when, "r", "seg")
    assert (made.ContentDate, made.SeriesTime, made.TimezoneOffsetFromUTC) == ("20261120", "093001.000005", "+0200")
    assert made.DimensionOrganizationSequence[0].DimensionOrganizationUID == maker.uid("r", "seg", "dimensions")
    assert made.PatientName == "Anonymous"


def test_codes_and_names_fit_their_fields() -> None:
    assert len(maker.coded(Code("1", "99X", "m" * 200)).meaning) == 64
    assert maker.algorithm_words(Origin("machine", "n" * 90)) == ("n" * 64, "0")
    assert maker.person_name("ito") == "ito^" and maker.person_name("Ito^A") == "Ito^A" and maker.person_name("") == ""


def test_what_is_not_there_is_refused(archive: Archive, axial: Geometry) -> None:
    with pytest.raises(NotWhole):
        maker.load(b"")
    with pytest.raises(NotFound, match=SERIES_UID):
        maker.series_of(archive[0], "1.2")
    with pytest.raises(Refused, match="wrong patient"):
        maker.must_belong(found(ball(axial), study="9"), archive[0])
    assert WHEN.tzinfo is not None


def test_decimals_that_a_sender_wrote_too_long_are_brought_to_sixteen_letters() -> None:
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.SOPClassUID, made.SOPInstanceUID = SegmentationStorage, "2.25.1"
    where, size = Dataset(), Dataset()
    where.ImagePositionPatient = [-12.600000000000001, 0.0, 37.044000000000004]
    size.SliceThickness = 1 / 3
    made.PlanePositionSequence, made.PixelMeasuresSequence = [where], [size]
    read = dcmread(io.BytesIO(maker.dump(made)))
    held = [*read.PlanePositionSequence[0].ImagePositionPatient, read.PixelMeasuresSequence[0].SliceThickness]
    assert all(len(str(v)) <= 16 for v in held)
    assert [float(v) for v in held] == pytest.approx([-12.6, 0.0, 37.044, 1 / 3], abs=1e-12)
