"""What a PET header says about dose, body and times, and where headers are known to mislead.

The facts are a mapping of DICOM keywords to plain values, with the items of the Radiopharmaceutical Information
Sequence lifted to the top. The delicate part is the moment that an image is decay-corrected to: DICOM says the start
of the scan, but Series Time is rewritten when a series is reconstructed or processed again, and the time of injection
often carries no date.

Source: QIBA FDG-PET/CT profile 1.14, appendix on vendor-neutral SUV; DICOM PS3.3 C.8.9.1 and C.8.9.2.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from isocenter.errors import Refused
from isocenter.methods.sex import sex_stated
from isocenter.methods.suv import Scan

__all__ = ["KEYWORDS", "acquired_at", "injected_at", "nuclide", "read", "scan_started_at", "uptake_time_s"]

KEYWORDS = (
    "Units", "SUVType", "DecayCorrection", "CorrectedImage", "Manufacturer",
    "PatientWeight", "PatientSize", "PatientSex",
    "RadionuclideTotalDose", "RadionuclideHalfLife", "Radionuclide",
    "RadiopharmaceuticalStartTime", "RadiopharmaceuticalStartDateTime",
    "SeriesDate", "SeriesTime", "AcquisitionDate", "AcquisitionTime", "FrameReferenceTime", "ActualFrameDuration",
    "DecayCorrectionDateTime", "GEScanDateTime", "PhilipsSUVScaleFactor", "PhilipsActivityConcentrationScaleFactor",
    "TimezoneOffsetFromUTC", "Injections", "Unlike", "MeasuredAfter",
)  # fmt: skip
"""Every fact that is looked at. "Injections" has dose and time of each, where there are several; "Unlike" has the
values of what the images of the series do not agree in. The three before them are private: GE (0009,100D), Philips
(7053,1000) and (7053,1009). Acquisition Date and Time are the earliest of the series; Frame Reference Time and Actual
Frame Duration (ms) belong to that same image. "MeasuredAfter" has the seconds from the injection to the first of the
frames that were averaged (see `pet_average`)."""

_ELEMENTS = {
    "fluorine": "F", "carbon": "C", "nitrogen": "N", "oxygen": "O", "gallium": "Ga", "copper": "Cu", "zirconium": "Zr",
    "rubidium": "Rb", "iodine": "I",
}  # fmt: skip
_DATED_NUCLIDE_S = 86400.0  # beyond this half-life people are scanned days later, and a time without date says nothing
_DATES = ("SeriesDate", "AcquisitionDate", "RadiopharmaceuticalStartDateTime")
_A_DAY = "19000102"  # and one before it, for a scan that ran past midnight
_CLOCKS = ("TimezoneOffsetFromUTC", "DecayCorrectionDateTime", "GEScanDateTime")  # whose offset is that of the scan
_OFFSET = re.compile(r"([+-])(\d{2})(\d{2})$")
_EARLY, _TOLD = timedelta(minutes=15), 1.05  # Series Time before the first image; a factor of SUV that is told
_NEVER_HALF_LIVES = 10.0  # after which nothing is left to be seen
_NIGHT, _NIGHT_HALF_LIVES = timedelta(hours=12), 3.0  # between an injection before midnight and its scan, at most


def read(facts: Mapping[str, Any]) -> Scan:
    """The typed record of a PET header. What is missing stays None; `suv.conversion` decides what it needs.

    Raises:
        Refused: when a time or a number cannot be read, the images of the series do not agree, there are several
            injections, or two statements about the injection contradict each other.

    >>> read({"Units": "GML", "PatientWeight": "71.0"}).weight_kg
    71.0
    """
    unlike = facts.get("Unlike")
    if isinstance(unlike, Mapping) and unlike:
        keyword, values = next(iter(unlike.items()))
        raise Refused(
            f"a mixed series: {keyword} is {' and '.join(str(v) for v in values)}",
            "images of two scans or of two reconstructions stand in it",
            "send each as a series of its own",
        )
    half_life = _number(facts, "RadionuclideHalfLife")
    decay = _text(facts, "DecayCorrection").upper()
    units = _text(facts, "Units").upper()
    if (given := facts.get("Injections")) and units in ("BQML", "CNTS"):
        raise Refused(
            f"several injections: {', '.join(str(one) for one in given)} (Bq and time of day)",
            "nothing says which of them the image shows",
            "send the series with the dose that it belongs to",
        )
    remarks: tuple[str, ...] = ()
    uptake = None
    if decay == "START" and units in ("BQML", "CNTS"):
        started, said_scan = scan_started_at(facts, half_life)
        injected, said_dose = injected_at(facts, started, half_life)
        remarks = (*said_scan, *said_dose)
        if started is not None and injected is not None:
            uptake = (started - injected).total_seconds()
    corrected = facts.get("CorrectedImage")
    if isinstance(corrected, str):
        corrected = corrected.split("\\") if corrected else None
    return Scan(
        units=units,
        suv_type=_text(facts, "SUVType").upper(),
        decay=decay,
        corrected=None if not corrected else tuple(str(c) for c in corrected),
        activity_bq=_number(facts, "RadionuclideTotalDose"),
        half_life_s=half_life,
        uptake_s=uptake,
        measured_s=_number(facts, "MeasuredAfter"),
        weight_kg=_number(facts, "PatientWeight"),
        height_m=_number(facts, "PatientSize"),
        sex=sex_stated(facts.get("PatientSex")),
        philips_suv=_number(facts, "PhilipsSUVScaleFactor"),
        philips_bqml=_number(facts, "PhilipsActivityConcentrationScaleFactor"),
        nuclide=nuclide(_text(facts, "Radionuclide")),
        remarks=remarks,
    )


def uptake_time_s(facts: Mapping[str, Any]) -> float | None:
    """Seconds from injection to the start of the scan, or to the first of the frames that were averaged, whatever the
    image is in; None where a time is missing.

    Raises:
        Refused: as `read`.
    """
    if (measured := _number(facts, "MeasuredAfter")) is not None:
        return measured
    half_life = _number(facts, "RadionuclideHalfLife")
    started, _ = scan_started_at(facts, half_life)
    injected, _ = injected_at(facts, started, half_life)
    return None if started is None or injected is None else (started - injected).total_seconds()


def scan_started_at(facts: Mapping[str, Any], half_life_s: float | None) -> tuple[datetime | None, tuple[str, ...]]:
    """The moment that an image with Decay Correction START is corrected to, with remarks; None where it is unknown.

    Decay Correction DateTime of enhanced images and GE's private scan time are believed first. Series Time is right
    unless it lies after the first acquisition: then the series was made again later, and the start is computed from the
    frame (its mean activity is reached at Frame Reference Time), or is the first acquisition. Where Series Time lies
    long before the first acquisition, Frame Reference Time tells which of the two it is. Without any date, times of
    day are of one day.
    """
    stated = _datetime(facts, "DecayCorrectionDateTime") or _datetime(facts, "GEScanDateTime")
    if stated is not None:
        return stated, ()
    series = _moment(facts, "SeriesDate", "SeriesTime")
    acquired = acquired_at(facts)
    if series is not None and acquired is None:
        return series, (_unconfirmed(half_life_s),)
    if series is None or acquired is None:
        return acquired, ()
    reference, duration = _number(facts, "FrameReferenceTime"), _number(facts, "ActualFrameDuration")
    if series - acquired < timedelta(seconds=1):  # one of them is often cut to whole seconds
        if acquired - series > _NIGHT:  # no scan waits so long for its first image: one of the dates was shifted
            acquired = datetime.combine(series.date(), acquired.time())
        first = min(series, acquired)
        return (first, ()) if acquired - first <= _EARLY else _early(series, acquired, reference, half_life_s)
    decay = math.log(2.0) / half_life_s if half_life_s else 0.0
    late = f"Series Time is {(series - acquired).total_seconds():.0f} s later than the first acquisition"
    if reference and duration and decay and "GE" not in _text(facts, "Manufacturer").upper():
        lost = decay * duration / 1000.0
        mean_at = math.log(lost / -math.expm1(-lost)) / decay
        started = acquired - timedelta(seconds=reference / 1000.0 - mean_at)
        return started, (f"{late}; the start of the scan was computed from Frame Reference Time",)
    return acquired, (f"{late}; the first acquisition was taken as start of the scan",)


def _unconfirmed(half_life_s: float | None) -> str:
    """What a start by Series Time alone may cost: it is that of the reconstruction, which may have been made later."""
    times = 2.0 ** (3600.0 / half_life_s) if half_life_s else 1.0
    return (
        "WARNING: no image states when it was acquired, and Series Time was taken as start of the scan: where the "
        f"series was made again an hour later, every SUV is {times:.3g} times too large"
    )


def _early(
    series: datetime, acquired: datetime, reference_ms: float | None, half_life_s: float | None
) -> tuple[datetime, tuple[str, ...]]:
    """The start of a scan whose Series Time lies long before its first image, as that of the whole study may.

    Frame Reference Time counts from the moment that decay is corrected to (PS3.3 C.8.9.4.1.5).
    """
    apart = (acquired - series).total_seconds()
    times = 2.0 ** (apart / half_life_s) if half_life_s else 1.0
    told = f"Series Time is {apart / 60.0:.0f} min before the first acquisition"
    if reference_ms is None:
        if times < _TOLD:
            return series, ()
        return series, (
            f"WARNING: {told}, and was taken as start of the scan: where decay was corrected to the first acquisition, "
            f"every SUV would be {times:.3g} times as large",
        )
    if abs(reference_ms / 1000.0) <= 0.5 * apart:
        return acquired, (
            f"WARNING: {told}, from which Frame Reference Time counts: that was taken as start of the scan; by Series "
            f"Time every SUV would be {times:.3g} times smaller",
        )
    return series, ()


def acquired_at(facts: Mapping[str, Any]) -> datetime | None:
    """When the first image was acquired; None where it is unknown."""
    return _moment(facts, "AcquisitionDate", "AcquisitionTime", otherwise="SeriesDate")


def injected_at(
    facts: Mapping[str, Any], started: datetime | None, half_life_s: float | None
) -> tuple[datetime | None, tuple[str, ...]]:
    """The moment of injection, with remarks; None where it is unknown.

    A time without a date is on the day of the scan, or on the day before when the scan ran past midnight.

    Raises:
        Refused: when a long-lived nuclide has a time but no date, or date-time and time contradict each other.
    """
    full = _datetime(facts, "RadiopharmaceuticalStartDateTime")
    clock = _text(facts, "RadiopharmaceuticalStartTime")
    if full is not None:
        if clock and not _same_clock(full, clock):
            # Some write the local time and then an offset that is not theirs; the time beside it tells which it is.
            as_written = _datetime(facts, "RadiopharmaceuticalStartDateTime", local=False)
            if as_written is not None and _same_clock(as_written, clock):
                return as_written, ()
            raise Refused(
                f"injection at {full:%H:%M:%S} and at {clock}",
                "Radiopharmaceutical Start DateTime and Start Time contradict each other",
                "correct the wrong one",
            )
        return _on_the_day(full, started, half_life_s)
    if not clock or started is None:
        return None, ()
    if half_life_s and half_life_s > _DATED_NUCLIDE_S:
        raise Refused(
            f"injection at {clock} without a date",
            f"with a half-life of {half_life_s / 3600.0:.0f} h the scan may be days later",
            "complete Radiopharmaceutical Start DateTime",
        )
    same = _parsed(f"{started:%Y%m%d}{clock}", clock)
    before = same - timedelta(days=1)
    # A clock that was typed wrong looks the same, and would multiply uptake by all the half-lives since that evening.
    longest = min(_NIGHT, timedelta(seconds=_NIGHT_HALF_LIVES * half_life_s)) if half_life_s else _NIGHT
    if same > started and started - before <= longest:
        return before, ("the injection was taken to be on the day before the scan, which ran past midnight",)
    return same, ()


def _on_the_day(
    full: datetime, started: datetime | None, half_life_s: float | None
) -> tuple[datetime, tuple[str, ...]]:
    """A moment of injection, or its time on the day of the scan where their dates cannot both be right.

    Whoever shifts the dates of a header and leaves those of its sequences keeps the times of day.
    """
    if started is None or not half_life_s or half_life_s > _DATED_NUCLIDE_S:
        return full, ()
    wait, longest = started - full, timedelta(seconds=_NEVER_HALF_LIVES * half_life_s)
    if timedelta(days=-1) < wait <= max(longest, timedelta(days=1)):
        return full, ()
    same = datetime.combine(started.date(), full.time())
    same -= timedelta(days=1 if same > started else 0)
    if started - same > min(_NIGHT, timedelta(seconds=_NIGHT_HALF_LIVES * half_life_s)):
        return full, ()
    return same, (
        f"WARNING: the injection is dated {full:%Y-%m-%d} and the scan {started:%Y-%m-%d}, which its half-life rules "
        "out: dates were shifted or are wrong, and the times of day were taken",
    )


def nuclide(meaning: str) -> str:
    """Element and mass number out of the many ways to write a nuclide; empty when it cannot be told.

    >>> nuclide("^18^Fluorine"), nuclide("F^18^"), nuclide("18F"), nuclide("Gallium-68")
    ('F-18', 'F-18', 'F-18', 'Ga-68')
    """
    mass = re.search(r"\d{1,3}", meaning)
    words = re.findall(r"[A-Za-z]+", meaning)
    if mass is None or not words:
        return ""
    element = next((_ELEMENTS[w.lower()] for w in words if w.lower() in _ELEMENTS), words[0].capitalize())
    return f"{element}-{mass.group()}"


def _text(facts: Mapping[str, Any], keyword: str) -> str:
    value = facts.get(keyword)
    return "" if value is None else str(value).strip()


def _number(facts: Mapping[str, Any], keyword: str) -> float | None:
    said = _text(facts, keyword)
    if not said:
        return None
    try:
        return float(said)
    except ValueError as wrong:
        raise Refused(f"{keyword} '{said}'", "it is not a number", "correct the header") from wrong


def _moment(facts: Mapping[str, Any], day: str, clock: str, otherwise: str = "") -> datetime | None:
    date, time = _text(facts, day) or _text(facts, otherwise), _text(facts, clock)
    if not date and not any(_text(facts, key) for key in _DATES):
        date = _A_DAY  # whoever took the dates away left times of one day
    return _parsed(date + time, f"{date} {time}") if date and time else None


def _datetime(facts: Mapping[str, Any], keyword: str, *, local: bool = True) -> datetime | None:
    """A date-time by the clock that Series Time follows, or as it was written.

    One whose offset differs from the file's Timezone Offset From UTC, or else from that of the scan's own date-time, is
    brought to that; where neither is stated, it is taken to be by the same wall clock.
    """
    said = _text(facts, keyword)
    if len(said) < 12:
        return None
    of_file = (_OFFSET.search(_text(facts, k)) for k in _CLOCKS)
    offset, ours = _OFFSET.search(said), next((found for found in of_file if found), None)
    moment = _parsed(_OFFSET.sub("", said), said)
    return moment + (_east(ours) - _east(offset)) if local and offset and ours else moment


def _east(offset: re.Match[str]) -> timedelta:
    return int(f"{offset[1]}1") * timedelta(hours=int(offset[2]), minutes=int(offset[3]))


def _same_clock(moment: datetime, clock: str) -> bool:
    return abs(_seconds_of_day(moment) - _seconds_of_day(_parsed("19000101" + clock, clock))) <= 60.0


def _parsed(digits: str, said: str) -> datetime:
    whole, _, fraction = digits.replace(":", "").partition(".")
    try:
        moment = datetime.strptime(whole.ljust(14, "0"), "%Y%m%d%H%M%S")
        return moment + timedelta(seconds=float(f"0.{fraction}") if fraction else 0.0)
    except ValueError as wrong:
        raise Refused(f"time '{said}'", "it is not a DICOM time", "correct the header") from wrong


def _seconds_of_day(moment: datetime) -> float:
    return moment.hour * 3600.0 + moment.minute * 60.0 + moment.second
