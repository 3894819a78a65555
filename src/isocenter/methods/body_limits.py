"""Published limits of muscle and fat on CT, by the name of their study, and which of them fits a person.

A limit holds for the people in whom it was found; how many are called low depends on which one is taken.

Sources: Prado, Lancet Oncol 9 (2008) 629; Martin, J Clin Oncol 31 (2013) 1539; Derstine, Sci Rep 8 (2018) 11369; van
der Werf, Eur J Clin Nutr 72 (2018) 288, table 3; Examination Committee of Criteria for Obesity Disease in Japan, Circ J
66 (2002) 987.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

__all__ = ["CUTOFFS", "Cutoff", "below"]

_ANY = (0.0, 999.0)


@dataclass(frozen=True)
class Cutoff:
    """A published limit below (or above) which a value is called low (or high).

    Args:
        name: of the study.
        population: in whom it was found.
        quantity: ``"SMI"`` (cm2/m2), ``"SMRA"`` (HU), ``"SMA"`` or ``"VAT"`` (cm2).
        male, female: the limit; None where none was given.
        bmi: kg/m2 from and below which it holds; None where it is for a person whose BMI is not known.
        high: whether a value above it is the finding.
        age: years from and below which it holds.
    """

    name: str
    population: str
    quantity: str
    male: float | None
    female: float | None
    bmi: tuple[float, float] | None = _ANY
    high: bool = False
    age: tuple[float, float] = _ANY

    def holds(self, bmi: float | None, age: float | None) -> bool:
        """Whether it is for such a person; what depends on something that is not known is not."""
        if self.age != _ANY and (age is None or not self.age[0] <= age < self.age[1]):
            return False
        if self.bmi is None or self.bmi == _ANY:
            return self.bmi is not None or bmi is None
        return bmi is not None and self.bmi[0] <= bmi < self.bmi[1]


# Rows: 20 to 29 years, ..., 70 to 79. Columns: every BMI, 17 to 20, 20 to 25, 25 to 30, 30 to 35; men, then women.
_WERF_BMI = (None, (17.0, 20.0), (20.0, 25.0), (25.0, 30.0), (30.0, 35.0))
_WERF: Mapping[str, tuple[tuple[float, ...], ...]] = {
    "SMI": (
        (44.9, 37.4, 42.5, 48.7, 54.8, 36.7, 28.5, 33.7, 39.6, 45.1),
        (43.4, 35.9, 41.0, 47.2, 53.3, 35.3, 28.7, 32.8, 37.6, 42.2),
        (41.8, 34.3, 39.4, 45.6, 51.7, 33.9, 28.8, 31.8, 35.6, 39.2),
        (40.2, 32.7, 37.7, 43.9, 50.0, 32.3, 28.7, 30.9, 33.5, 36.1),
        (38.6, 31.0, 36.1, 42.3, 48.4, 30.7, 28.5, 29.9, 31.4, 32.9),
        (36.9, 29.3, 34.4, 40.6, 46.7, 28.9, 28.2, 28.8, 29.3, 29.5),
    ),
    "SMA": (
        (153.0, 131.4, 145.4, 162.6, 179.3, 111.2, 88.2, 102.7, 119.4, 134.7),
        (146.1, 124.3, 138.3, 155.5, 172.2, 104.9, 86.8, 97.9, 111.2, 123.7),
        (139.0, 117.1, 131.2, 148.3, 165.0, 98.3, 85.1, 93.1, 102.9, 112.3),
        (131.8, 109.8, 123.8, 141.0, 157.7, 91.5, 83.0, 88.2, 94.4, 100.6),
        (124.5, 102.3, 116.4, 133.6, 150.3, 84.5, 80.7, 83.1, 85.9, 88.4),
        (116.9, 94.8, 108.8, 126.0, 142.7, 77.3, 78.0, 78.0, 77.3, 75.9),
    ),
}


def _werf() -> tuple[Cutoff, ...]:
    """The predicted 5th percentile for age and BMI; the muscle's attenuation is left out."""
    made = []
    for quantity, rows in _WERF.items():
        for decade, row in enumerate(rows):
            years = (20.0 + 10 * decade, 30.0 + 10 * decade)
            for column, bmi in enumerate(_WERF_BMI):
                like = "any BMI" if bmi is None else f"BMI {bmi[0]:g} to {bmi[1]:g}"
                people = f"healthy Caucasian adults, 5th percentile, {years[0]:g} to {years[1] - 1:g} years, {like}"
                man, woman = row[column], row[column + len(_WERF_BMI)]
                made.append(Cutoff("van der Werf 2018", people, quantity, man, woman, bmi, age=years))
    return tuple(made)


CUTOFFS: tuple[Cutoff, ...] = (
    Cutoff("Prado 2008", "obese patients with cancer, Canada", "SMI", 52.4, 38.5),
    Cutoff("Martin 2013", "patients with cancer, Canada, BMI below 25", "SMI", 43.0, 41.0, (0.0, 25.0)),
    Cutoff("Martin 2013", "patients with cancer, Canada, BMI from 25", "SMI", 53.0, 41.0, (25.0, 999.0)),
    Cutoff("Martin 2013", "patients with cancer, Canada, BMI below 25", "SMRA", 41.0, 41.0, (0.0, 25.0)),
    Cutoff("Martin 2013", "patients with cancer, Canada, BMI from 25", "SMRA", 33.0, 33.0, (25.0, 999.0)),
    Cutoff("Derstine 2018", "healthy adults, USA, mean - 2 SD", "SMI", 45.4, 34.4),
    Cutoff("Derstine 2018", "healthy adults, USA, mean - 2 SD", "SMA", 144.3, 92.2),
    Cutoff("Derstine 2018", "healthy adults, USA, mean - 2 SD", "SMRA", 38.5, 34.3),
    *_werf(),
    Cutoff("Japan 2002", "adults, Japan", "VAT", 100.0, 100.0, high=True),
)
"""Every cut-off that is known here."""


def below(
    study: str, quantity: str, value: float, *, sex: str, bmi: float | None, age: float | None = None
) -> tuple[Cutoff, float, bool] | None:
    """The cut-off of a study that fits a person, its limit, and whether the value is on the wrong side of it.

    Args:
        sex: ``"M"`` or ``"F"``.
        bmi: kg/m2; None where it is not known, which leaves out cut-offs that depend on it.
        age: years; None where it is not known, which leaves out cut-offs that depend on it.

    >>> below("Prado 2008", "SMI", 50.0, sex="M", bmi=None)[1:]
    (52.4, True)
    >>> below("van der Werf 2018", "SMI", 40.0, sex="M", bmi=27.0, age=63)[1:]
    (42.3, True)
    """
    for one in CUTOFFS:
        if (one.name, one.quantity) != (study, quantity) or not one.holds(bmi, age):
            continue
        limit = {"M": one.male, "F": one.female}.get(sex)
        if limit is not None:
            return one, limit, value > limit if one.high else value < limit
    return None
