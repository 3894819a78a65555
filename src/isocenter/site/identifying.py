"""Whose studies these are: two patients made one, studies moved to another patient, and both undone.

The images keep the bytes that were sent; whose they are is a fact of the index, changed by events and by nothing else.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, Patient, to_plain

if TYPE_CHECKING:
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Identifying"]

_KINDS = (Kind.PATIENTS_MERGED, Kind.STUDIES_MOVED, Kind.PATIENTS_UNDONE)


@dataclass(frozen=True)
class Identifying:
    """Identities of the patients of one archive."""

    index: Index
    journal: Journal
    clock: Callable[[], datetime]
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True

    def merge(
        self, gone: tuple[str, str], stays: tuple[str, str], *, reason: str, who: Person, source: str = ""
    ) -> dict[str, Any]:
        """Make two patients one (HL7 A40); what still arrives under the first identity is the second's, too.

        Args:
            gone, stays: (Patient ID, issuer).
            source: the message that asked for it, where it was one.

        Raises:
            NotFound: one of them is not known. Refused: they are one already, or no reason was given.
        """
        event = self.merging(gone, stays, reason=reason, who=who, source=source)
        (sealed,) = self.journal.append(event)
        return {"number": sealed.number, **event.details}

    def merging(
        self, gone: tuple[str, str], stays: tuple[str, str], *, reason: str, who: Person, source: str = ""
    ) -> Event:
        """The event of a merge, for whoever appends it together with others; raises as `merge`."""
        must(who, "identity")
        _must_say_why(reason)
        studies = [row["StudyInstanceUID"] for row in self._of(gone)]
        for patient, those in ((gone, studies), (stays, [row["StudyInstanceUID"] for row in self._of(stays)])):
            if not all(self.holds(uid, who, "identity") for uid in those):
                raise NotFound(
                    f"patient '{patient[0]:.64}'",
                    "the archive has none of that number for you",
                    "look for it: `isocenter studies`",
                )
        told = {
            "from": {"id": gone[0], "issuer": gone[1]}, "into": {"id": stays[0], "issuer": stays[1]},
            "studies": studies, "reason": reason[:500], "source": source[:200],
        }  # fmt: skip
        return Event(Kind.PATIENTS_MERGED, self.clock(), who.name, "", told)

    def known(self, id: str, issuer: str) -> tuple[str, str] | None:
        """The archive's own name of a patient: with that issuer, or without one where images name none; None where
        the archive has no images of them."""
        rows = self.index.find("PATIENT", {"PatientID": id}) if id and not set(id) & set("*?\\") else []
        mine = {str(r.get("IssuerOfPatientID") or "") for r in rows if r["PatientID"] == id}
        return next(((id, one) for one in (issuer, "") if one in mine), None)

    def move(self, studies: Sequence[str], into: Patient, *, reason: str, who: Person) -> dict[str, Any]:
        """Give studies to another patient, known or new: what was filed under the wrong one.

        Raises:
            NotFound: no such study. Refused: no study, no Patient ID, or no reason.
        """
        must(who, "identity")
        _must_say_why(reason)
        if not studies or not into.id:
            raise Refused(
                "a move without studies or without a Patient ID",
                "nobody could tell whose they are then",
                "name the studies and the patient",
            )
        told = {"studies": list(dict.fromkeys(studies)), "into": to_plain(into), "reason": reason[:500]}
        return self._append(Kind.STUDIES_MOVED, told, who)

    def undo(self, change: int, *, reason: str, who: Person) -> dict[str, Any]:
        """Undo a merge or a move; what arrived since goes back, too.

        Raises:
            WrongState: it was undone before, or a later change of the same studies stands.
        """
        must(who, "identity")
        _must_say_why(reason)
        if not any(one["number"] == change for one in self.changes(who=who)):
            raise NotFound("such a change", "there is none of that number", "look at the list of changes")
        return self._append(Kind.PATIENTS_UNDONE, {"change": change, "reason": reason[:500]}, who)

    def changes(self, *, who: Person) -> list[dict[str, Any]]:
        """Every change, the newest first: number, what, by, time, undone (by which event, or 0), and its details."""
        must(who, "identity")
        found: dict[int, dict[str, Any]] = {}
        for sealed in self.journal.each(kinds=_KINDS):
            event = sealed.event
            if event.kind is Kind.PATIENTS_UNDONE:
                found[int(event.details["change"])]["undone"] = sealed.number
                continue
            what = "merged" if event.kind is Kind.PATIENTS_MERGED else "moved"
            head = {"number": sealed.number, "what": what, "by": event.who, "time": event.time.isoformat()}
            found[sealed.number] = {**head, "undone": 0, **event.details}
        rows = [one for one in found.values() if all(self.holds(uid, who, "identity") for uid in one["studies"])]
        return rows[::-1]

    def _of(self, patient: tuple[str, str]) -> list[dict[str, Any]]:
        if not patient[0]:
            raise NotFound("a patient without an ID", "none is meant", "name both")
        keys = {"PatientID": patient[0], "IssuerOfPatientID": patient[1]}
        return [row for row in self.index.find("STUDY", keys) if row["PatientID"] == patient[0]]

    def _append(self, kind: Kind, told: dict[str, Any], who: Person) -> dict[str, Any]:
        (sealed,) = self.journal.append(Event(kind, self.clock(), who.name, "", told))
        return {"number": sealed.number, **told}


def _must_say_why(reason: str) -> None:
    if len(reason.strip()) < 3:
        raise Refused(
            f"the reason '{reason.strip()}'" if reason.strip() else "no reason",
            "whose images these are must be explained to whoever asks later",
            "say why",
        )
