"""Earlier studies of a patient: which are worth hanging beside the study of today."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from isocenter.analysis.plan import dated, earlier_of
from isocenter.reading.hanging import REGIONS
from isocenter.record import Series, Study

__all__ = ["Prior", "priors", "region", "regions"]


@dataclass(frozen=True)
class Prior:
    """An earlier study.

    Args:
        study: as the archive knows it.
        region: of the body, or empty where no word names one.
        days: between that study and this one.
        same_region: both show the same region.
        modalities: that both have.
    """

    study: Study
    region: str
    days: int
    same_region: bool
    modalities: tuple[str, ...]


def region(study: Study) -> str:
    """The region of the body that a study's words name; empty where they name none.

    The words of the study stand before those of its series, and the first region whose word is found is taken.

    >>> from isocenter.record import Patient, Study
    >>> region(Study("1", Patient("p"), description="CT Thorax native"))
    'chest'
    """
    texts = [study.description, *(f"{s.body_part} {s.description}" for s in study.series)]
    for text in texts:
        folded = text.casefold()
        for name, words in REGIONS.items():
            if any(word in folded for word in words):
                return name
    return ""


def regions(study: Study, series: Series) -> set[str]:
    """Every region of the body that the words of a series name; where they name none, those of its study.

    >>> from isocenter.record import Patient, Series, Study
    >>> sorted(regions(Study("1", Patient("p"), description="CT Thorax Abdomen"), Series("1.1", "CT")))
    ['abdomen', 'chest']
    """
    for text in (f"{series.body_part} {series.description}", study.description):
        folded = text.casefold()
        if named := {name for name, words in REGIONS.items() if any(word in folded for word in words)}:
            return named
    return set()


def priors(study: Study, others: Iterable[Study]) -> list[Prior]:
    """Earlier studies of the same patient, those of the same region first, the newest first among each.

    Among studies of one region those that share a modality stand first. A study without a date has no place in time
    and is left out.
    """
    here, study = region(study), dated(study)
    found = []
    for other in earlier_of(study, others):
        assert study.date is not None and other.date is not None
        there = region(other)
        shared = tuple(m for m in study.modalities if m in other.modalities)
        found.append(Prior(other, there, (study.date - other.date).days, bool(here) and here == there, shared))
    return sorted(found, key=lambda p: (not p.same_region, not p.modalities))
