"""Slices of a cine with different numbers of phases."""

from __future__ import annotations

import pytest
from placed_frames import frame

from isocenter.dicom.beat_shares import at_common_shares
from isocenter.dicom.frame_times import Pace
from isocenter.dicom.placed import Placed
from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume

_CINE = Pace(cardiac=True)


def beat(n: int, phases: int, beat_ms: float = 900.0, lost: int | None = None) -> list[Placed]:
    each = [frame(10.0 * n, uid=f"{n}.{p}", keys={"trigger": beat_ms * p / phases}) for p in range(phases)]
    return [one for p, one in enumerate(each) if p != lost]


def test_each_slice_gives_the_phases_nearest_to_the_shares_of_its_own_beat() -> None:
    frames = [one for n in range(6) for one in beat(n, 25 if n % 2 else 20, 850.0 if n % 2 else 900.0)]
    (found,), _ = stacks(frames, pace=_CINE)
    assert len(found.axes[0]) == 20 and found.notes["PhasesAtShares"] == [20, 25]
    taken = [int(one.sop_uid.split(".")[1]) for one in found.order[1::6]]  # of the second slice
    assert all(abs(p / 25 - n / 20) <= 0.02 + 1e-9 for n, p in enumerate(taken)) and len(set(taken)) == 20


def test_a_slice_of_the_usual_number_is_taken_as_it_is() -> None:
    uneven = [frame(0.0, uid=f"0.{p}", keys={"trigger": 30.0 * p + 150.0 * (p == 19)}) for p in range(20)]
    cells = [uneven, beat(1, 20), beat(2, 20), beat(3, 25)]
    found = at_common_shares(cells)
    assert found is not None and found[0] == uneven and [len(row) for row in found] == [20] * 4


@pytest.mark.parametrize(
    "odd",
    [
        beat(3, 20, lost=7), beat(3, 20, lost=19), beat(3, 25, 1125.0), beat(3, 25, 1400.0), beat(3, 25, lost=4),
        beat(3, 6),
    ],
)  # fmt: skip
def test_lost_images_and_other_beats_are_no_other_sampling(odd: list[Placed]) -> None:
    whole = [one for n in range(6) if n != 3 for one in beat(n, 20)]
    with pytest.raises(NotAVolume, match="slice 4 of 6 has"):
        stacks([*whole, *odd], pace=_CINE)
