"""Balls of known size, measured and outlined in a real browser: by mouse, by keys, after a flip or a reload."""

from __future__ import annotations

import io
import itertools
from collections.abc import Iterator
from typing import Any

import pydicom
import pytest
from browser_eyes import Site, read, shot, until
from own_archive import own_archive

from isocenter.govern.policy import HOUSE
from isocenter.site.verbs import Site as Archive
from isocenter.testing.phantoms import balls

pytestmark = pytest.mark.browser

SEEDS = itertools.count(3)

# Where the bright ball lies on the canvas of a viewport: its extent along row and column through its middle.
EXTENT = """number => {
  const canvas = [...document.querySelectorAll('.viewport canvas.cornerstone-canvas')][number];
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const pen = copy.getContext('2d');
  pen.drawImage(canvas, 0, 0);
  const { data, width, height } = pen.getImageData(0, 0, copy.width, copy.height);
  const lit = (x, y) => data[4 * (y * width + x)] > 198;
  const deep = (x, y) => [-6, 0, 6].every(d => [-6, 0, 6].every(e => lit(x + d, y + e)));  // noise is never so wide
  let [n, sx, sy] = [0, 0, 0];
  for (let y = 6; y < height - 6; y += 2) for (let x = 6; x < width - 6; x += 2)
    if (deep(x, y)) { n++; sx += x; sy += y; }
  if (!n) return null;
  const [cx, cy] = [Math.round(sx / n), Math.round(sy / n)];
  const run = (dx, dy) => { let k = 0; while (lit(cx + dx * k, cy + dy * k)) k++; return k; };
  const box = canvas.getBoundingClientRect();
  return { left: cx - run(-1, 0) + 1, right: cx + run(1, 0), top: cy - run(0, -1) + 1, bottom: cy + run(0, 1),
    x: (cx - run(-1, 0) + cx + run(1, 0)) / 2 + 0.5, y: (cy - run(0, -1) + cy + run(0, 1)) / 2 + 0.5,
    at: [box.x, box.y] };
}"""


@pytest.fixture(scope="module")
def shelf(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Archive]]:
    """An archive that holds jars of balls and nothing else, and somebody who has signed in."""
    held: list[Archive] = []
    with own_archive(browser, tmp_path_factory.mktemp("jars"), [], held.append) as there:
        yield there, held[0]


@pytest.fixture(scope="module")
def site(shelf: tuple[Site, Archive]) -> Site:
    return shelf[0]


@pytest.fixture
def jar(shelf: tuple[Site, Archive]) -> str:
    """The study of a jar that nobody has marked: each test, and each try of it, has its own."""
    made = balls.patient(seed=next(SEEDS))
    shelf[1].receive(made.files, sender="test", who=HOUSE)
    return str(made.truth["study_uid"])


def study_of(page: Any) -> str:
    return str(page.url.split("/study/")[1].split("?")[0])


def findings(page: Any) -> list[dict[str, Any]]:
    results = page.request.get(f"/api/studies/{study_of(page)}/results").json()["results"]
    return [f for r in results for f in r["findings"] if f["verdict"] != "struck"]


def to_the_ball(page: Any) -> None:
    """The image next to the middle of the largest ball."""
    page.keyboard.press("1")
    page.keyboard.press("Home")
    corner = page.locator(".corner.tr").first
    until(lambda: corner.inner_text().startswith("1/"))
    for n in range(24):
        page.keyboard.press("ArrowDown")
        until(lambda n=n: corner.inner_text().startswith(f"{n + 2}/"))
    until(lambda: page.evaluate(EXTENT, 0))


def opened(page: Any, jar: str) -> None:
    read(page, jar)
    until(lambda: page.request.get(f"/api/readings/{jar}").json()["by"])
    to_the_ball(page)


def ends_of(line: Any) -> list[float]:
    """Columns of the ends of a length, from left to right."""
    first, second = line.get_attribute("d").split("M")[1].split("L")[:2]
    return sorted(float(part.split()[0]) for part in (first, second))


def ends_drawn(page: Any) -> list[tuple[float, float]]:
    """Ends of the first length on the screen, as canvas pixels."""
    path = page.locator('.overlay g[data-mark="length"] path.line').first.get_attribute("d")
    first, second = path.split("M")[1].split("L")[:2]
    return [tuple(float(v) for v in part.split()) for part in (first, second)]  # type: ignore[misc]


def on_its_ball(page: Any) -> bool:
    """Whether the lengths that are drawn end where the ball on screen ends, within 2 pixels of the canvas."""
    ball = page.evaluate(EXTENT, 0)
    drawn = sorted(x for x, _ in ends_drawn(page))
    return bool(ball) and drawn == pytest.approx([ball["left"], ball["right"]], abs=2)


@pytest.mark.slow
def test_a_ball_measures_24_mm_by_mouse_and_by_keys_and_everywhere_the_same(
    page: Any, browser: Any, site: Site, jar: str
) -> None:
    opened(page, jar)
    seen = page.evaluate(EXTENT, 0)
    (ox, oy), middle = seen["at"], (seen["top"] + seen["bottom"]) / 2
    page.keyboard.press("d")
    page.mouse.move(ox + seen["left"], oy + middle)
    page.mouse.down()
    page.mouse.move(ox + (seen["left"] + seen["right"]) / 2, oy + middle, steps=4)
    page.mouse.move(ox + seen["right"], oy + middle, steps=4)
    page.mouse.up()
    until(lambda: len(findings(page)) == 1)
    (one,) = findings(page)
    assert one["measurements"][0]["value"] == pytest.approx(24.0, abs=0.5)
    assert one["verdict"] == "added"

    # the same by keys alone: the cross stands where the mouse was left
    cross = page.locator("[data-cross]").get_attribute("d")
    x, y = (float(v) for v in cross[1:].split("h")[0].split())
    x += 10
    walk(page, seen["left"] - x, middle - y)
    page.keyboard.press("Enter")
    walk(page, seen["right"] - seen["left"], 0)
    page.keyboard.press("Enter")
    until(lambda: len(findings(page)) == 2)
    assert findings(page)[1]["measurements"][0]["value"] == pytest.approx(24.0, abs=0.5)
    page.keyboard.press("Escape")
    page.locator('.overlay g[data-mark="length"]').nth(1).wait_for(state="attached")
    shot(page, "marks-length")
    held = [f["measurements"][0]["value"] for f in findings(page)]

    page.keyboard.press("Shift+F")
    until(lambda: abs(page.evaluate(EXTENT, 0)["left"] - seen["left"]) > 3)
    until(lambda: on_its_ball(page))  # the mark turned with its image
    page.keyboard.press("Shift+F")  # and back: a turn that stood still is in the address, and outlives a reload
    until(lambda: abs(page.evaluate(EXTENT, 0)["left"] - seen["left"]) < 3)
    until(lambda: "turned=" not in page.evaluate("location.href"))

    page.reload()
    page.locator(".corner.tr").wait_for()
    to_the_ball(page)
    page.locator('.overlay g[data-mark="length"]').nth(1).wait_for(state="attached")
    until(lambda: sorted(x for x, _ in ends_drawn(page)) == pytest.approx([seen["left"], seen["right"]], abs=2))
    assert [f["measurements"][0]["value"] for f in findings(page)] == held

    # another layout, with the marks in a plane through the volume; and back again, where they were
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".viewport[data-viewport^=plane] .corner.tr").count() == 3, 40)
    page.locator(".card").first.locator("header").click()
    page.keyboard.press("Enter")
    cut = page.locator(".stage > .viewport").nth(1).locator('.overlay g[data-mark="length"] path.line')
    until(lambda: cut.count() == 2 and page.evaluate(EXTENT, 1), 40)
    there = page.evaluate(EXTENT, 1)
    pixel = (there["right"] - there["left"]) / 24.0
    until(lambda: ends_of(cut.first) == pytest.approx([there["left"], there["right"]], abs=max(2.0, pixel)))
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".stage > .viewport").count() == 1)
    page.locator('.overlay g[data-mark="length"]').nth(1).wait_for(state="attached")
    to_the_ball(page)
    until(lambda: on_its_ball(page))
    assert [f["measurements"][0]["value"] for f in findings(page)] == held

    other = browser.new_context(
        base_url=site.address, storage_state=site.state, viewport={"width": 1100, "height": 800}
    )
    second = other.new_page()
    page.goto("about:blank")
    second.goto(f"/study/{jar}")
    second.locator(".corner.tr").wait_for()
    to_the_ball(second)
    second.locator('.overlay g[data-mark="length"]').nth(1).wait_for(state="attached")
    there = second.evaluate(EXTENT, 0)
    assert sorted(x for x, _ in ends_drawn(second)) == pytest.approx([there["left"], there["right"]], abs=2)
    other.close()


def of_another_series(image: bytes) -> bytes:
    ds = pydicom.dcmread(io.BytesIO(image))
    ds.SeriesInstanceUID, ds.SOPInstanceUID, ds.SeriesNumber = f"{ds.SeriesInstanceUID}.2", f"{ds.SOPInstanceUID}.2", 2
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.mark.slow
def test_an_open_study_grows_while_it_arrives_and_keeps_place_and_marks(page: Any, shelf: tuple[Site, Archive]) -> None:
    made = balls.patient(seed=next(SEEDS))
    arrive = lambda files: shelf[1].receive(files, sender="scanner", who=HOUSE)  # noqa: E731
    arrive(made.files[12:36])
    jar = str(made.truth["study_uid"])
    read(page, jar)
    until(lambda: page.request.get(f"/api/readings/{jar}").json()["by"])
    corner = page.locator(".corner.tr").first
    until(lambda: corner.inner_text() == "12/24")
    page.keyboard.press("1")
    page.keyboard.press("ArrowDown")
    until(lambda: corner.inner_text() == "13/24")
    seen = until(lambda: page.evaluate(EXTENT, 0))
    (ox, oy), middle = seen["at"], (seen["top"] + seen["bottom"]) / 2
    page.keyboard.press("d")
    page.mouse.move(ox + seen["left"], oy + middle)
    page.mouse.down()
    page.mouse.move(ox + seen["right"], oy + middle, steps=4)
    page.mouse.up()
    until(lambda: len(findings(page)) == 1)
    page.keyboard.press("Shift+F")
    until(lambda: abs(page.evaluate(EXTENT, 0)["left"] - seen["left"]) > 3)
    until(lambda: on_its_ball(page))
    before = page.evaluate(EXTENT, 0)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/slab?" in request.url else None)
    arrive([*made.files[:12], of_another_series(made.files[24])])
    until(lambda: corner.inner_text() == "25/36")
    until(lambda: page.locator(".thumbnails > button img").count() == 2)
    until(lambda: page.evaluate(EXTENT, 0) == before and on_its_ball(page))
    until(lambda: page.locator("body").count() and asked)  # what a worker asks is told with the next answer of the page
    assert all(int(url.split("count=")[1].split("&")[0]) <= 12 for url in asked)  # what was here is not fetched again
    assert not any("small=" in url for url in asked)  # nor compressed, on a line that is quick

    # planes through what is there; they say what they lack, and go through all of it once no more comes
    page.keyboard.press("Shift+L")
    lacks = page.locator(".stage > .viewport").nth(2).locator(".corner.br")
    until(lambda: page.locator(".stage > .viewport").count() == 4 and "images" not in lacks.inner_text(), 40)
    arrive(made.files[36:])
    until(lambda: corner.inner_text() == "25/48")
    until(lambda: "36 of 48 images" in lacks.inner_text())
    until(lambda: "images" not in lacks.inner_text(), 40)
    page.locator('.stage > .viewport .overlay g[data-mark="length"]').first.wait_for(state="attached")


def walk(page: Any, dx: float, dy: float) -> None:
    """Move the cross by arrow keys, tens first."""
    for distance, (back, on) in ((dx, ("ArrowLeft", "ArrowRight")), (dy, ("ArrowUp", "ArrowDown"))):
        steps = round(abs(distance))
        key = on if distance > 0 else back
        for _ in range(steps // 10):
            page.keyboard.press(f"Shift+{key}")
        for _ in range(steps % 10):
            page.keyboard.press(key)


def outlined(page: Any, viewport: int) -> dict[str, float] | None:
    """Middle of the outline that is drawn over a viewport, as canvas pixels."""
    told: dict[str, float] | None = page.evaluate(
        """number => {
          const place = [...document.querySelectorAll('.viewport')][number];
          const line = place?.querySelector('.sections g[data-finding] path.line');
          if (!line) return null;
          const box = line.getBBox();
          return { x: box.x + box.width / 2, y: box.y + box.height / 2, width: box.width };
        }""",
        viewport,
    )
    return told


@pytest.mark.slow
def test_paint_see_it_in_three_planes_hide_it_and_take_it_back(page: Any, jar: str) -> None:
    opened(page, jar)
    before = [f for f in findings(page) if f["where"]["has_mask"]]
    assert not before
    held: list[Any] = []
    page.route("**/ready?step=program", lambda route: held.append(route))
    page.keyboard.press("Shift+C")
    page.get_by_role("combobox", name="region").wait_for()
    page.get_by_text("getting ready: it loads what outlines").wait_for()  # what is waited for is said
    shot(page, "segment-getting-ready")
    held[0].continue_()
    page.unroute("**/ready?step=program")
    page.get_by_text("getting ready").wait_for(state="hidden")
    seen = page.evaluate(EXTENT, 0)
    (ox, oy) = seen["at"]
    page.context.expected.append("400")
    page.mouse.click(ox + seen["left"], oy + 30)  # in the air beside the jar: what is said of it moves no image
    page.get_by_role("alert").get_by_text("Click on tissue, or draw with the brush.").wait_for()
    assert page.evaluate(EXTENT, 0) == seen
    page.keyboard.press("Shift+T")  # a range that means something on these images: the brighter half of the window
    page.get_by_role("spinbutton", name="from").wait_for()
    assert [page.get_by_role("spinbutton", name=end).input_value() for end in ("from", "to")] == ["40", "240"]
    page.keyboard.press("Shift+C")
    page.mouse.click(ox + seen["x"], oy + seen["y"])
    until(lambda: [f for f in findings(page) if f["where"]["has_mask"]], 60)
    until(lambda: outlined(page, 0))
    middle = outlined(page, 0)
    scale = (seen["right"] - seen["left"]) / 24.0  # canvas pixels for a millimetre
    assert (middle["x"], middle["y"]) == pytest.approx((seen["x"], seen["y"]), abs=scale)
    assert middle["width"] == pytest.approx(24 * scale, abs=2 * scale)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Z")
    until(lambda: not [f for f in findings(page) if f["where"]["has_mask"]], 40)

    # the same by a box, drawn by keys alone: the cross stands in the middle of the image
    page.keyboard.press("Shift+G")
    cross = page.locator("[data-brush]").get_attribute("d")
    x, y = (float(v) for v in cross[1:].split("h")[0].split())
    margin = 2 * scale
    walk(page, seen["left"] - margin - x - 7, seen["top"] - margin - y)
    page.keyboard.press("Enter")
    walk(page, seen["right"] - seen["left"] + 2 * margin, seen["bottom"] - seen["top"] + 2 * margin)
    page.locator(".overlay rect.box").wait_for()
    page.keyboard.press("Enter")
    until(lambda: [f for f in findings(page) if f["where"]["has_mask"]], 60)
    (boxed,) = [f for f in findings(page) if f["where"]["has_mask"]]
    assert boxed["where"]["volume_ml"] == pytest.approx(3.141593 * 24**3 / 6000, rel=0.1)
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Z")
    until(lambda: not [f for f in findings(page) if f["where"]["has_mask"]], 40)

    # and by the mouse, from corner to corner; then it stays. A fast hand paints while the box's answer is on its way:
    # it comes in the midst of the stroke, and the stroke goes to the region that the box made.
    held: list[Any] = []
    page.route("**/segment", lambda route: held.append(route))
    page.keyboard.press("Shift+G")
    page.mouse.move(ox + seen["right"] + margin, oy + seen["top"] - margin)
    page.mouse.down()
    page.mouse.move(ox + seen["x"], oy + seen["y"], steps=3)
    page.mouse.move(ox + seen["left"] - margin, oy + seen["bottom"] + margin, steps=3)
    page.mouse.up()
    until(lambda: page.locator(".overlay [data-sent=box]").count() == 1 and held)  # it stays drawn until it is answered
    page.keyboard.press("Escape")
    page.keyboard.press("Shift+B")
    page.mouse.move(ox + seen["right"] + 2 * scale, oy + seen["y"])
    page.mouse.down()
    while held:
        held.pop().continue_()
    page.unroute("**/segment")
    until(lambda: outlined(page, 0), 60)
    (boxed,) = [f for f in findings(page) if f["where"]["has_mask"]]
    volume = boxed["where"]["volume_ml"]
    page.mouse.move(ox + seen["right"] + 6 * scale, oy + seen["y"], steps=3)
    late: list[Any] = []
    page.route("**/section?*", lambda route: late.append(route))
    page.mouse.up()
    until(lambda: page.locator(".sections g[data-before] path.line").count() == 1 and late)  # it does not flicker
    while late:
        late.pop().continue_()
    page.unroute("**/section?*")

    def painted() -> float:
        return max((f["where"]["volume_ml"] or 0) for f in findings(page) if f["where"]["has_mask"])

    until(lambda: painted() > volume + 0.05, 40)
    until(lambda: page.locator(".sections g[data-before]").count() == 0 and outlined(page, 0))
    shot(page, "marks-painted")
    page.keyboard.press("Escape")
    page.keyboard.press("Control+Z")
    until(lambda: painted() == pytest.approx(volume), 40)

    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".viewport canvas.cornerstone-canvas").count() == 4, 40)
    until(lambda: page.locator(".viewport[data-viewport^=plane] .corner.tr").count() == 3, 40)
    card = page.locator(".card").filter(has_text=" mL").first
    card.locator("header").click()
    page.keyboard.press("Enter")
    for number in (1, 2, 3):
        until(lambda number=number: page.evaluate(EXTENT, number), 40)
    for number in (1, 2, 3):
        until(lambda number=number: outlined(page, number), 40)
        lit, drawn = page.evaluate(EXTENT, number), outlined(page, number)
        pixel = (lit["right"] - lit["left"]) / 24.0
        assert (drawn["x"], drawn["y"]) == pytest.approx((lit["x"], lit["y"]), abs=max(1.0, pixel)), number
    shot(page, "marks-planes")

    page.keyboard.down("h")
    until(lambda: page.locator(".overlay.sections g").count() == 0 and page.locator(".overlay.marks g").count() == 0)
    page.keyboard.up("h")
    until(lambda: outlined(page, 1))
    page.get_by_label("Drawn on the images").locator("input[type=checkbox]").first.uncheck()
    until(lambda: page.locator(".overlay.sections g").count() == 0)


def seen_by_a_person(page: Any) -> bytes:
    """The middle of the first viewport as it is on screen, drawing and all; words in its corners are left out."""
    box = page.locator(".stage > .viewport").first.bounding_box()
    page.mouse.move(3, 3)
    clip = {"x": box["x"] + 120, "y": box["y"] + 60, "width": box["width"] - 240, "height": box["height"] - 120}
    last = b""

    def settled() -> bytes | None:
        nonlocal last
        before, last = last, page.screenshot(clip=clip)
        return last if last == before else None

    return bytes(until(settled))


@pytest.mark.slow
def test_h_held_leaves_every_pixel_to_the_image(page: Any, jar: str) -> None:
    opened(page, jar)
    until(lambda: page.locator(".overlay g[data-mark], .sections g").count() == 0)
    plain = seen_by_a_person(page)
    seen = page.evaluate(EXTENT, 0)
    ox, oy = seen["at"]
    page.keyboard.press("Shift+C")
    late: list[Any] = []
    page.route("**/section?*", lambda route: late.append(route))
    page.mouse.click(ox + seen["x"], oy + seen["y"])
    until(lambda: page.locator(".overlay").count() and late, 60)  # the region is kept, and its outline on its way
    assert page.locator(".overlay [data-sent=click]").count() == 1, (
        "the click stays to be seen until its outline is there"
    )
    while late:
        late.pop().continue_()
    page.unroute("**/section?*")
    until(lambda: page.locator(".sections g[data-finding]").count(), 60)
    until(lambda: page.locator(".overlay [data-sent]").count() == 0)
    page.keyboard.press("Escape")
    page.keyboard.press("e")
    page.mouse.move(ox + seen["left"], oy + seen["top"])
    page.mouse.down()
    page.mouse.move(ox + seen["right"], oy + seen["bottom"], steps=3)
    page.mouse.up()
    page.locator('.overlay g[data-mark="ellipse"]').wait_for(state="attached")
    page.keyboard.press("Escape")
    drawn = seen_by_a_person(page)
    assert drawn != plain
    page.keyboard.down("h")
    until(lambda: page.locator(".overlay g[data-mark], .sections g").count() == 0)
    assert seen_by_a_person(page) == plain, "held, every pixel is the image's own"
    page.keyboard.up("h")
    until(lambda: outlined(page, 0) and page.locator('.overlay g[data-mark="ellipse"]').count())
    assert seen_by_a_person(page) != plain
