"""What a hospital tells by HL7: patients (ADT) and orders (ORM^O01, OMI^O23), as records of ours.

The fields are those of the IHE transactions Patient Registration (RAD-1), Patient Update (RAD-12), Procedure Scheduled
(RAD-4) and Procedure Update (RAD-13), Technical Framework volume 2; OMI names the imaging procedure in its IPC segment.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

from isocenter.errors import Refused
from isocenter.forms.hl7 import HIDDEN, Message, NotTaken, Segment
from isocenter.record import Code, Order, Patient
from isocenter.record.order import study_uid_of

__all__ = ["Asked", "merge_of", "orders_of", "patient_of"]

_SCHEMES: Final = {"L": "99LOCAL", "LN": "LN", "SCT": "SCT", "SRT": "SRT", "RADLEX": "RADLEX", "DCM": "DCM"}
_LONGEST: Final = 64
_NO_NAME: Final = str.maketrans(dict.fromkeys("^=\\\r\n\t", " "))
"""What parts a name in DICOM, or ends its line."""
_NEW, _TAKEN_BACK = ("NW", "XO", "SN", "RP", "SC"), ("CA", "DC", "OC")
_PRIORITY: Final = {"S": "STAT", "A": "HIGH", "R": "ROUTINE", "T": "MEDIUM", "P": "MEDIUM", "STAT": "STAT"}


@dataclass(frozen=True)
class Asked:
    """One order of a message: placed or changed, or taken back."""

    order: Order
    cancels: bool


def patient_of(message: Message) -> Patient:
    """Who the message is about, from PID.

    Raises:
        NotTaken: no PID, or no identifier in it.
    """
    pid = message.one("PID")
    if pid is None:
        raise NotTaken("A message without PID", "nobody could tell whose it is", code=100, place="PID")
    place = _identifier(pid)
    birth = pid.at(7)
    return _surely(
        pid.at(3, repetition=place), _name(pid, 5), _date(birth, "PID^1^7"), pid.at(8) if pid.at(8) in "MFO" else "",
        pid.at(3, 4, repetition=place),
    )  # fmt: skip


def _surely(
    id: str, name: str = "", birth: date | None = None, sex: str = "", issuer: str = "", *, place: str = "PID^1^3"
) -> Patient:
    """A patient whose number is one value in DICOM, where a backslash would make two of it."""
    if len(id) > _LONGEST or any(not one.isprintable() or {*one} & {"\\", HIDDEN} for one in (id, issuer)):
        raise NotTaken(
            f"A patient with the number {id[:20]!a}",
            f"it has at most {_LONGEST} letters, and no backslash, which parts values in DICOM", code=102, place=place,
        )  # fmt: skip
    return Patient(id, name, birth, sex, issuer)


def _identifier(pid: Segment) -> int:
    """Which repetition of PID-3 holds the hospital's own number: that of type MR, then PI, else the first."""
    many = range(1, pid.repeats(3) + 1)
    for wanted in ("MR", "PI"):
        for n in many:
            if pid.at(3, 5, repetition=n) == wanted and pid.at(3, repetition=n):
                return n
    for n in many:
        if pid.at(3, repetition=n):
            return n
    raise NotTaken("A patient without an identifier", "PID-3 is empty", code=101, place="PID^1^3")


def merge_of(message: Message) -> tuple[Patient, Patient]:
    """The patient that stays and the one that goes, of ADT^A40.

    Raises:
        NotTaken: MRG names nobody, or the one that stays.
    """
    stays, mrg = patient_of(message), message.one("MRG")
    if mrg is None or not mrg.at(1):
        raise NotTaken("A merge without the patient that goes", "MRG-1 is empty", code=101, place="MRG^1^1")
    goes = _surely(mrg.at(1), issuer=mrg.at(1, 4), place="MRG^1^1")
    if (goes.id, goes.issuer) == (stays.id, stays.issuer):
        raise NotTaken("A merge of a patient with themselves", "PID-3 and MRG-1 are the same", code=204, place="MRG")
    return stays, goes


def orders_of(message: Message) -> list[Asked]:
    """The orders of ORM^O01 or OMI^O23, one for each procedure step.

    Raises:
        NotTaken: a segment or a field that an order needs is missing, or its control code is not served.
    """
    patient = patient_of(message)
    groups = _groups(message.segments)
    if not groups:
        raise NotTaken("An order message without ORC", "nothing is ordered", code=100, place="ORC")
    return [_asked(message, patient, group) for group in groups]


def _groups(segments: Sequence[Segment]) -> list[list[Segment]]:
    """From each ORC to the next; within one, each IPC is a step of its own."""
    groups: list[list[Segment]] = []
    for segment in segments:
        if segment.name == "ORC":
            groups.append([segment])
        elif groups:
            groups[-1].append(segment)
    split: list[list[Segment]] = []
    for group in groups:
        steps = [s for s in group if s.name == "IPC"]
        rest = [s for s in group if s.name != "IPC"]
        split += [[*rest, one] for one in steps] or [rest]
    return split


def _asked(message: Message, patient: Patient, group: Sequence[Segment]) -> Asked:
    by_name: dict[str, Segment] = {}
    for segment in group:
        by_name.setdefault(segment.name, segment)
    orc, obr = by_name["ORC"], by_name.get("OBR")
    control = orc.at(1)
    if control not in (*_NEW, *_TAKEN_BACK):
        raise NotTaken(
            f"The order control '{control:.4}'", f"served are {', '.join((*_NEW, *_TAKEN_BACK))}", code=103,
            place="ORC^1^1",
        )  # fmt: skip
    if obr is None:
        raise NotTaken("An order without OBR", "nobody could tell what is asked", code=100, place="OBR")
    order = _order(message, patient, orc, obr, by_name)
    return Asked(order, control in _TAKEN_BACK)


def _order(
    message: Message, patient: Patient, orc: Segment, obr: Segment, near: dict[str, Segment]
) -> Order:  # fmt: skip
    blank = Segment("IPC", ())
    ipc, tq1, zds = near.get("IPC", blank), near.get("TQ1", blank), near.get("ZDS", message.one("ZDS") or blank)
    pv1 = message.one("PV1") or blank
    placer, filler = orc.at(2) or obr.at(2), orc.at(3) or obr.at(3)
    accession = ipc.at(1) or obr.at(18) or filler or placer
    if not accession:
        raise NotTaken(
            "An order without a number", "IPC-1, OBR-18, ORC-2 and ORC-3 are empty", code=101, place="ORC^1^2"
        )
    step_id = ipc.at(4) or obr.at(20)
    for number in (accession, step_id, placer, filler):
        if {*number} & {"\\", HIDDEN}:
            raise NotTaken(
                f"The order number {number[:20]!a}", "a backslash parts values in DICOM", code=102, place="ORC"
            )
    start = tq1.at(7) or orc.at(7, 4) or obr.at(27, 4) or obr.at(36)
    step, procedure = _code(ipc, 6) or _code(obr, 4, 4), _code(obr, 44) or _code(obr, 4)
    study = ipc.at(3) or zds.at(1)
    try:
        return Order(
            id="/".join(filter(None, (accession, step_id))), patient=patient, accession=accession[:16], placer=placer,
            filler=filler, study_uid=study or study_uid_of(patient.issuer, patient.id, accession),
            procedure_id=ipc.at(2) or obr.at(19) or accession[:16],
            procedure=procedure.meaning if procedure else "", procedure_code=procedure, step_id=step_id,
            step=(step or procedure).meaning if step or procedure else "", step_code=step or procedure,  # type: ignore[union-attr]
            modality=ipc.at(5) or obr.at(24), station=ipc.at(7), station_aet=ipc.at(9),
            date=_date(start[:8], "TQ1^1^7"), time=start[8:14].split("+")[0].split("-")[0],
            performer=_person(obr, 34), referring=_person(pv1, 8), requesting=_person(orc, 12) or _person(obr, 16),
            priority=_PRIORITY.get(tq1.at(9) or orc.at(7, 6) or obr.at(27, 6), ""),
            reason=obr.at(31, 2) or obr.at(31) or obr.at(13), admission=pv1.at(19),
            location=" ".join(filter(None, (pv1.at(3, n) for n in (1, 2, 3)))), more=_more(message, pv1),
        )  # fmt: skip
    except NotTaken:
        raise
    except Refused as error:
        raise NotTaken(error.what, error.why, error.do, code=102, place="OBR") from None


def _more(message: Message, pv1: Segment) -> dict[str, Any]:
    """What a modality must know of the patient: allergies, and whether she is pregnant."""
    allergies = [w for s in message.segments if s.name == "AL1" and (w := s.at(3, 2) or s.at(3))]
    made: dict[str, Any] = {}
    if allergies:
        made["00102110"] = {"vr": "LO", "Value": [a.replace("\\", "/")[:64] for a in allergies]}
    if "B6" in [pv1.at(15, repetition=n) for n in range(1, pv1.repeats(15) + 1)]:
        made["001021C0"] = {"vr": "US", "Value": [3]}  # definitely pregnant
    return made


def _code(segment: Segment, field: int, first: int = 1) -> Code | None:
    code, meaning, scheme = (segment.at(field, first + n) for n in range(3))
    if not code and not meaning:
        return None
    return Code((code or meaning)[:16], _SCHEMES.get(scheme, scheme[:16] or "99LOCAL"), (meaning or code)[:64])


def _name(segment: Segment, field: int) -> str:
    """XPN (family^given^middle^suffix^prefix) as DICOM PN (family^given^middle^prefix^suffix), in each script."""
    groups = {"A": "", "I": "", "P": ""}
    for n in range(1, segment.repeats(field) + 1):
        parts = [segment.at(field, c, repetition=n).translate(_NO_NAME) for c in (1, 2, 3, 5, 4)]
        script = segment.at(field, 8, repetition=n)
        kind = script if script in groups else "A"
        groups[kind] = groups[kind] or "^".join(parts).rstrip("^")
    return "=".join(groups.values()).rstrip("=")


def _person(segment: Segment, field: int) -> str:
    """XCN (id^family^given^middle^suffix^prefix) as DICOM PN."""
    parts = [segment.at(field, c).replace("^", " ").replace("=", " ") for c in (2, 3, 4, 6, 5)]
    return "^".join(parts).rstrip("^") or segment.at(field, 1)


def _date(said: str, place: str) -> date | None:
    if not said:
        return None
    try:
        return date(int(said[:4]), int(said[4:6]), int(said[6:8]))
    except ValueError:
        raise NotTaken(f"The date '{said:.12}'", "it is none", "write YYYYMMDD", code=102, place=place) from None
