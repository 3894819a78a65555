"""What the rules of response count, from outlines: which lesions are targets, and each visit's sum and state."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from itertools import pairwise

import numpy as np

from isocenter.catalogue.in_one_space import Drawn, Matrix, is_round_about, mask_of, radius_mm
from isocenter.errors import Refused
from isocenter.methods import recist, volumetry
from isocenter.methods.lesion_matching import Spot, Track, seen_in
from isocenter.space import Region, Volume, resample_region

__all__ = [
    "chosen_targets",
    "known_elsewhere",
    "lesions_among",
    "named_lesions",
    "normal_node",
    "of_one_reader",
    "organ_of",
    "out_of_sight",
    "recorded_mm",
    "unseen_at",
    "visits_of",
    "with_states",
    "without",
]

_NODE = re.compile(
    r"(?<![a-z])(node|nodal|lymph(?!om|ang)|ad[eé]nopath|ganglion(?:s|naire)?(?![a-z])|linfonod|lnn?s?(?![a-z])|lk(?![a-z])|adp(?![a-z])|"
    r"gtv[\s_-]?n\d*(?![a-z]))",
    re.IGNORECASE,
)
_BONE = re.compile(
    r"(?<![a-z])(bone|rib(?!osom)|vertebra|vert[eè]bre|spine|sacrum|femur|skull|sternum|humer(?:us|al)|scapula|"
    r"clavic|tibia|skelet|osseous|knochen|rippe|wirbel|sch[aä]del)",
    re.IGNORECASE,
)
_CYST = re.compile(r"(?<![a-z])(cysts?|zysten?|kystes?|quistes?)(?![a-z])", re.IGNORECASE)
_IRRADIATED = re.compile(r"(?<![a-z])(ir)?radiated|(?<![a-z])bestrahlt|(?<![a-z])irradi[eéa]", re.IGNORECASE)

_NO_ORGAN = re.compile(
    r"(|unknown|unnamed|lesion|l[aäé]sion|l[aä]sie|tumou?rs?|target|gtv|mass|metasta\w*|mets?|finding|befund|herd|roi|region|"
    r"segment(ation)?|structure|contour|outline|label|object|[a-z])",
    re.IGNORECASE,
)
_PLANNED = re.compile(r"(?<![a-z])[cpi]tv(?![a-z])", re.IGNORECASE)
_LESION = re.compile(
    r"gtv|lesion|l[aäé]sion|l[aä]sie|tumou?r|(?<![a-z])(mass|mets?(?![a-z])|metasta)|nodul|herd", re.IGNORECASE
)
_OF_DAY = re.compile(r"(.+?)\s+on\s+(\d{4}-\d{2}-\d{2})", re.IGNORECASE)
_GREW = "grown further"
_STATES = ("CR", "non-CR/non-PD", "PD", "NE", _GREW)
_LIKE_SIZE = 3.0  # two readers' outlines of one lesion; a tumour and its organ differ by more


def lesions_among(regions: Sequence[Region], day: date, remarks: list[str]) -> tuple[Region, ...]:
    """Outlines without cysts and what planning draws beside lesions, which is told: margins (CTV, PTV, ITV), the body
    and the couch, and beside these and a GTV the organs at risk. Where nothing else would be left they are kept.
    """
    kept = tuple(regions)
    around = [r for r in regions if is_round_about(r.label)]
    planned = [r for r in regions if _PLANNED.search(r.label)]
    at_risk: list[Region] = []
    if (planned or around) and any("gtv" in r.label.casefold() for r in regions):
        at_risk = [r for r in regions if not _LESION.search(r.label) and not _NODE.search(r.label)]
        at_risk = [r for r in at_risk if not _PLANNED.search(r.label) and not is_round_about(r.label)]
    for group, why in (
        ([r for r in regions if _CYST.search(r.label)], "a simple cyst is no malignant lesion (RECIST 1.1 3.1.2)"),
        (planned, "a margin about a lesion is none"),
        (around, "it is the body or what the patient lies on"),
        (at_risk, "beside a GTV and what planning draws it is taken for an organ at risk; a tumour is called lesion or "
                  "GTV"),
    ):  # fmt: skip
        rest = tuple(r for r in kept if not any(r is g for g in group))
        if group and rest:
            names = ", ".join(r.label for r in group)
            remarks.append(f"{names} of {day} left out: {why}")
            kept = rest
    for region in kept:
        if region.occupied_ml is not None:
            remarks.append(
                f"'{region.label}' of {day} is given as fractions of voxels: those that it fills by half and more are "
                f"measured ({region.volume_ml:.3g} mL; the fractions add up to {region.occupied_ml:.3g} mL)"
            )
    return kept


def of_one_reader(time: Drawn, remarks: list[str]) -> Drawn:
    """The lesions of a study, without what planning draws beside them.

    Raises:
        Refused: where two of them lie in one another as two readers' outlines of one lesion do: both would count.
    """
    time = replace(time, regions=lesions_among(time.regions, time.day, remarks))
    for n, one in enumerate(time.regions):
        for other in time.regions[:n]:
            share = _shared(one, other)
            small, large = sorted((one, other), key=lambda r: r.volume_ml)
            if share > 0.5 and large.volume_ml > _LIKE_SIZE * small.volume_ml:
                remarks.append(
                    f"WARNING: '{small.label}' of {time.day} lies within '{large.label}' and both count: leave out the "
                    "one that is no lesion of its own (a core of the other, or the organ about it)"
                )
            elif share > 0.5:
                a, b = other.label or "a lesion", one.label or "another"
                raise Refused(
                    f"'{a}' and '{b}' of {time.day}, of which one holds {share:.0%} of the other",
                    "a lesion that was outlined twice (by two readers, or with its core) counts twice in the sum, and "
                    "seems gone or new where it was outlined once",
                    "send the outlines of one reader, one for each lesion",
                )
    return time


def _shared(one: Region, other: Region) -> float:
    """The part of the smaller that lies in the larger."""
    small, large = sorted((one, other), key=lambda r: r.volume_ml)
    if one.geometry.frame_of_reference != other.geometry.frame_of_reference:
        return 0.0
    # Long lesions may share voxels though their middles lie apart: one ball's radius each is no bound for them.
    if float(np.linalg.norm(np.subtract(one.centre_mm, other.centre_mm))) > 4.0 * radius_mm(large.volume_ml):
        return 0.0
    if not small.geometry.same_grid(large.geometry):
        large = resample_region(large, small.geometry)
    return float(np.count_nonzero(mask_of(small) & mask_of(large))) / small.voxels


def organ_of(label: str) -> str:
    """The organ that a label names, without the number behind it; empty where it names none, as "Lesion 2" does.

    >>> organ_of("liver 2"), organ_of("Lesion_3"), organ_of("")
    ('liver', '', '')
    """
    word = re.sub(r"[\s_\-#.]*\d+$", "", label.strip()).strip().casefold()
    return "" if _NO_ORGAN.fullmatch(word) else word


def _lesion(region: Region, size: volumetry.Extent) -> recist.Lesion:
    """A lesion with its axes to a tenth of a millimetre, as callipers are read.

    DICOM writes contours in decimals: what was drawn to meet a limit exactly would miss it by some 1e-5 mm.
    """
    label = region.label
    organ = organ_of(label)
    long, short = (round(mm, 1) for mm in (size.axes.long_mm, size.axes.short_mm))
    return recist.Lesion(
        organ, long, short, bool(_NODE.search(label)), max(region.geometry.spacing_mm),
        bone=bool(_BONE.search(label)), irradiated=bool(_IRRADIATED.search(label)),
    )  # fmt: skip


def chosen_targets(first: Drawn, sizes: Sequence[volumetry.Extent], named: str) -> tuple[int, ...]:
    """Places of the targets among the baseline's lesions: those named, or else the largest measurable."""
    lesions = [_lesion(r, s) for r, s in zip(first.regions, sizes, strict=True)]
    if not named.strip():
        return recist.choose_targets(lesions)
    return tuple(sorted(named_lesions(first, named)))


def named_lesions(first: Drawn, names: str) -> set[int]:
    """Places among the baseline's lesions of labels that a person wrote, separated by commas."""
    found: set[int] = set()
    for name in (part.strip().casefold() for part in names.split(",") if part.strip()):
        places = {i for i, r in enumerate(first.regions) if r.label.casefold() == name}
        if not places:
            labels = ", ".join(r.label or "unnamed" for r in first.regions)
            raise Refused(
                f"target '{name}'", f"the baseline of {first.day} has {labels}", "name lesions of the baseline"
            )
        found |= places
    return found


def known_elsewhere(
    times: Sequence[Drawn], spotted: Sequence[Sequence[Spot]], followed: Sequence[Track], reaches: Sequence[float]
) -> list[str]:
    """Lesions that are known by their Tracking UID where the place alone would not have told."""
    told = []
    for track in followed:
        seen = [(k, places[0]) for k, places in enumerate(track.at) if len(places) == 1]
        for (a, i), (b, j) in pairwise(seen):
            one, other = spotted[a][i], spotted[b][j]
            away = float(np.linalg.norm(one.centre_mm - other.centre_mm))
            reach = reaches[b - 1] + 0.5 * max(one.radius_mm, other.radius_mm)
            if one.tracking and one.tracking == other.tracking and away > reach:
                name = f"'{times[b].regions[j].label}' of {times[b].day}"
                told.append(f"{name} lies {away:.0f} mm from where it was: known by its Tracking UID")
    return told


def unseen_at(times: Sequence[Drawn], said: str) -> tuple[set[int], ...]:
    """For each time the baseline's lesions that a person says its scan could not show.

    Args:
        said: labels separated by commas, of the last time, or of the day that stands behind: ``liver 1 on 2026-03-02``.

    Raises:
        Refused: for a label that the baseline does not have, or a day without a study.
    """
    found: tuple[set[int], ...] = tuple(set() for _ in times)
    for label, k in _of_days(times, said, "not evaluated"):
        found[k].update(named_lesions(times[0], label))
    return found


def with_states(
    visits: Sequence[recist.Visit], times: Sequence[Drawn], said_before: str, said_now: str
) -> tuple[recist.Visit, ...]:
    """Visits with what a person said of the non-targets: at earlier times, and now unless it is ``as outlined``.

    Args:
        said_before: ``PD on 2026-03-02``, separated by commas.

    Raises:
        Refused: for another word than `_STATES`, a day without a study, the study of now among the earlier ones, or
            further growth of what has not progressed before.
    """
    words = {word.casefold(): word for word in _STATES}
    states: dict[int, str] = {}
    for word, k in _of_days(times, said_before, "state of non-targets"):
        if word.casefold() not in words:
            raise Refused(f"non-targets '{word}'", f"they are {', '.join(_STATES)}", "write it as PD on 2026-03-02")
        states[k] = words[word.casefold()]
    if len(times) - 1 in states:
        raise Refused(
            f"non_targets_before '{said_before}'", f"{times[-1].day} is the study of now",
            "give what is said of it as non_targets",
        )  # fmt: skip
    if said_now != "as outlined":
        states[len(times) - 1] = said_now
    for k, word in states.items():
        if word == _GREW and not any(states.get(j) == "PD" for j in range(k)):
            raise Refused(
                f"non-targets '{_GREW}' on {times[k].day}", "nothing says that they had progressed before",
                "name the study at which they did: non_targets_before='PD on 2026-03-02'",
            )  # fmt: skip
    return tuple(_with_state(v, states.get(k, "")) for k, v in enumerate(visits))


def _with_state(visit: recist.Visit, word: str) -> recist.Visit:
    state: recist.NonTarget
    match word:
        case "grown further":
            return replace(visit, non_target="PD", non_target_grew=True)
        case "CR" | "non-CR/non-PD" | "PD" | "NE" as state:
            return replace(visit, non_target=state)
        case _:
            return visit


def _of_days(times: Sequence[Drawn], said: str, what: str) -> list[tuple[str, int]]:
    """(word, time) of a list such as ``liver 1 on 2026-03-02, lung``; without a day it is of the last time."""
    later = {str(time.day): k for k, time in enumerate(times) if k}
    found = []
    for part in (p.strip() for p in said.split(",") if p.strip()):
        named = _OF_DAY.fullmatch(part)
        word, day = (named[1], named[2]) if named else (part, str(times[-1].day))
        if day not in later:
            raise Refused(
                f"'{part}' as {what}",
                f"no study with outlines after the baseline is of {day}",
                f"there are {', '.join(later)}",
            )
        found.append((word, later[day]))
    return found


def recorded_mm(track: Track, k: int, times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]]) -> float:
    """What a lesion adds to the sum at one time: parts of a split are added, a merged one counts with its partner."""
    parts = [_lesion(times[k].regions[i], sized[k][i]) for i in track.at[k]]
    node = _is_node(track, times)
    return sum(replace(p, node=node).recorded_mm for p in parts)


def normal_node(track: Track, k: int, times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]]) -> bool:
    """Whether a lesion is a lymph node that is outlined at one time and normal there: a short axis below 10 mm."""
    if not track.at[k] or not _is_node(track, times):
        return False
    return recorded_mm(track, k, times, sized) < recist.NORMAL_NODE_MM - recist.EPSILON


def out_of_sight(
    k: int,
    times: Sequence[Drawn],
    places: Sequence[tuple[Matrix, float]],
    spotted: Sequence[Sequence[Spot]],
    followed: Sequence[Track],
    scans: Mapping[str, Volume],
) -> set[int]:
    """Numbers of the lesions that are not outlined at one time and lie outside its images: not evaluated, not gone.

    Args:
        k: the time, after the baseline.
        places: for each time the matrix to the last one's millimetres.
        spotted: the lesions of each time in those millimetres.
        scans: study UID -> its image; a study without one hides nothing.
    """
    scan = scans.get(times[k].study_uid)
    if scan is None:
        return set()
    back, ends, found = np.linalg.inv(places[k][0]), np.array(scan.geometry.shape) - 0.5, set()
    for n, track in enumerate(followed):
        seen = [j for j in range(k) if track.at[j]]
        if seen_in(followed, n, k) is not None or not seen:
            continue
        centre = spotted[seen[-1]][track.at[seen[-1]][0]].centre_mm
        index = scan.geometry.to_index(back[:3, :3] @ centre + back[:3, 3])
        if (index < -0.5).any() or (index > ends).any():
            found.add(n)
    return found


def visits_of(
    times: Sequence[Drawn],
    sized: Sequence[Sequence[volumetry.Extent]],
    followed: Sequence[Track],
    chosen: Sequence[int],
) -> tuple[recist.Visit, ...]:
    """Each time as the rules see it; lesions that are no targets are non-targets, and later ones new.

    A node of less than 10 mm is no lesion: not a non-target at baseline, gone later, and not new (RECIST 1.1, 3.1.1
    and 4.3.3). Where lesions have grown together, the diameter of the whole counts once: as a target's, where one of
    them is a target.

    Raises:
        Refused: for a baseline without any lesion.
    """
    visits = []
    measured = _new_targets(times, sized, followed)
    normal = [{k for k in range(len(times)) if normal_node(t, k, times, sized)} for t in followed]
    others = [n for n, t in enumerate(followed) if t.began == 0 and n not in chosen and 0 not in normal[n]]
    for k, time in enumerate(times):
        mine = {seat for n in chosen if (seat := seen_in(followed, n, k)) is not None}
        gone = mine <= {n for n in mine if normal_node(followed[n], k, times, sized)}
        state: recist.NonTarget = "none"
        if others:
            state = "non-CR/non-PD" if any(_is_there(followed, normal, n, k) for n in others) else "CR"
        fresh = [n for n, t in enumerate(followed) if 0 < t.began <= k and _is_there(followed, normal, n, k)]
        sizes = {n: recorded_mm(followed[n], k, times, sized) for n in fresh if n not in mine}
        again = [n for n in (*chosen, *others) if _is_back(followed, n, k) and not _is_node(followed[n], times)]
        visits.append(
            recist.Visit(
                (time.day - times[0].day).days,
                sum(recorded_mm(followed[n], k, times, sized) for n in mine) if chosen else None,
                gone=gone if chosen else None,
                non_target=state,
                new=bool(fresh),
                new_sum_mm=sum(mm for n, mm in sizes.items() if n in measured),
                new_small_mm={n: mm for n, mm in sizes.items() if n not in measured},
                new_count=len(fresh),
                returned=bool(again),
            )
        )
    if visits[0].sum_mm is None and visits[0].non_target == "none":
        raise Refused(
            "no measurable and no other lesion at baseline",
            "there is nothing to respond",
            "outline the lesions of the first visit, or take a later one as the first",
        )
    return tuple(visits)


def _new_targets(
    times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]], followed: Sequence[Track]
) -> set[int]:
    """Numbers of the new lesions that are measured by iRECIST: chosen as targets are, when they are first seen.

    Those that came earlier keep their places: five in all, two in an organ.
    """
    taken: list[tuple[int, recist.Lesion]] = []
    for k in range(1, len(times)):
        came = [n for n, t in enumerate(followed) if t.began == k]
        lesions = [_lesion(times[k].regions[i], sized[k][i]) for n in came for i in followed[n].at[k][:1]]
        for i in recist.choose_targets(lesions):
            organ = _place(lesions[i])
            if len(taken) < recist.MOST and (not organ or sum(_place(t) == organ for _, t in taken) < recist.IN_ORGAN):
                taken.append((came[i], lesions[i]))
    return {n for n, _ in taken}


def _place(lesion: recist.Lesion) -> str:
    return "lymph nodes" if lesion.node else lesion.organ


def _is_there(followed: Sequence[Track], normal: Sequence[set[int]], n: int, k: int) -> bool:
    """Whether a lesion is seen at one time, by itself or in the one that it has grown together with."""
    seat = seen_in(followed, n, k)
    return seat is not None and k not in normal[seat]


def _is_back(followed: Sequence[Track], n: int, k: int) -> bool:
    """Whether a lesion of the baseline is seen that was not seen at some time before."""
    return seen_in(followed, n, k) is not None and any(seen_in(followed, n, j) is None for j in range(k))


def _is_node(track: Track, times: Sequence[Drawn]) -> bool:
    return bool(_NODE.search(times[track.began].regions[track.at[track.began][0]].label))


def without(visit: recist.Visit, hidden: set[int], chosen: Sequence[int]) -> recist.Visit:
    """A visit on which some lesions could not be seen: its sum is not complete, and non-targets are not all gone."""
    others = hidden - set(chosen)
    state: recist.NonTarget = "NE" if others and visit.non_target == "CR" else visit.non_target
    return replace(visit, complete=visit.complete and not hidden & set(chosen), non_target=state)
