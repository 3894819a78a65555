"""Pictures that were enlarged from the grid of a model by interpolation, brought back to what they were.

Whoever feeds a network of 224 pixels enlarges a collection of 28 to that. To bring such a picture down as one with
detail would smooth it a second time, and it would look like none that the model learnt from. It is recognised by proof:
there is a picture on the grid of the model of which one of the usual ways makes the given one, all but rounding.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

__all__ = ["reduced"]

_LARGEST_GRID, _LARGEST = 64, 512  # sides; for larger ones what it takes is more than it is worth
_LEAST = 1.25  # enlarged by less, most pictures could have come from the grid
_NEAR, _EXACT = 6.0, 0.8
"""Grey levels, root mean square, within which a way is looked at more closely, and within which it is proven: each of
two passes rounds to whole levels."""
_PLAIN = 4.0  # spread in grey levels below which a picture of hardly anything fits every way
_LIKELY, _ROUNDS = 4, 12

Array = npt.NDArray[Any]


def reduced(image: Array, shape: tuple[int, ...]) -> npt.NDArray[np.uint8] | None:
    """The picture on the grid of which a given one is the enlargement, or None where it is none.

    Args:
        image: (rows, columns) or (rows, columns, 3), from 0 to 255. shape: rows and columns of the grid.
    """
    x = np.asarray(image)
    if len(shape) != 2 or x.ndim not in (2, 3) or max(shape) > _LARGEST_GRID:
        return None
    if max(x.shape[:2]) > _LARGEST or any(had < _LEAST * want for had, want in zip(x.shape, shape, strict=False)):
        return None
    if float(x.std()) < _PLAIN:
        return None
    layers = np.moveaxis(np.asarray(x.reshape(*x.shape[:2], -1), np.float64), -1, 0)
    pairs = [(_both(way, x.shape[0], shape[0]), _both(way, x.shape[1], shape[1])) for way in _WAYS]
    at_once = [max(_before(layer, pair[0], pair[1], 1)[1] for layer in layers) for pair in pairs]
    best, least = None, _EXACT
    for k in np.argsort(at_once)[:_LIKELY]:
        if at_once[k] > _NEAR:
            break
        found = [_before(layer, pairs[k][0], pairs[k][1], _ROUNDS) for layer in layers]
        if (worst := max(off for _, off in found)) <= least:
            best, least = np.stack([small for small, _ in found], -1), worst
    if best is None:
        return None
    made = np.asarray(np.clip(best + 0.5, 0, 255), np.uint8)
    return made if x.ndim == 3 else made[..., 0]


def _before(
    layer: Array, down: tuple[Array, Array], across: tuple[Array, Array], rounds: int
) -> tuple[Array, float]:  # fmt: skip
    """What one layer was, by least squares, and how far what that makes is from it (root mean square).

    Where values were cut off at black and white they are free beyond.
    """
    whole, best, least = layer, layer, np.inf
    for _ in range(rounds):
        small = down[1] @ whole @ across[1].T
        again = down[0] @ small @ across[0].T
        off = float(np.sqrt(np.mean((np.clip(again, 0, 255) - layer) ** 2)))
        if off < least:
            best, least = small, off
        beyond = ((layer <= 0) & (again < 0)) | ((layer >= 255) & (again > 255))
        if not beyond.any():
            break
        whole = np.where(beyond, again, layer)
    return best, least


@lru_cache(maxsize=64)
def _both(way: str, large: int, small: int) -> tuple[Array, Array]:
    """The matrix (large, small) of a way to enlarge, and its inverse by least squares."""
    matrix = _WAYS[way](np.eye(small, dtype=np.float32), large)
    return matrix, np.linalg.pinv(matrix)


def _pillow(kind: int) -> Callable[[Array, int], Array]:
    def enlarge(one: Array, large: int) -> Array:
        from PIL import Image

        made = Image.fromarray(one).resize((one.shape[1], large), Image.Resampling(kind))
        return np.asarray(made, np.float64)

    return enlarge


def _keys(one: Array, large: int) -> Array:
    """Cubic convolution (Keys 1981) with the slope of -3/4 that OpenCV and torch have; the edge goes on."""
    small, a = len(one), -0.75
    at = (np.arange(large) + 0.5) * small / large - 0.5
    made = np.zeros((large, one.shape[1]))
    for step in range(-1, 3):
        place = np.floor(at) + step
        d = np.abs(at - place)
        near, far = ((a + 2) * d - (a + 3)) * d**2 + 1, a * (((d - 5) * d + 8) * d - 4)
        weight = np.where(d <= 1, near, np.where(d < 2, far, 0.0))
        made += weight[:, None] * one[np.clip(place, 0, small - 1).astype(np.int64)]
    return made


def _spline(order: int, *, centred: bool) -> Callable[[Array, int], Array]:
    def enlarge(one: Array, large: int) -> Array:
        from scipy import ndimage

        mode = "mirror" if centred else "constant"
        made = ndimage.zoom(np.asarray(one, np.float64), (large / len(one), 1), order=order, mode=mode,
                            grid_mode=centred)  # fmt: skip
        return np.asarray(made)

    return enlarge


_WAYS: Mapping[str, Callable[[Array, int], Array]] = {
    "Pillow, bilinear": _pillow(2), "Pillow, bicubic": _pillow(3), "Pillow, Lanczos": _pillow(1),
    "OpenCV and torch, bicubic": _keys, "SciPy, linear": _spline(1, centred=False),
    "SciPy, cubic": _spline(3, centred=False), "scikit-image, linear": _spline(1, centred=True),
    "scikit-image, cubic": _spline(3, centred=True),
}  # fmt: skip
