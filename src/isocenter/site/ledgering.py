"""What came into the archive and what left it, as a ledger: from whom, to whom, how much, and whether it adds up.

Everything is read off the journal. A delivery of several files (a folder, a ZIP, one request) says how many were
offered, so that offered = stored + there before + set aside + rejected can be checked; a study that was taken by a link
says how many were expected, and how many of these are missing. Images that a scanner sends one at a time are counted as
they were taken, and one that it sends again leaves no entry.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from isocenter.errors import Refused
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind, Sealed

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["ARRIVED", "LEFT", "Ledgering", "tally"]

ARRIVED = (Kind.INSTANCES_RECEIVED, Kind.INSTANCE_SET_ASIDE, Kind.INSTANCES_REJECTED, Kind.BATCH_TAKEN)
LEFT = (
    Kind.SENT, Kind.SEND_FAILED, Kind.EXPORTED, Kind.SHARED, Kind.SHARE_TAKEN, Kind.COHORT_EXPORTED,
    Kind.AUDIT_EXPORTED,
)  # fmt: skip

_PAGE = 2000
_LOOKED = 50_000  # entries that one request looks through before it answers with what it has
_LONGEST = timedelta(days=366)
_ROWS = 500
_REASONS = 20
_PARTS = ("stored", "there", "conflict", "rejected")  # what becomes of a file that is offered
_OF_LINKS = (*_PARTS, "missing")  # and of one that was to come by a link


def tally(statuses: Iterator[str]) -> dict[str, int]:
    """How many of a delivery came to which end, and how many were offered."""
    by = Counter(statuses)
    return {"offered": by.total(), **{part: by[part] for part in _PARTS}}


@dataclass
class _Day:
    """What one sender brought on one day."""

    studies: set[str] = field(default_factory=set)
    counts: Counter[str] = field(default_factory=Counter)
    reasons: set[str] = field(default_factory=set)
    deliveries: list[dict[str, Any]] = field(default_factory=list)

    def take(self, event: Event) -> None:
        told = event.details
        if event.kind is Kind.INSTANCES_RECEIVED:
            self.studies.add(event.subject)
            self.counts["stored"] += len(told.get("instances", ()))
        elif event.kind is Kind.INSTANCE_SET_ASIDE:
            self.studies.add(event.subject)
            self.counts["set_aside"] += 1
        elif event.kind is Kind.INSTANCES_REJECTED:
            self.counts["rejected"] += int(told.get("count", 0))
            self.reasons |= set(told.get("reasons", ()))
        else:
            self.counts["there"] += int(told["there"])
            parts = {part: int(told.get(part, 0)) for part in _OF_LINKS}
            self.deliveries.append({
                "time": event.time.isoformat(), "offered": int(told["offered"]), **parts,
                "adds_up": sum(parts.values()) == int(told["offered"]),
            })  # fmt: skip


@dataclass(frozen=True)
class Ledgering:
    """The ledgers of one archive.

    Args:
        within: whether an entry is about the projects of a person; of one that is not, they are told nothing.
    """

    journal: Journal
    clock: Callable[[], datetime]
    within: Callable[[Sealed, Person], bool] = lambda sealed, who: True

    def taken_by_link(self, study_uid: str, statuses: Iterable[str], expected: int, *, who: Person) -> dict[str, int]:
        """Write down what became of a study that was taken by a link, and tell it.

        Args:
            study_uid: as it is called here.
            statuses: of each image that came: ``stored``, ``there``, ``conflict`` or ``rejected``.
            expected: how many the other house named.
        """
        must(who, "receive", study_uid)
        told = tally(iter(statuses))
        counts = {"offered": expected, **{p: told[p] for p in _PARTS}, "missing": expected - told["offered"]}
        self.journal.append(Event(Kind.BATCH_TAKEN, self.clock(), "link", study_uid, counts))
        return counts

    def arrivals(self, *, who: Person, since: datetime | None = None, until: datetime | None = None) -> dict[str, Any]:
        """What came, by day and sender, the newest first.

        Raises:
            Forbidden: whoever may not read the journal. Refused: a time that is longer than a year, or none.

        Returns:
            ``rows``, of ``found`` no more than ``most``; ``looked``: after how many entries the search was given up,
            None where all of the time was looked through.
        """
        must(who, "audit")
        days: dict[tuple[str, str], _Day] = {}
        told = self._each(ARRIVED, who, since, until)
        for event in told:
            days.setdefault((event.time.date().isoformat(), event.who), _Day()).take(event)
        rows = [
            {
                "day": day, "sender": sender, "studies": len(one.studies),
                **{part: one.counts[part] for part in ("stored", "there", "set_aside", "rejected")},
                "reasons": sorted(one.reasons)[:_REASONS], "deliveries": one.deliveries[:_REASONS],
            }
            for (day, sender), one in days.items()
        ]  # fmt: skip
        return told.page(rows)

    def departures(
        self, *, who: Person, since: datetime | None = None, until: datetime | None = None
    ) -> dict[str, Any]:
        """What left, the newest first: to whom, how much, and what permitted it.

        Raises:
            As `arrivals`.
        """
        must(who, "audit")
        told = self._each(LEFT, who, since, until)
        rows = [_left(event) for event in told]
        return told.page(rows)

    def _each(self, kinds: tuple[Kind, ...], who: Person, since: datetime | None, until: datetime | None) -> _Entries:
        last = until or self.clock()
        first = since or last - timedelta(days=30)
        if last < first:
            raise Refused(
                "a ledger that ends before it begins", f"{last:%Y-%m-%d} is before {first:%Y-%m-%d}", "choose days"
            )
        if last - first > _LONGEST:
            raise Refused(
                f"a ledger of {(last - first).days} days", f"{_LONGEST.days} are read at once", "choose fewer days"
            )
        return _Entries(self.journal, kinds, first, last, lambda sealed: self.within(sealed, who))


@dataclass
class _Entries:
    """Entries of some kinds in a time, newest first; `looked` once there were more than one request looks through."""

    journal: Journal
    kinds: tuple[Kind, ...]
    since: datetime
    until: datetime
    fits: Callable[[Sealed], bool]
    looked: int | None = None

    def __iter__(self) -> Iterator[Event]:
        at = looked = 0
        while page := self.journal.since(at, kinds=self.kinds, limit=_PAGE, newest_first=True):
            for sealed in page:
                if sealed.event.time < self.since:
                    return
                if sealed.event.time <= self.until and self.fits(sealed):
                    yield sealed.event
            at, looked = page[-1].number, looked + len(page)
            if looked >= _LOOKED:
                self.looked = looked
                return

    def page(self, rows: list[dict[str, Any]]) -> dict[str, Any]:
        """What is told of the rows that were made of them."""
        return {"rows": rows[:_ROWS], "found": len(rows), "most": _ROWS, "looked": self.looked}


def _left(event: Event) -> dict[str, Any]:
    told = event.details
    row: dict[str, Any] = {
        "time": event.time.isoformat(), "who": event.who, "kind": event.kind.value, "study": event.subject,
        "to": "", "objects": 0, "failed": 0, "held_back": 0, "purpose": "", "permitted": "", "reasons": [],
        "parts": {},
    }  # fmt: skip
    match event.kind:
        case Kind.SENT | Kind.SEND_FAILED:
            row |= {"to": told.get("destination", ""), "purpose": "care", "reasons": told.get("reasons", [])}
            row |= {"objects": told.get("objects", 0), "failed": told.get("failed", 0)}
        case Kind.EXPORTED:
            row |= {name: told.get(name, row[name]) for name in ("objects", "held_back", "purpose", "permitted")}
            row["to"] = told.get("project", "")
        case Kind.SHARE_TAKEN:
            parts = {part: int(told[part]) for part in ("stored", "there", "rejected", "missing")}
            row |= {"objects": told["expected"], "failed": parts["rejected"] + parts["missing"], "parts": parts}
        case Kind.SHARED:
            whom = (told.get(name, "") for name in ("to", "institution", "country"))
            row |= {"to": ", ".join(filter(None, whom)), "purpose": told.get("purpose", "care")}
            row["permitted"] = told["until"]
        case Kind.COHORT_EXPORTED:
            row |= {"study": "", "objects": told.get("rows", 0), "permitted": str(told.get("form", ""))}
        case _:
            row |= {"permitted": str(told.get("form", ""))}  # how many entries there are is not for readers
    return row
