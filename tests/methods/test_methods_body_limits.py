"""Limits of muscle and fat as their papers print them, and whom each is for."""

import pytest

from isocenter.methods.body_limits import CUTOFFS, below


@pytest.mark.parametrize(
    ("study", "quantity", "sex", "bmi", "age", "limit"),
    [
        ("Prado 2008", "SMI", "M", None, None, 52.4),
        ("Prado 2008", "SMI", "F", None, None, 38.5),
        ("Martin 2013", "SMI", "M", 24.9, None, 43.0),
        ("Martin 2013", "SMI", "M", 25.0, None, 53.0),
        ("Martin 2013", "SMI", "F", 31.0, None, 41.0),
        ("Martin 2013", "SMRA", "M", 24.9, None, 41.0),
        ("Martin 2013", "SMRA", "F", 25.0, None, 33.0),
        ("Martin 2013", "SMI", "M", None, None, None),
        ("Derstine 2018", "SMA", "M", None, None, 144.3),
        ("Derstine 2018", "SMA", "F", None, None, 92.2),
        ("Derstine 2018", "SMI", "F", None, None, 34.4),
        ("Derstine 2018", "SMRA", "F", None, None, 34.3),
        ("van der Werf 2018", "SMI", "M", None, 65.0, 38.6),
        ("van der Werf 2018", "SMI", "F", None, 65.0, 30.7),
        ("van der Werf 2018", "SMI", "M", 22.0, 69.9, 36.1),
        ("van der Werf 2018", "SMI", "F", 30.0, 70.0, 29.5),
        ("van der Werf 2018", "SMA", "M", 19.9, 20.0, 131.4),
        ("van der Werf 2018", "SMI", "M", 22.0, None, None),
        ("van der Werf 2018", "SMI", "M", 22.0, 81.0, None),
        ("van der Werf 2018", "SMI", "M", 41.0, 65.0, None),
        ("Japan 2002", "VAT", "F", None, None, 100.0),
        ("Prado 2008", "SMI", "O", None, None, None),
    ],
)
def test_whom_a_limit_is_for(
    study: str, quantity: str, sex: str, bmi: float | None, age: float | None, limit: float | None
) -> None:
    found = below(study, quantity, 1.0, sex=sex, bmi=bmi, age=age)
    assert (None if found is None else found[1]) == limit


def test_the_predicted_percentile_of_men_falls_with_age_and_rises_with_weight() -> None:
    """Of women below 25 the paper's own hardly change with age."""
    held = [c for c in CUTOFFS if c.name == "van der Werf 2018"]
    assert len(held) == 2 * 6 * 5
    for quantity in ("SMI", "SMA"):
        for age in range(20, 80, 10):
            row = [c.male for c in held if c.quantity == quantity and c.age[0] == age and c.bmi is not None]
            assert row == sorted(row, key=float)
        for bmi in {c.bmi for c in held}:
            column = [c.male for c in held if c.quantity == quantity and c.bmi == bmi]
            assert column == sorted(column, key=float, reverse=True)
