"""Bad input through the front door: each file gets a sentence that says what, why and what to do; the rest goes on."""

from __future__ import annotations

import io
import json
import os
import socket
import subprocess
import sys
import warnings
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

import commands

COMMAND = [sys.executable, "-m", "isocenter"]


def run(*words: str) -> tuple[int, str, str]:
    done = commands.run(*words, seconds=120.0)
    assert "Traceback" not in done.stderr, done.stderr
    return done.returncode, done.stdout, done.stderr


def receive(folder: Path, *paths: Path) -> tuple[int, dict[str, Any]]:
    code, out, err = run("receive", *map(str, paths), "--folder", str(folder), "--json")
    assert out, err
    answer: dict[str, Any] = json.loads(out)
    return code, answer


def ct(**changes: Any) -> bytes:
    """pydicom's CT with some elements changed."""
    held = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the crooked values are meant
        for keyword, value in changes.items():
            setattr(held, keyword, value)
            if keyword == "SOPInstanceUID":
                held.file_meta.MediaStorageSOPInstanceUID = value
        buffer = io.BytesIO()
        held.save_as(buffer)
    return buffer.getvalue()


def nested(depth: int) -> bytes:
    from pydicom import Dataset, Sequence

    inner = Dataset()
    inner.PatientComments = "deep"
    for _ in range(depth):
        outer = Dataset()
        outer.add_new(0x00400555, "SQ", Sequence([inner]))
        inner = outer
    held = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    held.AcquisitionContextSequence = Sequence([inner])
    buffer = io.BytesIO()
    held.save_as(buffer)
    return buffer.getvalue()


def bomb() -> bytes:
    """A deflated file of some 500 kB that would take more than 500 MB."""
    whole = Path(str(get_testdata_file("image_dfl.dcm"))).read_bytes()
    start = 132 + 12 + int.from_bytes(whole[140:144], "little")
    body = zlib.decompress(whole[start:], -15)
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    zeros = b"\0" * 2**20
    padding = b"\x09\x00\x01\x10OB\0\0" + (540 * 2**20).to_bytes(4, "little")
    packed = packer.compress(body + padding) + b"".join(packer.compress(zeros) for _ in range(540)) + packer.flush()
    return whole[:start] + packed


CROOKED: dict[str, tuple[Callable[[], bytes], str]] = {
    "truncated": (lambda: ct()[:20_000], "bytes"),
    "empty": (lambda: b"", "empty"),
    "text": (lambda: b"this is a letter, not an image\n" * 40, "DICOM"),
    "random as if encrypted": (lambda: bytes((i * 7919 + i * i * 31) % 251 for i in range(9000)), "DICOM"),
    "a length that lies": (lambda: _lying(), ""),
    "seventy nested sequences": (lambda: nested(70), "64"),
    "deflate bomb": (bomb, ""),
    "path in a UID": (lambda: ct(SOPInstanceUID="../../etc/passwd"), "UID"),
}


def _lying() -> bytes:
    data = bytearray(ct())
    at = data.index(b"\xe0\x7f\x10\x00OW")
    data[at + 8 : at + 12] = (2**31 - 2).to_bytes(4, "little")
    return bytes(data)


def test_a_folder_of_crooked_files_ends_in_a_ledger_that_adds_up(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    for number, (make, _) in enumerate(CROOKED.values()):
        (images / f"{number:02}.dcm").write_bytes(make())
    (images / "good.dcm").write_bytes(ct())
    code, ledger = receive(tmp_path / "archive", images)
    assert code == 1
    assert ledger["stored"] == 1
    assert ledger["rejected"] == len(CROOKED)
    assert ledger["expected"] == ledger["stored"] + ledger["there"] + ledger["conflict"] + ledger["rejected"]
    said = {Path(r["file"]).name: r["reason"] for r in ledger["reasons"]}
    for number, (name, (_, word)) in enumerate(CROOKED.items()):
        reason = said[f"{number:02}.dcm"]
        assert word in reason, (name, reason)
        assert len(reason) > 20, (name, reason)
    held = [p for p in tmp_path.rglob("*") if p.name == "passwd"]
    assert held == []


def test_the_same_identity_with_other_content_is_set_aside_and_never_overwrites(tmp_path: Path) -> None:
    first, second = tmp_path / "a.dcm", tmp_path / "b.dcm"
    first.write_bytes(ct())
    second.write_bytes(ct(PatientComments="changed afterwards"))
    assert receive(tmp_path / "archive", first)[1]["stored"] == 1
    assert receive(tmp_path / "archive", first)[1]["there"] == 1
    code, ledger = receive(tmp_path / "archive", second)
    assert code == 1
    assert ledger["conflict"] == 1
    assert ledger["reasons"][0]["reason"]


def test_another_patient_in_the_same_series_is_set_aside(tmp_path: Path) -> None:
    images = tmp_path / "images"
    images.mkdir()
    (images / "1.dcm").write_bytes(ct())
    (images / "2.dcm").write_bytes(ct(SOPInstanceUID="1.2.3.4.5", PatientID="SOMEBODY-ELSE"))
    _, ledger = receive(tmp_path / "archive", images)
    assert (ledger["stored"], ledger["conflict"]) == (1, 1)


def test_a_zip_that_climbs_out_of_its_folder_writes_nothing_outside(tmp_path: Path) -> None:
    archive = tmp_path / "x" / "evil.zip"
    archive.parent.mkdir()
    with zipfile.ZipFile(archive, "w") as made:
        made.writestr("../../escaped.dcm", ct())
        made.writestr("fine.dcm", ct(SOPInstanceUID="1.2.3.4.6"))
    _, ledger = receive(tmp_path / "y" / "archive", archive)
    assert ledger["stored"] >= 1
    assert not list(tmp_path.rglob("escaped.dcm"))


def test_a_path_that_is_not_there_is_named(tmp_path: Path) -> None:
    code, _, err = run("receive", str(tmp_path / "nothing"), "--folder", str(tmp_path / "archive"))
    assert code == 2
    assert "nothing" in err
    assert "heck the path" in err


def test_a_folder_without_files_is_called_so(tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    code, out, _ = run("receive", str(tmp_path / "nothing"), "--folder", str(tmp_path / "archive"))
    assert code == 0
    assert "no file was found in" in out and "Check the path" in out


def test_an_archive_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    code, _, err = run("studies", "--folder", str(tmp_path / "none"))
    assert code == 2
    assert "isocenter receive" in err
    assert not (tmp_path / "none").exists()


def test_a_port_in_use_says_so_and_what_to_do(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        code, _, err = run("serve", "--port", str(port), "--dicom-port", "0", "--folder", str(tmp_path / "archive"))
        assert code == 2
        assert str(port) in err
        assert "--port" in err
        code, _, err = run("serve", "--port", "0", "--dicom-port", str(port), "--folder", str(tmp_path / "archive"))
        assert code == 2
        assert str(port) in err and "--dicom-port" in err
    code, _, err = run("serve", "--host", "999.1.1.1", "--port", "0", "--folder", str(tmp_path / "archive"))
    assert code == 2 and "give one of this machine" in err.lower() and "another program" not in err
    assert not (tmp_path / "archive").exists()  # nothing was begun


def test_a_second_server_on_the_same_folder_is_refused_and_the_first_goes_on(tmp_path: Path) -> None:
    words = ["serve", "--port", "0", "--dicom-port", "0", "--folder", str(tmp_path / "archive"), "--json"]
    first = subprocess.Popen([*COMMAND, *words], stdout=subprocess.PIPE, text=True)
    try:
        assert first.stdout is not None
        lines = ""
        while not lines.rstrip().endswith("}"):
            lines += first.stdout.readline()
        address = json.loads(lines)
        code, _, err = run(*words)
        assert code == 2
        assert str(first.pid) in err or "another" in err.lower() or "second" in err.lower()
        import httpx

        alive = httpx.get(f"http://127.0.0.1:{address['web']}/healthz", timeout=10)
        assert alive.status_code == 200
    finally:
        first.terminate()
        first.wait(20)


def test_a_folder_that_may_not_be_written_says_so(tmp_path: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("the superuser may write everywhere")
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o500)
    code, _, err = run("receive", str(get_testdata_file("CT_small.dcm")), "--folder", str(closed / "archive"))
    assert code == 2
    assert "--folder" in err


def test_a_full_disk_is_said_and_nothing_is_acknowledged(tmp_path: Path) -> None:
    """A limit on the size of files stands for a disk that is full: the write fails half-way."""
    import resource

    images = tmp_path / "big.dcm"
    held = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    held.SOPInstanceUID = held.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.7"
    held.Rows, held.Columns, held.PixelData = 2048, 2048, b"\1\2" * 2048 * 2048
    held.save_as(images)

    def small_disk() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))

    folder = tmp_path / "archive"
    receive(folder, Path(str(get_testdata_file("CT_small.dcm"))))
    done = subprocess.run(
        [*COMMAND, "receive", str(images), "--folder", str(folder)], capture_output=True, text=True, timeout=120,
        check=False, preexec_fn=small_disk,
    )  # fmt: skip
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "isocenter:" in done.stderr and "expected 1 = stored 0" in done.stdout and "not tried 1" in done.stdout
    code, ledger = receive(folder, images)
    assert (code, ledger["stored"]) == (0, 1), ledger
