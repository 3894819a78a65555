"""CT images that were computed from two energies or more, by the words of their header: their HU are none of 120 kV."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

__all__ = ["energies_kev", "is_map", "virtual_image"]

_LIKE_120_KV = (60, 80)  # keV: fat and muscle lie within some 10 HU of where they lie at 120 kV
_KEV = re.compile(r"(?<!\d)(\d{2,3})[\s_]*kev(?![a-z])", re.IGNORECASE)
# Mono+ 40, MonoE_50, Monoenergetic 70: the unit is left out.
_MONO = r"(?<![a-z])mono(?:[\s_]?(?:plus|\+|e|energetic|chromatic))?"
_MONO_KEV = re.compile(rf"{_MONO}[\s_:=]*(\d{{2,3}})(?!\d|[\s_]*(?:mm|%|kv\b))", re.IGNORECASE)
_MONO_ALONE = re.compile(rf"{_MONO}(?![a-z])|(?<![a-z])vmi(?![a-z])", re.IGNORECASE)
_OF_MATERIAL = (
    (r"iodine|(?<![a-z])jod(?:bild|karte)", "a map of iodine"),
    (
        r"virtual[\s_-]*(?:non|un)|(?<![a-z])(?:vnc|vue|vni)(?![a-z])|pure[\s_-]*lumen",
        "a virtual image without contrast",
    ),
    (
        r"(?<![a-z])z[\s_-]*eff(?:ective)?(?![a-z])|(?<![a-z])eff(?:ective)?[\s_-]*(?:z|atomic)(?![a-rt-z])",
        "a map of atomic numbers",
    ),
    (r"electron[\s_-]*dens|(?<![a-z])rho[\s_-]*(?:z|e)(?![a-z])", "a map of electron density"),
    (r"uric[\s_-]*acid|calcium[\s_-]*supp|pure[\s_-]*calcium|vnca(?![a-z])", "an image without a material"),
)
# Image Type, value 4, of multi-energy CT (PS3.3 C.8.2.1.1.1).
_FOURTH = {
    "VMI": "a virtual image of one energy that it does not state",
    "MAT_SPECIFIC": "an image of one material", "MAT_REMOVED": "an image without a material",
    "MAT_FRACTIONAL": "an image of shares of a material", "MAT_VALUE_BASED": "an image of shares of a material",
    "MAT_MODIFIED": "an image with a material changed", "EFF_ATOMIC_NUM": "a map of atomic numbers",
    "ELECTRON_DENSITY": "a map of electron density",
}  # fmt: skip


_MAPS = ("a map of", "an image of")


def is_map(virtual: str) -> bool:
    """Whether what `virtual_image` said is no image in Hounsfield units, whatever its rescale type says.

    >>> is_map("a map of iodine"), is_map("a virtual image of 40 keV")
    (True, False)
    """
    return virtual.startswith(_MAPS)


def energies_kev(facts: Mapping[str, Any]) -> tuple[int, ...]:
    """The energies that a virtual image is stated to be of: by its attribute, or else by description and kind.

    >>> energies_kev({"SeriesDescription": "Mono+ 70 Qr40"}), energies_kev({"SeriesDescription": "Monitoring 10.0"})
    ((70,), ())
    """
    stated = facts.get("MonoenergeticEnergyEquivalent")
    if isinstance(stated, int | float) and stated > 0:
        return (round(stated),)
    said = _said(facts)
    return tuple(sorted({int(kev) for found in (_KEV, _MONO_KEV) for kev in found.findall(said)}))


def virtual_image(facts: Mapping[str, Any], like_kev: tuple[int, int] = _LIKE_120_KV) -> str:
    """What was computed from several energies, in words; empty for plain CT, and for virtual images of an energy of
    `like_kev`, from 60 to 80 keV, where soft tissue lies near where it lies at 120 kV.

    >>> virtual_image({"SeriesDescription": "MonoPlus 40 keV"}), virtual_image({"SeriesDescription": "Mono 70keV"})
    ('a virtual image of 40 keV', '')
    """
    said = _said(facts)
    for pattern, what in _OF_MATERIAL:
        if re.search(pattern, said, re.IGNORECASE):
            return what
    if energies := energies_kev(facts):
        low, high = like_kev
        far = [kev for kev in energies if not low <= kev <= high]
        return f"a virtual image of {far[0]} keV" if far else ""
    if fourth := next((_FOURTH[word] for word in _kind(facts) if word in _FOURTH), ""):
        return fourth
    if _MONO_ALONE.search(said):
        return _FOURTH["VMI"]
    # PS3.3 C.11.1.1.2: Hounsfield units that an algorithm has changed, as one that takes contrast out.
    modified = str(facts.get("RescaleType") or "").strip().upper() == "HU_MOD"
    return "an image whose Hounsfield units were modified" if modified else ""


def _kind(facts: Mapping[str, Any]) -> list[str]:
    """The words of Image Type, and of frames of an enhanced object their own."""
    return [str(w).strip().upper() for w in (*(facts.get("FrameType") or ()), *(facts.get("ImageType") or ()))]


def _said(facts: Mapping[str, Any]) -> str:
    return f"{facts.get('SeriesDescription') or ''} {' '.join(_kind(facts))}"
