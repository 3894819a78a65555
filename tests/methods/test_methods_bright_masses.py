"""Clips, calcium and lesions beside planted vessels are told from them; vessels, thin or wide, are left alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from isocenter.methods.bright_masses import masses
from isocenter.methods.vessel_calibre import standing_out

CUBES = (1.0, 1.0, 1.0)
SHAPE = (60, 80, 80)
AT = np.stack(np.meshgrid(*(np.arange(n) - n / 2.0 for n in SHAPE), indexing="ij"), axis=-1)
INSIDE = np.linalg.norm(AT / np.array([27.0, 37.0, 37.0]), axis=-1) <= 1.0


def ball(at: tuple[float, float, float], radius: float) -> np.ndarray:
    return np.asarray(np.linalg.norm(AT - at, axis=-1) <= radius)


def vessel(start: tuple[float, float, float], end: tuple[float, float, float], radius: float) -> np.ndarray:
    way = np.subtract(end, start)
    share = np.clip((AT - start) @ way / (way @ way), 0.0, 1.0)
    return np.asarray(np.linalg.norm(AT - start - share[..., None] * way, axis=-1) <= radius)


FORK = (
    vessel((0, -30, 0), (0, 0, 0), 4.0) | vessel((0, 0, 0), (10, 25, 15), 3.0) | vessel((0, 0, 0), (-8, 20, -20), 2.0)
)


def scan(noise: float, *parts: tuple[np.ndarray, float]) -> np.ndarray:
    image = np.full(SHAPE, 100.0)
    for where, above in parts:
        image = np.where(where, 100.0 + above, image)
    return ndimage.gaussian_filter(image, 0.7) + np.random.default_rng(3).normal(0.0, noise, SHAPE)


def by_turns(cases: Sequence[tuple[float, ...]], noises: Sequence[float]) -> list[Any]:
    """Every case with every noise; by day each case with every second one, so that each noise is seen."""
    return [
        pytest.param(*case, noise, marks=pytest.mark.nightly if (n + k) % 2 else ())
        for n, case in enumerate(cases)
        for k, noise in enumerate(noises)
    ]


@pytest.mark.parametrize(
    ("radius", "above", "noise"), by_turns([(3.0, 500.0), (2.0, 1900.0), (3.0, 300.0)], [0.0, 10.0])
)
def test_a_clip_is_left_out_and_the_vessels_beside_it_are_not(noise: float, radius: float, above: float) -> None:
    clip = ball((10, -18, 12), radius)
    found = masses(scan(noise, (FORK, 80.0), (clip, above)), INSIDE, CUBES, widest_mm=6.0)
    assert found.both[clip].all() and not found.both[FORK].any()
    assert found.ground == pytest.approx(100.0, abs=1.0)


def test_metal_is_left_out_however_long_it_is() -> None:
    coil = vessel((-12, -15, 10), (-12, 15, 10), 3.0)
    found = masses(scan(10.0, (FORK, 80.0), (coil, 1500.0)), INSIDE, CUBES, widest_mm=6.0, never=600.0)
    assert found.too_bright[coil].all() and not found.too_bright[FORK].any()


@pytest.mark.parametrize(("radius", "above"), [(5.0, 80.0), (9.0, 60.0), (12.0, 60.0)])
def test_a_lesion_with_contrast_is_left_out(radius: float, above: float) -> None:
    lesion = ball((8, -10, 22), radius)
    found = masses(scan(8.0, (FORK, 80.0), (lesion & INSIDE, above)), INSIDE, CUBES, widest_mm=6.0)
    assert (
        found.too_broad[lesion & INSIDE].mean() > 0.99 and not found.both[FORK & ~ndimage.binary_dilation(lesion)].any()
    )


@pytest.mark.parametrize(
    ("half", "radius", "noise"),
    by_turns([(12.0, 1.5), (20.0, 1.5), (11.0, 2.0), (25.0, 6.0)], [0.0, 8.0, 15.0]),
)
def test_one_vessel_alone_is_a_vessel(noise: float, half: float, radius: float) -> None:
    alone = vessel((0, -half, -6), (0, half, 4), radius)
    assert not masses(scan(noise, (alone, 80.0)), INSIDE, CUBES, widest_mm=6.0).both[alone].any()


def test_where_wide_vessels_join_is_no_lesion() -> None:
    joined = np.logical_or.reduce([vessel((0, 0, 0), end, 6.0) for end in ((0, -30, 0), (8, 22, 20), (-8, 22, -20))])
    assert not masses(scan(8.0, (joined, 80.0)), INSIDE, CUBES, widest_mm=6.0).both[joined].any()


@pytest.mark.parametrize("noise", [pytest.param(0.0, marks=pytest.mark.nightly), 8.0])
def test_a_liver_that_is_brighter_near_a_coil_has_no_masses(noise: float) -> None:
    at = np.stack(np.meshgrid(*(np.arange(n) - n / 2.0 for n in (92, 106, 126)), indexing="ij"), axis=-1)
    liver = np.linalg.norm(at / np.array([45.0, 52.0, 62.0]), axis=-1) <= 1.0
    away = np.linalg.norm(at[..., :2] - np.array([0.0, 10.0]), axis=-1)
    coil = 1.0 + np.exp(-((at - np.array([20.0, 50.0, 0.0])) ** 2).sum(axis=-1) / (2 * 25.0**2))
    image = ndimage.gaussian_filter(np.where(away <= 3.0, 320.0, 200.0), 0.7) * coil
    image = image + np.random.default_rng(3).normal(0.0, noise, at.shape[:3])
    assert not masses(image, liver, CUBES, widest_mm=6.0).both.any()


@pytest.mark.parametrize("noise", [0.0, pytest.param(5.0, marks=pytest.mark.nightly), 20.0])
def test_noise_has_no_masses(noise: float) -> None:
    assert masses(scan(noise), INSIDE, CUBES, widest_mm=6.0).both.sum() <= 0.001 * INSIDE.sum()


def test_what_stands_out_no_further_than_noise_is_no_vessel() -> None:
    image = scan(10.0, (FORK, 80.0))
    calm = ndimage.gaussian_filter(np.random.default_rng(3).normal(0.0, 10.0, SHAPE), 1.0)
    away = ndimage.distance_transform_edt(~FORK) > 6
    lumps, _ = ndimage.label(away & INSIDE & (calm > np.quantile(calm[INSIDE], 0.9)), np.ones((3, 3, 3)))
    lumps = (np.bincount(lumps.ravel()) >= 100)[lumps] & (lumps > 0)  # smaller ones never come so far
    assert lumps.sum() > 1000
    kept = standing_out(image, FORK | lumps, CUBES, inside=INSIDE)
    assert kept[FORK].all() and not kept[lumps].any()
    assert not standing_out(image, np.zeros(SHAPE, bool), CUBES, inside=INSIDE).any()
