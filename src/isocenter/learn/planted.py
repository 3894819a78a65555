"""Opacities laid into clear frontal chest films, with their outline known: what a map of an opacity must lie on.

No film of the collection has an outline drawn on it. A planted shadow is no real pneumonia; it is dense, ragged, soft
at its border, as large as 200 ml of a child's lung (as in the in-silico children of the house), and lies where
the lungs of an upright chest are. Its form owes nothing to any map.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["planted_opacity"]

_LATERAL, _DOWN = (0.14, 0.26), (0.35, 0.65)  # centre: off the midline, and from the top, in parts of the film
_HALF = (0.12, 0.17)  # half axes
_DENSITY = (0.7, 0.9)  # how far the lung is brought to the grey of soft parts
_SOFT_PARTS = 85  # percentile of a film's grey values


def planted_opacity(
    film: npt.NDArray[np.uint8],
    rng: np.random.Generator,
    *,
    half: tuple[float, float] = _HALF,
    density: tuple[float, float] = _DENSITY,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.bool_]]:
    """The film with an opacity in one lung, and where that is at least half as dense as at its densest.

    Args:
        film: (rows, columns) of a clear chest, upright, bright where dense.
        half: least and largest half axis, in parts of the film.
        density: least and largest part of the way by which the lung is brought to the grey of soft parts.
    """
    from scipy.ndimage import gaussian_filter

    rows, columns = film.shape
    centre = rng.uniform(*_DOWN), 0.5 + rng.choice([-1, 1]) * rng.uniform(*_LATERAL)
    axes = rng.uniform(*half, 2)
    y, x = (np.mgrid[:rows, :columns] + 0.5) / np.array([rows, columns])[:, None, None]
    away = np.hypot((y - centre[0]) / axes[0], (x - centre[1]) / axes[1])
    rough = gaussian_filter(rng.normal(size=film.shape), rows / 25)
    away = away + 0.2 * rough / rough.std()
    alpha = rng.uniform(*density) / (1 + np.exp((away - 1) / 0.08))
    fine = gaussian_filter(rng.normal(size=film.shape), rows / 80)
    alpha = np.clip(alpha * (1 + 0.15 * fine / fine.std()), 0, 1)
    dense = np.percentile(film, _SOFT_PARTS)
    shown = film + alpha * np.maximum(dense - film, 0)
    return np.clip(shown + 0.5, 0, 255).astype(np.uint8), alpha >= alpha.max() / 2
