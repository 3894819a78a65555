"""A map of T1 that a scanner made: which series is one, and its values in milliseconds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Volume

__all__ = ["in_ms", "is_t1_map"]

_NAMED = re.compile(r"(?:^|[^a-z0-9])t1[ _-]?(?:map|mapping)(?![a-z])", re.IGNORECASE)
_NO_MAP = re.compile(r"(?:^|[^a-z0-9])(?:r1|t2|sd|std|error|r2|chi2?|conf\w*)[ _-]?(?:map|image|$)", re.IGNORECASE)
_IN_MS = {"ms": 1.0, "msec": 1.0, "milliseconds": 1.0, "s": 1000.0, "sec": 1000.0, "seconds": 1000.0}
_TISSUE_MS = (50.0, 5000.0)
_MADE = frozenset({"DERIVED", "T1", "T1 MAP", "T1_MAP", "T1MAP"})


def is_t1_map(facts: Mapping[str, Any]) -> bool:
    """Whether a header is that of a grey map of T1: Image Type says so, or it is derived and its description does.

    >>> is_t1_map({"ImageType": ["DERIVED", "PRIMARY", "T1 MAP"]}), is_t1_map({"SeriesDescription": "T1 mapping fl 5"})
    (True, False)
    """
    words = {str(w).strip().upper() for w in facts.get("FrameType") or facts.get("ImageType") or []}
    if facts.get("SamplesPerPixel") not in (None, 1) or "PALETTE" in str(facts.get("PhotometricInterpretation", "")):
        return False
    described = str(facts.get("SeriesDescription") or "")
    if _NO_MAP.search(described):
        return False
    return bool(words & (_MADE - {"DERIVED", "T1"})) or bool(words & _MADE and _NAMED.search(described))


def in_ms(volume: Volume, where: npt.NDArray[np.bool_]) -> tuple[npt.NDArray[np.float64], str]:
    """T1 of each voxel in `where`, ms, and what is to be said of its unit.

    Where the header states no unit, values of tissue tell it: no T1 of one is a T1 in the other.

    Raises:
        Refused: when they are no T1 in milliseconds nor in seconds.
    """
    values = np.asarray(volume.array, np.float64)[where]
    stated = str(volume.facts.get("RealWorldValueUnit") or volume.facts.get("RescaleType") or "").strip().lower()
    if stated in _IN_MS:
        return values * _IN_MS[stated], f"in {stated} by its header"
    usual = float(np.median(values[values > 0])) if (values > 0).any() else 0.0
    for unit in ("ms", "s"):
        if _TISSUE_MS[0] <= usual * _IN_MS[unit] <= _TISSUE_MS[1]:
            return values * _IN_MS[unit], f"taken as {unit}, which its header does not state"
    raise Refused(
        f"a map of T1 with a median of {usual:g} and no unit",
        "tissue has 50 to 5,000 ms, or 0.05 to 5 s",
        "send it with its unit, or give t1_ms",
    )
