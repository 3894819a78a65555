"""Several readers of one picture: boxes about one thing are one, and findings are what more than half of them say."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from isocenter.errors import Refused
from isocenter.learn import recipes
from isocenter.learn.boxed import read_boxed, remarks_on
from isocenter.learn.consensus import Drawn, fused, majority
from isocenter.learn.findings import known_in, label_of, shown_in
from isocenter.learn.gridded import opened
from isocenter.learn.labelled import read_labelled
from isocenter.testing.phantoms import chest

FILMS = replace(recipes.RECIPES["chestmnist"], task="films", classes=("mass", "effusion"), known_as={})
MASSES = replace(recipes.RECIPES["bccd"], task="masses", classes=("mass", "effusion"), known_as={})


def pictures(folder: Path, names: str) -> None:
    rng = np.random.default_rng(0)
    for name in names:
        Image.fromarray(rng.integers(0, 255, (64, 64), dtype=np.uint8)).save(folder / f"{name}.png")


def test_rows_of_findings_by_several_readers_are_joined(tmp_path: Path) -> None:
    pictures(tmp_path, "abcd")
    rows = [
        "image_id,class_name,rad_id,x_min,y_min,x_max,y_max",
        "a,Mass,R1,10,10,30,30", "a,Effusion,R1,40,40,60,60", "a,Mass,R2,12,10,30,30", "a,Mass,R3,12,10,30,30",
        "b,No finding,R1,,,,", "b,No finding,R2,,,,", "b,Mass,R3,1,1,9,9",
        "c,Effusion,R1,5,5,25,25", "c,No finding,R2,,,,",
        "d,No finding,R1,,,,",
    ]  # fmt: skip
    (tmp_path / "t.csv").write_text("\n".join(rows) + "\n")
    read = read_labelled(tmp_path / "t.csv", FILMS)
    shown, known = shown_in(read.labels, 2), known_in(read.labels, 2)
    assert dict(zip(read.names, shown.tolist(), strict=True)) == {
        "a": [True, False], "b": [False, False], "c": [False, False], "d": [False, False]
    }  # fmt: skip
    assert known.tolist() == [[True, True], [True, True], [True, False], [True, True]]
    assert any("3 pictures have several readers" in remark for remark in read.remarks)
    boxed = {one.name: one for one in read_boxed(tmp_path / "t.csv", MASSES)[0]}
    assert {name: len(one.boxes) for name, one in boxed.items()} == {"a": 2, "b": 1, "c": 1, "d": 0}
    assert boxed["a"].boxes[0].tolist() == pytest.approx([34 / 3, 10, 30, 30])
    assert any("2 boxes of 1 pictures were drawn by several readers" in one for one in remarks_on(list(boxed.values())))


def test_rows_of_findings_by_one_reader_are_joined_and_columns_may_not_differ(tmp_path: Path) -> None:
    pictures(tmp_path, "ab")
    (tmp_path / "t.csv").write_text("image,finding\na,Mass\na,Effusion\na,Mass\nb,No finding\n")
    read = read_labelled(tmp_path / "t.csv", FILMS)
    assert shown_in(read.labels, 2).tolist() == [[True, True], [False, False]]
    assert read.remarks[0].startswith("1 rows name a picture again")
    (tmp_path / "t.csv").write_text("image,mass,effusion\na,1,0\na,0,0\nb,0,1\n")
    with pytest.raises(Refused, match="a has two labels"):
        read_labelled(tmp_path / "t.csv", FILMS)
    (tmp_path / "t.csv").write_text("image,rad_ID,mass,effusion\na,R1,1,0\na,R2,1,1\na,R3,0,1\nb,R1,0,1\n")
    assert shown_in(read_labelled(tmp_path / "t.csv", FILMS).labels, 2).tolist() == [[True, True], [False, True]]


@given(st.lists(st.lists(st.sampled_from([0, 1, None]), min_size=3, max_size=3), min_size=1, max_size=5))
def test_the_majority_does_not_hang_on_the_order_of_readers(told: list[list[int | None]]) -> None:
    labels = [label_of(one) for one in told]
    assert majority(labels, 3) == majority(labels[::-1], 3)
    assert majority(labels[:1], 3) == labels[0]
    one = majority(labels, 3)
    for k in range(3):
        yes, no = (sum(row[k] == v for row in told) for v in (1, 0))
        assert bool(known_in(np.array([one]), 3)[0, k]) == (yes != no)
        assert bool(shown_in(np.array([one]), 3)[0, k]) == (yes > no)


def test_boxes_of_one_reader_or_of_other_classes_are_never_joined() -> None:
    same = [0.0, 0.0, 10.0, 10.0]
    assert len(fused([Drawn("mass", same, False, "a"), Drawn("mass", same, False, "a")])) == 2
    assert len(fused([Drawn("mass", same, False, "a"), Drawn("node", same, False, "b")])) == 2
    apart = [Drawn("mass", same, False, "a"), Drawn("mass", [8.0, 8.0, 18.0, 18.0], False, "b")]
    assert len(fused(apart)) == 2 and fused([]) == []
    ((_, sides, hard),) = fused([Drawn("mass", same, True, "a"), Drawn("mass", same, False, "b")])
    assert (list(sides), hard) == (same, False)


def test_a_table_of_one_class_names_the_patient_and_no_class(tmp_path: Path) -> None:
    pictures(tmp_path, "abc")
    (tmp_path / "t.csv").write_text("patientId,x,y,width,height,Target\na,1,2,10,12,1\na,30,2,9,9,1\nb,,,,,0\n")
    one = replace(MASSES, task="opacities", classes=("opacity",))
    read = {b.name: b.boxes.tolist() for b in read_boxed(tmp_path / "t.csv", one)[0]}
    assert read == {"a": [[1, 2, 11, 14], [30, 2, 39, 11]], "b": []}
    with pytest.raises(Refused, match=r"class '' in a\.png"):
        read_boxed(tmp_path / "t.csv", MASSES)


def test_boxes_may_lie_on_films_as_dicom(tmp_path: Path) -> None:
    """As VinDr-CXR and RSNA have them."""
    (tmp_path / "train").mkdir()
    for name, data in zip("ab", (chest.patient().files[0], chest.patient(seed=1).files[0]), strict=True):
        (tmp_path / "train" / f"{name}.dicom").write_bytes(data)
    (tmp_path / "train.csv").write_text(
        "image_id,class_name,x_min,y_min,x_max,y_max\na,mass,10,20,60,90\nb,No finding,,,,\n"
    )
    a, b = read_boxed(tmp_path, MASSES)[0]
    assert a.boxes.tolist() == [[10, 20, 60, 90]] and len(b.boxes) == 0
    assert a.picture.dtype == np.uint8 and a.picture.shape[2] == 3 and np.ptp(a.picture) > 100
    plain = opened(tmp_path / "train" / "a.dicom", FILMS)
    assert np.array_equal(a.picture[..., 0], plain)
