"""An order as an item of the Modality Worklist (PS3.4 table K.6-1), and back from a worklist file.

Attributes beyond those of `Order` pass through unchanged, those of the scheduled procedure step beneath its sequence.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, Final

from isocenter.dicom.model import Model, first, items
from isocenter.errors import Refused
from isocenter.record.codes import Code
from isocenter.record.order import Order, study_uid_of
from isocenter.record.study import Patient

__all__ = ["item", "order_of"]

STEP: Final = "00400100"
_PROCEDURE: Final = {
    "accession": ("00080050", "SH"),
    "referring": ("00080090", "PN"),
    "study_uid": ("0020000D", "UI"),
    "requesting": ("00321032", "PN"),
    "procedure": ("00321060", "LO"),
    "admission": ("00380010", "LO"),
    "location": ("00380300", "LO"),
    "procedure_id": ("00401001", "SH"),
    "reason": ("00401002", "LO"),
    "priority": ("00401003", "SH"),
    "placer": ("00402016", "LO"),
    "filler": ("00402017", "LO"),
}
_STEP: Final = {
    "modality": ("00080060", "CS"),
    "station_aet": ("00400001", "AE"),
    "time": ("00400003", "TM"),
    "performer": ("00400006", "PN"),
    "step": ("00400007", "LO"),
    "step_id": ("00400009", "SH"),
    "station": ("00400010", "SH"),
}
_CODES: Final = {"procedure_code": "00321064", "step_code": "00400008"}
_DATE, _STATUS, _CHARSET = "00400002", "00400020", "00080005"


def item(order: Order, state: str = "SCHEDULED") -> Model:
    """The worklist item of an order.

    Args:
        state: Scheduled Procedure Step Status.
    """
    told = order.patient
    step: Model = {tag: _value(vr, getattr(order, name)) for name, (tag, vr) in _STEP.items()}
    step[_DATE] = _value("DA", order.date.strftime("%Y%m%d") if order.date else "")
    step[_STATUS] = _value("CS", state)
    step[_CODES["step_code"]] = _code(order.step_code)
    made: Model = {tag: _value(vr, getattr(order, name)) for name, (tag, vr) in _PROCEDURE.items()}
    made |= {
        "00100010": _value("PN", told.name),
        "00100020": _value("LO", told.id),
        "00100021": _value("LO", told.issuer),
        "00100030": _value("DA", told.birth_date.strftime("%Y%m%d") if told.birth_date else ""),
        "00100040": _value("CS", told.sex),
        _CODES["procedure_code"]: _code(order.procedure_code),
    }
    more = dict(order.more)
    beneath = items(more, STEP)
    more.pop(STEP, None)
    made = {**more, **made}
    made[STEP] = {"vr": "SQ", "Value": [{**(beneath[0] if beneath else {}), **step}]}
    return dict(sorted(made.items()))


def order_of(model: Mapping[str, Any]) -> Order:
    """The order that a worklist item describes; a study UID is made where it has none.

    Raises:
        Refused: no patient, no scheduled step, or nothing to name the order by.
    """
    steps = items(model, STEP)
    if len(steps) != 1:
        raise Refused(f"a worklist item with {len(steps)} scheduled steps", "one step is one item", "write one a file")
    step = steps[0]
    said = {name: first(model, tag) for name, (tag, _) in _PROCEDURE.items()}
    said |= {name: first(step, tag) for name, (tag, _) in _STEP.items()}
    patient = Patient(
        first(model, "00100020"), first(model, "00100010"), _date(first(model, "00100030")), first(model, "00100040"),
        first(model, "00100021"),
    )  # fmt: skip
    number = said["accession"] or said["placer"] or said["procedure_id"]
    said["study_uid"] = said["study_uid"] or study_uid_of(patient.issuer, patient.id, number)
    known = {tag for tag, _ in (*_PROCEDURE.values(), *_STEP.values())} | {*_CODES.values(), _DATE, _STATUS, _CHARSET}
    known |= {"00100010", "00100020", "00100021", "00100030", "00100040", STEP}
    more: Model = {tag: e for tag, e in model.items() if tag not in known and not tag.startswith("0002")}
    if rest := {tag: e for tag, e in step.items() if tag not in known}:
        more[STEP] = {"vr": "SQ", "Value": [rest]}
    return Order(
        id="/".join(filter(None, (number, said["step_id"]))), patient=patient, date=_date(first(step, _DATE)),
        procedure_code=_read_code(model, _CODES["procedure_code"]), step_code=_read_code(step, _CODES["step_code"]),
        more=more, **said,
    )  # fmt: skip


def _value(vr: str, said: str) -> dict[str, Any]:
    if not said:
        return {"vr": vr}
    if vr == "PN":
        names = ("Alphabetic", "Ideographic", "Phonetic")
        return {"vr": vr, "Value": [{n: p for n, p in zip(names, said.split("="), strict=False) if p}]}
    return {"vr": vr, "Value": [said]}


def _code(code: Code | None) -> dict[str, Any]:
    if code is None:
        return {"vr": "SQ"}
    told = {"00080100": _value("SH", code.code), "00080102": _value("SH", code.scheme)}
    return {"vr": "SQ", "Value": [{**told, "00080104": _value("LO", code.meaning)}]}


def _read_code(model: Mapping[str, Any], tag: str) -> Code | None:
    for one in items(model, tag):
        return Code(first(one, "00080100"), first(one, "00080102"), first(one, "00080104"))
    return None


def _date(said: str) -> date | None:
    plain = said.replace(".", "").strip()
    try:
        return date(int(plain[:4]), int(plain[4:6]), int(plain[6:8])) if len(plain) == 8 else None
    except ValueError:
        return None
