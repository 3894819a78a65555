"""What a column tells of groups of people, in the spellings in which tables of the wild hold it."""

from __future__ import annotations

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.divisions import division


def test_ages_in_every_spelling_are_in_the_band_that_they_are_in() -> None:
    young = ["17.9", "17,9", "006M", "3 months", "214 M", "010D", "52 weeks", " 17 "]
    old = ["80", "90+", ">89", "≥ 80", ">=90", "101Y", "83 years", "8e1"]
    assert set(division("age", young)) == {"0 to 17"} and set(division("Age [a]", old)) == {"80 and above"}
    unknown = ["", "NA", "n/a", "?", "nan", "-", "999", "-9", "none", "<NA>"]
    assert set(division("patient_age", [*unknown, "40"])) == {"unknown", "40 to 64"}
    assert division("age", ["40-49", "50-59"]).tolist() == ["40-49", "50-59"], "bands already"
    assert division("age", np.array(["18 to 39", "unknown"])).tolist() == ["18 to 39", "unknown"], "once more the same"


def test_ages_among_which_one_is_none_are_refused() -> None:
    for odd in ("65+", "old", "40-49", "4 decades"):
        with pytest.raises(Refused, match="it is no age"):
            division("age", ["40", odd])
    with pytest.raises(Refused, match="below 0"):
        division("age", ["40", "-3"])
    assert division("site", ["65+", "-3"]).tolist() == ["65+", "-3"], "of another column they are words"
