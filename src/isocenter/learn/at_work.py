"""A session that says now and then how far it is, so that nobody takes a long judgement for a stopped one."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from time import monotonic
from typing import Any

__all__ = ["AtWork"]

_EVERY_S = 15.0


class AtWork:
    """What an ONNX session is asked, passed on; after every quarter of a minute a line tells how far it is.

    Args:
        session: that is asked. tell: takes the line. clock: seconds.
    """

    def __init__(self, session: Any, tell: Callable[[str], None], clock: Callable[[], float] = monotonic) -> None:
        self._session, self._tell, self._clock = session, tell, clock
        self._began = self._last = clock()
        self._asked = 0

    def run(self, names: Sequence[str] | None, inputs: Mapping[str, Any]) -> Any:
        """The answers of the session; see onnxruntime."""
        found = self._session.run(names, inputs)
        self._asked += len(next(iter(inputs.values())))
        if (now := self._clock()) - self._last >= _EVERY_S:
            self._last = now
            self._tell(f"at work: the network has answered {self._asked} times in {now - self._began:.0f} s")
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)
