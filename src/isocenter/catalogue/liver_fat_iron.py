"""MR of the liver at several echo times: how much fat, and how much iron."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.echo_scan import EchoScan, gathered
from isocenter.catalogue.field_strength import field_tesla
from isocenter.catalogue.iron_of_decay import excess, iron_alone, iron_of, signal_curve
from isocenter.catalogue.liver_outline import tissue_of_liver
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.errors import Refused
from isocenter.methods import bipolar, echo_parts, fat_magnitude, fatwater, liver_region
from isocenter.methods.fat_spectrum import t1_bias_points
from isocenter.record import Finding, Measurement, codes
from isocenter.space import Region, Volume

__all__ = ["LiverFatIron"]

_STEATOSIS_PERCENT = 5.0
_LEAST_OF_TWO = -10.0  # two echoes 2.3 ms apart of a liver without fat or iron, R2* 40 to 60 1/s: -5 to -7 %
_LEAST_PERCENT = -5.0  # noise of a liver without fat lies above it
_GRADES = ((22.1, "S3"), (17.4, "S2"), (6.4, "S1"))
_T1_WARN, _T1_REFUSE = 0.5, 2.0  # points at 20 % fat
_ASKEW = 0.07
_MOST_BESIDE = 0.03  # radians, or of the brightness: a third of a point of fat, 4 1/s of R2*
_LEAST_VOXELS = 20
_MOST_UNSOUND, _LEAST_TOLD = 0.1, 0.02
_SLOW = 1.5  # decays by the third echo: less do not drown it
_FAST = 2.0  # decays by the second echo, from which on phantoms were 1 to 2 points off
_LIMIT_OF_MAGNITUDE = (
    "from magnitudes alone: fat and water are told apart by fat's smaller peaks only, so above 50 % the answer may be "
    "its mirror image"
)

Mask = npt.NDArray[np.bool_]


class LiverFatIron:
    """How much fat (PDFF) and how much iron (from R2*) are in the liver?"""

    name, version = "liver_fat_iron", "23"
    needs: ClassVar[Mapping[str, Need]] = {
        "echoes": Need(
            modality="MR", gives="volumes", axis="echo", at_least=2, body_part=("liver", "abdomen", "upper abdomen")
        ),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        Yield(what=codes.STEATOSIS, units=("%", "1/s", "mL")),
        Yield(what=codes.LIVER_IRON_EXCESS, units=("mg/g", "1/s", "mL")),
        Yield(what=codes.PDFF, units=("%",)),
        Yield(what=codes.FAT_FRACTION, units=("%",)),
        Yield(what=codes.R2_STAR, units=("1/s",)),
        Yield(what=codes.LIVER_IRON, units=("mg/g",)),
        Yield(what=codes.VOLUME, units=("mL",)),
        Yield(what=codes.EXCLUDED_SHARE, units=("%",)),
        Yield(maps=("PDFF", "R2*", "Field", "Fat fraction")),
    )
    limits = Limits(seconds=180.0, memory_mib=8192)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure fat and iron of the liver on a multi-echo gradient echo, for a person to confirm.",
        "not_for": "Telling inflammation or fibrosis; choosing chelation; scans after contrast.",
        "sources": ("Hernando 2010", "Berglund 2017", "QIBA Profile PDFF", "Hernando 2023", "Wood 2005"),
        "limits": (
            "Magnitudes alone tell fat from water by the smaller peaks only.",
            "With three echoes far apart and a field that changes fast, fat and water can be exchanged in "
            "regions: look at the map.",
            "Finding the liver is not shown on patients.",
        ),
        "level": "verified, not validated: exact on simulated images; no patient with a known fat or iron was at hand",
    }

    def run(
        self,
        echoes: tuple[Volume, ...],
        drawn: tuple[Region, ...] | None,
        *,
        calibration: Literal[
            "by field", "hernando_2023", "wood_2005", "garbowski_2014", "hernando_2023_2.89t", "hernando_2023_3t"
        ] = "by field",
        turning: Literal["find", "as is", "mirrored"] = "find",
        field_t: float = 0.0,
        allow_t1_bias: bool = False,
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Separate fat and water and measure in the liver.

        Args:
            echoes: every multi-echo series of the scan: magnitude and phase, real and imaginary, or magnitude alone.
            drawn: the liver or its segments; without them a region well inside the liver is looked for.
            calibration: of iron from R2*; ``by field`` takes Hernando 2023 at 1.5, 2.89 or 3 T.
            turning: which way phase turns; ``find`` tries both.
            field_t: tesla, where the header is wrong or silent; 0 believes the header.
            allow_t1_bias: go on when repetition time and flip angle lift the fat fraction by more than 2 points.
            other_grid: a liver outlined on coarser voxels than the echoes: ``nearest`` brings it there.

        Raises:
            Refused: for images that carry no fat fraction; the message says why.
        """
        stored, told = gathered(echoes), list[str]()
        drawn = tissue_of_liver(drawn or (), told) or None
        stored = replace(stored, remarks=(*stored.remarks, *told))
        answer = self._measured(stored.upright(), drawn, calibration, turning, field_t, allow_t1_bias, other_grid)
        return _as_stored(answer, stored.main)

    def _measured(
        self,
        scan: EchoScan,
        drawn: tuple[Region, ...] | None,
        calibration: str,
        turning: str,
        field_t: float,
        allow_t1_bias: bool,
        other_grid: OtherGrid,
    ) -> Answer:
        _must_be_gradient_echoes(scan.main)
        remarks = list(scan.remarks)
        field = field_tesla(scan.main.facts, remarks, given=field_t)
        remarks += _t1(scan.main, field, allow_t1_bias)
        if len(scan.times_s) == 2:
            return _two_point(scan, field, drawn, other_grid, remarks)
        spacing = scan.main.geometry.spacing_mm
        maps: dict[str, Volume] = {}
        if scan.images is not None:
            found, images, told = _separated(scan, field, spacing, turning)
            if apart := _two_runs(scan, field, found):
                alone = replace(scan.largest_part(), remarks=(*scan.remarks, apart))
                return self._measured(alone, drawn, calibration, turning, field_t, allow_t1_bias, other_grid)
            remarks += told
            remarks += _of_turning(found)
            pdff, signal, unsound = found.pdff, found.signal, found.unsound
            left = found.residual if len(scan.times_s) > 3 else None
            how = "six peaks, complex fit, magnitude discrimination"
        else:
            fitted = fat_magnitude.fit_magnitudes(scan.magnitude, scan.times_s, field)
            pdff, signal, unsound, left = fitted.pdff, fitted.signal, fitted.unsound, None
            remarks.append(_LIMIT_OF_MAGNITUDE)
            how = "six peaks, magnitude fit"
        # Iron drowns the fat of watery tissue; that of fat it does not.
        places, told = _places(scan.main, drawn, other_grid, np.where(unsound, np.float32(0.0), pdff), signal)
        remarks += told
        asked = {label: mask for label, mask, _ in places}
        measured, findings = [], []
        if scan.images is not None:
            whole = found
            for _, mask, _ in places:
                found = fatwater.of_region(found, images, scan.times_s, field, mask)
            for label, mask, dark in places:
                remarks += _of_iron(label, mask, dark, found, scan.times_s)
            if not drawn and found is not whole:
                # What is found may hold muscle beside the liver, which lowered the decay of neighbourhoods there.
                places = [("liver", _alike(found, asked["liver"]), 0)]
                found = fatwater.of_region(whole, images, scan.times_s, field, places[0][1])
            _must_be_in_phase(found, scan.times_s)
            pdff, r2_star, unsound = found.pdff, found.r2_star, found.unsound
            maps["Field"] = scan.main.like(found.field_hz, quantity="field deviation", unit="Hz")
        else:
            r2_star = fitted.r2_star
            if any(float(fitted.unsound[mask].mean()) > _MOST_UNSOUND for _, mask, _ in places):
                told = [r for r in remarks if r != _LIMIT_OF_MAGNITUDE]  # it is of fat, and none is told
                return iron_alone(scan, field, places, fitted, calibration, told, drawn=bool(drawn))
            for label, mask, _ in places:
                remarks += _of_magnitudes(label, mask, fitted)
        maps |= {
            "PDFF": scan.main.like(pdff, quantity="proton density fat fraction", unit="%"),
            "R2*": scan.main.like(r2_star, quantity="R2*", unit="1/s"),
        }
        maps = _of_the_body(maps, fatwater.body(signal, scan.main.geometry.voxel_volume_mm3 / 1000.0, left))
        for label, mask, _ in places:
            told_of = mask & ~unsound
            same = told_of & ~found.other if scan.images is not None else told_of
            kept, _ = liver_region.without_vessels(same, pdff, r2_star)
            share = 1.0 - float(kept.sum()) / float((asked[label] & ~unsound).sum())
            one = _Measured(label, kept, share, float(pdff[kept].mean()), float(r2_star[kept].mean()), how)
            if scan.images is None:
                unsure = float(fitted.unsure[kept].mean())
                if unsure > 0.2 or one.pdff > 45.0:
                    raise Refused(
                        f"magnitudes of a liver with {one.pdff:.0f} % or {100 - one.pdff:.0f} % fat",
                        f"without phase the two look alike ({100 * unsure:.0f} % of the voxels fit both)",
                        "send the phase images",
                    )
            if one.pdff < _LEAST_PERCENT:
                raise Refused(
                    f"a fat fraction of {one.pdff:.0f} % in {label}",
                    "there is no less than none: phase turns the other way, or echo times or field are wrong",
                    "leave turning at 'find', and look at echo times and field strength in the header",
                )
            numbers, found_here = _said(one, scan, field, calibration, remarks)
            measured += numbers
            findings += found_here
        more: dict[str, Any] = {
            "measurements": tuple(measured), "maps": maps, "reasons": tuple(dict.fromkeys(remarks)),
            "curves": (signal_curve(scan, places[0][1]),),
        }  # fmt: skip
        return Answer.found(*findings, **more) if findings else Answer.none(**more)


def _alike(found: fatwater.FatWater, mask: Mask) -> Mask:
    """A region without what differs from the rest of it."""
    return liver_region.without_vessels(mask & ~found.unsound & ~found.other, found.pdff, found.r2_star)[0]


def _of_the_body(maps: Mapping[str, Volume], where: Mask) -> dict[str, Volume]:
    """Maps without the specks that noise makes of air."""
    return {name: replace(held, array=np.where(where, held.array, np.nan).astype(np.float32))
            for name, held in maps.items()}  # fmt: skip


def _as_stored(answer: Answer, main: Volume) -> Answer:
    """Maps and regions on the voxels of the series as it was sent."""

    def region(where: Region | None) -> Region | None:
        if where is None or where.mask is None:
            return where
        back = Volume(where.mask, where.geometry).as_stored(main.geometry)
        return replace(where, geometry=back.geometry, mask=back.array)

    maps = {
        name: main.like(held.as_stored(main.geometry).array, quantity=held.quantity, unit=held.unit)
        for name, held in (answer.maps or {}).items()
    }
    findings = tuple(replace(f, where=region(f.where)) for f in answer.findings)
    return replace(answer, findings=findings, maps=maps)


@dataclass(frozen=True, eq=False)
class _Measured:
    label: str
    kept: Mask
    left_out: float
    pdff: float
    r2_star: float
    how: str


def _must_be_gradient_echoes(main: Volume) -> None:
    words = {str(w).strip().upper() for w in main.facts.get("ScanningSequence") or []}
    if "SE" in words and "GR" not in words:
        raise Refused(
            "spin echoes (Scanning Sequence SE)",
            "they decay with R2 and not R2*, and fat does not beat against water in them",
            "send a gradient echo",
        )


def _number(volume: Volume, keyword: str) -> float:
    value = volume.facts.get(keyword)
    return float(value) if isinstance(value, (int, float)) else 0.0


def _t1(main: Volume, field: float, allowed: bool) -> list[str]:
    tr, flip = _number(main, "RepetitionTime"), _number(main, "FlipAngle")
    if not tr or not flip:
        return ["repetition time or flip angle is not stated: the bias by T1 was not looked at"]
    bias = t1_bias_points(tr, flip, field)
    if bias > _T1_REFUSE and not allowed:
        raise Refused(
            f"flip angle {flip:g} degrees at a repetition time of {tr:g} ms",
            f"fat recovers faster than water, so that 20 % fat would read as {20 + bias:.1f} %",
            "acquire with 3 to 5 degrees, or allow_t1_bias",
        )
    if bias > _T1_WARN:
        return [f"T1 weighting lifts a fat fraction of 20 % by about {bias:.1f} points"]
    return []


def _separated(
    scan: EchoScan, field: float, spacing_mm: tuple[float, float, float], turning: str
) -> tuple[fatwater.FatWater, npt.NDArray[np.complex64], list[str]]:
    """Fat and water, and the images that they are of: without the phase of alternate readouts where echoes tell it."""
    assert scan.images is not None
    said, images = [], scan.images
    if not (why := bipolar.untold(scan.times_s)):
        found, phase = bipolar.separate_alternate(scan.images, scan.times_s, field, spacing_mm, turning=turning)
        if phase.there:
            images = bipolar.without(scan.images, phase)
            said.append(
                f"readouts in alternate directions: a phase of {phase.size_rad:.2f} rad (root mean square, known to "
                f"{phase.error_rad:.3f} rad) between odd and even echoes was estimated and taken away"
            )
    else:
        found = fatwater.separate(scan.images, scan.times_s, field, spacing_mm, turning=turning)
        said.append(
            f"whether readouts in alternate directions (bipolar) turned the phase was not looked for ({why}): where "
            "they did, the fat fraction is points off"
        )
    return found, images, said


def _must_be_in_phase(found: fatwater.FatWater, times_s: npt.NDArray[np.float64]) -> None:
    left = bipolar.untold(times_s) or "the phase between odd and even echoes that could be told was taken away"
    if found.askew > _ASKEW:
        raise Refused(
            f"fat and water {100 * found.askew:.0f} % askew in phase",
            f"as echoes read in alternate directions (bipolar) leave them: the fit takes their phase for fat ({left})",
            "acquire with readouts in one direction, or send the corrected images",
        )


def _two_runs(scan: EchoScan, field: float, found: fatwater.FatWater) -> str:
    """That echoes came in parts which differ in phase or brightness; empty where they do not."""
    assert scan.images is not None
    came = np.array(scan.parts)
    for n in np.unique(came)[1:]:
        turned, brighter = echo_parts.differ(scan.images, scan.times_s, field, found, came == n)
        if max(abs(turned), abs(brighter)) > _MOST_BESIDE:
            where = ", ".join(f"{1000 * t:g}" for t in scan.times_s[came == n])
            return (
                f"echoes at {where} ms lie about {turned:.2f} rad and {100 * brighter:.0f} % beside the others, as two "
                "runs of a scanner do: together they would make another fat and iron, so that the larger part, or of "
                "two alike the first, was measured alone"
            )
    return ""


def _of_turning(found: fatwater.FatWater) -> list[str]:
    said = ["phase turned the other way than the standard's and was mirrored"] if found.conjugated else []
    if not found.turning_sure:
        said.append("which way phase turns could not be told from the images; it was taken as it is")
    if found.gap > 0.3:
        said.append(f"the map of the field may not be the best one (gap {100 * found.gap:.0f} %): look for exchanges")
    return said


def _of_iron(
    label: str, mask: Mask, dark: int, found: fatwater.FatWater, times_s: npt.NDArray[np.float64]
) -> list[str]:
    """What iron has left of the echoes in a region, in words.

    Args:
        dark: voxels of the region as drawn that have no signal even at the first echoes.

    Raises:
        Refused: where it has left too little in more than a tenth of the region.
    """
    drowned = float(found.pooled[mask].mean()) > _MOST_UNSOUND
    lost = float(found.unsound[mask].sum() + (dark if drowned else 0)) / float(mask.sum() + (dark if drowned else 0))
    if lost > _MOST_UNSOUND:
        first, second = (1000.0 * float(t) for t in times_s[:2])
        raise Refused(
            f"signal of {label} that is gone by the second echo ({second:.2g} ms) in {100 * lost:.0f} % of it",
            "iron makes it decay so fast that the echoes tell neither fat nor R2*: that is very much iron, how much is "
            "not known",
            f"acquire with a first echo and a spacing well below {min(first, second - first):.1f} ms, or measure the "
            "iron by R2 or at a lower field",
        )
    said = []
    if lost > 0.001:
        said.append(f"{label}: {100 * lost:.1f} % of it had no signal left by the second echo and was left out")
    if (share := float(found.pooled[mask].mean())) > _LEAST_TOLD:
        kept = mask & ~found.unsound & ~found.other
        rate = float(found.r2_star[kept].mean())
        why, doubt = "as iron makes it", ""
        if rate * float(times_s[1]) > _FAST:
            doubt = ": the fat fraction may be 2 points off"
        elif rate * float(times_s[2]) < _SLOW:
            why = "though they decay slowly: the images have little signal"
            doubt = ": near other tissue the fat fraction may be 2 points off and R2* a tenth too low"
        said.append(
            f"{label}: in {100 * share:.0f} % of it noise drowns all echoes after the second, {why}; there "
            f"fat and R2* come from neighbourhoods of voxels together{doubt}"
        )
    return said


def _of_magnitudes(label: str, mask: Mask, fitted: fat_magnitude.Magnitudes) -> list[str]:
    """How well magnitudes tell fat in a region, in words."""
    if (share := float(fitted.pooled[mask].mean())) > _LEAST_TOLD:
        return [
            f"{label}: in {100 * share:.0f} % of it one voxel's magnitudes do not tell its fat; there it comes from "
            "neighbourhoods of voxels together"
        ]
    return []


def _places(
    main: Volume,
    drawn: tuple[Region, ...] | None,
    other_grid: OtherGrid,
    pdff: npt.NDArray[np.float32],
    signal: Mask,
) -> tuple[list[tuple[str, Mask, int]], list[str]]:
    """Drawn regions, else the liver that is found: name, voxels with signal, number of those without."""
    placed: list[tuple[str, Mask, int]] = []
    said: list[str] = []
    for region in drawn or ():
        region.must_be_placed()
        if region.mask is None or not region.voxels:
            continue
        moved, told = laid(region, main.geometry, other_grid, mean=True)
        assert moved.mask is not None
        lit = moved.mask & signal
        if (voxels := int(lit.sum())) >= _LEAST_VOXELS:
            placed.append((region.label or "drawn region", lit, moved.voxels - voxels))
            said += told
    if placed:
        return placed, said
    if drawn:
        raise Refused("drawn regions without signal in them", "there is nothing to measure", "draw them in the liver")
    index = np.stack(np.meshgrid(*(np.arange(n) for n in main.geometry.shape), indexing="ij"), axis=-1)
    across = main.geometry.to_patient(index)[..., 0]
    core = liver_region.liver_core(pdff, signal, _as_slices(main), across < float(np.median(across[signal])))
    return [("liver", core, 0)], ["the region was found by the program, well inside the liver: a person confirms it"]


def _as_slices(main: Volume) -> tuple[float, float, float]:
    return main.geometry.spacing_mm


def _said(
    one: _Measured, scan: EchoScan, field: float, calibration: str, remarks: list[str]
) -> tuple[list[Measurement], list[Finding]]:
    volume_ml = float(one.kept.sum()) * scan.main.geometry.voxel_volume_mm3 / 1000.0
    fat = Measurement(codes.PDFF, one.pdff, "%", definition=f"{one.label}: mean, {one.how}")
    decay = Measurement(codes.R2_STAR, one.r2_star, "1/s", definition=f"{one.label}: mean")
    size = Measurement(codes.VOLUME, volume_ml, "mL", definition=f"{one.label}: measured voxels")
    numbers = [fat, decay, size]
    numbers.append(
        Measurement(codes.EXCLUDED_SHARE, 100 * one.left_out, "%", definition=f"{one.label}: vessels and edges")
    )
    if len(scan.times_s) == 3:
        remarks.append("three echoes: R2* is little more than a correction; four or more are needed to rely on it")
    iron = iron_of(one.r2_star, scan.main, field, calibration, remarks)
    where = Region(scan.main.geometry, mask=one.kept, series_uid=scan.main.series_uid, label=one.label)
    findings = []
    if one.pdff >= _STEATOSIS_PERCENT:
        grade = next((g for above, g in _GRADES if one.pdff >= above), "S0")
        words = f"Fat in the liver ({one.label}): PDFF {one.pdff:.1f} %, {grade} by the thresholds of Tang 2013."
        findings.append(Finding(codes.STEATOSIS, where=where, site=codes.LIVER, measurements=(fat, size), words=words))
    if iron is not None:
        numbers.append(iron)
        findings += excess(one.label, where, iron, decay)
    return numbers, findings


def _two_point(
    scan: EchoScan, field: float, drawn: tuple[Region, ...] | None, other_grid: OtherGrid, remarks: list[str]
) -> Answer:
    """Two echoes: a fat fraction of signal, and neither PDFF nor R2*."""
    fraction, signal = fat_magnitude.two_point(scan.magnitude, scan.times_s, field)
    if not drawn:
        raise Refused(
            "two echoes and no drawn liver",
            "a fraction of signal does not tell the liver from muscle and bowel around it: what is found may hold both",
            "draw the liver",
        )
    places, told = _places(scan.main, drawn, other_grid, fraction, signal)
    measured = []
    for label, mask, _ in places:
        kept, share = liver_region.without_vessels(mask, fraction)
        words = f"{label}: two-point Dixon from magnitudes, not PDFF"
        percent = float(fraction[kept].mean())
        told += _below_none(label, percent, float(np.ptp(scan.times_s)))
        measured += [
            Measurement(codes.FAT_FRACTION, percent, "%", definition=words),
            Measurement(codes.EXCLUDED_SHARE, 100 * share, "%", definition=f"{label}: vessels and edges"),
        ]
    said = (
        "two echoes give a fat fraction of the signal, which is no PDFF: decay, T1 and spectrum are not corrected, and "
        "it folds at 50 %. No R2* and no iron",
    )
    maps = {"Fat fraction": scan.main.like(fraction, quantity="signal fat fraction", unit="%")}
    return Answer.none(measurements=tuple(measured), maps=maps, reasons=(*said, *remarks, *told))


def _below_none(label: str, percent: float, apart_s: float) -> list[str]:
    """What a fraction below zero says of two echoes: one in phase that comes later is darker by decay.

    Raises:
        Refused: where it lies farther below than decay in a liver without much iron brings it.
    """
    if percent >= 0:
        return []
    rate = math.log(1.0 - 0.02 * percent) / max(apart_s, 1e-6)
    if percent < _LEAST_OF_TWO:
        raise Refused(
            f"a fat fraction of {percent:.0f} % in {label} by two echoes",
            f"there is no less than none: the signal decays between them (as an R2* of {rate:.0f} 1/s would without "
            "fat), which much iron does, or the echo times are exchanged",
            "measure iron by several echoes, and look at the echo times in the header",
        )
    return [
        f"{label}: a fraction below zero is no amount of fat: the signal decays between the echoes, as an R2* of "
        f"{rate:.0f} 1/s would without fat"
    ]
