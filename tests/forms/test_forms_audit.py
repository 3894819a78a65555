"""Every kind of event in the words of the standards by which hospitals audit."""

from __future__ import annotations

import base64
import json
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
    assert about.attrib["ParticipantObjectID"] == "1.2.840.1" and about[0].attrib["csd-code"] == "110180"
    details = {d.attrib["type"]: base64.b64decode(d.attrib["value"]).decode() for d in about[1:]}
    assert details == {"entry": "7", "hash": sealed.hash, "words": "ito did it"}

    told = json.loads(json.dumps(fhir(sealed, "ito did it")))
    assert told["type"]["code"] == said.event and told["action"] == said.action
    assert told["entity"][0]["what"]["identifier"]["value"] == "urn:oid:1.2.840.1"
    assert {d["valueString"] for d in told["entity"][0]["detail"]} == {"7", sealed.hash, "ito did it"}


def test_the_resource_is_valid_where_the_package_is_there() -> None:
    audit_event = pytest.importorskip("fhir.resources.R4B.auditevent", reason="fhir.resources is not installed")
    for kind in Kind:
        audit_event.AuditEvent.model_validate(fhir(entry(kind), "words"))


def test_hostile_text_stays_text_and_refusals_are_failures() -> None:
    odd = Sealed.after(1, GENESIS, Event(Kind.SIGN_IN_REFUSED, NOW, '"><x/>\0\x1b', "<&\ud800", {}))
    root = ElementTree.fromstring(message(odd))
    assert root[1].attrib["UserID"] == '"><x/>??' and root[3].attrib["ParticipantObjectID"] == "<&?"
    assert [audited(k).outcome for k in (Kind.SIGN_IN_REFUSED, Kind.SEND_FAILED, Kind.SIGNED_IN)] == [4, 8, 0]
