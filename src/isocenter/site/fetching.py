"""Earlier studies of a patient that other systems hold: asked for when a person wants them, and fetched one by one.

Nobody is asked about a patient unasked: that a person looks elsewhere tells those peers who is examined here, so it
stands in the journal with their names. What comes arrives as anything does that a peer sends.

Where jobs are kept (`queue`), a study is promised and comes also when the server is killed meanwhile: the journal says
that it was asked for, and what became of it. Otherwise whoever asks waits until it has come.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from isocenter.errors import IsocenterError, NoAnswer, NotFound, Refused, WrongState
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, Patient, Sealed, Study

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Fetching", "Queue", "Ways"]

_UID = re.compile(r"[0-9.]{1,64}")
_WILD = frozenset("*?\\")
_MOST = 200  # studies that are told of one peer
_LATEST = 200  # entries of one study among which those of a fetch are looked for
_UNDONE = ("waiting", "running")
_WANTED = (
    "StudyInstanceUID", "StudyDate", "StudyTime", "StudyDescription", "ModalitiesInStudy", "PatientBirthDate",
    "IssuerOfPatientID", "NumberOfStudyRelatedInstances",
)  # fmt: skip


class Ways(Protocol):
    """How other systems are asked."""

    def find(self, peer: Mapping[str, Any], keys: Mapping[str, str]) -> Sequence[Mapping[str, Any]]:
        """Studies at a peer that match (C-FIND, Study Root), each with the asked attributes as text."""

    def move(self, peer: Mapping[str, Any], study_uid: str, told: Callable[[int, int], None]) -> tuple[int, int, str]:
        """Let a peer send a study here (C-MOVE): instances that came, that failed, and what it said.

        Args:
            told: (come, in all) while it goes on.
        """


class Queue(Protocol):
    """Jobs that outlive the process that promised them."""

    def promise(self, key: str, study_uid: str, wanted: str, peer: str, name: str) -> None:
        """Have `Fetching.carry_out` called for an account, in this process or another; one job of a key at a time."""

    def standing(self, key: str) -> tuple[str, str]:
        """State and progress of the latest job of a key; empty where there is none."""

    def progress(self, came: int, of: int) -> None:
        """Say within the running job how far it is."""


class _Stopped(Exception):
    """Somebody does not want it any more."""


@dataclass
class _Going:
    """A study on its way: whose, from which study it was asked for, and how many instances of how many have come (0 of
    0 until the peer tells)."""

    patient: tuple[str, str]
    asked: str
    came: int = 0
    of: int = 0
    stopped: bool = False


@dataclass
class Fetching:
    """Studies held elsewhere, asked by people of one archive.

    Args:
        look: gives a study as somebody may see it, and tells the journal that they looked.
        holds: whether somebody may ask for a study: of what others asked for in their project nobody is told.
        queue: where fetching is promised; None where whoever asks waits for it.
    """

    index: Index
    journal: Journal
    clock: Callable[[], datetime]
    look: Callable[[str, Person], Study]
    ways: Ways | None = None
    holds: Callable[[str, Person], bool] = lambda study_uid, who: True
    queue: Queue | None = None
    _going: dict[tuple[str, str], _Going] = field(default_factory=dict, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def elsewhere(self, study_uid: str, *, who: Person) -> dict[str, Any]:
        """Studies of the patient of a study that peers hold and this archive does not.

        Returns:
            ``studies``: peer, study, date, time, description, modalities, images, doubt (why it may be
            another person's, or empty); ``silent``: peer and why it gave no answer; ``asked``: the peers that did.

        Raises:
            Refused: the patient has no ID, or one that peers would read as a pattern; or this process calls nobody.
        """
        must(who, "fetch", study_uid)
        patient = self.look(study_uid, who).patient
        id, ways, peers = _plain_id(patient), self._ways(), self._peers()
        self._tell(Kind.ASKED_ELSEWHERE, who, study_uid, peers=[one["aet"] for one in peers])
        found, silent, asked = [], [], []
        for peer in peers:
            try:
                rows = ways.find(peer, {"PatientID": id, **dict.fromkeys(_WANTED, "")})
            except IsocenterError as error:
                silent.append({"peer": peer["aet"], "why": str(error)})
                continue
            asked.append(peer["aet"])
            found += [_row(peer["aet"], one, patient) for one in rows[:_MOST] if _is_of(one, id)]
        here = self._held([one["study"] for one in found])
        studies = sorted((one for one in found if one["study"] not in here), key=lambda one: (one["date"], one["time"]))
        return {"studies": studies, "silent": silent, "asked": asked}

    def fetch(self, study_uid: str, wanted: str, *, peer: str, who: Person) -> dict[str, Any]:
        """Have a peer send one study of the patient of a study: promised where there is a queue, else now.

        Returns:
            ``promised``; where whoever asks has waited also ``came`` and ``failed``, numbers of instances, and
            ``why``: what the peer said where some failed.

        Raises:
            NotFound: no such peer, or it holds no such study of this patient.
            Refused: it may be another person's, or is here.
            WrongState: it is being fetched.
        """
        must(who, "fetch", study_uid)
        patient = self.look(study_uid, who).patient
        one = self._to_be_sent(patient, wanted, peer)
        if any((at["peer"], at["study"]) == (peer, wanted) for at in self._undone(patient)):
            raise WrongState(f"study {wanted}", "it is being fetched", "wait for it")
        if self.queue is None:
            return {"promised": False, **self._moved(study_uid, one, wanted, patient, who)}
        self._tell(Kind.FETCH_ASKED, who, study_uid, peer=peer, study=wanted)
        self.queue.promise(_key(peer, wanted), study_uid, wanted, peer, who.name)
        return {"promised": True}

    def carry_out(self, study_uid: str, wanted: str, *, peer: str, who: Person) -> int:
        """Keep a promise, once: how many instances came. Nothing is asked of a peer for whoever may not have it now."""
        if self._ended(study_uid, peer, wanted):
            return 0  # it was stopped while it waited, or the journal has it and the job had no time to say so
        try:
            must(who, "fetch", study_uid)
            patient = self.look(study_uid, who).patient
            one = self._peer(peer)
        except IsocenterError as error:
            self.give_up(study_uid, wanted, peer=peer, why=str(error), name=who.name)
            return 0
        try:
            return int(self._moved(study_uid, one, wanted, patient, who)["came"])
        except IsocenterError:
            return 0  # the journal has why

    def give_up(self, study_uid: str, wanted: str, *, peer: str, why: str, name: str) -> None:
        """Write down why a promise cannot be kept."""
        said = {"peer": peer, "study": wanted, "came": 0, "failed": 0, "why": why[:300]}
        self.journal.append(Event(Kind.FETCHED, self.clock(), name, study_uid, said))

    def owed(self) -> None:
        """Promise again what was asked for and never ended: a server may die between the two."""
        if self.queue is None:
            return
        open_: dict[tuple[str, str, str], str] = {}
        for sealed in self.journal.each(kinds=(Kind.FETCH_ASKED, Kind.FETCHED)):
            event, said = sealed.event, sealed.event.details
            at = (event.subject, str(said["peer"]), str(said["study"]))
            if event.kind is Kind.FETCH_ASKED:
                open_[at] = event.who
            else:
                open_.pop(at, None)
        for (study_uid, peer, wanted), name in open_.items():
            self.queue.promise(_key(peer, wanted), study_uid, wanted, peer, name)

    def going(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        """What of this patient is on its way, or was and what became of it, the latest word about each study.

        Returns:
            peer, study, state (waiting, running, ended), came, of (instances in all; 0: not told yet), failed, why.
        """
        must(who, "fetch", study_uid)
        patient = self.look(study_uid, who).patient
        undone = self._undone(patient)
        known = {(one["peer"], one["study"]) for one in undone}
        ended = [one for one in self._told(patient, ended=True) if (one["peer"], one["study"]) not in known]
        lost = [
            {**one, "state": "ended", "why": "the server could not carry it out: ask again"}
            for one in self._told(patient, ended=False)
            if (one["peer"], one["study"]) not in known
        ]
        mine = [one for one in undone + ended + lost if self.holds(one["asked"], who)]
        return [{name: value for name, value in one.items() if name != "asked"} for one in mine]

    def stop(self, study_uid: str, wanted: str, *, peer: str, who: Person) -> None:
        """Want a study no more: what has come stays, and the peer is asked for nothing further.

        Raises:
            WrongState: it is not being fetched.
        """
        must(who, "fetch", study_uid)
        patient = self.look(study_uid, who).patient
        undone = [one for one in self._undone(patient) if self.holds(one["asked"], who)]
        at = next((one for one in undone if (one["peer"], one["study"]) == (peer, wanted)), None)
        if at is None:
            raise WrongState(f"study {wanted:.64}", "it is not being fetched", "load the list again")
        self._tell(
            Kind.FETCHED,
            who,
            at["asked"],
            peer=peer,
            study=wanted,
            came=at["came"],
            failed=0,
            why=f"stopped by {who.name}",
        )

    # ---- within ----------------------------------------------------------------------------------------------

    def _to_be_sent(self, patient: Patient, wanted: str, peer: str) -> dict[str, Any]:
        """The peer of a study that it may be asked to send."""
        id, ways, one = _plain_id(patient), self._ways(), self._peer(peer)
        keys = {"PatientID": id, **dict.fromkeys(_WANTED, ""), "StudyInstanceUID": wanted}
        told = ways.find(one, keys) if _UID.fullmatch(wanted) else ()
        rows = [row for row in told if _is_of(row, id) and row.get("StudyInstanceUID") == wanted]
        if not rows:
            raise NotFound(f"study {wanted:.64} at {peer}", "it holds none of this patient", "look elsewhere again")
        if doubt := _row(peer, rows[0], patient)["doubt"]:
            raise Refused(f"study {wanted} at {peer}", doubt, "ask there whose it is, and have it sent")
        if self._held([wanted]):
            raise Refused(
                f"study {wanted}", "it is here",
                "open it; where the timeline only counts it, another project has it, and breaking the glass opens it",
            )  # fmt: skip
        return one

    def _undone(self, patient: Patient) -> list[dict[str, Any]]:
        """What of a patient is waiting or on its way: here, or by a job of any server of this archive."""
        with self._lock:
            here = {
                key: {"peer": key[0], "study": key[1], "state": "running", "came": one.came, "of": one.of,
                      "failed": 0, "why": "", "asked": one.asked}
                for key, one in self._going.items()
                if one.patient == _named(patient) and not one.stopped
            }  # fmt: skip
        found = list(here.values())
        for one in self._told(patient, ended=False):
            if (one["peer"], one["study"]) in here or self.queue is None:
                continue
            state, words = self.queue.standing(_key(one["peer"], one["study"]))
            if state in _UNDONE:
                came, _, of = words.partition(" of ")
                far = {"came": int(came), "of": int(of)} if came.isdecimal() and of.isdecimal() else {}
                found.append({**one, "state": state, **far})
        return found

    def _told(self, patient: Patient, *, ended: bool) -> list[dict[str, Any]]:
        """The latest word of the journal about each study that was asked for of a patient, or that ended."""
        latest: dict[tuple[str, str], Sealed] = {}
        keys = {"PatientID": patient.id, "IssuerOfPatientID": patient.issuer}
        rows = self.index.studies(keys, limit=_MOST) if patient.id else []
        of = [one.uid for one in rows if _named(one.patient) == _named(patient)]
        for uid in of:
            for sealed in self._entries(uid):
                key = str(sealed.event.details["peer"]), str(sealed.event.details["study"])
                if key not in latest or latest[key].number < sealed.number:
                    latest[key] = sealed
        return [
            {
                "peer": peer, "study": study, "state": "ended", "came": int(event.details.get("came", 0)), "of": 0,
                "failed": int(event.details.get("failed", 0)), "why": str(event.details.get("why", "")),
                "asked": event.subject,
            }
            for (peer, study), event in ((key, sealed.event) for key, sealed in latest.items())
            if (event.kind is Kind.FETCHED) == ended
        ]  # fmt: skip

    def _ended(self, study_uid: str, peer: str, wanted: str) -> bool:
        """Whether the journal has the end of what was asked for last."""
        said = [s.event for s in self._entries(study_uid)]
        last = next((one for one in said if (one.details["peer"], one.details["study"]) == (peer, wanted)), None)
        return last is None or last.kind is Kind.FETCHED

    def _entries(self, study_uid: str) -> list[Sealed]:
        """What was fetched for a study, or shall be, the newest first."""
        kinds = (Kind.FETCH_ASKED, Kind.FETCHED)
        return self.journal.since(subject=study_uid, kinds=kinds, newest_first=True, limit=_LATEST)

    def _moved(
        self, study_uid: str, peer: Mapping[str, Any], wanted: str, patient: Patient, who: Person
    ) -> dict[str, Any]:
        key = (str(peer["aet"]), wanted)
        with self._lock:
            if key in self._going:
                raise WrongState(f"study {wanted}", "it is being fetched", "wait for it")
            self._going[key] = _Going(_named(patient), study_uid)
        begun = self.journal.head()[0]

        def told(came: int, of: int) -> None:
            with self._lock:
                self._going[key].came, self._going[key].of = came, of
            if self._ended_since(begun, study_uid, key):
                self._going[key].stopped = True
                raise _Stopped
            if self.queue is not None:
                self.queue.progress(came, of)

        try:
            came, failed, why = self._ways().move(peer, wanted, told)
        except _Stopped:
            return {"came": self._going[key].came, "failed": 0, "why": "it was stopped"}
        except IsocenterError as error:
            self._tell(Kind.FETCHED, who, study_uid, peer=key[0], study=wanted, came=0, failed=0, why=str(error)[:300])
            raise
        finally:
            with self._lock:
                del self._going[key]
        self._tell(Kind.FETCHED, who, study_uid, peer=key[0], study=wanted, came=came, failed=failed, why=why[:300])
        if not came:
            raise NoAnswer(f"{key[0]} sent nothing of study {wanted}", why or "it did not say why",
                              "let it know this archive's AE title, address and port")  # fmt: skip
        return {"came": came, "failed": failed, "why": why}

    def _ended_since(self, begun: int, study_uid: str, key: tuple[str, str]) -> bool:
        """Whether somebody stopped it, here or at another server, since it began."""
        told = self.journal.since(begun, subject=study_uid, kinds=(Kind.FETCHED,), limit=_LATEST)
        return any((one.event.details["peer"], one.event.details["study"]) == key for one in told)

    def _peer(self, aet: str) -> dict[str, Any]:
        one = next((p for p in self._peers() if p["aet"] == aet), None)
        if one is None:
            raise NotFound(f"the peer '{aet:.64}'", "none of that name listens", "load the list again")
        return one

    def _peers(self) -> list[dict[str, Any]]:
        return [one for one in self.index.peers() if one["port"]]

    def _ways(self) -> Ways:
        if self.ways is None:
            raise Refused("a question to other systems", "this process calls nobody", "ask the server")
        return self.ways

    def _held(self, uids: Sequence[str]) -> set[str]:
        return {study.uid for study, _, _ in self.index.listed(uids)} if uids else set()

    def _tell(self, kind: Kind, who: Person, study_uid: str, **details: Any) -> None:
        self.journal.append(Event(kind, self.clock(), who.name, study_uid, details))


def _key(peer: str, wanted: str) -> str:
    return f"fetch:{quote(peer, safe='')}:{wanted}"


def _named(patient: Patient) -> tuple[str, str]:
    return patient.id, patient.issuer


def _plain_id(patient: Patient) -> str:
    if not patient.id:
        raise Refused("a patient without a Patient ID", "nobody can be asked for their studies", "give them an ID")
    if set(patient.id) & _WILD:
        raise Refused(f"the Patient ID {patient.id!r}", "others would read * ? or \\ in it as a pattern for many",
                      "ask there by hand")  # fmt: skip
    return patient.id


def _is_of(row: Mapping[str, Any], id: str) -> bool:
    """Whether a peer's row is of this very ID and names a study; some match more than they were asked for."""
    return str(row.get("PatientID", "")).strip() == id and bool(_UID.fullmatch(str(row.get("StudyInstanceUID", ""))))


def _row(peer: str, row: Mapping[str, Any], patient: Patient) -> dict[str, Any]:
    def text(name: str) -> str:
        value = row.get(name) or ""
        return ("\\".join(map(str, value)) if isinstance(value, list) else str(value))[:200]

    day, born, issuer = text("StudyDate"), text("PatientBirthDate"), text("IssuerOfPatientID")
    own = f"{patient.birth_date:%Y%m%d}" if patient.birth_date else ""
    doubt = ""
    if born and own and born != own:
        doubt = f"born {_iso(born)} there and {_iso(own)} here: perhaps another person"
    elif issuer and patient.issuer and issuer != patient.issuer:
        doubt = f"that number is of {issuer} there and of {patient.issuer} here: perhaps another person"
    images = text("NumberOfStudyRelatedInstances")
    return {
        "peer": peer, "study": text("StudyInstanceUID"), "date": _iso(day), "time": text("StudyTime"),
        "description": text("StudyDescription"), "modalities": [m for m in text("ModalitiesInStudy").split("\\") if m],
        "images": int(images) if images.isdecimal() else None, "doubt": doubt,
    }  # fmt: skip


def _iso(day: str) -> str:
    return f"{day[:4]}-{day[4:6]}-{day[6:8]}" if re.fullmatch(r"\d{8}", day) else ""
