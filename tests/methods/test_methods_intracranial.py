"""The brain is found within the skull, and fluid is left out of the tissue."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import intracranial
from isocenter.testing.phantoms import stroke_ct
from isocenter.testing.phantoms.perfused_head import scene

SPACING = (8.0, 220 / 96, 220 / 96)


@pytest.fixture(scope="module")
def head() -> tuple[np.ndarray, np.ndarray]:
    array, axes, _ = stroke_ct.frames(size=96, slices=8, step_mm=8.0, times_s=(0.0, 1.0, 2.0))
    return array.mean(axis=0, dtype=np.float32), scene(np.array([0.0, 1.0]), axes).labels


def test_brain_and_tissue_of_a_head(head: tuple[np.ndarray, np.ndarray]) -> None:
    image, labels = head
    brain = intracranial.brain_ct(image, SPACING)
    truth = labels >= 3
    assert 2 * (brain & truth).sum() / (brain.sum() + truth.sum()) > 0.97
    assert not brain[labels <= 1].any()
    tissue = intracranial.tissue_ct(image, brain, SPACING)
    assert tissue[(labels == 5)].mean() > 0.97
    assert tissue[labels == 3].mean() < 0.35  # thin fluid shares its voxels with the brain beside it


def test_smoothing_takes_nothing_from_outside() -> None:
    mask = np.zeros((1, 20, 20), bool)
    mask[:, 5:15, 5:15] = True
    frames = np.where(mask, 3.0, 1000.0).astype(np.float32)[None]
    smooth = intracranial.smooth_within(frames, mask, (5.0, 2.0, 2.0), 6.0)
    assert smooth[0] == pytest.approx(3.0, rel=1e-5)
    assert np.array_equal(intracranial.smooth_within(frames, mask, (5.0, 2.0, 2.0), 0.0)[0], frames[0][mask])


@pytest.mark.parametrize("scalp", [400.0, 900.0, 1500.0])
def test_a_bright_scalp_is_no_brain(scalp: float) -> None:
    spacing = (6.0, 3.0, 3.0)
    _, row, column = np.indices((6, 76, 76))
    y, x = (row - 37.5) * 3.0, (column - 37.5) * 3.0
    brain, bone, skin = ((x / a) ** 2 + (y / (a + 14.0)) ** 2 <= 1.0 for a in (72.0, 80.0, 90.0))
    bleeding = np.hypot(x - 62.0, y) <= 8.0  # near the surface: what lies outside of it is brain too
    signal = np.where(brain, 900.0, np.where(bone, 60.0, np.where(skin, scalp, 0.0)))
    signal[bleeding] = 50.0
    signal += np.random.default_rng(0).normal(0.0, 10.0, signal.shape)
    found = intracranial.brain_mr(signal, spacing)
    assert np.count_nonzero(found & brain) > 0.98 * np.count_nonzero(brain)
    # Blurring moves the border by a voxel; the scalp is more than a quarter of the brain.
    assert np.count_nonzero(found & ~brain) < 0.04 * np.count_nonzero(brain)


def test_what_is_no_head() -> None:
    with pytest.raises(Refused, match="no brain on these CT images"):
        intracranial.brain_ct(np.full((4, 64, 64), -1000.0), SPACING)
    with pytest.raises(Refused, match="no brain on these MR images"):
        intracranial.brain_mr(np.zeros((4, 64, 64)), SPACING)


def test_a_trunk_is_no_head() -> None:
    _, y, x = np.mgrid[:4, :80, :80]
    far = np.hypot((x - 40) / 32, (y - 40) / 22)
    trunk = np.where(far < 1, 40.0, -1000.0)
    trunk[np.hypot(x - 40, y - 55) < 5] = 400.0
    with pytest.raises(Refused, match="it is a trunk"):
        intracranial.brain_ct(trunk, (5.0, 4.5, 4.5))
    with pytest.raises(Refused, match="it is a trunk"):
        intracranial.brain_mr(np.where(far < 1, 500.0, 5.0), (5.0, 4.5, 4.5))
    child = (5.0, 2.5, 2.5)
    with pytest.raises(Refused, match="no skull is around it"):
        intracranial.brain_ct(trunk, child)
    head = np.where(far < 0.9, 40.0, trunk)
    head[(far >= 0.9) & (far < 1)] = 900.0
    head[:, 30:50, :40][far[:, 30:50, :40] >= 0.9] = 40.0  # a part of the skull was taken out
    assert intracranial.brain_ct(head, child)[:, 40, 40].all()
