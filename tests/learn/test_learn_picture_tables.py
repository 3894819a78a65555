"""Tables that name pictures and labels: alone, several for the parts of a collection, and beside tables of others."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image
from pydicom.dataset import FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from isocenter.errors import Refused
from isocenter.learn.films import read_films
from isocenter.learn.kinds import Classes, Classifier2D
from isocenter.learn.labelled import read_labelled
from isocenter.learn.picture_tables import listed
from isocenter.learn.recipes import recipe
from isocenter.learn.splits import part_of, taught_on_test, together

GREY = Classes(task="spots", classes=("clear", "spot"), shape=(28, 28))
RNG = np.random.default_rng(0)


def film(path: Path, side: int = 96) -> None:
    one = pydicom.Dataset()
    one.file_meta = FileMetaDataset()
    one.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    one.SOPClassUID = one.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.7"
    one.SOPInstanceUID = one.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    one.StudyInstanceUID, one.SeriesInstanceUID = generate_uid(), generate_uid()
    one.Modality, one.PatientID, one.PhotometricInterpretation = "CR", path.stem, "MONOCHROME2"
    one.Rows = one.Columns = side
    one.SamplesPerPixel, one.BitsAllocated, one.BitsStored, one.HighBit, one.PixelRepresentation = 1, 8, 8, 7, 0
    one.PixelData = RNG.integers(0, 255, (side, side), dtype=np.uint8).tobytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    one.save_as(path, enforce_file_format=True)


def test_the_folder_of_the_rsna_is_read_by_the_table_that_tells_opacities(tmp_path: Path) -> None:
    ids = [f"{k:08d}-aaaa" for k in range(6)]
    for name in ids:
        film(tmp_path / "stage_2_train_images" / f"{name}.dcm")
    film(tmp_path / "stage_2_test_images" / "ffff.dcm")
    boxes, kinds = ["patientId,x,y,width,height,Target"], ["patientId,class"]
    for k, name in enumerate(ids):
        for _ in range(1 + (k == 1)):  # a picture is named once for each box
            boxes.append(f"{name},10.0,12.0,20.0,30.0,1" if k % 2 else f"{name},,,,,0")
            kinds.append(
                f"{name},{'Lung Opacity' if k % 2 else ('Normal', 'No Lung Opacity / Not Normal')[k % 4 // 2]}"
            )
    (tmp_path / "stage_2_train_labels.csv").write_text("\n".join(boxes) + "\n")
    (tmp_path / "stage_2_detailed_class_info.csv").write_text("\n".join(kinds) + "\n")
    (tmp_path / "stage_2_sample_submission.csv").write_text("patientId,PredictionString\nffff,0.5 0 0 100 100\n")
    how = recipe("chest_xray_opacity")
    assert isinstance(how, Classifier2D)
    found = read_films(tmp_path, how)
    assert dict(zip(found.names, found.labels.tolist(), strict=True)) == {n: k % 2 for k, n in enumerate(ids)}
    said = " ".join(found.remarks)
    assert "1 rows name a picture again" in said
    assert "class_info.csv was not read: label 'No Lung Opacity / Not Normal'" in said
    (tmp_path / "stage_2_train_labels.csv").write_text("\n".join(boxes[:-1]) + "\n")
    with pytest.raises(Refused, match="No Lung Opacity / Not Normal"):
        read_films(tmp_path, how)  # it alone tells of one film


def spots(place: Path, tables: dict[str, str], n: int = 4) -> Path:
    (place / "images").mkdir(parents=True)
    for k in range(n):
        Image.fromarray(RNG.integers(0, 255, (28, 28), dtype=np.uint8)).save(place / "images" / f"{k}.png")
    for name, rows in tables.items():
        (place / name).write_text("file,label\n" + "".join(f"{row}\n" for row in rows.split()))
    return place


def test_tables_of_parts_are_read_together_or_one_alone(tmp_path: Path) -> None:
    place = spots(tmp_path / "a", {"train.csv": "0.png,spot 1.png,clear", "my_test.csv": "2.png,spot 3.png,clear"})
    assert sorted(read_labelled(place, GREY).names) == ["0.png", "1.png", "2.png", "3.png"]
    assert read_labelled(place, GREY, "test").names == ("2.png", "3.png")


def test_tables_that_differ_or_say_nothing_are_refused(tmp_path: Path) -> None:
    place = spots(tmp_path / "a", {"one.csv": "0.png,spot 1.png,clear", "two.csv": "1.png,spot"})
    with pytest.raises(Refused, match=r"1.png is clear in one.csv and spot in two.csv"):
        read_labelled(place, GREY)
    place = spots(tmp_path / "b", {"one.csv": "0.png,odd", "two.csv": "1.png,strange"})
    with pytest.raises(Refused, match=r"none of 2 tables in b can be read: of one.csv: label 'odd'"):
        read_labelled(place, GREY)


def test_a_row_that_names_a_picture_again_is_counted_once(tmp_path: Path) -> None:
    place = spots(tmp_path / "a", {"one.csv": "0.png,spot 1.png,clear 0.png,spot 0.png,1"})
    found, again, _ = listed(place / "one.csv", GREY)
    assert [(one.name, one.kind) for one in found] == [("0.png", 1), ("1.png", 0)] and again == 2


def test_the_part_that_a_column_tells_is_told_to_who_trains_and_who_judges(tmp_path: Path) -> None:
    for k in range(6):
        Image.fromarray(np.random.default_rng(k).integers(0, 255, (28, 28), dtype=np.uint8)).save(tmp_path / f"{k}.png")
    rows = [f"{k}.png,{k % 2},{part}" for k, part in enumerate(["train", "train", "Valid", "train", "test", "test"])]
    (tmp_path / "t.csv").write_text("file,label,split\n" + "\n".join(rows) + "\n")
    read = read_labelled(tmp_path / "t.csv", GREY)
    assert read.parts == ("train", "train", "Valid", "train", "test", "test")
    assert taught_on_test(read.ways)[0].startswith("2 of 6 examples are of the part 'test' and are learnt from")
    assert together([part_of(way) for way in read.ways])[0].endswith("--split test takes that part alone")
    assert read.take(np.array([4, 0])).ways == ("test/4.png", "train/0.png")
    (tmp_path / "t.csv").write_text("file,label\n0.png,0\n1.png,1\n")
    plain = read_labelled(tmp_path / "t.csv", GREY)
    assert plain.parts == () and plain.ways == plain.names


def test_columns_as_collections_call_them_and_one_for_each_class(tmp_path: Path) -> None:
    for name in "ab":
        Image.fromarray(np.random.default_rng(ord(name)).integers(0, 255, (28, 28), dtype=np.uint8)).save(
            tmp_path / f"{name}.png"
        )
    for head, rows in (
        ("id_code,diagnosis", "a,1\nb,0"), ("image,level", "a,1\nb,0"),
        ("lesion_id,image_id,dx", "7,a,spot\n8,b,clear"), ("id,label", "a,1\nb,0"),
        ("Image name,Retinopathy grade", "a,1\nb,0"), ("image,Clear,Spot", "a,0.0,1.0\nb,1.0,0.0"),
    ):  # fmt: skip
        (tmp_path / "t.csv").write_text(f"{head}\n{rows}\n")
        assert read_labelled(tmp_path / "t.csv", GREY).labels.tolist() == [1, 0], head
    for row, said in (("a,1,1", "clear '1', spot '1'"), ("a,0,0", "clear '0', spot '0'"), ("a,,1", "clear ''")):
        (tmp_path / "t.csv").write_text(f"image,clear,spot\n{row}\n")
        with pytest.raises(Refused, match=f"row 1 of t.csv says .*{said}.*a case is of one class"):
            read_labelled(tmp_path / "t.csv", GREY)
