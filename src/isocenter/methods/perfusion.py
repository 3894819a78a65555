"""Blood flow, blood volume, transit time and delay of the brain from the passage of a bolus.

The curve of a tissue is the arterial curve convolved with flow times residue. Deconvolution gives their product
k(t) = F R(t); its peak is the flow, its place the delay (Tmax). The convolution is written as a block-circulant
matrix, so that a tissue which the bolus reaches before the artery that was chosen is treated like every other (Wu et
al., Magn Reson Med 50 (2003) 164). A circulant matrix is diagonal under the Fourier transform: its singular values are
step times the modulus of the artery's spectrum, the pseudo-inverse of all voxels is one matrix, and maps are one
matrix product.

**Regularisation costs flow.** Small singular values are noise and are left out, and with them goes the sharp rise of
k(t): at a mean transit time of 3.4 s the peak loses 30 %. How much is known: what is left out is a fixed linear filter,
so what it does to a residue of a given mean transit time can be computed. The quotient of volume and peak, both
measured, tells the transit time; a table made for the artery at hand turns the one into the other. Residues between the
exponential (shape 1) and plug flow differ in how much they lose; shape 2 stands between, and `shape=0` leaves the peak
as it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from numba import njit

from isocenter.errors import Refused
from isocenter.methods.residue import tissue_curves
from isocenter.methods.shares import in_parts

__all__ = ["BRAIN", "UNIT_DENSITY", "Deconvolution", "Maps", "Tissue", "oscillation_index"]

Floats = npt.NDArray[np.floating]

_LAGS_S = (-10.0, 40.0)
_LAG_STEP_S = 1.0  # a coarser scan is interpolated to this, which its limited bandwidth allows
_CALM_STEP_S = 1.25
_CHUNK = 8192
_TABLE = np.geomspace(2.0, 90.0, 80)  # mean transit times of the table, seconds: no brain is faster
_EVEN = 4096  # places of the same table at even distances, where no place has to be looked for
_OF_NOISE = 2.0  # peak of a residue of noise alone, in standard deviations
_THRESHOLDS = tuple(np.round(np.geomspace(0.02, 0.8, 16), 4))


@dataclass(frozen=True)
class Tissue:
    """What turns volumes of plasma into volumes of blood for 100 g of tissue.

    Args:
        hematocrit_large, hematocrit_small: share of cells in large and in small vessels.
        density_g_per_ml: of the tissue.
    """

    hematocrit_large: float = 0.45
    hematocrit_small: float = 0.25
    density_g_per_ml: float = 1.04

    @property
    def factor(self) -> float:
        """kappa / rho, ml/g.

        >>> round(Tissue().factor, 4)
        0.7051
        """
        return (1.0 - self.hematocrit_large) / (1.0 - self.hematocrit_small) / self.density_g_per_ml


BRAIN = Tissue()
UNIT_DENSITY = Tissue(0.0, 0.0, 1.0)
"""For digital objects that state flow in ml/100 ml/min of the tracer's own space."""


@dataclass(frozen=True, eq=False)
class Maps:
    """What deconvolution gives for each voxel, float32; NaN where there is no flow to divide by.

    Args:
        cbf: ml/100 g/min.
        cbv: ml/100 g.
        mtt_s: seconds.
        tmax_s: delay of the peak behind the artery, seconds.
        ttp_s: from the arrival of the bolus in the artery to the peak of the tissue, seconds.
    """

    cbf: npt.NDArray[np.float32]
    cbv: npt.NDArray[np.float32]
    mtt_s: npt.NDArray[np.float32]
    tmax_s: npt.NDArray[np.float32]
    ttp_s: npt.NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Deconvolution:
    """The pseudo-inverse for one artery, ready for any number of voxels.

    Args:
        artery: (n,) concentration in the artery at regular times.
        step_s: between samples, seconds.
        threshold: singular values below this share of the largest are left out (cSVD; Wu 2003 found 0.10 for circular
            matrices).
        oscillation: raise the threshold of each voxel until its residue oscillates no more than this (oSVD; Wu 2003:
            0.035, and 0.065 for low noise); 0 for one threshold.
        shape: of the transit times that the correction of the peak supposes; 0 for none.
        tissue: haematocrits and density.
        arrival_s: of the bolus in the artery, from which time to peak counts.
        noise: standard deviation of a curve at one time. The largest of many noisy values is too large: the peak is
            freed of it in squares, as for the magnitude of a noisy signal, and the correction for the filter fades
            where noise makes the peak. 0 takes the peak as it is.

    Raises:
        Refused: when the artery has no area, is not finite, or the step is not above zero.

    >>> bolus = [0, 0, 0, 1, 6, 9, 6, 3, 1, 0.5, 0.2, 0, 0, 0, 0, 0]
    >>> from isocenter.methods.residue import tissue_curves
    >>> curve = 60 / 6000 * tissue_curves(bolus, 1.5, [4.0], 2.0)
    >>> maps = Deconvolution(np.array(bolus), 1.5, tissue=UNIT_DENSITY).maps(curve.T)
    >>> [round(float(v[0]), 1) for v in (maps.cbf, maps.cbv, maps.mtt_s)]
    [60.0, 4.0, 4.0]
    """

    artery: Floats
    step_s: float
    threshold: float = 0.10
    oscillation: float = 0.0
    shape: float = 2.0
    tissue: Tissue = BRAIN
    arrival_s: float = 0.0
    noise: float = 0.0

    def __post_init__(self) -> None:
        artery = np.asarray(self.artery, np.float64)
        if artery.ndim != 1 or len(artery) < 4 or not np.isfinite(artery).all():
            raise Refused(
                f"an artery of shape {artery.shape}",
                "it needs a curve of at least four finite samples",
                "choose another artery",
            )
        if not self.step_s > 0:
            raise Refused(
                f"a step of {self.step_s} s",
                "samples need a distance in time",
                "send the series with the times of its frames",
            )
        if not artery.sum() > 0:
            raise Refused("an artery without area under its curve", "nothing can be divided by it", "choose another")
        if not 0 < self.threshold < 1 or min(self.oscillation, self.shape, self.noise) < 0:
            raise Refused(
                f"threshold {self.threshold}, oscillation {self.oscillation}, shape {self.shape}, noise {self.noise}",
                "a threshold lies between 0 and 1, the others are not negative",
                "give numbers within these",
            )
        object.__setattr__(self, "artery", artery)

    # ---- the matrix --------------------------------------------------------------------------------------------------

    @cached_property
    def length(self) -> int:
        """Rows of the circulant matrix: at least twice the samples, so that the end does not reach the beginning."""
        return 2 * len(self.artery)

    @cached_property
    def spectrum(self) -> npt.NDArray[np.complex128]:
        """Step times the Fourier transform of the artery; its modulus are the singular values."""
        return np.asarray(self.step_s * np.fft.rfft(self.artery, self.length))

    @cached_property
    def lags_s(self) -> npt.NDArray[np.float64]:
        """Delays at which k is looked at: from -10 s, for arteries behind the tissue, to 40 s."""
        step = self.step_s / max(1, int(np.ceil(self.step_s / _LAG_STEP_S - 1e-9)))
        reach = len(self.artery) * self.step_s
        low, high = max(_LAGS_S[0], -reach / 2), min(_LAGS_S[1], reach - self.step_s)
        return np.asarray(step) * np.arange(int(np.ceil(low / step)), int(np.floor(high / step)) + 1)

    def inverse(self, threshold: float, lags_s: Floats | None = None) -> npt.NDArray[np.float64]:
        """(lags, samples): concentrations of a tissue -> k at the lags, 1/s."""
        lags = self.lags_s if lags_s is None else lags_s
        size = np.abs(self.spectrum)
        kept = size >= threshold * size.max()
        gain = 1.0 / self.spectrum[kept]
        weight = np.full(len(size), 2.0)
        weight[0] = weight[-1] = 1.0  # the length is even: the last is the Nyquist frequency
        turn = 2.0 * np.pi * np.flatnonzero(kept) / (self.length * self.step_s)
        apart = lags[:, None] - self.step_s * np.arange(len(self.artery))[None, :]
        # Only the time between lag and sample counts, and most pairs share theirs.
        times, which = np.unique(np.round(apart, 9), return_inverse=True)
        # Summed without a BLAS, whose threads would go on turning while those of the maps want the cores.
        wave = (np.exp(1j * turn[None, :] * times[:, None]) * (weight[kept] * gain)[None, :]).sum(axis=1)
        return np.asarray((wave.real / self.length)[which.reshape(apart.shape)], np.float64)

    def volume_weights(self) -> npt.NDArray[np.float64]:
        """(samples,): area under a tissue's curve as a share of the area under the artery's."""
        return np.full(len(self.artery), 1.0 / float(self.artery.sum()))

    def correction(self, inverse: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """(volume / peak in seconds, share of the flow that the peak shows), both rising in the first.

        Made by sending residues of known transit time through the same matrix as the voxels.
        """
        if not self.shape:
            return np.array([0.0, 1e6], np.float32), np.ones(2, np.float32)
        curves = tissue_curves(self.artery, self.step_s, _TABLE, self.shape)
        peak = _peaks(np.ascontiguousarray(inverse @ curves.T))[0]
        apparent = (curves @ self.volume_weights()) / peak
        # What the scan is too short to see falls back: the table ends where it no longer rises.
        rising = np.flatnonzero(np.diff(apparent) <= 0)
        end = int(rising[0]) + 1 if len(rising) else len(apparent)
        return apparent[:end].astype(np.float32), peak[:end].astype(np.float32)

    # ---- maps --------------------------------------------------------------------------------------------------------

    def maps(
        self, curves: npt.NDArray[np.generic], operator: Floats | None = None, times_s: Floats | None = None
    ) -> Maps:
        """Maps of many voxels.

        Args:
            curves: (samples, ...) concentration; or (frames, ...) what the scanner gave, if `operator` makes
                concentration of it.
            operator: (samples, frames) from frames to regular samples of concentration: a baseline taken off,
                irregular times resampled. It is folded into the inverse and costs nothing.
            times_s: (frames,) of the curves, where they are not those of the artery.

        Raises:
            Refused: when samples and artery differ in length.
        """
        to = np.eye(len(self.artery)) if operator is None else np.asarray(operator, np.float64)
        if to.shape[0] != len(self.artery) or curves.shape[0] != to.shape[1]:
            raise Refused(
                f"curves of {curves.shape[0]} frames",
                f"an artery of {len(self.artery)}, operator {to.shape}",
                "give curves and an artery of the same frames",
            )
        times = self.step_s * np.arange(len(self.artery)) if times_s is None else np.asarray(times_s, np.float64)
        since = (times - self.arrival_s).astype(np.float32)
        flat = np.ascontiguousarray(curves.reshape(curves.shape[0], -1), np.float32)
        out = np.empty((5, flat.shape[1]), np.float32)
        if self.oscillation:
            self._calm(flat, to, since, out)
        else:
            self._step(self.threshold, to)(flat, since, out)
        return Maps(*out.reshape(5, *curves.shape[1:]))

    def _step(self, threshold: float, to: Floats) -> _Step:
        inverse, lags = self.inverse(threshold), self.lags_s
        rows = np.vstack([inverse @ to, self.volume_weights() @ to])
        # Whole fours of rows and of frames: what is added is zero.
        matrix = np.zeros([-(-many // 4) * 4 for many in rows.shape], np.float32)
        matrix[: len(rows), : rows.shape[1]] = rows
        apparent, shown = self.correction(inverse)
        even = np.linspace(apparent[0], apparent[-1], _EVEN)
        return _Step(
            matrix, np.interp(even, apparent, shown).astype(np.float32), float(even[0]), float(even[1] - even[0]),
            float(lags[0]), float(lags[1] - lags[0]), len(lags), self.tissue.factor, self.noise * self.gain(threshold),
        )  # fmt: skip

    def gain(self, threshold: float) -> float:
        """Standard deviation of k (1/s) where that of the curves is 1."""
        return float(np.sqrt((self.inverse(threshold, np.zeros(1)) ** 2).sum()))

    def threshold_for(self, curve: Floats, share: float = 0.30) -> float:
        """The lowest threshold, from 0.05 to 0.25, at which noise alone shows less than a share of the usual flow.

        The share is that below which tissue is called a core.

        Args:
            curve: (samples,) mean concentration of the tissue.
        """
        for threshold in (0.05, 0.07, 0.10, 0.15, 0.20):
            usual = float((self.inverse(threshold) @ curve).max())
            if _OF_NOISE * self.noise * self.gain(threshold) <= share * usual:
                return threshold
        return 0.25

    def _calm(
        self, flat: npt.NDArray[np.generic], to: Floats, since: npt.NDArray[np.float32], out: npt.NDArray[np.float32]
    ) -> None:
        """Each voxel with the lowest threshold at which its residue is calm (oSVD)."""
        # The index counts bends from sample to sample: of samples far apart even one calm peak is a bend, and no
        # threshold would do. It is taken at the distance of the scans it was made for.
        parts = max(1, int(np.ceil(self.step_s / _CALM_STEP_S - 1e-9)))
        ring = self.step_s / parts * np.arange(self.length * parts)
        left = np.arange(flat.shape[1])
        # Nor is the artery of such a scan known well enough for thresholds below the usual one.
        thresholds = [t for t in _THRESHOLDS if parts == 1 or t >= self.threshold] or [_THRESHOLDS[-1]]
        if parts > 1 and thresholds[0] > self.threshold:
            thresholds.insert(0, self.threshold)
        for threshold in thresholds:
            full, work = (self.inverse(threshold, ring) @ to).astype(np.float32), self._step(threshold, to)
            calm = np.ones(len(left), bool)
            for start in range(0, len(left), _CHUNK):
                which = left[start : start + _CHUNK]
                part = np.ascontiguousarray(flat[:, which], np.float32)
                if threshold != thresholds[-1]:
                    calm[start : start + _CHUNK] = oscillation_index(full @ part) <= self.oscillation
                chosen = calm[start : start + _CHUNK]
                done = np.empty((5, int(chosen.sum())), np.float32)
                work(np.ascontiguousarray(part[:, chosen]), since, done)
                out[:, which[chosen]] = done
            left = left[~calm]
            if not len(left):
                return


@dataclass(frozen=True, eq=False)
class _Step:
    """Curves to maps with one threshold."""

    matrix: npt.NDArray[np.float32]
    shown: npt.NDArray[np.float32]
    least_s: float
    even_s: float
    first_s: float
    lag_s: float
    lags: int
    factor: float
    noise: float

    def __call__(
        self, curves: npt.NDArray[np.generic], since: npt.NDArray[np.float32], out: npt.NDArray[np.float32]
    ) -> None:
        values = (self.least_s, 1.0 / self.even_s, self.first_s, self.lag_s, self.factor, self.noise)
        in_parts(
            _fill, -(-curves.shape[1] // _BLOCK), self.matrix, curves, since, out, self.shown, self.lags,
            *(np.float32(v) for v in values),
        )  # fmt: skip


def oscillation_index(residues: Floats) -> npt.NDArray[np.float64]:
    """How much each residue oscillates: summed second differences over length and peak (Wu 2003).

    Args:
        residues: (lags, voxels), all lags of the circulant matrix.

    >>> oscillation_index(np.array([[1.0], [1.0], [1.0], [1.0]])).tolist()
    [0.0]
    """
    bends = np.abs(residues[2:] - 2 * residues[1:-1] + residues[:-2]).sum(axis=0, dtype=np.float64)
    peak = residues.max(axis=0).astype(np.float64)
    return np.where(peak > 0, bends / np.where(peak > 0, peak, 1.0) / len(residues), np.inf)


@njit(cache=True, fastmath=False)
def _peak(before: float, top: float, after: float) -> tuple[float, float]:
    """Height and place (in steps) of the parabola through three samples, of which the middle is the largest."""
    bend = before - 2.0 * top + after
    if bend >= 0.0:
        return top, 0.0
    place = 0.5 * (before - after) / bend
    return top - 0.25 * (before - after) * place, place


@njit(cache=True)
def _peaks(residues: npt.NDArray[np.float64]) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """Height and place (in lags) of each column's peak."""
    lags, voxels = residues.shape
    height, where = np.empty(voxels), np.empty(voxels)
    for v in range(voxels):
        best = 0
        for i in range(1, lags):
            if residues[i, v] > residues[best, v]:
                best = i
        height[v], where[v] = residues[best, v], float(best)
        if 0 < best < lags - 1:
            top, place = _peak(residues[best - 1, v], residues[best, v], residues[best + 1, v])
            height[v], where[v] = top, best + place
    return height, where


_BLOCK = 512  # voxels whose curves and residues stay in the second cache of a core


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _product(matrix: npt.NDArray[np.float32], part: npt.NDArray[np.float32], into: npt.NDArray[np.float32]) -> None:
    """matrix @ part, four rows and four frames at a time, which is what the registers hold.

    Threads of a BLAS would wait for each other at every block.
    """
    rows, frames = matrix.shape
    for i in range(0, rows, 4):
        for j in range(_BLOCK):
            into[i, j] = into[i + 1, j] = into[i + 2, j] = into[i + 3, j] = 0.0
        for k in range(0, frames, 4):
            a, b, c, d = matrix[i, k], matrix[i, k + 1], matrix[i, k + 2], matrix[i, k + 3]
            a1, b1, c1, d1 = matrix[i + 1, k], matrix[i + 1, k + 1], matrix[i + 1, k + 2], matrix[i + 1, k + 3]
            a2, b2, c2, d2 = matrix[i + 2, k], matrix[i + 2, k + 1], matrix[i + 2, k + 2], matrix[i + 2, k + 3]
            a3, b3, c3, d3 = matrix[i + 3, k], matrix[i + 3, k + 1], matrix[i + 3, k + 2], matrix[i + 3, k + 3]
            for j in range(_BLOCK):
                p, q, r, s = part[k, j], part[k + 1, j], part[k + 2, j], part[k + 3, j]
                into[i, j] += a * p + b * q + c * r + d * s
                into[i + 1, j] += a1 * p + b1 * q + c1 * r + d1 * s
                into[i + 2, j] += a2 * p + b2 * q + c2 * r + d2 * s
                into[i + 3, j] += a3 * p + b3 * q + c3 * r + d3 * s


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _highest(rows: npt.NDArray[np.float32], many: int, top: npt.NDArray[np.float32], at: npt.NDArray[np.int32]) -> None:
    """The largest of the first rows in each column, and which it is."""
    for j in range(_BLOCK):
        top[j], at[j] = rows[0, j], 0
    whole = 1 + (many - 1) // 4 * 4
    for i in range(1, whole, 4):  # four at a time: what is held is loaded and stored once for them
        for j in range(_BLOCK):
            t, w = top[j], at[j]
            p, q, r, s = rows[i, j], rows[i + 1, j], rows[i + 2, j], rows[i + 3, j]
            w = i if p > t else w
            t = p if p > t else t
            w = i + 1 if q > t else w
            t = q if q > t else t
            w = i + 2 if r > t else w
            t = r if r > t else t
            w = i + 3 if s > t else w
            t = s if s > t else t
            top[j], at[j] = t, w
    for i in range(whole, many):
        for j in range(_BLOCK):
            larger = rows[i, j] > top[j]
            top[j] = rows[i, j] if larger else top[j]
            at[j] = i if larger else at[j]


@njit(cache=True, nogil=True, error_model="numpy", fastmath={"contract"})
def _fill(
    first: int, last: int, matrix: npt.NDArray[np.float32], curves: npt.NDArray[np.float32],
    since: npt.NDArray[np.float32], out: npt.NDArray[np.float32], shown: npt.NDArray[np.float32], lags: int,
    least_s: np.float32, each_s: np.float32, first_s: np.float32, lag_s: np.float32, factor: np.float32,
    noise: np.float32,
) -> None:  # fmt: skip
    """Peaks, volumes and times of blocks of voxels: rows of `matrix` give k at the lags and then the volume."""
    frames, voxels = curves.shape
    part = np.zeros((matrix.shape[1], _BLOCK), np.float32)
    found = np.empty((matrix.shape[0], _BLOCK), np.float32)
    top, at = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.int32)
    high, when = np.empty(_BLOCK, np.float32), np.empty(_BLOCK, np.int32)
    zero, half, one, two, four = (
        np.float32(0.0), np.float32(0.5), np.float32(1.0), np.float32(2.0), np.float32(4.0),
    )  # fmt: skip
    for block in range(first, last):
        start = block * _BLOCK
        n = min(_BLOCK, voxels - start)
        for k in range(frames):
            for j in range(n):
                part[k, j] = curves[k, start + j]  # one block of a row after another is far apart in memory
        _product(matrix, part, found)
        _highest(found, lags, top, at)
        _highest(part, frames, high, when)
        for j in range(n):
            i, place = at[j], zero
            if 0 < i < lags - 1:  # the parabola through three samples
                before, after = found[i - 1, j], found[i + 1, j]
                bend = before - two * top[j] + after
                place = half * (before - after) / bend if bend < zero else zero
                top[j] -= half * half * (before - after) * place
            out[3, start + j] = first_s + lag_s * (np.float32(i) + place)
            out[4, start + j] = since[when[j]]
        for j in range(n):
            volume, height = found[lags, j], top[j]
            height = np.sqrt(max(height * abs(height) - (two * noise) ** 2, zero))
            flows = height > zero and volume > zero
            mean = volume / height if flows else least_s
            place = min(max((mean - least_s) * each_s, zero), np.float32(len(shown) - 2))
            step = np.int32(place)
            seen = shown[step] + min(place - np.float32(step), one) * (shown[step + 1] - shown[step])
            sure = max(one - (four * noise / height) ** 2, zero) if flows else zero
            height /= one - sure * (one - seen)
            out[0, start + j] = factor * np.float32(6000.0) * height
            out[1, start + j] = factor * np.float32(100.0) * volume
            out[2, start + j] = volume / height if flows else np.float32(np.nan)
