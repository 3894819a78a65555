"""Whose an image is now stands over what its file says of whoever it was sent under."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest

from isocenter.doors.whose import laid_over
from isocenter.record import Patient

FILE: dict[str, Any] = {
    "00080005": {"vr": "CS", "Value": ["ISO_IR 100"]},
    "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Doe^Jane", "Ideographic": "\u5c71^\u82b1"}]},
    "00100020": {"vr": "LO", "Value": ["P1"]},
    "00100030": {"vr": "DA", "Value": ["19600101"]},
    "00100040": {"vr": "CS", "Value": ["F"]},
    "00101010": {"vr": "AS", "Value": ["066Y"]},
}


@pytest.mark.parametrize(
    "patient",
    [
        Patient("P1", "Doe^Jane=\u5c71^\u82b1", date(1960, 1, 1), "F"),
        Patient("P1", "Doe^Jane^^=\u5c71^\u82b1=", date(1960, 1, 1), "F"),
        Patient("P1"),  # what the archive does not know of the same patient is not taken out
    ],
)
def test_a_header_of_its_own_patient_stays_as_it_is(patient: Patient) -> None:
    assert laid_over(FILE, patient) is FILE


def test_a_header_tells_the_other_patient_and_nothing_of_the_one_before() -> None:
    told = laid_over(FILE, Patient("P7", "Sch\u00f6n^Anna", None, "", "WARD"))
    assert told["00100010"]["Value"] == [{"Alphabetic": "Sch\u00f6n^Anna"}]
    assert (told["00100020"]["Value"], told["00100021"]["Value"]) == (["P7"], ["WARD"])
    assert told["00100030"] == {"vr": "DA"} and told["00100040"] == {"vr": "CS"}
    assert told["00080005"]["Value"] == ["ISO_IR 192"] and list(told) == sorted(told)
    assert FILE["00100020"]["Value"] == ["P1"], "what was read is not written into"


def test_a_name_that_was_corrected_is_told_and_the_rest_stays() -> None:
    told = laid_over(FILE, Patient("P1", "Doe-Smith^Jane"))
    assert told["00100010"]["Value"] == [{"Alphabetic": "Doe-Smith^Jane"}]
    assert told["00100030"] == FILE["00100030"] and told["00100040"] == FILE["00100040"]
