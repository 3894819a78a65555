"""Pieces in a row are found either way, and an image full of pieces does not hold the search up."""

from __future__ import annotations

import time

import numpy as np
import pytest

from isocenter.dicom.burned_in import written_lines
from isocenter.dicom.lettering import Pieces, rows_of_pieces


def letters(count: int) -> np.ndarray:
    mask = np.zeros((60, 120), bool)
    for n in range(count):
        mask[20:30, 10 + 9 * n : 12 + 9 * n] = mask[24:26, 10 + 9 * n : 16 + 9 * n] = True
    return mask


def test_a_row_needs_so_many_pieces_and_takes_in_what_stands_beside_it() -> None:
    assert rows_of_pieces(letters(4), least=5) == []
    found = rows_of_pieces(letters(6), least=5)
    assert found == [(20, 10, 30, 61)]
    assert rows_of_pieces(letters(6).T, least=5) == [(10, 20, 61, 30)]
    with_a_comma = letters(6)
    with_a_comma[26:30, 64:66] = True
    assert rows_of_pieces(with_a_comma, least=5) == [(20, 10, 30, 66)]


def test_a_slice_of_nothing_but_grain_is_searched_at_once() -> None:
    # Every one of thousands of pieces may continue thousands of rows: comparing them all took 7 s.
    grain = np.random.default_rng(5).normal(0, 300, (512, 512)).astype(np.int16)
    written_lines(grain)
    started = time.process_time()
    written_lines(grain)
    assert time.process_time() - started < 2.0


def test_rows_that_are_left_out_before_they_are_measured_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    random, slants = np.random.default_rng(20261128), (0.0, 33.75, 90.0, 146.25)
    masks = [random.random((90, 120)) < share for share in (0.1, 0.2, 0.3)]
    masks += [np.pad(letters(6), 40), np.kron(random.random((40, 40)) < 0.3, np.ones((4, 3), bool))]
    found = [Pieces(mask).at_slants(slants, 3) for mask in masks]
    monkeypatch.setattr("isocenter.dicom.lettering._Rows.most_letters", lambda made: np.full(made.count, np.inf))
    assert found == [Pieces(mask).at_slants(slants, 3) for mask in masks]
    assert sum(map(len, found)) > 20
