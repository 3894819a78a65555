"""The journal: everything that happened, in order, each entry sealed behind the one before.

Nothing in it is ever changed. Whoever edits, removes or reorders an entry breaks the chain of hashes at that entry,
and `verify` names it. An event and what it means for the index become durable in one transaction, so no reader ever
sees the one without the other.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import sqlalchemy as sa

from isocenter.errors import Conflict, Refused
from isocenter.record.event import GENESIS, Event, Kind, Sealed
from isocenter.record.plain import canonical
from isocenter.store import tables as t
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.entry_words import Closer, opened
from isocenter.store.projection import project
from isocenter.store.statements import Statement

__all__ = ["Journal", "adopt", "append_within", "entries", "hold_end"]

_PAGE = 1000
_END = Statement(sa.select(t.chain.c.number, t.chain.c.hash))
_HOLD_END = Statement(sa.select(t.chain.c.number, t.chain.c.hash).with_for_update())
_MOVE_END, _ADD_EVENTS = Statement(t.chain.update(), columns=("number", "hash")), Statement(t.event.insert())


class Journal:
    """The journal of one archive.

    Args:
        database: where it stands.
        blobs: where results lie; needed to append `Kind.RESULT_MADE`.
    """

    def __init__(self, database: Database, blobs: Blobs | None = None) -> None:
        self._database, self._blobs = database, blobs

    def append(self, *events: Event, seen: int | None = None) -> tuple[Sealed, ...]:
        """Append events, all or none, together with what they mean for the index; durable on return.

        Args:
            events: in the order in which they happened; times are aware UTC.
            seen: the version of the reading (of the first event's subject) that the writer had before their eyes.

        Raises:
            Conflict: someone else wrote to this reading after `seen`.
            WrongState: the reading's life has no such step; nothing is appended.
            Refused: an event that cannot be kept (a time without zone, a result that is not there).
            Unavailable: the disk or the database said no.
        """
        return self._database.write(lambda connection: append_within(connection, events, self._blobs, seen=seen))

    def decide(
        self,
        subject: str,
        kinds: Collection[Kind],
        rule: Callable[[Sequence[Sealed]], Sequence[Event]],
        *,
        after: int = 0,
    ) -> tuple[Sealed, ...]:
        """Append what a rule makes of a subject's history, while nobody else can append: one of many at once decides.

        Args:
            subject, kinds: which entries the rule is told, oldest first.
            rule: gives the events to append, none where nothing is to be done, or raises. It must do nothing else: it
                may be asked twice.
            after: number of the last entry that the caller has folded already; only what came since is told, so that a
                decision does not become slower with every one before it.

        Raises:
            what the rule raises, and as `append`.
            Conflict: the journal ends before `after`: the archive was put back to an older copy.
        """
        table = t.event
        query = sa.select(table).where(
            table.c.subject == subject, table.c.number > after, table.c.kind.in_([str(kind) for kind in kinds])
        )

        def work(connection: sa.Connection) -> tuple[Sealed, ...]:
            end = hold_end(connection)
            if end[0] < after:
                raise Conflict("a journal that is shorter than it was", "it was put back to an older copy", "ask again")
            told = [self._opened(row) for row in connection.execute(query.order_by(table.c.number))]
            return append_within(connection, rule(told), self._blobs, end=end)

        return self._database.write(work)

    def since(
        self,
        number: int = 0,
        *,
        kinds: Collection[Kind] = (),
        subject: str = "",
        who: str = "",
        limit: int = 1000,
        newest_first: bool = False,
    ) -> list[Sealed]:
        """Entries after a number (when newest first: before it, where it is not 0), narrowed as asked."""
        wanted = [str(kind) for kind in kinds]
        asked = _query(len(wanted), bool(subject), bool(who), newest_first, newest_first and not number)
        values: dict[str, Any] = {f"kind{at}": kind for at, kind in enumerate(wanted)}
        values |= {"from": number, "subject_is": subject, "who_is": who, "most": limit}
        return [self._opened(row) for row in self._database.look(asked, [values])[0]]

    def epoch(self) -> object:
        """Something that is another after every erasure: who keeps words of entries begins anew then."""
        return None if self._blobs is None or self._blobs.keyring is None else self._blobs.keyring.epoch

    def level(self, number: int, kinds: tuple[Kind, ...]) -> tuple[int, bool]:
        """Number of the last entry, and whether any of some kinds came after `number`: asked with every image."""
        values: dict[str, Any] = {f"kind{at}": str(kind) for at, kind in enumerate(kinds)}
        ((last, news),) = self._database.look(_level(len(kinds)), [{**values, "from": number}])[0]
        return int(last), news is not None

    def each(
        self, number: int = 0, *, kinds: Collection[Kind] = (), subject: str = "", who: str = "",
        newest_first: bool = False,
    ) -> Iterator[Sealed]:  # fmt: skip
        """Every entry that `since` would give, however many there are, read page by page."""
        while page := self.since(number, kinds=kinds, subject=subject, who=who, limit=_PAGE, newest_first=newest_first):
            yield from page
            number = page[-1].number

    def head(self) -> tuple[int, str]:
        """Number and hash of the last entry; (0, 64 zeros) before the first."""
        ((number, last),) = self._database.look(_END, [{}])[0]
        return int(number), str(last)

    def verify(self) -> int:
        """Walk the whole chain; returns the number of entries.

        Raises:
            Refused: naming the first entry that was edited, removed or put elsewhere.
        """
        number, previous = 0, GENESIS
        with self._database.read() as connection:
            end = connection.execute(sa.select(t.chain.c.number, t.chain.c.hash)).one()
            for row in _rows(connection):
                number += 1
                if row.number != number:
                    raise _broken(number, f"it is missing; the next one is {row.number}")
                if row.previous != previous:
                    raise _broken(number, "it does not follow the one before it")
                text = _event_text(row.time, row.kind, row.who, row.subject, row.details)
                if row.hash != _hash(number, previous, text):
                    raise _broken(number, "its content is not what was sealed")
                previous = row.hash
        if (end.number, end.hash) != (number, previous):
            raise _broken(number + 1, f"it is missing; the journal once had {end.number} entries")
        return number

    def _opened(self, row: Sequence[Any]) -> Sealed:
        """An entry with its words, as far as their key is there; its hash is that of the sealed ones."""
        entry = _sealed(row)
        event = opened(entry.event, self._blobs.keyring if self._blobs is not None else None)
        return entry if event is entry.event else replace(entry, event=event)


def hold_end(connection: sa.Connection) -> tuple[int, str]:
    """Number and hash of the last entry, kept until the transaction ends: who decides or appends holds it."""
    ((number, last),) = _HOLD_END.rows(connection, {})
    return number, last


def append_within(
    connection: sa.Connection,
    events: Sequence[Event],
    blobs: Blobs | None,
    *,
    seen: int | None = None,
    end: tuple[int, str] | None = None,
) -> tuple[Sealed, ...]:
    """Append in a transaction that the caller has opened for writing; raises as `Journal.append`.

    Args:
        end: what `hold_end` gave in this transaction, where nothing was appended since.
    """
    number, previous = end or hold_end(connection)
    if seen is not None and events:
        _must_be_latest(connection, events[0].subject, seen)
    sealed, rows = [], []
    closer = Closer(connection, None if blobs is None else blobs.keyring, events)
    for event in events:
        number += 1
        entry, row = _seal(number, previous, closer.kept(event))
        sealed.append(entry if entry.event is event else replace(entry, event=event))
        rows.append(row)
        previous = entry.hash
    if rows:
        _ADD_EVENTS.run(connection, *rows)
        for entry in sealed:
            project(entry, blobs, connection)
        _MOVE_END.run(connection, {"number": number, "hash": previous})
    return tuple(sealed)


def adopt(
    connection: sa.Connection, sealed: Iterable[Sealed], blobs: Blobs | None, erased: Mapping[str, int]
) -> tuple[int, str]:
    """Take entries that were sealed before into an empty journal, and fold them; number and hash of the last.

    Args:
        erased: number of the last entry that erased a study; what it had before cannot be read any more.

    Raises:
        Refused: one whose words the database would hold otherwise than they were sealed; WrongState as `append`.
    """
    number, last = 0, GENESIS
    for entry in sealed:
        again, row = _seal(number + 1, last, entry.event)
        if (again.number, again.hash) != (entry.number, entry.hash):
            raise _broken(entry.number, "its content is not what was sealed")
        _ADD_EVENTS.run(connection, row)
        project(entry, blobs, connection, erased)
        number, last = entry.number, entry.hash
    _MOVE_END.run(connection, {"number": number, "hash": last})
    return number, last


def entries(connection: sa.Connection) -> Iterator[Sealed]:
    """Every entry as it is kept, oldest first: what is sealed stays so."""
    return map(_sealed, _rows(connection))


def _rows(connection: sa.Connection) -> Iterator[Any]:
    table, last = t.event, -(1 << 62)
    while page := connection.execute(
        sa.select(table).where(table.c.number > last).order_by(table.c.number).limit(_PAGE)
    ).all():
        yield from page
        last = page[-1].number


def _must_be_latest(connection: sa.Connection, study_uid: str, seen: int) -> None:
    table = t.reading
    row = connection.execute(sa.select(table.c.version).where(table.c.study_uid == study_uid)).first()
    version = row.version if row is not None else 0
    if version != seen:
        raise Conflict(
            "this reading as it was seen",
            "someone else wrote to it meanwhile",
            "look at what has changed, then write again",
        )


def _seal(number: int, previous: str, event: Event) -> tuple[Sealed, dict[str, Any]]:
    """Seal as `Sealed.after` does, making the long text of the details only once."""
    if event.time.utcoffset() != timedelta(0):
        raise Refused(f"an event at {event.time}", "its time must be UTC and say so", "use datetime.now(UTC)")
    text = canonical(event.details).decode("utf-8", "surrogatepass")
    try:
        f"{text}{event.who}{event.subject}".encode()
    except UnicodeEncodeError as error:
        raise Refused("an event with half a character in it", "no database can hold it", "mend the text") from error
    row: dict[str, Any] = {
        "number": number,
        "time": event.time.isoformat(),
        "kind": str(event.kind),
        "who": event.who,
        "subject": event.subject,
        "details": text,
        "previous": previous,
    }
    row["hash"] = _hash(number, previous, _event_text(row["time"], row["kind"], event.who, event.subject, text))
    return Sealed(number, previous, event, row["hash"]), row


def _event_text(time: str, kind: str, who: str, subject: str, details: str) -> str:
    """The canonical text of an event whose details are canonical text already."""
    rest = ",".join(f'"{n}":{_quoted(v)}' for n, v in (("kind", kind), ("subject", subject), ("time", time)))
    return f'{{"details":{details},{rest},"who":{_quoted(who)}}}'


_quoted = json.JSONEncoder(ensure_ascii=False).encode


def _hash(number: int, previous: str, event_text: str) -> str:
    return hashlib.sha256(f'[{number},"{previous}",{event_text}]'.encode()).hexdigest()


@cache
def _query(kinds: int, subject: bool, who: bool, newest_first: bool, unbounded: bool) -> Statement:
    """The question of `Journal.since`, written out once for each form that it takes: it is asked all day."""
    c = t.event.c
    asked = sa.select(t.event).order_by(c.number.desc() if newest_first else c.number)
    if not unbounded:
        bound = sa.bindparam("from", type_=c.number.type)
        asked = asked.where(c.number < bound if newest_first else c.number > bound)
    if kinds:
        asked = asked.where(sa.or_(*(c.kind == sa.bindparam(f"kind{at}", type_=c.kind.type) for at in range(kinds))))
    if subject:
        asked = asked.where(c.subject == sa.bindparam("subject_is", type_=c.subject.type))
    if who:
        asked = asked.where(c.who == sa.bindparam("who_is", type_=c.who.type))
    return Statement(asked.limit(sa.bindparam("most", type_=sa.Integer())))


@cache
def _level(kinds: int) -> Statement:
    c = t.event.c
    named = sa.or_(*(c.kind == sa.bindparam(f"kind{at}", type_=c.kind.type) for at in range(kinds)))
    news = sa.select(sa.func.max(c.number)).where(c.number > sa.bindparam("from", type_=c.number.type), named)
    return Statement(sa.select(t.chain.c.number, news.scalar_subquery()))


def _sealed(row: Sequence[Any]) -> Sealed:
    number, time, kind, who, subject, details, previous, sealed = row
    event = Event(Kind(kind), datetime.fromisoformat(time), who, subject, json.loads(details))
    return Sealed(number, previous, event, sealed)


def _broken(number: int, why: str) -> Refused:
    return Refused(
        f"the journal is broken at entry {number}", why, "compare it with a copy; what follows cannot be trusted"
    )
