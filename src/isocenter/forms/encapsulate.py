"""A report's PDF inside a DICOM object, so that the archive files it with the study, and out again."""

from __future__ import annotations

from datetime import datetime

from isocenter.errors import Refused
from isocenter.forms import maker
from isocenter.forms.maker import Sources
from isocenter.record import Code, Study

__all__ = ["read", "write"]

_REPORT = Code("11528-7", "LN", "Radiology Report")
_PDF_STORAGE = "1.2.840.10008.5.1.4.1.1.104.1"


def write(pdf: bytes, study: Study, sources: Sources, *, when: datetime, title: str, identity: str) -> bytes:
    """An Encapsulated PDF object (PS3.3 A.45.1).

    Args:
        pdf: the document; kept byte by byte.
        study: the study to file it with; its first image lends patient and study.
        title: of the document.
        identity: what makes this version of the report this one, such as its digest; the UIDs follow from it.

    Raises:
        Refused: when the bytes are no PDF or the study has no instance.
    """
    from pydicom import Dataset

    if not pdf.startswith(b"%PDF-"):
        raise Refused(
            f"{len(pdf)} bytes that do not begin with %PDF-", "it is not a PDF document", "give the PDF itself"
        )
    made = maker.filed(study, sources, _PDF_STORAGE, "pdf", identity)
    made.SeriesInstanceUID = maker.uid(study.uid, "pdf", "series")
    made.SeriesNumber, made.Modality = 9004, "DOC"
    made.SeriesDescription = "Report"
    made.ConversionType = "WSD"
    made.BurnedInAnnotation = "YES"
    made.DocumentTitle = title[:1024]
    name = Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = _REPORT.code, _REPORT.scheme, _REPORT.meaning
    made.ConceptNameCodeSequence = [name]
    made.MIMETypeOfEncapsulatedDocument = "application/pdf"
    maker.settle(made, when, study.uid, "pdf", identity)
    made.AcquisitionDateTime = when.strftime("%Y%m%d%H%M%S")
    made.EncapsulatedDocument = pdf + b"\x00" * (len(pdf) % 2)
    made.EncapsulatedDocumentLength = len(pdf)
    return maker.dump(made)


def read(data: bytes) -> bytes:
    """The document inside, byte by byte.

    Raises:
        Refused: when the object holds no PDF.
    """
    with maker.reading("an encapsulated document"):
        found = maker.load(data)
        if found.get("MIMETypeOfEncapsulatedDocument") != "application/pdf" or "EncapsulatedDocument" not in found:
            raise Refused(
                f"an object of SOP Class {found.get('SOPClassUID')}",
                "it holds no PDF document",
                "choose an encapsulated PDF",
            )
        held = bytes(found.EncapsulatedDocument)
        length = found.get("EncapsulatedDocumentLength")
        return held[: int(length)] if length is not None else held.rstrip(b"\x00")
