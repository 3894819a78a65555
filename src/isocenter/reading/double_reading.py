"""Double reading: two people read the same study, neither knows of the other's opinion, a third settles what differs.

The third looks alone first: until their own look is locked they are told that the two differ, and neither opinion.

A protocol says who reads: two people always, a person and an AI as the second reader, or by the AI's score as in MASAI
(scores 1 to 9: one reader, 10: two). Blindness is kept where the opinions leave the server: `seen_by` is what the API
gives, and before both opinions are locked it holds nothing of either.

Source: Lång et al., Lancet Oncol 24:936 (2023), MASAI.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from isocenter.errors import Forbidden, NotFound, Refused, WrongState
from isocenter.methods.intervals import Estimate, wilson
from isocenter.record import Event, Kind, digest_of

__all__ = [
    "AI_READER",
    "Figures",
    "Opinion",
    "Pair",
    "Protocol",
    "ask",
    "figures",
    "fold",
    "lock",
    "look",
    "readers_needed",
    "seen_by",
    "settle",
]

AI_READER = "AI"
"""Stands where an AI is one of the two readers."""


@dataclass(frozen=True)
class Protocol:
    """Who reads.

    Args:
        name: "two readers", "AI as second reader" or "by AI score".
        double_from: under "by AI score", the score from which two people read.
    """

    name: str = "two readers"
    double_from: int = 10

    def __post_init__(self) -> None:
        if self.name not in ("two readers", "AI as second reader", "by AI score"):
            raise Refused(
                f"the protocol '{self.name}'",
                "it is not known",
                "choose 'two readers', 'AI as second reader' or 'by AI score'",
            )


@dataclass(frozen=True)
class Opinion:
    """What one reader said, alone.

    Args:
        positive: recall, or whatever the question is.
        words: why, for the third reader.
    """

    by: str
    positive: bool
    words: str
    at: datetime


@dataclass(frozen=True)
class Pair:
    """One study read by two.

    Args:
        id: opaque.
        question: what is asked, one sentence.
        analysis: whose outcomes tell what turned out to be true of the question; empty where none does.
        readers: who was asked; `AI_READER` may be one of them.
        opinions: locked ones.
        looks: what third readers saw alone, before they were told of the two opinions.
        settled: by the third reader, or None.
    """

    id: str
    study: str
    question: str
    readers: tuple[str, ...]
    asked: datetime
    opinions: tuple[Opinion, ...] = ()
    settled: Opinion | None = None
    analysis: str = ""
    looks: tuple[Opinion, ...] = ()

    def look_of(self, who: str) -> Opinion | None:
        """What somebody saw alone as the third reader."""
        return next((one for one in self.looks if one.by == who), None)

    @property
    def state(self) -> str:
        """reading, discordant (waits for a third reader), or done."""
        if len(self.opinions) < len(self.readers):
            return "reading"
        if self.settled is None and len({o.positive for o in self.opinions}) > 1:
            return "discordant"
        return "done"

    @property
    def answer(self) -> bool | None:
        """What stands; None while it is open."""
        if self.state != "done":
            return None
        return self.settled.positive if self.settled else self.opinions[0].positive


def readers_needed(protocol: Protocol, ai_score: int | None) -> int:
    """How many people read a study, from the AI's score (1 … 10); without a score, two do.

    >>> readers_needed(Protocol("by AI score"), 9), readers_needed(Protocol("by AI score"), 10)
    (1, 2)
    """
    if protocol.name == "AI as second reader":
        return 2 if ai_score is None else 1
    if protocol.name == "two readers" or ai_score is None:
        return 2
    if not 1 <= ai_score <= 10:
        raise Refused(f"an AI score of {ai_score}", "it lies between 1 and 10", "correct the score")
    return 2 if ai_score >= protocol.double_from else 1


def ask(study: str, question: str, readers: Sequence[str], who: str, now: datetime, *, analysis: str = "") -> Event:
    """Ask two readers, or one and the AI, about a study.

    Args:
        analysis: that asks the same, so that what turned out to be true for it is true here; it is the AI, too.

    Raises:
        Refused: not two different readers, no question, or an AI that is not named.
    """
    if len(set(readers)) != 2 or len(readers) != 2:
        raise Refused(
            f"{len(set(readers))} reader for a double reading", "it takes two different ones", "name two people"
        )
    if not question.strip():
        raise Refused("a double reading without a question", "two answers could not be compared", "ask one thing")
    if AI_READER in readers and not analysis:
        raise Refused("a double reading by an AI", "which analysis reads it is not said", "choose the analysis")
    id = digest_of([study, question, sorted(readers), now])[:24]
    told = {"study": study, "question": question.strip(), "readers": list(readers), "analysis": analysis}
    return Event(Kind.DOUBLE_READ_ASKED, now, who, id, told)


def fold(events: Iterable[Event]) -> dict[str, Pair]:
    """The double readings that a journal tells of, by id."""
    found: dict[str, Pair] = {}
    for event in events:
        told, id = event.details, event.subject
        if event.kind is Kind.DOUBLE_READ_ASKED:
            found[id] = Pair(
                id, told["study"], told["question"], tuple(told["readers"]), event.time,
                analysis=str(told.get("analysis", "")),
            )  # fmt: skip
        elif event.kind in (Kind.DOUBLE_READ_LOCKED, Kind.DOUBLE_READ_SETTLED):
            said = Opinion(str(told.get("by", event.who)), bool(told["positive"]), told["words"], event.time)
            if event.kind is Kind.DOUBLE_READ_LOCKED and said.by not in found[id].readers:
                found[id] = replace(found[id], looks=(*found[id].looks, said))
            elif event.kind is Kind.DOUBLE_READ_LOCKED:
                found[id] = replace(found[id], opinions=(*found[id].opinions, said))
            else:
                found[id] = replace(found[id], settled=said)
    return found


def lock(pair: Pair, who: str, positive: bool, words: str, now: datetime, *, by: str = "") -> Event:
    """One reader's opinion; it can not be changed after.

    Args:
        by: `AI_READER`, when the house records what the AI said.

    Raises:
        Forbidden: this person was not asked.
        WrongState: this reader's opinion is locked already.
    """
    name = by or who
    if name not in pair.readers:
        raise Forbidden("a double reading that is not yours", "two others were asked", "look into your own list")
    if any(o.by == name for o in pair.opinions):
        raise WrongState(
            "your opinion is locked",
            "it stands beside the other's as it was given",
            "wait for the other's; where they differ, a third person settles it",
        )
    if positive and not words.strip():
        raise Refused("a positive opinion without words", "a third reader could not weigh it", "say what you see")
    told = {"by": name, "positive": positive, "words": words.strip()}
    return Event(Kind.DOUBLE_READ_LOCKED, now, who, pair.id, told)


def look(pair: Pair, who: str, positive: bool, words: str, now: datetime) -> Event:
    """What the third reader sees alone; afterwards they are told of the two opinions, and it can not be changed.

    Raises:
        Forbidden: this person was one of the two.
        WrongState: nothing is to be settled, or their look is locked already.
        Refused: positive without words.
    """
    _must_be_third(pair, who)
    if pair.look_of(who):
        raise WrongState("your own look is locked", "the two opinions are before you", "settle it")
    if positive and not words.strip():
        raise Refused("a positive look without words", "nobody could see later what you saw alone", "say what you see")
    told = {"by": who, "positive": positive, "words": words.strip()}
    return Event(Kind.DOUBLE_READ_LOCKED, now, who, pair.id, told)


def settle(pair: Pair, who: str, positive: bool, words: str, now: datetime) -> Event:
    """The third reader decides, with both opinions at hand and after an own look.

    Raises:
        Forbidden: this person was one of the two.
        WrongState: nothing is to be settled, or they have not looked alone.
    """
    _must_be_third(pair, who)
    if not pair.look_of(who):
        raise WrongState("an arbitration without an own look", "both opinions wait for it", "lock your own look first")
    if not words.strip():
        raise Refused("an arbitration without words", "the two could not learn from it", "say why")
    return Event(Kind.DOUBLE_READ_SETTLED, now, who, pair.id, {"positive": positive, "words": words.strip()})


def _must_be_third(pair: Pair, who: str) -> None:
    if who in pair.readers:
        raise Forbidden("an arbitration by one of the two", "the third reader is a third person", "ask somebody else")
    if pair.state != "discordant":
        raise WrongState(
            f"this double reading is {pair.state}",
            "there is nothing to settle",
            "look into the list of those that wait",
        )


def seen_by(pair: Pair, who: str, *, owner: bool, may_settle: bool = True) -> dict[str, Any]:
    """What leaves the server to one person.

    A reader sees that they are asked, their own opinion, and the other's when both are locked. Whoever was not asked
    sees a case when it is discordant, without names, and neither opinion until their own look is locked; then both, to
    settle it. The owner sees the state and the names, and no opinion before that either: an owner may be the third.

    Raises:
        NotFound: nothing of it is this person's to see.
    """
    reader = who in pair.readers
    if not (
        reader or owner or (may_settle and pair.state == "discordant") or (pair.settled and pair.settled.by == who)
    ):
        raise NotFound("no such double reading", "nothing of this name is yours to see", "look into your own list")
    told: dict[str, Any] = {
        "id": pair.id, "study": pair.study, "question": pair.question, "asked": pair.asked.isoformat(),
        "state": "reading" if pair.state == "reading" else pair.state,
    }  # fmt: skip
    mine = next((o for o in pair.opinions if o.by == who), None)
    looked = None if reader else pair.look_of(who)
    both = pair.state == "done" or (pair.state == "discordant" and (reader or looked is not None))
    shown = pair.opinions if both else ((mine,) if mine else ())
    called = ["the other reader"] if reader else ["one reader", "the other reader"]
    told["opinions"] = [
        {"who": "you" if o is mine else o.by if owner or o.by == AI_READER else called.pop(0),
         "positive": o.positive, "words": o.words}
        for o in shown
    ]  # fmt: skip
    third = looked if pair.state == "discordant" else pair.settled and pair.look_of(pair.settled.by)
    if third:
        name = "you" if third is looked else third.by if owner else "the third reader"
        told["opinions"].append(
            {"who": f"{name}, before both were shown", "positive": third.positive, "words": third.words}
        )
    told["looks"] = not reader and pair.state == "discordant" and looked is None
    told["turn"] = (reader and mine is None) or (not reader and pair.state == "discordant")
    if owner:
        told["readers"] = list(pair.readers)
    if pair.state == "done":
        told["answer"] = pair.answer
        told["settled"] = pair.settled.words if pair.settled else ""
    return told


@dataclass(frozen=True)
class Figures:
    """Screening figures: shares with intervals; None where nothing is known of them yet.

    Args:
        recall: positive answers of all that are done.
        detection: positive answers that were confirmed, of all that are done (cancer detection rate); the least that it
            can be, since what is not known yet does not count.
        ppv: cancers of the positive answers whose truth is known.
        interval_cancers: negatives that turned out to be true after all, of those whose truth is known.
        discordant: pairs that needed a third reader.
        reads: human readings made, and `saved` against two readers each.
        known: of how many that are done it is known what turned out to be true.
    """

    n: int
    recall: Estimate | None
    detection: Estimate | None
    ppv: Estimate | None
    interval_cancers: Estimate | None
    discordant: Estimate | None
    reads: int
    saved: int
    known: int = 0


def figures(pairs: Iterable[Pair], truth: Mapping[tuple[str, str], bool]) -> Figures:
    """The figures of a programme; `truth` is by study and analysis, for those of which it is known.

    What turned out to be true of another question on the same study says nothing of this one.
    """
    done = [p for p in pairs if p.answer is not None]
    positive = [p for p in done if p.answer]
    known = [p for p in positive if (p.study, p.analysis) in truth]
    negative = [p for p in done if not p.answer and (p.study, p.analysis) in truth]
    found = sum(truth[p.study, p.analysis] for p in known)
    sure = len(known) + len(negative)
    differed = sum(len({o.positive for o in p.opinions}) > 1 for p in done)
    reads = sum(sum(o.by != AI_READER for o in p.opinions) + (p.settled is not None) for p in done)

    def share(events: int, n: int) -> Estimate | None:
        return wilson(events, n) if n else None

    return Figures(
        len(done), share(len(positive), len(done)), share(found, len(done)) if sure else None,
        share(found, len(known)), share(sum(truth[p.study, p.analysis] for p in negative), len(negative)),
        share(differed, len(done)), reads, 2 * len(done) + differed - reads, sure,
    )  # fmt: skip
