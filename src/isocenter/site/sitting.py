"""A reader's sitting with one study: how it stands, what fits it, and how an act on it happens.

The verbs of a reading are made on this (`desk`, `reporting`); the site that is made of them brings what they work on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.analysis import plan as planning
from isocenter.analysis.drawn_elsewhere import draws_on, with_outlines
from isocenter.analysis.registry import Registry
from isocenter.errors import Conflict
from isocenter.govern.policy import Person
from isocenter.reading import session
from isocenter.record import Event, Kind, Sealed, Study
from isocenter.site.disclosing import Disclosing
from isocenter.site.projecting import Projects
from isocenter.site.showing import Showing
from isocenter.site.witnessing import Witness

if TYPE_CHECKING:
    from isocenter.analysis.protocol import Analysis
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Sitting"]

_HISTORY = 100  # studies of one patient that a comparison looks through
_LATEST_ACTS = 50  # of one person on one study, among which an act that is sent again is looked for
_ACTS = (Kind.OPINION_LOCKED, Kind.RESULT_MADE, Kind.REPORT_DRAFTED, Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)


class Sitting:
    """What every verb of a reading stands on."""

    blobs: Blobs
    journal: Journal
    index: Index
    registry: Registry
    clock: Callable[[], datetime]
    projects: Projects
    showing: Showing
    _disclosing: Disclosing
    _witness: Witness
    _fits: dict[str, tuple[datetime | None, planning.Plan]]

    def _tell(self, kind: Kind, who: str, subject: str, **details: Any) -> None:
        self.journal.append(Event(kind, self.clock(), who, subject, details))

    def _earlier(self, study: Study, chosen: Sequence[Analysis]) -> tuple[Study, ...]:
        """Earlier studies of the patient, whole, the newest first; none where no analysis looks back."""
        if not planning.looks_back(chosen):
            return ()
        others = [study, *self._of_its_number(study)]
        before = planning.earlier_of(study, others)
        return tuple(self._with_outlines(self.index.study(s.uid), among=others) for s in before)

    def _before(self, study: Study) -> tuple[Study, ...]:
        """Earlier studies of the patient without their series, the newest first."""
        return planning.earlier_of(study, self._of_its_number(study))

    def _not_compared(self, study: Study, chosen: Sequence[Analysis]) -> tuple[str, ...]:
        """What is no earlier study of the patient though it bears their number, in words."""
        return planning.not_compared(study, self._of_its_number(study)) if planning.looks_back(chosen) else ()

    def _with_outlines(
        self, study: Study, seen: Callable[[Study], Study] = lambda held: held, among: Sequence[Study] | None = None
    ) -> Study:
        """A study with what was drawn on its images and filed under another Study Instance UID.

        Args:
            seen: what somebody may know of that other study.
            among: the studies of the patient, where they are known.
        """
        others = self._of_its_number(study) if among is None else among
        return with_outlines(study, [seen(self.index.study(one.uid)) for one in others if draws_on(one, study)])

    def _of_its_number(self, study: Study) -> list[Study]:
        """Other studies of the same patient number, whole only where the day is asked of their series."""
        if not study.patient.id:
            return []
        mine = self.projects.home(study.uid)  # what is said of a study must not tell of one in another project
        others = self.index.studies({"PatientID": study.patient.id}, limit=_HISTORY, order="-date")
        others = [one for one in others if one.uid != study.uid and self.projects.home(one.uid) == mine]
        return [one if one.date else self.index.study(one.uid) for one in others]

    def _source(self, sop_uid: str) -> bytes:
        return self.blobs.kept(self.index.instance(sop_uid)[2].digest)

    def _reading(self, study_uid: str, who: Person) -> session.Reading:
        row = self.index.reading(study_uid)
        last = self.journal.since(subject=study_uid, who=str(row["by"] or ""), limit=1, newest_first=True)
        known = session.Reading.of(study_uid, row, last[0].event.time if last and row["by"] else None)
        locked = self._disclosing.locked(study_uid, who)
        due = locked is None and known.state in ("waiting", "open")  # once given it is asked for no more
        asked = due and self._disclosing.asks(study_uid, self._fitting_one_by_one(study_uid))
        return replace(known, asked=asked, locked=locked)

    def _fitting_one_by_one(self, study_uid: str) -> Iterator[str]:
        """Names of the analyses that fit the study by its headers, each planned when it is asked for."""
        if study_uid in self._fits or self.registry.loaded:
            yield from (b.analysis for b in self._fitting(study_uid).bindings)
            return
        alone = self._disclosing.imaged(self.index.study(study_uid))
        study = self._with_outlines(alone, self._disclosing.imaged)
        for analysis in self.registry.each():
            yield from (b.analysis for b in planning.plan([analysis], study, self._earlier(study, [analysis])).bindings)

    def _fitting(self, study_uid: str) -> planning.Plan:
        """Which analyses fit the study by its headers; made again when more has arrived."""
        brief = self.index.studies({"StudyInstanceUID": study_uid}, limit=1)
        held = self._fits.get(study_uid)
        if held is None or not brief or held[0] != brief[0].arrived:
            alone = self._disclosing.imaged(self.index.study(study_uid))  # NotFound where there is none
            study = self._with_outlines(alone, self._disclosing.imaged)
            chosen = list(self.registry.analyses.values())
            held = study.arrived, planning.plan(chosen, study, self._earlier(study, chosen))
            self._fits[study_uid] = held
        return held[1]

    def once(self, study_uid: str, act: str, do: Callable[[], session.Reading], *, who: Person) -> session.Reading:
        """Do an act of a person unless it was done already: its answer was lost on the way, or is still being made.

        Args:
            act: the name that the asker drew for it; an empty one is always done.

        Raises:
            Conflict: another act came first, and it was not this one.
        """
        if self._acts(study_uid, act, who):
            return self._reading(study_uid, who)
        try:
            return do()
        except Conflict:
            if self._acts(study_uid, act, who):  # the first asking was still at work when it was asked again
                return self._reading(study_uid, who)
            raise

    def _acts(self, study_uid: str, act: str, who: Person) -> list[Sealed]:
        """What this person has done already under that name, among the latest of theirs on the study; newest first."""
        if not act:
            return []
        mine = self.journal.since(subject=study_uid, who=who.name, kinds=_ACTS, limit=_LATEST_ACTS, newest_first=True)
        return [sealed for sealed in mine if sealed.event.details.get("act") == act]

    def _happened(
        self, reading: session.Reading, events: Sequence[Event], who: Person, *, act: str = ""
    ) -> session.Reading:
        """Tell the journal what happened, under the name of the act that it was, if it has one."""
        if act:
            events = [replace(one, details={**one.details, "act": act}) for one in events]
        if events:  # `seen` makes the database itself the judge where two processes race
            self.journal.append(*events, seen=reading.version)
        return self._reading(reading.study_uid, who)
