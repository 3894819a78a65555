"""The card of a model of this archive, put together from its record, the gate, the watch and signed reports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from isocenter.errors import NotFound
from isocenter.govern.card import card
from isocenter.govern.policy import Person, must
from isocenter.site.cataloguing import Cataloguing
from isocenter.site.gating import Gating
from isocenter.site.watching import Watching

__all__ = ["Carding"]


@dataclass(frozen=True)
class Carding:
    """Cards of the models of one archive."""

    gating: Gating
    cataloguing: Cataloguing
    watching: Watching
    clock: Callable[[], datetime]

    def card(self, name: str, *, who: Person) -> dict[str, Any]:
        """The card of a model, in the shape of `isocenter.govern.card.SCHEMA`.

        Raises:
            NotFound: there is none of that name.
        """
        must(who, "models")
        try:
            watched = self.watching.model(name, who=who)
        except NotFound:
            watched = None
        way, here = self.gating.told(name, who=who), self.cataloguing.model(name, who=who)
        return card(self.gating.model(name), way=way, here=here, watched=watched, now=self.clock())

    def paper(self, name: str, *, who: Person) -> bytes:
        """The card as PDF/A."""
        from isocenter.forms.model_card import pdf

        return pdf(self.card(name, who=who))
