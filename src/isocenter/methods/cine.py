"""The left ventricle from outlines on a short-axis cine: volumes, ejection, output, muscle, filling, wall.

Rules that decide the numbers, stated because centres differ (Schulz-Menger et al., J Cardiovasc Magn Reson 22 (2020)
19):

- *Disks.* V = Σ A·Δz over all slices with an outline, no interpolation between them. Δz is the distance of the slice
  centres along the normal of the slices, from Image Position (Patient): not Slice Thickness, which leaves out the gap,
  and never Slice Location, which in some scanners' files steps by another distance than the slices do.
- *Base.* A slice counts when at least half of the circumference of the cavity is muscle (`rim`).
- *Papillary muscles* and trabeculae belong to the cavity, not to the muscle mass.
- *Mass* is 1.05 g/ml times (epicardial minus endocardial volume), at end-diastole, of slices that carry both outlines.
- End-diastole is the phase of the largest, end-systole that of the smallest volume.

Sources: Kawel-Boehm et al., J Cardiovasc Magn Reson 22 (2020) 87 (definitions and normal values); DuBois, Arch Intern
Med 17 (1916) 863; Mosteller, N Engl J Med 317 (1987) 1098.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused

__all__ = [
    "FASTEST_BPM",
    "MUSCLE_G_PER_ML",
    "SLOWEST_BPM",
    "Ejection",
    "Filling",
    "body_surface_m2",
    "disk_volume_ml",
    "ejection",
    "ejection_of_contours",
    "filling",
    "mass_g",
    "outline_mm",
    "polygon_area_mm2",
    "rim",
    "slice_spacing_mm",
]

MUSCLE_G_PER_ML = 1.05
"""Density of heart muscle."""
SLOWEST_BPM, FASTEST_BPM = 20.0, 300.0
"""Heart rates (1/min) beyond which none is believed."""

_REGULAR = 0.02  # part of the spacing by which slices may be out of place
_AROUND_PX = 4  # beyond what smoothing by 0.8 pixels reaches
_HARMONICS = 6  # of the volume curve that are kept before it is differentiated

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Ejection:
    """What the ventricle holds and gives: millilitres, per cent, and for output litres a minute.

    `co_l_min` is None where no heart rate is known; `ed` and `es` are phases, counted from 0.
    """

    edv_ml: float
    esv_ml: float
    sv_ml: float
    ef_percent: float
    ed: int
    es: int
    co_l_min: float | None = None


@dataclass(frozen=True)
class Filling:
    """How fast the ventricle empties and fills, from the volume curve: ml/s, and the time from end-systole in ms."""

    peak_ejection_ml_s: float
    peak_filling_ml_s: float
    time_to_peak_filling_ms: float


def polygon_area_mm2(points_mm: npt.ArrayLike) -> float:
    """Area of a flat closed polygon by the shoelace rule; (n, 2) or (n, 3) corners in millimetres, in order.

    Raises:
        Refused: with fewer than three corners, or one that is not finite.

    >>> polygon_area_mm2([[0, 0], [10, 0], [10, 5], [0, 5]])
    50.0
    """
    points = np.asarray(points_mm, dtype=np.float64)
    if points.ndim != 2 or len(points) < 3 or points.shape[1] not in (2, 3) or not np.isfinite(points).all():
        raise Refused(
            f"an outline of shape {points.shape}", "an area needs three finite corners or more", "outline it again"
        )
    points = points - points.mean(axis=0)
    turned = np.roll(points, -1, axis=0)
    if points.shape[1] == 2:
        return float(abs((points[:, 0] * turned[:, 1] - points[:, 1] * turned[:, 0]).sum()) / 2.0)
    return float(np.linalg.norm(np.cross(points, turned).sum(axis=0)) / 2.0)


def slice_spacing_mm(positions_mm: npt.ArrayLike, orientation: npt.ArrayLike) -> float:
    """Distance of neighbouring slice centres along the normal of the slices.

    Args:
        positions_mm: (n, 3) Image Position (Patient) of each slice, in any order.
        orientation: Image Orientation (Patient), six direction cosines.

    Raises:
        Refused: with fewer than two slices, two at one place, a hole (a slice is missing), or uneven distances.

    >>> slice_spacing_mm([[0, 0, 0], [0, 0, 20.0], [0, 0, 10.0]], [1, 0, 0, 0, 1, 0])
    10.0
    """
    positions = np.asarray(positions_mm, dtype=np.float64).reshape(-1, 3)
    cosines = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
    normal = np.cross(cosines[0], cosines[1])
    if len(positions) < 2 or not np.isfinite(positions).all() or abs(float(np.linalg.norm(normal)) - 1.0) > 0.01:
        raise Refused(
            f"{len(positions)} slice positions",
            "a distance needs two finite positions and a unit normal",
            "give the positions of the slices",
        )
    depth = np.sort(positions @ normal)
    steps = np.diff(depth)
    usual = float(np.median(steps))
    if steps.min() < 0.1 * max(usual, 1e-6):
        raise Refused("two slices at one place", "a slice must not count twice", "take one of each place")
    if steps.max() > 1.5 * usual:
        hole = int(steps.argmax()) + 1
        raise Refused(
            f"{steps.max():.1f} mm between slice {hole} and {hole + 1} where {usual:.1f} mm are usual",
            "a slice is missing, and its volume would be",
            "send the stack complete",
        )
    if np.abs(steps - usual).max() > _REGULAR * usual:
        raise Refused(
            f"slice distances from {steps.min():.2f} to {steps.max():.2f} mm",
            "disks of one height need even distances",
            "send the parts as stacks of their own",
        )
    return float((depth[-1] - depth[0]) / (len(depth) - 1))


def disk_volume_ml(areas_mm2: npt.ArrayLike, spacing_mm: float) -> float:
    """V = Σ A·Δz: the areas of all outlined slices times the distance of slice centres.

    >>> disk_volume_ml([1000.0, 2000.0], 10.0)
    30.0
    """
    areas = np.asarray(areas_mm2, dtype=np.float64)
    if not np.isfinite(areas).all() or (areas < 0).any():
        raise Refused("an area that is negative or no number", "it has no volume", "outline it again")
    if not spacing_mm > 0:
        raise Refused(
            f"slice spacing {spacing_mm:g} mm",
            "disks need a height",
            "send the series with the positions of its slices",
        )
    return float(areas.sum() * spacing_mm / 1000.0)


def ejection(volumes_ml: npt.ArrayLike, *, heart_rate_bpm: float | None = None) -> Ejection:
    """End-diastolic, end-systolic and stroke volume, ejection fraction and, with a heart rate, cardiac output.

    Args:
        volumes_ml: of the cavity, for each phase.
        heart_rate_bpm: beats a minute of this scan.

    Raises:
        Refused: with fewer than two phases, a volume of zero at end-diastole, or a heart rate that no heart has.

    >>> e = ejection([150.0, 100.0, 60.0, 120.0], heart_rate_bpm=60.0)
    >>> e.ef_percent, e.co_l_min, e.es
    (60.0, 5.4, 2)
    """
    volumes = np.asarray(volumes_ml, dtype=np.float64).ravel()
    if len(volumes) < 2 or not np.isfinite(volumes).all() or volumes.min() < 0:
        raise Refused(
            f"{len(volumes)} volumes",
            "ejection needs two phases or more, each with a volume",
            "outline two phases at least",
        )
    ed, es = int(volumes.argmax()), int(volumes.argmin())
    edv, esv = float(volumes[ed]), float(volumes[es])
    if edv <= 0:
        raise Refused(
            "an end-diastolic volume of 0 ml", "there is no cavity to empty", "outline the cavity at end-diastole"
        )
    if heart_rate_bpm is not None and not SLOWEST_BPM <= heart_rate_bpm <= FASTEST_BPM:
        said = f"it must lie between {SLOWEST_BPM:g} and {FASTEST_BPM:g} beats a minute"
        raise Refused(f"heart rate {heart_rate_bpm:g}/min", said, "correct it")
    stroke = edv - esv
    output = None if heart_rate_bpm is None else stroke * heart_rate_bpm / 1000.0
    return Ejection(edv, esv, stroke, 100.0 * stroke / edv, ed, es, output)


def ejection_of_contours(
    contours_mm: Mapping[int, Sequence[npt.ArrayLike]], spacing_mm: float, *, heart_rate_bpm: float | None = None
) -> Ejection:
    """Ejection from endocardial polygons, phase by phase, with exact polygon areas.

    Args:
        contours_mm: phase -> one polygon (n, 2) or (n, 3) in millimetres for each outlined slice.
        spacing_mm: distance of slice centres (`slice_spacing_mm`).

    Raises:
        Refused: as `ejection`.
    """
    phases = sorted(contours_mm)
    volumes = [disk_volume_ml([polygon_area_mm2(c) for c in contours_mm[p]], spacing_mm) for p in phases]
    found = ejection(volumes, heart_rate_bpm=heart_rate_bpm)
    return Ejection(
        found.edv_ml, found.esv_ml, found.sv_ml, found.ef_percent, phases[found.ed], phases[found.es], found.co_l_min
    )


def mass_g(epi_areas_mm2: npt.ArrayLike, endo_areas_mm2: npt.ArrayLike, spacing_mm: float) -> float:
    """Muscle mass of slices that carry both outlines, papillary muscles left in the cavity.

    Raises:
        Refused: when the two do not pair, or an epicardium is smaller than its endocardium.

    >>> round(mass_g([3000.0], [2000.0], 10.0), 3)
    10.5
    """
    epi, endo = np.asarray(epi_areas_mm2, dtype=np.float64), np.asarray(endo_areas_mm2, dtype=np.float64)
    if epi.shape != endo.shape:
        raise Refused(
            f"{epi.size} epicardial and {endo.size} endocardial areas",
            "mass is taken where both are drawn",
            "outline both in the same slices",
        )
    if (epi < endo).any():
        raise Refused(
            "an epicardial area smaller than the endocardial",
            "the outlines are exchanged or cross",
            "exchange them or outline them again",
        )
    return MUSCLE_G_PER_ML * (disk_volume_ml(epi, spacing_mm) - disk_volume_ml(endo, spacing_mm))


def body_surface_m2(height_m: float, weight_kg: float, formula: Literal["mosteller", "dubois"] = "mosteller") -> float:
    """Body surface to which volumes and mass are indexed.

    Raises:
        Refused: for a height or weight that no person has (a height in centimetres is told apart).

    >>> round(body_surface_m2(1.80, 80.0), 3), round(body_surface_m2(1.80, 80.0, "dubois"), 3)
    (2.0, 1.996)
    """
    if not 0.3 <= height_m <= 2.5:
        hint = "give metres, not centimetres" if 30 <= height_m <= 250 else "correct the height"
        raise Refused(f"height {height_m:g} m", "nobody is that tall", hint)
    if not 1.0 <= weight_kg <= 400.0:
        raise Refused(f"weight {weight_kg:g} kg", "nobody weighs that", "correct the weight")
    centimetres = 100.0 * height_m
    if formula == "dubois":
        return float(0.007184 * weight_kg**0.425 * centimetres**0.725)
    return float(np.sqrt(centimetres * weight_kg / 3600.0))


def filling(volumes_ml: npt.ArrayLike, phase_ms: float) -> Filling:
    """Peak emptying and filling of the volume curve of one beat.

    The curve is taken as periodic, its first six harmonics are kept, and the slope is that of their sum, so that single
    phases do not decide.

    Args:
        volumes_ml: for each phase, evenly spaced over one whole beat.
        phase_ms: time from one phase to the next.

    Raises:
        Refused: with fewer than 12 phases, or phases longer than 80 ms: the early filling lasts about 100 ms.
    """
    volumes = np.asarray(volumes_ml, dtype=np.float64).ravel()
    n = len(volumes)
    if n < 12 or not 2.0 <= phase_ms <= 80.0:
        raise Refused(
            f"{n} phases of {phase_ms:.0f} ms", "filling rates need 12 phases or more, of at most 80 ms", "scan finer"
        )
    spectrum = np.fft.rfft(volumes) / n
    keep = min(_HARMONICS, (n - 1) // 2)
    t = np.arange(20 * n) / (20 * n)
    order = np.arange(1, keep + 1)
    wave = spectrum[1 : keep + 1, None] * np.exp(2j * np.pi * order[:, None] * t[None, :])
    curve = 2.0 * wave.real.sum(axis=0)
    slope = 2.0 * (2j * np.pi * order[:, None] * wave).real.sum(axis=0) / (n * phase_ms / 1000.0)
    lowest, fastest = int(curve.argmin()), int(slope.argmax())
    delay = ((fastest - lowest) % (20 * n)) / (20 * n) * n * phase_ms
    return Filling(float(-slope.min()), float(slope.max()), float(delay))


def rim(endo: npt.NDArray[np.bool_], muscle: npt.NDArray[np.bool_], spacing_mm: tuple[float, float]) -> float:
    """Part of the circumference of the cavity (0 to 1) that has muscle right outside, in one slice.

    72 rays leave the centre of the cavity; on each, what lies 1.5 and 3 mm behind its last point inside is looked at.

    Args:
        endo, muscle: (rows, columns) masks of the cavity and of the muscle around it.
        spacing_mm: between rows and between columns.
    """
    rows, columns = np.nonzero(endo)
    if not len(rows):
        return 0.0
    down_mm, across_mm = map(float, spacing_mm)
    y, x = float(rows.mean()) * down_mm, float(columns.mean()) * across_mm
    reach = float(np.hypot(np.ptp(rows) * down_mm, np.ptp(columns) * across_mm)) + 1.0
    # Copies in one order, and locked by nobody: for others it would be compiled once more.
    masks = (np.array(mask, np.bool_, order="C") for mask in (endo, muscle))
    return float(_rim(*masks, down_mm, across_mm, y, x, reach))


@njit(cache=True, nogil=True, error_model="numpy")
def _rim(
    endo: npt.NDArray[np.bool_], muscle: npt.NDArray[np.bool_], down_mm: float, across_mm: float, y: float, x: float,
    reach: float,
) -> float:  # fmt: skip
    steps = int(np.ceil(reach / 0.5))
    hits = 0
    for ray in range(72):
        angle = 2.0 * np.pi * ray / 72
        down, across = np.sin(angle), np.cos(angle)
        last = -1
        for n in range(steps):
            i, j = np.rint((y + 0.5 * n * down) / down_mm), np.rint((x + 0.5 * n * across) / across_mm)
            if 0 <= i < endo.shape[0] and 0 <= j < endo.shape[1] and endo[int(i), int(j)]:
                last = n
        for beyond in (1.5, 3.0):
            away = 0.5 * last + beyond
            i, j = np.rint((y + away * down) / down_mm), np.rint((x + away * across) / across_mm)
            if last >= 0 and 0 <= i < endo.shape[0] and 0 <= j < endo.shape[1] and muscle[int(i), int(j)]:
                hits += 1
                break
    return hits / 72


def outline_mm(mask: npt.NDArray[np.bool_], spacing_mm: tuple[float, float]) -> Floats:
    """The longest outline of a mask, (n, 2) row and column in millimetres, freed of the stairs of its pixels.

    Raises:
        Refused: when the mask is empty.
    """
    from scipy.ndimage import gaussian_filter
    from skimage.measure import find_contours

    if not mask.any():
        raise Refused("an empty mask", "it has no outline", "outline the structure")
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    hard = np.pad(box.astype(np.float32), _AROUND_PX)
    line = max(find_contours(gaussian_filter(hard, 0.8), 0.5), key=len, default=None)
    if line is None:  # so thin that smoothing takes it away
        line = max(find_contours(hard, 0.5), key=len)
    corner = np.array([rows[0], columns[0]]) - _AROUND_PX
    return np.asarray((line[:-1] + corner) * np.array(spacing_mm), dtype=np.float64)
