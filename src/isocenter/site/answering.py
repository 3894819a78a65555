"""Which analysis answered what on a study, and why the others did not: each need, met or not, with the value seen."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from isocenter.analysis import plan as planning
from isocenter.analysis.describing import of_other_picture
from isocenter.analysis.need import Check
from isocenter.govern.policy import Person, must
from isocenter.reading.disclosure import AFTER
from isocenter.reading.worklist import STRUCK
from isocenter.record import Kind, Result, Study, Verdict
from isocenter.site.gating import Gating
from isocenter.site.sitting import Sitting

__all__ = ["Answers"]


class Answers(Sitting):
    """What a person can ask about the analyses of one study."""

    gating: Gating

    def planned(self, study_uid: str, *, who: Person) -> planning.Plan:
        """Which analysis runs on which series, and why the others do not. Asks only; nothing is recorded."""
        must(who, "plan", study_uid)
        study = self._seen_whole(study_uid, who)
        chosen = list(self.registry.analyses.values())
        return planning.plan(chosen, study, self._earlier(study, chosen), self._not_compared(study, chosen))

    def why(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        """Each analysis with its answer on this study: found, struck (by whom), none, declined (with reasons), waiting;
        or that it is told after one's own opinion, which is the same whatever it said."""
        must(who, "plan", study_uid)
        study = self._seen_whole(study_uid, who)
        said = self._disclosing.results(study_uid, who)
        rows = []
        chosen = [a for a in self.registry.analyses.values() if not self._disclosing.is_silent(a.name, who)]
        earlier, stops = self._earlier(study, chosen), self.gating.stops()
        asked = planning.plan(chosen, study, earlier, self._not_compared(study, chosen))
        for binding in asked.bindings:
            series = tuple(uid for uids in binding.series.values() for uid in uids)
            about = [(d, r) for d, r in said if not of_other_picture(r, study, binding.image)]
            answer, reasons = self._answer(study_uid, binding.analysis, series, about, who)
            if answer == "waiting" and (stop := stops.get(binding.analysis)):
                answer, reasons = "declined", (stop.sentence(),)
            named = [s.named for s in study.series if s.uid in series]
            said_now = self._said(binding.analysis, series, about) if answer in ("found", STRUCK, "none") else None
            row = self._answer_row(binding.analysis, answer, reasons, series)
            rows.append({**row, "on": named, **(_counted(said_now) if said_now else {})})
        for declined in asked.declined:
            row = self._answer_row(declined.analysis, "declined", declined.sentences(), ())
            analysis = self.registry.get(declined.analysis)
            held = planning.checked(analysis, study, earlier)
            checks = [_check_row(need, check) for need in held for check in need.checks]
            rows.append({**row, "near": planning.closest(analysis, study, earlier) is not None, "checks": checks})
        return rows

    def _seen_whole(self, study_uid: str, who: Person) -> Study:
        """What somebody may know of a study, with what was drawn on its images elsewhere."""

        def seen(study: Study) -> Study:
            return self._disclosing.study(study, who)

        return self._with_outlines(seen(self.index.study(study_uid)), seen)

    def _answer(
        self, study_uid: str, analysis: str, series: tuple[str, ...], said: Sequence[tuple[str, Result]], who: Person
    ) -> tuple[str, tuple[str, ...]]:
        if not self._disclosing.tells(study_uid, analysis, who):
            return AFTER, ("it is told after your own opinion",)
        told = self._said(analysis, series, said)
        if told is None:
            return self._unsaid(study_uid)
        if told.answer is not told.outcome:
            return STRUCK, (f"what it found was struck by {told.origin.name}",)
        return told.answer.value, told.reasons

    @staticmethod
    def _said(analysis: str, series: tuple[str, ...], said: Sequence[tuple[str, Result]]) -> Result | None:
        """The latest that an analysis said of these series, also as a person corrected it."""
        mine = [r for _, r in said if r.receipt.series == series and r.machine.analysis == analysis]
        return mine[-1] if mine else None

    def _unsaid(self, study_uid: str) -> tuple[str, tuple[str, ...]]:
        last = self.journal.since(
            subject=study_uid, kinds=(Kind.PLANNED, Kind.ANALYSIS_FAILED), limit=1, newest_first=True
        )
        if last and last[0].event.kind is Kind.ANALYSIS_FAILED:
            return "failed", (f"{last[0].event.details['reason']}; it is tried again at the next start",)
        return "waiting", ("its turn has not come yet",)

    def _answer_row(self, name: str, answer: str, reasons: Sequence[str], series: Sequence[str]) -> dict[str, Any]:
        about = (type(self.registry.get(name)).__doc__ or "").strip().splitlines()[0]
        return {
            "analysis": name, "version": self.registry.get(name).version, "about": about, "answer": answer,
            "reasons": list(reasons), "series": list(series),
        }  # fmt: skip


def _counted(said: Result) -> dict[str, Any]:
    """Which version said it, and how many findings and numbers of the whole stand."""
    standing = sum(f.verdict is not Verdict.STRUCK for f in said.findings)
    return {"version": said.machine.version, "findings": standing, "numbers": len(said.measurements)}


def _check_row(need: planning.Checked, check: Check) -> dict[str, Any]:
    return {
        "need": need.need, "optional": need.optional, "predicate": check.predicate, "wanted": check.wanted,
        "found": check.found, "met": check.met,
    }  # fmt: skip
