"""How large a region is: volume, diameters, surface and the number of its parts.

All lengths are taken between the points where the border crosses from a voxel inside to its neighbour outside, half
a step from each (the vertices of marching squares and marching cubes at one half, as IBSI defines them). So one voxel
is as long as its spacing, and a digital ball is as long as the ball. Before anything is measured the region is turned
to patient axes, so that a flipped or permuted array gives the same numbers to the last digit.

Sources: Zwanenburg et al., Radiology 295 (2020) 328 (IBSI: mesh volume, surface, maximum 3D diameter, sphericity);
Eisenhauer et al., Eur J Cancer 45 (2009) 228 (RECIST 1.1: longest diameter and the short axis perpendicular to it).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.components import labelled
from isocenter.space import Reference, Region, Volume, surface

__all__ = [
    "Axes",
    "Extent",
    "axes_of",
    "component_masks",
    "in_plane_axes",
    "largest_diameter_mm",
    "measure",
    "surface_and_volume",
    "to_patient_axes",
]

Floats = npt.NDArray[np.float64]
_MANY_CORNERS = 3000


@dataclass(frozen=True)
class Axes:
    """The longest diameter in one plane and the longest perpendicular to it, in mm, with the place of the plane."""

    long_mm: float
    short_mm: float
    centre_mm: tuple[float, float, float]


@dataclass(frozen=True)
class Extent:
    """The size of one region.

    Args:
        volume_ml: by counting voxels, all parts together.
        mesh_volume_ml: enclosed by the surface.
        surface_mm2: of the marching-cubes mesh at one half.
        sphericity: surface of a ball of the mesh's volume over the mesh's surface; 1 for a ball.
        axes: longest axial diameter and its perpendicular, of the largest part.
        diameter_mm: largest distance in three dimensions within the largest part.
        components: connected parts, 26 neighbours.
        largest_ml: volume of the largest part.
        cut: whether the region reaches the edge of the image, so that it may go on outside.
        occupied_ml: what fractions of voxels add up to, where the region was cut from such at one half.
    """

    volume_ml: float
    mesh_volume_ml: float
    surface_mm2: float
    sphericity: float
    axes: Axes
    diameter_mm: float
    components: int
    largest_ml: float
    cut: bool
    occupied_ml: float | None = None


def measure(region: Region) -> Extent:
    """Every size of a three-dimensional region.

    Raises:
        Refused: when the region has no mask or no voxels, or its grid is not in patient millimetres.
    """
    if region.geometry.reference is not Reference.PATIENT:
        raise Refused(
            f"a region on a grid in {region.geometry.reference.value} coordinates",
            "a volume needs millimetres in three directions",
            "measure an image with patient positions",
        )
    turned = to_patient_axes(region)
    assert turned.mask is not None
    parts = component_masks(turned)
    largest = Region(turned.geometry, mask=parts[0])
    area, volume = surface_and_volume(turned)
    edges = [turned.mask.take(i, axis=a).any() for a in range(3) for i in (0, -1)]
    return Extent(
        volume_ml=turned.volume_ml,
        mesh_volume_ml=volume,
        surface_mm2=area,
        sphericity=float(np.pi ** (1 / 3) * (6.0 * volume * 1000.0) ** (2 / 3) / area),
        axes=axes_of(largest),
        diameter_mm=largest_diameter_mm(largest),
        components=len(parts),
        largest_ml=largest.volume_ml,
        cut=bool(any(edges)),
        occupied_ml=region.occupied_ml,
    )


def to_patient_axes(region: Region) -> Region:
    """The same voxels cropped to a margin of one, slices running to the head, rows to the back, columns to the left.

    Axes are only permuted and flipped, never interpolated. The margin is left out where the image ends.

    Raises:
        Refused: when the region has no mask or no voxels.
    """
    region.must_be_placed()
    if region.mask is None:
        raise Refused(f"a region of shape {region.shape.value}", "it has no voxels to count", "give a mask")
    start, stop = region.bounds
    n = region.geometry.shape
    low = tuple(max(0, a - 1) for a in start)
    high = tuple(min(size, b + 1) for b, size in zip(stop, n, strict=True))
    mask = region.mask[tuple(slice(a, b) for a, b in zip(low, high, strict=True))]
    geometry = region.geometry.cropped((low[0], low[1], low[2]), (high[0], high[1], high[2]))
    found = Volume(mask, geometry).upright()
    return Region(found.geometry, mask=np.ascontiguousarray(found.array), label=region.label)


def component_masks(region: Region) -> list[npt.NDArray[np.bool_]]:
    """Connected parts (26 neighbours), largest first."""
    assert region.mask is not None
    labels, count = labelled(region.mask)
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    return [labels == 1 + int(i) for i in np.argsort(-sizes, kind="stable")]


def surface_and_volume(region: Region) -> tuple[float, float]:
    """Area (mm2) and enclosed volume (mL) of the marching-cubes surface at one half.

    On a voxel mask this surface has steps: it is about 8 % larger than the smooth surface of a ball, however fine the
    grid. Compare it only with surfaces of the same definition.
    """
    mesh = surface(region)
    a, b, c = (mesh.vertices_mm[mesh.faces[:, i]] for i in range(3))
    area = float(np.linalg.norm(np.cross(b - a, c - a), axis=1).sum() / 2.0)
    return area, mesh.volume_ml


def largest_diameter_mm(region: Region) -> float:
    """Largest distance between two points of the border in three dimensions, exact by its convex hull."""
    from scipy.spatial import ConvexHull

    assert region.mask is not None
    points = region.geometry.to_patient(_border(region.mask, (0, 1, 2)))
    corners = points[ConvexHull(points).vertices]
    if len(corners) > _MANY_CORNERS:  # pairs would need much memory: only points far from the middle can be an end
        far = np.linalg.norm(corners - corners.mean(axis=0), axis=1)
        least = _span(corners)
        corners = corners[far >= least - far.max()]
    return _farthest(corners)


def axes_of(region: Region) -> Axes:
    """Longest axial diameter over all axial slices, and the longest chord perpendicular to it in the same slice.

    "Axial" is the array plane closest to the patient's axial plane. Call it on one connected part.
    """
    from scipy.spatial import ConvexHull

    assert region.mask is not None
    geometry = region.geometry
    along = geometry.upright_order[0]
    mask = np.moveaxis(region.mask, along, 0)
    rest = [a for a in range(3) if a != along]
    flat = _flattened(geometry.affine[:3, rest])
    hulls: list[tuple[float, int, Floats]] = []
    for k in np.flatnonzero(mask.any(axis=(1, 2))):
        border = _border(mask[k][None], (1, 2))[:, 1:]
        hull = border[ConvexHull(border).vertices]
        hulls.append((_farthest(hull @ flat.T), int(k), hull))
    longest = max(long for long, _, _ in hulls)
    # Perpendiculars cost more than diameters and are wanted of the longest alone, and of those as long as it.
    best = [(in_plane_axes(hull @ flat.T)[1], k, hull) for long, k, hull in hulls if long > longest - 1e-6]
    short = max(one for one, _, _ in best)
    _, where, hull = next(b for b in best if b[0] > short - 1e-6)
    index = np.zeros(3)
    index[along], index[rest] = where, hull.mean(axis=0)
    x, y, z = geometry.to_patient(index)
    return Axes(longest, short, (float(x), float(y), float(z)))


def in_plane_axes(points_mm: Floats) -> tuple[float, float]:
    """Longest distance between points of a plane, and the longest chord of their convex hull perpendicular to it.

    >>> in_plane_axes(np.array([[0.0, 0.0], [4.0, 0.0], [2.0, 1.0], [2.0, -1.0]]))
    (4.0, 2.0)
    """
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist, squareform

    hull = points_mm[ConvexHull(points_mm).vertices]
    distances = squareform(pdist(hull))
    long = float(distances.max())
    # Several pairs may be equally long (a square's diagonals): the one with the longest perpendicular counts.
    pairs = np.argwhere(np.triu(distances >= long - 1e-9))
    return long, max(_perpendicular(hull, hull[i], hull[j]) for i, j in pairs)


def _farthest(points: Floats) -> float:
    from scipy.spatial.distance import pdist

    return float(pdist(points).max())


def _perpendicular(hull: Floats, start: Floats, stop: Floats) -> float:
    u = (stop - start) / np.linalg.norm(stop - start)
    x, y = (hull - start) @ u, (hull - start) @ np.array([-u[1], u[0]])
    longest = 0.0
    for at in x:  # the width of a convex polygon is piecewise linear: its largest value is above or below a corner
        crossings = []
        for i in range(len(x)):
            j = (i + 1) % len(x)
            # No side stands upright on the longest diameter: its far end would be farther away still.
            if min(x[i], x[j]) - 1e-12 <= at <= max(x[i], x[j]) + 1e-12 and x[i] != x[j]:
                crossings.append(y[i] + (y[j] - y[i]) * (at - x[i]) / (x[j] - x[i]))
        longest = max(longest, max(crossings) - min(crossings))
    return float(longest)


def _border(mask: npt.NDArray[np.bool_], axes: tuple[int, ...]) -> Floats:
    """Points half a step outside the first and last voxel of every line; only these can be corners of the hull."""
    found = []
    for axis in axes:
        lines = mask.any(axis=axis)
        first = np.argmax(mask, axis=axis)[lines] - 0.5
        last = mask.shape[axis] - 0.5 - np.argmax(np.flip(mask, axis), axis=axis)[lines]
        where = np.argwhere(lines).astype(np.float64)
        found += [np.insert(where, axis, first, axis=1), np.insert(where, axis, last, axis=1)]
    return np.concatenate(found)


def _flattened(steps: Floats) -> Floats:
    """(3, 2) steps of a plane in space as (2, 2) steps in the plane, lengths and angle kept."""
    a = np.linalg.norm(steps[:, 0])
    along = steps[:, 1] @ steps[:, 0] / a
    across = np.sqrt(max(float(steps[:, 1] @ steps[:, 1] - along**2), 0.0))
    return np.array([[a, along], [0.0, across]])


def _span(points: Floats) -> float:
    """A lower bound of the largest distance: from the farthest point of the first to its own farthest point."""
    far = points[np.linalg.norm(points - points[0], axis=1).argmax()]
    return float(np.linalg.norm(points - far, axis=1).max())
