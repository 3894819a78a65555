"""A rejection note that comes over the network hides what it names, before its sender hears success."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from rejecting_samples import ITO, LEE, NOON, SCANNER, files, given, opened, sop_of

from isocenter.dicom.header import read_header
from isocenter.doors.dimse import Listener
from isocenter.doors.dimse_scu import Peer, find, send
from isocenter.forms import rejection
from isocenter.govern.policy import HOUSE, Person
from isocenter.record import Kind
from isocenter.site.verbs import Site


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as one:
        yield one


def note(site: Site, study: str, some: list[bytes], code: str = "113001") -> bytes:
    held = {sop_of(data): data for data in files()}
    whole = site.index.study(study)
    return rejection.write(whole, [sop_of(d) for d in some], code, held.__getitem__, words="moved", by="x", when=NOON)


def images(site: Site, who: Person = ITO) -> set[str]:
    return {row["SOPInstanceUID"] for row in site.find("IMAGE", {"Modality": "CT"}, who=who)}


def asked(archive: Peer) -> list[int]:
    """What C-FIND tells: how many objects each study has."""
    keys = {"StudyInstanceUID": "", "NumberOfStudyRelatedInstances": ""}
    return [int(row["NumberOfStudyRelatedInstances"]) for row in find(archive, "STUDY", keys, calling="CT1")]


def test_over_dicom_before_and_after(site: Site) -> None:
    some = files()
    study = given(site, some)
    site.add_peer("CT1", "127.0.0.1", 104, who=HOUSE)
    listener = Listener(site, aet="ISOCENTER", port=0, who=lambda _: SCANNER)
    archive = Peer("ISOCENTER", "127.0.0.1", listener.start())
    try:
        assert asked(archive) == [4]
        told = note(site, study, some[:2])
        (sent,) = send(archive, [told], calling="CT1")
        assert sent.ok
        assert images(site) == set(map(sop_of, some[2:]))
        assert asked(archive) == [3]
        (again,) = send(archive, [told], calling="CT1")
        assert again.ok
    finally:
        listener.stop()
    (event,) = site.journal.since(kinds=(Kind.OBJECTS_REJECTED,))
    assert (event.event.who, event.event.details["reason"], event.event.details["code"]) == ("CT1", "moved", "113001")


def test_a_note_about_the_wrong_patient_is_hidden_with_its_images(site: Site) -> None:
    some = files()
    study = given(site, some)
    site.receive([note(site, study, some, "113037")], sender="CT1", who=SCANNER)
    assert site.find("STUDY", {}, who=ITO) == []


def test_images_that_are_not_there_are_named(site: Site) -> None:
    some = files()
    study = given(site, some)
    told = note(site, study, some[:2])
    first = sop_of(some[0])
    site.rejecting.reject(study, code="113001", reason="moved", instances=[first], who=ITO)
    site.receive([told], sender="CT1", who=SCANNER)
    last = site.journal.since(kinds=(Kind.OBJECTS_REJECTED,))[-1].event.details
    assert (last["absent"], last["instances"]) == ([first], [sop_of(some[1])])


def test_whoever_may_not_reject_only_stores_a_note(site: Site) -> None:
    some = files()
    study = given(site, some)
    (stored,) = site.receive([note(site, study, some)], sender="lee", who=LEE)
    assert stored.status == "stored" and len(images(site)) == 4
    assert site.journal.since(kinds=(Kind.OBJECTS_REJECTED,)) == []


def test_a_note_that_nobody_understands_is_an_object_like_others(site: Site) -> None:
    some = files()
    study = given(site, some)
    broken = note(site, study, some).replace(b"\x08\x00\x15\x11SQ", b"\x08\x00\x15\x12SQ")
    read_header(broken)
    assert site.receive([broken], sender="CT1", who=SCANNER)[0].status == "stored"
    assert len(images(site)) == 4
