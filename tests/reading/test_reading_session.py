"""One reader at a time, every finding decided by a person, nothing lost between two browsers."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import Conflict, IsocenterError, NotFound, Refused, WrongState
from isocenter.reading.session import (
    LEASE,
    Correction,
    Reading,
    correct,
    lapse,
    open_reading,
    sign,
    undecided,
    word,
)
from isocenter.record import Code, Finding, Kind, Measurement, Origin, Outcome, Result, Urgency, Verdict, codes
from isocenter.record.plain import canonical, from_plain, to_plain

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
UID = "1.2.3"


def machine(*findings: Finding, outcome: Outcome = Outcome.FOUND, **rest: object) -> tuple[str, Result]:
    result = Result(UID, outcome, Origin("machine", "volumetry", "2", "w" * 64), NOON, findings=findings, **rest)  # type: ignore[arg-type]
    return result.id, result


def lesion(tracking: str = "2.25.1") -> Finding:
    return Finding(codes.LESION, 0.7, measurements=(Measurement(codes.LENGTH, 12, "mm"),), words="A lesion.",
                   tracking=tracking)  # fmt: skip


OPEN = Reading(UID, "open", "ito", 7, NOON, touched=NOON)


# ---- taking and leaving


def test_the_first_reader_takes_the_study() -> None:
    (event,) = open_reading(Reading(UID), "ito", NOON)
    assert (event.kind, event.who, event.subject, event.details["by"]) == (Kind.READING_OPENED, "ito", UID, "ito")


def test_its_own_reader_may_reload() -> None:
    assert open_reading(OPEN, "ito", NOON + timedelta(hours=5)) == ()


def test_the_second_reader_is_told_who_has_it() -> None:
    with pytest.raises(WrongState, match=r"ito has this study open.*3 minutes ago"):
        open_reading(OPEN, "gray", NOON + timedelta(minutes=3, seconds=20))


def test_a_study_behind_a_closed_laptop_lapses_when_another_asks() -> None:
    with pytest.raises(WrongState):
        open_reading(OPEN, "gray", NOON + LEASE - timedelta(seconds=1))
    lapsed, opened = open_reading(OPEN, "gray", NOON + LEASE)
    assert (lapsed.kind, lapsed.who, lapsed.details["by"]) == (Kind.READING_CLOSED, "isocenter", "ito")
    assert (opened.kind, opened.who) == (Kind.READING_OPENED, "gray")


def test_a_signed_study_is_opened_to_amend() -> None:
    (event,) = open_reading(replace(OPEN, state="signed"), "gray", NOON)
    assert event.kind is Kind.READING_OPENED


def test_leaving() -> None:
    (event,) = lapse(OPEN, "ito", NOON, version=7)
    assert event.kind is Kind.READING_CLOSED


def test_a_reading_from_the_index() -> None:
    row = {"state": "open", "by": "ito", "version": 9, "opened": NOON.isoformat(), "signed": None, "draft": "d",
           "reports": ["r"], "first": None}  # fmt: skip
    assert Reading.of(UID, row) == Reading(UID, "open", "ito", 9, NOON, None, NOON, "d", ("r",))
    assert Reading.of(UID, {}) == Reading(UID)
    later = NOON + timedelta(minutes=1)
    assert Reading.of(UID, row, later).touched == later


# ---- every write: mine, and not behind what I saw

KEEP = Correction(Verdict.KEPT, "2.25.1")
LATEST = [machine(lesion())]


def all_writes(reading: Reading, who: str, version: int) -> list[object]:
    return [
        lambda: lapse(reading, who, NOON, version=version),
        lambda: correct(reading, LATEST, KEEP, who, NOON, version=version),
        lambda: word(reading, who, NOON, version=version, report="d"),
        lambda: sign(reading, [], who, NOON, version=version, report="d"),
    ]


@pytest.mark.parametrize("act", range(4))
def test_another_reader_changes_nothing(act: int) -> None:
    with pytest.raises(WrongState, match="ito"):
        all_writes(OPEN, "gray", 7)[act]()  # type: ignore[operator]


@pytest.mark.parametrize("act", range(4))
def test_a_write_that_did_not_see_the_latest_is_refused(act: int) -> None:
    with pytest.raises(Conflict, match="as you saw it"):
        all_writes(OPEN, "ito", 6)[act]()  # type: ignore[operator]


@pytest.mark.parametrize("state", ["waiting", "signed"])
@pytest.mark.parametrize("act", range(4))
def test_nothing_is_written_into_a_study_that_is_not_open(act: int, state: str) -> None:
    with pytest.raises(WrongState, match="not possible"):
        all_writes(replace(OPEN, state=state), "ito", 7)[act]()  # type: ignore[operator]


# ---- decisions


def decide(correction: Correction, latest: list[tuple[str, Result]] = LATEST) -> Result:
    return correct(OPEN, latest, correction, "ito", NOON + timedelta(minutes=1), version=7)


def test_keeping_makes_a_persons_result_that_replaces_the_machines() -> None:
    made = decide(Correction(Verdict.KEPT, "2.25.1", LATEST[0][0]))
    assert made.replaces == LATEST[0][0]
    assert (made.origin.kind, made.origin.name, made.made) == ("person", "ito", NOON + timedelta(minutes=1))
    assert made.findings == (replace(lesion(), verdict=Verdict.KEPT),), "nothing else changes, the identity least"
    assert made.machine == ("volumetry", "2", "w" * 64)
    assert from_plain(Result, to_plain(made)) == made
    assert canonical(from_plain(Result, to_plain(made))) == canonical(made)


def test_changing_sets_what_was_given_and_keeps_the_rest() -> None:
    bigger = (Measurement(codes.LENGTH, 14, "mm"),)
    made = decide(Correction(Verdict.CHANGED, "2.25.1", measurements=bigger, reason="wrong place"))
    (finding,) = made.findings
    assert finding == replace(lesion(), measurements=bigger, verdict=Verdict.CHANGED, reason="wrong place")


def test_striking_keeps_the_finding_with_its_reason_and_takes_the_urgency_away() -> None:
    latest = [machine(lesion(), urgency=Urgency.NOW)]
    made = decide(Correction(Verdict.STRUCK, "2.25.1", reason="artefact"), latest)
    assert (made.findings[0].verdict, made.findings[0].reason) == (Verdict.STRUCK, "artefact")
    assert made.urgency is Urgency.ROUTINE


def test_urgency_stays_while_another_finding_stands() -> None:
    latest = [machine(lesion("2.25.1"), lesion("2.25.2"), urgency=Urgency.NOW)]
    assert decide(Correction(Verdict.STRUCK, "2.25.1"), latest).urgency is Urgency.NOW


def test_a_decision_can_be_changed() -> None:
    first = decide(Correction(Verdict.STRUCK, "2.25.1"))
    second = decide(Correction(Verdict.KEPT, "2.25.1"), [(first.id, first)])
    assert second.findings[0].verdict is Verdict.KEPT
    assert second.replaces == first.id
    assert second.machine.analysis == "volumetry"


def test_a_finding_added_to_nothing_is_a_result_of_its_own_with_a_fresh_uid() -> None:
    made = decide(Correction(Verdict.ADDED, "", what=codes.OPACITY, words="A small one."))
    (finding,) = made.findings
    assert made.replaces == ""
    assert finding.verdict is Verdict.ADDED
    assert finding.tracking.startswith("2.25.")
    assert len(finding.tracking) <= 64
    assert made.machine == ("", "", "")
    other = correct(OPEN, LATEST, Correction(Verdict.ADDED, "", what=codes.LESION), "ito", NOON, version=7)
    assert other.findings[0].tracking != finding.tracking


def test_a_finding_in_words_only_is_coded_as_a_finding() -> None:
    (finding,) = decide(Correction(Verdict.ADDED, "", words="An old fracture.")).findings
    assert (finding.what.scheme, finding.what.code, finding.words) == ("DCM", "121071", "An old fracture.")


def test_a_finding_added_to_an_answer_none_makes_it_found() -> None:
    latest = [machine(outcome=Outcome.NONE)]
    made = decide(Correction(Verdict.ADDED, "2.25.9", latest[0][0], what=codes.LESION), latest)
    assert (made.outcome, made.replaces) == (Outcome.FOUND, latest[0][0])


def test_what_was_declined_stays_declined() -> None:
    latest = [machine(outcome=Outcome.DECLINED, reasons=("too thick",))]
    made = decide(Correction(Verdict.ADDED, "2.25.9", latest[0][0], what=codes.LESION), latest)
    assert made.replaces == ""


def test_an_added_finding_that_is_worded_better_is_still_added() -> None:
    first = decide(Correction(Verdict.ADDED, "2.25.9", what=codes.LESION))
    second = decide(Correction(Verdict.CHANGED, "2.25.9", words="Better."), [(first.id, first)])
    assert (second.findings[0].verdict, second.findings[0].words) == (Verdict.ADDED, "Better.")
    third = decide(Correction(Verdict.STRUCK, "2.25.9"), [(second.id, second)])
    assert third.findings[0].verdict is Verdict.STRUCK


def test_an_opinion_before_any_ai_is_marked_as_such() -> None:
    made = correct(OPEN, LATEST, KEEP, "ito", NOON, version=7, unaided=True)
    assert made.origin.unaided


@pytest.mark.parametrize(
    ("correction", "kind", "told"),
    [
        (Correction(Verdict.UNDECIDED, "2.25.1"), Refused, "taken back"),
        (Correction(Verdict.KEPT, ""), Refused, "tracking"),
        (Correction(Verdict.CHANGED, "2.25.1"), Refused, "nothing changed"),
        (Correction(Verdict.KEPT, "2.25.1", words="other"), Refused, "two things"),
        (Correction(Verdict.STRUCK, "2.25.1", what=codes.LESION), Refused, "two things"),
        (Correction(Verdict.ADDED, "2.25.9"), Refused, "says nothing"),
        (Correction(Verdict.ADDED, "2.25.9", words="  "), Refused, "says nothing"),
        (Correction(Verdict.ADDED, "2.25.1", what=codes.LESION), Conflict, "there already"),
        (Correction(Verdict.ADDED, "2.25.9", "f" * 64, what=codes.LESION), Conflict, "latest"),
        (Correction(Verdict.KEPT, "2.25.8"), NotFound, "2.25.8"),
        (Correction(Verdict.KEPT, "2.25.1", "f" * 64), Conflict, "no longer the latest"),
        (Correction(Verdict.KEPT, "2.25.8", LATEST[0][0]), NotFound, "2.25.8"),
    ],
)
def test_corrections_that_say_nothing_or_too_much(
    correction: Correction, kind: type[IsocenterError], told: str
) -> None:
    with pytest.raises(kind, match=told):
        decide(correction)


@given(st.lists(st.tuples(st.integers(0, 3), st.sampled_from(["kept", "changed", "struck"])), max_size=12))
def test_law_a_chain_of_decisions_keeps_every_identity_and_loses_no_finding(acts: list[tuple[int, str]]) -> None:
    latest = [machine(*(lesion(f"2.25.{n}") for n in range(4)))]
    for place, verdict in acts:
        words = "other words" if verdict == "changed" else None
        made = decide(Correction(Verdict(verdict), f"2.25.{place}", words=words), latest)
        assert made.replaces == latest[0][0]
        latest = [(made.id, made)]
    assert [f.tracking for f in latest[0][1].findings] == [f"2.25.{n}" for n in range(4)]
    decided = {f"2.25.{place}" for place, _ in acts}
    assert {f.tracking for _, f in undecided(latest)} == {f"2.25.{n}" for n in range(4)} - decided
    last = dict(acts)
    assert all(latest[0][1].findings[place].verdict.value == verdict for place, verdict in last.items())


# ---- signing


def test_signing_with_an_undecided_finding_is_impossible_and_says_which() -> None:
    with pytest.raises(WrongState, match=r"1 finding undecided: Lesion \(volumetry\)"):
        sign(OPEN, LATEST, "ito", NOON, version=7, report="d")


def test_signing_and_amending() -> None:
    made = decide(KEEP)
    (event,) = sign(OPEN, [(made.id, made)], "ito", NOON, version=7, report="digest")
    assert (event.kind, event.details["report"]) == (Kind.REPORT_SIGNED, "digest")
    amending = replace(OPEN, state="amending")
    (event,) = sign(amending, [(made.id, made)], "ito", NOON, version=7, report="digest")
    assert event.kind is Kind.REPORT_AMENDED


def test_a_signature_needs_a_report() -> None:
    with pytest.raises(Refused, match="without a report"):
        sign(OPEN, [], "ito", NOON, version=7, report="")


def test_nobody_signs_what_came_after_they_looked() -> None:
    made = decide(KEEP)
    late = machine(outcome=Outcome.NONE)
    with pytest.raises(Conflict, match="results changed since you saw them: volumetry"):
        sign(OPEN, [(made.id, made), late], "ito", NOON, version=7, report="digest", seen=[made.id])
    with pytest.raises(Conflict, match="since you saw them: nobody signs"):
        sign(OPEN, [late], "ito", NOON, version=7, report="digest", seen=[late[0], made.id])
    assert sign(OPEN, [(made.id, made), late], "ito", NOON, version=7, report="digest", seen=[late[0], made.id])


def test_wording_is_an_event_with_the_digest_of_the_draft() -> None:
    (event,) = word(OPEN, "ito", NOON, version=7, report="digest")
    assert (event.kind, event.details["report"]) == (Kind.REPORT_DRAFTED, "digest")


def test_a_code_of_another_scheme_is_taken() -> None:
    made = decide(Correction(Verdict.CHANGED, "2.25.1", what=Code("x", "99SITE", "Ours")))
    assert made.findings[0].what.scheme == "99SITE"
