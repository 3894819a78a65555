"""Outline what a reader points at: clicks inside, clicks outside and an optional box give a mask.

A reader who corrects a model, or outlines a lesion that no model knows, points at it once and gets a border; a click
where the border is wrong moves it. Nothing is trained, so it works on any modality (CT, MR, PET), and it says what it
cannot do: a click in air, and a thing without a border, are refused.

How: (1) voxels are reached from the clicks inside in the order of their connectedness, by what is unlike the click, by
what is darker and by what is brighter; of all these nested regions the one with the steepest rim is the first guess, or
the middle of the box where there is one. (2) What the guess and its surroundings look like, and how near each voxel is
to clicks of either kind, says how likely it is inside. (3) A random walk with these priors, held at every click,
decides each voxel, and the result is the next guess. Of what hangs together only around corners, or reaches far beyond
its thickness, a click means the part that it sees. Memory is bounded: the crop is thinned to at most `64^3` voxels for
the walk.

Sources: Udupa and Samarasekera 1996 (connectedness.py); Grady 2005, 2006 and Toivanen 1996 (random_walk.py); Rother
et al., ACM Trans Graph 23 (2004) 309 (models of inside and outside made again from each result).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from isocenter.errors import Refused
from isocenter.methods.components import labelled
from isocenter.methods.connectedness import LEVELS, flood, nested
from isocenter.methods.distance import depth_mm
from isocenter.methods.random_walk import geodesic_mm, usual_step, walk
from isocenter.space import Volume

__all__ = ["Click", "Outlined", "must_be_tissue", "outline"]

Floats = npt.NDArray[np.float32]
Bools = npt.NDArray[np.bool_]
Ints = npt.NDArray[np.int64]
Point = tuple[float, float, float]

_REACH_MM = (20.0, 40.0, 80.0)  # half sides of the crops that are tried, small ones first
_LARGEST = 64**3  # voxels of a walk
_AIR_HU = -930.0  # emphysema reaches -950 in single voxels, air outside the body lies below -970
_AIR_SHARE = 0.06  # of the median of what is brighter than the mean: above the noise of air, below dark tissue
_OF_IMAGE = 0.75  # of all voxels: what is larger has its border beside the image, if it has one
_ROUNDS, _STILL = 4, 0.03  # guesses at most, and the share of voxels that may still change
_CORRELATION = 4.0  # voxels over which the walk smooths what the looks of a voxel say
_APART = 1.0  # standard deviations of the noise by which a region must stand apart from what is around it
_SUREST, _CLICKED = 0.95, 0.998  # what looks alone may say; what a click may say against them
_RIM = 0.5  # of a region's cross-section on the rim of the crop: it is cut off, and a larger crop is tried
_RIM_OF_LAST = 0.05  # the same where no larger crop follows: what is cut there would be told as whole
_NEAR = 0.35  # of the size of the guess: how far a click overrules the looks
_BINS = 48
_LONG = 3.0
_DETOUR, _SLACK = 1.15, 1.0  # how much longer than straight a way within the region may be, and voxels besides


@dataclass(frozen=True)
class Click:
    """A point of the patient that is inside, or outside, of what is meant."""

    mm: Point
    inside: bool = True


@dataclass(frozen=True)
class Outlined:
    """What was outlined.

    Args:
        mask: bool, the part of the volume's grid from `start` to `stop`.
        start, stop: index box of that part.
        contrast: of the inside against what is around it, in the volume's unit.
    """

    mask: Bools
    start: tuple[int, int, int]
    stop: tuple[int, int, int]
    contrast: float


@dataclass(frozen=True)
class _Crop:
    """The part of the volume that is looked at, thinned, with the prompts on its grid."""

    values: Floats
    smooth: Floats
    spacing: tuple[float, float, float]
    low: Ints
    high: Ints
    thin: Ints
    inside: Bools
    outside: Bools
    allowed: Bools
    open_faces: Bools
    boxed: bool


class _Leak(Refused):
    """The region reaches the rim of its crop: a larger crop may hold it."""


def outline(volume: Volume, clicks: Sequence[Click], box_mm: tuple[Point, Point] | None = None) -> Outlined:
    """The region that the clicks mean.

    Args:
        volume: one value for each voxel, on a grid in patient space.
        clicks: at least one inside, or a box; those outside hold the border back.
        box_mm: two opposite corners; the region stays within.

    Raises:
        Refused: no click inside and no box, a click beside the image, outside its box or in air, one voxel clicked as
            both, or a thing whose border cannot be found (the region leaks).
    """
    if volume.axes:
        raise Refused(
            f"a volume with axes {[a.name for a in volume.axes]}",
            "it has several values at each place",
            "choose one phase or frame",
        )
    inner, outer = _indices(volume, clicks, True), _indices(volume, clicks, False)
    box = _box(volume, box_mm) if box_mm is not None else None
    if box is not None and any((p < box[0]).any() or (p >= box[1]).any() for p in inner):
        raise Refused("a click inside that lies outside its box", "the region stays within the box", "draw it larger")
    if not len(inner) and box is None:
        raise Refused("no click inside", "there is nothing to grow from", "click on what is meant")
    if {tuple(p) for p in inner} & {tuple(p) for p in outer}:
        raise Refused("one voxel clicked as inside and as outside", "it cannot be both", "take one of them back")
    must_be_tissue(volume, clicks)
    if box is not None:
        return _outlined(_crop(volume, inner, outer, box, 0.0), 0.0)[0]
    widest = _leaking(0.0)  # what is told at last: of the largest crop
    # A click in a thin thing has other tissue beside it: where nothing holds the click and its neighbours, it alone.
    for reach, alone in (*((mm, False) for mm in _REACH_MM), (_REACH_MM[0], True)):
        try:
            outlined, apart = _outlined(_crop(volume, inner, outer, None, reach), reach, alone=alone)
        except _Leak as leak:
            widest = widest if alone else leak
            continue
        if apart >= _APART and np.count_nonzero(outlined.mask) <= _OF_IMAGE * volume.array.size:
            return outlined
        widest = widest if alone else _leaking(2 * reach)  # a patch of noise, or the middle of something larger
    raise Refused(widest.what, widest.why, widest.do)


def _outlined(crop: _Crop, reach_mm: float, *, alone: bool = False) -> tuple[Outlined, float]:
    """What was outlined, and by how many standard deviations of the noise it stands apart from what is around it."""
    mask = _first_guess(crop, alone)
    for number in range(_ROUNDS):
        before, mask = mask, _better(crop, mask)
        if not crop.boxed and number == 0:  # what looks alike around a corner does not make the next guess
            mask = _seen(mask, crop)
        if np.count_nonzero(before ^ mask) <= _STILL * np.count_nonzero(mask):
            break
    mask = mask if crop.boxed else _seen(mask, crop)
    contrast, apart = _contrast(crop, mask)
    if _cut_off(crop, mask, reach_mm):
        raise _leaking(_width_mm(crop))
    if (crop.thin > 1).any():
        mask = _thick(mask, crop)
    return Outlined(mask, _three(crop.low), _three(crop.high), contrast), apart


def _cut_off(crop: _Crop, mask: Bools, reach_mm: float) -> bool:
    """Whether the crop ends a region that goes on: it lies on the crop's rim by half of a cross-section."""
    on_rim = [
        np.count_nonzero(mask.take((1, -2)[end], axis=axis))
        for axis in range(3)
        for end in (0, 1)
        if crop.open_faces[axis, end]
    ]
    rim = _RIM if reach_mm < _REACH_MM[-1] else _RIM_OF_LAST
    return bool(max(on_rim, default=0) > rim * np.count_nonzero(mask) ** (2 / 3))


# ---- the prompts on a crop


def _indices(volume: Volume, clicks: Sequence[Click], inside: bool) -> Ints:
    points = np.array([c.mm for c in clicks if c.inside is inside], dtype=np.float64).reshape(-1, 3)
    if not volume.geometry.contains(points).all():
        raise Refused("a click beside the image", "there is nothing to see", "click on the image")
    index = np.round(volume.geometry.to_index(points)).astype(np.int64)
    return np.clip(index, 0, np.array(volume.geometry.shape) - 1)


def _box(volume: Volume, box_mm: tuple[Point, Point]) -> tuple[Ints, Ints]:
    ends = np.sort(volume.geometry.to_index(np.array(box_mm)), axis=0)
    low = np.maximum(np.ceil(ends[0] - 1e-6), 0).astype(np.int64)
    high = np.minimum(np.floor(ends[1] + 1e-6) + 1, volume.geometry.shape).astype(np.int64)
    if (high - low < 1).any() or np.prod(high - low) < 8:
        raise Refused("a box without room", "it holds no voxels", "draw it around what is meant, also in depth")
    return low, high


def must_be_tissue(volume: Volume, clicks: Sequence[Click]) -> None:
    """Refuse clicks inside that lie in air: below -930 HU; in another image darker than 6 % of what is bright in it.

    Air has no signal: where an image holds no value near zero, its darkest part is tissue.
    """
    inner = _indices(volume, clicks, True)
    if volume.unit == "[hnsf'U]":
        level, told = _AIR_HU, f"{_AIR_HU:.0f} HU"
    else:
        step = 4 if volume.array.size > 2**18 else 1
        some = volume.array[::step, ::step, ::step]
        base = min(0.0, float(np.nanpercentile(some, 1)))
        level = base + _AIR_SHARE * (float(np.nanmedian(some[some >= np.nanmean(some)])) - base)
        told = f"{_short(level)}, 6 % of what is bright in the image"
    for at in inner:
        part = volume.array[tuple(slice(max(0, int(i) - 1), int(i) + 2) for i in at)]
        middle = float(np.median(part))
        if not middle > level:
            raise Refused(
                f"a click in air (median {_short(middle)} around it, air up to {told})",
                "there is no tissue to outline",
                "click on tissue, or draw with the brush",
            )


def _short(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= 100 else f"{value:.3g}"


def _crop(volume: Volume, inner: Ints, outer: Ints, box: tuple[Ints, Ints] | None, reach_mm: float) -> _Crop:
    shape, spacing = np.array(volume.geometry.shape), np.array(volume.geometry.spacing_mm)
    if box is not None:
        margin = np.maximum(3, (box[1] - box[0]) // 4)
        low, high = np.maximum(box[0] - margin, 0), np.minimum(box[1] + margin, shape)
    else:
        margin = np.maximum(3, np.ceil(reach_mm / spacing)).astype(np.int64)
        low, high = np.maximum(inner.min(axis=0) - margin, 0), np.minimum(inner.max(axis=0) + margin + 1, shape)
    thin = np.ones(3, dtype=np.int64)
    while np.prod(np.ceil((high - low) / thin)) > _LARGEST:
        thin[int(np.argmin(spacing * thin))] += 1
    cut = tuple(slice(int(a), int(b)) for a, b in zip(low, high, strict=True))
    values = np.asarray(volume.array[cut], dtype=np.float32)
    values = np.nan_to_num(values, nan=0.0)
    if (thin > 1).any():  # a mean over what is left out, so that no thin thing is missed
        values = ndimage.uniform_filter(values, tuple(int(t) for t in thin))
        starts = [min(int(t) // 2, n - 1) for t, n in zip(thin, values.shape, strict=True)]
        values = values[tuple(slice(a, None, int(t)) for a, t in zip(starts, thin, strict=True))]
    step = spacing * thin
    smooth = ndimage.gaussian_filter(values, tuple(0.7 * float(step.min()) / step))
    small = values.shape
    allowed = np.ones(small, dtype=bool)
    if box is not None:
        allowed[:] = False
        first, last = (box[0] - low) // thin, -(-(box[1] - low) // thin)
        allowed[tuple(slice(int(a), int(b)) for a, b in zip(first, last, strict=True))] = True
    faces = np.column_stack([low > 0, high < shape]) if box is None else np.zeros((3, 2), dtype=bool)
    values, smooth = np.ascontiguousarray(values), np.ascontiguousarray(smooth)
    return _Crop(
        values, smooth, (float(step[0]), float(step[1]), float(step[2])), low, high, thin,
        _seeds(inner, low, thin, small), _seeds(outer, low, thin, small), allowed, faces, box is not None,
    )  # fmt: skip


def _seeds(at: Ints, low: Ints, thin: Ints, shape: tuple[int, ...]) -> Bools:
    seeds = np.zeros(shape, dtype=bool)
    for point in (at - low) // thin:
        if (point >= 0).all() and (point < np.array(shape)).all():
            seeds[tuple(point)] = True
    return seeds


def _thick(mask: Bools, crop: _Crop) -> Bools:
    """A thinned mask on the voxels of the volume, its border interpolated, one axis after the other."""
    values = mask.astype(np.float32)
    for axis, (size, thin) in enumerate(zip(crop.high - crop.low, crop.thin, strict=True)):
        last = mask.shape[axis] - 1
        at = np.clip((np.arange(size) - thin // 2) / thin, 0, last)
        low = at.astype(np.int64)
        part = (at - low).astype(np.float32).reshape([-1 if a == axis else 1 for a in range(3)])
        below, above = values.take(low, axis=axis), values.take(np.minimum(low + 1, last), axis=axis)
        values = below + part * (above - below)
    return np.asarray(values > 0.5)


def _three(values: Ints) -> tuple[int, int, int]:
    return int(values[0]), int(values[1]), int(values[2])


def _width_mm(crop: _Crop) -> float:
    return float(max((crop.high - crop.low) * np.array(crop.spacing) / crop.thin))


def _leaking(wide_mm: float) -> _Leak:
    return _Leak(
        f"the region leaks: within {wide_mm:.0f} mm it has no end",
        "what was clicked has no border against what is around it",
        "click outside of it where it ends, or draw a box around it",
    )


# ---- the first guess


def _first_guess(crop: _Crop, alone: bool) -> Bools:
    guess = _middle(crop) if crop.boxed else _steepest(crop, crop.inside if alone else _beside(crop))
    return (guess | crop.inside) & ~crop.outside & crop.allowed


def _middle(crop: _Crop) -> Bools:
    """The ellipsoid that fills the middle of the box: half of its length in each direction."""
    where = np.nonzero(crop.allowed)
    low, high = (np.array([f(w) for w in where]) for f in (np.min, np.max))
    axes = np.ogrid[tuple(slice(0, n) for n in crop.allowed.shape)]
    far = sum(
        ((a - (lo + hi) / 2) / max(1.0, 0.35 * (hi - lo + 1))) ** 2 for a, lo, hi in zip(axes, low, high, strict=True)
    )
    return np.asarray(far <= 1.0)


def _beside(crop: _Crop) -> Bools:
    return np.asarray(ndimage.binary_dilation(crop.inside, iterations=1))


def _steepest(crop: _Crop, least: Bools) -> Bools:
    """Of the nested regions around the inner clicks that hold the `least` the one with the steepest rim for its size.

    Regions grow by what is unlike the click, and besides by what is darker only, and by what is brighter only: in a
    bright thing that which is brighter still belongs to it from the start.
    """
    smooth = crop.smooth
    differs = smooth - np.float32(np.median(smooth[_beside(crop)]))
    best: tuple[float, Bools] | None = None
    for unlike in (np.abs(differs), np.maximum(-differs, 0), np.maximum(differs, 0)):
        top = float(np.percentile(unlike, 99.0)) or 1.0
        level = np.minimum(unlike * ((LEVELS - 1) / top), LEVELS - 1)
        levels = flood(level.astype(np.int32), crop.inside, crop.allowed)
        told = nested(levels, smooth, np.array(crop.spacing), crop.open_faces)
        last = min(LEVELS, told.touching)
        first = int(levels[least].max())
        if last > first:  # else it reaches the rim of the crop before it holds the least
            at = first + int(np.argmax(told.rim[first:last]))
            if best is None or told.rim[at] > best[0]:
                best = (float(told.rim[at]), levels <= at)
    if best is None:
        raise _leaking(_width_mm(crop))
    return best[1]


# ---- better guesses


def _better(crop: _Crop, guess: Bools) -> Bools:
    """The guess made anew from what it and its surroundings look like."""
    smooth = crop.smooth
    around = _around(crop, guess)
    edge = usual_step(smooth, guess | around)
    looks = _looks(smooth, _core(crop, guess), around, edge)
    prior = _near(crop, guess, looks, edge)
    held = np.full(guess.shape, -1, np.int8)
    held[~crop.allowed] = 0
    held[crop.outside] = 0
    held[crop.inside] = 1
    for axis in range(3):  # behind an open face lies what was not asked for
        for end in (0, 1):
            if crop.open_faces[axis, end]:
                held[tuple(-end if a == axis else slice(None) for a in range(3))] = 0
    held[crop.inside] = 1
    inside = walk(smooth, crop.spacing, held, prior, edge=edge, weight=1.0 / _CORRELATION**2) >= 0.5
    return _tidy(inside, crop)


def _around(crop: _Crop, guess: Bools) -> Bools:
    """What lies around a guess: as much of it as the guess is wide, and nothing of its rim."""
    far = depth_mm(~guess, crop.spacing)
    wide = max(3.0 * min(crop.spacing), float(np.cbrt(guess.sum() * np.prod(crop.spacing))) / 2)
    shell = (far > 1.5 * min(crop.spacing)) & (far <= wide)
    if crop.boxed:
        shell |= ~crop.allowed
    return shell if shell.any() else ~guess if not guess.all() else guess


def _looks(smooth: Floats, guess: Bools, around: Bools, edge: float) -> Floats:
    """How much the intensity of each voxel speaks for inside: histograms of both, smoothed by the noise."""
    low, high = (float(v) for v in np.percentile(smooth[guess | around], (0.5, 99.5)))
    if high <= low:
        return np.full(smooth.shape, 0.5, np.float32)
    place = np.clip((smooth - low) / (high - low) * (_BINS - 1), 0, _BINS - 1)
    blur = max(1.0, 1.5 * edge / (high - low) * _BINS)
    both = []
    for part in (guess, around):
        counts = np.bincount(np.round(place[part]).astype(np.int64), minlength=_BINS).astype(np.float64)
        share = counts / max(1.0, counts.sum())
        both.append(ndimage.gaussian_filter1d(share, blur, mode="nearest") + 0.02 / _BINS)
    ratio = np.clip(both[0] / (both[0] + both[1]), 1 - _SUREST, _SUREST)
    return np.asarray(np.interp(place, np.arange(_BINS), ratio), np.float32)


def _core(crop: _Crop, guess: Bools) -> Bools:
    """A guess without its rim, whose voxels are partly of what is around; all of it where little would be left."""
    core = depth_mm(guess, crop.spacing) > 1.5 * min(crop.spacing)
    return core if 5 * np.count_nonzero(core) > np.count_nonzero(guess) else guess


def _near(crop: _Crop, guess: Bools, looks: Floats, edge: float) -> Floats:
    """The looks, overruled around each click by ways that avoid edges: around one inside as far as a third of what is
    outlined, around one outside at least half way to what was clicked inside."""
    odds = looks / np.maximum(1 - looks, 1e-6)
    per_mm = 2.0 * edge / min(crop.spacing)
    reach = max(3.0 * min(crop.spacing), _NEAR * float(np.cbrt(guess.sum() * np.prod(crop.spacing))))
    between = 0.0
    if crop.inside.any():
        far = geodesic_mm(crop.smooth, crop.spacing, crop.inside, per_mm=per_mm)
        odds = odds / _doubt(far, reach)
        between = float(far[crop.outside].min()) if crop.outside.any() else 0.0
    if crop.outside.any():
        far = geodesic_mm(crop.smooth, crop.spacing, crop.outside, per_mm=per_mm)
        odds = odds * _doubt(far, max(reach, between))  # looks of 0.95 yield at half of it
    return np.asarray(odds / (1 + odds), np.float32)


def _doubt(far_mm: Floats, reach_mm: float) -> Floats:
    return np.asarray(1 - _CLICKED * np.exp(-((far_mm / reach_mm) ** 4)), np.float32)


def _tidy(mask: Bools, crop: _Crop) -> Bools:
    """The parts that hold an inner click (of a box without click the largest), holes filled, no outer click in it."""
    labels, count = labelled(mask)
    if crop.inside.any():
        kept = np.isin(labels, np.unique(labels[crop.inside & mask])) & mask
    elif count:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        kept = labels == sizes.argmax()
    else:
        raise _leaking(_width_mm(crop))
    return np.asarray(ndimage.binary_fill_holes(kept | crop.inside) & ~crop.outside)


def _seen(mask: Bools, crop: _Crop) -> Bools:
    """The part that a click sees: whose way to it within the region is hardly longer than the straight one.

    What hangs together only around corners is another thing that looks alike; a further click brings it.
    """
    away = np.full(mask.shape, np.inf, np.float32)
    steps = [np.arange(n, dtype=np.float32) * s for n, s in zip(mask.shape, crop.spacing, strict=True)]
    for at in np.argwhere(crop.inside):
        a, b, c = ((line - line[i]) ** 2 for line, i in zip(steps, at, strict=True))
        away = np.minimum(away, np.sqrt(a[:, None, None] + b[None, :, None] + c[None, None, :]))
    depth = depth_mm(mask, crop.spacing)
    thick = float(depth[away <= 2 * depth[crop.inside].max()].max())
    mask = mask & (away <= _LONG * thick)
    within = geodesic_mm(mask.astype(np.float32), crop.spacing, crop.inside, per_mm=1e-4)
    return np.asarray(mask & (within <= _DETOUR * away + _SLACK * max(crop.spacing)))


def _contrast(crop: _Crop, mask: Bools) -> tuple[float, float]:
    """Mean inside less mean around it, and its amount in standard deviations of the noise within."""
    core = _core(crop, mask)
    step = float(crop.smooth[core].mean() - crop.smooth[_around(crop, mask)].mean())
    noise = 1.4826 * float(np.median(np.abs(crop.values - crop.smooth)[core]))
    return step, abs(step) / max(noise, 1e-9)
