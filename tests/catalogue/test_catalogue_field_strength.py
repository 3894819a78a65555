"""The field of a scanner, in the units and at the places that headers have."""

import pytest

from isocenter.catalogue.field_strength import field_tesla
from isocenter.errors import Refused

PROTON = 42.577478518  # MHz/T, CODATA 2018


@pytest.mark.parametrize(
    ("facts", "tesla", "words"),
    [
        ({"MagneticFieldStrength": 1.5}, 1.5, ""),
        ({"MagneticFieldStrength": 15000.0}, 1.5, "gauss"),
        ({"MagneticFieldStrength": 30000}, 3.0, "gauss"),
        ({"MagneticFieldStrength": 3.0, "ImagingFrequency": 123.175}, 123.175 / PROTON, "2.89 T"),
        ({"MagneticFieldStrength": 1.5, "ImagingFrequency": 63.86}, 1.5, ""),
        ({"ImagingFrequency": 63_860_000.0}, 1.5, "no Magnetic Field Strength"),
        ({"MagneticFieldStrength": 3.0, "ImagingFrequency": 32.12, "ImagedNucleus": "13C"}, 3.0, ""),
        ({"MagneticFieldStrength": 3.0, "ImagingFrequency": 0.0}, 3.0, ""),
    ],
)
def test_the_field_in_tesla(facts: dict[str, float | str], tesla: float, words: str) -> None:
    said: list[str] = []
    assert field_tesla(facts, said) == pytest.approx(tesla, rel=2e-4)
    assert bool(said) is bool(words) and all(words in one for one in said)


def test_no_field_and_two_fields_are_refused_and_the_callers_goes_first() -> None:
    with pytest.raises(Refused, match="no Magnetic Field Strength"):
        field_tesla({"MagneticFieldStrength": "?", "ImagingFrequency": 3.0}, [])
    both = {"MagneticFieldStrength": 3.0, "ImagingFrequency": 63.68}
    with pytest.raises(Refused, match=r"of 3 T, where the Imaging Frequency of 63\.68 is that of 1\.5 T"):
        field_tesla(both, [])
    assert field_tesla(both, [], given=1.5) == 1.5
