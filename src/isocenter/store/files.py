"""The files of a content-addressed store in one local folder: written, flushed and named, one by one or many at once.

The blob of name ``ab12…`` lies at ``ab/ab12…``. What is being written lies in a folder of its own under a name that
nobody reads; what a process that has died left there is removed when the store is opened again.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from isocenter.errors import Refused, Unavailable
from isocenter.store.disk import Disk, make_durable, unavailable
from isocenter.store.incoming import Incoming
from isocenter.store.straight import Straight

__all__ = ["DIGEST", "SEALED", "Files", "place_of"]

DIGEST = re.compile(r"[0-9a-f]{64}")
"""How a blob is named."""
SEALED = ".sealed"
"""What stands behind the digest where the blob is sealed."""
_INCOMING = ".incoming"
_LIFE = secrets.token_hex(4)  # tells this process from an earlier one that had the same number
_TURN = itertools.count()
_LARGE = 1 << 17  # bytes from which on a file is written past the page cache; results are smaller, and read at once
_TOGETHER = 4  # files from which on a flush of the filesystem takes less than one for each of them
_WRITERS = 4  # threads that write large files side by side
Given = bytes | bytearray | Incoming


class Files:
    """The files of one folder.

    Args:
        folder: made where it is not there.
        disk: the system calls.
        side_by_side: does a piece of work on each of many, and raises the first failure when all have ended.

    Raises:
        Unavailable: the folder cannot be made.
    """

    def __init__(
        self, folder: Path, disk: Disk, side_by_side: Callable[[Callable[[Any], Any], Iterable[Any]], list[Any]]
    ) -> None:
        self.folder, self._disk, self._map = folder, disk, side_by_side
        self._suspect: set[str] = set()
        self._prepare(folder)
        self._together = disk.flushes_all(folder)
        self._names_first = disk.keeps_names(folder)

    def keep(self, new: Mapping[str, Given]) -> None:
        """Write files under their names; durable on return.

        Raises:
            Unavailable: the disk said no; some may be there.
        """
        try:
            if self._together and len(new) >= _TOGETHER:
                self._write_together(self.folder, new)
            else:
                shards = set(self._map(self._write, new.items())) - {None}
                self._map(self.flush, sorted(filter(None, shards)))
        except Unavailable:
            # A flush that failed once is never believed later: the kernel may have dropped the pages meanwhile.
            self._suspect.update(new)
            raise
        self._suspect.difference_update(new)

    def doubt(self, names: Iterable[str]) -> None:
        """Have these files written anew by the next `keep`, even where something of their size is there."""
        self._suspect.update(names)

    def remove(self, name: str) -> None:
        """Remove a file for good.

        Raises:
            OSError, Unavailable: the disk said no.
        """
        place = self.folder / place_of(name)
        self._disk.remove(place)
        self.flush(place.parent)

    def beginning(self, name: str, count: int) -> bytes:
        """The first bytes of a file.

        Raises:
            Unavailable: it cannot be read.
        """
        try:
            with (self.folder / place_of(name)).open("rb") as file:
                return file.read(count)
        except OSError as error:
            raise unavailable(error, "blob could not be read") from error

    def aside(self) -> Path:
        """A name that nobody reads, and that is known again after a crash."""
        return self.folder / _INCOMING / f"{os.getpid()}-{_LIFE}-{next(_TURN)}"

    def _prepare(self, folder: Path) -> None:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / _INCOMING).mkdir(exist_ok=True)
            _sweep(folder / _INCOMING)
            # All at once and before the first image: one flush makes them durable, not one flush for each of them.
            there = {entry.name for entry in folder.iterdir()}
            for shard in (f"{n:02x}" for n in range(256)):
                if shard not in there:
                    self._disk.make_folder(folder / shard)
        except OSError as error:
            raise unavailable(error, f"the folder '{folder}' cannot hold images") from error
        self.flush(folder)
        self.flush(folder.parent)

    def _write(self, item: tuple[str, Given]) -> Path | None:
        """Write, flush and name one file; the folder whose flush its name still wants, None where it wants none."""
        name, data = item
        final = self.folder / place_of(name)
        if isinstance(data, Incoming):
            return self._finish(data, final)
        if name not in self._suspect and _holds(final, data):
            self.flush(final)
            return None if self._names_first else final.parent
        temporary = self.aside()
        try:
            descriptor = self._disk.create(temporary)
            try:
                self._fill(descriptor, data)
                named = make_durable(self._disk, descriptor, temporary, final, in_order=self._names_first)
                return None if named else final.parent
            finally:
                self._disk.close(descriptor)
        except OSError as error:
            with contextlib.suppress(OSError):
                self._disk.remove(temporary)
            raise unavailable(error, "the image could not be stored") from error

    def _write_together(self, folder: Path, new: Mapping[str, Given]) -> None:
        """Write, name and flush them all at once, each as `make_durable` does with one."""
        unnamed: dict[Path, tuple[Path, Incoming | None]] = {}
        named: list[Path] = []
        try:
            # Opened before the first byte: it is told of every page that cannot be written from now on.
            whole = self._disk.open_to_flush(folder)
            try:
                self._fill_all(folder, new, unnamed)
                if self._names_first:
                    self._name_what_is_new(unnamed, named)
                self._disk.flush_all(whole)
                if unnamed:
                    for place, (final, incoming) in list(unnamed.items()):
                        self._disk.name(place, final)
                        del unnamed[place]
                        if incoming is not None:
                            incoming.named()
                    self._disk.flush_all(whole)
            finally:
                self._disk.close(whole)
        except OSError as error:
            for place, (_, incoming) in unnamed.items():
                with contextlib.suppress(OSError):
                    incoming.drop() if incoming is not None else self._disk.remove(place)
            for final in named:  # nobody may take it for what was flushed
                with contextlib.suppress(OSError):
                    self._disk.remove(final)
            raise unavailable(error, "the images could not be stored") from error

    def _fill_all(
        self, folder: Path, new: Mapping[str, Given], unnamed: dict[Path, tuple[Path, Incoming | None]]
    ) -> None:
        """Write each that is not there yet under a name that nobody reads; `unnamed` has which it shall bear."""
        filling: list[tuple[Path, bytes | bytearray]] = []
        for name, data in new.items():
            final = folder / place_of(name)
            if isinstance(data, Incoming):
                assert data.place is not None
                unnamed[data.place] = final, data
                data.write_out()
            elif name in self._suspect or not _holds(final, data):
                place = self.aside()
                unnamed[place] = final, None
                filling.append((place, data))
        # Past the page cache every write waits for the device, which does several as fast as one.
        if all(len(data) >= _LARGE for _, data in filling):
            self._map(self._fill_some, [part for n in range(_WRITERS) if (part := filling[n::_WRITERS])])
        else:
            self._fill_some(filling)

    def _name_what_is_new(self, unnamed: dict[Path, tuple[Path, Incoming | None]], named: list[Path]) -> None:
        """Name those whose name nobody bears: the one flush that follows keeps both. The others stay `unnamed`."""
        for place, (final, incoming) in list(unnamed.items()):
            if final.exists():
                continue
            with contextlib.suppress(FileExistsError):  # another thread was faster, and has promised it perhaps
                self._disk.name_new(place, final)
                named.append(final)
                del unnamed[place]
                if incoming is not None:
                    incoming.named()

    def _finish(self, incoming: Incoming, final: Path) -> Path | None:
        assert incoming.place is not None
        try:
            file = incoming.finish()
            named = make_durable(self._disk, file, incoming.place, final, in_order=self._names_first)
        except OSError as error:
            incoming.drop()
            raise unavailable(error, "the image could not be stored") from error
        incoming.named()
        return None if named else final.parent

    def _fill(self, descriptor: int, data: bytes | bytearray) -> None:
        """Write the whole of a file; a large one past the page cache."""
        Straight(self._disk, descriptor, worth=len(data) >= _LARGE).write(memoryview(data))

    def _fill_some(self, some: Iterable[tuple[Path, bytes | bytearray]]) -> None:
        for temporary, data in some:
            descriptor = self._disk.create(temporary)
            try:
                # The device is not told of each: the flush of all hands it what is left in one go, for half the price.
                self._fill(descriptor, data)
            finally:
                self._disk.close(descriptor)

    def flush(self, path: Path) -> None:
        """Have the disk keep a file or folder.

        Raises:
            Unavailable: it does not.
        """
        try:
            descriptor = self._disk.open_to_flush(path)
            try:
                self._disk.flush(descriptor)
            finally:
                self._disk.close(descriptor)
        except OSError as error:
            raise unavailable(error, "the disk did not confirm what was written") from error


def place_of(name: str) -> str:
    """Where the blob of a name lies, in every kind of store.

    Raises:
        Refused: it is no name of a blob.
    """
    if not DIGEST.fullmatch(name.removesuffix(SEALED)):
        raise Refused(
            f"'{name:.80}'", "a blob is named by 64 hexadecimal digits and nothing else", "give the whole digest"
        )
    return f"{name[:2]}/{name}"


def _holds(path: Path, data: bytes | bytearray) -> bool:
    """Whether exactly these bytes lie there already; a torn file from before a crash does not count."""
    try:
        return path.stat().st_size == len(data) and path.read_bytes() == data
    except OSError:
        return False


def _sweep(incoming: Path) -> None:
    """Remove what a process that has died was still writing; nobody was told of it."""
    for left in incoming.iterdir():
        writer, _, life = left.name.partition("-")
        if not writer.isdigit() or not _alive(int(writer), life.split("-")[0]):
            left.unlink(missing_ok=True)


def _alive(pid: int, life: str) -> bool:
    if pid == os.getpid():
        return life == _LIFE
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # it lives, under another account
    return True
