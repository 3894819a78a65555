"""Earlier rows of a table, or pictures of several findings, mixed in among new ones."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import numpy as np

from isocenter import wholly
from isocenter.errors import Refused
from isocenter.learn.examples import numbered
from isocenter.learn.grades_from_readings import table_text
from isocenter.learn.rehearsed_pairs import asked, noted

__all__ = ["rehearsed_rows"]

_TABLES = ("labels.csv", "rows.csv")
_PERSON, _FILE = "person", "file"


def rehearsed_rows(out: Path, old: Path, share: float, seed: int = 0) -> int:
    """Add older rows, with the pictures beside them, to those of new examples; the same draw for the same seed.

    Args:
        out, old: folders of `rows_from_readings`, or of `grades_from_readings` for several findings; of one recipe.
        share: part of the whole that the old ones shall be, below 1.

    Returns:
        How many were added. They count as they did, and those of a person stay together, apart from all new ones.

    Raises:
        NotFound: no examples lie in `old`. Refused: a share out of range, or examples of other classes or columns.
    """
    report, earlier = asked(out, old, share)
    name = next(table for table in _TABLES if (out / table).is_file())
    if not (old / name).is_file() or report.get("columns") != earlier.get("columns"):
        raise Refused(f"'{old}' has no {name} of the same columns", "its values may be of something else",
                      "name earlier examples of the same recipe")  # fmt: skip
    new, before = _read(out / name), _read(old / name)
    kept = _read(old / "examples.csv")
    if new[0] != before[0] or len(before) != len(kept):
        raise Refused(f"{name} in '{old}'", "its columns, or its number of rows, are not those of its examples",
                      "name earlier examples of the same recipe")  # fmt: skip
    head, people = new[0], numbered([row[new[0].index(_PERSON)] for row in before[1:]])
    wanted = round(report["n"] * share / (1 - share))
    chosen = sorted(np.random.default_rng(seed).permutation(len(people))[:wanted].tolist())
    added = []
    for k in chosen:
        row, told = list(before[k + 1]), dict(zip(kept[0], kept[k + 1], strict=True))
        whose = f"person{people[k] + report['people']:06d}"
        row[head.index(_PERSON)] = whose
        told |= {"mode": "earlier", "readers": "", "time": "", "file": f"row {len(new)}"}
        if _FILE in head:
            there = Path(row[head.index(_FILE)])
            here = there.with_name(f"{whose}_earlier_{k:06d}{there.suffix}")
            shutil.copyfile(old / there, out / here)
            row[head.index(_FILE)] = here.as_posix()
        if name == _TABLES[0]:
            told["file"] = row[head.index(_FILE)]
        new.append(row)
        added.append(told)
    wholly.write(out / name, table_text(new))
    noted(out, old, added, report, earlier, (share, seed))
    return len(added)


def _read(file: Path) -> list[list[str]]:
    with file.open(newline="", encoding="utf-8") as text:
        return list(csv.reader(text))
