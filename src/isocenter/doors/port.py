"""A TCP port and the thread that takes its calls: what the DICOM port and the HL7 port have in common."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import Final

from isocenter.doors.faults import note
from isocenter.errors import Unavailable

__all__ = ["Port"]

LOG: Final = logging.getLogger("isocenter.doors.port")


class Port:
    """One port that is listened on.

    Args:
        host, port: where; port 0 takes a free one.
        kind: what is spoken there, in words for people.
        called: is given each connection, which is its own from then on, and the caller's address. It must not wait: no
            other call is taken meanwhile.
    """

    def __init__(self, host: str, port: int, *, kind: str, called: Callable[[socket.socket, str], None]) -> None:
        self._host, self._port, self._kind, self._called = host, port, kind, called
        self._socket: socket.socket | None = None
        self.closing = threading.Event()
        """Set when no more calls are taken."""

    def open(self) -> int:
        """Listen; the port that was taken.

        Raises:
            Unavailable: the port is in use, or not ours to take.
        """
        sock = socket.socket(socket.AF_INET6 if ":" in self._host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((self._host, self._port))
            sock.listen(128)
        except OSError as error:
            sock.close()
            raise Unavailable(
                f"Port {self._port} on {self._host} cannot be opened ({error.strerror or error})",
                "another program listens there, perhaps a second Isocenter, or the address is not this machine's",
                f"stop it or choose another {self._kind} port in the settings",
            ) from None
        self._socket = sock
        name = f"{self._kind.lower()}-accept"
        self._accepting = threading.Thread(target=self._accept, args=(sock,), name=name, daemon=True)
        self._accepting.start()
        return int(sock.getsockname()[1])

    def close(self) -> bool:
        """Take no more calls; whether any were taken until now. When this returns, `called` is not running."""
        sock, self._socket = self._socket, None
        if sock is None:
            return False
        self.closing.set()
        with suppress(OSError):
            sock.shutdown(socket.SHUT_RDWR)
        sock.close()
        self._accepting.join()
        return True

    def _accept(self, sock: socket.socket) -> None:
        while True:
            try:
                connection, address = sock.accept()
            except OSError as error:
                if self.closing.is_set():
                    return
                # Out of file descriptors, or a peer that hung up at once: neither may close the door, nor make it spin.
                note(LOG, error, f"accepting a connection of {self._kind}")
                self.closing.wait(0.1)
                continue
            self._called(connection, str(address[0]))
