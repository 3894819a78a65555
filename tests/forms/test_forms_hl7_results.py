"""Results and acknowledgements as HL7 2.5.1: a second library takes them for valid, strictly, with their groups."""

from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from isocenter.forms import hl7
from isocenter.forms.hl7_results import result
from isocenter.forms.text import Sentence
from isocenter.record import Code, Measurement, Origin, Outcome, Patient, Result, Study

parser = pytest.importorskip("hl7apy.parser", reason="hl7apy is not installed (extra 'interop')")

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
KNOWN = {
    "HL70396": {"SCT", "UCUM", "HL7AI", "DCM", "HL70357"},  # coding systems that are younger than the library's table
    "HL70125": {"HD"},  # a value type of chapter 2 (OBX-2), by which chapter 7 lets the study be named
}


def held(data: bytes, folder: Path) -> tuple[str, list[str]]:
    """The structure, and what the library warns of beside the tables that it does not know."""
    from hl7apy.consts import VALIDATION_LEVEL

    report = folder / "report.txt"
    message = parser.parse_message(data.decode(), validation_level=VALIDATION_LEVEL.STRICT, find_groups=True)
    assert message.validate(report_file=str(report))
    lines = [line for line in report.read_text().splitlines() if line.strip()]
    return message.name, [
        line for line in lines
        if not any(f"Value {value} not in table {table}" in line for table, some in KNOWN.items() for value in some)
    ]  # fmt: skip


@pytest.mark.parametrize("amended", [False, True])
def test_a_result_is_valid_to_a_second_library(tmp_path: Path, amended: bool) -> None:
    from hl7apy.exceptions import ValidationError

    who = Patient("P|1", "Meier^Anna^B=山田^太郎", date(1931, 2, 7), "F", "HOSP")
    study = Study("1.2.3", who, date=date(2026, 11, 26), time="080000", accession="A&1", description="CT")
    volume = Measurement(Code("118565006", "SCT", "Volume"), 8.25, "mL")
    made = Result("1.2.3", Outcome.FOUND, Origin("machine", "volumetry", "1"), NOON, measurements=(volume,))
    words = [Sentence("f1", "Findings", "A nodule | of 8 mm & more,\nleft ^ below."), Sentence("i1", "Impression", "x")]
    data = result(
        study, words, [made], signed=NOON, by="Dr. Ito", control="C1", amended=amended, to=("RIS", "H")
    )  # fmt: skip
    assert held(data, tmp_path) == ("ORU_R01", [])
    with pytest.raises(ValidationError):
        held(data.replace(b"OBR|1|", b"XYZ|1|"), tmp_path)


@pytest.mark.parametrize("code", ["AA", "AE", "AR"])
def test_an_acknowledgement_is_valid_to_a_second_library(tmp_path: Path, code: str) -> None:
    order = (
        b"MSH|^~\\&|HIS|H|||20261126||ORM^O01|5|P|2.5.1\rPID|1||C^^^||M^C||19310207|F\rORC|NW|A1\rOBR|1|A1||CT^x^L\r"
    )
    error = None if code == "AA" else hl7.NotTaken("no patient", "nobody could tell whose it is", "", place="PID^1^3")
    data = hl7.acknowledge(hl7.read(order), code, now=NOON, control="9", error=error)
    assert held(data, tmp_path) == ("ACK", [])
