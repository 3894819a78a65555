"""What belongs to a study, and what stays of it in the index when its key was destroyed: the names of its images.

As after a purge, the identity of each image is kept, so that everybody learns that it was here and is gone, and nothing
else of it: no patient, no description, no results, no reading.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

import sqlalchemy as sa

from isocenter.errors import IsocenterError
from isocenter.record.event import Kind, Sealed
from isocenter.store import tables as t
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.identities import followed

__all__ = [
    "ERASED", "JSON", "OWNED", "belongings", "digests_in", "fold_erasure", "known_as", "own",
    "shared_patients", "still_needed", "studies", "words_forgotten",
]  # fmt: skip

ERASED = "erased"
"""What stands in place of a code of rejection."""

_DIGEST = re.compile(rb"(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])")
JSON = b"{"
"""How a blob begins that may name others."""
OWNED = (t.instance, t.rejected, t.set_aside, t.result)
"""Tables in which a digest stands with the study whose own it is."""


def fold_erasure(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    """Fold a `Kind.STUDY_ERASED`: of a study only the identities of its images stay."""
    uid, c = entry.event.subject, t.rejected.c
    stone = {"code": ERASED, "item": "", "above": "", "rejection": entry.number, "purged": entry.number}
    connection.execute(t.rejected.update().where((c.study_uid == uid) & (c.purged == 0)), stone)
    of = t.instance.c.study_uid == uid
    names = [t.instance.c[name] for name in ("sop_uid", "study_uid", "series_uid", "digest")]
    for row in connection.execute(sa.select(*names).where(of)).mappings().all():
        connection.execute(t.rejected.delete().where(c.sop_uid == row["sop_uid"]))
        connection.execute(t.rejected.insert(), {**row, **stone})
    for table in (t.instance, t.series, t.set_aside, t.result, t.reading, t.rehomed):
        connection.execute(table.delete().where(table.c.study_uid == uid))
    connection.execute(t.study.delete().where(t.study.c.uid == uid))
    # Whose it was may be forgotten with it, so that everybody is asked.
    p, s = t.patient.c, t.study.c
    theirs = sa.exists().where((s.patient_id == p.id) & (s.issuer == p.issuer))
    connection.execute(t.patient.delete().where(~theirs))


def words_forgotten(database: Database, blobs: Blobs, keys: Collection[bytes], *kinds: Kind) -> list[int]:
    """Numbers of the entries of some kinds whose words nobody can read any more when some keys, which live, are
    destroyed."""
    asked = sa.select(t.event.c.number, t.event.c.details).where(t.event.c.kind.in_([str(kind) for kind in kinds]))
    with database.read() as connection:
        told = [(int(number), json.loads(details)) for number, details in connection.execute(asked)]
    sealed = ((number, {bytes.fromhex(one["key"]) for one in details.get("sealed", ())}) for number, details in told)
    living = ((number, {key for key in by if blobs.knows(key)}) for number, by in sealed)
    return [number for number, by in living if by and by <= set(keys)]


def known_as(database: Database, patient: tuple[str, str]) -> tuple[set[tuple[str, str]], set[str]]:
    """Every number (with its issuer) of a person by the merges that stand, and their studies."""
    alias = t.alias.c
    with database.read() as connection:
        id, issuer = followed(patient, connection)
        mine = sa.select(t.study.c.uid).where((t.study.c.patient_id == id) & (t.study.c.issuer == issuer))
        studies = set(connection.execute(mine).scalars())
        found, news = {(id, issuer)}, {(id, issuer)}
        while news:
            into = sa.tuple_(alias.into_id, alias.into_issuer).in_(news)
            rows = connection.execute(sa.select(alias.id, alias.issuer).where(into)).all()
            news = {(row.id, row.issuer) for row in rows} - found
            found |= news
    return found, studies


def still_needed(database: Database, merges: Collection[int], gone: Collection[str]) -> list[int]:
    """Those of some merges whose patient has a study that is not gone: it is known by both numbers, and what was said
    of either holds for it."""
    needed = []
    with database.read() as connection:
        for number in sorted(merges):
            asked = sa.select(t.alias.c.id, t.alias.c.issuer).where(t.alias.c.event == number)
            if (row := connection.execute(asked).first()) is None:
                continue  # it was undone
            id, issuer = followed((row.id, row.issuer), connection)
            mine = sa.select(t.study.c.uid).where((t.study.c.patient_id == id) & (t.study.c.issuer == issuer))
            if not set(connection.execute(mine).scalars()) <= set(gone):
                needed.append(number)
    return needed


def shared_patients(database: Database, study_uids: Collection[str]) -> bool:
    """Whether a patient of some studies has others as well."""
    s = t.study.c
    with database.read() as connection:
        for uid in study_uids:
            row = connection.execute(sa.select(s.patient_id, s.issuer).where(s.uid == uid)).first()
            if row is not None:
                theirs = sa.select(s.uid).where((s.patient_id == row.patient_id) & (s.issuer == row.issuer))
                if not set(connection.execute(theirs).scalars()) <= set(study_uids):
                    return True
    return False


def studies(database: Database) -> list[str]:
    """Every study of which anything is kept, erased ones not counted."""
    found: set[str] = set()
    with database.read() as connection:
        found |= set(connection.execute(sa.select(t.study.c.uid)).scalars())
        kept = sa.select(t.rejected.c.study_uid).where(t.rejected.c.purged == 0)
        for query in (kept, sa.select(t.set_aside.c.study_uid), sa.select(t.result.c.study_uid)):
            found |= set(connection.execute(query.distinct()).scalars())
    return sorted(found)


def belongings(database: Database, blobs: Blobs, study_uid: str) -> list[str]:
    """Digests of everything that is kept of one study: images, results with their maps, opinions, drafts, reports.

    They are found by the tables, by the journal's entries on the study, and by what these name in turn; what is
    another study's own is not among them.
    """
    found = set[str]()
    with database.read() as connection:
        mine = set(own(connection, (study_uid,)))
        images, wanted = set(_images(connection, study_uid)), mine | set(_named(connection, study_uid))
        while wanted:
            digest = wanted.pop()
            if digest in found or digest not in blobs:
                continue
            if digest not in mine and _of_another(connection, digest, study_uid):
                continue
            found.add(digest)
            if digest in images:
                continue
            try:
                data = blobs.get(digest, check=False)
            except IsocenterError:
                continue  # damaged: it belongs to the study all the same
            if data[:1] == JSON:
                wanted |= set(digests_in(data)) - found
    return sorted(found)


def own(connection: sa.Connection, study_uids: Collection[str]) -> Iterator[str]:
    """Digests that stand in a table with one of these studies: what names its study, and is nobody else's."""
    for study_uid in study_uids:
        for table in OWNED:
            yield from connection.execute(sa.select(table.c.digest).where(table.c.study_uid == study_uid)).scalars()


def digests_in(text: bytes) -> Iterator[str]:
    """Everything in a text that may be the name of a blob."""
    return (token.decode() for token in _DIGEST.findall(text))


def _images(connection: sa.Connection, study_uid: str) -> Iterator[str]:
    for table in (t.instance, t.rejected, t.set_aside):
        yield from connection.execute(sa.select(table.c.digest).where(table.c.study_uid == study_uid)).scalars()


def _named(connection: sa.Connection, study_uid: str) -> Iterator[str]:
    for row in connection.execute(sa.select(t.reading).where(t.reading.c.study_uid == study_uid)).mappings():
        yield from filter(None, (row["draft"], row["first"], *json.loads(row["reports"])))
    told = sa.select(t.event.c.details).where(t.event.c.subject == study_uid)
    for details in connection.execute(told).scalars():
        yield from digests_in(details.encode("utf-8", "replace"))


def _of_another(connection: sa.Connection, digest: str, study_uid: str) -> bool:
    for table in OWNED:
        owners = sa.select(table.c.study_uid).where(table.c.digest == digest).distinct()
        held = set(connection.execute(owners).scalars())
        if held and study_uid not in held:
            return True
    return False
