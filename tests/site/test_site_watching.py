"""On a real archive the watch counts signed studies only, and says how many are missing."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from department_for_oversight import AI, CHIEF, ITO, at, department, keep, uid
from isocenter.app import open_house
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern import watch
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Kind, Patient, Receipt
from isocenter.settings import Settings
from isocenter.site.verbs import Site
from isocenter.site.watching import _person


def test_signed_studies_are_watched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with department(tmp_path) as (site, _):
        told = site.watching.model(AI, who=ITO)
        assert (told["cases"], told["needed"], told["charts"], told["since"]) == (30, 70, [], "")
        assert [one["model"] for one in site.watching.models(who=ITO)][:1]
        monkeypatch.setattr(watch, "BASELINE", 20)
        told = site.watching.model(AI, who=ITO)
        shares = {c["chart"]: c["cases"] for c in told["charts"]}
        assert shares["outputs, more"] == 10 and "agreement" not in shares, "no signature told what readers said"
        with pytest.raises(NotFound, match="none of that name is installed"):
            site.watching.model("nonsense", who=ITO)
        with pytest.raises(Forbidden):
            site.watching.models(who=Person("ct", Role.SERVICE))
        site.journal.append(Event(Kind.READING_OPENED, at(30, 90), "ito", uid(1), {"by": "ito"}))
        signed = {"report": "0", "decisions": [], "calls": []}
        for minute in range(91, 191):  # amended again and again
            site.journal.append(Event(Kind.REPORT_SIGNED, at(30, minute), "ito", uid(1), signed))
            site.journal.append(Event(Kind.READING_OPENED, at(30, minute), "ito", uid(1), {"by": "ito"}))
        again = site.watching.model(AI, who=ITO)
        assert again["cases"] == 30 and again["alarms"] == told["alarms"], "a study is one case, however often signed"
        into = Patient("P01", "PHANTOM^1")
        site.identities.move([uid(n) for n in range(2, 12)], into, reason="one of them", who=CHIEF)
        fewer = site.watching.model(AI, who=ITO)
        assert (fewer["studies"], fewer["cases"], fewer["nobody"]) == (30, 20, 0), "a person is one case"


@pytest.mark.parametrize(
    ("number", "named"),
    [("ANONYMOUS", ""), ("Anon^", ""), ("000000", ""), ("xxxx", ""), ("N/A", ""), ("ANON001", "y"), ("0x7", "y")],
)
def test_a_number_that_names_nobody_is_no_person(tmp_path: Path, number: str, named: str) -> None:
    with department(tmp_path, read=1) as (site, _):
        one = site.index.study(uid(1))
        assert bool(_person(replace(one, patient=replace(one.patient, id=number)))) == bool(named)


def test_an_image_is_known_by_what_was_made_of_it(tmp_path: Path) -> None:
    with department(tmp_path, read=6) as (site, _):
        (head,) = (h for h in site.index.result_heads([uid(6)], replaced=True)[uid(6)] if h["origin"] == "machine")
        one = site.index.result(head["digest"])
        again = replace(one, study_uid="1.2.99", receipt=Receipt(look=(0.5, 0.3, 0.05)))
        other = replace(again, findings=(replace(again.findings[0], certainty=0.91),))
        assert site.watching._told_of(one.id).image == "", "nobody looked"
        for result in (again, other):
            keep(site, replace(result, study_uid=uid(6)), "isocenter", at(6, 1))
        told = [site.watching._told_of(replace(r, study_uid=uid(6)).id).image for r in (again, other)]
        assert told[0] != told[1] and all(told)


def _going_wrong(site: Site) -> None:
    """Let the watch see 100 studies in which all agree, then 60 in which readers say the opposite."""
    seen = [watch.Seen(at(n), bool(n % 3), n < 100, "ct") for n in range(160)]
    site.watching._seen = lambda users, model, since: seen if AI in users else []  # type: ignore[method-assign]


def test_an_alarm_is_written_down_once_and_waits_for_a_person(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        _going_wrong(site)
        (heard,) = site.watching.heed(who=HOUSE)
        assert (heard["model"], heard["chart"], heard["stop_rule"]) == (AI, "agreement", "") and heard["case"] > 100
        assert site.watching.heed(who=HOUSE) == [], "no report was signed since"
        site.journal.append(Event(Kind.READING_OPENED, at(9), "ito", uid(1), {"by": "ito"}))
        site.journal.append(Event(Kind.REPORT_SIGNED, at(9), "ito", uid(1), {"report": "0", "decisions": []}))
        assert site.watching.heed(who=HOUSE) == [], "it is known"
        (event,) = site.journal.since(kinds=(Kind.WATCH_ALARMED,))
        (model,) = (m for m in site.cataloguing.models(who=ITO) if m["name"] == AI)
        assert [a["number"] for a in model["alarms"]] == [event.number] and not model["stopped"]
        with pytest.raises(Forbidden):
            site.watching.heed(who=Person("ct", Role.SERVICE))


def test_a_stop_rule_suspends_everywhere_at_once(tmp_path: Path) -> None:
    with department(tmp_path, read=3) as (site, _):
        rule = {"may_change": ["weights"], "impact": "safer at once", "protocol": {"stop_on_alarm": True}}
        site.gating.declare(AI, rule, reason="we are few at night", who=CHIEF)
        digest = site.gating.model(AI).digest
        told = {"digest": digest, "step": "release", "state": "released", "was": "shadow", "reason": "r", "record": {}}
        site.journal.append(Event(Kind.MODEL_STEPPED, at(0), "chief", AI, told))
        _going_wrong(site)
        assert "--step suspend" in site.watching.model(AI, who=ITO, times=0)["on_alarm"]
        beside = open_house(Settings(folder=tmp_path / "archive"), apart=False)
        try:
            assert not beside.site.halting.stops(who=ITO)
            begun = time.monotonic()
            (heard,) = site.watching.heed(who=HOUSE)
            (stopped,) = beside.site.halting.stops(who=ITO)  # whoever serves or works from the same archive
            assert time.monotonic() - begun < 5
            assert stopped["analysis"] == AI and "stop rule that chief declared: agreement" in stopped["reason"]
            assert beside.site.gating.told(AI, who=ITO)["state"] == "suspended" and heard["stop_rule"] == "chief"
            done = site.watching.model(AI, who=ITO, times=0)["on_alarm"]
            assert done.startswith("it is suspended; what its return lacks says") and "--step suspend" not in done
            with pytest.raises(Refused, match="comes back by the gate alone"):
                site.halting.resume_model(AI, reason="it looks well", who=CHIEF)
        finally:
            beside.close()
        site.journal.append(Event(Kind.MODEL_STEPPED, at(1), "chief", AI, {**told, "was": "suspended"}))
        (model,) = (m for m in site.cataloguing.models(who=ITO) if m["name"] == AI)
        assert not model["alarms"], "a release begins anew"
