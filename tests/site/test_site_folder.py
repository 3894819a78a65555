"""Folders, files and ZIPs that are read without an archive."""

from __future__ import annotations

import hashlib
import pickle
import zipfile
from pathlib import Path

import pytest
import trunk_study

from isocenter.site.folder import read_folder, safe_name
from isocenter.testing.phantoms import Phantom


@pytest.fixture
def trunk() -> Phantom:
    return trunk_study.trunk()


def test_a_zip_and_a_folder_give_the_same_study(trunk: Phantom, tmp_path: Path) -> None:
    folder = tmp_path / "images"
    folder.mkdir()
    with zipfile.ZipFile(tmp_path / "images.zip", "w") as made:
        for number, data in enumerate(trunk.files):
            (folder / str(number)).write_bytes(data)
            made.writestr(f"deep/{number}", data)
    (folder / "letter.txt").write_text("dear colleague")
    with read_folder(folder) as plain, read_folder(tmp_path / "images.zip") as packed:
        assert plain.studies == packed.studies
        assert len(plain.rejected) == 1
        digest = plain.studies[0].series[0].instances[0].digest
        for held in (plain, packed):
            assert hashlib.sha256(held(digest)).hexdigest() == digest
            assert pickle.loads(pickle.dumps(held))(digest) == held(digest)
    (tmp_path / "own").mkdir()
    with read_folder(tmp_path / "images.zip", base=tmp_path / "own") as packed:
        assert all(Path(place).is_relative_to(tmp_path / "own") for place in packed.paths.values())
    assert list((tmp_path / "own").iterdir()) == []


def test_a_file_of_the_same_name_and_size_elsewhere_is_not_taken(
    trunk: Phantom, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slices have one size and names repeat: who stands in another series must not be given its pixels."""
    here, there = tmp_path / "here", tmp_path / "there"
    for folder, data in ((here, trunk.files[0]), (there, bytearray(trunk.files[0]))):
        folder.mkdir()
        if folder is there:
            data[-2] ^= 0xFF
        (folder / "1.dcm").write_bytes(bytes(data))
    monkeypatch.chdir(here)
    with read_folder(there) as held:
        digest = held.studies[0].series[0].instances[0].digest
        assert hashlib.sha256(held(digest)).hexdigest() == digest
        assert Path(held.paths[digest]) == there / "1.dcm"  # read where it lies, not copied


def test_a_strangers_name_of_a_file_leads_nowhere() -> None:
    names = ("a/../../etc/passwd", "..\\..\\boot.ini", "Leber 1.nii.gz", "..", "", "x" * 99)
    assert [safe_name(n) for n in names] == ["passwd", "boot.ini", "Leber_1.nii.gz", "_", "_", "x" * 60]
