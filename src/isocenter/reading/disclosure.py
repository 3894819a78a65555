"""Which of the machine's words a reader may see before they have said their own.

A site uses each analysis in two ways: to order its worklist, and to read with. For each use it has a mode, which is
data of the site: events in its journal set it, and whoever asks reads what they say. In *unaided first*, the default
for reading, nothing of an analysis leaves the server until the reader's own first opinion is locked, and everything
that a client can see is what it would see of a study without a finding. Showing the machine on request is no
protection against a machine that is wrong; an opinion of one's own, given first, is.

Everything here is a pure function or a value. What keeps it level with the journal is `isocenter.site.disclosing`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType

from isocenter.errors import Conflict, NotFound, Refused
from isocenter.reading.worklist import Raise, Said, Waiting, together
from isocenter.record import Event, Kind, Result, Sealed

__all__ = [
    "AFTER", "ALLOWED", "DEFAULT", "Mode", "Modes", "Proposal", "Use", "confirm", "may_leave", "propose", "row",
    "visible",
]  # fmt: skip


class Use(StrEnum):
    """What an analysis is used for."""

    WORKLIST = "worklist"  # to order what waits
    READING = "reading"  # to read with


class Mode(StrEnum):
    """How an analysis is used."""

    SHADOW = "shadow"  # runs beside, unseen
    TRIAGE = "triage"  # may raise a study on the list; what it found is not said
    TRIAGE_NAMED = "triage-named"  # may raise a study, and the row names the finding
    UNAIDED_FIRST = "unaided-first"  # shown after the reader's own opinion
    SECOND = "second"  # shown as a second reader
    CONCURRENT = "concurrent"  # shown at once


ALLOWED: Mapping[Use, tuple[Mode, ...]] = MappingProxyType(
    {
        Use.WORKLIST: (Mode.SHADOW, Mode.TRIAGE, Mode.TRIAGE_NAMED),
        Use.READING: (Mode.SHADOW, Mode.UNAIDED_FIRST, Mode.SECOND, Mode.CONCURRENT),
    }
)
"""The modes that each use may have."""

DEFAULT: Mapping[Use, Mode] = MappingProxyType({Use.WORKLIST: Mode.SHADOW, Use.READING: Mode.UNAIDED_FIRST})
"""What holds until a site says otherwise: the list is as it would be without AI, and one's own opinion comes first."""

AFTER = "after"
"""What a row says of AI before the reader's opinion: the same for found, none, not yet and refused."""


def may_leave(mode: Mode, *, locked: bool) -> bool:
    """Whether content (findings, maps, contours, drafted sentences) may leave the server.

    >>> may_leave(Mode.UNAIDED_FIRST, locked=False), may_leave(Mode.UNAIDED_FIRST, locked=True)
    (False, True)
    """
    if mode is Mode.UNAIDED_FIRST:
        return locked
    return mode in (Mode.SECOND, Mode.CONCURRENT)


@dataclass(frozen=True)
class Proposal:
    """A change of mode that one person asked for and another has to confirm.

    Args:
        number: of its event; it names the proposal.
        who, when, reason: who asked, when, and why.
    """

    number: int
    analysis: str
    use: Use
    mode: Mode
    was: Mode
    who: str
    when: datetime
    reason: str


@dataclass(frozen=True)
class Modes:
    """The modes of a site.

    Args:
        set: (analysis, use) -> mode, where the site has said something.
        proposals: what waits for a second person, by analysis and use; a newer one takes the place of an older.
    """

    set: Mapping[tuple[str, Use], Mode] = field(default_factory=dict, hash=False)
    proposals: Mapping[tuple[str, Use], Proposal] = field(default_factory=dict, hash=False)

    def of(self, analysis: str, use: Use) -> Mode:
        """The mode of an analysis in a use.

        >>> Modes().of("brain_bleed", Use.READING).value
        'unaided-first'
        """
        return self.set.get((analysis, use), DEFAULT[use])

    def after(self, events: Iterable[Sealed]) -> Modes:
        """As these events leave them."""
        known, waiting = dict(self.set), dict(self.proposals)
        for sealed in events:
            event = sealed.event
            if event.kind not in (Kind.MODE_PROPOSED, Kind.MODE_SET):
                continue
            use, mode = Use(event.details["use"]), Mode(event.details["mode"])
            key = event.subject, use
            if event.kind is Kind.MODE_SET:
                known[key] = mode
                waiting.pop(key, None)
            else:
                was, reason = self.of(*key), str(event.details["reason"])
                waiting[key] = Proposal(
                    sealed.number, event.subject, use, mode, known.get(key, was), event.who, event.time, reason
                )
        return Modes(known, waiting)


def propose(modes: Modes, analysis: str, use: Use, mode: Mode, *, reason: str, who: str, now: datetime) -> Event:
    """Change a mode: to *shadow* at once, for a machine is stopped by one; to any other once a second person agrees.

    Raises:
        Refused: the use has no such mode, it is the mode already, or no reason is given.
    """
    if mode not in ALLOWED[use]:
        raise Refused(
            f"the mode '{mode}' for the {use}", "that use has no such mode", f"take one of {', '.join(ALLOWED[use])}"
        )
    was = modes.of(analysis, use)
    if mode is was:
        raise Refused(f"{analysis} as {mode}", f"that is its mode in the {use} already", "there is nothing to change")
    if not reason.strip():
        raise Refused("a change of mode without a reason", "it touches how patients are read", "say why")
    kind = Kind.MODE_SET if mode is Mode.SHADOW else Kind.MODE_PROPOSED
    details = {"use": use.value, "mode": mode.value, "was": was.value, "reason": reason.strip()}
    return Event(kind, now, who, analysis, details)


def confirm(modes: Modes, analysis: str, use: Use, number: int, *, who: str, now: datetime) -> Event:
    """A second person agrees to a proposed change.

    Raises:
        NotFound: no such proposal waits.
        Conflict: the mode is another since it was proposed.
        Refused: the same person proposed it.
    """
    asked = modes.proposals.get((analysis, use))
    if asked is None or asked.number != number:
        raise NotFound(f"this proposal for {analysis}", "it waits no more", "load the modes again")
    if asked.who == who:
        raise Refused(
            f"a change that {who} proposed and {who} confirms",
            "what shows readers more of a machine takes two people",
            "ask somebody else to confirm it",
        )
    if asked.was is not modes.of(analysis, use):
        raise Conflict(f"{analysis} is no longer {asked.was}", "it was changed since the proposal", "propose it again")
    details = {
        "use": use.value, "mode": asked.mode.value, "was": asked.was.value, "reason": asked.reason,
        "proposed_by": asked.who, "proposal": number,
    }  # fmt: skip
    return Event(Kind.MODE_SET, now, who, analysis, details)


def visible(result: Result, modes: Modes, *, locked: bool, who: str = "") -> bool:
    """Whether a reader may see a result: their own always, a machine's, or one made from it, as its mode allows.

    What a person decided on a machine's finding goes with the machine: that it was kept tells that it was there. What
    another person added once they had seen the machine may be its echo, and waits too.
    """
    analysis = result.machine.analysis
    if not analysis:
        return locked or result.origin.unaided or result.origin.name == who
    return may_leave(modes.of(analysis, Use.READING), locked=locked)


def row(waiting: Waiting, modes: Modes, *, locked: bool) -> Waiting:
    """A row of the worklist as a reader may see it.

    Before the opinion it says nothing but what triage allows: that the study was raised, and to which level. Only an
    analysis that is shown at once (second, concurrent) tells its state.
    """
    raises: list[Raise] = []
    told: list[Said] = []
    for said in waiting.said:
        if may_leave(modes.of(said.analysis, Use.READING), locked=locked):
            told.append(said)
            raises += said.raises
            continue
        listed = modes.of(said.analysis, Use.WORKLIST)
        if listed is Mode.TRIAGE_NAMED:
            raises += said.raises
        elif listed is Mode.TRIAGE:
            raises += [raised._replace(finding="") for raised in said.raises]
    state = together(told).ai if told or locked else AFTER
    return waiting.shown(state, tuple(raises))
