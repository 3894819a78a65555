"""What a model and the readers said of each signed study, in the order of the signatures, for the charts that watch it.

Only studies whose report is signed count, so that no chart tells what a machine said of a study that somebody may still
read with their own eyes first. A release begins a new baseline.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from isocenter.analysis import weights
from isocenter.errors import NotFound
from isocenter.govern.policy import Person, must
from isocenter.govern.watch import Seen, watch
from isocenter.record import Event, Kind, Outcome
from isocenter.site.disclosing import Disclosing

if TYPE_CHECKING:
    from isocenter.analysis.registry import Registry
    from isocenter.store.index import Index
    from isocenter.store.journal import Journal

__all__ = ["Watching"]

_ALL = 10_000_000


@dataclass(frozen=True)
class Watching:
    """The watch over the models of one archive.

    Args:
        shelf: folder of the site's own weights, or empty.
    """

    index: Index
    journal: Journal
    registry: Registry
    disclosing: Disclosing
    shelf: str = ""

    def models(self, *, who: Person) -> list[dict[str, Any]]:
        """All models on which an analysis runs here, each as `model` tells it."""
        must(who, "models")
        used = {str(getattr(a, "weights", "")) for a in self.registry.analyses.values()} - {""}
        held = weights.models(Path(self.shelf) if self.shelf else None)
        return [self.model(name, who=who) for name in sorted(used & set(held))]

    def model(self, name: str, *, who: Person) -> dict[str, Any]:
        """The charts of one model, since when, and what to do when one alarms.

        Raises:
            NotFound: there is none of that name, or no analysis runs on it.
        """
        must(who, "models")
        held = weights.models(Path(self.shelf) if self.shelf else None).get(name)
        users = [n for n, a in self.registry.analyses.items() if getattr(a, "weights", "") == name]
        if held is None or not users:
            raise NotFound(f"a model '{name:.64}' in use", "no analysis here runs on it", "look into the models")
        way = self.disclosing.gates().of(held[0].digest)
        since = next((s["when"] for s in reversed(way.steps) if s["step"] == "release"), "")
        told = watch(self._seen(users, datetime.fromisoformat(since) if since else None))
        stop = f"isocenter release {name} --step suspend --by NAME --reason WHY, or Stop it everywhere on its page"
        return {"model": name, "state": way.state, "since": since, **told, "on_alarm": stop if told["alarms"] else ""}

    def _seen(self, users: list[str], since: datetime | None) -> list[Seen]:
        signed: dict[str, Event] = {}
        for sealed in self.journal.since(kinds=(Kind.REPORT_SIGNED,), limit=_ALL):
            if since is None or sealed.event.time >= since:
                signed.setdefault(sealed.event.subject, sealed.event)
        heads = self.index.result_heads(list(signed), replaced=True) if signed else {}
        scanners = {s.uid: _scanner(s.series) for s in self.index.studies(limit=_ALL)} if signed else {}
        seen = []
        for uid, event in signed.items():
            mine = [h for h in heads.get(uid, ()) if h["origin"] == "machine" and h["name"] in users]
            if not mine:
                continue
            spoke = [h["outcome"] == Outcome.FOUND.value for h in mine if h["outcome"] != Outcome.DECLINED.value]
            calls = [c["machine"] == c["final"] for c in event.details.get("calls", ()) if c["analysis"] in users]
            seen.append(
                Seen(event.time, any(spoke) if spoke else None, all(calls) if calls else None, scanners.get(uid, ""))
            )
        return seen


def _scanner(series: Any) -> str:
    for one in series:
        told = [str(one.facts.get(k, "")) for k in ("Manufacturer", "ManufacturerModelName", "StationName")]
        if any(told):
            return " ".join(filter(None, told))
    return ""
