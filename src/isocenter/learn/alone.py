"""One run for one folder: two trainings that write into the same one would mix their checkpoints and models."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from isocenter.errors import Conflict, Unavailable

__all__ = ["alone"]


@contextmanager
def alone(out: Path, mode: int = 0o777) -> Iterator[None]:
    """Hold a folder for one run; it is made where it is not there, and taken away where nothing came of it.

    The folder itself is locked, so that nothing lies in it that a run which was killed could leave behind: the kernel
    lets go with the process. File systems that lock no folders (some network ones) guard nothing.

    Args:
        mode: permissions of a folder that is made.

    Raises:
        Conflict: another run holds it. Unavailable: it cannot be made, or nothing can be written there.
    """
    made = [place for place in (out, *out.parents) if not place.exists()]
    try:
        out.mkdir(mode=mode, parents=True, exist_ok=True)
    except OSError as e:
        raise Unavailable(f"cannot make {out}", str(e), "choose another folder") from e
    if not os.access(out, os.W_OK):
        raise Unavailable(f"cannot write into {out}", "it is read-only, or another person's", "choose another folder")
    try:
        held = os.open(out, os.O_RDONLY | os.O_CLOEXEC)
    except PermissionError:  # who may not list it may still write into it
        held = -1
    try:
        if held >= 0:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as e:
                made.clear()
                raise Conflict(
                    f"another run writes into {out}", "the files of both would be mixed",
                    "wait for it, stop it, or name another --out",
                ) from e  # fmt: skip
            except OSError:  # no locks on this file system
                pass
        yield
    finally:
        with suppress(OSError):  # one holds something
            for place in made:
                place.rmdir()
        if held >= 0:
            os.close(held)
