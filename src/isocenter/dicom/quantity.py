"""What a voxel's number says: its quantity and its UCUM unit, from the words that each modality uses."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["pet_units", "quantity"]

_PET = {
    "BQML": ("activity concentration", "Bq/mL"),
    "CNTS": ("counts", "{counts}"),
    "PROPCNTS": ("counts", "{arbitrary}"),
    "CPS": ("count rate", "{counts}/s"),
    "GML": ("SUVbw", "g/ml"),
    "CM2ML": ("SUVbsa", "cm2/ml"),
    "PCNT": ("fraction", "%"),
    "NONE": ("fraction", "1"),
}
# Real-world units of enhanced objects (CID 84, CID 85), lower case, to the words of the classic ones.
_REAL = {
    "bq/ml": ("BQML", ""), "{counts}": ("CNTS", ""), "g/ml": ("GML", ""), "g/ml{suvbw}": ("GML", "BW"),
    "cm2/ml{suvbsa}": ("CM2ML", "BSA"), "g/ml{suvlbm}": ("GML", "LBM"), "g/ml{suvibw}": ("GML", "IBW"),
    "g/ml{suvlbm(james128)}": ("GML", "LBMJAMES128"), "g/ml{suvlbm(janma)}": ("GML", "LBMJANMA"),
}  # fmt: skip
_BODY_FIRST = re.compile(r"^(\{suv[^}]*\})(.+)$")  # some write {SUVbw}g/ml
_SUV = {
    "BW": ("SUVbw", "g/ml"), "LBM": ("SUVlbm", "g/ml"), "LBMJAMES128": ("SUVlbm", "g/ml"),
    "LBMJANMA": ("SUVlbm", "g/ml"), "BSA": ("SUVbsa", "cm2/ml"), "IBW": ("SUVibw", "g/ml"),
}  # fmt: skip


def pet_units(facts: Mapping[str, Any]) -> tuple[str, str]:
    """DICOM Units and SUV Type of a PET; enhanced images state both by the unit of their real-world values. Empty where
    unsaid.

    >>> pet_units({"RealWorldValueUnit": "Bq/ml"}), pet_units({"RealWorldValueUnit": "g/ml{SUVlbm(James128)}"})
    (('BQML', ''), ('GML', 'LBMJAMES128'))
    """
    unit = _BODY_FIRST.sub(r"\2\1", str(facts.get("RealWorldValueUnit", "")).lower())
    units, kind = _REAL.get(unit, (unit.upper(), ""))
    if facts.get("Units"):
        units, kind = str(facts["Units"]).upper(), ""
    return units, str(facts.get("SUVType") or kind).upper()


def quantity(modality: str, facts: Mapping[str, Any]) -> tuple[str, str]:
    """Quantity and UCUM unit of rescaled values.

    >>> quantity("CT", {})
    ('attenuation', "[hnsf'U]")
    >>> quantity("PT", {"Units": "BQML"})
    ('activity concentration', 'Bq/mL')
    """
    if modality == "CT":
        said = str(facts.get("RescaleType") or "HU").upper()
        if said in ("HU", "HU_MOD", "US"):
            return "attenuation", "[hnsf'U]"
        return "intensity", "{arbitrary}"
    if modality == "PT":
        units, kind = pet_units(facts)
        if units == "GML" and kind:
            return _SUV.get(kind, ("SUVbw", "g/ml"))
        return _PET.get(units, ("intensity", "{arbitrary}"))
    if facts.get("DoseGridScaling") is not None:
        # RELATIVE doses refer to a value that the object does not state.
        return ("dose", "Gy") if str(facts.get("DoseUnits", "GY")).upper() == "GY" else ("relative dose", "1")
    unit = facts.get("RealWorldValueUnit")
    if unit and "RescaleSlope" not in facts:
        return "real-world value", str(unit)
    return "intensity", "{arbitrary}"
