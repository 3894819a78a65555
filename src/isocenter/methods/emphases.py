"""Features of matrices that count grey levels by a size: of runs, of zones, of distances, of dependences.

Four IBSI families (GLRLM TP0I, GLSZM 9SAK, GLDZM VMDZ, NGLDM REK0) have the same formulae and differ in what is
counted. Here is the arithmetic that they share.

Source: IBSI reference manual 3.7 to 3.9 and 3.11.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["NAMES", "emphases", "of_matrix"]

Floats = npt.NDArray[np.float64]

NAMES: dict[str, tuple[str, ...]] = {
    "rlm": ("sre", "lre", "lgre", "hgre", "srlge", "srhge", "lrlge", "lrhge", "glnu", "glnu_norm", "rlnu", "rlnu_norm",
            "r_perc", "gl_var", "rl_var", "rl_entr"),
    "szm": ("sze", "lze", "lgze", "hgze", "szlge", "szhge", "lzlge", "lzhge", "glnu", "glnu_norm", "zsnu", "zsnu_norm",
            "z_perc", "gl_var", "zs_var", "zs_entr"),
    "dzm": ("sde", "lde", "lgze", "hgze", "sdlge", "sdhge", "ldlge", "ldhge", "glnu", "glnu_norm", "zdnu", "zdnu_norm",
            "z_perc", "gl_var", "zd_var", "zd_entr"),
    "ngl": ("lde", "hde", "lgce", "hgce", "ldlge", "ldhge", "hdlge", "hdhge", "glnu", "glnu_norm", "dcnu", "dcnu_norm",
            "dc_perc", "gl_var", "dc_var", "dc_entr", "dc_energy"),
}  # fmt: skip
"""Family -> its short tags, in the order in which `emphases` gives them (it has one more than most need)."""


def emphases(
    grey: npt.NDArray[np.int64], size: npt.NDArray[np.int64], count: Floats, voxels: float
) -> tuple[float, ...]:
    """Sixteen features and the energy of one matrix, given by its entries.

    Args:
        grey, size: grey level and size (both from 1) of each entry; an entry may come in pieces.
        count: how often it was counted.
        voxels: of the region; times the number of directions, where several are merged.

    Returns:
        small, large, low and high emphasis; small low, small high, large low, large high; grey level and size
        non-uniformity, each with its normalised form; share of voxels; variance of grey level and of size; entropy;
        energy. All NaN when nothing was counted.

    >>> found = emphases(np.array([1, 2]), np.array([1, 3]), np.array([1.0, 1.0]), 4.0)
    >>> round(found[1], 6), found[12]
    (5.0, 0.5)
    """
    total = float(count.sum())
    if total == 0.0:
        return (float("nan"),) * 17
    i, j = grey.astype(np.float64), size.astype(np.float64)
    i2, j2 = i**2, j**2
    p = count / total
    by_grey, by_size = np.bincount(grey, count), _summed(size, count)
    joint = _summed(grey * (int(size.max()) + 1) + size, p)
    mean_i, mean_j = float(p @ i), float(p @ j)
    glnu, sznu = float((by_grey**2).sum()) / total, float((by_size**2).sum()) / total
    return (
        float(p @ (1 / j2)), float(p @ j2), float(p @ (1 / i2)), float(p @ i2),
        float(p @ (1 / (i2 * j2))), float(p @ (i2 / j2)), float(p @ (j2 / i2)), float(p @ (i2 * j2)),
        glnu, glnu / total, sznu, sznu / total, total / voxels,
        float(p @ (i - mean_i) ** 2), float(p @ (j - mean_j) ** 2),
        float(-(joint * np.log2(joint)).sum()), float((joint**2).sum()),
    )  # fmt: skip


def of_matrix(counts: Floats, voxels: float) -> tuple[float, ...]:
    """`emphases` of a dense (grey levels, sizes) matrix, sizes counted from 1."""
    grey, size = np.nonzero(counts)
    return emphases(grey + 1, size + 1, counts[grey, size], voxels)


def _summed(key: npt.NDArray[np.int64], count: Floats) -> Floats:
    """Counts of equal keys together; keys may be large and far apart."""
    order = np.argsort(key, kind="stable")
    first = np.flatnonzero(np.diff(key[order], prepend=-1))
    return np.asarray(np.add.reduceat(count[order], first))
