"""What is known here of each analysis and each model: what it needs and says, what became of it, whether it is stopped.

Figures are counted from studies whose report is signed, and from nothing else: what a machine said of a study that
somebody may still read with their own eyes first is told by no count.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import weights
from isocenter.analysis.describing import describe
from isocenter.errors import NotFound
from isocenter.govern import showing, stopping
from isocenter.govern.gate import Way
from isocenter.govern.policy import Person, may, must
from isocenter.methods import subgroups
from isocenter.methods.intervals import wilson
from isocenter.reading.confirmed import BANDS, LEAST, band
from isocenter.reading.disclosure import Use
from isocenter.record import Event, Kind, to_plain
from isocenter.site.declining import reasons, shares
from isocenter.site.disclosing import Disclosing

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["FEW", "Cataloguing"]

FEW = 10
"""Below so many cases a cell is withheld: it says nothing, and might point to a person."""

_ALL = 10_000_000
_SIGNED = ("signed", "amending")
_CONFIRMED = frozenset({"kept", "changed"})
_CHANGES = (Kind.MODE_PROPOSED, Kind.MODE_SET, *stopping.KINDS)


@dataclass(frozen=True)
class Cataloguing:
    """The analyses and models of one archive.

    Args:
        shelf: folder of the site's own weights, or empty.
    """

    index: Index
    journal: Journal
    registry: Registry
    disclosing: Disclosing
    clock: Callable[[], datetime]
    shelf: str = ""

    # ---- analyses --------------------------------------------------------------------------------------------

    def analyses(self, *, who: Person) -> list[dict[str, Any]]:
        """Every analysis as it declares itself, with how it is used here and on how many studies it was planned;
        broken ones with their reason."""
        must(who, "catalogue")
        planned, of = shares(self.journal, self.disclosing.sieve(who, "plan"))
        return [
            {**card, "planned": {"studies": planned[card["name"]], "of": of}} if "broken" not in card else card
            for card in self._cards()
        ]

    def _cards(self) -> list[dict[str, Any]]:
        modes, stops = self.disclosing.modes(), self.disclosing.stops()
        told: list[dict[str, Any]] = []
        for name, analysis in self.registry.analyses.items():
            used = {use.value: modes.of(name, use).value for use in Use}
            told.append({**describe(analysis), "modes": used, "stopped": stops[name].told() if name in stops else None})
        return told + [{"name": name, "broken": reason} for name, reason in self.registry.broken.items()]

    def analysis(self, name: str, *, who: Person) -> dict[str, Any]:
        """One analysis: what it declares, how it is used here, what became of it, and why it did not look.

        Raises:
            NotFound: there is none of that name.
        """
        must(who, "catalogue")
        self.registry.get(name)
        card = next(one for one in self._cards() if one["name"] == name)
        return {
            **card,
            "runs": self._runs([name], who),
            "declined": reasons(self.journal, self.index, name, self.disclosing.sieve(who, "plan")),
            "confirmed": self._confirmed([name]),
            "changes": self._changes([name]) if may(who, "modes") else [],
            "evidence": self._evidence(str(card["weights"])),
        }

    def limits(self, name: str, version: str) -> tuple[str, ...]:
        """What an analysis says of its own limits; nothing where another version of it is installed now."""
        analysis = self.registry.analyses.get(name)
        if analysis is None or analysis.version != version:
            return ()
        said = getattr(analysis, "about", {}).get("limits", ())
        return (said,) if isinstance(said, str) else tuple(said)

    def _evidence(self, model: str) -> dict[str, Any]:
        if not model:
            return {}
        held = weights.models(Path(self.shelf) if self.shelf else None).get(model)
        return _told(to_plain(held[0].evidence)) if held else {}

    # ---- models ----------------------------------------------------------------------------------------------

    def models(self, *, who: Person) -> list[dict[str, Any]]:
        """Every model with its card and evidence, the analyses that run on it, and whether they are stopped."""
        must(who, "models")
        stops = self.disclosing.stops()
        told = []
        for held, _ in weights.models(Path(self.shelf) if self.shelf else None).values():
            users = [n for n, a in self.registry.analyses.items() if getattr(a, "weights", "") == held.name]
            stopped = [stops[n].told() for n in users if n in stops]
            way = self.disclosing.gates().of(held.digest)
            plain = to_plain(held)
            told.append(
                {**plain, "evidence": _told(plain["evidence"]), "state": way.state,
                 "withheld": {v["map"]: showing.against(v["map"], held) for v in showing.verdicts_on(held)},
                 "since": {k: way.steps[-1][k] for k in ("step", "by", "when", "reason")} if way.steps else None,
                 "analyses": users, "stopped": stopped, "alarms": self._alarms(held.name, held.digest, way)}
            )  # fmt: skip
        return told

    def _alarms(self, name: str, digest: str, way: Way) -> list[dict[str, Any]]:
        """Alarms of the watch over these weights since they were last released."""
        since = next((s["when"] for s in reversed(way.steps) if s["step"] == "release"), "")
        heard = self.journal.since(kinds=(Kind.WATCH_ALARMED,), subject=name, limit=_ALL)
        return [
            {"number": s.number, "when": s.event.time.isoformat(),
             **{k: s.event.details[k] for k in ("chart", "of", "case", "share_lately", "usual", "stop_rule")}}
            for s in heard if (s.event.details["digest"], s.event.details["since"]) == (digest, since)
        ]  # fmt: skip

    def model(self, name: str, *, who: Person) -> dict[str, Any]:
        """One model with what became of it here: runs, agreement with signed reports by month and by certainty.

        Raises:
            NotFound: there is none of that name or digest.
        """
        must(who, "models")
        found = next((m for m in self.models(who=who) if name in (m["name"], m["digest"])), None)
        if found is None:
            listed = "list them with `isocenter models`"
            raise NotFound(f"a model '{name:.64}'", "none of that name is installed", listed)
        users = found["analyses"]
        return {
            **found,
            "runs": self._runs(users, who),
            "confirmed": self._confirmed(users),
            "changes": self._changes(users) if may(who, "modes") else [],
        }

    # ---- counted from signed studies -------------------------------------------------------------------------

    def _runs(self, names: Sequence[str], who: Person) -> dict[str, Any]:
        """How often they ran on signed studies that somebody may ask for, by answer, version and month.

        These counts are not withheld where they are small, so they tell nothing of other projects.
        """
        heads, held = self.index.result_heads(None, replaced=True), self.disclosing.sieve(who, "results")
        known = [uid for uid in heads if held(uid)]
        signed = {uid for uid, row in self.index.readings(known).items() if row["state"] in _SIGNED}
        mine = [
            h for uid in signed for h in heads[uid] if h["origin"] == "machine" and h["name"] in names
        ]  # fmt: skip
        months: dict[str, Counter[str]] = {}
        for head in mine:
            months.setdefault(str(head["made"])[:7], Counter())[str(head["outcome"])] += 1
        return {
            "studies": len({h["study_uid"] for h in mine}),
            "answers": dict(Counter(str(h["outcome"]) for h in mine)),
            "versions": dict(Counter(str(h["version"]) for h in mine)),
            "months": [{"month": m, **_share(c["found"], c["found"] + c["none"])} for m, c in sorted(months.items())],
        }

    def _confirmed(self, names: Sequence[str]) -> dict[str, Any]:
        """Of the findings that readers signed, how many they had kept or changed: in all, by month, by certainty."""
        every = Counter[bool]()
        months: dict[str, Counter[bool]] = {}
        bands: dict[int, Counter[bool]] = {}
        for month, decision in self._decisions(names):
            held = decision["verdict"] in _CONFIRMED
            every[held] += 1
            months.setdefault(month, Counter())[held] += 1
            bands.setdefault(band(decision["certainty"]), Counter())[held] += 1
        return {
            **_share(every[True], every.total(), least=LEAST),
            "needed": max(0, LEAST - every.total()),
            "months": [{"month": m, **_share(c[True], c.total())} for m, c in sorted(months.items())],
            "bands": [
                {"from": b / BANDS, "to": (b + 1) / BANDS, **_share(c[True], c.total())}
                for b, c in sorted(bands.items()) if b >= 0
            ],
        }  # fmt: skip

    def _decisions(self, names: Sequence[str]) -> Iterable[tuple[str, Mapping[str, Any]]]:
        """Month and decision, from the latest signed report of each study."""
        latest: dict[str, Event] = {}
        for sealed in self.journal.since(kinds=(Kind.REPORT_SIGNED, Kind.REPORT_AMENDED), limit=_ALL):
            latest[sealed.event.subject] = sealed.event
        for event in latest.values():
            for decision in event.details.get("decisions", ()):
                if decision["analysis"] in names:
                    yield f"{event.time:%Y-%m}", decision

    def _changes(self, names: Sequence[str]) -> list[dict[str, Any]]:
        """What people decided of them, the newest first."""
        found = [s for n in names for s in self.journal.since(kinds=_CHANGES, subject=n, limit=_ALL)]
        found.sort(key=lambda s: -s.number)
        return [
            {
                "number": s.number, "kind": s.event.kind.value, "analysis": s.event.subject, "by": s.event.who,
                "when": s.event.time.isoformat(), **{k: s.event.details.get(k, "") for k in ("reason", "use", "mode")},
            }
            for s in found
        ]  # fmt: skip


def _told(evidence: Mapping[str, Any]) -> dict[str, Any]:
    """Evidence as it may leave the server: without the figures of a subgroup that has too few events."""
    if not evidence.get("subgroups"):
        return dict(evidence)
    return {**evidence, "subgroups": subgroups.shown(evidence["subgroups"])}


def _share(hits: int, n: int, *, least: int = FEW) -> dict[str, Any]:
    """A share with Wilson's 95 % interval; withheld, count included, where there are too few cases."""
    if n < least:
        return {"n": None, "share": None, "low": None, "high": None}
    told = wilson(hits, n)
    return {"n": n, "share": told.value, "low": told.low, "high": told.high}
