"""A whole perfusion study of the brain, from frames to maps and volumes.

The steps: times made regular, pixels binned to about a millimetre, the head held still, the brain found, artery and
vein chosen, curves smoothed within the tissue, deconvolved, and volumes taken on one mask. Each step has a file of its
own in this room; this one puts them in order and refuses what no step could save.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy.interpolate import make_interp_spline

from isocenter.errors import Refused
from isocenter.methods import arterial, bolus, in_plane, intracranial, motion, steady_state, stroke
from isocenter.methods.arterial import Vessel
from isocenter.methods.binning import binned, unbinned
from isocenter.methods.perfusion import BRAIN, Deconvolution, Maps

__all__ = ["Examined", "Options", "examine"]

Floats = npt.NDArray[np.floating]
Mask = npt.NDArray[np.bool_]

_WORKING_MM = 0.9
_VESSEL = 3.5  # blood volume, in medians of the tissue, from which a voxel is a vessel
_MOST_VOXELS = 2.0
_DARK = 0.35
_SLAB_MM = 80.0
_EVEN = 0.6  # of the time between frames: images of a slice that lie closer pair off
_ONE_PASSAGE = 1.5  # of the time between frames: slices further apart are of different passages
_EARLY_S, _LEAST_BASELINE = 5.0, 6
_SAMPLE = 2000  # voxels that tell the usual flow
_RIM, _LATER_S = 0.5, 2.0  # of signal that is left at the rim of an artery that loses all, and s behind its peak
_TISSUE_LEFT = 0.6  # of its peak, that tissue may hold when the scan ends
_OR_WEIGHTED = ", or it is T1-weighted and brightens, which permeability measures"
_COMES_BACK = 0.5  # of what the first frame lies above a later one: the signal after a bolus
_FIRST = 12  # frames among which the steady state begins


@dataclass(frozen=True)
class Options:
    """How a study is examined.

    Args:
        threshold: of the deconvolution; 0 lets the noise of the study choose it.
        oscillation, shape: of the deconvolution.
        smooth_mm: full width at half maximum of the smoothing in the slice.
        still: leave motion alone.
        most_motion_voxels: refuse a head that moved further than this many voxels (of their longest edge).
        core_share, delay_s, smallest_ml: of the volumes.
    """

    threshold: float = 0.0
    oscillation: float = 0.0
    shape: float = 2.0
    smooth_mm: float = 5.0
    still: bool = False
    most_motion_voxels: float = _MOST_VOXELS
    core_share: float = 0.30
    delay_s: float = 6.0
    smallest_ml: float = 1.0


@dataclass(frozen=True, eq=False)
class Examined:
    """What came out, on the grid of the images; maps are NaN outside the tissue.

    Args:
        maps: of the tissue.
        tissue: brain without fluid, bone, and large vessels.
        artery, vein: chosen or drawn; the vein is None where none was found.
        venous_scale: what the artery was multiplied with; None where the vein could not tell: flow and volume are then
            relative.
        times_s: of the frames that were used.
        moved_mm: how far the head had moved in each frame, before it was brought back.
        volumes: core and the rest.
        threshold: of the singular values, as it was given or chosen.
        remarks: what the reader must know.
    """

    maps: Maps
    tissue: Mask
    artery: Vessel
    vein: Vessel | None
    venous_scale: float | None
    times_s: npt.NDArray[np.float64]
    moved_mm: npt.NDArray[np.float64]
    volumes: stroke.Mismatch
    threshold: float
    remarks: tuple[str, ...]


def examine(
    frames: npt.NDArray[np.generic],
    times_s: npt.ArrayLike,
    spacing_mm: tuple[float, float, float],
    *,
    kind: Literal["CT", "MR"] = "CT",
    echo_time_s: float = 0.0,
    slice_times_s: npt.ArrayLike | None = None,
    artery: Mask | None = None,
    vein: Mask | None = None,
    options: Options | None = None,
) -> Examined:
    """Examine one study.

    Args:
        frames: (frames, slices, rows, columns): HU, or the signal of T2*-weighted MR.
        times_s: (frames,) seconds.
        spacing_mm: along (slice, row, column).
        kind: CT, or MR by susceptibility.
        echo_time_s: of MR.
        slice_times_s: (frames, slices) seconds on the same clock, where slices of a frame were measured one after
            another; None where all are of one moment.
        artery, vein: drawn by a person, on the grid of the frames; None to choose them.

    Raises:
        Refused: see the steps; and for motion beyond the limit, an artery below the tissue that it feeds, MR without
            echo time.
    """
    how = options or Options()
    if kind == "MR" and not 0.001 < echo_time_s < 0.2:
        raise Refused(
            f"an echo time of {1000 * echo_time_s:g} ms",
            "relaxation is signal over echo time, and the unit may be wrong: a bolus is read at 10 to 100 ms",
            "state milliseconds",
        )
    left = _before_steady(frames) if kind == "MR" else 0
    frames, times_s = frames[left:], np.asarray(times_s, np.float64)[left:]
    plan = bolus.sampling(times_s)
    by = max(1, round(_WORKING_MM / spacing_mm[1]))
    spacing = (spacing_mm[0], spacing_mm[1] * by, spacing_mm[2] * by)
    work = binned(frames[: plan.frames], by)
    if not np.isfinite(work).all():
        raise Refused(
            "images with values that are not numbers", "curves over them would be none", "send the series again"
        )
    remarks = [*steady_state.told(left), *plan.remarks]
    moved, seen = _hold_still(work, spacing, kind, how, remarks)
    if slice_times_s is not None:
        _at_one_moment(work, times_s, np.asarray(slice_times_s, np.float64)[left:], remarks)
    before = work[:3].mean(axis=0)
    brain = (intracranial.brain_ct if kind == "CT" else intracranial.brain_mr)(before, spacing)
    seen_in_all = work[:, brain].mean(axis=1, dtype=np.float64)
    bolus.must_pass(seen_in_all)
    bolus.must_begin_without(-seen_in_all if kind == "MR" else seen_in_all, _OR_WEIGHTED if kind == "MR" else "")
    bolus.must_begin_before(_changing(work, brain, -1.0 if kind == "MR" else 1.0))
    baseline, arrival = _baseline(work, plan.times_s, brain, falling=kind == "MR")
    before = work[:baseline].mean(axis=0)
    if kind == "MR":
        # Where there is hardly any signal, its logarithm is noise that looks like an artery.
        brain &= before > _DARK * float(np.median(before[brain]))
    tissue = seen & _tissue(kind, before, brain, spacing)
    _to_concentration(work, before, kind, echo_time_s)
    lit = brain & ~_gone_dark(work, kind, echo_time_s)

    def vessels(frames: int) -> tuple[tuple[Vessel, Vessel | None, bool], list[str]]:
        told: list[str] = []
        return _vessels(work, plan, brain, lit, frames, artery, vein, by, echo_time_s, told), told

    (feeding, draining, diluted), told = vessels(baseline)
    if (clean := bolus.without_tracer(feeding.curve, baseline)) < baseline:
        tracer = work[:clean].mean(axis=0)
        work -= tracer
        before = before + tracer if kind == "CT" else before
        baseline = arrival = clean
        (feeding, draining, diluted), told = vessels(baseline)
    remarks += [*told, *bolus.of_one_frame(baseline)]
    _must_be_fit(work, feeding, before, kind, echo_time_s)
    remarks += bolus.must_see_the_passage(plan, feeding.curve, float(plan.times_s[arrival]))
    tissue &= ~_large_vessels(work, brain)
    calm = intracranial.smooth_within(work, tissue, spacing, how.smooth_mm)
    course, noise = calm.mean(axis=1, dtype=np.float64), _noise(calm, baseline)
    bolus.must_come_back(course, "tissue", _TISSUE_LEFT)
    remarks += bolus.must_stand_out(float(course.max()), noise)
    if feeding.peak <= float(np.percentile(calm.max(axis=0), 99.0)):
        raise Refused(
            f"an artery with a peak of {feeding.peak:.3g}, below that of tissue",
            "it is diluted or no artery: flow would be far too large",
            "draw another",
        )
    scale = arterial.venous_scale(feeding, draining) if draining is not None and not diluted else None
    if draining is None or scale is None:
        why = "no vein was found" if draining is None else "the vein's area is below that of the artery"
        why = "they are diluted by what lies beside them" if diluted else why
        remarks.append(f"flow and volume are relative: {why}, so the dilution of the artery is unknown")
    inverse = Deconvolution(
        plan.operator @ feeding.curve * (scale or 1.0), plan.step_s, how.threshold or 0.10, how.oscillation, how.shape,
        BRAIN, float(plan.times_s[arrival]), noise,
    )  # fmt: skip
    if not how.threshold:
        inverse = replace(inverse, threshold=inverse.threshold_for(plan.operator @ course))
    found = inverse.maps(calm, plan.operator, plan.times_s)
    remarks += _of_shape(inverse, calm, plan, found)
    return _examined(
        found, tissue, spacing, by, frames.shape[2:], feeding, draining, scale, plan, moved, how,
        inverse.threshold, remarks,
    )  # fmt: skip


def _before_steady(frames: npt.NDArray[np.generic]) -> int:
    """How many frames lie before the steady state; none where the signal comes back, as after an early bolus."""
    course = frames.mean(axis=(1, 2, 3), dtype=np.float64)
    left = steady_state.unsteady(course[:_FIRST])
    fell = course[0] - course[left]
    back = float(np.median(course[-len(course) // 4 :])) - course[left]
    return 0 if back > _COMES_BACK * fell else left


def _of_shape(inverse: Deconvolution, calm: npt.NDArray[np.float32], plan: bolus.Sampling, found: Maps) -> list[str]:
    """How far the usual flow hangs on the shape of transit times that is supposed, in words."""
    if not inverse.shape:
        return [
            "flow is the bare peak, without what regularisation takes of it: where flow is high it reads far too low"
        ]
    some = slice(None, None, -(-calm.shape[1] // _SAMPLE))
    usual = float(np.median(found.cbf[some]))
    if not usual > 0.0:
        return []

    def against(shape: float) -> str:
        told = replace(inverse, shape=shape).maps(calm[:, some], plan.operator, plan.times_s)
        percent = 100.0 * (float(np.median(told.cbf)) / usual - 1.0)
        return f"{abs(percent):.0f} % {'lower' if percent < 0 else 'higher'}"

    others = ((1.0, "exponential", "shape=1"), (np.inf, "all alike", "shape=inf"))
    said = [f"{how} it would be {against(shape)} ({name})" for shape, how, name in others if shape != inverse.shape]
    return [
        f"flow supposes transit times of shape {inverse.shape:g}, which no curve tells, and the usual flow hangs on "
        f"it: were they {', were they '.join(said)}"
    ]


def _noise(curves: npt.NDArray[np.float32], baseline: int) -> float:
    """Standard deviation of the curves, from the frames before the bolus."""
    if baseline < 2:
        return float(np.sqrt(np.square(bolus.noise_of(curves)).mean()))
    return float(np.sqrt(curves[:baseline].var(axis=0, ddof=1, dtype=np.float64).mean()))


def _examined(
    found: Maps, tissue: Mask, spacing: tuple[float, float, float], by: int, plane: tuple[int, ...], feeding: Vessel,
    draining: Vessel | None, scale: float | None, plan: bolus.Sampling, moved: npt.NDArray[np.float64], how: Options,
    threshold: float, remarks: list[str],
) -> Examined:  # fmt: skip
    """Vessels off the tissue, volumes on what is left, and everything back on the grid of the images."""
    limit = _VESSEL * float(np.median(found.cbv))
    kept = np.zeros_like(tissue)
    kept[tissue] = found.cbv <= limit
    placed = []
    for values in (found.cbf, found.cbv, found.mtt_s, found.tmax_s, found.ttp_s):
        whole = np.full(tissue.shape, np.nan, np.float32)
        whole[tissue] = values
        whole[~kept] = np.nan
        placed.append(whole)
    voxel_ml = float(np.prod(spacing)) / 1000.0
    volumes = stroke.mismatch(
        np.nan_to_num(placed[0]), np.nan_to_num(placed[3]), kept, voxel_ml, core_share=how.core_share,
        delay_s=how.delay_s, smallest_ml=how.smallest_ml,
    )  # fmt: skip
    thick = tissue.shape[0] * spacing[0]
    if thick < _SLAB_MM - 1e-6:
        remarks.append(f"the slab is {thick / 10:.1f} cm thick, below 8 cm: what is ill outside it is not counted")

    def back(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return unbinned(values, by, (plane[0], plane[1]))

    volumes = stroke.Mismatch(
        back(volumes.core), back(volumes.hypoperfused), back(volumes.severe), volumes.normal_cbf,
        voxel_ml / by**2,
    )  # fmt: skip

    def vessel(one: Vessel) -> Vessel:
        return Vessel(back(one.where), one.curve, one.score, one.peak, one.peak_s, one.width_s, one.drawn)

    maps = Maps(*(back(p) for p in placed))
    return Examined(
        maps, back(kept), vessel(feeding), None if draining is None else vessel(draining), scale, plan.times_s, moved,
        volumes, threshold, tuple(remarks),
    )  # fmt: skip


def _hold_still(
    work: npt.NDArray[np.float32], spacing: tuple[float, float, float], kind: str, how: Options, remarks: list[str]
) -> tuple[npt.NDArray[np.float64], Mask]:
    everywhere = np.ones(work.shape[1:], bool)
    if how.still:
        return np.zeros(len(work)), everywhere
    reference = work[:3].mean(axis=0)
    # On CT the skull leads and contrast does not reach its range; on MR all that has signal leads.
    if kind == "CT":
        head, limits = reference > -300.0, (-300.0, 1300.0)
    else:
        head, limits = reference > 0.1 * np.percentile(reference, 99.0), (-np.inf, np.inf)
    found = motion.estimate(work, spacing, reference, head, limits)
    if not found.through:
        remarks.append(
            f"slices ({work.shape[1]}) that tell of motion within the plane alone: through them none was looked for"
        )
    furthest = float(found.largest_mm.max())
    limit = how.most_motion_voxels * max(spacing)
    if furthest > limit:
        frame = int(found.largest_mm.argmax())
        raise Refused(
            f"the head moved {furthest:.1f} mm in frame {frame + 1}",
            f"beyond {limit:.1f} mm ({how.most_motion_voxels:g} voxels) slices no longer show the same brain",
            "repeat the scan, leave the frames out, or raise most_motion_voxels",
        )
    seen = motion.undo(work, spacing, found)
    if furthest > motion.STILL * min(spacing):
        many = int(np.count_nonzero(found.largest_mm > motion.STILL * min(spacing)))
        remarks.append(f"the head moved by up to {furthest:.1f} mm: {many} of {len(work)} frames were brought back")
    return found.largest_mm, seen


def _at_one_moment(
    work: npt.NDArray[np.float32], times_s: npt.ArrayLike, slice_times_s: npt.ArrayLike, remarks: list[str]
) -> None:
    """In place: each slice as it was at the time of its frame, from its own times.

    A slice that is seen a second later than the artery would else be told as filling a second earlier than it does.
    """
    frames = len(work)
    to, own = np.asarray(times_s, np.float64)[:frames], np.asarray(slice_times_s, np.float64)[:frames]
    apart, step = float(np.ptp(own, axis=1).max()), float(np.median(np.diff(to)))
    if apart > _ONE_PASSAGE * step or (np.diff(own, axis=0) <= 0).any():
        raise Refused(
            f"slices of one frame that were measured {apart:.1f} s apart, with a frame every {step:.1f} s",
            "they do not show one passage of the bolus together",
            "send series in which every frame shows all slices",
        )
    for k in range(work.shape[1]):
        at = np.clip(to, own[0, k], own[-1, k])
        # Through two images at nearly one time a spline would run along their noise.
        along = make_interp_spline(own[:, k], np.eye(frames), 3 if np.diff(own[:, k]).min() > _EVEN * step else 1)
        work[:, k] = np.tensordot(along(at).astype(np.float32), work[:, k], 1)
    remarks.append(f"slices of a frame were measured up to {apart:.1f} s apart: each was brought to its frame's time")


def _changing(work: npt.NDArray[np.float32], brain: Mask, sign: float) -> Floats:
    """(frames, voxels) signal of the voxels of the brain that change most, rising with the tracer: vessels."""
    span = np.ptp(work, axis=0)
    most = brain & (span >= np.percentile(span[brain], 99.0))
    return np.asarray(sign * work[:, most], np.float64)


def _baseline(
    work: npt.NDArray[np.float32], times_s: Floats, brain: Mask, *, falling: bool
) -> tuple[int, int]:  # fmt: skip
    """(frames of the baseline, frames before the bolus), from the voxels that change most: vessels.

    Tissue that fills first, as where the artery lies behind a narrowing, would have tracer in its baseline: what
    lies less than 5 s before the vessels fill is left out, as far as six frames stay.
    """
    before, sign = work[:3].mean(axis=0), -1.0 if falling else 1.0
    rise = before - work.min(axis=0) if falling else work.max(axis=0) - before
    most = brain & (rise >= np.percentile(rise[brain], 99.0))
    arrival = bolus.arrival(sign * work[:, most].mean(axis=1, dtype=np.float64))
    early = int(np.count_nonzero(times_s <= times_s[arrival] - _EARLY_S))
    return max(early, min(arrival, _LEAST_BASELINE)), arrival


def _tissue(kind: str, before: Floats, brain: Mask, spacing: tuple[float, float, float]) -> Mask:
    if kind == "CT":
        tissue = intracranial.tissue_ct(before, brain, spacing)
    else:
        tissue = intracranial.tissue_mr(before, brain)
    if np.count_nonzero(tissue) < 1000:
        raise Refused(
            f"{np.count_nonzero(tissue)} voxels of brain tissue",
            "there is nothing to map",
            "choose a series that shows the brain",
        )
    return tissue


def _to_concentration(work: npt.NDArray[np.float32], before: Floats, kind: str, echo_time_s: float) -> None:
    """In place: HU above the baseline, or the change of R2* (1/s)."""
    if kind == "CT":
        work -= before.astype(np.float32)
        return
    floor = 0.01 * float(np.percentile(before, 99.0))
    start = np.maximum(before, floor).astype(np.float32)
    for frame in work:
        np.log(np.maximum(frame, floor) / start, out=frame)
        frame *= np.float32(-1.0 / echo_time_s)


def _large_vessels(work: npt.NDArray[np.float32], brain: Mask) -> Mask:
    """Voxels that tower over the tissue, taken off before smoothing spreads them."""
    top = in_plane.highest_mean(work)
    return np.asarray(top > _VESSEL * float(np.median(top[brain])))


def _vessels(
    work: npt.NDArray[np.float32], plan: bolus.Sampling, brain: Mask, lit: Mask, baseline: int, artery: Mask | None,
    vein: Mask | None, by: int, echo_time_s: float, remarks: list[str],
) -> tuple[Vessel, Vessel | None, bool]:  # fmt: skip
    """Artery and vein, and whether both lie at the rims of vessels that lose their signal."""

    def drawn(mask: Mask) -> Vessel:
        return arterial.given(work, plan.times_s, binned(mask[None].astype(np.float32), by)[0] >= 0.5 / by)

    where = brain
    if artery is None:
        feeding = arterial.artery(work, plan.times_s, brain, baseline)
        if (feeding.where & ~lit).any():
            feeding, where = _of_lit(work, plan, feeding, brain, lit, baseline, echo_time_s, remarks)
    else:
        feeding = drawn(artery)
    if vein is None:
        draining = arterial.vein(work, plan.times_s, where, baseline, feeding)
    else:
        draining = drawn(vein)
    if draining is not None and not draining.drawn and draining.curve[-2:].mean() > 0.5 * draining.peak:
        remarks.append("the vein is cut off by the end of the scan; it was not used")
        draining = None
    return feeding, draining, where is not brain


def _gone_dark(work: npt.NDArray[np.float32], kind: str, echo_time_s: float) -> Mask:
    """Voxels of MR whose signal is gone in two frames, so that their peak is not known."""
    if kind != "MR":
        return np.zeros(work.shape[1:], np.bool_)
    return np.asarray(np.count_nonzero(work > -np.log(bolus.GONE) / echo_time_s, axis=0) >= 2)


def _of_lit(
    work: npt.NDArray[np.float32], plan: bolus.Sampling, dark: Vessel, brain: Mask, lit: Mask, baseline: int,
    echo_time_s: float, remarks: list[str],
) -> tuple[Vessel, Mask]:  # fmt: skip
    """An artery among voxels that keep their signal, as at the rim of one that does not, and where to look for a vein.

    What keeps more than half of its signal may be tissue: then the dark one stays, and is refused.
    """
    try:
        other = arterial.artery(work, plan.times_s, lit, baseline)
    except Refused:
        return dark, brain
    if other.peak < -np.log(_RIM) / echo_time_s or other.peak_s > dark.peak_s + _LATER_S:
        return dark, brain
    remarks.append(
        f"{np.count_nonzero(brain & ~lit)} voxels lose all signal while the bolus passes: artery and vein were chosen "
        "among the others"
    )
    return other, lit


def _must_be_fit(work: npt.NDArray[np.float32], feeding: Vessel, before: Floats, kind: str, echo_time_s: float) -> None:
    bolus.must_come_back(feeding.curve, "the artery")
    where = feeding.where
    if kind == "CT":
        bolus.must_not_be_saturated(np.median(work[:, where] + before[where], axis=1), "the artery")
    else:
        left = np.exp(-echo_time_s * feeding.curve)
        bolus.must_keep_signal(left, "the artery")
