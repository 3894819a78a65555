"""Is a value what its kind says?"""

from __future__ import annotations

import struct

import numpy as np
import pytest

from isocenter.dicom.true_kind import NUMBERS, are_decimals, are_moments, are_numbers


@pytest.mark.parametrize(
    ("raw", "vr", "spelled", "vm", "wanted"),
    [
        (b"\0\2", "US", "US", "1", True),
        (b"\0\2\0\2", "US", "US", "1", False),
        (b"\0\2\0", "US", "", "1-n", False),
        (b"Zyqorblat ", "US", "US", "1-n", False),
        (b"Zyqorbla", "FD", "FD", "1", False),
        (b"Zyqorblat", "US", "LO", "1-n", False),
        (b"ZY", "US", "LO", "1", False),
        (b"12", "US", "IS", "1", True),
        (b"12 Zyq", "US", "IS", "1", False),
        (b"AA" * 20, "US", "US", "1-n", True),  # one number again and again
        (struct.pack("<2d", 0.5, 12.25), "FD", "", "2", True),
        (struct.pack("<d", 1.5) * 2, "US", "FD", "2", True),
    ],
)
def test_numbers_are_numbers(raw: bytes, vr: str, spelled: str, vm: str, wanted: bool) -> None:
    assert are_numbers(raw, vr, spelled, vm) is wanted


def test_measured_numbers_are_hardly_ever_taken_for_text() -> None:
    random = np.random.default_rng(20261128)
    measured = random.normal(0, 100, (20_000, 3))
    lost = sum(
        not are_numbers(row.astype(kind).tobytes(), vr, vr, "3")
        for vr, kind in (("FL", "<f4"), ("FD", "<f8"), ("US", "<u2"), ("SL", "<i4"))
        for row in np.abs(measured)
    )
    assert lost == 0


@pytest.mark.parametrize("vr", sorted(NUMBERS))
def test_a_name_of_any_length_is_no_row_of_numbers(vr: str) -> None:
    for length in range(3, 12):
        assert not are_numbers(b"Zyqorblat^Wexmun^^Dr."[: length * 2].ljust(length * 8), vr, vr, "1-n")


@pytest.mark.parametrize(
    ("vr", "said", "wanted"),
    [
        ("TM", "10", True), ("TM", "1015", True), ("TM", "10:15:00", True), ("TM", "235960", True),
        ("TM", "101500.123456", True), ("TM", "101500.1234567", False), ("TM", "2415", False), ("TM", "7612345", False),
        ("DA", "20240301", True), ("DA", "2024.03.01", True), ("DA", "202403017612345", False),
        ("DT", "2024", True), ("DT", "20240301101500.5+0100", True), ("DT", "202403017612345", False),
        ("DA", "20240301\\Zyqorblat", False), ("TM", "", True),
    ],
)  # fmt: skip
def test_moments_are_moments(vr: str, said: str, wanted: bool) -> None:
    assert are_moments(vr, said) is wanted


def test_a_decimal_with_a_word_is_none() -> None:
    assert are_decimals("1.5\\-2e3")
    assert not are_decimals("72 kg")
