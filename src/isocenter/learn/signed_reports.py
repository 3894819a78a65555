"""What a signed report is to those who learn from it, and who learns from it by which kind of recipe.

A kind of recipe is taught by a class of its own, in a file of its own: it says what each report tells (`Teacher.said`),
how several reports of a study become one example (`Teacher.examples`), and writes the folder that `train` reads
(`Teacher.written`). Whose studies may be learnt from is asked elsewhere, of all kinds alike (see `site.teaching`).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from isocenter.learn.categories import Heard
from isocenter.learn.from_readings import Example, Said
from isocenter.learn.kinds import Boxes, Classes, Classifier2D, Masks, Recipe, Structures, Table
from isocenter.record import Code, Result
from isocenter.space import Region, Volume

__all__ = ["Images", "Number", "Row", "Signed", "Teacher", "teacher_of"]


@dataclass(frozen=True)
class Number:
    """A measured value: of what, how much, and in which UCUM unit."""

    what: Code
    value: float
    unit: str


@dataclass(frozen=True)
class Row:
    """What a table may take from a study.

    Args:
        facts: age, sex, modality and year of the study, where they are known.
        numbers: by the names that fields of cohorts have (`population.table.field_name`).
        digests: of the stored files that were looked at.
    """

    facts: Mapping[str, float | str] = field(default_factory=dict, hash=False)
    numbers: Mapping[str, Number] = field(default_factory=dict, hash=False)
    digests: tuple[str, ...] = ()


@dataclass(frozen=True)
class Signed:
    """One signed report.

    Args:
        person: whose study it is; the same for all studies of a patient.
        calls: what the signature says of each analysis: ``analysis``, ``mode``, ``machine``, ``final``, ``first``.
        results: gives the answers on which the report rests, as they stood when it was signed; read when it is called.
        machines: gives those of them that machines had given, before anybody corrected them.
        first: gives the reader's own opinion, where it was locked before an analysis of this name was seen.
        row: gives what a table may take from the study.
    """

    study: str
    person: str
    reader: str
    time: str
    calls: Sequence[Mapping[str, Any]]
    results: Callable[[], Sequence[Result]]
    machines: Callable[[], Sequence[Result]] = tuple
    first: Callable[[str], Heard | None] = lambda analysis: None
    row: Callable[[], Row] = Row

    def call(self, analysis: str) -> Mapping[str, Any] | None:
        """What the signature says of one analysis; None where it had not answered."""
        return next((call for call in reversed(self.calls) if call["analysis"] == analysis), None)


class Images(Protocol):
    """Gives what an example shows."""

    def __call__(self, study: str, on: Region | None = None, image: str = "") -> tuple[Volume, Sequence[str]]:
        """The image on which a region lies, that is named, or that the analysis looked at; and digests of its files.

        Raises:
            Refused: it is not here any more.
        """


class Teacher(Protocol):
    """How signed reports teach one kind of recipe."""

    def said(self, signed: Iterable[Signed]) -> tuple[list[Said], dict[str, str]]:
        """What reports tell; and study -> why a report on it tells too little. One that tells nothing is in neither.

        Raises:
            Refused: the reports hold nothing that the recipe could learn, or not under its names.
        """

    def examples(self, told: Iterable[Said], agreement: float) -> tuple[list[Example], int]:
        """One example for each study, and of how many studies readers outweigh each other exactly."""

    def written(
        self, out: Path, examples: Sequence[Example], images: Images, told: Mapping[str, Any]
    ) -> dict[str, Any]:  # fmt: skip
        """A folder that `train` reads, with ``examples.csv`` and ``examples.json``; returns what stands in the latter.

        Args:
            told: what else belongs there; of its ``left`` (reason -> number) what is left out here is added.
        """


_TEACHERS: Mapping[type, tuple[str, str]] = {
    Classifier2D: ("from_readings", "YesOrNo"),
    Classes: ("from_readings", "YesOrNo"),
    Masks: ("outlines_from_readings", "Outlines"),
    Boxes: ("boxes_from_readings", "BoxedFindings"),
    Table: ("rows_from_readings", "TableRows"),
}
"""Kind of recipe -> the module and the class that teach it."""
_OF_STRUCTURES: Mapping[str, tuple[str, str]] = {
    "cardiac_cine": ("ventricles_from_readings", "Ventricles"),
    "chest_xray_heart": ("chest_from_readings", "OutlinedChests"),
}
"""Training of its own -> the module and the class that teach it."""
_GRADES = ("grades_from_readings", "Grades")


def teacher_of(how: Recipe | Structures, analysis: str, looks_for: Collection[Code]) -> Teacher:
    """Who makes examples for a recipe out of reports on an analysis.

    Args:
        looks_for: codes of the findings that the analysis may say.
    """
    if isinstance(how, Structures):
        module, name = _OF_STRUCTURES[how.task]
    else:
        module, name = _GRADES if isinstance(how, Classes) and _is_graded(how) else _TEACHERS[type(how)]
    made: Teacher = getattr(importlib.import_module(f"isocenter.learn.{module}"), name)(how, analysis, looks_for)
    return made


def _is_graded(how: Classes) -> bool:
    return how.several or how.read_from is not None or len(how.classes) != 2
