"""What came out of looking."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from isocenter.record import Origin, Outcome, Result, from_plain, to_plain


@pytest.mark.parametrize(
    ("origin", "machine"),
    [
        (Origin("machine", "volumetry", "2", "ab"), ("volumetry", "2", "ab")),
        (Origin("person", "ito", parameters={"of": {"analysis": "volumetry", "version": "2", "model": "ab"}}),
         ("volumetry", "2", "ab")),
        (Origin("person", "ito", parameters={"of": {"analysis": "volumetry"}}), ("volumetry", "", "")),
        (Origin("person", "ito"), ("", "", "")),
    ],
)  # fmt: skip
def test_the_machine_behind_a_result_is_its_own_or_the_one_that_a_person_corrected(
    origin: Origin, machine: tuple[str, str, str]
) -> None:
    result = Result("1.2", Outcome.NONE, origin, datetime(2026, 1, 1, tzinfo=UTC))
    assert result.machine == machine and result.machine.analysis == machine[0]
    told: Any = to_plain(result)
    assert "machine" not in told and from_plain(Result, told) == result
