"""Scans of which each part came as a series of its own: the slices or phases of a stack, the beds of a PET."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import Any

from isocenter.dicom.moment import moment_s
from isocenter.dicom.quantity import pet_units
from isocenter.record import Instance, Series

__all__ = [
    "as_one",
    "at_each_place",
    "beds_apart",
    "goes_on",
    "images",
    "in_mosaic",
    "is_object",
    "left_beside",
    "phases_apart",
    "reach_mm",
    "slabs_apart",
    "slices_apart",
    "told",
    "units_of_frames",
    "without_places",
]

_LEAST_IN_MOSAIC = 4  # two by two
_DELAY = "TriggerTime"
_LEAST_PHASES = 8  # of slices that may have others than their neighbours
_OF_ONE_SCAN = (
    "PixelSpacing", "EchoTime", "FlipAngle", "KVP", "ImageType", "ConvolutionKernel", "SliceThickness",
)  # fmt: skip
_SAME_TIME = 0.1  # of a dynamic scan, by which slabs of it may begin and end apart
_GOES_ON = 2.5  # steps from one time to the next, within which a series goes on with another's scan: one may be lost
_SAME_PLACE = 0.5  # of the shorter of two series: beyond it they show one part of the body and are no neighbours
_LARGER = 1.2  # of two series of one place, the one that is taken without asking
_NEXT_TO = 1.5  # slices between the ends of two beds
_ONE_SCAN_S = 1800.0  # from the end of a bed to the start of the next; what is later is a delayed image
_IN_PATIENT = "FramesInPatient"  # of a multi-frame object: see `dicom.pet_frames`
_NOT_NEXT = "it is not next to what was measured in place and time"


def told(series: Series, keyword: str) -> set[Any]:
    """Every value of a fact in a series, lists as tuples."""
    values = (i.facts.get(keyword, series.facts.get(keyword)) for i in series.instances)
    return {tuple(v) if isinstance(v, list) else v for v in values}


def images(several: Sequence[Series]) -> int:
    """How many images some series have, frames counted."""
    return sum(max(1, i.frames) for one in several for i in one.instances)


def in_mosaic(image: Instance, series: Series) -> int:
    """How many slices a Siemens mosaic lays into one picture, as far as the header tells; one for other images."""
    facts = {**series.facts, **image.facts}
    if "MOSAIC" not in (facts.get("ImageType") or ()):
        return 1
    said = facts.get("SiemensImagesInMosaic")
    return said if isinstance(said, int) and said > 0 else _LEAST_IN_MOSAIC


def is_object(series: Series) -> bool:
    """Whether a series is one multi-frame object."""
    return len(series.instances) == 1 and series.instances[0].frames > 1


def at_each_place(series: Series) -> int:
    """How many images of one kind a series has at each of its places, at least; more than one are times or gates.

    One where headers do not tell.
    """
    many: Counter[Any] = Counter()
    for image in series.instances:
        facts = {**series.facts, **image.facts}
        held = facts.get(_IN_PATIENT) or {} if image.frames > 1 else {}
        places = held.get("ends", ()) if image.frames > 1 else (facts.get("ImagePositionPatient"),)
        lie = {tuple(one) for one in places if one is not None}
        if not lie:
            return 1
        kind = (image.rows, image.columns, repr(facts.get("ImageType")))
        many[_rounded(lie, 2), kind] += int(held.get("each", 1))
    return min(many.values(), default=1)


def units_of_frames(series: Series) -> dict[str, str]:
    """Units and SUV Type of a multi-frame PET as classic images state them, where its frames tell the unit."""
    stated = zip(("Units", "SUVType"), pet_units({"RealWorldValueUnit": _frames(series).get("unit", "")}), strict=True)
    return {keyword: word for keyword, word in stated if word}


def without_places(series: Series) -> tuple[str, ...]:
    """Multi-frame PETs of which it was not asked yet, when their headers were read, where their frames lie."""
    if series.modality != "PT" or _IN_PATIENT in series.facts:
        return ()
    return tuple(i.sop_uid for i in series.instances if i.frames > 1 and _IN_PATIENT not in i.facts)


def as_one(several: Sequence[Series]) -> Series:
    """Some series as one with all their images, each with all its facts, under the identity of the first."""
    every = [replace(i, facts={**one.facts, **i.facts}) for one in several for i in one.instances]
    return replace(several[0], instances=tuple(every), facts={})


# ---- slices --------------------------------------------------------------------------------------------------------


def slices_apart(study: Sequence[Series]) -> list[tuple[Series, ...]]:
    """Stacks of which each slice is a series of its own, with several images at its one place.

    They have one orientation, one size, one echo time, one kind of image and equally many phases, or lie in one row.
    """
    stacks: dict[Any, list[Series]] = {}
    for one in study:
        places, turns = told(one, "ImagePositionPatient"), told(one, "ImageOrientationPatient")
        alone = len(places) == len(turns) == 1 and _are_vectors(places, 3) and _are_vectors(turns, 6)
        if alone and images([one]) > 1:
            size = {(i.rows, i.columns) for i in one.instances}
            same = [frozenset(told(one, k)) for k in ("PixelSpacing", "EchoTime", "ImageType")]
            turn = tuple(round(float(v), 3) + 0.0 for v in next(iter(turns)))
            key = (one.modality, one.frame_of_reference, frozenset(size), images([one]), turn, *same)
            stacks.setdefault(key, []).append(one)
    whole = [tuple(several) for several in stacks.values() if len(several) > 1]
    mixed: dict[Any, list[Series]] = {}
    for (modality, frame, size, phases, *same), several in stacks.items():
        if phases >= _LEAST_PHASES:
            mixed.setdefault((modality, frame, size, *same), []).extend(several)
    return [*whole, *(tuple(s) for s in mixed.values() if tuple(s) not in whole and len(s) > 1 and _in_one_row(s))]


def slabs_apart(study: Sequence[Series]) -> list[tuple[Series, ...]]:
    """Dynamic scans of which each slab, or each slice, is a series of its own with all its times.

    They were measured together: their first and last images are of the same time, but for a tenth of the scan. Their
    places make one row of even steps.
    """
    scans: dict[Any, list[Series]] = {}
    for one in study:
        places, turns = told(one, "ImagePositionPatient"), told(one, "ImageOrientationPatient")
        if not _are_vectors(places, 3) or not _are_vectors(turns, 6) or len(turns) != 1:
            continue
        if any(i.frames > 1 for i in one.instances) or len(one.instances) < 2 * len(places):
            continue
        same = [frozenset(told(one, k)) for k in _OF_ONE_SCAN]
        size = frozenset((i.rows, i.columns) for i in one.instances)
        key = (one.modality, one.frame_of_reference, size, _rounded(turns, 3), *same)
        scans.setdefault(key, []).append(one)
    return [tuple(many) for many in scans.values() if len(many) > 1 and _in_one_row(many) and _at_one_time(many)]


def goes_on(study: Sequence[Series]) -> list[tuple[Series, ...]]:
    """Dynamic scans that go on in further series, as scanners and archives write them that bound how many images
    one has.

    They have the same places, are made alike, and each begins a step of time after the one before ended.
    """
    scans: dict[Any, list[tuple[float, float, float, Series]]] = {}
    for one in study:
        places, turns = told(one, "ImagePositionPatient"), told(one, "ImageOrientationPatient")
        if not _are_vectors(places, 3) or not _are_vectors(turns, 6) or len(turns) != 1:
            continue
        times = len(one.instances) / len(places)
        when = [w for i in one.instances if (w := _acquired_s({**one.facts, **i.facts})) is not None]
        if any(i.frames > 1 for i in one.instances) or times < 2 or len(when) < len(one.instances):
            continue
        begun, done = min(w for w, _ in when), max(w for w, _ in when)
        same = [frozenset(told(one, k)) for k in _OF_ONE_SCAN]
        size = frozenset((i.rows, i.columns) for i in one.instances)
        key = (one.modality, one.frame_of_reference, size, _rounded(places, 2), _rounded(turns, 3), *same)
        scans.setdefault(key, []).append((begun, done, (done - begun) / (times - 1), one))
    found: list[tuple[Series, ...]] = []
    for many in scans.values():
        parts = sorted(many, key=lambda m: m[:2])
        row = [parts[0][3]]
        for (_, done, step, _), (begun, _, own, part) in pairwise(parts):
            if not 0.0 < begun - done <= _GOES_ON * max(step, own, 1.0):
                found.append(tuple(row))
                row = []
            row.append(part)
        found.append(tuple(row))
    return [row for row in found if len(row) > 1]


def _are_vectors(values: set[Any], length: int) -> bool:
    """Whether these are so many finite numbers each; headers may hold anything."""
    return all(
        isinstance(one, tuple)
        and len(one) == length
        and all(isinstance(v, int | float) and math.isfinite(v) for v in one)
        for one in values
    )


def _in_one_row(slabs: Sequence[Series]) -> bool:
    """Whether the places of all of them lie in one line, at even steps, each in one of them alone."""
    places = [tuple(float(v) for v in place) for one in slabs for place in told(one, "ImagePositionPatient")]
    (turn,) = told(slabs[0], "ImageOrientationPatient")
    (a, b, c), (d, e, f) = (float(v) for v in turn[:3]), (float(v) for v in turn[3:])
    normal = (b * f - c * e, c * d - a * f, a * e - b * d)
    row = sorted((sum(n * v for n, v in zip(normal, place, strict=True)), place) for place in places)
    steps = [after[0] - before[0] for before, after in pairwise(row)]
    ends, count = (row[0][1], row[-1][1]), len(row) - 1
    lines = [tuple(p + (q - p) * n / count for p, q in zip(*ends, strict=True)) for n in range(count + 1)]
    aside = max(math.dist(place, on) for (_, place), on in zip(row, lines, strict=True))
    return min(steps) > 0.9 * max(steps) > 0.0 and aside < 0.1 * max(steps)


def _at_one_time(slabs: Sequence[Series]) -> bool:
    begun, done = [], []
    for one in slabs:
        when = [w for i in one.instances if (w := _acquired_s({**one.facts, **i.facts})) is not None]
        if len(when) < len(one.instances):
            return False
        begun.append(min(w for w, _ in when))
        done.append(max(w for w, _ in when))
    lasts = min(done) - max(begun)
    return lasts > 0.0 and max(max(begun) - min(begun), max(done) - min(done)) <= _SAME_TIME * lasts


def phases_apart(study: Sequence[Series]) -> list[tuple[Series, ...]]:
    """Stacks of which each phase of the beat is a series of its own, with one image at each of the same places.

    They have one orientation, one size, one echo time and one kind of image, and each states later triggers than the
    one before.
    """
    stacks: dict[Any, list[tuple[float, Series]]] = {}
    for one in study:
        places, turns, delays = (told(one, k) for k in ("ImagePositionPatient", "ImageOrientationPatient", _DELAY))
        if not len(places) == images([one]) > 1 or len(turns) != 1:
            continue
        if not _are_vectors(places, 3) or not _are_vectors(turns, 6):
            continue
        if not all(isinstance(delay, (int, float)) for delay in delays):
            continue
        size = {(i.rows, i.columns) for i in one.instances}
        same = [frozenset(told(one, k)) for k in ("PixelSpacing", "EchoTime", "ImageType")]
        key = (one.modality, one.frame_of_reference, frozenset(size), _rounded(places, 2), _rounded(turns, 3), *same)
        when = sum(float(i.facts.get(_DELAY, one.facts.get(_DELAY))) for i in one.instances) / images([one])
        stacks.setdefault(key, []).append((when, one))
    several = [sorted(many, key=lambda w: w[0]) for many in stacks.values() if len(many) > 1]
    return [tuple(one for _, one in many) for many in several if all(a < b for (a, _), (b, _) in pairwise(many))]


# ---- beds ----------------------------------------------------------------------------------------------------------


def beds_apart(study: Sequence[Series]) -> list[tuple[Series, ...]]:
    """PET scans of which each bed is a series of its own, the beds along the patient.

    They have one frame of reference, orientation, size of voxels, unit, tracer and set of corrections, end where the
    next begins or overlap by at most half, and follow each other within half an hour. Several reconstructions of one
    scan are told apart by their descriptions; where those do not part them, all are given, and whoever joins them
    refuses (`methods.pet_beds`).
    """
    scans: dict[Any, list[_Bed]] = {}
    for one in study:
        if (bed := _Bed.of(one)) is not None:
            scans.setdefault(tuple(_made(one).values()), []).append(bed)
    return [tuple(bed.series for bed in scan) for several in scans.values() for scan in _scans(several)]


def reach_mm(several: Sequence[Series]) -> float:
    """From end to end of some series along the patient, in millimetres; 0 where their headers do not tell."""
    beds = [bed for one in several if (bed := _Bed.of(one)) is not None]
    return max(b.high for b in beds) - min(b.low for b in beds) if beds else 0.0


def left_beside(
    chosen: Sequence[Series], study: Sequence[Series], fits: Callable[[Series], bool] = lambda other: False
) -> tuple[str, ...]:
    """In words, each PET series beside the chosen ones that holds times or gates, shows what lies beyond them, or would
    have done as well.

    What lies beyond is told of series in their frame of reference.
    """
    mine = {one.uid for one in chosen}
    taken = [bed for one in chosen if (bed := _Bed.of(one)) is not None]
    first = chosen[0]
    said = []
    for other in study:
        near = other.frame_of_reference == first.frame_of_reference != ""
        if other.uid in mine or other.modality != "PT" or not images([other]):
            continue
        if (each := at_each_place(other)) > 1:
            said.append(f"{other.named} has {each} PET images at each place (times or gates) and was not measured")
        if each > 1:
            continue
        bed = _Bed.of(other)
        if not near or (bed is not None and taken and not _reaches(bed, taken)):
            if images([other]) > 1 and fits(other):
                said.append(f"{other.named} is another PET of this study{_clock(other)} and was not measured")
            continue
        if bed is None or not taken:
            if images([other]) > 1 and _size(other) == _size(first):
                said.append(f"{other.named} is another PET in this frame of reference, and was not measured")
            continue
        unlike = [k for k, v in _made(other).items() if _made(first)[k] != v]
        why = f"it was made otherwise ({', '.join(unlike)})" if unlike else _NOT_NEXT
        beyond = _beyond_mm(bed, taken)
        said.append(f"{other.named} shows {beyond:.0f} mm more of the patient and was not measured: {why}")
    return tuple(said)


def _beyond_mm(bed: _Bed, taken: Sequence[_Bed]) -> float:
    return max(bed.high - max(t.high for t in taken), min(t.low for t in taken) - bed.low)


def _reaches(bed: _Bed, taken: Sequence[_Bed]) -> bool:
    return _beyond_mm(bed, taken) > 2.0 * bed.step


def _clock(series: Series) -> str:
    """When a series was begun, as words to go on with; empty where it does not say."""
    begun = [w for i in series.instances if (w := _acquired_s({**series.facts, **i.facts})) is not None]
    minutes = int(min(begun)[0] // 60) if begun else 0
    return f", begun at {minutes // 60 % 24:02d}:{minutes % 60:02d}," if begun else ""


@dataclass(frozen=True)
class _Bed:
    """A series between its ends along the normal of its slices (mm), and from when to when it was acquired (s)."""

    series: Series
    low: float
    high: float
    step: float
    begun: float | None
    done: float | None

    @classmethod
    def of(cls, series: Series) -> _Bed | None:
        """A series by what its header tells; None for what is no stack of PET, or one of several times."""
        turns, places = _stated(series, "ImageOrientationPatient", "orientation"), _places(series)
        if series.modality != "PT" or len(turns) != 1 or None in turns | places or len(places) < 2:
            return None
        if at_each_place(series) > 1:
            return None
        (turn,) = turns
        if len(turn) != 6 or any(len(p) != 3 for p in places):
            return None
        (a, b, c), (d, e, f) = (float(v) for v in turn[:3]), (float(v) for v in turn[3:])
        normal = (b * f - c * e, c * d - a * f, a * e - b * d)
        along = sorted(sum(n * float(v) for n, v in zip(normal, place, strict=True)) for place in places)
        count = images([series]) if _of_frames(series) else len(along)
        step = (along[-1] - along[0]) / (count - 1)
        when = [w for i in series.instances if (w := _acquired_s({**series.facts, **i.facts})) is not None]
        begun, done = (min(w for w, _ in when), max(w for _, w in when)) if when else (None, None)
        return cls(series, along[0] - step / 2, along[-1] + step / 2, step, begun, done)

    def over(self, other: _Bed) -> float:
        """Which part of the shorter of the two the other shows as well; negative where there is a gap."""
        both = min(self.high, other.high) - max(self.low, other.low)
        return both / min(self.high - self.low, other.high - other.low)

    def next_to(self, other: _Bed) -> bool:
        """Whether the other begins where this one ends, in place and in time."""
        if other.low - self.high > _NEXT_TO * max(self.step, other.step):
            return False
        if self.begun is None or self.done is None or other.begun is None or other.done is None:
            return True
        return max(other.begun - self.done, self.begun - other.done) <= _ONE_SCAN_S


def _of_frames(series: Series) -> bool:
    return any(i.frames > 1 for i in series.instances)


def _frames(series: Series) -> Mapping[str, Any]:
    """Where the frames of the one multi-frame object of a series lie; empty where that is no stack, or not the one."""
    if len(series.instances) != 1:
        return {}
    (first,) = series.instances
    found = first.facts.get(_IN_PATIENT, series.facts.get(_IN_PATIENT))
    return found if isinstance(found, Mapping) else {}


def _stated(series: Series, keyword: str, of_frames: str) -> set[Any]:
    """Values of a fact of classic images, or what the frames of a multi-frame object have for it."""
    if not _of_frames(series):
        return told(series, keyword)
    value = _frames(series).get(of_frames)
    return {tuple(value) if isinstance(value, list) else value}


def _places(series: Series) -> set[Any]:
    """Where the images of a series lie; of a multi-frame object its two ends."""
    if not _of_frames(series):
        return told(series, "ImagePositionPatient")
    return {tuple(end) for end in _frames(series).get("ends", ())} or {None}


def _scans(beds: Sequence[_Bed]) -> list[list[_Bed]]:
    """Beds that go together, parted by their descriptions no more than is needed to have one series at each place."""
    last: list[list[list[_Bed]]] = []
    for by in (lambda _: "", lambda text: re.sub(r"\d+", "", text), str):
        groups: dict[str, list[_Bed]] = {}
        for bed in beds:
            groups.setdefault(by(bed.series.description), []).append(bed)
        rows = [row for several in groups.values() for row in _in_a_row(several)]
        last = rows or last
        if all(len(place) == 1 for row in last for place in row):
            break
    return [[bed for place in row for bed in place] for row in last]


def _in_a_row(beds: Sequence[_Bed]) -> Iterator[list[list[_Bed]]]:
    """Places next to each other, each with the series that show it; one, unless none of several is the larger."""
    places: list[list[_Bed]] = []
    for bed in sorted(beds, key=lambda b: (b.low, b.high, b.series.uid)):
        if places and any(bed.over(other) > _SAME_PLACE for other in places[-1]):
            places[-1].append(bed)
        else:
            places.append([bed])
    row: list[list[_Bed]] = []
    for place in places:
        place.sort(key=lambda b: b.high - b.low, reverse=True)
        if len(place) > 1 and place[0].high - place[0].low > _LARGER * (place[1].high - place[1].low):
            del place[1:]
        if row and not any(before.next_to(bed) for before in row[-1] for bed in place):
            if len(row) > 1:
                yield row
            row = []
        row.append(place)
    if len(row) > 1:
        yield row


def _made(series: Series) -> dict[str, Any]:
    """What beds of one scan have in common, under the words for it."""
    return {
        "frame of reference": series.frame_of_reference,
        "rows and columns": _size(series),
        "orientation": _rounded(_stated(series, "ImageOrientationPatient", "orientation"), 3),
        "size of pixels": _rounded(_stated(series, "PixelSpacing", "spacing"), 3),
        "slice thickness": _rounded({(series.facts.get("SliceThickness"),)}, 2),
        "kind of image": frozenset(told(series, "ImageType")),
        "unit": _unit(series),
        "tracer": frozenset(told(series, "Radionuclide")),
        "corrections": frozenset(told(series, "CorrectedImage") | told(series, "DecayCorrection")),
    }


def _unit(series: Series) -> frozenset[Any]:
    stated = told(series, "Units") | told(series, "SUVType")
    return frozenset(stated | _stated(series, "Units", "unit"))


def _size(series: Series) -> frozenset[tuple[int, int]]:
    return frozenset((i.rows, i.columns) for i in series.instances)


def _rounded(values: set[Any], digits: int) -> frozenset[Any]:
    def one(v: Any) -> Any:
        return round(float(v), digits) + 0.0 if isinstance(v, (int, float)) and math.isfinite(v) else v

    return frozenset(tuple(one(v) for v in several) if several is not None else None for several in values)


def _acquired_s(facts: Any) -> tuple[float, float] | None:
    """From when to when an image was acquired, in seconds; None where the header does not say."""
    if isinstance(frames := facts.get(_IN_PATIENT), Mapping):
        begun, done = (_moment_s(str(frames.get(end, "")), "") for end in ("begun", "done"))
        return None if begun is None or done is None else (begun, done)
    day = str(facts.get("AcquisitionDate") or facts.get("SeriesDate") or "19000101").strip()
    clock = str(facts.get("AcquisitionTime") or "").strip()
    # Acquisition Time may be left out where Acquisition DateTime is there.
    begun = _moment_s(day, clock) if clock else _moment_s(str(facts.get("AcquisitionDateTime") or "").strip(), "")
    if begun is None:
        return None
    lasted = facts.get("ActualFrameDuration")
    return begun, begun + (float(lasted) / 1000.0 if isinstance(lasted, int) else 0.0)


def _moment_s(day: str, clock: str) -> float | None:
    """Whole seconds: makers cut the times of some images and not of others."""
    moment = moment_s(day, clock)
    return None if moment is None else math.floor(moment)
