"""The reading room in a real browser with software rendering, on loopback: how long a reader waits for images.

python benchmarks/bench_room.py [--repeat 3] [--long 2500]

A fresh archive with synthetic CT series (96 slices of 256 x 256, 174 of 512 x 512, and one of thousands of 64 x 64),
one server without workers and one headless Chromium on the same processor. Times are taken inside the page: from the
click on the series to the picture. A machine's answer with 100 segments lies on a study of its own. Needs Chromium and
the extra `test`.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "tests/browser"))
from browser_eyes import FLAGS, Site, until  # type: ignore[import-not-found]
from large_phantoms import segmented, series  # type: ignore[import-not-found]
from own_archive import own_archive  # type: ignore[import-not-found]

WEB = Path(__file__).parents[1] / "src/isocenter/doors/web"
GOALS = {"first image": 500, "volume complete": 1000, "slice to slice": 40, "heap with 100 segments, MB": 1000}
SECONDS = 600  # a machine that is busy takes its time


WATCH = """() => {
  window.bench = { first: 0, full: 0 };
  const look = () => {
    const note = document.querySelector('.stage .note');
    const canvas = document.querySelector('.stage canvas.cornerstone-canvas');
    const there = canvas && !note && document.querySelector('.stage .corner.tr')?.textContent?.includes(window.wanted);
    if (there && !window.bench.first) window.bench.first = performance.now();
    if (!window.bench.first) requestAnimationFrame(look); // it must not take time from what is measured next
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


# Both moments are taken inside the page: a program that asks from outside adds the way there and back. A volume is
# there when each of the three planes was drawn after the last part of it was given to the graphics.
WHOLE = """() => {
  window.whole = { began: 0, there: 0 };
  let given = 0;
  const drawn = new Map();
  const give = WebGL2RenderingContext.prototype.texSubImage3D;
  WebGL2RenderingContext.prototype.texSubImage3D = function (...part) {
    given = performance.now();
    return give.apply(this, part);
  };
  addEventListener('keydown', event => (window.whole.began = event.timeStamp), true); // of Shift and of L
  const draws = event => drawn.set(event.target.closest('.viewport'), performance.now());
  document.addEventListener('CORNERSTONE_IMAGE_RENDERED', draws, true);
  function look() {
    const planes = [...document.querySelectorAll('.stage > .viewport')].slice(1).map(one => drawn.get(one) ?? 0);
    const less = [...document.querySelectorAll('.corner.br')].some(one => one.textContent.includes('reduced'));
    if (planes.length === 3 && !less && given && planes.every(when => when > given)) {
      window.whole.there = Math.max(...planes);
      WebGL2RenderingContext.prototype.texSubImage3D = give;
      document.removeEventListener('CORNERSTONE_IMAGE_RENDERED', draws, true);
    } else requestAnimationFrame(look);
  }
  look();
}"""


def whole_volume(page: Any) -> float:
    """Milliseconds from the key to three planes through a complete volume."""
    page.evaluate(WHOLE)
    page.keyboard.press("Shift+L")
    page.wait_for_function("() => window.whole.there", timeout=SECONDS * 1000)
    return float(page.evaluate("window.whole.there - window.whole.began"))


# A step has come when its image is drawn: the number in the corner changes sooner, and two steps may share one drawing.
STEPS = """async steps => {
  const corner = document.querySelector('.corner.tr');
  const times = [];
  let drawn = 0;
  const draws = event => { if (event.target.closest('.viewport')?.contains(corner)) drawn = performance.now(); };
  document.addEventListener('CORNERSTONE_IMAGE_RENDERED', draws, true);
  for (let n = 0; n < steps; n++) {
    const before = corner.textContent;
    const began = performance.now();
    window.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowDown', bubbles: true }));
    while (corner.textContent === before || drawn < began) {
      await new Promise(done => requestAnimationFrame(done));
      if (performance.now() - began > 5000) throw new Error('no step');
    }
    times.push(drawn - began);
  }
  document.removeEventListener('CORNERSTONE_IMAGE_RENDERED', draws, true);
  return times;
}"""


def weights() -> dict[str, float]:
    """Kilobytes after gzip: the shell, and the room with all that it imports."""
    manifest = json.loads((WEB / ".vite/manifest.json").read_text())

    def size(names: set[str]) -> float:
        return sum(len(gzip.compress((WEB / manifest[name]["file"]).read_bytes(), 6)) for name in names) / 1000

    def with_imports(name: str) -> set[str]:
        return {name}.union(*(with_imports(one) for one in manifest[name].get("imports", ())))

    shell = with_imports("index.html")
    return {"shell": size(shell), "room": size(with_imports("src/room/page.tsx") - shell)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--long", type=int, default=2500, help="slices of the long series")
    chosen = parser.parse_args()
    from playwright.sync_api import sync_playwright

    chromium = next((p for n in ("chromium", "chromium-browser", "google-chrome") if (p := shutil.which(n))), None)
    if chromium is None:
        sys.exit("no Chromium on this machine")
    files: list[bytes] = []
    for number, (what, slices, edge) in enumerate(
        (("small 96", 96, 256), ("large 174", 174, 512), ("long", chosen.long, 64)), 1
    ):
        files += series(what, slices, edge, number)
    files += series("segments", 174, 512, 4, study="Bench segments")
    with tempfile.TemporaryDirectory(prefix="isocenter-bench-") as name, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=[*FLAGS, "--enable-precise-memory-info"])
        with own_archive(browser, Path(name), files, segmented("Bench segments")) as site:
            files.clear()
            measure(browser, site, chosen.repeat, chosen.long)
        browser.close()


def hundred(page: Any, study: str) -> tuple[float, float]:
    """Megabytes of heap with three planes and a hundred segments, and the median step from slice to slice (ms)."""
    page.request.get(f"/api/studies/{study}/results", timeout=SECONDS * 1000)  # read once, for a machine that is busy
    page.goto(f"/study/{study}")
    page.locator(".corner.tr").first.wait_for()
    until(lambda: page.evaluate("document.querySelectorAll('.sections g[data-finding]').length"), SECONDS)
    whole_volume(page)
    page.locator(".stage > .viewport .canvas").nth(1).click(button="middle")
    until(lambda: page.evaluate("document.querySelectorAll('.sections g[data-finding]').length > 20"), SECONDS)
    step = statistics.median(
        page.evaluate(STEPS.replace("'.corner.tr'", "'.stage > .viewport:nth-child(2) .corner.tr'"), 20)
    )
    until(lambda: page.evaluate("document.querySelectorAll('.sections g[data-finding]').length"), SECONDS)
    return float(page.evaluate("performance.memory.usedJSHeapSize / 1e6")), step


def measure(browser: Any, site: Site, repeat: int, long: int) -> None:
    context = browser.new_context(
        base_url=site.address, storage_state=site.state, viewport={"width": 1440, "height": 900}
    )
    page = context.new_page()
    rows = page.request.get("/api/worklist?limit=5").json()["rows"]
    study, with_segments = (
        next(row["study"] for row in rows if row["description"] == words) for words in ("Bench chest", "Bench segments")
    )
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
        first_image(page, "small 96", 96)  # the study opens with the longest: there would be nothing to wait for
        found.setdefault(f"first image of {long}", []).append(first_image(page, "long", long))
        heap, step = hundred(page, with_segments)
        found.setdefault("heap with 100 segments, MB", []).append(heap)
        found.setdefault("slice to slice, 100 segments", []).append(step)
    print(f"{'':32}{'best':>10}{'median':>10}{'goal':>8}   (milliseconds unless said)")
    for what, values in found.items():
        goal = GOALS.get(what, "")
        print(f"{what:32}{min(values):10.0f}{statistics.median(values):10.0f}{goal:>8}")
    for what, size in weights().items():
        print(f"{what + ', kB after gzip':32}{size:10.0f}")
    load = os.getloadavg()[0] if hasattr(os, "getloadavg") else 0.0
    print(f"load of the machine while it ran: {load:.1f} on {os.cpu_count()} cores; {time.strftime('%Y-%m-%d %H:%M')}")


if __name__ == "__main__":
    main()
