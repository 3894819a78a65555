"""Series without a common frame of reference: refused in words, registered on request, laid where they belong; and an
earlier study beside, which goes along once somebody has accepted how it lies."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from datetime import datetime
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, lit, shot, until
from own_archive import own_archive
from pydicom import dcmread
from stage_phantoms import BALL_MM, BEFORE, SHAPE, SPACING, body, stack
from test_browser_stage import AX, COR, GREYS, SAG, centroid, colourful, go_to, plane, settled, to_the_ball

pytestmark = pytest.mark.browser

SHIFT, TURN_DEG = np.array([10.0, -8.0, 12.0]), 6.0
AWAY_MM = 1.5


def turned(point: Any) -> np.ndarray[Any, Any]:
    """Where a point of the CT lies in the frame of the PET: turned about the long axis, and shifted."""
    c, s = np.cos(np.radians(TURN_DEG)), np.sin(np.radians(TURN_DEG))
    return np.asarray(np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]]) @ point + SHIFT)


def elsewhere(data: bytes) -> bytes:
    """The same image, lying somewhere else and turned."""
    ds = dcmread(io.BytesIO(data))
    along = np.array(ds.ImageOrientationPatient, float).reshape(2, 3)
    ds.ImageOrientationPatient = [float(v) for one in along for v in turned(one) - SHIFT]
    ds.ImagePositionPatient = [float(v) for v in turned(np.array(ds.ImagePositionPatient, float))]
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def files() -> list[bytes]:
    """A CT, and a PET of the same body that lies 17.5 mm off and 6 degrees turned, in a frame of its own."""
    pet = stack(tracer(), "Apart", "PET", frame="two", number=2, modality="PT")
    return [*stack(body(), "Apart", "CT"), *map(elsewhere, pet)]


def tracer() -> Any:
    """SUV 8 in the ball and 1 in the body, on the grid of a PET."""
    values = body()
    fine = np.where(values == 60, 8.0, np.where(values > -500, 1.0, 0.0))
    return fine.reshape(SHAPE[0] // 2, 2, SHAPE[1] // 2, 2, SHAPE[2] // 2, 2).mean(axis=(1, 3, 5))


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_archive(browser, tmp_path_factory.mktemp("apart"), files()) as there:
        yield there


def opened(page: Any) -> None:
    study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").first.wait_for()
    cut(page)
    page.keyboard.press("1")
    to_the_ball(page)


def cut(page: Any) -> None:
    """PET with CT opens as one over the other: nobody has to ask for planes."""
    until(lambda: page.locator(".stage > .viewport").count() == 4 and all(lit(page, n) > 0.02 for n in range(4)), 60)
    until(lambda: "reduced" not in " ".join(page.locator(".corner.br").all_inner_texts()))


def on_the_ball(page: Any) -> None:
    """The tracer lies on the ball that took it up, in all three planes."""
    for viewport in (AX, SAG, COR):
        # What lay over before may be gone, and what lies over now not drawn yet, for as long as a frame is held.
        found = until(lambda n=viewport: (all_of := colourful(settled(page, n))).any() and [all_of], 60)
        rows, columns = np.nonzero(found[0])
        lies = plane(page, viewport)
        away = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) - lies.at(BALL_MM)
        assert np.hypot(*away) * np.linalg.norm(lies.right) < AWAY_MM, viewport


COVERED = """() => [...document.querySelectorAll('.stage > .viewport')].flatMap((viewport) => {
  const [corners, letters] = ['.corner:not(:empty)', '.side:not(:empty)'].map((one) => [...viewport.querySelectorAll(one)]);
  const over = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const places = (one) => one.getBoundingClientRect();
  return corners.flatMap((corner) => letters.filter((letter) => over(places(corner), places(letter))).map((letter) => `${corner.innerText} / ${letter.innerText}`));
})"""  # noqa: E501
WIDTHS = {1280: 800, 1920: 1080, 390: 844, 1440: 900}  # the last is that of the other tests


def stands_free(page: Any) -> None:
    """Beside the letters of the sides, whatever the window's width; a number and its unit on one line."""
    for width, height in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": height})
        fit = page.locator(".corner.br .part", has_text="residual").first
        until(lambda fit=fit: fit.is_visible() and fit.bounding_box()["height"] < 24)
        until(lambda: page.evaluate(COVERED) == [])
        row = page.locator(".tools.hand")
        assert row.evaluate("one => one.scrollWidth <= one.clientWidth && one.scrollHeight <= one.clientHeight"), width
        shot(page, f"registration-fused-{width}")


@pytest.mark.slow
def test_what_shares_no_frame_is_registered_on_request_and_lies_where_it_should(page: Any) -> None:
    opened(page)
    page.get_by_text("PT and CT do not share a frame of reference").first.wait_for()
    assert not colourful(settled(page, AX)).any()
    page.get_by_role("button", name="Register", exact=True).click()
    page.get_by_text("PT over CT, registered, not accepted, residual").first.wait_for(timeout=60_000)
    on_the_ball(page)
    shot(page, "registration-proposed")
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("PT over CT, registered, residual").first.wait_for(timeout=60_000)
    on_the_ball(page)
    stands_free(page)

    page.reload()  # and it is kept
    page.locator(".corner.tr").first.wait_for()
    cut(page)
    to_the_ball(page)
    page.get_by_text("PT over CT, registered, residual").first.wait_for(timeout=60_000)
    on_the_ball(page)


OWN, PRIOR = 0, 1
FIRST = datetime(2025, 10, 6, 9)


def over_time() -> list[bytes]:
    """A chest CT of today; before it the same chest, turned and shifted, once with a brighter ball and once with a PET,
    and a scan of a knee."""
    before = stack(body(hu=300.0), "Chest before", "CT", at=BEFORE, frame="old")
    knee = stack(body(), "Knee before", "CT", at=BEFORE, frame="knee", body_part="KNEE")
    first = [
        *stack(body(), "Chest at first", "CT at first", at=FIRST, frame="first"),
        *stack(tracer(), "Chest at first", "PET at first", at=FIRST, frame="first", number=2, modality="PT"),
    ]
    return [*stack(body(), "Chest today", "CT"), *map(elsewhere, [*before, *first]), *knee]


@pytest.fixture(scope="module")
def followed(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_archive(browser, tmp_path_factory.mktemp("followed"), over_time()) as there:
        yield there


@pytest.fixture
def beside(browser: Any, followed: Site) -> Iterator[Any]:
    """A page of whoever follows this patient."""
    context = browser.new_context(
        base_url=followed.address, storage_state=followed.state, viewport={"width": 1600, "height": 1000}
    )
    yield context.new_page()
    context.close()


def hung(page: Any, which: str) -> None:
    """Today's study with an earlier one beside it."""
    rows = page.request.get("/api/worklist?limit=9").json()["rows"]
    page.goto(f"/study/{next(row['study'] for row in rows if row['description'] == 'Chest today')}")
    page.get_by_role("button", name=which).click()
    until(lambda: page.locator(".stage > .viewport").count() == 2, 60)
    until(lambda: all(lit(page, n) > 0.02 for n in (OWN, PRIOR)), 60)
    page.locator(".stage > .viewport .canvas").nth(OWN).click(button="middle")
    page.keyboard.press("1")


def said(page: Any, words: str) -> None:
    until(lambda: words in page.locator(".corner.tl").nth(PRIOR).inner_text(), 60)


def scroll_to_the_ball(page: Any) -> None:
    """By keys, in today's images alone."""
    page.keyboard.press("Home")
    until(lambda: page.locator(".corner.tr").nth(OWN).inner_text().startswith("1/"))
    for image in range(2, SHAPE[0] + 1):
        if abs(plane(page, OWN).origin[2] - BALL_MM[2]) <= SPACING[0] / 2:
            return
        page.keyboard.press("ArrowDown")
        until(lambda image=image: page.locator(".corner.tr").nth(OWN).inner_text().startswith(f"{image}/"))


def goes_along(page: Any) -> None:
    """In the earlier study the plane through the same place is up, and its ball is drawn where the truth says."""
    there = plane(page, PRIOR)
    normal = np.cross(there.right, there.down)
    off = (turned(BALL_MM) - there.origin) @ normal / np.linalg.norm(normal)
    assert abs(off) <= SPACING[0] / 2 + 0.5
    seen = centroid(settled(page, PRIOR), 250, 255)  # 300 HU in the window of the body
    assert np.subtract(seen, there.at(turned(BALL_MM))) == pytest.approx([0, 0], abs=1.5)


def held_ball(page: Any) -> None:
    """Under the held key the earlier ball lies on the place of today's, though its images are turned."""
    page.keyboard.down("q")
    peek = page.locator(".canvas.peek[data-there]")
    peek.wait_for(timeout=60_000)
    page.get_by_text("registered, residual").first.wait_for()
    until(lambda: (held(page)[..., 0] >= 250).sum() > 20)
    away = np.subtract(centroid(held(page), 250, 255), plane(page, OWN).at(BALL_MM))
    assert np.hypot(*away) * np.linalg.norm(plane(page, OWN).right) < AWAY_MM
    shot(page, "registration-held")
    page.keyboard.up("q")
    peek.wait_for(state="detached")


def held(page: Any) -> Any:
    """What is drawn under the held key."""
    width, height, text = page.evaluate(GREYS.replace("querySelector('canvas", "querySelector('.peek canvas"), OWN)
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 3)


@pytest.mark.slow
def test_an_earlier_study_goes_along_once_it_is_registered_here_and_in_another_browser(
    browser: Any, beside: Any, followed: Site
) -> None:
    page = beside
    hung(page, "Chest before")
    said(page, "not registered, alone")
    page.keyboard.press("Shift+S")
    page.get_by_text("Proposed: residual").wait_for(timeout=120_000)
    said(page, "together, registered, not accepted, residual")
    scroll_to_the_ball(page)
    goes_along(page)
    page.keyboard.press("Shift+S")
    page.keyboard.press("Enter")
    said(page, "together, registered, residual")
    held_ball(page)
    x, y = plane(page, OWN).at(BALL_MM)
    box = page.locator(".stage > .viewport .canvas").nth(OWN).bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    mark = page.locator(".stage > .viewport").nth(PRIOR).locator("[data-carried]")
    mark.wait_for()
    where = mark.evaluate("e => { const b = e.getBBox(); return [b.x + b.width / 2, b.y + b.height / 2]; }")
    there = plane(page, PRIOR)
    assert np.hypot(*np.subtract(where, there.at(turned(BALL_MM)))) * np.linalg.norm(there.right) < AWAY_MM
    assert page.locator(".stage > .viewport").nth(PRIOR).locator("text.carried").text_content() == "300 HU"
    shot(page, "registration-prior")
    page.keyboard.press("s")
    said(page, "residual")
    said(page, "alone · S pins")
    page.keyboard.press("s")
    said(page, "together, pinned by hand")
    page.keyboard.press("s")
    said(page, "together, registered, residual")

    page.reload()
    page.wait_for_load_state()
    hung(page, "Chest before")
    said(page, "together, registered, residual")
    scroll_to_the_ball(page)
    goes_along(page)
    page.keyboard.press("Home")
    until(lambda: abs(plane(page, OWN).origin[2] - BALL_MM[2]) > 20)
    page.keyboard.press("o")  # the crosshair leaves both where they hang, and brings both to the place pressed
    scroll_to_the_ball(page)
    x, y = plane(page, OWN).at(BALL_MM)
    page.mouse.click(box["x"] + x, box["y"] + y)
    until(lambda: page.locator(".overlay .cross:not([data-carried])").count() == 2)
    goes_along(page)

    other = browser.new_context(base_url=followed.address, storage_state=followed.state)
    second = other.new_page()
    hung(second, "Chest before")
    said(second, "together, registered, residual")
    other.close()


@pytest.mark.slow
def test_an_earlier_pet_lies_on_the_planes_of_today_by_the_registration_of_its_ct_and_not_without_one(
    beside: Any,
) -> None:
    page = beside
    hung(page, "Chest at first")
    page.keyboard.press("u")  # a series that was registered before comes first, where there is one
    over = page.get_by_label("What lies over the planes")
    over.select_option(over.locator("option", has_text="PT PET at first").get_attribute("value"))
    page.get_by_text("the earlier PT and CT do not share a frame of reference").first.wait_for(timeout=60_000)
    cut(page)
    assert not colourful(settled(page, AX)).any()

    hung(page, "Chest at first")
    page.keyboard.press("Shift+S")
    page.get_by_text("Proposed: residual").wait_for(timeout=120_000)
    page.keyboard.press("u")
    page.get_by_text("PT over CT, registered, not accepted, residual").first.wait_for(timeout=60_000)
    page.get_by_role("button", name="Accept").click()
    page.get_by_text("PT over CT, registered, residual").first.wait_for(timeout=60_000)
    cut(page)
    page.keyboard.press("1")
    to_the_ball(page)
    on_the_ball(page)
    said_over = page.locator(".corner.br").nth(AX).inner_text()
    assert "PRIOR 2025-10-06" in said_over, "nobody takes it for uptake of today"
    shot(page, "registration-prior-fused")

    page.keyboard.press("u")  # the next that lies here: the CT of that day, brightest in its ball
    page.get_by_text("CT over CT, registered, residual").first.wait_for(timeout=60_000)
    page.reload()
    hung(page, "Chest at first")
    page.keyboard.press("u")
    page.get_by_text("PT over CT, registered, residual").first.wait_for(timeout=60_000)
    cut(page)
    to_the_ball(page)
    on_the_ball(page)


def same_planes(page: Any, number: int) -> None:
    """The plane of the earlier study is that of today at the same place and angle, and its ball lies on the truth."""

    def unlike() -> float:
        own, its = plane(page, number), plane(page, 3 + number)
        normals = [np.cross(one.right, one.down) for one in (own, its)]
        here, there = (one / np.linalg.norm(one) for one in normals)
        angle = np.degrees(np.arccos(min(1.0, float(there @ (turned(here) - SHIFT)))))
        off = (turned(own.origin) - its.origin) @ there
        return max(abs(off), angle)

    until(lambda: unlike() < 0.3, 30)
    its = plane(page, 3 + number)
    seen = centroid(settled(page, 3 + number), 250, 255)
    assert np.subtract(seen, its.at(turned(BALL_MM))) == pytest.approx([0, 0], abs=1.5)


@pytest.mark.slow
def test_planes_go_through_an_earlier_study_as_they_go_through_todays(beside: Any) -> None:
    page = beside
    hung(page, "Chest before")
    page.keyboard.press("Shift+S")
    page.get_by_text("Proposed: residual").wait_for(timeout=120_000)
    page.get_by_role("button", name="Accept").click()
    said(page, "together, registered, residual")
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".stage > .viewport").count() == 6)
    until(lambda: all(lit(page, n) > 0.02 for n in range(6)), 60)
    page.keyboard.press("1")
    go_to(page, 2, BALL_MM)
    until(lambda: abs(plane(page, 0).origin[2] - BALL_MM[2]) < SPACING[0])
    go_to(page, 0, BALL_MM)
    until(lambda: abs(plane(page, 2).origin[1] - BALL_MM[1]) < SPACING[1])
    for number in range(3):
        same_planes(page, number)
        corner = page.locator(".corner.tl").nth(3 + number).inner_text()
        assert "PRIOR 2026-04-02" in corner and "together, registered, residual" in corner
    page.locator(".stage > .viewport .canvas").nth(0).click(button="middle")
    page.keyboard.press("Shift+ArrowRight")  # the others turn about the axis of the body, by five degrees
    until(lambda: abs(plane(page, 2).right[1]) > 0.01)
    for number in (1, 2):
        same_planes(page, number)
    shot(page, "registration-planes")
    page.keyboard.press("Shift+L")
    until(lambda: page.locator(".stage > .viewport").count() == 2)

    hung(page, "Knee before")
    page.keyboard.press("Shift+L")
    page.get_by_text("the earlier study has no planes here: nothing joins its space to this one").wait_for()
    until(lambda: page.locator(".stage > .viewport").count() == 4)


@pytest.mark.slow
def test_a_registration_is_refused_in_words_and_esc_stops_one(beside: Any) -> None:
    page = beside
    hung(page, "Knee before")
    said(page, "not registered, alone")
    page.keyboard.press("Shift+S")
    page.get_by_text("they show different parts of the body").wait_for()
    asked: list[str] = []
    page.route("**/register", lambda route: asked.append(route.request.method))  # never answered
    page.route(
        "**/register/*",
        lambda route: (asked.append(route.request.method), route.fulfill(json={"part": 0.25})),
    )
    page.keyboard.press("Shift+S")
    page.get_by_text("Registering, 25 % of the longest way").wait_for()
    shot(page, "registration-computing")
    page.keyboard.press("Escape")
    until(lambda: asked[-1] == "DELETE")
    page.get_by_text("CT and CT share no frame of reference").wait_for()
    assert "/study/" in page.url, "it is the registration that ends, not the reading"
