"""An analysis on its page: what it needs and what became of it; stopped by one person, started again by another."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import Site, lock, shot, until

pytestmark = pytest.mark.browser

STOPPED = "pet_uptake"
WORDS = "a second person's own password"


@pytest.mark.slow
def test_one_stops_it_everywhere_and_only_another_starts_it_again(
    page: Any, context: Any, site: Site, studies: Callable[[str], str]
) -> None:
    study = studies("PET/CT")
    elsewhere = context.browser.new_context(base_url=site.address, storage_state=site.state)
    list_page, room, report = (elsewhere.new_page() for _ in range(3))
    lock(room, study)
    room.locator(".card").first.wait_for()
    report.goto(f"/report/{study}")
    report.locator(".paper .identity").wait_for()
    assert room.get_by_text("Stopped by").count() == 0 and report.get_by_text("was stopped by").count() == 0
    list_page.goto("/worklist")
    list_page.get_by_role("table", name="Studies to read").wait_for()
    page.goto("/analyses")
    card = page.locator(".catalogue li", has=page.get_by_role("link", name="PET uptake"))
    assert re.search(r"Planned on\s+\d+ of \d+ studies", card.inner_text()), "of few studies no share in %"
    page.get_by_role("link", name="PET uptake").click()
    page.get_by_role("heading", name="What it needs").wait_for()
    shot(page, "analysis")
    banner = list_page.get_by_text("PET uptake was stopped")
    page.keyboard.press("Shift+S")  # one press, and at once
    page.get_by_role("button", name="Take it back").wait_for()
    banner.get_by_text("they have not said why yet").wait_for(timeout=5_000)
    page.keyboard.press("Control+z")
    page.get_by_role("button", name="Stop it everywhere").wait_for()
    until(lambda: banner.count() == 0)
    page.keyboard.press("Shift+S")
    until(lambda: page.evaluate("document.activeElement.textContent").startswith("Take it back"))
    page.keyboard.press("Tab")
    page.keyboard.type("it matched two people")
    page.keyboard.press("Enter")
    page.get_by_text("You stopped it; somebody else can start it again.").wait_for()
    shot(page, "analysis-stopped")
    # in another browser within five seconds: on the list, in the room, in the report
    banner.get_by_text("it matched two people").wait_for(timeout=5_000)
    room.locator(".card", has_text="Stopped").first.wait_for(timeout=5_000)
    report.get_by_text("was stopped by admin").first.wait_for(timeout=5_000)
    shot(room, "room-stopped")
    shot(list_page, "worklist-stopped")
    list_page.get_by_role("button", name="OK: PET uptake is stopped").click()
    until(lambda: banner.count() == 0)
    list_page.reload()
    banner.get_by_text("it matched two people").wait_for()  # put away is not forgotten

    origin = {"Origin": site.address}
    mine = page.request.post(f"/api/analyses/{STOPPED}/resume", data={"reason": "x"}, headers=origin)
    assert mine.status == 400 and "takes two people" in mine.text()
    added = page.request.post(
        "/api/people", data={"name": "second", "role": "reader", "password": WORDS}, headers=origin
    )
    assert added.ok, added.text()
    other = context.browser.new_context(base_url=site.address)
    try:
        signed_in = other.request.post("/api/sign-in", data={"name": "second", "password": WORDS}, headers=origin)
        assert signed_in.ok, signed_in.text()
        theirs = other.new_page()
        theirs.goto(f"/analyses/{STOPPED}")
        theirs.get_by_label("Why it may start again").fill("one identifier was merged")
        theirs.get_by_role("button", name="Start it again").click()
        theirs.get_by_role("button", name="Stop it everywhere").wait_for()
        until(lambda: banner.count() == 0)
        theirs.get_by_role("listitem").filter(has_text="second").filter(has_text="started it again").wait_for()
        until(lambda: room.locator(".card", has_text="Stopped").count() == 0)
    finally:
        other.close()
        elsewhere.close()
