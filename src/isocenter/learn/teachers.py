"""Who learns from signed reports, by which kind of recipe.

A kind of recipe is taught by a class of its own, in a file of its own: it says what each report tells (`Teacher.said`),
how several reports of a study become one example (`Teacher.examples`), and writes the folder that `train` reads
(`Teacher.written`). Whose studies may be learnt from is asked elsewhere, of all kinds alike (see `site.teaching`).
"""

from __future__ import annotations

import importlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from isocenter.learn.from_readings import Example, Said
from isocenter.learn.kinds import Boxes, Classes, Classifier2D, Masks, Recipe, Structures, Table
from isocenter.learn.signed_reports import Images, Signed
from isocenter.record import Code

__all__ = ["Teacher", "teacher_of"]


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
