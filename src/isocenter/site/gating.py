"""Models on their way to people, here: what was declared, sealed, measured, and by whom each step was taken.

The state of a model is a fold of the journal over the digest of its weights: other weights under the same name are
candidates again. In shadow its analyses are set to *shadow*, so that no reader sees them; a suspension is the one stop
of the house (`govern.stopping`) and the step together in one act; what was never released is marked so wherever it is
shown.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import weights
from isocenter.errors import IsocenterError, NotFound, Refused
from isocenter.govern import gate, stopping
from isocenter.govern.policy import HOUSE, Person, must
from isocenter.methods.clusters import share
from isocenter.reading import disclosure
from isocenter.reading.disclosure import Mode, Use
from isocenter.record import Event, Kind, Model, Sealed, canonical, states
from isocenter.site.disclosing import Disclosing

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.store.blobs import Blobs
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Gating"]

_ALL = 10_000_000
_LISTED = "list them with `isocenter models`; one of your own lies in a folder below that which ISOCENTER_MODELS names"
_ON_THE_WAY = ("compare", "shadow", "release")
_KEPT = ("digest", "examples", "code", "inputs", "card")


@dataclass(frozen=True)
class Gating:
    """The gate of one archive.

    Args:
        shelf: folder of the site's own weights, or empty.
    """

    index: Index
    journal: Journal
    blobs: Blobs
    registry: Registry
    disclosing: Disclosing
    clock: Callable[[], datetime]
    shelf: str = ""

    # ---- who and what

    def beside(self, name: str) -> Path:
        """The folder that holds a model."""
        self.model(name)
        return weights.models(self._shelf())[name][1].parent

    def model(self, name: str) -> Model:
        """A model that is here, by name.

        Raises:
            NotFound: there is none.
        """
        held = weights.models(self._shelf()).get(name)
        if held is None:
            raise NotFound(f"a model '{name:.64}'", "none of that name is installed", self._meant(name) or _LISTED)
        return held[0]

    def _meant(self, name: str) -> str:
        """What to say where the name of a folder was given in place of that of the model in it; "" where none was."""
        for held, file in weights.models(self._shelf()).values():
            if file.parent.name == name:
                return f"the model in the folder '{name:.64}' is called '{held.name}', by its model.json: say that"
        return ""

    def replaced(self, model: Model) -> Model | None:
        """What a model replaces: the weights of its name that are or were last released, if they are others."""
        return self._old(self.disclosing.gates(), model)

    @staticmethod
    def _old(gates: gate.Gates, model: Model) -> Model | None:
        digest = gates.released.get(model.name, "")
        if not digest or digest == model.digest:
            return None
        step = [s for s in gates.of(digest).steps if s["step"] == "release"][-1]
        return Model(model.name, "", **{k: step["record"][k] for k in _KEPT})

    def told(self, name: str, *, who: Person) -> dict[str, Any]:
        """Where a model stands: state, steps taken, change record, sealed test, last figures, what the next step lacks.

        Raises:
            NotFound: there is none of that name.
        """
        must(who, "models")
        model, gates = self.model(name), self.disclosing.gates()
        way, old = gates.of(model.digest), self.replaced(model)
        following = gate.NEXT.get(way.state, "")
        return {
            "model": name,
            "digest": model.digest,
            "state": way.state,
            "released": way.state == "released",
            "replaces": old.digest if old else "",
            "next": following,
            "possible": [step for step in states.allowed(states.MODEL, way.state) if step != "undo"],
            "unused": self._unused(name, way.state),
            "missing": self._missing(gates, model, old, following) if following else [],
            "change": gates.changes.get(name),
            "test": gates.tests.get(name),
            "looks": way.looks.get(str(gates.tests.get(name, {}).get("digest", "")), 0),
            "opened": gates.opened.get(str(gates.tests.get(name, {}).get("digest", "")), 0),
            "judged": dict(way.judged) or None,
            "measured": self.measured(model),
            "steps": [{k: v for k, v in s.items() if k != "record"} for s in way.steps],
        }

    def _missing(self, gates: gate.Gates, model: Model, old: Model | None, step: str) -> list[str]:
        other = self._other_weights(model.name)
        return [*gate.missing(gates, model, old, step, self._shadow(model)), *([other] if other else [])]

    def _other_weights(self, name: str) -> str:
        """That the file beside a record is not the one that was judged; empty where it is. It is read each time."""
        held, file = weights.models(self._shelf())[name]
        try:
            found = hashlib.sha256(weights.read_file(file)).hexdigest()
        except FileNotFoundError:
            return f"its record is there without {file.name}"
        except IsocenterError as why:
            return f"{why.what}: {why.why}"
        if found == held.digest:
            return ""
        return f"its file has digest {found[:12]}…, its record names {held.digest[:12]}…: it is not what was tested"

    def measured(self, model: Model) -> list[dict[str, Any]]:
        """What `judge` found of these weights here, the newest of each set of data, by whom and when."""
        found: dict[str, dict[str, Any]] = {}
        for s in self.journal.since(kinds=(Kind.MODEL_MEASURED,), subject=model.name, limit=_ALL, newest_first=True):
            if s.event.details["digest"] == model.digest:
                told = {**s.event.details, "by": s.event.who, "when": s.event.time.isoformat()}
                found.setdefault(str(told["data"]), told)
        return list(found.values())

    def sealed_for(self, digest: str, *, who: Person) -> str:
        """Name of a model whose sealed test set these data are; empty where they are none."""
        must(who, "models")
        return next((n for n, t in self.disclosing.gates().tests.items() if t["digest"] == digest), "")

    def states(self, *, who: Person) -> dict[str, str]:
        """Digest of weights -> state, of those on which anything was decided; all others are candidates."""
        must(who, "catalogue")
        return {digest: way.state for digest, way in self.disclosing.gates().ways.items()}

    # ---- what is declared, sealed, looked at

    def declare(self, name: str, record: Mapping[str, Any], *, reason: str, who: Person) -> None:
        """Declare what may change of a model, by which protocol, with which impact; before the test is looked at.

        Raises:
            Refused: no such record, no reason, or a look was taken by the record that stands.
        """
        must(who, "release", name)
        gate.change_of(record)
        self._must_say(reason)
        way = self.disclosing.gates().of(self.model(name).digest)
        again = way.stopped is not None and bool(way.looks.keys() - way.stopped.seen)
        if again or (way.looks and way.state in ("tested", "compared", "shadow")):
            raise Refused(
                f"another change record of {name}", "the sealed test was looked at by the one that stands",
                "retire the model first" if again else "reject the candidate first",
            )  # fmt: skip
        self._tell(Kind.CHANGE_DECLARED, who, name, **record, reason=reason.strip())

    def seal(self, name: str, digest: str, *, reason: str, who: Person) -> None:
        """Seal a test set by its digest: from now on every look at it by this command is counted.

        Raises:
            Refused: no reason is given. NotFound: no such model.
        """
        must(who, "release", name)
        self.model(name)
        self._must_say(reason)
        self._tell(Kind.TEST_SEALED, who, name, digest=digest, reason=reason.strip())

    def may_look(self, name: str, digest: str, *, who: Person, grouped: bool = True) -> int:
        """Number of the look at the sealed test set that may be taken now; none is taken.

        Args:
            grouped: whether groups of the cases are named.

        Raises:
            Refused, WrongState: as `look`.
        """
        must(who, "release", name)
        model = self.model(name)
        return gate.must_look(self.disclosing.gates(), model, digest, self.replaced(model), grouped=grouped)

    def look(self, name: str, digest: str, *, reason: str, who: Person) -> int:
        """A look at the sealed test set, written down before anything of it is measured; its number.

        Raises:
            Refused: nothing was declared or sealed, other data are given, no look is left, no reason is given.
            WrongState: the model is past its test.
        """
        must(who, "release", name)
        self._must_say(reason)
        model, now = self.model(name), self.clock()
        gates, level = self.disclosing.gates_at()

        def rule(since: Sequence[Sealed]) -> list[Event]:  # of two at once the second counts the look of the first
            here = gates.after(since)
            number = gate.must_look(here, model, digest, self._old(here, model))
            told = {"digest": model.digest, "test": digest, "look": number, "reason": reason.strip()}
            return [Event(Kind.TEST_LOOKED, now, who.name, name, told)]

        (looked,) = self.journal.decide(name, gate.KINDS, rule, after=level)
        return int(looked.event.details["look"])

    def judged(
        self,
        name: str,
        figures: Mapping[str, Any],
        cases: Sequence[Mapping[str, Any]] = (),
        *,
        reason: str,
        who: Person,
    ) -> None:
        """What the look showed (`isocenter.learn.sealed.measured`); with it the model is tested.

        One that is suspended is held to what it was when it was released, where it replaces nothing else.

        Args:
            cases: behind the figures (`isocenter.learn.tested.kept`), which are kept with them.
        """
        must(who, "release", name)
        model, gates = self.model(name), self.disclosing.gates()
        test, way = gates.tests[name]["digest"], gates.of(model.digest)
        if way.stopped is not None and not figures["against"]:
            figures = {**figures, "gaps": gate.held_to_itself(way.stood, figures), "itself": True}
        evidence = {**figures, "digest": model.digest, "test": test, "look": way.looks[test],
                    "bound": gate.bound(model)}  # fmt: skip
        if cases:
            evidence["cases"] = self.blobs.put(canonical({"cases": list(cases)}))
        way = replace(way, judged=evidence)
        self.journal.append(
            Event(Kind.MODEL_JUDGED, self.clock(), who.name, name, evidence),
            *self._step(replace(gates, ways={**gates.ways, model.digest: way}), model, "test", reason, who),
        )

    def measure(
        self, model: Model, data: str, figures: Mapping[str, Any], cases: Sequence[Mapping[str, Any]], *, who: Person
    ) -> None:
        """Keep what `judge` found on data that are no sealed test, with the cases behind it.

        Args:
            data: digest of them. cases: behind the figures (`isocenter.learn.tested.kept`); none where too many.
        """
        must(who, "release", model.name)
        told = {**figures, "digest": model.digest, "data": data}
        if cases:
            told["cases"] = self.blobs.put(canonical({"cases": list(cases)}))
        self._tell(Kind.MODEL_MEASURED, who, model.name, **told)

    def map_tested(self, model: Model, verdict: Mapping[str, Any], *, who: Person) -> None:
        """Write down that a map of a model was tested, and how that ended; the numbers are in the model's evidence."""
        must(who, "release", model.name)
        failed = [name for name, one in verdict["checks"].items() if not one["passed"]]
        self._tell(
            Kind.MAP_TESTED, who, model.name, digest=model.digest, map=verdict["map"], method=verdict["method"],
            passed=verdict["passed"], failed=failed, cases=verdict["cases"]["digest"],
            partners={role: one["digest"] for role, one in verdict["partners"].items()},
        )  # fmt: skip

    # ---- steps

    def step(self, name: str, step: str, *, reason: str, who: Person) -> str:
        """Take a step of the table; the state after it.

        Raises:
            WrongState: there is no such step from here. Refused: something is missing; each is named. Also where the
                journal is broken: what a release rests on is read from it.
        """
        if who is HOUSE:
            raise Refused(f"'{step}' by the house", "a model takes no step by itself", "name a person with --by")
        must(who, "release", name)
        if step == "release":
            self._must_be_whole(name)
        model = self.model(name)
        gates, level = self.disclosing.gates_at()
        events = self._step(gates, model, step, reason, who)
        if step in _ON_THE_WAY and (other := self._other_weights(name)):
            raise Refused(f"the step '{step}' of {name}", other, "restore the file that belongs to the record")

        def rule(since: Sequence[Sealed]) -> list[Event]:  # of two at once the second is asked anew
            if since:
                self._must_step(gates.after(since), model, step, reason, who)
            return events

        return str(self.journal.decide(name, gate.KINDS, rule, after=level)[-1].event.details["state"])

    def _must_be_whole(self, name: str) -> None:
        try:
            self.journal.verify()
        except Refused as broken:
            raise Refused(
                f"a release of {name} while {broken.what}",
                "what it is released on is read from the journal, and nothing after that entry can be trusted",
                "restore the journal from a backup first; whoever stops or suspends a model still can",
            ) from broken

    def _step(self, gates: gate.Gates, model: Model, step: str, reason: str, who: Person) -> list[Event]:
        after, now = self._must_step(gates, model, step, reason, who), self.clock()
        was, events = gates.of(model.digest).state, list[Event]()
        stops, users = self.disclosing.stops(), self._users(model.name)
        said: dict[str, Any] = {"reason": reason, "who": who.name, "now": now}
        if step in ("suspend", "retire"):
            events += [stopping.stop(stops, a, **said, model=model.name) for a in users if a not in stops]
        elif was == "suspended" and step == "release":
            events += [stopping.resume(stops, a, **said, model=model.name) for a in users if a in stops]
        elif step == "shadow":
            modes = self.disclosing.modes()
            events += [
                disclosure.propose(modes, a, use, Mode.SHADOW, **said)
                for a in users for use in Use if modes.of(a, use) is not Mode.SHADOW
            ]  # fmt: skip
        told: dict[str, Any] = {
            "digest": model.digest, "step": step, "state": after, "was": was, "reason": reason.strip(),
            "analyses": users, "bound": gate.bound(model),
        }  # fmt: skip
        if step == "release":
            told["record"] = {
                "digest": model.digest, "examples": model.examples, "code": model.code, "inputs": dict(model.inputs),
                "card": {k: model.card.get(k) for k in ("intended_use", "not_for")},
            }  # fmt: skip
        return [*events, Event(Kind.MODEL_STEPPED, now, who.name, model.name, told)]

    def _must_step(self, gates: gate.Gates, model: Model, step: str, reason: str, who: Person) -> str:
        return gate.must_step(
            gates, model, self._old(gates, model), step, reason=reason, who=who.name, shadow=self._shadow(model)
        )

    def must_stay_unseen(self, analysis: str, mode: Mode) -> None:
        """Go on only if a mode may be set: an analysis whose model is in shadow is seen by nobody.

        Raises:
            Refused: it is in shadow.
        """
        name = getattr(self.registry.get(analysis), "weights", "")
        if not name or mode is Mode.SHADOW or self.disclosing.gates().of(self.model(name).digest).state != "shadow":
            return
        raise Refused(
            f"the mode '{mode}' for {analysis}", f"its model {name} is in shadow: readers see nothing of it",
            f"release it first: isocenter release {name}",
        )  # fmt: skip

    # ---- what answers

    def stops(self) -> dict[str, stopping.Stop]:
        """Analyses that answer nothing now: those that a person stopped, or whose weights the gate holds back."""
        gates, stops = self.disclosing.gates(), dict(self.disclosing.stops())
        if not gates.ways:
            return stops
        held = weights.models(self._shelf())
        for name, analysis in self.registry.analyses.items():
            known = held.get(getattr(analysis, "weights", ""))
            if name not in stops and known is not None and (why := gate.silent(gates, known[0])):
                stops[name] = stopping.Stop(name, "the gate", self.clock(), why)
        return stops

    # ---- what was seen

    def _shadow(self, model: Model) -> dict[str, Any]:
        """People with signed studies on which its analyses answered unseen since it went into shadow, and how often
        the report said the same. A study counts as it was signed last, and people who come often are no more people.
        What other weights answered, such as those that it replaces, says nothing of these."""
        way, users = self.disclosing.gates().of(model.digest), self._users(model.name)
        since = next((s["when"] for s in reversed(way.steps) if s["step"] == "shadow"), "")
        if not since:
            return {"cases": 0, "confirmed": None, "analyses": users}
        begun, agreed = datetime.fromisoformat(since), dict[tuple[str, str], bool]()
        for sealed in self.journal.since(kinds=(Kind.REPORT_SIGNED,), limit=_ALL):
            if sealed.event.time >= begun:
                agreed |= {
                    (sealed.event.subject, call["analysis"]): call["machine"] == call["final"]
                    for call in sealed.event.details.get("calls", ())
                    if call["analysis"] in users and call["mode"] == Mode.SHADOW.value
                    and call.get("model") == model.digest
                }  # fmt: skip
        if not agreed:
            return {"cases": 0, "confirmed": None, "analyses": users}
        known = {s.uid: f"{s.patient.issuer}|{s.patient.id}" for s in self.index.studies(limit=_ALL) if s.patient.id}
        people = [known.get(study, study) for study, _ in agreed]
        low = share(list(agreed.values()), people).low
        return {"cases": len(set(people)), "confirmed": low, "analyses": users}

    def _unused(self, name: str, state: str) -> str:
        """That no analysis asks a model, while it is on its way or released; empty where one does."""
        told = self.disclosing.gates().changes.get(name)
        change = gate.declared(told) if told is not None else None
        return gate.unused(name, self._users(name), change) if state not in ("rejected", "retired") else ""

    def _users(self, model: str) -> list[str]:
        return [n for n, a in self.registry.analyses.items() if getattr(a, "weights", "") == model]

    def _shelf(self) -> Path | None:
        return Path(self.shelf) if self.shelf else None

    def _must_say(self, reason: str) -> None:
        if not reason.strip():
            raise Refused("an act without a reason", "whoever asks later must find out", "say why with --reason")

    def _tell(self, kind: Kind, who: Person, name: str, **details: Any) -> None:
        self.journal.append(Event(kind, self.clock(), who.name, name, details))
