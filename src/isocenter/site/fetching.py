"""Earlier studies of a patient that other systems hold: asked for when a person wants them, and fetched one by one.

Nobody is asked about a patient unasked: that a person looks elsewhere tells those peers who is examined here, so it
stands in the journal with their names. What comes arrives as anything does that a peer sends.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

from isocenter.errors import IsocenterError, NotFound, Refused, Unavailable, WrongState
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, Patient, Study

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Fetching", "Ways"]

_UID = re.compile(r"[0-9.]{1,64}")
_WILD = frozenset("*?\\")
_MOST = 200  # studies that are told of one peer
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


@dataclass
class _Going:
    """A study on its way: whose, and how many instances of how many have come; 0 of 0 until the peer tells."""

    patient: tuple[str, str]
    came: int = 0
    of: int = 0


@dataclass
class Fetching:
    """Studies held elsewhere, asked by people of one archive.

    Args:
        look: gives a study as somebody may see it, and tells the journal that they looked.
    """

    index: Index
    journal: Journal
    clock: Callable[[], datetime]
    look: Callable[[str, Person], Study]
    ways: Ways | None = None
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
        """Have a peer send one study of the patient of a study; returns when it has, or has given up.

        Returns:
            ``came`` and ``failed``: numbers of instances; ``why``: what the peer said where some failed.

        Raises:
            NotFound: no such peer, or it holds no such study of this patient.
            Refused: it may be another person's, or is here.
            WrongState: it is being fetched.
        """
        must(who, "fetch", study_uid)
        patient = self.look(study_uid, who).patient
        id, ways = _plain_id(patient), self._ways()
        one = next((p for p in self._peers() if p["aet"] == peer), None)
        if one is None:
            raise NotFound(f"the peer '{peer:.64}'", "none of that name listens", "load the list again")
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
        return self._moved(study_uid, one, wanted, patient, who)

    def going(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        """What of this patient is being fetched now: peer, study, instances that came, and in all (0: not told yet)."""
        must(who, "fetch", study_uid)
        whose = _named(self.look(study_uid, who).patient)
        with self._lock:
            return [
                {"peer": peer, "study": study, "came": one.came, "of": one.of}
                for (peer, study), one in self._going.items()
                if one.patient == whose
            ]

    def _moved(
        self, study_uid: str, peer: Mapping[str, Any], wanted: str, patient: Patient, who: Person
    ) -> dict[str, Any]:
        key = (str(peer["aet"]), wanted)
        with self._lock:
            if key in self._going:
                raise WrongState(f"study {wanted}", "it is being fetched", "wait for it")
            self._going[key] = _Going(_named(patient))

        def told(came: int, of: int) -> None:
            with self._lock:
                self._going[key] = _Going(_named(patient), came, of)

        try:
            came, failed, why = self._ways().move(peer, wanted, told)
        except IsocenterError as error:
            self._tell(Kind.FETCHED, who, study_uid, peer=key[0], study=wanted, came=0, failed=0, why=str(error)[:300])
            raise
        finally:
            with self._lock:
                del self._going[key]
        self._tell(Kind.FETCHED, who, study_uid, peer=key[0], study=wanted, came=came, failed=failed, why=why[:300])
        if not came:
            raise Unavailable(f"{key[0]} sent nothing of study {wanted}", why or "it did not say why",
                              "let it know this archive's AE title, address and port")  # fmt: skip
        return {"came": came, "failed": failed, "why": why}

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
