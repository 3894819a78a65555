"""A reader's opinion beside a machine's: the same thing is called the same only where that is sure."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from isocenter.reading.comparison import NEAR_MM, Relation, call, changes, compare, same_thing
from isocenter.reading.opinion import Opinion
from isocenter.record import Code, Finding, Origin, Outcome, Result, Verdict, codes
from isocenter.space import Geometry, Region, Shape

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GRID = Geometry.regular(shape=(20, 40, 40), spacing_mm=(2.0, 1.0, 1.0), frame_of_reference="1.2.9")
WORDED = Code("121071", "DCM", "Finding")


def ball(row: int = 10) -> Region:
    mask = np.zeros(GRID.shape, dtype=bool)
    mask[8:12, row : row + 6, 10:16] = True
    return Region(GRID, Shape.MASK, mask, series_uid="1.2.1")


def mark(row: float, frame: str = "1.2.9") -> Region:
    plane = Geometry.regular(shape=(1, 40, 40), spacing_mm=(2.0, 1.0, 1.0), frame_of_reference=frame)
    return Region(plane, Shape.POINT, None, GRID.to_patient([[10.0, row, 12.0]]), instance_uid="1.2.1.4")


LESION = Finding(codes.LESION, 0.9, ball(), laterality=codes.LEFT, tracking="m1")
MINE = Finding(codes.LESION, 0.75, mark(12.0), tracking="o1", verdict=Verdict.ADDED)


def machine(*findings: Finding, analysis: str = "nodule") -> tuple[str, Result]:
    outcome = Outcome.FOUND if findings else Outcome.NONE
    return analysis, Result("1.2", outcome, Origin("machine", analysis, "1"), NOON, findings=findings)


def opinion(*findings: Finding, **rest: Any) -> Opinion:
    return Opinion("1.2", "ito", NOON, nothing=not findings, findings=findings, **rest)


def told(given: Opinion, *latest: tuple[str, Result], looks_for: Any = None) -> list[tuple[str, str, str]]:
    lines = compare(given, latest, looks_for or {"nodule": {codes.LESION}})
    return [(line.relation.value, line.machine, line.own) for line in lines]


def test_the_four_relations_in_their_order() -> None:
    other = Finding(codes.OPACITY, 0.9, tracking="m2")
    alone = Finding(codes.REGION, words="A cyst.", tracking="o2")
    assert told(opinion(MINE, alone), machine(LESION, other)) == [
        ("adds", "m2", ""), ("agrees", "m1", "o1"), ("yours", "", "o2"),
    ]  # fmt: skip
    right = replace(MINE, laterality=codes.RIGHT)
    lines = compare(opinion(right), [machine(LESION)], {})
    assert (lines[0].relation, lines[0].why) == (Relation.DIFFERS, "nodule says left, you said right")
    assert told(opinion(), machine(LESION)) == [("adds", "m1", "")]


def test_a_machine_that_looked_and_found_none_differs_or_agrees_and_one_that_declined_says_nothing() -> None:
    assert told(opinion(MINE), machine()) == [("differs", "", "o1")]
    assert told(opinion(), machine()) == [("agrees", "", "")]
    declined = Result("1.2", Outcome.DECLINED, Origin("machine", "nodule", "1"), NOON, reasons=("too thick",))
    assert told(opinion(MINE), ("nodule", declined)) == [("yours", "", "o1")]


@pytest.mark.parametrize(
    ("own", "same"),
    [
        (MINE, True),
        (replace(MINE, where=mark(15.0 + NEAR_MM - 1)), True),
        (replace(MINE, where=mark(15.0 + NEAR_MM + 2)), False),
        (replace(MINE, where=None), True),
        (replace(MINE, where=mark(12.0, "1.2.8")), True),  # no common space: words alone decide
        (replace(MINE, what=codes.OPACITY), False),
        (replace(MINE, what=WORDED), True),  # a mark without a name means what lies there
        (replace(MINE, what=WORDED, where=None, words="A lesion on the left"), True),
        (replace(MINE, what=WORDED, where=None, words="A cyst"), False),
        (replace(MINE, laterality=codes.RIGHT), False),
        (replace(MINE, laterality=codes.BOTH), True),
    ],
)
def test_what_is_the_same_thing(own: Finding, same: bool) -> None:
    assert same_thing(LESION, own) is same
    assert same_thing(own, LESION) is same, "it does not matter which is asked first"


def test_an_empty_region_lies_nowhere() -> None:
    empty = Region(GRID, Shape.MASK, np.zeros(GRID.shape, dtype=bool))
    assert same_thing(replace(LESION, where=empty), MINE)


def test_what_a_first_opinion_says_of_an_analysis_question() -> None:
    _, found = machine(LESION)
    _, none = machine()
    assert call(opinion(MINE), found, {codes.LESION}) is True
    assert call(opinion(MINE), none, {codes.LESION}) is True
    assert call(opinion(), found, {codes.LESION}) is False
    assert call(opinion(replace(MINE, what=codes.OPACITY)), found, {codes.LESION}) is False
    assert call(opinion(replace(MINE, what=WORDED, where=None, words="?")), found, {codes.LESION}) is None
    assert call(Opinion("1.2", "ito", NOON, line="fine"), found, {codes.LESION}) is None, "a line may mean anything"


def test_what_is_other_in_the_report_than_in_the_first_opinion() -> None:
    kept = replace(machine(replace(LESION, verdict=Verdict.KEPT))[1], origin=person("nodule"))
    assert changes(opinion(MINE), [("a", kept), own(MINE)]) == [], "the machine agreed"
    assert changes(opinion(), [("a", kept)]) == ["Lesion: not in the first opinion; from nodule 1."]
    struck = replace(MINE, verdict=Verdict.STRUCK)
    assert changes(opinion(MINE), [own(struck)]) == ["Lesion: in the first opinion, struck after AI was seen."]
    other = replace(MINE, words="A cyst.")
    assert changes(opinion(MINE), [own(other)]) == ["Lesion: worded anew after AI was seen."]
    late = replace(MINE, tracking="o9", what=WORDED, words="A cyst.")
    assert changes(opinion(), [own(late)]) == ["A cyst: added after AI was seen."]


def person(of: str) -> Origin:
    return Origin("person", "ito", parameters={"of": {"analysis": of, "version": "1", "model": ""}})


def own(finding: Finding) -> tuple[str, Result]:
    return "own", Result("1.2", Outcome.FOUND, Origin("person", "ito", unaided=True), NOON, findings=(finding,))
