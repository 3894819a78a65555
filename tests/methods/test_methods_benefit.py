"""Decision curves against the tables of R's dcurves, by hand, and every refusal."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.benefit import Benefit, net_benefit, net_benefit_by


def rows(path: Path, **only: str) -> list[dict[str, str]]:
    with path.open() as file:
        return [r for r in csv.DictReader(file) if all(r[k] == v for k, v in only.items())]


def numbers(table: list[dict[str, str]], column: str) -> np.ndarray:
    return np.array([float(r[column]) if r[column] not in ("", "NA") else np.nan for r in table])


def agree(found: Benefit, wanted: list[dict[str, str]]) -> None:
    columns = (
        ("net_benefit", found.model), ("tp_rate", found.true_positive), ("fp_rate", found.false_positive),
        ("net_intervention_avoided", found.avoided),
    )  # fmt: skip
    for name, got in columns:
        if name not in wanted[0]:
            continue
        value = numbers(wanted, name)
        known = np.isfinite(value)
        assert known.sum() > 30, name
        assert got[known] == pytest.approx(value[known], abs=1e-9), name


@pytest.mark.data
@pytest.mark.parametrize("table", ["r_case1_results.csv", "r_dca_famhistory.csv"])
def test_an_outcome_that_all_have_or_have_not_as_in_r(reference: Path, table: str) -> None:
    folder = reference / "dcurves" / "tests" / "benchmark_data"
    people, wanted = rows(folder / "df_cancer_dx.csv"), rows(folder / table, variable="famhistory")
    truth = np.array([r["cancer"] == "1" for r in people], int)
    agree(net_benefit(truth, numbers(people, "famhistory"), numbers(wanted, "threshold")), wanted)


@pytest.mark.data
def test_a_test_that_harms_as_in_r(reference: Path) -> None:
    folder = reference / "dcurves" / "tests" / "benchmark_data"
    people, wanted = rows(folder / "df_cancer_dx.csv"), rows(folder / "r_case3_results.csv", variable="marker")
    truth = np.array([r["cancer"] == "1" for r in people], int)
    risk = numbers(rows(folder / "dca_tut_bin_int_marker_risks.csv"), "marker_risk")
    agree(net_benefit(truth, risk, numbers(wanted, "threshold"), harm=0.0333), wanted)


@pytest.mark.data
@pytest.mark.parametrize(
    ("table", "column", "by"),
    [("r_case2_results.csv", "cancerpredmarker", 1.0), ("r_simple_surv_dca_result_df.csv", "famhistory", 1.5)],
)
def test_an_outcome_by_a_time_as_in_r(reference: Path, table: str, column: str, by: float) -> None:
    folder = reference / "dcurves" / "tests" / "benchmark_data"
    people, wanted = rows(folder / "df_surv.csv"), rows(folder / table, variable=column)
    everybody = rows(folder / table, variable="all")
    time, event = numbers(people, "ttcancer"), np.array([r["cancer"] == "TRUE" for r in people], int)
    found = net_benefit_by(time, event, numbers(people, column), numbers(wanted, "threshold"), by=by)
    agree(found, wanted)
    assert found.everybody == pytest.approx(numbers(everybody, "net_benefit"), abs=1e-9)


def test_the_prevalence_of_the_population_replaces_that_of_chosen_cases_and_controls() -> None:
    rng = np.random.default_rng(0)
    truth = rng.random(40_000) < 0.1
    risk = np.clip(rng.normal(0.1 + 0.3 * truth, 0.1), 0, 1)
    chosen = truth | (rng.random(40_000) < 1 / 9)
    whole = net_benefit(truth.astype(int), risk, [0.1, 0.3])
    sample = net_benefit(truth[chosen].astype(int), risk[chosen], [0.1, 0.3], prevalence=float(truth.mean()))
    assert sample.model == pytest.approx(whole.model, abs=0.005)
    assert sample.everybody == pytest.approx(whole.everybody)


def test_by_hand() -> None:
    # 10 people, 4 with the outcome; above 0.25 are 4, of whom 3 have it: 3/10 - 1/10 * (1/3).
    labels = [1, 1, 1, 1, 0, 0, 0, 0, 0, 0]
    risk = [0.9, 0.6, 0.3, 0.1, 0.5, 0.25, 0.2, 0.1, 0.1, 0.0]
    found = net_benefit(labels, risk, [0.0, 0.25])
    assert found.model == pytest.approx([0.4, 0.3 - 0.1 / 3])
    assert found.everybody == pytest.approx([0.4, 0.4 - 0.6 / 3])
    assert np.isnan(found.avoided[0])
    # 5 of 6 are spared, and one who has it is missed, which weighs 3 at these odds: (5 - 3) / 10.
    assert found.avoided[1] == pytest.approx(0.2)
    assert net_benefit(labels, risk, [0.25], harm=0.05).model == pytest.approx([0.3 - 0.1 / 3 - 0.05])


@pytest.mark.parametrize(
    ("ask", "words"),
    [
        (lambda: net_benefit([0, 1], [0.1], [0.5]), "needs both"),
        (lambda: net_benefit([0, 2], [0.1, 0.2], [0.5]), "0 and 1"),
        (lambda: net_benefit([0, 1], [0.1, 1.2], [0.5]), "Calibrate it first"),
        (lambda: net_benefit([0, 1], [0.1, 0.2], [1.0]), "odds do not exist"),
        (lambda: net_benefit([0, 0], [0.1, 0.2], [0.5]), "with and without"),
        (lambda: net_benefit([0, 1], [0.1, 0.2], [0.5], prevalence=1.0), "with and without"),
        (lambda: net_benefit_by([1.0, 2.0], [1, 0], [0.1, 0.2], [0.5], by=3.0), "longest follow-up is 2"),
    ],
)
def test_each_guard_refuses(ask: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        ask()  # type: ignore[operator]
