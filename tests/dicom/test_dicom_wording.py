"""Words that may stay, and all others."""

from __future__ import annotations

import pytest

from isocenter.dicom.wording import cleaned, holds, vocabulary


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ("MR BRAIN W/O CONTRAST", "MR BRAIN WO CONTRAST"),
        ("AX T2 FLAIR FS 3mm", "AX T2 FLAIR FS 3mm"),
        ("Thorax PA Meyerhoff", "Thorax PA"),
        ("call 0351/4772-11 or mail a.b@c.de", "or"),
        ("born 12.05.1960, MRN 00123456", ""),
        ("seen 2024-03-01 by Dr. Okonkwo in Dresden: nodule 8 mm", "seen by in nodule 8 mm"),
        ("12 34 56 78", ""),
        ("見本太郎", ""),
    ],
)
def test_only_known_words_and_short_numbers_stay(said: str, stays: str) -> None:
    kept = cleaned(said)
    assert {w for w in kept.split() if w not in ("seen", "call", "mail", "born")} <= set(stays.split()) | {"8"}
    assert not {"Meyerhoff", "Okonkwo", "Dresden", "1960", "00123456", "4772"} & set(kept.split())
    if stays.isupper():
        assert kept == stays


@pytest.mark.parametrize(
    ("said", "stays"),
    [
        ("CT thorax 5/7/24", "CT thorax"), ("CT thorax 5.7.2024", "CT thorax"), ("5_7_24 thorax", "thorax"),
        ("2024_07_05 thorax", "thorax"), ("thorax 24-07-05", "thorax"), ("5 7 24 thorax", "thorax"),
        ("7Jul thorax", "thorax"), ("may5 thorax", "thorax"), ("chest 3/4 view 1.5", "chest 3 4 view 1.5"),
        ("T2 3 5 8", "T2 3 5 8"), ("axial 3x3x20mm", "axial"),
    ],
)  # fmt: skip
def test_a_day_stays_in_no_text_and_other_numbers_do(said: str, stays: str) -> None:
    assert cleaned(said) == stays


@pytest.mark.parametrize(
    "said",
    [
        "7 July",
        "7. Juli",
        "July 7th",
        "3rd of Sept.",
        "on 5/7",
        "vom 7.7.",
        "seit 7.7",
        "born 31.12.",
        "07.07.",
        "12.05.",
    ],
)
def test_a_day_without_a_year_goes_where_the_words_around_it_say_that_it_is_one(said: str) -> None:
    assert [w for w in cleaned(f"thorax {said} lung").split() if w not in ("on", "born")] == ["thorax", "lung"]


@pytest.mark.parametrize("said", ["on 1.5T", "series 7.7", "3 4 view", "1.5", "on 45.7", "from 1.5 to 3.0 mm"])
def test_a_measure_is_no_day_without_a_year(said: str) -> None:
    assert cleaned(f"thorax {said} lung") == f"thorax {said} lung"


@pytest.mark.parametrize(
    "said", ["95Y", "095Y", "95 years old", "93yo", "F93", "93 F", "aged 101", "age: 90", "92 Jahre"]
)
def test_an_age_beyond_89_years_stays_in_no_text(said: str) -> None:
    assert cleaned(f"thorax {said}, lung") == "thorax lung"
    assert cleaned("thorax 41Y F88 12mm") == "thorax 41Y F88 12mm"


@pytest.mark.parametrize("said", ["W1A 1AA", "SW1A1AA", "M1 1AE", "K1A 0B1"])
def test_a_postal_code_is_no_short_code(said: str) -> None:
    assert cleaned(f"chest {said}") == "chest"
    assert cleaned("T2 3D L4 5MM C7 T1") == "T2 3D L4 5MM C7 T1"


@pytest.mark.parametrize("said", ["Mr Long", "Dr. White", "DR. BLACK", "Frau Head", "Miss Short", "Prof Hand"])
def test_a_word_behind_a_title_is_a_name(said: str) -> None:
    assert cleaned(f"chest, {said}") == "chest" and cleaned("MR long axis, DR chest") == "MR long axis chest"


def test_the_patients_own_name_never_stays_even_where_it_is_a_word() -> None:
    assert cleaned("HEAD of Head, Brain", {"head"}) == "of Brain"
    assert cleaned("chest K 123 lung 12", {"k123"}) == "chest lung 12" and holds("model K-123", {"k123"})
    assert holds("Tom's scanner", {"tom"}) and not holds("SOMATOM", {"tom"}) and not holds("x", set())


def test_names_and_places_are_no_vocabulary() -> None:
    assert len(vocabulary()) > 4000
    assert not vocabulary() & {
        "smith",
        "johnson",
        "meyer",
        "rose",
        "grace",
        "london",
        "boston",
        "monday",
        "hospital",
        "berlin",
    }
