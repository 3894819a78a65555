"""Projects as pure rules: who is in, what they are there, and glass that is broken, closed and looked through."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern import projects as rules
from isocenter.govern.policy import HOUSE, Owner, Person, Role, may
from isocenter.record import Event, Sealed
from isocenter.record.project import EVERYBODY, Reach

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ITO, GRAY, CHIEF = Person("ito", Role.READER), Person("gray", Role.RESEARCHER), Person("chief", Role.ADMIN)
OTHER = Person("other", Role.ADMIN)
CT1 = Person("CT1", Role.SERVICE, "aet")


def told(*events: Event, known: rules.Known | None = None) -> rules.Known:
    number = 0
    for number, event in enumerate(events, 1):
        known = rules.after(known or rules.Known(), [Sealed.after(number, "", event)])
    return known or rules.Known()


def trial() -> rules.Known:
    known = told(rules.found(rules.Known(), "trial", "a trial", keeper="other", who="chief", now=NOW))
    joined = rules.join(known, "trial", "gray", Role.READER, who="chief", now=NOW)
    return told(joined, rules.rule(known, "trial", "CT1", who="chief", now=NOW), known=known)


def test_without_projects_everybody_reaches_everything() -> None:
    assert rules.Known().plain and rules.reach(rules.Known(), ITO, "find", NOW) is None


def test_a_project_holds_whom_it_was_told_of_and_nobody_else_an_administrator_neither() -> None:
    known = trial()
    assert (
        rules.reach(known, ITO, "find", NOW) == rules.reach(known, CHIEF, "find", NOW) == Reach(frozenset({EVERYBODY}))
    )
    assert rules.reach(known, GRAY, "find", NOW) is None
    assert rules.reach(known, HOUSE, "find", NOW) is rules.reach(known, Owner("root", Role.ADMIN), "find", NOW) is None
    assert rules.reach(known, Person("gray", Role.SERVICE, "aet"), "find", NOW) == Reach(frozenset({EVERYBODY}))
    assert rules.role_in(known, Person("", Role.NONE), EVERYBODY) is None
    out = told(rules.join(known, EVERYBODY, "gray", Role.NONE, who="chief", now=NOW), known=known)
    assert rules.reach(out, GRAY, "find", NOW) == Reach(frozenset({"trial"}))
    assert known.senders[CT1.of, CT1.name] == "trial"


def test_in_a_project_one_may_what_account_and_project_both_allow() -> None:
    there = Person("gray", Role.RESEARCHER, only=rules.only_of(Role.READER))
    assert may(GRAY, "unveiled") and not may(there, "unveiled")  # a reader there reads unaided first
    assert may(there, "study") and not may(there, "sign")


@pytest.mark.parametrize("name", ["", "Trial", "a b", "x" * 41, "../x", "-x"])
def test_a_project_has_a_plain_name(name: str) -> None:
    with pytest.raises(Refused):
        rules.found(rules.Known(), name, "a trial", who="chief", now=NOW)


def test_what_cannot_be_said_of_a_project_is_refused() -> None:
    known = trial()
    with pytest.raises(Refused):
        rules.found(known, "new", " ", who="chief", now=NOW)
    with pytest.raises(NotFound):
        rules.join(known, "none", "gray", Role.READER, who="chief", now=NOW)
    with pytest.raises(Refused):
        rules.join(known, "trial", "CT1", Role.READER, of="aet", who="chief", now=NOW)
    with pytest.raises(Refused):
        rules.rule(known, "trial", "", who="chief", now=NOW)


def broken(known: rules.Known, minutes: float = 60) -> tuple[rules.Known, str]:
    event = rules.break_glass(
        "1.2",
        "trial",
        reason="seizure in the ward",
        life=timedelta(minutes=minutes),
        reviewer="other",
        who=ITO,
        now=NOW,
    )
    return told(event, known=known), event.details["id"]


def test_a_broken_glass_shows_one_study_to_one_person_until_its_hour() -> None:
    known, id = broken(trial())
    assert rules.reach(known, ITO, "study", NOW) == Reach(frozenset({EVERYBODY}), frozenset({"1.2"}))
    assert (
        rules.reach(known, ITO, "sign", NOW) == rules.reach(known, CHIEF, "study", NOW) == Reach(frozenset({EVERYBODY}))
    )
    late = NOW + timedelta(minutes=60)
    assert rules.glass_of(known, ITO, "1.2", late) is None and rules.glass_of(known, ITO, "1.3", NOW) is None
    closed = told(rules.end_glass(known, id, who=ITO, now=NOW), known=known)
    assert rules.reach(closed, ITO, "study", NOW) == Reach(frozenset({EVERYBODY}))
    with pytest.raises(NotFound):
        rules.end_glass(closed, id, who=ITO, now=NOW)
    with pytest.raises(NotFound):
        rules.end_glass(known, id, who=GRAY, now=NOW)


@pytest.mark.parametrize("who", [CT1, Person("robot", Role.SERVICE), Person("", Role.NONE)])
def test_no_system_breaks_glass(who: Person) -> None:
    with pytest.raises(Forbidden):
        rules.break_glass(
            "1.2", "trial", reason="a long reason", life=timedelta(hours=1), reviewer="", who=who, now=NOW
        )


@pytest.mark.parametrize(("reason", "hours"), [("short", 1), ("a long reason", 0), ("a long reason", 8.1)])
def test_glass_is_broken_with_a_reason_and_for_a_while(reason: str, hours: float) -> None:
    with pytest.raises(Refused):
        rules.break_glass("1.2", "trial", reason=reason, life=timedelta(hours=hours), reviewer="", who=ITO, now=NOW)


def test_another_person_looks_through_it_once() -> None:
    known, id = broken(trial())
    with pytest.raises(Forbidden):
        rules.review(known, id, True, "", who=ITO, now=NOW)
    with pytest.raises(NotFound):  # another administrator is named
        rules.review(known, id, True, "", who=CHIEF, now=NOW)
    with pytest.raises(Refused):
        rules.review(known, id, False, "", who=OTHER, now=NOW)
    known = told(rules.review(known, id, False, "he was not his patient", who=OTHER, now=NOW), known=known)
    assert known.glasses[id].reviewed == "other" and known.glasses[id].justified is False
    with pytest.raises(WrongState):
        rules.review(known, id, True, "", who=OTHER, now=NOW)


def test_who_is_asked_is_the_keeper_or_an_administrator_and_never_the_same_person() -> None:
    known, people = trial(), [ITO, CHIEF, OTHER]
    assert rules.reviewer_of(known, "trial", ITO, people) == "other"
    assert rules.reviewer_of(known, "trial", OTHER, people) == "chief"
    assert rules.reviewer_of(known, EVERYBODY, CHIEF, people) == "other"
    assert rules.reviewer_of(known, EVERYBODY, CHIEF, [CHIEF, ITO]) == ""
