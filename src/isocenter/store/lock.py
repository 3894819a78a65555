"""One server for one folder: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path

from isocenter.errors import Unavailable

__all__ = ["FolderLock"]


_GRACE_S, _STEP_S = 5.0, 0.05


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
            holder = os.pread(self._descriptor, 32, 0).decode("ascii", "replace").strip()
            if tries and holder.isdigit() and not _lives(int(holder)):
                tries -= 1
                pause(_STEP_S)
                continue
            os.close(self._descriptor)
            raise Unavailable(
                f"a second server on the same folder '{folder}'",
                f"process {holder or 'unknown'} serves it already",
                "stop that one, or give this one another folder",
            )
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def _taken(self) -> bool:
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return False
        return True

    def release(self) -> None:
        """Let another server take the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:  # somebody else's
        return True
    return True
