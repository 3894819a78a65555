"""Closed outlines in parallel planes of any direction to voxels of a grid whose slices they cross.

Each plane stands for a slab that reaches half way to its neighbours, as a slice does. A voxel belongs to what outlines
enclose when its centre lies in the slab of a plane and, seen along the normal, inside the outlines of that plane.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space.geometry import Geometry
from isocenter.space.outline import filled, united

__all__ = ["crosses", "slabs"]

_FLAT_MM = 0.5  # how far corners may lie beside their plane
_ONE_PLANE_MM = 0.05  # levels that are one level, rounded
_ALONG = 0.1  # of a step: an outline that keeps within it lies in a plane of voxels
_GAP = 1.5  # of the usual distance of planes: beyond it a structure ends, and begins again
_THICKEST_MM = 10.0  # distance of planes from which what lies between them is a guess
_HALF_OPEN = 1e-6  # of a slab: a centre midway between two planes belongs to one of them, whichever way arrays run

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def crosses(outlines: Sequence[Floats], geometry: Geometry) -> bool:
    """Whether the largest of some outlines, in patient millimetres, goes through more than one slice of a grid."""
    depth = geometry.to_index(max(outlines, key=_size_mm2))[:, 0]
    return bool(np.abs(depth - np.median(depth)).max() > 0.5)


def slabs(
    outlines: Sequence[Floats],
    geometry: Geometry,
    label: str,
    *,
    thickness_mm: float = 0.0,
    exclusive: bool = False,
    one_each: bool = False,
) -> Mask:
    """Voxels of a grid within outlines that were drawn in parallel planes across its slices.

    Args:
        outlines: each (n, 3) corners in patient millimetres; the last is joined to the first.
        label: of the structure, for words.
        thickness_mm: of a slab where there is one plane only; 0 where it is not known.
        exclusive: whether outlines that cross take from one another what they share.
        one_each: whether a second outline of a plane may be that of another phase, and is refused.

    Raises:
        Refused: when the outlines lie in planes of several directions, their planes are too far apart, or one plane
            that is none of voxels has no thickness.
    """
    largest = max(outlines, key=_size_mm2)
    spread = np.ptp(geometry.to_index(largest), axis=0)
    axis = int(spread.argmin())
    along = bool(spread[axis] <= _ALONG)
    normal = _normal(geometry, largest, axis, along=along)
    planes = _planes(outlines, normal, label)
    if one_each and any(len(held) > 1 for held in planes.values()):
        raise Refused(
            f"several contours of '{label}' in one plane across a scan of several phases",
            "taken together the inner ones would be holes in the outer ones",
            "name one structure for each phase",
        )
    step_mm = abs(float(geometry.affine[:3, axis] @ normal)) if along else 0.0
    ends = _ends(sorted(planes), thickness_mm or step_mm, label)
    if along:
        return _filled_along(planes, ends, geometry, axis, normal, exclusive=exclusive)
    return _filled_across(planes, ends, geometry, normal)


@dataclass(frozen=True)
class _Slab:
    level: float
    low: float
    high: float


def _size_mm2(outline: Floats) -> float:
    return float(np.linalg.norm(_area_vector(outline)))


def _area_vector(outline: Floats) -> Floats:
    about = outline - outline.mean(axis=0)
    twice: Floats = np.cross(about, np.roll(about, -1, axis=0)).sum(axis=0)
    return twice / 2.0


def _normal(geometry: Geometry, largest: Floats, axis: int, *, along: bool) -> Floats:
    """Unit normal of the planes, to the patient's left, back or head: the same however an image is stored."""
    if along:
        one, other = (geometry.affine[:3, n] for n in range(3) if n != axis)
        across = np.cross(one, other)
    else:
        across = _area_vector(largest)
    unit: Floats = across / max(float(np.linalg.norm(across)), 1e-12)
    most = int(np.abs(np.round(unit, 6)).argmax())
    return unit if unit[most] > 0 else -unit


def _planes(outlines: Sequence[Floats], normal: Floats, label: str) -> dict[float, list[Floats]]:
    """Level along the normal, in mm -> the outlines there."""
    found: dict[float, list[Floats]] = {}
    beside = 0
    for outline in outlines:
        depth = outline @ normal
        level = float(np.median(depth))
        beside += bool(np.abs(depth - level).max() > _FLAT_MM)
        same = next((k for k in found if abs(k - level) <= _ONE_PLANE_MM), level)
        found.setdefault(same, []).append(outline)
    if beside:
        raise Refused(
            f"{beside} of {len(outlines)} contours of '{label}' do not lie in planes parallel to its largest one",
            "they were drawn in several directions, and what they enclose together is not known",
            "draw the structure in planes of one direction",
        )
    return found


def _ends(levels: Sequence[float], alone_mm: float, label: str) -> list[_Slab]:
    steps = np.diff(levels)
    usual = float(np.median(steps)) if len(steps) else alone_mm
    if not usual:
        raise Refused(
            f"contours of '{label}' do not lie in a slice of the image, and all lie in one plane",
            "one plane that crosses slices has no thickness, and without it no volume",
            "send the series that it was drawn on, or draw it in more planes",
        )
    if usual > _THICKEST_MM:
        raise Refused(
            f"contours of '{label}' do not lie in a slice of the image; their planes are {usual:.3g} mm apart",
            f"what lies between planes more than {_THICKEST_MM:g} mm apart is a guess",
            "interpolate the structure, or send the series that it was drawn on",
        )
    between = [step / 2 if step <= _GAP * usual else usual / 2 for step in steps]
    before, after = [usual / 2, *between], [*between, usual / 2]
    return [_Slab(at, at - low, at + high) for at, low, high in zip(levels, before, after, strict=True)]


def _within(slab: _Slab, levels: Floats) -> Mask:
    shifted = levels + _HALF_OPEN * (slab.high - slab.low)
    return np.asarray((shifted >= slab.low) & (shifted < slab.high), dtype=np.bool_)


def _filled_along(
    planes: dict[float, list[Floats]], ends: Sequence[_Slab], geometry: Geometry, axis: int, normal: Floats, *,
    exclusive: bool,
) -> Mask:  # fmt: skip
    """Of planes that lie as planes of voxels do, so that each of these has one answer."""
    mask = np.zeros(geometry.shape, dtype=bool)
    layers = np.moveaxis(mask, axis, 0)
    rest = [n for n in range(3) if n != axis]
    levels = (geometry.affine[:3, 3] + np.arange(layers.shape[0])[:, None] * geometry.affine[:3, axis]) @ normal
    for slab in ends:
        lines = [geometry.to_index(o)[:, rest] for o in planes[slab.level]]
        size = (layers.shape[1], layers.shape[2])
        layers[_within(slab, levels)] = filled(lines, size) if exclusive else united(lines, size)[0]
    return mask


def _filled_across(
    planes: dict[float, list[Floats]], ends: Sequence[_Slab], geometry: Geometry, normal: Floats
) -> Mask:  # fmt: skip
    """Of planes that are oblique to the voxels: each centre is asked whether an odd number of outlines hold it."""
    from skimage.measure import points_in_poly

    mask = np.zeros(geometry.shape, dtype=bool)
    first = np.cross(normal, np.eye(3)[int(np.abs(normal).argmin())])
    first /= np.linalg.norm(first)
    flat = np.array([first, np.cross(normal, first)])
    for slab in ends:
        reach = np.array([slab.low - slab.level, slab.high - slab.level])
        near = [o + d * normal for o in planes[slab.level] for d in reach]
        index = geometry.to_index(np.concatenate(near))
        low = np.floor(index.min(axis=0)).astype(int).clip(min=0)
        high = (np.ceil(index.max(axis=0)).astype(int) + 1).clip(max=geometry.shape)
        if (high <= low).any():
            continue
        box = np.stack(np.meshgrid(*(np.arange(a, b) for a, b in zip(low, high, strict=True)), indexing="ij"), axis=-1)
        places = box.reshape(-1, 3)
        centres = geometry.to_patient(places)
        held = _within(slab, centres @ normal)
        places, at = places[held], centres[held] @ flat.T
        inside = np.zeros(len(places), dtype=bool)
        for outline in planes[slab.level]:
            inside ^= np.asarray(points_in_poly(at, outline @ flat.T), dtype=bool)
        mask[tuple(places[inside].T)] = True
    return mask
