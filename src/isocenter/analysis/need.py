"""What an analysis needs, in one object with three faces: a predicate on series, a query, and a sentence."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

from isocenter.analysis.apart import (
    as_one,
    at_each_place,
    beds_apart,
    goes_on,
    images,
    in_mosaic,
    is_object,
    phases_apart,
    reach_mm,
    slabs_apart,
    slices_apart,
    told,
    units_of_frames,
)
from isocenter.errors import Refused
from isocenter.record import Series
from isocenter.space import Region, Volume

__all__ = ["Check", "Dated", "Need", "Unmet"]

_WORDS = {
    "CT": "CT", "MR": "MR", "PT": "PET", "US": "ultrasound", "CR": "computed radiograph", "DX": "digital radiograph",
    "RG": "radiograph on film", "OT": "capture", "SC": "capture", "MG": "mammogram", "SEG": "segmentation",
    "RTSTRUCT": "radiotherapy structure set", "SM": "slide", "SR": "structured report",
}  # fmt: skip


@dataclass(frozen=True)
class Unmet:
    """One predicate that a series did not meet: what was wanted and what was there."""

    predicate: str
    wanted: str
    found: str

    def __str__(self) -> str:
        return f"needs {self.wanted}; {self.found}"


@dataclass(frozen=True)
class Check:
    """One predicate of a need, held against one series: what was wanted, what is there, and whether that will do."""

    predicate: str
    wanted: str
    found: str
    met: bool


@dataclass(frozen=True, eq=False)
class Dated:
    """What a need gave, with the study and the day that it is of: what a comparison over time works on.

    Args:
        study_uid: Study Instance UID.
        day: Study Date, or what stands for it where it is empty.
        given: a `Volume`, or a tuple of `Region` where the need gives regions.
    """

    study_uid: str
    day: date
    given: Volume | tuple[Region, ...]

    @property
    def volume(self) -> Volume:
        """The volume; the need gave one."""
        assert isinstance(self.given, Volume)
        return self.given

    @property
    def regions(self) -> tuple[Region, ...]:
        """The regions; the need gave them."""
        assert isinstance(self.given, tuple)
        return self.given


@dataclass(frozen=True)
class Need:
    """Which series an analysis can work on.

    Args:
        modality: DICOM Modality, or several that will do; empty for any series with pixels.
        gives: ``"volume"`` (a `Volume`), ``"volumes"`` (a tuple of every `Volume` of every series of the study that
            meets the need and lies in one frame of reference: magnitude and phase, flip angles), ``"regions"`` (a tuple
            of `Region`, from RTSTRUCT or SEG) or ``"reports"`` (a tuple of `MachineReport`, from SR).
        body_part: words of which one must stand in Body Part Examined, or in the descriptions where it is empty.
        axis: a leading axis that the volume must have (time, echo, b_value, ...); checked again on the volume. A
            series whose images state one echo time, or one flip angle, or lie each at a place of its own where times
            are wanted, has no such axis: it is turned away unread.
        at_least, at_most: number of instances or frames.
        slice_mm: allowed (smallest, largest) Slice Thickness in millimetres.
        facts: header facts that must hold: keyword -> allowed values, e.g. ``{"ViewPosition": ("PA", "AP")}``. A fact
            that the header does not state does not refuse; the analysis looks at the pixels then.
        velocity: the images must encode velocity, as phase contrast does, as far as their headers say; multi-frame
            objects are looked into when they are read.
        slices_apart: a stack will do of which each slice came, with all its phases, as a series of its own, or each
            phase with all its slices. It is taken where it holds more images than any series that meets the need alone.
        beds: one static PET: it will do where each bed came as a series of its own, and is given as one volume (see
            `methods.pet_beds`). It is taken where it reaches further than any series that meets the need alone. A
            series with several images at each place, times or gates, is taken where there is no other.
        optional: the analysis runs without it and is given None.
        instead: name of another need of the analysis that will do alone, where no series meets this one, which is the
            first: `run` is given None for it then, and where nobody drew on it.
        every: run once for each series that meets the need, not only for the best one; and where a series holds several
            radiographs (CR, DX, RG, MG, captures that are asked for), for each of them that meets it.
        earlier: sought in earlier studies of the same patient: ``"last"`` in the newest that has it, ``"all"`` in each
            of them. `run` is then given a `Dated`, or a tuple of them, the oldest first. The first need of an analysis
            is of the study itself.
        dated: `run` is given a `Dated` here too, because it compares with another day.
        better: says of the facts of a series and its first image whether it is what the analysis is defined on. Of
            several series that meet the need (thick and thin slices, soft and sharp kernels of one scan) such a one is
            taken first. A function of a module, for needs travel to other processes.
        only: what the images must be by their header, in words, and the function of a module that says it of the facts
            of a series and its first image. Others are turned away unread.

    Raises:
        Refused: when `gives` or `earlier` is none of its words.

    >>> Need(modality="CT", at_least=20).sentence()
    'CT with at least 20 images'
    """

    modality: str | tuple[str, ...] = ()
    gives: str = "volume"
    body_part: tuple[str, ...] = ()
    axis: str = ""
    at_least: int = 1
    at_most: int | None = None
    slice_mm: tuple[float, float] | None = None
    facts: Mapping[str, tuple[str, ...]] | None = None
    velocity: bool = False
    slices_apart: bool = False
    beds: bool = False
    optional: bool = False
    instead: str = ""
    every: bool = False
    earlier: str = ""
    dated: bool = False
    better: Callable[[Mapping[str, Any]], bool] | None = None
    only: tuple[str, Callable[[Mapping[str, Any]], bool]] | None = None

    def __post_init__(self) -> None:
        if self.gives not in ("volume", "volumes", "regions", "reports"):
            raise Refused(
                f"gives='{self.gives}'",
                "a need gives a 'volume', 'volumes', 'regions' or 'reports'",
                "name one of these",
            )
        if self.earlier not in ("", "last", "all"):
            raise Refused(
                f"earlier='{self.earlier}'",
                "an earlier study is the 'last' one, or 'all' of them",
                "say 'last' or 'all'",
            )
        if isinstance(self.modality, str):
            object.__setattr__(self, "modality", (self.modality,))

    # ---- face one: a predicate -------------------------------------------------------------------------------

    def unmet(self, series: Series) -> tuple[Unmet, ...]:
        """Every predicate that this series does not meet; empty when it will do."""
        return tuple(Unmet(c.predicate, c.wanted, c.found) for c in self.checks(series) if not c.met)

    def suits(self, series: Series) -> bool:
        """Whether the series is what the analysis is defined on, as far as its header says; see `better`."""
        first = series.instances[0].facts if series.instances else {}
        if self.beds and at_each_place(series) > 1:
            return False
        by_frames = units_of_frames(series) if self.beds else {}
        return self.better is not None and self.better({**by_frames, **first, **series.facts})

    def checks(self, series: Series) -> tuple[Check, ...]:
        """Every predicate that the need has, with what this series says to it."""
        each = (
            self._modality(series), self._pixels(series), self._body_part(series), self._count(series),
            self._contrasts(series), self._times(series), self._encodes(series), self._thickness(series),
            self._kind(series),
            *self._facts(series),
        )  # fmt: skip
        return tuple(c for c in each if c is not None)

    def joined(self, study: Sequence[Series]) -> tuple[Series, ...]:
        """The series of one scan that meet the need together: each echo, flip angle or time in a series of its own.

        Some scanners send them so. They lie at the same places with one repetition time, and with one flip angle, or
        one echo time (both, and one kind of image, where they are the times of a dynamic scan). Of several such scans
        that of most series; empty when there is none.
        """
        if self.slices_apart:
            return self._side_by_side(study)
        if self.beds:
            return self._end_to_end(study)
        if self.axis == "time" and self.gives == "volume":
            if parts := self._part_by_part(study):
                return parts
            slabs = self._slab_by_slab(study)
            return slabs if any(not self.unmet(one) for one in slabs) else self._in_turn(study) or slabs
        if self.axis not in _APART or self.gives != "volumes":
            return ()
        fact, words, stays = _APART[self.axis]
        scans: dict[Any, list[Series]] = {}
        for one in study:
            if {u.predicate for u in self.unmet(one)} == {words}:
                scans.setdefault(_acquired(one, stays), []).append(one)
        several = [s for s in scans.values() if len({v for one in s for v in told(one, fact)}) > 1]
        return max((tuple(s) for s in several), key=len, default=())

    def left_apart(self, chosen: Sequence[Series], study: Sequence[Series]) -> tuple[str, ...]:
        """In words, each series that holds one more echo, or flip angle, of a scan of which the others were chosen.

        It lies at the same places, with the same repetition time, and is no image that was computed of them.
        """
        if self.axis not in _APART or self.gives != "volumes":
            return ()
        fact, words, stays = _APART[self.axis]
        mine = {one.uid for one in chosen}
        said = []
        for other in study:
            if other.uid in mine or {u.predicate for u in self.unmet(other)} != {words}:
                continue
            alike = [one for one in chosen if _acquired(one, stays)[:1] + _acquired(one, stays)[3:]
                     == _acquired(other, stays)[:1] + _acquired(other, stays)[3:]]  # fmt: skip
            new = told(other, fact) - {value for one in alike for value in told(one, fact)} - {None}
            if alike and len(new) == 1 and not any("DERIVED" in (kind or ()) for kind in told(other, "ImageType")):
                said.append(f"{other.named} holds one more of the {words} ({new.pop():g}) and was not measured")
        return tuple(said)

    def also_over_time(self, chosen: Sequence[Series], study: Sequence[Series]) -> tuple[str, ...]:
        """In words, each other series of the study that shows a course in time as well and would have done."""
        if self.axis != "time" or self.gives != "volume":
            return ()
        mine = {one.uid for one in chosen}
        others = [one for one in study if one.uid not in mine]
        able = [one for one in others if not self.unmet(one)]
        parts = () if able else self.joined(others)
        if parts:
            many = f"{len(parts)} series from {parts[0].named}{_described(parts[0])} on hold another course"
            return (f"{many} in time and were not measured",)
        return tuple(f"{one.named}{_described(one)} holds another course in time and was not measured" for one in able)

    def _side_by_side(self, study: Sequence[Series]) -> tuple[Series, ...]:
        able = [one for one in study if {u.predicate for u in self.unmet(one)} <= {"images"}]
        whole = max((*slices_apart(able), *phases_apart(able)), key=images, default=())
        alone = (images([s]) for s in study if not self.unmet(s) and (self.better is None or self.suits(s)))
        return whole if images(whole) >= self.at_least and images(whole) > max(alone, default=0) else ()

    def _end_to_end(self, study: Sequence[Series]) -> tuple[Series, ...]:
        able = [one for one in study if not self.unmet(one)]
        whole = max(beds_apart(able), key=reach_mm, default=())
        alone = (reach_mm([one]) for one in able)
        return whole if whole and reach_mm(whole) > max(alone) + _FURTHER_MM else ()

    def _in_turn(self, study: Sequence[Series]) -> tuple[Series, ...]:
        """The series of a dynamic scan of which each is one time.

        Of multi-frame objects nothing but their frames tells how many times they hold: several that are alike are one
        each.
        """
        able = []
        for one in study:
            unmet = {u.predicate for u in self.unmet(one)}
            if {"times"} <= unmet <= {"times", "images"} or (is_object(one) and unmet <= {"images"}):
                able.append(one)
        # An image for T1 may be made as the scan is: it goes with it only where descriptions do not part them.
        for told_apart in (True, False):
            scans: dict[Any, list[Series]] = {}
            for one in able:
                described = re.sub(r"\d+", "", one.description) if told_apart else ""
                made = (frozenset(told(one, k)) for k in _MADE)
                kind = (*made, described)
                scans.setdefault((_acquired(one, "EchoTime"), *kind), []).append(one)
            every = (*(tuple(s) for s in scans.values()), *_to_and_fro(scans.values()))
            whole = max(every, key=lambda s: (len(s), self.suits(s[0])), default=())
            if len(whole) >= _LEAST_TIMES and images(whole) >= self.at_least:
                return whole
        return ()

    def _part_by_part(self, study: Sequence[Series]) -> tuple[Series, ...]:
        able = [one for one in study if {u.predicate for u in self.unmet(one)} <= {"images"}]
        whole = max(goes_on(able), key=lambda s: (images(s), self.suits(s[0])), default=())
        return whole if images(whole) >= self.at_least else ()

    def _slab_by_slab(self, study: Sequence[Series]) -> tuple[Series, ...]:
        able = [one for one in study if {u.predicate for u in self.unmet(one)} <= {"images"}]
        whole = max(slabs_apart(able), key=lambda s: (images(s), self.suits(s[0])), default=())
        return whole if images(whole) >= self.at_least else ()

    def _modality(self, series: Series) -> Check | None:
        if not self.modality:
            return None
        said = _WORDS.get(series.modality, series.modality or "of unknown modality")
        met = series.modality in self.modality
        return Check("modality", self._named(), f"{series.named} is {said}", met)

    def _pixels(self, series: Series) -> Check | None:
        if self.gives in ("regions", "reports"):
            return None
        met = any(i.rows and i.columns for i in series.instances)
        return Check("pixels", "images", f"{series.named} has {'' if met else 'no '}pixels", met)

    def _body_part(self, series: Series) -> Check | None:
        if not self.body_part:
            return None
        said = series.body_part or f"{series.description} {series.facts.get('ProtocolName', '')}"
        named = any(word.lower() in said.lower() for word in self.body_part)
        # Free text that names no part refuses nothing; the analysis looks at the pixels then.
        met = not series.body_part or named
        found = f"{series.named} is of {said.strip()}" if said.strip() else _unsaid(series)
        return Check("body part", _either(self.body_part), found, met)

    def _count(self, series: Series) -> Check | None:
        n = sum(max(1, i.frames) * in_mosaic(i, series) for i in series.instances)
        found = f"{series.named} has {n}"
        if n < self.at_least:
            return Check("images", f"at least {self.at_least} images", found, False)
        if self.at_most is not None:
            return Check("images", f"at most {self.at_most} image{'s'[: self.at_most != 1]}", found, n <= self.at_most)
        return Check("images", f"at least {self.at_least} images", found, True) if self.at_least > 1 else None

    def _contrasts(self, series: Series) -> Check | None:
        if self.axis not in _APART or any(i.frames > 1 for i in series.instances):
            return None
        fact, words, _ = _APART[self.axis]
        stated = told(series, fact)
        return Check(words, f"several {words}", f"{series.named} has {len(stated)}", len(stated) > 1)

    def _times(self, series: Series) -> Check | None:
        """Images that all lie at places of their own are one time; what the header does not tell, the pixels decide."""
        if self.axis != "time" or any(i.frames > 1 for i in series.instances):
            return None
        places = told(series, "ImagePositionPatient")
        if None in places or not places:
            return None
        images, at = len(series.instances), len(places)
        found = f"{series.named} has {images} image{'s'[: images != 1]} at {at} place{'s'[: at != 1]}"
        return Check("times", "several times at each place", found, len(places) < len(series.instances))

    def _encodes(self, series: Series) -> Check | None:
        if not self.velocity:
            return None
        said = any(i.frames > 1 or _encodes_velocity({**series.facts, **i.facts}) for i in series.instances)
        found = f"{series.named} {'may' if said else 'does not'} encode velocity"
        return Check("velocity", "velocity in the phase of the images", found, said)

    def _thickness(self, series: Series) -> Check | None:
        if self.slice_mm is None:
            return None
        low, high = self.slice_mm
        thick = series.facts.get("SliceThickness")
        found = _unsaid(series) if thick is None else f"{series.named} has {float(thick):g} mm"
        met = thick is None or low <= float(thick) <= high
        return Check("slice thickness", f"slices of {low:g} to {high:g} mm", found, met)

    def _kind(self, series: Series) -> Check | None:
        if self.only is None:
            return None
        words, holds = self.only
        first = series.instances[0].facts if series.instances else {}
        met = holds({**first, **series.facts})
        return Check("kind", words, f"{series.named} is {'one' if met else 'none'} by its header", met)

    def _facts(self, series: Series) -> tuple[Check, ...]:
        held = []
        for keyword, wanted in (self.facts or {}).items():
            value = series.facts.get(keyword)
            silent = value in (None, "", [])
            found = _unsaid(series) if silent else f"{series.named} has {value}"
            met = silent or str(value) in wanted
            held.append(Check(keyword, f"{_printed(keyword)} {_either(wanted)}", found, met))
        return tuple(held)

    # ---- face two: a query -----------------------------------------------------------------------------------

    def query(self) -> dict[str, Any]:
        """Search keys on series that find candidates; the predicate decides."""
        return {"Modality": list(self.modality)} if self.modality else {}

    # ---- face three: a sentence ------------------------------------------------------------------------------

    def sentence(self) -> str:
        """The need in plain words, for "why was this not analysed?"."""
        said = self._named()
        if self.body_part:
            said += f" of {_either([part.lower() for part in self.body_part])}"
        parts = []
        if self.at_least > 1:
            parts.append(f"at least {self.at_least} images")
        if self.at_most is not None:
            parts.append(f"at most {self.at_most} image{'s'[: self.at_most != 1]}")
        if self.axis:
            article = "an" if self.axis[0] in "aeiou" else "a"
            parts.append(f"{article} {self.axis.replace('_', ' ')} axis")
        if self.velocity:
            parts.append("velocity in the phase of the images")
        if self.slice_mm:
            parts.append(f"slices of {self.slice_mm[0]:g} to {self.slice_mm[1]:g} mm")
        for keyword, wanted in (self.facts or {}).items():
            parts.append(f"{_printed(keyword)} {_either(wanted)}")
        if self.only:
            parts.append(self.only[0])
        if parts:
            said += " with " + ", ".join(parts)
        if self.earlier:
            said += {"last": " in an earlier study of the patient", "all": " in earlier studies of the patient"}[
                self.earlier
            ]
        return said + (" (optional)" if self.optional else "")

    def _named(self) -> str:
        if not self.modality:
            return "any series with images"
        return _either(list(dict.fromkeys(_WORDS.get(m, m) for m in self.modality)))


def _either(words: Sequence[str]) -> str:
    """``a, b or c``."""
    return " or ".join(filter(None, (", ".join(words[:-1]), words[-1])))


def _printed(keyword: str) -> str:
    """A keyword as the standard prints its name: View Position."""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", keyword)


# Axis -> the fact that runs along it, in words, and the fact that stays between series of one scan.
_APART = {"echo": ("EchoTime", "echo times", "FlipAngle"), "flip": ("FlipAngle", "flip angles", "EchoTime")}
_MADE = ("FlipAngle", "ImageType", "ConvolutionKernel", "SliceThickness")  # what times of one scan have in common
_FURTHER_MM = 1.0  # that beds reach beyond one series, to be more than rounding
_LEAST_TIMES = 5  # series of one volume each that are taken for a dynamic scan
_PHASE_WORDS = frozenset({"P", "PHASE", "PHASE MAP", "VELOCITY", "VELOCITY MAP"})
_VELOCITY_FACTS = (
    "VelocityEncodingDirection", "VelocityEncodingMaximumValue", "SiemensVelocity", "GEVelocityEncoding",
    "PhilipsPCVelocity",
)  # fmt: skip


def _encodes_velocity(facts: Mapping[str, Any]) -> bool:
    """Phase, or one of the places in which makers write how velocity is encoded."""
    words = {str(w).strip().upper() for w in facts.get("ImageType") or []}
    beats = facts.get("CardiacNumberOfImages") or facts.get("TriggerTime") is not None
    return any(facts.get(name) for name in _VELOCITY_FACTS) or bool(words & _PHASE_WORDS and beats)


def _to_and_fro(scans: Iterable[Sequence[Series]]) -> list[tuple[Series, ...]]:
    """Scans of a table that goes to and fro, of which each pass over one half is a series."""
    halves = {scan[0].uid: scan for scan in scans if len(scan) >= _LEAST_TIMES}
    both = slabs_apart([as_one(scan) for scan in halves.values()])
    return [tuple(one for half in scan for one in halves[half.uid]) for scan in both]


def _acquired(series: Series, stays: str) -> Any:
    """What two series of one scan have in common."""
    sizes = {(i.rows, i.columns, i.frames) for i in series.instances}
    same = (frozenset(told(series, k)) for k in ("ImagePositionPatient", "RepetitionTime", stays))
    return series.frame_of_reference, frozenset(sizes), len(series.instances), *same


def _described(series: Series) -> str:
    """Description, kernel and thickness in brackets, as far as they are stated."""
    kernels = sorted(str(k) for k in told(series, "ConvolutionKernel") - {None})
    thick = sorted(mm for mm in told(series, "SliceThickness") if isinstance(mm, int | float))
    said = [series.description, *(f"kernel {k}" for k in kernels), *(f"{mm:g} mm" for mm in thick[:1])]
    return f" ({', '.join(filter(None, said))})" if any(said) else ""


def _unsaid(series: Series) -> str:
    return f"{series.named} does not say; the pixels decide"
