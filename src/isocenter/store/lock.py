"""One server for one folder: a lock that the kernel lets go of when its holder dies."""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from isocenter.errors import Unavailable

__all__ = ["FolderLock"]


class FolderLock:
    """Held by the server of a folder as long as it lives; workers and commands beside it need none.

    Raises:
        Unavailable: another process holds it; the message names its process number.
    """

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / "server.lock"
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        try:
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            holder = os.read(self._descriptor, 32).decode("ascii", "replace").strip() or "unknown"
            os.close(self._descriptor)
            raise Unavailable(
                f"a second server on the same folder '{folder}'",
                f"process {holder} serves it already",
                "stop that one, or give this one another folder",
            ) from None
        os.ftruncate(self._descriptor, 0)
        os.write(self._descriptor, f"{os.getpid()}\n".encode())

    def release(self) -> None:
        """Let another server take the folder."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1
