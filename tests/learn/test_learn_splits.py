"""A part of a collection is found whatever it is called, and several taken together are told."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes, Table
from isocenter.learn.labelled import read_labelled
from isocenter.learn.outlined import pairs_in
from isocenter.learn.recipes import recipe
from isocenter.learn.rows import read_rows
from isocenter.learn.splits import must_be_among

HOW = Classes(task="t", classes=("no", "yes"), shape=(28, 28))


@pytest.mark.parametrize(("asked", "there"), [("valid", "val"), ("val", "Validation"), ("TEST", "testing")])
def test_a_part_is_found_whatever_it_is_called(tmp_path: Path, asked: str, there: str) -> None:
    grey = np.random.default_rng(0).integers(0, 255, (4, 28, 28), dtype=np.uint8)
    held = {f"{there}_images": grey[:2], f"{there}_labels": [0, 1], "train_images": grey[2:], "train_labels": [0, 1]}
    np.savez(tmp_path / "a.npz", **held)
    assert len(read_labelled(tmp_path / "a.npz", HOW, asked)) == 2
    for k, part in enumerate((there, "train")):
        for label in ("no", "yes"):
            (tmp_path / "a" / part / label).mkdir(parents=True)
            Image.fromarray(grey[k]).save(tmp_path / "a" / part / label / f"{part}{label}.png")
    assert len(read_labelled(tmp_path / "a", HOW, asked)) == 2
    table = [f"{part}/{label}/{part}{label}.png,{label},{part}" for part in (there, "train") for label in ("no", "yes")]
    (tmp_path / "a" / "t.csv").write_text("\n".join(["file,label,split", *table]))
    assert len(read_labelled(tmp_path / "a" / "t.csv", HOW, asked)) == 2
    with pytest.raises(Refused, match=r"no split 'fold' in t\.csv: there are "):
        read_labelled(tmp_path / "a" / "t.csv", HOW, "fold")
    assert must_be_among(None, ["a"], "t") is None and must_be_among("val", ["val", "valid"], "t") == "val"


def test_rows_of_a_part_and_of_several(tmp_path: Path) -> None:
    how = recipe("mammographic_mass")
    assert isinstance(how, Table)
    lines = [f"{4 + k % 2},{50 + k},1,1,3,{k % 2},{'Test' if k < 4 else 'Train'}" for k in range(10)]
    (tmp_path / "t.csv").write_text("\n".join(["BI-RADS,Age,Shape,Margin,Density,Severity,Split", *lines]))
    assert len(read_rows(tmp_path / "t.csv", how, "test").labels) == 4
    assert read_rows(tmp_path / "t.csv", how).remarks == (
        "these 10 cases are of several parts, taken together: 6 of train, 4 of test; --split test takes that part "
        "alone",
    )


def test_outlines_of_a_part(tmp_path: Path) -> None:
    for name in ("imagesTr", "labelsTr", "imagesTs", "labelsTs"):
        (tmp_path / name).mkdir()
        (tmp_path / name / f"{name[6:]}.nii.gz").touch()
    assert [one.name for one, _ in pairs_in(tmp_path, "testing")[0]] == ["Ts.nii.gz"]


def test_that_several_parts_were_judged_together_is_said(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'ml' is not installed")
    from isocenter.learn.judge import judged

    rng = np.random.default_rng(1)
    grey = rng.integers(0, 255, (8, 28, 28), dtype=np.uint8)
    held = {"val_images": grey[:4], "val_labels": [0, 1] * 2, "test_images": grey[4:], "test_labels": [0, 1] * 2}
    np.savez(tmp_path / "a.npz", **held)
    said = "8 cases are of several parts, taken together: 4 of val, 4 of test; --split test takes"
    assert said in " ".join(judged("pneumoniamnist", tmp_path / "a.npz").report["remarks"])
    one = judged("pneumoniamnist", tmp_path / "a.npz", "testing").report
    assert one["n"] == 4 and "parts" not in " ".join(one["remarks"])
    for part in ("train", "valid"):
        (tmp_path / "b" / part).mkdir(parents=True)
        Image.fromarray(rng.integers(0, 255, (120, 160, 3), dtype=np.uint8)).save(tmp_path / "b" / part / f"{part}.png")
        (tmp_path / "b" / part / "_annotations.csv").write_text(
            f"filename,class,xmin,ymin,xmax,ymax\n{part}.png,RBC,10,10,60,60\n"
        )
    told = judged("bccd", tmp_path / "b").report
    assert "2 cases are of several parts, taken together: 1 of train, 1 of val" in " ".join(told["remarks"])
    assert judged("bccd", tmp_path / "b", "validation").report["n"] == 1


def test_that_a_part_for_the_test_is_learnt_from_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("torch", reason="the extra 'ml' is not installed")
    from isocenter.learn import recipes
    from isocenter.learn.train import train

    how = Classes(
        task="dots", classes=("no", "yes"), shape=(16, 16), widths=(4,), members=2, epochs=1, batch=4, card={}
    )
    monkeypatch.setitem(recipes.RECIPES, "dots", how)
    grey = np.random.default_rng(2).integers(0, 255, (24, 16, 16), dtype=np.uint8)
    held = {"train_images": grey[:16], "train_labels": [0, 1] * 8, "test_images": grey[16:], "test_labels": [0, 1] * 4}
    np.savez(tmp_path / "a.npz", **held)
    told: list[str] = []
    with suppress(Refused, KeyError):  # no better than a coin
        train("dots", tmp_path / "a.npz", tmp_path / "out", progress=told.append)
    assert any(line.startswith("8 of 24 examples are of the part 'test' and are learnt from") for line in told)
