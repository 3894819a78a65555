"""What to read next, and why it stands where it stands.

The plain list, without any AI, is what a careful duty desk would make by hand: studies that a person called STAT
first, then whatever is due next, where a study is due one class limit after it arrived and the class is what was
requested. Within one class that is the order of arrival.

AI may raise a study, never lower one, and its raise is worth less than two things: a person's STAT, and a study whose
own limit is near or past. So with AI on

1. STAT, by the requester, in order of arrival;
2. studies whose class limit is near or past, the earliest limit first: nobody starves, however many the AI raises;
3. everything else by the earlier of its own limit and the limit of the level to which AI raised it.

A study in (2) can only be preceded by a STAT, or by a study whose own limit ends earlier; whoever arrives after its
limit has passed comes after it unless a person says STAT. Where no AI raised anything the three steps are the plain
list exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from types import MappingProxyType
from typing import NamedTuple, overload

from isocenter.errors import Refused
from isocenter.record import Outcome, Result, Study, Urgency, Verdict

__all__ = [
    "LIMITS",
    "STRUCK",
    "Entry",
    "Queue",
    "Raise",
    "Said",
    "Waiting",
    "limits_of",
    "narrowed",
    "order",
    "requested",
    "said",
    "together",
]

LIMITS: Mapping[Urgency, timedelta] = MappingProxyType(
    {
        Urgency.NOW: timedelta(minutes=30),
        Urgency.SOON: timedelta(hours=2),
        Urgency.TODAY: timedelta(hours=8),
        Urgency.ROUTINE: timedelta(hours=24),
    }
)
"""Within which time after arrival a study of a class should be read."""


def limits_of(minutes: Mapping[str, float]) -> Mapping[Urgency, timedelta]:
    """The limits with which a site replaces the shipped ones, given in minutes by class.

    Raises:
        Refused: where a more urgent class would have the longer limit.

    >>> limits_of({"now": 15})[Urgency.NOW], limits_of({}) == LIMITS
    (datetime.timedelta(seconds=900), True)
    """
    limits = {u: timedelta(minutes=float(minutes[u.value])) if u.value in minutes else LIMITS[u] for u in Urgency}
    for first, second in pairwise(Urgency):
        if not timedelta(0) < limits[first] <= limits[second]:
            raise Refused(
                f"a limit of {limits[first]} for '{first.value}' and of {limits[second]} for '{second.value}'",
                "the more urgent class must have the shorter limit",
                "give limits that grow from now to routine",
            )
    return limits


_NEAR = timedelta(hours=1)  # a limit is near an hour before it ends, or a quarter of it before where that is less
_LEVELS = tuple(Urgency)  # most urgent first
_REQUESTED: Mapping[str, Urgency] = MappingProxyType(
    # Requested Procedure Priority (0040,1003), and words that HL7 orders use for the same
    {
        "STAT": Urgency.NOW,
        "S": Urgency.NOW,
        "HIGH": Urgency.SOON,
        "URGENT": Urgency.SOON,
        "ASAP": Urgency.SOON,
        "A": Urgency.SOON,
        "MEDIUM": Urgency.TODAY,
    }
)


STRUCK = "struck"
"""The answer of an analysis that found something, and a person struck all of it: neither found nor none."""


class Raise(NamedTuple):
    """What an analysis found that should not wait: the level it declares for it, and its words."""

    level: Urgency
    finding: str
    analysis: str


class Said(NamedTuple):
    """What was said of a study: in one word the strongest answer (found, struck, none, declined, waiting), its raises.

    `analysis` is which one said it; empty where several did, or a person.
    """

    ai: str
    raises: tuple[Raise, ...] = ()
    analysis: str = ""


def said(result: Result) -> Said:
    """What one result says: nothing that a person struck, and no raise by what may wait."""
    words = sorted({str(f.what) for f in result.findings if f.verdict is not Verdict.STRUCK})
    analysis = result.machine.analysis
    if result.answer is not result.outcome:  # whoever reads the list next shall not think that nothing was found
        return Said(STRUCK, (), analysis)
    if result.answer is not Outcome.FOUND or result.urgency is Urgency.ROUTINE or not words:
        return Said(result.answer.value, (), analysis)
    return Said(result.answer.value, (Raise(result.urgency, ", ".join(words).lower(), analysis),), analysis)


def together(many: Sequence[Said]) -> Said:
    """What all of them say.

    >>> together([Said("declined"), Said("none")]).ai, together([Said("none"), Said("struck")]).ai, together([]).ai
    ('none', 'struck', 'waiting')
    """
    answers = {one.ai for one in many}
    strongest = next((o for o in ("found", STRUCK, "none", "declined") if o in answers), "waiting")
    return Said(strongest, tuple(r for one in many for r in one.raises))


@dataclass(frozen=True, slots=True)
class Waiting:
    """One study that is not yet read, as the archive knows it.

    Args:
        study: with or without its series.
        arrived: when its last image came; aware.
        modalities, instances: what the study holds.
        state: of its reading, from the table of readings.
        reader: who has it open, empty where nobody has.
        assigned: who was asked to read it, empty where nobody was.
        raises: what AI found that should not wait.
        ai: what AI has said so far: found, struck (found, and struck by a person), none, declined, waiting
            (not yet), after (the reader's opinion), or off.
        said: what each analysis said, from which `disclosure.row` makes what a reader may see of it.

    Raises:
        Refused: when the time of arrival has no zone.
    """

    study: Study
    arrived: datetime
    modalities: tuple[str, ...] = ()
    instances: int = 0
    state: str = "waiting"
    reader: str = ""
    raises: tuple[Raise, ...] = ()
    ai: str = "off"
    assigned: str = ""
    said: tuple[Said, ...] = ()

    def shown(self, ai: str, raises: tuple[Raise, ...]) -> Waiting:
        """The same study with so much of what AI said; what stands behind it stays here."""
        if (ai, raises) == (self.ai, self.raises) and not self.said:
            return self
        return Waiting(
            self.study, self.arrived, self.modalities, self.instances, self.state, self.reader, raises, ai,
            self.assigned,
        )  # fmt: skip

    def __post_init__(self) -> None:
        if self.arrived.tzinfo is None:
            raise Refused(
                f"arrival at {self.arrived} without a time zone", "waiting times would be wrong", "give aware UTC"
            )


class Entry(NamedTuple):
    """One row of the worklist.

    Args:
        waiting: the study.
        level: its class: as requested, or as raised by AI where that is more urgent.
        why: why it stands here, in words; never empty.
        due: when it should be read, None once it is signed.
        waits: since arrival.
        moved_up: places gained against the list without AI; negative where others were put before it.
    """

    waiting: Waiting
    level: Urgency
    why: str
    due: datetime | None
    waits: timedelta
    moved_up: int


def requested(study: Study) -> Urgency:
    """The class that a person asked for; what is not written or not known is routine.

    >>> from isocenter.record import Patient
    >>> requested(Study("1.2", Patient("p"), priority="stat")).value
    'now'
    """
    return _asked(study.priority)


def order(
    entries: Sequence[Waiting], now: datetime, *, with_ai: bool, limits: Mapping[Urgency, timedelta] = LIMITS
) -> Queue:
    """The list, most urgent first, each row with its reason.

    The order depends only on the studies and the time, not on the order in which they are given.

    Args:
        entries: studies in any order. Signed ones, where there are any, stand at the end.
        now: aware.
        with_ai: whether AI may raise; without it the plain list results and no row says anything of AI.
        limits: within which time after arrival a study of each class should be read at this site.
    """
    moment, seconds = now.timestamp(), tuple(limits[level].total_seconds() for level in _LEVELS)
    plain = sorted(((_facts(w, with_ai, seconds), w) for w in entries), key=_plain_key)
    if not any(facts.raised for facts, _ in plain):  # then no time can change it
        return Queue([(facts, w, 0) for facts, w in plain], now, math.inf)
    placed = [(facts, w, place) for place, (facts, w) in enumerate(plain)]
    placed.sort(key=lambda one: one[0].key(moment))
    coming = min((f.near for f, _, _ in placed if f.band == 2 and f.near > moment), default=math.inf)
    return Queue([(facts, w, before - place) for place, (facts, w, before) in enumerate(placed)], now, coming)


class Queue(Sequence[Entry]):
    """Rows in their order at one moment. The words of a row are made when it is asked for: of ten thousand rows a page
    shows fifty.

    Args:
        rows: what their order followed from, with the places that each gained.
        now: the moment.
        until: when the order may become another though nothing happens (seconds since 1970): the limit of a class
            comes near.
    """

    def __init__(self, rows: Sequence[tuple[_Facts, Waiting, int]], now: datetime, until: float) -> None:
        self._rows, self._now, self._until = rows, now, until

    def at(self, now: datetime) -> Queue | None:
        """The same rows at a later moment; None where they may stand in another order by then."""
        if not self._now <= now or now.timestamp() >= self._until:
            return None
        return Queue(self._rows, now, self._until)

    def __len__(self) -> int:
        return len(self._rows)

    def __iter__(self) -> Iterator[Entry]:
        return iter(self[:])

    def __eq__(self, other: object) -> bool:
        return list(self) == list(other) if isinstance(other, Sequence) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    @overload
    def __getitem__(self, at: int) -> Entry: ...
    @overload
    def __getitem__(self, at: slice) -> list[Entry]: ...
    def __getitem__(self, at: int | slice) -> Entry | list[Entry]:
        now, moment = self._now, self._now.timestamp()
        if isinstance(at, int):
            facts, waiting, gained = self._rows[at]
            return _entry(waiting, facts, now, moment, gained)
        return [_entry(waiting, facts, now, moment, gained) for facts, waiting, gained in self._rows[at]]


class _Facts(NamedTuple):
    """What the order of one study follows from; times in seconds, so that comparing is cheap."""

    band: int  # 0 STAT, 2 others, 3 signed
    own_due: float
    due: float  # with AI, never later than own_due
    near: float  # from when on its own limit is near
    arrived: float
    uid: str
    asked: Urgency
    raised: Raise | None

    def key(self, moment: float) -> tuple[int, float, float, str]:
        if self.band == 2 and self.near <= moment:
            return 1, self.own_due, self.arrived, self.uid
        return self.band, self.due, self.arrived, self.uid


def _plain_key(one: tuple[_Facts, Waiting]) -> tuple[int, float, float, str]:
    facts = one[0]
    return facts.band, facts.own_due, facts.arrived, facts.uid


def _facts(waiting: Waiting, with_ai: bool, seconds: tuple[float, ...]) -> _Facts:
    asked, limit, margin = _class_of(waiting.study.priority, seconds)
    arrived = waiting.arrived.timestamp()
    own_due = due = arrived + limit
    raised: Raise | None = None
    if waiting.state == "signed":
        band = 3
    else:
        band = 0 if asked is Urgency.NOW else 2
        if with_ai and waiting.raises:
            most = min(waiting.raises, key=lambda r: _LEVELS.index(r.level))
            soon = seconds[_LEVELS.index(most.level)]
            if soon < limit:
                raised, due = most, arrived + soon
    return _Facts(band, own_due, due, own_due - margin, arrived, waiting.study.uid, asked, raised)


@lru_cache(maxsize=256)  # as many rows as the list has, but only a handful of priorities
def _class_of(priority: str, seconds: tuple[float, ...]) -> tuple[Urgency, float, float]:
    """(class, its limit, how long before it the limit is near), in seconds."""
    asked = _asked(priority)
    limit = seconds[_LEVELS.index(asked)]
    return asked, limit, min(_NEAR.total_seconds(), limit / 4)


def _asked(priority: str) -> Urgency:
    return _REQUESTED.get(priority.strip().upper(), Urgency.ROUTINE)


def _entry(waiting: Waiting, facts: _Facts, now: datetime, moment: float, moved_up: int) -> Entry:
    signed = facts.band == 3
    level = facts.raised.level if facts.raised else facts.asked
    due = None if signed else datetime.fromtimestamp(facts.due, UTC)
    return Entry(waiting, level, _why(facts, moment, moved_up), due, max(now - waiting.arrived, timedelta()), moved_up)


def _why(facts: _Facts, moment: float, moved_up: int) -> str:
    if facts.band == 3:
        return "signed"
    if facts.band == 0:
        return "STAT, by the requester"
    if facts.own_due <= moment:
        return "past the limit of its class"
    if facts.near <= moment:
        return "limit of its class near"
    if facts.raised:
        words = f"AI: {facts.raised.finding}" if facts.raised.finding else "raised by AI"
        return f"{words}, moved up {moved_up}" if moved_up > 0 else words
    return "arrival" if facts.asked is Urgency.ROUTINE else f"asked for {facts.asked.value}, by the requester"


def narrowed(entries: Sequence[Entry], query: str, now: datetime, *, who: str = "") -> Sequence[Entry]:
    """The rows that fit every word of a filter, in their order.

    ``mod:CT``, ``is:waiting`` (open, signed, amending; due for past its limit; raised for raised by AI; mine for open
    with or assigned to `who`), ``to:NAME`` (assigned; ``to:me``, ``to:nobody``), ``from:2026-11-20`` and
    ``until:2026-11-21`` (date of the study) and ``level:now`` are understood; every other word is looked for in name,
    id, accession and description.

    Raises:
        Refused: for a filter word that does not exist.
    """
    kept = entries
    for word in query.split():
        name, colon, value = word.partition(":")
        if not colon or not value or name.lower() not in ("mod", "is", "level", "to", "from", "until"):
            kept = [e for e in kept if word.casefold() in _text(e)]
        elif name.lower() == "to":
            asked = {"me": who, "nobody": ""}.get(value.lower(), value)
            kept = [e for e in kept if e.waiting.assigned.casefold() == asked.casefold()]
        elif name.lower() in ("from", "until"):
            day, first = _day(value), name.lower() == "from"
            kept = [e for e in kept if (d := e.waiting.study.date) and (d >= day if first else d <= day)]
        elif name.lower() == "mod":
            kept = [e for e in kept if value.upper() in e.waiting.modalities]
        elif name.lower() == "level":
            kept = [e for e in kept if e.level.value == _one_of(value, [level.value for level in _LEVELS])]
        else:
            state = _one_of(value, ["waiting", "open", "signed", "amending", "due", "raised", "mine"])
            if state == "mine":
                kept = [e for e in kept if who and who in (e.waiting.assigned, _holder(e.waiting))]
            elif state == "due":
                kept = [e for e in kept if e.due is not None and e.due <= now]
            elif state == "raised":
                kept = [e for e in kept if e.why.startswith(("AI:", "raised by AI"))]
            else:
                kept = [e for e in kept if e.waiting.state == state]
    return kept


def _holder(waiting: Waiting) -> str:
    """Who has the study open; a signed one is nobody's any more."""
    return waiting.reader if waiting.state in ("open", "amending") else ""


def _day(value: str) -> date:
    try:
        return date.fromisoformat(value)
    except ValueError:
        raise Refused(f"the filter word '{value:.40}'", "it is no date", "write it as 2026-11-20") from None


def _one_of(value: str, known: Sequence[str]) -> str:
    if value.lower() not in known:
        raise Refused(f"the filter word '{value}'", "it is not known", f"take one of {', '.join(known)}")
    return value.lower()


def _text(entry: Entry) -> str:
    study = entry.waiting.study
    name = study.patient.name.replace("^", " ")
    return f"{name} {study.patient.id} {study.accession} {study.description}".casefold()
