"""Iron from R2* by published lines, each with its field strength and its reach."""

import pytest

from isocenter.errors import Refused
from isocenter.methods.fat_spectrum import t1_bias_points
from isocenter.methods.liver_iron import CALIBRATIONS, calibrations_at, iron_grade, iron_mg_g


@pytest.mark.parametrize(
    ("name", "field", "r2_star", "iron"),
    [
        ("hernando_2023", 1.5, 200.0, 5.046),
        ("wood_2005", 1.5, 200.0, 5.282),
        ("garbowski_2014", 1.5, 100.0, 0.0290 * 100**1.014),
        ("hernando_2023", 1.5, 0.0, 0.0),
    ],
)
def test_the_published_lines(name: str, field: float, r2_star: float, iron: float) -> None:
    assert iron_mg_g(r2_star, field, name) == pytest.approx(iron, abs=1e-9)


def test_lines_of_another_field_or_beyond_their_reach() -> None:
    with pytest.raises(Refused, match=r"made at 1\.5 T"):
        iron_mg_g(100.0, 3.0, "wood_2005")
    with pytest.raises(Refused, match="reaches to"):
        iron_mg_g(5000.0, 1.5, "hernando_2023")
    with pytest.raises(Refused, match="calibration 'mine'"):
        iron_mg_g(100.0, 1.5, "mine")
    assert not calibrations_at(0.55)
    # The slope at 3 T is about half of that at 1.5 T, because R2* is about twice as large.
    assert 0.45 < CALIBRATIONS["hernando_2023_3t"].iron(1000) / CALIBRATIONS["hernando_2023"].iron(1000) < 0.6


def test_grades_and_t1() -> None:
    assert [iron_grade(v) for v in (1.8, 2.0, 4.0, 8.0, 20.0)] == ["normal", "slight", "mild", "moderate", "severe"]
    assert t1_bias_points(10.0, 20.0, 1.5) > 4 > 0.4 > t1_bias_points(15.0, 3.0, 1.5)
