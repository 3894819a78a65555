"""The DICOM upper layer (PS3.8) on one blocking socket: whole messages in, whole messages out.

One thread holds one association and waits in the operating system, never in a polling loop; data sets pass as the bytes
that were sent. The PDUs that open an association are made in `association` and `negotiation`.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from isocenter.doors import commands
from isocenter.errors import IsocenterError, LimitReached, NoAnswer, NotWhole

__all__ = ["LARGEST_PDU", "Context", "Ended", "Link", "Message", "Sink", "connect"]

LARGEST_PDU: Final = 131_072
"""Bytes of one PDU that we ask for and send at most; the largest that DCMTK uses."""

_ROOM: Final = 4 * LARGEST_PDU
_LARGEST_REQUEST: Final = 262_144
_RQ, _AC, _RJ, _DATA, _RELEASE_RQ, _RELEASE_RP, _ABORT = range(1, 8)


class Ended(Exception):
    """The association is over: released, aborted or the line is dead. `str()` says which."""


@dataclass(frozen=True, slots=True)
class Context:
    """An accepted presentation context: what is spoken of, how it is encoded, and who may offer it.

    Args:
        id: odd number between 1 and 255.
        abstract: SOP Class UID.
        syntax: the one accepted Transfer Syntax UID.
        we_send: the peer accepts C-STORE requests of this class from us on this association (C-GET).
    """

    id: int
    abstract: str
    syntax: str
    we_send: bool = False


class Sink(Protocol):
    """Where the bytes of a data set go while they come."""

    def write(self, piece: memoryview) -> None:
        """Take the next bytes; they are good during this call only. What goes wrong is told later, not raised."""
        ...

    def drop(self) -> None:
        """The rest will not come: forget it."""
        ...


@dataclass(frozen=True, slots=True)
class Message:
    """One DIMSE message: the command's words, and the data set's bytes as sent (None where there is none).

    A data set that was taken by a sink while it came stands there and not in `data`.
    """

    context: int
    words: Mapping[str, Any]
    data: list[bytes] | None
    sink: Sink | None = None

    @property
    def size(self) -> int:
        """Bytes of the data set."""
        return sum(map(len, self.data)) if self.data else 0


@dataclass
class Link:
    """A connection that speaks PS3.8.

    Args:
        sock: connected socket; belongs to the Link from now on.
        timeout_s: longest silence that is suffered before the line counts as dead.
        largest_message: bytes of one data set before the association is aborted.
        peer_maximum: the peer's largest PDU, 0 for no limit; known after the association is made.
        contexts: accepted presentation contexts by id.
    """

    sock: socket.socket
    timeout_s: float
    largest_message: int = 4 * 2**30
    peer_maximum: int = 0
    contexts: dict[int, Context] = field(default_factory=dict)

    def __post_init__(self) -> None:
        # Nagle's algorithm makes every small answer wait some 40 ms for the peer's delayed acknowledgement.
        self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock.settimeout(self.timeout_s)
        self._buffer = bytearray(_ROOM)
        self._start = self._end = 0
        self.heard = time.monotonic()
        """When the last byte came."""
        self._pieces: deque[tuple[int, int, memoryview]] = deque()

    # reading

    def _fill(self, need: int) -> None:
        """Have at least `need` bytes in the buffer."""
        if len(self._buffer) - self._start < need:
            held = self._end - self._start
            room = self._buffer if need <= len(self._buffer) else bytearray(need)
            room[:held] = self._buffer[self._start : self._end]
            self._buffer, self._start, self._end = room, 0, held
        view = memoryview(self._buffer)
        while self._end - self._start < need:
            try:
                got = self.sock.recv_into(view[self._end :])
            except TimeoutError:
                self.abort()
                raise Ended(f"silent for {self.timeout_s:g} s") from None
            except OSError as error:
                raise Ended(f"connection lost ({error.strerror or error})") from None
            if not got:
                raise Ended("connection closed by the peer without release")
            self._end += got
            self.heard = time.monotonic()

    def read_pdu(self) -> tuple[int, memoryview]:
        """The next PDU: its type and its body; the view is good until the next read.

        Raises:
            NotWhole: not a PDU of PS3.8.
            LimitReached: longer than we ever offered to take.
            Ended: the line is dead.
        """
        self._fill(6)
        kind, _, length = struct.unpack_from(">BBL", self._buffer, self._start)
        if not _RQ <= kind <= _ABORT:
            self.abort(unrecognised=True)
            raise NotWhole(
                f"PDU type 0x{kind:02X}", "DICOM knows 1 to 7", "check that this port is meant: it speaks DICOM only"
            )
        if length > (_LARGEST_REQUEST if kind != _DATA else 8 * LARGEST_PDU):
            self.abort()
            raise LimitReached(
                f"A PDU of {length} bytes", f"{LARGEST_PDU} were offered", "set the sender's maximum PDU size lower"
            )
        self._fill(6 + length)
        body = memoryview(self._buffer)[self._start + 6 : self._start + 6 + length]
        self._start += 6 + length
        if self._start == self._end:
            self._start = self._end = 0
        return kind, body

    def _piece(self) -> tuple[int, int, memoryview] | None:
        """The next fragment: context, message control header, bytes. None when the peer released.

        The bytes are good until the next call.
        """
        while not self._pieces:
            kind, body = self.read_pdu()
            if kind == _DATA:
                at = 0
                while at < len(body):
                    length = int.from_bytes(body[at : at + 4], "big")
                    if length < 2 or at + 4 + length > len(body):
                        self.abort()
                        raise NotWhole("A fragment that runs past its PDU", "its length lies", "look at the sender")
                    self._pieces.append((body[at + 4], body[at + 5], body[at + 6 : at + 4 + length]))
                    at += 4 + length
            elif kind == _RELEASE_RQ:
                self._say(b"\x06\x00\x00\x00\x00\x04\x00\x00\x00\x00")
                return None
            elif kind == _ABORT:
                raise Ended("aborted by the peer")
            else:
                self.abort()
                raise NotWhole(f"PDU type {kind} amid an association", "it has no meaning here", "look at the sender")
        return self._pieces.popleft()

    def receive(self, sink_for: Callable[[int, Mapping[str, Any]], Sink | None] | None = None) -> Message | None:
        """The next whole message; None when the peer released the association.

        Args:
            sink_for: asked with presentation context and command of each message that brings a data set, whether that
                data set goes elsewhere while it comes; it stands in `Message.sink` then, and `Message.data` is empty.

        Raises:
            Ended, NotWhole, LimitReached: the association is over.
        """
        sinks: list[Sink] = []
        try:
            return self._message(sink_for, sinks)
        except BaseException:
            for sink in sinks:
                sink.drop()
            raise

    def answer(self) -> Message:
        """The next whole message, where one must come.

        Raises:
            Ended: the peer released the association instead. NotWhole, LimitReached: it is over.
        """
        message = self.receive()
        if message is None:
            raise Ended("released by the peer before it answered")
        return message

    def _message(
        self, sink_for: Callable[[int, Mapping[str, Any]], Sink | None] | None, sinks: list[Sink]
    ) -> Message | None:
        command = bytearray()
        words: dict[str, Any] | None = None
        sink: Sink | None = None
        data: list[bytes] = []
        size = 0
        while (piece := self._piece()) is not None:
            context, control, fragment = piece
            if context not in self.contexts:
                self.abort()
                raise NotWhole(f"Presentation context {context}", "it was never accepted", "look at the sender")
            if control & 1:
                command += fragment
                if len(command) > 65_536:
                    self.abort()
                    raise LimitReached("A command set over 64 KiB", "commands are a few hundred bytes", "")
                if control & 2:
                    try:
                        words = commands.decode(command)
                    except NotWhole:
                        self.abort()
                        raise
                    if words["CommandDataSetType"] == commands.NO_DATA:
                        return Message(context, words, None)
                    sink = sink_for(context, words) if sink_for is not None else None
                    if sink is not None:
                        sinks.append(sink)
                continue
            if words is None:
                self.abort()
                raise NotWhole("A data set without a command", "nobody said what to do with it", "look at the sender")
            if sink is None:
                data.append(bytes(fragment))
            else:
                sink.write(fragment)
            # A fragment of one byte costs far more than a byte of memory; it is counted as what it costs.
            size += max(len(fragment), 128)
            if size > self.largest_message:
                self.abort()
                raise LimitReached(
                    f"A data set over {self.largest_message} bytes", "it would fill the memory", "raise the limit"
                )
            if control & 2:
                return Message(context, words, data, sink)
        if sink is not None:
            sink.drop()
        return None

    def waiting(self) -> bool:
        """Whether something has come that was not read yet (a C-CANCEL, mostly)."""
        if self._pieces or self._end > self._start or (isinstance(self.sock, ssl.SSLSocket) and self.sock.pending()):
            return True
        return bool(select.select([self.sock], [], [], 0)[0])

    # writing

    def _say(self, data: bytes) -> None:
        try:
            self.sock.sendall(data)
        except OSError as error:
            raise Ended(f"connection lost ({error.strerror or error})") from None

    def send(self, context: int, words: Mapping[str, int | str], data: bytes | memoryview | None = None) -> None:
        """Send one message, cut to the peer's largest PDU. `CommandDataSetType` is set here."""
        limit = self.peer_maximum or LARGEST_PDU
        size = max(min(limit, LARGEST_PDU) - 6, 128)
        kind = commands.NO_DATA if data is None else 0x0001
        command = commands.encode({**words, "CommandDataSetType": kind})
        first = struct.pack(">BBLLBB", _DATA, 0, len(command) + 6, len(command) + 2, context, 3) + command
        if data is None:
            return self._say(first)
        view = memoryview(data)
        for at in range(0, max(len(view), 1), size):
            piece = view[at : at + size]
            last = 2 if at + size >= len(view) else 0
            head = struct.pack(">BBLLBB", _DATA, 0, len(piece) + 6, len(piece) + 2, context, last)
            self._say(b"".join((first, head, piece)))
            first = b""
        return None

    # ending

    def release(self) -> None:
        """Ask the peer to end the association in good order, wait for its yes, close."""
        with contextlib.suppress(Ended, IsocenterError):
            self._say(b"\x05\x00\x00\x00\x00\x04\x00\x00\x00\x00")
            while self.read_pdu()[0] not in (_RELEASE_RP, _ABORT):
                pass
        self.close()

    def abort(self, *, unrecognised: bool = False) -> None:
        """End the association at once and say so."""
        with contextlib.suppress(OSError):
            # Source 2, the service provider; reason 1 is "unrecognised PDU".
            self.sock.sendall(bytes((_ABORT, 0, 0, 0, 0, 4, 0, 0, 2, 1 if unrecognised else 0)))

    def secure(self, tls: ssl.SSLContext) -> None:
        """Answer a caller's TLS handshake before the first PDU.

        Raises:
            Ended: the caller speaks no TLS, too old a one, or shows no certificate that is trusted.
        """
        try:
            # Not at once: whoever limits the time of the handshake has to reach the socket meanwhile.
            made = tls.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False)
            self.sock = made
            made.do_handshake()
        except OSError as error:
            raise Ended(f"no TLS ({getattr(error, 'reason', None) or error.strerror or error})") from None

    def shown(self) -> frozenset[str] | None:
        """The names on the certificate that the caller showed, in small letters; None for a line without TLS."""
        if not isinstance(self.sock, ssl.SSLSocket):
            return None
        told: Mapping[str, Any] = self.sock.getpeercert() or {}
        named = [value for part in told.get("subject", ()) for key, value in part if key == "commonName"]
        also = [value for kind, value in told.get("subjectAltName", ()) if kind in ("DNS", "IP Address")]
        return frozenset(str(name).strip().lower() for name in (*named, *also))

    def hear_no_more(self) -> None:
        """Close the reading half: an answer that is still owed can be given."""
        # Not the method of a TLS socket, which would go on in plain text.
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RD)

    def wait_for_end(self, most_s: float) -> None:
        """Wait until the peer closes, a while at most: what is said last may be lost where we close first."""
        with contextlib.suppress(OSError):
            self.sock.settimeout(most_s)
            while self.sock.recv(4096):
                pass

    def close(self) -> None:
        """Close the socket; a thread that waits on it wakes with `Ended`."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.sock, socket.SHUT_RDWR)
        self.sock.close()


def connect(host: str, port: int, *, timeout_s: float, tls: ssl.SSLContext | None = None) -> Link:
    """Open a connection to a peer, under TLS where it is given.

    Raises:
        NoAnswer: nobody listens there, the name is unknown, or its certificate is not to be trusted.
    """
    try:
        sock = socket.create_connection((host, port), timeout_s)
        return Link(tls.wrap_socket(sock, server_hostname=host) if tls is not None else sock, timeout_s)
    except ssl.SSLError as error:
        raise NoAnswer(
            f"{host}:{port} cannot be trusted ({getattr(error, 'verify_message', '') or error.reason})",
            "nothing is sent to a peer that cannot prove who it is",
            "check the certificate of the peer, and the authorities in the settings",
        ) from None
    except OSError as error:
        raise NoAnswer(
            f"{host}:{port} does not answer ({error.strerror or error})",
            "nothing can be sent there",
            "check address and port, and that the peer is running",
        ) from None
