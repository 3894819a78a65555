"""CT images that were computed from two energies or more, by the words of their header: their HU are none of 120 kV."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["virtual_image"]

_LIKE_120_KV = (60, 80)  # keV: fat and muscle lie within some 10 HU of where they lie at 120 kV
_KEV = re.compile(r"(?<!\d)(\d{2,3})[\s_]*kev(?![a-z])", re.IGNORECASE)
_OF_MATERIAL = (
    (r"iodine|(?<![a-z])jod(?:bild|karte)", "a map of iodine"),
    (r"virtual[\s_-]*(?:non|un)|(?<![a-z])vnc(?![a-z])|(?<![a-z])vue(?![a-z])", "a virtual image without contrast"),
    (
        r"(?<![a-z])z[\s_-]*eff(?:ective)?(?![a-z])|(?<![a-z])eff(?:ective)?[\s_-]*(?:z|atomic)(?![a-rt-z])",
        "a map of atomic numbers",
    ),
    (r"electron[\s_-]*dens|(?<![a-z])rho[\s_-]*(?:z|e)(?![a-z])", "a map of electron density"),
    (r"uric[\s_-]*acid|calcium[\s_-]*supp", "an image without a material"),
)
# Image Type, value 4, of multi-energy CT (PS3.3 C.8.2.1.1.1).
_FOURTH = {
    "VMI": "a virtual image of one energy that it does not state",
    "MAT_SPECIFIC": "an image of one material", "MAT_REMOVED": "an image without a material",
    "MAT_FRACTIONAL": "an image of shares of a material", "MAT_VALUE_BASED": "an image of shares of a material",
    "MAT_MODIFIED": "an image with a material changed", "EFF_ATOMIC_NUM": "a map of atomic numbers",
    "ELECTRON_DENSITY": "a map of electron density",
}  # fmt: skip


def virtual_image(facts: Mapping[str, Any]) -> str:
    """What was computed from several energies, in words; empty for plain CT, and for virtual images of 60 to 80 keV,
    which lie near those of 120 kV.

    >>> virtual_image({"SeriesDescription": "MonoPlus 40 keV"}), virtual_image({"SeriesDescription": "Mono 70keV"})
    ('a virtual image of 40 keV', '')
    """
    words = [str(w).strip().upper() for w in facts.get("ImageType") or ()]
    said = f"{facts.get('SeriesDescription') or ''} {' '.join(words)}"
    for pattern, what in _OF_MATERIAL:
        if re.search(pattern, said, re.IGNORECASE):
            return what
    energies = {int(kev) for kev in _KEV.findall(said)}
    if energies:
        low, high = _LIKE_120_KV
        far = sorted(kev for kev in energies if not low <= kev <= high)
        return f"a virtual image of {far[0]} keV" if far else ""
    return next((_FOURTH[word] for word in words if word in _FOURTH), "")
