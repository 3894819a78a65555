"""How long, how well, for whom: the figures of a department, made from its own journal when somebody asks.

Nothing is counted beside the journal, so no figure can disagree with what happened; each is a table first. Names of
readers are for the owner of the site; whoever else asks sees their own figures and those of all together.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from isocenter.errors import LimitReached, NotFound, Refused
from isocenter.govern.policy import Person, may, must
from isocenter.reading import readers, triage, turnaround
from isocenter.reading import worklist as lists
from isocenter.reading.disclosure import Mode, Use, may_leave
from isocenter.reading.readers import Call
from isocenter.reading.triage import Case
from isocenter.reading.turnaround import Exam
from isocenter.record import Event, Kind, Outcome, Result, Study, Urgency, Verdict
from isocenter.record.project import Reach
from isocenter.site.counting import Counting
from isocenter.site.logbook import Logbook

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Overseeing", "Period", "zone_of"]

_ALL = 10_000_000
_MOST = 50_000
_SIGNED: Sequence[Kind] = (Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)
_BESIDE = {m.value for m in Mode if may_leave(m, locked=False)}  # shown at once: no opinion comes before it
_SEED = 20261120  # the bootstrap draws the same each time, so that a figure does not tremble between two looks


@dataclass(frozen=True)
class Period:
    """Which studies: those that became available from `since` until before `until`, in whose local time.

    Args:
        hours: first and last working hour, Monday to Friday.
    """

    since: date | None = None
    until: date | None = None
    zone: tzinfo = UTC
    hours: tuple[int, int] = (8, 18)

    def holds(self, at: datetime) -> bool:
        """Whether a moment lies in it."""
        day = at.astimezone(self.zone).date()
        return (self.since is None or day >= self.since) and (self.until is None or day < self.until)


def zone_of(name: str) -> tzinfo:
    """A time zone by its IANA name.

    Raises:
        Refused: there is none of that name.
    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as unknown:
        raise Refused(
            f"the time zone '{name:.40}'", "none has that name", "give one such as Europe/Berlin"
        ) from unknown


@dataclass
class Overseeing:
    """The figures of one archive.

    Args:
        limits: within which time a class of the list should be read, as the site has set it.
        reach: of which studies somebody may ask; figures count no others.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    registry: Registry
    clock: Callable[[], datetime]
    limits: Callable[[], Mapping[Urgency, timedelta]] = lambda: lists.LIMITS
    reach: Callable[[Person, str], Reach | None] = lambda who, verb: None
    counting: Counting = field(default_factory=Counting)

    def __post_init__(self) -> None:
        self._log = Logbook(self.journal)
        self._acquired: dict[tuple[str, tzinfo, int], tuple[datetime | None, datetime | None]] = {}

    # ---- turnaround ------------------------------------------------------------------------------------------

    def turnaround(
        self,
        *,
        who: Person,
        period: Period,
        span: str = "archive to report",
        by: str = "modality",
        target_min: float = 60,
    ) -> dict[str, Any]:
        """How long reports took: all together, and in groups.

        Args:
            span: a name of `turnaround.SPANS`.
            by: hour, day, hours, modality or site.

        Raises:
            Refused: an unknown span or group.
            LimitReached: more studies than are counted at once.
        """
        must(who, "oversight")
        if span not in turnaround.SPANS:
            raise Refused(f"the span '{span:.40}'", f"there are {', '.join(turnaround.SPANS)}", "choose one of these")
        stamps = turnaround.SPANS[span]
        exams = self._exams(period, who, headers=bool({"begun", "completed"} & set(stamps)))
        groups = turnaround.by(exams, by, stamps, period.zone, period.hours)
        rows = [turnaround.summary(many, stamps, target_min=target_min, group=name) for name, many in groups.items()]
        return {
            "span": span,
            "from": stamps[0],
            "to": stamps[1],
            "by": by,
            "target_min": target_min,
            "all": turnaround.summary(exams, stamps, target_min=target_min),
            "rows": rows,
            "spans": list(turnaround.SPANS),
            "few": turnaround.FEW,
        }

    def stamp(self, study_uid: str, stamp: str, at: datetime, *, who: Person, accession: str = "") -> None:
        """A moment that another system or a person tells: ordered, scheduled, arrived, begun, completed, cancelled.

        Raises:
            Refused: a stamp that only this archive can set, or a time without a zone.
        """
        must(who, "outcome", study_uid)
        told = (*turnaround.STAMPS[:5], "cancelled")
        if stamp not in told:
            raise Refused(f"the stamp '{stamp:.40}'", f"told from outside are {', '.join(told)}", "send one of these")
        if at.tzinfo is None:
            raise Refused(f"{at} without a time zone", "spans between clocks would be wrong", "say the zone")
        if study_uid:
            self.index.study(study_uid)
        details = {"stamp": stamp, "at": at.astimezone(UTC).isoformat(), "accession": accession}
        self.journal.append(Event(Kind.STAMPED, self.clock(), who.name, study_uid, details))

    def _exams(self, period: Period, who: Person, *, headers: bool) -> list[Exam]:
        log = self._log.by_subject()
        orders: dict[str, list[Event]] = {}
        for event in log.get("", ()):
            orders.setdefault(str(event.details.get("accession", "")), []).append(event)
        exams = []
        for study in self.counting.over(self._studies(period, who), "turnaround", who=who):
            events = [*(orders.get(study.accession, ()) if study.accession else ()), *log.get(study.uid, ())]
            told = self._of_headers(study, period.zone) if headers else (None, None)
            exams.append(turnaround.exam(study, events, acquisition=told))
        return exams

    def _of_headers(self, study: Study, zone: tzinfo) -> tuple[datetime | None, datetime | None]:
        assert study.arrived is not None
        key = (study.uid, zone, int(study.arrived.timestamp()))
        if key not in self._acquired:
            self._acquired[key] = turnaround.acquired(self.index.study(study.uid), zone)
        return self._acquired[key]

    def _studies(self, period: Period, who: Person) -> list[Study]:
        mine = self.index.studies(limit=_ALL, reach=self.reach(who, "oversight"))
        many = [s for s in mine if s.arrived is not None and period.holds(s.arrived)]
        if len(many) > _MOST:
            raise LimitReached(
                f"{len(many)} studies", f"{_MOST} are counted at once",
                "choose a shorter period with since and until, or take the journal out whole and count elsewhere",
            )  # fmt: skip
        return many

    # ---- triage ----------------------------------------------------------------------------------------------

    def triaging(self, *, who: Person) -> list[dict[str, Any]]:
        """Analyses that may raise a study on the list, and on how many they have spoken."""
        must(who, "oversight")
        uids = [s.uid for s in self.index.studies(limit=_ALL, reach=self.reach(who, "oversight"))]
        spoken: Counter[str] = Counter()
        for heads in self.index.result_heads(uids, replaced=True).values():
            spoken.update({h["name"] for h in heads if h["origin"] == "machine" and h["outcome"] != "declined"})
        return [
            {"analysis": name, "studies": spoken[name], "since": since.isoformat() if since else None}
            for name in self._urgent()
            for since in [self._since(name)]
        ]

    def triage(self, analysis: str, *, who: Person, period: Period, since: datetime | None = None) -> dict[str, Any]:
        """What one triage AI gave and whom it cost, from the list of this site.

        Args:
            since: when it was switched on; otherwise the first time that it raised on this site.

        Raises:
            NotFound: no such analysis, or none that triages.
        """
        must(who, "oversight")
        if analysis not in self._urgent():
            known = ", ".join(self._urgent()) or "none"
            raise NotFound(
                f"triage by '{analysis:.40}'", f"analyses that may raise a study are: {known}", "choose one of these"
            )
        begun = since or self._since(analysis)
        cases = self._cases(analysis, period, who)
        if begun is None:
            begun = self.clock()
        told = triage.effect(cases, begun, zone=period.zone, rng=np.random.default_rng(_SEED), hours=period.hours)
        return {"analysis": analysis, "enough": triage.ENOUGH, "few": triage.FEW, "groups": triage.GROUPS, **vars(told)}

    def effect_line(self, *, who: Person, period: Period) -> dict[str, Any]:
        """One line for the worklist: the triage analysis that spoke most, what it gave and whom it cost."""
        must(who, "worklist")
        names = self._urgent()
        if not names:
            return {"analysis": None, "n": 0, "needed": triage.ENOUGH, "groups": {}, "predicted": {}}
        best: dict[str, Any] | None = None
        for name in names:
            begun = self._since(name)
            if begun is None:
                continue
            cases = self._cases(name, period, who)
            told = triage.effect(cases, begun, zone=period.zone, rng=np.random.default_rng(_SEED), hours=period.hours)
            whole = told.splits[0]
            line = {
                "analysis": name, "n": whole.n, "needed": whole.needed, "groups": whole.observed,
                "predicted": whole.predicted,
            }  # fmt: skip
            if best is None or whole.n > best["n"]:
                best = line
        return best or {"analysis": names[0], "n": 0, "needed": triage.ENOUGH, "groups": {}, "predicted": {}}

    def _urgent(self) -> list[str]:
        return [
            name for name, held in self.registry.analyses.items()
            if any(y.what and y.urgency is not Urgency.ROUTINE for y in held.yields)
        ]  # fmt: skip

    def _since(self, analysis: str) -> datetime | None:
        """When the site let it order the list; where no mode was ever set for that, when it first raised a study."""
        for sealed in self.journal.since(kinds=(Kind.MODE_SET,), subject=analysis, limit=_ALL):
            if sealed.event.details["use"] == Use.WORKLIST.value and sealed.event.details["mode"] != Mode.SHADOW.value:
                return sealed.event.time
        first = [h for h in self._machine_heads(analysis) if h["outcome"] == Outcome.FOUND.value]
        return min((datetime.fromisoformat(h["made"]) for h in first), default=None)

    def _machine_heads(self, analysis: str) -> list[dict[str, Any]]:
        uids = [s.uid for s in self.index.studies(limit=_ALL)]
        found = self.index.result_heads(uids, replaced=True)
        return [h for heads in found.values() for h in heads if h["origin"] == "machine" and h["name"] == analysis]

    def _cases(self, analysis: str, period: Period, who: Person) -> list[Case]:
        log, limits = self._log.by_subject(), self.limits()
        studies = self._studies(period, who)
        heads = self.index.result_heads([s.uid for s in studies], replaced=True)
        cases = []
        for study in self.counting.over(studies, "triage", who=who):
            exam = turnaround.exam(study, log.get(study.uid, ()))
            arrived, opened = exam.stamps.get("available"), exam.stamps.get("opened")
            if arrived is None or opened is None or opened < arrived:
                continue
            mine = [h for h in heads.get(study.uid, ()) if h["origin"] == "machine" and h["name"] == analysis]
            spoke = [h for h in mine if h["outcome"] != Outcome.DECLINED.value]
            first = spoke[0] if spoke else None
            asked = lists.requested(study)
            raised = first is not None and first["outcome"] == Outcome.FOUND.value
            level = Urgency(first["urgency"]) if first is not None else Urgency.ROUTINE
            in_time = first is not None and datetime.fromisoformat(first["made"]) <= opened
            cases.append(
                Case(
                    study.uid, exam.modality or "other", asked is Urgency.NOW, _minutes(limits[asked]), arrived,
                    opened, _minutes(limits[level]) if raised and in_time else None,
                    raised if first is not None else None, self._present(study.uid, analysis, log.get(study.uid, ())),
                    first is not None and not in_time,
                )
            )  # fmt: skip
        return cases

    # ---- readers with AI -------------------------------------------------------------------------------------

    def readers(self, *, who: Person, period: Period, by: Sequence[str] = ("mode",)) -> dict[str, Any]:
        """Agreement, override, wrong-follow and wrong-override, from signed readings, with intervals.

        Args:
            by: of reader, analysis, mode. By reader, the owner sees names; others see themselves and "others".
        """
        must(who, "oversight")
        calls = self._calls(period, who)
        if "reader" in by and not may(who, "peer_owner"):
            calls = [replace(c, reader="you" if c.reader == who.name else "others") for c in calls]
        return {"by": list(by), "all": readers.rates(calls), "rows": readers.by(calls, *by), "few": readers.FEW}

    def outcome(self, study_uid: str, analysis: str, present: bool, source: str, *, who: Person) -> None:
        """What turned out to be true of one question: pathology, a later study, a conference.

        Raises:
            Refused: without a source.
            NotFound: no such study or analysis.
        """
        must(who, "outcome", study_uid)
        self.index.study(study_uid)
        self.registry.get(analysis)
        if not source.strip():
            raise Refused("a truth without a source", "nobody could weigh it", "say how it is known")
        details = {"analysis": analysis, "present": present, "source": source.strip()[:500]}
        self.journal.append(Event(Kind.OUTCOME_KNOWN, self.clock(), who.name, study_uid, details))

    def _calls(self, period: Period, who: Person) -> list[Call]:
        log = self._log.by_subject()
        signed = {uid: events for uid, events in log.items() if any(e.kind in _SIGNED for e in events)}
        held = self.reach(who, "oversight")
        mine = {s.uid for s in self.index.studies(limit=_ALL, reach=held)} if held is not None else set(signed)
        uids = [u for u, events in signed.items() if u in mine and period.holds(_first(events, _SIGNED).time)]
        heads = self.index.result_heads(uids, replaced=True)
        calls = []
        for uid in self.counting.over(uids, "readers", who=who):
            events = signed[uid]
            seal = _first(events, _SIGNED)
            opened = [e.time for e in events if e.kind is Kind.READING_OPENED and e.time <= seal.time]
            seconds = (seal.time - max(opened)).total_seconds() if opened else None
            written = seal.details.get("calls")  # an empty list says that no machine had spoken when it was signed
            for told in self._told(uid, heads.get(uid, ())) if written is None else written:
                name = str(told["analysis"])
                truth = [bool(e.details["present"]) for e in events if _tells(e, name)]
                calls.append(
                    Call(
                        uid, seal.who, name, str(told["mode"]), bool(told["machine"]), bool(told["final"]),
                        None if told["mode"] in _BESIDE else told["first"], truth[-1] if truth else None, seconds,
                    )
                )  # fmt: skip
        return calls

    def _told(self, uid: str, heads: Sequence[Mapping[str, Any]]) -> list[dict[str, Any]]:
        """The calls of a signature that did not write them down, as the results tell them now."""
        spoke = [h for h in heads if h["origin"] == "machine" and h["outcome"] != Outcome.DECLINED.value]
        told = []
        for name in sorted({h["name"] for h in spoke}):
            machine = next(h for h in spoke if h["name"] == name)["outcome"] == Outcome.FOUND.value
            final = self._signed_answer(uid, name)
            if final is not None:
                told.append({"analysis": name, "mode": "not told", "machine": machine, "final": final, "first": None})
        return told

    def _codes(self, analysis: str) -> set[Any]:
        held = self.registry.analyses.get(analysis)
        return {y.what for y in held.yields if y.what} if held is not None else set()

    def _present(self, uid: str, analysis: str, events: Iterable[Event]) -> bool | None:
        told = [bool(e.details["present"]) for e in events if _tells(e, analysis)]
        if told:
            return told[-1]
        return self._signed_answer(uid, analysis) if any(e.kind in _SIGNED for e in events) else None

    def _signed_answer(self, uid: str, analysis: str) -> bool | None:
        """What the latest word on this question is: the machine's as a person left it, or what a person added."""
        answer: bool | None = None
        codes = self._codes(analysis)
        for _, result in self.index.results(uid):
            if result.outcome is Outcome.DECLINED:
                continue
            if result.machine.analysis == analysis:
                answer = bool(answer) or result.answer is Outcome.FOUND
            elif not result.machine.analysis and _stands(result, codes):
                answer = True
        return answer


def _stands(result: Result, codes: set[Any]) -> bool:
    return any(f.what in codes and f.verdict is not Verdict.STRUCK for f in result.findings)


def _tells(event: Event, analysis: str) -> bool:
    return event.kind is Kind.OUTCOME_KNOWN and event.details["analysis"] == analysis


def _first(events: Sequence[Event], kinds: Sequence[Kind]) -> Event:
    return next(e for e in events if e.kind in kinds)


def _minutes(span: timedelta) -> float:
    return span.total_seconds() / 60
