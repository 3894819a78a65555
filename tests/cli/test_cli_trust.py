"""The commands of trust, as they are typed."""

from __future__ import annotations

import io
import json
import shutil
import stat
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.app import open_house
from isocenter.cli import app
from isocenter.errors import NotFound, Refused
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.testing.phantoms import head

ONE = ("--workers", "1", "--reason", "a test")


def asked(*words: str, code: int = 0) -> dict:  # type: ignore[type-arg]
    done = CliRunner().invoke(app, [*words, "--json"])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


@pytest.fixture
def scans(tmp_path: Path) -> Path:
    folder = tmp_path / "scans"
    folder.mkdir()
    for name in ("CT_small.dcm", "MR_small.dcm"):
        (folder / name).write_bytes(Path(str(get_testdata_file(name))).read_bytes())
    return folder


def test_a_folder_is_deidentified_with_a_report_beside_it(scans: Path, tmp_path: Path) -> None:
    said = asked("deidentify", str(scans), "--out", str(tmp_path / "out"), *ONE)
    assert said["written"] == 2 and said["stayed"] == [] and said["secret"].startswith("destroyed")
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["attributes"] and "stayed" not in report
    for file in (tmp_path / "out").rglob("*.dcm"):
        held = pydicom.dcmread(io.BytesIO(file.read_bytes()))
        assert held.PatientIdentityRemoved == "YES" and file.stem == held.SOPInstanceUID


@pytest.mark.parametrize(("keep", "words"), [("PatientName", "still name the person"), ("PatientAgee", "no keyword")])
def test_what_may_not_be_kept_is_told_before_a_file_is_read(scans: Path, tmp_path: Path, keep: str, words: str) -> None:
    with pytest.raises(Refused, match=words):
        asked("deidentify", str(scans), "--out", str(tmp_path / "out"), "--keep", keep, *ONE)
    assert not (tmp_path / "out").exists()


def test_faces_leave_a_folder_by_default_and_stay_where_that_is_said(tmp_path: Path) -> None:
    folder = tmp_path / "heads"
    folder.mkdir()
    for number, data in enumerate(head.patient("CT", step_mm=5.0, pixel_mm=4.0).files):
        (folder / f"{number}.dcm").write_bytes(data)
    said = asked("deidentify", str(folder), "--out", str(tmp_path / "out"), *ONE)
    assert said["faces"]["objects"] == {"cut": number + 1} and said["faces"]["series"][0]["left"] == 0.0
    said = asked("deidentify", str(folder), "--out", str(tmp_path / "with"), *ONE, "--leave-faces")
    assert said["faces"]["objects"] == {"left": number + 1} and "faces" not in said["options"]


def test_a_kept_secret_repeats_the_pseudonyms_and_never_leaves_with_the_copies(scans: Path, tmp_path: Path) -> None:
    secret = tmp_path / "secret"
    names = []
    for out in ("one", "two"):
        asked("deidentify", str(scans), "--out", str(tmp_path / out), "--secret", str(secret), *ONE)
        names.append(sorted(str(f.relative_to(tmp_path / out)) for f in (tmp_path / out).rglob("*.dcm")))
    assert names[0] == names[1] and stat.S_IMODE(secret.stat().st_mode) == 0o600
    with pytest.raises(Refused, match="leave with the copies"):
        asked("deidentify", str(scans), "--out", str(tmp_path / "x"), "--secret", str(tmp_path / "x" / "key"))


def test_patients_that_stand_alone_leave_only_with_a_reason_that_is_kept(scans: Path, tmp_path: Path) -> None:
    out, ask = tmp_path / "out", ["deidentify", str(scans), "--out", str(tmp_path / "out"), "--workers", "1"]
    with pytest.raises(Refused, match=r'a group of 1 patient: .* with 4 others.*To let them leave .*--reason "…"'):
        asked(*ask)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["scans"], "nothing is left of the copies"
    with pytest.raises(Refused, match="a smallest group of 1 without a reason"):
        asked(*ask, "--smallest-group", "1")
    archive = tmp_path / "archive"
    open_house(Settings(folder=archive), make=True).close()
    said = asked(*ask, "--reason", "two patients agreed", "--folder", str(archive))
    report = json.loads((out / "report.json").read_text())
    assert said["written"] == 2 and report["smaller_groups_because"] == "two patients agreed"
    assert (report["risk"]["smallest_group"], report["risk"]["unique_rate"]) == (1, 1.0)
    house = open_house(Settings(folder=archive))
    (entry,) = house.site.journal.since(kinds=(Kind.EXPORTED,))
    house.close()
    assert entry.event.details["reason"] == "two patients agreed" and entry.event.details["smallest_group"] == 1
    assert "CompressedSamples" not in str(entry.event)
    shutil.rmtree(out)
    with pytest.raises(NotFound):
        asked(*ask, "--reason", "two patients agreed", "--folder", str(tmp_path / "none"))
    assert not out.exists(), "what no journal keeps does not leave"


def test_groups_of_five_leave_without_a_word_and_smaller_ones_are_told(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    data = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    for sex, people in (("F", 5), ("M", 4), ("O", 1)):
        for n in range(people):
            data.PatientSex, data.PatientID, uid = sex, f"{sex}{n}", f"1.2.{ord(sex)}.{n}"
            data.StudyInstanceUID, data.SeriesInstanceUID, data.SOPInstanceUID = uid, f"{uid}.1", f"{uid}.1.1"
            data.file_meta.MediaStorageSOPInstanceUID = data.SOPInstanceUID
            data.save_as(folder / f"{sex}{n}.dcm")
    ask = ["deidentify", str(folder), "--workers", "1", "--out"]
    with pytest.raises(Refused, match="a group of 1 patient"):
        asked(*ask, str(tmp_path / "out"))
    done = CliRunner().invoke(app, [*ask, str(tmp_path / "out"), "--reason", "a test", "--json"])
    assert done.exit_code == 0 and "2 groups of fewer than 5 patients" in done.stderr
    said = json.loads(done.stdout)
    assert said["risk"]["small_groups"] == {"fewer_than": 5, "groups": 2, "patients": 5}
    assert said["risk"]["unique_rate"] == 0.1 and said["warnings"][0] in done.stderr
    plain = asked(*ask, str(tmp_path / "basic"), "--option", "basic")  # neither sex nor age stands in these
    assert plain["risk"]["by"] == ["modality", "part"] and plain["risk"]["smallest_group"] == 10
    kept = asked(*ask, str(tmp_path / "where"), "--option", "institution")
    assert kept["risk"]["by"] == ["institution", "modality", "part"]
    for file in [*folder.glob("M*"), *folder.glob("O*")]:
        file.unlink()
    done = CliRunner().invoke(app, [*ask, str(tmp_path / "five"), "--json"])
    assert done.exit_code == 0 and "warning" not in done.stderr and json.loads(done.stdout)["warnings"] == []


def test_a_recipe_of_another_tool_is_followed_and_its_other_lines_are_told(scans: Path, tmp_path: Path) -> None:
    recipe = tmp_path / "deid.dicom"
    recipe.write_text("FORMAT dicom\n%header\nREMOVE Manufacturer\nREPLACE PatientID nobody\n")
    ask = ["deidentify", str(scans), "--out", str(tmp_path / "out"), "--recipe", str(recipe), *ONE]
    with pytest.raises(Refused, match=r"1 of 2 lines .*line 4 'REPLACE PatientID nobody': it names somebody"):
        asked(*ask)
    said = asked(*ask, "--partly")
    assert said["recipe"]["lines_taken"] == 1 and [x["line"] for x in said["recipe"]["lines_refused"]] == [4]
    copies = [pydicom.dcmread(file) for file in (tmp_path / "out").rglob("*.dcm")]
    assert len(copies) == 2 and not any("Manufacturer" in copy for copy in copies)


def test_the_journal_is_taken_out_signed_and_checked(scans: Path, tmp_path: Path) -> None:
    where = ["--folder", str(tmp_path / "archive")]
    asked("receive", str(scans), *where)
    heads, out = tmp_path / "heads.jsonl", tmp_path / "audit.jsonl"
    told = asked("audit", "--sign", str(heads), *where)
    asked("audit", "--out", str(out), "--form", "fhir", *where)
    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert lines and all(line["resourceType"] == "AuditEvent" for line in lines)
    assert "CompressedSamples" not in out.read_text(), "no name of a patient"
    said = asked("audit", "--check", str(heads), "--key", told["key"], *where)
    assert said["heads"] == 1 and said["entries"] > told["head"]
    with pytest.raises(Refused, match="not signed"):
        asked("audit", "--check", str(heads), "--key", told["key"][::-1], *where)
    other = CliRunner().invoke(app, ["audit", "--out", str(out), "--form", "csv", *where])
    assert other.exit_code == 2 and "is not one of 'fhir'" in other.output
    assert len(out.read_text().splitlines()) == len(lines), "what is refused empties no file"
    with pytest.raises(Refused, match="an audit of nothing"):
        asked("audit", *where)


def test_what_stays_is_named_and_a_folder_of_which_nothing_left_is_an_error(scans: Path, tmp_path: Path) -> None:
    (scans / "notes.txt").write_text("not an image")
    said = asked("deidentify", str(scans), "--out", str(tmp_path / "out"), *ONE)
    assert said["written"] == 2 and [row["file"] for row in said["stayed"]] == ["notes.txt"]
    only = tmp_path / "only"
    only.mkdir()
    (only / "notes.txt").write_text("not an image")
    asked("deidentify", str(only), "--out", str(tmp_path / "two"), *ONE, code=1)


def test_the_secret_of_pseudonyms_is_changed_and_older_ones_destroyed(tmp_path: Path) -> None:
    archive = tmp_path / "archive"
    open_house(Settings(folder=archive), make=True).close()
    one = asked("pseudonyms", "--folder", str(archive))
    secrets = archive / "secrets"
    assert one["was"] != one["now"]
    assert sorted(p.name for p in secrets.glob("pseudonyms*")) == ["pseudonyms", f"pseudonyms.{one['was']}"]
    two = asked("pseudonyms", "--destroy", "--folder", str(archive))
    assert two["was"] == one["now"] and [p.name for p in secrets.glob("pseudonyms*")] == ["pseudonyms"]
    house = open_house(Settings(folder=archive))
    assert [s.event.details["destroyed"] for s in house.site.journal.since(kinds=(Kind.PSEUDONYMS_CHANGED,))] == [
        False,
        True,
    ]
    house.close()
