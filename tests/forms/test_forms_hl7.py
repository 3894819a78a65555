"""HL7 as text: fields, escapes and character sets; patients and orders of hospitals; results that read back."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.errors import LimitReached, NotWhole, Refused
from isocenter.forms import hl7, hl7_orders, hl7_results
from isocenter.forms.hl7 import NotTaken
from isocenter.forms.text import Sentence
from isocenter.record import Code, Finding, Measurement, Origin, Outcome, Patient, Result, Series, Study, Verdict, codes

NOON = datetime(2026, 11, 26, 12, tzinfo=UTC)
HEAD = b"MSH|^~\\&|KIS|NORD|ISO|RAD|20261126080000||%s|%s|P|2.5.1||||||%s"


def _message(kind: str, *lines: str, control: str = "1", charset: str = "UNICODE UTF-8", codec: str = "utf-8") -> bytes:
    head = HEAD % (kind.encode(), control.encode(), charset.encode())
    return b"\r".join([head, *(line.encode(codec) for line in lines)]) + b"\r"


PID = "PID|1||X1^^^OTHER^PI~4711^^^NORD^MR||Müller^Jörg^Karl^jun.^Dr.^^L^A~山田^太郎^^^^^L^I||19700131|M"
ORM = (
    "PV1|1|I|3N^12^B^NORD|||||^Frei^Ada^^^Dr.|||||||B6||||V77", "AL1|1|DA|^Iodine", "ORC|NW|P1^KIS|F1^RIS",
    "OBR|1|P1^KIS|F1^RIS|CTT^CT thorax^L^CTS^Thorax native^L||||||||||||^Auer^Eva||A100|RP7|S1||||CT||"
    "|1^^^20261130083000^^S||||^Cough \\T\\ fever|||||||||||||CT01^CT chest^LN", "ZDS|1.2.3.4^100^Application^DICOM",
)  # fmt: skip


def test_fields_escapes_and_odd_separators() -> None:
    message = hl7.read(b"MSH!*@?%!KIS!!!!!!ADT*A08!9!P!2.3\rPID!1!!7*x%y@8!!A?S?B?F?C?X4142?\n\nZZZ!a\r\n")
    pid = message.one("PID")
    assert pid is not None
    assert (message.kind, message.control, pid.at(3), pid.at(3, 2), pid.at(3, 2, sub=2)) == (
        "ADT^A08",
        "9",
        "7",
        "x",
        "y",
    )
    assert (pid.at(3, repetition=2), pid.at(5), pid.at(99), pid.repeats(3)) == ("8", "A*B!CAB", "", 2)
    said = "Line|one^two~three&four\\five\nnext"
    back = hl7.read(hl7.write([["MSH", "A"], ["OBX", "1", "TX", "", "", hl7.escape(said)]]))
    assert back.segments[1].at(5) == said


@pytest.mark.parametrize(
    ("charset", "codec", "name"),
    [("8859/1", "iso8859-1", "Müller"), ("8859/5", "iso8859-5", "Люк"), ("UNICODE UTF-8", "utf-8", "王小東"),
     ("GB 18030-2000", "gb18030", "王小东"), ("", "utf-8", "Łódź"), ("", "iso8859-1", "Zoë"),
     ("ASCII", "ascii", "Lee")],
)  # fmt: skip
def test_character_sets(charset: str, codec: str, name: str) -> None:
    data = _message("ADT^A08", f"PID|1||4711||{name}^X", charset=charset, codec=codec)
    assert hl7_orders.patient_of(hl7.read(data)).name == f"{name}^X"


def test_an_order_is_read_with_everything_a_modality_needs() -> None:
    (asked,) = hl7_orders.orders_of(hl7.read(_message("ORM^O01", PID, *ORM)))
    order = asked.order
    assert not asked.cancels
    assert order.patient == Patient("4711", "Müller^Jörg^Karl^Dr.^jun.=山田^太郎", date(1970, 1, 31), "M", "NORD")
    assert (order.id, order.accession, order.placer, order.filler) == ("A100/S1", "A100", "P1", "F1")
    assert (order.study_uid, order.procedure_id, order.step_id) == ("1.2.3.4", "RP7", "S1")
    assert (order.modality, order.date, order.time, order.priority) == ("CT", date(2026, 11, 30), "083000", "STAT")
    assert order.procedure_code == Code("CT01", "LN", "CT chest")
    assert order.step_code == Code("CTS", "99LOCAL", "Thorax native")
    assert (order.requesting, order.referring, order.reason) == ("Auer^Eva", "Frei^Ada^^Dr.", "Cough & fever")
    assert (order.location, order.admission) == ("3N 12 B", "V77")
    assert order.more["00102110"]["Value"] == ["Iodine"] and order.more["001021C0"]["Value"] == [3]


def test_omi_gives_one_order_for_each_step_and_a_cancel_names_the_same() -> None:
    steps = ("IPC|A7|RP1|1.9.7|S1|CT|CTA^Angio^L||R1|CT1", "IPC|A7|RP1|1.9.7|S2|CT|CTN^Native^L||R1|CT1")
    lines = (PID, "ORC|%s|P1|F1", "TQ1|1||||||202611301015||R", "OBR|1|P1|F1|CTA^CT angiography^L", *steps)
    new = hl7_orders.orders_of(hl7.read(_message("OMI^O23", *lines).replace(b"%s", b"NW")))
    gone = hl7_orders.orders_of(hl7.read(_message("OMI^O23", *lines).replace(b"%s", b"CA")))
    assert [(a.order.id, a.order.station_aet, a.order.time) for a in new] == [
        ("A7/S1", "CT1", "1015"), ("A7/S2", "CT1", "1015")]  # fmt: skip
    assert [a.order.step for a in new] == ["Angio", "Native"]
    assert [(a.order.id, a.cancels) for a in gone] == [("A7/S1", True), ("A7/S2", True)]


def test_a_merge_names_who_stays_and_who_goes() -> None:
    stays, goes = hl7_orders.merge_of(hl7.read(_message("ADT^A40", PID, "MRG|4712^^^NORD")))
    assert (stays.id, goes) == ("4711", Patient("4712", issuer="NORD"))
    for bad in ("MRG|", "MRG|4711^^^NORD", "ZZZ|1"):
        with pytest.raises(NotTaken):
            hl7_orders.merge_of(hl7.read(_message("ADT^A40", PID, bad)))


@pytest.mark.parametrize(
    ("line", "code"),
    [("ORC|NW|P1", 100), ("ORC|ZZ|P1\rOBR|1|P1", 103), ("ORC|NW\rOBR|1", 101), ("ZZZ|", 100),
     ("ORC|NW|P1\rTQ1|1||||||20269930\rOBR|1|P1", 102), ("ORC|NW|P1\rIPC|A1|R|no-uid\rOBR|1|P1", 102)],
)  # fmt: skip
def test_what_an_order_lacks_is_named_by_its_code(line: str, code: int) -> None:
    with pytest.raises(NotTaken) as error:
        hl7_orders.orders_of(hl7.read(_message("ORM^O01", PID, *line.split("\r"))))
    assert error.value.code == code
    answer = hl7.read(hl7.acknowledge(hl7.read(_message("ORM^O01")), "AE", now=NOON, control="9", error=error.value))
    assert [s.name for s in answer.segments] == ["MSH", "MSA", "ERR"]
    assert (answer.segments[1].at(1), answer.segments[1].at(2), answer.segments[2].at(3)) == ("AE", "1", str(code))
    assert answer.head.at(5) == "KIS", "the answer goes back to who sent"


def _order(pid: str = "P1^^^HOSP", name: str = "Meier^Anna", placer: str = "O1", charset: str = "") -> hl7.Message:
    lines = (
        f"MSH|^~\\&|A|B|C|D|20261126||ORM^O01|7|P|2.5.1||||||{charset}", f"PID|1||{pid}||{name}||19700101|F",
        f"ORC|NW|{placer}|F1", f"OBR|1|{placer}|F1|CT^CT head^L",
    )  # fmt: skip
    return hl7.read("\r".join(lines).encode())


def test_what_an_escape_hides_ends_nowhere() -> None:
    """A NUL, a command to a terminal or a mark that parts values in DICOM came in behind an escape."""
    (asked,) = hl7_orders.orders_of(_order(name="A\\X00\\B\\X1B\\[2J^C\\E\\D\\X0D\\E"))
    assert asked.order.patient.name == "A\ufffdB\ufffd[2J^C D E"
    for wrong in ({"pid": "P\\E\\1^^^HOSP"}, {"pid": "P\\X00\\1"}, {"pid": "P1^^^H\\X5C\\"}, {"pid": "1" * 65},
                  {"pid": "P\\X0A\\1"}, {"placer": "O\\E\\1"}, {"placer": "O\\X1B\\1"}):  # fmt: skip
        with pytest.raises(hl7.NotTaken) as refused:
            hl7_orders.orders_of(_order(**wrong))
        assert refused.value.code == 102, wrong
    merge = hl7.read(b"MSH|^~\\&|A|B|C|D|20261126||ADT^A40|7|P|2.5.1\rPID|1||P1\rMRG|P\\E\\2")
    with pytest.raises(hl7.NotTaken):
        hl7_orders.merge_of(merge)
    with pytest.raises(hl7.NotTaken, match="control character 0x00"):
        _order(name="A\0B", charset="ISO IR87")
    told = hl7.read(b"MSH|^~\\&|A\\X1B\\|B|C|D|20261126||ADT^A08|7\\X00\\|P|2.5.1\rPID|1||P1")
    assert b"\x1b" not in (answer := hl7.acknowledge(told, "AA", now=NOON, control="1")) and b"\0" not in answer


def test_enhanced_mode_and_what_has_no_header() -> None:
    message = hl7.read(_message("ADT^A08").replace(b"|P|2.5.1||||||", b"|P|2.5.1|||AL|NE||"))
    assert b"MSA|CA|1" in hl7.acknowledge(message, "AA", now=NOON, control="9")
    for data in (b"", b"MSH", b"PID|1", b"MSH|||||", b"MSH|^~^&|A|B"):
        with pytest.raises(NotWhole):
            hl7.read(data)
    with pytest.raises(LimitReached):
        hl7.read(_message("ADT^A08", "A" * hl7.LARGEST))
    with pytest.raises(LimitReached):
        hl7.read(_message("ADT^A08", *["ZZZ|1"] * 5001))
    with pytest.raises(LimitReached, match="too many values"):
        hl7.read(_message("ADT^A08", "PID|1||" + "~" * 1000))
    assert hl7.read(_message("ADT^A08", "PID|1||" + "~" * 999)).segments[1].repeats(3) == 1000
    for bad in ("zz|1", "PID|\x01", "PIDX|1"):
        with pytest.raises(NotTaken):
            hl7.read(_message("ADT^A08", bad))
    with pytest.raises(NotTaken, match="not known"):
        hl7.read(_message("ADT^A08", charset="KLINGON"))
    with pytest.raises(NotTaken, match="Byte"):
        hl7.read(_message("ADT^A08", "PID|1||Ü", charset="ASCII"))


@given(st.binary(max_size=300), st.integers(0, 400))
def test_mutated_messages_are_read_or_refused_and_nothing_else(noise: bytes, at: int) -> None:
    whole = _message("ORM^O01", PID, *ORM)
    for data in (noise, whole[:at] + noise + whole[at:], whole[:at], b"MSH|^~\\&|" + noise):
        try:
            message = hl7.read(data)
            hl7_orders.orders_of(message)
            hl7_orders.merge_of(message)
        except (Refused, LimitReached):
            pass


def test_a_result_reads_back_with_numbers_status_and_the_mark_of_a_machine() -> None:
    study = Study("1.2", Patient("4711", "Meier^Anna", date(1970, 1, 31), "F", "NORD"), "A100", date(2026, 11, 26),
                  series=(Series("1.2.1", "CT"),))  # fmt: skip
    size = Measurement(codes.LONG_AXIS, 13.25, "mm")
    found = Finding(codes.LESION, 0.9, None, (size,), words="A lesion.", tracking="2.25.1", verdict=Verdict.KEPT)
    struck = replace(found, verdict=Verdict.STRUCK)
    of = Origin("person", "ito", parameters={"of": {"analysis": "lung_nodule", "version": "1"}})
    results = [Result("1.2", Outcome.FOUND, of, NOON, findings=(found, struck))]
    said = [Sentence("s1", "Findings", "A lesion of 13 mm | left."), Sentence("s2", "Impression", "Follow up.")]
    order = hl7_orders.orders_of(hl7.read(_message("ORM^O01", PID, *ORM)))[0].order
    data = hl7_results.result(study, said, results, signed=NOON, by="ito", control="C1", amended=False, order=order)
    message = hl7.read(data)
    obr, obx = message.one("OBR"), [s for s in message.segments if s.name == "OBX"]
    assert obr is not None
    assert (message.kind, message.control, obr.at(2), obr.at(3), obr.at(25)) == ("ORU^R01", "C1", "P1", "F1", "F")
    assert [(s.at(2), s.at(3), s.at(5)) for s in obx] == [
        ("TX", "59776-5", "A lesion of 13 mm | left."), ("TX", "19005-8", "Follow up."), ("NM", "103339001", "13.25"),
        ("TX", "CLINAST_AIRPT", obx[3].at(5)), ("HD", "113014", "1.2"),
    ]  # fmt: skip
    assert "ito" in obx[3].at(5) and obx[2].at(6) == "mm"
    assert hl7_orders.patient_of(message) == study.patient
    again = hl7_results.result(study, said, [], signed=NOON, by="ito", control="C2", amended=True)
    assert [s.at(11) for s in hl7.read(again).segments if s.name == "OBX"] == ["C"] * 3
    assert b"CLINAST" not in again, "nothing of a machine is in it"
