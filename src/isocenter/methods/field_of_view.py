"""What of a CT was measured: a field of view is a circle, and what lies around it in the picture is padding."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused

__all__ = ["border", "cut_slices", "imaged", "must_be_measured"]

Mask = npt.NDArray[np.bool_]

_PADDING_HU = -1100.0  # no air is so thin
_AIR_HU = -900.0  # nobody fills a picture with tissue
_LOWEST_HU = -1024.0  # air in a drawing is -1000
_ROUND = 0.95  # of the circle around what is no padding: air has noise, and fills it


def imaged(hu: npt.NDArray[np.floating]) -> Mask:
    """Which pixels the scanner reconstructed: (slices, rows, columns), without the padding around the field of view.

    Padding is one value in all four corners: one that no air has; or air or 0, where that fills all beyond the
    inscribed circle. A smaller circle, as where a picture is larger than what the scanner sees, is looked for where the
    padding is 0 or the lowest that a CT holds. There air within the circle must be seen by its noise: a body in air of
    one value is no field of view.
    """
    n = min(hu.shape[1:])
    y, x = np.ogrid[: hu.shape[1], : hu.shape[2]]
    away = np.hypot(y - (hu.shape[1] - 1) / 2, x - (hu.shape[2] - 1) / 2)
    out = np.ones(hu.shape, bool)
    for k, plane in enumerate(hu):
        value = plane[0, 0]
        if not (value == plane[0, -1] == plane[-1, 0] == plane[-1, -1]):
            continue
        if value < _PADDING_HU:
            out[k] = plane != value
        elif (value < _AIR_HU or value == 0.0) and (plane[away > n / 2] == value).all():
            padded = value <= _LOWEST_HU or value == 0.0
            out[k] = away <= (_radius(plane == value, away, n / 2) if padded else n / 2)
    return out


def _radius(padded: Mask, away: npt.NDArray[np.floating], largest: float) -> float:
    """Of the circle around what is not padding, where that fills it; else the largest."""
    labels, _ = ndimage.label(padded)
    seen = labels != labels[0, 0]
    if not seen.any():
        return largest
    radius = float(away[seen].max())
    return min(radius, largest) if np.count_nonzero(seen) >= _ROUND * np.pi * radius**2 else largest


def _beside(hu: npt.NDArray[np.floating]) -> Mask:
    """Padding of another form than a circle, as where a volume was turned: one value, the lowest of all, that no air
    has, or the lowest of a CT in one piece with the edge of the picture. Air that was cut off there is in specks.
    """
    value = float(hu.min())
    if value > _LOWEST_HU:
        return np.zeros(hu.shape, bool)
    padded = np.asarray(hu == value)
    if value < _PADDING_HU:
        return padded
    in_slice = np.pad(ndimage.generate_binary_structure(2, 1)[None], ((1, 1), (0, 0), (0, 0)))
    labels, _ = ndimage.label(padded, in_slice)
    at_edge = [labels[:, [0, -1]].ravel(), labels[:, :, [0, -1]].ravel()]
    return np.isin(labels, np.setdiff1d(np.concatenate(at_edge), [0]))


def border(seen: Mask, *, wide: int = 1) -> Mask:
    """The outermost pixels of the field of view, slice by slice.

    Args:
        seen: of `imaged`.
        wide: pixels.
    """
    return np.asarray(seen & ~ndimage.binary_erosion(seen, np.ones((1, 3, 3), bool), iterations=wide))


def cut_slices(hu: npt.NDArray[np.floating], mask: Mask) -> int:
    """In how many slices a mask touches the edge of the field of view: what it stands for may go on outside."""
    held = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(held):
        return 0
    slices = slice(held[0], held[-1] + 1)
    return int(np.count_nonzero((mask[slices] & border(imaged(hu[slices]))).any(axis=(1, 2))))


def must_be_measured(hu: npt.NDArray[np.floating], mask: Mask, what: str, *, most: float = 0.01) -> None:
    """Refuse an outline that reaches into the padding around the field of view: no tissue has that value.

    Args:
        what: is outlined.
        most: part of it that may lie there.

    Raises:
        Refused: where more of it does.
    """
    held = np.flatnonzero(mask.any(axis=(1, 2)))
    if not len(held):
        return
    slices = slice(held[0], held[-1] + 1)
    padded = ~imaged(hu[slices]) | _beside(hu[slices])
    unseen = float(np.count_nonzero(mask[slices] & padded)) / float(np.count_nonzero(mask))
    if unseen > most:
        raise Refused(
            f"a {what} of which {100.0 * unseen:.2g} % lie outside the field of view",
            "the picture holds padding there, and nothing that was measured",
            "reconstruct a larger field of view, or outline what is seen",
        )
