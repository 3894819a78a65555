"""The command analyse: several names, paths that are not there, and the study that an answer is about."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

import commands
from isocenter.analysis.weights import models
from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.testing.phantoms import balls, chest, coronary, pet_ct


def test_two_names_give_two_answers_each_of_its_study(tmp_path: Path) -> None:
    made = balls.patient()
    for number, data in enumerate(made.files):
        (tmp_path / f"{number}").write_bytes(data)
    told = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "pet_uptake", "--only", "volumetry", "--json"])
    rows = json.loads(told.stdout)
    assert [(r["analysis"], r["answer"]) for r in rows] == [("pet_uptake", "declined"), ("volumetry", "declined")]
    assert {r["study_uid"] for r in rows} == {made.truth["study_uid"]}
    told = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "volumetry,pet_uptake,volumetry", "--json"])
    assert [r["analysis"] for r in json.loads(told.stdout)] == ["volumetry", "pet_uptake"]


def test_a_process_of_an_analysis_does_not_read_the_program_again(tmp_path: Path) -> None:
    """Each read the script that was started, and imported every command: 0.1 s of the processor for each analysis."""
    script, folder = tmp_path / "isocenter", tmp_path / "images"
    script.write_text(
        "print('read', flush=True)\nfrom isocenter.cli import main\nif __name__ == '__main__':\n    main()\n"
    )
    folder.mkdir()
    for number, data in enumerate(balls.patient().files):
        (folder / f"{number}").write_bytes(data)
    command = [sys.executable, str(script), "analyse", str(folder), "--only", "volumetry,image_quality", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert done.stdout.count("read") == 1 and "image_quality" in done.stdout


def test_an_analysis_of_an_outline_on_a_series_names_both(tmp_path: Path) -> None:
    for number, data in enumerate(pet_ct.patient().files):
        (tmp_path / f"{number}").write_bytes(data)
    told = CliRunner().invoke(app, ["why", str(tmp_path)]).stdout
    assert re.search(r"^body_composition, series \d+ CT .* with \d+ RTSTRUCT .*: can run$", told, re.MULTILINE), told


def test_a_path_that_is_not_there_is_not_taken_for_a_study() -> None:
    for command in ("analyse", "why"):
        with pytest.raises(NotFound, match="no such file or folder"):
            CliRunner().invoke(app, [command, "no such folder"], catch_exceptions=False)


def test_a_sites_own_models_are_used_without_an_archive_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its record stands before the one that ships; that its file is missing must not go unnoticed."""
    own = tmp_path / "models" / "chest_xray_opacity"
    own.mkdir(parents=True)
    card = Path(__file__).parents[2] / "models" / "chest_xray_opacity" / "model.json"
    (own / "model.json").write_bytes(card.read_bytes())
    (tmp_path / "film.dcm").write_bytes(chest.patient().files[0])
    monkeypatch.setenv("ISOCENTER_MODELS", str(own.parent))
    told = CliRunner().invoke(app, ["analyse", str(tmp_path / "film.dcm"), "--only", "chest_xray_opacity", "--json"])
    (row,) = json.loads(told.stdout)
    assert row["answer"] == "declined"
    assert "Put model.onnx and model.json into chest_xray_opacity in that folder" in row["reasons"][0]


def test_the_map_of_a_film_is_written_over_it_and_named_as_sensitivity(tmp_path: Path) -> None:
    film, out = tmp_path / "film.dcm", tmp_path / "out"
    film.write_bytes(chest.patient(opacity="right lower").files[0])
    command = ["analyse", str(film), "--only", "chest_xray_opacity", "--json", "--out", str(out)]
    (row,) = json.loads(CliRunner().invoke(app, command).stdout)
    assert row["answer"] == "found"
    assert [(m["name"], m["kind"]) for m in row["maps"]] == [("opacity_sensitivity", "sensitivity")]
    written = {"".join(f.suffixes[-3:]): f for f in out.rglob("*.map.opacity_sensitivity.*")}
    assert {f.suffix for f in written.values()} == {".png", ".svg"} and not list(out.rglob("left-out.txt"))
    (figure,) = out.rglob("*.map.opacity_sensitivity.svg")
    assert "Where the model was sensitive: no explanation and no outline" in figure.read_text("utf-8")


MINE = Path(__file__).parents[1] / "analysis" / "strange_analyses.py"


@pytest.mark.parametrize("name", ["my_bright.py:Bright", "my_bright:Bright"])
def test_a_strangers_file_is_checked_where_it_lies(name: str, tmp_path: Path) -> None:
    (tmp_path / "my_bright.py").write_text(MINE.read_text("utf-8"), "utf-8")
    command = [sys.executable, "-P", "-m", "isocenter", "check", name, "--json"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    told = json.loads(done.stdout)
    assert {"opens with its question", "needs are declared"} <= {c["name"] for c in told["checks"]}, done.stderr


@pytest.mark.parametrize(
    ("name", "text", "refusal"),
    [
        ("none_such.py", None, "no such file. Check the path"),
        ("random.py", "", "Python imports something else. Give the file another name"),
        ("not-a-name.py", "", "Give the file another name"),
        ("broken_syntax.py", "class (", "SyntaxError.*Mend it"),
        ("empty_of_any.py", "", "holds 0 analyses"),
    ],
)
def test_a_file_that_is_no_analysis_is_refused(
    name: str, text: str | None, refusal: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "path", list(sys.path))
    if text is not None:
        (tmp_path / name).write_text(text, "utf-8")
    with pytest.raises((NotFound, Refused), match=refusal):
        CliRunner().invoke(app, ["check", str(tmp_path / name)], catch_exceptions=False)


def test_words_tell_two_volumes_of_one_thing_apart(tmp_path: Path) -> None:
    """Each number with the definition that it follows; that an analysis declined is an answer, with exit code 0."""
    for number, data in enumerate(coronary.patient().files):
        (tmp_path / f"{number}").write_bytes(data)
    command = ["analyse", str(tmp_path), "--only", "coronary_calcium"]
    told = CliRunner().invoke(app, command).stdout
    for said in ("Agatston, area x weight x spacing / 3 mm", "pixels counted x slice distance", "isotropic, Callister"):
        assert f"({said})" in told
    declined = CliRunner().invoke(app, [*command, "--set", "heart=drawn", "--json"])
    assert declined.exit_code == 0 and [r["answer"] for r in json.loads(declined.stdout)] == ["declined"]


def test_words_tell_studies_and_series_apart_and_no_more_than_what_was_asked_of_these_images(tmp_path: Path) -> None:
    for number, data in enumerate([*balls.patient().files[:4], chest.patient().files[0]]):
        (tmp_path / f"{number}").write_bytes(data)
    told = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "image_quality"]).stdout.splitlines()
    heads = [line for line in told if re.search(r"\d\.\d+\.\d+$", line)]
    assert len(heads) == 2 and "Number of grey levels" in "\n".join(told)
    assert not any(unit in line for line in told for unit in ("{arbitrary}", "{counts}", "{ratio}")), told
    told = CliRunner().invoke(app, ["why", str(tmp_path)]).stdout.splitlines()
    assert [line for line in told if re.search(r"\d\.\d+\.\d+$", line)] == heads


def test_of_analyses_of_other_images_only_their_number_is_told(tmp_path: Path) -> None:
    (tmp_path / "film.dcm").write_bytes(balls.patient().files[0])
    told = CliRunner().invoke(app, ["analyse", str(tmp_path)]).stdout
    assert re.search(r"\d+ of \d+ analyses need images that are not here: `isocenter why .*` tells", told)
    assert "needs mammogram" not in told and "because needs" not in told
    assert "needs mammogram" in CliRunner().invoke(app, ["why", str(tmp_path)]).stdout


def test_a_folder_without_images_and_one_whose_images_are_all_refused_are_told_apart(tmp_path: Path) -> None:
    for command in ("analyse", "why"):
        with pytest.raises(Refused, match="there is no image in it"):
            CliRunner().invoke(app, [command, str(tmp_path)], catch_exceptions=False)
    (tmp_path / "letter.txt").write_text("Dear colleague")
    for command in ("analyse", "why"):
        with pytest.raises(Refused, match="what was wrong with each file stands above"):
            CliRunner().invoke(app, [command, str(tmp_path)], catch_exceptions=False)


def test_a_parameter_goes_to_the_analyses_that_have_it_and_one_that_none_has_is_refused(tmp_path: Path) -> None:
    made = balls.patient()
    for number, data in enumerate(made.files):
        (tmp_path / f"{number}").write_bytes(data)
    archive = ["--folder", str(tmp_path / "archive")]
    CliRunner().invoke(app, ["receive", str(tmp_path), *archive])
    both = ["--only", "pet_uptake,image_quality", "--json"]
    for what in (str(tmp_path), made.truth["study_uid"]):
        told = CliRunner().invoke(
            app, ["analyse", what, *both, "--set", "strict=yes", *archive], catch_exceptions=False
        )
        reasons = [reason for row in json.loads(told.stdout) for reason in row["reasons"]]
        assert not [reason for reason in reasons if "strict" in reason], "pet_uptake has no such parameter"
        with pytest.raises(Refused, match="parameter 'nosuch': none of the analyses that are asked has it"):
            CliRunner().invoke(app, ["analyse", what, *both, "--set", "nosuch=1", *archive], catch_exceptions=False)
        one = ["analyse", what, "--only", "image_quality", "--set", "nosuch=1", *archive]
        with pytest.raises(Refused, match="image_quality has strict"):
            CliRunner().invoke(app, one, catch_exceptions=False)


def test_the_page_on_writing_an_analysis_holds_one_that_passes_and_runs_on_a_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    page = (Path(__file__).parents[2] / "docs" / "do" / "write-an-analysis.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    (tmp_path / "my_bright.py").write_text(code, "utf-8")
    image = str(get_testdata_file("CT_small.dcm"))
    for words in (["check", "my_bright.py"], ["analyse", image, "--only", "my_bright.py", "--set", "above=500"]):
        done = commands.run(*words, "--json")
        assert done.returncode == 0, done.stderr
        told = json.loads(done.stdout)
        if words[0] == "check":
            assert told["passed"] and len(told["checks"]) >= 20
        else:
            assert [(row["analysis"], row["answer"]) for row in told] == [("bright_voxels", "found")]
            assert told[0]["findings"][0]["measurements"][0]["value"] == pytest.approx(0.984, abs=0.01)


def test_an_analysis_that_asks_a_model_of_ones_own_is_checked_with_that_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = (Path(__file__).parents[2] / "docs" / "do" / "write-an-analysis.md").read_text("utf-8")
    (code,) = re.findall(r"^```python\n(.*?)^```$", page, re.DOTALL | re.MULTILINE)
    for old, new in (
        ('"bright_voxels", "1"\n', '"bright_voxels", "1"\n    weights = "spots"\n'),
        ("= 1000.0) ->", "= 1000.0, weights: Any = None) ->"),
        ("        if image.unit", "        assert weights.get_inputs(), 'an open session'\n        if image.unit"),
    ):
        assert code.count(old) == 1
        code = code.replace(old, new)
    (tmp_path / "my_asker.py").write_text(code, "utf-8")
    spots = shutil.copytree(models()["breastmnist"][1].parent, tmp_path / "shelf" / "spots")
    record = json.loads((spots / "model.json").read_text("utf-8"))
    (spots / "model.json").write_text(json.dumps({**record, "name": "spots"}), "utf-8")
    monkeypatch.chdir(tmp_path)
    without = json.loads(commands.run("check", "my_asker.py", "--json").stdout)
    assert any("the weights 'spots' are not there" in one["words"] for one in without["checks"])
    monkeypatch.setenv("ISOCENTER_MODELS", str(tmp_path / "shelf"))
    told = json.loads(commands.run("check", "my_asker.py", "--json").stdout)
    assert told["passed"], [one for one in told["checks"] if not one["passed"]]
