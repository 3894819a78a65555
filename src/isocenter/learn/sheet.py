"""A table of text as spreadsheets write it: in several encodings, and with one of three separators."""

from __future__ import annotations

import csv
from pathlib import Path

from isocenter.errors import Refused

__all__ = ["read_sheet", "separator", "sheet_text"]

_MARKED = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def sheet_text(path: Path) -> str:
    """The text of a file: UTF-8, what is marked as UTF-16, or else Windows-1252, in which older spreadsheets write.

    A guess does no harm: a name of a file or class that it reads wrongly is found nowhere, and is refused.

    Raises:
        Refused: when it is no text.
    """
    data = path.read_bytes()
    marked = _MARKED.get(data[:2])
    for encoding in (marked,) if marked else ("utf-8-sig", "cp1252"):
        try:
            text = data.decode(encoding)
        except UnicodeDecodeError as e:
            why = str(e)[:120]
        else:
            if "\0" not in text:
                return text
            why = "there are zero bytes in it"
    raise Refused(f"{path.name} is no text", why, "save the table as CSV in UTF-8")


def separator(first: str) -> str:
    """What separates the cells of a table, told by its first line: a semicolon, a tab, or else a comma."""
    return next((m for m in (";", "\t") if m in first), ",")


def read_sheet(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a table, whose first line names them, and its rows by column.

    Cells that are not there are empty.

    Raises:
        Refused: when it is no text, a column is named twice, or a row has more cells than there are columns.
    """
    lines = [line for line in sheet_text(path).splitlines() if line.strip()]
    try:
        table = csv.DictReader(lines, delimiter=separator(lines[0] if lines else ""), restval="")
        columns, rows = list(table.fieldnames or ()), list(table)
    except csv.Error as e:
        raise Refused(f"{path.name} is no table", str(e)[:120], "save it as CSV in UTF-8") from e
    if twice := next((c for c in columns if c.strip() and columns.count(c) > 1), ""):
        raise Refused(f"the column '{twice:.80}' stands twice in {path.name}", "which of them is meant?", "leave one")
    for number, row in enumerate(rows, 1):
        if any(row.pop(None, ())):
            raise Refused(f"row {number} of {path.name} has {len(columns)} cells and more", "where does each belong?",
                          "put cells that hold a separator in quotes")  # fmt: skip
    return columns, rows
