"""Who plans research asks how many people there are: by filters, in tens, with no way to a single study."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_eyes import faults, shot, until
from department_server import serving

from isocenter.govern.policy import HOUSE, Role

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def planner(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    with serving(tmp_path_factory.mktemp("planned")) as (address, site, _):
        site.add_person("paula", Role.PLANNER, "four quiet herons wade", who=HOUSE)
        context = browser.new_context(base_url=address, viewport={"width": 390, "height": 844})
        page = context.new_page()
        complaints: list[str] = []
        page.on("weberror", lambda error: complaints.append(str(error)))
        page.goto(f"/sign-in?token={site.link('paula')}")
        page.get_by_role("navigation", name="Main").wait_for()
        yield page
        context.close()
        assert not complaints, complaints


def test_a_planner_hears_how_many_there_are_and_finds_no_way_to_a_study(planner: Any, axe: str) -> None:
    page = planner
    page.goto("/cohorts")
    page.get_by_text("You may hear how many people there are, and see no single study").wait_for()
    counted = lambda: page.locator("header.bar").inner_text()  # noqa: E731
    everybody = until(lambda: [word for word in counted().split() if word.isdigit()])
    assert all(int(word) % 10 == 0 for word in everybody), "people are counted in tens"
    assert "Plots" in counted() and not any(part in counted() for part in ("Survival", "Compare", "Train", "Hand out"))
    assert page.get_by_role("navigation", name="Main").get_by_role("link").all_inner_texts() == ["Cohorts", "Settings"]
    assert page.get_by_role("button", name="Freeze").count() == 0
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        assert faults(page, axe) == []
        shot(page, f"planner-{theme}")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390, "nothing is cut off on a telephone"

    page.goto("/cohorts/ask?q=modality:MR")  # ten people: told in tens, and with no row
    page.get_by_text("You may hear how many people there are").wait_for()
    told = page.request.get("/api/cohorts/ask?q=modality:MR").json()
    assert told["rows"] == [] and not told["may_see_rows"] and told["n"] in (None, 10)
    for address in ("worklist?limit=9", "studies/1.2.1", "readings/1.2.1", "cohorts"):
        answer = page.request.get(f"/api/{address}")
        assert answer.status == 403, f"{address}: {answer.status}"
        assert "PHANTOM" not in answer.text()
