"""ACR TI-RADS 2017: points of a thyroid nodule, its level, and what its size asks for, as a table of rules.

Of echogenic foci all that apply are added up. A spongiform nodule takes no further points.

Source: Tessler et al., J Am Coll Radiol 14 (2017) 587.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

from isocenter.errors import Refused

__all__ = ["COMPOSITION", "ECHOGENICITY", "FOCI", "MARGIN", "SHAPE", "SMALLEST_MM", "Rated", "advice", "grown", "rate"]

COMPOSITION: Mapping[str, int] = MappingProxyType({
    "cystic": 0, "spongiform": 0, "mixed": 1, "solid": 2, "cannot be determined": 2,
})  # fmt: skip
"""Cystic and solid include "almost completely"; calcification that hides the inside counts as solid."""
ECHOGENICITY: Mapping[str, int] = MappingProxyType({
    "anechoic": 0, "hyperechoic": 1, "isoechoic": 1, "hypoechoic": 2, "very hypoechoic": 3, "cannot be determined": 1,
})  # fmt: skip
SHAPE: Mapping[str, int] = MappingProxyType({"wider than tall": 0, "taller than wide": 3})
MARGIN: Mapping[str, int] = MappingProxyType({
    "smooth": 0, "ill-defined": 0, "lobulated or irregular": 2, "extra-thyroidal extension": 3,
    "cannot be determined": 0,
})  # fmt: skip
FOCI: Mapping[str, int] = MappingProxyType({
    "large comet-tail": 0, "macrocalcifications": 1, "rim calcifications": 2, "punctate": 3,
})  # fmt: skip

_MEANING = {
    1: "benign",
    2: "not suspicious",
    3: "mildly suspicious",
    4: "moderately suspicious",
    5: "highly suspicious",
}
_BIOPSY_MM, _FOLLOW_MM = {3: 25.0, 4: 15.0, 5: 10.0}, {3: 15.0, 4: 10.0, 5: 5.0}
_WHEN = {3: "after 1, 3 and 5 years", 4: "after 1, 2, 3 and 5 years", 5: "every year for 5 years"}
_EPSILON = 1e-9
SMALLEST_MM = 2.0
"""A nodule below is one that was measured in centimetres."""


@dataclass(frozen=True)
class Rated:
    """Points and level, with what gave the points.

    Args:
        points: 0 and up. level: 1 to 5. meaning: in ACR's words. why: the points, feature by feature.
    """

    points: int
    level: int
    meaning: str
    why: str


def rate(composition: str, echogenicity: str, shape: str, margin: str, foci: Sequence[str] = ()) -> Rated:
    """Points and level of a nodule.

    Args:
        composition, echogenicity, shape, margin: keys of the tables of this module.
        foci: every kind of echogenic focus that is there; empty for none.

    Raises:
        Refused: for a word that no table has, the same focus twice, or a solid part that is said to be anechoic.

    >>> rate("solid", "hypoechoic", "wider than tall", "smooth").level
    4
    """
    if len(set(foci)) != len(foci):
        raise Refused(f"echogenic foci {', '.join(foci)}", "each kind counts once", "name each kind once")
    parts = [
        _points(COMPOSITION, "composition", composition),
        _points(ECHOGENICITY, "echogenicity", echogenicity),
        _points(SHAPE, "shape", shape),
        _points(MARGIN, "margin", margin),
        *(_points(FOCI, "echogenic foci", one) for one in foci),
    ]
    if composition == "spongiform":
        return Rated(0, 1, _MEANING[1], "spongiform: no further points are added")
    if composition in ("mixed", "solid") and echogenicity == "anechoic":
        raise Refused(
            f"a {composition} nodule that is anechoic",
            "echogenicity is that of its solid part",
            "state the echogenicity of the solid part",
        )
    points = sum(n for n, _ in parts)
    level = 1 if points == 0 else 2 if points <= 2 else 3 if points == 3 else 4 if points <= 6 else 5
    why = ", ".join(f"{word} {n}" for n, word in parts if n)
    if points == 1:
        why += " (one point stands in no row of the table: the next level is taken)"
    return Rated(points, level, _MEANING[level], why or "no feature with points")


def _points(table: Mapping[str, int], name: str, word: str) -> tuple[int, str]:
    if word not in table:
        raise Refused(f"{name} '{word}'", f"known are {', '.join(table)}", "name one of these")
    return table[word], word


def advice(level: int, longest_mm: float) -> tuple[str, str]:
    """(what ACR advises, rule) for a level and the longest of three dimensions.

    Raises:
        Refused: for a level outside 1 to 5, or a size below 2 mm, which is one in centimetres, or from 200 mm on.

    >>> advice(4, 15.0)[0]
    'fine-needle aspiration'
    """
    if level not in _MEANING:
        raise Refused(f"level TR{level}", "it is TR1 to TR5", "give 1 to 5")
    if not SMALLEST_MM <= longest_mm < 200:
        cm = " (was it given in centimetres?)" if 0 < longest_mm < SMALLEST_MM else ""
        raise Refused(
            f"a nodule of {longest_mm:g} mm{cm}", "no nodule of the thyroid measures that", "give millimetres"
        )
    if level < 3:
        return "no aspiration", f"ACR TI-RADS 2017, TR{level}"
    biopsy, follow = _BIOPSY_MM[level], _FOLLOW_MM[level]
    if longest_mm >= biopsy - _EPSILON:
        return "fine-needle aspiration", f"ACR TI-RADS 2017, TR{level} from {biopsy:g} mm"
    if longest_mm >= follow - _EPSILON:
        return f"follow-up {_WHEN[level]}", f"ACR TI-RADS 2017, TR{level} from {follow:g} mm"
    return "no follow-up", f"ACR TI-RADS 2017, TR{level} below {follow:g} mm"


def grown(before_mm: Sequence[float], now_mm: Sequence[float]) -> tuple[bool, str]:
    """Whether a nodule has grown: two dimensions by 20 % and 2 mm, or volume by 50 %.

    Args:
        before_mm, now_mm: three perpendicular dimensions in the same order.

    Raises:
        Refused: unless both have three positive numbers.

    >>> grown((10.0, 10.0, 10.0), (12.0, 12.0, 10.0))[0]
    True
    """
    for sizes in (before_mm, now_mm):
        if len(sizes) != 3 or not all(s > 0 for s in sizes):
            said = f"dimensions {', '.join(f'{s:g}' for s in sizes)} mm" if sizes else "dimensions of one day alone"
            raise Refused(said, "growth is judged from three dimensions before and three now", "give both")
    enough = _longer(before_mm, now_mm)
    # No nodule grows in two dimensions and shrinks in the third: then they were given in another order.
    turned = _longer(now_mm, before_mm) > 0 and _longer(sorted(before_mm), sorted(now_mm)) < enough
    if turned:
        enough = _longer(sorted(before_mm), sorted(now_mm))
    ratio = (now_mm[0] * now_mm[1] * now_mm[2]) / (before_mm[0] * before_mm[1] * before_mm[2]) - 1.0
    why = f"{enough} of 3 dimensions by 20 % and 2 mm, volume {ratio:+.0%}"
    if turned:
        why += "; the longest against the longest, for in the order given one had shrunk"
    return bool(enough >= 2 or ratio >= 0.5 - _EPSILON), why


def _longer(before_mm: Sequence[float], now_mm: Sequence[float]) -> int:
    """How many dimensions are longer by 20 % and 2 mm."""
    return sum(
        n - b >= 2.0 - _EPSILON and n / b - 1.0 >= 0.2 - _EPSILON for b, n in zip(before_mm, now_mm, strict=True)
    )
