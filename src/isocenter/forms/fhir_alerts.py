"""An actionable finding as FHIR: what was found, how urgent it is, who was told by whom, when and how.

An open alert is a communication in progress to whoever is responsible; an ended one is completed, with the six fields
that the ACR work group on actionable findings asks for. What a machine flagged and nobody has read carries the label
of what a machine says. A study that was opened in an emergency is one, too, to whoever looks through it. Source: HL7
FHIR R4 (4.0.1) Communication; as R5 by `fhir_workflow.as_r5`.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any, Final

from isocenter.forms.fhir import MACHINE
from isocenter.forms.fhir_workflow import patient_id
from isocenter.record import Patient

__all__ = ["communication"]

_PRIORITY: Final = {1: "stat", 2: "urgent", 3: "asap"}
_WITHIN: Final = {1: "minutes", 2: "hours", 3: "days"}


def communication(alert: Mapping[str, Any], patient: Patient | None) -> dict[str, Any]:
    """One alert.

    Args:
        alert: as `reading.alerts.plain` tells it.
        patient: whose study it is; None where that is not known any more.
    """
    how = alert["told"] or {}
    told = how if "recipient" in how else None
    ended = alert["ended"] is not None
    of_glass = alert["source"] == "glass"
    notes = [
        f"identified {alert['identified']}", f"to be told within {_WITHIN[alert['level']]}",
        *([] if ended else [f"asked now: {alert['asked']}"]),
        *(["the study was opened; nobody else had to be told"] if "opened" in how else []),
        *([f"looked through by {how['reviewed']}"] if "reviewed" in how else []),
        *(["repeated by the recipient"] if told and told.get("read_back") else []),
    ]  # fmt: skip
    made: dict[str, Any] = {
        "resourceType": "Communication",
        "id": str(uuid.uuid5(uuid.NAMESPACE_OID, f"isocenter alert {alert['id']}")),
        "status": "completed" if ended else "in-progress",
        "category": [{"text": "study opened in an emergency" if of_glass else "actionable finding"}],
        "priority": _PRIORITY[alert["level"]],
        "about": [{"reference": f"ImagingStudy/{alert['study']}"}],
        "sent": alert["raised"],
        "recipient": [{"display": told["recipient"] if told else alert["responsible"] or alert["asked"]}],
        "sender": {"display": told["communicator"] if told else alert["by"]},
        "payload": [{"contentString": alert["finding"]}],
        "note": [{"text": one} for one in notes],
    }
    if patient is not None:
        made["subject"] = {"reference": f"Patient/{patient_id(patient)}"}
    if told:
        made |= {"received": told["received"], "medium": [{"text": told["method"]}]}
    if alert["source"] == "unread":
        made["meta"] = {"security": [MACHINE]}
    return made
