"""A fault is told by reference, type and place, and never in its own words."""

from __future__ import annotations

import logging

import pytest

from isocenter.doors.faults import note

LOG = logging.getLogger("isocenter.test")


def test_the_words_of_a_fault_stay_out_of_the_log(caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("CANARY^ANNA")
    except ValueError as error:
        reference = note(LOG, error, "a place")
    (record,) = caplog.records
    assert record.getMessage().startswith(f"error {reference}: ValueError in test_doors_faults.py line ")
    assert record.getMessage().endswith(", at a place")
    assert record.exc_info is None and "CANARY" not in caplog.text


def test_a_fault_that_was_never_raised_has_no_place(caplog: pytest.LogCaptureFixture) -> None:
    note(LOG, KeyError("x"), "a place")
    assert "KeyError in an unknown place" in caplog.text
