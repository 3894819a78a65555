"""Which analysis can run on which series of a study, and why the others cannot."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from isocenter.analysis.need import Need, Unmet
from isocenter.analysis.protocol import Analysis
from isocenter.record import Series, Study

__all__ = ["Binding", "Declined", "Plan", "plan"]


@dataclass(frozen=True)
class Binding:
    """One run to be done: need name -> Series Instance UIDs (empty where an optional need found none)."""

    analysis: str
    series: Mapping[str, tuple[str, ...]]


@dataclass(frozen=True)
class Declined:
    """An analysis that found no series, with the nearest series' reasons."""

    analysis: str
    reasons: tuple[Unmet, ...]

    def sentences(self) -> tuple[str, ...]:
        """Each reason in words."""
        return tuple(str(r) for r in self.reasons)


@dataclass(frozen=True)
class Plan:
    """What will run on a study, and what will not."""

    study_uid: str
    bindings: tuple[Binding, ...]
    declined: tuple[Declined, ...]


def plan(analyses: Iterable[Analysis], study: Study) -> Plan:
    """Bind every analysis to its series, or say what is missing."""
    bindings: list[Binding] = []
    declined: list[Declined] = []
    for analysis in analyses:
        found, unmet = _bind(analysis, study)
        bindings.extend(found)
        if not found:
            declined.append(Declined(analysis.name, unmet))
    return Plan(study.uid, tuple(bindings), tuple(declined))


def _bind(analysis: Analysis, study: Study) -> tuple[list[Binding], tuple[Unmet, ...]]:
    (first_name, first), *others = analysis.needs.items()
    candidates = [s for s in study.series if not first.unmet(s)]
    if not candidates:
        return [], _nearest(first, study)
    if not first.every:
        candidates = sorted(candidates, key=_preference, reverse=True)[:1]
    bindings = []
    unmet: tuple[Unmet, ...] = ()
    for main in candidates:
        bound: dict[str, tuple[str, ...]] = {first_name: (main.uid,)}
        for name, need in others:
            fitting = [s for s in study.series if s.uid != main.uid and not need.unmet(s)]
            bound[name] = _beside(main, fitting, need)
            if not bound[name] and not need.optional:
                unmet = _nearest(need, study)
                break
        else:
            bindings.append(Binding(analysis.name, bound))
    return bindings, unmet


def _beside(main: Series, fitting: list[Series], need: Need) -> tuple[str, ...]:
    """Series that go with the main one: drawn on it first, else in its frame of reference, else the best of all."""
    drawn = [s for s in fitting if main.uid in s.facts.get("ReferencedSeriesUIDs", ())]
    framed = [s for s in fitting if main.frame_of_reference and s.frame_of_reference == main.frame_of_reference]
    if need.gives == "regions":
        return tuple(s.uid for s in (drawn or framed))
    chosen = sorted(framed or fitting, key=_preference, reverse=True)[:1]
    return tuple(s.uid for s in chosen)


def _preference(series: Series) -> tuple[bool, int, float, str]:
    """Original before derived, more images before fewer, thinner slices before thicker; the UID settles ties."""
    kind = series.facts.get("ImageType") or ()
    images = sum(max(1, i.frames) for i in series.instances)
    return "DERIVED" not in kind, images, -float(series.facts.get("SliceThickness") or 0.0), series.uid


def _nearest(need: Need, study: Study) -> tuple[Unmet, ...]:
    """The reasons of the series that came nearest: fewest predicates unmet, the modality counting most."""
    if not study.series:
        return (Unmet("series", need.sentence(), "the study has no series"),)
    tries = [need.unmet(s) for s in study.series]
    right_kind = [t for t in tries if t and t[0].predicate != "modality"]
    if right_kind:
        return min(right_kind, key=len)
    modalities = ", ".join(sorted({s.modality or "unknown" for s in study.series}))
    return (Unmet("modality", need.sentence(), f"this study has {modalities}"),)
