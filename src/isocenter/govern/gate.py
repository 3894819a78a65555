"""The way of a model to people: candidate, sealed test, not inferior, shadow, released, suspended.

Each step is one line of the table `record.states.MODEL`, taken by a named person with a reason, and refused with what
is missing. What a model may become was said beforehand in a *change record*: which parts may change, by which protocol
it is judged, and what a change would mean (FDA's predetermined change control plan, 2024). The test set is sealed by
its digest, and every look at it is an entry of the journal, written before it is opened; looks are counted, for
whoever looks often enough finds something to like.

Everything here is a value or a pure function; `isocenter.site.gating` keeps it level with the journal.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

from isocenter.errors import Refused
from isocenter.methods.intervals import Estimate
from isocenter.methods.noninferiority import Gap, apart
from isocenter.record import Kind, Model, Sealed, digest_of, states, to_plain

__all__ = [
    "KINDS",
    "NEXT",
    "PARTS",
    "Change",
    "Gates",
    "Stopped",
    "Way",
    "bound",
    "change_of",
    "changed",
    "held_to_itself",
    "missing",
    "must_look",
    "must_step",
    "silent",
    "stop_rule",
    "unused",
]

KINDS = (
    Kind.CHANGE_DECLARED, Kind.TEST_SEALED, Kind.TEST_LOOKED, Kind.TEST_CASES_OPENED, Kind.MODEL_JUDGED,
    Kind.MODEL_STEPPED,
)  # fmt: skip
"""Events of which the ways are made; their subject is the name of the model."""

PARTS: Mapping[str, str] = MappingProxyType(
    {
        "weights": "the numbers in the network",
        "examples": "what it learnt from",
        "code": "the code that trained it",
        "calibration": "how a score becomes a certainty",
        "threshold": "from which certainty on it calls",
        "inputs": "how a case is prepared, and which outputs there are",
        "intended use": "for whom and for what; no change record covers it",
    }
)
"""Parts of a model that may differ from what it replaces."""

NEXT: Mapping[str, str] = MappingProxyType(
    {"candidate": "test", "tested": "compare", "compared": "shadow", "shadow": "release", "suspended": "release"}
)
"""State -> the step that leads on from it."""

_BOUND = ("name", "version", "digest", "parent", "examples", "code", "card", "inputs")

_PROTOCOL: Mapping[str, Any] = MappingProxyType(
    {
        "margin": 0.02, "group_margin": 0.02, "least_events": 10, "floor": 0.0, "looks": 3, "shadow_cases": 50,
        "shadow_agreement": 0.0, "every_group": True, "stop_on_alarm": False, "fresh_test": True,
    }
)  # fmt: skip


@dataclass(frozen=True)
class Change:
    """A predefined change record.

    Args:
        may_change: names of `PARTS`.
        margin, group_margin: how much worse the primary figure may be overall, and sensitivity in a group.
        least_events: with fewer a group has insufficient data, and nothing is concluded of it.
        floor: what the lower end of the primary figure's interval must reach where there is nothing that it replaces.
        looks: at the sealed test set, for each model.
        shadow_cases: people on whose signed studies it must have run unseen before it is released.
        shadow_agreement: share of its findings that readers must have confirmed there, at the interval's lower end.
        every_group: whether a group with insufficient data holds the step up, too, and so do groups that nobody named.
            Otherwise the fewer cases a group has, the more easily it would pass; who accepts that says so beforehand.
        stop_on_alarm: the stop rule: whether the house suspends it everywhere at the first alarm of the watch, without
            waiting for a person.
        fresh_test: whether a suspended model comes back only where it holds on cases that were sealed since: what it
            passed before says nothing of why it was stopped. Who accepts the old figures says so beforehand.
        impact: what a change would mean for people, in words.
    """

    may_change: tuple[str, ...]
    impact: str
    margin: float = 0.02
    group_margin: float = 0.02
    least_events: int = 10
    floor: float = 0.0
    looks: int = 3
    shadow_cases: int = 50
    shadow_agreement: float = 0.0
    every_group: bool = True
    stop_on_alarm: bool = False
    fresh_test: bool = True


def change_of(said: Mapping[str, Any]) -> Change:
    """A change record as people write it: ``{"may_change": […], "protocol": {…}, "impact": "…"}``.

    Raises:
        Refused: for an unknown part or line, a number out of range, or no word on the impact.
    """
    if unknown := set(said) - {"may_change", "protocol", "impact"}:
        raise Refused(
            f"'{sorted(unknown)[0]}' in a change record",
            "it has may_change, protocol and impact",
            "correct its name, or leave it out",
        )
    parts, protocol = said.get("may_change"), said.get("protocol", {})
    if not isinstance(parts, list) or not parts or not isinstance(protocol, Mapping):
        raise Refused(
            "a change record that names nothing", "may_change lists what may change", f"of {', '.join(PARTS)}"
        )
    for part in parts:
        if not isinstance(part, str) or part not in PARTS or part == "intended use":
            raise Refused(f"'{part!s:.40}' may change", "no change record covers that",
                          f"name some of {', '.join(p for p in PARTS if p != 'intended use')}")  # fmt: skip
    if unknown := set(protocol) - set(_PROTOCOL):
        raise Refused(
            f"'{sorted(unknown)[0]}' in a protocol",
            f"it has {', '.join(_PROTOCOL)}",
            "correct its name, or leave it out",
        )
    if not str(said.get("impact", "")).strip():
        raise Refused("a change record without an impact", "what a change means for people must be said", "say it")
    for name, given in protocol.items():
        wanted = type(_PROTOCOL[name])
        if isinstance(given, bool) != (wanted is bool) or not isinstance(given, int | float) or not given >= 0:
            asked = "true or false" if wanted is bool else "a number from 0 on"
            raise Refused(f"{name} = {given!r:.40}", f"it is {asked}", "write it so, without quotation marks")
        if wanted is int and given != int(min(given, 1e9)):
            raise Refused(f"{name} = {given:g}", "it is a whole number up to a thousand million", "write it so")
        if wanted is float and given >= 1:
            raise Refused(f"{name} = {given:g}", "it is a share below 1", "write 0.05 for five of a hundred")
    whole = {k: type(_PROTOCOL[k])(v) for k, v in {**_PROTOCOL, **protocol}.items()}
    if whole["looks"] < 1:
        raise Refused("0 looks at the test set", "without one nothing is shown", "allow one at least")
    return Change(tuple(parts), str(said["impact"]).strip(), **whole)


def declared(told: Mapping[str, Any]) -> Change:
    """The change record in the details of its event."""
    return change_of({k: told[k] for k in ("may_change", "protocol", "impact") if k in told})


def stop_rule(gates: Gates, name: str) -> str:
    """Who declared that an alarm suspends a model at once; empty where nobody did."""
    told = gates.changes.get(name)
    return str(told["by"]) if told is not None and declared(told).stop_on_alarm else ""


@dataclass(frozen=True)
class Stopped:
    """How a model was suspended.

    Args:
        by: who did it. entry: of the journal.
        seen: digests of the test sets that it was looked at on before.
        fresh: whether it comes back only by cases that were sealed since, by the change record that stood then.
    """

    by: str
    entry: int
    seen: frozenset[str]
    fresh: bool


@dataclass(frozen=True)
class Way:
    """Where one set of weights stands.

    Args:
        state: of `states.MODEL`.
        judged: details of its last look at the sealed test set, empty before.
        stood: those on which it was first released, to which it is held when it was suspended.
        stopped: how it was suspended, while it is.
        looks: at the sealed test set so far, by digest of the set.
        steps: what was done, oldest first: step, state, by, when, reason.
    """

    state: str = "candidate"
    judged: Mapping[str, Any] = field(default_factory=dict, hash=False)
    stood: Mapping[str, Any] = field(default_factory=dict, hash=False)
    stopped: Stopped | None = None
    looks: Mapping[str, int] = field(default_factory=dict, hash=False)
    steps: tuple[Mapping[str, Any], ...] = ()

    @property
    def suspended_by(self) -> str:
        """Who suspended it, while it is."""
        return self.stopped.by if self.stopped else ""


@dataclass(frozen=True)
class Gates:
    """All models of a site.

    Args:
        ways: digest of the weights -> way.
        changes: name of a model -> details of its change record, newest.
        tests: name of a model -> details of its sealed test set, newest.
        released: name of a model -> digest that is, or was last, released.
        opened: digest of a sealed test set -> how often somebody saw single cases of it.
    """

    ways: Mapping[str, Way] = field(default_factory=dict, hash=False)
    changes: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    tests: Mapping[str, Mapping[str, Any]] = field(default_factory=dict, hash=False)
    released: Mapping[str, str] = field(default_factory=dict, hash=False)
    opened: Mapping[str, int] = field(default_factory=dict, hash=False)

    def of(self, digest: str) -> Way:
        """The way of one set of weights; those of which nothing was said are candidates."""
        return self.ways.get(digest, Way())

    def after(self, events: Iterable[Sealed]) -> Gates:
        """As these events leave them."""
        ways, changes, tests, released = dict(self.ways), dict(self.changes), dict(self.tests), dict(self.released)
        opened = dict(self.opened)
        for number, event in ((sealed.number, sealed.event) for sealed in events):
            told = {**event.details, "by": event.who, "when": event.time.isoformat()}
            if event.kind is Kind.CHANGE_DECLARED:
                changes[event.subject] = told
            elif event.kind is Kind.TEST_SEALED:
                tests[event.subject] = {**told, "entry": number}
            elif event.kind is Kind.TEST_CASES_OPENED:
                opened[told["test"]] = opened.get(told["test"], 0) + 1
            elif event.kind in KINDS:
                digest = str(event.details["digest"])
                way = ways.get(digest, Way())
                if event.kind is Kind.TEST_LOOKED:
                    way = replace(way, looks={**way.looks, told["test"]: int(told["look"])})
                elif event.kind is Kind.MODEL_JUDGED:
                    way = replace(way, judged=told)
                else:
                    way = replace(way, state=told["state"], steps=(*way.steps, told))
                    if told["step"] == "suspend":
                        protocol = changes.get(event.subject, {}).get("protocol", {})
                        fresh = bool(protocol.get("fresh_test", True))
                        way = replace(way, stopped=Stopped(event.who, number, frozenset(way.looks), fresh))
                    elif told["state"] != "suspended":
                        way = replace(way, stopped=None)
                    if told["step"] == "release":
                        way = replace(way, stood=way.stood or way.judged)
                        released[event.subject] = digest
                ways[digest] = way
        return Gates(ways, changes, tests, released, opened)


def bound(model: Model) -> str:
    """Digest of all that was judged together: the weights, and what their record says of them.

    Thresholds, calibration and how a case is prepared stand in the record, not in the weights: whoever could change
    them afterwards would have another model under the figures of this one. What is added to the evidence later, by
    tests of a map or trainings from other seeds, is left out.
    """
    told = to_plain(model)
    evidence = {k: v for k, v in told["evidence"].items() if k not in ("explanation", "seeds")}
    return digest_of({**{k: told[k] for k in _BOUND}, "evidence": evidence})


def silent(gates: Gates, model: Model) -> str:
    """Why these weights answer nothing here, though nobody stopped them; empty where they may.

    Where a model was released once, only the gate replaces it: other weights of its name answer unseen in shadow, and
    before that not at all. Where none was, those that ship are candidates, and are shown as such.
    """
    way, released = gates.of(model.digest), gates.released.get(model.name, "")
    if way.state in ("rejected", "suspended", "retired"):
        return f"its weights {model.digest[:12]} were {way.state}"
    if released not in ("", model.digest) and way.state not in ("shadow", "released"):
        return (
            f"its weights {model.digest[:12]} are no more than {way.state}, and {released[:12]} were released: "
            "only the gate replaces them"
        )
    if way.steps and way.steps[-1].get("bound", bound(model)) != bound(model):
        return f"its record was changed since the step '{way.steps[-1]['step']}' was taken"
    return ""


def changed(new: Model, old: Model | None) -> tuple[str, ...]:
    """Parts in which a model differs from what it replaces; nothing where it replaces nothing."""
    if old is None:
        return ()
    one, other = dict(new.inputs), dict(old.inputs)
    # A recalibration is another file around the same network: `isocenter release` proves that it is before it looks.
    networks = tuple(str(i.pop("network", m.digest)) for i, m in ((one, new), (other, old)))
    held = {
        "weights": networks,
        "examples": (new.examples, old.examples),
        "code": (new.code, old.code),
        "calibration": (one.pop("calibration", None), other.pop("calibration", None)),
        "threshold": (one.pop("threshold", None), other.pop("threshold", None)),
        "inputs": (one, other),
        "intended use": tuple([m.card.get(k) for k in ("intended_use", "not_for")] for m in (new, old)),
    }
    return tuple(part for part, (a, b) in held.items() if a != b)


def missing(gates: Gates, new: Model, old: Model | None, step: str, shadow: Mapping[str, Any]) -> tuple[str, ...]:
    """What stands in the way of a step, a sentence each; nothing where it may be taken.

    Args:
        new: the model. old: what it replaces, where something was released before.
        step: of `states.MODEL`.
        shadow: what was seen of it in shadow: ``cases``, ``confirmed`` (low end of the interval, or None), and
            ``analyses``, the names of those that use its weights.
    """
    if step in ("reject", "suspend", "retire"):
        return ()
    said, sealed, way = gates.changes.get(new.name), gates.tests.get(new.name), gates.of(new.digest)
    if said is None:
        return ("no change record was declared (--change FILE): what may change, by which protocol, with which impact",)
    if sealed is None:
        return ("no test set was sealed (--seal DATA)",)
    change = declared(said)
    lacking = _not_allowed(new, old, change)
    judged = way.judged
    if way.stopped is not None and way.stopped.fresh and (why := _nothing_new(gates, new)):
        return (*lacking, why)
    if not judged or judged.get("test") != sealed["digest"]:
        return (*lacking, "it was not measured on the sealed test set (--data DATA --groups CSV)")
    if step == "test":
        return tuple(lacking)
    if judged.get("bound", bound(new)) != bound(new):
        lacking.append("its record (inputs, card or evidence) was changed since it was measured")
    lacking += _not_shown(judged, change, old, again=way.stopped is not None and way.stopped.fresh)
    if step == "release" and way.state == "shadow":
        lacking += _shadowed(new.name, shadow, change)
    return tuple(lacking)


def _not_allowed(new: Model, old: Model | None, change: Change) -> list[str]:
    """Parts that changed and may not."""
    return [
        f"{part} changed ({PARTS[part]}), which the change record does not allow"
        for part in changed(new, old) if part not in change.may_change
    ]  # fmt: skip


def _nothing_new(gates: Gates, model: Model) -> str:
    """That the sealed test set says nothing of why a model was suspended; empty where it does, or it is not."""
    stopped, sealed = gates.of(model.digest).stopped, gates.tests.get(model.name)
    if stopped is None or (sealed and sealed["entry"] > stopped.entry and sealed["digest"] not in stopped.seen):
        return ""
    return (
        "no new cases were sealed since it was suspended (--seal DATA): those that it passed before say nothing of "
        "why it was stopped"
    )


def held_to_itself(then: Mapping[str, Any], now: Mapping[str, Any]) -> list[dict[str, Any]]:
    """*Now minus when it was released*, overall and in every group, each with its interval, of different cases.

    Args:
        then, now: details of two looks (`isocenter.learn.sealed.measured`), with ``subgroups``.

    Raises:
        Refused: the two looks were measured by different figures.
    """
    if then.get("metric") != now["metric"]:
        raise Refused(
            f"a {now['metric']} beside the {then.get('metric')} of its release", "they cannot be compared",
            "seal cases of the kind on which it was released",
        )  # fmt: skip
    gaps = [_gap(str(now["metric"]), now["primary"], then["primary"], int(now["n"]), "")]
    before = {(one["by"], one["name"]): one for one in then.get("subgroups", ())}
    for one in now.get("subgroups", ()):
        name, past = f"{one['by']} {one['name']}", before.get((one["by"], one["name"]), {})
        figure = "sensitivity" if "sensitivity" in one["metrics"] else next(iter(one["metrics"]), "")
        if one.get("insufficient"):
            gaps.append({"group": name, "n": one["n"], "insufficient": one["insufficient"]})
        elif figure not in past.get("metrics", {}):
            why = "insufficient data: it had no figure there when it was released"
            gaps.append({"group": name, "n": one["n"], "insufficient": why})
        else:
            n = int(one["events"] if figure == "sensitivity" else one["n"])
            gaps.append(_gap(figure, one["metrics"][figure], past["metrics"][figure], n, name))
    return gaps


def _gap(figure: str, now: Mapping[str, Any], then: Mapping[str, Any], n: int, group: str) -> dict[str, Any]:
    new, old = (Estimate(float(one["value"]), float(one["low"]), float(one["high"]), n) for one in (now, then))
    gap = apart(new, old)
    told = {"figure": figure, "value": gap.value, "low": gap.low, "high": gap.high, "n": n}
    return {"group": group, **told} if group else told


def _not_shown(judged: Mapping[str, Any], change: Change, old: Model | None, *, again: bool) -> list[str]:
    """Where non-inferiority was not shown: to what it replaces or, `again`, to itself when it was released."""
    lacking: list[str] = []
    if old is not None and judged.get("against") != old.digest:
        return [f"it was not compared with {old.digest[:12]}…, which it replaces"]
    if old is None:
        low = float(judged["primary"]["low"])
        if low < change.floor:
            lacking.append(
                f"the {judged['metric']} may be as low as {low:.3f}; the change record asks for {change.floor:g}"
            )
    if (old is not None or again) and change.every_group and not any(gap.get("group") for gap in judged["gaps"]):
        lacking.append("it was compared in no group (sex, age, site, scanner): who may be worse off is not known")
    for gap in judged["gaps"]:
        group = gap.get("group", "")
        margin = change.group_margin if group else change.margin
        if gap.get("insufficient"):
            if change.every_group:
                lacking.append(f"{group}: {gap['insufficient']}; no harm was seen there, and none could be")
        elif not Gap(gap["value"], gap["low"], gap["high"], gap["n"]).holds(margin):
            where = f"in {group} " if group else ""
            lacking.append(
                f"{where}the {gap['figure']} may be {-gap['low']:.3f} worse (n = {gap['n']}); the margin is {margin:g}"
            )
    return lacking


def unused(name: str, analyses: Sequence[str], change: Change | None) -> str:
    """That no analysis asks a model, what this means for its way, and how to go on; empty where one does.

    A model that nothing asks gathers no case in shadow. Whoever hears that at the last step has used up the looks at
    their sealed test for nothing.
    """
    if analyses:
        return ""
    asked = change.shadow_cases if change is not None else int(_PROTOCOL["shadow_cases"])
    agreed = change.shadow_agreement if change is not None else float(_PROTOCOL["shadow_agreement"])
    write = f'write an analysis that does (weights = "{name}", docs/do/write-an-analysis.md)'
    if not asked and not agreed:
        return f"no analysis here uses the weights of {name}: released, it answers on no study; {write}"
    what = f"{asked} signed studies in shadow" if asked else f"agreement of {agreed:g} with signed studies in shadow"
    none = " and ".join(f'"{key}": 0' for key, held in (("shadow_cases", asked), ("shadow_agreement", agreed)) if held)
    return (
        f"no analysis here uses the weights of {name}, so the {what} that a release asks for will never come: {write}, "
        f"or declare {none} in the change record before the sealed test is looked at"
    )


def _shadowed(name: str, shadow: Mapping[str, Any], change: Change) -> list[str]:
    lacking = []
    if (change.shadow_cases or change.shadow_agreement) and (
        why := unused(name, shadow.get("analyses", (name,)), change)
    ):
        lacking.append(why)
    elif int(shadow["cases"]) < change.shadow_cases:
        lacking.append(
            f"it ran in shadow on signed studies of {shadow['cases']} people; {change.shadow_cases} are asked for: the "
            "server must have these weights (ISOCENTER_MODELS)"
        )
    elif change.shadow_agreement and (shadow["confirmed"] or 0.0) < change.shadow_agreement:
        lacking.append(
            f"what it said in shadow readers signed in {shadow['confirmed'] or 0.0:.2f} of the studies of "
            f"{shadow['cases']} people at least (lower end of the 95 % interval); "
            f"{change.shadow_agreement:g} is asked for"
        )
    return lacking


def must_step(
    gates: Gates, new: Model, old: Model | None, step: str, *, reason: str, who: str, shadow: Mapping[str, Any]
) -> str:
    """The state after a step that may be taken.

    Raises:
        WrongState: the table has no such step from where it stands.
        Refused: nobody is named, no reason is given, something is missing, or who suspended it releases it again.
    """
    way = gates.of(new.digest)
    after = states.step(states.MODEL, way.state, step)
    if step == "undo":
        raise Refused(f"'undo' of {new.name}", "it is no step of the gate", "take the stop back, or release it again")
    if not who.strip():
        raise Refused(f"'{step}' by nobody", "a model takes no step by itself", "name the person who takes it")
    if not reason.strip():
        raise Refused(f"'{step}' without a reason", "whoever asks later must find out", "say why with --reason")
    if way.state == "suspended" and step == "release" and way.suspended_by == who:
        raise Refused(
            f"{new.name} suspended and released again by {who}", "what shows more of a machine takes two people",
            "ask somebody else to release it",
        )  # fmt: skip
    if lacking := missing(gates, new, old, step, shadow):
        raise Refused(f"the step '{step}' of {new.name}", "; ".join(lacking), "bring what is missing, or reject it")
    return after


def must_look(gates: Gates, model: Model, test: str, old: Model | None = None, *, grouped: bool = True) -> int:
    """Number of the look that may be taken now at the sealed test set.

    Args:
        old: what it replaces, where something was released before. grouped: whether groups of the cases are named.

    Raises:
        Refused: nothing was declared or sealed, other data are given, no look is left, or whatever is seen, the look
            could lead nowhere: a part changed that may not, or groups are asked for and none is named.
        WrongState: the model is past its test.
    """
    if model.name not in gates.changes:
        raise Refused(f"a test of {model.name}", "no change record was declared", "declare it with --change")
    if model.name not in gates.tests:
        raise Refused(f"a test of {model.name}", "no test set was sealed", "seal one with --seal")
    way = gates.of(model.digest)
    states.step(states.MODEL, way.state, "test")
    if gates.tests[model.name]["digest"] != test:
        raise Refused(
            f"data of digest {test[:12]}…", "the sealed test set is another one, or it was changed",
            "give the data that were sealed",
        )  # fmt: skip
    said = gates.changes[model.name]
    most = declared(said).looks
    seen = way.looks.get(test, 0)
    if seen >= most:
        raise Refused(f"look {seen + 1} at the sealed test set", f"{most} are allowed", "seal new cases")
    if way.stopped is not None and (why := _nothing_new(gates, model)):
        raise Refused(f"a test of {model.name}, which is suspended", why, "seal cases of the time since, with --seal")
    if barred := _not_allowed(model, old, declared(said)):
        raise Refused(
            f"a test of {model.name}", "; ".join(barred), "declare another change record with --change, or reject it"
        )
    if (old is not None or way.stopped is not None) and declared(said).every_group and not grouped:
        raise Refused(
            f"a test of {model.name} in no group", "its change record asks that no group be worse off (every_group)",
            "name sex, age, site or scanner of the cases with --groups CSV",
        )  # fmt: skip
    return seen + 1
