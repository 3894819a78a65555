"""The verbs of analysis: plan and run what fits a study, and show what came out."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from isocenter.analysis import plan as planning
from isocenter.analysis.apart import without_places
from isocenter.analysis.describing import of_other_picture, same_asking, same_question
from isocenter.analysis.drawn_elsewhere import draws_on, has_outlines, told_of_outlines
from isocenter.analysis.protocol import own
from isocenter.analysis.registry import address
from isocenter.analysis.run import Request, run, run_apart
from isocenter.errors import NotFound, Refused
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.record import Kind, Result, Study, canonical, digest_of, to_plain
from isocenter.site.answering import Answers
from isocenter.site.loading import Loading
from isocenter.site.rereading import Rereading
from isocenter.site.showing import Showing
from isocenter.site.witnessing import Witness

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

__all__ = ["Analysing", "fingerprint"]


class Analysing(Answers):
    """What machines are asked and answer; the site that is made of it brings what it works on."""

    _witness: Witness
    showing: Showing
    rereading: Rereading
    shelf: str
    apart: bool

    def analyse(
        self,
        study_uid: str,
        *,
        who: Person,
        only: str = "",
        parameters: Mapping[str, Any] | None = None,
        told: Callable[[str, int, int], None] = lambda name, done, of: None,
    ) -> list[tuple[str, Result]]:
        """Run what the plan binds. What was already answered by the same version on the same bytes is not run again.

        Args:
            only: name of one analysis; empty for all.
            parameters: each goes to the analyses that have one of its name.
            told: progress: name, runs done, runs in all.
        """
        must(who, "analyse", study_uid)
        alone = self._with_places(self.index.study(study_uid))
        study = self._with_outlines(alone)
        self._fits.pop(study_uid, None)  # what was drawn and filed elsewhere has come since, it may be
        chosen = [self.registry.get(only)] if only else list(self.registry.analyses.values())
        stops = self.gating.stops()
        if only and only in stops:
            by_gate = only not in self._disclosing.stops()
            gate = f"see what is missing: isocenter release {getattr(chosen[0], 'weights', '')} --show"
            do = gate if by_gate else "another person can start it again"
            raise Refused(f"the analysis '{only}'", stops[only].sentence(), do)
        given = own(parameters or {}, chosen)
        chosen = [a for a in chosen if a.name not in stops]
        earlier = tuple(self._with_places(was) for was in self._earlier(study, chosen))
        plan = planning.plan(chosen, study, earlier, self._not_compared(study, chosen))
        self._tell(
            Kind.PLANNED, who.name, study_uid, fingerprint=fingerprint(alone),
            bindings=[{"analysis": b.analysis, "series": to_plain(b.series)} for b in plan.bindings],
            declined=[{"analysis": d.analysis, "reasons": list(d.sentences())} for d in plan.declined],
        )  # fmt: skip
        made: list[tuple[str, Result]] = []
        for number, binding in enumerate(plan.bindings):
            told(binding.analysis, number, len(plan.bindings))
            if binding.analysis not in self.gating.stops():  # somebody may stop one while another runs
                made += self._run(study, earlier, binding, given[binding.analysis], who)
        return [(i, r) for i, r in made if self._disclosing.sees(r, who)]

    def _with_places(self, study: Study) -> Study:
        """A study of which it is known where the frames of its PETs lie: what came before that was asked of headers is
        read again here, for a plan knows beds and times by it.

        Raises:
            Unavailable: disk or database said no.
        """
        images = [uid for series in study.series for uid in without_places(series)]
        if not images or not self.rereading.again(study.uid, images, who=HOUSE):
            return study
        return self.index.study(study.uid)

    def _run(
        self,
        study: Study,
        earlier: tuple[Study, ...],
        binding: planning.Binding,
        given: Mapping[str, Any],
        who: Person,
    ) -> list[tuple[str, Result]]:
        """The answer that is there or is made; none where the analysis was stopped while it ran."""
        analysis = self.registry.get(binding.analysis)
        load = Loading(study, analysis.needs, binding.series, self.blobs.kept, earlier, binding.image)
        series = tuple(uid for uids in binding.series.values() for uid in uids)
        said = [
            (d, r)
            for d, r in self.index.results(study.uid, replaced=True)
            if not of_other_picture(r, study, binding.image)
        ]
        after = {r.replaces: r.origin.kind for _, r in said}
        answered = [(d, r) for d, r in said if same_question(r, analysis.name, series) and after.get(d) != "machine"]
        before = [(d, r) for d, r in answered if d not in after]
        for digest, result in answered:  # also one that a person has corrected: it is not asked again behind their back
            current = digest in after or not self._is_outdated(result)
            same = result.receipt.inputs == load.digests and same_asking(result, analysis, given, self.shelf)
            if same and current:
                return [(digest, result)]
        request = Request(
            address(analysis), study.uid, load, self.clock(), given, load.digests, series, self.shelf,
            told=(*self._not_compared(study, [analysis]), *told_of_outlines((study, *earlier), series)),
        )  # fmt: skip
        done = run_apart(request) if self.apart else run(request, analysis)
        if analysis.name in self.gating.stops():
            return []
        result = replace(done.result, replaces=before[-1][0] if before else "")
        if done.blobs:
            self.blobs.put_many(list(done.blobs.values()), of=study.uid)
        return [(self._keep(result, who.name), result)]

    def drawn_on(self, study_uid: str) -> dict[str, str]:
        """Studies on whose images outlines of this one were drawn, each with the digest of all that this one holds.

        They are analysed again once these have arrived.
        """
        study = self.index.study(study_uid)
        others = self._of_its_number(study) if has_outlines(study) else ()
        return {one.uid: fingerprint(study) for one in others if draws_on(study, one)}

    def outdated(self, *, who: Person) -> dict[str, list[str]]:
        """Answers that were computed before more was learnt from the headers of their series: study -> analyses.

        Only answers that stand are told: one that a person has corrected is theirs.
        """
        must(who, "site")
        learnt = {sealed.event.subject for sealed in self.journal.each(kinds=(Kind.HEADERS_LEARNT,))}
        found = {
            uid: sorted({r.origin.name for _, r in self.index.results(uid) if self._is_outdated(r)})
            for uid in sorted(learnt)
        }
        return {uid: names for uid, names in found.items() if names}

    def _is_outdated(self, result: Result) -> bool:
        """Whether a machine gave it before more was learnt from the headers of the series that it is about."""
        if result.origin.kind != "machine":
            return False
        of = set(result.receipt.series)
        told = self.journal.since(subject=result.study_uid, kinds=(Kind.HEADERS_LEARNT,), newest_first=True)
        return any(s.event.time > result.made and of & set(s.event.details.get("series", ())) for s in told)

    def _keep(self, result: Result, who: str) -> str:
        digest = self.blobs.put(canonical(result), of=result.study_uid)
        self._tell(Kind.RESULT_MADE, who, result.study_uid, result=digest)
        return digest

    def failed(self, study_uid: str, reason: str) -> None:
        """An analysis of this study could not even be tried; the reason is kept and shown."""
        self._tell(Kind.ANALYSIS_FAILED, HOUSE.name, study_uid, reason=reason[:500])

    def failures(self) -> list[str]:
        """Studies whose last attempt at analysis failed."""
        tried = self.journal.each(kinds=(Kind.PLANNED, Kind.ANALYSIS_FAILED))
        state = {s.event.subject: s.event.kind for s in tried}
        return [study for study, last in state.items() if last is Kind.ANALYSIS_FAILED]

    def known(self, study_uid: str) -> str:
        """Digest of what is known of a study: another one when images came, or more was learnt from their headers."""
        held = fingerprint(self.index.study(study_uid))
        last = self.journal.since(subject=study_uid, kinds=(Kind.HEADERS_LEARNT,), newest_first=True, limit=1)
        return digest_of([held, last[0].number]) if last else held

    def results(self, study_uid: str, *, who: Person) -> list[tuple[str, Result]]:
        """Latest of each chain, newest last; what may not be shown yet is not in it."""
        must(who, "results", study_uid)
        self._witness.look(who, study_uid, "results")
        return self._disclosing.results(study_uid, who)

    def result(self, digest: str, *, who: Person) -> Result:
        """One result by its digest."""
        must(who, "results", digest)
        found = self._disclosing.result(digest, who)
        self._witness.look(who, found.study_uid, "results")
        return found

    def map_of(self, result: str, name: str, *, who: Person) -> npt.NDArray[np.float32]:
        """Values of a map, float32 on its grid.

        Raises:
            NotFound: there is none of that name. Refused: it is one of sensitivity that may not be shown (`Showing`).
        """
        import io

        import numpy as np

        told = self.result(result, who=who)
        for held in told.maps:
            if held.name == name:
                self.showing.must_show(told, name)
                values: npt.NDArray[np.float32] = np.load(io.BytesIO(self.blobs.kept(held.digest)), allow_pickle=False)
                return values
        raise NotFound(
            f"map '{name}'",
            f"result {result[:12]} has none of that name",
            "look at the result for the names of its maps",
        )


def fingerprint(study: Study) -> str:
    """Digest of what a study holds: the same bytes give the same, whatever the order of arrival."""
    return digest_of(sorted(i.digest for s in study.series for i in s.instances))
