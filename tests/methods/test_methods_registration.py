"""Rigid registration on planted transforms, on real scans of one patient at two times, and every refusal."""

from __future__ import annotations

import itertools
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import ndimage
from scipy.spatial.transform import Rotation

from isocenter.errors import Refused
from isocenter.methods.registration import carried, rigid
from isocenter.space import Axis, Geometry, Region, Volume

GRID = Geometry.regular(shape=(40, 56, 56), spacing_mm=(4.0, 3.0, 3.0))


def scan(seed: int = 0) -> Volume:
    """A body of organs with edges and texture, so that the optimum is where it should be."""
    rng = np.random.default_rng(seed)
    z, y, x = np.indices(GRID.shape)
    body = ((y - 28) / 24) ** 2 + ((x - 28) / 20) ** 2 < 1
    array = np.where(body, 60.0, 0.0)
    for centre, size, value in (
        ((12, 20, 24), (8, 8, 9), 120), ((28, 34, 36), (6, 9, 7), 200), ((20, 40, 20), (5, 5, 5), 20),
        ((30, 18, 34), (4, 6, 5), 160), ((8, 36, 38), (5, 4, 6), 240),
    ):  # fmt: skip
        inside = sum(((g - c) / s) ** 2 for g, c, s in zip((z, y, x), centre, size, strict=True)) < 1
        array[inside] = value
    array += ndimage.gaussian_filter(rng.normal(0, 60, GRID.shape), 2.0)
    return Volume(ndimage.gaussian_filter(array, 0.7).astype(np.float32), GRID)


def moved(volume: Volume, matrix: np.ndarray) -> Volume:
    """The same anatomy after a motion of the patient: what lay at x lies at matrix @ x."""
    step = np.linalg.inv(GRID.affine) @ np.linalg.inv(matrix) @ GRID.affine
    array = ndimage.affine_transform(volume.array, step[:3, :3], offset=step[:3, 3], order=1)
    return replace(volume, array=array.astype(np.float32))


def motion(angles: tuple[float, float, float], shift: tuple[float, float, float]) -> np.ndarray:
    about = GRID.to_patient(np.array([19.5, 27.5, 27.5]))
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    matrix[:3, 3] = about + np.array(shift) - matrix[:3, :3] @ about
    return matrix


@pytest.mark.parametrize(
    ("angles", "shift"),
    [
        pytest.param((0, 0, 0), (0, 0, 0), marks=pytest.mark.nightly),
        pytest.param((6, -8, 10), (12, -9, 8), marks=pytest.mark.nightly),
        ((-15, 4, 3), (-18, 6, -5)),
    ],
)
def test_a_planted_motion_is_undone_within_a_third_of_a_voxel(angles: Any, shift: Any) -> None:
    fixed, truth = scan(), motion(angles, shift)
    found = rigid(fixed, moved(fixed, truth))
    landmarks = np.array(list(itertools.product((20.0, 100.0), (40.0, 120.0), (40.0, 120.0))))
    there = landmarks @ truth[:3, :3].T + truth[:3, 3]
    back = there @ found.matrix[:3, :3].T + found.matrix[:3, 3]
    assert np.linalg.norm(back - landmarks, axis=1).mean() < 1.0
    assert found.residual_mm < 1.5  # over the whole field, corners included
    assert found.overlap > 0.6


def test_the_same_scans_give_the_same_answer_at_any_time() -> None:
    """What a reader accepts can be computed again; its samples were shifted by the clock."""
    coarse = Geometry.regular(shape=(20, 28, 28), spacing_mm=(8.0, 6.0, 6.0))
    both = (scan(), moved(scan(), motion((4, -5, 6), (7, -6, 5))))
    fixed, moving = (Volume(one.array[::2, ::2, ::2], coarse) for one in both)
    first, again = (rigid(fixed, moving) for _ in range(2))
    assert again.matrix == pytest.approx(first.matrix, abs=1e-6)
    assert again.similarity == pytest.approx(first.similarity, abs=1e-6)


def test_whoever_hears_how_far_it_is_may_end_it() -> None:
    coarse = Geometry.regular(shape=(20, 28, 28), spacing_mm=(8.0, 6.0, 6.0))
    fixed, moving = (
        Volume(one.array[::2, ::2, ::2], coarse) for one in (scan(), moved(scan(), motion((4, 0, 6), (7, 0, 0))))
    )
    heard: list[float] = []
    rigid(fixed, moving, told=heard.append)
    assert heard == sorted(heard) and heard[0] == 0.0 and 0.5 < heard[-1] <= 1.0

    class Enough(Exception):
        pass

    def until_half(part: float) -> None:
        heard.append(part)
        if part >= 0.3:
            raise Enough

    heard.clear()
    with pytest.raises(Enough):
        rigid(fixed, moving, told=until_half)
    assert max(heard) < 0.5, "the way back was not begun"


def test_another_contrast_is_registered_as_well() -> None:
    fixed, truth = scan(), motion((4, -5, 6), (7, -6, 5))
    inverted = replace(fixed, array=(300 - 0.8 * fixed.array + 20 * np.sin(fixed.array / 30)).astype(np.float32))
    found = rigid(fixed, moved(inverted, truth))
    middle = GRID.to_patient(np.array([[19.5, 27.5, 27.5]]))
    there = middle @ truth[:3, :3].T + truth[:3, 3]
    assert np.linalg.norm(there @ found.matrix[:3, :3].T + found.matrix[:3, 3] - middle) < 2.0


def test_a_region_is_carried_where_its_anatomy_is() -> None:
    fixed, truth = scan(), motion((6, -8, 10), (12, -9, 8))
    mask = np.zeros(GRID.shape, bool)
    mask[16:24, 24:34, 22:34] = True
    there = moved(Volume(mask.astype(np.float32), GRID), truth).array >= 0.5
    back = carried(Region(GRID, mask=there, label="organ"), rigid(fixed, moved(fixed, truth)), GRID)
    assert back.mask is not None
    assert 2 * (back.mask & mask).sum() / (back.mask.sum() + mask.sum()) > 0.9
    assert back.label == "organ"


def test_each_guard_refuses() -> None:
    good = scan()
    with pytest.raises(Refused, match="without contrast"):
        rigid(good, replace(good, array=np.zeros(GRID.shape, np.float32)))
    with pytest.raises(Refused, match="different parts"):  # the last ten slices of one are the first ten of the other
        rigid(good.cropped((0, 0, 0), (24, 56, 56)), good.cropped((20, 0, 0), (40, 56, 56)))
    several = Volume(np.stack([good.array] * 2), GRID, axes=(Axis("echo", (1.0, 2.0), "ms"),))
    with pytest.raises(Refused, match="one image of each"):
        rigid(several, good)
    with pytest.raises(Refused, match="only masks"):
        carried(Region(GRID, shape="point", points_mm=np.zeros((1, 3))), rigid(good, good), GRID)  # type: ignore[arg-type]


def test_two_noises_have_nothing_in_common() -> None:
    rng = np.random.default_rng(1)
    one, other = (Volume(rng.normal(size=(20, 30, 30)).astype(np.float32), Geometry.regular(
        shape=(20, 30, 30), spacing_mm=(4.0, 4.0, 4.0))) for _ in range(2))  # fmt: skip
    with pytest.raises(Refused, match="nothing in common"):
        rigid(one, other)
