"""FHIR Consent (R4 4.0.1 and R5 5.0.0) read as terms of use, and terms of use told as one.

What cannot be read surely is refused, never guessed; what is told is read back as the same terms.

A consent that is active permits or refuses; one that is inactive, rejected or entered in error withdraws, whatever
else it says; a draft or a proposal is in force for nobody and is refused. A permit with a part that the terms of use do
not know (actors, actions, kinds or times of data, anything that modifies what stands there) would be read as wider than
it is, and is refused. Terms of DUO
stand as codings in the provision's code; other codings of the same concept, and its text, are what the term is limited
to (a disease, a country). Without such codes the purposes of use say it: HRESCH and what lies below it in
v3-PurposeOfUse is health research (HMB), TREAT is care.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from isocenter.errors import Refused
from isocenter.govern.consent import DUO, Purpose, duo

__all__ = ["Said", "read", "told"]

_ENDED = {"inactive", "rejected", "entered-in-error", "not-done", "unknown"}
_RESEARCH = {"HRESCH", "BIORCH", "CLINTRCH", "CLINTRCHNPC", "CLINTRCHPC", "PRECLINTRCH", "DSRCH", "POARCH", "TRANSRCH"}
_CARE = {"TREAT", "CAREMGT", "CLINTRL", "ETREAT", "BTG", "ERTREAT", "HOPERAT", "PATRQT", "POPHLTH", "RECORDMGT"}
_DUO = "http://purl.obolibrary.org/obo/duo.owl"
_MONDO = "http://purl.obolibrary.org/obo/mondo.owl"
_RESEARCH_OF_ALL = frozenset(Purpose) - {Purpose.CARE}
_KNOWN = {"type", "period", "code", "purpose", "data", "id", "extension"}
"""Parts of a provision that are read here."""
_OF = {"DSRCH": "DUO:0000007", "POARCH": "DUO:0000011"}


@dataclass(frozen=True)
class Said:
    """A consent as it was read.

    Args:
        patient: number and issuer (the identifier's system, where it is no address of the web).
        studies: Study Instance UIDs; none for all of the patient's.
        codes: DUO code -> values.
        permits: whether it permits; with `withdrawn` it ends what was given.
        refuses: purposes that a refusal closes.
        since: when what it permits begins; None where it says nothing.
    """

    patient: tuple[str, str]
    studies: tuple[str, ...]
    codes: Mapping[str, tuple[str, ...]]
    permits: bool
    refuses: frozenset[Purpose]
    until: datetime | None
    withdrawn: bool
    source: str
    since: datetime | None = None


def read(resource: Mapping[str, Any]) -> Said:
    """One Consent resource.

    Raises:
        Refused: another resource, no patient, or a rule that the terms of use cannot express.
    """
    if resource.get("resourceType") != "Consent":
        raise Refused(
            f"a resource of the type '{str(resource.get('resourceType'))[:30]}'",
            "a Consent is wanted",
            "send a resource of the type Consent",
        )
    status = str(resource.get("status", ""))
    source = f"FHIR Consent/{str(resource.get('id', ''))[:64]}"
    if status in _ENDED:
        return Said(_patient(resource), _studies_left(resource), {}, True, _RESEARCH_OF_ALL, None, True, source)
    if status != "active":
        raise Refused(f"a Consent in the state '{status[:20]}'", "only what is active is in force", "send it then")
    rule, permits = _rule(resource)
    if permits:
        _must_be_known(resource, rule)
    codes = _codes(rule)
    refuses = _RESEARCH_OF_ALL
    purposes = {str(c.get("code", "")) for c in _many(rule.get("purpose"))}
    if not permits:
        refuses = _refused(purposes) or refuses
    elif not codes:
        codes = _of_purposes(purposes)
    if permits and not codes:
        raise Refused(
            "a Consent that permits nothing a program can read", "it has no DUO code and no purpose of use",
            "add a coding such as DUO:0000042 to the provision's code",
        )  # fmt: skip
    periods = [_one(rule.get("period"), "period"), _one(resource.get("period"), "period")]
    ends = [end for period in periods if (end := _moment(period.get("end"), "end", last=True)) is not None]
    begins = [begin for period in periods if (begin := _moment(period.get("start"), "start")) is not None]
    return Said(
        _patient(resource), _studies(rule), codes if permits else {}, permits, refuses, min(ends, default=None),
        False, source, max(begins, default=None) if permits else None,
    )  # fmt: skip


def told(terms: Mapping[str, Any], reference: str) -> dict[str, Any]:
    """Terms of use that stand, as a Consent of R4 (R5 by `forms.fhir_workflow.as_r5`).

    Args:
        terms: as `consent.Terms.told` has them.
        reference: to the Patient.
    """
    care = all(term["code"] == "DUO:0000043" for term in terms["terms"]) and terms["permits"]
    rule: dict[str, Any] = {"type": "permit" if terms["permits"] else "deny"}
    if terms["until"]:
        rule["period"] = {"end": terms["until"]}
    if terms["terms"]:
        rule["code"] = [
            {"coding": [{"system": _DUO, "code": term["code"], "display": term["label"]},
                        *map(_limit, term["limited_to"])]}
            for term in terms["terms"]
        ]  # fmt: skip
    if terms["refuses"]:
        rule["purpose"] = [{"system": "urn:isocenter:purpose", "code": one} for one in terms["refuses"]]
    if terms["study"]:
        named = {"system": "urn:dicom:uid", "value": f"urn:oid:{terms['study']}"}
        rule["data"] = [{"meaning": "instance", "reference": {"identifier": named}}]
    whose = {"value": terms["patient"]} | ({"system": terms["issuer"]} if terms["issuer"] else {})
    return {
        "resourceType": "Consent", "id": terms["id"], "status": "active",
        "scope": {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/consentscope",
                              "code": "treatment" if care else "research"}]},
        "category": [{"coding": [{"system": "http://loinc.org", "code": "59284-0", "display": "Consent Document"}]}],
        "patient": {"reference": reference, "identifier": whose}, "dateTime": terms["given"],
        "policyRule": {"text": "Terms of use by the Data Use Ontology"}, "provision": rule,
    }  # fmt: skip


def _rule(resource: Mapping[str, Any]) -> tuple[Mapping[str, Any], bool]:
    """The one rule of a consent and whether it permits."""
    rules = _many(resource.get("provision"))
    if len(rules) > 1 or any(rule.get("provision") for rule in rules):
        raise Refused(
            "a Consent with rules inside rules", "which of them decides would be a guess", "send one rule each"
        )
    rule = rules[0] if rules else {}
    kind = str(rule.get("type") or resource.get("decision") or _of_policy(resource, rule))
    if kind not in ("permit", "deny"):
        raise Refused(f"a provision of the type '{kind[:20]}'", "it is permit or deny", "give one of these")
    return rule, kind == "permit"


def _of_policy(resource: Mapping[str, Any], rule: Mapping[str, Any]) -> str:
    """What R4 takes from the policy where its rule has no type of its own: opting in or out."""
    said = {str(c.get("code", "")) for c in _many(_one(resource.get("policyRule"), "policyRule").get("coding"))}
    if said & {"OPTOUT", "OPTOUTE"}:
        return "deny"
    if said & {"OPTIN", "OPTINR"}:
        return "permit"
    if rule.get("code"):  # terms of DUO are permissions
        return "permit"
    raise Refused(
        "a Consent that does not say whether it permits",
        "its provision has neither a type nor terms of DUO, and its policy is no opting in or out",
        "send provision.type (R4) or decision (R5)",
    )


def _must_be_known(resource: Mapping[str, Any], rule: Mapping[str, Any]) -> None:
    """Go on only with a permit of which no part makes it narrower than it can be kept.

    Raises:
        Refused: naming the part.
    """
    narrower = [name for name in ("modifierExtension", "implicitRules") if resource.get(name)]
    narrower += [name for name in rule if rule[name] and name.lstrip("_") not in _KNOWN]
    if narrower:
        raise Refused(
            f"a Consent that permits within the limits of '{narrower[0][:30]}'",
            "the terms of use do not know them, and without them it would permit more than was said",
            "say it by DUO codes",
        )  # fmt: skip


def _limit(value: str) -> dict[str, str]:
    """What a term is limited to as a coding; whose list it is of is said where the code tells it."""
    return {"system": _MONDO, "code": value} if value.startswith("MONDO:") else {"code": value}


def _codes(rule: Mapping[str, Any]) -> dict[str, tuple[str, ...]]:
    found: dict[str, tuple[str, ...]] = {}
    for concept in _many(rule.get("code")):
        codings = _many(concept.get("coding"))
        named = [c for c in codings if _is_duo(c)]
        if not named:
            raise Refused(f"the code '{_first(codings)}'", "it is no term of the Data Use Ontology", "use one of DUO")
        term = duo(str(named[0]["code"]))
        values = [str(c.get("code", "")) for c in codings if not _is_duo(c)]
        values += [v.strip() for v in str(concept.get("text") or "").split(",") if term.limited and not values]
        if term.limited and not any(values):
            raise Refused(
                f"{term.short} ({term.label}) without a value",
                "it says nothing until it says what it is limited to",
                "give its value, as `DS=MONDO:0005147`",
            )
        found[term.code] = tuple(v for v in values if v) if term.limited else ()
    return found


def _of_purposes(purposes: set[str]) -> dict[str, tuple[str, ...]]:
    research = purposes & _RESEARCH
    if research & set(_OF):
        if "DSRCH" in research:
            raise Refused("the purpose DSRCH", "which disease it means is not said", "use DUO:0000007 with its disease")
        return {_OF[p]: () for p in research & set(_OF)}
    if research:
        return {"DUO:0000006": ()}
    return {"DUO:0000043": ()} if purposes & _CARE else {}


def _refused(purposes: set[str]) -> frozenset[Purpose]:
    if own := purposes & set(map(str, Purpose)):
        return frozenset(Purpose(one) for one in own)
    closed = set(Purpose) - {Purpose.CARE} if purposes & _RESEARCH else set()
    return frozenset(closed | ({Purpose.CARE} if purposes & _CARE else set()))


def _patient(resource: Mapping[str, Any]) -> tuple[str, str]:
    said = _one(resource.get("patient") or resource.get("subject"), "patient")
    identifier = _one(said.get("identifier"), "identifier of the patient")
    if value := str(identifier.get("value") or ""):
        system = str(identifier.get("system") or "")
        return value, "" if "/" in system else system
    reference = str(said.get("reference") or "")
    if reference.startswith("Patient/") and len(reference) > 8:
        return reference.removeprefix("Patient/"), ""
    raise Refused(
        "a Consent of nobody", "it has neither an identifier nor a reference to a patient", "name the patient"
    )


def _studies(rule: Mapping[str, Any]) -> tuple[str, ...]:
    found = []
    for one in _many(rule.get("data")):
        named = _one(_one(one.get("reference"), "reference to data").get("identifier"), "identifier of data")
        value = str(named.get("value") or "").removeprefix("urn:oid:")
        if not value or set(value) - set("0123456789."):
            raise Refused(
                "a Consent for data that are no study", "only a Study Instance UID can be held to", "urn:oid:…"
            )
        found.append(value)
    return tuple(found)


def _studies_left(resource: Mapping[str, Any]) -> tuple[str, ...]:
    """Which studies a withdrawal is about: all of the patient's where it does not say so surely."""
    try:
        return _studies(_rule({**resource, "decision": "deny"})[0])
    except Refused:
        return ()


def _moment(said: Any, what: str, *, last: bool = False) -> datetime | None:
    """A date or moment; with `last` a day is meant to its last second, and a day beyond all calendars is no end."""
    if not said:
        return None
    try:
        when = datetime.fromisoformat(str(said))
    except ValueError as wrong:
        raise Refused(f"the {what} '{str(said)[:30]}'", "it is no date", "write it as 2027-11-30") from wrong
    try:
        if last and len(str(said)) <= 10:
            when += timedelta(days=1)
        return when.astimezone(UTC) if when.tzinfo else when.replace(tzinfo=UTC)
    except OverflowError:
        return None if last else datetime.max.replace(tzinfo=UTC)


def _is_duo(coding: Mapping[str, Any]) -> bool:
    plain = str(coding.get("code", "")).replace("DUO_", "DUO:")
    return plain in DUO or "duo" in str(coding.get("system", "")).casefold()


def _first(codings: Sequence[Mapping[str, Any]]) -> str:
    return str(codings[0].get("code", ""))[:30] if codings else ""


def _many(said: Any) -> list[Mapping[str, Any]]:
    held = said if isinstance(said, list) else [said] if said else []
    return [_one(one, "part") for one in held]


def _one(said: Any, what: str) -> Mapping[str, Any]:
    """An object of FHIR, empty where there is none.

    Raises:
        Refused: it is something else, which would be passed over unread.
    """
    if said is not None and not isinstance(said, dict):
        raise Refused(f"a Consent whose {what} is no object", f"it is {str(said)[:30]!a}", "send it as FHIR has it")
    return said or {}
