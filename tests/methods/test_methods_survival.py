"""Survival against R's survival and survC1, the definition pair by pair, and every refusal."""

from __future__ import annotations

import csv
import json
import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods.survival import concordance, kaplan_meier, log_rank, uno


def lung(reference: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    with (reference / "survival-r" / "data" / "lung.csv").open() as file:
        rows = list(csv.DictReader(file))
    grade = [float(r["ph.ecog"]) if r["ph.ecog"] not in ("", "NA") else math.nan for r in rows]
    return (
        np.array([float(r["time"]) for r in rows]),
        np.array([float(r["status"]) == 2 for r in rows]),
        np.array(grade),
    )


@pytest.mark.data
def test_kaplan_meier_of_r(reference: Path) -> None:
    wanted = json.loads((reference / "survival-r" / "expected.json").read_text())["lung_km"]
    time, event, grade = lung(reference)
    assert kaplan_meier(time, event).median == wanted["median"]
    assert float(kaplan_meier(time, event).at(365)) == pytest.approx(wanted["S365"], abs=5e-6)
    for of, value in wanted["by_ecog_S365"].items():
        mine = grade == float(of)
        assert float(kaplan_meier(time[mine], event[mine]).at(365)) == pytest.approx(value, abs=5e-4)
    for of, value in wanted["by_ecog_median"].items():
        mine = grade == float(of)
        assert kaplan_meier(time[mine], event[mine]).median == value


@pytest.mark.data
def test_concordance_of_r(reference: Path) -> None:
    wanted = json.loads((reference / "survival-r" / "expected.json").read_text())["lung_concordance_phecog"]
    time, event, grade = lung(reference)
    known = np.isfinite(grade)
    found = concordance(time[known], event[known], grade[known])
    concordant, discordant, tied_x, tied_y, tied_xy = wanted["counts_concordant_discordant_tiedx_tiedy_tiedxy"]
    assert (found.concordant, found.discordant, found.tied_risk) == (concordant, discordant, tied_x)
    assert found.tied_time == tied_y + tied_xy


@pytest.mark.data
def test_whas500_as_survc1_and_scikit_survival_have_it(reference: Path) -> None:
    table = np.loadtxt(reference / "survival-sksurv" / "tests" / "data" / "whas500_predictions.csv", delimiter=",")
    event, time, risk = table[:, 0].astype(bool), table[:, 1], table[:, 2]
    found = concordance(time, event, risk)
    assert (found.concordant, found.discordant) == (57_849, 17_300)
    assert found.index == pytest.approx(0.7697907, abs=5e-8)
    assert uno(time, event, risk) == pytest.approx(0.7929001679258981, abs=1e-12)


def by_pairs(time: np.ndarray, event: np.ndarray, risk: np.ndarray) -> tuple[int, int, int]:
    concordant = discordant = tied = 0
    for i in np.flatnonzero(event):
        for j in range(len(time)):
            if time[j] > time[i] or (time[j] == time[i] and not event[j]):
                concordant += risk[i] > risk[j]
                discordant += risk[i] < risk[j]
                tied += risk[i] == risk[j]
    return concordant, discordant, tied


@settings(max_examples=60, deadline=None, database=None)
@given(st.integers(0, 10_000), st.integers(3, 40))
def test_counting_with_a_tree_is_counting_pair_by_pair(seed: int, n: int) -> None:
    rng = np.random.default_rng(seed)
    time, event, risk = rng.integers(0, 12, n).astype(float), rng.random(n) < 0.6, rng.integers(0, 6, n).astype(float)
    wanted = by_pairs(time, event, risk)
    if not sum(wanted):
        with pytest.raises(Refused, match="can be compared"):
            concordance(time, event, risk)
        return
    found = concordance(time, event, risk)
    assert (found.concordant, found.discordant, found.tied_risk) == wanted
    flipped = concordance(time, event, -risk)
    assert flipped.index == pytest.approx(1 - found.index)
    if event.all():
        assert uno(time, event, risk) == pytest.approx(found.index)


def test_a_curve_with_its_interval_by_hand() -> None:
    # Five people: events at 1 and 3, censored at 2, event at 4, censored at 5.
    found = kaplan_meier([1, 2, 3, 4, 5], [1, 0, 1, 1, 0])
    assert found.times.tolist() == [1, 3, 4]
    assert found.at_risk.tolist() == [5, 3, 2]
    assert found.survival == pytest.approx([0.8, 0.8 * 2 / 3, 0.8 * 2 / 3 / 2])
    greenwood = math.sqrt(1 / 20 + 1 / 6)
    assert found.low[1] == pytest.approx(found.survival[1] * math.exp(-1.959964 * greenwood), rel=1e-6)
    assert (float(found.at(3)), float(found.at(3, before=True)), float(found.at(0.5))) == pytest.approx(
        (0.8 * 2 / 3, 0.8, 1.0)
    )
    assert kaplan_meier([1, 2], [0, 0]).median == math.inf
    assert math.isnan(kaplan_meier([1], [1]).low[0])


def test_uno_does_not_depend_on_how_long_people_were_followed() -> None:
    rng = np.random.default_rng(8)
    n = 4000
    risk = rng.normal(size=n)
    life = rng.exponential(1 / np.exp(0.8 * risk))
    found = []
    for scale in (0.5, 3.0):
        gone = np.minimum(rng.exponential(scale, n), 1.5)
        found.append(uno(np.minimum(life, gone), life <= gone, risk, until=1.0))
    assert found[0] == pytest.approx(found[1], abs=0.02)


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: kaplan_meier([], []), "needs both"),
        (lambda: kaplan_meier([-1.0], [1]), "begins at zero"),
        (lambda: kaplan_meier([1.0], [2]), "happened"),
        (lambda: concordance([1.0, 2.0], [0, 0], [1, 2]), "can be compared"),
        (lambda: concordance([1.0, 2.0], [1, 0], [1, math.nan]), "that is a number"),
        (lambda: uno([1.0, 2.0, 3.0], [1, 1, 0], [3, 2, 1], until=0.5), "everybody is censored"),
        (lambda: uno([1.0, 2.0], [1, 1], [2, 1], censoring=([0.5, 0.7], [0, 0])), "everybody is censored"),
    ],
)
def test_each_guard_refuses(ask: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask()  # type: ignore[operator]


@pytest.mark.data
def test_log_rank_of_r(reference: Path) -> None:
    """R's survdiff(Surv(time, status) ~ sex, lung): chi squared 10.3 on 1 df, p = 0.001 (its help page); and scipy."""
    with (reference / "survival-r" / "data" / "lung.csv").open() as file:
        sex = np.array([row["sex"][:1] for row in csv.DictReader(file)])
    time, event, grade = lung(reference)
    told = log_rank([time[sex == s] for s in "12"], [event[sex == s] for s in "12"])
    assert (round(told.statistic, 1), round(told.p, 3)) == (10.3, 0.001)
    assert told.observed == (112, 53) and told.expected == pytest.approx((91.6, 73.4), abs=0.05)
    from scipy.stats import CensoredData, logrank

    sides = [CensoredData.right_censored(time[sex == s], ~event[sex == s]) for s in "12"]
    assert told.p == pytest.approx(float(logrank(*sides).pvalue), rel=1e-9)
    four = [grade == g for g in (0, 1, 2, 3)]
    assert log_rank([time[m] for m in four], [event[m] for m in four]).statistic == pytest.approx(22.0, abs=0.06)


def test_log_rank_refuses() -> None:
    with pytest.raises(Refused, match="1 group"):
        log_rank([[1.0]], [[1]])
    with pytest.raises(Refused, match="nobody had the event"):
        log_rank([[1.0], [2.0]], [[0], [0]])
