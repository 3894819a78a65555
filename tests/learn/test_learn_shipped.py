"""Every model that ships: its file is the one on its card, and it is judged on a handful of made-up cases."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.errors import Refused
from isocenter.learn import chest, heart
from isocenter.learn.judge import judged
from isocenter.learn.judge_classes import class_figures
from isocenter.learn.recipe_files import BESIDE, CARD
from isocenter.learn.recipes import recipe
from isocenter.methods.sample_size import area_error

SHIPPED = {name: model for name, (model, _) in models().items() if "kind" in model.inputs}
ROOT = Path(__file__).parents[2]


def some(name: str, folder: Path, n: int = 24) -> Path:
    """A few cases in the layout that the model reads: noise, whose labels have nothing to do with it."""
    rng, inputs = np.random.default_rng(0), SHIPPED[name].inputs
    if inputs["kind"] == "table":
        path = folder / "rows.csv"
        known = [c["values"] or [c["low"], c["high"]] for c in inputs["columns"]]
        rows = [[f"{rng.choice(v):g}" for v in known] + [f"{inputs['labels'][i % 2]:g}"] for i in range(n)]
        rows[3][0] = "?"
        path.write_text("\n".join(map(",".join, rows)))
        return path
    if inputs["kind"] == "boxes":
        from PIL import Image

        Image.fromarray(rng.integers(0, 255, (96, 120, 3), dtype=np.uint8)).save(folder / "a.png")
        lines = [f"a.png,{name},{9 * k},5,{9 * k + 30},60" for k, name in enumerate(inputs["classes"])]
        (folder / "boxes.csv").write_text("\n".join(["filename,class,xmin,ymin,xmax,ymax", *lines]))
        return folder / "boxes.csv"
    if inputs["kind"] == "masks":
        import nibabel

        for kind, top in (("imagesTs", 500), ("labelsTs", len(inputs["classes"]) + 1)):
            (folder / kind).mkdir()
            array = rng.integers(0, top, (35, 51, 33)).astype(np.int16)
            nibabel.save(nibabel.Nifti1Image(array, np.eye(4)), folder / kind / "a.nii.gz")
        return folder
    shape = (*inputs["shape"], 3) if inputs["channels"] == 3 else tuple(inputs["shape"])
    labels = np.arange(n) % len(inputs["classes"])
    np.savez(folder / "some.npz", test_images=rng.integers(0, 255, (n, *shape), dtype=np.uint8), test_labels=labels)
    return folder / "some.npz"


def by_night(name: str) -> Any:
    """The model of which a look takes longest waits for the night; the others are its like."""
    return pytest.param(name, marks=pytest.mark.nightly) if name == "retinamnist" else name


@pytest.mark.parametrize("name", [by_night(n) for n in SHIPPED])
def test_it_is_judged(name: str, tmp_path: Path) -> None:
    model = SHIPPED[name]
    found = judged(name.upper(), some(name, tmp_path)).report
    assert found["model"] == name and found["n"] in (1, 24)
    assert recipe(name).task == name, "it can be trained again"
    assert all(goal in model.evidence["metrics"] for goal in model.card["goal"])
    assert model.evidence["parity"] <= 1e-4
    page = (ROOT / "models" / name / "card.md").read_text("utf-8")
    assert model.digest in page and model.card["licence"] in page
    said = {word: recipe(name).card[word] for word in (*CARD, *BESIDE) if word != "funding"}
    assert said == {word: model.card[word] for word in said}, "the words on the card are those of the recipe"
    assert all(said[word] in page for word in BESIDE if word in said)
    people = [g for g in model.evidence["subgroups"] if g["by"] != "class"]
    assert bool(people) == ("the table tells" in model.card["groups"]), "figures of a group where the data tell of one"
    assert all({"ppv"} <= set(g["metrics"]) and "ece" in g["calibration"] for g in people if "insufficient" not in g)


@pytest.mark.parametrize("name", [by_night(n) for n in SHIPPED if SHIPPED[n].inputs["kind"] in ("classes", "table")])
def test_one_class_is_refused(name: str, tmp_path: Path) -> None:
    path = some(name, tmp_path)
    if path.suffix == ".csv":
        path.write_text("\n".join(line for i, line in enumerate(path.read_text().splitlines()) if i % 2))
    else:
        held = dict(np.load(path))
        np.savez(path, **held | {"test_labels": np.zeros(24)})
    with pytest.raises(Refused, match="one class only"):
        judged(name, path)


@pytest.mark.parametrize(
    "name", ["cleveland_heart", "pneumoniamnist", pytest.param("retinamnist", marks=pytest.mark.nightly)]
)
def test_of_noise_it_knows_nothing_and_the_interval_says_so(name: str, tmp_path: Path) -> None:
    found = judged(name, some(name, tmp_path, 100))
    area = found.report["metrics"]["auc"]
    assert area["low"] < 0.5 < area["high"] and area["high"] - area["low"] < 0.35


def test_with_shuffled_labels_half_lies_in_19_of_20_intervals(tmp_path: Path) -> None:
    inputs = SHIPPED["cleveland_heart"].inputs
    rows = judged("cleveland_heart", some("cleveland_heart", tmp_path, 120)).predictions
    stated = np.array([row["certainty"] for row in rows])
    both, rng, inside = np.stack([1 - stated, stated], 1), np.random.default_rng(1), 0
    for _ in range(200):
        labels = rng.permutation(np.arange(120) % 2)
        area = class_figures(labels, np.log(both), both, np.zeros(120, bool), inputs)["metrics"]["auc"]
        inside += area["low"] <= 0.5 <= area["high"]
    assert 181 <= inside <= 199  # 190 are meant; 3 standard deviations of their number, which is binomial
    told = class_figures((stated > np.median(stated)).astype(int), np.log(both), both, np.zeros(120, bool), inputs)
    assert told["metrics"]["auc"]["low"] > 0.5  # where the labels do follow the answer it is seen


def test_the_page_lists_every_seed_as_the_cards_do() -> None:
    page = (ROOT / "docs/know/models.md").read_text("utf-8")
    for name in (
        "cleveland_heart", "mammographic_mass", "breastmnist", "adrenalmnist3d", "retinamnist", "pneumoniamnist",
    ):  # fmt: skip
        shown = SHIPPED[name].evidence
        held = [n["auc"] for n in [*shown["networks"], *shown.get("seeds", ())]]
        told = ", ".join(f"{a['value']:.3f} ({a['low']:.3f} to {a['high']:.3f})" for a in held)
        assert len(held) > 2 and f"| {told} |" in page, name


@pytest.mark.parametrize(
    ("name", "figure", "least"),
    [("bccd", "map50", 5), ("image_kind", "accuracy", 5), ("hippocampus", "dice_anterior", 5),
     ("hippocampus", "dice_posterior", 5)],
)  # fmt: skip
def test_so_does_it_of_models_that_have_no_area(name: str, figure: str, least: int) -> None:
    shown = SHIPPED[name].evidence
    held = [one[figure] for one in (shown["metrics"], *shown["seeds"])]
    told = ", ".join(f"{a['value']:.3f} ({a['low']:.3f} to {a['high']:.3f})" for a in held)
    assert len(held) >= least and f"| {told} |" in (ROOT / "docs/know/models.md").read_text("utf-8")


@pytest.mark.parametrize(
    ("sentence", "name", "figures"),
    [("PneumoniaMNIST", "pneumoniamnist", ("auc",)), ("BreastMNIST", "breastmnist", ("auc",)),
     ("RetinaMNIST", "retinamnist", ("auc",)), ("AdrenalMNIST3D", "adrenalmnist3d", ("auc",)),
     ("hippocampus", "hippocampus", ("dice_anterior", "dice_posterior")), ("image kind", "image_kind", ("accuracy",)),
     ("blood cells", "bccd", ("map50",)), ("mammographic masses", "mammographic_mass", ("auc",)),
     ("Cleveland heart", "cleveland_heart", ("auc",))],
)  # fmt: skip
def test_the_list_of_sentences_says_what_the_card_does(sentence: str, name: str, figures: tuple[str, ...]) -> None:
    lines = (ROOT / "docs/know/learn-sentences.tsv").read_text("utf-8").splitlines()
    [(_, answer, _, words)] = [line.split("\t") for line in lines if line.startswith(sentence)]
    held = [SHIPPED[name].evidence["metrics"][figure]["value"] for figure in figures]
    assert all(f"{value:.3f}" in words for value in held)
    goals = [SHIPPED[name].card["goal"][figure] for figure in figures]
    assert answer != "shown" or all(value >= goal for value, goal in zip(held, goals, strict=True))


def test_fundus_photographs_are_decided_between_grades_and_reach_their_goal() -> None:
    held = SHIPPED["retinamnist"]
    assert json.loads(held.card["training"]["recipe"])["backbone"]["ordered"] is True
    assert held.evidence["metrics"]["auc"]["value"] >= held.card["goal"]["auc"] == 0.77
    assert "quadratic_kappa" in held.evidence["metrics"]


def test_no_evidence_names_cases_that_are_not_shipped() -> None:
    for name, model in SHIPPED.items():
        named = "digest" in model.evidence.get("cases", {})
        assert named == (ROOT / "models" / name / "cases.json").exists(), name


def test_the_weights_are_small() -> None:
    sizes = [p.stat().st_size for p in (ROOT / "models").glob("*/model.onnx")]
    assert max(sizes) < 10e6 and sum(sizes) < 45e6
    assert all(model.evidence["parity"] <= 1e-4 for model, _ in models().values())


@pytest.mark.parametrize(("name", "told"), [("cardiac_cine", heart.CARD), ("chest_xray_heart", chest.CARD)])
def test_what_is_said_of_a_model_with_a_training_of_its_own_stands_on_its_card(name: str, told: dict[str, Any]) -> None:
    held, page = models()[name][0], (ROOT / "models" / name / "card.md").read_text("utf-8")
    assert {word: held.card[word] for word in told} == told
    assert all(told[word] in page for word in BESIDE if word in told)


def test_a_set_with_what_it_is_to_learn_from_says_which_part_tests(tmp_path: Path) -> None:
    whole = dict(np.load(some("breastmnist", tmp_path)))
    both = whole | {name.replace("test", "train"): held[:6] for name, held in whole.items()}
    np.savez(tmp_path / "both.npz", **both)
    told = judged("breastmnist", tmp_path / "both.npz").report
    assert told["n"] == 30 and any("6 of train, 24 of test; --split test" in r for r in told["remarks"])
    alone = judged("breastmnist", tmp_path / "both.npz", "test").report
    assert alone["n"] == 24 and not any("part" in r for r in alone.get("remarks", ()))


def test_intervals_of_the_chest_model_are_those_between_children() -> None:
    """Of 202 films of viruses and 381 of bacteria several are of one child, and each tells less than one alone."""
    held = models()["chest_xray_opacity"][0]
    kinds = held.evidence["metrics"]["auc_virus_among_2_kinds"]
    of_films = 2 * 1.959964 * area_error(kinds["value"], 202, 381)
    assert held.card["people"]["validation"] == 396 and held.evidence["n"] == 785
    assert kinds["high"] - kinds["low"] > 1.2 * of_films
