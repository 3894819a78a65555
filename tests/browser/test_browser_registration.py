"""Two series without a common frame of reference: refused in words, registered on request, and looked at."""

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
from test_browser_stage import AX, colourful, picture, plane, planes, settled, to_the_ball

pytestmark = pytest.mark.browser

SHIFT = np.array([10.0, -8.0, 12.0])


def elsewhere(data: bytes) -> bytes:
    """The same image, lying somewhere else."""
    ds = dcmread(io.BytesIO(data))
    ds.ImagePositionPatient = [float(v) for v in np.array(ds.ImagePositionPatient, float) + SHIFT]
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def files() -> list[bytes]:
    """A CT, and a PET of the same body that lies 17.5 mm off, in a frame of its own."""
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
    until(lambda: lit(page) > 0.02)
    page.keyboard.press("1")
    planes(page)


def on_the_ball(page: Any) -> None:
    until(lambda: colourful(picture(page, AX)).any(), 60)
    rows, columns = np.nonzero(colourful(settled(page, AX)))
    lies = plane(page, AX)
    away = np.array([columns.mean() + 0.5, rows.mean() + 0.5]) - lies.at(BALL_MM)
    off_mm = np.hypot(*away) * np.linalg.norm(lies.right)
    assert off_mm < np.hypot(*SHIFT[:2]) / 2, (
        "the tracer lies on the ball that took it up, and not where its header says"
    )


def test_what_shares_no_frame_is_refused_and_joined_by_a_registration(page: Any) -> None:
    opened(page)
    to_the_ball(page)
    page.keyboard.press("u")
    page.get_by_text("PT and CT do not share a frame of reference").first.wait_for()
    assert not colourful(settled(page, AX)).any()
    page.get_by_role("button", name="Register", exact=True).click()
    page.get_by_text("Registered, not accepted: residual").wait_for(timeout=60_000)
    page.get_by_text("PT over CT, registered, not accepted, residual").first.wait_for()
    on_the_ball(page)
    shot(page, "registration-proposed")
