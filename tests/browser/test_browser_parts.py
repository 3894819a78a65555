"""Parts of pages over one archive: a cohort's survival, groups and federations, projects and emergencies, lesions
joined by hand, and versions of a model where there is only one."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from browser_eyes import faults, shot, until
from department_server import serving
from followed_people import LIVER, federated, followed

from conftest import BUILT
from department_for_oversight import AI, CHIEF, uid

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Any]]:
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    with serving(tmp_path_factory.mktemp("parts"), read=4) as (address, site, _):
        followed(site)
        federated(site)
        yield address, site


@pytest.fixture
def desk(browser: Any, served: tuple[str, Any]) -> Iterator[Callable[[str], Any]]:
    """A window of somebody who is signed in."""
    address, site = served
    made = []

    def of(name: str) -> Any:
        made.append(browser.new_context(base_url=address, viewport={"width": 1280, "height": 860}))
        page = made[-1].new_page()
        page.set_default_timeout(60_000)
        page.goto(f"/sign-in?token={site.link(name)}")
        page.get_by_role("navigation", name="Main").wait_for()
        return page

    yield of
    for context in made:
        context.close()


def test_survival_two_groups_and_federations_by_key_and_address(desk: Any, axe: str) -> None:
    page = desk("ito")
    page.goto("/cohorts?q=description:liver")
    page.get_by_text("120 of 124 studies").wait_for()
    for _ in range(3):
        page.keyboard.press("t")
    page.get_by_role("heading", name="Say what ends it").wait_for()
    assert page.url.endswith("/cohorts/ask/survival?q=description%3Aliver")
    page.get_by_label("Until a study shows").fill(f"{LIVER}:1900..")
    page.keyboard.press("Enter")
    page.get_by_role("img", name="Part of the people without it").wait_for()
    page.get_by_label("In groups by").select_option(label="Sex")
    page.get_by_text("Log-rank p 0.002").wait_for()
    page.reload()
    men = page.get_by_role("row", name="M 20 10")
    men.wait_for()
    assert faults(page, axe) == []
    shot(page, "cohort-survival")
    page.get_by_label("Until a study shows").fill("nonsense")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="No figure: ").wait_for()

    page.get_by_role("link", name="Compare").click()
    page.get_by_label("Groups by").select_option(label="Sex")
    page.get_by_label("This group").select_option("M")
    page.get_by_label("against").select_option("F")
    page.get_by_role("row", name="Liver volumetry: Volume").wait_for()
    assert "one=M" in page.url and faults(page, axe) == []
    shot(page, "cohort-compare")

    page.get_by_role("heading", name="Cohorts").click()
    for way in ("train", "federated"):
        page.keyboard.press("t")
        until(lambda way=way: page.evaluate("location.pathname").endswith(way))
    takes_part = page.get_by_role("row", name="Chest X-ray opacity takes part")
    takes_part.get_by_role("cell", name="1.20 of 3", exact=True).wait_for()
    page.get_by_role("button", name="PneumoniaMNIST").click()
    page.get_by_role("row", name="east").get_by_text("▲ east").wait_for()
    assert page.get_by_text("west 12").count() == 2 and faults(page, axe) == []
    shot(page, "cohort-federated")


def test_plots_narrow_the_question_and_a_value_finds_its_percentile(desk: Any, axe: str) -> None:
    page = desk("ito")
    page.goto("/cohorts?q=description:liver")
    page.get_by_text("120 of 124 studies").wait_for()
    page.keyboard.press("t")
    page.get_by_role("heading", name="Choose a field").wait_for()
    assert page.locator(".wall section").count() == 0, "no wall of charts before somebody chose one"
    page.keyboard.press("/")
    page.keyboard.type("sex")
    page.keyboard.press("Enter")
    sex = page.get_by_role("region", name="Sex")
    sex.wait_for()
    search = page.get_by_label("Search the fields")
    search.fill("year of the")
    page.get_by_role("button", name="Year of the study").click()
    page.get_by_role("region", name="Year of the study").wait_for()
    assert [one.inner_text().split(" ")[0] for one in page.locator(".wall h2").all()] == ["Sex", "Year"]
    search.fill("modality")
    search.press("Enter")
    until(lambda: page.locator(".wall section").count() == 3)
    page.get_by_role("button", name="Take off Modality").click()
    until(lambda: page.locator(".wall section").count() == 2)
    page.reload()
    sex.wait_for()
    assert page.locator(".wall section").count() == 2, "what was chosen stands in the address"
    sex.get_by_role("button", name="M", exact=True).focus()
    assert faults(page, axe) == []
    shot(page, "cohort-plots")
    page.get_by_text("4 left out by description: liver").wait_for()
    page.keyboard.press("Enter")
    page.get_by_text("60 of 124 studies").wait_for()
    page.get_by_text("60 left out by sex: M").wait_for()
    page.keyboard.press("u")
    page.get_by_text("120 of 124 studies").wait_for()
    year = page.get_by_role("region", name="Year of the study")
    year.get_by_text("Table and range").click()
    year.get_by_label("From").fill("1900")
    year.get_by_label("to", exact=True).fill("1901")
    assert faults(page, axe) == []
    page.keyboard.press("Enter")
    page.get_by_text("120 left out by year: 1900 to 1901").wait_for()
    page.keyboard.press("u")
    page.get_by_text("120 of 124 studies").wait_for()

    page.keyboard.press("t")
    page.get_by_label("Field").select_option(label="Liver volumetry: Volume mL")
    page.get_by_label("Value in mL").fill("1500")
    page.keyboard.press("Enter")
    page.get_by_text("percentile of 40 people").wait_for()
    assert "value=1500" in page.url and faults(page, axe) == []
    shot(page, "cohort-percentile")
    page.get_by_label("Sex").select_option("M")
    page.get_by_role("heading", name="No figure: a percentile among fewer than 39 people").wait_for()

    page.get_by_role("heading", name="Cohorts").click()
    for _ in range(3):
        page.keyboard.press("t")
    page.get_by_role("heading", name="Nothing has learned from these studies yet").wait_for()
    assert faults(page, axe) == []
    shot(page, "cohort-train")


def test_of_nothing_selected_nothing_is_frozen_handed_out_or_learnt_from(desk: Any) -> None:
    page = desk("ito")
    page.goto("/cohorts?q=description:nowhere")
    page.get_by_text("0 of 124 studies").wait_for()
    page.get_by_text("The filter description: nowhere leaves out the last of them").wait_for()
    shot(page, "cohort-nothing")
    assert page.get_by_label("Freeze these 0").is_disabled()
    assert page.get_by_role("button", name="Freeze").is_disabled()
    for way in ("plots", "percentiles", "survival", "compare", "train", "federated", "hand-out"):
        page.keyboard.press("t")
        until(lambda way=way: page.evaluate("location.pathname").endswith(way))
        if way not in ("train", "hand-out"):
            continue
        until(lambda: page.locator("[aria-busy=true]").count() == 0)
        acts = page.locator("main").get_by_role("button", name=re.compile("^(Train|Hand out|Take)"))
        assert not any(one.is_enabled() for one in acts.all()), way
    said = {"name": "nobody", "q": "description:nowhere"}
    refused = page.request.post("/api/cohorts", data=said, headers={"Origin": page.url.split("/cohorts")[0]})
    assert refused.status == 400 and "a cohort of nobody" in refused.text()


def test_one_version_has_nothing_to_be_held_against(desk: Any) -> None:
    page = desk("ito")
    page.goto(f"/models/{AI}")
    page.get_by_role("heading", name="Chest X-ray opacity").wait_for()
    page.get_by_text("Intended use").or_(page.get_by_text("Not for")).first.wait_for()
    page.keyboard.press("v")
    page.get_by_role("heading", name="Nothing to hold it against").wait_for()
    assert page.url.endswith("/compare")


def test_a_project_is_made_and_an_emergency_is_opened_closed_and_looked_through(
    desk: Any, served: tuple[str, Any], axe: str
) -> None:
    chief = desk("chief")
    chief.goto("/settings/projects")
    chief.get_by_label("Name", exact=True).fill("trial")
    chief.get_by_label("What belongs to it").fill("a trial of livers")
    chief.get_by_label("Who looks through emergencies").fill("chief")
    chief.get_by_role("button", name="Make the project").click()
    chief.get_by_role("row", name="trial a trial of livers").wait_for()
    form = chief.get_by_role("form", name="Let somebody in, or put them out")
    form.get_by_label("Who").fill("lee")
    form.get_by_role("button", name="Save").click()
    chief.get_by_text("lee (reader)").first.wait_for()
    assert faults(chief, axe) == []
    shot(chief, "projects")
    served[1].projects.move(uid(2), "trial", reason="it is of the trial", who=CHIEF)

    ito = desk("ito")
    ito.goto(f"/study/{uid(2)}")
    emergency = ito.get_by_role("form", name="Open in an emergency")
    emergency.get_by_label("Why").fill("bleeding, asks for the old scan")
    shot(ito, "emergency")
    assert faults(ito, axe) == []
    emergency.get_by_role("button", name="Open it for an hour").click()
    bar = ito.get_by_role("status").filter(has_text="Opened in an emergency")
    bar.get_by_text("chief looks through it").wait_for()
    shot(ito, "emergency-bar")
    bar.get_by_role("button", name="Close it now").click()
    ito.get_by_role("form", name="Open in an emergency").wait_for()

    chief.reload()
    case = chief.get_by_role("article", name="Opened by ito")
    case.get_by_text("bleeding, asks for the old scan").wait_for()
    assert case.get_by_role("button", name="Not rightly so").is_disabled()
    case.get_by_role("button", name="Rightly so", exact=True).click()
    case.get_by_text("chief: rightly so").wait_for()


def test_two_findings_are_joined_to_one_lesion_and_parted_again(desk: Any, served: tuple[str, Any]) -> None:
    page = desk("lee")
    study = "1.2.9.0.2"
    points = lambda: [  # noqa: E731
        [point and point["tracking"] for point in one["points"]]
        for one in page.request.get(f"/api/studies/{study}/lesions").json()["lesions"]
    ]
    apart = [["2.25.770", None, None], [None, "2.25.771", None]]
    page.goto(f"/patients/{study}")
    page.get_by_role("button", name="Join or part by hand").click()
    hand = page.get_by_role("group", name="Join or part by hand")
    assert points() == apart
    for box in (0, 1):
        page.get_by_role("checkbox").nth(box).check()
    hand.get_by_text("They stand as two lesions.").wait_for()
    assert hand.get_by_role("button", name="They are not one").is_disabled()
    hand.get_by_role("button", name="They are one lesion").click()
    until(lambda: points() == [["2.25.770", "2.25.771", None]])
    page.get_by_text("+40").wait_for()
    shot(page, "lesions-joined")
    for box in (0, 1):
        page.get_by_role("checkbox").nth(box).check()
    hand.get_by_role("button", name="They are not one").click()
    until(lambda: points() == apart)
