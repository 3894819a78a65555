"""Texture of a region: how its grey levels lie beside each other (GLCM, GLRLM, GLSZM, GLDZM, NGTDM, NGLDM of IBSI).

What is measured depends on how the matrices of slices and directions are brought together, so the strategy is a part of
each name::

    _2D_avg, _2D_comb      by slice: every direction for itself, or directions merged; then averaged (BTW3, SUJT)
    _2_5D_avg, _2_5D_comb  slices merged: by direction and averaged, or all in one matrix (JJUI, ZW7Z)
    _3D_avg, _3D_comb      in space: averaged over 13 directions, or all in one matrix (ITBB, IAZD)
    _2D, _2_5D, _3D        the families without directions (8QNN, 62GR, KOBO)

>>> grid = np.zeros((1, 2, 3), np.int32); grid[0] = [[1, 1, 2], [1, 2, 2]]
>>> round(features(grid, families=("cm",), dimensions=("2D",))["cm_contrast_2D_comb"], 4)
0.4545

Source: Zwanenburg et al., Radiology 295 (2020) 328; IBSI reference manual, chapter 3.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import cooccurrence
from isocenter.methods.emphases import NAMES, emphases, of_matrix
from isocenter.methods.texture_counts import (
    DIRECTIONS,
    Levels,
    Zones,
    border_distance,
    cooccurrences,
    neighbourhoods,
    runs,
    zones,
)
from isocenter.methods.tone_difference import NAMES as TONE_NAMES
from isocenter.methods.tone_difference import tone_features

__all__ = ["DIMENSIONS", "FAMILIES", "features", "glcm", "gldzm", "glrlm", "glszm", "ngldm", "ngtdm"]

Floats = npt.NDArray[np.float64]

FAMILIES = ("cm", "rlm", "szm", "dzm", "ngt", "ngl")
"""GLCM, GLRLM, GLSZM, GLDZM, NGTDM and NGLDM, by the beginning of their tags."""

DIMENSIONS = ("2D", "2_5D", "3D")
_MOST_LEVELS = 1024  # a dense matrix of more would be larger than most images


def features(
    levels: Levels,
    count: int = 0,
    *,
    families: Sequence[str] = FAMILIES,
    dimensions: Sequence[str] = DIMENSIONS,
    outline: npt.NDArray[np.bool_] | None = None,
    coarseness: int = 0,
) -> dict[str, float]:
    """Every texture feature of a region, by IBSI tag with its merge strategy.

    Args:
        levels: (slices, rows, columns) grey levels from 1 inside the region, 0 outside (see `discretisation`).
        count: number of grey levels that there could be; 0 for the highest that occurs.
        families, dimensions: which, of `FAMILIES` and `DIMENSIONS`.
        outline: the region before any voxel was left out for its intensity: distances are measured to its border.
        coarseness: difference of grey level up to which neighbours depend on each other (NGLDM).

    Raises:
        Refused: when the region is empty or has too many grey levels for a texture.
    """
    levels = _counted(levels)
    asked = _Asked(levels, count, tuple(dimensions))
    found: dict[str, float] = {}
    if "cm" in families:
        found |= glcm(levels, asked.count, dimensions=dimensions)
    if "rlm" in families:
        found |= glrlm(levels, asked.count, dimensions=dimensions)
    if "szm" in families or "dzm" in families:
        found |= _zonal(levels, families, dimensions, outline)
    if "ngt" in families or "ngl" in families:
        found |= _neighbourly(levels, asked.count, families, dimensions, coarseness)
    return found


def glcm(levels: Levels, count: int = 0, *, dimensions: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Grey level co-occurrence at distance 1: 25 features for each strategy."""
    levels = _counted(levels)
    asked = _Asked(levels, count, tuple(dimensions))
    found: dict[str, float] = {}

    def say(merge: str, matrices: Floats) -> None:
        values = cooccurrence.features(matrices)
        found.update({f"cm_{name}_{merge}": float(_mean(v)) for name, v in values.items()})

    if asked.flat:
        planes = [cooccurrences(levels, asked.count, d, by_slice=True) for d in range(4)]
        if "2D" in dimensions:
            say("2D_avg", np.concatenate(planes))
            say("2D_comb", np.sum(planes, axis=0))
        if "2_5D" in dimensions:
            by_direction = np.stack([p.sum(axis=0) for p in planes])
            say("2_5D_avg", by_direction)
            say("2_5D_comb", by_direction.sum(axis=0, keepdims=True))
    if "3D" in dimensions:
        each = [cooccurrences(levels, asked.count, d, by_slice=False) for d in range(len(DIRECTIONS))]
        say("3D_avg", np.concatenate(each))
        say("3D_comb", np.sum(each, axis=0))
    return found


def glrlm(levels: Levels, count: int = 0, *, dimensions: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Grey level run lengths: 16 features for each strategy."""
    levels = _counted(levels)
    asked = _Asked(levels, count, tuple(dimensions))
    found: dict[str, float] = {}

    def say(merge: str, matrices: Iterable[Floats], voxels: Iterable[float]) -> None:
        found.update(_averaged("rlm", merge, [of_matrix(m, n) for m, n in zip(matrices, voxels, strict=True)]))

    if asked.flat:
        planes = [runs(levels, asked.count, d, by_slice=True) for d in range(4)]
        if "2D" in dimensions:
            say("2D_avg", (m for plane in planes for m in plane), list(asked.by_slice) * 4)
            say("2D_comb", np.sum(planes, axis=0), 4.0 * asked.by_slice)
        if "2_5D" in dimensions:
            by_direction = [p.sum(axis=0) for p in planes]
            say("2_5D_avg", by_direction, [asked.voxels] * 4)
            say("2_5D_comb", [np.sum(by_direction, axis=0)], [4.0 * asked.voxels])
    if "3D" in dimensions:
        each = [runs(levels, asked.count, d, by_slice=False)[0] for d in range(len(DIRECTIONS))]
        say("3D_avg", each, [asked.voxels] * len(each))
        say("3D_comb", [np.sum(each, axis=0)], [len(each) * asked.voxels])
    return found


def glszm(levels: Levels, *, dimensions: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Grey level size zones: 16 features for each strategy."""
    return features(levels, families=("szm",), dimensions=dimensions)


def gldzm(
    levels: Levels, *, outline: npt.NDArray[np.bool_] | None = None, dimensions: Sequence[str] = DIMENSIONS
) -> dict[str, float]:
    """Grey level distance zones: 16 features for each strategy; distances are to the border of `outline`."""
    return features(levels, families=("dzm",), dimensions=dimensions, outline=outline)


def ngtdm(levels: Levels, count: int = 0, *, dimensions: Sequence[str] = DIMENSIONS) -> dict[str, float]:
    """Neighbourhood grey tone differences at distance 1: 5 features for each strategy."""
    return features(levels, count, families=("ngt",), dimensions=dimensions)


def ngldm(
    levels: Levels, count: int = 0, *, dimensions: Sequence[str] = DIMENSIONS, coarseness: int = 0
) -> dict[str, float]:
    """Neighbouring grey level dependence at distance 1: 17 features for each strategy."""
    return features(levels, count, families=("ngl",), dimensions=dimensions, coarseness=coarseness)


def _counted(levels: npt.NDArray[Any]) -> Levels:
    """Counting numbers of one kind, since the code is compiled anew, for seconds, for each kind that files give."""
    given = np.asarray(levels)
    if given.dtype.kind not in "iub" and not (np.isfinite(given).all() and (given == np.floor(given)).all()):
        raise Refused("grey levels that are no counting numbers", "0 is outside, 1 is the lowest", "discretise first")
    if given.dtype == np.int32:
        return given
    # Too low and too high stay so, and are refused as such: a cast alone would fold them into the range.
    return np.asarray(np.clip(given, np.int64(-1), np.int64(np.iinfo(np.int32).max)), dtype=np.int32)


class _Asked:
    """The region that was given, looked at once."""

    def __init__(self, levels: Levels, count: int, dimensions: tuple[str, ...]) -> None:
        highest = int(levels.max(initial=0))
        if highest < 1:
            raise Refused("a region without voxels", "it has no texture", "look at the mask and the range")
        if levels.ndim != 3 or int(levels.min()) < 0:
            raise Refused(
                "grey levels that are no counting numbers", "0 is outside, 1 is the lowest", "discretise first"
            )
        self.count = max(count, highest)
        if self.count > _MOST_LEVELS:
            raise Refused(
                f"{self.count} grey levels",
                "each would meet itself too rarely for a texture",
                "choose fewer bins or wider ones",
            )
        if unknown := set(dimensions) - set(DIMENSIONS):
            raise Refused(
                f"dimensions {', '.join(sorted(unknown))}", f"there are {', '.join(DIMENSIONS)}", "name one of these"
            )
        self.flat = bool({"2D", "2_5D"} & set(dimensions))
        self.by_slice = np.count_nonzero(levels, axis=(1, 2)).astype(np.float64)
        self.voxels = float(self.by_slice.sum())


def _zonal(
    levels: Levels, families: Sequence[str], dimensions: Sequence[str], outline: npt.NDArray[np.bool_] | None
) -> dict[str, float]:
    found: dict[str, float] = {}
    mask = levels > 0 if outline is None else outline
    for by_slice in (True, False):
        wanted = [d for d in dimensions if (d == "3D") is not by_slice]
        if not wanted:
            continue
        distance = border_distance(mask, by_slice=by_slice)
        made = zones(levels, distance, by_slice=by_slice)
        for family, size in (("szm", made.size), ("dzm", made.distance)):
            if family in families:
                for dimension in wanted:
                    found |= _zoned(family, dimension, made, size, np.count_nonzero(levels, axis=(1, 2)))
    return found


def _zoned(
    family: str, dimension: str, made: Zones, size: npt.NDArray[np.int64], voxels: npt.NDArray[np.int64]
) -> Mapping[str, float]:
    once = np.ones(len(size))
    if dimension != "2D":
        return _averaged(family, dimension, [emphases(made.grey, size, once, float(voxels.sum()))])
    edges = np.searchsorted(made.slice, np.arange(len(voxels) + 1))  # zones are met slice by slice
    parts = [(slice(a, b), float(n)) for a, b, n in zip(edges[:-1], edges[1:], voxels, strict=True) if b > a]
    return _averaged(family, dimension, [emphases(made.grey[at], size[at], once[at], n) for at, n in parts])


def _neighbourly(
    levels: Levels, count: int, families: Sequence[str], dimensions: Sequence[str], coarseness: int
) -> dict[str, float]:
    found: dict[str, float] = {}
    for by_slice in (True, False):
        wanted = [d for d in dimensions if (d == "3D") is not by_slice]
        if not wanted:
            continue
        made = neighbourhoods(levels, count, by_slice=by_slice, coarseness=coarseness)
        for dimension in wanted:
            merged = [a.sum(axis=0, keepdims=True) for a in made] if dimension == "2_5D" else made
            voxels, differences, dependent = merged
            if "ngt" in families:
                tones = [tone_features(v, s) for v, s in zip(voxels, differences, strict=True)]
                means = _mean(np.array(tones))
                found |= {f"ngt_{n}_{dimension}": float(v) for n, v in zip(TONE_NAMES, means, strict=True)}
            if "ngl" in families:
                found |= _averaged("ngl", dimension, [of_matrix(m, float(m.sum())) for m in dependent])
    return found


def _averaged(family: str, merge: str, values: Sequence[tuple[float, ...]]) -> dict[str, float]:
    """Means over the matrices that have counts, by tag."""
    means = _mean(np.array(values))
    return {f"{family}_{name}_{merge}": float(v) for name, v in zip(NAMES[family], means, strict=False)}


def _mean(values: Floats) -> Floats:
    """Mean over the first axis of what is a number; NaN where nothing is."""
    held = ~np.isnan(values)
    with np.errstate(invalid="ignore"):
        return np.asarray(np.where(held, values, 0.0).sum(axis=0) / held.sum(axis=0))
