"""The series of one scan put together: each echo, or each flip angle, came as a series of its own.

Some scanners and archives make a series of each. Those of one grid, one kind (magnitude, phase, …) and one repetition
time that differ in nothing but the echo time, or the flip angle, are of one scan.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space import Axis, Reference, Volume

__all__ = [
    "comparable",
    "component",
    "dixon_part",
    "is_made",
    "is_signal",
    "joined",
    "kind_words",
    "must_be_magnitude",
    "on_one_scale",
    "on_one_scale_in_space",
    "timing",
]

_WORDS = {
    "phase": {"P", "PHASE", "PHASE MAP", "PHASE_MAP", "P_FFE", "1", "1.0"},
    "real": {"R", "REAL", "R_FFE", "2", "2.0"},
    "imaginary": {"I", "IMAGINARY", "I_FFE", "3", "3.0"},
    "magnitude": {"M", "MAGNITUDE", "M_FFE", "0", "0.0"},
}
# What a scanner computed of its images is none of them.
_MADE = re.compile(
    r"w|water|f|fat|ff|pdff|.*fat[ _-]?frac.*|.*[rt]2[ _-]?(?:\*|star).*|(?!phase)(?!velocity).*map|.*field.*",
    re.IGNORECASE,
)
# As GE begins a description.
_MADE_BY_NAME = re.compile(r"(?:water|fat|fat ?frac\w*|[rt]2\*|pdff|ff) ?:", re.IGNORECASE)
_OF_PART = {"fat": {"F", "FAT", "FAT_ONLY", "FAT_IMAGE"}, "water": {"W", "WATER", "WATER_ONLY", "WATER_IMAGE"}}
# As Siemens and Canon end a description (t1_vibe_dixon_tra_bh_W), and GE begins it (WATER: Ax LAVA-Flex).
_PART_BY_NAME = re.compile(
    r"^(?:(?P<first>water|fat) ?:.*|.*[_ -](?:(?P<letter>[wf])|(?P<last>water|fat))(?:[_ -](?:nd|nd_mpr))?)$",
    re.IGNORECASE,
)
# Suppressed fat, a share of fat, and a letter that says what the image is weighted by (T1 W).
_NO_DIXON = re.compile(
    r"sat(?![a-z])|supp|sup(?![a-z])|\bfs\b|stir|spair|frac|percent|ratio|%|(?<![a-z])(?:t[12]\*?|pd)[_ -]w$",
    re.IGNORECASE,
)
_PARTED = re.compile(r"dixon|lava|ideal(?![a-z])|flex|wf[is](?![a-z])|dual|(?:fat|water)[_ -]only", re.IGNORECASE)
_WHOLE = re.compile(r"quant|content|gehalt|map(?![a-z])", re.IGNORECASE)  # the aim of a scan, and none of its images
_NAMED = {
    "fat": re.compile(r"(?<![a-z0-9])(?:fat|fett|graisse|grasa|f)(?![a-z0-9])", re.IGNORECASE),
    "water": re.compile(r"(?<![a-z0-9])(?:water|wasser|eau|agua|w)(?![a-z0-9])", re.IGNORECASE),
}
_DIFFERENCES = {"SUB", "SUBTRACTION", "MIP", "MPR", "PROJECTION IMAGE"}
_ALONG = {"echo": ("EchoTime", "ms", "FlipAngle"), "flip": ("FlipAngle", "deg", "EchoTime")}
"""Axis -> the fact that it runs along, its unit, and the fact that stays then."""
_SCALES = ("RescaleSlope", "PhilipsScaleSlope")
_UNSCALED = (
    "brightness cannot be compared between them without Scale Slope (2005,100E)",
    "send them with their private elements",
)


def kind_words(volume: Volume) -> list[str]:
    """The words of Image Type; of an object with frames of several kinds those of the frames that this volume holds."""
    return [str(w).strip().upper() for w in volume.facts.get("FrameType") or volume.facts.get("ImageType") or []]


def dixon_part(volume: Volume) -> str:
    """``fat`` or ``water`` where a scanner separated the two, by Image Type or else the description; empty otherwise.

    Where Image Type names either, or calls the image in or out of phase, the description is not asked.
    """
    words = set(kind_words(volume))
    if any("FRAC" in word or "PERC" in word for word in words):
        return ""  # a share, and no image, of either
    said = [part for part, names in _OF_PART.items() if words & names]
    if said or words & {"IP", "OP", "IN_PHASE", "OUT_PHASE", "INPHASE", "OUTPHASE", "OPP_PHASE"}:
        return said[0] if len(said) == 1 else ""
    described = str(volume.facts.get("SeriesDescription") or "").strip()
    if _NO_DIXON.search(described):
        return ""
    if found := _PART_BY_NAME.match(described):
        told = (found["first"] or found["last"] or found["letter"]).lower()
        return "fat" if told[0] == "f" else "water"
    # Anywhere in the description, where it says that the two were parted, and names one of them.
    parted = _PARTED.search(described) and not _WHOLE.search(described)
    named = [part for part, words in _NAMED.items() if words.search(described)] if parted else []
    return named[0] if len(named) == 1 else ""


def component(volume: Volume) -> str:
    """magnitude, phase, real or imaginary, as the header tells."""
    facts = volume.facts
    said = kind_words(volume)[2:]
    said += [str(facts[k]).upper() for k in ("ComplexImageComponent", "GEImageKind") if k in facts]
    for name in ("phase", "real", "imaginary", "magnitude"):
        words = {w for w in _WORDS[name] if len(w) > 1 or not w.isdigit() or "GEImageKind" in facts}
        if any(w in words for w in said):
            return name
    return "magnitude"


def is_signal(facts: Mapping[str, Any]) -> bool:
    """Whether a header is that of measured magnitudes, of all tissue or of water: no phase, fat, difference or map.

    >>> is_signal({"ImageType": ["ORIGINAL", "PRIMARY", "M"]}), is_signal({"ImageType": ["ORIGINAL", "PRIMARY", "P"]})
    (True, False)
    """
    words = [str(w).strip().upper() for w in facts.get("FrameType") or facts.get("ImageType") or []]
    others = set().union(*(_WORDS[name] for name in ("phase", "real", "imaginary")), _OF_PART["fat"], _DIFFERENCES)
    said = {w for w in words[2:] if not w[:1].isdigit()} - _OF_PART["water"]
    return "DERIVED" not in words[:1] and not said & others and not any(map(_MADE.fullmatch, said))


def must_be_magnitude(volume: Volume) -> None:
    """Refuse phase, real and imaginary images: agent changes the magnitude.

    Raises:
        Refused: where the header says that they are such.
    """
    if (said := component(volume)) != "magnitude":
        raise Refused(f"{said} images", "contrast agent is told by magnitude", "send the magnitude images")


def timing(volume: Volume) -> tuple[str, ...]:
    """What is to be said of how the frames of a series were timed, and of images that were left at its ends."""
    said = []
    if "TimedBy" in volume.facts:
        said.append(f"frames are timed by {volume.facts['TimedBy']}, as nothing else states when they were measured")
    if left := volume.facts.get("FramesLeft"):
        said.append(f"{left} images at the start or end were left, since the other slices have none then")
    return tuple(said)


def on_one_scale(volume: Volume) -> Volume:
    """Magnitudes of Philips in the signal of the scanner: rescaled value / (Rescale Slope x Scale Slope (2005,100E)).

    Philips scales each series, and may scale each image, to fill its bits: rescaled values of two flip angles, or of
    two slices, are no signals of one scale (Chenevert et al., Transl Oncol 7 (2014) 65). Others are given back as they
    are, and so are those that differ from slice to slice alone and do not state their scale: within a voxel they are
    on one scale.

    Raises:
        Refused: when its images are scaled apart within a voxel and not all state the scale.
    """
    if not _is_of_philips(volume):
        return volume
    rescale, scale = (_each(volume, keyword) for keyword in _SCALES)
    if rescale is not None and scale is not None and (scale > 0).all():
        by = (1.0 / (rescale * scale))[..., None, None].astype(np.float32)
        return replace(volume, array=volume.array.astype(np.float32) * by)
    if rescale is not None and rescale.ndim > 1 and _differ(rescale, tuple(range(rescale.ndim - 1))):
        raise Refused("Philips images of one series that are scaled apart and do not state their scale", *_UNSCALED)
    return volume


def on_one_scale_in_space(volume: Volume) -> Volume:
    """An image whose slices may be compared: magnitudes of Philips that are scaled from slice to slice, on one scale.

    Raises:
        Refused: when their slices are scaled apart and not all state the scale.
    """
    if not (_is_of_philips(volume) and any(key in _SCALES for key in volume.facts.get("PerImage") or {})):
        return volume
    rescale, scale = (_each(volume, keyword) for keyword in _SCALES)
    if rescale is None or scale is None:
        raise Refused("Philips slices that are scaled apart and do not all state their scale", *_UNSCALED)
    return on_one_scale(volume)


def _differ(values: npt.NDArray[np.float64], axes: tuple[int, ...]) -> bool:
    return bool((np.ptp(values, axis=axes) > 1e-6 * np.abs(values).max()).any())


def _is_of_philips(volume: Volume) -> bool:
    """Whether it holds magnitudes of Philips."""
    return str(volume.facts.get("Manufacturer", "")).upper().startswith("PHILIPS") and component(volume) == "magnitude"


def _each(volume: Volume, keyword: str) -> npt.NDArray[np.float64] | None:
    """(leading axes, slices), each of length one where all share a number; None where it is not stated."""
    facts, leading = volume.facts, volume.array.shape[:-3]
    if keyword in facts:
        return np.full((1,) * (len(leading) + 1), float(np.ravel(facts[keyword])[0]))
    if (phases := (facts.get("PerPhase") or {}).get(keyword)) is not None:
        return np.array([float(np.ravel(v)[0]) for v in phases]).reshape(*leading, 1)
    if (images := (facts.get("PerImage") or {}).get(keyword)) is not None:
        return np.array(images, np.float64).reshape(*leading, -1)
    return None


def joined(volumes: tuple[Volume, ...], along: Literal["echo", "flip"]) -> tuple[Volume, ...]:
    """Volumes that have the axis, and those without one put together where they are of one scan.

    Of two volumes with one echo time, or flip angle, the first is taken; the other begins another scan.

    Raises:
        Refused: see `on_one_scale`.
    """
    fact, unit, stays = _ALONG[along]
    whole = [on_one_scale(v) for v in volumes if [a.name for a in v.axes] == [along]]
    scans: list[dict[float, Volume]] = []
    for volume in volumes:
        value = volume.facts.get(fact)
        if volume.axes or volume.geometry.reference is not Reference.PATIENT or not isinstance(value, (int, float)):
            continue
        if is_made(volume):
            continue
        scan = next((s for s in scans if value not in s and _of_one(next(iter(s.values())), volume, stays)), None)
        if scan is None:
            scans.append({float(value): volume})
        else:
            scan[float(value)] = volume
    return (*whole, *(_stacked(scan, along, unit) for scan in scans if len(scan) > 1))


def is_made(volume: Volume) -> bool:
    """Whether a scanner computed it of its images: fat, water, their shares, maps."""
    described = str(volume.facts.get("SeriesDescription") or "").strip()
    made = any(_MADE.fullmatch(word) for word in kind_words(volume)) or bool(_MADE_BY_NAME.match(described))
    return made or bool(dixon_part(volume))


def _of_one(one: Volume, other: Volume, stays: str) -> bool:
    same = all(one.facts.get(k) == other.facts.get(k) for k in ("RepetitionTime", "MagneticFieldStrength", stays))
    return same and component(one) == component(other) and one.geometry.same_grid(other.geometry)


def _stacked(scan: dict[float, Volume], axis: str, unit: str) -> Volume:
    """Volumes by their place along the axis, as one."""
    values = sorted(scan)
    parts = comparable([scan[v] for v in values])
    return replace(
        parts[0],
        array=np.stack([p.array for p in parts]),
        axes=(Axis(axis, tuple(values), unit),),
        instance_uids=tuple(uid for p in parts for uid in p.instance_uids),
    )


def comparable(parts: Sequence[Volume]) -> list[Volume]:
    """Series whose brightness is compared, on one scale (`on_one_scale`): echoes, flip angles, fat and water.

    Raises:
        Refused: where only some of Philips state their scale, or they are scaled apart and none does.
    """
    _must_state_scales(parts)
    return [on_one_scale(part) for part in parts]


def _must_state_scales(parts: Sequence[Volume]) -> None:
    """Refuse series of which only some state their scale, or that are scaled apart and none does."""
    philips = [p for p in parts if _is_of_philips(p)]
    stated = sum(_each(p, "PhilipsScaleSlope") is not None for p in philips)
    slopes = {tuple(np.round(np.ravel(s), 6).tolist()) for p in philips if (s := _each(p, "RescaleSlope")) is not None}
    if stated == len(philips) or (not stated and len(slopes) < 2):
        return
    told = ", ".join(_ranged(s) for s in sorted(slopes)) or "what is not told"
    raise Refused(f"Philips series scaled by {told} of which {stated} of {len(philips)} state their scale", *_UNSCALED)


def _ranged(slopes: tuple[float, ...]) -> str:
    low, high = min(slopes), max(slopes)
    return f"{low:g}" if low == high else f"{low:g} to {high:g}"
