"""What becomes of the images when graphics fail: they are drawn again as they hung."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, lit, until
from own_archive import own_archive

from isocenter.testing.phantoms.patient import Person, new, put_pixels, written

pytestmark = pytest.mark.browser

IMAGES, EDGE = 16, 160
NAMES = ("first",)


def series(name: str, number: int) -> Iterator[bytes]:
    person = Person("ISO-TROUBLE", "PHANTOM^TROUBLE", "O", "19700101", 1.7, 70.0)
    grey = np.random.default_rng(number).integers(1000, 1400, (EDGE, EDGE), dtype=np.uint16)
    ds = new("trouble", person, seed=1, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Trouble",
             series=name, at=datetime(2026, 11, 1, 9), series_number=number, body_part="CHEST")  # fmt: skip
    ds.FrameOfReferenceUID, ds.PixelSpacing = f"1.2.3.{number}", [2.0, 2.0]
    ds.ImageOrientationPatient, ds.SliceThickness = [1, 0, 0, 0, 1, 0], 4.0
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, -1024, 40, 400
    for k in range(IMAGES):
        ds.ImagePositionPatient = [-160.0, -160.0, 4.0 * k]
        put_pixels(ds, np.roll(grey, k * 7, axis=0), bits=16)
        yield written(ds, k + 1)


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = [file for number, name in enumerate(NAMES, 1) for file in series(name, number)]
    with own_archive(browser, tmp_path_factory.mktemp("trouble"), files) as there:
        yield there


@pytest.fixture
def study(page: Any, site: Site) -> str:
    return str(page.request.get("/api/worklist?limit=1").json()["rows"][0]["study"])


CONTEXTS = """
const get = HTMLCanvasElement.prototype.getContext;
window.drawing = new Set();
HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
  const made = get.call(this, kind, ...rest);
  if (kind === 'webgl2' && made) window.drawing.add(made);
  return made;
};
"""
LOSE = """() => {
  const alive = [...window.drawing].filter(one => !one.isContextLost());
  for (const one of alive) one.getExtension('WEBGL_lose_context').loseContext();
  return alive.length;
}"""


def test_a_lost_graphics_context_costs_nothing_but_a_moment(page: Any, study: str) -> None:
    page.add_init_script(CONTEXTS)
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").wait_for()
    until(lambda: lit(page) > 0.02)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.locator(".corner.tr", has_text=f"10/{IMAGES}").wait_for()
    page.keyboard.press("Shift+L")
    views = page.locator(".stage > .viewport")
    until(lambda: views.count() == 4 and all(lit(page, n) > 0.02 for n in range(4)))
    until(lambda: "images" not in " ".join(page.locator(".corner.br").all_inner_texts()))
    words = lambda: page.locator(".corner.tr, .corner.bl").all_inner_texts()  # noqa: E731
    places = lambda: [one.get_attribute("data-viewport") for one in views.all()]  # noqa: E731
    hung, before = words(), places()
    for _ in range(2):  # a driver that fails once fails again
        assert page.evaluate(LOSE) >= 1, "there is a context to lose"
        until(lambda old=frozenset(before): views.count() == 4 and all(places()) and not old & set(places()))
        until(lambda: all(lit(page, n) > 0.02 for n in range(4)))
        until(lambda: words() == hung)
        before = places()
    page.keyboard.press("ArrowDown")
    page.locator(".corner.tr", has_text=f"11/{IMAGES}").first.wait_for()
