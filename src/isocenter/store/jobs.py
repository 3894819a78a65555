"""Durable jobs: work that was promised is done, whatever is killed when.

A job is a named callable with plain arguments, kept by DBOS in SQLite or PostgreSQL. Inside it, `step` marks what must
not be done twice: a job whose worker was killed goes on at the step that was interrupted, with the answers of the
earlier steps as they were. What is not in a step is done again from its beginning. `progress` tells how far it is.

A job that mostly waits for another system (`waits`) has a queue of its own: it holds no worker of the others, and of
one slow system two run at a time, so that those of others go on.

Every worker keeps saying that it lives. When one falls silent, another puts its unfinished jobs back into the queue.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar

import sqlalchemy as sa

from isocenter.errors import NotFound, Refused, Unavailable, WrongState
from isocenter.record.states import JOB
from isocenter.record.states import step as next_state
from isocenter.store.jobs_text import PlainText
from isocenter.store.lease import Leases

if TYPE_CHECKING:
    from dbos import DBOSClient, WorkflowStatus

__all__ = ["Jobs", "progress", "step"]

T = TypeVar("T")

_QUEUE, _WAITING = "isocenter", "isocenter-waiting"
_QUEUES = [_QUEUE, _WAITING]
_AT_ONCE = 32  # promises of one key that are asked for together
_AT_ONCE, _OF_ONE = 8, 2  # jobs that wait at a time in one process; of these, for one system
_WORKFLOW = "isocenter_job"
_VERSION = "isocenter-jobs-1"  # DBOS goes on only with jobs of its own version: bump it when old jobs must not go on
_STATES = {
    "DELAYED": "waiting",
    "ENQUEUED": "waiting",
    "PENDING": "running",
    "SUCCESS": "done",
    "ERROR": "failed",
    "MAX_RECOVERY_ATTEMPTS_EXCEEDED": "failed",
    "CANCELLED": "cancelled",
}
_UNFINISHED = ["DELAYED", "ENQUEUED", "PENDING"]

_current: ContextVar[tuple[Jobs, str] | None] = ContextVar("isocenter_job", default=None)
_serving: Jobs | None = None


class Jobs:
    """The jobs of one archive: anyone may submit; a process that calls `start` works on them.

    Args:
        database_url: of the archive. Beside an SQLite archive the jobs have a file of their own, ``jobs.sqlite``; in
            PostgreSQL they share the database, in a schema of their own.
        executor: name of this process among the workers, another one at every start.
        run: kind of job -> what does it. Arguments and answers are plain JSON values.
        waits: kinds that mostly wait for another system.
        lease_s: how long a worker may be silent before its jobs are taken over. Clocks of the machines have to agree
            better than this.
        poll_s: how often a worker looks for new jobs.
        clock: seconds since 1970.

    Raises:
        Unavailable: the database cannot be reached.
    """

    def __init__(
        self,
        database_url: str,
        *,
        executor: str,
        run: Mapping[str, Callable[..., Any]],
        waits: Collection[str] = (),
        lease_s: float = 30.0,
        poll_s: float = 0.1,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from dbos import DBOSClient, run_dbos_database_migrations

        self._run, self._executor, self._poll_s = dict(run), executor, poll_s
        self._waits = frozenset(waits)
        self._url = _jobs_url(database_url)
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        logging.getLogger("dbos").setLevel(logging.CRITICAL)
        try:
            run_dbos_database_migrations(self._url)
            self.leases = Leases(self._url, executor, lease_s=lease_s, clock=clock)
            self._client: DBOSClient = DBOSClient(
                system_database_url=self._url, serializer=PlainText(), application_name="isocenter"
            )
        except (sa.exc.SQLAlchemyError, OSError) as error:
            raise Unavailable("the jobs cannot be kept", str(error), "see the setting `database`") from error
        self._lease_s = lease_s

    # ---- for everyone

    def submit(
        self, kind: str, *args: Any, key: str, delay_s: float = 0.0, priority: int = 5, again: bool = False,
        system: str = "",
    ) -> str:  # fmt: skip
        """Promise a job; returns its key. When this returns, the promise survives a crash.

        The same key is one job: while it waits for its delay, submitting it again pushes it back; later it changes
        nothing.

        Args:
            kind: a name that the workers know.
            args: plain JSON values.
            key: what makes it this job and no other, such as ``"plan:1.2.840…"``; without ``#``.
            delay_s: how long it stays quiet before it may start.
            priority: 1 goes first; equals go in the order of their coming.
            again: when the job of this key runs already or is finished, promise it once more; `state` then speaks of
                the new one. For what has to follow every change, such as planning a study that is still growing.
            system: for which system a job of a kind that `waits` waits.

        Raises:
            Refused: arguments that are not plain JSON, an unknown kind, or a priority below 1.
        """
        if kind not in self._run:
            raise Refused(
                f"a job of kind '{kind}'", f"known are {', '.join(sorted(self._run)) or 'none'}", "submit one of these"
            )
        if not key or "#" in key or priority < 1:
            why = "a key is not empty and has no '#'; priorities begin at 1"
            raise Refused(f"a job with key '{key}' and priority {priority}", why, "choose another key or priority")
        PlainText().serialize(list(args))
        turn, latest = self._latest(key)
        if latest is not None and (not again or _STATES[latest.status] == "waiting"):
            if delay_s > 0:
                self._client.set_workflow_delay(latest.workflow_id, delay_seconds=delay_s)
            return key
        options: dict[str, Any] = {
            "workflow_name": _WORKFLOW,
            "queue_name": self._queue_of(kind),
            "workflow_id": _id(key, turn + 1),
            "app_version": _VERSION,
            "priority": priority,
        }
        if kind in self._waits:
            options["queue_partition_key"] = system or kind
        if delay_s > 0:
            options["delay_seconds"] = delay_s
        self._client.enqueue(options, kind, list(args))  # type: ignore[arg-type]
        return key

    def state(self, key: str) -> dict[str, Any]:
        """Where a job stands.

        Returns:
            ``state`` (a word of `isocenter.record.states.JOB`), ``kind``, ``args``, ``answer`` (when done), ``reason``
            (when failed), ``progress`` (0 to 1, or None), ``words``, ``executor``.

        Raises:
            NotFound: no such job.
        """
        told = self._one(key)
        args = list((told.input or {"args": ("", [])})["args"])
        how_far, words = self.leases.note(told.workflow_id)
        return {
            "state": _STATES[told.status],
            "kind": args[0],
            "args": args[1],
            "answer": told.output,
            "reason": str(told.error) if told.error is not None else "",
            "progress": how_far,
            "words": words,
            "executor": told.executor_id or "",
        }

    def waiting(self) -> int:
        """Jobs that are not finished: waiting or running."""
        found = self._client.list_workflows(status=_UNFINISHED, queue_name=_QUEUES, load_input=False, load_output=False)
        return len(found)

    def ahead(self, prefix: str) -> int | None:
        """How many jobs run or go before the first whose key begins so; 0 while it runs itself, None when all are done.

        Those that wait for another system stand in nobody's way and are not counted. A job that is still to stay quiet
        goes after those that may start.
        """
        found = self._client.list_workflows(status=_UNFINISHED, queue_name=_QUEUE, load_input=False, load_output=False)
        order = ("PENDING", "ENQUEUED", "DELAYED")
        found.sort(key=lambda one: (order.index(one.status), one.priority or 0, one.created_at or 0))
        at = next((at for at, one in enumerate(found) if one.workflow_id.startswith(prefix)), None)
        return 0 if at is not None and found[at].status == "PENDING" else at

    def running(self, prefix: str) -> dict[str, float]:
        """How far each job is that runs now and whose key begins so, from 0 to 1; of those that told it."""
        found = self._client.list_workflows(
            status="PENDING", queue_name=_QUEUE, workflow_id_prefix=prefix, load_input=False, load_output=False
        )
        return self.leases.notes([one.workflow_id for one in found]) if found else {}

    def cancel(self, key: str) -> None:
        """Withdraw a job; a running one stops before its next step.

        Raises:
            NotFound: no such job.
            WrongState: it is finished.
        """
        next_state(JOB, self.state(key)["state"], "cancel")
        self._client.cancel_workflow(self._one(key).workflow_id)

    def retry(self, key: str) -> None:
        """Give a failed job another try, from its beginning.

        Raises:
            NotFound: no such job.
            WrongState: it has not failed.
        """
        next_state(JOB, self.state(key)["state"], "retry")
        one = self._one(key)
        self._client.rewind_workflow(
            one.workflow_id, application_version=_VERSION, queue_name=one.queue_name or _QUEUE,
            queue_partition_key=one.queue_partition_key,
        )  # fmt: skip

    def drain(self, timeout_s: float) -> None:
        """Wait until no job is unfinished.

        Raises:
            Unavailable: some still are after that time.
        """
        deadline = time.monotonic() + timeout_s
        while left := self.waiting():
            if time.monotonic() > deadline:
                raise Unavailable(f"{left} jobs are unfinished after {timeout_s:g} s", "a worker is slow or missing")
            time.sleep(min(0.05, timeout_s))

    # ---- for workers

    def start(self, *, concurrency: int) -> None:
        """Work on jobs, so many at a time, in threads of this process; returns at once.

        Jobs that wait for another system are none of these: eight of them are under way beside, two for one system.

        Raises:
            WrongState: this process works already (DBOS allows one worker in a process).
        """
        global _serving
        if _serving is not None:
            raise WrongState("a second worker in one process", "DBOS keeps one", "start another process")
        from dbos import DBOS

        self.leases.beat()
        DBOS(
            config={
                "name": "isocenter",
                "system_database_url": self._url,
                "application_version": _VERSION,
                "executor_id": self._executor,
                "log_level": "CRITICAL",  # a failed job is told by its state
                "enable_otlp": False,  # nothing leaves this machine
                "serializer": PlainText(),
                "use_listen_notify": False,
                # Nobody here waits for what it polls, so that it only sleeps; and a worker that stops waits for it.
                "notification_listener_polling_interval_sec": self._poll_s,
            }
        )
        _register()
        _serving = self
        self._stopped.clear()
        try:
            # Before the launch: of a queue that is new to the database DBOS would hear a second later.
            self._client.register_queue(
                _QUEUE, worker_concurrency=concurrency, polling_interval_sec=self._poll_s, on_conflict="always_update"
            )
            self._client.register_queue(
                _WAITING, worker_concurrency=_AT_ONCE, partition_worker_concurrency=_OF_ONE,
                polling_interval_sec=self._poll_s, on_conflict="always_update",
            )  # fmt: skip
            DBOS.launch()
        except BaseException:
            _serving = None
            DBOS.destroy()
            raise
        self._thread = threading.Thread(target=self._live, name="jobs-lease", daemon=True)
        self._thread.start()

    def stop(self, *, wait_s: int = 5) -> None:
        """Finish what runs (for at most `wait_s`), then work no more; what is left is taken over by others."""
        global _serving
        if _serving is self:
            from dbos import DBOS

            self._stopped.set()
            if self._thread is not None:
                self._thread.join()
            # DBOS waits a second before it first looks whether anything runs.
            DBOS.destroy(workflow_completion_timeout_sec=wait_s if self._works() else 0)
            self.leases.give_up()
            _serving = None

    def _works(self) -> bool:
        try:
            return bool(
                self._client.list_workflows(
                    status="PENDING",
                    executor_id=self._executor,
                    queue_name=_QUEUES,
                    load_input=False,
                    load_output=False,
                )
            )
        except (sa.exc.SQLAlchemyError, OSError):  # whoever cannot know waits
            return True

    def close(self) -> None:
        """Stop, and let go of the database."""
        self.stop()
        self._client.destroy()
        self.leases.close()

    def take_over(self) -> list[str]:
        """Put the jobs of silent workers back into the queue; returns their keys. Workers do this by themselves."""
        if not self.leases.may_reap():
            return []
        alive = self.leases.alive()
        running = self._client.list_workflows(status="PENDING", queue_name=_QUEUES, load_input=False, load_output=False)
        lost = [one for one in running if one.executor_id not in alive]
        for one in lost:
            next_state(JOB, "running", "lose")
            self._client.resume_workflow(one.workflow_id, queue_name=one.queue_name)
        return [one.workflow_id for one in lost]

    def _live(self) -> None:
        while not self._stopped.wait(self._lease_s / 4):
            with contextlib.suppress(sa.exc.SQLAlchemyError, OSError):  # an unreachable database is tried again
                self.leases.beat()
                self.take_over()

    def _queue_of(self, kind: str) -> str:
        return _WAITING if kind in self._waits else _QUEUE

    def _latest(self, key: str) -> tuple[int, WorkflowStatus | None]:
        """How often a key was promised, and the latest of these jobs.

        Asked by their numbers: what begins with a key would be looked for in every job that there ever was.
        """
        turn, latest = 0, None
        while turn % _AT_ONCE == 0:
            numbers = range(turn + 1, turn + 1 + _AT_ONCE)
            there = self._client.list_workflows(workflow_ids=[_id(key, number) for number in numbers])
            if not there:
                break
            turns = {one.workflow_id: one for one in there}
            turn = max(number for number in numbers if _id(key, number) in turns)
            latest = turns[_id(key, turn)]
        return turn, latest

    def _one(self, key: str) -> WorkflowStatus:
        _, latest = self._latest(key)
        if latest is None:
            raise NotFound(f"job '{key}'", "none was submitted under that key", "look at the jobs that there are")
        return latest

    def _do(self, key: str, kind: str, args: list[Any]) -> Any:
        work = self._run.get(kind)
        if work is None:
            raise Refused(
                f"a job of kind '{kind}'", "this worker does not know it", "start a worker of the same version"
            )
        token = _current.set((self, key))
        try:
            answer = work(*args)
            PlainText().serialize(answer)
            return answer
        finally:
            _current.reset(token)


def _id(key: str, turn: int) -> str:
    """Of the job that a key promises for the n-th time, from 1."""
    return key if turn == 1 else f"{key}#{turn}"


def step(name: str, work: Callable[..., T], *args: Any) -> T:
    """Do one part of a job, and remember its answer, so that after a crash it is not done again.

    Outside a job it is a plain call. Answers are plain JSON values.

    >>> step("add", lambda a, b: a + b, 1, 2)
    3
    """
    if _current.get() is None:
        return work(*args)
    from dbos import DBOS

    return DBOS.run_step({"name": name}, work, *args)


def progress(fraction: float, words: str = "") -> None:
    """Tell how far the running job is, from 0 to 1; outside a job it does nothing.

    Raises:
        Refused: a fraction outside 0 to 1.
    """
    if not 0.0 <= fraction <= 1.0:
        raise Refused(f"progress {fraction}", "it lies between 0 and 1", "tell a share of the whole")
    current = _current.get()
    if current is not None:
        jobs, key = current
        jobs.leases.write_note(key, fraction, words)


def _register() -> None:
    from dbos import DBOS

    @DBOS.workflow(name=_WORKFLOW)
    def isocenter_job(kind: str, args: list[Any]) -> Any:
        assert _serving is not None
        return _serving._do(str(DBOS.workflow_id), kind, args)


def _jobs_url(database_url: str) -> str:
    url = sa.make_url(database_url)
    if url.get_backend_name() == "sqlite":
        if not url.database:
            raise Refused("jobs in memory", "a promise must survive its process", "name a file")
        from pathlib import Path

        file = Path(url.database).resolve().parent / "jobs.sqlite"
        file.parent.mkdir(parents=True, exist_ok=True)
        return f"sqlite:///{file}"
    if url.get_backend_name() == "postgresql":
        return url.set(drivername="postgresql+psycopg").render_as_string(hide_password=False)
    raise Refused(f"the database '{url}'", "it is neither SQLite nor PostgreSQL", "see the setting `database`")
