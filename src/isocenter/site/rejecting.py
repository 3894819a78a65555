"""Images taken out of use without being deleted, taken back, and at the very end erased by two persons.

A rejection hides: no search, worklist, study or analysis has the images any more, and the note that says why can be
sent on. It deletes nothing. Erasing is a job of its own: one person asks for it with a reason, another does it, both
are events, and only what stands rejected can be erased.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound, Refused, Unavailable, WrongState
from isocenter.forms import rejection
from isocenter.govern.policy import Person, must, must_be_a_person
from isocenter.record import Event, Kind, Sealed, Study
from isocenter.site.noting import rejected

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.database import Database
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Rejecting"]

_KINDS = (Kind.OBJECTS_REJECTED, Kind.REJECTION_ENDED, Kind.PURGE_ASKED, Kind.OBJECTS_PURGED)
_SHORTEST = 3  # characters of a reason


@dataclass(frozen=True)
class Rejecting:
    """Rejections of one archive.

    Args:
        take: stores a file under a sender's name, as any that arrives.
        read: reads the headers of images again that come back (`Rereading.again`).
    """

    database: Database
    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    take: Callable[[Sequence[bytes], str], object]
    read: Callable[[str, Sequence[str], Person], object] = lambda study_uid, images, who: None

    def reject(
        self,
        study_uid: str,
        *,
        code: str,
        reason: str,
        who: Person,
        series: str = "",
        instances: Sequence[str] = (),
        instead: Sequence[str] = (),
    ) -> dict[str, Any]:
        """Reject a study, a series or some images; they are hidden when this returns.

        Args:
            code: why, one of `forms.rejection.CODES`.
            reason: in words.
            series, instances: what of the study; without either, all of it.
            instead: SOP Instance UIDs of what stands in their place, where that is known.

        Raises:
            NotFound: no such study or series.
            Refused: a code that rejects nothing, no reason, an image of another study.
        """
        must(who, "reject", study_uid)
        _must_say_why(reason)
        study = self.index.study(study_uid)
        chosen = list(instances) or _all_of(study, series)
        read = {i.sop_uid: i.digest for s in study.series for i in s.instances}
        now = self.clock()
        data = rejection.write(
            study, chosen, code, lambda uid: self.blobs.kept(read[uid]), words=reason[:500], by=who.name, when=now
        )
        self.take([data], who.name)
        note = rejection.read(data)
        assert note is not None  # it was written a moment ago
        number = rejected(self.index, self.journal, note, reason=reason, who=who.name, now=now, instead=tuple(instead))
        return self._one(study_uid, number)

    def take_back(self, study_uid: str, number: int, *, reason: str, who: Person) -> dict[str, Any]:
        """End a rejection: its images are there again, and its note is not: whoever fetched it would reject them.

        Raises:
            NotFound: the study has no such rejection. WrongState: it was taken back before, or erased.
        """
        must(who, "reject", study_uid)
        _must_say_why(reason)
        standing, now = self._one(study_uid, number), self.clock()
        note = standing["note"]
        told = {"rejection": number, "reason": reason[:500]}
        events = [Event(Kind.REJECTION_ENDED, now, who.name, study_uid, told)]
        if note:
            hidden: dict[str, Any] = {
                "code": "113001", "reason": reason[:500], "instances": [note], "note": "", "instead": [], "absent": [],
                "withdraws": number,
            }  # fmt: skip
            events.append(Event(Kind.OBJECTS_REJECTED, now, who.name, study_uid, hidden))
        self.journal.append(*events)
        with contextlib.suppress(Unavailable):  # they are there again; `isocenter reread` reads what could not be read
            self.read(study_uid, standing["instances"], who)
        return self._one(study_uid, number)

    def ask_purge(self, study_uid: str, number: int, *, reason: str, who: Person) -> dict[str, Any]:
        """Ask that what a rejection hides be erased for good; another person has to do it.

        Raises:
            NotFound: no such rejection. WrongState: it does not stand, or was asked before.
        """
        must(who, "purge", study_uid)
        must_be_a_person(who)
        _must_say_why(reason)
        standing = self._one(study_uid, number)
        if standing["state"] != "rejected":
            raise WrongState(
                f"this rejection is {standing['state']}",
                "only what stands rejected can be erased",
                "look at what became of it: `isocenter rejections STUDY`",
            )
        told = {"rejection": number, "reason": reason[:500]}
        self.journal.append(Event(Kind.PURGE_ASKED, self.clock(), who.name, study_uid, told))
        return self._one(study_uid, number)

    def purge(self, study_uid: str, number: int, *, who: Person) -> dict[str, Any]:
        """Erase what another person asked to erase. First it is written down, then the bytes go.

        Called again after a crash in between, it takes away what is left.

        Raises:
            WrongState: nobody asked. Refused: the same person asked.
        """
        must(who, "purge", study_uid)
        must_be_a_person(who)
        standing = self._one(study_uid, number)
        if standing["state"] == "erased":
            digests = standing["digests"]
        else:
            if standing["state"] != "asked":
                raise WrongState(
                    f"this rejection is {standing['state']}",
                    "nobody asked that it be erased",
                    "ask first, with a reason; another administrator then erases",
                )
            if standing["asked_by"] == who.name:
                raise Refused(
                    "the same person", "who asks does not erase: four eyes", "let another administrator do it"
                )
            digests = self._purged(study_uid, number, standing, who)
        for digest in digests:
            self.blobs.remove(digest)
        self.database.forget()
        return self._one(study_uid, number)

    def _purged(self, study_uid: str, number: int, standing: Mapping[str, Any], who: Person) -> list[str]:
        from isocenter.store.rejections import Rejections

        held = Rejections(self.database)
        rows = held.of(number)
        shared = held.shared([row["digest"] for row in rows], number)
        digests = sorted({row["digest"] for row in rows} - shared)
        told = {
            "asked": standing["asked"], "rejection": number, "instances": [row["sop_uid"] for row in rows],
            "digests": digests,
        }  # fmt: skip
        self.journal.append(Event(Kind.OBJECTS_PURGED, self.clock(), who.name, study_uid, told))
        return digests

    def rejections(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        """Every rejection of a study with what became of it, the newest first.

        Each: number, code, meaning, reason, by, time, instances, absent, note, instead, state (rejected, taken back,
        asked, erased), and who took it back, asked and erased.

        Raises:
            NotFound: no such study. One of which all is rejected, or erased, is still known here.
        """
        must(who, "reject", study_uid)
        found = list(self._all(study_uid).values())[::-1]
        if not found:
            self.index.study(study_uid)
        return found

    def all(self, *, who: Person, state: str = "") -> list[dict[str, Any]]:
        """Every rejection of the archive, the newest first, with its study as people name it.

        Args:
            state: rejected, taken back, asked or erased; all where it is empty.
        """
        must(who, "reject")
        from isocenter.store.rejections import Rejections

        found: dict[int, dict[str, Any]] = {}
        for sealed in self.journal.each(kinds=_KINDS):
            _told(found, sealed)
            if sealed.number in found:
                found[sealed.number]["study"] = sealed.event.subject
        chosen = [row for row in list(found.values())[::-1] if not state or row["state"] == state]
        gone = Rejections(self.database).told([row["study"] for row in chosen]) if chosen else {}
        return [{**row, **self._named(row["study"], gone.get(row["study"]))} for row in chosen]

    def _named(self, study_uid: str, told: Mapping[str, Any] | None) -> dict[str, Any]:
        try:
            study = self.index.study(study_uid)
        except NotFound:  # nothing of it is left outside the rejection
            kept = told or {"patient": {}}
            return {
                "accession": kept.get("accession", ""), "description": kept.get("description", ""),
                "patient": kept["patient"].get("id", ""), "hidden": True,
            }  # fmt: skip
        return {
            "accession": study.accession, "description": study.description, "patient": study.patient.id,
            "hidden": False,
        }  # fmt: skip

    def _one(self, study_uid: str, number: int) -> dict[str, Any]:
        found = self._all(study_uid).get(number)
        if found is None:
            raise NotFound("such a rejection", "this study has none of that number", "see its rejections")
        return found

    def _all(self, study_uid: str) -> dict[int, dict[str, Any]]:
        found: dict[int, dict[str, Any]] = {}
        for sealed in self.journal.each(kinds=_KINDS, subject=study_uid):
            _told(found, sealed)
        return found


def _told(found: dict[int, dict[str, Any]], sealed: Sealed) -> None:
    event, told = sealed.event, sealed.event.details
    if event.kind is Kind.OBJECTS_REJECTED and "withdraws" in told:
        return  # a note that says no more what is so; no rejection of its own that could be taken back
    if event.kind is Kind.OBJECTS_REJECTED:
        found[sealed.number] = {
            "number": sealed.number, "code": told["code"], "meaning": rejection.CODES.get(told["code"], ""),
            "reason": told["reason"], "by": event.who, "time": event.time.isoformat(),
            "instances": list(told["instances"]), "absent": list(told["absent"]), "note": told["note"],
            "instead": list(told["instead"]), "state": "rejected",
        }  # fmt: skip
        return
    of = found.get(int(told["rejection"]))
    if of is None:
        return
    if event.kind is Kind.REJECTION_ENDED:
        of |= {"state": "taken back", "taken_back_by": event.who, "taken_back": sealed.number}
    elif event.kind is Kind.PURGE_ASKED:
        of |= {"state": "asked", "asked_by": event.who, "asked": sealed.number, "asked_because": told["reason"]}
    else:
        of |= {"state": "erased", "erased_by": event.who, "erased": sealed.number, "digests": list(told["digests"])}


def _all_of(study: Study, series_uid: str) -> list[str]:
    chosen = [s for s in study.series if not series_uid or s.uid == series_uid]
    if not chosen:
        raise NotFound(f"series {series_uid:.64}", "the study has none of that UID", "look at the study")
    return [i.sop_uid for s in chosen for i in s.instances]


def _must_say_why(reason: str) -> None:
    if len(reason.strip()) < _SHORTEST:
        raise Refused("no reason", "whoever looks for the images later must learn why they are gone", "say why")
