"""The journal as people read it: sentences, filters, pages, and a chain that shows one flipped byte."""

from __future__ import annotations

import hashlib
import json
import sqlite3
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from department_for_oversight import AI, CHIEF, ITO, Clock, department, report_of, uid
from isocenter.errors import Forbidden, Refused
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Kind, digest_of
from isocenter.site.auditing import _WORDS, Auditing, query_of, sentence
from isocenter.site.verbs import Site


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    with department(tmp_path_factory.mktemp("department")) as (site, _):
        yield site


def rows(site: Site, q: str = "", **rest: object) -> list[dict[str, object]]:
    return site.audits.page(who=CHIEF, q=q, **rest)["rows"]  # type: ignore[arg-type,no-any-return]


def test_filters_by_who_what_when_and_words(site: Site) -> None:
    signed = rows(site, "what:reportsigned")
    assert len(signed) == 30
    assert signed[0]["words"] == f"lee signed report {hashlib.sha256(report_of(30)).hexdigest()[:12]}"
    assert len(rows(site, "who:ito what:reportsigned")) == 15
    assert len(rows(site, f"on:{uid(7)} what:result")) == 1
    assert len(rows(site, f"analysis:{AI} what:outcome", limit=1000)) == 30
    assert len(rows(site, "conference", limit=1000)) == 30
    assert rows(site, "since:2026-11-19") == []
    assert len(rows(site, "since:2026-11-16 until:2026-11-16 what:reportsigned")) == 30, "until is included"
    assert rows(site, "until:2026-11-15 what:reportsigned") == []


def test_pages_follow_one_another_and_miss_nothing(site: Site) -> None:
    found, before = [], ""
    while True:
        page = site.audits.page(who=CHIEF, before=before, limit=37)
        found += page["rows"]
        if page["next"] is None:
            break
        before = page["next"]
    numbers = [site.tickets.number(row["ticket"]) for row in found]
    assert numbers == list(range(site.head(), 0, -1))
    few = site.audits.page(who=CHIEF, q="what:reportsigned who:lee", limit=10)
    rest = site.audits.page(who=CHIEF, q="what:reportsigned who:lee", limit=10, before=few["next"])
    assert (len(few["rows"]), len(rest["rows"]), rest["next"]) == (10, 5, None)


def test_entries_are_written_in_no_other_form(site: Site) -> None:
    before = site.head()
    with pytest.raises(Refused, match="there are fhir and dicom"):
        site.audits.exported(who=CHIEF, form="csv")
    assert site.head() == before, "what is refused is not in the journal as taken out"


@pytest.mark.parametrize("q", ["colour:red", "since:soon", "what:nothing-like-that"])
def test_filters_that_do_not_exist_are_refused(site: Site, q: str) -> None:
    with pytest.raises(Refused):
        rows(site, q)


def test_counts_only_for_whoever_may_not_read_it(site: Site) -> None:
    told = site.audits.page(who=ITO)
    assert (told["rows"], told["may_see_rows"]) == ([], False)
    assert told["counts"]["ReportSigned"] == 30
    few = [kind for kind, n in told["counts"].items() if n is None]
    assert "PersonAdded" in few, "four were added: a count under ten leaves nothing"
    assert all(n is None or n >= 10 for n in told["counts"].values())
    hidden = Auditing(site.journal, site.clock, within=lambda sealed, who: False)
    assert hidden.page(who=ITO)["counts"] == {}, "of another's project nothing is counted"
    with pytest.raises(Forbidden):
        site.audits.page(who=Person("gray", Role.RESEARCHER))


def test_what_may_not_be_heard_yet_is_withheld(site: Site) -> None:
    deaf = Auditing(site.journal, site.clock, lambda sealed, who: sealed.event.kind is not Kind.RESULT_MADE)
    told = deaf.page(who=CHIEF, q=f"on:{uid(9)}")
    assert told["withheld"] == [uid(9)], "that there is something, and not how much"
    assert not [row for row in told["rows"] if row["kind"] in ("", "ResultMade")]
    assert told["looked"] == len(told["rows"])


@pytest.mark.parametrize("asked", ["what:result", "who:isocenter", "lung"])
def test_no_filter_finds_out_what_may_not_be_heard_yet(site: Site, asked: str) -> None:
    """Whether an entry fits would tell what it says."""
    deaf = Auditing(site.journal, site.clock, lambda sealed, who: sealed.event.subject != uid(9))
    told = deaf.page(who=CHIEF, q=f"on:{uid(9)} {asked}")
    assert (told["rows"], told["withheld"], told["looked"], told["next"]) == ([], [], 0, None)
    assert site.audits.page(who=CHIEF, q=f"on:{uid(9)}")["withheld"] == []
    assert deaf.page(who=CHIEF, q=f"on:{uid(9)} since:2026-01-01")["withheld"] == [uid(9)]


def test_all_that_fits_is_taken_with_a_receipt_and_nothing_that_is_withheld(site: Site) -> None:
    head = site.head()
    *lines, last = site.audits.taken(who=CHIEF, q="what:reportsigned")
    receipt = json.loads(last)["receipt"]
    assert [json.loads(line)["kind"] for line in lines] == ["ReportSigned"] * 30
    assert (receipt["rows"], receipt["by"], receipt["of"]) == (30, CHIEF.name, "journal")
    assert receipt["sha256"] == hashlib.sha256(b"".join(lines)).hexdigest()
    (entry,) = site.journal.since(head)
    assert (entry.event.kind, entry.event.who) == (Kind.AUDIT_EXPORTED, CHIEF.name)
    assert entry.event.details == {"form": "json", "asked": ["what"]}, "by what it was narrowed, and not to what"
    deaf = Auditing(site.journal, site.clock, lambda sealed, who: sealed.event.subject != uid(9))
    *lines, last = deaf.taken(who=CHIEF, q="what:reportsigned")
    assert len(lines) == json.loads(last)["receipt"]["rows"] == 29
    with pytest.raises(Forbidden):
        site.audits.taken(who=ITO)


def test_figures_leave_with_a_receipt_that_fits_them(site: Site) -> None:
    head = site.head()
    figures = {"rows": [{"n": n} for n in range(3)], "spans": ["a", "b", "c", "d"], "to": "x"}
    whole = json.loads(site.audits.receipt("turnaround", {"by": "site"}, figures, who=ITO))
    assert whole["figures"] == figures
    assert whole["receipt"]["sha256"] == digest_of(whole["figures"])
    (entry,) = site.journal.since(head)
    told = {"of": "turnaround", "asked": {"by": "site"}, "rows": 3, "file": whole["receipt"]["sha256"]}
    assert (entry.event.kind, entry.event.who, entry.event.details) == (Kind.FIGURES_TAKEN, ITO.name, told)
    assert sentence(entry.event) == "ito took figures of turnaround out, 3 rows"


def test_every_kind_has_its_sentence_and_none_names_a_patient() -> None:
    now = Clock()()
    assert set(_WORDS) == set(Kind)  # by hand: no kind of event is told by its name alone
    for kind in Kind:
        told = sentence(Event(kind, now, "ito", "1.2", {"instances": [1, 2], "report": "a" * 64}))
        assert told.startswith("ito ")
        assert "{" not in told
    assert sentence(Event(Kind.VIEWED, now, "ito", "1.2", {"what": "report"})) == "ito looked at its report"
    assert sentence(Event(Kind.VIEWED, now, "ito", "1.2", {"findings": ["2.25.1"]})).endswith("findings on the images")
    asked = {"level": "STUDY", "keys": ""}
    assert sentence(Event(Kind.QUERIED, now, "ito", "", asked)) == "ito searched the studies"
    assert sentence(Event(Kind.QUERIED, now, "", "", asked | {"keys": "PatientID"})).endswith("studies by PatientID")
    assert sentence(Event(Kind.INSTANCES_RECEIVED, now, "CT1", "1.2", {"instances": [1, 2]})) == "CT1 sent 2 images"
    assert "P01" not in str([sentence(Event(k, now, "", "1.2", {"patient": "P01"})) for k in _WORDS])


def test_one_flipped_byte_shows(tmp_path: Path) -> None:
    with department(tmp_path, read=5) as (site, clock):
        assert site.audits.chain(who=ITO) == {"whole": True, "broken": None}
        with sqlite3.connect(tmp_path / "archive/archive.sqlite") as raw:
            raw.execute("DROP TRIGGER IF EXISTS event_update")
            for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
                raw.execute(f"DROP TRIGGER {name}")
            raw.execute("UPDATE event SET who = 'itp' WHERE number = 12")
        assert site.audits.chain(who=ITO)["whole"], "it is walked at most once in a few seconds"
        clock.now += timedelta(minutes=1)
        told = site.audits.chain(who=ITO)
        assert not told["whole"]
        assert told["broken"]["what"] == "the journal is broken at entry 12"


def test_a_query_in_words() -> None:
    query = query_of("who:ito what:sign model:lung_nodule since:2026-11-01 until:2026-11-30 Bleed")
    assert (query.who, query.what, query.words) == ("ito", "sign", ("lung_nodule", "bleed"))
    assert query.since is not None and query.until is not None
    assert (query.until - query.since).days == 30
    assert {k.value for k in query.kinds} >= {"ReportSigned", "SignedIn"}
