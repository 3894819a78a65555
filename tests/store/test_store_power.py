"""The power fails at any call to the disk: what was acknowledged is there, and nothing is served that is not whole."""

from __future__ import annotations

import hashlib
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa
from power_cut import ForgettingDisk, left_after
from store_samples import NOON, dump, image

from isocenter.errors import Unavailable
from isocenter.store import Blobs, Database, Index, Journal, rebuild, receive

LEAN, ALL = 400, 4000  # faults at every commit, and every night


def data_of(number: int) -> bytes:
    return random.Random(number).randbytes(300 + number * 137)


def digest_of(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def stored(folder: Path, disk: ForgettingDisk) -> list[tuple[int, str]]:
    """Keep some blobs in every way that there is; (number of calls until it was acknowledged, digest)."""
    blobs = Blobs(str(folder), disk=disk)
    acknowledged: list[tuple[int, str]] = []
    numbers = iter(range(1000))
    for batch in [1] * 8 + [3, 5, 9] + [1] * 4:
        many = [data_of(next(numbers)) for _ in range(batch)]
        for digest in blobs.put_many(many):
            acknowledged.append((len(disk.told), digest))
    for turn in range(6):
        incoming = blobs.incoming()
        data = data_of(next(numbers))
        incoming.write(data[:100])
        incoming.write(data[100:])
        if turn % 2:
            blobs.go_on(incoming)
        acknowledged += [(len(disk.told), digest) for digest in blobs.put_many([incoming])]
    blobs.close()
    return [(len(disk.told) if at is None else at, digest) for at, digest in acknowledged]


def losses(disk: ForgettingDisk, acknowledged: list[tuple[int, str]], faults: int) -> list[str]:
    """What is lost or served wrong when the power fails, over every call and many kinds of forgetting."""
    rng, found = random.Random(4), []
    points = len(disk.told)
    for fault in range(faults):
        point = fault % (points + 1)
        left = left_after(disk.told[:point], rng)
        named = {path.name: content for path, content in left.items() if ".incoming" not in path.parts}
        found += [f"{digest} lost after call {point}" for at, digest in acknowledged if at <= point
                  and digest_of(named.get(digest, b"")) != digest]  # fmt: skip
        # A blob that nobody was promised may be torn; reading it tells so, and sending it again mends it.
    return found


@pytest.mark.parametrize("faults", [LEAN, pytest.param(ALL, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("together", [False, True])
@pytest.mark.parametrize("in_order", [False, True])
def test_nothing_acknowledged_is_lost_whatever_the_disk_forgets(
    tmp_path: Path, together: bool, in_order: bool, faults: int, progress: Callable[[str], None]
) -> None:
    disk = ForgettingDisk(together=together, in_order=in_order)
    acknowledged = stored(tmp_path, disk)
    assert len(acknowledged) == 35 and len(disk.told) > 100
    assert losses(disk, acknowledged, faults) == []
    progress(f"{faults} cuts at {len(disk.told)} calls to the disk")


@pytest.mark.parametrize("in_order", [False, True])
@pytest.mark.parametrize("left_out", ["flush", "flush_all"])
def test_a_program_that_left_a_flush_out_is_found(tmp_path: Path, left_out: str, in_order: bool) -> None:
    disk = ForgettingDisk(together=left_out == "flush_all", in_order=in_order, forgets=frozenset({left_out}))
    acknowledged = stored(tmp_path, disk)
    assert losses(disk, acknowledged, 250)


@pytest.mark.parametrize("batches", [7, pytest.param(60, marks=pytest.mark.nightly)])
def test_the_whole_archive_wakes_up_with_what_it_promised(tmp_path: Path, batches: int) -> None:
    """Blobs by the forgetting disk; of the write-ahead log all that was answered for, and a torn rest."""
    disk, here = ForgettingDisk(in_order=True), tmp_path / "here"
    database, blobs = Database(f"sqlite:///{here}/a.sqlite"), Blobs(str(here / "blobs"), disk=disk)
    journal = Journal(database, blobs)
    log = here / "a.sqlite-wal"
    states: list[tuple[int, int, dict[str, str]]] = []  # calls to the disk, bytes of the log, what was answered
    answered: dict[str, str] = {}
    for n in range(batches):
        batch = [(data_of(50 * n + k), image(50 * n + k)) for k in range(1 if n % 3 else 4)]
        for one in receive(database, blobs, journal, batch, "CT1", NOON):
            answered[one.sop_uid] = one.digest
        states.append((len(disk.told), log.stat().st_size, dict(answered)))
    whole_log, rng = log.read_bytes(), random.Random(9)
    # Without the log's index, as after a power cut; the database itself is flushed before the log begins anew.
    shutil.copy(here / "a.sqlite", tmp_path / "main")
    for number, (calls, size, promised) in enumerate(states):
        later = states[min(number + 1, len(states) - 1)][1]
        torn = bytearray(whole_log[: rng.randrange(size, later + 1)])
        for at in range(size, len(torn), 512):  # sectors that were never written, in any order
            if rng.random() < 0.3:
                torn[at : at + 512] = bytes(len(torn[at : at + 512]))
        cut = tmp_path / f"cut{number}"
        cut.mkdir()
        shutil.copy(tmp_path / "main", cut / "a.sqlite")
        (cut / "a.sqlite-wal").write_bytes(torn)
        point = rng.randrange(calls, states[min(number + 1, len(states) - 1)][0] + 1)
        for path, content in left_after(disk.told[:point], rng).items():
            place = cut / path.relative_to(here)
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
        _holds_what_it_promised(cut, promised)
    blobs.close()
    database.close()


def _holds_what_it_promised(cut: Path, promised: dict[str, str]) -> None:
    database, blobs = Database(f"sqlite:///{cut}/a.sqlite"), Blobs(str(cut / "blobs"))
    known = Index(database, blobs).known(list(promised))
    assert known == promised
    assert all(digest_of(blobs.get(digest)) == digest for digest in promised.values())
    Journal(database, blobs).verify()
    before = dump(database)
    rebuild(database, blobs)
    assert dump(database) == before
    blobs.close()
    database.close()


def test_a_database_that_is_full_at_any_page_acknowledges_nothing_and_goes_on_later(tmp_path: Path) -> None:
    """ENOSPC at each page that the index may want to grow by: a clean error, nothing half done, and then it goes in."""
    database, blobs = Database(f"sqlite:///{tmp_path}/a.sqlite"), Blobs(str(tmp_path / "blobs"))
    journal, index = Journal(database, blobs), Index(database, blobs)
    receive(database, blobs, journal, [(b"first", image(0))], "CT1", NOON)
    refused = 0
    for n in range(1, 20):
        with database._begin() as connection:
            pages = int(connection.exec_driver_sql("PRAGMA page_count").scalar() or 0)
            connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
        before = dump(database), journal.head()
        try:
            receive(database, blobs, journal, [(data_of(n), image(n, facts={"Words": "x" * 1500}))], "CT1", NOON)
        except Unavailable as full:
            refused += 1
            assert "full" in full.why and full.do
            assert (dump(database), journal.head()) == before
        with database._begin() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1073741823")
        (one,) = receive(database, blobs, journal, [(data_of(n), image(n, facts={"Words": "x" * 1500}))], "CT1", NOON)
        assert one.status in ("stored", "there")
    assert refused > 5 and index.counts()["instances"] == 20
    assert journal.verify() and list(blobs.scrub()) == []
    blobs.close()
    database.close()


_SINCE = {  # what each step of the tables' history added
    "0002": ("ALTER TABLE reading DROP COLUMN assigned",),
    "0003": tuple(f"DROP TABLE {table}" for table in ("rejected", "alias", "rehomed")),
    "0004": ("DROP TABLE home",),
}


@pytest.mark.parametrize("studies", [40, pytest.param(1000, marks=pytest.mark.nightly)])
@pytest.mark.parametrize("stands", ["0001", "0002", "0003"])
def test_a_migration_that_is_killed_in_the_middle_is_as_if_it_had_not_begun(
    tmp_path: Path, stands: str, studies: int, progress: Callable[[str], None]
) -> None:
    """From every earlier version, killed at every statement one after the other; then it is brought up whole."""
    from isocenter.store import migrations

    url = f"sqlite:///{tmp_path}/a.sqlite"
    database, blobs = Database(url), Blobs(str(tmp_path / "blobs"))
    many = [(data_of(n), image(n, study=f"1.2.{n}")) for n in range(studies)]
    assert all(one.status == "stored" for one in receive(database, blobs, Journal(database, blobs), many, "CT1", NOON))
    whole = dump(database)
    with database._begin() as connection:
        for step, added in reversed(_SINCE.items()):
            for statement in added if step > stands else ():
                connection.exec_driver_sql(statement)
        connection.exec_driver_sql(f"UPDATE alembic_version SET version_num = '{stands}'")
    database.close()

    engine, left = sa.create_engine(url), [0]
    sa.event.listen(engine, "connect", lambda c, _: setattr(c, "isolation_level", None))
    sa.event.listen(engine, "begin", lambda c: c.exec_driver_sql("BEGIN IMMEDIATE"))

    def kill(_conn: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.startswith(("BEGIN", "PRAGMA")):
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt

    sa.event.listen(engine, "before_cursor_execute", kill)
    before, kills = _tables(url), 0
    while left[0] <= 0:
        left[0] = kills + 1
        try:
            migrations.upgrade(engine, stands)
        except KeyboardInterrupt:
            kills += 1
            engine.dispose()
            assert _tables(url) == before, f"killed at statement {kills}"
    engine.dispose()
    assert kills > 3 and _tables(url) != before
    again = Database(url)
    assert dump(again) == whole
    rebuild(again, blobs)
    assert dump(again) == whole and Index(again, blobs).counts()["studies"] == studies
    again.close()
    blobs.close()
    progress(f"{kills} kills of the way from {stands} with {studies} studies")


def _tables(url: str) -> list[tuple[str, ...]]:
    """What a database is made of, and the version that it says."""
    engine = sa.create_engine(url)
    with engine.connect() as connection:
        made = connection.exec_driver_sql("SELECT name, sql FROM sqlite_master ORDER BY name").fetchall()
        stands = connection.exec_driver_sql("SELECT version_num FROM alembic_version").fetchall()
    engine.dispose()
    return [tuple(map(str, row)) for row in (*made, *stands)]
