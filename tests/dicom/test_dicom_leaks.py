"""An identity is found however it was written."""

from __future__ import annotations

import base64

import pytest

from isocenter.dicom.leaks import leaks

NAME = "Quaxelberg"
WAYS = {
    "plain": NAME.encode(),
    "small": NAME.lower().encode(),
    "large": NAME.upper().encode(),
    "two bytes, low first": NAME.encode("utf-16-le"),
    "two bytes, high first": NAME.encode("utf-16-be"),
    "backwards": NAME[::-1].encode(),
    "hexadecimal": NAME.lower().encode().hex().encode(),
    "spaced": " ".join(NAME).encode(),
    **{f"base64 at {n}": base64.b64encode(b"x" * n + NAME.encode() + b"yz") for n in range(5)},
}


@pytest.mark.parametrize("way", WAYS)
def test_every_way_of_writing_is_found(way: str) -> None:
    assert leaks(b"\0" * 50 + WAYS[way] + b"\1" * 50, [NAME, "Someoneelse"]) == [NAME]


def test_other_scripts_are_found_and_short_or_absent_ones_are_not() -> None:
    assert leaks("Люкceмбург Иванов".encode("cp1251"), ["Иванов"]) == ["Иванов"]
    assert leaks("Müllerin".encode("latin-1"), ["Müllerin"]) == ["Müllerin"]
    assert leaks(b"the cat sat", ["cat", NAME]) == []
