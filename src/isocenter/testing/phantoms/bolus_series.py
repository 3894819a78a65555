"""A head imaged again and again while a bolus passes: as a Volume, and as the files of one series."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt

from isocenter.space import Axis, Geometry, Volume
from isocenter.testing.phantoms.patient import later, put_pixels, written

__all__ = ["as_volume", "frame_files"]

Axes = tuple[npt.NDArray[Any], ...]


def as_volume(
    array: npt.NDArray[Any], axes_mm: Axes, times_s: Sequence[float], facts: Mapping[str, Any], number: int, **what: Any
) -> Volume:
    """(frames, slices, rows, columns) in its place.

    Args:
        axes_mm: coordinates (z, y, x) of slices, rows and columns.
        number: makes the UIDs of the frame of reference (``2.25.<number>1``) and of the series.
        what: quantity and unit.
    """
    z, y, x = axes_mm
    grid = Geometry.regular(
        shape=(len(z), len(y), len(x)),
        spacing_mm=(float(z[1] - z[0]), float(y[1] - y[0]), float(x[1] - x[0])),
        origin_mm=(float(x[0]), float(y[0]), float(z[0])),
        frame_of_reference=f"2.25.{number}1",
    )
    time = Axis("time", tuple(float(t) for t in times_s), "s")
    return Volume(array, grid, axes=(time,), facts=dict(facts), series_uid=f"2.25.{number}2", **what)


def frame_files(
    ds: Any,
    stored: npt.NDArray[np.uint16],
    axes_mm: Axes,
    times_s: Sequence[float],
    at: datetime,
    of_frame: Callable[[int], Mapping[str, Any]],
) -> list[bytes]:
    """A file for each slice and frame of an axial series.

    Args:
        ds: the header that all share.
        stored: (frames, slices, rows, columns), 12 bits.
        of_frame: DICOM keywords of a frame by its number.
    """
    z, y, x = axes_mm
    mm = round(float(x[1] - x[0]), 6)
    ds.SliceThickness, ds.PixelSpacing, ds.ImageOrientationPatient = float(z[1] - z[0]), [mm, mm], [1, 0, 0, 0, 1, 0]
    files = []
    for n, second in enumerate(times_s):
        moment = later(at, float(second))
        ds.AcquisitionDate, ds.AcquisitionTime = moment.strftime("%Y%m%d"), moment.strftime("%H%M%S.%f")
        ds.ContentDate, ds.ContentTime = ds.AcquisitionDate, ds.AcquisitionTime
        for keyword, value in of_frame(n).items():
            setattr(ds, keyword, value)
        for k in range(len(z)):
            ds.ImagePositionPatient = [round(float(x[0]), 4), round(float(y[0]), 4), round(float(z[k]), 4)]
            ds.SliceLocation = round(float(z[k]), 4)
            put_pixels(ds, stored[n, k], bits=12)
            files.append(written(ds, n * len(z) + k + 1))
    return files
