"""Who among the workers lives, and how far their jobs are."""

from __future__ import annotations

from collections.abc import Callable, Collection

import sqlalchemy as sa
from sqlalchemy import event, exc

__all__ = ["Leases"]

_metadata = sa.MetaData()
_lease = sa.Table(
    "isocenter_lease",
    _metadata,
    sa.Column("executor", sa.Text(), primary_key=True),
    sa.Column("holder", sa.Text(), nullable=False),
    sa.Column("beat", sa.Float(), nullable=False),
)
_note = sa.Table(
    "isocenter_progress",
    _metadata,
    sa.Column("job", sa.Text(), primary_key=True),
    sa.Column("fraction", sa.Float(), nullable=False),
    sa.Column("words", sa.Text(), nullable=False),
)
_REAPER = "#reaper"


class Leases:
    """One row a worker, renewed while it lives; and the right to take over from the dead, which one has at a time.

    Args:
        url: of the jobs' database.
        executor: this worker.
        lease_s: silence after which a worker counts as dead.
        clock: seconds since 1970.
    """

    def __init__(self, url: str, executor: str, *, lease_s: float, clock: Callable[[], float]) -> None:
        self._executor, self._lease_s, self._clock = executor, lease_s, clock
        sqlite = url.startswith("sqlite")
        self._engine = sa.create_engine(url, connect_args={"timeout": 30.0} if sqlite else {})
        if sqlite:
            event.listen(self._engine, "connect", lambda c, _: c.execute("PRAGMA journal_mode = WAL"))
        try:
            _metadata.create_all(self._engine)
        except exc.DBAPIError:  # two processes that start at once make the tables together; the second looks again
            _metadata.create_all(self._engine)

    def beat(self) -> None:
        """Say that this worker lives."""
        self._put(_lease, {"executor": self._executor}, {"holder": self._executor, "beat": self._clock()})

    def give_up(self) -> None:
        """Say that this worker has ended, so that nobody waits for its silence."""
        with self._engine.begin() as connection:
            connection.execute(_lease.delete().where(_lease.c.executor == self._executor))

    def alive(self) -> set[str]:
        """Workers that were heard of within the lease."""
        fresh = _lease.c.beat > self._clock() - self._lease_s
        with self._engine.connect() as connection:
            return set(connection.execute(sa.select(_lease.c.executor).where(fresh)).scalars()) - {_REAPER}

    def beat_of(self, executor: str) -> float:
        """When a worker was last heard of; 0 where it never was."""
        with self._engine.connect() as connection:
            beat = connection.execute(sa.select(_lease.c.beat).where(_lease.c.executor == executor)).scalar()
        return float(beat or 0.0)

    def may_reap(self) -> bool:
        """Whether this worker is the one that looks after the dead, for one lease from now on."""
        now, c = self._clock(), _lease.c
        mine_or_nobodys = (c.holder == self._executor) | (c.beat <= now - self._lease_s)
        claim = _lease.update().where((c.executor == _REAPER) & mine_or_nobodys)
        with self._engine.begin() as connection:
            if connection.execute(claim, {"holder": self._executor, "beat": now}).rowcount:
                return True
        try:
            with self._engine.begin() as connection:
                connection.execute(_lease.insert(), {"executor": _REAPER, "holder": self._executor, "beat": now})
        except exc.IntegrityError:
            return False
        return True

    def write_note(self, job: str, fraction: float, words: str) -> None:
        """Keep how far a job is."""
        self._put(_note, {"job": job}, {"fraction": fraction, "words": words})

    def note(self, job: str) -> tuple[float | None, str]:
        """How far a job is, and in which words; (None, "") before it said anything."""
        with self._engine.connect() as connection:
            row = connection.execute(sa.select(_note.c.fraction, _note.c.words).where(_note.c.job == job)).first()
        return (row.fraction, row.words) if row is not None else (None, "")

    def notes(self, jobs: Collection[str]) -> dict[str, float]:
        """How far each of these jobs is; those that said nothing yet are left out."""
        asked = sa.select(_note.c.job, _note.c.fraction).where(_note.c.job.in_(list(jobs)))
        with self._engine.connect() as connection:
            return {job: float(fraction) for job, fraction in connection.execute(asked)}

    def close(self) -> None:
        """Let go of the database."""
        self._engine.dispose()

    def _put(self, table: sa.Table, key: dict[str, str], values: dict[str, object]) -> None:
        (name, value), *_ = key.items()
        with self._engine.begin() as connection:
            if not connection.execute(table.update().where(table.c[name] == value), values).rowcount:
                connection.execute(table.insert(), {**key, **values})
