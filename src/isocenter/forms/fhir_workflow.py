"""What a department's other systems ask of an archive in FHIR: patients, studies, orders, work items, where images are.

Resources are made as FHIR R4 (4.0.1) and turned into R5 by `as_r5`, a table of what was renamed between the two. Orders
come in as a ServiceRequest of either version with its Patient. Codes are those of `forms.fhir`; a work item that a
machine performed carries the label of what a machine says. Sources: HL7 FHIR R4 and R5; IHE IRA; DICOM PS3.18 for
the Endpoint.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from typing import Any, Final

from isocenter.errors import Refused
from isocenter.forms import words
from isocenter.forms.fhir import MACHINE, SYSTEMS
from isocenter.forms.person_name import human_names
from isocenter.record import Code, Order, Patient, Study
from isocenter.record.order import study_uid_of

__all__ = [
    "as_r5",
    "bundle",
    "capability",
    "endpoint",
    "imaging_study",
    "order_of",
    "patient",
    "served",
    "service_request",
    "task",
]

_DCM: Final = "http://dicom.nema.org/resources/ontology/DCM"
_UID: Final = "urn:dicom:uid"
_GENDER: Final = {"M": "male", "F": "female", "O": "other"}
_ORDER: Final = {"scheduled": "active", "in progress": "active", "completed": "completed", "cancelled": "revoked",
                 "discontinued": "on-hold"}  # fmt: skip
_TASK: Final = {
    "SCHEDULED": "requested",
    "IN PROGRESS": "in-progress",
    "COMPLETED": "completed",
    "CANCELED": "cancelled",
}
_PRIORITY: Final = {"STAT": "stat", "HIGH": "urgent", "ROUTINE": "routine", "MEDIUM": "routine", "LOW": "routine"}
_SAID: Final = {"stat": "STAT", "asap": "HIGH", "urgent": "HIGH", "routine": "ROUTINE"}
_SEX: Final = {"male": "M", "female": "F", "other": "O"}


def patient(who: Patient) -> dict[str, Any]:
    """Patient; its id is made of issuer and number, so that it holds no character that an address may not."""
    told: dict[str, Any] = {"resourceType": "Patient", "id": patient_id(who)}
    if who.id:
        mine: dict[str, Any] = {"value": words.one_line(who.id)}
        if who.issuer:
            mine["assigner"] = {"display": words.one_line(who.issuer)}
        told["identifier"] = [mine]
    if names := human_names(who.name):
        told["name"] = names
    if who.birth_date:
        told["birthDate"] = who.birth_date.isoformat()
    if who.sex in _GENDER:
        told["gender"] = _GENDER[who.sex]
    return told


def patient_id(who: Patient) -> str:
    """The logical id of a patient.

    >>> patient_id(Patient("P 1/x")) == patient_id(Patient("P 1/x", "Other^Name"))
    True
    """
    return study_uid_of("patient", who.issuer, who.id)[:64]


def imaging_study(study: Study, base: str = "") -> dict[str, Any]:
    """ImagingStudy with its series; `base` is the address of the DICOMweb service, for the Endpoint."""
    told: dict[str, Any] = {
        "resourceType": "ImagingStudy", "id": study.uid, "status": "available",
        "identifier": [{"system": _UID, "value": f"urn:oid:{study.uid}"}],
        "subject": {"reference": f"Patient/{patient_id(study.patient)}"},
        "numberOfSeries": len(study.series), "numberOfInstances": study.instance_count,
    }  # fmt: skip
    if study.modalities:
        told["modality"] = [_modality(m) for m in study.modalities]
    if study.accession:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
        told["identifier"].append({"type": kind, "value": words.one_line(study.accession)})
    if study.date:
        told["started"] = study.date.isoformat()
    if study.description:
        told["description"] = words.one_line(study.description)
    if base:
        told["endpoint"] = [{"reference": "Endpoint/dicomweb"}]
    if series := [_series(s) for s in study.series]:
        told["series"] = series
    return told


def _series(series: Any) -> dict[str, Any]:
    told: dict[str, Any] = {
        "uid": series.uid, "modality": _modality(series.modality), "numberOfInstances": len(series.instances),
    }  # fmt: skip
    if series.number is not None and series.number >= 0:
        told["number"] = series.number
    if series.description:
        told["description"] = words.one_line(series.description)
    if series.instances:
        told["instance"] = [_instance(i) for i in series.instances]
    return told


def _instance(one: Any) -> dict[str, Any]:
    told = {"uid": one.sop_uid, "sopClass": {"system": "urn:ietf:rfc:3986", "code": f"urn:oid:{one.sop_class}"}}
    return told | ({"number": one.number} if one.number is not None and one.number >= 0 else {})


def _modality(code: str) -> dict[str, str]:
    return {"system": _DCM, "code": code or "OT"}


def service_request(order: Order, state: str) -> dict[str, Any]:
    """ServiceRequest of an order; `state` is that of the order's life cycle."""
    told: dict[str, Any] = {
        "resourceType": "ServiceRequest", "id": study_uid_of("order", order.id), "status": _ORDER[state],
        "intent": "order", "subject": {"reference": f"Patient/{patient_id(order.patient)}"},
        "identifier": [{"system": "urn:isocenter:order", "value": words.one_line(order.id)}],
        "category": [{"coding": [{"system": SYSTEMS["SCT"], "code": "363679005", "display": "Imaging"}]}],
    }  # fmt: skip
    if order.accession:
        kind = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0203", "code": "ACSN"}]}
        told["identifier"].append({"type": kind, "value": words.one_line(order.accession)})
    if order.procedure_code:
        told["code"] = {"coding": [_coding(order.procedure_code)], "text": words.one_line(order.procedure)}
    elif order.procedure:
        told["code"] = {"text": words.one_line(order.procedure)}
    if order.priority in _PRIORITY:
        told["priority"] = _PRIORITY[order.priority]
    if order.date:
        told["occurrenceDateTime"] = order.date.isoformat()
    if order.reason:
        told["reasonCode"] = [{"text": words.one_line(order.reason)}]
    if order.requesting:
        told["requester"] = {"display": words.one_line(order.requesting.replace("^", " ").strip())}
    if order.modality:
        told["orderDetail"] = [{"coding": [_modality(order.modality)]}]
    return told


def task(
    model: Mapping[str, Any], performer: str, machine: bool, first: Callable[[Mapping[str, Any], str], str]
) -> dict[str, Any]:
    """Task of a work item.

    Args:
        model: its data set in the DICOM JSON model.
        performer: who claimed it; empty before.
        machine: whether a program performed it: the Task then carries the label of what a machine says.
        first: reads the first value of an element.
    """
    told: dict[str, Any] = {
        "resourceType": "Task", "id": first(model, "00080018"), "status": _TASK[first(model, "00741000")],
        "intent": "order", "priority": {"HIGH": "urgent"}.get(first(model, "00741200"), "routine"),
        "identifier": [{"system": _UID, "value": f"urn:oid:{first(model, '00080018')}"}],
        "description": words.one_line(first(model, "00741204")),
        "lastModified": _instant(first(model, "00404010")),
    }  # fmt: skip
    if number := first(model, "00100020"):
        told["for"] = {"reference": f"Patient/{patient_id(Patient(number, issuer=first(model, '00100021')))}"}
    if performer:
        told["owner"] = {"display": words.one_line(performer)}
        if machine:
            told["meta"] = {"security": [MACHINE]}
    return told


def _instant(said: str) -> str:
    for form in ("%Y%m%d%H%M%S%z", "%Y%m%d%H%M%S"):
        try:
            at = datetime.strptime(said, form)
        except ValueError:
            continue
        return (at if at.tzinfo else at.replace(tzinfo=UTC)).isoformat()
    return datetime(1970, 1, 1, tzinfo=UTC).isoformat()


def endpoint(address: str) -> dict[str, Any]:
    """Endpoint of the DICOMweb service."""
    return {
        "resourceType": "Endpoint", "id": "dicomweb", "status": "active", "address": address,
        "connectionType": {"system": "http://terminology.hl7.org/CodeSystem/endpoint-connection-type",
                           "code": "dicom-wado-rs"},
        "payloadType": [{"text": "DICOM WADO-RS"}], "payloadMimeType": ["application/dicom"],
    }  # fmt: skip


def capability(version: str, now: datetime, software: str) -> dict[str, Any]:
    """CapabilityStatement: what may be asked here, generated from the same table as the routes."""
    resources = [
        {"type": kind, "interaction": [{"code": code} for code in codes],
         "searchParam": [{"name": name, "type": "token"} for name in params]}
        for kind, codes, params in served(version)
    ]  # fmt: skip
    for one in resources:
        if not one["searchParam"]:
            del one["searchParam"]
    return {
        "resourceType": "CapabilityStatement", "status": "active", "date": now.isoformat(), "kind": "instance",
        "software": {"name": "Isocenter", "version": software},
        "implementation": {"description": "Isocenter archive; research software"},
        "fhirVersion": version, "format": ["application/fhir+json"],
        "rest": [{"mode": "server", "resource": resources}],
    }  # fmt: skip


SERVED: Final[Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]]] = (
    ("Patient", ("read", "search-type"), ("identifier", "_id")),
    ("ImagingStudy", ("read", "search-type"), ("identifier", "patient", "_id")),
    ("ServiceRequest", ("read", "search-type", "create"), ("identifier", "status", "patient")),
    ("Task", ("read", "search-type"), ("status",)),
    ("Endpoint", ("read",), ()),
    ("DiagnosticReport", ("search-type",), ("study",)),
    ("Observation", ("search-type",), ("study",)),
    ("Provenance", ("search-type",), ("study",)),
    ("ImagingSelection", ("search-type",), ("study",)),
    ("Communication", ("search-type",), ("study", "status")),
    ("Consent", ("search-type",), ("patient", "study")),
    ("AuditEvent", ("search-type",), ("entity",)),
)
"""Kind of resource, what may be done with it, and by what it is searched."""


def served(version: str) -> Sequence[tuple[str, tuple[str, ...], tuple[str, ...]]]:
    """What a version of FHIR has of it: ImagingSelection came with R5."""
    return [one for one in SERVED if one[0] != "ImagingSelection" or version.startswith("5")]


def bundle(resources: Sequence[Mapping[str, Any]], base: str, total: int | None = None) -> dict[str, Any]:
    """A searchset."""
    told: dict[str, Any] = {"resourceType": "Bundle", "type": "searchset"}
    if total is not None:
        told["total"] = total
    if resources:
        told["entry"] = [
            {"fullUrl": _full(one, base), "resource": one, "search": {"mode": "match"}} for one in resources
        ]
    return told


def _full(one: Mapping[str, Any], base: str) -> str:
    own = one["resourceType"] in ("Patient", "ImagingStudy", "ServiceRequest", "Task", "Endpoint")
    return f"{base}/{one['resourceType']}/{one['id']}" if own else f"urn:uuid:{one['id']}"


def as_r5(told: Mapping[str, Any]) -> dict[str, Any]:
    """An R4 resource of ours as R5: what was renamed or became another type, kind by kind."""
    made = dict(told)
    match made["resourceType"]:
        case "Bundle":
            made["entry"] = [{**e, "resource": as_r5(e["resource"])} for e in made.get("entry", ())]
            if not made["entry"]:
                del made["entry"]
        case "ImagingStudy":
            if "modality" in made:
                made["modality"] = [{"coding": [m]} for m in made["modality"]]
            if "series" in made:
                made["series"] = [{**s, "modality": {"coding": [s["modality"]]}} for s in made["series"]]
        case "ServiceRequest":
            if "code" in made:
                made["code"] = {"concept": made["code"]}
            if "reasonCode" in made:
                made["reason"] = [{"concept": one} for one in made.pop("reasonCode")]
            if "orderDetail" in made:
                detail = [
                    {"code": {"text": "Modality"}, "valueCodeableConcept": one} for one in made.pop("orderDetail")
                ]
                made["orderDetail"] = [{"parameter": detail}]
        case "Endpoint":
            made["connectionType"] = [{"coding": [made["connectionType"]]}]
            made["payload"] = [{"type": made.pop("payloadType"), "mimeType": made.pop("payloadMimeType")}]
        case "DiagnosticReport":
            if "imagingStudy" in made:
                made["study"] = made.pop("imagingStudy")
        case "Communication":
            made["payload"] = [{"contentCodeableConcept": {"text": p["contentString"]}} for p in made["payload"]]
        case "Device":
            made["name"] = [{"value": n["name"], "type": "registered-name"} for n in made.pop("deviceName")]
            made["type"] = [made["type"]]
        case "AuditEvent":
            return _audit_r5(made)
        case "Consent":
            return _consent_r5(made)
        case _:
            pass
    return made


def _audit_r5(made: dict[str, Any]) -> dict[str, Any]:
    outcomes = {"0": "success", "4": "minor-error", "8": "serious-error", "12": "major-error"}
    kinds: list[Any] = [made.pop("type"), *made.pop("subtype")]
    made["category"] = [{"coding": [one]} for one in kinds[:-1]]
    made["code"] = {"coding": [kinds[-1]]}
    said = outcomes[made["outcome"]]
    made["outcome"] = {"code": {"system": "http://terminology.hl7.org/CodeSystem/audit-event-outcome", "code": said}}
    for agent in made["agent"]:
        if address := agent.pop("network", None):
            agent["networkString"] = address["address"]
    for entity in made["entity"]:
        entity["detail"] = [{**d, "type": {"text": d["type"]}} for d in entity["detail"]]
    return made


def _consent_r5(made: dict[str, Any]) -> dict[str, Any]:
    rule = dict(made.pop("provision"))
    made["decision"] = rule.pop("type")
    made["subject"], made["date"] = made.pop("patient"), made.pop("dateTime")[:10]
    made["regulatoryBasis"] = [made.pop("policyRule")]
    del made["scope"]
    made["provision"] = [rule]
    return made


def order_of(told: Mapping[str, Any]) -> Order:
    """The order of a ServiceRequest (R4 or R5), alone with its Patient contained, or in a Bundle with it.

    Raises:
        Refused: something that an order needs is missing or is not what FHIR says.
    """
    request, who = _request_and_patient(told)
    if request.get("intent") not in ("order", "original-order", "instance-order", "filler-order"):
        raise Refused(
            f"a ServiceRequest of intent '{request.get('intent')!s:.20}'", "it is no order", "send one of intent order"
        )
    subject = _patient_of(who)
    code = _concept(request.get("code"))
    coded = _code_of(code)
    numbers = _identifiers(request)
    accession = numbers.get("ACSN") or numbers.get("FILL") or numbers.get("PLAC") or numbers.get("")
    if not accession:
        raise Refused("a ServiceRequest without an identifier", "nobody could name the order", "give it an identifier")
    details = [c for one in _listed(request, "orderDetail") for c in _details(one)]
    modality = next((str(c.get("code")) for c in details if c.get("system") == _DCM), "")
    when = str(request.get("occurrenceDateTime") or _object(request.get("occurrencePeriod")).get("start") or "")
    reasons = [_text(_concept(r)) for r in (*_listed(request, "reasonCode"), *_listed(request, "reason"))]
    asker = _object(request.get("requester"))
    day, _, hour = when.partition("T")
    return Order(
        id=accession, patient=subject, accession=accession[:16], placer=numbers.get("PLAC", ""),
        filler=numbers.get("FILL", ""), study_uid=study_uid_of(subject.issuer, subject.id, accession),
        procedure_id=accession[:16], procedure=_text(code)[:64], procedure_code=coded, step=_text(code)[:64],
        step_code=coded, modality=modality, date=_date(day), time=hour[:8].replace(":", "") if hour else "",
        priority=_SAID.get(str(request.get("priority", "")), ""), reason="; ".join(filter(None, reasons))[:64],
        requesting=str(asker.get("display", ""))[:64],
    )  # fmt: skip


def _request_and_patient(told: Mapping[str, Any]) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    many: list[Mapping[str, Any]] = [told]
    if told.get("resourceType") == "Bundle":
        many = [r for e in _listed(told, "entry") if (r := _object(_object(e).get("resource")))]
    requests = [r for r in many if r.get("resourceType") == "ServiceRequest"]
    if len(requests) != 1:
        raise Refused(f"{len(requests)} ServiceRequests", "one order is taken at a time", "send one with its Patient")
    inner = _listed(requests[0], "contained")
    people = [r for r in (*many, *inner) if isinstance(r, Mapping) and r.get("resourceType") == "Patient"]
    if len(people) != 1:
        raise Refused(
            f"a ServiceRequest with {len(people)} Patients", "this archive has no patient of that address",
            "send the Patient contained in it, or beside it in a Bundle",
        )  # fmt: skip
    return requests[0], people[0]


def _patient_of(told: Mapping[str, Any]) -> Patient:
    identifiers = [i for i in _listed(told, "identifier") if isinstance(i, Mapping) and i.get("value")]
    if not identifiers:
        raise Refused(
            "a Patient without an identifier", "nobody could tell whose the images are", "give it an identifier"
        )
    mine = identifiers[0]
    issuer = str(_object(mine.get("assigner")).get("display", ""))
    names = [n for n in _listed(told, "name") if isinstance(n, Mapping)]
    name = ""
    if names:
        parts = [str(names[0].get("family", "")), *(str(g) for g in _listed(names[0], "given")[:2])]
        name = "^".join(p.replace("^", " ").replace("=", " ") for p in parts) if any(parts) else ""
        name = name or str(names[0].get("text", ""))
    return Patient(
        str(mine["value"]), name, _date(str(told.get("birthDate", ""))), _SEX.get(str(told.get("gender")), ""), issuer
    )


def _identifiers(request: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    for one in _listed(request, "identifier"):
        if isinstance(one, Mapping) and one.get("value"):
            kinds = [str(c.get("code")) for c in _listed(_object(one.get("type")), "coding") if isinstance(c, Mapping)]
            found.setdefault(kinds[0] if kinds else "", str(one["value"]).strip())
    return found


def _object(told: Any) -> Mapping[str, Any]:
    """A part that is an object; nothing where it is something else, or is not there."""
    return told if isinstance(told, Mapping) else {}


def _concept(told: Any) -> Mapping[str, Any]:
    """A CodeableConcept, which R5 wraps into a CodeableReference here and there."""
    if not isinstance(told, Mapping):
        return {}
    inner = told.get("concept")
    return inner if isinstance(inner, Mapping) else told


def _details(told: Any) -> list[Mapping[str, Any]]:
    if not isinstance(told, Mapping):
        return []
    inner = [_object(p.get("valueCodeableConcept")) for p in _listed(told, "parameter") if isinstance(p, Mapping)]
    return [c for one in (told, *inner) for c in _listed(one, "coding") if isinstance(c, Mapping)]


def _code_of(concept: Mapping[str, Any]) -> Code | None:
    schemes = {system: scheme for scheme, system in SYSTEMS.items()}
    for one in _listed(concept, "coding"):
        if isinstance(one, Mapping) and one.get("code"):
            scheme = schemes.get(str(one.get("system")), "99FHIR")
            meaning = str(one.get("display") or concept.get("text") or one["code"])
            return Code(str(one["code"])[:16], scheme, meaning[:64])
    return None


def _text(concept: Mapping[str, Any]) -> str:
    first = next((c for c in _listed(concept, "coding") if isinstance(c, Mapping)), {})
    return words.one_line(str(concept.get("text") or first.get("display") or first.get("code") or ""))


def _listed(told: Any, name: str) -> list[Any]:
    many = told.get(name) if isinstance(told, Mapping) else None
    if many is not None and not isinstance(many, list):
        raise Refused(f"'{name}' that is no list", "FHIR has a list there", "look at the sender")
    return many or []


def _coding(code: Code) -> dict[str, str]:
    system = SYSTEMS.get(code.scheme)
    told = {"code": code.code, "display": words.one_line(code.meaning)}
    return {"system": system, **told} if system else told


def _date(said: str) -> date | None:
    if len(said) < 10:
        return None
    try:
        return date.fromisoformat(said[:10])
    except ValueError:
        raise Refused(f"the date '{said[:12]}'", "it is none", "write it as 2026-11-30") from None
