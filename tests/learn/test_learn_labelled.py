"""Labelled images in every layout that people use, and what is wrong with a layout said in one sentence."""

from __future__ import annotations

import re
import struct
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from isocenter.errors import NotFound, Refused
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import pairs_of, read_labelled, unlabelled
from isocenter.learn.naming import REST

GREY = Classes(task="spots", classes=("clear", "spot"), shape=(28, 28), known_as={"sick": 1})
COLOUR = Classes(task="hues", classes=("a", "b", "c"), shape=(28, 28), channels=3)
SOLID = Classes(task="lumps", classes=("none", "lump"), shape=(14, 14, 14))
RNG = np.random.default_rng(0)


def grey(n: int, side: int = 28) -> np.ndarray:
    return RNG.integers(0, 255, (n, side, side), dtype=np.uint8)


@pytest.mark.parametrize(
    ("images", "labels"),
    [
        ("test_images", "test_labels"), ("images", "labels"), ("x_test", "y_test"), ("holdout_x", "holdout_y"),
        ("testImages", "testLabels"), ("held-out.images", "held-out.labels"), ("xtest", "ytest"),
        ("data", "image_labels"),
    ],
)  # fmt: skip
def test_an_npz_of_any_names_is_read_pixel_for_pixel(tmp_path: Path, images: str, labels: str) -> None:
    x = grey(6)
    np.savez(tmp_path / "a.npz", **{images: x, labels: np.arange(6)[:, None] % 2})
    found = read_labelled(tmp_path / "a.npz", GREY)
    assert np.array_equal(found.pictures, x) and found.labels.tolist() == [0, 1] * 3


def test_an_npz_may_say_whose_each_image_is(tmp_path: Path) -> None:
    held = {"test_images": grey(6), "test_labels": np.arange(6) % 2, "test_image_ids": np.arange(6)}
    np.savez(tmp_path / "a.npz", **held, test_patient_ids=np.array([b"A", b"A", b"B", b"B", b"", b""]))
    found = read_labelled(tmp_path / "a.npz", GREY)
    assert found.groups.tolist() == [0, 0, 1, 1, 2, 3], "whose nothing tells is of somebody else"
    np.savez(tmp_path / "a.npz", **held, testPatients=["A"], train_patients=["A"])
    with pytest.raises(Refused, match="6 images and 1 people in 'testPatients'"):
        read_labelled(tmp_path / "a.npz", GREY)


def test_splits_are_read_together_or_one_alone(tmp_path: Path) -> None:
    np.savez(
        tmp_path / "a.npz", train_images=grey(4), train_labels=[0, 1, 0, 1], test_images=grey(2), test_labels=[1, 1]
    )
    assert len(read_labelled(tmp_path / "a.npz", GREY)) == 6
    for word in ("test", "Test"):
        assert read_labelled(tmp_path / "a.npz", GREY, word).names == ("test/00000", "test/00001")
    with pytest.raises(Refused, match="no split 'val'"):
        read_labelled(tmp_path / "a.npz", GREY, "val")


def test_one_hot_named_and_floating_labels_mean_the_same(tmp_path: Path) -> None:
    x = grey(4)
    for k, labels in enumerate(
        (np.eye(2)[[0, 1, 1, 0]], np.array([0.0, 1.0, 1.0, 0.0]), ["clear", "Sick", "spot", "0"])
    ):
        np.savez(tmp_path / f"{k}.npz", images=x, labels=labels)
        assert read_labelled(tmp_path / f"{k}.npz", GREY).labels.tolist() == [0, 1, 1, 0]
    np.savez(tmp_path / "named.npz", images=x, labels=[1, 0, 0, 1], classes=["spot", "clear"])
    assert read_labelled(tmp_path / "named.npz", GREY).labels.tolist() == [0, 1, 1, 0], "the file's own order of names"
    for called in ("class_names", "label_names", "ClassNames"):
        named = {"images": x, "labels": [1, 0, 0, 1], called: np.array(["spot", "clear"], "S5")}
        np.savez(tmp_path / "named.npz", **named)
        assert read_labelled(tmp_path / "named.npz", GREY).labels.tolist() == [0, 1, 1, 0], called
    np.savez(tmp_path / "bytes.npz", images=x, labels=np.array(["0", "spot", "1", "clear"], "S5"))
    assert read_labelled(tmp_path / "bytes.npz", GREY).labels.tolist() == [0, 1, 1, 0]


def folder_of(place: Path, images: np.ndarray, ending: str) -> Path:
    for k, picture in enumerate(images):
        file = place / GREY.classes[k % 2] / f"{k}.{ending}"
        file.parent.mkdir(parents=True, exist_ok=True)
        np.save(file, picture) if ending == "npy" else Image.fromarray(picture).save(file)
    return place


@pytest.mark.parametrize(("bits", "moved"), [(12, 4), (12, 0), (10, 6), (14, 0), (8, 4), (16, 0)])
def test_pictures_of_more_bits_are_those_of_eight_and_that_is_said(tmp_path: Path, bits: int, moved: int) -> None:
    x = np.stack([np.clip(grey(1)[0].astype(int), 5, top) for top in (255, 254, 200, 190, 255, 180)]).astype(np.uint8)
    x[0, 0, 0] = 255
    wide = np.round(x.astype(float) * (2**bits - 1) / 255).astype(np.uint16)
    if bits == 16:
        wide = (np.minimum(wide.astype(int) + RNG.integers(0, 99, wide.shape), 65535)).astype(np.uint16)
    wide = wide << moved
    top = int(wide.max())
    np.savez(tmp_path / "a.npz", images=wide, labels=[0, 1] * 3)
    plain = read_labelled(folder_of(tmp_path / "plain", x, "png"), GREY)
    for made in (tmp_path / "a.npz", folder_of(tmp_path / "png", wide, "png"), folder_of(tmp_path / "n", wide, "npy")):
        found = read_labelled(made, GREY)
        of = plain.pictures if made.is_dir() else x
        assert np.array_equal(found.pictures, of), made.name
        assert found.remarks == (f"grey values that are not of 8 bits were read with 0 as black and {top} as white",)


def test_where_few_pictures_use_their_bits_each_is_spread_by_itself(tmp_path: Path) -> None:
    wide = grey(4).astype(np.uint16) + 700
    wide[0, 0, 0] = 4095  # a mark that shines; no picture comes near it
    np.savez(tmp_path / "a.npz", images=wide, labels=[0, 1] * 2)
    found = read_labelled(tmp_path / "a.npz", GREY)
    assert found.pictures[1:].max() == 255 and found.pictures[1:].min() == 0 and not found.remarks


def test_files_of_parts_of_one_are_read_together(tmp_path: Path) -> None:
    x = grey(4)
    x[0] = 128 + x[0] // 2  # alone it would lie between 0 and 1
    found = read_labelled(folder_of(tmp_path / "a", x / 127.5 - 1, "npy"), GREY)
    order = [0, 2, 1, 3]
    assert np.array_equal(found.pictures, x[order]) and "with -1 as black and 1 as white" in found.remarks[0]
    centred = (x - x.mean()) / x.std()
    centred[0] /= 9  # alone it would lie between -1 and 1
    with pytest.raises(Refused, match=r"b holds values from .* they do not tell what was black and white"):
        read_labelled(folder_of(tmp_path / "b", centred, "npy"), GREY)
    table = tmp_path / "t.csv"
    table.write_text("file,label\n" + "".join(f"a/{GREY.classes[k % 2]}/{k}.npy,{k % 2}\n" for k in range(4)))
    assert np.array_equal(read_labelled(table, GREY).pictures, x)


def test_pictures_enlarged_by_repeating_their_pixels_are_read_in_their_own_size(tmp_path: Path) -> None:
    x = grey(4)
    for times in (2, 8):
        big = np.kron(x, np.ones((1, times, times), np.uint8))
        colours = np.stack([big] * 3, -1)
        for name, images in (("grey", big), ("colours", colours), ("first", np.moveaxis(colours, -1, 1))):
            np.savez(tmp_path / "a.npz", images=images, labels=[0, 1] * 2)
            found = read_labelled(tmp_path / "a.npz", GREY)
            assert np.array_equal(found.pictures, x), name
            (said,) = found.remarks
            assert said.startswith("4 of 4 images were enlarged by repeating their pixels")
            assert said.endswith(f"28 × 28, each pixel repeated {times} times a side")
    solid = np.kron(RNG.integers(0, 2, (2, 14, 14, 14), dtype=np.uint8), np.ones((1, 2, 2, 2), np.uint8))
    np.savez(tmp_path / "s.npz", images=solid, labels=[0, 1])
    assert np.array_equal(read_labelled(tmp_path / "s.npz", SOLID).pictures, solid[:, ::2, ::2, ::2] * 255)


def test_a_picture_with_little_in_it_is_not_taken_for_an_enlarged_one(tmp_path: Path) -> None:
    blank = np.full((28, 28), 9, np.uint8)
    square = blank.copy()
    square[8:16, 4:12] = 200
    fine = np.kron(grey(1)[0], np.ones((2, 2), np.uint8))
    fine[-1, -1] += 1
    np.savez(tmp_path / "a.npz", images=np.stack([blank, square]), labels=[0, 1])
    assert np.array_equal(read_labelled(tmp_path / "a.npz", GREY).pictures, [blank, square])
    np.savez(tmp_path / "b.npz", images=np.stack([fine, fine.T]), labels=[0, 1])
    assert not read_labelled(tmp_path / "a.npz", GREY).remarks + read_labelled(tmp_path / "b.npz", GREY).remarks


def test_other_sizes_depths_and_axes_are_brought_to_the_grid(tmp_path: Path) -> None:
    big = np.kron(grey(2), np.ones((1, 2, 2), np.uint8))
    for k, images in enumerate((big, big[..., None], big[:, None], big / 255.0, np.stack([big] * 3, -1))):
        np.savez(tmp_path / f"{k}.npz", images=images, labels=[0, 1])
        found = read_labelled(tmp_path / f"{k}.npz", GREY).pictures
        assert found.shape == (2, 28, 28) and found.dtype == np.uint8
    np.savez(tmp_path / "first.npz", images=np.moveaxis(np.stack([big] * 3, -1), -1, 1), labels=[0, 1])
    assert read_labelled(tmp_path / "first.npz", COLOUR).pictures.shape == (2, 28, 28, 3)
    mask = np.zeros((2, 28, 28, 28), np.uint8)
    mask[:, 4:20, 4:12, 4:24] = 1
    np.savez(tmp_path / "solid.npz", test_images=mask, test_labels=[0, 1])
    solid = read_labelled(tmp_path / "solid.npz", SOLID).pictures
    assert solid.shape == (2, 14, 14, 14) and solid.max() == 255
    assert solid[0, :, 5, 5].argmax() < solid[0, 5, 5, :].argmax() + 3, "axes stay where they were"
    assert np.count_nonzero(solid[0].max((1, 2)) > 127) == 8 and np.count_nonzero(solid[0].max((0, 1)) > 127) == 10


@pytest.mark.parametrize(
    ("arrays", "why"),
    [
        ({"test_images": np.zeros((3, 28, 28), np.uint8)}, "3 images in .*, and 0 labels"),
        ({"test_images": np.zeros((3, 28, 28), np.uint8), "test_labels": [0, 1]}, "3 images in .*, and 2 labels"),
        ({"images": np.zeros((2, 28, 28), np.uint8), "labels": [0, 7]}, "label '7'.*knows 0 clear, 1 spot"),
        ({"images": np.zeros((2, 28, 28), np.uint8), "labels": [0.0, np.nan]}, "not finite"),
        ({"images": np.zeros((2, 28, 28), np.uint8), "labels": np.ones((2, 5))}, "one label"),
        ({"images": np.full((2, 28, 28), np.nan), "labels": [0, 1]}, "784 pixels that are not finite"),
        ({"images": np.full((2, 28, 28), 200, np.uint8).view(np.int8), "labels": [0, 1]}, "images holds int8 from -56"),
        (
            {"images": (grey(2).astype(float) - 90) / 55, "labels": [0, 1]},
            "images holds values from -1.6.* they do not tell",
        ),
        ({"images": grey(2) / 60, "labels": [0, 1]}, "to 4.*neither parts of 1 nor of 255"),
        ({"images": np.zeros((2, 28, 28, 28), np.uint8), "labels": [0, 1]}, "images of 2 axes"),
        ({"images": np.zeros((2, 9, 9), np.uint8), "labels": [0, 1]}, "too coarse"),
        ({"words": np.zeros(2)}, "split"),
        ({"images": np.array([{}, {}], object), "labels": [0, 1]}, "Python objects"),
    ],
)
def test_what_is_wrong_is_said(tmp_path: Path, arrays: dict[str, Any], why: str) -> None:
    np.savez(tmp_path / "a.npz", **arrays)
    with pytest.raises(Refused, match=why):
        read_labelled(tmp_path / "a.npz", GREY)


def test_true_and_false_tell_no_more_than_two_classes(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=grey(2), labels=np.array([False, True]))
    assert read_labelled(tmp_path / "a.npz", GREY).labels.tolist() == [0, 1]
    with pytest.raises(Refused, match=r"only true or false.*there are 3 classes"):
        read_labelled(tmp_path / "a.npz", replace(GREY, classes=("clear", "spot", "ring"), known_as={}))


def test_a_grey_picture_has_no_colours_and_nothing_is_nothing(tmp_path: Path) -> None:
    np.savez(tmp_path / "a.npz", images=grey(2), labels=[0, 1])
    with pytest.raises(Refused, match="3 colours"):
        read_labelled(tmp_path / "a.npz", COLOUR)
    with pytest.raises(NotFound):
        read_labelled(tmp_path / "b.npz", GREY)
    (tmp_path / "c.npz").write_bytes(b"PK\x03\x04 cut short")
    with pytest.raises(Refused, match="no whole"):
        read_labelled(tmp_path / "c.npz", GREY)
    (tmp_path / "d.pkl").write_bytes(b"\x80\x04.")
    with pytest.raises(Refused, match="not a folder"):
        read_labelled(tmp_path / "d.pkl", GREY)


def test_a_file_that_is_no_set_is_told_what_it_is_and_what_to_do(tmp_path: Path) -> None:
    whole = {"images": grey(2), "labels": np.array([0, 1])}
    for name, labels, why in (
        ("a", np.array([0, 1], object), "'labels' in a.npz holds Python objects: loading them could run code"),
        ("b", np.array([0]), "'images' of b.npz, and 1 labels: each image needs one. Give 'labels' a label for"),
        ("c", np.array([0.0, np.nan]), "cannot be judged. Leave out cases of which nobody knows it"),
    ):
        np.savez(tmp_path / f"{name}.npz", **{**whole, "labels": labels})
        with pytest.raises(Refused, match=re.escape(why)):
            read_labelled(tmp_path / f"{name}.npz", GREY)
    np.savez(tmp_path / "whole.npz", **whole)
    with pytest.raises(Refused, match="no split 'tset': these data are not parted"):
        read_labelled(tmp_path / "whole.npz", GREY, "tset")
    for data, why in ((b"", "it is empty"), (b"hello", "like no archive"), (b"\x80\x04.", "like no archive")):
        (tmp_path / "e.npz").write_bytes(data)
        with pytest.raises(Refused, match=why) as told:
            read_labelled(tmp_path / "e.npz", GREY)
        assert "pickle" not in str(told.value), "no library's advice how to open it unsafely"
    (tmp_path / "e.csv").write_bytes(b"")
    with pytest.raises(Refused, match=re.escape("e.csv is empty")):
        read_labelled(tmp_path / "e.csv", GREY)


def test_folders_and_tables_are_read(tmp_path: Path) -> None:

    for folder, count in (("test/clear", 2), ("test/SPOT", 1), ("train/sick", 1)):
        (tmp_path / "set" / folder).mkdir(parents=True)
        for i in range(count):
            Image.fromarray(grey(1, 40)[0]).save(tmp_path / "set" / folder / f"{i}.png")
    assert read_labelled(tmp_path / "set", GREY).labels.tolist() == [1, 0, 0, 1]
    assert read_labelled(tmp_path / "set", GREY, "test").labels.tolist() == [1, 0, 0]
    (tmp_path / "set" / "other").mkdir()
    Image.fromarray(grey(1)[0]).save(tmp_path / "set" / "other" / "x.png")
    with pytest.raises(Refused, match="label 'other'"):
        read_labelled(tmp_path / "set", GREY)
    assert REST in read_labelled(tmp_path / "set", replace(GREY, foreign=0.2)).labels
    (tmp_path / "set" / "other" / "bad.png").write_bytes(b"no picture")
    with pytest.raises(Refused, match=r"cannot read bad\.png"):
        read_labelled(tmp_path / "set", replace(GREY, foreign=0.2))
    table = tmp_path / "list.csv"
    table.write_text("File;Label\nset/test/clear/0.png;clear\nset/test/SPOT/0.png;1\n")
    assert read_labelled(table, GREY).labels.tolist() == [0, 1]
    table.write_text("file,label\nset/test/clear/0.png,False\nset/test/SPOT/0.png,TRUE\n")
    assert read_labelled(table, GREY).labels.tolist() == [0, 1]
    for unclear in (replace(GREY, positive=0), replace(GREY, classes=("clear", "spot", "line"))):
        with pytest.raises(Refused, match="label 'False' in row 1"):  # which of the classes is true?
            read_labelled(table, unclear)
    several = replace(GREY, several=True)
    table.write_text("file,clear,spot\nset/test/clear/0.png,TRUE,False\nset/test/SPOT/0.png,1,yes\n")
    assert read_labelled(table, several).labels.tolist() == [1, 3]
    for both, none in (("spot|clear", "No Finding"), ("spot;clear", "none"), ('"spot, Clear"', "normal"),
                       ("\"['clear', 'spot']\"", "[]")):  # fmt: skip
        table.write_text(f"file,label\nset/test/clear/0.png,{both}\nset/test/SPOT/0.png,{none}\n")
        assert read_labelled(table, several).labels.tolist() == [3, 0], both
    for odd in (";", "spot;line"):
        table.write_text(f"file,label\nset/test/clear/0.png,{odd}\n")
        with pytest.raises(Refused, match=r"in row 1 of list\.csv: "):
            read_labelled(table, several)
    table.write_text("file,clear,spot\nset/test/clear/0.png,1,perhaps\n")
    with pytest.raises(Refused, match="spot is 'perhaps' in row 1"):
        read_labelled(table, several)
    table.write_text("file,label\nset/test/clear/9.png,0\n")
    with pytest.raises(Refused, match=r"9\.png in row 1"):
        read_labelled(table, GREY)
    table.write_text("file,label\nset/test/clear/0.png,\n")
    with pytest.raises(Refused, match="no label"):
        read_labelled(table, GREY)
    table.write_text("file,size\nset/test/clear/0.png,3\n")
    with pytest.raises(Refused, match="columns"):
        read_labelled(table, GREY)


def test_files_numbered_anew_in_every_folder_are_of_different_people(tmp_path: Path) -> None:
    rows = []
    for kind in ("clear", "spot"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        for number in (1, 2, 3):
            Image.fromarray(grey(1)[0]).save(tmp_path / "set" / kind / f"{number:04d}.png")
            rows.append(f"set\\{kind}\\{number:04d}.png,{kind}")
    Image.fromarray(grey(1)[0]).save(tmp_path / "set" / "spot" / "patient7_a.png")
    Image.fromarray(grey(1)[0]).save(tmp_path / "set" / "clear" / "patient7_b.png")
    found = read_labelled(tmp_path / "set", GREY)
    assert len(set(found.groups.tolist())) == 7, "of eight files two name the same person"
    (tmp_path / "list.csv").write_text("Image Index,Finding Labels\r\n" + "\r\n".join(rows))
    told = read_labelled(tmp_path / "list.csv", GREY)
    assert told.labels.tolist() == [0, 0, 0, 1, 1, 1] and len(set(told.groups.tolist())) == 6
    (tmp_path / "list.csv").write_text(
        "Patient ID,Image Index,Finding Labels\n" + "\n".join(f"4,{row}" for row in rows)
    )
    assert len(set(read_labelled(tmp_path / "list.csv", GREY).groups.tolist())) == 1


def test_a_picture_of_many_boxes_is_one_case_and_a_person_may_be_its_name(tmp_path: Path) -> None:
    (tmp_path / "images").mkdir()
    for name in "abc":
        Image.fromarray(grey(1)[0]).save(tmp_path / "images" / f"{name}.png")
    table = tmp_path / "labels.csv"
    table.write_text("patientId,x,y,width,height,Target\na,1,2,3,4,1\na,5,6,7,8,1\nb,,,,,0\nc,1,1,2,2,1\n")
    found = read_labelled(table, GREY)
    assert found.labels.tolist() == [1, 0, 1] and len(set(found.groups.tolist())) == 3
    assert found.remarks == ("1 rows name a picture again, with the same label: each picture was counted once",)
    table.write_text("patientId,Target\na,1\na,0\nb,0\n")
    with pytest.raises(Refused, match=r"a has two labels in labels.csv, spot and clear: one picture is one case"):
        read_labelled(table, GREY)


def test_images_that_are_there_twice_or_with_two_labels_are_told(tmp_path: Path) -> None:
    x = grey(4)
    np.savez(tmp_path / "a.npz", images=np.concatenate([x, x[:2], np.zeros_like(x)]), labels=[0, 1] * 2 + [0, 0] * 3)
    assert read_labelled(tmp_path / "a.npz", GREY).remarks == (
        "2 of 10 images are there a second time, such as 00000 and 00004",
        "1 of them have another label there, such as 00001 (spot) and 00005 (clear): one of the two is wrong",
    )
    np.savez(tmp_path / "a.npz", images=x, labels=[0, 1] * 2)
    assert not read_labelled(tmp_path / "a.npz", GREY).remarks


def test_an_npz_may_hold_images_under_the_name_of_no_split() -> None:
    assert pairs_of({"images": np.zeros(1), "labels": np.zeros(1)}) == {"": ("images", "labels")}


def test_one_picture_alone_is_read_without_a_label(tmp_path: Path) -> None:
    Image.fromarray(grey(1)[0]).save(tmp_path / "a.PNG")
    assert unlabelled(tmp_path / "a.PNG", GREY)[0] == ["a.PNG"]


def test_people_may_have_folders_of_their_own(tmp_path: Path) -> None:
    for number in range(12):
        kind = ("Clear", "spot")[number % 2]
        for name in ("1", "2"):
            file = tmp_path / "test" / kind / f"{number}" / f"{name}.png"
            file.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(grey(1)[0]).save(file)
    found = read_labelled(tmp_path, GREY, "Test")
    assert len(found) == 24 and len(set(found.groups.tolist())) == 12
    assert all(label == ("spot" in name) for name, label in zip(found.names, found.labels, strict=True))
    numbered = tmp_path / "numbered" / "0" / "1"
    numbered.mkdir(parents=True)
    Image.fromarray(grey(1)[0]).save(numbered / "a.png")
    with pytest.raises(Refused, match=r"0, 1 above 0/1/a\.png: they are different classes"):
        read_labelled(tmp_path / "numbered", GREY)


def test_a_picture_in_colour_is_known_to_a_model_of_grey_values(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    grey = rng.integers(0, 255, (40, 40), dtype=np.uint8)
    colour = np.stack([grey, grey // 2, grey // 3], -1)
    marked = np.stack([grey] * 3, -1)
    marked[:4, :6] = 255, 0, 0  # a mark in colour is no picture in colour
    for name, image in (("a", grey), ("b", np.stack([grey] * 3, -1)), ("c", colour), ("d", marked)):
        (tmp_path / "0").mkdir(exist_ok=True)
        Image.fromarray(image).save(tmp_path / "0" / f"{name}.png")
    how = Classes(task="t", classes=("no", "yes"), shape=(28, 28))
    assert read_labelled(tmp_path, how).in_colour == {"0/c.png"}
    assert read_labelled(tmp_path, how).take(np.array([0, 1])).in_colour == frozenset()
    np.savez(tmp_path / "some.npz", test_images=np.stack([colour, marked]), test_labels=[0, 1])
    assert read_labelled(tmp_path / "some.npz", how).in_colour == {"test/00000"}
    three = Classes(task="t", classes=("no", "yes"), shape=(28, 28), channels=3)
    assert not read_labelled(tmp_path, three).in_colour


def test_a_picture_in_colour_is_declined_by_name(tmp_path: Path) -> None:
    pytest.importorskip("torch", reason="the extra 'ml' is not installed")
    from isocenter.learn.judge import judged

    rng = np.random.default_rng(4)
    for name, side in (("pneumoniamnist", 28), ("chest_xray_opacity", 224)):
        images = rng.integers(0, 255, (4, side, side, 3), dtype=np.uint8)
        images[:2] = images[:2, ..., :1]
        np.savez(tmp_path / "some.npz", test_images=images, test_labels=[0, 1, 0, 1])
        told = judged(name, tmp_path / "some.npz")
        words = ["in colour" in row["because"] for row in told.predictions]
        assert words == [False, False, True, True] and all(row["declined"] for row in told.predictions[2:])
        assert told.report["declined"] >= 2


def _smooth(n: int, side: int) -> np.ndarray:
    """Pictures with detail on every scale, some of it cut off at black and white."""
    from scipy import ndimage

    rough = RNG.normal(0, 1, (n, side, side))
    x = 4 * ndimage.gaussian_filter(rough, (0, 3, 3)) + 0.35 * rough
    return np.asarray(np.clip(110 + 60 * x, 0, 255), np.uint8)


@pytest.mark.parametrize("side", [35, 64, 150])
@pytest.mark.parametrize("way", ["bilinear", "bicubic", "Lanczos", "torch", "spline", "parts of 1"])
def test_pictures_enlarged_by_interpolation_are_read_as_they_were(tmp_path: Path, side: int, way: str) -> None:
    x = _smooth(4, 28)
    if way in ("bilinear", "bicubic", "Lanczos"):
        kind = {"bilinear": 2, "bicubic": 3, "Lanczos": 1}[way]
        big = np.stack([np.asarray(Image.fromarray(one).resize((side, side), Image.Resampling(kind))) for one in x])
    elif way == "torch":
        torch = pytest.importorskip("torch", reason="the extra 'ml' is not installed")
        made = torch.nn.functional.interpolate(torch.from_numpy(x[:, None]).float(), (side, side), mode="bicubic")
        big = made[:, 0].numpy().clip(0, 255).round().astype(np.uint8)
    else:
        from scipy import ndimage

        made = np.stack([ndimage.zoom(one.astype(np.float64), side / 28, order=3) for one in x]).clip(0, 255)
        big = made.round().astype(np.uint8) if way == "spline" else made / 255.0
    np.savez(tmp_path / "a.npz", images=big, labels=[0, 1] * 2)
    found = read_labelled(tmp_path / "a.npz", GREY)
    off = np.abs(found.pictures.astype(int) - x)
    assert np.quantile(off, 0.99) <= 8 and np.median(off) <= 1 and off.mean() < 0.8, "all but what was cut off"
    assert any("4 of 4 images were enlarged from 28 × 28 pixels by interpolation" in line for line in found.remarks)
    colours = np.moveaxis(np.stack([big] * 3, -1), -1, 1)
    np.savez(tmp_path / "c.npz", images=colours, labels=[0, 1] * 2)
    assert np.abs(read_labelled(tmp_path / "c.npz", GREY).pictures.astype(int) - x).mean() < 0.8


def test_a_picture_with_detail_of_its_own_is_brought_down_as_it_is(tmp_path: Path) -> None:
    for side in (40, 64, 150):
        np.savez(tmp_path / "a.npz", images=_smooth(8, side), labels=[0, 1] * 4)
        assert not read_labelled(tmp_path / "a.npz", GREY).remarks, side


def test_pictures_coarser_than_the_grid_are_told(tmp_path: Path) -> None:
    for images in (grey(2, 20), grey(2, 20)[:, None]):
        np.savez(tmp_path / "a.npz", images=images, labels=[0, 1])
    (said,) = read_labelled(tmp_path / "a.npz", GREY).remarks
    assert said.startswith(
        "2 of 2 images are coarser than the 28 × 28 pixels that 'spots' sees, such as 00000: 20 × 20"
    )


@pytest.mark.parametrize("word", ["negative", "Background", "out-lier", "not medical", "-1", "OOD"])
def test_what_is_none_of_the_classes_has_many_names(tmp_path: Path, word: str) -> None:
    np.savez(tmp_path / "a.npz", images=grey(3), labels=["clear", "spot", word])
    assert read_labelled(tmp_path / "a.npz", replace(GREY, foreign=0.2)).labels.tolist() == [0, 1, REST]
    with pytest.raises(Refused, match=f"label '{word}'"):
        read_labelled(tmp_path / "a.npz", replace(GREY, classes=("clear", "spot", "blot")))


def test_a_column_may_be_named_after_the_disease(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    for k, one in enumerate(grey(3)):
        Image.fromarray(one).save(tmp_path / "set" / f"{k}.png")
    for head, of in (("img_path,spot", (0, 1, 1)), ("patient_filename,Finding", ("clear", "sick", "spot"))):
        (tmp_path / "t.csv").write_text(f"{head}\n" + "".join(f"set/{k}.png,{said}\n" for k, said in enumerate(of)))
        assert read_labelled(tmp_path / "t.csv", GREY).labels.tolist() == [0, 1, 1]
    with pytest.raises(Refused, match="has the columns img_path, spot"):
        (tmp_path / "t.csv").write_text("img_path,spot\nset/0.png,1\n")
        read_labelled(tmp_path / "t.csv", replace(GREY, classes=("clear", "spot", "blot")))


@pytest.mark.parametrize(
    ("one", "other"),
    [("Clear cases", "Spots"), ("class 0 - clear", "1_spot_images"), ("negative", "Positive"), ("absent", "present")],
)
def test_folders_of_classes_may_have_other_words_beside(tmp_path: Path, one: str, other: str) -> None:
    for k, (name, picture) in enumerate(zip((one, other), grey(2), strict=True)):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.fromarray(picture).save(tmp_path / "set" / name / f"{k}.png")
    names = dict(zip(*(getattr(read_labelled(tmp_path / "set", GREY), f) for f in ("names", "labels")), strict=True))
    assert [int(names[f"{name}/{k}.png"]) for k, name in enumerate((one, other))] == [0, 1]
    turned = replace(GREY, positive=0)
    names = dict(zip(*(getattr(read_labelled(tmp_path / "set", turned), f) for f in ("names", "labels")), strict=True))
    assert int(names[f"{other}/1.png"]) == (0 if other in ("Positive", "present") else 1), "of what counts as disease"


@pytest.mark.parametrize("name", ["not clear", "unclear", "clear or spot", "no spot"])
def test_a_folder_that_may_mean_the_other_class_is_refused(tmp_path: Path, name: str) -> None:
    (tmp_path / "set" / name).mkdir(parents=True)
    Image.fromarray(grey(1)[0]).save(tmp_path / "set" / name / "0.png")
    with pytest.raises(Refused, match=f"label '{name}'"):
        read_labelled(tmp_path / "set", GREY)


def _claiming(side: int) -> bytes:
    """A PNG of a few bytes whose header claims so many pixels a side."""
    parts = [(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000))),
             (b"IEND", b"")]  # fmt: skip
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in parts
    )


def test_pictures_that_claim_too_much_or_nothing_are_refused(tmp_path: Path) -> None:
    for kind in ("clear", "spot"):
        (tmp_path / "set" / kind).mkdir(parents=True)
        Image.fromarray(np.eye(40, dtype=np.uint8)).save(tmp_path / "set" / kind / "a.png")
    (tmp_path / "set" / "spot" / "bomb.png").write_bytes(_claiming(60_000))
    with pytest.raises(Refused, match=r"cannot read bomb\.png.*decompression bomb"):
        read_labelled(tmp_path / "set", GREY)
    np.savez(tmp_path / "flat.npz", test_images=np.zeros((4, 0, 32), np.uint8), test_labels=np.arange(4) % 2)
    with pytest.raises(Refused, match="there is no pixel in it"):
        read_labelled(tmp_path / "flat.npz", GREY)


def test_two_arrays_that_no_name_tells_are_told_by_their_shapes(tmp_path: Path) -> None:
    x, y = grey(6), np.arange(6) % 2
    for names, arrays in ((("arr_0", "arr_1"), (x, y[:, None])), (("lbls", "imgs"), (y, x)), (("a", "b"), (y, x))):
        np.savez(tmp_path / "a.npz", **dict(zip(names, arrays, strict=True)))
        found = read_labelled(tmp_path / "a.npz", GREY)
        assert np.array_equal(found.pictures, x) and found.labels.tolist() == y.tolist()
        assert "was taken for the images" in found.remarks[0]
    (tmp_path / "one").mkdir()
    np.savez(tmp_path / "one" / "a.npz", test_images=x, test_labels=y)
    assert len(read_labelled(tmp_path / "one", GREY)) == 6
    np.savez(tmp_path / "a.npz", arr_0=x, arr_1=y[:5])
    with pytest.raises(Refused, match="arrays named '<split>_images' are wanted"):
        read_labelled(tmp_path / "a.npz", GREY)


@pytest.mark.parametrize("names", [
    ("class_0", "class 1"), ("label0", "label1"), ("healthy", "spot"),
])  # fmt: skip
def test_folders_may_be_called_after_the_number_or_health(tmp_path: Path, names: tuple[str, str]) -> None:
    for name in names:
        (tmp_path / name).mkdir()
        Image.fromarray(grey(1)[0]).save(tmp_path / name / "a.png")
    found = read_labelled(tmp_path, GREY)
    assert dict(zip(found.names, found.labels.tolist(), strict=True)) == {
        f"{names[0]}/a.png": 0, f"{names[1]}/a.png": 1,
    }  # fmt: skip
    (tmp_path / names[0]).rename(tmp_path / "class_7")
    with pytest.raises(Refused, match="label 'class_7'"):
        read_labelled(tmp_path, GREY)
