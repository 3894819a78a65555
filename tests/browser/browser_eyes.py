"""How the browser tests look at a page: waiting on a condition, pictures for people, how much of an image is lit."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SHOTS = Path(__file__).parents[2] / "artefacts/browser"
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-unsafe-swiftshader",
]


_PAUSE = threading.Event()


def until(look: Callable[[], Any], seconds: float = 20.0) -> Any:
    """What `look` says as soon as it says something; fails with its last word after the deadline."""
    end = time.monotonic() + seconds
    while True:
        said = look()
        if said:
            return said
        assert time.monotonic() < end, f"nothing after {seconds} s: {said!r}"
        _PAUSE.wait(0.02)  # leaves the processor to what is waited for


@dataclass(frozen=True)
class Site:
    """A running demonstration: its address, the cookies of somebody who has signed in, and how long it took from an
    empty folder to the first page."""

    address: str
    state: dict[str, Any]
    seconds: float = 0.0


def left_on(page: Any, name: str) -> str:
    """A picture of the page of a test that failed; its address, and what it says."""
    try:
        page.set_default_timeout(3000)
        shot(page, name)
        said = page.evaluate("document.body.innerText").replace("\n", " ")[:600]
        return f"{page.url}: {said!r}"
    except Exception as error:  # a page that does not answer is what is to be told
        return f"{page.url}: no answer, {str(error).splitlines()[0]}"


def shot(page: Any, name: str) -> None:
    """Keep a picture of the page, for people to look at."""
    SHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SHOTS / f"{name}.png")


LIT = """number => {
  const canvas = [...document.querySelectorAll('.viewport canvas.cornerstone-canvas')][number];
  if (!canvas || !canvas.width || !canvas.height) return 0;
  const copy = document.createElement('canvas');
  [copy.width, copy.height] = [canvas.width, canvas.height];
  const pen = copy.getContext('2d');
  pen.drawImage(canvas, 0, 0);
  const pixels = pen.getImageData(0, 0, copy.width, copy.height).data;
  let lit = 0;
  for (let i = 0; i < pixels.length; i += 4) if (pixels[i] + pixels[i + 1] + pixels[i + 2] > 60) lit += 1;
  return lit / (pixels.length / 4);
}"""


def lit(page: Any, viewport: int = 0) -> float:
    """Which share of a viewport is not black."""
    return float(page.evaluate(LIT, viewport))


def lock(page: Any, study: str) -> None:
    """Read a study and give the first opinion: nothing to report. What machines say is on screen then."""
    read(page, study)
    reading = lambda: page.request.get(f"/api/readings/{study}").json()  # noqa: E731
    until(lambda: reading()["by"])
    if reading()["opinion"]["asked"] and not reading()["opinion"]["locked"]:
        page.get_by_label("In one line").wait_for()
        page.keyboard.press("0")
    page.get_by_role("heading", name="Findings").first.wait_for()


def read(page: Any, study: str) -> None:
    """Open a study in the reading room and wait for its first picture."""
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").wait_for()
    until(lambda: lit(page) > 0.02)


def faults(page: Any, axe: str) -> list[str]:
    """What axe-core finds wrong with the page as it stands."""
    page.evaluate(axe)
    told = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        f"{one['id']}: {node['html'][:160]} {node['failureSummary'][:200]}"
        for one in told["violations"]
        for node in one["nodes"]
    ]


def addresses(study: str, model: str = "chest_xray_opacity") -> dict[str, list[str]]:
    """Every view of the house by its place in the rail, with a study and a model where a view is about one."""
    department = ("alerts", "orders", "performed", "work", "messages", "peers", "rejected", "identities")
    cohort = ("", "/plots", "/percentiles", "/survival", "/compare", "/train", "/federated", "/hand-out")
    oversight = ("audit?q=who:admin", "turnaround?span=waiting&by=site&target=20", "peer", "readers?by=reader",
                 f"triage?analysis={model}", "followups?state=all", "double", f"view/{study}")  # fmt: skip
    return {
        "worklist": ["/worklist?q=mod:CT"],
        "study": [f"/study/{study}", f"/study/{study}/why", f"/report/{study}", f"/headset/{study}"],
        "patients": [f"/patients/{study}"],
        "segment": ["/segment"],
        "department": [f"/department/{one}" for one in department],
        "analyses": ["/analyses/volumetry", "/analyses"],
        "models": [
            "/models",
            f"/models/{model}",
            *(f"/models/{model}/{one}" for one in ("gate", "wrong_cases", "compare")),
        ],
        "cohorts": [f"/cohorts/ask{one}?q=modality:CT" for one in cohort],
        "sharing": ["/sharing", "/sharing/consent", "/sharing/ledger?since=2026-01-01", f"/sharing/preview/{study}"],
        "oversight": [f"/oversight/{one}" for one in oversight],
        "settings": [f"/settings{one}" for one in ("", "/site", "/people", "/system", "/projects")],
    }


def parts_alone(page: Any, settings: dict[str, Any] | None = None) -> None:
    """The first answer of a page without its list: each part is asked for at its own address, where a test answers.

    Args:
        settings: what the person shall have set, where it is to be another than it is.
    """

    def told(route: Any) -> None:
        first = route.fetch().json()
        route.fulfill(json={"me": first["me"], "settings": settings or first["settings"]})

    page.route("**/api/begin?*", told)
