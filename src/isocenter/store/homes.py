"""In which project a study is at home, and the condition that keeps a search within some projects.

A study that nobody ever put elsewhere has no row and is at home in the house. The row outlives the images: what is
rejected and comes back, comes back where it was.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from isocenter.record.event import Sealed
from isocenter.record.project import EVERYBODY, Reach
from isocenter.store import tables as t
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.statements import Statement

__all__ = ["Homes", "fold_homed", "within"]

_HOME = Statement(sa.select(t.home.c.project).where(t.home.c.study_uid == sa.bindparam("uid")))
_MANY = 500  # values in one IN (...)


def within(study_uid: sa.ColumnElement[str], reach: Reach) -> sa.ColumnElement[bool]:
    """That the study of a row is one of these."""
    c = t.home.c
    mine = c.study_uid == study_uid
    if EVERYBODY in reach.projects:
        held: sa.ColumnElement[bool] = ~sa.exists().where(mine, c.project.not_in(sorted(reach.projects)))
    else:
        held = sa.exists().where(mine, c.project.in_(sorted(reach.projects)))
    return sa.or_(held, study_uid.in_(sorted(reach.studies))) if reach.studies else held


def fold_homed(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    """Fold a `Kind.STUDY_HOMED`: from now on the study is at home in that project."""
    row = {
        "study_uid": entry.event.subject,
        "project": str(entry.event.details["project"]),
        "event": entry.number,
    }
    connection.execute(t.home.delete().where(t.home.c.study_uid == entry.event.subject))
    connection.execute(t.home.insert(), row)


class Homes:
    """Questions about the homes of one archive's studies."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> tuple[int, dict[str, str]]:
        """Every study that was given a home, and the number of the last event that did."""
        with self._database.read() as connection:
            rows = connection.execute(sa.select(t.home)).mappings().all()
        return max((row["event"] for row in rows), default=0), {row["study_uid"]: row["project"] for row in rows}

    def of(self, study_uid: str) -> str:
        """The project in which a study is at home, as it stands now."""
        (rows,) = self._database.look(_HOME, [{"uid": study_uid}])
        return str(rows[0][0]) if rows else EVERYBODY

    def known(self, study_uids: Iterable[str]) -> set[str]:
        """Which of these studies the archive has ever had: also those whose every image is rejected."""
        found: set[str] = set()
        wanted = list(dict.fromkeys(study_uids))
        with self._database.read() as connection:
            for start in range(0, len(wanted), _MANY):
                some = wanted[start : start + _MANY]
                columns: tuple[sa.Column[Any], ...] = (t.study.c.uid, t.rejected.c.study_uid, t.home.c.study_uid)
                for column in columns:
                    found.update(connection.execute(sa.select(column).where(column.in_(some)).distinct()).scalars())
        return found
