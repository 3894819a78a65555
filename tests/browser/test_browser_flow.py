"""Planes across the limbs of a vessel whose flow is known, drawn in a real browser: by mouse, by keys, and refused."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from browser_eyes import Site, faults, read, shot, until
from own_archive import own_archive
from test_browser_marks import walk

from isocenter.govern.policy import HOUSE
from isocenter.site.probing import Across
from isocenter.site.verbs import Site as Archive
from isocenter.testing.phantoms import balls, flow_mr

pytestmark = [pytest.mark.browser, pytest.mark.slow]  # the scan is corrected in a process of its own, once

SHAPE, MM = (12, 38, 34), 2.5
BELOW_MM = -18.0  # of the ring, where both limbs run straight from head to foot
LIMBS_MM = (-26.0, 26.0)  # from front to back
FIRST_S = 240.0


@pytest.fixture(scope="module")
def made() -> Any:
    return flow_mr.patient(shape=SHAPE)


@pytest.fixture(scope="module")
def shelf(browser: Any, tmp_path_factory: pytest.TempPathFactory, made: Any) -> Iterator[tuple[Site, Archive]]:
    held: list[Archive] = []
    files = [*made.files, *balls.patient(seed=3).files]
    with own_archive(browser, tmp_path_factory.mktemp("flow"), files, held.append) as there:
        yield there, held[0]


@pytest.fixture(scope="module")
def site(shelf: tuple[Site, Archive]) -> Site:
    return shelf[0]


def opened(page: Any, study: str) -> None:
    """The study in the room, with a sagittal image near the middle of the cane."""
    read(page, study)
    until(lambda: page.request.get(f"/api/readings/{study}").json()["by"])
    page.get_by_role("region", name="Flow through planes").wait_for()
    corner = page.locator(".corner.tr").first
    page.keyboard.press("Home")
    until(lambda: corner.inner_text().startswith("1/"))
    for _ in range(10):
        page.keyboard.press("PageDown")
    until(lambda: corner.inner_text().startswith("6/12 · phase 1/"))


def canvas_of(page: Any, y_mm: float, z_mm: float) -> tuple[float, float]:
    """Where a place of the sagittal image lies in the window: the whole image is shown, and fills its viewport."""
    box = page.locator(".viewport canvas.cornerstone-canvas").first.bounding_box()
    _, rows, columns = SHAPE
    scale = min(box["width"] / (columns * MM), box["height"] / (rows * MM))
    middle_z = (0.42 - 0.5) * (rows - 1) * MM
    across, down = box["width"] / 2 + y_mm * scale, box["height"] / 2 - (z_mm - middle_z) * scale
    return box["x"] + across, box["y"] + down


def draw(page: Any, y_mm: float, z_mm: float = BELOW_MM, half_mm: float = 8.0) -> dict[str, Any]:
    """A line from front to back by mouse; what the page then asks of the server."""
    left, right = (canvas_of(page, y_mm + d, z_mm) for d in (-half_mm, half_mm))
    with page.expect_request(lambda request: request.url.endswith("/flow")) as asked:
        page.mouse.move(*left)
        page.mouse.down()
        page.mouse.move(*right, steps=4)
        page.mouse.up()
    return dict(asked.value.post_data_json)


def crossing(page: Any) -> tuple[float, float]:
    """Where the cross stands on the canvas."""
    x, y = page.locator("[data-cross]").get_attribute("d")[1:].split("h")[0].split()
    return float(x) + 10, float(y)


def told(page: Any, name: str) -> list[float]:
    """Numbers of the panel under one name, of each plane in their order."""
    values = page.locator(f".flow-panel [data-flow={name}]")
    return [float(one) for one in values.evaluate_all("all => all.map(one => one.dataset.value)")]


def test_two_limbs_of_a_vessel_carry_the_flow_that_is_known(
    page: Any, shelf: tuple[Site, Archive], made: Any, axe: str
) -> None:
    study = made.truth["study_uid"]
    opened(page, study)
    page.keyboard.press("Shift+N")
    page.get_by_role("button", name=re.compile("^Flow")).wait_for()
    first = draw(page, LIMBS_MM[0])
    panel = page.get_by_role("region", name="Flow through planes")
    panel.get_by_text("Correcting the scan").wait_for()
    until(lambda: int(panel.locator("[data-waited]").inner_text().split()[0]) >= 1)
    shot(page, "flow-waiting")
    until(lambda: len(told(page, "net_ml")) == 1, FIRST_S)
    (plane,) = first["planes"]
    assert plane["point_mm"] == pytest.approx([1.25, LIMBS_MM[0], BELOW_MM], abs=1.0)
    assert [abs(part) for part in plane["normal"]] == pytest.approx([0, 0, 1], abs=0.03), "the plane holds the line"
    assert panel.locator("[data-difference]").count() == 0
    (first_ml,) = told(page, "net_ml")

    # the other limb by keys alone: the cross is moved from where the mouse was left, and a line ends where it began
    with page.expect_request(lambda request: request.url.endswith("/flow")) as asked:
        x, y = crossing(page)
        box = page.locator(".viewport canvas.cornerstone-canvas").first.bounding_box()
        (left, at), (right, _) = (canvas_of(page, LIMBS_MM[1] + d, BELOW_MM) for d in (-8.0, 8.0))
        walk(page, left - box["x"] - x, at - box["y"] - y)
        page.keyboard.press("Enter")
        walk(page, right - left, 0)
        page.keyboard.press("Enter")
    second = asked.value.post_data_json
    until(lambda: len(told(page, "net_ml")) == 2, FIRST_S)
    until(lambda: told(page, "lost_percent"))
    assert second["planes"][0] == plane, "the first is inflow"
    known = shelf[1].probing.flow(study, [Across(**one) for one in second["planes"]], who=HOUSE)
    for name in ("net_ml", "forward_ml", "backward_ml", "regurgitant_percent", "p99_m_s", "area_mm2"):
        assert told(page, name) == pytest.approx([one[name] for one in known["planes"]], rel=1e-9), name
    assert told(page, "lost_percent") == pytest.approx([known["lost_percent"]], rel=1e-6, abs=1e-9)
    assert told(page, "net_ml") == pytest.approx([made.truth["net_ml"]] * 2, rel=0.04)
    assert told(page, "regurgitant_percent") == pytest.approx([20.0, 20.0], abs=1.5)
    rates = panel.locator(".table-of-curve td").evaluate_all("all => all.map(one => Number(one.textContent))")
    both = np.array([one["rate_ml_s"] for one in known["planes"]]).T.ravel()
    assert rates == pytest.approx(both.tolist(), rel=0.006), "the curve, to the three figures that are shown"
    assert panel.get_by_text("hardly changes over the beat").count() == 0
    page.keyboard.press("Escape")
    assert faults(page, axe) == []
    shot(page, "flow-two")

    # inflow and outflow exchanged: the sign turns about
    panel.get_by_role("button", name="Exchange").click()
    until(lambda: told(page, "net_ml") == [one["net_ml"] for one in known["planes"]][::-1])
    turned = -known["lost_percent"] * known["planes"][0]["net_ml"] / known["planes"][1]["net_ml"]
    until(lambda: told(page, "lost_percent") == pytest.approx([turned], rel=1e-6, abs=1e-9))

    # beside every vessel: refused in words where the numbers would be, and the plane before it stays
    page.context.expected.append("status of 400")
    kept = told(page, "net_ml")[1]
    page.keyboard.press("Shift+N")
    draw(page, 0.0, -40.0, 3.0)
    refused = panel.get_by_role("alert")
    refused.wait_for()
    assert re.search("outside the vessel.*Set it across the vessel", refused.inner_text())
    assert told(page, "net_ml") == [kept] and panel.locator("[data-difference]").count() == 0
    shot(page, "flow-refused")
    draw(page, LIMBS_MM[0])  # takes the place of what was refused
    until(lambda: told(page, "net_ml") == pytest.approx([kept, first_ml], rel=1e-6))
    assert refused.count() == 0

    page.set_viewport_size({"width": 390, "height": 844})
    panel.scroll_into_view_if_needed()
    wide = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
    assert wide[0] <= wide[1]
    shot(page, "flow-narrow")


def test_a_study_without_flow_offers_no_plane_and_says_why(page: Any, site: Site) -> None:
    rows = page.request.get("/api/worklist?limit=5").json()["rows"]
    study = next(row["study"] for row in rows if "MR" not in row["modalities"])
    read(page, study)
    until(lambda: page.get_by_role("button", name=re.compile("^Length")).count() == 1)
    assert page.get_by_role("button", name=re.compile("^Flow")).count() == 0
    page.keyboard.press("Shift+N")
    page.get_by_text("no plane: flow is measured on MR").wait_for()


def test_a_plane_drawn_while_another_waits_is_asked_for_after_it_and_both_again_with_another_venc(
    page: Any, made: Any
) -> None:
    """The server's part is played here: what is asked of it, in which order, is what is looked at."""
    opened(page, made.truth["study_uid"])
    asked: list[Any] = []
    page.route("**/api/studies/*/flow", lambda route: asked.append(route))
    page.context.expected.append("status of 400")

    def heard() -> int:
        page.evaluate("0")  # lets what waits in the browser come here
        return len(asked)

    panel = page.get_by_role("region", name="Flow through planes")
    page.keyboard.press("Shift+N")
    draw(page, LIMBS_MM[0])
    until(lambda: heard() == 1)
    lines = page.locator(".overlay [data-mark=flow]")
    (left, right) = (canvas_of(page, LIMBS_MM[1] + d, BELOW_MM) for d in (-8.0, 8.0))
    for place in (left, right):
        page.mouse.click(*place)
    until(lambda: lines.count() == 2)
    assert heard() == 1, "one after the other"

    def places(n: int) -> list[int]:
        """On which side of the middle the planes of a request lie, and nothing else."""
        until(lambda: heard() == n)
        return [round(np.sign(one["point_mm"][1])) for one in asked[-1].request.post_data_json["planes"]]

    def through(ml: float) -> dict[str, Any]:
        return {
            "rate_ml_s": [ml, 0.0], "forward_ml": ml, "backward_ml": 0.0, "net_ml": ml, "regurgitant_percent": 0.0,
            "peak_m_s": 1.0, "p99_m_s": 1.0, "area_mm2": 300.0, "steady": False, "turned": False,
        }  # fmt: skip

    def answer(*volumes: float, lost: float | None = None) -> None:
        told_of = {"planes": [through(ml) for ml in volumes], "frame_ms": 40.0, "lost_percent": lost, "remarks": []}
        asked[-1].fulfill(json=told_of)

    refusal = {"what": "no VENC", "why": "the header is silent", "do": "give venc_cm_s", "kind": "Refused"}
    asked[0].fulfill(status=400, json={"error": refusal})
    assert places(2) == [1], "what is refused is not asked for again with the other"
    answer(40.0)
    until(lambda: told(page, "net_ml") == [40.0])
    assert "No VENC: the header is silent. Give venc_cm_s." in panel.get_by_role("alert").inner_text()

    panel.get_by_label("VENC").fill("150")
    panel.get_by_label("VENC").press("Enter")
    assert places(3) == [-1]
    assert asked[-1].request.post_data_json["venc_cm_s"] == 150
    assert told(page, "net_ml") == [], "numbers of another VENC do not stay"
    answer(50.0)
    assert places(4) == [-1, 1]
    answer(50.0, 40.0, lost=20.0)
    until(lambda: told(page, "lost_percent") == [20.0])
    assert told(page, "net_ml") == [50.0, 40.0]

    panel.get_by_role("button", name="Take away: Inflow").click()
    until(lambda: told(page, "net_ml") == [40.0])
    assert lines.count() == 1 and heard() == 4
