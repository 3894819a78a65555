"""What an event means for the index: the one function that both a live archive and a rebuilt one are made by.

The law ``index == fold(journal, blobs)`` holds because nothing else writes the index tables. A projection may refuse
(a reading cannot be signed before it is opened): then the event itself does not come about either.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import sqlalchemy as sa

from isocenter.errors import NotFound, Refused
from isocenter.record.event import Kind, Sealed
from isocenter.record.states import READING, step
from isocenter.store import tables as t
from isocenter.store.arrival_words import opened
from isocenter.store.arrivals import fold_instances, fold_learnt
from isocenter.store.blobs import Blobs
from isocenter.store.entry_words import opened as words_opened
from isocenter.store.erasures import fold_erasure
from isocenter.store.homes import fold_homed
from isocenter.store.identities import fold_merge, fold_move, fold_undo
from isocenter.store.rejections import fold_end, fold_purge, fold_rejection

__all__ = ["project"]

_NONE: Mapping[str, int] = MappingProxyType({})


def project(entry: Sealed, blobs: Blobs | None, connection: sa.Connection, erased: Mapping[str, int] = _NONE) -> None:
    """Bring the index up to one event, in the caller's transaction.

    Args:
        entry: the sealed event.
        blobs: where results lie, and the keys of what is sealed.
        connection: in a transaction that holds the end of the journal.
        erased: number of the last event that erased a study; nobody can read again what it had before, and nobody
            needs to. What came anew since is another matter.

    Raises:
        WrongState: the reading's life has no such step.
        Refused, NotFound: the event speaks of bytes that are not there or do not fit.
    """
    gone = entry.number < erased.get(entry.event.subject, 0)
    if entry.event.kind is Kind.RESULT_MADE and gone:
        return
    keyring = None if blobs is None else blobs.keyring
    event = words_opened(entry.event, keyring, gone=bool(erased))
    if event is not entry.event:
        entry = replace(entry, event=event)
    if entry.event.kind is Kind.INSTANCES_RECEIVED:
        told = opened(entry.event.details, keyring, gone=gone)
        fold_instances(told, entry.event.time.isoformat(), connection)
        return
    if entry.event.kind is Kind.HEADERS_LEARNT:
        fold_learnt(entry.event.details, entry.event.subject, connection)
        return
    if entry.event.kind is Kind.PATIENTS_MERGED:
        if "sealed" not in entry.event.details:  # else every study that it was about is erased
            fold_merge(entry, connection, forgotten=bool(erased))
        return
    if entry.event.kind is Kind.PATIENTS_UNDONE:
        fold_undo(entry, connection, forgotten=bool(erased))
        return
    fold = _FOLDS.get(entry.event.kind)
    if fold is not None:
        fold(entry, blobs, connection)


def _set_aside(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    told, table = entry.event.details, t.set_aside
    key = (table.c.sop_uid == told["sop_uid"]) & (table.c.digest == told["digest"])
    if connection.execute(sa.select(table.c.event).where(key)).first() is None:
        row = {name: told.get(name, "") for name in ("sop_uid", "digest", "study_uid", "reason")}
        connection.execute(table.insert(), {**row, "sender": entry.event.who, "event": entry.number})


def _result_made(entry: Sealed, blobs: Blobs | None, connection: sa.Connection) -> None:
    if blobs is None:
        raise Refused(
            "a result without the blobs that hold it", "its content cannot be read", "use Journal(database, blobs)"
        )
    digest = str(entry.event.details["result"])
    try:
        told = json.loads(blobs.get(digest))
    except NotFound:
        if blobs.erased(entry.event.subject):
            return  # a backup may be older than the erasure, of which only the keys tell then
        raise
    if told["study_uid"] != entry.event.subject:
        raise Refused(
            f"a result about study {told['study_uid']} under study {entry.event.subject}",
            "it would be shown beside another person's images",
            "restore the journal from a backup",
        )
    table, origin = t.result, told["origin"]
    if connection.execute(sa.select(table.c.event).where(table.c.digest == digest)).first() is None:
        connection.execute(
            table.insert(),
            {
                "digest": digest,
                "study_uid": told["study_uid"],
                "outcome": told["outcome"],
                "urgency": told["urgency"],
                "origin": origin["kind"],
                "name": origin["name"],
                "version": origin["version"],
                "made": told["made"],
                "replaces": told["replaces"],
                "event": entry.number,
            },
        )
    if origin["kind"] == "person":
        _read(entry, connection)


_STEPS = {
    Kind.READING_ASSIGNED: "assign",
    Kind.READING_OPENED: "open",
    Kind.READING_CLOSED: "lapse",
    Kind.OPINION_LOCKED: "lock",
    Kind.REPORT_SIGNED: "sign",
    Kind.REPORT_AMENDED: "sign",
}


def _reading(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    _read(entry, connection)


def _read(entry: Sealed, connection: sa.Connection) -> None:
    event, table = entry.event, t.reading
    known = connection.execute(sa.select(table).where(table.c.study_uid == event.subject)).mappings().first()
    row: dict[str, Any] = dict(known) if known is not None else _unread(event.subject)
    if event.kind in _STEPS:
        row["state"] = step(READING, row["state"], _STEPS[event.kind])
    told, time = event.details, event.time.isoformat()
    report = str(told.get("report", ""))
    if event.kind is Kind.READING_ASSIGNED:
        row |= {"assigned": str(told.get("to", ""))}
    elif event.kind is Kind.READING_OPENED:
        row |= {"by": str(told.get("by", event.who)), "opened": time}
    elif event.kind is Kind.READING_CLOSED:
        row |= {"by": ""}
    elif event.kind is Kind.OPINION_LOCKED:
        row |= {"first": row["first"] or report}
    elif event.kind is Kind.REPORT_DRAFTED:
        row |= {"draft": report}
    elif event.kind in (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED):
        if not report:
            raise Refused("a signature without a report", "nobody could tell what was signed", "give details.report")
        reports = [*json.loads(row["reports"]), report]
        row |= {"signed": time, "draft": "", "reports": json.dumps(reports)}
    row["version"] = entry.number
    if known is None:
        connection.execute(table.insert(), row)
    else:
        connection.execute(table.update().where(table.c.study_uid == event.subject), row)


def _unread(study_uid: str) -> dict[str, Any]:
    empty = dict.fromkeys(("by", "opened", "signed", "first", "draft", "assigned"), "")
    return {"study_uid": study_uid, "state": "waiting", "reports": "[]", "version": 0, **empty}


def _person_added(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    told, table = entry.event.details, t.person
    mine = table.c.name == entry.event.subject
    known = connection.execute(sa.select(table).where(mine)).mappings().first()
    row = {
        "name": entry.event.subject,
        "role": str(_told(told, "role", known)),
        "credential": str(_told(told, "credential", known)),
        "disabled": int(bool(_told(told, "disabled", known))),
        "added": known["added"] if known is not None else entry.event.time.isoformat(),
    }
    _replace(table, mine, row, known is not None, connection)


def _peer_added(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    told, table = entry.event.details, t.peer
    mine = table.c.name == entry.event.subject
    known = connection.execute(sa.select(table).where(mine)).mappings().first()
    row = {
        "name": entry.event.subject,
        "aet": str(_told(told, "aet", known)),
        "host": str(_told(told, "host", known)),
        "port": int(_told(told, "port", known) or 0),
        "kind": str(_told(told, "kind", known)),
    }
    _replace(table, mine, row, known is not None, connection)


def _told(details: Mapping[str, Any], name: str, known: Mapping[Any, Any] | None) -> Any:
    """What this event says of a field, else what an earlier one said."""
    value = details.get(name)
    if value is None:
        value = known[name] if known is not None else ""
    return value


def _replace(
    table: sa.Table, mine: sa.ColumnElement[bool], row: dict[str, Any], there: bool, connection: sa.Connection
) -> None:
    if there:
        connection.execute(table.update().where(mine), row)
    else:
        connection.execute(table.insert(), row)


_FOLDS: dict[Kind, Callable[[Sealed, Blobs | None, sa.Connection], None]] = {
    Kind.INSTANCE_SET_ASIDE: _set_aside,
    Kind.RESULT_MADE: _result_made,
    Kind.READING_ASSIGNED: _reading,
    Kind.READING_OPENED: _reading,
    Kind.READING_CLOSED: _reading,
    Kind.OPINION_LOCKED: _reading,
    Kind.REPORT_DRAFTED: _reading,
    Kind.REPORT_SIGNED: _reading,
    Kind.REPORT_AMENDED: _reading,
    Kind.PERSON_ADDED: _person_added,
    Kind.PERSON_CHANGED: _person_added,
    Kind.PEER_ADDED: _peer_added,
    Kind.OBJECTS_REJECTED: fold_rejection,
    Kind.REJECTION_ENDED: fold_end,
    Kind.OBJECTS_PURGED: fold_purge,
    Kind.STUDY_ERASED: fold_erasure,
    Kind.STUDIES_MOVED: fold_move,
    Kind.STUDY_HOMED: fold_homed,
}
