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


def test_the_patients_own_name_never_stays_even_where_it_is_a_word() -> None:
    assert cleaned("HEAD of Head, Brain", {"head"}) == "of Brain"
    assert holds("Tom's scanner", {"tom"}) and not holds("SOMATOM", {"tom"}) and not holds("x", set())


def test_names_and_places_are_no_vocabulary() -> None:
    assert len(vocabulary()) > 4000
    assert not vocabulary() & {"smith", "johnson", "meyer", "rose", "grace", "london", "boston", "monday", "hospital"}
