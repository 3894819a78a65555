"""A mask opened and closed with a disc, and filled: what is thinner than the disc goes; gaps and holes are filled.

The answer is that of `scipy.ndimage`, which asks for each pixel every pixel of the disc. A row of a disc is a run, and
whether a run meets a mask is the difference of two counts: ten times as fast for a disc of sixteen pixels. And it looks
for what a border reaches step by step, where parts that touch are numbered in one go, four times as fast.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["closed", "filled", "opened", "reached", "sealed"]

Mask = npt.NDArray[np.bool_]


def opened(mask: Mask, disc: Mask) -> Mask:
    """Every place of the disc that lies within the mask.

    Args:
        mask: (rows, columns); beyond its border nothing is of it.
        disc: of an odd number of rows and columns, the same from both sides; each of its rows is one run.

    >>> disc, mask = np.ones((3, 3), bool), np.zeros((4, 6), bool)
    >>> mask[:, :3] = mask[1, :] = True
    >>> int(opened(mask, disc).sum())
    12
    """
    return _grown(_shrunk(mask, disc), disc)


def closed(mask: Mask, disc: Mask) -> Mask:
    """The mask and every gap in which no place of the disc lies; arguments as of `opened`.

    >>> mask = np.zeros((5, 6), bool)
    >>> mask[1:4, 1] = mask[1:4, 3] = True
    >>> int(closed(mask, np.ones((3, 3), bool)).sum())
    9
    """
    return _shrunk(_grown(mask, disc), disc)


def filled(mask: Mask) -> Mask:
    """The mask and what it encloses: every part of the rest that touches no border of the array.

    >>> ring = np.ones((3, 3), bool)
    >>> ring[1, 1] = False
    >>> bool(filled(ring).all())
    True
    """
    from scipy.ndimage import label

    labels, count = label(~mask)
    enclosed = np.ones(count + 1, np.bool_)
    for axis in range(mask.ndim):
        for end in (0, -1):
            enclosed[np.take(labels, end, axis)] = False
    enclosed[0] = True  # the mask
    return np.asarray(enclosed[labels])


def sealed(mask: Mask, disc: Mask) -> Mask:
    """The mask and what it encloses where gaps that the disc spans are none: closing alone leaves them in thin rings.

    >>> ring = np.ones((7, 7), bool)
    >>> ring[1:6, 1:6] = ring[0, 3] = False
    >>> int(filled(ring).sum()), int(sealed(np.pad(ring, 2), np.ones((3, 3), bool)).sum())
    (23, 49)
    """
    return np.asarray(mask | _shrunk(filled(_grown(mask, disc)), disc))


def reached(within: Mask, start: Mask) -> Mask:
    """Every part of a mask in which one starts, parts that touch by a side being one.

    >>> reached(np.array([[True, True, False, True]]), np.array([[True, False, False, False]])).tolist()
    [[True, True, False, False]]
    """
    from scipy.ndimage import label

    labels, count = label(within)
    met = np.zeros(count + 1, np.bool_)
    met[labels[start]] = True
    met[0] = False
    return np.asarray(met[labels])


def _grown(mask: Mask, disc: Mask) -> Mask:
    (rows, columns), down, right = mask.shape, disc.shape[0] // 2, disc.shape[1] // 2
    before = np.zeros((rows, columns + 2 * right + 1), np.int32)  # pixels of the mask left of each border of two pixels
    np.cumsum(mask, axis=1, out=before[:, right + 1 : right + 1 + columns])
    before[:, right + 1 + columns :] = before[:, right + columns, None]
    out = np.zeros_like(mask)
    for away in range(min(down + 1, rows)):
        half = np.count_nonzero(disc[down + away]) // 2
        last = before[:, right + half + 1 : right + half + 1 + columns]
        met = last > before[:, right - half : right - half + columns]
        out[away:] |= met[: rows - away]
        out[: rows - away] |= met[away:]
    return out


def _shrunk(mask: Mask, disc: Mask) -> Mask:
    down, right = disc.shape[0] // 2, disc.shape[1] // 2
    outside = np.pad(~mask, ((down, down), (right, right)), constant_values=True)
    return np.asarray(~_grown(outside, disc)[down : down + mask.shape[0], right : right + mask.shape[1]])
