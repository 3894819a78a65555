"""A report of an ultrasound machine by the tables of PS3.16 TID 5000, made with pydicom alone."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import Any

from pydicom import Dataset
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

Name = tuple[str, str, str]
MM, CM, DAYS = (("mm", "UCUM", "mm"), ("cm", "UCUM", "cm"), ("d", "UCUM", "days"))
BPD, HC, AC = (("11820-8", "LN", "BPD"), ("11984-2", "LN", "HC"), ("11979-2", "LN", "AC"))
FL, CRL = (("11963-6", "LN", "FL"), ("11957-8", "LN", "CRL"))
EDD, LMP = ("11778-8", "LN", "EDD"), ("8665-2", "LN", "LMP")
COMPOSITE = ("11888-5", "LN", "Composite Ultrasound Age")
FETUSES = ("11878-6", "LN", "Number of Fetuses by US")
STUDY = "2.25.71"


def coded(name: Name) -> Dataset:
    made = Dataset()
    made.CodeValue, made.CodingSchemeDesignator, made.CodeMeaning = name
    return made


def item(kind: str, name: Name, *below: Dataset, how: str = "CONTAINS", **held: Any) -> Dataset:
    made = Dataset()
    made.RelationshipType, made.ValueType, made.ConceptNameCodeSequence = how, kind, [coded(name)]
    for keyword, value in held.items():
        setattr(made, keyword, value)
    if below:
        made.ContentSequence = list(below)
    return made


def box(code: str, *below: Dataset) -> Dataset:
    return item("CONTAINER", (code, "DCM", code), *below, ContinuityOfContent="SEPARATE")


def number(name: Name, value: float | None, unit: Name = MM, *below: Dataset, how: str = "CONTAINS") -> Dataset:
    made = item("NUM", name, *below, how=how, MeasuredValueSequence=[])
    if value is not None:
        measured = Dataset()
        measured.NumericValue, measured.MeasurementUnitsCodeSequence = f"{value:.8g}", [coded(unit)]
        made.MeasuredValueSequence = [measured]
    return made


def word(name: Name, value: Name, how: str = "HAS CONCEPT MOD") -> Dataset:
    return item("CODE", name, how=how, ConceptCodeSequence=[coded(value)])


def day(name: Name, value: str) -> Dataset:
    return item("DATE", name, Date=value)


def derived(code: str, scheme: str = "SCT") -> Dataset:
    return word(("121401", "DCM", "Derivation"), (code, scheme, "derived"))


def chosen() -> Dataset:
    return word(("121404", "DCM", "Selection Status"), ("121410", "DCM", "User chosen value"), "HAS PROPERTIES")


def of_fetus(name: str = "", which: int = 0) -> list[Dataset]:
    context = [word(("121024", "DCM", "Subject Class"), ("121026", "DCM", "Fetus"), "HAS OBS CONTEXT")]
    if name:
        context.append(item("TEXT", ("121030", "DCM", "Subject ID"), how="HAS OBS CONTEXT", TextValue=name))
    if which:
        context.append(number(("121037", "DCM", "Fetus Number"), which, ("1", "UCUM", "1"), how="HAS OBS CONTEXT"))
    return context


def biometry(*numbers: Dataset, of: Sequence[Dataset] = ()) -> Dataset:
    """Fetal Biometry with each number in a group of its own."""
    return box("125002", *of, *(box("125005", one) for one in numbers))


def written(*sections: Dataset, uid: str = "2.25.72", at: str = "101500", title: str = "125000",
            replaces: str = "") -> bytes:  # fmt: skip
    made = Dataset()
    made.SOPClassUID, made.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.88.33", uid
    made.StudyInstanceUID, made.SeriesInstanceUID = STUDY, f"{uid}.1"
    made.PatientID, made.PatientName, made.PatientBirthDate, made.PatientSex = "OB", "OB^ONE", "19920101", "F"
    made.Modality, made.StudyDate, made.StudyTime = "SR", "20260302", "101000"
    made.ContentDate, made.ContentTime = "20260302", at
    if replaces:
        one, series, before = Dataset(), Dataset(), Dataset()
        before.ReferencedSOPClassUID, before.ReferencedSOPInstanceUID = made.SOPClassUID, replaces
        series.SeriesInstanceUID, series.ReferencedSOPSequence = "2.25.79", [before]
        one.StudyInstanceUID, one.ReferencedSeriesSequence = STUDY, [series]
        made.PredecessorDocumentsSequence = [one]
    made.ValueType, made.ContinuityOfContent = "CONTAINER", "SEPARATE"
    made.ConceptNameCodeSequence = [coded((title, "DCM", "a title"))]
    made.ContentSequence = [
        word(("121024", "DCM", "Subject Class"), ("121025", "DCM", "Patient"), "HAS OBS CONTEXT"),
        item("TEXT", ("121030", "DCM", "Subject ID"), how="HAS OBS CONTEXT", TextValue="OB"),
        *sections,
    ]
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID, made.file_meta.MediaStorageSOPInstanceUID = made.SOPClassUID, uid
    out = io.BytesIO()
    made.save_as(out, enforce_file_format=True)
    return out.getvalue()
