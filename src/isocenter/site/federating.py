"""What a site's journal keeps of a federation: that it joined, under which agreement, every round, and the end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from isocenter.errors import Refused
from isocenter.govern.policy import Person, must
from isocenter.record import Event, Kind

if TYPE_CHECKING:
    from isocenter.store.journal import Journal

__all__ = ["Federating"]

_ALL = 10_000_000
_UNBEGUN: dict[str, Any] = {"role": "site", "agreement": {}, "begun": None, "ended": None, "why": ""}
_UNKNOWN: dict[str, Any] = dict.fromkeys(("sites", "lost", "bytes", "aside", "epsilon", "pictures", "seconds"))
_KINDS = {"joined": Kind.FEDERATION_JOINED, "round": Kind.FEDERATION_ROUND, "done": Kind.FEDERATION_DONE}


@dataclass
class Federating:
    """The part of one archive in federations."""

    journal: Journal
    clock: Callable[[], datetime]

    def told(self, *, who: Person) -> list[dict[str, Any]]:
        """Every federation of which the journal knows, the newest first, with its rounds in their order.

        A site tells of itself only: its pictures, what it set aside, the bytes that it sent and what its privacy has
        lost. A coordinator tells of every site: who was in a sum, who was lost, the bytes of each.

        Returns:
            run, role (site or coordinator), agreement, begun, ended, rounds (each with when, sites, lost, bytes,
            aside, epsilon; what is not known on this side is None).
        """
        must(who, "models")
        runs: dict[str, dict[str, Any]] = {}
        for sealed in self.journal.since(kinds=tuple(_KINDS.values()), limit=_ALL):
            event = sealed.event
            told = dict(event.details)
            run = runs.setdefault(event.subject, {"run": event.subject, **_UNBEGUN, "rounds": []})
            run["role"] = str(told.pop("role", run["role"]))
            if event.kind is Kind.FEDERATION_JOINED:
                # Who was killed or stopped joins again; the agreement is the same.
                run.update(agreement=told, begun=run["begun"] or event.time.isoformat(), ended=None, why="")
            elif event.kind is Kind.FEDERATION_ROUND:
                run["rounds"].append({**_UNKNOWN, **told, "when": event.time.isoformat()})
            else:
                run.update(ended=event.time.isoformat(), why=str(told.get("why", "")))
        return list(reversed(runs.values()))

    def happened(self, what: str, told: Mapping[str, Any], *, who: Person) -> None:
        """Append one event; its subject is the run.

        Args:
            what: "joined", "round" or "done".
            told: figures without a picture or a person in them; ``run`` names the federation.

        Raises:
            Forbidden: somebody who may not train.
            Refused: something else happened, or no run is named.
        """
        must(who, "train")
        if what not in _KINDS or not told.get("run"):
            raise Refused(
                f"'{what:.20}' of a federation",
                f"{', '.join(_KINDS)} of a named run are kept",
                "name the run, and one of these",
            )
        details = {k: v for k, v in told.items() if k != "run"}
        self.journal.append(Event(_KINDS[what], self.clock(), who.name, str(told["run"]), details))
