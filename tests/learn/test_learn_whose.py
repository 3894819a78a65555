"""Whose case a file is, in the layouts in which people keep images of several visits, eyes or slices of a person."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from isocenter.learn.kinds import Boxes
from isocenter.learn.outlined import pairs_in, people_of
from isocenter.learn.whose import column_of_people, whose


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
