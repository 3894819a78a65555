"""A sealed test set: known by its digest, and what one look at it showed, against what a model would replace."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotFound, Refused
from isocenter.learn.answers import Answers
from isocenter.learn.picture_tables import LABEL_COLUMNS
from isocenter.learn.sheet import cells_of, plain, sheet_text
from isocenter.learn.whose import PERSON_COLUMNS
from isocenter.methods import noninferiority, roc, subgroups
from isocenter.methods.divisions import division
from isocenter.methods.noninferiority import Gap

__all__ = ["digest_of_data", "measured", "of_groups", "read_groups"]

_LEAST = 2  # cases or events: of none there is no share, and of one no interval, whatever a change record says
_CASE = ("name", "case", "id", "image", "file", "filename", "imageid", "imageindex", "imagename", "imagepath", "path")
_NO_DIVISION = (*_CASE, *PERSON_COLUMNS, *LABEL_COLUMNS, "split", "index", "unnamed0", "")
"""Columns of a table of cases that part no people: what a case is called, whose it is, what it shows, row numbers."""


def digest_of_data(path: Path) -> str:
    """SHA-256 of a file, or of a folder's files with their places in it.

    Raises:
        NotFound: when nothing is there.
    """
    if not path.exists():
        raise NotFound(f"no data at {path}", "there is nothing to read", "give a file or folder that is there")
    whole = hashlib.sha256()
    files = [path] if path.is_file() else sorted(p for p in path.rglob("*") if p.is_file())
    for file in files:
        with file.open("rb") as opened:
            own = hashlib.file_digest(opened, "sha256").hexdigest()
        if path.is_file():
            return own
        whole.update(f"{file.relative_to(path).as_posix()}\0{own}\n".encode())
    return whole.hexdigest()


def read_groups(path: Path, names: Sequence[str] | None) -> dict[str, npt.NDArray[np.str_]]:
    """Groups of cases from a CSV: a column with the case's name, and one column a group (sex, age, site, scanner).

    A file name fits its case with or without folder and ending. Without a column of names the rows stand in the order
    of the cases. Ages are bands, and an empty cell, or NA, is *unknown*, and is told as such. Whose a case is and what
    it shows are no groups. Without `names` the file is looked at alone.

    Raises:
        NotFound: when nothing is there.
        Refused: when a case is missing or stands there twice, a row has another number of cells, or no group is named.
    """
    if not path.is_file():
        raise NotFound(
            f"no groups at {path}",
            "there is no such file",
            "give a CSV with a name for each case and a column for each division",
        )
    cells = cells_of(sheet_text(path), path.name)
    if len(cells) < 2:
        raise Refused(f"{path.name} has no rows", "there are no groups in it", "give a table with a row for each case")
    head, body = [c.strip() for c in cells[0]], cells[1:]
    if bad_row := next((n for n, row in enumerate(body, 2) if len(row) != len(head)), 0):
        raise Refused(
            f"line {bad_row} of {path.name}",
            f"it has another number of cells than the first, {len(head)}",
            "correct the row",
        )
    case = _column_of_cases(head, body, names or ())
    kept = [n for n, c in enumerate(head) if plain(c) not in _NO_DIVISION]
    if not kept:
        raise Refused(f"{path.name} names no group", "it holds nothing but the cases", "add a column, as sex or site")
    if names is None:
        return {}
    if case is not None:
        held = dict[str, list[str]]()
        for row in body:
            if held.setdefault(row[case].strip(), row) is not row:
                raise Refused(
                    f"the case '{row[case].strip():.80}' twice in {path.name}",
                    "which of them is meant?",
                    "leave one of them out",
                )
        rows = _of_cases(held, names)
        if None in rows:
            raise Refused(
                f"{rows.count(None)} of {len(names)} cases, such as '{names[rows.index(None)]:.80}'",
                f"{path.name} does not say to which group they belong", "add them, with empty cells where unknown",
            )  # fmt: skip
        often = Counter(id(row) for row in rows)
        if twice := [n for n, row in zip(names, rows, strict=True) if often[id(row)] > 1]:
            raise Refused(f"one row of {path.name} for several cases, such as '{twice[0]:.80}' and '{twice[1]:.80}'",
                          "which of them is meant?", "write each with its folder or part")  # fmt: skip
        body = [row for row in rows if row is not None]
    elif len(body) != len(names):
        raise Refused(
            f"{len(body)} rows for {len(names)} cases", f"{path.name} has no column of names ({', '.join(_CASE)})",
            "add one",
        )  # fmt: skip
    return {head[n]: division(head[n], [row[n] for row in body]) for n in kept}


def _of_cases(held: Mapping[str, list[str]], names: Sequence[str]) -> list[list[str] | None]:
    """The row of each case, by its name, its file, that without ending, or its number among those of an array."""
    known: dict[str, list[str] | None] = {}
    numbers = all(k.isdigit() for k in held) and all(Path(n).name.isdigit() for n in names)
    for name, row in held.items():
        for key in {str(int(name))} if numbers else {Path(name).name, _stem(name)}:
            known[key] = None if key in known else row
    return [
        held.get(n) or (known.get(str(int(Path(n).name))) if numbers else known.get(Path(n).name) or
                        known.get(_stem(n))) for n in names
    ]  # fmt: skip


def _stem(name: str) -> str:
    return Path(name.removesuffix(".gz")).stem


def _column_of_cases(head: Sequence[str], body: Sequence[Sequence[str]], names: Sequence[str]) -> int | None:
    """The column of the names of cases: of several, the one that names most of these."""
    known = {word for name in names for word in (name, Path(name).name, _stem(name))}
    told = {plain(c): n for n, c in reversed(list(enumerate(head)))}
    there = [told[c] for c in _CASE if c in told]
    return max(there, key=lambda n: sum(row[n].strip() in known or _stem(row[n].strip()) in known for row in body),
               default=None)  # fmt: skip


def measured(
    new: Answers, old: Answers | None, groups: Mapping[str, npt.NDArray[np.str_]], *, least_events: int,
    against: str = "",
) -> dict[str, Any]:  # fmt: skip
    """What a look shows: the primary figure, and *new minus old* overall and in every group, each with its interval.

    The figure is the area under the curve for two classes, else the mean rightness of the answers. In a group it is the
    sensitivity at the operating point, or that mean.

    Args:
        old: of what would be replaced, to the same cases; None where there is nothing.
        least_events: a group with fewer has insufficient data.
        against: digest of what would be replaced.

    Raises:
        Refused: when the two did not answer the same cases.
    """
    two = new.truth is not None and new.score is not None
    figure = "auc" if two else new.figure
    said: dict[str, Any] = {"metric": figure, "n": len(new), "against": against if old else "", "gaps": []}
    if two:
        area = roc.auc(new.truth, new.score, people=new.people)  # type: ignore[arg-type]
        said["primary"] = {"value": area.value, "low": area.low, "high": area.high}
    else:
        own = noninferiority.means(new.right, np.zeros(len(new)), people=new.people)
        said["primary"] = {"value": own.value, "low": own.low, "high": own.high}
    if old is None:
        return said
    if new.names != old.names or (old.truth is None) == two:
        raise Refused("two models that answered other cases", "nothing can be compared", "judge both on the same data")
    if two:
        gap = noninferiority.areas(new.truth, new.score, old.score, people=new.people)  # type: ignore[arg-type]
    else:
        gap = _of_means(new, old, np.ones(len(new), bool))
    said["gaps"].append(_line(figure, gap, ""))
    for by, values in groups.items():
        for value in sorted(set(values.tolist())):
            mine = (values == value) & (new.truth == 1) if two else values == value
            whose = None if new.people is None else new.people[mine]
            events, name = int(mine.sum()) if whose is None else len(np.unique(whose)), f"{by} {value}"
            if events < (least := max(least_events, _LEAST)):
                said["gaps"].append({"group": name, "n": events, "insufficient": subgroups.insufficient(events, least)})
            elif two:
                gap = noninferiority.shares(new.called[mine], old.called[mine], people=whose)  # type: ignore[index]
                said["gaps"].append(_line("sensitivity", gap, name))
            else:
                said["gaps"].append(_line(new.figure, _of_means(new, old, mine), name))
    return said


def of_groups(answers: Answers, groups: Mapping[str, npt.NDArray[np.str_]]) -> list[dict[str, Any]]:
    """Figures of each group of the cases, as a subgroup of evidence; of one with few events the counts alone."""
    rows = []
    for by, values in groups.items():
        for value in sorted(set(values.tolist())):
            mine = values == value
            whose = None if answers.people is None else answers.people[mine]
            row: dict[str, Any] = {"by": by, "name": value, "n": int(mine.sum())}
            if answers.truth is not None and answers.score is not None and answers.called is not None:
                row["events"] = int((answers.truth[mine] == 1).sum())
                row |= subgroups.figures_of(
                    answers.truth[mine], answers.score[mine], answers.called[mine], people=whose
                )
            elif row["n"] < _LEAST or (whose is not None and len(np.unique(whose)) < _LEAST):
                row |= {"metrics": {}, "insufficient": subgroups.insufficient(row["n"], _LEAST, "case")}
            else:
                own = noninferiority.means(answers.right[mine], np.zeros(row["n"]), people=whose)
                row["metrics"] = {answers.figure: {"value": own.value, "low": own.low, "high": own.high}}
            rows.append(row)
    return subgroups.shown(rows)


def _of_means(new: Answers, old: Answers, mine: npt.NDArray[np.bool_]) -> Gap:
    compare = noninferiority.means if new.figure == "dice" else noninferiority.shares
    return compare(new.right[mine], old.right[mine], people=None if new.people is None else new.people[mine])


def _line(figure: str, gap: Gap, group: str) -> dict[str, Any]:
    told = {"figure": figure, "value": gap.value, "low": gap.low, "high": gap.high, "n": gap.n}
    return {"group": group, **told} if group else told
