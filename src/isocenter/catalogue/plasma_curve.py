"""When the agent of a DCE scan comes, and the plasma that brings it: of a drawn artery, or of a population."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import population_input
from isocenter.methods.population_arrival import best_arrival_s
from isocenter.methods.relaxation import concentration

__all__ = ["ENHANCED", "arrival", "clean_frames", "drawn_blood", "motion_of", "populations", "second_arrival_s"]

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]
ENHANCED = 0.25
"""Rise of the signal over that before contrast, over the last third of the scan, of what enhances."""
_LEAST_VOXELS = 4
_LEAST_BASELINE = 3  # frames that a concentration needs
_AT_ONCE = 0.5  # share of a fall, in one frame, that is of a body that moved and of no agent that leaves
_MOVED = 0.01  # of what has signal, from which motion is told
_SAMPLE = 50_000  # voxels that tell of it
_TO_AND_FRO = 0.4  # of a fall, that a voxel may go to and fro from frame to frame
_RESTLESS, _RESTLESS_NOISE = 0.1, 5.0  # of the signal, and of usual noise, that goes to and fro as a rim in motion does
_ONE_BOLUS_S, _AGAIN, _JUMP_NOISE = 30.0, 0.3, 6.0  # after a jump; share of it that is another; deviations of noise
_SPREAD = 1.4826 / 6**0.5  # of noise, for the middle size of second differences
_SOUGHT = 1.5  # frames about the one with which the agent seems to come, in which a population's curve may begin
_TOO_LATE = (
    "a series that begins with the agent in it",
    "without a baseline nobody knows what is agent and what is tissue",
    "send the frames before the injection too",
)


def arrival(frames: Array) -> int:
    """Frames before the agent arrives, 0 where it never does: those before the first that is brighter than the one with
    which the series begins, less one. Noise is told by how single frames lie off the line of their neighbours, which
    agent that is there early does not change.

    Raises:
        Refused: when the agent is there from the first frame.
    """
    flat = frames.reshape(len(frames), -1)
    start = flat[:3].mean(axis=0)
    bright = start > 0.2 * np.percentile(start, 98)
    rise = flat[:, bright] / start[bright] - 1.0
    late = rise[len(rise) // 3 :].mean(axis=0)
    if late.size and _falls_as_agent_leaves(rise, late):
        raise Refused(*_TOO_LATE)
    if late.size == 0 or np.count_nonzero(late > ENHANCED) < _LEAST_VOXELS:
        return 0
    over = _risen(np.percentile(rise[:, late > ENHANCED], 75, axis=1))
    if not len(over) or over[0] < 2:
        raise Refused(*_TOO_LATE)
    return int(over[0] - 1)


def _risen(course: Array) -> npt.NDArray[np.intp]:
    return np.flatnonzero(course - course[0] > 5.0 * float(_noise_of(course)) + 0.05 * float(np.ptp(course)))


def clean_frames(frames: Array, first: int, artery: Mask | None, places: Sequence[Mask]) -> int:
    """Frames before the agent is in any of what is measured: a drawn artery fills before most tissue does.

    With agent in its baseline all of its concentrations would be too low.

    Args:
        first: frames before it is in most of what enhances; no more than these are taken.

    Raises:
        Refused: when it is in the artery from the first frame.
    """
    if artery is not None:
        over = _risen(frames[:, artery].mean(axis=1))
        if len(over) and over[0] < 2:
            raise Refused(*_TOO_LATE)
        first = min([first, *(_before(n) for n in over[:1].tolist())])
    for where in places:
        over = _risen(frames[:, where].mean(axis=1))
        first = min([first, *(_before(n) for n in over[:1].tolist() if n >= _LEAST_BASELINE)])
    return first


def _before(risen: int) -> int:
    """Frames before the first that has risen, less one, where as many stay as a concentration needs."""
    return max(risen - 1, min(risen, _LEAST_BASELINE))


def _falls(rise: Array, late: Array) -> Mask:
    """Voxels that lose a quarter of their signal for good, and do not go to and fro between frames."""
    falls = np.asarray(late < -ENHANCED)
    falls[falls] = _noise_of(rise[:, falls]) < _TO_AND_FRO * np.abs(late[falls])
    return falls


def _noise_of(courses: Array) -> Array:
    """How far single frames lie off the line of their neighbours, of each course or of one."""
    return np.asarray(np.median(np.abs(np.diff(courses, n=2, axis=0)), axis=0) * _SPREAD)


def _falls_as_agent_leaves(rise: Array, late: Array) -> bool:
    """Whether voxels lose agent that was there at the start, in the course of minutes.

    The rim of a body that moved loses its signal between two frames; where more falls so than rises, it is agent all
    the same.
    """
    falls = _falls(rise, late)
    if np.count_nonzero(falls) < _LEAST_VOXELS:
        return False
    course = np.median(rise[:, falls], axis=1)
    at_once = float(-np.diff(course).min()) > _AT_ONCE * -float(np.median(late[falls]))
    return bool(not at_once or np.count_nonzero(falls) > np.count_nonzero(late > ENHANCED))


def motion_of(frames: Array, times: Array) -> tuple[str, ...]:
    """What is to be said of a body that moved: its rim darkens at once and for good, or goes to and fro."""
    flat = frames.reshape(len(frames), -1)
    start = flat[:3].mean(axis=0)
    bright = start > 0.2 * np.percentile(start, 98)
    some = np.flatnonzero(bright)[:: -(-int(bright.sum()) // _SAMPLE)]
    rise = flat[:, some] / start[some] - 1.0
    noise = _noise_of(rise)
    falls = _falls(rise, rise[len(rise) // 3 :].mean(axis=0))
    restless = noise > np.maximum(_RESTLESS, _RESTLESS_NOISE * float(np.median(noise)))
    said, least = [], max(_LEAST_VOXELS, _MOVED * len(some))
    if np.count_nonzero(falls) >= least:
        at_s = times[1 + int(np.diff(np.median(rise[:, falls], axis=1)).argmin())] - times[0]
        said.append(f"darkens {at_s:.0f} s after the first frame and stays dark")
    if np.count_nonzero(restless) >= least:
        said.append("goes to and fro between frames, as with breath")
    shares = [100.0 * float(np.mean(where)) for where in (falls, restless) if np.count_nonzero(where) >= least]
    return tuple(
        f"WARNING: {share:.0f} % of what has signal {what}: it seems to have moved, which is not corrected"
        for share, what in zip(shares, said, strict=True)
    )


def drawn_blood(
    frames: Array, source: Mask, first: int, tr: float, flip: float, blood_t1_ms: float, relaxivity: float
) -> tuple[Array, str]:
    """Whole blood of a drawn artery, mmol/L, and whose it is.

    Args:
        first: frames before the agent.

    Raises:
        Refused: saturated blood, or none.
    """
    curve = np.ravel(concentration(
        frames[:, source].mean(axis=1), tr_ms=tr, flip_deg=flip, t1_ms=blood_t1_ms, baseline=first,
        relaxivity_per_mm_s=relaxivity,
    ))  # fmt: skip
    if not np.isfinite(curve).all() or curve.max() <= 0.2:
        raise Refused(
            f"an artery of {np.nanmax(curve):.2g} mmol/L",
            "it is saturated, blood flows in unprepared, or it is no artery",
            "draw it further along the vessel, or take a population's curve",
        )
    return curve, f"artery drawn by a person, peak {curve.max():.1f} mmol/L in blood; inflow is not corrected"


def populations(
    frames: Array, times: Array, artery: str, first: int, haematocrit: float, model: str, tissue: Array | None
) -> tuple[Array, str]:
    """Plasma of a population, mmol/L, and whose it is; it arrives as fits the mean curve of the tissue best, or, where
    the arrival is fitted in each voxel and none is given, with a frame.

    Args:
        first: frames before the agent. tissue: (n,) mean concentration, or None.

    Raises:
        Refused: a drawn artery was asked for, or agent arrives twice.
    """
    if artery == "drawn":
        raise Refused("no artery is drawn", "its curve was asked for", "draw one and name it artery")
    if again := second_arrival_s(frames, times, first):
        raise Refused(
            f"agent that arrives again after {again:.0f} s",
            "a population's curve is that of one injection, and this scan saw two (or a head that moved)",
            "draw the artery, whose own curve holds both",
        )
    name = "georgiou" if artery == "georgiou" else "parker"
    of = population_input.georgiou if name == "georgiou" else population_input.parker
    begins = float(times[first])
    if tissue is not None:
        with contextlib.suppress(Refused):  # of a baseline that was stated, the agent may come later
            begins = float(times[max(first, arrival(frames))])
        begins = best_arrival_s(
            model, times, tissue, lambda at_s: of(times, arrival_s=at_s) / (1.0 - haematocrit), about_s=begins,
            within_s=_SOUGHT * float(np.median(np.diff(times))),
        )  # fmt: skip
    return of(times, arrival_s=begins) / (1.0 - haematocrit), (
        f"artery of a population ({name}), arriving {begins - times[0]:.1f} s after the first frame: nobody's own, for "
        "comparing only"
    )


def second_arrival_s(frames: Array, times: Array, first: int) -> float:
    """When the signal of what enhances fastest jumps a second time, s; 0 where it does not.

    The second passage of one bolus follows within half a minute, and is far smaller. What enhances slowly goes on
    rising, and never faster again: between two arrivals the signal has to have slowed down.
    """
    flat = frames.reshape(len(frames), -1)
    start = flat[: max(first, 1)].mean(axis=0)
    bright = start > 0.2 * np.percentile(start, 98)
    rise = flat[:, bright] / start[bright] - 1.0
    steepest = (rise[2:] - rise[:-2]).max(axis=0)
    chosen = np.argsort(steepest)[-max(_LEAST_VOXELS, len(steepest) // 200) :]
    course = rise[:, chosen].mean(axis=1)
    jumps = course[2:] - course[:-2]
    steps = np.diff(course)
    noise = 1.5 * float(np.median(np.abs(steps - np.median(steps))))  # of a jump, as of a step
    top = int(jumps.argmax())
    before, after = np.minimum.accumulate(jumps[top::-1])[::-1], np.minimum.accumulate(jumps[top:])
    slowest = np.concatenate([before, after[1:]])  # between the steepest jump and each
    apart = np.abs(times[1:-1] - times[1 + top]) > _ONE_BOLUS_S
    others = np.where(apart, jumps - np.maximum(slowest, 0.0), 0.0)
    if others.max() <= max(_AGAIN * jumps[top], _JUMP_NOISE * noise):
        return 0.0
    return float(times[1 + max(top, int(others.argmax()))])
