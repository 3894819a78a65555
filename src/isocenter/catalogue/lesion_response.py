"""Oncology: what became of the lesions since baseline, and what that is called."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, timedelta
from itertools import pairwise
from typing import Any, ClassVar, Literal

import numpy as np

from isocenter.analysis.need import Dated, Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue.choi_response import answered
from isocenter.catalogue.contrast_agent import contrast_agent, contrast_phase
from isocenter.catalogue.in_one_space import Drawn, cut_otherwise, drawn, is_cut, spaces, spots
from isocenter.catalogue.lesion_visits import (
    chosen_targets,
    known_elsewhere,
    normal_node,
    of_one_reader,
    organ_of,
    out_of_sight,
    recorded_mm,
    unseen_at,
    visits_of,
    with_states,
    without,
)
from isocenter.catalogue.mask_grid import OtherGrid
from isocenter.errors import Refused
from isocenter.methods import irecist, recist, volumetry
from isocenter.methods.detectable_change import border_length_mm, border_volume_ml
from isocenter.methods.lesion_matching import Track, doubling_time_days, seen_in, tracks
from isocenter.record import Code, Curve, Finding, Measurement, codes, digest_of
from isocenter.space import Geometry, Region, Volume

__all__ = ["LesionResponse"]

CURRENT = Code("112048", "DCM", "Current Response")
BEST = Code("best-response", "99ISO", "Best overall response")
SUM = Code("sum-of-diameters", "99ISO", "Sum of diameters of target lesions")
FROM_BASELINE = Code("change-from-baseline", "99ISO", "Change from baseline")
FROM_NADIR = Code("change-from-nadir", "99ISO", "Change from nadir")
DOUBLING = Code("doubling-time", "99ISO", "Volume doubling time")
NEW = Code("new-lesions", "99ISO", "Number of new lesions")

_BASELINE_DAYS = 28
_GROWTH = 0.25  # of the volume: growth of a nodule by the BTS guideline (Callister 2015)
# QIBA profile "CT Tumor Volume Change for Advanced Disease" (2018): by the longest diameter at baseline.
_QIBA_VOLUME = ((10.0, 35.0, 0.39), (35.0, 50.0, 0.29), (50.0, 100.0, 0.24))


class LesionResponse:
    """What became of the lesions since baseline: growth, new and vanished ones, and the response by a named rule?"""

    name, version = "lesion_response", "26"
    needs: ClassVar[Mapping[str, Need]] = {
        "lesions": Need(modality=("SEG", "RTSTRUCT"), gives="regions", dated=True),
        "before": Need(modality=("SEG", "RTSTRUCT"), gives="regions", earlier="all"),
        "image": Need(modality=("CT", "MR", "PT"), optional=True),
        "images_before": Need(modality=("CT", "MR", "PT"), earlier="all", optional=True),
    }
    yields = (
        Yield(what=codes.LESION, units=("mm", "mL", "%", "d")),
        Yield(what=CURRENT, units=("mm", "%", "{counts}", "[hnsf'U]")),
        Yield(what=BEST),
    )
    limits = Limits(seconds=300.0, memory_mib=6144)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Propose targets, sums and a response from lesions that a person has outlined at each time.",
        "not_for": "Deciding: which lesions are targets, whether a new one is malignant and whether non-targets "
        "progress are a person's to say.",
        "sources": ("Eisenhauer 2009 (RECIST 1.1)", "Seymour 2017 (iRECIST)", "Lencioni 2010 (mRECIST)", "Choi 2007",
                    "QIBA CT Tumor Volume Change 2018"),
        "limits": (
            "It measures what somebody outlined: a lesion that nobody outlined is not seen.",
            "Organs and nodes are read from the labels of the outlines, so that an unlabelled node is measured "
            "as another lesion.",
            "One rigid registration cannot follow organs that bend or breathe: matches beyond reach are told "
            "and left to a person.",
        ),
        "level": "rules validated on published cases; matching verified on planted pairs",
    }  # fmt: skip

    def run(
        self,
        lesions: Dated,
        before: tuple[Dated, ...],
        image: Volume | None,
        images_before: tuple[Dated, ...] | None,
        *,
        criteria: Literal["RECIST 1.1", "iRECIST", "mRECIST", "Choi"] = "RECIST 1.1",
        targets: str = "",
        stable_days: int = 42,
        confirmed: bool = True,
        accept_sd: bool = False,
        reach_mm: float = 10.0,
        not_evaluated: str = "",
        non_targets: Literal["as outlined", "CR", "non-CR/non-PD", "PD", "NE", "grown further"] = "as outlined",
        non_targets_before: str = "",
        all_gone: bool = False,
        therapy_began: str = "",
        other_grid: OtherGrid = "refuse",
    ) -> Answer:
        """Follow the lesions from the baseline, the oldest study that has outlines, to this one.

        Args:
            lesions: outlines of this study. before: of earlier ones, the oldest first.
            image, images_before: scans to register by, where frames of reference differ.
            criteria: rule set; with mRECIST the outlines must be of viable, enhancing tumour, and Choi needs the CT
                of every time, in one phase.
            targets: labels of the baseline's target lesions, separated by commas; empty: the largest measurable.
            stable_days: least time from baseline for a stable disease, by the protocol.
            confirmed: whether CR and PR must be confirmed after 28 days to be the best response.
            accept_sd: whether a PR also confirms one before a single stable disease, as the guideline's questions do.
            reach_mm: how far a lesion may have moved beyond the error of registration.
            not_evaluated: labels of baseline lesions that this scan cannot show, separated by commas: they are not
                evaluated, which is not the same as gone. Of an earlier scan: "liver 1 on 2026-03-02".
            non_targets: what a person says of the other lesions now; as outlined they progress never, and are gone
                when none is outlined any more. "grown further" is any growth since a progression (iRECIST).
            non_targets_before: what a person said of them at earlier studies, such as "PD on 2026-03-02", separated
                by commas.
            all_gone: a person says that an empty outline, of this study or of one since baseline, means that nothing is
                left.
            therapy_began: day of the first treatment as YYYY-MM-DD: the last study before it is the baseline, refused
                where it is of more than 28 days before.
            other_grid: for Choi, targets on coarser voxels than the CT: ``nearest`` brings them there.

        Raises:
            Refused: without a baseline, without common place or images to register by, when registration fails, when
                a named lesion is not at baseline, when two outlines of a study are of one lesion, or when the baseline
                is too old or from after the treatment began.
        """
        remarks: list[str] = []
        first, *rest = _since_baseline(before, therapy_began, remarks)
        scans = {one.study_uid: one.volume for one in images_before or ()}
        if image is not None:
            scans[lesions.study_uid] = image
        known = [_outlined(one, scans, remarks, all_gone=all_gone or bool(one.regions)) for one in rest]
        began = drawn(first, scan=scans.get(first.study_uid), remarks=remarks)
        times = [began, *known, _outlined(lesions, scans, remarks, all_gone=all_gone)]
        times = [of_one_reader(time, remarks) for time in times]
        places = spaces(times, scans, remarks)
        remarks += cut_otherwise(times, places)
        spotted = spots(times, places)
        reaches = [reach_mm + a[1] + b[1] for a, b in pairwise(places)]
        followed = tracks(spotted, reach_mm=reaches)
        remarks += known_elsewhere(times, spotted, followed, reaches)
        sized = [[volumetry.measure(r) for r in time.regions] for time in times]
        chosen = chosen_targets(times[0], sized[0], targets)
        hidden = [out_of_sight(k, times, places, spotted, followed, scans) for k in range(1, len(times))]
        unseen = unseen_at(times, not_evaluated)
        hidden = [a | b for a, b in zip(hidden, unseen[1:], strict=True)]
        which = "the last study with outlines before treatment" if therapy_began else "the oldest study with outlines"
        remarks += _doubts(followed, times, chosen, bool(targets), unseen[-1], hidden, which)
        remarks += _otherwise(times, scans)
        if not targets.strip():
            nowhere = [
                times[0].regions[n].label or "unnamed" for n in chosen if not organ_of(times[0].regions[n].label)
            ]
            if len(nowhere) > 2:
                remarks.append(
                    f"WARNING: {', '.join(nowhere)} name no organ, so that no more than two in an organ was not kept: "
                    "label them by their organs, or name the targets"
                )
        remarks += _normal_nodes(followed, times, sized, chosen)
        remarks += [
            f"'{region.label}' reaches the edge of the images of {time.day}: it may be larger than its outline"
            for time in times
            for region in time.regions
            if is_cut(region, scans.get(time.study_uid))
        ]
        _must_be_of_other_days(times)
        visits = visits_of(times, sized, followed, chosen)
        visits = (visits[0], *(without(v, h, chosen) for v, h in zip(visits[1:], hidden, strict=True)))
        visits = with_states(visits, times, non_targets_before, non_targets)
        if criteria != "Choi":
            remarks += _near_a_limit(visits, times, followed, chosen, 0.0 if criteria == "mRECIST" else 5.0)
        if not visits[-1].complete:
            remarks.append("a target was not evaluated: no sum of the targets and no change of it is given")
        absolute = 0.0 if criteria == "mRECIST" else 5.0
        again = recist.CONFIRM_DAYS if confirmed else None
        judged = recist.responses(visits, absolute_mm=absolute, confirm_days=again, accept_sd=accept_sd)
        best = recist.best_response(
            visits, confirmed=confirmed, stable_days=stable_days, absolute_mm=absolute, accept_sd=accept_sd
        )
        target, whole = (_by(criteria, one) for one in judged[-1])
        now, best = whole, _by(criteria, best)
        if criteria == "iRECIST":
            least = border_length_mm(max(sorted(r.geometry.spacing_mm)[1] for t in times for r in t.regions))
            now = irecist.immune_responses(visits, confirm_days=again, least_growth_mm=least, accept_sd=accept_sd)[-1]
            best = irecist.best_immune_response(
                visits, confirmed=confirmed, stable_days=stable_days, least_growth_mm=least, accept_sd=accept_sd
            )
        density: tuple[Measurement, ...] = ()
        if criteria == "Choi":
            by_choi = answered(times, scans, followed, chosen, visits, other_grid)
            now, best, density = by_choi.now, by_choi.best, by_choi.measurements
            remarks += by_choi.remarks
        why = (
            ""
            if criteria == "Choi" or target.response == "none"
            else f" Targets {target.response} ({target.rule}): {target.why}."
        )
        found = [
            *_lesions(times, sized, followed, chosen, isinstance(image, Volume) and image.unit == "[hnsf'U]"),
            _current(now, why, visits, criteria, density),
            Finding(BEST, words=f"Best overall response {best.response} ({best.rule}): {best.why}."),
        ]
        curve = _curve(times, sized, followed, visits, set().union(*hidden))
        return Answer.found(*found, curves=(curve,), reasons=tuple(remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """Balls that shrink by 40 %, grow by half, come and go: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(40, 60, 60), spacing_mm=(3.0, 2.0, 2.0), frame_of_reference="2.25.7")

        def on(day: int, *balls: tuple[tuple[float, float, float], float, str]) -> Dated:
            regions = tuple(Region(grid, mask=_ball(grid, c, r), label=label) for c, r, label in balls)
            return Dated(f"2.25.{day + 1}", date(2026, 1, 1) + timedelta(days=day), regions)

        liver, lung = ((30.0, 60.0, 40.0), 20.0, "liver"), ((90.0, 60.0, 90.0), 15.0, "lung")
        first = on(0, liver, lung)
        none = {"image": None, "images_before": None}
        smaller = on(60, (liver[0], 12.0, "liver"), (lung[0], 9.0, "lung"))
        yield (
            {"lesions": smaller, "before": (first,), **none},
            {"answer": "found", "findings": 4, "words": "PR"},
        )
        again = on(120, (liver[0], 18.0, "liver"), (lung[0], 14.0, "lung"), ((60.0, 25.0, 20.0), 6.0, "bone"))
        yield (
            {"lesions": again, "before": (first, smaller), **none},
            {"answer": "found", "words": "a new lesion"},
        )
        other = replace(grid, frame_of_reference="2.25.8")
        elsewhere = Dated("2.25.9", date(2026, 3, 1), (Region(other, mask=_ball(grid, liver[0], 12.0)),))
        yield (
            {"lesions": elsewhere, "before": (first,), **none},
            {"answer": "declined", "words": "frames of reference differ"},
        )


def _outlined(study: Dated, scans: Mapping[str, Volume], remarks: list[str], *, all_gone: bool) -> Drawn:
    """The outlines of a later study; without voxels only where a person says that nothing is left."""
    found = drawn(study, empty=True, scan=scans.get(study.study_uid), remarks=remarks)
    if not found.regions and not all_gone:
        raise Refused(
            f"the study of {found.day} has no lesion with voxels",
            "an outline that was forgotten looks like a lesion that is gone",
            "outline them, or set all_gone=true where nothing is left",
        )
    return found


def _must_be_of_other_days(times: Sequence[Drawn]) -> None:
    for before, now in pairwise(times):
        if before.day == now.day:
            raise Refused(
                f"two studies with outlines of {now.day}",
                "a response is from day to day, and nothing says whether one has the lesions that the other lacks",
                "leave one of them out, or bring their outlines into one study",
            )


def _by(criteria: str, one: recist.Judged) -> recist.Judged:
    """The rule by the name of the criteria: those of mRECIST are RECIST's, of viable tumour and without 5 mm."""
    return replace(one, rule=one.rule.replace("RECIST 1.1", "mRECIST")) if criteria == "mRECIST" else one


def _ball(grid: Geometry, centre: tuple[float, float, float], radius: float) -> Any:
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), axis=-1)
    return np.linalg.norm((index - np.array(centre) / grid.spacing_mm) * grid.spacing_mm, axis=-1) <= radius


def _since_baseline(before: Sequence[Dated], therapy_began: str, remarks: list[str]) -> Sequence[Dated]:
    """The earlier studies from the baseline on: the last one before treatment, within four weeks (RECIST 1.1, 3.1).

    Where nobody says when treatment began, the oldest is the baseline.
    """
    if not therapy_began.strip():
        return before
    try:
        began = date.fromisoformat(therapy_began.strip())
    except ValueError:
        raise Refused(f"therapy_began '{therapy_began}'", "it is no day", "write it as 2026-03-02") from None
    start = max((n for n, one in enumerate(before) if one.day <= began), default=0)
    if start:
        older = ", ".join(str(one.day) for one in before[:start])
        remarks.append(f"outlines of {older} left out: they are from before the baseline of this treatment")
    baseline = before[start].day
    days = (began - baseline).days
    if days < 0:
        raise Refused(
            f"a baseline of {baseline}, {-days} days after treatment began",
            "response is counted from before treatment",
            "outline the study from before it",
        )
    if days > _BASELINE_DAYS:
        raise Refused(
            f"a baseline of {baseline}, {days} days before treatment began",
            f"RECIST 1.1 takes it from the last {_BASELINE_DAYS}: growth of that time would count as failure",
            "outline a scan of the four weeks before treatment",
        )
    return before[start:]


def _otherwise(times: Sequence[Drawn], scans: Mapping[str, Volume]) -> list[str]:
    """How the scan of now was made otherwise than that of the baseline."""
    first, last = (scans.get(times[k].study_uid) for k in (0, -1))
    if first is None or last is None:
        return []
    said = []
    thick = [float(v.facts.get("SliceThickness") or v.geometry.spacing_mm[0]) for v in (first, last)]
    if max(thick) > 1.5 * min(thick):
        said.append(
            f"slices of {thick[0]:g} mm at baseline and {thick[1]:g} mm now: a change below {2 * max(thick):g} mm may "
            "be that of the slices"
        )
    agent = [bool(contrast_agent(v.facts)) for v in (first, last)]
    if agent[0] is not agent[1]:
        said.append(
            f"contrast was given {'at baseline' if agent[0] else 'now'} only: lesions look larger or smaller in "
            "another phase"
        )
    phase = [contrast_phase(v.facts) for v in (first, last)]
    if all(phase) and phase[0] != phase[1]:
        said.append(
            f"{phase[0]} phase at baseline and {phase[1]} phase now: lesions look larger or smaller in another phase"
        )
    if first.facts.get("Modality", "") != last.facts.get("Modality", ""):
        said.append("another modality than at baseline: sizes are not to be compared")
    return said


def _doubts(
    followed: Sequence[Track],
    times: Sequence[Drawn],
    chosen: Sequence[int],
    named: bool,
    unseen: set[int],
    hidden: Sequence[set[int]],
    which: str,
) -> list[str]:
    outside = hidden[-1] - unseen
    said = [
        f"baseline is {times[0].day}, {which}; targets "
        + ("as named" if named else "are proposed: the largest measurable, at most five, two in an organ")
    ]
    if unseen:
        said.append(f"lesion {', '.join(str(n + 1) for n in sorted(unseen))} is not evaluated now, as named")
    if outside:
        numbers = ", ".join(str(n + 1) for n in sorted(outside))
        said.append(f"lesion {numbers} lies outside the images of {times[-1].day}: not evaluated, which is not gone")
    last = len(times) - 1
    absent = [n + 1 for n in range(len(followed)) if seen_in(followed, n, last) is None and n not in hidden[-1]]
    if absent:
        said.append(f"lesion {', '.join(map(str, absent))} is not outlined now and counts as gone: confirm it")
    for n in chosen:
        gone = [k for k in range(1, last) if seen_in(followed, n, k) is None and n not in hidden[k - 1]]
        if gone and seen_in(followed, n, last) is not None:
            label = times[0].regions[n].label or f"lesion {n + 1}"
            days = ", ".join(str(times[k].day) for k in gone)
            said.append(
                f"WARNING: target lesion {n + 1} is outlined now and was not on {days}: it counts as gone then, and "
                "the nadir as without it. Where that scan could not show it, say so: "
                f"not_evaluated='{label} on {times[gone[-1]].day}'"
            )
        seat = seen_in(followed, n, last)
        others = [
            m + 1 for m in range(len(followed)) if m not in chosen and seat is not None
            and seen_in(followed, m, last) == seat
        ]  # fmt: skip
        if others:
            said.append(
                f"WARNING: target lesion {n + 1} has grown together with lesion {', '.join(map(str, others))}, which "
                "is no target: the longest diameter of the whole counts in the sum (RECIST 1.1, 4.3.2), and whether "
                "it grew by more than that is for a person to say. Outline them apart where a border is seen"
            )
    if any(t.began == 0 and n not in chosen for n, t in enumerate(followed)):
        said.append("whether non-target lesions progress is for a person to say; they count as not progressing")
    if unsure := [n + 1 for n, t in enumerate(followed) if not t.sure]:
        said.append(f"match unsure for lesion {', '.join(map(str, unsure))}: confirm it")
    return said


def _near_a_limit(
    visits: Sequence[recist.Visit], times: Sequence[Drawn], followed: Sequence[Track], chosen: Sequence[int],
    absolute_mm: float,
) -> list[str]:  # fmt: skip
    """Whether the sum lies so near a limit that the borders of the outlines alone decide on which side."""
    first, now = visits[0], visits[-1]
    if not first.sum_mm or not now.sum_mm or not now.complete or now.all_gone:
        return []
    seen = [r for n in chosen for k in (0, -1) for i in followed[n].at[k] for r in [times[k].regions[i]]]
    # Each end of the comparison moves by 1/√2 of what their difference may.
    error = float(np.sqrt(sum(0.5 * border_length_mm(sorted(r.geometry.spacing_mm)[1]) ** 2 for r in seen)))
    nadir = min(v.sum_mm for v in visits[:-1] if v.sum_mm is not None and v.complete)
    by = "+20 %" if 0.2 * nadir >= absolute_mm else f"+{absolute_mm:g} mm, which is more than 20 %,"
    limits = {
        "a partial response (-30 % of baseline)": 0.7 * first.sum_mm,
        f"progression ({by} of the smallest sum)": nadir + max(0.2 * nadir, absolute_mm),
    }
    return [
        f"the sum of {now.sum_mm:.1f} mm lies {abs(now.sum_mm - limit):.1f} mm from the limit of {what}, "
        f"{limit:.1f} mm: the borders of the outlines alone may move it by {error:.1f} mm, to either side"
        for what, limit in limits.items()
        if nadir > 0 and abs(now.sum_mm - limit) < error
    ]


def _normal_nodes(
    followed: Sequence[Track], times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]],
    chosen: Sequence[int],
) -> list[str]:  # fmt: skip
    """Nodes that are no lesions for their size, and those that were none at baseline and are now."""
    last = len(times) - 1
    others = [(n, t) for n, t in enumerate(followed) if n not in chosen]
    then = [n for n, t in others if t.began == 0 and normal_node(t, 0, times, sized)]
    now = [n for n, t in others if n not in then and normal_node(t, last, times, sized)]
    grown = [n for n in then if followed[n].at[last] and not normal_node(followed[n], last, times, sized)]
    said = []
    if then:
        said.append(f"lesion {_numbers(then)} was a normal node at baseline (short axis below 10 mm) and is no lesion")
    if now:
        said.append(f"lesion {_numbers(now)} is a normal node now (short axis below 10 mm): neither new nor left")
    if grown:
        said.append(
            f"WARNING: lesion {_numbers(grown)} was a normal node at baseline and has 10 mm or more now: whether that "
            "is progression is for a person to say"
        )
    return said


def _numbers(places: Sequence[int]) -> str:
    return ", ".join(str(n + 1) for n in places)


def _lesions(
    times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]], followed: Sequence[Track],
    chosen: Sequence[int], ct: bool,
) -> list[Finding]:  # fmt: skip
    found = []
    last = len(times) - 1
    counted = {seen_in(followed, n, last) for n in chosen}
    for n, track in enumerate(followed):
        # The same lesion has the same identity whichever later study is asked.
        first = times[track.began]
        key = digest_of([first.study_uid, track.at[track.began][0], "lesion"])
        for part, i in enumerate(track.at[last]):
            size = sized[last][i]
            said = [
                Measurement(codes.LONG_AXIS, size.axes.long_mm, "mm", definition=f"RECIST 1.1, {size.axes.plane}"),
                Measurement(codes.SHORT_AXIS, size.axes.short_mm, "mm", definition="perpendicular in the same slice"),
                _volume(size, sized[track.began][track.at[track.began][0]], ct),
            ]
            words = _words(n, followed, times, sized, n in counted)
            if track.began == last and normal_node(track, last, times, sized):
                words = words.replace("a new lesion", "a node of normal size, which is no new lesion")
            if track.began < last:
                joined = _joined_to(n, followed, last)
                then = sum(recorded_mm(t, t.began, times, sized) for t in (track, *joined))
                change = 100.0 * (recorded_mm(track, last, times, sized) / then - 1.0)
                with_ = ", of the whole against the sum of what has grown together" if joined else ""
                said.append(Measurement(FROM_BASELINE, change, "%", definition=f"recorded diameter{with_}"))
                said += _doubling(n, followed, times, sized)
            found.append(
                Finding(
                    codes.LESION,
                    where=times[last].regions[i],
                    measurements=tuple(said),
                    words=words,
                    tracking=f"2.25.{int(key[:31], 16) + part}",
                )
            )
    return found


def _volume(size: volumetry.Extent, then: volumetry.Extent, ct: bool) -> Measurement:
    share = next((s for low, high, s in _QIBA_VOLUME if low <= then.axes.long_mm < high), None) if ct else None
    least = None if share is None else share * then.volume_ml
    definition = "voxel counting" + ("" if least is None else "; smallest change by QIBA CT volumetry 2018")
    return Measurement(codes.VOLUME, size.volume_ml, "mL", definition=definition, smallest_change=least)


def _joined_to(n: int, followed: Sequence[Track], k: int) -> list[Track]:
    """All lesions that have grown together with one until a time, also by way of another."""
    return [t for m, t in enumerate(followed) if m != n and not t.at[k] and seen_in(followed, m, k) == n]


def _doubling(
    n: int, followed: Sequence[Track], times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]]
) -> list[Measurement]:
    """Of a lesion with all that it has grown together with since, which grew only by what the whole gained.

    None where the volume has changed by less than a quarter, and by less than the border may move it: any time would be
    one of noise.
    """
    seen = [k for k, at in enumerate(followed[n].at) if at]
    before, now = seen[-2:] if len(seen) > 1 else (seen[-1], seen[-1])
    joined = [t for t in followed if t.merged_into == n and t.merged_at is not None and before < t.merged_at <= now]
    if any(not t.at[before] for t in joined):
        return []  # measured at another time than the rest
    then = [i for t in (followed[n], *joined) for i in t.at[before]]
    places = [(before, i) for i in then], [(now, i) for i in followed[n].at[now]]
    small, large = (sum(sized[k][i].volume_ml for k, i in side) for side in places)
    surface = sum(sized[k][i].surface_mm2 for side in places for k, i in side) / 2.0
    step = max(times[k].regions[i].geometry.voxel_volume_mm3 for side in places for k, i in side) ** (1 / 3)
    days = (times[now].day - times[before].day).days
    if days <= 0 or abs(large - small) <= min(border_volume_ml(surface, step), _GROWTH * small):
        return []
    value = doubling_time_days(small, large, days)
    return [Measurement(DOUBLING, value, "d", definition="since the study before; negative: halving")]


def _words(
    n: int, followed: Sequence[Track], times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]], target: bool
) -> str:
    track, last = followed[n], len(times) - 1
    label = times[track.began].regions[track.at[track.began][0]].label
    now = recorded_mm(track, last, times, sized)
    said = (
        f"Lesion {n + 1}"
        + (f" ({label})" if label else "")
        + f", {'target' if target else 'not a target'}: {now:.0f} mm"
    )
    if track.began == last:
        return f"{said}, a new lesion."
    before = next(k for k in range(last - 1, -1, -1) if track.at[k])
    was = recorded_mm(track, before, times, sized)
    event = ", has split" if len(track.at[last]) > len(track.at[before]) else ""
    if joined := [str(k + 1) for k, other in enumerate(followed) if other.merged_into == n]:
        event += f", has grown together with lesion {', '.join(joined)}"
    return f"{said}, was {was:.0f} mm on {times[before].day}{event}{'' if track.sure else ', match unsure'}."


def _current(
    now: recist.Judged, targets: str, visits: Sequence[recist.Visit], criteria: str, density: Sequence[Measurement]
) -> Finding:
    said: list[Measurement] = list(density)
    first, last = visits[0], visits[-1]
    if first.sum_mm and last.sum_mm is not None and last.complete:
        # A visit that a target is missing from has a smaller sum, which was never measured.
        nadir = min(v.sum_mm for v in visits[:-1] if v.sum_mm is not None and v.complete)
        said.append(Measurement(SUM, last.sum_mm, "mm", definition=criteria))
        said.append(Measurement(FROM_BASELINE, 100.0 * (last.sum_mm / first.sum_mm - 1), "%", definition="sum"))
        if nadir > 0:
            said.append(Measurement(FROM_NADIR, 100.0 * (last.sum_mm / nadir - 1), "%", definition="sum"))
    said.append(Measurement(NEW, last.new_count, "{counts}", definition="since baseline, still there"))
    words = f"{criteria}: {now.response} ({now.rule}): {now.why}.{targets}"
    return Finding(CURRENT, measurements=tuple(said), words=words)


def _curve(
    times: Sequence[Drawn], sized: Sequence[Sequence[volumetry.Extent]], followed: Sequence[Track],
    visits: Sequence[recist.Visit], unseen: set[int],
) -> Curve:  # fmt: skip
    """Sizes over the days. A lesion that some scan could not show has no line: there, zero would be gone."""
    lines: dict[str, tuple[float, ...]] = {}
    if visits[0].sum_mm is not None and all(v.complete for v in visits):
        lines["sum of targets"] = tuple(float(v.sum_mm or 0.0) for v in visits)
    shown = [n for n in range(len(followed)) if n not in unseen]
    for n in shown[:8]:  # a picture of more lines cannot be read; the findings have them all
        seats = [seen_in(followed, n, k) for k in range(len(times))]  # where it has grown together, the whole
        lines[f"lesion {n + 1}"] = tuple(
            0.0 if seat is None else float(recorded_mm(followed[seat], k, times, sized)) for k, seat in enumerate(seats)
        )
    return Curve("Lesions over time", tuple(float(v.day) for v in visits), "days from baseline", "d", lines, "mm")
