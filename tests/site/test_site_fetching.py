"""Studies that other systems hold of a patient: told, doubted, refused in words, fetched, and written down."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, NotFound, Refused, Unavailable, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.verbs import Site

ITO, RITA = Person("ito", Role.READER), Person("rita", Role.RESEARCHER)


@dataclass
class Peers:
    """Peers by AE title with their rows; what is not there does not answer."""

    rows: dict[str, list[dict[str, Any]]]
    site: Site | None = None
    asked: list[dict[str, str]] = field(default_factory=list)
    during: Callable[[], None] = lambda: None
    ends: tuple[int, int, str] = (2, 0, "")

    def find(self, peer: Mapping[str, Any], keys: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        self.asked.append(dict(keys))
        if peer["aet"] not in self.rows:
            raise Unavailable(f"{peer['aet']} does not answer", "nobody listens", "look at it")
        uid = keys["StudyInstanceUID"]
        return [row for row in self.rows[peer["aet"]] if not uid or row["StudyInstanceUID"] == uid]

    def move(self, peer: Mapping[str, Any], study_uid: str, told: Callable[[int, int], None]) -> tuple[int, int, str]:
        told(1, 2)
        self.during()
        return self.ends


def row(uid: str, **said: Any) -> dict[str, Any]:
    return {"StudyInstanceUID": uid, "PatientID": "P1", "StudyDate": "20200102", "StudyTime": "101500",
            "StudyDescription": "CT chest", "ModalitiesInStudy": ["CT", "SR"], "PatientBirthDate": "19600101",
            "NumberOfStudyRelatedInstances": "2", "IssuerOfPatientID": "", **said}  # fmt: skip


def image(uid: str, patient: str) -> bytes:
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    made.PatientID, made.PatientBirthDate, made.StudyInstanceUID = patient, "19600101", uid
    made.SeriesInstanceUID, made.SOPInstanceUID = f"{uid}.1", f"{uid}.1.1"
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    out = io.BytesIO()
    made.save_as(out)
    return out.getvalue()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    held = {"1.2.3": "P1", "1.2.4": "P1", "1.2.5": "", "1.2.6": "P*"}
    house.site.receive([image(uid, patient) for uid, patient in held.items()], sender="CT", who=HOUSE)
    for aet, port in (("PACS", 104), ("OLD", 104), ("DEAD", 104), ("SCANNER", 0)):
        house.site.add_peer(aet, "127.0.0.1", port, who=HOUSE)
    house.site.fetching.ways = Peers({
        "PACS": [
            row("1.2.4"), row("1.9.2", StudyDate="20210102"), row("1.9.1"), row("1.9.3", PatientID="P11"),
            row("1.9.4", PatientBirthDate="19590101"), row("../etc"),
            row("1.9.5", StudyDate="", ModalitiesInStudy="MR"),
        ],
        "OLD": [],
    })  # fmt: skip
    yield house.site
    house.close()


def test_what_is_here_or_of_another_number_is_left_out_and_what_is_doubtful_says_why(site: Site) -> None:
    told = site.fetching.elsewhere("1.2.3", who=ITO)
    assert [one["study"] for one in told["studies"]] == ["1.9.5", "1.9.1", "1.9.4", "1.9.2"], "the oldest first"
    assert sorted(told["asked"]) == ["OLD", "PACS"] and [one["peer"] for one in told["silent"]] == ["DEAD"]
    assert "does not answer" in told["silent"][0]["why"]
    by = {one["study"]: one for one in told["studies"]}
    assert by["1.9.1"] == {
        "peer": "PACS", "study": "1.9.1", "date": "2020-01-02", "time": "101500", "description": "CT chest",
        "modalities": ["CT", "SR"], "images": 2, "doubt": "",
    }  # fmt: skip
    assert by["1.9.4"]["doubt"] == "born 1959-01-01 there and 1960-01-01 here: perhaps another person"
    assert by["1.9.5"]["date"] == "" and by["1.9.5"]["modalities"] == ["MR"]
    (entry,) = site.journal.since(kinds=(Kind.ASKED_ELSEWHERE,))
    assert (entry.event.who, entry.event.subject) == ("ito", "1.2.3")
    assert sorted(entry.event.details["peers"]) == ["DEAD", "OLD", "PACS"], (
        "who was told that the patient is examined here"
    )


def test_a_study_is_fetched_and_seen_on_its_way(site: Site) -> None:
    peers: Any = site.fetching.ways
    on_its_way: list[Any] = []

    def during() -> None:
        on_its_way.append(site.fetching.going("1.2.4", who=ITO))
        on_its_way.append(site.fetching.going("1.2.5", who=ITO))
        with pytest.raises(WrongState, match="it is being fetched"):
            site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO)

    peers.during = during
    done = {"promised": False, "came": 2, "failed": 0, "why": ""}
    assert site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO) == done
    at = {"peer": "PACS", "study": "1.9.1", "state": "running", "came": 1, "of": 2, "failed": 0, "why": ""}
    assert on_its_way == [[at], []], "of this patient alone"
    assert site.fetching.going("1.2.3", who=ITO) == [{**at, "state": "ended", "came": 2, "of": 0}]
    (entry,) = site.journal.since(kinds=(Kind.FETCHED,))
    assert entry.event.details == {"peer": "PACS", "study": "1.9.1", "came": 2, "failed": 0, "why": ""}


@dataclass
class Jobs:
    """Promises as a queue keeps them, carried out when the test says so."""

    kept: list[tuple[str, ...]] = field(default_factory=list)
    state: str = "waiting"
    words: str = ""

    def promise(self, key: str, study_uid: str, wanted: str, peer: str, name: str) -> None:
        if (key, study_uid, wanted, peer, name) not in self.kept:
            self.kept.append((key, study_uid, wanted, peer, name))

    def standing(self, key: str) -> tuple[str, str]:
        return (self.state, self.words) if any(one[0] == key for one in self.kept) else ("", "")

    def progress(self, came: int, of: int) -> None:
        self.words = f"{came} of {of}"


def became(site: Site, study: str = "1.2.3") -> list[tuple[str, int, str]]:
    return [(one["state"], one["came"], one["why"]) for one in site.fetching.going(study, who=ITO)]


def test_what_is_promised_is_carried_out_once_whatever_server_does_it(site: Site) -> None:
    jobs = site.fetching.queue = Jobs()
    assert site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO) == {"promised": True}
    assert [one[1:] for one in jobs.kept] == [("1.2.3", "1.9.1", "PACS", "ito")] and became(site) == [
        ("waiting", 0, "")
    ]
    with pytest.raises(WrongState, match="being fetched"):
        site.fetching.fetch("1.2.4", "1.9.1", peer="PACS", who=ITO)
    jobs.state, jobs.words = "running", "7 of 9"  # another server has it
    assert became(site, "1.2.4") == [("running", 7, "")] and became(site, "1.2.5") == []
    peers: Any = site.fetching.ways
    calls: list[str] = []
    peers.during = lambda: calls.append(jobs.words)
    assert site.fetching.carry_out("1.2.3", "1.9.1", peer="PACS", who=ITO) == 2
    assert site.fetching.carry_out("1.2.3", "1.9.1", peer="PACS", who=ITO) == 0, "killed before the job could say so"
    assert calls == ["1 of 2"] and became(site) == [("ended", 2, "")]
    kinds = [s.event.kind for s in site.journal.since(kinds=(Kind.FETCH_ASKED, Kind.FETCHED))]
    assert kinds == [Kind.FETCH_ASKED, Kind.FETCHED]


def test_a_promise_that_a_server_lost_is_made_again_and_what_ended_is_not(site: Site) -> None:
    site.fetching.queue = Jobs()
    for wanted in ("1.9.1", "1.9.2"):
        site.fetching.fetch("1.2.3", wanted, peer="PACS", who=ITO)
    site.fetching.carry_out("1.2.3", "1.9.2", peer="PACS", who=ITO)
    after = site.fetching.queue = Jobs()  # the server died between the entry and the job
    assert ("ended", 0, "the server could not carry it out: ask again") in became(site)
    site.fetching.owed()
    assert [one[1:] for one in after.kept] == [("1.2.3", "1.9.1", "PACS", "ito")]


def test_it_is_stopped_while_it_waits_and_while_it_comes(site: Site) -> None:
    site.fetching.queue = jobs = Jobs()
    peers: Any = site.fetching.ways
    asked: list[int] = []
    peers.during = lambda: asked.append(1)
    site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO)
    site.fetching.stop("1.2.4", "1.9.1", peer="PACS", who=ITO)
    assert site.fetching.carry_out("1.2.3", "1.9.1", peer="PACS", who=ITO) == 0 and not asked
    assert became(site) == [("ended", 0, "stopped by ito")]
    with pytest.raises(WrongState, match="not being fetched"):
        site.fetching.stop("1.2.3", "1.9.1", peer="PACS", who=ITO)
    with pytest.raises(Forbidden):
        site.fetching.stop("1.2.3", "1.9.1", peer="PACS", who=RITA)
    site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO)

    def move(peer: Mapping[str, Any], study_uid: str, told: Callable[[int, int], None]) -> tuple[int, int, str]:
        told(1, 9)
        jobs.state = "running"
        site.fetching.stop("1.2.3", "1.9.1", peer="PACS", who=ITO)
        told(2, 9)
        raise AssertionError("it goes on")

    peers.move = move
    assert site.fetching.carry_out("1.2.3", "1.9.1", peer="PACS", who=ITO) == 2
    assert became(site) == [("ended", 1, "stopped by ito")]


def test_who_may_not_any_more_when_its_turn_comes_gets_nothing_and_the_journal_says_why(site: Site) -> None:
    site.fetching.queue = Jobs()
    peers: Any = site.fetching.ways
    peers.during = lambda: pytest.fail("the peer was asked")
    site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO)
    assert site.fetching.carry_out("1.2.3", "1.9.1", peer="PACS", who=Person("ito", Role.NONE)) == 0
    ((state, came, why),) = became(site)
    assert (state, came) == ("ended", 0) and "rule 'fetch'" in why
    site.fetching.holds = lambda study, who: False  # asked for in a project in which one has no part
    assert became(site) == []


def test_what_may_not_be_fetched_is_refused(site: Site) -> None:
    for wanted, peer, error, words in (
        ("1.9.4", "PACS", Refused, "perhaps another person"),
        ("1.9.3", "PACS", NotFound, "none of this patient"),
        ("1.9.9", "PACS", NotFound, "none of this patient"),
        ("../etc", "PACS", NotFound, "none of this patient"),
        ("*", "PACS", NotFound, "none of this patient"),
        ("1.2.4", "PACS", Refused, "it is here"),
        ("1.9.1", "SCANNER", NotFound, "none of that name listens"),
        ("1.9.1", "DEAD", Unavailable, "does not answer"),
    ):
        with pytest.raises(error, match=words):
            site.fetching.fetch("1.2.3", wanted, peer=peer, who=ITO)
    peers: Any = site.fetching.ways
    assert {keys["StudyInstanceUID"] for keys in peers.asked} <= {"1.9.1", "1.9.3", "1.9.4", "1.9.9", "1.2.4"}, (
        "no pattern"
    )
    for study, words in (("1.2.5", "without a Patient ID"), ("1.2.6", "as a pattern for many")):
        before = len(peers.asked)
        with pytest.raises(Refused, match=words):
            site.fetching.elsewhere(study, who=ITO)
        assert len(peers.asked) == before, "nobody was asked"
    for verb in (site.fetching.elsewhere, site.fetching.going):
        with pytest.raises(Forbidden):
            verb("1.2.3", who=RITA)
    with pytest.raises(Forbidden):
        site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=RITA)
    site.fetching.ways = None
    with pytest.raises(Refused, match="this process calls nobody"):
        site.fetching.elsewhere("1.2.3", who=ITO)


def test_a_peer_that_sends_nothing_is_told_of_and_may_be_asked_again(site: Site) -> None:
    peers: Any = site.fetching.ways
    peers.ends = (0, 2, "status 0xA801")
    with pytest.raises(Unavailable, match="sent nothing of study"):
        site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO)
    peers.ends = (1, 1, "one image is lost")
    assert site.fetching.fetch("1.2.3", "1.9.1", peer="PACS", who=ITO)["failed"] == 1
    told = [s.event.details["came"] for s in site.journal.since(kinds=(Kind.FETCHED,))]
    assert told == [0, 1]
