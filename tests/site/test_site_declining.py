"""Why an analysis did not look, counted by hand over two scanners and two weeks."""

from __future__ import annotations

from datetime import date, timedelta
from pathlib import Path

import pytest

from department_for_oversight import AI, CHIEF, ITO, MONDAY, department, uid
from isocenter.errors import Forbidden
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Instance, Kind, Patient, Series, Study
from isocenter.store.intake import receive

THICK, NONE = "needs slices of at most 1.5 mm", "needs CT, this is MR"


def test_a_reason_is_told_by_scanner_and_by_week(tmp_path: Path) -> None:
    with department(tmp_path, read=0) as (site, _):
        assert site.cataloguing.analysis("coronary_calcium", who=ITO)["declined"] == [], "nothing was planned"
        for n in range(1, 13):
            station = "N2" if n % 2 else "S1" if n < 12 else ""
            image = Instance(f"{uid(n)}.1.1", "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2.1", "", 1, 1, 8, 8, 1)
            series = Series(f"{uid(n)}.1", "CT", 1, facts={"StationName": station}, instances=(image,))
            study = Study(uid(n), Patient(f"P{n}", f"PHANTOM^{n}"), f"A{n}", date(2026, 11, 16), series=(series,))
            when = MONDAY + timedelta(days=7 if n > 8 else 0)
            receive(site.database, site.blobs, site.journal, [(b"image %d" % n, study)], "CT1", when)
            why = [f"{THICK}; series {n} has 3"] * 2 if n % 2 else [NONE] if n == 12 else []
            declined = [{"analysis": "coronary_calcium", "reasons": why}] if why else []
            others = [{"analysis": "breast_density", "reasons": ["needs a mammogram"]}]
            for told in (declined, [*declined, *others]):  # planned twice: the latest plan counts, once
                site._tell(Kind.PLANNED, "isocenter", uid(n), fingerprint="f", bindings=[], declined=told)
        thick, other = site.cataloguing.analysis("coronary_calcium", who=ITO)["declined"]
        site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
        for n in (12, 1):
            site.projects.move(uid(n), "trial", reason="enrolled", who=CHIEF)
        (fewer,) = site.cataloguing.analysis("coronary_calcium", who=ITO)["declined"]
        cards = {card["name"]: card["planned"] for card in site.cataloguing.analyses(who=ITO)}
    assert cards["volumetry"] == {"studies": 0, "of": 10}, "planned on none of the ten that ITO may know of"
    assert (thick["reason"], thick["studies"], thick["of"]) == (THICK, 6, 12)
    assert thick["scanners"] == [{"scanner": "N2", "studies": 6, "of": 6}]
    assert (other["reason"], other["studies"], other["scanners"]) == (NONE, 1, []), "its header names no scanner"
    assert (fewer["studies"], fewer["of"]) == (5, 10), "what is of a project in which one has no part is not counted"
    assert sum(week["studies"] for week in thick["weeks"]) == 6 and sum(week["of"] for week in thick["weeks"]) == 12


def test_every_study_that_is_counted_is_one_whose_plan_the_asker_may_read(tmp_path: Path) -> None:
    with department(tmp_path, read=4) as (site, _):
        for n in (1, 2):
            declined = [{"analysis": "breast_density", "reasons": ["needs a mammogram"]}]
            site._tell(Kind.PLANNED, "isocenter", uid(n), fingerprint="f", bindings=[], declined=declined)
        site.projects.found("trial", "a trial", keeper="chief", who=CHIEF)
        site.projects.join("trial", "chief", Role.ADMIN, who=CHIEF)
        site.projects.move(uid(2), "trial", reason="enrolled", who=CHIEF)
        for who, most in ((ITO, 1), (CHIEF, 2), (Person("rita", Role.RESEARCHER), 1)):
            (told,) = site.cataloguing.analysis("breast_density", who=who)["declined"]
            assert told["studies"] == most == sum(site.projects.holds(uid(n), who, "plan") for n in (1, 2))
        with pytest.raises(Forbidden):  # who may see nothing but figures of people is told of no reason
            site.cataloguing.analysis("breast_density", who=Person("paula", Role.PLANNER))


def test_on_how_many_studies_it_was_planned_is_counted_by_the_latest_plan_of_each(tmp_path: Path) -> None:
    with department(tmp_path, read=4) as (site, _):
        on = [{"analysis": AI, "series": {"image": [f"{n}"]}} for n in (1, 2)]  # two films of one study are one study
        for n, bound in ((1, on), (2, on), (3, []), (4, on), (4, [])):
            site._tell(Kind.PLANNED, "isocenter", uid(n), fingerprint="f", bindings=bound, declined=[])
        planned = {card["name"]: card["planned"] for card in site.cataloguing.analyses(who=ITO)}
    assert planned[AI] == {"studies": 2, "of": 4} and planned["volumetry"] == {"studies": 0, "of": 4}


def test_weeks_are_those_in_which_it_was_planned_and_only_the_latest_eight(tmp_path: Path) -> None:
    with department(tmp_path, read=0) as (site, _):
        for n in range(1, 11):
            why = [{"analysis": "breast_density", "reasons": ["needs a mammogram"]}] if n % 2 else []
            when = MONDAY + timedelta(days=7 * n)
            site.journal.append(Event(Kind.PLANNED, when, "isocenter", uid(n), {"declined": why}))
        (told,) = site.cataloguing.analysis("breast_density", who=ITO)["declined"]
    assert [week["week"] for week in told["weeks"]] == [f"2026-W{w}" for w in range(50, 54)] + [
        f"2027-W0{w}" for w in range(1, 5)
    ]
    assert [week["studies"] for week in told["weeks"]] == [n % 2 for n in range(3, 11)]
