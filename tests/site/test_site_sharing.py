"""One study through a link: until it ends, and no other; every look is told before anything is shown."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

import pydicom
import pytest
from pydicom.data import get_testdata_file

from isocenter.app import open_house
from isocenter.errors import Forbidden, LimitReached, NotFound, Refused, Unavailable
from isocenter.govern import sharing as links
from isocenter.govern.consent import DEMONSTRATION
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.govern.sharing import May
from isocenter.record import Kind
from isocenter.settings import Settings
from isocenter.site.sharing import Sharing
from isocenter.site.through_links import Bearer
from isocenter.site.verbs import Site

NOW = datetime(2026, 11, 20, tzinfo=UTC)
CHIEF = Person("chief", Role.ADMIN)


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    house = open_house(Settings(folder=tmp_path / "archive"), make=True)
    files = [Path(str(get_testdata_file(n))).read_bytes() for n in ("CT_small.dcm", "MR_small.dcm")]
    house.site.receive(files, sender="CT1", who=HOUSE)
    yield house.site
    house.close()


@pytest.fixture
def sharing(site: Site, clock: Clock) -> Sharing:
    return Sharing(site.index, site.journal, site.blobs, clock, site.consents)


def uids(name: str) -> tuple[str, str]:
    ds = pydicom.dcmread(BytesIO(Path(str(get_testdata_file(name))).read_bytes()), stop_before_pixels=True)
    return str(ds.StudyInstanceUID), str(ds.SOPInstanceUID)


CT, CT_IMAGE = uids("CT_small.dcm")
MR, MR_IMAGE = uids("MR_small.dcm")


ALL = tuple(May)


def opened(sharing: Sharing, secret: str, **more: Any) -> str:
    return sharing.studies(Bearer(secret, "a", **more))[1][0].study.uid


def test_a_link_opens_one_study_and_no_other(sharing: Sharing, site: Site) -> None:
    secret, told = sharing.share(CT, who=CHIEF, to="Dr. Ruiz", may=ALL)
    assert opened(sharing, secret) == CT and told["lives"] and secret not in str(told)
    assert sharing.instance(Bearer(secret, "a"), CT_IMAGE)[128:132] == b"DICM"
    there, absent = (pytest.raises(NotFound, match="does not show") for _ in range(2))
    with there as one:
        sharing.instance(Bearer(secret, "a"), MR_IMAGE)
    with absent as other:
        sharing.instance(Bearer(secret, "a"), "1.2.3.4")
    assert str(one.value).replace(MR_IMAGE, "") == str(other.value).replace("1.2.3.4", ""), "nothing tells them apart"
    assert not any(secret in str(s.event.details) for s in site.journal.since())


def test_every_look_is_an_event_and_none_is_shown_without(sharing: Sharing, site: Site, monkeypatch: Any) -> None:
    secret, _ = sharing.share(CT, who=CHIEF, may=ALL)
    opened(sharing, secret)
    sharing.instance(Bearer(secret, "192.0.2.7"), CT_IMAGE)
    looks = [s.event for s in site.journal.since(kinds=[Kind.SHARE_USED])]
    assert [e.details["what"] for e in looks] == ["study", CT_IMAGE] and looks[1].details["address"] == "192.0.2.7"
    (told,) = sharing.shares(who=CHIEF)
    assert (told["used"], told["opened"], told["last"]) == (2, 1, looks[1].time.isoformat())

    def full(*_: Any, **__: Any) -> Any:
        raise Unavailable("the disk is full")

    monkeypatch.setattr(site.journal, "append", full)
    for look in (lambda: opened(sharing, secret), lambda: sharing.instance(Bearer(secret, "a"), CT_IMAGE)):
        with pytest.raises(Unavailable):
            look()


def test_a_link_ends_by_itself_and_by_a_person_and_stays_ended(sharing: Sharing, site: Site, clock: Clock) -> None:
    short, _ = sharing.share(CT, who=CHIEF, hours=1)
    long, told = sharing.share(CT, who=CHIEF, hours=100)
    clock.now += timedelta(minutes=61)
    with pytest.raises(Forbidden) as late:
        opened(sharing, short)
    assert opened(sharing, long) == CT
    sharing.end(told["id"], who=CHIEF, reason="sent to the wrong one")
    again = Sharing(site.index, site.journal, site.blobs, clock, site.consents)  # as after a restart
    for one in (sharing, again):
        with pytest.raises(Forbidden) as ended:
            opened(one, long)
        assert str(ended.value) == str(late.value), "nothing tells why"
    with pytest.raises(NotFound):
        sharing.end(told["id"], who=CHIEF)
    assert [r["lives"] for r in again.shares(who=CHIEF, study_uid=CT)] == [False, False]


def test_an_open_page_asks_how_long_it_may_stay_and_is_shown_nothing_by_it(
    sharing: Sharing, site: Site, clock: Clock
) -> None:
    secret, told = sharing.share(CT, who=CHIEF, hours=1, word="früh um fünf")
    looks = len(site.journal.since(kinds=[Kind.SHARE_USED]))
    assert sharing.left_s(Bearer(secret, "a", "früh um fünf")) == 3600
    with pytest.raises(Forbidden):
        sharing.left_s(Bearer(secret, "a"))
    sharing.end(told["id"], who=CHIEF)
    with pytest.raises(Forbidden, match="opens nothing"):
        sharing.left_s(Bearer(secret, "a", "früh um fünf"))
    assert len(site.journal.since(kinds=[Kind.SHARE_USED])) == looks


def test_a_link_to_a_study_of_the_demonstration_opens_nothing_and_is_not_extended(
    sharing: Sharing, site: Site, clock: Clock
) -> None:
    ds = pydicom.dcmread(str(get_testdata_file("CT_small.dcm")))
    shown, ds.SeriesInstanceUID = "1.2.777.8", "1.2.777.8.0"
    ds.StudyInstanceUID = shown
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = "1.2.777.8.1"
    out = BytesIO()
    ds.save_as(out)
    list(site.receive([out.getvalue()], sender=DEMONSTRATION, who=HOUSE))
    secret, _, events = links.share(
        [shown], who="chief", now=clock(), life=timedelta(hours=72)
    )  # as older versions gave them
    site.journal.append(*events)
    for look in (
        lambda: opened(sharing, secret), lambda: sharing.left_s(Bearer(secret, "a")),
        lambda: sharing.instance(Bearer(secret, "a"), "1.2.777.8.1"),
    ):  # fmt: skip
        with pytest.raises(Forbidden, match="opens nothing"):
            look()
    assert not site.journal.since(kinds=[Kind.SHARE_USED])
    (told,) = sharing.shares(who=CHIEF)
    assert told["lives"] and told["closed"] == "a study of the demonstration stays here"
    with pytest.raises(Refused, match="an image of the demonstration"):
        sharing.extend(told["id"], who=CHIEF, hours=240)
    sharing.end(told["id"], who=CHIEF)
    (told,) = sharing.shares(who=CHIEF)
    assert not told["lives"] and told["closed"] == ""


def test_a_link_is_extended_while_it_lives_and_only_forwards(sharing: Sharing, site: Site, clock: Clock) -> None:
    secret, told = sharing.share(CT, who=CHIEF, hours=2)
    with pytest.raises(Refused, match="sooner"):
        sharing.extend(told["id"], who=CHIEF, hours=1)
    with pytest.raises(Refused, match="a link for 9000 h: it opens for at most 365"):
        sharing.extend(told["id"], who=CHIEF, hours=9000)
    clock.now += timedelta(hours=1)
    longer = sharing.extend(told["id"], who=CHIEF, hours=24, reason="not read yet")
    assert longer["until"] == (clock.now + timedelta(hours=24)).isoformat()
    clock.now += timedelta(hours=23)
    again = Sharing(site.index, site.journal, site.blobs, clock, site.consents)  # as after a restart
    assert opened(again, secret) == CT
    (said,) = site.journal.since(kinds=[Kind.SHARE_EXTENDED])
    assert (said.event.details["was"], said.event.details["reason"]) == (told["until"], "not read yet")
    clock.now += timedelta(hours=1)
    with pytest.raises(NotFound):
        again.extend(told["id"], who=CHIEF, hours=24)
    with pytest.raises(Forbidden):
        opened(again, secret)


def test_the_preview_is_what_the_link_shows_and_no_look(sharing: Sharing) -> None:
    secret, _ = sharing.share(CT, who=CHIEF)
    preview = sharing.preview([CT], who=CHIEF)
    seen = [one.study for one in sharing.studies(Bearer(preview, "b"))[1]]
    assert sharing.shares(who=CHIEF)[0]["used"] == 0
    assert seen == [one.study for one in sharing.studies(Bearer(secret, "a"))[1]]


def test_a_preview_ends_with_the_session_in_which_it_was_asked_for(sharing: Sharing) -> None:
    here = True
    preview = sharing.preview([CT], may=[May.DOWNLOAD], signed_in=lambda: here, who=CHIEF)
    files = sharing.files(Bearer(preview, "b"))
    assert opened(sharing, preview) == CT
    here = False
    with pytest.raises(Forbidden, match="opens nothing"):
        opened(sharing, preview)
    assert all(isinstance(data, Forbidden) for _, data in files), "what was begun ends, too"


def test_who_may_not_give_a_link_any_more_sees_nothing_by_its_preview(sharing: Sharing, site: Site) -> None:
    site.add_person("ito", Role.READER, "four quiet herons wade", who=HOUSE)
    ito = Person("ito", Role.READER)
    preview = sharing.preview([CT], who=ito)
    assert opened(sharing, preview) == CT
    site.change_person("ito", closed=True, who=HOUSE)
    with pytest.raises(Forbidden, match="opens nothing"):
        opened(sharing, preview)
    site.change_person("ito", closed=False, who=HOUSE)
    with pytest.raises(Forbidden, match="opens nothing"):
        opened(sharing, preview)
    again = sharing.preview([CT], who=ito)
    assert opened(sharing, again) == CT
    sharing.holds = lambda study_uid, who, verb: False  # a project lets them go
    with pytest.raises(Forbidden, match="opens nothing"):
        opened(sharing, again)


@pytest.mark.parametrize("how", ["ended", "late"])
def test_who_takes_the_files_slowly_gets_none_after_the_link_has_ended(
    sharing: Sharing, site: Site, clock: Clock, how: str
) -> None:
    secret, told = sharing.share([CT, MR], who=CHIEF, hours=1, may=ALL)
    taking = sharing.files(Bearer(secret, "a"))
    assert isinstance(next(taking)[1], bytes)
    if how == "ended":
        sharing.end(told["id"], who=CHIEF)
    else:
        clock.now += timedelta(minutes=61)
    ((place, rest),) = taking
    assert isinstance(rest, Forbidden) and "ended meanwhile" in str(rest) and place.startswith("study-2/")


def test_a_word_is_asked_where_one_was_set(sharing: Sharing) -> None:
    secret, told = sharing.share(CT, who=CHIEF, word="told by telephone")
    assert told["asks_a_word"] and "telephone" not in str(told)
    with pytest.raises(Forbidden):
        opened(sharing, secret)
    assert opened(sharing, secret, word="told by telephone") == CT


def test_the_word_of_a_link_that_leaked_is_not_guessed_from_many_addresses(sharing: Sharing) -> None:
    secret, _ = sharing.share(CT, who=CHIEF, word="told by telephone")
    for n in range(20):
        with pytest.raises(Forbidden):
            sharing.studies(Bearer(secret, f"host {n}", f"guess {n}"))
    with pytest.raises(LimitReached):
        sharing.studies(Bearer(secret, "host 99", "told by telephone"))
    other, _ = sharing.share(CT, who=CHIEF, word="told by telephone")
    assert opened(sharing, other, word="told by telephone") == CT


@pytest.mark.parametrize("guesses", [4_000, pytest.param(1_000_000, marks=pytest.mark.nightly)])
def test_guesses_find_nothing_and_are_soon_not_looked_at(sharing: Sharing, guesses: int) -> None:
    secret, _ = sharing.share(CT, who=CHIEF)
    found = stopped = 0
    for n in range(guesses):
        tried = secrets.token_urlsafe(32) if n % 2 else secret[:-1] + "-"
        try:
            found += sharing.studies(Bearer(tried, f"host {n // 40}"))[1][0].study.uid == CT
        except LimitReached:
            stopped += 1
        except Forbidden:
            pass
    assert found == 0 and stopped == guesses // 2
    assert opened(sharing, secret) == CT, "whoever holds it still comes in"


def test_who_may_give_and_for_how_long(sharing: Sharing) -> None:
    for role in (Role.RESEARCHER, Role.SERVICE, Role.PATIENT, Role.NONE):
        with pytest.raises(Forbidden):
            sharing.share(CT, who=Person("x", role))
        with pytest.raises(Forbidden):
            sharing.shares(who=Person("x", role))
    with pytest.raises(Refused, match="365 days"):
        sharing.share(CT, who=CHIEF, hours=9000)
    with pytest.raises(NotFound):
        sharing.share("1.2.3", who=CHIEF)
