"""A fall in agreement, a new scanner and a changed output alarm; a steady year does not, or as rarely as declared."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import numpy as np

from isocenter.govern.watch import BASELINE, CHARTS, Seen, once_each, watch
from isocenter.methods.growing_chart import delays_from_now, follow_growing
from isocenter.record import canonical

DAY = datetime(2026, 1, 1, tzinfo=UTC)


def stream(seed: int, n: int = 700, **after: float) -> list[Seen]:
    """About ten studies a day; `after` case 300 the shares are others."""
    rng = np.random.default_rng(seed)
    usual = {"agreed": 0.92, "found": 0.2, "declined": 0.03, "new": 0.0, "darker": 0.0}
    seen = []
    for k in range(n):
        p = usual | after if k >= 300 else usual
        found = None if rng.random() < p["declined"] else bool(rng.random() < p["found"])
        scanner = "new" if rng.random() < p["new"] else "ABC"[rng.integers(3)]
        agreed = None if found is None else bool(rng.random() < p["agreed"])
        look = tuple(rng.normal((0.5 - p["darker"], 0.3, 0.05), (0.05, 0.02, 0.01)).tolist())
        seen.append(Seen(DAY + timedelta(days=k / 10), found, agreed, scanner, look))
    return seen


def alarms(seen: list[Seen]) -> set[str]:
    return {one["chart"] for one in watch(seen, times=20)["alarms"]}


def test_nothing_is_said_before_the_baseline_is_there() -> None:
    told = watch(stream(0)[: BASELINE - 1])
    assert told["needed"] == 1 and not told["charts"]


def test_each_planted_change_alarms_in_its_chart() -> None:
    for change, name in (
        ({"agreed": 0.72}, "agreement"), ({"found": 0.5}, "outputs, more"), ({"found": 0.0}, "outputs, fewer"),
        ({"declined": 0.25}, "inputs, declined"), ({"darker": 0.1}, "inputs, looks"),
        ({"new": 0.4}, "inputs, scanners"),
    ):  # fmt: skip
        assert name in alarms(stream(1, **change)), name


def test_a_delay_that_most_changes_exceed_is_not_known_and_can_be_written_as_json() -> None:
    """Of two in three, known from 150 cases at 72 a day, more than a tenth of the rises by 5 points stay unseen."""
    few = [Seen(DAY + timedelta(minutes=20 * k), k % 3 > 0, True, "A") for k in range(150)]
    (line,) = (one for one in watch(few, times=400)["charts"] if one["chart"] == "outputs, more")
    five = line["delays"][0]
    assert five["missed"] > 0.1 and five["cases_nine_in_ten"] is None and five["cases_mean"] > 0
    assert json.loads(canonical(line))["delays"][0]["cases_nine_in_ten"] is None


def test_false_alarms_are_as_rare_as_declared() -> None:
    """1,825 cases are six months of this stream; at most one alarm is declared for all charts together."""
    told = watch(stream(2, n=1900))
    assert [c["chart"] for c in told["charts"]] == list(CHARTS)
    assert told["false_alarms"]["expected_in_six_months"] <= 1.0
    for line in told["charts"]:
        five, ten = line["delays"]
        assert ten["cases_mean"] < five["cases_mean"] < line["cases_between_false_alarms"]
        assert ten["missed"] == 0 and 0 <= five["missed"] < 1 and five["days_mean"] > 0
    count = sum(len(alarms(stream(seed, n=1900))) for seed in range(20, 28))
    assert count / 8 <= 1.0


def test_what_it_always_did_is_no_news() -> None:
    """A model that declines every film of a children's hospital, from the first on, raises no alarm for it."""
    told = watch([Seen(DAY + timedelta(days=k / 10), None, None, "A") for k in range(900)], times=0)
    assert [c["chart"] for c in told["charts"]] == ["inputs, scanners"], "no image was looked at, either"
    assert not told["alarms"]


def test_the_delay_that_is_told_is_that_of_a_fall_from_what_was_seen() -> None:
    """One in ten; what is taken for usual is more, and a fall from there would be found far sooner."""
    seen = [Seen(DAY + timedelta(days=k / 10), True, k % 10 > 0, "A") for k in range(300)]
    line = next(c for c in watch(seen, times=300)["charts"] if c["chart"] == "agreement")
    run = 182.625 * 10 * 200 / 299 * len(CHARTS)
    told = follow_growing(10, 100, [k % 10 == 0 for k in range(200)], 0.05, run)
    flattering = delays_from_now(told, 300, line["usual"] + 0.05, 0.05, run, rng=np.random.default_rng(1), times=300)
    assert line["usual_from"] == told.cases == 191 and line["usual"] == told.chart.usual > 0.12
    five, ten = line["delays"]
    assert five["cases_mean"] > 1.3 * flattering.mean
    assert five["cases_mean"] > 1.5 * five["cases_at_best"] and ten["cases_mean"] > ten["cases_at_best"]


def _coming_back(seed: int, people: int = 300, each: int = 6) -> list[Seen]:
    """Ten of a hundred reports disagree, and those of one person are alike (intraclass correlation 0.5)."""
    rng = np.random.default_rng(seed)
    seen = []
    for k in range(people):
        wrong, begun = rng.beta(0.1, 0.9), 183 * rng.random()
        when = [DAY + timedelta(days=begun + n / 2) for n in range(each)]
        seen += [Seen(w, bool(k % 5), bool(rng.random() >= wrong), "A", (), f"P{k}") for w in when]
    return sorted(seen, key=lambda one: one.when)


def test_people_who_come_back_raise_no_alarm() -> None:
    """Counted as cases of their own their studies alarm in every stream, though nothing changed."""
    streams = [_coming_back(seed) for seed in range(10)]
    told = [watch(seen, times=0) for seen in streams]
    assert {(one["studies"], one["cases"]) for one in told} == {(1800, 300)}
    assert sum(len(one["alarms"]) for one in told) / 10 <= 1.0
    apart = [[Seen(s.when, s.found, s.agreed, s.scanner) for s in seen] for seen in streams]
    assert all(alarms(seen) for seen in apart)


def test_an_image_that_is_sent_again_counts_once() -> None:
    """A hundred times within a day, under other UIDs and another person's number."""
    seen = stream(1, n=400)
    again = [Seen(seen[-1].when, False, False, "A", seen[-1].look, f"Q{k}", "the same") for k in range(100)]
    told = watch([*seen, *again], times=0)
    assert (told["studies"], told["cases"], told["alarms"]) == (500, 401, [])
    assert "agreement" in alarms([*seen, *(Seen(s.when, s.found, s.agreed, s.scanner, s.look) for s in again)])


def test_who_comes_back_after_six_months_counts_again() -> None:
    """A screening programme would run out of cases; nobody's studies count each."""
    on = [Seen(DAY + timedelta(days=n), True, True, person="P") for n in (0, 1, 182, 183, 300, 400)]
    assert [(s.when - DAY).days for s in once_each(on)] == [0, 183, 400]
    assert len(once_each([Seen(DAY, True, True)] * 3)) == 3
