"""A colleague at another desk: words on a place in an image, and two people on one view at the same time.

What is written is kept. Where somebody points while they speak is not: it goes from one open page to the other and is
never stored, here or in the journal.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field
from starlette.concurrency import run_in_threadpool

from isocenter.doors.pages_site import PagesSite
from isocenter.doors.pages_study import Uid
from isocenter.doors.pages_who import SiteHere, needs, token_of
from isocenter.errors import Forbidden, LimitReached
from isocenter.govern.policy import Person, may, must
from isocenter.reading.consultation import Mark, View, address
from isocenter.record import to_plain

__all__ = ["Together", "router"]

router = APIRouter()

_Number = Annotated[float, Field(allow_inf_nan=False)]
_Thread = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$")]


class Place(BaseModel):
    """A view: UIDs, numbers, and nothing else."""

    series: str = Field("", pattern=r"^[0-9.]{0,64}$")
    image: str = Field("", pattern=r"^[0-9.]{0,64}$")
    frame: int = Field(0, ge=0, le=1_000_000)
    window: tuple[_Number, _Number] | None = None
    marks: list[tuple[_Number, _Number]] = Field(default_factory=list, max_length=20)

    def view(self, study: str) -> View:
        """As a record."""
        marks = tuple(Mark(column, row) for column, row in self.marks)
        return View(study, self.series, self.image, self.frame, self.window, marks)


class Said(Place):
    """Words on a view; with a thread, an answer."""

    words: str = Field(min_length=1, max_length=4000)
    thread: str = Field("", pattern=r"^([0-9a-f]{16})?$")


@router.get("/api/studies/{uid}/remarks")
def remarks(uid: Uid, site: SiteHere, who: Annotated[Person, needs("consult")]) -> Any:
    """Threads on places in the images of a study."""
    here: PagesSite = site
    return _threads(here, uid, here.reviews.remarks(uid, who=who), who)


@router.post("/api/studies/{uid}/remarks")
def remark(uid: Uid, said: Said, site: SiteHere, who: Annotated[Person, needs("consult")]) -> Any:
    """Say something about a view, or answer."""
    here: PagesSite = site
    thread = here.tickets.number(said.thread) if said.thread else 0
    return _threads(here, uid, here.reviews.remark(said.view(uid), said.words, thread=thread, who=who), who)


@router.post("/api/studies/{uid}/remarks/{thread}/settle")
def settle(uid: Uid, thread: _Thread, site: SiteHere, who: Annotated[Person, needs("consult")]) -> Any:
    """Close a thread."""
    here: PagesSite = site
    return _threads(here, uid, here.reviews.settle(uid, here.tickets.number(thread), who=who), who)


def _threads(site: PagesSite, uid: str, threads: Any, who: Person) -> Any:
    """`own_first`: this person's opinion is asked for before anybody else's words, of which they are told none;
    `blind`: they give it where they review or read double, and not in the reading room."""
    blind = site.reviews.blind(uid, who)
    told = {"threads": to_plain(threads), "own_first": site.reviews.owes(uid, who), "blind": blind}
    return site.tickets.told(told, "number")


@dataclass
class Together:
    """Who looks at which study together now. It lives as long as the server and remembers nothing.

    A page that is too slow loses the oldest messages: where somebody pointed a second ago does not matter.
    """

    most: int = 20
    _rooms: dict[str, dict[asyncio.Queue[dict[str, Any]], str]] = field(default_factory=dict)

    def people(self, study: str) -> list[str]:
        """Who has this study open together."""
        return sorted(set(self._rooms.get(study, {}).values()))

    def join(self, study: str, name: str) -> asyncio.Queue[dict[str, Any]]:
        """A page joins; everybody there hears who is there.

        Raises:
            LimitReached: too many pages on one study.
        """
        room = self._rooms.setdefault(study, {})
        if len(room) >= self.most:
            raise LimitReached(f"{len(room)} pages on one study", "more would make it unusable", "close one of them")
        inbox: asyncio.Queue[dict[str, Any]] = asyncio.Queue(64)
        room[inbox] = name
        self.tell(study, {"people": self.people(study)})
        return inbox

    def leave(self, study: str, inbox: asyncio.Queue[dict[str, Any]]) -> None:
        """A page leaves."""
        room = self._rooms.get(study, {})
        room.pop(inbox, None)
        if not room:
            self._rooms.pop(study, None)
        self.tell(study, {"people": self.people(study)})

    def tell(self, study: str, message: dict[str, Any]) -> None:
        """Hand a message to every page on a study."""
        for inbox in self._rooms.get(study, {}):
            if inbox.full():
                inbox.get_nowait()
            inbox.put_nowait(message)


class Pointing(Place):
    """Where somebody is and points; `page` tells one's own messages from those of others.

    `leads`: the view was changed by this person's own act, and who follows goes along; a cursor alone moves nobody.
    """

    page: str = Field(pattern=r"^[a-z0-9]{1,32}$")
    cursor: tuple[_Number, _Number] | None = None
    leads: bool = False


def _together(request: Request) -> Together:
    state = request.app.state
    if not hasattr(state, "together"):
        state.together = Together()
    held: Together = state.together
    return held


@router.post("/api/studies/{uid}/together")
async def point(
    uid: Uid, at: Pointing, request: Request, site: SiteHere, who: Annotated[Person, needs("consult")]
) -> Any:
    """Show others where one is. Nothing of it is kept."""
    here: PagesSite = site
    await run_in_threadpool(_must_see, here, uid, who)
    room = _together(request)
    view = at.view(uid)  # refuses what is no view
    told = at.model_dump(exclude={"page"})
    room.tell(uid, {"who": who.name, "page": at.page, "address": address(view), **told})
    return {"people": room.people(uid)}


@router.get("/api/studies/{uid}/together", include_in_schema=False)
async def together(
    uid: Uid, request: Request, site: SiteHere, who: Annotated[Person, needs("events", touch=False)]
) -> StreamingResponse:
    """Where others are, as it happens; it ends when the page leaves or the right does."""
    here: PagesSite = site
    await run_in_threadpool(_must_see, here, uid, who)
    token, room = token_of(request), _together(request)

    async def goes_on() -> bool:
        if await request.is_disconnected():
            return False
        return await run_in_threadpool(_may_still_see, here, uid, who, token)

    return StreamingResponse(
        listening(room, uid, who.name, goes_on=goes_on),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def listening(
    room: Together, study: str, name: str, *, goes_on: Callable[[], Awaitable[bool]], beat_s: float = 5.0
) -> AsyncIterator[str]:
    """Lines of the stream. Every `beat_s` it asks whether the page is still there and may still listen."""
    inbox = room.join(study, name)
    try:
        yield "retry: 2000\n\n"
        while True:
            line = ": still here\n\n"
            with contextlib.suppress(TimeoutError):
                line = f"data: {json.dumps(await asyncio.wait_for(inbox.get(), beat_s))}\n\n"
            if not await goes_on():  # asked after the wait: who lost the right while waiting hears nothing more
                break
            yield line
    finally:
        room.leave(study, inbox)


def _may_still_see(site: PagesSite, uid: str, who: Person, token: str) -> bool:
    """The session lives, and the study has not become theirs to read first meanwhile."""
    now = site.person_of(token, touch=False)
    return now == who and may(now, "consult") and not site.reviews.owes(uid, who)


def _must_see(site: PagesSite, uid: str, who: Person) -> None:
    must(who, "consult", uid)
    site.study(uid, who=who)
    if site.reviews.blind(uid, who):
        raise Forbidden(
            "a study that you read blind", "a colleague's cursor would tell", "give your own word first, then ask"
        )
    if site.reviews.owes(uid, who):
        raise Forbidden(
            "a study on which your own opinion comes first",
            "where a colleague looks may tell what there is to see",
            "lock your opinion in the reading room, then look together",
        )
