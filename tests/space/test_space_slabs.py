"""Outlines in planes across the slices of a grid, against cylinders, ellipsoids and cut polyhedra."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.space import Geometry
from isocenter.space.outline import filled
from isocenter.space.slabs import crosses, slabs

GRID = Geometry.regular(shape=(30, 48, 40), spacing_mm=(2.5, 1.0, 1.5), origin_mm=(-30.0, -24.0, -36.0))
TURN = np.linspace(0, 2 * pi, 180, endpoint=False)


def planar(normal: np.ndarray, level: float, flat: np.ndarray) -> np.ndarray:
    """(n, 2) corners in a plane at a level along a unit normal, in patient millimetres."""
    first = np.cross(normal, [0.3, 0.9, -0.2])
    first /= np.linalg.norm(first)
    return level * normal + flat @ np.array([first, np.cross(normal, first)])


def ellipsoid(normal: np.ndarray, radii: tuple[float, float, float], step: float) -> list[np.ndarray]:
    """Cuts of an ellipsoid whose first axis is the normal."""
    along, one, other = radii
    found = []
    for level in np.arange(-along + step / 2, along, step):
        part = np.sqrt(1 - (level / along) ** 2)
        found.append(planar(normal, level, part * np.column_stack([one * np.cos(TURN), other * np.sin(TURN)])))
    return found


def ml(mask: np.ndarray) -> float:
    return float(mask.sum()) * GRID.voxel_volume_mm3 / 1000


@pytest.mark.parametrize("normal", [(1, 0, 0), (0, 1, 0), (0.6, 0.64, 0.48), (-0.36, 0.48, 0.8)])
@pytest.mark.parametrize("step", [0.5, 1.5, 3.0])
def test_an_ellipsoid_in_planes_of_any_direction_has_its_volume(normal: tuple[float, ...], step: float) -> None:
    cuts = ellipsoid(np.array(normal, float), (18.0, 12.0, 15.0), step)
    assert crosses(cuts, GRID)
    mask = slabs(cuts, GRID, "ball")
    assert ml(mask) == pytest.approx(4 / 3 * pi * 18 * 12 * 15 / 1000, rel=0.015)
    centre = GRID.to_patient(np.argwhere(mask)).mean(axis=0)
    assert np.abs(centre).max() < 0.8  # half a voxel, where borders of slabs go through centres


def test_a_box_that_was_cut_sagittally_is_the_box_to_the_voxel() -> None:
    """Corners half way between centres: the same voxels as the box drawn slice by slice, and as it is."""
    box = [np.array([(x, -10.5, -11.25), (x, 8.5, -11.25), (x, 8.5, 21.25), (x, -10.5, 21.25)])
           for x in np.arange(-15.0, 6.1, 1.5)]  # fmt: skip
    mask = slabs(box, GRID, "box")
    place = GRID.to_patient(np.stack(np.meshgrid(*map(np.arange, GRID.shape), indexing="ij"), axis=-1))
    low, high = np.array([-15.75, -10.5, -11.25]), np.array([6.75, 8.5, 21.25])
    assert np.array_equal(mask, ((place > low) & (place < high)).all(axis=-1))


def test_a_mask_that_was_traced_in_another_direction_comes_back() -> None:
    """Programs draw through the centres of the outermost pixels; a hole stays one."""
    whole, hole = [[2, 3], [2, 20], [17, 20], [17, 3]], [[6.5, 8.5], [6.5, 12.5], [9.5, 12.5], [9.5, 8.5]]
    for axis in (1, 2):
        outlines = []
        for column in range(5, 9):
            for ring in (whole, hole):
                index = np.insert(np.array(ring, float), axis, column, axis=1)
                outlines.append(GRID.to_patient(index))
        layers = np.moveaxis(slabs(outlines, GRID, "ring"), axis, 0)
        drawn = filled([whole, hole], layers.shape[1:])
        assert np.flatnonzero(layers.any(axis=(1, 2))).tolist() == [5, 6, 7, 8]
        assert all(np.array_equal(layers[k], drawn) for k in range(5, 9))


def test_the_order_of_the_array_moves_no_voxel() -> None:
    """Planes every second column: the centre midway belongs to one of them, whichever way the image is stored."""
    cuts = ellipsoid(np.array([1.0, 0, 0]), (18.0, 12.0, 15.0), 3.0)
    mask = slabs(cuts, GRID, "ball")
    for axis in range(3):
        assert np.array_equal(np.flip(slabs(cuts, GRID.flipped(axis), "ball"), axis), mask)
    turned = slabs(cuts, GRID.permuted((2, 0, 1)), "ball")
    assert np.array_equal(turned, mask.transpose(2, 0, 1))


def test_parts_that_lie_apart_stay_apart_and_a_single_plane_has_the_thickness_that_is_known() -> None:
    def square(x: float) -> np.ndarray:
        return np.array([(x, -10.5, -11.25), (x, 9.5, -11.25), (x, 9.5, 8.75), (x, -10.5, 8.75)])

    parts = slabs([square(x) for x in (-15.0, -12.0, -9.0, 9.0, 12.0)], GRID, "two")
    assert np.flatnonzero(parts.any(axis=(0, 1))).size == 10
    one = slabs([square(0.0)], GRID, "one")
    assert np.flatnonzero(one.any(axis=(0, 1))).tolist() == [20]
    thick = slabs([square(0.0)], GRID, "one", thickness_mm=4.5)
    assert np.flatnonzero(thick.any(axis=(0, 1))).tolist() == [19, 20, 21]


def test_what_planes_do_not_say_is_refused() -> None:
    tilted = ellipsoid(np.array([0.6, 0.64, 0.48]), (18.0, 12.0, 15.0), 3.0)
    with pytest.raises(Refused, match="no thickness"):
        slabs(tilted[5:6], GRID, "GTV")
    with pytest.raises(Refused, match=r"planes are 12 mm apart"):
        slabs(tilted[::4], GRID, "GTV")
    with pytest.raises(Refused, match="11 of 23 contours of 'GTV' do not lie in planes parallel"):
        slabs([*tilted, *ellipsoid(np.array([1.0, 0, 0]), (17.0, 11.0, 14.0), 3.0)], GRID, "GTV")


def test_phases_in_one_plane_are_not_taken_for_a_hole() -> None:
    cuts = ellipsoid(np.array([1.0, 0, 0]), (18.0, 12.0, 15.0), 3.0)
    assert slabs(cuts, GRID, "LV", one_each=True).any()
    with pytest.raises(Refused, match="in one plane across a scan of several phases"):
        slabs([*cuts, 0.5 * cuts[5] + 0.5 * cuts[5].mean(axis=0)], GRID, "LV", one_each=True)
