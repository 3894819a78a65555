"""Lung fields and heart as a network sees them, and how far they agree with those of `lung_fields`.

The network learnt from virtual films alone (`virtual_chest`). It looks at the whole picture, so that it knows a lung by
its place where ribs, an opacity or gas in the bowel mislead a threshold; a threshold knows nothing of what a chest
looks like, and cannot be led astray by a picture of another make. Two that err for different reasons and say the same
are rarely both wrong: their agreement is the certainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.lung_fields import Chest, dark_parts, levelled_copy, measured

__all__ = ["Agreement", "agreement", "network_outline"]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ask = Callable[[Floats], Floats]
"""(n, 1, side, side) films, 0 to 1, dense parts bright -> (n, 3, side, side) logits: right lung, left lung, heart."""
_SIDE = 128
_LEAST, _MOST = 0.012, 0.34  # of the picture's area, for one lung
_SURE = 0.75  # mean probability within an outline below which the network does not know what it sees


@dataclass(frozen=True)
class Agreement:
    """How far two outlines of one picture are the same.

    Args:
        right, left: Dice of the lung fields. ratio: difference of the cardiothoracic ratios.
    """

    right: float
    left: float
    ratio: float

    @property
    def lungs(self) -> float:
        """The smaller of the two."""
        return min(self.right, self.left)


def agreement(one: Chest, other: Chest) -> Agreement:
    """Compare two outlines of the same picture."""
    return Agreement(_dice(one.right, other.right), _dice(one.left, other.left), one.ratio - other.ratio)


def _dice(one: Mask, other: Mask) -> float:
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / max(1, both)


def network_outline(picture: Floats, ask: Ask) -> Chest:
    """Outline lungs and heart with a network.

    Args:
        picture: (rows, columns); square pixels, any scale and range of values, bright where dense, the patient's right
            on the left.
        ask: see `Ask`.

    Raises:
        Refused: for a picture that `lung_fields` does not look at either, or one on which the network sees no two lungs
            with a heart between them.
    """
    from scipy.ndimage import zoom

    small, scale = levelled_copy(picture)
    rows, columns = small.shape
    side = max(rows, columns)
    square = np.zeros((side, side), np.float32)
    top, left = (side - rows) // 2, (side - columns) // 2
    square[top : top + rows, left : left + columns] = small
    film = zoom(square, _SIDE / side, order=1, grid_mode=True, mode="nearest").astype(np.float32)
    said = 1.0 / (1.0 + np.exp(-np.clip(ask(film[None, None])[0], -30, 30)))
    fine = zoom(said, (1, side / _SIDE, side / _SIDE), order=1, grid_mode=True, mode="nearest")
    fine = fine[:, top : top + rows, left : left + columns]
    parts = [_largest(plane > 0.5) for plane in fine]
    for name, part, plane in zip(("right lung", "left lung", "heart"), parts, fine, strict=True):
        share = np.count_nonzero(part) / part.size
        if not _LEAST <= share <= _MOST or float(plane[part].mean()) < _SURE:
            raise Refused(
                f"no {name} was seen",
                "two lungs with a heart between them are looked for: this is no frontal chest, or a lung is white",
                "outline them by hand",
            )
    return measured(parts[0], parts[1], parts[2], dark_parts(small)[0], scale, picture.shape)


def _largest(mask: Mask) -> Mask:
    from scipy.ndimage import binary_fill_holes, label

    labels, count = label(mask)
    if count == 0:
        return mask
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    held: Mask = binary_fill_holes(labels == int(sizes.argmax()))
    return held
