"""An event as others audit it: a DICOM audit message, and a FHIR AuditEvent.

One table says for each kind of event which of the standard's it is, whether something was made, read, changed, deleted
or executed, and how it went. No name of a patient is written: the study stands there by its UID, the person by the
account. Number and hash of the entry go with it, so that a copy elsewhere shows when an entry here was changed.
Sources: DICOM PS3.15 A.5, A.6 and PS3.16 CID 400 and 401; RFC 5424; HL7 FHIR R4 (4.0.1) AuditEvent.
"""

from __future__ import annotations

import codecs
from collections.abc import Mapping
from typing import Any, NamedTuple
from xml.etree import ElementTree

from isocenter.record import Event, Kind, Sealed

__all__ = ["AUDITED", "Audited", "fhir", "message", "syslog"]

_DCM = "http://dicom.nema.org/resources/ontology/DCM"
_SOURCE = "isocenter"
_EVENTS = {
    "110100": "Application Activity", "110101": "Audit Log Used", "110103": "DICOM Instances Accessed",
    "110102": "Begin Transferring DICOM Instances", "110104": "DICOM Instances Transferred", "110106": "Export",
    "110107": "Import", "110111": "Procedure Record", "110112": "Query", "110113": "Security Alert",
    "110114": "User Authentication",
}  # fmt: skip
_TYPES = {
    "110120": "Application Start", "110127": "Emergency Override Started", "110128": "Emergency Override Stopped",
    "110122": "Login", "110123": "Logout", "110129": "Security Configuration",
    "110131": "Software Configuration", "110132": "Use of Restricted Function",
    "110135": "Object Security Attributes Changed", "110137": "User Security Attributes Changed",
}  # fmt: skip
_SUCCESS, _MINOR, _SERIOUS = 0, 4, 8


class Audited(NamedTuple):
    """What an event is in the standard's words.

    Args:
        event: code of CID 400.
        type: code of CID 401, or empty.
        action: C made, R read, U changed, D deleted, E executed.
        outcome: 0 success, 4 minor failure, 8 serious failure.
    """

    event: str
    type: str = ""
    action: str = "E"
    outcome: int = _SUCCESS


_RECORD, _MADE = Audited("110111", action="U"), Audited("110111", action="C")
_RUN, _ACCOUNT = Audited("110100"), Audited("110113", "110137", "U")
_SETTING, _LINK = Audited("110100", "110131", "U"), Audited("110113", "110135", "U")
AUDITED: Mapping[Kind, Audited] = {
    Kind.INSTANCES_RECEIVED: Audited("110104", action="C"),
    Kind.INSTANCE_SET_ASIDE: Audited("110104", action="C", outcome=_MINOR),
    Kind.BATCH_TAKEN: Audited("110104", action="C"),
    Kind.INSTANCES_REJECTED: Audited("110104", action="C", outcome=_SERIOUS),
    Kind.ANALYSIS_FAILED: _RUN._replace(outcome=_SERIOUS),
    Kind.RESEARCH_RUN: _RUN,
    Kind.RESULT_MADE: _MADE,
    Kind.REPORT_SIGNED: _MADE,
    Kind.SENT: Audited("110104", action="R"),
    Kind.ASKED_ELSEWHERE: Audited("110112"),
    Kind.FETCH_ASKED: Audited("110102"),
    Kind.FETCHED: Audited("110104", action="C"),
    Kind.SEND_FAILED: Audited("110104", action="R", outcome=_SERIOUS),
    Kind.EXPORTED: Audited("110106", action="R"),
    Kind.AUDIT_EXPORTED: Audited("110101", action="R"),
    Kind.FIGURES_TAKEN: Audited("110106", action="R"),
    Kind.PERSON_ADDED: _ACCOUNT._replace(action="C"),
    Kind.PERSON_CHANGED: _ACCOUNT,
    Kind.PEER_ADDED: Audited("110113", "110129", "C"),
    Kind.SIGNED_IN: Audited("110114", "110122"),
    Kind.SIGN_IN_REFUSED: Audited("110114", "110122", outcome=_MINOR),
    Kind.SIGNED_OUT: Audited("110114", "110123"),
    Kind.VIEWED: Audited("110103", action="R"),
    Kind.QUERIED: Audited("110112"),
    Kind.IMAGES_SEEN: Audited("110103", action="R"),
    Kind.READING_OPENED: Audited("110103", action="R"),
    Kind.REFUSED: Audited("110113", "110132", outcome=_MINOR),
    Kind.SHARED: _LINK._replace(action="C"),
    Kind.SHARE_USED: Audited("110103", action="R"),
    Kind.SHARE_EXTENDED: _LINK._replace(action="U"),
    Kind.SHARE_ENDED: _LINK._replace(action="D"),
    Kind.SHARE_TAKEN: Audited("110104", action="R"),
    Kind.IDENTITY_STATED: Audited("110114", "110122"),
    Kind.IDENTITY_JUDGED: _LINK._replace(action="U"),
    Kind.CONSENT_GIVEN: _LINK._replace(action="C"),
    Kind.CONSENT_WITHDRAWN: _LINK._replace(action="D"),
    Kind.CONSENT_ASKED: _LINK._replace(action="C"),
    Kind.CONSENT_ANSWERED: _LINK._replace(action="U"),
    Kind.PSEUDONYMS_CHANGED: Audited("110113", "110129", "U"),
    Kind.SETTINGS_CHANGED: _SETTING,
    Kind.MODE_PROPOSED: _SETTING,
    Kind.MODE_SET: _SETTING,
    Kind.MODEL_STEPPED: _SETTING,
    Kind.WATCH_ALARMED: _SETTING,
    Kind.CHANGE_DECLARED: _SETTING,
    Kind.TEST_SEALED: _SETTING,
    Kind.EXAMPLES_TAKEN: _RUN,
    Kind.FEDERATION_JOINED: _SETTING,
    Kind.FEDERATION_ROUND: _SETTING,
    Kind.FEDERATION_DONE: _SETTING,
    Kind.ANALYSIS_STOPPED: _SETTING,
    Kind.STOP_EXPLAINED: _SETTING,
    Kind.STOP_REHEARSED: _RUN,
    Kind.ANALYSIS_RESUMED: _SETTING,
    Kind.MODEL_TRAINED: _RUN,
    Kind.MODEL_JUDGED: _RUN,
    Kind.MODEL_MEASURED: _RUN,
    Kind.MAP_TESTED: _RUN,
    Kind.TEST_LOOKED: _RUN,
    Kind.TEST_CASES_OPENED: Audited("110103", action="R"),
    Kind.PLANNED: _RUN,
    Kind.DECLINED: _RUN,
    Kind.STARTED: Audited("110100", "110120"),
    Kind.HEADERS_LEARNT: _RECORD._replace(action="U"),
    Kind.HEADERS_READ: _RUN,
    Kind.SCRUBBED: _RUN,
    Kind.DAMAGE_FOUND: _RUN,
    Kind.BACKED_UP: Audited("110106", action="R"),
    Kind.BACKUP_REHEARSED: _RUN,
    Kind.RESTORED: _RUN,
    Kind.OBJECTS_PURGED: _RECORD._replace(action="D"),
    Kind.PROJECT_SEALED: _SETTING,
    Kind.KEY_ROTATED: _SETTING,
    Kind.STUDY_ERASED: _RECORD._replace(action="D"),
    Kind.PROJECT_ERASED: _RECORD._replace(action="D"),
    Kind.PEER_DRAWN: _RUN,
    Kind.PROJECT_SET: _ACCOUNT,
    Kind.PROJECT_JOINED: _ACCOUNT,
    Kind.PROJECT_RULED: _ACCOUNT,
    Kind.STUDY_HOMED: _LINK,
    Kind.GLASS_BROKEN: Audited("110113", "110127"),
    Kind.GLASS_ENDED: Audited("110113", "110128"),
    Kind.GLASS_REVIEWED: Audited("110113", "110128", "R"),
    Kind.COHORT_FROZEN: _MADE,
    Kind.COHORT_EXPORTED: Audited("110106", action="R"),
    Kind.COHORT_COUNTED: _RUN,
    Kind.COHORT_RENEWED: _SETTING,
    Kind.COHORT_TAGGED: _MADE,
    Kind.RESULT_TOLD: Audited("110104", action="R"),
    Kind.MESSAGE_HEARD: Audited("110107", action="C"),
    Kind.RESULTS_WANTED: _SETTING,
    Kind.WORKITEM_WATCHED: _SETTING,
    Kind.WITHHELD: _RUN,
    **dict.fromkeys((Kind.ORDER_PLACED, Kind.STEP_BEGUN, Kind.WORKITEM_CREATED, Kind.ALERT_RAISED), _MADE),
    **dict.fromkeys(
        (
            Kind.READING_ASSIGNED, Kind.READING_CLOSED, Kind.OPINION_TYPED, Kind.OPINION_LOCKED, Kind.REPORT_DRAFTED,
            Kind.REPORT_AMENDED,
            Kind.STAMPED, Kind.OUTCOME_KNOWN, Kind.PEER_REVIEWED, Kind.PEER_ARBITRATED, Kind.DOUBLE_READ_ASKED,
            Kind.DOUBLE_READ_LOCKED, Kind.DOUBLE_READ_SETTLED, Kind.FOLLOW_UP_ASKED, Kind.FOLLOW_UP_MATCHED,
            Kind.FOLLOW_UP_CLOSED, Kind.REMARKED, Kind.CRITICAL_TOLD, Kind.CRITICAL_ESCALATED, Kind.OBJECTS_REJECTED,
            Kind.REJECTION_ENDED, Kind.PURGE_ASKED, Kind.PATIENTS_MERGED, Kind.STUDIES_MOVED, Kind.PATIENTS_UNDONE,
            Kind.LESION_MATCHED, Kind.ORDER_CANCELLED, Kind.STEP_CHANGED, Kind.COMMITMENT_ASKED, Kind.COMMITMENT_TOLD,
            Kind.COMMITMENT_WANTED, Kind.COMMITMENT_HEARD, Kind.PATIENT_TOLD, Kind.WORKITEM_CHANGED,
            Kind.WORKITEM_CANCEL_ASKED, Kind.ALERT_CLIMBED, Kind.ALERT_ACKNOWLEDGED, Kind.ERASURE_ASKED,
        ),
        _RECORD,
    ),
}  # fmt: skip
"""Every kind of event, by hand: one that is not here fails a test, and counts as a change of a study's record."""


def audited(kind: Kind) -> Audited:
    """What a kind of event is in the standard's words.

    >>> audited(Kind.SIGNED_IN).event, audited(Kind.REPORT_AMENDED).action
    ('110114', 'U')
    """
    return AUDITED.get(kind, _RECORD)


def message(sealed: Sealed, words: str = "") -> bytes:
    """The DICOM audit message of an entry, in UTF-8 (PS3.15 A.5.1).

    Args:
        sealed: the entry.
        words: it as a sentence, without names of patients.
    """
    event, said = sealed.event, audited(sealed.event.kind)
    root = ElementTree.Element("AuditMessage")
    what = ElementTree.SubElement(
        root, "EventIdentification", EventActionCode=said.action, EventDateTime=event.time.isoformat(),
        EventOutcomeIndicator=str(said.outcome),
    )  # fmt: skip
    _coded(what, "EventID", said.event, _EVENTS[said.event])
    if said.type:
        _coded(what, "EventTypeCode", said.type, _TYPES[said.type])
    _coded(what, "EventTypeCode", event.kind.value, event.kind.value, "99ISOCENTER")
    who = ElementTree.SubElement(root, "ActiveParticipant", UserID=_text(event.who or "-"), UserIsRequestor="true")
    address = _address(event)
    if address:
        who.set("NetworkAccessPointID", _text(address))
        who.set("NetworkAccessPointTypeCode", "2")
    ElementTree.SubElement(root, "AuditSourceIdentification", AuditSourceID=_SOURCE)
    about = _object(root, sealed)
    for name, value in {"entry": str(sealed.number), "hash": sealed.hash, "words": words}.items():
        if value:
            ElementTree.SubElement(about, "ParticipantObjectDetail", type=name, value=_base64(value))
    return bytes(ElementTree.tostring(root, "utf-8", xml_declaration=True))


def syslog(sealed: Sealed, words: str = "", *, host: str = "-") -> bytes:
    """The DICOM audit message of an entry as syslog carries it (RFC 5424; PS3.15 A.6).

    Facility 10 (security), severity 5 (notice) or 4 (warning) where it did not go well; MSGID as DICOM has it.

    Args:
        host: name of this machine.
    """
    severity = 5 if audited(sealed.event.kind).outcome == _SUCCESS else 4
    name = "".join(c if "!" <= c <= "~" else "-" for c in host)[:255] or "-"
    head = f"<{10 * 8 + severity}>1 {sealed.event.time.isoformat()} {name} {_SOURCE} - DICOM+RFC3881 - "
    return head.encode("ascii") + codecs.BOM_UTF8 + message(sealed, words)


def fhir(sealed: Sealed, words: str = "", *, ticket: str = "") -> dict[str, Any]:
    """The FHIR R4 AuditEvent of an entry, as plain JSON.

    Args:
        ticket: stands in the place of number and hash, for whoever may not hear of every entry.
    """
    event, said = sealed.event, audited(sealed.event.kind)
    subtype = [{"system": _DCM, "code": said.type, "display": _TYPES[said.type]}] if said.type else []
    agent: dict[str, Any] = {
        "who": {"identifier": {"value": event.who or "-"}}, "requestor": True,
    }  # fmt: skip
    address = _address(event)
    if address:
        agent["network"] = {"address": address, "type": "2"}
    told: dict[str, Any] = {
        "resourceType": "AuditEvent",
        "id": f"event-{ticket or sealed.number}",
        "type": {"system": _DCM, "code": said.event, "display": _EVENTS[said.event]},
        "subtype": [*subtype, {"system": "urn:isocenter:event", "code": event.kind.value}],
        "action": said.action,
        "recorded": event.time.isoformat(),
        "outcome": str(said.outcome),
        "agent": [agent],
        "source": {"observer": {"display": _SOURCE}},
    }
    seal = {} if ticket else {"entry": str(sealed.number), "hash": sealed.hash}
    details = [{"type": name, "valueString": value} for name, value in seal.items()]
    if words:
        details.append({"type": "words", "valueString": words})
    entity: dict[str, Any] = {"detail": details}
    if event.subject:
        identifier = (
            {"system": "urn:dicom:uid", "value": f"urn:oid:{event.subject}"}
            if _is_uid(event.subject)
            else {"value": event.subject}
        )
        entity["what"] = {"identifier": identifier}
    told["entity"] = [entity]
    return told


def _object(root: ElementTree.Element, sealed: Sealed) -> ElementTree.Element:
    """What an entry is about; the entry itself where it is about nothing else."""
    event, asked = sealed.event, ""
    if event.kind is Kind.QUERIED:
        about, role, code = str(event.details.get("level", "-")), "24", ("10", "Search Criteria", "RFC-3881")
        asked = str(event.details.get("keys", "")) or "-"
    elif _is_uid(event.subject):
        about, role, code = event.subject, "3", ("110180", "Study Instance UID", "DCM")
    elif event.kind in (Kind.PERSON_ADDED, Kind.PERSON_CHANGED):
        about, role, code = event.subject, "11", ("11", "User Identifier", "RFC-3881")
    else:
        about, role, code = event.subject or f"urn:isocenter:entry:{sealed.number}", "13", ("12", "URI", "RFC-3881")
    told = ElementTree.SubElement(
        root, "ParticipantObjectIdentification", ParticipantObjectID=_text(about), ParticipantObjectTypeCode="2",
        ParticipantObjectTypeCodeRole=role,
    )  # fmt: skip
    _coded(told, "ParticipantObjectIDTypeCode", *code)
    if asked:
        ElementTree.SubElement(told, "ParticipantObjectQuery").text = _base64(asked)
    else:
        ElementTree.SubElement(told, "ParticipantObjectName").text = _text(about)
    return told


def _coded(parent: Any, name: str, code: str, meaning: str, system: str = "DCM") -> None:
    ElementTree.SubElement(
        parent, name, {"csd-code": _text(code), "originalText": _text(meaning), "codeSystemName": system}
    )


def _address(event: Event) -> str:
    told = event.details.get("address", "")
    return told if isinstance(told, str) else ""


def _is_uid(text: str) -> bool:
    return "." in text and not set(text) - set("0123456789.")


def _text(said: str) -> str:
    """Without characters that XML 1.0 cannot hold."""
    return "".join(
        c if c in "\t\n\r" or (c >= " " and not "\ud800" <= c <= "\udfff" and c < "\ufffe") else "?" for c in said
    )


def _base64(value: str) -> str:
    import base64

    return base64.b64encode(value.encode("utf-8", "replace")).decode("ascii")
