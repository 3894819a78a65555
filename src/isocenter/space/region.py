"""A part of the patient: a mask on a grid, or points, lines and boxes in patient space.

A region is what a finding points to. It is small when written: a mask is cropped to its box, packed to bits and
compressed, so that a result with its regions is one JSON text with one digest.
"""

from __future__ import annotations

import base64
import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import LimitReached, Refused
from isocenter.space.geometry import Geometry
from isocenter.space.packed import LARGE, Held, Packed, box_of

__all__ = ["Region", "Shape"]

_LARGEST_MASK = 2**31  # voxels; a lie in a header must not become an allocation


class Shape(StrEnum):
    """What a region is made of."""

    MASK = "mask"
    POINT = "point"
    POLYLINE = "polyline"
    POLYGON = "polygon"
    BOX = "box"  # two opposite corners, on the grid's axes
    ELLIPSE = "ellipse"  # ends of the long axis, then ends of the short axis


@dataclass(frozen=True, eq=False)
class Region:
    """A part of the patient on the grid of one series.

    Args:
        geometry: the grid on which it was drawn or computed.
        shape: what it is made of.
        mask: (slices, rows, columns) bool, for `Shape.MASK`. A large one is kept packed, and opened when it is looked
            at.
        points_mm: (n, 3) in patient space, for all others.
        series_uid: the series whose grid this is; empty when it stands alone.
        instance_uid: the image that carries a two-dimensional shape.
        label: name of the structure as its author wrote it (segment label, ROI name).
        coded: which part of the body its author coded it as, ``scheme:value`` with modifiers behind; empty for
            lesions, and where nothing is coded.
        tracking: Tracking UID by which its author knows it at all times; not written to JSON, where the finding has
            its own.
        images: SOP Instance UIDs of the images that its author says it was drawn on; not written to JSON.
        frames: of a film, from 1, on which its author says it was drawn; not written to JSON.

    `drawn_mm2` is not given but set by `of_contours`: slice -> what its contours enclose; so is `outlines`: slice ->
    those contours as (n, 2) fractional (row, column), where a person drew them. A region that was changed
    (`dataclasses.replace`) or written and read again has none, and is counted by its voxels. `unplaced` says of a
    polygon why its structure has no voxels (`must_be_placed`). `imageless` marks a mask whose images are not at hand
    (`without_images`): its grid may end where the structure does, and tells not where the images end. `occupied_ml` is
    what the fractions of voxels add up to, of a mask that was cut from such (`of_occupancy`). `shared_ml` is what two
    contours share that was left out as a hole and may be a part (`of_contours`).

    Raises:
        Refused: when the mask does not fit the grid, is empty of meaning, or points are missing.
    """

    geometry: Geometry
    shape: Shape = Shape.MASK
    mask: Held = Held()  # noqa: RUF009 - a descriptor: what it gives is None
    points_mm: npt.NDArray[np.float64] | None = None
    series_uid: str = ""
    instance_uid: str = ""
    label: str = ""
    coded: str = ""
    tracking: str = ""
    images: frozenset[str] = field(default=frozenset(), repr=False)
    frames: frozenset[int] = field(default=frozenset(), repr=False)
    drawn_mm2: Mapping[int, float] | None = field(default=None, init=False, repr=False)
    outlines: Mapping[int, Sequence[npt.NDArray[np.float64]]] | None = field(default=None, init=False, repr=False)
    unplaced: tuple[str, str, str] | None = field(default=None, init=False, repr=False)
    imageless: bool = field(default=False, init=False, repr=False)
    occupied_ml: float | None = field(default=None, init=False, repr=False)
    shared_ml: float = field(default=0.0, init=False, repr=False)

    @classmethod
    def of_contours(
        cls,
        geometry: Geometry,
        mask: npt.NDArray[np.bool_],
        drawn_mm2: Mapping[int, float] | None,
        *,
        series_uid: str = "",
        label: str = "",
        images: frozenset[str] = frozenset(),
        outlines: Mapping[int, Sequence[npt.NDArray[np.float64]]] | None = None,
        shared_ml: float = 0.0,
    ) -> Region:
        """A mask that was filled from contours, with the area that they enclose in each slice, in mm2, and with them.

        Args:
            outlines: slice -> contours as (row, column), of those slices on which they were drawn and not traced.
            shared_ml: left out as a hole, though it may be a part that two contours share.
        """
        made = cls(geometry, mask=mask, series_uid=series_uid, label=label, images=images)
        object.__setattr__(made, "drawn_mm2", None if drawn_mm2 is None else dict(drawn_mm2))
        object.__setattr__(made, "outlines", dict(outlines) if outlines else None)
        object.__setattr__(made, "shared_ml", shared_ml)
        return made

    @classmethod
    def of_unplaced(cls, points_mm: npt.NDArray[np.float64], why: Refused, *, frame: str, label: str) -> Region:
        """An outline of a structure that could not be brought onto an image: it is there, and has no voxels."""
        x, y, z = (float(v) for v in points_mm.mean(axis=0))
        grid = Geometry.regular(shape=(1, 1, 1), origin_mm=(x, y, z), frame_of_reference=frame)
        made = cls(grid, Shape.POLYGON, None, points_mm, label=label)
        object.__setattr__(made, "unplaced", (why.what, why.why, why.do))
        return made

    def without_images(self) -> Region:
        """The same region, known to be read without the images that it was drawn on."""
        made = self.of_occupancy(self.occupied_ml)
        object.__setattr__(made, "imageless", True)
        return made

    def of_occupancy(self, occupied_ml: float | None) -> Region:
        """The same region, known to be cut from fractions of voxels that add up to a volume."""
        made = replace(self)
        object.__setattr__(made, "occupied_ml", occupied_ml)
        return made

    def flipped(self, axis: int) -> Region:
        """One array axis reversed; its place in the patient stays, and so do the contours that it was filled from."""
        turned = self.geometry.flipped(axis)
        if self.mask is None:
            return replace(self, geometry=turned)
        mask = np.flip(self.mask, axis)
        if self.drawn_mm2 is None and self.outlines is None:
            return replace(self, geometry=turned, mask=mask)
        last = np.array([n - 1 if k == axis else 0 for k, n in enumerate(mask.shape)])
        way = np.array([-1.0 if k == axis else 1.0 for k in (1, 2)])

        def at(k: int) -> int:
            return int(last[0]) - k if axis == 0 else k

        areas = None if self.drawn_mm2 is None else {at(k): mm2 for k, mm2 in self.drawn_mm2.items()}
        lines = None if self.outlines is None else {
            at(k): [last[1:] + way * line for line in own] for k, own in self.outlines.items()
        }  # fmt: skip
        return self.of_contours(
            turned, mask, areas, series_uid=self.series_uid, label=self.label, images=self.images, outlines=lines,
            shared_ml=self.shared_ml,
        )  # fmt: skip

    def must_be_placed(self) -> None:
        """Go on only with a structure that could be brought onto an image.

        Raises:
            Refused: with the reason why it could not.
        """
        if self.unplaced is not None:
            raise Refused(*self.unplaced)

    def __post_init__(self) -> None:
        object.__setattr__(self, "shape", Shape(self.shape))
        if self.shape == Shape.MASK:
            held = self.__dict__["_mask"]
            if held is None or tuple(held.shape) != self.geometry.shape:
                raise Refused(
                    f"mask of shape {None if held is None else tuple(held.shape)}",
                    f"the grid has {self.geometry.shape}",
                    "outline it on this image, or resample it",
                )
            large = math.prod(self.geometry.shape) >= LARGE
            if isinstance(held, Packed):
                held = held if large else held.unpacked()
            else:
                held = np.asarray(held, dtype=bool)
                held = Packed.of(held) if large else held
            object.__setattr__(self, "mask", held)
            return
        points = np.array(self.points_mm if self.points_mm is not None else [], dtype=np.float64).reshape(-1, 3)
        least = {Shape.POINT: 1, Shape.POLYLINE: 2, Shape.POLYGON: 3, Shape.BOX: 2, Shape.ELLIPSE: 4}[self.shape]
        if len(points) < least or not np.isfinite(points).all():
            raise Refused(
                f"{self.shape} with {len(points)} points", f"it needs at least {least} finite points", "draw more of it"
            )
        object.__setattr__(self, "points_mm", points)

    @cached_property
    def voxels(self) -> int:
        """Number of voxels in the mask; 0 for shapes without a mask."""
        held = self.__dict__["_mask"]
        return held.voxels if isinstance(held, Packed) else 0 if held is None else int(np.count_nonzero(held))

    @property
    def volume_ml(self) -> float:
        """Volume by voxel counting, in millilitres."""
        return self.voxels * self.geometry.voxel_volume_mm3 / 1000.0

    @property
    def slice_mm2(self) -> dict[int, float]:
        """Area in each slice that has any: what contours enclose where it is known, else of the pixels.

        Raises:
            Refused: for shapes without a mask.
        """
        if self.__dict__["_mask"] is None:
            raise Refused(f"the area of a {self.shape}", "it has no voxels", "give a mask")
        if self.drawn_mm2 is not None:
            return dict(self.drawn_mm2)
        _, rows, columns = (self.geometry.affine[:3, axis] for axis in range(3))
        pixel = float(np.linalg.norm(np.cross(rows, columns)))
        if not self.voxels:
            return {}
        counts = np.count_nonzero(self.cut, axis=(1, 2))
        return {self.bounds[0][0] + int(k): float(counts[k]) * pixel for k in np.flatnonzero(counts)}

    @cached_property
    def bounds(self) -> tuple[tuple[int, int, int], tuple[int, int, int]]:
        """Smallest index box (start, stop) that holds the region, within the grid.

        Raises:
            Refused: when the mask is empty.
        """
        held = self.__dict__["_mask"]
        if held is not None:
            if not self.voxels:
                raise Refused("an empty mask", "it has no place", "outline the structure")
            return (held.start, held.stop) if isinstance(held, Packed) else box_of(held)
        assert self.points_mm is not None
        index = np.round(self.geometry.to_index(self.points_mm)).astype(int)
        high = np.array(self.geometry.shape) - 1
        start = np.clip(index.min(axis=0), 0, high).tolist()
        stop = (np.clip(index.max(axis=0), 0, high) + 1).tolist()
        return (start[0], start[1], start[2]), (stop[0], stop[1], stop[2])

    @cached_property
    def centre_mm(self) -> tuple[float, float, float]:
        """Centre of mass of the mask, or mean of the points, in patient space."""
        if self.__dict__["_mask"] is not None:
            index = np.argwhere(self.cut).mean(axis=0) + np.array(self.bounds[0])
            centre = self.geometry.to_patient(index)
        else:
            assert self.points_mm is not None
            centre = self.points_mm.mean(axis=0)
        return float(centre[0]), float(centre[1]), float(centre[2])

    @property
    def cut(self) -> npt.NDArray[np.bool_]:
        """The voxels of the box `bounds`: what is worth looking at of a small region in a large image.

        Raises:
            Refused: for shapes without a mask, and for an empty one.
        """
        held = self.__dict__["_mask"]
        if held is None:
            raise Refused(f"the voxels of a {self.shape}", "it has none", "give a mask")
        start, stop = self.bounds
        return held.box if isinstance(held, Packed) else held[tuple(map(slice, start, stop))]

    def padded(self, before: tuple[int, int, int], after: tuple[int, int, int]) -> Region:
        """On a grid with voxels more before and after along each axis, none of them marked."""
        held = self.__dict__["_mask"]
        if isinstance(held, Packed):
            held = held.padded(before, after)
        elif held is not None:
            held = np.pad(held, list(zip(before, after, strict=True)))
        wider = replace(self, geometry=self.geometry.padded(before, after), mask=held)
        return wider.of_occupancy(self.occupied_ml)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Region):
            return NotImplemented
        return self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash((self.geometry, self.shape, self.label, self.voxels))

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back voxel for voxel."""
        said: dict[str, Any] = {
            "geometry": self.geometry.to_json(),
            "shape": self.shape.value,
            "series_uid": self.series_uid,
            "instance_uid": self.instance_uid,
            "label": self.label,
        }
        if self.coded:
            said["coded"] = self.coded
        if self.__dict__["_mask"] is None:
            assert self.points_mm is not None
            said["points_mm"] = self.points_mm.tolist()
            return said
        if not self.voxels:
            said["mask"] = {"start": [0, 0, 0], "stop": [0, 0, 0], "bits": ""}
            return said
        start, stop = self.bounds
        bits = base64.b64encode(zlib.compress(np.packbits(self.cut).tobytes(), 6)).decode("ascii")
        said["mask"] = {"start": list(start), "stop": list(stop), "bits": bits}
        return said

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Region:
        """Read what `to_json` wrote.

        Raises:
            LimitReached: when the text claims more voxels than any image has.
            Refused: when the box leaves the grid or the bits do not fill it.
        """
        geometry = Geometry.from_json(data["geometry"])
        shape = Shape(data["shape"])
        rest: dict[str, Any] = {k: str(data.get(k, "")) for k in ("series_uid", "instance_uid", "label", "coded")}
        if shape != Shape.MASK:
            return cls(geometry, shape, None, np.array(data["points_mm"], dtype=np.float64), **rest)
        if int(np.prod(geometry.shape, dtype=np.int64)) > _LARGEST_MASK:
            raise LimitReached(f"a mask of {geometry.shape} voxels", "no image is that large")
        start, stop = data["mask"]["start"], data["mask"]["stop"]
        size = [b - a for a, b in zip(start, stop, strict=True)]
        count = int(np.prod(size))
        if count:
            if min(start) < 0 or min(size) < 1 or any(b > n for b, n in zip(stop, geometry.shape, strict=True)):
                raise Refused(
                    f"mask box {start} to {stop}", f"outside the grid {geometry.shape}", "cut within the grid"
                )
            inflate = zlib.decompressobj()
            raw = inflate.decompress(base64.b64decode(data["mask"]["bits"]), (count + 7) // 8)
            if len(raw) != (count + 7) // 8:
                raise Refused("mask bits", f"{len(raw)} bytes for {count} voxels", "store the region again")
            bits = np.frombuffer(raw, np.uint8)
            marked = int(np.count_nonzero(np.unpackbits(bits, count=count)))
            held = Packed(geometry.shape, (start[0], start[1], start[2]), (stop[0], stop[1], stop[2]), bits, marked)
        else:
            held = Packed(geometry.shape, (0, 0, 0), (0, 0, 0), np.empty(0, np.uint8), 0)
        return cls(geometry, shape, held, None, **rest)
