"""What an analysis is: one question asked of a study, with declared needs and declared yields.

An analysis is a class without state in one file of `catalogue/`, or in a stranger's package under the entry point
group ``isocenter.analyses``::

    class PETUptake:
        \"\"\"How much tracer the lesions took up: SUVmax, SUVpeak, SUVmean, MTV and TLG.\"\"\"

        name, version = "pet_uptake", "1"
        needs = {"pet": Need(modality="PT"), "lesions": Need(modality="RTSTRUCT", gives="regions", optional=True)}
        yields = (Yield(what=codes.ABNORMAL_UPTAKE, units=("{SUVbw}g/ml", "mL")),)

        def run(self, pet: Volume, lesions: tuple[Region, ...] | None, *, threshold: float = 0.41) -> Answer: ...

`run` is a plain function of Volumes: in a notebook it is called without any archive. It returns an `Answer`, or
raises `Refused` (which becomes *declined, because …*). Its keyword-only parameters, typed and with defaults, become
the flags of the command line, the fields of the web form and the table of the manual.
"""

from __future__ import annotations

import inspect
import re
import typing
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol, runtime_checkable

from isocenter.analysis.need import Need
from isocenter.errors import Refused
from isocenter.record import Code, Curve, Finding, Measurement, Outcome, Threshold, Urgency
from isocenter.space import Volume

__all__ = ["Analysis", "Answer", "Limits", "Parameter", "Yield", "own", "parameters"]


@dataclass(frozen=True)
class Yield:
    """Something that an analysis may say. What it does not declare, it may not say: the run holds it to its yields.

    Args:
        what: code of a finding or of a study-level measurement.
        maps: names of maps it may return.
        units: UCUM units its measurements may have.
        urgency: how soon a person should look when this is found.
        research: numbers for research on many patients (radiomics): a reader need not answer them before they sign,
            and the report does not say them.

    Raises:
        Refused: for research that is urgent: what cannot wait is answered.
    """

    what: Code | None = None
    maps: tuple[str, ...] = ()
    units: tuple[str, ...] = ()
    urgency: Urgency = Urgency.ROUTINE
    research: bool = False

    def __post_init__(self) -> None:
        if self.research and self.urgency is not Urgency.ROUTINE:
            raise Refused(
                f"{self.what or ', '.join(self.maps)} as research that is for {self.urgency}",
                "what is for research is answered by nobody, and what is urgent must be",
                "leave out one of the two",
            )


@dataclass(frozen=True)
class Limits:
    """How much a run may take before it is stopped and says so.

    Args:
        seconds: of the clock while the machine has nothing else to do. On a busy one a run may use as many of the
            processor, within four times as many on the clock.
        memory_mib: beyond what its libraries take.
        disk_mib: written to disks; its temporary files are gone at its end.
    """

    seconds: float = 120.0
    memory_mib: int = 4096
    disk_mib: int = 256


@dataclass(frozen=True, eq=False)
class Answer:
    """What `run` returns: one of three answers with its substance in memory.

    Make it with `found`, `none` or `declined`.

    Args:
        maps: name -> Volume on the grid of an input.
        sensitivity: names of those maps that only show where a model was sensitive; those of the quantity sensitivity,
            and those called saliency, attribution, Grad-CAM and the like, are such maps whether they are named or not.
        thresholds: name of a map -> the ranges of its values by which the analysis judged.
    """

    outcome: Outcome
    findings: tuple[Finding, ...] = ()
    measurements: tuple[Measurement, ...] = ()
    maps: Mapping[str, Volume] | None = None
    sensitivity: tuple[str, ...] = ()
    thresholds: Mapping[str, tuple[Threshold, ...]] = field(default_factory=dict)
    curves: tuple[Curve, ...] = ()
    reasons: tuple[str, ...] = ()

    @classmethod
    def found(cls, *findings: Finding, measurements: tuple[Measurement, ...] = (), **more: Any) -> Answer:
        """It looked and found this. `reasons` may carry remarks, such as a warning that limits the numbers."""
        return cls(Outcome.FOUND, findings, measurements, **more)

    @classmethod
    def none(cls, *, measurements: tuple[Measurement, ...] = (), **more: Any) -> Answer:
        """It looked and found none; measurements of the whole may still be given."""
        return cls(Outcome.NONE, (), measurements, **more)

    @classmethod
    def declined(cls, *reasons: str) -> Answer:
        """It did not look, because …; no number is given.

        Raises:
            Refused: without a reason.
        """
        if not reasons:
            raise Refused("declined without a reason", "the reader must learn why", "give declined() a sentence")
        return cls(Outcome.DECLINED, reasons=reasons)


@runtime_checkable
class Analysis(Protocol):
    """The contract. Optional class attributes: `limits` (`Limits`), `weights` (name of a model in ``models/``; `run`
    is then given ``weights=`` an open ONNX session), `about` (dictionary: intended use, not for, sources, level)."""

    name: ClassVar[str]
    version: ClassVar[str]
    needs: ClassVar[Mapping[str, Need]]
    yields: ClassVar[tuple[Yield, ...]]
    run: Any


@dataclass(frozen=True)
class Parameter:
    """One typed keyword of `run`: the flag, the form field and the manual's row are made from it."""

    name: str
    kind: type
    default: Any
    choices: tuple[Any, ...] = ()
    about: str = ""


def parameters(analysis: Analysis | type[Any]) -> tuple[Parameter, ...]:
    """Keyword-only parameters of `run`, without `weights`; what each means is read from its docstring.

    Raises:
        Refused: for a parameter without a type or a default.
    """
    hints = typing.get_type_hints(analysis.run)
    meant = _meanings(inspect.getdoc(analysis.run) or "")
    found = []
    for name, p in inspect.signature(analysis.run).parameters.items():
        if p.kind is not inspect.Parameter.KEYWORD_ONLY or name == "weights":
            continue
        if p.default is inspect.Parameter.empty or name not in hints:
            raise Refused(
                f"parameter '{name}' of {analysis.name}",
                "it needs a type and a default",
                "write it as `name: float = 2.5`",
            )
        kind = hints[name]
        choices = typing.get_args(kind) if typing.get_origin(kind) is typing.Literal else ()
        kind = type(choices[0]) if choices else kind
        found.append(Parameter(name, kind, p.default, choices, meant.get(name, "")))
    return tuple(found)


def _meanings(docstring: str) -> dict[str, str]:
    """What the *Args* of a docstring say of each name.

    >>> _meanings("Args:\\n    a, b: in m;\\n        ``0`` for none.\\n    c: more: or less.\\nRaises:\\n    d: no.")
    {'a': 'in m; `0` for none.', 'b': 'in m; `0` for none.', 'c': 'more: or less.'}
    """
    _, _, after = f"\n{docstring}".replace("``", "`").partition("\nArgs:\n")
    found: dict[str, str] = {}
    names: list[str] = []
    for line in after.splitlines():
        if line and not line.startswith("    "):
            break
        begins = re.match(r"    (\w+(?:, \w+)*): (.*)", line)
        if begins:
            names = begins[1].split(", ")
        for name in names if line.strip() else ():
            found[name] = begins[2] if begins else f"{found[name]} {line.strip()}"
    return found


def own(given: Mapping[str, Any], analyses: Sequence[Analysis]) -> dict[str, dict[str, Any]]:
    """What each analysis is given, by its name: of values for many, those that are parameters of it.

    Raises:
        Refused: a name that is a parameter of none of them: it would change nothing, and nobody would notice.
    """
    known = {a.name: {p.name for p in parameters(a)} for a in analyses} if given else {a.name: set() for a in analyses}
    here = known[analyses[0].name] if len(analyses) == 1 else set()
    for name in given:
        if not any(name in names for names in known.values()):
            alone = f"{analyses[0].name} has {', '.join(sorted(here)) or 'no parameters'}" if analyses else ""
            why = alone if len(analyses) == 1 else "none of the analyses that are asked has it"
            do = "give one of these" if here else "leave it out"
            if len(analyses) != 1:
                do = "see `isocenter analyses` for what each has; of a file of your own, what stands after * in `run`"
            raise Refused(f"parameter '{name}'", why, do)
    return {analysis: {n: v for n, v in given.items() if n in names} for analysis, names in known.items()}
