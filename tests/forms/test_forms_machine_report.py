"""Numbers of a machine's report: what stands below a number is none of its own, and what is no report is refused."""

from __future__ import annotations

import io
import math
import warnings

import pytest
from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.errors import NotWhole, Refused
from isocenter.forms.machine_report import read


def named(code: str) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = code, "LN", code
    return made


def item(kind: str, code: str, *below: Dataset, value: str = "") -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType, made.ConceptNameCodeSequence = "CONTAINS", kind, [named(code)]
    if value:
        measured = Dataset()
        measured.NumericValue, measured.MeasurementUnitsCodeSequence = value, [named("mm")]
        made.MeasuredValueSequence = [measured]
    if below:
        made.ContentSequence = list(below)
    return made


def filed(*content: Dataset, modality: str = "SR") -> bytes:
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID, made.Modality = "1.2.840.10008.5.1.4.1.1.88.33", "2.25.1", modality
    made.StudyDate, made.ContentDate, made.ContentTime = "20260302", "20260302", "101500.123"
    made.ConceptNameCodeSequence, made.ContentSequence = [named("title")], list(content)
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, "2.25.1"
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()


def test_numbers_come_with_their_containers_and_without_what_they_were_derived_from() -> None:
    weight = item("NUM", "weight", item("NUM", "from", value="73"), value="1100")
    report = read(filed(item("CONTAINER", "a", item("CONTAINER", "b", weight)), item("NUM", "empty")))
    (number,) = report.numbers
    assert (number.what.code, number.value, number.unit) == ("weight", 1100.0, "mm")
    assert [c.code for c in number.within] == ["a", "b"] and report.written == "20260302101500"


def test_what_is_no_report_is_refused() -> None:
    with pytest.raises(Refused, match="modality US"):
        read(filed(modality="US"))
    with pytest.raises(NotWhole):
        read(b"nothing")


def test_a_decimal_comma_is_one_and_what_is_no_number_is_none() -> None:
    data = filed(item("NUM", "comma", value="260.36"), item("NUM", "words", value="999.99"))
    data = data.replace(b"260.36", b"260,36").replace(b"999.99", b"abc.99")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        comma, words = read(data).numbers
    assert comma.value == 260.36 and math.isnan(words.value)
