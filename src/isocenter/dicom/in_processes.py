"""Many files read and worked on at once: parcels of them go to processes, and answers come back in the same order.

Processes take seconds to start, as long as hundreds of images take to clean. Until they have started this process does
the work itself, also what was already meant for them.
"""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from types import TracebackType
from typing import Any, Generic, TypeVar

from isocenter.errors import IsocenterError

__all__ = ["Given", "Processes"]

Given = Path | bytes | IsocenterError
"""A file by its place, by its bytes where it has none of its own (in an archive), or why it cannot be read."""

Answer = TypeVar("Answer")
Group = TypeVar("Group")
_Parcel = list[tuple[str, Path | bytes]]
_TOGETHER, _BYTES_TOGETHER = 16, 8 << 20  # files, and bytes of members of an archive, that go to a worker at once
_AHEAD = 3  # such parcels that wait for each worker: memory stays bounded
_FEW = 24  # so few are done before a second process has started


class Processes:
    """Processes that work, started when there is more than a few files to do; one or none is this process alone.

    Args:
        workers: processes.
        loaded: modules that each of them needs besides what cleans; they are loaded once for all.
    """

    def __init__(self, workers: int, loaded: Sequence[str] = ()) -> None:
        self._workers, self._loaded = workers, loaded
        self._pool: ProcessPoolExecutor | None = None
        self._asking: ThreadPoolExecutor | None = None

    def __enter__(self) -> Processes:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, fault: BaseException | None, where: TracebackType | None
    ) -> None:
        if self._pool is not None and self._asking is not None:
            self._asking.shutdown(cancel_futures=True)
            self._pool.shutdown(cancel_futures=True)

    def each(
        self, files: Iterable[tuple[str, Given]], work: Callable[[Sequence[tuple[str, Path | bytes]]], list[Answer]]
    ) -> Iterator[tuple[str, Given, Answer | IsocenterError]]:
        """What became of each file, in their order, and at once of one that cannot be read; `work` answers for some."""
        waiting: deque[tuple[_Parcel, _Sent[list[Answer]]]] = deque()
        parcel: _Parcel = []
        size = 0
        for number, (name, given) in enumerate(files):
            if isinstance(given, IsocenterError):
                yield name, given, given
            elif self._workers < 2 or number < _FEW:
                yield name, given, work([(name, given)])[0]
            else:
                parcel.append((name, given))
                size = (size if len(parcel) > 1 else 0) + (len(given) if isinstance(given, bytes) else 0)
                if len(parcel) >= _TOGETHER or size >= _BYTES_TOGETHER:
                    waiting.append((parcel, self._sent(work, parcel)))
                    parcel = []
                    while len(waiting) > _AHEAD * self._workers:
                        yield from _back(waiting)
        if parcel:
            waiting.append((parcel, self._sent(work, parcel)))
        while waiting:
            yield from _back(waiting)

    def one_by_one(self, groups: Iterable[Group], work: Callable[[Group], Answer]) -> Iterator[Answer]:
        """What became of each group, in their order, one to a process; few wait, for a group may be large."""
        waiting: deque[_Sent[Answer]] = deque()
        for group in groups:
            if self._workers < 2:
                yield work(group)
                continue
            waiting.append(self._sent(work, group))
            if len(waiting) > self._workers:
                yield waiting.popleft().answer()
        while waiting:
            yield waiting.popleft().answer()

    def _sent(self, work: Callable[[Any], Answer], what: Any) -> _Sent[Answer]:
        if self._pool is None or self._asking is None:
            self._pool = ProcessPoolExecutor(self._workers, mp_context=_processes(self._loaded))
            # To ask for a process waits until the first has started: another thread does.
            self._asking = ThreadPoolExecutor(1)
            self._asking.submit(self._pool.submit, _here)
        return _Sent(work, what, self._asking.submit(self._pool.submit, work, what))


class _Sent(Generic[Answer]):
    """What is handed to a process as soon as there is one."""

    def __init__(self, work: Callable[[Any], Answer], what: Any, asked: Future[Future[Answer]]) -> None:
        self._work, self._what, self._asked = work, what, asked

    def answer(self) -> Answer:
        """What came back; worked out here where no process has taken it yet."""
        return self._work(self._what) if self._asked.cancel() else self._asked.result().result()


def _here() -> None:
    """Nothing: the first that a pool is asked for."""


def _back(
    waiting: deque[tuple[_Parcel, _Sent[list[Answer]]]],
) -> Iterator[tuple[str, Given, Answer | IsocenterError]]:
    parcel, sent = waiting.popleft()
    return ((name, given, answer) for (name, given), answer in zip(parcel, sent.answer(), strict=True))


def _processes(loaded: Sequence[str]) -> Any:
    """Children of a quiet process that has loaded what cleans: they begin in milliseconds."""
    context = get_context("forkserver" if sys.platform != "win32" else "spawn")
    if sys.platform != "win32":
        context.set_forkserver_preload(["isocenter.dicom.release", "isocenter.dicom.cleaning_once", *loaded])
    return context
