"""An order: what a modality is asked to do, for whom, where and when; one scheduled procedure step.

The words are those of the DICOM Modality Worklist (PS3.4 annex K). Orders come from an HL7 message, a FHIR
ServiceRequest, a worklist file or a person; what such a source knows beyond these fields stays in `more`, so that a
modality that asks for the patient's weight or allergies is answered.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any

from isocenter.errors import Refused
from isocenter.record.codes import Code
from isocenter.record.plain import from_plain
from isocenter.record.study import Patient

__all__ = ["Order", "read_order", "study_uid_of"]

_LONGEST = 64


@dataclass(frozen=True)
class Order:
    """One scheduled procedure step.

    Args:
        id: its own in this archive, by which it is changed and cancelled.
        accession: by which the department names the examination; two steps of one examination share it.
        placer, filler: order numbers of who asked and of who does it.
        procedure_id, procedure, procedure_code: the requested procedure: number, words and code.
        study_uid: Study Instance UID that the modality shall use.
        step_id, step, step_code: the scheduled procedure step: number, words and protocol code.
        modality: DICOM modality (CT, MR, …).
        station_aet, station: AE title and name of the scanner; empty where any may do it.
        date, time: when it is due, as the department's clocks say (DICOM TM text).
        performer: who shall perform it; referring, requesting: who sent the patient, who asked.
        priority: of the requested procedure: STAT, HIGH, ROUTINE, MEDIUM or LOW.
        reason: why it is asked for.
        admission, location: number of the visit, where the patient is.
        more: further attributes of the worklist item in the DICOM JSON model (PS3.18 annex F).

    Raises:
        Refused: without an id, a patient or a study UID.
    """

    id: str
    patient: Patient
    study_uid: str
    accession: str = ""
    placer: str = ""
    filler: str = ""
    procedure_id: str = ""
    procedure: str = ""
    procedure_code: Code | None = None
    step_id: str = ""
    step: str = ""
    step_code: Code | None = None
    modality: str = ""
    station_aet: str = ""
    station: str = ""
    date: date | None = None
    time: str = ""
    performer: str = ""
    referring: str = ""
    requesting: str = ""
    priority: str = ""
    reason: str = ""
    admission: str = ""
    location: str = ""
    more: Mapping[str, Any] = field(default_factory=dict, hash=False)

    def __post_init__(self) -> None:
        if not self.id.strip() or len(self.id) > 2 * _LONGEST:
            raise Refused(f"an order with the id '{self.id:.20}'", "nobody could name it", "give an accession number")
        if not self.patient.id.strip():
            raise Refused(
                f"order '{self.id:.64}' without a patient",
                "a modality could not tell whose it is",
                "give the patient's number",
            )
        if not self.study_uid or len(self.study_uid) > _LONGEST or set(self.study_uid) - set("0123456789."):
            raise Refused(
                f"order '{self.id:.64}' without a Study Instance UID",
                "its images could not be filed",
                "give one, or leave the field out",
            )
        if self.time and not self.time.replace(".", "").isdecimal():
            raise Refused(f"the time '{self.time:.20}' of order '{self.id:.64}'", "it is none", "write it as HHMMSS")


def read_order(told: Mapping[str, Any]) -> Order:
    """An order from plain JSON; id and study UID are made where they are left out.

    Raises:
        Refused: a field is missing, unknown or of the wrong kind.

    >>> read_order({"patient": {"id": "P1"}, "accession": "A1", "modality": "CT"}).id
    'A1'
    """
    made = dict(told)
    patient = made.get("patient")
    who = patient if isinstance(patient, Mapping) else {}
    number = str(made.get("accession") or made.get("placer") or made.get("procedure_id") or "")
    made.setdefault("id", "/".join(filter(None, (number, str(made.get("step_id") or "")))))
    if not made.get("study_uid"):
        named = number or str(made["id"])
        made["study_uid"] = study_uid_of(str(who.get("issuer") or ""), str(who.get("id") or ""), named) if named else ""
    order: Order = from_plain(Order, made)
    return order


def study_uid_of(*names: str) -> str:
    """A Study Instance UID (PS3.5 B.2) that is the same for the same names: an order sent twice makes one study.

    >>> study_uid_of("HOSPITAL", "A1") == study_uid_of("HOSPITAL", "A1")
    True
    """
    digest = bytearray(hashlib.sha256("\x1f".join(names).encode("utf-8", "replace")).digest()[:16])
    digest[6], digest[8] = digest[6] & 0x0F | 0x80, digest[8] & 0x3F | 0x80  # a UUID of version 8, as RFC 9562 has it
    return f"2.25.{int.from_bytes(digest, 'big')}"
