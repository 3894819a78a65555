"""The report under a reader's hands: template, text blocks by one key, doubts underlined in place, and the way back."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import lit, lock, shot, until

pytestmark = pytest.mark.browser


def report(page: Any, study: str) -> dict[str, Any]:
    told: dict[str, Any] = page.request.get(f"/api/readings/{study}/report").json()
    return told


@pytest.mark.slow
def test_words_by_template_and_block_and_what_is_doubted(page: Any, studies: Callable[[str], str]) -> None:
    study = studies("PET/CT")
    block = {"name": "eff", "text": "No effusion of the [side] side.\nPleura read to the [last] image."}
    page.goto("/settings")
    form = page.get_by_role("form", name="Add a text block")
    form.get_by_label("Name").fill(block["name"])
    form.get_by_label("Text").fill(block["text"])
    form.get_by_role("button", name="Add the block").click()
    page.locator(".block-text").first.wait_for()
    lock(page, study)
    page.get_by_label("Template").select_option("CT of the chest")
    until(lambda: report(page, study)["template"]["name"] == "ct_chest")

    field = page.get_by_label("Add a sentence to Pleura")
    field.press_sequentially("eff")
    page.keyboard.press("Control+E")
    chosen = "e => e.value.slice(e.selectionStart, e.selectionEnd)"
    assert field.evaluate(chosen) == "[side]", "the block stands for its name, and its first blank is chosen"
    page.keyboard.type("left")
    page.keyboard.press("Control+E")
    assert field.evaluate(chosen) == "[last]"
    page.keyboard.press("Enter")
    mine = lambda: [s["text"] for s in report(page, study)["sentences"] if s["heading"] == "Pleura"]  # noqa: E731
    until(lambda: mine()[-2:] == ["No effusion of the left side.", "Pleura read to the [last] image."])
    blank = page.locator(".mirror mark", has_text="[last]")
    blank.first.wait_for(state="attached")
    page.get_by_text("the blank [last] is not filled in").first.wait_for()

    tied = next(s for s in report(page, study)["sentences"] if s["section"] == "Findings" and s["findings"])
    line = page.locator(f'[data-sentence="{tied["id"]}"]')
    line.locator("textarea").fill("A lesion of 987 mm, as before.")
    mark = line.locator(".mirror mark")
    mark.wait_for(state="attached")
    assert mark.inner_text() == "987 mm"
    lies, text = mark.bounding_box(), line.locator("textarea").bounding_box()
    assert text["x"] < lies["x"] < text["x"] + text["width"] and text["y"] <= lies["y"] < text["y"] + text["height"]
    described = line.locator("textarea").get_attribute("aria-describedby")
    assert "987 mm is not what was measured" in page.locator(f'[id="{described}"]').inner_text()
    shot(page, "report-doubts")

    page.get_by_label("Add a sentence to Pleura").fill("Nodule of 985 mm [2]")
    page.keyboard.press("Enter")
    own = page.locator(".sentence[data-sentence^=own-]", has_text="985 mm").last  # one of an earlier try may be there
    own.locator("mark", has_text="985 mm").wait_for(state="attached")  # held against finding 2 alone
    page.get_by_label("Add a sentence to Mediastinum and hila").focus()
    unfinished = f"Unfinished {secrets.token_hex(4)}"
    page.keyboard.type(unfinished)
    page.reload()  # what stands in a field is sent as the page goes
    page.locator(".sentence[data-sentence^=own-]", has_text=unfinished).wait_for()
    own.locator("textarea").press("Enter")
    until(lambda: page.locator(".card.active").get_attribute("aria-label").startswith("Finding 2"))

    page.get_by_label("Add a sentence to Impression").focus()
    page.keyboard.press("Control+E")
    dialog = page.get_by_role("dialog", name="Text for Impression")
    dialog.get_by_role("option", name="eff").wait_for()
    shot(page, "report-blocks")
    page.keyboard.press("Escape")

    page.get_by_role("link", name="As it prints").first.click()
    page.get_by_role("heading", name="Pleura").wait_for()
    page.get_by_text("Built by the template 'CT of the chest', version 2.").wait_for()
    assert page.locator(".paper mark").first.inner_text() in ("987 mm", "[last]")
    shot(page, "report-by-template")
    page.locator(".paper p .ref").first.click()
    page.wait_for_url("**/study/**")
    page.locator(".card.active").wait_for()


def test_the_caret_goes_to_the_findings_then_where_one_wrote_and_escape_puts_the_pen_down(
    page: Any, studies: Callable[[str], str]
) -> None:
    lock(page, studies("Liver MR"))
    at = lambda: page.evaluate("document.activeElement.dataset?.section ?? ''")  # noqa: E731
    page.keyboard.press("r")
    until(lambda: at() == "Findings")
    page.get_by_label("Add a sentence to Impression").focus()
    page.keyboard.press("Escape")
    assert at() == "" and "/study/" in page.evaluate("location.pathname"), (
        "the first Escape leaves the field, not the study"
    )
    page.keyboard.press("r")
    until(lambda: at() == "Impression")
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    page.wait_for_url("**/worklist")


@pytest.mark.slow
def test_what_was_imaged_leads_to_its_images_and_a_comparison_to_the_study_beside(
    page: Any, studies: Callable[[str], str]
) -> None:
    rows = page.request.get("/api/worklist?limit=200").json()["rows"]
    known = {row["study"]: page.request.get(f"/api/studies/{row['study']}/priors").json()["priors"] for row in rows}
    study = next(uid for uid, priors in known.items() if any(one["date"] for one in priors))
    (earlier, *_) = (one for one in known[study] if one["date"])
    page.goto(f"/report/{study}")
    page.get_by_role("link", name="[images]").first.wait_for()
    shot(page, "report-leads")
    image = page.get_by_role("link", name="[images]").first.get_attribute("href")
    page.get_by_role("link", name=f"[beside {earlier['date']}]").first.click()
    until(lambda: page.locator(".viewport").count() >= 2)
    assert f"beside={earlier['study']}" in page.url
    shot(page, "report-led-beside")
    page.goto(image)
    place = f"image={image.partition('image=')[2]}"
    until(lambda: place in page.evaluate("location.href") and page.locator(".viewport").count())
    panel = page.locator("#report")
    until(lambda: lit(page) > 0.02)
    shown = lambda: page.locator(".corner.tr").first.inner_text()  # noqa: E731
    middle = shown()
    page.keyboard.press("PageDown")
    until(lambda: shown() != middle)
    panel.get_by_role("button", name="Show the [images]").first.click()
    until(lambda: shown() == middle)
    panel.get_by_role("button", name=f"Hang [beside {earlier['date']}]").click()
    until(lambda: any("PRIOR" in text for text in page.locator(".corner.tl").all_inner_texts()))
    page.goto(f"/report/{study}")
    page.get_by_role("link", name="[images]").first.wait_for()
