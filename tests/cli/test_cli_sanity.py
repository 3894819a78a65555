"""One command makes a verdict on a map, keeps it beside the weights and writes it down; other data are refused."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import model as shelved
from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import IsocenterError, Unavailable
from isocenter.govern import showing
from isocenter.learn import sanity, sanity_classes, sanity_films
from isocenter.record import Kind, Model, from_plain
from isocenter.settings import Settings

CHECK = {"passed": True, "p": 0.001, "alike": 0.6, "two_cases": 0.4}


def made_up(model: Model, data: bytes, source: Path, folder: Path, methods: Any, progress: Any) -> list[dict[str, Any]]:
    checks = dict.fromkeys(showing.CHECKS, CHECK)
    facts = {"cases": {"digest": "c" * 64}, "partners": {"twin": {"digest": "d" * 64}}, "n": 48, "passed": True}
    progress("twin: trained")
    return [{"method": name, "checks": checks, "says": f"{name} may be shown", **facts} for name in methods]


def test_the_verdict_is_kept_beside_the_weights_and_in_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place, archive = tmp_path / "chest_xray_opacity", tmp_path / "archive"
    shutil.copytree(shelved("chest_xray_opacity")[1].parent, place)
    open_house(Settings(folder=archive), make=True).close()
    monkeypatch.setattr(sanity_films, "films_sanity", made_up)
    asked = ["sanity", str(place), "--data", str(tmp_path), "--folder", str(archive), "--method", "occlusion"]
    result = CliRunner().invoke(app, [*asked, "--json"])
    assert result.exit_code == 0, result.output
    verdict, other = json.loads(result.stdout)
    assert verdict["map"] == "opacity_sensitivity" and other["method"] == "occlusion" and "map" not in other
    held: Model = from_plain(Model, json.loads((place / "model.json").read_text()))
    assert [v["method"] for v in held.evidence["explanation"]] == ["class activation"]
    assert held.evidence["explanation"][0]["digest"] == held.digest
    assert "## The map opacity_sensitivity, by class activation" in (place / "card.md").read_text()
    house = open_house(Settings(folder=archive))
    (told,) = house.site.journal.since(kinds=(Kind.MAP_TESTED,), limit=9)
    house.close()
    assert told.event.details["passed"] and told.event.details["partners"] == {"twin": "d" * 64}
    assert told.event.subject == "chest_xray_opacity" and told.event.details["digest"] == held.digest
    said = CliRunner().invoke(app, asked[:4])
    assert "may be shown" in said.output and "two cases 0.400" in said.output

    monkeypatch.undo()
    refused = CliRunner().invoke(app, asked[:4])
    assert isinstance(refused.exception, IsocenterError), "there is nothing in that folder that it learnt from"
    monkeypatch.setattr(Path, "replace", _full)
    with pytest.raises(Unavailable, match="no space"):
        sanity.kept(place, verdict, map="opacity_sensitivity")


def test_of_a_classifier_of_pictures_the_verdict_on_each_method_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "pneumoniamnist"
    shutil.copytree(shelved("pneumoniamnist")[1].parent, place)
    given = dict[str, Any]()

    def classes(model: Model, place: Path, *rest: Any, epochs: int, most: int) -> list[dict[str, Any]]:
        given.update(epochs=epochs, most=most)
        (told,) = made_up(model, b"", *rest)
        cases = {
            "held back": True, "marks": {"a spot": {"turned": 3, "tried": 9}},
            "digest": "c" * 64,
        }  # fmt: skip
        shorter = "twin and other learnt for 2 epochs of the 12 of the recipe"
        return [{**told, "map": "occlusion_sensitivity", "map_of": "answer", "cases": cases, "shorter": shorter}]

    monkeypatch.setattr(sanity_classes, "classes_sanity", classes)
    asked = ["sanity", str(place), "--data", str(tmp_path), "--epochs", "2", "--cases", "16"]
    result = CliRunner().invoke(app, asked)
    assert result.exit_code == 0 and "2 epochs of the 12" in result.output, result.output
    held: Model = from_plain(Model, json.loads((place / "model.json").read_text()))
    verdict = showing.verdict_on("occlusion_sensitivity", held)
    assert verdict is not None and verdict["digest"] == held.digest and given == {"epochs": 2, "most": 16}
    page = (place / "card.md").read_text()
    assert "## The map occlusion_sensitivity, by occlusion" in page and "turns the answer: a spot 3 of 9 times." in page


def _full(*_: Any, **__: Any) -> None:
    raise OSError(28, "no space left on device")
