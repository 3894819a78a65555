"""A head with a stroke, through which a bolus passes: flow, volume, transit time and delay of each part are planted.

The head is a function of patient coordinates: scalp, skull, fluid, cortex, white matter, two arteries, a vein, and on
one side a core within a penumbra. Its curves are the arterial curve convolved with the residue of each part.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.methods.perfusion import BRAIN
from isocenter.methods.residue import tissue_curves

__all__ = ["Part", "Pose", "Scene", "artery_curve", "scene"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Part:
    """A kind of tissue: flow (ml/100 g/min), blood volume (ml/100 g), delay of the bolus (s)."""

    cbf: float
    cbv: float
    delay_s: float = 0.0

    @property
    def mtt_s(self) -> float:
        """By the central volume theorem."""
        return 60.0 * self.cbv / self.cbf


@dataclass(frozen=True)
class Pose:
    """How the head lies in one frame: turned about the vertical, then shifted in patient millimetres."""

    turn_deg: float = 0.0
    shift_mm: tuple[float, float, float] = (0.0, 0.0, 0.0)


CORTEX, WHITE = Part(60.0, 4.0), Part(24.0, 2.0)
PENUMBRA, CORE = Part(20.0, 4.0, 6.5), Part(5.0, 1.0, 7.5)
_AIR, _SCALP, _BONE, _FLUID, _CORTEX, _WHITE, _PENUMBRA, _CORE, _ARTERY, _VEIN = range(10)
_DILUTION = 0.75  # an artery fills this much of its voxels
_VEIN_DELAY_S, _VEIN_MTT_S = 2.5, 4.0


@dataclass(frozen=True, eq=False)
class Scene:
    """What a scanner would see: labels in each pose, static contrast by label, and curves.

    Args:
        labels: (slices, rows, columns) of the first pose.
        edges: (slices, rows, columns) share of bone, with soft edges.
        curves: (10, frames) concentration by label, with the artery's true peak at 1.
        voxel_ml: of one voxel.
        truth: what was planted.
    """

    labels: Array
    edges: Array
    curves: Array
    voxel_ml: float
    truth: Mapping[str, Any] = field(default_factory=dict)


def artery_curve(times_s: Array, start_s: float = 8.0) -> Array:
    """A gamma variate of 5 s width, and its second passage; peak 1."""

    def passage(start: float, slow: float) -> Array:
        x = np.maximum(times_s - start, 0.0) / slow
        return np.asarray((x / 3.0) ** 3 * np.exp(3.0 - x))

    return passage(start_s, 1.3) + 0.10 * passage(start_s + 14.0, 2.6)


def scene(
    times_s: Array,
    axes_mm: tuple[Array, Array, Array],
    *,
    stroke: bool = True,
    shape: float = 2.5,
    pose: Pose | None = None,
    start_s: float = 8.0,
    core_part: float = 1.0,
) -> Scene:
    """The head at given times on a given grid.

    Args:
        times_s: (frames,) at which frames are taken.
        axes_mm: coordinates (z, y, x) of the slices, rows and columns.
        stroke: whether the left side has a core within a penumbra.
        shape: of the gamma distribution of transit times.
        pose: how the head lies.
        start_s: arrival of the bolus.
        core_part: size of the core, as a share of its usual radius.
    """
    p = _own(axes_mm, pose or Pose())
    labels, bone = _labels(p, stroke, core_part)
    voxel_ml = float(np.prod([abs(a[1] - a[0]) if len(a) > 1 else 5.0 for a in axes_mm])) / 1000.0
    counts = np.bincount(labels.ravel(), minlength=10)
    truth = {
        "core_ml": counts[_CORE] * voxel_ml,
        "penumbra_ml": counts[_PENUMBRA] * voxel_ml,
        "hypoperfused_ml": (counts[_CORE] + counts[_PENUMBRA]) * voxel_ml,
        "cbf": {"cortex": CORTEX.cbf, "white": WHITE.cbf, "penumbra": PENUMBRA.cbf, "core": CORE.cbf},
        "artery_mm": [(-30.0, -8.0), (0.0, -34.0)],
        "vein_mm": (0.0, 74.0),
    }
    return Scene(labels, bone, _curves(times_s, shape, start_s), voxel_ml, truth)


def _own(axes_mm: Sequence[Array], pose: Pose) -> tuple[Array, Array, Array]:
    """Coordinates (z, y, x) in the head's own millimetres."""
    z, y, x = (np.asarray(a, np.float32) for a in axes_mm)
    c, s = np.float32(np.cos(np.deg2rad(pose.turn_deg))), np.float32(np.sin(np.deg2rad(pose.turn_deg)))
    dx, dy, dz = (np.float32(v) for v in pose.shift_mm)
    across, along = x[None, None, :] - dx, y[None, :, None] - dy
    return z[:, None, None] - dz, -s * across + c * along, c * across + s * along


def _labels(p: tuple[Array, Array, Array], stroke: bool, core_part: float) -> tuple[Array, Array]:
    z, y, x = p

    def depth(a: float, b: float, c: float, at: tuple[float, float, float] = (0.0, 4.0, 0.0)) -> Array:
        """About the millimetres below the surface of an egg."""
        r = np.sqrt(((x - at[0]) / a) ** 2 + ((y - at[1]) / b) ** 2 + ((z - at[2]) / c) ** 2)
        return np.asarray((1 - r) * min(a, b))

    labels = np.zeros(np.broadcast_shapes(x.shape, y.shape, z.shape), np.uint8)
    outer, inner = depth(76, 94, 130), depth(66, 84, 118)
    labels[outer > 0] = _SCALP
    bone = np.clip((outer - 4) / 1.5 + 0.5, 0, 1) * np.clip(-inner / 1.5 + 0.5, 0, 1)
    labels[bone > 0.5] = _BONE
    labels[inner > 0] = _FLUID
    waves = np.sin(0.33 * x + 0.1 * z) * np.sin(0.29 * y - 0.07 * z)
    labels[inner > 2.5] = _CORTEX
    labels[inner > 15 + 6 * waves] = _WHITE
    labels[(np.abs(x) < 1.6) & (inner > 0) & (y < 60)] = _FLUID
    for side in (-1, 1):
        labels[depth(10, 20, 30, (side * 24.0, 2.0, 0.0)) > 0] = _CORTEX
        labels[depth(6, 30, 30, (side * 11.0, 4.0, 6.0)) > 0] = _FLUID
    if stroke:
        brain = (labels == _CORTEX) | (labels == _WHITE)
        whole = brain & (depth(24, 42, 40, (44.0, 4.0, 4.0)) > 0)
        labels[whole] = _PENUMBRA
        r = core_part
        labels[whole & (depth(13 * r, 20 * r, 22 * r, (42.0, 2.0, 4.0)) > 0)] = _CORE
    for ax, ay in ((-30.0, -8.0), (0.0, -34.0)):
        labels[np.broadcast_to(((x - ax) ** 2 + (y - ay) ** 2) < 3.0**2, labels.shape)] = _ARTERY
    labels[np.broadcast_to((x**2 + (y - 74.0) ** 2) < 6.0**2, labels.shape) & (inner > 1)] = _VEIN
    return labels, bone


def _curves(times_s: Array, shape: float, start_s: float) -> Array:
    fine = np.arange(0.0, float(times_s[-1]) + 0.2, 0.1)
    artery = artery_curve(fine, start_s)
    curves = np.zeros((10, len(times_s)))

    def at(values: Array) -> Array:
        return np.asarray(np.interp(times_s, fine, values))

    for label, part in ((_CORTEX, CORTEX), (_WHITE, WHITE), (_PENUMBRA, PENUMBRA), (_CORE, CORE)):
        flow = part.cbf / 6000.0 / BRAIN.factor
        made = tissue_curves(artery, 0.1, [part.mtt_s], shape, delay_s=part.delay_s, fine=1)[0]
        curves[label] = at(flow * made)
    curves[_ARTERY] = at(_DILUTION * artery)
    vein = tissue_curves(artery, 0.1, [_VEIN_MTT_S], 3.0, delay_s=_VEIN_DELAY_S, fine=1)[0] / _VEIN_MTT_S
    curves[_VEIN] = at(vein)
    return curves
