"""Rejected images leave the index and stay in the archive: what a rejection, its end and a purge mean for the tables.

A rejected image is found by no search, stands in no study and is analysed by nobody, because its row is no longer among
those of images; what was known of it is kept beside, so that a rejection can be taken back. Its bytes stay as they were
received. Sent again, it is known and stays rejected. Only a purge ends it, and then the name stays that it had.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import sqlalchemy as sa

from isocenter.errors import NotFound, WrongState
from isocenter.record.event import Sealed
from isocenter.store import tables as t
from isocenter.store.arrivals import drop_if_empty, fold_instances
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database

__all__ = ["Rejections", "fold_end", "fold_purge", "fold_rejection"]

_WORDS = ("accession", "date", "time", "description", "referring", "priority")


def fold_rejection(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    """Fold a `Kind.OBJECTS_REJECTED`: images of one study leave the index; one that is not there is passed over."""
    study_uid, told = entry.event.subject, entry.event.details
    home = connection.execute(sa.select(t.study).where(t.study.c.uid == study_uid)).mappings().first()
    wanted = [str(uid) for uid in told["instances"]]
    by_series: dict[str, list[sa.RowMapping]] = {}
    for uid in wanted:
        mine = (t.instance.c.sop_uid == uid) & (t.instance.c.study_uid == study_uid)
        row = connection.execute(sa.select(t.instance).where(mine)).mappings().first()
        if row is not None:
            by_series.setdefault(row["series_uid"], []).append(row)
    if home is None or not by_series:
        return
    for series_uid, rows in by_series.items():
        above = connection.execute(sa.select(t.series).where(t.series.c.uid == series_uid)).mappings().one()
        shared = json.dumps({"study": _study_told(home), "series": _series_told(above)}, sort_keys=True)
        for number, row in enumerate(rows):
            kept = {"sop_uid": row["sop_uid"], "study_uid": study_uid, "series_uid": series_uid,
                    "digest": row["digest"], "rejection": entry.number, "code": str(told["code"]), "purged": 0,
                    "item": json.dumps(_item(row), sort_keys=True), "above": "" if number else shared}  # fmt: skip
            connection.execute(t.rejected.delete().where(t.rejected.c.sop_uid == row["sop_uid"]))
            connection.execute(t.rejected.insert(), kept)
        gone = [row["sop_uid"] for row in rows]
        for uid in gone:
            connection.execute(t.instance.delete().where(t.instance.c.sop_uid == uid))
        _count_series(series_uid, above["instance_count"] - len(gone), connection)
    _count_study(home, connection)


def fold_end(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    """Fold a `Kind.REJECTION_ENDED`: what was rejected is an image of the study again.

    Raises:
        WrongState: it was taken back before, or purged.
    """
    number, table = int(entry.event.details["rejection"]), t.rejected
    mine = (table.c.rejection == number) & (table.c.study_uid == entry.event.subject)
    rows = connection.execute(sa.select(table).where(mine).order_by(table.c.sop_uid)).mappings().all()
    if not rows or any(row["purged"] for row in rows):
        raise WrongState(
            "this rejection",
            "nothing of it can come back: it was taken back before, or purged",
            "look at what became of it: `isocenter rejections STUDY`",
        )
    connection.execute(table.delete().where(mine))
    for series_uid in sorted({row["series_uid"] for row in rows}):
        some = [row for row in rows if row["series_uid"] == series_uid]
        above = json.loads(next(row["above"] for row in some if row["above"]))
        items = [{**json.loads(row["item"]), "study_uid": row["study_uid"], "series_uid": series_uid} for row in some]
        told = {"study": above["study"], "series": {series_uid: above["series"]}, "instances": items}
        fold_instances(told, entry.event.time.isoformat(), connection)


def fold_purge(entry: Sealed, _blobs: Blobs | None, connection: sa.Connection) -> None:
    """Fold a `Kind.OBJECTS_PURGED`: of what was rejected only the identity stays.

    Raises:
        WrongState: it is not rejected, or purged already.
    """
    number, table = int(entry.event.details["rejection"]), t.rejected
    mine = (table.c.rejection == number) & (table.c.purged == 0)
    if connection.execute(sa.select(table.c.sop_uid).where(mine)).first() is None:
        raise WrongState("this rejection", "nothing of it is left to purge", "nothing is left to do")
    connection.execute(table.update().where(mine), {"purged": entry.number, "item": "", "above": ""})


class Rejections:
    """Questions about what is rejected in one archive."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def of(self, rejection: int) -> list[dict[str, Any]]:
        """Rows of one rejection: sop_uid, study_uid, series_uid, digest, code, purged (number of the event, or 0).

        Raises:
            NotFound: no such rejection, or it was taken back.
        """
        rows = self._rows(t.rejected.c.rejection == rejection)
        if not rows:
            raise NotFound(f"rejection {rejection}", "there is none that stands", "see the rejections of the study")
        return rows

    def of_study(self, study_uid: str) -> list[dict[str, Any]]:
        """Rows of everything that is rejected in a study."""
        return self._rows(t.rejected.c.study_uid == study_uid)

    def told(self, study_uids: Sequence[str]) -> dict[str, dict[str, Any]]:
        """What was known of studies of which something is rejected: patient, accession, date, description."""
        c = t.rejected.c
        query = sa.select(c.study_uid, c.above).where(c.study_uid.in_(list(study_uids)), c.above != "")
        with self._database.read() as connection:
            rows = connection.execute(query).all()
        return {str(uid): dict(json.loads(above)["study"]) for uid, above in rows}

    def shared(self, digests: Sequence[str], rejection: int) -> set[str]:
        """Those of some digests that an image or another rejection needs too."""
        found: set[str] = set()
        with self._database.read() as connection:
            for digest in digests:
                others = (t.rejected.c.digest == digest) & (t.rejected.c.rejection != rejection)
                others &= t.rejected.c.purged == 0
                for query in (
                    sa.select(t.instance.c.sop_uid).where(t.instance.c.digest == digest),
                    sa.select(t.rejected.c.sop_uid).where(others),
                ):
                    if connection.execute(query).first() is not None:
                        found.add(digest)
        return found

    def _rows(self, condition: sa.ColumnElement[bool]) -> list[dict[str, Any]]:
        c = t.rejected.c
        query = sa.select(c.sop_uid, c.study_uid, c.series_uid, c.digest, c.rejection, c.code, c.purged)
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query.where(condition).order_by(c.sop_uid)).mappings()]


def _study_told(row: Mapping[Any, Any]) -> dict[str, Any]:
    patient = {"id": row["patient_id"], "issuer": row["issuer"], "name": row["patient_name"],
               "birth_date": row["birth_date"], "sex": row["sex"]}  # fmt: skip
    return {"uid": row["uid"], "patient": patient, **{word: row[word] for word in _WORDS}}


def _series_told(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = ("modality", "number", "description", "body_part", "laterality", "frame_of_reference")
    return {**{name: row[name] for name in names}, "facts": json.loads(row["facts"])}


def _item(row: Mapping[Any, Any]) -> dict[str, Any]:
    names = ("sop_uid", "sop_class", "transfer_syntax", "digest", "size", "number", "rows", "columns", "frames")
    return {**{name: row[name] for name in names}, "facts": json.loads(row["facts"])}


def _count_series(uid: str, count: int, connection: sa.Connection) -> None:
    if count:
        connection.execute(t.series.update().where(t.series.c.uid == uid), {"instance_count": count})
    else:
        connection.execute(t.series.delete().where(t.series.c.uid == uid))


def _count_study(home: Mapping[Any, Any], connection: sa.Connection) -> None:
    mine, uid = t.study.c.uid == home["uid"], home["uid"]
    kinds = connection.execute(sa.select(t.series.c.modality).where(t.series.c.study_uid == uid)).scalars().all()
    if not kinds:
        connection.execute(t.study.delete().where(mine))
        drop_if_empty(home["patient_id"], home["issuer"], connection)
        return
    sums = sa.select(sa.func.count(), sa.func.sum(t.instance.c.size)).where(t.instance.c.study_uid == uid)
    count, size = connection.execute(sums).one()
    row = {"modalities": "\\".join(sorted(set(kinds) - {""})), "series_count": len(kinds),
           "instance_count": int(count), "bytes": int(size)}  # fmt: skip
    connection.execute(t.study.update().where(mine), row)
