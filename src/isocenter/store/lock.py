"""One server for one folder: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from isocenter.errors import Unavailable

__all__ = ["FolderLock", "lives", "served_at"]


_GRACE_S, _STEP_S = 5.0, 0.05
_LONGEST = 512  # bytes of what a server says of itself


class FolderLock:
    """Held by the server of a folder as long as it lives; workers and commands beside it need none.

    Who was killed may hold it for a moment longer: a child that was being started has its open files until it runs
    something else. A server that takes the place of a dead one waits for that, and does not for one that lives.

    Args:
        pause: lets that many seconds pass.

    Raises:
        Unavailable: another process holds it; the message names its process number.
    """

    def __init__(self, folder: Path, *, pause: Callable[[float], None] = time.sleep) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "server.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        tries = round(_GRACE_S / _STEP_S)
        while not self._taken():
            holder = _said(os.pread(self._descriptor, _LONGEST, 0))[0]
            if tries and holder.isdigit() and not lives(int(holder)):
                tries -= 1
                pause(_STEP_S)
                continue
            os.close(self._descriptor)
            raise Unavailable(
                f"a second server on the same folder '{folder}'",
                f"process {holder or 'unknown'} serves it already",
                "stop that one, or give this one another folder",
            )
        self.say("")

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def say(self, address: str) -> None:
        """Tell commands beside this server where it is found (`served_at`)."""
        os.ftruncate(self._descriptor, 0)
        os.pwrite(self._descriptor, f"{os.getpid()}\n{address}\n".encode(), 0)

    def release(self) -> None:
        """Let another server take the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def served_at(folder: Path) -> str:
    """Where the server of a folder is found that lives now; empty where none does, or it has not said so."""
    try:
        holder, address = _said((folder / "server.lock").read_bytes()[:_LONGEST])
    except OSError:
        return ""
    return address if holder.isdigit() and lives(int(holder)) else ""


def _said(held: bytes) -> tuple[str, str]:
    """Number of the process and its address."""
    process, _, address = held.decode("ascii", "replace").partition("\n")
    return process.strip(), address.strip()


def lives(process: int) -> bool:
    """Whether a process of this number is there, whoever's it is."""
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
