from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.encaps import encapsulate
from pynetdicom import AE, evt
from pynetdicom.sop_class import CTImageStorage, MRImageStorage, RTPlanStorage, Verification
from shelf_for_doors import Shelf

from isocenter.doors import negotiation as n
from isocenter.doors import part10
from isocenter.doors.dimse import Listener
from isocenter.doors.dimse_scu import Peer, Sender, echo, find, move, send
from isocenter.errors import IsocenterError, Refused, Unavailable

_NATIVE = (n.EXPLICIT, n.IMPLICIT)


class _Foreign:
    """A foreign store provider that takes what it is told to take."""

    def __init__(self) -> None:
        self.came: list[tuple[str, bytes]] = []
        self.status = 0
        ae = AE("FOREIGN")
        ae.add_supported_context(Verification)
        ae.add_supported_context(CTImageStorage, list(_NATIVE))
        ae.add_supported_context(MRImageStorage, [n.IMPLICIT])
        ae.require_calling_aet = ["ISOCENTER"]
        self._server = ae.start_server(("127.0.0.1", 0), block=False, evt_handlers=[(evt.EVT_C_STORE, self._store)])
        self.peer = Peer("FOREIGN", "127.0.0.1", self._server.socket.getsockname()[1])

    def _store(self, event: evt.Event) -> int:
        self.came.append((str(event.context.transfer_syntax), event.encoded_dataset(include_meta=False)))
        return self.status

    def stop(self) -> None:
        self._server.shutdown()


@pytest.fixture
def foreign() -> Iterator[_Foreign]:
    made = _Foreign()
    yield made
    made.stop()


def _body(data: bytes) -> bytes:
    return data[part10.split(data).start :]


def test_a_file_is_sent_byte_for_byte_where_the_peer_takes_its_encoding(
    foreign: _Foreign, sample: Callable[[str], bytes]
) -> None:
    data = sample("CT_small.dcm")
    (sent,) = send(foreign.peer, [data], calling="ISOCENTER")
    assert sent.ok and sent.status == 0
    assert foreign.came == [(n.EXPLICIT, _body(data))]


def test_a_compressed_file_is_decoded_for_a_peer_that_reads_only_native(
    foreign: _Foreign, sample: Callable[[str], bytes]
) -> None:
    data = sample("MR_small_RLE.dcm")
    (sent,) = send(foreign.peer, [data], calling="ISOCENTER")
    assert sent.ok
    expected = dcmread(BytesIO(data))
    expected.decompress()
    assert foreign.came[0][0] == n.IMPLICIT
    assert expected.PixelData in foreign.came[0][1]


def test_a_batch_goes_on_past_what_is_refused(foreign: _Foreign, sample: Callable[[str], bytes]) -> None:
    files = [sample("rtplan.dcm"), b"no dicom at all", sample("CT_small.dcm"), sample("MR_small.dcm")]
    outcomes = send(foreign.peer, files, calling="ISOCENTER")
    assert [o.status for o in outcomes] == [0x0122, 0xC000, 0, 0]
    assert "FOREIGN takes neither" in outcomes[0].comment and "DICM" in outcomes[1].comment


@pytest.mark.parametrize(("status", "ok"), [(0xB007, True), (0xA700, False), (0xC123, False)])
def test_what_the_peer_says_is_handed_on(
    foreign: _Foreign, sample: Callable[[str], bytes], status: int, ok: bool
) -> None:
    foreign.status = status
    (sent,) = send(foreign.peer, [sample("CT_small.dcm")], calling="ISOCENTER")
    assert (sent.status, sent.ok) == (status, ok)


def test_an_image_that_no_decoder_opens_is_said_not_raised(foreign: _Foreign, sample: Callable[[str], bytes]) -> None:
    dataset = dcmread(BytesIO(sample("MR_small_RLE.dcm")))
    dataset.PixelData = encapsulate([b"this is no run length encoding"])
    made = BytesIO()
    dataset.save_as(made)
    (sent,) = send(foreign.peer, [made.getvalue()], calling="ISOCENTER")
    assert not sent.ok and not foreign.came


def test_we_are_not_known_there(foreign: _Foreign) -> None:
    with pytest.raises(Refused, match="rejected the association of WHO"):
        echo(foreign.peer, calling="WHO")


def test_nobody_is_there() -> None:
    with pytest.raises(Unavailable):
        send(Peer("X", "127.0.0.1", 1), [b"\0" * 128 + b"DICM\x02\x00\x10\x00UI\x04\x001.2\0"], calling="ISOCENTER")


def test_echo(foreign: _Foreign) -> None:
    echo(foreign.peer, calling="ISOCENTER")


def test_a_peer_without_the_service_is_said(foreign: _Foreign) -> None:
    with pytest.raises(Refused, match="does not offer"):
        find(foreign.peer, "STUDY", {"PatientID": "1"}, calling="ISOCENTER")
    with pytest.raises(Refused, match="does not offer"):
        move(foreign.peer, "STUDY", {"StudyInstanceUID": "1.2"}, to="X", calling="ISOCENTER")


@pytest.fixture
def falls_silent() -> Iterator[Peer]:
    """A peer that accepts the connection and hangs up amid the handshake."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        for _ in range(4):
            try:
                connection, _ = server.accept()
            except OSError:
                return
            connection.recv(10)
            connection.close()

    threading.Thread(target=serve, daemon=True).start()
    yield Peer("SILENT", "127.0.0.1", server.getsockname()[1])
    server.close()


def test_a_peer_that_hangs_up_is_said(falls_silent: Peer) -> None:
    for call in (
        lambda: echo(falls_silent, calling="ISOCENTER"),
        lambda: find(falls_silent, "STUDY", {}, calling="ISOCENTER"),
    ):
        with pytest.raises(Unavailable, match="hung up"):
            call()


def test_a_line_that_dies_under_an_image_is_tried_once_more(foreign: _Foreign, sample: Callable[[str], bytes]) -> None:
    data = sample("CT_small.dcm")
    with Sender(foreign.peer, calling="ISOCENTER") as sender:
        assert sender.send(data).status == 0
        sender.open().sock.shutdown(socket.SHUT_RDWR)
        assert sender.send(data).status is None
        assert sender.send(data).status == 0
    assert len(foreign.came) == 2


def test_our_own_port_answers_our_own_questions(
    listener: tuple[Listener, int], shelf: Shelf, sample: Callable[[str], bytes]
) -> None:
    us = Peer("ISOCENTER", "127.0.0.1", listener[1])
    files = [sample("CT_small.dcm"), sample("MR_small.dcm")]
    assert all(o.ok for o in send(us, files, calling="TESTER"))
    assert len(shelf.files) == 2

    rows = find(us, "STUDY", {"PatientID": "1CT1", "PatientName": "", "ModalitiesInStudy": ""}, calling="TESTER")

    assert [(r["PatientName"], r["ModalitiesInStudy"]) for r in rows] == [("CompressedSamples^CT1", "CT")]
    with pytest.raises(Refused, match="0xA900"):
        find(us, "PATIENT", {"PatientID": ""}, calling="TESTER")


def test_a_question_with_a_key_that_dicom_does_not_have(listener: tuple[Listener, int]) -> None:
    with pytest.raises(IsocenterError, match="Shoesize"):
        find(Peer("ISOCENTER", "127.0.0.1", listener[1]), "STUDY", {"Shoesize": "43"}, calling="TESTER")


def test_an_association_offers_no_more_than_the_standard_allows(
    foreign: _Foreign, sample: Callable[[str], bytes]
) -> None:
    data = sample("CT_small.dcm")
    many = [(f"1.2.{i}", "1.2.840.10008.1.2.4.80") for i in range(60)]
    with Sender(foreign.peer, calling="ISOCENTER", offers=many) as sender:
        assert sender.send(data).ok


def test_the_class_is_taken_from_the_data_set_where_the_header_lies(sample: Callable[[str], bytes]) -> None:
    data = sample("rtplan.dcm")
    assert part10.identity(_body(data), n.IMPLICIT) == (RTPlanStorage, "1.2.777.777.77.7.7777.7777.20030903150023")
