"""Voxels in their place, with what they mean.

A `Volume` is an array whose last three axes are (slice, row, column) in a `Geometry`, and whose leading axes, where
it has any, are named and carry their values: the seconds of a bolus, the echo times, the b-values, the colours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused
from isocenter.space.geometry import Geometry

__all__ = ["Axis", "Volume"]


@dataclass(frozen=True)
class Axis:
    """A leading axis: its name (time, echo, trigger, direction, b_value, energy, channel), values and UCUM unit."""

    name: str
    values: tuple[Any, ...]
    unit: str = ""

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, eq=False)
class Volume:
    """An array in patient space with its quantity and unit.

    Args:
        array: shape = one size for each of `axes`, then `geometry.shape`.
        geometry: where the last three axes lie.
        quantity: what a voxel says, in a word: ``"attenuation"``, ``"activity concentration"``, ``"SUVbw"``,
            ``"label"``, ``"probability"``, ``"intensity"`` (arbitrary).
        unit: UCUM: ``"[hnsf'U]"`` (HU), ``"Bq/mL"``, ``"g/ml"``, ``"1"``, ``"{arbitrary}"``.
        axes: leading axes in order.
        facts: what the header said, by DICOM keyword; read-only and plain JSON values.
        series_uid: the series it was made from.
        instance_uids: SOP Instance UIDs it was made from: one for each (leading axis position and) slice in array
            order, or one for a multi-frame object.

    Raises:
        Refused: when array and geometry do not fit.

    >>> from isocenter.space import Geometry
    >>> v = Volume(np.zeros((2, 4, 4), np.float32), Geometry.regular(shape=(2, 4, 4)))
    >>> v.axes
    ()
    """

    array: npt.NDArray[Any]
    geometry: Geometry
    quantity: str = "intensity"
    unit: str = "{arbitrary}"
    axes: tuple[Axis, ...] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    series_uid: str = ""
    instance_uids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wanted = (*(len(axis) for axis in self.axes), *self.geometry.shape)
        if tuple(self.array.shape) != wanted:
            raise Refused(
                f"array of shape {tuple(self.array.shape)}",
                f"axes {[a.name for a in self.axes]} and geometry ask for {wanted}",
                "give an array of that shape",
            )
        object.__setattr__(self, "facts", MappingProxyType(dict(self.facts)))

    def __reduce__(self) -> tuple[Any, ...]:
        # A read-only mapping does not pickle by itself; volumes travel to the process that analyses them.
        return Volume, (
            self.array,
            self.geometry,
            self.quantity,
            self.unit,
            self.axes,
            dict(self.facts),
            self.series_uid,
            self.instance_uids,
        )

    def axis(self, name: str) -> Axis:
        """The leading axis of that name.

        Raises:
            Refused: when there is none; the message lists those that there are.
        """
        for axis in self.axes:
            if axis.name == name:
                return axis
        raise Refused(
            f"no axis '{name}'",
            f"this volume has {[a.name for a in self.axes] or 'no leading axes'}",
            "name one of these",
        )

    def at(self, name: str, index: int) -> Volume:
        """The part at one position of a leading axis, that axis removed."""
        self.axis(name)
        where = [a.name for a in self.axes].index(name)
        left = tuple(a for a in self.axes if a.name != name)
        return replace(self, array=np.take(self.array, index, axis=where), axes=left, instance_uids=())

    def like(self, array: npt.NDArray[Any], *, quantity: str, unit: str, axes: tuple[Axis, ...] = ()) -> Volume:
        """Another array on the same grid, such as a map computed from this volume."""
        return Volume(array, self.geometry, quantity, unit, axes, self.facts, self.series_uid, self.instance_uids)

    def cropped(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Volume:
        """The part from `start` up to but without `stop`; patient coordinates stay."""
        cut: tuple[Any, ...] = (..., *(slice(a, b) for a, b in zip(start, stop, strict=True)))
        return self._with(self.array[cut], self.geometry.cropped(start, stop))

    def padded(self, before: tuple[int, int, int], after: tuple[int, int, int], value: float = 0) -> Volume:
        """Grown by voxels of one value; patient coordinates stay."""
        width = [(0, 0)] * len(self.axes) + list(zip(before, after, strict=True))
        grown = np.pad(self.array, width, constant_values=value)
        return self._with(grown, self.geometry.padded(before, after))

    def permuted(self, order: tuple[int, int, int]) -> Volume:
        """Spatial axes in another order; patient coordinates stay."""
        lead = len(self.axes)
        moved = np.transpose(self.array, (*range(lead), *(lead + i for i in order)))
        return self._with(moved, self.geometry.permuted(order))

    def flipped(self, axis: int) -> Volume:
        """One spatial axis reversed; patient coordinates stay."""
        return self._with(np.flip(self.array, len(self.axes) + axis), self.geometry.flipped(axis))

    def upright(self) -> Volume:
        """The same voxels, slices running to the head, rows to the back, columns to the left, nothing interpolated.

        What depends on the order of an array (a skeleton, a tie) then comes out the same however it was stored.
        """
        found = self.permuted(self.geometry.upright_order)
        for axis, patient in enumerate((2, 1, 0)):
            if found.geometry.affine[patient, axis] < 0:
                found = found.flipped(axis)
        return found

    def as_stored(self, grid: Geometry) -> Volume:
        """The way back from `upright`: the same voxels in the order of the grid that was turned.

        Raises:
            Refused: when that grid has its voxels at other places.
        """
        order = grid.upright_order
        found, turned = self, grid.permuted(order)
        for axis, patient in enumerate((2, 1, 0)):
            if turned.affine[patient, axis] < 0:
                found = found.flipped(axis)
        found = found.permuted((order.index(0), order.index(1), order.index(2)))
        if not found.geometry.same_grid(grid):
            raise Refused(f"a volume of {found.geometry.shape}", "its voxels are not those of the grid", "resample it")
        return replace(found, array=np.ascontiguousarray(found.array), geometry=grid)

    def _with(self, array: npt.NDArray[Any], geometry: Geometry) -> Volume:
        # Slices no longer stand one to one with the instances.
        same = geometry == self.geometry
        return replace(self, array=array, geometry=geometry, instance_uids=self.instance_uids if same else ())
