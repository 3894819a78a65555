"""Series without a common frame of reference: refused in words, registered on request, laid where they belong."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, lit, shot, until
from own_archive import own_archive
from pydicom import dcmread
from stage_phantoms import BALL_MM, SHAPE, body, stack
from test_browser_stage import AX, COR, SAG, colourful, picture, plane, settled, to_the_ball

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
    values = body()
    tracer = np.where(values == 60, 8.0, np.where(values > -500, 1.0, 0.0))
    coarse = tracer.reshape(SHAPE[0] // 2, 2, SHAPE[1] // 2, 2, SHAPE[2] // 2, 2).mean(axis=(1, 3, 5))
    pet = stack(coarse, "Apart", "PET", frame="two", number=2, modality="PT")
    return [*stack(values, "Apart", "CT"), *map(elsewhere, pet)]


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
        until(lambda viewport=viewport: colourful(picture(page, viewport)).any(), 60)
        rows, columns = np.nonzero(colourful(settled(page, viewport)))
        lies = plane(page, viewport)
        away = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) - lies.at(BALL_MM)
        assert np.hypot(*away) * np.linalg.norm(lies.right) < AWAY_MM, viewport


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

    page.reload()  # and it is kept
    page.locator(".corner.tr").first.wait_for()
    cut(page)
    to_the_ball(page)
    page.get_by_text("PT over CT, registered, residual").first.wait_for(timeout=60_000)
    on_the_ball(page)
