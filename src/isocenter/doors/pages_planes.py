"""Where each image of a series lies, from the header values in the record: no file is opened for it."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import pairwise
from math import isfinite
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.record import Instance, Series
from isocenter.space import Geometry

__all__ = ["in_order", "planes", "stack_of"]


def planes(series: Series) -> dict[str, Geometry]:
    """SOP Instance UID -> grid of one slice, for every image whose header says where it lies, from foot to head of its
    stack. The slice step is the distance to the next image, else the slice thickness, else 1 mm."""
    placed = []
    for instance in series.instances:
        grid = _plane(instance, series)
        if grid is not None:
            placed.append((instance.sop_uid, grid))
    if not placed:
        return {}
    normal = placed[0][1].directions[:, 0]
    depth = [float(grid.affine[:3, 3] @ normal) for _, grid in placed]
    order = sorted(range(len(placed)), key=lambda i: (depth[i], placed[i][0]))
    gaps = [b - a for a, b in pairwise(sorted(depth)) if b - a > 1e-3]
    step = min(gaps) if gaps else _number(series.facts, "SliceThickness") or 1.0
    return {placed[i][0]: _stepped(placed[i][1], step) for i in order}


def stack_of(series: Series) -> Geometry:
    """The grid of a series whose images are one regular stack.

    Raises:
        Refused: images without a place, of different sizes or directions, or unevenly spaced.
    """
    where = list(planes(series).values())
    no_stack = Refused("a series that is no regular stack", "a mask needs one grid", "ask for outlines")
    if not where or len(where) != sum(1 for i in series.instances if i.rows):
        raise no_stack
    first = where[0]
    steps = np.diff([w.affine[:3, 3] for w in where], axis=0)
    if any(w.shape != first.shape or np.abs(w.affine[:3, 1:3] - first.affine[:3, 1:3]).max() > 1e-3 for w in where):
        raise no_stack
    affine = first.affine.copy()
    if len(steps):
        if np.abs(steps - steps.mean(axis=0)).max() > 1e-2:
            raise no_stack
        affine[:3, 0] = steps.mean(axis=0)
    return Geometry(affine, (len(where), *first.shape[1:]), first.frame_of_reference, first.reference)


def in_order(series: Series) -> list[Instance]:
    """The images of a series as one scrolls through them: along the normal of the stack where each has a place of its
    own, else by Instance Number."""
    numbered = sorted(
        series.instances, key=lambda i: (i.number is None, i.number if i.number is not None else 0, i.sop_uid)
    )
    depth = _depths(series)
    several = len({round(d, 2) for d in depth.values()}) < len(depth)  # phases or echoes at one place
    if len(depth) != len(series.instances) or len(depth) < 2 or several:
        return numbered
    along = sorted(series.instances, key=lambda i: depth[i.sop_uid])
    return along[::-1] if _falls(along) else along


def _depths(series: Series) -> dict[str, float]:
    """How far along one normal each image lies (mm), by SOP Instance UID; nothing where they are no one stack."""
    normals: dict[tuple[float, ...], np.ndarray | None] = {}  # thousands of images share one orientation
    depth: dict[str, float] = {}
    first: np.ndarray | None = None
    for instance in series.instances:
        position = _numbers(instance, series, "ImagePositionPatient", 3)
        way = _numbers(instance, series, "ImageOrientationPatient", 6)
        spacing = _numbers(instance, series, "PixelSpacing", 2)
        if position is None or way is None or spacing is None or not instance.rows or not instance.columns:
            return {}
        key = (*way, *spacing)
        if key not in normals:
            grid = _plane(instance, series)
            normals[key] = grid.directions[:, 0] if grid is not None else None
        normal = normals[key]
        if normal is None or not all(map(isfinite, position)):
            return {}
        first = normal if first is None else first
        if abs(float(normal @ first)) <= 0.999:
            return {}
        depth[instance.sop_uid] = float(first @ np.asarray(position))
    return depth


def _falls(along: list[Instance]) -> bool:
    """Whether the scanner numbered the stack the other way round: its way is kept."""
    numbers = [i.number for i in along if i.number is not None]
    steps = [b - a for a, b in pairwise(numbers)]
    return sum(s < 0 for s in steps) > sum(s > 0 for s in steps)


def _plane(instance: Instance, series: Series) -> Geometry | None:
    position = _numbers(instance, series, "ImagePositionPatient", 3)
    orientation = _numbers(instance, series, "ImageOrientationPatient", 6)
    spacing = _numbers(instance, series, "PixelSpacing", 2)
    if position is None or orientation is None or spacing is None or not instance.rows or not instance.columns:
        return None
    along = np.array(orientation).reshape(2, 3)
    try:
        return Geometry.from_dicom(
            position=position,
            orientation=orientation,
            pixel_spacing=spacing,
            slice_step=np.cross(along[0], along[1]),
            shape=(1, instance.rows, instance.columns),
            frame_of_reference=series.frame_of_reference,
        )
    except Refused:
        return None  # a header without a sensible place: the image can be shown, but nothing is placed on it


def _stepped(grid: Geometry, step: float) -> Geometry:
    affine = grid.affine.copy()
    affine[:3, 0] *= step / np.linalg.norm(affine[:3, 0])
    return Geometry(affine, grid.shape, grid.frame_of_reference, grid.reference)


def _numbers(instance: Instance, series: Series, keyword: str, count: int) -> list[float] | None:
    value = instance.facts.get(keyword, series.facts.get(keyword))
    if not isinstance(value, list | tuple) or len(value) != count:
        return None
    numbers = [float(v) for v in value if isinstance(v, int | float)]
    return numbers if len(numbers) == count else None


def _number(facts: Mapping[str, Any], keyword: str) -> float:
    value = facts.get(keyword)
    return float(value) if isinstance(value, int | float) and value > 0 else 0.0
