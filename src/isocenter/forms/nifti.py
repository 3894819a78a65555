"""A volume or a mask as a NIfTI file, right way round, and a NIfTI file as a volume.

NIfTI counts to the patient's right side as negative (RAS) where DICOM counts it as positive (LPS); this is the one
place where the sign changes. The file is the same bytes each time it is written.
"""

from __future__ import annotations

import gzip
import io
import math
import struct
import zlib

import numpy as np

from isocenter.errors import LimitReached, NotWhole, Refused
from isocenter.space import Axis, Geometry, Reference, Region, Volume

__all__ = ["read", "write"]

_LARGEST = 2**31  # bytes of a file after inflation; a small archive must not become a full memory
_SLACK = 2**20  # bytes behind the voxels that the header tells of
_MILLIMETRES = {"meter": 1000.0, "mm": 1.0, "micron": 0.001}
_SECONDS = {"unknown": 1.0, "sec": 1.0, "msec": 1e-3, "usec": 1e-6}


def write(what: Volume | Region, *, compressed: bool = True) -> bytes:
    """The file's bytes (NIfTI-1, millimetres; ``.nii.gz`` when compressed).

    Args:
        what: a volume with at most one leading axis, or a region with a mask (written as 0 and 1).
        compressed: with gzip.

    Raises:
        Refused: without patient coordinates, for shapes without a mask, or for more than one leading axis.
    """
    import nibabel

    array, grid, step, unit = _parts(what)
    if grid.reference != Reference.PATIENT:
        raise Refused(
            "an image without patient coordinates", "NIfTI would claim a place for it", "export a PNG or DICOM instead"
        )
    moved = np.moveaxis(array, 0, -1) if array.ndim == 4 else array
    turned = np.transpose(moved, (2, 1, 0, 3) if array.ndim == 4 else (2, 1, 0))
    image = nibabel.Nifti1Image(np.ascontiguousarray(turned), grid.ras_affine())
    image.header.set_xyzt_units("mm", unit)
    image.set_sform(grid.ras_affine(), code="scanner")
    if grid.is_orthogonal:
        image.set_qform(grid.ras_affine(), code="scanner")
    else:
        image.set_qform(None, code="unknown")  # a quaternion cannot hold a sheared grid; the affine above does
    if array.ndim == 4:
        image.header["pixdim"][4] = step
    image.header["descrip"] = b"Isocenter, research software"
    plain: bytes = image.to_bytes()
    return gzip.compress(plain, 6, mtime=0) if compressed else plain


def read(data: bytes, *, quantity: str = "intensity", unit: str = "{arbitrary}") -> Volume:
    """The volume of a NIfTI-1 or -2 file, plain or with gzip: voxels scaled as the header says, in float32.

    Millimetres and seconds are made of whatever units the header names; where it names none they are taken for these.

    Args:
        quantity, unit: what a voxel says; NIfTI itself does not tell.

    Raises:
        NotWhole: no NIfTI file, or one that was cut off.
        LimitReached: it inflates beyond what is taken.
        Refused: a shape that is no volume, colours or complex numbers, a fourth size that is no time, or a place that
            the header does not tell.
    """
    import nibabel

    plain = _inflated(data) if data[:2] == b"\x1f\x8b" else data
    try:
        kind = nibabel.Nifti2Image if plain[:4] in (b"\x1c\x02\0\0", b"\0\0\x02\x1c") else nibabel.Nifti1Image
        image = kind.from_bytes(plain)
        shape = tuple(int(n) for n in image.shape)
        if len(shape) not in (3, 4) or min(shape) < 1 or 4 * int(np.prod(shape)) > _LARGEST:
            raise Refused(
                f"a NIfTI file of shape {shape}",
                "a volume has three sizes, and a fourth for time",
                "split it into files of one volume each",
            )
        _one_number(image.get_data_dtype())
        space, time = image.header.get_xyzt_units()
        array = np.asarray(image.get_fdata(dtype=np.float32))
    except Refused:
        raise
    except Exception as broken:  # nibabel says it in a dozen ways
        raise NotWhole(
            "a file that is no whole NIfTI image", "its header is none, or voxels are missing", "export it again"
        ) from broken
    if not (image.header["sform_code"] or image.header["qform_code"]):
        raise Refused("a NIfTI file without a place", "neither sform nor qform is set", "export it with its affine")
    turned = np.transpose(array, (3, 2, 1, 0) if array.ndim == 4 else (2, 1, 0))
    mm = _MILLIMETRES.get(space, 1.0)
    lps = np.diag([-mm, -mm, mm, 1.0]) @ np.asarray(image.affine, np.float64)
    grid = Geometry(lps[:, [2, 1, 0, 3]], turned.shape[-3:])
    axes: tuple[Axis, ...] = ()
    if array.ndim == 4:
        if time not in _SECONDS:
            raise Refused(
                f"a NIfTI file whose fourth size counts {time}",
                "a volume has values over time only",
                "split it into files of one volume each",
            )
        step = (float(image.header["pixdim"][4]) or 1.0) * _SECONDS[time]
        axes = (Axis("time", tuple(step * n for n in range(len(turned))), "s"),)
    return Volume(np.ascontiguousarray(turned), grid, quantity, unit, axes)


def _one_number(kind: np.dtype) -> None:
    """Refuse voxels that are no single number: what is left of them would be another image."""
    if kind.fields:
        raise Refused("a NIfTI file of colours", "a volume has one number for each voxel", "export it as grey values")
    if kind.kind == "c":
        raise Refused(
            "a NIfTI file of complex numbers", "a volume has one number for each voxel", "export magnitude or phase"
        )


def _claimed(head: bytes) -> int:
    """Bytes of a file by its own header; as many as are taken where that says nothing sensible."""
    for order in "<>":
        if head[:4] == struct.pack(order + "i", 348):
            dims, (bits,), (start,) = (
                struct.unpack_from(order + f, head, at) for f, at in (("8h", 40), ("h", 72), ("f", 108))
            )
        elif head[:4] == struct.pack(order + "i", 540):
            dims, (bits,), (start,) = (
                struct.unpack_from(order + f, head, at) for f, at in (("8q", 16), ("h", 14), ("q", 168))
            )
        else:
            continue
        if 1 <= dims[0] <= 7 and min(dims[1 : dims[0] + 1]) > 0 and bits > 0 and 0 <= start < _LARGEST:
            return int(start) + int(math.prod(dims[1 : dims[0] + 1])) * int(bits) // 8
    return 0


def _inflated(data: bytes) -> bytes:
    out = io.BytesIO()
    most = _LARGEST
    try:
        with gzip.open(io.BytesIO(data)) as stream:
            while chunk := stream.read(1 << 20):
                if not out.tell():
                    most = min(most, _claimed(chunk[:540].ljust(540, b"\0")) + _SLACK)
                if out.tell() + len(chunk) > most:
                    what = "beyond 2 GiB" if most == _LARGEST else "that is larger than its header says"
                    raise LimitReached(f"a NIfTI file {what}", "it would fill the memory", "crop it or export it again")
                out.write(chunk)
    except (OSError, EOFError, zlib.error) as broken:
        raise NotWhole("a gzip file that was cut off", str(broken), "export it again") from broken
    return out.getvalue()


def _parts(what: Volume | Region) -> tuple[np.ndarray, Geometry, float, str]:
    if isinstance(what, Region):
        if what.mask is None:
            raise Refused(f"a region of shape {what.shape}", "NIfTI holds voxels only", "give a mask")
        return what.mask.astype(np.uint8), what.geometry, 1.0, "sec"
    if len(what.axes) > 1:
        raise Refused(
            f"axes {[a.name for a in what.axes]}", "NIfTI files are read with one leading axis", "take one with at()"
        )
    array = what.array
    if array.dtype.kind not in "buif":
        raise Refused(
            f"voxels of type {array.dtype}",
            "NIfTI readers expect plain numbers",
            "give integers or floating-point numbers",
        )
    if array.dtype == bool:
        array = array.astype(np.uint8)
    elif array.dtype in (np.int64, np.uint64):
        if array.size and (array.max() > 2**31 - 1 or array.min() < -(2**31)):
            raise Refused("integers beyond 32 bits", "few NIfTI readers take them", "give numbers of 32 bits")
        array = array.astype(np.int32)
    elif array.dtype == np.float16:
        array = array.astype(np.float32)
    step, unit = 1.0, "sec"
    if what.axes and what.axes[0].unit in ("s", "ms") and len(what.axes[0]) > 1:
        values = what.axes[0].values
        step = float(values[1]) - float(values[0])
        unit = "sec" if what.axes[0].unit == "s" else "msec"
    return array, what.geometry, step, unit
