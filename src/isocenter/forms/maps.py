"""A map's voxels as the blob that a result refers to: a NumPy file of float32, and nothing else."""

from __future__ import annotations

import io
from typing import Any

import numpy as np

from isocenter.errors import NotWhole, Refused
from isocenter.record import Map
from isocenter.space import Volume

__all__ = ["pack", "unpack"]


def pack(volume: Volume) -> bytes:
    """The blob of a map: NumPy format 1.0, float32, C order.

    Raises:
        Refused: when the volume has leading axes; a map has one value for each voxel.
    """
    if volume.axes:
        raise Refused(
            f"a map with axes {[a.name for a in volume.axes]}",
            "a map has one value for each voxel",
            "give one map for each position of the axis",
        )
    out = io.BytesIO()
    np.lib.format.write_array(out, np.ascontiguousarray(volume.array, dtype=np.float32), (1, 0), allow_pickle=False)
    return out.getvalue()


def unpack(data: bytes, of: Map) -> Volume:
    """The map as a Volume. What the file claims is compared with the record before any memory is taken.

    Args:
        data: the blob whose digest is ``of.digest``.
        of: the map as its result describes it.

    Raises:
        NotWhole: when it is no NumPy file, or shorter than it claims.
        Refused: when kind or shape of the array are not those of the map; pickled objects are never opened.
    """
    stream = io.BytesIO(data)
    try:
        major = np.lib.format.read_magic(stream)
        read = np.lib.format.read_array_header_1_0 if major == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, kind = read(stream)
    except ValueError as bad:
        raise NotWhole(f"{len(data)} bytes for map '{of.name}'", f"not a NumPy file ({bad})") from bad
    if kind != np.dtype(np.float32) or tuple(shape) != of.geometry.shape:
        raise Refused(
            f"map '{of.name}' holds {kind} of shape {shape}",
            f"expected float32 of {of.geometry.shape}",
            "give such an array",
        )
    wanted = 4 * int(np.prod(shape, dtype=np.int64))
    if len(data) - stream.tell() != wanted:
        raise NotWhole(f"map '{of.name}' has {len(data) - stream.tell()} bytes of voxels", f"expected {wanted}")
    stream.seek(0)
    array: np.ndarray[Any, np.dtype[np.float32]] = np.load(stream, allow_pickle=False)
    return Volume(array, of.geometry, of.quantity, of.unit, series_uid=of.series_uid)
