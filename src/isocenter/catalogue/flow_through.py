"""Flow through one slice: velocity through the plane, in regions that are drawn or in the vessel that pulses most."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.flow_scan import FlowScan
from isocenter.errors import Refused
from isocenter.methods import flow_plane, flow_pressure
from isocenter.record import Curve, Finding, Measurement, codes
from isocenter.space import Region

__all__ = ["through_plane"]

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]

_THROUGH = 0.94  # cosine between direction of velocity and normal of the slice
_LEAST_VOXELS = 20
_SIGNAL = 0.25  # of that of the vessel
_BESIDE_MM, _MUCH_BESIDE = 4.0, 0.1  # how far around an outline is looked, and the share of its flow that is much
_OF_FRAME = re.compile(r"(.*) phase (\d+)")  # as `dicom.regions` names what was outlined on several images of a slice
_PULMONARY = re.compile(r"pulm|truncus|(?<![a-z])[mlr]?pa(?![a-z])", re.IGNORECASE)
_AORTIC = re.compile(r"aort|(?<![a-z])(?:asc|desc|a|d)?ao(?:asc|desc)?(?![a-z])", re.IGNORECASE)
_WHOLE = re.compile(r"main|trunk|stamm|mpa|truncus|asc|aao", re.IGNORECASE)
_VEIN = re.compile(r"vein|ven[aeo]|(?<![a-z])[lr][iuslm]*pv(?![a-z])", re.IGNORECASE)
_LEFT = re.compile(r"left|links|linke|gauche|sinistr|izq|(?<![a-z])lpa(?![a-z])", re.IGNORECASE)
_RIGHT = re.compile(r"right|rechts|rechte|droite|destr|dextr|derech|(?<![a-z])rpa(?![a-z])", re.IGNORECASE)
# the aorta beyond the vessels of head and arms
_BEYOND = re.compile(r"desc|(?<![a-z])dao|abdom|arch|bogen|crosse|isthm", re.IGNORECASE)


@dataclass(frozen=True, eq=False)
class _Vessel:
    label: str
    mask: Mask  # (rows, columns); of one that was outlined frame by frame wherever it was in any of them
    flow: flow_plane.Flow


def through_plane(
    scan: FlowScan,
    drawn: Sequence[Region],
    moving: Floats,
    offset: tuple[Measurement, ...],
    remarks: list[str],
) -> Answer:
    """Measure in one slice.

    Args:
        scan: corrected, of one slice.
        drawn: vessels, on the voxels of the slice; without any, it looks for the one that pulses most.
        moving: (1, rows, columns) speed over the beat in units of noise.
        offset: measurements of the background.

    Raises:
        Refused: for velocity in the plane only, and when no vessel is found.
    """
    if scan.velocity.shape[2] != 1:
        raise Refused(
            f"one direction of velocity over {scan.velocity.shape[2]} slices",
            "flow in a volume needs three, and flow through a plane one slice",
            "send all three, or one slice",
        )
    velocity, sign = _through(scan)
    if sign == 0.0:
        remarks.append("the header does not say which way velocity is encoded: taken as through the slice")
    vessels = _drawn_vessels(scan, drawn, velocity)
    if vessels is None:
        vessels = [_found_vessel(scan, moving[0], velocity)]
        remarks.append("the vessel was found by the program, as the one that pulses most: a person confirms it")
    else:
        remarks += [said for v in vessels if (said := _beside(scan, v, velocity))]
    beat_s = scan.beat_ms / 1000.0
    findings = tuple(_finding(scan, v, beat_s, remarks) for v in vessels)
    measured = [*offset, *_ratio(vessels, remarks)]
    ms = tuple(float(t * scan.frame_ms) for t in range(velocity.shape[0]))
    # Both ways of one slice are shown as the scanner signs them.
    curve = Curve("Flow", ms, "time", "ms", {v.label: tuple(map(float, v.flow.rate_ml_s)) for v in vessels}, "mL/s")
    fastest = int(np.argmax(np.abs(vessels[0].flow.rate_ml_s)))
    shown = scan.back(velocity[fastest][None])
    whole = vessels[0]
    numbers = [m for m in findings[0].measurements if m.what is not codes.AREA]
    return Answer.found(
        *findings,
        measurements=(*(numbers if len(vessels) == 1 else ()), *measured),
        maps={"Velocity": scan.main.like(shown, quantity="velocity through the plane", unit="m/s")},
        curves=(curve,),
        reasons=tuple(dict.fromkeys([*remarks, *([_turned(whole)] if whole.flow.turned else [])])),
    )


def _turned(vessel: _Vessel) -> str:
    return f"flow in '{vessel.label}' goes against the direction that the header calls positive; volumes are along flow"


def _through(scan: FlowScan) -> tuple[Floats, float]:
    """(frames, rows, columns) m/s through the slice along the array's first axis, and 0 where the header is silent."""
    normal = scan.directions[:, 0]
    across = scan.towards @ normal
    best = int(np.argmax(np.abs(across)))
    if abs(across[best]) >= _THROUGH:
        return np.float32(np.sign(across[best])) * scan.velocity[best][:, 0], 1.0
    if len(scan.velocity) == 1 and not scan.towards.any():
        return scan.velocity[0][:, 0], 0.0
    lean = np.degrees(np.arccos(min(1.0, float(np.abs(across).max()))))
    raise Refused(
        f"velocity encoded {lean:.0f}° off the normal of the slice",
        "what flows through the slice was not measured",
        "send the series with velocity through the plane",
    )


def _drawn_vessels(scan: FlowScan, drawn: Sequence[Region], velocity: Floats) -> list[_Vessel] | None:
    if not drawn:
        return None
    alone: dict[str, Mask] = {}
    by_frame: dict[str, dict[int, Mask]] = {}
    for n, region in enumerate(drawn, 1):
        if region.mask is None:
            continue
        mask, told = scan.laid(region.mask)[0], _OF_FRAME.fullmatch(region.label)
        if told:
            by_frame.setdefault(told[1], {})[int(told[2])] = mask
        else:
            alone[region.label or f"region {n}"] = mask
    frames = len(velocity)
    for label, masks in by_frame.items():
        if sorted(masks) != list(range(1, frames + 1)):
            raise Refused(
                f"'{label}' outlined in {len(masks)} of {frames} frames",
                "where it lies in the others is not known",
                "outline it in one frame or in all",
            )
    return [
        *(_measured(scan, label, np.broadcast_to(mask, velocity.shape), velocity) for label, mask in alone.items()),
        *(
            _measured(scan, label, np.stack([masks[n + 1] for n in range(frames)]), velocity)
            for label, masks in by_frame.items()
        ),
    ]


def _beside(scan: FlowScan, vessel: _Vessel, velocity: Floats) -> str:
    """Words where much blood moves just outside of an outline, as where one frame was outlined and the vessel moves."""
    from scipy.ndimage import binary_dilation

    _, dy, dx = scan.main.geometry.spacing_mm
    steps = max(1, round(_BESIDE_MM / max(dy, dx)))
    around = binary_dilation(vessel.mask, iterations=steps) & ~vessel.mask
    if scan.magnitude is not None:  # where there is no signal, as in the lung, phase points anywhere
        bright = scan.magnitude[:, 0].mean(axis=0)
        around &= bright > _SIGNAL * float(np.median(bright[vessel.mask]))
    rates = np.abs(velocity[:, around].sum(axis=1, dtype=np.float64)) * dy * dx
    left_out = float(rates.sum()) * scan.frame_ms / 1000.0
    whole = vessel.flow.forward_ml + vessel.flow.backward_ml
    if left_out <= _MUCH_BESIDE * whole:
        return ""
    return (
        f"within {steps * max(dy, dx):.0f} mm of the outline of '{vessel.label}' {left_out:.0f} mL a beat move to and "
        f"fro that it leaves out ({whole:.0f} mL within): the vessel moves and wants an outline in every frame, or "
        "another one touches it"
    )


def _measured(scan: FlowScan, label: str, masks: Mask, velocity: Floats) -> _Vessel:
    """Flow through a vessel. masks: (frames, rows, columns)."""
    _, dy, dx = scan.main.geometry.spacing_mm
    least = int(masks.sum(axis=(1, 2)).min())
    if least < _LEAST_VOXELS:
        raise Refused(
            f"{least} pixels in '{label}'",
            f"a vessel of fewer than {_LEAST_VOXELS} is mostly edge, and its flow is not to be relied on",
            "scan with smaller pixels",
        )
    anywhere = np.asarray(masks.any(axis=0), np.bool_)
    area = masks[:, anywhere] * (dy * dx)
    return _Vessel(label, anywhere, flow_plane.flow_of(velocity[:, anywhere], area, scan.frame_ms))


def _found_vessel(scan: FlowScan, moving: Floats, velocity: Floats) -> _Vessel:
    """The piece of moving blood whose flow swings most over the beat, with the pixels of its edge."""
    from scipy.ndimage import binary_dilation, binary_fill_holes, binary_opening, label

    pieces, many = label(binary_opening(moving > 2.0, structure=np.ones((2, 2))))
    best: _Vessel | None = None
    swings = 0.0
    for n in range(1, many + 1):
        own = pieces == n
        if int(own.sum()) < _LEAST_VOXELS:
            continue
        around = binary_dilation(own, iterations=2) & (moving > 1.25)
        mask = binary_fill_holes(own | around)
        rate = velocity[:, mask].sum(axis=1)
        swing = float(rate.max() - rate.min())
        if swing > swings:
            best, swings = _measured(scan, "vessel", np.broadcast_to(mask, velocity.shape), velocity), swing
    if best is None:
        raise Refused(
            "no vessel in which blood moves faster than the noise",
            "velocity stays within what tissue shows",
            "draw the vessel, or check VENC",
        )
    return best


def _finding(scan: FlowScan, vessel: _Vessel, beat_s: float, remarks: list[str]) -> Finding:
    flow, words = vessel.flow, vessel.label
    if flow.steady:
        remarks.append(f"flow in '{words}' hardly changes over the beat: this is no artery, or not a vessel at all")
    where = Region(
        scan.main.geometry, mask=scan.back(vessel.mask[None]), series_uid=scan.main.series_uid, label=vessel.label
    )
    told = (
        (codes.NET_FLOW, flow.net_ml, "mL", ""),
        (codes.FORWARD_FLOW, flow.forward_ml, "mL", ""),
        (codes.BACKWARD_FLOW, flow.backward_ml, "mL", ""),
        (codes.REGURGITANT_FRACTION, flow.regurgitant_percent, "%", ": 100 x backward / forward"),
        (codes.NET_FLOW_RATE, 0.06 * flow.net_ml / beat_s, "L/min", f": {60 / beat_s:.0f} beats a minute"),
        (codes.PEAK_VELOCITY, flow.peak_m_s, "m/s", ": fastest pixel"),
        (codes.PEAK_VELOCITY, flow.p99_m_s, "m/s", ": 99th percentile of the fastest frame"),
        (codes.PEAK_VELOCITY, flow.p95_m_s, "m/s", ": 95th percentile of the fastest frame"),
        (codes.PEAK_GRADIENT, flow_pressure.bernoulli_mmhg(flow.p99_m_s), "mm[Hg]",
         ": simplified Bernoulli, 4 v^2 of the 99th percentile"),
        (codes.AREA, float(flow.area_mm2.mean()) / 100.0, "cm2", ""),
    )  # fmt: skip
    measured = tuple(Measurement(what, value, unit, definition=f"{words}{more}") for what, value, unit, more in told)
    return Finding(
        codes.BLOOD_VESSEL,
        where=where,
        site=codes.BLOOD_VESSEL,
        measurements=measured,
        words=f"Flow through {words}: net {flow.net_ml:.0f} mL a beat, {flow.regurgitant_percent:.0f} % of it back, "
        f"fastest {flow.p99_m_s:.2f} m/s.",
    )


def _ratio(vessels: list[_Vessel], remarks: list[str]) -> list[Measurement]:
    """Pulmonary to systemic flow, where the vessels that carry all of either are drawn by name."""
    lungs, body = ([v for v in vessels if named.search(v.label)] for named in (_PULMONARY, _AORTIC))
    if not lungs or not body:
        return []
    carrying: list[list[_Vessel]] = []
    for fitting, both in ((lungs, _branches(lungs)), (body, [])):
        found = _carrying_all(fitting) or both
        if not found:
            several = ", ".join(f"'{v.label}'" for v in fitting)
            remarks.append(
                f"no ratio of pulmonary to systemic flow: of {several} nothing says that one carries all of it (name "
                "the pulmonary trunk, or both its branches, and the ascending aorta)"
            )
            return []
        carrying.append(found)
    through_lungs, through_body = (sum(v.flow.net_ml for v in found) for found in carrying)
    if through_body <= 0:
        return []
    called = " and ".join(f"'{v.label}'" for v in carrying[0])
    if len(carrying[0]) == 2:
        remarks.append(f"pulmonary flow is that of {called} added, as no pulmonary trunk is drawn")
    words = f"Qp/Qs: net flow in {called} over '{carrying[1][0].label}'"
    return [Measurement(codes.FLOW_RATIO, through_lungs / through_body, "1", definition=words)]


def _carrying_all(fitting: list[_Vessel]) -> list[_Vessel]:
    """The one vessel through which all of the flow goes, of several the trunk or the ascending one; else none."""
    parts = (_VEIN, _LEFT, _RIGHT, _BEYOND)
    whole = [v for v in fitting if not any(part.search(v.label) for part in parts)]
    whole = whole if len(whole) < 2 else [v for v in whole if _WHOLE.search(v.label)]
    return whole if len(whole) == 1 else []


def _branches(lungs: list[_Vessel]) -> list[_Vessel]:
    """The left and the right pulmonary artery, where just these two are drawn and no vessel before they part."""
    arteries = [v for v in lungs if not _VEIN.search(v.label)]
    sides = [[bool(side.search(v.label)) for side in (_LEFT, _RIGHT)] for v in arteries]
    return arteries if sorted(sides) == [[False, True], [True, False]] else []
