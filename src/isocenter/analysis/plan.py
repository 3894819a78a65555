"""Which analysis can run on which series of a study, and why the others cannot."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from itertools import chain

from isocenter.analysis.apart import images, is_object
from isocenter.analysis.need import Check, Need, Unmet
from isocenter.analysis.protocol import Analysis
from isocenter.record import Instance, Patient, Series, Study, Urgency

__all__ = [
    "Binding",
    "Checked",
    "Declined",
    "Plan",
    "checked",
    "closest",
    "dated",
    "earlier_of",
    "is_another",
    "looks_back",
    "not_compared",
    "plan",
]


_RADIOGRAPHS = frozenset({"CR", "DX", "MG", "RG"})
_CAPTURES = frozenset({"OT", "SC"})


@dataclass(frozen=True)
class Binding:
    """One run to be done.

    Args:
        analysis: its name.
        series: need name -> Series Instance UIDs (empty where an optional need found none).
        image: SOP Instance UID of the one radiograph of the first need's series that this run is on; empty where it is
            on the whole series.
    """

    analysis: str
    series: Mapping[str, tuple[str, ...]]
    image: str = ""


@dataclass(frozen=True)
class Declined:
    """An analysis that found no series, with the nearest series' reasons, and the studies that are none of the past."""

    analysis: str
    reasons: tuple[Unmet, ...]
    told: tuple[str, ...] = ()

    def sentences(self) -> tuple[str, ...]:
        """Each reason in words."""
        return (*(str(r) for r in self.reasons), *self.told)


@dataclass(frozen=True)
class Checked:
    """One need of an analysis, held against the series of a study that comes nearest to it.

    Args:
        need: its name in the analysis.
        wanted: the need in words.
        optional: the analysis runs without it.
        checks: each predicate with the value that was met.
    """

    need: str
    wanted: str
    optional: bool
    checks: tuple[Check, ...]

    @property
    def met(self) -> bool:
        """Whether the series will do."""
        return all(c.met for c in self.checks)


@dataclass(frozen=True)
class Plan:
    """What will run on a study, and what will not."""

    study_uid: str
    bindings: tuple[Binding, ...]
    declined: tuple[Declined, ...]


def plan(
    analyses: Iterable[Analysis], study: Study, earlier: Sequence[Study] = (), told: Sequence[str] = ()
) -> Plan:  # fmt: skip
    """Bind every analysis to its series, or say what is missing.

    What could raise the study furthest on the worklist comes first: a reader should not wait for the others.

    Args:
        earlier: earlier studies of the same patient (see `earlier_of`), the newest first.
        told: what was not taken for one (see `not_compared`), said where an analysis that looks back declines.
    """
    bindings: list[Binding] = []
    declined: list[Declined] = []
    for analysis in sorted(analyses, key=_calmness):
        found, unmet = _bind(analysis.name, analysis.needs, study, earlier)
        bindings.extend(found)
        if not found:
            declined.append(Declined(analysis.name, unmet, tuple(told) if looks_back([analysis]) else ()))
    return Plan(study.uid, tuple(bindings), tuple(declined))


def _calmness(analysis: Analysis) -> int:
    return min((list(Urgency).index(y.urgency) for y in analysis.yields), default=len(Urgency))


def earlier_of(study: Study, others: Iterable[Study]) -> tuple[Study, ...]:
    """The studies of the same patient from before this one, the newest first, each with its day (see `dated`).

    A study without a date has no place in time: it is before none, and none is before it. One number with another date
    of birth, or another sex, is another person (a number that two houses gave, or typed wrong): nothing is compared.
    """
    now = dated(study)
    if now.date is None:
        return ()
    moment = (now.date, now.time)
    before = [
        s
        for s in _of_one_number(now, others)
        if not is_another(s.patient, now.patient) and s.date is not None and (s.date, s.time) < moment
    ]
    return tuple(sorted(before, key=lambda s: (s.date, s.time, s.uid), reverse=True))


def not_compared(study: Study, others: Iterable[Study]) -> tuple[str, ...]:
    """Studies of the same patient number, or of one name and date of birth, that are not taken for earlier ones, and
    why, in words.
    """
    now, others = dated(study), tuple(others)
    if not study.patient.id:
        beside = any(s.uid != study.uid for s in others)
        none = "this study has no Patient ID, by which earlier ones of the patient are known: complete it"
        return (none,) if beside else ()
    if now.date is None:
        return ("this study has no date, and its series and images have none: none is before it. Complete Study Date",)
    said = [*_of_another_number(now, others), *_of_several_days(study)]
    for s in _of_one_number(now, others):
        if s.series and all(one.modality in _MADE_LATER for one in s.series):
            continue  # a workstation may file what is drawn as a study of its own: there is nothing to compare
        if s.date is None:
            said.append(f"study {s.uid} of this patient has no date and is not compared: complete Study Date")
        elif (s.date, s.time) > (now.date, now.time):
            continue
        elif is_another(s.patient, now.patient):
            said.append(
                f"the study of {s.date} with the same patient number has another date of birth or sex: it is another "
                "person's, or one of them is wrong, and is not compared"
            )
        elif (s.date, s.time) == (now.date, now.time):
            said.append(
                f"another study of this patient is of the same day and time ({s.date}): which comes first is not "
                "known, and it is not compared"
            )
    return tuple(said)


def _of_one_number(study: Study, others: Iterable[Study]) -> Iterator[Study]:
    mine = (study.patient.id, study.patient.issuer)
    if study.patient.id:
        yield from (dated(s) for s in others if s.uid != study.uid and (s.patient.id, s.patient.issuer) == mine)


def _of_another_number(study: Study, others: Iterable[Study]) -> list[str]:
    """Earlier studies whose Patient ID is another, if only by a blank or a capital, though it may be one person."""
    mine = study.patient
    name = _letters(mine.name)
    if not (name and mine.birth_date):
        return []
    days = [
        s.date
        for s in map(dated, others)
        if (s.patient.id, s.patient.issuer) != (mine.id, mine.issuer)
        and (s.patient.birth_date, _letters(s.patient.name)) == (mine.birth_date, name)
        and s.date is not None and study.date is not None and s.date <= study.date and s.uid != study.uid
    ]  # fmt: skip
    if not days:
        return []
    which = f"the study of {days[0]}" if len(days) == 1 else f"{len(days)} studies, the newest of {max(days)},"
    return [
        f"{which} with another Patient ID (or issuer of it) and the same name and date of birth: not compared. Where "
        "it is one person, give all studies one Patient ID, letter by letter"
    ]


def _letters(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalpha())


def _of_several_days(study: Study) -> list[str]:
    """That two visits may stand under one Study Instance UID: neither is earlier than the other then."""
    images = [s.facts for s in study.series if s.modality not in _MADE_LATER]
    days = sorted({day for f in images if (day := _day_of(str(f.get("SeriesDate") or ""))) is not None})
    if not days or (days[-1] - days[0]).days <= 1:  # a night passes
        return []
    return [
        f"series of {' and of '.join(map(str, days))} in one study: where these are several visits, give each a Study "
        "Instance UID of its own, and they are compared"
    ]


def dated(study: Study) -> Study:
    """A study with its day: Study Date, or where it is empty the first day that its series and images state.

    Outlines and reports may have been made on a later day: they count where nothing else states one.
    """
    if study.date is not None:
        return study
    images = [s for s in study.series if s.modality not in _MADE_LATER] or study.series
    facts = [s.facts for s in images] + [i.facts for s in images for i in s.instances]
    days = [day for f in facts for word in _DAYS if (day := _day_of(str(f.get(word) or ""))) is not None]
    return replace(study, date=min(days)) if days else study


_MADE_LATER = frozenset({"SEG", "RTSTRUCT", "SR", "PR", "KO", "REG"})
_DAYS = ("SeriesDate", "AcquisitionDate", "AcquisitionDateTime", "ContentDate")


def _day_of(said: str) -> date | None:
    try:
        return date.fromisoformat(said[:8])
    except ValueError:
        return None


def is_another(one: Patient, other: Patient) -> bool:
    """Whether one number stands for two people: of other dates of birth, or a woman and a man.

    >>> is_another(Patient("7", sex="F"), Patient("7", sex="M")), is_another(Patient("7", sex="F"), Patient("7"))
    (True, False)
    """
    born = one.birth_date and other.birth_date and one.birth_date != other.birth_date
    return bool(born) or {one.sex, other.sex} == {"F", "M"}


def looks_back(analyses: Iterable[Analysis]) -> bool:
    """Whether any of them wants an earlier study."""
    return any(need.earlier for a in analyses for need in a.needs.values())


def checked(analysis: Analysis, study: Study, earlier: Sequence[Study] = ()) -> tuple[Checked, ...]:
    """Each need of an analysis with every predicate met or not met, on the nearest series that there is.

    Args:
        earlier: earlier studies of the same patient, the newest first.
    """
    told = []
    for name, need in analysis.needs.items():
        where = (earlier[0] if earlier else None) if need.earlier else study
        told.append(Checked(name, need.sentence(), need.optional, _nearest_checks(need, where)))
    return tuple(told)


def _nearest_checks(need: Need, study: Study | None) -> tuple[Check, ...]:
    if study is None:
        return (Check("earlier study", need.sentence(), "no earlier study of this patient is here", False),)
    if not study.series:
        return (Check("series", need.sentence(), "the study has no series", False),)
    tries = [need.checks(s) for s in study.series]
    nearest = min(tries, key=_distance)
    if together := need.joined(study.series) if _distance(nearest) != (False, 0) else ():
        return tuple(replace(c, found=f"{len(together)} series of one scan have them", met=True) if not c.met else c
                     for c in need.checks(together[0]))  # fmt: skip
    return nearest


def _distance(checks: Sequence[Check]) -> tuple[bool, int]:
    """How far a series is from what is needed: the modality counts most, then each predicate that is not met."""
    unmet = [c for c in checks if not c.met]
    return any(c.predicate == "modality" for c in unmet), len(unmet)


def closest(
    analysis: Analysis, study: Study, earlier: Sequence[Study] = ()
) -> tuple[Binding, tuple[Unmet, ...]] | None:
    """The series on which an analysis that declines a study could be tried all the same, and what these do not meet.

    Only what says how well a series will do is waived: number of images, thickness of slices, part of the body, and
    facts of the header. Another modality, or a series without the axis that is analysed, is none that it can work on:
    None then. What comes out was shown to hold for no such images; it is for research.
    """
    (first_name, first), *_ = analysis.needs.items()
    loose = {name: _loose(need) for name, need in analysis.needs.items()}
    able = [s for s in study.series if not loose[first_name].unmet(s)]
    if not able:
        return None
    least = min(len(first.unmet(s)) for s in able)
    far = {s.uid for s in able if len(first.unmet(s)) > least}
    bindings, _ = _bind(analysis.name, loose, replace(study, series=tuple(s for s in study.series if s.uid not in far)),
                        earlier)  # fmt: skip
    if not bindings:
        return None
    bound = bindings[0].series
    every = {s.uid: s for s in chain(study.series, *(was.series for was in earlier))}
    unmet = [u for name, need in analysis.needs.items() for uid in bound[name] for u in need.unmet(every[uid])]
    return bindings[0], tuple(dict.fromkeys(unmet))


def _loose(need: Need) -> Need:
    return replace(need, body_part=(), at_least=1, at_most=None, slice_mm=None, facts=None)


def _bind(
    analysis: str, needs: Mapping[str, Need], study: Study, earlier: Sequence[Study]
) -> tuple[list[Binding], tuple[Unmet, ...]]:
    (first_name, first), *others = needs.items()
    fit = [s for s in study.series if not first.unmet(s)]
    apart = first.slices_apart or not (fit or first.beds) or first.axis == "time"
    together = first.joined(study.series) if apart else ()
    others_fit = [s for s in fit if s not in together]
    if (
        first.axis == "time"
        and fit
        and (len(others_fit) == len(fit) or images(together) < max(map(images, ([s] for s in others_fit)), default=0))
    ):
        together = ()  # a series of many times goes before many of one
    fit = list(together) or fit
    if not fit and first.instead and any(not needs[first.instead].unmet(s) for s in study.series):
        alone = {first.instead: replace(needs[first.instead], optional=False), **needs}
        return _bind(analysis, {**alone, first_name: replace(first, instead="", optional=True)}, study, earlier)
    if not fit:
        return [], _nearest(first, study)
    drawn = _drawn_on(study) if any(n.gives == "regions" and not n.earlier for _, n in others) else set()
    over_time = first.gives == "regions" and any(n.earlier for _, n in others)
    past = [_under(s, was) for was in earlier[:1] for s in was.series if over_time and not first.unmet(s)]
    ranked = sorted(
        fit,
        key=lambda s: (s.uid in drawn, first.suits(s), _alike(_under(s, study), past), _preference(s)),
        reverse=True,
    )
    candidates = fit if first.every else ranked[:1]
    bindings: list[Binding] = []
    unmet: tuple[Unmet, ...] = ()
    for main in candidates:
        bound: dict[str, tuple[str, ...]] = {first_name: (main.uid,)}
        if first.gives == "volumes" or together:
            bound[first_name] += _framed(main, [s for s in fit if s.uid != main.uid])
        elif first.beds:
            bound[first_name] = _with_its_beds(main, fit, first, drawn)
        elif over_time:  # the analysis takes what stands on several series once
            bound[first_name] += tuple(s.uid for s in fit if s.uid != main.uid)
        elif first.gives == "regions" and not first.every:
            bound[first_name] += _drawn_alike(main, [s for s in fit if s.uid != main.uid])
        for name, need in others:
            if need.earlier:
                bound[name] = _before(main, study, earlier, need)
            else:
                taken = bound[first_name] if together else (main.uid,)
                beside = [s for s in study.series if s.uid not in taken]
                fitting = _fitting(need, beside)
                bound[name] = _beside(main, fitting, need)
            if not bound[name] and not need.optional:
                unmet = _nearest_before(need, earlier) if need.earlier else _nearest(need, study)
                break
        else:
            pictures = _pictures(main, first)
            unmet = unmet if pictures else first.unmet(_alone(main, main.instances[0]))
            bindings.extend(Binding(analysis, bound, image) for image in pictures)
    return bindings, unmet


def _fitting(need: Need, beside: list[Series]) -> list[Series]:
    """Series that meet a need, or meet it together. Whether multi-frame objects do, their frames tell when they are
    read: where nothing else meets the need, what meets it together goes with them.
    """
    alone = [s for s in beside if not need.unmet(s)]
    if alone and not (need.gives == "volumes" and all(is_object(s) for s in alone)):
        return alone
    return [*alone, *(s for s in need.joined(beside) if s not in alone)]


def _pictures(series: Series, need: Need) -> tuple[str, ...]:
    """The radiographs of a series that meet a need each by itself, where it is asked of every series.

    Makers put a frontal and a lateral film, or both sides and views of the breasts, into one series or into several.
    One empty name where the series is to be taken as a whole.
    """
    each = [i for i in series.instances if i.rows and i.columns]
    films = _RADIOGRAPHS | (_CAPTURES & set(need.modality))
    if not (need.every and need.gives == "volume" and series.modality in films and len(each) > 1):
        return ("",)
    return tuple(i.sop_uid for i in each if not need.unmet(_alone(series, i)))


def _alone(series: Series, instance: Instance) -> Series:
    """A series of one of its images, which has its facts to itself."""
    return replace(series, instances=(instance,), facts={**series.facts, **instance.facts})


def _drawn_on(study: Study) -> set[str]:
    """Series that outlines of this study were drawn on: where these are asked for, such a series is the one meant."""
    return {uid for s in study.series for uid in s.facts.get("ReferencedSeriesUIDs", ())}


def _beside(main: Series, fitting: list[Series], need: Need) -> tuple[str, ...]:
    """Series that go with the main one: drawn on it, or by it, first, else in its frame of reference, else the best."""
    drawn = [s for s in fitting if main.uid in s.facts.get("ReferencedSeriesUIDs", ())]
    framed = [s for s in fitting if main.frame_of_reference and s.frame_of_reference == main.frame_of_reference]
    if need.gives == "volumes":
        return _framed(main, fitting)
    if need.gives == "regions":
        return tuple(s.uid for s in (drawn or framed))
    if need.gives == "reports":
        return tuple(s.uid for s in fitting)
    under = [s for s in fitting if s.uid in main.facts.get("ReferencedSeriesUIDs", ())]
    chosen = sorted(under or framed or fitting, key=lambda s: (need.suits(s), _preference(s)), reverse=True)[:1]
    return tuple(s.uid for s in chosen)


def _drawn_alike(main: Series, fitting: list[Series]) -> tuple[str, ...]:
    """Outlines of the same images: many programs write each structure as a series of its own."""
    on = set(main.facts.get("ReferencedSeriesUIDs", ()))
    alike = [s for s in fitting if on & set(s.facts.get("ReferencedSeriesUIDs", ()))]
    framed = [s for s in fitting if main.frame_of_reference and s.frame_of_reference == main.frame_of_reference]
    return tuple(s.uid for s in (alike if on else framed))


def _framed(main: Series, fitting: list[Series]) -> tuple[str, ...]:
    """All that lie where the main one lies; without a frame of reference that cannot be said, and all are taken."""
    return tuple(s.uid for s in fitting if s.frame_of_reference == main.frame_of_reference)


def _with_its_beds(chosen: Series, fitting: list[Series], need: Need, drawn: set[str]) -> tuple[str, ...]:
    """The series that was chosen, or the beds of a scan instead, unless somebody drew on this one and it is no bed."""
    beds = tuple(s.uid for s in need.joined(fitting)) if need.beds else ()
    return beds if beds and (chosen.uid in beds or chosen.uid not in drawn) else (chosen.uid,)


def _under(drawn: Series, study: Study) -> tuple[Series, ...]:
    """The images that outlines were drawn on, where they are here; what draws nothing stands for itself."""
    if drawn.modality not in ("SEG", "RTSTRUCT"):
        return (drawn,)
    on = drawn.facts.get("ReferencedSeriesUIDs", ())
    return tuple(s for s in study.series if s.uid in on)


def _before(main: Series, study: Study, earlier: Sequence[Study], need: Need) -> tuple[str, ...]:
    """Series of earlier studies, the oldest first: all regions of a study, or the volume most like that of now."""
    bound: list[tuple[str, ...]] = []
    now = _under(main, study)
    for was in earlier:
        fitting = [s for s in was.series if not need.unmet(s)]
        if not fitting:
            continue
        if need.gives == "regions":
            bound.append(tuple(s.uid for s in fitting))
        else:
            drawn = set() if main in now else _drawn_on(was)
            like = max(fitting, key=lambda s: (s.uid in drawn, need.suits(s), _alike([s], [now]), _preference(s)))
            bound.append(_with_its_beds(like, fitting, need, drawn))
        if need.earlier == "last":
            break
    return tuple(uid for uids in reversed(bound) for uid in uids)


def _alike(some: Sequence[Series], others: Sequence[Sequence[Series]]) -> int:
    """How much the likest two of them were made alike."""
    return max((_likeness(a, b) for a in some for several in others for b in several), default=0)


def _likeness(main: Series, other: Series) -> int:
    """How much an earlier series was made like the main one: modality, then description, then body part."""
    same = (main.modality == other.modality, main.description == other.description, main.body_part == other.body_part)
    return 4 * same[0] + 2 * same[1] + same[2]


def _nearest_before(need: Need, earlier: Sequence[Study]) -> tuple[Unmet, ...]:
    if not earlier:
        return (Unmet("earlier study", need.sentence(), "no earlier study of this patient is here"),)
    return _nearest(need, earlier[0])


def _preference(series: Series) -> tuple[bool, int, float, float, str]:
    """Original before derived, more images before fewer, thinner slices before thicker, the first before those scanned
    later (a delayed scan is one beside the standard one); the UID settles ties.
    """
    kind = series.facts.get("ImageType") or ()
    images = sum(max(1, i.frames) for i in series.instances)
    thick = float(series.facts.get("SliceThickness") or 0.0)
    return "DERIVED" not in kind, images, -thick, -_began(series), series.uid


def _began(series: Series) -> float:
    """Date and time of the first of its images as one number, YYYYMMDDhhmmss; infinity where none states them."""
    moments = []
    for instance in series.instances:
        facts = {**series.facts, **instance.facts}
        day, clock = str(facts.get("AcquisitionDate") or facts.get("SeriesDate") or ""), facts.get("AcquisitionTime")
        of_frames = (facts.get("FramesInPatient") or {}).get("begun") or facts.get("AcquisitionDateTime")
        whole = str(f"{day}{clock}" if day and clock else of_frames or "").partition(".")[0]
        if len(whole) == 14 and whole.isdecimal():
            moments.append(float(whole))
    return min(moments, default=math.inf)


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
