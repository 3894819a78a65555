"""No image is shown that the journal does not tell of."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, ClassVar

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Yield
from isocenter.analysis.registry import Registry
from isocenter.app import open_house
from isocenter.errors import Unavailable
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.reading.session import Correction
from isocenter.record import Finding, Kind, Verdict, codes
from isocenter.settings import Settings
from isocenter.site.verbs import Site

ITO, PEER = Person("ito", Role.READER), Person("PACS", Role.SERVICE)


class Clock:
    now = datetime(2026, 11, 20, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    files = [Path(str(get_testdata_file(n))).read_bytes() for n in ("CT_small.dcm", "MR_small.dcm")]
    house.site.receive(files, sender="CT1", who=HOUSE)
    yield replace(house.site, clock=Clock())
    house.close()


def looks(site: Site) -> list[tuple[str, str]]:
    return [(s.event.who, s.event.subject) for s in site.journal.since(kinds=[Kind.IMAGES_SEEN])]


def images(site: Site) -> list[tuple[str, str, str]]:
    found = [site.index.study(s.uid) for s in site.index.studies()]
    return [(s.uid, s.series[0].uid, s.series[0].instances[0].sop_uid) for s in found]


def test_each_person_and_study_is_one_entry_in_five_minutes(site: Site) -> None:
    (one, series, image), (two, _, other) = images(site)
    for _ in range(3):
        site.instance(image, who=ITO)
        site.pictures(one, series, who=ITO)
    site.instance(image, who=PEER)
    site.instance(other, who=ITO)
    site.instance(image, who=HOUSE)
    assert looks(site) == [("ito", one), ("PACS", one), ("ito", two)]
    site.clock.now += timedelta(minutes=6)  # type: ignore[attr-defined]
    site.geometry_of(image, who=ITO)
    assert looks(site)[-1] == ("ito", one) and len(looks(site)) == 4


def test_nothing_is_shown_while_the_journal_cannot_be_written(site: Site, monkeypatch: Any) -> None:
    (one, series, image), (_, _, other) = images(site)
    site.instance(image, who=ITO)

    def full(*_: Any, **__: Any) -> Any:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(site.journal, "append", full)
    with pytest.raises(Unavailable):
        site.instance(other, who=ITO)
    for look in (lambda: site.instance(image, who=ITO), lambda: site.pictures(one, series, who=ITO)):
        with pytest.raises(Unavailable):  # also what was seen a moment ago
            look()
    monkeypatch.undo()
    assert site.instance(image, who=ITO) and looks(site)[-1] == ("ito", one)


def test_records_results_reports_and_searches_leave_a_trace_of_their_own(site: Site) -> None:
    (one, _, _), _ = images(site)
    for _ in range(2):
        site.study(one, who=ITO)
        site.results(one, who=ITO)
        site.report(one, who=ITO)
        site.find("STUDY", {"PatientName": "SOMEBODY*", "StudyDate": ""}, who=PEER)
    site.study(one, who=HOUSE)
    told = [s.event for s in site.journal.since(kinds=[Kind.VIEWED, Kind.QUERIED])]
    assert [(e.kind, e.who, e.details.get("what") or e.details["keys"]) for e in told] == [
        (Kind.VIEWED, "ito", "record"), (Kind.VIEWED, "ito", "results"), (Kind.VIEWED, "ito", "report"),
        (Kind.QUERIED, "PACS", "PatientName"),
    ]  # fmt: skip
    assert not any("SOMEBODY" in str(s.event.details) for s in site.journal.since()), "keys, never their values"


def test_none_of_them_is_served_while_the_journal_cannot_be_written(site: Site, monkeypatch: Any) -> None:
    (one, _, _), _ = images(site)

    def full(*_: Any, **__: Any) -> Any:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(site.journal, "append", full)
    for look in (
        lambda: site.study(one, who=ITO),
        lambda: site.results(one, who=ITO),
        lambda: site.report(one, who=ITO),
        lambda: site.find("PATIENT", {"PatientName": "*"}, who=PEER),
    ):
        with pytest.raises(Unavailable):
            look()


class Lesions:
    """An analysis of any CT that finds something."""

    name, version = "lesions", "1"
    needs: ClassVar = {"image": Need(modality="CT")}
    yields = (Yield(what=codes.LESION),)

    def run(self, image: Any = None) -> Answer:
        return Answer.found(Finding(codes.LESION, 0.9, words="A lesion."))


def test_each_of_ten_acts_is_one_event_by_its_name(site: Site) -> None:
    """Create, read, query, export, delete, sign in, change of rights, run of a model, display of AI, override."""
    site = replace(site, registry=Registry({"lesions": Lesions()}, {}), apart=False)
    ((ct, _, image), _) = sorted(images(site), key=lambda one: site.index.study(one[0]).series[0].modality)
    file, chief = Path(str(get_testdata_file("MR_small.dcm"))).read_bytes(), Person("chief", Role.ADMIN)
    site.add_person("ito", Role.RESEARCHER, "four quiet herons wade", who=chief)
    site.consents.give({"GRU": []}, study=ct, who=chief)
    fresh = pydicom.dcmread(io.BytesIO(file))
    fresh.SOPInstanceUID = fresh.file_meta.MediaStorageSOPInstanceUID = "1.2.3.4.5"
    created = io.BytesIO()
    fresh.save_as(created)

    def struck() -> None:
        reading = site.open(ct, who=ITO)
        reading = site.lock(ct, version=reading.version, nothing=True, who=ITO)
        ((digest, result),) = site.results(ct, who=ITO)
        (found,) = result.findings
        site.correct(
            ct, Correction(Verdict.STRUCK, found.tracking, digest, reason="a vessel"), version=reading.version, who=ITO
        )

    acts: list[tuple[str, Kind, str, Callable[[], Any]]] = [
        ("create", Kind.INSTANCES_RECEIVED, "CT1", lambda: site.receive([created.getvalue()], sender="CT1", who=PEER)),
        ("read", Kind.IMAGES_SEEN, "ito", lambda: site.instance(image, who=ITO)),
        ("query", Kind.QUERIED, "ito", lambda: site.find("STUDY", {"PatientName": "A*"}, who=ITO)),
        ("sign-in", Kind.SIGNED_IN, "ito", lambda: site.sign_in("ito", "four quiet herons wade", address="a")),
        ("permission change", Kind.PERSON_CHANGED, "chief",
         lambda: site.change_person("ito", role=Role.READER, who=chief)),
        ("model run", Kind.RESULT_MADE, "chief", lambda: site.analyse(ct, who=chief)),
        ("AI display", Kind.VIEWED, "ito", lambda: site.results(ct, who=ITO)),
        ("override", Kind.RESULT_MADE, "ito", struck),
        ("export", Kind.EXPORTED, "chief", lambda: site.export(ct, key=b"k" * 32, reason="a rare disease", who=chief)),
        ("delete", Kind.OBJECTS_REJECTED, "chief",
         lambda: site.rejecting.reject(ct, code="113001", reason="a test", who=chief)),
    ]  # fmt: skip
    for name, kind, who, act in acts:
        before = site.journal.head()[0]
        act()
        told = [s.event for s in site.journal.since(before, kinds=(kind,))]
        assert [event.who for event in told] == [who], name
    assert site.journal.verify()
