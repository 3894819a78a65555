"""FHIR over HTTP on a whole archive: every resource that leaves parses in both versions; orders come in by it."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from browser_for_pages import Browser
from fastapi import FastAPI
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.doors.fhir import router
from isocenter.errors import Refused
from isocenter.forms import fhir_workflow
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import HOUSE, NOBODY, Person, Role
from isocenter.reading.critical import Communication
from isocenter.settings import Settings

KIS, AI, ITO, CHIEF = (Person("KIS", Role.SERVICE), Person("AI1", Role.SERVICE), Person("ito", Role.READER),
                       Person("chief", Role.ADMIN))  # fmt: skip
PATIENT = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "P1", "assigner": {"display": "NORD"}}],
           "name": [{"family": "Meier", "given": ["Anna"]}], "birthDate": "1970-01-31", "gender": "female"}  # fmt: skip
REQUEST = {
    "resourceType": "ServiceRequest", "status": "active", "intent": "order", "contained": [PATIENT],
    "subject": {"reference": "#p"}, "priority": "stat", "occurrenceDateTime": "2026-11-30T08:30:00+01:00",
    "identifier": [{"type": {"coding": [{"code": "PLAC"}]}, "value": "PL1"},
                   {"type": {"coding": [{"code": "ACSN"}]}, "value": "A1"}],
    "code": {"coding": [{"system": "http://snomed.info/sct", "code": "169069000", "display": "CT of chest"}]},
    "orderDetail": [{"coding": [{"system": "http://dicom.nema.org/resources/ontology/DCM", "code": "CT"}]}],
    "reasonCode": [{"text": "cough"}], "requester": {"display": "Dr Auer"},
}  # fmt: skip


@dataclass
class _Web:
    house: House
    who: Person
    app: FastAPI

    def ask(self, method: str, path: str, json: Any = None, status: int = 200) -> Any:
        answer = Browser(self.app).ask(method, path, json=json)
        assert answer.status_code == status, answer.text
        return answer.json()


@pytest.fixture
def web(tmp_path: Path) -> Iterator[_Web]:
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    app = FastAPI()
    made = _Web(house, KIS, app)
    app.include_router(router(house.site, lambda request: made.who), prefix="/fhir")
    yield made
    house.close()


def _signed(house: House) -> str:
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    study = house.site.studies(who=HOUSE)[0].uid
    house.site.analyse(study, only="volumetry", who=HOUSE)
    version = house.site.open(study, who=ITO).version
    version = house.site.lock(study, version=version, nothing=True, who=ITO).version
    house.site.sign(study, version=version, who=ITO)
    return study


def _parsed(told: dict[str, Any], version: str) -> Any:
    """The resource as `fhir.resources` reads it, where that is installed."""
    name = told["resourceType"].lower()
    package = f"fhir.resources.R4B.{name}" if version == "" else f"fhir.resources.{name}"
    module = pytest.importorskip(package, reason="the extra `test` brings fhir.resources")
    return getattr(module, told["resourceType"]).model_validate(told)


def _all(web: _Web, version: str) -> Iterator[dict[str, Any]]:
    """One of everything that leaves, by reading and by searching."""
    site = web.house.site
    study = _signed(web.house)
    web.ask("POST", "/fhir/ServiceRequest", REQUEST, 201)
    due = {"vr": "DT", "Value": ["20261126080000"]}
    item = {"00741200": {"vr": "CS", "Value": ["HIGH"]}, "00741204": {"vr": "LO", "Value": ["Look"]}, "00404005": due,
            "00404041": {"vr": "CS", "Value": ["READY"]}, "00100020": {"vr": "LO", "Value": ["P1"]}}  # fmt: skip
    site.working.create("1.2.3", item, who=AI)
    site.working.change_state("1.2.3", "IN PROGRESS", "1.9", who=AI)
    base = f"/fhir{version}"
    yield web.ask("GET", f"{base}/metadata")
    for kind, query in (
        ("Patient", "identifier=P1"), ("ImagingStudy", ""), ("ServiceRequest", "status=active"), ("Task", ""),
        ("DiagnosticReport", f"study=ImagingStudy/{study}"), ("Observation", f"study={study}"),
        ("Provenance", f"study={study}"),
    ):  # fmt: skip
        found = web.ask("GET", f"{base}/{kind}?{query}")
        assert found["entry"] or kind == "Observation", kind
        yield found
        for entry in found.get("entry", ()):
            one = entry["resource"]
            yield one
            if not entry["fullUrl"].startswith("urn:"):
                assert web.ask("GET", f"{base}/{one['resourceType']}/{one['id']}") == one
    yield web.ask("GET", f"{base}/Endpoint/dicomweb")
    _alerted(web, study)
    web.who = ITO
    found = web.ask("GET", f"{base}/Communication?study={study}")
    assert len(found["entry"]) == 2
    yield found
    yield from (entry["resource"] for entry in found["entry"])
    web.who = CHIEF
    site.consents.give({"DUO:0000007": ["MONDO:0005148"], "DUO:0000021": []}, study=study, who=CHIEF)
    site.consents.give({}, patient="P1", issuer="NORD", refuses=[Purpose.TRAINING], who=CHIEF)
    site.working.search({}, who=CHIEF)  # a search is an entry about no study
    found = web.ask("GET", f"{base}/Consent?study={study}")
    assert len(found["entry"]) == 1
    yield found
    yield found["entry"][0]["resource"]
    for asked in (f"?entity={study}", ""):
        found = web.ask("GET", f"{base}/AuditEvent{asked}")
        yield found
        yield from (entry["resource"] for entry in found["entry"])


def _alerted(web: _Web, study: str) -> None:
    """An alert that waits, and one of which somebody was told."""
    alerts, now = web.house.site.alerts, web.house.site.clock()
    alerts.raise_(study, "a second nodule", 3, identified=now, responsible="ward 4", who=ITO)
    one = alerts.raise_(study, "free air", 1, identified=now, responsible="Dr Lee", who=ITO)
    alerts.acknowledge(one.id, Communication("", now, "ito", "Dr Lee", now, "telephone", True), who=ITO)


def test_terms_of_use_are_consents_for_whoever_may_see_them(web: _Web) -> None:
    study = _signed(web.house)
    web.ask("POST", "/fhir/ServiceRequest", REQUEST, 201)
    web.who = CHIEF
    web.house.site.consents.give({}, patient="P1", issuer="NORD", refuses=[Purpose.TRAINING], who=CHIEF)
    (whose,) = web.ask("GET", "/fhir/Patient?identifier=P1")["entry"]
    (said,) = web.ask("GET", f"/fhir/r5/Consent?patient={whose['resource']['id']}")["entry"]
    assert (
        said["resource"]["decision"] == "deny" and said["resource"]["provision"][0]["purpose"][0]["code"] == "training"
    )
    for empty in (f"study={study}", "study=1.2.99", "patient=2.25.1"):
        assert web.ask("GET", f"/fhir/Consent?{empty}")["total"] == 0
    web.ask("GET", "/fhir/Consent", status=400)
    web.who = KIS
    web.ask("GET", f"/fhir/Consent?study={study}", status=403)


def test_alerts_are_communications_with_their_six_fields(web: _Web) -> None:
    study = _signed(web.house)
    _alerted(web, study)
    web.who = ITO
    (done,) = [e["resource"] for e in web.ask("GET", "/fhir/Communication?status=completed")["entry"]]
    assert done["payload"] == [{"contentString": "free air"}] and done["priority"] == "stat"
    assert (done["sender"]["display"], done["recipient"], done["medium"]) == (
        "ito", [{"display": "Dr Lee"}], [{"text": "telephone"}],
    )  # fmt: skip
    assert done["received"] and any(n["text"].startswith("identified ") for n in done["note"])
    (waits,) = [e["resource"] for e in web.ask("GET", "/fhir/Communication?status=in-progress")["entry"]]
    assert waits["recipient"] == [{"display": "ward 4"}] and waits["priority"] == "asap" and "received" not in waits
    assert waits["about"] == [{"reference": f"ImagingStudy/{study}"}] and "meta" not in waits
    assert web.ask("GET", "/fhir/Communication?study=1.2.9")["total"] == 0
    web.ask("GET", "/fhir/Communication?status=lost", status=400)
    web.who = NOBODY
    web.ask("GET", "/fhir/Communication", status=401)
    from isocenter.forms.fhir_alerts import communication

    flag = {**web.house.site.alerts.all(who=ITO)[0], "source": "unread"}
    assert communication(flag, None)["meta"]["security"][0]["code"] == "AIAST", (
        "what nobody has read is a machine's word"
    )
    ended = {**flag, "ended": flag["raised"], "told": {"opened": "ito"}}
    assert any("was opened" in n["text"] for n in communication(ended, None)["note"])
    glass = {**ended, "source": "glass", "responsible": "", "asked": "administrators", "told": {"reviewed": "lee"}}
    told = communication(glass, None)
    assert told["category"] == [{"text": "study opened in an emergency"}] and "received" not in told
    assert told["recipient"] == [{"display": "administrators"}]
    assert told["note"][-1]["text"] == "looked through by lee"


@pytest.mark.parametrize("version", ["", "/r5"])
def test_every_resource_that_leaves_parses(web: _Web, version: str) -> None:
    kinds = set()
    for told in _all(web, version):
        kinds.add(told["resourceType"])
        text = json.dumps(told)
        assert "P1" not in [e.get("fullUrl", "") for e in told.get("entry", ())] and "null" not in text
    assert {"CapabilityStatement", "Patient", "ImagingStudy", "ServiceRequest", "Task", "Endpoint", "DiagnosticReport",
            "Communication", "Bundle"} <= kinds  # fmt: skip


@pytest.mark.parametrize("version", ["", "/r5"])
def test_fhir_resources_reads_everything_that_leaves(web: _Web, version: str) -> None:
    pytest.importorskip("fhir.resources", reason="the extra `test` brings fhir.resources")
    for told in _all(web, version):
        _parsed(told, version)


def test_a_validator_made_from_the_specification_finds_nothing_in_what_leaves(web: _Web) -> None:
    fhirkit = pytest.importorskip("fhirkit", reason="the extra `test` brings fhirkit-rs, which knows R4")
    for told in _all(web, ""):
        assert not fhirkit.validate(told), told["resourceType"]
        lacking = {key: told[key] for key in told if key != "resourceType"} | {"unheardOf": 1}
        assert fhirkit.validate(lacking | {"resourceType": told["resourceType"]}), "an element that R4 does not know"


def test_an_order_placed_by_fhir_stands_on_the_worklist(web: _Web) -> None:
    told = web.ask("POST", "/fhir/ServiceRequest", REQUEST, 201)
    (ordered,) = web.house.site.ordering.all(who=ITO)
    order = ordered.order
    assert (order.id, order.placer, order.modality, order.priority, order.reason) == (
        "A1",
        "PL1",
        "CT",
        "STAT",
        "cough",
    )
    assert (order.patient.id, order.patient.issuer, order.patient.name) == ("P1", "NORD", "Meier^Anna")
    assert (str(order.date), order.time, str(order.procedure_code)) == ("2026-11-30", "083000", "CT of chest")
    assert told["status"] == "active" and web.ask("GET", f"/fhir/ServiceRequest/{told['id']}") == told
    fifth = fhir_workflow.as_r5({**REQUEST, "resourceType": "ServiceRequest"})
    assert fifth["code"] == {"concept": REQUEST["code"]} and "reasonCode" not in fifth
    beside = {"resourceType": "Bundle", "entry": [{"resource": {**fifth, "contained": []}}, {"resource": PATIENT}]}
    assert fhir_workflow.order_of(beside) == fhir_workflow.order_of(REQUEST) == order, "R5 says the same"
    other = {**REQUEST, "contained": [{**PATIENT, "identifier": [{"value": "P2"}]}]}
    assert web.ask("POST", "/fhir/ServiceRequest", other, 409)["issue"][0]["code"] == "conflict"


@pytest.mark.parametrize(
    "change",
    [{"contained": []}, {"intent": "plan"}, {"identifier": []}, {"contained": [{"resourceType": "Patient"}]},
     {"identifier": "A1"}, {"occurrenceDateTime": "2026-99-99"}, {"resourceType": "Patient"}, {"identifier": [3]}],
)  # fmt: skip
def test_what_is_no_order_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        fhir_workflow.order_of({**REQUEST, **change})


_ODD = (None, 1, True, "", [], {}, [[]], ["x"], {"a": 1}, 10**30, "9999-12-31", "#", "x" * 5000)


def _places(told: Any, place: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    yield place
    for key in told if isinstance(told, dict) else range(len(told)) if isinstance(told, list) else ():
        yield from _places(told[key], (*place, key))


def test_parts_of_another_shape_are_read_or_refused_and_no_error_of_ours() -> None:
    for place in [p for p in _places(REQUEST) if p]:
        for odd in _ODD:
            told = copy.deepcopy(REQUEST)
            at = told
            for key in place[:-1]:
                at = at[key]
            at[place[-1]] = odd
            with suppress(Refused):
                fhir_workflow.order_of(told)
    with suppress(Refused):
        fhir_workflow.order_of({"resourceType": "Bundle", "entry": [1, {"resource": 1}, {"resource": REQUEST}]})
    for part in ("requester", "occurrencePeriod"):
        assert fhir_workflow.order_of({**REQUEST, part: 1}).id == "A1"


def test_who_may_not_is_told_so_in_an_outcome(web: _Web) -> None:
    web.who = NOBODY
    assert web.ask("GET", "/fhir/Patient?identifier=P1", status=401)["resourceType"] == "OperationOutcome"
    web.who = ITO
    assert web.ask("POST", "/fhir/ServiceRequest", REQUEST, 403)["issue"][0]["code"] == "forbidden"
    assert web.ask("GET", "/fhir/AuditEvent", status=403)
    web.who = KIS
    for path, status in (
        ("Patient", 400), ("Patient?identifier=P*", 400), ("Patient/x", 404), ("ImagingStudy/1.2.9", 404),
        ("Task?status=x", 400), ("Task/1.9", 404), ("ServiceRequest/x", 404), ("Endpoint/x", 404),
        ("DiagnosticReport", 400),
    ):  # fmt: skip
        assert web.ask("GET", f"/fhir/{path}", status=status)["resourceType"] == "OperationOutcome", path


def test_what_a_machine_claimed_carries_its_label(web: _Web) -> None:
    list(_all(web, ""))
    web.who = KIS
    (task,) = [e["resource"] for e in web.ask("GET", "/fhir/Task")["entry"]]
    assert task["status"] == "in-progress" and task["owner"] == {"display": "AI1"}
    assert [label["code"] for label in task["meta"]["security"]] == ["AIAST"]


def test_a_search_obeys_what_it_is_asked_or_says_that_it_does_not(web: _Web) -> None:
    """Whoever asks for the orders of one patient must not be given everybody's."""
    first = web.ask("POST", "/fhir/ServiceRequest", REQUEST, 201)
    other = {**REQUEST, "contained": [{**PATIENT, "identifier": [{"value": "P2"}]}],
             "identifier": [{"type": {"coding": [{"code": "ACSN"}]}, "value": "A2"}]}  # fmt: skip
    web.ask("POST", "/fhir/ServiceRequest", other, 201)
    mine = first["subject"]["reference"]
    for base in ("/fhir", "/fhir/r5"):
        assert web.ask("GET", f"{base}/ServiceRequest")["total"] == 2
        (one,) = web.ask("GET", f"{base}/ServiceRequest?patient={mine}")["entry"]
        assert one["resource"]["id"] == first["id"]
        assert web.ask("GET", f"{base}/ServiceRequest?patient=Patient/none")["total"] == 0
        counted = web.ask("GET", f"{base}/ServiceRequest?_count=1")
        assert (counted["total"], len(counted["entry"])) == (2, 1)
        assert "entry" not in web.ask("GET", f"{base}/ServiceRequest?_count=0")
        links = {one["relation"]: one["url"] for one in counted["link"]}
        assert links["next"].endswith(f"{base}/ServiceRequest?_count=1&_offset=1")
        second = web.ask("GET", links["next"][links["next"].index("/fhir") :])
        assert [one["relation"] for one in second["link"]] == ["self"] and second["total"] == 2
        assert {counted["entry"][0]["resource"]["id"], second["entry"][0]["resource"]["id"]} > {first["id"]}
        for wrong in ("ServiceRequest?subject=Patient/x", "Task?patient=P1", "ImagingStudy?study=1.2.3",
                      "ServiceRequest?patient:missing=true", "Task?_count=many", "Task?_count=-1",
                      "Task?_offset=x"):  # fmt: skip
            told = web.ask("GET", f"{base}/{wrong}", status=400)
            assert told["resourceType"] == "OperationOutcome" and told["issue"][0]["diagnostics"], wrong
        lenient = Browser(web.app).ask(
            "GET", f"{base}/ServiceRequest?color=red", headers={"Prefer": "handling=lenient"}
        )
        assert lenient.status_code == 200 and lenient.json()["total"] == 2
    web.who = ITO
    (person,) = web.ask("GET", f"/fhir/Patient?_id={mine.partition('/')[2]}")["entry"]
    assert person["resource"]["identifier"][0]["value"] == "P1"
    assert web.ask("GET", "/fhir/Patient?_id=none")["total"] == 0


@pytest.mark.parametrize("version", ["", "/r5"])
def test_a_search_for_a_report_that_nobody_signed_finds_nothing(web: _Web, version: str) -> None:
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    web.house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    study = web.house.site.studies(who=HOUSE)[0].uid
    for asked in (study, "1.2.9"):
        for kind in ("DiagnosticReport", "Observation", "Provenance"):
            told = web.ask("GET", f"/fhir{version}/{kind}?study={asked}")
            assert (told["resourceType"], told["total"], told.get("entry", [])) == ("Bundle", 0, [])


def test_an_address_that_is_not_served_says_so_in_fhir(web: _Web) -> None:
    for path in (
        "/fhir/Endpoint",
        "/fhir/Practitioner",
        "/fhir/ImagingSelection",
        "/fhir/Patient/x/_history",
        "/fhir/r5/",
    ):
        told = web.ask("GET", path, status=404)
        assert told["resourceType"] == "OperationOutcome" and "not served" in told["issue"][0]["diagnostics"]
    web.who = NOBODY
    assert web.ask("GET", "/fhir/Practitioner", status=401)["resourceType"] == "OperationOutcome"


def test_pages_of_studies_and_of_the_journal_go_on_where_the_last_ended(web: _Web) -> None:
    files = [get_testdata_file(name, download=False) for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm")]
    for file in files:
        web.house.site.receive([Path(str(file)).read_bytes()], sender="test", who=HOUSE)
    for kind in ("ImagingStudy", "AuditEvent"):
        web.who = KIS if kind == "ImagingStudy" else CHIEF
        seen, asked = [], f"/fhir/{kind}?_count=1"
        for _ in range(3):
            told = web.ask("GET", asked)
            seen += [one["resource"]["id"] for one in told["entry"]]
            onwards = [one["url"] for one in told["link"] if one["relation"] == "next"]
            if kind == "ImagingStudy":
                assert told["total"] == 3 and bool(onwards) == (len(seen) < 3)
            asked = onwards[0][onwards[0].index("/fhir") :] if onwards else ""
        assert len(seen) == 3 and (kind == "AuditEvent" or len(set(seen)) == 3)
