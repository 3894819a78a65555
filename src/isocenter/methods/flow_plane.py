"""Flow through a plane: volumes forth and back, regurgitation, the fastest blood.

Sources: Dyverfeldt 2015, Bissell 2023; Gatehouse 2010 (offsets); regurgitant fraction = back over forth.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Flow", "Plane", "across_plane", "flow_of"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_FINE = 0.5  # of the smallest voxel: distance of the samples on a plane
_STEADY, _STILL_M_S = 0.15, 0.02


@dataclass(frozen=True, eq=False)
class Plane:
    """A plane through a vessel, in mm along the axes of the array."""

    centre_mm: npt.NDArray[np.float64]
    normal: npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Flow:
    """Flow over one beat.

    Args:
        rate_ml_s: (frames,) positive along the plane's normal.
        forward_ml, backward_ml: volumes of a beat in the direction of most flow, and against it.
        net_ml: forward less backward.
        regurgitant_percent: 100 backward / forward.
        peak_m_s, p99_m_s, p95_m_s: fastest voxel of the beat along the normal, and percentiles of the frame it is in.
        area_mm2: (frames,) of the lumen.
        steady: the rate hardly changes over the beat, as in a vein, or hardly is there, as in tissue.
        turned: most flow goes against the normal; all numbers are given along the flow.
    """

    rate_ml_s: npt.NDArray[np.float64]
    forward_ml: float
    backward_ml: float
    net_ml: float
    regurgitant_percent: float
    peak_m_s: float
    p99_m_s: float
    p95_m_s: float
    area_mm2: npt.NDArray[np.float64]
    steady: bool
    turned: bool


def flow_of(through: Floats, area_mm2: npt.NDArray[Any], frame_ms: float) -> Flow:
    """Numbers of one beat from velocities through a plane.

    Args:
        through: (frames, samples) m/s along the normal.
        area_mm2: (samples,) or (frames, samples) that each sample stands for; 0 outside the lumen.
        frame_ms: time between frames.

    Raises:
        Refused: when nothing lies in the lumen.

    >>> told = flow_of(np.array([[1.0, 1.0], [-0.1, -0.1]], np.float32), np.array([50.0, 50.0]), 100.0)
    >>> round(told.forward_ml, 3), round(told.backward_ml, 3), round(told.regurgitant_percent, 1)
    (10.0, 1.0, 10.0)
    """
    area = np.broadcast_to(np.asarray(area_mm2, np.float64), through.shape)
    if not area.any():
        raise Refused("a plane that meets no vessel", "there is no flow through it", "outline the vessel")
    rate: npt.NDArray[np.float64] = np.asarray((through * area).sum(axis=1), np.float64)  # m/s x mm2 = mL/s
    turned = bool(rate.sum() < 0)
    along = -rate if turned else rate
    seconds = frame_ms / 1000.0
    forward = float(along[along > 0].sum() * seconds)
    backward = float(-along[along < 0].sum() * seconds)
    speeds = (-through if turned else through)[:, :]
    inside = area > 0.5 * float(area.max())
    fastest = int(np.argmax([float(s[i].max()) if i.any() else -np.inf for s, i in zip(speeds, inside, strict=True)]))
    there = speeds[fastest][inside[fastest]]
    usual = np.abs(rate / np.maximum(area.sum(axis=1), 1e-9))
    steady = float(rate.std()) <= _STEADY * abs(float(rate.mean())) or float(usual.max()) < _STILL_M_S
    return Flow(
        rate,
        forward,
        backward,
        forward - backward,
        100.0 * backward / forward if forward > 0 else 0.0,
        float(there.max()),
        float(np.percentile(there, 99)),
        float(np.percentile(there, 95)),
        area.sum(axis=1),
        steady,
        turned,
    )


def across_plane(
    velocity: Floats,
    lumen: Floats,
    spacing_mm: tuple[float, float, float],
    plane: Plane,
    reach_mm: float,
) -> tuple[Floats, npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Sample a field on a plane: only the piece of lumen that the centre lies in, and only v . n, however oblique.

    Args:
        velocity: (3, frames, slices, rows, columns) m/s along the axes of the array.
        lumen: (slices, rows, columns) 0 to 1: how much of a voxel is lumen.
        spacing_mm: along the axes.
        plane: where.
        reach_mm: half the side of the square that is sampled.

    Returns:
        (frames, samples) m/s through the plane; (samples,) mm2; (samples, 3) places in mm.
    """
    from scipy.ndimage import label, map_coordinates

    steps = np.array(spacing_mm, np.float64)
    fine = _FINE * float(steps.min())
    one = np.zeros(3)
    one[int(np.argmin(np.abs(plane.normal)))] = 1.0
    side = one - (one @ plane.normal) * plane.normal
    side /= np.linalg.norm(side)
    other = np.cross(plane.normal, side)
    reach = int(np.ceil(reach_mm / fine))
    ticks = np.arange(-reach, reach + 1) * fine
    places = plane.centre_mm + ticks[:, None, None] * side + ticks[None, :, None] * other
    index = (places / steps).reshape(-1, 3).T
    share = map_coordinates(lumen, index, order=1, mode="constant").reshape(len(ticks), len(ticks))
    pieces, _ = label(share > 0.25)
    own = pieces[reach, reach]
    if not own:  # the centre may lie just beside the lumen
        near = pieces[reach - 2 : reach + 3, reach - 2 : reach + 3]
        own = int(near.max())
    kept = (pieces == own) & (own > 0)
    at = index[:, kept.ravel()]
    through = np.zeros((velocity.shape[1], at.shape[1]), np.float32)
    for k in range(3):
        if abs(plane.normal[k]) < 1e-9:
            continue
        for t in range(velocity.shape[1]):
            through[t] += plane.normal[k] * map_coordinates(velocity[k, t], at, order=1, mode="constant")
    return through, share[kept] * fine * fine, places.reshape(-1, 3)[kept.ravel()]
