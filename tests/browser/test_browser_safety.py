"""What stands between a hurried hand and the wrong patient: two studies stop one another, and words are no keys."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from browser_eyes import lock, read, shot, until

pytestmark = pytest.mark.browser

KEYS = json.loads((Path(__file__).parents[2] / "web/src/keys/table.json").read_text())["room"]


def findings(page: Any, study: str) -> list[tuple[str, str]]:
    results = page.request.get(f"/api/studies/{study}/results").json()["results"]
    return sorted((one["tracking"], one["verdict"]) for result in results for one in result["findings"])


def test_nothing_can_be_done_to_either_patient_while_two_are_open(
    page: Any, context: Any, studies: Callable[[str], str]
) -> None:
    """Not by the mouse, not by a key, and not in a dialog that was open before; each goes on once it is alone."""
    study, other = studies("PET/CT"), studies("Chest radiograph")
    lock(page, study)
    page.locator(".card").first.wait_for()
    page.keyboard.press("Control+Enter")
    dialog = page.get_by_role("dialog", name="Sign")
    dialog.wait_for()
    before = findings(page, study)
    second = context.new_page()
    read(second, other)
    until(lambda: second.request.get(f"/api/readings/{other}").json()["by"])
    for one in (page, second):
        one.get_by_role("heading", name="Another study is open in another window").wait_for()
    shot(second, "room-frozen")
    dialog.wait_for(state="hidden")
    looks_of = lambda one: (one.locator(".corner.tr").first.inner_text(), one.locator(".viewport").count())  # noqa: E731
    held = [looks_of(one) for one in (page, second)]

    acts: list[str] = []
    looks = ("/seen", "/events")  # what was on screen until then may still be told
    context.on("request", lambda asked: acts.append(asked.url) if asked.method not in ("GET", "HEAD") else None)
    for one in (page, second):
        for key in (bound["key"] for bound in KEYS if bound["act"] != "leave"):
            one.keyboard.press(key.replace("Ctrl+", "Control+"))
        assert one.get_by_role("dialog").count() == 0, "no key opens a dialog"
        assert one.locator("header").get_by_role("button", name="Sign").count() == 0
        assert one.evaluate("document.querySelector('main').inert")
    assert held == [
        (o.locator(".corner.tr").first.inner_text(), o.locator(".viewport").count()) for o in (page, second)
    ]
    assert [url for url in acts if not any(part in url for part in looks)] == []
    assert findings(page, study) == before

    second.close()
    dialog.wait_for()  # as it was left
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowDown")
    until(lambda: page.locator(".corner.tr").first.inner_text() != held[0][0])


@pytest.mark.slow
def test_what_is_typed_into_a_report_is_no_key(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("PET/CT")
    lock(page, study)
    page.locator(".card").first.wait_for()
    page.keyboard.press("j")
    page.locator(".card.active").wait_for()
    before, at = findings(page, study), page.locator(".corner.tr").first.inner_text()
    field = page.get_by_label("Add a sentence to Impression")
    field.focus()
    typed = "".join(bound["key"] for bound in KEYS if len(bound["key"]) == 1)
    assert {"y", "x", "v", "0"} <= set(typed)
    page.keyboard.type(typed)
    assert field.input_value() == typed
    assert page.get_by_role("dialog").count() == 0 and page.get_by_role("form", name="Strike, because").count() == 0
    assert page.locator(".viewport").count() == 1 and page.locator(".corner.tr").first.inner_text() == at
    assert findings(page, study) == before
    field.fill("")


@pytest.mark.slow
def test_findings_that_did_not_come_are_said_to_be_missing(page: Any, studies: Callable[[str], str]) -> None:
    """An empty panel would say that nothing was found."""
    page.context.expected.append("Failed to load resource")
    told = {
        "what": "the answers could not be read",
        "why": "the disk",
        "do": "try again",
        "kind": "Error",
        "event": "7",
    }
    failing = re.compile(r"/api/studies/[\d.]+/(results|priors|plan)$|/api/results/\w+/section")
    page.route(failing, lambda route: route.fulfill(status=500, json={"error": told}))
    lock(page, studies("PET/CT"))
    others = page.get_by_role("alert").filter(has_text="Not on this page, because it could not be read")
    others.get_by_text("what was not looked for; earlier studies").wait_for()
    missing = page.get_by_role("alert").filter(has_text="that is not to say that nothing was")
    missing.wait_for()
    assert "the answers could not be read" in missing.inner_text().lower()
    assert page.get_by_text("No finding on this study").count() == 0 and page.locator(".card").count() == 0
    page.unroute(failing)
    missing.get_by_role("button", name="Try again").click()
    page.locator(".card").first.wait_for()
    others.get_by_role("button", name="Try again").click()
    page.get_by_text("No earlier study here").wait_for()
    page.get_by_text("Not looked:").wait_for()
    assert others.count() == 0
    assert missing.count() == 0
