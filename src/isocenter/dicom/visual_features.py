"""Faces in images of heads: which objects may show one, and how a face that was found is taken out of their pixels.

What is a face is a part of patient space, found once for a head and laid on every image in its frame of reference: a
slice, a frame, a tile of a mosaic each lose what of it lies in them, in whatever direction they were cut. Every other
pixel stays as it was (DICOM PS3.15 E.3.2, Clean Recognizable Visual Features Option).
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from isocenter.dicom.assemble import placed_frames
from isocenter.dicom.classic_frames import alone
from isocenter.dicom.conformance import storage_class
from isocenter.dicom.elements import PIXELS, File
from isocenter.dicom.header import record_of
from isocenter.dicom.placed import Placed
from isocenter.errors import NotAVolume, Refused

__all__ = ["Cover", "Shows", "group_of", "shows", "without_face"]

_CLASS, _MODALITY, _PART, _IMAGE_TYPE, _SERIES, _STUDY, _FRAME = (
    0x00080016, 0x00080060, 0x00180015, 0x00080008, 0x0020000E, 0x0020000D, 0x00200052,
)  # fmt: skip
_SECTIONAL = frozenset({"CT", "MR", "PT"})
_NAMES = "HEAD BRAIN SKULL FACE NECK HEADNECK ORBIT SINUS JAW MAXILLA MANDIBLE TEETH EAR"
_HEADS = frozenset(_NAMES.split())
_ANYWHERE = frozenset({"", "WHOLEBODY", "BODY", "CSPINE", "SPINE", "TSPINE", "WHOLESPINE", "UNKNOWN", "OTHER"})
_WORDS = (0x00081030, 0x0008103E, 0x00181030, 0x00321060, 0x00400254)
_HEAD_WORDS = re.compile(
    r"head|brain|skull|crani|kopf|sch[aä]del|hirn|neuro|orbit|sinus|face|facial|gesicht|t[eê]te|cereb|cabeza"
    r"|mprage|pituit|hypophy|stroke|schlaganfall|mandib|maxill|zahn|carotid|dementia|epilep",
    re.IGNORECASE,
)  # fmt: skip
_FLOAT_PIXELS = (0x7FE00008, 0x7FE00009)
_AIR_HU = -1000.0
_THICKEST_MM = 8.0  # a thicker slice reaches beyond the margin that brain has in the mask


class Shows(StrEnum):
    """Whether a face can be made of an object, as far as its header tells."""

    HEAD = "head"  # it says that it is of a head
    PERHAPS = "perhaps"  # it does not say of what it is
    NO = "no"  # it is no sectional image, or of another part


@dataclass(frozen=True)
class Cover:
    """What is known of a face in the images of one series.

    Args:
        state: ``cut`` (a face was found, or surely lies outside of the images), ``none`` (there is no head) or
            ``unsure``.
        why: of what is unsure.
        affine: (slice, row, column) of the mask to patient millimetres, row by row.
        shape: of the mask.
        packed: its bits, packed and compressed.
        measured: facial skin in cm2, share left, depth of the cut in mm and the like, by name.
    """

    state: str
    why: str = ""
    affine: tuple[float, ...] = ()
    shape: tuple[int, int, int] = (0, 0, 0)
    packed: bytes = b""
    measured: Mapping[str, float] = field(default_factory=dict)

    @classmethod
    def of(cls, mask: npt.NDArray[np.bool_], affine: npt.NDArray[np.float64], measured: Mapping[str, float]) -> Cover:
        """A face that was found."""
        a, b, c = mask.shape
        bits = zlib.compress(np.packbits(mask).tobytes(), 6)
        return cls("cut", "", tuple(float(x) for x in affine.ravel()), (a, b, c), bits, dict(measured))

    def mask(self) -> npt.NDArray[np.bool_]:
        """The part of space that is taken away; not to be written on."""
        return _unpacked(self.packed, self.shape)


@lru_cache(maxsize=2)  # one image after the other asks for the same
def _unpacked(packed: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.bool_]:
    bits = np.frombuffer(zlib.decompress(packed), np.uint8)
    mask = np.unpackbits(bits, count=int(np.prod(shape))).view(bool).reshape(shape)
    mask.flags.writeable = False
    return mask


@lru_cache(maxsize=2)
def _reaches(packed: bytes, shape: tuple[int, int, int]) -> npt.NDArray[np.float64]:
    """(3, 2) between which places of the mask all of a face lies; empty where there is none."""
    mask = _unpacked(packed, shape)
    spans = [np.flatnonzero(mask.any(axis)) for axis in ((1, 2), (0, 2), (0, 1))]
    return np.array([(one[0], one[-1]) if len(one) else (0, -2) for one in spans], np.float64)


def shows(file: File) -> Shows:
    """Whether a face may be made of this object."""
    if file.ascii(_MODALITY) not in _SECTIONAL or not (
        PIXELS in file.dataset or any(t in file.dataset for t in _FLOAT_PIXELS)
    ):
        return Shows.NO
    part = file.ascii(_PART).upper().replace(" ", "")
    if part in _HEADS:
        return Shows.HEAD
    if part not in _ANYWHERE:
        return Shows.NO
    words = " ".join(file.ascii(tag) for tag in _WORDS)
    return Shows.HEAD if _HEAD_WORDS.search(words) else Shows.PERHAPS


def group_of(file: File) -> tuple[str, str]:
    """What a face is sought in together: a frame of reference within a study, or a series that has none."""
    return file.ascii(_STUDY), file.ascii(_FRAME) or file.ascii(_SERIES)


def without_face(file: File, data: bytes, pixels: npt.NDArray[Any], cover: Cover) -> int:
    """Take a face out of the decoded frames of an object.

    Args:
        pixels: (frames, rows, columns) stored values; changed in place.

    Returns:
        how many pixels were taken.

    Raises:
        Refused: the images have no place in the patient, or are no grey slices.
    """
    if pixels.ndim != 3:
        raise Refused("a head in colour", "what is skin in it cannot be told", "look at the images")
    if "LOCALIZER" in file.ascii(_IMAGE_TYPE).split("\\") and file.ascii(_MODALITY) == "CT":
        raise Refused("a localiser of a head", "it is a projection through the face", "leave it out")
    placed = _placed(file, data)
    if not placed:
        raise Refused("a head without a place in the patient", "where its face lies is unknown", "look at the images")
    mask, reaches = cover.mask(), _reaches(cover.packed, cover.shape)
    back = _back(cover.affine)
    taken = 0
    for one in placed:
        part = pixels[one.frame]
        if one.tile is not None:
            part = part[one.tile[0] : one.tile[0] + one.rows, one.tile[1] : one.tile[1] + one.columns]
        face = _in_plane(one, mask, reaches, back)
        if count := int(np.count_nonzero(face)):
            part[face] = _empty(one, pixels, file)
            taken += count
    return taken


def _placed(file: File, data: bytes) -> list[Placed]:
    """Where the frames of an object lie in the patient.

    Raises:
        Refused: a place is stated and is none, or the object names no identity.
    """
    kind = storage_class(file.ascii(_CLASS))
    try:
        if not (kind and kind.multiframe) and (slice_ := alone(file)):
            return [slice_]
    except NotAVolume:
        pass  # its record tells which image it is
    study = record_of(file, len(data), lambda uid: "of these bytes")
    return placed_frames(study.series[0], study.series[0].instances[0], lambda _: data)


@lru_cache(maxsize=2)
def _back(affine: tuple[float, ...]) -> npt.NDArray[np.float64]:
    """From millimetres of the patient to the places of a mask."""
    return np.asarray(np.linalg.inv(np.array(affine).reshape(4, 4)))


def _in_plane(
    one: Placed, mask: npt.NDArray[np.bool_], reaches: npt.NDArray[np.float64], back: npt.NDArray[np.float64]
) -> npt.NDArray[np.bool_]:
    """What of a part of space lies in one slice: of a thick one, all that its thickness reaches."""
    along, down = one.orientation[:3] * one.spacing[1], one.orientation[3:] * one.spacing[0]
    normal = np.cross(one.orientation[:3], one.orientation[3:])
    half = min(one.thickness, _THICKEST_MM) / 2.0
    starts = [back[:3, :3] @ (one.position + normal * off) + back[:3, 3] for off in sorted({0.0, -half, half})]
    found = np.zeros((one.rows, one.columns), bool)
    _reached(mask, reaches, np.array(starts), back[:3, :3] @ along, back[:3, :3] @ down, found)
    return found


@numba.njit(cache=True)  # type: ignore[untyped-decorator]
def _reached(mask: Any, reaches: Any, starts: Any, along: Any, down: Any, found: Any) -> None:  # pragma: no cover
    """Pixels of which the place, in one of several planes, is nearest to a voxel of the mask.

    Of each row only the stretch is asked that lies between what the face reaches, with a voxel to spare.
    """
    a, b, c = mask.shape
    for n in range(starts.shape[0]):
        for row in range(found.shape[0]):
            first, last = 0.0, found.shape[1] - 1.0
            at = starts[n] + down * row
            for axis in range(3):
                low, high = reaches[axis, 0] - 1.0 - at[axis], reaches[axis, 1] + 1.0 - at[axis]
                if abs(along[axis]) > 1e-9:
                    one, other = low / along[axis], high / along[axis]
                    first, last = max(first, min(one, other)), min(last, max(one, other))
                elif low > 0.0 or high < 0.0:
                    last = -1.0
            x, y, z = at
            for column in range(int(np.ceil(first)), int(np.floor(last)) + 1):
                i, j, k = np.rint(x + along[0] * column), np.rint(y + along[1] * column), np.rint(z + along[2] * column)
                if 0 <= i < a and 0 <= j < b and 0 <= k < c and mask[int(i), int(j), int(k)]:
                    found[row, column] = True


def _empty(one: Placed, pixels: npt.NDArray[Any], file: File) -> int | float:
    """The stored value of air, as far as the object can hold it."""
    real = _AIR_HU if file.ascii(_MODALITY) == "CT" else 0.0
    wanted = (real - one.intercept) / one.slope if one.slope else 0.0
    if pixels.dtype.kind == "f":
        return wanted
    stored = file.integer(0x00280101) or pixels.dtype.itemsize * 8
    low, high = (-(1 << (stored - 1)), (1 << (stored - 1)) - 1) if pixels.dtype.kind == "i" else (0, (1 << stored) - 1)
    return int(min(max(round(wanted), low), high))
