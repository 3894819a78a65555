"""From an empty disk to a signed report by keyboard alone: own opinion, what AI adds, a decision on each, the seal."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import Site, lit, read, shot, until

pytestmark = pytest.mark.browser

EIGHT_MINUTES = 480.0


def reading(page: Any, study: str) -> dict[str, Any]:
    told: dict[str, Any] = page.request.get(f"/api/readings/{study}").json()
    return told


def verdicts(page: Any, study: str) -> list[str]:
    results = page.request.get(f"/api/studies/{study}/results").json()["results"]
    return [one["verdict"] for result in results for one in result["findings"]]


def test_empty_disk_to_signed_report_by_keyboard_alone(page: Any, site: Site) -> None:
    begun = time.monotonic()
    page.add_init_script("addEventListener('pointerdown', () => (globalThis.clicked = true), true)")
    page.goto("/worklist")
    page.get_by_role("table", name="Studies to read").locator("tbody tr").first.wait_for()
    page.keyboard.press("n")
    page.locator(".corner.tr").first.wait_for()
    until(lambda: lit(page) > 0.02)
    study = page.url.split("/study/")[1].split("?")[0]
    until(lambda: reading(page, study)["by"])

    page.get_by_role("heading", name="First opinion").wait_for()
    assert verdicts(page, study) == [], "nothing of a machine has left the server"
    said = page.locator(".bar.patient").inner_text()
    due = page.request.get(f"/api/studies/{study}").json()["due"]["level"].capitalize()
    assert f"{due} · " in said and "AI shown" not in said, "until when it should be read, and no more"
    assert page.get_by_text("Not looked:").count() == 1, "what no analysis looks for is said before as well"
    shot(page, "first-opinion")
    page.keyboard.press("f")
    page.keyboard.type("Faint opacity, right lower zone")
    shot(page, "first-opinion-finding")
    form = page.get_by_role("form", name="Add a finding")
    assert form.evaluate("one => one.scrollWidth <= one.clientWidth"), "nothing sticks out of the form"
    tops = [page.get_by_role("button", name=name).bounding_box()["y"] for name in ("Add finding", "Lock")]
    assert tops[0] == tops[1], "the way out of the opinion stands beside the ways into it"
    page.keyboard.press("Enter")
    until(lambda: verdicts(page, study) == ["added"])
    page.locator(".first-opinion .card").wait_for()
    page.keyboard.press("Shift+Enter")
    until(lambda: reading(page, study)["opinion"]["locked"])
    page.get_by_label("Compare").get_by_text("First opinion").wait_for()
    until(lambda: page.locator(".card").count() == len(verdicts(page, study)))
    bar = page.locator(".bar.patient")
    until(lambda: "AI shown" in bar.inner_text())
    shot(page, "compare")
    wide = page.viewport_size
    page.set_viewport_size({"width": 390, "height": 844})
    page.keyboard.press("Shift+B")
    row = page.locator(".tools.hand")
    row.get_by_role("combobox", name="region").wait_for()
    assert row.evaluate("one => one.scrollWidth <= one.clientWidth"), "a telephone shows the whole row of a tool"
    shot(page, "tool-in-hand-phone")
    assert page.locator(".viewport").first.bounding_box()["height"] > 300, "and an image that can be read"
    lettered = page.locator(".viewport .side:not(:empty)").first
    assert lettered.evaluate("one => getComputedStyle(one).backgroundColor") != "rgba(0, 0, 0, 0)", "sides, on bone too"
    page.keyboard.press("Escape")
    page.set_viewport_size(wide)

    page.keyboard.press("Control+Enter")
    blocked = page.get_by_role("dialog", name="Sign").get_by_role("button", name="Sign as")
    if "undecided" in verdicts(page, study):
        assert blocked.is_disabled()
    page.keyboard.press("Escape")
    undecided = page.locator(".card.undecided")
    while (left := undecided.count()) > 0:
        card = page.locator(f".card[aria-label={json.dumps(undecided.first.get_attribute('aria-label'))}]")
        for _ in range(page.locator(".card").count() + 1):
            if "active" in (card.get_attribute("class") or ""):
                break
            page.keyboard.press("j")
        page.keyboard.press("Enter")
        until(lambda card=card: card.get_by_role("button", name="Keep").get_attribute("aria-disabled") == "false")
        page.keyboard.press("y")
        until(lambda left=left: undecided.count() < left)  # on the page: the server knows it before
    until(lambda: "undecided" not in verdicts(page, study))

    def changed() -> int:  # as the dialog says, and as the sealed report will
        page.keyboard.press("Control+Enter")
        words = page.get_by_role("dialog", name="Sign").locator("dt:has-text('Changed after AI') + dd").inner_text()
        page.keyboard.press("Escape")
        page.get_by_role("dialog", name="Sign").wait_for(state="detached")
        return 0 if words.startswith("nothing") else int(words.split()[0])

    before = changed()
    page.keyboard.press("f")
    page.keyboard.type("A scar, seen late")
    page.keyboard.press("Enter")
    until(lambda: verdicts(page, study).count("added") == 2)
    page.locator(".card").get_by_text("A scar, seen late").wait_for()
    assert changed() == before + 1

    page.keyboard.press("Control+Enter")
    page.get_by_role("dialog", name="Sign").wait_for()
    shot(page, "sign-after-opinion")
    page.keyboard.press("Control+Enter")
    until(lambda: reading(page, study)["state"] == "signed")
    page.get_by_role("heading", name="Signed by").wait_for()
    told = page.request.get(f"/api/readings/{study}/report").json()
    templates = ("Radiograph of the chest", "Any study")  # by what is on top of the list, which other tests change
    assert told["how"][0].startswith(tuple(f"Built by the template '{one}'" for one in templates))
    assert any(line.startswith("First opinion of admin locked") for line in told["how"])
    assert page.evaluate("globalThis.clicked") is None, "by keyboard alone"
    took = site.seconds + time.monotonic() - begun
    assert took < EIGHT_MINUTES, f"{took:.0f} s from an empty disk"
    page.goto(f"/report/{study}")
    page.locator(".paper").get_by_text("DEMO, of no patient").wait_for()  # on paper, too, it is nobody's report
    page.set_viewport_size({"width": 390, "height": 844})
    for said in page.locator(".paper .identity dd").all():
        place = said.bounding_box()
        assert place["x"] + place["width"] <= 390, "whose report it is stands whole on a telephone"
    shot(page, "report-phone")
    page.goto("/models")
    cell = page.locator("main table.plain tbody td").nth(1)
    until(lambda: cell.get_attribute("data-column") == "What it does")
    assert cell.evaluate("one => getComputedStyle(one, '::before').content").startswith('"What it does')
    assert page.evaluate("(one => one.scrollWidth <= one.clientWidth)(document.querySelector('main'))"), (
        "no column beside"
    )
    shot(page, "models-phone")


def test_keep_sleeps_at_the_server_too_and_one_key_undoes_one_act(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("PET/CT")
    read(page, study)
    until(lambda: reading(page, study)["by"])
    if not reading(page, study)["opinion"]["locked"]:
        page.keyboard.press("0")
    until(lambda: verdicts(page, study))
    here = page.url.split("/study")[0]
    results = page.request.get(f"/api/studies/{study}/results").json()["results"]
    result, finding = next((r, f) for r in results for f in reversed(r["findings"]) if f["verdict"] == "undecided")
    keep = {"version": reading(page, study)["version"], "tracking": finding["tracking"], "result": result["id"],
            "verdict": "kept"}  # fmt: skip
    refused = page.request.post(f"/api/readings/{study}/correct", data=keep, headers={"Origin": here})
    assert refused.status == 409
    assert "before its evidence was on screen" in refused.text()

    before, open_before = verdicts(page, study), page.locator(".card.undecided").count()
    card = page.locator(".card.undecided").last
    card.locator("header").click()
    page.keyboard.press("x")
    page.get_by_role("form", name="Strike, because").wait_for()
    page.keyboard.press("2")
    # A lesion is answered once: volumetry, uptake and radiomics measured it, and each of their results is struck.
    until(lambda: verdicts(page, study).count("struck") >= before.count("struck") + 3)
    until(lambda: page.locator(".card.undecided").count() == open_before - 1)
    shot(page, "struck")
    page.keyboard.press("Control+Z")
    until(lambda: verdicts(page, study) == before)
    page.get_by_text("Undone: struck").wait_for()
