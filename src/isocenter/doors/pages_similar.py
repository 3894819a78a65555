"""Signed cases that look like the study in hand."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person

__all__ = ["router"]

router = APIRouter()


@router.get("/api/studies/{uid}/similar")
def similar(
    uid: Uid, site: SiteHere, who: Annotated[Person, needs("results")], k: Annotated[int, Query(ge=1, le=20)] = 6
) -> Any:
    """The signed cases most like a study, of other people and of its own project, with what was signed of them."""
    here: PagesSite = site
    return here.likening.similar(uid, who=who, k=k)
