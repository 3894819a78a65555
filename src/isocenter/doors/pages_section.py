"""Regions cut by any plane of the patient, whole masks for a series, and maps as numbers: what a browser draws from.

A plane is a point and a normal. Where it runs along two axes of a region's grid the outline is that of the voxels
themselves; any other plane is sampled at the finest step of the grid. Outlines come as whole hundredths of a
millimetre from one corner along two unit vectors, which is small on the wire, and all regions of a result in one
answer.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import LimitReached, Refused
from isocenter.forms.contours import outlines
from isocenter.record import Finding, Map, Verdict
from isocenter.space import Geometry, Reference, Region, Shape, resample_region

__all__ = ["Plane", "cut", "halves", "label_map", "packed", "section", "sure_parts", "told"]

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
Lines = list[list[int]]

_STEPS = 100  # of a millimetre
_ALONG = 1e-4  # how far the normal may lean from an axis of the grid
_LARGEST = 4096**2  # pixels of a sampled plane
_MOST_VOXELS = 2**28
_SURE = 0.9
_HALF_MAX = 60000.0  # float16 ends at 65504


@dataclass(frozen=True)
class Plane:
    """A plane of the patient: a point (mm), its unit normal, and unit vectors to the right and down in it."""

    point: Floats
    normal: Floats
    right: Floats
    down: Floats

    @classmethod
    def through(cls, point: Sequence[float], normal: Sequence[float]) -> Plane:
        """Any plane.

        Raises:
            Refused: a value that is no number, or a normal without length.
        """
        at, across = np.array(point, dtype=np.float64), np.array(normal, dtype=np.float64)
        if not (np.isfinite(at).all() and np.isfinite(across).all() and np.linalg.norm(across) > 1e-9):
            raise Refused(
                "a plane that is none", "it needs a point and a normal of three numbers each", "draw the line again"
            )
        across = across / np.linalg.norm(across)
        right = np.cross(across, np.eye(3)[int(np.abs(across).argmin())])
        right /= np.linalg.norm(right)
        return cls(at, across, right, np.cross(across, right))


def section(findings: Sequence[Finding], plane: Plane, sure: Mapping[str, Bools] | None = None) -> dict[str, Any]:
    """The outlines of all regions of a result in one plane.

    Args:
        findings: those without voxels in the patient, and those that were struck, are left out.
        sure: tracking -> the part of its mask that is sure, where that is known.

    Returns:
        ``origin``, ``right``, ``down`` and ``outlines``: tracking -> ``lines`` and, where it is known, ``sure``; each
        line is x, y, x, y, … in hundredths of a millimetre, its end joined to its beginning.
    """
    told: dict[str, Any] = {}
    for finding in findings:
        where = finding.where
        if where is None or where.mask is None or finding.verdict is Verdict.STRUCK or not where.voxels:
            continue
        if where.geometry.reference is not Reference.PATIENT:
            continue
        lines = cut(where.mask, where.geometry, where.bounds, plane)
        if lines:
            told[finding.tracking] = {"lines": lines}
            if sure and finding.tracking in sure:
                told[finding.tracking]["sure"] = cut(sure[finding.tracking], where.geometry, where.bounds, plane)
    return {
        "origin": plane.point.tolist(), "right": plane.right.tolist(), "down": plane.down.tolist(), "outlines": told,
    }  # fmt: skip


def cut(mask: Bools, grid: Geometry, bounds: tuple[tuple[int, ...], tuple[int, ...]], plane: Plane) -> Lines:
    """Outlines of a mask in a plane; empty where the plane does not meet it."""
    along = np.abs(grid.directions.T @ plane.normal)
    axis = int(along.argmax())
    flat = [a for a in range(3) if a != axis]
    if max(abs(float(grid.directions[:, a] @ plane.normal)) for a in flat) < _ALONG:
        return _of_slice(mask, grid, bounds, plane, axis)
    return _sampled(mask, grid, bounds, plane)


def _of_slice(
    mask: Bools, grid: Geometry, bounds: tuple[tuple[int, ...], tuple[int, ...]], plane: Plane, axis: int
) -> Lines:
    step = float(grid.affine[:3, axis] @ plane.normal)
    depth = float((plane.point - grid.affine[:3, 3]) @ plane.normal) / step
    number = int(np.floor(depth + 0.5 + 1e-6))
    if not bounds[0][axis] <= number < bounds[1][axis]:
        return []
    rest = [a for a in range(3) if a != axis]
    window: list[Any] = [slice(a, b) for a, b in zip(*bounds, strict=True)]
    window[axis] = number
    lines = []
    for line in outlines(mask[tuple(window)]):
        index = np.full((len(line), 3), depth)
        index[:, rest[0]], index[:, rest[1]] = line[:, 1] + bounds[0][rest[0]], line[:, 0] + bounds[0][rest[1]]
        lines.append(_on(plane, grid.to_patient(index)))
    return lines


def _sampled(mask: Bools, grid: Geometry, bounds: tuple[tuple[int, ...], tuple[int, ...]], plane: Plane) -> Lines:
    edge = [(a - 0.5, b - 0.5) for a, b in zip(*bounds, strict=True)]
    corners = grid.to_patient([(a, b, c) for a in edge[0] for b in edge[1] for c in edge[2]]) - plane.point
    depth = corners @ plane.normal
    if depth.min() > 0 or depth.max() < 0:
        return []
    step = min(grid.spacing_mm)
    at = np.column_stack([corners @ plane.right, corners @ plane.down])
    low, size = at.min(axis=0), np.ceil(np.ptp(at, axis=0) / step).astype(int) + 1
    if int(np.prod(size)) > _LARGEST:
        raise LimitReached(
            f"a section of {size[0]} x {size[1]} pixels", f"{_LARGEST:,} are taken at once", "look at less of it"
        )
    x, y = np.meshgrid(low[0] + step * np.arange(size[0]), low[1] + step * np.arange(size[1]))
    places = plane.point + x[..., None] * plane.right + y[..., None] * plane.down
    index = np.floor(grid.to_index(places) + 0.5 + 1e-6).astype(np.int64)
    inside = ((index >= bounds[0]) & (index < bounds[1])).all(axis=-1)
    index[~inside] = bounds[0]
    hit = mask[index[..., 0], index[..., 1], index[..., 2]] & inside
    return [
        _on(plane, plane.point + (line * step + low) @ np.array([plane.right, plane.down])) for line in outlines(hit)
    ]


def _on(plane: Plane, points: Floats) -> list[int]:
    """Points of a plane as whole steps along it, without those that lie straight between their neighbours."""
    from_point = (points[:-1] if len(points) > 1 else points) - plane.point
    flat = np.round(np.column_stack([from_point @ plane.right, from_point @ plane.down]) * _STEPS).astype(np.int64)
    if len(flat) > 3:
        before, after = flat - np.roll(flat, 1, axis=0), np.roll(flat, -1, axis=0) - flat
        flat = flat[np.abs(before[:, 0] * after[:, 1] - before[:, 1] * after[:, 0]) > 2]
    return [int(v) for v in flat.ravel()]


def sure_parts(findings: Sequence[Finding], probability: Map, values: npt.NDArray[np.float32]) -> dict[str, Bools]:
    """Of each region on the grid of a probability map, the part that is at least 90 % sure."""
    return {
        f.tracking: f.where.mask & (values >= _SURE)
        for f in findings
        if f.where is not None and f.where.mask is not None and f.where.geometry == probability.geometry
    }


# ---- whole masks and maps


def label_map(findings: Sequence[Finding], onto: Geometry, series_uid: str) -> tuple[npt.NDArray[np.uint8], list[str]]:
    """One number for each voxel of a series: 0 for none, n for the n-th tracking identity; of two regions the later.

    Raises:
        Refused: more than 255 regions, or regions in another space.
        LimitReached: more than 268 million voxels.
    """
    if int(np.prod(onto.shape)) > _MOST_VOXELS:
        size = " x ".join(map(str, onto.shape))
        raise LimitReached(f"a mask of {size} voxels", f"{_MOST_VOXELS:,} are sent at once", "ask for outlines")
    chosen: list[tuple[str, Region]] = []
    for finding in findings:
        if finding.where is not None and finding.where.shape is Shape.MASK and finding.verdict is not Verdict.STRUCK:
            chosen.append((finding.tracking, finding.where))
    if len(chosen) > 255:
        raise Refused(f"{len(chosen)} regions", "a byte has 255 numbers", "ask for outlines")
    labels = np.zeros(onto.shape, dtype=np.uint8)
    for number, (_, where) in enumerate(chosen, start=1):
        own = where.series_uid == series_uid and where.geometry.shape == onto.shape
        placed = where if own and where.geometry.same_grid(onto) else resample_region(where, onto)
        assert placed.mask is not None
        labels[placed.mask] = number
    return labels, [tracking for tracking, _ in chosen]


def halves(values: npt.NDArray[np.float32]) -> tuple[bytes, float]:
    """A map as little-endian float16 in C order, and by what they are to be multiplied.

    Raises:
        LimitReached: more than 268 million voxels.
    """
    if values.size > _MOST_VOXELS:
        raise LimitReached(
            f"a map of {' x '.join(map(str, values.shape))} voxels",
            f"{_MOST_VOXELS:,} are sent at once",
            "crop the series",
        )
    finite = values[np.isfinite(values)]
    largest = float(np.abs(finite).max()) if finite.size else 0.0
    scale = max(1.0, largest / _HALF_MAX)
    if 0 < largest < 1e-2:  # float16 loses figures below 6e-5
        scale = largest
    with np.errstate(over="ignore"):
        return (values / np.float32(scale)).astype("<f2").tobytes(), scale


def packed(body: bytes) -> bytes:
    """Compressed for the wire, quickly."""
    return gzip.compress(body, compresslevel=1, mtime=0)


def told(geometry: Geometry, **more: Any) -> str:
    """What goes into the header beside an array: where it lies and what it is, as ASCII JSON."""
    said = {"shape": list(geometry.shape), "affine": geometry.affine.tolist(), "frame": geometry.frame_of_reference}
    return json.dumps({**said, "reference": geometry.reference.value, **more}, ensure_ascii=True)
