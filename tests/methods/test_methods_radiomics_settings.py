"""Configurations A to E by their single settings: what the manual's table says makes the same as their names."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from isocenter.methods.radiomics import CONFIGURATIONS, changed

_SLICES: dict[str, Any] = {"by_slice": True, "within": (-500.0, 400.0), "merges": ("2D", "2_5D")}
_SETTINGS: dict[str, dict[str, Any]] = {
    "A": {**_SLICES, "bin_width": 25.0},
    "B": {**_SLICES, "spacing_mm": 2.0, "interpolation": "linear", "bins": 32},
    "C": {"spacing_mm": 2.0, "interpolation": "linear", "within": (-1000.0, 400.0), "bin_width": 25.0},
    "D": {"spacing_mm": 2.0, "interpolation": "linear", "outliers_sd": 3.0, "bins": 32},
    "E": {
        "spacing_mm": 2.0, "interpolation": "cubic", "within": (-1000.0, 400.0), "outliers_sd": 3.0, "bins": 32,
    },
}  # fmt: skip


@pytest.mark.parametrize("name", _SETTINGS)
def test_a_configuration_of_ibsi_by_its_settings(name: str) -> None:
    settings = {"merges": ("3D",), **_SETTINGS[name]}
    made = changed(CONFIGURATIONS["digital phantom"], **settings)
    named = CONFIGURATIONS[name]
    # The bins of the intensity-volume histogram have no parameter.
    assert replace(made, name=name, ivh_width=named.ivh_width, ivh_bins=named.ivh_bins) == named
