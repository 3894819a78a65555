"""What the commands of sealing say of the disks below, and that persons, not the house, erase."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from isocenter.app import open_house
from isocenter.cli import app, sealing
from isocenter.errors import Forbidden
from isocenter.govern.policy import HOUSE
from isocenter.settings import Settings
from isocenter.store import at_rest
from isocenter.store.master_key import draw

RUN = CliRunner()


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    place = tmp_path / "key"
    draw(place)
    monkeypatch.setenv("ISOCENTER_MASTER_KEY", f"file:{place}")
    monkeypatch.setenv("ISOCENTER_FOLDER", str(tmp_path / "archive"))
    held = open_house(Settings())
    held.site.projects.found("trial", "a trial of sealed images", who=HOUSE)
    held.close()
    return tmp_path / "archive"


def under(monkeypatch: pytest.MonkeyPatch, state: str) -> None:
    monkeypatch.setattr(at_rest, "at_rest", lambda place: at_rest.AtRest(state, "a disk of this test"))


def test_it_tells_of_the_disks_and_warns_who_serves_sealed_projects_to_others(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    under(monkeypatch, at_rest.OPEN)

    def warned(**said: Any) -> str:
        held = open_house(Settings(**said))
        try:
            return sealing.in_the_clear(held)
        finally:
            held.close()

    assert warned(host="192.0.2.1") == "", "nothing is sealed"
    assert RUN.invoke(app, ["seal", "trial"]).exit_code == 0
    told = json.loads(RUN.invoke(app, ["seals", "--json"]).output)
    assert [(one["what"], one["state"]) for one in told["disks"]] == [
        (what, at_rest.OPEN) for what in ("database", "images", "keys")
    ]
    assert "a disk of this test" in RUN.invoke(app, ["seals"]).output
    assert "is not encrypted: a disk of this test" in warned(host="192.0.2.1") and warned(host="127.0.0.1") == ""
    under(monkeypatch, at_rest.UNKNOWN)
    assert "is unknown" in warned(host="192.0.2.1")
    under(monkeypatch, at_rest.ENCRYPTED)
    assert warned(host="192.0.2.1") == ""
    far = Settings(database="postgresql://db/x", blobs="s3://bucket/x")
    assert [one["state"] for one in sealing.disks(far)] == [at_rest.UNKNOWN, at_rest.UNKNOWN, at_rest.ENCRYPTED]


@pytest.mark.parametrize("words", [["erase", "study", "1.2.3"], ["purge", "1.2.3", "1"]])
def test_what_cannot_come_back_asks_for_a_person(folder: Path, words: list[str]) -> None:
    done = RUN.invoke(app, [*words, "--name", "anna"], input="a wrong password\n")
    assert isinstance(done.exception, Forbidden)


def test_a_secret_is_destroyed_only_by_who_says_yes(folder: Path) -> None:
    assert "Aborted" in RUN.invoke(app, ["pseudonyms", "--destroy"], input="n\n").output
    assert "is destroyed" in RUN.invoke(app, ["pseudonyms", "--destroy"], input="y\n").output
