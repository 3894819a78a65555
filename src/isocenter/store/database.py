"""The database of one archive: SQLite in one file, or PostgreSQL by address, with the same behaviour.

Every change goes through `Database.write`. Callers that come while a transaction is being made durable wait together,
and the next transaction carries all of them: five scanners that send at once pay for one flush of the disk, not five
(group commit). A caller is answered only after the transaction that carries its change is on disk.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Generic, TypeVar, cast

import sqlalchemy as sa
from sqlalchemy import exc

from isocenter.errors import Refused, Unavailable
from isocenter.store import migrations
from isocenter.store.lock import FolderLock
from isocenter.store.statements import Statement

__all__ = ["Database"]

T = TypeVar("T")
X = TypeVar("X")
Joint = Callable[[sa.Connection, Sequence[X]], Sequence[T]]
"""The work of several callers done as one: an item of each in, the value of each out, in the same order."""

_BEGIN_TO_READ, _BEGIN_TO_WRITE = Statement(sa.text("BEGIN")), Statement(sa.text("BEGIN IMMEDIATE"))

_PATIENCE_S = 30  # for another process that writes
_LOOKERS = 4  # connections that are kept for `look`; more at once are opened and closed again


class _Request(Generic[T]):
    """One caller's change, and what became of it."""

    def __init__(self, work: Callable[[sa.Connection], T], joint: Joint[Any, Any] | None = None, item: Any = None):
        self.work, self.joint, self.item = work, joint, item
        self.done = False
        self.value: T | None = None
        self.failure: BaseException | None = None

    def settle(self, value: T | None, failure: BaseException | None = None) -> None:
        self.value, self.failure, self.done = value, failure, True


class Database:
    """An open database, migrated to the newest tables.

    Args:
        url: ``sqlite:////folder/isocenter.sqlite`` or ``postgresql+psycopg://…``.
        server: take the folder's lock; at most one process may (SQLite only).

    Raises:
        Unavailable: the database cannot be reached, a second server is on the folder, or it was made by a newer
            version of Isocenter.
    """

    def __init__(self, url: str, *, server: bool = False) -> None:
        self.url = sa.make_url(_with_driver(url))
        self._lock: FolderLock | None = None
        self._waiting: deque[_Request[Any]] = deque()
        self._turn = threading.Lock()
        self._writing = 0
        self._writer: sa.Connection | None = None
        self._lookers: list[sa.Connection] = []
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        if self.is_sqlite:
            folder = _folder_of(self.url)
            folder.mkdir(parents=True, exist_ok=True)
            if server:
                self._lock = FolderLock(folder)
        self.engine = self._engine()
        try:
            self._migrate()
        except BaseException:
            self.close()
            raise

    def say(self, address: str) -> None:
        """Tell commands beside this server where it is found; who is no server of a folder says nothing."""
        if self._lock is not None:
            self._lock.say(address)

    @contextlib.contextmanager
    def read(self) -> Iterator[sa.Connection]:
        """A connection that sees one moment of the archive.

        Raises:
            Unavailable: the database cannot be read.
        """
        with _told(), self.engine.connect() as connection:
            if not self.is_sqlite:
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            yield connection

    def write(self, work: Callable[[sa.Connection], T]) -> T:
        """Do the work in a transaction and return its value when that transaction is durable.

        The work may run together with others' in one transaction; it sees what those before it did, and when it
        raises, only its own changes are undone: it is run twice when a shared transaction has to be repeated.

        Raises:
            Unavailable: the disk is full, or the database cannot be reached; nothing of the work is kept.
        """
        return self._written(_Request(work))

    def write_joined(self, joint: Joint[X, T], item: X) -> T:
        """`write` for work that several callers at once cost little more than one: those who wait do it together.

        Args:
            joint: the same function for all who may be joined; it must do with the items of many what it would do with
                those of one after the other. When it raises, it is run again for each of them alone.
            item: what this caller has.

        Raises:
            Unavailable: as `write`.
        """
        return self._written(_Request(lambda connection: joint(connection, [item])[0], joint, item))

    def _written(self, mine: _Request[T]) -> T:
        self._waiting.append(mine)
        with self._turn:
            if not mine.done:
                together = []
                while self._waiting:
                    together.append(self._waiting.popleft())
                self._commit(together)
        if mine.failure is not None:
            raise mine.failure
        return cast(T, mine.value)

    @property
    def busy(self) -> bool:
        """Whether a transaction is under way: what is to be written now would wait for it."""
        return self._turn.locked()

    @property
    def within(self) -> bool:
        """Whether this very thread is inside a transaction that writes: another one of its own would never begin."""
        return self._writing == threading.get_ident()

    def look(self, query: Statement, many: Sequence[Mapping[str, Any]]) -> list[list[tuple[Any, ...]]]:
        """The rows of one query for each of some sets of values, as they stand now; without a transaction around them.

        Raises:
            Unavailable: the database cannot be read.
        """
        if not self.is_sqlite:
            with self.read() as connection:
                return [query.rows(connection, values) for values in many]
        with _told():
            looker = self._a_looker()
            try:
                found = [query.rows(looker, values) for values in many]
            except BaseException:
                looker.close()
                raise
            if len(self._lookers) < _LOOKERS:
                self._lookers.append(looker)
            else:
                looker.close()
            return found

    def _a_looker(self) -> sa.Connection:
        try:
            return self._lookers.pop()  # another thread may have taken the last since one looked
        except IndexError:
            return self.engine.connect()

    def forget(self, patience_s: float = 5.0) -> bool:
        """Leave nothing of removed rows in SQLite's write-ahead log; whether that was possible.

        A database elsewhere decides for itself when it writes over what was removed. Somebody who reads at the moment,
        in this process or another, keeps the log as it is: it is tried again a while, and others write in between.

        Args:
            patience_s: how long.

        Raises:
            Unavailable: the disk said no.
        """
        if not self.is_sqlite:
            return False
        until, pause = time.monotonic() + patience_s, threading.Event()
        while not (done := self._emptied()) and time.monotonic() < until:
            pause.wait(0.05)
        return done

    def _emptied(self) -> bool:
        with self._turn, _told():
            raw = self.engine.raw_connection()
            try:
                cursor = raw.cursor()
                cursor.execute("PRAGMA busy_timeout = 0")
                cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                ((busy, *_),) = cursor.fetchall()
                cursor.execute(f"PRAGMA busy_timeout = {_PATIENCE_S * 1000}")
            finally:
                raw.close()
        return not busy

    def close(self) -> None:
        """Close every connection and let go of the folder."""
        for kept in (self._writer, *self._lookers):
            if kept is not None:
                kept.close()
        self._writer, self._lookers = None, []
        self.engine.dispose()
        self._let_go()

    # ---- one transaction for all who wait

    def _commit(self, together: list[_Request[Any]]) -> None:
        try:
            if len(together) == 1:
                self._commit_one(together[0])
            else:
                self._commit_many(together)
        except BaseException as failure:
            for request in together:
                if not request.done:
                    request.settle(None, failure)
            if not isinstance(failure, Exception):
                raise

    def _commit_one(self, request: _Request[Any]) -> None:
        with _told(), self._begin() as connection:
            value = request.work(connection)
        request.settle(value)

    def _commit_many(self, together: list[_Request[Any]]) -> None:
        try:
            with _told(), self._begin() as connection:
                values = _worked(connection, together)
        except Exception:
            # One that refuses, or that fills the disk, must not take the others with it: each has its own now.
            for request in together:
                self._commit([request])
            return
        for request, value in zip(together, values, strict=True):
            request.settle(value)

    @contextlib.contextmanager
    def _begin(self) -> Iterator[sa.Connection]:
        """A transaction for writing. The connection is kept for the next one, unless something went wrong on it."""
        connection, self._writer = self._writer, None
        if connection is None:
            connection = self.engine.connect().execution_options(isocenter_write=True)
        self._writing = threading.get_ident()
        try:
            with connection.begin():
                yield connection
        except BaseException:
            connection.close()
            raise
        finally:
            self._writing = 0
        if self.is_sqlite:
            self._writer = connection
        else:
            connection.close()  # the pool looks whether the server is still there

    # ---- the engine

    def _engine(self) -> sa.Engine:
        if not self.is_sqlite:
            return sa.create_engine(self.url, pool_pre_ping=True)
        engine = sa.create_engine(
            self.url,
            connect_args={"timeout": _PATIENCE_S, "check_same_thread": False},
            pool_size=8,
            max_overflow=56,
            pool_use_lifo=True,  # the connection that was used last has the newest pages
            pool_reset_on_return=None,  # the driver opens no transaction by itself, see below
        )
        sa.event.listen(engine, "connect", _settle_sqlite)
        sa.event.listen(engine, "begin", _begin_sqlite)
        return engine

    def _migrate(self) -> None:
        with _told():
            if self._stands() is None:
                migrations.make(self.engine)
            if (stands := self._stands()) != migrations.HEAD:
                migrations.upgrade(self.engine, stands)

    def _stands(self) -> str | None:
        """At which step the tables are; None where there are none yet."""
        with self.read() as connection:
            if not sa.inspect(connection).has_table("alembic_version"):
                return None
            stands: str | None = connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
            return stands

    def _let_go(self) -> None:
        if self._lock is not None:
            self._lock.release()
            self._lock = None


def _worked(connection: sa.Connection, together: Sequence[_Request[Any]]) -> list[Any]:
    """The value of each request; those that can be joined are, where the first of them stands."""
    joined: dict[Any, list[_Request[Any]]] = {}
    for request in together:
        joined.setdefault(request.joint or request, []).append(request)
    values: dict[_Request[Any], Any] = {}
    for key, requests in joined.items():
        if isinstance(key, _Request):
            values[key] = key.work(connection)
        else:
            values |= zip(requests, key(connection, [one.item for one in requests]), strict=True)
    return [values[request] for request in together]


def _settle_sqlite(connection: Any, _record: object) -> None:
    # The driver must not open transactions by itself: ours begin with the lock that their work needs.
    connection.isolation_level = None
    for pragma in (
        "journal_mode = WAL",
        "synchronous = FULL",
        "foreign_keys = ON",
        "cache_size = -16384",  # KiB, of each connection
        "temp_store = MEMORY",
        "wal_autocheckpoint = 4000",
        "secure_delete = ON",  # what is erased leaves the file, and not only the tables
    ):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: sa.Connection) -> None:
    writes = connection.get_execution_options().get("isocenter_write", False)
    (_BEGIN_TO_WRITE if writes else _BEGIN_TO_READ).run(connection, {})


@contextlib.contextmanager
def _told() -> Iterator[None]:
    """Say a failing database in words."""
    try:
        yield
    except (exc.IntegrityError, exc.ProgrammingError, exc.DataError, exc.NotSupportedError):
        raise  # ours, not the world's: a fault of the program must stay visible as one
    except (exc.DatabaseError, exc.InterfaceError) as error:
        said = str(error.orig)
        for sign, why, do in (
            ("full", "the disk is full", "free some space, then try again"),
            ("locked", "another process has held it for half a minute", "see which one, or wait"),
            ("unable to open", "the file cannot be opened", "see that the folder is there and may be written"),
            ("readonly", "it is read-only", "see that this account may write there"),
            ("I/O error", "the disk reports an error", "look at the disk's own log"),
            ("malformed", "its file is damaged", "restore it from a copy, or rebuild it from the journal"),
            ("not a database", "the file is something else", "give another file"),
        ):
            if sign in said:
                raise Unavailable("the database did not take or give its data", f"{why} ({said})", do) from error
        raise Unavailable("the database cannot be reached", said.strip(), "see the setting `database`") from error


def _with_driver(url: str) -> str:
    """A bare ``postgresql://`` means psycopg 3, the one that is installed."""
    for short in ("postgres://", "postgresql://"):
        if url.startswith(short):
            return "postgresql+psycopg://" + url.removeprefix(short)
    if not url.startswith(("sqlite:", "postgresql+psycopg:")):
        raise Refused(f"the database '{url}'", "it is neither sqlite:///… nor postgresql://…", "see `database`")
    return url


def _folder_of(url: sa.URL) -> Path:
    if not url.database or url.database == ":memory:":
        raise Refused("a database in memory", "an archive must survive its process", "name a file")
    return Path(url.database).resolve().parent
