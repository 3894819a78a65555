"""Jobs: a promise is kept once, whatever is killed; a step that was done is not done again."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from jobs_worker import ALLOWED_TO_GO_ON

from fresh_database import fresh_database
from isocenter.errors import NotFound, Refused, Unavailable, WrongState
from isocenter.record.states import JOB
from isocenter.store.jobs import _QUEUES, _STATES, Jobs, progress, step

HERE = Path(__file__).parent


class Work:
    """What the jobs of these tests do, and what they did."""

    def __init__(self) -> None:
        self.done: list[Any] = []
        self.broken = True
        self.entered, self.go = threading.Event(), threading.Event()

    def add(self, a: int, b: int) -> int:
        self.done.append(a)
        progress(0.25, "adding")
        return step("add", lambda: a + b)

    def fail(self) -> str:
        if self.broken:
            raise Refused("the dose is missing", "SUV needs it", "send it again")
        return "mended"

    def hold(self) -> None:
        progress(0.5)
        self.entered.set()
        assert self.go.wait(20)
        step("after", self.done.append, "after")

    def odd(self) -> object:
        return object()


@pytest.fixture
def work() -> Work:
    return Work()


def with_jobs(url: str) -> None:
    Jobs(url, executor="nobody", run={}).close()


@pytest.fixture(params=["sqlite", "postgres"])
def jobs(request: pytest.FixtureRequest, tmp_path: Path, work: Work) -> Iterator[Jobs]:
    run = {name: getattr(work, name) for name in ("add", "fail", "hold", "odd")}
    with fresh_database(request.param, tmp_path, with_jobs) as url:
        one = Jobs(url, executor="A", run=run)
        yield one
        work.go.set()
        one.close()


def eventually(what: Callable[[], Any], seconds: float = 60.0) -> Any:
    deadline = time.monotonic() + seconds
    while not (answer := what()):
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)
    return answer


def test_a_promise_waits_and_is_kept(jobs: Jobs, work: Work) -> None:
    assert jobs.submit("add", 1, 2, key="k") == "k"
    told = jobs.state("k")
    assert (told["state"], told["kind"], told["args"], told["progress"]) == ("waiting", "add", [1, 2], None)
    assert jobs.waiting() == 1 and work.done == []
    jobs.start(concurrency=2)
    jobs.drain(30)
    told = jobs.state("k")
    assert (told["state"], told["answer"], told["progress"], told["words"]) == ("done", 3, 0.25, "adding")
    assert told["executor"] == "A" and jobs.waiting() == 0


def test_a_worker_of_a_new_archive_hears_of_its_queues_at_once(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    """DBOS looks for queues at its launch, and then a second later: the first job waited for that."""
    from dbos import DBOS

    known: list[str] = []
    launch = DBOS.launch
    monkeypatch.setattr(DBOS, "launch", lambda: (known.extend(q.name for q in jobs._client.list_queues()), launch()))
    jobs.start(concurrency=1)
    assert sorted(known) == sorted(_QUEUES)


def test_the_same_key_is_one_job(jobs: Jobs, work: Work) -> None:
    for n in range(5):
        jobs.submit("add", n, 0, key="k")
    jobs.start(concurrency=4)
    jobs.drain(30)
    jobs.submit("add", 9, 0, key="k")
    jobs.drain(30)
    assert work.done == [0] and jobs.state("k")["answer"] == 0


def test_the_urgent_go_first_and_equals_in_order(jobs: Jobs, work: Work) -> None:
    for n, priority in enumerate((5, 3, 1, 4, 2, 3)):
        jobs.submit("add", 10 * priority + n, 0, key=f"k{n}", priority=priority)
    jobs.start(concurrency=1)
    jobs.drain(60)
    assert work.done == [12, 24, 31, 35, 43, 50]


def test_how_many_go_before_one_is_known(jobs: Jobs, work: Work) -> None:
    for key, urgent, delay in (("a:1", 5, 0.0), ("a:2", 5, 3600.0), ("a:3", 5, 0.0), ("a:4", 1, 0.0), ("b:5", 5, 0.0)):
        jobs.submit("hold", key=key, priority=urgent, delay_s=delay)
    assert [jobs.ahead(key) for key in ("a:4", "a:1", "a:3", "b:", "a:2", "a:", "c")] == [0, 1, 2, 3, 4, 0, None]
    jobs.start(concurrency=1)
    assert work.entered.wait(30)
    assert [jobs.ahead(key) for key in ("a:4", "a:1", "b:5")] == [0, 1, 3], (
        "what runs is before them, and before itself is none"
    )
    jobs.cancel("a:2")
    work.go.set()
    jobs.drain(30)
    assert jobs.ahead("a:1") is None


def test_how_far_those_are_that_run_is_known(jobs: Jobs, work: Work) -> None:
    for key in ("a:1", "a:2", "b:3"):
        jobs.submit("hold", key=key)
    assert jobs.running("a:") == {}
    jobs.start(concurrency=3)
    assert eventually(lambda: len(jobs.running("a:")) == 2) and jobs.running("a:") == {"a:1": 0.5, "a:2": 0.5}
    work.go.set()
    jobs.drain(30)
    assert jobs.running("") == {}, "what is done runs no more, however far it said that it was"


def test_a_job_stays_quiet_for_its_delay_and_is_pushed_back(jobs: Jobs, work: Work) -> None:
    jobs.submit("add", 1, 1, key="plan", delay_s=0.01)
    jobs.submit("add", 1, 1, key="plan", delay_s=3600)  # another image arrived meanwhile
    jobs.submit("add", 2, 2, key="other")
    jobs.start(concurrency=1)
    eventually(lambda: jobs.state("other")["state"] == "done")
    assert jobs.state("plan")["state"] == "waiting" and work.done == [2]
    jobs.submit("add", 1, 1, key="plan", delay_s=0.01)
    jobs.drain(30)
    assert work.done == [2, 1]


def test_what_has_to_follow_every_change_is_promised_again(jobs: Jobs, work: Work) -> None:
    jobs.submit("hold", key="plan", again=True)
    jobs.start(concurrency=2)
    assert work.entered.wait(30)
    for _ in range(3):  # images come while it runs: one more, and only one
        jobs.submit("hold", key="plan", again=True, delay_s=0.01)
    work.go.set()
    jobs.drain(30)
    assert work.done == ["after", "after"]
    jobs.submit("hold", key="plan")
    assert jobs.waiting() == 0
    jobs.submit("hold", key="plan", again=True, delay_s=3600)
    assert jobs.state("plan")["state"] == "waiting"
    jobs.cancel("plan")
    assert jobs.state("plan")["state"] == "cancelled" and jobs.waiting() == 0


def test_the_latest_of_many_promises_of_a_key_is_found(jobs: Jobs, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("isocenter.store.jobs._AT_ONCE", 2)
    jobs.submit("add", 0, 0, key="keys")  # another that begins alike
    for n in range(1, 6):
        jobs.submit("add", n, 0, key="key", again=True)
        assert jobs.state("key")["args"] == [n, 0]
        jobs.submit("add", 9, 9, key="key", again=True)  # it waits, and stays the one
        assert jobs.state("key")["args"] == [n, 0]
        jobs.cancel("key")
    assert jobs.state("key")["state"] == "cancelled" and jobs.waiting() == 1


def test_a_failure_keeps_its_three_sentences_and_may_be_tried_again(jobs: Jobs, work: Work) -> None:
    jobs.submit("fail", key="k")
    jobs.start(concurrency=1)
    jobs.drain(30)
    told = jobs.state("k")
    assert (told["state"], told["reason"]) == ("failed", "the dose is missing: SUV needs it. Send it again.")
    work.broken = False
    jobs.retry("k")
    jobs.drain(30)
    assert (jobs.state("k")["state"], jobs.state("k")["answer"]) == ("done", "mended")
    with pytest.raises(WrongState, match="'retry' is not possible in state 'done'"):
        jobs.retry("k")


def test_an_answer_that_is_not_plain_fails(jobs: Jobs) -> None:
    jobs.submit("odd", key="k")
    jobs.start(concurrency=1)
    jobs.drain(30)
    assert "not plain JSON" in jobs.state("k")["reason"]


def test_a_running_job_that_is_withdrawn_stops_before_its_next_step(jobs: Jobs, work: Work) -> None:
    jobs.submit("hold", key="k")
    jobs.submit("add", 1, 1, key="never", delay_s=3600)
    jobs.cancel("never")
    assert jobs.state("never")["state"] == "cancelled"
    jobs.start(concurrency=1)
    assert work.entered.wait(30)
    assert jobs.state("k")["state"] == "running"
    jobs.cancel("k")
    work.go.set()
    jobs.drain(30)
    assert jobs.state("k")["state"] == "cancelled" and work.done == []
    with pytest.raises(WrongState):
        jobs.cancel("k")


def test_what_cannot_be_promised_is_refused(jobs: Jobs) -> None:
    with pytest.raises(Refused, match="known are add, fail, hold, odd"):
        jobs.submit("dance", key="k")
    with pytest.raises(Refused, match="not plain JSON"):
        jobs.submit("add", object(), key="k")
    with pytest.raises(Refused, match="not plain JSON"):
        jobs.submit("add", float("nan"), key="k")
    for wrong in ({"key": ""}, {"key": "k#2"}, {"key": "k", "priority": 0}):
        with pytest.raises(Refused, match="a key is not empty"):
            jobs.submit("add", 1, 2, **wrong)
    with pytest.raises(NotFound):
        jobs.state("k")
    assert jobs.waiting() == 0


def test_drain_says_what_is_left(jobs: Jobs) -> None:
    jobs.submit("add", 1, 2, key="k")
    with pytest.raises(Unavailable, match=r"1 jobs are unfinished after 0\.05 s"):
        jobs.drain(0.05)


def test_one_worker_in_a_process(jobs: Jobs) -> None:
    jobs.start(concurrency=1)
    with pytest.raises(WrongState, match="second worker"):
        jobs.start(concurrency=1)
    jobs.stop()
    jobs.start(concurrency=1)  # after it stopped, it may start again
    jobs.submit("add", 1, 2, key="k")
    jobs.drain(30)
    assert jobs.state("k")["answer"] == 3


def test_what_waits_for_a_slow_system_holds_no_worker_and_holds_up_no_other_system(
    database_url: str, work: Work
) -> None:
    entered: list[str] = []

    def fetch(system: str) -> str:
        entered.append(system)
        assert work.go.wait(60)
        return system

    jobs = Jobs(database_url, executor="A", run={"fetch": fetch, "add": work.add}, waits=("fetch",))
    for n in range(4):
        jobs.submit("fetch", "SLOW", key=f"slow{n}", system="SLOW")
    jobs.submit("fetch", "OTHER", key="other", system="OTHER")
    jobs.start(concurrency=1)
    try:
        eventually(lambda: sorted(entered) == ["OTHER", "SLOW", "SLOW"])
        for n in range(3):
            jobs.submit("add", n, n, key=f"add{n}")
        eventually(lambda: all(jobs.state(f"add{n}")["state"] == "done" for n in range(3)))
        assert sorted(entered) == ["OTHER", "SLOW", "SLOW"] and jobs.waiting() == 5
    finally:
        work.go.set()
    jobs.drain(60)
    assert sorted(entered) == ["OTHER", *["SLOW"] * 4]
    jobs.close()


def test_outside_a_job_steps_are_plain_calls() -> None:
    assert step("x", lambda a: a + 1, 1) == 2
    progress(0.5)
    with pytest.raises(Refused, match="between 0 and 1"):
        progress(1.5)


def test_every_state_stands_in_the_table_of_states() -> None:
    assert set(_STATES.values()) == {state for state, _ in JOB} | {state for _, state in JOB.values()}


def test_jobs_in_memory_are_refused() -> None:
    for url, why in (("sqlite://", "must survive"), ("mysql://x/y", "neither")):
        with pytest.raises(Refused, match=why):
            Jobs(url, executor="A", run={})


class Worker:
    def __init__(self, url: str, executor: str, folder: Path, lease_s: float) -> None:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE / "jobs_worker.py"), url, executor, str(folder), str(lease_s)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.said: list[str] = []

    def wait_until_it_works(self) -> None:
        assert self.process.stdout is not None
        while (line := self.process.stdout.readline()) != "works\n":
            assert line, "the worker ended by itself"
            self.said.append(line)

    def end(self) -> list[str]:
        out, _ = self.process.communicate(timeout=60)
        return [*self.said, *out.splitlines()]


@pytest.fixture
def worker(database_url: str, tmp_path: Path) -> Iterator[Callable[..., Worker]]:
    made: list[Worker] = []

    def make(executor: str, lease_s: float = 1.0) -> Worker:
        made.append(Worker(database_url, executor, tmp_path, lease_s))
        return made[-1]

    yield make
    for one in made:
        one.process.kill()
        one.process.communicate()


def lines_of(log: Path) -> list[str]:
    return log.read_text().splitlines() if log.exists() else []


# By day each database with one of the two kinds of job, by night each with both.
@pytest.mark.parametrize(
    ("database_url", "waits"),
    [
        pytest.param("sqlite", (), id="sqlite-works"),
        pytest.param("postgres", ("three_steps",), id="postgres-waits for another system"),
        pytest.param("postgres", (), id="postgres-works", marks=pytest.mark.nightly),
        pytest.param("sqlite", ("three_steps",), id="sqlite-waits for another system", marks=pytest.mark.nightly),
    ],
    indirect=["database_url"],
)
def test_a_killed_workers_job_goes_on_elsewhere_at_the_interrupted_step(
    database_url: str, tmp_path: Path, worker: Callable[..., Worker], waits: tuple[str, ...]
) -> None:
    jobs, log = Jobs(database_url, executor="server", run={"three_steps": len}, waits=waits), tmp_path / "log"
    jobs.submit("three_steps", "a", key="a", system="PACS")
    first = worker("first")
    eventually(lambda: lines_of(log) == ["a first", "a middle"])
    assert jobs.state("a")["words"] == "in the middle" and jobs.state("a")["executor"] == "first"
    first.process.send_signal(signal.SIGKILL)
    first.process.wait()
    second = worker("second")
    eventually(lambda: len(lines_of(log)) == 3)
    (tmp_path / ALLOWED_TO_GO_ON).touch()
    jobs.drain(60)
    told = jobs.state("a")
    assert (told["state"], told["executor"]) == ("done", "second")
    assert told["answer"] == ["a first", "a middle", "a last"]
    assert lines_of(log) == ["a first", "a middle", "a middle", "a last"]
    second.end()
    jobs.close()


def test_the_living_keep_their_jobs(database_url: str, tmp_path: Path, worker: Callable[..., Worker]) -> None:
    """A job that runs longer than the lease is not taken from a worker that still says that it lives."""
    jobs, log = Jobs(database_url, executor="server", run={"three_steps": len}), tmp_path / "log"
    jobs.submit("three_steps", "a", key="a")
    one, two = worker("one"), worker("two")
    for each in (one, two):
        each.wait_until_it_works()
    eventually(lambda: len(lines_of(log)) == 2)
    began = {name: jobs.leases.beat_of(name) for name in ("one", "two")}
    eventually(lambda: all(jobs.leases.beat_of(name) > began[name] + 2.5 for name in began))
    (tmp_path / ALLOWED_TO_GO_ON).touch()
    jobs.drain(60)
    assert lines_of(log) == ["a first", "a middle", "a last"]
    jobs.close()


def test_a_worker_talks_to_nobody(database_url: str, tmp_path: Path, worker: Callable[..., Worker]) -> None:
    if database_url.startswith("postgresql"):
        pytest.skip("there it talks to its database")
    jobs = Jobs(database_url, executor="server", run={"three_steps": len})
    (tmp_path / ALLOWED_TO_GO_ON).touch()
    one = worker("one")
    one.wait_until_it_works()
    jobs.submit("three_steps", "a", key="a")
    jobs.drain(60)
    assert [line for line in one.end() if "connects" in line] == [] and one.process.returncode == 0
    jobs.close()
