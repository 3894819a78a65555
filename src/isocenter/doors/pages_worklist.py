"""The worklist as pages of rows."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request

from isocenter.doors import pages_json
from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs
from isocenter.govern.policy import Person
from isocenter.reading.worklist import narrowed

__all__ = ["router"]

router = APIRouter()


@router.get("/api/worklist")
def worklist(
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("worklist")],
    q: Annotated[str, Query(max_length=500)] = "",
    cursor: Annotated[int, Query(ge=0, le=10**9)] = 0,
    limit: Annotated[int, Query(ge=1, le=10_000)] = 200,
    ai: Literal["on", "off"] = "on",
) -> Any:
    """Rows in their order with the reason of each; `ai=off` is the list as it would be without any AI."""
    here: PagesSite = site
    rows = narrowed(here.worklist(who=who, with_ai=ai == "on"), q, request.app.state.clock(), who=who.name)
    shown = rows[cursor : cursor + limit]
    after = cursor + len(shown)
    return {
        "rows": [pages_json.row(entry) for entry in shown],
        "next": after if after < len(rows) else None,
        "total": len(rows),
    }
