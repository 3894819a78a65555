"""Outlines that stand under another Study Instance UID than the images that they were drawn on.

A workstation may open a study of its own for what is drawn there. Outlines name the series that they were drawn on, so
that they are taken to these images where the patient is the same, and who reads the answer is told.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import replace

from isocenter.analysis.plan import is_another
from isocenter.record import Series, Study

__all__ = ["told_of_outlines", "with_outlines"]

_OUTLINES = ("SEG", "RTSTRUCT")


def with_outlines(study: Study, others: Iterable[Study]) -> Study:
    """A study with the outlines of its images that stand in other studies of the same person.

    What names a series of its own study, too, stays there. Each that came has the fact ``DrawnInStudy``.
    """
    here = {series.uid for series in study.series}
    found = [
        replace(series, facts={**series.facts, "DrawnInStudy": other.uid})
        for other in others
        if other.uid != study.uid and _is_same_person(study, other)
        for series in other.series
        if series.modality in _OUTLINES and _names(series, here) and not _names(series, {s.uid for s in other.series})
    ]
    return replace(study, series=(*study.series, *found)) if found else study


def told_of_outlines(study: Study, series: Collection[str]) -> tuple[str, ...]:
    """A sentence for each series of outlines among some that came from another study."""
    return tuple(
        f"the outlines of {one.named} stand in another study ({one.facts['DrawnInStudy']}) of this patient, and name "
        "these images: they were taken for them"
        for one in study.series if one.uid in series and "DrawnInStudy" in one.facts
    )  # fmt: skip


def _is_same_person(one: Study, other: Study) -> bool:
    both = [(study.patient.id, study.patient.issuer) for study in (one, other)]
    return bool(one.patient.id) and both[0] == both[1] and not is_another(one.patient, other.patient)


def _names(series: Series, uids: Collection[str]) -> bool:
    return any(uid in uids for uid in series.facts.get("ReferencedSeriesUIDs", ()))
