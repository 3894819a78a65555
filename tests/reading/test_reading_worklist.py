"""The order of the worklist: laws that hold for every list, and rows that a reader would recognise."""

from __future__ import annotations

import random
import time
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.reading.worklist import (
    LIMITS,
    Entry,
    Raise,
    Said,
    Waiting,
    narrowed,
    order,
    requested,
    said,
    together,
)
from isocenter.record import Finding, Origin, Outcome, Patient, Result, Study, Urgency, Verdict, codes

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def waiting(
    uid: str, minutes: float, *, priority: str = "", raises: tuple[Raise, ...] = (), state: str = "waiting"
) -> Waiting:
    """A study that has waited so many minutes."""
    study = Study(uid, Patient(f"ID-{uid}", f"NAME^{uid}"), accession=f"A{uid}", date=date(2026, 11, 20),
                  description="chest", priority=priority)  # fmt: skip
    return Waiting(study, NOW - minutes * MINUTE, ("DX",), 2, state, raises=raises)


def opacity(level: Urgency = Urgency.NOW) -> tuple[Raise, ...]:
    return (Raise(level, "opacity", "chest_xray_opacity"),)


def uids(entries: list[Entry]) -> list[str]:
    return [e.waiting.study.uid for e in entries]


# ---- what results say of a study

FOUND = Result("1.2", Outcome.FOUND, Origin("machine", "chest_xray_opacity", "1"), NOW, urgency=Urgency.NOW,
               findings=(Finding(codes.OPACITY, 0.9, tracking="a"), Finding(codes.LESION, tracking="b")))  # fmt: skip


def struck(result: Result, *tracking: str) -> Result:
    """The result once a person struck these findings; its urgency is left, as a careless writer would."""
    of = {"of": {"analysis": result.origin.name}}
    findings = tuple(replace(f, verdict=Verdict.STRUCK) if f.tracking in tracking else f for f in result.findings)
    return replace(result, origin=Origin("person", "ito", parameters=of), findings=findings)


def test_what_stands_raises_and_what_a_person_struck_does_not() -> None:
    assert said(FOUND) == Said(
        "found", (Raise(Urgency.NOW, "lesion, opacity", "chest_xray_opacity"),), "chest_xray_opacity"
    )  # fmt: skip
    of = "chest_xray_opacity"
    assert said(struck(FOUND, "b")) == Said("found", (Raise(Urgency.NOW, "opacity", of),), of)
    assert said(struck(FOUND, "a", "b")) == Said("struck", (), of), "found and struck is not none found"
    assert said(replace(FOUND, urgency=Urgency.ROUTINE)) == Said("found", (), of), "what may wait raises nothing"


def test_the_strongest_answer_speaks_for_the_study() -> None:
    one, other = said(FOUND), Said("found", (Raise(Urgency.SOON, "uptake", "pet_uptake"),))
    assert together([Said("declined"), Said("none"), one, other]) == Said("found", one.raises + other.raises)
    assert together([Said("declined"), Said("none")]).ai == "none"
    assert together([Said("none"), Said("struck"), Said("declined")]).ai == "struck"
    assert together([Said("struck"), one]).ai == "found"
    assert together([Said("declined")]).ai == "declined"
    assert together([]) == Said("waiting")


# ---- rows that a reader would recognise


def test_a_raised_study_moves_up_and_says_by_how_much() -> None:
    listed = order([*(waiting(str(n), 60 - n) for n in range(6)), waiting("9", 5, raises=opacity())], NOW, with_ai=True)
    assert uids(listed)[0] == "9"
    assert listed[0].why == "AI: opacity, moved up 6"
    assert listed[0].level is Urgency.NOW
    assert listed[0].due == NOW + 25 * MINUTE
    assert [e.moved_up for e in listed[1:]] == [-1] * 6, "what it costs the others is not hidden"
    assert {e.why for e in listed[1:]} == {"arrival"}


def test_a_persons_stat_stands_above_any_ai() -> None:
    listed = order(
        [waiting("ai", 600, raises=opacity()), waiting("stat", 0, priority="STAT"), waiting("late", 1500)],
        NOW,
        with_ai=True,
    )
    assert uids(listed)[0] == "stat"
    assert listed[0].why == "STAT, by the requester"


def test_a_study_near_or_past_its_limit_stands_above_those_that_ai_raised() -> None:
    listed = order(
        [waiting("ai", 20, raises=opacity()), waiting("near", 23 * 60 + 1), waiting("past", 24 * 60)],
        NOW,
        with_ai=True,
    )
    assert [(e.waiting.study.uid, e.why) for e in listed] == [
        ("past", "past the limit of its class"),
        ("near", "limit of its class near"),
        ("ai", "AI: opacity"),
    ]


def test_what_was_asked_for_comes_before_arrival() -> None:
    listed = order([waiting("old", 120), waiting("high", 1, priority="HIGH")], NOW, with_ai=False)
    assert uids(listed) == ["high", "old"]
    assert listed[0].why == "asked for soon, by the requester"


def test_a_signed_study_stands_last_and_is_due_no_more() -> None:
    listed = order(
        [waiting("done", 3000, priority="STAT", raises=opacity(), state="signed"), waiting("new", 0)],
        NOW,
        with_ai=True,
    )
    assert uids(listed) == ["new", "done"]
    assert (listed[1].due, listed[1].why) == (None, "signed")


def test_an_arrival_in_the_future_has_not_waited() -> None:
    assert order([waiting("1", -5)], NOW, with_ai=True)[0].waits == timedelta()


@pytest.mark.parametrize(
    ("word", "level"), [("STAT", "now"), (" stat ", "now"), ("High", "soon"), ("MEDIUM", "today"), ("?", "routine")]
)
def test_the_requested_class(word: str, level: str) -> None:
    assert requested(Study("1", Patient("p"), priority=word)) == level


def test_an_arrival_without_time_zone_is_refused() -> None:
    with pytest.raises(Refused, match="time zone"):
        Waiting(Study("1", Patient("p")), datetime(2026, 11, 20, 12))


# ---- laws


rows = st.lists(
    st.tuples(
        st.integers(0, 3000),
        st.sampled_from(["", "STAT", "HIGH", "MEDIUM", "LOW"]),
        st.lists(st.sampled_from(list(Urgency)), max_size=3),
    ),
    max_size=40,
).map(
    lambda many: [
        waiting(str(n), minutes, priority=priority, raises=tuple(Raise(v, "opacity", "x") for v in levels))
        for n, (minutes, priority, levels) in enumerate(many)
    ]
)


def without_ai(entries: list[Waiting]) -> list[Waiting]:
    return [Waiting(w.study, w.arrived, w.modalities, w.instances, w.state, w.reader) for w in entries]


@given(rows)
def test_law_nothing_is_lost_or_doubled(entries: list[Waiting]) -> None:
    listed = order(entries, NOW, with_ai=True)
    assert sorted(uids(listed)) == sorted(w.study.uid for w in entries)
    assert all(e.why for e in listed)


@given(rows)
def test_law_without_ai_the_list_is_exactly_the_plain_one(entries: list[Waiting]) -> None:
    plain = order(without_ai(entries), NOW, with_ai=True)
    off = order(entries, NOW, with_ai=False)
    assert uids(plain) == uids(off)
    assert [e[1:] for e in plain] == [e[1:] for e in off], "not a word of AI in any row"
    assert all(e.moved_up == 0 for e in off)
    assert uids(plain) == [
        w.study.uid
        for w in sorted(
            entries,
            key=lambda w: (
                requested(w.study) is not Urgency.NOW,
                w.arrived + LIMITS[requested(w.study)],
                w.arrived,
                w.study.uid,
            ),
        )
    ]


@given(rows, st.randoms(use_true_random=False))
def test_law_the_order_does_not_depend_on_how_the_studies_are_given(
    entries: list[Waiting], shuffle: random.Random
) -> None:
    other = list(entries)
    shuffle.shuffle(other)
    assert order(entries, NOW, with_ai=True) == order(other, NOW, with_ai=True)


@given(rows)
def test_law_ai_never_lowers_the_one_that_it_raises(entries: list[Waiting]) -> None:
    """Take any study that AI raised: had AI been silent about it alone, it would not stand higher."""
    raised = [w for w in entries if w.raises]
    for one in raised[:3]:
        silent = [w if w is not one else without_ai([w])[0] for w in entries]
        assert uids(order(entries, NOW, with_ai=True)).index(one.study.uid) <= uids(
            order(silent, NOW, with_ai=True)
        ).index(one.study.uid)


@given(rows)
def test_law_those_that_ai_did_not_raise_keep_their_order_among_themselves(entries: list[Waiting]) -> None:
    untouched = {w.study.uid for w in entries if not w.raises}
    with_ai = [u for u in uids(order(entries, NOW, with_ai=True)) if u in untouched]
    plain = [u for u in uids(order(entries, NOW, with_ai=False)) if u in untouched]
    assert with_ai == plain


@given(rows)
def test_law_a_study_past_its_limit_is_preceded_only_by_stat_or_by_an_earlier_limit(entries: list[Waiting]) -> None:
    def limit(w: Waiting) -> datetime:
        return w.arrived + LIMITS[requested(w.study)]

    listed = [e.waiting for e in order(entries, NOW, with_ai=True)]
    for place, one in enumerate(listed):
        if limit(one) > NOW or requested(one.study) is Urgency.NOW:
            continue
        for other in listed[:place]:
            assert requested(other.study) is Urgency.NOW or limit(other) <= limit(one)


@given(rows)
def test_law_moved_up_is_the_difference_of_the_two_lists(entries: list[Waiting]) -> None:
    plain = uids(order(entries, NOW, with_ai=False))
    for place, entry in enumerate(order(entries, NOW, with_ai=True)):
        assert entry.moved_up == plain.index(entry.waiting.study.uid) - place


# ---- nobody starves: a reading room that never stops


READING = 12.0  # minutes


def simulate(seed: int, *, flagged: float, load: float, with_ai: bool, studies: int) -> dict[str, timedelta]:
    """One reader takes the top of the list again and again, while studies arrive; returns how long each waited.

    Each reading takes twelve minutes. Studies that AI raised have a name that begins with "ai".
    """
    chance = random.Random(seed)
    arrivals, minute = [], 0.0
    for n in range(studies):
        minute += chance.expovariate(load / READING)
        level = chance.choice([Urgency.NOW, Urgency.SOON])
        hit = chance.random() < flagged
        arrivals.append((minute, waiting(f"{'ai' if hit else 'no'}{n}", -minute, raises=opacity(level) if hit else ())))
    clock, queue, waits = 0.0, [], {}
    arrivals.reverse()
    while arrivals or queue:
        while arrivals and arrivals[-1][0] <= clock:
            queue.append(arrivals.pop()[1])
        if not queue:
            clock = arrivals[-1][0]
            continue
        now = NOW + clock * MINUTE
        first = order(queue, now, with_ai=with_ai)[0].waiting
        queue.remove(first)
        waits[first.study.uid] = now - first.arrived
        clock += READING
    return waits


@settings(max_examples=8, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.8, 0.95))
def test_law_no_study_starves_in_an_overloaded_room_where_ai_raises_most_of_them(seed: int, flagged: float) -> None:
    """Load 1.3: the queue grows without end, and those that AI raised alone are more than the reader can read.

    From an hour before its limit a study waits in a line by limit, into which only those come that were there before
    it: that line is never longer than the line by arrival would be, so neither is its wait, but for the reading that
    has just begun.
    """
    plain = simulate(seed, flagged=flagged, load=1.3, with_ai=False, studies=300)
    raised = simulate(seed, flagged=flagged, load=1.3, with_ai=True, studies=300)
    assert len(raised) == 300, "all are read"
    near = LIMITS[Urgency.ROUTINE] - timedelta(hours=1)
    assert max(raised.values()) <= near + max(plain.values()) + READING * MINUTE


def test_ai_shortens_the_wait_of_those_it_raises_at_the_cost_of_the_others() -> None:
    plain = simulate(7, flagged=0.15, load=0.9, with_ai=False, studies=400)
    raised = simulate(7, flagged=0.15, load=0.9, with_ai=True, studies=400)

    def mean(waits: dict[str, timedelta], begin: str) -> float:
        chosen = [w.total_seconds() / 60 for uid, w in waits.items() if uid.startswith(begin)]
        return sum(chosen) / len(chosen)

    assert mean(raised, "ai") < mean(plain, "ai") / 2
    assert mean(raised, "no") > mean(plain, "no")
    assert mean(raised, "") == pytest.approx(mean(plain, "")), "what one gains the others pay: the queue is conserved"


# ---- speed


def test_ten_thousand_rows_are_ordered_while_nobody_notices() -> None:
    chance = random.Random(1)
    entries = [
        waiting(
            str(n),
            chance.uniform(0, 3000),
            priority=chance.choice(["", "", "", "HIGH", "STAT"]),
            raises=opacity() if chance.random() < 0.1 else (),
        )
        for n in range(10_000)
    ]
    best = min(_seconds(entries) for _ in range(7))
    assert best < 0.25, f"{best * 1000:.0f} ms; about 40 on a core of its own, and seconds if it grew with the square"


def _seconds(entries: list[Waiting]) -> float:
    """Of this thread alone: other work on the machine does not count."""
    begun = time.thread_time()
    order(entries, NOW, with_ai=True)
    return time.thread_time() - begun


# ---- filters


def test_filters_narrow_and_keep_the_order() -> None:
    listed = order(
        [waiting("1", 50), waiting("2", 1600), waiting("3", 5, raises=opacity()), waiting("4", 3, state="open")],
        NOW,
        with_ai=True,
    )
    assert uids(narrowed(listed, "", NOW)) == uids(listed)
    assert uids(narrowed(listed, "is:due", NOW)) == ["2"]
    assert uids(narrowed(listed, "is:raised", NOW)) == ["3"]
    assert uids(narrowed(listed, "is:open mod:dx", NOW)) == ["4"]
    assert uids(narrowed(listed, "mod:CT", NOW)) == []
    assert uids(narrowed(listed, "level:now", NOW)) == ["3"]
    assert uids(narrowed(listed, "name", NOW)) == uids(listed)
    assert uids(narrowed(listed, "A1 chest", NOW)) == ["1"]
    assert uids(narrowed(listed, "ID-3", NOW)) == ["3"]
    assert uids(narrowed(listed, "no:thing", NOW)) == []


def test_an_unknown_filter_word_is_refused_with_those_that_exist() -> None:
    with pytest.raises(Refused, match="waiting, open"):
        narrowed(order([waiting("1", 1)], NOW, with_ai=True), "is:lost", NOW)
    with pytest.raises(Refused, match="routine"):
        narrowed(order([waiting("1", 1)], NOW, with_ai=True), "level:high", NOW)
