"""A parametric map over its images, in a real browser: colours, volumes and values against a map that is known."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from browser_eyes import Site, faults, lit, shot, until
from own_archive import own_archive
from stage_phantoms import BALL_MM, body, stack
from test_browser_stage import AX, COR, SAG, plane, planes, settled, to_the_ball

from isocenter.forms import maps
from isocenter.forms.colours import inferno
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Curve, Event, Kind, Map, Origin, Outcome, Result, Threshold, canonical
from isocenter.site.verbs import Site as Archive
from isocenter.site.volumes import volumes_of
from isocenter.space import Geometry, Volume

pytestmark = pytest.mark.browser

FLOW = "mL/(100.g)/min"


def late(grid: Geometry) -> npt.NDArray[np.float32]:
    """A quarter of the distance from the ball, in s: 3 s is its surface. Nothing is known outside of the body."""
    where = grid.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1))
    away = np.linalg.norm(where - BALL_MM, axis=-1) / 4
    return np.where(body() > -500, away, np.nan).astype(np.float32)


def flow(grid: Geometry) -> npt.NDArray[np.float32]:
    """60 everywhere, and 10 in one block that touches an edge."""
    values = np.full(grid.shape, 60, np.float32)
    values[:4, :10, :8] = 10
    return values


def answered(archive: Archive) -> None:
    """A machine's answer on the study, with two maps, their thresholds, and the curves behind them."""
    study = archive.index.study(archive.index.studies()[0].uid)
    grid = volumes_of(study.series[0], archive.blobs.get)[0].geometry
    made = []
    for name, values, unit, rule in (
        ("Tmax", late(grid), "s", Threshold("Tmax above 6 s: hypoperfused", low=6.0)),
        ("CBF", flow(grid), FLOW, Threshold("flow below 30 % of normal: core, where hypoperfused", high=18.0)),
    ):
        digest = archive.blobs.put(maps.pack(Volume(values, grid)))
        made.append(
            Map(name, f"{name} of a phantom", unit, grid, digest, "parametric", study.series[0].uid, 0, 30, (rule,))
        )
    times = tuple(float(t) for t in range(0, 60, 2))
    lines = {
        name: tuple(100 * float(np.exp(-(((t - peak) / 8) ** 2))) for t in times)
        for name, peak in (("artery", 18), ("vein", 26))
    }
    curve = Curve("Arterial input and venous output", times, "time", "s", lines, "[hnsf'U]")
    result = Result(
        study.uid, Outcome.NONE, Origin("machine", "ct_perfusion", "1"), archive.clock(), maps=tuple(made),
        curves=(curve,),
    )  # fmt: skip
    archive.set_mode("ct_perfusion", Use.READING, Mode.CONCURRENT, reason="a phantom")
    digest = archive.blobs.put(canonical(result))
    archive.journal.append(Event(Kind.RESULT_MADE, archive.clock(), "isocenter", study.uid, {"result": digest}))


@pytest.fixture(scope="module")
def site(browser: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    files = stack(body(), "Maps of a phantom", "CT")
    with own_archive(browser, tmp_path_factory.mktemp("maps"), files, answered) as there:
        yield there


PAINTED = """number => {
  const place = document.querySelectorAll('.stage > .viewport')[number];
  const canvas = place.querySelector('canvas.map');
  if (!canvas) return null;
  const pixels = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height).data;
  let text = '';
  for (let i = 0; i < pixels.length; i++) text += String.fromCharCode(pixels[i]);
  return [canvas.width, canvas.height, btoa(text)];
}"""


def painted(page: Any, viewport: int) -> npt.NDArray[np.uint8]:
    """(rows, columns, 4): the map alone, as it is drawn over a viewport."""
    width, height, text = until(lambda: page.evaluate(PAINTED, viewport))
    return np.frombuffer(base64.b64decode(text), np.uint8).reshape(height, width, 4)


def volume(page: Any) -> float:
    return float(page.locator("[data-volume]").first.get_attribute("data-volume"))


GRID = Geometry.regular(shape=(40, 96, 96), spacing_mm=(3, 2, 2), origin_mm=(-95.0, -95.0, -58.5))
VOXEL_ML = 0.012


@pytest.fixture
def opened(page: Any) -> Callable[[], None]:
    def open_() -> None:
        study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
        page.goto(f"/study/{study}")
        page.locator(".corner.tr").first.wait_for()
        until(lambda: lit(page) > 0.02)
        page.locator(".map-panel").wait_for()

    return open_


@pytest.mark.slow
def test_a_map_lies_on_its_anatomy_and_its_volumes_are_those_of_its_voxels(
    page: Any, opened: Callable[[], None]
) -> None:
    opened()
    truth = late(GRID).astype(np.float16).astype(np.float64)
    page.keyboard.press("1")
    planes(page)
    to_the_ball(page)
    plain = [settled(page, n) for n in (AX, SAG, COR)]
    page.keyboard.press("Shift+M")
    page.get_by_text("Tmax of a phantom").wait_for()

    # every voxel centre in the colour of its value, in all three planes
    slices = {AX: 0, SAG: 2, COR: 1}
    for viewport, axis in slices.items():
        colours, lies = painted(page, viewport), plane(page, viewport)
        at = np.round(GRID.to_index(BALL_MM)).astype(int)
        rest = [a for a in range(3) if a != axis]
        index = np.array([at] * 400)
        rng = np.random.default_rng(axis)
        for a in rest:
            index[:, a] = rng.integers(4, GRID.shape[a] - 4, 400)
        checked = 0
        for one in index:
            x, y = lies.at(GRID.to_patient(one))
            if not (0 <= x < colours.shape[1] and 0 <= y < colours.shape[0]):
                continue
            value = truth[tuple(one)]
            seen = colours[int(y), int(x)]
            if np.isnan(value):
                assert seen[3] == 0, f"nothing is known at {one}"
            else:
                assert np.abs(seen[:3].astype(int) - inferno(np.array(value / 12))).max() <= 1, (viewport, one, value)
            checked += 1
        assert checked > 100
    shot(page, "map-planes")

    # the whole map, a rule by its name, limits by a slider's keys and by a number
    known = np.isfinite(truth)
    assert volume(page) == pytest.approx(np.count_nonzero(known) * VOXEL_ML)
    page.get_by_role("button", name="Tmax above 6 s: hypoperfused").click()
    until(lambda: volume(page) == pytest.approx(np.count_nonzero(truth >= 6) * VOXEL_ML))
    page.get_by_role("button", name="Tmax above 6 s: hypoperfused").click()
    page.get_by_label("Upper limit", exact=True).fill("3")
    page.get_by_label("Upper limit", exact=True).press("Enter")
    until(lambda: volume(page) == pytest.approx(np.count_nonzero(truth <= 3) * VOXEL_ML))
    assert volume(page) == pytest.approx(4 / 3 * np.pi * 12**3 / 1000, rel=0.03), "the ball"
    colours, lies = painted(page, AX), plane(page, AX)
    rows, columns = np.nonzero(colours[..., 3])
    assert (columns.mean() + 0.5, rows.mean() + 0.5) == pytest.approx(lies.at(BALL_MM), abs=1.0)
    assert np.sqrt(len(rows) * float(lies.right @ lies.right) / np.pi) == pytest.approx(12.0, abs=0.8)
    slider = page.get_by_label("Lower limit, slider")
    slider.focus()
    for _ in range(20):
        page.keyboard.press("ArrowRight")
    low = 20 * 12 / 240
    until(lambda: volume(page) == pytest.approx(np.count_nonzero((truth >= low) & (truth <= 3)) * VOXEL_ML))

    # the value under the cursor, in one plane and linked to the others
    x, y = lies.at(BALL_MM + np.array([9.0, 1.0, 0]))
    box = page.locator(".stage > .viewport .canvas").nth(AX).bounding_box()
    page.mouse.move(box["x"] + x, box["y"] + y)
    at = np.round(GRID.to_index([*(lies.origin + x * lies.right + y * lies.down)])).astype(int)
    until(lambda: page.locator("[data-cursor] strong").count())
    told = float(page.locator("[data-cursor] strong").inner_text().split("\u2009")[0])
    assert told == pytest.approx(truth[tuple(at)], rel=5e-3)
    assert page.locator("[data-linked]").count() == 2, "the image beside it and the coronal plane hold that place too"
    page.mouse.move(5, 5)

    # weaker and stronger, and gone without a trace while H is held and after the last map
    page.keyboard.press("Escape")  # out of the slider, where single keys are dead
    canvas = page.locator("canvas.map").first
    before = float(canvas.evaluate("one => getComputedStyle(one).opacity"))
    page.keyboard.press("[")
    until(lambda: float(canvas.evaluate("one => getComputedStyle(one).opacity")) == pytest.approx(before - 0.1))
    page.keyboard.down("h")
    until(lambda: page.locator("canvas.map").count() == 0)
    page.keyboard.up("h")
    page.keyboard.press("Shift+M")
    page.get_by_text("CBF of a phantom").wait_for()
    page.get_by_role("button", name="flow below 30 %").click()
    until(lambda: volume(page) == pytest.approx(4 * 10 * 8 * VOXEL_ML))
    page.keyboard.press("Shift+M")
    until(lambda: page.locator("canvas.map").count() == 0)
    for number, was in zip((AX, SAG, COR), plain, strict=True):
        assert np.array_equal(settled(page, number), was)


def test_the_curves_stand_as_a_plot_and_as_a_table(page: Any, opened: Callable[[], None]) -> None:
    opened()
    page.keyboard.press("Shift+M")
    figure = page.locator(".curve-of-map")
    figure.wait_for()
    label = figure.get_by_role("img").get_attribute("aria-label")
    assert label == (
        "Arterial input and venous output: artery highest at 18 s with 100 HU; vein highest at 26 s with 100 HU"
    )
    figure.get_by_text("As a table").click()
    row = figure.get_by_role("row").filter(has=page.get_by_role("rowheader", name="18", exact=True))
    assert row.get_by_role("cell").all_inner_texts() == ["100", "36.8"]
    figure.scroll_into_view_if_needed()
    shot(page, "map-panel-dark")
    page.evaluate("document.documentElement.dataset.theme = 'light'")
    shot(page, "map-panel-light")


@pytest.mark.slow
def test_the_panel_of_maps_has_no_fault(page: Any, opened: Callable[[], None], axe: str) -> None:
    opened()
    page.keyboard.press("Shift+M")
    page.locator(".map-bar").first.wait_for()
    assert faults(page, axe) == []
