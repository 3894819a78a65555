"""A series that a registration lays onto another: each value comes to the place to which the transform takes it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from test_reading_pictures import WHO, record

from isocenter.errors import NotAVolume, Refused
from isocenter.reading.cutting import Cutter
from isocenter.reading.laying import laid
from isocenter.reading.pictures import Pictures, shown
from isocenter.site.volumes import volumes_of
from isocenter.testing.phantoms.patient import new, put_pixels, written

PET = "1.2.840.10008.5.1.4.1.1.128"
TURN = np.array([[0.8, -0.6, 0.0], [0.6, 0.8, 0.0], [0.0, 0.0, 1.0]])
MATRIX = np.eye(4)
MATRIX[:3, :3], MATRIX[:3, 3] = TURN, (12.0, -7.0, 30.0)


def series(
    shape: tuple[int, int, int], spacing: tuple[float, float, float], values: Any, frame: str, origin: Any = (0, 0, 0)
) -> tuple[Pictures, Any]:
    files = []
    for k in range(shape[0]):
        ds = new("laid", WHO, seed=1, sop_class=PET, modality="PT", study="s", series=frame, at=datetime(2026, 3, 2, 9))
        ds.FrameOfReferenceUID, ds.PixelSpacing, ds.ImageOrientationPatient = (
            frame,
            list(spacing[1:]),
            [1, 0, 0, 0, 1, 0],
        )
        ds.ImagePositionPatient = [origin[0], origin[1], origin[2] + k * spacing[0]]
        ds.RescaleSlope, ds.RescaleIntercept, ds.Units, ds.SUVType, ds.SliceThickness = 0.01, 0, "GML", "BW", spacing[0]
        put_pixels(ds, np.round(values[k] * 100).astype(np.uint16), bits=16)
        files.append(written(ds, k + 1))
    (one,), read = record(files)
    return shown(one, read), lambda: volumes_of(one, read)[0]


def linear(shape: tuple[int, int, int], spacing: tuple[float, float, float]) -> npt.NDArray[np.float64]:
    """x + 2 y + 3 z of the moving frame, so that every interpolation is exact."""
    z, y, x = np.meshgrid(*(np.arange(n) * mm for n, mm in zip(shape, spacing, strict=True)), indexing="ij")
    return np.asarray(x + 2 * y + 3 * z)


@pytest.mark.parametrize("spacing", [(2.0, 1.0, 1.5), (4.0, 4.0, 4.0)])
def test_each_value_lies_where_the_transform_takes_it(spacing: tuple[float, float, float]) -> None:
    shape, moving_mm = (9, 20, 22), (4.0, 4.0, 4.0)
    over, load = series(shape, moving_mm, linear(shape, moving_mm), "1.2.8")
    size = (60, 90, 80)
    still, _ = series(size, spacing, np.zeros(size), "1.2.7", origin=(-40.0, -30.0, 10.0))
    one = laid(still, over, MATRIX)
    step = one.pictures.order[1].position[2] - one.pictures.order[0].position[2]
    assert step == pytest.approx(max(spacing[0], 2.0)), "no finer than half of the moving voxels"
    assert one.pictures.series.frame_of_reference == "1.2.7"
    assert one.pictures.unit == over.unit
    cutter, back, inside = Cutter(), np.linalg.inv(MATRIX), 0
    reach = (np.array(shape[::-1]) - 1) * moving_mm
    for picture, plane in zip(one.pictures.order, one.planes, strict=True):
        values = cutter(one.source, plane, load)
        assert values.shape == (picture.rows, picture.columns)
        for row, column in ((0, 0), (picture.rows // 2, picture.columns // 3), (picture.rows - 1, picture.columns - 1)):
            along, down = np.array(picture.orientation).reshape(2, 3)
            place = picture.position + along * picture.spacing_mm[1] * column + down * picture.spacing_mm[0] * row
            x, y, z = (back @ (*place, 1.0))[:3]
            if all(0 <= v <= r for v, r in zip((x, y, z), reach, strict=True)):
                inside += 1
                assert values[row, column] == pytest.approx(x + 2 * y + 3 * z, abs=0.01)
    assert inside > 5


def test_what_does_not_meet_or_is_no_volume_is_refused() -> None:
    shape = (5, 6, 7)
    over, _ = series(shape, (3.0, 3.0, 3.0), np.ones(shape), "1.2.8")
    far = np.eye(4)
    far[:3, 3] = 500.0
    with pytest.raises(Refused, match="do not meet"):
        laid(over, over, far)
    single, _ = series((1, 6, 7), (3.0, 3.0, 3.0), np.ones((1, 6, 7)), "1.2.9")
    with pytest.raises(NotAVolume, match="one image only"):
        laid(over, single, np.eye(4))
