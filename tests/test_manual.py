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


def _headings(page: str) -> set[str]:
    """What a link may name after its #: letters, digits and - of each heading, with a number behind one that came."""
    names: list[str] = []
    for heading in re.findall(r"^#{1,6} (.+)$", page, re.M):
        name = re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")
        came = sum(one == name or re.fullmatch(rf"{re.escape(name)}-\d+", one) is not None for one in names)
        names.append(f"{name}-{came}" if came else name)
    return set(names)


def _leads_nowhere(page: Path) -> list[str]:
    lost = []
    for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text("utf-8")):
        if target.startswith(("http:", "https:", "mailto:")):
            continue
        file, _, heading = target.partition("#")
        led = page.parent / file if file else page
        if not led.exists() or (heading and led.suffix == ".md" and heading not in _headings(led.read_text("utf-8"))):
            lost.append(target)
    return lost


def test_links_between_pages_lead_to_a_file_and_a_heading_in_it() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    assert {page.name: lost for page in pages if (lost := _leads_nowhere(page))} == {}


def test_a_link_that_leads_nowhere_is_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# What `is` there, 1,000 times\n\n## Twice\n\n## Twice\n", "utf-8")
    page = tmp_path / "page.md"
    good = (
        "[a](there.md) [b](there.md#what-is-there-1000-times) [c](there.md#twice-1) [d](#mine) [e](https://one.org/#x)"
    )
    page.write_text(f"# Mine\n\n{good} [f](there.md#gone) [g](gone.md) [h](#gone)\n", "utf-8")
    assert _leads_nowhere(page) == ["there.md#gone", "gone.md", "#gone"]


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
