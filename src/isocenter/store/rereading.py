"""Headers of images that are here for long, read again: what an older reader did not look for becomes known.

A rebuilt index folds what was read when an image came, so a header value that the archive learns to read later is
known of new images only. Here stored files are read once more, study by study. What reads otherwise than it is known
goes into the journal as events of its study, and the index is what these say: the law of rebuilding holds, the bytes
stay as they are, and whose an image is, where it belongs and what a person corrected is never touched.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from isocenter.errors import IsocenterError, Unavailable
from isocenter.record.event import Event, Kind
from isocenter.record.study import Study
from isocenter.store import tables as t
from isocenter.store.arrivals import Agreement
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.intake import plain
from isocenter.store.journal import append_within, hold_end
from isocenter.store.matching import person_key, plain_date, time_key

__all__ = ["Learnt", "learn", "learn_of"]

_PER_EVENT = 250  # images in one journal entry; a longer one is slow to read back
_PAGE = 200  # studies asked for at once
_OF_IMAGE = ("number", "rows", "columns", "frames")
_OF_SERIES = ("number", "description", "body_part", "laterality", "frame_of_reference")
_OF_STUDY = ("accession", "date", "time", "description", "referring", "priority")


@dataclass
class Learnt:
    """How far a reading of the headers has come.

    Args:
        study: the last study that was read.
        studies, images: how many were read.
        learnt: images of which something new is known, or of their series.
        unread: (Study, SOP Instance UID) of images whose file is damaged, or would be refused today.
    """

    study: str = ""
    studies: int = 0
    images: int = 0
    learnt: int = 0
    unread: list[tuple[str, str]] = field(default_factory=list)


def learn(
    database: Database,
    blobs: Blobs,
    read: Callable[[bytes, str], Study],
    *,
    after: str,
    who: str,
    clock: Callable[[], datetime],
) -> Iterator[tuple[Learnt, int]]:
    """Read the stored headers again, study after study in the order of their UIDs.

    Args:
        read: the record of one image, from its bytes and their digest.
        after: the study behind which to begin; empty: at the first.
        who: in whose name.

    Yields:
        after each study what was done so far, and how many studies are left.

    Raises:
        Unavailable: disk or database said no; what was learnt before stays.
    """
    done, c = Learnt(after), t.study.c.uid
    while True:
        with database.read() as connection:
            ahead = c > done.study
            uids = connection.execute(sa.select(c).where(ahead).order_by(c).limit(_PAGE)).scalars().all()
            left = connection.execute(sa.select(sa.func.count()).select_from(t.study).where(ahead)).scalar_one()
        if not uids:
            return
        for n, uid in enumerate(uids, 1):
            said = dict(_records(database, blobs, read, uid, done))
            done.learnt += _keep(database, blobs, uid, said, who, clock)
            done.study, done.studies = uid, done.studies + 1
            yield done, left - n


def learn_of(
    database: Database, blobs: Blobs, read: Callable[[bytes, str], Study], study_uid: str, images: Collection[str],
    *, who: str, clock: Callable[[], datetime],
) -> int:  # fmt: skip
    """The same for some images of one study, which come back as they were known when they went; how many are new.

    Raises:
        Unavailable: disk or database said no.
    """
    said = dict(_records(database, blobs, read, study_uid, Learnt(), frozenset(images)))
    return _keep(database, blobs, study_uid, said, who, clock)


def _records(
    database: Database, blobs: Blobs, read: Callable[[bytes, str], Study], study_uid: str, done: Learnt,
    only: Collection[str] | None = None,
) -> Iterator[tuple[str, Study]]:  # fmt: skip
    """What each image's header says today; nothing of one that cannot be read."""
    c = t.instance.c
    with database.read() as connection:
        asked = sa.select(c.sop_uid, c.series_uid, c.digest).where(c.study_uid == study_uid).order_by(c.sop_uid)
        rows = connection.execute(asked).all()
    for sop_uid, series_uid, digest in (row for row in rows if only is None or row[0] in only):
        done.images += 1
        try:
            record = read(blobs.kept(digest), digest)
        except Unavailable:
            raise
        except IsocenterError:
            done.unread.append((study_uid, sop_uid))
            continue
        (series,) = record.series
        if (record.uid, series.uid, series.instances[0].sop_uid) == (study_uid, series_uid, sop_uid):
            yield sop_uid, record
        else:
            done.unread.append((study_uid, sop_uid))


def _keep(
    database: Database, blobs: Blobs, study_uid: str, said: Mapping[str, Study], who: str, clock: Callable[[], datetime]
) -> int:
    """Bring journal and index up to what the headers say; of how many images something new is known."""
    with database.read() as connection:
        if not _news(connection, study_uid, said):
            return 0

    def work(connection: sa.Connection) -> int:
        end = hold_end(connection)  # decide only while nobody else can: another image of the series may come just now
        news = _news(connection, study_uid, said)
        events = [Event(Kind.HEADERS_LEARNT, clock(), who, study_uid, one) for one in news]
        append_within(connection, events, blobs, end=end)
        return sum(len(one["instances"]) for one in news) or (1 if news else 0)

    return database.write(work)


def _news(connection: sa.Connection, study_uid: str, said: Mapping[str, Study]) -> list[dict[str, Any]]:
    """The details of the events that bring the index up to what the headers say; none where they say nothing new."""
    home = connection.execute(sa.select(t.study).where(t.study.c.uid == study_uid)).mappings().first()
    if home is None or not said:
        return []
    above: dict[str, dict[str, Any]] = {}
    images: list[tuple[str, str, dict[str, Any]]] = []
    for series in connection.execute(sa.select(t.series).where(t.series.c.study_uid == study_uid)).mappings():
        mine = sa.select(t.instance).where(t.instance.c.series_uid == series["uid"]).order_by(t.instance.c.sop_uid)
        told, own = _of_series(series, connection.execute(mine).mappings().all(), said)
        if told:
            above[series["uid"]] = told
        images += [(series["uid"], uid, one) for uid, one in own]
    study = _of_study(home, said)
    if not (study or above or images):
        return []
    parts = [images[at : at + _PER_EVENT] for at in range(0, len(images), _PER_EVENT)] or [[]]
    return [
        {
            "study": {} if n else study,
            # Also a series that is told of through its images alone is named: who may not hear of it, hears nothing.
            "series": {**{series: {} for series, _, _ in part}, **({} if n else above)},
            "instances": {uid: one for _, uid, one in part},
        }
        for n, part in enumerate(parts)
    ]


def _of_series(
    series: Mapping[Any, Any], rows: Any, said: Mapping[str, Study]
) -> tuple[dict[str, Any], list[tuple[str, dict[str, Any]]]]:
    """What is new of a series, and of each of its images of which anything is."""
    facts, varying = json.loads(series["facts"]), set(json.loads(series["varying"]))
    known = [json.loads(row["facts"]) for row in rows]
    headers = [_header(said.get(row["sop_uid"]), facts, varying, own) for row, own in zip(rows, known, strict=True)]
    if not headers:
        return {}, []
    agreement = Agreement({n: v for n, v in headers[0][0].items() if n not in varying}, set(varying))
    for shared, own in headers:
        agreement.add(shared, own)
    records = [said[row["sop_uid"]] for row in rows if row["sop_uid"] in said]
    told = _empty_filled(series, _OF_SERIES, [plain(one.series[0]) for one in records])
    if agreement.facts != facts:
        told["facts"] = _patch(facts, agreement.facts)
    if agreement.varying != varying:
        told["varying"] = sorted(agreement.varying)
    images = []
    for row, before, now in zip(rows, known, agreement.added, strict=True):
        record = said.get(row["sop_uid"])
        one = {} if record is None else _differing(row, plain(record.series[0].instances[0]))
        if now != before:
            one["facts"] = _patch(before, now)
        if one:
            images.append((str(row["sop_uid"]), one))
    return told, images


def _header(
    record: Study | None, facts: Mapping[str, Any], varying: set[str], own: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What an image's header says of its series and of itself; of one that was not read, as it is known."""
    if record is None:
        return {**facts, **{n: own[n] for n in varying & own.keys()}}, dict(own)
    (series,) = record.series
    return _as_kept(plain(series)["facts"]), _as_kept(plain(series.instances[0])["facts"])


def _as_kept(facts: Any) -> dict[str, Any]:
    return dict(json.loads(json.dumps(facts)))


def _of_study(home: Mapping[Any, Any], said: Mapping[str, Study]) -> dict[str, Any]:
    told = _empty_filled(home, _OF_STUDY, [plain(record) for record in said.values()])
    for name, key, of in (("time", "time_key", time_key), ("referring", "referring_key", person_key)):
        if name in told:
            told[key] = of(told[name])
    if "date" in told:
        told["date"] = plain_date(told["date"])
    return told


def _empty_filled(row: Mapping[Any, Any], names: tuple[str, ...], said: list[dict[str, Any]]) -> dict[str, Any]:
    """Columns of which nothing was known, with the first that a header says; the first word about a study stands."""
    empty = [name for name in names if row[name] in (None, "")]
    found = {name: next((one[name] for one in said if one[name] not in (None, "")), None) for name in empty}
    return {name: value for name, value in found.items() if value is not None}


def _differing(row: Mapping[Any, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    return {name: now[name] for name in _OF_IMAGE if now[name] != row[name]}


def _patch(before: Mapping[str, Any], now: Mapping[str, Any]) -> dict[str, Any]:
    """What makes the one of the other: values that are new or others, None for those that are gone."""
    gone = dict.fromkeys(before.keys() - now.keys())
    return {**gone, **{name: value for name, value in now.items() if before.get(name) != value}}
