"""How each analysis is used here: in which mode for the worklist and for reading, and who has to agree to a change."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Path
from pydantic import BaseModel, Field

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.reading.disclosure import ALLOWED, DEFAULT, Mode, Modes, Use

__all__ = ["router"]

router = APIRouter()

_Analysis = Annotated[str, Path(max_length=128)]


class Wanted(BaseModel):
    """Another mode, and why."""

    use: Use
    mode: Mode
    reason: Annotated[str, Field(min_length=1, max_length=1000)]


class Agreed(BaseModel):
    """The proposal that a second person agrees to."""

    use: Use
    proposal: Annotated[str, Field(pattern=r"^[0-9a-f]{16}$")]


@router.get("/api/modes")
def modes(site: SiteHere, who: Annotated[Person, needs("modes")]) -> Any:
    """Each analysis with its mode in each use, where the mode is the default, and what waits for a second person."""
    here: PagesSite = site
    return _told(here, here.modes(who=who), who)


@router.post("/api/modes/{analysis}")
def propose(analysis: _Analysis, wanted: Wanted, site: SiteHere, who: Annotated[Person, needs("mode")]) -> Any:
    """Propose a mode; to shadow it is set at once."""
    here: PagesSite = site
    return _told(here, here.propose_mode(analysis, wanted.use, wanted.mode, reason=wanted.reason, who=who), who)


@router.post("/api/modes/{analysis}/confirm")
def confirm(analysis: _Analysis, agreed: Agreed, site: SiteHere, who: Annotated[Person, needs("mode")]) -> Any:
    """Agree to a proposal, as somebody else than who made it."""
    here: PagesSite = site
    number = here.tickets.number(agreed.proposal)
    return _told(here, here.confirm_mode(analysis, agreed.use, number, who=who), who)


def _told(site: PagesSite, known: Modes, who: Person) -> dict[str, Any]:
    names = [str(line["name"]) for line in site.cataloguing.analyses(who=who)]
    return {
        "allowed": {use.value: [mode.value for mode in ALLOWED[use]] for use in Use},
        "default": {use.value: DEFAULT[use].value for use in Use},
        "analyses": [
            {
                "analysis": name,
                "modes": {use.value: known.of(name, use).value for use in Use},
                "set": {use.value: (name, use) in known.set for use in Use},
                "proposals": [
                    {
                        "proposal": site.tickets.of(p.number),
                        "use": p.use.value, "mode": p.mode.value, "was": p.was.value,
                        "by": p.who, "time": p.when.isoformat(), "reason": p.reason,
                    }
                    for (of, _), p in known.proposals.items() if of == name
                ],
            }
            for name in names
        ],
    }  # fmt: skip
