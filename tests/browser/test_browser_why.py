"""Why a study was not analysed: of a crooked one exactly the predicate that was broken in it, until it is mended."""

from __future__ import annotations

from typing import Any

import pytest
from browser_eyes import Site, read, shot, until
from stage_phantoms import body, stack
from test_browser_stage import send

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WANTED = {"modality": "CT", "images": "at least 10 images", "body part": "heart, chest, thorax"}
FEW = body()[10:14]


def study_of(page: Any, words: str) -> str:
    def there() -> str | None:
        rows = page.request.get("/api/worklist?limit=200").json()["rows"]
        return next((str(row["study"]) for row in rows if row["description"] == words), None)

    return str(until(there))


def planned(page: Any, study: str) -> None:
    answer = lambda: page.request.get(f"/api/studies/{study}/plan").json()["analyses"]  # noqa: E731
    until(lambda: any(one["analysis"] == "coronary_calcium" and one["answer"] != "waiting" for one in answer()), 60)


def line_of(page: Any) -> Any:
    return page.locator("dl.why > div").filter(has=page.get_by_role("link", name="Coronary calcium", exact=True))


def test_of_a_crooked_study_the_broken_predicate_alone_is_named_and_the_line_turns_when_it_is_mended(
    page: Any, site: Site
) -> None:
    crooked = {
        "modality": stack(body()[10:22], "Crooked modality", "MR", modality="PT"),
        "images": stack(FEW, "Crooked images", "few"),
        "body part": stack(body()[10:22], "Crooked body part", "knee", body_part="KNEE"),
    }
    for files in crooked.values():
        send(page, site, files)
    for broken in crooked:
        study = study_of(page, f"Crooked {broken}")
        planned(page, study)
        page.goto(f"/study/{study}/why")
        line = line_of(page)
        line.wait_for()
        assert "not looked" in line.locator("dt").inner_text()
        unmet = line.locator("tr").filter(has=page.locator(".soon"))
        assert unmet.count() == 1, line.inner_text()
        wanted, found = unmet.locator("td").nth(2).inner_text(), unmet.locator("td").nth(3).inner_text()
        assert WANTED[broken] in wanted and found.startswith("series 1"), (wanted, found)
        shot(page, f"why-crooked-{broken.replace(' ', '-')}")

    page.goto(f"/study/{study_of(page, 'Crooked images')}/why")
    line = line_of(page)
    line.locator(".soon").first.wait_for()
    page.evaluate("window.still = true")
    rest = stack(body()[4:20], "Crooked images", "few")
    send(page, site, rest)
    page.keyboard.press("r")
    page.get_by_text("Promised: it is planned and analysed again").wait_for()
    until(lambda: line.count() and "at least 10 images" not in line.locator("tr:has(.soon)").all_inner_texts(), 60)
    until(lambda: "not looked" not in line.locator("dt").inner_text(), 120)
    assert page.evaluate("window.still"), "without a reload"
    version = page.request.get("/api/analyses/coronary_calcium").json()["version"]
    assert version in line.locator("dt .id").all_inner_texts()
    shot(page, "why-mended")


def test_what_does_not_fit_is_run_for_research_after_the_own_opinion_and_reaches_no_report(
    page: Any, site: Site
) -> None:
    send(page, site, stack(body()[10:22], "Crooked for research", "knee", body_part="KNEE"))
    study = study_of(page, "Crooked for research")
    planned(page, study)
    asked = lambda: line_of(page).get_by_role("button", name="Run for research").click()  # noqa: E731
    page.context.expected += ["Failed to load resource"]  # the first asking is refused
    page.goto(f"/study/{study}/why")
    asked()
    page.get_by_text("your own opinion comes first here").wait_for()
    read(page, study)
    until(lambda: page.request.get(f"/api/readings/{study}").json()["by"])
    page.keyboard.press("0")
    until(lambda: page.request.get(f"/api/readings/{study}").json()["opinion"]["locked"])
    results = page.request.get(f"/api/studies/{study}/results").json()["results"]
    page.goto(f"/study/{study}/why")
    asked()
    tried = line_of(page).get_by_label("For research")
    tried.wait_for(timeout=120_000)
    assert "never in the report" in tried.inner_text() and "series 1 is of KNEE" in tried.inner_text()
    shot(page, "why-research")
    assert page.request.get(f"/api/studies/{study}/results").json()["results"] == results, "it is no result"


def test_what_failed_is_tried_again_by_its_button_and_a_run_that_did_not_come_about_says_why(
    page: Any, site: Site
) -> None:
    send(page, site, stack(body()[10:22], "Crooked and failed", "knee", body_part="KNEE"))
    study = study_of(page, "Crooked and failed")
    planned(page, study)
    told = page.request.get(f"/api/studies/{study}/plan").json()
    line = next(one for one in told["analyses"] if one["analysis"] == "coronary_calcium")
    line |= {"answer": "failed", "reasons": ["it took longer than 120 s"], "near": False}
    told["research"] = [
        {"analysis": "coronary_calcium", "version": "", "answer": "refused", "findings": 0, "said": ["stopped by lee"],
         "unmet": [], "on": [], "by": "ana", "when": "2026-11-29T08:30:00+00:00"}
    ]  # fmt: skip
    page.route(f"**/api/studies/{study}/plan", lambda route: route.fulfill(json=told))
    asked: list[str] = []
    page.on("request", lambda one: asked.append(one.url) if one.method == "POST" else None)
    page.goto(f"/study/{study}/why")
    line_of(page).get_by_text("it took longer than 120 s").wait_for()
    tried = line_of(page).get_by_label("For research").inner_text()
    assert (
        "it was not run · ana, 2026-11-29 08:30 UTC" in tried and "stopped by lee" in tried and "version" not in tried
    )
    line_of(page).get_by_role("button", name="Retry").click()
    page.get_by_text("Promised: it is planned and analysed again").wait_for()
    assert asked == [f"{site.address}/api/studies/{study}/analyse"]
