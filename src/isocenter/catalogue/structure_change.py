"""Any segmentation at two times: what has grown, shrunk, come and gone, and whether that is more than error."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import Any, ClassVar

import numpy as np

from isocenter.analysis.need import Dated, Need
from isocenter.analysis.protocol import Answer, Limits, Yield
from isocenter.catalogue import in_one_space
from isocenter.catalogue.contrast_agent import contrast_agent, contrast_phase
from isocenter.catalogue.in_one_space import Drawn, is_cut, mask_of
from isocenter.errors import Refused
from isocenter.methods import detectable_change, volumetry
from isocenter.methods.lesion_matching import doubling_time_days, match
from isocenter.record import Code, Curve, Finding, Measurement, codes, digest_of
from isocenter.space import Geometry, Region, Volume

__all__ = ["CHANGE", "DOUBLING", "StructureChange"]

CHANGE = Code("change", "99ISO", "Change since the earlier study")
DOUBLING = Code("doubling-time", "99ISO", "Volume doubling time")
SHIFT = Code("centre-shift", "99ISO", "Displacement of the centre")
# Units in which a value means the same at both times; Bq/mL follows the dose, and MR intensity the scanner.
_ABSOLUTE = ("[hnsf'U]", "g/ml", "s", "ms", "1/s")
_COUNTED = "voxel counting"
_COARSER = 2.0  # slices so many times as far apart as they were make another measurement of it


class StructureChange:
    """What has changed in the segmented structures since the earlier study, and is it more than error?"""

    name, version = "structure_change", "13"
    needs: ClassVar[Mapping[str, Need]] = {
        "structures": Need(modality=("SEG", "RTSTRUCT"), gives="regions", dated=True),
        "before": Need(modality=("SEG", "RTSTRUCT"), gives="regions", earlier="last"),
        "image": Need(modality=("CT", "MR", "PT"), optional=True, dated=True),
        "image_before": Need(modality=("CT", "MR", "PT"), earlier="last", optional=True),
    }
    yields = (Yield(what=codes.STRUCTURE, units=("mL", "mm", "mm2", "%", "d", "{ratio}", *_ABSOLUTE)),)
    limits = Limits(seconds=300.0, memory_mib=6144)
    about: ClassVar[Mapping[str, Any]] = {
        "intended_use": "Compare structures that were outlined in the same way at two times.",
        "not_for": "Response to treatment by rule (see lesion_response); outlines of different readers or programs, "
        "whose differences are larger than the smallest change stated here.",
        "sources": ("Bland & Altman 1996", "de Vet 2006", "QIBA terms (Raunig 2015)"),
        "limits": (
            "The smallest change covers the error of drawing a border on voxels: two readers, or two programs, "
            "differ by more.",
            "One rigid registration cannot follow what bends or breathes.",
        ),
        "level": "verified on balls of known size; error model stated, not validated",
    }

    def run(
        self,
        structures: Dated,
        before: Dated,
        image: Dated | None,
        image_before: Dated | None,
        *,
        named: str = "",
        variation_percent: float = 0.0,
        reach_mm: float = 10.0,
        across_modalities: bool = False,
    ) -> Answer:
        """Pair structures by code and name, the rest by place, and measure both times in the same way.

        Args:
            structures: of this study. before: of the newest earlier one that has any.
            image, image_before: to register by where frames of reference differ, and to measure values in.
            named: take only structures whose name has this word.
            variation_percent: within-subject coefficient of variation of the volume from a test and retest of one's
                own; 0: the smallest change is taken from the border.
            reach_mm: how far a structure without a name in common may have moved beyond the error of registration.
            across_modalities: compare also what was outlined on a CT with what was outlined on MR or PET.

        Raises:
            Refused: without structures at both times, where they cannot be brought into one space, where those of one
                time are coded as other parts of the body than those of the other, or images are of two modalities.
        """
        if not 0.0 <= variation_percent < 100.0:
            raise Refused(
                f"a variation of {variation_percent:g} %", "it lies between 0 and 100 %", "give a number between these"
            )
        remarks: list[str] = []
        scans = {one.study_uid: one.volume for one in (image, image_before) if one is not None}
        now, then = (
            _chosen(in_one_space.drawn(one, scan=scans.get(one.study_uid), remarks=remarks), named)
            for one in (structures, before)
        )
        if not across_modalities:
            _must_be_of_one_modality(then, now, scans)
        _must_have_something_in_common(then, now)
        pairs = _by_tracking(then, now)
        pairs += _by_code(then, now, pairs)
        pairs += _by_name(then, now, pairs)
        matrix, error = None, 0.0
        try:
            places = in_one_space.spaces([then, now], scans, remarks)
            matrix, error = places[0]
        except Refused as why:
            if len(pairs) < min(len(then.regions), len(now.regions)):
                raise
            remarks.append(f"structures were paired by code and name alone: {why}")
        else:
            pairs = _not_exchanged(pairs, then, now, matrix, reach_mm + error, remarks)
            remarks += in_one_space.cut_otherwise([then, now], places)
        paired = ({i for was, _, _ in pairs for i in was}, {j for _, is_now, _ in pairs for j in is_now})
        rest = [[i for i in range(len(t.regions)) if i not in p] for t, p in zip((then, now), paired, strict=True)]
        pairs += _by_place(then, now, rest, matrix, reach_mm + error)
        remarks += _coded_otherwise(then, now)
        sized = [[volumetry.measure(r) for r in t.regions] for t in (then, now)]
        counted = _COUNTED
        occupied = [s.occupied_ml for sizes in sized for s in sizes]
        if all(ml is not None for ml in occupied):
            counted = "sum of fractions (occupancy)"
            sized = [[replace(s, volume_ml=s.occupied_ml or s.volume_ml) for s in sizes] for sizes in sized]
        elif any(ml is not None for ml in occupied):
            remarks.append("fractions of voxels at one time only: voxels that are filled by half and more are counted")
        remarks += [*_doubts(then, now), *_contrast(scans.get(then.study_uid), scans.get(now.study_uid))]
        case = _Case(then, now, sized[0], sized[1], matrix, scans, variation_percent / 100.0, counted)
        found = [_finding(case, was, is_now, sure=sure) for was, is_now, sure in pairs]
        return Answer.found(*found, curves=(_curve(case, pairs),), reasons=tuple(remarks))

    @classmethod
    def examples(cls) -> Iterator[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        """A ball that doubles its volume, and one that stays: (inputs, truth) pairs for ``isocenter check``."""
        grid = Geometry.regular(shape=(30, 50, 50), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.7")

        def on(day: int, *balls: tuple[tuple[float, float, float], float, str], of: Geometry = grid) -> Dated:
            place = np.stack(np.meshgrid(*(np.arange(n) for n in of.shape), indexing="ij"), axis=-1) * 2.0
            regions = tuple(Region(of, mask=np.linalg.norm(place - c, axis=-1) <= r, label=n) for c, r, n in balls)
            return Dated(f"2.25.{day + 1}", date(2026, 1, 1) + timedelta(days=day), regions)

        ball, other = (30.0, 50.0, 40.0), (30.0, 50.0, 76.0)
        first = on(0, (ball, 12.0, "nodule"), (other, 10.0, "cyst"))
        none = {"image": None, "image_before": None}
        yield (
            {
                "structures": on(90, (ball, 12.0 * 2 ** (1 / 3), "nodule"), (other, 10.0, "cyst")),
                "before": first,
                **none,
            },
            {"answer": "found", "findings": 2, "measurements": {str(DOUBLING): (90.0, 4.0), str(CHANGE): (0.0, 0.0)}},
        )
        moved = on(90, ((30.0, 50.0, 42.0), 12.0, ""), (other, 10.0, "cyst"))
        yield {"structures": moved, "before": first, **none}, {"answer": "found", "words": "within the error"}
        elsewhere = on(90, (ball, 12.0, "a"), of=replace(grid, frame_of_reference="2.25.8"))
        yield (
            {"structures": elsewhere, "before": first, **none},
            {"answer": "declined", "words": "frames of reference differ"},
        )


Pair = tuple[tuple[int, ...], tuple[int, ...], bool]


@dataclass(frozen=True, eq=False)
class _Case:
    """Both times with what was measured of them."""

    then: Drawn
    now: Drawn
    sized_then: Sequence[volumetry.Extent]
    sized_now: Sequence[volumetry.Extent]
    matrix: Any
    scans: Mapping[str, Volume]
    variation: float
    counted: str

    @property
    def days(self) -> int:
        """Between the two studies."""
        return (self.now.day - self.then.day).days


def _chosen(time: Drawn, named: str) -> Drawn:
    kept = tuple(r for r in time.regions if named.casefold() in r.label.casefold())
    if not kept:
        there = ", ".join(r.label or "unnamed" for r in time.regions)
        raise Refused(
            f"no structure named '{named}' on {time.day}",
            f"there are {there}",
            "name one of these, or outline it at that visit too",
        )
    return replace(time, regions=kept)


def _must_be_of_one_modality(then: Drawn, now: Drawn, scans: Mapping[str, Volume]) -> None:
    kinds = []
    for time in (then, now):
        scan = scans.get(time.study_uid)
        on = {r.series_uid for r in time.regions}
        kinds.append(str(scan.facts.get("Modality") or "") if scan is not None and scan.series_uid in on else "")
    if all(kinds) and kinds[0] != kinds[1]:
        raise Refused(
            f"outlines on {kinds[0]} then and on {kinds[1]} now",
            "a border lies elsewhere on images of another modality, and the smallest change does not cover that",
            "compare studies of one modality, or set across_modalities=yes",
        )


def _others(one: Region, other: Region) -> bool:
    """Whether two structures are coded as two parts of the body."""
    return bool(one.coded and other.coded) and one.coded != other.coded


def _must_have_something_in_common(then: Drawn, now: Drawn) -> None:
    if all(_others(a, b) for a in then.regions for b in now.regions):
        told = [", ".join(f"'{r.label}' ({r.coded})" for r in time.regions) for time in (then, now)]
        raise Refused(
            f"outlined then: {told[0]}; now: {told[1]}",
            "their codes name other parts of the body, so that nothing of one is in the other",
            "outline the same structure at both times, or correct its code",
        )


def _by_tracking(then: Drawn, now: Drawn) -> list[Pair]:
    """Structures that whoever outlined them knows by one Tracking UID, wherever they lie and whatever their names."""
    alike = _alone_in_both(*([r.tracking for r in time.regions] for time in (then, now)))
    return [pair for pair in alike if not _others(then.regions[pair[0][0]], now.regions[pair[1][0]])]


def _by_code(then: Drawn, now: Drawn, paired: Sequence[Pair]) -> list[Pair]:
    """Of the others, structures whose code of a part of the body stands once in each study, whatever their names."""
    return _alone_in_both(*_of_the_others(then, now, paired, lambda r: r.coded))


def _by_name(then: Drawn, now: Drawn, paired: Sequence[Pair]) -> list[Pair]:
    """Of the others, structures whose name stands once in each study, unless they are coded as two things."""
    alike = _alone_in_both(*_of_the_others(then, now, paired, lambda r: r.label.strip().casefold()))
    return [pair for pair in alike if not _others(then.regions[pair[0][0]], now.regions[pair[1][0]])]


def _of_the_others(
    then: Drawn, now: Drawn, paired: Sequence[Pair], word: Callable[[Region], str]
) -> list[list[str]]:  # fmt: skip
    """What structures are called at both times; empty for those that are paired."""
    taken = {i for was, _, _ in paired for i in was}, {j for _, is_now, _ in paired for j in is_now}
    return [
        ["" if i in kept else word(r) for i, r in enumerate(time.regions)]
        for time, kept in zip((then, now), taken, strict=True)
    ]


def _alone_in_both(then: list[str], now: list[str]) -> list[Pair]:
    return [((then.index(n),), (j,), True) for j, n in enumerate(now) if n and then.count(n) == 1 and now.count(n) == 1]


def _coded_otherwise(then: Drawn, now: Drawn) -> list[str]:
    """Names that stand at both times for what is coded as two parts of the body: they were not believed."""
    held = {r.label.strip().casefold(): r for r in then.regions if r.coded}
    told = [r.label for r in now.regions if (was := held.get(r.label.strip().casefold())) and _others(was, r)]
    if not told:
        return []
    names = ", ".join(f"'{n}'" for n in told)
    return [f"{names}: coded as another part of the body than then: not compared by name"]


def _not_exchanged(
    pairs: list[Pair], then: Drawn, now: Drawn, matrix: Any, reach_mm: float, remarks: list[str]
) -> list[Pair]:  # fmt: skip
    """Pairs by name without those of which the place says another: a program numbered its lesions anew.

    A name is not believed where its structure lies out of reach of where it was, and another was there.
    """
    old = np.array([(matrix @ np.array([*r.centre_mm, 1.0]))[:3] for r in then.regions])
    kept, dropped = [], []
    for was, is_now, sure in pairs:
        region = now.regions[is_now[0]]
        away = np.linalg.norm(old - region.centre_mm, axis=1)
        reach = max(reach_mm, in_one_space.radius_mm(region.volume_ml))
        coded = region.coded and region.coded == then.regions[was[0]].coded
        if away[was[0]] > reach and away.min() <= reach and not coded:
            dropped.append(region.label)
        else:
            kept.append((was, is_now, sure))
    if dropped:
        names = ", ".join(f"'{n}'" for n in dropped)
        remarks.append(
            f"{names}: now where another structure was, as if numbered anew: paired by place and not by name"
        )
    return kept


def _by_place(then: Drawn, now: Drawn, rest: list[list[int]], matrix: Any, reach_mm: float) -> list[Pair]:
    if matrix is None or not (rest[0] and rest[1]):
        return [*(((i,), (), True) for i in rest[0]), *(((), (j,), True) for j in rest[1])]
    parts = [replace(t, regions=tuple(t.regions[i] for i in kept)) for t, kept in zip((then, now), rest, strict=True)]
    old, new = in_one_space.spots(parts, [(matrix, 0.0), (np.eye(4), 0.0)])
    links = match(old, new, reach_mm=reach_mm)
    found: list[Pair] = []
    for link in links:
        was, is_now = tuple(rest[0][i] for i in link.before), tuple(rest[1][j] for j in link.now)
        if any(_others(then.regions[i], now.regions[j]) for i in was for j in is_now):
            found += [*(((i,), (), True) for i in was), *(((), (j,), True) for j in is_now)]
        else:
            found.append((was, is_now, link.sure))
    return found


def _doubts(then: Drawn, now: Drawn) -> list[str]:
    steps = [max(max(r.geometry.spacing_mm) for r in t.regions) for t in (then, now)]
    if max(steps) > _COARSER * min(steps):
        return [
            f"voxels of {steps[0]:g} mm then and {steps[1]:g} mm now: part of a change may be that of the grid, and "
            "the smallest change is that of the coarser one"
        ]
    return []


def _contrast(before: Volume | None, now: Volume | None) -> list[str]:
    """Whether contrast was given at one time only, or seen in another phase: borders and values are then others."""
    if before is None or now is None:
        return []
    given = [bool(contrast_agent(v.facts)) for v in (before, now)]
    then, since = (contrast_phase(v.facts) for v in (before, now))
    if given[0] == given[1]:
        if not (then and since and then != since):
            return []
        return [f"{then} phase then and {since} phase now: borders and values may differ by that"]
    return [f"contrast was given {'now' if given[1] else 'then'} alone: borders and values may differ by that"]


def _together(sizes: Sequence[volumetry.Extent], places: Sequence[int]) -> tuple[float, float, float]:
    """(volume mL, surface mm2, longest axis mm) of the parts of one structure."""
    mine = [sizes[i] for i in places]
    return (
        sum(s.volume_ml for s in mine),
        sum(s.surface_mm2 for s in mine),
        max(s.axes.long_mm for s in mine),
    )


def _ml(volume: float) -> str:
    """A volume in words: a lesion of 3 mm is 0.014 mL, and not 0.0 mL.

    >>> _ml(12.34), _ml(2.216), _ml(0.0141)
    ('12.3 mL', '2.22 mL', '0.0141 mL')
    """
    return f"{volume:.1f} mL" if volume >= 10 else f"{volume:#.3g} mL"


def _finding(case: _Case, was: Sequence[int], is_now: Sequence[int], *, sure: bool) -> Finding:
    if not is_now:
        gone = [case.then.regions[i].label or f"structure {i + 1}" for i in was]
        size = _together(case.sized_then, was)[0]
        return Finding(
            codes.STRUCTURE, words=f"{', '.join(gone)}: not outlined now, was {_ml(size)} on {case.then.day}."
        )
    region = case.now.regions[is_now[0]]
    label = region.label or f"structure {is_now[0] + 1}"
    volume, surface, long = _together(case.sized_now, is_now)
    first = (case.then.study_uid, was[0]) if was else (case.now.study_uid, is_now[0])
    tracking = f"2.25.{int(digest_of([*first, 'structure'])[:31], 16)}"
    if not was:
        said = (Measurement(codes.VOLUME, volume, "mL", definition=case.counted),)
        return Finding(codes.STRUCTURE, where=region, measurements=said, words=f"{label}: {_ml(volume)}, new.",
                       tracking=tracking)  # fmt: skip
    old_volume, old_surface, old_long = _together(case.sized_then, was)
    sides = [case.then.regions[i] for i in was] + [case.now.regions[j] for j in is_now]
    ends = [case.then.regions[was[0]].geometry, region.geometry]
    step = max(r.geometry.voxel_volume_mm3 for r in sides) ** (1 / 3)
    if case.variation:
        least = detectable_change.from_variation((volume + old_volume) / 2.0, case.variation)
        by = f"smallest change by a variation of {100 * case.variation:g} %"
    else:
        least = detectable_change.border_volume_ml((surface + old_surface) / 2.0, step)
        by = f"smallest change by a border known to half a voxel of {step:.1f} mm"
    plane = case.sized_now[is_now[0]].axes.plane
    grid = detectable_change.grid_volume_ml((surface + old_surface) / 2.0, [g.affine[:3, :3] for g in ends])
    length = _smallest_length_mm(sides, min(long, old_long))
    both = ((case.then, was), (case.now, is_now))
    if cut := [t.day for t, mine in both if any(is_cut(t.regions[i], case.scans.get(t.study_uid)) for i in mine)]:
        where_cut = " and ".join(map(str, cut))
        words = (
            f"{label}: {_ml(volume)}, was {_ml(old_volume)} on {case.then.day}, as far as it was imaged; it "
            f"reaches the edge of the images of {where_cut}: no change of its size is given"
        )
        part = Measurement(codes.VOLUME, volume, "mL", definition=f"{case.counted}, as far as it was imaged")
        return Finding(codes.STRUCTURE, where=region, measurements=(part,), words=f"{words}.", tracking=tracking)
    change = volume - old_volume
    share = 100.0 * change / old_volume
    real = abs(change) > least
    measured = [
        Measurement(codes.VOLUME, volume, "mL", definition=f"{case.counted}; {by}", smallest_change=least),
        Measurement(CHANGE, change, "mL", definition=f"volume; {by}", smallest_change=least),
        Measurement(CHANGE, share, "%", definition="volume", smallest_change=100.0 * least / old_volume),
        Measurement(codes.LONG_AXIS, long, "mm", definition=f"RECIST 1.1, {plane}, largest part",
                    smallest_change=length),
        Measurement(CHANGE, long - old_long, "mm", definition="long axis",
                    smallest_change=length),
    ]  # fmt: skip
    words = f"{label}: {_ml(volume)}, was {_ml(old_volume)} on {case.then.day} ({share:+.0f} %)"
    if real:
        words += f", more than the smallest detectable change of {_ml(least)}"
        if case.days > 0:
            days = doubling_time_days(old_volume, volume, case.days)
            measured.append(Measurement(DOUBLING, days, "d", definition="negative: halving"))
            words += f"; {'doubles' if days > 0 else 'halves'} in {abs(days):.0f} days"
    else:
        words += f", within the error of measurement ({_ml(least)})"
        if case.counted == _COUNTED and abs(change) > grid:
            words += f", though more than the voxels alone would move it ({_ml(grid)}): it may be real"
    if len(was) > 1 or len(is_now) > 1:
        words += f"; {len(was)} then, {len(is_now)} now"
    measured += _placed(case, was, is_now)
    measured += _values(case, was, is_now)
    return Finding(
        codes.STRUCTURE, where=region, measurements=tuple(measured), tracking=tracking,
        words=words + ("." if sure else "; match unsure, confirm it."),
    )  # fmt: skip


def _smallest_length_mm(sides: Sequence[Region], long_mm: float) -> float:
    """Smallest detectable change of a long axis, which lies in the planes of measurement of every grid."""
    along = [volumetry.measured_across(r) for r in sides]
    grids = [r.geometry for r in sides]
    return detectable_change.border_length_mm(
        max(mm for g, axis in zip(grids, along, strict=True) for i, mm in enumerate(g.spacing_mm) if i != axis),
        slice_mm=max(g.spacing_mm[axis] for g, axis in zip(grids, along, strict=True)),
        long_mm=long_mm,
    )


def _placed(case: _Case, was: Sequence[int], is_now: Sequence[int]) -> list[Measurement]:
    """How far the centre has moved, where both times are in one space."""
    if case.matrix is None or len(was) != 1 or len(is_now) != 1:
        return []
    old = case.matrix @ np.array([*case.then.regions[was[0]].centre_mm, 1.0])
    moved = float(np.linalg.norm(old[:3] - case.now.regions[is_now[0]].centre_mm))
    return [Measurement(SHIFT, moved, "mm", definition="after registration, centre of mass")]


def _values(case: _Case, was: Sequence[int], is_now: Sequence[int]) -> list[Measurement]:
    """Mean value within the structure and its change, where the unit of the images means the same at both times."""
    means = []
    for time, places in ((case.then, was), (case.now, is_now)):
        scan = case.scans.get(time.study_uid)
        if scan is None or scan.unit not in _ABSOLUTE or scan.axes:
            return []
        values = np.concatenate([_within(scan, time.regions[i]) for i in places])
        if not len(values) or not np.isfinite(values).all():
            return []
        means.append((float(values.mean(dtype=np.float64)), scan.unit, scan.quantity))
    if means[0][1:] != means[1][1:]:
        return []
    unit, quantity = means[1][1:]
    return [
        Measurement(codes.MEAN, means[1][0], unit, definition=quantity),
        Measurement(CHANGE, means[1][0] - means[0][0], unit, definition=f"mean {quantity}"),
    ]


def _within(scan: Volume, region: Region) -> Any:
    """Values of an image in a region of its own voxels, which may hold fewer slices; none where they are others, or
    the region was drawn on another series.
    """
    if scan.series_uid and region.series_uid and scan.series_uid != region.series_uid:
        return np.empty(0)
    index = scan.geometry.to_index(region.geometry.to_patient(np.argwhere(mask_of(region))))
    at = np.round(index).astype(int)
    if np.abs(index - at).max() > 0.02 or (at < 0).any() or (at >= scan.geometry.shape).any():
        return np.empty(0)
    return scan.array[tuple(at.T)]


def _curve(case: _Case, pairs: Sequence[Pair]) -> Curve:
    lines: dict[str, tuple[float, ...]] = {}
    for was, is_now, _ in pairs[:12]:  # more lines cannot be read; the findings have them all
        region = case.now.regions[is_now[0]] if is_now else case.then.regions[was[0]]
        name = region.label or f"structure {len(lines) + 1}"
        lines[name if name not in lines else f"{name} ({len(lines) + 1})"] = (
            _together(case.sized_then, was)[0] if was else 0.0,
            _together(case.sized_now, is_now)[0] if is_now else 0.0,
        )
    return Curve("Volume over time", (0.0, float(case.days)), "days from the earlier study", "d", lines, "mL")
