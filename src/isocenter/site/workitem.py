"""One work item (Unified Procedure Step, PS3.4 annex CC): what it is now, and which step may come next.

A rule is told the item's history while nobody else can append to it, and gives the event that happens or refuses with
the status of the standard. The transaction UID of a claim is a secret between performer and archive: only its digest is
kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Final

from isocenter.dicom.model import Model, first, items
from isocenter.errors import Conflict, NotFound, Refused, WrongState
from isocenter.record import Event, Kind, Sealed
from isocenter.record.states import WORKITEM, step

__all__ = ["KINDS", "STATE", "NotNow", "Workitem", "cancel", "change", "create", "fold", "give_up", "there", "update"]

KINDS: Final = (Kind.WORKITEM_CREATED, Kind.WORKITEM_CHANGED, Kind.WORKITEM_CANCEL_ASKED)
STATE: Final = "00741000"
_TRANSACTION, _PROGRESS, _PERFORMED, _MODIFIED = "00081195", "00741002", "00741216", "00404010"
_NEEDED: Final = {
    "00741200": "Scheduled Procedure Step Priority",
    "00741204": "Procedure Step Label",
    "00404005": "Scheduled Procedure Step Start DateTime",
    "00404041": "Input Readiness State",
}
_DONE: Final = {
    "00404050": "Performed Procedure Step Start DateTime",
    "00404051": "Performed Procedure Step End DateTime",
    "00404019": "Performed Workitem Code Sequence",
    "00404028": "Performed Station Name Code Sequence",
}
_EXPECTED: Final = "00404011"  # Expected Completion DateTime
_REPLACED: Final = "00741224"  # Replaced Procedure Step Sequence
_PUSH: Final = "1.2.840.10008.5.1.4.34.6.1"
_OF_THE_TRY: Final = (_PROGRESS, _PERFORMED, _MODIFIED, _EXPECTED, STATE, _TRANSACTION)  # not of what is to be done
_WHY_GIVEN_UP: Final = {  # CID 9300
    True: ("110528", "Discontinued Procedure Step rescheduled"),
    False: ("110513", "Discontinued for unspecified reason"),
}
_VERBS: Final = {"IN PROGRESS": "claim", "COMPLETED": "complete", "CANCELED": "cancel"}
_FIXED: Final = (STATE, _TRANSACTION, "00080016", "00080018")


class NotNow(WrongState):
    """A step that the item does not take; `code` is the DIMSE status of PS3.4 tables CC.2.1-2 to CC.2.8-2."""

    def __init__(self, what: str, why: str = "", do: str = "", *, code: int = 0x0110) -> None:
        super().__init__(what, why, do)
        self.code = code


@dataclass(frozen=True)
class Workitem:
    """A work item as it stands.

    Args:
        model: its data set, with its state.
        claim: digest of the performer's transaction UID; empty before somebody claims it.
        performer: who claimed it.
        cancel_asked: by whom it was asked to be cancelled; empty where nobody did.
    """

    uid: str
    model: Model
    claim: str
    performer: str
    changed: datetime
    cancel_asked: str = ""

    @property
    def state(self) -> str:
        """SCHEDULED, IN PROGRESS, COMPLETED or CANCELED."""
        return first(self.model, STATE)

    def silent(self, lease: timedelta | None, now: datetime) -> bool:
        """Whether who claimed it has said nothing for so long that they count as gone.

        A performer that works long in silence sets the Expected Completion DateTime, and is waited for until then.
        """
        if lease is None or self.state != "IN PROGRESS":
            return False
        expected = _time(first(self.model, _EXPECTED))
        until = self.changed + lease
        return now >= (until if expected is None else max(until, expected))


def fold(history: Iterable[Sealed], before: Workitem | None = None) -> Workitem:
    """The item after its events, the oldest first.

    Raises:
        NotFound: there is none.
    """
    held = before
    for sealed in history:
        event, told = sealed.event, sealed.event.details
        if event.kind is Kind.WORKITEM_CREATED and "sealed" in told:
            break  # erased: nobody knows any more what was to be done
        if event.kind is Kind.WORKITEM_CREATED:
            held = Workitem(event.subject, dict(told["item"]), "", "", event.time)
            continue
        if held is None:
            break
        if event.kind is Kind.WORKITEM_CANCEL_ASKED:
            held = replace(held, cancel_asked=event.who)
            continue
        model = {**held.model, **told.get("set", {}), _MODIFIED: _moment(event.time)}
        if "state" in told:
            model[STATE] = {"vr": "CS", "Value": [told["state"]]}
        held = replace(held, model=model, changed=event.time)
        if told.get("claim"):
            held = replace(held, claim=str(told["claim"]), performer=event.who)
    return there(held)


def there(held: Workitem | None) -> Workitem:
    """The item; raises NotFound where there is none."""
    if held is None:
        raise NotFound("A work item of that UID", "the archive has none", "create it first")
    return held


def create(uid: str, told: Mapping[str, Any], who: str, now: datetime) -> Event:
    """A work item is scheduled.

    Raises:
        Refused: a required attribute is missing. NotNow: it does not begin SCHEDULED.
    """
    if first(told, STATE) not in ("", "SCHEDULED"):
        raise NotNow(f"A work item that begins {first(told, STATE)[:16]!a}", "it begins SCHEDULED", code=0xC309)
    if first(told, _TRANSACTION):
        raise Refused("A work item that is created with a transaction", "nobody has claimed it yet", "leave it empty")
    missing = [words for tag, words in _NEEDED.items() if not first(told, tag)]
    if missing:
        raise Refused(f"A work item without {', '.join(missing)}", "the standard asks for it", "add what is missing")
    if first(told, "00741200") not in ("HIGH", "MEDIUM", "LOW"):
        raise Refused(
            f"The priority {first(told, '00741200')[:16]!a}", "there are HIGH, MEDIUM and LOW", "send one of these"
        )
    item = {tag: element for tag, element in told.items() if tag not in (_TRANSACTION, "00080005")}
    item |= {
        "00080016": {"vr": "UI", "Value": [_PUSH]}, "00080018": {"vr": "UI", "Value": [uid]},
        STATE: {"vr": "CS", "Value": ["SCHEDULED"]}, _MODIFIED: _moment(now),
    }  # fmt: skip
    item.setdefault("00741202", {"vr": "LO", "Value": ["ISOCENTER"]})  # Worklist Label
    item.setdefault(_PROGRESS, {"vr": "SQ"})
    return Event(Kind.WORKITEM_CREATED, now, who, uid, {"item": dict(sorted(item.items()))})


def update(held: Workitem, told: Mapping[str, Any], transaction: str, who: str, now: datetime) -> Event:
    """Attributes are set: by anybody who may while it is scheduled, by its performer while it is in progress.

    Raises:
        NotNow: it is done, or the transaction is not that of its claim.
        Refused: what only a change of state may set.
    """
    if held.state in ("COMPLETED", "CANCELED"):
        raise NotNow("The work item may no longer be updated", f"it is {held.state}", code=0xC300)
    if held.state == "IN PROGRESS":
        _must_hold(held, transaction)
    elif transaction:
        raise NotNow("A transaction on a work item that nobody has claimed", "claim it first", code=0xC310)
    if any(first(told, tag) for tag in _FIXED if tag not in (_TRANSACTION, "00080018", "00080016")):
        raise Refused(
            "An update that changes the state",
            "the state is changed by its own request",
            "send the request that changes the state",
        )
    fresh = {tag: element for tag, element in told.items() if tag not in (*_FIXED, "00080005")}
    if not fresh:
        raise Refused("An update of nothing", "no attribute was given", "name what changes")
    return Event(Kind.WORKITEM_CHANGED, now, who, held.uid, {"set": fresh})


def change(held: Workitem, state: str, transaction: str, who: str, now: datetime) -> Event:
    """The item is claimed, completed or given up.

    Raises:
        NotNow: with the status that says why not.
        Refused: an unknown state.
    """
    if state == "SCHEDULED":
        raise NotNow("A work item becomes SCHEDULED when it is created", "and never again", code=0xC303)
    if state not in _VERBS:
        raise Refused(f"The state {state[:16]!a}", f"there are {', '.join(_VERBS)}", "send one of these")
    if held.state == state and state in ("COMPLETED", "CANCELED"):
        code = 0xB306 if state == "COMPLETED" else 0xB304
        raise NotNow(f"The work item is {state} already", "nothing was changed", code=code)
    if held.state in ("COMPLETED", "CANCELED"):
        raise NotNow("The work item may no longer be updated", f"it is {held.state}", code=0xC300)
    if not transaction:
        raise NotNow("A change of state without a transaction UID", "it says who performs it", code=0xC301)
    if state == "IN PROGRESS":
        if held.state == "IN PROGRESS":
            raise NotNow("The work item is IN PROGRESS already", "somebody has claimed it", code=0xC302)
    elif held.state == "SCHEDULED":
        raise NotNow("The work item is not yet IN PROGRESS", "claim it first", code=0xC310)
    else:
        _must_hold(held, transaction)
    details: dict[str, Any] = {"state": step(WORKITEM, held.state, _VERBS[state])}
    if state == "IN PROGRESS":
        details["claim"] = _digest(transaction)
    elif state == "COMPLETED":
        _must_be_done(held.model)
    return Event(Kind.WORKITEM_CHANGED, now, who, held.uid, details)


def give_up(held: Workitem, reason: str, who: str, now: datetime, *, again: str = "") -> list[Event]:
    """A work item whose performer is gone is cancelled by the archive, and scheduled anew where `again` is a UID.

    A claim never goes back to SCHEDULED (PS3.4 table CC.1.1-2): another item replaces it, and names it as replaced.
    Who comes back late with the old transaction is refused, so that nothing is done twice.

    Raises:
        NotNow: nobody performs it.
    """
    if held.state != "IN PROGRESS":
        raise NotNow("A work item that nobody performs", f"it is {held.state}", "ask to cancel it", code=0xC310)
    before = next(iter(items(held.model, _PROGRESS)), {})
    number, meaning = _WHY_GIVEN_UP[bool(again)]
    code: Model = {
        "00080100": {"vr": "SH", "Value": [number]}, "00080102": {"vr": "SH", "Value": ["DCM"]},
        "00080104": {"vr": "LO", "Value": [meaning]},
    }  # fmt: skip
    progress: Model = {
        **before, "00404052": _moment(now), "00741238": {"vr": "LT", "Value": [reason]},
        "0074100E": {"vr": "SQ", "Value": [code]},
    }  # fmt: skip
    given = {"set": {_PROGRESS: {"vr": "SQ", "Value": [progress]}}, "state": step(WORKITEM, held.state, "cancel")}
    made = [Event(Kind.WORKITEM_CHANGED, now, who, held.uid, given)]
    if again:
        old: Model = {"00081150": {"vr": "UI", "Value": [_PUSH]}, "00081155": {"vr": "UI", "Value": [held.uid]}}
        task = {tag: element for tag, element in held.model.items() if tag not in _OF_THE_TRY}
        made.append(create(again, {**task, _REPLACED: {"vr": "SQ", "Value": [old]}}, who, now))
    return made


def cancel(
    held: Workitem, told: Mapping[str, Any], who: str, now: datetime, lease: timedelta | None = None
) -> Sequence[Event]:
    """Somebody asks to cancel it: granted at once while nobody performs it, else the performer is told.

    A performer that was silent for longer than the lease is not waited for.

    Raises:
        NotNow: it is completed, or cancelled already.
    """
    if held.state == "COMPLETED":
        raise NotNow("The work item is COMPLETED already", "nothing can be cancelled", code=0xC311)
    if held.state == "CANCELED":
        raise NotNow("The work item is CANCELED already", "nothing was changed", code=0xB304)
    details = {"reason": first(told, "00741238")[:500], "contact": first(told, "0074100C")[:200]}
    asked = Event(Kind.WORKITEM_CANCEL_ASKED, now, who, held.uid, details)
    if held.silent(lease, now):
        return [asked, *give_up(held, details["reason"] or "its performer is silent", who, now)]
    if held.state == "IN PROGRESS":
        return [asked]
    progress: Model = {"00404052": _moment(now), "00741238": {"vr": "LT", "Value": [details["reason"]]}}
    given = {"set": {_PROGRESS: {"vr": "SQ", "Value": [progress]}}, "state": "CANCELED"}
    return [asked, Event(Kind.WORKITEM_CHANGED, now, who, held.uid, given)]


def must_be_new(held: Workitem | None) -> None:
    """Raises Conflict where the item is there."""
    if held is not None:
        raise Conflict("A work item of that UID", "it was created already", "use a new UID")


def _must_hold(held: Workitem, transaction: str) -> None:
    if not transaction or _digest(transaction) != held.claim:
        raise NotNow("The correct transaction UID was not provided", "another performer has claimed it", code=0xC301)


def _must_be_done(model: Mapping[str, Any]) -> None:
    performed = items(model, _PERFORMED)
    have = performed[0] if performed else {}
    missing = [words for tag, words in _DONE.items() if not first(have, tag) and not items(have, tag)]
    if "00404033" not in have:
        missing.append("Output Information Sequence")
    if missing:
        raise NotNow(
            f"A work item is COMPLETED without {', '.join(missing)}", "its final state asks for it",
            "set the UPS Performed Procedure Sequence first", code=0xC304,
        )  # fmt: skip


def _digest(transaction: str) -> str:
    return hashlib.sha256(transaction.encode("utf-8", "replace")).hexdigest()


def _moment(time: datetime) -> dict[str, Any]:
    return {"vr": "DT", "Value": [time.strftime("%Y%m%d%H%M%S%z")]}


def _time(text: str) -> datetime | None:
    """A DICOM DateTime with seconds and zone; None for any other, which is as if it were not there."""
    try:
        return datetime.strptime(text, "%Y%m%d%H%M%S%z")
    except ValueError:
        return None
