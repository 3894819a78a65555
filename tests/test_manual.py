"""The manual is held to the code: generated pages say what it says now, and every analysis has its page."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from isocenter.analysis.registry import discover
from isocenter.cli.pages import manual

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("name", sorted(manual()))
def test_a_generated_page_is_what_the_code_says_now(name: str) -> None:
    written = (ROOT / "docs/look-up" / name).read_text("utf-8")
    assert written == manual()[name], f"docs/look-up/{name} is old: run `make docs`"


@pytest.mark.parametrize("name", sorted(discover().analyses))
def test_every_analysis_has_a_page_of_its_own(name: str) -> None:
    page = (ROOT / "docs/know" / f"{name}.md").read_text("utf-8")
    assert len(page) > 1000


def test_links_between_pages_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#\s]+)", page.read_text("utf-8")):
            if not target.startswith(("http:", "https:", "mailto:")):
                assert (page.parent / target).exists(), f"{page.name}: {target}"


def test_the_readme_names_the_two_commands_and_claims_no_clearance() -> None:
    readme = (ROOT / "README.md").read_text("utf-8")
    assert "make demo" in readme
    assert "make test" in readme
    assert "not cleared" in readme


def test_every_command_and_route_stands_in_the_manual() -> None:
    from isocenter.cli import everything
    from isocenter.cli.parts import PARTS
    from isocenter.doors.pages import routes

    pages = manual()
    assert set(everything()) == {name for names in PARTS.values() for name in names}
    for name in everything():
        assert f"### isocenter {name}" in pages["commands.md"]
    assert "### isocenter federate coordinate RECIPE" in pages["commands.md"]
    assert len(routes()) > 150
    assert "| POST | `/api/sign-in` | Sign in with name and password. | everybody |" in pages["routes.md"]
    assert "| `kappa` |" in pages["methods.md"]
