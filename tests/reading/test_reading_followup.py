"""Follow-ups: matched by what fits, asked where it does not quite, overdue where nothing came."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest

from isocenter.errors import Refused, WrongState
from isocenter.reading.followup import FollowUp, adherence, ask, close, fold, match, matches, plain, queue
from isocenter.record import Patient, Series, Study

NOW = datetime(2026, 1, 10, 9, tzinfo=UTC)
TODAY = NOW.date()


def study(uid: str, on: date, patient: str = "P1", modality: str = "CT", part: str = "CHEST") -> Study:
    return Study(uid, Patient(patient), date=on, series=(Series(f"{uid}.1", modality, body_part=part),))


def asked(**rest: object) -> FollowUp:
    given: dict[str, object] = {
        "finding": "nodule of 7 mm", "due": date(2026, 7, 10), "responsible": "Dr Ruiz", "modality": "ct",
        "body_part": "chest", "who": "ito", "now": NOW, **rest,
    }  # fmt: skip
    return next(iter(fold([ask(study("1.1", TODAY), **given)]).values()))  # type: ignore[arg-type]


def test_the_examination_that_completes_it_is_found_by_itself() -> None:
    one = asked()
    others = [
        study("1.1", date(2026, 7, 1)),  # the study itself
        study("1.2", date(2026, 7, 1), patient="P2"),
        study("1.3", date(2026, 7, 1), modality="MR"),
        study("1.4", TODAY),  # on the day itself: it is what led to it
    ]
    assert matches([one], others) == []
    early, right, late = (
        study(f"1.{n}", on) for n, on in ((5, date(2026, 2, 1)), (6, date(2026, 7, 5)), (7, date(2026, 9, 1)))
    )
    found = matches([one], [*others, late, early, right])
    assert [(m.study, m.sure) for m in found] == [("1.6", True)]
    done = fold([ask_event(), match(one, found[0], "isocenter", NOW)])[one.id]
    assert (done.completed, done.completed_on, done.state(TODAY)) == ("1.6", date(2026, 7, 5), "completed")
    with pytest.raises(WrongState, match="not open"):
        close(done, "died", "ito", NOW)


def ask_event() -> object:
    return ask(
        study("1.1", TODAY), finding="nodule of 7 mm", due=date(2026, 7, 10), responsible="Dr Ruiz", modality="ct",
        body_part="chest", who="ito", now=NOW,
    )  # fmt: skip


def test_what_does_not_quite_fit_is_asked() -> None:
    found = matches([asked()], [study("1.5", date(2026, 2, 1))])[0]
    assert (found.sure, found.why) == (False, "early: it was due on 2026-07-10")
    found = matches([asked()], [study("1.6", date(2026, 7, 5), part="ABDOMEN")])[0]
    assert (found.sure, found.why) == (False, "the header does not say chest")
    assert matches([asked(body_part="", modality="")], [study("1.6", date(2026, 7, 5), modality="MR")])[0].sure


def test_the_queue_and_the_states_by_day() -> None:
    one, two = asked(), asked(finding="cyst", due=date(2026, 3, 1))
    assert [f.finding for f in queue([one, two], TODAY)] == ["cyst", "nodule of 7 mm"]
    states = {day: one.state(day) for day in (TODAY, date(2026, 6, 15), date(2026, 7, 10), date(2026, 7, 11))}
    assert list(states.values()) == ["open", "due", "due", "overdue"]
    told = plain(one, date(2026, 7, 20))
    assert (told["state"], told["days"], told["modality"]) == ("overdue", -10, "CT")
    closed = fold([ask_event(), close(one, "done elsewhere", "ito", NOW)])[one.id]
    assert (closed.state(TODAY), queue([closed], TODAY), matches([closed], [study("1.6", date(2026, 7, 5))])) == (
        "closed",
        [],
        [],
    )


def test_a_synthetic_year_gives_the_planted_adherence() -> None:
    """A thousand recommendations over a year, two thirds of which are followed up, some late."""
    rng = np.random.default_rng(3)
    many, studies = [], []
    for n in range(1000):
        on = NOW + timedelta(days=int(rng.integers(0, 365)))
        due = on.date() + timedelta(days=int(rng.integers(60, 200)))
        told = fold(
            [
                ask(
                    study(f"1.{n}", on.date(), f"P{n}"),
                    finding="x",
                    due=due,
                    responsible="r",
                    modality="CT",
                    who="i",
                    now=on,
                )
            ]
        )
        many += told.values()
        if rng.random() < 2 / 3:
            studies.append(study(f"2.{n}", due + timedelta(days=int(rng.integers(-20, 20))), f"P{n}"))
    found = {m.follow_up: m for m in matches(many, studies)}
    assert len(found) == len(studies)
    assert all(m.sure for m in found.values())
    done = [f if f.id not in found else FollowUp(**{**vars(f), "completed": found[f.id].study}) for f in many]
    rate = adherence(done, date(2028, 1, 1))
    assert rate is not None
    assert rate.n == 1000
    assert rate.low < 2 / 3 < rate.high
    open_ = [f for f in done if not f.completed]
    assert queue(done, date(2028, 1, 1)) == sorted(open_, key=lambda f: (f.due, f.asked, f.id)), "none is lost"


def test_what_is_not_due_yet_is_not_missed() -> None:
    one = asked()
    assert adherence([one], one.due) is None
    assert adherence([one], one.due + timedelta(days=30)) is None
    assert adherence([one], one.due + timedelta(days=31)).value == 0  # type: ignore[union-attr]


def test_what_was_completed_early_counts_when_the_others_of_its_time_do() -> None:
    """Five were due a week ago: two are done. Only a share of all five is one; before, it would have been all."""
    one = asked()
    five = [replace(one, id=str(n), completed="2.9" if n < 2 else "") for n in range(5)]
    assert adherence(five, one.due + timedelta(days=7)) is None
    assert adherence(five, one.due + timedelta(days=31)).value == pytest.approx(2 / 5)  # type: ignore[union-attr]


@pytest.mark.parametrize("rest", [{"finding": " "}, {"responsible": ""}, {"due": TODAY}, {"due": date(2020, 1, 1)}])
def test_refusals(rest: dict[str, object]) -> None:
    with pytest.raises(Refused):
        asked(**rest)


def test_more_refusals() -> None:
    with pytest.raises(Refused, match="identifier"):
        ask(study("1.1", TODAY, ""), finding="x", due=date(2027, 1, 1), responsible="r", who="i", now=NOW)
    with pytest.raises(Refused, match="without a reason"):
        close(asked(), " ", "ito", NOW)
