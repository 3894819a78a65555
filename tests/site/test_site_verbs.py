"""The verbs on a real archive: who signs has seen it, what is signed goes out verified, what is struck is gone."""

from __future__ import annotations

import io
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.errors import Conflict, IsocenterError, Refused, WrongState
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.session import Correction
from isocenter.record import Event, Finding, Kind, Origin, Outcome, Receipt, Result, Urgency, Verdict, canonical, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site

BUSY = "the ward does not answer yet"
ITO, GRAY = Person("ito", Role.READER), Person("gray", Role.READER)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    yield held
    held.close()


@pytest.fixture
def site(house: House) -> Site:
    """An archive with one CT of pydicom's samples, on which nobody has said anything."""
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    return house.site


def study_of(site: Site) -> str:
    return site.studies(who=HOUSE)[0].uid


def says(site: Site, analysis: str = "volumetry", *findings: Finding, urgency: Urgency = Urgency.NOW) -> str:
    """A machine's result on the study; its id."""
    study = site.index.study(study_of(site))
    receipt = Receipt(series=tuple(s.uid for s in study.series))
    outcome = Outcome.FOUND if findings else Outcome.NONE
    urgency = urgency if findings else Urgency.ROUTINE
    made = Result(
        study.uid, outcome, Origin("machine", analysis, "1"), site.clock(), findings=findings, urgency=urgency,
        receipt=receipt,
    )  # fmt: skip
    digest = site.blobs.put(canonical(made))
    site.journal.append(Event(Kind.RESULT_MADE, site.clock(), "isocenter", study.uid, {"result": digest}))
    return digest


def lesion(tracking: str = "2.25.1") -> Finding:
    return Finding(codes.LESION, 0.8, words="A lesion.", tracking=tracking)


def opened(site: Site) -> int:
    """The reader takes the study and locks that they saw nothing, once; the version."""
    reading = site.open(study_of(site), who=ITO)
    if reading.locked is None:
        reading = site.lock(study_of(site), version=reading.version, nothing=True, who=ITO)
    return reading.version


def decide(site: Site, verdict: Verdict, tracking: str = "2.25.1") -> None:
    study = study_of(site)
    version = opened(site)
    looked(site)
    site.correct(study, Correction(verdict, tracking), version=version, who=ITO)


def looked(site: Site, who: Person = ITO) -> None:
    """The evidence of every finding was on the reader's screen."""
    results = site.results(study_of(site), who=who)
    shown = [{"result": i, "tracking": f.tracking} for i, r in results for f in r.findings]
    site.seen(study_of(site), shown, who=who)


# ---- signing


def test_a_result_that_came_while_the_reader_read_is_not_signed_unseen(site: Site) -> None:
    study = study_of(site)
    says(site, "volumetry", lesion())
    decide(site, Verdict.KEPT)
    version, seen = site.reading(study, who=ITO).version, site.report(study, who=ITO).results
    says(site, "chest_xray_opacity")
    assert site.reading(study, who=ITO).version == version, "the version alone would not tell"
    with pytest.raises(Conflict, match="results changed since you saw them: chest_xray_opacity"):
        site.sign(study, version=version, results=seen, untold=BUSY, who=ITO)
    assert site.reading(study, who=ITO).state == "open"
    seen = site.report(study, who=ITO).results
    signed = site.sign(study, version=version, results=seen, untold=BUSY, who=ITO)
    assert signed.state == "signed"
    assert set(site.report(study, who=ITO).results) == set(seen)


# ---- what goes out


def flags(site: Site) -> dict[str, tuple[str, str]]:
    """Of each report that goes out: whether it is verified, and by whom; by how it is observed."""
    told = {}
    for data in site.objects(study_of(site), who=HOUSE):
        d = dcmread(io.BytesIO(data))
        if d.Modality == "SR":
            by = d.VerifyingObserverSequence[0] if "VerifyingObserverSequence" in d else None
            name = f"{by.VerifyingObserverName} of {by.VerifyingOrganization}" if by is not None else ""
            told[str(d.VerificationFlag)] = (str(d.CompletionFlag), name)
    return told


def test_what_a_person_signed_goes_out_verified_and_what_a_machine_says_does_not(site: Site) -> None:
    study = study_of(site)
    says(site, "volumetry", lesion())
    says(site, "image_quality")
    decide(site, Verdict.KEPT)
    assert set(flags(site)) == {"UNVERIFIED"}, "a decision is not a signature"
    site.sign(study, version=site.reading(study, who=ITO).version, untold=BUSY, who=ITO)
    told = flags(site)
    assert set(told) == {"VERIFIED", "UNVERIFIED"}
    assert told["VERIFIED"][1] == "ito of ISOCENTER"
    decide(site, Verdict.STRUCK)
    assert set(flags(site)) == {"UNVERIFIED"}, "an amendment is not signed by the first signature"


# ---- what was struck


def test_a_result_whose_findings_are_all_struck_says_so_everywhere_and_not_that_none_was_found(site: Site) -> None:
    study = study_of(site)
    says(site, "image_quality", lesion("2.25.1"), lesion("2.25.2"))

    def row() -> tuple[str, str]:
        (entry,) = site.worklist(who=HOUSE)
        return entry.waiting.ai, entry.level.value

    def why() -> tuple[str, list[str]]:
        (one,) = (w for w in site.why(study, who=HOUSE) if w["analysis"] == "image_quality")
        return one["answer"], one["reasons"]

    def counted() -> tuple[int, str, list[str]]:
        (one,) = (w for w in site.why(study, who=HOUSE) if w["analysis"] == "image_quality")
        return one["findings"], one["version"], one["on"]

    assert row() == ("found", "now") and why() == ("found", [])
    version, on = site.results(study, who=HOUSE)[0][1].origin.version, [s.named for s in site.index.study(study).series]
    assert counted() == (2, version, on)
    decide(site, Verdict.STRUCK, "2.25.1")
    assert row() == ("found", "now") and why() == ("found", []), "one still stands"
    assert counted() == (1, version, on), "what a person struck is counted no more"
    decide(site, Verdict.STRUCK, "2.25.2")
    assert row() == ("struck", "routine")
    assert why() == ("struck", ["what it found was struck by ito"])
    assert site.results(study, who=HOUSE)[0][1].outcome is Outcome.FOUND, "what was struck is not forgotten"


def test_what_a_person_has_corrected_is_not_asked_again_behind_their_back(site: Site) -> None:
    study = study_of(site)
    ((first, result),) = site.analyse(study, only="image_quality", who=HOUSE)
    version = opened(site)
    if result.findings:
        site.correct(study, Correction(Verdict.STRUCK, result.findings[0].tracking), version=version, who=ITO)
    else:
        added = Correction(Verdict.ADDED, "", result=first, words="Blurred by motion.")
        site.correct(study, added, version=version, who=ITO)
    assert [r.origin.name for _, r in site.results(study, who=HOUSE)] == ["ito"]
    assert site.analyse(study, only="image_quality", who=HOUSE)[0][0] == first
    assert [r.origin.name for _, r in site.results(study, who=HOUSE)] == ["ito"]


def test_an_older_answer_of_a_machine_is_none_that_still_stands(site: Site) -> None:
    study = study_of(site)
    ((first, result),) = site.analyse(study, only="image_quality", who=HOUSE)
    newer = replace(result, origin=replace(result.origin, version="other"), replaces=first)
    digest = site.blobs.put(canonical(newer))
    site.journal.append(Event(Kind.RESULT_MADE, site.clock(), "isocenter", study, {"result": digest}))
    ((again, _),) = site.analyse(study, only="image_quality", who=HOUSE)
    assert again not in (first, digest), "another version answered meanwhile; ours answers anew"
    assert [d for d, _ in site.results(study, who=HOUSE)] == [again]


# ---- two at once


def test_of_two_houses_on_one_folder_one_opens_the_study(site: Site, house: House) -> None:
    study = study_of(site)
    other = open_house(Settings(folder=house.settings.folder), apart=False)  # its own connections, as another process
    try:
        for _ in range(10):
            start = threading.Barrier(2)
            told: dict[str, object] = {}

            def take(at: Site, who: Person, start: threading.Barrier = start, told: dict[str, object] = told) -> None:
                start.wait()
                try:
                    told[who.name] = at.open(study, who=who)
                except IsocenterError as refused:
                    told[who.name] = refused

            threads = [threading.Thread(target=take, args=(at, who)) for at, who in ((site, ITO), (other.site, GRAY))]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join(60)
            lost = [t for t in told.values() if isinstance(t, IsocenterError)]
            assert len(told) == 2 and len(lost) == 1 and isinstance(lost[0], (Conflict, WrongState)), told
            reading = site.reading(study, who=HOUSE)
            assert reading.state == "open" and not isinstance(told[reading.by], IsocenterError)
            winner = ITO if reading.by == "ito" else GRAY
            site.lapse(study, version=reading.version, who=winner)
        opened = site.journal.since(kinds=(Kind.READING_OPENED,), subject=study)
        assert len(opened) == 10 and site.journal.verify()
    finally:
        other.close()


@pytest.mark.parametrize(
    ("aet", "host", "port", "words"),
    [
        ("../../cron", "127.0.0.1", 104, "no path.*Correct the name"),
        ("a\\b", "127.0.0.1", 104, "no path"),
        ("X" * 17, "127.0.0.1", 104, "1 to 16"),
        ("CT1", " ", 104, "Give a host"),
        ("CT1", "127.0.0.1", 65536, "127.0.0.1:65536"),
    ],
)
def test_a_peer_that_cannot_be_one_is_refused(site: Site, aet: str, host: str, port: int, words: str) -> None:
    with pytest.raises(Refused, match=words):
        site.add_peer(aet, host, port, who=HOUSE)
    assert site.peers() == []
