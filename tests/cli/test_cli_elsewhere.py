"""An earlier study fetched by command from another archive, over real sockets."""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.app import House, open_house
from isocenter.cli import app
from isocenter.doors.dimse import Listener
from isocenter.errors import Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.settings import Settings


def study(uid: str, day: str, born: str = "19600101") -> bytes:
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    made.StudyInstanceUID, made.StudyDate, made.PatientBirthDate = uid, day, born
    made.SeriesInstanceUID, made.SOPInstanceUID = f"{uid}.1", f"{uid}.1.1"
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


def test_an_earlier_study_is_told_of_and_sent_by_command(tmp_path: Path) -> None:
    here = tmp_path / "here"

    def said(*words: str) -> Any:
        ended = CliRunner().invoke(app, ["elsewhere", "2.25.1", *words, "--folder", str(here)], catch_exceptions=False)
        assert ended.exit_code == 0, ended.output
        return json.loads(ended.stdout) if "--json" in words else ended.output

    with listening(tmp_path / "there", "PACS") as (pacs, port), listening(here, "ISOCENTER") as (ours, own):
        pacs.site.receive(
            [study("2.25.1", "20260101"), study("2.25.2", "20200102"), study("2.25.3", "20190102", "19590101")],
            sender="CT", who=HOUSE,
        )  # fmt: skip
        pacs.site.add_peer("ISOCENTER", "127.0.0.1", own, who=HOUSE)
        ours.site.add_peer("PACS", "127.0.0.1", port, who=HOUSE)
        ours.site.receive([study("2.25.1", "20260101")], sender="CT", who=HOUSE)
        told = said("--json")
        assert [(one["study"], one["date"], bool(one["doubt"])) for one in told["studies"]] == [
            ("2.25.3", "2019-01-02", True), ("2.25.2", "2020-01-02", False),
        ]  # fmt: skip
        assert "perhaps another person" in said()
        assert said("--take", "2.25.2", "--peer", "PACS", "--json") == {"came": 1, "failed": 0, "why": ""}
        assert [one.uid for one in ours.site.studies(who=HOUSE, limit=5) if one.uid == "2.25.2"] == ["2.25.2"]
        for words, why in (
            (("--take", "2.25.2"), "half of a study"),
            (("--take", "2.25.3", "--peer", "PACS"), "perhaps another person"),
            (("--take", "2.25.2", "--peer", "PACS"), "it is here"),
        ):
            with pytest.raises(Refused, match=why):
                said(*words)
    assert "no answer of PACS" in said(), "when it is gone, that is said"
