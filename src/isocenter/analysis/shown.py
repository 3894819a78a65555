"""What an analysis was shown, and whether what it says is about that.

An answer may name a series or an image, and lies somewhere: on a grid, in a frame of reference. A finding that names
an image which the analysis never saw, or lies outside of all that it saw, would stand in the record beside the wrong
picture, or send a reader to a place where nothing is. Such an answer is declined, in words that name what is wrong.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.analysis.need import Dated
from isocenter.analysis.protocol import Answer
from isocenter.errors import Refused
from isocenter.record import Measurement, codes
from isocenter.space import Geometry, Region, Volume

__all__ = ["Shown"]

_STEPS = 1.0  # how far a place may lie beyond the outermost voxels, in steps of the images: what resampling rounds
_DO = "answer about the images that `run` was given"
_LENGTHS = frozenset({codes.LENGTH, codes.LONG_AXIS, codes.SHORT_AXIS, codes.DIAMETER})
_IN_MM: Mapping[str, float] = {"mm": 1.0, "cm": 10.0}
_IN_MM2: Mapping[str, float] = {"mm2": 1.0, "cm2": 100.0}
# Areas of something in one plane. The surface of a body with many folds may be larger than any plane through it.
_SECTIONS = frozenset({
    codes.AREA, codes.SKELETAL_MUSCLE, codes.VISCERAL_FAT, codes.SUBCUTANEOUS_FAT, codes.INTERMUSCULAR_FAT,
})  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """The series, images and grids that one run was given, taken down before the analysis has them in its hands."""

    series: frozenset[str]
    images: frozenset[str]
    grids: tuple[Geometry, ...]

    @classmethod
    def of(cls, inputs: Mapping[str, Any], series: Iterable[str] = ()) -> Shown:
        """What is in the inputs.

        Args:
            series: Series Instance UIDs that the plan names; the beds of one scan are series of their own.
        """
        uids, images = set(series), set[str]()
        grids: list[Geometry] = []
        for one in _each(inputs.values()):
            uids.add(one.series_uid)
            images |= {one.instance_uid} if isinstance(one, Region) else set(one.instance_uids)
            if not any(one.geometry is grid or one.geometry == grid for grid in grids):
                grids.append(one.geometry)
        return cls(frozenset(uids - {""}), frozenset(images - {""}), tuple(grids))

    def hold(self, name: str, answer: Answer) -> Answer:
        """The answer of an analysis, when all of it is about what it was shown.

        Raises:
            Refused: with the UID, the place or the number that is not.
        """
        for finding in answer.findings:
            what = f"{name} found '{finding.what}'"
            if finding.where is not None:
                self._named(what, finding.where.series_uid, (finding.where.instance_uid,))
                self._placed(what, finding.where.geometry, finding.where)
            for measurement in finding.measurements:
                self._sized(name, measurement)
        for map_name, volume in (answer.maps or {}).items():
            what = f"{name} gave the map '{map_name}'"
            self._named(what, volume.series_uid, volume.instance_uids)
            self._placed(what, volume.geometry)
        for measurement in answer.measurements:
            self._sized(name, measurement)
        return answer

    def _named(self, what: str, series_uid: str, image_uids: Iterable[str]) -> None:
        if series_uid and series_uid not in self.series:
            raise Refused(f"{what} on series {series_uid}", "that series is none of those that it was given", _DO)
        for uid in image_uids:
            if uid and uid not in self.images:
                raise Refused(f"{what} on image {uid}", "that image is none of those that it was given", _DO)

    def _placed(self, what: str, grid: Geometry, region: Region | None = None) -> None:
        if (region is None or region.points_mm is None) and grid in self.grids:  # most answers
            return
        mates = [one for one in self.grids if _comparable(one, grid)]
        if not mates:
            frames = ", ".join(sorted({_frame(one) for one in self.grids})) or "none"
            raise Refused(f"{what} in {_frame(grid)}", f"what it was given lies in {frames}", _DO)
        if region is not None and region.points_mm is None and not region.voxels:
            return
        if _within(mates, _corners(grid, region)):
            return
        points = grid.corners_mm() if region is None else _points(region)
        outside = points[~_covered(mates, points)]
        if len(outside):
            place = ", ".join(f"{v:.1f}" for v in outside[0])
            raise Refused(f"{what} at {place} mm", "that place lies outside of the images that it was given", _DO)

    def _sized(self, name: str, measurement: Measurement) -> None:
        """A size is not below nothing, and what lies within images is no larger than they are."""
        said = f"{name} gave {measurement.what} = {measurement.value:g} {measurement.unit}"
        most: float | None = None
        if measurement.what == codes.PROBABILITY and measurement.unit == "1":
            most = 1.0
        elif measurement.what == codes.VOLUME and measurement.unit == "mL":
            most = self._most(lambda g: g.voxel_volume_mm3 * float(np.prod(g.shape)) / 1000.0)
        elif measurement.what in _LENGTHS and measurement.unit in _IN_MM:
            most = self._most(lambda g: float(np.linalg.norm(np.multiply(g.shape, g.spacing_mm))))
            most = most and most / _IN_MM[measurement.unit]
        elif measurement.unit in _IN_MM2:
            most = self._most(_widest_mm2) if measurement.what in _SECTIONS else None
            most = most and most / _IN_MM2[measurement.unit]
        else:
            return
        if measurement.value < 0.0:
            raise Refused(said, "it cannot be below nothing", "decline where it cannot be measured")
        if most is not None and measurement.value > most * 1.001:
            raise Refused(said, f"the images that it was given hold no more than {most:.4g}", "check the unit")

    def _most(self, size: Any) -> float | None:
        """The size of all images together; nothing where the unit of one of them is a pixel."""
        if not self.grids or any(grid.reference == "pixel" for grid in self.grids):
            return None
        return float(sum(size(grid) for grid in self.grids))


_SIGNS = np.array([(1, a, b) for a in (1, -1) for b in (1, -1)], float)


def _widest_mm2(grid: Geometry) -> float:
    """No plane cuts more out of a grid than this, mm2: of a box the root of its three faces' squares together.

    Seen along each edge of the box a cut lies within one face, so that its area times its normal's share along that
    edge is at most the volume by the edge; a sheared box has its corners in place of that root.
    """
    edges = grid.affine[:3, :3] * np.array(grid.shape)
    widest = np.linalg.norm(_SIGNS @ np.linalg.inv(edges), axis=1).max()
    return float(abs(np.linalg.det(edges)) * widest)


def _each(values: Iterable[Any]) -> Iterator[Volume | Region]:
    for value in values:
        if isinstance(value, Volume | Region):
            yield value
        elif isinstance(value, Dated):
            yield from _each((value.given,))
        elif isinstance(value, list | tuple):
            yield from _each(value)


def _comparable(one: Geometry, other: Geometry) -> bool:
    named = one.frame_of_reference and other.frame_of_reference
    same = one.frame_of_reference == other.frame_of_reference
    return one.reference == other.reference and bool(same or not named)


def _frame(grid: Geometry) -> str:
    return f"frame of reference {grid.frame_of_reference or 'without a name'} ({grid.reference})"


def _corners(grid: Geometry, region: Region | None) -> npt.NDArray[np.float64]:
    """(n, 3) centres of the outermost voxels, or the points of what has no voxels."""
    if region is None:
        return grid.corners_mm()
    if region.points_mm is not None:
        return region.points_mm
    start, stop = region.bounds
    return grid.cropped(start, stop).corners_mm()


def _points(region: Region) -> npt.NDArray[np.float64]:
    """(n, 3) centres of every voxel of a region, or its points."""
    if region.points_mm is not None:
        return region.points_mm
    return region.geometry.to_patient(np.argwhere(region.cut) + np.array(region.bounds[0]))


def _within(grids: list[Geometry], points: npt.NDArray[np.float64]) -> bool:
    return any(bool(_inside(grid, points).all()) for grid in grids)


def _covered(grids: list[Geometry], points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    covered = np.zeros(len(points), dtype=bool)
    for grid in grids:
        covered |= _inside(grid, points)
    return covered


def _inside(grid: Geometry, points: npt.NDArray[np.float64]) -> npt.NDArray[np.bool_]:
    index = grid.to_index(points)
    inside = (index >= -_STEPS) & (index <= np.array(grid.shape) - 1 + _STEPS)
    return np.asarray(np.all(inside, axis=-1), dtype=np.bool_)
