"""Rows of the reference data of the OSIPI code collection, and their tolerances at the commit of the data."""

import csv
from pathlib import Path

import numpy as np
import pytest

TOLERANCES = {
    "ktrans": (0.005, 0.10),
    "ps": (0.005, 0.10),
    "ve": (0.05, 0.0),
    "vp": (0.025, 0.0),
    "fp": (5.0, 0.10),
    "delay_s": (1.0, 0.0),
}
"""Parameter -> (absolute, share of the truth)."""


def rows(reference: Path, name: str) -> list[dict[str, str]]:
    """The rows of one file; skips where it is absent."""
    file = reference / "osipi-dce-dsc" / "test" / f"{name}.csv"
    if not file.is_file():
        pytest.skip("the OSIPI data are not among the reference data")
    csv.field_size_limit(10**8)
    with file.open(encoding="utf-8-sig") as held:
        return [{k.strip(): v for k, v in row.items()} for row in csv.DictReader(held)]


def numbers(text: str) -> np.ndarray:
    return np.array(text.split(), dtype=np.float64)
