"""What a voxel's number says: its quantity and its UCUM unit, from the words that each modality uses."""

from __future__ import annotations

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
    "bq/ml": "BQML", "{counts}": "CNTS", "g/ml": "GML", "g/ml{suvbw}": "GML", "{suvbw}g/ml": "GML",
    "cm2/ml{suvbsa}": "CM2ML", "{suvbsa}cm2/ml": "CM2ML",
}  # fmt: skip
_SUV = {"BW": ("SUVbw", "g/ml"), "LBM": ("SUVlbm", "g/ml"), "BSA": ("SUVbsa", "cm2/ml"), "IBW": ("SUVibw", "g/ml")}


def pet_units(facts: Mapping[str, Any]) -> str:
    """DICOM Units of a PET, which enhanced images state by the unit of their real-world values; empty where unsaid.

    >>> pet_units({"RealWorldValueUnit": "Bq/ml"})
    'BQML'
    """
    return str(facts.get("Units") or _REAL.get(str(facts.get("RealWorldValueUnit", "")).lower(), "")).upper()


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
        units = pet_units(facts)
        if units == "GML" and facts.get("SUVType"):
            return _SUV.get(str(facts["SUVType"]).upper(), ("SUVbw", "g/ml"))
        return _PET.get(units, ("intensity", "{arbitrary}"))
    if facts.get("DoseGridScaling") is not None:
        # RELATIVE doses refer to a value that the object does not state.
        return ("dose", "Gy") if str(facts.get("DoseUnits", "GY")).upper() == "GY" else ("relative dose", "1")
    unit = facts.get("RealWorldValueUnit")
    if unit and "RescaleSlope" not in facts:
        return "real-world value", str(unit)
    return "intensity", "{arbitrary}"
