"""Every analysis that ships has a page with the same headings in the same order, and says what holds today first."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isocenter.analysis.registry import discover

KNOW = Path(__file__).parents[1] / "docs/know"
REQUIRED = (
    "What it works on",
    "What it says",
    "Parameters",
    "When it declines",
    "What the reader is told beside the numbers",
    "How",
    "Evidence",
    "Limits",
    "How fast",
    "Earlier versions",
    "Sources",
)
ORDER = (*REQUIRED[:-2], "Repeat it", *REQUIRED[-2:])
LONGEST = 160
SHIPPED = [
    name for name, held in discover().analyses.items() if type(held).__module__.startswith("isocenter.catalogue.")
]


def _parts(page: str) -> dict[str, str]:
    """Text under each heading of the second level, in the order of the page; what stands before the first is ''."""
    pieces = re.split(r"^## (.+)$", page, flags=re.M)
    headings = pieces[1::2]
    assert len(headings) == len(set(headings)), f"a heading stands twice: {headings}"
    return {"": pieces[0], **dict(zip(headings, pieces[2::2], strict=True))}


def _must_be_a_page(name: str, page: str) -> None:
    parts = _parts(page)
    assert re.match(rf"# {name}\n\n\*\*.+\?\*\*\n", parts[""]), "the name, then one bold question"
    headings = [heading for heading in parts if heading]
    assert [heading for heading in REQUIRED if heading not in headings] == [], "headings that are missing"
    assert headings == [heading for heading in ORDER if heading in headings], "headings out of order or unknown"
    assert [heading for heading in headings if not parts[heading].strip()] == [], "headings with nothing under them"
    assert re.search(r"level [1-4]\b", parts["Evidence"], re.I), "the level of evidence, 1 to 4"
    assert re.search(r"^\| measurement|^\| what ", parts["What it says"], re.M), "a table of what it says"
    _must_speak_of_today(parts)
    assert _too_long(page) == [], f"lines of more than {LONGEST} letters"


def _must_speak_of_today(parts: dict[str, str]) -> None:
    """What was otherwise in an older version is told under its own heading alone."""
    for heading, text in parts.items():
        if heading != "Earlier versions":
            told = re.findall(r"(?:until|since) version \d+", " ".join(text.split()), re.I)
            assert told == [], f"'{heading}' tells of earlier versions"


def _too_long(page: str) -> list[str]:
    """Lines beyond the longest; rows of tables and code cannot be broken."""
    return [line for line in page.splitlines() if len(line) > LONGEST and not line.startswith(("|", "    ", "!["))]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_page_has_the_headings_in_their_order(name: str) -> None:
    _must_be_a_page(name, (KNOW / f"{name}.md").read_text("utf-8"))


@pytest.mark.parametrize("page", sorted(KNOW.glob("*.md")), ids=lambda page: page.stem)
def test_no_line_of_any_page_is_too_long(page: Path) -> None:
    assert _too_long(page.read_text("utf-8")) == [], f"lines of more than {LONGEST} letters"


def test_the_order_is_told_to_whoever_writes_an_analysis() -> None:
    page = (KNOW.parent / "do/write-an-analysis.md").read_text("utf-8")
    told = re.findall(r"^\| \*\*(.+?)\*\* \|", page, re.M)
    assert tuple(told) == ORDER


GOOD = "# one\n\n**Is it one?**\n\n" + "\n\n".join(f"## {heading}\n\nlevel 4" for heading in ORDER)
GOOD = GOOD.replace("## What it says\n\n", "## What it says\n\n| measurement | unit |\n")


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("**Is it one?**", "It is one.", "bold question"),
        ("## Limits\n\nlevel 4", "", "missing"),
        ("## Repeat it", "## Version 3", "unknown"),
        ("## How fast\n", "## Sources\n", "twice"),
        ("## Limits\n\nlevel 4", "## Limits\n\n", "nothing under"),
        ("## Evidence\n\nlevel 4", "## Evidence\n\nsure", "level of evidence"),
        ("| measurement | unit |", "much", "table"),
        ("## How\n\nlevel 4", "## How\n\nUntil\nversion 3 otherwise", "earlier versions"),
        ("## How\n\nlevel 4", "## How\n\n" + "long " * 40, "letters"),
    ],
)
def test_a_crooked_page_is_found(old: str, new: str, why: str) -> None:
    _must_be_a_page("one", GOOD)
    assert old in GOOD
    with pytest.raises(AssertionError, match=why):
        _must_be_a_page("one", GOOD.replace(old, new, 1))
