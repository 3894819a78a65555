"""Painted balls and discs are as large as the brush, whatever the voxels; every refusal once."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import LimitReached, Refused
from isocenter.methods.brush import Part, applied, box, stroke, within
from isocenter.space import Geometry

GRID = Geometry.from_dicom(
    position=(-60.0, 20.0, 5.0),
    orientation=(0.8, 0.6, 0.0, 0.0, 0.0, -1.0),
    pixel_spacing=(0.8, 0.5),
    slice_step=(-1.2, 1.6, 0.0),
    shape=(30, 90, 120),
)
MIDDLE = GRID.to_patient((15, 45, 60))


def test_a_ball_has_the_volume_of_its_radius_in_millimetres() -> None:
    part = stroke(GRID, MIDDLE[None], 12.0)
    assert part.mask.sum() * GRID.voxel_volume_mm3 == pytest.approx(4 / 3 * np.pi * 12**3, rel=0.01)
    centres = GRID.to_patient(np.argwhere(part.mask) + np.array(part.start))
    assert np.linalg.norm(centres - MIDDLE, axis=1).max() <= 12.0 + 1e-6


def test_on_a_slice_it_is_a_disc_and_a_line_is_a_band() -> None:
    part = stroke(GRID, MIDDLE[None], 10.0, GRID.directions[:, 0])
    assert (part.start[0], part.stop[0]) == (15, 16)
    assert part.mask.sum() * 0.8 * 0.5 == pytest.approx(np.pi * 100, rel=0.01)
    far = GRID.to_patient((15, 45, 100))
    band = stroke(GRID, np.linspace(MIDDLE, far, 50), 5.0, GRID.directions[:, 0])
    assert band.mask.sum() * 0.4 == pytest.approx(
        np.pi * 25 + 20.0 * 10.0, rel=0.04
    )  # two rims that run along the grid
    across = stroke(GRID, MIDDLE[None], 10.0, GRID.directions[:, 2])
    assert (across.start[2], across.stop[2]) == (60, 61)


def test_a_box_and_a_range_choose_voxels() -> None:
    part = box(GRID, GRID.to_patient([(3, 10, 20), (5, 19, 49)]))
    assert part.mask.shape == (3, 10, 30)
    values = np.zeros(GRID.shape)
    values[4, 12, 22:30] = 50.0
    chosen = within(part, values, 40.0, 50.0)
    assert chosen.mask.sum() == 8


def test_adding_and_taking_away_leave_the_mask_given_as_it_was() -> None:
    empty = np.zeros(GRID.shape, dtype=bool)
    part = stroke(GRID, MIDDLE[None], 6.0)
    full = applied(empty, part, add=True)
    assert full.sum() == part.mask.sum()
    assert not empty.any()
    assert not applied(full, part, add=False).any()
    cut = stroke(GRID, GRID.to_patient((0, 0, 0))[None], 3.0)
    assert cut.start == (0, 0, 0), "a stroke over the edge paints what there is"


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: stroke(GRID, np.zeros((0, 3)), 1.0), "without points"),
        (lambda: stroke(GRID, np.array([[np.nan, 0, 0]]), 1.0), "without points"),
        (lambda: stroke(GRID, MIDDLE[None], 0.0), "radius 0"),
        (lambda: stroke(GRID, MIDDLE[None] + 900, 5.0), "beside the image"),
        (lambda: stroke(GRID, MIDDLE[None] + 0.2, 0.01), "between the voxels"),
        (lambda: stroke(GRID, MIDDLE[None], 5.0, np.zeros(3)), "without a normal"),
        (lambda: box(GRID, GRID.to_patient([(3.2, 10, 20), (3.8, 19, 49)])), "holds no voxel"),
        (lambda: within(box(GRID, GRID.to_patient([(0, 0, 0), (2, 2, 2)])), np.zeros(GRID.shape), 2, 1), "range from"),
        (lambda: within(box(GRID, GRID.to_patient([(0, 0, 0), (2, 2, 2)])), np.zeros(GRID.shape), 1, 2), "no voxel"),
        (
            lambda: applied(
                np.zeros(GRID.shape, bool), Part(np.ones((1, 1, 1), bool), (0, 0, 0), (1, 1, 1)), add=False
            ),
            "changes nothing",
        ),
    ],
)
def test_what_changes_nothing_is_refused(call: object, words: str) -> None:
    with pytest.raises(Refused, match=words):
        call()  # type: ignore[operator]


def test_a_stroke_over_everything_is_too_much_at_once() -> None:
    huge = Geometry.regular(shape=(600, 600, 600))
    with pytest.raises(LimitReached, match=r"over 216,000,000 voxels.*134,217,728 are painted"):
        stroke(huge, np.array([[300.0, 300, 300]]), 400.0)
