"""Projects on a real archive: one's own is as ever, another's does not exist, by whatever verb it is asked for."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path

import pydicom
import pytest
from pydicom.data import get_testdata_file
from rejecting_samples import link_in

from isocenter.app import House, open_house
from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.govern.policy import HOUSE, Owner, Person, Role
from isocenter.reading.critical import Communication
from isocenter.record import Event, Kind
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.store.refold import rebuild

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
ITO, GRAY, CHIEF = Person("ito", Role.READER), Person("gray", Role.READER), Person("chief", Role.ADMIN)
CT1, MR1 = (Person(aet, Role.SERVICE, "aet") for aet in ("CT1", "MR1"))


def file(name: str) -> bytes:
    return Path(str(get_testdata_file(name, download=False))).read_bytes()


def uids(name: str) -> tuple[str, str, str]:
    ds = pydicom.dcmread(BytesIO(file(name)), stop_before_pixels=True)
    return str(ds.StudyInstanceUID), str(ds.SeriesInstanceUID), str(ds.SOPInstanceUID)


CT, CT_SERIES, CT_IMAGE = uids("CT_small.dcm")
MR, MR_SERIES, MR_IMAGE = uids("MR_small.dcm")


class Clock:
    now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A CT in the house, an MR in a trial whose only reader is gray; ito reads in the house."""
    held = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    site = held.site
    site.clock = Clock()
    for person in (ITO, GRAY, CHIEF):
        link_in(site, person.name, person.role)
    site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    site.projects.rule("trial", "MR1", who=CHIEF)
    site.projects.join("trial", "gray", Role.READER, who=CHIEF)
    site.projects.join("house", "gray", Role.NONE, who=CHIEF)
    for who, name in ((CT1, "CT_small.dcm"), (MR1, "MR_small.dcm")):
        (stored,) = site.receive([file(name)], sender=who.name, who=who)
        assert stored.status == "stored"
    yield held
    held.close()


@pytest.fixture
def site(house: House) -> Site:
    return house.site


def test_what_arrives_is_at_home_where_its_sender_belongs_and_rebuild_knows_it(house: House) -> None:
    site = house.site
    assert (site.projects.home(CT), site.projects.home(MR)) == ("house", "trial")
    assert site.projects.home_of_arrival("1.2.3", MR1) == "trial" and site.projects.home_of_arrival(CT, MR1) == "house"
    rebuild(site.database, site.blobs)
    assert site.projects.homes.all()[1] == {MR: "trial"}
    again = Site(site.database, site.blobs, site.journal, site.index, site.registry, site.clock)
    assert again.projects.home(MR) == "trial" and not again.projects.holds(MR, ITO, "study")


@pytest.mark.parametrize(
    ("who", "mine", "others"), [(ITO, CT, MR), (GRAY, MR, CT), (CT1, CT, MR), (Owner("root", Role.ADMIN), MR, "")]
)
def test_one_sees_the_studies_of_ones_projects_and_no_others(site: Site, who: Person, mine: str, others: str) -> None:
    seen = {CT, MR} - {others}
    assert {row["StudyInstanceUID"] for row in site.find("STUDY", {}, who=who)} == seen
    for level in ("SERIES", "IMAGE"):
        assert {row["StudyInstanceUID"] for row in site.find(level, {}, who=who, limit=1)} <= seen
    assert len(site.find("PATIENT", {}, who=who)) == site.counts(who=who)["studies"] == len(seen)
    assert {one.uid for one in site.studies(who=who)} == seen
    assert site.study(mine, who=who).uid == mine
    image = {CT: CT_IMAGE, MR: MR_IMAGE}
    assert site.instance(image[mine], who=who)
    if others:
        with pytest.raises(NotFound) as hidden:
            site.study(others, who=who)
        with pytest.raises(NotFound) as absent:
            site.study("1.2.3", who=who)
        assert str(hidden.value).replace(others, "1.2.3") == str(absent.value)
        with pytest.raises(NotFound):
            site.instance(image[others], who=who)


def test_a_study_of_another_project_takes_as_many_questions_as_one_that_is_nowhere(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    site.projects.home(MR)
    asked: list[str] = []
    known, of = site.projects.homes.known, site.projects.homes.of
    monkeypatch.setattr(site.projects.homes, "known", lambda uids: asked.append("known") or known(uids))  # type: ignore[func-returns-value]
    monkeypatch.setattr(site.projects.homes, "of", lambda uid: asked.append("of") or of(uid))  # type: ignore[func-returns-value]
    told = []
    for uid in (MR, "1.2.3.4"):
        asked.clear()
        with pytest.raises(NotFound) as none:
            site.study(uid, who=ITO)
        told.append((list(asked), str(none.value).replace(uid, "UID")))
    assert told[0] == told[1] and told[0][0] == ["known"]


def test_a_page_is_full_though_others_studies_lie_between(site: Site) -> None:
    assert [row["StudyInstanceUID"] for row in site.find("STUDY", {}, who=ITO, limit=1)] == [CT]
    assert site.find("STUDY", {}, who=ITO, limit=1, offset=1) == []


def test_nobody_adds_to_a_study_of_another_project(site: Site) -> None:
    ds = pydicom.dcmread(BytesIO(file("MR_small.dcm")))
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.826.77"
    kept = BytesIO()
    ds.save_as(kept)
    for given in (kept.getvalue(), file("MR_small.dcm")):  # another image of it, and one that is there
        (stored,) = site.receive([given], sender="CT1", who=CT1)
        assert stored.status == "conflict" and MR not in stored.reason
    (stored,) = site.receive([kept.getvalue()], sender="MR1", who=MR1)
    assert stored.status == "stored" and site.projects.home(MR) == "trial"


def test_a_sender_names_a_project_only_where_it_is_in_it(site: Site) -> None:
    with pytest.raises(NotFound):
        site.receive([file("CT_small.dcm")], sender="ito", who=ITO, project="trial")
    with pytest.raises(NotFound):
        site.receive([file("CT_small.dcm")], sender="chief", who=CHIEF, project="none")


def test_an_administrator_moves_a_study_of_their_own_and_says_why(site: Site) -> None:
    with pytest.raises(NotFound):
        site.projects.move(MR, "house", reason="wrong", who=CHIEF)
    with pytest.raises(Refused):
        site.projects.move(CT, "trial", reason="", who=CHIEF)
    with pytest.raises(NotFound):
        site.projects.move(CT, "none", reason="wrong", who=CHIEF)
    with pytest.raises(Forbidden):
        site.projects.move(CT, "trial", reason="wrong", who=ITO)
    site.projects.move(CT, "trial", reason="it is of the trial", who=CHIEF)
    assert site.find("STUDY", {}, who=ITO) == [] and len(site.find("STUDY", {}, who=GRAY)) == 2


def test_what_one_is_in_a_project_narrows_what_one_may(site: Site) -> None:
    site.projects.join("trial", "gray", Role.RESEARCHER, who=CHIEF)
    assert site.results(MR, who=GRAY) == []
    with pytest.raises(Forbidden, match="in the project"):
        site.open(MR, who=GRAY)
    assert site.worklist(who=GRAY) == []


def test_the_worklist_and_the_events_tell_of_ones_own(site: Site) -> None:
    assert [entry.waiting.study.uid for entry in site.worklist(who=ITO)] == [CT]
    told = {s.event.subject for s in site.events(since=0, limit=1000, who=ITO)}
    assert CT in told and MR not in told


BOSS = Person("boss", Role.ADMIN)
MANY, WHO = 86_753_094, "nobody-4711"  # such as stand in no time and no digest by chance
TOLD: list[tuple[Kind, str, dict[str, object], bool]] = [
    (Kind.PROJECT_SEALED, "trial", {"version": 1, "studies": 12, "files": MANY}, False),
    (Kind.PROJECT_ERASED, "trial", {"asked": 3, "studies": 12}, False),
    (Kind.PROJECT_SEALED, "own", {"version": 1, "studies": 1, "files": 3}, True),
    (Kind.KEY_ROTATED, "trial", {"version": 2, "keys": 12}, False),
    (Kind.KEY_ROTATED, "master", {"version": "k2", "keys": 13}, False),
    (Kind.ERASURE_ASKED, "trial", {"what": "project", "reason": "withdrawn"}, False),
    (Kind.ERASURE_ASKED, MR, {"what": "study", "reason": "withdrawn"}, False),
    (Kind.PROJECT_SET, "trial", {"about": "a trial", "keeper": ""}, True),  # who runs projects runs them all
    (Kind.SCRUBBED, "", {"files": MANY, "bytes": 9, "damaged": ["d"], "mended": 0, "left": ["d"]}, False),
    (Kind.BACKED_UP, "", {"entries": MANY, "blobs": MANY}, False),
    (Kind.BACKUP_REHEARSED, "", {"entries": MANY, "files": MANY, "missing": 0, "passed": True}, False),
    (Kind.BATCH_TAKEN, "", {"offered": 12, "stored": 11, "there": 1}, False),  # by MR1, which sends to the trial
    (Kind.INSTANCES_REJECTED, "", {"count": 2, "reasons": ["x"], "project": "trial"}, False),
    (Kind.INSTANCES_REJECTED, "", {"count": 2, "reasons": ["x"], "project": "own"}, True),
    (Kind.AUDIT_EXPORTED, "", {"form": "fhir", "entries": MANY}, False),
    (Kind.FIGURES_TAKEN, "", {"of": "readers", "rows": MANY}, False),
    (Kind.EXPORTED, "", {"objects": MANY}, False),
    (Kind.CONSENT_GIVEN, "", {"patient": {"id": WHO, "issuer": ""}, "source": "form"}, False),
    (Kind.CONSENT_WITHDRAWN, MR, {"patient": {"id": WHO, "issuer": ""}}, False),
    (Kind.ASKED_ELSEWHERE, MR, {"peers": ["PACS"]}, False),
    (Kind.FETCH_ASKED, MR, {"peer": "PACS", "study": "1.2.3"}, False),
    (Kind.FETCHED, MR, {"peer": "PACS", "study": "1.2.3", "came": 1, "failed": 0, "why": ""}, False),
    (Kind.HEADERS_LEARNT, MR, {"study": {}, "series": {}, "instances": {}}, False),
]


def test_nobody_hears_of_other_projects_nor_how_much_they_hold(site: Site) -> None:
    link_in(site, "boss", Role.ADMIN)
    site.projects.found("own", "of the boss", who=CHIEF)
    site.projects.join("own", "boss", Role.ADMIN, who=CHIEF)
    site.projects.join("house", "boss", Role.NONE, who=CHIEF)
    for kind, subject, details, heard in TOLD:
        (told,) = site.journal.append(Event(kind, NOW, "MR1", subject, details))
        assert site.projects.hears(told, BOSS) is heard, (kind, details)
        assert site.projects.hears(told, HOUSE)
    page = str(site.audits.page(who=BOSS, limit=1000))  # and no entry keeps the page from them
    assert "ProjectSealed" in page and not any(word in page for word in (str(MANY), "withdrawn", WHO))


def test_whoever_is_asked_about_broken_glass_hears_of_it_at_once_and_of_nothing_else_there(site: Site) -> None:
    site.projects.found("trial", "a trial", keeper="ito", who=CHIEF)  # who looks through it is in no such project
    late = Person("late", Role.READER)
    link_in(site, late.name, late.role)
    begun = site.head()
    assert site.projects.break_glass(MR, reason="seizure in the ward", who=late)["reviewer"] == "ito"
    site.study(MR, who=late)

    def heard(who: Person) -> list[Kind]:
        return [s.event.kind for s in site.events(since=begun, limit=9, who=who)]

    assert heard(ITO) == [Kind.GLASS_BROKEN, *[Kind.WITHHELD] * (site.head() - begun - 1)] and len(heard(ITO)) > 1
    third = Person("third", Role.READER)
    assert set(heard(third)) == {Kind.WITHHELD}, "nobody else outside of the project"


def test_broken_glass_shows_a_study_for_its_hour_and_another_person_looks_through_it(site: Site) -> None:
    clock = site.clock
    with pytest.raises(WrongState):
        site.projects.break_glass(CT, reason="seizure in the ward", who=ITO)
    with pytest.raises(NotFound):
        site.projects.break_glass("1.2.3", reason="seizure in the ward", who=ITO)
    with pytest.raises(Forbidden):
        site.projects.break_glass(MR, reason="seizure in the ward", who=CT1)
    glass = site.projects.break_glass(MR, reason="seizure in the ward", minutes=30, who=ITO)
    assert glass["reviewer"] == "chief" and site.projects.glass(who=ITO) == [glass]
    assert site.study(MR, who=ITO).uid == MR and site.instance(MR_IMAGE, who=ITO) and site.results(MR, who=ITO) == []
    assert len(site.find("STUDY", {}, who=ITO)) == 2
    for refused in (
        lambda: site.open(MR, who=ITO),
        lambda: site.sharing.share(MR, who=ITO),
        lambda: site.send(MR, "DEST", who=ITO),
        lambda: site.export(MR, key=b"k" * 32, who=ITO),
    ):
        with pytest.raises(Forbidden):
            refused()
    (row,) = site.projects.to_review(who=CHIEF)
    assert row["seen"] == ["images", "record", "results"] and site.projects.to_review(who=GRAY) == []
    site.projects.review(glass["id"], True, "he was called", who=CHIEF)
    clock.now += timedelta(minutes=30)  # type: ignore[attr-defined]
    with pytest.raises(NotFound):
        site.study(MR, who=ITO)
    kinds = [s.event.kind for s in site.journal.since(kinds=(Kind.GLASS_BROKEN, Kind.GLASS_REVIEWED), limit=9)]
    assert kinds == [Kind.GLASS_BROKEN, Kind.GLASS_REVIEWED]


def test_each_emergency_tells_what_was_seen_through_it_also_where_one_follows_another_at_once(site: Site) -> None:
    """One entry stands for what is seen within five minutes; what is seen in a second emergency is another matter."""
    clock = site.clock
    for _ in range(3):
        first = site.projects.break_glass(MR, reason="seizure in the ward", who=ITO)
        assert site.instance(MR_IMAGE, who=ITO)
        site.projects.end_glass(first["id"], who=ITO)
        clock.now += timedelta(seconds=20)  # type: ignore[attr-defined]
    assert [row["seen"] for row in site.projects.to_review(who=CHIEF)] == [["images"]] * 3
    site.projects.break_glass(MR, reason="seizure in the ward", who=ITO)
    assert site.projects.to_review(who=CHIEF)[0]["seen"] == [], "nothing was looked at yet"


def test_what_was_seen_is_told_however_much_was_told_of_them_before(site: Site) -> None:
    for _ in range(5001):
        site.journal.append(Event(Kind.REMARKED, site.clock(), "ito", MR, {"words": "x"}))
    site.projects.break_glass(MR, reason="seizure in the ward", who=ITO)
    assert site.instance(MR_IMAGE, who=ITO)
    assert site.projects.to_review(who=CHIEF)[0]["seen"] == ["images"]


def test_breaking_the_glass_calls_its_reviewer_at_once_and_every_administrator_after_an_hour(site: Site) -> None:
    clock = site.clock
    for name, role in (("boss", Role.ADMIN), ("lee", Role.READER)):
        link_in(site, name, role)
    lee = Person("lee", Role.READER)
    glass = site.projects.break_glass(MR, reason="seizure in the ward", who=ITO)
    (broken,) = site.journal.since(kinds=(Kind.GLASS_BROKEN,), limit=9)
    (call,) = site.alerts.all(who=CHIEF)
    assert (call["id"], call["source"], call["responsible"], call["asked"]) == (
        glass["id"], "glass", "chief", "reviewer",
    )  # fmt: skip
    assert site.alerts.all(who=CHIEF, state="", glass=False) == site.alerts.open(who=CHIEF, glass=False) == []
    (asked,) = site.projects.to_review(who=CHIEF)  # told once on the pages, where it is judged
    assert (asked["id"], asked["reviewer"], asked["climbed"], asked["left_s"]) == (glass["id"], "chief", False, 3600)
    assert call["left_s"] == 3600 and "ito" in call["finding"] and "seizure in the ward" in call["finding"]
    assert call["patient"] == call["accession"] == call["description"] == "", "the keeper is not in the trial"
    assert site.projects.hears(broken, CHIEF), "an open page of theirs is told"
    for other in (ITO, BOSS, GRAY, lee, CT1):  # who did it, who is not asked yet, a reader of the project, and others
        assert other is CT1 or site.alerts.all(who=other) == site.alerts.open(who=other) == [], other
        assert other in (ITO, GRAY) or not site.projects.hears(broken, other), other
    told = Communication("", clock(), "chief", "Dr Lee", clock(), "telephone")
    with pytest.raises(Refused, match="review"):
        site.alerts.acknowledge(glass["id"], told, who=CHIEF)
    with pytest.raises(NotFound):
        site.alerts.acknowledge(glass["id"], told, who=GRAY)
    clock.now += timedelta(minutes=59)  # type: ignore[attr-defined]
    assert site.alerts.look() == 0 and site.alerts.all(who=BOSS) == []
    assert site.projects.to_review(who=BOSS) == []
    with pytest.raises(NotFound, match="asked about none"):
        site.projects.review(glass["id"], True, who=BOSS)
    clock.now += timedelta(minutes=1)  # type: ignore[attr-defined]
    assert (site.alerts.look(), site.alerts.look()) == (1, 0)
    assert [one["asked"] for one in site.alerts.all(who=BOSS)] == ["administrators"] and site.alerts.all(who=ITO) == []
    assert [(one["climbed"], one["left_s"]) for one in site.projects.to_review(who=BOSS)] == [(True, 0)]
    (climbed,) = site.journal.since(kinds=(Kind.ALERT_CLIMBED,), limit=9)
    assert site.projects.hears(climbed, BOSS) and not site.projects.hears(climbed, lee), (
        "an open page of theirs is told"
    )
    site.projects.review(glass["id"], True, who=CHIEF)
    assert site.alerts.all(who=CHIEF) == [] and site.alerts.look() == 0
    (ended,) = site.alerts.all(who=CHIEF, state="ended")
    assert ended["told"] == {"reviewed": "chief"}
    assert [one["id"] for one in site.alerts.all(who=CHIEF, state="ended", glass=False)] == [glass["id"]]


def test_an_administrator_who_was_called_reviews_in_the_place_of_whoever_let_the_time_pass(site: Site) -> None:
    for name, role in (("boss", Role.ADMIN), ("lee", Role.READER)):
        link_in(site, name, role)
    glass = site.projects.break_glass(MR, reason="seizure in the ward", who=ITO)
    own = site.projects.break_glass(CT, reason="seizure in the ward", who=GRAY)
    assert (glass["reviewer"], own["reviewer"]) == ("chief", "boss")
    site.clock.now += timedelta(hours=1)  # type: ignore[attr-defined]
    assert site.alerts.look() == 2
    for refused, why in ((Person("lee", Role.READER), NotFound), (ITO, Forbidden), (CT1, Forbidden)):
        with pytest.raises(why):
            site.projects.review(glass["id"], True, who=refused)
    assert {row["id"] for row in site.projects.to_review(who=BOSS)} == {glass["id"], own["id"]}
    site.projects.review(glass["id"], False, "nobody had called him", who=BOSS)
    assert [one["id"] for one in site.alerts.all(who=CHIEF)] == [own["id"]]
    with pytest.raises(WrongState, match="boss has looked"):
        site.projects.review(glass["id"], True, who=CHIEF)


def test_a_broken_glass_without_a_reviewer_asks_every_administrator_at_once_but_who_broke_it(site: Site) -> None:
    event = Event(Kind.GLASS_BROKEN, NOW, "chief", MR, {
        "id": "ab" * 8, "reason": "seizure in the ward", "until": (NOW + timedelta(hours=1)).isoformat(),
        "reviewer": "", "project": "trial",
    })  # fmt: skip
    site.journal.append(event)
    assert site.alerts.all(who=CHIEF) == []
    assert [one["asked"] for one in site.alerts.all(who=BOSS)] == ["administrators"]
    assert [one["id"] for one in site.alerts.all(who=Owner("root", Role.ADMIN))] == ["ab" * 8]
