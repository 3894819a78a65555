"""Outlines: read in every layout, learnt, exported for any grid, and judged by Dice and distances."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image

torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")

from isocenter.errors import Refused  # noqa: E402
from isocenter.learn import recipes  # noqa: E402
from isocenter.learn.judge import judged  # noqa: E402
from isocenter.learn.kinds import Classes, Masks, Movement  # noqa: E402
from isocenter.learn.labelled import read_labelled, unlabelled  # noqa: E402
from isocenter.learn.outlined import Case, digest_of_cases, names_of, pairs_in, read_case, weights_of  # noqa: E402
from isocenter.learn.segment import (  # noqa: E402
    Chances,
    _metrics,
    _parts,
    fit_masks,
    numbered_otherwise,
    outlined,
    train_masks,
)
from isocenter.learn.tested import read  # noqa: E402
from isocenter.learn.train import train  # noqa: E402
from isocenter.learn.whose import whose  # noqa: E402

BALLS = Masks(
    task="balls", classes=("front", "back"), widths=(8, 12), members=3, epochs=10, rate=1e-2, average=0.8,
    views=((), (3,)), precision="float32",
    movement=Movement(scale=(0.95, 1.05), rotate_deg=4.0, shift=0.02), goal={"dice_front": 0.8},
    card={"title": "T", "intended_use": "a test", "not_for": ["x"], "limits": ["y"], "source": "z", "licence": "none"},
)  # fmt: skip
AFFINE = np.diag([1.0, 1.0, 1.0, 1.0])


def ball(seed: int, sides: tuple[int, int, int] = (18, 26, 16)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    x, y, z = np.indices(sides)
    centre = [s / 2 + rng.uniform(-1.5, 1.5) for s in sides]
    inside = (x - centre[0]) ** 2 + ((y - centre[1]) / 1.6) ** 2 + (z - centre[2]) ** 2 < 25
    labels = np.where(inside, np.where(y > centre[1], 1, 2), 0).astype(np.uint8)
    image = rng.normal(100, 12, sides) + 90 * inside + 40 * (labels == 1)
    return image.astype(np.float32), labels


def write(folder: Path, name: str, image: np.ndarray | None, labels: np.ndarray | None, affine: np.ndarray = AFFINE,
          ending: str = "", images: str = "imagesTr", masks: str = "labelsTr") -> None:  # fmt: skip
    for kind, array, tail in ((images, image, ending), (masks, labels, "")):
        if array is not None:
            (folder / kind).mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, affine), folder / kind / f"{name}{tail}.nii.gz")


@pytest.fixture(autouse=True)
def _known() -> Iterator[None]:
    recipes.RECIPES["balls"] = BALLS
    yield
    recipes.RECIPES.pop("balls")


def test_outlines_among_the_derivatives_of_bids_go_with_the_images_of_their_person(tmp_path: Path) -> None:
    wanted = []
    for person in ("sub-01", "sub-02"):
        image = tmp_path / person / "anat" / f"{person}_T1w.nii.gz"
        mask = tmp_path / "derivatives" / "manual" / person / "anat" / f"{person}_label-hippocampus_dseg.nii.gz"
        for file in (image, mask):
            file.parent.mkdir(parents=True)
            file.touch()
        wanted.append((image, mask))
    found, alone = pairs_in(tmp_path)
    assert found == wanted and not alone
    wanted[0][0].unlink()
    assert pairs_in(tmp_path) == (wanted[1:], ["sub-01_label-hippocampus_dseg: no image"])


def test_the_whole_way(tmp_path: Path) -> None:
    for seed in range(9):
        write(tmp_path / "set", f"b{seed}", *ball(seed))
    told: list[str] = []
    model = train("balls", tmp_path / "set", tmp_path / "balls", progress=told.append)
    lines = read(tmp_path / "balls", model)
    assert len(lines) == model.evidence["n"] and all(0 <= one["right"] <= 1 for one in lines)
    assert model.evidence["metrics"]["dice_front"]["value"] > 0.6 and model.evidence["parity"] < 1e-4
    image, labels = ball(30, (30, 40, 22))
    turned = np.array([[0, -1.0, 0, 9], [1, 0, 0, 4], [0, 0, -1, 2], [0, 0, 0, 1]])
    write(tmp_path / "held", "one", image, labels, ending="_0000", images="imagesTs", masks="labelsTs")
    flipped = [np.ascontiguousarray(np.rot90(a, 1, (0, 1))[:, ::-1, ::-1]) for a in ball(31)]
    write(tmp_path / "held", "two", *flipped, turned, images="imagesTs", masks="labelsTs")
    write(tmp_path / "held", "odd", image, None, images="imagesTs")
    write(tmp_path / "held", "cut", image, labels[:-2], images="imagesTs", masks="labelsTs")
    found = judged(tmp_path / "balls", tmp_path / "held")
    said = found.report
    assert (said["n"], said["declined"]) == (2, 2)
    assert next(row["declined"] for row in found.predictions if "cut" in row["name"]).endswith("on other grids")
    assert set(said["metrics"]) == {"dice", "hd95_mm", "nsd_1mm"} and set(said["metrics"]["dice"]) == {"front", "back"}
    found.write(tmp_path / "out")
    kept = nibabel.load(tmp_path / "out" / "one_0000.nii.gz")
    assert kept.shape == image.shape and (tmp_path / "out" / "predictions.csv").read_text().count("no outline") == 1
    write(tmp_path / "front", "one", image, np.minimum(labels, 1), images="imagesTs", masks="labelsTs")
    with pytest.raises(Refused, match="no outline of 'back' in 1 cases"):
        judged(tmp_path / "balls", tmp_path / "front")


def test_windows_add_up_and_other_spacings_come_back() -> None:
    image, _ = ball(1, (40, 36, 30))

    def bright(x: np.ndarray) -> np.ndarray:
        return np.stack([x[:, 0] < 1.0, x[:, 0] >= 1.0], 1).astype(np.float32)

    whole = outlined(image, (1, 1, 1), bright, {"step": 4, "window": [96, 96, 96], "spacing_mm": [1, 1, 1]})
    parts = outlined(image, (1, 1, 1), bright, {"step": 4, "window": [24, 24, 24], "spacing_mm": [1, 1, 1]})
    assert np.array_equal(whole, parts)
    coarse = outlined(image, (2, 2, 2), bright, {"step": 4, "window": [96] * 3, "spacing_mm": [1, 1, 1]})
    assert coarse.shape == image.shape and np.mean(coarse == whole) > 0.9


def test_a_case_counts_by_its_weight(tmp_path: Path) -> None:
    """Half of the cases have front and back exchanged: what was learnt is what those say that count."""
    table = ["file,weight"]
    for seed in range(6):
        image, labels = ball(seed)
        write(tmp_path, f"b{seed}", image, labels if seed % 2 else np.array([0, 2, 1], np.uint8)[labels])
        table.append(f"imagesTr/b{seed}.nii.gz,{0.25 if seed % 2 else 0}")
    (tmp_path / "examples.csv").write_text("\n".join(table) + "\n")
    pairs = pairs_in(tmp_path)[0]
    weights = weights_of(pairs, tmp_path)
    assert weights == [0.0, 0.25] * 3 and weights_of(pairs, tmp_path / "list.csv") == [1.0] * 6
    cases = [replace(read_case(*pair, BALLS), weight=w) for pair, w in zip(pairs, weights, strict=True)]
    assert digest_of_cases(cases) != digest_of_cases([replace(case, weight=1.0) for case in cases])
    image, labels = ball(30)
    inputs = {"step": 4, "window": [96] * 3, "spacing_mm": [1, 1, 1]}
    for given in (cases, [replace(case, weight=0.25 - case.weight) for case in cases]):
        net = Chances([fit_masks(BALLS, given, 0)], BALLS.views).eval()
        with torch.inference_mode():
            said = outlined(image, (1, 1, 1), lambda x, net=net: net(torch.from_numpy(x)).numpy(), inputs)
        front, back = (2, 1) if given is not cases else (1, 2)
        assert min(np.mean(said[labels == 1] == front), np.mean(said[labels == 2] == back)) > 0.6


def test_a_training_that_gets_no_better_ends_by_people_it_is_not_shown() -> None:
    names = [f"p{k}" for k in range(20)]
    cases = [Case(name, *ball(k, (12, 16, 12)), (1.0, 1.0, 1.0), AFFINE) for k, name in enumerate(names)]
    told: list[str] = []
    how = replace(BALLS, patience=1, epochs=40, rate=3e-2)
    net = fit_masks(how, cases, 0, whose=names, progress=told.append)
    assert told[-1] == "ended: no better for 1 epochs" and len(told) < 40 and not net.training
    assert all(re.search(r"loss \S+, \S+ on those it is not shown", line) for line in told[:-1])
    with pytest.raises(Refused, match="10 parts need two each"):
        fit_masks(how, cases[:12], 0, whose=names[:12])


@pytest.mark.parametrize(
    ("names", "given"),
    [(("images", "masks"), "a"), (("img", "segmentations"), "a"), (("imagesTs", "labelsTs"), "a_0000")],
)
def test_layouts(tmp_path: Path, names: tuple[str, str], given: str) -> None:
    image, labels = ball(0)
    write(tmp_path, "a", image, labels, ending=given[1:], images=names[0], masks=names[1])
    pairs, alone = pairs_in(tmp_path)
    assert len(pairs) == 1 and not alone
    (tmp_path / "list.csv").write_text(f"image,label\n{names[0]}/{given}.nii.gz,{names[1]}/a.nii.gz\n")
    assert pairs_in(tmp_path / "list.csv")[0] == pairs


@pytest.mark.parametrize(
    ("image", "outline"),
    [("a/t1.nii.gz", "a/seg.nii.gz"), ("a.nii.gz", "a_seg.nii.gz"), ("a_image.nii.gz", "a_label.nii.gz"),
     ("images/a.nii.gz", "labels/a_mask.nii.gz"), ("test/a.nii.gz", "test/a-segmentation.nii")],
)  # fmt: skip
def test_one_folder_may_hold_both(tmp_path: Path, image: str, outline: str) -> None:
    for number in range(2):
        for where in (image, outline):
            file = tmp_path / where.replace("a", f"case{number}", 1) if where[0] == "a" else tmp_path / where
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch()
    pairs, alone = pairs_in(tmp_path)
    assert len(pairs) == (2 if image[0] == "a" else 1) and not alone
    assert all(one != other and ("case0" in str(one)) == ("case0" in str(other)) for one, other in pairs)


def test_splits_are_kept_apart(tmp_path: Path) -> None:
    image, labels = ball(0)
    write(tmp_path, "a", image, labels)
    write(tmp_path, "b", image, labels, images="imagesTs", masks="labelsTs")
    assert len(pairs_in(tmp_path)[0]) == 2
    for split, name in (("Ts", "b"), ("test", "b"), ("Tr", "a"), ("train", "a")):
        assert [p[0].name for p in pairs_in(tmp_path, split)[0]] == [f"{name}.nii.gz"]


@pytest.mark.parametrize(("unit", "long"), [("meter", 1e-3), ("micron", 1e3), ("mm", 1.0), ("unknown", 1.0)])
def test_other_units_than_millimetres_are_brought_to_them(tmp_path: Path, unit: str, long: float) -> None:
    image, outline = ball(0)
    scale = np.diag([long, long, long, 1.0])
    for folder, array in (("imagesTr", image), ("labelsTr", outline)):
        (tmp_path / folder).mkdir()
        file = nibabel.Nifti1Image(array, scale @ AFFINE)
        file.header.set_xyzt_units(unit)
        nibabel.save(file, tmp_path / folder / "a.nii.gz")
    found = read_case(*pairs_in(tmp_path)[0][0], BALLS)
    assert np.allclose(found.spacing_mm, np.linalg.norm(AFFINE[:3, :3], axis=0), rtol=1e-5)
    assert np.allclose(
        np.abs(found.affine), np.abs(nibabel.as_closest_canonical(nibabel.Nifti1Image(image, AFFINE)).affine), rtol=1e-4
    )


def test_voxels_that_no_scanner_makes_are_refused(tmp_path: Path) -> None:
    write(tmp_path, "a", *ball(0), np.diag([1e-3, 1e-3, 1e-3, 1.0]))
    with pytest.raises(Refused, match=r"voxels of 0.001 × 0.001 × 0.001 mm"):
        read_case(*pairs_in(tmp_path)[0][0], BALLS)


@pytest.mark.parametrize(
    "labels",
    [
        {"0": "background", "1": "Back", "2": "Front"},
        {"back": 1, "front": 2},
        {"1": "back of the ball", "2": "Front-part"},
    ],
)
def test_labels_that_a_collection_numbers_otherwise_are_ours_by_their_names(
    tmp_path: Path, labels: dict[str, str | int]
) -> None:
    image, outline = ball(0)
    write(tmp_path, "a", image, outline)
    plain = read_case(*pairs_in(tmp_path)[0][0], BALLS)
    (tmp_path / "dataset.json").write_text(json.dumps({"labels": labels}))
    turned = read_case(*pairs_in(tmp_path)[0][0], BALLS)
    assert np.array_equal(turned.labels, np.array([0, 2, 1])[plain.labels])
    for words in ({"1": "left", "2": "right"}, {"1": "front and back", "2": "front"}, {"1": "back 1", "2": "back 2"}):
        (tmp_path / "dataset.json").write_text(json.dumps({"labels": words}))
        assert np.array_equal(read_case(*pairs_in(tmp_path)[0][0], BALLS).labels, plain.labels), "they say too little"
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(Refused, match=r"cannot read the labels in dataset\.json"):
        read_case(*pairs_in(tmp_path)[0][0], BALLS)


def test_outlines_with_the_numbers_of_other_structures_are_told() -> None:
    names = ("front", "back")
    right = np.array([[900, 9, 4], [5, 80, 3], [6, 2, 70]])
    assert numbered_otherwise(right, names) == []
    (said,) = numbered_otherwise(right[[0, 2, 1]], names)
    assert "it finds 'front' in label 2, 'back' in label 1. Number them 1 front, 2 back" in said
    missed = np.array([[900, 80, 70], [5, 3, 9], [6, 8, 4]])
    assert numbered_otherwise(missed, names) == [], "a model that finds something else says nothing of numbers"
    assert numbered_otherwise(np.array([[900, 0], [50, 0]]), ("front",)) == []


def test_labels_that_a_slope_left_nearly_whole_are_whole(tmp_path: Path) -> None:
    image, outline = ball(0)
    write(tmp_path, "a", image, outline)
    plain = read_case(*pairs_in(tmp_path)[0][0], BALLS)
    for factor, fits in ((1.0000001, True), (1.4, False)):
        write(tmp_path, "a", image, outline.astype(np.float64) * factor)
        if fits:
            assert np.array_equal(read_case(*pairs_in(tmp_path)[0][0], BALLS).labels, plain.labels)
        else:
            with pytest.raises(Refused, match="knows 0 background"):
                read_case(*pairs_in(tmp_path)[0][0], BALLS)


def test_images_without_outlines_do_not_take_those_of_another_part(tmp_path: Path) -> None:
    image, labels = ball(0)
    for part, outline in (("Tr", labels), ("Ts", None)):
        (tmp_path / f"images{part}").mkdir()
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), tmp_path / f"images{part}" / "a.nii.gz")
        if outline is not None:
            (tmp_path / f"labels{part}").mkdir()
            nibabel.save(nibabel.Nifti1Image(outline, AFFINE), tmp_path / f"labels{part}" / "a.nii.gz")
    pairs, alone = pairs_in(tmp_path)
    assert [image.parent.name for image, _ in pairs] == ["imagesTr"] and not alone


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    image, labels = ball(0)
    broken = image.copy()
    broken[3, 3, 3] = np.nan
    cases = {
        "grids": (image, labels[:-1], AFFINE, "other grids"),
        "set": (image, labels * 4, AFFINE, "knows 0 background, 1 front, 2 back"),
        "nan": (broken, labels, AFFINE, "1 voxels that are not finite"),
        "flat": (image[:, :, 0], labels[:, :, 0], AFFINE, "a volume of 8 voxels"),
    }
    for name, (one, other, affine, why) in cases.items():
        write(tmp_path / name, "a", one, other, affine)
        (pair,), _ = pairs_in(tmp_path / name)
        with pytest.raises(Refused, match=why):
            read_case(*pair, BALLS)
    write(tmp_path / "moved", "a", image, None)
    write(tmp_path / "moved", "a", None, labels, np.diag([1, 1, 2, 1.0]))
    with pytest.raises(Refused, match="positions in the body differ"):
        read_case(*pairs_in(tmp_path / "moved")[0][0], BALLS)
    write(tmp_path / "none", "a", image, None)
    with pytest.raises(Refused, match="no image with an outline"):
        pairs_in(tmp_path / "none")
    (tmp_path / "a.npz").write_bytes(b"PK")
    with pytest.raises(Refused, match=r"a\.npz is not a folder or \.csv"):
        pairs_in(tmp_path / "a.npz")
    for seed in range(6):
        write(tmp_path / "empty", f"{seed}", ball(seed)[0], np.minimum(ball(seed)[1], 1))
    with pytest.raises(Refused, match="no outline of 'back' in 6 cases"):
        train_masks(BALLS, tmp_path / "empty", tmp_path / "out", 0, print, float)
    (tmp_path / "nan" / "imagesTr" / "a.nii.gz").write_bytes(b"\x1f\x8b cut")
    with pytest.raises(Refused, match=r"cannot read a\.nii\.gz"):
        read_case(*pairs_in(tmp_path / "nan")[0][0], BALLS)


DISCS = replace(
    BALLS, task="discs", classes=("disc",), spacing_mm=(0.5, 0.5), window=(64, 64), widths=(8, 12), members=2,
    epochs=12, views=((), (1,)), goal={},
)  # fmt: skip


def disc(seed: int, sides: tuple[int, int] = (28, 36)) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    y, x = np.indices(sides)
    inside = (y - sides[0] / 2 - rng.uniform(-4, 4)) ** 2 + (x - sides[1] / 2 - rng.uniform(-4, 4)) ** 2 < 36
    return (rng.normal(90, 12, sides) + 90 * inside).clip(0, 255).astype(np.uint8), inside.astype(np.uint8)


def draw(folder: Path, name: str, image: np.ndarray, labels: np.ndarray) -> None:
    for kind, array in (("images", image), ("masks", labels)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        Image.fromarray(array).save(folder / kind / name)


def test_pictures_are_outlined_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(recipes.RECIPES, "discs", DISCS)
    for seed in range(6):
        image, labels = disc(seed)
        draw(tmp_path / "set", f"of person {seed}.png", image, labels * 255)
    model = train("discs", tmp_path / "set", tmp_path / "discs")
    assert model.evidence["parity"] < 1e-4 and len(read(tmp_path / "discs", model)) == model.evidence["n"]
    image, labels = disc(20, (40, 30))
    draw(tmp_path / "held", "a.tif", image.astype(np.uint16) * 257, labels)
    draw(tmp_path / "held", "b.png", np.repeat(image[..., None], 3, -1), labels * 255)
    found = judged(tmp_path / "discs", tmp_path / "held")
    assert (found.report["n"], found.report["declined"], found.report["learnt_from"]) == (2, 0, 0)
    assert found.report["metrics"]["dice"]["disc"]["value"] > 0.6
    found.write(tmp_path / "out")
    said = np.asarray(Image.open(tmp_path / "out/a.png"))
    assert said.shape == image.shape and set(np.unique(said)) == {0, 1}
    grid = nibabel.Nifti1Image(image.T[..., None], np.diag([-1.0, -1, 1, 1]))  # as ITK writes a picture: columns first
    nibabel.save(grid, tmp_path / "held/images/c.nii.gz")
    nibabel.save(nibabel.Nifti1Image(labels.T[..., None], grid.affine), tmp_path / "held/masks/c.nii.gz")
    case = read_case(tmp_path / "held/images/c.nii.gz", tmp_path / "held/masks/c.nii.gz", DISCS)
    assert np.array_equal(case.image, image) and np.array_equal(case.labels, labels) and case.spacing_mm == (1, 1)


def test_a_picture_with_an_outline_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    image, labels = disc(0)
    for name, mask, why in (
        ("grid.png", labels[:-1], r"\(28, 36\) and its outline \(27, 36\)"),
        ("set.png", labels * 7, r"labels \[0, 7\] in set.png.*knows 0 background, 1 disc"),
        ("colour.png", labels[..., None] * np.array([1, 0, 0], np.uint8), r"colour\.png is in colour"),
    ):
        draw(tmp_path, name, image, mask)
        with pytest.raises(Refused, match=why):
            read_case(tmp_path / "images" / name, tmp_path / "masks" / name, DISCS)
    draw(tmp_path, "alike.png", image, np.repeat(labels[..., None], 3, -1) * 255)
    alike = read_case(tmp_path / "images/alike.png", tmp_path / "masks/alike.png", DISCS)
    assert np.array_equal(alike.labels, labels), "three colours that are alike are one number"
    (tmp_path / "masks/grid.png").write_bytes(b"no picture")
    with pytest.raises(Refused, match=r"cannot read grid\.png"):
        read_case(tmp_path / "images/grid.png", tmp_path / "masks/grid.png", DISCS)


def test_white_of_sixteen_bits_and_of_jpeg_is_the_one_structure(tmp_path: Path) -> None:
    image, labels = disc(0)
    for name, mask in (("deep.png", labels.astype(np.uint16) * 65535), ("small.jpg", labels * 255)):
        draw(tmp_path, name, image, mask)
        found = read_case(tmp_path / "images" / name, tmp_path / "masks" / name, DISCS)
        assert np.mean(found.labels != labels) < 0.005, name
    draw(tmp_path, "grey.jpg", image, image)
    with pytest.raises(Refused, match=r"grey\.jpg"):
        read_case(tmp_path / "images/grey.jpg", tmp_path / "masks/grey.jpg", DISCS)


@pytest.mark.parametrize(
    ("image", "outline"),
    [
        ("volume-{}", "segmentation-{}"),
        ("img{:04}", "label{:04}"),
        ("{}_training", "{}_manual1"),
        ("img_{}", "gt_{:03}"),
    ],
)
def test_what_is_called_otherwise_belongs_together_by_its_number(tmp_path: Path, image: str, outline: str) -> None:
    picture, labels = disc(0)
    for number in (7, 12):
        draw(tmp_path, image.format(number) + ".png", picture, labels)
        file = tmp_path / "masks" / (image.format(number) + ".png")
        file.rename(file.with_name(outline.format(number) + ".png"))
    pairs, alone = pairs_in(tmp_path, flat=True)
    assert not alone and [(a.stem, b.stem) for a, b in pairs] == [  # type: ignore[union-attr]
        (image.format(n), outline.format(n)) for n in (12, 7)
    ]
    (tmp_path / "masks" / (outline.format(7) + ".png")).rename(tmp_path / "masks" / "part2_of_7.png")
    with pytest.raises(Refused, match="no image with an outline"):
        pairs_in(tmp_path, flat=True)


def test_outlines_drawn_by_hand_go_before_masks_of_the_field_of_view(tmp_path: Path) -> None:
    picture, labels = disc(0)
    for number in (21, 22):
        draw(tmp_path / "training", f"{number}_training.png", picture, np.ones_like(labels))
        for reader in ("1st", "2nd"):
            (tmp_path / "training" / f"{reader}_manual").mkdir(exist_ok=True)
            drawn = tmp_path / "training" / f"{reader}_manual" / f"{number}_manual{reader[0]}.gif"
            Image.fromarray(labels * 255).save(drawn)
        file = tmp_path / "training" / "masks" / f"{number}_training.png"
        file.rename(file.with_name(f"{number}_training_mask.png"))
    (tmp_path / "training" / "masks").rename(tmp_path / "training" / "mask")
    pairs, alone = pairs_in(tmp_path, flat=True)
    assert not alone and [b.name for _, b in pairs] == ["21_manual1.gif", "22_manual1.gif"]  # type: ignore[union-attr]


def test_images_of_one_name_in_several_folders_are_several_cases(tmp_path: Path) -> None:
    for seed, folder in enumerate(("one", "two")):
        image, labels = ball(seed)
        (tmp_path / folder).mkdir()
        nibabel.save(nibabel.Nifti1Image(image, AFFINE), tmp_path / folder / "t1.nii.gz")
        nibabel.save(nibabel.Nifti1Image(labels, AFFINE), tmp_path / folder / "seg.nii.gz")
    pairs, _ = pairs_in(tmp_path)
    assert names_of(pairs) == ["one/t1.nii.gz", "two/t1.nii.gz"]
    (tmp_path / "list.csv").write_text(
        "image,label\none/../two/t1.nii.gz,two/seg.nii.gz\none/t1.nii.gz,one/seg.nii.gz\n"
    )
    assert names_of(pairs_in(tmp_path / "list.csv")[0]) == ["two/t1.nii.gz", "one/t1.nii.gz"], "never a way out"


def test_a_person_and_near_duplicates_stay_on_one_side() -> None:
    grey = [np.random.default_rng(k).normal(100, 30, (40, 40)).astype(np.float32) for k in range(12)]
    names = [*(f"patient{k // 2} {'ab'[k % 2]}.png" for k in range(10)), "one/t1.nii.gz", "two/t1.nii.gz"]
    grey[11] = grey[4] + np.random.default_rng(20).normal(0, 1, (40, 40)).astype(np.float32)
    cases = [Case(n, g, np.zeros(g.shape, np.uint8), (1.0, 1.0), np.eye(4)) for n, g in zip(names, grey, strict=True)]
    for seed in range(5):
        part, pairs = _parts(cases, whose(names), 2, seed)
        assert pairs == 1 and part[11] == part[4], "the same picture under two people"
        assert all(part[k] == part[k + 1] for k in range(0, 10, 2)) and set(part) == {0, 1}
    with pytest.raises(Refused, match=r"cases of 6 people: 4 parts need two each"):
        _parts(cases, whose(names), 4, 0)


@pytest.mark.parametrize(
    ("image", "outline"),
    [("{c}/t1.nii.gz", "{c}/{s}.nii.gz"), ("images/{c}.nii.gz", "labels/{c}_{s}.nii.gz"),
     ("images/{c}_0000.nii.gz", "masks/{s}/{c}.nii.gz"), ("{c}.nii.gz", "{c}-{s}-mask.nii.gz"),
     ("{c}/image.nii.gz", "{c}/segmentations/{s}.nii.gz")],
)  # fmt: skip
def test_each_structure_may_have_a_file_of_its_own(tmp_path: Path, image: str, outline: str) -> None:
    whole = {}
    for number, case in enumerate(("case_1", "case_2")):
        grey, whole[case] = ball(number)
        parts = {name: (whole[case] == k) * (255 if k == 1 else 1) for k, name in enumerate(BALLS.classes, start=1)}
        for way, array in ((image.format(c=case), grey), *(
            (outline.format(c=case, s=s), part.astype(np.uint8)) for s, part in parts.items()
        )):  # fmt: skip
            (tmp_path / way).parent.mkdir(parents=True, exist_ok=True)
            nibabel.save(nibabel.Nifti1Image(array, AFFINE), tmp_path / way)
    pairs, alone = pairs_in(tmp_path, structures=BALLS.classes)
    assert len(pairs) == 2 and not alone
    for pair, labels in zip(pairs, whole.values(), strict=True):
        assert np.array_equal(read_case(*pair, BALLS).labels, labels)
    last = tmp_path / outline.format(c="case_2", s=BALLS.classes[1])
    nibabel.save(nibabel.Nifti1Image((whole["case_2"] > 0).astype(np.uint8), AFFINE), last)
    with pytest.raises(Refused, match="another structure lies there, too"):
        read_case(*pairs_in(tmp_path, structures=BALLS.classes)[0][1], BALLS)
    last.unlink()
    pairs, alone = pairs_in(tmp_path, structures=BALLS.classes)
    assert len(pairs) == len(alone) == 1 and "no outline of" in alone[0]


def test_each_structure_may_have_a_layer_of_its_own(tmp_path: Path) -> None:
    image, labels = ball(0)
    for first in (0, 1):
        layers = np.stack([labels == k for k in range(first, 3)], -1).astype(np.uint8)
        write(tmp_path / str(first), "a", image, layers)
        assert np.array_equal(read_case(*pairs_in(tmp_path / str(first))[0][0], BALLS).labels, labels)
    write(tmp_path / "time", "a", image, np.stack([labels] * 5, -1))
    with pytest.raises(Refused, match="a layer for each of"):
        read_case(*pairs_in(tmp_path / "time")[0][0], BALLS)
    write(tmp_path / "odd", "a", image, np.stack([labels, labels], -1))
    with pytest.raises(Refused, match="of one structure 0 and one other number are wanted"):
        read_case(*pairs_in(tmp_path / "odd")[0][0], BALLS)


def test_a_contrast_at_the_end_of_a_name_does_not_part_an_image_from_its_outline(tmp_path: Path) -> None:
    image, labels = ball(0)
    for number in range(2):
        write(tmp_path, f"sub-{number}_T1w", image, None, images="anat")
        write(tmp_path, f"sub-{number}_dseg", None, labels, masks="anat")
        write(tmp_path / "gt", f"c{number}", image, None, images="img")
        write(tmp_path / "gt", f"c{number}_gt", None, labels, masks="gt")
    pairs, alone = pairs_in(tmp_path)
    assert not alone and [p.name for p, _ in pairs] == [*(f"sub-{n}_T1w.nii.gz" for n in range(2)),
                                                        *(f"c{n}.nii.gz" for n in range(2))]  # fmt: skip
    write(tmp_path, "sub-0_T2w", image, None, images="anat")  # which of the two was outlined?
    assert "sub-0_T1w.nii.gz" not in [p.name for p, _ in pairs_in(tmp_path)[0]]


def test_intervals_are_those_between_people_and_one_alone_has_none() -> None:
    rng = np.random.default_rng(2)
    of = np.repeat(np.arange(10), 8)
    values = 0.8 + rng.normal(0, 0.08, 10)[of] + rng.normal(0, 0.02, len(of))
    rows = [{"name": f"{n}", "person": f"{p}", "dice a": v, "hd95_mm a": 9 * v, "nsd_1mm a": v}
            for n, (p, v) in enumerate(zip(of, values, strict=True))]  # fmt: skip
    alone = [row | {"person": row["name"]} for row in rows]
    by_person, by_case = _metrics(rows, ("a",))["dice"]["a"], _metrics(alone, ("a",))["dice"]["a"]
    assert by_person["value"] == by_case["value"] and by_person["cases"] == by_case["cases"] == 80
    wide, narrow = (one["high"] - one["low"] for one in (by_person, by_case))
    assert wide > 2 * narrow, "eight images of ten people are not eighty people"
    one = _metrics([row | {"person": "x"} for row in rows], ("a",))["dice"]["a"]
    assert set(one) == {"value", "cases"}


def test_a_table_may_name_files_as_windows_does_and_packed_files_may_be_called_nii(tmp_path: Path) -> None:
    organ = Masks(task="organ", classes=("organ",))
    grey = np.random.default_rng(0).normal(100, 20, (12, 12, 12)).astype(np.float32)
    for part, ending, value in (("images", ".nii.gz", grey), ("labels", ".nii.gz", (grey > 100).astype(np.uint8))):
        (tmp_path / "set" / part).mkdir(parents=True)
        nibabel.save(nibabel.Nifti1Image(value, np.eye(4)), tmp_path / "set" / part / f"a{ending}")
        packed = (tmp_path / "set" / part / "a.nii.gz").read_bytes()
        (tmp_path / "set" / part / "b.nii").write_bytes(packed)
        nibabel.save(nibabel.Nifti2Image(value, np.eye(4)), tmp_path / "plain.nii")
        (tmp_path / "set" / part / "c.nii.gz").write_bytes((tmp_path / "plain.nii").read_bytes())
    cells = [(r"C:\data\images\a.nii.gz", r"C:\data\labels\a.nii.gz"), (r"set\images\b.nii", r"set\labels\b.nii"),
             ("set/images/c.nii.gz", "c.nii.gz"), ("images/c.nii.gz", "labels/c.nii.gz")]  # fmt: skip
    (tmp_path / "t.csv").write_text("image,label\n" + "".join(f"{i},{m}\n" for i, m in cells))
    pairs = pairs_in(tmp_path / "t.csv")[0]
    for image, mask in (pairs[0], pairs[1], pairs[3]):
        assert (image.parent.name, mask.parent.name) == ("images", "labels")
        case = read_case(image, mask, organ)
        assert np.allclose(case.image, grey) and case.labels.sum() == (grey > 100).sum()
    with pytest.raises(Refused, match=r"cannot read c\.nii\.gz"):
        read_case(*pairs[2], organ)  # nothing tells which of two is meant


def test_distances_that_are_all_the_same_tell_no_interval() -> None:
    from isocenter.learn.judge_classes import mean_of

    people = [f"p{k}" for k in range(40)]
    assert mean_of(np.ones(3), people[:3], most=np.inf) == {"value": 1.0} == mean_of(np.ones(40), people)
    assert set(mean_of(np.array([1.0, 1.0, 1.4]), people[:3], most=np.inf)) == {"value", "low", "high"}


def test_several_files_of_one_outline_are_one_and_are_no_pictures_of_a_class(tmp_path: Path) -> None:
    """As BUSI lays its lesions."""
    flat = Masks("lesions", ("lesion",), spacing_mm=(1.0, 1.0), window=(64, 64), widths=(8, 16))
    for kind in ("benign", "normal"):
        (tmp_path / kind).mkdir()
        for k in (1, 2):
            grey = np.random.default_rng(k).integers(0, 255, (40, 50), dtype=np.uint8)
            Image.fromarray(grey).save(tmp_path / kind / f"{kind} ({k}).png")
            drawn = np.zeros((40, 50), np.uint8)
            drawn[5:15, 5:15] = 255 * (kind == "benign")
            Image.fromarray(drawn).save(tmp_path / kind / f"{kind} ({k})_mask.png")
    second = np.zeros((40, 50), np.uint8)
    second[20:25, 20:30] = 255
    Image.fromarray(second).save(tmp_path / "benign" / "benign (2)_mask_1.png")
    pairs, alone = pairs_in(tmp_path, flat=True, structures=flat.classes)
    assert alone == [] and [int(read_case(*pair, flat).labels.sum()) for pair in pairs] == [100, 150, 0, 0]
    classes = Classes("busi", ("normal", "benign"), (32, 32))
    read = read_labelled(tmp_path, classes)
    assert read.names == tuple(f"{kind}/{kind} ({k}).png" for kind in ("benign", "normal") for k in (1, 2))
    assert read.remarks[0] == "5 files are outlines of others by their names, such as benign (1)_mask.png: left out"
    assert len(unlabelled(tmp_path, classes)[0]) == 4


def test_each_lesion_of_a_volume_may_have_a_file_of_its_own(tmp_path: Path) -> None:
    for k, voxels in enumerate((6, 4)):
        grid = np.zeros((12, 12, 12), np.int16)
        grid[2 + 4 * k, 2, 2 : 2 + voxels] = 1
        nibabel.save(nibabel.Nifti1Image(grid, np.eye(4)), tmp_path / f"c_seg{f'_{k}' if k else ''}.nii.gz")
    grey = np.random.default_rng(0).random((12, 12, 12), np.float32)
    nibabel.save(nibabel.Nifti1Image(grey, np.eye(4)), tmp_path / "c.nii.gz")
    solid = Masks("nodes", ("node",))
    (pair,), _ = pairs_in(tmp_path, structures=solid.classes)
    assert int(read_case(*pair, solid).labels.sum()) == 10


def _volume(file: Path, at: int | None = None) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    grid = np.random.default_rng(1).random((12, 12, 12)).astype(np.float32)
    if at is not None:
        grid = np.zeros((12, 12, 12), np.float32)
        grid[at : at + 2, 2:5, 2:5] = 1
    nibabel.save(nibabel.Nifti1Image(grid, np.eye(4)), file)


def test_a_folder_of_structures_beside_each_image_is_read_for_one_or_some_of_them(tmp_path: Path) -> None:
    """As TotalSegmentator lays its hundred structures."""
    for k in range(3):
        _volume(tmp_path / f"s{k:04d}" / "ct.nii.gz")
        for at, name in enumerate(("liver", "spleen", "aorta") if k else ("spleen", "aorta")):
            _volume(tmp_path / f"s{k:04d}" / "segmentations" / f"{name}.nii.gz", 3 * at)
    for structures, voxels in ((("spleen",), {1: 18}), (("aorta", "liver"), {1: 18, 2: 18})):
        pairs, alone = pairs_in(tmp_path, structures=structures)
        assert alone == (["s0000: no outline of liver in segmentations"] if "liver" in structures else [])
        labels = read_case(*pairs[-1], Masks("organs", structures)).labels
        assert {int(k): int((labels == k).sum()) for k in np.unique(labels) if k} == voxels
    with pytest.raises(Refused, match="each image needs labels of the same name"):
        pairs_in(tmp_path, structures=("heart",))


def test_a_folder_may_say_mask_behind_its_structure(tmp_path: Path) -> None:
    """As the Montgomery films have it."""
    for folder, fill in (("CXR_png", 90), ("ManualMask/leftMask", 0), ("ManualMask/rightMask", 0)):
        (tmp_path / folder).mkdir(parents=True)
        picture = np.full((40, 50), fill, np.uint8)
        picture[5:10, 5:10] = 255 * ("left" in folder)
        picture[5:10, 20:30] = 255 * ("right" in folder)
        Image.fromarray(picture).save(tmp_path / folder / "MCUCXR_0001_0.png")
    flat = Masks("lungs", ("left", "right"), spacing_mm=(1.0, 1.0), window=(64, 64), widths=(8, 16))
    (pair,), _ = pairs_in(tmp_path, flat=True, structures=flat.classes)
    assert np.bincount(read_case(*pair, flat).labels.ravel()).tolist()[1:] == [25, 50]
