"""A phase-contrast scan put together: magnitude, components of velocity in m/s, and how the numbers were scaled."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.one_scan import component, kind_words, timing
from isocenter.dicom.velocity import direction_in_words, encoding
from isocenter.errors import Refused
from isocenter.methods import complex_images
from isocenter.space import Reference, Volume

__all__ = ["FlowScan", "gather"]

Floats = npt.NDArray[np.float32]

_TIMES = {"trigger": {"ms": 1.0, "s": 1000.0}, "time": {"ms": 1.0, "s": 1000.0}}
_PER_CM_S = {"cm/s": 1.0, "mm/s": 0.1, "m/s": 100.0}
_HALF_TURN = {
    **dict.fromkeys(("rad", "rads", "radian", "radians"), np.pi),
    **dict.fromkeys(("mrad", "millirad", "milliradian", "milliradians", "milliradial", "milliradials"), 1000.0 * np.pi),
    **dict.fromkeys(("deg", "degree", "degrees"), 180.0),
}
"""Half a turn, which is VENC, in units of phase as makers name them."""
_BEYOND = 1.02  # of VENC: values above it are not velocities of this scan
_OTHER_UNITS = (10.0, 100.0)  # from one unit of velocity to another
_SLOW = 0.15  # of VENC: where nothing is faster, noise and flow alike, the unit of the values may be another
_VENCS_CM_S = (3.0, 1000.0)
_UNEVEN = 0.2
_RR_SPREAD = 0.3
_ASLANT = 0.001  # cosine, by which two directions may be off from square, or one from the normal of the slices
_SHORTEST_BEAT = 0.95  # of what the frames cover: times are rounded, and so is a beat


@dataclass(frozen=True, eq=False)
class FlowScan:
    """One phase-contrast acquisition.

    Args:
        main: one of its volumes as it was given, for facts and series.
        directions: (3, 3) unit vectors in the patient along the array's axes, in its columns.
        magnitude: (frames, slices, rows, columns), or None.
        velocity: (components, frames, slices, rows, columns) m/s.
        towards: (components, 3) direction of each in the patient (LPS); zeros where nobody wrote it.
        venc_m_s: of each component.
        frame_ms: between frames.
        beat_ms: from one beat to the next, which may be longer than what the frames cover.
        scaling: in words, how stored values became velocities.
        remarks: what limits the scan.
        turned: axes that were flipped, so that all scans of one place are worked on in one sense.
    """

    main: Volume
    directions: npt.NDArray[np.float64]
    magnitude: npt.NDArray[Any] | None
    velocity: Floats
    towards: npt.NDArray[np.float64]
    venc_m_s: tuple[float, ...]
    frame_ms: float
    beat_ms: float
    scaling: str
    remarks: tuple[str, ...]
    turned: tuple[int, ...]

    def back(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """An array of the last three axes laid as the images that were given."""
        for axis in self.turned:
            array = np.flip(array, array.ndim - 3 + axis)
        return np.ascontiguousarray(array)

    def laid(self, array: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """The way there: from the images that were given to the arrays of the scan."""
        return self.back(array)


@dataclass(frozen=True, eq=False)
class _Part:
    """One component of velocity, not yet scaled."""

    volume: Volume
    array: npt.NDArray[Any]
    towards: tuple[float, float, float]
    venc_cm_s: float
    said_cm_s: float = 0.0  # what the header says
    coded: tuple[float, float] | None = None  # lowest and highest value that its pixels could hold


def gather(volumes: tuple[Volume, ...], venc_cm_s: float = 0.0) -> FlowScan:
    """The phase-contrast acquisition with most components among these volumes.

    Args:
        volumes: magnitudes and phases of a study, in any order.
        venc_cm_s: of every component, where the header does not say; 0 believes the header.

    Raises:
        Refused: without velocity images of one grid and beat, without VENC, or when the scale is not known.
    """
    if venc_cm_s and not _VENCS_CM_S[0] <= venc_cm_s <= _VENCS_CM_S[1]:
        raise Refused(
            f"venc_cm_s {venc_cm_s:g}",
            f"blood is encoded at {_VENCS_CM_S[0]:g} to {_VENCS_CM_S[1]:g} cm/s: m/s may have been given",
            "give cm/s, as the protocol does",
        )
    parts: list[_Part] = []
    magnitudes: list[Volume] = []
    silent = 0
    for volume in volumes:
        if volume.geometry.reference is not Reference.PATIENT or not np.isfinite(volume.array).all():
            continue
        found = _parts(volume, venc_cm_s)
        parts += found
        if not found and _is_phase(volume):
            silent += 1
        elif not found and volume.axes:
            magnitudes.append(volume)
    if not parts:
        if silent:
            raise Refused(
                "phase images that state no VENC",
                "without the velocity of half a turn phase is no velocity (it may stand in a private element)",
                "give venc_cm_s from the protocol",
            )
        raise Refused(
            "no phase images of flow", "magnitudes alone carry no velocity", "send the phase or velocity series too"
        )
    group, turned_how = _square(_largest(parts))
    main = group[0].volume
    frame_ms, remarks = _frames(main)
    remarks += [*turned_how, *_contradicted(group, venc_cm_s), *_by_words(group, venc_cm_s)]
    scaled, words = zip(*(_scaled(part) for part in group), strict=True)
    magnitude = next(
        (v.array for v in magnitudes if v.array.shape == scaled[0].shape and v.geometry.same_grid(main.geometry)), None
    )
    directions = main.geometry.directions.copy()
    turned = tuple(k for k in range(3) if directions[int(np.argmax(np.abs(directions[:, k]))), k] < 0)
    directions[:, turned] *= -1.0
    scan = FlowScan(
        main, directions, None, np.empty(0, np.float32), np.array([p.towards for p in group]),
        tuple(p.venc_cm_s / 100.0 for p in group), frame_ms, _beat_ms(main, frame_ms),
        "; ".join(dict.fromkeys(words)), tuple(remarks), turned,
    )  # fmt: skip
    velocity = np.stack([scan.laid(part) for part in scaled])
    if not velocity.any():
        raise Refused("velocities that are 0 everywhere", "not even noise stands in them", "send the phase images")
    return replace(
        scan,
        magnitude=None if magnitude is None else scan.laid(magnitude),
        velocity=velocity,
        remarks=(*remarks, *_slow(velocity, min(scan.venc_m_s))),
    )


def _slow(velocity: Floats, venc_m_s: float) -> list[str]:
    most = float(np.abs(velocity).max())
    if most >= _SLOW * venc_m_s:
        return []
    return [
        f"WARNING: nothing is faster than {100 * most:.3g} cm/s, with a VENC of {100 * venc_m_s:g}: the unit of the "
        "values may be another, or VENC was far too high for this vessel"
    ]


def _contradicted(group: list[_Part], given: float) -> list[str]:
    """What the header says of VENC, where another was given."""
    said = {f"{p.said_cm_s:g}" for p in group if given and p.said_cm_s and abs(p.said_cm_s - given) > 0.02 * given}
    if not said:
        return []
    return [f"WARNING: VENC {given:g} cm/s was given and taken, the header says {' and '.join(sorted(said))} cm/s"]


def _words(volume: Volume) -> set[str]:
    return {*kind_words(volume), str(volume.facts.get("ComplexImageComponent", "")).strip().upper()}


def _is_phase(volume: Volume) -> bool:
    """By Image Type, or Frame Type of enhanced MR, where VELOCITY is the kind of scan and magnitudes bear it too."""
    if component(volume) == "magnitude" and _words(volume) & {"M", "MAGNITUDE", "M_FFE", "M_PCA"}:
        return False
    return bool(_words(volume) & {"P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP", "P_PCA"})


def _parts(volume: Volume, given: float) -> list[_Part]:
    names = [a.name for a in volume.axes]
    if names and names[0] in _TIMES and names[1:] == ["encoding"]:
        ranges = volume.facts.get("CodedRanges") or [volume.facts.get("CodedRange")] * len(volume.axes[1])
        return [
            _Part(volume, volume.array[:, n], (e[0], e[1], e[2]), given or e[3], e[3], ranges[n])
            for n, e in enumerate(volume.axes[1].values)
            if e is not None
        ]
    if len(names) != 1 or names[0] not in _TIMES:
        return []
    told = volume.facts.get("VelocityEncoding")
    if told is not None:
        if not _is_phase(volume) and float(volume.array.min()) >= 0 and not _around_2048(volume.array):
            return []  # magnitudes of a maker that writes VENC, and which way, into every image
        coded = volume.facts.get("CodedRange")
        return [_Part(volume, volume.array, (told[0], told[1], told[2]), given or told[3], told[3], coded)]
    if given and _is_phase(volume):
        towards = direction_in_words(_described(volume), _orientation(volume))
        return [_Part(volume, volume.array, towards, given, coded=volume.facts.get("CodedRange"))]
    return []


def _described(volume: Volume) -> str:
    return f"{volume.facts.get('SeriesDescription', '')} {volume.facts.get('ProtocolName', '')}"


def _orientation(volume: Volume) -> npt.NDArray[np.float64]:
    """(6,) as the header has it: along a row, then along a column."""
    along = volume.geometry.directions
    return np.concatenate([along[:, 2], along[:, 1]])


def _by_words(group: list[_Part], given: float) -> list[str]:
    """What is to be said of a VENC that only the description of the series states."""
    said = {
        f"{part.said_cm_s:g}"
        for part in group
        if part.said_cm_s and not given and "FrameType" not in part.volume.facts and len(part.volume.axes) == 1
        and encoding(part.volume.facts, _orientation(part.volume)) is None
    }  # fmt: skip
    if not said:
        return []
    return [f"WARNING: VENC {' and '.join(sorted(said))} cm/s stands in the words of the series alone: check it"]


def _largest(parts: list[_Part]) -> list[_Part]:
    groups: list[list[_Part]] = []
    for part in parts:
        for group in groups:
            first = group[0]
            if (
                first.volume.geometry.same_grid(part.volume.geometry)
                and first.array.shape == part.array.shape
                and not any(abs(float(np.dot(part.towards, g.towards))) > 0.9 for g in group)
            ):
                group.append(part)
                break
        else:
            groups.append([part])
    return max(groups, key=lambda g: (min(len(g), 3), g[0].array.size))[:3]


def _square(group: list[_Part]) -> tuple[list[_Part], list[str]]:
    """Three directions along the axes of oblique slices, where names of the patient's axes do not stand square.

    One that is named *through the plane* is exact; the two within the plane are then its rows and its columns, and a
    maker that writes RL and AP beside it means the nearest of these.
    """
    towards = np.array([part.towards for part in group])
    along = group[0].volume.geometry.directions
    through = np.abs(towards @ along[:, 0]) > 1.0 - _ASLANT
    if len(group) < 3 or not through.any() or float(np.abs(towards @ towards.T - np.eye(3)).max()) <= _ASLANT:
        return group, []
    near = towards @ along
    axes = np.abs(near).argmax(axis=1)
    if len(set(axes.tolist())) < 3 or not towards.any(axis=1).all():
        return group, []
    square = [along[:, axis] * np.sign(near[n, axis]) for n, axis in enumerate(axes)]
    turned = [
        replace(part, towards=(float(d[0]), float(d[1]), float(d[2]))) for part, d in zip(group, square, strict=True)
    ]
    off = float(np.degrees(np.arccos(np.abs(near).max(axis=1).clip(max=1.0))).max())
    said = f"one direction points through oblique slices, and the others, named {off:.0f} degrees off, along their axes"
    return turned, [said]


def _beat_ms(main: Volume, frame_ms: float) -> float:
    """The header's beat, where it is as long as what the frames cover or longer: a scan that waits for the next R wave
    leaves the end of the beat out. Else what they cover.
    """
    covered = frame_ms * len(main.axes[0])
    interval, rate = (main.facts.get(k) for k in ("NominalInterval", "HeartRate"))
    beats = [float(interval)] if isinstance(interval, (int, float)) else []
    beats += [60_000.0 / rate] if isinstance(rate, (int, float)) and rate > 0 else []
    return next((beat for beat in beats if beat >= _SHORTEST_BEAT * covered), covered)


def _frames(main: Volume) -> tuple[float, list[str]]:
    axis = main.axes[0]
    scale = _TIMES[axis.name].get(axis.unit)
    times = np.array([float(v) for v in axis.values])
    remarks: list[str] = list(timing(main))
    if scale is None or len(times) < 2:
        raise Refused(
            f"{len(times)} frames without a time in the beat",
            "volumes per beat are sums over time",
            "export the series with Trigger Time",
        )
    steps = np.diff(times) * scale
    usual = float(np.median(steps))
    if not 1.0 <= usual <= 500.0:
        raise Refused(
            f"frames {usual:g} ms apart",
            "no beat is sampled so: the unit of time is wrong",
            "correct Trigger Time, in milliseconds",
        )
    if float(np.abs(steps - usual).max()) > _UNEVEN * usual:
        raise Refused(
            f"frames {steps.min():.0f} to {steps.max():.0f} ms apart", "frames are missing from the beat", "send all"
        )
    low, high = main.facts.get("LowRRValue"), main.facts.get("HighRRValue")
    if isinstance(low, (int, float)) and isinstance(high, (int, float)) and 0 < low < high:
        spread = (high - low) / ((high + low) / 2)
        if spread > _RR_SPREAD:
            remarks.append(
                f"beats from {low:g} to {high:g} ms were taken together: their flows are blurred into each other"
            )
    interval = main.facts.get("NominalInterval")
    if isinstance(interval, (int, float)) and interval > 0 and len(times) * usual < 0.85 * interval:
        remarks.append(
            f"frames cover {len(times) * usual:.0f} of {interval:g} ms: flow at the end of the beat is not counted"
        )
    return usual, remarks


def _coded_end(coded: tuple[float, float] | None, venc_cm_s: float, maker: str) -> tuple[float, str] | None:
    """The value that the coding of the images lets stand for VENC, and how, whether or not anything flows that fast.

    A phase image is coded over one turn, from -VENC to VENC, in a unit of the maker's choice. 2048 steps are taken as a
    turn from Siemens alone: of others they may be room for velocities in mm/s.
    """
    if not coded:
        return None
    least = -float(coded[0])
    ends = [(venc_cm_s, 0.02, "values are velocities in cm/s, coded from -VENC to VENC")]
    ends += [(np.pi * k, 0.002, "phase coded over a whole turn, of which half is VENC") for k in (1.0, 1000.0)]
    ends += [(4096.0, 0.002, "4096 steps are VENC")]
    ends += [
        (venc_cm_s / per, 0.02, f"values are velocities in {unit}, coded from -VENC to VENC")
        for unit, per in _PER_CM_S.items()
        if unit != "cm/s"
    ]
    ends += [(2048.0, 0.002, "2048 steps are VENC")] if maker.startswith("SIEMENS") else []
    return next(((end, how) for end, near, how in ends if abs(least - end) <= near * end), None)


def _must_not_contradict(coded: tuple[float, float] | None, unit: str, venc_cm_s: float) -> None:
    if coded is None:
        return
    share = -float(coded[0]) * _PER_CM_S[unit] / venc_cm_s
    if any(abs(share * times - 1.0) <= 0.02 for times in _OTHER_UNITS):
        raise Refused(
            f"velocities in {unit} that are coded from {float(coded[0]):g} to {float(coded[1]):g}",
            f"a coding ends at VENC, and that is {venc_cm_s:g} cm/s: the unit or VENC is wrong",
            "export velocities with their unit, or give venc_cm_s from the protocol",
        )


def _must_be_phase(coded: tuple[float, float] | None, most: float, unit: str, venc_cm_s: float) -> None:
    half = _HALF_TURN[unit]
    ends = [most, *([-float(coded[0])] if coded else [])]
    velocities = abs(ends[-1] / venc_cm_s - 1.0) <= 0.02 and abs(ends[-1] / half - 1.0) > 0.02
    if most > _BEYOND * half or velocities:
        why = f"its coding ends at VENC, {venc_cm_s:g} cm/s" if velocities else f"half a turn is {half:.6g}"
        raise Refused(
            f"phase in {unit} from {-ends[-1]:g} with values up to {most:g}",
            f"{why}: the unit is wrong",
            "export phase or velocities with their unit",
        )


def _around_2048(values: npt.NDArray[Any]) -> bool:
    """Whether these are 12 bits without a rescale: what keeps still, or points anywhere, lies in the middle."""
    inside = float(values.min()) >= 0 and float(values.max()) <= 4096
    return inside and abs(float(np.median(values)) - 2048.0) <= 128.0


def _as_written(maker: str) -> str:
    return next((f" as {name} writes them" for name in ("Siemens", "Philips") if maker.startswith(name.upper())), "")


def _scaled(part: _Part) -> tuple[Floats, str]:
    """m/s, and how."""
    volume, venc = part.volume, part.venc_cm_s
    facts = volume.facts
    if not venc > 0:
        raise Refused(f"a VENC of {venc:g} cm/s", "velocity follows from it", "give venc_cm_s from the protocol")
    maker = str(facts.get("Manufacturer", "")).upper()
    unit = str(facts.get("RealWorldValueUnit", "")).lower()
    said = unit if unit in (*_PER_CM_S, *_HALF_TURN) else str(facts.get("RescaleType", "")).strip().lower()
    values = part.array
    most = float(np.abs(values).max())
    if said in _PER_CM_S:
        _must_not_contradict(part.coded, said, venc)
        factor, how = _PER_CM_S[said], f"values are velocities in {said} as the header says"
    elif said in _HALF_TURN:
        half = _HALF_TURN[said]
        _must_be_phase(part.coded, most, said, venc)
        factor, how = venc / half, f"phase in {said} as the header says, of which {half:.6g} is VENC ({venc:g} cm/s)"
    elif maker.startswith("GE") and "GEVelocityEncoding" in facts:
        if int(facts.get("GEVelocityFlags") or 0) & 2:
            raise Refused(
                "velocities multiplied by the magnitude",
                "as GE writes them when magnitude weighting is on: they are no velocities any more",
                "reconstruct the scan with weighting off",
            )
        factor, how = 0.1, "values are velocities in mm/s as GE writes them"
    elif (coded := _coded_end(part.coded, venc, maker)) is not None:
        factor, how = venc / coded[0], f"{coded[1]} ({venc:g} cm/s){_as_written(maker)}"
    elif maker.startswith("PHILIPS") and 0.9 * venc <= most <= _BEYOND * venc:
        factor, how = 1.0, f"values are velocities in cm/s{_as_written(maker)}"
    elif maker.startswith("SIEMENS") and _around_2048(values):
        values = values - np.float32(2048.0)
        most = float(np.abs(values).max())
        factor, how = venc / 2048.0, f"2048 steps from 2048 are VENC ({venc:g} cm/s){_as_written(maker)}"
    else:
        try:
            turned = complex_images.radians(values, or_velocity=True)
        except Refused as why:
            raise Refused(
                f"velocity images from {float(values.min()):g} to {float(values.max()):g}",
                f"their scale is not known: no unit is stated, and {why.why}",
                "export velocities with their unit, or phase as the scanner wrote it",
            ) from why
        return np.asarray(turned * np.float32(venc / 100.0 / np.pi), np.float32), (
            f"phase that fills a whole turn, of which half is VENC ({venc:g} cm/s)"
        )
    if most * factor > _BEYOND * venc:
        raise Refused(
            f"velocities up to {most * factor:.0f} cm/s with a VENC of {venc:g}",
            "no phase image goes beyond its VENC: scale or VENC is wrong",
            "give venc_cm_s from the protocol",
        )
    return np.asarray(values * np.float32(factor / 100.0), np.float32), how
