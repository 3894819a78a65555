"""What persons, modalities and the hospital say of a study, kept in the journal so that only who has its key reads it.

An entry is never changed, and every backup has it. Where what an entry is about is at home in a sealed project, the
words in it (a finding, a reason, a remark, whose order it is) therefore stand sealed beside what names bytes and moves
states, which stays in the clear: the archive goes on by that, and the chain of hashes covers both. An order, a step, a
work item and a patient have keys of their own. When the key is destroyed the words are gone from the journal and from
every copy of it, and "erased" is read in their place.

What arrives is sealed in `arrival_words`. Reasons of an erasure stay readable: they must outlive what they explain.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import sqlalchemy as sa

from isocenter.errors import Erased, IsocenterError, NotFound, Refused
from isocenter.record.event import Event, Kind
from isocenter.record.plain import canonical
from isocenter.record.project import EVERYBODY, ORDER, PATIENT, SENDER, STEP, WORKITEM
from isocenter.store import tables as t
from isocenter.store.identities import followed
from isocenter.store.keyring import Keyring
from isocenter.store.master_key import unwrap, wrap

__all__ = ["ERASED_WORD", "WORDS", "Closer", "opened"]

_SEALED = "sealed"
ERASED_WORD: Final = "erased"
"""What is read in place of words whose key was destroyed."""

_PATIENT: Final = ("patient.id", "patient.issuer")
WORDS: Final[Mapping[Kind, tuple[str, ...]]] = {
    Kind.INSTANCE_SET_ASIDE: ("reason",),  # may name the patient in whose study the image is not
    Kind.HEADERS_LEARNT: ("study", "series.*", "instances.*"),
    Kind.ANALYSIS_FAILED: ("reason",),
    Kind.RESEARCH_RUN: ("said.*", "unmet.*"),
    Kind.REPORT_SIGNED: ("untold", "critical.*.what"),
    Kind.REPORT_AMENDED: ("untold", "critical.*.what"),
    Kind.OPINION_TYPED: ("line",),
    Kind.REMARKED: ("words",),
    Kind.FOLLOW_UP_ASKED: ("patient", "issuer", "finding", "body_part", "responsible"),
    Kind.FOLLOW_UP_MATCHED: ("why",),
    Kind.FOLLOW_UP_CLOSED: ("reason",),
    Kind.CRITICAL_TOLD: ("told.*.communicator", "told.*.recipient", "told.*.method"),
    Kind.CRITICAL_ESCALATED: ("findings.*",),
    Kind.ALERT_RAISED: ("finding", "responsible"),
    Kind.ALERT_ACKNOWLEDGED: ("told",),
    Kind.SHARED: ("to", "reason", "institution", "transfer_reason"),
    Kind.SHARE_EXTENDED: ("reason",),
    Kind.SHARE_ENDED: ("reason",),
    Kind.FETCHED: ("why",),
    Kind.IDENTITY_STATED: ("name",),
    Kind.IDENTITY_JUDGED: ("reason",),
    Kind.OBJECTS_REJECTED: ("reason",),
    Kind.REJECTION_ENDED: ("reason",),
    Kind.PURGE_ASKED: ("reason",),
    Kind.GLASS_BROKEN: ("reason",),
    Kind.GLASS_REVIEWED: ("words",),
    Kind.STUDY_HOMED: ("reason",),
    Kind.PATIENTS_MERGED: ("from.id", "from.issuer", "into.id", "into.issuer", "reason", "source"),
    Kind.PATIENTS_UNDONE: ("reason",),
    Kind.INSTANCES_REJECTED: ("reasons.*",),
    Kind.STUDIES_MOVED: (*(f"into.{name}" for name in ("id", "issuer", "name", "birth_date", "sex")), "reason"),
    Kind.CONSENT_GIVEN: (*_PATIENT, "source"),
    Kind.CONSENT_WITHDRAWN: (*_PATIENT, "reason"),
    Kind.CONSENT_ASKED: (*_PATIENT, "to", "words"),
    Kind.CONSENT_ANSWERED: ("reason",),
    Kind.STAMPED: ("accession",),
    Kind.OUTCOME_KNOWN: ("source",),
    Kind.PEER_REVIEWED: ("words",),
    Kind.PEER_ARBITRATED: ("words",),
    Kind.DOUBLE_READ_ASKED: ("question",),
    Kind.DOUBLE_READ_LOCKED: ("words",),
    Kind.DOUBLE_READ_SETTLED: ("words",),
    Kind.ORDER_PLACED: ("order",),
    Kind.ORDER_CANCELLED: ("reason",),
    Kind.STEP_BEGUN: ("step",),
    Kind.STEP_CHANGED: ("step",),
    Kind.WORKITEM_CREATED: ("item",),
    Kind.WORKITEM_CHANGED: ("set",),
    Kind.WORKITEM_CANCEL_ASKED: ("reason", "contact"),
    Kind.PATIENT_TOLD: ("patient", "merged"),
}
"""Which details of an entry are words, by their path; ``*`` stands for each of several."""

_HOMES: Final = {
    **dict.fromkeys((Kind.ORDER_PLACED, Kind.ORDER_CANCELLED), ORDER),
    **dict.fromkeys((Kind.STEP_BEGUN, Kind.STEP_CHANGED), STEP),
    **dict.fromkeys((Kind.WORKITEM_CREATED, Kind.WORKITEM_CHANGED, Kind.WORKITEM_CANCEL_ASKED), WORKITEM),
}
_TERMS: Final = (Kind.CONSENT_GIVEN, Kind.CONSENT_WITHDRAWN)
_OF_SEVERAL: Final = (
    Kind.STUDIES_MOVED, Kind.PATIENTS_MERGED, Kind.PATIENTS_UNDONE, Kind.INSTANCES_REJECTED, *_TERMS,
)  # fmt: skip
"""What names what it is about in its details."""
_CASES: Final = (Kind.PEER_REVIEWED, Kind.PEER_ARBITRATED, Kind.DOUBLE_READ_LOCKED, Kind.DOUBLE_READ_SETTLED)
"""What is said of a case that is read blind: the first entry of its id names the study."""


class Closer:
    """Seals the words of entries that one transaction appends.

    Args:
        connection: of the transaction.
        keyring: of the archive; without one, or as long as nothing is sealed, entries stay as they are.
        batch: everything that is appended; what it puts into a project is sealed by the key of that one.
    """

    def __init__(self, connection: sa.Connection, keyring: Keyring | None, batch: Sequence[Event]) -> None:
        self._connection, self._keyring = connection, keyring
        self._active = keyring is not None and keyring.active
        self._homes = {
            e.subject: str(e.details["project"]) for e in batch if self._active and e.kind is Kind.STUDY_HOMED
        }

    def kept(self, event: Event) -> Event:
        """The event as the journal holds it.

        Raises:
            Refused: the key of its project was destroyed, or the master key is missing.
            Unavailable: the disk of the keys said no.
        """
        paths = WORDS.get(event.kind)
        if not self._active or not paths or (not event.subject and event.kind not in _OF_SEVERAL):
            return event
        keys = self._keys(event)
        if not keys:
            return event
        subject = "" if event.kind is Kind.PATIENT_TOLD else event.subject  # which is a number of the patient
        details = dict(event.details)
        words = zlib.compress(canonical({"subject": event.subject, "details": details}), 6)
        for path in paths:
            details = _without(details, path.split("."))
        about = _purpose(event.kind, subject)
        sealed = [
            {"key": name.hex(), "words": base64.b64encode(wrap(secret, words, about + name)).decode()}
            for name, secret in keys
        ]
        return replace(event, subject=subject, details={**details, _SEALED: sealed})

    def _keys(self, event: Event) -> list[tuple[bytes, bytes]]:
        """The keys any of which opens the words; none where somebody needs them who is not sealed."""
        assert self._keyring is not None
        keys = []
        for name, home in self._of(event):
            key = self._keyring.of(name, home)
            if key is None:
                return []
            keys.append(key)
        return keys

    def _of(self, event: Event) -> list[tuple[str, str]]:
        """What an event is about, each with its home."""
        if event.kind is Kind.PATIENT_TOLD:
            return [(f"{PATIENT}{event.subject}", self._home_of_patients(event.details))]
        if event.kind is Kind.INSTANCES_REJECTED:  # nobody knows of which study they were
            return [(f"{SENDER}{event.who}", str(event.details.get("project", EVERYBODY)))]
        if event.kind is Kind.PATIENTS_MERGED:
            names = self._studies_of(event.details["from"], event.details["into"])
        elif event.kind is Kind.PATIENTS_UNDONE:
            names = self._studies_of_change(int(event.details["change"]))
        elif event.kind in _TERMS and not event.subject:
            names = self._studies_of(event.details["patient"])
        elif event.kind is Kind.STUDIES_MOVED:
            names = [str(uid) for uid in event.details["studies"]]
        elif event.kind is Kind.DOUBLE_READ_ASKED:
            names = [str(event.details["study"])]
        elif event.kind in _CASES:
            names = self._case(event.subject)
        else:
            name = f"{_HOMES.get(event.kind, '')}{event.subject}"
            home = self._home(name)
            if home == EVERYBODY and name.startswith(ORDER):
                home = self._home_of_order(name, event.details.get("order"))
            return [(name, home)]
        return [(name, self._home(name)) for name in names]

    def _home(self, name: str) -> str:
        if name not in self._homes:
            mine = sa.select(t.home.c.project).where(t.home.c.study_uid == name)
            self._homes[name] = self._connection.execute(mine).scalar() or EVERYBODY
        return self._homes[name]

    def _case(self, id: str) -> list[str]:
        first = sa.select(t.event.c.details).where(t.event.c.subject == id).order_by(t.event.c.number).limit(1)
        told = json.loads(self._connection.execute(first).scalar() or "{}")
        return [str(told["study"])] if "study" in told else []

    def _home_of_order(self, name: str, order: Mapping[str, Any] | None) -> str:
        """Where an order is sealed whose sender is ruled into no project: where every study of its patient is."""
        assert self._keyring is not None
        sealed = self._keyring.project_of(name)
        if sealed or order is None:
            return sealed or EVERYBODY
        return self._home_of_patients({"patient": order["patient"]})

    def _studies_of_change(self, number: int) -> list[str]:
        asked = sa.select(t.event.c.details).where(t.event.c.number == number)
        return [str(uid) for uid in json.loads(self._connection.execute(asked).scalar() or "{}").get("studies", ())]

    def _studies_of(self, *patients: Mapping[str, Any]) -> list[str]:
        found: list[str] = []
        for one in patients:
            if not one["id"]:
                continue  # of nobody, or told by digests alone
            id, issuer = followed((one["id"], one["issuer"]), self._connection)
            mine = (t.study.c.patient_id == id) & (t.study.c.issuer == issuer)
            found += self._connection.execute(sa.select(t.study.c.uid).where(mine).order_by(t.study.c.uid)).scalars()
        return found

    def _home_of_patients(self, told: Mapping[str, Any]) -> str:
        """Where every study of some patients is; of who has none: where what the sender sends is at home."""
        found: set[str] = set()
        for one in filter(None, (told["patient"], told.get("merged"))):
            mine = (t.study.c.patient_id == one["id"]) & t.study.c.issuer.in_(("", one["issuer"]))
            studies = self._connection.execute(sa.select(t.study.c.uid).where(mine)).scalars().all()
            found |= set(map(self._home, studies))
        if EVERYBODY in found:
            return EVERYBODY  # who also is somewhere in the clear is known there anyway
        return min(found, default=str(told.get("project", EVERYBODY)))


def opened(event: Event, keyring: Keyring | None, *, gone: bool = True) -> Event:
    """An event as it came; where its words cannot be read, with what stands in the clear, and ``sealed`` beside it.

    Args:
        event: as the journal holds it, sealed or not.
        keyring: of the archive.
        gone: a key that these keys never had is no reason to refuse.

    Raises:
        Refused: what is sealed was changed; the master key is missing.
        NotFound: these keys never had one that opens it, where that is not said to be fine.
    """
    told = event.details.get(_SEALED)
    if not isinstance(told, list):
        return event  # not sealed, or an arrival
    if keyring is None:
        if gone:
            return event
        raise Refused(
            "an entry of the journal is sealed", "the keys of the archive are not here",
            "open it with its folder of keys and ISOCENTER_MASTER_KEY",
        )  # fmt: skip
    missing: IsocenterError | None = None
    for one in told:
        name = bytes.fromhex(str(one["key"]))
        try:
            secret = keyring.key(name)
        except Erased:
            continue
        except NotFound as unknown:
            missing = unknown
            continue
        about = _purpose(event.kind, event.subject) + name
        words = json.loads(zlib.decompress(unwrap(secret, base64.b64decode(one["words"]), about)))
        return replace(event, subject=words["subject"], details=words["details"])
    if missing is not None and not gone:
        raise missing
    return event


def _without(value: Any, path: Sequence[str]) -> Any:
    """The same with nothing said at a path."""
    if not path:
        return _nothing(value)
    name, rest = path[0], path[1:]
    if name == "*" and isinstance(value, list | tuple):
        return [_without(one, rest) for one in value]
    if not isinstance(value, Mapping):
        return value
    if name == "*":
        return {key: _without(one, rest) for key, one in value.items()}
    if name == "birth_date" and name in value:
        return {**value, name: None}
    return {**value, name: _without(value[name], rest)} if name in value else dict(value)


def _nothing(value: Any) -> Any:
    if isinstance(value, str):
        return ERASED_WORD if value else ""
    return {} if isinstance(value, Mapping) else [] if isinstance(value, list | tuple) else None


def _purpose(kind: Kind, subject: str) -> bytes:
    return f"isocenter words of an entry {kind} {subject} ".encode("utf-8", "surrogatepass")
