"""What is left of a region."""

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.resegmentation import resegmented

IMAGE = np.array([[[-1000.0, 0.0, 10.0, 20.0, 400.0, 3000.0]]])
ALL = np.ones(IMAGE.shape, bool)


def test_both_ends_of_a_range_are_kept() -> None:
    assert resegmented(IMAGE, ALL, within=(0.0, 400.0)).tolist() == [[[False, True, True, True, True, False]]]


def test_outliers_are_those_of_the_whole_region() -> None:
    image = np.concatenate([np.zeros(99), [1000.0]]).reshape(1, 1, -1)
    kept = resegmented(image, np.ones(image.shape, bool), outliers_sd=3.0)
    assert kept.sum() == 99 and not kept[0, 0, -1]
    both = resegmented(IMAGE, ALL, within=(-1000.0, 400.0), outliers_sd=1.0)
    x = IMAGE.ravel()
    assert (both.ravel() == (x <= 400.0) & (abs(x - x.mean()) <= x.std())).all()


def test_refusals() -> None:
    with pytest.raises(Refused, match="its intensities run from -1000 to 3000"):
        resegmented(IMAGE, ALL, within=(5000.0, 6000.0))
    with pytest.raises(Refused, match="without voxels"):
        resegmented(IMAGE, ~ALL)
    with pytest.raises(Refused, match="not numbers"):
        resegmented(np.where(IMAGE == 0, np.nan, IMAGE), ALL)
