"""Flow through planes that a person sets across a vessel of a 4-D flow scan.

Correcting a scan takes seconds, a plane some milliseconds: the corrected scan is made once and asked many times.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.flow_corrected import along_axes, coarse, without_background
from isocenter.catalogue.flow_scan import gather
from isocenter.errors import Refused
from isocenter.methods import flow_path, flow_plane
from isocenter.space import Geometry, Volume

__all__ = ["Corrected", "corrected", "lost_percent"]

_BACKGROUND_ORDER = 2  # that of the analysis by itself
_REACH_MM = 45.0  # half the side of the square that is looked at: more than the widest aorta has

Three = tuple[float, float, float]


@dataclass(frozen=True, eq=False)
class Corrected:
    """A 4-D flow scan without background and wraps, ready for planes.

    Args:
        grid: of the images as they were given.
        turned: axes of them that were flipped.
        directions: (3, 3) unit vectors in the patient along the axes of the arrays, in its columns.
        velocity: (3, frames, slices, rows, columns) m/s along those axes.
        lumen: (slices, rows, columns) where blood moves, a little widened.
        frame_ms: between frames.
        remarks: what limits the scan.
    """

    grid: Geometry
    turned: tuple[int, ...]
    directions: npt.NDArray[np.float64]
    velocity: npt.NDArray[np.float32]
    lumen: npt.NDArray[np.float32]
    frame_ms: float
    remarks: tuple[str, ...]

    @property
    def nbytes(self) -> int:
        """What it takes to keep it."""
        return self.velocity.nbytes + self.lumen.nbytes

    def through(self, point_mm: Three, normal: Three) -> flow_plane.Flow:
        """Flow of a beat through the vessel in which a point lies.

        Args:
            point_mm: in the patient (LPS), in the vessel.
            normal: of the plane, any length but none.

        Raises:
            Refused: a normal without length, a point outside the images or the vessel, a plane along the vessel.

        Source: see `isocenter.methods.flow_plane`.
        """
        along = self.directions.T @ np.array(normal, np.float64)
        length = float(np.linalg.norm(along))
        if not np.isfinite(length) or length < 1e-6:
            raise Refused("a plane whose normal has no length", "it lies nowhere", "draw the line across the vessel")
        at = self.grid.to_index(np.array([point_mm], np.float64))[0]
        last = np.array(self.grid.shape, np.float64) - 1.0
        if not np.isfinite(at).all() or (at < -0.5).any() or (at > last + 0.5).any():
            raise Refused(
                "a plane outside the images of flow", f"its middle ({_told(point_mm)} mm) is none of their voxels",
                "set it across the vessel",
            )  # fmt: skip
        for axis in self.turned:
            at[axis] = last[axis] - at[axis]
        plane = flow_plane.Plane(at * np.array(self.grid.spacing_mm), along / length)
        through, area, places = flow_plane.across_plane(
            self.velocity, self.lumen, self.grid.spacing_mm, plane, _REACH_MM
        )
        if not area.any():
            raise Refused(
                "a plane outside the vessel", f"around its middle ({_told(point_mm)} mm) nothing moves more than noise",
                "set it across the vessel",
            )  # fmt: skip
        if float(np.linalg.norm(places - plane.centre_mm, axis=1).max()) >= _REACH_MM:
            raise Refused(
                "a plane along the vessel", f"what it cuts reaches further than {_REACH_MM:g} mm from its middle",
                "turn it across the vessel",
            )  # fmt: skip
        return flow_plane.flow_of(through, area, self.frame_ms)


def corrected(volumes: tuple[Volume, ...], venc_cm_s: float = 0.0) -> Corrected:
    """Put a 4-D flow scan together and correct it as the analysis of flow does.

    Args:
        volumes: magnitudes and phases of one study.
        venc_cm_s: of every direction, where the header is silent; 0 believes it.

    Raises:
        Refused: no VENC, one direction or one slice only, no magnitudes, nothing that flows.
    """
    scan = gather(volumes, venc_cm_s)
    parts, slices = len(scan.velocity), scan.velocity.shape[2]
    if parts < 3 or slices < 2:
        raise Refused(
            f"{parts} direction{'s' if parts != 1 else ''} of velocity in {slices} slice{'s' if slices != 1 else ''}",
            "through a plane that is set afterwards flow is known from three directions in a volume only",
            "outline the vessel on the slice that was scanned, or send all three series",
        )  # fmt: skip
    from scipy.ndimage import binary_dilation

    remarks = [*scan.remarks, *coarse(scan)]
    scan, offset = without_background(scan, _BACKGROUND_ORDER, remarks)
    inside = flow_path.vessel(offset.moving, scan.main.geometry.spacing_mm)
    velocity = along_axes(scan, inside, "as written", remarks)
    lumen = binary_dilation(inside, iterations=2).astype(np.float32)
    return Corrected(
        scan.main.geometry, scan.turned, scan.directions, velocity, lumen, scan.frame_ms, tuple(dict.fromkeys(remarks))
    )


def lost_percent(inflow: flow_plane.Flow, outflow: flow_plane.Flow) -> float | None:
    """100 (in - out) / in of the net volumes; None where nothing flows in.

    Between two planes of a vessel without branches it is 0, and what differs is the error of the scan.
    """
    return 100.0 * (inflow.net_ml - outflow.net_ml) / inflow.net_ml if inflow.net_ml > 0 else None


def _told(point: Three) -> str:
    return ", ".join(f"{v:.0f}" for v in point)
