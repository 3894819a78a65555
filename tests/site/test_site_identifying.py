"""Patients are merged, studies moved, and both undone, as events; whatever still arrives finds its way."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import date
from pathlib import Path

import pytest
from rejecting_samples import ANNA, ITO, files, given, opened
from test_site_rejecting import law

from isocenter.doors import dicomweb_retrieve as retrieve
from isocenter.doors.media import wishes
from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE
from isocenter.record import Patient
from isocenter.site.verbs import Site

P1, P2 = ("P1", ""), ("P2", "")


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as one:
        yield one


def owners(site: Site) -> dict[str, str]:
    return {row["StudyInstanceUID"]: row["PatientID"] for row in site.find("STUDY", {}, who=ITO)}


def patients(site: Site) -> list[str]:
    return [row["PatientID"] for row in site.find("PATIENT", {}, who=ITO)]


def test_two_become_one_and_two_again_with_what_came_between(site: Site) -> None:
    first, second = given(site, files(1, patient="P1")), given(site, files(2, patient="P2"))
    told = site.identities.merge(P1, P2, reason="registered twice", who=ANNA)
    assert told["studies"] == [first]
    assert owners(site) == {first: "P2", second: "P2"} and patients(site) == ["P2"]
    third = given(site, files(3, patient="P1"))
    more = files(4, patient="P1", study=first)
    assert [s.status for s in site.receive(more, sender="CT1", who=HOUSE)] == ["stored"] * 4
    assert owners(site) == {first: "P2", second: "P2", third: "P2"} and patients(site) == ["P2"]
    law(site)
    site.identities.undo(told["number"], reason="two sisters", who=ANNA)
    assert owners(site) == {first: "P1", second: "P2", third: "P1"} and patients(site) == ["P1", "P2"]
    law(site)
    (one,) = site.identities.changes(who=ANNA)
    assert one["what"] == "merged" and one["undone"] == site.head()
    with pytest.raises(WrongState, match="none that stands"):
        site.identities.undo(told["number"], reason="once more", who=ANNA)


def test_headers_by_url_and_searches_tell_the_same_patient_before_a_merge_after_it_and_undone(site: Site) -> None:
    """The files keep the name under which they came; what describes them says whose they are now, as a search does."""
    first = given(site, files(1, patient="P1"))
    given(site, files(2, patient="P2"))

    def told() -> tuple[set[str], str]:
        target = retrieve.find_target(site, ITO, "http://x", first)
        headers = json.loads(b"".join(retrieve.metadata(site, ITO, target, wishes("application/dicom+json")).pieces))
        assert len(headers) == 4
        return {one["00100020"]["Value"][0] for one in headers}, target.tag

    before = told()
    assert before[0] == {owners(site)[first]} == {"P1"}
    change = site.identities.merge(P1, P2, reason="registered twice", who=ANNA)
    merged = told()
    assert merged[0] == {owners(site)[first]} == {"P2"} and merged[1] != before[1], "no client keeps the old answer"
    assert b"P1" in site.instance(site.study(first, who=ITO).series[0].instances[0].sop_uid, who=ITO)
    site.identities.undo(change["number"], reason="two sisters", who=ANNA)
    assert told() == before


def test_a_study_of_the_wrong_patient_is_moved_and_back(site: Site) -> None:
    study, other = given(site, files(1, patient="P1")), given(site, files(2, patient="P1"))
    into = Patient("P9", "New^One", date(1980, 2, 3), "F", "")
    told = site.identities.move([study], into, reason="wrong entry chosen", who=ANNA)
    assert owners(site) == {study: "P9", other: "P1"}
    assert site.find("STUDY", {"PatientID": "P9"}, who=ITO)[0]["PatientName"] == "New^One"
    assert site.study(study, who=ITO).patient == into
    again = files(1, patient="P1", study=study, number=3)
    assert {s.status for s in site.receive(again, sender="CT1", who=HOUSE)} <= {"stored", "there", "conflict"}
    assert owners(site)[study] == "P9"
    law(site)
    site.identities.undo(told["number"], reason="it was right", who=ANNA)
    assert owners(site) == {study: "P1", other: "P1"} and patients(site) == ["P1"]
    law(site)


def test_later_changes_are_undone_first(site: Site) -> None:
    study = given(site, files(1, patient="P1"))
    given(site, files(2, patient="P2"))
    first = site.identities.merge(P1, P2, reason="twice", who=ANNA)
    second = site.identities.move([study], Patient("P3"), reason="no, this one", who=ANNA)
    with pytest.raises(WrongState, match="undo that one first"):
        site.identities.undo(first["number"], reason="back", who=ANNA)
    for change in (second, first):
        site.identities.undo(change["number"], reason="back", who=ANNA)
    assert owners(site)[study] == "P1"
    law(site)


def test_a_chain_of_merges_leads_to_the_last(site: Site) -> None:
    for n in (1, 2, 3):
        given(site, files(n, patient=f"P{n}"))
    site.identities.merge(P1, P2, reason="twice", who=ANNA)
    site.identities.merge(P2, ("P3", ""), reason="thrice", who=ANNA)
    late = given(site, files(4, patient="P1"))
    assert owners(site)[late] == "P3" and patients(site) == ["P3"]
    law(site)


def test_who_may_not_and_what_makes_no_change(site: Site) -> None:
    study = given(site, files(1, patient="P1"))
    verbs = site.identities
    with pytest.raises(Forbidden):
        verbs.merge(P1, P2, reason="because", who=ITO)
    with pytest.raises(NotFound, match="P2"):
        verbs.merge(P1, P2, reason="because", who=ANNA)
    with pytest.raises(Refused, match="they are one already"):
        verbs.merge(P1, P1, reason="because", who=ANNA)
    with pytest.raises(NotFound):
        verbs.merge(("", ""), P1, reason="because", who=ANNA)
    with pytest.raises(Refused, match="reason"):
        verbs.move([study], Patient("P2"), reason="", who=ANNA)
    with pytest.raises(Refused, match="without"):
        verbs.move([], Patient("P2"), reason="because", who=ANNA)
    with pytest.raises(NotFound, match="study 1"):
        verbs.move(["1.2.3"], Patient("P2"), reason="because", who=ANNA)
    assert verbs.changes(who=ANNA) == []
