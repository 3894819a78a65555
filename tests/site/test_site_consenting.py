"""Terms of use of an archive: what nobody was asked for stays closed, and a withdrawal reaches everything at once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from department_for_oversight import CHIEF, ITO, Clock, department, uid
from isocenter.errors import Forbidden, NotFound, Refused
from isocenter.govern.consent import Purpose
from isocenter.govern.consent_fhir import read
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.site.through_links import Bearer
from isocenter.site.verbs import Site

GRAY = Person("gray", Role.RESEARCHER)
RESEARCH = (Purpose.RESEARCH, Purpose.TRAINING, Purpose.FEDERATION, Purpose.SHARING)
KEY = b"k" * 32


@pytest.fixture
def house(tmp_path: Path) -> Iterator[tuple[Site, Clock]]:
    with department(tmp_path) as (site, clock):
        _unasked(site, research="deny")
        yield site, clock


def _unasked(site: Site, **said: str) -> None:
    kept = site.preferences.site(who=CHIEF)
    site.preferences.change_site({"unasked": said}, version=kept.version, reason="a test", who=CHIEF)


def _deny(site: Site, study: str, purpose: Purpose, **said: Any) -> str:
    with pytest.raises(Refused) as refused:
        site.consents.allowed(study, purpose, who=GRAY, **said)
    return refused.value.why


def test_what_nobody_was_asked_for_is_closed_to_all_but_care(house: tuple[Site, Clock]) -> None:
    site, _ = house
    assert site.consents.allowed(uid(1), Purpose.CARE, who=ITO).kind == "default"
    for purpose in RESEARCH:
        assert "nothing is known" in _deny(site, uid(1), purpose)
    told = site.cohorts.ask("", who=GRAY)
    assert told["of"] == 0 and told["closed"] == [
        {"reason": "nothing is known of what it may be used for", "studies": 30}
    ]
    with pytest.raises(Refused, match="nothing is known"):
        site.export(uid(1), key=KEY, who=GRAY)
    with pytest.raises(Refused, match="cohort of nobody"):
        site.cohorts.freeze("all", "", who=GRAY)
    with pytest.raises(Refused):
        site.sharing.share(uid(1), who=ITO, purpose=Purpose.SHARING)
    _unasked(site, research="allow", training="deny")
    assert site.cohorts.ask("", who=GRAY)["of"] == 30 and "nothing is known" in _deny(site, uid(1), Purpose.TRAINING)
    _unasked(site, care="deny")
    assert "nothing is known" in _deny(site, uid(1), Purpose.CARE)


def _through(site: Site, secret: str) -> str:
    """The study that a link shows."""
    (seen,) = site.sharing.studies(Bearer(secret, "a"))[1]
    return seen.study.uid


def test_a_withdrawal_reaches_everything_with_the_next_question(house: tuple[Site, Clock]) -> None:
    site, clock = house
    for n in range(1, 13):
        site.consents.give({"GRU": []}, patient=f"P{n:02d}", source="form 7", who=ITO)
    assert site.cohorts.ask("", who=GRAY)["of"] == 12
    cohort = site.cohorts.freeze("twelve", "", who=GRAY)
    with pytest.raises(Refused, match="a group of 2 patients: each shall share age, kind of image, sex and year"):
        site.cohorts.export(cohort, "csv", who=GRAY)
    site.cohorts.export(cohort, "csv", reason="phantoms", who=GRAY)
    (taken,) = site.journal.since(kinds=(Kind.COHORT_EXPORTED,))
    assert (taken.event.details["reason"], taken.event.details["smallest_group"]) == ("phantoms", 2)
    secret, _ = site.sharing.share(uid(1), who=ITO, purpose=Purpose.SHARING)
    care, _ = site.sharing.share(uid(1), who=ITO)
    assert _through(site, secret) == uid(1)
    use = site.consents.use(Purpose.TRAINING, who=CHIEF)
    site.consents.taught("liver", "2", [uid(1), uid(2)], who=CHIEF, use=use)
    site.consents.taught("lung", "1", [uid(3)], who=CHIEF, use=use)
    site.consents.models = lambda: [SimpleNamespace(name="head", version="1", card={"learned_from": [_digest(site)]})]  # type: ignore[assignment,list-item,return-value]

    clock.now += timedelta(minutes=1)
    reached = site.consents.withdraw(patient="P01", reason="letter of the patient", who=ITO)
    assert reached["studies"] == [uid(1)] and [c["id"] for c in reached["cohorts"]] == [cohort]
    assert len(reached["links"]) == 2 and len(reached["tables"]) == 1
    assert {(m["model"], m["version"]) for m in reached["models"]} == {("liver", "2"), ("head", "1")}
    for purpose in RESEARCH:
        assert "withdrawn" in _deny(site, uid(1), purpose)
    with pytest.raises(Forbidden, match="opens nothing"):
        _through(site, secret)
    assert _through(site, care) == uid(1), "care goes on"
    assert site.cohorts.cohort(cohort, who=GRAY)["gone"] == 1 and site.cohorts.ask("", who=GRAY)["of"] == 11
    assert b"\n" in site.cohorts.export(cohort, "csv", reason="phantoms", who=GRAY)[0]
    with pytest.raises(Refused, match="withdrawn"):
        site.export(uid(1), key=KEY, who=GRAY)
    with pytest.raises(Refused, match="withdrawn"):
        site.consents.taught("liver", "3", [uid(2), uid(1)], who=CHIEF, use=use)
    trained = site.journal.since(kinds=(Kind.MODEL_TRAINED,))
    assert [s.event.details["version"] for s in trained] == ["2", "1"], (
        "nothing is recorded of a training that may not be"
    )


def _digest(site: Site) -> str:
    return site.index.study(uid(1)).series[0].instances[0].digest


def test_what_holds_today_is_told_for_each_use(house: tuple[Site, Clock]) -> None:
    site, _ = house
    none = {one["purpose"]: one for one in site.consents.answers(patient="P01", who=ITO)}
    assert [p for p, one in none.items() if one["allowed"]] == ["care"] and "nothing is known" in none["research"][
        "reason"
    ]
    site.consents.give({"GRU": []}, patient="P01", who=ITO)
    site.consents.give({}, refuses=[Purpose.TRAINING], patient="P01", who=ITO)
    told = {one["purpose"]: one for one in site.consents.answers(study=uid(1), who=ITO)}
    assert told["research"]["allowed"] and "was refused" in told["training"]["reason"]
    site.consents.withdraw(patient="P01", who=ITO)
    told = {one["purpose"]: one for one in site.consents.answers(patient="P01", who=ITO)}
    assert (
        all("was withdrawn" in told[p]["reason"] for p in RESEARCH)
        and site.consents.listed(patient="P01", who=ITO) == []
    )
    with pytest.raises(Forbidden):
        site.consents.answers(patient="P01", who=Person("s", Role.SERVICE))


def test_the_journal_alone_remembers_and_names_no_patient_to_whoever_reads_it(house: tuple[Site, Clock]) -> None:
    site, _ = house
    made = site.consents.give({"DS": ["363406005"], "IRB": []}, study=uid(5), who=ITO)
    again = replace(site)  # as after a restart
    assert [c["id"] for c in again.consents.listed(study=uid(5), who=ITO)] == [made["id"]]
    assert "IRB" in _deny(again, uid(5), Purpose.RESEARCH, diseases=frozenset({"363406005"}))
    said = {"diseases": frozenset({"363406005"}), "ethics": "EC-1"}
    assert again.consents.allowed(uid(5), Purpose.RESEARCH, who=GRAY, **said).by == made["id"]
    rows = site.audits.page(who=CHIEF, q="what:Consent")["rows"]
    assert len(rows) == 1 and "P05" not in str(rows)
    kept = site.preferences.site(who=CHIEF)
    here = {"institution": "north", "country": "DE"}
    site.preferences.change_site(here, version=kept.version, reason="a test", who=CHIEF)
    site.consents.give({"GRU": [], "GS": ["DE"], "IS": ["north"]}, study=uid(6), who=ITO)
    assert site.consents.allowed(uid(6), Purpose.RESEARCH, who=GRAY).allowed, "the site says where it is"
    assert "FR" in _deny(site, uid(6), Purpose.RESEARCH, countries=frozenset({"FR"}))


def test_a_fhir_consent_is_recorded_and_ended(house: tuple[Site, Clock]) -> None:
    site, _ = house
    one: dict[str, Any] = {
        "resourceType": "Consent", "id": "7", "status": "active", "patient": {"identifier": {"value": "P07"}},
        "provision": {"code": [{"coding": [{"code": "DUO:0000006"}]}]},
    }  # fmt: skip
    later = {**one, "provision": {**one["provision"], "period": {"start": "2026-11-19"}}}
    with pytest.raises(Refused, match="begins on 2026-11-19"):
        site.consents.take_fhir(read(later), who=ITO)
    site.consents.take_fhir(read(one), who=ITO)
    assert site.consents.allowed(uid(7), Purpose.TRAINING, who=GRAY).allowed
    site.consents.take_fhir(read({**one, "status": "inactive"}), who=ITO)
    assert "withdrawn" in _deny(site, uid(7), Purpose.TRAINING)
    site.consents.take_fhir(read({**one, "provision": {"type": "deny"}}), who=ITO)
    _unasked(site, research="allow")
    assert "refused" in _deny(site, uid(7), Purpose.RESEARCH)


def test_who_records_and_about_whom(house: tuple[Site, Clock]) -> None:
    site, _ = house
    with pytest.raises(Forbidden):
        site.consents.give({"GRU": []}, patient="P01", who=GRAY)
    wrong: tuple[dict[str, Any], ...] = (
        {"codes": {"GRU": []}}, {"codes": {"IRB": []}, "patient": "P01"},
        {"codes": {"GRU": []}, "patient": "P01", "refuses": ["research"]}, {"codes": {}, "patient": "P01"},
    )  # fmt: skip
    for one in wrong:
        with pytest.raises(Refused):
            site.consents.give(one.pop("codes"), who=HOUSE, **one)
    for lost in ({"study": "9.9"}, {"study": uid(1), "patient": "P02"}):
        with pytest.raises(NotFound):
            site.consents.give({"GRU": []}, who=HOUSE, **lost)
    with pytest.raises(NotFound):
        site.consents.allowed("9.9", Purpose.CARE, who=ITO)


def test_what_either_of_two_patients_withdrew_holds_when_they_are_made_one(house: tuple[Site, Clock]) -> None:
    site, _ = house
    for n in (1, 2):
        site.consents.give({"GRU": []}, patient=f"P0{n}", who=ITO)
    site.consents.withdraw(patient="P02", who=ITO)
    assert site.consents.allowed(uid(1), Purpose.RESEARCH, who=GRAY).allowed
    change = site.identities.merge(("P02", ""), ("P01", ""), reason="one person", who=CHIEF)["number"]
    assert site.index.study(uid(2)).patient.id == "P01"
    for n in (1, 2):
        assert "withdrawn" in _deny(site, uid(n), Purpose.RESEARCH)
    site.identities.undo(change, reason="two persons", who=CHIEF)
    assert site.consents.allowed(uid(1), Purpose.RESEARCH, who=GRAY).allowed
    assert "withdrawn" in _deny(site, uid(2), Purpose.RESEARCH)
