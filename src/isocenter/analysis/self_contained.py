"""Is a model file one whole thing? Asked of its bytes, before any library opens them.

An ONNX file may say that its numbers lie in another file, at any path; and it may ask for operators that only a foreign
library has. Either would let whoever wrote it reach beyond the bytes whose digest was approved. The file is a protocol
buffer; it is walked here field by field (numbers as in onnx.proto of the ONNX project), and nothing of it is run.
"""

from __future__ import annotations

from collections.abc import Iterator

from isocenter.errors import Refused

__all__ = ["DOMAINS", "must_be_self_contained"]

DOMAINS = frozenset({b"", b"ai.onnx", b"ai.onnx.ml", b"com.microsoft"})
"""Sets of operators that ONNX Runtime brings itself."""

_DEEPEST = 64  # graphs in branches of graphs
# What is followed: kind of message -> field -> kind of message that lies in it.
_FOLLOWED: dict[str, dict[int, str]] = {
    "model": {7: "graph", 20: "training", 25: "function"},
    "training": {1: "graph", 2: "graph"},
    "function": {7: "node", 11: "attribute"},
    "graph": {1: "node", 5: "tensor", 15: "sparse"},
    "node": {5: "attribute"},
    "attribute": {5: "tensor", 6: "graph", 10: "tensor", 11: "graph", 22: "sparse", 23: "sparse"},
    "sparse": {1: "tensor", 2: "tensor"},
}
_NODE_DOMAIN, _OUTSIDE, _LOCATION = 7, 13, 14


def must_be_self_contained(data: bytes, name: str) -> None:
    """Go on only with an ONNX file that needs nothing but itself.

    Raises:
        Refused: it is no whole protocol buffer, its numbers lie elsewhere, or it asks for operators of a stranger.
    """
    if not data:
        raise Refused(f"{name} is empty", "a copy that broke off leaves such a file", "export or copy it again")
    try:
        _walk(memoryview(data), "model", name, 0)
    except (IndexError, ValueError) as fault:
        if isinstance(fault, Refused):
            raise
        raise Refused(
            f"{name} cannot be opened as ONNX", "it is cut short or something else", "export it again"
        ) from None


def _walk(message: memoryview, kind: str, name: str, depth: int) -> None:
    if depth > _DEEPEST:
        raise Refused(f"{name} nests graphs more than {_DEEPEST} deep", "no model does", "export it again")
    followed = _FOLLOWED.get(kind, {})
    for field, value in _fields(message):
        if kind == "tensor" and (field == _OUTSIDE or (field == _LOCATION and value == 1)):
            raise Refused(
                f"{name} keeps numbers in another file", "what lies there has no digest, and may be any file here",
                "export it as one file",
            )  # fmt: skip
        if kind == "node" and field == _NODE_DOMAIN and isinstance(value, memoryview) and bytes(value) not in DOMAINS:
            raise Refused(
                f"{name} asks for operators of '{bytes(value)[:40].decode('latin-1')}'",
                "only a foreign library could run them", "export it with the operators of ONNX",
            )  # fmt: skip
        if field in followed and isinstance(value, memoryview):
            _walk(value, followed[field], name, depth + 1)


def _fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """The fields of a message: number and value; IndexError where it breaks off, ValueError where it is none."""
    at, end = 0, len(message)
    while at < end:
        key, at = _varint(message, at)
        field, wire = key >> 3, key & 7
        if not field:
            raise ValueError
        if wire == 0:
            value, at = _varint(message, at)
            yield field, value
            continue
        if wire == 2:
            size, at = _varint(message, at)
        elif wire in (1, 5):
            size = 8 if wire == 1 else 4
        else:
            raise ValueError
        if at + size > end:
            raise IndexError
        yield field, message[at : at + size]
        at += size


def _varint(message: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
        if shift > 63:
            raise ValueError
