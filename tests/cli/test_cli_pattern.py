"""The command of patterns: results of one person, a table of groups, and what is wrong with either."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from department_for_oversight import MONDAY
from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.forms.answer import answer
from isocenter.record import Measurement, Origin, Outcome, Result, codes


def _result(study: str = "1.2.3", winding: float = 1.36) -> object:
    numbers = (
        Measurement(codes.TORTUOSITY, winding, "{ratio}", definition="path / chord"),
        Measurement(codes.CENTRE_LINE, 2000.0, "mm", definition="whole"),
    )
    return answer(Result(study, Outcome.FOUND, Origin("machine", "liver_vessels", "1"), MONDAY, measurements=numbers))


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    names = ["liver-vessels.tortuosity.path-chord", "liver-vessels.length-of-centre-lines.whole"]
    rng = np.random.default_rng(0)
    results, groups = tmp_path / "results.json", tmp_path / "groups.csv"
    results.write_text(json.dumps([_result()]))
    with groups.open("w", newline="") as text:
        table = csv.writer(text)
        table.writerow(["age", "group", *names])
        for n in range(120):
            ill, age = n % 2, rng.uniform(20, 80)
            winding = 1.1 + 0.001 * age + 0.2 * ill + rng.normal(0, 0.05)
            table.writerow([f"{age:.1f}", ("healthy", "cirrhosis")[ill], winding, rng.normal(2000, 200)])
    return results, groups


def _told(*words: object) -> object:
    found = CliRunner().invoke(app, ["pattern", *map(str, words)])
    if found.exception is not None:
        raise found.exception
    return json.loads(found.stdout) if "--json" in words else found.stdout


def test_a_pattern_is_placed_among_groups_by_age(files: tuple[Path, Path]) -> None:
    told = _told(*files, "--age", 50, "--json")
    assert isinstance(told, list)
    assert [one["group"] for one in told] == ["cirrhosis", "healthy"]
    assert told[0]["by_age"] and told[0]["typicality"] > 0.1 and told[1]["typicality"] < 0.01
    assert len(told[0]["standings"]) == 2
    words = str(_told(*files))
    assert "No diagnosis" in words and "(it has 60)" in words
    one = _told(*files, "--only", told[0]["standings"][0]["name"], "--json")
    assert isinstance(one, list) and len(one[0]["standings"]) == 1


def test_what_is_wrong_with_either_file_is_told(files: tuple[Path, Path], tmp_path: Path) -> None:
    results, groups = files
    with pytest.raises(NotFound):
        _told(tmp_path / "none.json", groups)
    with pytest.raises(Refused, match="no column 'disease'"):
        _told(results, groups, "--by", "disease")
    with pytest.raises(Refused, match="no number in common"):
        _told(results, groups, "--only", "liver-fat")
    (other := tmp_path / "other.csv").write_text("group,noise\na,1\nb,2\n")
    with pytest.raises(Refused, match=r"in common with other.csv: .*the columns are group, noise\. Name the columns"):
        _told(results, other)
    bad = tmp_path / "bad"
    bad.write_text("{")
    with pytest.raises(Refused, match="holds no answers"):
        _told(bad, groups)
    bad.write_text(json.dumps([_result(), _result("4.5.6")]))
    with pytest.raises(Refused, match="of 2 studies"):
        _told(bad, groups)
    bad.write_text(groups.read_text().replace("age,", "years,", 1))
    with pytest.raises(Refused, match="no column 'age'"):
        _told(results, bad, "--age", 50)
    lines = groups.read_text().splitlines()
    bad.write_text("\n".join([lines[0], lines[1].rsplit(",", 1)[0] + ",long", *lines[2:]]))
    with pytest.raises(Refused, match=r"'long' of liver-vessels.* in row 2"):
        _told(results, bad)
    bad.write_bytes(b"group,\xff\n")
    with pytest.raises(Refused, match="no table"):
        _told(results, bad)
