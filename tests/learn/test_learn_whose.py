"""Whose case a file is, in the layouts in which people keep images of several visits, eyes or slices of a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.learn.kinds import Boxes
from isocenter.learn.outlined import pairs_in, people_of
from isocenter.learn.whose import column_of_people, whose, whose_pictures


@pytest.mark.parametrize(
    "way",
    [
        "sub-{p:02}/ses-{v}/anat/sub-{p:02}_ses-{v}_T1w.nii.gz", "patient{p:03}/patient{p:03}_frame{v:02}.nii.gz",
        "imagesTr/patient-{p}_{v}.nii.gz", "P{p:03}/{v}.png", "site{v}/LIDC-{p:04}/slice {v}.png",
        "train/images/subject{p} {v}.jpg", "Patient {p}/images/{v}.png", "fold_{v}/Patient_{p}/IM-0001-000{v}.png",
    ],
)  # fmt: skip
def test_people_are_told_by_names_and_folders(way: str) -> None:
    told = whose([way.format(p=p, v=v) for p in range(6) for v in (1, 2, 3)])
    assert len(set(told)) == 6 and all(len(set(told[k : k + 3])) == 1 for k in range(0, 18, 3))


@pytest.mark.parametrize(
    "way",
    [
        "imagesTr/hippocampus_{n:03}.nii.gz", "JPEGImages/BloodImage_{n:05}.jpg", "images_{n:03}/{n}.png",
        "fold{n}/{n}.png", "site-{n}/a.png", "train/images/{n}.png", "{n}/t1.nii.gz", "{k}/{n}.png", "set/{n}.png",
    ],
)  # fmt: skip
def test_files_of_which_nothing_is_told_are_of_somebody_each(way: str) -> None:
    assert len(set(whose([way.format(n=n, k="ab"[n % 2]) for n in range(12)]))) == 12


def of_classes(ways: list[str]) -> list[str]:
    """The people of ways of which one folder is a class, ill or well."""
    at = [next(n for n, part in enumerate(way.split("/")) if part in ("ill", "well")) for way in ways]
    return whose_pictures(ways, at, 2)


@pytest.mark.parametrize(
    "way",
    [
        "patient{p:05}/{k}/{v}.png", "{k}/patient_{p:02}/study{v}/1.png", "1{p:04}/{k}/1{p:04}_{v}_class0.png",
        "{k}/TCGA-AA-{p}/{v}.png", "train/P{p}/{k}/{v}.png", "fold{v}/P{p}/{k}/1.png", "{k}/2019/P-{p}/{v}.png",
        "{k}/SOB/kind_{k}/S-14-{p}/{v}0X/1.png", "XR_WRIST/patient{p:05}/study1/{k}/image{v}.png",
    ],
)  # fmt: skip
def test_a_person_of_two_classes_is_one_wherever_the_folders_of_people_lie(way: str) -> None:
    told = of_classes([way.format(p=p, v=v, k=k) for p in range(6) for k in ("ill", "well") for v in (1, 2, 3)])
    assert len(set(told)) == 6 and all(len(set(told[n : n + 6])) == 1 for n in range(0, 36, 6))


@pytest.mark.parametrize(
    "way",
    [
        "{k}/{n}.png", "site{n}/{k}/{n}.png", "201{n}/{k}/{n}.png", "{k}/fold{n}/{n}.png", "images_{n:03}/{k}/1.png",
        "{k}/kind {k}/{n}.png", "{k}/{n}/1.png",
    ],
)  # fmt: skip
def test_sites_years_folds_and_mere_numbers_below_a_class_are_no_person_of_two_classes(way: str) -> None:
    assert len(set(of_classes([way.format(n=n, k=k) for n in range(10) for k in ("ill", "well")]))) == 20


def test_folders_of_people_are_told_in_a_table_too() -> None:
    ways = [f"CheXpert/train/patient{n:05}/study{v}/view1_frontal.jpg" for n in range(3) for v in (1, 2)]
    assert len(set(whose_pictures(ways, [-1] * 6, 2))) == 3


def test_a_column_of_a_table_says_whose_each_row_is(tmp_path: Path) -> None:
    (tmp_path / "set.csv").write_text(
        "image;label;Patient ID;split\n" + "".join(f"i{k}.nii;l{k}.nii;{k // 2};{'test' if k > 3 else 'train'}\n"
                                                   for k in range(8)))  # fmt: skip
    for split, wanted in ((None, list("00112233")), ("test", list("2233"))):
        pairs = pairs_in(tmp_path / "set.csv", split)[0]
        assert people_of(pairs, tmp_path / "set.csv", split) == wanted
    assert column_of_people(["file", "Subject_ID"]) == "Subject_ID" and column_of_people(["personality"]) is None


def test_boxes_know_whose_picture_they_are_on(tmp_path: Path) -> None:
    from PIL import Image

    from isocenter.learn.boxed import read_boxed

    for k in range(6):
        (tmp_path / f"P{k}").mkdir()
        for v in (1, 2):
            shown = np.random.default_rng(9 * k + v).integers(0, 255, (32, 32, 3), dtype=np.uint8)
            Image.fromarray(shown).save(tmp_path / f"P{k}" / f"{v}.png")
    how = Boxes(task="cells", classes=("cell",), shape=(32, 32))
    lines = [f"P{k}/{v}.png,cell,2,2,9,9,Q{k // 2}" for k in range(6) for v in (1, 2)]
    for head, cut, people in (("", 1, 6), (",patient", 0, 3)):
        rows = [line.rsplit(",", cut)[0] for line in lines]
        (tmp_path / "boxes.csv").write_text(f"filename,class,xmin,ymin,xmax,ymax{head}\n" + "\n".join(rows) + "\n")
        found = read_boxed(tmp_path, how)[0]
        assert len({one.whose for one in found}) == people
        assert len({one.name for one in found}) == 12, "pictures of one name in several folders are told apart"
