"""What a signed report is to those who learn from it (`isocenter.learn.teachers`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from isocenter.learn.categories import Heard
from isocenter.record import Code, Result
from isocenter.space import Region, Volume

__all__ = ["Images", "Number", "Row", "Signed"]


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
