"""Places that make one regular grid, or the numbers that prove that they make none."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from placed_frames import frame, one

from isocenter.dicom.stack import stacks
from isocenter.errors import NotAVolume


@settings(max_examples=80, deadline=None)
@given(st.integers(5, 30), st.data())
def test_any_missing_slice_inside_is_found_and_named(count: int, data: st.DataObject) -> None:
    gone = data.draw(st.integers(2, count - 2))
    with pytest.raises(NotAVolume, match=rf"slice {gone + 1} missing: gap of 5 mm where 2\.5 mm"):
        stacks([frame(2.5 * n) for n in range(count) if n != gone])


def test_a_gap_of_several_slices_is_proved_with_numbers() -> None:
    with pytest.raises(NotAVolume, match="slices 41 to 43 missing: gap of 20 mm where 5 mm"):
        stacks([frame(5.0 * n) for n in range(60) if n not in (40, 41, 42)])


def test_many_gaps_are_counted() -> None:
    kept = [n for n in range(60) if n % 10]
    with pytest.raises(NotAVolume, match="and 2 gaps more"):
        stacks([frame(float(n)) for n in kept])


def test_uneven_distances_refuse() -> None:
    with pytest.raises(NotAVolume, match=r"slice distances vary from 1 to 1\.3 mm"):
        stacks([frame(z) for z in (0, 1, 2, 3.3, 4.3, 5.3)])


def test_rounding_of_positions_is_forgiven() -> None:
    found = one([frame(round(n * 3.2700001, 2)) for n in range(40)])
    assert np.isclose(found.geometry.spacing_mm[0], 3.27, atol=1e-3)


def test_slices_beside_the_line_refuse() -> None:
    with pytest.raises(NotAVolume, match="beside a straight line"):
        stacks([frame(float(n), x=3.0 * (n % 2)) for n in range(7)])


def test_a_sheared_stack_is_one() -> None:
    found = one([frame(float(n), x=0.4 * n) for n in range(7)])
    assert np.allclose(found.geometry.affine[:3, 0], (0.4, 0, 1))


def test_one_slice_takes_its_thickness() -> None:
    assert one([frame(1.0, thickness=7.0)]).geometry.spacing_mm[0] == 7.0
    assert one([frame(1.0)]).geometry.spacing_mm[0] == 1.0


def test_images_at_one_height_but_beside_each_other_refuse() -> None:
    frames = [frame(float(n), x=x, uid=f"{n}.{x}", keys={"temporal": x}) for n in range(3) for x in (0.0, 40.0)]
    with pytest.raises(NotAVolume, match=r"lie 40\.00 mm apart in their plane"):
        stacks(frames)
