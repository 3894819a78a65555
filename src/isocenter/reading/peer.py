"""Peer learning: signed studies drawn at random are read again by a colleague who knows neither name nor AI.

Drawn by chance from a seed, so that anybody can draw the same again; in strata, so that a rare modality is seen too;
as many as the wanted precision needs; never to the one who signed. Scores are RADPEER's: 1 agreed, 2 an
understandable miss, 3 should be made most of the time; a unlikely, b likely to matter for the patient. Scores that
would hurt (2b, 3a, 3b) go to a third reader. Names are for the owner of the programme alone.

Sources: RADPEER (ACR) scoring, Goldberg-Stein, J Am Coll Radiol 14:1080 (2017). Draws by HMAC of the seed.
"""

from __future__ import annotations

import hmac
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from isocenter.errors import Conflict, Forbidden, NotFound, Refused, WrongState
from isocenter.methods.intervals import Estimate, sample_size, wilson
from isocenter.record import Event, Kind, kind_of

__all__ = [
    "SCORES",
    "Candidate",
    "Review",
    "StratumRow",
    "arbitrate",
    "draw",
    "fold",
    "review",
    "seen_by",
    "summary",
]

SCORES: Mapping[str, str] = {
    "1": "agree",
    "2a": "understandable miss, unlikely to matter for the patient",
    "2b": "understandable miss, likely to matter for the patient",
    "3a": "should be made most of the time, unlikely to matter for the patient",
    "3b": "should be made most of the time, likely to matter for the patient",
}
"""RADPEER's scores and what they mean."""

_ARBITRATED = ("2b", "3a", "3b")
_MATTERS = ("2b", "3b")
_FEW = 10  # below so many reviews a stratum has no rate
RANDOM, DISCORDANT = "random", "AI and report differ"


@dataclass(frozen=True)
class Candidate:
    """A signed study that may be drawn.

    Args:
        authors: everybody who signed it or had it open; none of them may review it.
        stratum: usually the kind of examination.
        discordant: what an AI said and what was signed differ.
    """

    study: str
    authors: frozenset[str]
    stratum: str
    discordant: bool = False


@dataclass(frozen=True)
class Review:
    """One drawn case.

    Args:
        id: opaque; nothing in it tells of study or person.
        arm: why it was drawn; only the random arm estimates a rate.
        state: drawn, arbitration (a third reader is asked) or done.
        score: what stands: the reviewer's, or the arbiter's where there was one.
    """

    id: str
    study: str
    stratum: str
    authors: tuple[str, ...]
    reviewer: str
    drawn: datetime
    arm: str = RANDOM
    state: str = "drawn"
    score: str = ""
    words: str = ""
    arbiter: str = ""
    first_score: str = ""
    log: tuple[tuple[str, str], ...] = field(default=(), compare=False)

    @property
    def turn(self) -> str:
        """Whose turn it is; empty when it is done."""
        return {"drawn": self.reviewer, "arbitration": self.arbiter}.get(self.state, "")


def draw(
    candidates: Iterable[Candidate],
    reviewers: Sequence[str],
    *,
    seed: str,
    who: str,
    now: datetime,
    expected: float = 0.03,
    half_width: float = 0.02,
    rate: float | None = None,
    discordant: int = 0,
    already: frozenset[str] = frozenset(),
) -> list[Event]:
    """Draw cases and give each to a reviewer.

    Args:
        candidates: signed studies of the period, in any order: the draw depends on the seed alone.
        reviewers: who may be asked.
        seed: written down with the draw.
        expected, half_width: share of significant differences that is expected, and how exactly it shall be known in
            each stratum; from them follows how many are drawn.
        rate: draw this share of each stratum instead.
        discordant: draw so many more from those where AI and report differ. They are reported apart.
        already: studies that were drawn before.

    Returns:
        one `Kind.PEER_DRAWN` a case.

    Raises:
        Refused: nothing or nobody to draw from, or a rate outside 0 … 1.
    """
    pool = [c for c in candidates if c.study not in already]
    if not pool:
        raise Refused("a draw from nothing", "no signed study of this period is left to draw", "choose a longer period")
    if not seed.strip():
        raise Refused("a draw without a seed", "nobody could draw the same again", "give any words as the seed")
    if rate is not None and not 0 < rate <= 1:
        raise Refused(
            f"a rate of {rate}", "it is a share of the studies, between 0 and 1", "write 0.05 for five of a hundred"
        )
    chosen: list[tuple[Candidate, str]] = []
    for stratum in sorted({c.stratum for c in pool}):
        mine = sorted((c for c in pool if c.stratum == stratum), key=lambda c: _lot(seed, c.study))
        n = sample_size(expected, half_width, len(mine)) if rate is None else -(-len(mine) * rate // 1)
        chosen += [(c, RANDOM) for c in mine[: int(n)]]
    taken = {c.study for c, _ in chosen}
    differing = sorted(
        (c for c in pool if c.discordant and c.study not in taken), key=lambda c: _lot(seed + "#", c.study)
    )
    chosen += [(c, DISCORDANT) for c in differing[:discordant]]
    load: Counter[str] = Counter()
    events = []
    for candidate, arm in chosen:
        reviewer = _other(reviewers, candidate.authors, load, f"{seed}:{candidate.study}")
        if not reviewer:
            continue  # everybody who could review it took part in it
        load[reviewer] += 1
        told = {
            "study": candidate.study, "stratum": candidate.stratum, "authors": sorted(candidate.authors),
            "reviewer": reviewer, "arm": arm, "seed": seed,
        }  # fmt: skip
        events.append(Event(Kind.PEER_DRAWN, now, who, _lot(seed, candidate.study)[:24], told))
    if not events:
        raise Refused(
            "a draw that nobody could review", "every reviewer had a part in every study", "name another reviewer"
        )
    return events


def fold(events: Iterable[Event]) -> dict[str, Review]:
    """The reviews that a journal tells of, by id, in the order in which they were drawn."""
    found: dict[str, Review] = {}
    for event in events:
        told, id = event.details, event.subject
        if event.kind is Kind.PEER_DRAWN:
            stratum = (
                kind_of(told["stratum"].split("+")) or told["stratum"]
            )  # older draws name outlines and reports, too
            found[id] = Review(
                id, told["study"], stratum, tuple(told["authors"]), told["reviewer"], event.time, told["arm"]
            )
        elif event.kind is Kind.PEER_REVIEWED:
            open_ = {"state": "arbitration", "arbiter": told["arbiter"]} if told["arbiter"] else {"state": "done"}
            found[id] = replace(found[id], score=told["score"], first_score=told["score"], words=told["words"], **open_)
        elif event.kind is Kind.PEER_ARBITRATED:
            each = (("Reviewer", found[id].words), ("Third reader", told["words"]))
            words = "\n".join(f"{whose}: {said}" for whose, said in each if said)
            found[id] = replace(found[id], score=told["score"], words=words, state="done")
    return found


def review(one: Review, who: str, score: str, words: str, now: datetime, *, readers: Sequence[str]) -> Event:
    """The reviewer's score. 2b, 3a and 3b go to a third reader, if there is one.

    Raises:
        Forbidden: it is somebody else's turn; nobody reviews their own case.
        WrongState: it was scored already.
        Refused: a score that RADPEER does not have, or a difference without words.
    """
    _turn(one, who, "drawn")
    _scored(score, words)
    arbiter = ""
    if score in _ARBITRATED:
        arbiter = _other(readers, frozenset((*one.authors, one.reviewer)), Counter(), one.id)
    return Event(Kind.PEER_REVIEWED, now, who, one.id, {"score": score, "words": words.strip(), "arbiter": arbiter})


def arbitrate(one: Review, who: str, score: str, words: str, now: datetime) -> Event:
    """The third reader's score stands.

    Raises:
        Forbidden, WrongState, Refused: as `review`.
    """
    _turn(one, who, "arbitration")
    _scored(score, words)
    return Event(Kind.PEER_ARBITRATED, now, who, one.id, {"score": score, "words": words.strip()})


def seen_by(one: Review, who: str, *, owner: bool) -> dict[str, Any]:
    """A case as a person may see it: names for the owner alone, the score for who takes part, once it is done.

    Raises:
        NotFound: this person has no part in it; whether there is such a case is not told.
    """
    told: dict[str, Any] = {"id": one.id, "stratum": one.stratum, "state": one.state, "drawn": one.drawn.isoformat()}
    if owner:
        names = {"authors": list(one.authors), "reviewer": one.reviewer, "arbiter": one.arbiter}
        done = {"score": one.score, "first_score": one.first_score, "words": one.words, "arm": one.arm}
        return {**told, **names, **done, "study": one.study, "mine": one.turn == who}
    if who in (one.reviewer, one.arbiter):
        # The arbiter reads for themselves: what the reviewer scored is told when both have.
        part = "settled it" if who == one.arbiter else "read it again"
        mine = {"study": one.study, "mine": one.turn == who, "part": part}
        done = {"score": one.score, "words": one.words} if one.state == "done" else {}
        return {**told, **mine, **done}
    if who in one.authors and one.state == "done":
        return {**told, "study": one.study, "score": one.score, "words": one.words, "mine": False, "part": "signed it"}
    raise NotFound("no such case", "nothing of this name is yours to see", "look into your own list")


@dataclass(frozen=True)
class StratumRow:
    """Reviews of one stratum: scores, and the share that mattered for the patient, where there are enough."""

    stratum: str
    n: int
    scores: Mapping[str, int]
    matters: Estimate | None
    needed: int
    waiting: int


def summary(reviews: Iterable[Review]) -> list[StratumRow]:
    """By stratum, the random arm only; the discordant arm comes last under its own name. No person is in it."""
    groups: dict[str, list[Review]] = {}
    for one in reviews:
        groups.setdefault(one.stratum if one.arm == RANDOM else one.arm, []).append(one)
    rows = []
    for name in sorted(groups, key=lambda g: (g == DISCORDANT, g)):
        done = [r for r in groups[name] if r.state == "done"]
        matters = sum(r.score in _MATTERS for r in done)
        enough = len(done) >= _FEW
        counts = Counter(r.score for r in done)
        rows.append(
            StratumRow(
                name, len(done), {score: counts[score] for score in SCORES},
                wilson(matters, len(done)) if enough else None, max(0, _FEW - len(done)), len(groups[name]) - len(done),
            )
        )  # fmt: skip
    return rows


def _turn(one: Review, who: str, state: str) -> None:
    if who in one.authors:
        raise Forbidden("a review of an own case", "nobody reviews what they signed", "leave it to the colleague")
    if one.state != state:
        raise WrongState(
            f"this case is {one.state}",
            "it was scored already" if one.score else "its turn is not now",
            "look into your own list",
        )
    if who != one.turn:
        raise Forbidden("somebody else's case", "it was drawn for another reviewer", "look into your own list")


def _scored(score: str, words: str) -> None:
    if score not in SCORES:
        raise Refused(f"the score '{score}'", f"RADPEER has {', '.join(SCORES)}", "choose one of these")
    if score != "1" and not words.strip():
        raise Refused(f"the score {score} without words", "nobody could learn from it", "say what was different")


def _other(many: Sequence[str], not_: frozenset[str], load: Counter[str], salt: str) -> str:
    free = [name for name in many if name not in not_]
    return min(free, key=lambda name: (load[name], _lot(salt, name)), default="")


def _lot(seed: str, name: str) -> str:
    return hmac.digest(seed.encode(), name.encode(), "sha256").hex()


def must_be_new(found: Mapping[str, Review], events: Sequence[Event]) -> None:
    """A draw by the same seed over the same studies would give the same cases.

    Raises:
        Conflict: a case of this draw was drawn before.
    """
    if any(event.subject in found for event in events):
        raise Conflict("a draw that was made before", "the same seed gives the same cases", "take another seed")
