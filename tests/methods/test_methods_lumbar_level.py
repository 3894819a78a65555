"""The third lumbar vertebra on trunks of other proportions, and what must be refused."""

from typing import Any

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.lumbar_level import Level, third_lumbar
from isocenter.testing.phantoms import trunk_ct


def found(**made: Any) -> tuple[Level, float]:
    """The level, and how far it lies from the planted one (mm)."""
    trunk, truth = trunk_ct.volume(**{"pixel_mm": 2.5, **made})
    level = third_lumbar(trunk.array, trunk.geometry.spacing_mm)
    height = trunk.geometry.origin_mm[2] + level.index * trunk.geometry.spacing_mm[0]
    return level, height - truth["middle_mm"]["L3"]


@pytest.mark.parametrize(
    "made",
    [
        {"size": 0.82, "wide": 0.85},
        {"size": 1.15, "wide": 1.25, "slice_mm": 3.0},
        {"contrast": True, "scoliosis_mm": 14.0},
        {"trabecular": 260.0, "lordosis_mm": 22.0, "noise": 30.0},
        {"show": (-60.0, 165.0)},  # without ribs
    ],
    ids=["small", "large", "contrast", "curved", "no ribs"],
)
def test_a_level_is_found_within_half_a_vertebra(made: dict[str, Any]) -> None:
    level, off = found(**made)
    assert abs(off) < 8.0 and level.certainty >= 0.75
    assert len(level.discs) >= 4 and level.discs[2] < level.index < level.discs[3]


@pytest.mark.parametrize(
    ("made", "why"),
    [
        ({"show": (60.0, 300.0)}, "no sacrum"),
        ({"show": (-60.0, 60.0)}, "discs above the sacrum"),
        ({"show": (-60.0, 0.0)}, "mm of the body"),
        ({"lumbar": 4}, "a last rib"),
        ({"lumbar": 6}, "a last rib"),
    ],
)
def test_what_does_not_show_it_or_contradicts_itself(made: dict[str, Any], why: str) -> None:
    with pytest.raises(Refused, match=why):
        found(**made)


def test_what_is_no_body() -> None:
    with pytest.raises(Refused, match="no body"):
        third_lumbar(np.full((40, 64, 64), -1000, np.int16), (5.0, 4.0, 4.0))
