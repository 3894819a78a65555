"""An earlier study fetched by command from another archive, over real sockets."""

from __future__ import annotations

import io
import json
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.analysis.registry import Registry
from isocenter.app import House, open_house
from isocenter.cli import app
from isocenter.doors.dimse import Listener
from isocenter.errors import Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings


def study(uid: str, day: str, born: str = "19600101", image: int = 1) -> bytes:
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    made.StudyInstanceUID, made.StudyDate, made.PatientBirthDate = uid, day, born
    made.SeriesInstanceUID, made.SOPInstanceUID = f"{uid}.1", f"{uid}.1.{image}"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@contextmanager
def listening(folder: Path, aet: str) -> Iterator[tuple[House, int]]:
    house = open_house(Settings(folder=folder, aet=aet), server=True)
    listener = Listener(house.site, aet=aet, port=0, who=lambda calling: Person(calling, Role.SERVICE))
    try:
        yield house, listener.start()
    finally:
        listener.stop()
        house.close()


@pytest.fixture
def nothing_analysed(monkeypatch: pytest.MonkeyPatch) -> None:
    for slow in ("run.preload", "run.warm_up"):
        monkeypatch.setattr(f"isocenter.analysis.{slow}", lambda *names: None)
    monkeypatch.setattr("isocenter.analysis.registry.discover", Registry)


@pytest.mark.usefixtures("nothing_analysed")
def test_an_earlier_study_is_told_of_and_sent_by_command(tmp_path: Path) -> None:
    here = tmp_path / "here"

    def said(*words: str) -> Any:
        ended = CliRunner().invoke(app, ["elsewhere", "2.25.1", *words, "--folder", str(here)], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout) if "--json" in words else ended.output

    with listening(tmp_path / "there", "PACS") as (pacs, port), listening(here, "ISOCENTER") as (ours, own):
        pacs.site.receive(
            [
                study("2.25.1", "20260101"), study("2.25.2", "20200102"), study("2.25.3", "20190102", "19590101"),
                study("2.25.4", "20210102"),
            ],
            sender="CT", who=HOUSE,
        )  # fmt: skip
        pacs.site.add_peer("ISOCENTER", "127.0.0.1", own, who=HOUSE)
        ours.site.add_peer("PACS", "127.0.0.1", port, who=HOUSE)
        ours.site.receive([study("2.25.1", "20260101")], sender="CT", who=HOUSE)
        told = said("--json")
        assert [(one["study"], one["date"], bool(one["doubt"])) for one in told["studies"]] == [
            ("2.25.3", "2019-01-02", True), ("2.25.2", "2020-01-02", False), ("2.25.4", "2021-01-02", False),
        ]  # fmt: skip
        assert "perhaps another person" in said()
        assert "promised: it comes as soon as" in said("--take", "2.25.2", "--peer", "PACS"), "nobody works yet"
        with pytest.raises(WrongState, match="being fetched"):
            said("--take", "2.25.2", "--peer", "PACS")
        ours.work.start()
        deadline = time.monotonic() + 60
        while not ours.site.journal.since(kinds=(Kind.FETCHED,)):
            assert time.monotonic() < deadline, "nobody kept the promise of a command that had ended"
            threading.Event().wait(0.02)
        told = said("--take", "2.25.4", "--peer", "PACS", "--json")
        assert told == {"ended": True, "came": 1, "failed": 0, "why": ""}
        assert [one.uid for one in ours.site.studies(who=HOUSE, limit=5) if one.uid == "2.25.2"] == ["2.25.2"]
        for words, why in (
            (("--take", "2.25.2"), "half of a study"),
            (("--take", "2.25.3", "--peer", "PACS"), "perhaps another person"),
            (("--take", "2.25.2", "--peer", "PACS"), "it is here"),
        ):
            with pytest.raises(Refused, match=why):
                said(*words)
    assert "no answer of PACS" in said(), "when it is gone, that is said"


_KILLED = """
import os, signal, sys
from pathlib import Path
from isocenter.analysis import registry, run
run.preload = run.warm_up = lambda *names: None
registry.discover = registry.Registry
from isocenter.app import open_house
from isocenter.govern.policy import Person, Role
from isocenter.settings import Settings

folder, own = Path(sys.argv[1]), int(sys.argv[2])
house = open_house(Settings(folder=folder, aet="ISOCENTER", dicom_port=own), server=True)
house.start_listening()
move = house.site.fetching.ways.move

class Dying:
    find = staticmethod(house.site.fetching.ways.find)
    def move(self, peer, study_uid, told):
        def killed(came, of):
            told(came, of)
            os.kill(os.getpid(), signal.SIGKILL)
        return move(peer, study_uid, killed)

house.site.fetching.ways = Dying()
house.work.start()
house.site.fetching.fetch("2.25.1", "2.25.2", peer="PACS", who=Person("ito", Role.READER))
signal.pause()
"""


@pytest.mark.nightly
@pytest.mark.usefixtures("nothing_analysed")
def test_what_was_promised_comes_although_the_server_was_killed_amid_it(tmp_path: Path) -> None:
    here, free = tmp_path / "here", socket.create_server(("127.0.0.1", 0))
    own = free.getsockname()[1]
    free.close()
    with listening(tmp_path / "there", "PACS") as (pacs, port):
        pacs.site.receive(
            [study("2.25.1", "20260101"), study("2.25.2", "20200102"), study("2.25.2", "20200102", image=2)],
            sender="CT", who=HOUSE,
        )  # fmt: skip
        pacs.site.add_peer("ISOCENTER", "127.0.0.1", own, who=HOUSE)
        house = open_house(Settings(folder=here, aet="ISOCENTER"))
        house.site.receive([study("2.25.1", "20260101")], sender="CT", who=HOUSE)
        house.site.add_peer("PACS", "127.0.0.1", port, who=HOUSE)
        house.site.add_person("ito", Role.READER, "four quiet herons wade", who=HOUSE)
        house.close()
        died = subprocess.run([sys.executable, "-c", _KILLED, str(here), str(own)], timeout=120, check=False)
        assert died.returncode == -signal.SIGKILL
        after = open_house(Settings(folder=here, aet="ISOCENTER", dicom_port=own), server=True)
        try:
            journal, ito = after.site.journal, Person("ito", Role.READER)
            assert not journal.since(kinds=(Kind.FETCHED,)), "it had not ended"
            after.start_listening()
            after.work.start()
            deadline = time.monotonic() + 60
            while not journal.since(kinds=(Kind.FETCHED,)):
                assert time.monotonic() < deadline, "nobody went on with it"
                threading.Event().wait(0.05)
            assert {i.sop_uid for s in after.site.index.study("2.25.2").series for i in s.instances} == {
                "2.25.2.1.1", "2.25.2.1.2"
            }  # fmt: skip
            (told,) = after.site.fetching.going("2.25.1", who=ito)
            assert (told["state"], told["came"], told["why"]) == ("ended", 2, "")
            assert len(journal.since(kinds=(Kind.FETCH_ASKED,))) == 1
        finally:
            after.close()
