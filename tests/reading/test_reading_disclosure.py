"""Which of the machine's words may leave, in which mode; and who may change the mode."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from isocenter.errors import Conflict, NotFound, Refused
from isocenter.reading.disclosure import ALLOWED, Mode, Modes, Use, confirm, may_leave, propose, row, visible
from isocenter.reading.worklist import Raise, Said, Waiting
from isocenter.record import Event, Kind, Origin, Outcome, Patient, Result, Sealed, Study, Urgency
from isocenter.record.event import GENESIS

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        (Mode.SHADOW, False, False),
        (Mode.TRIAGE, False, False),
        (Mode.UNAIDED_FIRST, False, True),
        (Mode.SECOND, True, True),
        (Mode.CONCURRENT, True, True),
    ],
)
def test_every_mode_before_and_after_the_first_opinion(mode: Mode, before: bool, after: bool) -> None:
    assert (may_leave(mode, locked=False), may_leave(mode, locked=True)) == (before, after)


def test_a_persons_own_result_leaves_and_a_correction_of_a_machines_goes_with_the_machine() -> None:
    own = Result("1", Outcome.FOUND, Origin("person", "ito"), NOON)
    unaided = Result("1", Outcome.FOUND, Origin("person", "gray", unaided=True), NOON)
    echo = Result("1", Outcome.FOUND, Origin("person", "gray"), NOON)
    machine = Result("1", Outcome.NONE, Origin("machine", "volumetry", "1"), NOON)
    corrected = Result("1", Outcome.NONE, Origin("person", "ito", parameters={"of": {"analysis": "volumetry"}}), NOON)
    many = {"own": own, "unaided": unaided, "echo": echo, "machine": machine, "corrected": corrected}
    seen = {n for n, r in many.items() if visible(r, Modes(), locked=False, who="ito")}
    assert seen == {"own", "unaided"}
    assert {n for n, r in many.items() if visible(r, Modes(), locked=True, who="ito")} == set(many)


def after(modes: Modes, *events: Event) -> Modes:
    sealed = [Sealed.after(n, GENESIS, event) for n, event in enumerate(events, 1)]
    return modes.after(sealed)


def test_more_of_a_machine_takes_two_people_and_less_takes_one() -> None:
    asked = propose(Modes(), "ct", Use.READING, Mode.CONCURRENT, reason="a study of ours", who="ito", now=NOON)
    assert asked.kind is Kind.MODE_PROPOSED
    known = after(Modes(), asked)
    assert known.of("ct", Use.READING) is Mode.UNAIDED_FIRST, "a proposal changes nothing"
    with pytest.raises(Refused, match="ito proposed and ito confirms"):
        confirm(known, "ct", Use.READING, 1, who="ito", now=NOON)
    with pytest.raises(NotFound):
        confirm(known, "ct", Use.READING, 2, who="gray", now=NOON)
    with pytest.raises(NotFound):
        confirm(known, "ct", Use.WORKLIST, 1, who="gray", now=NOON)
    agreed = confirm(known, "ct", Use.READING, 1, who="gray", now=NOON)
    assert (agreed.details["proposed_by"], agreed.who, agreed.details["reason"]) == ("ito", "gray", "a study of ours")
    known = after(known, asked, agreed)
    assert known.of("ct", Use.READING) is Mode.CONCURRENT and not known.proposals
    assert known.of("mr", Use.READING) is Mode.UNAIDED_FIRST
    stopped = propose(known, "ct", Use.READING, Mode.SHADOW, reason="it is wrong", who="ito", now=NOON)
    assert stopped.kind is Kind.MODE_SET
    assert after(known, stopped).of("ct", Use.READING) is Mode.SHADOW


def test_a_proposal_that_something_overtook_is_not_confirmed() -> None:
    asked = propose(Modes(), "ct", Use.READING, Mode.SECOND, reason="r", who="ito", now=NOON)
    overtaken = after(Modes(), asked)
    overtaken = Modes({("ct", Use.READING): Mode.SHADOW}, overtaken.proposals)
    with pytest.raises(Conflict, match="no longer unaided-first"):
        confirm(overtaken, "ct", Use.READING, 1, who="gray", now=NOON)


@pytest.mark.parametrize(
    ("use", "mode", "reason"),
    [
        (Use.WORKLIST, Mode.CONCURRENT, "r"),
        (Use.READING, Mode.TRIAGE, "r"),
        (Use.READING, Mode.UNAIDED_FIRST, "r"),
        (Use.READING, Mode.SECOND, "  "),
    ],
)
def test_modes_that_a_use_does_not_have_and_changes_without_reason_are_refused(
    use: Use, mode: Mode, reason: str
) -> None:
    with pytest.raises(Refused):
        propose(Modes(), "ct", use, mode, reason=reason, who="ito", now=NOON)
    assert Mode.SHADOW in ALLOWED[use]


def waiting() -> Waiting:
    raised = (Raise(Urgency.NOW, "lesion", "ct"),)
    said = (Said("found", raised, "ct"), Said("none", (), "mr"))
    return Waiting(Study("1", Patient("p")), NOON, raises=raised, ai="found", said=said)


@pytest.mark.parametrize(
    ("use", "mode", "ai", "raised"),
    [
        (Use.READING, Mode.UNAIDED_FIRST, "after", None),
        (Use.READING, Mode.SHADOW, "after", None),
        (Use.WORKLIST, Mode.TRIAGE, "after", ""),
        (Use.WORKLIST, Mode.TRIAGE_NAMED, "after", "lesion"),
        (Use.READING, Mode.CONCURRENT, "found", "lesion"),
    ],
)
def test_what_a_row_says_before_the_opinion(use: Use, mode: Mode, ai: str, raised: str | None) -> None:
    shown = row(waiting(), Modes({("ct", use): mode}), locked=False)
    assert shown.ai == ai
    assert [r.finding for r in shown.raises] == ([] if raised is None else [raised])
    assert shown.said == (), "what stands behind it does not travel along"


def test_a_row_after_the_opinion_says_all_but_what_runs_in_shadow() -> None:
    assert row(waiting(), Modes(), locked=True).ai == "found"
    assert row(waiting(), Modes({("ct", Use.READING): Mode.SHADOW}), locked=True).ai == "none"
