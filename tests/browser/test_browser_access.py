"""Every page through axe-core, and through the eyes of who enlarges, forces colours or has no mouse."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from browser_eyes import faults, lock, parts_alone, read, shot

pytestmark = pytest.mark.browser


def _wearing(told: dict[str, Any], theme: str) -> dict[str, Any]:
    return {**told, "settings": {**told["settings"], "theme": theme}}


def _in_both_themes(page: Any, axe: str) -> list[str]:
    """What axe-core finds wrong with the page as it stands, in either theme."""
    found = []
    for theme in ("light", "dark"):
        page.evaluate("theme => { document.documentElement.dataset.theme = theme; }", theme)
        found += [f"{theme}: {fault}" for fault in faults(page, axe)]
    return found


@pytest.mark.parametrize("theme", ["dark", pytest.param("light", marks=pytest.mark.slow)])
@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/worklist", "tbody tr"),
        ("/analyses", ".catalogue li"),
        ("/sign-in", "form"),
        ("/nowhere", "main h2"),
        ("/settings", "fieldset"),
    ],
)
def test_pages_without_fault(page: Any, axe: str, path: str, there: str, theme: str) -> None:
    told = page.request.get("/api/settings/me").json()
    parts_alone(page, _wearing(told, theme))
    page.goto(path)
    page.locator(there).first.wait_for()
    assert faults(page, axe) == []


def test_a_number_of_a_patient_is_no_address(page: Any) -> None:
    """It was asked of the server, whose refusal of the form was shown as it is."""
    for path in ("/patients/ISO-DEMO-6", "/study/ISO-DEMO-6", "/report"):
        page.goto(path)
        page.get_by_role("heading", name="No such page").first.wait_for()


@pytest.mark.parametrize("words", ["PET/CT", pytest.param("Cardiac MR", marks=pytest.mark.slow)])
def test_the_reading_room_without_fault(page: Any, axe: str, studies: Callable[[str], str], words: str) -> None:
    read(page, studies(words))
    page.get_by_text("Not looked:").wait_for()
    why = page.locator(".answers", has_text="Not looked:").inner_text()
    assert ", because " in why and ", because needs" not in why, "a reason reads as a sentence"
    assert _in_both_themes(page, axe) == []
    page.keyboard.press("f")
    page.get_by_label("Your finding").wait_for()
    assert _in_both_themes(page, axe) == []


def test_the_report_and_the_key_sheet_without_fault(page: Any, axe: str, studies: Callable[[str], str]) -> None:
    page.goto(f"/report/{studies('PET/CT')}")
    page.locator(".paper .identity").wait_for()
    assert _in_both_themes(page, axe) == []
    shot(page, "report-draft")
    page.keyboard.press("?")
    page.get_by_role("dialog").wait_for()
    assert _in_both_themes(page, axe) == []


def test_forced_colours_keep_the_marks(page: Any) -> None:
    page.emulate_media(forced_colors="active")
    page.goto("/worklist")
    page.locator("tbody tr").first.wait_for()
    assert any(page.locator("tbody td:first-child").all_inner_texts())
    shot(page, "worklist-forced-colours")


@pytest.mark.slow
def test_forced_colours_keep_who_said_it(page: Any, studies: Callable[[str], str]) -> None:
    """Without colours of ours a machine stays a dashed line and a diamond, a person a disc."""
    page.emulate_media(forced_colors="active")
    lock(page, studies("PET/CT"))
    card = page.locator(".card").first
    card.wait_for()
    assert "◇" in card.inner_text() or "●" in card.inner_text()
    assert "●" in page.get_by_label("Compare").inner_text()
    edges = page.locator(".card").evaluate_all(
        "all => all.map(one => [one.classList.contains('machine'), getComputedStyle(one).borderLeftStyle])"
    )
    assert edges and all((style == "dashed") == machine for machine, style in edges), edges
    shot(page, "room-forced-colours")


def test_f6_goes_round_the_regions(page: Any, studies: Callable[[str], str]) -> None:
    read(page, studies("Chest radiograph"))
    labels = []
    for _ in range(6):
        page.keyboard.press("F6")
        labels.append(page.evaluate("document.activeElement.getAttribute('aria-label')"))
    assert {"Patient", "Image tools", "Images", "Series", "Findings and report"} <= set(labels)
