"""The twin study in a browser: same images, one with a finding that cannot wait and one without.

Until the first opinion is locked no request, no answer, no title and no page tells which is which.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, lit, until
from own_archive import own_archive
from stage_phantoms import body, stack
from test_browser_every_screen import arrived, asked_of

from isocenter.record import (
    Event,
    Finding,
    Kind,
    Measurement,
    Origin,
    Outcome,
    Receipt,
    Result,
    Urgency,
    canonical,
    codes,
)
from isocenter.site.verbs import Site as Archive
from isocenter.site.volumes import volumes_of
from isocenter.space import Region, Shape

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WORDS = "A lesion of 24 mm"
FILES = stack(body(), "Twin", "CT")


def answered(finds: bool) -> Callable[[Archive], None]:
    """A machine looked: it found what cannot wait, or nothing."""

    def put(archive: Archive) -> None:
        study = archive.index.study(archive.index.studies()[0].uid)
        (series,) = study.series
        grid = volumes_of(series, archive.blobs.get)[0].geometry
        where = Region(grid, Shape.MASK, np.asarray(body() == 60), series_uid=series.uid, label="lesion")
        size = Measurement(codes.LONG_AXIS, 24.0, "mm", 23.0, 25.0)
        lesion = Finding(codes.LESION, 0.97, where, (size,), words=WORDS, tracking="2.25.4711")
        made = Result(
            study.uid, Outcome.FOUND if finds else Outcome.NONE, Origin("machine", "image_quality", "1"),
            archive.clock(), findings=(lesion,) if finds else (), receipt=Receipt(series=(series.uid,)),
            urgency=Urgency.NOW if finds else Urgency.ROUTINE,
        )  # fmt: skip
        digest = archive.blobs.put(canonical(made))
        archive.journal.append(Event(Kind.RESULT_MADE, archive.clock(), "isocenter", study.uid, {"result": digest}))

    return put


TOLD_APART = (  # ids and times: they would differ between two archives without a machine, too
    r"\b[0-9a-f]{16,64}\b",
    r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d(:\d\d)?(\.\d+)?(Z|\+00:00)?",
    r"\b\d\d:\d\d(:\d\d)?\b",
    r'"version": ?("[^"]*"|\d+)',
    r"127\.0\.0\.1:\d+",
    r"blob:[^\"']+",
)


def answer_of(one: Any) -> tuple[int, str]:
    """What was answered, without how many seconds a study waits."""
    told = one.json()
    listed = (told.get("list") or told) if isinstance(told, dict) else {}
    if "/begin" in one.url or "/worklist?" in one.url:
        for row in listed.get("rows", ()):
            row[listed["columns"].index("waits_s")] = 0
    return one.status, plain(json.dumps(told))


def plain(text: str) -> str:
    for one in TOLD_APART:
        text = re.sub(one, "_", text)
    return text


def seen(browser: Any, site: Site) -> dict[str, Any]:
    """What a reader's browser asks, is told and shows on a walk through every page about one study."""
    context = browser.new_context(
        base_url=site.address, storage_state=site.state, viewport={"width": 1440, "height": 900}
    )
    context.set_default_timeout(20_000)
    page = context.new_page()
    told: dict[str, Any] = {}
    answers: list[Any] = []
    page.on("response", lambda one: answers.append(one) if "/events" not in one.url else None)
    asked = asked_of(page)

    def keep(name: str) -> None:
        # In which stretches images come depends on how fast they are drawn, and on no machine.
        mine = [one for one in answers if re.search("/(api|dicom-web)/", one.url) and "/slab?" not in one.url]
        told[name, "asked"] = sorted({plain(f"{one.request.method} {one.url}") for one in mine})
        told[name, "answered"] = {
            plain(one.url): answer_of(one) for one in mine if "json" in one.headers.get("content-type", "")
        }
        told[name, "title"] = page.title()
        told[name, "page"] = plain(page.evaluate("document.body.innerText"))
        told[name, "markup"] = plain(
            page.evaluate(
                """() => {
                  const copy = document.body.cloneNode(true);
                  for (const one of copy.querySelectorAll('svg, canvas, img')) one.replaceChildren();
                  return copy.innerHTML.replace(/ style="[^"]*"/g, '');
                }"""
            )
        )
        answers.clear()

    page.goto("/worklist")
    row = page.locator("tbody tr:not([aria-hidden])").first
    row.wait_for()
    page.keyboard.press("j")
    page.keyboard.press("Space")
    page.get_by_role("complementary", name="Preview").get_by_text("Open with").wait_for()
    arrived(page, "/worklist", asked)
    until(lambda: page.get_by_text("is being counted").count() == 0)  # the effect is asked for when the rows are there
    study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    keep("worklist")
    for path in (f"/study/{study}", f"/study/{study}/why", f"/report/{study}", f"/patients/{study}", "/analyses",
                 f"/study/{study}?finding=2.25.4711"):  # fmt: skip
        page.goto(path)
        arrived(page, path.partition("?")[0], asked)
        if re.match(r"/study/[\d.]+", path) and not path.endswith("why"):
            page.get_by_role("heading", name="First opinion").wait_for()
            page.get_by_text("You read").wait_for()
            page.get_by_text("Not looked:").wait_for()
            until(lambda: lit(page) > 0.02 and page.get_by_text("being sent").count() == 0 and not asked)
        keep(path)
    page.goto(f"/study/{study}")
    page.get_by_label("In one line").wait_for()
    page.keyboard.press("0")
    page.get_by_role("heading", name="Findings").first.wait_for()
    panel = lambda: page.locator("aside").first.inner_text().replace("\u00a0", " ")  # noqa: E731
    until(lambda: WORDS in panel() or "No finding on this study" in panel())
    told["after"] = panel()
    context.close()
    return told


def test_no_page_tells_of_a_finding_before_the_first_opinion(browser: Any, tmp_path: Path) -> None:
    with own_archive(browser, tmp_path / "one", FILES, answered(True)) as site:
        one = seen(browser, site)
    with own_archive(browser, tmp_path / "other", FILES, answered(False)) as site:
        other = seen(browser, site)
    assert WORDS in one.pop("after") and WORDS not in other.pop("after"), "they are told apart once it is locked"
    assert len(one) == 7 * 5 and one.keys() == other.keys()
    assert sum(len(told) for (_, what), told in one.items() if what == "answered") > 15, "what is compared is an answer"
    assert {name for name in one if one[name] != other[name]} == set(), {
        name: (one[name], other[name]) for name in one if one[name] != other[name]
    }
