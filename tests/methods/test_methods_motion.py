"""A head that moved is brought back."""

import numpy as np
import pytest
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods import intracranial, motion
from isocenter.testing.phantoms import stroke_ct
from isocenter.testing.phantoms.perfused_head import Pose

POSES = {3: Pose(0.0, (3.0, -2.0, 1.0)), 6: Pose(-4.0, (0.0, 4.0, -3.0)), 8: Pose(1.5)}


@pytest.fixture(scope="module")
def moved() -> tuple[np.ndarray, tuple[float, float, float], motion.Motion]:
    array, (z, y, x), _ = stroke_ct.frames(size=96, slices=10, step_mm=8.0, times_s=np.arange(10.0), poses=POSES)
    spacing = (float(z[1] - z[0]), float(y[1] - y[0]), float(x[1] - x[0]))
    frames = np.clip(array.astype(np.float32), -300, 1300)
    reference = frames[:3].mean(axis=0)
    return frames, spacing, motion.estimate(frames, spacing, reference, reference > -200)


def test_planted_motion_is_found(moved: tuple[np.ndarray, tuple[float, float, float], motion.Motion]) -> None:
    _, _, found = moved
    for n in range(10):
        pose = POSES.get(n, Pose())
        x, y, z = pose.shift_mm
        assert found.shifts_mm[n, 1:] == pytest.approx([y, x], abs=0.2)
        assert found.shifts_mm[n, 0] == pytest.approx(z, abs=0.8)  # a tenth of a slice
        assert np.rad2deg(found.turns_rad[n]) == pytest.approx([-pose.turn_deg, 0.0, 0.0], abs=0.3)
    assert found.through
    assert found.largest_mm[[0, 1, 2, 4, 5, 7, 9]].max() < 0.2
    assert found.largest_mm[6] > 4.5


def test_frames_are_brought_back(moved: tuple[np.ndarray, tuple[float, float, float], motion.Motion]) -> None:
    frames, spacing, found = moved
    back = frames.copy()
    seen = motion.undo(back, spacing, found)
    # Away from the skull, whose edge shares voxels with the brain whatever is done.
    inside = ndimage.binary_erosion(intracranial.brain_ct(frames[0], spacing) & seen, np.ones((3, 7, 7)))
    noise = np.abs(frames[1] - frames[0])[inside].mean()
    for n in (3, 6, 8):
        before, after = (np.abs(f[n] - f[0])[inside].mean() for f in (frames, back))
        assert after < 1.1 * noise < before
    assert np.array_equal(back[1], frames[1])  # what hardly moved is not touched
    assert 0.7 < seen.mean() < 1.0


def test_one_slice_turns_and_shifts_in_its_plane() -> None:
    array, (_, y, x), _ = stroke_ct.frames(
        size=96, slices=1, times_s=np.arange(4.0), poses={2: Pose(2.0, (2.0, 1.0, 0.0))}
    )
    frames = np.clip(array.astype(np.float32), -300, 1300)
    found = motion.estimate(frames, (5.0, float(y[1] - y[0]), float(x[1] - x[0])), frames[0], frames[0] > -200)
    assert found.shifts_mm[2] == pytest.approx([0.0, 1.0, 2.0], abs=0.3)
    assert np.rad2deg(found.turns_rad[2]) == pytest.approx([-2.0, 0.0, 0.0], abs=0.3)


def test_slices_that_do_not_tell_of_depth_are_held_within_their_plane() -> None:
    """Equal slices, as of many phantoms, and a slab of two: contrast and noise must not pass for motion."""
    rng = np.random.default_rng(4)
    times = np.arange(24) * 1.5
    still, (_, y, x), _ = stroke_ct.frames(size=96, slices=1, times_s=times, noise_hu=0.0)
    equal = np.repeat(still.astype(np.float32), 6, axis=1) + rng.normal(0, 3, (24, 6, 96, 96)).astype(np.float32)
    two, _, _ = stroke_ct.frames(size=96, slices=2, step_mm=10.0, times_s=times, poses={20: Pose(0.0, (3.0, 0.0, 0.0))})
    for given in (equal, two):
        frames = np.clip(given.astype(np.float32), -300, 1300)
        reference = frames[:3].mean(axis=0)
        spacing = (10.0, float(y[1] - y[0]), float(x[1] - x[0]))
        found = motion.estimate(frames, spacing, reference, reference > -200)
        assert not found.through
        assert np.delete(found.largest_mm, 20).max() < 0.3 and not found.shifts_mm[:, 0].any()
    assert found.shifts_mm[20, 2] == pytest.approx(3.0, abs=0.3)


def test_a_picture_without_edges() -> None:
    with pytest.raises(Refused, match="without edges"):
        motion.estimate(np.ones((3, 2, 40, 40)), (5.0, 2.0, 2.0), np.ones((2, 40, 40)), np.ones((2, 40, 40), bool))
