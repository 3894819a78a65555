"""Lung fields and heart as a network sees them, and how far they agree with those of `lung_fields`.

The network learnt from virtual films alone (`virtual_chest`). It looks at the whole picture, so that it knows a lung by
its place where ribs, an opacity or gas in the bowel mislead a threshold; a threshold knows nothing of what a chest
looks like, and cannot be led astray by a picture of another make. Two that err for different reasons and say the same
are rarely both wrong: their agreement is the certainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.lung_fields import Chest, dark_parts, levelled_copy, measured, outline

__all__ = [
    "Agreement",
    "Ask",
    "Opinion",
    "agreement",
    "alike",
    "film_seen",
    "network_outline",
    "squared",
    "two_opinions",
]

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]
Ask = Callable[[Floats], Floats]
"""(n, 1, side, side) films, 0 to 1, dense parts bright -> (n, 3, side, side) logits: right lung, left lung, heart."""
_SIDE, _SMALLER = 128, 116
_CURVES = (0.75, 1.35)
_LEAST, _MOST = 0.012, 0.34  # of the picture's area, for one lung
_SURE = 0.75  # mean probability within an outline below which the network does not know what it sees
_SPUR = 5.0
_OUTWARD = 0.2  # columns for each row by which the cage may widen towards the diaphragm
_MOVED = 2.0
_INWARD, _FURTHER, _STEP = 7, 3, 0.01  # columns of 256, and brightness a column, of the step at the chest wall
_STEADY, _ALIKE, _SYMMETRIC = 0.95, 0.50, 0.45


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
    return Agreement(alike(one.right, other.right), alike(one.left, other.left), one.ratio - other.ratio)


def alike(one: Mask, other: Mask) -> float:
    """Dice coefficient of two outlines; 0 where both are empty: a picture without lungs shows no agreement."""
    both = int(np.count_nonzero(one)) + int(np.count_nonzero(other))
    return 2.0 * int(np.count_nonzero(one & other)) / max(1, both)


@dataclass(frozen=True, eq=False)
class Opinion:
    """What the network and the threshold say of one picture.

    Args:
        chest: the outlines; the network's where it sees two lungs, else those of the threshold.
        agreement: of both; None where only one of them finds two lungs.
        steady: smallest Dice of the network's own four looks with what they say together; 0 without it.
        doubt: why a person has to look at the outlines before a number is taken from them; empty when there is none.
    """

    chest: Chest
    agreement: Agreement | None
    steady: float
    doubt: str


def two_opinions(picture: Floats, ask: Ask) -> Opinion:
    """Outline with the network, with the threshold beside it.

    Raises:
        Refused: where neither finds two lungs, for the threshold's reason.
    """
    classical: Chest | Refused
    copy = levelled_copy(picture)
    try:
        classical = outline(picture, copy)
    except Refused as why:
        classical = why
    try:
        seen, steady = network_outline(picture, ask, copy)
    except Refused:
        if isinstance(classical, Refused):
            raise classical from None
        return Opinion(classical, None, 0.0, "not sure of the outline: the network sees no two lungs with a heart")
    if isinstance(classical, Refused):
        return Opinion(seen, None, steady, "not sure of the outline: only the network finds two lungs")
    both = agreement(seen, classical)
    # The network draws an apex where it expects one: over low lungs it is drawn upon soft tissue.
    seen = replace(seen, inspiration=min(seen.inspiration, classical.inspiration))
    doubt = ""
    if steady < _STEADY:
        doubt = f"not sure of the outline: four looks of the network agree to {steady:.2f} only"
    elif seen.symmetry < _SYMMETRIC:
        doubt = "not sure of the outline: one lung field is less than half the other"
    elif both.lungs < _ALIKE:
        doubt = f"not sure of the outline: network and threshold agree to {both.lungs:.2f} only"
    return Opinion(seen, both, steady, doubt)


def network_outline(picture: Floats, ask: Ask, copy: tuple[Floats, float] | None = None) -> tuple[Chest, float]:
    """Outline lungs and heart with a network, which looks four times: smaller, brighter and darker as well.

    Args:
        picture: (rows, columns); square pixels, any scale and range of values, bright where dense, the patient's right
            on the left.
        ask: see `Ask`.
        copy: its `levelled_copy`, where it was made already.

    Returns:
        The outlines by the mean of the four, and the smallest Dice of one of them with it.

    Raises:
        Refused: for a picture that `lung_fields` does not look at either, or one on which the network sees no two lungs
            with a heart between them.
    """
    from scipy.ndimage import zoom

    small, scale = copy or levelled_copy(picture)
    rows, columns = small.shape
    square, top, left = squared(small)
    side = len(square)
    film = _resized(square, _SIDE)
    margin = (_SIDE - _SMALLER) // 2
    framed = np.zeros_like(film)
    framed[margin:-margin, margin:-margin] = _resized(square, _SMALLER)
    said = ask(np.stack([film, framed, film ** _CURVES[0], film ** _CURVES[1]])[:, None])
    looks = 1.0 / (1.0 + np.exp(-np.clip(said, -30, 30)))
    looks[1] = zoom(looks[1][:, margin:-margin, margin:-margin], (1, *(_SIDE / _SMALLER,) * 2), order=1,
                    grid_mode=True, mode="nearest")  # fmt: skip
    together = looks.mean(axis=0)
    steady = min(alike(look > 0.5, together > 0.5) for look in looks)
    fine = zoom(together, (1, side / _SIDE, side / _SIDE), order=1, grid_mode=True, mode="nearest")
    fine = fine[:, top : top + rows, left : left + columns]
    parts = [_one_part(plane > 0.5) for plane in fine]
    for name, part, plane in zip(("right lung", "left lung", "heart"), parts, fine, strict=True):
        share = np.count_nonzero(part) / part.size
        if not _LEAST <= share <= _MOST or float(plane[part].mean()) < _SURE:
            raise Refused(
                f"no {name} was seen",
                "two lungs with a heart between them are looked for: this is no frontal chest, or a lung is white",
                "outline them by hand",
            )
    if np.median(small[parts[0] | parts[1]]) > np.median(small[parts[2]]):
        raise Refused(
            "lungs brighter than the heart",
            "the picture is inverted, or both lungs are white",
            "correct Photometric Interpretation where it is inverted; else outline the lungs by hand",
        )
    parts[0] = _snapped(_straight(parts[0][:, ::-1]), small[:, ::-1])[:, ::-1]
    parts[1] = _snapped(_straight(parts[1]), small)
    chest = measured(parts[0], parts[1], parts[2], dark_parts(small)[0], scale, (picture.shape[0], picture.shape[1]))
    return replace(chest, unsure=_moving(looks > 0.5, together > 0.5)), steady


def squared(plane: Floats) -> tuple[Floats, int, int]:
    """A plane in the middle of a square of zeros, and the row and the column at which it begins there."""
    rows, columns = plane.shape
    side = max(rows, columns)
    top, left = (side - rows) // 2, (side - columns) // 2
    square = np.zeros((side, side), np.float32)
    square[top : top + rows, left : left + columns] = plane
    return square, top, left


def film_seen(picture: Floats, side: int = _SIDE) -> Floats:
    """(side, side) film, 0 to 1, as the network sees it first.

    Raises:
        Refused: for a picture that `lung_fields` does not look at.
    """
    return _resized(squared(levelled_copy(picture)[0])[0], side)


def _moving(looks: Mask, together: Mask) -> float:
    """Part of the borders that one of the looks places more than two pixels off."""
    from scipy.ndimage import binary_erosion, distance_transform_edt

    off = at = 0
    for k, plane in enumerate(together):
        border = plane & ~binary_erosion(plane)
        away = np.zeros(plane.shape, np.bool_)
        for look in looks[:, k]:
            theirs = look & ~binary_erosion(look)
            away |= distance_transform_edt(~theirs) > _MOVED if theirs.any() else True
        off, at = off + int(np.count_nonzero(border & away)), at + int(np.count_nonzero(border))
    return off / max(1, at)


def _snapped(left: Mask, small: Floats) -> Mask:
    """A left lung whose outer border lies where the picture steps from dark to bright, which one pixel of the network
    is too coarse for: each row moves by the median of what its neighbours ask for.
    """
    from scipy.ndimage import gaussian_filter, median_filter

    rows = np.flatnonzero(left.any(axis=1))
    rows = rows[len(rows) // 8 :]  # about the apex the border does not run down
    if len(rows) < 10:
        return left
    last = left.shape[1] - left[rows][:, ::-1].argmax(axis=1)
    step = np.diff(gaussian_filter(small, 1.0), axis=1)  # step[c] lies between the columns c and c + 1
    reach = np.arange(-_INWARD, _FURTHER + 1)
    at = np.clip(last[:, None] - 1 + reach, 0, step.shape[1] - 1)
    rise = step[rows[:, None], at]
    moved = np.where(rise.max(axis=1) > _STEP, reach[rise.argmax(axis=1)], 0)
    border = last + median_filter(moved, max(9, len(rows) // 4), mode="nearest")
    held = left.copy()
    columns = np.arange(left.shape[1])
    held[rows] = (left[rows] | (columns >= (last - 1)[:, None])) & (columns < border[:, None])
    return held


def _straight(left: Mask) -> Mask:
    """A left lung whose outer border runs on from its middle third: towards the angle with the diaphragm an outline may
    flare into the chest wall, and the width of the thorax would be taken there.
    """
    rows = np.flatnonzero(left.any(axis=1))
    if len(rows) < 10:
        return left
    last = left.shape[1] - left[:, ::-1].argmax(axis=1)
    held = left.copy()
    low = int(rows[0] + 0.7 * len(rows))
    farthest = float(np.median(last[low - max(1, len(rows) // 20) : low + 1]))
    for row in range(low, int(rows[-1]) + 1):
        farthest = min(max(farthest, float(last[row])), farthest + _OUTWARD) if left[row].any() else farthest
        held[row, int(np.ceil(farthest)) :] = False
    return held


def _resized(square: Floats, side: int) -> Floats:
    from scipy.ndimage import zoom

    return np.asarray(zoom(square, side / len(square), order=1, grid_mode=True, mode="nearest"), np.float32)


def _one_part(mask: Mask) -> Mask:
    """The largest part, whole; spurs narrower than 11 pixels, into which an outline runs where a border fades, cut."""
    from scipy.ndimage import binary_fill_holes, distance_transform_edt, label

    def largest(some: Mask) -> Mask:
        labels, count = label(some)
        if count < 2:
            return some
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        return np.asarray(labels == int(sizes.argmax()), np.bool_)

    whole = binary_fill_holes(largest(mask))
    padded = np.pad(whole, 1, mode="edge")
    core = distance_transform_edt(padded) > _SPUR
    if not core.any():
        return np.asarray(whole, np.bool_)
    open_ = distance_transform_edt(~core) <= _SPUR
    return largest(np.asarray(open_[1:-1, 1:-1] & whole, np.bool_))
