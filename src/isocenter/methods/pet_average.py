"""A dynamic or gated PET as one static image: the mean of its frames, each by how long it lasted.

All frames of a series are decay-corrected to one moment (Decay Correction START or ADMIN, PS3.3 C.8.9.1.1.4), or to
none (NONE): then each is brought from the moment of its mean activity to the start of the scan. Which frames of a
dynamic scan are late enough is a clinical choice; the gates of a gated one are of the same time, and all are taken.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import groupby
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.methods import pet_header
from isocenter.space import Volume

__all__ = ["averaged", "is_gated"]

_AT_ONCE_S = 1.0  # before the injection, at which a frame may begin: clocks are rounded
_FACTOR_OFF = 0.03  # by which a stated decay factor may differ from that of its frame
_GAP = 0.02  # of the time from first to last, that frames may leave between them without a word
_START_OF_FRAME = 0.25  # of the first frame: a reference time before that counts from its start, as GE writes it
_HEADER = "complete Acquisition Time, Frame Reference Time and Actual Frame Duration of each frame"

Times = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class _Frames:
    """When frames were taken: (frames, slices) in seconds.

    Args:
        begun: since the moment that the scan started at; None where no frame says it.
        lasted: of each frame.
        half_life: None where the header has none.
    """

    begun: Times | None
    lasted: Times
    half_life: float | None

    @classmethod
    def of(cls, pet: Volume, started: datetime | None, half_life: float | None, *, gated: bool) -> _Frames:
        told = pet.facts.get("FrameMoments", {})
        many = (len(pet.array), pet.geometry.shape[0])
        lasted = _table(told, "lasted_s", many)
        if lasted is None or float(lasted.min()) <= 0.0:
            raise Refused(
                f"a PET of {many[0]} frames that do not say how long each lasted",
                "their mean is weighted by it",
                "complete Actual Frame Duration",
            )
        begun, reference = _table(told, "begun_s", many), _table(told, "reference_s", many)
        first = pet_header.acquired_at(pet.facts)
        if begun is not None and first is not None and started is not None and (gated or _differ(begun)):
            begun = begun + (first - started).total_seconds()
        else:
            begun = None
        # A gate lasts as long as its parts of all beats: when its activity was at its mean does not follow from that.
        if (begun is None or gated) and reference is not None and (gated or _differ(reference)):
            # Some makers count to the middle of a frame, by its mean activity, and some to its start.
            from_start = float(reference[0].min()) < _START_OF_FRAME * float(lasted[0].min())
            begun = reference - (0.0 if from_start else _mean_at(lasted, half_life))
        return cls(begun, lasted, half_life)

    @property
    def at(self) -> Times | None:
        """When each had its mean activity, since the scan started."""
        return None if self.begun is None else self.begun + _mean_at(self.lasted, self.half_life)

    def runs(self, injected_s: float) -> str:
        """In words how many frames of which length there are, and from when to when after the injection."""
        assert self.begun is not None
        lengths = [round(float(v), 1) for v in self.lasted.mean(axis=1)]
        runs = ", ".join(f"{len(list(same))} of {length:g} s" for length, same in groupby(lengths))
        first, last = float(self.begun.min()), float((self.begun + self.lasted).max())
        return f"{runs}; {_minutes(first - injected_s)} to {_minutes(last - injected_s)} min after the injection"


def averaged(pet: Volume, minutes: str = "", *, frame: int = 0) -> Volume:
    """The mean of the frames of a dynamic or gated PET, as the volume of a static one; a static PET as it is.

    Args:
        pet: (frames, slices, rows, columns), with the facts of its header and ``FrameMoments`` (begun_s since the first
            frame, reference_s since the start of the scan, lasted_s; each a row of slices for each frame).
        minutes: ``"50-60"``: those frames of a dynamic PET whose middle lies so many minutes after the injection.
        frame: that one alone, from 1, brought to the same moment of decay; 0 for none in particular.

    Returns:
        the mean with the facts of its first frame; ``Averaged`` says in words what was taken and ``MeasuredAfter`` how
        many seconds after the injection it began, where that is known.

    Raises:
        Refused: for a dynamic PET without `minutes`, with the frames that there are; for `minutes` that no frame lies
            in; for frames without times; for axes other than time or gates.
    """
    several = [axis for axis in pet.axes if len(axis) > 1]
    if not several:
        return pet
    if len(several) > 1 or several[0].name not in ("time", "trigger"):
        said = " and ".join(f"{len(axis)} values of {axis.name}" for axis in several)
        raise Refused(f"PET with {said}", "SUV is read from one image", "send each as a series of its own")
    pet = replace(pet, array=pet.array.reshape(len(several[0]), *pet.geometry.shape), axes=tuple(several))
    header = pet_header.read({**pet.facts, "DecayCorrection": "START"})
    started, _ = pet_header.scan_started_at(pet.facts, header.half_life_s)
    gated = is_gated(pet)
    frames = _Frames.of(pet, started, header.half_life_s, gated=gated)
    injected_s = None
    if started is not None:
        injected, _ = pet_header.injected_at(pet.facts, started, header.half_life_s)
        injected_s = None if injected is None else (injected - started).total_seconds()
    if frame:
        taken = [frame - 1]
    else:
        taken = list(range(len(pet.array))) if gated else _late(frames, injected_s, minutes)
    decay = str(pet.facts.get("DecayCorrection") or "").strip().upper()
    factors = np.ones_like(frames.lasted)
    remarks: list[str] = []
    if decay == "NONE":
        factors = _to_start(frames, header.half_life_s)
        remarks.append("decay was not corrected: each frame was brought to the start of the scan by its own time")
    elif decay == "START":
        remarks += _doubted(pet.facts, frames, taken)
    total = np.zeros(pet.geometry.shape, np.float64)
    for n in taken:
        total += pet.array[n] * (frames.lasted[n] * factors[n])[:, None, None]
    total /= frames.lasted[taken].sum(axis=0)[:, None, None]
    facts: dict[str, Any] = dict(pet.facts)
    begun = None
    if frames.begun is not None and injected_s is not None and not gated:
        begun = float(frames.begun[taken].min()) - injected_s
        facts["MeasuredAfter"] = begun
    facts["Averaged"] = [_said(frames, taken, begun, gated=gated), *remarks]
    if decay == "NONE":
        words = facts.get("CorrectedImage") or []
        words = words.split("\\") if isinstance(words, str) else list(words)
        facts |= {"DecayCorrection": "START", "CorrectedImage": [*words, "DECY"]}
    slices = pet.geometry.shape[0]
    shown = pet.instance_uids[taken[0] * slices : (taken[0] + 1) * slices]
    return Volume(total.astype(np.float32), pet.geometry, pet.quantity, pet.unit, (), facts, pet.series_uid, shown)


def _table(told: Mapping[str, Any], name: str, many: tuple[int, int]) -> Times | None:
    try:
        table = np.array(told.get(name), np.float64)
    except (TypeError, ValueError):
        return None
    return table if table.shape == many and np.isfinite(table).all() else None


def _differ(times: Times) -> bool:
    """Whether each frame has a time of its own; some writers give all that of the series."""
    return bool((np.diff(times, axis=0) > 0.0).all())


def _mean_at(lasted: Times, half_life: float | None) -> Times:
    """When activity that decays is at its mean, from the start of a frame: a little before its middle."""
    if not half_life:
        return lasted / 2.0
    lost = lasted * (math.log(2.0) / half_life)
    return np.asarray(np.log(lost / -np.expm1(-lost)) * (half_life / math.log(2.0)))


def is_gated(pet: Volume) -> bool:
    """Whether its frames are gates, which show one and the same time after the injection."""
    said = pet.facts.get("SeriesType") or ()
    words = [str(w).strip().upper() for w in ((said,) if isinstance(said, str) else said)]
    return any(a.name == "trigger" for a in pet.axes) or "GATED" in words[:1]


def _late(frames: _Frames, injected_s: float | None, minutes: str) -> list[int]:
    """Which frames of a dynamic PET lie between two moments after the injection."""
    count = len(frames.lasted)
    if injected_s is None:
        raise Refused(
            f"a dynamic PET of {count} frames without the time of injection",
            "frames are chosen by the minutes after it",
            "complete Radiopharmaceutical Start DateTime",
        )
    if frames.begun is None:
        raise Refused(f"a dynamic PET of {count} frames without their times", "which are late is not known", _HEADER)
    known = f"a dynamic PET of {count} frames ({frames.runs(injected_s)})"
    if not minutes.strip():
        raise Refused(
            known,
            "which of them show the uptake that is asked for is a clinical choice",
            "say from which to which minute after the injection frames are averaged: --set minutes=50-60",
        )
    low, high = _window(minutes)
    begun = (frames.begun - injected_s).min(axis=1)
    middle = (frames.begun + frames.lasted / 2.0 - injected_s).mean(axis=1)
    taken = [n for n in range(count) if begun[n] > -_AT_ONCE_S and low * 60.0 <= middle[n] <= high * 60.0]
    if not taken:
        raise Refused(
            f"no frame from minute {low:g} to {high:g}", known, "name minutes in which frames have their middle"
        )
    return taken


def _window(minutes: str) -> tuple[float, float]:
    parts = minutes.replace("–", "-").split("-")
    try:
        low, high = (float(part) for part in parts)
    except ValueError:
        low, high = 1.0, 0.0
    if not 0.0 <= low < high < math.inf:
        raise Refused(f"minutes = '{minutes}'", "it is two times after the injection, such as 50-60", "give them so")
    return low, high


def _to_start(frames: _Frames, half_life: float | None) -> Times:
    """What values that are not corrected for decay are multiplied with."""
    at = frames.at
    if at is None:
        raise Refused("frames that are not corrected for decay and state no times", "each decayed by its own", _HEADER)
    if not half_life:
        raise Refused("half-life missing", "frames were not corrected for decay", "complete Radionuclide Half Life")
    return np.asarray(np.exp2(at / half_life))


def _doubted(facts: Mapping[str, Any], frames: _Frames, taken: list[int]) -> list[str]:
    """A warning where a frame states another factor of decay than that from its own time to the start of the scan."""
    stated = facts.get("PerPhase", {}).get("DecayFactor")
    if stated is None or frames.at is None or not frames.half_life or len(stated) != len(frames.lasted):
        return []
    if not all(isinstance(v, int | float) and v > 0.0 for v in stated) or len(set(stated)) == 1:
        return []
    should = np.exp2(frames.at / frames.half_life).mean(axis=1)
    off = np.array(stated, np.float64) / should
    n = max(taken, key=lambda n: abs(math.log(off[n])))
    if abs(off[n] - 1.0) <= _FACTOR_OFF:
        return []
    return [
        f"WARNING: Decay Factor of frame {n + 1} is {stated[n]:.4g}, from its time to the start of the scan it is "
        f"{should[n]:.4g}: values may be corrected to another moment, and SUV be off by {100 * (off[n] - 1):+.0f} %"
    ]


def _said(frames: _Frames, several: list[int], begun: float | None, *, gated: bool) -> str:
    if gated and len(several) > 1:
        return f"all {len(several)} gates were averaged"
    if frames.begun is None or begun is None:
        return f"{'gate' if gated else 'frame'} {several[0] + 1} of {len(frames.lasted)} was taken"
    lasted = float((frames.begun + frames.lasted)[several].max() - frames.begun[several].min())
    which = f"frame {several[0] + 1}" if len(several) == 1 else f"frames {several[0] + 1} to {several[-1] + 1}"
    does = "was taken" if len(several) == 1 else "were averaged, each by how long it lasted"
    when = f"{_minutes(begun)} to {_minutes(begun + lasted)} min after the injection"
    between = lasted - float(frames.lasted[several].mean(axis=1).sum())
    gap = f"; of {_minutes(between)} min between them there is no frame" if between > _GAP * lasted else ""
    return f"{which} of {len(frames.lasted)}, {when}, {does}{gap}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60.0:.1f}"
