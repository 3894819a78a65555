"""FHIR Consents read as terms of use, in the manners of R4 and R5; what would have to be guessed is refused."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from isocenter.errors import Refused
from isocenter.forms.fhir_workflow import as_r5
from isocenter.govern.consent import Purpose
from isocenter.govern.consent_fhir import read, told

PATIENT = {"identifier": {"system": "HOSP", "value": "4711"}}


def _r4(**rule: Any) -> dict[str, Any]:
    return {
        "resourceType": "Consent", "id": "c1", "status": "active", "patient": PATIENT,
        "scope": {"coding": [{"code": "research"}]}, "provision": {"type": "permit", **rule},
    }  # fmt: skip


def _duo(code: str, *more: dict[str, str], text: str = "") -> dict[str, Any]:
    concept: dict[str, Any] = {"coding": [{"system": "http://purl.obolibrary.org/obo/duo.owl", "code": code}, *more]}
    return concept | ({"text": text} if text else {})


def test_terms_limits_end_and_studies_are_read() -> None:
    study = {"meaning": "instance", "reference": {"identifier": {"value": "urn:oid:1.2.3"}}}
    said = read(
        _r4(code=[_duo("DUO:0000007", {"system": "http://snomed.info/sct", "code": "363406005"}), _duo("DUO_0000021"),
                  _duo("DUO:0000022", text="DE, FR")], period={"end": "2027-11-30"}, data=[study])
    )  # fmt: skip
    assert said.codes == {"DUO:0000007": ("363406005",), "DUO:0000021": (), "DUO:0000022": ("DE", "FR")}
    assert said.patient == ("4711", "HOSP") and said.studies == ("1.2.3",) and said.source == "FHIR Consent/c1"
    assert said.permits and not said.withdrawn and said.until == datetime(2027, 12, 1, tzinfo=UTC)


def test_r5_and_purposes() -> None:
    r5 = {
        "resourceType": "Consent", "status": "active", "subject": {"reference": "Patient/4711"}, "decision": "permit",
        "provision": [{"purpose": [{"code": "HRESCH"}]}],
    }  # fmt: skip
    assert read(r5).codes == {"DUO:0000006": ()} and read(r5).patient == ("4711", "")
    denied = read({**r5, "decision": "deny"})
    assert not denied.permits and denied.refuses == frozenset(Purpose) - {Purpose.CARE}
    assert read(_r4(type="deny", purpose=[{"code": "TREAT"}])).refuses == {Purpose.CARE}
    assert read({**_r4(code=[_duo("DUO:0000042")]), "status": "inactive"}).withdrawn


@pytest.mark.parametrize(
    "wrong",
    [
        {"resourceType": "Patient"},
        _r4(),
        {**_r4(code=[_duo("DUO:0000042")]), "patient": {}},
        _r4(code=[_duo("DUO:0000007")]),
        _r4(code=[{"coding": [{"system": "http://loinc.org", "code": "1-8"}]}]),
        _r4(code=[_duo("DUO:0000042")], provision=[{"type": "deny"}]),
        _r4(type="perhaps", code=[_duo("DUO:0000042")]),
        _r4(code=[_duo("DUO:0000042")], period={"end": "soon"}),
        _r4(code=[_duo("DUO:0000042")], data=[{"reference": {"reference": "Observation/1"}}]),
        _r4(purpose=[{"code": "DSRCH"}]),
        {**_r4(code=[_duo("DUO:0000042")]), "status": "draft"},
        {**_r4(code=[_duo("DUO:0000042")]), "status": "proposed"},
        {**_r4(code=[_duo("DUO:0000042")]), "status": None},
        {**_r4(code=[_duo("DUO:0000042")]), "modifierExtension": [{"url": "http://x/not", "valueBoolean": True}]},
        {**_r4(code=[_duo("DUO:0000042")]), "implicitRules": "http://x/reverse"},
        _r4(code=[_duo("DUO:0000042")], modifierExtension=[{"url": "http://x/not"}]),
        _r4(code=[_duo("DUO:0000042")], actor=[{"reference": {"reference": "Organization/1"}}]),
        _r4(code=[_duo("DUO:0000042")], action=[{"coding": [{"code": "collect"}]}]),
        _r4(code=[_duo("DUO:0000042")], dataPeriod={"end": "2020-01-01"}),
        _r4(code=[_duo("DUO:0000042")], securityLabel=[{"code": "N"}]),
        _r4(code=[_duo("DUO:0000042")], **{"class": [{"code": "text/plain"}]}),
        _r4(purpose=[{"code": "HRESCH"}], type=None),
        _r4(code=["DUO:0000042"], purpose=[{"code": "HRESCH"}]),
        _r4(code=[_duo("DUO:0000042")], period=["2027"]),
        _r4(code=[_duo("DUO:0000042")], data=[{"reference": "1.2.3"}]),
        _r4(code=[_duo("DUO:0000042")], period={"start": "one day"}),
        {**_r4(code=[_duo("DUO:0000042")]), "patient": [PATIENT]},
        {**_r4(code=[_duo("DUO:0000042")]), "patient": {"identifier": ["4711"]}},
        {**_r4(code=[_duo("DUO:0000042")]), "provision": "permit"},
    ],
)
def test_what_would_be_a_guess_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(Refused):
        read(wrong)


def test_opting_in_and_out_say_it_where_the_rule_has_no_type() -> None:
    assert read(_r4(type=None, code=[_duo("DUO:0000042")])).permits, "terms of DUO are permissions"
    out = {"coding": [{"code": "OPTOUT"}]}
    assert not read({**_r4(type=None, code=[_duo("DUO:0000042")]), "policyRule": out}).permits
    for code, permits in (("OPTIN", True), ("OPTOUT", False)):
        policy = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/v3-ActCode", "code": code}]}
        said = read({**_r4(type=None, purpose=[{"code": "HRESCH"}]), "policyRule": policy})
        assert said.permits is permits


def test_a_refusal_and_a_withdrawal_hold_whatever_else_they_say() -> None:
    denied = read({**_r4(type="deny", actor=[{"reference": {}}], securityLabel=[{"code": "N"}]), "implicitRules": "x"})
    assert not denied.permits and denied.refuses == frozenset(Purpose) - {Purpose.CARE}
    for odd in (
        {"code": [{"coding": [{"code": "unknown"}]}]}, {"provision": [{"type": "deny"}]}, {"actor": [{}]},
        {"data": [{"reference": {"reference": "Observation/1"}}]}, {"period": {"end": "soon"}}, {"type": "perhaps"},
    ):  # fmt: skip
        said = read({**_r4(**odd), "status": "inactive"})
        assert said.withdrawn and said.studies == () and said.patient == ("4711", "HOSP"), odd
    study = {"reference": {"identifier": {"value": "urn:oid:1.2.3"}}}
    assert read({**_r4(data=[study]), "status": "rejected"}).studies == ("1.2.3",)


def test_the_narrowest_time_holds_and_an_end_beyond_all_calendars_is_none() -> None:
    codes = [_duo("DUO:0000042")]
    both = {**_r4(code=codes, period={"start": "2026-01-01"}), "period": {"start": "2026-02-01", "end": "2027-01-01"}}
    assert read(both).until == datetime(2027, 1, 2, tzinfo=UTC) and read(both).since == datetime(2026, 2, 1, tzinfo=UTC)
    narrow = {**_r4(code=codes, period={"end": "2026-06-30"}), "period": {"end": "2027-01-01"}}
    assert read(narrow).until == datetime(2026, 7, 1, tzinfo=UTC)
    for far in ("9999-12-31", "9999-12-31T23:59:59-05:00"):
        assert read(_r4(code=codes, period={"end": far})).until is None


@pytest.mark.parametrize("as_told", [dict, as_r5])
@pytest.mark.parametrize(
    "terms",
    [
        {"terms": {"DUO:0000042": (), "DUO:0000028": ("Nord", "Süd")}, "study": "1.2.3", "until": "2027-01-31T12:30Z"},
        {"terms": {"DUO:0000007": ("MONDO:1",)}}, {"terms": {"DUO:0000043": ()}}, {"refuses": ("training", "sharing")},
        {"refuses": ("federation", "research", "sharing", "training"), "study": "1.2.3"},
    ],
)  # fmt: skip
def test_terms_that_are_told_are_read_back_as_the_same(
    terms: dict[str, Any], as_told: Callable[[dict[str, Any]], dict[str, Any]]
) -> None:
    codes = terms.get("terms", {})
    row = {
        "id": "c1", "patient": "P1", "issuer": "NORD", "study": terms.get("study", ""),
        "permits": not terms.get("refuses"),
        "refuses": terms.get("refuses", ()), "given": "2026-11-27T08:00:00+00:00", "until": terms.get("until"),
        "by": "ito", "source": "",
        "terms": [{"code": c, "short": "", "label": "x", "limited_to": list(v)} for c, v in codes.items()],
    }  # fmt: skip
    sent = told(row, "Patient/1")
    assert str(sent).count("obo/mondo.owl") == str(codes).count("MONDO:"), "a code of MONDO says whose list it is of"
    said = read(as_told(sent))
    assert said.patient == ("P1", "NORD") and dict(said.codes) == codes and said.permits is row["permits"]
    assert said.studies == ((row["study"],) if row["study"] else ()) and not said.withdrawn
    assert said.until == (datetime.fromisoformat(terms["until"]) if terms.get("until") else None)
    if not said.permits:
        assert said.refuses == frozenset(Purpose(p) for p in terms["refuses"])
