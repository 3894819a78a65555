"""Whether the filled part of pictures ends at straight edges that run aslant, as where they were turned or cut anew.

What a scanner makes fills its frame, or is empty along rows and columns, round the field of a coil or bowed where the
gradients bend it. A frame that was turned leaves empty corners with straight borders, and so do planes that were cut
out of a box of other planes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from skimage.measure import find_contours

__all__ = ["slanted_deg"]

_ASLANT_DEG = 15.0  # a side that a gradient bends by a twentieth of the frame runs up to 9 degrees off
_STRAIGHT_PX, _LENGTH = 1.1, 0.3
"""How far an edge in pixels lies off the straight one, and its length as a part of the frame's shorter side: a frame
that is turned within itself has 0.41 to 0.45, and chords of a round field that lie as near to it 0.26 of 64 pixels,
0.21 of 96 and less of more."""
_PHASES = 4  # what is noise in none of these is empty
_SLICES, _EDGES = 0.5, 2


def slanted_deg(frames: npt.NDArray[Any]) -> float | None:
    """How far the straight edges of the filled part run from rows and columns (15 to 45 degrees); None where none do.

    Args:
        frames: (phases, slices, rows, columns); what never changes and is as a corner of the frame is empty.

    >>> ramp = np.add.outer(np.arange(64.0), np.arange(64.0)) + 1
    >>> frames = np.stack([ramp, 2 * ramp])[:, None]
    >>> slanted_deg(frames) is None
    True
    >>> turned = ndimage.rotate(frames, 30, (2, 3), reshape=False, order=1)
    >>> round(slanted_deg(turned), -1)
    30.0
    """
    some = frames[:: max(1, len(frames) // _PHASES)].swapaxes(0, 1)
    aslant, plain = [], 0
    for one in some:
        edges = _edges_deg(one)
        if edges is not None and len(edges) >= _EDGES:
            aslant.append(edges)
        elif edges is not None:
            plain += 1
        if len(some) - plain < _SLICES * len(some):  # whatever the others show
            return None
    if not aslant or len(aslant) < _SLICES * (len(aslant) + plain):
        return None
    return float(np.median(np.concatenate(aslant)))


def _edges_deg(frames: npt.NDArray[Any]) -> npt.NDArray[np.float64] | None:
    """Angles of the long straight edges that run aslant; None for a slice of which nothing is filled."""
    corners = [float(frames[0, r, c]) for r in (0, -1) for c in (0, -1) if (frames[:, r, c] == frames[0, r, c]).all()]
    if not corners:
        return np.zeros(0)
    still = (frames == frames[0]).all(axis=0)
    if still.all():
        return None
    void = max(set(corners), key=corners.count)
    parts, _ = ndimage.label(np.pad(still & (frames[0] == void), 1, constant_values=True))
    outlines = find_contours((parts != parts[0, 0]).astype(np.float64), 0.5)
    if not outlines:
        return None
    outline = max(outlines, key=len)[:-1]
    first = int(np.square(outline - outline.mean(0)).sum(1).argmax())  # a corner, so that no edge is seen in two pieces
    around = np.concatenate([outline[first:], outline[: first + 1]])
    down, across = np.abs(_straight(around, _LENGTH * min(frames.shape[1:]))).T
    aslant = np.degrees(np.arctan2(np.minimum(down, across), np.maximum(down, across)))
    return np.asarray(aslant[aslant > _ASLANT_DEG])


def _straight(line: npt.NDArray[np.float64], long_px: float) -> npt.NDArray[np.float64]:
    """The edges of `long_px` and more, (n, 2), of the line as Douglas and Peucker (1973) simplify it.

    Most of a round outline is no edge: what is not as long along the line is not looked at any further.
    """
    along = np.concatenate([[0.0], np.cumsum(np.hypot(*np.diff(line, axis=0).T))])
    edges, open_ = [], [(0, len(line) - 1)]
    while open_:
        start, end = open_.pop()
        if along[end] - along[start] < long_px:
            continue
        edge, beside = line[end] - line[start], line[start + 1 : end] - line[start]
        length = float(np.hypot(*edge))
        part = np.clip(beside @ edge / length**2, 0.0, 1.0) if length else np.zeros(len(beside))
        off = np.hypot(*(beside - part[:, None] * edge).T)
        if len(off) and off.max() > _STRAIGHT_PX:
            open_ += [(start, start + 1 + int(off.argmax())), (start + 1 + int(off.argmax()), end)]
        elif length >= long_px:
            edges.append(edge)
    return np.array(edges).reshape(-1, 2)
