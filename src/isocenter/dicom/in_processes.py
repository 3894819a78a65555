"""Many files read and worked on at once: parcels of them go to processes, and answers come back in the same order."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any, TypeVar

from isocenter.errors import IsocenterError

__all__ = ["Given", "each", "one_by_one"]

Given = Path | bytes | IsocenterError
"""A file by its place, by its bytes where it has none of its own (in an archive), or why it cannot be read."""

Answer = TypeVar("Answer")
Group = TypeVar("Group")
_Sent = deque[tuple[list[tuple[str, Path | bytes]], Future[list[Answer]]]]
_TOGETHER, _BYTES_TOGETHER = 16, 8 << 20  # files, and bytes of members of an archive, that go to a worker at once
_AHEAD = 3  # such parcels that wait for each worker: memory stays bounded
_FEW = 24  # so few are done before a second process has started


def each(
    files: Iterable[tuple[str, Given]], work: Callable[[Sequence[tuple[str, Path | bytes]]], list[Answer]], workers: int
) -> Iterator[tuple[str, Given, Answer | IsocenterError]]:
    """What became of each file, in their order; `work` answers for some files at once, in a process of its own."""
    pool: ProcessPoolExecutor | None = None
    waiting: _Sent[Answer] = deque()
    parcel: list[tuple[str, Path | bytes]] = []
    begun = False

    def sent() -> Iterator[tuple[str, Given, Answer | IsocenterError]]:
        """Give the parcel to a worker, and take what came back where enough wait."""
        nonlocal pool, parcel, begun
        pool = pool or ProcessPoolExecutor(workers, mp_context=_processes())
        begun = begun or (len(waiting) > 0 and waiting[0][1].done())
        if begun or len(waiting) < workers:
            answers = pool.submit(work, parcel)
        else:  # until the others have started, which takes as long as hundreds of images do, it is done here
            answers = Future()
            answers.set_result(work(parcel))
        waiting.append((parcel, answers))
        parcel = []
        while begun and len(waiting) > _AHEAD * workers:
            yield from _back(waiting)

    try:
        size = 0
        for number, (name, given) in enumerate(files):
            if isinstance(given, IsocenterError):
                yield name, given, given
            elif workers < 2 or number < _FEW:
                yield name, given, work([(name, given)])[0]
            else:
                parcel.append((name, given))
                size = (size if len(parcel) > 1 else 0) + (len(given) if isinstance(given, bytes) else 0)
                if len(parcel) >= _TOGETHER or size >= _BYTES_TOGETHER:
                    yield from sent()
        if parcel:
            yield from sent()
        while waiting:
            yield from _back(waiting)
    finally:
        if pool is not None:
            pool.shutdown(cancel_futures=True)


def one_by_one(groups: Iterable[Group], work: Callable[[Group], Answer], workers: int) -> Iterator[Answer]:
    """What became of each group, in their order, one to a process; few wait, for a group may be large."""
    waiting: deque[Future[Answer]] = deque()
    pool = ProcessPoolExecutor(workers, mp_context=_processes())
    try:
        for group in groups:
            waiting.append(pool.submit(work, group))
            if len(waiting) > workers:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _back(waiting: _Sent[Answer]) -> Iterator[tuple[str, Given, Answer | IsocenterError]]:
    parcel, future = waiting.popleft()
    return ((name, given, answer) for (name, given), answer in zip(parcel, future.result(), strict=True))


def _processes() -> Any:
    """Children of a quiet process that has loaded what cleans: they begin in milliseconds."""
    context = get_context("forkserver" if sys.platform != "win32" else "spawn")
    if sys.platform != "win32":
        context.set_forkserver_preload(["isocenter.dicom.release", "isocenter.dicom.cleaning_once"])
    return context
