"""The index made again from the journal, as if everything had just happened once more."""

from __future__ import annotations

import sqlalchemy as sa

from isocenter.record.event import Kind
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.journal import entries
from isocenter.store.projection import project
from isocenter.store.tables import PROJECTION, chain, event

__all__ = ["rebuild"]


def rebuild(database: Database, blobs: Blobs) -> int:
    """Drop what the index holds and fold the whole journal again, in one transaction; returns the number of events.

    Readers see the old index until the new one is whole; senders wait.

    Raises:
        NotFound, Refused: a result's bytes are lost or damaged; the old index then stays as it was.
        Unavailable: disk or database said no.
    """

    def again(connection: sa.Connection) -> int:
        connection.execute(sa.select(chain.c.number).with_for_update())
        for table in PROJECTION:
            connection.execute(table.delete())
        gone = sa.select(event.c.subject, sa.func.max(event.c.number)).where(event.c.kind == str(Kind.STUDY_ERASED))
        erased = {str(uid): int(last) for uid, last in connection.execute(gone.group_by(event.c.subject))}
        count = 0
        for entry in entries(connection):
            project(entry, blobs, connection, erased)
            count += 1
        return count

    return database.write(again)
