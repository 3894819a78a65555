"""Every figure of the models page is that of its source: the files of the models, and the figures that were counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

FILES = sorted((Path(__file__).parents[2] / "models").glob("*/model.json"))
FEW = 10


def three(value: float) -> str:
    """Three decimals of a rate, three digits of what is larger than one, as written by hand: half goes up."""
    last = "0.001" if abs(value) <= 1 else "0.01" if abs(value) < 10 else "0.1" if abs(value) < 100 else "1"
    return str(Decimal(value).quantize(Decimal(last), ROUND_HALF_UP if value >= 0 else "ROUND_HALF_DOWN"))


def figure(told: Any) -> str:
    """A number, a number with its interval, or numbers by name."""
    if not isinstance(told, dict):
        return str(told) if float(told).is_integer() else three(told)
    whole = told.get("low") is not None and told.get("high") is not None
    first = three(told["value"]) if "value" in told else ""
    if whole:
        first += f" ({three(told['low'])}–{three(told['high'])})"
    skipped = {"value", *(("low", "high") if whole else ())}
    said = {"low": "in 19 of 20 at least"}
    if "value" not in told:
        said |= {"largest": "largest error", "mean": "mean error"}
    rest = [f"{said.get(name, name)} {figure(value)}" for name, value in told.items() if name not in skipped]
    return "; ".join(part for part in (first, ", ".join(rest)) if part)


def cells(table: Any) -> list[list[str]]:
    table.wait_for()
    found = table.locator("tbody tr").evaluate_all("rows => rows.map(row => [...row.cells].map(one => one.innerText))")
    return [[text.strip() for text in row] for row in found]


def named(page: Any, column: str) -> Any:
    return page.locator("main table").filter(has=page.get_by_role("columnheader", name=column, exact=True))


def gaps_of(groups: list[dict[str, Any]]) -> dict[str, str]:
    """By group, its gap to the best of its question as the page words it; empty where no figure can be compared."""
    names = {name for g in groups for name in g.get("metrics", {})}
    by = next((name for name in ("sensitivity", "auc", "accuracy", "dice") if name in names), None)
    told = {}
    for question in {g.get("by") for g in groups} if by else ():
        some = [g for g in groups if g.get("by") == question and min(g.get("events", g["n"]), g["n"]) >= FEW]
        some = [g for g in some if by in g.get("metrics", {})]
        if len(some) < 2:
            continue
        best = max(some, key=lambda g: g["metrics"][by]["value"])["metrics"][by]
        for one in some:
            own = one["metrics"][by]
            gap = best["value"] - own["value"]
            words = f"−{gap:.3f}" if gap else "best"
            told[" ".join(filter(None, (one.get("by"), one["name"])))] = words + (
                " ▲ apart" if own["high"] < best["low"] else ""
            )
    return told


def test_every_figure_of_every_model_is_that_of_its_file(page: Any) -> None:
    """Figures, what it was not made for, subgroups and calibration of each model that ships, to the last digit."""
    compared = shown_gaps = shown_ppv = 0
    for file in FILES:
        model = json.loads(file.read_text("utf-8"))
        evidence = model["evidence"]
        page.goto(f"/models/{model['name']}/evidence")
        page.get_by_role("region", name="In short").wait_for()
        shown = cells(named(page, "Value (95 %)"))
        wanted = list(evidence["metrics"].values())
        assert sorted(row[1] for row in shown) == sorted(figure(one) for one in wanted), file
        compared += len(wanted)
        strange = evidence.get("out_of_scope", {})
        if strange:
            told = [[name, str(one["n"]), str(one["declined"])] for name, one in strange.items()]
            assert sorted(cells(named(page, "Pictures"))) == sorted(told), file
            compared += 2 * len(told)
        page.keyboard.press("3")
        groups = evidence.get("subgroups") or []
        if groups:
            rows = cells(named(page, "Group"))
            by_name = {" ".join(filter(None, (g.get("by"), g["name"]))): g for g in groups}
            gaps = gaps_of(groups)
            assert sorted(row[0] for row in rows) == sorted(by_name), file
            for row in rows:
                group, corrected = by_name[row[0]], row.pop()
                gap = row.pop() if gaps else ""
                assert row[1] == str(group["n"])
                assert row[2] == str(group.get("events", group.get("positives", "not told")))
                few = min(group.get("events", group["n"]), group["n"]) < FEW
                assert few == row[3].startswith("withheld: "), (file, row)
                if not few:
                    known = dict(group["metrics"])
                    ppv, ece = known.pop("ppv", None), group.get("calibration")
                    because = f"unknown, because {group.get('without', 'its evidence was made without it')}"
                    wanted = [*(figure(one) for one in known.values()), figure(ppv) if ppv else because,
                              three(ece["ece"]) if ece else because]  # fmt: skip
                    assert sorted(row[3:]) == sorted(wanted), (file, row)
                    assert corrected.startswith("unknown, because its evidence compares no group"), (file, corrected)
                    shown_ppv += ppv is not None
                    assert gap == gaps.get(row[0], gap), (file, row, gap)
                compared += len(row) - 1
            first = [by_name[row[0]].get("by", "") for row in rows]
            assert first == sorted(first, key=first.index), "groups of one question stand together"
            shown_gaps += len(gaps)
        else:
            page.get_by_text("its evidence names no subgroup").wait_for()
        page.keyboard.press("4")
        claimed = evidence.get("calibration")
        if claimed:
            rows = cells(named(page, "Stated"))
            hint = [[three(b["stated"]), three(b["true"]) + (" few" if b["n"] < FEW else ""), str(b["n"])]
                    for b in claimed["bins"]]  # fmt: skip
            assert rows == hint, file
            caption = page.locator("caption").first.inner_text()
            words = f"Expected calibration error {three(claimed['ece'])}, Brier score {three(claimed['brier'])}"
            line = [f"{name} {figure(claimed[name])}" for name in ("slope", "intercept") if claimed.get(name)]
            without = f"; no slope: {claimed['line_not_made']}" if claimed.get("line_not_made") else ""
            assert caption == ", ".join([words, *line]) + without, file
            compared += 3 * len(rows) + 2 + len(line)
        else:
            page.get_by_text("its evidence holds no calibration").wait_for()
    assert len(FILES) > 8 and compared > 500 and shown_gaps > 8 and shown_ppv > 4, (compared, shown_gaps, shown_ppv)


def test_the_list_tells_each_goal_beside_what_was_reached(page: Any) -> None:
    """Who looks for a model sees first whether it does what it was to do, with interval and cases."""
    page.goto("/models")
    rows = cells(named(page, "Its maker's figure (95 %)"))
    asked = 0
    for file in FILES:
        model = json.loads(file.read_text("utf-8"))
        row = next(row for row in rows if row[1] == model["card"]["title"])
        metrics = model["evidence"]["metrics"]
        for name, goal in model["card"].get("goal", {}).items():
            reached = {part: metrics[name][part] for part in ("value", "low", "high")}
            assert f"{figure(reached)}, goal {goal:g}" in row[3], (file, row)
            asked += 1
        first = next(one for one in metrics.values() if isinstance(one, dict))
        n = model["evidence"].get("n", metrics.get("n", first.get("n")))
        assert row[4] == f"{n:,}", (file, row)
        if "largest" in first:
            said = f"largest error {three(first['largest'])}, mean error {three(first['mean'])}"
            assert said in row[3], (file, row)
    assert asked > 8


def share(n: int | None, *parts: float) -> dict[str, Any]:
    return {"n": n, **dict(zip(("share", "low", "high"), parts or (None, None, None), strict=True))}


def test_drift_runs_and_charts_are_the_figures_that_were_counted(page: Any) -> None:
    """What a signed study adds up to is held below the page; here each number of it is on the page, once, unchanged."""
    name = "chest_xray_opacity"
    model = page.request.get(f"/api/models/{name}").json()
    model["runs"] = {
        "studies": 431, "answers": {"found": 97, "none": 313, "declined": 21}, "versions": {"2": 402, "1": 29},
        "months": [{"month": "2026-09", **share(211, 0.194, 0.147, 0.253)}, {"month": "2026-10", **share(None)}],
    }  # fmt: skip
    model["confirmed"] = {
        **share(118, 0.839, 0.762, 0.894), "needed": 0,
        "months": [{"month": "2026-09", **share(41, 0.78, 0.633, 0.88)}],
        "bands": [{"from": 0.6, "to": 0.8, **share(23, 0.5652, 0.368, 0.744)}, {"from": 0.8, "to": 1.0, **share(None)}],
    }  # fmt: skip
    line = {
        "chart": "agreement", "of": "reports that say otherwise", "cases": 331, "usual": 0.1234, "sum": 17, "limit": 46,
        "delays": [{"cases_mean": 212.6, "days_mean": 38.4}, {"cases_mean": 71.2, "days_mean": 12.9}],
        "alarm": {"case": 289, "share_lately": 0.3456, "usual": 0.1234},
    }  # fmt: skip
    told = "at most one in six months"
    watched = {"studies": 300, "cases": 290, "needed": 0, "baseline": 100, "since": "", "charts": [line],
               "alarms": [{"chart": "agreement"}],
               "on_alarm": "", "false_alarms": {"declared": told}}  # fmt: skip
    page.route(f"**/api/models/{name}", lambda route: route.fulfill(json=model))
    page.route(f"**/api/models/{name}/watch", lambda route: route.fulfill(json=watched))
    page.goto(f"/models/{name}/drift")
    page.get_by_role("alert").get_by_text("Alarm: agreement").wait_for()
    plain = [[text.replace("\u2009", " ") for text in row] for row in cells(named(page, "Chart"))]
    assert plain == [["⬢ agreement alarm at study 289: 34.6 % lately", "reports that say otherwise", "12.3 %",
                      "17 of 46", "213 studies (38 days), 71 studies (13 days)"]]  # fmt: skip
    months = [[text.replace("\u2009", " ") for text in row] for row in cells(named(page, "Month"))]
    assert months == [["2026-09", "19 % (15–25, n 211)", "78 % (63–88, n 41)"],
                      ["2026-10", "withheld: too few cases", "no finding was decided"]]  # fmt: skip
    cases = model["evidence"]["n"]
    short = page.get_by_role("region", name="In short").inner_text().replace("\u2009", " ")
    assert "readers kept or changed 84 % (76–89, n 118)" in short and f"Claimed on {cases} test cases" in short, short
    page.keyboard.press("6")
    assert cells(named(page, "Runs")) == [
        ["found something", "97"], ["looked and found none", "313"], ["did not look", "21"]
    ]  # fmt: skip
    assert "431 studies" in page.locator("main").inner_text()
    page.keyboard.press("4")
    bands = [[text.replace("\u2009", " ") for text in row] for row in cells(named(page, "Stated certainty"))]
    assert bands == [["0.6 to 0.8", "57 % (37–74, n 23)"], ["0.8 to 1.0", "withheld: too few cases"]]


def test_the_gate_says_which_stop_rule_a_person_declared(page: Any) -> None:
    name = "chest_xray_opacity"
    way = page.request.get(f"/api/models/{name}/gate").json()
    page.goto(f"/models/{name}/gate")
    page.get_by_text("None was declared: an alarm is told, and stops nothing by itself.").wait_for()
    sent: list[str] = []
    page.on("request", lambda request: sent.append(request.url) if request.url.endswith("/step") else None)
    page.get_by_role("form", name="Take a step").get_by_role("button", name="Reject").click()
    page.wait_for_function("document.activeElement.validity && !document.activeElement.validity.valid")
    assert not sent, "a step without a reason is asked for one and not sent"
    way["change"] = {"may_change": ["weights"], "protocol": {"stop_on_alarm": True}, "impact": "safer", "by": "ada",
                     "when": "2026-11-02T08:30:00+00:00"}  # fmt: skip
    page.route(f"**/api/models/{name}/gate", lambda route: route.fulfill(json=way))
    page.reload()
    page.get_by_text("An alarm of one of its charts suspends it at once. Declared by ada, 2026-11-02").wait_for()


def test_a_model_says_since_when_it_is_what_it_is_and_by_whom(page: Any) -> None:
    name = "chest_xray_opacity"
    page.goto(f"/models/{name}")
    short = page.get_by_role("region", name="In short")
    short.get_by_text("candidate").wait_for()
    assert "since" not in short.inner_text(), "nobody has moved it"
    whole = json.loads(page.request.get(f"/api/models/{name}").text())
    whole |= {"state": "released", "since": {"when": "2026-11-02T08:30:00+00:00", "by": "ada"}}
    page.route(f"**/api/models/{name}", lambda route: route.fulfill(json=whole))
    page.reload()
    short.get_by_text("since 2026-11-02 08:30 UTC by ada").wait_for()
    assert "released since" in short.inner_text()


def test_a_stopped_candidate_is_a_candidate_and_a_suspended_model_says_how_it_comes_back(page: Any) -> None:
    name = "chest_xray_opacity"
    stop = {"analysis": name, "by": "admin", "when": "2026-11-02T08:30:00+00:00", "reason": "three clear films called",
            "model": name}  # fmt: skip
    page.goto(f"/models/{name}")
    short = page.get_by_role("region", name="In short")
    short.get_by_text("candidate").wait_for()
    whole = json.loads(page.request.get(f"/api/models/{name}").text()) | {"stopped": [stop]}
    page.route(f"**/api/models/{name}", lambda route: route.fulfill(json=whole))
    page.reload()
    short.get_by_text("You stopped it; somebody else can start it again.").wait_for()
    assert "candidate, stopped here" in short.inner_text() and "suspended" not in short.inner_text()
    whole["state"] = "suspended"  # it had been released
    page.reload()
    short.get_by_text("comes back by another person once it holds on cases that were sealed since").wait_for()
    said = short.inner_text()
    assert "stopped here" not in said and "somebody else can start it again" not in said


def test_a_claimed_figure_opens_its_cases_and_predictions_of_those_elsewhere_in_pages(
    page: Any, studies: Callable[[str], str]
) -> None:
    """Which cases these are is held below the page (`tests/site/test_site_evidencing.py`); here they are on it."""
    name, ct = "chest_xray_opacity", studies("CT")
    page.goto(f"/models/{name}/evidence")
    page.get_by_text("They were not kept: it was trained before trainings kept them").wait_for()
    whole = json.loads(page.request.get(f"/api/models/{name}").text())
    whole["evidence"]["cases"] = {"n": 320, "data": "d" * 64, "digest": "c" * 64, "errors": {"missed": 2, "wrong": 5}}
    page.route(f"**/api/models/{name}", lambda route: route.fulfill(json=whole))
    line = {"truth": "yes", "said": "no", "score": 0.031, "right": 0.0, "declined": False}
    asked: list[str] = []

    def told(route: Any) -> None:
        asked.append(route.request.url)
        start = 200 if "start=200" in route.request.url else 0
        alone = [line] * (119 if start else 200)
        here = [] if start else [{**line, "study": ct, "date": "2026-11-02", "modalities": ["DX"], "groups": {}}]
        route.fulfill(json={"words": "cases that it missed", "n": 320, "elsewhere": 319, "test": "d" * 64,
                            "start": start, "page": 200, "cases": here, "alone": alone, "withheld": False})  # fmt: skip

    page.route(f"**/api/models/{name}/cases?**", told)
    page.reload()
    page.get_by_role("link", name="2: Missed: it said that there is nothing, and there was").click()
    page.get_by_role("heading", name="Cases that it missed").wait_for()
    assert "of=missed" in asked[0] and "on=claimed" in asked[0]
    page.get_by_text("319, from data dddddddddddd").wait_for()
    alone = page.get_by_role("table", name="Predictions without their images")
    assert alone.locator("tbody tr").count() == 200 and alone.locator("a").count() == 0
    page.get_by_role("button", name="Next page").click()
    page.get_by_text("201 to 319 of 319").wait_for()
    assert alone.locator("tbody tr").count() == 119
    page.get_by_role("button", name="Page before").click()
    page.get_by_text("1 to 200 of 319").wait_for()
    page.get_by_role("table", name="Cases that can be opened").get_by_role("link").click()
    page.wait_for_url(f"**/{ct}*")


def test_cases_in_which_it_was_wrong_open_in_the_reading_room_by_one_key(
    page: Any, studies: Callable[[str], str]
) -> None:
    """Which cases these are is held below the page (`tests/site/test_site_erring.py`); here each is on it and opens."""
    name, pet, ct = "chest_xray_opacity", studies("PET/CT"), studies("CT")
    page.goto(f"/models/{name}")
    page.get_by_role("region", name="In short").wait_for()
    page.keyboard.press("w")
    page.get_by_text("No signed report and no later outcome speaks against it.").wait_for()
    common = {"analysis": name, "version": "1", "mode": "shadow", "modalities": ["DX"], "date": "2026-11-02"}
    told = [
        common
        | {"study": ct, "kind": "missed", "by": "", "source": "pathology", "signed": "2026-11-20T10:00:00+00:00"},
        common
        | {"study": pet, "kind": "false alarm", "by": "ada", "source": "", "signed": "2026-11-19T10:00:00+00:00"},
    ]
    answer = {"since": "2026-11-01T00:00:00+00:00", "cases": told, "of": 2}
    page.route(f"**/api/models/{name}/wrong", lambda route: route.fulfill(json=answer))
    page.reload()
    page.get_by_text("2 cases since its release on 2026-11-01 00:00 UTC").wait_for()
    shown = cells(named(page, "Says who"))
    assert [row[2] for row in shown] == [
        "turned out: pathology 2026-11-20 10:00 UTC",
        "signed by ada 2026-11-19 10:00 UTC",
    ]
    assert [row[1][:8].strip() for row in shown] == ["○ missed", "▲ false"]
    page.keyboard.press("j")
    page.keyboard.press("j")
    page.locator("tr[aria-current]").get_by_text("false alarm").wait_for()
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/study/{pet}")
