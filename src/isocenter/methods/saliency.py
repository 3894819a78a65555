"""Where a model was sensitive, not where disease is: occlusion, and measures by which a map earns or loses trust.

Everything here asks the model through a function, so that it holds for any kind of weights. Maps of saliency look
convincing also where they are wrong (Adebayo 2018; Arun 2021; Saporta 2022): none should be shown for a model before it
has passed `isocenter.learn.sanity`.
"""

from __future__ import annotations

from collections.abc import Callable
from itertools import product

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.picture import enlarged

__all__ = [
    "Answer",
    "activation",
    "alike",
    "deletion",
    "edges",
    "insertion",
    "moved",
    "occlusion",
    "precision_recall",
    "smoothed",
    "standing_out",
]

Array = npt.NDArray[np.float32]
Answer = Callable[[Array], npt.NDArray[np.floating]]
"""Images (m, channels, *grid) -> (m,) what the map is to explain, such as the logit of a class."""

_AT_ONCE = 64


def activation(places: Array, rows: int, columns: int) -> Array:
    """What speaks for the answer place by place (class activation, Zhou 2016), on the grid of the picture, 0 … 1.

    Args:
        places: (h, w) the answer taken at each place of the last feature map.
    """
    smooth = enlarged(np.maximum(places, 0.0), rows, columns)
    return np.asarray(smooth / max(float(smooth.max()), 1e-6), np.float32)


def standing_out(places: npt.NDArray[np.floating], part: float = 0.25) -> npt.NDArray[np.float64]:
    """How strongly the places that speak most for an answer speak for it: the mean of the highest `part` of them.

    One shadow on an otherwise clear film is drowned in the mean over all places.

    Args:
        places: (…, h, w) the answer taken at each place of the last feature map; its mean is the logit.

    Raises:
        Refused: a part that is not above 0 and at most 1.

    >>> standing_out(np.array([[1.0, 2.0], [3.0, 8.0]])).tolist(), standing_out(np.ones((3, 2, 2)), 1).tolist()
    (8.0, [1.0, 1.0, 1.0])
    """
    if not 0 < part <= 1:
        raise Refused(
            f"the highest {part:g} of the places", "it is a part of all, above 0 and at most 1", "give such a part"
        )
    flat = np.sort(places.reshape(*places.shape[:-2], -1), -1)
    return np.asarray(flat[..., -max(1, round(part * flat.shape[-1])) :].mean(-1), np.float64)


def smoothed(method: Callable[[Array], Array], image: Array, *, noise: float = 0.1, times: int = 16) -> Array:
    """Mean map over noisy copies of an image (Smilkov 2017); the same noise each time it is asked.

    Args:
        noise: standard deviation in parts of the range of the image.
    """
    rng = np.random.default_rng(0)
    spread = noise * float(np.ptp(image))
    maps = [method(image + rng.normal(0, spread, image.shape).astype(np.float32)) for _ in range(times)]
    return np.asarray(np.mean(maps, 0), np.float32)


def occlusion(answer: Answer, image: Array, *, patch: int, step: int, fill: float | None = None) -> Array:
    """How far the answer falls when a patch is covered, on the grid of the image (Zeiler & Fergus 2014).

    Args:
        image: (channels, *grid) in two or three dimensions. patch, step: in pixels.
        fill: what covers; the mean of the image when None.

    Raises:
        Refused: an image that is not finite or has another shape, or a patch larger than it.
    """
    if image.ndim not in (3, 4) or not np.isfinite(image).all():
        raise Refused(
            f"an image of shape {image.shape}",
            "(channels, rows, columns), or with slices, and finite",
            "give an image of that shape",
        )
    grid = image.shape[1:]
    if not 1 <= step <= patch <= min(grid):
        raise Refused(
            f"a patch of {patch} every {step}", f"1 ≤ step ≤ patch ≤ {min(grid)}", "give numbers within these"
        )
    cover = float(image.mean()) if fill is None else fill
    places = list(product(*[sorted({*range(0, n - patch + 1, step), n - patch}) for n in grid]))
    whole = float(answer(image[None])[0])
    total, times = np.zeros(grid), np.zeros(grid)
    for start in range(0, len(places), _AT_ONCE):
        some = places[start : start + _AT_ONCE]
        batch = np.repeat(image[None], len(some), 0)
        for covered, at in zip(batch, some, strict=True):
            covered[(slice(None), *(slice(a, a + patch) for a in at))] = cover
        for fallen, at in zip(whole - np.asarray(answer(batch), np.float64), some, strict=True):
            here = tuple(slice(a, a + patch) for a in at)
            total[here] += fallen
            times[here] += 1
    return (total / times).astype(np.float32)


def deletion(answer: Answer, image: Array, order: Array, *, base: Array, steps: int = 16) -> float:
    """Mean answer while pixels are taken away, the highest of `order` first; low for a map that found what mattered.

    Args:
        order: (*grid) the map. base: what stands in place of a pixel that is taken, of the image's shape.
    """
    return _walked(answer, image, base, order, steps)


def insertion(answer: Answer, image: Array, order: Array, *, base: Array, steps: int = 16) -> float:
    """Mean answer while pixels are put back, the highest of `order` first; high for a map that found what mattered."""
    return _walked(answer, base, image, order, steps)


def _walked(answer: Answer, start: Array, end: Array, order: Array, steps: int) -> float:
    if start.shape != end.shape or order.shape != start.shape[1:]:
        raise Refused(
            f"a map of shape {order.shape} for an image of {start.shape}",
            "they share a grid",
            "give the map of this image",
        )
    rank = np.argsort(np.argsort(-order, axis=None, kind="stable")).reshape(order.shape)
    batch = np.stack([np.where(rank < order.size * k / steps, end, start) for k in range(steps + 1)])
    return float(np.mean(np.asarray(answer(batch), np.float64)))


def edges(image: Array) -> Array:
    """How steep an image is, whatever the weights are: it looks like saliency, and must pass for none.

    Args:
        image: (channels, *grid).
    """
    slopes = np.stack(np.gradient(image.mean(0)))
    return np.asarray(np.sqrt((slopes**2).sum(0)), np.float32)


def alike(one: Array, other: Array, *, window: int = 7) -> float:
    """Structural similarity of two maps, each brought to 0 … 1 (Wang 2004, uniform window); a flat map is like none.

    Raises:
        Refused: for shapes that differ, or maps that are not finite.
    """
    from scipy.ndimage import uniform_filter

    if one.shape != other.shape or not np.isfinite(one).all() or not np.isfinite(other).all():
        raise Refused(
            f"maps of shape {one.shape} and {other.shape}",
            "two finite maps of one grid are compared",
            "give two maps of one image",
        )
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0
    a, b = ((np.asarray(m, np.float64) - m.min()) / np.ptp(m) for m in (one, other))
    size = min(window, *one.shape)
    ma, mb = uniform_filter(a, size), uniform_filter(b, size)
    va, vb = uniform_filter(a * a, size) - ma**2, uniform_filter(b * b, size) - mb**2
    both = uniform_filter(a * b, size) - ma * mb
    c1, c2 = 1e-4, 9e-4
    return float(np.mean((2 * ma * mb + c1) * (2 * both + c2) / ((ma**2 + mb**2 + c1) * (va + vb + c2))))


def precision_recall(order: Array, mask: npt.NDArray[np.bool_]) -> float:
    """Area under the precision-recall curve of a map against a mask (mean precision at each pixel of it).

    Raises:
        Refused: for another grid, or a mask that is empty or everything.
    """
    if order.shape != mask.shape or mask.all() or not mask.any():
        raise Refused(
            f"a map of shape {order.shape} against a mask of {mask.shape}",
            "one grid, and both kinds of pixel",
            "give the mask of this map, neither empty nor full",
        )
    hit = mask.ravel()[np.argsort(-order, axis=None, kind="stable")]
    return float((np.cumsum(hit) / np.arange(1, hit.size + 1))[hit].mean())


def moved(order: Array, rng: np.random.Generator) -> Array:
    """A map as rough and as sparse as the given one that knows nothing of the image: itself, mirrored and moved around.

    What leaves at one border comes in at the other, so that values and cyclic autocorrelation are the same. An order
    that was laid anywhere by chance is better than its moved copies as often as they are better than it.
    """
    mirrored = np.flip(order, tuple(axis for axis in range(order.ndim) if rng.integers(2)))
    return np.roll(mirrored, tuple(int(rng.integers(n)) for n in order.shape), tuple(range(order.ndim)))
