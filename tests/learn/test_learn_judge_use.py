"""What acting on certainties brings, against R, against scikit-learn, and against counting by hand."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.cli import app
from isocenter.learn.judge_classes import line_of
from isocenter.learn.judge_use import Stated, stated_of, used
from isocenter.methods.conformal import fewest
from isocenter.record import Model

YES_NO = Model("m", "1", digest="d", inputs={"classes": ["no", "yes"], "positive": 1, "threshold": 0.5})


def even(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Risks spread evenly and labels that follow them by arithmetic, so that other programs can be asked the same."""
    risk = (np.arange(n) + 0.5) / n
    return ((np.arange(n) * 7919 % n + 0.5) / n < risk**1.5).astype(int), risk


def cases(labels: np.ndarray, risk: np.ndarray, people: np.ndarray | None = None) -> Stated:
    rows = [
        {"name": f"c{n}", "label": int(y), "certainty": float(p), "person": n if people is None else int(people[n])}
        for n, (y, p) in enumerate(zip(labels, risk, strict=True))
    ]
    told = stated_of(YES_NO, rows)
    assert told is not None
    return told


@pytest.mark.data
def test_the_decision_curve_is_that_of_r(reference: Path) -> None:
    folder = reference / "dcurves" / "tests" / "benchmark_data"
    people = list(csv.DictReader((folder / "df_cancer_dx.csv").open()))
    wanted = {
        round(float(r["threshold"]), 2): float(r["net_benefit"])
        for r in csv.DictReader((folder / "r_case1_results.csv").open()) if r["variable"] == "famhistory"
    }  # fmt: skip
    truth, risk = (np.array([int(float(p[k])) for p in people]) for k in ("cancer", "famhistory"))
    curve = used(cases(truth, risk), YES_NO)["decision_curve"]
    found = {round(t, 2): value for t, value in zip(curve["thresholds"], curve["model"], strict=True)}
    for threshold, value in found.items():
        assert value == pytest.approx(wanted[threshold], abs=1e-9)
    assert len(found) > 15


def test_slope_and_intercept_are_those_of_another_program() -> None:
    """scikit-learn 1.9 LogisticRegression(C=inf, tol=1e-12) on the logit of the risk of `even(200)`."""
    told = line_of(*even(200))
    assert told["slope"]["value"] == pytest.approx(1.14514253, abs=1e-7)
    assert told["intercept"]["value"] == pytest.approx(-0.68589285, abs=1e-7)
    assert told["in_the_large"]["high"] < 0, "too much is stated"
    assert "without a fault" in line_of([0, 0, 1, 1], [0.1, 0.2, 0.8, 0.9])["line_not_made"]


def test_points_deferral_and_promises_as_counted_by_hand() -> None:
    labels, risk = even(400)
    told = used(cases(labels, risk), YES_NO)
    own, *wanted = told["operating_points"]
    ill = labels == 1
    assert own["sensitivity"]["value"] == pytest.approx(np.mean(risk[ill] >= 0.5)) and own["chosen"] == "beforehand"
    assert own["npv"]["value"] == pytest.approx(np.mean(~ill[risk < 0.5]))
    assert [p["name"] for p in wanted] == ["sensitivity 0.9", "sensitivity 0.95", "sensitivity 0.99"]
    assert all("did not choose" in p["chosen"] for p in wanted)
    left = told["deferral"]
    half = left["deferred"].index(0.5)
    alone = np.argsort(np.abs(risk - 0.5), kind="stable")[200:]
    assert left["missed"][half] == int(np.sum(ill[alone] & (risk[alone] < 0.5)))
    assert left["wrong"][-1] is None and json.dumps(told)
    held = told["conformal"]["promises"][0]
    assert held["calibrated_on"]["no"] + held["calibrated_on"]["yes"] == pytest.approx(200, abs=1)
    for name, one in held["held"].items():
        assert one["low"] < 0.9 + 0.08 and one["value"] > 0.8, name
    # Limits from other cases: the (n + 1)(1 - alpha)-th smallest 1 - p of each class, and all cases count.
    other = even(300)
    apart = used(cases(labels, risk), YES_NO, apart=(cases(*other), {}))["conformal"]
    y, p = other
    for name, kind, stated in (("no", 0, 1 - p), ("yes", 1, p)):
        scores = np.sort(1 - stated[y == kind])
        limit = scores[int(np.ceil((len(scores) + 1) * 0.9)) - 1]
        found = apart["promises"][0]
        assert found["limits"][name] == pytest.approx(1 - limit)
        mine = risk if kind else 1 - risk
        assert found["held"][name]["value"] == pytest.approx(np.mean(1 - mine[labels == kind] <= limit))
        assert found["held"][name]["n"] == int(np.sum(labels == kind))


def test_promises_by_group_and_none_where_cases_are_few() -> None:
    labels, risk = even(600)
    site = np.where(np.arange(600) % 10 == 0, "small", "large")
    told = used(cases(labels, risk), YES_NO, groups={"site": site})["conformal"]
    everybody, large, small = told["promises"]
    assert (everybody["by"], large["group"], small["group"]) == ("", "large", "small") and "held" in large
    assert small["refused"].startswith(f"no guarantee: a promise of 90% needs {fewest(0.1)}") and "held" not in small
    # Limits given for one site say nothing of another.
    alone = used(cases(labels, risk), YES_NO, groups={"site": site}, apart=(cases(labels, risk), {}))["conformal"]
    assert "refused" in alone["promises"][1] and "held" in alone["promises"][0]
    # No person stands on both sides: with four images each, whole people set the limits.
    people = np.arange(600) // 4
    of_four = used(cases(labels, risk, people), YES_NO)["conformal"]["promises"][0]
    assert sum(of_four["calibrated_on"].values()) % 4 == 0


def test_the_command_tells_it_and_more_than_two_classes_have_promises_only(tmp_path: Path) -> None:
    inputs = models()["cleveland_heart"][0].inputs
    rng = np.random.default_rng(0)
    known = [c["values"] or [c["low"], c["high"]] for c in inputs["columns"]]
    rows = [[f"{rng.choice(v):g}" for v in known] + [f"{inputs['labels'][i % 2]:g}"] for i in range(160)]
    (tmp_path / "rows.csv").write_text("\n".join(map(",".join, rows)))
    (tmp_path / "groups.csv").write_text("sex\n" + "\n".join("FFFM"[i % 4] for i in range(160)))
    mine = ["judge", "cleveland_heart", "--data", str(tmp_path / "rows.csv"), "--json"]

    def said(*more: str) -> dict[str, Any]:
        result = CliRunner().invoke(app, [*mine, *more], catch_exceptions=False)
        assert result.exit_code == 0, result.output
        return json.loads(result.stdout)

    told = said("--groups", str(tmp_path / "groups.csv"), "--alpha", "0.1")
    assert {"slope", "intercept", "in_the_large"} <= set(told["calibration"])
    promises = {p["group"]: p for p in told["conformal"]["promises"]}
    assert "held" in promises[""] and "refused" in promises["M"] and told["deferral"]["missed"]
    given = said("--promise-on", str(tmp_path / "rows.csv"), "--promise-groups", str(tmp_path / "groups.csv"))
    assert given["conformal"]["limits_from"] == "cases given for it"
    result = CliRunner().invoke(app, [*mine, "--promise-groups", str(tmp_path / "groups.csv")])
    assert result.exit_code == 2
    three = Model("m", "1", digest="d", inputs={"classes": ["a", "b", "c"], "positive": 1, "threshold": 0.5})
    of = [
        {"name": str(n), "label": n % 3, **{f"certainty {c}": 0.8 if k == n % 3 else 0.1 for k, c in enumerate("abc")}}
        for n in range(300)
    ]  # fmt: skip
    whole = stated_of(three, of)
    assert whole is not None
    many = used(whole, three)
    assert "not_made" in many["deferral"] and many["conformal"]["promises"][0]["held"]["c"]["value"] == 1


def test_of_a_class_with_few_people_nothing_is_told() -> None:
    from isocenter.learn.judge_classes import class_figures

    labels = np.repeat([0, 1, 2], [30, 30, 12])
    certainty = np.eye(3)[labels] * 0.7 + 0.1
    inputs = {"classes": ["a", "b", "c"], "positive": 1, "ordered": False, "threshold": 0.5}
    for people, few in ((None, ""), (np.r_[np.arange(60), np.repeat([60, 61], 6)], "2 events, 10 are needed")):
        told = class_figures(labels, np.log(certainty), certainty, labels < 0, inputs, people=people)["subgroups"]
        assert [bool(one["metrics"]) for one in told] == [True, True, not few]
        assert few in told[2].get("insufficient", "") and told[2]["n"] == 12
