"""Any two series of one space over one another: anatomy over anatomy as well as uptake, in colours that readers set."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, lit, shot, until
from own_archive import own_archive
from pydicom import dcmread
from stage_phantoms import SHAPE, body, stack
from test_browser_arrangement import told
from test_browser_stage import AX, colourful, picture, planes, settled, to_the_ball

pytestmark = pytest.mark.browser

MR = "1.2.840.10008.5.1.4.1.1.4"


def magnetic(data: bytes) -> bytes:
    """The same image as MR: arbitrary units, with a window of its own."""
    ds = dcmread(io.BytesIO(data))
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = MR
    for name in ("Units", "SUVType", "RescaleSlope", "RescaleIntercept"):
        del ds[name]
    ds.WindowCenter, ds.WindowWidth = 500, 1000
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def files() -> list[bytes]:
    """A CT, and an MR in its frame that is bright in the ball and dark elsewhere in the body."""
    values = body()
    signal = np.where(values == 60, 9.0, np.where(values > -500, 1.0, 0.0))
    coarse = signal.reshape(SHAPE[0] // 2, 2, SHAPE[1] // 2, 2, SHAPE[2] // 2, 2).mean(axis=(1, 3, 5))
    mr = stack(coarse, "Both", "MR", number=2, modality="MR")
    return [*stack(values, "Both", "CT"), *map(magnetic, mr)]


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_archive(browser, tmp_path_factory.mktemp("fusion"), files()) as there:
        yield there


@pytest.mark.slow
def test_an_mr_over_a_ct_is_coloured_from_where_the_reader_says(page: Any) -> None:
    study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").first.wait_for()
    until(lambda: lit(page) > 0.02)
    planes(page)
    to_the_ball(page)
    assert not colourful(settled(page, AX)).any()
    page.keyboard.press("u")
    page.get_by_text("MR over CT, one frame of reference").first.wait_for()
    until(lambda: colourful(picture(page, AX)).any(), 60)
    all_of_it = int(colourful(settled(page, AX)).sum())
    lowest = page.get_by_label("Nothing is drawn below")
    assert lowest.input_value() == "0", "anatomy is coloured from the foot of its window on"
    shot(page, "fusion-mr-over-ct")
    lowest.fill("500")
    lowest.press("Enter")
    until(lambda: 0 < int(colourful(picture(page, AX)).sum()) < all_of_it, 30)
    ball = int(colourful(settled(page, AX)).sum())
    bright = page.get_by_label("The brightest colour")
    bright.fill("100000")  # nothing comes near: the ball turns dark
    bright.press("Enter")
    until(lambda: int(colourful(picture(page, AX)).sum()) < ball / 2, 30)
    page.locator("summary", has_text="Fuse").click()
    page.get_by_role("button", name="Fuse").click()
    page.get_by_text("MR over CT").first.wait_for(state="detached")
    assert not colourful(settled(page, AX)).any()


@pytest.mark.slow
def test_what_lies_over_says_that_it_is_not_whole_until_it_is(page: Any) -> None:
    row = page.request.get("/api/worklist?limit=5").json()["rows"][0]
    told = page.request.get(f"/api/studies/{row['study']}").json()
    mr = next(one["uid"] for one in told["series"] if one["modality"] == "MR")
    page.context.expected += ["Failed to load resource", "Failed to fetch"]  # one image is lost on the way
    held: list[Any] = []
    url = f"**/series/{mr}/slab**"
    page.route(url, lambda route: route.continue_() if "first=0&" in route.request.url else held.append(route))
    page.goto(f"/study/{row['study']}")
    page.locator(".corner.tr").first.wait_for()
    until(lambda: lit(page) > 0.02)
    planes(page)
    page.keyboard.press("u")
    page.get_by_text("MR over CT, one frame of reference").first.wait_for()
    lacking = page.get_by_text("MR not whole: ")
    lacking.first.wait_for()
    until(lambda: lacking.first.inner_text().endswith(f"of {SHAPE[0] // 2} images") and held)  # asking lets them come
    shot(page, "fusion-not-whole")
    held.pop().abort()
    until(lambda: "did not come" in lacking.first.inner_text())
    page.unroute(url)
    until(lambda: "over=" in page.evaluate("location.href"))
    page.reload()  # the address lays it there again
    page.locator(".corner.tr").first.wait_for()
    until(lambda: lit(page) > 0.02)
    page.get_by_text("MR over CT, one frame of reference").first.wait_for()
    lacking.first.wait_for(state="detached")


@pytest.mark.slow
def test_colours_opacity_and_the_window_of_planes_outlive_a_reload_and_lead_another_there(
    page: Any, browser: Any, site: Site
) -> None:
    study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    page.goto(f"/study/{study}")
    until(lambda: lit(page) > 0.02, 60)
    planes(page)
    page.keyboard.press("u")
    page.get_by_text("MR over CT, one frame of reference").first.wait_for()
    until(lambda: "over" in told(page), 30)
    assert "colours" not in told(page), "what comes by itself needs no words"
    fields = {"The darkest colour": "100", "The brightest colour": "8000", "Nothing is drawn below": "500"}
    for name, value in fields.items():
        page.get_by_label(name).fill(value)
        page.get_by_label(name).press("Enter")
    page.locator(".stage > .viewport .canvas").nth(AX).click()
    page.keyboard.press("[")
    page.keyboard.press("3")
    until(lambda: told(page).get("colours") == "100,8000,500,0.5" and "window" in told(page), 30)
    sent, corner = page.evaluate("location.href"), page.locator(".corner.bl").nth(AX).inner_text()

    def the_same(other: Any) -> None:
        other.get_by_text("MR over CT, one frame of reference").first.wait_for()
        for name, value in fields.items():
            until(lambda name=name, value=value: other.get_by_label(name).input_value() == value, 60)
        assert other.get_by_label("Opacity").input_value() == "0.5"
        until(lambda: other.locator(".corner.bl").nth(AX).inner_text() == corner, 60)

    page.reload()
    the_same(page)
    page.locator(".stage > .viewport .canvas").nth(AX).click()
    page.keyboard.press("]")  # the address is written anew, and says the rest as it did
    until(lambda: told(page).get("colours") == "100,8000,500,0.6", 30)
    assert "window" in told(page)
    page.goto("/worklist")  # two windows of one study would both freeze
    context = browser.new_context(base_url=site.address, storage_state=site.state, viewport=page.viewport_size)
    other = context.new_page()
    other.goto(sent)
    the_same(other)
    context.close()
