"""Records: JSON both ways, stable identity, refusals of what may not be said."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import Refused, WrongState
from isocenter.record import (
    Event,
    Finding,
    Instance,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Patient,
    Result,
    Sealed,
    Series,
    Study,
    Threshold,
    canonical,
    codes,
    digest_of,
    from_plain,
    states,
    to_plain,
)
from isocenter.record.event import GENESIS
from isocenter.space import Geometry, Region

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
words = st.text(max_size=12)


@given(words, words, st.none() | st.dates(), st.lists(st.integers(0, 99), max_size=4))
def test_a_study_reads_back_with_the_same_identity(name: str, uid: str, born: date | None, numbers: list[int]) -> None:
    instances = tuple(
        Instance(f"1.{n}", "1.2", "1.2.840", "d", 1, n, facts={"EchoTime": 0.5, "x": None}) for n in numbers
    )
    study = Study(uid, Patient("P", name, born), series=(Series("1", "CT", instances=instances),), arrived=NOW)
    back = from_plain(Study, to_plain(study))
    assert back == study
    assert digest_of(back) == digest_of(study)


@given(st.floats(allow_nan=False, allow_infinity=False), st.none() | st.floats(0, 1))
def test_a_result_reads_back_with_the_same_identity(value: float, certainty: float | None) -> None:
    grid = Geometry.regular(shape=(1, 2, 2))
    finding = Finding(
        codes.LESION,
        certainty,
        Region(grid, mask=np.eye(2, dtype=bool)[None]),
        (Measurement(codes.VOLUME, value, "mL"),),
    )
    result = Result("1.2", Outcome.FOUND, Origin("machine", "a", "1", parameters={"t": 0.5}), NOW, findings=(finding,))
    back = from_plain(Result, to_plain(result))
    assert back == result
    assert back.id == result.id
    assert replace(result, study_uid="1.3").id != result.id


def test_the_canonical_text_does_not_depend_on_order() -> None:
    assert canonical({"b": [1, 2.5], "a": "é"}) == '{"a":"é","b":[1,2.5]}'.encode()


def test_records_refuse_what_may_not_be_said() -> None:
    with pytest.raises(Refused, match="without a unit"):
        Measurement(codes.VOLUME, 1.0, "")
    with pytest.raises(Refused, match="not a number"):
        Measurement(codes.VOLUME, float("nan"), "mL")
    with pytest.raises(Refused, match="between 0 and 100 of a named norm"):
        Measurement(codes.VOLUME, 3.0, "mL", percentile=101.0, norm="adults 1.0")
    with pytest.raises(Refused, match="between 0 and 100 of a named norm"):
        Measurement(codes.VOLUME, 3.0, "mL", percentile=50.0)
    with pytest.raises(Refused, match="between 0 and 1"):
        Finding(codes.LESION, 1.5)
    with pytest.raises(Refused, match="'machine' or 'person'"):
        Origin("angel", "x")
    machine = Origin("machine", "x", "1")
    with pytest.raises(Refused, match="without a reason"):
        Result("1", Outcome.DECLINED, machine, NOW)
    with pytest.raises(Refused, match="precondition"):
        Result("1", Outcome.DECLINED, machine, NOW, ("why",), measurements=(Measurement(codes.VOLUME, 1, "mL"),))
    with pytest.raises(Refused, match="found none"):
        Result("1", Outcome.NONE, machine, NOW, findings=(Finding(codes.LESION),))


@pytest.mark.parametrize(
    ("kind", "data", "word"),
    [
        (Patient, {"id": 3}, "expected str"),
        (Patient, {"id": "a", "shoe": 44}, "Patient with shoe: it has no such field"),
        (Patient, {"name": "a"}, "Patient without id"),
        (Patient, [], "expected Patient"),
        (float, "x", "expected float"),
        (int, True, "expected int"),
        (tuple[int, ...], "ab", "expected"),
    ],
)
def test_foreign_json_is_refused_by_name(kind: object, data: object, word: str) -> None:
    with pytest.raises(Refused, match=word):
        from_plain(kind, data)


def test_numbers_without_a_json_word_are_refused() -> None:
    for bad in (float("nan"), float("inf")):
        with pytest.raises(Refused, match="no word"):
            to_plain({"x": bad})
    with pytest.raises(Refused, match="no record holds it"):
        to_plain(object())
    assert to_plain(np.float32(1.5)) == 1.5


def test_a_sealed_event_shows_any_change() -> None:
    first = Sealed.after(1, GENESIS, Event(Kind.STARTED, NOW, "isocenter", details={"a": 1}))
    assert first.is_whole()
    assert from_plain(Sealed, to_plain(first)) == first
    assert not replace(first, previous="1" * 64).is_whole()
    assert not replace(first, event=replace(first.event, who="other")).is_whole()
    assert not replace(first, number=2).is_whole()


def test_life_cycles_refuse_what_is_not_in_the_table() -> None:
    assert states.step(states.READING, "open", "sign") == "signed"
    with pytest.raises(WrongState, match="possible are: assign, open"):
        states.step(states.READING, "waiting", "sign")
    with pytest.raises(WrongState, match="final state"):
        states.step(states.MODEL, "retired", "release")


@pytest.mark.parametrize("table", [states.READING, states.JOB, states.MODEL])
def test_every_state_of_a_table_can_be_reached(table: states.Table) -> None:
    start = next(iter(table))[0]
    reached, todo = {start}, [start]
    while todo:
        here = todo.pop()
        for (at, _), (_, then) in table.items():
            if at == here and then not in reached:
                reached.add(then)
                todo.append(then)
    assert {at for at, _ in table} | {then for _, then in table.values()} == reached


@pytest.mark.parametrize(("name", "low", "high"), [("", 1.0, None), ("late", None, None), ("late", 6.0, 4.0)])
def test_a_threshold_has_a_name_and_an_end(name: str, low: float | None, high: float | None) -> None:
    with pytest.raises(Refused, match="a name and an end"):
        Threshold(name, low, high)
