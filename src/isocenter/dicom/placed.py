"""One frame with its place in the patient and with what tells it from others at the same place.

Classic objects say this in each instance's header, enhanced ones in functional groups, Siemens mosaics in a private
header. All three become `Placed` frames here, so that sorting, checking and filling are written once.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.elements import Dataset, File, parse
from isocenter.dicom.facts import facts_at
from isocenter.dicom.velocity import ENCODING, encoding, stated
from isocenter.errors import NotAVolume
from isocenter.record import Instance, Series

__all__ = ["Placed", "alone", "classic", "enhanced", "gamma_tomography", "moment_s"]


@dataclass(frozen=True, eq=False)
class Placed:
    """One frame, or one tile of a mosaic.

    Args:
        sop_uid, digest: the instance that holds it.
        frame: its number within the instance, from 0.
        rows, columns: its size.
        position: (3,) centre of its first pixel, LPS mm.
        orientation: (6,) direction along a row, then along a column.
        spacing: between rows, between columns, mm.
        thickness: of the slice, mm; 0 where unknown.
        slope, intercept: stored value to real value.
        scaled: whether slope or intercept is stated.
        unit: UCUM unit of a real-world map, where that is what scales the frame.
        scaled_to: Rescale Type of a frame of an enhanced object; a classic image has it among its facts.
        maker_scale: Scale Slope (2005,100E) of Philips in a frame of an enhanced object; 0 where none is stated.
        kind: words of Image Type or Frame Type, without those that number or name a single image.
        keys: what may differ between frames at one place: echo, b_value, direction, energy, trigger, time, ...
        tile: (row, column) of the first pixel in the stored frame, for mosaics.
        stated: facts that a frame of an enhanced object states for itself, None for one of the object's that is not
            its own; empty for classic images, whose headers have them.
    """

    sop_uid: str
    digest: str
    frame: int
    rows: int
    columns: int
    position: npt.NDArray[np.float64]
    orientation: npt.NDArray[np.float64]
    spacing: tuple[float, float]
    thickness: float = 0.0
    slope: float = 1.0
    intercept: float = 0.0
    scaled: bool = True
    unit: str = ""
    scaled_to: str = ""
    maker_scale: float = 0.0
    kind: tuple[str, ...] = ()
    stack: str = ""
    keys: Mapping[str, Any] = field(default_factory=dict)
    tile: tuple[int, int] | None = None
    stated: Mapping[str, Any] = field(default_factory=dict)


def moment_s(day: str, clock: str) -> float | None:
    """Seconds on a common scale from DICOM date and time; a date-time may stand in `day` alone.

    >>> moment_s("20260101", "000001.5") - moment_s("20251231", "235959")
    2.5
    """
    from datetime import date

    if day[4:5] == day[7:8] == ".":  # as before DICOM 3
        day = day.replace(".", "")
    if len(day) > 8 and not clock:
        day, clock = day[:8], day[8:].split("+")[0].split("-")[0]
    clock = clock.replace(":", "")
    try:
        hours, minutes = float(clock[0:2]), float(clock[2:4] or 0)
        seconds = float(clock[4:] or 0)
        days = date(int(day[:4]), int(day[4:6]), int(day[6:8])).toordinal() if len(day) >= 8 else 0
    except ValueError:
        return None
    return days * 86400.0 + hours * 3600 + minutes * 60 + seconds


def _vector(value: Any, length: int, name: str, where: str) -> npt.NDArray[np.float64]:
    try:
        found = np.array([float(v) for v in value], dtype=np.float64)
    except (TypeError, ValueError):
        found = np.full(1, np.nan)
    if found.shape != (length,) or not np.isfinite(found).all():
        raise NotAVolume(
            f"{name} of {where} is {value!r}", "its place in the patient is not a number", "export the series again"
        )
    return found


def _spacing(value: Any, where: str) -> tuple[float, float]:
    found = _vector(value, 2, "Pixel Spacing", where)
    if (found <= 0).any():
        raise NotAVolume(f"Pixel Spacing of {where} is {value!r}", "pixels without extent have no area", "export again")
    return float(found[0]), float(found[1])


def _one(value: Any) -> float | None:
    """A finite number, or None."""
    if isinstance(value, (list, tuple)):
        value = value[0] if value else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def scale(facts: Mapping[str, Any], where: str) -> tuple[float, float]:
    """Slope and intercept from stored to real value; a real-world map serves where there is no rescale.

    Raises:
        NotAVolume: when a slope stands there and is zero or no number: the values would mean nothing.
    """
    slope, intercept = facts.get("RescaleSlope"), facts.get("RescaleIntercept")
    if slope is None and facts.get("DoseGridScaling") is not None:
        slope = facts["DoseGridScaling"]
    if slope is None and intercept is None and "RealWorldValueSlope" in facts:
        slope, intercept = facts["RealWorldValueSlope"], facts.get("RealWorldValueIntercept")
    a = 1.0 if slope is None else _one(slope)
    b = 0.0 if intercept is None else _one(intercept)
    if a is None or b is None or a == 0.0:
        raise NotAVolume(
            f"Rescale Slope {slope!r} and Intercept {intercept!r} of {where}",
            "stored values cannot be turned into real ones",
            "export the series again",
        )
    return a, b


def _is_scaled(facts: Mapping[str, Any]) -> bool:
    return any(facts.get(k) is not None for k in ("RescaleSlope", "RescaleIntercept", "RealWorldValueSlope"))


# ---- classic -------------------------------------------------------------------------------------------------------


def classic(series: Series, instance: Instance) -> Placed | None:
    """A single-frame instance, or None where its header gives it no place in the patient.

    Raises:
        NotAVolume: when a place is stated and is no number.
    """
    facts = {**series.facts, **instance.facts}
    if "ImagePositionPatient" not in facts or "ImageOrientationPatient" not in facts:
        return None
    where = f"image {instance.number if instance.number is not None else instance.sop_uid}"
    slope, intercept = scale(facts, where)
    words = facts.get("ImageType") or []
    return Placed(
        sop_uid=instance.sop_uid,
        digest=instance.digest,
        frame=0,
        rows=instance.rows,
        columns=instance.columns,
        position=_vector(facts["ImagePositionPatient"], 3, "Image Position (Patient)", where),
        orientation=_vector(facts["ImageOrientationPatient"], 6, "Image Orientation (Patient)", where),
        spacing=_spacing(facts.get("PixelSpacing") or facts.get("ImagerPixelSpacing"), where),
        thickness=_one(facts.get("SliceThickness")) or 0.0,
        slope=slope,
        intercept=intercept,
        scaled=_is_scaled(facts),
        kind=(*(str(w) for w in words), *_component(facts)),
        keys={**_classic_keys(facts, instance), **_velocity(facts, words, series.description)},
    )


_POSITION, _ORIENTATION, _TYPE = 0x00200032, 0x00200037, 0x00080008
_PLACING = (
    _POSITION, _ORIENTATION, 0x00280030, 0x00181164, 0x00180050, 0x00281052, 0x00281053, 0x3004000E,
)  # fmt: skip
_ELSEWHERE = (0x00409096, 0x52009229, 0x52009230)  # real-world maps and functional groups say more


def alone(file: File) -> Placed | None:
    """The slice of a plain object, of as little of its header as places it; None where more of it must be asked.

    What orders a slice among others (its moment, its echo, what velocity it encodes) is not read: this is for a slice
    that is asked by itself, several times quicker than its whole record.
    """
    frames = file.decimals(0x00280008)
    if (
        (frames and frames[0] != 1.0)
        or _POSITION not in file.dataset
        or _ORIENTATION not in file.dataset
        or any(tag in file.dataset for tag in _ELSEWHERE)
        or "MOSAIC" in file.ascii(_TYPE)
    ):
        return None
    facts, where = facts_at(file, _PLACING), "the image"
    rows, columns = file.integer(0x00280010), file.integer(0x00280011)
    slope, intercept = scale(facts, where)
    return Placed(
        sop_uid="", digest="", frame=0, rows=rows, columns=columns,
        position=_vector(facts.get("ImagePositionPatient"), 3, "Image Position (Patient)", where),
        orientation=_vector(facts.get("ImageOrientationPatient"), 6, "Image Orientation (Patient)", where),
        spacing=_spacing(facts.get("PixelSpacing") or facts.get("ImagerPixelSpacing"), where),
        thickness=_one(facts.get("SliceThickness")) or 0.0, slope=slope, intercept=intercept,
    )  # fmt: skip


def _component(facts: Mapping[str, Any]) -> tuple[str, ...]:
    """Magnitude, phase, real or imaginary, where another element than Image Type says so."""
    said = facts.get("ComplexImageComponent", facts.get("GEImageKind"))
    return () if said is None else (str(said),)


_NOT_MAGNITUDE = frozenset({"P", "PHASE", "VELOCITY", "PHASE MAP", "VELOCITY MAP", "PC_VELOCITY"})


def _velocity(facts: Mapping[str, Any], words: Any, described: str) -> dict[str, Any]:
    """What velocity the image encodes; images that say they are magnitudes encode none."""
    said = {str(w).strip().upper() for w in words}
    if said & {"M", "MAGNITUDE", "M_FFE", "M_PCA"} and not said & _NOT_MAGNITUDE:
        return {}
    orientation = np.array([float(v) for v in facts["ImageOrientationPatient"]])
    found = encoding(facts, orientation, f"{described} {facts.get('ProtocolName', '')}")
    return {} if found is None else {ENCODING: found}


def _classic_keys(facts: Mapping[str, Any], instance: Instance) -> dict[str, Any]:
    b_value = _one(facts.get("DiffusionBValue"))
    if b_value is None:
        b_value = _one(facts.get("SiemensBValue"))
    if b_value is None and facts.get("GEBValue"):
        said = _one(facts["GEBValue"])
        b_value = said % 1e5 if said is not None else None  # GE adds 1e9 as a mark
    direction = facts.get("DiffusionGradientOrientation") or facts.get("SiemensDiffusionGradientDirection")
    if direction is None and "GEDiffusionGradientX" in facts and b_value:
        direction = [facts.get(f"GEDiffusionGradient{axis}", 0.0) for axis in "XYZ"]
    day = str(facts.get("AcquisitionDate") or facts.get("SeriesDate") or "")
    moment = moment_s(str(facts.get("AcquisitionDateTime", "")), "") if facts.get("AcquisitionDateTime") else None
    clock = moment_s(day, str(facts["AcquisitionTime"])) if facts.get("AcquisitionTime") else None
    content = moment_s(str(facts.get("ContentDate") or day), str(facts.get("ContentTime") or ""))
    return {
        "echo": _one(facts.get("EchoTime")),
        "inversion": _one(facts.get("InversionTime")),
        "flip": _one(facts.get("FlipAngle")),
        "energy": _one(facts.get("KVP")),
        "b_value": b_value,
        "direction": _direction(direction),
        "trigger": _one(facts.get("TriggerTime")),
        "temporal": _one(facts.get("TemporalPositionIdentifier")),
        "reference": _one(facts.get("FrameReferenceTime")),
        "lasted_ms": _one(facts.get("ActualFrameDuration")),
        "moment": clock if moment is None else moment,
        "clock": clock,  # where some writer gave every image the date and time of the first
        "dynamic": _one(facts.get("PhilipsDynamicScanBeginTime")),
        "content": content,
        "acquisition": _one(facts.get("AcquisitionNumber")),
        "number": float(instance.number) if instance.number is not None else None,
        "beat_ms": _beat_ms(_one(facts.get("HeartRate")), _one(facts.get("NominalInterval"))),
    }


def _beat_ms(rate: float | None, interval: float | None) -> float | None:
    """How long a beat lasted while this image was taken; each breath-hold has its own."""
    return 60_000.0 / rate if rate and rate > 0 else interval if interval and interval > 0 else None


def _direction(value: Any) -> tuple[float, ...] | None:
    if not isinstance(value, (list, tuple)) or len(value) != 3:
        return None
    parts = [_one(v) for v in value]
    return None if any(p is None for p in parts) else tuple(round(float(p or 0.0), 4) for p in parts)


# ---- enhanced ------------------------------------------------------------------------------------------------------

_PER_FRAME, _SHARED = 0x52009230, 0x52009229


def enhanced(instance: Instance, file: File) -> list[Placed]:
    """All frames of a multi-frame object with functional groups (PS3.3 C.7.6.16).

    Raises:
        NotAVolume: when groups are fewer than frames, or a frame has no place in the patient.
    """
    per_frame, shared = file.items(_PER_FRAME), (file.items(_SHARED) or [{}])[0]
    if len(per_frame) != instance.frames:
        raise NotAVolume(
            f"{len(per_frame)} functional groups for {instance.frames} frames",
            "frames without a group have no place in the patient",
            "export the object again",
        )
    return [_enhanced_frame(instance, file, shared, own, n) for n, own in enumerate(per_frame)]


def _group(file: File, tag: int, own: Dataset, shared: Dataset) -> Dataset:
    found = file.items(tag, own) or file.items(tag, shared)
    return found[0] if found else {}


def _enhanced_frame(instance: Instance, file: File, shared: Dataset, own: Dataset, number: int) -> Placed:
    where = f"frame {number + 1}"
    measures = _group(file, 0x00289110, own, shared)
    position = _group(file, 0x00209113, own, shared)
    orientation = _group(file, 0x00209116, own, shared)
    if 0x00200032 not in position or 0x00200037 not in orientation:
        raise NotAVolume(
            f"{where} states no position or orientation in the patient", "its place is unknown", "export it again"
        )
    modality = file.ascii(0x00080060)
    facts = _enhanced_scale(file, own, shared, modality)
    slope, intercept = scale(facts, where)
    content = _group(file, 0x00209111, own, shared)
    return Placed(
        sop_uid=instance.sop_uid,
        digest=instance.digest,
        frame=number,
        rows=instance.rows,
        columns=instance.columns,
        position=_vector(file.decimals(0x00200032, position), 3, "Image Position (Patient)", where),
        orientation=_vector(file.decimals(0x00200037, orientation), 6, "Image Orientation (Patient)", where),
        spacing=_spacing(file.decimals(0x00280030, measures), where),
        thickness=(file.decimals(0x00180050, measures) or (0.0,))[0],
        slope=slope,
        intercept=intercept,
        scaled=_is_scaled(facts),
        unit=str(facts.get("RealWorldValueUnit", "")),
        scaled_to=file.ascii(0x00281054, _group(file, 0x00289145, own, shared)),
        maker_scale=_of_philips(file, own, shared, 0x2005100E) or 0.0,
        kind=_frame_type(file, own, shared),
        stack=file.ascii(0x00209056, content),
        keys=_enhanced_keys(instance, file, own, shared, content, number),
        stated=_of_ct(file, own, shared) if modality == "CT" else {},
    )


def _of_ct(file: File, own: Dataset, shared: Dataset) -> dict[str, Any]:
    """How a frame of a CT was made: stacks of one object may differ in it."""
    converted = (file.items(0x00209171, own) or [{}])[0]
    kv = _one(file.decimals(0x00180060, _group(file, 0x00189325, own, shared)) or file.decimals(0x00180060, converted))
    thick = _one(file.decimals(0x00180050, _group(file, 0x00289110, own, shared)))
    kernel = file.ascii(0x00181210, _group(file, 0x00189314, own, shared))
    energy = _one(file.numbers(0x0018937C, _group(file, 0x00189364, own, shared), "d"))
    used = file.items(0x00189341, own) or file.items(0x00189341, shared)
    given = {file.ascii(0x00189342, one).upper() for one in used}
    said = {
        "KVP": kv, "SliceThickness": thick, "ConvolutionKernel": kernel or None,
        "MonoenergeticEnergyEquivalent": energy,
    }  # fmt: skip
    found: dict[str, Any] = {keyword: value for keyword, value in said.items() if value is not None}
    if given == {"NO"}:
        found["ContrastBolusAgent"] = None  # the object names it, and it was not yet given
    return found


def _enhanced_scale(file: File, own: Dataset, shared: Dataset, modality: str) -> dict[str, Any]:
    """Rescale of a frame, or its real-world map where the rescale is none and the map says more.

    Of several maps that which says what the rescaled values are, else the first. Rescaled values of a PET that none
    of its maps names have no unit: there the map is taken.
    """
    transform = _group(file, 0x00289145, own, shared)
    slope = (file.decimals(0x00281053, transform) or (None,))[0]
    intercept = (file.decimals(0x00281052, transform) or (0.0,))[0]
    rescale = {} if slope is None else {"RescaleSlope": slope, "RescaleIntercept": intercept}
    held = file.items(0x00409096, own) or file.items(0x00409096, shared)
    maps = [_mapped(file, one) for one in held if 0x00409225 in one]
    if not maps:
        return rescale
    if slope is None or (slope, intercept) == (1.0, 0.0):
        return maps[0]
    for one in maps:
        if np.isclose((slope, intercept), (one["RealWorldValueSlope"], one["RealWorldValueIntercept"])).all():
            return {**rescale, "RealWorldValueUnit": one["RealWorldValueUnit"]}
    return maps[0] if modality == "PT" else rescale


def _mapped(file: File, real: Dataset) -> dict[str, Any]:
    unit = (file.items(0x004008EA, real) or [{}])[0]
    return {
        "RealWorldValueSlope": file.numbers(0x00409225, real, "d")[0],
        "RealWorldValueIntercept": (file.numbers(0x00409224, real, "d") or (0.0,))[0],
        "RealWorldValueUnit": file.ascii(0x00080100, unit),
    }


def _of_philips(file: File, own: Dataset, shared: Dataset, tag: int) -> float | None:
    """A number of Philips' own group of a frame, or of what a converted object kept: Scale Slope (2005,100E), stored
    value over the scanner's signal, or Dynamic Scan Begin Time (2005,10A0).
    """
    for held in (_group(file, 0x2005140F, own, shared), _group(file, 0x00209171, own, {})):
        if file.ascii(0x20050010, held) == "Philips MR Imaging DD 001":
            return _one(file.numbers(tag, held, "f"))
    return None


def _frame_type(file: File, own: Dataset, shared: Dataset) -> tuple[str, ...]:
    for tag in (0x00189226, 0x00189329, 0x00189751, 0x00189504):
        group = _group(file, tag, own, shared)
        if 0x00089007 in group:
            words = [w.strip() for w in file.ascii(0x00089007, group).split("\\")]
            return (*words, file.ascii(0x00089208, group))
    return ()


def _kept_velocity(file: File, own: Dataset, shared: Dataset) -> Any:
    """What velocity a frame of a converted object encodes by the name of its sequence, which its old header told."""
    headers = [_group(file, 0x00209171, own, {}), _group(file, 0x00209170, {}, shared)]
    named = next((name for held in headers if (name := file.ascii(0x00180024, held))), "")
    turn = file.decimals(0x00200037, _group(file, 0x00209116, own, shared))
    if not named or len(turn) != 6:
        return None
    facts = {"SequenceName": named, "ImageOrientationPatient": turn}
    return _velocity(facts, _frame_type(file, own, shared), "").get(ENCODING)


def _enhanced_keys(
    instance: Instance, file: File, own: Dataset, shared: Dataset, content: Dataset, number: int
) -> dict[str, Any]:
    def first(group_tag: int, tag: int) -> float | None:
        found = file.numbers(tag, _group(file, group_tag, own, shared), "d")
        return _one(found)

    diffusion = _group(file, 0x00189117, own, shared)
    gradient = (file.items(0x00189076, diffusion) or [{}])[0]
    details = _group(file, 0x00189325, own, shared)
    velocity = _group(file, 0x00189197, own, shared)
    index = file.numbers(0x00209128, content, "I")
    moment, reference = (moment_s(file.ascii(tag, content), "") for tag in (0x00189074, 0x00189151))
    begun = moment_s(file.ascii(0x0008002A), "")
    if begun is not None:  # some converters write the milliseconds of a trigger as days
        moment, reference = (m if m is not None and abs(m - begun) < 86400 else None for m in (moment, reference))
    converted = (file.items(0x00209171, own) or [{}])[0]  # what a converted object kept of the frame's old header

    def kept(tag: int) -> float | None:
        return _one(file.decimals(tag, converted))

    offset = first(0x00209310, 0x0020930D)
    echo, trigger, temporal = kept(0x00180081), kept(0x00181060), kept(0x00200100)
    return {
        "echo": first(0x00189114, 0x00189082) if echo is None else echo,
        "flip": _one(file.decimals(0x00181314, _group(file, 0x00189112, own, shared))) or kept(0x00181314),
        "inversion": first(0x00189115, 0x00189079),
        "energy": _one(file.decimals(0x00180060, details)) or kept(0x00180060),
        "b_value": _one(file.numbers(0x00189087, diffusion, "d")),
        "direction": _direction(list(file.numbers(0x00189089, gradient, "d"))),
        ENCODING: stated(list(file.numbers(0x00189090, velocity, "d")), _one(file.numbers(0x00189217, velocity, "d")))
        or _kept_velocity(file, own, shared),
        "trigger": first(0x00189118, 0x00209153) if trigger is None else trigger,
        "temporal": (_one(index) if instance.frames > 1 else None) if temporal is None else temporal,
        "offset": offset,
        "moment": moment,
        "reference": None if reference is None else 1000.0 * reference,
        "lasted_ms": _one(file.numbers(0x00189220, content, "d")) if 0x00189220 in content else None,
        "dynamic": _of_philips(file, own, shared, 0x200510A0),
        # Of the object, not of the frame: it tells apart objects that hold one moment each.
        "begun": begun,
        # Of objects whose offsets begin at 0 each.
        "since": None if begun is None or offset is None else begun + offset,
        "content": moment_s(file.ascii(0x00080023), file.ascii(0x00080033)),
        "acquisition": _one(file.numbers(0x00209156, content)) if 0x00209156 in content else None,
        "number": float(number) + 1e6 * float(instance.number or 0),
        "beat_ms": _beat_ms(kept(0x00181088), first(0x00189118, 0x00209251) or kept(0x00181062)),
    }


# ---- others --------------------------------------------------------------------------------------------------------


def gamma_tomography(series: Series, instance: Instance, file: File) -> list[Placed]:
    """Reconstructed nuclear-medicine slices and dose grids, whose frames are steps from one position.

    Raises:
        NotAVolume: when there is no position, or frames are not steps along one line.
    """
    facts = {**series.facts, **instance.facts}
    detector = (file.items(0x00540022) or [{}])[0]
    position = file.decimals(0x00200032, detector) or file.decimals(0x00200032)
    orientation = file.decimals(0x00200037, detector) or file.decimals(0x00200037)
    if not position or not orientation:
        raise NotAVolume(
            f"{instance.frames} frames without a position in the patient",
            "they are projections or pictures, not slices",
            "choose the reconstructed series",
        )
    where = f"image {instance.number}"
    start = _vector(position, 3, "Image Position (Patient)", where)
    axes = _vector(orientation, 6, "Image Orientation (Patient)", where)
    normal = np.cross(axes[:3], axes[3:])
    offsets = file.decimals(0x3004000C)
    if not offsets:
        step = _one(facts.get("SpacingBetweenSlices")) or _one(facts.get("SliceThickness"))
        if step is None:
            raise NotAVolume("Spacing Between Slices is missing", "the slices have no distance", "export it again")
        numbers = file.numbers(0x00540080) or tuple(range(1, instance.frames + 1))
        offsets = tuple(step * (n - 1) for n in numbers)
    if len(offsets) != instance.frames:
        raise NotAVolume(
            f"{len(offsets)} slice offsets for {instance.frames} frames", "they do not fit", "export again"
        )
    slope, intercept = scale(facts, where)
    base = Placed(
        instance.sop_uid, instance.digest, 0, instance.rows, instance.columns, start, axes,
        _spacing(facts.get("PixelSpacing"), where), _one(facts.get("SliceThickness")) or 0.0, slope, intercept,
    )  # fmt: skip
    first = offsets[0] if facts.get("DoseGridScaling") is None or abs(offsets[0]) > 1e-6 else 0.0
    # Grid Frame Offset Vector may hold positions instead of offsets; both start at the first frame (PS3.3 C.8.8.3.2).
    return [replace(base, frame=n, position=start + normal * (o - first)) for n, o in enumerate(offsets)]


def mosaic(series: Series, instance: Instance, read: Callable[[str], bytes]) -> list[Placed]:
    """The tiles of a Siemens mosaic as slices of their own.

    A mosaic lays all slices of one volume into one picture. Number of slices and slice normal stand in private
    headers; the header's position is that of a slice as large as the whole picture, so the first tile is moved by
    half the difference (as in nibabel's and SPM's readers).

    Raises:
        NotAVolume: when the private header does not say how the tiles lie.
    """
    placed = classic(series, instance)
    if placed is None:
        raise NotAVolume("a mosaic without position", "its slices have no place in the patient", "export it again")
    facts = {**series.facts, **instance.facts}
    private = _siemens(parse(read(instance.digest), until_pixels=True))
    count = int(_one(facts.get("SiemensImagesInMosaic")) or _one(private.get("NumberOfImagesInMosaic")) or 0)
    normal = private.get("SliceNormalVector", [])
    step = _one(facts.get("SpacingBetweenSlices")) or placed.thickness
    if count < 1 or len(normal) != 3 or not step:
        raise NotAVolume(
            "a Siemens mosaic without the number of its slices, their normal or their distance",
            "its tiles cannot be placed in the patient",
            "export it with private attributes, or as single slices",
        )
    side = math.ceil(math.sqrt(count))
    rows, columns = instance.rows // side, instance.columns // side
    along = placed.orientation
    start = (
        placed.position
        + along[:3] * placed.spacing[1] * (instance.columns - columns) / 2
        + along[3:] * placed.spacing[0] * (instance.rows - rows) / 2
    )
    up = np.array(normal, dtype=np.float64)
    return [
        replace(
            placed,
            rows=rows,
            columns=columns,
            position=start + up * step * n,
            tile=((n // side) * rows, (n % side) * columns),
        )
        for n in range(count)
    ]


def _siemens(file: File) -> dict[str, list[Any]]:
    """The few numbers that we need of the CSA image header (0029,1010), whose layout nibabel documents."""
    import struct

    slot = file.dataset.get(0x00291010)
    if slot is None:
        return {}
    raw = file.raw(slot)
    found: dict[str, list[Any]] = {}
    try:
        at = 8 if raw[:4] == b"SV10" else 0
        count = struct.unpack_from("<I", raw, at)[0]
        at += 8
        for _ in range(min(count, 256)):
            name = raw[at : at + 64].split(b"\0")[0].decode("latin-1")
            items = struct.unpack_from("<I", raw, at + 76)[0]
            at += 84
            values: list[Any] = []
            for _ in range(min(items, 1024)):
                length = struct.unpack_from("<I", raw, at + (4 if raw[:4] == b"SV10" else 0))[0]
                at += 16
                text = raw[at : at + length].split(b"\0")[0].decode("latin-1").strip()
                at += (length + 3) // 4 * 4
                if text and name in ("NumberOfImagesInMosaic", "SliceNormalVector"):
                    values.append(_one(text))
            if values:
                found[name] = values
    except struct.error:
        return found
    return found
