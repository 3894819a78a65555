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

_KINDS = {"joined": Kind.FEDERATION_JOINED, "round": Kind.FEDERATION_ROUND, "done": Kind.FEDERATION_DONE}


@dataclass
class Federating:
    """The part of one archive in federations."""

    journal: Journal
    clock: Callable[[], datetime]

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
            raise Refused(f"'{what:.20}' of a federation", f"{', '.join(_KINDS)} of a named run are kept")
        details = {k: v for k, v in told.items() if k != "run"}
        self.journal.append(Event(_KINDS[what], self.clock(), who.name, str(told["run"]), details))
