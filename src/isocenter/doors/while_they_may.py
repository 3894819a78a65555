"""A download that has begun goes on only while whoever takes it may have it.

Images and copies leave in long answers, and rights end meanwhile: somebody signs out, an account is closed or given
another role, terms of use are withdrawn. So while an answer is under way its right is asked for again, and where it
has ended the connection is closed before the end, so that nobody takes what came for the whole.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool
from starlette.responses import Response

from isocenter.errors import Forbidden, IsocenterError

if TYPE_CHECKING:
    from isocenter.govern.policy import Person

__all__ = ["BrokenOff", "WhileTheyMay", "must_still_be"]


class BrokenOff(Exception):
    """An answer that was under way ends here: its right has ended, which is no fault of ours."""


class WhileTheyMay(Response):
    """An answer that is broken off when its right ends.

    Args:
        answer: what is sent.
        still: raises an `IsocenterError` where the right has ended; runs beside the event loop.
        told: called with that error.
        every_s: seconds that pass at least between two questions.
        timer: seconds that go forward.
    """

    def __init__(
        self, answer: Response, still: Callable[[], None], *, told: Callable[[IsocenterError], None] | None = None,
        every_s: float = 1.0, timer: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self.answer, self.status_code = answer, answer.status_code
        self.background, self.raw_headers, self.body = None, answer.raw_headers, b""
        self.still, self._told, self._every_s, self._timer = still, told, every_s, timer

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Send it, and ask between its pieces."""
        asked = self._timer()

        async def asking(message: Any) -> None:
            nonlocal asked
            if (now := self._timer()) - asked >= self._every_s:
                asked = now
                await run_in_threadpool(self._must)
            await send(message)

        await self.answer(scope, receive, asking)

    def _must(self) -> None:
        try:
            self.still()
        except IsocenterError as refusal:
            if self._told is not None:
                self._told(refusal)
            raise BrokenOff from refusal


def must_still_be(who: Person, now: Person) -> None:
    """Go on only while a request is of the person who made it, in the role that they had.

    Raises:
        Forbidden: they signed out, or their account is another one now.
    """
    if now != who:
        raise Forbidden("the rest of this answer", "whoever asked for it signed out, or may less now", "sign in anew")
