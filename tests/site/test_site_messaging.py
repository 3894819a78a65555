"""HL7 on a whole archive: over real sockets, orders in and results out, with every kind of peer that misbehaves."""

from __future__ import annotations

import json
import random
import socket
import subprocess
import threading
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path

import pytest
from pydicom import dcmread
from pydicom.data import get_testdata_file

from isocenter.app import House, open_house
from isocenter.doors import mllp, tls
from isocenter.errors import Refused, Unavailable
from isocenter.forms import hl7
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Kind
from isocenter.settings import Settings

ITO = Person("ito", Role.READER)
HIS = Person("HIS", Role.SERVICE)
PID = "PID|1||P1^^^||Meier^Anna||19700131|F"


def _m(kind: str, *lines: str, control: str = "1", head: str = "|P|2.5.1") -> bytes:
    first = f"MSH|^~\\&|HIS|H|||20261126||{kind}|{control}{head}"
    return "\r".join((first, *lines, "")).encode()


def _order(control: str, code: str = "NW", number: str = "A1") -> bytes:
    return _m("ORM^O01", PID, f"ORC|{code}|{number}", f"OBR|1|{number}||CT^CT chest^L", control=control)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    held = open_house(Settings(folder=tmp_path / "archive", hl7_port=0), apart=False)
    yield held
    held.close()


def _answer(data: bytes) -> tuple[str, str]:
    message = hl7.read(data)
    msa, err = message.one("MSA"), message.one("ERR")
    assert msa is not None
    return msa.at(1), err.at(3) if err is not None else ""


def test_orders_come_change_and_go_and_the_same_message_is_done_once(house: House) -> None:
    house.exchange.start_messaging()
    port = house.exchange.hl7_port

    def tell(data: bytes) -> tuple[str, str]:
        return _answer(mllp.send("127.0.0.1", port, data, timeout_s=10))

    assert tell(_order("1")) == ("AA", "")
    events = house.site.head()
    assert tell(_order("1")) == ("AA", ""), "its answer was lost"
    assert house.site.head() == events, "and it is not done again"
    assert tell(_order("1", number="A2")) == ("AE", "205"), "another message under the same control id"
    assert tell(_m("ADT^A08", "PID|1||P1||Meier-Huber^Anna||19700131|F", control="2")) == ("AA", "")
    (order,) = house.site.ordering.all(who=ITO)
    assert (order.order.patient.name, order.source) == ("Meier-Huber^Anna", "HL7")
    assert tell(_order("3", "CA")) == ("AA", "")
    assert tell(_order("4", "CA")) == ("AE", "207"), "it is cancelled already"
    assert tell(_order("5", "CA", "A9")) == ("AE", "204")
    assert tell(_m("ADT^A40", PID, "MRG|P2", control="6")) == ("AA", "")
    assert house.site.messaging.merges(who=ITO) == [], "there are no images to merge"
    assert tell(_m("ADT^A02", PID, control="7")) == ("AA", "")
    for bad, code in (
        (_m("MDM^T02", control="8"), "200"), (_m("ADT^A24", control="8"), "201"), (b"nonsense", "100"),
        (_m("ADT^A08", PID, control="8", head="|T|2.5.1"), "202"), (_m("ADT^A08", PID, head="|P|3.0"), "203"),
        (_m("ADT^A08", PID, control=""), "101"), (_m("ADT^A08", "zz|", control="8"), "100"),
    ):  # fmt: skip
        assert tell(bad) == ("AR", code), bad
    assert tell(_m("ADT^A08", control="9")) == ("AE", "100"), "no PID"
    told = json.dumps([s.event.details for s in house.site.journal.since(kinds=(Kind.MESSAGE_HEARD,))])
    assert "Meier" not in told, "the note that a message was heard holds no name"


def test_a_merge_of_the_hospital_makes_two_patients_one_with_their_orders(house: House) -> None:
    made = dcmread(str(get_testdata_file("CT_small.dcm", download=False)))
    for n in (1, 2):
        made.PatientID, made.PatientName = f"P{n}", "Meier^Anna"
        made.StudyInstanceUID, made.SeriesInstanceUID = f"1.2.{n}", f"1.2.{n}.1"
        made.SOPInstanceUID = made.file_meta.MediaStorageSOPInstanceUID = f"1.2.{n}.1.1"
        out = BytesIO()
        made.save_as(out)
        house.site.receive([out.getvalue()], sender="CT1", who=HOUSE)
    hear = house.site.messaging.hear
    order = _order("1").replace(PID.encode(), b"PID|1||P2^^^NORD||Meier^Anna")
    assert _answer(hear(order, who=HIS)) == ("AA", "")
    merge = _m("ADT^A40", "PID|1||P1^^^NORD||Meier^Anna", "MRG|P2^^^NORD", control="2")
    assert b"merged" in hear(merge, who=HIS)
    assert [s.patient.id for s in house.site.studies(who=HOUSE)] == ["P1", "P1"]
    assert [o.order.patient.id for o in house.site.ordering.all(who=ITO)] == ["P1"]
    (change,) = house.site.identities.changes(who=HOUSE)
    assert change["source"] == "HL7 2"
    house.site.identities.undo(change["number"], reason="a test", who=HOUSE)
    assert sorted(s.patient.id for s in house.site.studies(who=HOUSE)) == ["P1", "P2"]
    unknown = _m("ADT^A40", "PID|1||P9||Meier^Anna", "MRG|P2", control="3")
    assert _answer(hear(unknown, who=HIS)) == ("AA", "")
    (waits,) = house.site.messaging.merges(who=ITO)
    assert (waits["stays"]["id"], waits["goes"]["id"]) == ("P9", "P2")


def test_fifty_broken_messages_get_an_answer_each_and_none_is_a_crash(house: House) -> None:
    draw, whole = random.Random(7), _order("1")
    codes = []
    for _ in range(50):
        data = bytearray(whole)
        for _ in range(draw.randint(0, 4)):
            at = draw.randrange(len(data))
            data[at : at + draw.randint(0, 3)] = bytes(draw.choices(b'|^~&\\\rMSH019"\x00\xff', k=draw.randint(0, 3)))
        codes.append(_answer(house.site.messaging.hear(bytes(data), who=HIS))[0])
    assert len(codes) == 50 and set(codes) == {"AA", "AE", "AR"}
    assert house.site.messaging.hear(whole, who=ITO).find(b"MSA|AE") > 0, "a reader places no orders"


def test_a_port_that_is_misused_hangs_up_and_lives_on(house: House) -> None:
    heard: list[bytes] = []
    listener = mllp.MllpListener(
        lambda data: heard.append(data) or data, host="127.0.0.1", port=0, senders=["127.0.0.1"], whole_s=1, idle_s=20
    )  # fmt: skip
    port = listener.start()

    def hung_up(*pieces: bytes) -> bool:
        with socket.create_connection(("127.0.0.1", port), 10) as line:
            try:
                for piece in pieces:
                    line.sendall(piece)
                return line.recv(10) == b""
            except OSError:
                return True

    assert hung_up(b"GET / HTTP/1.1\r\n\r\n")
    assert hung_up(b"\x0bMSH|never ends")
    assert hung_up(b"\x0b", *[b"x" * 65536] * 20)
    assert mllp.send("127.0.0.1", port, b"\x0bwithin", timeout_s=10) == b"\x0bwithin"
    with socket.create_connection(("127.0.0.1", port), 10) as line:
        line.sendall(b"\x0bone\x1c\r\x0btwo\x1c")
        line.sendall(b"\r")
        frames = mllp.Frames(line, whole_s=10, idle_s=10)
        assert [frames.receive(), frames.receive()] == [b"one", b"two"], "frames that come together or in pieces"
    listener.stop()
    assert heard[-2:] == [b"one", b"two"] or b"one" in heard
    for limits in ({"senders": ["192.0.2.9"]}, {"senders": ["127.0.0.1"], "connections": 0}):
        closed = mllp.MllpListener(lambda d: d, host="127.0.0.1", port=0, **limits)
        with pytest.raises(Unavailable):
            mllp.send("127.0.0.1", closed.start(), b"A", timeout_s=10)
        closed.stop()


def test_without_tls_the_port_stays_on_this_machine(tmp_path: Path) -> None:
    house = open_house(Settings(folder=tmp_path / "a", hl7_port=0, host="0.0.0.0"))
    with pytest.raises(Refused, match="without TLS"):
        house.exchange.start_messaging()
    house.close()


@pytest.mark.peer
def test_tls_with_certificates_of_both_sides(tmp_path: Path) -> None:
    made = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2",
         "-keyout", tmp_path / "key.pem", "-out", tmp_path / "cert.pem", "-subj", "/CN=localhost", "-addext",
         "subjectAltName=DNS:localhost"], capture_output=True, check=False,
    )  # fmt: skip
    if made.returncode:
        pytest.skip("openssl is not installed")
    cert, key = str(tmp_path / "cert.pem"), str(tmp_path / "key.pem")
    house = open_house(
        Settings(folder=tmp_path / "a", hl7_port=0, tls_certificate=cert, tls_key=key, tls_authorities=cert)
    )
    house.exchange.start_messaging()
    with_ours = tls.client(Path(cert), Path(cert), Path(key))
    told = mllp.send("localhost", house.exchange.hl7_port, _order("1"), tls=with_ours, timeout_s=10)
    assert _answer(told) == ("AA", "")
    bare = tls.client(Path(cert))
    with pytest.raises(Unavailable):
        mllp.send("localhost", house.exchange.hl7_port, _order("2"), tls=bare, timeout_s=10)
    with pytest.raises(Unavailable):
        mllp.send("127.0.0.1", house.exchange.hl7_port, _order("3"), timeout_s=5)
    house.close()


def _signed(house: House) -> str:
    file = Path(str(get_testdata_file("CT_small.dcm", download=False)))
    house.site.receive([file.read_bytes()], sender="test", who=HOUSE)
    study = house.site.studies(who=HOUSE)[0].uid
    version = house.site.open(study, who=ITO).version
    version = house.site.lock(study, version=version, nothing=True, who=ITO).version
    version = house.site.word(study, "own", "Stone of 4 mm.", section="Findings", version=version, who=ITO).version
    house.site.sign(study, version=version, who=ITO)
    return study


def test_a_signed_report_is_owed_until_the_receiver_has_it(tmp_path: Path) -> None:
    settings = Settings(folder=tmp_path / "archive")
    house = open_house(settings, apart=False)
    to = ["192.0.2.1:2575", "192.0.2.2:2575"]
    house.site.messaging.want(to)
    _signed(house)
    seen: list[tuple[str, bytes]] = []

    def lost(receiver: str, message: bytes) -> bytes:
        seen.append((receiver, message))
        raise Unavailable("the line died after the message had gone out")

    assert house.site.messaging.deliver(to, lost) == 0
    house.close()  # as after a kill: nothing of the queue is in memory
    again = open_house(settings, apart=False)
    again.site.messaging.want(to)

    def takes(receiver: str, message: bytes) -> bytes:
        seen.append((receiver, message))
        code = "AA" if receiver == to[0] else "AR"
        return hl7.acknowledge(hl7.read(message), code, now=again.site.clock(), control="1")

    assert again.site.messaging.deliver(to, takes) == 1, "the other one refused it"
    assert again.site.messaging.due(to) == [] and again.site.messaging.deliver(to, takes) == 0
    assert seen[0][1] == seen[2][1], "the same report has the same control id: a receiver knows it again"
    assert b"Stone of 4 mm." in seen[2][1]
    codes = {
        s.event.details["to"]: s.event.details["code"] for s in again.site.journal.since(kinds=(Kind.RESULT_TOLD,))
    }
    assert codes == {to[0]: "AA", to[1]: "AR"}
    again.close()


def test_an_amendment_is_told_to_everybody_who_had_the_report_and_both_stay(house: House) -> None:
    to = ["192.0.2.1:2575", "192.0.2.2:2575"]
    house.site.messaging.want(to)
    study = _signed(house)
    came: dict[str, list[bytes]] = {one: [] for one in to}

    def takes(receiver: str, message: bytes) -> bytes:
        came[receiver].append(message)
        return hl7.acknowledge(hl7.read(message), "AA", now=house.site.clock(), control="1")

    assert house.site.messaging.deliver(to, takes) == 2
    version = house.site.open(study, who=ITO).version
    version = house.site.word(study, "own", "Stone of 7 mm.", section="Findings", version=version, who=ITO).version
    house.site.sign(study, version=version, who=ITO)
    assert house.site.messaging.deliver(to, takes) == 2 and house.site.messaging.due(to) == []
    for first, second in came.values():
        status = [hl7.read(one).one("OBR") for one in (first, second)]
        assert [one.at(25) for one in status if one is not None] == ["F", "C"]
        assert b"4 mm" in first and b"7 mm" in second and b"4 mm" not in second
    first, second = house.site.reading(study, who=ITO).reports
    assert first != second and b"4 mm" in house.site.blobs.get(first) and b"7 mm" in house.site.blobs.get(second)


def test_results_go_over_a_socket_at_sign_off(tmp_path: Path) -> None:
    got: list[bytes] = []
    came = threading.Event()

    def hear(data: bytes) -> bytes:
        got.append(data)
        came.set()
        return hl7.acknowledge(hl7.read(data), "AA", now=house.site.clock(), control="1")

    receiver = mllp.MllpListener(hear, host="127.0.0.1", port=0, senders=["127.0.0.1"])
    to = f"127.0.0.1:{receiver.start()}"
    house = open_house(Settings(folder=tmp_path / "archive", hl7_results=to), apart=False)
    house.exchange.start_messaging(every_s=0.3)
    _signed(house)
    assert came.wait(20) and hl7.read(got[0]).kind == "ORU^R01"
    house.close()
    receiver.stop()
