"""What is stopped here, by one press; taken back at once, explained, started again by somebody else, and rehearsed.

A stop of a model is a stop of every analysis that runs on it, and where the model was released, the step *suspend* of
its way, together in one act. Whoever pressed by a slip takes all of that back within five seconds.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import weights
from isocenter.errors import NotFound, Refused
from isocenter.govern import stopping
from isocenter.govern.gate import stop_rule
from isocenter.govern.policy import Person, must
from isocenter.govern.watch import BASELINE, CHARTS, Seen, watch
from isocenter.reading import worklist as lists
from isocenter.record import Event, Kind, Sealed, states
from isocenter.site.disclosing import Disclosing, unraised

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.store.journal import Journal

__all__ = ["DRILL_EVERY", "Halting"]

DRILL_EVERY = timedelta(days=31)
"""A stop that nobody has tried for so long may not work on the day on which it is needed."""

_ALL = 10_000_000
_FOLLOWS = "stopped by one press; why stands with the stop"
_USUAL, _FALL = 10, 60  # one report in ten says otherwise; and then so many in a row do


@dataclass(frozen=True)
class Halting:
    """The stops of one archive.

    Args:
        waiting: every study of the worklist, as it stands now.
        shelf: folder of the site's own weights, or empty.
    """

    journal: Journal
    registry: Registry
    disclosing: Disclosing
    clock: Callable[[], datetime]
    waiting: Callable[[], Sequence[lists.Waiting]]
    shelf: str = ""

    def stops(self, *, who: Person) -> list[dict[str, Any]]:
        """Analyses that are stopped everywhere: by whom, when, why."""
        must(who, "catalogue")
        return [one.told() for one in self.disclosing.stops().values()]

    # ---- one analysis ----------------------------------------------------------------------------------------

    def stop(self, name: str, *, reason: str = "", who: Person) -> None:
        """Stop an analysis everywhere, at once: one person is enough, and the reason may follow.

        Raises:
            NotFound: there is none of that name. WrongState: it is stopped already.
        """
        must(who, "stop", name)
        self.registry.get(name)
        self._append(stopping.stop(self.disclosing.stops(), name, reason=reason, who=who.name, now=self.clock()))

    def undo(self, name: str, *, who: Person) -> None:
        """Take one's own stop back, within five seconds.

        Raises:
            NotFound: it is not stopped. Refused: by another person, or later.
        """
        must(who, "stop", name)
        event = stopping.undo(self.disclosing.stops(), name, who=who.name, now=self.clock())
        self._must_come_by_the_gate(getattr(self.registry.analyses.get(name), "weights", ""))
        self._append(event)

    def explain(self, name: str, *, reason: str, who: Person) -> None:
        """Say why one has stopped it, where that was not said.

        Raises:
            NotFound: it is not stopped. Refused: by another person, or in no words. WrongState: it was said.
        """
        must(who, "stop", name)
        self._append(stopping.explain(self.disclosing.stops(), name, reason=reason, who=who.name, now=self.clock()))

    def resume(self, name: str, *, reason: str, who: Person) -> None:
        """Start an analysis again that somebody else has stopped.

        Raises:
            NotFound: it is not stopped. Refused: by the same person, or without a reason.
        """
        must(who, "stop", name)
        event = stopping.resume(self.disclosing.stops(), name, reason=reason, who=who.name, now=self.clock())
        self._must_come_by_the_gate(getattr(self.registry.analyses.get(name), "weights", ""))
        self._append(event)

    # ---- a model ---------------------------------------------------------------------------------------------

    def stop_model(self, name: str, *, reason: str = "", who: Person) -> None:
        """Stop every analysis that runs on a model, in one act."""
        must(who, "stop", name)
        stops, now = self.disclosing.stops(), self.clock()
        running = [a for a in self._users(name) if a not in stops] or self._users(name)
        events = [stopping.stop(stops, a, reason=reason, who=who.name, now=now, model=name) for a in running]
        self._append(*events, *self._stepped(name, "released", "suspend", reason or _FOLLOWS, who, now))

    def undo_model(self, name: str, *, who: Person) -> None:
        """Take one's own stop of a model back, within five seconds; where it was released, it is released as before."""
        must(who, "stop", name)
        stops, now = self.disclosing.stops(), self.clock()
        events = [stopping.undo(stops, a, who=who.name, now=now, model=name) for a in self._by(name, who)]
        back = str(events[0].details["reason"])
        self._append(*events, *self._stepped(name, "suspended", "undo", back, who, now))

    def explain_model(self, name: str, *, reason: str, who: Person) -> None:
        """Say why one has stopped a model, where that was not said."""
        must(who, "stop", name)
        stops, now = self.disclosing.stops(), self.clock()
        events = [
            stopping.explain(stops, a, reason=reason, who=who.name, now=now, model=name) for a in self._by(name, who)
        ]
        self._append(*events)

    def resume_model(self, name: str, *, reason: str, who: Person) -> None:
        """Start every analysis again that runs on a model and is stopped."""
        must(who, "stop", name)
        stops, now = self.disclosing.stops(), self.clock()
        stopped = [a for a in self._users(name) if a in stops] or self._users(name)
        events = [stopping.resume(stops, a, reason=reason, who=who.name, now=now, model=name) for a in stopped]
        self._must_come_by_the_gate(name)
        self._append(*events)

    # ---- rehearsed -------------------------------------------------------------------------------------------

    def rehearse(self, name: str, *, who: Person) -> dict[str, Any]:
        """Try a stop of a model on what is here now, and stop nothing: one entry in the journal, and no other trace.

        What a stop does is done to copies: the same rules fold the same entries, over the worklist as it stands. The
        stop rule is tried by a planted fall of agreement, through the same charts that watch the model.

        Raises:
            NotFound: no analysis runs on it. WrongState: one of them is stopped, which is no drill.
        """
        must(who, "stop", name)
        stops, now, users = dict(self.disclosing.stops()), self.clock(), self._users(name)
        other = f"somebody else than {who.name}"
        events = [stopping.stop(stops, a, reason="a drill", who=who.name, now=now, model=name) for a in users]
        stopped = stopping.after(stops, _sealed(events))
        late = now + stopping.UNDO + timedelta(minutes=1)
        back = [stopping.resume(stopped, a, reason="a drill", who=other, now=late, model=name) for a in users]
        checks = {
            "one press stops every analysis that runs on it": set(users) <= stopped.keys(),
            "it raises no study of the worklist": not self._raises(users, stopped),
            "who stopped it cannot start it again": all(self._refused(stopped, a, who, late) for a in users),
            "somebody else can": stopping.after(stopped, _sealed(back)) == stops,
            "a planted fall of agreement sounds the alarm": "agreement" in _alarms_of_a_fall(now),
        }
        told = {"digest": self._state(name)[0], "checks": checks, "passed": all(checks.values())}
        self._append(Event(Kind.STOP_REHEARSED, now, who.name, name, told))
        return self.rules(name, who=who)

    def rules(self, name: str, *, who: Person) -> dict[str, Any]:
        """The stop rule of a model, and when a stop of it was rehearsed last.

        Returns:
            rule: who declared it and when, or None; charts: what it watches, chart -> what counts; baseline: signed
            studies that say what is usual; drill: the last one, or None; due: whether another is.
        """
        must(who, "models")
        gates = self.disclosing.gates()
        by, said = stop_rule(gates, name), gates.changes.get(name, {})
        last = self.journal.since(kinds=(Kind.STOP_REHEARSED,), subject=name, limit=1, newest_first=True)
        drill = None
        if last:
            event = last[0].event
            drill = {"by": event.who, "when": event.time.isoformat(), **event.details}
        return {
            "rule": {"by": by, "when": said["when"]} if by else None,
            "charts": dict(CHARTS), "baseline": BASELINE, "drill": drill, "every_days": DRILL_EVERY.days,
            "due": not last or self.clock() - last[0].event.time > DRILL_EVERY,
        }  # fmt: skip

    # ---- within ----------------------------------------------------------------------------------------------

    def _raises(self, users: Sequence[str], stops: dict[str, stopping.Stop]) -> bool:
        rows = (unraised(one, stops) for one in self.waiting())
        return any(raised.analysis in users for row in rows for raised in row.raises)

    @staticmethod
    def _refused(stops: dict[str, stopping.Stop], analysis: str, who: Person, now: datetime) -> bool:
        """Whether whoever stopped it may neither start it again nor take it back, now that five seconds have passed."""
        try:
            stopping.resume(stops, analysis, reason="a drill", who=who.name, now=now)
        except Refused:
            try:
                stopping.undo(stops, analysis, who=who.name, now=now)
            except Refused:
                return True
        return False

    def _by(self, name: str, who: Person) -> list[str]:
        """Analyses that this person stopped by a stop of a model; all that run on it where there are none."""
        users, stops = self._users(name), self.disclosing.stops()
        own = [a for a in users if a in stops and (stops[a].by, stops[a].model) == (who.name, name)]
        return own or users

    def _append(self, *events: Event) -> None:
        self.journal.append(*events)

    def _must_come_by_the_gate(self, model: str) -> None:
        if self._state(model)[1] == "suspended":
            raise Refused(
                f"{model}, which was released and is suspended", "it comes back by the gate alone",
                f"see what its return lacks: isocenter release {model} --show",
            )  # fmt: skip

    def _state(self, name: str) -> tuple[str, str]:
        held = weights.models(Path(self.shelf) if self.shelf else None).get(name)
        return (held[0].digest, self.disclosing.gates().of(held[0].digest).state) if held else ("", "")

    def _stepped(self, name: str, at: str, step: str, reason: str, who: Person, now: datetime) -> list[Event]:
        """The step of the model's way that a stop is, or that takes one's own back, where it stood there."""
        digest, state = self._state(name)
        way = self.disclosing.gates().of(digest)
        if state != at or (step == "undo" and way.suspended_by != who.name):
            return []
        after = states.step(states.MODEL, state, step)
        told = {"digest": digest, "step": step, "state": after, "was": state, "reason": reason.strip()}
        if bound := next((s["bound"] for s in reversed(way.steps) if "bound" in s), ""):
            told["bound"] = bound  # what was judged is what answers, also after a stop
        return [Event(Kind.MODEL_STEPPED, now, who.name, name, told)]

    def _users(self, model: str) -> list[str]:
        """Analyses that run on a model.

        Raises:
            NotFound: no analysis does.
        """
        found = [n for n, a in self.registry.analyses.items() if getattr(a, "weights", "") == model]
        if not found:
            what, listed = f"an analysis that runs on the model '{model:.64}'", "list them with `isocenter models`"
            raise NotFound(what, "none does", listed)
        return found


def _sealed(events: Sequence[Event]) -> list[Sealed]:
    """Entries as the journal would seal them; they are in no journal."""
    return [Sealed.after(number, "", event) for number, event in enumerate(events, 1)]


def _alarms_of_a_fall(now: datetime) -> set[str]:
    """Charts that alarm when reports, which nearly always agreed, agree no more."""
    first = now.astimezone(UTC) - timedelta(days=BASELINE + _FALL)
    seen = [
        Seen(first + timedelta(days=n), bool(n % 2), agreed=n < BASELINE and n % _USUAL != 0, scanner="a drill")
        for n in range(BASELINE + _FALL)
    ]
    return {alarm["chart"] for alarm in watch(seen, times=0)["alarms"]}
