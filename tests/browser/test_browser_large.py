"""Series of thousands of images, a hundred segments, and a study of which most has not come yet."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from browser_eyes import FLAGS, Site, lit, shot, until
from large_phantoms import segmented, series
from own_archive import own_archive

pytestmark = [pytest.mark.browser, pytest.mark.slow]

LONG, HEAP_MB = 2500, 1000


@pytest.fixture(scope="module")
def browser(playwright: Any, chromium: str) -> Iterator[Any]:
    """A browser that says how much memory it has taken, and not only about how much."""
    running = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, "--enable-precise-memory-info"])
    yield running
    running.close()


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = [*series("long", LONG, 64, 1, study="Long"), *series("segments", 174, 512, 2, study="Segments")]
    with own_archive(browser, tmp_path_factory.mktemp("large"), files, segmented("Segments")) as there:
        files.clear()
        yield there


def study_of(page: Any, words: str) -> str:
    rows = page.request.get("/api/worklist?limit=5").json()["rows"]
    return str(next(row["study"] for row in rows if row["description"] == words))


def test_a_series_of_2500_images_opens_before_it_is_all_here_and_is_walked_to_its_ends(page: Any) -> None:
    study = study_of(page, "Long")
    asked: list[Any] = []  # the first stretch comes at once; what follows is held back, as on a line that is slow
    slow = True

    def stretch(route: Any) -> None:
        asked.append(route)
        if len(asked) == 1 or not slow:
            route.continue_()

    page.route("**/slab?*", stretch)
    page.goto(f"/study/{study}")
    corner = page.locator(".corner.tr").first
    corner.wait_for()
    until(lambda: lit(page) > 0.02 and corner.inner_text() == f"{LONG // 2}/{LONG}", 60)
    until(lambda: len(asked) >= 2)
    shot(page, "large-first-paint")
    slow = False
    for route in asked[1:]:
        route.continue_()
    for key, number in (("End", LONG), ("Home", 1), ("PageDown", 11), ("ArrowDown", 12)):
        page.keyboard.press(key)
        until(lambda number=number: corner.inner_text() == f"{number}/{LONG}" and lit(page) > 0.02, 60)


OLDER = """
delete window.Worker;
const own = ReadableStream.prototype.getReader;
ReadableStream.prototype.getReader = function (how) {
  if (how?.mode) throw new TypeError('this is no stream of bytes');
  return own.call(this);
};
"""
BREAKS = "window.Worker = class extends EventTarget { postMessage() { this.dispatchEvent(new Event('error')); } };"


@pytest.mark.parametrize("lacking", [OLDER, BREAKS], ids=["no worker and no stream of bytes", "a worker that breaks"])
def test_a_browser_that_cannot_read_beside_the_page_reads_within_it(page: Any, lacking: str) -> None:
    page.add_init_script(lacking)
    page.goto(f"/study/{study_of(page, 'Segments')}")
    page.locator(".corner.tr").first.wait_for()
    assert not page.evaluate("window.Worker?.toString().includes('native') ?? false"), "the page has what it lacks"
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".stage > .viewport").count() == 4 and all(lit(page, n) > 0.02 for n in range(4)), 120)
    until(lambda: "reduced" not in " ".join(page.locator(".corner.br").all_inner_texts()), 120)


LINKED = """
  [window.linked, window.copied] = [0, []];
  const link = WebGL2RenderingContext.prototype.linkProgram;
  WebGL2RenderingContext.prototype.linkProgram = function (program) {
    window.linked += 1;
    return link.call(this, program);
  };
  const copy = CanvasRenderingContext2D.prototype.drawImage;
  CanvasRenderingContext2D.prototype.drawImage = function (...given) {
    const shown = this.canvas.closest('[data-plane]');
    if (shown) window.copied.push([JSON.parse(shown.dataset.plane).normal.map(Math.round).join(), window.linked]);
    return copy.apply(this, given);
  };
  const later = window.setTimeout; // planes wait for their images as long as a test lets them
  window.setTimeout = (done, after, ...given) => later(done, after >= 600 ? 60_000 : after, ...given);
"""


def test_a_hundred_segments_on_a_volume_stay_under_a_gigabyte(page: Any) -> None:
    """And the programs of its planes are made while images still come: none between the first plane and the last."""
    page.add_init_script(LINKED)
    study = study_of(page, "Segments")
    assert page.request.get(f"/api/studies/{study}/results", timeout=120_000).ok  # read once: a busy machine takes long
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").first.wait_for()
    drawn = "document.querySelectorAll('.sections g[data-finding]').length"
    until(lambda: page.evaluate(drawn), 120)
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".stage > .viewport").count() == 4 and all(lit(page, n) > 0.02 for n in range(4)), 120)
    until(lambda: "reduced" not in " ".join(page.locator(".corner.br").all_inner_texts()), 120)
    until(lambda: page.evaluate(drawn) > 20, 120)
    copied = page.evaluate("window.copied")
    slice_ = copied[0][1]  # a slice may be drawn again at its new size before the first plane, with programs of its own
    assert {linked for _, linked in copied} == {slice_, slice_ + 3}
    assert len({normal for normal, linked in copied if linked == slice_ + 3}) == 3, "each of the planes"
    assert page.locator(".card").count() == 100
    shot(page, "large-segments")
    taken = float(page.evaluate("performance.memory.usedJSHeapSize / 1e6"))
    print(f"heap with three planes of 512 x 512 x 174 and 100 segments: {taken:.0f} MB")
    assert 20 < taken < HEAP_MB
