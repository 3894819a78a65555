"""Phase-contrast MR: how much blood flows, how fast, and what it does to the vessel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.flow_body import FlowBody
from isocenter.catalogue.flow_corrected import Moving, along_axes, coarse, fastest, without_background
from isocenter.catalogue.flow_scan import FlowScan, gather
from isocenter.catalogue.flow_through import through_plane
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.errors import Refused
from isocenter.methods import flow_path, flow_plane, flow_pressure
from isocenter.record import Curve, Finding, Measurement, codes
from isocenter.space import Region, Volume

__all__ = ["Flow4D"]

_LEAST_FRAMES = 20
_MAXWELL = (
    "concomitant (Maxwell) terms are taken as corrected by the scanner; what is left of them goes with the background"
)

Floats = npt.NDArray[np.float32]
Mask = npt.NDArray[np.bool_]


class Flow4D:
    """How much blood flows through the vessel in a beat, how much comes back, how fast, and with what stress?"""

    name, version = "flow4d", "14"
    needs: ClassVar[Mapping[str, Need]] = {
        "velocity": Need(modality="MR", gives="volumes", velocity=True, at_least=8),
        "magnitude": Need(modality="MR", gives="volumes", at_least=8, optional=True),
        "drawn": Need(modality=("RTSTRUCT", "SEG"), gives="regions", optional=True),
    }
    yields = (
        Yield(what=codes.BLOOD_VESSEL, units=("mL", "L/min", "%", "m/s", "mm[Hg]", "cm2")),
        Yield(what=codes.FORWARD_FLOW, units=("mL",)),
        Yield(what=codes.BACKWARD_FLOW, units=("mL",)),
        Yield(what=codes.NET_FLOW, units=("mL",)),
        Yield(what=codes.NET_FLOW_RATE, units=("L/min",)),
        Yield(what=codes.REGURGITANT_FRACTION, units=("%",)),
        Yield(what=codes.FLOW_RATIO, units=("1",)),
        Yield(what=codes.FLOW_SPREAD, units=("%",)),
        Yield(what=codes.PEAK_VELOCITY, units=("m/s",)),
        Yield(what=codes.PEAK_GRADIENT, units=("mm[Hg]",)),
        Yield(what=codes.PRESSURE_DROP, units=("mm[Hg]",)),
        Yield(what=codes.KINETIC_ENERGY, units=("mJ", "uJ/mL")),
        Yield(what=codes.VISCOUS_LOSS, units=("mW",)),
        Yield(what=codes.VORTICITY, units=("1/s",)),
        Yield(what=codes.WALL_SHEAR, units=("Pa",)),
        Yield(what=codes.SHEAR_OSCILLATION, units=("1",)),
        Yield(what=codes.BACKGROUND_VELOCITY, units=("cm/s",)),
        Yield(what=codes.VOLUME, units=("mL",)),
        Yield(what=codes.AREA, units=("cm2",)),
        Yield(maps=("Speed", "Velocity", "Vorticity", "Pressure", "Wall shear stress")),
    )
    limits = Limits(seconds=300.0, memory_mib=16384)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Measure flow in a large vessel on phase-contrast MR, for a person to confirm.",
        "not_for": "Grading a valve by itself; vessels of less than five voxels; absolute pressure.",
        "sources": ("Dyverfeldt 2015", "Bissell 2023 (JCMR 25:40)", "Walker 1993", "Stalder 2008", "Krittian 2012"),
        "limits": (
            "Noise lifts what is made of slopes: friction most, and wall shear stress.",
            "A vessel that touches another is taken together with it unless it is drawn, and the mask does not "
            "move with the heart.",
            "A frame time above 40 ms flattens peaks, energy and stress.",
        ),
        "level": "verified, not validated: exact on laminar flows; compared with one frame of a computed aorta; no "
        "patient with a known flow was at hand",
    }

    def run(
        self,
        velocity: tuple[Volume, ...],
        magnitude: tuple[Volume, ...] | None,
        drawn: tuple[Region, ...] | None,
        *,
        venc_cm_s: float = 0.0,
        background_order: int = 2,
        viscosity_mpa_s: float = 3.5,
        arrangement: Literal["as written", "conserve mass"] = "as written",
        accept_few_frames: bool = False,
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Correct the velocities and measure flow.

        Args:
            velocity: phase or velocity series of one scan: three directions of a volume, or one through a slice.
            magnitude: other series of the study; the magnitude images are picked from them.
            drawn: the vessel, in a volume or a slice; without it the largest vessel is looked for. In a slice each
                region is measured, and with an aorta and a pulmonary artery their ratio.
            venc_cm_s: of every direction, where the header is silent or wrong; 0 believes it.
            background_order: of the polynomial through stationary tissue, 1 to 3; 0 takes nothing off.
            viscosity_mpa_s: of blood, for wall shear stress, friction and pressure.
            arrangement: whether the directions are taken as they are written, or as mass is conserved best.
            accept_few_frames: measure fewer than 20 frames; peaks are then too low.
            other_grid: a drawn vessel whose voxels are not those of the scan: ``nearest`` brings it there.

        Raises:
            Refused: for images that carry no flow; the message says why.
        """
        scan = gather((*velocity, *(magnitude or ())), venc_cm_s)
        frames = scan.velocity.shape[1]
        if frames < _LEAST_FRAMES and not accept_few_frames:
            raise Refused(
                f"{frames} frames over the beat",
                f"with fewer than {_LEAST_FRAMES} the peak of flow falls between frames",
                "scan with more, or accept_few_frames for numbers that are too low",
            )
        remarks = [scan.scaling, *scan.remarks, *coarse(scan), _MAXWELL]
        vessels = _laid(scan, drawn, other_grid, remarks)
        scan, offset = without_background(scan, background_order, remarks)
        if scan.velocity.shape[2] == 1 or len(scan.velocity) == 1:
            return through_plane(scan, vessels, offset.moving, offset.measured, remarks)
        return _volume(scan, vessels, viscosity_mpa_s / 1000.0, arrangement, offset, remarks)


def _volume(
    scan: FlowScan,
    drawn: Sequence[Region],
    viscosity: float,
    arrangement: str,
    offset: Moving,
    remarks: list[str],
) -> Answer:
    """Three directions over a volume."""
    spacing = scan.main.geometry.spacing_mm
    inside = _drawn_vessel(scan, drawn)
    if inside is None:
        inside = flow_path.vessel(offset.moving, spacing)
        remarks.append("the vessel was found by the program: a person confirms it")
    along = along_axes(scan, inside, arrangement, remarks)
    path = flow_path.centre_line(inside, spacing)
    peak = fastest(along, inside)
    planes = _planes(along, inside, spacing, path, scan.frame_ms)
    body = FlowBody(scan, along, inside, peak, viscosity)
    measured = [*_flow_numbers(planes, scan), *offset.measured, *body.energies()]
    maps: dict[str, Volume] = {"Speed": body.map(np.linalg.norm(along[:, peak], axis=0), "speed", "m/s")}
    maps["Vorticity"] = body.map(body.whirl, "vorticity", "1/s")
    maps["Pressure"] = body.map(body.pressure_mmhg, "relative pressure", "mm[Hg]")
    measured.append(_drop(body, planes))
    try:
        stress, shear = body.shear(path)
        measured += stress
        maps["Wall shear stress"] = shear
    except Refused as why:
        remarks.append(f"no wall shear stress: {why}")
    where = Region(
        scan.main.geometry, mask=scan.back(inside), series_uid=scan.main.series_uid, label="vessel with flow"
    )
    chosen = planes[len(planes) // 2].flow
    finding = Finding(
        codes.BLOOD_VESSEL,
        where=where,
        site=codes.BLOOD_VESSEL,
        measurements=tuple(m for m in measured if m.what in (codes.NET_FLOW, codes.REGURGITANT_FRACTION)),
        words=f"Flow along {path.length_mm:.0f} mm of vessel: net {_middle(planes, 'net_ml'):.0f} mL a beat, "
        f"{_middle(planes, 'regurgitant_percent'):.0f} % of it back; fastest {chosen.p99_m_s:.2f} m/s in the middle.",
    )
    return Answer.found(
        finding,
        measurements=tuple(measured),
        maps=maps,
        curves=_curves(planes, scan),
        reasons=tuple(dict.fromkeys(remarks)),
    )


def _laid(scan: FlowScan, drawn: tuple[Region, ...] | None, other_grid: OtherGrid, remarks: list[str]) -> list[Region]:
    """Drawn vessels on the voxels of the scan."""
    placed = []
    for region in drawn or ():
        region.must_be_placed()
        if region.voxels:
            moved, told = laid(region, scan.main.geometry, other_grid)
            placed.append(moved)
            remarks += told
    if drawn and not any(region.voxels for region in placed):
        raise Refused("drawn regions that hold no voxel of the scan", "there is no flow in them", "draw the vessel")
    return [region for region in placed if region.voxels]


def _drawn_vessel(scan: FlowScan, drawn: Sequence[Region]) -> Mask | None:
    if not drawn:
        return None
    return np.asarray(np.logical_or.reduce([scan.laid(r.mask) for r in drawn if r.mask is not None]), np.bool_)


@dataclass(frozen=True, eq=False)
class _Station:
    plane: flow_plane.Plane
    flow: flow_plane.Flow
    gone_mm: float
    points_mm: npt.NDArray[np.float64]


def _planes(
    along: Floats, inside: Mask, spacing: tuple[float, float, float], path: flow_path.Path, frame_ms: float
) -> list[_Station]:
    """Flow through planes along the vessel, ordered with the flow."""
    from scipy.ndimage import binary_dilation

    lumen = binary_dilation(inside, iterations=2).astype(np.float32)
    radius = float(np.median(path.radius_mm))
    gone = np.concatenate([[0.0], np.cumsum(np.linalg.norm(np.diff(path.points_mm, axis=0), axis=1))])
    # Where a vessel ends its lumen is cut off at a slope; planes keep a radius away.
    free = (gone >= 1.3 * radius) & (gone <= gone[-1] - 1.3 * radius)
    picked = np.flatnonzero(free)[:: max(1, int(free.sum()) // 12)]
    found = []
    for n in picked:
        plane = flow_plane.Plane(path.points_mm[n], path.along[n])
        through, area, points = flow_plane.across_plane(along, lumen, spacing, plane, 2.5 * radius)
        if through.shape[1]:
            found.append(_Station(plane, flow_plane.flow_of(through, area, frame_ms), float(gone[n]), points))
    if len(found) < 3:
        raise Refused(
            "a vessel too short for three planes", "flow along it cannot be held against itself", "outline it"
        )
    if np.median([s.flow.rate_ml_s.sum() for s in found]) < 0:
        found = [_Station(s.plane, _reversed(s.flow), gone[-1] - s.gone_mm, s.points_mm) for s in reversed(found)]
    return found


def _reversed(flow: flow_plane.Flow) -> flow_plane.Flow:
    return replace(flow, rate_ml_s=-flow.rate_ml_s, turned=not flow.turned)


def _middle(planes: list[_Station], name: str) -> float:
    return float(np.median([getattr(s.flow, name) for s in planes]))


def _flow_numbers(planes: list[_Station], scan: FlowScan) -> list[Measurement]:
    words = f"median of {len(planes)} planes across the vessel"
    net = _middle(planes, "net_ml")
    beat_s = scan.beat_ms / 1000.0
    values = np.array([s.flow.net_ml for s in planes])
    peak = max(planes, key=lambda s: s.flow.p99_m_s).flow
    return [
        Measurement(codes.NET_FLOW, net, "mL", definition=words),
        Measurement(codes.FORWARD_FLOW, _middle(planes, "forward_ml"), "mL", definition=words),
        Measurement(codes.BACKWARD_FLOW, _middle(planes, "backward_ml"), "mL", definition=words),
        Measurement(codes.REGURGITANT_FRACTION, _middle(planes, "regurgitant_percent"), "%",
                    definition=f"100 x backward / forward; {words}"),
        Measurement(codes.NET_FLOW_RATE, 0.06 * net / beat_s, "L/min", definition=f"{60 / beat_s:.0f} beats a minute"),
        Measurement(codes.FLOW_SPREAD, 100.0 * float(values.std()) / max(abs(net), 1e-9), "%",
                    definition="standard deviation of net flow between planes, over its median; branches add to it"),
        Measurement(codes.PEAK_VELOCITY, peak.peak_m_s, "m/s", definition="fastest sample through any plane"),
        Measurement(codes.PEAK_VELOCITY, peak.p99_m_s, "m/s", definition="99th percentile of the fastest plane"),
        Measurement(codes.PEAK_VELOCITY, peak.p95_m_s, "m/s", definition="95th percentile of the fastest plane"),
        Measurement(codes.PEAK_GRADIENT, flow_pressure.bernoulli_mmhg(peak.p99_m_s), "mm[Hg]",
                    definition="simplified Bernoulli, 4 v^2 of the 99th percentile"),
    ]  # fmt: skip


def _drop(body: FlowBody, planes: list[_Station]) -> Measurement:
    apart = planes[-1].gone_mm - planes[0].gone_mm
    return Measurement(
        codes.PRESSURE_DROP,
        body.pressure_at(planes[0].points_mm) - body.pressure_at(planes[-1].points_mm),
        "mm[Hg]",
        definition=f"first less last plane, {apart:.0f} mm apart, fastest frame; pressure Poisson equation",
    )


def _curves(planes: list[_Station], scan: FlowScan) -> tuple[Curve, ...]:
    frames = scan.velocity.shape[1]
    ms = tuple(float(t * scan.frame_ms) for t in range(frames))
    picked = {"first plane": planes[0], "middle plane": planes[len(planes) // 2], "last plane": planes[-1]}
    rates = {name: tuple(float(v) for v in s.flow.rate_ml_s) for name, s in picked.items()}
    places = tuple(float(s.gone_mm) for s in planes)
    return (
        Curve("Flow through planes", ms, "time", "ms", rates, "mL/s"),
        Curve(
            "Net flow along the vessel", places, "distance along the vessel", "mm",
            {"net flow": tuple(float(s.flow.net_ml) for s in planes)}, "mL",
        ),
    )  # fmt: skip
