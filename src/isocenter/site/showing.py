"""Which maps of results may be shown here, by the evidence of the models on the site's shelf."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from isocenter.analysis import weights
from isocenter.errors import Refused
from isocenter.govern import showing
from isocenter.record import Result

__all__ = ["Showing"]

_DO = "look at the finding itself; the checks are on the page about where a model looked"


@dataclass(frozen=True)
class Showing:
    """The maps of one archive.

    Args:
        shelf: folder of the site's own weights, or empty.
    """

    shelf: str = ""

    def withheld(self, result: Result) -> dict[str, str]:
        """Name of each map of a result that must not be shown -> why."""
        if not any(m.kind == "sensitivity" for m in result.maps):
            return {}
        digest = result.machine.model
        held = weights.models(Path(self.shelf) if self.shelf else None).values()
        return showing.withheld(result.maps, next((m for m, _ in held if m.digest == digest), None))

    def must_show(self, result: Result, name: str) -> None:
        """Go on only if a map may be shown.

        Raises:
            Refused: its method has not passed the checks for the weights that made it.
        """
        if why := self.withheld(result).get(name):
            raise Refused(f"the map '{name}'", why, _DO)
