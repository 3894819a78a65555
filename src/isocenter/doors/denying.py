"""Refusals by programs' doors (DICOMweb, work items, FHIR), told to whoever keeps the journal."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from isocenter.errors import Forbidden, IsocenterError
from isocenter.govern.policy import NOBODY, Person

if TYPE_CHECKING:
    from starlette.requests import HTTPConnection

__all__ = ["Denied", "NobodyKnown", "tell_denied"]

Denied = Callable[[Person, IsocenterError, str], None]
"""Called with who asked for what they may not, the refusal, and the address it came from."""


class NobodyKnown(Forbidden):
    """Nobody is known behind the request (401)."""


def tell_denied(denied: Denied | None, request: HTTPConnection, error: IsocenterError) -> None:
    """Tell of a refusal, where it is one of a rule.

    A wrong password is none: whoever proves passwords has written it down already, and counts it.

    Args:
        request: holds in its state ``who`` asks, once they are known.
    """
    who = getattr(request.state, "who", None)
    if denied is None or not isinstance(error, Forbidden) or (who is None and not isinstance(error, NobodyKnown)):
        return
    denied(who or NOBODY, error, request.client.host if request.client else "")
