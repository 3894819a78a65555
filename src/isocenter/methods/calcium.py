"""Coronary calcium on CT: Agatston score, volume, mass, density, and the classes made of them.

Agatston's score (J Am Coll Cardiol 15 (1990) 827), slice by slice: connected pixels of at least 130 HU with an area of
at least 1 mm² make a lesion; its area in mm² is multiplied by a weight that its brightest pixel decides (130 to 199 HU:
1, 200 to 299: 2, 300 to 399: 3, from 400: 4); the products are added. Two conventions are in use, and the score carries
the name of its own:

- ``"area"``: the sum as it stands. It grows as slices get thinner, and is Agatston's only for slices 3 mm apart.
- ``"spacing"``: the sum times (distance of slices / 3 mm), so that thin or overlapping slices do not count double.

Pixels touch by their edges and corners (8 neighbours) unless 4 are asked for. The score is for 120 kV.

Classes: 0, 1 to 10, 11 to 100, 101 to 400, above 400 (Rumberger, Mayo Clin Proc 74 (1999) 243); CAC-DRS (Hecht et al.,
J Cardiovasc Comput Tomogr 12 (2018) 185): A0 0, A1 1 to 99, A2 100 to 299, A3 from 300; N counts the
vessels.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.masked import as_mask, as_spacing

__all__ = [
    "THRESHOLD_HU",
    "Calcium",
    "Lesion",
    "agatston_class",
    "cac_drs",
    "calcium",
    "callister_volume_mm3",
    "is_sharp",
    "weight",
]

THRESHOLD_HU = 130.0
_LEAST_MM2 = 1.0
_REFERENCE_MM = 3.0
_SHARP = re.compile(
    r"bone|lung|edge|sharp|detail|ultra|^[BUHTJIQ][A-Za-z]?[5-9]\d|^[BUHTJIQ][A-Za-z]?[5-9]\d[a-z]?$|^(YC|YD|YE|D|E|L)$"
    r"|^FC(3\d|5\d|8\d)",
    re.IGNORECASE,
)

Convention = Literal["area", "spacing"]


@dataclass(frozen=True)
class Lesion:
    """One connected spot in one slice, or what of it lies in one artery.

    Args:
        slice: which. area_mm2, mean_hu: of the pixels that count. whole_mm2, peak_hu, weight: of the whole spot.
    """

    slice: int
    area_mm2: float
    peak_hu: float
    mean_hu: float
    weight: int
    whole_mm2: float


@dataclass(frozen=True, eq=False)
class Calcium:
    """What was counted.

    Args:
        score: Agatston, in the convention named.
        volume_mm3: of the pixels that count, by slice distance.
        mass_mg: None where no calibration was given.
        density: mean weight over the area, 1 to 4; 0 without calcium.
        mask: pixels that count.
    """

    score: float
    convention: Convention
    volume_mm3: float
    mass_mg: float | None
    density: float
    lesions: tuple[Lesion, ...]
    mask: npt.NDArray[np.bool_]

    @property
    def peak_hu(self) -> float:
        """The brightest pixel of the spots; 0 without calcium."""
        return max((lesion.peak_hu for lesion in self.lesions), default=0.0)

    @property
    def is_there(self) -> bool:
        """Whether more than the rim of a neighbour's spot lies here: 1 mm² of one, or half of it."""
        return any(one.area_mm2 >= min(_LEAST_MM2, one.whole_mm2 / 2) - 1e-9 for one in self.lesions)


def weight(peak_hu: float) -> int:
    """Agatston's weight of a lesion by its brightest pixel.

    >>> [weight(hu) for hu in (129, 130, 199, 200, 300, 400)]
    [0, 1, 1, 2, 3, 4]
    """
    return 0 if peak_hu < THRESHOLD_HU else min(4, int(peak_hu // 100))


def calcium(
    hu: npt.NDArray[np.floating],
    spacing_mm: tuple[float, float, float],
    where: npt.NDArray[np.bool_] | None = None,
    *,
    convention: Convention = "spacing",
    neighbours: Literal[4, 8] = 8,
    mg_per_mm3_hu: float | None = None,
    together: npt.NDArray[np.bool_] | None = None,
) -> Calcium:
    """Count the calcium of a CT volume, or of a part of it.

    Args:
        hu: (slices, rows, columns) in Hounsfield units.
        spacing_mm: distance of slices, of rows, of columns.
        where: pixels that may count (a heart, a vessel); None for all. A spot is cut at its border.
        convention: see the module.
        neighbours: pixels that touch: 4 by edges, 8 by edges and corners.
        mg_per_mm3_hu: calibration c of mass = c · mean HU · volume, from an insert; None gives no mass.
        together: pixels, those of `where` among them, that make spots with one another: of all arteries, where that is
            one. Then a spot on the border of two arteries has its own size and peak, and each counts its share.

    Raises:
        Refused: when a value is no number, shapes differ, a spacing is not positive, or the convention has no name.

    >>> block = np.zeros((4, 6, 6), np.float32); block[1:3, 1:5, 1:3] = 400.0
    >>> calcium(block, (0.5, 0.5, 0.5), convention="area").score
    16.0
    >>> round(calcium(block, (0.5, 0.5, 0.5), convention="spacing").score, 2)
    2.67
    """
    spacing_mm, where = as_spacing(spacing_mm), None if where is None else as_mask(where)
    _must_fit(hu, where, convention, neighbours, mg_per_mm3_hu)
    if together is not None:
        together = as_mask(together)
        _must_fit(hu, together, convention, neighbours, mg_per_mm3_hu)
        if where is None or (where & ~together).any():
            raise Refused(
                "an artery that is none of them together",
                "its spots would be cut at the others' border",
                "outline the arteries apart",
            )
    from scipy.ndimage import find_objects, label

    bright = hu >= THRESHOLD_HU
    if where is not None:
        bright &= where if together is None else together
    pixel = spacing_mm[1] * spacing_mm[2]
    counted = np.zeros(hu.shape, dtype=bool)
    touch = np.ones((3, 3), dtype=int) if neighbours == 8 else None
    lesions: list[Lesion] = []
    for k in np.flatnonzero(bright.any(axis=(1, 2))):
        spots, _ = label(bright[k], structure=touch)
        for number, box in enumerate(find_objects(spots), start=1):
            inside = spots[box] == number
            whole = int(np.count_nonzero(inside)) * pixel
            if whole < _LEAST_MM2 - 1e-9:
                continue
            peak = float(hu[k][box][inside].max())
            if where is not None:
                inside &= where[k][box]
            values = hu[k][box][inside]
            if not values.size:
                continue
            counted[k][box] |= inside
            area, mean = values.size * pixel, float(values.mean(dtype=np.float64))
            lesions.append(Lesion(int(k), area, peak, mean, weight(peak), whole))
    area = sum(lesion.area_mm2 for lesion in lesions)
    total = sum(lesion.area_mm2 * lesion.weight for lesion in lesions)
    score = total * spacing_mm[0] / _REFERENCE_MM if convention == "spacing" else total
    mass = None
    if mg_per_mm3_hu is not None:
        mass = mg_per_mm3_hu * sum(lesion.mean_hu * lesion.area_mm2 for lesion in lesions) * spacing_mm[0]
    return Calcium(
        float(score),
        convention,
        float(area * spacing_mm[0]),
        mass,
        total / area if area else 0.0,
        tuple(lesions),
        counted,
    )


def callister_volume_mm3(
    hu: npt.NDArray[np.floating], spacing_mm: tuple[float, float, float], where: npt.NDArray[np.bool_] | None = None
) -> float:
    """Volume of at least 130 HU after linear interpolation between slices to a spacing like that in the plane.

    Callister et al., Radiology 208 (1998) 807. It depends less on where the slices happen to lie than a count does.
    """
    from scipy.ndimage import zoom

    spacing_mm, where = as_spacing(spacing_mm), None if where is None else as_mask(where)
    _must_fit(hu, where, "spacing", 8, None)
    factor = max(1, round(spacing_mm[0] / max(spacing_mm[1], spacing_mm[2])))
    bright = hu >= THRESHOLD_HU
    if where is not None:
        bright &= where
    if not bright.any():
        return 0.0
    edges = [np.flatnonzero(bright.any(axis=tuple(o for o in range(3) if o != axis))) for axis in range(3)]
    box = tuple(slice(max(0, int(e[0]) - 2), int(e[-1]) + 3) for e in edges)
    fine = zoom(np.asarray(hu[box], np.float32), (factor, 1, 1), order=1, mode="nearest", grid_mode=True)
    inside = fine >= THRESHOLD_HU
    if where is not None:
        inside &= np.repeat(where[box], factor, axis=0)
    return float(np.count_nonzero(inside) * spacing_mm[1] * spacing_mm[2] * spacing_mm[0] / factor)


def agatston_class(score: float) -> str:
    """Class of a score.

    >>> [agatston_class(s) for s in (0, 0.5, 10, 10.5, 100, 400, 401)]
    ['0', '1 to 10', '1 to 10', '11 to 100', '11 to 100', '101 to 400', 'above 400']
    """
    if score <= 0:
        return "0"
    for limit, name in ((10, "1 to 10"), (100, "11 to 100"), (400, "101 to 400")):
        # Scores are reported as whole numbers; 10.4 is 10 and 10.5 is 11.
        if np.floor(score + 0.5) <= limit:
            return name
    return "above 400"


def cac_drs(score: float, vessels: int | None = None) -> str:
    """CAC-DRS category: A by the score, N by the number of vessels with calcium where it is known.

    >>> cac_drs(0), cac_drs(99), cac_drs(250, 2), cac_drs(300, 4)
    ('CAC-DRS A0', 'CAC-DRS A1', 'CAC-DRS A2/N2', 'CAC-DRS A3/N4')
    """
    if vessels is not None and not 0 <= vessels <= 4:
        raise Refused(
            f"{vessels} vessels",
            "left main, anterior descending, circumflex and right are four",
            "give the spots of all four, empty where there are none",
        )
    whole = np.floor(score + 0.5) if score >= 1 else np.ceil(score)
    level = 0 if whole <= 0 else 1 if whole < 100 else 2 if whole < 300 else 3
    return f"CAC-DRS A{level}" + ("" if vessels is None or not level else f"/N{vessels}")


def is_sharp(kernel: str) -> bool:
    """Whether a reconstruction kernel is known to be a sharp one, whose noise and overshoot pass for calcium.

    >>> [is_sharp(k) for k in ("STANDARD", "B35f", "Qr36d", "FC12", "B70f", "BONEPLUS", "Br59", "LUNG", "FC51", "YC")]
    [False, False, False, False, True, True, True, True, True, True]
    """
    return any(bool(_SHARP.search(part.strip())) for part in re.split(r"[\\,\[\]']", kernel) if part.strip())


def _must_fit(
    hu: npt.NDArray[np.floating],
    where: npt.NDArray[np.bool_] | None,
    convention: str,
    neighbours: int,
    calibration: float | None,
) -> None:
    if hu.ndim != 3:
        raise Refused(
            f"an array of shape {hu.shape}",
            "calcium is counted in slices of rows and columns",
            "give (slices, rows, columns)",
        )
    if where is not None and where.shape != hu.shape:
        raise Refused(
            f"a region of shape {where.shape}", f"the images have {hu.shape}", "give a region on the grid of the images"
        )
    if convention not in ("area", "spacing"):
        raise Refused(f"convention '{convention}'", "the score is by 'area' or by 'spacing'", "name one of these")
    if neighbours not in (4, 8):
        raise Refused(f"{neighbours} neighbours", "pixels of a slice touch in 4 or 8 directions", "give 4 or 8")
    if calibration is not None and not 0 < calibration < 0.01:
        raise Refused(
            f"calibration {calibration:g} mg/mm³/HU", "it is near 0.0008 at 120 kV", "measure the insert again"
        )
    if not np.isfinite(hu).all():
        raise Refused(
            "images with values that are not numbers", "a threshold says nothing on them", "send the series again"
        )
