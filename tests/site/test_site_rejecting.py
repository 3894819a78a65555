"""Rejected images are hidden and kept; a rejection is taken back; what is erased is erased by two persons."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from rejecting_samples import ANNA, BERT, ITO, LEE, files, given, opened, sop_of

from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE
from isocenter.record import Kind
from isocenter.site.verbs import Site
from isocenter.store import rebuild
from isocenter.store.tables import PROJECTION


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    with opened(tmp_path) as one:
        yield one


def dump(site: Site) -> dict[str, list[Any]]:
    with site.database.read() as connection:
        return {t.name: sorted(map(tuple, connection.execute(sa.select(t))), key=repr) for t in PROJECTION}


def law(site: Site) -> None:
    before = dump(site)
    rebuild(site.database, site.blobs)
    assert dump(site) == before
    site.journal.verify()


def reject(site: Site, study: str, *, code: str = "113001", **what: Any) -> dict[str, Any]:
    return site.rejecting.reject(study, code=code, reason="she moved", who=ITO, **what)


def test_one_image_is_hidden_and_kept_and_its_note_can_be_sent(site: Site) -> None:
    some = files()
    study = given(site, some)
    gone = sop_of(some[0])
    told = reject(site, study, instances=[gone], instead=["1.2.3"])
    assert (told["state"], told["by"], told["instances"], told["instead"]) == ("rejected", "ito", [gone], ["1.2.3"])
    assert {r["SOPInstanceUID"] for r in site.find("IMAGE", {}, who=ITO)} == {*map(sop_of, some[1:]), told["note"]}
    (row,) = site.find("STUDY", {}, who=ITO)
    assert (row["NumberOfStudyRelatedInstances"], row["NumberOfStudyRelatedSeries"]) == (4, 3)
    with pytest.raises(NotFound):
        site.instance(gone, who=ITO)
    digest = next(r["digest"] for r in _rows(site, told["number"]))
    assert site.blobs.get(digest) == some[0], "nothing was deleted"
    assert site.instance(told["note"], who=ITO)[128:132] == b"DICM"
    law(site)
    note = site.instance(told["note"], who=ITO)
    site.rejecting.take_back(study, told["number"], reason="it was right", who=ANNA)
    assert {r["SOPInstanceUID"] for r in site.find("IMAGE", {}, who=ITO)} == set(map(sop_of, some))
    assert site.receive([note], sender="CT1", who=HOUSE)[0].status == "there"
    assert len(site.find("IMAGE", {}, who=ITO)) == 4, "sent again, it rejects nothing"
    law(site)


def test_a_whole_study_leaves_every_list_and_comes_back_as_it_was(site: Site) -> None:
    some = files()
    study = given(site, some)
    assert [e.waiting.study.uid for e in site.worklist(who=ITO)] == [study]
    before = dump(site)
    told = reject(site, study, code="113038")
    assert site.find("STUDY", {}, who=ITO) == site.find("PATIENT", {}, who=ITO) == []
    assert site.worklist(who=ITO) == [] and site.counts(who=ITO)["instances"] == 0
    with pytest.raises(NotFound):
        site.study(study, who=ITO)
    assert len(told["instances"]) == 5, "the note of a wrong worklist entry is hidden too"
    law(site)
    back = site.rejecting.take_back(study, told["number"], reason="it was the right one", who=ANNA)
    assert (back["state"], back["taken_back_by"]) == ("taken back", "anna")
    after = dump(site)
    assert set(after["instance"]) == set(before["instance"]) and after["patient"] == before["patient"]
    assert told["note"] not in str(after["instance"]), "a note that nobody stands by any more is shown to nobody"
    assert len(site.rejecting.rejections(study, who=ANNA)) == 1, "and is no rejection that could be taken back"
    assert [e.waiting.study.uid for e in site.worklist(who=ITO)] == [study]
    law(site)
    with pytest.raises(WrongState, match="taken back before"):
        site.rejecting.take_back(study, told["number"], reason="once more", who=ANNA)


def test_a_series_on_a_screen_is_asked_for_again(site: Site) -> None:
    study = given(site, files())
    series = site.study(study, who=ITO).series[0].uid
    shown = site.pictures(study, series, who=ITO)
    assert site.pictures(study, series, tag=shown.tag, who=ITO).tag == shown.tag
    reject(site, study, series=series)
    with pytest.raises(NotFound):
        site.pictures(study, series, tag=shown.tag, who=ITO)


def test_what_is_on_a_screen_stays_while_more_arrives_and_goes_when_an_image_of_it_does(site: Site) -> None:
    some = files()
    study = given(site, some[:1])
    series = site.study(study, who=ITO).series[0].uid
    shown = site.pictures(study, series, who=ITO)
    given(site, some[1:])
    assert len(site.pictures(study, series, who=ITO).order) == 2
    of, values = site.slab(study, series, [0], tag=shown.tag, who=ITO)
    assert of.tag == shown.tag and sum(1 for _ in values) == 1
    reject(site, study, instances=[shown.order[0].sop_uid])
    with pytest.raises(Conflict, match="changed"):
        site.slab(study, series, [0], tag=shown.tag, who=ITO)


def test_sent_again_it_stays_rejected_and_other_content_is_set_aside(site: Site) -> None:
    some = files()
    study = given(site, some)
    told = reject(site, study, instances=[sop_of(some[0])])
    assert [s.status for s in site.receive(some, sender="CT1", who=HOUSE)] == ["there"] * 4
    assert sop_of(some[0]) not in {r["SOPInstanceUID"] for r in site.find("IMAGE", {}, who=ITO)}
    other = some[0][:-2] + b"!!"
    assert site.receive([other], sender="CT1", who=HOUSE)[0].status == "conflict"
    assert site.rejecting.rejections(study, who=ITO) == [told]
    law(site)


def test_who_may_not_and_what_makes_no_rejection(site: Site) -> None:
    study = given(site, files())
    with pytest.raises(Forbidden):
        site.rejecting.reject(study, code="113001", reason="because", who=LEE)
    with pytest.raises(Refused, match="a rejection says one of"):
        site.rejecting.reject(study, code="1", reason="because", who=ITO)
    with pytest.raises(Refused, match="no reason"):
        site.rejecting.reject(study, code="113001", reason=" ", who=ITO)
    with pytest.raises(NotFound, match="series"):
        reject(site, study, series="1.2.3")
    with pytest.raises(NotFound, match="such a rejection"):
        site.rejecting.take_back(study, 99, reason="because", who=ITO)
    with pytest.raises(NotFound):
        reject(site, "1.2.3")


def test_two_persons_erase_and_only_what_stands_rejected(site: Site) -> None:
    some = files()
    study = given(site, some)
    told = reject(site, study, code="113039", instances=[sop_of(some[0]), sop_of(some[1])])
    number, verbs = told["number"], site.rejecting
    with pytest.raises(Forbidden):
        verbs.ask_purge(study, number, reason="ten years", who=ITO)
    with pytest.raises(Refused, match="house itself"):
        verbs.ask_purge(study, number, reason="ten years", who=HOUSE)
    with pytest.raises(WrongState, match="nobody asked"):
        verbs.purge(study, number, who=BERT)
    assert verbs.ask_purge(study, number, reason="ten years", who=ANNA)["state"] == "asked"
    with pytest.raises(WrongState):
        verbs.ask_purge(study, number, reason="ten years", who=BERT)
    with pytest.raises(Refused, match="four eyes"):
        verbs.purge(study, number, who=ANNA)
    digests = {row["digest"] for row in _rows(site, number)}
    assert digests <= set(site.blobs.digests())
    done = verbs.purge(study, number, who=BERT)
    assert (done["state"], done["erased_by"], set(done["digests"])) == ("erased", "bert", digests)
    assert not digests & set(site.blobs.digests())
    assert verbs.purge(study, number, who=BERT) == done, "a second time finishes what a crash left"
    law(site)
    with pytest.raises(WrongState):
        verbs.take_back(study, number, reason="too late", who=ANNA)
    kinds = [s.event.kind for s in site.journal.since(kinds=(Kind.PURGE_ASKED, Kind.OBJECTS_PURGED))]
    assert kinds == [Kind.PURGE_ASKED, Kind.OBJECTS_PURGED]
    assert site.receive([some[0]], sender="CT1", who=HOUSE)[0].status == "stored", "what was erased may come anew"
    assert list(site.blobs.scrub()) == []
    law(site)


def test_bytes_that_somebody_else_needs_are_not_erased(site: Site) -> None:
    some = files()
    study = given(site, some)
    first = reject(site, study, instances=[sop_of(some[0])])
    second = reject(site, study, instances=[sop_of(some[1])])
    with site.database._begin() as connection:  # two names of the same bytes cannot be made by honest means
        digest = _rows(site, first["number"])[0]["digest"]
        connection.exec_driver_sql("UPDATE rejected SET digest = ? WHERE rejection = ?", (digest, second["number"]))
    site.rejecting.ask_purge(study, first["number"], reason="ten years", who=ANNA)
    assert site.rejecting.purge(study, first["number"], who=BERT)["digests"] == []
    assert digest in site.blobs


def _rows(site: Site, number: int) -> list[dict[str, Any]]:
    from isocenter.store.rejections import Rejections

    return Rejections(site.database).of(number)
