"""Configurations A to E by their single settings: what the manual's table says makes the same as their names."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from isocenter.errors import Refused
from isocenter.methods.radiomics import CONFIGURATIONS, changed, extract

_SLICES: dict[str, Any] = {"by_slice": True, "within": (-500.0, 400.0), "merges": ("2D", "2_5D")}
_SETTINGS: dict[str, dict[str, Any]] = {
    "A": {**_SLICES, "bin_width": 25.0},
    "B": {**_SLICES, "spacing_mm": 2.0, "interpolation": "linear", "bins": 32},
    "C": {"spacing_mm": 2.0, "interpolation": "linear", "within": (-1000.0, 400.0), "bin_width": 25.0,
          "ivh_width": 2.5},
    "D": {"spacing_mm": 2.0, "interpolation": "linear", "outliers_sd": 3.0, "bins": 32},
    "E": {
        "spacing_mm": 2.0, "interpolation": "cubic", "within": (-1000.0, 400.0), "outliers_sd": 3.0, "bins": 32,
        "ivh_bins": 1000,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", _SETTINGS)
def test_a_configuration_of_ibsi_by_its_settings(name: str) -> None:
    settings = {"merges": ("3D",), **_SETTINGS[name]}
    made = changed(CONFIGURATIONS["digital phantom"], **settings)
    assert replace(made, name=name) == CONFIGURATIONS[name]
    said = made.name.removeprefix("digital phantom with ")
    assert ("bins of 2.5 of the intensity-volume histogram" in said) == (name == "C")
    assert ("1000 bins of the intensity-volume histogram" in said) == (name == "E")


def test_both_kinds_of_bins_are_refused() -> None:
    for given in ({"bin_width": 25.0, "bins": 32}, {"ivh_width": 2.5, "ivh_bins": 1000}):
        with pytest.raises(Refused, match="one of them divides the range"):
            changed(CONFIGURATIONS["C"], **given)


@pytest.fixture(scope="module")
def lump() -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """HU of a lump with a ramp, noise, air and metal in it, on voxels of CT."""
    shape, spacing = (12, 30, 33), (3.0, 0.9765625, 0.9765625)
    place = np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))
    away = np.linalg.norm(place - np.reshape([16.0, 14.0, 15.0], (3, 1, 1, 1)), axis=0)
    image = np.where(away < 10.0, 8.0 * place[1] - 60.0, -870.0) + np.random.default_rng(6).normal(0.0, 40.0, shape)
    image[4:6, 12:17, 12:17], image[7, 13:16, 9:13] = -1020.0, 2900.0
    return np.rint(image), away < 11.0, spacing


@pytest.mark.parametrize("name", _SETTINGS)
def test_each_step_by_the_manual_written_out_again(name: str, lump: tuple) -> None:
    """Interpolation by scipy on an aligned grid, the rest voxel by voxel in the words of the manual (2.4 to 3.5)."""
    image, mask, spacing = lump
    x, inside = _interpolated(name, image, mask, spacing)
    low, high = {"A": (-500, 400), "B": (-500, 400), "C": (-1000, 400), "E": (-1000, 400)}.get(name, (-9e9, 9e9))
    whole = x[inside]
    kept = [v for v in whole if low <= v <= high]
    if name in "DE":
        mean, sd = whole.mean(), whole.std()
        kept = [v for v in kept if mean - 3 * sd <= v <= mean + 3 * sd]
    assert len(kept) < len(whole)
    if name in "AC":
        levels = [int((v - low) // 25) + 1 for v in kept]
    else:
        levels = _number(kept, 32)
    found = extract(image, mask, spacing, name, families=("stat", "ih", "ivh"))
    assert found["stat_mean"] == pytest.approx(np.mean(kept), rel=1e-9)
    assert found["stat_var"] == pytest.approx(np.var(kept), rel=1e-9)
    assert found["ih_mean"] == pytest.approx(np.mean(levels), rel=1e-12) and found["ih_max"] == max(levels)
    shares = np.bincount(levels) / len(levels)
    assert found["ih_uniformity"] == pytest.approx((shares**2).sum(), rel=1e-12)
    if name == "C":  # centres of bins of 2.5 HU from -1000 to 400
        at, every = [-1000 + ((v + 1000) // 2.5 + 0.5) * 2.5 for v in kept], [-998.75 + 2.5 * n for n in range(560)]
    elif name == "E":
        at, every = _number(kept, 1000), range(1, 1001)
    elif name == "D":
        at, every = kept, np.arange(min(kept), max(kept) + 1)
    else:
        at, every = kept, range(-500, 401)
    wanted = _volume_histogram(at, list(every))
    assert {k: v for k, v in found.items() if k.startswith("ivh")} == pytest.approx(wanted, rel=1e-9)


def _interpolated(
    name: str, image: np.ndarray, mask: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[np.ndarray, np.ndarray]:
    if name == "A":
        return image, mask
    axes = []
    for count, old, new in zip(image.shape, spacing, (spacing[0] if name == "B" else 2.0, 2.0, 2.0), strict=True):
        more = math.ceil(count * old / new - 1e-9)
        axes.append([(count - 1) / 2 + (n - (more - 1) / 2) * new / old for n in range(more)])
    at = np.meshgrid(*axes, indexing="ij")
    order = 3 if name == "E" else 1
    values = map_coordinates(image.astype(float), at, order=order, mode="nearest")
    inside = map_coordinates(mask.astype(float), at, order=1, mode="constant") >= 0.5 - 1e-6
    return np.rint(values), inside


def _number(values: list[float], bins: int) -> list[int]:
    low, high = min(values), max(values)
    return [min(int(bins * (v - low) / (high - low)) + 1, bins) for v in values]


def _volume_histogram(at: list[float], every: list[float]) -> dict[str, float]:
    least, most = every[0], every[-1]

    def volume(intensity: float) -> float:
        return sum(v >= intensity - 1e-9 for v in at) / len(at)

    def share(part: float) -> float:
        return volume(next(g for g in every if (g - least) / (most - least) >= part - 1e-12))

    def intensity(part: float) -> float:
        return next(g for g in every if volume(g) <= part + 1e-12)

    found = {"v10": share(0.1), "v90": share(0.9), "i10": intensity(0.1), "i90": intensity(0.9)}
    found |= {"diff_v10_v90": found["v10"] - found["v90"], "diff_i10_i90": found["i10"] - found["i90"]}
    return {f"ivh_{name}": value for name, value in found.items()}
