"""Change between two Segmentations of another program: codes before names, and what is not compared."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from third_party import HERE, KIDNEY, LIVER, MASS, OLD_LIVER, SPLEEN, THERE, WHO, Part, ball, images, segmentation
from typer.testing import CliRunner

from isocenter.analysis import run as running
from isocenter.cli import app


@pytest.fixture(autouse=True)
def _in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The command gives each analysis a process of its own; all but one of these run in this one and say the same."""
    if request.function is not test_one_code_under_two_names_and_two_schemes_is_one_structure:
        monkeypatch.setattr(running, "run_apart", running.run)


def asked(folder: Path, then: Sequence[Part], now: Sequence[Part], *said: str, **other: Any) -> dict[str, Any]:
    """The answer for the later study; its frame of reference, person or modality may be others."""
    fractional = other.pop("fractional", False)
    for day, parts, how in ((0, then, {}), (60, now, other)):
        files = images(day, **how)
        files.append(segmentation(files, *parts, fractional=fractional and day == 0))
        for n, data in enumerate(files):
            (folder / f"{day}-{n}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(folder), "--only", "structure_change", "--json", *said])
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    return dict(next(r for r in results if r["study_uid"] == _later(folder)))


def _later(folder: Path) -> str:
    import pydicom

    return str(pydicom.dcmread(folder / "60-0.dcm", stop_before_pixels=True).StudyInstanceUID)


THEN = (("Segment_1", LIVER, ball(HERE, 16.0)), ("Segment_2", SPLEEN, ball(THERE, 8.0)))
NOW = (("Segment_1", SPLEEN, ball(THERE, 11.0)), ("Segment_2", LIVER, ball(HERE, 16.0)))


@pytest.mark.parametrize("frame", ["one", "another"])
def test_numbers_that_were_given_anew_are_paired_by_code(tmp_path: Path, frame: str) -> None:
    result = asked(tmp_path, THEN, NOW, frame=frame)
    spleen, liver = (f["words"] for f in result["findings"])
    assert spleen.startswith("Segment_1") and "more than the smallest detectable change" in spleen
    assert liver.startswith("Segment_2") and "(+0 %), within the error" in liver
    assert any("'Segment_1', 'Segment_2': coded as another part of the body" in r for r in result["reasons"])
    volume = next(m for m in result["findings"][0]["measurements"] if m["what"]["meaning"] == "Volume")
    assert volume["smallest_change"] > 0


def test_one_code_under_two_names_and_two_schemes_is_one_structure(tmp_path: Path) -> None:
    then, now = (("liver", OLD_LIVER, ball(HERE, 16.0)),), (("Leber", LIVER, ball(HERE, 16.0)),)
    (found,) = asked(tmp_path, then, now, frame="another")["findings"]
    assert "Leber" in found["words"] and "(+0 %), within the error" in found["words"]


def test_a_fraction_counts_from_one_half_beside_a_binary_one(tmp_path: Path) -> None:
    then, now = (("a", MASS, ball(HERE, 14.0, soft=True)),), (("a", MASS, ball(HERE, 14.0)),)
    (found,) = asked(tmp_path, then, now, fractional=True)["findings"]
    assert "within the error" in found["words"]


@pytest.mark.parametrize(
    ("now", "other", "words"),
    [
        ((("Segment_1", KIDNEY, ball(HERE, 14.0)),), {}, "their codes name other parts of the body"),
        ((("Segment_1", LIVER, ball(HERE, 14.0)),), {"modality": "MR"}, "outlines on CT then and on MR now"),
        (THEN, {"who": replace(WHO, born="19500101")}, "no earlier study of this patient is here"),
        (THEN, {"who": replace(WHO, sex="M")}, "no earlier study of this patient is here"),
        (THEN, {"who": replace(WHO, id="OTHER")}, "no earlier study of this patient is here"),
    ],
)
def test_other_structures_modalities_and_people_are_not_compared(
    tmp_path: Path, now: Sequence[Part], other: dict[str, Any], words: str
) -> None:
    result = asked(tmp_path, THEN[:1], now, **other)
    assert result["answer"] == "declined" and words in result["reasons"][0]


def test_two_modalities_are_compared_where_a_person_says_so(tmp_path: Path) -> None:
    same = THEN[:1]
    result = asked(tmp_path, same, same, "--set", "across_modalities=yes", modality="MR")
    assert "within the error" in result["findings"][0]["words"]


def test_what_takes_the_place_of_another_part_of_the_body_is_new(tmp_path: Path) -> None:
    now = (("Segment_1", LIVER, ball(HERE, 16.0)), ("Segment_2", KIDNEY, ball(THERE, 8.0)))
    said = sorted(f["words"].split(":")[1] for f in asked(tmp_path, THEN, now)["findings"])
    assert any("not outlined now" in w for w in said)
    assert any(", new." in w for w in said) and len(said) == 3
