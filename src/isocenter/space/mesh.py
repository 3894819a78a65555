"""The surface of a region: a closed triangle mesh in patient millimetres."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space.region import Region

__all__ = ["Mesh", "surface"]


@dataclass(frozen=True, eq=False)
class Mesh:
    """Triangles in patient space.

    Args:
        vertices_mm: (n, 3) LPS millimetres.
        faces: (m, 3) indices of vertices, counter-clockwise seen from outside.
        name: what it is the surface of.
    """

    vertices_mm: npt.NDArray[np.float64]
    faces: npt.NDArray[np.int64]
    name: str = ""

    @property
    def volume_ml(self) -> float:
        """Enclosed volume by the divergence theorem; positive when faces look outward."""
        a, b, c = (self.vertices_mm[self.faces[:, i]] for i in range(3))
        return float(np.einsum("ij,ij->i", a, np.cross(b, c)).sum() / 6.0 / 1000.0)


def surface(region: Region) -> Mesh:
    """Closed surface of a mask by marching cubes at one half, in patient space.

    Raises:
        Refused: when the region has no voxels.
    """
    from skimage.measure import marching_cubes

    if region.mask is None or not region.voxels:
        raise Refused("a region without voxels", "it has no surface", "give a mask")
    start, stop = region.bounds
    cut = region.mask[start[0] : stop[0], start[1] : stop[1], start[2] : stop[2]]
    found: tuple[Any, ...] = marching_cubes(np.pad(cut, 1).astype(np.float32), 0.5)
    vertices, faces = found[0].astype(np.float64), found[1].astype(np.int64)
    mesh = Mesh(region.geometry.to_patient(vertices - 1 + np.array(start)), faces, region.label)
    # A grid may be left-handed; faces look outward whatever its hand.
    return mesh if mesh.volume_ml >= 0 else Mesh(mesh.vertices_mm, mesh.faces[:, ::-1], mesh.name)
