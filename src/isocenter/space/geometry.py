"""Where an array lies in the patient.

An array of three spatial axes (slice, row, column) is placed in the patient by an affine: the columns of its upper
left 3x3 part are the steps, in millimetres, that one index along each axis makes in patient space, and its last
column is the centre of the first voxel. Patient space is DICOM's LPS: x grows to the patient's left, y to the back,
z to the head (PS3.3 C.7.6.2.1.1).
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from itertools import permutations
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.errors import Refused

__all__ = ["Geometry", "Reference"]

_TOLERANCE_MM = 1e-3
_SIDES = ("L", "P", "H")
_OPPOSITE = {"L": "R", "P": "A", "H": "F", "R": "L", "A": "P", "F": "H"}


class Reference(StrEnum):
    """What the coordinates of a geometry refer to, and so what may be measured in it."""

    PATIENT = "patient"  # LPS millimetres: volumes, distances and positions are true
    PLANE = "plane"  # millimetres in a detector or image plane: lengths are true in that plane only
    PIXEL = "pixel"  # not calibrated: the unit is one pixel, and lengths in millimetres are refused


@dataclass(frozen=True, eq=False)
class Geometry:
    """The place and size of an array, without its voxels: planning, matching and refusing cost no memory.

    Args:
        affine: (4, 4) float64, (slice, row, column) index -> millimetres (x, y, z) in LPS.
        shape: number of (slices, rows, columns).
        frame_of_reference: DICOM Frame of Reference UID; two geometries are comparable only when it is the same.
        reference: what the coordinates refer to.

    Raises:
        Refused: when a value is not finite, a step has no length, axes are parallel, or a size is below one.

    >>> grid = Geometry.regular(shape=(2, 4, 4), spacing_mm=(5.0, 1.0, 1.0))
    >>> grid.voxel_volume_mm3
    5.0
    """

    affine: npt.NDArray[np.float64]
    shape: tuple[int, int, int]
    frame_of_reference: str = ""
    reference: Reference = Reference.PATIENT

    def __post_init__(self) -> None:
        affine = np.array(self.affine, dtype=np.float64)
        if affine.shape != (4, 4):
            raise Refused(f"affine has shape {affine.shape}", "a geometry needs a 4x4 matrix", "give a 4x4 matrix")
        if not np.isfinite(affine).all():
            raise Refused(
                "affine holds a value that is not finite",
                "position or orientation in the header is not a number",
                "check Image Position and Image Orientation (Patient)",
            )
        if not np.array_equal(affine[3], (0.0, 0.0, 0.0, 1.0)):
            raise Refused(
                f"last row of the affine is {affine[3].tolist()}", "it must be 0 0 0 1", "give a matrix with that row"
            )
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        if (spacing <= 0).any():
            raise Refused(
                f"spacing is {tuple(float(s) for s in spacing)} mm",
                "voxels without extent have no volume",
                "check Pixel Spacing and the slice positions",
            )
        if abs(float(np.linalg.det(affine[:3, :3] / spacing))) < 1e-6:
            raise Refused(
                "two axes of the affine are parallel",
                "the voxels would have no volume",
                "check Image Orientation (Patient) and the slice positions",
            )
        shape = tuple(int(n) for n in self.shape)
        if len(shape) != 3 or min(shape) < 1:
            raise Refused(
                f"shape is {self.shape}", "a geometry has three sizes of at least one", "give (slices, rows, columns)"
            )
        affine.setflags(write=False)
        object.__setattr__(self, "affine", affine)
        object.__setattr__(self, "shape", shape)
        object.__setattr__(self, "reference", Reference(self.reference))

    # ---- made from -------------------------------------------------------------------------------------------

    @classmethod
    def regular(
        cls,
        *,
        shape: tuple[int, int, int],
        spacing_mm: tuple[float, float, float] = (1.0, 1.0, 1.0),
        origin_mm: tuple[float, float, float] = (0.0, 0.0, 0.0),
        frame_of_reference: str = "",
        reference: Reference = Reference.PATIENT,
    ) -> Geometry:
        """An axial grid: slices run to the head, rows to the back, columns to the patient's left."""
        affine = np.eye(4)
        affine[:3, :3] = np.array([[0, 0, spacing_mm[2]], [0, spacing_mm[1], 0], [spacing_mm[0], 0, 0]])
        affine[:3, 3] = origin_mm
        return cls(affine, shape, frame_of_reference, reference)

    @classmethod
    def from_dicom(
        cls,
        *,
        position: npt.ArrayLike,
        orientation: npt.ArrayLike,
        pixel_spacing: npt.ArrayLike,
        slice_step: npt.ArrayLike,
        shape: tuple[int, int, int],
        frame_of_reference: str = "",
        reference: Reference = Reference.PATIENT,
    ) -> Geometry:
        """Place a stack of slices from DICOM's own words.

        Args:
            position: Image Position (Patient) of the first slice, mm.
            orientation: Image Orientation (Patient): direction along a row, then along a column.
            pixel_spacing: Pixel Spacing: between rows, then between columns, mm.
            slice_step: vector from one slice to the next, mm; oblique to the plane where the gantry is tilted.
            shape: (slices, rows, columns).
        """
        along = np.asarray(orientation, dtype=np.float64).reshape(2, 3)
        between = np.asarray(pixel_spacing, dtype=np.float64)
        affine = np.eye(4)
        affine[:3, 0] = np.asarray(slice_step, dtype=np.float64)
        affine[:3, 1] = along[1] * between[0]
        affine[:3, 2] = along[0] * between[1]
        affine[:3, 3] = np.asarray(position, dtype=np.float64)
        return cls(affine, shape, frame_of_reference, reference)

    # ---- what it says ----------------------------------------------------------------------------------------

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Length of one step along (slice, row index, column index)."""
        s = np.linalg.norm(self.affine[:3, :3], axis=0)
        return float(s[0]), float(s[1]), float(s[2])

    @property
    def disk_mm(self) -> tuple[float, float, float]:
        """Distance of slices along their normal, and the steps of rows and columns: what slice by slice sums multiply.

        It is `spacing_mm` but where slices are sheared, as with a tilted gantry: there they lie closer than they step.
        """
        _, dy, dx = self.spacing_mm
        onward, down, across = (self.affine[:3, axis] for axis in range(3))
        normal = np.cross(down, across)
        # Not volume over area: a determinant makes 3.0000000000000004 of slices that lie 3 mm apart.
        return abs(float(onward @ (normal / np.linalg.norm(normal)))), dy, dx

    @property
    def directions(self) -> npt.NDArray[np.float64]:
        """(3, 3) unit vectors in its columns, one for each array axis."""
        steps = self.affine[:3, :3]
        unit: npt.NDArray[np.float64] = steps / np.linalg.norm(steps, axis=0)
        return unit

    @property
    def origin_mm(self) -> tuple[float, float, float]:
        """Centre of voxel (0, 0, 0)."""
        x, y, z = self.affine[:3, 3]
        return float(x), float(y), float(z)

    @property
    def voxel_volume_mm3(self) -> float:
        """Volume of one voxel; right for sheared (tilted gantry) grids as well."""
        return abs(float(np.linalg.det(self.affine[:3, :3])))

    @property
    def is_orthogonal(self) -> bool:
        """False where the slices are sheared against their normal, as with a tilted gantry."""
        d = self.directions
        return bool(np.abs(d.T @ d - np.eye(3)).max() < 1e-3)

    @property
    def sides(self) -> tuple[str, str, str]:
        """The patient's side to which each array axis grows most: one of L R P A H F."""
        d = self.directions
        letters = []
        for axis in range(3):
            most = int(np.abs(d[:, axis]).argmax())
            letters.append(_SIDES[most] if d[most, axis] > 0 else _OPPOSITE[_SIDES[most]])
        return letters[0], letters[1], letters[2]

    @property
    def upright_order(self) -> tuple[int, int, int]:
        """Array axes in the order of the patient axes z, y, x that they are closest to."""
        along = np.abs(self.directions)
        best = max(
            permutations(range(3)), key=lambda p: round(float(along[2, p[0]] + along[1, p[1]] + along[0, p[2]]), 9)
        )
        return best[0], best[1], best[2]

    def to_patient(self, index: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(…, 3) indices (slice, row, column) -> (…, 3) millimetres (x, y, z)."""
        i = np.asarray(index, dtype=np.float64)
        mm: npt.NDArray[np.float64] = i @ self.affine[:3, :3].T + self.affine[:3, 3]
        return mm

    def to_index(self, mm: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """(…, 3) millimetres (x, y, z) -> (…, 3) fractional indices (slice, row, column)."""
        p = np.asarray(mm, dtype=np.float64) - self.affine[:3, 3]
        index: npt.NDArray[np.float64] = p @ np.linalg.inv(self.affine[:3, :3]).T
        return index

    def contains(self, mm: npt.ArrayLike) -> npt.NDArray[np.bool_]:
        """Whether each point lies within the voxels, their outer half steps included."""
        index = self.to_index(mm)
        inside = (index >= -0.5) & (index <= np.array(self.shape) - 0.5)
        return np.asarray(np.all(inside, axis=-1), dtype=np.bool_)

    def corners_mm(self) -> npt.NDArray[np.float64]:
        """(8, 3) centres of the corner voxels."""
        n = [(0, s - 1) for s in self.shape]
        return self.to_patient([(a, b, c) for a in n[0] for b in n[1] for c in n[2]])

    def same_grid(self, other: Geometry, tolerance_mm: float = _TOLERANCE_MM) -> bool:
        """Whether both place the same number of voxels at the same points of the same frame of reference.

        Frames are compared when both are named. Points are compared at the corners, so that a small error of
        direction counts by what it does at the far end.
        """
        if self.shape != other.shape or self.reference != other.reference:
            return False
        if (
            self.frame_of_reference
            and other.frame_of_reference
            and (self.frame_of_reference != other.frame_of_reference)
        ):
            return False
        return bool(np.abs(self.corners_mm() - other.corners_mm()).max() <= tolerance_mm)

    def must_share_frame(self, other: Geometry) -> None:
        """Refuse to compare two frames of reference.

        Raises:
            Refused: when frames differ, or one of them is not patient space.
        """
        if self.reference != Reference.PATIENT or other.reference != Reference.PATIENT:
            raise Refused("one of the two has no patient coordinates", "there is no common space", "register them")
        if self.frame_of_reference != other.frame_of_reference:
            raise Refused(
                f"frames of reference {self.frame_of_reference or 'none'} and {other.frame_of_reference or 'none'}",
                "positions in two frames of reference cannot be compared",
                "register one to the other first",
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Geometry):
            return NotImplemented
        return (
            self.shape == other.shape
            and self.frame_of_reference == other.frame_of_reference
            and self.reference == other.reference
            and bool(np.array_equal(self.affine, other.affine))
        )

    def __hash__(self) -> int:
        return hash((self.shape, self.frame_of_reference, self.reference, self.affine.tobytes()))

    # ---- changed with its array ------------------------------------------------------------------------------

    def cropped(self, start: tuple[int, int, int], stop: tuple[int, int, int]) -> Geometry:
        """The part from `start` up to but without `stop`; voxels keep their patient coordinates."""
        for a, b, n in zip(start, stop, self.shape, strict=True):
            if not 0 <= a < b <= n:
                raise Refused(
                    f"crop from {start} to {stop}", f"outside the shape {self.shape} or empty", "cut within the shape"
                )
        return self._moved(start, (stop[0] - start[0], stop[1] - start[1], stop[2] - start[2]))

    def padded(self, before: tuple[int, int, int], after: tuple[int, int, int]) -> Geometry:
        """Grown by voxels before and after along each axis."""
        if min(*before, *after) < 0:
            raise Refused(f"padding {before} {after}", "padding cannot be negative", "crop instead")
        shape = (
            self.shape[0] + before[0] + after[0],
            self.shape[1] + before[1] + after[1],
            self.shape[2] + before[2] + after[2],
        )
        return self._moved((-before[0], -before[1], -before[2]), shape)

    def permuted(self, order: tuple[int, int, int]) -> Geometry:
        """Array axes in another order, as ``numpy.transpose``."""
        if sorted(order) != [0, 1, 2]:
            raise Refused(
                f"axis order {order}", "it must hold 0, 1 and 2 once each", "give such an order, as (0, 2, 1)"
            )
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, list(order)]
        return Geometry(affine, tuple(self.shape[i] for i in order), self.frame_of_reference, self.reference)  # type: ignore[arg-type]

    def flipped(self, axis: int) -> Geometry:
        """One array axis reversed, as ``numpy.flip``."""
        affine = self.affine.copy()
        affine[:3, 3] += affine[:3, axis] * (self.shape[axis] - 1)
        affine[:3, axis] *= -1
        return Geometry(affine, self.shape, self.frame_of_reference, self.reference)

    def respaced(self, spacing_mm: tuple[float, float, float]) -> Geometry:
        """The same field of view on voxels of another size; the outer faces stay where they are."""
        now = np.array(self.spacing_mm)
        want = np.array(spacing_mm, dtype=np.float64)
        if not (np.isfinite(want).all() and (want > 0).all()):
            raise Refused(
                f"spacing {spacing_mm} mm", "spacing must be finite and above zero", "give millimetres above zero"
            )
        shape = np.maximum(1, np.round(np.array(self.shape) * now / want)).astype(int)
        scale = np.array(self.shape) / shape  # the field of view is kept exactly; spacing gives way
        affine = self.affine.copy()
        affine[:3, :3] = self.affine[:3, :3] * scale
        affine[:3, 3] = self.to_patient((scale - 1) / 2)
        return Geometry(affine, (int(shape[0]), int(shape[1]), int(shape[2])), self.frame_of_reference, self.reference)

    def _moved(self, start: tuple[int, int, int], shape: tuple[int, int, int]) -> Geometry:
        affine = self.affine.copy()
        affine[:3, 3] = self.to_patient(start)
        return Geometry(affine, shape, self.frame_of_reference, self.reference)

    # ---- other conventions -----------------------------------------------------------------------------------

    def ras_affine(self) -> npt.NDArray[np.float64]:
        """(4, 4) for NIfTI: index (column, row, slice) -> RAS millimetres."""
        flip = np.diag([-1.0, -1.0, 1.0, 1.0])
        ras: npt.NDArray[np.float64] = flip @ self.affine[:, [2, 1, 0, 3]]
        return ras

    def to_json(self) -> dict[str, Any]:
        """A plain dictionary that `from_json` reads back exactly."""
        return {
            "affine": self.affine.tolist(),
            "shape": list(self.shape),
            "frame_of_reference": self.frame_of_reference,
            "reference": self.reference.value,
        }

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Geometry:
        """Read what `to_json` wrote."""
        n = data["shape"]
        return cls(
            np.array(data["affine"], dtype=np.float64),
            (int(n[0]), int(n[1]), int(n[2])),
            str(data["frame_of_reference"]),
            Reference(data["reference"]),
        )
