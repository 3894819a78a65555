"""A cohort asked, narrowed, frozen and taken out; a study shared and the link ended."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import faults, shot, until
from department_server import serving

from conftest import BUILT
from department_for_oversight import uid

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_a_question_is_frozen_and_taken_out_and_a_link_is_ended(browser: Any, tmp_path: Path, axe: str) -> None:
    if not BUILT.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    with serving(tmp_path) as (address, site, _):
        page = browser.new_context(base_url=address, viewport={"width": 1440, "height": 900}).new_page()
        page.set_default_timeout(20_000)
        page.goto(f"/sign-in?token={site.link('ito')}")
        page.get_by_role("navigation", name="Main").wait_for()
        page.goto("/cohorts")
        page.get_by_text("30 of 30 studies").wait_for()
        page.keyboard.press("f")
        page.keyboard.type("modality:CT")
        page.keyboard.press("Enter")
        page.get_by_text("20 of 30 studies").wait_for()
        page.get_by_text("left out by").wait_for()
        page.get_by_role("button", name="Year of the study").click()
        page.get_by_role("img", name="Histogram of Year").wait_for()
        page.reload()
        page.get_by_role("img", name="Histogram of Year").wait_for()
        page.get_by_text("from the headers: Study Date").wait_for()
        assert faults(page, axe) == []
        shot(page, "cohort")
        page.get_by_label("Freeze these 20").fill("CT of the department")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="CT of the department").wait_for()
        taken = page.get_by_role("link", name="Take out as CSV").get_attribute("href")
        lines = page.request.get(taken).text().splitlines()
        assert len(lines) == 21 and lines[0].startswith("case,person,")
        assert not re.search(r"PHANTOM|P0\d", "".join(lines))
        rows = page.get_by_role("region", name="Rows")
        page.keyboard.press("2")
        rows.get_by_text("Nothing is selected, so that nothing was tagged").wait_for()
        for key in ("x", "j", "x", "2"):
            page.keyboard.press(key)
        rows.get_by_text("Tag 2 given to 2 studies").wait_for()
        page.keyboard.press("v")
        pictures = rows.get_by_role("list", name="Pictures of the cohort")
        assert pictures.get_by_role("listitem").count() == 20 and pictures.get_by_text("tag 2").count() == 2
        told = pictures.locator("img").evaluate_all("all => all.map(one => one.alt)")
        pictures.get_by_text("no picture").first.wait_for()  # the files of this department are no images
        assert told[0] == "Row 1: CT, 2026" and not re.search(r"PHANTOM|P0\d", "".join(told))
        assert faults(page, axe) == []
        shot(page, "cohort-pictures")
        page.keyboard.press("v")
        page.keyboard.press("Shift+X")
        page.get_by_role("dialog", name="Select all 20?").wait_for()
        page.keyboard.press("Enter")
        rows.get_by_text("20 of 20 selected").wait_for()
        page.keyboard.press("3")
        rows.get_by_text("Tag 3 given to 20 studies").wait_for()
        rows.get_by_role("button", name="only tag 2").press("Enter")
        page.get_by_text("2 of 20 studies").wait_for()
        assert faults(page, axe) == []
        shot(page, "cohort-tags")
        page.keyboard.press("u")
        page.get_by_text("20 of 20 studies").wait_for()
        page.keyboard.press("/")
        assert page.evaluate("document.activeElement.id") == "cohort-field"
        page.keyboard.press("Escape")
        for _ in range(7):
            page.keyboard.press("t")
        page.get_by_role("heading", name="20 studies of 20 would leave").wait_for()
        assert faults(page, axe) == []
        shot(page, "cohort-hand-out")
        page.get_by_role("button", name="Hand out 20 studies").focus()
        page.keyboard.press("Enter")
        page.get_by_text("Nothing to take:").wait_for()
        assert faults(page, axe) == []
        shot(page, "cohort-hand-out-refused")
        page.get_by_role("button", name="Change it and try again").click()
        page.get_by_role("heading", name="How it leaves").wait_for()
        # a server that was started anew has no copies any more: that is said, and nobody waits for them
        gone = {
            "error": {"kind": "NotFound", "what": "no such hand-out", "why": "it was deleted", "do": "begin another"}
        }
        page.route("**/api/hand-outs/*", lambda route: route.fulfill(status=404, json=gone))
        page.get_by_role("button", name="Hand out 20 studies").click()
        page.get_by_text("The copies are not here any more").wait_for()
        page.unroute("**/api/hand-outs/*")
        page.get_by_role("link", name="All").click()
        page.get_by_role("link", name="CT of the department").wait_for()

        page.goto(f"/sharing?study={uid(3)}")
        page.get_by_label("For whom").fill("Dr Okafor, Lagos")
        page.get_by_role("button", name="Give the link").click()
        link = page.locator("code.secret").inner_text()
        headers = {"X-Isocenter-Link": link.split("#")[1]}
        outside = browser.new_context(base_url=address)
        assert outside.request.get("/api/shared", headers=headers).json()["uid"] == uid(3)
        row = page.get_by_role("row", name="Dr Okafor")
        assert faults(page, axe) == []
        shot(page, "sharing")
        row.get_by_role("button", name="End it").click()
        page.get_by_role("button", name="End it now").click()
        row.get_by_text("ended").wait_for()
        until(lambda: outside.request.get("/api/shared", headers=headers).status == 403)
        outside.close()

        page.goto("/sharing/consent")
        page.get_by_label("Patient number").fill("P03")
        page.get_by_role("button", name="Show this patient").click()
        page.get_by_role("heading", name="No terms of use stand here").wait_for()
        page.get_by_text("Record terms of use, or a refusal").click()
        page.get_by_label("not for profit, non-commercial use only").check()
        page.get_by_role("button", name="Record the terms").click()
        page.get_by_role("alert").get_by_text("terms that permit nothing").wait_for()
        page.get_by_label("health, medical or biomedical research").check()
        page.get_by_label("Until").fill("2999-12-31")
        page.get_by_label("Document").fill("form 12, page 3")
        shot(page, "consent-recording")
        page.get_by_role("button", name="Record the terms").click()
        row = page.get_by_role("row", name="form 12, page 3")
        row.get_by_text("not for profit, non-commercial use only").wait_for()
        page.get_by_role("button", name="Withdraw: see what it reaches").click()
        page.get_by_role("heading", name="What a withdrawal reaches").wait_for()
        assert faults(page, axe) == []
        shot(page, "consent-withdrawing")
        page.get_by_role("button", name="Withdraw now").click()
        page.get_by_role("heading", name="No terms of use stand here").wait_for()
        page.goto("/cohorts")
        page.get_by_text("29 of 29 studies").wait_for()
        page.context.close()
