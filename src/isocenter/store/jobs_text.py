"""Jobs as plain JSON in the database, never as pickled objects: a database row must not be able to run code."""

from __future__ import annotations

import json
from typing import Any

from dbos import Serializer

from isocenter import errors
from isocenter.errors import IsocenterError, Refused

__all__ = ["PlainText"]

_FAILURE = "isocenter.failure"


class PlainText(Serializer):
    """JSON both ways; a failure keeps its kind and its three sentences.

    >>> PlainText().deserialize(PlainText().serialize({"a": [1, "b"]}))
    {'a': [1, 'b']}
    """

    def serialize(self, data: Any) -> str:
        """Text of plain values or of an exception.

        Raises:
            Refused: for anything else.
        """
        try:
            return json.dumps(data, default=_failure, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise Refused("a job with values that are not plain JSON", str(error), "pass names and digests") from None

    def deserialize(self, serialized_data: str) -> Any:
        """The values, or the exception."""
        return json.loads(serialized_data, object_hook=_revive)

    def name(self) -> str:
        """How DBOS marks rows that were written so."""
        return "isocenter_json"


def _failure(value: Any) -> Any:
    if isinstance(value, IsocenterError):
        return {_FAILURE: [type(value).__name__, value.what, value.why, value.do]}
    if isinstance(value, BaseException):
        return {_FAILURE: ["IsocenterError", type(value).__name__, str(value), ""]}
    raise TypeError(f"{type(value).__name__} is none")


def _revive(value: dict[str, Any]) -> Any:
    if set(value) != {_FAILURE}:
        return value
    kind, what, why, do = value[_FAILURE]
    known: dict[str, type[IsocenterError]] = {name: getattr(errors, name) for name in errors.__all__}
    return known.get(kind, IsocenterError)(what, why, do)
