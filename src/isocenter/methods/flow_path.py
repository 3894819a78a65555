"""The vessel in a phase-contrast scan, and the line along its middle.

Blood is where velocity swings over the beat by more than noise lets tissue swing, and signal is. The line runs between
the two ends of the vessel that lie farthest apart along it, drawn to its middle by the depth below the wall.

Sources: Bock 2010 (angiogram from magnitude and speed); Deschamps 2001 (minimal path weighted by depth).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.flow_phase import Steadiness

__all__ = ["Path", "centre_line", "moving_blood", "vessel"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_LEAST_ML = 0.2


@dataclass(frozen=True, eq=False)
class Path:
    """The middle of a vessel.

    Args:
        points_mm: (n, 3) about a voxel apart, along the axes of the array.
        along: (n, 3) unit tangents.
        radius_mm: (n,) depth below the wall.
    """

    points_mm: npt.NDArray[np.float64]
    along: npt.NDArray[np.float64]
    radius_mm: npt.NDArray[np.float64]

    @property
    def length_mm(self) -> float:
        """From end to end."""
        return float(np.linalg.norm(np.diff(self.points_mm, axis=0), axis=1).sum())


def moving_blood(still: Steadiness, corrected_mean: Floats) -> Floats:
    """(slices, rows, columns) speed over the beat, root mean square, in units of the noise of tissue.

    Tissue lies around 1; blood is what lies well above it.

    Args:
        still: of the scan.
        corrected_mean: its mean velocity without background.
    """
    parts = still.mean.shape[0]
    swing = np.sqrt(still.deviation**2 + np.sum(corrected_mean**2, axis=0))
    noise = still.noise * parts**0.5 / np.clip(still.signal, 0.05, 1.0)  # phase is noisier where signal is low
    return np.where(still.tissue, swing / noise, 0.0).astype(np.float32)


def vessel(moving: Floats, spacing_mm: tuple[float, float, float], *, sure: float = 3.0, edge: float = 1.5) -> Mask:
    """The largest vessel: voxels far above noise, grown to those that are just above it.

    Args:
        moving: of `moving_blood`.
        sure, edge: multiples of the noise that start a vessel, and that still belong to it.

    Raises:
        Refused: when nothing flows.
    """
    from scipy.ndimage import binary_closing, binary_fill_holes, binary_opening, label

    seeds = binary_opening(moving > sure, structure=np.ones((1, 2, 2)))
    grown, many = label(moving > edge)
    touched = np.unique(grown[seeds])
    touched = touched[touched > 0]
    voxel_ml = float(np.prod(spacing_mm)) / 1000.0
    if many and len(touched):
        # A piece counts by what surely flows in it, or patches of noise that hang together would win.
        weight = np.bincount(grown[seeds], minlength=many + 1)
        own = int(touched[int(np.argmax(weight[touched]))])
        found: Mask = grown == own
        opened = binary_opening(found)
        pieces, count = label(opened)
        if count:
            biggest = 1 + int(np.argmax([np.sum((pieces == n) & seeds) for n in range(1, count + 1)]))
            found = pieces == biggest
        found = binary_fill_holes(binary_closing(np.pad(found, 1)))[1:-1, 1:-1, 1:-1]
        if float(found.sum()) * voxel_ml >= _LEAST_ML:
            return found
    raise Refused(
        "no vessel in which blood moves faster than the noise",
        "velocity stays within what tissue shows",
        "check that VENC fits the flow and that phase images are of this scan",
    )


def centre_line(inside: Mask, spacing_mm: tuple[float, float, float]) -> Path:
    """Line along the middle of the longest way through a vessel.

    Raises:
        Refused: when the vessel is not longer than it is wide.
    """
    from scipy.ndimage import distance_transform_edt, gaussian_filter1d
    from skimage.graph import MCP_Geometric

    steps = np.array(spacing_mm, np.float64)
    start = np.maximum(np.min(np.argwhere(inside), axis=0) - 1, 0)
    stop = np.max(np.argwhere(inside), axis=0) + 2
    box = inside[tuple(slice(a, b) for a, b in zip(start, stop, strict=True))]
    # Depth counts from walls only: a vessel that leaves the field of view goes on there.
    depth = distance_transform_edt(np.pad(box, 1, mode="edge"), sampling=steps)[1:-1, 1:-1, 1:-1]
    plain = np.where(box, 1.0, -1.0)
    deepest = tuple(int(v) for v in np.unravel_index(int(np.argmax(depth)), depth.shape))
    first = _farthest(plain, deepest, steps)
    last = _farthest(plain, first, steps)
    cost = np.where(box, 1.0 / np.maximum(depth / depth.max(), 0.05) ** 3, -1.0)
    search = MCP_Geometric(cost, sampling=tuple(steps))
    search.find_costs([first], [last])
    line = (np.array(search.traceback(last), np.float64) + start) * steps
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(line, axis=0), axis=1))])
    wide = float(np.median(depth[tuple((line / steps - start).round().astype(int).T)]))
    if gone[-1] < 3.0 * 2.0 * float(depth.max()):
        raise Refused(
            f"a vessel {gone[-1]:.0f} mm long and {2 * float(depth.max()):.0f} mm wide",
            "planes need a stretch that is three times longer than wide",
            "outline the vessel, or scan more of it",
        )
    step = float(steps.min())
    every = np.arange(0.0, gone[-1], step)
    fine = np.stack([np.interp(every, gone, line[:, k]) for k in range(3)], axis=1)
    fine = gaussian_filter1d(fine, max(wide / step, 1.0), axis=0, mode="nearest")
    along = np.gradient(fine, axis=0)
    along /= np.maximum(np.linalg.norm(along, axis=1, keepdims=True), 1e-9)
    at = np.clip((fine / steps - start).round().astype(int), 0, np.array(box.shape) - 1)
    return Path(fine, along, depth[tuple(at.T)])


def _farthest(cost: npt.NDArray[np.float64], start: tuple[int, ...], steps: npt.NDArray[np.float64]) -> tuple[int, ...]:
    from skimage.graph import MCP_Geometric

    reached, _ = MCP_Geometric(cost, sampling=tuple(steps)).find_costs([start])
    reached = np.where(np.isfinite(reached) & (cost > 0), reached, -1.0)
    return tuple(int(v) for v in np.unravel_index(int(np.argmax(reached)), reached.shape))
