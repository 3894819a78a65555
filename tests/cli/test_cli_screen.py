"""What a command prints: no value of a stranger's file steers the terminal, in words, tables, refusals or JSON."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from typer import Context
from typer.testing import CliRunner

from isocenter.cli import _refuse as refuse
from isocenter.cli import app, everything, plainly
from isocenter.cli.columns import in_columns
from isocenter.cli.screen import Screen, harmless, json_text, paged
from isocenter.errors import NotFound
from isocenter.site.watching import Watching
from isocenter.store.index import Index

STEERING = "A\x1b[2J\x1b]0;own\x07\x9b31m\u202egpj\r\b\x7f^B"


def test_what_would_steer_a_terminal_is_shown_as_its_number_and_ends_of_lines_stay() -> None:
    assert harmless("two\nlines\tof Ärzte, 山田^太郎 and ‎עברית") == "two\nlines\tof Ärzte, 山田^太郎 and ‎עברית"
    assert harmless(STEERING) == r"A\x1b[2J\x1b]0;own\x07\x9b31m\u202egpj\x0d\x08\x7f^B"
    assert json.loads(json_text({"name": STEERING})) == {"name": STEERING}, "JSON says the same as before"
    assert not set(json_text({"name": STEERING})) & set("\x1b\x07\x9b\x7f\u202e")


def test_words_tables_titles_and_warnings_do_not_steer(capsys: pytest.CaptureFixture[str]) -> None:
    screen = Screen(False)
    screen.say(f"patient {STEERING}")
    screen.warn(f"no answer of {STEERING}")
    screen.table(f"one of {STEERING}", ("patient",), [(STEERING,)])
    told = capsys.readouterr()
    assert not set(told.out + told.err) & set("\x1b\x07\x9b\x7f\u202e\r\b")
    assert told.out.count("[2J") == 3 and "[2J" in told.err, "what was there is shown and not dropped"


def test_no_line_of_a_table_ends_in_blanks(capsys: pytest.CaptureFixture[str]) -> None:
    Screen(False).table("two", ("patient", "words"), [("a", "long words"), ("patient b", ""), ("c", "short")])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split() for line in lines] == [
        ["two"], ["patient", "words"], ["a", "long", "words"], ["patient", "b"], ["c", "short"],
    ]  # fmt: skip
    assert not any(line.endswith(" ") for line in lines) and lines[2].index("long") == lines[4].index("short")


def test_an_identifier_leaves_a_pipe_in_one_piece_and_words_are_broken_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    uid = "1.2.826.0.1.3680043.8.498." + "7" * 38
    rows = [("soon", "word " * 60, "山田 花子", uid), ("routine", "short", "two\nlines", uid)]
    Screen(False).table("", ("level", "words", "name", "uid"), rows)
    told = capsys.readouterr().out
    lines = told.splitlines()
    assert told.count(uid) == 2 and max(map(len, lines)) <= 240
    at = lines[0].index("uid")
    assert lines[1].index(uid) == at - 4 and lines[3].index(uid) == at, "four letters that are two cells wide each"
    assert lines[4].split() == ["lines"]
    assert max(len(line) for line in in_columns([("name", "uid"), ("a b " * 9, uid)], 60)) <= 60, "nor is a terminal"
    assert list(in_columns([("a", "b"), ("", "x")], 9)) == ["a  b", "   x"]


def test_a_help_names_no_kind_of_value_behind_a_flag_and_ends_its_lines_at_the_end(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    for name, command in everything().items():
        with Context(plainly(command), info_name=name, help_option_names=["-h", "--help"]) as told:
            print(command.get_help(told))
    said = capsys.readouterr().out
    assert "<bool>" not in said and "--json" in said
    assert "beside `out`, named OUT-examples: a model is handed on" in said


def test_a_file_whose_every_word_steers_is_listed_and_refused_without(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    made.PatientName, made.PatientID, made.StudyDescription = "A\x1b[2J^B", "P\x1b[31m", "D\x1b]0;own\x07"
    out = io.BytesIO()
    made.save_as(out)
    (tmp_path / "\x1b[2J.dcm").write_bytes(out.getvalue())
    (tmp_path / "\x1b[2Jbad.dcm").write_bytes(out.getvalue()[:3000])
    for words in (["receive", str(tmp_path)], ["studies"], ["studies", "--json"]):
        told = CliRunner().invoke(app, [*words, "--folder", str(tmp_path / "archive")]).output
        assert "[2J" in told and not set(told) & set("\x1b\x07"), words
    for words in ([], ["--json"]):
        monkeypatch.setattr(sys, "argv", ["isocenter", *words])
        refuse(NotFound(f"study {STEERING}", "the archive has none of that UID", "look at the list"))
        said = capsys.readouterr()
        assert "[2J" in said.err and not set(said.out + said.err) & set("\x1b\x07\x9b")


def test_a_list_of_studies_asks_for_its_rows_and_for_no_study_whole(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ["--folder", str(tmp_path / "archive")]
    CliRunner().invoke(app, ["receive", str(get_testdata_file("CT_small.dcm", download=False)), *folder])
    monkeypatch.setattr(Index, "study", lambda self, uid: pytest.fail("a whole study"))
    told = CliRunner().invoke(app, ["studies", *folder]).output.splitlines()
    assert told[0] == "1 of 1 study" and told[1].split() == ["date", "patient", "study", "kind", "images", "uid"]
    assert told[2].startswith("2004-01-19  CompressedSamples, CT1 (1CT1)  e+1    CT    1       1.3.6.1.4.1.5962.1.2.1.")


def test_a_page_of_a_list_says_how_it_goes_on_and_an_empty_list_what_would_be_in_it(tmp_path: Path) -> None:
    assert paged(50, 51, 0, "51 links", none="none yet") == "50 of 51 links; --offset 50 goes on"
    assert paged(1, 51, 50, "51 links", none="none yet") == "1 of 51 links"
    assert paged(0, 51, 60, "51 links", none="none yet") == "0 of 51 links: the list ends before --offset 60"
    run = lambda *words: CliRunner().invoke(app, [*words, "--folder", str(tmp_path)]).output  # noqa: E731
    run("project", "found", "one")  # makes an archive
    for words, does in (
        (["links"], "isocenter share STUDY"), (["links", "--study", "1.2"], "to this study"),
        (["studies"], "isocenter receive"),
        (["orders"], "isocenter order"), (["orders", "--state", "completed"], "no order is completed"),
        (["identities"], "isocenter merge"), (["worklist"], "isocenter studies"), (["consent", "show"], "consent give"),
    ):  # fmt: skip
        assert does in run(*words), words


def test_a_watch_over_nothing_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    CliRunner().invoke(app, ["project", "found", "one", "--folder", str(tmp_path)])
    monkeypatch.setattr(Watching, "models", lambda self, who: [])
    assert "there is nothing to watch" in CliRunner().invoke(app, ["watch", "--folder", str(tmp_path)]).output
    chart = {"chart": "agreement", "cases": 300, "usual": 0.18, "sum": 259, "limit": 243, "delays": []}
    charts = [{**chart, "alarm": {"case": 270}}]
    told = {"model": "m", "studies": 400, "cases": 400, "nobody": 0, "baseline": 100, "needed": 0, "charts": charts}
    told |= {"false_alarms": {"declared": "few"}, "alarms": ["agreement"], "on_alarm": "stop it"}
    monkeypatch.setattr(Watching, "models", lambda self, who: [told])
    said = CliRunner().invoke(app, ["watch", "--folder", str(tmp_path)], env={"COLUMNS": "200"})
    assert said.exit_code == 1 and "cases after 100" in said.output, "which cases are counted in the column"
    assert "alarm at case 270 of 400" in said.output, "and in the alarm, from the first on"
