"""What fat looks like to a multi-echo gradient echo: its six peaks, and when echoes can tell it from water.

The spectrum is that of liver fat in the consensus of the ISMRM fat-water group: frequencies in ppm against water, and
shares of the signal. A lower frequency than water's is negative; data whose phase runs the other way are conjugated
first.

Sources: Hamilton et al., NMR Biomed 24 (2011) 784; Reeder et al., J Magn Reson Imaging 36 (2012) 1011; T1 of liver and
fat: de Bazelaire et al., Radiology 230 (2004) 652.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["PEAKS", "T1_MS", "fat_signal", "must_be_echo_times", "must_be_of_gradient_echoes", "t1_bias_points"]

PEAKS: tuple[tuple[float, float], ...] = (
    (-3.80, 0.087), (-3.40, 0.693), (-2.60, 0.128), (-1.94, 0.004), (-0.39, 0.039), (0.60, 0.048),
)  # fmt: skip
"""(ppm from water, share of the fat signal) of each peak; the shares add up to 0.999, as published."""

GAMMA_MHZ_PER_T = 42.577

T1_MS: dict[float, tuple[float, float]] = {1.5: (586.0, 343.0), 3.0: (809.0, 382.0)}
"""Field -> T1 of liver water and of subcutaneous fat, milliseconds (de Bazelaire 2004)."""

_LEAST_INDEPENDENT = 0.4  # of the fat signal that water cannot imitate


def fat_signal(times_s: npt.ArrayLike, field_t: float) -> npt.NDArray[np.complex128]:
    """Signal of pure fat at each echo time, 1 at time zero, before field and decay.

    Args:
        times_s: (echoes,) seconds.
        field_t: tesla.

    >>> abs(complex(fat_signal([0.0], 3.0)[0])).__round__(6)
    1.0
    """
    times = np.asarray(times_s, np.float64)
    hertz = np.array([ppm for ppm, _ in PEAKS]) * GAMMA_MHZ_PER_T * field_t
    share = np.array([a for _, a in PEAKS])
    return np.asarray(np.exp(2j * np.pi * times[:, None] * hertz) @ (share / share.sum()))


def must_be_of_gradient_echoes(times_s: npt.NDArray[np.float64]) -> None:
    """Refuse rising echo times that only another unit than the header's explains.

    Raises:
        Refused: for an echo before 0.1 ms or after 200 ms.
    """
    if times_s[-1] > 0.2 or times_s[0] < 1e-4:
        raise Refused(
            f"echo times from {1000 * times_s[0]:g} to {1000 * times_s[-1]:g} ms",
            "gradient echoes of fat and water lie between 0.1 and 200 ms: the unit is wrong",
            "see whether Echo Time stands in milliseconds in the header, as DICOM has it",
        )


def must_be_echo_times(times_s: npt.ArrayLike, field_t: float, *, least: int = 3) -> npt.NDArray[np.float64]:
    """The echo times as an array, when fat and water can be told apart at them.

    Raises:
        Refused: for fewer than `least` echoes, times that do not rise, times that cannot be seconds, a field that no
            scanner has, or echoes at which fat and water look alike.
    """
    times = np.atleast_1d(np.asarray(times_s, np.float64))
    if times.ndim != 1 or len(times) < least:
        raise Refused(f"{times.size} echoes", f"fat, water, field and decay need {least} or more", "send every echo")
    if not np.isfinite(times).all() or (np.diff(times) <= 0).any():
        raise Refused(
            f"echo times {np.round(times, 5).tolist()} s", "they must rise, each once", "sort the echoes by their time"
        )
    must_be_of_gradient_echoes(times)
    if not 0.2 <= field_t <= 11.0:
        raise Refused(
            f"a field of {field_t:g} T", "fat's frequency follows from it", "complete Magnetic Field Strength"
        )
    water, fat = np.ones(len(times)), fat_signal(times, field_t)
    left = fat - water * (np.vdot(water, fat) / len(times))
    if float(np.linalg.norm(left) / np.linalg.norm(fat)) < _LEAST_INDEPENDENT:
        raise Refused(
            f"echoes at {', '.join(f'{1000 * t:.2f}' for t in times)} ms at {field_t:g} T",
            "fat and water have nearly one phase at all of them and look alike",
            "acquire echoes in and out of phase",
        )
    return times


def t1_bias_points(tr_ms: float, flip_deg: float, field_t: float, *, pdff: float = 20.0) -> float:
    """By how many points T1 weighting lifts a fat fraction: fat recovers faster than water and looks like more.

    Args:
        tr_ms: repetition time.
        flip_deg: nominal flip angle.
        field_t: tesla; T1 is that of the nearer of 1.5 and 3 T.
        pdff: true fat fraction in percent.

    >>> t1_bias_points(150.0, 3.0, 1.5) < 0.2 < t1_bias_points(10.0, 15.0, 1.5)
    True
    """
    water_ms, fat_ms = T1_MS[1.5 if field_t < 2.2 else 3.0]
    angle = np.deg2rad(flip_deg)

    def level(t1_ms: float) -> float:
        e1 = np.exp(-tr_ms / t1_ms)
        return float((1 - e1) / (1 - e1 * np.cos(angle)))

    fat, water = pdff * level(fat_ms), (100.0 - pdff) * level(water_ms)
    return 100.0 * fat / (fat + water) - pdff
