"""How large a region is: volume, diameters, surface and the number of its parts.

Surface, mesh volume and the largest diameter in three dimensions are those of the points where the border crosses from
a voxel inside to its neighbour outside, half a step from each (the vertices of marching cubes at one half, as IBSI
defines them). The axes in a slice are measured on the outlines that a person drew, where the region has any, and else
estimated from its pixels (`long_axis`). Before anything is measured the region is turned to patient axes, so that a
flipped or permuted array gives the same numbers.

Sources: Zwanenburg et al., Radiology 295 (2020) 328 (IBSI: mesh volume, surface, maximum 3D diameter, sphericity);
Eisenhauer et al., Eur J Cancer 45 (2009) 228 (RECIST 1.1: longest diameter and the short axis perpendicular to it).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import long_axis
from isocenter.methods.components import labelled
from isocenter.methods.long_axis import longest_mm
from isocenter.space import Geometry, Reference, Region, Volume, surface
from isocenter.space.outline import filled

__all__ = [
    "Axes",
    "Extent",
    "axes_of",
    "component_masks",
    "largest_diameter_mm",
    "measure",
    "measured_across",
    "surface_and_volume",
    "to_patient_axes",
]

Floats = npt.NDArray[np.float64]
Outlines = Mapping[int, Sequence[Floats]]
_MANY_CORNERS = 3000
_FINE = 2.0  # pixels
_SLICES = 1.5  # times as far apart as their pixels: slices were acquired as such
_PLANES = ("axial", "coronal", "sagittal")  # across patient z, y, x


@dataclass(frozen=True)
class Axes:
    """The longest diameter in one plane and the longest perpendicular to it, in mm, with the place of the plane.

    Args:
        plane: in which they lie: axial, coronal or sagittal, whichever is next to it.
    """

    long_mm: float
    short_mm: float
    centre_mm: tuple[float, float, float]
    plane: str = "axial"


@dataclass(frozen=True)
class Extent:
    """The size of one region.

    Args:
        volume_ml: by counting voxels, all parts together.
        mesh_volume_ml: enclosed by the surface.
        surface_mm2: of the marching-cubes mesh at one half.
        sphericity: surface of a ball of the mesh's volume over the mesh's surface; 1 for a ball.
        axes: longest diameter in a plane of measurement and its perpendicular, of the largest part.
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
    along = region.geometry.upright_order.index(measured_across(region))
    area, volume = surface_and_volume(turned)
    edges = [turned.mask.take(i, axis=a).any() for a in range(3) for i in (0, -1)]
    return Extent(
        volume_ml=turned.volume_ml,
        mesh_volume_ml=volume,
        surface_mm2=area,
        sphericity=float(np.pi ** (1 / 3) * (6.0 * volume * 1000.0) ** (2 / 3) / area),
        axes=axes_of(largest, along, _outlines_on(region, turned.geometry, along)),
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
    return longest_mm(corners)


def measured_across(region: Region) -> int:
    """The array axis across which the planes lie in which a region's axes are measured.

    RECIST 1.1 measures in the plane of acquisition: that of the slices where they were drawn on, or where they are
    clearly farther apart than their pixels. Else it is the array plane closest to the patient's axial one.
    """
    if region.outlines is not None:
        return 0
    spacing = region.geometry.spacing_mm
    if max(spacing) > _SLICES * sorted(spacing)[1]:
        return int(np.argmax(spacing))
    return region.geometry.upright_order[0]


def axes_of(region: Region, along: int | None = None, outlines: Outlines | None = None) -> Axes:
    """Longest diameter over all planes of measurement, and the longest chord perpendicular to it in the same plane.

    Call it on one connected part.

    Args:
        along: the axis across those planes; None: by `measured_across`.
        outlines: plane -> its outlines, as its two fractional indices, where the region was filled from such: planes
            that have any are measured on them, and the others on their pixels.
    """
    assert region.mask is not None
    geometry = region.geometry
    along = measured_across(region) if along is None else along
    mask = np.moveaxis(region.mask, along, 0)
    rest = [a for a in range(3) if a != along]
    flat = _flattened(geometry.affine[:3, rest])
    drawn = outlines or {}
    slices = np.flatnonzero(mask.any(axis=(1, 2)))
    # Pixels are estimated finely only where they may be the longest: around them no axis is two pixels too short.
    outer = {int(k): long_axis.around_pixels(mask[k], flat)[0] for k in slices}
    least = max(outer.values()) - _FINE * float(np.linalg.norm(flat.sum(axis=1)))
    found = []
    for k in (k for k, long in outer.items() if long >= least):
        lines = [line for line in drawn.get(k, ()) if (filled([line], mask[k].shape) & mask[k]).any()]
        axes = long_axis.of_outline(np.concatenate(lines) @ flat.T) if lines else long_axis.of_pixels(mask[k], flat)
        found.append((*axes, k))
    longest = max(long for long, _, _ in found)
    _, short, where = max((one for one in found if one[0] > longest - 1e-6), key=lambda one: one[1])
    index = np.zeros(3)
    index[along], index[rest] = where, np.argwhere(mask[where]).mean(axis=0)
    x, y, z = geometry.to_patient(index)
    return Axes(longest, short, (float(x), float(y), float(z)), _PLANES[geometry.upright_order.index(along)])


def _outlines_on(region: Region, grid: Geometry, along: int) -> Outlines:
    """The outlines of a region on another grid of the same voxels, by planes across one of its axes."""
    found: dict[int, list[Floats]] = {}
    for k, lines in (region.outlines or {}).items():
        for line in lines:
            index = grid.to_index(region.geometry.to_patient(np.insert(line, 0, k, axis=1)))
            found.setdefault(int(np.rint(index[0, along])), []).append(np.delete(index, along, axis=1))
    return found


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
