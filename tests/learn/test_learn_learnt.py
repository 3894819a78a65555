"""What a model learnt from is known again, said when it is judged, and refused where cases have to be new."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.analysis.weights import models
from isocenter.errors import Refused
from isocenter.learn.card import marks_in
from isocenter.learn.judge import judge, must_be_new
from isocenter.learn.labelled import read_labelled
from isocenter.learn.learnt import FILE, keep, seen
from isocenter.learn.recalibrate import recalibrated
from isocenter.learn.recipes import recipe

SHIPPED = models()


def noise(path: Path, n: int) -> Path:
    pictures = np.random.default_rng(0).integers(0, 255, (n, 28, 28), dtype=np.uint8)
    np.savez(path, test_images=pictures, test_labels=np.arange(n) % 2)
    return path


def test_the_cases_that_it_learnt_from_are_counted(tmp_path: Path) -> None:
    data, own = noise(tmp_path / "a.npz", 40), tmp_path / "breastmnist"
    assert judge("breastmnist", data)["learnt_from"] == 0
    shutil.copytree(SHIPPED["breastmnist"][1].parent, own)
    pictures = np.load(data)["test_images"]
    keep(own, np.concatenate([pictures[:3], pictures[:3], 255 - pictures[5:6]]))
    assert (own / FILE).stat().st_size == 16, "four bytes for each of four pictures"
    record = json.loads((own / "model.json").read_text())
    record["card"]["training"] |= marks_in(own)
    (own / "model.json").write_text(json.dumps(record))
    assert judge(own, data)["learnt_from"] == 3 == int(np.count_nonzero(seen(own, pictures)))
    with pytest.raises(Refused, match="learnt from them"):
        recalibrated(own, data, tmp_path / "bent", "temperature")
    (own / FILE).unlink()
    told = judge(own, data)
    assert "learnt_from" not in told and "learnt.bin, which its card names, is not there" in told["remarks"][-1]


@pytest.mark.parametrize(
    ("name", "file", "share"),
    [("breastmnist", "medmnist/breastmnist.npz", 1.0), ("retinamnist", "medmnist/retinamnist.npz", 1.0),
     ("adrenalmnist3d", "medmnist/adrenalmnist3d.npz", 1.0), ("pneumoniamnist", "medmnist/pneumoniamnist.npz", 2 / 3),
     pytest.param("image_kind", "mednist/mednist_64.npz", 3 / 4, marks=pytest.mark.nightly)],
)  # fmt: skip
def test_what_ships_knows_what_it_learnt_from(name: str, file: str, share: float, data: Path) -> None:
    known = seen(SHIPPED[name][1].parent, read_labelled(data / file, recipe(name)).pictures)
    assert known is not None and known.mean() == pytest.approx(share, abs=0.01)


@pytest.mark.parametrize(
    ("name", "file", "told"),
    [
        pytest.param("hippocampus", "msd_hippocampus", "162 of 203", marks=pytest.mark.nightly),
        ("bccd", "bccd", "204 of 255"),
    ],
)
def test_a_test_of_cases_that_what_ships_learnt_from_is_refused(name: str, file: str, told: str, data: Path) -> None:
    with pytest.raises(Refused, match=f"{told} cases of the sealed test"):
        must_be_new(name, data / file)


@pytest.mark.parametrize(
    ("name", "file", "n"),
    [("mammographic_mass", "mammographic_masses/mammographic_masses.data", 961),
     ("cleveland_heart", "uci_cleveland_heart/processed.cleveland.303.data", 303)],
)  # fmt: skip
def test_a_table_is_known_again_as_a_whole(name: str, file: str, n: int, data: Path, tmp_path: Path) -> None:
    assert judge(name, data / file)["learnt_from"] == n
    with pytest.raises(Refused, match=f"{n} of {n} cases of the sealed test"):
        must_be_new(name, data / file)
    part = tmp_path / "part.data"
    part.write_text("".join((data / file).read_text().splitlines(keepends=True)[:90]))
    assert "learnt_from" not in judge(name, part), "of single rows nothing is kept"
    must_be_new(name, part)


def test_the_card_names_the_marks() -> None:
    places = {name: file.parent for name, (_, file) in SHIPPED.items() if (file.parent / FILE).is_file()}
    assert len(places) == 8
    for name, place in places.items():
        assert marks_in(place).items() <= SHIPPED[name][0].card["training"].items(), name
