"""Planes through a volume, cut on the server."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from isocenter.errors import NotAVolume, Refused
from isocenter.reading.cutting import Cutter, Plane, cut
from isocenter.reading.pictures import Pictures
from isocenter.record import Series
from isocenter.space import Geometry, Volume

GRID = Geometry.regular(shape=(5, 6, 7), spacing_mm=(3.0, 2.0, 1.0), origin_mm=(-10.0, 20.0, -30.0))


def linear() -> Volume:
    """A value that is linear in the patient: x + 10 y + 100 z, so that every interpolation is exact."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in GRID.shape), indexing="ij"), axis=-1).reshape(-1, 3)
    x, y, z = GRID.to_patient(index.astype(float)).T
    return Volume((x + 10 * y + 100 * z).astype(np.float32).reshape(GRID.shape), GRID, "x", "1")


@pytest.mark.parametrize(
    ("origin", "right", "down"),
    [
        ((-10, 20, -24), (1, 0, 0), (0, 1, 0)),
        ((-8, 21, -30), (0, 1.5, 0), (0, 0, 2.5)),
        ((-9, 22, -28), (0.6, 0.8, 0), (0, 0.5, 1.0)),
    ],
)
def test_a_plane_has_the_values_of_its_places(
    origin: tuple[float, ...], right: tuple[float, ...], down: tuple[float, ...]
) -> None:
    found = cut(linear(), Plane(origin, right, down, 4, 4))
    for row in range(4):
        for column in range(4):
            x, y, z = (o + r * column + d * row for o, r, d in zip(origin, right, down, strict=True))
            assert found[row, column] == pytest.approx(x + 10 * y + 100 * z, abs=1e-2)


def test_outside_there_is_the_smallest_value() -> None:
    volume = linear()
    found = cut(volume, Plane((500, 0, 0), (1, 0, 0), (0, 1, 0), 2, 2))
    assert (found == volume.array.min()).all()


def test_a_plane_without_extent() -> None:
    with pytest.raises(Refused, match="without extent"):
        cut(linear(), Plane((0, 0, 0), (1, 0, 0), (2, 0, 0), 2, 2))


def test_a_volume_is_loaded_once_and_the_oldest_goes() -> None:
    of = Pictures(Series("1", "PT"), (), 1, "", "f4", False, False, "{SUVbw}g/ml", factor=0.5, tag="a")
    at, loaded = Plane((-10, 20, -30), (1, 0, 0), (0, 1, 0), 1, 1), []

    def load() -> Volume:
        loaded.append(1)
        return linear()

    cutter = Cutter(1)
    value = cutter(of, at, load)
    assert value[0, 0] == pytest.approx(0.5 * (-10 + 200 - 3000)), "in the unit of the description"
    cutter(of, at, load)
    assert len(loaded) == 1
    cutter(replace(of, tag="b"), at, load)
    cutter(of, at, load)
    assert len(loaded) == 3


def test_what_is_no_volume_is_not_cut() -> None:
    of = Pictures(Series("1", "CT"), (), 1, "slices 3 missing: scroll yes, MPR no", "i2", False, False, "1")
    with pytest.raises(NotAVolume, match="slices 3 missing"):
        Cutter()(of, Plane((0, 0, 0), (1, 0, 0), (0, 1, 0), 1, 1), linear)
