"""Exact flows of a viscous fluid: a pipe, an oscillating pipe, a vortex; on grids that lie askew to them."""

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.special import jv

Floats = npt.NDArray[np.float64]


class Pipe:
    """A pipe through a cube of voxels that lies along none of its axes and off its middle.

    Args:
        radius_mm: of the pipe.
        voxels: across the radius.
    """

    def __init__(self, radius_mm: float, voxels: float) -> None:
        self.radius_mm, self.mm = radius_mm, radius_mm / voxels
        n = int(2 * voxels) + 8
        place = (np.indices((n, n, n)).astype(float) - (n - 1) / 2) * self.mm
        self.along = np.array([np.cos(0.3), np.sin(0.3) * np.cos(0.5), np.sin(0.3) * np.sin(0.5)])
        side = np.cross(self.along, [0.0, 0.0, 1.0])
        side /= np.linalg.norm(side)
        off = 0.23 * self.mm * side + 0.41 * self.mm * np.cross(self.along, side)
        place -= off[:, None, None, None]
        self.distance_mm = np.tensordot(self.along, place, 1)
        self.r2 = np.sum(place**2, axis=0) - self.distance_mm**2
        self.inside = self.r2 < radius_mm**2
        self.middle_mm = (n - 1) / 2 * self.mm + off

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        return (self.mm, self.mm, self.mm)

    def field(self, speed: Any) -> npt.NDArray[np.float32]:
        """(3, ...) velocity along the pipe."""
        return (self.along[:, None, None, None] * np.where(self.inside, speed, 0.0)).astype(np.float32)

    def poiseuille(self, middle_m_s: float) -> npt.NDArray[np.float32]:
        return self.field(middle_m_s * (1.0 - self.r2 / self.radius_mm**2))

    def womersley(self, phase: float, alpha: float, slope_pa_m: float, density: float, viscosity: float) -> Any:
        """Velocity and its slope in time at one phase of an oscillation -dp/dx = slope cos(phase)."""
        radius = self.radius_mm / 1000.0
        omega = (alpha / radius) ** 2 * viscosity / density
        root = 1j**1.5 * alpha
        profile = 1.0 - jv(0, root * np.sqrt(np.abs(self.r2)) / self.radius_mm) / jv(0, root)
        whole = slope_pa_m / (1j * omega * density) * profile * np.exp(1j * phase)
        return self.field(whole.real), self.field((1j * omega * whole).real)
