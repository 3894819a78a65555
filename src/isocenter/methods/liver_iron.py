"""Iron in the liver from R2*, by calibrations that carry their names.

Iron makes R2* larger, and how much differs with the field strength and with the study that measured it: a number
without its calibration cannot be compared.

Sources: Wood et al., Blood 106 (2005) 1460; Garbowski et al., J Cardiovasc Magn Reson 16 (2014) 40; Hernando et al.,
Radiology 306 (2023) e213256.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from isocenter.errors import Refused

__all__ = ["CALIBRATIONS", "Calibration", "NORMAL_MG_G", "calibrations_at", "iron_grade", "iron_mg_g"]

NORMAL_MG_G = 1.8
"""Up to here, iron per dry weight is called normal."""

_GRADES = ((15.0, "severe"), (7.0, "moderate"), (3.2, "mild"), (NORMAL_MG_G, "slight"))


@dataclass(frozen=True)
class Calibration:
    """One published line or curve.

    Args:
        name: by which it is asked for.
        field_t: of the scanners it was made on.
        source: where it stands.
        rule: the formula in words.
        largest: R2* (1/s) up to which it was shown to hold.
        iron: R2* (1/s) -> mg iron per g dry liver.
    """

    name: str
    field_t: float
    source: str
    rule: str
    largest: float
    iron: Callable[[float], float]


_UNCHECKED = "Hernando 2023 (this line was not checked against the paper)"


def _line(slope: float, offset: float) -> Callable[[float], float]:
    return lambda r2_star: slope * r2_star + offset


CALIBRATIONS: dict[str, Calibration] = {
    one.name: one
    for one in (
        Calibration("hernando_2023", 1.5, "Hernando 2023", "0.02603 R2* - 0.16", 1000.0, _line(0.02603, -0.16)),
        Calibration("wood_2005", 1.5, "Wood 2005", "0.0254 R2* + 0.202", 1300.0, _line(0.0254, 0.202)),
        Calibration("garbowski_2014", 1.5, "Garbowski 2014", "0.0290 R2*^1.014", 1200.0, lambda r2: 0.0290 * r2**1.014),
        Calibration("hernando_2023_2.89t", 2.89, _UNCHECKED, "0.01400 R2* - 0.03", 1800.0, _line(0.014, -0.03)),
        Calibration("hernando_2023_3t", 3.0, _UNCHECKED, "0.01349 R2* - 0.03", 1800.0, _line(0.01349, -0.03)),
    )
}
"""By name. The lines of 2.89 and 3 T are quoted from memory of the paper's abstract: check before relying on them."""


def calibrations_at(field_t: float) -> tuple[Calibration, ...]:
    """Those made at a field strength (within 0.06 T), the newest first.

    >>> [c.name for c in calibrations_at(1.5)]
    ['hernando_2023', 'wood_2005', 'garbowski_2014']
    """
    return tuple(c for c in CALIBRATIONS.values() if abs(c.field_t - field_t) <= 0.06)


def iron_mg_g(r2_star_per_s: float, field_t: float, calibration: str) -> float:
    """Liver iron concentration, mg per g of dry weight; never below 0.

    Raises:
        Refused: for an unknown calibration, one of another field strength, or an R2* beyond what it was made for.

    >>> round(iron_mg_g(100.0, 1.5, "hernando_2023"), 3)
    2.443
    """
    if calibration not in CALIBRATIONS:
        raise Refused(f"calibration '{calibration}'", f"there are {', '.join(CALIBRATIONS)}", "name one of these")
    chosen = CALIBRATIONS[calibration]
    if abs(chosen.field_t - field_t) > 0.06:
        raise Refused(
            f"calibration '{calibration}' at {field_t:g} T",
            f"it was made at {chosen.field_t:g} T, and R2* grows with the field",
            f"choose among {', '.join(c.name for c in calibrations_at(field_t)) or 'none: there is none for it'}",
        )
    if not r2_star_per_s <= chosen.largest:
        raise Refused(
            f"R2* of {r2_star_per_s:.0f} 1/s",
            f"{chosen.source} reaches to {chosen.largest:g} 1/s: signal is gone before the echoes",
            "measure with shorter echo times",
        )
    return max(0.0, chosen.iron(max(r2_star_per_s, 0.0)))


def iron_grade(mg_g: float) -> str:
    """Words for an iron concentration: normal up to 1.8, slight to 3.2, mild to 7, moderate to 15 mg/g, severe above.

    >>> iron_grade(1.0), iron_grade(8.0)
    ('normal', 'moderate')
    """
    return next((word for above, word in _GRADES if mg_g > above), "normal")
