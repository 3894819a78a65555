from __future__ import annotations

import errno
import queue
import socket
from typing import Any

import pytest

from isocenter.doors.port import Port
from isocenter.errors import Unavailable


def test_calls_are_given_on_until_it_is_closed() -> None:
    came: queue.Queue[tuple[socket.socket, str]] = queue.Queue()
    port = Port("127.0.0.1", 0, kind="HL7", called=lambda *call: came.put(call))
    assert not port.close()
    number = port.open()
    with socket.create_connection(("127.0.0.1", number)):
        connection, address = came.get(timeout=10)
        connection.close()
    assert address == "127.0.0.1" and not port.closing.is_set()
    assert port.close() and not port.close() and port.closing.is_set()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", number))


def test_a_port_that_is_taken_says_what_to_do() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        taken = Port("127.0.0.1", other.getsockname()[1], kind="HL7", called=lambda *_: None)
        with pytest.raises(Unavailable, match="choose another HL7 port"):
            taken.open()
        assert not taken.close()


def test_a_call_that_fails_closes_no_door() -> None:
    class Failing:
        def __init__(self) -> None:
            self.left: list[Any] = [OSError(errno.EMFILE, "too many files"), ("connection", ("10.0.0.1", 104))]

        def accept(self) -> Any:
            if not self.left:
                port.closing.set()
                raise OSError(errno.EBADF, "closed")
            if isinstance(one := self.left.pop(0), OSError):
                raise one
            return one

    came: list[Any] = []
    port = Port("127.0.0.1", 0, kind="DICOM", called=lambda *call: came.append(call))
    port._accept(Failing())  # type: ignore[arg-type]
    assert came == [("connection", "10.0.0.1")]
