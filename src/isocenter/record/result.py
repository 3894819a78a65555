"""What came out of looking: findings, measurements, regions and maps, who said so, and from what.

There are three answers, never two: *found*, *looked and found none*, *declined, because*. A reader's correction is a
Result as well: its origin is a person, and it replaces the machine's.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from isocenter.errors import Refused
from isocenter.record.codes import UNITS, Code
from isocenter.record.plain import digest_of, to_plain
from isocenter.space import Geometry, Region

__all__ = [
    "Curve",
    "Finding",
    "Machine",
    "Map",
    "Measurement",
    "Origin",
    "Outcome",
    "Receipt",
    "Result",
    "Threshold",
    "Urgency",
    "Verdict",
]


class Outcome(StrEnum):
    """The three answers."""

    FOUND = "found"
    NONE = "none"
    DECLINED = "declined"


class Urgency(StrEnum):
    """How soon a person should look, from the analysis' own declaration; the most urgent is named first."""

    NOW = "now"
    SOON = "soon"
    TODAY = "today"
    ROUTINE = "routine"


class Verdict(StrEnum):
    """What a person said of one finding."""

    UNDECIDED = "undecided"
    KEPT = "kept"
    CHANGED = "changed"
    STRUCK = "struck"
    ADDED = "added"


@dataclass(frozen=True)
class Measurement:
    """A number with its meaning and its UCUM unit.

    Args:
        what: coded quantity.
        value, unit: the number and its UCUM unit.
        low, high: bounds of the value where the method knows them (95 %).
        definition: the named definition, where the field has several: "EANM 41 %", "James 128".
        percentile: place among people like this one, 0 to 100; only together with `norm`.
        norm: whose distribution that is: name, version and group ("… women, 60 to 70 years, n 3,410").
        smallest_change: smallest detectable change between two time points (95 %), in `unit`: a difference below it
            is within the error of measurement.

    Raises:
        Refused: when the value is not finite, the unit is empty, or a percentile lies outside 0 to 100 or has no norm.
    """

    what: Code
    value: float
    unit: str
    low: float | None = None
    high: float | None = None
    definition: str = ""
    percentile: float | None = None
    norm: str = ""
    smallest_change: float | None = None

    def __post_init__(self) -> None:
        if not self.unit:
            raise Refused(
                f"{self.what} without a unit", "a number without unit cannot be compared", "name the UCUM unit"
            )
        if not abs(float(self.value)) < float("inf"):
            raise Refused(f"{self.what} = {self.value}", "it is not a number", "decline instead")
        if self.percentile is not None and not (0.0 <= self.percentile <= 100.0 and self.norm):
            raise Refused(
                f"{self.what} at percentile {self.percentile} of '{self.norm}'",
                "a percentile lies between 0 and 100 of a named norm",
                "name whose distribution it is, or give none",
            )
        object.__setattr__(self, "value", float(self.value))


@dataclass(frozen=True)
class Finding:
    """One thing that was found, where it is, and how large.

    Args:
        what: the coded observation.
        certainty: 0 to 1 from the analysis' own calibration, or None where it has none.
        where: region in patient space, or None for a statement on the whole image.
        measurements: numbers about this finding.
        site, laterality: coded place.
        words: one plain sentence for the reader and the report.
        tracking: identity through time and corrections (DICOM Tracking UID); given by the run when empty.
        verdict: what a person said of it; `UNDECIDED` for what a machine found.
        reason: why it was changed or struck.
        research: numbers for research, such as radiomics: nobody has to answer them, and no report says them. They are
            kept, counted in cohorts, and struck with the segment on which they were measured.
    """

    what: Code
    certainty: float | None = None
    where: Region | None = None
    measurements: tuple[Measurement, ...] = ()
    site: Code | None = None
    laterality: Code | None = None
    words: str = ""
    tracking: str = ""
    verdict: Verdict = Verdict.UNDECIDED
    reason: str = ""
    research: bool = False

    def __post_init__(self) -> None:
        if self.certainty is not None and not 0.0 <= self.certainty <= 1.0:
            raise Refused(f"certainty {self.certainty}", "it must lie between 0 and 1", "give a number between these")

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary; what is no research is what it was before there was such a word, and so are digests."""
        said = {f.name: to_plain(getattr(self, f.name)) for f in fields(self)}
        return said if self.research else {name: value for name, value in said.items() if name != "research"}


@dataclass(frozen=True)
class Threshold:
    """A range of a map's values that means something, by the name of its rule ("Tmax > 6 s: hypoperfused").

    Raises:
        Refused: when it has no name, no end, or ends in the wrong order.
    """

    name: str
    low: float | None = None
    high: float | None = None

    def __post_init__(self) -> None:
        ends = [end for end in (self.low, self.high) if end is not None]
        if not self.name or not ends or ends != sorted(ends):
            raise Refused(
                f"a threshold '{self.name}' from {self.low} to {self.high}", "it has a name and an end", "give both"
            )


@dataclass(frozen=True)
class Map:
    """A value for each voxel, kept as a blob (float32 NumPy file): its meaning, unit, grid and digest.

    `kind` says how to show it: ``"parametric"`` (with a unit) or ``"sensitivity"`` (where the model was sensitive;
    not an explanation and not a segmentation). `thresholds` are those by which the analysis itself judged.
    """

    name: str
    quantity: str
    unit: str
    geometry: Geometry
    digest: str
    kind: str = "parametric"
    series_uid: str = ""
    low: float = 0.0
    high: float = 0.0
    thresholds: tuple[Threshold, ...] = ()


@dataclass(frozen=True)
class Curve:
    """A curve: one x axis and named y values, each axis with its UCUM unit."""

    name: str
    x: tuple[float, ...]
    x_name: str
    x_unit: str
    y: Mapping[str, tuple[float, ...]] = field(default_factory=dict, hash=False)
    y_unit: str = "1"


@dataclass(frozen=True)
class Origin:
    """Who or what said so.

    Args:
        kind: ``"machine"`` or ``"person"``.
        name: of the analysis, or of the person's account.
        version: of the analysis; empty for a person.
        model: digest of the weights, where there are any.
        parameters: every parameter of the run, also those left at their default.
        unaided: for a person: whether the opinion was given before any AI output was seen.
    """

    kind: str
    name: str
    version: str = ""
    model: str = ""
    parameters: Mapping[str, Any] = field(default_factory=dict, hash=False)
    unaided: bool = False

    def __post_init__(self) -> None:
        if self.kind not in ("machine", "person"):
            raise Refused(f"origin '{self.kind}'", "it is 'machine' or 'person'", "give one of these")


@dataclass(frozen=True)
class Receipt:
    """From which bytes, with which code, at what cost."""

    inputs: tuple[str, ...] = ()  # digests of the instances that were read
    series: tuple[str, ...] = ()  # Series Instance UIDs, in the order of the needs
    code: str = ""  # version of Isocenter
    seconds: float = 0.0
    peak_mib: float = 0.0
    look: tuple[float, ...] = ()  # of the first image that was read (`methods.look`), to see whether images change


class Machine(NamedTuple):
    """What answered; empty where nothing did."""

    analysis: str
    version: str
    model: str


@dataclass(frozen=True)
class Result:
    """One answer to one question about one study. Its identity is the digest of its content."""

    study_uid: str
    outcome: Outcome
    origin: Origin
    made: datetime
    reasons: tuple[str, ...] = ()
    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    maps: tuple[Map, ...] = ()
    curves: tuple[Curve, ...] = ()
    urgency: Urgency = Urgency.ROUTINE
    receipt: Receipt = Receipt()
    replaces: str = ""

    def __post_init__(self) -> None:
        if self.outcome is Outcome.DECLINED and not self.reasons:
            raise Refused("an answer 'declined' without a reason", "the reader must learn why", "name the reason")
        if self.outcome is Outcome.DECLINED and (self.findings or self.measurements or self.maps):
            raise Refused(
                "a declined answer with numbers",
                "a number is never returned where a precondition failed",
                "leave the numbers out, or answer 'found'",
            )
        if self.outcome is Outcome.NONE and self.findings:
            raise Refused(
                "an answer 'none' with findings",
                "it looked and found none",
                "answer 'found', or leave the findings out",
            )

    @property
    def id(self) -> str:
        """SHA-256 of the canonical JSON."""
        return digest_of(self)

    @property
    def machine(self) -> Machine:
        """The analysis behind it: its own, or that of the machine's answer that a person corrected.

        A result that a person made from nothing has none.
        """
        if self.origin.kind == "machine":
            return Machine(self.origin.name, self.origin.version, self.origin.model)
        of = self.origin.parameters.get("of", {})
        return Machine(str(of.get("analysis", "")), str(of.get("version", "")), str(of.get("model", "")))

    @property
    def answer(self) -> Outcome:
        """The answer that stands: where a person struck everything that was found, none is left.

        `outcome` stays what it was, so that what was struck is not forgotten.
        """
        struck = bool(self.findings) and all(f.verdict is Verdict.STRUCK for f in self.findings)
        return Outcome.NONE if struck else self.outcome


def unit_meaning(unit: str) -> str:
    """The words of a UCUM unit; the unit itself where the table has none."""
    return UNITS.get(unit, unit)
