"""Double reading: blind until both are locked, settled by a third, figures by hand."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.reading.double_reading import (
    AI_READER,
    Opinion,
    Pair,
    Protocol,
    ask,
    figures,
    fold,
    lock,
    look,
    readers_needed,
    seen_by,
    settle,
)
from isocenter.record import Event

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


def asked(*readers: str) -> Event:
    return ask("1.2", "Recall?", readers or ("ito", "lee"), "chief", NOW, analysis="lesions")


def pair(*events: Event) -> Pair:
    return next(iter(fold(events).values()))


def test_neither_sees_anything_of_the_other_before_both_are_locked() -> None:
    """The twin: the other has locked *positive*, or *negative*, or nothing at all; what leaves is the same."""
    first = asked()
    one = pair(first)
    views = []
    for other in (None, True, False):
        said = [] if other is None else [lock(one, "lee", other, "mass at 3 o'clock", NOW)]
        views.append(json.dumps(seen_by(pair(first, *said), "ito", owner=False), sort_keys=True))
        assert "mass" not in json.dumps(seen_by(pair(first, *said), "chief", owner=True))
        with pytest.raises(NotFound):
            seen_by(pair(first, *said), "ruiz", owner=False)
    assert len(set(views)) == 1


def test_the_third_reader_settles_and_then_all_see_it() -> None:
    first = asked()
    yes = lock(pair(first), "ito", True, "mass at 3 o'clock", NOW)
    no = lock(pair(first, yes), "lee", False, "", NOW)
    open_ = pair(first, yes, no)
    assert (open_.state, open_.answer) == ("discordant", None)
    alone = seen_by(open_, "ruiz", owner=False)
    assert (alone["turn"], alone["looks"], alone["opinions"]) == (True, True, [])
    assert seen_by(open_, "chief", owner=True)["opinions"] == [], "an owner may be the third"
    with pytest.raises(WrongState, match="without an own look"):
        settle(open_, "ruiz", True, "spiculated", NOW)
    with pytest.raises(Refused, match="positive look without words"):
        look(open_, "ruiz", True, " ", NOW)
    with pytest.raises(Forbidden, match="third person"):
        look(open_, "lee", False, "", NOW)
    saw = look(open_, "ruiz", False, "", NOW)
    open_ = pair(first, yes, no, saw)
    assert (open_.state, len(open_.opinions)) == ("discordant", 2)
    with pytest.raises(WrongState, match="look is locked"):
        look(open_, "ruiz", True, "on second thoughts", NOW)
    assert seen_by(open_, "gray", owner=False)["opinions"] == [], "another third has not looked"
    third = seen_by(open_, "ruiz", owner=False)
    assert (third["turn"], third["looks"]) == (True, False)
    assert "ito" not in json.dumps(third)
    assert "lee" not in json.dumps(third)
    assert [(o["who"], o["positive"]) for o in third["opinions"]] == [
        ("one reader", True), ("the other reader", False), ("you, before both were shown", False),
    ]  # fmt: skip
    assert [o["who"] for o in seen_by(open_, "ito", owner=False)["opinions"]] == ["you", "the other reader"]
    with pytest.raises(Forbidden, match="third person"):
        settle(open_, "ito", True, "x", NOW)
    with pytest.raises(Refused, match="without words"):
        settle(open_, "ruiz", True, "", NOW)
    done = pair(first, yes, no, saw, settle(open_, "ruiz", True, "spiculated", NOW))
    assert (done.state, done.answer) == ("done", True)
    assert seen_by(done, "lee", owner=False)["settled"] == "spiculated"
    assert seen_by(done, "lee", owner=False)["opinions"][-1]["who"] == "the third reader, before both were shown"
    assert seen_by(done, "ruiz", owner=False)["answer"] is True
    with pytest.raises(WrongState, match="nothing to settle"):
        settle(done, "ruiz", True, "again", NOW)


def test_a_third_reader_who_has_not_looked_is_told_the_same_whoever_said_what() -> None:
    """The twin: one said *positive* and the other *negative*, or the other way round, or an AI was one of them."""
    views = set()
    for one in (True, False):
        said = [lock(pair(asked()), who, positive, "mass" if positive else "", NOW)
                for who, positive in (("ito", one), ("lee", not one))]  # fmt: skip
        views.add(json.dumps(seen_by(pair(asked(), *said), "ruiz", owner=False), sort_keys=True))
    assert len(views) == 1 and "mass" not in views.pop()


def test_who_agrees_is_done_and_what_is_locked_stays() -> None:
    first = asked()
    no = lock(pair(first), "ito", False, "", NOW)
    with pytest.raises(WrongState, match="locked"):
        lock(pair(first, no), "ito", True, "changed my mind", NOW)
    with pytest.raises(Forbidden, match="not yours"):
        lock(pair(first, no), "ruiz", False, "", NOW)
    with pytest.raises(Refused, match="without words"):
        lock(pair(first, no), "lee", True, " ", NOW)
    both = pair(first, no, lock(pair(first, no), "lee", False, "", NOW))
    assert (both.state, both.answer) == ("done", False)


def test_an_ai_as_the_second_reader() -> None:
    first = asked("ito", AI_READER)
    ai = lock(pair(first), "isocenter", True, "score 10", NOW, by=AI_READER)
    assert seen_by(pair(first, ai), "ito", owner=False)["opinions"] == []
    no = lock(pair(first, ai), "ito", False, "", NOW)
    open_ = pair(first, ai, no)
    assert open_.state == "discordant"
    assert [o["who"] for o in seen_by(open_, "ito", owner=False)["opinions"]] == ["AI", "you"]


@pytest.mark.parametrize(
    ("name", "score", "people"),
    [
        ("two readers", 1, 2),
        ("by AI score", 1, 1),
        ("by AI score", 9, 1),
        ("by AI score", 10, 2),
        ("by AI score", None, 2),
        ("AI as second reader", 5, 1),
        ("AI as second reader", None, 2),
    ],
)
def test_how_many_people_read(name: str, score: int | None, people: int) -> None:
    assert readers_needed(Protocol(name), score) == people


def test_figures_by_hand() -> None:
    """Ten pairs: 3 positive (2 cancers), 7 negative (1 cancer among 5 known), 2 discordant, 1 with the AI."""

    def made(n: int, a: bool, b: bool, third: bool | None = None, second: str = "lee") -> Pair:
        said = (Opinion("ito", a, "w", NOW), Opinion(second, b, "w", NOW + timedelta(minutes=1)))
        settled = None if third is None else Opinion("ruiz", third, "w", NOW)
        return Pair(f"i{n}", f"1.{n}", "Recall?", ("ito", second), NOW, said, settled, "lesions")

    pairs = [
        made(1, True, True), made(2, True, False, True), made(3, True, True), made(4, False, True, False),
        *(made(n, False, False) for n in range(5, 10)), made(10, False, False, second=AI_READER),
    ]  # fmt: skip
    turned_out = {
        "1.1": True,
        "1.2": True,
        "1.3": False,
        "1.4": False,
        "1.5": True,
        "1.6": False,
        "1.7": False,
        "1.8": False,
    }
    truth = {(study, "lesions"): present for study, present in turned_out.items()}
    truth |= {(study, "fractures"): True for study in turned_out}  # another question on the same images
    told = figures([*pairs, Pair("open", "9", "Recall?", ("a", "b"), NOW)], truth)
    shares = (told.recall, told.detection, told.ppv, told.interval_cancers, told.discordant)
    assert [(s.value, s.n) for s in shares if s] == [(0.3, 10), (0.2, 10), (2 / 3, 3), (0.2, 5), (0.2, 10)]
    assert (told.n, told.reads, told.saved, told.known) == (10, 21, 1, 8)
    unnamed = figures([replace(pair, analysis="") for pair in pairs], truth)
    assert (unnamed.n, unnamed.detection, unnamed.ppv, unnamed.interval_cancers) == (10, None, None, None)
    nothing = figures([], {})
    assert (nothing.n, nothing.recall, nothing.detection) == (0, None, None)


@pytest.mark.parametrize(
    "call",
    [
        lambda: ask("1", "q", ("ito", "ito"), "c", NOW),
        lambda: ask("1", "q", ("ito",), "c", NOW),
        lambda: ask("1", " ", ("ito", "lee"), "c", NOW),
        lambda: ask("1", "q", ("ito", AI_READER), "c", NOW),
        lambda: Protocol("three readers"),
        lambda: readers_needed(Protocol("by AI score"), 11),
    ],
)
def test_refusals(call: object) -> None:
    with pytest.raises(Refused):
        call()  # type: ignore[operator]
