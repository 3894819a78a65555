"""Dynamic contrast-enhanced MR: how fast contrast agent leaves the vessels, and how much room it finds."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue import drawn_vessel, one_scan
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.catalogue.plasma_curve import ENHANCED, arrival, clean_frames, drawn_blood, motion_of, populations
from isocenter.catalogue.t1_map import in_ms, is_t1_map
from isocenter.dicom.moment import moment_s
from isocenter.errors import Refused
from isocenter.methods import steady_state
from isocenter.methods.bolus import lost_between, noise_of, told_holes
from isocenter.methods.dce import Fit, fit
from isocenter.methods.relaxation import concentration, t1_from_angles
from isocenter.record import Code, Curve, Finding, Measurement, codes
from isocenter.space import Reference, Region, Volume

__all__ = ["Permeability"]

_LEAST_FRAMES, _LONG_ENOUGH_S, _LEAST_VOXELS = 20, 300.0, 4
_HALF_DAY_S = 43200.0
_LEFT_NOISE, _LEFT_SHARE = 2.0, 0.04  # of noise, and of the peak of the curves, that a model may leave
_LATE_ECHO_MS = 15.0
_ARRIVES_S = 20.0  # in which a curve hangs on each frame
_WIDEST_S = {"drawn": 10.0, "population": 6.0}  # between two frames then, where some are lost
_FIRST = 12  # frames among which the steady state begins
_RELAXIVITY = (0.5, 50.0)  # L/mmol/s, gadolinium to iron oxide
_NOT_SPOILED = (
    "concentration follows from the steady state of a spoiled gradient echo, which this is not",
    "send the T1-weighted gradient echo",
)
_ON_ITS_WAY = (
    "concentration follows from the steady state of a spoiled gradient echo, to which magnetisation is on its way here",
    "send a T1-weighted gradient echo without preparation",
)
_KEPT = {"FREE_PRECESSION", "TRANSVERSE", "TIME_REVERSED"}  # transverse magnetisation lives on to the next pulse
_BY_PHASE = {"RF", "RF_AND_GRADIENT"}
_TURBO_FLASH = re.compile(r"\*?tfl", re.IGNORECASE)  # as Siemens names it
_SAID: dict[str, tuple[Code, str, str]] = {
    "ktrans": (codes.KTRANS, "/min", "Ktrans"),
    "ps": (codes.PERMEABILITY_SURFACE, "/min", "PS"),
    "fp": (codes.PLASMA_FLOW, "mL/(100.mL)/min", "Fp"),
    "ve": (codes.VE, "1", "ve"),
    "vp": (codes.VP, "1", "vp"),
    "delay_s": (codes.ARRIVAL_DELAY, "s", "delay"),
}
_OF_ANGLES = " of the images at flip angles: none states it, or it differs between them"
_NEEDS_LENGTH = ("ve",)
_MOSTLY = 50.0  # per cent of a region
_NO_SIGNAL = 0.05  # of what is bright

Mask = npt.NDArray[np.bool_]
Array = npt.NDArray[np.float64]


def _is_early(facts: Mapping[str, Any]) -> bool:
    """Whether a series is none of those of susceptibility, which agent darkens: echo planar, read late.

    >>> _is_early({"ScanningSequence": ["EP", "GR"], "EchoTime": 30.0}), _is_early({"EchoTime": 2.0})
    (False, True)
    """
    echo = facts.get("EchoTime")
    planar = "EP" in (facts.get("ScanningSequence") or []) or facts.get("EchoPlanarPulseSequence") == "YES"
    return not (planar and isinstance(echo, int | float) and echo > _LATE_ECHO_MS)


class Permeability:
    """How permeable are the vessels of a tissue (Ktrans, PS), and how large are its spaces (ve, vp)?"""

    name, version = "permeability", "20"
    needs: ClassVar[Mapping[str, Need]] = {
        "dynamic": Need(
            modality="MR",
            axis="time",
            at_least=_LEAST_FRAMES,
            better=one_scan.is_signal,
            only=("no late echo planar image", _is_early),
        ),
        "angles": Need(modality="MR", gives="volumes", axis="flip", optional=True),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
        "t1_map": Need(modality="MR", only=("a map of T1", is_t1_map), at_most=512, optional=True),
    }
    yields = (
        Yield(what=codes.ENHANCEMENT, units=("/min", "1", "mL/(100.mL)/min", "s", "%", "ms")),
        *(Yield(what=code, units=(unit,)) for code, unit, _ in _SAID.values()),
        Yield(what=codes.EXCLUDED_SHARE, units=("%",)),
        Yield(what=codes.T1, units=("ms",)),
        Yield(maps=tuple(name for _, _, name in _SAID.values())),
    )
    limits = Limits(seconds=180.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Map permeability on a spoiled gradient-echo series while contrast agent arrives.",
        "not_for": "Grading a tumour or its response by one number; comparing values of different programs.",
        "sources": ("Tofts 1999", "Sourbron and Buckley 2012", "Parker 2006", "QIBA Profile DCE-MRI"),
        "limits": (
            "Inflow, B1 and motion are not corrected.",
            "With a population's artery, or frames more than 3 s apart, flow and plasma volume can be off by a "
            "tenth to a fifth.",
            "The walk from images is verified on phantoms only.",
        ),
        "level": "fits validated on the OSIPI and QIBA objects; the walk from images verified on a phantom only",
    }

    def run(
        self,
        dynamic: Volume,
        angles: tuple[Volume, ...] | None,
        drawn: tuple[Region, ...] | None,
        t1_map: Volume | None = None,
        *,
        model: Literal["extended_tofts", "tofts", "patlak", "2cum", "2cxm"] = "extended_tofts",
        artery: Literal["drawn or parker", "drawn", "parker", "georgiou"] = "drawn or parker",
        t1_ms: float = 0.0,
        blood_t1_ms: float = 1600.0,
        haematocrit: float = 0.42,
        relaxivity: float = 4.5,
        baseline_frames: int = 0,
        fit_delay: bool = False,
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Fit one model to a dynamic series.

        Args:
            dynamic: spoiled gradient echoes with a time axis; Repetition Time and Flip Angle must be in the header.
            angles: the same slices at several flip angles before contrast, for T1, in one series or each in its own.
            drawn: a region named artery or AIF; every other region is measured. Without any, what enhances is.
            t1_map: T1 before contrast on the same slices, taken where no flip angles are there.
            model: of exchange, see the page.
            artery: whose curve: the drawn region's, or that of a population, arriving when tissue begins to enhance.
            t1_ms: of the tissue before contrast, where no flip angles are there; 0 declines then.
            blood_t1_ms: of blood before contrast, for a drawn artery.
            haematocrit: share of cells in blood.
            relaxivity: of the agent, L/mmol/s.
            baseline_frames: frames before the agent arrives; 0 looks for the arrival.
            fit_delay: whether the arrival in each voxel is fitted as well.
            other_grid: a mask of coarser voxels than the series: ``nearest`` brings it there.

        Raises:
            Refused: for a series from which no concentration follows; the message says why.
        """
        frames, times, left = _frames(one_scan.on_one_scale(dynamic))
        if not 0.2 <= haematocrit <= 0.65:
            raise Refused(
                f"a haematocrit of {haematocrit:g}",
                "blood has 0.2 to 0.65: percent may have been given",
                "give a fraction, such as 0.42",
            )
        if not _RELAXIVITY[0] <= relaxivity <= _RELAXIVITY[1]:
            raise Refused(
                f"a relaxivity of {relaxivity:g} L/mmol/s",
                f"agents have {_RELAXIVITY[0]:g} to {_RELAXIVITY[1]:g}: L/mol/s may have been given",
                "give L/mmol/s",
            )
        one_scan.must_be_magnitude(dynamic)
        if fault := _unlike(dynamic):
            raise Refused(*fault)
        tr, flip = _stated(dynamic, "RepetitionTime"), _stated(dynamic, "FlipAngle")
        remarks: list[str] = [
            f"haematocrit {haematocrit:g}, relaxivity {relaxivity:g} L/mmol/s",
            *steady_state.told(left),
            *one_scan.timing(dynamic),
            *_slices_apart(dynamic),
            *_prepared(dynamic),
            *motion_of(frames, times),
        ]
        source, places = _regions(dynamic, drawn, other_grid, remarks)
        first = max(1, baseline_frames - left) if baseline_frames else arrival(frames)
        own = source is not None and artery.startswith("drawn")
        drawn_on = source if own else None, [mask for _, mask in places]
        clean = first if baseline_frames or not first else clean_frames(frames, first, *drawn_on)
        if baseline_frames:
            remarks += _with_agent(frames, first, *drawn_on)
        remarks += _lost(times, clean, own=own)
        if first == 0:
            return Answer.none(reasons=("nothing enhances: no contrast agent arrives in this series", *remarks))
        if not places:
            places = [("enhancing tissue", _enhancing(frames, first, source))]
            remarks.append("no region is drawn: all that enhances was measured")
            if places[0][1].sum() < _LEAST_VOXELS:
                return Answer.none(reasons=("nothing enhances but vessels", *remarks))
        remarks += _without_signal(frames, first, places)
        where = np.logical_or.reduce([mask for _, mask in places])
        t1 = _t1(dynamic, angles, t1_map, where, t1_ms, remarks)
        usable = np.isfinite(t1) & (t1 >= 50.0) & (t1 <= 5000.0)
        at = np.flatnonzero(where.ravel())[usable]
        if len(at) < _LEAST_VOXELS:
            raise Refused("no voxel with a plausible T1", "concentration does not follow", "look at the flip angles")
        made = concentration(
            frames.reshape(len(times), -1)[:, at], tr_ms=tr, flip_deg=flip, t1_ms=t1[usable], baseline=clean,
            relaxivity_per_mm_s=relaxivity,
        )  # fmt: skip
        possible = np.isfinite(made).all(axis=0)
        if not possible.any():
            raise Refused(
                "signal that no concentration makes",
                "repetition time or flip angle are not what they say",
                "correct them, or send the series as it was acquired",
            )
        if own:
            assert source is not None
            blood, whose = drawn_blood(frames, source, clean, tr, flip, blood_t1_ms, relaxivity)
            plasma = blood / (1.0 - haematocrit)
        else:
            tissue = None if fit_delay else made[:, possible].mean(axis=1)
            plasma, whose = populations(frames, times, artery, first, haematocrit, model, tissue)
        remarks.append(whose)
        found = fit(model, times, np.ascontiguousarray(made[:, possible].T), plasma, fit_delay=fit_delay)
        lasts = times[-1] - times[0] + float(np.median(np.diff(times)))
        long_enough = lasts >= _LONG_ENOUGH_S - 1e-3
        if not long_enough:
            remarks.append(f"the series lasts {lasts:.0f} s: too short for ve (5 minutes), which is not given")
        names = [n for n in found.values if long_enough or n not in _NEEDS_LENGTH]
        voxels = at[possible]
        findings, measured = [], []
        for label, mask in places:
            numbers = _numbers(found, names, voxels, mask, label, model)
            if numbers:
                region = Region(dynamic.geometry, mask=mask, series_uid=dynamic.series_uid, label=label)
                words = f"{label}: " + ", ".join(
                    f"{m.what} {m.value:.3g} {'' if m.unit == '1' else m.unit}".strip() for m in numbers[:3]
                )
                findings.append(
                    Finding(codes.ENHANCEMENT, where=region, measurements=tuple(numbers), words=f"{words} ({model}).")
                )
                measured += numbers
                remarks += _misfit(found, made[:, possible], voxels, mask, label, model)
                remarks += _mostly_left_out(found, names, voxels, mask, label, numbers)
            else:
                remarks.append(f"{label}: not measured, in no voxel do T1, signal and model give a plausible fit")
        if not findings:
            raise Refused(
                f"{len(places)} region{'s'[: len(places) != 1]} in no voxel of which {model} gives a plausible fit",
                "T1 or signal are impossible, or a parameter ends at a bound, as flow that the curves cannot tell",
                "look at flip angles and artery, or take a model with fewer parameters",
            )
        maps = {_SAID[n][2]: dynamic.like(_map(found, n, voxels, dynamic), quantity=_SAID[n][2], unit=_SAID[n][1])
                for n in names}  # fmt: skip
        curve = _curve(times, plasma, made[:, possible], voxels, places)
        more: dict[str, Any] = {"maps": maps, "curves": (curve,), "reasons": tuple(remarks)}
        return Answer.found(*findings, measurements=tuple(measured), **more)


def _frames(dynamic: Volume) -> tuple[Array, Array, int]:
    """Frames of the steady state, their times in seconds, and how many lay before it."""
    if dynamic.geometry.reference is not Reference.PATIENT or [a.name for a in dynamic.axes] != ["time"]:
        raise Refused(
            f"a series along {[a.name for a in dynamic.axes]}",
            "a bolus needs frames of the same slices",
            "choose the dynamic series",
        )
    axis = dynamic.axis("time")
    if axis.unit != "s":
        raise Refused("frames whose times the header does not state", "rates are per time", "complete Acquisition Time")
    if len(axis) < _LEAST_FRAMES:
        raise Refused(
            f"{len(axis)} frames",
            f"fewer than {_LEAST_FRAMES} carry no model of exchange",
            "choose the dynamic series with all its frames",
        )
    frames = np.asarray(dynamic.array, np.float64)
    if not np.isfinite(frames).all() or not np.ptp(frames) > 0:
        raise Refused(
            "images without content, or with values that are not numbers",
            "no curve follows from them",
            "send the series again",
        )
    left = steady_state.unsteady(frames[:_FIRST].mean(axis=(1, 2, 3)))
    return frames[left:], np.array([float(v) for v in axis.values])[left:], left


def _slices_apart(dynamic: Volume) -> tuple[str, ...]:
    own = dynamic.facts.get("SliceTimes")
    if own is None:
        return ()
    apart = float(np.ptp(np.asarray(own, np.float64), axis=1).max())
    return (
        f"slices of a frame were measured up to {apart:.1f} s apart, which is not corrected: fit_delay allows for it",
    )


def _with_agent(frames: Array, stated: int, artery: Mask | None, places: list[Mask]) -> tuple[str, ...]:
    clean = 0
    with contextlib.suppress(Refused):  # it is there from the first frame
        clean = clean_frames(frames, stated, artery, places)
    if stated <= clean + 1:
        return ()
    return (
        f"WARNING: of the {stated} frames that were stated as the baseline agent is there after {clean + 1}: all "
        "concentrations are too low, and Ktrans can be several times off",
    )


def _lost(times: Array, first: int, *, own: bool) -> list[str]:
    """What is to be said of frames that are missing between others.

    Args:
        own: whether the artery is that of the scan, whose curve misses the same frames.

    Raises:
        Refused: when they hide more of the arrival of the agent than 10 s, or 6 s with a population's artery.
    """
    holes = [(float(times[n]), float(times[n + 1])) for n in np.flatnonzero(lost_between(times))]
    arrives = float(times[first]) if first else np.inf
    during = [(a, b) for a, b in holes if b > arrives and a < arrives + _ARRIVES_S]
    if any(b - a > _WIDEST_S["drawn" if own else "population"] for a, b in during):
        raise Refused(
            f"no whole image {told_holes(during)}, while the agent arrives",
            f"the first {_ARRIVES_S:g} s tell blood from tissue: without them Ktrans and vp can be off by half",
            "send the series again, complete",
        )
    if during:
        return [
            f"WARNING: no whole image {told_holes(during)}, while the agent arrives: Ktrans may be off by a fifth, vp "
            f"by {'a fifth' if own else 'half'}"
        ]
    return [f"no whole image {told_holes(holes)}, where others follow each other closer"] if holes else []


def _unlike(images: Volume) -> tuple[str, str, str] | None:
    """What keeps images from being the steady state of a spoiled gradient echo, by their header; None where nothing."""
    echoes, variant = _words(images, "ScanningSequence"), _words(images, "SequenceVariant")
    spoiling = _words(images, "Spoiling")
    # GE calls some of its gradient echoes RM (research mode), which says nothing; that they are spoiled, it says.
    gradient = "GR" in echoes or ("RM" in echoes and "SP" in variant)
    if echoes and (not gradient or echoes & {"SE", "IR"}):
        return (f"Scanning Sequence {', '.join(sorted(echoes))}", *_NOT_SPOILED)
    # GE writes SS beside SP for its spoiled echoes, so SS alone tells of one that is not.
    if variant & {"SS", "TRSS"} and "SP" not in variant:
        return (f"Sequence Variant {', '.join(sorted(variant))}", *_NOT_SPOILED)
    kept = _words(images, "SteadyStatePulseSequence") & _KEPT
    if kept and not spoiling & _BY_PHASE:
        return (f"Steady State Pulse Sequence {', '.join(kept)}", *_NOT_SPOILED)
    if "NONE" in spoiling:
        return ("Spoiling NONE", *_NOT_SPOILED)
    for keyword, words in (("InversionRecovery", "Inversion Recovery"), ("SaturationRecovery", "Saturation Recovery")):
        if "YES" in _words(images, keyword):
            return (f"{words} YES", *_ON_ITS_WAY)
    named = str(images.facts.get("SequenceName") or images.facts.get("PulseSequenceName") or "").strip()
    if _TURBO_FLASH.match(named):
        return (f"Sequence Name {named}, a turbo FLASH", *_ON_ITS_WAY)
    return None


def _prepared(dynamic: Volume) -> tuple[str, ...]:
    if "MP" not in _words(dynamic, "SequenceVariant"):
        return ()
    return (
        "WARNING: Sequence Variant MP: magnetisation was prepared before the echoes. Where that was inversion or "
        "saturation, and not that of fat alone, no concentration follows as it was taken here, and all numbers are "
        "wrong",
    )


def _words(dynamic: Volume, keyword: str) -> set[str]:
    said = dynamic.facts.get(keyword) or []
    return {str(w).strip().upper() for w in ([said] if isinstance(said, str) else said)}


def _stated(dynamic: Volume, keyword: str, whose: str = "") -> float:
    value = dynamic.facts.get(keyword)
    if not isinstance(value, (int, float)):
        raise Refused(
            f"no {keyword}{whose}", "concentration does not follow from signal without it", "complete the header"
        )
    return float(value)


def _regions(
    dynamic: Volume, drawn: tuple[Region, ...] | None, other_grid: OtherGrid, remarks: list[str]
) -> tuple[Mask | None, list[tuple[str, Mask]]]:
    artery, places = None, []
    feeding = drawn_vessel.named(drawn or (), drawn_vessel.ARTERY, "an artery")
    for region in drawn or ():
        region.must_be_placed()
        if region.mask is None or not region.voxels:
            continue
        if region is not feeding and drawn_vessel.ARTERY.search(region.label):
            remarks.append(f"'{region.label}' is neither the arterial input nor measured: its name is an artery's")
            continue
        moved, told = laid(region, dynamic.geometry, other_grid, mean=True)
        mask = moved.mask
        if mask is None or not mask.any():
            continue
        remarks += told
        if region is feeding:
            artery = mask
            remarks.append(f"arterial input: '{region.label}'")
        else:
            places.append((region.label or "drawn region", mask))
    if drawn and artery is None and not places:
        raise Refused("drawn regions without voxels on the images", "there is nothing to measure", "draw them again")
    return artery, places


def _without_signal(frames: Array, first: int, places: list[tuple[str, Mask]]) -> list[str]:
    """Words on regions that lie in air or beside the body: noise has a concentration, too."""
    before = frames[:first].mean(axis=0)
    lit = before > _NO_SIGNAL * np.percentile(before, 98)
    dark = [(label, 100.0 * float((mask & ~lit).sum()) / float(mask.sum())) for label, mask in places]
    return [
        f"WARNING: {label}: {share:.0f} % of it has no signal before the agent: it lies in air, or its outline is of "
        "another series"
        for label, share in dark
        if share > _MOSTLY
    ]


def _enhancing(frames: Array, first: int, artery: Mask | None) -> Mask:
    before = frames[: max(first, 1)].mean(axis=0)
    late = frames[2 * len(frames) // 3 :].mean(axis=0)
    lit = (before > 0.2 * np.percentile(before, 98)) & (late > (1 + ENHANCED) * before)
    return np.asarray(lit if artery is None else lit & ~artery)


def _t1(
    dynamic: Volume, angles: tuple[Volume, ...] | None, made: Volume | None, where: Mask, given_ms: float,
    remarks: list[str],
) -> Array:  # fmt: skip
    """T1 of each voxel in `where`."""
    early = [v for v in angles or () if _is_before(v, dynamic)]
    before = tuple(_once(v) for v in early if _unlike(v) is None)
    fitting = [v for v in one_scan.joined(before, "flip") if v.geometry.same_grid(dynamic.geometry)]
    # Of fat and water, or magnitude and phase, those of the kind that the scan is.
    fitting = [v for v in fitting if _kind(v) == _kind(dynamic)] or fitting
    if fitting and not given_ms:
        chosen = max(fitting, key=lambda v: len(v.axes[0]))
        found = t1_from_angles(
            np.asarray(chosen.array, np.float64)[:, where], _stated(chosen, "RepetitionTime", _OF_ANGLES),
            [float(v) for v in chosen.axes[0].values],
        )  # fmt: skip
        remarks.append(f"T1 from {len(chosen.axes[0])} flip angles, without a map of B1")
        return found.t1_ms
    if made is not None and not given_ms and (found_ms := _of_map(dynamic, made, where, remarks)) is not None:
        return found_ms
    if not given_ms:
        late, other = len(angles or ()) - len(early), len(early) - len(before)
        aside = sum(not v.geometry.same_grid(dynamic.geometry) for v in before)
        told = f" ({late} of the series at flip angles began after the first frame)" if late else ""
        told += f" ({other} of the series at flip angles are no spoiled gradient echoes)" if other else ""
        told += f" ({aside} of the series at flip angles lie on other voxels than the frames)" if aside else ""
        raise Refused(
            f"no T1 before contrast{told}",
            "concentration follows from signal only with it",
            "send several flip angles or a map of T1 on the same slices, or give t1_ms",
        )  # fmt: skip
    if not 50.0 <= given_ms <= 5000.0:
        raise Refused(
            f"t1_ms {given_ms:g}", "tissue has 50 to 5,000 ms: seconds may have been given", "give milliseconds"
        )
    remarks.append(f"T1 of {given_ms:g} ms was supposed everywhere")
    return np.full(int(where.sum()), given_ms)


def _once(images: Volume) -> Volume:
    """Images that were measured several times at a flip angle, or at each: the median of the times."""
    names = [a.name for a in images.axes]
    if "time" not in names or len(images.axis("time")) >= _LEAST_FRAMES:
        return images
    scaled = one_scan.on_one_scale(images)
    facts = {k: v for k, v in scaled.facts.items() if k not in ("PerPhase", "PerImage", "SliceTimes")}
    if scaled is not images:
        facts |= {"RescaleSlope": 1.0, "PhilipsScaleSlope": 1.0}
    return replace(
        scaled,
        array=np.median(scaled.array, axis=names.index("time")).astype(np.float32),
        axes=tuple(a for a in scaled.axes if a.name != "time"),
        facts=facts,
    )


def _of_map(dynamic: Volume, made: Volume, where: Mask, remarks: list[str]) -> Array | None:
    """T1 by a scanner's map; None where it is no map of this place from before contrast, which is told."""
    if made.axes or not made.geometry.same_grid(dynamic.geometry):
        remarks.append("a map of T1 is there, on other voxels than the series: it was not used")
        return None
    if not _is_before(made, dynamic):
        remarks.append("a map of T1 is there, made after the first frame: it was not used")
        return None
    values, unit = in_ms(made, where)
    remarks.append(f"T1 from a map that the scanner made, {unit}")
    return values


def _kind(images: Volume) -> tuple[str, str]:
    return one_scan.component(images), one_scan.dixon_part(images)


def _is_before(images: Volume, dynamic: Volume) -> bool:
    """Whether images were made no later than the first frame; so they are taken where the headers do not tell.

    Where both bear one day, or no day, and lie more than half a day apart, midnight came between them.
    """
    for of in ("Acquisition", "Content"):
        (own_day, own), (first_day, first) = (_made(volume, of) for volume in (images, dynamic))
        if not own_day or not first_day:
            own_day = first_day = ""
        made_s, begun_s = moment_s(own_day, own), moment_s(first_day, first)
        if made_s is None or begun_s is None:
            continue
        apart = begun_s - made_s
        if _HALF_DAY_S < abs(apart) < 2 * _HALF_DAY_S:
            apart -= 2 * _HALF_DAY_S * np.sign(apart)
        times = next((a for a in images.axes if a.name == "time" and len(a) < _LEAST_FRAMES), None)
        lasts = float(times.values[-1]) if times is not None and times.unit == "s" else 0.0
        return bool(apart >= lasts)
    return True


def _made(volume: Volume, of: str) -> tuple[str, str]:
    """Day and time of day of its first image, each empty where the header does not tell it."""
    whole = str(volume.facts.get(f"{of}DateTime") or "")
    day, clock = whole[:8], whole[8:].partition("+")[0].partition("-")[0]
    if not clock:
        day, clock = (str(volume.facts.get(f"{of}{word}") or "") for word in ("Date", "Time"))
    return day or str(volume.facts.get("SeriesDate") or ""), clock


def _numbers(found: Fit, names: list[str], voxels: Any, mask: Mask, label: str, model: str) -> list[Measurement]:
    inside = mask.ravel()[voxels]
    if not inside.any():
        return []
    said, bad = [], _no_measurement(found, names)
    for name in names:
        code, unit, short = _SAID[name]
        values = found.values[name][inside & ~bad & ~found.at_bound[name]]
        if len(values) >= _LEAST_VOXELS:
            words = f"{label}: median of {short}, {model}"
            said.append(Measurement(code, float(np.median(values)), unit, definition=words))
    share = 100.0 * (1.0 - float((inside & ~bad).sum()) / max(1, int(mask.sum())))
    words = f"{label}: a bound was hit, T1 or signal impossible"
    return [*said, Measurement(codes.EXCLUDED_SHARE, share, "%", definition=words)] if said else []


def _no_measurement(found: Fit, names: list[str]) -> npt.NDArray[np.bool_]:
    """(voxels,) whether a fit did not end, or ended at a bound."""
    sealed = found.values["ktrans" if "ktrans" in found.values else "ps"] == 0.0
    bad = ~found.converged
    for name in names:
        # What does not leak has no ve: that says nothing against its leak of zero.
        bad = bad | found.at_bound[name] & ~(sealed & (name == "ve"))
    return bad


def _mostly_left_out(
    found: Fit, names: list[str], voxels: Any, mask: Mask, label: str, numbers: list[Measurement]
) -> list[str]:
    """What is to be said where medians are of the lesser part of a region: which bound the others ended at."""
    share = next(m.value for m in numbers if m.what == codes.EXCLUDED_SHARE)
    if share <= _MOSTLY:
        return []
    inside = mask.ravel()[voxels] & _no_measurement(found, names)
    ended = {n: 100.0 * float(found.at_bound[n][inside].sum()) / max(1, int(mask.sum())) for n in names}
    most = max(ended, key=lambda n: ended[n])
    bound = f", in {ended[most]:.0f} % {_SAID[most][2]} ended at a bound of what is looked for" if ended[most] else ""
    return [
        f"WARNING: {label}: {share:.0f} % of its voxels were left out{bound}: its numbers are those of the others and "
        "not of the region. See whether T1, haematocrit and artery are right, or draw the tissue alone"
    ]


def _misfit(found: Fit, made: Array, voxels: Any, mask: Mask, label: str, model: str) -> list[str]:
    """What is to be said where a model does not follow the curves of a region: it leaves more than their noise."""
    inside = mask.ravel()[voxels]
    curves = made[:, inside]
    left, top = float(np.median(found.error[inside])), float(np.median(curves.max(axis=0)))
    usual = float(np.median(noise_of(curves)))
    if left <= _LEFT_NOISE * usual or left <= _LEFT_SHARE * top:
        return []
    return [
        f"WARNING: {label}: {model} leaves {100 * left / top:.0f} % of the peak of the curves, more than twice their "
        "noise: another model may hold, or agent that comes later than in the artery (fit_delay)"
    ]


def _map(found: Fit, name: str, voxels: Any, dynamic: Volume) -> npt.NDArray[np.float32]:
    out = np.full(dynamic.geometry.shape, np.nan, np.float32)
    out.ravel()[voxels] = np.where(found.at_bound[name], np.nan, found.values[name])
    return out


def _curve(times: Array, plasma: Array, made: Array, voxels: Any, places: list[tuple[str, Mask]]) -> Curve:
    lines = {"plasma": tuple(float(v) for v in plasma)}
    for label, mask in places[:5]:
        inside = mask.ravel()[voxels]
        if inside.any():
            lines[label] = tuple(float(v) for v in made[:, inside].mean(axis=1))
    return Curve("Contrast agent", tuple(float(t) for t in times), "time", "s", lines, "mmol/L")
