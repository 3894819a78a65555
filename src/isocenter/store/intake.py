"""Images come in: bytes first, then the index and the journal in one transaction, then the acknowledgement.

The same image again is a success and changes nothing. Another image under an identity that is taken is set aside: its
bytes are kept, the event says why, and what was there stays as it was. What "the same image" means where the bytes
differ is asked of the caller: one image has another file header after each way that it came.
"""

from __future__ import annotations

import json
import math
import operator
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from isocenter.errors import Damaged, NotFound, Refused
from isocenter.record.event import Event, Kind
from isocenter.record.plain import Plain, to_plain
from isocenter.record.project import EVERYBODY, Reach
from isocenter.record.study import Instance, Patient, Series, Study
from isocenter.store import tables as t
from isocenter.store.arrival_words import closed
from isocenter.store.blobs import Blobs
from isocenter.store.database import Database
from isocenter.store.held import held, images_held
from isocenter.store.incoming import Incoming
from isocenter.store.journal import Journal, append_within, hold_end
from isocenter.store.statements import Statement

__all__ = ["Stored", "is_new", "plain", "receive"]

_PER_EVENT = 250  # instances in one journal entry; a longer one is slow to read back
_KEPT = "it is set aside, and nothing is overwritten."
_PER_ROUND = 500  # files in one transaction; a longer one keeps other senders waiting

_uid: sa.BindParameter[Any] = sa.bindparam("uid")
_REHOMED = Statement(sa.select(t.rehomed.c.was).where(t.rehomed.c.study_uid == _uid))
_STUDY = Statement(sa.select(t.study.c.patient_id, t.study.c.issuer).where(t.study.c.uid == _uid))
_HOME = Statement(sa.select(t.home.c.project).where(t.home.c.study_uid == _uid))
_WHERE = Statement(
    sa.union_all(
        sa.select(t.instance.c.study_uid).where(t.instance.c.sop_uid == _uid),
        sa.select(t.rejected.c.study_uid).where(t.rejected.c.sop_uid == _uid),
    )
)
_REJECTED = Statement(sa.select(t.rejected.c.study_uid).where(t.rejected.c.study_uid == _uid).limit(1))
_ASIDE = Statement(
    sa.select(t.set_aside.c.event).where((t.set_aside.c.sop_uid == _uid) & (t.set_aside.c.digest == sa.bindparam("of")))
)


@dataclass(frozen=True)
class Stored:
    """What became of one received file.

    Args:
        sop_uid: its SOP Instance UID.
        status: ``"stored"``, ``"there"`` (the same image was here before) or ``"conflict"`` (set aside).
        digest: SHA-256 of the kept bytes, which is the name of their blob.
        reason: why it was set aside; empty otherwise.
    """

    sop_uid: str
    status: str
    digest: str
    reason: str = ""


def receive(
    database: Database,
    blobs: Blobs,
    journal: Journal,
    files: Sequence[tuple[bytes | bytearray | Incoming, Study]],
    sender: str,
    now: datetime,
    *,
    same: Callable[[bytes, bytes | bytearray], bool] = operator.eq,
    measured: bool = False,
    project: str = EVERYBODY,
    reach: Reach | None = None,
    turn: Callable[[], object] = lambda: None,
) -> list[Stored]:
    """Keep files with what their headers say. When this returns, they survive a power cut.

    Args:
        database, blobs, journal: of one archive.
        files: bytes of each file, or what `Blobs.incoming` took in, with the record of its one instance.
        sender: who sent it: AE title, account or ``"isocenter"``.
        now: aware UTC.
        same: whether two files of one SOP Instance UID, of other bytes, hold the same image.
        measured: the digests in the records were just computed from these very bytes; they are computed here else.
        project: where a study that is new here is at home.
        reach: studies to which this sender may add; None: every. What it sends to another is set aside, in the same
            words whatever is there.
        turn: returns when these may be indexed, for what came before them shall be there first, and raises where that
            failed; they are written meanwhile.

    Returns:
        one answer a file, in their order.

    Raises:
        Refused: a record that is not of one instance.
        Unavailable: disk or database said no; none of this call's remaining files is acknowledged.
    """
    answers: list[Stored] = []
    way = _Way(sender, now, project, reach, turn)
    try:
        for start in range(0, len(files), _PER_ROUND):
            arrivals = [_Arrival(*_only(study), given) for given, study in files[start : start + _PER_ROUND]]
            answers += _round(database, blobs, arrivals, _Alike(blobs, same), way, measured)
    finally:
        for given, _ in files:
            if isinstance(given, Incoming):
                given.drop()  # those that are kept have their names by now
    return answers


def is_new(database: Database, sop_uid: str) -> bool:
    """Whether nothing of a SOP Instance UID was ever received, as things stand now."""
    return not images_held(database, [sop_uid])


def _round(
    database: Database,
    blobs: Blobs,
    arrivals: Sequence[_Arrival],
    alike: _Alike,
    way: _Way,
    measured: bool,
) -> list[Stored]:
    # Of one that goes on by itself it was asked a moment ago; a sender that may not see all is told nothing by this.
    asked = {one.sop_uid for one in arrivals if not one.going} if way.reach is None else set()
    there = images_held(database, asked)
    new = [one for one in arrivals if not (one.sop_uid in there and alike(one, there[one.sop_uid]))]
    taken = iter(_kept(database, blobs, new, alike, way, measured))
    kept = set(map(id, new))
    return [next(taken) if id(one) in kept else Stored(one.sop_uid, "there", there[one.sop_uid]) for one in arrivals]


def _kept(
    database: Database,
    blobs: Blobs,
    new: Sequence[_Arrival],
    alike: _Alike,
    way: _Way,
    measured: bool,
) -> list[Stored]:
    if not new:
        return []
    owners = _owners(database, blobs, new, way)
    for one, owner in zip(new, owners, strict=True):
        one.key = blobs.keyring.of(*owner) if blobs.keyring is not None and owner[0] else None
    if measured and len(new) == 1 and not database.busy:
        # One image waits for its flush and for the index in turn, and nobody else: both can go on at the same time.
        with blobs.putting(new[0].given, str(new[0].item["digest"]), of=owners[0]) as durable:
            way.turn()
            return database.write_joined(_take_in, _Coming(new, alike, way, durable))
    digests = [str(one.item["digest"]) for one in new] if measured else None
    kept = blobs.put_many([one.given for one in new], digests, of=owners)
    for one, digest in zip(new, kept, strict=True):
        one.item["digest"] = digest
    way.turn()
    return database.write_joined(_take_in, _Coming(new, alike, way))


def _owners(database: Database, blobs: Blobs, new: Sequence[_Arrival], way: _Way) -> list[tuple[str, str]]:
    """The study of each arrival and the project in which it is or will be at home, which says whether it is sealed."""
    if blobs.keyring is None or not blobs.keyring.active:
        return [("", "")] * len(new)
    uids = list({one.study_uid for one in new})
    asked = [{"uid": uid} for uid in uids]
    at_home, here = (database.look(query, asked) for query in (_HOME, _STUDY))
    homes = {
        uid: str(rows[0][0]) if rows else EVERYBODY if known else way.project
        for uid, rows, known in zip(uids, at_home, here, strict=True)
    }
    return [(one.study_uid, homes[one.study_uid]) for one in new]


@dataclass(frozen=True)
class _Way:
    """How one call's files came: from whom, when, where their new studies are at home, and to which they may add; and
    what waits until they may be indexed."""

    sender: str
    now: datetime
    project: str
    reach: Reach | None
    turn: Callable[[], object]


@dataclass(frozen=True)
class _Coming:
    """What one call brings into the transaction that it may share with others.

    `durable` returns when its bytes are, and raises where they could not be kept; the transaction ends after it.
    """

    arrivals: Sequence[_Arrival]
    alike: _Alike
    way: _Way
    durable: Callable[[], object] = lambda: None


class _Arrival:
    """One instance on its way in, as plain values that every database can hold."""

    def __init__(self, study: Study, series: Series, instance: Instance, given: bytes | bytearray | Incoming) -> None:
        self.study, self.series = plain(study), plain(series)
        self.item: dict[str, Any] = {
            "study_uid": study.uid,
            "series_uid": series.uid,
            **plain(instance),
            "size": len(given.data if isinstance(given, Incoming) else given),
        }
        self.study_uid, self.series_uid, self.sop_uid = study.uid, series.uid, instance.sop_uid
        self.patient = (self.study["patient"]["id"], self.study["patient"]["issuer"])
        self.given = given
        self.key: tuple[bytes, bytes] | None = None  # of its study, where that is sealed

    @property
    def going(self) -> bool:
        """Whether it becomes durable by itself already."""
        return isinstance(self.given, Incoming) and self.given.going

    @property
    def data(self) -> bytes | bytearray:
        return self.given.data if isinstance(self.given, Incoming) else self.given


class _Alike:
    """Whether an arrival is the image that is kept under its UID, though its bytes are others."""

    def __init__(self, blobs: Blobs, same: Callable[[bytes, bytes | bytearray], bool]) -> None:
        self.blobs, self._same = blobs, same

    def __call__(self, one: _Arrival, held: str) -> bool:
        if held == one.item["digest"]:
            return False  # the same bytes are put once more: should the disk have damaged them, they are mended
        try:
            kept = self.blobs.get(held)
        except (Damaged, NotFound, Refused):
            return False  # lost or damaged, so nobody can tell; what has come is kept beside it
        return kept != one.data and self._same(kept, one.data)


def _take_in(connection: sa.Connection, coming: Sequence[_Coming]) -> list[list[Stored]]:
    """Bring index and journal up to what came, from one sender or from several who sent at the same moment."""
    end = hold_end(connection)  # decide only while nobody else can
    known = _Known(connection, [one for each in coming for one in each.arrivals])
    answers: list[list[Stored]] = []
    new: dict[tuple[str, str], list[_Arrival]] = {}
    times: dict[tuple[str, str], datetime] = {}
    homed: list[Event] = []
    aside: list[Event] = []
    for each in coming:
        answers.append([])
        for one in each.arrivals:
            way = each.way
            status, digest, reason = known.judge(one, each.alike, way)
            answers[-1].append(Stored(one.sop_uid, status, digest, reason))
            if status == "stored":
                if known.settle(one, way.project):
                    told = {"project": way.project, "was": "", "reason": f"sent by {way.sender}"}
                    homed.append(Event(Kind.STUDY_HOMED, way.now, way.sender, one.study_uid, told))
                known.add(one)
                whose = (one.study_uid, way.sender)
                new.setdefault(whose, []).append(one)
                times[whose] = max(way.now, times.get(whose, way.now))
            elif status == "conflict" and known.set_aside_now(one):
                aside.append(_set_aside_event(one, reason, way.sender, way.now))
    events = [
        event
        for (uid, sender), some in new.items()
        for event in _received_events(uid, some, sender, times[uid, sender])
    ]
    append_within(connection, homed + events + aside, coming[0].alike.blobs, end=end)
    for each in coming:
        each.durable()  # nothing is indexed before its bytes are on disk
    return answers


class _Known:
    """What the archive knows of the identities of some arrivals, kept up to date while they are judged."""

    def __init__(self, connection: sa.Connection, arrivals: Sequence[_Arrival]) -> None:
        known = held(
            connection, *({getattr(a, name) for a in arrivals} for name in ("sop_uid", "series_uid", "study_uid"))
        )
        self._instances, self._series, self._studies = known.images, known.series, known.studies
        self._connection, self._aside = connection, set[tuple[str, str]]()
        self._homes: dict[str, str] = {}

    def judge(self, one: _Arrival, alike: _Alike, way: _Way) -> tuple[str, str, str]:
        """("stored" | "there" | "conflict", digest of what is kept of it, reason)."""
        digest = str(one.item["digest"])
        if way.reach is not None and not self._within(one, way.project, way.reach):
            return "conflict", digest, "one of its identities is not free"
        before = self._instances.get(one.sop_uid)
        if before is not None:
            # The second question is for two that came at the same moment, neither of which saw the other.
            if before == digest or alike(one, before):
                return "there", before, ""
            said = f"SOP Instance UID {one.sop_uid} is here already with other content: {_KEPT}"
            return "conflict", digest, f"{said} Give what was changed a UID of its own, or leave it out."
        home = self._series.get(one.series_uid)
        if home is not None and home != one.study_uid:
            said = f"series {one.series_uid} belongs to study {home}, not {one.study_uid}: {_KEPT}"
            return "conflict", digest, f"{said} Correct the UIDs at the sender and send it again."
        owner = self._studies.get(one.study_uid)
        if owner is not None and owner != one.patient and not self._was_of(one):
            said = f"study {one.study_uid} belongs to another patient than '{one.patient[0]}': {_KEPT}"
            return "conflict", digest, f"{said} Correct the patient at the sender, or merge the two, and send it again."
        return "stored", digest, ""

    def _within(self, one: _Arrival, project: str, reach: Reach) -> bool:
        """Whether the study that an arrival names, and those that have its series and itself, may be added to."""
        studies = {one.study_uid, self._series.get(one.series_uid, one.study_uid)}
        if one.sop_uid in self._instances:
            studies |= {row[0] for row in _WHERE.rows(self._connection, {"uid": one.sop_uid})}
        return all(reach.holds(uid, self.home(uid, project)) for uid in studies)

    def home(self, study_uid: str, project: str) -> str:
        """Where a study is at home; one that is new here: in `project`."""
        if study_uid not in self._homes:
            rows = _HOME.rows(self._connection, {"uid": study_uid})
            there = study_uid in self._studies or bool(_REJECTED.rows(self._connection, {"uid": study_uid}))
            self._homes[study_uid] = rows[0][0] if rows else EVERYBODY if there else ""
        return self._homes[study_uid] or project

    def settle(self, one: _Arrival, project: str) -> bool:
        """Whether an arrival begins a study that is at home in another project than everybody's."""
        if project == EVERYBODY or one.study_uid in self._studies:
            return False
        home = self.home(one.study_uid, project)
        fresh = not self._homes[one.study_uid] and home != EVERYBODY
        self._homes[one.study_uid] = home
        return fresh

    def _was_of(self, one: _Arrival) -> bool:
        """Whether the study was of that patient before somebody merged or moved it; its sender need not know."""
        rows = _REHOMED.rows(self._connection, {"uid": one.study_uid})
        return any((was["patient_id"], was["issuer"]) == one.patient for was in (json.loads(row[0]) for row in rows))

    def add(self, one: _Arrival) -> None:
        self._instances[one.sop_uid] = str(one.item["digest"])
        self._series[one.series_uid] = one.study_uid
        self._studies[one.study_uid] = one.patient

    def set_aside_now(self, one: _Arrival) -> bool:
        """Whether this file is set aside for the first time; a sender that repeats itself is not written down again."""
        key = (one.sop_uid, str(one.item["digest"]))
        if key in self._aside:
            return False
        self._aside.add(key)
        return not _ASIDE.rows(self._connection, {"uid": key[0], "of": key[1]})


def _received_events(study_uid: str, some: Sequence[_Arrival], sender: str, now: datetime) -> Iterable[Event]:
    for start in range(0, len(some), _PER_EVENT):
        part = some[start : start + _PER_EVENT]
        series: dict[str, dict[str, Any]] = {}
        for one in part:
            said = series.setdefault(one.series_uid, one.series)
            if said["facts"] != one.series["facts"]:
                one.item["series_facts"] = one.series["facts"]
        study = dict(part[0].study)
        for one in part:
            study |= {name: value for name, value in one.study.items() if not study[name]}
        details = Plain(study=study, series=series, instances=[one.item for one in part])
        if part[0].key is not None:
            details = closed(details, part[0].key)
        yield Event(Kind.INSTANCES_RECEIVED, now, sender, study_uid, details)


def _set_aside_event(one: _Arrival, reason: str, sender: str, now: datetime) -> Event:
    details = {
        "sop_uid": one.sop_uid,
        "series_uid": one.series_uid,
        "study_uid": one.study_uid,
        "digest": one.item["digest"],
        "size": one.item["size"],
        "reason": reason,
    }
    return Event(Kind.INSTANCE_SET_ASIDE, now, sender, one.study_uid, details)


def _only(study: Study) -> tuple[Study, Series, Instance]:
    if len(study.series) != 1 or len(study.series[0].instances) != 1:
        raise Refused(
            f"a record of {study.instance_count} instances for one file",
            "a file holds exactly one instance",
            "send each instance as a file of its own",
        )
    series, instance = study.series[0], study.series[0].instances[0]
    for name, uid in (("Study", study.uid), ("Series", series.uid), ("SOP", instance.sop_uid)):
        if not uid:
            raise Refused(f"an image without {name} Instance UID", "it could never be found again", "see its sender")
    return study, series, instance


_ELSEWHERE = {Study: {"series", "arrived"}, Series: {"instances", "uid"}}  # fields that an arrival tells in its own way
_FIELDS = {
    kind: tuple(field.name for field in fields(kind) if field.name not in _ELSEWHERE.get(kind, ()))
    for kind in (Study, Series, Instance, Patient)
}
_VALUES = {kind: operator.attrgetter(*names) for kind, names in _FIELDS.items()}
_AS_IT_STANDS = frozenset({int, bool, type(None)})


def plain(record: Study | Series | Instance | Patient) -> dict[str, Any]:
    """The fields of a record as plain values that every database can hold."""
    kind = type(record)
    pairs = zip(_FIELDS[kind], _VALUES[kind](record), strict=True)
    return {name: one if type(one) in _AS_IT_STANDS else _storable(one) for name, one in pairs}


def _storable(value: Any) -> Any:
    """A plain value, without the two things that a header may hold and no database takes: NUL and half a character."""
    kind = type(value)
    if kind is str:
        if value.isascii():
            return value.replace("\0", "\ufffd") if "\0" in value else value
        return value.encode("utf-8", "replace").decode("utf-8").replace("\0", "\ufffd")
    if kind in _AS_IT_STANDS or (kind is float and math.isfinite(value)):
        return value
    if kind is dict:
        return {_storable(str(name)): _storable(one) for name, one in value.items()}
    if kind is list:
        return [_storable(one) for one in value]
    if kind is Patient:
        return plain(value)
    made = to_plain(value)
    return made if type(made) is float else _storable(made)
