"""A disk that forgets: it notes every write, name and flush, and can say what is left after the power fails.

What was flushed stays. Of what was not, any part may be there: a write whole, torn at a sector, or not at all; a later
one without an earlier one; a name without the file that bore it before, or the old one. That is more than real disks
do, and an archive has to live with all of it.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from isocenter.store.disk import Disk

_SECTOR = 512


@dataclass
class _File:
    durable: bytes = b""
    pending: list[tuple[int, bytes]] = field(default_factory=list)

    def whole(self) -> bytes:
        return _written(self.durable, self.pending)


class ForgettingDisk(Disk):
    """The real disk with a memory of what it was told.

    Args:
        together: whether it says that its filesystem can be flushed as a whole.
        in_order: whether it says that the flush of a file keeps its name too.
        forgets: calls that are made and not noted, as a program would that leaves them out.
    """

    def __init__(
        self, *, together: bool = False, in_order: bool = False, forgets: frozenset[str] = frozenset()
    ) -> None:
        self.told: list[tuple[Any, ...]] = []
        self._together, self._in_order, self._forgets = together, in_order, forgets
        self._open: dict[int, tuple[Path, int]] = {}

    def _note(self, *what: Any) -> None:
        if what[0] not in self._forgets:
            self.told.append(what)

    def create(self, path: Path) -> int:
        descriptor = super().create(path)
        self._open[descriptor] = (path, 0)
        self._note("create", path)
        return descriptor

    def write(self, descriptor: int, data: memoryview) -> int:
        count = super().write(descriptor, data)
        path, at = self._open[descriptor]
        self._note("write", path, at, bytes(data[:count]))
        self._open[descriptor] = (path, at + count)
        return count

    def go_straight(self, descriptor: int, straight: bool) -> bool:
        return False

    def flush(self, descriptor: int) -> None:
        super().flush(descriptor)
        self._note("flush", self._open[descriptor][0], self._in_order)

    def keeps_names(self, folder: Path) -> bool:
        return self._in_order

    def flushes_all(self, folder: Path) -> bool:
        return self._together

    def flush_all(self, descriptor: int) -> None:
        self._note("flush_all")

    def open_to_flush(self, path: Path) -> int:
        descriptor = super().open_to_flush(path)
        self._open[descriptor] = (path, 0)
        return descriptor

    def name(self, temporary: Path, final: Path) -> None:
        super().name(temporary, final)
        self._named(temporary, final)

    def name_new(self, temporary: Path, final: Path) -> None:
        super().name_new(temporary, final)
        self._named(temporary, final)

    def _named(self, temporary: Path, final: Path) -> None:
        self._note("name", temporary, final)
        self._open = {d: (final if path == temporary else path, at) for d, (path, at) in self._open.items()}

    def remove(self, path: Path) -> None:
        super().remove(path)
        self._note("remove", path)


def left_after(told: list[tuple[Any, ...]], rng: random.Random) -> dict[Path, bytes]:
    """What lies on the disk when the power fails behind the last of these calls."""
    files: dict[Path, _File] = {}
    durable: dict[Path, _File] = {}
    pending: list[tuple[str, Path, _File | None]] = []
    for what, *about in told:
        if what == "create":
            files[about[0]] = _File()
            pending.append(("set", about[0], files[about[0]]))
        elif what == "write":
            files[about[0]].pending.append((about[1], about[2]))
        elif what == "name":
            one = files.pop(about[0])
            files[about[1]] = one
            pending += [("set", about[1], one), ("drop", about[0], None)]
        elif what == "remove":
            files.pop(about[0], None)
            pending.append(("drop", about[0], None))
        elif what == "flush_all":
            for one in files.values():
                one.durable, one.pending = one.whole(), []
            _settle(durable, pending)
            pending = []
        elif about[0] in files:
            one = files[about[0]]
            one.durable, one.pending = one.whole(), []
            if about[1]:
                _settle(durable, [p for p in pending if p[2] is one])
                pending = [p for p in pending if p[2] is not one]
        else:  # a folder: the names in it
            _settle(durable, [p for p in pending if p[1].parent == about[0]])
            pending = [p for p in pending if p[1].parent != about[0]]
    _settle(durable, [p for p in pending if rng.random() < 0.5])
    return {path: _written(one.durable, _some(one.pending, rng)) for path, one in durable.items()}


def _settle(names: dict[Path, _File], changes: list[tuple[str, Path, _File | None]]) -> None:
    for what, path, one in changes:
        if what == "set":
            assert one is not None
            names[path] = one
        else:
            names.pop(path, None)


def _some(pending: list[tuple[int, bytes]], rng: random.Random) -> list[tuple[int, bytes]]:
    kept = []
    for at, data in pending:
        fate = rng.randrange(3)
        if fate == 0:
            kept.append((at, data))
        elif fate == 1:
            kept.append((at, data[: rng.randrange(len(data) // _SECTOR + 1) * _SECTOR]))
    return kept


def _written(base: bytes, writes: list[tuple[int, bytes]]) -> bytes:
    out = bytearray(base)
    for at, data in writes:
        if data and len(out) < at:
            out.extend(b"\0" * (at - len(out)))
        out[at : at + len(data)] = data
    return bytes(out)
