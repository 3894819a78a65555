"""People who look again: peer learning, double reading, follow-ups, and a colleague's word on an image.

Who reads blind sees neither machine nor colleague until their own word is given. That rule is kept here and asked by
the rest of the site (`blind`), so that there is one place to look at.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import NotFound, Refused
from isocenter.forms.text import NONE_DETECTED, NONE_KEPT, REMARK, UNANALYSED
from isocenter.govern.policy import HOUSE, Person, Role, may, must
from isocenter.reading import consultation, double_reading, followup, peer
from isocenter.record import Event, Kind, Outcome, Patient, Sealed, Study
from isocenter.record.study import no_study
from isocenter.site.logbook import Logbook

if TYPE_CHECKING:
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Reviewing"]

_ALL = 10_000_000
_PEER = (Kind.PEER_DRAWN, Kind.PEER_REVIEWED, Kind.PEER_ARBITRATED)
_DOUBLE = (Kind.DOUBLE_READ_ASKED, Kind.DOUBLE_READ_LOCKED, Kind.DOUBLE_READ_SETTLED)
_FOLLOW = (Kind.FOLLOW_UP_ASKED, Kind.FOLLOW_UP_MATCHED, Kind.FOLLOW_UP_CLOSED)
_CERTAINTY = re.compile(r" \(certainty [^)]*\)")  # a machine's, in words that a reader kept
_READS = (Kind.READING_OPENED, Kind.REPORT_SIGNED, Kind.REPORT_AMENDED)


@dataclass
class Reviewing:
    """What people do after, beside and against one another, on one archive.

    Args:
        holds: whether somebody may ask for a study by a verb.
        together: whether two studies are at home in one project.
        known: raises NotFound where there is no analysis of a name.
        owes: whether somebody owes a first opinion of their own on a study. Until it is given they see of what people
            say of it only what they said themselves: a colleague's word may tell what a machine says.
        look: writes down that somebody sees something of a study.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    clock: Callable[[], datetime]
    holds: Callable[[str, Person, str], bool] = lambda study_uid, who, verb: True
    together: Callable[[str, str], bool] = lambda one, other: True
    known: Callable[[str], object] = lambda analysis: None
    owes: Callable[[str, Person], bool] = lambda study_uid, who: False
    look: Callable[[Person, str, str], None] = lambda who, study_uid, what: None

    def __post_init__(self) -> None:
        self._peer, self._double = Logbook(self.journal, _PEER), Logbook(self.journal, _DOUBLE)
        self._blind: tuple[int, dict[str, frozenset[str]]] = (-1, {})
        self._follow, self._reads = Logbook(self.journal, _FOLLOW), Logbook(self.journal, _READS)

    def blind(self, study_uid: str, who: Person) -> bool:
        """Whether this person reads this study blind now: drawn for their review, or as one of two readers.

        Until their own word is given, nothing that a machine or a colleague said of it may reach them.
        """
        return study_uid in self.blinded(who)

    def blinded(self, who: Person) -> frozenset[str]:
        """Studies that this person reads blind now."""
        head = self.journal.head()[0]
        if self._blind[0] != head:
            found: dict[str, set[str]] = {}
            for one in self._reviews().values():
                found.setdefault(one.turn, set()).add(one.study)
            for pair in self._pairs().values():
                for name in pair.readers:
                    if _awaits(pair, name):
                        found.setdefault(name, set()).add(pair.study)
            self._blind = head, {name: frozenset(studies) for name, studies in found.items() if name}
        return self._blind[1].get(who.name, frozenset())

    # ---- peer learning ---------------------------------------------------------------------------------------

    def peers(self, *, who: Person) -> dict[str, Any]:
        """One's own cases; for the owner all of them, with names; the figures without names for everybody."""
        must(who, "peer")
        owner = may(who, "peer_owner")
        told = []
        for one in self._reviews().values():
            if not self.holds(one.study, who, "peer"):
                continue
            try:
                told.append(peer.seen_by(one, who.name, owner=owner))
            except NotFound:
                continue
        figures = peer.summary(self._reviews().values())
        return {"cases": told, "figures": figures, "scores": dict(peer.SCORES), "owner": owner}

    def draw(
        self,
        *,
        who: Person,
        seed: str,
        since: date | None = None,
        until: date | None = None,
        rate: float | None = None,
        expected: float = 0.03,
        half_width: float = 0.02,
        discordant: int = 0,
        reviewers: Sequence[str] = (),
    ) -> int:
        """Draw signed studies for review; how many.

        Raises:
            Refused: nothing or nobody to draw; Conflict: the same draw was made before.
        """
        must(who, "peer_owner")
        found = self._reviews()
        mine = [c for c in self._candidates(since, until) if self.holds(c.study, who, "peer_owner")]
        events = peer.draw(
            mine, reviewers or self._readers(), seed=seed, who=who.name, now=self.clock(),
            rate=rate, expected=expected, half_width=half_width, discordant=discordant,
            already=frozenset(r.study for r in found.values()),
        )  # fmt: skip
        peer.must_be_new(found, events)
        self.journal.append(*events)
        return len(events)

    def case(self, id: str, *, who: Person) -> dict[str, Any]:
        """One drawn case as this person may see it."""
        must(who, "peer", id)
        return peer.seen_by(self._review(id, who), who.name, owner=may(who, "peer_owner"))

    def reading(self, id: str, *, who: Person) -> dict[str, Any]:
        """A drawn case with what its reader signed: without names, and without a word of a machine.

        What a machine had found none of is left out, and so are its remarks on how it went about it: they stand in what
        a reader signed wherever one of its findings was kept. That nothing was found is said in the same words whether
        a machine had found nothing or the reader struck what it had: either would tell of the machine.
        """
        case = self.case(id, who=who)
        sealed = self.index.reading(case["study"])["reports"]
        report = json.loads(self.blobs.kept(sealed[-1])) if sealed else {"sentences": []}
        told = [
            {"section": s["section"], "text": _own(s["text"])}
            for s in report["sentences"]
            if (not s["machine"] or s["text"] == NONE_DETECTED) and not s.get("id", "").startswith(REMARK)
        ]
        return {"case": case, "report": told}

    def score(self, id: str, score: str, words: str, *, who: Person) -> dict[str, Any]:
        """Score a drawn case, as its reviewer or as the third reader."""
        must(who, "peer", id)
        one = self._review(id, who)
        peer.seen_by(one, who.name, owner=may(who, "peer_owner"))  # a stranger does not learn that there is one
        if one.state == "arbitration":
            event = peer.arbitrate(one, who.name, score, words, self.clock())
        else:
            event = peer.review(one, who.name, score, words, self.clock(), readers=self._readers())
        self.journal.append(event)
        return self.case(id, who=who)

    def _reviews(self) -> dict[str, peer.Review]:
        return peer.fold(self._peer.events())

    def _review(self, id: str, who: Person) -> peer.Review:
        found = self._reviews().get(id)
        if found is None or not self.holds(found.study, who, "peer"):
            raise NotFound("no such case", "nothing of this name is yours to see", "look into your own list")
        return found

    def _candidates(self, since: date | None, until: date | None) -> Iterable[peer.Candidate]:
        studies = {s.uid: s for s in self.index.studies(limit=_ALL)}
        for uid, events in self._reads.by_subject().items():
            sealed = [e for e in events if e.kind is not Kind.READING_OPENED]
            if not sealed or uid not in studies:
                continue
            day = sealed[0].time.date()
            if (since and day < since) or (until and day >= until):
                continue
            authors = frozenset(e.who for e in events)
            yield peer.Candidate(uid, authors, studies[uid].kind or "no images", self._differs(uid))

    def _differs(self, uid: str) -> bool:
        """An AI found something that was struck, or a person added what none had found."""
        said = [r for _, r in self.index.results(uid, replaced=True)]
        found = {r.machine.analysis: r.outcome is Outcome.FOUND for r in said if r.origin.kind == "machine"}
        final = {r.machine.analysis: r.answer is Outcome.FOUND for _, r in self.index.results(uid)}
        return any(final.get(name, was) != was for name, was in found.items())

    def _readers(self) -> list[str]:
        return sorted(p["name"] for p in self.index.people() if p["role"] == Role.READER and not p["disabled"])

    # ---- double reading --------------------------------------------------------------------------------------

    def pairs(self, *, who: Person) -> dict[str, Any]:
        """Double readings as this person may see them, and the figures of all."""
        must(who, "peer")
        owner = may(who, "peer_owner")
        told = []
        for one in self._pairs().values():
            if not self.holds(one.study, who, "peer"):
                continue
            try:
                seen = double_reading.seen_by(one, who.name, owner=owner, may_settle=may(who, "sign"))
                told.append(seen | {"about": self._about(one.study)})
            except NotFound:
                continue
        return {"pairs": told, "figures": double_reading.figures(self._pairs().values(), self._truth())}

    def _about(self, study_uid: str) -> dict[str, str]:
        """Whose study it is: two of one question look alike without."""
        for study in self.index.studies({"StudyInstanceUID": study_uid}, limit=1):
            return {
                "patient": study.patient.id, "accession": study.accession, "date": str(study.date or ""),
                "description": study.description or " ".join(study.modalities),
            }  # fmt: skip
        return {}  # rejected since

    def ask_double(
        self, study_uid: str, question: str, readers: Sequence[str], *, analysis: str = "", who: Person
    ) -> str:
        """Ask two readers, who do not see each other's opinion; the id.

        Args:
            analysis: that asks the same: its outcomes tell what turned out to be true. Where one of the two is the AI,
                its answer stands as that opinion at once, unseen until the other is given.

        Raises:
            NotFound: no such study, reader or analysis.
            Refused: the AI is to read and has not answered.
        """
        must(who, "peer_owner", study_uid)
        self.index.study(study_uid)
        known = {p["name"] for p in self.index.people() if p["role"] in (Role.READER, Role.ADMIN)}
        for name in readers:
            if name not in known and name != double_reading.AI_READER:
                raise NotFound(
                    f"a reader '{name:.40}'",
                    "nobody of that name may read here",
                    "name a reader or administrator of this archive",
                )
        if analysis:
            self.known(analysis)
        event = double_reading.ask(study_uid, question, readers, who.name, self.clock(), analysis=analysis)
        self.journal.append(event, *self._of_ai(event))
        return event.subject

    def _of_ai(self, asked: Event) -> list[Event]:
        """What the AI had said, as the opinion of the reader that it is here; nothing where two people read."""
        pair = double_reading.fold([asked])[asked.subject]
        if double_reading.AI_READER not in pair.readers:
            return []
        said = [
            r for _, r in self.index.results(pair.study, replaced=True)
            if r.origin.kind == "machine" and r.origin.name == pair.analysis and r.outcome is not Outcome.DECLINED
        ]  # fmt: skip
        if not said:
            raise Refused(
                f"a double reading by {pair.analysis}",
                "it has not answered on this study, or has declined it",
                "let it analyse the study first, or ask two people",
            )
        positive = said[-1].outcome is Outcome.FOUND
        words = f"{pair.analysis} {said[-1].origin.version} {'found something' if positive else 'found nothing'}"
        return [
            double_reading.lock(
                pair, HOUSE.name, positive, words, self.clock(), by=double_reading.AI_READER,
            )
        ]  # fmt: skip

    def lock_double(self, id: str, positive: bool, words: str, *, who: Person) -> dict[str, Any]:
        """One's own opinion in a double reading; of a third reader first what they see alone, then the decision."""
        must(who, "peer", id)
        pair = self._pairs().get(id)
        if pair is None or not self.holds(pair.study, who, "peer"):
            raise NotFound("no such double reading", "nothing of this name is yours to see", "look into your own list")
        owner = may(who, "peer_owner")
        double_reading.seen_by(pair, who.name, owner=owner)
        if pair.state == "discordant" and who.name not in pair.readers:
            third = double_reading.settle if pair.look_of(who.name) else double_reading.look
            event = third(pair, who.name, positive, words, self.clock())
        else:
            event = double_reading.lock(pair, who.name, positive, words, self.clock())
        self.journal.append(event)
        return double_reading.seen_by(self._pairs()[id], who.name, owner=owner)

    def _pairs(self) -> dict[str, double_reading.Pair]:
        return double_reading.fold(self._double.events())

    def _truth(self) -> dict[tuple[str, str], bool]:
        found: dict[tuple[str, str], bool] = {}
        for sealed in self.journal.since(kinds=(Kind.OUTCOME_KNOWN,), limit=_ALL):
            told = sealed.event.details
            found[sealed.event.subject, str(told["analysis"])] = bool(told["present"])
        return found

    # ---- follow-ups ------------------------------------------------------------------------------------------

    def followups(self, *, who: Person, state: str = "") -> dict[str, Any]:
        """Every follow-up, what is open first by due date; examinations that may complete one; the adherence.

        `withheld` are those that somebody answers for who owes their study an opinion of their own: that one is due and
        when, and no word of what, of whom or from whom.
        """
        must(who, "followup")
        today = self.clock().date()
        many = self._followups_for(who)
        open_ = followup.queue(many.values(), today)
        done = [f for f in many.values() if f.completed or f.closed]
        rows = [followup.plain(f, today) for f in (*open_, *reversed(done))]
        return {
            "rows": [r for r in rows if not state or r["state"] == state],
            "withheld": self._withheld(who, today),
            "possible": [m for m in self._matches(open_, who) if not m.sure],
            "adherence": followup.adherence(many.values(), today),
            "published": followup.PUBLISHED,
            "grace_days": followup.GRACE.days,
            "today": today.isoformat(),
        }

    def ask_followup(
        self, study_uid: str, *, who: Person, finding: str, due: date, responsible: str, modality: str = "",
        body_part: str = "",
    ) -> str:  # fmt: skip
        """Recommend a follow-up; its id."""
        must(who, "followup", study_uid)
        study = self.index.study(study_uid)
        event = followup.ask(
            study, finding=finding, due=due, responsible=responsible, who=who.name, now=self.clock(),
            modality=modality, body_part=body_part,
        )  # fmt: skip
        self.journal.append(event)
        return str(event.details["id"])

    def match_followups(self, *, who: Person) -> int:
        """Find examinations that surely complete an open follow-up; how many."""
        must(who, "followup")
        many = self._followups_for(who)
        sure = [m for m in self._matches(followup.queue(many.values(), self.clock().date()), who) if m.sure]
        return sum(self._completed(many[m.follow_up], m, who) for m in sure)

    def match_arrived(self, study_uid: str, *, who: Person) -> int:
        """Complete, by an examination that has arrived, the open follow-ups that it surely answers; how many.

        A follow-up is of whoever the study in which it was recommended belongs to now: patients are merged, and
        studies are given to another. Where something does not quite fit, the list of follow-ups asks a person.
        """
        must(who, "followup", study_uid)
        try:
            study = self.index.study(study_uid)
        except NotFound:
            return 0  # it was rejected or erased meanwhile
        today = self.clock().date()
        open_ = [f for f in followup.queue(self._followups().values(), today) if f.study != study_uid]
        if not open_ or not study.patient.id:
            return 0
        mine = self._studies_of(study.patient)
        theirs = {
            f.id: replace(f, patient=study.patient.id, issuer=study.patient.issuer)
            for f in open_
            if f.study in mine and self.together(f.study, study_uid) and self.holds(f.study, who, "followup")
        }
        found = followup.matches(theirs.values(), [study])
        return sum(self._completed(theirs[m.follow_up], m, who) for m in found if m.sure)

    def _completed(self, asked: followup.FollowUp, found: followup.Match, who: Person) -> bool:
        """Write down what completes a follow-up, unless another process or a person was first."""

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            now = followup.fold(sealed.event for sealed in history)[asked.id]
            return [] if now.completed or now.closed else [followup.match(asked, found, who.name, self.clock())]

        return bool(self.journal.decide(asked.study, _FOLLOW, rule))

    def _studies_of(self, patient: Patient) -> set[str]:
        many = self.index.studies({"PatientID": patient.id.replace("*", "?")}, limit=1000)
        return {s.uid for s in many if (s.patient.id, s.patient.issuer) == (patient.id, patient.issuer)}

    def match_followup(self, id: str, study_uid: str, *, who: Person) -> None:
        """A person says that this examination completes it.

        Raises:
            NotFound: no such follow-up, or the study does not fit it at all.
        """
        must(who, "followup", id)
        asked = self._as_now(self._followup(id, who))
        if not self.holds(study_uid, who, "followup"):
            raise no_study(study_uid)
        study = self.index.study(study_uid)
        mine = [study] if self.together(asked.study, study_uid) else []
        found = next(iter(followup.matches([replace(asked, completed="", closed="")], mine)), None)
        if found is None:
            raise NotFound(
                "a fitting examination",
                "another patient, modality, or before the recommendation",
                "choose a later study of the same patient",
            )
        self._end(asked, lambda now: followup.match(now, found, who.name, self.clock()))

    def close_followup(self, id: str, reason: str, *, who: Person) -> None:
        """Close it without an examination, with the reason.

        Raises:
            WrongState: it was completed or closed meanwhile.
        """
        must(who, "followup", id)
        self._end(self._followup(id, who), lambda now: followup.close(now, reason, who.name, self.clock()))

    def _end(self, asked: followup.FollowUp, act: Callable[[followup.FollowUp], Event]) -> None:
        """Write down what ends a follow-up as it stands now, while nobody else can end it."""

        def rule(history: Sequence[Sealed]) -> Sequence[Event]:
            return [act(followup.fold(sealed.event for sealed in history)[asked.id])]

        self.journal.decide(asked.study, _FOLLOW, rule)

    def _as_now(self, asked: followup.FollowUp) -> followup.FollowUp:
        """A follow-up of whoever the study in which it was recommended belongs to now: patients are merged."""
        here = self.index.studies({"StudyInstanceUID": asked.study}, limit=1)
        if not here:
            return asked  # the study was rejected since; the recommendation stands
        return replace(asked, patient=here[0].patient.id, issuer=here[0].patient.issuer)

    def _followups(self) -> dict[str, followup.FollowUp]:
        return followup.fold(self._follow.events())

    def _followups_for(self, who: Person) -> dict[str, followup.FollowUp]:
        return {id: asked for id, asked in self._followups().items() if self._may_follow(asked, who)}

    def _withheld(self, who: Person, today: date) -> list[dict[str, str]]:
        """What is due of the follow-ups that this person answers for and may not read yet.

        Not what is due later: of a study that waits for its first opinion now, a new entry would tell that there is
        something to follow.
        """
        mine = [
            one for one in followup.queue(self._followups().values(), today)
            if one.responsible.strip().casefold() == who.name.casefold() and one.state(today) in ("due", "overdue")
            and self.holds(one.study, who, "followup") and not self._may_follow(one, who)
        ]  # fmt: skip
        return [{"due": one.due.isoformat(), "state": one.state(today)} for one in mine]

    def _may_follow(self, asked: followup.FollowUp, who: Person) -> bool:
        """Whether somebody may know of a follow-up: its finding is a colleague's word on a study."""
        if not self.holds(asked.study, who, "followup"):
            return False
        return asked.by == who.name or not self.owes(asked.study, who)

    def _followup(self, id: str, who: Person) -> followup.FollowUp:
        found = self._followups().get(id)
        if found is None or not self._may_follow(found, who):
            raise NotFound(f"follow-up '{id:.40}'", "there is none of that name", "load the list again")
        return found

    def _matches(self, open_: Sequence[followup.FollowUp], who: Person) -> list[followup.Match]:
        found: list[followup.Match] = []
        studies: dict[str, list[Study]] = {}
        for asked in map(self._as_now, open_):
            if asked.patient not in studies:
                keys = {"PatientID": asked.patient.replace("*", "?")}
                mine = self.index.studies(keys, limit=1000)
                studies[asked.patient] = [s for s in mine if self.holds(s.uid, who, "followup")]
            found += followup.matches([asked], [s for s in studies[asked.patient] if self.together(asked.study, s.uid)])
        return found

    # ---- consultation ----------------------------------------------------------------------------------------

    def remarks(self, study_uid: str, *, who: Person) -> list[dict[str, Any]]:
        """Threads on places in the images of a study, the newest first."""
        must(who, "consult", study_uid)
        self.index.study(study_uid)
        said = self._said(study_uid, who)
        if any(sealed.event.who != who.name for sealed in said):
            self.look(who, study_uid, consultation.LOOK)
        return consultation.fold(said)

    def remark(self, view: consultation.View, words: str, *, thread: int = 0, who: Person) -> list[dict[str, Any]]:
        """Say something about a view of a study, or answer in a thread."""
        must(who, "consult", view.study)
        if not self.holds(view.study, who, "consult"):
            raise no_study(view.study)
        self._must_show(view)
        known = consultation.remarks(self._said(view.study, who))
        event = consultation.remark(view, words, who.name, self.clock(), thread=thread, known=known)
        self.journal.append(event)
        return self.remarks(view.study, who=who)

    def settle(self, study_uid: str, thread: int, *, who: Person) -> list[dict[str, Any]]:
        """Close a thread."""
        must(who, "consult", study_uid)
        known = consultation.remarks(self._said(study_uid, who))
        self.journal.append(consultation.settle(study_uid, thread, who.name, self.clock(), known=known))
        return self.remarks(study_uid, who=who)

    def _said(self, study_uid: str, who: Person) -> list[Sealed]:
        """What was said of a study as far as this person may read it: all of it, or while they owe an opinion of their
        own what they said themselves, as if nobody else had said anything."""
        only = who.name if self.owes(study_uid, who) else ""
        return self.journal.since(subject=study_uid, who=only, kinds=(Kind.REMARKED,), limit=_ALL)

    def _must_show(self, view: consultation.View) -> None:
        """The series and the image of a view belong to its study."""
        study = self.index.study(view.study)
        series = [s for s in study.series if not view.series or s.uid == view.series]
        if not series or (view.image and all(i.sop_uid != view.image for s in series for i in s.instances)):
            raise NotFound("an image of this study", "the address names another's", "load the study again")


def _own(text: str) -> str:
    """A sentence of a report as one who reads blind may see it."""
    return "No finding." if text in (NONE_DETECTED, NONE_KEPT, UNANALYSED) else _CERTAINTY.sub("", text)


def _awaits(pair: double_reading.Pair, name: str) -> bool:
    return pair.state == "reading" and all(o.by != name for o in pair.opinions)
