"""A report as FHIR: what a machine says stays marked until a person has signed it, and then names the person."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any

import pytest

from isocenter.forms import fhir
from isocenter.forms.text import draft
from isocenter.record import (
    Finding,
    Instance,
    Measurement,
    Origin,
    Outcome,
    Patient,
    Receipt,
    Result,
    Series,
    Study,
    Verdict,
    codes,
)  # fmt: skip

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
IMAGES = Series("1.2.1", "CT", 1, instances=(Instance("1.2.1.1", "1", "1", "a" * 64, 10, rows=4, columns=4, frames=1),))
STUDY = Study("1.2", Patient("P<1>", "Möller^Eva^Maria", date(1960, 1, 2), "F"), "A1", date(2026, 11, 20),
              description="CT & chest", series=(IMAGES,))  # fmt: skip
SIZE = Measurement(codes.LONG_AXIS, 13.25, "mm", 12.5, 14.0, "in the axial plane")
LESION = Finding(codes.LESION, 0.9, None, (SIZE,), codes.LUNG, codes.LEFT, "A lesion <b>of</b> 13 mm.", "2.25.11")
MACHINE = Result("1.2", Outcome.FOUND, Origin("machine", "lung_nodule", "1.4", "c" * 64), NOON, findings=(LESION,),
                 receipt=Receipt(inputs=("a" * 64,)))  # fmt: skip
OF = {"of": {"analysis": "lung_nodule", "version": "1.4", "model": "c" * 64}}


def decided(verdict: Verdict, tracking: str = "2.25.11") -> Result:
    finding = replace(LESION, verdict=verdict, tracking=tracking)
    return replace(MACHINE, origin=Origin("person", "ito", parameters=OF), findings=(finding,), replaces=MACHINE.id)


def told(*results: Result, **rest: Any) -> dict[str, Any]:
    data = fhir.bundle(STUDY, draft(STUDY, results), results, when=NOON, **rest)
    assert data == fhir.bundle(STUDY, draft(STUDY, results), results, when=NOON, **rest), "the same bytes"
    made: dict[str, Any] = json.loads(data)
    return made


def of_kind(bundle: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [e["resource"] for e in bundle["entry"] if e["resource"]["resourceType"] == kind]


def labels(resource: dict[str, Any]) -> list[str]:
    return [label["code"] for label in resource.get("meta", {}).get("security", [])]


def test_the_label_of_a_machine_goes_only_where_a_person_takes_its_place() -> None:
    first = told(MACHINE)
    (report,), (seen,) = of_kind(first, "DiagnosticReport"), of_kind(first, "Observation")
    assert (report["status"], labels(report), seen["status"], labels(seen)) == (
        "preliminary", ["AIAST"], "preliminary", ["AIAST"],
    )  # fmt: skip
    assert of_kind(first, "Practitioner") == [] and "resultsInterpreter" not in report

    unsigned = told(decided(Verdict.KEPT))
    assert labels(of_kind(unsigned, "Observation")[0]) == ["AIAST"], "a decision is not a signature"

    signed = told(decided(Verdict.KEPT), digest="d" * 64, by="Dr Ito")
    (report,), (seen,), (person,) = (of_kind(signed, k) for k in ("DiagnosticReport", "Observation", "Practitioner"))
    assert (report["status"], labels(report), seen["status"], labels(seen)) == (
        "final", ["CLINAST_AIRPT"], "final", ["CLINAST_AIRPT"],
    )  # fmt: skip
    assert person["name"] == [{"text": "Dr Ito"}]
    (provenance,) = of_kind(signed, "Provenance")
    roles = {agent["type"]["coding"][0]["code"] for agent in provenance["agent"]}
    assert roles == {"assembler", "verifier"}
    assert provenance["entity"][0]["what"]["identifier"]["value"] == "urn:sha256:" + "a" * 64
    assert (
        of_kind(told(decided(Verdict.KEPT), digest="e" * 64, by="Dr Ito", version=2), "DiagnosticReport")[0]["status"]
        == "amended"
    )


def test_what_was_struck_is_gone_and_what_a_person_added_is_theirs() -> None:
    assert of_kind(told(decided(Verdict.STRUCK), digest="d" * 64, by="Dr Ito"), "Observation") == []
    own = Result("1.2", Outcome.FOUND, Origin("person", "ito"), NOON,
                 findings=(replace(LESION, verdict=Verdict.ADDED),))  # fmt: skip
    (seen,) = of_kind(told(own, digest="d" * 64, by="Dr Ito"), "Observation")
    assert labels(seen) == [] and "device" not in seen and seen["performer"]
    assert labels(of_kind(told(own, digest="d" * 64, by="Dr Ito"), "DiagnosticReport")[0]) == []


def test_numbers_units_places_and_names_are_whole() -> None:
    bundle = told(MACHINE)
    (seen,), (patient,), (device,) = (of_kind(bundle, k) for k in ("Observation", "Patient", "Device"))
    (part,) = seen["component"]
    assert part["valueQuantity"] == {
        "value": 13.25, "unit": "mm", "system": "http://unitsofmeasure.org", "code": "mm",
    }  # fmt: skip
    assert seen["note"] == [{"text": "Long axis: 95 % interval 12.5 to 14.0 mm."}], "no normal range, which it is not"
    assert [c["display"] for c in seen["bodySite"]["coding"]] == ["Left", "Lung"]
    assert patient["name"] == [{"family": "Möller", "given": ["Eva", "Maria"]}]
    assert (patient["gender"], patient["birthDate"]) == ("female", "1960-01-02")
    assert device["identifier"][0]["value"].endswith("c" * 64)
    text = of_kind(bundle, "DiagnosticReport")[0]["text"]["div"]
    assert "<b>of</b>" not in text and "&lt;b&gt;of" in text, "words are never markup"
    references = {r for e in bundle["entry"] for r in _references(e["resource"])}
    assert references <= {e["fullUrl"] for e in bundle["entry"]}, "every reference leads somewhere"


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        found = [value["reference"]] if "reference" in value else []
        return found + [r for v in value.values() for r in _references(v)]
    return [r for v in value for r in _references(v)] if isinstance(value, list) else []


@pytest.mark.parametrize("by", ["", "Dr Ito"])
def test_fhir_resources_reads_it(by: str) -> None:
    r4 = pytest.importorskip("fhir.resources.R4B.bundle", reason="the extra `test` brings fhir.resources")
    made = told(decided(Verdict.CHANGED), MACHINE, digest="d" * 64 if by else "", by=by)
    read = r4.Bundle.model_validate(made)
    assert next(e.resource.get_resource_type() for e in read.entry) == "DiagnosticReport"
