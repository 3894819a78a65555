"""Whose an image is now: the patient of the archive, laid over what a file says of whoever it was sent under.

After a merge or a move the index tells another patient than the bytes, which nobody changes. Searches tell the patient
of the index; what describes an image without being its bytes tells the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from isocenter.doors.dicom_json import row
from isocenter.record import Patient

__all__ = ["WORDS", "laid_over", "otherwise"]

_TAGS: Final = {
    "PatientName": "00100010", "PatientID": "00100020", "IssuerOfPatientID": "00100021",
    "PatientBirthDate": "00100030", "PatientSex": "00100040",
}  # fmt: skip
WORDS: Final = tuple(_TAGS)
"""Keywords of what is laid over."""
_CHARACTERS: Final = "00080005"


def otherwise(said: Mapping[str, str], patient: Patient) -> dict[str, str]:
    """What the archive says of a patient otherwise than a file: keyword -> value.

    What is not known of a patient stays as the file has it, unless the file is of another patient: then it is empty.

    >>> otherwise({"PatientID": "P1", "PatientName": "DOE^JANE", "PatientSex": "F"}, Patient("P7", "ROE^JANE"))
    {'PatientName': 'ROE^JANE', 'PatientID': 'P7', 'PatientSex': ''}
    >>> otherwise({"PatientID": "P7", "PatientName": "ROE^JANE^^", "PatientSex": "F"}, Patient("P7", "ROE^JANE"))
    {}
    """
    born = "" if patient.birth_date is None else patient.birth_date.strftime("%Y%m%d")
    held = dict(zip(_TAGS, (patient.name, patient.id, patient.issuer, born, patient.sex), strict=True))
    another = any(_plain(said.get(word, "")) != held[word] for word in ("PatientID", "IssuerOfPatientID"))
    return {
        word: value
        for word, value in held.items()
        if (value or another) and _plain(value) != _plain(said.get(word, ""))
    }


def laid_over(header: dict[str, Any], patient: Patient) -> dict[str, Any]:
    """A header as DICOM JSON that tells the patient of the archive."""
    changed = otherwise({word: _text(header.get(tag)) for word, tag in _TAGS.items()}, patient)
    if not changed:
        return header
    told = {**header, **row(changed, changed)}
    if not all(value.isascii() for value in changed.values()):
        told[_CHARACTERS] = {"vr": "CS", "Value": ["ISO_IR 192"]}
    return dict(sorted(told.items()))


def _text(element: Mapping[str, Any] | None) -> str:
    (first, *_) = (element or {}).get("Value") or [""]
    if isinstance(first, Mapping):  # a name in up to three ways of writing
        return "=".join(str(first.get(way, "")) for way in ("Alphabetic", "Ideographic", "Phonetic"))
    return "" if first is None else str(first)


def _plain(text: str) -> str:
    """Without what only fills up: spaces, and empty parts of a name at their ends."""
    return "=".join(part.rstrip("^ ") for part in text.strip().split("=")).rstrip("=")
