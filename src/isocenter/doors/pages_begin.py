"""What every page asks for first, in one answer: who asks, how they have set it, and what stands in their list.

Each part is what its own address gives, to the byte, and is asked by the same rules. A part that is refused, or fails
for a reason of its own, is null; whoever wants to know why asks at its address.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request, Response

from isocenter.doors import (
    pages_catalogue,
    pages_people,
    pages_projects,
    pages_reading,
    pages_settings,
    pages_worklist,
)
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.errors import IsocenterError
from isocenter.govern.policy import Person, may

__all__ = ["router"]

router = APIRouter()


@router.get("/api/begin")
def begin(
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("me")],
    q: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=0, le=1000)] = 60,
    ai: Literal["on", "off"] = "on",
) -> Any:
    """Who asks, their settings, emergencies that they are asked about; shared views, stops, what was told to nobody,
    and the beginning of the list."""
    told: dict[str, Any] = {"me": pages_people.me(request, who), "settings": pages_settings.mine(site, who)}
    told["glass"] = _part(who, "glass_review", lambda: pages_projects.reviews(site, who))
    if limit:
        told["views"] = _part(who, "worklist", lambda: pages_settings.views(site, who))
        told["critical"] = _part(who, "report", lambda: pages_reading.critical(site, who))
        told["stops"] = _part(who, "catalogue", lambda: pages_catalogue.stops(site, who))

        def rows() -> Any:
            return pages_worklist.listed(request, site, who, q=q, cursor=0, limit=limit, ai=ai, form="columns")

        told["list"] = _part(who, "worklist", rows)
    return Response(json.dumps(told, ensure_ascii=False, separators=(",", ":")), media_type="application/json")


def _part(who: Person, verb: str, ask: Callable[[], Any]) -> Any:
    """What a person may ask for, None where they may not or it cannot be told: the page itself still opens."""
    if not may(who, verb):
        return None
    try:
        return ask()
    except IsocenterError:
        return None
