"""The images of a series as a reader scrolls through them: their order, places and times, and why they make no volume.

What the screen needs to know before the first pixel comes is read from the record; a file is opened only where the
record cannot know (frames of a multi-frame object, sides of a radiograph, the range of an image that states no window).
"""

from __future__ import annotations

import hashlib
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby, pairwise
from statistics import median
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.dicom.classic_frames import classic
from isocenter.dicom.elements import parse
from isocenter.dicom.enhanced_frames import enhanced
from isocenter.dicom.pixels import frames
from isocenter.dicom.placed import Placed
from isocenter.dicom.plane import coloured
from isocenter.dicom.stepped_frames import stepped
from isocenter.errors import IsocenterError, NotAVolume, NotFound, Refused
from isocenter.methods import pet_header, suv
from isocenter.record import Instance, Series

__all__ = ["Picture", "Pictures", "Shelf", "corner", "real_values", "shown"]

Read = Callable[[str], bytes]

_STEPPED = {"1.2.840.10008.5.1.4.1.1.20", "1.2.840.10008.5.1.4.1.1.481.2"}  # nuclear medicine, dose
_TOGETHER = 8  # frames of one file that are decoded at once
_FEW = 64  # files that may be opened to describe a series
_SAME_PLACE_MM = 0.01
_UNEVEN = 0.1  # of the usual distance, beyond which slices make no regular grid
# What orders images at one place, the first that differs.
_IN_TIME = ("trigger", "temporal", "echo", "b_value", "reference", "moment", "content", "number")


@dataclass(frozen=True)
class Picture:
    """One image on the screen: a frame of an instance.

    Args:
        sop_uid, digest, frame: which; frames are counted from 0.
        rows, columns: its size.
        position, orientation: in the patient (LPS mm); empty where the header gives no place.
        spacing_mm: between rows, between columns; empty where the header gives none.
        thickness_mm: of the slice; 0 where unknown.
        slope, intercept: from stored to real value.
        sides: patient's sides to the right and below, as a radiograph states them; empty where it does not.
        windows: (centre, width) in real values, the first to begin with.
        duration_ms: how long it stays in a cine; 0 where the header does not say.
        at_s: what its place in time is called (trigger, moment ...), for cines and curves; None where it has none.
    """

    sop_uid: str
    digest: str
    frame: int
    rows: int
    columns: int
    position: tuple[float, ...] = ()
    orientation: tuple[float, ...] = ()
    spacing_mm: tuple[float, ...] = ()
    thickness_mm: float = 0.0
    slope: float = 1.0
    intercept: float = 0.0
    sides: tuple[str, ...] = ()
    windows: tuple[tuple[float, float], ...] = ()
    duration_ms: float = 0.0
    at_s: float | None = None


@dataclass(frozen=True)
class Pictures:
    """A series ready for the screen.

    Args:
        series: the record.
        order: images in the order in which people scroll; images of one place stand together, in time.
        phases: how many share a place; 1 where each has its own.
        no_volume: why they make no volume; empty where they do.
        kind: NumPy type of the real values that are sent: u1, i2, u2 or f4.
        colour: three values a pixel, red, green and blue.
        inverse: the smallest value is white (MONOCHROME1).
        unit: UCUM unit of the values.
        factor: by which rescaled values are multiplied to have that unit; other than 1 for PET in SUV.
        remark: a doubt about the unit, or why it is not SUV; empty where there is none.
        tag: changes with every image that is added.
    """

    series: Series
    order: tuple[Picture, ...]
    phases: int
    no_volume: str
    kind: str
    colour: bool
    inverse: bool
    unit: str
    factor: float = 1.0
    remark: str = ""
    tag: str = ""


def shown(series: Series, read: Read) -> Pictures:
    """Describe a series for the screen.

    Args:
        series: whole.
        read: digest -> the stored file.

    Raises:
        NotFound: when the series has no image that can be drawn.
    """
    images = [i for i in series.instances if i.rows and i.columns and i.frames]
    if not images:
        raise NotFound("an image", "nothing in this series has pixels", "choose another series")
    pictures: list[tuple[Picture, tuple[float, ...]]] = []
    placed_all = True
    for instance in images:
        placed = _placed(series, instance, read)
        placed_all = placed_all and bool(placed)
        if placed:
            pictures += [(_from_place(p, series, instance), _moment(p.keys)) for p in placed]
        else:
            pictures += _flat(series, instance, read, few=len(images) <= _FEW)
    ordered, phases, gap = _in_order(pictures)
    facts = {**series.facts, **images[0].facts}
    colour = _colour(facts)
    unit, factor, remark = _unit(series, images, facts)
    order = _timed([replace(p, windows=tuple((c * factor, w * factor) for c, w in p.windows)) for p in ordered], phases)
    order = _with_window(order, factor, colour, read)
    digest = hashlib.sha256("/".join(f"{p.digest}:{p.frame}" for p in order).encode())
    return Pictures(
        series,
        tuple(order),
        phases,
        "colour images" if colour else gap if placed_all else "the images state no place in the patient",
        "u1" if colour else _kind(series, images, order, factor),
        colour,
        facts.get("PhotometricInterpretation") == "MONOCHROME1",
        unit,
        factor,
        remark,
        digest.hexdigest()[:32],
    )


# ---- where, and in which order


def corner(series: Series, instance: Instance, frame: int, read: Read) -> npt.NDArray[np.float64] | None:
    """(3,) of the patient (LPS mm): centre of the first pixel of one frame; None for a frame without a place.

    Frames of one object stand in any order, and several at one place: a frame's number is no number of a slice.
    """
    return next((one.position for one in _placed(series, instance, read) if one.frame == frame), None)


def _placed(series: Series, instance: Instance, read: Read) -> list[Placed]:
    """Its frames in the patient; none for an image without a place, or with one that makes no sense."""
    try:
        if instance.frames > 1:
            file = parse(read(instance.digest))  # whole: a place stands in sequences, which may tell their length
            if file.items(0x52009230):
                return enhanced(instance, file)
            return stepped(series, instance, file) if instance.sop_class in _STEPPED else []
        found = classic(series, instance)
        if found is None and 0 < len(series.instances) <= _FEW:
            file = parse(read(instance.digest))
            return enhanced(instance, file) if file.items(0x52009230) else []
        return [found] if found else []
    except NotAVolume:
        return []


def _from_place(one: Placed, series: Series, instance: Instance) -> Picture:
    return Picture(
        one.sop_uid, one.digest, one.frame, one.rows, one.columns,
        tuple(float(v) for v in one.position), tuple(float(v) for v in one.orientation), one.spacing, one.thickness,
        one.slope, one.intercept, (), _windows({**series.facts, **instance.facts}),
    )  # fmt: skip


def _flat(series: Series, instance: Instance, read: Read, *, few: bool) -> list[tuple[Picture, tuple[float, ...]]]:
    """Frames without a place: radiographs, ultrasound, captures."""
    facts = {**series.facts, **instance.facts}
    file = parse(read(instance.digest), until_pixels=True) if few else None
    sides = tuple(file.ascii(0x00200020).split("\\")) if file and 0x00200020 in file.dataset else ()
    spacing = next((facts[k] for k in ("PixelSpacing", "ImagerPixelSpacing") if _numbers(facts.get(k), 2)), ())
    durations = _frame_times(facts, instance.frames)
    slope, intercept = _number(facts.get("RescaleSlope")) or 1.0, _number(facts.get("RescaleIntercept")) or 0.0
    picture = Picture(
        instance.sop_uid, instance.digest, 0, instance.rows, instance.columns, (), (), tuple(spacing), 0.0, slope,
        intercept, tuple(s.strip() for s in sides) if len(sides) == 2 and all(sides) else (), _windows(facts),
    )  # fmt: skip
    number = float(instance.number or 0)
    return [(replace(picture, frame=n, duration_ms=durations[n]), (number, float(n))) for n in range(instance.frames)]


def _in_order(found: list[tuple[Picture, tuple[float, ...]]]) -> tuple[list[Picture], int, str]:
    """By place along the normal of the stack and, at one place, by time. Slice numbers are not trusted."""
    first = found[0][0]
    apart = any(
        not p.position or float(np.abs(np.subtract(p.orientation, first.orientation)).max()) > 1e-3 for p, _ in found
    )
    if apart:
        return [p for p, _ in sorted(found, key=lambda f: f[1])], 1, "the images do not share one orientation"
    along = np.array(first.orientation).reshape(2, 3)
    normal = np.cross(along[0], along[1])
    depth = np.array([p.position for p, _ in found]) @ normal
    by_depth = sorted(range(len(found)), key=lambda i: float(depth[i]))
    places: list[list[int]] = []
    for i in by_depth:
        if places and depth[i] - depth[places[-1][-1]] <= _SAME_PLACE_MM:
            places[-1].append(i)
        else:
            places.append([i])
    ordered = [found[i] for place in places for i in sorted(place, key=lambda i: found[i][1])]
    sizes = {len(place) for place in places}
    phases = sizes.pop() if len(sizes) == 1 else 1
    pictures = [replace(p, at_s=_clock(moment)) for p, moment in ordered]
    return pictures, phases, _gap([float(depth[place[0]]) for place in places], len(found), phases, len(sizes))


def _gap(depth: list[float], images: int, phases: int, uneven: int) -> str:
    if len(depth) < 4 and images < 4:
        return "one image only" if images == 1 else f"only {images} images"
    if uneven or phases > 1:
        return "several images at one place (phases or echoes)"
    steps = [b - a for a, b in pairwise(depth)]
    usual = median(steps)
    number = 1  # counted as they would be numbered if none were missing
    missing: list[str] = []
    for step in steps:
        many = round(step / usual) - 1
        if many >= 1 and abs(step - usual) > _UNEVEN * usual:
            missing.append(f"{number + 1}" if many == 1 else f"{number + 1}–{number + many}")
        number += max(many, 0) + 1
    if missing:
        return f"slices {', '.join(missing[:3])} missing: scroll yes, MPR no"
    if max(abs(step - usual) for step in steps) > _UNEVEN * usual:
        return f"slice distances vary from {min(steps):.3g} to {max(steps):.3g} mm: scroll yes, MPR no"
    return ""


# ---- when


def _moment(keys: Mapping[str, Any]) -> tuple[float, ...]:
    return tuple(float(keys[k]) if isinstance(keys.get(k), (int, float)) else -1.0 for k in _IN_TIME)


def _clock(moment: tuple[float, ...]) -> float | None:
    """Seconds on the clock of the acquisition: trigger time (ms) before any other."""
    named = dict(zip(_IN_TIME, moment, strict=False))
    if named.get("trigger", -1.0) >= 0:
        return named["trigger"] / 1000.0
    if named.get("reference", -1.0) > 0:
        return named["reference"] / 1000.0
    return next((named[k] for k in ("moment", "content") if named.get(k, -1.0) >= 0), None)


def _frame_times(facts: Mapping[str, Any], count: int) -> list[float]:
    """Milliseconds that each frame stays: Frame Time Vector, Frame Time, display or cine rate (PS3.3 C.7.6.5)."""
    vector = _numbers(facts.get("FrameTimeVector"), count)
    if vector and count > 1 and all(v > 0 for v in vector[1:]):
        return [*vector[1:], float(median(vector[1:]))]  # the n-th number is the time since the frame before
    time = _number(facts.get("FrameTime"))
    if time and time > 0:
        return [time] * count
    rate = _number(facts.get("RecommendedDisplayFrameRate")) or _number(facts.get("CineRate"))
    return [1000.0 / rate if rate and rate > 0 else 0.0] * count


def _timed(order: list[Picture], phases: int) -> list[Picture]:
    """Durations of phases, from the moments of the images of each place."""
    if phases < 2:
        return order
    timed = list(order)
    for start in range(0, len(order), phases):
        times = [p.at_s for p in order[start : start + phases]]
        known = [t for t in times if t is not None]
        if len(known) < phases:
            continue
        steps = [1000.0 * (b - a) for a, b in pairwise(known)]
        if all(step > 0 for step in steps):
            for n, step in enumerate([*steps, float(median(steps))]):
                timed[start + n] = replace(order[start + n], duration_ms=round(step, 3))
    return timed


# ---- what the values are


def _colour(facts: Mapping[str, Any]) -> bool:
    return (_number(facts.get("SamplesPerPixel")) or 1) > 1 or facts.get("PhotometricInterpretation") == "PALETTE COLOR"


def _unit(series: Series, images: Sequence[Instance], facts: Mapping[str, Any]) -> tuple[str, float, str]:
    from isocenter.dicom.quantity import quantity

    _, unit = quantity(series.modality, facts)
    if series.modality != "PT" or unit == "%":
        return unit, 1.0, ""
    try:
        conversion = suv.conversion(pet_header.read(facts))
    except Refused as refusal:
        return unit, 1.0, f"no SUV: {refusal.what}"
    return "{SUVbw}g/ml", conversion.factor, "; ".join(conversion.remarks)


def _kind(series: Series, images: Sequence[Instance], order: Sequence[Picture], factor: float) -> str:
    """The narrowest type that holds the real values. CT is always i2: what lies beyond ±32767 HU is padding."""
    scales = {(p.slope, p.intercept) for p in order}
    whole = factor == 1.0 and all(s.is_integer() and i.is_integer() for s, i in scales)
    if not whole:
        return "f4"
    if series.modality == "CT":
        return "i2"
    low, high = 0, 0
    for facts in ({**series.facts, **i.facts} for i in (images[0], images[-1])):
        allocated, bits = int(facts.get("BitsAllocated") or 16), int(facts.get("BitsStored") or 16)
        if allocated > 16:
            return "f4"
        signed = bool(facts.get("PixelRepresentation"))
        ends = (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if signed else (0, (1 << bits) - 1)
        for slope, intercept in scales:
            reach = sorted(int(slope) * e + int(intercept) for e in ends)
            low, high = min(low, reach[0]), max(high, reach[1])
    if low >= 0 and high <= 255:
        return "u1"
    return "i2" if low >= -32768 and high <= 32767 else "u2" if low >= 0 and high <= 65535 else "f4"


def _windows(facts: Mapping[str, Any]) -> tuple[tuple[float, float], ...]:
    centres, widths = facts.get("WindowCenter"), facts.get("WindowWidth")
    if not isinstance(centres, list) or not isinstance(widths, list):
        return ()
    pairs = zip(centres, widths, strict=False)
    return tuple(
        (float(c), float(w)) for c, w in pairs if isinstance(c, int | float) and isinstance(w, int | float) and w > 0
    )


def _with_window(order: list[Picture], factor: float, colour: bool, read: Read) -> list[Picture]:
    """Where no image states a window, that of the middle one: the range of 99 % of its values, for all."""
    if colour or any(p.windows for p in order):
        return order
    middle = order[len(order) // 2]
    try:
        values = _scaled(frames(read(middle.digest), [middle.frame])[0], middle, factor)
    except IsocenterError:
        return order  # an image that cannot be decoded says so when it is drawn
    low, high = (float(v) for v in np.percentile(values, (0.5, 99.5)))
    window = ((low + high) / 2, max(high - low, 1e-6))
    return [replace(p, windows=(window,)) for p in order]


# ---- pixels


def real_values(of: Pictures, wanted: Sequence[Picture], read: Read) -> Iterator[npt.NDArray[Any] | IsocenterError]:
    """The values of images, one after the other, in the unit and type that their series announces.

    Frames of one file that follow each other are decoded together, a few at a time, so that memory stays small.

    Yields:
        (rows, columns) of `of.kind`, or (rows, columns, 3) of u1 for colour, little-endian and contiguous; or the
        refusal, where an image cannot be read, and the others go on.
    """
    for digest, group in groupby(wanted, key=lambda p: p.digest):
        many = list(group)
        try:
            data = read(digest)
        except IsocenterError as error:
            yield from (error for _ in many)
            continue
        for start in range(0, len(many), _TOGETHER):
            part = many[start : start + _TOGETHER]
            try:
                stored = frames(data, [p.frame for p in part])
            except IsocenterError as error:
                yield from (error for _ in part)
                continue
            for one, picture in zip(stored, part, strict=True):
                yield _real(of, picture, data, one)


def _real(of: Pictures, picture: Picture, data: bytes, stored: npt.NDArray[Any]) -> npt.NDArray[Any]:
    if of.colour:
        return np.ascontiguousarray(coloured(data, stored))
    wanted = np.dtype(f"<{of.kind}")
    if picture.slope == 1.0 and picture.intercept == 0.0 and of.factor == 1.0 and stored.dtype == wanted:
        return np.ascontiguousarray(stored)
    if wanted.kind == "f":
        return np.ascontiguousarray(_scaled(stored, picture, of.factor), dtype=wanted)
    if picture.slope == 1.0 and (moved := _moved(stored, int(picture.intercept), wanted)) is not None:
        return moved
    values = stored.astype(np.int32)
    if picture.slope != 1.0:
        values *= np.int32(picture.slope)
    if picture.intercept:
        values += np.int32(picture.intercept)
    ends = np.iinfo(wanted)
    if values.size and (int(values.min()) < ends.min or int(values.max()) > ends.max):
        np.clip(values, ends.min, ends.max, out=values)
    return values.astype(wanted)


def _moved(stored: npt.NDArray[Any], by: int, wanted: np.dtype[Any]) -> npt.NDArray[Any] | None:
    """Whole numbers moved by another, in one pass where both types have two bytes and all sums fit."""
    if stored.dtype.kind not in "ui" or stored.dtype.itemsize != 2 or wanted.itemsize != 2 or not stored.size:
        return None
    ends = np.iinfo(wanted)
    if int(stored.min()) + by < ends.min or int(stored.max()) + by > ends.max:
        return None
    # Two's complement: what wraps on the way has come round again, because the sum fits.
    plain = np.ascontiguousarray(stored, dtype=stored.dtype.newbyteorder("<")).view("<u2")
    sums: npt.NDArray[Any] = (plain + np.uint16(by % 2**16)).view(wanted)
    return sums


def _scaled(stored: npt.NDArray[Any], picture: Picture, factor: float) -> npt.NDArray[np.float32]:
    values = stored.astype(np.float32)
    values *= np.float32(picture.slope * factor)
    values += np.float32(picture.intercept * factor)
    return values


class Shelf:
    """Descriptions that were asked for lately; safe to use from many threads.

    A slab is asked for by the tag of the description that the browser has: a range always means the same images.
    """

    def __init__(self, most: int = 16) -> None:
        self._most, self._lock = most, Lock()
        self._kept: OrderedDict[tuple[str, str, str], Pictures] = OrderedDict()

    def get(self, study_uid: str, series_uid: str, tag: str) -> Pictures | None:
        """The description with this tag, if it is still here."""
        with self._lock:
            found = self._kept.get((study_uid, series_uid, tag))
            if found is not None:
                self._kept.move_to_end((study_uid, series_uid, tag))
            return found

    def put(self, study_uid: str, pictures: Pictures) -> Pictures:
        """Keep one."""
        with self._lock:
            self._kept[(study_uid, pictures.series.uid, pictures.tag)] = pictures
            while len(self._kept) > self._most:
                self._kept.popitem(last=False)
        return pictures


def _numbers(value: Any, count: int) -> list[float]:
    if not isinstance(value, list | tuple) or len(value) != count:
        return []
    numbers = [float(v) for v in value if isinstance(v, int | float)]
    return numbers if len(numbers) == count else []


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None
