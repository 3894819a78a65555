"""What lies beside a left ventricle on the short axis: the blood of the right one, and chest wall and liver or lung.

The right ventricle lies to the right and front, lung to the left, back and head of it, so that a picture that was
turned or mirrored shows them elsewhere. The right ventricle ends before the left one does, so that beside the apex
little blood moves.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.methods.short_axis import beat

__all__ = ["Beside", "beside_ventricle"]

_BLOOD_MM, _TISSUE_MM = (3.0, 30.0), (4.0, 45.0)  # from the epicardium, where each is looked for
_NEAR_MM, _FAR_MM = (4.0, 18.0), (18.0, 45.0)  # bands of the pattern
_PARTS = 24  # of the full turn, each of which counts the same however many pixels it has
_LUNG = 0.5  # of the grey of muscle, below which there is lung or nothing

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Beside:
    """Directions in degrees, counter-clockwise from the right of the picture, each with its strength from 0 to 1.

    Args:
        blood: where blood lies that is bright and moves.
        tissue: where it is brighter than lung.
        moving_mm2: of each slice asked, how much blood beside it is bright and moves.
        pattern: (5, parts of the turn, counter-clockwise from the right): grey near the ventricle and farther off,
            blood that moves, and what is brighter than lung, near and farther off; each with mean 0 and spread 1, or 0
            all around.
    """

    blood: tuple[float, float]
    tissue: tuple[float, float]
    moving_mm2: Array
    pattern: Array


def beside_ventricle(
    pictures: npt.NDArray[np.float32], phase: int, cavity: Mask, muscle: Mask, slices: Sequence[int],
    spacing_mm: tuple[float, float],
) -> Beside:  # fmt: skip
    """Where blood and tissue lie about the ventricle, of its middle slices, and how much blood moves beside each.

    Args:
        pictures: (phases, slices, rows, columns) over one beat.
        phase: that the masks are of.
        cavity, muscle: masks (slices, rows, columns) of the ventricle. slices: that count, from base to apex.
        spacing_mm: between rows and between columns.
    """
    ends = (len(slices) // 5, len(slices) // 4)
    bright, swinging, tissue = np.zeros(_PARTS), np.zeros(_PARTS), np.zeros(_PARTS)
    moving, pattern = np.zeros(len(slices)), np.zeros((5, _PARTS))
    for n, k in enumerate(slices):
        box = _near(cavity[k] | muscle[k], spacing_mm)
        inner, ring, seen = cavity[k][box], muscle[k][box], pictures[:, k, box[0], box[1]]
        if not inner.any() or not ring.any():
            continue
        blood, flesh = float(np.median(seen[phase][inner])), float(np.median(seen[phase][ring]))
        if blood <= flesh:
            continue
        around = _Around(inner, inner | ring, spacing_mm)
        mean = seen.mean(axis=0)
        shine = np.clip((mean - flesh) / (blood - flesh), 0.0, 1.0)
        swing = shine * np.clip(beat(seen) / (blood - flesh), 0.0, 1.0)
        moving[n] = float(swing[around.within(_BLOOD_MM)].sum()) * spacing_mm[0] * spacing_mm[1]
        if ends[0] <= n < len(slices) - ends[1]:
            bright += around.turn(shine, _BLOOD_MM)
            swinging += around.turn(swing, _BLOOD_MM)
            solid, grey = (mean > _LUNG * flesh).astype(np.float64), np.clip(mean / blood, 0.0, 1.2)
            tissue += around.turn(solid, _TISSUE_MM)
            shown = ((grey, _NEAR_MM), (grey, _FAR_MM), (swing, _BLOOD_MM), (solid, _NEAR_MM), (solid, _FAR_MM))
            pattern += np.stack([around.turn(one, span) for one, span in shown])
    pattern -= pattern.mean(axis=1, keepdims=True)
    pattern /= np.maximum(pattern.std(axis=1, keepdims=True), 1e-9)
    return Beside(_side(_share(bright) + _share(swinging)), _side(tissue), moving, pattern)


def _near(whole: Mask, spacing_mm: tuple[float, float]) -> tuple[slice, slice]:
    """The box about a ventricle that holds what is looked at."""
    box = []
    for axis, mm in enumerate(spacing_mm):
        at, more = np.flatnonzero(whole.any(axis=1 - axis)), int(_TISSUE_MM[1] / mm) + 1
        box.append(slice(max(0, int(at[0]) - more), int(at[-1]) + more + 1) if len(at) else slice(0, 0))
    return box[0], box[1]


class _Around:
    """Distance and direction of the pixels about one outline."""

    def __init__(self, inner: Mask, whole: Mask, spacing_mm: tuple[float, float]) -> None:
        from scipy.ndimage import distance_transform_edt

        self.away = distance_transform_edt(~whole, sampling=spacing_mm)
        middle = [float(at.mean()) for at in np.nonzero(inner)]
        rows, columns = np.ogrid[: inner.shape[0], : inner.shape[1]]
        up, across = (middle[0] - rows) * spacing_mm[0], (columns - middle[1]) * spacing_mm[1]
        self.part = (np.arctan2(up, across) % (2 * np.pi) * (_PARTS / (2 * np.pi))).astype(np.intp) % _PARTS

    def within(self, span_mm: tuple[float, float]) -> Mask:
        found: Mask = (self.away > span_mm[0]) & (self.away < span_mm[1])
        return found

    def turn(self, weights: npt.NDArray[Any], span_mm: tuple[float, float]) -> Array:
        """Mean weight in each part of the turn; where a part lies outside of the picture, that of all."""
        there = self.within(span_mm)
        count = np.bincount(self.part[there], minlength=_PARTS)
        mean = np.bincount(self.part[there], weights[there], _PARTS) / np.maximum(count, 1)
        return np.where(count > 0, mean, mean[count > 0].mean() if count.any() else 0.0)


def _share(turn: Array) -> Array:
    return turn / max(float(turn.sum()), 1e-9)


def _side(turn: Array) -> tuple[float, float]:
    """Direction and strength of what is spread over the parts of a turn."""
    angle = (np.arange(_PARTS) + 0.5) * (2 * np.pi / _PARTS)
    pull = complex((_share(turn) * np.exp(1j * angle)).sum())
    return float(np.degrees(np.angle(pull)) % 360.0), abs(pull)
