"""The verbs of a reading: worklist, open, lock, correct, sign; and how each analysis is used here.

They are verbs of the site (`Site` is made of them), in a file of their own because they are about one person at one
study. What a person may see while they read is asked of `isocenter.site.disclosing`, and of nobody else.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound, WrongState
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.learn.images_of_reports import image_of, lies_on
from isocenter.population.table import count_of
from isocenter.reading import (
    comparison,
    consultation,
    critical,
    disclosure,
    escalation,
    numbering,
    one_segment,
    opinion,
    session,
    undoing,
)
from isocenter.reading import report as reports
from isocenter.reading import worklist as lists
from isocenter.reading.confirmed import Confirmed, Experience
from isocenter.reading.critical import Communication
from isocenter.reading.disclosure import Mode, Modes, Use
from isocenter.reading.opinion import Opinion
from isocenter.record import (
    Code,
    Event,
    Kind,
    Outcome,
    Result,
    Urgency,
    Verdict,
    canonical,
    from_plain,
    to_plain,
)
from isocenter.site.answering import Answers
from isocenter.site.gating import Gating
from isocenter.site.listing import Listing
from isocenter.site.preferring import Preferences
from isocenter.site.reporting import Reports
from isocenter.site.staff import Staff

if TYPE_CHECKING:
    pass

__all__ = ["Desk"]


class Desk(Reports, Answers):
    """What a reader can do; the site that is made of it brings what it works on."""

    preferences: Preferences
    staff: Staff
    gating: Gating
    _listing: Listing
    _experience: Experience

    # ---- how analyses are used -------------------------------------------------------------------------------

    def modes(self, *, who: Person) -> Modes:
        """How each analysis is used here, and which changes wait for a second person."""
        must(who, "modes")
        return self._disclosing.modes()

    def propose_mode(self, analysis: str, use: Use, mode: Mode, *, reason: str, who: Person) -> Modes:
        """Change how an analysis is used: to *shadow* at once, to anything else once a second person confirms it."""
        must(who, "mode", analysis)
        self.registry.get(analysis)
        self.gating.must_stay_unseen(analysis, mode)
        modes = self._disclosing.modes()
        self.journal.append(
            disclosure.propose(modes, analysis, use, mode, reason=reason, who=who.name, now=self.clock())
        )
        return self._disclosing.modes()

    def confirm_mode(self, analysis: str, use: Use, number: int, *, who: Person) -> Modes:
        """Agree, as a second person, to a proposed change."""
        must(who, "mode", analysis)
        modes = self._disclosing.modes()
        if asked := modes.proposals.get((analysis, use)):
            self.gating.must_stay_unseen(analysis, asked.mode)
        self.journal.append(disclosure.confirm(modes, analysis, use, number, who=who.name, now=self.clock()))
        return self._disclosing.modes()

    def set_mode(self, analysis: str, use: Use, mode: Mode, *, reason: str) -> None:
        """The house itself sets a mode where the site has not said anything yet: for its demonstration."""
        modes = self._disclosing.modes()
        if (analysis, use) not in modes.set and modes.of(analysis, use) is not mode:
            details = {"use": use.value, "mode": mode.value, "was": modes.of(analysis, use).value, "reason": reason}
            self.journal.append(Event(Kind.MODE_SET, self.clock(), HOUSE.name, analysis, details))

    # ---- the worklist ----------------------------------------------------------------------------------------

    def worklist(self, *, who: Person, with_ai: bool = True) -> Sequence[lists.Entry]:
        """Studies that wait to be read, most urgent first with the reason."""
        must(who, "worklist")
        self._witness.search(who, "WORKLIST", ())
        now, limits = self.clock(), self._limits()

        def ordered(waiting: Sequence[lists.Waiting]) -> lists.Queue:
            return lists.order(self._disclosing.rows(waiting, who), now, with_ai=with_ai, limits=limits)

        # What depends on the time beside the order itself stands in the question: broken glass ends.
        reach = self._disclosing.reach(who, "worklist")
        return self._listing.queue((who, with_ai, tuple(limits.items()), reach), now, ordered)

    def worklist_counts(self, *, who: Person) -> dict[str, int | None]:
        """How many studies of each class wait in the projects of whoever may not see the list itself; None where few.

        A study is counted in the class that a person asked for: what a machine raised is told by no number.
        """
        must(who, "worklist_counts")
        self._witness.search(who, "WORKLIST", ())
        held = self._disclosing.sieve(who, "worklist_counts")
        blind = self._disclosing.blinded(who)
        many = Counter(
            lists.requested(one.study)
            for one in self._listing.waiting()
            if one.state != "signed" and held(one.study.uid) and one.study.uid not in blind
        )
        return {level.value: count_of(many[level]) for level in Urgency}

    def due(self, study_uid: str, *, who: Person) -> tuple[Urgency, datetime] | None:
        """The class of a study and when it should be read, as its row of this person's worklist has them; None once it
        is signed, or where they read it blind."""
        must(who, "reading", study_uid)
        waiting = self._disclosing.rows(self._listing.of(study_uid), who)
        for row in lists.order(waiting, self.clock(), with_ai=True, limits=self._limits()):
            return (row.level, row.due) if row.due else None
        return None

    def underway(self, shares: Mapping[str, float], *, who: Person) -> dict[str, float]:
        """How far the analysis of studies has come, as their rows of this person's worklist may say it.

        Nothing is said where the person may not yet hear of every analysis that runs: how long one takes, and what
        is still to come, would be a word of it.

        Args:
            shares: studies that are being analysed now, each with the share of its analyses that have answered.
        """
        must(who, "worklist")
        held, blind = self._disclosing.sieve(who, "worklist"), self._disclosing.blinded(who)
        return {
            study: share for study, share in shares.items()
            if held(study) and study not in blind and self._hears_all_that_runs(study, who)
        }  # fmt: skip

    def _hears_all_that_runs(self, study_uid: str, who: Person) -> bool:
        last = self.journal.since(subject=study_uid, kinds=(Kind.PLANNED,), newest_first=True, limit=1)
        planned = last[0].event.details.get("bindings", ()) if last else ()
        return bool(planned) and all(self._disclosing.tells(study_uid, one["analysis"], who) for one in planned)

    def _limits(self) -> Mapping[Urgency, timedelta]:
        return lists.limits_of(self.preferences.site_wide().get("limits_min") or {})

    # ---- one reading -----------------------------------------------------------------------------------------

    def reading(self, study_uid: str, *, who: Person) -> session.Reading:
        """The state of a study's reading, and whether this person's own opinion is asked for and given."""
        must(who, "reading", study_uid)
        self._disclosing.must_not_be_blind(study_uid, who)
        self.index.study(study_uid)
        return self._reading(study_uid, who)

    def open(self, study_uid: str, *, who: Person) -> session.Reading:
        """Take the study; nobody else can until it is signed or left."""
        must(who, "open", study_uid)
        self.index.study(study_uid)
        reading = self._reading(study_uid, who)
        return self._happened(reading, session.open_reading(reading, who.name, self.clock()), who)

    def assign(self, study_uid: str, to: str, *, who: Person) -> session.Reading:
        """Ask a colleague who may read to read the study; an empty name asks nobody any more."""
        must(who, "assign", study_uid)
        self.index.study(study_uid)
        colleagues = self.staff.colleagues(who=who)
        if to and to not in {one.name for one in colleagues if self.projects.holds(study_uid, one, "open")}:
            raise NotFound(f"a reader '{to:.64}'", "nobody of that name may read here", "choose one of the readers")
        reading = self._reading(study_uid, who)
        return self._happened(reading, session.assign(reading, to, who.name, self.clock()), who)

    def lapse(self, study_uid: str, *, version: int, who: Person) -> session.Reading:
        """Leave the study unsigned; corrections are kept."""
        must(who, "lapse", study_uid)
        reading = self._reading(study_uid, who)
        return self._happened(reading, session.lapse(reading, who.name, self.clock(), version=version), who)

    def lock(
        self, study_uid: str, *, version: int, line: str = "", nothing: bool = False, act: str = "", who: Person
    ) -> session.Reading:
        """Lock one's first opinion: from now on this reader sees what machines say of the study.

        Args:
            act: a name that the asker draws for this one act; sent again after a lost answer, it is not done twice.
        """
        must(who, "lock", study_uid)
        return self.once(study_uid, act, lambda: self._locked(study_uid, version, line, nothing, act, who), who=who)

    def _locked(self, study_uid: str, version: int, line: str, nothing: bool, act: str, who: Person) -> session.Reading:
        reading = self._reading(study_uid, who)
        own = [(i, r) for i, r in self._disclosing.results(study_uid, who) if _is_own(r, who)]
        given = opinion.lock(
            reading, own, who.name, self.clock(), version=version, line=line, nothing=nothing,
            modes=self._modes_here(study_uid), consulted=self._consulted(study_uid, who),
        )  # fmt: skip
        locked = opinion.locked(reading, given, self.blobs.put(canonical(given), of=study_uid))
        return self._happened(reading, (locked,), who, act=act)

    def type_line(self, study_uid: str, line: str, *, who: Person) -> None:
        """Keep the line of one's first opinion as it is typed: nobody else sees it, and the locked one replaces it."""
        must(who, "lock", study_uid)
        self.index.study(study_uid)
        self.journal.append(opinion.typed(self._reading(study_uid, who), line, who.name, self.clock()))

    def typed_line(self, study_uid: str, *, who: Person) -> str:
        """The line that this person was typing on the study, while it is theirs and not locked; else empty."""
        must(who, "lock", study_uid)
        self.index.study(study_uid)
        kinds = (Kind.OPINION_TYPED, Kind.OPINION_LOCKED)
        return opinion.typed_line(
            self.journal.since(subject=study_uid, who=who.name, kinds=kinds, limit=1, newest_first=True)
        )

    def _consulted(self, study_uid: str, who: Person) -> bool:
        """Whether this person has read what colleagues said of the study, when it was not theirs to read."""
        looked = self.journal.since(subject=study_uid, who=who.name, kinds=(Kind.VIEWED,), limit=10_000)
        return any(sealed.event.details.get("what") == consultation.LOOK for sealed in looked)

    def _modes_here(self, study_uid: str) -> dict[str, str]:
        modes, fitting = self._disclosing.modes(), self._fitting(study_uid)
        return {b.analysis: modes.of(b.analysis, Use.READING).value for b in fitting.bindings}

    def opinion(self, study_uid: str, *, who: Person) -> Opinion:
        """One's own first opinion as it was locked.

        Raises:
            NotFound: none was locked by this person.
        """
        must(who, "reading", study_uid)
        if first := self._first(study_uid, who):
            return first[1]
        raise NotFound(f"a first opinion of {who.name}", "none was locked on this study", "lock it first")

    def _opinion(self, digest: str) -> Opinion:
        given: Opinion = from_plain(Opinion, json.loads(self.blobs.kept(digest)))
        return given

    def comparison(self, study_uid: str, *, who: Person) -> tuple[Opinion, list[comparison.Compared]]:
        """One's own first opinion beside what machines say of the study."""
        given = self.opinion(study_uid, who=who)
        latest = self._disclosing.results(study_uid, who)
        return given, comparison.compare(given, latest, self._looks_for())

    def _looks_for(self) -> dict[str, frozenset[Code]]:
        return {
            a.name: frozenset(y.what for y in a.yields if y.what is not None) for a in self.registry.analyses.values()
        }

    def confirmed(self, analysis: str, version: str, certainty: float | None, *, who: Person) -> Confirmed:
        """How often findings like this were confirmed in reports that this site has signed."""
        must(who, "results")
        return self._experience.of(analysis, version, certainty)

    def segments(self, study_uid: str, *, who: Person) -> Mapping[str, str]:
        """Finding -> that under which it is answered, where several measure one outlined segment."""
        must(who, "results", study_uid)
        whole = self._disclosing.study(self.index.study(study_uid), who)
        return one_segment.segments(whole, self._disclosing.results(study_uid, who))

    def numbers(self, study_uid: str, *, who: Person) -> Mapping[str, int]:
        """Finding -> its number on the pages, by its tracking identity; it keeps it."""
        must(who, "results", study_uid)
        modes, locked = self._disclosing.modes(), self._disclosing.locked(study_uid, who)

        def seen_before(result: Result) -> bool:
            """What was made after the lock comes after it, too, in the order in which it was made."""
            return locked is None or (
                result.made <= locked and disclosure.visible(result, modes, locked=False, who=who.name)
            )

        every = self._disclosing.results(study_uid, who, replaced=True)
        return numbering.numbers(every, self.segments(study_uid, who=who), seen_before)

    # ---- deciding --------------------------------------------------------------------------------------------

    def seen(self, study_uid: str, shown: Sequence[Mapping[str, Any]], *, who: Person) -> None:
        """The evidence of findings was on this reader's screen; only then can they be kept.

        Args:
            shown: for each finding its `tracking`, the `result` that holds it, and what was shown (`sop`, `frame`, …).
        """
        must(who, "correct", study_uid)
        held = {(i, f.tracking) for i, r in self._disclosing.results(study_uid, who) for f in r.findings}
        before = self._seen(study_uid, who)
        fresh = [dict(one) for one in shown if one["tracking"] not in before]
        if any((one["result"], one["tracking"]) not in held for one in fresh):
            raise NotFound("no such finding in this result", "it may have been replaced", "load the findings again")
        if fresh:
            details = {"findings": sorted({one["tracking"] for one in fresh}), "shown": fresh}
            self.journal.append(Event(Kind.VIEWED, self.clock(), who.name, study_uid, details))

    def _seen(self, study_uid: str, who: Person) -> set[str]:
        looked = self.journal.since(subject=study_uid, who=who.name, kinds=(Kind.VIEWED,), limit=10_000)
        return {str(one) for sealed in looked for one in sealed.event.details.get("findings", ())}

    def correct(
        self,
        study_uid: str,
        correction: session.Correction,
        *,
        version: int,
        also: Sequence[session.Correction] = (),
        act: str = "",
        who: Person,
    ) -> session.Reading:
        """Keep, change, strike or add one finding: a Result of a person that replaces the machine's.

        Args:
            also: what the same answer says of other measurements of the same segment; each is a result and an event
                of its own.
            act: a name that the asker draws for this one act. Sent again under the same name, because the answer was
                lost on the way, it is the same act and not done twice.
        """
        must(who, "correct", study_uid)
        return self.once(
            study_uid, act, lambda: self._corrected(study_uid, (correction, *also), version, act, who), who=who
        )

    def _corrected(
        self, study_uid: str, answers: Sequence[session.Correction], version: int, act: str, who: Person
    ) -> session.Reading:
        correction, also = answers[0], answers[1:]
        reading, latest = self._reading(study_uid, who), self._disclosing.results(study_uid, who)
        unaided = not any(r.machine.analysis for _, r in latest) and not self._consulted(study_uid, who)
        if also:
            whole = self._disclosing.study(self.index.study(study_uid), who)
            one_segment.must_be_one(whole, latest, [one.tracking for one in answers])
            session.must_agree(answers)
        results = [
            session.correct(
                reading, latest, one, who.name, self.clock(), version=version,
                unaided=unaided and reading.state == "open" and reading.locked is None,
            )
            for one in answers
        ]  # fmt: skip
        # One outline is one piece of evidence, whichever of its measurements brought it on screen. Who changes what is
        # said of it has looked, and what else was measured stands with it.
        if correction.verdict is Verdict.KEPT and self._seen(study_uid, who).isdisjoint(
            one.tracking for one in answers
        ):
            raise WrongState(
                "a finding kept before its evidence was on screen",
                "who keeps it answers for having looked at it",
                "bring it on screen first; Enter jumps to it",
            )
        held = [self.blobs.put(canonical(result), of=study_uid) for result in results]
        common = {"answer": held[0]} if also else {}
        made = [
            Event(
                Kind.RESULT_MADE, self.clock(), who.name, study_uid,
                {"result": digest, "decision": self._decision(study_uid, one, result), **common},
            )
            for digest, one, result in zip(held, answers, results, strict=True)
        ]  # fmt: skip
        return self._happened(reading, made, who, act=act)

    def _decision(self, study_uid: str, correction: session.Correction, result: Result) -> dict[str, Any]:
        """What the journal says of one decision, so that readers and machines can be counted from it alone."""
        tracking = correction.tracking or result.findings[-1].tracking
        finding = next(f for f in result.findings if f.tracking == tracking)
        analysis, machine_version, model = result.machine
        return {
            "finding": tracking, "what": str(finding.what), "verdict": correction.verdict.value,
            "label": correction.label, "analysis": analysis, "version": machine_version, "model": model,
            "mode": self._disclosing.modes().of(analysis, Use.READING).value if analysis else "",
            "certainty": finding.certainty, "unaided": result.origin.unaided,
        }  # fmt: skip

    def undo(self, study_uid: str, *, version: int, act: str = "", who: Person) -> tuple[session.Reading, str]:
        """Take back one's last act; what it was, in words.

        Args:
            act: a name that the asker draws for this one act; sent again after a lost answer, it takes back no more.
        """
        must(who, "correct", study_uid)
        words = ""

        def back() -> session.Reading:
            nonlocal words
            reading, latest = self._reading(study_uid, who), self._disclosing.results(study_uid, who)
            events = self.journal.since(subject=study_uid, limit=100_000)
            undone = undoing.undo(reading, events, latest, self.index.result, who.name, self.clock(), version=version)
            happened = [self._taken_back(study_uid, one, who) for one in undone]
            after, words = self._happened(reading, happened, who, act=act), undone[0].words
            return after

        reading = self.once(study_uid, act, back, who=who)
        return reading, words or self._taken_back_before(study_uid, act, who)

    def _taken_back_before(self, study_uid: str, act: str, who: Person) -> str:
        """What an act of this name had taken back, in words, when it was done."""
        number = int(self._acts(study_uid, act, who)[-1].event.details["undoes"])
        return undoing.words(self.journal.since(number - 1, subject=study_uid, limit=1)[0].event)

    def _taken_back(self, study_uid: str, undone: undoing.Undone, who: Person) -> Event:
        if undone.result is None:
            kind, details = Kind.REPORT_DRAFTED, {"report": undone.report}
        else:
            kind, details = Kind.RESULT_MADE, {"result": self.blobs.put(canonical(undone.result), of=study_uid)}
        return Event(kind, self.clock(), who.name, study_uid, {**details, "undoes": undone.number})

    def sign(
        self,
        study_uid: str,
        *,
        version: int,
        results: Sequence[str] | None = None,
        told: Sequence[Communication] = (),
        untold: str = "",
        urgent: Collection[str] = (),
        shown: Mapping[str, int] | None = None,
        act: str = "",
        who: Person,
    ) -> session.Reading:
        """Seal the report by name and digest.

        Args:
            results: ids of the results that the reader saw; Conflict where another has come since.
            told, untold: who was told of critical findings, or why nobody was yet.
            urgent: findings of which the signer says that they cannot wait, beside those of analyses that do.
            shown: how many images there are (`of`) and how many were on screen (`shown`), as the reader's page counted.
            act: a name that the asker draws for this one act; sent again after a lost answer, it is not done twice.
        """
        must(who, "sign", study_uid)

        def seal() -> session.Reading:
            return self._signed(study_uid, version, results, told, untold, urgent, shown, act, who)

        return self.once(study_uid, act, seal, who=who)

    def _signed(
        self,
        study_uid: str,
        version: int,
        results: Sequence[str] | None,
        told: Sequence[Communication],
        untold: str,
        urgent: Collection[str],
        shown: Mapping[str, int] | None,
        act: str,
        who: Person,
    ) -> session.Reading:
        reading, latest = self._reading(study_uid, who), self._disclosing.results(study_uid, who)
        now = self.clock()
        session.sign(reading, latest, who.name, now, version=version, report="to be sealed", seen=results)
        draft = self._drafted(reading, who)
        before = [one.finding for one in draft.told]
        urgent = {*urgent, *self._still_urgent(study_uid, latest)}
        critical.check(latest, told, untold=untold, now=now, before=before, urgent=urgent)
        first = self._first(study_uid, who)
        under = self.segments(study_uid, who=who)
        beneath = frozenset(tracking for tracking, over in under.items() if tracking != over)
        changes = comparison.changes(first[1], latest, beneath) if first else ()
        sealed = reports.seal(
            draft, latest, who.name, now, opinion=first[0] if first else "", locked=reading.locked, changes=changes,
            told=told, untold=untold.strip(), beneath=beneath,
        )  # fmt: skip
        held = self.blobs.put(canonical(sealed), of=study_uid)
        details = {
            "opened": reading.opened.isoformat() if reading.opened else "",
            "locked": reading.locked.isoformat() if reading.locked else "",
            "opinion": first[0] if first else "",
            "decisions": session.decisions(latest, self._modes_of(latest)),
            "calls": self._calls(study_uid, latest, first[1] if first else None),
            "changes": len(changes), "told": [to_plain(one) for one in told], "untold": untold.strip(),
            "critical": [
                {"finding": f.tracking, "what": critical.named(f)}
                for f in critical.left(latest, told, before=before, urgent=urgent)
            ],
            "shown": dict(shown or {}),
        }  # fmt: skip
        signed = session.sign(reading, latest, who.name, now, version=version, report=held, details=details)
        return self._happened(reading, signed, who, act=act)

    def _still_urgent(self, study_uid: str, latest: Sequence[tuple[str, Result]]) -> list[str]:
        """What an earlier version of the report left open and still stands: an amendment does not close it unsaid."""
        history = self.journal.each(subject=study_uid, kinds=escalation.KINDS)
        left = escalation.follow({}, history).get(study_uid)
        return [f.tracking for f in critical.critical(latest, left.findings)] if left else []

    def _first(self, study_uid: str, who: Person) -> tuple[str, Opinion] | None:
        for sealed in self.journal.since(subject=study_uid, who=who.name, kinds=(Kind.OPINION_LOCKED,), limit=1):
            digest = str(sealed.event.details["report"])
            return digest, self._opinion(digest)
        return None

    def _modes_of(self, latest: Sequence[tuple[str, Result]]) -> dict[str, str]:
        modes = self._disclosing.modes()
        return {name: modes.of(name, Use.READING).value for _, r in latest if (name := r.machine.analysis)}

    def _calls(
        self, study_uid: str, latest: Sequence[tuple[str, Result]], first: Opinion | None
    ) -> list[dict[str, Any]]:  # fmt: skip
        """For each analysis that looked, also unseen: what it said, what the report says, what the first opinion said.

        Where words alone could mean what it looks for, or anything else, nothing is told of it. Of several images that
        it looked at each is told by itself: what a reader marked on one of them is not said of the others.
        """
        shown = {digest for digest, _ in latest}
        every = [*latest, *((d, r) for d, r in self.index.results(study_uid) if d not in shown)]
        looks_for, modes = self._looks_for(), self._modes_of(every)
        own = [
            f for _, r in latest if not r.machine.analysis
            for f in r.findings if f.verdict is not Verdict.STRUCK
        ]  # fmt: skip
        told, images = [], dict[str, list[str]]()
        for _, result in every:
            images.setdefault(result.machine.analysis, []).append(image_of(result))
        for digest, result in every:
            analysis, version, model = result.machine
            # What a reader had on screen before they locked is no opinion of their own on that question.
            own_first = first if first and not first.follows(analysis, modes) else None
            if not analysis or result.outcome is Outcome.DECLINED:
                continue
            wanted = looks_for.get(analysis, ())
            image, looked = image_of(result), list(dict.fromkeys(images[analysis]))
            here = [f for f in own if not any(lies_on(f, one, looked) for one in looked if one != image)]
            final = comparison.signed(result, here, wanted, seen=digest in shown)
            if final is None:
                continue
            machine = [f for f in result.findings if f.verdict is not Verdict.ADDED]
            told.append(
                {
                    "analysis": analysis, "version": version, "model": model, "mode": modes[analysis],
                    "machine": bool(machine), "final": final,
                    "first": comparison.call(own_first, result, wanted) if own_first else None, "image": image,
                }
            )  # fmt: skip
        return told


def _is_own(result: Result, who: Person) -> bool:
    return result.origin.kind == "person" and result.origin.name == who.name and not result.machine.analysis
