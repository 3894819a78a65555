"""Storage commitment: we promise a scanner that its images are safe, and ask others to promise it to us.

A promise is given for an image whose file was read again, whole, and whose digest is still that of its arrival; what
is missing or damaged is named as failed. A request is an event before it is acknowledged, so a promise that is owed
survives every restart; it is owed until the asker has acknowledged the answer.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from isocenter.dicom.model import Model, first, items
from isocenter.errors import Conflict, IsocenterError, NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.record import Event, Kind, Sealed
from isocenter.record.order import study_uid_of

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Ask", "Committing", "Owed", "Report", "answer_of"]

Report = Callable[[Mapping[str, Any], Model], None]
"""Tells a peer the answer to its request; raises where the peer did not acknowledge it."""

Ask = Callable[[Mapping[str, Any], Model], Model | None]
"""Asks a peer; its answer where it came at once, None where it comes later."""

_KINDS: Final = (Kind.COMMITMENT_ASKED, Kind.COMMITMENT_TOLD)
_LONGEST: Final = timedelta(days=7)
_MOST: Final = 100_000
_NO_INSTANCE, _OTHER_CLASS, _FAILURE = 0x0112, 0x0119, 0x0110


@dataclass(frozen=True)
class Owed:
    """An answer that is owed.

    Args:
        transaction: UID that the asker gave the request.
        by: AE title of the asker.
        images: (SOP Class UID, SOP Instance UID) of each image.
    """

    transaction: str
    by: str
    images: tuple[tuple[str, str], ...]
    asked: datetime


@dataclass
class Committing:
    """The promises of one archive.

    Args:
        report, ask: the network, given by the composition.
        may: whether a system may be promised anything of a study.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    report: Report | None = None
    ask_by: Ask | None = None
    may: Callable[[str, str], bool] = lambda by, study_uid: True
    wake: threading.Event = field(default_factory=threading.Event)
    _in_hand: set[str] = field(default_factory=set)

    # ---- as provider -----------------------------------------------------------------------------------------

    def asked(self, told: Mapping[str, Any], *, who: Person) -> Owed:
        """Take a request; durable when this returns.

        Raises:
            Refused: no transaction or no images. Conflict: the transaction is known already.
        """
        must(who, "commit")
        transaction = first(told, "00081195")
        images = tuple((first(i, "00081150"), first(i, "00081155")) for i in items(told, "00081199"))
        if not transaction or not images or not all(a and b for a, b in images):
            raise Refused(
                "A request without transaction UID or images",
                "nothing could be promised",
                "look at the system that asks",
            )
        if len(images) > _MOST:
            raise Refused(f"A request for {len(images)} images", f"{_MOST} are taken at once", "ask for fewer")
        event = Event(
            Kind.COMMITMENT_ASKED, self.clock(), who.name, transaction, {"images": [list(pair) for pair in images]}
        )

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            if history:
                raise Conflict("A transaction of that UID", "it was asked before", "use a new UID")
            return [event]

        self._in_hand.add(transaction)
        try:
            self.journal.decide(transaction, _KINDS, rule)
        except IsocenterError:
            self._in_hand.discard(transaction)
            raise
        return Owed(transaction, who.name, images, event.time)

    def answer(self, owed: Owed) -> Model:
        """The answer to a request: every file is read again now."""
        good: list[tuple[str, str]] = []
        failed: list[tuple[str, str, int]] = []
        for sop_class, sop_uid in owed.images:
            reason = self._fault(sop_class, sop_uid, owed.by)
            if reason:
                failed.append((sop_class, sop_uid, reason))
            else:
                good.append((sop_class, sop_uid))
        return answer_of(owed.transaction, good, failed)

    def _fault(self, sop_class: str, sop_uid: str, by: str) -> int:
        try:
            study, _, instance = self.index.instance(sop_uid)
        except IsocenterError:
            return _NO_INSTANCE
        if not self.may(by, study.uid):
            return _NO_INSTANCE
        if instance.sop_class != sop_class:
            return _OTHER_CLASS
        try:
            self.blobs.kept(instance.digest)  # reads the file and holds it against its digest
        except IsocenterError:
            return _FAILURE
        return 0

    def later(self, owed: Owed) -> None:
        """The asker did not wait: it is called on its own port, soon."""
        self._in_hand.discard(owed.transaction)
        self.wake.set()

    def told(self, owed: Owed, answer: Model, *, gave_up: bool = False) -> None:
        """The asker acknowledged the answer, or could not be reached for a week."""
        failed = [first(one, "00081155") for one in items(answer, "00081198")]
        details = {
            "by": owed.by, "good": len(owed.images) - len(failed), "failed": failed[:1000], "gave_up": gave_up,
        }  # fmt: skip
        self.journal.append(Event(Kind.COMMITMENT_TOLD, self.clock(), HOUSE.name, owed.transaction, details))
        self._in_hand.discard(owed.transaction)

    def owed(self) -> list[Owed]:
        """Answers that are owed, the oldest first."""
        held: dict[str, Owed] = {}
        for sealed in self.journal.each(kinds=_KINDS):
            event = sealed.event
            if event.kind is Kind.COMMITMENT_ASKED:
                images = tuple((str(a), str(b)) for a, b in event.details["images"])
                held[event.subject] = Owed(event.subject, event.who, images, event.time)
            else:
                held.pop(event.subject, None)
        return list(held.values())

    def deliver(self) -> int:
        """Answer what is owed, each over a call to the asker's own port; how many acknowledged."""
        done = 0
        for owed in [one for one in self.owed() if one.transaction not in self._in_hand]:
            peer = next((p for p in self.index.peers() if p["aet"] == owed.by and p["port"]), None)
            answer = self.answer(owed)
            if peer is not None and self.report is not None:
                try:
                    self.report(peer, answer)
                except IsocenterError:
                    pass  # asked again at the next look
                else:
                    self.told(owed, answer)
                    done += 1
                    continue
            if self.clock() - owed.asked > _LONGEST:
                self.told(owed, answer, gave_up=True)
        return done

    # ---- as user ---------------------------------------------------------------------------------------------

    def ask(self, study_uid: str, destination: str, *, who: Person) -> dict[str, Any]:
        """Ask a peer to promise that it keeps every image of a study.

        Returns:
            ``state``: "kept", "not kept", or "asked" where the answer comes later; ``failed``: UIDs that are not kept.

        Raises:
            NotFound: no such study or peer.
        """
        must(who, "send", study_uid)
        study = self.index.study(study_uid)
        peer = next((p for p in self.index.peers() if p["aet"] == destination), None)
        if peer is None or self.ask_by is None:
            raise NotFound(f"destination '{destination:.16}'", "it is not among the peers", "add it, `isocenter peer`")
        images = [(i.sop_class, i.sop_uid) for s in study.series for i in s.instances]
        now = self.clock()
        transaction = study_uid_of(study_uid, destination, now.isoformat())
        details = {"destination": destination, "images": len(images)}
        self.journal.append(Event(Kind.COMMITMENT_WANTED, now, who.name, study_uid, {**details, "uid": transaction}))
        answer = self.ask_by(peer, request_of(transaction, images))
        if answer is not None:
            self.heard(answer, by=destination)
        return self.state(study_uid, destination)

    def heard(self, answer: Model, *, by: str) -> None:
        """A peer answered, at once or on a call of its own.

        Raises:
            NotFound: nobody asked it that.
        """
        transaction = first(answer, "00081195")
        wanted = next(
            (s for s in self._wanted() if s.details["uid"] == transaction and s.details["destination"] == by), None
        )
        if wanted is None:
            raise NotFound("A transaction of that UID", "this archive did not ask for it", "ask again with N-ACTION")
        failed = [first(one, "00081155") for one in items(answer, "00081198")]
        good = len(items(answer, "00081199"))
        whole = not failed and good == wanted.details["images"]
        details = {"uid": transaction, "destination": by, "good": good, "failed": failed[:1000], "whole": whole}
        self.journal.append(Event(Kind.COMMITMENT_HEARD, self.clock(), by, wanted.subject, details))

    def state(self, study_uid: str, destination: str) -> dict[str, Any]:
        """What a peer promised of a study, from its latest answer."""
        kinds = (Kind.COMMITMENT_HEARD, Kind.COMMITMENT_WANTED)
        for sealed in self.journal.since(subject=study_uid, kinds=kinds, limit=100, newest_first=True):
            told = sealed.event.details
            if told["destination"] == destination:
                if sealed.event.kind is Kind.COMMITMENT_WANTED:
                    return {"state": "asked", "failed": []}
                return {"state": "kept" if told["whole"] else "not kept", "failed": list(told["failed"])}
        return {"state": "never asked", "failed": []}

    def promises(self, *, who: Person) -> list[dict[str, Any]]:
        """Promises of both directions, the latest first.

        Each: direction ("given" by us, "asked" of others), peer, study (of what we asked), images, asked (when), state
        (owed, given, given up; asked, kept, not kept), failed (how many images are not safe), answered (when).
        """
        must(who, "orders")
        held: dict[str, dict[str, Any]] = {}
        for sealed in self.journal.each(kinds=(*_KINDS, Kind.COMMITMENT_WANTED, Kind.COMMITMENT_HEARD)):
            _follow(held, sealed.event)
        return list(held.values())[::-1]

    def _wanted(self) -> list[Event]:
        many = self.journal.since(kinds=(Kind.COMMITMENT_WANTED,), limit=1000, newest_first=True)
        return [sealed.event for sealed in many]


def _follow(held: dict[str, dict[str, Any]], event: Event) -> None:
    """One event of a promise."""
    told, at = event.details, event.time.isoformat()
    head = {"asked": at, "failed": 0, "answered": None}
    if event.kind is Kind.COMMITMENT_ASKED:
        held[event.subject] = {
            "direction": "given", "peer": event.who, "study": "", "images": len(told["images"]), "state": "owed", **head
        }  # fmt: skip
    elif event.kind is Kind.COMMITMENT_WANTED:
        held[told["uid"]] = {
            "direction": "asked", "peer": told["destination"], "study": event.subject, "images": told["images"],
            "state": "asked", **head,
        }  # fmt: skip
    elif event.kind is Kind.COMMITMENT_TOLD and event.subject in held:
        state = "given up" if told["gave_up"] else "given"
        held[event.subject] |= {"state": state, "failed": len(told["failed"]), "answered": at}
    elif event.kind is Kind.COMMITMENT_HEARD and told["uid"] in held:
        state = "kept" if told["whole"] else "not kept"
        held[told["uid"]] |= {"state": state, "failed": len(told["failed"]), "answered": at}


def request_of(transaction: str, images: Sequence[tuple[str, str]]) -> Model:
    """The data set of a request (PS3.4 table J.3-1)."""
    return {
        "00081195": {"vr": "UI", "Value": [transaction]},
        "00081199": {"vr": "SQ", "Value": [_reference(*pair) for pair in images]},
    }


def answer_of(
    transaction: str, good: Sequence[tuple[str, str]], failed: Sequence[tuple[str, str, int]]
) -> Model:  # fmt: skip
    """The data set of an answer (PS3.4 table J.3-2)."""
    made = request_of(transaction, good)
    if not good:
        del made["00081199"]
    if failed:
        lost = [{**_reference(a, b), "00081197": {"vr": "US", "Value": [reason]}} for a, b, reason in failed]
        made["00081198"] = {"vr": "SQ", "Value": lost}
    return made


def _reference(sop_class: str, sop_uid: str) -> Model:
    return {"00081150": {"vr": "UI", "Value": [sop_class]}, "00081155": {"vr": "UI", "Value": [sop_uid]}}
