"""Detection: boxes read in every layout, moved with their picture, learnt, exported, and judged."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.cli import app  # noqa: E402
from isocenter.errors import Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.boxed import Boxed, digest_of_boxed, read_boxed, remarks_on, stretched, unbarred  # noqa: E402
from isocenter.learn.detect import Finder, _loss, _parts, bells, decoded, fit_boxes, moved_boxes  # noqa: E402
from isocenter.learn.judge import Judged, judged  # noqa: E402
from isocenter.learn.judge_boxes import Found, box_figures  # noqa: E402
from isocenter.learn.kinds import Boxes  # noqa: E402
from isocenter.learn.networks import BoxNet  # noqa: E402
from isocenter.learn.tested import read  # noqa: E402
from isocenter.learn.train import train  # noqa: E402
from isocenter.record import Model  # noqa: E402

SHAPES = Boxes(
    task="shapes", classes=("disc", "square"), known_as={"ball": 0}, shape=(64, 80), widths=(8, 12, 16, 16), neck=12,
    members=3, epochs=14, batch=4, rate=1e-2, average=0.8, views=((), (1,)), goal={"map50": 0.8}, precision="float32",
    card={"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"},
)  # fmt: skip


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["shapes"] = SHAPES
    yield
    recipes.RECIPES.pop("shapes")


def field(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A picture of 128 × 160 with discs and squares that do not touch."""
    rng = np.random.default_rng(seed)
    picture = rng.normal(200, 8, (128, 160, 3))
    y, x = np.indices((128, 160))
    boxes, kinds = [], []
    for cell in rng.permutation(6)[:4]:
        r, kind = int(rng.integers(10, 20)), int(rng.integers(0, 2))
        cx, cy = 27 + 53 * int(cell % 3) + int(rng.integers(-4, 5)), 32 + 64 * int(cell // 3) + int(rng.integers(-8, 9))
        inside = (x - cx) ** 2 + (y - cy) ** 2 < r * r if kind == 0 else (abs(x - cx) < r) & (abs(y - cy) < r)
        picture[inside] = (90, 60, 120) if kind == 0 else (120, 150, 60)
        boxes.append([cx - r, cy - r, cx + r, cy + r])
        kinds.append(kind)
    return np.clip(picture, 0, 255).astype(np.uint8), np.array(boxes, float), np.array(kinds)


def voc(folder: Path, names: dict[str, int]) -> Path:
    for kind in ("Annotations", "JPEGImages", "ImageSets/Main"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for name, seed in names.items():
        picture, boxes, kinds = field(seed)
        Image.fromarray(picture).save(folder / "JPEGImages" / f"{name}.jpg", quality=95)
        things = "".join(
            f"<object><name>{SHAPES.classes[k]}</name><bndbox>"
            + "".join(f"<{s}>{v:g}</{s}>" for s, v in zip(("xmin", "ymin", "xmax", "ymax"), box, strict=True))
            + "</bndbox></object>"
            for k, box in zip(kinds, boxes, strict=True)
        )
        (folder / "Annotations" / f"{name}.xml").write_text(f"<annotation>{things}</annotation>")
    (folder / "ImageSets" / "Main" / "test.txt").write_text("\n".join([*list(names)[:2], "gone"]))
    return folder


def test_the_whole_way(tmp_path: Path) -> None:
    data = voc(tmp_path / "set", {f"s{i}": i for i in range(24)})
    model = train("shapes", data, tmp_path / "shapes", seed=1)
    lines = read(tmp_path / "shapes", model)
    assert len(lines) == model.evidence["n"] and all(0 <= one["right"] <= 1 for one in lines)
    shown = model.evidence["metrics"]
    assert shown["map50"]["value"] > 0.6 and {"ap50_disc", "sensitivity_square"} <= set(shown)
    assert model.evidence["parity"] <= 1e-4 and "| map50 |" in (tmp_path / "shapes" / "card.md").read_text("utf-8")
    found = judged(tmp_path / "shapes", voc(tmp_path / "held", {f"h{i}": 90 + i for i in range(4)}))
    said = found.report
    assert json.loads(json.dumps(said)) == said and said["n"] == 4 and said["metrics"]["map50"]["value"] > 0.6
    for one in (said["metrics"]["map50"], said["metrics"]["map50_95"], said["metrics"]["ap50"]["disc"]):
        assert one["low"] <= one["value"] <= one["high"], "every figure has its interval"
    (tmp_path / "groups.csv").write_text("name,site\n" + "".join(f"h{i},{'AB'[i % 2]}\n" for i in range(4)))
    asked = [str(tmp_path / part) for part in ("shapes", "held", "groups.csv")]
    done = CliRunner().invoke(app, ["judge", asked[0], "--data", asked[1], "--groups", asked[2], "--json"])
    assert [row["n"] for row in json.loads(done.stdout)["subgroups"]] == [2, 2], "a row for each group of pictures"
    found.write(tmp_path / "said.csv")
    rows = list(csv.DictReader((tmp_path / "said.csv").open()))
    square = voc(tmp_path / "square", {f"h{i}": 90 + i for i in range(4)})
    for file in (square / "JPEGImages").iterdir():  # 16 rows of black above and below
        whole = np.zeros((160, 160, 3), np.uint8)
        whole[16:144] = np.asarray(Image.open(file))
        Image.fromarray(whole).save(file, quality=95)
    for note in (square / "Annotations").iterdir():
        note.write_text(re.sub(r"<(ymin|ymax)>(\d+)", lambda m: f"<{m[1]}>{int(m[2]) + 16}", note.read_text()))
    barred = judged(tmp_path / "shapes", square)
    assert barred.report["metrics"]["map50"]["value"] == pytest.approx(said["metrics"]["map50"]["value"], abs=0.05)
    assert any("4 of 4 pictures have bars of one colour" in line for line in barred.report["remarks"])
    first, again = found.predictions[0], barred.predictions[0]
    assert again["ymin"] == pytest.approx(first["ymin"] + 16, abs=2) and again["xmin"] == pytest.approx(
        first["xmin"], abs=2
    )
    assert {"name", "class", "xmin", "score", "counted", "hit"} <= set(rows[0])


def test_layouts_say_the_same(tmp_path: Path) -> None:
    data = voc(tmp_path, {"a": 0, "b": 1, "c": 2})
    first, missing = read_boxed(data, SHAPES)
    assert [one.name for one in first] == ["a", "b", "c"] and not missing
    assert [one.name for one in read_boxed(data, SHAPES, "test")[0]] == ["a", "b"]
    lines, coco = ["filename,class,xmin,ymin,xmax,ymax"], {"images": [], "annotations": [], "categories": [
        {"id": 7, "name": "ball"}, {"id": 9, "name": "square"}]}  # fmt: skip
    for number, one in enumerate(first):
        coco["images"].append({"id": number, "file_name": f"{one.name}.jpg"})
        for kind, (a, b, c, d) in zip(one.kinds, one.boxes.tolist(), strict=True):
            lines.append(f"{one.name}.jpg,{SHAPES.classes[kind]},{a},{b},{c},{d}")
            coco["annotations"].append({"image_id": number, "category_id": (7, 9)[kind], "bbox": [a, b, c - a, d - b]})
    (tmp_path / "t.csv").write_text("\n".join([*lines, "away.jpg,disc,1,1,5,5"]))
    (tmp_path / "c.json").write_text(json.dumps(coco))
    for file, gone in (("t.csv", 1), ("c.json", 0)):
        other, missing = read_boxed(tmp_path / file, SHAPES)
        assert missing == gone
        for one, two in zip(first, other, strict=True):
            assert np.array_equal(one.boxes, two.boxes) and np.array_equal(one.kinds, two.kinds)
    parts = [f"{line};{'split' if not n else 'kept' if line[0] == 'b' else 'train'}" for n, line in enumerate(lines)]
    (tmp_path / "s.csv").write_text("\n".join(parts).replace(",", ";"))
    assert [one.name for one in read_boxed(tmp_path / "s.csv", SHAPES)[0]] == ["a", "b", "c"]
    assert [one.name for one in read_boxed(tmp_path / "s.csv", SHAPES, "kept")[0]] == ["b"]


def test_boxes_in_a_table_with_tabs_are_those_with_commas(tmp_path: Path) -> None:
    data = voc(tmp_path / "v", {"a": 0, "b": 1})
    first = read_boxed(data, SHAPES)[0]
    lines = ["filename,class,xmin,ymin,xmax,ymax"]
    lines += [
        f"{one.name}.jpg,{SHAPES.classes[k]}," + ",".join(f"{v:g}" for v in box)
        for one in first for k, box in zip(one.kinds, one.boxes, strict=True)
    ]  # fmt: skip
    for note in (data / "Annotations").iterdir():
        note.unlink()
    (data / "t.tsv").write_text("\n".join(lines).replace(",", "\t"))
    for place in (data / "t.tsv", data):
        assert [one.boxes.tolist() for one in read_boxed(place, SHAPES)[0]] == [one.boxes.tolist() for one in first]


def test_a_table_may_give_one_corner_or_two_and_a_row_for_a_picture_without_boxes(tmp_path: Path) -> None:
    data = voc(tmp_path / "v", {"a": 0, "b": 1})
    for note in (data / "Annotations").iterdir():
        note.unlink()
    kind, table = SHAPES.classes[0], data / "t.csv"
    for head, row, empty in (
        ("image_id,class_name,x_min,y_min,x_max,y_max", f"a,{kind},4,6,14,26", "b,No finding,,,,"),
        ("path,x1,y1,x2,y2,class", f"JPEGImages/a.jpg,4,6,14,26,{kind}", "JPEGImages/b.jpg,,,,,"),
        ("image,x,y,width,height,label", f"a.jpg,4,6,10,20,{kind}", "b.jpg,,,,,"),
    ):
        table.write_text(f"{head}\n{row}\n{empty}\n")
        one, other = read_boxed(table, SHAPES)[0]
        assert one.boxes.tolist() == [[4, 6, 14, 26]] and not len(other.boxes), head
    table.write_text(f"path,x1,y1,x2,y2,class\nJPEGImages/a.jpg,,,,,{kind}\n")
    with pytest.raises(Refused, match=r"row 1 of t\.csv is no box"):
        read_boxed(table, SHAPES)


def resized(data: Path, size: tuple[int, int]) -> None:
    """The pictures of a folder on another size, and in their notes the size on which the boxes were drawn."""
    for file in (data / "JPEGImages").iterdir():
        Image.open(file).resize(size).save(file)
    for note in (data / "Annotations").iterdir():
        told = "<annotation><size><width>160</width><height>128</height></size>"
        note.write_text(note.read_text().replace("<annotation>", told))


def test_boxes_drawn_on_another_size_of_a_picture_are_brought_to_it_and_that_is_said(tmp_path: Path) -> None:
    data = voc(tmp_path / "v", {"a": 0, "b": 1})
    first = read_boxed(data, SHAPES)[0]
    assert remarks_on(first) == []
    resized(data, (81, 64))  # one column is rounded
    found = read_boxed(data, SHAPES)[0]
    for one, two in zip(first, found, strict=True):
        assert np.allclose(two.boxes, one.boxes * np.tile([81 / 160, 0.5], 2)) and two.drawn_on == (160, 128)
    assert remarks_on(found) == [
        "the boxes of 2 of 2 pictures were drawn on other sizes of them and brought to the pictures that are here, "
        "such as those of a from 160 × 128 to 81 × 64 pixels"
    ]
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    (data / "t.csv").write_text(f"{head}a.jpg,160,128,disc,20,40,60,80\n")
    assert np.allclose(read_boxed(data / "t.csv", SHAPES)[0][0].boxes, [[10.125, 20, 30.375, 40]])
    (data / "t.csv").write_text(f"{head}a.jpg,40,40,disc,20,22,60,62\n")  # of the box
    assert read_boxed(data / "t.csv", SHAPES)[0][0].boxes.tolist() == [[20, 22, 60, 62]]
    (data / "t.csv").write_text(f"{head}a.jpg,160,128,disc,2,2,6,6\na.jpg,320,256,disc,2,2,6,6\n")
    with pytest.raises(Refused, match=r"'a.jpg' has 160 × 128 and 320 × 256 in t.csv: one picture has one size"):
        read_boxed(data / "t.csv", SHAPES)
    picture = {"id": 1, "file_name": "a.jpg", "width": 160, "height": 128}
    note = {"image_id": 1, "category_id": 1, "bbox": [20, 40, 40, 40]}
    coco = {"images": [picture], "annotations": [note], "categories": [{"id": 1, "name": "disc"}]}
    (data / "c.json").write_text(json.dumps(coco))
    assert np.allclose(read_boxed(data / "c.json", SHAPES)[0][0].boxes, [[10.125, 20, 30.375, 40]])


def test_boxes_of_a_picture_that_was_stretched_or_of_another_one_are_refused(tmp_path: Path) -> None:
    data = voc(tmp_path / "v", {"a": 0})
    resized(data, (100, 64))
    with pytest.raises(Refused, match=r"the boxes of a\.jpg were drawn on 160 × 128 pixels, and it has 100 × 64"):
        read_boxed(data, SHAPES)
    (data / "t.csv").write_text("filename,class,xmin,ymin,xmax,ymax\na.jpg,disc,101,20,140,40\n")
    with pytest.raises(Refused, match=r"a box from 101, 20 to 140, 40 lies outside a.jpg, 100 × 64 pixels: it was"):
        read_boxed(data / "t.csv", SHAPES)


def test_a_box_that_lies_beside_a_picture_of_the_size_it_names_is_left_out_and_that_is_said(tmp_path: Path) -> None:
    data = voc(tmp_path / "v", {"a": 0})
    head = "filename,width,height,class,xmin,ymin,xmax,ymax\n"
    astray, click = "a.jpg,160,128,disc,161,20,170,40\n", "a.jpg,160,128,disc,160,20,160,20\n"
    (data / "t.csv").write_text(f"{head}{astray}{click}a.jpg,160,128,disc,20,40,60,80\n")
    found = read_boxed(data / "t.csv", SHAPES)[0]
    assert found[0].boxes.tolist() == [[20, 40, 60, 80]] and found[0].astray == 1
    assert remarks_on(found) == [
        "boxes that lie wholly outside their pictures: 1, such as in a; they are left out, since nothing can be found "
        "there"
    ]


def test_boxes_lie_on_a_turned_picture_as_viewers_show_it_unless_their_size_says_otherwise(tmp_path: Path) -> None:
    picture, turned = field(0)[0], Image.Exif()
    turned[0x112] = 6
    Image.fromarray(np.rot90(picture)).save(tmp_path / "a.png", exif=turned)
    for size, shape in (("", (128, 160)), (",160,128", (128, 160)), (",128,160", (160, 128))):
        head = "filename,class,xmin,ymin,xmax,ymax" + (",width,height" if size else "")
        (tmp_path / "t.csv").write_text(f"{head}\na.png,disc,1,2,30,40{size}\n")
        (one,), _ = read_boxed(tmp_path / "t.csv", SHAPES)
        assert one.picture.shape[:2] == shape and one.boxes.tolist() == [[1, 2, 30, 40]] and one.drawn_on is None


def test_pictures_numbered_anew_in_every_part_keep_their_own_boxes(tmp_path: Path) -> None:
    for part, seed in (("train", 0), ("test", 1)):
        (tmp_path / "p" / part).mkdir(parents=True)
        Image.fromarray(field(seed)[0].astype(np.uint8)).save(tmp_path / "p" / part / "0.png")
    head = "file,class,xmin,ymin,xmax,ymax"
    table = tmp_path / "p" / "t.csv"
    table.write_text(f"{head}\ntest/0.png,disc,1,1,9,9\ntrain/0.png,disc,2,2,50,50\n")
    test, train_ = read_boxed(table, SHAPES)[0]
    assert test.boxes.tolist() == [[1, 1, 9, 9]] and np.array_equal(test.picture, field(1)[0].astype(np.uint8))
    assert train_.boxes.tolist() == [[2, 2, 50, 50]] and np.array_equal(train_.picture, field(0)[0].astype(np.uint8))
    table.write_text(f"{head},split\n0.png,disc,1,1,9,9,test\n0.png,disc,2,2,50,50,train\n")
    assert [len(one.boxes) for one in read_boxed(table, SHAPES)[0]] == [1, 1]
    (only,), _ = read_boxed(table, SHAPES, "test")
    assert np.array_equal(only.picture, test.picture)
    table.write_text(f"{head}\n0.png,disc,1,1,9,9\n")
    with pytest.raises(Refused, match=r"'0.png' is the name of 2 pictures, such as test/0.png and train/0.png"):
        read_boxed(table, SHAPES)
    for part, seed in (("train", 0), ("test", 1)):
        voc(tmp_path / "v" / part, {"0": seed})
    found = read_boxed(tmp_path / "v", SHAPES)[0]
    alone = [read_boxed(tmp_path / "v" / part, SHAPES)[0][0] for part in ("test", "train")]
    assert [one.boxes.tolist() for one in found] == [one.boxes.tolist() for one in alone]
    assert all(np.array_equal(one.picture, two.picture) for one, two in zip(found, alone, strict=True))
    small = tmp_path / "v" / "test" / "thumbnails"
    small.mkdir()
    Image.new("RGB", (8, 8)).save(small / "0.jpg")
    (kept,), _ = read_boxed(tmp_path / "v" / "test", SHAPES)
    assert np.array_equal(kept.picture, found[0].picture), "of VOC the picture in JPEGImages is meant"


def test_a_picture_of_16_bits_is_what_it_is_in_8(tmp_path: Path) -> None:
    grey = field(3)[0].mean(-1).astype(np.uint8)
    found = []
    for name, array in (("eight.png", grey), ("sixteen.png", grey.astype(np.uint16) * 257)):
        Image.fromarray(array).save(tmp_path / name)
        (tmp_path / "t.csv").write_text(f"file,class,xmin,ymin,xmax,ymax\n{name},disc,1,1,50,50\n")
        found.append(read_boxed(tmp_path / "t.csv", SHAPES)[0][0].picture)
    assert np.array_equal(*found) and np.ptp(found[0]) > 100


def test_predictions_of_a_detector_that_finds_nothing_are_an_empty_list(tmp_path: Path) -> None:
    said = Judged({}, Model("shapes", "1", "0"), [], None, {})
    said.write(tmp_path / "said.csv")
    said.write(tmp_path / "said.json")
    assert (tmp_path / "said.csv").read_text().strip() == "name" and not json.loads(
        (tmp_path / "said.json").read_text()
    )


def test_a_box_goes_with_its_picture() -> None:
    random = torch.Generator().manual_seed(0)
    still = Boxes(task="t", classes=("a",), tint=0.0, noise=0.0)
    picture, box = torch.zeros(3, 64, 80), torch.tensor([[20.0, 16.0, 44.0, 40.0]])
    picture[:, 16:40, 20:44] = 100
    for _ in range(12):
        x, moved, there = moved_boxes(picture, box, still, random)
        if bool(there.any()):
            y, x = np.nonzero(x[0].numpy() > 50)
            assert np.allclose([x.min(), y.min(), x.max() + 1, y.max() + 1], moved[0], atol=1.1)


def test_a_picture_counts_by_its_weight(tmp_path: Path) -> None:
    """The loss of a batch is the sum of what its pictures give, each by its weight; of weight 0 nothing is learnt."""
    boxes, kinds = torch.tensor([[10.0, 10.0, 30.0, 34.0]]), torch.tensor([1])
    wanted = [torch.stack(part) for part in zip(*[bells(boxes, kinds, 2, (64, 80))] * 2, strict=True)]
    random = torch.Generator().manual_seed(0)
    what = torch.randn(2, 2, 16, 20, generator=random, requires_grad=True)
    far = torch.rand(2, 4, 16, 20, generator=random) * 9
    one, other, both = (_loss(what, far, torch.tensor(w), *wanted) for w in ([1.0, 0.0], [0.0, 1.0], [1.0, 1.0]))
    assert torch.allclose(one + other, both) and one.item() > 0
    one.backward()
    assert what.grad[0].abs().max() > 0 and what.grad[1].abs().max() == 0
    data = voc(tmp_path, {"a": 1, "b": 2})
    (data / "examples.csv").write_text("file,weight\nJPEGImages/b.jpg,0.25\n")
    read = read_boxed(data, SHAPES)[0]
    assert [x.weight for x in read] == [1.0, 0.25]
    assert digest_of_boxed(read) != digest_of_boxed([replace(x, weight=1.0) for x in read])


def test_bells_say_where_the_boxes_are() -> None:
    boxes = torch.tensor([[8.0, 8.0, 40.0, 30.0], [50.0, 20.0, 70.0, 60.0]])
    heat, _, sides = bells(boxes, torch.tensor([1, 0]), 2, (64, 80))
    found = decoded(heat.numpy(), sides.numpy(), 0.5, 0.5)
    assert found.kinds.tolist() == [0, 1] and np.allclose(found.boxes, boxes.numpy()[[1, 0]] / 0.5)


def test_a_mirrored_picture_is_answered_by_mirrored_boxes() -> None:
    torch.manual_seed(0)
    net = BoxNet((4, 6, 8), 6, 2).eval()
    finder = Finder([net], ((), (1,), (2,), (1, 2)))
    x = torch.rand(1, 3, 64, 80)
    chance, sides = finder(x)
    other, others = finder(x.flip(3))
    assert torch.allclose(other.flip(3), chance, atol=1e-5)
    assert torch.allclose(others.flip(3)[:, [2, 1, 0, 3]], sides, atol=1e-4)
    with pytest.raises(Refused, match="mirrored along"):
        Finder([net], ((3,),))


def test_figures_are_those_of_the_boxes() -> None:
    two = np.array([[0, 0, 10, 10], [20, 0, 30, 10]], float)
    one = Boxed("a", np.zeros((40, 40, 3), np.uint8), two, np.array([0, 0]), np.array([False, True]))
    said = Found(np.array([[0, 0, 10, 9], [20, 0, 30, 10], [0, 20, 5, 25]], float), np.array([0.9, 0.8, 0.2]),
                 np.zeros(3, int))  # fmt: skip
    found = box_figures([one], [said], ("a", "b"), [0.5, 0.5])["metrics"]
    assert found["map50"]["value"] == 1 and found["map50_95"]["value"] == pytest.approx(0.9), "0.9 misses 0.95 alone"
    assert found["precision"]["a"]["value"] == 1 and found["mean_error_of_count"]["a"]["value"] == 0
    assert set(found["ap50"]) == {"a"}, "what is not there has no figure"
    bare = Boxed("a", np.zeros((40, 40, 3), np.uint8), np.zeros((0, 4)), np.zeros(0, int), np.zeros(0, bool))
    with pytest.raises(Refused, match="no box on 1 pictures"):
        box_figures([bare], [said], ("a", "b"), [0.5, 0.5])


def test_intervals_of_boxes_are_those_between_people() -> None:
    rng, there = np.random.default_rng(4), np.array([[5, 5, 15, 15], [20, 20, 30, 30]], float)
    blank = np.zeros((40, 40, 3), np.uint8)
    hit = np.repeat(rng.random(12) < 0.6, 6)  # all pictures of a person go well, or none does
    founds = [Found(there[: 1 + h], np.array([0.9, 0.8])[: 1 + h], np.zeros(1 + h, int)) for h in hit.astype(int)]
    wide = []
    for each in (6, 1):
        people = [f"p{k // each}" for k in range(72)]
        truths = [Boxed(f"{k}", blank, there, np.zeros(2, int), np.zeros(2, bool), whose=p)
                  for k, p in enumerate(people)]  # fmt: skip
        told = box_figures(truths, founds, ("a",), [0.5])["metrics"]
        wide.append(
            [told[k]["a"]["high"] - told[k]["a"]["low"] for k in ("sensitivity", "ap50", "mean_error_of_count")]
        )
    assert (np.array(wide[0]) > 1.8 * np.array(wide[1])).all(), "the square root of 6, less what chance takes"
    all_hit = [Found(there, np.array([0.9, 0.8]), np.zeros(2, int))] * 72
    found = box_figures(truths[:9], all_hit[:9], ("a",), [0.5])["metrics"]["sensitivity"]["a"]
    assert found["high"] == 1 and 0.6 < found["low"] < 0.75, "none of nine people's was missed: Wilson's 9 of 9"
    told = box_figures(truths[:9], all_hit[:9], ("a",), [0.5])["metrics"]
    for one in (told["map50"], told["ap50"]["a"], told["map50_95"]):
        assert one["value"] == one["high"] == 1 and one["low"] == pytest.approx((9 / (9 + 1.959964**2)) ** 2, abs=1e-4)
    assert set(told["mean_error_of_count"]["a"]) == {"value"}, "none was miscounted, of nine"
    many = box_figures(truths, all_hit, ("a", "b"), [0.5, 0.5])["metrics"]["map50"]
    assert many["low"] == pytest.approx((72 / (72 + 1.959964**2)) ** 2, abs=1e-4), "draws are all the same"
    none = [Found(there[:0], np.zeros(0), np.zeros(0, int))] * 9
    missed = box_figures(truths[:9], none, ("a",), [0.5])["metrics"]["map50"]
    assert (missed["value"], missed["low"]) == (0, 0) and missed["high"] == pytest.approx(1 - found["low"])
    same = [replace(one, whose="p") for one in truths]
    assert set(box_figures(same, founds, ("a",), [0.5])["metrics"]["map50"]) == {"value"}


def test_a_class_of_which_all_was_found_widens_the_mean() -> None:
    """Nine people with both kinds: of one all is found, of the other two thirds."""
    rng, there = np.random.default_rng(4), np.array([[5, 5, 15, 15], [20, 20, 30, 30]], float)
    blank = np.zeros((40, 40, 3), np.uint8)
    truths = [Boxed(f"{k}", blank, there, np.arange(2), np.zeros(2, bool), whose=f"p{k}") for k in range(9)]
    founds = [Found(there[: 1 + h], np.array([0.9, 0.8])[: 1 + h], np.arange(1 + h)) for h in rng.random(9) < 0.6]
    told = box_figures(truths, founds, ("a", "b"), [0.5, 0.5])["metrics"]
    below = [told["ap50"][k]["value"] - told["ap50"][k]["low"] for k in "ab"]
    assert told["map50"]["value"] - told["map50"]["low"] == pytest.approx(np.hypot(*below) / 2)


def test_intervals_of_few_people_hold_what_they_promise() -> None:
    there, blank = np.array([[5, 5, 15, 15], [20, 20, 30, 30]], float), np.zeros((40, 40, 3), np.uint8)
    held, widths = 0, list[float]()
    for seed in range(60):
        rng = np.random.default_rng(seed)
        truths, founds = list[Boxed](), list[Found]()
        for person in range(4):
            often = rng.beta(4, 2)  # two thirds of all things are found
            for _ in range(4):
                hit = rng.random(2) < often
                truths.append(Boxed("x", blank, there, np.zeros(2, int), np.zeros(2, bool), whose=f"{person}"))
                founds.append(Found(there[hit], np.full(hit.sum(), 0.9), np.zeros(hit.sum(), int)))
        told = box_figures(truths, founds, ("a",), [0.5])["metrics"]["sensitivity"]["a"]
        held += told["low"] <= 2 / 3 <= told["high"]
        widths.append(told["high"] - told["low"])
    assert held >= 55 and np.mean(widths) < 0.8, "57 are expected; draws of four people held it in 52"


def test_an_interval_just_below_one_reaches_as_far_as_that_of_recall() -> None:
    """Ten people of whom everything is found, and once something that is not there."""
    there, false = np.array([[5, 5, 15, 15], [20, 20, 30, 30]], float), np.array([[30, 0, 39, 9]], float)
    truths = [Boxed(f"{k}", np.zeros((40, 40, 3), np.uint8), there, np.zeros(2, int), np.zeros(2, bool), whose=f"{k}")
              for k in range(10)]  # fmt: skip
    founds = [Found(there, np.array([0.9, 0.8]), np.zeros(2, int))] * 9
    founds += [Found(np.concatenate([false, there]), np.array([0.95, 0.9, 0.8]), np.zeros(3, int))]
    told = box_figures(truths, founds, ("a",), [0.5])["metrics"]
    assert told["map50"]["value"] == pytest.approx(20 / 21) and told["map50"]["high"] <= 1
    wilson = 10 / (10 + 1.959964**2)
    assert told["map50"]["low"] == told["ap50"]["a"]["low"] == pytest.approx(20 / 21 * wilson, abs=1e-4)
    rare = [replace(one, scores=np.array([0.95, 0.9, 0.1])[: len(one.scores)]) for one in founds[:9]]
    rare += [Found(there[:1], np.array([0.9]), np.zeros(1, int))]
    missed = box_figures(truths, rare, ("a",), [0.5])["metrics"]["map50"]
    assert missed["value"] == pytest.approx(0.95) and missed["low"] < 0.95 * wilson + 0.05


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    data = voc(tmp_path, {"a": 0})
    note = data / "Annotations" / "a.xml"
    good = note.read_text()
    cases = {
        good.replace("disc", "cube").replace("square", "cube"): "class 'cube'",
        "<!DOCTYPE x [<!ENTITY a 'b'>]><annotation/>": "declares entities",
        good[:40]: "cannot read a.xml",
        good.replace("<xmin>", "<xmin>x"): "cannot read a.xml",
    }
    for text, why in cases.items():
        note.write_text(text)
        with pytest.raises(Refused, match=why):
            read_boxed(data, SHAPES)
    note.write_text(good)
    with pytest.raises(Refused, match="no split 'val'"):
        read_boxed(data, SHAPES, "val")
    (data / "JPEGImages" / "a.jpg").unlink()
    with pytest.raises(Refused, match="no picture with boxes"):
        read_boxed(data, SHAPES)
    (tmp_path / "t.csv").write_text("a,b\n1,2\n")
    with pytest.raises(Refused, match="four sides"):
        read_boxed(tmp_path / "t.csv", SHAPES)
    for text, why in (
        ("[]", "no COCO file"), ("{}", "'categories' in c.json"),
        ('{"images": [], "categories": [{"id": 1, "name": "a"}], '
         '"annotations": [{"image_id": 5, "category_id": 1, "bbox": [1, 1, 2, 2]}]}', r"5 in c\.json.*lacks that name"),
    ):  # fmt: skip
        (tmp_path / "c.json").write_text(text)
        with pytest.raises(Refused, match=why):
            read_boxed(tmp_path / "c.json", SHAPES)


def test_sides_that_are_no_pixels_or_exchanged_are_refused(tmp_path: Path) -> None:
    data = voc(tmp_path, {"a": 0})
    for sides, why in (("0.1,0.1,0.5,0.9", "between 0 and 1"), ("9,2,3,8", "ends before it begins")):
        (data / "t.csv").write_text(f"filename,class,xmin,ymin,xmax,ymax\na,{SHAPES.classes[0]},{sides}\n")
        with pytest.raises(Refused, match=why):
            read_boxed(data / "t.csv", SHAPES)


def test_pictures_of_a_person_stay_on_one_side() -> None:
    rng, none = np.random.default_rng(0), np.zeros(0, bool)
    pictures = [
        Boxed(
            f"field {k}",
            rng.integers(0, 255, (40, 40, 3), dtype=np.uint8),
            np.zeros((0, 4)),
            none,
            none,
            whose=f"sub{k // 2}",
        )
        for k in range(12)
    ]
    part, pairs = _parts(pictures, 3, 0)
    assert not pairs and set(part) == {0, 1, 2} and all(part[k] == part[k + 1] for k in range(0, 12, 2))


def test_boxes_of_yolo_are_those_of_voc_whatever_numbers_its_classes_have(tmp_path: Path) -> None:
    first = {one.name: one for one in read_boxed(voc(tmp_path / "v", {"a": 0, "b": 1, "c": 2}), SHAPES)[0]}
    names = {"data.yaml": "nc: 2\nnames: ['square', 'disc']\n", "classes.txt": "square\ndisc\n"}
    for number, (told, layout) in enumerate((
        ("data.yaml", "{part}/{kind}/{name}"), ("classes.txt", "{kind}/{part}/{name}"), ("data.yaml", "{part}/{name}"),
    )):  # fmt: skip
        root = tmp_path / f"y{number}"
        for name, one in first.items():
            part = "valid" if name == "b" else "test"
            lines = []
            for kind, (left, top, right, bottom) in zip(one.kinds, one.boxes / [160, 128, 160, 128], strict=True):
                lines.append(f"{1 - kind} {(left + right) / 2} {(top + bottom) / 2} {right - left} {bottom - top}")
            for ending, kind in (("txt", "labels"), ("jpg", "images")):
                file = root / layout.format(part=part, kind=kind, name=f"{name}_jpg.rf.0{number}.{ending}")
                file.parent.mkdir(parents=True, exist_ok=True)
                if ending == "txt":
                    file.write_text("\n".join(lines))
                else:
                    Image.fromarray(one.picture).save(file, quality=95)
        with pytest.raises(Refused, match=r"nothing under y\d names the classes.*(?i:add data\.yaml) with names"):
            read_boxed(root, SHAPES)
        (root / told).write_text(names[told])
        for split, wanted in ((None, "abc"), ("val", "b"), ("test", "ac")):
            found = sorted(read_boxed(root, SHAPES, split)[0], key=lambda one: one.name)
            assert [one.name[0] for one in found] == list(wanted)
            for one in found:
                own = first[one.name[0]]
                assert np.allclose(one.boxes, own.boxes) and np.array_equal(one.kinds, own.kinds)
                assert one.drawn_on is None and not one.astray
    note = next(root.rglob("*.txt"))
    for line, why in (
        ("0 0.5 0.5 0.2", "has 4 words"), ("0 80 64 20 20", "shares of the picture"), ("2 .5 .5 .2 .2", "class 2 in"),
    ):  # fmt: skip
        note = next(f for f in root.rglob("a_*.txt"))
        note.write_text(line)
        with pytest.raises(Refused, match=why):
            read_boxed(root, SHAPES)
    note.write_text("")
    assert min(len(one.boxes) for one in read_boxed(root, SHAPES)[0]) == 0, "a picture on which nothing is"


def test_parts_of_a_collection_may_have_a_table_each(tmp_path: Path) -> None:
    first = {one.name: one for one in read_boxed(voc(tmp_path / "v", {"a": 0, "b": 1, "c": 2}), SHAPES)[0]}
    for number, table in enumerate(("{part}/_annotations.coco.json", "annotations/instances_{part}.json",
                                    "{part}/_annotations.csv")):  # fmt: skip
        root = tmp_path / "test" / f"p{number}"  # whose own name tells nothing
        for part, of in {"train": "ab", "test": "c"}.items():
            file = root / table.format(part=part)
            file.parent.mkdir(parents=True, exist_ok=True)
            (root / part).mkdir(exist_ok=True)
            coco = {"images": [], "annotations": [], "categories": [{"id": 0, "name": "things"}, *(
                {"id": k + 1, "name": name} for k, name in enumerate(SHAPES.classes))]}  # fmt: skip
            lines = ["filename,width,height,class,xmin,ymin,xmax,ymax"]
            for name in of:
                one = first[name]
                Image.fromarray(one.picture).save(root / part / f"{name}.v2.jpg", quality=95)
                coco["images"].append({"id": name, "file_name": f"{name}.v2.jpg", "width": 160, "height": 128})
                for kind, (a, b, c, d) in zip(one.kinds.tolist(), one.boxes.tolist(), strict=True):
                    lines.append(f"{name}.v2.jpg,160,128,{SHAPES.classes[kind]},{a},{b},{c},{d}")
                    coco["annotations"].append(
                        {"image_id": name, "category_id": kind + 1, "bbox": [a, b, c - a, d - b]}
                    )
            file.write_text("\n".join(lines) if file.suffix == ".csv" else json.dumps(coco))
        for split, wanted in ((None, "abc"), ("test", "c"), ("train", "ab")):
            found, missing = read_boxed(root, SHAPES, split)
            assert sorted(one.name[0] for one in found) == list(wanted) and not missing
            assert all(np.array_equal(one.boxes, first[one.name[0]].boxes) for one in found)
        with pytest.raises(Refused, match="no split 'val'"):
            read_boxed(root, SHAPES, "val")
        (root / f"more{file.suffix}").write_text(file.read_text())
        with pytest.raises(Refused, match="3 tables and no Annotations"):
            read_boxed(root, SHAPES)


def test_a_part_is_not_told_by_the_folder_that_the_collection_lies_in(tmp_path: Path) -> None:
    root = voc(tmp_path / "test" / "set", {"a": 0, "b": 1})
    coco = {"images": [{"id": n, "file_name": f"{n}.jpg"} for n in "ab"], "categories": [{"id": 1, "name": "disc"}],
            "annotations": [{"image_id": n, "category_id": 1, "bbox": [1, 1, 9, 9]} for n in "ab"]}  # fmt: skip
    (root / "c.json").write_text(json.dumps(coco))
    with pytest.raises(Refused, match="no picture with boxes"):
        read_boxed(root / "c.json", SHAPES, "test")


def test_a_smear_with_something_drawn_at_its_edge_has_no_bar_there() -> None:
    picture, boxes, kinds = field(3)
    picture[:20] = 0
    for at, kept in (((2, 3, 12, 15), 128), ((2, 30, 12, 45), 108)):
        one = Boxed("a", picture, np.array([at], float), kinds[:1], np.zeros(1, bool))
        plain, corner = unbarred(one)
        assert len(plain.picture) == kept and corner == (0, 128 - kept)
    picture[:] = 9
    assert unbarred(Boxed("a", picture, boxes, kinds, np.zeros(len(kinds), bool)))[0].picture is picture


def test_a_training_that_gets_no_better_ends_by_pictures_it_is_not_shown() -> None:
    pictures = [Boxed(f"p{k}", *field(k), np.zeros(4, bool), whose=f"p{k}") for k in range(20)]
    told: list[str] = []
    how = replace(SHAPES, patience=1, epochs=40, rate=3e-2)
    net = fit_boxes(how, pictures, 0, progress=told.append)
    assert told[-1] == "ended: no better for 1 epochs" and len(told) < 40 and not net.training
    assert all(re.search(r"loss \S+, \S+ on those it is not shown", line) for line in told[:-1])


@pytest.mark.parametrize(
    ("tall", "count", "word"), [(1.0, 12, ""), (4 / 3, 12, "taller"), (0.7, 12, "wider"), (2, 9, "")]
)
def test_pictures_stretched_to_squares_are_told_by_the_boxes_of_round_things(
    tall: float, count: int, word: str
) -> None:
    rng = np.random.default_rng(3)
    some = []
    for _ in range(count):
        corner = rng.uniform(20, 250, (8, 2))
        sides = np.exp(rng.normal(0, 0.2, (8, 2))) * [30, 30 * tall]
        boxes = np.concatenate([corner, corner + sides], 1)
        some.append(Boxed("a", np.zeros((416, 416, 3), np.uint8), boxes, np.zeros(8, np.int64), np.zeros(8, bool)))
    said = stretched(some, 0)
    assert word in said and bool(said) == bool(word)
