"""What the demonstration does when it starts again: it makes nothing anew that is here, and everything that is not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.cli import demonstration
from isocenter.settings import Settings


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Any]:
    held = open_house(Settings(folder=tmp_path / "archive"))
    yield held
    held.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Two images instead of hundreds, and a note for each time that they were made."""
    times: list[str] = []

    def shipped() -> Iterator[tuple[str, list[bytes]]]:
        times.append("made")
        yield "two", [Path(str(get_testdata_file(n))).read_bytes() for n in ("CT_small.dcm", "MR_small.dcm")]

    monkeypatch.setattr(demonstration, "_shipped", shipped)
    return times


def started(house: Any) -> tuple[int, int, int]:
    told = demonstration.load(house, None, "", lambda *_: None)
    return told["expected"], told["stored"], told["there"]


def test_what_is_here_is_not_made_again(house: Any, made: list[str]) -> None:
    assert started(house) == (2, 2, 0)
    assert started(house) == (2, 0, 2)
    assert made == ["made"]


@pytest.mark.parametrize("loss", ["blob", "row", "list", "torn list", "other phantoms"])
def test_what_is_not_all_here_is_made_again(
    house: Any, made: list[str], monkeypatch: pytest.MonkeyPatch, loss: str
) -> None:
    started(house)
    place = house.settings.folder / "demonstration.json"
    listed = json.loads(place.read_text())
    digest = next(iter(listed["images"].values()))
    if loss == "blob":
        next(
            p
            for p in (house.settings.folder / "blobs").rglob("*")
            if p.is_file() and digest in p.as_posix().replace("/", "")
        ).unlink()
    elif loss == "row":
        place.write_text(json.dumps(listed | {"images": listed["images"] | {"2.25.404": digest}}))
    elif loss == "list":
        place.unlink()
    elif loss == "torn list":
        place.write_text(place.read_text()[:-9])
    else:
        monkeypatch.setattr(demonstration, "_made_from", lambda: "another day")
    started(house)
    assert made == ["made", "made"]
