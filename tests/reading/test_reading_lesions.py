"""Which lesion is which through studies: by identity, by a person's word, or proposed where only one can be meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from isocenter.reading.lesions import Absence, Lesion, Match, Told, Way, follow, told_of
from isocenter.record import (
    Code,
    Event,
    Finding,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Patient,
    Result,
    Sealed,
    Study,
    Verdict,
    codes,
)  # fmt: skip
from isocenter.record.event import GENESIS
from isocenter.space import Geometry, Region, Shape

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
WHO = Patient("p")


def finding(tracking: str, mm: float | None = None, side: Any = codes.LEFT, where: Any = None, **rest: Any) -> Finding:
    sizes = (Measurement(codes.PROBABILITY, 0.5, "1"), Measurement(codes.LONG_AXIS, mm, "mm")) if mm else ()
    return Finding(codes.LESION, 0.9, where, sizes, codes.LUNG, side, tracking=tracking, **rest)


def time(n: int, *findings: Finding, days: int = 100, measurements: Any = ()) -> Any:
    study = Study(f"1.{n}", WHO, date=date(2026, 1, 1) + timedelta(days=days * n))
    made = Result(study.uid, Outcome.FOUND, Origin("machine", "nodule", "1"), NOON, findings=findings,
                  measurements=measurements)  # fmt: skip
    return study, [("r", made)]


def course(lesion: Lesion) -> list[tuple[str, float] | None]:
    return [(p.match.value, p.size.value if p.size else 0.0) if p else None for p in lesion.points]


def test_one_identity_is_one_lesion_with_change_and_interval() -> None:
    (lesion,), _ = follow([time(0, finding("a", 10.0)), time(1), time(2, finding("a", 12.5))])
    assert course(lesion) == [("first", 10.0), None, ("same", 12.5)]
    last = lesion.points[2]
    assert last is not None and (last.change, last.interval_days) == (25.0, 200)


def test_the_only_one_of_its_kind_is_proposed_and_two_are_not() -> None:
    (lesion,), _ = follow([time(0, finding("a", 10.0)), time(1, finding("b", 9.0))])
    assert course(lesion) == [("first", 10.0), ("unsure", 9.0)]
    lesions, _ = follow([time(0, finding("a", 10.0)), time(1, finding("b", 9.0), finding("c", 8.0))])
    assert [course(one) for one in lesions] == [[("first", 10.0), None], [None, ("first", 9.0)], [None, ("first", 8.0)]]
    other = time(1, finding("b", 9.0, side=codes.RIGHT))
    assert len(follow([time(0, finding("a", 10.0)), other])[0]) == 2, "another side is another lesion"
    gap = [time(0, finding("a", 10.0)), time(1), time(2, finding("b", 9.0))]
    assert len(follow(gap)[0]) == 2, "what was gone in between is not proposed"


def test_not_detected_is_said_only_where_it_was_looked_for() -> None:
    """A nodule, then: looked for and none; a report of which nobody can say; declined; not read; found again."""
    other = Result("1.2", Outcome.NONE, Origin("machine", "bone_age", "1"), NOON)
    declined = Result("1.3", Outcome.DECLINED, Origin("machine", "nodule", "1"), NOON, reasons=("too thick",))
    times = [
        time(0, finding("a", 10.0)), time(1), (time(2)[0], [("r", other)]), (time(3)[0], [("r", declined)]), time(4),
        time(5, finding("a", 12.0)),
    ]  # fmt: skip
    (lesion,), _ = follow(times, signed=("1.0", "1.1", "1.2", "1.3", "1.5"))
    told = [None, Absence.LOOKED, Absence.UNTOLD, Absence.UNTOLD, Absence.UNREAD, None]
    assert list(lesion.absent) == told and [p is None for p in lesion.points] == [a is not None for a in told]
    two = [time(0, finding("a"), finding("b")), time(1, finding("c"))]
    uncertain = [Absence.UNMATCHED if n else None for n in (0, 1)]
    assert [list(one.absent) for one in follow(two, signed=("1.0", "1.1"))[0]] == [
        uncertain, uncertain, uncertain[::-1],
    ], "which of the two is left cannot be told"  # fmt: skip
    parted = told_of([said("a", "c", False), said("b", "c", False, 2)])
    assert {a for one in follow(two, parted, ("1.0", "1.1"))[0] for a in one.absent} == {None, Absence.LOOKED}
    by_hand = Result("1.0", Outcome.FOUND, Origin("person", "ito"), NOON, findings=(finding("b"),))
    (own,), _ = follow([(time(0)[0], [("r", by_hand)]), times[1]], signed=("1.0", "1.1"))
    assert own.absent == (None, Absence.UNTOLD), "no machine is known to look for what a person found alone"


def said(one: str, other: str, same: bool, number: int = 1) -> Sealed:
    event = Event(Kind.LESION_MATCHED, NOON, "ito", "1.1", {"one": one, "other": other, "same": same})
    return Sealed.after(number, GENESIS, event)


def test_a_persons_word_confirms_refuses_and_may_be_taken_back() -> None:
    times = [time(0, finding("a", 10.0)), time(1, finding("b", 9.0), finding("c", 8.0))]
    lesions, _ = follow(times, told_of([said("a", "c", True)]))
    assert [course(one) for one in lesions] == [[("first", 10.0), ("same", 8.0)], [None, ("first", 9.0)]]
    pair = [time(0, finding("a", 10.0)), time(1, finding("b", 9.0))]
    assert len(follow(pair, told_of([said("a", "b", False)]))[0]) == 2
    assert told_of([said("a", "b", False), said("b", "a", True, 2)]) == Told(frozenset({frozenset({"a", "b"})}))
    (lesion,), _ = follow(pair, told_of([said("a", "b", False), said("b", "a", True, 2)]))
    assert lesion.points[1] is not None and lesion.points[1].match is Match.SAME


def test_what_was_struck_or_is_a_fault_of_the_image_is_no_lesion() -> None:
    struck = finding("a", 10.0, verdict=Verdict.STRUCK)
    fault = Finding(codes.QUALITY_ISSUE, tracking="q")
    assert follow([time(0, struck, fault)])[0] == ()


def test_numbers_that_cannot_be_compared_give_no_change() -> None:
    volume = Finding(codes.LESION, None, None, (Measurement(codes.VOLUME, 2.0, "mL"),), tracking="a")
    length = Finding(codes.LESION, None, None, (Measurement(codes.LONG_AXIS, 9.0, "mm"),), tracking="a")
    (lesion,), _ = follow([time(0, volume), time(1, length)])
    assert lesion.points[1] is not None and lesion.points[1].change is None
    (bare,), _ = follow([time(0, Finding(codes.LESION, tracking="a"))])
    assert bare.points[0] is not None and bare.points[0].size is None


@pytest.mark.parametrize("given", [True, False])
def test_a_sum_stands_where_an_analysis_gives_one(given: bool) -> None:
    from isocenter.catalogue.lesion_response import SUM

    numbers = (Measurement(SUM, 31.0, "mm", definition="RECIST 1.1"),) if given else ()
    _, sums = follow([time(0), time(1, measurements=numbers)])
    assert [(s.unit, s.definition, s.values) for s in sums] == ([("mm", "RECIST 1.1", (None, 31.0))] if given else [])


TURN = np.array([[0.0, -1, 0, 40], [1, 0, 0, -25], [0, 0, 1, 12], [0, 0, 0, 1]])
"""From the frame of the earlier study to that of today's: a quarter turn, and a shift."""


def at(tracking: str, place: Any, frame: str, **rest: Any) -> Finding:
    grid = Geometry.regular(shape=(2, 4, 4), spacing_mm=(5.0, 1.0, 1.0), frame_of_reference=frame)
    where = Region(grid, Shape.POINT, points_mm=np.array([place], float))
    return replace(finding(tracking, 8.0, **rest), where=where)


def by(residual_mm: float | None) -> Any:
    def ways(one: str, other: str) -> Way | None:
        return Way(TURN, residual_mm) if (one, other) == ("then", "now") else None

    return ways


def moved(place: Any, off: Any = (0, 0, 0)) -> Any:
    return (TURN @ [*place, 1])[:3] + off


def test_a_stored_registration_proposes_by_place_what_words_cannot_tell_apart() -> None:
    first, second, third = (10.0, 20, 30), (60.0, 20, 30), (10.0, -80, 0)
    then = time(0, at("a", first, "then"), at("b", second, "then"), at("c", third, "then"))
    now = time(1, at("x", moved(second, (2, 0, 0)), "now"), at("y", moved(first, (0, 3, 4)), "now"),
               at("z", (0, 0, 300), "now"))  # fmt: skip
    assert len(follow([then, now])[0]) == 6, "three and three of one kind: nothing is proposed without"
    pairs = {tuple(p.tracking for p in one.points if p): one for one in follow([then, now], ways=by(0.4))[0]}
    assert set(pairs) == {("a", "y"), ("b", "x"), ("c",), ("z",)}
    point = pairs["a", "y"].points[1]
    assert point is not None and (point.match, point.apart_mm, point.residual_mm) == (Match.UNSURE, 5.0, 0.4)
    refused = Told(apart=frozenset({frozenset(("a", "y"))}))
    assert ("a",) in {
        tuple(p.tracking for p in one.points if p) for one in follow([then, now], refused, ways=by(0.4))[0]
    }
    (same,) = (one for one in follow([then, now], Told(same=frozenset({frozenset(("a", "y"))})), ways=by(0.4))[0]
               if one.points[0] and one.points[0].tracking == "a")  # fmt: skip
    assert [p.match for p in same.points if p] == [Match.FIRST, Match.SAME], "once a person has confirmed it"


def test_the_only_ones_of_a_kind_are_not_proposed_where_a_registration_says_that_they_lie_apart() -> None:
    then, here = time(0, at("a", (10.0, 20, 30), "then")), moved((10.0, 20, 30), (0, 40, 0))
    assert len(follow([then, time(1, at("b", here, "now"))])[0]) == 1
    assert len(follow([then, time(1, at("b", here, "now"))], ways=by(0.4))[0]) == 2
    assert len(follow([then, time(1, at("b", here, "elsewhere"))], ways=by(0.4))[0]) == 1, "nothing joins that frame"
    right = time(1, at("b", moved((10.0, 20, 30)), "now", side=codes.RIGHT))
    assert len(follow([then, right], ways=by(0.4))[0]) == 2, "one place, and the other side: somebody is wrong"


def test_two_that_could_be_meant_at_one_place_are_not_proposed() -> None:
    then = time(0, at("a", (10.0, 20, 30), "one frame"))
    now = time(1, at("x", (10.0, 24, 30), "one frame"), at("y", (10.0, 16, 30), "one frame"))
    assert len(follow([then, now])[0]) == 3
    (lesion,) = follow([then, time(1, at("x", (10.0, 24, 30), "one frame"))])[0]
    last = lesion.points[1]
    assert last is not None and (last.apart_mm, last.residual_mm) == (4.0, 0.0), "one frame needs no registration"


def test_a_response_is_no_lesion_and_its_sum_is_told_beside_them() -> None:
    """Current and best response stood as two lesions more, each with the question whether it is the same."""
    grid = Geometry.regular(shape=(4, 4, 4), spacing_mm=(1.0, 1.0, 1.0), frame_of_reference="2.25.7")
    where = Region(grid, mask=np.ones(grid.shape, bool), label="liver 1")

    def visit(n: int, total: float) -> Any:
        current = Finding(
            Code("112048", "DCM", "Current Response"), tracking=f"c{n}",
            measurements=(Measurement(Code("sum-of-diameters", "99ISO", "Sum of diameters"), total, "mm"),
                          Measurement(codes.LONG_AXIS, 9.0, "mm")),
        )  # fmt: skip
        best = Finding(Code("best-response", "99ISO", "Best overall response"), tracking=f"b{n}")
        return time(n, finding("a", total, where=where) if n else finding("a", total), current, best)

    (lesion,), (sums,) = follow([visit(0, 20.0), visit(1, 15.0)])
    assert course(lesion) == [("first", 20.0), ("same", 15.0)] and lesion.label == "liver 1"
    assert sums.values == (20.0, 15.0) and sums.what.code == "sum-of-diameters"
