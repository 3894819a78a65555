"""A study goes from one running server to another by a link, and only when it was confirmed who holds that link.

Both servers answer on sockets of their own; everything is done by the commands that their administrators type.
"""

from __future__ import annotations

import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pydicom
import pytest
from pydicom.data import get_testdata_file
from typer.testing import CliRunner

from isocenter.app import House, open_house
from isocenter.cli import app
from isocenter.errors import Forbidden, NotFound, Refused, Unavailable, WrongState
from isocenter.govern.policy import HOUSE
from isocenter.record import Kind
from isocenter.settings import Settings

ONE, OTHER = "1.2.840.77.1", "1.2.840.77.2"
SURNAME, NUMBER = "Kanarienvogel", "CANARY-7741"


class Both(NamedTuple):
    """Two houses that serve, and what their administrators type."""

    giver: House
    taker: House
    folder: Path

    def types(self, house: str, *words: str) -> dict[str, Any]:
        done = CliRunner().invoke(app, [*words, "--folder", str(self.folder / house), "--json"])
        if done.exception and not isinstance(done.exception, SystemExit):
            raise done.exception
        assert done.exit_code == 0, done.output
        return dict(json.loads(done.stdout))

    def share(self, *words: str) -> dict[str, Any]:
        return self.types("giver", "share", *words, "--address", f"http://127.0.0.1:{self.giver.web_port}")

    def fetch(self, link: str, *words: str) -> dict[str, Any]:
        return self.types("taker", "fetch", link, *words)

    def taken(self) -> int:
        return int(self.taker.site.index.counts()["instances"])


def planted(name: str, study: str) -> bytes:
    ds = pydicom.dcmread(str(get_testdata_file(name)))
    ds.PatientName, ds.PatientID, ds.PatientBirthDate = f"{SURNAME}^Quintessa", NUMBER, "19610917"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = study, f"{study}.1"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{study}.1.1"
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


@pytest.fixture
def both(tmp_path: Path) -> Iterator[Both]:
    houses = [open_house(Settings(folder=tmp_path / name, port=0), make=True) for name in ("giver", "taker")]
    files = [planted("CT_small.dcm", ONE), planted("MR_small.dcm", OTHER)]
    houses[0].site.receive(files, sender="CT1", who=HOUSE)
    for house in houses:
        house.start_web()
    yield Both(houses[0], houses[1], tmp_path)
    for house in houses:
        house.close()


def test_a_link_with_a_check_opens_when_its_holder_was_confirmed_and_for_nobody_before(both: Both) -> None:
    with pytest.raises(Refused, match="for nobody"):
        both.share(ONE, "--check")
    given = both.share(ONE, "--check", "--to", "Dr Okafor")
    link, code, id = given["link"], given["code"], given["id"]

    def shut(*words: str, why: str = r"shared\.identity") -> None:
        with pytest.raises(Forbidden, match=why):
            both.fetch(link, *words)
        assert both.taken() == 0

    shut()
    shut("--code", code)
    shut("--code", "0000-0000-0000-0000", "--name", "Dr Okafor", why="code is not right")
    with pytest.raises(WrongState, match="nobody states now"):
        both.types("giver", "confirm", id)  # nobody has said who they are
    assert both.fetch(link, "--code", code, "--name", "Dr Okafor, Lagos") == {"identity": "pending"}
    shut("--code", code)
    (row,) = both.types("giver", "links")["links"]
    assert (row["claim"]["name"], row["claim"]["address"], row["identity"]) == (
        "Dr Okafor, Lagos",
        "127.0.0.1",
        "pending",
    )
    assert both.types("giver", "confirm", id, "--refuse", "--reason", "not her voice")["identity"] == "refused"
    shut("--code", code)

    assert both.fetch(link, "--code", code, "--name", "Ada Okafor") == {"identity": "pending"}
    assert both.types("giver", "confirm", id)["identity"] == "accepted"
    shut()  # the link alone is not enough, whoever finds it
    said = both.fetch(link, "--code", code)
    assert (said["stored"], said["there"], said["lost"]) == (1, 0, [])
    assert both.taker.site.index.study(ONE).patient.id == NUMBER
    assert both.fetch(link, "--code", code)["there"] == 1
    (row,) = both.types("giver", "links")["links"]
    assert [(one["study"], one["stored"], one["there"]) for one in row["taken"]] == [(ONE, 1, 0), (ONE, 0, 1)]
    kinds = (Kind.IDENTITY_STATED, Kind.IDENTITY_JUDGED)
    assert len(both.giver.site.journal.since(kinds=kinds)) == 4, "each statement and each answer"

    both.types("giver", "unshare", id, "--reason", "taken")
    with pytest.raises(Forbidden, match="opens nothing"):
        both.fetch(link, "--code", code)
    for words in (("confirm", id), ("confirm", "0" * 16), ("unshare", id)):
        with pytest.raises((NotFound, WrongState)):
            both.types("giver", *words)


def test_what_a_link_does_not_let_be_taken_or_leads_nowhere_is_refused(both: Both) -> None:
    seen_only = both.share(ONE, "--may", "view")["link"]
    with pytest.raises(Forbidden, match=r"shared\.download"):
        both.fetch(seen_only)
    secret = seen_only.partition("#")[2]
    for wrong, fault, why in (
        (seen_only.replace(secret, "A" * len(secret)), Forbidden, "opens nothing"),
        (seen_only.partition("#")[0], Refused, "no link to a study"),
        (f"http://192.0.2.1/shared#{secret}", Refused, "without TLS"),
        (f"http://127.0.0.1:{both.taker.web_port}/shared#{secret}", Forbidden, "opens nothing"),
        (f"http://127.0.0.1:1/shared#{secret}", Unavailable, "does not answer"),
    ):
        with pytest.raises(fault, match=why):
            both.fetch(wrong)
    with pytest.raises(Refused, match="--may"):
        both.share(ONE, "--may", "print")
    with pytest.raises(NotFound):
        both.share("1.2.3")
    assert both.taken() == 0


def test_one_person_alone_leaves_under_a_pseudonym_for_a_reason_that_is_kept(both: Both) -> None:
    words = (ONE, OTHER, "--pseudonym", "--to", "Dr Lee", "--may", "download")
    with pytest.raises(Refused, match=r"a group of 1 patient.*say why"):
        both.share(*words)
    given = both.share(*words, "--reason", "asked by the tumour board")
    assert both.types("giver", "links")["links"][0]["reason"] == "asked by the tumour board"
    said = both.fetch(given["link"])
    assert said["stored"] == 2 and both.taken() == 2
    studies = both.taker.site.studies(who=HOUSE)
    assert len({one.patient.id for one in studies}) == 1 and NUMBER not in {one.patient.id for one in studies}
    for study in studies:
        for series in both.taker.site.index.study(study.uid).series:
            for one in series.instances:
                data = both.taker.site.blobs.get(one.digest)
                assert SURNAME.encode() not in data and NUMBER.encode() not in data and ONE.encode() + b"\0" not in data
