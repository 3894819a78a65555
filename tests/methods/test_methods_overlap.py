"""Overlap and surface distances against surface-distance's own expected numbers, brute force, and laws."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods.overlap import Surfaces, dice, jaccard, surfaces


def voxel(shape: tuple[int, ...], at: tuple[int, ...]) -> np.ndarray:
    mask = np.zeros(shape, bool)
    mask[at] = True
    return mask


def slab(to: int) -> np.ndarray:
    mask = np.zeros((100, 100, 100), bool)
    mask[:to] = True
    return mask


CASES = {
    "two_single_pixels_2d": (voxel((20, 20), (5, 5)), voxel((20, 20), (5, 7))),
    "two_single_voxels_3d": (voxel((9, 9, 9), (4, 4, 4)), voxel((9, 9, 9), (4, 4, 6))),
    "two_cubes_100": (slab(50), slab(51)),
}


@pytest.mark.data
@pytest.mark.parametrize("name", CASES)
def test_the_numbers_of_surface_distance(reference: Path, name: str) -> None:
    wanted: dict[str, Any] = json.loads((reference / "surface-distance" / "expected.json").read_text())[name]
    one, other = CASES[name]
    found = surfaces(one, other, wanted["spacing_mm"])
    near = 0.5 * 10.0 ** -wanted.get("decimals", 9)
    assert found.average == pytest.approx(wanted["average_surface_distance"], abs=near)
    assert found.hausdorff(100) == pytest.approx(wanted["hausdorff_100"], abs=near)
    assert found.hausdorff(95) == pytest.approx(wanted["hausdorff_95"], abs=near)
    assert found.overlap_at(1.0) == pytest.approx(wanted["surface_overlap_at_1mm"], abs=near)
    assert found.dice_at(1.0) == pytest.approx(wanted["surface_dice_at_1mm"], abs=near)
    assert dice(one, other) == pytest.approx(wanted["volumetric_dice"], abs=near)


def test_empty_masks_have_no_surface_and_no_number_is_made_up() -> None:
    some, none = voxel((6, 6, 6), (2, 2, 2)), np.zeros((6, 6, 6), bool)
    one = surfaces(some, none, (1, 1, 1))
    assert one.average[0] == math.inf and math.isnan(one.average[1])
    assert (one.hausdorff(), one.dice_at(1.0), dice(some, none)) == (math.inf, 0.0, 0.0)
    assert one.overlap_at(1.0)[0] == 0.0 and math.isnan(one.overlap_at(1.0)[1])
    both = surfaces(none, none, (1, 1, 1))
    assert both.hausdorff() == math.inf
    assert all(map(math.isnan, (*both.average, both.assd, both.dice_at(1.0), dice(none, none), jaccard(none, none))))


def brute(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance from each border cell of one mask to the nearest of the other, sorted."""

    def cells(mask: np.ndarray) -> np.ndarray:
        padded = np.pad(mask, 1)
        windows = np.lib.stride_tricks.sliding_window_view(padded, (2,) * mask.ndim)
        flat = windows.reshape(*windows.shape[: mask.ndim], -1)
        return np.argwhere(flat.any(-1) & ~flat.all(-1)) * spacing

    here, there = cells(one), cells(other)
    return np.sort(np.sqrt(((here[:, None] - there[None]) ** 2).sum(-1)).min(1))


@settings(max_examples=40, deadline=None, database=None)
@given(st.integers(0, 10_000), st.sampled_from([(1.0, 1.0, 1.0), (3.0, 0.7, 1.3), (0.4, 2.5, 1.0)]), st.booleans())
def test_distances_are_those_of_a_search_through_all_pairs(seed: int, spacing: tuple[float, ...], sparse: bool) -> None:
    rng = np.random.default_rng(seed)
    shape = tuple(rng.integers(2, 8, 3))
    one, other = (rng.random(shape) < (0.06 if sparse else 0.5) for _ in range(2))
    one.flat[0] = other.flat[-1] = True
    found = surfaces(one, other, spacing)
    assert found.there == pytest.approx(brute(one, other, spacing), abs=1e-9)
    assert found.back == pytest.approx(brute(other, one, spacing), abs=1e-9)


@settings(max_examples=25, deadline=None, database=None)
@given(st.integers(0, 10_000))
def test_order_place_and_padding_do_not_matter(seed: int) -> None:
    rng = np.random.default_rng(seed)
    one, other = (rng.random((5, 6, 7)) < 0.4 for _ in range(2))
    one[2, 2, 2] = other[2, 3, 3] = True
    said = summary(surfaces(one, other, (2.0, 1.0, 0.5)))
    back = summary(surfaces(other, one, (2.0, 1.0, 0.5)))
    assert back == pytest.approx(said)
    wide = [np.pad(m, ((3, 1), (0, 4), (2, 2))) for m in (one, other)]
    assert summary(surfaces(wide[0], wide[1], (2.0, 1.0, 0.5))) == pytest.approx(said)
    turned = [np.ascontiguousarray(m.transpose(2, 0, 1)[::-1]) for m in (one, other)]
    assert summary(surfaces(turned[0], turned[1], (0.5, 2.0, 1.0)))[:2] == pytest.approx(said[:2], rel=0.05)
    assert dice(one, other) == pytest.approx(2 * jaccard(one, other) / (1 + jaccard(one, other)))


def summary(found: Surfaces) -> list[float]:
    return [found.hausdorff(100), found.assd, found.dice_at(0.8), sum(found.average)]


def test_the_area_of_a_ball_is_near_that_of_the_formula() -> None:
    grid = np.indices((50, 50, 50)) - 24.5
    ball = (grid**2).sum(0) < 18.0**2
    found = surfaces(ball, ball, (1.0, 1.0, 1.0))
    # Marching cubes of a binary ball overestimates a smooth sphere; the bound is Lindblad's (2005), 9 %.
    assert found.there_area.sum() == pytest.approx(4 * math.pi * 18**2, rel=0.09)
    assert (found.hausdorff(), found.dice_at(0.0)) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("one", "other", "spacing", "words"),
    [
        (np.zeros((3, 3), bool), np.zeros((3, 4), bool), (1, 1), "one grid"),
        (np.zeros((3, 3), int), np.zeros((3, 3), bool), (1, 1), "a mask is boolean"),
        (np.zeros(3, bool), np.zeros(3, bool), (1,), "two or three"),
        (np.zeros((3, 3), bool), np.zeros((3, 3), bool), (1, 1, 1), "positive number of mm"),
        (np.zeros((3, 3), bool), np.zeros((3, 3), bool), (1, 0), "positive number of mm"),
    ],
)
def test_what_cannot_be_compared_is_refused(one: Any, other: Any, spacing: Any, words: str) -> None:
    with pytest.raises(Refused, match=words):
        surfaces(one, other, spacing)
    with pytest.raises(Refused, match="percentile"):
        surfaces(voxel((3, 3), (1, 1)), voxel((3, 3), (1, 1)), (1, 1)).hausdorff(0)


def test_far_and_near_places_of_one_outline_are_exact() -> None:
    """Beyond the rows that are looked at one by one the transform of layers answers: both as all pairs say."""
    rng = np.random.default_rng(0)
    one, other = np.zeros((14, 60, 40), bool), np.zeros((14, 60, 40), bool)
    one[3:9, 4:12, 5:11] = other[3:9, 5:13, 4:10] = True
    other[4:7, 40:50, 25:33] |= rng.random((3, 10, 8)) < 0.8  # an island that only one of them has
    for spacing in ((1.0, 1.0, 1.0), (4.0, 0.6, 1.3)):
        found = surfaces(one, other, spacing)
        cells = [_cells(m) * spacing for m in (one, other)]
        every = np.sqrt(((cells[0][:, None] - cells[1][None]) ** 2).sum(-1))
        assert found.there == pytest.approx(np.sort(every.min(1)), abs=1e-9)
        assert found.back == pytest.approx(np.sort(every.min(0)), abs=1e-9) and found.back.max() > 15


def _cells(mask: np.ndarray) -> np.ndarray:
    """Cells of 2 x 2 x 2 voxels that are partly filled."""
    whole = np.pad(mask, 1).astype(int)
    corners = [slice(0, -1), slice(1, None)]
    filled = sum(whole[a, b, c] for a in corners for b in corners for c in corners)
    return np.argwhere((filled > 0) & (filled < 8))
