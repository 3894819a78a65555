"""Rows of a table with an outcome, read as people hand them over, and what is missing kept as missing."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.codings import brought_back
from isocenter.learn.examples import numbered, person, weights_in
from isocenter.learn.kinds import Column, Table
from isocenter.learn.picture_tables import FILE_COLUMNS, FILE_ENDS, by_name, named_in
from isocenter.learn.sheet import THERE, YES_NO, cells_of, plain, sheet_text
from isocenter.learn.splits import must_be_among, together
from isocenter.learn.whose import PERSON_COLUMNS

__all__ = ["Rows", "groups_of", "read_rows"]

_MISSING = {
    "", "?", "na", "n/a", "n.a.", "#n/a", "#na", "<na>", "nan", "null", "none", ".", "-", "--", "missing", "unknown",
}  # fmt: skip
_NONE = (-9.0, -99.0, -999.0)
"""Numbers that collections write for what is not known, such as -9 in the heart sets of UCI."""
_WORDS = YES_NO | THERE | {"y": 1, "n": 0, "healthy": 0}
_OUTCOMES = ("outcome", "diagnosis", "target", "label", "class", "truth", "groundtruth", "y")
"""Where none of the names that a recipe has for the outcome is there."""
_YEARS = ("years", "year", "yrs", "yr", "y")
_TABLES = (".csv", ".tsv", ".data", ".txt")
_BESIDE = ("SOURCE.txt", "examples.csv")


@dataclass(frozen=True, eq=False)
class Rows:
    """Cases of a table.

    Args:
        values: (n, columns), NaN where a value is missing.
        labels: (n,) 1 for the diseased. grades: (n,) the labels as they stand there, or these where they are words.
        names: of the rows. digest: SHA-256 over values and labels, and over grades where they say more.
        people: (n,) number of the person: by a column ``person``, ``patient`` or ``subject``, else by the picture's
            file; without either each row is of somebody else.
        files: the picture of each row, where the recipe looks at one.
        unknown: how many cells of each column, by name, held -9, -99 or -999 for what is not known.
        remarks: what was done to codes of another form of the table (see `codings`).
        weights: (n,) what each row counts, by ``examples.csv`` beside the table; None where every row counts the same.
    """

    values: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    grades: npt.NDArray[np.float64]
    names: tuple[str, ...]
    digest: str
    people: npt.NDArray[np.int64]
    files: tuple[Path, ...] = ()
    unknown: Mapping[str, int] = field(default_factory=dict)
    remarks: tuple[str, ...] = ()
    weights: npt.NDArray[np.float32] | None = None

    def only(self, kept: Sequence[int]) -> Rows:
        """Some of the rows; the digest stays that of all."""
        at = np.asarray(kept, np.int64)
        return replace(
            self, values=self.values[at], labels=self.labels[at], grades=self.grades[at], people=self.people[at],
            names=tuple(self.names[k] for k in at), files=tuple(self.files[k] for k in at) if self.files else (),
            weights=None if self.weights is None else self.weights[at],
        )  # fmt: skip


def read_rows(path: Path, how: Table, split: str | None = None) -> Rows:
    """The rows of a table with or without header, separated by comma, semicolon, tab, bar or spaces.

    With a header the columns are found by name, in any order, and others are passed over; without one they stand in
    the order of the recipe, the outcome last. A comma may be the decimal mark where it separates nothing, or where
    cells are in quotes and one of them cannot mean thousands.

    Raises:
        NotFound: when nothing is there.
        Refused: when a column or a label is missing, a label is of another set, a value is no number, or a code is not
            one of its column: another coding of the same question would be answered wrongly without a sign.
    """
    if not path.exists():
        raise NotFound(
            f"no data at {path}", "there is nothing to read", "give the path of a file or folder that is there"
        )
    if path.is_dir():
        tables = sorted(p for p in path.iterdir() if p.suffix.lower() in _TABLES and p.name not in _BESIDE)
        if len(tables) != 1:
            raise Refused(f"{len(tables)} tables in {path.name}", "one is wanted", "name the file")
        path = tables[0]
    text = sheet_text(path)
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines:
        raise Refused(f"{path.name} is empty", "there is nothing to read", "give a table with a row for each case")
    mark = next((m for m in (";", "\t", "|", ",") if m in lines[0]), None)
    cells = cells_of(text, path.name, mark) if mark else [line.split() for line in lines]
    cells = [[c.strip() for c in row] for row in cells]
    if mark != "," or any(_DECIMAL.fullmatch(c) for row in cells for c in row):
        cells = [[_pointed(c) for c in row] for row in cells]
    headed = any(not _numeric(c) for c in cells[0])
    for number, row in enumerate(cells, 0 if headed else 1):
        if len(row) != len(cells[0]):
            raise Refused(f"row {number} of {path.name} has {len(row)} cells", f"the first has {len(cells[0])}",
                          "repair the row")  # fmt: skip
    remarks: tuple[str, ...] = ()
    if headed:
        header, body, remarks = brought_back(cells[0], cells[1:], how, path.name)
        cells = [header, *body]
    places, outcome = _places(cells[0], how, path.name) if headed else _in_order(cells[0], how, path.name)
    body = cells[1:] if headed else cells
    if split is not None:
        names = [c.lower() for c in cells[0]]
        if not headed or "split" not in names:
            raise Refused(
                f"{path.name} has no column 'split'",
                f"the rows of '{split}' cannot be told from others",
                "add the column, or leave --split out",
            )
        at = names.index("split")
        part = must_be_among(split, [row[at] for row in body], path.name)
        body = [row for row in body if row[at] == part]
    elif headed and (at := next((k for k, n in enumerate(cells[0]) if n.lower() == "split"), -1)) >= 0:
        remarks += tuple(together([row[at] for row in body]))
    if not body:
        raise Refused(f"{path.name} has no rows", "there is nothing to read", "give a table with a row for each case")
    values, grades = np.empty((len(body), len(how.columns))), np.empty(len(body))
    labels = np.empty(len(body), np.int64)
    _must_be_told([row[outcome] for row in body], path.name)
    unknown: dict[str, int] = {}
    for at, column in zip(places, how.columns, strict=True):
        for row in body:
            if _stands_for_none(row[at], column):
                row[at] = ""
                unknown[column.name] = unknown.get(column.name, 0) + 1
    for number, row in enumerate(body):
        where = f"row {number + 1} of {path.name}"
        values[number] = [_value(row[at], column, where) for at, column in zip(places, how.columns, strict=True)]
        labels[number], grades[number] = _outcome(row[outcome], how, where)
    _must_agree(cells[0] if headed else (), body, how, labels, outcome, path.name)
    known = values.astype("<f8").tobytes() + labels.astype("<i8").tobytes()
    if how.graded and not np.array_equal(grades, labels):
        known += grades.astype("<f8").tobytes()
    names_ = tuple(f"row {i + 1}" for i in range(len(body)))
    weights = weights_in(path.parent, names_)
    if weights is not None:
        known += weights.tobytes()
    files = _files(cells[0] if headed else (), body, how, path) if how.through else ()
    people = _people(cells[0] if headed else (), body, {*places, outcome}, files)
    return Rows(values, labels, grades, names_, hashlib.sha256(known).hexdigest(), people, files,
                unknown, remarks, weights)  # fmt: skip


def _must_be_told(labels: Sequence[str], where: str) -> None:
    """Refuse a table of which a row has no label."""
    gaps = [number for number, cell in enumerate(labels, 1) if cell.lower() in _MISSING]
    if gaps:
        which = f"no row of {where}" if len(gaps) == len(labels) else f"row {gaps[0]} of {where}"
        has = "has a label" if len(gaps) == len(labels) else f"and {len(gaps) - 1} more have no label"
        has = "has no label" if len(gaps) == 1 < len(labels) else has
        raise Refused(f"{which} {has}", "of a case without one nothing can be learnt or judged",
                      "write what became of it, or leave the row out")  # fmt: skip


def _must_agree(
    header: Sequence[str], body: Sequence[Sequence[str]], how: Table, labels: npt.NDArray[np.int64], outcome: int,
    where: str,
) -> None:  # fmt: skip
    """Refuse a table with two columns that may be the outcome and say different things."""
    words = {plain(n) for n in how.label}
    for at in (i for i, n in enumerate(header) if i != outcome and plain(n) in words):
        try:
            other = [_outcome(row[at], how, "")[0] for row in body]
        except Refused:  # it tells something else
            continue
        if apart := int(np.count_nonzero(labels != other)):
            raise Refused(
                f"the columns '{header[outcome]}' and '{header[at]}' of {where}",
                f"either may be the outcome, and {apart} of {len(body)} rows differ", "leave one of them",
            )  # fmt: skip


def _people(
    header: Sequence[str], body: Sequence[Sequence[str]], asked: set[int], files: Sequence[Path]
) -> npt.NDArray[np.int64]:
    at = next((i for i, n in enumerate(header) if plain(n) in PERSON_COLUMNS and i not in asked), None)
    if at is not None:  # who is not told is somebody of their own
        return numbered([row[at] or f" {number}" for number, row in enumerate(body)])
    return numbered([person(file.name) for file in files]) if files else np.arange(len(body))


def _files(header: Sequence[str], body: Sequence[Sequence[str]], how: Table, path: Path) -> tuple[Path, ...]:
    told = {plain(name): i for i, name in reversed(list(enumerate(header)))}
    called = ("picture", *FILE_COLUMNS, *(c for c in told if c.endswith(FILE_ENDS)))
    at = next((told[c] for c in called if c in told), None)
    if at is None:
        raise Refused(f"{path.name} has no column 'file'", f"'{how.task}' looks at a picture for each row",
                      "add one with the path of the picture beside the table")  # fmt: skip
    found, elsewhere = list[Path](), dict[str, Path]()
    for row in body:
        name = row[at].strip().replace("\\", "/")  # as Windows writes it
        picture = path.parent / name
        if not picture.is_file():
            elsewhere = elsewhere or by_name(path.parent)
            picture = named_in(name, elsewhere) or picture
        found.append(picture)
    return tuple(found)


_DECIMAL = re.compile(r"[-+]?\d+,(\d{1,2}|\d{4,})")  # with three digits behind it, it may part thousands


def _pointed(cell: str) -> str:
    """A number with a decimal comma, written with a point.

    >>> _pointed("2,3"), _pointed("a,b")
    ('2.3', 'a,b')
    """
    return cell.replace(",", ".") if re.fullmatch(r"[-+]?\d+,\d+", cell) else cell


def _numeric(cell: str) -> bool:
    if cell.lower() in _MISSING:
        return True
    try:
        float(cell)
    except ValueError:
        return False
    return True


def _places(header: Sequence[str], how: Table, where: str) -> tuple[list[int], int]:
    at = {plain(name): i for i, name in enumerate(header)}
    for name in (n for c in how.columns for n in (c.name, *c.known_as)):
        if (often := sum(plain(n) == plain(name) for n in header)) > 1:
            raise Refused(
                f"the column '{name}' stands {often} times in {where}", "which of them is meant?", "leave one"
            )
    places = []
    for column in how.columns:
        found = next((at[plain(n)] for n in (column.name, *column.known_as) if plain(n) in at), None)
        if found is None:
            found = _with_unit(header, column, where)
        if found is None:
            raise Refused(f"{where} has no column '{column.name}'", f"'{how.task}' needs it",
                          f"the columns are {', '.join(c.name for c in how.columns)}")  # fmt: skip
        places.append(found)
    names = (*how.label, how.classes[1], *_OUTCOMES)
    outcome = next((at[plain(n)] for n in names if plain(n) in at and at[plain(n)] not in places), None)
    if outcome is None:
        raise Refused(f"{where} has no outcome", "without labels nothing can be learnt or judged",
                      f"add a column '{how.label[0]}'")  # fmt: skip
    return places, outcome


def _with_unit(header: Sequence[str], column: Column, where: str) -> int | None:
    """A column whose name is followed by its unit in brackets, as ``CRP [mg/L]`` or ``Age (years)``.

    Raises:
        Refused: what stands there is another unit, or no unit.
    """
    words = {plain(n) for n in (column.name, *column.known_as)}
    for at, name in enumerate(header):
        told = re.fullmatch(r"(.+?)\s*[\[(]([^\])]+)[\])]", name.strip())
        if told is None or plain(told[1]) not in words:
            continue
        unit = told[2].strip().lower()
        if unit not in (column.unit.lower(), *(_YEARS if column.unit == "a" else ())):
            raise Refused(f"'{name:.80}' in {where}", f"'{column.name}' is in {column.unit or 'no unit'} here",
                          f"bring it to that unit, and call it '{column.name}'")  # fmt: skip
        return at
    return None


def _in_order(first: Sequence[str], how: Table, where: str) -> tuple[list[int], int]:
    wanted = len(how.columns) + 1
    if len(first) != wanted:
        raise Refused(
            f"{where} has {len(first)} columns and no header", f"{wanted} are wanted, the outcome last",
            f"give {', '.join(c.name for c in how.columns)}, {how.label[0]}, or a header",
        )  # fmt: skip
    return list(range(wanted - 1)), wanted - 1


def _stands_for_none(cell: str, column: Column) -> bool:
    """Whether a cell holds a number that is no value of its column, and is written for what is not known."""
    if not _numeric(cell) or cell.lower() in _MISSING or float(cell) not in _NONE:
        return False
    return float(cell) not in column.values if column.values else column.low >= 0


def _by_word(cell: str, words: Mapping[str, float]) -> float | None:
    """The number of the word that a cell says, begins with, or is the beginning of; None where that is none or two.

    >>> words = {"high": 1.0, "iso": 2.0, "low": 3.0, "fat": 4.0}
    >>> _by_word("Fat-containing", words), _by_word("h", words), _by_word("l", words | {"lost": 5.0})
    (4.0, 1.0, None)
    """
    said = plain(cell)
    if not said or said in words or said.isdigit():
        return words.get(said)
    near = {v for word, v in words.items() if word.startswith(said) or (len(word) > 2 and said.startswith(word))}
    return near.pop() if len(near) == 1 else None


def _value(cell: str, column: Column, where: str) -> float:
    if cell.lower() in _MISSING:
        return float("nan")
    named = {plain(word): float(v) for word, v in zip(column.unit.split(" | "), column.values, strict=False)}
    named.pop("", None)
    yes = YES_NO.get(plain(cell)) if set(column.values) == {0, 1} else None
    if (told := _by_word(cell, named) if yes is None else yes) is not None:
        return float(told)
    for name in (column.name, *column.known_as):  # as in "BI-RADS 4"
        if cell.lower().startswith(name.lower()) and cell[len(name) :].strip():
            cell = cell[len(name) :].strip()
    try:
        value = float(cell)
    except ValueError:
        words = [w for w in column.unit.split(" | ") if w] if column.values and " | " in column.unit else []
        codes = ", ".join(f"{v:g} {w}" for v, w in zip(column.values, words, strict=False))
        raise Refused(f"{column.name} is '{cell:.64}' in {where}", f"it is one of {codes}" if codes else
                      "a number is wanted", f"write {'these' if codes else 'one'}, or leave it empty if unknown"
                      ) from None  # fmt: skip
    if not np.isfinite(value):
        raise Refused(f"{column.name} is {cell} in {where}", "it is not finite", "leave it empty if unknown")
    if column.kind == "code" and value not in column.values:
        known = ", ".join(f"{v:g}" for v in column.values)
        raise Refused(f"{column.name} is {cell} in {where}", f"its codes are {known}",
                      "write it in these codes, or leave it empty if unknown")  # fmt: skip
    return value


def _outcome(cell: str, how: Table, where: str) -> tuple[int, float]:
    """Whether it is the diseased class, and the label as a number; true, yes and present are the second."""
    own = {plain(n): float(k) for k, n in enumerate(how.classes)}
    own = {word: k for word, k in own.items() if word}
    said = _WORDS.get(plain(cell)) if plain(cell) not in own else None
    if (named := _by_word(cell, own) if said is None else said) is not None:
        return int(named), float(named)
    try:
        value = float(cell)
    except ValueError:
        value = float("nan")
    if value not in how.labels:
        known = ", ".join(f"{v:g}" for v in how.labels)
        raise Refused(f"label '{cell:.64}' in {where}", f"'{how.task}' knows {known}, or {' and '.join(how.classes)}",
                      "write one of these")  # fmt: skip
    return int(value > how.positive_above), value


def groups_of(values: npt.NDArray[np.float64], how: Table) -> Mapping[str, npt.NDArray[np.str_]]:
    """The subgroups of a recipe: a code by its value, a number below 50, from 50 to 64, and from 65 on."""
    found = {}
    for name in how.subgroups:
        column = next(c for c in how.columns if c.name == name)
        own = values[:, how.columns.index(column)]
        if column.kind == "number":
            words = np.select([np.isnan(own), own < 50, own < 65], ["unknown", "below 50", "50 to 64"], "65 and above")
        else:
            told = dict(zip(column.values, column.unit.split(" | "), strict=False))
            words = np.array([told.get(v, "unknown" if np.isnan(v) else f"{v:g}") for v in own])
        found[name] = np.asarray(words, np.str_)
    return found
