"""The tutorial *A model of your own*, line by line, and what else a recipe in a file is good for."""

from __future__ import annotations

import json
import re
import shlex
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from typer.testing import CliRunner  # noqa: E402

from isocenter.analysis.weights import models  # noqa: E402
from isocenter.cli import app  # noqa: E402
from isocenter.errors import Refused  # noqa: E402
from isocenter.learn.federation import Federation, recipe_of  # noqa: E402
from isocenter.learn.recipe_files import recipe_in, recipe_text  # noqa: E402
from isocenter.learn.recipes import recipe  # noqa: E402

PAGE = Path(__file__).parents[2] / "docs" / "learn" / "a-model-of-your-own.md"


def _blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


def _told(line: str) -> str:
    found = CliRunner().invoke(app, shlex.split(line.removeprefix("isocenter ")))
    assert found.exit_code == 0, (line, found.output, found.exception)
    return found.stdout


@pytest.fixture(scope="module")
def walked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, dict[str, str]]]:
    """Everything that the page tells to do, done in an empty folder; what each command printed."""
    with pytest.MonkeyPatch.context() as patch:
        folder = tmp_path_factory.mktemp("own")
        patch.chdir(folder)
        (pictures,), (text,), (lines,) = _blocks("python"), _blocks("toml"), _blocks("console")
        exec(compile(pictures, str(PAGE), "exec"), {})
        Path("spots.toml").write_text(text)
        yield folder, {line: _told(line) for line in lines.splitlines()}


def test_the_page_ends_with_a_model_that_finds_the_spot_in_strangers(walked: tuple[Path, dict[str, str]]) -> None:
    folder, printed = walked
    judged: dict[str, Any] = json.loads(next(out for line, out in printed.items() if " judge " in line))
    assert (judged["model"], judged["n"]) == ("spots", 60)
    assert judged["metrics"]["auc"]["value"] > 0.9
    assert (folder / "said.csv").is_file()
    card = (folder / "model" / "card.md").read_text()
    assert "A bright spot in speckle" in card and "isocenter train recipe.toml" in card


@pytest.mark.nightly
def test_what_the_model_keeps_is_the_recipe_and_gives_the_same_weights(walked: tuple[Path, dict[str, str]]) -> None:
    folder, _ = walked
    kept = recipe_in((folder / "model" / "recipe.toml").read_text(), "kept")
    assert kept == recipe("spots.toml") and dict(kept.card) == dict(recipe("spots.toml").card)
    again = json.loads(_told("isocenter train model/recipe.toml --data spots --out again --json"))
    assert again["digest"] == json.loads((folder / "model" / "model.json").read_text())["digest"]
    assert recipe_in(_told("isocenter recipe model"), "shown") == kept


def test_a_body_is_trained_without_labels_and_begun_with(walked: tuple[Path, dict[str, str]]) -> None:
    told = json.loads(_told("isocenter pretrain spots.toml --data spots --out body --steps 3 --batch 16 --json"))
    assert (told["task"], told["pictures"]) == ("spots", 120)
    text = Path("spots.toml").read_text().replace("epochs = 12", "epochs = 3\nfitted = [0]").replace("auc = 0.9", "")
    Path("short.toml").write_text(text)
    _told("isocenter train short.toml --data spots --out begun --begin body")


def test_neighbours_are_found_through_the_model(walked: tuple[Path, dict[str, str]]) -> None:
    _told("isocenter similar build here=spots --model model --out index")
    found = json.loads(_told("isocenter similar find index others --model model --project here --json"))
    assert len(found["cases"]) == 60 and found["cases"][0]["near"][0]["label"] in ("clear", "spot")


def test_sites_hear_the_recipe_itself_and_refuse_one_that_passes_for_another(
    walked: tuple[Path, dict[str, str]],
) -> None:
    own = recipe("spots.toml")
    how = Federation.heard({"task": "spots", "own": recipe_text(own)})
    assert recipe_of(how) == own
    for task, text, says in (
        ("other", recipe_text(own), "its recipe is of 'spots'"),
        ("breastmnist", recipe_text(recipe("breastmnist")), "has this name"),
        ("spots", recipe_text(own).replace("epochs", "epoch"), "epochs?"),
    ):
        with pytest.raises(Refused, match=re.escape(says)):
            recipe_of(Federation(task, own=text))


def test_the_recipes_that_ship_are_listed() -> None:
    rows = json.loads(_told("isocenter recipe --json"))
    assert {"recipe": "bccd", "title": recipe("bccd").card["title"]} in rows
    assert recipe_in(json.loads(_told("isocenter recipe bccd --json"))["toml"], "bccd") == recipe("bccd")


@pytest.mark.parametrize("task", ["chest_xray_opacity", "cardiac_cine", "chest_xray_heart"])
def test_a_recipe_that_is_no_pattern_can_be_read_and_is_that_of_the_card(task: str) -> None:
    text = json.loads(_told(f"isocenter recipe {task} --json"))["toml"]
    said = json.loads(models()[task][0].card["training"]["recipe"])
    said.pop("begins", None)  # a recipe of its own, written beside
    assert text.startswith(f"# '{task}'") and said.items() <= tomllib.loads(text).items()
    with pytest.raises(Refused, match="kind None"):
        recipe_in(text, "mine.toml")
