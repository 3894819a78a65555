"""What a server knows of the hand-outs it makes, on disk: a folder each, with what was asked, how far it is, the file.

A server that is killed finds them again. Only one server keeps such a folder at a time: the lock is the system's own
and goes with the process, however it ends.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from isocenter import wholly
from isocenter.errors import Unavailable

__all__ = ["Ledger"]

_TOLD = "asked.json"


class Ledger:
    """The folder of one server's hand-outs.

    Raises:
        Unavailable: another server keeps it, or it cannot be written.
    """

    def __init__(self, folder: Path) -> None:
        self.folder, self._turn = folder, threading.Lock()  # who makes copies writes, and who asks after them
        try:
            folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            self._lock = os.open(folder / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as taken:
            raise Unavailable(
                f"the hand-outs in {folder}", taken.strerror or "another server keeps them", "serve from one server"
            ) from taken

    def place(self, id: str) -> Path:
        """The folder of one hand-out; made where it is not there."""
        made = self.folder / id
        made.mkdir(exist_ok=True, mode=0o700)
        return made

    def write(self, id: str, told: Mapping[str, Any]) -> None:
        """Keep how one stands: the whole of it or what stood before, whenever the power goes."""
        with self._turn:
            wholly.write(self.place(id) / _TOLD, json.dumps(told, ensure_ascii=False))

    def kept(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Every hand-out that an earlier server left, the oldest first; what tells nothing of itself is deleted."""
        found = []
        for place in (p for p in self.folder.iterdir() if p.is_dir()):
            try:
                told = json.loads((place / _TOLD).read_text("utf-8"))
                found.append((str(told["begun"]), place.name, told))
            except (OSError, ValueError, KeyError, TypeError):
                shutil.rmtree(place, ignore_errors=True)
        for _, id, told in sorted(found, key=lambda one: one[:2]):
            yield id, told

    def close(self) -> None:
        """Let another server keep it."""
        os.close(self._lock)
