"""A signed report as an HL7 result (ORU^R01): its sentences, its numbers, and where the images are.

Sentences go out as text observations under the LOINC code of their section, measurements as numbers in UCUM, the study
by its UID. What a machine first reported and a person confirmed says so, with the name of who signed. Source: HL7
version 2.5.1 chapters 4 and 7; LOINC document section codes as in DICOM PS3.16 CID 7001.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from isocenter.forms.hl7 import escape, stamp, write
from isocenter.forms.template import CODES
from isocenter.forms.text import Sentence
from isocenter.record import Code, Measurement, Order, Outcome, Patient, Result, Study, Verdict

__all__ = ["result"]

_OTHER: Final = ("18748-4", "Diagnostic imaging study")
_SCRIPTS: Final = ("A", "I", "P")


def result(
    study: Study, sentences: Sequence[Sentence], results: Sequence[Result], *, signed: datetime, by: str, control: str,
    amended: bool, order: Order | None = None, to: tuple[str, str] = ("", ""),
) -> bytes:  # fmt: skip
    """The message.

    Args:
        results: on which the report rests; what a person struck is left out.
        signed, by: of the signature.
        control: Message Control ID; the same report has the same one, so that a receiver knows it again.
        order: of which the report is the result, where there is one.
        to: receiving application and facility.
    """
    patient = study.patient
    segments: list[list[str]] = [
        ["MSH", "ISOCENTER", "", escape(to[0]), escape(to[1]), stamp(signed.astimezone(UTC)), "", "ORU^R01^ORU_R01",
         control,
         "P", "2.5.1", "", "", "", "", "", "UNICODE UTF-8"],
        _pid(patient),
        _obr(study, order, signed, by, amended),
    ]  # fmt: skip
    number = 0
    status = "C" if amended else "F"

    def observe(kind: str, code: str, value: str, unit: str = "", sub: str = "") -> None:
        nonlocal number
        number += 1
        segments.append(["OBX", str(number), kind, code, sub, value, unit, "", "", "", "", status])

    for sentence in sentences:
        loinc = CODES.get(sentence.section, ("", ""))[1]
        code = f"{loinc}^{escape(sentence.section)}^LN" if loinc else "^".join((*_OTHER, "LN"))
        observe("TX", code, escape(sentence.text))
    for n, measured in enumerate(_measured(results), 1):
        unit = f"{escape(measured.unit)}^^UCUM" if measured.unit else ""
        observe("NM", _coded(measured.what), f"{measured.value:.10g}", unit, str(n))
    if any(r.origin.kind == "machine" or r.origin.parameters.get("of") for r in results):
        observe(
            "TX", "CLINAST_AIRPT^Clinician Asserted from AI Reported^HL7AI",
            escape(f"Parts of this report were first reported by artificial intelligence and confirmed by {by}."),
        )  # fmt: skip
    observe("HD", "113014^DICOM Study^DCM", f"{study.uid}^^")
    return write(segments)


def _measured(results: Sequence[Result]) -> list[Measurement]:
    found: list[Measurement] = []
    for one in results:
        if one.outcome is Outcome.DECLINED:
            continue
        found += [*one.measurements]
        found += [m for f in one.findings if f.verdict is not Verdict.STRUCK for m in f.measurements]
    return found


def _pid(patient: Patient) -> list[str]:
    names = []
    for script, group in zip(_SCRIPTS, patient.name.split("="), strict=False):
        if group:
            family, given, middle, prefix, suffix = [escape(p) for p in (*group.split("^"), "", "", "", "", "")[:5]]
            names.append("^".join((family, given, middle, suffix, prefix, "", "L", script)))
    birth = patient.birth_date.strftime("%Y%m%d") if patient.birth_date else ""
    number = f"{escape(patient.id)}^^^{escape(patient.issuer)}"
    return ["PID", "1", "", number.rstrip("^"), "", "~".join(names), "", birth, escape(patient.sex)]


def _obr(study: Study, order: Order | None, signed: datetime, by: str, amended: bool) -> list[str]:
    code = order.procedure_code if order and order.procedure_code else Code(_OTHER[0], "LN", _OTHER[1])
    when = (study.date.strftime("%Y%m%d") if study.date else "") + study.time[:6]
    made = [""] * 33
    made[0] = "OBR"
    made[1] = "1"
    made[2] = escape(order.placer) if order else ""
    made[3] = escape((order.filler if order else "") or study.accession)
    made[4] = _coded(code)
    made[7] = when
    made[18] = escape(study.accession)
    made[19] = escape(order.procedure_id) if order else ""
    made[20] = escape(order.step_id) if order else ""
    made[22] = stamp(signed.astimezone(UTC))
    made[24] = escape(study.modalities[0]) if study.modalities else ""
    made[25] = "C" if amended else "F"
    made[32] = f"&{escape(by)}"
    return made


def _coded(code: Code) -> str:
    return "^".join((escape(code.code), escape(code.meaning), escape(code.scheme)))
