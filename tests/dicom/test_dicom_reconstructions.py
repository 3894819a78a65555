"""CT scans that were reconstructed more than once."""

from __future__ import annotations

from typing import Any

import pytest
from placed_frames import frame

from isocenter.dicom.placed import Placed
from isocenter.dicom.reconstructions import at_one_place, over_each_other
from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume


def scan(*heights: float, times: int = 12, later: float = 0.0, **made: Any) -> list[Placed]:
    name = f"{made.get('kernel', '')}{made.get('thickness', '')}"
    return [
        frame(z, uid=f"{name}.{z}.{t}", keys={"moment": 1.5 * t + later, "number": float(t)}, **made)
        for t in range(times) for z in heights
    ]  # fmt: skip


def test_two_kernels_of_one_dynamic_scan_are_stacks_of_their_own() -> None:
    """They were images that nothing told apart, or one scan of twice as many times by their numbers."""
    soft, sharp = (scan(0.0, 10.0, 20.0, kernel=k, thickness=10.0) for k in ("H20f", "H60s"))
    found, faults = stacks([*soft, *sharp])
    assert not faults and [len(s.axes[0]) for s in found] == [12, 12]
    assert [{one.kernel for one in s.order} for s in found] == [{"H20f"}, {"H60s"}]


def test_two_thicknesses_of_one_dynamic_scan_are_stacks_of_their_own() -> None:
    thick, thin = scan(0.0, 10.0, 20.0, thickness=10.0), scan(-2.5, 2.5, 7.5, 12.5, 17.5, 22.5, thickness=5.0)
    assert [s.geometry.shape[0] for s in stacks([*thick, *thin])[0]] == [6, 3]
    lacking = [one for one in thin if one.position[2] != 7.5]
    with pytest.raises(NotAVolume, match="missing"):  # the fault is that of the whole
        stacks([*thick, *lacking])


def test_a_scan_that_changes_on_the_way_is_one() -> None:
    early, late = scan(0.0, 10.0, thickness=10.0), scan(0.0, 10.0, thickness=9.9, later=18.0)
    assert len(at_one_place([*early, *late])) == 1
    (found,), _ = stacks([*early, *late])
    assert len(found.axes[0]) == 24
    below, above = scan(0.0, 5.0, 10.0, thickness=5.0, times=1), scan(20.0, 30.0, 40.0, thickness=10.0, times=1)
    assert len(at_one_place([*below, *above])) == len(over_each_other([*below, *above])) == 1
