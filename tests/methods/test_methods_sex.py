"""The sex that a header states."""

import pytest

from isocenter.methods.pet_header import read
from isocenter.methods.sex import sex_stated
from isocenter.methods.suv import lean_body_mass_kg


@pytest.mark.parametrize(
    ("said", "meant"), [("M", "M"), ("male", "M"), ("FEMALE", "F"), (" f", "F"), ("O", "O"), ("W", "W")]
)
def test_words_are_read_and_nothing_is_guessed(said: str, meant: str) -> None:
    assert sex_stated(said) == meant


def test_a_lean_mass_of_who_is_called_female_is_a_woman_s() -> None:
    scan = read({"Units": "BQML", "PatientSex": "Female"})
    assert lean_body_mass_kg(70.0, 1.7, scan.sex) == lean_body_mass_kg(70.0, 1.7, "F")
