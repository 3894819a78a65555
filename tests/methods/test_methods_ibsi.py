"""The table of features."""

import pytest

from isocenter.errors import Refused
from isocenter.methods.ibsi import FEATURES, MERGES, feature


def test_codes_are_permanent_and_of_one_feature_each() -> None:
    codes = [f.code for f in FEATURES.values()]
    assert len(codes) == len(set(codes)) and all(len(c) == 4 and c.isalnum() and c == c.upper() for c in codes)
    names = [f.name for f in FEATURES.values()]
    assert len(names) == len(set(names))  # a name alone says which one is meant


def test_a_tag_names_its_strategy() -> None:
    assert feature("stat_mean").strategy == ""
    assert feature("rlm_sre_2_5D_avg").strategy == "slices merged by direction, averaged (JJUI)"
    assert feature("szm_sze_2D").strategy == "by slice, averaged (8QNN)"
    assert {feature(f"ngl_lde{m}").code for m in MERGES if "_a" not in m and "_c" not in m} == {"SODN"}
    with pytest.raises(Refused, match="no feature 'cm_cosiness_3D_avg'"):
        feature("cm_cosiness_3D_avg")
