"""Records as plain JSON, both ways, and their identity by digest.

A record is a frozen dataclass. Its JSON is made from its fields and read back by its type hints, so that no record
needs a reader of its own; its digest is SHA-256 over the canonical text (sorted keys, no spaces, UTF-8), so that the
same content has the same identity on every machine.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
import types
import typing
from collections.abc import Mapping
from datetime import date, datetime
from enum import Enum
from functools import cache
from typing import Any, TypeVar

from isocenter.errors import Refused

__all__ = ["Plain", "canonical", "digest_of", "from_plain", "to_plain"]

T = TypeVar("T")

_PLAIN = frozenset({str, int, bool, type(None)})  # what JSON takes as it stands, whatever its value
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def to_plain(value: Any) -> Any:
    """Plain JSON values of a record, or of anything that records are made of.

    Raises:
        Refused: for a float that JSON has no word for, or a type that no record holds.
    """
    kind = type(value)
    if kind in _PLAIN or (isinstance(value, (int, str)) and not isinstance(value, Enum)):
        return value
    if kind is dict:
        return {str(k): v if type(v) in _PLAIN else to_plain(v) for k, v in value.items()}
    if kind is list:
        return [v if type(v) in _PLAIN else to_plain(v) for v in value]
    if isinstance(value, float):
        if not math.isfinite(value):
            raise Refused(
                f"the number {value}",
                "JSON has no word for it and a record must be readable everywhere",
                "leave it out, or say none",
            )
        return value
    if isinstance(value, Enum):
        return value.value
    if isinstance(value, (datetime, date)):
        return value.isoformat()
    if hasattr(value, "to_json"):
        return value.to_json()
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, Mapping):
        return {str(k): to_plain(v) for k, v in value.items()}
    if isinstance(value, (list, tuple)):
        return [to_plain(v) for v in value]
    if hasattr(value, "item") and getattr(value, "ndim", None) == 0:  # a numpy scalar
        return to_plain(value.item())
    raise Refused(
        f"a value of type {type(value).__name__}", "no record holds it", "give text, numbers, times, lists or tables"
    )


def from_plain(kind: Any, data: Any) -> Any:
    """Read what `to_plain` wrote, into the type named by `kind`.

    Raises:
        Refused: when the data does not fit the type; the message names the field.
    """
    origin, args = typing.get_origin(kind), typing.get_args(kind)
    if kind is Any:
        return data
    if origin in (typing.Union, types.UnionType):
        if data is None and type(None) in args:
            return None
        return from_plain(next(a for a in args if a is not type(None)), data)
    if origin is tuple:
        _must_be(data, list | tuple, kind)
        if len(args) == 2 and args[1] is Ellipsis:
            return tuple(from_plain(args[0], v) for v in data)
        return tuple(from_plain(a, v) for a, v in zip(args, data, strict=True))
    if isinstance(origin, type) and issubclass(origin, Mapping):
        _must_be(data, Mapping, kind)
        return {k: from_plain(args[1], v) for k, v in data.items()}
    if kind is float:
        _must_be(data, int | float, kind)
        return float(data)
    if isinstance(kind, type) and issubclass(kind, Enum):
        return kind(data)
    if kind is datetime or kind is date:
        return kind.fromisoformat(data)
    if hasattr(kind, "from_json"):
        return kind.from_json(data)
    if isinstance(kind, type) and dataclasses.is_dataclass(kind):
        _must_be(data, Mapping, kind)
        hints = _hints(kind)
        unknown = set(data) - set(hints)
        if unknown:
            raise Refused(
                f"{kind.__name__} with {', '.join(sorted(unknown))}",
                "it has no such field",
                "correct its name, or leave it out",
            )
        if missing := sorted(_needed(kind) - set(data)):
            raise Refused(f"{kind.__name__} without {', '.join(missing)}", "a field is missing", "add it")
        return kind(**{name: from_plain(hints[name], value) for name, value in data.items()})
    if isinstance(kind, type):
        _must_be(data, kind, kind)
    return data


class Plain(dict[str, Any]):
    """Plain JSON values with text for keys, all the way down, so that nothing has to look through them once more."""


def canonical(value: Any) -> bytes:
    """The one text of a record: sorted keys, no spaces, UTF-8."""
    told = value if type(value) is Plain else to_plain(value)
    return _CANONICAL.encode(told).encode("utf-8", "surrogatepass")


def digest_of(value: Any) -> str:
    """SHA-256 of the canonical text, in hexadecimal.

    >>> digest_of({"b": 1, "a": 2}) == digest_of({"a": 2, "b": 1})
    True
    """
    return hashlib.sha256(canonical(value)).hexdigest()


@cache
def _needed(kind: type[Any]) -> frozenset[str]:
    never = dataclasses.MISSING
    return frozenset(
        f.name for f in dataclasses.fields(kind) if f.init and f.default is never and f.default_factory is never
    )


@cache
def _hints(kind: type[Any]) -> dict[str, Any]:
    return {f.name: typing.get_type_hints(kind)[f.name] for f in dataclasses.fields(kind)}


def _must_be(data: Any, wanted: Any, kind: Any) -> None:
    if not isinstance(data, wanted) or (isinstance(data, bool) and kind in (int, float)):
        raise Refused(f"{data!r:.60}", f"expected {getattr(kind, '__name__', kind)}", "write it so")
