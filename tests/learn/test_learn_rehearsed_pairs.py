"""Earlier outlines and boxes beside new ones: each with what was drawn on it, its weight, and its person apart."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from isocenter.errors import NotFound, Refused
from isocenter.learn.rehearsed_pairs import rehearsed_pairs
from isocenter.learn.whose import whose

LAYOUTS = {
    "outlines": ("imagesTr", ".nii.gz", "labelsTr", ".nii.gz"),
    "boxes": ("JPEGImages", ".png", "Annotations", ".xml"),
}


def examples(folder: Path, kind: str, people: list[int], word: str, classes: tuple[str, ...] = ("a",)) -> Path:
    images, ending, beside, other = LAYOUTS[kind]
    rows = ["file,label,weight,readers,mode,time,machine,image"]
    for n, person in enumerate(people):
        stem = f"person{person:06d}_{n:06d}"
        for name in (f"{images}/{stem}{ending}", f"{beside}/{stem}{other}"):
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(f"{word} {n} {name.split('/')[0]}")
        rows.append(f"{images}/{stem}{ending},a,0.25,ito,followed,2026,1,{n:064x}")
    (folder / "examples.csv").write_text("\n".join(rows) + "\n")
    told = {"n": len(people), "people": len(set(people)), "classes": list(classes), "learned_from": [word]}
    (folder / "examples.json").write_text(json.dumps(told))
    return folder


@pytest.mark.parametrize("kind", LAYOUTS)
def test_they_come_with_what_was_drawn_on_them(tmp_path: Path, kind: str) -> None:
    old = examples(tmp_path / "old", kind, [0, 0, 1, 2], "old")
    new = examples(tmp_path / "new", kind, [0, 1, 1], "new")
    assert rehearsed_pairs(new, old, 0.5) == 3
    with (new / "examples.csv").open() as text:
        rows = list(csv.DictReader(text))
    images, _, beside, other = LAYOUTS[kind]
    added = [row for row in rows if row["mode"] == "earlier"]
    assert len(rows) == 6 and len(added) == 3 and {row["weight"] for row in added} == {"0.25"}
    for row in added:
        file = new / row["file"]
        drawn = new / beside / (file.name.split(".")[0] + other)
        number = file.read_text().split()[1]
        assert file.read_text() == f"old {number} {images}" and drawn.read_text() == f"old {number} {beside}"
        assert int(row["image"], 16) == int(number)
    assert not {p for p, row in zip(whose([r["file"] for r in rows]), rows, strict=True) if row in added} & set(
        whose([row["file"] for row in rows if row not in added])
    )
    assert json.loads((new / "examples.json").read_text())["learned_from"] == ["new", "old"]


def test_others_are_refused(tmp_path: Path) -> None:
    new = examples(tmp_path / "new", "outlines", [0, 1], "new")
    with pytest.raises(Refused, match="a share of 1"):
        rehearsed_pairs(new, new, 1)
    with pytest.raises(NotFound, match=r"no examples\.json"):
        rehearsed_pairs(new, tmp_path, 0.5)
    with pytest.raises(Refused, match="has b: the new examples have a"):
        rehearsed_pairs(new, examples(tmp_path / "b", "outlines", [0], "b", ("b",)), 0.5)
    with pytest.raises(Refused, match=r"lies in imagesTr/\.nii\.gz"):
        rehearsed_pairs(new, examples(tmp_path / "c", "boxes", [0], "c"), 0.5)


@pytest.mark.parametrize(
    ("folders", "ending", "n"), [(("images", "right", "heart"), ".png", 3), ((".", "."), "_sa.nii", 2)]
)
def test_whatever_is_drawn_on_a_film_or_a_cine_comes_with_it(
    tmp_path: Path, folders: tuple[str, ...], ending: str, n: int
) -> None:
    for word in ("old", "new"):
        place = tmp_path / word
        rows = ["file,label,weight,readers,mode,time,machine,image"]
        for k in range(2):
            stem = f"person{k:06d}_{k:06d}"
            for folder in dict.fromkeys(folders):
                (place / folder).mkdir(parents=True, exist_ok=True)
                (place / folder / f"{stem}{ending}").write_text(f"{word} {k} {folder}")
            if folders[0] == ".":
                (place / f"{stem}_sa_gt.nii").write_text(f"{word} {k} drawn")
            first = "" if folders[0] == "." else f"{folders[0]}/"
            rows.append(f"{first}{stem}{ending},a,0.25,ito,followed,2026,1,{k:064x}")
        (place / "examples.csv").write_text("\n".join(rows) + "\n")
        told = {"n": 2, "people": 2, "classes": ["a"], "learned_from": [word]}
        (place / "examples.json").write_text(json.dumps(told))
    assert rehearsed_pairs(tmp_path / "new", tmp_path / "old", 0.5) == 2
    added = list((tmp_path / "new").rglob("*earlier*"))
    assert len(added) == 2 * n and all(file.read_text().startswith("old") for file in added)
    assert {file.name[:12] for file in added} == {"person000002", "person000003"}
