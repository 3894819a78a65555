"""Tables that name a picture and a label in each row, as collections of pictures bring them beside their files."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from functools import reduce
from operator import or_
from pathlib import Path, PurePosixPath
from typing import NamedTuple

from isocenter.errors import Refused
from isocenter.learn.consensus import majority, reader_column
from isocenter.learn.gridded import is_picture
from isocenter.learn.kinds import Classes
from isocenter.learn.naming import class_of, classes_of, columns_of, label_said, only, shown
from isocenter.learn.sheet import plain, read_sheet
from isocenter.learn.splits import must_be_among, of_part
from isocenter.learn.whose import PERSON_COLUMNS, whose_pictures

__all__ = [
    "FILE_COLUMNS",
    "FILE_ENDS",
    "LABEL_COLUMNS",
    "Listed",
    "by_name",
    "listed",
    "listed_in",
    "masks_beside",
    "named_in",
    "pictures_in",
]

FILE_COLUMNS = (
    "file", "filename", "path", "image", "imagepath", "imageid", "imageindex", "img", "name", "idcode", "isicid",
    "fname", "dicomid", "sopinstanceuid",
)  # fmt: skip
FILE_ENDS = ("imagename", "filename", "imagepath", "filepath", "imageid", "imgpath", "imgname")
LABEL_COLUMNS = (
    "label", "labels", "class", "classname", "target", "diagnosis", "grade", "findinglabels", "y", "finding", "outcome",
    "level", "dx", "category", "severity", "retinopathygrade", "drgrade", "groundtruth", "disease",
)  # fmt: skip


class Listed(NamedTuple):
    """A picture of a table: its file, its name there, its label, whose it is, and of which part by a column."""

    file: Path
    name: str
    kind: int
    whose: str
    part: str = ""


def listed(
    path: Path, how: Classes, split: str | None = None, *, aside: list[tuple[str, str]] | None = None
) -> tuple[list[Listed], int, list[str]]:  # fmt: skip
    """The pictures of a table, how many of its rows name one that an earlier row names, with the same label, and what
    was made of rows that tell of one picture together.

    Columns are told by their names. A picture is looked for beside the table, then by its name anywhere below. Where it
    may show several findings, each row may tell one of them, and each reader may have rows of his own.

    Args:
        aside: where it is given, a picture that is not there is put here with the reason.

    Raises:
        Refused: a column or a file is not there, a label is missing or of another set, or a picture has two labels.
    """
    names, rows = read_sheet(path)
    if not names:
        raise Refused(
            f"{path.name} is empty", "there is nothing to read", "give a table with the columns file and label"
        )
    columns = {plain(c): c for c in names if plain(c)}
    file, whose, labels = _columns(columns, how, path.name)
    if split is not None and "split" not in columns:
        raise Refused(
            f"{path.name} has no column 'split'",
            f"the rows of '{split}' cannot be told from others",
            "add the column, or leave --split out",
        )
    parts = [row[columns["split"]].strip() for row in rows] if "split" in columns else [""] * len(rows)
    part = must_be_among(split, parts, path.name)
    asked = [(n, row, own) for n, (row, own) in enumerate(zip(rows, parts, strict=True), 1) if part in (None, own)]
    ways = [row[file].strip().replace("\\", "/") for _, row, _ in asked]  # as Windows writes it
    people = whose_pictures(ways, [-1] * len(ways), len(how.classes))
    elsewhere: dict[str, Path] = {}
    found: dict[Path, Listed] = {}  # tables of boxes name a picture once for each of them
    lost, again, reader = dict[str, str](), 0, reader_column(names) if how.several else None
    said: dict[Path, dict[str, list[int]]] = {}  # of several findings, by the readers
    for (number, row, of), name, whom in zip(asked, ways, people, strict=True):
        where = f"row {number} of {path.name}"
        picture = path.parent / name
        if not picture.is_file():
            elsewhere = elsewhere or by_name(path.parent)
            if (near := _copied_here(name, path.parent) or named_in(name, elsewhere)) is None:
                gone = Refused(f"{name} in {where}", "there is no such file beside the table, or two of that name",
                               "write its way from the folder of the table")  # fmt: skip
                if aside is None or not name:
                    raise gone
                lost[name] = str(gone)
                continue
            picture = near
        kind = _label([row[c].strip() for c in labels], how, where)
        own = said.setdefault(picture, {}).setdefault(_whose(row, reader), [])
        again += kind in own if how.several else picture in found
        own.append(kind)
        known = found.setdefault(picture, Listed(picture, name, kind, _whose(row, whose) or whom, of))
        if known.kind != kind if not how.several else len(labels) > 1 and own[0] != kind:
            raise Refused(
                f"{name} has two labels in {path.name}, {label_said(known.kind, how)} and {label_said(kind, how)}",
                "one picture is one case", "leave one of its rows",
            )  # fmt: skip
    if aside is not None:
        aside.extend(lost.items())
    if not how.several:
        return list(found.values()), again, []
    joined, told = _joined(found, said, len(how.classes))
    return joined, again, told


def _copied_here(name: str, root: Path) -> Path | None:
    """The picture of a way that begins above the folder of its table, as CheXpert's ``CheXpert-v1.0/train/…``."""
    parts = PurePosixPath(name).parts
    ways = (root.joinpath(*parts[k:]) for k in range(1, len(parts) - 1) if ".." not in parts)
    return next((way for way in ways if way.is_file()), None)


def _joined(
    found: Mapping[Path, Listed], said: Mapping[Path, Mapping[str, list[int]]], kinds: int
) -> tuple[list[Listed], list[str]]:
    """Each picture with the label that its readers give it together, and a sentence where some have several."""
    each = [one._replace(kind=majority([reduce(or_, own) for own in said[file].values()], kinds))
            for file, one in found.items()]  # fmt: skip
    many = sum(len(by) > 1 for by in said.values())
    told = (
        f"{many} pictures have several readers: a finding is there where more than half of them say so, and is not "
        "known where they are equal"
    )
    return each, [told] if many else []


def listed_in(
    tables: Sequence[Path], how: Classes, split: str | None = None
) -> tuple[list[Listed], int, list[str]]:  # fmt: skip
    """The pictures of several tables of one collection, how many rows name one again, and what was made of others.

    They may be tables of its parts (``train.csv``, ``test.csv``), or tell of the same pictures. One of other labels is
    passed over where another tells of all its pictures; so is one that has no labels, such as a form for answers.

    Raises:
        Refused: no table can be read, one tells of pictures that no other does, or two differ on a picture.
    """
    parts = [t for t in tables if split is not None and of_part(split, re.split(r"[^A-Za-z0-9]+", t.stem))]
    if parts:
        tables, split = parts, None
    found: dict[Path, Listed] = {}
    told_by: dict[Path, Path] = {}
    again, odd, told = 0, dict[Path, Refused](), list[str]()
    for table in tables:
        try:
            some, twice, remarks = listed(table, how, split)
        except Refused as why:
            odd[table] = why
            continue
        again += twice
        told += remarks
        for one in some:
            known = found.setdefault(one.file, one)
            other = told_by.setdefault(one.file, table)
            if known.kind != one.kind:
                raise Refused(
                    f"{one.name} is {label_said(known.kind, how)} in {other.name} and {label_said(one.kind, how)} in "
                    f"{table.name}", "one picture has one label", "give one of these tables",
                )  # fmt: skip
    if not found:
        first, reason = next(iter(odd.items()))
        raise Refused(f"none of {len(tables)} tables in {first.parent.name} can be read",
                      f"of {first.name}: {reason.what}, {reason.why}", "give the table with the labels")  # fmt: skip
    for table, reason in odd.items():
        if _tells_more(table, how, found.keys()):
            raise reason
    told += [f"{t.name} was not read: {r.what}, {r.why}" for t, r in odd.items()]
    return list(found.values()), again, told


def _tells_more(table: Path, how: Classes, known: Collection[Path]) -> bool:
    """Whether a table with labels names pictures other than those that are known."""
    names, rows = read_sheet(table)
    try:
        file, _, _ = _columns({plain(c): c for c in names if plain(c)}, how, table.name)
    except Refused:
        return False
    here = by_name(table.parent)
    return any(here.get(Path(row[file].strip()).name) not in (None, *known) for row in rows)


def _columns(columns: Mapping[str, str], how: Classes, where: str) -> tuple[str, str | None, Sequence[str]]:
    """The columns of the file, of the person, and of the label, or of the findings."""
    ends = (c for c in columns if c.endswith(FILE_ENDS))
    file = next((columns[c] for c in (*FILE_COLUMNS, *ends, "id") if c in columns), None)
    ill = plain(how.classes[-1]) if len(how.classes) == 2 and not how.several else ""  # a column of 1 and 0
    label = next((columns[c] for c in LABEL_COLUMNS if c in columns), None)
    whose = next((columns[c] for c in PERSON_COLUMNS if c in columns), None)
    labels = [label] if label is not None else list(columns_of(columns, how))
    labels = labels or ([columns[ill]] if ill in columns else [])
    file = file or whose  # of one picture a person, which has that name
    if file is None or not labels:
        raise Refused(
            f"{where} has the columns {', '.join(columns.values())}",
            "one for the file and one for the label are wanted",
            "call them 'file' and 'label', or give a column for each " + ("finding" if how.several else "class"),
        )  # fmt: skip
    return file, whose, labels


def _label(cells: Sequence[str], how: Classes, where: str) -> int:
    if len(cells) > 1:
        return shown(cells, how, where) if how.several else only(cells, how, where)
    if not all(cells):
        raise Refused(
            f"{where} has no label", "a case without a label cannot be judged", "add it, or leave the row out"
        )
    return (classes_of if how.several else class_of)(cells[0], how, where)


def _whose(row: Mapping[str, str], column: str | None) -> str:
    return row[column].strip() if column else ""


def pictures_in(path: Path) -> list[Path]:
    """The image files of a folder, at any depth, without what is hidden or a Mac or a network drive adds."""
    found = []
    for p in sorted(path.rglob("*")):
        hidden = any(part.startswith((".", "__MACOSX", "@eaDir")) for part in p.relative_to(path).parts)
        if not hidden and p.is_file() and is_picture(p):
            found.append(p)
    return found


def masks_beside(files: Sequence[Path]) -> set[Path]:
    """The files that are outlines of others in their folder by their names, as ``a_mask.png`` beside ``a.png``."""
    there = {(file.parent, file.name.split(".")[0].lower()) for file in files}
    return {
        file for file in files
        if (told := _OUTLINE.fullmatch(file.name.split(".")[0].lower())) and (file.parent, told[1]) in there
    }  # fmt: skip


_OUTLINE = re.compile(r"(.+?)[-_ ](?:mask|seg|segmentation|outline|annotation|groundtruth|gt)s?(?:[-_ ]?\d+)?")


def named_in(name: str, elsewhere: Mapping[str, Path]) -> Path | None:
    """The picture that a name means among those of `by_name`; None where it means none or several."""
    key = Path(name).name
    return elsewhere.get(key) or elsewhere.get(key.lower())


def by_name(folder: Path) -> dict[str, Path]:
    """Images of a folder by their name, with and without its ending; none that two of them share."""
    found: dict[str, Path | None] = {}
    for p in pictures_in(folder):
        for key in {p.name, p.name.lower(), p.name.split(".")[0], p.stem}:
            found[key] = None if key in found else p
    return {key: p for key, p in found.items() if p is not None}
