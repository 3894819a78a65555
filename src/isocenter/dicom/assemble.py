"""A series to Volumes: every voxel in its place, with its unit, or the proof that it cannot be.

What an analysis is given comes from here, so this room rather refuses than guesses: a hole in a stack, an orientation
that is no number, a doubled slice are told with their numbers, and no volume is made of them.
"""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import datetime, timedelta
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.classic_frames import classic
from isocenter.dicom.conformance import storage_class
from isocenter.dicom.elements import File, parse
from isocenter.dicom.enhanced_frames import enhanced
from isocenter.dicom.frame_times import Pace
from isocenter.dicom.mosaic import mosaic
from isocenter.dicom.padding import of_ct
from isocenter.dicom.pixels import frames, native
from isocenter.dicom.placed import Placed
from isocenter.dicom.plane import plane
from isocenter.dicom.quantity import pet_units, quantity
from isocenter.dicom.stack import SAME_ECHO_MS, Stack, bridged, stacks
from isocenter.dicom.stepped_frames import stepped
from isocenter.dicom.velocity import ENCODING
from isocenter.errors import LimitReached, NotAVolume
from isocenter.record import Instance, Series
from isocenter.space import Volume

__all__ = ["assemble", "over_gaps", "placed_frames"]

Read = Callable[[str], bytes]

_LARGEST = 1 << 34  # bytes of one volume
_NOT_IMAGES = frozenset({"SEG", "RTSTRUCT", "RTPLAN", "SR", "PR", "KO", "DOC", "REG", "ECG", "ANN", "FID"})
_LEAST_RESOLUTION_MS, _IN_SECONDS = 10.0, "Temporal Resolution, which can only be seconds"
_LONGEST_BEAT_MS, _HALF_DAY_S, _A_YEAR_S = 5000.0, 43200.0, 3.2e7
_MODALITY, _PADDING, _PADDING_LIMIT = 0x00080060, 0x00280120, 0x00280121
_SLIDES = "1.2.840.10008.5.1.4.1.1.77.1.6"
_CAPTURES = "1.2.840.10008.5.1.4.1.1.7"  # Secondary Capture, and its multi-frame kinds below it
_STEPPED = {"1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.481.2"}  # nuclear medicine, dose
# Radiographs may state a position of detector or patient that places no slice.
_PLANAR = frozenset({"CR", "DX", "MG", "XA", "RF", "RG", "US", "ES", "XC", "OT", "SC", "PX", "IO", "GM", "IVUS", "OP"})


def assemble(series: Series, read: Read) -> list[Volume]:
    """The Volumes of a series, the largest first.

    Slices with a place in the patient become stacks, with leading axes where several frames share a place. Images
    without one become a Volume each. CT is int16 in Hounsfield units where its rescale is whole-numbered, colour is
    uint8, everything else float32. Groups of frames that make no stack beside one that does (scouts in the same
    series) are named in the fact ``NotAssembled``.

    Args:
        series: the record, whole.
        read: Instance digest -> Part 10 bytes.

    Raises:
        NotAVolume: when the series does not make a regular volume; the message proves it with numbers.
        LimitReached: when it would take more than 16 GiB.
        Refused: when pixels cannot be decoded.
    """
    images = [i for i in series.instances if i.rows and i.columns]
    if series.modality in _NOT_IMAGES or not images:
        raise NotAVolume(
            f"{series.named} ({series.modality or 'no modality'}) has no image",
            "there is nothing to make a volume of",
            "choose a series with images; structure sets and segmentations give regions",
        )
    if any(i.sop_class == _SLIDES for i in images):
        raise NotAVolume("a whole-slide image", "it is read by tiles, not as one volume", "open it in a slide viewer")
    placed: list[Placed] = []
    planar: list[Instance] = []
    for instance in images:
        found = placed_frames(series, instance, read)
        placed += found
        if not found:
            planar.append(instance)
    volumes = []
    if placed:
        volumes = _volumes(series, placed, read)
    volumes += [plane(series, instance, read(instance.digest)) for instance in planar]
    return volumes


def over_gaps(series: Series, read: Read) -> Volume:
    """A series of single slices of which some are missing between others, on the grid that it would have whole.

    In place of a missing slice stands the one before it, and the fact ``SlicesLacking`` counts them from 0: this is for
    what is drawn elsewhere, and whoever measures has to keep away from them.

    Raises:
        NotAVolume: when none is missing, or the slices do not lie on one even grid otherwise.
    """
    placed = [one for i in series.instances if i.rows and i.columns for one in placed_frames(series, i, read)]
    if not placed:
        raise NotAVolume(f"{series.named} has no slices with a place in the patient", "there is no gap between them")
    whole, lacking = bridged(placed)
    (stack, *_), _ = stacks(whole, frame_of_reference=series.frame_of_reference)
    stack.notes["SlicesLacking"] = lacking
    return _filled(series, stack, read)


def placed_frames(series: Series, instance: Instance, read: Read) -> list[Placed]:
    """The frames of an instance in the patient; none for an image without a place.

    Raises:
        NotAVolume: a place is stated and is none.
    """
    kind = storage_class(instance.sop_class)
    if kind is not None and kind.multiframe:
        file = parse(read(instance.digest))
        if file.items(0x52009230) and _has_place(file):
            return enhanced(instance, file)
        return []
    if instance.sop_class in _STEPPED and instance.frames > 1:
        return stepped(series, instance, parse(read(instance.digest)))
    if instance.frames > 1 or series.modality in _PLANAR:
        return []
    if "MOSAIC" in (instance.facts.get("ImageType") or []):
        return mosaic(series, instance, read)
    found = classic(series, instance)
    if found is None and series.modality in ("CT", "MR", "PT"):
        if len(series.instances) > 1 and not _is_capture(instance):
            raise NotAVolume(
                f"image {instance.number} states no position or orientation in the patient",
                "the slices cannot be placed; Slice Location is not trusted",
                "export the series with Image Position and Image Orientation (Patient)",
            )
        return []
    return [found] if found else []


def _is_capture(instance: Instance) -> bool:
    """Whether an image is a picture of a screen, which makers lay beside the slices that it was taken of."""
    words = " ".join(str(w) for w in instance.facts.get("ImageType") or ()).upper()
    return instance.sop_class.startswith(_CAPTURES) or "SCREEN" in words


def _has_place(file: Any) -> bool:
    shared, own = (file.items(0x52009229) or [{}])[0], file.items(0x52009230)[0]
    return any(0x00209113 in group for group in (shared, own))


def _volumes(series: Series, placed: list[Placed], read: Read) -> list[Volume]:
    facts = series.facts
    first = series.instances[0].facts
    images = facts.get("CardiacNumberOfImages")
    triggers = [one.keys.get("trigger") or 0.0 for one in placed]
    cardiac = (
        (isinstance(images, int) and images > 1)
        or any(t for t, one in zip(triggers, placed, strict=True) if one.frame)
        or "CARDIAC" in (first.get("ImageType") or [])
    )
    # Where no heart waits that long, Trigger Time counts from the start of the scan, as on series of a bolus.
    cardiac = cardiac and max(triggers) - min(triggers) < _LONGEST_BEAT_MS
    placed = _over_midnight(placed)
    found, faults = stacks(
        placed,
        frame_of_reference=series.frame_of_reference,
        pace=Pace(cardiac, *_repetition_s(facts)),
        same_pixels=lambda a, b: _same(a, b, read),
    )
    volumes = []
    for stack in found:
        if faults:
            stack.notes["NotAssembled"] = [str(fault) for fault in faults]
        volumes.append(_filled(series, stack, read))
    return volumes


def _repetition_s(facts: Mapping[str, Any]) -> tuple[float | None, str]:
    """Seconds from volume to volume, where no image states its time, and what they are taken from, to be told.

    The repetition time is that only where each shot of an echo planar sequence takes a slice whole, not in 3D. No
    scanner takes volumes every few milliseconds: such a Temporal Resolution was written in seconds.
    """
    stated = facts.get("TemporalResolution")
    if isinstance(stated, (int, float)) and stated > 0:
        return (stated / 1000.0, "") if stated >= _LEAST_RESOLUTION_MS else (float(stated), _IN_SECONDS)
    planar = "EP" in (facts.get("ScanningSequence") or []) or facts.get("EchoPlanarPulseSequence") == "YES"
    each = facts.get("RepetitionTime") if planar and facts.get("MRAcquisitionType") != "3D" else None
    if isinstance(each, (int, float)) and each > 0:
        return each / 1000.0, "Repetition Time"
    return None, ""


def _over_midnight(placed: list[Placed]) -> list[Placed]:
    """Times that rise on, where all bear one day though midnight came between."""
    for key in ("moment", "clock", "content"):
        told = [v for one in placed if (v := one.keys.get(key)) is not None]
        if not told or not _HALF_DAY_S < max(told) - min(told) < 2 * _HALF_DAY_S:
            continue
        noon = min(told) + _HALF_DAY_S
        if any(abs(v - noon) < _HALF_DAY_S / 2 for v in told):
            continue  # it went on through the day
        placed = [
            replace(one, keys={**one.keys, key: v + 2 * _HALF_DAY_S})
            if (v := one.keys.get(key)) is not None and v < noon
            else one
            for one in placed
        ]
    return placed


def _same(a: Placed, b: Placed, read: Read) -> bool:
    return bool(np.array_equal(frames(read(a.digest), [a.frame]), frames(read(b.digest), [b.frame])))


# ---- filling -------------------------------------------------------------------------------------------------------


class _DoesNotFitError(Exception):
    """A value leaves the range of int16; the volume is filled again as float32."""


def _filled(series: Series, stack: Stack, read: Read) -> Volume:
    shape = (len(stack.order), stack.geometry.shape[1], stack.geometry.shape[2])
    size = int(np.prod(shape, dtype=np.int64)) * 4
    if size > _LARGEST:
        raise LimitReached(
            f"{size >> 30} GiB for one volume of {shape}", "it would fill the memory", "split the series"
        )
    whole = series.modality == "CT" and all(
        one.slope.is_integer() and one.intercept.is_integer() and abs(one.slope) < 1024 for one in stack.order
    )
    try:
        array = _fill(stack, read, np.empty(shape, np.int16 if whole else np.float32))
    except _DoesNotFitError:
        array = _fill(stack, read, np.empty(shape, np.float32))
    facts = _facts(series, stack)
    said = {one.unit for one in stack.order}
    if stack.order[0].unit and len(said) == 1:
        facts["RealWorldValueUnit"] = stack.order[0].unit
    elif series.modality == "PT" and len(said) > 1:
        facts["Unlike"] = {**facts.get("Unlike", {}), "Units": sorted(unit or "none" for unit in said)}
    if stack.order[0].scaled_to and len({one.scaled_to for one in stack.order}) == 1:
        facts["RescaleType"] = stack.order[0].scaled_to
    if len({one.keys.get(ENCODING) for one in stack.order}) == 1 and stack.order[0].keys.get(ENCODING):
        facts["VelocityEncoding"] = list(stack.order[0].keys[ENCODING])
    if series.modality == "MR" and (coded := _coded_range(stack.order, facts)) is not None:
        facts["CodedRange"] = coded
    elif series.modality == "MR" and any(each := _coded_ranges(stack, facts)):
        facts["CodedRanges"] = each
    kinds = {one.kind for one in stack.order}
    if len(kinds) == 1 and len({one.sop_uid for one in stack.order}) < len(stack.order):
        facts["FrameType"] = list(kinds.pop())
    if series.modality == "PT":
        _add_first_moment(stack, facts)
        _add_frame_moments(stack, facts)
        stated = zip(("Units", "SUVType"), pet_units(facts), strict=True)
        facts.update({keyword: word for keyword, word in stated if word})
    what, unit = quantity(series.modality, facts)
    if series.modality == "CT" and not any(one.scaled for one in stack.order) and float(array.min()) >= 0.0:
        what, unit = "stored values", "{arbitrary}"  # Hounsfield units have air below zero
    if series.modality == "MR":
        own = {i.sop_uid: i.facts for i in series.instances}
        _add_scales(stack, facts, [own[one.sop_uid] for one in stack.order])
    _add_beats(stack, facts)
    return Volume(
        array.reshape(*(len(axis) for axis in stack.axes), *stack.geometry.shape),
        stack.geometry,
        what,
        unit,
        stack.axes,
        facts,
        series.uid,
        tuple(one.sop_uid for one in stack.order),
    )


def _fill(stack: Stack, read: Read, out: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """Every frame decoded into its place; each file is read once."""
    by: dict[str, list[tuple[int, Placed]]] = {}
    for n, one in enumerate(stack.order):
        by.setdefault(one.digest, []).append((n, one))
    lock = Lock()

    def fill_one(digest: str) -> None:
        with lock:  # a reader may be an open archive, which only one may move in
            data = read(digest)
        todo = by[digest]
        file = parse(data, until_pixels=True)
        straight = native(file)
        if straight is None:
            numbers = sorted({one.frame for _, one in todo})
            straight = frames(data, numbers)
            at = {number: n for n, number in enumerate(numbers)}
        else:
            at = {one.frame: one.frame for _, one in todo}
        straight = _padded_dark(straight, file, todo[0][1])
        for n, one in todo:
            _place(straight[at[one.frame]], one, out[n])

    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        for _ in pool.map(fill_one, by):
            pass
    return out


def _padded_dark(stored: npt.NDArray[Any], file: File, one: Placed) -> npt.NDArray[Any]:
    """The images of a CT with the padding around them of one value, darker than air; others as they are."""
    if file.ascii(_MODALITY) != "CT" or _PADDING not in file.dataset or stored.ndim != 3 or stored.dtype.itemsize != 2:
        return stored
    said = [file.numbers(tag, file.dataset, "H") for tag in (_PADDING, _PADDING_LIMIT) if tag in file.dataset]
    words = [int(numbers[0]) & 0xFFFF for numbers in said if numbers]
    if not words or not (one.scaled or words[0] >= 2**15):  # values of no scale are dark where they are small
        return stored
    limit = words[1] if len(words) == 2 else None
    return of_ct(stored, words[0], limit, slope=one.slope, intercept=one.intercept)


def _place(stored: npt.NDArray[Any], one: Placed, into: npt.NDArray[Any]) -> None:
    if one.tile is not None:
        stored = stored[one.tile[0] : one.tile[0] + one.rows, one.tile[1] : one.tile[1] + one.columns]
    if stored.ndim != 2 or stored.shape != into.shape:
        raise NotAVolume(
            f"an image of shape {stored.shape} in a stack of {into.shape}", "colour or size differ", "export it again"
        )
    if into.dtype == np.int16:
        slope, intercept = int(one.slope), int(one.intercept)
        ends = sorted(int(v) * slope + intercept for v in (stored.min(), stored.max()))
        if ends[0] < -32768 or ends[1] > 32767:
            raise _DoesNotFitError
        np.copyto(into, stored, casting="unsafe")  # in int16 arithmetic wraps, and the result is known to fit
        if slope != 1:
            into *= np.int16(slope)
        if intercept:
            into += np.array(intercept).astype(np.int16)
        return
    if one.slope == 1.0:
        np.copyto(into, stored, casting="unsafe")
    else:
        np.multiply(stored, np.float32(one.slope), out=into, casting="unsafe", dtype=np.float32)
    if one.intercept:
        into += np.float32(one.intercept)


# ---- facts ---------------------------------------------------------------------------------------------------------

_EARLIEST = ("AcquisitionTime", "AcquisitionDate", "AcquisitionDateTime", "ContentTime", "FrameReferenceTime")
_OF_ONE_SCAN = frozenset(
    {
        "Units", "SUVType", "DecayCorrection", "CorrectedImage", "PatientWeight", "RadionuclideTotalDose",
        "RadionuclideHalfLife", "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime",
    }
)  # fmt: skip
# Of a CT: where its slices differ in one of these, no value of it holds for all.
_SAME_NUMBER = 1e-4  # part of it by which a number that was written twice may differ
# Set once for a scan, and rounded image by image: by how much then.
_SET_ONCE = {"EchoTime": SAME_ECHO_MS, "RepetitionTime": SAME_ECHO_MS, "FlipAngle": 0.002}
_OF_ONE_CT = ("KVP", "SliceThickness", "ConvolutionKernel", "MonoenergeticEnergyEquivalent", "ContrastBolusAgent")
_OF_ONE_SLICE = frozenset({"ImagePositionPatient", "SliceLocation", "ImageIndex", "ContentTime", "WindowCenter"})


def _coded_range(frames: Sequence[Placed], facts: dict[str, Any]) -> list[float] | None:
    """Lowest and highest value that the stored integers could stand for; None where images are scaled apart.

    A phase image fills a whole turn or runs from -VENC to VENC by its coding, whatever its pixels hold.
    """
    scales = {(one.slope, one.intercept) for one in frames}
    bits = facts.get("BitsStored")
    if len(scales) != 1 or not isinstance(bits, int) or not 1 <= bits <= 32:
        return None
    ((slope, intercept),) = scales
    least = -(2 ** (bits - 1)) if facts.get("PixelRepresentation") else 0
    ends = sorted(intercept + slope * n for n in (least, least + 2**bits - 1))
    return [float(v) for v in ends]


def _coded_ranges(stack: Stack, facts: dict[str, Any]) -> list[list[float] | None]:
    """The coded range of each direction of velocity, of which each may be scaled to a VENC of its own."""
    if not stack.axes or stack.axes[-1].name != ENCODING:
        return []
    slices, many = stack.geometry.shape[0], len(stack.axes[-1])
    of = [[one for n, one in enumerate(stack.order) if n // slices % many == k] for k in range(many)]
    return [_coded_range(frames, facts) for frames in of]


def _add_scales(stack: Stack, facts: dict[str, Any], used: Sequence[Mapping[str, Any]]) -> None:
    """How the images of an MR are scaled: once, phase by phase, or each under ``PerImage``, in array order."""
    slices = stack.geometry.shape[0]
    makers = [one.maker_scale or float(np.ravel(own.get("PhilipsScaleSlope", 0.0))[0])
              for one, own in zip(stack.order, used, strict=True)]  # fmt: skip
    of_frames = len({one.sop_uid for one in stack.order}) < len(stack.order)
    rescaled = of_frames or all("RescaleSlope" in own for own in used)
    for keyword, values in (
        ("RescaleSlope", [one.slope for one in stack.order] if rescaled else []),
        ("PhilipsScaleSlope", makers),
    ):
        if keyword in facts or keyword in facts.get("PerPhase", {}) or not values or not all(values):
            continue
        phases = [set(values[n : n + slices]) for n in range(0, len(values), slices)]
        if any(len(phase) > 1 for phase in phases):
            facts["PerImage"] = {**facts.get("PerImage", {}), keyword: values}
        elif len(set(values)) == 1:
            facts[keyword] = values[0]
        else:
            facts["PerPhase"] = {**facts.get("PerPhase", {}), keyword: [phase.pop() for phase in phases]}


def _add_beats(stack: Stack, facts: dict[str, Any]) -> None:
    """How long beats lasted (ms) under ``PerImage``, in array order, where breath-holds differ in it."""
    beats = [one.keys.get("beat_ms") for one in stack.order]
    if not facts.get("HeartRate") and not facts.get("NominalInterval") and all(beats):
        facts["PerImage"] = {**facts.get("PerImage", {}), "NominalInterval": beats}


def _add_first_moment(stack: Stack, facts: dict[str, Any]) -> None:
    """When the first frame of a multi-frame PET was acquired, as classic images state it each for itself: the Series
    Time of a converted object may be that of its making.
    """
    moments = [m for one in stack.order if (m := one.keys.get("moment")) is not None and m >= 86400.0]
    if "AcquisitionTime" in facts or not moments:
        return
    days, seconds = divmod(min(moments), 86400.0)
    begun = datetime.fromordinal(int(days)) + timedelta(seconds=seconds)
    facts["AcquisitionDate"], facts["AcquisitionTime"] = f"{begun:%Y%m%d}", f"{begun:%H%M%S.%f}"


def _add_frame_moments(stack: Stack, facts: dict[str, Any]) -> None:
    """When each frame of a dynamic or gated PET was taken, in s, a row of slices for each frame: ``begun_s`` since the
    first one, ``reference_s`` since the start of the scan and ``lasted_s``; what not all state is left out.
    """
    slices = stack.geometry.shape[0]
    if len(stack.order) == slices:
        return
    told: dict[str, Any] = {}
    for name, key, second in (
        ("begun_s", "moment", 1.0), ("reference_s", "reference", 1e-3), ("lasted_s", "lasted_ms", 1e-3),
    ):  # fmt: skip
        values = [float(v) for one in stack.order if (v := one.keys.get(key)) is not None]
        if len(values) < len(stack.order):
            continue
        first = min(values) if name == "begun_s" else 0.0
        row = [round((v - first) * second, 6) for v in values]
        told[name] = [row[n : n + slices] for n in range(0, len(row), slices)]
    if max((v for row in told.get("reference_s", ()) for v in row), default=0.0) > _A_YEAR_S:
        del told["reference_s"]  # moments of an enhanced object, whose frames state when they began
    facts["FrameMoments"] = told


def _facts(series: Series, stack: Stack) -> dict[str, Any]:
    """What all share; of times the earliest; under ``PerPhase`` what differs from phase to phase; and under ``Unlike``
    the values of what one PET, or the slices of one CT, cannot have two of.
    """
    facts: dict[str, Any] = dict(series.facts)
    of = {i.sop_uid: i.facts for i in series.instances}
    used = [of[one.sop_uid] for one in stack.order]
    unique = list({id(f): f for f in used}.values())
    unlike: dict[str, list[str]] = {}
    for keyword in sorted({k for f in unique for k in f}):
        values = [f.get(keyword) for f in unique]
        if all(_equal(v, values[0], _SET_ONCE.get(keyword)) for v in values[1:]):
            facts[keyword] = values[0]
        elif keyword in _EARLIEST:
            facts[keyword] = min((v for v in values if v is not None), key=str if keyword != _EARLIEST[-1] else float)
        elif keyword in _OF_ONE_SCAN:
            unlike[keyword] = sorted({str(v) if v is not None else "none" for v in values})
    # Past midnight the earliest time of day is not that of the earliest image.
    for key, words in (("moment", ("AcquisitionDate", "AcquisitionTime")), ("content", ("ContentDate", "ContentTime"))):
        timed = [(v, own) for one in stack.order
                 if (v := one.keys.get(key)) is not None and words[1] in (own := of[one.sop_uid])]  # fmt: skip
        if timed:
            _, first = min(timed, key=lambda t: (t[0], *(str(t[1].get(word, "")) for word in words)))
            facts.update({word: first[word] for word in words if word in first})
    if series.modality == "CT":
        unlike |= _of_ct(stack, used, facts)
    if unlike:
        facts["Unlike"] = unlike
    slices = stack.geometry.shape[0]
    phases = [used[n : n + slices] for n in range(0, len(used), slices)]
    if len(phases) > 1:
        per_phase = {}
        for keyword in sorted({k for f in unique for k in f} - _OF_ONE_SLICE):
            if keyword in facts and keyword not in _EARLIEST:
                continue
            table = [[f.get(keyword) for f in phase] for phase in phases]
            if all(all(v == row[0] for v in row) for row in table):
                per_phase[keyword] = [row[0] for row in table]
        facts["PerPhase"] = per_phase
    facts.update(stack.notes)
    return facts


def _equal(one: Any, other: Any, apart: float | None = 0.0) -> bool:
    """Whether two headers say the same; numbers may be written to another digit, but for those without a tolerance."""
    if apart is not None and isinstance(one, float | int) and isinstance(other, float | int):
        return math.isclose(one, other, rel_tol=_SAME_NUMBER, abs_tol=apart)
    return bool(one == other)


def _of_ct(stack: Stack, used: Sequence[Mapping[str, Any]], facts: dict[str, Any]) -> dict[str, list[str]]:
    """How the slices of a CT were made goes into its facts, from the frames of an enhanced object, of which stacks may
    differ; given back are the values of what its own slices differ in, but for energies and phases that are an axis.
    """
    unlike: dict[str, list[str]] = {}
    axes = {axis.name for axis in stack.axes}
    for keyword in _OF_ONE_CT:
        values = [one.stated[keyword] if keyword in one.stated else own.get(keyword, facts.get(keyword))
                  for one, own in zip(stack.order, used, strict=True)]  # fmt: skip
        if all(_equal(v, values[0]) for v in values):
            facts.pop(keyword, None)
            if values[0] is not None:
                facts[keyword] = values[0]
            continue
        facts.pop(keyword, None)
        if not axes:
            unlike[keyword] = sorted({"none" if v is None else f"{v:g}" if isinstance(v, float) else v for v in values})
    return unlike
