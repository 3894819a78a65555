"""Folders of one server that must not outlive it: each carries its process number, and a later start sweeps them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

from isocenter.store.lock import lives

__all__ = ["made", "sweep"]


def made(prefix: str, base: Path) -> Path:
    """A new folder of this process."""
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))


def sweep(prefix: str, base: Path) -> None:
    """Delete folders of servers that no longer live."""
    for left in base.glob(f"{prefix}*-*"):
        pid = left.name.removeprefix(prefix).split("-")[0]
        if pid.isdigit() and int(pid) != os.getpid() and not lives(int(pid)):
            shutil.rmtree(left, ignore_errors=True)
