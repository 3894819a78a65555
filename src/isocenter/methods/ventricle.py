"""From what a network says of each slice to the outlines of one left ventricle, by stated rules.

1. *Where.* The window lies about the place that beats; the network is asked once, and the window is moved onto what it
   found.
2. *When.* All phases are outlined, of many every second and those that may be either end of the beat or fill fastest;
   the volume curve (median over three phases of each slice's area) says which phase is end-diastole and which
   end-systole. It is then moved and stretched onto the finer outlines of these two.
3. *How sure.* These two phases are asked again in two finer windows (moved, larger, smaller), and in two more where
   these do not agree; the mean decides. How much they agree is part of the quality. Where exactly the endocardial
   border runs, within 4.5 mm of where the network sees it, is said by a part of it that saw virtual hearts alone:
   what saw patients draws the border of those patients in the next one, too. It is shown the greys bent so that
   muscle is as bright beside blood as in the middle of what it learnt, for its border moves with that contrast.
4. *Which slices.* From the middle of the ventricle towards base and apex, slice after slice, until one has no cavity,
   less than half of its circumference in muscle, or, towards the base, less than half the area of the one before. No
   slice beyond the base of end-diastole counts at end-systole.

5. *How far off it may be.* See `isocenter.methods.ventricle_doubt`.

The numbers come from the masks as they are shown, on the pixels of the image.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods.blood_and_muscle import bent, even_gamma
from isocenter.methods.cine import rim
from isocenter.methods.opening import filled
from isocenter.methods.short_axis import Taps, Turned, centre_of_beat, sampled, sampling, unsampling
from isocenter.methods.ventricle_doubt import levelled, lost_at_base_mm2, restlessness, span_px

__all__ = ["STEP_MM", "WINDOW", "Outlined", "outline", "parts"]

WINDOW, STEP_MM = 96, 1.5
_COARSE = 4.0 / 3.0  # of the step, for the look at every phase: 72 pixels of 2 mm are asked in half the time
_AROUND = (((3.0, -3.0, 0.93), (-3.0, 3.0, 1.07)), ((0.0, 0.0, 1.0), (0.0, 0.0, 1.09)))
"""Windows asked at end-diastole and end-systole: moved by rows and columns (mm), and zoomed; the second pair only where
the first does not agree to `_AGREED` (Dice)."""
_AGREED = 0.95
_BESIDE_MM = 18.0  # beyond the ventricle of the first look, which the looks at the other phases show as well
_AT_ONCE = 3  # phases: two cores stay busy while the answer to a third is read
_LEVEL = 0.02  # of the stroke volume, within which phases are as small as the smallest, or as large as the largest
_MANY = 20  # phases, from which on not every one is looked at: fewer would not tell the curve between those that are
_UNEVEN = 0.025  # restlessness of a curve of some phases, from which on all are looked at: half of what is told
_NEARLY = 0.95  # of the largest volume, from which on a phase tells how far base and apex reach
_BAND_PX = 3  # 4.5 mm to either side, within which a patient's border teaches nothing (`isocenter.learn.heart_fit`)
_SOFT_MM = 0.5  # over which the chance of lying within goes from one half to 0.73
_PLACES, _LARGE_MM = WINDOW - 8, 50.0
"""Pixels of the window that says where the ventricle is, unless the ventricle reaches farther than this."""
_SMALLEST_MM2, _LEAST_RIM, _BASE_DROP = 50.0, 0.5, 0.5
_IN_PLANE = np.zeros((3, 3, 3), bool)  # pixels of one slice that share an edge are of one part
_IN_PLANE[1, 1, :] = _IN_PLANE[1, :, 1] = True

Array = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]
Ask = Callable[[Array], Array]
"""(n, 3, m, m) grey values of a slice with its neighbours -> (n, k, m, m); m is a multiple of 8."""


@dataclass(frozen=True, eq=False)
class Outlined:
    """One ventricle through the cycle, on the turned grid.

    Args:
        volumes_ml: of the cavity, for each phase.
        areas_mm2: (phases, slices) of the cavity, each the median over three phases.
        ed, es: phases of end-diastole and end-systole.
        cavity, muscle: masks (slices, rows, columns) at these phases, by ``"ed"`` and ``"es"``.
        slices: that count, from base to apex, by phase name.
        agreement: Dice of the windows with their mean, cavity and epicardium, the lower of the two phases.
        open_base, open_apex: whether the stack ends before the ventricle does.
        span_ml: by phase name, the volume that is surely cavity and the volume that is not surely outside of it.
        lost_ml: at the base, what counts at end-diastole and no more at end-systole; part of the upper end there.
        restless: of the volume curve (`ventricle_doubt.restlessness`).
        cut: whether the ventricle reaches the edge of the window, so that a part may lie outside.
    """

    volumes_ml: npt.NDArray[np.float64]
    areas_mm2: npt.NDArray[np.float64]
    ed: int
    es: int
    cavity: dict[str, Mask]
    muscle: dict[str, Mask]
    slices: dict[str, tuple[int, ...]]
    agreement: float
    open_base: bool
    open_apex: bool
    span_ml: dict[str, tuple[float, float]]
    lost_ml: float
    restless: float
    cut: bool


def parts(session: Any) -> tuple[Ask, Ask]:
    """What an open session of the model ``cardiac_cine`` is asked: places, and the border (see `outline`).

    Its file has an input for each, so that the part that is not wanted is given a batch of none and costs nothing: ONNX
    Runtime computes a whole graph, whichever of its outputs one asks for.

    Raises:
        Refused: when the file has no such inputs.
    """
    names = [one.name for one in session.get_inputs()]
    if sorted(names) != ["border", "places"]:
        raise Refused(
            f"weights with the input(s) {', '.join(names)}",
            "this analysis asks for the place of the ventricle and for its border apart, by the inputs places and "
            "border",
            "fit them again with `isocenter train cardiac_cine`, or use those that ship",
        )

    def places(slices: Array) -> Array:
        return np.asarray(session.run(["logits"], {"places": slices, "border": slices[:0]})[0])

    def border(slices: Array) -> Array:
        return np.asarray(session.run(["depth_mm"], {"places": slices[:0], "border": slices})[0])

    return places, border


def outline(cine: Turned, ask: Ask, border: Ask | None = None) -> Outlined:
    """Outline the left ventricle in all phases of a short-axis cine.

    Args:
        cine: in the textbook's orientation.
        ask: the network that says where the ventricle is: two logits, of lying within endocardium and epicardium.
        border: the one that says how deep (mm, in pixels of `STEP_MM`; negative outside) each pixel lies within the
            endocardium as experts draw it, asked in windows of the whole `WINDOW`; without it the first one decides.

    Raises:
        Refused: when nothing beats, or no ventricle of at least four slices is found at end-diastole or three at
            end-systole.
    """
    # While one phase is asked, the answer to another is read.
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        return _outlined(cine, ask, border, pool)


def _outlined(cine: Turned, ask: Ask, border: Ask | None, pool: ThreadPoolExecutor) -> Outlined:
    spacing = cine.geometry.disk_mm
    window = _Window(cine, centre_of_beat(cine.array, (spacing[1], spacing[2])), coarse=True)
    first, off, reach, gamma = _first_look(window, ask, pool)
    if max(map(abs, off)) > 4.0:
        centre = (window.centre[0] + off[0] / spacing[1], window.centre[1] + off[1] / spacing[2])
        window = _Window(cine, centre, coarse=True)
        first, _, reach, gamma = _first_look(window, ask, pool)
    around = [pool.submit(window.around, *how) for how in _AROUND[0]]  # the same at both ends of the beat
    narrow = window.narrowed(reach + _BESIDE_MM) if reach else window
    # The base comes down in systole, so what lies two slices beyond the first phase's ventricle is never part of it.
    filled = np.flatnonzero(first) if first.any() else np.arange(len(first))
    span = slice(max(0, int(filled[0]) - 2), min(len(first), int(filled[-1]) + 3))
    areas = _areas(narrow, first, ask, slice(int(filled[0]), int(filled[-1]) + 1), span, pool)
    steady = _steady(areas)
    ed = int(steady.sum(axis=1).argmax())
    # The base comes down in systole: what holds no ventricle at end-diastole is atrium at every other phase.
    steady[:, : int(np.argmax(steady[ed] > 0))] = 0.0
    rough = steady.sum(axis=1)
    es = _end_systole(rough)
    cavity, muscle, chosen = {}, {}, {}
    looks = [look.result() for look in around]

    def refined(phase: int) -> _Fine:
        return _refined(window, looks, phase, ask, border, _beside(steady[phase], span), span, reach, gamma)

    asked = list(pool.map(refined, (ed, es)))
    for name, fine in zip(("ed", "es"), asked, strict=True):
        cavity[name], muscle[name], chosen[name] = fine.cavity, fine.muscle, fine.chosen
    if chosen["ed"]:
        first_slice = chosen["ed"][0]
        cavity["es"][:first_slice] = muscle["es"][:first_slice] = False
        chosen["es"] = tuple(k for k in chosen["es"] if k >= first_slice)
    if len(chosen["ed"]) < 4 or len(chosen["es"]) < 3:
        raise Refused(
            f"a ventricle in {len(chosen['ed'])} slices at end-diastole and {len(chosen['es'])} at end-systole",
            "a left ventricle crosses more of a short-axis stack",
            "check that this is the short axis, from base to apex",
        )
    pixel_ml, pixel_mm2 = float(np.prod(spacing)) / 1000.0, float(spacing[1] * spacing[2])
    edv, esv = (float(np.count_nonzero(cavity[name])) * pixel_ml for name in ("ed", "es"))
    if esv > edv:  # the finer look turns the ends of a heart that hardly moves
        raise Refused(
            f"a cavity of {edv:.0f} mL at end-diastole and {esv:.0f} mL at end-systole",
            "the ventricle hardly moves, or is not seen well enough to say how",
            "outline by hand",
        )
    spans = {
        name: span_px(fine.inner, cavity[name], muscle[name]) for name, fine in zip(("ed", "es"), asked, strict=True)
    }
    span_ml = {name: (least * pixel_ml, most * pixel_ml) for name, (least, most) in spans.items()}
    lost = lost_at_base_mm2(*(cavity[name].sum(axis=(1, 2)) * pixel_mm2 for name in ("ed", "es"))) * spacing[0] / 1000.0
    span_ml["es"] = (span_ml["es"][0], span_ml["es"][1] + lost)
    ended, last = _open(cavity["ed"], chosen["ed"], pixel_mm2)
    return Outlined(
        levelled(rough, ed, es, edv, esv), steady, ed, es, cavity, muscle, chosen,
        min(fine.agreement for fine in asked), ended, last, span_ml, lost, restlessness(rough),
        _cut(window, cavity["ed"] | muscle["ed"]),
    )  # fmt: skip


def _end_systole(volumes: npt.NDArray[np.float64]) -> int:
    """The middle of the phases about the smallest volume that are no larger by more than noise; of two the smaller.

    A small heart is a few pixels of the coarse look at its smallest, in phase after phase: which of them comes out
    smallest is chance, and may be well after end-systole.

    >>> _end_systole(np.array([1.0, 0.6, 0.3, 0.012, 0.011, 0.01, 0.5, 0.8]))
    4
    """
    n, least = len(volumes), int(volumes.argmin())
    near = volumes <= volumes[least] + _LEVEL * (volumes.max() - volumes[least])
    before = next((k for k in range(1, n) if not near[least - k]), n) - 1
    after = next((k for k in range(1, n) if not near[(least + k) % n]), n) - 1
    middle = [(least + way) % n for way in ((after - before) // 2, (after - before + 1) // 2)]
    return int(min(middle, key=lambda phase: volumes[phase]))


def _cut(window: _Window, whole: Mask) -> bool:
    """Whether the ventricle comes within 3 mm of what every window shows."""
    _, dy, dx = window.cine.geometry.spacing_mm
    half = 0.5 * WINDOW * STEP_MM * 0.93 - 3.0 - 3.0  # the smallest window of `_AROUND` is the one that moves most
    for axis, mm, centre in ((1, dy, window.centre[0]), (2, dx, window.centre[1])):
        at = np.flatnonzero(whole.any(axis=(0, 3 - axis)))
        if max(centre - at[0], at[-1] - centre) * mm > half:
            return True
    return False


class _Window:
    """The square that the network sees, about a place of the turned grid."""

    def __init__(self, cine: Turned, centre: tuple[float, float], zoom: float = 1.0, *, coarse: bool = False) -> None:
        self.cine, self.centre, self.gamma = cine, centre, 1.0
        self.step, self.size = STEP_MM * zoom, WINDOW
        if coarse:
            self.step, self.size = self.step * _COARSE, round(WINDOW / _COARSE)
        _, dy, dx = cine.geometry.spacing_mm
        rows, columns = cine.array.shape[2:]
        self.rows = sampling(rows, dy, centre[0], self.size, self.step)
        self.columns = sampling(columns, dx, centre[1], self.size, self.step)
        step = max(1, len(cine.array) // 5)
        some = np.stack([sampled(phase, self.rows, self.columns) for phase in cine.array[::step]])
        low, high = np.quantile(some, (0.01, 0.99), axis=(0, 2, 3))
        self.low, self.wide = low.astype(np.float32), np.maximum(high - low, 1e-6).astype(np.float32)

    def around(self, down_mm: float, across_mm: float, zoom: float) -> _Window:
        """A fine window of the same cine, moved and zoomed."""
        _, dy, dx = self.cine.geometry.spacing_mm
        return _Window(self.cine, (self.centre[0] + down_mm / dy, self.centre[1] + across_mm / dx), zoom)

    def narrowed(self, reach_mm: float) -> _Window:
        """The middle of this window, in the same greys: what lies within `reach_mm` by rows and by columns."""
        return self.cropped(min(self.size, 8 * math.ceil(2.0 * reach_mm / self.step / 8.0)))

    def cropped(self, size: int) -> _Window:
        """The middle of this window, `size` pixels wide, in the same greys."""
        cut = copy(self)
        cut.size = size
        middle = slice((self.size - cut.size) // 2, (self.size + cut.size) // 2)
        cut.rows, cut.columns = (Taps(t.index[middle], t.weight[middle]) for t in (self.rows, self.columns))
        return cut

    def bent(self, gamma: float) -> _Window:
        """The same window, its greys to the power of `gamma`."""
        other = copy(self)
        other.gamma = gamma
        return other

    def pictures(self, phase: int, span: slice = slice(None)) -> Array:
        """(slices, 3, size, size): each slice between its neighbours, as the network learnt to see it."""
        slices = self.cine.array.shape[1]
        near = np.clip(np.arange(slices)[span, None] + np.array([-1, 0, 1]), 0, slices - 1)
        low, high = int(near.min()), int(near.max()) + 1
        seen = sampled(self.cine.array[phase, low:high], self.rows, self.columns)
        seen = np.clip((seen - self.low[low:high, None, None]) / self.wide[low:high, None, None], -0.2, 2.0)
        seen = bent(seen, self.gamma)
        return np.ascontiguousarray(seen[near - low], dtype=np.float32)

    def back(self, probability: Array) -> Array:
        """Probabilities of the window at the pixels of the image; 0 outside."""
        _, dy, dx = self.cine.geometry.spacing_mm
        rows, columns = self.cine.array.shape[2:]
        down = unsampling(rows, dy, self.centre[0], self.size, self.step)
        return sampled(probability, down, unsampling(columns, dx, self.centre[1], self.size, self.step))


def _probability(logits: Array) -> Array:
    return np.asarray(1.0 / (1.0 + np.exp(-np.clip(logits, -30, 30))), np.float32)


def _first_look(
    window: _Window, ask: Ask, pool: ThreadPoolExecutor
) -> tuple[npt.NDArray[np.float64], tuple[float, float], float, float]:
    """Areas in the first phase, how far the ventricle lies from the middle of the window (mm down, mm right), how far
    it reaches from there by rows or columns (mm), 0 where none is seen; and the power that evens its contrast."""
    pictures = window.pictures(0)
    said = _probability(np.concatenate(list(pool.map(ask, np.array_split(pictures, _AT_ONCE)))))
    counts = (said[:, 0] > 0.5).sum(axis=0)
    off, reach = (0.0, 0.0), 0.0
    if counts.sum() >= 100:
        line = (np.arange(window.size) - (window.size - 1) / 2) * window.step
        seen: Mask = np.asarray((said > 0.5).any(axis=(0, 1)), np.bool_)
        reach = float(max(np.abs(line[seen.any(axis=axis)]).max() for axis in (0, 1)))
        off = (
            float((counts.sum(axis=1) * line).sum() / counts.sum()),
            float((counts.sum(axis=0) * line).sum() / counts.sum()),
        )
    cavity, muscle, _ = _ventricle(said[:, 0], said[:, 1], (window.step, window.step), fill=False)
    areas = np.asarray(cavity.sum(axis=(1, 2)) * window.step**2, np.float64)
    return areas, off, reach, even_gamma(pictures[:, 1], cavity, muscle, window.step)


def _areas(
    window: _Window, first: npt.NDArray[np.float64], ask: Ask, near: slice, span: slice, pool: ThreadPoolExecutor
) -> npt.NDArray[np.float64]:
    """Area of the cavity in each slice of each phase (mm2); that of the `first` phase is known.

    Of `_MANY` phases and more every second is asked, and of the others those by which the curve is told (`_told_by`);
    the rest lies on a smooth curve between them. Where that is not smooth, all are asked.

    The slices `near`, which hold the ventricle in the first phase, are asked first. Base and apex never reach farther
    than while the ventricle is largest: so the next slice, no farther than `span`, is asked in the phases in which it
    nearly is, and in the others only where one of these holds it there.
    """
    count = len(window.cine.array)
    areas = np.zeros((count, len(first)))
    areas[0] = first
    said = np.zeros((*areas.shape, 2, window.size, window.size), np.float32)

    def look(phase: int, part: slice) -> None:
        said[phase, part] = _probability(ask(window.pictures(phase, part)))
        cavity, _, _ = _ventricle(said[phase, span, 0], said[phase, span, 1], (window.step, window.step), fill=False)
        areas[phase, span] = cavity.sum(axis=(1, 2)) * window.step**2

    def asked(some: Sequence[int], part: slice) -> None:
        for _ in pool.map(look, some, [part] * len(some)):
            pass

    every = 2 if count >= _MANY else 1
    phases, reached = range(every, count, every), [near.start, near.stop]
    asked(phases, near)
    for edge, on in ((near.start - 1, -1), (near.stop, 1)):
        while span.start <= edge < span.stop:
            volumes = areas.sum(axis=1)
            large = [phase for phase in phases if volumes[phase] >= _NEARLY * volumes.max()]
            asked(large, slice(edge, edge + 1))
            if not areas[large, edge].any():
                break
            asked([phase for phase in phases if phase not in large], slice(edge, edge + 1))
            reached = [min(reached[0], edge), max(reached[1], edge + 1)]
            edge += on
    if every == 2:
        areas[1::2] = _between(areas[::2])[: count // 2]
        told = [phase for phase in _told_by(areas) if phase % 2]
        asked(told, slice(*reached))
        if restlessness(_steady(areas).sum(axis=1)) > _UNEVEN:
            asked([phase for phase in range(1, count, 2) if phase not in told], slice(*reached))
    return areas


def _between(areas: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Half-way from each phase to the next round the beat, on a cubic through two on either side.

    >>> _between(np.array([0.0, 4.0, 8.0, 4.0])).tolist()
    [1.5, 6.5, 6.5, 1.5]
    """
    before, after, beyond = (np.roll(areas, k, axis=0) for k in (1, -1, -2))
    return np.maximum((9.0 * (areas + after) - before - beyond) / 16.0, 0.0)


def _told_by(areas: npt.NDArray[np.float64]) -> list[int]:
    """Phases that may be the largest or the smallest, with their neighbours, for the median of three decides; and that
    of the fastest filling, which is a number of its own."""
    volumes = _steady(areas).sum(axis=1)
    close = _LEVEL * np.ptp(volumes)
    end = (volumes >= volumes.max() - close) | (volumes <= volumes.min() + close)
    told = end | np.roll(end, 1) | np.roll(end, -1)
    told[int((np.roll(volumes, -1) - np.roll(volumes, 1)).argmax())] = True
    return [int(phase) for phase in np.flatnonzero(told)]


def _steady(areas: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """The median over three phases of each slice's area."""
    return np.asarray(np.median(np.stack([np.roll(areas, k, axis=0) for k in (-1, 0, 1)]), axis=0))


@dataclass(frozen=True, eq=False)
class _Fine:
    """One end of the beat: probability of the cavity, outlines and slices that count, agreement of the windows."""

    inner: Array
    cavity: Mask
    muscle: Mask
    chosen: tuple[int, ...]
    agreement: float


def _beside(areas: npt.NDArray[np.float64], span: slice) -> slice:
    """The slices that hold the ventricle and one beyond at both ends, no farther than `span`; that where none does."""
    filled = np.flatnonzero(areas)
    if not len(filled):
        return span
    return slice(max(span.start, int(filled[0]) - 1), min(span.stop, int(filled[-1]) + 2))


def _refined(
    window: _Window, around: Sequence[_Window], phase: int, ask: Ask, border: Ask | None, near: slice, span: slice,
    reach: float, gamma: float,
) -> _Fine:  # fmt: skip
    """Outlines of the slices `near`; of all of `span` where they end with the ventricle, or show none."""
    seen: list[tuple[_Window, Array]] = []
    _, dy, dx = window.cine.geometry.spacing_mm

    def look(one: _Window, part: slice) -> list[Array]:  # none of no slices
        return [_fine_chance(one, phase, ask, border, part, reach, gamma)] if part.start < part.stop else []

    def outlined(part: slice) -> tuple[Array, Array, Mask, Mask, tuple[int, ...]]:
        mean = _mean([said for _, said in seen])
        inner, outer = _whole(mean, part, window)
        return mean, inner, *_ventricle(inner, outer, (dy, dx))

    for windows in (around, (window.around(*how) for how in _AROUND[1])):
        seen += [(one, said) for one in windows for said in look(one, near)]
        mean, inner, cavity, muscle, chosen = outlined(near)
        short = not chosen or chosen[0] == near.start > span.start or chosen[-1] + 1 == near.stop < span.stop
        if short and near != span:
            before, after = slice(span.start, near.start), slice(near.stop, span.stop)
            seen = [(one, np.concatenate([*look(one, before), said, *look(one, after)], axis=1)) for one, said in seen]
            near = span
            mean, inner, cavity, muscle, chosen = outlined(near)
        agreement = _agreement([said for _, said in seen], mean)
        if agreement >= _AGREED:
            break
    return _Fine(inner, cavity, muscle, chosen, agreement)


def _mean(said: Sequence[Array]) -> Array:
    return np.asarray(np.mean(said, axis=0), np.float32)


def _whole(mean: Array, span: slice, window: _Window) -> tuple[Array, Array]:
    """Probabilities of cavity and epicardium in all slices; 0 in those that were not asked."""
    both = np.zeros((2, window.cine.array.shape[1], *mean.shape[2:]), np.float32)
    both[:, span] = mean
    return both[0], both[1]


def _fine_chance(
    whole: _Window, phase: int, ask: Ask, border: Ask | None, span: slice, reach: float, gamma: float
) -> Array:  # fmt: skip
    """Probability of cavity and epicardium in one fine window, on the pixels of the image."""
    one = whole if reach > _LARGE_MM else whole.cropped(_PLACES)
    chance = _probability(ask(one.pictures(phase, span)))
    seen = np.flatnonzero((chance[:, 0] > 0.5).any(axis=(1, 2)))
    if border is not None and len(seen):
        part = slice(int(seen[0]), int(seen[-1]) + 1)
        filled = slice(span.start + part.start, span.start + part.stop)
        depth = border(whole.bent(gamma).pictures(phase, filled))[:, 0]
        edge = (whole.size - one.size) // 2
        inner = slice(edge, whole.size - edge)
        chance[part, 0] = _bordered(chance[part, 0], depth[:, inner, inner])
    return one.back(chance.transpose(1, 0, 2, 3))


def _bordered(chance: Array, depth_mm: Array) -> Array:
    """The chance of lying within the endocardium with its border where `depth_mm` has it, but in the band alone."""
    from scipy.ndimage import maximum_filter, minimum_filter

    seen, size = chance > 0.5, (1, 2 * _BAND_PX + 1, 2 * _BAND_PX + 1)
    within = np.where(maximum_filter(seen, size), _probability(depth_mm / _SOFT_MM), 0.0)
    return np.asarray(np.where(minimum_filter(seen, size), 1.0, within), np.float32)


def _agreement(said: Sequence[Array], mean: Array) -> float:
    """Mean Dice of each window with the mean of all, of cavity and of epicardium."""
    whole: Mask = np.asarray(mean > 0.5, np.bool_)
    scores = [
        2.0 * float((whole[c] & (one[c] > 0.5)).sum()) / max(1.0, float(whole[c].sum() + (one[c] > 0.5).sum()))
        for one in said
        for c in (0, 1)
    ]
    return float(np.mean(scores))


def _ventricle(
    inner: Array, outer: Array, spacing_mm: tuple[float, float], *, fill: bool = True
) -> tuple[Mask, Mask, tuple[int, ...]]:
    """Masks of cavity and muscle, and the slices that count, from base to apex."""
    from scipy.ndimage import label

    pixel = spacing_mm[0] * spacing_mm[1]
    cavity, whole = np.zeros(inner.shape, bool), np.zeros(inner.shape, bool)
    inside, within = inner > 0.5, (outer > 0.5) | (inner > 0.5)
    counts = inside.sum(axis=(1, 2))
    if not counts.any():
        return cavity, whole, ()
    parts_inside, parts_within = (label(mask, _IN_PLANE)[0] for mask in (inside, within))
    for n in np.flatnonzero(counts * pixel >= _SMALLEST_MM2):
        cavity[n] = _one_part(parts_inside[n])
        whole[n] = _one_part(parts_within[n], cavity[n]) | cavity[n]
        if fill:
            _fill_holes(cavity[n])
            _fill_holes(whole[n])
    areas = cavity.sum(axis=(1, 2)) * pixel
    large = [int(k) for k in np.flatnonzero(areas >= _SMALLEST_MM2)]
    rims = {k: rim(cavity[k], whole[k] & ~cavity[k], spacing_mm) for k in large}
    start = _middle(areas, rims)
    if start is None:
        return np.zeros_like(cavity), np.zeros_like(whole), ()
    kept = [start]
    for direction in (-1, 1):
        k = start + direction
        while 0 <= k < len(areas) and areas[k] >= _SMALLEST_MM2 and rims[k] >= _LEAST_RIM:
            if direction < 0 and areas[k] < _BASE_DROP * areas[k + 1]:
                break
            if not _overlap(cavity[k], whole[k - direction]):
                break
            kept.append(k)
            k += direction
    chosen = tuple(sorted(kept))
    left = [n for n in range(len(areas)) if n not in chosen]
    cavity[left] = whole[left] = False
    return cavity, whole & ~cavity, chosen


def _middle(areas: npt.NDArray[np.float64], rims: dict[int, float]) -> int | None:
    """A slice in the middle of the ventricle: the centre of area among those with a full ring of muscle."""
    sure = [k for k in rims if rims[k] >= 0.8]
    if not sure:
        return None
    weight = areas[sure]
    centre = float((weight * np.array(sure)).sum() / weight.sum())
    return int(min(sure, key=lambda k: (abs(k - centre), k)))


def _one_part(parts: npt.NDArray[np.int32], near: Mask | None = None) -> Mask:
    """The largest numbered part of a slice; with `near`, which lies upon some, the one that overlaps it most."""
    sizes = np.bincount(parts.ravel() if near is None else parts[near])
    sizes[0] = 0
    found: Mask = parts == int(sizes.argmax())
    return found


def _fill_holes(mask: Mask) -> None:
    """In place, within the box of the mask: the rest of the picture has no hole."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    box = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    box[:] = filled(box)


def _overlap(one: Mask, other: Mask) -> bool:
    return float((one & other).sum()) >= 0.3 * float(one.sum())


def _open(cavity: Mask, chosen: Sequence[int], pixel_mm2: float) -> tuple[bool, bool]:
    """Whether the ventricle goes on beyond the first and the last slice of the stack."""
    areas = cavity.sum(axis=(1, 2)) * pixel_mm2
    base = chosen[0] == 0 and bool(areas[0] > 0.6 * areas.max())
    apex = chosen[-1] == len(cavity) - 1 and bool(areas[-1] > 0.35 * areas.max())
    return base, apex
