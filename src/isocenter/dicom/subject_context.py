"""What a content item of a structured report tells of the person it is about: who it is, when born, how old.

An attribute of its own has a line in PS3.15 table E.1-1; a report says the same in items whose meaning is a code
(PS3.16 TID 1007, Subject Context, Patient), and of these the table knows only that there is a text, a date or a number.
"""

from __future__ import annotations

from enum import StrEnum

from isocenter.dicom.elements import Dataset, File

__all__ = ["OLDEST_YEARS", "Tells", "oldest_of", "tells"]

OLDEST_YEARS = 89
"""Who is older is one of few."""

_NAME, _VALUE, _SCHEME, _UNITS, _NUMBER = 0x0040A043, 0x00080100, 0x00080102, 0x004008EA, 0x0040A30A


class Tells(StrEnum):
    """What an item tells of its subject."""

    NOTHING = ""
    WHO = "who"
    BIRTH = "birth"
    AGE = "age"


_CONCEPTS = {
    ("DCM", "121029"): Tells.WHO,  # Subject Name
    ("DCM", "121030"): Tells.WHO,  # Subject ID
    ("DCM", "121022"): Tells.WHO,  # Accession Number
    ("DCM", "128774"): Tells.WHO,  # Person Observer's Login Name
    ("DCM", "121031"): Tells.BIRTH,  # Subject Birth Date
    ("LN", "21112-8"): Tells.BIRTH,
    ("SCT", "184099003"): Tells.BIRTH,
    ("DCM", "121033"): Tells.AGE,  # Subject Age
    ("LN", "30525-0"): Tells.AGE,
    ("LN", "21612-7"): Tells.AGE,
    ("SCT", "397669002"): Tells.AGE,
    ("SCT", "424144002"): Tells.AGE,
}
_A_YEAR = {"a": 1.0, "mo": 12.0, "wk": 52.18, "d": 365.25}  # UCUM


def tells(file: File, among: Dataset) -> Tells:
    """What an item tells, by the code of its concept name."""
    for name in file.items(_NAME, among):
        return _CONCEPTS.get((file.ascii(_SCHEME, name), file.ascii(_VALUE, name)), Tells.NOTHING)
    return Tells.NOTHING


def oldest_of(file: File, measured: Dataset) -> float | None:
    """The number that stands for every age beyond 89 years, in the unit of a measured age; None for a younger one.

    An age whose unit is not known counts in years.

    Args:
        measured: an item of a Measured Value Sequence.
    """
    unit = next((file.ascii(_VALUE, one) for one in file.items(_UNITS, measured)), "a")
    in_a_year = _A_YEAR.get(unit, 1.0)
    said = file.decimals(_NUMBER, measured)
    if all(value <= (OLDEST_YEARS + 1) * in_a_year - 1e-9 for value in said) and said:
        return None
    return (OLDEST_YEARS + 1) * in_a_year
