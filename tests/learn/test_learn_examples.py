"""Labelled pictures from disk: read as they are, and never the same child on both sides."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.examples import Examples, near_duplicates, person, read_folder, read_npz, split

RNG = np.random.default_rng(0)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, stems in (
        ("NORMAL", ("IM-0001-0001", "NORMAL2-IM-0002-0001")),
        ("PNEUMONIA", ("person1_bacteria_1", "person1_virus_2", "person2_virus_3")),
    ):
        (tmp_path / "train" / name).mkdir(parents=True)
        for stem in stems:
            Image.fromarray(RNG.integers(0, 255, (60, 80), dtype=np.uint8)).save(
                tmp_path / "train" / name / f"{stem}.png"
            )
    return tmp_path


def made(people: int, each: int, seed: int = 0) -> Examples:
    rng = np.random.default_rng(seed)
    n = people * each
    labels = np.repeat(np.arange(people) % 2, each)
    pictures = rng.integers(0, 255, (n, 56, 56), dtype=np.uint8)
    return Examples(
        pictures, labels, np.full(n, -1), tuple(map(str, range(n))), np.repeat(np.arange(people), each), "d"
    )


def test_a_folder_is_read_with_classes_kinds_and_people(folder: Path) -> None:
    found = read_folder(folder, "NORMAL", "PNEUMONIA", ("bacteria", "virus"))
    assert found.labels.tolist() == [0, 0, 1, 1, 1]
    assert found.subtypes.tolist() == [-1, -1, 0, 1, 1]
    assert found.pictures.shape == (5, 224, 224)
    assert found.groups[2] == found.groups[3] != found.groups[4], "person1 is one child"
    assert found.digest == read_folder(folder, "NORMAL", "PNEUMONIA").digest


def test_the_digest_sees_a_changed_pixel(folder: Path) -> None:
    before = read_folder(folder, "NORMAL", "PNEUMONIA").digest
    path = folder / "train" / "NORMAL" / "IM-0001-0001.png"
    pixels = np.asarray(Image.open(path)).copy()
    pixels[30, 40] ^= 255
    Image.fromarray(pixels).save(path)
    assert read_folder(folder, "NORMAL", "PNEUMONIA").digest != before


def test_a_missing_class_and_a_broken_file_are_refused(folder: Path) -> None:
    with pytest.raises(Refused, match="no pictures of class 'LUNGS'"):
        read_folder(folder, "NORMAL", "LUNGS")
    (folder / "train" / "NORMAL" / "IM-0003-0001.png").write_bytes(b"not a picture")
    with pytest.raises(Refused, match=r"cannot read IM-0003-0001\.png"):
        read_folder(folder, "NORMAL", "PNEUMONIA")


@pytest.mark.parametrize("shape", [(12,), (12, 1)])
def test_an_npz_of_any_split_name_is_read(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = RNG.integers(0, 255, (12, 28, 28), dtype=np.uint8)
    np.savez(tmp_path / "a.npz", test_images=images, test_labels=(np.arange(12) % 2).reshape(shape))
    found = read_npz(tmp_path / "a.npz")
    assert len(found) == 12 and found.labels.tolist() == [0, 1] * 6
    assert found.names[3] == "test/00003"
    assert len(np.unique(found.groups)) == 12


def test_an_npz_that_is_not_labelled_pictures_is_refused(tmp_path: Path) -> None:
    images = np.zeros((4, 28, 28), np.uint8)
    np.savez(tmp_path / "short.npz", train_images=images, train_labels=np.zeros(3))
    with pytest.raises(Refused, match="4 pictures and 3 labels"):
        read_npz(tmp_path / "short.npz")
    np.savez(tmp_path / "many.npz", train_images=images, train_labels=np.arange(4))
    with pytest.raises(Refused, match="classes 0 and 1"):
        read_npz(tmp_path / "many.npz")
    np.savez(tmp_path / "none.npz", x=images)
    with pytest.raises(Refused, match="_images"):
        read_npz(tmp_path / "none.npz")


@settings(max_examples=20, deadline=None, database=None)
@given(st.integers(8, 40), st.integers(1, 4), st.integers(0, 99), st.floats(0.1, 0.4))
def test_no_person_is_on_both_sides(people: int, each: int, seed: int, part: float) -> None:
    examples = made(people, each)
    train, validation, _ = split(examples, part, seed)
    assert set(examples.groups[train]).isdisjoint(examples.groups[validation])
    assert sorted([*train, *validation]) == list(range(len(examples)))
    assert set(examples.labels[validation]) == {0, 1}


def test_near_duplicates_of_two_people_stay_on_one_side() -> None:
    examples = made(60, 1)
    examples.pictures[7] = np.clip(examples.pictures[2] * 0.7 + 20, 0, 255)  # the same film, printed darker
    for seed in range(12):
        train, validation, pairs = split(examples, 0.3, seed)
        assert pairs == 1
        assert (2 in train) == (7 in train)
        assert len(train) + len(validation) == 60


def test_few_or_many_unlike_pictures_are_not_called_duplicates() -> None:
    assert near_duplicates(made(60, 1).pictures) == []
    assert near_duplicates(made(6, 1).pictures) == []


def test_one_class_on_a_side_is_refused() -> None:
    examples = made(2, 1)
    with pytest.raises(Refused, match="one class only"):
        split(examples, 0.5, 0)


def test_names_without_a_number_are_people_of_their_own() -> None:
    assert person("IM-0115-0001.jpeg") == "normal0115"
    assert person("film.png") == "film"
