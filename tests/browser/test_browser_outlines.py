"""A machine's outline in three planes, against the place where it was put: within one pixel of the screen."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, lit, shot, until
from own_archive import own_archive
from stage_phantoms import BALL_MM, RADIUS_MM, body, stack
from test_browser_stage import AX, COR, SAG, plane, planes, to_the_ball

from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Finding, Kind, Origin, Outcome, Result, canonical, codes
from isocenter.site.verbs import Site as Archive
from isocenter.site.volumes import volumes_of
from isocenter.space import Region, Shape

pytestmark = pytest.mark.browser


def outlined(archive: Archive) -> None:
    """A machine's answer: the voxels of the ball, as they were made."""
    study = archive.index.study(archive.index.studies()[0].uid)
    grid = volumes_of(study.series[0], archive.blobs.get)[0].geometry
    where = Region(grid, Shape.MASK, body() == 60, series_uid=study.series[0].uid, label="ball")
    found = Finding(codes.REGION, where=where, words="The ball", tracking="2.25.71")
    result = Result(study.uid, Outcome.FOUND, Origin("machine", "volumetry", "1"), archive.clock(), findings=(found,))
    archive.set_mode("volumetry", Use.READING, Mode.CONCURRENT, reason="a phantom")
    digest = archive.blobs.put(canonical(result))
    archive.journal.append(Event(Kind.RESULT_MADE, archive.clock(), "isocenter", study.uid, {"result": digest}))


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with own_archive(browser, tmp_path_factory.mktemp("outlines"), stack(body(), "Ball", "CT"), outlined) as there:
        yield there


# The middle of what an outline encloses (not of its box), and its area, in pixels of the canvas.
ENCLOSED = """number => {
  const place = document.querySelectorAll('.stage > .viewport')[number];
  const line = place?.querySelector('.sections g[data-finding] path.line, .overlay g[data-finding] path.line');
  const told = line?.getAttribute('d');
  if (!told || (told.match(/M/g) ?? []).length !== 1) return null;
  const points = told.replace(/[MLZz]/g, ' ').trim().split(/[\\s,]+/).map(Number);
  let [area, x, y] = [0, 0, 0];
  for (let i = 0; i < points.length; i += 2) {
    const [a, b, c, d] = [0, 1, 2, 3].map(n => points[(i + n) % points.length]);
    const cross = a * d - c * b;
    area += cross / 2; x += (a + c) * cross / 6; y += (b + d) * cross / 6;
  }
  return { area: Math.abs(area), x: x / area, y: y / area, dashed: line.classList.contains('dashed') };
}"""


def test_the_outline_is_centred_on_the_truth_within_a_pixel_in_every_plane(page: Any) -> None:
    study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").first.wait_for()
    until(lambda: lit(page) > 0.02)
    page.keyboard.press("1")
    planes(page)
    to_the_ball(page)
    for viewport in (0, AX, SAG, COR):

        def lies(viewport: int = viewport) -> bool:
            drawn, there = page.evaluate(ENCLOSED, viewport), plane(page, viewport)
            if not drawn:
                return False
            x, y = there.at(BALL_MM)
            radius = np.sqrt(drawn["area"] * float(np.linalg.norm(there.right) * np.linalg.norm(there.down)) / np.pi)
            said = (drawn["x"] - x, drawn["y"] - y, radius)
            return drawn["dashed"] and abs(said[0]) <= 1 and abs(said[1]) <= 1 and abs(radius - RADIUS_MM) < 0.5

        until(lies)
    shot(page, "outline-planes")
