"""Nobody edits the journal unseen: a thousand random changes, and every one is found."""

from __future__ import annotations

import hashlib
import json
import random
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa

from fresh_database import fresh_database
from isocenter.errors import Refused
from isocenter.govern.heads import Head, checked, head_of, public_key, signed
from isocenter.record import Event, Kind, to_plain
from isocenter.record.event import GENESIS
from isocenter.store import Database, Journal
from isocenter.store.journal import _event_text, _hash

NOW = datetime(2026, 11, 20, tzinfo=UTC)
SECRET, ENTRIES = b"s" * 32, 40
Row = list[Any]  # number, time, kind, who, subject, details, previous, hash
_NUMBER, _TIME, _KIND, _WHO, _SUBJECT, _DETAILS, _PREVIOUS, _HASH = range(8)
_COLUMNS = "number, time, kind, who, subject, details, previous, hash"


class Bench:
    """A journal, a signed head of it, and a hand that reaches beneath."""

    def __init__(self, url: str) -> None:
        self.database = Database(url)
        self.journal = Journal(self.database)
        for n in range(ENTRIES):
            who = ("ito", "lee", "chief")[n % 3]
            told = {"objects": n, "held_back": 0, "note": 'ä\n"x"'}
            self.journal.append(Event(Kind.EXPORTED, NOW + timedelta(minutes=n), who, f"1.2.{n % 7}", told))
        self.head = signed(*self.journal.head(), NOW, SECRET)
        self.key = public_key(SECRET)
        self.raw = sa.create_engine(self.database.url).connect()
        if self.database.is_sqlite:
            self.say("PRAGMA synchronous=OFF")
            found = self.raw.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'"))
            guards = [f"DROP TRIGGER {name}" for name in found.scalars()]
        else:
            guards = ["ALTER TABLE event DISABLE TRIGGER USER"]
        for words in guards:
            self.say(words)
        self.rows = [list(r) for r in self.raw.execute(sa.text(f"SELECT {_COLUMNS} FROM event ORDER BY number"))]
        self.raw.rollback()

    def say(self, words: str) -> None:
        self.raw.execute(sa.text(words))
        self.raw.commit()

    def write(self, rows: list[Row], end: tuple[int, str]) -> None:
        names = _COLUMNS.split(", ")
        self.raw.execute(sa.text("DELETE FROM event"))
        if rows:
            places = ", ".join(f":{name}" for name in names)
            told = [dict(zip(names, row, strict=True)) for row in rows]
            self.raw.execute(sa.text(f"INSERT INTO event ({_COLUMNS}) VALUES ({places})"), told)
        self.raw.execute(sa.text("UPDATE chain SET number = :number, hash = :hash"), {"number": end[0], "hash": end[1]})
        self.raw.commit()

    def end(self, rows: list[Row]) -> tuple[int, str]:
        return (rows[-1][_NUMBER], rows[-1][_HASH]) if rows else (0, GENESIS)

    def entry(self, number: int) -> str | None:
        found = self.journal.since(number - 1, limit=1)
        return found[0].hash if found and found[0].number == number else None

    def found(self) -> str:
        """How a change is found: by the chain itself, by a head that lies outside, or not at all."""
        try:
            self.journal.verify()
        except (Refused, ValueError, json.JSONDecodeError):
            return "chain"
        try:
            checked([self.head], self.entry, self.key)
        except Refused:
            return "head"
        return ""


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def bench(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bench]:
    with fresh_database(request.param, tmp_path_factory.mktemp("journal")) as url:
        made = Bench(url)
        yield made
        made.raw.close()
        made.raw.engine.dispose()
        made.database.close()


def edited(rows: list[Row], rng: random.Random) -> list[Row]:
    row, column = rng.choice(rows), rng.choice((_TIME, _KIND, _WHO, _SUBJECT, _DETAILS, _PREVIOUS, _HASH))
    if column == _KIND:
        row[column] = rng.choice([k for k in Kind if k.value != row[column]]).value
    elif column == _TIME:
        row[column] = (datetime.fromisoformat(row[column]) + timedelta(seconds=rng.randint(1, 10**6))).isoformat()
    elif column == _DETAILS:
        row[column] = json.dumps({**json.loads(row[column]), "objects": rng.randint(1000, 10**6)})
    else:
        at = rng.randrange(len(row[column]))
        row[column] = row[column][:at] + ("7" if row[column][at] != "7" else "8") + row[column][at + 1 :]
    return rows


def deleted(rows: list[Row], rng: random.Random) -> list[Row]:
    del rows[rng.randrange(len(rows) - 1)]
    return rows


def reordered(rows: list[Row], rng: random.Random) -> list[Row]:
    i, j = rng.sample(range(len(rows)), 2)
    rows[i][1:6], rows[j][1:6] = rows[j][1:6], rows[i][1:6]
    return rows


def added(rows: list[Row], rng: random.Random) -> list[Row]:
    at = rng.randrange(len(rows) - 1)  # what comes after the last is no change of what was there
    rows.insert(at, list(rows[at]))
    return renumbered(rows)


def cut(rows: list[Row], rng: random.Random) -> list[Row]:
    return rows[: rng.randrange(len(rows))]


def renumbered(rows: list[Row]) -> list[Row]:
    for number, row in enumerate(rows, 1):
        row[_NUMBER] = number
    return rows


def made_anew(
    change: Callable[[list[Row], random.Random], list[Row]],
) -> Callable[[list[Row], random.Random], list[Row]]:
    """The same change by somebody who knows the chain and seals every entry again."""

    def again(rows: list[Row], rng: random.Random) -> list[Row]:
        previous = GENESIS
        for row in renumbered(change(rows, rng)):
            row[_PREVIOUS] = previous
            text = _event_text(row[_TIME], row[_KIND], row[_WHO], row[_SUBJECT], row[_DETAILS])
            row[_HASH] = previous = _hash(row[_NUMBER], previous, text)
        return rows

    return again


CHANGES = {
    "edited": (edited, "chain"), "deleted": (deleted, "chain"), "reordered": (reordered, "chain"),
    "added": (added, "chain"), "cut": (cut, "head"), "edited and sealed again": (made_anew(edited), "head"),
    "deleted and sealed again": (made_anew(deleted), "head"), "added and sealed again": (made_anew(added), "head"),
    "reordered and sealed again": (made_anew(reordered), "head"), "cut and sealed again": (made_anew(cut), "head"),
}  # fmt: skip


def test_a_thousand_changes_are_a_thousand_found(bench: Bench) -> None:
    rng, seen = random.Random(57), 0
    many = 1000 if bench.database.is_sqlite else 100  # a server elsewhere takes longer over each
    assert bench.found() == ""
    try:
        for n in range(many):
            change, by = list(CHANGES.values())[n % len(CHANGES)]
            rows = change([list(r) for r in bench.rows], rng)
            if [r[1:6] for r in rows] == [r[1:6] for r in bench.rows] and by == "head":
                seen += 1  # only what is sealed was touched, and it was sealed again: nothing was changed at all
                continue
            bench.write(rows, bench.end(rows))
            found = bench.found()
            assert found in (by, "chain"), (n, list(CHANGES)[n % len(CHANGES)], found)
            seen += 1
    finally:
        bench.write(bench.rows, bench.end(bench.rows))
    assert seen == many and bench.found() == ""


def test_a_head_is_believed_only_with_the_key_that_the_auditor_was_given(bench: Bench) -> None:
    assert checked([head_of(to_plain(bench.head))] * 3, bench.entry, bench.key) == 3
    forged = signed(bench.head.number, hashlib.sha256(b"x").hexdigest(), NOW, b"t" * 32)
    later = Head(**{**to_plain(bench.head), "number": bench.head.number - 1})
    for head in (forged, later):
        with pytest.raises(Refused, match="not signed"):
            checked([head], bench.entry, bench.key)
    with pytest.raises(Refused, match="cannot be read"):
        head_of({"number": 1})
