"""How wide vessels are, from how bright they are: sums of brightness stay what they are when an image blurs.

A mask of a vessel ends where a filter's answer falls below a limit, which lies inside of the vessel or outside by its
width, its contrast and the voxels. What blood adds to the brightness of its surroundings does not depend on that: in
a slab across the vessel it sums up to cross-section times the contrast of blood, however much the voxels blur it. The
contrast is that on the centre line of wide vessels; where there are none, that on the vessel's own, and what voxels
take from it where a vessel is as thin as they are is put back by their known size.

Source: densitometry of vessels, as in Reiber et al., Cathet. Cardiovasc. Diagn. 11 (1985) 521; partial volume of a
cylinder in a Gaussian blur, 1 - exp(-R^2 / 2 s^2) on its axis.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.vessel_tree import Tree

__all__ = ["Calibre", "calibre", "noise_share", "standing_out"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.floating]

_REACH_MM, _APART_MM = 2.0, 3.0  # beyond the mask: what may be blood, and what is taken for its surroundings
_AROUND_MM = 8.0  # over which the surroundings are averaged
_HALF = 0.5
_WIDE = 2.0  # voxels, or mm where they are smaller: the radius from which the axis is as bright as blood
_SHORT = 5  # voxels: the contrast of a shorter way is that of the whole tree
_ABOVE_NOISE = 1.5
_MEDIAN_OF_NORMAL = 0.6745  # of the absolute values, standard deviation 1
_BLUR = 0.5  # of a voxel: what averaging over it and linear interpolation blur, sqrt(1/12 + 1/6)


@dataclass(frozen=True, eq=False)
class Calibre:
    """Blood in and around a mask of vessels.

    Args:
        volume_mm3: of blood.
        radius_mm: mean over the centre line, of a circle with the vessel's cross-section.
        resolved: whether a vessel is wide enough to show how bright blood is; without one, thin vessels come out too
            wide by what the image is blurred beyond its voxels.
        lumen: voxels of which half or more is blood.
    """

    volume_mm3: float
    radius_mm: float
    resolved: bool
    lumen: Mask


def calibre(
    image: Floats,
    vessels: Mask,
    tree: Tree,
    spacing_mm: tuple[float, float, float],
    *,
    inside: Mask,
    counted: Mask | None = None,
    voxel_mm: float = 0.0,
) -> Calibre:
    """Volume and radius of bright vessels on darker ground.

    Args:
        image: (slices, rows, columns), of any unit that is linear in the share of blood.
        vessels: where a filter found them; its border need not be theirs.
        tree: of `vessels`.
        inside: the organ.
        counted: the part of it of which the volume of blood is wanted; all of it where None.
        voxel_mm: edge of a cube as large as a voxel of the image before it was brought onto this grid; 0 for this one.

    Raises:
        Refused: when nothing is left around the vessels to compare with, or they are no brighter.
    """
    away = ndimage.distance_transform_edt(~vessels, sampling=spacing_mm)
    near, ground = inside & (away <= _REACH_MM), inside & (away > _APART_MM)
    if not ground.any():
        raise Refused(
            "vessels that leave nothing between them", "their contrast cannot be told", "take a higher threshold"
        )
    excess = np.where(near, image - _surroundings(image, ground, spacing_mm), 0.0)
    owner = ndimage.distance_transform_edt(~tree.line, sampling=spacing_mm, return_distances=False, return_indices=True)
    number = np.full(image.shape, -1)  # of the way, for voxels of the line that lie between its ends
    for n, way in enumerate(tree.ways):
        number[tuple(way[1:-1].T)] = n
    whole = float(excess[tree.line].mean())
    if not whole > 0:
        raise Refused(
            "vessels that are no brighter than the liver around them",
            "they are no vessels with contrast",
            "choose a phase with contrast in the vessels",
        )
    heights = np.array([float(excess[tuple(w.T)].mean()) if len(w) >= _SHORT else whole for w in tree.ways])
    heights = np.where(heights > 0, heights, whole)
    places = tuple(axis[near] for axis in owner)
    voxel = float(np.prod(spacing_mm))
    mine = number[places]
    sums = np.bincount(mine[mine >= 0], excess[near][mine >= 0], minlength=len(tree.ways)) * voxel
    lengths = np.array([mm * (len(w) - 2) / (len(w) - 1) for w, mm in zip(tree.ways, tree.ways_mm, strict=True)])
    sections = np.maximum(sums, 0.0) / np.maximum(lengths, 1e-6)
    edge = voxel_mm or float(np.cbrt(voxel))
    radii = np.array([_radius(s / h, _BLUR * edge) for s, h in zip(sections, heights, strict=True)])
    kept, wide = (lengths > 0) & (sums > 0), radii >= _WIDE * max(edge, 1.0)
    wide &= kept
    blood = np.where(radii > 0, sections / np.maximum(np.pi * radii**2, 1e-6), whole)
    if wide.any():
        usual = float(np.average(blood[wide], weights=lengths[wide]))
        blood = np.where(wide, blood, np.maximum(blood, usual))
        radii = np.where(wide, radii, np.sqrt(sections / (np.pi * blood)))
    of_way = np.append(np.where(kept, blood, whole), whole if not wide.any() else usual)
    share = np.zeros(image.shape, np.float32)
    share[near] = excess[near] / of_way[mine]
    held = share if counted is None else np.where(counted, share, np.float32(0.0))
    mean = float(np.average(radii[kept], weights=lengths[kept])) if kept.any() else tree.radius_mm
    return Calibre(float(held.sum(dtype=np.float64)) * voxel, mean, bool(wide.any()), held >= _HALF)


def standing_out(image: Floats, vessels: Mask, spacing_mm: tuple[float, float, float], *, inside: Mask) -> Mask:
    """The parts of a mask that stand out of what lies around them further than noise does.

    A filter that takes its measure from the strongest answer answers to noise alone where there is nothing else: what
    it picks there is brighter than its surroundings by 0.9 to 1.4 standard deviations of them, and blood by more.

    Args:
        image: (slices, rows, columns), vessels bright. vessels: where a filter found them. inside: the organ.
    """
    excess, spread = _excess(image, vessels, spacing_mm, inside)
    if not vessels.any() or not spread < np.inf:
        return vessels
    labels, count = ndimage.label(vessels, np.ones((3, 3, 3), bool))
    means = ndimage.mean(excess, labels, np.arange(1, count + 1))
    return np.asarray(np.append(False, means > _ABOVE_NOISE * spread)[labels])


def noise_share(image: Floats, vessels: Mask, spacing_mm: tuple[float, float, float], *, inside: Mask) -> float:
    """Noise of the organ over what vessels stand out of it by; 0 where there are none, or nothing to compare with."""
    excess, spread = _excess(image, vessels, spacing_mm, inside)
    if not vessels.any() or not spread < np.inf:
        return 0.0
    return spread / max(float(excess[vessels].mean(dtype=np.float64)), 1e-9)


def _excess(image: Floats, vessels: Mask, spacing_mm: tuple[float, float, float], inside: Mask) -> tuple[Floats, float]:
    """What each voxel is brighter by than its surroundings, and the noise of these; infinite where there are none."""
    ground = inside & (ndimage.distance_transform_edt(~vessels, sampling=spacing_mm) > _APART_MM)
    if not ground.any():
        return image, float("inf")
    excess = image - _surroundings(image, ground, spacing_mm)
    return excess, float(np.median(np.abs(excess[ground]))) / _MEDIAN_OF_NORMAL


def _surroundings(image: Floats, ground: Mask, spacing_mm: tuple[float, float, float]) -> Floats:
    """Brightness of what lies around each voxel, from voxels without vessels."""
    sigma = [_AROUND_MM / mm for mm in spacing_mm]
    weight = ndimage.gaussian_filter(ground.astype(np.float32), sigma, truncate=2.5)
    summed = ndimage.gaussian_filter(np.where(ground, image, 0.0).astype(np.float32), sigma, truncate=2.5)
    middle = float(np.median(image[ground]))
    return np.where(weight > 1e-3, summed / np.maximum(weight, 1e-3), middle)


def _radius(area: float, blur: float) -> float:
    """Radius of the cylinder that seems to have an area, where the contrast on its axis is faded by the blur."""
    radius = float(np.sqrt(area / np.pi))
    for _ in range(60):
        radius = float(np.sqrt(area * (1.0 - np.exp(-(radius**2) / (2 * blur**2))) / np.pi))
    return radius
