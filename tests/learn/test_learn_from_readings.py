"""Weights of labels, readers who differ, rehearsal, and weights that reach the training."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.examples import weights_in
from isocenter.learn.films import read_films
from isocenter.learn.from_readings import (
    Example,
    Said,
    capped,
    classes_of,
    examples_of,
    influence,
    learned,
    rehearsed,
    written,
)
from isocenter.learn.kinds import Classifier2D
from isocenter.learn.recipes import OWN_TRAINING, RECIPES, taught_by
from isocenter.learn.teachers import teacher_of
from isocenter.record import Model

SAID = Said("1", "p1", "ito", "2026-01-01", "concurrent", machine=True, final=True)


def test_agreement_with_a_seen_machine_weighs_a_quarter_and_overruling_it_counts_whole() -> None:
    (one,), torn = examples_of([SAID])
    assert (one.label, one.weight, one.mode, torn) == (True, 0.25, "followed", 0)
    changed = replace(SAID, mode="unaided-first", first=False)
    assert examples_of([changed])[0][0].mode == "followed"  # the first opinion was another
    against = replace(SAID, reader="lee", final=False)
    (one,), _ = examples_of([SAID, against])
    assert (one.label, one.weight, one.mode, one.readers) == (False, 0.75, "overruled", ("ito", "lee"))
    amended = replace(SAID, time="2026-02-01", final=False)
    assert examples_of([amended, SAID])[0][0].label is False  # the last report counts
    first = replace(SAID, mode="unaided-first", first=True)
    assert examples_of([first, replace(against, mode="shadow")]) == ([], 1)
    assert examples_of([SAID], 0.0) == ([], 0)
    with pytest.raises(Refused):
        examples_of([SAID], 1.5)


def _folder(out: Path, n: int, seed: int = 0) -> None:
    rng = np.random.default_rng(seed)
    made = [Example(str(k), f"p{k // 2}", k % 3 == 0, 1.0, ("ito",), "unaided", "", True) for k in range(n)]
    written(out, made, ("NORMAL", "PNEUMONIA"), lambda e: (rng.integers(0, 4000, (1, 40, 40)), ["d" + e.study]), {})


def test_rehearsal_mixes_the_share_that_was_asked_and_keeps_people_apart(tmp_path: Path) -> None:
    _folder(tmp_path / "old", 60)
    _folder(tmp_path / "new", 30, seed=1)
    assert rehearsed(tmp_path / "new", tmp_path / "old", 0.4) == 20
    read = read_films(tmp_path / "new", Classifier2D("t", "NORMAL", "PNEUMONIA"))
    old = np.array(["earlier" in n for n in read.names])
    assert (len(read), int(old.sum())) == (50, 20)
    assert read.labels[old].mean() == pytest.approx(1 / 3, abs=0.06)
    assert not set(read.groups[old].tolist()) & set(read.groups[~old].tolist())
    with pytest.raises(Refused):
        rehearsed(tmp_path / "new", tmp_path / "old", 1.0)
    with pytest.raises(Refused, match="no folder"):
        rehearsed(tmp_path / "new", tmp_path, 0.5)
    model = learned(Model("m", "1", "d"), tmp_path / "new", tmp_path)
    assert model.card["learned_from"] == sorted(f"d{k}" for k in range(60)), "the earlier ones, too"
    assert learned(Model("m", "1", "d"), tmp_path, tmp_path) == Model("m", "1", "d")


def test_earlier_pictures_may_lie_in_folders_of_people_and_have_commas_in_their_names(tmp_path: Path) -> None:
    _folder(tmp_path / "new", 30, seed=1)
    for k in range(60):
        place = tmp_path / "old" / ("NORMAL", "PNEUMONIA")[k % 2] / f"Ann {k // 6}, née B"
        place.mkdir(parents=True, exist_ok=True)
        shown = np.random.default_rng(k).integers(0, 255, (32, 32), dtype=np.uint8)
        Image.fromarray(shown).save(place / f"left, {k % 6}.png")
        (place / ".DS_Store").write_bytes(b"x")
    assert rehearsed(tmp_path / "new", tmp_path / "old", 0.5) == 30
    read = read_films(tmp_path / "new", Classifier2D("t", "NORMAL", "PNEUMONIA"))
    old = np.array(["earlier" in n for n in read.names])
    assert (len(read), int(old.sum()), len(set(read.groups[old].tolist()))) == (60, 30, 10)
    rows = list(csv.DictReader((tmp_path / "new" / "examples.csv").open(newline="", encoding="utf-8")))
    assert {row["file"] for row in rows if row["mode"] == "earlier"} == set(np.array(read.names)[old].tolist())
    for folder in ("NORMAL", "PNEUMONIA"):
        (tmp_path / "bare" / folder).mkdir(parents=True)
    with pytest.raises(Refused, match="no picture below the classes"):
        rehearsed(tmp_path / "new", tmp_path / "bare", 0.5)


def test_rehearsal_keeps_what_a_head_had_learnt() -> None:
    """Two clinics whose cases are told apart by different numbers: learning from the second alone forgets the first."""
    from isocenter.methods.logistic import fit_head
    from isocenter.methods.roc import auc

    rng = np.random.default_rng(0)

    def clinic(which: int, n: int) -> tuple[np.ndarray, np.ndarray]:
        y = np.arange(n) % 2
        x = rng.normal(0, 1, (n, 8))
        x[:, 4 * which] += 2.0 * y
        return x, y

    (old_x, old_y), (new_x, new_y), (test_x, test_y) = clinic(0, 200), clinic(1, 100), clinic(0, 2000)
    alone = auc(test_y, fit_head(new_x, new_y).logit(test_x)).value
    some = slice(0, 60)
    both = fit_head(np.vstack([new_x, old_x[some]]), np.r_[new_y, old_y[some]])
    assert alone < 0.72 < 0.85 < auc(test_y, both.logit(test_x)).value
    assert auc(*(lambda c: (c[1], both.logit(c[0])))(clinic(1, 2000))).value > 0.75


def test_weights_are_read_and_wrong_ones_refused(tmp_path: Path) -> None:
    _folder(tmp_path / "a", 9)
    assert weights_in(tmp_path, ["x"]) is None
    (tmp_path / "examples.csv").write_text("file,weight\nx,0.5\n")
    assert weights_in(tmp_path, ["x", "y"]).tolist() == [0.5, 1.0]  # type: ignore[union-attr]
    for bad in ("2", "much"):
        (tmp_path / "examples.csv").write_text(f"file,weight\nx,{bad}\n")
        with pytest.raises(Refused, match="a weight"):
            weights_in(tmp_path, ["x"])
    assert classes_of(RECIPES["breastmnist"]) == ("normal or benign", "malignant")


def test_a_weight_of_nought_is_as_if_the_example_were_not_there() -> None:
    torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
    from isocenter.learn.classify import _loss

    how = RECIPES["pneumoniamnist"]
    logits, labels = torch.randn(4, 2, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 1, 0, 1])
    some = _loss(logits, labels, torch.tensor([2.0, 0.0, 2.0, 0.0]), how)
    assert torch.allclose(some, _loss(logits[[0, 2]], labels[[0, 2]], torch.ones(2), how))


def _by(reader: str, n: int, weight: float = 1.0) -> list[Example]:
    return [Example(f"{reader}{k}", "p", k % 2 == 0, weight, (reader,), "unaided", "", True) for k in range(n)]


def test_one_reader_does_not_outweigh_the_others() -> None:
    busy = [
        *_by("lee", 400),
        *_by("ito", 40),
        *_by("kim", 20),
        Example("x", "p", True, 1.0, ("ito", "lee"), "", "", True),
    ]
    kept, scaled = capped(busy)
    part = influence(kept)
    assert part["lee"] == pytest.approx(0.5, abs=1e-4) and max(part.values()) == part["lee"]
    assert list(scaled) == ["lee"] and scaled["lee"] == pytest.approx(61 / 400, abs=1e-3)
    assert [e.weight for e in kept if e.readers != ("lee",)] == [1.0] * 61, "nobody else's labels change"
    part = influence(capped(busy, 0.4)[0])
    assert max(part.values()) == pytest.approx(0.5, abs=1e-4), "of three readers half is the least that is asked"
    four = [*_by("a", 90), *_by("b", 60), *_by("c", 5), *_by("d", 5)]
    kept, scaled = capped(four, 0.4)
    assert max(influence(kept).values()) <= 0.4001 and list(scaled) == ["a", "b"]
    two = [*_by("lee", 300), *_by("ito", 10)]
    assert influence(capped(two)[0])["lee"] == pytest.approx(0.75, abs=1e-4)
    assert capped(_by("lee", 30)) == (_by("lee", 30), {}) and capped(busy, 1.0) == (busy, {})
    for bad in (0.0, -1.0, 1.5):
        with pytest.raises(Refused, match="a reader's part"):
            capped(busy, bad)


def test_a_reader_who_exchanges_every_label_spoils_less_when_their_part_is_capped() -> None:
    from isocenter.methods.logistic import fit_head
    from isocenter.methods.roc import auc

    rng = np.random.default_rng(4)
    truth = np.arange(900) % 2
    x = rng.normal(0, 1, (900, 6)) + 0.9 * truth[:, None]
    who = np.array(["lee"] * 330 + ["ito", "kim", "ruiz"] * 90)
    said = np.where(who == "lee", 1 - truth[:600], truth[:600])
    made = [Example(str(k), str(k), bool(said[k]), 1.0, (str(who[k]),), "unaided", "", True) for k in range(600)]
    areas = []
    for examples in (made, capped(made, 0.375)[0]):
        weights = np.array([e.weight for e in examples], np.float32)
        head = fit_head(x[:600], said, weights=weights)
        areas.append(auc(truth[600:], head.certainty(x[600:])).value)
    assert areas[0] < 0.4 < 0.8 < areas[1], areas


@pytest.mark.parametrize("task", sorted([*RECIPES, *OWN_TRAINING]))
def test_signed_reports_teach_every_recipe_that_ships(task: str) -> None:
    teacher = teacher_of(taught_by(task), task, ())
    assert all(callable(getattr(teacher, part)) for part in ("said", "examples", "written"))
