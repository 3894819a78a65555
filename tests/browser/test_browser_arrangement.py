"""Stage, layout, planes, slab, zoom and place stand in the room's address, outlive a reload, and lead another person
there; what an address asks for and cannot be had is told, and never an error."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
from browser_eyes import Site, lit, shot, until
from own_archive import own_archive
from stage_phantoms import BALL_MM, BEFORE, SPACING, body, stack
from test_browser_stage import AX, COR, SAG, plane, to_the_ball

pytestmark = pytest.mark.browser

BALL_LIT = 0.005
"""Of a body in 3-D the ball alone is seen: more than this share of the place in which it stands, and not all of it."""


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    bone = 700.0  # of softer things a body in 3-D shows next to nothing
    files = [
        *stack(body(hu=bone), "Chest today", "CT"),
        *stack(body(hu=300.0), "Chest before", "CT", at=BEFORE),
        *stack(body(), "Two series", "first", body_part="PELVIS"),
        *stack(body(hu=300.0), "Two series", "second", number=2, body_part="PELVIS"),
    ]
    with own_archive(browser, tmp_path_factory.mktemp("arranged"), files) as there:
        yield there


def opened(page: Any, query: str = "", *, study: str = "Chest today") -> None:
    rows = page.request.get("/api/worklist?limit=9").json()["rows"]
    page.goto(f"/study/{next(row['study'] for row in rows if row['description'] == study)}{query}")
    until(lambda: lit(page) > BALL_LIT, 60)


def told(page: Any) -> dict[str, str]:
    """What stands behind the question mark."""
    return {name: values[0] for name, values in parse_qs(page.evaluate("location.search.slice(1)")).items()}


def all_planes(page: Any) -> None:
    until(lambda: page.locator(".stage > .viewport").count() == 4, 60)
    until(lambda: all(lit(page, n) > 0.02 for n in (AX, SAG, COR)), 60)


def lies(page: Any, place: int) -> list[float]:
    """Patient's point in the middle of a viewport, and millimetres of a pixel."""
    box = page.locator(".stage > .viewport .canvas").nth(place).bounding_box()
    here = plane(page, place)
    middle = here.origin + here.right * box["width"] / 2 + here.down * box["height"] / 2
    return [*middle, float(np.linalg.norm(here.right))]


@pytest.mark.slow
def test_planes_their_point_slab_and_zoom_outlive_a_reload_and_lead_another_there(
    page: Any, browser: Any, site: Site
) -> None:
    opened(page)
    assert not {"stage", "layout", "at", "slab", "view"} & told(page).keys(), "what comes by itself needs no words"
    page.keyboard.press("Shift+L")
    all_planes(page)
    to_the_ball(page)
    page.keyboard.press("Shift+O")
    page.get_by_label("Slab thickness in mm").fill("14")
    page.keyboard.press("Tab")
    page.locator(".stage > .viewport .canvas").nth(COR).hover()
    page.keyboard.down("Control")
    for _ in range(3):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    until(lambda: "view" in told(page))
    until(lambda: told(page).get("slab") == "mip,14")
    assert told(page)["layout"] == "planes"
    at = [float(part) for part in told(page)["at"].split(",")]
    assert np.abs(np.subtract(at, BALL_MM)).max() <= max(SPACING)
    before = [lies(page, n) for n in (AX, SAG, COR)]
    sent = page.evaluate("location.href")

    def the_same(other: Any) -> None:
        all_planes(other)
        until(lambda: "MIP 14 mm" in other.locator(".corner.bl").nth(COR).inner_text(), 60)
        until(lambda: np.allclose(lies(other, COR), before[COR - 1], atol=0.6), 30)
        for place, was in zip((AX, SAG), before, strict=False):
            depth = {AX: 2, SAG: 0}[place]
            assert abs(lies(other, place)[depth] - was[depth]) < 0.2

    page.reload()
    the_same(page)
    for name in ("layout", "at", "slab", "view", "image"):
        assert told(page)[name] == parse_qs(urlsplit(sent).query)[name][0], "it is not told anew each time"
    shot(page, "arrangement-planes")
    context = browser.new_context(base_url=site.address, storage_state=site.state, viewport=page.viewport_size)
    other = context.new_page()
    page.goto("/worklist")  # two windows of one study would both freeze
    other.goto(sent)
    other.locator(".corner.tr").first.wait_for()
    the_same(other)
    context.close()


@pytest.mark.slow
def test_a_zoomed_image_and_an_earlier_study_come_back(page: Any) -> None:
    opened(page)
    page.locator(".stage > .viewport .canvas").first.hover()
    page.keyboard.down("Control")
    for _ in range(4):
        page.mouse.wheel(0, -120)
    page.keyboard.up("Control")
    until(lambda: told(page).get("view", "").startswith("1:"))
    before = lies(page, 0)
    page.reload()
    page.locator(".corner.tr").first.wait_for()
    until(lambda: np.allclose(lies(page, 0), before, atol=0.2), 30)

    page.keyboard.press("=")
    until(lambda: "view" not in told(page))
    page.get_by_role("button", name="Chest before").click()
    until(lambda: page.locator(".stage > .viewport").count() == 2)
    until(lambda: "beside" in told(page) or "stage" in told(page))
    page.reload()
    until(lambda: "PRIOR" in " ".join(page.locator(".corner.tl").all_inner_texts()), 60)


@pytest.mark.slow
def test_a_body_comes_back_as_it_is_looked_at(page: Any) -> None:
    opened(page, "?layout=3d")
    until(lambda: "3D" in page.locator(".corner.tl").first.inner_text(), 60)
    until(lambda: page.get_by_role("button", name="3D", include_hidden=True).get_attribute("aria-pressed") == "true")
    assert BALL_LIT < lit(page) < 0.1, "the ball, and nothing of the block around it"
    assert sides(page) == ["R", "L", "H", "F"]
    box = page.locator(".stage > .viewport .canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down(button="middle")
    page.mouse.move(x + 180, y)  # half a degree a pixel
    page.mouse.up(button="middle")
    until(lambda: sides(page)[:2] in (["A", "P"], ["P", "A"]), 60)
    turned = sides(page)
    until(lambda: told(page).get("view", "").startswith("1:"), 60)
    page.reload()
    until(lambda: page.locator(".stage .side.left").count() and sides(page) == turned, 90)
    shot(page, "arrangement-3d")


def sides(page: Any, place: int = 0) -> list[str]:
    """Letters at the edges of a place."""
    at = page.locator(".stage > .viewport").nth(place)
    return [at.locator(f".side.{edge}").inner_text() for edge in ("left", "right", "top", "bottom")]


@pytest.mark.slow
def test_series_in_their_places_and_how_each_is_turned_come_back(page: Any) -> None:
    opened(page, study="Two series")
    page.keyboard.press("l")
    until(lambda: page.locator(".stage > .viewport").count() == 2)
    until(lambda: lit(page, 1) > BALL_LIT, 60)
    page.locator(".stage > .viewport .canvas").nth(1).click()
    for key in ("Shift+R", "Shift+F", "i", "ArrowDown"):
        page.keyboard.press(key)
    until(lambda: "turned" in told(page))
    until(lambda: told(page).get("image"))
    names = lambda: page.locator(".stage .corner.tl").all_inner_texts()  # noqa: E731
    numbers = lambda: page.locator(".stage .corner.tr").all_inner_texts()  # noqa: E731
    before = names(), numbers(), sides(page, 0), sides(page, 1)
    assert before[2] != before[3]
    page.reload()
    until(lambda: page.locator(".stage .side.left").count() == 2, 60)
    until(lambda: (names(), numbers(), sides(page, 0), sides(page, 1)) == before, 60)
    shot(page, "arrangement-turned")


def test_on_a_narrow_screen_the_name_at_each_corner_is_whole(page: Any) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    opened(page, "?layout=planes", study="Two series")
    until(lambda: page.locator(".stage > .viewport").count() == 4)
    names = page.locator(".stage .corner.tl")
    until(lambda: all("first" in words for words in names.all_inner_texts()), 60)
    cut = "(one) => one.scrollWidth > one.clientWidth || one.scrollHeight > one.clientHeight + 1"
    assert names.evaluate_all(f"all => all.filter({cut}).length") == 0
    shot(page, "arrangement-narrow")


@pytest.mark.parametrize(
    "asked",
    [
        {
            "stage=99": "stage=99: this study hangs in",
            "layout=9x9": "known are 1x1",
            "at=1,2": "a point is x,y,z in mm",
            "view=1:nan,2,3": "a view is its place",
            "series=1.2.3": "series: this study has no such series",
            "image=1.2.3": "image: this study has no such image",
            "beside=1.2.3": "it is no earlier study of this patient that you may see",
            "window=%3Cb%3E,1": "a window is its centre and its width",
        },
        {
            "stage=x": "stage=x: stages count from 1",
            "layout=planes": "",
            "over=1.2.3": "over: this study has no such series",
            "slab=mip,9000": "a slab is mip, mean or minip",
            "colours=9,1,0,0.5": "colours are their darkest and their brightest value",
        },
    ],
    ids=["images", "planes"],
)
@pytest.mark.slow
def test_what_an_address_asks_for_in_vain_is_told_and_the_study_hangs(
    page: Any, context: Any, asked: dict[str, str]
) -> None:
    context.expected.append("404")  # of the series that there is not
    opened(page, f"?{'&'.join(asked)}")
    page.get_by_text("Of this address not heeded").wait_for()
    said = page.locator(".callout.over").first
    for word in asked.values():
        until(lambda word=word: word in said.inner_text())
    page.get_by_role("button", name="Close", exact=True).click()
    page.get_by_text("Of this address not heeded").wait_for(state="detached")
