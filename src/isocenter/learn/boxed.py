"""Pictures with boxes as people hand them over: Pascal VOC or YOLO folders, COCO files, or tables with a row a box."""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.consensus import OVERLAP, Drawn, fused, reader_column
from isocenter.learn.examples import weights_in
from isocenter.learn.gridded import in_eight_bits, opened
from isocenter.learn.kinds import Boxes, Classes
from isocenter.learn.nearest_file import nearest_files
from isocenter.learn.sheet import plain, read_sheet
from isocenter.learn.splits import PARTS, must_be_among, of_part, part_of
from isocenter.learn.whose import column_of_people, whose
from isocenter.learn.yolo import notes_in, rows_of_notes
from isocenter.methods.picture import resampled

__all__ = [
    "Boxed",
    "digest_of_boxed",
    "on_canvas",
    "read_boxed",
    "remarks_on",
    "stretched",
    "unbarred",
    "without_boxes",
]

_DICOM = (".dcm", ".dicom")
_PICTURES = (".jpg", ".jpeg", ".png", ".bmp", ".tif", ".tiff", *_DICOM)
_FILE = ("filename", "file", "image", "imagepath", "path", "imageid", "imagename")
_CLASS = ("class", "classname", "label", "celltype", "name", "category")
_WIDTH, _HEIGHT = ("width", "imagewidth", "imgwidth"), ("height", "imageheight", "imgheight")
_TABLES = (".csv", ".tsv", ".txt")
_BAR, _LEAST_BAR = 6, 1 / 32
"""Grey levels that compression leaves in a bar of one colour, and the least part of a side that is taken for one."""
_SIDES = (("xmin", "x1", "left"), ("ymin", "y1", "top"), ("xmax", "x2", "right"), ("ymax", "y2", "bottom"))
_NOTHING = ("", "nofinding", "nofindings", "none", "nothing", "background", "negative", "normal")
"""Words of a row without a box: its picture was looked at, and nothing is there."""
_CORNER = (("x",), ("y",), ("width", "w"), ("height", "h"))
"""Columns of a table, by their letters and digits alone: of two corners, or of one corner and how far a box goes."""

Row = tuple[str, Sequence[float], bool]
"""Class as it was given, left, top, right, bottom, and whether it is marked as too difficult to count."""
Aside = list[tuple[str, str]] | None
Size = tuple[int, int] | None
"""Columns and rows of the picture on which boxes were drawn; None where that is not told."""
_SHARES: Size = (1, 1)
"""The size of a picture on which boxes are shares of it."""


class Named(NamedTuple):
    """A picture by its name, with its boxes, the size of that on which they were drawn, and whose it is, where told.

    `merged` is how many boxes of several readers were taken together with others.
    """

    name: str
    rows: list[Row]
    size: Size = None
    whose: str = ""
    merged: int = 0


@dataclass(frozen=True, eq=False)
class Boxed:
    """One picture with what is to be found on it.

    Args:
        picture: (rows, columns, 3) of 8 bits.
        boxes: (n, 4) left, top, right, bottom in its pixels. kinds: (n,) 0, 1, 2 … in the order of the recipe.
        hard: (n,) whether the box is neither to be found nor wrong to be found.
        drawn_on: columns and rows of another copy of the picture, from which the boxes were brought to this one.
        astray: boxes that were left out, since they lie outside this picture though its size is the one they name.
        whose: the person, by a column of the table or by names (see `whose`).
        weight: how much it counts in a training, 0 to 1. part: train, val or test, where a folder says so.
        merged: boxes of several readers that were taken together with others (see `consensus.fused`).
    """

    name: str
    picture: npt.NDArray[np.uint8]
    boxes: npt.NDArray[np.float64]
    kinds: npt.NDArray[np.int64]
    hard: npt.NDArray[np.bool_]
    drawn_on: Size = None
    astray: int = 0
    whose: str = ""
    weight: float = 1.0
    part: str = ""
    merged: int = 0


def read_boxed(
    path: Path, how: Boxes, split: str | None = None, *, aside: list[tuple[str, str]] | None = None
) -> tuple[list[Boxed], int]:  # fmt: skip
    """Pictures with their boxes, and how many were named whose picture is not there.

    Args:
        path: a folder that holds ``Annotations/*.xml`` (Pascal VOC; pictures in ``JPEGImages`` or anywhere below) or
            texts of YOLO (see `yolo`), or a COCO ``.json``, or a table (``.csv``, ``.tsv``) with file, class and four
            sides in each row, or a folder with these, one for each of its parts.
        split: of VOC the list ``ImageSets/Main/SPLIT.txt``, of a table its column ``split``, of several the one whose
            name or folder says so, else a folder of that name in the path of the picture; ``valid`` is ``val``.
        aside: where it is given, a picture or note that cannot be used is put here with the reason, and the others are
            read; classes of another set are refused all the same.

    Raises:
        NotFound: when nothing is there.
        Refused: when no picture has boxes, a class is not of the recipe, a box is no box or lies outside its picture,
            or it was drawn on a picture of other proportions.
    """
    if not path.exists():
        raise NotFound(
            f"no data at {path}", "there is nothing to read", "give the path of a file or folder that is there"
        )
    named, told = _named(path, split, aside)
    root = path if path.is_dir() else path.parent
    pictures = _pictures_in(root)
    found, missing = list[tuple[Path, Named]](), 0
    for one in named:
        file = _picture(one.name, pictures, split, root)
        if file is None:
            missing += 1
        elif split is None or told or of_part(split, file.relative_to(root).parts[:-1]):
            found.append((file, one))
    if not found:
        raise Refused(
            f"no picture with boxes in {path.name}", f"{missing} were named whose picture is not there",
            "give a folder with Annotations and JPEGImages, a COCO .json, or a .csv with a row for each box",
        )  # fmt: skip
    ways = [file.relative_to(root).as_posix() for file, _ in found]
    often = Counter(file.stem for file, _ in found)
    names = [file.stem if often[file.stem] == 1 else way for (file, _), way in zip(found, ways, strict=True)]
    people, weights = whose(ways, [one.whose for _, one in found]), weights_in(root, ways)
    boxed = list[Boxed]()
    for k, ((file, of), way, name, whom) in enumerate(zip(found, ways, names, people, strict=True)):
        kinds = _kinds_of(file, of.rows, how)
        try:
            boxes = _one(file, of.rows, kinds, of.size)
        except Refused as bad:
            if aside is None:
                raise
            aside.append((name, str(bad)))
            continue
        weight = 1.0 if weights is None else float(weights[k])
        boxed.append(replace(boxes, name=name, whose=whom, weight=weight, part=part_of(way), merged=of.merged))
    if not boxed and aside:
        raise Refused(f"none of {len(aside)} pictures in {path.name} can be used", f"of the first: {aside[0][1]}",
                      "repair them")  # fmt: skip
    return boxed, missing


def without_boxes(path: Path, names: Sequence[str]) -> list[str]:
    """A sentence where pictures lie in a folder beside those with boxes of which no note or table speaks."""
    if not path.is_dir():
        return []
    known = {PurePosixPath(name).stem.lower() for name in names} | {PurePosixPath(name).name.lower() for name in names}
    rest = sorted(stem for stem in _pictures_in(path) if stem not in known)
    if not rest:
        return []
    return [f"{len(rest)} pictures lie there of which nothing tells boxes, such as {rest[0]}, and were not measured: "
            "where nothing is to be found on them, give each a note without boxes"]  # fmt: skip


def _pictures_in(root: Path) -> dict[str, list[Path]]:
    """Pictures by the stem of their name, below a folder."""
    found: dict[str, list[Path]] = {}
    for file in sorted(root.rglob("*")):
        if file.suffix.lower() in _PICTURES and not file.name.startswith("."):
            found.setdefault(file.stem.lower(), []).append(file)
    return found


def _picture(name: str, pictures: Mapping[str, list[Path]], split: str | None, root: Path) -> Path | None:
    """The picture that boxes were given for; of several with that name the one whose folders are most like those named.

    Raises:
        Refused: where nothing tells which of several it is.
    """
    asked = [part.lower() for part in name.replace("\\", "/").split("/") if part not in ("", ".", "..")]
    if not asked:
        return None
    some = pictures.get(asked[-1]) or pictures.get(Path(asked[-1]).stem, [])  # some names hold further points
    some = [p for p in some if p.name.lower() == asked[-1]] or some

    def rather(above: list[str]) -> tuple[bool, bool]:
        return split is not None and of_part(split, above), above[-1:] == ["jpegimages"]

    likely = nearest_files(some, asked[:-1], root, rather)
    if len(likely) > 1:
        where = " and ".join(p.relative_to(root).as_posix() for p in likely[:2])
        raise Refused(f"'{name}' is the name of {len(likely)} pictures, such as {where}", "their boxes would be mixed",
                      "name each with its folder, or give one part at a time")  # fmt: skip
    return likely[0] if likely else None


def _named(path: Path, split: str | None, aside: Aside = None) -> tuple[list[Named], bool]:
    """Pictures by name with their boxes, and whether what tells them also tells the split."""
    if path.is_dir():
        notes = sorted(p for p in path.rglob("*.xml") if not p.name.startswith("."))
        if notes:
            return list(_of_voc(notes, path, split, aside)), any(path.rglob("ImageSets"))
        tables = sorted(p for p in path.rglob("*") if p.suffix.lower() in (".json", ".csv", ".tsv"))
        if not tables and (texts := notes_in(path)):
            return [Named(name, rows, _SHARES) for name, rows in rows_of_notes(texts, path)], False
        if len(tables) > 1:
            return _of_parts(tables, path, split)
        if len(tables) != 1:
            raise Refused(f"no boxes in {path.name}", "there are neither notes (.xml, .txt) nor tables (.json, .csv)",
                          "give the folder with both pictures and boxes")  # fmt: skip
        path = tables[0]
    if path.suffix.lower() == ".json":
        return list(_of_coco(path)), False
    if path.suffix.lower() in _TABLES:
        return _of_table(path, split)
    raise Refused(f"{path.name} has no boxes", "a folder, .json, .csv or .tsv is wanted",
                  "give the folder with Annotations, a COCO .json, or a table with a row for each box")  # fmt: skip


def _of_parts(tables: Sequence[Path], root: Path, split: str | None) -> tuple[list[Named], bool]:
    """The boxes of several tables, each of one part of a collection, whose name or folder tells which.

    Raises:
        Refused: where a table is not of a part of its own, or none is of the part that was asked for.
    """

    def words(table: Path) -> list[str]:
        return [*table.relative_to(root).parts[:-1], *re.split(r"[^A-Za-z0-9]+", table.stem)]

    parts = {table: next((part for part in PARTS if of_part(part, words(table))), "") for table in tables}
    if "" in parts.values() or len(set(parts.values())) < len(tables):
        raise Refused(f"{len(tables)} tables and no Annotations in {root.name}", "which of them has the boxes?",
                      "give the file itself, or name each after its part: train, val, test")  # fmt: skip
    wanted = [table for table in tables if split is None or of_part(split, [parts[table]]) or split == parts[table]]
    if not wanted:
        raise Refused(f"no split '{split}'", f"there are {', '.join(sorted(parts.values()))}", "name one of them")
    found: list[Named] = []
    for table in wanted:
        rows, _ = _named(table, None)
        above = table.parent.relative_to(root).as_posix()
        found += [one if above == "." else one._replace(name=f"{above}/{one.name}") for one in rows]
    return found, True


def _of_voc(notes: Sequence[Path], path: Path, split: str | None, aside: Aside) -> Iterator[Named]:
    wanted = None
    if split is not None:
        lists = [f for f in sorted(path.rglob("ImageSets/Main/*.txt")) if of_part(split, [f.stem])]
        if lists:
            wanted = {line.split()[0] for line in lists[0].read_text("utf-8").splitlines() if line.strip()}
        elif not any(of_part(split, note.relative_to(path).parts[:-1]) for note in notes):
            raise Refused(
                f"no split '{split}'",
                f"there is no ImageSets/Main/{split}.txt, and no folder '{split}'",
                "leave --split out, or name a folder that is there",
            )
    for note in notes:
        if wanted is not None and note.stem not in wanted:
            continue
        text = note.read_bytes()
        if b"<!ENTITY" in text:
            raise Refused(f"{note.name} declares entities", "they could be made to fill the memory", "take them out")
        try:
            root = ElementTree.fromstring(text)  # noqa: S314 - entities were refused
            rows: list[Row] = [
                (
                    str(thing.findtext("name")),
                    [float(str(thing.findtext(f"bndbox/{side}"))) for side in ("xmin", "ymin", "xmax", "ymax")],
                    thing.findtext("difficult", "0").strip() == "1",
                )
                for thing in root.iter("object")
            ]
            size = _size(root.findtext("size/width"), root.findtext("size/height"))
        except (ElementTree.ParseError, ValueError) as e:
            torn = Refused(f"cannot read {note.name}", str(e)[:160], "take it out or repair it")
            if aside is None:
                raise torn from e
            aside.append((note.stem, str(torn)))
            continue
        if root.tag != "annotation":
            continue
        # the note's own name and folders, since names inside were seen to be without ending or of another picture
        yield Named(note.relative_to(path).with_suffix("").as_posix(), rows, size)


def _size(wide: Any, tall: Any) -> Size:
    """Columns and rows as a note gives them; programs that do not know them write 0 or nothing.

    Raises:
        ValueError: for what is no number.
    """
    columns, rows = (round(float(v)) if str(v if v is not None else "").strip() else 0 for v in (wide, tall))
    return (columns, rows) if columns > 0 and rows > 0 else None


def _of_coco(path: Path) -> Iterator[Named]:
    try:
        held = json.loads(path.read_text("utf-8"))
        names = {c["id"]: str(c["name"]) for c in held["categories"]}
        rows: dict[Any, list[Row]] = {picture["id"]: [] for picture in held["images"]}
        for note in held["annotations"]:
            x, y, wide, tall = (float(v) for v in note["bbox"])
            rows[note["image_id"]].append(
                (names[note["category_id"]], [x, y, x + wide, y + tall], bool(note.get("iscrowd")))
            )
        yield from (
            Named(
                str(picture["file_name"]),
                rows[picture["id"]],
                _size(picture.get("width"), picture.get("height")),
                str(picture.get(column_of_people(list(picture)), "")),
            )
            for picture in held["images"]
        )
    except KeyError as e:
        raise Refused(f"{str(e)[:80]} in {path.name}", "a part of a COCO file, an image or a category lacks that name",
                      "give images, annotations and categories that name each other") from e  # fmt: skip
    except (ValueError, TypeError) as e:
        raise Refused(f"{path.name} is no COCO file", str(e)[:160], "give one") from e


def _of_table(path: Path, split: str | None) -> tuple[list[Named], bool]:
    columns, lines = read_sheet(path)
    known = {plain(c): c for c in columns if plain(c)}
    far = all(any(c in known for c in names) for names in _CORNER) and "xmin" not in known and "x1" not in known
    person = column_of_people(columns)
    chosen = [next((known[c] for c in names if c in known), None)
              for names in (_FILE, _CLASS, *(_CORNER if far else _SIDES))]  # fmt: skip
    chosen[0] = chosen[0] or person  # of one picture a person, which has that name
    if chosen[0] is None or None in chosen[2:]:
        raise Refused(f"{path.name} has the columns {list(known)}", "file, class and the four sides are wanted",
                      "call them filename, class, xmin, ymin, xmax, ymax")  # fmt: skip
    file, kind, *sides = (str(c or "") for c in chosen)
    people: dict[tuple[str, str], str] = {}
    extent = [next((known[c] for c in names if c in known and not (far and known[c] in sides)), "")
              for names in (_WIDTH, _HEIGHT)]  # fmt: skip
    reader = reader_column(columns)
    rows: dict[tuple[str, str], list[Row]] = {}
    drawn: dict[tuple[str, str], list[str]] = {}
    sizes: dict[tuple[str, str], set[Size]] = {}
    asked = must_be_among(split, [str(line[known["split"]]).strip() for line in lines] if "split" in known else (),
                          path.name)  # fmt: skip
    for number, line in enumerate(lines):
        part = str(line[known["split"]]).strip() if "split" in known else ""
        if asked is not None and "split" in known and part != asked:
            continue
        try:
            held = rows.setdefault((part, line[file]), [])
            word = line[kind] if kind else ""  # of a recipe of one class no column need say which
            if any(line[s].strip() for s in sides) or plain(word) not in _NOTHING:
                x, y, *end = (float(line[s]) for s in sides)
                held.append((word, [x, y, *(end if not far else (x + end[0], y + end[1]))], False))
                drawn.setdefault((part, line[file]), []).append(line[reader].strip() if reader else "")
            size = _size(*(line[c] for c in extent)) if all(extent) else None
        except (TypeError, ValueError) as e:
            raise Refused(f"row {number + 1} of {path.name} is no box", str(e)[:160], "correct the row") from e
        sizes.setdefault((part, line[file]), set()).add(size)
        people.setdefault((part, line[file]), line[person] if person else "")
    if _are_of_boxes(rows, sizes):
        sizes = {key: {None} for key in rows}
    if (odd := next((key for key, of in sizes.items() if len(of) > 1), None)) is not None:
        told = " and ".join(sorted(f"{s[0]} × {s[1]}" if s else "no size" for s in sizes[odd]))
        raise Refused(f"'{odd[1]}' has {told} in {path.name}", "one picture has one size",
                      "give each of its rows the width and height of the picture, or leave them out")  # fmt: skip
    often = Counter(name for _, name in rows)  # files that are numbered anew in every part have its folder's name
    found = list[Named]()
    for (part, name), of in rows.items():
        key = (part, name)
        one = fused([Drawn(*row, who) for row, who in zip(of, drawn.get(key, ()), strict=True)]) if reader else of
        shown = name if often[name] == 1 else f"{part}/{name}"
        found.append(Named(shown, one, next(iter(sizes[key])), people[key], len(of) - len(one)))
    return found, "split" in known


def _are_of_boxes(rows: Mapping[Any, list[Row]], sizes: Mapping[Any, set[Size]]) -> bool:
    """Whether a width and a height are those of each box, not of its picture."""
    return any(rows.values()) and all(
        {_size(right - left, bottom - top) for _, (left, top, right, bottom), _ in of} == sizes[key]
        for key, of in rows.items() if of
    )  # fmt: skip


def _kinds_of(file: Path, rows: Sequence[Row], how: Boxes) -> npt.NDArray[np.int64]:
    known = {name.lower(): k for k, name in enumerate(how.classes)}
    known |= {name.lower(): k for name, k in how.known_as.items()}
    known |= {"": 0} if len(how.classes) == 1 else {}
    for name, _, _ in rows:
        if name.strip().lower() not in known:
            raise Refused(
                f"class '{name}' in {file.name}",
                f"'{how.task}' knows {', '.join(how.classes)}",
                "correct the file, or add the class to the recipe",
            )
    return np.array([known[name.strip().lower()] for name, _, _ in rows], np.int64)


def _one(file: Path, rows: Sequence[Row], kinds: npt.NDArray[np.int64], size: Size) -> Boxed:
    picture = _picture_in(file, size)
    boxes = np.array([sides for _, sides, _ in rows], np.float64).reshape(-1, 4)
    if not np.isfinite(boxes).all():
        raise Refused(f"a side that is not finite in {file.name}", "a box has four numbers", "correct the row")
    tall, wide = picture.shape[:2]
    if size == _SHARES:
        boxes, size = boxes * np.tile([wide, tall], 2), (wide, tall)
    elif len(boxes) and boxes.max() <= 1:
        raise Refused(f"all sides in {file.name} lie between 0 and 1", "they are shares of the picture, not pixels",
                      f"multiply them by its width {wide} and height {tall}")  # fmt: skip
    if (boxes[:, 2:] < boxes[:, :2]).any():
        raise Refused(f"a box in {file.name} ends before it begins", "left and right, or top and bottom, are exchanged",
                      "give xmin below xmax and ymin below ymax")  # fmt: skip
    other = size if size is not None and size != (wide, tall) else None
    if other is not None:
        if not _alike(other, (wide, tall)):
            raise Refused(
                f"the boxes of {file.name} were drawn on {other[0]} × {other[1]} pixels, and it has {wide} × {tall}",
                "width and height do not change alike: it was cut, turned or stretched, and nothing tells how",
                "give the pictures that the boxes were drawn on, or take the sizes out where they are wrong",
            )  # fmt: skip
        boxes = boxes * np.tile([wide / other[0], tall / other[1]], 2)
    outside = (boxes[:, :2] >= [wide, tall]).any(1) | (boxes[:, 2:] < 0).any(1)
    outside &= (boxes[:, 2:] > boxes[:, :2]).all(1)
    if outside.any() and size != (wide, tall):
        left, top, right, bottom = boxes[outside][0]
        raise Refused(
            f"a box from {left:g}, {top:g} to {right:g}, {bottom:g} lies outside {file.name}, {wide} × {tall} pixels",
            "it was drawn on another picture, or on another size of it",
            "give the pictures that the boxes were drawn on, or the size: width and height",
        )  # fmt: skip
    boxes = np.clip(boxes, 0, [wide, tall, wide, tall])
    real = (boxes[:, 2:] > boxes[:, :2]).all(1)  # collections hold a few clicks without extent; nobody can find them
    hard = np.array([h for _, _, h in rows], bool)
    return Boxed(file.stem, picture, boxes[real], kinds[real], hard[real], other, int(outside.sum()))


def _alike(size: tuple[int, int], other: tuple[int, int]) -> bool:
    """Whether one is the other enlarged or made smaller, each side rounded to whole pixels."""
    low = max((o - 1) / s for s, o in zip(size, other, strict=True))
    return low <= min((o + 1) / s for s, o in zip(size, other, strict=True))


def _picture_in(file: Path, size: Size) -> npt.NDArray[np.uint8]:
    """(rows, columns, 3) of a file, turned as viewers show it, or as it lies where the boxes' size tells that."""
    from PIL import Image, ImageOps

    if file.suffix.lower() in _DICOM:
        array = opened(file, Classes("picture", ("nothing", "something"), (8, 8)))
        if array.ndim == 2:
            return np.repeat((array if array.dtype == np.uint8 else in_eight_bits(array))[..., None], 3, -1)
        if array.ndim != 3 or array.shape[-1] != 3 or array.dtype != np.uint8:
            raise Refused(f"{file.name} has the shape {array.shape}", "one picture is wanted", "take one frame of it")
        return array
    try:
        with Image.open(file) as image:
            shown = ImageOps.exif_transpose(image)
            if size is not None and size == image.size != shown.size:
                shown = image
            if shown.mode[0] not in "IF":
                return np.asarray(shown.convert("RGB"))
            # Pillow would cut these off at 255: all would be white
            return np.repeat(in_eight_bits(np.asarray(shown))[..., None], 3, -1)
    except Refused:
        raise
    except Exception as e:
        raise Refused(f"cannot read {file.name}", str(e)[:160] or type(e).__name__, "take it out or replace it") from e


def unbarred(one: Boxed) -> tuple[Boxed, tuple[int, int]]:
    """A picture without the bars of one colour that made it square, its boxes with it; and what was left and above.

    Bars are whole rows or columns of one colour from an edge on, a thirty-second of the side at least.
    """
    left, right = _inside(np.moveaxis(one.picture, 1, 0))
    top, bottom = _inside(one.picture)
    if (left, top) == (0, 0) and (bottom, right) == one.picture.shape[:2]:
        return one, (0, 0)
    boxes = np.clip(one.boxes - [left, top, left, top], 0, [right - left, bottom - top] * 2)
    real = (boxes[:, 2:] > boxes[:, :2]).all(1)
    if not real.all():  # something was drawn there: it is no bar
        return one, (0, 0)
    return replace(one, picture=np.ascontiguousarray(one.picture[top:bottom, left:right]), boxes=boxes), (left, top)


def _inside(lines: npt.NDArray[np.uint8]) -> tuple[int, int]:
    """The first line that is no bar, and the one after the last; all where nothing else would be left."""
    count = len(lines)
    edges = []
    for way in (lines, lines[::-1]):
        colour = np.median(way[0], axis=0)
        same = (np.abs(way.astype(np.int16) - colour).max(axis=(1, 2)) <= _BAR).tolist()
        wide = same.index(False) if False in same else count
        edges.append(wide if _LEAST_BAR * count <= wide < count / 2 else 0)
    return edges[0], count - edges[1]


def remarks_on(pictures: Sequence[Boxed]) -> list[str]:
    """What was done to boxes as they were given: brought from other sizes of their pictures, or left out."""
    said = []
    if some := [one for one in pictures if one.drawn_on is not None]:
        first, (wide, tall) = some[0], some[0].drawn_on or (0, 0)
        rows, columns = first.picture.shape[:2]
        said.append(
            f"the boxes of {len(some)} of {len(pictures)} pictures were drawn on other sizes of them and brought to "
            f"the pictures that are here, such as those of {first.name} from {wide} × {tall} to {columns} × {rows} "
            "pixels"
        )
    if some := [one for one in pictures if one.merged]:
        said.append(
            f"{sum(one.merged for one in some)} boxes of {len(some)} pictures were drawn by several readers about one "
            f"thing (an overlap of {OVERLAP:g} or more) and taken as the mean of their sides, such as in {some[0].name}"
        )
    if some := [one for one in pictures if one.astray]:
        said.append(
            f"boxes that lie wholly outside their pictures: {sum(one.astray for one in some)}, such as in "
            f"{some[0].name}; they are left out, since nothing can be found there"
        )
    return said


_FEWEST_TO_TELL, _DRAWN_APART, _AT_EDGE = 10, 0.15, 0.01  # pictures; logarithm of height over width; of the sides


def stretched(pictures: Sequence[Boxed], kind: int) -> str:
    """A remark where pictures were stretched, by the boxes of things that are round on the mean; else empty.

    Args:
        kind: of these things, which lie in any direction.
    """
    told = list[float]()
    for one in pictures:
        rows, columns = one.picture.shape[:2]
        parts = one.boxes / [columns, rows, columns, rows]
        whole = (parts[:, :2] > _AT_EDGE).all(1) & (parts[:, 2:] < 1 - _AT_EDGE).all(1) & (one.kinds == kind)
        sides = (one.boxes[:, 2:] - one.boxes[:, :2])[whole]
        if len(sides) and (sides > 0).all():
            told.append(float(np.median(np.log(sides[:, 1] / sides[:, 0]))))
    if len(told) < _FEWEST_TO_TELL or abs(apart := float(np.median(told))) <= _DRAWN_APART:
        return ""
    tall = "taller than wide" if apart > 0 else "wider than tall"
    return (
        f"the boxes are {tall}, by a factor of {np.exp(abs(apart)):.2f} on the median: the pictures may have been "
        "stretched, as to squares; give them as they were taken"
    )


def on_canvas(picture: npt.NDArray[np.uint8], shape: tuple[int, int]) -> tuple[npt.NDArray[np.float32], float]:
    """(3, rows, columns) in 0 … 1 on the grid of a network, and how many of its pixels one of the picture became.

    The picture keeps its proportions and lies in the upper left corner; what is left over has its mean colour.
    """
    rows, columns = picture.shape[:2]
    factor = min(shape[0] / rows, shape[1] / columns)
    size = (max(1, round(rows * factor)), max(1, round(columns * factor)))
    small = resampled(np.moveaxis(picture, -1, 0), *size) / 255
    canvas = np.broadcast_to(small.mean((1, 2), keepdims=True), (3, *shape)).astype(np.float32)
    canvas[:, : size[0], : size[1]] = small
    return canvas, factor


def digest_of_boxed(pictures: Sequence[Boxed]) -> str:
    """SHA-256 over names, pixels and boxes, and weights where they differ from 1."""
    sha = hashlib.sha256()
    for one in pictures:
        sha.update(one.name.encode())
        for array in (one.picture, one.boxes, one.kinds):
            sha.update(np.ascontiguousarray(array).tobytes())
        sha.update(b"" if one.weight == 1 else repr(one.weight).encode())
    return sha.hexdigest()
