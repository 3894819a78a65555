"""What flowing blood carries along a vessel, as measurements and maps: energy, whirls, pressure, stress on the wall."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.flow_scan import FlowScan
from isocenter.methods import flow_field, flow_pressure, flow_wall
from isocenter.methods.flow_path import Path
from isocenter.record import Measurement, codes
from isocenter.space import Volume

__all__ = ["FlowBody"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class FlowBody:
    """The blood inside one vessel over a beat.

    Args:
        scan: where it comes from.
        along: (3, frames, slices, rows, columns) m/s along the axes of the array, without background and wraps.
        inside: lumen.
        peak: frame in which blood is fastest.
        viscosity_pa_s: of blood.
    """

    scan: FlowScan
    along: Floats
    inside: Mask
    peak: int
    viscosity_pa_s: float

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Along the axes of the array."""
        return self.scan.main.geometry.spacing_mm

    @cached_property
    def _box(self) -> tuple[slice, slice, slice]:
        at = np.argwhere(self.inside)
        z, y, x = (slice(int(a), int(b) + 1) for a, b in zip(at.min(axis=0), at.max(axis=0), strict=True))
        return z, y, x

    @cached_property
    def _lumen(self) -> Mask:
        return np.ascontiguousarray(self.inside[self._box])

    def _whole(self, part: Floats) -> Floats:
        out = np.zeros((*part.shape[:-3], *self.inside.shape), np.float32)
        z, y, x = self._box
        out[..., z, y, x] = part
        return out

    def map(self, values: npt.NDArray[np.floating], quantity: str, unit: str) -> Volume:
        """Values of the lumen as a map on the images' grid; zero outside."""
        kept = np.where(self.inside, values, 0.0).astype(np.float32)
        return self.scan.main.like(self.scan.back(kept), quantity=quantity, unit=unit)

    @cached_property
    def whirl(self) -> Floats:
        """(slices, rows, columns) length of the vorticity in the fastest frame, 1/s."""
        slope = flow_field.slopes(self.along[:, self.peak][(slice(None), *self._box)], self._lumen, self.spacing_mm)
        return self._whole(np.linalg.norm(flow_field.vorticity(slope), axis=0).astype(np.float32))

    def energies(self) -> list[Measurement]:
        """Volume of blood, kinetic energy, loss by friction, vorticity."""
        voxel = self.scan.main.geometry.voxel_volume_mm3
        frames = self.along.shape[1]
        kinetic, loss = [], []
        for t in range(frames):
            velocity = np.ascontiguousarray(self.along[:, t][(slice(None), *self._box)])
            kinetic.append(flow_field.kinetic_energy_mj(velocity, self._lumen, voxel))
            slope = flow_field.slopes(velocity, self._lumen, self.spacing_mm)
            loss.append(flow_field.viscous_loss_mw(slope, self._lumen, voxel, self.viscosity_pa_s))
        blood_ml = float(self.inside.sum()) * voxel / 1000.0
        thick = f"viscosity {1000 * self.viscosity_pa_s:g} mPa.s"
        return [
            Measurement(codes.VOLUME, blood_ml, "mL", definition="lumen in the field of view"),
            Measurement(codes.KINETIC_ENERGY, max(kinetic), "mJ", definition="highest of the beat, 1060 kg/m3"),
            Measurement(codes.KINETIC_ENERGY, float(np.mean(kinetic)), "mJ", definition="mean of the beat, 1060 kg/m3"),
            Measurement(
                codes.KINETIC_ENERGY, 1000.0 * max(kinetic) / blood_ml, "uJ/mL", definition="highest, per blood volume"
            ),
            Measurement(codes.VISCOUS_LOSS, max(loss), "mW", definition=f"highest of the beat, {thick}"),
            Measurement(codes.VISCOUS_LOSS, float(np.mean(loss)), "mW", definition=f"mean of the beat, {thick}"),
            Measurement(
                codes.VORTICITY, float(self.whirl[self.inside].mean()), "1/s", definition="mean length, fastest frame"
            ),
        ]

    @cached_property
    def pressure_mmhg(self) -> Floats:
        """(slices, rows, columns) in the fastest frame, zero on average over the lumen."""
        frames = self.along.shape[1]
        before, after = (self.peak - 1) % frames, (self.peak + 1) % frames
        seconds = self.scan.frame_ms / 1000.0
        change = (self.along[:, after] - self.along[:, before]) / np.float32(2 * seconds)
        box = (slice(None), *self._box)
        found = flow_pressure.pressure_mmhg(
            np.ascontiguousarray(self.along[:, self.peak][box]), np.ascontiguousarray(change[box]), self._lumen,
            self.spacing_mm, viscosity_pa_s=self.viscosity_pa_s,
        )  # fmt: skip
        return self._whole(found)

    def pressure_at(self, places_mm: npt.NDArray[np.float64]) -> float:
        """Mean pressure over a plane."""
        index = np.rint(places_mm / np.array(self.spacing_mm)).astype(int)
        index = np.clip(index, 0, np.array(self.inside.shape) - 1)
        held = self.inside[tuple(index.T)]
        values = self.pressure_mmhg[tuple(index[held].T)]
        return float(values.mean()) if len(values) else 0.0

    def shear(self, path: Path) -> tuple[list[Measurement], Volume]:
        """Stress on the wall over the beat, away from the two ends of the vessel, and its map.

        Raises:
            Refused: when fewer than five voxels lie across the lumen.
        """
        wall = flow_wall.wall_shear(
            self.along, self.inside, self.spacing_mm, viscosity_pa_s=self.viscosity_pa_s, ends=self._ends(path)
        )
        size = np.linalg.norm(wall.shear_pa, axis=2)
        words = f"{size.shape[1]} points of wall, viscosity {1000 * self.viscosity_pa_s:g} mPa.s"
        measured = [
            Measurement(codes.WALL_SHEAR, float(wall.mean_pa.mean()), "Pa", definition=f"mean of the beat, {words}"),
            Measurement(codes.WALL_SHEAR, float(size[self.peak].mean()), "Pa", definition=f"fastest frame, {words}"),
            Measurement(
                codes.WALL_SHEAR, float(np.percentile(size[self.peak], 95)), "Pa",
                definition=f"95th percentile in the fastest frame, {words}",
            ),
            Measurement(
                codes.SHEAR_OSCILLATION, float(flow_wall.oscillatory_index(wall.shear_pa).mean()), "1",
                definition=f"mean, {words}",
            ),
        ]  # fmt: skip
        total, many = np.zeros(self.inside.shape), np.zeros(self.inside.shape)
        # Points lie on the wall; their stress is shown in the voxel of lumen beneath.
        under = wall.points_mm + 0.6 * min(self.spacing_mm) * wall.inward
        index = np.clip(np.rint(under / np.array(self.spacing_mm)).astype(int), 0, np.array(self.inside.shape) - 1)
        np.add.at(total, tuple(index.T), wall.mean_pa)
        np.add.at(many, tuple(index.T), 1.0)
        shown = np.divide(total, many, out=np.zeros_like(total), where=many > 0)
        return measured, self.map(shown, "wall shear stress", "Pa")

    def _ends(self, path: Path) -> Mask:
        """Where the lumen is cut off: a radius around both ends of the path, and the rim of the field of view."""
        steps = np.array(self.spacing_mm)
        radius = 1.3 * float(np.median(path.radius_mm))
        place = np.indices(self.inside.shape).transpose(1, 2, 3, 0) * steps
        gone: Mask = np.zeros(self.inside.shape, np.bool_)
        for end in (path.points_mm[0], path.points_mm[-1]):
            gone |= np.linalg.norm(place - end, axis=3) < radius
        for axis in range(3):
            rim = [slice(None)] * 3
            for side in (slice(0, 2), slice(-2, None)):
                rim[axis] = side
                gone[tuple(rim)] = True
        return gone
