"""The main job as a newcomer meets it: one command, then open, correct, sign, print and explain, each a process.

The demonstration is started as one types it; what follows is forked from a process that has loaded the libraries.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import commands


def isocenter(*words: str, folder: Path | None = None, code: int = 0) -> Any:
    """Run a command with --json; its answer."""
    where = ["--folder", str(folder)] if folder else []
    return told(commands.run(*words, *where, "--json", ISOCENTER_FOLDER=""), code)


def told(done: subprocess.CompletedProcess[str], code: int = 0) -> Any:
    assert done.returncode == code, (done.stdout, done.stderr)
    assert "Traceback" not in done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """The demonstration, run once from nothing."""
    folder = tmp_path_factory.mktemp("demo") / "archive"
    return folder, told(
        subprocess.run(
            [sys.executable, "-m", "isocenter", "demo", "--headless", "--folder", str(folder), "--json"],
            capture_output=True, text=True, timeout=240, check=False, env=os.environ | {"ISOCENTER_FOLDER": ""},
        )
    )  # fmt: skip


def test_the_ledger_adds_up_and_everything_was_answered(house: tuple[Path, dict[str, Any]]) -> None:
    _, closing = house
    ledger = closing["ledger"]
    assert ledger["expected"] == ledger["stored"] > 100
    assert ledger["there"] == ledger["conflict"] == ledger["rejected"] == 0
    assert closing["analyses"]["waiting"] == 0
    assert closing["analyses"]["found"] >= 4
    assert closing["drafts"] == closing["studies"]
    assert 0 < closing["of_other_images"] < closing["analyses"]["declined"]
    assert closing["declined"]
    assert not [r for r in closing["declined"] if "this study has" in r["reason"]], (
        "what is about other images is counted"
    )


def test_the_second_start_finds_everything_there(house: tuple[Path, dict[str, Any]]) -> None:
    folder, first = house
    again = isocenter("demo", "--headless", folder=folder)
    assert again["ledger"]["stored"] == 0
    assert again["ledger"]["there"] == first["ledger"]["stored"]
    assert again["analyses"] == first["analyses"]


def test_no_secret_is_readable_by_others_and_none_is_printed(house: tuple[Path, dict[str, Any]]) -> None:
    folder, closing = house
    secret = folder / "secrets" / "admin"
    assert secret.stat().st_mode & 0o077 == 0
    assert secret.read_text().strip() not in json.dumps(closing)


def test_urgent_studies_are_on_top_with_their_reason(house: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = house
    rows = isocenter("worklist", folder=folder)["rows"]
    plain = isocenter("worklist", "--no-ai", folder=folder)["rows"]
    assert rows[0]["patient"]["id"].startswith("ISO-DEMO")
    assert rows[0]["why"].startswith("raised by AI, moved up")
    assert "opacity" not in json.dumps(rows).lower(), "triage says how urgent, not what it is"
    assert sorted(r["study"] for r in rows) == sorted(r["study"] for r in plain)
    assert all("AI" not in r["why"] for r in plain)
    page = isocenter("worklist", "--limit", "2", "--offset", "1", folder=folder)
    assert [r["study"] for r in page["rows"]] == [r["study"] for r in rows[1:3]]


def test_a_study_is_opened_corrected_signed_printed_and_explained(
    house: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    folder, _ = house
    study = isocenter("worklist", folder=folder)["rows"][0]["study"]
    opened = isocenter("open", study, folder=folder)
    assert opened["reading"]["state"] == "open"
    assert opened["findings"] == [], "one's own opinion comes first"
    early = isocenter("sign", study, folder=folder, code=2)
    assert "first opinion" in early["error"]["what"]
    locked = isocenter("lock", study, "--nothing", folder=folder)
    assert locked["reading"]["locked"]
    findings = locked["findings"]
    assert findings
    refused = isocenter("sign", study, folder=folder, code=2)
    assert "undecided" in refused["error"]["what"]
    for finding in findings:
        isocenter("correct", study, finding["tracking"], "kept", folder=folder)
    signed = isocenter("sign", study, folder=folder)["reading"]
    assert signed["state"] == "signed"
    pdf = tmp_path / "report.pdf"
    report = isocenter("report", study, "--pdf", str(pdf), folder=folder)
    assert pdf.read_bytes().startswith(b"%PDF")
    assert report["digest"]
    chain = isocenter("explain", findings[0]["tracking"], folder=folder)
    assert chain["signatures"]
    said = [r["said_by"]["kind"] for r in chain["results"]]
    assert said == ["person", "machine"], "what was signed first, and then what the machine had said"
    assert all(i["still_as_received"] for r in chain["results"] for i in r["inputs"])
    kinds = [e["kind"] for e in chain["events"]]
    assert kinds.index("InstancesReceived") < kinds.index("ResultMade") < kinds.index("ReportSigned")
    again = isocenter("sign", study, folder=folder, code=2)
    assert again["error"]["kind"] in ("WrongState", "Conflict")


def test_a_finding_is_explained_down_to_its_voxels(house: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = house
    trunk = next(r for r in isocenter("worklist", folder=folder)["rows"] if r["patient"]["name"] == "PHANTOM^TRUNK")
    told = isocenter("explain", trunk["study"], folder=folder)
    places = [f["where"] for r in told["results"] for f in r["findings"] if f["where"]]
    assert places
    for place in places:
        assert place["series_uid"] in {read["series"] for r in told["results"] for read in r["inputs"]}
        assert all(first < end for first, end in zip(*place["bounds"], strict=True))
    words = commands.run("explain", trunk["study"], "--folder", str(folder))
    assert re.search(r"voxels \d+ to \d+, \d+ to \d+, \d+ to \d+ from 0; centre \(.+\) mm", words.stdout)


def test_why_says_what_is_missing_in_words(house: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = house
    study = isocenter("studies", folder=folder)["studies"][0]["StudyInstanceUID"]
    rows = isocenter("why", study, folder=folder)["analyses"]
    declined = [r for r in rows if r["answer"] == "declined"]
    assert declined
    assert all(reason.startswith("needs ") or len(reason) > 20 for r in declined for reason in r["reasons"])


def test_images_of_the_demonstration_stay_and_an_export_of_ones_own_carries_no_name(
    house: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from isocenter.testing.phantoms import chest
    from isocenter.testing.phantoms.patient import Person

    folder, _ = house
    row = next(r for r in isocenter("worklist", folder=folder)["rows"] if r["patient"]["name"] == "PHANTOM^TRUNK")
    for way in (["export", row["study"], str(tmp_path / "out")], ["share", row["study"]]):
        stays = isocenter(*way, folder=folder, code=2)["error"]
        assert "demonstration" in stays["what"] and "images of your own" in stays["do"]
    assert not (tmp_path / "out").exists()

    images = tmp_path / "own"
    images.mkdir()
    own = chest.patient(seed=1, opacity="", person=Person("OWN-77", "QUXLEY^OWN", "F", "20230105", 0.96, 14.5))
    for number, data in enumerate(own.files):
        (images / f"{number}.dcm").write_bytes(data)
    mine = tmp_path / "archive"
    isocenter("receive", str(images), folder=mine)
    (study,) = (row["StudyInstanceUID"] for row in isocenter("studies", folder=mine)["studies"])
    isocenter("consent", "give", "GRU", "--patient", "OWN-77", folder=mine)
    done = isocenter("export", study, str(tmp_path / "out"), "--reason", "a second opinion", folder=mine)
    files = list((tmp_path / "out").glob("*.dcm"))
    assert len(files) == done["written"] == len(own.files) and (tmp_path / "out" / "report.json").exists()
    planted = [b"QUXLEY", b"OWN-77", study.encode()]
    assert not [f.name for f in files for word in planted if word in f.read_bytes()]
    refused = isocenter("export", study, str(tmp_path / "out"), folder=mine, code=2)
    assert "not empty" in refused["error"]["why"]


def test_the_journal_is_whole_and_the_index_can_be_made_again(house: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = house
    before = isocenter("worklist", folder=folder)["rows"]
    verified = isocenter("verify", folder=folder)
    assert verified["broken"] == []
    assert isocenter("rebuild", folder=folder)["events"] == verified["events"]
    after = isocenter("worklist", folder=folder)["rows"]
    assert [r["study"] for r in after] == [r["study"] for r in before]


def test_a_folder_is_analysed_without_any_archive_and_written_in_every_form(
    house: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    from isocenter.testing.phantoms import pet_ct

    images = tmp_path / "images"
    images.mkdir()
    for number, data in enumerate(pet_ct.patient().files):
        (images / f"{number}.dcm").write_bytes(data)
    (images / "note.txt").write_text("not an image")
    results = isocenter("analyse", str(images), "--only", "volumetry", "--out", str(tmp_path / "out"))
    assert {r["answer"] for r in results} == {"found"}
    keys = {
        "analysis",
        "version",
        "answer",
        "reasons",
        "findings",
        "measurements",
        "maps",
        "model",
        "inputs",
        "seconds",
    }
    assert keys <= set(results[0])
    written = {p.suffix for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert {".json", ".dcm", ".gz", ".stl", ".glb", ".svg"} <= written
    assert not (tmp_path / "archive").exists()
