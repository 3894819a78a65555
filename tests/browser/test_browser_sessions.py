"""The end of a session, in the page: nothing of a patient stays on the screen or in the page's memory."""

from __future__ import annotations

from typing import Any

import pytest
from browser_eyes import Site, shot, until

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORD = "a sentence to leave by"


@pytest.fixture
def desks(browser: Any, page: Any, site: Site) -> Any:
    """Two browsers in which the same reader has signed in."""
    origin = {"Origin": site.address}
    page.request.post("/api/people", data={"name": "leaves", "role": "reader", "password": WORD}, headers=origin)
    made = [browser.new_context(base_url=site.address) for _ in range(2)]
    for desk in made:
        assert desk.request.post("/api/sign-in", data={"name": "leaves", "password": WORD}, headers=origin).ok
    yield made
    for desk in made:
        desk.close()


def _lists_patients(desk: Any) -> Any:
    page = desk.new_page()
    page.goto("/worklist")
    page.locator("tbody tr").nth(2).wait_for()
    page.evaluate("window.kept = 'what a page holds in memory'")
    return page


def _nothing_is_left(page: Any) -> None:
    page.get_by_label("Password").wait_for()
    assert page.locator("tbody tr").count() == 0
    assert page.evaluate("window.kept") is None, "another page: the memory of the older one is gone"


def test_a_session_that_is_ended_elsewhere_leaves_its_open_page_within_seconds(desks: Any) -> None:
    here, there = desks
    left = _lists_patients(there)
    own = here.new_page()
    own.goto("/settings")
    own.get_by_label("Your password, once more").scroll_into_view_if_needed()
    shot(own, "settings-sessions")
    own.get_by_label("Your password, once more").fill(WORD)
    own.get_by_role("button", name="End all others").click()
    own.get_by_text("1 session has ended").wait_for()
    _nothing_is_left(left)
    assert "to=%2Fworklist" in left.url, "and after signing in again one is back where one was"
    assert here.request.get("/api/me").ok


def test_who_signs_out_leaves_no_page_behind(desks: Any) -> None:
    page = _lists_patients(desks[0])
    page.get_by_role("button", name="Leave").click()
    _nothing_is_left(page)
    page.go_back()
    assert page.locator("tbody tr").count() == 0


def test_a_page_that_cannot_reach_the_server_leaves_when_its_session_must_be_over(desks: Any) -> None:
    desk = desks[0]
    page = desk.new_page()
    page.clock.install()
    page.goto("/worklist")
    page.locator("tbody tr").nth(2).wait_for()
    desk.set_offline(True)
    page.clock.fast_forward("30:00")
    assert page.locator("tbody tr").count() > 2, "half an hour of silence is no end"
    page.clock.fast_forward("31:00")
    until(lambda: page.locator("tbody tr").count() == 0)
