"""Recipes in files: what ships can be written and read back, one's own is trained by, and nonsense is refused."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from isocenter.errors import NotFound, Refused
from isocenter.learn.kinds import Classes, Classifier2D, Masks, ReadFrom, as_said
from isocenter.learn.recipe_files import BESIDE, KINDS, recipe_in, recipe_text
from isocenter.learn.recipes import RECIPES, recipe, recipe_behind
from isocenter.record import Model

CARD = """
[card]
title = "Spots"
intended_use = "Show how a recipe of one's own is used."
not_for = ["patients"]
limits = ["pictures made by a formula"]
source = "made"
licence = "CC0"
"""
SPOTS = 'kind = "classes"\ntask = "spots"\nclasses = ["clear", "spot"]\nshape = [32, 32]\n'
KIDNEYS = 'kind = "masks"\ntask = "kidneys"\nclasses = ["left", "right"]\n'
CELLS = 'kind = "boxes"\ntask = "cells"\nclasses = ["red"]\n'
ROWS = (
    'kind = "table"\ntask = "rows"\nclasses = ["no", "yes"]\nlabel = ["ill"]\n[[columns]]\nname = "age"\n'
    'kind = "number"\nlow = 18\nhigh = 99\n'
)
FILES = [name for name, how in RECIPES.items() if not isinstance(how, Classifier2D)]


@pytest.mark.parametrize("name", FILES)
def test_a_recipe_that_ships_is_the_same_when_written_and_read_back(name: str) -> None:
    back = recipe_in(recipe_text(RECIPES[name]), name)
    assert back == RECIPES[name]
    assert dict(back.card) == dict(RECIPES[name].card) and dict(back.goal) == dict(RECIPES[name].goal)


def test_an_order_stands_in_a_recipe_only_where_it_is_used() -> None:
    assert "ordered" not in as_said(recipe("breastmnist"))["backbone"]
    assert as_said(recipe("retinamnist"))["backbone"]["ordered"] is True


def test_every_kind_is_read_with_its_defaults() -> None:
    read = {kind: recipe_in(text + CARD, "a.toml") for kind, text in
            (("classes", SPOTS), ("masks", KIDNEYS), ("boxes", CELLS), ("table", ROWS))}  # fmt: skip
    assert {kind: type(how) for kind, how in read.items()} == dict(KINDS)
    spots = read["classes"]
    assert (
        isinstance(spots, Classes) and spots.shape == (32, 32) and spots.epochs == Classes("a", ("b",), (8, 8)).epochs
    )


def test_where_a_report_says_the_class_is_read_and_written_and_left_out_where_nothing_is_said() -> None:
    text = SPOTS.replace('"clear", "spot"', '"TR1", "TR2"') + '[read_from]\nmeasurement = "tirads-level"\n' + CARD
    how = recipe_in(text, "a.toml")
    assert isinstance(how, Classes) and how.read_from == ReadFrom("tirads-level")
    assert recipe_in(recipe_text(how), "b.toml") == how and "[read_from]" in recipe_text(how)
    assert "read_from" not in recipe_text(recipe_in(SPOTS + CARD, "a.toml"))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("kind = ", "no TOML"),
        ("task = 'spots'\n" + CARD, "kind None"),
        (SPOTS.replace('"classes"', '"films"') + CARD, "kind 'films'"),
        (KIDNEYS + "known_as = {SCT = 0}\n" + CARD, "known_as in"),
        (SPOTS + "epoch = 3\n" + CARD, "epochs?"),
        (SPOTS + "[augmentation]\nrotate = 3\n" + CARD, "augmentation.rotate in"),
        (SPOTS + "[backbone]\nsides = 3\n" + CARD, "backbone.sides in"),
        (ROWS.replace("low = 18", "lowest = 18") + CARD, "columns.lowest in"),
        (SPOTS.replace("[32, 32]", '"32"') + CARD, "shape in"),
        (SPOTS + 'epochs = "many"\n' + CARD, "epochs in"),
        (SPOTS.replace('"spots"', '"../spots"') + CARD, "task"),
        (SPOTS.replace('"spot"', '"Clear"') + CARD, "a name of its own"),
        (SPOTS.replace("[32, 32]", "[4, 4]") + CARD, "8 pixels"),
        (SPOTS.replace("[32, 32]", "[512, 512, 512]") + CARD, "64 million"),
        (SPOTS.replace("[32, 32]", "[32]") + CARD, "two axes or three"),
        (SPOTS + "channels = 2\n" + CARD, "1 for grey"),
        (SPOTS + "positive = 2\n" + CARD, "number of a class"),
        (SPOTS + "epochs = 0\n" + CARD, "once at least"),
        (SPOTS + "rate = nan\n" + CARD, "no number"),
        (SPOTS + "rate = 2.0\n" + CARD, "between 0 and 1"),
        (SPOTS + "members = 1\n" + CARD, "two at least"),
        (SPOTS + "widths = []\n" + CARD, "channels"),
        (SPOTS + "fitted = [5]\n" + CARD, "counted from 0"),
        (SPOTS + "views = [[3]]\n" + CARD, "1 to 2 or 3"),
        (SPOTS + 'others = ["../../etc"]\n' + CARD, "leads out"),
        (SPOTS + 'others = ["/etc"]\n' + CARD, "leads out"),
        (SPOTS + "[goal]\nauc = 90\n" + CARD, "auc = 0.9"),
        (SPOTS + '[read_from]\nmeasure = "x"\n' + CARD, "read_from.measure in"),
        (SPOTS + '[read_from]\nfinding = "x"\n' + CARD, "name it"),
        (SPOTS + '[read_from]\nnothing = "none"\n' + CARD, "one of clear, spot"),
        (SPOTS + '[read_from]\nmeasurement = "x"\n' + CARD, "the one number that is its grade"),
        (SPOTS + '[read_from]\nmeasurement = "x"\nunit = "1"\ncuts = [1, 2]\n' + CARD, "2 classes: 1 are wanted"),
        (SPOTS + '[read_from]\nmeasurement = "x"\ncuts = [1]\n' + CARD, "they have a unit"),
        (SPOTS.replace('"spot"', '"spot", "line"')
         + '[read_from]\nmeasurement = "x"\nunit = "1"\ncuts = [2, 1]\n' + CARD, "they rise"),
        (SPOTS + 'several = true\n[read_from]\nmeasurement = "x"\n' + CARD, "each is there where its finding is"),
        (ROWS + '[read_from]\nnothing = "maybe"\n' + CARD, "one of no, yes"),
        (KIDNEYS + "window = [90, 96, 96]\n" + CARD, "multiple of 8"),
        (KIDNEYS + "spacing_mm = [0, 1, 1]\n" + CARD, "millimetres"),
        (KIDNEYS + "spacing_mm = [1]\n" + CARD, "two axes of a picture or three of a volume"),
        (KIDNEYS + "spacing_mm = [1, 1]\n" + CARD, "as many sides as spacing_mm has axes, 2"),
        (KIDNEYS + "spacing_mm = [1, 1]\nwindow = [96, 96]\nviews = [[3]]\n" + CARD, "1 to 2"),
        (KIDNEYS + "fine = 0\n" + CARD, "fine 0"),
        (CELLS + "neck = 0\n" + CARD, "neck 0"),
        (CELLS + "shape = [100, 100]\n" + CARD, "multiples of 16"),
        (ROWS.replace('"number"', '"text"') + CARD, "number, grade or code"),
        (ROWS.replace("high = 99", "high = 1") + CARD, "low lies below high"),
        (SPOTS, "leaves out title"),
        (SPOTS + CARD.replace('["patients"]', '"patients"'), "list of sentences"),
        (SPOTS + CARD.replace('"Spots"', "3"), "it is a text"),
        *[(SPOTS + CARD + f"{word} = 3\n", f"{word} of the card in own.toml") for word in BESIDE],
    ],
)  # fmt: skip
def test_nonsense_is_refused_with_the_field_and_the_reason(text: str, says: str) -> None:
    with pytest.raises(Refused, match=re.escape(says)):
        recipe_in(text, "own.toml")


def test_a_file_is_found_by_its_name_and_may_not_pass_for_one_that_ships(tmp_path: Path) -> None:
    file = tmp_path / "own.toml"
    with pytest.raises(NotFound, match="no recipe at"):
        recipe(str(file))
    file.write_text(SPOTS + CARD)
    assert recipe(str(file)).task == "spots"
    for taken in ("breastmnist", "breast_mnist", "cardiac_cine"):
        file.write_text(SPOTS.replace('"spots"', f'"{taken}"') + CARD)
        with pytest.raises(Refused, match="has this name"):
            recipe(str(file))
    file.write_bytes(b"\xff\xfe" + SPOTS.encode())
    with pytest.raises(Refused, match="UTF-8"):
        recipe(str(file))
    file.write_text("#" * 2**20 + SPOTS)
    with pytest.raises(Refused, match="1 MB"):
        recipe(str(file))


def test_films_of_the_chest_are_no_pattern() -> None:
    with pytest.raises(Refused, match="children"):
        recipe_text(RECIPES["chest_xray_opacity"])


def _model(**training: Any) -> Model:
    return Model(
        name="kidneys", version="1", digest="0", examples="1", code="2", card={"training": training}, evidence={},
        inputs={"kind": "masks"},
    )  # fmt: skip


def test_the_recipe_of_a_model_stands_on_its_card() -> None:
    found = recipe_behind(_model(recipe='{"classes": ["left", "right"], "epochs": 3}'))
    assert isinstance(found, Masks) and (found.task, found.epochs) == ("kidneys", 3)
    with pytest.raises(Refused, match="cannot be read"):
        recipe_behind(_model(recipe="{"))
    with pytest.raises(Refused, match="epochs"):
        recipe_behind(_model(recipe='{"classes": ["left"], "epochs": "x"}'))
    with pytest.raises(NotFound, match="no recipe 'kidneys'"):
        recipe_behind(_model())
