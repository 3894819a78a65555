"""Shear-wave elastography: stiffness from speed, the median of readings, and whether the readings can be trusted.

Young's modulus is E = 3·density·speed²; with 1000 kg/m³ that is 3·speed² in kPa. The two units are not proportional, so
the limits of quality differ: an interquartile range of 30 % of the median in kPa is 15 % in m/s.

Source: Barr et al., Radiology 296 (2020) 263 (SRU consensus update, "rule of four"); WFUMB 2018.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from isocenter.errors import Refused

__all__ = ["Stiffness", "class_of", "kilopascal", "speed_m_s", "summary"]

_DENSITY = 1000.0  # kg/m3
_PLAUSIBLE = {"kPa": (0.5, 300.0), "m/s": (0.4, 10.0)}
_WORST_SPREAD = {"kPa": 0.30, "m/s": 0.15}
_DECIMALS = 9  # beyond them lies what binary numbers make of decimals
_RARE_M_S = 4.0  # 48 kPa; a healthy liver's kPa are 4 to 6
_FEWEST, _FEWEST_EVER = 10, 5
_RULE = "SRU 2020, acoustic radiation force, viral hepatitis and NAFLD"


@dataclass(frozen=True)
class Stiffness:
    """Readings of one liver, put together.

    Args:
        median, iqr: in `unit`, that of the readings.
        spread: iqr over median.
        count: readings.
        reliable: whether spread and count are good enough.
        remarks: why not, or what limits them.
    """

    median: float
    iqr: float
    unit: str
    spread: float
    count: int
    reliable: bool
    remarks: tuple[str, ...] = ()

    @property
    def kpa(self) -> float:
        """The median as Young's modulus."""
        return self.median if self.unit == "kPa" else kilopascal(self.median)

    @property
    def m_s(self) -> float:
        """The median as speed."""
        return self.median if self.unit == "m/s" else speed_m_s(self.median)


def kilopascal(speed_m_s: float) -> float:
    """Young's modulus of a shear-wave speed.

    >>> kilopascal(2.0)
    12.0
    """
    return 3.0 * _DENSITY * speed_m_s**2 / 1000.0


def speed_m_s(kilopascal: float) -> float:
    """Shear-wave speed of a Young's modulus.

    >>> speed_m_s(12.0)
    2.0
    """
    return float(np.sqrt(kilopascal * 1000.0 / (3.0 * _DENSITY)))


def summary(readings: Sequence[float], *, unit: str) -> Stiffness:
    """Median, interquartile range and quality of readings.

    Args:
        readings: of one liver, in the unit of the machine.
        unit: ``"kPa"`` or ``"m/s"``.

    Raises:
        Refused: for another unit, fewer than five readings, or a reading that the unit cannot have (such as m/s given
            as kPa: every one below 10 and none like a liver's).

    >>> summary([5.0, 5.2, 4.8, 5.1, 4.9, 5.0, 5.3, 5.0, 4.7, 5.1], unit="kPa").reliable
    True
    """
    if unit not in _PLAUSIBLE:
        raise Refused(f"readings in '{unit}'", "stiffness is kPa or m/s", "give the unit of the machine")
    values = np.asarray(readings, np.float64)
    if len(values) < _FEWEST_EVER:
        raise Refused(
            f"{len(values)} readings", f"at least {_FEWEST_EVER} are asked, ten by most machines", "take more readings"
        )
    low, high = _PLAUSIBLE[unit]
    odd = values[~(np.isfinite(values) & (values >= low) & (values <= high))]
    if len(odd):
        other = "m/s" if unit == "kPa" else "kPa"
        raise Refused(f"a reading of {odd[0]:g} {unit}", f"a liver has {low:g} to {high:g} {unit}", f"is it {other}?")
    if unit == "kPa" and float(np.median(values)) < 1.8:
        raise Refused(f"a median of {np.median(values):.2f} kPa", "no liver is so soft", "are the readings m/s?")
    # Limits are met exactly by readings in decimals: 2.39 and 2.41 m/s have a median of 2.4, and no more.
    lower, median, upper = (round(float(q), _DECIMALS) for q in np.percentile(values, [25, 50, 75]))
    iqr = round(upper - lower, _DECIMALS)
    spread = round(iqr / median, _DECIMALS)
    remarks = []
    if spread > _WORST_SPREAD[unit]:
        remarks.append(f"IQR/median {spread:.2f}, at most {_WORST_SPREAD[unit]:.2f} in {unit}: not reliable")
    reliable = not remarks
    if unit == "m/s" and median >= _RARE_M_S:
        remarks.append(
            f"WARNING: a median of {median:.1f} m/s is {kilopascal(median):.0f} kPa, which few livers have: are "
            "the readings kPa?"
        )
    if len(values) < _FEWEST:
        remarks.append(f"{len(values)} readings: five are enough only with a quality measure of the machine")
    return Stiffness(median, iqr, unit, spread, len(values), reliable, tuple(remarks))


_RULE_OF_FOUR = {"kPa": (5.0, 9.0, 13.0, 17.0), "m/s": (1.3, 1.7, 2.1, 2.4)}


def class_of(median: float, unit: str) -> tuple[str, str]:
    """(what the stiffness of a liver means, rule); cACLD: compensated advanced chronic liver disease.

    The consensus rounds its limits in either unit, so that a speed is held against those of speed: 1.3 m/s is 5.07 kPa
    and normal, 1.72 m/s is 8.88 kPa and above 1.7.

    Args:
        median: of the readings, in their unit.
        unit: ``"kPa"`` or ``"m/s"``.

    >>> class_of(5.0, "kPa")[0], class_of(1.3, "m/s")[0]
    ('high probability of being normal', 'high probability of being normal')
    """
    normal, out, suggestive, ruled_in = _RULE_OF_FOUR[unit]
    rule = f"{_RULE}, limits in {unit}"
    if median <= normal:
        return "high probability of being normal", rule
    if median < out:
        return "without other signs cACLD is ruled out", rule
    if median <= suggestive:
        return "suggestive of cACLD", rule
    if median <= ruled_in:
        return "cACLD is ruled in", rule
    return "suggestive of clinically significant portal hypertension", rule
