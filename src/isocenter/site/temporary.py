"""Folders of one server that must not outlive it: each carries its process number, and a later start sweeps them."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path

__all__ = ["made", "sweep"]


def made(prefix: str, base: Path) -> Path:
    """A new folder of this process."""
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=base))


def sweep(prefix: str, base: Path) -> None:
    """Delete folders of servers that no longer live."""
    for left in base.glob(f"{prefix}*-*"):
        pid = left.name.removeprefix(prefix).split("-")[0]
        if pid.isdigit() and int(pid) != os.getpid() and not _lives(int(pid)):
            shutil.rmtree(left, ignore_errors=True)


def _lives(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True  # it lives, and is another's
    return True
