"""The commands of keeping, as they are typed: a rehearsal of the worst day."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from pydicom.data import get_testdata_file
from test_cli_trust import asked

from isocenter.cli.keeping import moment
from isocenter.errors import Conflict, NotFound, Refused, Unavailable


def test_an_archive_that_burnt_is_there_again(tmp_path: Path) -> None:
    archive, copy, again = str(tmp_path / "archive"), str(tmp_path / "copy"), str(tmp_path / "again")
    for name in ("CT_small.dcm", "MR_small.dcm"):
        asked("receive", str(get_testdata_file(name)), "--folder", archive)
    done = asked("backup", copy, "--folder", archive)
    assert (done["blobs"], done["new_blobs"], done["damaged"]) == (2, 2, [])
    tried = asked("backup", copy, "--rehearse", "--folder", archive)["rehearsed"]
    assert (tried["entries"], tried["blobs"], tried["missing"]) == (done["entries"] + 1, 2, [])
    lost = next(one for one in (tmp_path / "copy" / "blobs").rglob("*") if one.is_file())
    held = lost.read_bytes()
    lost.write_bytes(held[:-1] + b"!")
    assert asked("backup", copy, "--rehearse", "--folder", archive, code=1)["rehearsed"]["missing"] == [lost.name]
    lost.write_bytes(held)
    done = asked("backup", copy, "--folder", archive)
    inventory = asked("studies", "--folder", archive)
    shutil.rmtree(archive)
    restored = asked("restore", copy, "--folder", again)
    assert (restored["entries"], restored["hash"]) == (done["entries"], done["hash"])
    assert asked("studies", "--folder", again) == inventory
    assert asked("verify", "--folder", again)["broken"] == []
    assert asked("backup", copy, "--folder", again)["new_blobs"] == 0
    with pytest.raises(Conflict, match="an archive already"):
        asked("restore", copy, "--folder", again)
    then = asked("restore", copy, "--entry", "1", "--folder", str(tmp_path / "then"))
    assert (then["entries"], asked("studies", "--folder", str(tmp_path / "then"))["total"]) == (1, 1)
    for refused in (("--until", "2001-01-01T00:00:00Z"), ("--entry", "4711")):
        with pytest.raises(NotFound):
            asked("restore", copy, *refused, "--folder", str(tmp_path / "never"))
    assert not (tmp_path / "never").exists(), "what was refused leaves no archive in the way of the next attempt"
    for itself in ("again", "again/blobs/copy"):
        with pytest.raises(Conflict, match="the archive itself"):
            asked("backup", str(tmp_path / itself), "--folder", again)
    (tmp_path / "file").write_text("no folder")
    with pytest.raises(Unavailable, match=r"a part of the path is a file\. Name another folder"):
        asked("backup", str(tmp_path / "file" / "copy"), "--folder", again)


def test_headers_are_read_again_by_hand(tmp_path: Path) -> None:
    archive = str(tmp_path / "archive")
    for name in ("CT_small.dcm", "MR_small.dcm"):
        asked("receive", str(get_testdata_file(name)), "--folder", archive)
    nothing = {"studies": 2, "images": 2, "learnt": 0, "unread": [], "went_on_after": "", "outdated": {}}
    assert asked("reread", "--folder", archive) == nothing
    blob = next(one for one in (tmp_path / "archive" / "blobs").rglob("*") if one.is_file())
    blob.write_bytes(blob.read_bytes()[:-1])
    done = asked("reread", "--anew", "--folder", archive, code=1)
    assert (done["images"], len(done["unread"])) == (2, 1)


@pytest.mark.parametrize("text", ["yesterday", "2026-11-26T10:00:00"])
def test_a_time_must_be_one_and_say_its_zone(text: str) -> None:
    with pytest.raises(Refused, match="the time"):
        moment(text)
