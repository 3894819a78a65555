from __future__ import annotations

import logging
import os
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import dcmread
from pydicom.dataset import Dataset
from pynetdicom import AE
from pynetdicom.association import Association
from pynetdicom.sop_class import (
    PatientRootQueryRetrieveInformationModelFind,
    StudyRootQueryRetrieveInformationModelFind,
    Verification,
)
from shelf_for_doors import Answer, Room, Shelf, person_behind

from isocenter.doors import commands, part10
from isocenter.doors import negotiation as n
from isocenter.doors.dimse import Listener, status_of
from isocenter.doors.upper_layer import Ended, Link, connect
from isocenter.errors import (
    Conflict,
    Forbidden,
    IsocenterError,
    LimitReached,
    NotFound,
    NotWhole,
    Refused,
    Unavailable,
)

Opened = tuple[Listener, int]
_ALL_SYNTAXES = (
    "CT_small.dcm",
    "rtplan.dcm",
    "MR_small_bigendian.dcm",
    "image_dfl.dcm",
    "MR_small_RLE.dcm",
    "examples_ybr_color.dcm",
    "JPGExtended.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "JPEG2000.dcm",
    "MR_small_jp2klossless.dcm",
    "MR_small_jpeg_ls_lossless.dcm",
)


def _call(port: int, *classes: str, calling: str = "TESTER", called: str = "ISOCENTER") -> Association:
    ae = AE(calling)
    for uid in classes or (Verification,):
        ae.add_requested_context(uid)
    association = ae.associate("127.0.0.1", port, ae_title=called)
    if association.is_aborted:
        # pynetdicom takes a rejection that comes before it has looked for a failure to connect; what was said waits.
        said = association.dul.to_user_queue.get(timeout=20)
        association.acceptor.primitive, association.is_rejected = said, said.result in (1, 2)
    return association


def _identity(data: bytes) -> tuple[str, str]:
    meta = part10.split(data)
    return part10.identity(data[meta.start :], meta.transfer_syntax) or (meta.sop_class, meta.sop_uid)


def _raw(port: int, data: bytes, *, words: dict[str, int | str] | None = None) -> dict[str, int | str]:
    """Send one file byte for byte; the words of the answer."""
    meta = part10.split(data)
    # A file's header may name another instance than its data set does: pydicom's rtplan.dcm is such a one.
    sop_class, sop_uid = _identity(data)
    link = connect("127.0.0.1", port, timeout_s=10)
    n.propose(link, calling="TESTER", called="ISOCENTER", offers=[(sop_class, (meta.transfer_syntax,))])
    (context,) = link.contexts.values()
    said: dict[str, int | str] = {
        "AffectedSOPClassUID": sop_class,
        "CommandField": commands.C_STORE_RQ,
        "MessageID": 1,
        "Priority": 0,
        "AffectedSOPInstanceUID": sop_uid,
    }
    link.send(context.id, {**said, **(words or {})}, data[meta.start :])
    answer = link.receive()
    assert answer is not None
    link.release()
    return dict(answer.words)


def test_echo(listener: Opened) -> None:
    association = _call(listener[1])
    assert association.is_established
    assert association.send_c_echo().Status == 0
    association.release()
    assert listener[0].counts["echo"] == 1


@pytest.mark.parametrize("name", _ALL_SYNTAXES)
def test_every_transfer_syntax_is_kept_byte_for_byte(
    name: str, listener: Opened, shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    data = sample(name)

    assert _raw(listener[1], data)["Status"] == 0

    meta = part10.split(data)
    kept = shelf.files[_identity(data)[1]]
    assert kept[part10.split(kept).start :] == data[meta.start :]
    assert part10.split(kept).transfer_syntax == meta.transfer_syntax
    assert shelf.senders == ["TESTER"]


def test_a_labelmap_segmentation_is_kept(listener: Opened, shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.66.7"
    made = BytesIO()
    dataset.save_as(made)
    assert _raw(listener[1], made.getvalue())["Status"] == 0
    assert len(shelf.files) == 1


def test_the_same_again_is_a_success_and_another_content_a_duplicate(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    data = sample("CT_small.dcm")
    dataset = dcmread(BytesIO(data))
    dataset.PatientName = "Somebody^Else"
    other = BytesIO()
    dataset.save_as(other)

    answers = [_raw(listener[1], d) for d in (data, data, other.getvalue())]

    assert [a["Status"] for a in answers] == [0, 0, 0x0111]
    assert "already" in str(answers[2]["ErrorComment"])
    assert len(shelf.files) == 1
    assert {k: listener[0].counts[k] for k in ("stored", "there", "conflict")} == {
        "stored": 1,
        "there": 1,
        "conflict": 1,
    }


def test_what_the_door_itself_refuses_is_told_to_the_journal(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    """A UID that is a path, an image under another's UID: who tried that stands in the journal, what they wrote not."""
    said: list[IsocenterError] = []
    shelf.listed += [{"aet": "TESTER", "host": "127.0.0.1", "port": 0}]
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, said_no=said.append)
    port = opened.start()
    try:
        for uid, why in (("../../etc/passwd", "not a UID"), ("1.2.3", "another class or instance")):
            _raw(port, sample("CT_small.dcm"), words={"AffectedSOPInstanceUID": uid})
            assert "'TESTER'" in said[-1].what and why in said[-1].why and uid not in str(said[-1])
        assert len(said) == 2 and not shelf.files
    finally:
        opened.stop()


def test_a_truncated_image_is_refused_and_the_association_lives_on(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    data = sample("CT_small.dcm")
    answer = _raw(listener[1], data[:-5000])
    assert answer["Status"] == 0xC000
    assert answer["ErrorComment"]
    assert not shelf.files
    assert _raw(listener[1], data)["Status"] == 0


@pytest.mark.parametrize(
    ("words", "status"),
    [
        ({"AffectedSOPInstanceUID": "../../etc/passwd"}, 0x0117),
        ({"AffectedSOPInstanceUID": ""}, 0x0117),
        ({"AffectedSOPInstanceUID": "1.2.3"}, 0xA900),
        ({"AffectedSOPClassUID": "1.2.840.10008.5.1.4.1.1.4"}, 0xA900),
        ({"CommandField": 0x0150}, 0x0211),
        ({"CommandField": commands.C_ECHO_RQ}, 0x0122),
        ({"CommandField": commands.C_FIND_RQ}, 0x0122),
        ({"CommandField": commands.C_GET_RQ}, 0x0122),
    ],
)
def test_what_a_command_may_not_say(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes], words: dict[str, int | str], status: int
) -> None:
    assert _raw(listener[1], sample("CT_small.dcm"), words=words)["Status"] == status
    assert not shelf.files


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (Unavailable("the disk is full"), 0xA700),
        (LimitReached("too much"), 0xA700),
        (Forbidden("rule 'receive'"), 0x0124),
        (Conflict("other content"), 0x0111),
        (NotWhole("cut"), 0xC000),
        (Refused("no"), 0xC000),
        (NotFound("nothing"), 0xC000),
        (IsocenterError("?"), 0x0110),
        (RuntimeError("patient DOE^JOHN"), 0x0110),
    ],
)
def test_an_error_becomes_a_status_and_the_next_image_is_taken(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes], error: Exception, status: int
) -> None:
    ae = AE("TESTER")
    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    association = ae.associate("127.0.0.1", listener[1], ae_title="ISOCENTER")
    shelf.failure = error

    refused = association.send_c_store(dataset)
    shelf.failure = None
    taken = association.send_c_store(dataset)
    association.release()

    assert (refused.Status, taken.Status) == (status, 0)
    assert "DOE" not in str(refused.get("ErrorComment", ""))
    assert listener[0].counts["rejected"] == 1
    assert status_of(error)[0] == status


def test_an_image_that_breaks_off_is_forgotten(listener: Opened, shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    data = sample("CT_small.dcm")
    sop_class, sop_uid = _identity(data)
    link = connect("127.0.0.1", listener[1], timeout_s=10)
    n.propose(link, calling="TESTER", called="ISOCENTER", offers=[(sop_class, (part10.split(data).transfer_syntax,))])
    (number,) = link.contexts
    words = {"CommandField": commands.C_STORE_RQ, "MessageID": 1, "CommandDataSetType": 1}
    words |= {"AffectedSOPClassUID": sop_class, "AffectedSOPInstanceUID": sop_uid}
    for control, piece in ((3, commands.encode(words)), (0, data[-20_000:])):
        link.sock.sendall(struct.pack(">BBLLBB", 4, 0, len(piece) + 6, len(piece) + 2, number, control) + piece)
    link.close()
    listener[0].stop()
    (room,) = shelf.rooms
    assert room.dropped and len(room.data) > 20_000 and shelf.files == {}


@pytest.mark.parametrize("refuses_at", ["the start", "a piece"])
def test_a_disk_that_is_full_while_an_image_comes(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes], monkeypatch: pytest.MonkeyPatch, refuses_at: str
) -> None:
    def full(*_: object, **__: object) -> None:
        raise Unavailable("the image could not be stored", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(*((shelf, "incoming") if refuses_at == "the start" else (Room, "write")), full)
        answer = _raw(listener[1], sample("CT_small.dcm"))
    assert answer["Status"] == 0xA700 and "full" in str(answer["ErrorComment"]) and shelf.files == {}
    assert _raw(listener[1], sample("CT_small.dcm"))["Status"] == 0


@pytest.mark.parametrize("kind", [ValueError, Refused])
def test_no_log_holds_a_name_that_a_fault_stumbled_on(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch, kind: type[Exception],
) -> None:  # fmt: skip
    dataset = dcmread(BytesIO(sample("CT_small.dcm")))
    dataset.PatientName = "CANARY^ANNA"

    def stumbles(files: list[Room], **_: object) -> None:
        raise kind(f"could not read '{dcmread(BytesIO(files[0].data)).PatientName}'")

    def finds(level: str, keys: dict[str, str], **_: object) -> None:
        raise kind(keys["PatientName"])

    monkeypatch.setattr(shelf, "receive", stumbles)
    monkeypatch.setattr(shelf, "find", finds)
    ae = AE("TESTER")
    ae.add_requested_context(dataset.SOPClassUID, dataset.file_meta.TransferSyntaxUID)
    ae.add_requested_context(StudyRootQueryRetrieveInformationModelFind)
    query = Dataset()
    query.QueryRetrieveLevel, query.PatientName = "STUDY", "CANARY*"
    with caplog.at_level(logging.DEBUG, logger="isocenter"):
        association = ae.associate("127.0.0.1", listener[1], ae_title="ISOCENTER")
        stored = association.send_c_store(dataset)
        answers = list(association.send_c_find(query, StudyRootQueryRetrieveInformationModelFind))
        association.release()

    ours = [r for r in caplog.records if not r.name.startswith("pynetdicom")]  # the client of this test
    logged = "\n".join(f"{r.getMessage()} {r.exc_info} {r.exc_text}" for r in ours)
    assert stored.Status != 0 and answers[0][0].Status != 0
    assert logged.count(kind.__name__) == 2
    assert "CANARY" not in logged


def test_a_refused_image_is_logged_without_its_reason(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes], caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    answer = Answer("", "rejected", "", "study 1.2: patient CANARY^ANNA, and in series 1 patient CANARY^BERT")
    monkeypatch.setattr(shelf, "receive", lambda files, **_: [answer])
    with caplog.at_level(logging.DEBUG, logger="isocenter"):
        said = _raw(listener[1], sample("CT_small.dcm"))
    assert said["Status"] == 0xC000 and "CANARY" in str(said["ErrorComment"]), "the sender is told what it sent"
    assert "0xC000 (rejected)" in caplog.text and "CANARY" not in caplog.text


def test_an_unknown_caller_is_rejected_and_told_how_to_be_known(shelf: Shelf) -> None:
    said: list[IsocenterError] = []
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, said_no=said.append)
    port = opened.start()
    association = _call(port, calling="STRANGER")
    rejection = association.acceptor.primitive
    opened.stop()

    assert association.is_rejected
    assert (rejection.result, rejection.result_source, rejection.diagnostic) == (1, 1, 3)
    assert "AE 'STRANGER' from 127.0.0.1 is not known" in str(said[0])
    assert "isocenter peer STRANGER 127.0.0.1" in said[0].do
    assert opened.counts == {"refused": 1}


def test_another_called_title_is_rejected(listener: Opened) -> None:
    association = _call(listener[1], called="SOMEBODY")
    rejection = association.acceptor.primitive
    assert (rejection.result, rejection.result_source, rejection.diagnostic) == (1, 1, 7)


def test_a_known_title_from_another_address_is_rejected(listener: Opened, shelf: Shelf) -> None:
    shelf.listed[:] = [{"aet": "TESTER", "host": "192.0.2.7", "port": 104}]
    assert _call(listener[1]).is_rejected
    shelf.listed.append({"aet": "TESTER", "host": "*", "port": 104})
    assert _call(listener[1]).is_established


def test_a_person_that_is_not_there_rejects(shelf: Shelf) -> None:
    def nobody(aet: str) -> None:
        raise Forbidden(f"AE title '{aet}'")

    shelf.listed.append({"aet": "TESTER", "host": "127.0.0.1", "port": 0})
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=nobody)  # type: ignore[arg-type]
    port = opened.start()
    assert _call(port).is_rejected
    opened.stop()


@pytest.mark.parametrize("title", ["../x", "a/b", "c\\d"])
def test_path_characters_in_a_title_are_refused(listener: Opened, shelf: Shelf, title: str) -> None:
    shelf.listed.append({"aet": title, "host": "127.0.0.1", "port": 0})
    link = connect("127.0.0.1", listener[1], timeout_s=5)
    request = bytearray(b"\x01\x00\x00\x00\x00\x44\x00\x01\x00\x00" + b"ISOCENTER".ljust(16) + title.encode().ljust(16))
    link.sock.sendall(bytes(request.ljust(74, b"\0")))
    assert link.read_pdu()[0] in (3, 7), "rejected or aborted"
    with pytest.raises(Refused):
        Listener(shelf, aet=title, port=0, who=person_behind)


def test_one_association_too_many_is_rejected_for_now(shelf: Shelf) -> None:
    shelf.listed.append({"aet": "TESTER", "host": "127.0.0.1", "port": 0})
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, associations=1, makes_room_s=60)
    port = opened.start()
    first, second = _call(port), _call(port)
    assert first.is_established and second.is_rejected
    assert (second.acceptor.primitive.result, second.acceptor.primitive.diagnostic) == (2, 2)
    first.release()
    opened.stop()


@pytest.mark.parametrize("says", [b"", b"\x01\x00\x00\x00"])
def test_a_crowd_of_silent_connections_shuts_nobody_out(
    shelf: Shelf, sample: Callable[[str], bytes], says: bytes
) -> None:
    """Hundreds of connections that never say who calls: the next sender is served at once, the oldest of them go."""
    shelf.listed.append({"aet": "TESTER", "host": "127.0.0.1", "port": 0})
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, associations=4, artim_s=60)
    port = opened.start()
    crowd = []
    for _ in range(200):
        crowd.append(socket.create_connection(("127.0.0.1", port), 5))
        crowd[-1].sendall(says)
    started = time.monotonic()
    assert _raw(port, sample("CT_small.dcm"))["Status"] == 0
    assert time.monotonic() - started < 1 or sum(os.getloadavg()) > 6, (
        "promised on a machine that is not crowded itself"
    )
    assert len(opened._threads) <= 6 * 4
    assert crowd[0].recv(1) == b"", "the oldest was closed"
    for one in crowd:
        one.close()
    opened.stop()


def test_an_association_that_is_silent_makes_room_and_one_at_work_does_not(
    shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    shelf.listed.append({"aet": "TESTER", "host": "127.0.0.1", "port": 0})
    inside, go_on = threading.Event(), threading.Event()
    keep = shelf._keep

    def slowly(data: bytes) -> object:
        inside.set()
        assert go_on.wait(20)
        return keep(data)

    shelf._keep = slowly  # type: ignore[assignment, method-assign]
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, associations=2, makes_room_s=0)
    port = opened.start()
    answers: list[object] = []
    sending = threading.Thread(target=lambda: answers.append(_raw(port, sample("CT_small.dcm"))["Status"]))
    sending.start()
    assert inside.wait(10)
    first = _call(port)
    assert first.is_established
    second = _call(port)
    assert second.is_established, "the silent one gave its place"
    for _ in range(200):
        if not first.is_established:
            break
        first.join(0.02)
    assert not first.is_established and opened.counts["shown out"] == 1
    go_on.set()
    sending.join(10)
    assert answers == [0], "the one at work kept its own"
    second.release()
    opened.stop()


def test_a_silent_connection_is_dropped(shelf: Shelf) -> None:
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind, artim_s=0.05)
    port = opened.start()
    silent = socket.create_connection(("127.0.0.1", port), 5)
    assert silent.recv(10)[:1] in (b"\x07", b""), "aborted, or closed at once (PS3.8, AA-2), and not left open"
    opened.stop()


def test_a_port_in_use_is_said_in_words(listener: Opened, shelf: Shelf) -> None:
    with pytest.raises(Unavailable) as caught:
        Listener(shelf, aet="ISOCENTER", port=listener[1], who=person_behind).start()
    assert f"Port {listener[1]} on 127.0.0.1" in caught.value.what
    assert "another DICOM port" in caught.value.do


def test_an_image_on_its_way_is_answered_when_the_door_closes(shelf: Shelf, sample: Callable[[str], bytes]) -> None:
    """What was acknowledged is stored, and what was stored is acknowledged, though the server is told to stop."""
    shelf.listed.append({"aet": "TESTER", "host": "127.0.0.1", "port": 0})
    inside, go_on = threading.Event(), threading.Event()
    keep = shelf._keep

    def slowly(data: bytes) -> object:
        inside.set()
        assert go_on.wait(10)
        return keep(data)

    shelf._keep = slowly  # type: ignore[assignment, method-assign]
    opened = Listener(shelf, aet="ISOCENTER", port=0, who=person_behind)
    port = opened.start()
    answers: list[object] = []
    sending = threading.Thread(target=lambda: answers.append(_raw(port, sample("CT_small.dcm"))["Status"]))
    sending.start()
    assert inside.wait(10)
    stopping = threading.Thread(target=opened.stop)
    stopping.start()
    go_on.set()
    stopping.join(10)
    sending.join(10)

    assert answers == [0] and len(shelf.files) == 1
    with pytest.raises(Unavailable):
        connect("127.0.0.1", port, timeout_s=1)


def test_stopping_twice_does_no_harm(listener: Opened) -> None:
    listener[0].stop()
    listener[0].stop()


def test_http_on_the_dicom_port_is_turned_away(listener: Opened) -> None:
    with socket.create_connection(("127.0.0.1", listener[1]), 5) as web:
        web.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert web.recv(10)[:1] == b"\x07"
    assert _call(listener[1]).is_established


@pytest.fixture
def filled(listener: Opened, sample: Callable[[str], bytes]) -> Iterator[Opened]:
    for name in ("CT_small.dcm", "MR_small.dcm", "rtplan.dcm"):
        assert _raw(listener[1], sample(name))["Status"] == 0
    yield listener


def _find(port: int, model: str, **keys: str) -> list[tuple[int, Dataset | None]]:
    asked = Dataset()
    for word, value in keys.items():
        setattr(asked, word, value)
    association = _call(port, model)
    found = [(status.Status, row) for status, row in association.send_c_find(asked, model)]
    association.release()
    return found


@pytest.mark.parametrize(
    ("model", "level", "count"),
    [
        (PatientRootQueryRetrieveInformationModelFind, "PATIENT", 3),
        (PatientRootQueryRetrieveInformationModelFind, "STUDY", 3),
        (StudyRootQueryRetrieveInformationModelFind, "STUDY", 3),
        (StudyRootQueryRetrieveInformationModelFind, "SERIES", 3),
        (StudyRootQueryRetrieveInformationModelFind, "IMAGE", 3),
    ],
)
def test_queries_of_every_level(filled: Opened, model: str, level: str, count: int) -> None:
    found = _find(filled[1], model, QueryRetrieveLevel=level, PatientID="", StudyInstanceUID="")
    assert [status for status, _ in found] == [0xFF00] * count + [0]
    rows = [row for _, row in found[:-1]]
    assert all(
        row is not None and row.QueryRetrieveLevel == level and row.RetrieveAETitle == "ISOCENTER" for row in rows
    )
    assert "1CT1" in {row.PatientID for row in rows if row is not None}


def test_a_key_that_is_not_kept_is_answered_empty_with_a_warning(filled: Opened) -> None:
    found = _find(
        filled[1],
        StudyRootQueryRetrieveInformationModelFind,
        QueryRetrieveLevel="STUDY",
        PatientID="1CT1",
        PatientComments="",
    )
    assert [status for status, _ in found] == [0xFF01, 0]
    assert found[0][1] is not None and found[0][1].PatientComments in ("", None)


@pytest.mark.parametrize("level", ["PATIENT", "", "PLANET"])
def test_a_level_that_the_model_does_not_have(filled: Opened, level: str) -> None:
    found = _find(filled[1], StudyRootQueryRetrieveInformationModelFind, QueryRetrieveLevel=level, PatientID="")
    assert [status for status, _ in found] == [0xA900]


def test_a_query_can_be_cancelled(filled: Opened, shelf: Shelf) -> None:
    """C-CANCEL that came before the first row is seen before the first row is sent."""
    link = connect("127.0.0.1", filled[1], timeout_s=5)
    model = "1.2.840.10008.5.1.4.1.2.2.1"
    n.propose(link, calling="TESTER", called="ISOCENTER", offers=[(model, (n.IMPLICIT,))])
    inside, go_on = threading.Event(), threading.Event()
    find = shelf.find

    def slowly(*args: object, **kwargs: object) -> object:
        inside.set()
        assert go_on.wait(10)
        return find(*args, **kwargs)  # type: ignore[arg-type]

    shelf.find = slowly  # type: ignore[assignment, method-assign]
    identifier = b"\x08\x00\x52\x00\x06\x00\x00\x00STUDY "
    words = {"AffectedSOPClassUID": model, "CommandField": commands.C_FIND_RQ, "MessageID": 9}
    link.send(1, words, identifier)
    assert inside.wait(10)
    link.send(1, {"CommandField": commands.C_CANCEL_RQ, "MessageIDBeingRespondedTo": 9})
    go_on.set()
    answer = link.receive()
    assert answer is not None and answer.words["Status"] == 0xFE00
    link.release()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_conversation_that_was_tampered_with_harms_nobody_else(
    listener: Opened, shelf: Shelf, sample: Callable[[str], bytes], data: st.DataObject
) -> None:
    """Bytes of a good conversation, cut, flipped or doubled anywhere: the port goes on, and keeps whole images only."""
    talk = bytearray(_conversation(sample("rtplan.dcm")))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(talk) - 1))
        match data.draw(st.sampled_from(["flip", "cut", "double", "noise"])):
            case "flip":
                talk[at] ^= 1 << data.draw(st.integers(0, 7))
            case "cut":
                del talk[at : at + data.draw(st.integers(1, 50))]
            case "double":
                talk[at:at] = talk[at : at + 40]
            case "noise":
                talk[at : at + 8] = data.draw(st.binary(min_size=8, max_size=8))
        talk = talk or bytearray(1)
    with socket.create_connection(("127.0.0.1", listener[1]), 10) as line:
        try:
            line.sendall(bytes(talk))
            line.shutdown(socket.SHUT_WR)
            while line.recv(65_536):
                pass
        except OSError:
            pass  # aborted amid our noise
    association = _call(listener[1])
    assert association.is_established and association.send_c_echo().Status == 0
    association.release()
    for kept in shelf.files.values():
        assert len(kept) > 1000
    assert listener[0].counts.get("failed", 0) == 0


def _conversation(data: bytes) -> bytes:
    """What a sender says: association request, one C-STORE, release."""
    meta, (sop_class, sop_uid) = part10.split(data), _identity(data)
    said = bytearray()

    class Recorder(socket.socket):  # never connected: what it is sent is kept
        def setsockopt(self, *_: object) -> None: ...
        def settimeout(self, *_: object) -> None: ...
        def recv_into(self, *_: object) -> int:
            return 0

        def sendall(self, some: bytes) -> None:
            said.extend(some)

    link = Link(Recorder(), 1)
    with pytest.raises(Ended):
        n.propose(link, calling="TESTER", called="ISOCENTER", offers=[(sop_class, (meta.transfer_syntax,))])
    words: dict[str, int | str] = {
        "AffectedSOPClassUID": sop_class,
        "CommandField": commands.C_STORE_RQ,
        "MessageID": 1,
        "Priority": 0,
        "AffectedSOPInstanceUID": sop_uid,
    }
    link.send(1, words, data[meta.start :])
    link.release()
    return bytes(said)
