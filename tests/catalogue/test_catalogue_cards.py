"""What every analysis that ships says of itself, and that its page says the same."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from isocenter.analysis.registry import discover

PAGES = Path(__file__).parents[2] / "docs" / "know"
SHIPPED = {
    name: held for name, held in discover().analyses.items() if type(held).__module__.startswith("isocenter.catalogue.")
}


def _words(text: str) -> str:
    return " ".join(text.split())


def _missing(card: dict[str, Any]) -> list[str]:
    return [key for key in ("intended_use", "not_for", "limits", "level", "sources") if not card.get(key)]


@pytest.mark.parametrize("name", SHIPPED)
def test_the_card_says_for_what_not_for_what_limits_evidence_and_sources(name: str) -> None:
    assert _missing(dict(SHIPPED[name].about)) == []


@pytest.mark.parametrize("name", SHIPPED)
def test_every_limit_of_the_card_stands_on_its_page(name: str) -> None:
    page = _words((PAGES / f"{name}.md").read_text())
    assert [line for line in SHIPPED[name].about["limits"] if line not in page] == []


def test_a_card_without_limits_is_found() -> None:
    card = dict(next(iter(SHIPPED.values())).about)
    del card["limits"]
    assert _missing(card) == ["limits"]
