"""Work items of a department, for people and programs: scheduled, claimed by one, watched by many.

Each act is decided on the item's history while nobody else can append to it, so that of any number of performers who
claim an item at once exactly one has it, whichever process or machine they come through.
"""

from __future__ import annotations

import contextlib
import math
import threading
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from isocenter.dicom.header import ae_title
from isocenter.dicom.match import asked_by, fits
from isocenter.dicom.model import Model, first, items
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.record import Event, Kind, Sealed
from isocenter.record.order import study_uid_of
from isocenter.record.project import WORKITEM
from isocenter.site import workitem
from isocenter.site.workitem import KINDS, STATE, NotNow, Workitem

if TYPE_CHECKING:
    from isocenter.site.forward_clock import ForwardClock
    from isocenter.site.projecting import Projects
    from isocenter.store.journal import Journal

__all__ = ["ALL", "FILTERED", "Report", "Working"]

ALL: Final = "1.2.840.10008.5.1.4.34.5"
"""The well-known UID under which all work items are watched."""
FILTERED: Final = "1.2.840.10008.5.1.4.34.5.1"
"""The same, for those that fit keys."""

_PAGE: Final = 2000
_WATCHED: Final = (Kind.WORKITEM_WATCHED,)


@dataclass(frozen=True)
class Report:
    """What a watcher is told (PS3.4 table CC.2.4-1).

    Args:
        number: of the event in the journal: later reports have higher ones.
        event_type: 1 state, 2 cancel requested, 3 progress, 5 assigned.
        watchers: AE titles that are told.
    """

    number: int
    uid: str
    event_type: int
    model: Model
    watchers: tuple[str, ...]


class Working:
    """The work items of one archive, kept level with its journal.

    Args:
        clock: by which a performer is silent. A clock of the machine that is set back ends no claim late, and the
            entries of an item bear the times by which it is judged.
    """

    def __init__(
        self,
        journal: Journal,
        clock: ForwardClock,
        projects: Projects | None = None,
        searches: Callable[[Person, str, Collection[str]], None] = lambda who, level, keys: None,
    ) -> None:
        self._journal, self._clock, self._projects, self._searches = journal, clock, projects, searches
        self._lock = threading.Lock()
        self._level = 0
        self._epoch = journal.epoch()
        self._items: dict[str, Workitem] = {}
        self._watch: dict[tuple[str, str], dict[str, Any]] = {}
        self.lease: timedelta | None = None
        """How long a performer may be silent before its claim ends; None: it never does."""

    # ---- acts ------------------------------------------------------------------------------------------------

    def create(self, uid: str, told: Mapping[str, Any], *, who: Person) -> None:
        """Schedule a work item.

        Raises:
            Refused, NotNow: see `workitem.create`. Conflict: its UID is known.
        """
        must(who, "workitem", uid)
        event = workitem.create(uid, told, who.name, self._clock())
        homed = self._projects.homed(f"{WORKITEM}{uid}", who, event.time) if self._projects else []

        def rule(held: Workitem | None) -> Sequence[Event]:
            workitem.must_be_new(held)
            return [*homed, event]

        self._decide(uid, rule)

    def update(self, uid: str, told: Mapping[str, Any], transaction: str = "", *, who: Person) -> None:
        """Set attributes; see `workitem.update`."""
        must(who, "workitem", uid)
        self._must_hold(uid, who, "workitem")
        now = self._clock()
        self._decide(uid, lambda held: [workitem.update(workitem.there(held), told, transaction, who.name, now)])

    def change_state(self, uid: str, state: str, transaction: str, *, who: Person) -> None:
        """Claim, complete or give up; of many who claim at once one succeeds. See `workitem.change`."""
        must(who, "workitem", uid)
        self._must_hold(uid, who, "workitem")
        now = self._clock()
        self._decide(uid, lambda held: [workitem.change(workitem.there(held), state, transaction, who.name, now)])

    def request_cancel(self, uid: str, told: Mapping[str, Any], *, who: Person) -> None:
        """Ask to cancel it; see `workitem.cancel`."""
        must(who, "workitem", uid)
        self._must_hold(uid, who, "workitem")
        now = self._clock()
        self._decide(uid, lambda held: workitem.cancel(workitem.there(held), told, who.name, now, self.lease))

    def give_up(self, uid: str, reason: str, *, again: bool, who: Person) -> str:
        """End a work item whose performer is gone, for a person who knows; `request_cancel` waits for a performer.

        Args:
            again: schedule the same work anew.

        Returns:
            the UID of the item that replaces it, or an empty text.

        Raises:
            NotNow: nobody performs it.
        """
        must(who, "workitem_end", uid)
        self._must_hold(uid, who, "workitem_end")
        return self._give_up(uid, reason, again=again, who=who, lease=timedelta())

    def lapse(self) -> list[str]:
        """End every claim whose performer was silent for longer than the lease: another may have the work.

        What somebody had asked to cancel is not scheduled anew.

        Returns:
            the UIDs of the items that were given up.
        """
        claimed = [item for item in self._known()[0].values() if item.state == "IN PROGRESS"]
        now = self._clock.not_before(*(item.changed for item in claimed))
        gone = [item for item in claimed if item.silent(self.lease, now)]
        ended = []
        for item in gone:
            assert self.lease is not None
            reason = f"its performer said nothing for {self.lease.total_seconds() / 60:g} min"
            with contextlib.suppress(NotNow):  # it said something in this very moment
                self._give_up(item.uid, reason, again=not item.cancel_asked, who=HOUSE, lease=self.lease)
                ended.append(item.uid)
        return ended

    def _give_up(self, uid: str, reason: str, *, again: bool, who: Person, lease: timedelta) -> str:
        now = self._clock()
        other = study_uid_of("replaces", uid) if again else ""
        homed: list[Event] = []
        if other and self._projects is not None:
            homed = self._projects.homed_as(f"{WORKITEM}{uid}", f"{WORKITEM}{other}", who, now)

        def rule(held: Workitem | None) -> Sequence[Event]:
            item = workitem.there(held)
            if item.state == "IN PROGRESS" and not item.silent(lease, now):
                raise NotNow("The performer has spoken", "its claim goes on", code=0xC302)
            first_of, *rest = workitem.give_up(item, reason, who.name, now, again=other)
            return [first_of, *homed, *rest]

        self._decide(uid, rule)
        return other

    def _decide(self, uid: str, rule: Callable[[Workitem | None], Sequence[Event]]) -> None:
        """Append what a rule makes of an item as it stands, in the moment in which nobody else can append.

        What is known of the item already is not read again: only its newer events are folded, under the lock.
        """
        known, level = self._one(uid)

        def decided(history: Sequence[Sealed]) -> Sequence[Event]:
            return rule(workitem.fold(history, known) if history else known)

        self._journal.decide(uid, KINDS, decided, after=level)

    # ---- asking ----------------------------------------------------------------------------------------------

    def item(self, uid: str, *, who: Person) -> Workitem:
        """One item; NotFound."""
        must(who, "workitems", uid)
        return workitem.there(self._one(uid)[0] if self.holds(uid, who) else None)

    def search(self, keys: Mapping[str, Any], *, who: Person) -> list[Model]:
        """Items that fit the keys, the most urgent and oldest first."""
        must(who, "workitems")
        self._searches(who, "WORKITEM", asked_by(keys))
        rank = {"HIGH": 0, "MEDIUM": 1, "LOW": 2}
        held = self._sieve(who)
        found = [i.model for u, i in self._known()[0].items() if held(u) and fits(i.model, keys)]
        found.sort(key=lambda m: (rank.get(first(m, "00741200"), 3), first(m, "00404005"), first(m, "00080018")))
        return found

    def all(self, *, who: Person, state: str = "") -> list[Workitem]:
        """Items with who performs them, in the order of `search`; of one state where it is named."""
        must(who, "workitems")
        held = self._known()[0]
        order = self.search({STATE: {"vr": "CS", "Value": [state]}} if state else {}, who=who)
        return [held[first(model, "00080018")] for model in order]

    # ---- watching --------------------------------------------------------------------------------------------

    def watch(
        self, uid: str, aet: str, *, on: bool = True, lock: bool = False, suspend: bool = False,
        keys: Mapping[str, Any] | None = None, who: Person,
    ) -> None:  # fmt: skip
        """Subscribe an AE title to an item, to all items, or to all that fit keys; or end that.

        Args:
            suspend: for all items: new ones are no longer watched, those that are stay so.

        Raises:
            NotFound: no such item, or no subscription to end.
        """
        must(who, "workitems", uid)
        aet = ae_title(aet)
        held, watch = self._known()
        if uid not in (ALL, FILTERED) and (uid not in held or not self.holds(uid, who)):
            raise NotFound("A work item of that UID", "the archive has none", "search for it")
        if suspend and uid not in (ALL, FILTERED):
            raise Refused("A suspension for one item", "only the watch of all items is suspended", "end it instead")
        if (not on or suspend) and (uid, aet) not in watch:
            raise NotFound(f"A subscription of {aet}", "there is none", "look at whom it was made for")
        details: dict[str, Any] = {"aet": aet, "on": on, "lock": lock, "suspend": suspend, "keys": dict(keys or {})}
        if on and not suspend and uid in (ALL, FILTERED):
            mine = self._sieve(who)
            those = [u for u, i in held.items() if mine(u) and (not keys or fits(i.model, keys))]
            details["those"] = those[:100_000]
        self._journal.append(Event(Kind.WORKITEM_WATCHED, self._clock(), who.name, uid, details))

    def watchers(self, uid: str, *, who: Person) -> list[str]:
        """AE titles that watch an item."""
        must(who, "workitems", uid)
        mine = self.holds(uid, who)
        with self._lock:
            self._follow()
            return _watching(uid, self._items.get(uid) if mine else None, self._watch)

    def holds(self, uid: str, who: Person, verb: str = "workitems") -> bool:
        """Whether a work item is of a project in which somebody is."""
        return self._projects is None or self._projects.holds(f"{WORKITEM}{uid}", who, verb)

    def _sieve(self, who: Person) -> Callable[[str], bool]:
        if self._projects is None:
            return lambda uid: True
        held = self._projects.sieve(who, "workitems")
        return lambda uid: held(f"{WORKITEM}{uid}")

    def _must_hold(self, uid: str, who: Person, verb: str) -> None:
        if not self.holds(uid, who, verb):
            workitem.there(None)  # in the words for one that does not exist

    def head(self) -> int:
        """Number of the newest event of the journal."""
        return self._journal.head()[0]

    def reports(self, after: int, *, limit: int = 1000) -> tuple[list[Report], int]:
        """What watchers are to be told of events after a number, in their order; and the number that was reached."""
        page = self._journal.since(after, kinds=(*KINDS, *_WATCHED), limit=limit)
        held, watch = self._known()
        made = []
        for sealed in page:
            made += _reports(sealed, held, watch)
        return made, page[-1].number if page else after

    # ---- level with the journal ------------------------------------------------------------------------------

    def _known(self) -> tuple[dict[str, Workitem], dict[tuple[str, str], dict[str, Any]]]:
        with self._lock:
            self._follow()
            return dict(self._items), dict(self._watch)

    def _one(self, uid: str) -> tuple[Workitem | None, int]:
        """One item, and the number of the last entry that it stands after."""
        with self._lock:
            self._follow()
            return self._items.get(uid), self._level

    def _follow(self) -> None:
        head, epoch = self._journal.head()[0], self._journal.epoch()
        # The archive was put back to an older copy, or work items were erased.
        if head < self._level or epoch != self._epoch:
            self._level, self._items, self._watch, self._epoch = 0, {}, {}, epoch
        while self._level < head:
            page = self._journal.since(self._level, kinds=(*KINDS, *_WATCHED), limit=_PAGE)
            for sealed in page:
                self._fold(sealed)
            # A page may hold what was written after the head was asked for: it is not to be folded again.
            self._level = page[-1].number if len(page) == _PAGE else max(head, page[-1].number if page else 0)

    def _fold(self, sealed: Sealed) -> None:
        event, told = sealed.event, sealed.event.details
        if event.kind is not Kind.WORKITEM_WATCHED:
            if event.subject in self._items or (event.kind is Kind.WORKITEM_CREATED and "sealed" not in told):
                self._items[event.subject] = workitem.fold((sealed,), self._items.get(event.subject))
            return
        key = (event.subject, str(told["aet"]))
        if not told["on"]:
            self._watch.pop(key, None)
            if event.subject in (ALL, FILTERED):
                for one in [k for k in self._watch if k[1] == key[1]]:
                    del self._watch[one]
            return
        if told["suspend"]:
            before = self._watch.pop(key, None)
            if before is None:  # two asked for it at once, and the other's stands before it
                return
            for uid in before["those"]:
                self._watch[uid, key[1]] = {"those": [], "keys": {}, "since": before["since"]}
            fresh = [u for u, i in self._items.items() if u not in before["those"] and _fits_watch(i, before)]
            since = before["since"]
            self._watch |= {(uid, key[1]): {"those": [], "keys": {}, "since": since} for uid in fresh}
            return
        those, keys = list(told.get("those", ())), dict(told["keys"])
        self._watch[key] = {"those": those, "keys": keys, "since": sealed.number}


def _fits_watch(item: Workitem, watch: Mapping[str, Any]) -> bool:
    return not watch["keys"] or fits(item.model, watch["keys"])


def _watching(
    uid: str, item: Workitem | None, watch: Mapping[tuple[str, str], Mapping[str, Any]], at: float = math.inf
) -> list[str]:
    """Who watches an item and did so already at an event."""
    if item is None:
        return []
    then = {key: told for key, told in watch.items() if told["since"] < at}
    found = {aet for (subject, aet) in then if subject in (uid, ALL)}
    found |= {aet for (subject, aet), told in then.items() if subject == FILTERED and _fits_watch(item, told)}
    return sorted(found)


def _reports(
    sealed: Sealed, held: Mapping[str, Workitem], watch: Mapping[tuple[str, str], Mapping[str, Any]]
) -> list[Report]:  # fmt: skip
    event, told = sealed.event, sealed.event.details
    if event.kind is Kind.WORKITEM_WATCHED:  # whoever begins to watch is told how things stand
        if not told["on"] or told["suspend"]:
            return []
        uids = told.get("those", ()) if event.subject in (ALL, FILTERED) else (event.subject,)
        return [
            Report(sealed.number, uid, 1, _state(held[uid].model, first(held[uid].model, STATE)), (str(told["aet"]),))
            for uid in uids
            if uid in held
        ]
    watchers = tuple(_watching(event.subject, held.get(event.subject), watch, sealed.number))
    if not watchers:
        return []
    model = held[event.subject].model
    number, uid = sealed.number, event.subject
    if event.kind is Kind.WORKITEM_CANCEL_ASKED:
        said: Model = {"00741236": {"vr": "AE", "Value": [event.who]}}
        if told.get("reason"):
            said["00741238"] = {"vr": "LT", "Value": [told["reason"]]}
        return [Report(number, uid, 2, said, watchers)]
    if event.kind is Kind.WORKITEM_CREATED:
        return [Report(number, uid, 1, _state(model, "SCHEDULED"), watchers)]
    if "state" in told:
        changed = _state(model, str(told["state"]))
        for one in items(told.get("set", {}), "00741002"):  # why it was cancelled
            changed |= {tag: one[tag] for tag in ("00741238", "0074100E") if tag in one}
        return [Report(number, uid, 1, changed, watchers)]
    progress = items(told["set"], "00741002")
    if progress:
        return [Report(number, uid, 3, {"00741002": {"vr": "SQ", "Value": progress}}, watchers)]
    return []


def _state(model: Mapping[str, Any], state: str) -> Model:
    return {
        "00404041": dict(model.get("00404041", {"vr": "CS"})), STATE: {"vr": "CS", "Value": [state]},
    }  # fmt: skip
