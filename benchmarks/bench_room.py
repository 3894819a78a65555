"""The reading room in a real browser with software rendering, on loopback: how long a reader waits for images.

python benchmarks/bench_room.py [--repeat 3] [--long 2500]

A fresh archive with synthetic CT series (96 slices of 256 x 256, 174 of 512 x 512, and one of thousands of 64 x 64),
one server and one headless Chromium on the same processor. Times are taken inside the page: from the click on the
series to the picture. Needs Chromium and the extra `test`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/browser"))
from browser_eyes import FLAGS, until

from isocenter.testing.phantoms.patient import Person, new, put_pixels, written

WEB = Path(__file__).parents[1] / "src/isocenter/doors/web"
GOALS_MS = {"first image": 500, "volume complete": 1000, "slice to slice": 40}
SECONDS = 600  # a machine that is busy takes its time


def series(name: str, slices: int, edge: int, number: int) -> Iterator[bytes]:
    """A CT with a texture that no compression flatters."""
    person = Person("ISO-BENCH", "PHANTOM^BENCH", "O", "19700101", 1.7, 70.0)
    rng = np.random.default_rng(number)
    noise = rng.integers(900, 1200, (edge, edge), dtype=np.uint16)
    ds = new("bench", person, seed=1, sop_class="1.2.840.10008.5.1.4.1.1.2", modality="CT", study="Bench chest",
             series=name, at=datetime(2026, 11, 1, 9), series_number=number, body_part="CHEST")  # fmt: skip
    ds.FrameOfReferenceUID, ds.PixelSpacing = f"1.2.3.{number}", [400 / edge, 400 / edge]
    ds.ImageOrientationPatient, ds.SliceThickness = [1, 0, 0, 0, 1, 0], 1.0
    ds.RescaleSlope, ds.RescaleIntercept, ds.WindowCenter, ds.WindowWidth = 1, -1024, 40, 400
    for k in range(slices):
        ds.ImagePositionPatient = [-200.0, -200.0, float(k)]
        put_pixels(ds, np.roll(noise, k * 7, axis=0), bits=16)
        yield written(ds, k + 1)


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """A server on that archive; gives its sign-in link."""
    call = "from isocenter.cli import main; main()"
    told = (folder / "told.txt").open("w+b")
    command = [sys.executable, "-c", call, "serve", "--folder", str(folder / "archive"), "--port", "0",
               "--dicom-port", "0"]  # fmt: skip
    server = subprocess.Popen(command, stdout=told, stderr=subprocess.STDOUT, cwd=folder, env=os.environ)
    try:

        def link() -> str | None:
            words = (folder / "told.txt").read_text(errors="replace")
            assert server.poll() is None, words
            found = re.search(r"http://\S+/sign-in\?token=\S+", words)
            return found.group(0) if found else None

        yield until(link, SECONDS)
    finally:
        server.terminate()
        server.wait(30)


WATCH = """() => {
  window.bench = { first: 0, full: 0 };
  const look = () => {
    const note = document.querySelector('.stage .note');
    const canvas = document.querySelector('.stage canvas.cornerstone-canvas');
    const there = canvas && !note && document.querySelector('.stage .corner.tr')?.textContent?.includes(window.wanted);
    if (there && !window.bench.first) window.bench.first = performance.now();
    requestAnimationFrame(look);
  };
  look();
}"""


def first_image(page: Any, name: str, count: int) -> float:
    """Milliseconds from the click on a series to its first picture."""
    page.evaluate(f"window.wanted = '/{count}'")
    page.evaluate(WATCH)
    began = page.evaluate(
        "name => { const b = [...document.querySelectorAll('.thumbnails button')]"
        ".find(one => one.textContent.includes(name)); const t = performance.now(); b.click(); return t; }",
        name,
    )
    until(lambda: page.evaluate("window.bench.first"), SECONDS)
    return float(page.evaluate("window.bench.first")) - float(began)


def whole_volume(page: Any) -> float:
    """Milliseconds from the key to three planes through a complete volume."""
    began = page.evaluate("performance.now()")
    page.keyboard.press("Shift+L")
    page.wait_for_function(
        "() => document.querySelectorAll('.stage > .viewport').length === 4"
        " && ![...document.querySelectorAll('.corner.br')].some(c => c.textContent.includes('reduced'))"
        " && [...document.querySelectorAll('.stage > .viewport')].every(v => v.dataset.plane)",
        timeout=SECONDS * 1000,
    )
    return float(page.evaluate("performance.now()")) - float(began)


STEPS = """async steps => {
  const corner = document.querySelector('.corner.tr');
  const times = [];
  for (let n = 0; n < steps; n++) {
    const before = corner.textContent;
    const began = performance.now();
    window.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
    while (corner.textContent === before) {
      await new Promise(done => requestAnimationFrame(done));
      if (performance.now() - began > 5000) throw new Error('no step');
    }
    times.push(performance.now() - began);
  }
  return times;
}"""


def weights() -> dict[str, float]:
    """Kilobytes after gzip: the shell, and the room with all that it imports."""
    manifest = json.loads((WEB / ".vite/manifest.json").read_text())
    size = lambda name: len(gzip.compress((WEB / name).read_bytes(), 6)) / 1000  # noqa: E731
    return {"shell": size(manifest["index.html"]["file"]), "room": size(manifest["src/room/page.tsx"]["file"])}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--long", type=int, default=2500, help="slices of the long series")
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    if chromium is None:
        sys.exit("no Chromium on this machine")
    with tempfile.TemporaryDirectory(prefix="isocenter-bench-") as name:
        folder = Path(name)
        files = folder / "files"
        files.mkdir()
        for number, (what, slices, edge) in enumerate(
            (("small 96", 96, 256), ("large 174", 174, 512), ("long", chosen.long, 64)), 1
        ):
            for k, data in enumerate(series(what, slices, edge, number)):
                (files / f"{number}-{k:05d}.dcm").write_bytes(data)
        call = "from isocenter.cli import main; main()"
        subprocess.run(
            [sys.executable, "-c", call, "receive", str(files), "--folder", str(folder / "archive")],
            check=True, capture_output=True,
        )  # fmt: skip
        with served(folder) as link, sync_playwright() as playwright:
            browser = playwright.chromium.launch(
                executable_path=chromium, args=[*FLAGS, "--enable-precise-memory-info"]
            )
            measure(browser, link, chosen.repeat, chosen.long)
            browser.close()


def measure(browser: Any, link: str, repeat: int, long: int) -> None:
    context = browser.new_context(base_url=link.split("/sign-in")[0], viewport={"width": 1440, "height": 900})
    page = context.new_page()
    page.goto(link)
    page.get_by_role("table", name="Studies to read").wait_for()
    study = page.request.get("/api/worklist?limit=5").json()["rows"][0]["study"]
    found: dict[str, list[float]] = {}
    for _ in range(repeat):
        page.goto(f"/study/{study}")
        page.locator(".thumbnails button").nth(2).wait_for()
        found.setdefault("first image", []).append(first_image(page, "small 96", 96))
        found.setdefault("first image, 512 x 512 x 174", []).append(first_image(page, "large 174", 174))
        found.setdefault("slice to slice", []).append(statistics.median(page.evaluate(STEPS, 20)))
        page.goto(f"/study/{study}")
        page.locator(".thumbnails button").nth(2).wait_for()
        first_image(page, "large 174", 174)
        found.setdefault("volume complete", []).append(whole_volume(page))
        heap = page.evaluate("performance.memory.usedJSHeapSize / 1e6")
        found.setdefault("heap with the volume, MB", []).append(float(heap))
        page.goto(f"/study/{study}")
        page.locator(".thumbnails button").nth(2).wait_for()
        found.setdefault(f"first image of {long}", []).append(first_image(page, "long", long))
    print(f"{'':32}{'best':>10}{'median':>10}{'goal':>8}   (milliseconds unless said)")
    for what, values in found.items():
        goal = GOALS_MS.get(what, "")
        print(f"{what:32}{min(values):10.0f}{statistics.median(values):10.0f}{goal:>8}")
    for what, size in weights().items():
        print(f"{what + ', kB after gzip':32}{size:10.0f}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"load of the machine while it ran: {load:.1f} on {os.cpu_count()} cores; {time.strftime('%Y-%m-%d %H:%M')}")


if __name__ == "__main__":
    main()
