"""Lung fields and heart on a frontal chest radiograph: two outlines, the cardiothoracic ratio, and what spoils it.

A classical method without weights: air is darker than what surrounds it. A picture of 256 pixels is smoothed and parted
by Otsu's threshold. Of the dark parts inside the body the pair that lies like two lungs is taken, parted from the air
outside along the brightest line, its gaps between ribs closed. The heart lies between the inner borders of the lungs,
above the domes of the diaphragm; what is hidden behind it or by an opacity is not found.

The cardiothoracic ratio is the largest extent of the heart to the right plus that to the left, over the largest inner
width of the thorax. It means something on an upright postero-anterior picture of an adult in full inspiration.

Sources: Otsu, IEEE Trans SMC 9 (1979) 62; Danzer, Am J Med Sci 157 (1919) 513 (the ratio); Candemir & Antani, Int J
Comput Assist Radiol Surg 14 (2019) 563 (a review of lung boundaries).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import opening

__all__ = ["Chest", "dark_parts", "levelled_copy", "measured", "outline"]

_BESIDE, _HELD = 0.045, 0.15  # of the width: lung that the heart borders on; of its height: over which its width holds
_HILUM = 0.4  # of the height of the heart, from above: there the right hilum lies against it
_SIDE = 256
_SMOOTH = 2.0
_SHARES = (1.0, 0.8, 0.6, 0.45)  # of Otsu's threshold, for the cores
_LEAST, _MOST = 0.012, 0.30  # of the picture's area, for one lung
# Pixels sideways for each row from which on it is the diaphragm and not the heart; the heart's left border is flatter,
# and its apex lies at most so much of the lung's height below the right dome.
_STEEP_RIGHT, _STEEP_LEFT, _APEX_BELOW = 1.5, 3.0, 0.15
_EDGE = 0.01
_RETURN = 3.0  # pixels by which the border must come back

Mask = npt.NDArray[np.bool_]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Chest:
    """What was outlined on one picture, on its own grid; right and left are the patient's.

    Args:
        right, left: lung fields (rows, columns), heart and what lies below the domes left out.
        heart: between the lungs, from the level of the hila to the domes.
        ratio: cardiothoracic ratio.
        heart_px, thorax_px: its two widths in columns of the picture.
        heart_ends, thorax_ends: (row, column) of their ends, right then left.
        symmetry: area of the smaller lung over that of the larger.
        turned: how far the upper mediastinum lies off the middle of the thorax, in parts of half its width; to the
            patient's left above zero. Rotation, and a pulled or pushed mediastinum, show in it.
        inspiration: height of the right lung over the inner width of the thorax; small in poor inspiration.
        unsure: part of the outlines beyond which it is as dark as within, so that the border is a guess.
        cut: sides of the picture that a lung reaches.
    """

    right: Mask
    left: Mask
    heart: Mask
    ratio: float
    heart_px: float
    thorax_px: float
    heart_ends: tuple[tuple[float, float], tuple[float, float]]
    thorax_ends: tuple[tuple[float, float], tuple[float, float]]
    symmetry: float
    turned: float
    inspiration: float
    unsure: float
    cut: tuple[str, ...]


def outline(picture: Floats, copy: tuple[Floats, float] | None = None) -> Chest:
    """Find the lungs of an upright frontal chest, bright where dense, the patient's right on the left.

    Args:
        picture: (rows, columns); square pixels, any scale and range of values.
        copy: its `levelled_copy`, where it was made already.

    Raises:
        Refused: for a picture that is too small, empty or inverted, or on which no two lungs are found.
    """
    from scipy.ndimage import gaussian_filter

    sharp, scale = copy or levelled_copy(picture)
    small = np.asarray(gaussian_filter(sharp, _SMOOTH), np.float32)
    dark, threshold = dark_parts(sharp)
    pair = None
    for share in _SHARES:  # a lung that hangs together with the air outside is parted from it by its darkest core
        core = dark if share == 1.0 else dark & (small < share * threshold)
        for shave in (2, 4):
            pair = pair or _pair(core, dark, small, shave)
    if pair is None:
        raise Refused(
            "no two lungs were found",
            "two dark fields side by side inside the body are looked for: this is no frontal chest, it is inverted or "
            "cropped, or a lung is white",
            "outline the lungs by hand",
        )
    right, left = (_mended(side) for side in pair)
    return measured(right, left, None, dark, scale, picture.shape)


def levelled_copy(picture: Floats) -> tuple[Floats, float]:
    """The picture at 256 pixels along its longer side, 0 to 1 between its 1st and 99th percentile; and the scale.

    Raises:
        Refused: for one that is too small, too long, of one value or not finite.
    """
    from scipy.ndimage import zoom

    held = np.asarray(picture, np.float32)
    if held.ndim != 2 or min(held.shape) < 48:
        raise Refused(
            f"a picture of shape {held.shape}",
            "at least 48 by 48 pixels of one plane are looked at",
            "choose the picture itself, not its thumbnail",
        )
    if max(held.shape) > 2 * min(held.shape):
        raise Refused(
            f"a picture of {held.shape[0]} by {held.shape[1]} pixels",
            "no film of one chest has that shape",
            "send the film of one chest as it was acquired",
        )
    if not np.isfinite(held).all():
        raise Refused(
            "a picture with values that are not numbers", "nothing can be outlined on it", "send the picture again"
        )
    scale = _SIDE / max(held.shape)
    step = max(1, int(0.5 / scale))  # half way by plain averages, which is quick; the rest by interpolation
    if step > 1:
        rows, columns = (n // step * step for n in held.shape)
        held = held[:rows, :columns].reshape(rows // step, step, columns // step, step).mean(axis=(1, 3))
    shape = tuple(max(1, round(n * scale)) for n in picture.shape)
    small = zoom(held, (shape[0] / held.shape[0], shape[1] / held.shape[1]), order=1)
    low, high = np.percentile(small, (1, 99))
    if not high > low:
        raise Refused("a picture of one value", "there is no chest in it", "send the picture again")
    return np.asarray(np.clip((small - low) / (high - low), 0, 1), np.float32), scale


def dark_parts(sharp: Floats) -> tuple[Mask, float]:
    """(mask, threshold): darker than Otsu's threshold or than the surroundings, never brighter than these."""
    from scipy.ndimage import gaussian_filter

    small = np.asarray(gaussian_filter(sharp, _SMOOTH), np.float32)
    rows, columns = small.shape
    middle = small[int(0.1 * rows) : int(0.9 * rows), int(0.08 * columns) : int(0.92 * columns)]
    counts, edges = np.histogram(middle, 128, (0.0, 1.0))
    share = np.cumsum(counts) / counts.sum()
    mean = np.cumsum(counts / counts.sum() * (edges[:-1] + edges[1:]) / 2)
    with np.errstate(divide="ignore", invalid="ignore"):
        between = (mean[-1] * share - mean) ** 2 / (share * (1 - share))
    threshold = edges[1 + int(np.nanargmax(between[:-1]))]
    below = gaussian_filter(small, _SIDE / 5) - small
    dark = ((small < threshold) | (below > 0.12)) & (below > -0.02)
    return np.asarray(dark, np.bool_), float(threshold)


def _pair(core: Mask, dark: Mask, small: Floats, shave: int) -> tuple[Mask, Mask] | None:
    """(right, left) lung: two dark cores off the border, side by side, that overlap in height, grown to their walls."""
    from scipy.ndimage import binary_erosion, label

    labels, count = label(binary_erosion(core, iterations=shave, border_value=1))
    rows, columns = dark.shape
    parts = []
    for n in range(1, count + 1):
        y, x = np.nonzero(labels == n)
        inside = y.min() > 0 and x.min() > 0 and x.max() < columns - 1 and y.max() < rows - 1
        size = len(y) / dark.size
        if inside and 0.3 * _LEAST <= size <= _MOST and np.ptp(y) >= 0.6 * np.ptp(x):
            parts.append((n, x.mean() / columns, y.min() / rows, y.max() / rows, size))
    best, chosen = 0.0, None
    for one, at, top, bottom, size in parts:
        for other, at_other, top_other, bottom_other, size_other in parts:
            overlap = min(bottom, bottom_other) - max(top, top_other)
            tall = max(bottom - top, bottom_other - top_other)
            if not (0.12 <= at_other - at <= 0.65 and at < 0.55 < at_other + 0.1 and overlap > 0.5 * tall):
                continue
            score = (size + size_other) * overlap / tall * min(size, size_other) / max(size, size_other)
            if score > best:
                best, chosen = score, (one, other)
    return None if chosen is None else _grown(labels, chosen, dark, small)


def _grown(labels: npt.NDArray[Any], chosen: tuple[int, int], dark: Mask, small: Floats) -> tuple[Mask, Mask] | None:
    """Both cores flooded up to the brightest line between them and everything else that is dark."""
    from scipy.ndimage import label, watershed_ift

    markers = np.zeros(labels.shape, np.int16)
    markers[labels > 0] = 3
    frame = np.ones(labels.shape, np.bool_)
    frame[1:-1, 1:-1] = False
    markers[frame] = 3
    markers[labels == chosen[0]], markers[labels == chosen[1]] = 1, 2
    flooded = watershed_ift((small * 65535).astype(np.uint16), markers)
    found = []
    for n, core in zip((1, 2), chosen, strict=True):
        parts, _ = label((flooded == n) & dark)
        own = np.bincount(parts[labels == core])
        own[0] = 0
        if not own.any():
            return None
        part = np.asarray(parts == int(own.argmax()), np.bool_)
        if not _LEAST <= np.count_nonzero(part) / part.size <= _MOST:
            return None
        found.append(part)
    return found[0], found[1]


def _mended(side: Mask) -> Mask:
    """Gaps between ribs and vessels closed."""
    reach = 10
    span = np.arange(-reach, reach + 1)
    disc = span[:, None] ** 2 + span**2 <= reach**2
    padded = np.pad(side, reach + 1)
    closed = opening.filled(opening.closed(padded, disc))
    calm = opening.opened(closed, disc[6:-6, 6:-6])
    inner = calm[reach + 1 : -reach - 1, reach + 1 : -reach - 1]
    return np.asarray(inner if inner.any() else side, np.bool_)


def _borders(mask: Mask) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Rows that a lung has, and its first and last column in each (borders of pixels)."""
    rows = np.flatnonzero(mask.any(axis=1))
    first = mask[rows].argmax(axis=1).astype(np.float64)
    last = mask.shape[1] - mask[rows][:, ::-1].argmax(axis=1).astype(np.float64)
    return rows, first, last


def _heart_end(
    rows: npt.NDArray[np.intp], inner: npt.NDArray[np.float64], outward: int, steepest: float, lowest: float
) -> tuple[float, float, int]:
    """(row, column) farthest out on the inner border of a lung above its dome, and the row where the dome begins.

    Args:
        inner: column of the inner border in each row. outward: -1 for the right lung, 1 for the left.
        steepest: slope that is the diaphragm's. lowest: row below which the heart is not looked for.
    """
    from scipy.ndimage import gaussian_filter1d, median_filter, minimum_filter1d

    start = int(0.35 * len(rows))
    smooth = gaussian_filter1d(median_filter(inner, 9, mode="nearest"), 2.0) * outward
    # Where the angle between heart and diaphragm is clear the border comes back to the middle below the heart.
    later = np.minimum.accumulate(smooth[::-1])[::-1]
    back = np.flatnonzero(smooth[start:] - later[start:] >= _RETURN) + start
    angle = int(back[-1] + np.argmin(smooth[back[-1] :])) if len(back) else start
    if angle > 0.6 * len(rows):
        stop = angle
    else:
        slope = minimum_filter1d(np.gradient(smooth), 5)  # a vessel or a rib is passed within five rows
        steep = np.flatnonzero((slope[angle:] > steepest) | (rows[angle:] > lowest))
        stop = angle + int(steep[0]) if len(steep) else len(rows) - 1
    stop = max(stop, start + 1)
    at = start + int(np.argmax(smooth[start : stop + 1]))
    return float(rows[at]), float(smooth[at] * outward), int(rows[stop])


def _open(lungs: Mask, dark: Mask) -> float:
    """Part of the outlines beyond which it is as dark as within: there the border is a guess."""
    from scipy.ndimage import binary_dilation

    ring = binary_dilation(lungs, iterations=4) & ~binary_dilation(lungs, iterations=1)
    return int((ring & dark).sum()) / max(1, int(ring.sum()))


def measured(right: Mask, left: Mask, heart: Mask | None, dark: Mask, scale: float, shape: tuple[int, ...]) -> Chest:
    """What two outlined lungs, and the heart between them, say.

    Args:
        right, left, heart: on the grid of `levelled_copy`; without a heart it is taken to lie between the inner borders
            of the lungs, from the level of the hila to the domes.
        dark: what is as dark as lung there. scale: of that grid to the picture. shape: of the picture.

    Raises:
        Refused: where no heart lies between the lungs.
    """
    rows_r, outer_r, inner_r = _borders(right)
    rows_l, inner_l, outer_l = _borders(left)
    shared = np.intersect1d(rows_r, rows_l)
    if not len(shared):
        raise Refused("two lungs that do not lie side by side", "this is no chest", "outline the lungs by hand")
    far_r, far_l = outer_r[np.isin(rows_r, shared)], outer_l[np.isin(rows_l, shared)]
    widest = _widest(far_l - far_r)
    thorax_px = float(far_l[widest] - far_r[widest])
    if heart is None:
        end_r = _heart_end(rows_r, inner_r, -1, _STEEP_RIGHT, float(rows_r[-1]))
        end_l = _heart_end(rows_l, inner_l, 1, _STEEP_LEFT, end_r[2] + _APEX_BELOW * len(rows_r))
        lowest = min(end_r[2], end_l[2])
        heart = _between((rows_r, inner_r), (rows_l, inner_l), int(shared[int(0.35 * len(shared))]), lowest, right)
        ends = end_r[:2], end_l[:2]
    else:
        ends = _extremes(heart, right, left, thorax_px)
    heart_px = ends[1][1] - ends[0][1]
    if not 0 < heart_px < thorax_px:
        raise Refused("lungs without a heart between them", "their inner borders cross", "outline the lungs by hand")
    upper = shared[: max(1, int(0.3 * len(shared)))]
    middle = [(inner_r[rows_r == y][0] + inner_l[rows_l == y][0]) / 2 for y in upper]
    centre = (far_r[widest] + far_l[widest]) / 2
    areas = (int(right.sum()), int(left.sum()))
    whole = [_enlarged(m, shape) for m in (right, left, heart)]
    if not all(mask.any() for mask in whole):
        raise Refused("an outline thinner than a pixel of the picture", "this is no chest, or far too coarse a picture",
                      "send the picture as it was taken")  # fmt: skip

    def place(row: float, column: float) -> tuple[float, float]:
        return (row + 0.5) / scale - 0.5, column / scale - 0.5

    return Chest(
        right=whole[0],
        left=whole[1],
        heart=whole[2],
        ratio=heart_px / thorax_px,
        heart_px=heart_px / scale,
        thorax_px=thorax_px / scale,
        heart_ends=(place(*ends[0]), place(*ends[1])),
        thorax_ends=(place(shared[widest], far_r[widest]), place(shared[widest], far_l[widest])),
        symmetry=min(areas) / max(areas),
        turned=float(np.median(middle) - centre) / (thorax_px / 2),
        inspiration=float(np.ptp(rows_r) + 1) / thorax_px,
        unsure=_open(right | left, dark),
        cut=_cut(right | left),
    )


def _widest(widths: npt.NDArray[np.float64]) -> int:
    """The row of the largest width that holds over a tenth of the lungs' height: where an outline runs into the angle
    with the diaphragm it is wider for a few rows, and the thorax is not.
    """
    from scipy.ndimage import grey_opening

    held = grey_opening(widths, max(1, len(widths) // 10), mode="nearest")
    return int(np.argmax((held == held.max()) & (widths == held.max())))


def _between(
    right: tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]],
    left: tuple[npt.NDArray[np.intp], npt.NDArray[np.float64]],
    top: int,
    bottom: int,
    like: Mask,
) -> Mask:
    """What lies between the inner borders (rows, columns) of the lungs, from one row to another."""
    heart = np.zeros_like(like)
    ends = [dict(zip(rows.tolist(), inner.tolist(), strict=True)) for rows, inner in (right, left)]
    for row in range(top, bottom + 1):
        if row in ends[0] and row in ends[1]:
            heart[row, int(ends[0][row]) : int(ends[1][row])] = True
    return heart


def _extremes(
    heart: Mask, right: Mask, left: Mask, thorax_px: float
) -> tuple[tuple[float, float], tuple[float, float]]:
    """(row, column) farthest to the right and to the left of the patient (borders of pixels), where a border is seen.

    The heart's border is seen against a lung; what is drawn of it below a dome is supposed, and now and then a foot
    under the lung. So the farthest is taken over the rows in which lung lies beside the heart, and has to hold over a
    part of its height. On the right the upper rows are left out, in which the hilum is drawn as heart now and then: the
    right atrium lies lower. Where it is seen in too few rows, the upper ones count too, and at last all of them.
    """
    from scipy.ndimage import grey_opening

    rows = np.flatnonzero(heart.any(axis=1))
    run, near, side = max(1, int(_HELD * len(rows))), max(1.0, _BESIDE * thorax_px), heart.shape[1]

    def farthest(mask: Mask, lung: Mask, first: int) -> tuple[float, float]:
        """Of the border with the lower columns."""
        edge = mask[rows].argmax(axis=1)
        beside = lung[rows] & (np.arange(side) < edge[:, None] + 2)
        last = np.where(beside.any(axis=1), side - beside[:, ::-1].argmax(axis=1), -side)
        beside_it = edge - last <= near
        lower = beside_it & (np.arange(len(rows)) >= first)
        enough = (s for s in (lower, beside_it) if np.count_nonzero(s) >= max(3, run))
        seen = next(enough, np.ones(len(rows), np.bool_))
        held = -grey_opening(np.where(seen, -edge, -edge[seen].max()), run, mode="nearest")
        return float(rows[held == held.min()].mean()), float(held.min())

    one = farthest(heart, right, int(_HILUM * len(rows)))
    other = farthest(heart[:, ::-1], left[:, ::-1], 0)
    return one, (other[0], side - other[1])


def _cut(lungs: Mask) -> tuple[str, ...]:
    margin = max(1, round(_EDGE * _SIDE))
    sides = {
        "top": lungs[:margin], "bottom": lungs[-margin:], "right": lungs[:, :margin], "left": lungs[:, -margin:],
    }  # fmt: skip
    return tuple(name for name, strip in sides.items() if strip.any())


def _enlarged(mask: Mask, shape: tuple[int, ...]) -> Mask:
    """A mask on the grid of the picture, its border smooth: between pixels by straight lines, half and more is inside.

    Only the rows and columns are computed in which anything can be half: those beside a pixel that is.
    """
    from scipy.ndimage import gaussian_filter

    soft = np.asarray(gaussian_filter(mask.astype(np.float32), 0.7), np.float32)
    out = np.zeros(shape, np.bool_)
    held = soft > 0.5
    if not held.any():
        return out
    rows, columns = (_finer(np.asarray(held.any(axis=1 - axis)), shape[axis]) for axis in (0, 1))
    part = rows.share[:, None]
    tall = soft[rows.low] * (1 - part) + soft[rows.high] * part
    wide = tall[:, columns.low] * (1 - columns.share)
    wide += tall[:, columns.high] * columns.share
    out[rows.where, columns.where] = wide > 0.5
    return out


@dataclass(frozen=True, eq=False)
class _Finer:
    where: slice  # of the finer axis
    low: npt.NDArray[np.intp]  # pixels of the coarser on both sides of each of them, and the share of the second
    high: npt.NDArray[np.intp]
    share: Floats


def _finer(held: npt.NDArray[np.bool_], count: int) -> _Finer:
    """`count` pixels along an axis whose `held` pixels hold something; centres of both grids cover the same length."""
    at = np.clip((np.arange(count) + 0.5) * len(held) / count - 0.5, 0, len(held) - 1)
    low = at.astype(np.intp)
    high = np.minimum(low + 1, len(held) - 1)
    near = np.flatnonzero(held[low] | held[high])
    where = slice(int(near[0]), int(near[-1]) + 1) if near.size else slice(0, 0)  # of a coarser axis all may be missed
    return _Finer(where, low[where], high[where], (at - low)[where].astype(np.float32))
