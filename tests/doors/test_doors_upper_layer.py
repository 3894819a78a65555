from __future__ import annotations

import socket
import struct
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from isocenter.doors import commands
from isocenter.doors.upper_layer import LARGEST_PDU, Context, Ended, Link, connect
from isocenter.errors import IsocenterError, LimitReached, NotWhole, Unavailable

_WORDS = {"CommandField": commands.C_STORE_RQ, "MessageID": 3, "AffectedSOPInstanceUID": "1.2.3"}
_ABORT = 7


@pytest.fixture
def ends() -> Iterator[tuple[Link, Link]]:
    """Two ends of a connection with one accepted context."""
    server = socket.create_server(("127.0.0.1", 0))
    left = connect("127.0.0.1", server.getsockname()[1], timeout_s=5)
    right = Link(server.accept()[0], 5)
    for end in (left, right):
        end.contexts[1] = Context(1, "1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.1.2")
    yield left, right
    left.close()
    right.close()
    server.close()


def _pdu(body: bytes, kind: int = 4) -> bytes:
    return struct.pack(">BBL", kind, 0, len(body)) + body


def _piece(context: int, control: int, data: bytes) -> bytes:
    return struct.pack(">LBB", len(data) + 2, context, control) + data


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.binary(max_size=5000), maximum=st.sampled_from([0, 134, 1000, 16384, LARGEST_PDU]))
def test_a_message_arrives_as_it_was_sent(ends: tuple[Link, Link], data: bytes, maximum: int) -> None:
    left, right = ends
    left.peer_maximum = maximum

    left.send(1, _WORDS, data)
    came = right.receive()

    assert came is not None and came.data is not None
    assert b"".join(came.data) == data
    assert came.size == len(data)
    assert came.words["AffectedSOPInstanceUID"] == "1.2.3"


def test_a_message_of_many_megabytes_arrives(ends: tuple[Link, Link]) -> None:
    import threading

    left, right = ends
    data = bytes(range(256)) * 40_000
    sending = threading.Thread(target=left.send, args=(1, _WORDS, data))
    sending.start()
    came = right.receive()
    sending.join()
    assert came is not None and came.data is not None and b"".join(came.data) == data


class Basin:
    def __init__(self) -> None:
        self.data, self.dropped = b"", False

    def write(self, piece: memoryview) -> None:
        self.data += piece

    def drop(self) -> None:
        self.dropped = True


def test_a_data_set_goes_elsewhere_while_it_comes(ends: tuple[Link, Link]) -> None:
    left, right = ends
    left.peer_maximum = 134
    basin, other = Basin(), Basin()
    for data in (b"one" * 1000, b"two" * 1000):
        left.send(1, _WORDS, data)
    came = right.receive(lambda context, words: basin if (context, words["MessageID"]) == (1, 3) else None)
    assert came is not None and came.data == [] and came.sink is basin and not basin.dropped
    assert basin.data == b"one" * 1000
    untaken = right.receive(lambda *_: None)
    assert untaken is not None and untaken.data is not None and b"".join(untaken.data) == b"two" * 1000
    command = commands.encode({**_WORDS, "CommandDataSetType": 1})
    left.sock.sendall(_pdu(_piece(1, 3, command) + _piece(1, 0, b"half")))
    left.close()
    with pytest.raises(Ended):
        right.receive(lambda *_: other)
    assert other.data == b"half" and other.dropped


def test_a_message_without_a_data_set(ends: tuple[Link, Link]) -> None:
    left, right = ends
    left.send(1, {"CommandField": commands.C_ECHO_RQ, "MessageID": 1})
    came = right.receive()
    assert came is not None and came.data is None and came.size == 0


def test_command_and_data_in_one_pdu_and_two_messages_after_each_other(ends: tuple[Link, Link]) -> None:
    left, right = ends
    command = commands.encode({**_WORDS, "CommandDataSetType": 1})
    half = len(command) // 2
    both = _piece(1, 1, command[:half]) + _piece(1, 3, command[half:]) + _piece(1, 0, b"ab") + _piece(1, 2, b"c")
    left.sock.sendall(_pdu(both) + _pdu(both))
    for _ in range(2):
        came = right.receive()
        assert came is not None and came.data == [b"ab", b"c"]


def test_what_was_read_ahead_counts_as_waiting(ends: tuple[Link, Link]) -> None:
    left, right = ends
    assert not right.waiting()
    left.send(1, {"CommandField": commands.C_ECHO_RQ, "MessageID": 1})
    left.send(1, {"CommandField": commands.C_ECHO_RQ, "MessageID": 2})
    assert right.receive() is not None
    assert right.waiting()


def test_a_release_is_answered(ends: tuple[Link, Link]) -> None:
    import threading

    left, right = ends
    releasing = threading.Thread(target=left.release)
    releasing.start()
    assert right.receive() is None
    releasing.join(5)
    assert not releasing.is_alive()


def test_a_release_in_place_of_an_answer_ends_the_link(ends: tuple[Link, Link]) -> None:
    import threading

    left, right = ends
    left.send(1, {"CommandField": commands.C_ECHO_RQ, "MessageID": 2})
    assert right.answer().words["MessageID"] == 2
    releasing = threading.Thread(target=left.release)
    releasing.start()
    with pytest.raises(Ended, match="released by the peer before it answered"):
        right.answer()
    releasing.join(5)


def test_a_peer_that_hangs_up_ends_the_link(ends: tuple[Link, Link]) -> None:
    left, right = ends
    left.close()
    with pytest.raises(Ended, match="closed by the peer"):
        right.receive()


def test_an_abort_ends_the_link(ends: tuple[Link, Link]) -> None:
    left, right = ends
    left.abort()
    with pytest.raises(Ended, match="aborted"):
        right.receive()


def test_silence_ends_the_link(ends: tuple[Link, Link]) -> None:
    _, right = ends
    right.timeout_s = 0.01
    right.sock.settimeout(0.01)
    with pytest.raises(Ended, match=r"silent for 0\.01 s"):
        right.receive()


@pytest.mark.parametrize(
    ("sent", "kind", "match"),
    [
        (b"GET / HTTP/1.1\r\n\r\n", NotWhole, "PDU type 0x47"),
        (_pdu(b"", 4)[:2] + b"\xff\xff\xff\xff", LimitReached, "4294967295"),
        (struct.pack(">BBL", 1, 0, 10_000_000), LimitReached, "10000000"),
        (_pdu(struct.pack(">LBB", 500, 1, 3) + b"xx"), NotWhole, "runs past"),
        (_pdu(struct.pack(">LBB", 1, 1, 3) + b"xx"), NotWhole, "runs past"),
        (_pdu(b"\0\0"), NotWhole, "runs past"),
        (_pdu(_piece(9, 3, b"")), NotWhole, "context 9"),
        (_pdu(_piece(1, 2, b"abc")), NotWhole, "without a command"),
        (_pdu(_piece(1, 3, b"abc")), NotWhole, "breaks off"),
        (_pdu(_piece(1, 1, b"a" * 70_000)), LimitReached, "64 KiB"),
        (_pdu(b"\0\0\0\0", 6), NotWhole, "PDU type 6"),
    ],
)
def test_what_is_not_the_upper_layer_is_refused_and_aborted(
    ends: tuple[Link, Link], sent: bytes, kind: type[IsocenterError], match: str
) -> None:
    left, right = ends
    left.sock.sendall(sent)
    with pytest.raises(kind, match=match):
        right.receive()
    assert left.read_pdu()[0] == _ABORT


def test_a_data_set_over_the_limit_is_refused(ends: tuple[Link, Link]) -> None:
    left, right = ends
    right.largest_message = 1000
    left.send(1, _WORDS, b"x" * 1001)
    with pytest.raises(LimitReached, match="1000 bytes"):
        right.receive()


def test_a_data_set_of_crumbs_counts_as_the_memory_it_takes(ends: tuple[Link, Link]) -> None:
    left, right = ends
    right.largest_message = 10_000
    command = commands.encode({**_WORDS, "CommandDataSetType": 1})
    left.sock.sendall(_pdu(_piece(1, 3, command)) + _pdu(_piece(1, 0, b"x") * 200))
    with pytest.raises(LimitReached, match="10000 bytes"):
        right.receive()


def test_nagle_is_off(ends: tuple[Link, Link]) -> None:
    for end in ends:
        assert end.sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) != 0


def test_nobody_there_is_said_with_what_to_do() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Unavailable) as caught:
        connect("127.0.0.1", port, timeout_s=2)
    assert "Check address and port" in str(caught.value)
