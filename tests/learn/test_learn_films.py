"""Radiographs in every layout of a collection: the same films, the same labels, the same kinds."""

from __future__ import annotations

import io
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocenter.dicom.wrap import wrap_image
from isocenter.errors import Refused
from isocenter.learn.films import films_on, read_films
from isocenter.learn.judge import judged
from isocenter.learn.kinds import Classifier2D

HOW = Classifier2D("films", "NORMAL", "PNEUMONIA", ("bacteria", "virus"))
NAMES = {
    "NORMAL": ("IM-0001-0001", "NORMAL2-IM-0002-0001"),
    "PNEUMONIA": ("person1_bacteria_1", "person1_virus_2", "person2_virus_3"),
}
_PIXELS = np.random.default_rng(0).integers(0, 255, (5, 224, 224), dtype=np.uint8)
FILMS = dict(zip([stem for stems in NAMES.values() for stem in stems], _PIXELS, strict=True))


def png(picture: np.ndarray, kind: str = "png") -> bytes:
    out = io.BytesIO()
    Image.fromarray(picture).save(out, kind)
    return out.getvalue()


def laid(folder: Path, place: str, *, ending: str = ".png", case: str = "upper") -> Path:
    """The five films, with `place` saying where: ``{kind}``, ``{person}`` and ``{stem}`` are filled in."""
    for kind, stems in NAMES.items():
        for stem in stems:
            where = place.format(kind=getattr(kind, case)(), person=stem.split("_")[0], stem=stem)
            (folder / where).parent.mkdir(parents=True, exist_ok=True)
            data = png(np.stack([FILMS[stem]] * 3, -1) if ending == ".rgb.png" else FILMS[stem])
            if ending == ".dcm":
                data = wrap_image(data, f"{stem}.png", now=datetime(2026, 1, 1, tzinfo=UTC))
            (folder / f"{where}{ending}").write_bytes(data)
    return folder


@pytest.mark.parametrize(
    ("place", "ending", "case"),
    [
        ("train/{kind}/{stem}", ".png", "upper"), ("{kind}/{stem}", ".PNG", "title"),
        ("test/{kind}/{person}/{stem}", ".rgb.png", "lower"), ("a/b/{kind}/{stem}", ".dcm", "lower"),
        ("{kind}/{stem}", "", "upper"),
    ],
)  # fmt: skip
def test_every_layout_holds_the_same_films(tmp_path: Path, place: str, ending: str, case: str) -> None:
    folder = laid(tmp_path / "set", place, ending=ending or ".dcm", case=case)
    if not ending:  # as archives hand them over: no ending, and beside them what a Mac and a card bring along
        for file in list(folder.rglob("*.dcm")):
            (file.parent / f"._{file.name}.png").write_bytes(b"resource fork")
            file.rename(file.with_suffix(""))
        (folder / "__MACOSX" / "NORMAL").mkdir(parents=True)
        (folder / "__MACOSX" / "NORMAL" / "x.png").write_bytes(b"resource fork")
        (folder / "DICOMDIR").write_bytes(b"no picture")
    found = read_films(folder, HOW)
    assert found.labels.tolist() == [0, 0, 1, 1, 1] and found.subtypes.tolist() == [-1, -1, 0, 1, 1]
    assert np.array_equal(found.pictures, np.stack(list(FILMS.values())))
    assert found.groups[2] == found.groups[3] != found.groups[4], "person1 is one child"


def test_arrays_and_tables_hold_the_same_films(tmp_path: Path) -> None:
    films, labels = np.stack(list(FILMS.values())), np.array([0, 0, 1, 1, 1])
    stored = (
        films, films / 255.0, films[..., None], np.stack([films] * 3, -1), np.stack([films] * 3, 1), films / 127.5 - 1,
    )  # fmt: skip
    for k, images in enumerate(stored):
        np.savez(tmp_path / f"{k}.npz", test_images=images, test_labels=labels[:, None].astype(bool if k % 2 else int))
        found = read_films(tmp_path / f"{k}.npz", HOW, "test")
        assert np.array_equal(found.pictures, films) and found.labels.tolist() == labels.tolist()
    laid(tmp_path / "flat", "images/{stem}")
    rows = "".join(
        f"{label};{stem}\n" for stem, label in zip(FILMS, ("normal", 0, "Virus", 1, "pneumonia"), strict=True)
    )
    (tmp_path / "flat" / "labels.csv").write_text(f"class;image_id\n{rows}")
    found = read_films(tmp_path / "flat", HOW)
    assert np.array_equal(found.pictures, films) and found.labels.tolist() == labels.tolist()
    table = tmp_path / "flat" / "labels.csv"
    table.write_text(table.read_text().replace("image_id", "X_ray_image_name"))
    assert np.array_equal(read_films(table, HOW).pictures, films)
    np.savez(tmp_path / "small.npz", images=films[:, ::8, ::8], labels=labels)
    assert read_films(tmp_path / "small.npz", HOW).pictures.shape == films.shape


def test_a_folder_of_a_kind_is_of_the_positive(tmp_path: Path) -> None:
    for kind in ("normal", "Virus", "bacteria"):
        (tmp_path / kind).mkdir()
        (tmp_path / kind / "a.png").write_bytes(png(FILMS["IM-0001-0001"]))
    found = read_films(tmp_path, HOW)
    assert found.names == ("Virus/a.png", "bacteria/a.png", "normal/a.png")
    assert found.labels.tolist() == [1, 1, 0] and found.subtypes.tolist() == [1, 0, -1]


@pytest.mark.parametrize(
    ("clear", "opaque"),
    [("0_normal", "1_pneumonia"), ("No_Finding", "Lung Opacity"), ("no pneumonia", "CONSOLIDATION")],
)
def test_other_collections_name_the_classes_otherwise(tmp_path: Path, clear: str, opaque: str) -> None:
    for name in (clear, opaque):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.png").write_bytes(png(FILMS["IM-0001-0001"]))
    found = read_films(tmp_path, HOW)
    assert {Path(n).parent.name: int(k) for n, k in zip(found.names, found.labels, strict=True)} == {
        clear: 0,
        opaque: 1,
    }
    (tmp_path / clear).rename(tmp_path / "2_somewhere")
    with pytest.raises(Refused, match="label '2_somewhere'"):
        read_films(tmp_path, HOW)


def test_the_digest_sees_a_changed_pixel(tmp_path: Path) -> None:
    folder = laid(tmp_path, "{kind}/{stem}")
    before = read_films(folder, HOW).digest
    changed = FILMS["IM-0001-0001"].copy()
    changed[30, 40] ^= 255
    (folder / "NORMAL" / "IM-0001-0001.png").write_bytes(png(changed))
    assert read_films(folder, HOW).digest != before


def test_what_is_wrong_is_said(tmp_path: Path) -> None:
    folder = laid(tmp_path / "set", "{kind}/{stem}")
    with pytest.raises(Refused, match="no pictures of class 'PNEUMONIA'"):
        read_films(folder / "NORMAL", HOW)
    with pytest.raises(Refused, match="no labelled image in set in the split 'test'"):
        read_films(folder, HOW, "test")
    (folder / "NORMAL" / "IM-0003-0001.png").write_bytes(b"not a picture")
    with pytest.raises(Refused, match=r"cannot read IM-0003-0001\.png"):
        read_films(folder, HOW)
    mixed = laid(tmp_path / "mixed", "{kind}/normal/{stem}")
    with pytest.raises(Refused, match="different classes"):
        read_films(mixed, HOW)
    np.savez(tmp_path / "many.npz", images=np.zeros((4, 28, 28), np.uint8), labels=np.arange(4))
    with pytest.raises(Refused, match="label '2'"):
        read_films(tmp_path / "many.npz", HOW)


def test_a_film_of_one_grey_is_declined_and_does_not_end_the_judging_of_others(tmp_path: Path) -> None:
    folder = laid(tmp_path / "set", "{kind}/{stem}")
    (folder / "NORMAL" / "flat.png").write_bytes(png(np.full((224, 224), 90, np.uint8)))
    told = judged("chest_xray_opacity", folder)
    because = {Path(str(row["name"])).stem: row["because"] for row in told.predictions}
    assert told.report["n"] == 6 and told.report["declined"] == sum(bool(why) for why in because.values())
    assert because["flat"] == "nothing is to be seen on it: it is of one grey"
    assert not films_on(np.full((1, 224, 224), 90, np.uint8), 8).any()


def test_kinds_of_pneumonia_may_be_told_by_adjectives(tmp_path: Path) -> None:
    picture = np.random.default_rng(0).integers(0, 255, (224, 224), dtype=np.uint8)
    for k, name in enumerate(("Normal cases", "Viral Pneumonia", "bacterial_pneumonia", "Pneumonia-Bacterial")):
        (tmp_path / "set" / name).mkdir(parents=True)
        Image.fromarray(picture + k).save(tmp_path / "set" / name / f"{k}.png")
    found = read_films(tmp_path / "set", HOW)
    told = {name: (int(label), int(kind)) for name, label, kind in zip(found.names, found.labels, found.subtypes,
                                                                      strict=True)}  # fmt: skip
    assert told == {
        "Normal cases/0.png": (0, -1), "Viral Pneumonia/1.png": (1, 1), "bacterial_pneumonia/2.png": (1, 0),
        "Pneumonia-Bacterial/3.png": (1, 0),
    }  # fmt: skip
