"""The test cases behind a figure: listed where their study may be told of, counted where not, and each look written."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from department_for_oversight import AI, CHIEF, ITO, LEE, RUIZ, department, uid
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.learn.answers import answers_of
from isocenter.learn.tested import counted, kept
from isocenter.record import Instance, Kind, Patient, Series, Study
from isocenter.site.verbs import Site
from isocenter.store.intake import receive
from isocenter.store.tables import instance

SEALED = "t" * 64
READ, STUDIES, CASES = 6, 8, 24
"""Studies 1 to 6 are signed, 7 and 8 are here and unread; the other cases are in no archive."""

CHANGE = {"may_change": ["weights"], "protocol": {"shadow_cases": 3}, "impact": "earlier reads"}


def _rows() -> list[dict[str, Any]]:
    """Even cases have the disease; 2 and 4 are missed, 4 with the lower certainty; 1 and 7 are false alarms."""
    sure = {2: 0.3, 4: 0.1, 1: 0.9, 7: 0.8}
    return [
        {"name": f"MEIER {n}", "label": int(n % 2 == 0), "certainty": sure.get(n, 0.95 if n % 2 == 0 else 0.05)}
        for n in range(1, CASES + 1)
    ]


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A model that was measured on a sealed test of 24 cases, eight of which are images of this archive."""
    with department(tmp_path, read=READ) as (site, _):
        for n in range(READ + 1, STUDIES + 1):
            image = Instance(f"{uid(n)}.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
            record = Study(uid(n), Patient(f"P{n}"), series=(Series(f"{uid(n)}.1", "CT", 1, instances=(image,)),))
            receive(site.database, site.blobs, site.journal, [(b"image %d" % n, record)], "CT1", site.clock())
        yield site


def measure(site: Site, *, keeps: bool = True) -> None:
    said: dict[str, Any] = {"reason": "it is time", "who": CHIEF}
    model = site.gating.model(AI)
    rows = _rows()
    images = [hashlib.sha256(b"image %d" % n).hexdigest() for n in range(1, CASES + 1)]
    lines = kept(model, rows, answers_of(model, rows), images, {})
    site.gating.declare(AI, CHANGE, **said)
    site.gating.seal(AI, SEALED, **said)
    site.gating.look(AI, SEALED, **said)
    primary = {"value": 0.9, "low": 0.8, "high": 1}
    figures = {"metric": "auc", "n": CASES, "against": "", "primary": primary, "gaps": [], "errors": counted(lines)}
    site.gating.judged(AI, figures, lines if keeps else (), **said)


def told(site: Site, of: str, who: Person) -> tuple[list[str], int, int]:
    answer = site.evidencing.cases(AI, of, who=who)
    return [case["study"] for case in answer["cases"]], answer["n"], answer["elsewhere"]


def test_the_cases_of_a_figure_are_listed_where_their_study_is_signed_and_counted_elsewhere(site: Site) -> None:
    measure(site)
    errors = {"missed": 2, "false alarms": 2, "wrong": 4, "declined": 0}
    assert site.gating.told(AI, who=ITO)["judged"]["errors"] == errors
    assert told(site, "missed", CHIEF) == ([uid(4), uid(2)], 2, 0), "the one that it was surest of first"
    assert told(site, "false alarms", ITO) == ([uid(1)], 2, 1), "7 is here, and nobody has signed it"
    studies, n, elsewhere = told(site, "all", LEE)
    assert set(studies) == {uid(n) for n in range(1, READ + 1)} and (n, elsewhere) == (CASES, CASES - READ)
    case = site.evidencing.cases(AI, "missed", who=ITO)["cases"][0]
    assert (case["score"], case["declined"], case["date"], case["modalities"]) == (0.1, False, "2026-11-16", ["CT"])
    assert "case" not in case and "MEIER" not in str(case)


def test_what_the_asker_may_not_be_told_of_is_counted_and_not_named(site: Site) -> None:
    measure(site)
    site._disclosing.blinded = lambda who: frozenset({uid(2)} if who.name == "ruiz" else ())
    assert told(site, "missed", RUIZ) == ([uid(4)], 2, 1), "drawn for ruiz, who gives an own word first"
    site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
    site.projects.move(uid(4), "trial", reason="it belongs there", who=CHIEF)
    assert told(site, "missed", LEE) == ([uid(2)], 2, 1), "a study of another's project does not exist"
    site.projects.join("trial", "lee", Role.READER, who=CHIEF)
    assert told(site, "missed", LEE) == ([uid(4), uid(2)], 2, 0)


def test_each_look_at_single_cases_is_written_down_before_and_counted_beside_the_test(site: Site) -> None:
    measure(site)
    assert site.gating.told(AI, who=ITO)["opened"] == 0
    told(site, "missed", ITO)
    told(site, "all", ITO)
    (entry,) = site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)
    digest = site.gating.model(AI).digest
    assert (entry.event.who, entry.event.subject) == ("ito", AI)
    assert entry.event.details == {"role": "reader", "digest": digest, "test": SEALED}
    assert site.gating.told(AI, who=ITO)["opened"] == 1, "one entry for what one person sees within five minutes"
    seen = {s.event.subject for s in site.journal.since(kinds=(Kind.VIEWED,), who="ito", limit=99)}
    assert seen == {uid(n) for n in range(1, READ + 1)}
    told(site, "missed", LEE)
    assert site.gating.told(AI, who=ITO)["opened"] == 2
    assert site.gating.told(AI, who=ITO)["looks"] == 1, "the looks that measure are counted apart"

    def broken(*of: Any) -> None:
        raise OSError("the disk is full")

    object.__setattr__(site.evidencing, "opened", broken)
    with pytest.raises(OSError, match="full"):
        told(site, "missed", RUIZ)


def test_who_trains_sees_no_single_case_and_nobody_sees_what_was_not_kept(site: Site) -> None:
    for who in (Person("ray", Role.RESEARCHER), Person("ct", Role.SERVICE)):
        with pytest.raises(Forbidden):
            site.evidencing.cases(AI, who=who)
    with pytest.raises(NotFound, match="measured on no sealed test here"):
        site.evidencing.cases(AI, who=ITO)
    measure(site, keeps=False)
    with pytest.raises(NotFound, match="were not kept"):
        site.evidencing.cases(AI, who=ITO)
    with pytest.raises(NotFound, match="none of that name"):
        site.evidencing.cases("nonsense", who=ITO)
    assert not site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)


def test_a_figure_that_is_not_there_is_refused_and_is_no_look(site: Site) -> None:
    measure(site)
    with pytest.raises(Refused, match="no figure of this test"):
        site.evidencing.cases(AI, "everything", who=ITO)
    assert not site.journal.since(kinds=(Kind.TEST_CASES_OPENED,), limit=9)


def test_an_erased_image_is_no_case_any_more_and_the_kept_cases_survive_a_backup(site: Site, tmp_path: Path) -> None:
    measure(site)
    digest = site._disclosing.gates().of(site.gating.model(AI).digest).judged["cases"]
    site.keeping.backup(tmp_path / "copy", who=HOUSE)
    assert any(p.name.startswith(digest[4:]) or digest in p.as_posix() for p in (tmp_path / "copy").rglob("*"))
    site.database.write(lambda connection: connection.execute(instance.delete().where(instance.c.study_uid == uid(4))))
    assert told(site, "missed", CHIEF) == ([uid(2)], 2, 1)
