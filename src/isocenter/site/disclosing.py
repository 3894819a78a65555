"""What a person may see now: the rule of `reading.disclosure`, kept level with the journal.

Every verb of the site that could carry a machine's words asks here, so that there is one place to look at: results,
worklist rows, plans, reports, explanations, events, and images that a machine made elsewhere and sent in. Whoever may
not see something yet is answered as if it did not exist.

Three kinds of people are not bound, by the rule *unveiled* of `govern.policy`: the house itself, researchers, who
read no duty list, and DICOM peers, who get what the archive holds. Whoever reads is bound, an administrator too.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import Forbidden, NotFound
from isocenter.govern import gate, stopping
from isocenter.govern.policy import HOUSE, Person, may
from isocenter.reading import disclosure
from isocenter.reading import worklist as lists
from isocenter.reading.disclosure import Mode, Modes, Use
from isocenter.record import Kind, Result, Sealed, Study

if TYPE_CHECKING:
    from isocenter.record.project import Reach
    from isocenter.site.projecting import Projects
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Disclosing", "unbound", "unraised"]

_PAGE = 5000
_FOLLOWED = (
    Kind.MODE_PROPOSED, Kind.MODE_SET, Kind.OPINION_LOCKED, Kind.INSTANCES_RECEIVED, Kind.HEADERS_LEARNT,
    *stopping.KINDS, *gate.KINDS,
)  # fmt: skip
_OF_IMAGES = (Kind.INSTANCES_RECEIVED, Kind.HEADERS_LEARNT)
_OF_MACHINES = (Kind.PLANNED, Kind.DECLINED, Kind.ANALYSIS_FAILED)
_TELLING = (Kind.REPORT_DRAFTED, Kind.VIEWED)  # acts of another reader that may follow what a machine said
_OF_COLLEAGUES = (  # their words, and what they had a machine say
    Kind.REMARKED, Kind.FOLLOW_UP_ASKED, Kind.FOLLOW_UP_MATCHED, Kind.FOLLOW_UP_CLOSED, Kind.RESEARCH_RUN,
)  # fmt: skip
_MACHINES_WRITE = {"Modality": "SEG\\SR", "MadeBy": "machine"}  # what can say of itself that an algorithm made it
_SIGNED = ("signed", "amending")
_MOST_ROWS = 100_000  # of the worklist, kept as they are shown: more than any list has, so that what is gone goes


@dataclass
class Disclosing:
    """What each person may see of one archive.

    Args:
        index: of the archive.
        journal: what tells that a mode was set or an opinion locked, also by another process.
        blinded: studies that a person reads blind now (drawn for review, or as one of two readers): of these nothing
            that a machine or a colleague said may reach them, whatever the modes are.
        projects: which studies a person may ask for at all.
        fitting: names of the analyses that fit a study, each found when it is asked for.
    """

    index: Index
    journal: Journal
    blinded: Callable[[Person], frozenset[str]] = lambda who: frozenset()
    projects: Projects | None = None
    fitting: Callable[[str], Iterable[str]] = lambda study_uid: ()

    def __post_init__(self) -> None:
        self._lock = threading.Lock()
        self._level = -1
        self._modes = Modes()
        self._stops: dict[str, stopping.Stop] = {}
        self._gates = gate.Gates()
        self._locks: dict[tuple[str, str], datetime] = {}  # (study, reader) -> when
        self._made: dict[str, str] = {}  # series that a machine made elsewhere -> its study
        self._rows: tuple[Modes, Mapping[str, Any], dict[str, dict[str, tuple[Any, lists.Waiting]]]] | None = None

    # ---- level with the journal

    def modes(self) -> Modes:
        """The modes of the site as they are now."""
        self._follow()
        return self._modes

    def stops(self) -> Mapping[str, stopping.Stop]:
        """Analyses that a person has stopped everywhere."""
        self._follow()
        return self._stops

    def gates(self) -> gate.Gates:
        """Where each model stands on its way to people."""
        self._follow()
        return self._gates

    def gates_at(self) -> tuple[gate.Gates, int]:
        """The same, and the number of the last entry of the journal that is in it, for who decides on more."""
        self._follow()
        with self._lock:
            return self._gates, self._level

    def locked(self, study_uid: str, who: Person) -> datetime | None:
        """When a reader locked their first opinion on a study."""
        self._follow()
        return self._locks.get((study_uid, who.name))

    def _follow(self) -> None:
        with self._lock:
            head = self.journal.head()[0]
            if head == self._level:
                return
            if self._level < 0 or head < self._level:  # at the start, or the archive was put back to an older copy
                self._modes, self._stops, self._gates, self._locks, self._level = Modes(), {}, gate.Gates(), {}, 0
                last = self._read(tuple(k for k in _FOLLOWED if k not in _OF_IMAGES), head)
                self._made = self._machine_made({})  # asked last: what came while the events were read is in it
            else:
                last = self._read(_FOLLOWED, head)
            # A page may hold what was written after the head was asked for: it is not to be folded again.
            self._level = max(head, last)

    def _read(self, kinds: Sequence[Kind], head: int) -> int:
        """Fold what was said since; the number of the last entry that was."""
        number = self._level
        while number < head and (page := self.journal.since(number, kinds=kinds, limit=_PAGE)):
            self._modes, self._stops = self._modes.after(page), stopping.after(self._stops, page)
            self._gates = self._gates.after(page)
            for sealed in page:
                event = sealed.event
                if event.kind is Kind.OPINION_LOCKED:
                    self._locks.setdefault((event.subject, event.who), event.time)
                elif event.kind is Kind.HEADERS_LEARNT or (
                    event.kind is Kind.INSTANCES_RECEIVED and _may_be_machines(event.details)
                ):
                    self._made |= self._machine_made({"StudyInstanceUID": event.subject})
            number = page[-1].number
        return number

    def _machine_made(self, within: Mapping[str, str]) -> dict[str, str]:
        rows = self.index.find("IMAGE", {**_MACHINES_WRITE, **within})
        return {str(row["SeriesInstanceUID"]): str(row["StudyInstanceUID"]) for row in rows}

    # ---- which studies

    def _held(self, study_uid: str, who: Person, verb: str) -> bool:
        return self.projects is None or self.projects.holds(study_uid, who, verb)

    def sieve(self, who: Person, verb: str) -> Callable[[str], bool]:
        """Whether a person may ask for a study, for many."""
        return self.projects.sieve(who, verb) if self.projects is not None else lambda study_uid: True

    def reach(self, who: Person, verb: str) -> Reach | None:
        return self.projects.reach(who, verb) if self.projects is not None else None

    # ---- who is bound

    def free(self, study_uid: str, who: Person, *, state: str = "") -> bool:
        """Whether nothing is held back any more: by role, by one's own locked opinion, or because it is signed.

        Args:
            state: of the reading, where the caller knows it.
        """
        if study_uid in self.blinded(who):
            return False
        if unbound(who) or self.locked(study_uid, who) is not None:
            return True
        return (state or str(self.index.reading(study_uid)["state"])) in _SIGNED

    def must_not_be_blind(self, study_uid: str, who: Person) -> None:
        """Go on only if this person does not read the study blind.

        Raises:
            Forbidden: they do; who had it and what was written would tell.
        """
        if study_uid in self.blinded(who):
            raise Forbidden(
                "a study that you read blind", "who read it and what was written would tell", "give your own word first"
            )

    def asks(self, study_uid: str, fitting: Iterable[str]) -> bool:
        """Whether the site wants a reader's own opinion before this study is signed: an analysis that reads with
        them, unaided first, has spoken of the study or fits it. What it said makes no difference.

        Args:
            fitting: names of the analyses that fit; asked only where what has spoken does not decide, and no further
                than to the first that does, since each has to be loaded.
        """
        modes = self.modes()
        heads = self.index.result_heads([study_uid]).get(study_uid, [])

        def unaided_first(names: Iterable[str]) -> bool:
            return any(modes.of(name, Use.READING) is Mode.UNAIDED_FIRST for name in names)

        spoken = {str(h["name"]) for h in heads if h["origin"] == "machine"}
        return unaided_first(spoken) or unaided_first(fitting)

    def owes(self, study_uid: str, who: Person) -> bool:
        """Whether a person still owes a first opinion of their own on a study, so that nothing that a colleague says
        of it may reach them: it is theirs to read, or nobody's yet, and the site wants an opinion first.

        Whoever is asked while somebody else has the study open is not the one who reads it, and may read the words.
        What they have read is kept: an opinion that they give later is marked as given with those words at hand.
        """
        if study_uid in self.blinded(who):
            return True
        if unbound(who) or self.locked(study_uid, who) is not None:
            return False
        reading = self.index.reading(study_uid)
        state, by, asked = (str(reading[key] or "") for key in ("state", "by", "assigned"))
        if state in _SIGNED or (state == "open" and who.name not in (by, asked)):
            return False
        return self.asks(study_uid, self.fitting(study_uid))

    # ---- results

    def results(self, study_uid: str, who: Person, *, replaced: bool = False) -> list[tuple[str, Result]]:
        """The latest of each chain that a person may see, newest last; all of a chain with `replaced`."""
        if study_uid in self.blinded(who) or not self._held(study_uid, who, "results"):
            return []
        many = [(i, r) for i, r in self.index.results(study_uid, replaced=replaced) if not taken_back(r)]
        if not many or unbound(who):
            return many
        free, modes = self.free(study_uid, who), self.modes()
        return [(i, r) for i, r in many if disclosure.visible(r, modes, locked=free, who=who.name)]

    def sent(self, study_uid: str, who: Person) -> list[tuple[str, Result]]:
        """The latest results that may go out of the house: what the sender may see, and nothing of a machine that runs
        in shadow or is stopped."""
        modes, stops = self.modes(), self.stops()
        return [
            (i, r)
            for i, r in self.results(study_uid, who)
            if disclosure.visible(r, modes, locked=True) and not (r.origin.kind == "machine" and r.origin.name in stops)
        ]

    def is_silent(self, analysis: str, who: Person) -> bool:
        """Whether an analysis is one of which this person never hears while they read."""
        return not unbound(who) and not disclosure.may_leave(self.modes().of(analysis, Use.READING), locked=True)

    def tells(self, study_uid: str, analysis: str, who: Person) -> bool:
        """Whether a person may hear what an analysis answered on a study."""
        mode = self.modes().of(analysis, Use.READING)
        return unbound(who) or disclosure.may_leave(mode, locked=self.free(study_uid, who))

    def sees(self, result: Result, who: Person) -> bool:
        """Whether a person may see one result."""
        if result.study_uid in self.blinded(who) or not self._held(result.study_uid, who, "results"):
            return False
        if unbound(who):
            return True
        free = self.free(result.study_uid, who)
        return disclosure.visible(result, self.modes(), locked=free, who=who.name)

    def result(self, digest: str, who: Person) -> Result:
        """One result by its digest.

        Raises:
            NotFound: there is none, or not for this person yet; the words are the same.
        """
        try:
            found = self.index.result(digest)
        except NotFound:
            found = None
        if found is None or not self.sees(found, who):
            raise NotFound("no such result", "it may have been replaced", "load the results again")
        return found

    # ---- the worklist

    def rows(self, waiting: Sequence[lists.Waiting], who: Person) -> list[lists.Waiting]:
        """Rows as a person may see them; what they read blind stands in a list of its own and not in this one."""
        if blind := self.blinded(who):
            waiting = [w for w in waiting if w.study.uid not in blind]
        held = self.sieve(who, "worklist")
        modes, stops, all_free = self.modes(), self.stops(), unbound(who)
        hidden = frozenset() if all_free else frozenset(self._made.values())
        kept = self._kept_rows(modes, stops)
        shown = []
        for one in waiting:
            uid = one.study.uid
            if not held(uid):
                continue
            if all_free:
                how = "all"
            else:
                how = "free" if one.state in _SIGNED or (uid, who.name) in self._locks else "bound"
            before = kept[how].get(uid)
            if before is not None and before[0] is one:  # the same row, seen by somebody who may see as much of it
                shown.append(before[1])
                continue
            row = self._row(one, how, modes, stops, hidden)
            kept[how][uid] = one, row
            shown.append(row)
        return shown

    def rows_before(self, waiting: Sequence[lists.Waiting]) -> list[lists.Waiting]:
        """Rows as whoever has not given an opinion may see them: for what the house tells everybody by itself."""
        modes, stops, hidden = self.modes(), self.stops(), frozenset(self._made.values())
        return [self._row(one, "bound", modes, stops, hidden) for one in waiting]

    def _row(
        self, one: lists.Waiting, how: str, modes: Modes, stops: Mapping[str, Any], hidden: frozenset[str]
    ) -> lists.Waiting:
        if stops:
            one = unraised(one, stops)
        if how == "all":
            return one.shown(one.ai, one.raises)
        if how == "bound" and one.study.uid in hidden:
            whole = self._without(self.index.study(one.study.uid), self._made)
            one = replace(one, study=whole, modalities=whole.modalities, instances=whole.instance_count)
        return disclosure.row(one, modes, locked=how == "free")

    def _kept_rows(self, modes: Modes, stops: Mapping[str, Any]) -> dict[str, dict[str, tuple[Any, lists.Waiting]]]:
        """Rows that were made before, by how much may be seen of them: all, free, or bound by an opinion not yet given.

        They follow from what the archive knows of a study, the modes and the stops alone, and are the same for
        everybody who may see as much.
        """
        if self._rows is None or self._rows[:2] != (modes, stops) or max(map(len, self._rows[2].values())) > _MOST_ROWS:
            self._rows = modes, stops, {"all": {}, "free": {}, "bound": {}}
        return self._rows[2]

    # ---- events

    def hears(self, sealed: Sealed, who: Person) -> bool:
        """Whether a person may hear of an event: what machines do on a study is silent until it may be seen."""
        event = sealed.event
        if self.projects is not None and not self.projects.hears(sealed, who):
            return False
        if event.kind is Kind.OPINION_TYPED:
            return event.who == who.name  # it is not said yet
        if event.subject and event.subject in self.blinded(who):
            return False
        if unbound(who) or not event.subject:
            return True
        if event.kind is Kind.RESULT_MADE:
            return self.sees(self.index.result(str(event.details["result"])), who)
        if event.kind in _OF_COLLEAGUES:
            return event.who == who.name or not self.owes(event.subject, who)
        if event.kind in _OF_MACHINES or (event.kind in _TELLING and event.who != who.name):
            return self.free(event.subject, who)
        if event.kind in _OF_IMAGES:
            self._follow()  # this may be the first that is asked since they arrived
            return not set(event.details["series"]) <= set(self._made) or self.free(event.subject, who)
        return True

    # ---- images that a machine made elsewhere

    def withheld(self, who: Person) -> frozenset[str]:
        """Series that a person may not see yet."""
        self._follow()
        if unbound(who) or not self._made:
            return frozenset()
        studies = {study: self.free(study, who) for study in set(self._made.values())}
        return frozenset(series for series, study in self._made.items() if not studies[study])

    def study(self, study: Study, who: Person) -> Study:
        """A study without the series that a person may not see yet."""
        return self._without(study, self.withheld(who))

    def imaged(self, study: Study) -> Study:
        """A study without any series that a machine made elsewhere: what was imaged, the same for everybody."""
        self._follow()
        return self._without(study, self._made)

    def find(self, level: str, keys: Mapping[str, str], who: Person, **rest: Any) -> list[dict[str, Any]]:
        """A search that counts and matches nothing that a person may not see yet."""
        without = self.withheld(who)
        rows = self.index.find(level, keys, **rest, without=without, reach=self.reach(who, "find"))
        touched = {self._made[series] for series in without}
        return [self._recounted(row, without, touched) for row in rows] if touched else rows

    def found(self, level: str, keys: Mapping[str, str], who: Person, *, most: int, fuzzy: bool) -> list[str]:
        """The UIDs of a search that matches nothing that a person may not see yet."""
        hidden, reach = self.withheld(who), self.reach(who, "find")
        return self.index.found(level, keys, limit=most, fuzzy=fuzzy, without=hidden, reach=reach)

    def counted(self, counts: Mapping[str, int], who: Person) -> dict[str, int]:
        """How much the archive holds: to whoever reads, studies, series and images that they may know of.

        What is kept beside images (results, bytes, entries of the journal) grows with what machines find.
        """
        if unbound(who):
            return dict(counts)
        without = self.withheld(who)
        held = self.sieve(who, "find")
        studies = [self.index.study(uid) for uid in {self._made[series] for series in without} if held(uid)]
        lost = [s for study in studies for s in study.series if s.uid in without]
        less = {"studies": 0, "series": len(lost), "instances": sum(len(s.instances) for s in lost)}
        return {what: counts[what] - n for what, n in less.items()}

    def _recounted(self, row: dict[str, Any], without: frozenset[str], touched: set[str]) -> dict[str, Any]:
        if "StudyInstanceUID" not in row:
            mine = {s.uid for s in self.index.studies({"PatientID": str(row["PatientID"])}, limit=_PAGE)} & touched
            lost = [s for uid in mine for s in self.index.study(uid).series if s.uid in without]
            counts = {"Series": len(lost), "Instances": sum(len(s.instances) for s in lost)}
            return {**row, **{n: row[n] - c for k, c in counts.items() for n in [f"NumberOfPatientRelated{k}"]}}
        if row["StudyInstanceUID"] not in touched:
            return row
        left = self._without(self.index.study(str(row["StudyInstanceUID"])), without)
        return {
            **row,
            "ModalitiesInStudy": list(left.modalities),
            "NumberOfStudyRelatedSeries": len(left.series),
            "NumberOfStudyRelatedInstances": left.instance_count,
        }

    @staticmethod
    def _without(study: Study, series: Iterable[str]) -> Study:
        gone = set(series)
        left = tuple(s for s in study.series if s.uid not in gone)
        return study if len(left) == len(study.series) else replace(study, series=left)


def taken_back(result: Result) -> bool:
    """Whether a result is nothing but a person's own finding that they took back."""
    return bool(result.replaces) and not (result.findings or result.measurements or result.machine.analysis)


def unraised(waiting: lists.Waiting, stops: Mapping[str, Any]) -> lists.Waiting:
    """A row of the worklist as if analyses that are stopped had raised nothing."""
    if not any(raised.analysis in stops for raised in waiting.raises):
        return waiting
    said = tuple(one._replace(raises=()) if one.analysis in stops else one for one in waiting.said)
    return replace(waiting, raises=tuple(r for r in waiting.raises if r.analysis not in stops), said=said)


def unbound(who: Person) -> bool:
    """Whether the rule does not bind a person: the house itself, and roles that do not read."""
    return who is HOUSE or may(who, "unveiled")


def _may_be_machines(details: Mapping[str, Any]) -> bool:
    return any(one.get("modality") in ("SEG", "SR") for one in details.get("series", {}).values())
