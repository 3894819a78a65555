"""Features of grey level co-occurrence matrices (GLCM, IBSI family LFYI).

All are expectations over the symmetric joint distribution p(i, j) of two neighbours' grey levels. Those of the
difference |i - j| and of the sum i + j are taken from the two marginal distributions along the diagonals, so that many
matrices are handled at once.

Source: IBSI reference manual 3.6; Haralick et al., IEEE Trans SMC 3 (1973) 610.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

__all__ = ["features"]

Floats = npt.NDArray[np.float64]


def features(counts: Floats) -> dict[str, Floats]:
    """Every feature of each matrix.

    Args:
        counts: (matrices, n, n) symmetric counts; n is the number of grey levels, also of those that do not occur. A
            matrix without counts has no neighbours in it and gives NaN.

    Returns:
        short tag -> (matrices,) values.
    """
    total = counts.sum(axis=(1, 2), keepdims=True)
    with np.errstate(invalid="ignore"):
        p = counts / total
    difference, summed = _diagonals(np.ascontiguousarray(p))
    p_i = p.sum(axis=2)
    n = counts.shape[1]
    i, k, s = np.arange(1.0, n + 1), np.arange(float(n)), np.arange(2.0, 2 * n + 1)
    mean = p_i @ i
    variance = (p_i * (i - mean[:, None]) ** 2).sum(axis=1)
    entropy, entropy_i = _entropy(p.reshape(len(p), -1)), _entropy(p_i)
    difference_mean, sum_mean = difference @ k, summed @ s
    contrast = difference @ k**2
    from_mean = s - 2.0 * mean[:, None]
    spread = (summed * from_mean**2).sum(axis=1)
    auto = (summed @ s**2 - contrast) / 4.0
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = np.where(variance == 0.0, 1.0, (auto - mean**2) / variance)
        # Of symmetric matrices HXY1 and HXY2 are both twice the entropy of the marginal distribution.
        first = np.where(entropy_i == 0.0, 1.0, (entropy - 2.0 * entropy_i) / entropy_i)
        second = np.sqrt(np.clip(1.0 - np.exp(-2.0 * (2.0 * entropy_i - entropy)), 0.0, None))
    return {
        "joint_max": p.max(axis=(1, 2)),
        "joint_avg": mean,
        "joint_var": variance,
        "joint_entr": entropy,
        "diff_avg": difference_mean,
        "diff_var": (difference * (k - difference_mean[:, None]) ** 2).sum(axis=1),
        "diff_entr": _entropy(difference),
        "sum_avg": sum_mean,
        "sum_var": (summed * (s - sum_mean[:, None]) ** 2).sum(axis=1),
        "sum_entr": _entropy(summed),
        "energy": (p**2).sum(axis=(1, 2)),
        "contrast": contrast,
        "dissimilarity": difference_mean,
        "inv_diff": difference @ (1.0 / (1.0 + k)),
        "inv_diff_norm": difference @ (1.0 / (1.0 + k / n)),
        "inv_diff_mom": difference @ (1.0 / (1.0 + k**2)),
        "inv_diff_mom_norm": difference @ (1.0 / (1.0 + (k / n) ** 2)),
        "inv_var": difference[:, 1:] @ (1.0 / k[1:] ** 2),
        "corr": np.where(np.isnan(mean), np.nan, correlation),
        "auto_corr": auto,
        "clust_tend": spread,
        "clust_shade": (summed * from_mean**3).sum(axis=1),
        "clust_prom": (summed * from_mean**4).sum(axis=1),
        "info_corr1": np.where(np.isnan(mean), np.nan, first),
        "info_corr2": second,
    }


def _entropy(p: Floats) -> Floats:
    """(matrices, n) distributions -> entropy in bits."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(-np.where(p == 0.0, 0.0, p * np.log2(p)).sum(axis=1))


@njit(cache=True)
def _diagonals(p):  # type: ignore[no-untyped-def]
    many, n, _ = p.shape
    difference, summed = np.zeros((many, n)), np.zeros((many, 2 * n - 1))
    for m in range(many):
        for i in range(n):
            for j in range(n):
                difference[m, abs(i - j)] += p[m, i, j]
                summed[m, i + j] += p[m, i, j]
    return difference, summed
