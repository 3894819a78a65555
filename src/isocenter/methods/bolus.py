"""The passage of a bolus: is the scan fit to be deconvolved, where its baseline ends, and what lies between its frames.

A curve that is cut off, has no baseline or is sampled too coarsely gives numbers as smoothly as a good one. So each
is looked for, and refused with what was seen. Irregular times are brought to a regular grid, and that is said.

Sources: Wintermark et al., Stroke 39 (2008) 1621 (acquisition); Boxerman et al., Neuro-Oncology 22 (2020) 1262.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.interpolate import make_interp_spline

from isocenter.errors import Refused

__all__ = [
    "GONE",
    "Sampling",
    "arrival",
    "lost_between",
    "must_begin_before",
    "must_begin_without",
    "must_come_back",
    "must_keep_signal",
    "must_not_be_saturated",
    "must_pass",
    "must_see_the_passage",
    "must_stand_out",
    "noise_of",
    "of_one_frame",
    "sampling",
    "told_holes",
    "without_tracer",
]

Floats = npt.NDArray[np.floating]

SHORTEST_S = 40.0
COARSEST_S = 3.0
TRUNCATED = 0.30
_IRREGULAR = 0.02
_BASELINE = 2
_TRACE, _TRACE_OF_NOISE = 0.01, 3.0  # of the peak of the artery, and of its noise, from which a frame has tracer in it
_BEGINS = 0.06  # of the peak, up to which the frame before one has none for sure
_SPARE = 4
GONE = 0.08
_FILLED = 0.4  # of what the mean signal of the brain spans, that its first frames may hold
_BURIED, _DIM, _CLEAR = 1.5, 2.3, 3.0  # times the noise, by which the mean curve of tissue rises
_SEEN = 8.0  # deviations of its noise, that the mean signal of the brain spans while a bolus passes
_STARTED, _FULLEST = 0.3, 90.0  # of what a vessel spans, that it may begin with; percentile of vessels that tells
_LOWEST_OF_NOISE = 3.0  # deviations, by which the mean of two frames may lie above the least of all for noise alone
_FLAT = 3  # equal samples at the top of a curve
_AS_NEAR = 3  # steps on either side, whose median is what a step is there
_HOLE, _WIDEST_HOLE_S = 1.5, 6.0  # steps from frame to frame where some were lost; where nothing happens, seconds
_MOST_LOST = 0.2  # of the frames
_FIRST_IMAGES, _LONGEST_PAUSE_S = 3, 20.0  # taken before a scan that then waits for the bolus, and how long it may
_PASSAGE_S = 20.0  # of close frames, before a late phase of up to 6 s a frame is used as well


@dataclass(frozen=True, eq=False)
class Sampling:
    """Regular times for a scan, and the way to them.

    Args:
        times_s: (frames,) of the frames that are used, from 0.
        step_s: of the regular grid, seconds.
        operator: (samples, frames) linear interpolation; the identity where the scan is regular already.
        remarks: what was changed, for the reader.
        holes_s: (from, to) of frames between which others were lost, or none was taken for more than 3 s.
    """

    times_s: npt.NDArray[np.float64]
    step_s: float
    operator: npt.NDArray[np.float64]
    remarks: tuple[str, ...] = ()
    holes_s: tuple[tuple[float, float], ...] = ()

    @property
    def frames(self) -> int:
        """How many frames of the scan, from the first, are used."""
        return len(self.times_s)


def sampling(times_s: npt.ArrayLike) -> Sampling:
    """Regular times for a scan.

    A late phase that is coarser than 3 s is left out where what comes before is long enough; else it is used as far as
    its frames lie up to 6 s apart. First images, at most three, may lie up to 20 s before the others. Where frames were
    lost between others, or are coarse, the course goes on as a cubic through those that are there; whether the bolus
    passed then is asked of `must_see_the_passage`.

    Args:
        times_s: (frames,) seconds, rising.

    Raises:
        Refused: when times do not rise, the scan is shorter than 40 s, or frames lie more than 3 s apart (6 s where
            some were lost, no more than a fifth of all).

    >>> two_phases = [*range(0, 40, 1), *range(40, 70, 3)]
    >>> found = sampling(two_phases)
    >>> found.step_s, found.operator.shape, found.remarks[0][:34]
    (1.0, (68, 50), 'frames lie 1 to 3 s apart: they we')
    """
    given = np.asarray(times_s, np.float64)
    if given.ndim != 1 or len(given) < 3 or not np.isfinite(given).all() or (np.diff(given) <= 0).any():
        raise Refused("times of frames that do not rise", "a bolus has no course without them", "check the header")
    remarks: list[str] = []
    lost = lost_between(given)
    if int(lost.sum()) > _MOST_LOST * (len(given) + int(lost.sum())):
        lost[:] = 0  # its times are uneven by themselves
    coarsest = np.where(lost > 0, _WIDEST_HOLE_S, COARSEST_S)
    wide = np.diff(given) > coarsest * (1 + _IRREGULAR)
    if (many := _close_enough(given, wide)) < len(given):
        remarks.append(
            f"{len(given) - many} late frames more than {COARSEST_S:g} s apart were left out; "
            f"{given[many - 1] - given[0]:.0f} s are used"
        )
        given, lost, wide = given[:many], lost[: many - 1], wide[: many - 1]
    many = int(lost.sum())
    times = given - given[0]
    steps = np.diff(times)
    lasts = float(times[-1] + np.median(steps))
    if lasts < SHORTEST_S:
        raise Refused(
            f"a scan of {lasts:.0f} s",
            f"tissue behind a closed artery fills later than that; {SHORTEST_S:g} s are the least",
            "scan for 60 s",
        )
    if steps.max() - steps.min() <= _IRREGULAR * float(np.median(steps)):
        return Sampling(times, float(times[-1] / (len(times) - 1)), np.eye(len(times)), tuple(remarks))
    step = float(np.round(max(steps.min(), 0.25), 3))
    regular = np.arange(int(np.floor(times[-1] / step + 1e-6)) + 1) * step
    operator = np.stack([np.interp(regular, times, row) for row in np.eye(len(times))], axis=1)
    where = np.flatnonzero((lost > 0) | wide)
    holes = tuple((float(times[n]), float(times[n + 1])) for n in where)
    for begins, ends in holes:
        within = (regular > begins) & (regular < ends)
        if ends - begins <= _WIDEST_HOLE_S * (1 + _IRREGULAR):  # across a longer pause a cubic may lead anywhere
            operator[within] = make_interp_spline(times, np.eye(len(times)), 3)(regular[within])
    if many:
        have = "has" if many == 1 else "have"
        between = told_holes([hole for n, hole in zip(where, holes, strict=True) if lost[n]])
        remarks.append(
            f"{many} of {len(times) + many} times {have} no whole image ({between} after the first): the "
            "course between was interpolated"
        )
    if (late := _FIRST_IMAGES + np.flatnonzero(wide[_FIRST_IMAGES:])).size:
        remarks.append(
            f"WARNING: from {times[late[0]]:.0f} s on frames lie up to {steps[late].max():.1f} s apart: slow tissue is "
            "seen less well then, and a core of 20 mL was told as 14 to 16 mL"
        )
    if len(calm := steps[lost == 0]) and np.ptp(calm) > _IRREGULAR * float(np.median(calm)):
        remarks.append(
            f"frames lie {calm.min():.3g} to {calm.max():.3g} s apart: they were resampled to one every {step:g} s"
        )
    return Sampling(times, step, operator, tuple(remarks), holes)


def _close_enough(times: npt.NDArray[np.float64], wide: npt.NDArray[np.bool_]) -> int:
    """How many frames from the first can be used, where some steps are too wide for a bolus to be seen through."""
    steps = np.diff(times)
    pause = np.flatnonzero(wide[:_FIRST_IMAGES])
    begins = int(pause[-1]) + 1 if len(pause) and steps[pause].max() <= _LONGEST_PAUSE_S else 0
    after = begins + np.flatnonzero(wide[begins:])
    if not len(after):
        return len(times)
    gone = after[steps[after] > _WIDEST_HOLE_S * (1 + _IRREGULAR)]
    close_s = times[after[0]] - times[begins]
    for many, least_s in ((int(after[0]) + 1, SHORTEST_S), (int(gone[0]) + 1 if len(gone) else len(times), _PASSAGE_S)):
        if close_s >= least_s and times[many - 1] - times[begins] >= SHORTEST_S:
            return many
    raise Refused(
        f"frames lie up to {steps[after].max():.1f} s apart",
        f"flow cannot be told from frames more than {COARSEST_S:g} s apart",
        "repeat with one frame a second or two",
    )


def lost_between(times_s: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """How many frames are missing between each and the next, by the steps near by; of a late phase none is.

    Args:
        times_s: (frames,) rising.

    >>> lost_between([0, 1, 2, 3, 6, 7, 8, 9, 12, 15, 18, 21]).tolist()
    [0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0]
    """
    steps = np.diff(np.asarray(times_s, np.float64))
    near = [steps[max(0, n - _AS_NEAR) : n + _AS_NEAR + 1] for n in range(len(steps))]
    usual = np.array([np.median(some) for some in near])
    return np.where(steps >= _HOLE * usual, np.rint(steps / usual) - 1, 0).astype(np.int64)


def told_holes(holes_s: Sequence[tuple[float, float]]) -> str:
    """In words, between which times frames are missing."""
    return ", ".join(f"between {begins:.3g} and {ends:.3g} s" for begins, ends in holes_s)


def must_see_the_passage(plan: Sampling, artery: npt.ArrayLike, arrival_s: float) -> tuple[str, ...]:
    """What is to be said of frames that were lost while the bolus passed through the artery.

    From its arrival until the artery has come back to 30 % of its peak, its area and its height hang on each frame.

    Args:
        artery: (frames,) concentration, at the times of the plan.
        arrival_s: on the clock of the plan.

    Raises:
        Refused: when frames that are more than 3 s apart hide a part of the passage.
    """
    values = np.asarray(artery, np.float64)
    top = int(values.argmax())
    back = np.flatnonzero(values[top:] <= TRUNCATED * values[top])
    done_s = float(plan.times_s[top + int(back[0])] if len(back) else plan.times_s[-1])
    during = tuple((a, b) for a, b in plan.holes_s if b > arrival_s and a < done_s)
    if not during:
        return ()
    widest = max(b - a for a, b in during)
    if widest > COARSEST_S * (1 + _IRREGULAR):
        raise Refused(
            f"no whole image {told_holes(during)} after the first, while the bolus passes",
            f"flow cannot be told from frames more than {COARSEST_S:g} s apart then",
            "send the series again, complete, or repeat with one frame a second or two",
        )
    return (
        f"WARNING: times were lost while the bolus passed ({told_holes(during)} after the first): flow may be a fifth "
        "off and the core a quarter, mostly flow too low and the core too large",
    )


def arrival(curve: npt.ArrayLike) -> int:
    """How many frames lie before the bolus: the frames of the baseline.

    The rise begins where a curve leaves its baseline by 4 % of its height. Where four frames lie before it, the last of
    them is not used: arteries fill before the mean of many voxels shows it, and a baseline with tracer in it takes area
    from every curve.

    Args:
        curve: (frames,) of blood, rising with the tracer.

    Raises:
        Refused: when the bolus is there from the beginning, or there is none.

    >>> arrival([10, 11, 10, 11, 10, 30, 90, 60, 30, 20])
    4
    """
    values = np.asarray(curve, np.float64)
    top = int(values.argmax())
    low = float(values[: max(1, min(top, 3))].min())
    rise = float(values[top]) - low
    if not rise > 0:
        raise Refused("a curve that never rises", "no bolus passes in this scan", "check the injection")
    below = np.flatnonzero(values[:top] <= low + 0.04 * rise)
    baseline = int(below[-1]) + 1 if len(below) else 0
    if baseline < _BASELINE:
        raise Refused(
            f"{baseline or 'no'} frame{'' if baseline == 1 else 's'} before the bolus arrives",
            "without a baseline nobody knows what is tracer and what is tissue",
            "start the scan earlier",
        )
    return baseline - 1 if baseline >= _SPARE else baseline


def without_tracer(artery: npt.ArrayLike, baseline: int) -> int:
    """How many frames of a short baseline lie before the tracer is in the artery.

    The area of an artery hangs on its baseline: 2 % of its peak in one of two frames take 10 % of normal flow, 11 %
    half of it. Of four frames and more the last was left out already.

    Args:
        artery: (frames,) concentration.
        baseline: frames, as `arrival` gives them.

    Raises:
        Refused: when one frame is left, and tracer may have been in that one, too.

    >>> without_tracer([0, 0, 5, 60, 100, 40, *[9] * 9], 3), without_tracer([0, 3, 40, 100, 60, 20, *[9] * 9], 2)
    (2, 1)
    """
    values = np.asarray(artery, np.float64)
    if baseline >= _SPARE:
        return baseline
    rise = values - values[0]
    least = max(_TRACE * float(rise.max()), _TRACE_OF_NOISE * float(noise_of(values)))
    clean = baseline
    while clean > 1 and rise[clean - 1] > least:
        clean -= 1
    if clean == 1 < baseline and rise[1] > _BEGINS * float(rise.max()):
        raise Refused(
            "1 frame before the bolus arrives: the second holds "
            f"{100 * rise[1] / rise.max():.0f} % of the artery's peak",
            "whether the first has none nobody knows, and flow may be half of what it is",
            "start the scan earlier",
        )
    return clean


def of_one_frame(clean: int) -> tuple[str, ...]:
    """What is to be said of a baseline of one frame, whose noise is in every curve.

    >>> of_one_frame(2), of_one_frame(1)[0][:41]
    ((), 'WARNING: one frame lies before the bolus:')
    """
    if clean > 1:
        return ()
    return (
        "WARNING: one frame lies before the bolus: its noise is in every curve, and normal flow and volume may be "
        "a fifth too low. Start scans 5 s or more before the bolus comes",
    )


def noise_of(curves: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Standard deviation of noise of curves that change slowly, by how far samples lie beside their neighbours' middle.

    The median of these distances, times 1.4826 as of a normal spread (Rousseeuw and Croux 1993), is that of a sample
    and half of two: the square root of 1.5 times the noise of one.

    Args:
        curves: (frames, ...) of any unit.

    >>> round(float(noise_of(np.random.default_rng(0).normal(0, 2.0, 20000))), 2)
    2.01
    """
    values = np.asarray(curves, np.float64)
    beside = values[1:-1] - 0.5 * (values[:-2] + values[2:])
    return np.asarray(1.4826 / np.sqrt(1.5) * np.median(np.abs(beside), axis=0))


def must_pass(course: npt.ArrayLike) -> None:
    """Refuse a scan in which no bolus is seen in the brain as a whole, where any vessel that is chosen is noise.

    Args:
        course: (frames,) mean signal of the brain, whether it rises or falls with the tracer.

    Raises:
        Refused: when the course does not span eight times its noise.

    >>> must_pass([0, 0.1, -0.1, 0, 0.1, 2, 5, 4, 2, 1, 0.8, 0.9])
    """
    values = np.asarray(course, np.float64)
    noise, span = float(noise_of(values)), float(np.ptp(values))
    if span <= _SEEN * noise:
        raise Refused(
            f"a brain whose mean signal changes by {span:.2g} where its noise is {noise:.2g}",
            "no bolus is seen to pass: contrast did not arrive, or had passed before the scan began",
            "check the injection and when the scan began",
        )


def must_begin_without(course: npt.ArrayLike, why: str) -> None:
    """Refuse a scan whose first frames show more tracer than later ones: the bolus was there before it.

    Args:
        course: (frames,) mean signal of the brain, rising with the tracer.
        why: what else may be the reason.

    Raises:
        Refused: when the first two frames lie above the lowest by 40 % of what the course spans.

    >>> must_begin_without([0, 0, 0.1, 3, 5, 3, 1, 0.5], "")
    """
    values = np.asarray(course, np.float64)
    share = float((values[:2].mean() - values.min()) / np.ptp(values))
    if share > _FILLED:
        raise Refused(
            f"no frame before the bolus arrives: the brain begins with {100 * share:.0f} % of the change that it shows",
            f"the scan began after the bolus had arrived{why}",
            "start the scan earlier",
        )


def must_begin_before(vessels: npt.ArrayLike) -> None:
    """Refuse a scan that began when the bolus was already in some vessels: their first frames are filled.

    What fills later, veins and tissue, looks whole then, with an artery that never rises, or a vein in its place.

    Args:
        vessels: (frames, voxels) signal of the voxels that change most, rising with the tracer.

    Raises:
        Refused: when a tenth of them begins above the lowest by 30 % of what it spans.

    >>> must_begin_before([[0, 0], [0, 0], [5, 1], [1, 5], [0, 1]])
    """
    values = np.asarray(vessels, np.float64)
    low, span = values.min(axis=0), np.ptp(values, axis=0)
    above = values[:2].mean(axis=0) - low - _LOWEST_OF_NOISE * noise_of(values)  # the least of many frames is noise
    share = float(np.percentile(above / np.where(span > 0, span, 1.0), _FULLEST))
    if share > _STARTED:
        raise Refused(
            f"vessels that begin with {100 * share:.0f} % of the contrast that they show",
            "the scan began too late: the bolus was already in the arteries, and what came before is not known",
            "repeat with the scan started before the bolus arrives, 5 s or more",
        )


def must_stand_out(peak: float, noise: float) -> tuple[str, ...]:
    """What is to be said of tissue whose curves hardly stand out of their noise.

    Flow is then regularised away where it is normal, and noise takes the place of delays.

    Args:
        peak: of the mean curve of the tissue.
        noise: standard deviation of a sample of one voxel's curve, as it is deconvolved.

    Raises:
        Refused: when the peak is below 1.5 times the noise.

    >>> must_stand_out(9.0, 1.0), must_stand_out(2.5, 1.0)[0][:48]
    ((), 'WARNING: tissue rises by 2.5 times the noise of ')
    """
    times = peak / noise if noise > 0 else np.inf
    if times < _BURIED:
        raise Refused(
            f"tissue that rises by {times:.1f} times the noise of its curves",
            f"below {_BURIED:g} flow and delays are those of noise, and a core comes out many times too large",
            "smooth more (smooth_mm), or repeat with more contrast or dose",
        )
    if times >= _CLEAR:
        return ()
    size = "by up to a third too low, late tissue and core by up to a third and a half too large"
    if times < _DIM:
        size = "at about half of what it is, late tissue up to 1.8 and the core up to 4 times as large"
    return (
        f"WARNING: tissue rises by {times:.1f} times the noise of its curves, below {_CLEAR:g}: normal flow comes out "
        f"{size}",
    )


def must_come_back(curve: npt.ArrayLike, what: str, limit: float = TRUNCATED) -> None:
    """Refuse a bolus that the end of the scan cuts off.

    Args:
        curve: (samples,) concentration.
        limit: share of the peak.

    Raises:
        Refused: when the last sample (mean of two) is above that share of the peak.
    """
    values = np.asarray(curve, np.float64)
    share = float(values[-2:].mean() / values.max())
    if share > limit:
        raise Refused(
            f"{what} ends at {100 * share:.0f} % of its peak",
            f"the passage is cut off: volumes and transit times would be too small (limit {100 * limit:.0f} %)",
            "scan for longer",
        )


def must_not_be_saturated(frames: npt.ArrayLike, what: str) -> None:
    """Refuse a curve whose top is flat because the scanner could show no more.

    Args:
        frames: (frames,) as the scanner gave them, up to a factor; no noise makes neighbours equal.

    Raises:
        Refused: when three neighbouring frames stand at the maximum.
    """
    values = np.asarray(frames, np.float64)
    at_top = values >= values.max() - 1e-4 * (values.max() - values.min())
    run = longest = 0
    for here in at_top:
        run = run + 1 if here else 0
        longest = max(longest, run)
    if longest >= _FLAT:
        raise Refused(
            f"{what} stands at {values.max():g} for {longest} frames",
            "it is saturated: its true peak is higher than the image can say, and flow would be too large",
            "choose another artery, or repeat with a wider range",
        )


def must_keep_signal(share: npt.ArrayLike, what: str) -> None:
    """Refuse an MR curve whose signal is gone while the bolus passes.

    Args:
        share: (frames,) signal as a share of that before the bolus.

    Raises:
        Refused: when less than 8 % is left in two frames: what remains is noise, and the peak is unknown.
    """
    gone = int(np.count_nonzero(np.asarray(share, np.float64) < GONE))
    if gone >= 2:
        raise Refused(
            f"{what} keeps less than {100 * GONE:.0f} % of its signal in {gone} frames",
            "it is saturated: what is left is noise, and its peak is unknown",
            "choose an artery that is diluted more, or a shorter echo time",
        )
