"""What is bright in an organ and cannot be a vessel of it: clips, calcium and lipiodol, and masses as wide as long.

A filter for tubes takes its measure from the strongest answer in the organ. One clip answers several times as strongly
as blood, so that no vessel is left beside it; and a mass that takes up contrast answers by its rim. Both are told from
vessels by brightness and shape before the filter looks: blood is no brighter in one vessel than in all others, and a
vessel is longer than it is wide.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

__all__ = ["Masses", "masses"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

_TOP_ML = 0.5  # blood is as bright as the brightest so many mL, those of clips left out
_BRIGHTER = 3.0  # times as far above the organ as blood
_CLIP_MM = 20.0  # longer things of one brightness are vessels, however little blood there is
_BLOOM_MM = 2.5  # about what is left out, which blurs
_SOFTENED_MM = 1.0
_ORDER, _SAMPLES, _FITS = 4, 40_000, 4  # of the polynomial that follows a coil
_HALF = 0.5
_NOISE = 4.0  # standard deviations of the softened organ: lumps of noise are not called a mass
_BULKY, _WIDER = 3.0, 1.5  # length over inner radius of a ball is 2; inner radius where vessels join, over theirs


@dataclass(frozen=True, eq=False)
class Masses:
    """What is no vessel, with what it blurs into.

    Args:
        too_bright: brighter than blood. too_broad: as wide as long, or wider than any vessel.
        ground: median of the organ.
    """

    too_bright: Mask
    too_broad: Mask
    ground: float

    @property
    def both(self) -> Mask:
        """Everything that is left out."""
        return self.too_bright | self.too_broad


def masses(
    values: Floats, inside: Mask, spacing_mm: tuple[float, float, float], *, widest_mm: float, never: float = np.inf
) -> Masses:
    """Find them.

    Args:
        values: (slices, rows, columns), vessels bright.
        inside: the organ, with voxels.
        widest_mm: radius of the widest vessels that are looked for.
        never: value from which nothing is blood, whatever its shape.
    """
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    ground = float(np.median(values[inside]))
    sure = inside & (values >= never)
    rest = inside & ~_near(sure, spacing_mm)
    values = _level(values, rest, ground)
    blood = _brightest(values, rest, voxel_ml)
    limit = ground + _BRIGHTER * (blood - ground)
    # A thin vessel alone is above the limit in pieces, and whole at half of it.
    whole = rest & (values > ground + _HALF * (limit - ground))
    too_bright = _near(sure | _shorter(whole, whole & (values > limit), spacing_mm), spacing_mm) & inside
    rest = inside & ~too_bright
    soft = ndimage.gaussian_filter(
        np.where(rest, values, ground).astype(np.float32), [_SOFTENED_MM / mm for mm in spacing_mm]
    )
    spread = float(np.median(np.abs(soft[rest] - ground))) / 0.6745 if rest.any() else 0.0
    half = max(_HALF * (_brightest(soft, rest, voxel_ml) - ground), _NOISE * spread)
    bright = rest & (soft > ground + half)
    return Masses(too_bright, _near(_bulky(bright, spacing_mm, widest_mm), spacing_mm) & rest, ground)


def _level(values: Floats, where: Mask, ground: float) -> Floats:
    """Values with the organ as bright everywhere: near a coil of MR it is brighter by more than blood is elsewhere.

    A polynomial follows a coil and no lesion; it is fitted again without what stands out of it.
    """
    if not where.any():
        return values
    ends = [np.linspace(-1.0, 1.0, n, dtype=np.float32) for n in values.shape]
    places = np.argwhere(where)
    places = places[:: max(1, len(places) // _SAMPLES)]
    held = values[tuple(places.T)].astype(np.float64) - ground
    terms = _terms(*(end[axis] for end, axis in zip(ends, places.T, strict=True)))
    kept = np.ones(len(held), bool)
    for _ in range(_FITS):
        fitted = terms @ np.linalg.lstsq(terms[kept], held[kept], rcond=None)[0]
        away = np.abs(held - fitted)
        kept = away <= 3.0 * max(float(np.median(away)), 1e-6 * max(abs(ground), 1.0))
    weights = np.linalg.lstsq(terms[kept], held[kept], rcond=None)[0].astype(np.float32)
    level = np.array(values, np.float32)
    for k, z in enumerate(ends[0]):
        row, column = np.meshgrid(ends[1], ends[2], indexing="ij")
        level[k] -= _terms(np.full_like(row, z), row, column) @ weights
    return level


def _terms(z: Floats, y: Floats, x: Floats) -> Floats:
    """Every product of powers up to the order, last."""
    powers = [(a, b, c) for a in range(_ORDER + 1) for b in range(_ORDER + 1 - a) for c in range(_ORDER + 1 - a - b)]
    return np.stack([z**a * y**b * x**c for a, b, c in powers], axis=-1)


def _brightest(values: Floats, where: Mask, voxel_ml: float) -> float:
    held = values[where]
    many = min(max(1, round(_TOP_ML / voxel_ml)), max(1, held.size // 10))
    return float(np.partition(held, -many)[-many]) if held.size else np.inf


def _near(mask: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    if not mask.any():
        return mask
    return np.asarray(ndimage.distance_transform_edt(~mask, sampling=spacing_mm) <= _BLOOM_MM)


def _sides_mm(box: tuple[slice, ...], spacing_mm: tuple[float, float, float]) -> list[float]:
    return [(s.stop - s.start) * mm for s, mm in zip(box, spacing_mm, strict=True)]


def _shorter(whole: Mask, hard: Mask, spacing_mm: tuple[float, float, float]) -> Mask:
    """Parts with something hard in them that are shorter than a vessel."""
    labels, count = ndimage.label(whole, np.ones((3, 3, 3), bool))
    kept = np.zeros(count + 1, bool)
    kept[labels[hard]] = True
    for n, box in enumerate(ndimage.find_objects(labels), start=1):
        kept[n] &= float(np.linalg.norm(_sides_mm(box, spacing_mm))) < _CLIP_MM
    return np.asarray(kept[labels])


def _bulky(bright: Mask, spacing_mm: tuple[float, float, float], widest_mm: float) -> Mask:
    """Parts as wide as long, and of the others what is wider than where the widest vessels join."""
    deep = ndimage.distance_transform_edt(np.pad(bright, 1), sampling=spacing_mm)[1:-1, 1:-1, 1:-1]
    labels, _ = ndimage.label(bright)
    found = np.zeros_like(bright)
    for n, box in enumerate(ndimage.find_objects(labels), start=1):
        mine = labels[box] == n
        radius = float(deep[box][mine].max())
        if radius > min(spacing_mm) and max(_sides_mm(box, spacing_mm)) <= _BULKY * radius:
            found[box] |= mine
    core = bright & (deep > _WIDER * widest_mm)
    if core.any():
        found |= bright & (ndimage.distance_transform_edt(~core, sampling=spacing_mm) <= _WIDER * widest_mm)
    return found
