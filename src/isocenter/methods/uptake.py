"""Lesions in PET: how hot, how large, and where the hot ones are.

SUVpeak is the largest mean over a sphere of 1 cm3 whose centre lies in the lesion; it is steadier than SUVmax, which
is one voxel of noise. Metabolic volume is what lies above a threshold, and the threshold is part of its name.

Sources: Wahl et al., J Nucl Med 50 (2009) 122S (PERCIST 1.0); Boellaard et al., Eur J Nucl Med Mol Imaging 42 (2015)
328 (EANM guideline 2.0, 41 % isocontour).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.components import labelled
from isocenter.space import Geometry

__all__ = [
    "PEAK_RADIUS_MM",
    "Component",
    "ReferenceUptake",
    "above",
    "best_mean",
    "blood_pool",
    "hot_components",
    "liver",
    "liver_threshold",
    "sphere_weights",
]

PEAK_RADIUS_MM = float((3.0 * 1000.0 / (4.0 * np.pi)) ** (1.0 / 3.0))
"""Radius of a sphere of 1 cm3: 6.204 mm."""

_GATHER_LIMIT = 20_000_000  # voxel times weight pairs up to which adding shifted values is faster than a transform
_SUBDIVISIONS = 11
_LIVER_MM = 15.0  # radius of the sphere in which PERCIST measures the liver
_LEAST_BLOOD = 10

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Component:
    """One connected hot spot: its mask within an index box (start, stop) of the image."""

    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    mask: Mask
    maximum: float
    voxels: int

    def whole(self, shape: tuple[int, int, int]) -> Mask:
        """The mask on the whole grid."""
        out = np.zeros(shape, dtype=bool)
        out[tuple(slice(a, b) for a, b in zip(self.start, self.stop, strict=True))] = self.mask
        return out


def sphere_weights(geometry: Geometry, radius_mm: float = PEAK_RADIUS_MM) -> Floats:
    """Fraction of each voxel that lies in a sphere about the central voxel; odd sizes, sheared grids included.

    >>> w = sphere_weights(Geometry.regular(shape=(9, 9, 9), spacing_mm=(2.0, 2.0, 2.0)))
    >>> round(float(w.sum()) * 8.0 / 1000.0, 2)  # the sphere holds 1 mL
    1.0
    """
    return _weights(np.ascontiguousarray(geometry.affine[:3, :3]).tobytes(), radius_mm)


def best_mean(array: Floats, geometry: Geometry, mask: Mask, radius_mm: float = PEAK_RADIUS_MM) -> float | None:
    """Largest mean over a sphere centred on a voxel of the mask: SUVpeak for the standard radius.

    The sphere may reach beyond the lesion, and voxels that it cuts count by the part inside. Places where the sphere
    would leave the image are left out; None when there is no other place.

    Args:
        array: (slices, rows, columns) values, such as SUV.
        geometry: their grid.
        mask: the lesion on that grid.
        radius_mm: of the sphere.

    Raises:
        Refused: when the mask is empty or does not fit.
    """
    if mask.shape != array.shape:
        raise Refused(
            f"mask of shape {mask.shape}",
            f"the image has {array.shape}",
            "outline the lesion on this image, or resample its mask",
        )
    if not mask.any():
        raise Refused("an empty mask", "there is no lesion to look in", "outline the lesion")
    weights = sphere_weights(geometry, radius_mm)
    reach = np.array(weights.shape) // 2
    centres = np.argwhere(mask)
    inside = np.all((centres >= reach) & (centres < np.array(array.shape) - reach), axis=1)
    centres = centres[inside]
    if not len(centres):
        return None
    low, high = centres.min(axis=0) - reach, centres.max(axis=0) + reach + 1
    cut = np.ascontiguousarray(array[tuple(slice(a, b) for a, b in zip(low, high, strict=True))], dtype=np.float32)
    local = centres - low
    if len(local) * int(np.count_nonzero(weights)) <= _GATHER_LIMIT:
        return float(_gathered(cut, local, weights).max())
    from scipy.signal import fftconvolve

    blurred = fftconvolve(cut, np.asarray(weights / weights.sum(), dtype=np.float32)[::-1, ::-1, ::-1], mode="same")
    # The transform errs by about 1e-6 of the largest value; the best few places are summed again directly.
    best = np.argsort(blurred[tuple(local.T)])[-64:]
    return float(_gathered(cut, local[best], weights).max())


def above(array: Floats, mask: Mask, threshold: float) -> Mask:
    """Voxels of the mask at or above a threshold."""
    return np.asarray(mask & (array >= threshold), dtype=np.bool_)


def hot_components(array: Floats, threshold: float, *, voxels_at_least: int = 1) -> list[Component]:
    """Connected parts (26 neighbours) at or above a threshold, hottest first.

    >>> a = np.zeros((5, 5, 5), np.float32); a[1, 1, 1] = 7; a[3, 3, 3] = 9
    >>> [c.maximum for c in hot_components(a, 4.0)]
    [9.0, 7.0]

    Raises:
        Refused: for anything but numbers by (slices, rows, columns), as a `Volume` or a `Region` itself.
    """
    import cc3d

    array = np.asarray(array)
    if array.ndim != 3 or array.dtype.kind not in "biuf":
        raise Refused(
            f"hot spots of {array.dtype} of shape {array.shape}",
            "they are looked for among numbers by (slices, rows, columns)",
            "give the array of the volume, or a region's mask as numbers",
        )
    labels, count = labelled(array >= threshold)
    if not count:
        return []
    statistics = cc3d.statistics(np.ascontiguousarray(labels))
    found = []
    for label in range(1, count + 1):
        voxels = int(statistics["voxel_counts"][label])
        if voxels < voxels_at_least:
            continue
        box = statistics["bounding_boxes"][label]
        part = labels[box] == label
        start = (int(box[0].start), int(box[1].start), int(box[2].start))
        stop = (int(box[0].stop), int(box[1].stop), int(box[2].stop))
        found.append(Component(start, stop, part, float(array[box][part].max()), voxels))
    return sorted(found, key=lambda c: (-c.maximum, c.start))


@dataclass(frozen=True)
class ReferenceUptake:
    """Uptake of an organ that lesions are compared with, in the unit of the image.

    Args:
        organ: ``"liver"`` or ``"blood pool"``.
        mean, sd, highest: over the voxels of the place in which it is measured.
        voxels: how many those are.
    """

    organ: str
    mean: float
    sd: float
    highest: float
    voxels: int

    @property
    def measurable(self) -> float:
        """PERCIST 1.0: least peak of a lesion that can be followed.

        1.5 times liver mean plus two standard deviations, or twice blood pool mean plus two standard deviations.
        """
        return (1.5 if self.organ == "liver" else 2.0) * self.mean + 2.0 * self.sd

    def scaled(self, factor: float) -> ReferenceUptake:
        """The same in another variant of SUV."""
        return ReferenceUptake(self.organ, self.mean * factor, self.sd * factor, self.highest * factor, self.voxels)


def liver(array: Floats, geometry: Geometry, mask: Mask) -> ReferenceUptake:
    """The liver in a sphere of 3 cm diameter at the place deepest inside its outline.

    Raises:
        Refused: when no such sphere fits into the outline.
    """
    place, deep = _deepest(geometry, mask)
    # A sphere of 3 cm that a person drew is a voxel less deep on a grid.
    if deep < _LIVER_MM - max(geometry.spacing_mm):
        raise Refused(
            f"liver at most {2 * deep:.0f} mm thick",
            "PERCIST measures it in a sphere of 30 mm",
            "draw the whole right lobe",
        )
    index, away = _offsets(geometry, mask, place)
    return _reference("liver", array, index[np.linalg.norm(away, axis=1) <= _LIVER_MM])


def blood_pool(array: Floats, geometry: Geometry, mask: Mask) -> ReferenceUptake:
    """The blood pool in a cylinder of 1 cm diameter and 2 cm height, deepest inside the outline of a great vessel.

    PERCIST takes the descending thoracic aorta, Lugano the mediastinum. The cylinder stands along the patient.

    Raises:
        Refused: when the cylinder would hold less than ten voxels of the outline.
    """
    place, _ = _deepest(geometry, mask)
    index, away = _offsets(geometry, mask, place)
    inside = (np.hypot(away[:, 0], away[:, 1]) <= 5.0 + 1e-9) & (np.abs(away[:, 2]) <= 10.0 + 1e-9)
    if np.count_nonzero(inside) < _LEAST_BLOOD:
        raise Refused(
            f"a blood pool of {np.count_nonzero(inside)} voxels",
            "it is measured in a cylinder of 1 cm by 2 cm",
            "outline at least 2 cm of the descending aorta",
        )
    return _reference("blood pool", array, index[inside])


def liver_threshold(array: Floats, geometry: Geometry, mask: Mask) -> float:
    """PERCIST's threshold of measurable uptake: 1.5 times liver mean plus two standard deviations.

    Raises:
        Refused: as `liver`.
    """
    return liver(array, geometry, mask).measurable


def _deepest(geometry: Geometry, mask: Mask) -> tuple[npt.NDArray[np.intp], float]:
    import edt

    depth = edt.edt(np.array(mask, dtype=bool, order="C"), anisotropy=geometry.spacing_mm, black_border=True)
    centre = np.unravel_index(int(np.argmax(depth)), depth.shape)
    return np.array(centre), float(depth[centre])


def _offsets(
    geometry: Geometry, mask: Mask, centre: npt.NDArray[np.intp]
) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]]:
    """(n, 3) voxels of a mask, and where they lie about the centre in patient millimetres."""
    index = np.argwhere(mask)
    return index, np.asarray((index - centre) @ geometry.affine[:3, :3].T)


def _reference(organ: str, array: Floats, index: npt.NDArray[np.intp]) -> ReferenceUptake:
    values = array[tuple(index.T)].astype(np.float64)
    return ReferenceUptake(
        organ, float(values.mean()), float(values.std(ddof=1)), float(values.max()), int(values.size)
    )


def _gathered(cut: npt.NDArray[np.float32], centres: npt.NDArray[np.intp], weights: Floats) -> Floats:
    flat = cut.ravel()
    strides = np.array([cut.shape[1] * cut.shape[2], cut.shape[2], 1])
    at = centres @ strides
    offsets = np.argwhere(weights > 0)
    shifts = (offsets - np.array(weights.shape) // 2) @ strides
    total = np.zeros(len(at), dtype=np.float64)
    for shift, weight in zip(shifts, weights[tuple(offsets.T)], strict=True):
        total += weight * flat[at + shift]
    mean: Floats = total / weights.sum()
    return mean


@lru_cache(maxsize=64)
def _weights(steps: bytes, radius_mm: float) -> Floats:
    matrix = np.frombuffer(steps, dtype=np.float64).reshape(3, 3)
    # How far the sphere reaches along each index axis: the rows of the inverse are the slopes of the indices.
    reach = np.linalg.norm(np.linalg.inv(matrix), axis=1) * radius_mm
    half = np.ceil(reach - 0.5).astype(int).clip(min=0)
    inner = (np.arange(_SUBDIVISIONS) + 0.5) / _SUBDIVISIONS - 0.5
    axes = [(np.arange(-h, h + 1)[:, None] + inner[None, :]).ravel() for h in half]
    grid = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1) @ matrix.T
    fine = np.einsum("...i,...i->...", grid, grid) <= radius_mm**2
    shape = [v for h in half for v in (2 * h + 1, _SUBDIVISIONS)]
    weights: Floats = fine.reshape(shape).mean(axis=(1, 3, 5))
    weights.setflags(write=False)
    return weights
