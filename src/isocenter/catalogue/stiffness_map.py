"""Stiffness of the liver on a map that an MR elastography made: which series is one, its unit, and the drawn liver."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.liver_outline import tissue_of_liver
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.errors import Refused
from isocenter.record import Code, Finding, Measurement, codes
from isocenter.space import Region, Volume

__all__ = ["SHEAR", "is_ultrasound_or_map", "of_map"]

SHEAR = Code("mr-shear-stiffness", "99ISO", "Shear stiffness by MR elastography")

_NAMED = re.compile(r"stiff|elastogra(m|phy[ _-]*map)|shear[ _-]*mod", re.IGNORECASE)
_OTHER = re.compile(
    r"wave|curl|(?<![a-z])(magn?|magnitude|phase|raw|loss|storage|damping|atten\w*|snr|speed|velocity|[rt]2\w*)(?![a-z])"
    r"|^(?!.*stiff).*conf",
    re.IGNORECASE,
)
_IN_KPA: Final[Mapping[str, float]] = {
    "kpa": 1.0, "pa": 0.001, "kn/m2": 1.0, "n/m2": 0.001, "kilopascal": 1.0, "pascal": 0.001,
}  # fmt: skip
_TISSUE_KPA = (0.3, 30.0)  # from soft fat to a hard tumour
_LEAST_VOXELS, _MOST_WITHOUT = 20, 0.5


def is_ultrasound_or_map(facts: Mapping[str, Any]) -> bool:
    """Whether a header is that of an ultrasound image, or of an MR map of stiffness in grey values.

    >>> is_ultrasound_or_map({"Modality": "MR", "SeriesDescription": "MRE Stiffness (95% Conf)"})
    True
    >>> is_ultrasound_or_map({"Modality": "MR", "SeriesDescription": "MRE wave images"})
    False
    """
    if facts.get("Modality") != "MR":
        return True
    words = " ".join(str(w) for w in facts.get("FrameType") or facts.get("ImageType") or [])
    described = str(facts.get("SeriesDescription") or "")
    return bool(_NAMED.search(words) or _NAMED.search(described)) and not _OTHER.search(described)


def of_map(image: Volume, drawn: Sequence[Region], stated: str, other_grid: OtherGrid) -> Answer:
    """Median, quartiles and mean of the stiffness within the drawn liver, each outline by itself.

    Args:
        stated: the unit by the person, where the header states none; else ``as stated``.

    Raises:
        Refused: for colours, without a unit, without an outline of the liver, or where the map has few values in it.
    """
    remarks: list[str] = []
    if image.axes:
        raise Refused(
            f"a map of stiffness with {' and '.join(axis.name for axis in image.axes)}",
            "a picture in colours, or several maps, tell no stiffness of a voxel",
            "send the map in grey values (kPa or Pa)",
        )
    kpa = _in_kpa(image, stated, remarks)
    livers = tissue_of_liver(drawn, remarks)
    if not livers:
        raise Refused(
            "a map of stiffness without an outline of the liver",
            "; ".join((*remarks, "waves reach a part of the liver only, and a person sees which")),
            "draw the liver where its waves are good, as SEG or RTSTRUCT, and name it 'liver'",
        )
    findings = []
    for region in livers:
        here, told = laid(region, image.geometry, other_grid, mean=True)
        remarks += told
        findings.append(_measured(here, kpa, image, remarks))
    remarks.append(
        "shear stiffness by MR is no Young's modulus (about a third of it): the limits of ultrasound do not hold"
    )
    return Answer.found(
        *findings,
        maps={"Stiffness": image.like(kpa.astype(np.float32), quantity="shear stiffness", unit="kPa")},
        reasons=tuple(dict.fromkeys(remarks)),
    )


def _in_kpa(image: Volume, stated: str, remarks: list[str]) -> npt.NDArray[np.float64]:
    """The map in kPa, NaN where it has no value."""
    facts, values = image.facts, np.asarray(image.array, np.float64)
    rescaled, real = (str(facts.get(k) or "").strip().casefold() for k in ("RescaleType", "RealWorldValueUnit"))
    if rescaled in _IN_KPA:
        unit = rescaled
    elif real in _IN_KPA:
        unit = real
        slope, shift = facts.get("RescaleSlope"), facts.get("RescaleIntercept") or 0.0
        if slope and "RealWorldValueSlope" in facts:  # the map is of stored values, and these were rescaled
            values = (values - shift) / slope * facts["RealWorldValueSlope"] + facts["RealWorldValueIntercept"]
    elif str(facts.get("Units") or "").strip().casefold() in _IN_KPA:
        unit = str(facts["Units"]).strip().casefold()
    elif stated != "as stated":
        unit = stated.casefold()
        remarks.append(f"taken as {stated}, as the caller says; the header states no unit")
    else:
        said = facts.get("RealWorldValueUnit") or facts.get("RescaleType") or ""
        raise Refused(
            f"a map of stiffness in {said}" if said else "a map of stiffness without a unit",
            "its header says neither kPa nor Pa (Real World Value Mapping, Rescale Type or Units)",
            "say it by map_unit, after the numbers that the scanner shows",
        )
    kpa = values * _IN_KPA[unit]
    return np.where(np.isfinite(kpa) & (kpa > 0.0), kpa, np.nan)


def _measured(region: Region, kpa: npt.NDArray[np.float64], image: Volume, remarks: list[str]) -> Finding:
    assert region.mask is not None
    label = region.label or "liver"
    held = region.mask & np.isfinite(kpa)
    lost = 1.0 - float(held.sum()) / max(1, region.voxels)
    if held.sum() < _LEAST_VOXELS or lost > _MOST_WITHOUT:
        raise Refused(
            f"'{label}' with {int(held.sum())} of {region.voxels} voxels that have a stiffness",
            "the map has values where its waves can be trusted, and these are too few",
            "draw the liver where the map has values",
        )
    if lost > 0.0:
        remarks.append(f"{label}: {100.0 * lost:.0f} % of the outline have no value on the map and are left out")
    low, median, high = (float(v) for v in np.percentile(kpa[held], (25.0, 50.0, 75.0)))
    if not _TISSUE_KPA[0] <= median <= _TISSUE_KPA[1]:
        raise Refused(
            f"a stiffness of {median:.3g} kPa in '{label}'",
            "tissue has 0.3 to 30 kPa by MR: the unit of the map is another, or it is no map of stiffness",
            "look at the unit in the header against the numbers that the scanner shows",
        )
    mean, volume_ml = float(kpa[held].mean()), float(held.sum()) * image.geometry.voxel_volume_mm3 / 1000.0
    said = (
        Measurement(SHEAR, median, "kPa", definition=f"{label}: median"),
        Measurement(SHEAR, mean, "kPa", definition=f"{label}: mean"),
        Measurement(SHEAR, low, "kPa", definition=f"{label}: 25th percentile"),
        Measurement(SHEAR, high, "kPa", definition=f"{label}: 75th percentile"),
        Measurement(codes.VOLUME, volume_ml, "mL", definition=f"{label}: measured voxels"),
    )
    where = Region(image.geometry, mask=held, series_uid=image.series_uid, label=label)
    words = (
        f"Shear stiffness of {label} by MR: median {median:.2f} kPa (middle half {low:.2f} to {high:.2f}), "
        f"mean {mean:.2f}."
    )
    return Finding(SHEAR, where=where, site=codes.LIVER, measurements=said, words=words)
