"""How far an answer has come that somebody waits for."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()


@router.get("/api/counting/{answer}")
def counting(
    answer: Literal["cohort", "turnaround", "triage", "readers"], site: SiteHere, who: Annotated[Person, needs("me")]
) -> Any:
    """How many studies of an answer are done that is being made for whoever asks; 0 of 0 where none is."""
    here: PagesSite = site
    return here.counting.far(answer, who=who)
