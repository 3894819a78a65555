"""What happens in the house, told to open pages as it happens (server-sent events).

An event says that something changed, never what: a page that may see it asks for it. The browser resumes with the
ticket of the last event that it heard, or of the place where it began to listen, so that nothing is missed while a
laptop sleeps. A ticket stands for the event's number, whose gaps would tell how much happened of which this person may
not hear yet.
"""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Header, Query, Request
from fastapi.responses import StreamingResponse
from starlette.concurrency import run_in_threadpool

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_who import SiteHere, needs, token_of
from isocenter.errors import Refused
from isocenter.govern import sharing
from isocenter.govern.policy import Person, may
from isocenter.record import Kind

if TYPE_CHECKING:
    from isocenter.record import Sealed

__all__ = ["TOLD", "router", "stream"]

TOLD = frozenset(
    {
        Kind.INSTANCES_RECEIVED,
        Kind.PLANNED,
        Kind.DECLINED,
        Kind.RESULT_MADE,
        Kind.ANALYSIS_FAILED,
        Kind.RESEARCH_RUN,
        Kind.READING_ASSIGNED,
        Kind.READING_OPENED,
        Kind.READING_CLOSED,
        Kind.OPINION_LOCKED,
        Kind.MODE_PROPOSED,
        Kind.MODE_SET,
        Kind.REPORT_DRAFTED,
        Kind.REPORT_SIGNED,
        Kind.REPORT_AMENDED,
        Kind.REMARKED,
        Kind.SENT,
        Kind.SEND_FAILED,
        Kind.MODEL_STEPPED,
        Kind.WATCH_ALARMED,
        Kind.FEDERATION_JOINED,
        Kind.FEDERATION_ROUND,
        Kind.FEDERATION_DONE,
        Kind.CRITICAL_TOLD,
        Kind.CRITICAL_ESCALATED,
        Kind.ANALYSIS_STOPPED,
        Kind.STOP_EXPLAINED,
        Kind.STOP_REHEARSED,
        Kind.ANALYSIS_RESUMED,
    }
)
"""What a page may hear. Who signed in, who looked at what, and what was refused is for the audit."""

_TOLD_TO = {
    **dict.fromkeys(sharing.KINDS, "share"),
    **dict.fromkeys((Kind.ALERT_RAISED, Kind.ALERT_CLIMBED, Kind.ALERT_ACKNOWLEDGED), "report"),
    **dict.fromkeys((Kind.CONSENT_GIVEN, Kind.CONSENT_WITHDRAWN, Kind.CONSENT_ASKED, Kind.CONSENT_ANSWERED), "consent"),
    **dict.fromkeys((Kind.GLASS_BROKEN, Kind.GLASS_ENDED, Kind.GLASS_REVIEWED), "glass_review"),
}
"""What the pages of those hear who have a right to the lists that it changes."""

_AT_ONCE = 200
_BREATH = 10  # pauses without an event until a pulse shows that the channel lives; five seconds

router = APIRouter()


@router.get("/api/events", include_in_schema=False)
async def events(
    request: Request,
    site: SiteHere,
    who: Annotated[Person, needs("events", touch=False)],
    last_event_id: Annotated[str, Header(max_length=20)] = "",
    since: Annotated[str, Query(max_length=20)] = "",
) -> StreamingResponse:
    """The stream; it ends when the browser leaves, the session ends, or the server stops.

    Where it goes on is told by the browser's own header, or by `since` where the page itself opened it anew.
    """
    here: PagesSite = site
    begin = await run_in_threadpool(_heard, here, last_event_id or since)
    token, pause = token_of(request), request.app.state.pause

    async def goes_on() -> bool:
        if request.app.state.ending or await request.is_disconnected():
            return False
        now = await run_in_threadpool(here.person_of, token, touch=False)
        return now == who and may(now, "events")

    return StreamingResponse(
        stream(here, who, begin, goes_on=goes_on, pause=pause),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def stream(
    site: PagesSite,
    who: Person,
    since: int,
    *,
    goes_on: Callable[[], Awaitable[bool]],
    pause: Callable[[], Awaitable[Any]],
) -> AsyncIterator[str]:
    """Lines of the stream, from after an event's number until `goes_on` says no; `pause` waits between two looks."""
    # The place is told at once: a browser that has heard no event yet shall know where to go on as well.
    yield f"retry: 2000\nid: {site.tickets.place(since)}\nevent: pulse\ndata: {{}}\n\n"
    quiet = 0
    while await goes_on():
        found = await run_in_threadpool(site.events, since=since, limit=_AT_ONCE, who=who)
        for sealed in found:
            since = sealed.number
            if sealed.event.kind in TOLD or _own(sealed, who) or _held(sealed, who):
                quiet = 0
                yield f"id: {site.tickets.of(sealed.number)}\ndata: {_said(sealed)}\n\n"
        if len(found) == _AT_ONCE:
            continue
        quiet += 1
        if quiet % _BREATH == 0:
            yield "event: pulse\ndata: {}\n\n"  # without an id, so that resuming begins where it should
        await pause()


def _heard(site: PagesSite, ticket: str) -> int:
    """The number of the event that a browser heard last; that of the newest where it says none of this archive."""
    head = site.head()
    try:
        return number if (number := site.tickets.behind(ticket)) <= head else head
    except Refused:
        return head


def _own(sealed: Sealed, who: Person) -> bool:
    """Settings that this person wears: their own, the site's, and shared views. Others' are not told."""
    worn = (f"me:{who.name}", "site", "views")
    return sealed.event.kind is Kind.SETTINGS_CHANGED and sealed.event.subject in worn


def _held(sealed: Sealed, who: Person) -> bool:
    """What changes a list that this person has a right to."""
    return (verb := _TOLD_TO.get(sealed.event.kind)) is not None and may(who, verb)


def _said(sealed: Sealed) -> str:
    event = sealed.event
    return json.dumps(
        {
            "kind": event.kind.value,
            "subject": event.subject,
            "who": event.who,
            "time": event.time.isoformat(),
        }
    )
