"""HL7 messages in and results out, as events of the journal.

A message is acknowledged when what it asks for is durable, in one transaction with the note that it was heard: the same
message sent again, because the answer was lost, gets the same answer and is not done twice. A signed report is owed to
every receiver until that receiver has acknowledged it; what is owed is read off the journal, so no kill loses any.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from isocenter.errors import (
    Conflict,
    Damaged,
    Forbidden,
    IsocenterError,
    LimitReached,
    NotFound,
    NotWhole,
    Refused,
    WrongState,
)
from isocenter.forms import hl7, hl7_orders, hl7_results
from isocenter.forms.hl7 import Message, NotTaken
from isocenter.forms.words import many
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.reading.report import Report
from isocenter.record import Event, Kind, Patient, Sealed, to_plain
from isocenter.record.project import EVERYBODY
from isocenter.site.identifying import Identifying
from isocenter.site.ordering import Ordering

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["DICOM", "Due", "Messaging", "Tell"]

DICOM: Final = "dicom:"
"""Before the AE title of a receiver that gets results as DICOM objects; a receiver of HL7 has none."""

Tell = Callable[[str, bytes], bytes]
"""Sends a message to a receiver (``host:port``); its answer. Raises where there is none."""

_ORDERS: Final = ("ORM^O01", "OMI^O23")
_DEMOGRAPHICS: Final = ("A01", "A04", "A05", "A08", "A28", "A31")
_NOTHING_HERE: Final = ("A02", "A03", "A06", "A07", "A11", "A12", "A13", "A21", "A22", "A38", "A60")
_SIGNED: Final = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)
_PAGE: Final = 1000


@dataclass(frozen=True)
class Due:
    """A report that is owed to a receiver."""

    to: str
    study: str
    report: str
    number: int

    @property
    def control(self) -> str:
        """Message Control ID: the same report to the same receiver has the same one, however often it is sent."""
        return hashlib.sha256(f"{self.to}|{self.report}".encode()).hexdigest()[:20].upper()


@dataclass
class Messaging:
    """The messages of one archive.

    Args:
        processing: Processing IDs that are taken.
        identities: makes two patients of the archive one.
        hears: whether somebody may hear of an event, as far as projects go.
        home_of_sender: the project in which what a sender sends is at home.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    ordering: Ordering
    clock: Callable[[], datetime]
    processing: tuple[str, ...] = ("P",)
    identities: Identifying | None = None
    hears: Callable[[Sealed, Person], bool] = lambda sealed, who: True
    home_of_sender: Callable[[Person], str] = lambda who: EVERYBODY

    # ---- in --------------------------------------------------------------------------------------------------

    def hear(self, data: bytes, *, who: Person) -> bytes:
        """Take one message and say what became of it; whatever it holds, there is an answer.

        Returns:
            the acknowledgement: AA when it is durable, AE or AR with the reason.

        Raises:
            Unavailable: nothing could be written; no answer may be given then, and the sender sends again.
        """
        now = self.clock()
        control = hashlib.sha256(data + now.isoformat().encode()).hexdigest()[:20].upper()
        message: Message | None = None
        try:
            must(who, "order")
            message = hl7.read(data)
            self._must_be_for_us(message)
            return self._heard(message, data, who, now, control)
        except NotTaken as error:
            code = "AR" if error.reject else "AE"
            return self._refused(message, code, error, data, who, now, control)
        except (NotWhole, LimitReached) as error:
            fault = NotTaken(error.what, error.why, error.do, code=100, reject=True)
            return self._refused(None, "AR", fault, data, who, now, control)
        except (Refused, NotFound, WrongState, Forbidden) as error:
            number = 204 if isinstance(error, NotFound | Conflict) else 207
            fault = NotTaken(error.what, error.why, error.do, code=number)
            return self._refused(message, "AE", fault, data, who, now, control)

    def _must_be_for_us(self, message: Message) -> None:
        head = message.head
        if not message.control or len(message.control) > 199:
            raise NotTaken("A message without control id", "nobody could tell it from another", code=101,
                           place="MSH^1^10", reject=True)  # fmt: skip
        if not head.at(12).startswith("2."):
            raise NotTaken(f"Version '{head.at(12):.8}'", "version 2 is read here", code=203, place="MSH^1^12",
                           reject=True)  # fmt: skip
        if head.at(11) not in self.processing:
            raise NotTaken(
                f"Processing id '{head.at(11):.4}'", f"this archive takes {', '.join(self.processing)}",
                "set ISOCENTER_HL7_PROCESSING=P,T in a test archive", code=202, place="MSH^1^11", reject=True,
            )  # fmt: skip

    def _heard(self, message: Message, data: bytes, who: Person, now: datetime, control: str) -> bytes:
        events, words = self._meaning(message, who)
        digest = hashlib.sha256(data).hexdigest()
        subject = f"hl7:{message.sender}|{message.control}"
        details = {"kind": message.kind, "code": "AA", "text": words, "digest": digest}

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            if any(one.event.details["digest"] == digest and one.event.details["code"] == "AA" for one in history):
                return []  # heard before; its answer was lost
            if any(one.event.details["code"] == "AA" for one in history):
                raise NotTaken(f"The control id '{message.control:.20}'", "another message had it", code=205,
                               place="MSH^1^10")  # fmt: skip
            return [Event(Kind.MESSAGE_HEARD, now, who.name, subject, details), *events]

        self.journal.decide(subject, (Kind.MESSAGE_HEARD,), rule)
        return hl7.acknowledge(message, "AA", now=now, control=control, told=words)

    def _meaning(self, message: Message, who: Person) -> tuple[list[Event], str]:
        """The events that a message asks for, and what it came to in words."""
        kind, event = message.head.at(9, 1), message.head.at(9, 2)
        if message.kind in _ORDERS:
            return self._orders(message, who)
        if kind == "ADT" and event in _DEMOGRAPHICS:
            patient = hl7_orders.patient_of(message)
            orders = self.ordering.renaming(patient, source="HL7", who=who)
            told = self._told(patient, who)
            return [told, *orders], f"{many(len(orders), 'order')} changed"
        if kind == "ADT" and event == "A40":
            return self._merge(message, who)
        if kind == "ADT" and event in _NOTHING_HERE:
            return [], "nothing here depends on it"
        known = kind in ("ADT", "ORM", "OMI")
        raise NotTaken(
            f"The message {message.kind:.16}", f"served are {', '.join(_ORDERS)} and ADT", "do not send it here",
            code=201 if known else 200, place="MSH^1^9", reject=True,
        )  # fmt: skip

    def _told(self, patient: Patient, who: Person, **more: Any) -> Event:
        """What the hospital tells of a patient; of who is only in a sealed project, sealed with it."""
        home = self.home_of_sender(who)
        at = {} if home == EVERYBODY else {"project": home}
        return Event(
            Kind.PATIENT_TOLD, self.clock(), who.name, patient.id, {"patient": to_plain(patient), **more, **at}
        )

    def _merge(self, message: Message, who: Person) -> tuple[list[Event], str]:
        """Two patients are one: their images and their orders, in the one transaction; a person can undo it."""
        stays, goes = hl7_orders.merge_of(message)
        events = self.ordering.rehoming(goes, stays, source="HL7", who=who)
        here = self.identities.known(goes.id, goes.issuer) if self.identities else None
        to = self.identities.known(stays.id, stays.issuer) if self.identities else None
        done = bool(self.identities and here and to and here != to)
        if self.identities and here and to and here != to:
            # The house does it: whoever opened the port to this sender has given it that right.
            source = f"HL7 {message.control}"
            told = self.identities.merging(here, to, reason="ADT^A40 of the hospital", who=HOUSE, source=source)
            events = [*events, told]
        open_ = here is not None and to is None
        kept = self._told(stays, who, merged=to_plain(goes), open=open_)
        words = "merged" if done else "kept for a person: no images of who stays" if open_ else "no images to merge"
        return [kept, *events], words

    def _orders(self, message: Message, who: Person) -> tuple[list[Event], str]:
        asked = hl7_orders.orders_of(message)
        placed = [one.order for one in asked if not one.cancels]
        events = self.ordering.placing(placed, source="HL7", who=who)
        for one in asked:
            if one.cancels:
                events += self.ordering.cancelling(one.order.id, f"HL7 {message.control}", who=who)
        return events, f"{many(len(placed), 'order')} placed, {len(asked) - len(placed)} taken back"

    def _refused(
        self, message: Message | None, code: str, error: NotTaken, data: bytes, who: Person, now: datetime, control: str
    ) -> bytes:
        # The words stay out of the journal: they may quote the message, and that may hold a name.
        digest = hashlib.sha256(data).hexdigest()
        subject = f"hl7:{message.sender}|{message.control}" if message is not None else f"hl7:{digest[:20]}"
        kind = message.kind if message is not None else ""
        details = {"kind": kind[:40], "code": code, "text": f"error {error.code} {error.place}", "digest": digest}
        self.journal.append(Event(Kind.MESSAGE_HEARD, now, who.name, subject[:300], details))
        return hl7.acknowledge(message, code, now=now, control=control, error=error)

    # ---- out -------------------------------------------------------------------------------------------------

    def want(self, receivers: Sequence[str]) -> None:
        """Reports that are signed from now on are owed to these receivers; one that is known keeps what it is owed."""
        known = {s.event.subject for s in self.journal.each(kinds=(Kind.RESULTS_WANTED,))}
        fresh = [one for one in dict.fromkeys(receivers) if one not in known]
        if fresh:
            now = self.clock()
            self.journal.append(*(Event(Kind.RESULTS_WANTED, now, HOUSE.name, one) for one in fresh))

    def due(self, receivers: Sequence[str]) -> list[Due]:
        """What is owed, in the order of signatures."""
        kinds = (Kind.RESULTS_WANTED, Kind.RESULT_TOLD, *_SIGNED)
        wanted: dict[str, int] = {}
        held: dict[tuple[str, str], Due] = {}
        for sealed in self.journal.each(kinds=kinds):
            event = sealed.event
            if event.kind is Kind.RESULTS_WANTED:
                wanted.setdefault(event.subject, sealed.number)
            elif event.kind is Kind.RESULT_TOLD:
                held.pop((str(event.details["to"]), str(event.details["report"])), None)
            else:
                for one in wanted:
                    report = str(event.details["report"])
                    held[one, report] = Due(one, event.subject, report, sealed.number)
        return sorted((d for d in held.values() if d.to in receivers), key=lambda d: d.number)

    def heard_of(self, study: str) -> dict[tuple[str, str], Event]:
        """What receivers answered to reports of a study, by receiver and report; the latest answer stands."""
        told = self.journal.since(subject=study, kinds=(Kind.RESULT_TOLD,), limit=_PAGE)
        return {(str(s.event.details["to"]), str(s.event.details["report"])): s.event for s in told}

    def receivers(self) -> list[str]:
        """Whom signed reports are owed to, in the order in which they were set."""
        return list(dict.fromkeys(s.event.subject for s in self.journal.each(kinds=(Kind.RESULTS_WANTED,))))

    def settle(self, due: Due, code: str, text: str = "") -> None:
        """A receiver has answered: it is owed this report no longer."""
        details: dict[str, Any] = {"to": due.to, "report": due.report, "control": due.control, "code": code[:20]}
        if text:
            details["text"] = text[:200]
        self.journal.append(Event(Kind.RESULT_TOLD, self.clock(), HOUSE.name, due.study, details))

    def message_of(self, due: Due) -> bytes:
        """The message of a report that is owed."""
        report = Report.from_json(json.loads(self.blobs.kept(due.report)))
        study = self.index.study(due.study)
        results = [self.index.result(digest) for digest in report.results]
        assert report.signed is not None
        return hl7_results.result(
            study, report.sentences, results, signed=report.signed, by=report.by, control=due.control,
            amended=report.number > 1, order=self.ordering.for_study(study),
        )  # fmt: skip

    def deliver(self, receivers: Sequence[str], tell: Tell) -> int:
        """Send what is owed, to each receiver in the order of signatures; how many were acknowledged.

        A receiver that does not answer is left until the next time. One that answers with an error has it kept in the
        journal and is not sent that report again by itself.
        """
        done = 0
        silent: set[str] = set()
        for due in self.due(receivers):
            if due.to in silent:
                continue
            code = self._answer(due, tell)
            if not code:
                silent.add(due.to)
                continue
            self.settle(due, code)
            done += code in ("AA", "CA")
        return done

    def _answer(self, due: Due, tell: Tell) -> str:
        """The code of a receiver's answer; empty where none came, "unreadable" where the report cannot be written."""
        try:
            message = self.message_of(due)
        except (Damaged, Refused, NotFound):
            return "unreadable"  # it must not stand in the way of those behind it
        try:
            answer = hl7.read(tell(due.to, message))
        except IsocenterError:
            return ""
        msa = answer.one("MSA")
        return msa.at(1) if msa is not None and msa.at(2) == due.control else ""

    def traffic(self, *, who: Person, which: str = "") -> list[dict[str, Any]]:
        """Messages in and out, the latest first; what they held is not among it.

        Each: direction ("in" or "out"), time, peer, control, kind (as MSH-9 has it), code (AA, AE, AR, or what became
        of it), text, study (of a report that was sent), fault (whether it was not taken).

        Args:
            which: "in", "out", "faults", or all where it is empty.
        """
        must(who, "orders")
        rows = [_traffic(s.event) for s in self.journal.each(kinds=(Kind.MESSAGE_HEARD, Kind.RESULT_TOLD))][::-1]
        return [r for r in rows if not which or r["direction"] == which or (which == "faults" and r["fault"])]

    def owed(self, *, who: Person) -> list[dict[str, Any]]:
        """Receivers of reports with how many they are owed, and the study of the oldest of these."""
        must(who, "orders")
        receivers = self.receivers()
        due = self.due(receivers)
        mine = {one: [d for d in due if d.to == one] for one in receivers}
        return [{"to": one, "owed": len(many), "oldest": many[0].study if many else ""} for one, many in mine.items()]

    def merges(self, *, who: Person) -> list[dict[str, Any]]:
        """Merges that the hospital told and that a person must look at: who stays has no images here yet."""
        must(who, "orders")
        told = self.journal.since(kinds=(Kind.PATIENT_TOLD,), limit=_PAGE, newest_first=True)
        return [
            {"stays": s.event.details["patient"], "goes": s.event.details["merged"], "time": s.event.time.isoformat()}
            for s in told
            if s.event.details.get("open") and "sealed" not in s.event.details and self.hears(s, who)
        ]


def _traffic(event: Event) -> dict[str, Any]:
    """One message as people read it."""
    told, code = event.details, str(event.details["code"])
    fault = code not in ("AA", "CA")
    if event.kind is Kind.RESULT_TOLD:
        return {
            "direction": "out", "time": event.time.isoformat(), "peer": told["to"], "control": told["control"],
            "kind": "C-STORE" if told["to"].startswith(DICOM) else "ORU^R01", "code": code,
            "text": told.get("text", ""), "study": event.subject, "fault": fault,
        }  # fmt: skip
    sender, _, control = event.subject.removeprefix("hl7:").rpartition("|")
    return {
        "direction": "in", "time": event.time.isoformat(), "peer": sender, "control": control, "kind": told["kind"],
        "code": code, "text": told["text"], "study": "", "fault": fault,
    }  # fmt: skip
