"""A room of two screens: the panel in a window of its own, its width, and the line that is written under the image."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import lock, shot, until

pytestmark = pytest.mark.browser


@pytest.mark.slow
def test_the_panel_keeps_the_width_that_was_given_to_it(page: Any, studies: Callable[[str], str]) -> None:
    lock(page, studies("PET/CT"))
    edge = page.get_by_role("separator", name="Width of the panel")
    wide = lambda: round(page.locator("aside.panel").bounding_box()["width"])  # noqa: E731
    before = wide()
    edge.focus()
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "/settings/me" in answer.url):
        page.keyboard.press("ArrowLeft")
    until(lambda: wide() == before + 16)
    assert edge.get_attribute("aria-valuenow") == str(before + 16)
    box = edge.bounding_box()
    page.mouse.move(box["x"] + 2, box["y"] + 300)
    page.mouse.down()
    page.mouse.move(box["x"] - 98, box["y"] + 300, steps=4)
    with page.expect_response(lambda answer: answer.request.method == "PUT" and "/settings/me" in answer.url):
        page.mouse.up()
    until(lambda: abs(wide() - before - 116) <= 4)
    left = wide()
    page.reload()
    page.locator("aside.panel").wait_for()
    until(lambda: wide() == left)
    edge.dblclick()
    until(lambda: wide() == before)


@pytest.mark.slow
def test_the_line_that_is_written_stands_under_the_image(page: Any, studies: Callable[[str], str]) -> None:
    lock(page, studies("PET/CT"))
    page.get_by_label("Add a sentence to Impression").focus()
    page.keyboard.type("A small lesion")
    line = page.locator(".viewport .caret-line")
    until(lambda: line.inner_text() == "Impression: A small lesion|")
    for _ in range(6):
        page.keyboard.press("ArrowLeft")
    until(lambda: line.inner_text() == "Impression: A small |lesion")
    shot(page, "room-caret-line")
    page.keyboard.press("Control+A")
    page.keyboard.press("Delete")
    page.keyboard.press("Escape")
    line.wait_for(state="detached")


@pytest.mark.slow
def test_findings_are_decided_in_a_window_of_their_own(page: Any, context: Any, studies: Callable[[str], str]) -> None:
    """What was seen in one window wakes Keep in the other; keys for the images act there; without them all is still."""
    study = studies("PET/CT")
    lock(page, study)
    page.locator(".card").first.wait_for()
    with context.expect_page() as opened:
        page.keyboard.press("Shift+P")
    panel = opened.value
    panel.set_viewport_size({"width": 760, "height": 1100})
    panel.locator(".card").first.wait_for()
    page.get_by_text("The panel is in another window").wait_for()
    assert page.locator("aside.panel .card").count() == 0
    assert panel.locator(".viewport").count() == 0
    assert panel.locator("header").get_by_text("ISO-DEMO", exact=False).count(), "whose report it is stands above it"

    at = page.locator(".corner.tr").first.inner_text()
    panel.keyboard.press("ArrowDown")
    until(lambda: page.locator(".corner.tr").first.inner_text() != at)

    panel.keyboard.press("j")
    panel.locator(".card.active").wait_for()
    panel.keyboard.press("Enter")  # the images go there
    panel.locator(".card.active").get_by_text("seen ✓").wait_for()

    def verdicts() -> dict[str, str]:
        results = page.request.get(f"/api/studies/{study}/results").json()["results"]
        return {one["tracking"]: one["verdict"] for result in results for one in result["findings"]}

    before = verdicts()
    panel.keyboard.press("y")
    until(lambda: any(verdict == "kept" and before[one] != "kept" for one, verdict in verdicts().items()))
    panel.get_by_label("Add a sentence to Impression").focus()
    panel.keyboard.type("Seen from afar")
    until(lambda: page.locator(".caret-line").inner_text() == "Impression: Seen from afar|")
    shot(page, "room-apart-images")
    shot(panel, "room-apart-panel")
    panel.keyboard.press("Control+A")
    panel.keyboard.press("Delete")
    panel.keyboard.press("Escape")
    panel.keyboard.press("Control+Z")
    until(lambda: verdicts() == before)

    page.keyboard.press("Shift+P")  # back, from the images
    page.locator("aside.panel .card").first.wait_for()
    until(lambda: panel.is_closed())

    with context.expect_page() as opened:
        page.keyboard.press("Shift+P")
    panel = opened.value
    panel.locator(".card").first.wait_for()
    until(lambda: not panel.evaluate("document.querySelector('main').inert"))
    page.close()
    panel.get_by_text("The images of this study are not on screen").wait_for()
    assert panel.evaluate("document.querySelector('main').inert")
    panel.keyboard.press("Control+Enter")
    assert panel.get_by_role("dialog").count() == 0
