"""How heavy the built pages are: what a person waits for on a slow line, in bytes that travel."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pytest

BUILT = Path(__file__).parents[2] / "src/isocenter/doors/web"
SHELL_KB, ROOM_KB = 60, 1100


@pytest.fixture(scope="module")
def manifest() -> dict[str, Any]:
    path = BUILT / ".vite/manifest.json"
    if not path.is_file():
        pytest.skip("the pages are not built; run python hatch_build.py")
    told: dict[str, Any] = json.loads(path.read_text())
    return told


def weight_kb(manifest: dict[str, Any], entry: str) -> float:
    """Kilobytes after gzip of a page with all that it imports at once, styles included."""
    files: set[str] = set()
    todo = [entry]
    while todo:
        part = manifest[todo.pop()]
        for file in (part["file"], *part.get("css", ())):
            if file not in files:
                files.add(file)
                todo += part.get("imports", ())
    return sum(len(gzip.compress((BUILT / f).read_bytes(), 6)) for f in files) / 1000


def test_the_shell_is_light(manifest: dict[str, Any]) -> None:
    assert 5 < weight_kb(manifest, "index.html") <= SHELL_KB


def test_the_reading_room_is_what_it_may_be(manifest: dict[str, Any]) -> None:
    assert 100 < weight_kb(manifest, "src/room/page.tsx") <= ROOM_KB


def test_the_list_does_not_load_the_viewer(manifest: dict[str, Any]) -> None:
    entry = manifest["index.html"]
    assert "src/room/page.tsx" in entry["dynamicImports"]
    assert all("room" not in part for part in entry.get("imports", ()))
