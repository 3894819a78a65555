"""What the product stands on: no version below a known hole, and no page that can be turned on itself."""

from __future__ import annotations

import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).parents[1]
FLOORS = {
    "pydicom": "3.0.2",  # CVE-2026-32711: a path from a DICOMDIR
    "pynetdicom": "3.0.4",  # CVE-2026-56445: a file anywhere
    "monai": "1.5.2",  # CVE-2025-58756, CVE-2026-21851: pickle, ZIP
    "lightgbm": "4.6",  # CVE-2024-43598: memory of a worker, from the network
    "torch": "2.6",  # CVE-2025-32434: weights_only that was none
}
"""Holes that were open to images or model files, and the first version without each."""


def _declared() -> dict[str, Requirement]:
    text = (ROOT / "pyproject.toml").read_text("utf-8")
    found = [Requirement(one) for one in re.findall(r'"([A-Za-z0-9_.-]+(?:\[[a-z,]+\])?(?:>=|==)[^"]+)"', text)]
    return {one.name: one for one in found}


def _must_not_allow(asked: Requirement, floor: str) -> None:
    below = [f"{floor}.dev0", "0.1", *(f"{int(floor.split('.')[0]) - 1}.99",)]
    assert not any(asked.specifier.contains(one, prereleases=True) for one in below), f"{asked} allows below {floor}"


@pytest.mark.parametrize(("name", "floor"), FLOORS.items())
def test_no_component_is_allowed_or_installed_below_a_known_hole(name: str, floor: str) -> None:
    _must_not_allow(_declared()[name], floor)
    try:
        held = version(name)
    except PackageNotFoundError:
        return  # an extra that is not installed
    assert Version(held) >= Version(floor)


def test_a_floor_that_was_taken_away_is_noticed() -> None:
    for wrong in ("pydicom>=3.0", "pydicom", "pydicom>=2,<4"):
        with pytest.raises(AssertionError, match=r"allows below 3\.0\.2"):
            _must_not_allow(Requirement(wrong), "3.0.2")


# Writing to an object by a name that somebody else chose ("__proto__") can change every object of a page. Names that
# come from elsewhere live in a Map, or in an object that is made at once (spread and fromEntries define, none assigns).
_WRITE = re.compile(r"(?<![\w.)\]])([\w.!]+)\[([^\]\n]+)\]\s*(?:[-+*/|&^]|\?\?|\|\||&&)?=(?![=>])")
_WORD = re.compile(
    r"__proto__|\bconstructor\[|\.prototype\b|setPrototypeOf|Object\.assign\(\s*\{\}|\bdeepmerge\b|\bmerge\("
)


def _suspects(text: str) -> list[str]:
    """Lines that write by a name, or touch a prototype."""
    found = []
    for line in text.splitlines():
        if line.lstrip().startswith(("//", "*", "/*")):
            continue
        if _WORD.search(line):
            found.append(line.strip())
        for target, key in _WRITE.findall(line):
            if not key.strip().isdecimal() and target not in ("const", "let"):
                found.append(f"{target}[{key}]")
    return found


KNOWN = {
    "viewer/slab.ts": {"data.data[to]", "data.data[to + 1]", "data.data[to + 2]", "data.data[to + 3]"},
    # Every canvas is asked the same for as long as the engine is made, and by one fixed name.
    "viewer/start.ts": {"drawers[IMAGES]", "const canvas = HTMLCanvasElement.prototype as unknown as Asked;"},
    "viewer/halves.ts": {"into[i]", "intoTwo[i]"},
    "worklist/order.ts": {"tails[low]"},
    "keys/keyboard.ts": {"acts[where]", "releases[where]"},
    "maps/maps.ts": {"next[end]", "next[1 - end]"},
    "maps/halves.ts": {"palette[code]"},
    "maps/layer.tsx": {"pixels[at]"},
    "kit/columns.ts": {"held[at++]"},
}
"""Arrays by their index, and tables of the pages' own screens."""


def test_no_page_writes_to_an_object_by_a_name_from_elsewhere() -> None:
    found = {}
    for file in sorted((ROOT / "web/src").rglob("*.ts*")):
        name = file.relative_to(ROOT / "web/src").as_posix()
        if new := set(_suspects(file.read_text("utf-8"))) - KNOWN.get(name, set()):
            found[name] = new
    assert not found, "take a Map, or say in KNOWN why the name is ours"


@pytest.mark.parametrize(
    "line",
    [
        "settings[name] = value;",
        "  kept[told.key] ??= [];",
        "target.__proto__ = x;",
        "Object.assign({}, JSON.parse(text));",
        "Object.setPrototypeOf(a, b);",
    ],
)
def test_a_write_by_a_name_is_noticed(line: str) -> None:
    assert _suspects(line)
    assert not _suspects("const made = { ...before, [name]: value }; const [a] = b; if (x[y] === 1) list[0] = 2;")
