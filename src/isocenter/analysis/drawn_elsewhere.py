"""Outlines that stand under another Study Instance UID than the images that they were drawn on.

A workstation may open a study of its own for what is drawn there. Outlines name the series that they were drawn on, so
that they are taken to these images where the patient is the same, and who reads the answer is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from isocenter.analysis.plan import is_another
from isocenter.record import Series, Study

__all__ = ["draws_on", "has_outlines", "told_of_outlines", "with_outlines"]

_OUTLINES = ("SEG", "RTSTRUCT")


def with_outlines(study: Study, others: Iterable[Study]) -> Study:
    """A study with the outlines of its images that stand in other studies of the same person.

    What names a series of its own study, too, stays there. Each that came has the fact ``DrawnInStudy``.
    """
    found = [
        replace(series, facts={**series.facts, "DrawnInStudy": other.uid})
        for other in others
        for series in _drawn_on(study, other)
    ]
    return replace(study, series=(*study.series, *found)) if found else study


def has_outlines(study: Study) -> bool:
    """Whether anything in a study was drawn."""
    return any(series.modality in _OUTLINES for series in study.series)


def draws_on(other: Study, study: Study) -> bool:
    """Whether outlines of a study belong to the images of another one; asks of neither for its instances."""
    return bool(_drawn_on(study, other))


def told_of_outlines(studies: Iterable[Study], series: Collection[str]) -> tuple[str, ...]:
    """A sentence for each series of outlines among some that came to their images from another study."""
    return tuple(
        f"the outlines of {one.named} stand in another study ({one.facts['DrawnInStudy']}) of this patient, and name "
        "these images: they were taken for them"
        for study in studies for one in study.series if one.uid in series and "DrawnInStudy" in one.facts
    )  # fmt: skip


def _drawn_on(study: Study, other: Study) -> list[Series]:
    if other.uid == study.uid or not _is_same_person(study, other):
        return []
    here, there = ({series.uid for series in one.series} for one in (study, other))
    outlines = (series for series in other.series if series.modality in _OUTLINES)
    return [series for series in outlines if _names(series, here) and not _names(series, there)]


def _is_same_person(one: Study, other: Study) -> bool:
    both = [(study.patient.id, study.patient.issuer) for study in (one, other)]
    return bool(one.patient.id) and both[0] == both[1] and not is_another(one.patient, other.patient)


def _names(series: Series, uids: Collection[str]) -> bool:
    return any(uid in uids for uid in series.facts.get("ReferencedSeriesUIDs", ()))
