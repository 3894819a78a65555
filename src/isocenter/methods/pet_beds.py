"""The beds of a PET scan as one image, where each came as a series of its own.

A ring sees some 15 to 25 cm of the body, and a scan goes on bed by bed. A lesion that lies across two beds has one
uptake and one volume only when they are one image. Each bed may be decay-corrected to its own start: it is brought to
the moment of the bed that was scanned first by the two factors to SUV, which hold the uptake time of each. In slices
that two beds have both count, each by a weight that falls linearly to its end, where a ring sees least.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any

import numpy as np

from isocenter.errors import Refused
from isocenter.methods import pet_header, suv
from isocenter.space import Geometry, Volume

__all__ = ["joined"]

_ON_GRID = 0.1  # of a voxel: positions are rounded
_SAME_PLACE = 0.5  # of the shorter bed
_UNLIKE = 1.25  # by which two beds may differ in the mean over what both show: noise at the ends, and some motion
_SAID = {
    "Units": "unit", "SUVType": "kind of SUV", "DecayCorrection": "decay correction", "PatientWeight": "weight",
    "CorrectedImage": "corrections", "RadionuclideTotalDose": "injected activity", "Radionuclide": "nuclide",
    "RadionuclideHalfLife": "half-life", "RadiopharmaceuticalStartTime": "time of injection",
    "RadiopharmaceuticalStartDateTime": "moment of injection",
}  # fmt: skip


@dataclass(frozen=True, eq=False)
class _Bed:
    volume: Volume
    factor: float
    remarks: tuple[str, ...]
    started: datetime | None
    lasted_s: float
    first: int = 0  # slice of the joined grid

    @classmethod
    def of(cls, volume: Volume) -> _Bed:
        if any(len(axis) > 1 for axis in volume.axes):
            raise Refused(
                "a bed with several frames", "SUV is read from one static image", "choose or average frames first"
            )
        known = suv.conversion(pet_header.read(volume.facts))
        started = pet_header.scan_started_at(volume.facts, None)[0]
        when = volume.facts.get("AcquisitionTime")
        lasted = volume.facts.get("FramesInPatient", {}).get("lasted_ms", volume.facts.get("ActualFrameDuration"))
        if when:  # the series' own time may be that of the whole scan
            began = {**volume.facts, "SeriesTime": "", "DecayCorrectionDateTime": "", "GEScanDateTime": ""}
            started = pet_header.scan_started_at(began, None)[0] or started
        return cls(
            volume,
            known.factor,
            known.remarks,
            started,
            float(lasted) / 1000.0 if isinstance(lasted, int | float) else 0.0,
        )

    @property
    def slices(self) -> int:
        return self.volume.geometry.shape[0]

    @property
    def last(self) -> int:
        return self.first + self.slices


def joined(beds: Sequence[Volume]) -> Volume:
    """Beds of one scan as one volume in the unit of the bed that was scanned first, corrected to its moment.

    Args:
        beds: (slices, rows, columns) each, in Bq/mL, Philips' counts, or SUV, with the facts of their headers.

    Returns:
        the whole, with the facts of the first bed; ``Beds`` says in words what was joined, ``BedSeries`` which series
        gave most of each slice.

    Raises:
        Refused: when SUV cannot be computed for a bed; units, injection or patient differ; their voxels do not lie on
            one grid; there is a gap; two show the same part of the body, or were scanned at the same time; or what
            both show differs by more than a quarter.
    """
    each = [_Bed.of(volume) for volume in beds]
    dated = [b for b in each if b.started is not None]
    first = min(dated, key=lambda b: b.started or datetime.max) if len(dated) == len(each) else each[0]
    for bed in each:
        _must_be_of_one_scan(first.volume.facts, bed.volume.facts)
    placed = _placed(each)
    _must_follow_each_other(placed)
    grid = placed[0].volume.geometry
    count = max(bed.last for bed in placed)
    total = np.zeros((count, *grid.shape[1:]), np.float32)
    weights = np.zeros((len(placed), count), np.float32)
    for n, bed in enumerate(placed):
        from_end = np.arange(1, bed.slices + 1, dtype=np.float32)
        weights[n, bed.first : bed.last] = np.minimum(from_end, from_end[::-1])
    share = weights / weights.sum(axis=0)
    for n, bed in enumerate(placed):
        brought = _values(bed, first.factor)
        total[bed.first : bed.last] += brought * share[n, bed.first : bed.last, None, None]
    apart = _must_agree(placed, first.factor)
    most = share.argmax(axis=0)
    series = [placed[n].volume.series_uid for n in most]
    instances: list[str] = []
    if all(len(b.volume.instance_uids) == b.slices for b in placed):
        instances = [placed[n].volume.instance_uids[k - placed[n].first] for k, n in enumerate(most)]
    said = (*_told(placed, apart), *dict.fromkeys(r for b in placed for r in b.remarks if r not in first.remarks))
    facts = {**first.volume.facts, "Beds": list(said), "BedSeries": series}
    whole = Geometry(grid.affine, (count, *grid.shape[1:]), grid.frame_of_reference, grid.reference)
    source = first.volume
    return Volume(
        total, whole, source.quantity, source.unit, (), facts, source.series_uid, tuple(instances),
    )  # fmt: skip


def _values(bed: _Bed, unit: float) -> Any:
    """A bed in the unit of the first, at its moment."""
    array = bed.volume.array.reshape(bed.volume.geometry.shape)
    return array.astype(np.float32) * np.float32(bed.factor / unit)


def _must_be_of_one_scan(first: Mapping[str, Any], other: Mapping[str, Any]) -> None:
    for keyword, what in _SAID.items():
        if first.get(keyword) != other.get(keyword):
            raise Refused(
                f"beds of which one has {what} {first.get(keyword)} and one {other.get(keyword)}",
                "they are not of one scan, or one header is wrong",
                "correct the header, or send one of the two",
            )


def _placed(beds: Sequence[_Bed]) -> list[_Bed]:
    """The beds along the slices of one grid, the lowest first."""
    onto = beds[0].volume.geometry
    found = []
    for bed in beds:
        grid = bed.volume.geometry
        onto.must_share_frame(grid)
        if grid.shape[1:] != onto.shape[1:] or not np.allclose(
            grid.affine[:3, :3], onto.affine[:3, :3], rtol=0.0, atol=_ON_GRID * min(onto.spacing_mm) / max(onto.shape)
        ):
            raise Refused("beds with voxels of different size or direction", "they make no one image", _REBUILD)
        found.append((onto.to_index(grid.origin_mm), bed))
    lowest = min((at for at, _ in found), key=lambda at: float(at[0]))
    placed = []
    for at, bed in sorted(found, key=lambda one: float(one[0][0])):
        off = np.asarray(at) - lowest
        nearest = int(np.rint(off[0]))
        rest = np.abs([off[0] - nearest, off[1], off[2]])
        if rest.max() > _ON_GRID:
            raise Refused(
                f"beds whose voxels lie {rest.max():.2f} of a voxel beside each other's",
                "joined, one of them would have to be interpolated",
                _REBUILD,
            )
        placed.append(_Bed(bed.volume, bed.factor, bed.remarks, bed.started, bed.lasted_s, nearest))
    for low, high in pairwise(placed):
        if high.first > low.last:
            raise Refused(
                f"beds with {high.first - low.last} slices missing between them", "a lesion there would be cut", _SEND
            )
        if min(low.last, high.last) - high.first > _SAME_PLACE * min(low.slices, high.slices):
            raise Refused(
                "two series that show the same part of the body beside beds of the same kind",
                "which of them belongs to the scan is not told",
                "analyse a folder with one of them",
            )
    return placed


def _must_follow_each_other(beds: Sequence[_Bed]) -> None:
    timed = sorted(((b.started, b.lasted_s) for b in beds if b.started is not None), key=lambda one: one[0])
    for (start, lasted), (then, _) in pairwise(timed):
        apart = (then - start).total_seconds()
        if 0.0 < apart < 0.9 * lasted:
            raise Refused(
                f"beds of which one began {apart:.0f} s after another that took {lasted:.0f} s",
                "a scanner takes one bed after the other: a time in a header is wrong",
                "correct Acquisition Time or Actual Frame Duration",
            )


def _must_agree(beds: Sequence[_Bed], unit: float) -> float | None:
    """By which part two beds differ in the mean over what both show, at most; None where none overlap."""
    worst = None
    for low, high in pairwise(beds):
        both = slice(high.first, min(low.last, high.last))
        if both.stop <= both.start:
            continue
        one = float(_values(low, unit)[both.start - low.first : both.stop - low.first].mean(dtype=np.float64))
        two = float(_values(high, unit)[both.start - high.first : both.stop - high.first].mean(dtype=np.float64))
        if min(one, two) <= 0.0:
            continue
        ratio = max(one, two) / min(one, two)
        if ratio > _UNLIKE:
            raise Refused(
                f"beds of which one shows {ratio:.2f} times the uptake of the other in the {both.stop - both.start} "
                "slices that both have",
                "scale, decay correction or a time in one header is wrong, or the patient moved away",
                "check Units, Decay Correction and the times of both series",
            )
        worst = max(worst or 0.0, ratio - 1.0)
    return worst


def _told(beds: Sequence[_Bed], apart: float | None) -> list[str]:
    both = sum(max(0, low.last - high.first) for low, high in pairwise(beds))
    several = len({bed.volume.series_uid for bed in beds}) > 1
    said = f"{len(beds)} {'series' if several else 'stacks of one series'} are beds of one scan and were joined"
    if apart is None:
        return [f"{said}; they have no slice in common, so that nothing shows whether they fit"]
    slices = "slice" if both == 1 else "slices"
    return [
        f"{said}: in {both} {slices} that two of them have each counts less towards its end; there they differ by "
        f"{100.0 * apart:.1f} % in the mean"
    ]


_REBUILD = "reconstruct or export the scan as one series"
_SEND = "send the bed between, or export the scan as one series"
