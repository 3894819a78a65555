"""Orders of a department: who is to be imaged, which step a modality has begun, and which study came of it.

Orders and performed steps are events of the journal and nothing else; what stands on the worklist is folded from them
and kept level. A step that a modality performs moves the orders that it names, and the moments are stamped, so that
turnaround counts from the order on. The study that arrives is found by its UID, or by patient and accession number.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

from isocenter.dicom.match import asked_by, fits
from isocenter.dicom.model import Model, first, items
from isocenter.dicom.worklist_item import item
from isocenter.errors import Conflict, NotFound, Refused
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, Order, Patient, Sealed, Study, from_plain, to_plain
from isocenter.record.states import ORDER, STEP, allowed, step
from isocenter.site import projecting

if TYPE_CHECKING:
    from isocenter.site.projecting import Projects
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Ordered", "Ordering", "Performed"]

_KINDS: Final = (Kind.ORDER_PLACED, Kind.ORDER_CANCELLED, Kind.STEP_BEGUN, Kind.STEP_CHANGED)
_ON_LIST: Final = ("scheduled", "discontinued")
_PAGE: Final = 2000
_STATUS, _SERIES, _SCHEDULED = "00400252", "00400340", "00400270"
_ENDED: Final = ("00400250", "00400251")
_NEEDED: Final = {  # Type 1 of N-CREATE (PS3.4 table F.7.2-1)
    "00080060": "Modality",
    "00400253": "Performed Procedure Step ID",
    "00400241": "Performed Station AE Title",
    "00400244": "Performed Procedure Step Start Date",
    "00400245": "Performed Procedure Step Start Time",
}
_VERBS: Final = {"IN PROGRESS": "set", "COMPLETED": "complete", "DISCONTINUED": "discontinue"}
_MOVES: Final = {"COMPLETED": "complete", "DISCONTINUED": "discontinue"}


@dataclass(frozen=True)
class Ordered:
    """An order as it stands.

    Args:
        state: of the table `ORDER`.
        steps: SOP Instance UIDs of the performed steps that name it.
        changed: when it was last placed, cancelled or moved; aware.
    """

    order: Order
    state: str
    changed: datetime
    source: str = ""
    reason: str = ""
    steps: tuple[str, ...] = ()


@dataclass(frozen=True)
class Performed:
    """A performed procedure step.

    Args:
        told: everything the modality said of it, in the DICOM JSON model.
        orders: ids of the orders it names; none where it was not scheduled.
    """

    uid: str
    state: str
    told: Model
    orders: tuple[str, ...]
    by: str
    begun: datetime

    def studies(self) -> tuple[str, ...]:
        """Study Instance UIDs that it works on."""
        return tuple(dict.fromkeys(first(one, "0020000D") for one in items(self.told, _SCHEDULED)))

    def images(self) -> tuple[str, ...]:
        """SOP Instance UIDs that the modality says it has made."""
        return tuple(
            first(image, "00081155")
            for series in items(self.told, _SERIES)
            for tag in ("00081140", "00400220")
            for image in items(series, tag)
        )


class Ordering:
    """The orders of one archive, kept level with its journal.

    Args:
        clock: aware UTC.
        searches: writes down who searches what by which keys, before anything is shown.
    """

    def __init__(
        self,
        index: Index,
        journal: Journal,
        clock: Callable[[], datetime],
        projects: Projects | None = None,
        searches: Callable[[Person, str, Collection[str]], None] = lambda who, level, keys: None,
    ) -> None:
        self._index, self._journal, self._clock, self._projects = index, journal, clock, projects
        self._searches = searches
        self._lock = threading.Lock()
        self._level = 0
        self._epoch = journal.epoch()
        self._orders: dict[str, Ordered] = {}
        self._steps: dict[str, Performed] = {}

    # ---- placing ---------------------------------------------------------------------------------------------

    def place(self, orders: Sequence[Order], *, source: str, who: Person) -> list[Ordered]:
        """Take orders in, or change those that are here under the same id.

        Args:
            source: from where: ``HL7``, ``FHIR``, ``file`` or ``person``.

        Raises:
            WrongState: one of them has begun or is done; none is taken then.
            Refused: a number or name of one has a control character or a backslash in it.
        """
        self._journal.append(*self.placing(orders, source=source, who=who))
        held = self._known()[0]
        return [held[order.id] for order in orders]

    def placing(self, orders: Sequence[Order], *, source: str, who: Person) -> list[Event]:
        """The events that place orders, for whoever appends them together with others."""
        must(who, "order")
        held, now = self._known()[0], self._clock()
        events: list[Event] = []
        for order in orders:
            _must_be_one_value(order)
            before = held.get(order.id)
            if before is not None:
                if before.order.patient.id != order.patient.id:
                    raise Conflict(
                        f"order '{order.id:.64}' of another patient", "one number names one examination", "look at it"
                    )
                if not self._holds(f"{projecting.ORDER}{order.id}", who, "order"):
                    raise Conflict(
                        f"order '{order.id:.64}' of another patient",
                        "one number names one examination",
                        "give it a number of its own",
                    )
                step(ORDER, before.state, "change")
            if self._projects is not None:
                events += self._projects.homed(f"{projecting.ORDER}{order.id}", who, now)
            events.append(_placed(order, source, who, now))
            if before is None:
                events += _stamped("ordered", [order], now, who)
        return events

    def cancel(self, id: str, reason: str, *, who: Person) -> None:
        """Take an order back.

        Raises:
            NotFound: there is none. WrongState: it has begun, is done, or is cancelled.
        """
        self._journal.append(*self.cancelling(id, reason, who=who))

    def cancelling(self, id: str, reason: str, *, who: Person) -> list[Event]:
        """The events that take an order back."""
        must(who, "order", id)
        before = self._known()[0].get(id)
        if before is None or not self._holds(f"{projecting.ORDER}{id}", who, "order"):
            raise NotFound(
                f"order '{id:.64}'", "the archive has none of that number", "list the orders: `isocenter orders`"
            )
        step(ORDER, before.state, "cancel")
        now = self._clock()
        told = Event(Kind.ORDER_CANCELLED, now, who.name, id, {"reason": reason.strip()[:500]})
        return [told, *_stamped("cancelled", [before.order], now, who)]

    def renaming(self, patient: Patient, *, source: str, who: Person) -> list[Event]:
        """The events that give new demographics of a patient to all their orders that are still on the list."""
        must(who, "order", patient.id)
        mine = [
            o for o in self._known()[0].values()
            if o.state in _ON_LIST and (o.order.patient.id, o.order.patient.issuer) == (patient.id, patient.issuer)
        ]  # fmt: skip
        now = self._clock()
        fresh = [o.order for o in mine if o.order.patient != patient]
        return [_placed(replace(order, patient=patient), source, who, now) for order in fresh]

    def rehoming(self, gone: Patient, stays: Patient, *, source: str, who: Person) -> list[Event]:
        """The events that give the orders of one patient to another, where two were made one."""
        must(who, "order", stays.id)
        mine = [
            o.order for o in self._known()[0].values()
            if o.state in _ON_LIST and (o.order.patient.id, o.order.patient.issuer) == (gone.id, gone.issuer)
        ]  # fmt: skip
        now = self._clock()
        return [_placed(replace(order, patient=stays), source, who, now) for order in mine]

    def rename(self, patient: Patient, *, source: str, who: Person) -> int:
        """Give new demographics of a patient to their orders; how many were changed."""
        return len(self._journal.append(*self.renaming(patient, source=source, who=who)))

    # ---- asking ----------------------------------------------------------------------------------------------

    def all(self, *, who: Person, state: str = "") -> list[Ordered]:
        """Orders, those due first; of one state where it is named."""
        must(who, "orders")
        self._searches(who, "ORDER", ("state",) if state else ())
        return self._of(who, state)

    def _of(self, who: Person, state: str = "") -> list[Ordered]:
        held = self._projects.sieve(who, "orders") if self._projects is not None else None
        found = [
            o for o in self._known()[0].values()
            if (not state or o.state == state) and (held is None or held(f"{projecting.ORDER}{o.order.id}"))
        ]  # fmt: skip
        return sorted(found, key=lambda o: (o.order.date is None, o.order.date, o.order.time, o.order.id))

    def scheduled(self, keys: Mapping[str, Any], *, who: Person) -> list[Model]:
        """Worklist items that fit the keys of a query, in the DICOM JSON model; what has begun is not among them."""
        must(who, "orders")
        self._searches(who, "MODALITY WORKLIST", asked_by(keys))
        many = self._of(who)
        made = (item(o.order) for o in many if o.state in _ON_LIST)
        return [one for one in made if fits(one, keys)]

    def of_study(self, study_uid: str, *, who: Person) -> dict[str, Any]:
        """What was ordered and performed for a study, and whether all images that the modality made are here.

        Returns:
            ``orders`` and ``steps`` as they stand; ``made``: images that finished steps name; ``missing``: those of
            them that are not here.
        """
        must(who, "orders", study_uid)
        study = self._index.study(study_uid)
        orders, steps = self._known()
        mine = [o for o in orders.values() if _is_of(o.order, study) and self._at_one(o.order.id, study)]
        done = [s for s in steps.values() if study_uid in s.studies() or any(o.order.id in s.orders for o in mine)]
        images = [uid for s in done for uid in s.images()]
        known = self._index.known(images) if images else {}
        return {
            "orders": [plain(o) for o in mine],
            "steps": [
                {"step": s.uid, "state": s.state, "by": s.by, "begun": s.begun.isoformat(), "images": len(s.images())}
                for s in done
            ],
            "made": len(images),
            "missing": [uid for uid in images if uid not in known],
        }

    # ---- performing ------------------------------------------------------------------------------------------

    def begin(self, step_uid: str, told: Mapping[str, Any], *, who: Person) -> None:
        """A modality begins a step (N-CREATE).

        Raises:
            Refused: a required attribute is missing, or its status is not IN PROGRESS.
            Conflict: the step is known already.
        """
        must(who, "perform", step_uid)
        missing = [words for tag, words in _NEEDED.items() if not first(told, tag)]
        scheduled = items(told, _SCHEDULED)
        if not scheduled or not all(first(one, "0020000D") for one in scheduled):
            missing.append("Study Instance UID in the Scheduled Step Attributes Sequence")
        if missing:
            raise Refused(f"A step without {', '.join(missing)}", "the standard asks for it", "look at the modality")
        if first(told, _STATUS) != "IN PROGRESS":
            raise Refused(
                f"A step that begins as {first(told, _STATUS)[:16]!a}",
                "it begins IN PROGRESS",
                "create it IN PROGRESS, then set its end",
            )
        orders = self._named(scheduled, first(told, "00100020"))
        now = self._clock()
        events = [
            Event(
                Kind.STEP_BEGUN, now, who.name, step_uid, {"step": dict(told), "orders": [o.order.id for o in orders]}
            )
        ]
        events += _stamped("begun", [o.order for o in orders], now, who)
        if self._projects is not None:
            events += self._projects.homed(f"{projecting.STEP}{step_uid}", who, now)

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            if history:
                raise Conflict("A step of that SOP Instance UID", "it was begun already", "use a new UID")
            return events

        self._journal.decide(step_uid, _KINDS, rule)

    def perform(self, step_uid: str, told: Mapping[str, Any], *, who: Person) -> None:
        """A modality says more of a step, or that it is done or broken off (N-SET).

        Raises:
            NotFound: no such step. WrongState: it is done already.
            Refused: an unknown status, or it ends without series or without saying when.
        """
        must(who, "perform", step_uid)
        status = first(told, _STATUS)
        if status and status not in _VERBS:
            raise Refused(f"The status {status[:16]!a}", f"there are {', '.join(_VERBS)}", "send one of these")
        now, held = self._clock(), self._known()[0]

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            if not history or not self._holds(f"{projecting.STEP}{step_uid}", who, "perform"):
                raise NotFound("A step of that SOP Instance UID", "it was never begun", "create it first")
            if "sealed" in history[0].event.details:
                raise NotFound(
                    "A step of that SOP Instance UID",
                    "it was erased with its study",
                    "begin another step, under a new UID",
                )
            whole = _whole(history)
            after = step(STEP, first(whole, _STATUS), _VERBS[status or "IN PROGRESS"])
            if after != "IN PROGRESS":
                _must_be_told({**whole, **told}, after)
            names = [str(one) for one in history[0].event.details["orders"]]
            events = [Event(Kind.STEP_CHANGED, now, who.name, step_uid, {"step": dict(told), "orders": names})]
            if after == "COMPLETED":
                events += _stamped("completed", [held[n].order for n in names if n in held], now, who)
            return events

        self._journal.decide(step_uid, _KINDS, rule)

    def for_study(self, study: Study) -> Order | None:
        """The order of which a study is the examination; None where none is known."""
        mine = [
            o for o in self._known()[0].values()
            if _is_of(o.order, study) and o.state != "cancelled" and self._at_one(o.order.id, study)
        ]  # fmt: skip
        return max(mine, key=lambda o: (o.order.study_uid == study.uid, o.changed)).order if mine else None

    def step(self, step_uid: str, *, who: Person) -> Performed:
        """One performed step; NotFound."""
        must(who, "orders", step_uid)
        found = self._known()[1].get(step_uid)
        if found is None or not self._holds(f"{projecting.STEP}{step_uid}", who, "orders"):
            raise NotFound("A step of that SOP Instance UID", "it was never begun", "create it first")
        return found

    def steps(self, *, who: Person, state: str = "") -> list[Performed]:
        """Performed steps, the latest first; of one state where it is named."""
        must(who, "orders")
        self._searches(who, "STEP", ("state",) if state else ())
        held = self._projects.sieve(who, "orders") if self._projects is not None else None
        found = [
            s for s in self._known()[1].values()
            if (not state or s.state == state) and (held is None or held(f"{projecting.STEP}{s.uid}"))
        ]  # fmt: skip
        return sorted(found, key=lambda s: (s.begun, s.uid), reverse=True)

    def _named(self, scheduled: Iterable[Mapping[str, Any]], patient_id: str) -> list[Ordered]:
        """The orders that a performed step names: by study and step, by accession and step, else by either alone."""
        orders = [o for o in self._known()[0].values() if not patient_id or o.order.patient.id == patient_id]
        found: dict[str, Ordered] = {}
        for one in scheduled:
            study, accession, number = first(one, "0020000D"), first(one, "00080050"), first(one, "00400009")
            near = [o for o in orders if o.order.study_uid == study or (accession and o.order.accession == accession)]
            exact = [o for o in near if number and o.order.step_id == number]
            found.update((o.order.id, o) for o in exact or near)
        return list(found.values())

    def _holds(self, of: str, who: Person, verb: str) -> bool:
        return self._projects is None or self._projects.holds(of, who, verb)

    def _at_one(self, order_id: str, study: Study) -> bool:
        """Whether an order and a study are of one project: an order of another one says nothing of the study."""
        at = self._projects
        return at is None or at.home(f"{projecting.ORDER}{order_id}") == at.home(study.uid)

    # ---- level with the journal ------------------------------------------------------------------------------

    def _known(self) -> tuple[dict[str, Ordered], dict[str, Performed]]:
        with self._lock:
            head, epoch = self._journal.head()[0], self._journal.epoch()
            # The archive was put back to an older copy, or orders were erased.
            if head < self._level or epoch != self._epoch:
                self._level, self._orders, self._steps, self._epoch = 0, {}, {}, epoch
            while self._level < head:
                page = self._journal.since(self._level, kinds=_KINDS, limit=_PAGE)
                for sealed in page:
                    self._fold(sealed.event)
                self._level = page[-1].number if len(page) == _PAGE else head
            return dict(self._orders), dict(self._steps)

    def _fold(self, event: Event) -> None:
        told, held = event.details, self._orders.get(event.subject)
        if "sealed" in told:
            return  # its key was destroyed: nobody knows any more what was asked for
        if event.kind is Kind.ORDER_PLACED:
            order: Order = from_plain(Order, told["order"])
            state = "scheduled" if held is None or held.state == "cancelled" else held.state
            steps = held.steps if held else ()
            self._orders[order.id] = Ordered(order, state, event.time, str(told.get("source", "")), "", steps)
        elif event.kind is Kind.ORDER_CANCELLED and held is not None:
            self._orders[event.subject] = replace(
                held, state="cancelled", changed=event.time, reason=str(told.get("reason", ""))
            )
        elif event.kind is Kind.STEP_BEGUN:
            names = tuple(map(str, told["orders"]))
            self._steps[event.subject] = Performed(
                event.subject, "IN PROGRESS", dict(told["step"]), names, event.who, event.time
            )
            self._move(names, "begin", event, event.subject)
        elif event.kind is Kind.STEP_CHANGED and event.subject in self._steps:
            before = self._steps[event.subject]
            state = first(told["step"], _STATUS) or before.state
            self._steps[event.subject] = replace(before, state=state, told={**before.told, **told["step"]})
            if state in _MOVES:
                self._move(before.orders, _MOVES[state], event, "")

    def _move(self, names: Iterable[str], verb: str, event: Event, step_uid: str) -> None:
        for name in names:
            held = self._orders.get(name)
            if held is not None and verb in allowed(ORDER, held.state):
                steps = (*held.steps, step_uid) if step_uid else held.steps
                self._orders[name] = replace(
                    held, state=step(ORDER, held.state, verb), changed=event.time, steps=steps
                )  # fmt: skip


def plain(ordered: Ordered) -> dict[str, Any]:
    """An order as JSON, with its state."""
    told = to_plain(ordered.order)
    told.pop("more")
    return {
        **told, "state": ordered.state, "changed": ordered.changed.isoformat(), "source": ordered.source,
        "reason_cancelled": ordered.reason, "steps": list(ordered.steps),
    }  # fmt: skip


def _is_of(order: Order, study: Study) -> bool:
    if order.study_uid == study.uid:
        return True
    same = order.patient.id == study.patient.id
    return same and bool(order.accession) and order.accession == study.accession


def _must_be_one_value(order: Order) -> None:
    """Go on only with numbers and names that are one value each in DICOM, and steer no terminal and no database."""
    who = order.patient
    for what, value in (
        ("number", order.id), ("accession number", order.accession), ("placer's number", order.placer),
        ("filler's number", order.filler), ("number of the procedure", order.procedure_id),
        ("number of the step", order.step_id), ("patient's number", who.id), ("issuer", who.issuer),
        ("patient's name", who.name), ("station", order.station_aet), ("number of the visit", order.admission),
    ):  # fmt: skip
        if "\\" in value or any(c < " " or c == "\x7f" for c in value):
            raise Refused(
                f"an order whose {what} is {value[:20]!a}", "in DICOM a backslash parts values, and none has control"
                " characters", "correct it where it comes from",
            )  # fmt: skip


def _placed(order: Order, source: str, who: Person, now: datetime) -> Event:
    return Event(Kind.ORDER_PLACED, now, who.name, order.id, {"order": to_plain(order), "source": source})


def _stamped(stamp: str, orders: Sequence[Order], now: datetime, who: Person) -> list[Event]:
    """A moment on the way to the report; by accession number, since the study may not be here yet."""
    numbers = dict.fromkeys(order.accession for order in orders if order.accession)
    at = now.isoformat()
    return [Event(Kind.STAMPED, now, who.name, "", {"stamp": stamp, "at": at, "accession": n}) for n in numbers]


def _whole(history: Sequence[Sealed]) -> Model:
    whole: Model = {}
    for sealed in history:
        whole |= sealed.event.details["step"]
    return whole


def _must_be_told(whole: Mapping[str, Any], state: str) -> None:
    if not all(first(whole, tag) for tag in _ENDED):
        raise Refused(
            f"A step that is {state} without its end date and time",
            "the standard asks for them",
            "give PerformedProcedureStepEndDate and EndTime",
        )
    if state == "COMPLETED" and not items(whole, _SERIES):
        raise Refused("A step that is COMPLETED without a series", "the standard asks for one", "or DISCONTINUE it")
