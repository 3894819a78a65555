"""Work goes to processes as soon as there are any, and until then is done here; everything once and in order."""

from __future__ import annotations

import os
import threading
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from isocenter.dicom import in_processes
from isocenter.dicom.in_processes import Given, Processes
from isocenter.errors import Refused


def marked(place: Path, parcel: Sequence[tuple[str, Path | bytes]]) -> list[str]:
    """Who worked on it; a second time would be refused."""
    for name, _ in parcel:
        (place / name).open("xb").close()
    return [f"{name} by {threading.current_thread().name} of {os.getpid()}" for name, _ in parcel]


def one_marked(place: Path, name: str) -> str:
    return marked(place, [(name, b"")])[0]


def marked_beside(worked: threading.Event, place: Path, name: str) -> str:
    """As above; here only once a worker has taken one, for this thread might do all of them before."""
    if threading.current_thread() is threading.main_thread():
        assert worked.wait(60)
    else:
        worked.set()
    return one_marked(place, name)


FILES: list[tuple[str, Given]] = [(f"{n:03}", b"x") for n in range(170)]


def test_every_file_is_worked_on_once_and_comes_back_in_its_order(tmp_path: Path) -> None:
    broken = Refused("a file", "it is odd")
    given = [*FILES[:60], ("odd", broken), *FILES[60:]]
    with Processes(2) as processes:
        found = list(processes.each(given, partial(marked, tmp_path)))
        heads = list(processes.one_by_one([f"head {n}" for n in range(6)], partial(one_marked, tmp_path)))
    assert [name for name, _, _ in found if name != "odd"] == [name for name, _ in FILES]
    assert [answer for name, _, answer in found if name == "odd"] == [broken]
    assert all(str(answer).startswith(name) for name, _, answer in found if name != "odd")
    assert [one.split(" by ")[0] for one in heads] == [f"head {n}" for n in range(6)]
    assert len(list(tmp_path.iterdir())) == 176


class Late:
    """A pool that has no process until it is told so."""

    def __init__(self, workers: int, mp_context: Any = None) -> None:
        self.pool, self.ready = ThreadPoolExecutor(workers, thread_name_prefix="worker"), threading.Event()
        in_processes._last = self  # type: ignore[attr-defined]

    def submit(self, work: Any, *given: Any) -> Future[Any]:
        assert self.ready.wait(60)
        return self.pool.submit(work, *given)

    def shutdown(self, **_: Any) -> None:
        self.pool.shutdown()


def test_until_a_process_has_started_all_is_done_here_and_then_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(in_processes, "ProcessPoolExecutor", Late)
    monkeypatch.setattr(in_processes, "_last", None, raising=False)
    with Processes(2) as processes:
        before = [str(answer) for _, _, answer in processes.each(FILES, partial(marked, tmp_path))]
        heads = list(processes.one_by_one(["a", "b", "c", "d"], partial(one_marked, tmp_path)))
        assert len(before) == 170 and all("by MainThread" in one for one in (*before, *heads))
        late: Late = in_processes._last  # type: ignore[attr-defined]
        late.ready.set()
        assert processes._asking is not None
        processes._asking.submit(int).result()  # the first has been asked for
        beside = partial(marked_beside, threading.Event(), tmp_path)
        last = list(processes.one_by_one([f"z{n}" for n in range(40)], beside))
    assert [one.split(" by ")[0] for one in last] == [f"z{n}" for n in range(40)] and "by worker" in "".join(last)


def refuses(parcel: Sequence[tuple[str, Path | bytes]]) -> list[str]:
    raise Refused("the disk", "it is full")


@pytest.mark.parametrize("workers", [1, 2])
def test_what_ends_the_work_is_told_and_no_process_stays(workers: int) -> None:
    with pytest.raises(Refused, match="it is full"), Processes(workers) as processes:
        list(processes.each(FILES, refuses))


def test_few_files_start_no_process(tmp_path: Path) -> None:
    with Processes(2) as processes:
        found = list(processes.each(FILES[:24], partial(marked, tmp_path)))
        assert processes._pool is None and len(found) == 24
