"""A number of the sealed test opens the test cases behind it, and each of them opens in the reading room."""

from __future__ import annotations

import io
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, faults
from own_archive import own_archive
from PIL import Image

from isocenter.dicom.wrap import wrap_image
from isocenter.govern.policy import Person, Role
from isocenter.learn.answers import answers_of
from isocenter.learn.judge_classes import class_figures
from isocenter.learn.sealed import measured, of_groups
from isocenter.learn.tested import counted, kept
from isocenter.record import Event, Kind
from isocenter.site.verbs import Site as Archive

pytestmark = [pytest.mark.browser, pytest.mark.slow]

MODEL, HERE, CASES = "chest_xray_opacity", 6, 60
NOW = datetime(2026, 11, 20, 9, tzinfo=UTC)
WHO = Person("admin", Role.ADMIN)


def films() -> list[bytes]:
    """Six films of six people, a patch each in another place."""
    made = []
    for n in range(HERE):
        grey = np.random.default_rng(n).integers(60, 120, (64, 64), dtype=np.uint8)
        grey[8 * n : 8 * n + 12, 20:40] = 230
        held = io.BytesIO()
        Image.fromarray(grey).save(held, "PNG")
        named = {"modality": "DX", "body_part": "CHEST", "view": "PA", "patient_id": f"T{n}"}
        made.append(wrap_image(held.getvalue(), f"{n}.png", NOW, **named))
    return made


def measure(site: Archive) -> None:
    """Five of the six films are signed; all are cases of a sealed test of 60, of which 2, 4 and 30 are missed."""
    images = [s.series[0].instances[0].digest for s in map(site.index.study, _studies(site))]
    for study in _studies(site)[: HERE - 1]:
        site.journal.append(Event(Kind.READING_OPENED, NOW, "admin", study, {"by": "admin"}))
        site.journal.append(Event(Kind.REPORT_SIGNED, NOW, "admin", study, {"report": "0" * 64, "calls": []}))
    model = site.gating.model(MODEL)
    label = np.arange(CASES) % 2 == 0
    score = np.where(label, 0.95, 0.04)
    score[[2, 4, 30]] = 0.3, 0.1, 0.2
    score[[1, 33]] = 0.9, 0.8
    rows = [
        {"name": f"{n}", "label": int(y), "certainty": float(s), "declined": n == 8}
        for n, (y, s) in enumerate(zip(label, score, strict=True))
    ]
    answers = answers_of(model, rows)
    sex = {"sex": np.where(np.arange(CASES) % 4 < 2, "F", "M").astype(np.str_)}
    lines = kept(model, rows, answers, images + [f"{n:064x}" for n in range(CASES - HERE)], sex)
    inputs = {"classes": ["NORMAL", "PNEUMONIA"], "positive": 1, "threshold": model.inputs["threshold"]}
    certainty = np.stack([1 - score, score], 1)
    shown = class_figures(label.astype(np.int64), np.log(certainty), certainty, np.zeros(CASES, bool), inputs)
    said: dict[str, Any] = {"reason": "the autumn's test", "who": WHO}
    site.gating.declare(MODEL, {"may_change": ["weights"], "impact": "earlier reads"}, **said)
    site.gating.seal(MODEL, "5ea1" * 16, **said)
    site.gating.look(MODEL, "5ea1" * 16, **said)
    figures = measured(answers, None, sex, least_events=10)
    figures |= {k: shown[k] for k in ("metrics", "calibration")}
    figures |= {"subgroups": of_groups(answers, sex), "errors": counted(lines)}
    site.gating.judged(MODEL, figures, lines, **said)


def _studies(site: Archive) -> list[str]:
    return [site.index.studies({"PatientID": f"T{n}"})[0].uid for n in range(HERE)]


@pytest.fixture(scope="module")
def there(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_archive(browser, tmp_path_factory.mktemp("tested"), films(), measure) as site:
        yield site


@pytest.mark.parametrize("theme", ["dark", "light"])
def test_each_number_of_the_sealed_test_opens_its_cases_and_a_key_opens_one_in_the_room(
    browser: Any, there: Site, axe: str, theme: Any
) -> None:
    context = browser.new_context(base_url=there.address, storage_state=there.state)
    page = context.new_page()
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(f"/models/{MODEL}/evidence")
    page.get_by_role("link", name="3: Missed").wait_for()
    if (other := page.get_by_role("button", name=theme.capitalize(), exact=True)).count():  # it names the other one
        other.click()
        page.get_by_role("button", name={"dark": "Light", "light": "Dark"}[theme], exact=True).wait_for()
    assert not any("/cases" in url for url in asked), "without a press nobody has looked at single cases"
    assert faults(page, axe) == []
    page.get_by_role("link", name="3: Missed").click()
    page.get_by_text("3 test cases; 1 of them is not listed").wait_for()
    rows = page.get_by_role("table", name="Cases that can be opened").locator("tbody tr")
    assert [r.locator("td").nth(3).inner_text() for r in rows.all()] == ["0.100", "0.300"], "the surest error first"
    assert page.url.endswith("?of=missed")
    numbers = page.locator(".tested td.num a").all()
    for link in numbers:
        n = int(link.inner_text())
        link.click()
        page.get_by_role("status").filter(has_text=f"{n} test case").wait_for()
    assert len(numbers) == 4 + 4 + 7, "errors, n and events of two groups, filled bins"
    page.go_back()
    page.reload()
    assert faults(page, axe) == []
    page.goto(f"/models/{MODEL}/evidence?of=missed")
    page.get_by_text("3 test cases").wait_for()
    page.keyboard.press("j")
    study = rows.nth(1).locator("a").get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{study}")
    page.goto(f"/models/{MODEL}/evidence")
    page.get_by_text("Single cases of the set were opened 1 time").wait_for()  # within five minutes, of one person
    context.close()
