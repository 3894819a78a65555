"""Tables as spreadsheets write them: encodings, separators, and what is refused."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from isocenter.errors import Refused
from isocenter.learn.kinds import Classes
from isocenter.learn.labelled import read_labelled
from isocenter.learn.sealed import read_groups
from isocenter.learn.sheet import read_sheet, sheet_text


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252", "utf-16"])
@pytest.mark.parametrize("mark", [",", ";", "\t"])
def test_a_table_is_read_as_any_spreadsheet_writes_it(tmp_path: Path, encoding: str, mark: str) -> None:
    file = tmp_path / "t.csv"
    cells = [["Datei", "label"], ["Lungenröntgen.png", "Mass|Effusion"], ["b.png", ""]]
    file.write_text("\r\n".join(mark.join(row) for row in cells) + "\r\n\r\n", encoding=encoding)
    assert read_sheet(file) == (["Datei", "label"], [
        {"Datei": "Lungenröntgen.png", "label": "Mass|Effusion"}, {"Datei": "b.png", "label": ""},
    ])  # fmt: skip


def test_a_separator_in_a_later_cell_is_no_separator(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('file,label\na.png,one;two\n"b;c.png",d\n')
    assert read_sheet(tmp_path / "t.csv")[1][1] == {"file": "b;c.png", "label": "d"}


def test_a_quote_may_follow_a_space(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text('"age", "margin"\n"67", "1, 2"\n', "utf-8")
    assert read_sheet(tmp_path / "a.csv") == (["age", "margin"], [{"age": "67", "margin": "1, 2"}])


def test_a_cell_may_hold_a_line_break_and_stays_one_row(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    file.write_bytes('file,note,site\r\na.png,"two\nlines\n\nof it",dark\r\n \r\nb.png,a\u2028b,bright\r\n'.encode())
    assert read_sheet(file)[1] == [
        {"file": "a.png", "note": "two\nlines\n\nof it", "site": "dark"},
        {"file": "b.png", "note": "a\u2028b", "site": "bright"},
    ]
    assert read_groups(file, ["b", "a"])["site"].tolist() == ["bright", "dark"]
    file.write_bytes(b"a,b\r1,2\r3,4\r")  # as an old Mac writes it
    assert read_sheet(file)[1] == [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]


def test_a_quote_that_is_not_closed_swallows_no_rows(tmp_path: Path) -> None:
    (tmp_path / "t.csv").write_text('file,note,label\na.png,"seen,dark\nb.png,seen,bright\n')
    for read in (read_sheet, lambda file: read_groups(file, ["a", "b"])):
        with pytest.raises(Refused, match=r"t\.csv is no table: a quote or a cell does not end"):
            read(tmp_path / "t.csv")


def test_what_is_no_table_is_refused_in_words(tmp_path: Path) -> None:
    file = tmp_path / "t.csv"
    for data, words in (
        (b"\x89PNG\r\n\x1a\n\x00\x00", "zero bytes"), (b"\x81\x8d", "no text"), (b"\xff\xfea", "no text"),
        (b"a,a\n1,2\n", "'a' stands twice"),
        (b"a,b\n1,2,3\n", "row 1 of t.csv has 2 cells and more"),
    ):  # fmt: skip
        file.write_bytes(data)
        with pytest.raises(Refused, match=words):
            read_sheet(file)
    file.write_bytes(b"a,b,\n1,2,,\n")
    assert read_sheet(file)[1] == [{"a": "1", "b": "2", "": ""}]
    file.write_bytes(b"")
    assert sheet_text(file) == "" and read_sheet(file) == ([], [])


def test_pictures_and_groups_are_found_by_a_table_of_an_old_spreadsheet(tmp_path: Path) -> None:
    for name, grey in (("äpfel.png", 10), ("öl.png", 200)):
        Image.fromarray(np.full((8, 8), grey, np.uint8)).save(tmp_path / name)
    (tmp_path / "t.csv").write_text("Datei;file;label\r\n1;äpfel.png;dark\r\n2;öl.png;bright\r\n", encoding="cp1252")
    how = Classes(task="grey", classes=("dark", "bright"), shape=(8, 8))
    read = read_labelled(tmp_path / "t.csv", how)
    assert read.names == ("äpfel.png", "öl.png") and read.labels.tolist() == [0, 1]
    (tmp_path / "g.csv").write_text("file;sex\r\nöl.png;F\r\näpfel.png;M\r\n", encoding="cp1252")
    assert read_groups(tmp_path / "g.csv", read.names)["sex"].tolist() == ["M", "F"]
