"""A lesion through the studies, two at a time, by keys alone."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from browser_eyes import lit, shot, until
from own_archive import own_archive
from stage_phantoms import BEFORE, TODAY, body, stack

from department_for_oversight import keep
from isocenter.record import Event, Finding, Kind, Measurement, Origin, Outcome, Receipt, Result, codes
from isocenter.site.verbs import Site
from isocenter.space import Geometry, Region, Shape

pytestmark = pytest.mark.browser

_FIRST = BEFORE.replace(year=BEFORE.year - 1)


@pytest.mark.slow
def test_one_lesion_stands_in_two_studies_side_by_side(browser: Any, tmp_path: Path) -> None:
    files = [
        *stack(body(hu=20.0)[:6], "Stage chest CT", "first", at=_FIRST),
        *stack(body(hu=300.0)[:6], "Stage chest CT", "before", at=BEFORE),
        *stack(body()[:6], "Stage chest CT", "today", at=TODAY),
    ]
    with own_archive(browser, tmp_path, files, _with_lesions) as site:
        context = browser.new_context(base_url=site.address, storage_state=site.state)
        page = context.new_page()
        rows = page.request.get("/api/worklist?limit=20").json()["rows"]
        page.goto(f"/study/{max(rows, key=lambda row: row['date'])['study']}")
        until(lambda: lit(page) > 0.02)
        page.get_by_label("In one line").wait_for()
        page.keyboard.press("Alt+ArrowLeft")  # before one's own opinion: what is signed, and nothing of a machine's
        page.get_by_text(f"{_FIRST:%Y-%m-%d} beside {BEFORE:%Y-%m-%d}, 1 of 1").wait_for()
        page.keyboard.press("0")
        page.locator(".card").wait_for()
        was = re.compile(rf"was 12(\.0)?\s?mm on {BEFORE:%Y-%m-%d}, 0(\.0)?\s?% in [0-9]+\s?d")
        until(lambda: was.search(page.locator(".card").inner_text()))
        page.keyboard.press("Alt+ArrowLeft")
        told = lambda: page.locator(".corner.br").last.inner_text()  # noqa: E731
        heads = lambda: page.locator(".corner.tl").all_inner_texts()  # noqa: E731
        until(lambda: f"{BEFORE:%Y-%m-%d} beside {TODAY:%Y-%m-%d}, 2 of 2" in told())
        until(lambda: len(heads()) == 2 and f"PRIOR {BEFORE:%Y-%m-%d}" in heads()[0] and "PRIOR" not in heads()[1])
        until(lambda: [text.split("/")[0] for text in page.locator(".corner.tr").all_inner_texts()] == ["5", "3"])
        shot(page, "room-lesion-steps")
        page.keyboard.press("Alt+ArrowLeft")
        until(lambda: f"{_FIRST:%Y-%m-%d} beside {BEFORE:%Y-%m-%d}, 1 of 2" in told())
        until(lambda: f"PRIOR {_FIRST:%Y-%m-%d}" in heads()[0] and f"PRIOR {BEFORE:%Y-%m-%d}" in heads()[1])
        page.keyboard.press("Alt+ArrowLeft")
        page.keyboard.press("Alt+ArrowRight")
        until(lambda: f"{BEFORE:%Y-%m-%d} beside {TODAY:%Y-%m-%d}, 2 of 2" in told())
        context.close()


def _with_lesions(site: Site) -> None:
    """One lesion in three studies: on the fifth image of the two earlier ones, on the third of today's."""
    now = datetime(2026, 3, 2, tzinfo=UTC)
    for study in site.index.studies({}, limit=10):
        (series,) = site.index.study(study.uid).series
        images = sorted(series.instances, key=lambda one: one.number or 0)
        at = images[2 if "today" in series.description else 4]
        size = Measurement(codes.LONG_AXIS, 12.0, "mm")
        grid = Geometry.regular(shape=(6, 8, 8), spacing_mm=(1.0, 1.0, 1.0))
        where = Region(grid, Shape.POINT, points_mm=np.zeros((1, 3)), series_uid=series.uid, instance_uid=at.sop_uid)
        finding = Finding(codes.LESION, 0.9, where, (size,), codes.LUNG, codes.LEFT, "A lesion.", "2.25.771")
        receipt = Receipt(series=(series.uid,))
        result = Result(
            study.uid, Outcome.FOUND, Origin("machine", "lung_nodule", "1"), now, findings=(finding,), receipt=receipt
        )
        keep(site, result, "isocenter", now)
        if "today" not in series.description:
            site.journal.append(Event(Kind.READING_OPENED, now, "ito", study.uid, {"by": "ito"}))
            site.journal.append(Event(Kind.REPORT_SIGNED, now, "ito", study.uid, {"report": "0" * 64}))
