"""A report as FHIR R4: a DiagnosticReport with its patient, study, observations, and who or what said so.

What a machine says carries the security label *AIAST* (artificial intelligence asserted). Once a person has kept or
changed it and signed, the label is *CLINAST_AIRPT* (clinician asserted from AI reported) and the person is named: the
first label never disappears without the second in its place. Sources: HL7 FHIR R4 (4.0.1) DiagnosticReport,
Observation, Provenance, Device; HL7 AI Transparency on FHIR (1.0.0-ballot), value set ProvenanceVS.

The bundle is plain JSON; whoever has the package `fhir.resources` can parse it, and a test does where it is there.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from isocenter.forms import maker, words
from isocenter.forms.fhir_selection import selection
from isocenter.forms.person_name import human_names
from isocenter.forms.text import Sentence
from isocenter.record import Code, Finding, Measurement, Outcome, Result, Study, Verdict

__all__ = ["CONFIRMED", "MACHINE", "SYSTEMS", "bundle"]

MACHINE = {
    "system": "http://terminology.hl7.org/CodeSystem/v3-ObservationValue",
    "code": "AIAST",
    "display": "Artificial Intelligence asserted",
}
"""What a machine says, and no person has confirmed."""

CONFIRMED = {
    "system": "http://hl7.org/fhir/uv/aitransparency/CodeSystem/AddedProvenanceCS",
    "code": "CLINAST_AIRPT",
    "display": "Clinician Asserted from AI Reported",
}
"""What a machine said, and a person has kept or changed and signed."""

SYSTEMS = {
    "SCT": "http://snomed.info/sct",
    "DCM": "http://dicom.nema.org/resources/ontology/DCM",
    "RADLEX": "http://radlex.org",
    "LN": "http://loinc.org",
    "UCUM": "http://unitsofmeasure.org",
}
_OWN = "urn:oid:2.25.127215613178562325913063178302193127953"  # codes of ours (99ISO), which no table has
_GENDER = {"M": "male", "F": "female", "O": "other"}
_SPACE = uuid.UUID("3b6f5a0e-6d2b-5c1e-9a45-7a9d6c0f2b10")  # ours, drawn once; it only keeps our names apart


def bundle(
    study: Study,
    sentences: Sequence[Sentence],
    results: Sequence[Result],
    *,
    when: datetime,
    version: int = 1,
    digest: str = "",
    by: str = "",
    selections: bool = False,
) -> bytes:
    """A collection of resources, of which the first is the DiagnosticReport.

    Args:
        study: whose it is.
        sentences: as worded; those of the impression become the conclusion.
        results: on which the report rests.
        when: it was signed, or made where it is a draft.
        version: 1 for the first report, 2 for its first amendment, …
        digest, by: of the signature; without it the report is preliminary and every machine's word unconfirmed.
        selections: also where findings lie, as ImagingSelection, which R5 alone has.

    Returns:
        JSON, the same bytes for the same report.
    """
    made = _Bundle(study, when, digest, by, selections=selections)
    said = [r for r in results if r.outcome is not Outcome.DECLINED]
    observations = [made.observation(r, f) for r in said for f in r.findings if f.verdict is not Verdict.STRUCK]
    report = made.report(sentences, said, observations, version)
    entries = [report, *made.held.values()]
    told = {"resourceType": "Bundle", "type": "collection", "timestamp": _instant(when),
            "entry": [{"fullUrl": f"urn:uuid:{e['id']}", "resource": e} for e in entries]}  # fmt: skip
    return json.dumps(told, ensure_ascii=False, sort_keys=True).encode("utf-8", "replace")


class _Bundle:
    """The resources of one report, each made once."""

    def __init__(self, study: Study, when: datetime, digest: str, by: str, *, selections: bool) -> None:
        self.selections = selections
        self.study, self.when, self.digest, self.by = study, when, digest, by
        self.held: dict[str, dict[str, Any]] = {}
        self.patient = self._keep(self._patient())
        self.imaging = self._keep(self._imaging())
        self.person = self._keep(self._practitioner()) if by else None

    def _keep(self, resource: dict[str, Any]) -> dict[str, str]:
        self.held[resource["id"]] = resource
        return {"reference": f"urn:uuid:{resource['id']}"}

    def _id(self, *of: str) -> str:
        return str(uuid.uuid5(_SPACE, "/".join((self.study.uid, self.digest, *of))))

    def _patient(self) -> dict[str, Any]:
        who = self.study.patient
        told: dict[str, Any] = {"resourceType": "Patient", "id": self._id("patient")}
        if who.id:
            told["identifier"] = [{"value": words.one_line(who.id)}]
        if names := human_names(who.name):
            told["name"] = names
        if who.birth_date:
            told["birthDate"] = who.birth_date.isoformat()
        if who.sex in _GENDER:
            told["gender"] = _GENDER[who.sex]
        return told

    def _imaging(self) -> dict[str, Any]:
        told: dict[str, Any] = {
            "resourceType": "ImagingStudy",
            "id": self._id("study"),
            "status": "available",
            "identifier": [{"system": "urn:dicom:uid", "value": f"urn:oid:{self.study.uid}"}],
            "subject": self.patient,
            "modality": [_coding(Code(m, "DCM", m)) for m in self.study.modalities],
            "numberOfSeries": len(self.study.series),
            "numberOfInstances": self.study.instance_count,
        }
        if self.study.date:
            told["started"] = self.study.date.isoformat()
        if self.study.description:
            told["description"] = words.one_line(self.study.description)
        return told

    def _practitioner(self) -> dict[str, Any]:
        return {"resourceType": "Practitioner", "id": self._id("signer"), "name": [{"text": words.one_line(self.by)}]}

    def device(self, result: Result) -> dict[str, str] | None:
        """The machine behind a result; None for what a person made from nothing."""
        name, version, model = result.machine
        if not name:
            return None
        told: dict[str, Any] = {
            "resourceType": "Device",
            "id": self._id("device", name, version, model),
            "deviceName": [{"name": name, "type": "model-name"}],
            "type": {"coding": [_coding(maker.ANALYSIS_FAMILY)]},
            "manufacturer": maker.MAKER,
        }
        if version:
            told["version"] = [{"value": version}]
        if model:
            told["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{model}"}]
        return self._keep(told)

    def observation(self, result: Result, finding: Finding) -> dict[str, str]:
        """One finding with its numbers, and the provenance that says who or what said so."""
        device = self.device(result)
        confirmed = bool(self.by) and finding.verdict in (Verdict.KEPT, Verdict.CHANGED)
        persons = finding.verdict is Verdict.ADDED or device is None
        told: dict[str, Any] = {
            "resourceType": "Observation",
            "id": self._id("observation", result.id, finding.tracking),
            "status": "final" if self.by and (confirmed or persons) else "preliminary",
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category",
                                      "code": "imaging", "display": "Imaging"}]}],
            "code": _concept(finding.what),
            "subject": self.patient,
            "derivedFrom": [self.imaging],
            "effectiveDateTime": _instant(result.made),
        }  # fmt: skip
        if finding.tracking:
            told["identifier"] = [{"system": "urn:dicom:uid", "value": _uid(finding.tracking)}]
        if place := [c for c in (finding.laterality, finding.site) if c]:
            told["bodySite"] = {"coding": [_coding(c) for c in place]}
        if finding.words:
            told["valueString"] = words.one_line(finding.words)
        if finding.measurements:
            told["component"] = [_component(m) for m in finding.measurements]
        if notes := _intervals(finding):
            told["note"] = notes
        if not persons:
            told["meta"] = {"security": [CONFIRMED if confirmed else MACHINE]}
            told["device"] = device
        if self.person and (confirmed or persons):
            told["performer"] = [self.person]
        targets = []
        if self.selections and (selected := self._selection(finding, told)) is not None:
            told["derivedFrom"].append(selected)
            targets.append(selected)
        kept = self._keep(told)
        self._provenance(result, [kept, *targets], device, persons=persons, confirmed=confirmed)
        return kept

    def _selection(self, finding: Finding, observation: Mapping[str, Any]) -> dict[str, str] | None:
        """Where a finding lies, labelled as what is said of it."""
        if finding.where is None:
            return None
        told = selection(self.study, finding.where, self._id("selection", str(observation["id"])))
        if told is None:
            return None
        told |= {"subject": self.patient, "issued": observation["effectiveDateTime"], "derivedFrom": [self.imaging]}
        told["code"]["text"] = words.one_line(finding.what.meaning)
        told |= {name: observation[name] for name in ("meta", "identifier") if name in observation}
        who = [observation["device"]] if "device" in observation else []
        told["performer"] = [{"actor": one} for one in [*who, *observation.get("performer", ())]]
        if not told["performer"]:
            del told["performer"]
        return self._keep(told)

    def _provenance(
        self, result: Result, targets: list[dict[str, str]], device: dict[str, str] | None, *, persons: bool,
        confirmed: bool,
    ) -> None:  # fmt: skip
        agents = []
        if device and not persons:
            agents.append({"type": _participant("assembler", "Assembler"), "who": device})
        if self.person and (persons or confirmed):
            agents.append({"type": _participant("verifier" if confirmed else "author"), "who": self.person})
        if not agents:
            agents.append({"type": _participant("author"), "who": {"display": words.one_line(result.origin.name)}})
        entities = [
            {"role": "source", "what": {"identifier": {"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{digest}"}}}
            for digest in result.receipt.inputs[:100]
        ]
        told: dict[str, Any] = {
            "resourceType": "Provenance",
            "id": self._id("provenance", targets[0]["reference"]),
            "target": targets,
            "recorded": _instant(result.made),
            "agent": agents,
            "entity": [*entities, {"role": "derivation", "what": {"identifier": {"value": f"result {result.id}"}}}],
        }
        self._keep(told)

    def report(
        self, sentences: Sequence[Sentence], said: Sequence[Result], observations: list[dict[str, str]], version: int
    ) -> dict[str, Any]:
        """The DiagnosticReport: preliminary until it is signed, amended where it replaces another."""
        status = "preliminary" if not self.by else "final" if version == 1 else "amended"
        machines = any(r.machine.analysis for r in said)
        told: dict[str, Any] = {
            "resourceType": "DiagnosticReport",
            "id": self._id("report", str(version)),
            "status": status,
            "category": [{"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v2-0074",
                                      "code": "RAD", "display": "Radiology"}]}],
            "code": {"coding": [{"system": "http://loinc.org", "code": "18748-4",
                                 "display": "Diagnostic imaging study"}]},
            "subject": self.patient,
            "imagingStudy": [self.imaging],
            "issued": _instant(self.when),
        }  # fmt: skip
        if self.study.date:
            told["effectiveDateTime"] = self.study.date.isoformat()
        if self.digest:
            told["identifier"] = [{"system": "urn:ietf:rfc:3986", "value": f"urn:sha256:{self.digest}"}]
        if machines:
            told["meta"] = {"security": [CONFIRMED if self.by else MACHINE], "versionId": str(version)}
        if self.person:
            told["resultsInterpreter"] = [self.person]
        if observations:
            told["result"] = observations
        impression = [words.one_line(s.text) for s in sentences if s.section == "Impression"]
        if impression:
            told["conclusion"] = " ".join(impression)
        if sentences:
            rows = "".join(f"<p><b>{_html(s.section)}</b> {_html(words.one_line(s.text))}</p>" for s in sentences)
            told["text"] = {"status": "generated", "div": f'<div xmlns="http://www.w3.org/1999/xhtml">{rows}</div>'}
        return told


def _coding(code: Code) -> dict[str, str]:
    return {"system": SYSTEMS.get(code.scheme, _OWN), "code": code.code, "display": words.one_line(code.meaning)}


def _concept(code: Code) -> dict[str, Any]:
    return {"coding": [_coding(code)], "text": words.one_line(code.meaning)}


def _component(measured: Measurement) -> dict[str, Any]:
    code = _concept(measured.what)
    if measured.definition:
        code["text"] = words.one_line(f"{measured.what} ({measured.definition})")
    quantity = {"value": measured.value, "unit": measured.unit, "system": SYSTEMS["UCUM"], "code": measured.unit}
    return {"code": code, "valueQuantity": quantity}


def _intervals(finding: Finding) -> list[dict[str, str]]:
    """The intervals of the numbers, in words: `referenceRange` would say that they are what is normal."""
    return [
        {"text": words.one_line(f"{m.what}: 95 % interval {m.low} to {m.high} {m.unit}.")}
        for m in finding.measurements
        if m.low is not None and m.high is not None
    ]


def _participant(code: str, display: str = "") -> dict[str, Any]:
    system = "http://terminology.hl7.org/CodeSystem/provenance-participant-type"
    return {"coding": [{"system": system, "code": code, "display": display or code.capitalize()}]}


def _uid(tracking: str) -> str:
    return f"urn:oid:{tracking}" if set(tracking) <= set("0123456789.") else tracking


def _instant(time: datetime) -> str:
    return time.isoformat(timespec="milliseconds")


def _html(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
