"""Arrays as safetensors: the one form in which weights and updates travel between sites.

The file is eight bytes with the length of a header, the header as JSON, and the numbers as they lie in memory. Nothing
in it can run. A file comes from another house, so every claim of its header is checked before a number is read: known
types, sizes that fit the shapes, no gap and no overlap, nothing after the end.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import LimitReached, NotWhole, Refused

__all__ = ["packed", "unpacked"]

_TYPES: dict[str, np.dtype[Any]] = {
    "F64": np.dtype("<f8"), "F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "I64": np.dtype("<i8"),
    "U64": np.dtype("<u8"), "I32": np.dtype("<i4"), "U8": np.dtype("u1"), "BOOL": np.dtype("?"),
}  # fmt: skip
_NAMES = {kind: name for name, kind in _TYPES.items()}
_LONGEST_HEADER = 4 * 2**20
_ANOTHER = "send it again, or take another file: this one is damaged or made to deceive"


def packed(arrays: Mapping[str, npt.NDArray[Any]], told: Mapping[str, str] | None = None) -> bytes:
    """One file of named arrays, the same bytes for the same content.

    Args:
        told: words that travel along (`__metadata__`).

    Raises:
        Refused: for a type that the format does not name.

    >>> sorted(unpacked(packed({"b": np.ones(2), "a": np.zeros((1, 3), np.float32)}))[0])
    ['a', 'b']
    """
    header: dict[str, Any] = {"__metadata__": dict(sorted(told.items()))} if told else {}
    parts, place = [], 0
    for name in sorted(arrays):
        array = np.ascontiguousarray(arrays[name])
        kind = array.dtype.newbyteorder("<") if array.dtype.itemsize > 1 else array.dtype
        if kind not in _NAMES:
            raise Refused(
                f"'{name}' holds {array.dtype}",
                "safetensors knows numbers of fixed size only",
                "store it as integers or floating-point numbers",
            )
        data = array.astype(kind, copy=False).tobytes()
        header[name] = {
            "dtype": _NAMES[kind], "shape": list(np.shape(arrays[name])), "data_offsets": [place, place + len(data)],
        }  # fmt: skip
        parts.append(data)
        place += len(data)
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([len(text).to_bytes(8, "little"), text, *parts])


def unpacked(data: bytes, *, largest: int = 2**31) -> tuple[dict[str, npt.NDArray[Any]], dict[str, str]]:
    """The named arrays of a file, and the words that travelled along.

    Raises:
        LimitReached: a file of more than `largest` bytes.
        NotWhole: it is cut off, or its header does not say what is there.
        Refused: it is no safetensors.
    """
    if len(data) > largest:
        raise LimitReached(f"{len(data)} bytes of weights", f"at most {largest} are taken at once")
    if len(data) < 8:
        raise NotWhole(f"{len(data)} bytes are no safetensors", "the length of the header is missing", "send it again")
    length = int.from_bytes(data[:8], "little")
    if length > _LONGEST_HEADER or 8 + length > len(data):
        raise NotWhole(f"a header of {length} bytes in a file of {len(data)}", "its length lies", "send it again")
    header = _header(data[8 : 8 + length])
    told = header.pop("__metadata__", {})
    if not isinstance(told, dict) or not all(isinstance(v, str) for v in told.values()):
        raise NotWhole("the words beside the weights", "they are no table of words", _ANOTHER)
    body = memoryview(data)[8 + length :]
    found, spans = {}, []
    for name, said in header.items():
        kind, shape, first, last = _claim(name, said)
        if not 0 <= first <= last <= len(body):
            raise NotWhole(f"'{name}' lies at {first} to {last}", f"there are {len(body)} bytes of numbers", _ANOTHER)
        if last - first != kind.itemsize * _count(shape):
            raise NotWhole(f"'{name}' of shape {shape} in {last - first} bytes", "the header lies", _ANOTHER)
        spans.append((first, last, name))
        array = np.frombuffer(body[first:last], kind).reshape(shape).copy()
        if kind.kind == "b" and bool((np.frombuffer(body[first:last], np.uint8) > 1).any()):
            raise NotWhole(f"'{name}' holds truth values that are neither 0 nor 1", "the file is damaged", _ANOTHER)
        found[name] = array
    place = 0
    for first, last, name in sorted(spans):
        if first != place:
            raise NotWhole(f"'{name}' begins at {first}, not at {place}", "parts overlap or leave a gap", _ANOTHER)
        place = last
    if place != len(body):
        raise NotWhole(
            f"{len(body) - place} bytes after the last array", "nothing may be hidden behind the weights", _ANOTHER
        )
    return found, told


def _header(text: bytes) -> dict[str, Any]:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        names = [name for name, _ in pairs]
        if len(set(names)) < len(names):
            raise NotWhole("a header that names something twice", "which of them is meant cannot be known", _ANOTHER)
        return dict(pairs)

    try:
        header = json.loads(text.decode(), object_pairs_hook=once)
        json.dumps(header, ensure_ascii=False).encode()  # a name with half a character could be told to nobody
    except (ValueError, RecursionError) as e:
        if isinstance(e, NotWhole):
            raise
        raise Refused("a header that cannot be read", "it is no safetensors", "send weights as safetensors") from e
    if not isinstance(header, dict):
        raise Refused("a header that is no table", "it is no safetensors", "send weights as safetensors")
    return header


def _claim(name: str, said: Any) -> tuple[np.dtype[Any], tuple[int, ...], int, int]:
    try:
        kind = _TYPES[said["dtype"]]
        shape = said["shape"]
        first, last = said["data_offsets"]
    except (KeyError, TypeError, ValueError):
        raise NotWhole(f"'{name}' is not described", "no type, shape and place of known types", _ANOTHER) from None
    numbers = [*shape, first, last] if isinstance(shape, list) else [None]
    if len(numbers) > 18 or not all(type(v) is int and 0 <= v < 2**40 for v in numbers):
        raise NotWhole(f"'{name}' has a shape or place that is none", "the header lies", _ANOTHER)
    return kind, tuple(shape), first, last


def _count(shape: tuple[int, ...]) -> int:
    count = 1
    for side in shape:
        count *= side
    return count
