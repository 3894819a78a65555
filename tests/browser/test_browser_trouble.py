"""What becomes of the images when graphics fail (drawn again as they hung and lay) and on a slow line (sent small)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import numpy as np
import numpy.typing as npt
import pytest
from browser_eyes import Site, lit, until
from own_archive import own_archive
from test_browser_stage import picture

from isocenter.testing.phantoms.patient import Person, new, put_pixels, written

pytestmark = pytest.mark.browser

IMAGES, EDGE = 16, 160
SERIES = {"lost": "Trouble", "first": "Slow line", "second": "Slow line", "third": "Slow line"}


def series(name: str, number: int, study: str, *, at: datetime = datetime(2026, 11, 1, 9)) -> Iterator[bytes]:
    person = Person(f"ISO-{study.split()[0].upper()}", "PHANTOM^TROUBLE", "O", "19700101", 1.7, 70.0)
    grey = np.random.default_rng(number).integers(1000, 1400, (EDGE, EDGE), dtype=np.uint16)
    ds = new("trouble", person, seed=1, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study=study,
             series=name, at=at, series_number=number, body_part="CHEST")  # fmt: skip
    ds.FrameOfReferenceUID, ds.PixelSpacing = f"1.2.3.{number}", [2.0, 2.0]
    ds.ImageOrientationPatient, ds.SliceThickness = [1, 0, 0, 0, 1, 0], 4.0
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, -1024, 40, 400
    for k in range(IMAGES):
        ds.ImagePositionPatient = [-160.0, -160.0, 4.0 * k]
        put_pixels(ds, np.roll(grey, k * 7, axis=0), bits=16)
        yield written(ds, k + 1)


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = [file for number, (name, of) in enumerate(SERIES.items(), 1) for file in series(name, number, of)]
    files += series("before", 9, "Trouble before", at=datetime(2026, 4, 1, 9))
    with own_archive(browser, tmp_path_factory.mktemp("trouble"), files) as there:
        yield there


def study_of(page: Any, words: str) -> str:
    rows = page.request.get("/api/worklist?limit=9").json()["rows"]
    return str(next(row["study"] for row in rows if row["description"] == words))


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


PICTURES = "() => [...document.querySelectorAll('.viewport canvas.cornerstone-canvas')].map(one => one.toDataURL())"


def turned_and_moved(page: Any) -> None:
    """The stack zoomed, moved, mirrored and inverted; the axial plane zoomed, the two others tilted by it."""
    middle = lambda n: page.locator(".stage > .viewport .canvas").nth(n).bounding_box()  # noqa: E731
    for number in (0, 1):
        box = middle(number)
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        for key, way in (("z", (0, -60)), ("p", (30, 20))):
            page.keyboard.press(key)
            page.mouse.move(x, y)
            page.mouse.down()
            page.mouse.move(x + way[0], y + way[1], steps=3)
            page.mouse.up()
        for key in ("Shift+F", "i") if number == 0 else ("Shift+ArrowRight", "Shift+ArrowRight"):
            page.keyboard.press(key)
    until(lambda: sum("oblique" in one for one in page.locator(".corner.tl").all_inner_texts()) == 2)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def opened(page: Any) -> None:
    page.add_init_script(CONTEXTS)
    page.goto(f"/study/{study_of(page, 'Trouble')}")
    page.locator(".corner.tr").wait_for()
    until(lambda: lit(page) > 0.02)


@pytest.mark.slow
def test_a_lost_graphics_context_costs_nothing_but_a_moment(page: Any) -> None:
    opened(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.locator(".corner.tr", has_text=f"10/{IMAGES}").wait_for()
    page.keyboard.press("Shift+L")
    views = page.locator(".stage > .viewport")
    until(lambda: views.count() == 4 and all(lit(page, n) > 0.02 for n in range(4)))
    until(lambda: "images" not in " ".join(page.locator(".corner.br").all_inner_texts()))
    turned_and_moved(page)
    words = lambda: page.locator(".corner.tr, .corner.bl").all_inner_texts()  # noqa: E731
    pictures = lambda: page.evaluate(PICTURES)  # noqa: E731
    drawn = pictures()
    places = lambda: [one.get_attribute("data-viewport") for one in views.all()]  # noqa: E731
    hung, before = words(), places()
    for _ in range(2):  # a driver that fails once fails again
        assert page.evaluate(LOSE) >= 1, "there is a context to lose"
        until(lambda old=frozenset(before): views.count() == 4 and all(places()) and not old & set(places()))
        until(lambda: words() == hung)
        until(lambda: pictures() == drawn)
        before = places()
    page.keyboard.press("ArrowDown")
    page.locator(".corner.tr", has_text=f"11/{IMAGES}").first.wait_for()


PRIOR = "() => document.querySelector('.canvas.peek[data-there] canvas')?.toDataURL() ?? ''"


@pytest.mark.slow
def test_a_prior_that_is_held_over_comes_back_after_a_lost_context(page: Any) -> None:
    opened(page)
    today = page.evaluate(PICTURES)
    page.keyboard.down("q")
    until(lambda: page.evaluate(PRIOR))
    held: list[str] = ["", "still drawing"]

    def still() -> bool:
        held[:] = [held[1], page.evaluate(PRIOR)]
        return bool(held[0]) and held[0] == held[1]

    until(still)
    assert held[0] not in today
    assert f"/{IMAGES} at the same part of the stack" in page.locator(".corner.prior").inner_text()
    drawn = lambda: page.locator(".stage > .viewport").first.get_attribute("data-viewport")  # noqa: E731
    before = drawn()
    assert page.evaluate(LOSE) >= 1
    until(lambda: drawn() not in (None, before))
    until(lambda: page.evaluate(PRIOR) == held[0])
    page.keyboard.up("q")
    page.locator(".canvas.peek").wait_for(state="detached")
    until(lambda: page.evaluate(PICTURES) == today)


SAME = 16.0


def coarse(page: Any) -> npt.NDArray[np.float64]:
    """Greys of squares of 16 pixels: rays begin a little apart from each other, by chance, in each drawing context."""
    seen = picture(page).astype(float).mean(axis=-1)
    rows, columns = (n // 16 * 16 for n in seen.shape)
    return np.asarray(seen[:rows, :columns].reshape(rows // 16, 16, columns // 16, 16).mean(axis=(1, 3)))


@pytest.mark.slow
def test_a_body_in_3d_comes_back_as_it_was_turned(page: Any) -> None:
    opened(page)
    page.keyboard.press("Shift+D")
    page.locator(".stage > .viewport .corner.tl", has_text="3D").wait_for(timeout=60_000)
    until(lambda: lit(page) > 0.02, 60)
    straight = coarse(page)
    page.keyboard.press("ArrowDown")
    until(lambda: np.abs(coarse(page) - straight).max() > SAME)
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
    turned = coarse(page)
    assert page.evaluate(LOSE) >= 1
    until(lambda: lit(page) == 0, 30)
    until(lambda: lit(page) and np.abs(coarse(page) - turned).max() < SAME, 60)


def numbers(addresses: list[str]) -> set[tuple[str, int]]:
    """Series and number of each image that slabs of these addresses bring."""
    found = set()
    for address in addresses:
        parts = urlsplit(address)
        asked = {name: int(value) for name, value in parse_qsl(parts.query) if value.isdigit()}
        found |= {(parts.path, asked["first"] + n * asked["step"]) for n in range(asked["count"])}
    return found


@pytest.mark.slow
def test_images_are_sent_small_as_soon_as_the_line_was_seen_to_be_slow(page: Any, context: Any) -> None:
    came: list[str] = []
    for end in (
        "requestfinished",
        "requestfailed",
    ):  # the slow line of the browser calls some of those failed that came
        page.on(end, lambda one: came.append(one.url) if "/slab?" in one.url else None)
    page.goto(f"/study/{study_of(page, 'Slow line')}")
    until(lambda: lit(page) > 0.02 and len(numbers(came)) == IMAGES)  # events come while the page is asked
    line = {"offline": False, "latency": 5, "downloadThroughput": 300_000, "uploadThroughput": 300_000}
    context.new_cdp_session(page).send("Network.emulateNetworkConditions", line)
    page.locator(".thumbnails button", has_text="second").click()
    until(lambda: lit(page) > 0.02 and len(numbers(came)) == 2 * IMAGES)
    assert not any("small" in one for one in came), "nothing was known of the line before"
    before = len(came)
    page.locator(".thumbnails button", has_text="third").click()
    until(lambda: lit(page) > 0.02 and len(numbers(came)) == 3 * IMAGES)
    assert all("small=true" in one for one in came[before:])
    for key, number in (("Home", 1), ("End", IMAGES)):
        page.keyboard.press(key)
        page.locator(".corner.tr", has_text=f"{number}/{IMAGES}").wait_for()
        until(lambda: lit(page) > 0.02)
