"""Which earlier studies are worth looking at."""

from __future__ import annotations

from datetime import date

from isocenter.reading.priors import priors, region
from isocenter.record import Patient, Series, Study


def study(uid: str, day: date | None, words: str, modality: str = "CT", patient: str = "p", time: str = "") -> Study:
    return Study(uid, Patient(patient), date=day, time=time, description=words, series=(Series(uid, modality),))


TODAY = study("today", date(2026, 11, 1), "CT chest", time="120000")


def test_same_region_first_then_the_newest() -> None:
    others = [
        study("abdomen", date(2026, 10, 1), "CT abdomen"),
        study("old chest", date(2025, 1, 1), "thorax"),
        study("chest", date(2026, 4, 2), "chest pa", "DX"),
        study("newer chest", date(2026, 3, 2), "CT lung"),
    ]
    found = priors(TODAY, others)
    assert [p.study.uid for p in found] == ["newer chest", "old chest", "chest", "abdomen"]
    assert [p.same_region for p in found] == [True, True, True, False]
    assert [p.days for p in found] == [244, 669, 213, 31]
    assert [p.modalities for p in found] == [("CT",), ("CT",), (), ("CT",)]


def test_only_this_patient_and_only_before() -> None:
    others = [
        TODAY,
        study("later", date(2026, 11, 2), "CT chest"),
        study("same morning", date(2026, 11, 1), "CT chest", time="080000"),
        study("no date", None, "CT chest"),
        study("another person", date(2026, 1, 1), "CT chest", patient="q"),
    ]
    assert [p.study.uid for p in priors(TODAY, others)] == ["same morning"]


def test_a_study_without_words_has_no_region_and_shares_none() -> None:
    assert region(study("1", None, "follow-up")) == ""
    assert not priors(study("1", date(2026, 1, 2), "x"), [study("0", date(2026, 1, 1), "y")])[0].same_region


def test_the_body_part_of_a_series_names_the_region() -> None:
    assert region(Study("1", Patient("p"), series=(Series("1", "CT", body_part="KNEE"),))) == "leg"
