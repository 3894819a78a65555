"""A question to a department, frozen with its digest, taken out under pseudonyms; counts held against SQL."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from department_for_oversight import ITO, department, uid
from isocenter.errors import Forbidden, LimitReached, NotFound, Refused, Unavailable
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.site.auditing import sentence
from isocenter.site.verbs import Site

GRAY = Person("gray", Role.RESEARCHER)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Site, Path]]:
    folder = tmp_path_factory.mktemp("cohorts")
    with department(folder) as (site, _):
        yield site, folder


def test_counts_are_those_of_the_database(site: tuple[Site, Path]) -> None:
    here, folder = site
    told = here.cohorts.ask("modality:CT", field="year", by="modality", who=ITO)
    with sqlite3.connect(next(folder.rglob("*.sqlite"))) as database:
        (n,) = database.execute("SELECT count(*) FROM study WHERE modalities LIKE '%CT%'").fetchone()
    assert (told["n"], told["of"], told["ledger"][0]["left_out"]) == (n, 30, 30 - n) == (20, 30, 10)
    assert [(g["group"], g["n"]) for g in told["chart"]["groups"]] == [("CT", 20)]
    assert {f["name"] for f in told["fields"]} >= {"modality", "year", "description"}
    assert "P01" not in json.dumps(told), "no patient's number in it"
    drawn = here.cohorts.plots(q="modality:CT", only=["year", "nobody_has_it"], who=ITO)
    assert ([one["name"] for one in drawn["charts"]], drawn["n"], drawn["more"]) == (["year"], 20, 0)
    assert len(here.cohorts.plots(q="modality:CT", who=ITO)["charts"]) > 1
    for question, held in (("", True), ("modality:CT", False)):  # whose only kind is CT has nothing beside it
        offered = [one["name"] for one in here.cohorts.contrast(q=question, who=ITO)["choices"]]
        assert ("modality" in offered) is held, question
    with pytest.raises(Forbidden):
        here.cohorts.ask("", who=Person("s", Role.SERVICE))


def test_who_asks_leaves_a_trace_of_the_fields_and_none_of_the_values(tmp_path: Path) -> None:
    planner = Person("ng", Role.PLANNER)
    with department(tmp_path) as (site, _):
        head = site.head()
        site.cohorts.ask("modality:CT year:2024..2027", who=ITO)
        site.cohorts.ask("modality:MR year:2020..2027", who=ITO)  # of the same fields, within five minutes
        site.cohorts.plots(q="year:2024..2027", who=planner)
        with pytest.raises(Refused, match="each part is FIELD"):
            site.cohorts.ask("QUXLEY", who=GRAY)
        with pytest.raises(Refused, match="QUXLEY"):
            site.cohorts.ask("QUXLEY:1", who=GRAY)
        id = site.cohorts.freeze("CT", "modality:CT", who=GRAY)
        site.cohorts.cohort(id, who=ITO)
        asked = [s.event for s in site.journal.since(head) if s.event.kind is Kind.QUERIED]
        assert [(e.who, e.details["level"], e.details["keys"]) for e in asked] == [
            ("ito", "COHORT", "modality year"), ("ng", "COHORT", "year"), ("ito", "COHORT", "cohort"),
        ]  # fmt: skip
        assert sentence(asked[0]) == "ito searched people of a cohort by modality year"
        before = site.journal.append
        site.journal.append = _broken  # type: ignore[method-assign]
        with pytest.raises(Unavailable):
            site.cohorts.ask("sex:F", who=ITO)
        site.journal.append = before  # type: ignore[method-assign]


def _broken(*events: object, **more: object) -> int:
    raise Unavailable("the journal", "the disk is full", "make room")


def test_who_reads_sees_no_study_that_is_not_signed(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        file = tmp_path / "x"
        from pydicom.data import get_testdata_file

        file.write_bytes(Path(str(get_testdata_file("CT_small.dcm", download=False))).read_bytes())
        site.receive([file.read_bytes()], sender="CT", who=HOUSE)
        told = site.cohorts.ask("", who=ITO)
        assert (told["of"], told["unsigned"]) == (3, 1), "and is told that one waits"
        told = site.cohorts.ask("", who=GRAY)
        assert (told["of"], told["unsigned"]) == (4, 0), "who reads nothing asks about all of them"


def test_a_frozen_cohort_never_changes_and_goes_out_with_a_receipt(site: tuple[Site, Path]) -> None:
    here, _ = site
    id = here.cohorts.freeze("CT of the north", "modality:CT description:study", who=GRAY)
    assert [c["id"] for c in here.cohorts.frozen(who=ITO)] == [id]
    told = here.cohorts.cohort(id, who=ITO)
    assert (told["n"], told["of"], told["gone"], told["name"]) == (20, 20, 0, "CT of the north")
    data, digest = here.cohorts.export(id, "csv", who=GRAY)
    rows = list(csv.DictReader(io.StringIO(data.decode())))
    assert len(rows) == 20 and {"case", "person", "modality"} <= set(rows[0])
    assert uid(1) not in data.decode() and "P01" not in data.decode() and "PHANTOM" not in data.decode()
    numbers = [f"P{n:02d}" for n in range(100)] + [uid(n) for n in range(100)]
    for plain in (hashlib.sha256, hashlib.md5, hashlib.sha1):  # a dictionary of all numbers finds nobody
        tried = {plain(f"{salt}{number}".encode()).hexdigest() for number in numbers for salt in ("", f"{id}/", id)}
        said = [row[name].lower() for row in rows for name in ("case", "person")]
        assert not any(one in tail for one in said for tail in tried)
    again = list(csv.DictReader(io.StringIO(here.cohorts.export(id, "csv", who=GRAY)[0].decode())))
    assert again == rows, "the same cohort keeps its pseudonyms"
    other = here.cohorts.freeze("the same people", "modality:CT", who=GRAY)
    joined = csv.DictReader(io.StringIO(here.cohorts.export(other, "csv", who=GRAY)[0].decode()))
    assert not {row["person"] for row in joined} & {row["person"] for row in rows}, "another cohort cannot be joined"
    event = here.journal.since(kinds=(Kind.COHORT_EXPORTED,), limit=1)[0].event
    assert (event.details["file"], event.details["rows"], event.subject) == (digest, 20, id)
    assert here.cohorts.export(id, "parquet", who=GRAY)[0][:4] == b"PAR1"
    for bad in (("", ""), ("nobody", "modality:US")):
        with pytest.raises(Refused):
            here.cohorts.freeze(*bad, who=GRAY)
    with pytest.raises(NotFound):
        here.cohorts.cohort("ab", who=ITO)


def test_tags_belong_to_one_cohort_with_who_and_when_and_nothing_selected_does_nothing(
    site: tuple[Site, Path],
) -> None:
    here, _ = site
    id = here.cohorts.freeze("to be tagged", "modality:CT", who=GRAY)
    other = here.cohorts.freeze("another", "", who=GRAY)
    members = [row["study"] for row in here.cohorts.cohort(id, who=ITO)["rows"]]
    assert here.cohorts.tag(id, 2, members[:3], on=True, who=ITO) == 3
    (told,) = here.cohorts.cohort(id, who=GRAY)["tags"]
    assert (told["tag"], told["n"], told["by"], told["studies"]) == (2, 3, "ito", members[:3]) and told["when"]
    assert here.cohorts.cohort(other, who=GRAY)["tags"] == [], "of this cohort, and of no other"
    narrowed = here.cohorts.cohort(id, tag=2, who=ITO)
    assert (narrowed["n"], narrowed["gone"], narrowed["ledger"][-1]) == (
        3, 0, {"filter": "tag: 2", "left_out": 17, "missing": None},
    )  # fmt: skip
    assert here.cohorts.tag(id, 2, members[:1], on=False, who=GRAY) == 1
    assert here.cohorts.cohort(id, who=GRAY)["tags"][0]["studies"] == members[1:3]
    assert here.cohorts.tag(id, 3, [], on=True, all=True, who=GRAY) == 20
    assert [c["name"] for c in here.cohorts.frozen(who=ITO) if c["id"] == id] == ["to be tagged"], "it is not changed"
    stranger = next(r["study"] for r in here.cohorts.cohort(other, who=ITO)["rows"] if r["study"] not in members)
    for bad, why in (({"studies": []}, "nothing selected"), ({"studies": [stranger]}, "not of this cohort")):
        with pytest.raises(Refused, match=why):
            here.cohorts.tag(id, 1, on=True, who=ITO, **bad)
    with pytest.raises(Refused, match="from 1 to 9"):
        here.cohorts.tag(id, 0, members, on=True, who=ITO)
    with pytest.raises(Forbidden):
        here.cohorts.tag(id, 1, members, on=True, who=Person("s", Role.SERVICE))

    less = here.cohorts.without(id, "without three", members[:3], "motion", who=ITO)
    told = here.cohorts.cohort(less, who=GRAY)
    assert told["n"] == 17 and {"filter": "hand: motion", "left_out": 3, "missing": None} in told["ledger"]
    assert here.cohorts.cohort(id, who=GRAY)["n"] == 20, "what is frozen stays"
    for name, studies, reason in (("", members[:1], "x"), ("a", members[:1], " "), ("a", [], "x"), ("a", members, "x")):
        with pytest.raises(Refused):
            here.cohorts.without(id, name, studies, reason, who=ITO)


def test_a_planner_gets_numbers_and_no_row_and_no_way_to_one(
    site: tuple[Site, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    here, _ = site
    keyed = [here.cohorts.ask("", who=Person("ng", Role.PLANNER))["of"] for _ in range(3)]
    assert len(set(keyed)) == 1 and keyed[0] in (20, 30), "the same people, the same number"
    monkeypatch.setattr(here.cohorts, "secret", lambda name: b"")
    planner = Person("paul", Role.PLANNER)
    id = here.cohorts.freeze("for a planner", "modality:CT", who=GRAY)
    told = here.cohorts.ask("modality:CT", field="year", who=planner)
    assert (told["n"], told["of"], told["rows"], told["may_see_rows"]) == (20, 30, [], False)
    assert here.cohorts.ask("", who=GRAY)["may_see_rows"] and here.cohorts.ask("", who=GRAY)["rows"]
    text = json.dumps([told, here.cohorts.plots(q="modality:CT", who=planner)])
    assert "1.2.1" not in text and "study 1" not in text and here.cohorts.plots(who=planner)["n"] == 30
    drawn = here.cohorts.plots(only=["year", "description"], who=planner)
    assert [one["name"] for one in drawn["charts"]] == ["year"], "nor by name is a field told that could be a person's"
    of = here.cohorts
    for act in (
        lambda: of.cohort(id, who=planner), lambda: of.plots(id=id, who=planner), lambda: of.frozen(who=planner),
        lambda: of.freeze("x", "", who=planner), lambda: of.export(id, "csv", who=planner),
        lambda: of.survival(q="", who=planner), lambda: of.contrast(who=planner), lambda: of.percentile(who=planner),
        lambda: of.learned(who=planner), lambda: of.tag(id, 1, [], on=True, all=True, who=planner),
        lambda: of.without(id, "x", [uid(1)], "r", who=planner), lambda: of.made("for a planner", who=planner),
    ):  # fmt: skip
        with pytest.raises(Forbidden):
            act()
    here.projects.found("trial", "a trial", keeper="chief", who=HOUSE)
    for n in range(1, 12):
        here.projects.move(uid(n), "trial", reason="a test of rows", who=HOUSE)
    assert here.cohorts.ask("", who=planner)["of"] == 10, "19 are left in the house"
    (told,) = [one for one in here.cohorts.questions.told(who=HOUSE) if one["account"] == "paul"]
    assert told["groups"] == len({g for s in here.journal.since(kinds=(Kind.COHORT_COUNTED,), subject="paul", limit=9)
                                  for g in s.event.details["groups"]}) > 3  # fmt: skip
    monkeypatch.setattr("isocenter.site.questioning.MOST", told["groups"])
    here.cohorts.ask("", who=planner)
    with pytest.raises(LimitReached, match="isocenter questions --renew paul"):
        here.cohorts.ask("year:..2025", who=planner)
    with pytest.raises(LimitReached):
        here.cohorts.plots(q="year:..2025", who=planner)
    here.cohorts.ask("year:..2025", who=GRAY)
