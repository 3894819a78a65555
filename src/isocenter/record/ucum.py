"""From one UCUM unit to another of the same quantity, where that is exact: a length to a length, a share to percent.

Units with a brace, a bracket or a power of their own kind (scores, Hounsfield units, SUV) are themselves alone.
"""

from __future__ import annotations

import re
from fractions import Fraction

__all__ = ["converted"]

_Size = tuple[Fraction, tuple[int, int, int]]
"""How much of metres, grams and seconds, and the powers of the three."""

_TEN = Fraction(10)
_ATOMS: dict[str, _Size] = {
    **{f"{p}m": (_TEN**n, (1, 0, 0)) for p, n in (("n", -9), ("u", -6), ("m", -3), ("c", -2), ("", 0), ("k", 3))},
    **{f"{p}{liter}": (_TEN ** (n - 3), (3, 0, 0))
       for p, n in (("u", -6), ("m", -3), ("c", -2), ("d", -1), ("", 0)) for liter in "Ll"},
    **{f"{p}g": (_TEN**n, (0, 1, 0)) for p, n in (("u", -6), ("m", -3), ("", 0), ("k", 3))},
    **{f"{p}s": (_TEN**n, (0, 0, 1)) for p, n in (("u", -6), ("m", -3), ("", 0))},
    "min": (Fraction(60), (0, 0, 1)),
    "h": (Fraction(3600), (0, 0, 1)),
    "d": (Fraction(86400), (0, 0, 1)),
    "Hz": (Fraction(1), (0, 0, -1)),
    "1": (Fraction(1), (0, 0, 0)),
    "%": (Fraction(1, 100), (0, 0, 0)),
}  # fmt: skip
_TERM = re.compile(r"([A-Za-z%]+|1)(\d?)")


def converted(value: float, unit: str, wanted: str) -> float | None:
    """A value in another unit; None where the two are not of one quantity, or one of them is not known.

    >>> converted(2.5, "mL", "mm3"), converted(0.25, "1", "%"), converted(90.0, "/min", "1/s")
    (2500.0, 25.0, 1.5)
    >>> converted(3.0, "mm", "mm2"), converted(3.0, "{score}", "1"), converted(3.0, "{score}", "{score}")
    (None, None, 3.0)
    """
    if unit == wanted:
        return value
    of, to = _size(unit), _size(wanted)
    if of is None or to is None or of[1] != to[1]:
        return None
    return float(Fraction(value) * of[0] / to[0])


def _size(unit: str) -> _Size | None:
    much, powers = Fraction(1), [0, 0, 0]
    for k, side in enumerate(unit.split("/")):
        sign = -1 if k else 1
        for term in side.split(".") if side else ():
            found = _TERM.fullmatch(term)
            known = _ATOMS.get(found[1]) if found else None
            if found is None or known is None:
                return None
            times = sign * int(found[2] or 1)
            much *= known[0] ** times
            powers = [p + times * own for p, own in zip(powers, known[1], strict=True)]
    return (much, (powers[0], powers[1], powers[2])) if unit else None
