"""Every kind of event in the words of the standards by which hospitals audit."""

from __future__ import annotations

import base64
import json
import re
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest

from isocenter.forms.audit import AUDITED, audited, fhir, message
from isocenter.record import Event, Kind, Sealed
from isocenter.record.event import GENESIS

NOW = datetime(2026, 11, 20, 10, 15, tzinfo=UTC)


def entry(kind: Kind, subject: str = "1.2.840.1", **details: object) -> Sealed:
    return Sealed.after(7, GENESIS, Event(kind, NOW, "ito", subject, details))


@pytest.mark.parametrize("kind", list(Kind))
def test_every_kind_is_a_message_and_a_resource(kind: Kind) -> None:
    sealed = entry(kind, address="192.0.2.7")
    root = ElementTree.fromstring(message(sealed, "ito did it"))
    assert [child.tag for child in root] == [
        "EventIdentification", "ActiveParticipant", "AuditSourceIdentification", "ParticipantObjectIdentification",
    ]  # fmt: skip
    said = audited(kind)
    assert kind in AUDITED
    what = root[0]
    assert what.attrib == {
        "EventActionCode": said.action, "EventDateTime": "2026-11-20T10:15:00+00:00",
        "EventOutcomeIndicator": str(said.outcome),
    }  # fmt: skip
    assert what[0].attrib["csd-code"] == said.event and what[-1].attrib["csd-code"] == kind.value
    assert root[1].attrib["UserID"] == "ito" and root[1].attrib["NetworkAccessPointID"] == "192.0.2.7"
    about = root[3]
    coded = {Kind.QUERIED: ("24", "10")}.get(kind, ("3", "110180"))
    assert (about.attrib["ParticipantObjectTypeCodeRole"], about[0].attrib["csd-code"]) == coded
    if kind is not Kind.QUERIED:
        assert about.attrib["ParticipantObjectID"] == about[1].text == "1.2.840.1"
    details = {d.attrib["type"]: base64.b64decode(d.attrib["value"]).decode() for d in about[2:]}
    assert details == {"entry": "7", "hash": sealed.hash, "words": "ito did it"}

    told = json.loads(json.dumps(fhir(sealed, "ito did it")))
    assert told["type"]["code"] == said.event and told["action"] == said.action
    assert told["entity"][0]["what"]["identifier"]["value"] == "urn:oid:1.2.840.1"
    assert {d["valueString"] for d in told["entity"][0]["detail"]} == {"7", sealed.hash, "ito did it"}


_CODED = ({"csd-code", "codeSystemName", "originalText"}, {"displayName"}, "")
_SCHEMA: dict[str, tuple[set[str], set[str], str]] = {
    "AuditMessage": (
        set(), set(),
        "EventIdentification ActiveParticipant+ AuditSourceIdentification ParticipantObjectIdentification*",
    ),
    "EventIdentification": (
        {"EventDateTime", "EventOutcomeIndicator"}, {"EventActionCode"},
        "EventID EventTypeCode* EventOutcomeDescription?",
    ),
    "ActiveParticipant": (
        {"UserID", "UserIsRequestor"},
        {"AlternativeUserID", "UserName", "NetworkAccessPointID", "NetworkAccessPointTypeCode"},
        "RoleIDCode* MediaIdentifier?",
    ),
    "AuditSourceIdentification": ({"AuditSourceID"}, {"AuditEnterpriseSiteID"}, "AuditSourceTypeCode*"),
    "ParticipantObjectIdentification": (
        {"ParticipantObjectID"},
        {
            "ParticipantObjectTypeCode", "ParticipantObjectTypeCodeRole", "ParticipantObjectDataLifeCycle",
            "ParticipantObjectSensitivity",
        },
        "ParticipantObjectIDTypeCode (ParticipantObjectName|ParticipantObjectQuery) ParticipantObjectDetail*",
    ),
    "EventID": _CODED, "EventTypeCode": _CODED, "ParticipantObjectIDTypeCode": _CODED,
    "ParticipantObjectName": (set(), set(), ""), "ParticipantObjectQuery": (set(), set(), ""),
    "ParticipantObjectDetail": ({"type", "value"}, set(), ""),
}  # fmt: skip
"""PS3.15 A.5.1.1, of what is written here: attributes that must and that may be, and the children in their order."""
_VALUES = {
    "EventActionCode": "CRUDE", "EventOutcomeIndicator": ["0", "4", "8", "12"], "UserIsRequestor": ["true", "false"],
    "NetworkAccessPointTypeCode": "12345", "ParticipantObjectTypeCode": "1234",
    "ParticipantObjectTypeCodeRole": [str(n) for n in range(1, 27)],
}  # fmt: skip


def faults(element: ElementTree.Element) -> list[str]:
    """Where a message is not as the schema has it."""
    if element.tag not in _SCHEMA:
        return [f"{element.tag} is not in the schema"]
    must, may, children = _SCHEMA[element.tag]
    found = [f"{element.tag}: {name}" for name in must - set(element.attrib)]
    found += [f"{element.tag}: {name}" for name in set(element.attrib) - must - may]
    found += [f"{n}={v}" for n, v in element.attrib.items() if n in _VALUES and v not in _VALUES[n]]
    order = "".join(
        f"(?:(?:{part.strip('*+?()')}) ){part[-1] if part[-1] in '*+?' else ''}" for part in children.split()
    )
    if not re.fullmatch(order, "".join(f"{child.tag} " for child in element)):
        found.append(f"{element.tag}: {[child.tag for child in element]}")
    return found + [fault for child in element for fault in faults(child)]


@pytest.mark.parametrize("subject", ["1.2.840.1", "ito", ""])
def test_every_message_is_as_the_schema_of_the_standard_has_it(subject: str) -> None:
    for kind in Kind:
        for details in ({}, {"address": "192.0.2.7", "level": "STUDY", "keys": "PatientName"}):
            root = ElementTree.fromstring(message(entry(kind, subject, **details), "words"))
            assert faults(root) == [], kind
            (told,) = [d for d in root.iter("ParticipantObjectDetail") if d.attrib["type"] == "entry"]
            assert base64.b64decode(told.attrib["value"]) == b"7", "also of what is about no study"
    broken = ElementTree.fromstring(message(entry(Kind.VIEWED)))
    broken[3].remove(broken[3][1])
    broken[0].attrib["EventActionCode"] = "X"
    assert len(faults(broken)) == 2


def test_the_resource_is_valid_where_the_package_is_there() -> None:
    audit_event = pytest.importorskip("fhir.resources.R4B.auditevent", reason="fhir.resources is not installed")
    for kind in Kind:
        audit_event.AuditEvent.model_validate(fhir(entry(kind), "words"))


def test_hostile_text_stays_text_and_refusals_are_failures() -> None:
    odd = Sealed.after(1, GENESIS, Event(Kind.SIGN_IN_REFUSED, NOW, '"><x/>\0\x1b', "<&\ud800", {}))
    root = ElementTree.fromstring(message(odd))
    assert root[1].attrib["UserID"] == '"><x/>??' and root[3].attrib["ParticipantObjectID"] == "<&?"
    assert [audited(k).outcome for k in (Kind.SIGN_IN_REFUSED, Kind.SEND_FAILED, Kind.SIGNED_IN)] == [4, 8, 0]
