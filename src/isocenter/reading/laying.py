"""A series laid onto the grid of another one by a registration, so that a screen draws both as scans of one space.

The browser is given values in the fixed frame and needs no transform of its own: what it draws is what was computed
here. The grid is that of the fixed series, thinned where its voxels are finer than half of the moving ones, and cut to
the part that the moving series reaches.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter.errors import NotAVolume, Refused
from isocenter.reading.cutting import Plane, Vector
from isocenter.reading.pictures import Pictures

__all__ = ["Laid", "laid"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Laid:
    """A series as it lies in another frame of reference.

    Args:
        pictures: what the screen is told: one image for each slice of the grid, in the fixed frame.
        source: the moving series itself.
        planes: where each of those images lies in the moving frame; its values are read there.
    """

    pictures: Pictures
    source: Pictures
    planes: tuple[Plane, ...]


def laid(still: Pictures, over: Pictures, matrix: Floats) -> Laid:
    """Where the images of a series come to lie on another one.

    Args:
        still: the series that stays; its images lie on a regular grid.
        over: the series that is laid over it.
        matrix: (4, 4) from the moving frame's millimetres to the fixed frame's (LPS).

    Raises:
        NotAVolume: one of them makes no volume.
        Refused: they do not meet.
    """
    for one in (still, over):
        if one.no_volume or one.colour:
            raise NotAVolume(one.no_volume or "colour images", "only volumes are laid over", "read them side by side")
    grid, moving = _affine(still), _affine(over)
    step = np.linalg.norm(grid[:3, :3], axis=0)
    finest = float(np.linalg.norm(moving[:3, :3], axis=0).min())
    thin = np.maximum(1, np.floor(finest / 2 / step + 1e-6)).astype(int)
    low, count = _met(grid, moving, _shape(still), _shape(over), matrix, thin)
    coarse = grid.copy()
    coarse[:3, :3] *= thin
    coarse[:3, 3] = grid[:3, :3] @ low + grid[:3, 3]
    back = np.linalg.inv(matrix) @ coarse  # from an index of the new grid to millimetres of the moving frame
    planes = tuple(
        Plane(_vector(back[:3, :3] @ (k, 0, 0) + back[:3, 3]), _vector(back[:3, 2]), _vector(back[:3, 1]), *count[1:])
        for k in range(count[0])
    )
    orientation = tuple(float(v) for axis in (2, 1) for v in coarse[:3, axis] / np.linalg.norm(coarse[:3, axis]))
    spacing = tuple(float(np.linalg.norm(coarse[:3, axis])) for axis in (1, 2))
    first, thickness = over.order[0], float(np.linalg.norm(coarse[:3, 0]))
    images = tuple(
        replace(
            first,
            frame=0,
            rows=count[1],
            columns=count[2],
            orientation=orientation,
            spacing_mm=spacing,
            position=_vector(coarse[:3, :3] @ (k, 0, 0) + coarse[:3, 3]),
            thickness_mm=thickness,
            duration_ms=0.0,
        )
        for k in range(count[0])
    )
    said = f"{over.tag} {still.tag} {matrix.round(9).tolist()}"
    series = replace(over.series, frame_of_reference=still.series.frame_of_reference)
    told = replace(
        over, series=series, order=images, phases=1, kind="f4", tag=hashlib.sha256(said.encode()).hexdigest()[:32]
    )
    return Laid(told, over, planes)


def _affine(of: Pictures) -> Floats:
    """(4, 4) from (slice, row, column) to the patient, of images that lie on a regular grid."""
    first, last = of.order[0], of.order[-1]
    along, down = np.array(first.orientation).reshape(2, 3)
    affine = np.eye(4)
    affine[:3, 0] = (np.array(last.position) - first.position) / max(1, len(of.order) - 1)
    affine[:3, 1], affine[:3, 2] = down * first.spacing_mm[0], along * first.spacing_mm[1]
    affine[:3, 3] = first.position
    return affine


def _shape(of: Pictures) -> tuple[int, int, int]:
    return len(of.order), of.order[0].rows, of.order[0].columns


def _met(
    grid: Floats,
    moving: Floats,
    shape: tuple[int, ...],
    reach: tuple[int, ...],
    matrix: Floats,
    thin: npt.NDArray[np.int_],
) -> tuple[npt.NDArray[np.int_], tuple[int, int, int]]:
    """The first voxel of the fixed grid that the moving series reaches, and how many there are along each axis."""
    ends = np.array([[(-0.5, n - 0.5)[(corner >> axis) & 1] for axis, n in enumerate(reach)] for corner in range(8)])
    onto = np.linalg.inv(grid) @ matrix @ moving
    there = ends @ onto[:3, :3].T + onto[:3, 3]
    low = np.maximum(0, np.floor(there.min(axis=0))).astype(int)
    high = np.minimum(np.array(shape) - 1, np.ceil(there.max(axis=0))).astype(int)
    if (high < low).any():
        raise Refused("two series that do not meet", "the registration lays one beside the other", "register them anew")
    slices, rows, columns = ((high - low) // thin + 1).tolist()
    return low, (slices, rows, columns)


def _vector(values: Floats) -> Vector:
    x, y, z = (float(v) for v in values)
    return x, y, z
