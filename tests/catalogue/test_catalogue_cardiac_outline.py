"""What was outlined must be a left ventricle, whole, cut across, of blood and muscle: each limit from both sides."""

import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from isocenter.catalogue.cardiac_outline import must_be_a_ventricle
from isocenter.errors import Refused
from isocenter.methods.short_axis import Turned

sys.path.insert(0, str(Path(__file__).parents[1] / "methods"))
from painted_ventricle import placed

SIDE, MM, SLICES = 128, 1.5, 8
LINE = (np.arange(SIDE) - (SIDE - 1) / 2) * MM


def said(
    *, lean: float = 0.0, longer: float = 1.0, bright: float = 0.0, below: float = 0.0, empty: bool = False,
    accept: bool = False,
) -> list[str]:  # fmt: skip
    """What is said of a ventricle of blood (1) and muscle (0.4) in a chest of 0.2.

    Args:
        lean: of the line through its middles, degrees; longer: than wide; bright: part of the muscle as bright as
            blood; below: the middle, where it lies (mm); empty: whether the lowest 30 mm are.
    """
    cavity, muscle = np.zeros((2, SLICES, SIDE, SIDE), bool)
    picture = np.full((1, SLICES, SIDE, SIDE), 0.2, np.float32)
    picture += np.random.default_rng(0).normal(0, 0.01, picture.shape).astype(np.float32)
    for k in range(SLICES):
        y = LINE[:, None] - below
        x = LINE[None, :] - np.tan(np.deg2rad(lean)) * 10.0 * (k - (SLICES - 1) / 2)
        cavity[k] = np.hypot(x / longer, y) < 16
        muscle[k] = (np.hypot(x / (16 * longer + 9), y / 25) < 1) & ~cavity[k]
        angle = np.arctan2(y, x) / (2 * np.pi) % 1.0
        picture[0, k][muscle[k]] = np.where(angle < bright, 1.0, 0.4)[muscle[k]]
        picture[0, k][cavity[k]] = 1.0
    if empty:
        picture[..., -20:, :] = 0.0
    turn = Turned(picture, placed((SLICES, SIDE, SIDE), (10.0, MM, MM)), (0, 1, 2), (False, False, False))
    found: Any = SimpleNamespace(ed=0, cavity={"ed": cavity}, muscle={"ed": muscle}, slices={"ed": range(SLICES)})
    return must_be_a_ventricle(turn, found, accept)


@pytest.mark.parametrize(
    "right",
    [{}, {"lean": 25.0}, {"longer": 1.6}, {"bright": 0.15}, {"below": 65.0}, {"below": 35.0, "empty": True}],
    ids=str,
)
def test_right_ones_pass(right: dict[str, Any]) -> None:
    assert said(**right) == []


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"lean": 31.0}, "slices 59° to the long axis"),
        ({"longer": 1.9}, r"1\.9 times as long as wide"),
        ({"bright": 0.3}, "30 % is as bright as blood"),
        ({"below": 75.0}, "reaches the edge of the picture"),
        ({"below": 45.0, "empty": True}, "or of what is not empty in it"),
    ],
    ids=["lean", "long", "bright", "edge", "empty"],
)
def test_wrong_ones_are_refused(wrong: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        said(**wrong)


def test_leaning_slices_are_measured_where_that_is_wanted() -> None:
    (word,) = said(lean=31.0, accept=True)
    assert word.startswith("WARNING: slices 59° to the long axis")
