"""The law of sealing: whatever is kept, sealed, moved and erased, in whatever order, every study that was not erased
reads its bytes, from the archive and from its newest backup, and nobody reads what only erased ones needed.

Studies share maps here, as they do where a map is empty: equal bytes are kept once. They share patients, too, who are
merged meanwhile, and images of theirs are rejected: the index is the fold of the journal at every moment, and once a
study is erased that came sealed, no file of the archive says who was imaged.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from isocenter.errors import IsocenterError
from isocenter.govern.policy import Person, Role
from isocenter.record import Event, Instance, Kind, Origin, Outcome, Patient, Result, Series, Study, canonical
from isocenter.site.sealing import Sealing
from isocenter.store import Blobs, Database, Journal, rebuild, receive
from isocenter.store.backup import backup, restore
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import HeldKey
from isocenter.store.tables import PROJECTION

ANNA, BERT = Person("anna", Role.ADMIN), Person("bert", Role.ADMIN)
MASTER = HeldKey(b"m" * 32)
CT = "1.2.840.10008.5.1.4.1.1.2"
_MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # what is flushed is not asked here
STUDIES, PROJECTS = ("1.2.0", "1.2.1", "1.2.2"), ("house", "trial", "registry")
study, project = st.sampled_from(STUDIES), st.sampled_from(PROJECTS[1:])

step = st.one_of(
    st.tuples(st.just("keep"), study, st.integers(0, 1)),
    st.tuples(st.just("keep"), study, st.integers(0, 1)),
    st.tuples(st.just("arrive"), study, st.integers(0, 2)),
    st.tuples(st.just("arrive"), study, st.integers(0, 2)),
    st.tuples(st.just("merge"), st.integers(0, 2), st.integers(0, 2)),
    st.tuples(st.just("undo")),
    st.tuples(st.just("reject"), study),
    st.tuples(st.just("seal"), project),
    st.tuples(st.just("move"), study, st.sampled_from(PROJECTS)),
    st.tuples(st.just("erase"), study),
    st.tuples(st.just("erase_project"), project),
    st.tuples(st.just("rotate"), project),
    st.tuples(st.just("backup")),
)


class Archive:
    """One archive, and what ought to be readable in it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.time, self.homes = folder, 0, dict[str, str]()
        self.keys = Keyring(folder / "keys", MASTER, lambda uid: self.homes.get(uid, "house"))
        self.database = Database(f"sqlite:///{folder}/a.sqlite")
        self.blobs = Blobs(str(folder / "blobs"), keyring=self.keys)
        self.journal = Journal(self.database, self.blobs)
        self.sealing = Sealing(self.database, self.blobs, self.journal, self.clock)
        self.needs: dict[str, dict[str, bytes]] = {uid: {} for uid in STUDIES}
        self.ever: dict[str, bytes] = {}
        self.came: dict[str, list[bool]] = {uid: [] for uid in STUDIES}  # whether each arrival was sealed
        self.erased: set[str] = set()
        self.images, self.merges = 0, list[int]()

    def clock(self) -> Any:
        from datetime import UTC, datetime, timedelta

        self.time += 1
        return datetime(2026, 11, 26, tzinfo=UTC) + timedelta(seconds=self.time)

    def keep(self, uid: str, map: int) -> None:
        data = b"an empty map" if map == 0 else f"map {uid}".encode()
        held = self.blobs.put(data, of=uid)
        now = self.clock()
        made = canonical(Result(uid, Outcome.NONE, Origin("machine", "m", "1"), now, reasons=(held,)))
        digest = self.blobs.put(made, of=uid)
        self.journal.append(Event(Kind.RESULT_MADE, now, "isocenter", uid, {"result": digest}))
        self.needs[uid] |= {held: data, digest: made}
        self.ever |= self.needs[uid]

    def arrive(self, uid: str, patient: int) -> None:
        self.images += 1
        data = f"image {self.images}".encode()
        who = Patient(f"P{patient}", f"Canary{uid}^{self.images}", date(1970, 1, 2))
        one = Instance(f"{uid}.{self.images}", CT, "1.2.840.10008.1.2.1", "", 0, facts={"Words": f"Canary{uid}"})
        series = Series(f"{uid}.1", "CT", description=f"Canary{uid}", instances=(one,))
        record = Study(uid, who, description=f"Canary{uid}", series=(series,))
        sealed, now = self.keys.seals(uid), self.clock()
        home = self.homes.get(uid, "house")
        (told,) = receive(self.database, self.blobs, self.journal, [(data, record)], "CT1", now, project=home)
        if told.status == "stored":
            self.needs[uid] |= {told.digest: data}
            self.ever |= {told.digest: data}
            self.came[uid].append(sealed)

    def merge(self, gone: int, stays: int) -> None:
        told = {"from": {"id": f"P{gone}", "issuer": ""}, "into": {"id": f"P{stays}", "issuer": ""}}
        (made,) = self.journal.append(Event(Kind.PATIENTS_MERGED, self.clock(), "anna", "", told))
        self.merges.append(made.number)

    def undo(self) -> None:
        if self.merges:
            self.journal.append(
                Event(Kind.PATIENTS_UNDONE, self.clock(), "anna", "", {"change": self.merges[-1], "reason": "no"})
            )
            self.merges.pop()

    def reject(self, uid: str) -> None:
        here = [f"{uid}.{n}" for n in range(1, self.images + 1, 2)]
        told = {"instances": here, "code": "113001", "reason": "x"}
        self.journal.append(Event(Kind.OBJECTS_REJECTED, self.clock(), "anna", uid, told))

    def seal(self, name: str) -> None:
        self.sealing.seal(name, who=ANNA)

    def rotate(self, name: str) -> None:
        self.sealing.rotate(name, who=ANNA)

    def move(self, uid: str, name: str) -> None:
        self.sealing.must_take(uid, name)
        self.homes[uid] = name
        told = {"project": name, "was": "", "reason": "x"}
        self.journal.append(Event(Kind.STUDY_HOMED, self.clock(), "anna", uid, told))
        self.sealing.follow(uid)

    def erase(self, uid: str) -> None:
        self._erased(uid, "study")
        self._is_gone(uid)

    def erase_project(self, name: str) -> None:
        self._erased(name, "project")
        for uid in STUDIES:
            if self.homes.get(uid) == name:
                self._is_gone(uid)

    def _is_gone(self, uid: str) -> None:
        self.needs[uid] = {}
        if all(self.came[uid]):
            self.erased.add(uid)
        self.came[uid] = []

    def _erased(self, subject: str, what: str) -> None:
        self.sealing.ask_erasure(subject, what=what, reason="withdrawn", who=ANNA)
        self.sealing.erase(subject, what=what, who=BERT)

    def backup(self) -> None:
        backup(self.database, self.blobs, self.folder / "copy")

    def hold(self) -> None:
        for uid, needed in self.needs.items():
            for digest, data in needed.items():
                assert self.blobs.get(digest) == data, f"study {uid} lost its bytes"
        readable(self.blobs.get, self.lost())
        for digest in self.ever:
            owners = [uid for uid, needed in self.needs.items() if digest in needed]
            if owners and all(map(self.keys.seals, owners)):
                assert self.blobs.is_sealed(digest), "what only sealed studies need lies in the clear"

        self.hold_index()

    def hold_index(self) -> None:
        before = dump(self.database)
        rebuild(self.database, self.blobs)
        assert dump(self.database) == before, "the index is not the fold of the journal"
        for uid in self.erased:
            if not self.came[uid]:
                word = f"Canary{uid}".casefold().encode()
                for path in self.folder.glob("a.sqlite*"):
                    assert word not in path.read_bytes().lower(), f"{path.name} still says who was imaged"

    def lost(self) -> list[str]:
        needed = {digest for some in self.needs.values() for digest in some}
        return [digest for digest in self.ever if digest not in needed]

    def hold_restored(self) -> None:
        if self.journal.head()[0] == 0:
            return  # nothing has happened, and there is nothing to restore
        self.backup()
        database, blobs = (
            Database(f"sqlite:///{self.folder}/b.sqlite"),
            Blobs(str(self.folder / "b"), keyring=self.keys),
        )
        try:
            assert restore(self.folder / "copy", database, blobs).missing == ()
            for needed in self.needs.values():
                assert all(blobs.get(digest) == data for digest, data in needed.items()), "a backup lacks bytes"
            readable(blobs.get, self.lost())
            readable(Blobs(str(self.folder / "copy" / "blobs"), keyring=self.keys).get, self.lost())
        finally:
            database.close()
            blobs.close()


def dump(database: Database) -> dict[str, list[Any]]:
    with database.read() as connection:
        return {t.name: sorted(map(tuple, connection.execute(sa.select(t))), key=repr) for t in PROJECTION}


def readable(get: Callable[[str], bytes], lost: list[str]) -> None:
    """Fail where what was erased can be read."""
    for digest in lost:
        try:
            get(digest)
        except IsocenterError:
            continue
        raise AssertionError(f"{digest[:12]} was erased, and is read")


@given(st.lists(step, min_size=4, max_size=14))
@example(
    [("keep", "1.2.0", 0), ("keep", "1.2.1", 0), ("move", "1.2.0", "trial"), ("seal", "trial"), ("erase", "1.2.0")]
)
@example(
    [("seal", "trial"), ("seal", "registry"), ("move", "1.2.0", "trial"), ("keep", "1.2.0", 0), ("backup",),
     ("move", "1.2.1", "registry"), ("keep", "1.2.1", 0), ("backup",), ("erase", "1.2.0")]
)  # fmt: skip
@example(
    [("seal", "trial"), ("move", "1.2.0", "trial"), ("keep", "1.2.0", 0), ("backup",), ("keep", "1.2.1", 0),
     ("erase_project", "trial")]
)  # fmt: skip
@example(
    [("seal", "trial"), ("move", "1.2.0", "trial"), ("arrive", "1.2.0", 0), ("arrive", "1.2.1", 1), ("merge", 0, 1),
     ("arrive", "1.2.2", 0), ("reject", "1.2.0"), ("erase", "1.2.0"), ("arrive", "1.2.0", 0), ("undo",)]
)  # fmt: skip
@example(
    [("seal", "trial"), ("move", "1.2.0", "trial"), ("arrive", "1.2.0", 1), ("erase", "1.2.0"), ("keep", "1.2.0", 0)]
)
@settings(
    max_examples=4, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_every_study_that_was_not_erased_reads_its_bytes_and_no_erased_one_does(steps: list[Any]) -> None:
    hold(steps)


@pytest.mark.nightly
@given(st.lists(step, min_size=4, max_size=24))
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_same_of_long_histories(steps: list[Any]) -> None:
    hold(steps)


def hold(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory(dir=_MEMORY) as folder:
        archive = Archive(Path(folder))
        try:
            for name, *given_ in steps:
                try:
                    getattr(archive, name)(*given_)
                except IsocenterError:
                    continue  # what the archive refuses has not happened
                finally:
                    archive.hold()
            archive.hold_restored()
        finally:
            archive.database.close()
            archive.blobs.close()
