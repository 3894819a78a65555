"""The images of the reading room: every pixel where the patient's position says, and values as NumPy has them."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from browser_eyes import FLAGS, Site, lit, shot, until
from stage_phantoms import BALL_MM, RADIUS_MM, SHAPE, SPACING, body, everything, multipart, ramp

pytestmark = pytest.mark.browser

GREYS = """number => {
  const place = document.querySelectorAll('.stage > .viewport')[number];
  const canvas = place.querySelector('canvas.cornerstone-canvas');
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const pen = copy.getContext('2d', { willReadFrequently: true });
  pen.drawImage(canvas, 0, 0);
  const pixels = pen.getImageData(0, 0, copy.width, copy.height).data;
  let text = '';
  for (let i = 0; i < pixels.length; i += 4) text += String.fromCharCode(pixels[i], pixels[i + 1], pixels[i + 2]);
  return [copy.width, copy.height, btoa(text)];
}"""


def picture(page: Any, viewport: int = 0) -> npt.NDArray[np.uint8]:
    """(rows, columns, 3) as they are on screen."""
    import base64

    width, height, text = page.evaluate(GREYS, viewport)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 3)


@dataclass(frozen=True)
class Plane:
    """What a viewport says of where its canvas lies in the patient (mm)."""

    origin: npt.NDArray[np.float64]
    right: npt.NDArray[np.float64]
    down: npt.NDArray[np.float64]

    def at(self, point: Any) -> tuple[float, float]:
        """Canvas pixel of a point of the patient."""
        away = np.asarray(point, float) - self.origin
        return float(away @ self.right / (self.right @ self.right)), float(away @ self.down / (self.down @ self.down))


def plane(page: Any, viewport: int = 0) -> Plane:
    told = json.loads(until(lambda: page.locator(".stage > .viewport").nth(viewport).get_attribute("data-plane")))
    return Plane(*(np.array(told[k], float) for k in ("origin", "right", "down")))


def centroid(grey: npt.NDArray[np.uint8], low: int, high: int) -> tuple[float, float]:
    """Middle of the pixels within a range of greys; canvas coordinates count from the corner of the first pixel."""
    rows, columns = np.nonzero((grey[..., 0] >= low) & (grey[..., 0] <= high))
    assert len(rows) > 20
    return float(columns.mean()) + 0.5, float(rows.mean()) + 0.5


@pytest.fixture(scope="session")
def phantoms(browser: Any, site: Site) -> None:
    """Send the phantoms once, as a scanner would."""
    context = browser.new_context(base_url=site.address, storage_state=site.state)
    send(context, site, everything())
    context.close()


def send(by: Any, site: Site, files: list[bytes]) -> None:
    data, kind = multipart(files)
    answer = by.request.post(
        "/dicom-web/studies", data=data, headers={"Content-Type": kind, "Origin": site.address}, timeout=120_000
    )
    assert answer.ok, answer.text()[:500]


@pytest.fixture
def open_study(page: Any, phantoms: None) -> Callable[[str], None]:
    """Open the newest study with these words in its description."""

    def open_(words: str) -> None:
        rows = page.request.get("/api/worklist?limit=200").json()["rows"]
        found = [r for r in rows if r["description"] == words]
        page.goto(f"/study/{max(found, key=lambda r: r['date'])['study']}")
        page.locator(".corner.tr").first.wait_for()
        until(lambda: lit(page) > 0.02)

    return open_


def settled(page: Any, viewport: int = 0) -> npt.NDArray[np.uint8]:
    """The picture once two looks are equal: a slow machine may still be drawing."""
    last = [picture(page, viewport)]

    def same() -> bool:
        page.wait_for_function("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")
        before, last[0] = last[0], picture(page, viewport)
        return np.array_equal(before, last[0])

    until(same)
    return last[0]


def go_to(page: Any, viewport: int, point: Any) -> None:
    """Click on a point of the patient in a viewport."""
    x, y = plane(page, viewport).at(point)
    box = page.locator(".stage > .viewport .canvas").nth(viewport).bounding_box()
    page.mouse.click(box["x"] + x, box["y"] + y)


def planes(page: Any) -> None:
    """Three planes, whole; some studies open with them."""
    if page.locator(".stage > .viewport").count() != 4:
        page.keyboard.press("Shift+L")
    until(lambda: page.locator(".stage > .viewport").count() == 4)
    until(lambda: all(lit(page, n) > 0.02 for n in (1, 2, 3)), 40)
    page.locator(".corner.br .soon").first.wait_for(state="detached")


AX, SAG, COR = 1, 2, 3


def to_the_ball(page: Any) -> None:
    """All three planes through the middle of the ball, as a person would: a click in one plane, then in another."""
    go_to(page, COR, BALL_MM)
    until(lambda: abs(plane(page, AX).origin[2] - BALL_MM[2]) < SPACING[0])
    go_to(page, AX, BALL_MM)
    until(lambda: abs(plane(page, COR).origin[1] - BALL_MM[1]) < SPACING[1])
    until(lambda: abs(plane(page, SAG).origin[0] - BALL_MM[0]) < SPACING[1])


def test_a_point_of_the_patient_lies_where_its_pixels_are_in_every_plane(
    page: Any, open_study: Callable[[str], None]
) -> None:
    open_study("Stage chest CT")
    page.keyboard.press("1")
    planes(page)
    to_the_ball(page)
    shot(page, "stage-planes")
    for viewport in (0, AX, SAG, COR):  # in 40 / 400 the ball (60 HU) is grey 140, the body 38
        seen = centroid(settled(page, viewport), 120, 160)
        assert seen == pytest.approx(plane(page, viewport).at(BALL_MM), abs=1.0), f"viewport {viewport}"


def test_scale_is_true_and_stays_so_through_zoom_and_pan(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage chest CT")
    page.keyboard.press("1")
    planes(page)
    to_the_ball(page)
    for act in (None, "z", "p"):
        if act:
            page.keyboard.press(act)
            box = page.locator(".stage > .viewport .canvas").nth(AX).bounding_box()
            middle = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
            page.mouse.move(*middle)
            page.mouse.down()
            page.mouse.move(middle[0] + 12, middle[1] - 30, steps=4)
            page.mouse.up()
        grey, lies = settled(page, AX), plane(page, AX)
        area = np.count_nonzero((grey[..., 0] >= 90) & (grey[..., 0] <= 160)) * float(lies.right @ lies.right)
        assert np.sqrt(area / np.pi) == pytest.approx(RADIUS_MM, abs=0.8)
        assert centroid(grey, 120, 160) == pytest.approx(lies.at(BALL_MM), abs=1.0)


def letters(page: Any, viewport: int = 0) -> dict[str, str]:
    place = page.locator(".stage > .viewport").nth(viewport)
    return {edge: place.locator(f".side.{edge}").inner_text() for edge in ("left", "right", "top", "bottom")}


TURNS = ("Shift+F", "Shift+V", "Shift+R", "Shift+R", "Shift+F", "Shift+R", "Shift+V", "Shift+R")


@pytest.mark.parametrize(
    ("study", "sides", "low", "planar"),
    [
        pytest.param("Stage film", "RH", 200, False, marks=pytest.mark.slow),
        pytest.param("Stage chest CT", "LA", 120, False, marks=pytest.mark.slow),
        ("Stage chest CT", "LA", 120, True),
    ],
)
def test_side_letters_go_along_with_every_flip_and_turn(
    page: Any, open_study: Callable[[str], None], study: str, sides: str, low: int, planar: bool
) -> None:
    """The bright part lies at two known sides of the patient; wherever it is drawn, those letters stand there."""
    open_study(study)
    viewport = 0
    if planar:
        page.keyboard.press("1")
        planes(page)
        to_the_ball(page)
        viewport = AX  # the last one that was pointed at is the one that keys act on
    elif study == "Stage chest CT":
        page.keyboard.press("1")
        box = page.locator(".slice-bar").bounding_box()
        part = (BALL_MM[2] + (SHAPE[0] - 1) / 2 * SPACING[0]) / (SHAPE[0] * SPACING[0])
        page.mouse.click(box["x"] + 3, box["y"] + box["height"] * (part + 0.5 / SHAPE[0]))
    seen = set()
    for turn in ("", *TURNS):
        if turn:
            page.keyboard.press(turn)
        grey = settled(page, viewport)
        high = 160 if low == 120 else 255
        x, y = centroid(grey, low, high)
        height, width = grey.shape[:2]
        there = letters(page, viewport)
        where = {there["left" if x < width / 2 else "right"], there["top" if y < height / 2 else "bottom"]}
        assert where == set(sides), f"after {turn}: bright at {x:.0f}, {y:.0f} of {width} x {height}, letters {there}"
        seen.add(tuple(there.values()))
    assert len(seen) >= 5, "the turns were turns"


def grey_of(hu: npt.NDArray[Any], centre: float, width: float) -> npt.NDArray[np.float64]:
    return np.clip((hu - (centre - width / 2)) / width, 0, 1) * 255


@pytest.mark.parametrize(
    ("blend", "reduce"),
    [("mean", np.mean)] + [pytest.param(*one, marks=pytest.mark.slow) for one in (("mip", np.max), ("minip", np.min))],
)
def test_a_slab_is_as_thick_as_it_says_and_equals_numpy(
    page: Any, open_study: Callable[[str], None], blend: str, reduce: Callable[..., Any]
) -> None:
    open_study("Stage ramp")
    planes(page)
    z = 4.5  # on slice 21
    go_to(page, COR, (0, 0, z))
    page.keyboard.press("Shift+O")
    page.get_by_label("What a slab shows").select_option(blend)
    page.get_by_label("Slab thickness in mm").fill("15")  # five slices of 3 mm
    page.get_by_label("Slab thickness in mm").press("Enter")
    until(lambda: "15 mm" in page.locator(".stage > .viewport").nth(AX).locator(".corner.bl").inner_text())
    grey, lies = settled(page, AX), plane(page, AX)
    values = ramp()
    slice_ = round(z / SPACING[0] + (SHAPE[0] - 1) / 2)
    assert abs(float(lies.origin[2]) - (slice_ - (SHAPE[0] - 1) / 2) * SPACING[0]) < 1e-3
    wanted = reduce(values[slice_ - 2 : slice_ + 3].astype(float), axis=0)
    told = page.locator(".stage > .viewport").nth(AX).locator(".corner.bl").inner_text()
    window = [float(part) for part in told.split("\n")[-1].replace("C", "").replace("W", "").split()[:2]]
    differences = []
    for row in range(6, SHAPE[1], 12):  # the middle of each flat square: nothing is interpolated within the slice
        for column in range(6, SHAPE[2], 12):
            at = [(n - (m - 1) / 2) * mm for n, m, mm in zip((column, row), SHAPE[:0:-1], SPACING[:0:-1], strict=True)]
            x, y = lies.at((*at, z))
            differences.append(abs(float(grey[int(y), int(x), 0]) - float(grey_of(wanted[row, column], *window))))
    assert max(differences) <= 1.0
    if blend == "mip":
        shot(page, "stage-mip")


@pytest.mark.slow
def test_greys_are_a_straight_line_through_the_window_and_turn_round_when_inverted(
    page: Any, open_study: Callable[[str], None]
) -> None:
    """Images and planes are drawn without the library's table of greys: what is on screen is what the window says."""
    open_study("Stage ramp")
    planes(page)
    for viewport in (0, AX):
        page.locator(".stage > .viewport .canvas").nth(viewport).click(button="middle")
        for inverted in (False, True):
            if inverted:
                before = settled(page, viewport)
                page.keyboard.press("i")
                until(lambda seen=before, n=viewport: not np.array_equal(seen, picture(page, n)))
            grey, lies = settled(page, viewport).astype(int), plane(page, viewport)
            assert (grey[..., 0] == grey[..., 2]).all()
            values = ramp()[round(float(lies.origin[2]) / SPACING[0] + (SHAPE[0] - 1) / 2)]
            told = page.locator(".stage > .viewport").nth(viewport).locator(".corner.bl").inner_text()
            window = [float(part) for part in told.replace("C", "").replace("W", "").split()[:2]]
            for row in range(6, SHAPE[1], 12):
                for column in range(6, SHAPE[2], 12):
                    at = zip((column, row), SHAPE[:0:-1], SPACING[:0:-1], strict=True)
                    x, y = lies.at((*[(n - (m - 1) / 2) * mm for n, m, mm in at], float(lies.origin[2])))
                    wanted = float(grey_of(values[row, column], *window))
                    assert abs(grey[int(y), int(x), 0] - (255 - wanted if inverted else wanted)) <= 1


SAID_TO_GRAPHICS = """
  [window.shaders, window.samples] = [[], []];
  const compile = WebGL2RenderingContext.prototype.shaderSource;
  WebGL2RenderingContext.prototype.shaderSource = function (shader, text) {
    window.shaders.push(text);
    if (text.includes("colorTexture1")) window.samples.push(this.getParameter(this.SAMPLES));
    return compile.call(this, shader, text);
  };
"""
LOOKED_UP = ("texture2D(colorTexture1, vec2(intensity", "texture2D(pwfTexture1, vec2(intensity")


def test_what_replaces_parts_of_the_drawing_library_s_shaders_finds_them(
    page: Any, open_study: Callable[[str], None]
) -> None:
    """A version of the library with other words in its shaders would draw as right and slower, or slabs too thick.

    So would one that asks for its canvas at another moment: every pixel would be drawn four times.
    """
    page.add_init_script(SAID_TO_GRAPHICS)
    open_study("Stage ramp")
    planes(page)
    drawn = [text for text in page.evaluate("window.shaders") if "void main" in text and "colorTexture1" in text]
    vertices = [text for text in drawn if "gl_Position" in text]
    of_images = [text for text in drawn if "gl_Position" not in text and "vertexWCVSOutput" not in text]
    of_planes = [text for text in drawn if "gl_Position" not in text and "vertexWCVSOutput" in text]
    assert of_images and of_planes and len(vertices) >= 2
    for text in vertices:
        assert "darkest = " in text and "brightest = " in text
    for text in [*of_images, *of_planes]:
        assert "mix(darkest, brightest, " in text and "float scalarOpacity = 1.0;" in text
        assert not any(table in text for table in LOOKED_UP)
    assert set(page.evaluate("window.samples")) == {0}


def test_fusion_lies_on_its_anatomy_and_obeys_threshold_and_opacity(
    page: Any, open_study: Callable[[str], None]
) -> None:
    open_study("Stage chest CT")
    page.keyboard.press("1")
    planes(page)
    to_the_ball(page)
    plain = settled(page, AX).astype(int)
    assert np.abs(plain[..., 0] - plain[..., 2]).max() == 0, "grey so far"
    page.keyboard.press("u")
    page.get_by_text("PT over CT, one frame of reference").first.wait_for()
    until(lambda: colourful(picture(page, AX)).any())
    fused = settled(page, AX)
    rows, columns = np.nonzero(colourful(fused))
    lies = plane(page, AX)
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(lies.at(BALL_MM), abs=2.0)
    radius = np.sqrt(len(rows) * float(lies.right @ lies.right) / np.pi)
    assert radius == pytest.approx(RADIUS_MM, abs=3.0), "below the threshold nothing is drawn"
    shot(page, "stage-fusion")
    strong = float(fused[colourful(fused)].astype(float).std())
    for _ in range(12):
        page.keyboard.press("[")
    until(lambda: not colourful(picture(page, AX)).any())
    assert strong > 0


def colourful(seen: npt.NDArray[np.uint8]) -> npt.NDArray[np.bool_]:
    whole = seen.astype(int)
    found: npt.NDArray[np.bool_] = (whole.max(axis=-1) - whole.min(axis=-1)) > 25
    return found


def test_fusion_without_a_common_frame_is_refused_in_words(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage apart")
    planes(page)
    page.keyboard.press("u")
    page.get_by_text("PT and CT do not share a frame of reference").first.wait_for()
    assert not any(colourful(settled(page, n)).any() for n in (AX, SAG, COR))
    shot(page, "stage-refused")


def test_missing_slices_can_be_scrolled_and_make_no_planes(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage holes")
    button = page.get_by_role("button", name="Planes", include_hidden=True).first
    until(lambda: button.get_attribute("aria-disabled") == "true")
    assert button.get_attribute("title") == "No planes: slices 21–24 missing: scroll yes, MPR no"
    before = page.locator(".corner.tr").inner_text()
    page.keyboard.press("ArrowDown")
    until(lambda: page.locator(".corner.tr").inner_text() != before)
    page.keyboard.press("Shift+L")
    assert page.locator(".stage > .viewport").count() == 1


@pytest.mark.slow
def test_a_cine_runs_in_the_true_time_of_its_frames(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage loop")
    page.keyboard.press("Home")
    page.evaluate(
        """() => {
          window.shown = [];
          const corner = document.querySelector('.corner.tr');
          new MutationObserver(() => window.shown.push([performance.now(), corner.textContent])).observe(
            corner, { childList: true, characterData: true, subtree: true });
        }"""
    )
    page.keyboard.press("c")
    until(lambda: page.evaluate("window.shown.length") > 15)
    page.keyboard.press("c")
    shown = page.evaluate("window.shown")
    times = np.array([t for t, _ in shown])
    assert float(np.median(np.diff(times))) == pytest.approx(200.0, rel=0.10)
    mean = float(np.diff(times).mean())
    assert mean == pytest.approx(200.0, rel=0.15), "and no drift"
    numbers = [int(text.split("/")[0]) for _, text in shown]
    assert all((b - a) % 12 == 1 for a, b in pairwise(numbers)), "no frame is left out"


def test_a_frame_that_could_not_be_drawn_is_drawn_again(page: Any, open_study: Callable[[str], None]) -> None:
    """One fault while drawing used to leave every viewport as it was, for good."""
    open_study("Stage chest CT")
    until(lambda: lit(page, 0) > 0.02)
    page.evaluate(
        """() => {
          window.faults = 0;
          const copying = CanvasRenderingContext2D.prototype, copy = copying.drawImage;
          copying.drawImage = function (...what) {
            if (!this.canvas.closest('.stage')) return copy.apply(this, what);  // a test that looks
            copying.drawImage = copy;
            window.faults += 1;
            throw new Error('planted');
          };
          const canvas = document.querySelector('.stage canvas.cornerstone-canvas');
          canvas.getContext('2d').clearRect(0, 0, canvas.width, canvas.height);
        }"""
    )
    assert lit(page, 0) == 0
    page.keyboard.press("ArrowDown")
    until(lambda: page.evaluate("window.faults") == 1)
    until(lambda: lit(page, 0) > 0.02)


def beside_the_prior(page: Any, open_study: Callable[[str], None]) -> None:
    """Step through the hangings until the earlier study hangs beside."""
    open_study("Stage chest CT")
    page.keyboard.press(".")
    while "PRIOR" not in page.locator(".corner.tl").first.inner_text():
        page.keyboard.press(".")
    until(lambda: page.locator(".stage > .viewport").count() == 2)


@pytest.mark.slow
def test_both_studies_are_drawn_side_by_side(page: Any, open_study: Callable[[str], None]) -> None:
    """However fast somebody stepped there: an image let go before it was drawn left every viewport black for good."""
    open_study("Stage chest CT")
    for _ in range(20):
        page.keyboard.press(".")
    beside_the_prior(page, open_study=lambda _: None)
    until(lambda: lit(page, 0) > 0.02 and lit(page, 1) > 0.02)


def test_the_prior_hangs_beside_and_scrolls_along(page: Any, open_study: Callable[[str], None]) -> None:
    beside_the_prior(page, open_study)
    until(lambda: all(page.locator(".corner.tr").all_inner_texts()))
    until(lambda: "PRIOR 2026-04-02" in page.locator(".corner.tl").first.inner_text())
    assert "−213 d" in page.locator(".corner.tl").first.inner_text()
    until(lambda: "together, same frame" in page.locator(".corner.tl").first.inner_text())
    for _ in range(5):
        page.keyboard.press("ArrowDown")
    until(lambda: page.locator(".corner.tr").first.inner_text() == page.locator(".corner.tr").last.inner_text())
    page.keyboard.press("s")
    until(lambda: "alone" in page.locator(".corner.tl").first.inner_text())
    page.keyboard.press("ArrowDown")
    until(lambda: page.locator(".corner.tr").first.inner_text() != page.locator(".corner.tr").last.inner_text())
    shot(page, "stage-prior")


@pytest.mark.slow
def test_a_pair_without_a_common_frame_is_pinned_by_hand(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage apart")
    page.keyboard.press("l")
    until(lambda: page.locator(".stage > .viewport").count() == 2)
    page.locator(".stage > .viewport .canvas").nth(1).click(button="middle")
    page.get_by_role("button", name="CT moved").click()
    until(lambda: "CT moved" in page.locator(".corner.tl").nth(1).inner_text())
    page.locator(".stage > .viewport .canvas").nth(0).click(button="middle")
    until(lambda: "alone" in page.locator(".corner.tl").nth(1).inner_text())
    at = lambda n: int(page.locator(".corner.tr").nth(n).inner_text().split("/")[0])  # noqa: E731
    first = at(1)
    page.keyboard.press("ArrowDown")
    until(lambda: at(0) == 21)
    assert at(1) == first, "nothing joins them yet"
    page.keyboard.press("s")
    until(lambda: "pinned by hand" in page.locator(".corner.tl").nth(1).inner_text())
    shift = at(1) - at(0)
    for _ in range(4):
        page.keyboard.press("ArrowDown")
    until(lambda: at(0) == 25 and at(1) - at(0) == shift)


@pytest.mark.slow
def test_q_shows_the_prior_in_the_same_place(page: Any, open_study: Callable[[str], None]) -> None:
    """Today's ball has 60 HU and the earlier one 300: held, the pixels are the earlier study's; released, today's."""
    open_study("Stage chest CT")
    page.keyboard.press("1")
    box = page.locator(".slice-bar").bounding_box()
    part = (BALL_MM[2] + (SHAPE[0] - 1) / 2 * SPACING[0]) / (SHAPE[0] * SPACING[0])
    page.mouse.click(box["x"] + 3, box["y"] + box["height"] * (part + 0.5 / SHAPE[0]))
    today = settled(page)
    where = centroid(today, 120, 160)
    page.keyboard.down("q")
    page.locator(".canvas.peek[data-there]").wait_for()
    peeked = page.evaluate(GREYS.replace("querySelector('canvas", "querySelector('.peek canvas"), 0)
    assert peeked[:2] == [today.shape[1], today.shape[0]]

    def earlier() -> npt.NDArray[np.uint8]:
        import base64

        width, height, text = page.evaluate(GREYS.replace("querySelector('canvas", "querySelector('.peek canvas"), 0)
        return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 3)

    until(lambda: (earlier()[..., 0] > 240).any())
    then = earlier()
    assert centroid(then, 240, 255) == pytest.approx(where, abs=1.0)
    shot(page, "stage-peek")
    page.keyboard.up("q")
    page.locator(".canvas.peek").wait_for(state="detached")
    assert np.array_equal(settled(page), today)


@pytest.mark.slow
def test_hung_as_and_kept_as_mine(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage chest CT")
    page.get_by_text("hung as PET with CT, 4 of 4 rules").click()
    page.get_by_text("✓ an earlier study of the region").wait_for()
    page.get_by_role("button", name="anatomy beside uptake").click()
    until(lambda: page.locator(".stage > .viewport").count() == 2)
    page.get_by_role("button", name="Keep this stage as mine").click()
    page.get_by_role("button", name="Kept as mine").wait_for()
    page.reload()
    until(lambda: page.locator(".stage > .viewport").count() == 2)
    page.get_by_text("hung as PET with CT").click()
    page.get_by_role("button", name="one image").click()
    page.get_by_role("button", name="Keep this stage as mine").click()
    page.get_by_role("button", name="Kept as mine").wait_for()


def test_the_bar_shows_what_was_really_on_screen(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage chest CT")
    bar = page.locator(".slice-bar .seen").first
    until(lambda: bar.get_attribute("d"))
    before = bar.get_attribute("d")
    page.keyboard.press("PageDown")
    until(lambda: bar.get_attribute("d") != before)
    assert (bar.get_attribute("d") or "").count("M") == 2, "the ten between were not there long enough"


@pytest.mark.slow
def test_an_oblique_plane_cuts_where_it_says(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage chest CT")
    page.keyboard.press("1")
    planes(page)
    to_the_ball(page)
    page.locator(".stage > .viewport .canvas").nth(AX).click(button="middle")
    for _ in range(6):
        page.keyboard.press("Shift+ArrowRight")
    until(lambda: "oblique" in page.locator(".stage > .viewport").nth(COR).locator(".corner.tl").inner_text())
    for viewport in (SAG, COR):
        lies = plane(page, viewport)
        assert abs(float(lies.right[0] * lies.right[1])) > 0.01, "turned by thirty degrees about the axis of the body"
        assert centroid(settled(page, viewport), 120, 160) == pytest.approx(lies.at(BALL_MM), abs=1.5)
    shot(page, "stage-oblique")


@pytest.mark.slow
def test_without_webgl_planes_come_from_the_server(playwright: Any, chromium: str, site: Site, phantoms: None) -> None:
    flags = [flag for flag in FLAGS if flag != "--enable-unsafe-swiftshader"]
    browser = playwright.chromium.launch(executable_path=chromium, args=[*flags, "--disable-3d-apis"])
    page = browser.new_context(base_url=site.address, storage_state=site.state).new_page()
    rows = page.request.get("/api/worklist?limit=200").json()["rows"]
    found = [r for r in rows if r["description"] == "Stage chest CT"]
    page.goto(f"/study/{max(found, key=lambda r: r['date'])['study']}")
    until(lambda: lit(page) > 0.02)
    page.keyboard.press("1")
    page.keyboard.press("Shift+L")
    page.get_by_text("no WebGL: drawn by the server").first.wait_for()
    until(lambda: page.locator(".stage > .viewport").count() == 4)
    until(lambda: all((settled(page, n)[..., 0] > 30).any() for n in (AX, SAG, COR)))
    to_the_ball(page)
    for viewport in (AX, SAG, COR):
        until(lambda v=viewport: (np.abs(picture(page, v)[..., 0].astype(int) - 140) < 12).sum() > 200)
        assert centroid(settled(page, viewport), 120, 160) == pytest.approx(plane(page, viewport).at(BALL_MM), abs=1.0)
    shot(page, "stage-without-webgl")
    browser.close()


def test_the_phantom_is_what_it_says() -> None:
    """The truth behind the tests above: where the bright voxels are."""
    found = np.argwhere(body() == 60).mean(axis=0)
    middle = [(f - (n - 1) / 2) * mm for f, n, mm in zip(found, SHAPE, SPACING, strict=True)]
    assert middle[::-1] == pytest.approx(list(BALL_MM), abs=1e-6)


@pytest.mark.slow
def test_the_body_stands_in_3d_and_turns(page: Any, open_study: Callable[[str], None]) -> None:
    open_study("Stage chest CT")
    flat = settled(page)
    page.keyboard.press("Shift+D")
    page.get_by_text("Loading the body").wait_for(state="detached", timeout=90_000)
    until(lambda: "3D" in page.locator(".corner.tl").first.inner_text(), 60)
    until(lambda: 0.005 < lit(page) < 0.9, 60)
    front = settled(page)
    box = page.locator(".stage > .viewport .canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x + 80, y, steps=2)
    page.mouse.up(button="middle")
    until(lambda: not np.array_equal(picture(page), front), 60)
    shot(page, "stage-body")
    page.keyboard.press("Shift+D")
    until(lambda: "3D" not in page.locator(".corner.tl").first.inner_text(), 60)
    page.locator(".stage canvas.cornerstone-canvas").first.wait_for()  # the images have a canvas of their own
    until(lambda: np.array_equal(settled(page), flat), 60)
