"""The Minimal Lower Layer Protocol: HL7 messages in frames on a socket, with TLS where it is told to.

A frame begins with 0x0B and ends with 0x1C 0x0D. It has a time within which it must be whole and a size that it may not
exceed; whoever sends something else is hung up on. Source: HL7 version 2.5.1 appendix C; IHE ATNA for TLS.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Final

from isocenter.doors.faults import note
from isocenter.doors.port import Port
from isocenter.errors import IsocenterError, LimitReached, NoAnswer, NotWhole
from isocenter.forms.hl7 import LARGEST

__all__ = ["Frames", "MllpListener", "send"]

LOG: Final = logging.getLogger("isocenter.doors.mllp")
_BEGIN, _END = b"\x0b", b"\x1c\x0d"


class Frames:
    """Frames on one socket.

    Args:
        whole_s: within which time a frame that has begun must be whole.
        idle_s: longest silence between two frames.
    """

    def __init__(self, sock: socket.socket, *, whole_s: float, idle_s: float) -> None:
        self._sock, self._whole_s, self._idle_s = sock, whole_s, idle_s
        self._held = bytearray()

    def receive(self) -> bytes | None:
        """The next frame; None when the peer hung up between two.

        Raises:
            NotWhole: it does not begin as a frame, was cut, or was not whole in time.
            LimitReached: longer than a message may be.
        """
        begun: float | None = time.monotonic() if self._held else None
        seen = 0
        while True:
            end = self._held.find(_END, max(seen - 1, 0))
            if end >= 0:
                frame = bytes(self._held[1:end])
                del self._held[: end + 2]
                return frame
            if len(self._held) > LARGEST + 1:
                raise LimitReached(f"A frame of more than {LARGEST} bytes", "it never ended", "look at the sender")
            seen = len(self._held)
            left = self._idle_s if begun is None else begun + self._whole_s - time.monotonic()
            if left <= 0:
                raise NotWhole("A frame that was not whole in time", f"{self._whole_s:g} s are given", "")
            self._sock.settimeout(left)
            try:
                got = self._sock.recv(65_536)
            except TimeoutError:
                if begun is None:
                    return None
                raise NotWhole("A frame that was not whole in time", f"{self._whole_s:g} s are given", "") from None
            except OSError as error:
                raise NotWhole("A connection that broke", error.strerror or str(error), "") from None
            if not got:
                if self._held:
                    raise NotWhole("A frame that was cut", "the sender hung up within it", "it must send again")
                return None
            begun = begun or time.monotonic()
            self._held += got
            if not self._held.startswith(_BEGIN):
                raise NotWhole("Bytes outside of a frame", "a frame begins with 0x0B", "this port speaks MLLP")

    def send(self, message: bytes) -> None:
        """Send one frame.

        Raises:
            NoAnswer: the line is dead.
        """
        try:
            self._sock.settimeout(self._whole_s)
            self._sock.sendall(_BEGIN + message + _END)
        except OSError as error:
            raise NoAnswer("The line died", error.strerror or str(error)) from None


class MllpListener:
    """The HL7 port: one thread for each connection.

    Args:
        hear: takes a message and gives its acknowledgement.
        senders: addresses that may connect.
        tls: where the port speaks TLS.
        connections: most at once.
    """

    def __init__(
        self, hear: Callable[[bytes], bytes], *, host: str, port: int, senders: Collection[str],
        tls: ssl.SSLContext | None = None, connections: int = 16, whole_s: float = 30.0, idle_s: float = 3600.0,
    ) -> None:  # fmt: skip
        self._hear, self._senders, self._tls = hear, frozenset(senders), tls
        self._port = Port(host, port, kind="HL7", called=self._called)
        self._limit, self._whole_s, self._idle_s = connections, whole_s, idle_s
        self._open: dict[threading.Thread, socket.socket] = {}
        self._lock = threading.Lock()

    def start(self) -> int:
        """Listen; the port that was taken.

        Raises:
            Unavailable: it cannot be opened.
        """
        return self._port.open()

    def stop(self) -> None:
        """Take no more, let answers on their way be given, end all connections."""
        if not self._port.close():
            return
        with self._lock:
            still = dict(self._open)
        for connection in still.values():
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RD)
        for thread in still:
            thread.join(5)

    def _called(self, connection: socket.socket, address: str) -> None:
        with self._lock:
            full = len(self._open) >= self._limit
        if full or address not in self._senders:
            LOG.warning("HL7 connection from %s refused: %s", address, "too many" if full else "not listed")
            connection.close()
            return
        thread = threading.Thread(target=self._serve, args=(connection, address), name="mllp", daemon=True)
        with self._lock:
            self._open[thread] = connection
        thread.start()

    def _serve(self, plain: socket.socket, address: str) -> None:
        connection = plain
        try:
            connection.settimeout(self._whole_s)
            if self._tls is not None:
                connection = self._tls.wrap_socket(plain, server_side=True)
                with self._lock:
                    self._open[threading.current_thread()] = connection
            frames = Frames(connection, whole_s=self._whole_s, idle_s=self._idle_s)
            while not self._port.closing.is_set() and (message := frames.receive()) is not None:
                frames.send(self._hear(message))
        except (IsocenterError, OSError) as end:
            LOG.warning("HL7 connection from %s ended: %s", address, type(end).__name__)
        except Exception as error:
            note(LOG, error, f"an HL7 message from {address}")
        finally:
            with suppress(OSError):
                connection.close()
            with self._lock:
                self._open.pop(threading.current_thread(), None)


def send(host: str, port: int, message: bytes, *, tls: ssl.SSLContext | None = None, timeout_s: float = 30.0) -> bytes:
    """Send one message and wait for its acknowledgement.

    Raises:
        NoAnswer: nobody there, or no answer in time.
    """
    try:
        connection = socket.create_connection((host, port), timeout_s)
        with connection if tls is None else tls.wrap_socket(connection, server_hostname=host) as line:
            frames = Frames(line, whole_s=timeout_s, idle_s=timeout_s)
            frames.send(message)
            answer = frames.receive()
    except (OSError, NotWhole, LimitReached) as error:
        raise NoAnswer(f"{host}:{port} did not take an HL7 message", str(error), "it is sent again later") from None
    if answer is None:
        raise NoAnswer(f"{host}:{port} did not answer an HL7 message", "it hung up", "it is sent again later")
    return answer
