"""A site with one study of two series, for the tests of what happens to it."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from isocenter.analysis.registry import Registry
from isocenter.dicom.header import read_header
from isocenter.govern.policy import HOUSE, Person, Role
from isocenter.record import Event, Kind
from isocenter.site.verbs import Site
from isocenter.store import Blobs, Database, Index, Journal
from isocenter.testing.crooked import Elements, image, plain, uid, written

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
ANNA, BERT = Person("anna", Role.ADMIN), Person("bert", Role.ADMIN)
ITO, LEE = Person("ito", Role.READER), Person("lee", Role.RESEARCHER)
SCANNER = Person("CT1", Role.SERVICE)


def files(seed: int = 7, *, patient: str = "P1", study: str = "", number: int = 2) -> list[bytes]:
    """A study of two series with `number` images each."""
    rng = random.Random(seed)
    first = image(rng)
    made = []
    for _ in range(2):
        series = uid(rng)
        for n in range(number):
            one: Elements = {
                **first,
                0x00080018: ("UI", plain(uid(rng), pad=b"\0")),
                0x0020000E: ("UI", plain(series, pad=b"\0")),
                0x00100020: ("LO", plain(patient)),
                0x00200013: ("IS", plain(str(n + 1))),
                0x00200032: ("DS", plain(f"0\\0\\{n}")),
            }
            if study:
                one[0x0020000D] = ("UI", plain(study, pad=b"\0"))
            made.append(written(one))
    return made


def sop_of(data: bytes) -> str:
    return read_header(data).series[0].instances[0].sop_uid


def link_in(site: Site, name: str, role: Role) -> None:
    """An account that signs in by link alone: a password costs 0.2 s of processor time where none is asked for."""
    site.journal.append(Event(Kind.PERSON_ADDED, site.clock(), "isocenter", name, {"role": role, "credential": "none"}))


@contextmanager
def opened(folder: Path, url: str = "") -> Iterator[Site]:
    database, blobs = Database(url or f"sqlite:///{folder}/a.sqlite"), Blobs(str(folder / "blobs"))
    site = Site(
        database, blobs, Journal(database, blobs), Index(database, blobs), Registry({}, {}), lambda: NOON, apart=False
    )
    try:
        yield site
    finally:
        site.guests.close()
        blobs.close()
        database.close()


def given(site: Site, some: list[bytes]) -> str:
    """Take files in; their Study Instance UID."""
    assert all(s.status == "stored" for s in site.receive(some, sender="CT1", who=HOUSE))
    return read_header(some[0]).uid
