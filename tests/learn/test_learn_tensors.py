"""Safetensors: what is written is read back, and a header that lies is refused before a number is read."""

from __future__ import annotations

import json

import numpy as np
import pytest

from isocenter.errors import IsocenterError, LimitReached, NotWhole, Refused
from isocenter.learn.tensors import packed, unpacked


def test_arrays_come_back_as_they_were_and_the_bytes_are_always_the_same() -> None:
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3), "b": np.array(7, np.int64), "c": np.zeros((0, 4)),
        "d": np.array([True, False]), "e": np.arange(3, dtype=">f8"),
    }  # fmt: skip
    data = packed(arrays, {"run": "1"})
    found, told = unpacked(data)
    assert told == {"run": "1"}
    assert all(np.array_equal(found[n], arrays[n]) and found[n].shape == arrays[n].shape for n in arrays)
    assert data == packed(dict(reversed(arrays.items())), {"run": "1"})
    with pytest.raises(Refused, match="numbers of fixed size"):
        packed({"a": np.array(["word"])})


def _file(header: object, body: bytes, length: int | None = None) -> bytes:
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + body


ONE = {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"\x80\x04", NotWhole),
        (_file({"a": ONE}, b"x" * 8, 2**40), NotWhole),
        (_file(b"\x80\x04pickle", b""), Refused),
        (_file([1], b""), Refused),
        (_file(b"[" * 50_000, b""), Refused),
        (_file({"a": {**ONE, "dtype": "O"}}, b"x" * 8), NotWhole),
        (_file({"a": {**ONE, "shape": [3]}}, b"x" * 8), NotWhole),
        (_file({"a": {**ONE, "shape": [-2]}}, b"x" * 8), NotWhole),
        (_file({"a": {**ONE, "shape": [2**39, 2**39, 2**39]}}, b"x" * 8), NotWhole),
        (_file({"a": {**ONE, "data_offsets": [0, 800]}}, b"x" * 8), NotWhole),
        (_file({"a": {**ONE, "data_offsets": [True, 8]}}, b"x" * 8), NotWhole),
        (_file({"a": ONE, "b": ONE}, b"x" * 8), NotWhole),
        (_file({"a": ONE, "b": {**ONE, "data_offsets": [12, 20]}}, b"x" * 20), NotWhole),
        (_file({"a": ONE}, b"x" * 9), NotWhole),
        (_file(b'{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{}}', b"x" * 8), NotWhole),
        (_file({"a": {"dtype": "BOOL", "shape": [1], "data_offsets": [0, 1]}}, b"\x02"), NotWhole),
        (_file({"__metadata__": {"a": 1}}, b""), NotWhole),
        (_file({"\ud800": ONE}, b"x" * 8), Refused),
        (_file(json.dumps({"a": ONE}).encode("utf-16"), b"x" * 8), Refused),
    ],
)
def test_a_header_that_lies_is_refused(data: bytes, kind: type[IsocenterError]) -> None:
    with pytest.raises(kind) as told:
        unpacked(data)
    assert told.value.why and told.value.do, "the reason, and what to do"


def test_too_much_is_not_even_read() -> None:
    with pytest.raises(LimitReached):
        unpacked(packed({"a": np.zeros(100)}), largest=500)
