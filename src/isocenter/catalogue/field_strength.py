"""The field of an MR scanner in tesla, from what its header says in several units and at two places.

Magnetic Field Strength is written in tesla, by some in gauss, and rounded: a magnet called 3 T has 2.89 T on some
scanners, which moves fat by a ninth of its distance from water. Imaging Frequency tells the field itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from isocenter.errors import Refused

__all__ = ["field_tesla"]

_MHZ_PER_TESLA = 42.5775  # of the hydrogen nucleus
_HYDROGEN = ("", "1H", "H1", "H")
_FIELDS = (0.1, 15.0)  # tesla
_GAUSS = (4000.0, 150_000.0)  # 1500 and 3000 may be gauss or thousandths of a tesla
_HERTZ = 1e5  # no scanner works at so many MHz: some write Hz
_SAME, _TOLD = 0.06, 0.01  # of the field: a magnet called 3 T has 2.89; from here on it is said


def field_tesla(facts: Mapping[str, Any], remarks: list[str], *, given: float = 0.0) -> float:
    """Tesla by Imaging Frequency where it agrees with Magnetic Field Strength or stands alone, else as stated.

    Args:
        facts: of the series.
        remarks: what was made of the header is told here.
        given: by the caller, in place of the header's; 0 believes the header.

    Raises:
        Refused: where neither is stated, or they contradict each other.

    >>> said = []
    >>> round(field_tesla({"MagneticFieldStrength": 3.0, "ImagingFrequency": 123.2}, said), 3), len(said)
    (2.894, 1)
    """
    if given:
        return given
    stated, measured = _stated(facts, remarks), _of_frequency(facts)
    if not stated and not measured:
        raise Refused("no Magnetic Field Strength", "fat's frequency follows from it", "give field_t")
    if not measured:
        return stated
    said = f"the Imaging Frequency of {facts['ImagingFrequency']:g} is that of {measured:.3g} T"
    if not stated:
        remarks.append(f"no Magnetic Field Strength: {said}")
    elif abs(measured / stated - 1.0) > _SAME:
        raise Refused(
            f"a Magnetic Field Strength of {stated:g} T, where {said}",
            "fat's frequency follows from the field",
            "give field_t",
        )
    elif abs(measured / stated - 1.0) > _TOLD:
        remarks.append(f"{said}, and was taken for the {stated:g} T of Magnetic Field Strength")
    return measured


def _stated(facts: Mapping[str, Any], remarks: list[str]) -> float:
    value = facts.get("MagneticFieldStrength")
    if not isinstance(value, (int, float)):
        return 0.0
    if _GAUSS[0] <= value <= _GAUSS[1]:
        remarks.append(f"a Magnetic Field Strength of {value:g} is gauss: {value / 1e4:g} T")
        return value / 1e4
    return float(value)


def _of_frequency(facts: Mapping[str, Any]) -> float:
    value = facts.get("ImagingFrequency")
    nucleus = str(facts.get("ImagedNucleus") or "").strip().upper()
    if not isinstance(value, (int, float)) or nucleus not in _HYDROGEN:
        return 0.0
    field = (value / 1e6 if value > _HERTZ else value) / _MHZ_PER_TESLA
    return field if _FIELDS[0] <= field <= _FIELDS[1] else 0.0
