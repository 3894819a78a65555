"""Work that a busy machine does not get round to is waited for; work that takes too much, or sleeps, is not."""

from __future__ import annotations

import os
import time

from isocenter.dicom.patience import WAITS, Patience, processor_seconds


def test_a_busy_machine_is_waited_for_and_busy_work_is_not() -> None:
    now = {"clock": 5.0, "used": 70.0}
    patience = Patience(30.0, lambda: now["used"], lambda: now["clock"])
    assert patience.left() == 30.0
    now |= {"clock": 40.0, "used": 72.0}  # 35 seconds passed, and it was given two of them
    assert patience.left() == 28.0
    now["used"] = 100.0
    assert patience.left() <= 0
    now |= {"clock": 5.0 + 30.0 * WAITS, "used": 72.0}  # it sleeps
    assert patience.left() <= 0


def test_work_on_several_processors_is_held_to_the_clock() -> None:
    now = {"clock": 0.0, "used": 0.0}
    patience = Patience(30.0, lambda: now["used"], lambda: now["clock"])
    now |= {"clock": 20.0, "used": 80.0}  # four of them at once
    assert patience.left() == 10.0


def test_the_processor_of_another_process_is_known_and_of_none_the_clock() -> None:
    mine = processor_seconds(os.getpid())
    assert 0 < mine <= time.process_time() + 0.05
    before = time.monotonic()
    assert before <= processor_seconds(2**30) <= time.monotonic()
