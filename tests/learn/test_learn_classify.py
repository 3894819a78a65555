"""Classifiers of pictures and volumes: the whole way from an .npz to a model that is judged on another."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from sklearn.metrics import cohen_kappa_score  # noqa: E402

from isocenter.errors import NotFound, Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.augment import moved, turned_grid  # noqa: E402
from isocenter.learn.classify import ellipsoid, fit_classes_net, veil  # noqa: E402
from isocenter.learn.judge import judge, judged  # noqa: E402
from isocenter.learn.kinds import Augmentation, Classes, Movement  # noqa: E402
from isocenter.learn.labelled import read_labelled  # noqa: E402
from isocenter.learn.tested import picked, read  # noqa: E402
from isocenter.learn.train import train  # noqa: E402
from isocenter.record import Model, from_plain  # noqa: E402

STILL = Augmentation(rotate_deg=3, mirror=0.0, erase=0.0, curve=0.2)
CARD = {"title": "T", "intended_use": "a test", "not_for": ["all else"], "limits": ["tiny"], "source": "made",
        "licence": "none"}  # fmt: skip
BARS = Classes(
    task="bars", classes=("one", "two", "three"), shape=(28, 28), ordered=1.0, widths=(8, 16), members=2, epochs=20,
    batch=16, rate=1e-2, average=0.8, dropout=0.0, augmentation=STILL, card=CARD, goal={"auc": 0.9},
)  # fmt: skip


def bars(n: int, seed: int, kinds: int = 3) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y = rng.integers(0, 120, (n, 28, 28)).astype(np.uint8), np.arange(n) % kinds
    for row, kind in zip(x, y, strict=True):
        for bar in range(int(kind) + 1):
            row[3 + 8 * bar : 7 + 8 * bar, 4:24] = 230
    return x, y[:, None]


@pytest.fixture(scope="module", autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["bars"] = BARS
    yield
    recipes.RECIPES.pop("bars")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Model, Path, Path]:
    folder = tmp_path_factory.mktemp("bars")
    x, y = bars(96, 0)
    np.savez(folder / "bars.npz", train_images=x[:72], train_labels=y[:72], val_images=x[72:], val_labels=y[72:])
    x, y = bars(45, 1)
    np.savez(folder / "held.npz", test_images=x, test_labels=y)
    return train("Bars", folder / "bars.npz", folder / "bars", seed=4), folder / "bars", folder / "held.npz"


def test_a_model_comes_out_with_its_evidence(made: tuple[Model, Path, Path]) -> None:
    model, out, _ = made
    files = ["card.md", "cases.json", "learnt.bin", "model.json", "model.onnx"]
    assert sorted(p.name for p in out.iterdir()) == files, "no checkpoint"
    lines = read(out, model)
    right = sum(line["right"] for line in lines)
    assert right / len(lines) == pytest.approx(model.evidence["metrics"]["accuracy"]["value"])
    assert all(len(picked(lines, by="class", group=g["name"])) == g["n"] for g in model.evidence["subgroups"])
    assert from_plain(Model, json.loads((out / "model.json").read_text())) == model
    shown = model.evidence
    assert shown["n"] == 96 and shown["parity"] <= 1e-4 and set(shown["splits"]) == {"train", "val"}
    assert [n["seed"] for n in shown["networks"]] == [400, 401]
    page = (out / "card.md").read_text()
    assert model.digest in page and "quadratic kappa" in page and "| 0.9 |" in page


def test_it_is_judged_on_others_and_predictions_are_written(made: tuple[Model, Path, Path], tmp_path: Path) -> None:
    _, out, held = made
    found = judged(out, held)
    said = found.report
    keys = ["model", "task", "n", "metrics", "calibration", "subgroups", "declined", "border", "people", "learnt_from"]
    assert list(said) == keys
    assert json.loads(json.dumps(said)) == said, "plain JSON"
    assert said["n"] == 45 and said["metrics"]["auc"]["value"] > 0.95
    assert said["metrics"]["quadratic_kappa"]["value"] > 0.8
    assert [g["name"] for g in said["subgroups"]] == ["one", "two", "three"]
    found.write(tmp_path / "said.csv")
    found.write(tmp_path / "said.json")
    rows = list(csv.DictReader((tmp_path / "said.csv").open()))
    assert len(rows) == 45 == len(json.loads((tmp_path / "said.json").read_text()))
    assert rows[7]["name"] == "test/00007" and sum(float(rows[7][f"certainty {c}"]) for c in BARS.classes) > 0.999
    labels = np.array([int(row["label"]) for row in rows])
    kappa = cohen_kappa_score(labels, [int(row["grade"]) for row in rows], weights="quadratic")
    assert said["metrics"]["quadratic_kappa"]["value"] == pytest.approx(kappa), "of what stands in the table"
    areas = []
    for k, name in enumerate(BARS.classes):
        rank = np.array([float(row[f"rank {name}"]) for row in rows])
        pairs = rank[labels == k][:, None] - rank[labels != k]
        areas.append(np.mean((pairs > 0) + (pairs == 0) / 2))
    assert said["metrics"]["auc"]["value"] == pytest.approx(float(np.mean(areas)), abs=1e-9)


def test_what_is_no_bar_is_strange(made: tuple[Model, Path, Path], tmp_path: Path) -> None:
    _, out, _ = made
    x, y = bars(30, 2)
    np.savez(tmp_path / "upside.npz", images=255 - np.kron(x[:, ::4, ::4], np.ones((1, 4, 4), np.uint8)), labels=y)
    assert judge(out, tmp_path / "upside.npz")["declined"] > 20


def test_judging_refuses(made: tuple[Model, Path, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = made
    x, _ = bars(6, 3)
    np.savez(tmp_path / "one.npz", images=x, labels=np.ones(6))
    with pytest.raises(Refused, match="every label is 1"):
        judge(out, tmp_path / "one.npz")
    (tmp_path / "weights.pt").write_bytes(b"PK\x03\x04")
    with pytest.raises(Refused, match="is no model"):
        judge(tmp_path / "weights.pt", tmp_path / "one.npz")
    with pytest.raises(NotFound, match="no model 'fortune'"):
        judge("fortune", tmp_path / "one.npz")
    monkeypatch.setattr("isocenter.learn.judge.shelf", lambda extra: {})
    with pytest.raises(NotFound, match=r"none is installed here. Name a folder"):
        judge("fortune", tmp_path / "one.npz")


def test_the_same_seed_repeats_bit_for_bit_in_two_and_three_axes(tmp_path: Path) -> None:
    x, y = bars(24, 0, 2)
    np.savez(tmp_path / "flat.npz", images=x, labels=y)
    np.savez(tmp_path / "solid.npz", images=np.repeat(x[:, ::2, None, ::2], 14, 2), labels=y)
    flat = Classes(task="f", classes=("a", "b"), shape=(28, 28), widths=(4, 8), epochs=1, batch=8)
    solid = Classes(task="s", classes=("a", "b"), shape=(14, 14, 14), widths=(4, 8), epochs=1, batch=8, balanced=True)
    for how, name in ((flat, "flat"), (solid, "solid")):
        examples = read_labelled(tmp_path / f"{name}.npz", how)
        one, other = (fit_classes_net(how, examples, 1).state_dict().values() for _ in "ab")
        assert all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def test_a_volume_is_moved_as_asked_and_no_further() -> None:
    still = Movement(scale=(1.0, 1.0), stretch=0.0, rotate_deg=0.0, shift=0.0)
    random = torch.Generator().manual_seed(0)
    x = torch.rand(3, 1, 9, 11, 13, generator=random)
    assert torch.allclose(moved(x, still, random), x, atol=1e-5)
    turned = moved(x, Movement((1.0, 1.0), 0.0, 0.0, 0.0, mirror=(1.0, 0.0, 0.0)), random)
    assert torch.allclose(turned, x.flip(2), atol=1e-5), "the first axis, and no other"
    line = torch.zeros(1, 1, 41, 21, 21)
    line[0, 0, 10:31, 10, 10] = 1
    spun = moved(line, Movement((1.0, 1.0), 0.0, 90.0, 0.0), random)
    assert spun.shape == line.shape and 0.3 < float(spun.sum() / line.sum()) < 1.7, "no axis is stretched by a turn"
    assert turned_grid(2, Movement(bend=0.05), (6, 7, 8), random).shape == (2, 6, 7, 8, 3)


def test_a_veil_darkens_the_edges_alike_and_leaves_the_middle() -> None:
    from dataclasses import replace

    assert torch.equal(veil(BARS), torch.ones(28, 28))
    edged = replace(BARS, veiled=True, augmentation=Augmentation(shift=0.1))
    assert torch.equal(veil(edged), torch.ones(28, 28)), "a repeated border is not black"
    left = veil(replace(edged, augmentation=Augmentation(shift=0.1, outside="zeros")))
    assert left.shape == (28, 28) and float(left.max()) == 1
    assert torch.allclose(left, left.flip(0)) and torch.allclose(left, left.flip(1))
    assert float(left[0, 0]) < float(left[0, 14]) < 0.9 < float(left[14, 14])


def test_what_lies_between_two_classes_is_near_neither() -> None:
    random = torch.Generator().manual_seed(0)
    kinds = np.arange(400) % 2
    points = torch.randn((400, 3), generator=random) * torch.tensor([1.0, 100.0, 1.0])
    points[:, 0] += torch.from_numpy(kinds) * 20.0
    asked = torch.tensor([[0.0, 0.0, 0.0], [20.0, 150.0, 0.0], [10.0, 0.0, 0.0], [0.0, 0.0, 8.0]])

    def strange(of: np.ndarray | None) -> list[bool]:
        centre, whiten = ellipsoid(points, kinds == 0, of)
        return (((asked[:, None] - centre) @ whiten).norm(dim=2).amin(1) > 1).tolist()

    assert strange(kinds) == [False, False, True, True]
    assert strange(None) == [False, False, False, True], "one shape about both holds what lies between them"
