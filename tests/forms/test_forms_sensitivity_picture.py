"""The picture beside its map, in the colours of the numbers; another grid and values below zero are refused."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from isocenter.errors import Refused
from isocenter.forms.colours import inferno
from isocenter.forms.sensitivity_picture import over_picture


def test_the_picture_stays_as_it_is_and_gives_way_where_the_map_is_high() -> None:
    values = np.zeros((28, 20))
    values[4, 5] = 2.0
    for picture in (np.full((28, 20), 77, np.uint8), np.full((28, 20, 3), (10, 90, 200), np.uint8)):
        page = np.asarray(Image.open(io.BytesIO(over_picture(picture, values, ["where it was sensitive"]))))
        at = 12 + 4 * 10 + 5, 12 + 5 * 10 + 5
        plain = np.broadcast_to(picture[4, 5], 3)
        assert (page[at] == plain).all() and (page[12 + 5, 12 + 5] == np.broadcast_to(picture[0, 0], 3)).all()
        beside = at[0], at[1] + 200 + 12
        expected = np.round(0.3 * plain.astype(float) + 0.7 * inferno(np.array(1.0)))
        assert (page[beside] == expected).all() and (page[17, 17 + 212] == plain).all()
        assert (page[280 + 24 :] < 128).any(), "words stand below"


def test_other_grids_and_values_are_refused() -> None:
    picture = np.zeros((8, 8), np.uint8)
    for bad in (np.zeros((8, 9)), np.full((8, 8), np.nan), np.full((8, 8), -1.0)):
        with pytest.raises(Refused):
            over_picture(picture, bad, [])
