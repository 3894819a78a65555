"""A model is taught what to decline: another version of it, whose border nobody can change or take away unseen."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from PIL import Image

from isocenter.analysis.weights import models
from isocenter.errors import Conflict, NotFound, Refused
from isocenter.learn import detect, judge
from isocenter.learn.border import KINDS, spoilt
from isocenter.learn.examining import chosen_from
from isocenter.learn.judge import judged
from isocenter.learn.judge_boxes import Found
from isocenter.learn.likeness import found, indexed, worth
from isocenter.learn.outside import FILE, NO_BORDER, canvas, no_border, strangeness
from isocenter.learn.recalibrate import network_digest, recalibrated
from isocenter.learn.strangers import collections_in, taught_to_decline


def right(n: int, seed: int) -> np.ndarray:
    """Pictures that are bright above and have a dark disc below."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:28, :28]
    made = []
    for _ in range(n):
        away = np.hypot(y - rng.uniform(17, 20), x - rng.uniform(12, 16))
        made.append(220 - 5 * y - 90 * (away < rng.uniform(4, 6)) + rng.normal(0, 6, (28, 28)))
    return np.clip(np.stack(made), 0, 255).astype(np.uint8)


def saved(path: Path, images: np.ndarray) -> Path:
    np.savez(path, train_images=images, train_labels=np.arange(len(images)) % 2)
    return path


@pytest.fixture(scope="module")
def taught(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("border")
    shown = np.random.default_rng(3).integers(0, 255, (60, 40, 40), dtype=np.uint8)
    np.savez(folder / "squares.npz", images=np.sort(shown, 2), labels=np.arange(60) % 2)
    taught_to_decline(
        "pneumoniamnist", saved(folder / "right.npz", right(160, 0)), folder / "pneumoniamnist",
        [folder / "squares.npz"], steps=40,
    )  # fmt: skip
    return folder / "pneumoniamnist"


@pytest.mark.parametrize("shape", [(28, 30), (28, 30, 3), (20, 24, 28)])
def test_every_way_to_spoil_an_image_changes_it(shape: tuple[int, ...]) -> None:
    rng = np.random.default_rng(0)
    one, other = rng.integers(0, 255, (2, *shape), dtype=np.uint8)
    assert canvas(one).shape == ({2: 1}.get(len(shape), 3 if shape[-1] == 3 else 6), 40, 40)
    assert np.ptp(canvas(one)) == pytest.approx(1) and not np.ptp(canvas(np.zeros(shape)))
    for kind in KINDS:
        made = spoilt(one, other, kind, rng)
        assert made.ndim == one.ndim and (made.shape != one.shape or not np.array_equal(made, one)), kind
    with pytest.raises(Refused, match="spoilt by 'love'"):
        spoilt(one, other, "love", rng)


def test_what_is_unlike_is_declined_and_the_answers_stay(taught: Path, tmp_path: Path) -> None:
    before = models()["pneumoniamnist"]
    own, upside = (saved(tmp_path / f"{k}.npz", x) for k, x in enumerate((right(60, 7), right(60, 7)[:, ::-1])))
    told = [judged(taught, path) for path in (own, upside)]
    assert told[0].report["declined"] <= 12 and told[1].report["declined"] >= 54
    plain = judged("pneumoniamnist", own)
    assert [row["said"] for row in told[0].predictions] == [row["said"] for row in plain.predictions]
    held = told[0].model
    assert held.version == str(int(before[0].version) + 1) and held.parent == before[0].digest != held.digest
    assert network_digest((taught / "model.onnx").read_bytes()) == network_digest(before[1].read_bytes())
    refused = held.evidence["out_of_scope"]
    assert {*KINDS, "squares 0 (others of it were shown)", "right ones, for comparison"} <= set(refused)
    assert "| upside down | 120 |" in (taught / "card.md").read_text()


def test_every_road_asks_the_border_and_says_why(taught: Path, tmp_path: Path) -> None:
    known, upside = saved(tmp_path / "a.npz", right(60, 7)), saved(tmp_path / "up.npz", right(60, 7)[:, ::-1])
    mixed = saved(tmp_path / "mixed.npz", np.concatenate([right(60, 7), right(10, 8)[:, ::-1]]))
    told = judged(taught, upside)
    assert told.report["border"] == "asked"
    assert all(bool(row["because"]) for row in told.predictions if row["declined"])
    assert any("beyond the border taught to the model" in row["because"] for row in told.predictions)
    out: list[tuple[str, str]] = []
    indexed([("", mixed)], taught, refused=0.1, left_out=out).write(tmp_path / "index")
    assert sum(name in {f"train/{n:05d}" for n in range(60, 70)} for name, _ in out) >= 9 and len(out) <= 25
    for one in found(tmp_path / "index", upside, taught, k=3):
        assert (one["near"] == []) == bool(one["declined"]) and one["border"] == "asked"
    assert sum(bool(one["declined"]) for one in found(tmp_path / "index", upside, taught)) >= 54
    assert worth(mixed, taught, draws=2)["declined"] >= 9
    told = chosen_from(mixed, known, taught, n=5)
    assert set(told["because"]) == set(told["strange"]) and len(told["strange"]) >= 9
    assert not set(told["strange"]) & {one["file"] for one in told["chosen"]}


def test_nothing_is_found_near_the_border_without_a_word(taught: Path, tmp_path: Path) -> None:
    own = right(120, 7)
    told, scope = judged(taught, saved(tmp_path / "own.npz", own)), json.loads((taught / "model.json").read_text())
    inner = scope["inputs"]["scope"]["near"]
    far = strangeness(taught, scope["inputs"]["scope"], list(own))
    answered = [(row, s) for row, s in zip(told.predictions, far, strict=True) if not row["declined"]]
    assert 0 < inner < 1.5 and len(answered) > 90
    for row, s in answered:
        assert ("near the border" in row["because"]) == (row["said"] == 0 and s > inner)
    record = tmp_path / "strict" / "pneumoniamnist"
    shutil.copytree(taught, record)
    scope["inputs"]["scope"]["near"] = 0.0
    (record / "model.json").write_text(json.dumps(scope))
    for row in judged(record, tmp_path / "own.npz").predictions:
        assert bool(row["because"]) == (row["declined"] or row["said"] == 0), "a finding needs no such word"


def test_a_model_without_a_border_says_so() -> None:
    assert no_border({"classes": ["no", "yes"]}) == NO_BORDER
    assert not any(map(no_border, ({"scope": {}}, {"rest": True}, {"gate": {}})))


def test_a_border_is_neither_exchanged_nor_taken_away(taught: Path, tmp_path: Path) -> None:
    data = saved(tmp_path / "a.npz", right(60, 7))
    made = tmp_path / "made" / "pneumoniamnist"
    shutil.copytree(taught, made)
    (made / FILE).write_bytes((made / FILE).read_bytes() + b" ")
    with pytest.raises(Refused, match=r"it is not the file of the record"):
        judged(made, data)
    (made / FILE).unlink()
    with pytest.raises(Refused, match=r"no scope\.onnx in pneumoniamnist"):
        judged(made, data)
    record = json.loads((made / "model.json").read_text())
    del record["inputs"]["scope"]
    (made / "model.json").write_text(json.dumps(record))
    with pytest.raises(Refused, match="a record with the border None"):
        judged(made, data)


def test_images_of_other_channels_are_refused(taught: Path) -> None:
    told = json.loads((taught / "model.json").read_text())["inputs"]["scope"]
    with pytest.raises(Refused, match=r"images of 3 channels.*the model looks at 1"):
        strangeness(taught, told, [np.zeros((28, 28, 3), np.uint8)])


def test_another_calibration_keeps_the_border(taught: Path, tmp_path: Path) -> None:
    data = saved(tmp_path / "local.npz", right(60, 11))
    recalibrated(taught, data, tmp_path / "new" / "pneumoniamnist", "platt")
    upside = saved(tmp_path / "up.npz", right(60, 7)[:, ::-1])
    assert judged(tmp_path / "new" / "pneumoniamnist", upside).report["declined"] >= 54


def test_what_cannot_be_taught_is_refused(taught: Path, tmp_path: Path) -> None:
    data, rng = saved(tmp_path / "a.npz", right(60, 0)), np.random.default_rng(0)
    with pytest.raises(Conflict, match="is not empty"):
        taught_to_decline("pneumoniamnist", data, taught)
    with pytest.raises(Refused, match="a border of image_kind"):
        taught_to_decline("image_kind", data, tmp_path / "out")
    with pytest.raises(Refused, match="a border takes 20 on each side"):
        taught_to_decline("pneumoniamnist", data, tmp_path / "out")
    with pytest.raises(NotFound, match="no collection at"):
        collections_in(tmp_path / "b.npz", list(right(2, 0)), rng)
    np.savez(tmp_path / "flat.npz", images=np.zeros((4, 9, 9), np.uint8))
    with pytest.raises(Refused, match=r"no image in flat\.npz"):
        collections_in(tmp_path / "flat.npz", list(right(2, 0)), rng)


@pytest.mark.parametrize("name", ["pneumoniamnist", "breastmnist", "retinamnist", "adrenalmnist3d"])
def test_a_shipped_border_knows_wrong_images_of_a_part_that_taught_nothing(name: str, data: Path) -> None:
    held, weights = models()[name]
    some, rng = np.load(data / "medmnist" / f"{name}.npz")["val_images"][:20], np.random.default_rng(0)
    some = some * np.uint8(255) if some.max() <= 1 else some
    wrong = [
        spoilt(one, some[k - 1], kind, rng) for kind in KINDS if kind not in ("askew", "cut out")
        for k, one in enumerate(some)
    ]  # fmt: skip
    told = held.inputs["scope"]
    far = strangeness(weights.parent, told, [np.clip(w, 0, 255).astype(np.uint8) for w in wrong])
    assert np.mean(far > 1) >= 0.96 and np.mean(far <= told["near"]) <= 0.01
    right_ones = strangeness(weights.parent, told, list(some))
    assert np.mean(right_ones > 1) <= 0.1 and np.mean(right_ones > told["near"]) <= 0.35


def test_a_wrong_picture_without_a_box_is_declined_and_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = ["file,class,xmin,ymin,xmax,ymax"]
    for k in range(2):
        grey = np.linspace(0, 60 + k, 320 * 240).reshape(240, 320)
        Image.fromarray(np.stack([grey] * 3, -1).astype(np.uint8)).save(tmp_path / f"dark{k}.png")
        lines.append(f"dark{k}.png,RBC,10,10,60,60")
    (tmp_path / "boxes.csv").write_text("\n".join(lines) + "\n")
    nothing = Found(np.zeros((0, 4)), np.zeros(0, int), np.zeros(0))
    monkeypatch.setattr(detect, "_asked", lambda *given: nothing)
    told = judged("bccd", tmp_path / "boxes.csv")
    assert told.report["declined"] == 2
    assert [(row["name"], row["declined"]) for row in told.predictions] == [("dark0", True), ("dark1", True)]
    assert all("times as far" in row["because"] for row in told.predictions)
    monkeypatch.setattr(judge, "strangeness", lambda place, told, images, numbers: np.array([0.2, 0.99]))
    (row,) = judged("bccd", tmp_path / "boxes.csv").predictions
    assert (row["name"], row["declined"]) == ("dark1", False), "one without a box, near the border"
    assert row["because"].startswith("it lies near the border of what the model was made for (strangeness 0.99")


def test_a_persons_own_images_are_not_found_however_the_set_tells_whose_they_are(taught: Path, tmp_path: Path) -> None:
    shown = right(90, 11)
    for k, one in enumerate(shown):
        person, visit = f"Ann{k // 3}", k % 3
        for place in (tmp_path / "folders" / ("pneumonia", "normal")[k // 3 % 2] / person, tmp_path / "new" / person):
            place.mkdir(parents=True, exist_ok=True)
            Image.fromarray(one).save(place / f"{visit}.png")
        (tmp_path / "files").mkdir(exist_ok=True)
        Image.fromarray(one).save(tmp_path / "files" / f"{k}.png")
    rows = "".join(f"{k}.png,{('pneumonia', 'normal')[k // 3 % 2]},Ann{k // 3}\n" for k in range(90))
    (tmp_path / "files" / "set.csv").write_text("file,label,patient\n" + rows)
    for known, asked in (("folders", "new"), ("files/set.csv", "files")):
        made = indexed([("study", tmp_path / known)], taught, refused=0.1)
        made.write(tmp_path / "index")
        whose = {case.name: case.person for case in made.cases}
        assert len(set(whose.values())) <= 30, "three images each"
        near = found(tmp_path / "index", tmp_path / asked, taught, k=3)
        assert sum(bool(one["near"]) for one in near) > 60
        for one in near:
            own = Path(one["file"]).parent.name or f"Ann{int(Path(one['file']).stem) // 3}"
            assert own not in {whose[n["name"]] for n in one["near"]}, f"a prior of {own}"
    with pytest.raises(Refused, match="the project 'studdy': no case of the index is of it"):
        found(tmp_path / "index", tmp_path / "new", taught, projects=["studdy"])
