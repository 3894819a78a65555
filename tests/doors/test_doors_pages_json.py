"""Records as JSON where they are crooked: places that are gone, names that are empty, answers without an analysis."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
from house_for_pages import CT, DX_SERIES, FILM, NOON, House, lesion

from isocenter.doors import pages_json
from isocenter.govern.tickets import Tickets
from isocenter.reading.hanging import hang
from isocenter.reading.session import Reading
from isocenter.record import Finding, Instance, Origin, Outcome, Patient, Result, Series, Study, Verdict, codes
from isocenter.space import Region, Shape


def told(finding: Finding, study: Study, **origin: object) -> dict[str, object]:
    result = Result(
        study.uid, Outcome.FOUND, Origin(**{"kind": "machine", "name": "x", **origin}), NOON, findings=(finding,)
    )  # type: ignore[arg-type]
    said = pages_json.result(result.id, result, study)
    json.dumps(said, allow_nan=False)
    return said


def where(said: dict[str, object]) -> dict[str, object]:
    return said["findings"][0]["where"]  # type: ignore[index,no-any-return]


def test_a_finding_on_a_series_that_is_not_there_crosses_no_image() -> None:
    assert where(told(lesion(), Study(CT, Patient("p"))))["instances"] == []


def test_a_finding_without_a_place_and_one_with_an_empty_mask() -> None:
    study = House().studies[CT]
    assert where(told(replace(lesion(), where=None), study)) is None
    here = lesion().where
    assert here is not None
    assert here.mask is not None
    empty = replace(
        lesion(), where=Region(here.geometry, Shape.MASK, np.zeros_like(here.mask), series_uid=here.series_uid)
    )
    said = where(told(empty, study))
    assert (said["instances"], said["bounds"], said["centre_mm"], said["has_mask"]) == ([], None, None, True)


def test_the_only_image_of_a_series_is_crossed_even_where_nothing_says_where_it_lies() -> None:
    instance = Instance("1.9", "c", "t", "d", 1, 1, 12, 10, 1)
    study = Study("1", Patient("p"), series=(Series(DX_SERIES, "DX", instances=(instance,)),))
    mark = replace(lesion(), where=Region(FILM, Shape.MASK, np.ones(FILM.shape, dtype=bool), series_uid=DX_SERIES))
    said = where(told(mark, study))
    assert said["instances"] == ["1.9"]
    assert said["volume_ml"] is None, "a picture has no millilitres"


def test_a_persons_own_result_carries_their_name_where_there_is_no_analysis() -> None:
    own = Finding(codes.LESION, tracking="2.25.9", verdict=Verdict.ADDED)
    said = told(own, Study("1", Patient("p")), kind="person", name="ito")
    assert (said["analysis"], said["version"], said["model"]) == ("ito", "", None)


def test_empty_records_have_empty_words_and_no_dates() -> None:
    bare = Study("1", Patient(""))
    said = pages_json.study(bare, Reading("1"), Tickets(b"of a test"))
    assert said["date"] is None
    assert said["patient"] == {"id": "", "name": "", "sex": "", "birth_date": None}
    assert said["reading"]["version"] == 0
    hung = pages_json.hanging(hang(bare))
    assert (hung["name"], hung["series"], hung["stages"], hung["window"], hung["presets"]) == (
        "As it came", [], [], None, []
    )  # fmt: skip
    assert [rule["met"] for rule in hung["rules"]] == [True, False, False]
