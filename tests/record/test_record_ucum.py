"""Units of one quantity are brought to each other exactly, and no other ones at all."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from isocenter.record.ucum import converted

LENGTHS, VOLUMES = ("nm", "um", "mm", "cm", "m", "km"), ("mm3", "cm3", "uL", "mL", "dL", "L", "m3")


@given(st.floats(-1e6, 1e6), st.sampled_from([LENGTHS, VOLUMES, ("s", "min", "h", "d"), ("1", "%")]), st.data())
def test_there_and_back_is_the_same(value: float, units: tuple[str, ...], data: st.DataObject) -> None:
    one, other = data.draw(st.sampled_from(units)), data.draw(st.sampled_from(units))
    there = converted(value, one, other)
    assert there is not None and converted(there, other, one) == pytest.approx(value, rel=1e-12, abs=1e-300)


@pytest.mark.parametrize(
    ("value", "unit", "wanted", "there"),
    [(1.5, "mL", "mm3", 1500.0), (0.2, "/min", "/s", 0.2 / 60), (3.0, "cm2/m2", "mm2/cm2", 0.03),
     (60.0, "Hz", "/min", 3600.0), (12.0, "g/L", "mg/mL", 12.0), (7.0, "{score}", "{score}", 7.0),
     (5.0, "%", "1", 0.05)],
)  # fmt: skip
def test_known_ones(value: float, unit: str, wanted: str, there: float) -> None:
    assert converted(value, unit, wanted) == pytest.approx(there, rel=1e-12)


@pytest.mark.parametrize(
    ("unit", "wanted"),
    [("mm", "mm2"), ("{score}", "1"), ("[hnsf'U]", "1"), ("kPa", "Pa"), ("", "1"), ("mm", ""), ("mm999999999", "mm"),
     ("mm^2", "mm2"), ("Cel", "K")],
)  # fmt: skip
def test_what_is_of_no_quantity_known_here_is_not_converted(unit: str, wanted: str) -> None:
    assert converted(1.0, unit, wanted) is None
