"""A copy of everything, and an archive made from it again as it stood at any moment.

The law ``index == fold(journal, blobs)`` makes this small: a backup is the journal and the blobs, nothing else. It is
taken while the archive serves, grows by what is new, and belongs to no database: what was kept in SQLite can be
restored into PostgreSQL. Because the journal is kept entry by entry, an archive can be made again up to any entry of
it, or up to any time: "as it was before that merge".

A folder of a backup holds::

    blobs/ab/ab12…             every stored file under its digest, as in the archive
    journal/000000000001.jsonl entries, one a line, from that number on
    head.json                  up to where the journal is whole; written last, so that a backup that was broken off is
                               the one before it

Blobs are copied after the end of the journal is known: an entry is never there before the bytes that it speaks of.
What is sealed in the archive is sealed in the backup, and the keys are not in it: what was erased by destroying a key
cannot be brought back from any backup, and without a copy of the keys, kept apart, nothing that is sealed can.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from isocenter import wholly
from isocenter.errors import Conflict, Damaged, Erased, IsocenterError, NotFound, Refused
from isocenter.record.event import GENESIS, Event, Kind, Sealed
from isocenter.record.plain import to_plain
from isocenter.store import tables as t
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.disk import unavailable
from isocenter.store.journal import adopt, entries, hold_end

__all__ = ["BackedUp", "Restored", "backup", "restore", "reaching"]

_FORM = 1
_LINES = 10_000  # entries of one file of the journal
_BATCH, _BATCH_BYTES = 64, 64 << 20  # files that become durable together
Told = Callable[[str, int, int], None]


def _quiet(words: str, done: int, of: int) -> None:
    return None


@dataclass
class BackedUp:
    """What a backup did: what it holds now, how much of that is new, and what could not be copied."""

    entries: int = 0
    hash: str = GENESIS
    new_entries: int = 0
    blobs: int = 0
    new_blobs: int = 0
    new_bytes: int = 0
    forgotten: int = 0
    damaged: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Restored:
    """An archive that was made again: its journal, and which blobs the backup has not."""

    entries: int
    hash: str
    blobs: int
    of: int
    missing: tuple[str, ...] = ()


def backup(database: Database, blobs: Blobs, to: Path, *, told: Told = _quiet) -> BackedUp:
    """Bring a folder up to what the archive holds now; the archive may go on serving.

    Args:
        to: the folder; a new one, or one of an earlier backup of this archive.
        told: progress: words, done, in all.

    Raises:
        Conflict: the folder holds a backup of another archive, or of one that went on otherwise.
        Unavailable: a disk said no; the folder is then as useful as before.
    """
    done = BackedUp()
    before: dict[str, Any] = _head(to) if (to / "head.json").exists() else {"entries": 0, "hash": GENESIS}
    with _Folder(to), database.read() as connection:
        end = connection.execute(sa.select(t.chain.c.number, t.chain.c.hash)).one()
        done.entries, done.hash = int(end.number), str(end.hash)
        _must_follow(connection, before, done.entries)
        done.new_entries = done.entries - before["entries"]
        purged = _append(connection, to / "journal", before["entries"], done.entries, told)
    _copy(blobs, Blobs(str(to / "blobs")), done, purged, told)
    told("head", done.entries, done.entries)
    head = {"form": _FORM, "entries": done.entries, "hash": done.hash, "blobs": done.blobs}
    with _Folder(to):
        wholly.write(to / "head.json", (json.dumps(head) + "\n").encode())
    return done


def restore(
    source: Path,
    database: Database,
    blobs: Blobs,
    *,
    entry: int | None = None,
    until: datetime | None = None,
    told: Told = _quiet,
) -> Restored:
    """Make an archive from a backup, up to its end, up to an entry, or up to a time.

    Args:
        source: folder of the backup.
        database, blobs: empty ones; blobs that are there already do no harm.
        entry: number of the last entry that shall have happened.
        until: aware UTC; the first entry that is later, and all behind it, have not happened.

    Raises:
        NotFound: no backup lies there, or it does not reach so far, or the keys of what is sealed are not here.
        Refused: an entry or a result of the backup is damaged, named; nothing is restored then.
        Conflict: the database holds a journal already.
    """
    head, last = reaching(source, entry, until)
    with database.read() as connection:
        _must_be_new(connection.execute(sa.select(t.chain.c.number)).scalar_one_or_none())
    kept = Blobs(str(source / "blobs"), keyring=blobs.keyring)
    digests = list(kept.digests())
    missing, gone = _take_back(kept, blobs, digests, told)

    def again(connection: sa.Connection) -> tuple[int, str]:
        number, _ = hold_end(connection)
        _must_be_new(number)
        erased = {e.event.subject: e.number for e in _read(source) if e.event.kind is Kind.STUDY_ERASED}
        return adopt(connection, _checked(source, last, head, until, told), blobs, erased)

    number, last_hash = database.write(again)
    kept_now = len(digests) - len(missing) - gone
    with database.read() as connection:
        known = set(connection.scalars(sa.select(t.instance.c.digest).distinct()))
    absent = sorted(known - set(digests))
    return Restored(number, last_hash, kept_now, head["entries"], (*missing, *absent))


def reaching(source: Path, entry: int | None = None, until: datetime | None = None) -> tuple[dict[str, Any], int]:
    """Head of a backup and its last entry that shall count, before anything is made from it.

    Raises:
        NotFound: no backup lies there, or it does not reach so far.
        Refused: its head is damaged.
    """
    head = _head(source)
    last = head["entries"] if entry is None else entry
    if not 0 < last <= head["entries"]:
        raise NotFound(f"entry {last}", f"the backup has 1 to {head['entries']}", "name one of them")
    first = next(_read(source), None)
    if until is not None and first is not None and first.event.time > until:
        raise NotFound(f"an entry until {until}", f"the journal begins later, {first.event.time}", "name a later time")
    return head, last


def _must_be_new(number: int | None) -> None:
    if number:
        raise Conflict(f"a database with {number} events", "two pasts cannot be one", "restore into a new folder")


# ---- the journal as lines


def _append(connection: sa.Connection, folder: Path, since: int, end: int, told: Told) -> set[str]:
    """Write entries after a number; returns the digests that the whole journal says were purged."""
    folder.mkdir(parents=True, exist_ok=True)
    _trim(folder, since)
    purged: set[str] = set()
    lines: list[bytes] = []
    first = since + 1
    for entry in entries(connection):
        if entry.event.kind in (Kind.OBJECTS_PURGED, Kind.STUDY_ERASED):
            purged |= set(map(str, entry.event.details.get("digests", ())))
        if entry.number <= since or entry.number > end:
            continue
        lines.append(json.dumps(_line(entry), ensure_ascii=False).encode("utf-8", "surrogatepass") + b"\n")
        if len(lines) == _LINES:
            wholly.write(folder / f"{first:012}.jsonl", b"".join(lines))
            told("journal", entry.number, end)
            first, lines = entry.number + 1, []
    if lines:
        wholly.write(folder / f"{first:012}.jsonl", b"".join(lines))
    return purged


def _trim(folder: Path, since: int) -> None:
    """Remove files that a backup left which was broken off before it wrote its head."""
    for path in folder.glob("*.jsonl*"):
        if not path.name.split(".")[0].isdigit() or int(path.name.split(".")[0]) > since:
            path.unlink()


def _line(entry: Sealed) -> dict[str, Any]:
    event = entry.event
    return {
        "number": entry.number, "previous": entry.previous, "hash": entry.hash, "time": event.time.isoformat(),
        "kind": str(event.kind), "who": event.who, "subject": event.subject, "details": to_plain(event.details),
    }  # fmt: skip


def _read(source: Path) -> Iterator[Sealed]:
    for path in sorted((source / "journal").glob("*.jsonl")):
        with path.open("rb") as file:
            for line in file:
                try:
                    told = json.loads(line)
                    event = Event(
                        Kind(told["kind"]), datetime.fromisoformat(told["time"]), told["who"], told["subject"],
                        told["details"],
                    )  # fmt: skip
                    yield Sealed(told["number"], told["previous"], event, told["hash"])
                except (ValueError, KeyError, TypeError) as fault:
                    raise Refused(f"a line of {path.name}", f"it is damaged ({fault})", "take another copy") from fault


def _checked(source: Path, last: int, head: Mapping[str, Any], until: datetime | None, told: Told) -> Iterator[Sealed]:
    """Entries up to the last, each held against the one before it."""
    number, previous = 0, GENESIS
    for entry in _read(source):
        if number >= last or (until is not None and entry.event.time > until):
            return
        number += 1
        if entry.number != number or entry.previous != previous or not entry.is_whole():
            raise Refused(
                f"entry {number} of the backup is not what was sealed", "it was changed, or a file is missing",
                "take another copy of the backup",
            )  # fmt: skip
        previous = entry.hash
        if not number % 1000:
            told("journal", number, last)
        yield entry
    if number < last:
        raise Refused(f"entry {number + 1} of the backup is missing", f"it once had {head['entries']}", "take another")


def _must_follow(connection: sa.Connection, before: Mapping[str, Any], end: int) -> None:
    if not before["entries"]:
        return
    row = connection.execute(sa.select(t.event.c.hash).where(t.event.c.number == before["entries"])).first()
    if before["entries"] > end or row is None or row.hash != before["hash"]:
        raise Conflict(
            "the folder holds a backup of another archive",
            f"its entry {before['entries']} is not the one of this journal",
            "name a new folder",
        )


# ---- the blobs


def _copy(source: Blobs, to: Blobs, done: BackedUp, purged: set[str], told: Told) -> None:
    there = set(to.digests())
    # What was purged may have come anew, or be another study's, too: only what the archive has no more is let go of.
    purged = {digest for digest in purged if not _lives(source, digest)}
    for digest in there & purged:
        to.remove(digest)
        done.forgotten += 1
    there -= purged
    keyed = source.keyring is not None and source.keyring.active
    batch: dict[str, bytes] = {}
    for seen, digest in enumerate(source.digests(), 1):
        again = digest in there and keyed and _otherwise(source.standing(digest), to.standing(digest))
        if (digest in there and not again) or digest in purged:
            continue
        try:
            kept = source.as_kept(digest)
            if again:
                there.discard(digest)  # counted as new
            if again and digest not in kept and not to.is_sealed(digest):
                to.remove(digest)  # sealed since the last backup: what lies there in the clear is not to stay
            batch |= kept
        except Erased:
            continue
        except (Damaged, NotFound, Refused) as wrong:
            done.damaged.append(f"{digest}: {wrong.what}")
            continue
        if len(batch) >= _BATCH or sum(map(len, batch.values())) > _BATCH_BYTES:
            _keep(to, batch, done)
            told("blobs", seen, max(seen, len(there)))
    _keep(to, batch, done)
    done.blobs = len(there) + done.new_blobs
    to.close()


def _lives(blobs: Blobs, digest: str) -> bool:
    """Whether a digest is kept, and can be read."""
    clear, names = blobs.standing(digest)
    return clear or any(map(blobs.knows, names))


def _otherwise(here: tuple[bool, tuple[bytes, ...]], there: tuple[bool, tuple[bytes, ...]]) -> bool:
    """Whether a digest is kept here otherwise than there: another study shares it since, in the clear or by its key."""
    return here[0] != there[0] or set(here[1]) != set(there[1])


def _keep(to: Blobs, batch: dict[str, bytes], done: BackedUp) -> None:
    if batch:
        to.keep_so(batch)
        done.new_blobs += len({name[:64] for name in batch})
        done.new_bytes += sum(map(len, batch.values()))
        batch.clear()


def _take_back(kept: Blobs, blobs: Blobs, digests: list[str], told: Told) -> tuple[tuple[str, ...], int]:
    """Take every file over; those that are missing or damaged, and how many have their key destroyed."""
    missing: list[str] = []
    gone = 0
    batch: dict[str, bytes] = {}
    done = BackedUp()
    for number, digest in enumerate(digests, 1):
        try:
            batch |= kept.as_kept(digest)
        except Erased:
            gone += 1
            continue
        except IsocenterError:
            if (names := kept.sealed_by(digest)) and not any(map(kept.knows, names)):
                raise
            missing.append(digest)
            continue
        if len(batch) >= _BATCH or sum(map(len, batch.values())) > _BATCH_BYTES:
            _keep(blobs, batch, done)
            told("blobs", number, len(digests))
    _keep(blobs, batch, done)
    kept.close()
    return tuple(missing), gone


# ---- files


def _head(folder: Path) -> dict[str, Any]:
    try:
        held: dict[str, Any] = json.loads((folder / "head.json").read_bytes())
        if held["form"] != _FORM:
            raise Refused(f"a backup of form {held['form']}", "a newer Isocenter made it", "restore it with that one")
        return {**held, "entries": int(held["entries"]), "hash": str(held["hash"])}
    except FileNotFoundError:
        raise NotFound(f"a backup in '{folder}'", "it has no head.json", "name the folder of a backup") from None
    except (ValueError, KeyError, TypeError) as fault:
        raise Refused(f"the backup in '{folder}'", "its head.json is damaged", "take another copy") from fault


class _Folder:
    """Say a failing disk in words."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise unavailable(error, f"the folder '{self._path}' cannot hold a backup") from error

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError) and not isinstance(error, IsocenterError):
            raise unavailable(error, "the backup could not be written") from error
