"""What the archive can be asked: studies and images, results, readings, people.

The index is a projection of the journal (`isocenter.store.projection`); this file only reads it.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import date, datetime
from typing import Any

import sqlalchemy as sa

from isocenter.errors import NotFound, Refused
from isocenter.record.plain import from_plain
from isocenter.record.project import Reach
from isocenter.record.result import Result
from isocenter.record.study import Instance, Patient, Series, Study, no_study
from isocenter.store import tables as t
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.decoded import Decoded
from isocenter.store.homes import within
from isocenter.store.remembered import Remembered
from isocenter.store.search import find, study_conditions
from isocenter.store.statements import Statement

__all__ = ["Index"]

_MANY = 500  # values in one IN (...)

# A viewer asks image by image, so what finds one is written out once.
_uid: sa.BindParameter[Any] = sa.bindparam("uid")
_ONE_INSTANCE = Statement(sa.select(t.instance).where(t.instance.c.sop_uid == _uid))
_ONE_SERIES = Statement(sa.select(t.series).where(t.series.c.uid == _uid))
_ONE_STUDY = Statement(sa.select(t.study).where(t.study.c.uid == _uid))


class Index:
    """Questions to one archive.

    Args:
        database: where it stands.
        blobs: where results lie; needed by `result` and `results` only.
    """

    def __init__(self, database: Database, blobs: Blobs | None = None) -> None:
        self._database, self._blobs = database, blobs
        self._decoded, self._remembered = Decoded(), Remembered()

    # ---- images

    def known(self, sop_uids: Sequence[str]) -> dict[str, str]:
        """Which of these SOP Instance UIDs are here: UID -> digest."""
        column, found = t.instance.c, {}
        with self._database.read() as connection:
            for start in range(0, len(sop_uids), _MANY):
                some = column.sop_uid.in_(list(sop_uids[start : start + _MANY]))
                rows = connection.execute(sa.select(column.sop_uid, column.digest).where(some))
                found.update({row.sop_uid: row.digest for row in rows})
        return found

    def find(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        limit: int | None = None,
        offset: int = 0,
        fuzzy: bool = False,
        without: Collection[str] = (),
        reach: Reach | None = None,
    ) -> list[dict[str, Any]]:
        """Search as C-FIND and QIDO-RS do.

        Args:
            level: ``"PATIENT"``, ``"STUDY"``, ``"SERIES"`` or ``"IMAGE"``.
            keys: by DICOM keyword; of this level and those above it. An empty value matches everything, and a keyword
                that is not kept is ignored, as the standard has it.
            limit, offset: a page; the order is stable: newest arrival first, then by UID.
            fuzzy: names match by the beginnings of their words.
            without: series that neither match nor are listed; numbers of related objects still count them.
            reach: studies that may be asked for; others are neither listed nor counted. None: every.

        Returns:
            rows by DICOM keyword: text, numbers as int, dates as YYYYMMDD, ``ModalitiesInStudy`` as a list; with the
            numbers of related studies, series and instances.

        Raises:
            Refused: an unknown level, or a date or time that is none.
        """
        with self._database.read() as connection:
            return find(connection, level, keys, limit=limit, offset=offset, fuzzy=fuzzy, without=without, reach=reach)

    def found(
        self,
        level: str,
        keys: Mapping[str, str],
        *,
        limit: int,
        fuzzy: bool = False,
        without: Collection[str] = (),
        reach: Reach | None = None,
    ) -> list[str]:
        """The UIDs of `find` at a level below patients, in its order and without what else the rows hold."""
        with self._database.read() as connection:
            rows = find(
                connection, level, keys, limit=limit, offset=0, fuzzy=fuzzy, without=without, reach=reach, only_uid=True
            )
        return [str(next(iter(row.values()))) for row in rows]

    def studies(
        self,
        keys: Mapping[str, str] | None = None,
        *,
        limit: int = 100,
        offset: int = 0,
        order: str = "-arrived",
        reach: Reach | None = None,
    ) -> list[Study]:
        """A page of studies; their series come without instances.

        Args:
            keys: as in `find` at study level.
            limit, offset: the page.
            order: ``arrived``, ``date``, ``name`` or ``patient_id``; ``-`` before it turns it around.
            reach: as in `find`.

        Raises:
            Refused: an unknown order or a bad key.
        """
        columns = {"arrived": "arrived", "date": "date", "name": "name_key", "patient_id": "patient_id"}
        if order.removeprefix("-") not in columns:
            raise Refused(
                f"the order '{order}'", f"known are {', '.join(columns)}, each also with '-'", "sort by one of these"
            )
        by = t.study.c[columns[order.removeprefix("-")]]
        with self._database.read() as connection:
            query = sa.select(t.study).limit(limit).offset(offset)
            query = query.where(*study_conditions(keys or {}, connection.dialect.name))
            if reach is not None:
                query = query.where(within(t.study.c.uid, reach))
            down = order.startswith("-")
            query = query.order_by(*((by.desc(), t.study.c.uid.desc()) if down else (by, t.study.c.uid)))
            rows = connection.execute(query).mappings().all()
            of: dict[str, list[Series]] = {row["uid"]: [] for row in rows}
            for start in range(0, len(rows), _MANY):
                some = list(of)[start : start + _MANY]
                for one in _series_rows(connection, t.series.c.study_uid.in_(some)):
                    of[one["study_uid"]].append(_series(one, ()))
        return [_study(row, tuple(of[row["uid"]])) for row in rows]

    def listed(
        self, study_uids: Sequence[str] | None = None, *, reach: Reach | None = None
    ) -> list[tuple[Study, tuple[str, ...], int]]:
        """What a worklist shows of studies, all of them or some: without series, with modalities and images.

        Args:
            reach: as in `find`.

        Returns:
            (study, its modalities sorted, number of its instances), in no order.
        """
        found = []
        with self._database.read() as connection:
            for some in _parts(t.study.c.uid, study_uids):
                query = sa.select(t.study).where(*some)
                if reach is not None:
                    query = query.where(within(t.study.c.uid, reach))
                for row in connection.execute(query).mappings().all():
                    kinds = tuple(one for one in row["modalities"].split("\\") if one)
                    found.append((_study(row, ()), kinds, int(row["instance_count"])))
        return found

    def study(self, uid: str) -> Study:
        """A whole study with every series and instance.

        Raises:
            NotFound: no such study.
        """
        table = t.instance
        with self._database.read() as connection:
            if (kept := self._remembered.get(uid, connection)) is not None:
                return kept
            level = self._remembered.level(connection)
            row = connection.execute(sa.select(t.study).where(t.study.c.uid == uid)).mappings().first()
            if row is None:
                raise no_study(uid)
            of: dict[str, list[Instance]] = {}
            in_order = (table.c.number.is_(None), table.c.number, table.c.sop_uid)
            query = sa.select(table).where(table.c.study_uid == uid).order_by(*in_order)
            for one in connection.execute(query).mappings():
                of.setdefault(one["series_uid"], []).append(_instance(one))
            series = [
                _series(one, tuple(of.get(one["uid"], ())))
                for one in _series_rows(connection, t.series.c.study_uid == uid)
            ]
        found = _study(row, tuple(series))
        self._remembered.keep(found, level)
        return found

    def instance(self, sop_uid: str) -> tuple[Study, Series, Instance]:
        """One image with its series and study, these without their other images.

        Raises:
            NotFound: no such instance.
        """
        with self._database.read() as connection:
            row = _ONE_INSTANCE.first(connection, {"uid": sop_uid})
            if row is None:
                raise NotFound(
                    f"instance {sop_uid:.64}",
                    "the archive has none of that SOP Instance UID",
                    "look for it: `isocenter studies`",
                )
            above = _ONE_SERIES.first(connection, {"uid": row["series_uid"]})
            home = _ONE_STUDY.first(connection, {"uid": row["study_uid"]})
        assert above is not None and home is not None
        one = _instance(row)
        series = _series(above, (one,))
        return _study(home, (series,)), series, one

    def set_aside(self, *, limit: int = 1000) -> list[dict[str, Any]]:
        """What is in quarantine, newest first: sop_uid, digest, study_uid, reason, sender, event."""
        query = sa.select(t.set_aside).order_by(t.set_aside.c.event.desc(), t.set_aside.c.sop_uid).limit(limit)
        return self._rows(query)

    # ---- results

    def results(self, study_uid: str, *, replaced: bool = False) -> list[tuple[str, Result]]:
        """Results of a study with their digests, newest last; of each chain only the latest unless `replaced`."""
        heads = self.result_heads([study_uid], replaced=replaced).get(study_uid, [])
        return [(head["digest"], self.result(head["digest"])) for head in heads]

    def result_heads(
        self, study_uids: Sequence[str] | None, *, replaced: bool = False
    ) -> dict[str, list[dict[str, Any]]]:
        """What a worklist needs of results: digest, outcome, urgency, origin, name, version, made; none is read.

        Args:
            study_uids: whose; None for every study's.
            replaced: also those that a later result replaces.

        Returns:
            study UID -> rows, newest last; studies without results are absent.
        """
        table, later = t.result, t.result.alias()
        found: dict[str, list[dict[str, Any]]] = {}
        with self._database.read() as connection:
            for some in _parts(table.c.study_uid, study_uids):
                query = sa.select(table).where(*some, ~_rejected_whole(table.c.study_uid))
                if not replaced:
                    query = query.where(~sa.exists().where(later.c.replaces == table.c.digest))
                query = query.order_by(table.c.event, table.c.digest)
                for row in connection.execute(query).mappings():
                    found.setdefault(row["study_uid"], []).append(dict(row))
        return found

    def result(self, digest: str) -> Result:
        """One result by its digest; its masks are shared with others who ask, and read-only.

        Raises:
            NotFound: no such result.
        """
        if self._blobs is None:
            raise Refused(
                "an index without the blobs that hold results", "it cannot read one", "Index(database, blobs)"
            )
        with self._database.read() as connection:
            if connection.execute(sa.select(t.result.c.event).where(t.result.c.digest == digest)).first() is None:
                raise NotFound(
                    f"result {digest:.64}", "the archive has none of that digest", "open the study for its results"
                )
        held = self._decoded.get(digest)
        if held is None:
            held = from_plain(Result, json.loads(self._blobs.kept(digest)))
            self._decoded.keep(digest, held)
        return held

    # ---- readings and people

    def reading(self, study_uid: str) -> dict[str, Any]:
        """Where the reading of a study stands; ``waiting`` where nobody has opened it.

        Returns:
            ``state``, ``by``, ``opened``, ``signed`` (ISO times or None), ``reports`` (digests of signed reports,
            oldest first), ``draft`` and ``first`` (digest of the locked first opinion, or None) and ``version``, the
            number of the last event about this reading.
        """
        return self.readings([study_uid])[study_uid]

    def readings(self, study_uids: Sequence[str] | None) -> dict[str, dict[str, Any]]:
        """`reading` of many studies at once; None gives those of every study that somebody ever opened or was given."""
        found = {uid: _reading(None) for uid in study_uids or ()}
        with self._database.read() as connection:
            for some in _parts(t.reading.c.study_uid, study_uids):
                for row in connection.execute(sa.select(t.reading).where(*some)).mappings():
                    found[row["study_uid"]] = _reading(row)
        return found

    def people(self) -> list[dict[str, Any]]:
        """Everyone who may sign in or once could: name, role, added, credential, disabled; sorted by name."""
        return [{**row, "disabled": bool(row["disabled"])} for row in self._rows(sa.select(t.person).order_by("name"))]

    def person(self, name: str) -> dict[str, Any] | None:
        """One person, or None."""
        return next((one for one in self.people() if one["name"] == name), None)

    def peers(self) -> list[dict[str, Any]]:
        """Other DICOM nodes: name, aet, host, port, kind; sorted by name."""
        return self._rows(sa.select(t.peer).order_by("name"))

    def peer(self, name: str) -> dict[str, Any] | None:
        """One peer, or None."""
        return next((one for one in self.peers() if one["name"] == name), None)

    def holding(self, digest: str) -> tuple[str, str]:
        """Study and SOP Instance UID of the image that lies in a stored file.

        Returns:
            the study alone for a result; two empty texts where neither an image nor a result is in it.
        """
        image, result = t.instance, t.result
        with self._database.read() as connection:
            asked = sa.select(image.c.study_uid, image.c.sop_uid).where(image.c.digest == digest)
            if (row := connection.execute(asked).first()) is not None:
                return str(row.study_uid), str(row.sop_uid)
            study = connection.execute(sa.select(result.c.study_uid).where(result.c.digest == digest)).scalar()
        return str(study or ""), ""

    def studies_of(self, digests: Sequence[str]) -> dict[str, str]:
        """Which of these stored files are images that are here: digest -> Study Instance UID."""
        column, found = t.instance.c, dict[str, str]()
        with self._database.read() as connection:
            for start in range(0, len(digests), _MANY):
                some = column.digest.in_(list(digests[start : start + _MANY]))
                rows = connection.execute(sa.select(column.digest, column.study_uid).where(some))
                found.update({row.digest: row.study_uid for row in rows})
        return found

    def counts(self, *, reach: Reach | None = None) -> dict[str, int]:
        """How much there is: studies, series, instances, results, set_aside, events, bytes (of stored images).

        Args:
            reach: as in `find`; the number of events is that of the whole archive.
        """
        c = t.study.c
        sums = sa.select(
            sa.func.count(),
            *(sa.func.coalesce(sa.func.sum(x), 0) for x in (c.series_count, c.instance_count, c.bytes)),
        ).select_from(t.study)

        def held(column: sa.Column[str]) -> tuple[sa.ColumnElement[bool], ...]:
            return () if reach is None else (within(column, reach),)

        with self._database.read() as connection:
            studies, series, instances, size = connection.execute(sums.where(*held(c.uid))).one()
            results, aside = (
                connection.execute(sa.select(sa.func.count()).select_from(of).where(*held(of.c.study_uid))).scalar_one()
                for of in (t.result, t.set_aside)
            )
            events = connection.execute(sa.select(t.chain.c.number)).scalar_one()
        counts = {"studies": studies, "series": series, "instances": instances, "results": results}
        return {name: int(n) for name, n in (counts | {"set_aside": aside, "events": events, "bytes": size}).items()}

    def _rows(self, query: sa.Select[Any]) -> list[dict[str, Any]]:
        with self._database.read() as connection:
            return [dict(row) for row in connection.execute(query).mappings()]


def _rejected_whole(study_uid: sa.ColumnElement[str]) -> sa.ColumnElement[bool]:
    """Whether every image of a study is rejected: then what was said of them is hidden with them."""
    gone = sa.exists().where(t.rejected.c.study_uid == study_uid)
    return sa.and_(gone, ~sa.exists().where(t.study.c.uid == study_uid))


def _parts(column: sa.Column[str], values: Sequence[str] | None) -> Iterator[tuple[sa.ColumnElement[bool], ...]]:
    """Conditions that together find every row of these values; one without any condition where all are wanted."""
    if values is None:
        yield ()
        return
    for start in range(0, len(values), _MANY):
        yield (column.in_(list(values[start : start + _MANY])),)


def _series_rows(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> Sequence[sa.RowMapping]:
    c = t.series.c
    query = sa.select(t.series).where(condition).order_by(c.number.is_(None), c.number, c.uid)
    return connection.execute(query).mappings().all()


def _study(row: Mapping[Any, Any], series: tuple[Series, ...]) -> Study:
    patient = Patient(row["patient_id"], row["patient_name"], _day(row["birth_date"]), row["sex"], row["issuer"])
    words = {name: row[name] for name in ("accession", "time", "description", "referring", "priority")}
    arrived = datetime.fromisoformat(row["arrived"])
    return Study(row["uid"], patient, date=_day(row["date"]), arrived=arrived, series=series, **words)


def _series(row: Mapping[Any, Any], instances: tuple[Instance, ...]) -> Series:
    names = ("uid", "modality", "number", "description", "body_part", "laterality", "frame_of_reference")
    return Series(**{name: row[name] for name in names}, facts=json.loads(row["facts"]), instances=instances)


def _instance(row: Mapping[Any, Any]) -> Instance:
    names = ("sop_uid", "sop_class", "transfer_syntax", "digest", "size", "number", "rows", "columns", "frames")
    return Instance(**{name: row[name] for name in names}, facts=json.loads(row["facts"]))


def _reading(row: Mapping[Any, Any] | None) -> dict[str, Any]:
    if row is None:
        row = {"state": "waiting", "by": "", "reports": "[]", "assigned": "", "version": 0}
    optional = {name: row.get(name) or None for name in ("opened", "signed", "first", "draft")}
    return {
        "state": row["state"],
        "by": row["by"],
        "reports": json.loads(row["reports"]),
        "assigned": row["assigned"],
        "version": row["version"],
        **optional,
    }


def _day(text: str) -> date | None:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text else None
