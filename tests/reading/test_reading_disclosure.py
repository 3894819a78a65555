"""Which of the machine's words may leave, in which mode."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from isocenter.reading.disclosure import Mode, disclosed, may_leave
from isocenter.record import Origin, Outcome, Result

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("mode", "before", "after"),
    [
        (Mode.SHADOW, False, False),
        (Mode.TRIAGE, False, False),
        (Mode.UNAIDED_FIRST, False, True),
        (Mode.SECOND, True, True),
        (Mode.CONCURRENT, True, True),
    ],
)
def test_every_mode_before_and_after_the_first_opinion(mode: Mode, before: bool, after: bool) -> None:
    assert (may_leave(mode, locked=False), may_leave(mode, locked=True)) == (before, after)


def test_a_persons_own_result_leaves_and_a_correction_of_a_machines_goes_with_the_machine() -> None:
    own = Result("1", Outcome.FOUND, Origin("person", "ito"), NOON)
    machine = Result("1", Outcome.NONE, Origin("machine", "volumetry", "1"), NOON)
    corrected = Result("1", Outcome.NONE, Origin("person", "ito", parameters={"of": {"analysis": "volumetry"}}), NOON)
    many = [("a", own), ("b", machine), ("c", corrected)]
    assert [i for i, _ in disclosed(many, Mode.UNAIDED_FIRST, locked=False)] == ["a"]
    assert [i for i, _ in disclosed(many, Mode.UNAIDED_FIRST, locked=True)] == ["a", "b", "c"]
