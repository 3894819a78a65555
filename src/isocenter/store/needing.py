"""Who else needs some bytes: equal bytes are kept once, so that what two studies have in common belongs to both.

An image names its study and is nobody else's. A map, a mask or a cohort may be equal to another's, an empty one often
is. Before bytes cease to lie in the clear, or are destroyed with a key, it is asked here who else would lose them.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator

import sqlalchemy as sa

from isocenter.errors import IsocenterError
from isocenter.record.event import Kind
from isocenter.store import tables as t
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.erasures import JSON, OWNED, digests_in, own, studies

__all__ = ["NO_STUDY", "needing"]

NO_STUDY = ""
"""Stands for what belongs to no single study, as a cohort does; it is never sealed."""

_ASKED = 400  # digests in one question to the database


def needing(
    database: Database, blobs: Blobs, digests: Collection[str], *, besides: Collection[str]
) -> dict[str, set[str]]:
    """The studies that need some bytes, besides those that are asked about: digest -> Study Instance UIDs.

    The studies of which `belongings` would name the digest. An image or a result names its study and is nobody else's;
    for the rest (maps, above all) every result and report of the archive is read once.

    Args:
        digests: which bytes.
        besides: Study Instance UIDs that are known to need them.

    Returns:
        only digests that somebody else needs; `NO_STUDY` among the studies where it is no study that does.

    Raises:
        Unavailable: the database or the disk said no.
    """
    found: dict[str, set[str]] = {}
    with database.read() as connection:
        wanted = set(digests) - set(own(connection, besides))
        owned = dict(_owners(connection, sorted(wanted)))
        found |= {digest: {owner} for digest, owner in owned.items()}
        wanted -= set(owned)
        roots = set(_roots(connection, besides, set(studies(database)))) if wanted else set()
    for owner, digest in sorted(roots):
        for name in ({digest} | _named_by(blobs, digest)) & wanted:
            found.setdefault(name, set()).add(owner)
    return found


def _owners(connection: sa.Connection, digests: list[str]) -> Iterator[tuple[str, str]]:
    for start in range(0, len(digests), _ASKED):
        some = digests[start : start + _ASKED]
        for table in OWNED:
            query = sa.select(table.c.digest, table.c.study_uid).where(table.c.digest.in_(some)).distinct()
            yield from ((digest, study_uid) for digest, study_uid in connection.execute(query))


def _roots(connection: sa.Connection, besides: Collection[str], living: set[str]) -> Iterator[tuple[str, str]]:
    """What studies besides these name first: their results, their readings, and what the journal tells of them."""
    known = set(besides)
    for study_uid, digest in connection.execute(sa.select(t.result.c.study_uid, t.result.c.digest)):
        if study_uid not in known:
            yield study_uid, digest
    columns = (t.reading.c.study_uid, t.reading.c.draft, t.reading.c.first, t.reading.c.reports)
    for study_uid, draft, first, reports in connection.execute(sa.select(*columns)):
        if study_uid not in known:
            yield from ((study_uid, digest) for digest in (draft, first, *json.loads(reports)) if digest)
    erased = sa.select(t.event.c.subject).where(t.event.c.kind == str(Kind.STUDY_ERASED)).distinct()
    gone = set(connection.execute(erased).scalars()) - living
    told = sa.select(t.event.c.subject, t.event.c.details).where(t.event.c.kind != str(Kind.INSTANCES_RECEIVED))
    for subject, details in connection.execution_options(yield_per=1000).execute(told):
        if subject not in known and subject not in gone:
            owner = subject if subject in living else NO_STUDY
            yield from ((owner, digest) for digest in digests_in(details.encode("utf-8", "replace")))


def _named_by(blobs: Blobs, digest: str) -> set[str]:
    """What a result, a report or a cohort names in turn; nothing where it is none, or cannot be read any more."""
    try:
        data = blobs.get(digest, check=False)
    except IsocenterError:
        return set()
    return set(digests_in(data)) if data[:1] == JSON else set()
