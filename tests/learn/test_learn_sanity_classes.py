"""A classifier that looks for a bright spot passes every check by occlusion; an edge detector does not, nor does a
model that says one thing of everything."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

import onnx
from onnx import numpy_helper

from isocenter.analysis.weights import model as shelved
from isocenter.errors import Refused, Unavailable
from isocenter.govern import showing
from isocenter.learn import recipes, sanity_classes, sensitivity
from isocenter.learn.card import explained
from isocenter.learn.examples import Examples
from isocenter.learn.kinds import Augmentation, Classes
from isocenter.learn.planted_marks import MARKS, marked
from isocenter.learn.sanity import CHECKS
from isocenter.learn.sanity_classes import classes_sanity, recipe_with_networks
from isocenter.learn.sensitivity import odds
from isocenter.learn.train import train
from isocenter.methods.saliency import edges
from isocenter.record import Model

SPOT = Classes(
    task="spot", classes=("none", "spot"), shape=(20, 20), widths=(8, 12, 16), members=3, fitted=(0,), epochs=8,
    batch=32, rate=1e-2, average=0.9, dropout=0.0, levelled=False, augmentation=Augmentation(
        scale=(0.95, 1.05), rotate_deg=5, shift=0.1, erase=0.0, curve=0.1, field=0.0, sharpness=0.2, noise=0.01
    ),
    card={"title": "T", "intended_use": "a test", "not_for": ["all else"], "limits": ["tiny"], "source": "made",
          "licence": "none"},
)  # fmt: skip


def spots(n: int, seed: int) -> tuple[Any, Any]:
    """Stripes of any direction with noise; in every second picture a bright spot."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:20, :20]
    pictures, labels = np.empty((n, 20, 20), np.uint8), np.arange(n) % 2
    for k in range(n):
        angle, phase, wave = rng.uniform(0, np.pi), rng.uniform(0, 6.28), rng.uniform(5, 9)
        grey = (
            90
            + 30 * np.sin(6.28 * (x * np.cos(angle) + y * np.sin(angle)) / wave + phase)
            + rng.normal(0, 12, (20, 20))
        )
        if labels[k]:
            r, c = rng.uniform(3, 17, 2)
            grey += 130 * np.exp(-(((y - r) ** 2 + (x - c) ** 2) / 6))
        pictures[k] = np.clip(grey, 0, 255)
    return pictures, labels


@pytest.fixture(scope="module")
def spot(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Model, Path, Path]]:
    folder = tmp_path_factory.mktemp("spot")
    pictures, labels = spots(360, 0)
    np.savez(folder / "spots.npz", train_images=pictures, train_labels=labels)
    recipes.RECIPES["spot"] = SPOT
    yield train("spot", folder / "spots.npz", folder / "spot", seed=3), folder / "spot", folder / "spots.npz"
    recipes.RECIPES.pop("spot")


@pytest.fixture(scope="module")
def partners(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("partners")


def test_a_model_that_looks_for_a_bright_spot_passes_and_edges_do_not(
    spot: tuple[Model, Path, Path], partners: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, place, data = spot
    monkeypatch.setattr(
        sanity_classes, "METHODS", {**sensitivity.METHODS, "steepness": lambda session, image, kind: edges(image)}
    )
    monkeypatch.setattr(sensitivity, "METHODS", sanity_classes.METHODS)
    lines = list[str]()
    good, bad = classes_sanity(
        model,
        place,
        data,
        partners,
        ["occlusion", "steepness"],
        lines.append,
        most=14,
        epochs=7,
    )
    assert good["passed"] and tuple(good["checks"]) == CHECKS and good["map"] == "occlusion_sensitivity"
    assert good["cases"]["mark"] == "a bright spot" and good["cases"]["held back"] is True
    assert good["checks"]["localisation"]["auprc"] > 3 * good["checks"]["localisation"]["on_another_lesion"]
    assert "7 epochs of the 8" in good["shorter"] and len(good["partners"]) == 5
    assert min(one["right"] for one in good["partners"].values()) > 0.6, "they learnt, be it by heart"
    assert not bad["passed"] and {"cascade", "labels"} <= {c for c in CHECKS if not bad["checks"][c]["passed"]}
    assert bad["control"]["failed"] and sum("taken from" in line for line in lines) == 0


@pytest.mark.nightly
def test_so_do_its_integrated_gradients(spot: tuple[Model, Path, Path], partners: Path) -> None:
    model, place, data = spot
    (told,) = classes_sanity(model, place, data, partners, ["integrated gradients"], most=20, epochs=7)
    assert told["passed"] and told["map"] == "integrated_gradients_sensitivity", told["checks"]


@pytest.mark.parametrize(("says", "why"), [(1, ""), (0, "0 cases that spot rightly gives the class")])
def test_a_model_that_says_one_thing_of_everything_fails(
    spot: tuple[Model, Path, Path], partners: Path, tmp_path: Path, says: int, why: str
) -> None:
    model, place, data = spot
    shutil.copytree(place, tmp_path / "constant")
    file = onnx.load(place / "model.onnx")
    for one in file.graph.initializer:
        if one.name == "nets.0.head.weight":
            one.CopyFrom(numpy_helper.from_array(np.zeros((2, 16), np.float32), one.name))
        if one.name == "nets.0.head.bias":
            one.CopyFrom(numpy_helper.from_array(np.float32([1 - says, says]) * 4, one.name))
    onnx.save(file, tmp_path / "constant" / "model.onnx")
    if why:
        with pytest.raises(Refused, match=why):
            classes_sanity(model, tmp_path / "constant", data, partners, ["occlusion"], most=12, epochs=7)
        return
    lines = list[str]()
    (told,) = classes_sanity(
        model, tmp_path / "constant", data, partners, ["occlusion"], lines.append, most=12, epochs=7
    )
    assert not any(check["passed"] for check in told["checks"].values()), "a map of nothing passes no check"
    assert sum("taken from" in line for line in lines) == 5, "partners are those of the recipe and the data"
    card = replace(model, evidence={"explanation": [told]})
    assert any("7 epochs of the 8" in line for line in explained(card))


def test_other_models_methods_and_data_are_refused(spot: tuple[Model, Path, Path], tmp_path: Path) -> None:
    model, place, _ = spot
    pictures, labels = spots(36, 1)
    np.savez(tmp_path / "other.npz", train_images=pictures, train_labels=labels)
    with pytest.raises(Refused, match="there are occlusion"):
        classes_sanity(model, place, tmp_path / "other.npz", tmp_path / "p", ["crystal ball"])
    with pytest.raises(Refused, match="and so must its partners"):
        classes_sanity(model, place, tmp_path / "other.npz", tmp_path / "p", ["occlusion"])
    whole = dict(np.load(spot[2]))
    np.savez(tmp_path / "named.npz", test_images=whole["train_images"], test_labels=whole["train_labels"])
    with pytest.raises(Unavailable, match="cannot make"):  # the same pictures by other names: it goes on to partners
        (tmp_path / "file").write_text("")
        classes_sanity(model, place, tmp_path / "named.npz", tmp_path / "file", ["occlusion"])
    several = replace(SPOT, task="many", several=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(recipes.RECIPES, "many", several)
        for of, why in (
            (shelved("adrenalmnist3d")[0], "has no networks: support vectors answer"),
            (shelved("cleveland_heart")[0], "says no class of a picture"),
            (Model("many", "1", "0" * 64, inputs={"kind": "classes"}), "finds several things at once"),
        ):
            with pytest.raises(Refused, match=f"{why}.*answers without a map"):
                recipe_with_networks(of)
    assert not (tmp_path / "p").exists()


@pytest.mark.parametrize("mark", MARKS)
def test_a_mark_lies_where_it_is_said_to_lie(mark: str) -> None:
    rng = np.random.default_rng(0)
    for shape in ((1, 28, 28), (3, 32, 24), (1, 16, 16, 16)):
        image, other = np.full(shape, 0.5, np.float32), np.full(shape, 0.7, np.float32)
        other[..., :2], other[..., -2:] = 1.0, 0.0
        shown, hidden, mask = marked(image, other, rng, mark)
        assert hidden == pytest.approx(image, abs=1e-6), "of one grey nothing is hidden"
        away = np.abs(shown - image).max(0)
        assert 0 < mask.mean() < 0.2 and mask.shape == shape[1:]
        assert away[mask].min() > 3 * np.median(away[~mask]) and shown.min() >= 0 and shown.max() <= 1


def test_log_odds_are_those_of_the_softmax() -> None:
    logits = np.random.default_rng(0).normal(0, 3, (5, 4)).astype(np.float32)

    class Session:
        def run(self, names: Any, given: Any) -> Any:
            return [logits[: len(given["image"])]]

    chance = np.exp(logits.astype(float)) / np.exp(logits.astype(float)).sum(1, keepdims=True)
    for kind in range(4):
        expected = np.log(chance[:, kind] / (1 - chance[:, kind]))
        assert odds(Session(), np.zeros((5, 1, 2, 2), np.float32), kind) == pytest.approx(expected, abs=1e-6)
    logits[0], logits[1, 0] = np.nan, np.inf
    assert np.isfinite(odds(Session(), np.zeros((5, 1, 2, 2), np.float32), 0)).all()


@pytest.mark.parametrize("present", [True, False])
def test_a_mark_that_only_hides_what_lies_there_is_none(monkeypatch: pytest.MonkeyPatch, present: bool) -> None:
    """Bright spots are marks of a model that answers to one; of one that answers to its absence nothing is."""
    pictures, labels = np.full((48, 20, 20), 60, np.uint8), np.arange(48) % 2
    pictures[labels == present, 8:11, 8:11] = 250

    def said(model: Any, session: Any, place: Any, how: Any, shown: Any) -> sensitivity.Seen:
        called = (shown.max((1, 2)) > 150) == present
        return sensitivity.Seen(np.ones(len(shown), np.int64), called, ("",) * len(shown))

    monkeypatch.setattr(sanity_classes, "said_of_pictures", said)
    names = tuple(map(str, range(48)))
    held = Examples(pictures, labels, np.full(48, -1), names, np.arange(48), "0" * 64)
    cases = sanity_classes.class_cases(
        Model("m", "1", "0" * 64), None, Path(), SPOT, held, np.random.default_rng(0), 16
    )
    turned = {mark: one["turned"] for mark, one in cases.told["marks"].items()}
    assert turned["a dark spot"] == 0 and (turned["a bright spot"] > 12) == present == (len(cases.planted) == 16)
    assert cases.told["mark"] == ("a bright spot" if present else None) and cases.told["held back"] is True
    few = held.take(np.arange(8))
    again = sanity_classes.class_cases(
        Model("m", "1", "0" * 64), None, Path(), SPOT, few, np.random.default_rng(0), 16, learnt=held
    )
    assert again.told["held back"] is False and len(again.images) == 16, "so few were held back"


def test_what_ships_is_shown_only_as_its_verdicts_say() -> None:
    held, _ = shelved("pneumoniamnist")
    verdicts = {v["method"]: v for v in held.evidence["explanation"]}
    assert set(verdicts) == set(sensitivity.METHODS)
    for method, verdict in verdicts.items():
        assert verdict["digest"] == held.digest and set(verdict["checks"]) == set(CHECKS)
        assert verdict["passed"] == all(check["passed"] for check in verdict["checks"].values())
        assert {"cascade", "labels"} <= set(verdict["control"]["failed"]), "the planted edge detector fails"
        assert bool(showing.against(sensitivity.map_name(method), held)) is not verdict["passed"]
