"""How large a difference between two measurements must be before it is a change: the smallest detectable change.

Below it a difference is within the error of measurement (95 %). It comes from measurements of people who did not change
(test and retest), which is best; or, where there are none, from a border that is off by up to half a voxel all around.
That is cautious: outlines that are exact but for the grid differ by far less, and a smaller change may be real; a
larger one may still be one reader against another.

What the grid alone does is exact: `grid_volume_ml`.

Sources: Bland & Altman, BMJ 313 (1996) 744 (repeatability); de Vet et al., J Clin Epidemiol 59 (2006) 1033 (smallest
detectable change); Raunig et al., Stat Methods Med Res 24 (2015) 27 (QIBA's terms).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = [
    "Repeatability",
    "border_length_mm",
    "border_volume_ml",
    "delta",
    "from_variation",
    "grid_volume_ml",
    "repeatability",
]

_Z = 1.959963984540054
_FEWEST_PAIRS = 10
_LEAST_ICC = 0.9
_DUAL = 6.0  # lattice steps summed one by one: the rest is within 1 % of its integral


@dataclass(frozen=True)
class Repeatability:
    """What two measurements of the same people say.

    Args:
        within_sd: within-subject standard deviation, in the unit measured.
        within_cv: the same in parts of the value, from the logarithms.
        smallest_change: 1.96 · √2 · within_sd: 95 % of differences without change lie below it.
        pairs: how many people.
    """

    within_sd: float
    within_cv: float
    smallest_change: float
    pairs: int


def repeatability(first: npt.ArrayLike, second: npt.ArrayLike) -> Repeatability:
    """From a test and a retest.

    Args:
        first, second: (n,) positive measurements of the same n people.

    Raises:
        Refused: for fewer than ten pairs, values that are not positive numbers, or lists that do not pair.

    >>> r = repeatability([10.0] * 10, [11.0, 9.0] * 5)
    >>> round(r.within_sd, 4), round(r.smallest_change, 2)
    (0.7071, 1.96)
    """
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    if a.ndim != 1 or a.shape != b.shape:
        raise Refused(
            f"{a.size} first and {b.size} second measurements",
            "each person is measured twice",
            "give both measurements of each person",
        )
    if len(a) < _FEWEST_PAIRS:
        raise Refused(
            f"{len(a)} pairs",
            f"at least {_FEWEST_PAIRS} are asked before their spread means anything",
            "measure more people twice",
        )
    if not (np.isfinite(a).all() and np.isfinite(b).all() and (a > 0).all() and (b > 0).all()):
        raise Refused(
            "a measurement that is no positive number",
            "the coefficient of variation needs its logarithm",
            "leave it out, or measure it again",
        )
    within = float(np.sqrt(np.mean((a - b) ** 2) / 2.0))
    log = float(np.sqrt(np.mean((np.log(a) - np.log(b)) ** 2) / 2.0))
    return Repeatability(within, float(np.sqrt(np.expm1(log**2))), float(_Z * np.sqrt(2.0) * within), len(a))


def from_variation(value: float, within_cv: float) -> float:
    """Smallest detectable change of a value whose within-subject coefficient of variation is known.

    >>> round(from_variation(10.0, 0.05), 3)
    1.386
    """
    return float(_Z * np.sqrt(2.0) * within_cv * abs(value))


def border_volume_ml(surface_mm2: float, step_mm: float) -> float:
    """Smallest detectable change of a volume by its border alone.

    The whole border of each outline is taken to lie anywhere within half a step of where it should: an error of
    surface · step / √12 in each volume, and 1.96 · √2 of that in their difference.

    Args:
        surface_mm2: of the structure. step_mm: side of a voxel; the cube root of its volume where sides differ.

    >>> round(border_volume_ml(4 * np.pi * 100.0, 1.0), 2)  # a ball of 20 mm on voxels of 1 mm
    1.01
    """
    return float(_Z * np.sqrt(2.0 / 12.0) * surface_mm2 * step_mm / 1000.0)


def grid_volume_ml(surface_mm2: float, grids: Sequence[npt.NDArray[np.float64]]) -> float:
    """Change of a counted volume that 95 % of pairs of outlines without any error stay below, by where the voxels lie.

    A body that lies anywhere on a lattice holds a number of its points whose variance is the sum of the squares of the
    body's Fourier transform at the points of the dual lattice but zero. Of a smooth body, at any turn, that square
    falls as surface / (8 π³ |ξ|⁴): on cubes of side h the variance is 0.0667 · surface · h⁴.

    Args:
        surface_mm2: of the body. grids: for each of the two times (3, 3) steps from voxel to voxel, in its columns.

    >>> round(grid_volume_ml(4 * np.pi * 100.0, [np.eye(3), np.eye(3)]), 4)  # a ball of 20 mm on voxels of 1 mm
    0.0254
    """
    return float(_Z * np.sqrt(sum(surface_mm2 * _dual_sum(steps) for steps in grids) / (8.0 * np.pi**3)) / 1000.0)


def _dual_sum(steps: npt.NDArray[np.float64]) -> float:
    """Sum of 1 / |ξ|⁴ over the dual lattice of some voxels without zero; from some distance on the integral of it."""
    dual = np.linalg.inv(steps).T
    reach = _DUAL / np.linalg.norm(steps, axis=0).min()
    many = np.ceil(reach * np.linalg.norm(steps, axis=0)).astype(int)
    whole = np.stack(np.meshgrid(*(np.arange(-n, n + 1) for n in many), indexing="ij"), axis=-1)
    squares = ((whole @ dual.T) ** 2).sum(axis=-1)
    near = squares[(squares > 0.0) & (squares <= reach**2)]
    return float((near**-2.0).sum() + 4.0 * np.pi * abs(np.linalg.det(steps)) / reach)


def border_length_mm(step_mm: float, *, slice_mm: float = 0.0, long_mm: float = 0.0) -> float:
    """Smallest detectable change of a diameter by its border alone: both ends move with the border.

    The longest diameter of all slices is that of the structure only where a slice meets its middle. One that passes
    half a slice beside the middle of a ball of diameter d shows √(d² - slice²) of it; the rest is added.

    Args:
        step_mm: side of a voxel within the slice. slice_mm: from slice to slice. long_mm: the diameter.

    >>> round(border_length_mm(1.0), 2), round(border_length_mm(1.0, slice_mm=5.0, long_mm=8.0), 2)
    (1.6, 3.36)
    """
    hidden = long_mm - float(np.sqrt(max(0.0, long_mm**2 - slice_mm**2)))
    return float(_Z * np.sqrt(2.0 / 12.0) * 2.0 * step_mm) + hidden


def delta(before: float, now: float, *, icc: float) -> float:
    """Relative change of a feature, (now - before) / before, as delta radiomics has it.

    Args:
        icc: intraclass correlation of the feature between test and retest.

    Raises:
        Refused: for a feature that does not repeat (ICC below 0.9), or a change from zero or from a negative value, by
            which a rise would be told as a fall (-600 to -300 HU: -50 %).

    >>> delta(2.0, 3.0, icc=0.95)
    0.5
    """
    if not icc >= _LEAST_ICC:
        raise Refused(f"a feature with ICC {icc:g}", f"below {_LEAST_ICC} its change is mostly error", "leave it out")
    if before <= 0:
        raise Refused(f"a feature that was {before:g}", "no part can be taken from it", "give the difference")
    return (now - before) / before
