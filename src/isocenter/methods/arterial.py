"""The artery that feeds and the vein that drains, found on the images and shown.

An artery's curve is high, early and narrow (Rempp et al., Radiology 193 (1994) 637; Mouridsen et al., Magn Reson Med 55
(2006) 524). Of all voxels with a high peak, that with the best product of the three is taken, and those whose curves
run like it are averaged. The vein is the largest area under a curve that peaks after the artery. An artery of few
voxels is diluted by its surroundings; the vein is larger, and as much tracer leaves the head as came: the area of the
artery is scaled to that of the vein.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.ndimage import uniform_filter

from isocenter.errors import Refused

__all__ = ["Vessel", "artery", "given", "vein", "venous_scale"]

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_CANDIDATES = 0.01  # share of voxels with the highest peaks
_FAIR = 0.3
_LEAST_CANDIDATES = 30
_ALIKE = 0.95
_MOST = 12
_LATER_S = 1.0
_LEAST_SNR = 5.0


@dataclass(frozen=True, eq=False)
class Vessel:
    """Voxels that were chosen as one vessel, and why.

    Args:
        where: mask on the grid of the curves.
        curve: (frames,) mean concentration of those voxels.
        score: height times earliness over width of the best voxel, against the best that the scan could have: 0 to 1.
            For a vein, its share of the largest area. 1 for a vessel that a person drew.
        peak: of the mean curve, in the unit of the concentration.
        peak_s: time of that peak.
        width_s: full width at half maximum.
        drawn: whether a person drew it.
    """

    where: Mask
    curve: npt.NDArray[np.float64]
    score: float
    peak: float
    peak_s: float
    width_s: float
    drawn: bool = False


def artery(curves: Floats, times_s: Floats, among: Mask, baseline: int) -> Vessel:
    """The best arterial input among voxels.

    Args:
        curves: (frames, slices, rows, columns) concentration.
        times_s: (frames,) seconds.
        among: where to look: what lies within the skull.
        baseline: frames before the bolus, from which the noise is known.

    Raises:
        Refused: when no curve stands out of the noise.
    """
    index, picked, peak, noise = _candidates(curves, among, baseline)
    high = peak > _LEAST_SNR * noise
    if np.count_nonzero(high) < 3:
        raise Refused(
            f"no voxel rises {_LEAST_SNR:g} times above the noise",
            "an artery cannot be told from noise",
            "draw one, or check the injection",
        )
    index, picked, peak = index[high], picked[:, high], peak[high]
    when, width = _timing(picked, times_s)
    early = np.percentile(when, 5.0)
    shape = np.exp(-np.maximum(when - early, 0.0) / 3.0) / np.maximum(width, np.diff(times_s).min())
    score = peak / peak.max() * shape / shape.max()
    best = int(score.argmax())
    same = _alike(picked, best) & (score > 0.5 * score[best]) & (np.abs(when - when[best]) <= 2.0)
    chosen = _nearest(among.shape, index, np.flatnonzero(same), best, _MOST)
    return _vessel(among.shape, index[chosen], picked[:, chosen], times_s, float(score[best]))


def vein(curves: Floats, times_s: Floats, among: Mask, baseline: int, feeding: Vessel) -> Vessel | None:
    """The best venous output, or None where nothing large peaks after the artery."""
    index, picked, peak, noise = _candidates(curves, among, baseline, by_area=True)
    when, _ = _timing(picked, times_s)
    later = (when >= feeding.peak_s + _LATER_S) & (peak > _LEAST_SNR * noise) & ~_like(picked, feeding.curve)
    if np.count_nonzero(later) < 3:
        return None
    index, picked = index[later], picked[:, later]
    area = picked.sum(axis=0)
    best = int(area.argmax())
    same = np.flatnonzero(_alike(picked, best) & (area > 0.75 * area[best]))
    chosen = _nearest(among.shape, index, same, best, 3 * _MOST)
    largest = float(np.nansum(np.where(among, curves.sum(axis=0), 0.0).max()))
    return _vessel(among.shape, index[chosen], picked[:, chosen], times_s, min(1.0, float(area[best]) / largest))


def given(curves: Floats, times_s: Floats, where: Mask) -> Vessel:
    """The vessel that a person drew.

    Raises:
        Refused: when the drawing holds no voxel.
    """
    index = np.flatnonzero(where)
    if not len(index):
        raise Refused("a drawn vessel without voxels", "it has no curve", "draw it on these images")
    picked = curves.reshape(len(curves), -1)[:, index].astype(np.float64)
    made = _vessel(where.shape, index, picked, times_s, 1.0)
    return Vessel(made.where, made.curve, 1.0, made.peak, made.peak_s, made.width_s, drawn=True)


def venous_scale(feeding: Vessel, draining: Vessel) -> float | None:
    """What the artery is multiplied with so that its area is that of the vein; None where the vein cannot tell.

    A vein of less than 0.85 of the artery's area is itself diluted or cut off, and tells nothing.

    >>> a = Vessel(np.ones((1, 1, 1), bool), np.array([0.0, 2, 0]), 1, 2, 1, 1)
    >>> b = Vessel(np.ones((1, 1, 1), bool), np.array([0.0, 1, 2]), 1, 2, 2, 1)
    >>> venous_scale(a, b), venous_scale(b, a)
    (1.5, None)
    """
    share = float(draining.curve.sum() / feeding.curve.sum())
    if share < 0.85:
        return None
    return max(share, 1.0)


def _candidates(
    curves: Floats, among: Mask, baseline: int, *, by_area: bool = False
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64], npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(voxels, curves, peaks, noise) of those with the highest peaks or areas that have neighbours of their kind."""
    flat = curves.reshape(len(curves), -1)
    inside = np.flatnonzero(among)
    if len(inside) < _LEAST_CANDIDATES:
        raise Refused(
            f"{len(inside)} voxels to look in",
            "a vessel cannot be found among so few",
            "look in a larger region, or name the artery",
        )
    every = (flat.sum(axis=0) if by_area else flat.max(axis=0))[inside]
    count = min(len(inside), max(_LEAST_CANDIDATES, int(_CANDIDATES * len(inside))))
    # Large sinuses alone may fill that share; what is a fair part of them may be an artery.
    cut = min(np.partition(every, -count)[-count], _FAIR * np.percentile(every, 99.9))
    high = np.zeros(among.size, bool)
    high[inside[every >= cut]] = True
    # A vessel is more than one voxel: single high ones are noise.
    company = uniform_filter(high.reshape(among.shape).astype(np.float32), (1, 3, 3), mode="constant") * 9
    kept = np.flatnonzero(high & (company.ravel() > 1.5))
    if len(kept) < 3:
        kept = np.flatnonzero(high)
    picked = flat[:, kept].astype(np.float64)
    noise = picked[:baseline].std(axis=0, ddof=1) if baseline > 1 else np.zeros(len(kept))
    # A few frames tell the noise of one voxel badly: it is held to that of all.
    return kept, picked, picked.max(axis=0), np.maximum(noise, np.median(noise))


def _timing(curves: Floats, times_s: Floats) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """(time of the peak, full width at half maximum) of each curve, seconds."""
    top = curves.argmax(axis=0)
    half = 0.5 * curves.max(axis=0)
    frames = np.arange(len(curves))[:, None]
    above = curves > half
    first = np.where(~above & (frames < top), frames, -1).max(axis=0)
    last = np.where(~above & (frames > top), frames, len(curves)).min(axis=0)
    column = np.arange(curves.shape[1])

    def crossing(a: npt.NDArray[np.int64], b: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
        a, b = np.clip(a, 0, len(curves) - 1), np.clip(b, 0, len(curves) - 1)
        low, high = curves[a, column], curves[b, column]
        share = np.where(high != low, (half - low) / np.where(high != low, high - low, 1.0), 0.0)
        return np.asarray(times_s[a] + np.clip(share, 0, 1) * (times_s[b] - times_s[a]))

    width = crossing(last - 1, last) - crossing(first, first + 1)
    return np.asarray(times_s[top], np.float64), width


def _alike(curves: Floats, best: int) -> Mask:
    return _like(curves, curves[:, best])


def _like(curves: Floats, one: Floats) -> Mask:
    """Whether each curve is correlated with one."""
    centred, against = curves - curves.mean(axis=0), one - one.mean()
    size = np.linalg.norm(centred, axis=0) * np.linalg.norm(against)
    return np.asarray(centred.T @ against >= _ALIKE * size)


def _nearest(
    shape: tuple[int, ...], index: npt.NDArray[np.int64], chosen: npt.NDArray[np.int64], best: int, most: int
) -> npt.NDArray[np.int64]:
    """Of the chosen those nearest to the best voxel: picking the highest instead would pick their noise."""
    place = np.stack(np.unravel_index(index, shape), axis=1).astype(np.float64)
    away = ((place[chosen] - place[best]) ** 2).sum(axis=1)
    cut = np.sort(away)[min(most, len(away)) - 1]
    return np.asarray(chosen[away <= cut])  # those as far as the last are all kept, so that no order of voxels decides


def _vessel(
    shape: tuple[int, ...], index: npt.NDArray[np.int64], curves: Floats, times_s: Floats, score: float
) -> Vessel:
    where = np.zeros(shape, bool)
    where.ravel()[index] = True
    curve = np.asarray(curves.mean(axis=1), np.float64)
    when, width = _timing(curve[:, None], times_s)
    return Vessel(where, curve, score, float(curve.max()), float(when[0]), float(width[0]))
