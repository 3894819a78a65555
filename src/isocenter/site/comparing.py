"""Two versions of one model beside each other: what changed, what each was shown to be, and what was seen of both on
the same cases.

A version is known from its card where its files lie here, and from the journal where they are gone: what was released
is kept with its step, and what a sealed test showed with its look. A difference is given where both answered the same
sealed cases, for only then its interval is one of pairs; two figures of two sets of cases are not subtracted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import weights
from isocenter.errors import NotFound, Refused
from isocenter.govern import gate
from isocenter.govern.policy import Person, must
from isocenter.methods import subgroups
from isocenter.methods.noninferiority import Gap
from isocenter.record import Kind, Model, to_plain
from isocenter.site.disclosing import Disclosing

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Comparing"]

_ALL = 10_000_000
_PARTS = ("digest", "examples", "code", "inputs", "card")


@dataclass(frozen=True)
class Comparing:
    """The versions of the models of one archive.

    Args:
        shelf: folder of the site's own weights, or empty.
    """

    journal: Journal
    disclosing: Disclosing
    shelf: str = ""

    def versions(self, name: str, *, who: Person) -> list[dict[str, Any]]:
        """Every set of weights that is or was here under a name: the installed one first, then what it replaced.

        Raises:
            NotFound: there is none of that name.
        """
        must(who, "models")
        return [
            {
                "digest": one.digest, "version": one.version, "state": self._state(one.digest),
                "installed": one.digest == now, "here": bool(one.version), "parent": one.parent,
            }
            for now, known in [self._known(name)] for one in known.values()
        ]  # fmt: skip

    def compare(self, name: str, one: str = "", other: str = "", *, who: Person) -> dict[str, Any]:
        """Two versions beside each other.

        Args:
            one: digest of the one, or its beginning; the installed one where nothing is said.
            other: of the one that it is held against; what it replaced, its parent, or the next where nothing is said.

        Returns:
            versions, sides (two; each with card, evidence and its sealed test), changed (parts, and whether the
            predefined change record allows them), figures, groups, paired (or why there is none).

        Raises:
            NotFound: no such version. Refused: there is no second one.
        """
        told = self.versions(name, who=who)
        now, known = self._known(name)
        left = self._chosen(known, one or now)
        right = self._chosen(known, other) if other else self._before(name, left, known)
        if left.digest == right.digest:
            raise Refused("a version held against itself", "nothing differs", "choose another one")
        return {
            "name": name, "versions": told, "sides": [self._side(m, now) for m in (left, right)],
            "changed": self._changed(name, left, right), "figures": _figures(left, right),
            "groups": _groups(left, right), **self._paired(name, left, right),
        }  # fmt: skip

    # ---- which versions there are ------------------------------------------------------------------------------

    def _known(self, name: str) -> tuple[str, dict[str, Model]]:
        """Digest of the installed weights, and every version by digest."""
        shelf = Path(self.shelf) if self.shelf else None
        held = weights.models(shelf).get(name)
        if held is None:
            listed = "list them with `isocenter models`"
            raise NotFound(f"a model '{name:.64}'", "none of that name is installed", listed)
        known = {held[0].digest: held[0]} | {m.digest: m for m in weights.versions(name, shelf)}
        for sealed in self.journal.since(kinds=gate.KINDS, subject=name, limit=_ALL, newest_first=True):
            told = sealed.event.details
            digest = str(told.get("digest", ""))
            if sealed.event.kind in (Kind.MODEL_JUDGED, Kind.MODEL_STEPPED) and digest:
                gone = known.setdefault(digest, Model(name, "", digest))
                if "record" in told and not gone.card:
                    known[digest] = replace(gone, **{k: told["record"][k] for k in _PARTS})
        return held[0].digest, known

    def _chosen(self, known: Mapping[str, Model], digest: str) -> Model:
        fitting = [m for d, m in known.items() if d.startswith(digest)]
        if len(fitting) != 1:
            raise NotFound(f"a version '{digest:.16}'", "none of that digest was ever here", "choose one of the list")
        return fitting[0]

    def _before(self, name: str, left: Model, known: Mapping[str, Model]) -> Model:
        gates = self.disclosing.gates()
        against = str(gates.of(left.digest).judged.get("against", ""))
        others = [d for d in (against, gates.released.get(name, ""), left.parent, *known) if d != left.digest]
        for digest in others:
            if digest in known:
                return known[digest]
        raise Refused(
            f"two versions of {name}", "only one was ever here, so that there is nothing to hold it against",
            "put another version's model.onnx and model.json into the folder of the site's own weights",
        )  # fmt: skip

    def _state(self, digest: str) -> str:
        return self.disclosing.gates().of(digest).state

    # ---- what is said of them ----------------------------------------------------------------------------------

    def _side(self, model: Model, now: str) -> dict[str, Any]:
        way = self.disclosing.gates().of(model.digest)
        evidence = dict(to_plain(model.evidence))
        evidence.pop("subgroups", None)  # they stand beside each other, with small ones withheld
        judged = {k: way.judged[k] for k in ("metric", "n", "primary", "test", "when") if k in way.judged}
        return {
            "digest": model.digest, "version": model.version, "parent": model.parent, "state": way.state,
            "installed": model.digest == now, "card": to_plain(model.card), "evidence": evidence,
            "judged": judged or None,
        }  # fmt: skip

    def _changed(self, name: str, left: Model, right: Model) -> dict[str, Any]:
        """Parts that differ, and whether the change record that stands allows each; unknown where a card is gone."""
        if not (left.card and right.card):
            return {"known": False, "parts": [], "record": self._record(name)}
        record = self._record(name)
        allowed = set(record["may_change"]) if record else set()
        parts = [
            {"part": part, "words": gate.PARTS[part], "allowed": (part in allowed) if record else None}
            for part in gate.changed(left, right)
        ]
        return {"known": True, "parts": parts, "record": record}

    def _record(self, name: str) -> dict[str, Any] | None:
        told = self.disclosing.gates().changes.get(name)
        return {k: told.get(k) for k in ("may_change", "impact", "by", "when", "protocol")} if told else None

    def _paired(self, name: str, left: Model, right: Model) -> dict[str, Any]:
        """New minus old on the sealed cases that both answered, or why it is not known."""
        gates = self.disclosing.gates()
        for new, old, sign in ((left, right, 1), (right, left, -1)):
            judged = gates.of(new.digest).judged
            if judged and judged.get("against") == old.digest and judged.get("gaps"):
                said = gates.changes.get(name)
                change = gate.declared(said) if said else None
                gaps = [_gap(g, sign, change) for g in judged["gaps"]]
                return {"paired": {"test": judged["test"], "n": judged["n"], "gaps": gaps}, "because": ""}
        tests = [gates.of(m.digest).judged.get("test") for m in (left, right)]
        if not all(tests):
            because = "they were not both measured on the sealed test set"
        elif tests[0] != tests[1]:
            because = "they were measured on two different sealed sets"
        else:
            because = "each look was at one alone: the answers to single cases are not kept, and cannot be paired later"
        return {"paired": None, "because": because}


def _gap(told: Mapping[str, Any], sign: int, change: gate.Change | None) -> dict[str, Any]:
    """One paired difference, *this minus that*; whether non-inferiority holds is said of the newer one only."""
    group = str(told.get("group", ""))
    if told.get("insufficient"):
        return {"group": group, "insufficient": told["insufficient"]}
    value = sign * float(told["value"])
    low, high = sorted(sign * float(told[k]) for k in ("low", "high"))
    margin = (change.group_margin if group else change.margin) if change else None
    holds = Gap(value, low, high, int(told["n"])).holds(margin) if margin is not None and sign > 0 else None
    return {
        "group": group, "figure": told["figure"], "value": value, "low": low, "high": high,
        "n": told["n"], "margin": margin, "holds": holds,
    }  # fmt: skip


def _figures(left: Model, right: Model) -> list[dict[str, Any]]:
    """Every claimed figure of either, each with its interval."""
    held = [_metrics(m.evidence.get("metrics")) for m in (left, right)]
    return [{"name": n, "values": [h.get(n) for h in held]} for n in dict.fromkeys([*held[0], *held[1]])]


def _groups(left: Model, right: Model) -> list[dict[str, Any]]:
    """Subgroups of either by name, with figures where there were events enough."""
    held = [{_name(g): g for g in m.evidence.get("subgroups") or ()} for m in (left, right)]
    return [
        {"group": name, "sides": [_cell(h.get(name)) for h in held]} for name in dict.fromkeys([*held[0], *held[1]])
    ]


def _cell(group: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if group is None:
        return None
    if subgroups.events(group) < subgroups.FEW:
        return {"n": None, "metrics": {}}
    return {"n": int(group.get("n", 0)), "metrics": _metrics(group.get("metrics"))}


def _metrics(told: Any) -> dict[str, dict[str, Any]]:
    """Figures that are a number with an interval, or a number alone."""
    found: dict[str, dict[str, Any]] = {}
    for name, one in (told or {}).items():
        value = one.get("value") if isinstance(one, Mapping) else one
        if isinstance(value, int | float) and not isinstance(value, bool):
            ends = one if isinstance(one, Mapping) else {}
            found[name] = {"value": float(value), "low": ends.get("low"), "high": ends.get("high")}
    return found


def _name(group: Mapping[str, Any]) -> str:
    return " ".join(str(group[k]) for k in ("by", "name") if group.get(k)) or "unnamed"
