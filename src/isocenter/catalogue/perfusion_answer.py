"""What CT and MR perfusion of the brain both say: maps, vessels, volumes, trial rules, in codes and words."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.protocol import Answer, Yield
from isocenter.catalogue.drawn_vessel import ARTERY, VEIN, named
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.catalogue.one_scan import on_one_scale, timing
from isocenter.errors import Refused
from isocenter.record import Curve, Finding, Measurement, Threshold, Urgency, codes
from isocenter.space import Reference, Region, Volume

if TYPE_CHECKING:
    from isocenter.methods.arterial import Vessel
    from isocenter.methods.brain_perfusion import Examined, Options

__all__ = ["FLOW", "HOURS_UNKNOWN", "YIELDS", "age_years", "bolus_frames", "examined", "told", "vessels_of"]

FLOW, CONTENT = "mL/(100.g)/min", "mL/(100.g)"
HOURS_UNKNOWN = -1.0
_POINT_MM = 3.0
_BEHIND_S = 1.0  # that an artery may fill after half of the tissue
_NAMES = {"artery": (ARTERY, "an artery"), "vein": (VEIN, "a vein")}

YIELDS = (
    Yield(what=codes.ISCHEMIC_CORE, urgency=Urgency.NOW, units=("mL", FLOW, "s", "%")),
    Yield(what=codes.PENUMBRA, urgency=Urgency.NOW, units=("mL", FLOW, "s", "{ratio}")),
    Yield(what=codes.ARTERIAL_INPUT, units=("[hnsf'U]", "1/s", "s", "{score}", "1")),
    Yield(what=codes.VENOUS_OUTPUT),
    *(
        Yield(what=code, units=units)
        for code, units in (
            (codes.VOLUME, ("mL",)),
            (codes.CBF, (FLOW,)),
            (codes.RELATIVE_CBF, (FLOW,)),
            (codes.CBV, (CONTENT,)),
            (codes.RELATIVE_CBV, (CONTENT,)),
            (codes.MTT, ("s",)),
            (codes.TMAX, ("s",)),
            (codes.TTP, ("s",)),
            (codes.MISMATCH_VOLUME, ("mL",)),
            (codes.MISMATCH_RATIO, ("{ratio}",)),
            (codes.HYPOPERFUSION_INTENSITY, ("{ratio}",)),
            (codes.TRIAL_RULE, ("1",)),
            (codes.HEAD_MOTION, ("mm",)),
        )
    ),
    Yield(maps=("CBF", "CBV", "MTT", "Tmax", "TTP")),
)


def bolus_frames(series: Volume) -> tuple[npt.NDArray[Any], tuple[float, ...]]:
    """(frames, slices, rows, columns) and their times, seconds.

    Raises:
        Refused: when the series has no time axis, its times are not known, or its tube voltage changes.
    """
    names = [a.name for a in series.axes if len(a) > 1]
    if "energy" in names or len(set(_per_frame(series.facts, "KVP"))) > 1:
        raise Refused(
            "tube voltage that changes from frame to frame",
            "the same tracer brightens more at a lower voltage: curves would show the voltage",
            "repeat at one voltage",
        )
    if names != ["time"]:
        raise Refused(
            f"a series that varies along {', '.join(names) or 'nothing'}",
            "a bolus needs images of the same slices, one time after another",
            "give the dynamic series",
        )
    axis = series.axis("time")
    if axis.unit != "s":
        raise Refused("frames whose times the header does not state", "flow is per second", "complete Acquisition Time")
    shape = (len(axis), *series.geometry.shape)
    return series.array.reshape(shape), tuple(float(v) for v in axis.values)


def _per_frame(facts: Mapping[str, Any], keyword: str) -> list[Any]:
    table = facts.get("PerPhase") or {}
    return list(table.get(keyword, []))


def examined(
    bolus: Volume,
    vessels: tuple[Region, ...] | None,
    places_mm: Mapping[str, str],
    kind: Literal["CT", "MR"],
    *options: float | bool,
    other_grid: OtherGrid = "refuse",
) -> tuple[Examined, Options, tuple[str, ...]]:
    """Maps and volumes of a CT or MR bolus series, the options that they were made with, and remarks on the vessels.

    Args:
        places_mm: of artery and vein, as `vessels_of` takes them.
        options: the fields of `Options`, in their order.
        other_grid: what becomes of a mask of a vessel on other voxels than the series.

    Raises:
        Refused: for a series that cannot be deconvolved; the message says what is missing.
    """
    from isocenter.methods.brain_perfusion import Options, examine  # a compiler comes with it: not at every start

    if bolus.geometry.reference is not Reference.PATIENT:
        raise Refused(
            f"images in {bolus.geometry.reference.value} coordinates",
            "volumes need millimetres",
            "send the series with Image Position and Image Orientation (Patient)",
        )
    frames, times_s = bolus_frames(on_one_scale(bolus))
    if not np.isfinite(frames[0]).all():
        raise Refused(
            "images with values that are not numbers", "curves over them would be none", "send the series again"
        )
    echo = bolus.facts.get("EchoTime") if kind == "MR" else 0.0
    if not isinstance(echo, (int, float)):
        raise Refused("no Echo Time", "relaxation is signal over echo time", "complete the header")
    places, said = vessels_of(bolus, vessels, places_mm, other_grid)
    how = Options(*options)  # type: ignore[arg-type]
    found = examine(
        frames, times_s, bolus.geometry.disk_mm, kind=kind, echo_time_s=float(echo) / 1000.0,
        slice_times_s=bolus.facts.get("SliceTimes"), artery=places["artery"], vein=places["vein"], options=how,
    )  # fmt: skip
    return found, how, said


def vessels_of(
    series: Volume, drawn: tuple[Region, ...] | None, points_mm: Mapping[str, str], other_grid: OtherGrid = "refuse"
) -> tuple[dict[str, npt.NDArray[np.bool_] | None], tuple[str, ...]]:
    """Masks of artery and vein that a person chose, on the grid of the series; None to let the program choose.

    Then what is to be said of them.

    Args:
        drawn: regions; one whose name says artery or AIF, vein or VOF is taken.
        points_mm: "artery" and "vein" -> "x y z" in patient millimetres, or empty; 3 mm around it are taken.

    Raises:
        Refused: for a point that is none, a mask of coarser voxels than the series, a choice outside the images, or
            several regions of which each may be the vessel.
    """
    chosen: dict[str, npt.NDArray[np.bool_] | None] = {}
    remarks: tuple[str, ...] = ()
    for name, (pattern, what) in _NAMES.items():
        mask: npt.NDArray[np.bool_] | None = None
        if points_mm.get(name, "").strip():
            mask = _around(series, name, points_mm[name])
        elif (vessel := named(drawn or (), pattern, what)) is not None:
            moved, told = laid(vessel, series.geometry, other_grid, mean=True)
            mask = moved.mask
            remarks += told
        if mask is not None and not mask.any():
            raise Refused(f"the chosen {name} lies outside the images", "it has no curve", "choose a place on them")
        chosen[name] = mask
    return chosen, remarks


def _around(series: Volume, name: str, said: str) -> npt.NDArray[np.bool_]:
    try:
        point = np.array([float(v) for v in said.replace(",", " ").split()])
    except ValueError:
        point = np.array([])
    if point.shape != (3,) or not np.isfinite(point).all():
        raise Refused(
            f"{name}_mm '{said}'",
            "it is no place: three numbers in patient millimetres are needed",
            "give x, y and z with commas between",
        )
    grid = series.geometry
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    away = np.linalg.norm(grid.to_patient(index) - point, axis=-1)
    at, last = grid.to_index(point[None])[0], np.array(grid.shape) - 0.5
    if (at < -0.5).any() or (at > last).any():
        return np.zeros(grid.shape, np.bool_)
    return np.asarray(away <= max(_POINT_MM, float(away.min()) + 1e-6))


def age_years(facts: Mapping[str, Any]) -> float | None:
    """From Patient's Age, where it is stated in years."""
    found = re.fullmatch(r"(\d{3})Y", str(facts.get("PatientAge", "")).strip())
    return float(found[1]) if found else None


def _behind(found: Examined) -> tuple[str, ...]:
    behind_s = -float(np.nanmedian(found.maps.tmax_s[found.tissue]))
    if behind_s <= _BEHIND_S:
        return ()
    what = f"an artery that fills {behind_s:.1f} s after half of the tissue"
    if found.vein is not None and found.vein.peak_s < found.artery.peak_s:
        raise Refused(
            what, "what is called the vein fills before it: they are mistaken for each other", "name each as what it is"
        )
    return (
        f"WARNING: {what}: it is a vein, or lies behind a narrowing, and tissue that is late is told as in time or as "
        "less late: draw an artery of the other side",
    )


def told(
    found: Examined,
    options: Options,
    series: Volume,
    *,
    curve_unit: str,
    rule: str,
    hours: float,
    nihss: int,
    extra: tuple[str, ...] = (),
) -> Answer:
    """The answer of one study.

    Args:
        options: with which it was examined.
        curve_unit: UCUM unit of concentration.
        rule: a trial, ``"all"`` or ``"none"``.
        hours: since last known well; below zero where it is not known.
        nihss: below zero where it is not known.
        extra: remarks before those of the examination.

    Raises:
        Refused: for an artery that fills after half of the tissue and after the vein.
    """
    from isocenter.methods import stroke

    extra = (*extra, *_behind(found))
    absolute = found.venous_scale is not None
    measured = _of_tissue(found, absolute)
    rules = () if rule == "none" else stroke.TRIALS if rule == "all" else (rule,)
    volumes = found.volumes
    verdicts = [
        stroke.trial(
            name, core_ml=volumes.core_ml, mismatch_ml=volumes.mismatch_ml, ratio=volumes.ratio,
            hours=hours if hours >= 0 else None, age=age_years(series.facts), nihss=nihss if nihss >= 0 else None,
        )
        for name in rules
    ]  # fmt: skip
    measured += [
        Measurement(codes.TRIAL_RULE, float(v.met), "1", definition=f"{v.trial} imaging rule met")
        for v in verdicts
        if v.met is not None
    ]
    reasons = (
        *extra, *timing(series), *found.remarks, *(v.words for v in verdicts if volumes.hypoperfused_ml > 0),
        f"singular values below {100 * found.threshold:.0f} % of the largest were left out",
    )  # fmt: skip
    more: dict[str, Any] = {
        "measurements": tuple(measured),
        "maps": _maps(found, series, absolute),
        "thresholds": _thresholds(found, options, absolute),
        "curves": (_curve(found, curve_unit),),
        "reasons": reasons,
    }
    if volumes.hypoperfused_ml <= 0:
        vessel = _vessel(found.artery, codes.ARTERIAL_INPUT, series, curve_unit).words
        return Answer.none(**more | {"reasons": (*reasons, vessel)})
    return Answer.found(*_findings(found, series, curve_unit), **more)


def _of_tissue(found: Examined, absolute: bool) -> list[Measurement]:
    maps, tissue, volumes = found.maps, found.tissue, found.volumes
    well = tissue & ~volumes.hypoperfused
    flow, content = (codes.CBF, codes.CBV) if absolute else (codes.RELATIVE_CBF, codes.RELATIVE_CBV)
    said = []
    for code, values, unit in (
        (flow, maps.cbf, FLOW), (content, maps.cbv, CONTENT), (codes.MTT, maps.mtt_s, "s"),
        (codes.TMAX, maps.tmax_s, "s"), (codes.TTP, maps.ttp_s, "s"),
    ):  # fmt: skip
        inside = values[well]
        inside = inside[np.isfinite(inside)]
        if len(inside):
            said.append(
                Measurement(code, float(np.median(inside)), unit, definition="median of tissue not hypoperfused")
            )
    said += [
        Measurement(codes.VOLUME, volumes.core_ml, "mL", definition="ischemic core"),
        Measurement(codes.VOLUME, volumes.hypoperfused_ml, "mL", definition="hypoperfused tissue, core included"),
        Measurement(codes.MISMATCH_VOLUME, volumes.mismatch_ml, "mL"),
        Measurement(codes.VOLUME, float(np.count_nonzero(tissue)) * volumes.voxel_ml, "mL", definition="brain tissue"),
        Measurement(
            codes.HEAD_MOTION, round(float(found.moved_mm.max()), 1), "mm", definition="largest, before correction"
        ),
    ]
    if volumes.ratio is not None:
        said.append(Measurement(codes.MISMATCH_RATIO, volumes.ratio, "{ratio}", definition="hypoperfused / core"))
    if volumes.intensity_ratio is not None:
        said.append(
            Measurement(codes.HYPOPERFUSION_INTENSITY, volumes.intensity_ratio, "{ratio}", definition="Tmax 10 s / 6 s")
        )
    return said


def _maps(found: Examined, series: Volume, absolute: bool) -> dict[str, Volume]:
    how = "" if absolute else "relative "
    return {
        name: series.like(values, quantity=quantity, unit=unit)
        for name, values, quantity, unit in (
            ("CBF", found.maps.cbf, f"{how}cerebral blood flow", FLOW),
            ("CBV", found.maps.cbv, f"{how}cerebral blood volume", CONTENT),
            ("MTT", found.maps.mtt_s, "mean transit time", "s"),
            ("Tmax", found.maps.tmax_s, "time to the peak of the residue", "s"),
            ("TTP", found.maps.ttp_s, "time to peak", "s"),
        )
    }


def _thresholds(found: Examined, options: Options, absolute: bool) -> dict[str, tuple[Threshold, ...]]:
    """What the volumes were judged by. The core counts only where tissue is hypoperfused, and so does its name."""
    late = Threshold(f"Tmax above {options.delay_s:g} s: hypoperfused", low=options.delay_s)
    name = f"flow below {100 * options.core_share:g} % of normal: core, where hypoperfused"
    lost = Threshold(name if absolute else f"relative {name}", high=options.core_share * found.volumes.normal_cbf)
    return {"Tmax": (late,), "CBF": (lost,)}


def _curve(found: Examined, unit: str) -> Curve:
    scale = found.venous_scale or 1.0
    lines = {"artery": found.artery.curve * scale}
    if found.vein is not None:
        lines["vein"] = found.vein.curve
    return Curve(
        "Arterial input and venous output", tuple(float(t) for t in found.times_s), "time", "s",
        {name: tuple(float(v) for v in line) for name, line in lines.items()}, unit,
    )  # fmt: skip


def _findings(found: Examined, series: Volume, curve_unit: str) -> list[Finding]:
    volumes, maps = found.volumes, found.maps
    findings = []

    def region(mask: npt.NDArray[np.bool_], label: str) -> Region:
        return Region(series.geometry, mask=mask, series_uid=series.series_uid, label=label)

    def mean(values: npt.NDArray[np.float32], mask: npt.NDArray[np.bool_]) -> float:
        return float(np.nanmean(values[mask]))

    if volumes.core_ml > 0:
        flow = mean(maps.cbf, volumes.core)
        share = 100 * flow / volumes.normal_cbf
        findings.append(
            Finding(
                codes.ISCHEMIC_CORE,
                where=region(volumes.core, "ischemic core"),
                site=codes.BRAIN,
                measurements=(
                    Measurement(codes.VOLUME, volumes.core_ml, "mL", definition="ischemic core"),
                    Measurement(codes.MEAN, flow, FLOW, definition="flow"),
                    Measurement(codes.MEAN, share, "%", definition="flow, share of normal"),
                ),
                words=f"Ischemic core of {volumes.core_ml:.0f} mL: flow {share:.0f} % of normal "
                f"({volumes.normal_cbf:.0f} mL/100 g/min where Tmax is up to 4 s).",
            )
        )
    if volumes.mismatch_ml > 0:
        ratio = "" if volumes.ratio is None else f", ratio {volumes.ratio:.1f}"
        measured = [
            Measurement(codes.VOLUME, volumes.mismatch_ml, "mL", definition="hypoperfused and not core"),
            Measurement(codes.MEAN, mean(maps.tmax_s, volumes.penumbra), "s", definition="Tmax"),
            Measurement(codes.MEAN, mean(maps.cbf, volumes.penumbra), FLOW, definition="flow"),
        ]
        if volumes.intensity_ratio is not None:
            measured.append(Measurement(codes.HYPOPERFUSION_INTENSITY, volumes.intensity_ratio, "{ratio}"))
        findings.append(
            Finding(
                codes.PENUMBRA,
                where=region(volumes.penumbra, "hypoperfused, not core"),
                site=codes.BRAIN,
                measurements=tuple(measured),
                words=f"Hypoperfused tissue of {volumes.hypoperfused_ml:.0f} mL, of which {volumes.mismatch_ml:.0f} mL "
                f"are not core{ratio}.",
            )
        )
    findings.append(_vessel(found.artery, codes.ARTERIAL_INPUT, series, curve_unit))
    if found.vein is not None:
        findings.append(_vessel(found.vein, codes.VENOUS_OUTPUT, series, curve_unit))
    return [replace(f, where=replace(f.where, series_uid=series.series_uid)) if f.where else f for f in findings]


def _vessel(vessel: Vessel, what: codes.Code, series: Volume, unit: str) -> Finding:
    where = Region(series.geometry, mask=vessel.where, series_uid=series.series_uid, label=str(what).lower())
    x, y, z = where.centre_mm
    shown = "HU" if unit == "[hnsf'U]" else unit
    how = "drawn by a person" if vessel.drawn else f"chosen by the program, score {vessel.score:.2f}"
    return Finding(
        what,
        where=where,
        measurements=(
            Measurement(codes.MAXIMUM, vessel.peak, unit, definition="peak of the curve"),
            Measurement(codes.TTP, vessel.peak_s, "s", definition="from the first frame"),
            Measurement(codes.WIDTH, vessel.width_s, "s", definition="full width at half maximum"),
            Measurement(codes.SCORE, vessel.score, "{score}", definition="0 to 1; 1 where a person drew it"),
        ),
        words=f"{what} at {x:.0f}, {y:.0f}, {z:.0f} mm ({where.voxels} voxels, {how}): peak {vessel.peak:.3g} {shown} "
        f"at {vessel.peak_s:.1f} s.",
    )
