"""A table of text as spreadsheets write it: in several encodings, and with one of three separators."""

from __future__ import annotations

import csv
import io
import itertools
import re
from pathlib import Path

from isocenter.errors import Refused

__all__ = ["THERE", "YES_NO", "cells_of", "plain", "read_sheet", "sheet_text"]

YES_NO = {"true": 1, "yes": 1, "false": 0, "no": 0}
"""What the words that programs and people write for 1 and 0 mean, in lower case."""
THERE = {
    "positive": 1, "pos": 1, "present": 1, "presence": 1, "negative": 0, "neg": 0, "absent": 0, "absence": 0,
    "healthy": 0,
}  # fmt: skip
"""The same of words for a disease that is there or not."""

_MARKED = {b"\xff\xfe": "utf-16", b"\xfe\xff": "utf-16"}


def plain(word: str) -> str:
    """Letters and digits alone, small.

    >>> plain("Image Index")
    'imageindex'
    """
    return "".join(c for c in word.lower() if c.isalnum())


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
                return re.sub(r'\A"?sep=.?"?\r?\n', "", text, flags=re.IGNORECASE)  # for Excel alone
            why = "there are zero bytes in it"
    raise Refused(f"{path.name} is no text", why, "save the table as CSV in UTF-8")


def cells_of(text: str, name: str, mark: str | None = None) -> list[list[str]]:
    """The cells of a table's text, row by row, without empty lines; a cell in quotes may hold a line break.

    What separates them is `mark`, or told by the first line: a semicolon, a tab, or else a comma.

    Raises:
        Refused: when a quote is not closed: the rows behind it would stand in one cell.
    """
    first = next((line for line in text.splitlines() if line.strip()), "")
    mark = mark or next((m for m in (";", "\t") if m in first), ",")
    try:
        rows = list(csv.reader(io.StringIO(text, newline=""), delimiter=mark, strict=True, skipinitialspace=True))
    except csv.Error as e:
        raise Refused(f"{name} is no table", f"a quote or a cell does not end as it should: {e}"[:160],
                      "close the quote, or save it as CSV in UTF-8") from e  # fmt: skip
    return [row for row in rows if len(row) > 1 or "".join(row).strip()]


def read_sheet(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns of a table, whose first line names them, and its rows by column.

    Cells that are not there are empty.

    Raises:
        Refused: when it is no text, a column is named twice, or a row has more cells than there are columns.
    """
    columns, *rows = cells_of(sheet_text(path), path.name) or [list[str]()]
    if twice := next((c for c in columns if c.strip() and columns.count(c) > 1), ""):
        raise Refused(f"the column '{twice:.80}' stands twice in {path.name}", "which of them is meant?", "leave one")
    for number, row in enumerate(rows, 1):
        if any(row[len(columns) :]):
            raise Refused(f"row {number} of {path.name} has {len(columns)} cells and more", "where does each belong?",
                          "put cells that hold a separator in quotes")  # fmt: skip
    return columns, [dict(itertools.zip_longest(columns, row[: len(columns)], fillvalue="")) for row in rows]
