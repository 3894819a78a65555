"""Shape of a region in space (IBSI family HCUG): volume, surface, axes, how it fills boxes, ellipsoids and hulls.

Surfaces are those of marching cubes at one half. What needs intensities as well (centre of mass shift, integrated
intensity, likeness of neighbours) takes the voxels that re-segmentation has left.

Source: IBSI reference manual 3.1; Zwanenburg et al., Radiology 295 (2020) 328. The oriented minimum bounding box and
the minimum volume enclosing ellipsoid have no consensus values and are not given.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.masked import Spacing, as_mask, as_spacing, must_fit
from isocenter.methods.spatial_autocorrelation import autocorrelation
from isocenter.space import Geometry, Region, surface

__all__ = ["shape", "shape_with_intensity"]

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_TERMS = 20  # of the series for an ellipsoid's surface, as the manual has it


def shape(mask: Mask, spacing_mm: Spacing) -> dict[str, float]:
    """The 22 features that need no intensities, by IBSI tag.

    Args:
        mask: (slices, rows, columns) of the region.
        spacing_mm: of (slices, rows, columns).

    Raises:
        Refused: when the region is empty or lies in one line, where shapes have no axes.
    """
    mask, spacing_mm = as_mask(mask), as_spacing(spacing_mm)
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    points = np.argwhere(mask) * np.asarray(spacing_mm)
    if len(points) < 2:
        raise Refused(
            f"a region of {len(points)} voxel{'s' * (len(points) != 1)}", "it has no shape", "look at the mask"
        )
    corners, faces = _mesh(mask, spacing_mm)
    a, b, c = (corners[faces[:, i]] for i in range(3))
    normals = np.cross(b - a, c - a)
    area = float(np.linalg.norm(normals, axis=1).sum() / 2.0)
    volume = float(abs(np.einsum("ij,ij->i", a, normals).sum()) / 6.0)
    hull = ConvexHull(corners)
    axes = _axes(points)
    box = np.ptp(corners, axis=0)
    ball = (36.0 * np.pi * volume**2) ** (1.0 / 3.0)
    enclosing = 4.0 / 3.0 * np.pi * float(np.prod(axes / 2.0))
    return {
        "morph_volume": volume,
        "morph_vol_approx": len(points) * float(np.prod(spacing_mm)),
        "morph_area_mesh": area,
        "morph_av": area / volume,
        "morph_comp_1": volume / (np.sqrt(np.pi) * area**1.5),
        "morph_comp_2": (ball / area) ** 3,
        "morph_sph_dispr": area / ball,
        "morph_sphericity": ball / area,
        "morph_asphericity": area / ball - 1.0,
        "morph_diam": float(pdist(corners[hull.vertices]).max()),
        "morph_pca_maj_axis": float(axes[0]),
        "morph_pca_min_axis": float(axes[1]),
        "morph_pca_least_axis": float(axes[2]),
        "morph_pca_elongation": float(axes[1] / axes[0]),
        "morph_pca_flatness": float(axes[2] / axes[0]),
        "morph_vol_dens_aabb": volume / float(np.prod(box)),
        "morph_area_dens_aabb": area / (2.0 * float(box[0] * box[1] + box[1] * box[2] + box[2] * box[0])),
        **_in_ellipsoid(volume, area, axes, enclosing),
        "morph_vol_dens_conv_hull": volume / float(hull.volume),
        "morph_area_dens_conv_hull": area / float(hull.area),
    }


def shape_with_intensity(
    image: npt.NDArray[np.floating], mask: Mask, held: Mask, spacing_mm: Spacing, volume_mm3: float
) -> dict[str, float]:
    """The features that need intensities: centre of mass shift, integrated intensity, Moran's I and Geary's C.

    Args:
        image: (slices, rows, columns) intensities.
        mask: the region; `held`: those of its voxels that re-segmentation left.
        volume_mm3: the region's volume from `shape`.

    Raises:
        Refused: when fewer than two voxels are held, or all have one intensity; for masks that are none of this image.
    """
    mask, held, spacing_mm = as_mask(mask), must_fit(image, held), as_spacing(spacing_mm)
    x = np.asarray(image[held], dtype=np.float64)
    moran, geary = autocorrelation(image, held, spacing_mm)
    total = float(x.sum())
    shift = float("nan")
    if total != 0.0:
        heavy = (x @ np.argwhere(held)) / total * spacing_mm
        shift = float(np.linalg.norm(heavy - np.argwhere(mask).mean(axis=0) * spacing_mm))
    return {
        "morph_com": shift,
        "morph_integ_int": float(x.mean()) * volume_mm3,
        "morph_moran_i": moran,
        "morph_geary_c": geary,
    }


def _mesh(mask: Mask, spacing_mm: Spacing) -> tuple[Floats, npt.NDArray[np.int64]]:
    made = surface(Region(Geometry.regular(shape=_three(mask.shape), spacing_mm=spacing_mm), mask=mask))
    return made.vertices_mm[:, ::-1], made.faces


def _three(sizes: tuple[int, ...]) -> tuple[int, int, int]:
    return sizes[0], sizes[1], sizes[2]


def _axes(points: Floats) -> Floats:
    """Lengths of the axes of the ellipsoid with the voxels' covariance, longest first: four standard deviations."""
    spread = np.linalg.eigvalsh(np.cov(points.T))
    return np.asarray(4.0 * np.sqrt(np.clip(spread, 0.0, None))[::-1])


def _in_ellipsoid(volume: float, area: float, axes: Floats, enclosing: float) -> dict[str, float]:
    if axes[2] <= 1e-9 * axes[0]:
        return {}  # a flat region has no ellipsoid around it
    return {
        "morph_vol_dens_aee": volume / enclosing,
        "morph_area_dens_aee": area / _ellipsoid_surface(axes / 2.0),
    }


def _ellipsoid_surface(half: Floats) -> float:
    """By the manual's series of Legendre polynomials, taken by recursion, so that axes may be equal.

    The manual measures both eccentricities against the longest axis. That is not the surface of the ellipsoid (12 %
    too little for axes 3, 2, 2), but the consensus values are made with it.
    """
    a, b, c = (float(v) for v in half)
    first, second = 1.0 - (b / a) ** 2, 1.0 - (c / a) ** 2
    middle, product = (first + second) / 2.0, first * second
    before, term = 0.0, 1.0  # (alpha beta)^n P_n((alpha^2 + beta^2) / (2 alpha beta)), n = 0
    total = 0.0
    for n in range(_TERMS + 1):
        total += term / (1.0 - 4.0 * n**2)
        before, term = term, ((2 * n + 1) * middle * term - n * product * before) / (n + 1)
    return 4.0 * np.pi * a * b * total
