"""An analysis run for research on a study that it declined, because a person asked for it.

It declined because the images are none that it was shown to work on: slices too thick, too few of them, another part of
the body. What comes out all the same is no result: it is kept in the journal alone, as words, and stands beside the
analysis on *why was this not analysed*. No report, worklist, overlay, cohort, figure of a model, or system to which
results are sent ever reads it, since all of these read results.
"""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

from isocenter.analysis import plan as planning
from isocenter.analysis.need import Unmet
from isocenter.analysis.registry import address
from isocenter.analysis.run import Request, run, run_apart
from isocenter.errors import NotFound, Refused, WrongState
from isocenter.forms.words import quantity
from isocenter.govern.consent import Purpose
from isocenter.govern.policy import Person, must
from isocenter.record import Finding, Kind, Result
from isocenter.site.answering import Answers
from isocenter.site.loading import Loading

if TYPE_CHECKING:
    from isocenter.site.consenting import Consenting
    from isocenter.store.blobs import Blobs

__all__ = ["Researching"]

_MOST = 1000  # runs that are told of one study


class Researching(Answers):
    """What a person can have run beside the plan of a study."""

    consents: Consenting
    blobs: Blobs
    shelf: str
    apart: bool

    def researchable(self, study_uid: str, analysis: str, *, who: Person) -> tuple[planning.Binding, tuple[Unmet, ...]]:
        """Go on only if an analysis can be run on a study for research now: on which series, what these lack.

        Raises:
            NotFound: no such study, or no analysis of which this person hears. Refused: it is stopped; it fits the
                study and is run by itself; no series comes near enough; or the patient's terms allow no research.
            WrongState: the person still owes their own opinion.
        """
        must(who, "analyse", study_uid)
        study = self._with_outlines(self._disclosing.imaged(self.index.study(study_uid)), self._disclosing.imaged)
        if self._disclosing.owes(study_uid, who):
            raise WrongState(
                "an analysis run for research", "your own opinion comes first here", "lock it, and ask again"
            )
        held = self.registry.get(analysis)
        if self._disclosing.is_silent(analysis, who):
            raise Refused(
                f"the analysis '{analysis}'",
                "it runs in shadow here, and readers see nothing of it",
                "ask an administrator to release it, or wait until it is",
            )
        if stop := self.gating.stops().get(analysis):
            raise Refused(f"the analysis '{analysis}'", stop.sentence(), "another person can start it again")
        self.consents.allowed(study_uid, Purpose.RESEARCH, who=who)
        earlier = self._earlier(study, [held])
        if planning.plan([held], study, earlier).bindings:
            raise Refused(f"the analysis '{analysis}' for research", "it fits this study", "it is run by itself")
        near = planning.closest(held, study, earlier)
        if near is None:
            raise Refused(
                f"the analysis '{analysis}' for research", "no series of this study is of the kind that it works on",
                "look at what it needs",
            )  # fmt: skip
        return near

    def research(self, study_uid: str, analysis: str, *, who: Person) -> dict[str, Any]:
        """Run an analysis on the series that come nearest to what it needs, and keep what it says for research.

        Raises:
            as `researchable`.
        """
        binding, unmet = self.researchable(study_uid, analysis, who=who)
        held = self.registry.get(analysis)
        study = self._with_outlines(self._disclosing.imaged(self.index.study(study_uid)), self._disclosing.imaged)
        earlier = self._earlier(study, [held])
        load = Loading(study, held.needs, binding.series, self.blobs.kept, earlier, binding.image)
        series = tuple(uid for uids in binding.series.values() for uid in uids)
        request = Request(address(held), study_uid, load, self.clock(), {}, load.digests, series, self.shelf)
        made = (run_apart(request) if self.apart else run(request, held)).result
        told = {
            "analysis": analysis, "version": held.version, "series": list(series), "answer": made.outcome.value,
            "findings": len(made.findings), "said": _said(made),
            "unmet": [str(one) for one in unmet],
        }  # fmt: skip
        self._tell(Kind.RESEARCH_RUN, who.name, study_uid, **told)
        return told

    def unresearched(self, study_uid: str, analysis: str, why: str, *, name: str) -> None:
        """A run that was promised did not come about: whoever asked for it reads why where the answer would stand."""
        with suppress(NotFound):  # of a study that is gone there is nobody to tell
            self.index.study(study_uid)
            self._tell(
                Kind.RESEARCH_RUN, name, study_uid, analysis=analysis, version="", series=[], answer="refused",
                findings=0, said=[why], unmet=[],
            )  # fmt: skip

    def researched(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        """What was run for research on a study, the newest first; nothing while one's own opinion is owed."""
        must(who, "plan", study_uid)
        if self._disclosing.owes(study_uid, who):
            return []
        told = self.journal.since(subject=study_uid, kinds=(Kind.RESEARCH_RUN,), limit=_MOST, newest_first=True)
        study = self._disclosing.study(self.index.study(study_uid), who)
        named = {one.uid: one.named for one in study.series}
        return [
            {**s.event.details, "by": s.event.who, "when": s.event.time.isoformat(),
             "on": [named[uid] for uid in s.event.details["series"] if uid in named]}
            for s in told if not self._disclosing.is_silent(s.event.details["analysis"], who)
        ]  # fmt: skip


def _said(made: Result) -> list[str]:
    """Remarks, findings with their numbers, and numbers of the whole, each as a line."""
    return [*made.reasons, *(_finding(one) for one in made.findings), *(quantity(one) for one in made.measurements)]


def _finding(one: Finding) -> str:
    return "; ".join([one.words or str(one.what), *(quantity(of) for of in one.measurements)])
