"""Nothing of a patient leaves by the side: a server is given canaries at every door, and its words are read.

The server is a process of its own, as an administrator starts it; what it prints, what it writes into its temporary
folder, how its files and processes are named, and how it refuses, is searched for what was given to it.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import socket
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from hostile_doors import Doors

from isocenter.testing.crooked import image, plain, written
from isocenter.testing.hostile_member import Member

NAME, ID, ACCESSION, BIRTH, UID = "ZQCANARYNAME", "ZQCANARYID", "ZQCANARYACC", "18990731", "2.25.998877665544332211"
WORDS = "ZQCANARYWORDS"
CANARIES = [c.encode() for c in (NAME, ID, ACCESSION, BIRTH, "1899-07-31", UID, WORDS)]

# A fault of ours quotes what it stumbled on, at a door and in the work behind it.
_SERVER = f"""
import sys
from isocenter.analysis import run
from isocenter.cli import main
from isocenter.site.verbs import Site
run.preload = run.warm_up = lambda *names: None
find, analyse = Site.find, Site.analyse
def stumbling(self, level, keys, **more):
    if "ZQFAULT" in str(keys):
        raise ValueError(f"{NAME} {{keys}}")
    return find(self, level, keys, **more)
def crashing(self, study, **more):
    raise RuntimeError("{NAME} {UID} " + study)
Site.find, Site.analyse = stumbling, crashing
sys.argv = ["isocenter", "serve", "--port", "0", "--dicom-port", "0", "--peers", "TESTER@127.0.0.1:104", "--json"]
main()
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[tuple[dict[str, Any], subprocess.Popen[bytes], Path]]:
    for name in ("tmp", "home"):
        (tmp_path / name).mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = {
        "TMPDIR": str(tmp_path / "tmp"), "HOME": str(tmp_path / "home"), "ISOCENTER_HL7_PORT": str(port),
        "ISOCENTER_FOLDER": str(tmp_path / "archive"), "NUMBA_CACHE_DIR": str(tmp_path / "home"),
    }  # fmt: skip
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        process = subprocess.Popen(
            [sys.executable, "-c", _SERVER], env=os.environ | said, stdout=out, stderr=err, start_new_session=True
        )
    try:
        yield {**_told(process, tmp_path / "out"), "hl7": port}, process, tmp_path
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _told(process: subprocess.Popen[bytes], out: Path) -> dict[str, Any]:
    """What the server says when it is ready."""
    ready = threading.Event()
    for _ in range(480):
        with suppress(ValueError):
            return dict(json.loads(out.read_text()))
        assert process.poll() is None, "it ended"
        ready.wait(0.25)
    raise AssertionError("the server was not ready within two minutes")


class _House:
    """As much of a house as the doors of a test need."""

    def __init__(self, told: dict[str, Any]) -> None:
        self.web_port, self.dicom_port = told["web"], told["dicom"]


def _image(seed: int, **more: str) -> dict[int, tuple[str, bytes]]:
    one = dict(image(random.Random(seed)))
    said = {
        0x00100010: ("PN", NAME), 0x00100020: ("LO", ID), 0x00080050: ("SH", ACCESSION), 0x00100030: ("DA", BIRTH),
        0x00104000: ("LT", WORDS), 0x00081030: ("LO", WORDS), 0x00080090: ("PN", NAME),
    }  # fmt: skip
    for tag, (vr, text) in said.items():
        one[tag] = (vr, plain(text))
    one[0x0020000D] = ("UI", plain(f"{UID}.1", pad=b"\0"))
    return one


def test_nothing_of_a_patient_is_printed_logged_or_left_in_names(
    server: tuple[dict[str, Any], subprocess.Popen[bytes], Path],
) -> None:
    told, process, folder = server
    with httpx.Client(base_url=f"http://127.0.0.1:{told['web']}", timeout=60, follow_redirects=False) as web:
        assert web.get(told["link"]).status_code < 400
        refusals = list(_walk(Doors(folder, _House(told), web), told))  # type: ignore[arg-type]
        _wait_for_faults(folder)
        titles = _titles(process.pid)
    process.send_signal(signal.SIGTERM)
    process.wait(60)
    said = (folder / "out").read_bytes() + (folder / "err").read_bytes()
    assert b"error" in said, "the faults were written down, without what was in hand"
    for canary in CANARIES:
        assert canary not in said, canary
        assert not [t for t in titles if canary in t], canary
        assert canary == UID.encode() or not [r for r in refusals if canary in r], canary  # a sender knows its UIDs
        for place in ("tmp", "home", "archive"):
            names = [str(p.relative_to(folder)).encode() for p in (folder / place).rglob("*")]
            assert not [n for n in names if canary in n], canary
        left = [p for top in ("tmp", "home") for p in (folder / top).rglob("*") if p.is_file()]
        assert not [p for p in left if canary in p.read_bytes()], canary


def _walk(doors: Doors, told: dict[str, Any]) -> Iterator[bytes]:
    """Give canaries to every door; what it refused, in its words."""
    web = doors.web
    good, other = written(_image(1)), _image(1)
    other[0x00280010] = ("US", b"\x01\x02")
    taken = {**_image(2), 0x00100020: ("LO", plain("SOMEBODY ELSE"))}
    crooked = [good[:-200], good[:140] + WORDS.encode() + good[140:], written(other), written(taken), NAME.encode() * 9]
    for data in (good, good, *crooked):
        for door in (doors._c_store, doors._stow):
            answer = door(Member("", "", "object", data))
            if answer != "kept":
                yield answer.encode()
    said = {"name": NAME, "id": ID, "text": WORDS, "study": UID}
    for way in (
        "/dicom-web/studies?PatientName=ZQFAULT", f"/dicom-web/studies/{UID}/metadata", f"/dicom-web/{NAME}",
        f"/dicom-web/studies/{UID}/series/{NAME}", f"/api/studies/{UID}", f"/api/studies/{UID}.1/pictures/{UID}",
        f"/fhir/Patient/{ID}", f"/fhir/DiagnosticReport?identifier={ACCESSION}&_sort={NAME}", f"/{NAME}/{ID}",
        f"/sign-in?token={NAME}", f"/api/results/{NAME}", f"/share/{NAME}",
    ):  # fmt: skip
        yield _refusal(web.get(way), way)
    for way in ("/api/palette", "/api/patients", "/api/cohorts", f"/api/readings/{UID}/correct", "/api/sign-in"):
        yield _refusal(web.post(way, json=said), way)
        yield _refusal(web.post(way, content=json.dumps(said)[:-3]), way)
    body = f"--{NAME}\r\nContent-Type: application/dicom\r\nContent-Location: {ID}\r\n\r\n{WORDS}".encode()
    kind = f"multipart/related; type=application/dicom; boundary={NAME}"
    yield _refusal(web.post("/dicom-web/studies", content=body, headers={"Content-Type": kind}), "multipart")
    for keys in ({"PatientName": NAME, "StudyDate": BIRTH + "-" + NAME}, {"PatientName": "ZQFAULT", "PatientID": ID}):
        member = Member("", "", "query", json.dumps(keys).encode())
        doors._c_find(member)
    doors._raw_dicom(Member("", "", "association", b"\x01\0\0\0\0\x50" + NAME.encode() * 8))
    with suppress(Exception):
        connect_as(doors, NAME)
    for text in (
        f"MSH|^~\\&|RIS|H|I|I|20261126||ADT^A04|1|P|2.5\rPID|1||{ID}^^^H||{NAME}^B||{BIRTH}|F\r",
        f"MSH|^~\\&|RIS|H|I|I|20261126||ORM^O01|2|P|2.5\rPID|1||{ID}||{NAME}\rORC|NW|{ACCESSION}\rOBR|1|{ACCESSION}\r",
        f"MSH|^~\\&|RIS|H|I|I|{NAME}||{NAME}^{ID}|3|P|2.5\rPID|{WORDS}\r", f"{NAME}|{ID}\r",
    ):  # fmt: skip
        doors._exchange(told["hl7"], b"\x0b" + text.encode() + b"\x1c\r")


def connect_as(doors: Doors, title: str) -> None:
    """Call under a name that nobody knows."""
    from isocenter.doors.dimse_scu import Peer, find

    find(Peer("ISOCENTER", "127.0.0.1", doors.house.dicom_port), "STUDY", {"PatientID": ID}, calling=title)


def _refusal(answer: httpx.Response, way: str) -> bytes:
    """The words of an answer that is none; an answer that was asked for may hold what was asked for."""
    return answer.content if answer.status_code >= 400 and answer.status_code != 404 else b""


def _wait_for_faults(folder: Path) -> None:
    """Until the fault at a door stands in the log, and that of a worker in the journal."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with contextlib.closing(sqlite3.connect(f"file:{folder}/archive/archive.sqlite?mode=ro", uri=True)) as journal:
            (failed,) = journal.execute("SELECT count(*) FROM event WHERE kind = 'AnalysisFailed'").fetchone()
        if failed and b"error" in (folder / "err").read_bytes():
            return
        threading.Event().wait(0.25)
    raise AssertionError("no worker failed")


def _titles(group: int) -> list[bytes]:
    found = []
    for place in Path("/proc").iterdir():
        with suppress(OSError, ValueError):
            if os.getpgid(int(place.name)) == group and "ZQCANARY" not in (title := (place / "comm").read_text()):
                words = (place / "cmdline").read_bytes()
                found.append(title.encode() + (b"" if _SERVER.encode() in words else words))
    return found
