"""Choi's response of a patient from outlines and CT: what tumours weigh in the picture beside how long they are."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from isocenter.catalogue.contrast_agent import contrast_agent, contrast_phase
from isocenter.catalogue.in_one_space import Drawn, mask_of
from isocenter.catalogue.mask_grid import OtherGrid, laid
from isocenter.catalogue.virtual_ct import virtual_image
from isocenter.errors import Refused
from isocenter.methods import recist
from isocenter.methods.lesion_matching import Track, seen_in
from isocenter.record import Code, Measurement
from isocenter.space import Region, Volume

__all__ = ["Answered", "answered"]

ATTENUATION = Code("target-attenuation", "99ISO", "Mean attenuation of target lesions")
ATTENUATION_CHANGE = Code("target-attenuation-change", "99ISO", "Change of attenuation from baseline")

_ORDER = ("CR", "PR", "SD", "PD", "NE")


@dataclass(frozen=True)
class Answered:
    """The response now, the best one until progression, the densities that they are made of, and remarks on them."""

    now: recist.Judged
    best: recist.Judged
    measurements: tuple[Measurement, ...]
    remarks: tuple[str, ...] = ()


def answered(
    times: Sequence[Drawn],
    scans: Mapping[str, Volume],
    followed: Sequence[Track],
    chosen: Sequence[int],
    visits: Sequence[recist.Visit],
    other_grid: OtherGrid = "refuse",
) -> Answered:
    """Response by Choi at the last time and the best of all times.

    Args:
        times: outlines, the baseline first. scans: study UID -> CT in HU.
        followed: lesions through the times; `chosen`: which are targets.
        visits: their sums.

    Raises:
        Refused: without targets, where one lies on coarser voxels than the CT, without CT in HU at a time, where
            contrast was given at one time only, where the CTs are of phases that their series name otherwise, or where
            one is a virtual image of another energy or material than the others.
    """
    if not chosen:
        raise Refused("Choi without target lesions", "size and density are those of targets", "name the targets")
    remarks: list[str] = []
    hu = [_density(time, scans, followed, chosen, k, other_grid, remarks) for k, time in enumerate(times)]
    _must_be_of_one_phase(times, scans)
    remarks += _voltages(times, scans)
    judged: list[tuple[int, recist.Judged]] = []
    assert hu[0] is not None and visits[0].sum_mm is not None
    for visit, density in zip(visits[1:], hu[1:], strict=True):
        if visit.sum_mm is None or not visit.complete:
            judged.append((visit.day, recist.Judged("NE", "Choi 2007", "a target was not evaluated")))
            continue
        now_hu = hu[0] if density is None else density
        gone = visit.all_gone and visit.non_target in ("CR", "none")
        one = recist.choi(visits[0].sum_mm, visit.sum_mm, hu[0], now_hu, new=visit.new, gone=gone)
        if visit.non_target == "PD":
            one = recist.Judged("PD", "Choi 2007, progression", "non-targets progress")
        judged.append((visit.day, one))
    until = next((n + 1 for n, (_, one) in enumerate(judged) if one.response == "PD"), len(judged))
    day, best = min(judged[:until], key=lambda pair: _ORDER.index(pair[1].response))
    said = []
    if (density := hu[-1]) is not None:
        how = "mean of the targets' means, Choi 2007"
        said = [
            Measurement(ATTENUATION, density, "[hnsf'U]", definition=how),
            Measurement(ATTENUATION_CHANGE, 100.0 * (density / hu[0] - 1.0), "%", definition=how),
        ]
    best = recist.Judged(best.response, best.rule, f"day {day}: {best.why}")
    return Answered(judged[-1][1], best, tuple(said), tuple(remarks))


def _density(
    time: Drawn,
    scans: Mapping[str, Volume],
    followed: Sequence[Track],
    chosen: Sequence[int],
    k: int,
    other_grid: OtherGrid,
    remarks: list[str],
) -> float | None:
    """Mean over the targets of their mean attenuation; None where none is outlined."""
    seats = {seat for n in chosen if (seat := seen_in(followed, n, k)) is not None}
    there = [[time.regions[i] for i in followed[n].at[k]] for n in sorted(seats)]
    if not there:
        return None
    scan = scans.get(time.study_uid)
    if scan is None or scan.unit != "[hnsf'U]":
        raise Refused(
            f"Choi criteria without a CT of {time.day}",
            "tumour density in HU is one of their two halves",
            "send the CT of the portal venous phase on which the lesions were outlined, or choose RECIST 1.1",
        )

    def values(region: Region) -> npt.NDArray[np.float64]:
        moved, told = laid(region, scan.geometry, other_grid, mean=True)
        remarks.extend(f"{time.day}: {one}" for one in told)
        return _values(scan, moved)

    return float(np.mean([np.mean(np.concatenate([values(r) for r in parts])) for parts in there]))


def _values(scan: Volume, region: Region) -> npt.NDArray[np.float64]:
    values = scan.array.reshape(scan.geometry.shape)[mask_of(region)]
    if not values.size:
        raise Refused(
            f"lesion '{region.label}' has no voxel on the CT", "it was outlined elsewhere", "outline it on this CT"
        )
    return np.asarray(values, np.float64)


def _must_be_of_one_phase(times: Sequence[Drawn], scans: Mapping[str, Volume]) -> None:
    given = {time.day: bool(contrast_agent(scans[time.study_uid].facts)) for time in times if time.study_uid in scans}
    without = [str(day) for day, agent in given.items() if not agent]
    if without and any(given.values()):
        raise Refused(
            f"contrast was not given on {', '.join(without)} but on the other days",
            "density with and without contrast is not to be compared",
            "compare scans of the same phase, or choose RECIST 1.1",
        )
    named = {time.day: contrast_phase(scans[time.study_uid].facts) for time in times if time.study_uid in scans}
    if len(set(named.values()) - {""}) > 1:
        raise Refused(
            f"phases {', '.join(f'{phase} on {day}' for day, phase in named.items() if phase)}",
            "lesions are brighter or darker from one phase to the next, whether they answer or not",
            "outline the portal venous phase of every time, or choose RECIST 1.1",
        )
    kinds = {time.day: virtual_image(scans[time.study_uid].facts) for time in times if time.study_uid in scans}
    if len(set(kinds.values())) > 1:
        raise Refused(
            ", ".join(f"{kind or 'plain CT'} on {day}" for day, kind in kinds.items()),
            "the same tumour has another density in each",
            "compare plain CT of every time, or choose RECIST 1.1",
        )


def _voltages(times: Sequence[Drawn], scans: Mapping[str, Volume]) -> list[str]:
    """What is to be said where the tube voltage is not that of the baseline: contrast is brighter at a lower one."""
    kv = {t.day: s.facts.get("KVP") for t in times if (s := scans.get(t.study_uid)) is not None}
    stated = {day: float(v) for day, v in kv.items() if isinstance(v, (int, float))}
    if len(set(stated.values())) < 2:
        return []
    told = ", ".join(f"{v:g} kV on {day}" for day, v in stated.items())
    return [
        f"WARNING: {told}: contrast is brighter at the lower voltage, so that a change of density may be that of kV"
    ]
