"""Times of which every slice has an image, where some were lost."""

from __future__ import annotations

from typing import Any

import pytest
from placed_frames import frame, one

from isocenter.dicom.frame_times import Pace
from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume

CLOCKS: dict[str, Any] = {
    "one clock": lambda n, k: {"moment": 1.5 * n},
    "each slice its own": lambda n, k: {"moment": 1.5 * n + 0.3 * k},
    "from the last slice": lambda n, k: {"moment": 1.5 * n - 0.3 * k},
    "positions": lambda n, k: {"temporal": n + 1.0},
    "acquisitions": lambda n, k: {"acquisition": n + 1.0},
}


@pytest.mark.parametrize("clock", CLOCKS)
@pytest.mark.parametrize(
    "lost", [{(7, 2)}, {(7, 3)}, {(7, 0), (8, 0)}, {(3, 1), (12, 2)}, {(9, 0), (9, 1), (9, 3)}, {(5, 3), (17, 3)}]
)
def test_a_time_that_lacks_a_slice_is_left_out_of_all(clock: str, lost: set[tuple[int, int]]) -> None:
    """One image that was lost on its way declined a whole dynamic scan."""
    frames = [frame(float(k), uid=f"{k}.{n}", keys=CLOCKS[clock](n, k))
              for n in range(24) for k in range(4) if (n, k) not in lost]  # fmt: skip
    found = one(frames)
    gone = sorted({n for n, _ in lost})
    kept = [n for n in range(24) if n not in gone]
    assert [p.sop_uid for p in found.order] == [f"{k}.{n}" for n in kept for k in range(4)]
    lacking = {n + 1: sum(n == m for m, _ in lost) for n in gone}
    assert found.notes["TimesLacking"] == {"of": 24, "slices": 4, "lacking": lacking}
    if "moment" in frames[0].keys:
        assert found.axes[0].values == pytest.approx([1.5 * n for n in kept])


@pytest.mark.parametrize("many", [5, 6, 20])
def test_a_scan_that_lost_more_than_a_fifth_of_its_times_refuses(many: int) -> None:
    frames = [frame(float(k), uid=f"{k}.{n}", keys={"moment": 1.5 * n})
              for n in range(24) for k in range(4) if k or n >= many]  # fmt: skip
    with pytest.raises(NotAVolume, match=f"slice 1 of 4 has {24 - many} images where others have 24"):
        stacks(frames)


@pytest.mark.parametrize("lost", [0, 7, 23])
def test_slices_that_were_measured_minutes_apart_do_not_tell_which_time_one_lacks(lost: int) -> None:
    frames = [frame(float(k), uid=f"{k}.{n}", keys={"content": 0.04 * n + 12.0 * k, "trigger": 40.0 * n})
              for n in range(24) for k in range(4) if (n, k) != (lost, 2)]  # fmt: skip
    with pytest.raises(NotAVolume, match="slice 3 of 4 has 23 images where others have 24"):
        stacks(frames, pace=Pace(cardiac=True))
