"""One more click on a region: what is missing around it is added, or what is too much around it is taken away.

A reader who clicks into what an outline has missed wants more of it there, and nothing less anywhere; who clicks into
what is too much wants it gone there, and nothing more anywhere. So a click changes the region one way only, near itself
only, and never against a click that was made before. How far "near" is, the click says: a missing part about as wide as
the click lies away from the region, a part too much as deep as the click lies in it.

How: within that reach each voxel that may change is decided by a random walk between what stays and the click, with a
prior from what voxels look like on either side of the way between the click and the region, and from how far they lie
from the click on ways that avoid edges.

Sources: as promptable.py; the reach of a correction by its distance to the border after Xu et al., CVPR 2016 (their
clicks lie in the middle of the error).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.components import labelled
from isocenter.methods.promptable import Click, must_be_tissue, outline
from isocenter.methods.random_walk import geodesic_mm, usual_step, walk
from isocenter.space import Geometry, Volume

__all__ = ["corrected"]

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]

_REACH = 2.5  # of the distance to the border: what may change
_MOST_MM = 60.0
_APART = 4.0  # voxels from the region, from which on a click may mean a part of its own
_FAR_MM = 20.0  # so near, and as near as the region is long, a click may mean the region's own border
_LARGEST = 48**3  # voxels of a walk
_BINS = 48
_SUREST = 0.95  # what looks alone may say
_CORRELATION = 3.0  # voxels over which the walk smooths what the looks of a voxel say


@dataclass(frozen=True)
class _Near:
    """What lies around a click, thinned: values, the region, and the click."""

    smooth: Floats
    spacing: tuple[float, float, float]
    region: Bools
    far: Floats  # straight from the click, mm
    at: tuple[int, ...]
    inside: Bools  # clicks made before
    outside: Bools
    low: Ints
    high: Ints
    thin: Ints


def corrected(volume: Volume, mask: Bools, click: Click, held: Sequence[Click] = ()) -> Bools:
    """The region after one more click: a new mask.

    Args:
        volume: one value for each voxel.
        mask: of the volume's shape, the region before; not empty.
        click: inside what is meant, or outside of it.
        held: clicks made before; the result is on their side wherever `mask` is.

    Returns:
        a mask that holds `mask` and the click where it is inside, and is held by `mask` without the click where it is
        outside. A click on what has its side already changes nothing.

    Raises:
        Refused: a click beside the image, a region without voxels, or of another shape; a click inside away from the
            region in air, or further away than 20 mm and than the region is long, on what has no border of its own.
    """
    if mask.shape != volume.geometry.shape or not mask.any():
        raise Refused("a region that is none on these images", "there is nothing to correct", "click anew")
    at = _index(volume, click)
    if bool(mask[at]) is click.inside:
        return mask
    border_mm = _to_border(volume, mask, at, click.inside)
    if click.inside and border_mm > _APART * max(volume.geometry.spacing_mm):
        must_be_tissue(volume, [click])
        part = _of_its_own(volume, mask, click, held, needed=border_mm > max(_FAR_MM, _size_mm(mask, volume.geometry)))
        if part is not None:
            return part
    border_mm = _MOST_MM / _REACH if np.isinf(border_mm) else border_mm
    reach_mm = min(_MOST_MM, max(_REACH * border_mm, 3.0 * max(volume.geometry.spacing_mm)))
    near = _around(volume, mask, at, held, reach_mm)
    flips = _flips(near, border_mm, to=click.inside)
    whole = _thick(flips, near) if (near.thin > 1).any() else flips
    cut = tuple(slice(int(a), int(b)) for a, b in zip(near.low, near.high, strict=True))
    made = mask.copy()
    made[cut] = mask[cut] | whole if click.inside else mask[cut] & ~whole
    made[at] = click.inside
    kept = [_index(volume, one) for one in held]
    for where in kept:
        made[where] = mask[where]
    return made if click.inside else _without_loose(mask, made, at, [w for w in kept if mask[w]])


def _without_loose(before: Bools, after: Bools, at: tuple[int, ...], inside: Sequence[tuple[int, ...]]) -> Bools:
    """What hung on the rest only through that which was taken away goes along, unless somebody clicked into it."""
    where = np.argwhere(before)
    cut = tuple(slice(int(a), int(b) + 1) for a, b in zip(where.min(axis=0), where.max(axis=0), strict=True))
    start = np.array([c.start for c in cut])
    was, _ = labelled(before[cut])
    touched = was == was[tuple(np.array(at) - start)]
    now, _ = labelled(after[cut] & touched)
    known = {int(now[tuple(np.array(place) - start)]) for place in inside} - {0}
    if not known:
        return after
    made = after.copy()
    made[cut] &= ~touched | np.isin(now, list(known))
    return made


def _size_mm(mask: Bools, grid: Geometry) -> float:
    """How long a region is, along the longest side of its box."""
    where = np.argwhere(mask)
    return float(((np.ptp(where, axis=0) + 1) * np.array(grid.spacing_mm)).max())


def _of_its_own(volume: Volume, mask: Bools, click: Click, held: Sequence[Click], *, needed: bool) -> Bools | None:
    """The region with what the click outlines by itself, where that does not touch the region: another part of it.

    Args:
        needed: the click is so far away that it says nothing about the border of the region: it joins what it outlines.

    Raises:
        Refused: it is `needed`, and outlines nothing.
    """
    try:
        found = outline(volume, [click, *(c for c in held if not c.inside)])
    except Refused:
        if needed:
            raise
        return None
    cut = tuple(slice(a, b) for a, b in zip(found.start, found.stop, strict=True))
    if not needed and (ndimage.binary_dilation(found.mask) & mask[cut]).any():
        return None
    made = mask.copy()
    made[cut] |= found.mask
    return made


def _index(volume: Volume, click: Click) -> tuple[int, ...]:
    if not volume.geometry.contains(np.array([click.mm])).all():
        raise Refused("a click beside the image", "there is nothing to see", "click on the image")
    index = np.round(volume.geometry.to_index(np.array(click.mm))).astype(int)
    return tuple(int(i) for i in np.clip(index, 0, np.array(volume.geometry.shape) - 1))


def _to_border(volume: Volume, mask: Bools, at: tuple[int, ...], inside: bool) -> float:
    """Millimetres from the click to the nearest voxel of the other side; infinite beyond where anything may change."""
    spacing = np.array(volume.geometry.spacing_mm)
    reach = np.ceil(_MOST_MM / spacing).astype(int)
    low, high = np.maximum(np.array(at) - reach, 0), np.minimum(np.array(at) + reach + 1, mask.shape)
    part = mask[tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))]
    other = np.argwhere(part if inside else ~part)
    if not len(other):
        return float("inf")
    away = (other + low - np.array(at)) * spacing
    return float(np.sqrt((away**2).sum(axis=1).min()))


def _around(volume: Volume, mask: Bools, at: tuple[int, ...], held: Sequence[Click], reach_mm: float) -> _Near:
    shape, spacing = np.array(mask.shape), np.array(volume.geometry.spacing_mm)
    margin = np.ceil(reach_mm / spacing).astype(np.int64) + 1
    low, high = np.maximum(np.array(at) - margin, 0), np.minimum(np.array(at) + margin + 1, shape)
    thin = np.ones(3, dtype=np.int64)
    while np.prod(np.ceil((high - low) / thin)) > _LARGEST:
        thin[int(np.argmin(spacing * thin))] += 1
    cut = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    values = np.nan_to_num(np.asarray(volume.array[cut], dtype=np.float32))
    if (thin > 1).any():
        values = ndimage.uniform_filter(values, tuple(int(t) for t in thin))
    sparse = tuple(slice(min(int(t) // 2, n - 1), None, int(t)) for t, n in zip(thin, values.shape, strict=True))
    values = np.ascontiguousarray(values[sparse])
    step = spacing * thin
    smooth = ndimage.gaussian_filter(values, tuple(0.7 * float(step.min()) / step))
    middle = tuple(int(min((i - a) // t, n - 1)) for i, a, t, n in zip(at, low, thin, values.shape, strict=True))
    axes = [
        ((np.arange(n) - m) * s).astype(np.float32) ** 2 for n, m, s in zip(values.shape, middle, step, strict=True)
    ]
    far = np.sqrt(axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :])
    seeds = [np.zeros(values.shape, dtype=bool) for _ in range(2)]
    for one in held:
        place = (np.array(_index(volume, one)) - low) // thin
        if (place >= 0).all() and (place < values.shape).all():
            seeds[int(one.inside)][tuple(place)] = True
    return _Near(
        np.ascontiguousarray(smooth), (float(step[0]), float(step[1]), float(step[2])),
        np.ascontiguousarray(mask[cut][sparse]), far, middle, seeds[1], seeds[0], low, high, thin,
    )  # fmt: skip


def _flips(near: _Near, border_mm: float, *, to: bool) -> Bools:
    """Voxels that change sides: those that hang together with the click."""
    finest = min(near.spacing)
    own = near.region if to else ~near.region  # the side that the click joins
    free = ~own & (near.far <= _REACH * max(border_mm, finest))
    seed = np.zeros(own.shape, dtype=bool)
    seed[near.at] = True
    edge = usual_step(near.smooth, near.far <= 1.5 * border_mm + finest)
    way = geodesic_mm(near.smooth, near.spacing, seed, per_mm=2.0 * edge / finest)
    looks = _looks(near, own, free, way, border_mm, edge)
    odds = looks / (1 - looks)
    # Half of the way to the border is the click's own, whatever it looks like; twice the way is hardly.
    trust = np.exp(-((way / max(border_mm, finest)) ** 2) * np.log(2.0) / 1.5**2)
    odds = odds * trust / np.maximum(1 - trust, 1e-3)
    held = np.full(own.shape, 0, np.int8)
    held[own], held[free] = 1, -1
    held[near.outside if to else near.inside] = 0
    held[seed] = 1
    prior = np.asarray(odds / (1 + odds), np.float32)
    chosen = walk(near.smooth, near.spacing, held, prior, edge=edge, weight=1.0 / _CORRELATION**2) >= 0.5
    chosen &= ~own
    chosen[near.at] = True
    labels, _ = labelled(chosen)
    flips = labels == labels[near.at]
    holes = ndimage.binary_fill_holes(flips | own) & ~own & free
    blocked = near.outside if to else near.inside
    return np.asarray((flips | holes) & ~blocked)


def _looks(near: _Near, own: Bools, free: Bools, way: Floats, border_mm: float, edge: float) -> Floats:
    """How much a voxel's value speaks for the click's side, 0.05 to 0.95.

    Like the click are what lies close to it, and half as much what is on its side already; like the rest is what may
    change and lies far from it.
    """
    smooth, finest = near.smooth, min(near.spacing)
    close = near.far <= max(0.5 * border_mm, 1.5 * finest)
    beyond = ~own & (way > 1.5 * max(border_mm, finest)) & (near.far <= 2 * _REACH * max(border_mm, finest))
    if not beyond.any():
        return np.full(smooth.shape, 0.5, np.float32)
    joined = own & (near.far <= 2 * _REACH * max(border_mm, finest))
    low, high = (float(v) for v in np.percentile(smooth[free | close], (0.5, 99.5)))
    if high <= low:
        return np.full(smooth.shape, 0.5, np.float32)
    place = np.clip((smooth - low) / (high - low) * (_BINS - 1), 0, _BINS - 1)
    blur = max(1.0, 1.5 * edge / (high - low) * _BINS)

    def share(part: Bools) -> npt.NDArray[np.float64]:
        counts = np.bincount(np.round(place[part]).astype(np.int64), minlength=_BINS).astype(np.float64)
        return np.asarray(ndimage.gaussian_filter1d(counts / max(1.0, counts.sum()), blur, mode="nearest"))

    like = share(close & ~own) * (2 / 3) + share(joined) / 3 if joined.any() else share(close & ~own)
    like, unlike = like + 0.02 / _BINS, share(beyond) + 0.02 / _BINS
    ratio = np.clip(like / (like + unlike), 1 - _SUREST, _SUREST)
    return np.asarray(np.interp(place, np.arange(_BINS), ratio), np.float32)


def _thick(flips: Bools, near: _Near) -> Bools:
    size = near.high - near.low
    at = np.meshgrid(*((np.arange(n) - t // 2) / t for n, t in zip(size, near.thin, strict=True)), indexing="ij")
    return np.asarray(ndimage.map_coordinates(flips.astype(np.float32), at, order=1, mode="nearest") > 0.5)
