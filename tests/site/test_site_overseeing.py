"""The figures of a department of thirty studies, each worked out by hand beside its journal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

import pytest

from department_for_oversight import AI, CHIEF, ITO, MONDAY, at, department, keep, uid
from isocenter.errors import Forbidden, LimitReached, NotFound, Refused
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Kind, Origin, Outcome, Result
from isocenter.site.overseeing import Period, zone_of
from isocenter.site.verbs import Site

ALWAYS = Period()
GRAY = Person("gray", Role.RESEARCHER)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with department(tmp_path_factory.mktemp("department")) as (site, _):
        yield site


def test_turnaround_by_hand(site: Site) -> None:
    """Waits are 1 … 30 minutes; archive to report is five more."""
    told = site.oversight.turnaround(who=ITO, period=ALWAYS, span="waiting", by="modality", target_min=20)
    whole = told["all"]
    assert (whole.n, whole.median.value, whole.p90.value, whole.p95.value) == pytest.approx((30, 15.5, 27.1, 28.55))
    assert whole.within.value == pytest.approx(20 / 30)
    rows = {row.group: (row.n, row.median.value) for row in told["rows"]}
    assert rows == {"CT": (20, 15.5), "MR": (10, 15.5)}  # 1 … 10 and 21 … 30; 11 … 20
    report = site.oversight.turnaround(who=ITO, period=ALWAYS, by="site", target_min=20)
    assert {r.group: r.median.value for r in report["rows"]} == {"north": 15.5, "south": 30.5}
    assert report["all"].within.value == pytest.approx(15 / 30)


def test_working_hours_and_zones(site: Site) -> None:
    told = site.oversight.turnaround(who=ITO, period=ALWAYS, span="waiting", by="hours")
    assert {r.group: r.n for r in told["rows"]} == {"off hours": 10, "working hours": 20}
    there = Period(zone=zone_of("Europe/Berlin"))  # an hour later there: 9:00 to 23:30
    told = site.oversight.turnaround(who=ITO, period=there, span="waiting", by="hours")
    assert {r.group: r.n for r in told["rows"]} == {"off hours": 12, "working hours": 18}
    day = Period(since=date(2026, 11, 17))
    assert site.oversight.turnaround(who=ITO, period=day)["all"].n == 0
    with pytest.raises(Refused, match="none has that name"):
        zone_of("Mars/Olympus")


def test_a_span_over_the_scanner_s_clock_says_what_is_missing(site: Site) -> None:
    told = site.oversight.turnaround(who=ITO, period=ALWAYS, span="turnaround")["all"]
    assert (told.n, told.missing, told.median) == (0, 30, None)
    with pytest.raises(Refused, match="there are turnaround"):
        site.oversight.turnaround(who=ITO, period=ALWAYS, span="to the moon")


def test_stamps_from_outside_by_study_and_by_accession(tmp_path_factory: pytest.TempPathFactory) -> None:
    with department(tmp_path_factory.mktemp("stamps"), read=6) as (site, _):
        for n in range(1, 6):
            site.oversight.stamp(uid(n), "completed", at(n, -10), who=CHIEF)
        site.oversight.stamp("", "completed", at(6, -20), who=CHIEF, accession="A6")
        told = site.oversight.turnaround(who=ITO, period=ALWAYS, span="transfer", target_min=10)["all"]
        assert (told.n, told.missing, told.p95.high, told.within.value) == (6, 0, 20, 5 / 6)
        with pytest.raises(Refused, match="told from outside"):
            site.oversight.stamp(uid(1), "final", at(1), who=CHIEF)
        with pytest.raises(Refused, match="without a time zone"):
            site.oversight.stamp(uid(1), "ordered", datetime(2026, 1, 1), who=CHIEF)
        with pytest.raises(NotFound):
            site.oversight.stamp("9.9", "ordered", at(1), who=CHIEF)


def test_too_many_studies_at_once_are_told(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.site.overseeing._MOST", 29)
    with pytest.raises(LimitReached, match=r"30 studies.*29 are counted at once.*shorter period.*journal out whole"):
        site.oversight.turnaround(who=ITO, period=ALWAYS)


def test_readers_with_ai_by_hand(site: Site) -> None:
    told = site.oversight.readers(who=CHIEF, period=ALWAYS, by=("reader",))
    whole = told["all"]
    assert (whole.n, whole.with_truth) == (30, 30)
    assert (whole.agreement.value, whole.override.value) == pytest.approx((26 / 30, 4 / 30))  # 6, 12 struck; 1, 4 added
    assert whole.wrong_follow is None
    assert whole.needed["wrong_follow"] == 6  # the AI was wrong in 1, 4, 9 and 12
    assert (whole.wrong_override.n, whole.wrong_override.value) == (26, pytest.approx(1 / 26))  # 6 was right
    assert whole.seconds == 300
    assert [r.group for r in told["rows"]] == [("ito",), ("lee",)]
    assert [r.group for r in site.oversight.readers(who=ITO, period=ALWAYS, by=("reader",))["rows"]] == [
        ("others",), ("you",),
    ]  # fmt: skip


def test_what_the_signature_wrote_down_is_what_counts(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Twelve signatures that say themselves what AI, first opinion and report said, and in which mode."""
    with department(tmp_path_factory.mktemp("calls"), read=0) as (site, _):
        for n in range(1, 13):
            opened = Event(Kind.READING_OPENED, at(n), "ito", f"1.9.{n}", {"by": "ito"})
            call = {
                "analysis": AI,
                "version": "1",
                "mode": "unaided-first",
                "machine": True,
                "final": n > 3,
                "first": n > 6,
            }
            told = {"report": "f" * 64, "calls": [call], "decisions": ["large"] * 100}
            site.journal.append(opened, Event(Kind.REPORT_SIGNED, at(n, 4), "ito", f"1.9.{n}", told))
        rates = site.oversight.readers(who=ITO, period=ALWAYS, by=("mode",))["rows"]
        assert [r.group for r in rates] == [("unaided-first",)]
        assert (rates[0].override.value, rates[0].changed.value, rates[0].seconds) == (3 / 12, 3 / 12, 240)
        kept = site.oversight._log.by_subject()["1.9.1"][-1].details
        assert set(kept) == {"report", "calls"}, "what is large is not held"


def test_what_no_machine_had_said_when_it_was_signed_and_what_was_seen_beside_it(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    """A signature that names no machine stays without one, though it speaks later; beside AI there is no first look."""
    with department(tmp_path_factory.mktemp("beside"), read=3) as (site, _):
        call = {"analysis": AI, "version": "1", "machine": True, "final": True, "first": False}
        for n, mode in enumerate(("second", "concurrent", "shadow"), 4):
            signed = {"report": "f" * 64, "calls": [{**call, "mode": mode}]}
            _signed(site, f"1.9.{n}", at(n), signed)
        _signed(site, "1.9.7", at(7), {"report": "f" * 64, "calls": []})
        keep(site, Result("1.9.7", Outcome.NONE, Origin("machine", AI, "1"), at(8)), "isocenter", at(8))
        told = site.oversight.readers(who=ITO, period=ALWAYS)
        assert (told["all"].n, [r.n for r in told["rows"]]) == (6, [1, 3, 1, 1])
        assert {row.group[0]: row.needed["changed"] for row in told["rows"]} == {
            "concurrent": 10, "not told": 10, "second": 10, "shadow": 9,  # the three of the department are not told
        }  # fmt: skip


def _signed(site: Site, study: str, now: datetime, told: dict[str, object]) -> None:
    opened = Event(Kind.READING_OPENED, now - timedelta(minutes=4), "ito", study, {"by": "ito"})
    site.journal.append(opened, Event(Kind.REPORT_SIGNED, now, "ito", study, told))


def test_the_mode_of_the_worklist_says_since_when(tmp_path_factory: pytest.TempPathFactory) -> None:
    with department(tmp_path_factory.mktemp("mode"), read=6) as (site, _):
        first = site.oversight.triaging(who=ITO)
        told = {
            "use": "worklist",
            "mode": "triage",
            "was": "shadow",
            "reason": "x",
            "proposed_by": "ito",
            "proposal": 1,
        }
        site.journal.append(Event(Kind.MODE_SET, at(2), "lee", AI, told))
        now = {row["analysis"]: row["since"] for row in site.oversight.triaging(who=ITO)}
        assert {r["analysis"]: r["since"] for r in first}[AI] == at(3, 0.5).isoformat()
        assert now[AI] == at(2).isoformat()


def test_triage_says_how_many_are_missing(site: Site) -> None:
    told = site.oversight.triage(AI, who=ITO, period=ALWAYS)
    split = told["splits"][0]
    # Switched on with its first raise, half a minute after study 3 came: 4 … 30 count.
    assert (told["studies"], split.n, split.needed, split.observed) == (27, 27, 33, {})
    told = site.oversight.triage(AI, who=ITO, period=ALWAYS, since=MONDAY)
    assert (told["studies"], told["splits"][0].needed, told["late"]) == (30, 30, 0)
    line = site.oversight.effect_line(who=ITO, period=ALWAYS)
    assert (line["analysis"], line["n"], line["needed"]) == (AI, 27, 33)
    assert AI in [row["analysis"] for row in site.oversight.triaging(who=ITO)]
    with pytest.raises(NotFound, match=AI):
        site.oversight.triage("volumetry", who=ITO, period=ALWAYS)


def test_a_truth_needs_a_source_a_study_and_an_analysis(site: Site) -> None:
    with pytest.raises(Refused, match="without a source"):
        site.oversight.outcome(uid(1), AI, True, " ", who=ITO)
    with pytest.raises(NotFound):
        site.oversight.outcome("9.9", AI, True, "x", who=ITO)
    with pytest.raises(NotFound):
        site.oversight.outcome(uid(1), "palm_reading", True, "x", who=ITO)


def test_what_happens_meanwhile_is_in_the_next_answer(tmp_path_factory: pytest.TempPathFactory) -> None:
    with department(tmp_path_factory.mktemp("level"), read=6) as (site, _):
        assert site.oversight.turnaround(who=ITO, period=ALWAYS)["all"].addenda == 0
        amended = [
            Event(Kind.READING_OPENED, at(1, 100), "ito", uid(1), {"by": "ito"}),
            Event(Kind.REPORT_AMENDED, at(1, 101), "ito", uid(1), {"report": "f" * 64}),
        ]
        site.journal.append(*amended)
        told = site.oversight.turnaround(who=ITO, period=ALWAYS)["all"]
        assert (told.n, told.addenda, told.median.value) == (6, 1, 8.5), "an addendum does not move the report"


@pytest.mark.parametrize(
    "ask",
    [
        lambda site, who: site.oversight.turnaround(who=who, period=ALWAYS),
        lambda site, who: site.oversight.triage(AI, who=who, period=ALWAYS),
        lambda site, who: site.oversight.readers(who=who, period=ALWAYS),
        lambda site, who: site.oversight.outcome(uid(1), AI, True, "x", who=who),
        lambda site, who: site.oversight.stamp(uid(1), "ordered", MONDAY + timedelta(1), who=who),
        lambda site, who: site.oversight.effect_line(who=who, period=ALWAYS),
        lambda site, who: site.oversight.triaging(who=who),
    ],
)
def test_who_has_no_right_gets_no_figure(site: Site, ask: object) -> None:
    with pytest.raises(Forbidden):
        ask(site, GRAY)  # type: ignore[operator]


def test_periods() -> None:
    week = Period(date(2026, 11, 16), date(2026, 11, 17), zone_of("America/New_York"))
    assert not week.holds(datetime(2026, 11, 16, 4, 59, tzinfo=UTC))  # still Sunday there
    assert week.holds(datetime(2026, 11, 17, 4, 59, tzinfo=UTC))
