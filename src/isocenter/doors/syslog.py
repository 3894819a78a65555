"""Audit messages to a collector: syslog over TLS (RFC 5424 and 5425, DICOM PS3.15 A.6, IHE ITI-20).

Syslog has no acknowledgement: what was written may lie in a buffer when the collector dies, and under TLS 1.3 a
collector that does not trust us says so after we have written. So every batch has a connection of its own, which we end
first. Every byte must have arrived while the collector's side was open, and then it must close in order: one that
closes before it has read everything resets the connection. Whether it kept what it read, it alone knows.
"""

from __future__ import annotations

import contextlib
import select
import socket
import ssl
import struct
import sys
import time
from collections.abc import Sequence

from isocenter.errors import NoAnswer

__all__ = ["send"]


def send(
    host: str, port: int, messages: Sequence[bytes], *, tls: ssl.SSLContext | None = None, timeout_s: float = 30.0
) -> None:
    """Give messages to a collector, each behind its length, and wait until it has read them.

    Args:
        messages: each as RFC 5424 writes it, without a line end.

    Raises:
        NoAnswer: nobody there, no trust between us, or a connection that did not end in order.
    """
    try:
        connection = socket.create_connection((host, port), timeout_s)
        with connection if tls is None else tls.wrap_socket(connection, server_hostname=host) as line:
            line.sendall(b"".join(b"%d %s" % (len(message), message) for message in messages))
            _arrived(line, timeout_s)
            if isinstance(line, ssl.SSLSocket):
                line.setblocking(False)
                with contextlib.suppress(ssl.SSLWantReadError, ssl.SSLEOFError):  # our last word; not all have one
                    line.unwrap()
                line.settimeout(timeout_s)
            line.shutdown(socket.SHUT_WR)
            while line.recv(4096):
                pass
    except OSError as error:
        raise NoAnswer(
            f"the audit collector {host}:{port} did not take the journal", error.strerror or str(error),
            "entries stay owed and are sent again",
        ) from None  # fmt: skip


def _arrived(line: socket.socket, timeout_s: float) -> None:
    """Wait until the other machine has every byte; Linux tells how many are on their way.

    Raises:
        OSError: it closed before.
    """
    if sys.platform != "linux":
        return
    import fcntl
    import termios

    ends = select.poll()
    ends.register(line, select.POLLRDHUP)  # also where words of TLS wait unread before that end
    until = time.monotonic() + timeout_s
    while struct.unpack("i", fcntl.ioctl(line, termios.TIOCOUTQ, bytes(4)))[0]:
        if time.monotonic() > until:
            raise TimeoutError("it did not take everything in time")
        if ends.poll(10):  # milliseconds, after which the question is asked again
            break
    if ends.poll(0):
        raise ConnectionResetError("it closed before it had everything")
