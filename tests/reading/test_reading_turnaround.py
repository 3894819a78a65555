"""Turnaround worked out by hand: thirty studies, three clocks, a night, an addendum, a cancellation."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from isocenter.errors import Refused
from isocenter.reading.turnaround import STAMPS, Exam, acquired, by, exam, minutes, summary
from isocenter.record import Event, Instance, Kind, Patient, Series, Study

MONDAY = datetime(2026, 11, 16, 8, tzinfo=UTC)
WAIT = ("available", "opened")
BERLIN = ZoneInfo("Europe/Berlin")


def at(minute: float) -> datetime:
    return MONDAY + timedelta(minutes=minute)


def waited(number: int, begun: float, took: float, modality: str = "CT", site: str = "north") -> Exam:
    return Exam(f"1.{number}", modality, site, {"available": at(begun), "opened": at(begun + took)})


def thirty() -> list[Exam]:
    """Waits 1 … 10 (CT north), 11 … 20 (MR north), 21 … 30 (CT south); one arrives every 30 minutes from 8:00 UTC."""
    return [
        waited(n, 30 * (n - 1), n, "MR" if 11 <= n <= 20 else "CT", "south" if n > 20 else "north")
        for n in range(1, 31)
    ]


def test_thirty_studies_by_hand() -> None:
    row = summary(thirty(), WAIT, target_min=20)
    assert (row.n, row.missing, row.cancelled, row.skewed) == (30, 0, 0, 0)
    assert row.median is not None and row.p90 is not None and row.p95 is not None and row.within is not None
    # linear between neighbours: 1 + 29 q
    assert row.median.value == pytest.approx(15.5)
    assert row.p90.value == pytest.approx(27.1)
    assert row.p95.value == pytest.approx(28.55)
    assert (row.median.low, row.median.high) == (10, 21)  # the 10th and 21st of 30: the sign test's ranks
    assert row.within.value == pytest.approx(20 / 30)


def test_groups_by_hand() -> None:
    found = by(thirty(), "modality", WAIT, UTC, (8, 18))
    assert {name: len(many) for name, many in found.items()} == {"CT": 20, "MR": 10}
    assert {n: len(m) for n, m in by(thirty(), "site", WAIT, UTC, (8, 18)).items()} == {"north": 20, "south": 10}
    hours = by(thirty(), "hours", WAIT, UTC, (8, 18))  # 20 arrive until 17:59, then 10 in the evening
    assert {n: len(m) for n, m in hours.items()} == {"off hours": 10, "working hours": 20}
    assert summary(hours["off hours"], WAIT, target_min=20).median.value == pytest.approx(25.5)  # type: ignore[union-attr]
    assert list(by(thirty(), "hour", WAIT, UTC, (8, 18)))[:2] == ["08", "09"]
    with pytest.raises(Refused, match="there are hour"):
        by(thirty(), "moon", WAIT, UTC, (8, 18))


def test_a_night_s_study_counts_as_night_s_and_the_hour_is_local() -> None:
    night = Exam("1", "CT", "", {"available": datetime(2026, 11, 16, 23, 50, tzinfo=UTC), "opened": at(24 * 60)})
    assert list(by([night], "hour", WAIT, BERLIN, (8, 18))) == ["00"]
    assert list(by([night], "day", WAIT, BERLIN, (8, 18))) == ["2026-11-17"]
    assert list(by([night], "hours", WAIT, UTC, (8, 18))) == ["off hours"]
    assert minutes(night, WAIT) == (490.0, "")
    saturday = Exam("1", "CT", "", {"available": datetime(2026, 11, 21, 10, tzinfo=UTC)})
    assert list(by([saturday], "hours", WAIT, UTC, (8, 18))) == ["off hours"]
    assert list(by([Exam("1", "CT", "", {})], "hour", WAIT, UTC, (8, 18))) == ["not told"]


def test_clocks_that_disagree() -> None:
    def transfer(minute: float) -> tuple[float | None, str]:
        return minutes(Exam("1", "CT", "", {"completed": at(0), "available": at(minute)}), ("completed", "available"))

    assert transfer(3) == (3.0, "")
    assert transfer(-5) == (0.0, "skewed")
    assert transfer(-6) == (None, "wrong clock")
    exams = [Exam("1", "CT", "", {"completed": at(0), "available": at(m)}) for m in (3, 4, 5, 6, -5, -6)]
    row = summary(exams, ("completed", "available"), target_min=4)
    assert (row.n, row.skewed, row.wrong_clock) == (5, 1, 1)
    assert row.within is not None and row.within.value == pytest.approx(3 / 5)


def event(kind: Kind, minute: float, **details: str) -> Event:
    return Event(kind, at(minute), "ito", "1.2", details)


def study(**rest: object) -> Study:
    return Study("1.2", Patient("P"), **rest)  # type: ignore[arg-type]


def test_nine_stamps_and_the_rules_of_each() -> None:
    told = exam(
        study(series=(Series("1.2.1", "CT", facts={"InstitutionName": "North"}), Series("1.2.2", "SEG"))),
        [
            event(Kind.STAMPED, 0, stamp="ordered", at=at(-300).isoformat()),
            event(Kind.STAMPED, 0, stamp="scheduled", at=at(-120).isoformat()),
            event(Kind.STAMPED, 0, stamp="arrived", at=at(-90).isoformat()),
            event(Kind.INSTANCES_RECEIVED, 1),
            event(Kind.INSTANCES_RECEIVED, 4),
            event(Kind.READING_OPENED, 10),
            event(Kind.INSTANCES_RECEIVED, 12),  # a late series does not move "available"
            event(Kind.READING_CLOSED, 13),
            event(Kind.READING_OPENED, 20),
            event(Kind.REPORT_DRAFTED, 25),
            event(Kind.OPINION_LOCKED, 26),
            event(Kind.REPORT_SIGNED, 30),
            event(Kind.READING_OPENED, 100),
            event(Kind.REPORT_AMENDED, 110),
            event(Kind.REPORT_AMENDED, 120),
        ],
        acquisition=(at(-60), at(-30)),
    )
    assert [told.stamps[name] for name in STAMPS] == [at(m) for m in (-300, -120, -90, -60, -30, 4, 10, 25, 30)]
    assert (told.modality, told.site, told.addenda, told.cancelled) == ("CT", "North", 2, False)


def test_an_examination_goes_by_its_images_and_not_by_what_was_drawn_and_said_of_them() -> None:
    made = (Series(f"1.2.{n}", m) for n, m in enumerate(("RTSTRUCT", "PT", "CT", "SR", "KO", "RTRECORD"), 1))
    assert exam(study(series=tuple(made)), [], arrivals=[at(0)]).modality == "PET/CT"
    assert exam(study(series=(Series("1.2.1", "SR"),)), [], arrivals=[at(0)]).modality == ""


def test_what_is_signed_at_once_is_its_own_preliminary() -> None:
    told = exam(study(), [event(Kind.READING_OPENED, 1), event(Kind.REPORT_SIGNED, 2)], arrivals=[at(0)])
    assert told.stamps["preliminary"] == told.stamps["final"] == at(2)
    assert exam(study(), [event(Kind.READING_OPENED, 1)], arrivals=[at(5)]).stamps["available"] == at(5)


def test_the_cancelled_are_counted_apart_unless_they_were_signed() -> None:
    cancelled = event(Kind.STAMPED, 3, stamp="cancelled", at=at(3).isoformat())
    gone = exam(study(), [cancelled], arrivals=[at(0)])
    signed = exam(study(), [cancelled, event(Kind.READING_OPENED, 4), event(Kind.REPORT_SIGNED, 5)], arrivals=[at(0)])
    assert (gone.cancelled, signed.cancelled) == (True, False)
    row = summary([*thirty(), gone, signed], WAIT, target_min=20)
    assert (row.n, row.cancelled, row.unread) == (31, 1, 30)


def test_few_studies_have_no_quantile_and_say_how_many_are_missing() -> None:
    row = summary(thirty()[:3], WAIT, target_min=5)
    assert (row.n, row.median, row.within, row.needed) == (3, None, None, 2)
    missing = summary([Exam("1", "CT", "", {"available": at(0)})], WAIT, target_min=5)
    assert (missing.n, missing.missing, missing.unread) == (0, 1, 1)
    with pytest.raises(Refused, match="in their order"):
        summary(thirty(), ("opened", "available"), target_min=5)
    with pytest.raises(Refused):
        summary(thirty(), ("opened", "shipped"), target_min=5)


def images(*facts: dict[str, object], time: str = "", modality: str = "CT") -> Study:
    instances = tuple(Instance(f"1.{n}", "c", "t", "d", 1, facts=f) for n, f in enumerate(facts))
    return study(date=date(2026, 11, 16), time=time, series=(Series("1.2.1", modality, instances=instances),))


def test_acquisition_from_the_headers() -> None:
    day = {"AcquisitionDate": "20261116"}
    both = images({**day, "AcquisitionTime": "090000"}, {**day, "AcquisitionTime": "091530.250"})
    assert acquired(both, UTC) == (datetime(2026, 11, 16, 9, tzinfo=UTC), datetime(2026, 11, 16, 9, 15, 30, tzinfo=UTC))
    assert acquired(both, BERLIN)[0] == datetime(2026, 11, 16, 8, tzinfo=UTC)
    zoned = images({"AcquisitionDateTime": "20261116090000.000000+0530"})
    assert acquired(zoned, UTC)[0] == datetime(2026, 11, 16, 3, 30, tzinfo=UTC)
    assert acquired(images({"AcquisitionDateTime": "20261116090000-0100"}), UTC)[0].hour == 10  # type: ignore[union-attr]


def test_a_scanner_that_runs_past_midnight_without_a_date() -> None:
    told = acquired(images({"AcquisitionTime": "235500"}, {"AcquisitionTime": "001000"}, time="235000"), UTC)
    assert told == (datetime(2026, 11, 16, 23, 55, tzinfo=UTC), datetime(2026, 11, 17, 0, 10, tzinfo=UTC))


def test_headers_that_tell_nothing_or_nonsense() -> None:
    assert acquired(study(), UTC) == (None, None)
    assert acquired(images({"AcquisitionDate": "2026", "AcquisitionTime": "9"}, time="9"), UTC) == (None, None)
    assert acquired(images({"AcquisitionTime": "996100"}, time="080000"), UTC) == (at(0), None)
    assert acquired(images({"AcquisitionTime": "080000"}, modality="SR"), UTC) == (None, None)
