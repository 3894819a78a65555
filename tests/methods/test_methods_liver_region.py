"""A region of the liver that holds more than liver is none, however the parts lie to one another."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.liver_region import without_vessels


@pytest.mark.parametrize("part", [0.45, 0.5, 0.52, 0.54, 0.56, 0.6])
def test_half_liver_half_fat_is_refused(part: float) -> None:
    """Where the middle value lay between the two all of it was liver: a PDFF of 62 % for 15."""
    row, column = np.indices((40, 40))
    region = ((row - 20) ** 2 + (column - 20) ** 2 < 15.0**2)[None]
    fat = np.where(row[None] < np.quantile(row[region[0]], part), 94.0, 15.0)
    with pytest.raises(Refused, match="it holds more than liver"):
        without_vessels(region, fat, np.full(fat.shape, 35.0))


def test_a_fatty_liver_that_varies_is_one() -> None:
    row, _ = np.indices((40, 40))
    region = np.ones((1, 40, 40), bool)
    uneven = (40.0 + 0.5 * (row - 20))[None]  # 30 to 50 %
    kept, share = without_vessels(region, uneven, np.full(uneven.shape, 35.0))
    assert share == 0.0 and kept.all()
