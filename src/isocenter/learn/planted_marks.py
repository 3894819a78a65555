"""Marks laid into pictures of any kind, with their outline known: what a map of the answer to them must lie on.

What a classifier looks for is not known here, so three are tried: a spot as bright as the brightest of a picture that
the model gives the class in question, one as dark as its darkest, and a round piece of it. Their place, size and
density are drawn by chance.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import numpy.typing as npt

__all__ = ["MARKS", "marked"]

Array = npt.NDArray[np.float32]
_HALF = (0.12, 0.2)  # half axes, in parts of the side
_DENSITY = (0.8, 1.0)  # how far the picture gives way
_SOFT = 0.1  # of the half axis, over which it does


def _bright(image: Array, other: Array) -> Array:
    return np.full_like(image, np.percentile(other, 99.5))


def _dark(image: Array, other: Array) -> Array:
    return np.full_like(image, np.percentile(other, 0.5))


def _piece(_: Array, other: Array) -> Array:
    return other


def _gone(image: Array, _: Array) -> Array:
    return np.broadcast_to(image.mean(tuple(range(1, image.ndim)), keepdims=True), image.shape)


MARKS: Mapping[str, Callable[[Array, Array], Array]] = {
    "a bright spot": _bright, "a dark spot": _dark, "a piece of another picture": _piece,
}  # fmt: skip
"""What is laid in -> (picture, another that has the class) -> what shows through."""


def marked(
    image: Array, other: Array, rng: np.random.Generator, mark: str
) -> tuple[Array, Array, npt.NDArray[np.bool_]]:
    """The picture with a mark; with its own mean there instead; and where it is at least half as dense as at its
    densest. Where the second is answered as the first, not the mark was what mattered, but what it hides.

    Args:
        image: (channels, *grid) in 0 … 1. other: of the same shape, of which a piece is laid in where it lies there.
        mark: one of `MARKS`.
    """
    grid = image.shape[1:]
    half = rng.uniform(*_HALF, len(grid))
    centre = np.array([rng.uniform(h, 1 - h) for h in half])
    place = (np.moveaxis(np.indices(grid), 0, -1) + 0.5) / np.array(grid)
    away = np.sqrt((((place - centre) / half) ** 2).sum(-1))
    alpha = rng.uniform(*_DENSITY) / (1 + np.exp(np.clip((away - 1) / _SOFT, -50, 50)))
    shown, hidden = (
        np.asarray(np.clip(image + alpha * (one(image, other) - image), 0, 1), np.float32)
        for one in (MARKS[mark], _gone)
    )
    return shown, hidden, np.asarray(alpha >= alpha.max() / 2)
