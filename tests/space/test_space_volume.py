"""Volume and Region refuse what does not fit."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from isocenter.errors import LimitReached, Refused
from isocenter.space import Axis, Geometry, Region, Shape, Volume, resample_region, surface

GRID = Geometry.regular(shape=(3, 4, 5), spacing_mm=(2.0, 1.0, 1.0), frame_of_reference="1.2")


def test_array_and_geometry_must_fit() -> None:
    with pytest.raises(Refused, match="geometry ask for"):
        Volume(np.zeros((3, 4, 4)), GRID)
    with pytest.raises(Refused, match="time"):
        Volume(np.zeros((2, 3, 4, 5)), GRID, axes=(Axis("time", (0.0, 1.0, 2.0), "s"),))


def test_leading_axes_are_found_by_name() -> None:
    cine = Volume(np.arange(120.0).reshape(2, 3, 4, 5), GRID, axes=(Axis("time", (0.0, 0.5), "s"),))
    assert cine.axis("time").values == (0.0, 0.5)
    assert np.array_equal(cine.at("time", 1).array, cine.array[1])
    assert cine.at("time", 1).axes == ()
    with pytest.raises(Refused, match="this volume has"):
        cine.axis("echo")


def test_facts_are_read_only_and_volumes_travel_between_processes() -> None:
    volume = Volume(np.zeros(GRID.shape), GRID, facts={"Modality": "CT"})
    with pytest.raises(TypeError):
        volume.facts["Modality"] = "MR"  # type: ignore[index]
    back = pickle.loads(pickle.dumps(volume))
    assert back.facts["Modality"] == "CT"
    assert back.geometry == GRID


def test_crop_and_pad_keep_values_in_place() -> None:
    volume = Volume(np.arange(60.0).reshape(GRID.shape), GRID, instance_uids=("1", "2", "3"))
    cut = volume.cropped((1, 1, 1), (3, 4, 5))
    assert cut.array[0, 0, 0] == volume.array[1, 1, 1]
    assert cut.instance_uids == ()
    assert volume.padded((0, 0, 0), (0, 0, 0)).instance_uids == ("1", "2", "3")


def test_a_region_must_fit_its_grid_and_have_points() -> None:
    with pytest.raises(Refused, match="the grid has"):
        Region(GRID, mask=np.zeros((1, 1, 1), bool))
    with pytest.raises(Refused, match="at least 2"):
        Region(GRID, Shape.POLYLINE, points_mm=np.zeros((1, 3)))
    with pytest.raises(Refused, match="finite"):
        Region(GRID, Shape.POINT, points_mm=np.array([[np.nan, 0, 0]]))
    with pytest.raises(Refused, match="no place"):
        _ = Region(GRID, mask=np.zeros(GRID.shape, bool)).bounds
    with pytest.raises(Refused, match="no surface"):
        surface(Region(GRID, mask=np.zeros(GRID.shape, bool)))


def test_a_lie_in_a_region_is_refused_before_it_becomes_memory() -> None:
    mask = np.zeros(GRID.shape, bool)
    mask[1, 1, 1] = True
    said = Region(GRID, mask=mask).to_json()
    huge = said | {"geometry": said["geometry"] | {"shape": [100_000, 100_000, 100_000]}}
    with pytest.raises(LimitReached, match="no image is that large"):
        Region.from_json(huge)
    with pytest.raises(Refused, match="outside the grid"):
        Region.from_json(said | {"mask": said["mask"] | {"stop": [9, 9, 9]}})
    with pytest.raises(Refused, match="bytes for"):
        Region.from_json(said | {"mask": said["mask"] | {"start": [0, 0, 0], "stop": [3, 4, 5]}})


def test_a_ball_has_the_volume_of_a_ball() -> None:
    grid = Geometry.regular(shape=(40, 80, 80), spacing_mm=(1.0, 0.5, 0.5))
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    inside = np.linalg.norm(grid.to_patient(index) - grid.to_patient((19.5, 39.5, 39.5)), axis=-1) <= 12.0
    ball = Region(grid, mask=inside)
    truth_ml = 4 / 3 * np.pi * 12.0**3 / 1000
    assert ball.volume_ml == pytest.approx(truth_ml, rel=0.01)
    assert surface(ball).volume_ml == pytest.approx(truth_ml, rel=0.02)
    finer = resample_region(ball, grid.respaced((0.5, 0.5, 0.5)))
    assert finer.volume_ml == pytest.approx(ball.volume_ml, rel=0.01)
    point = resample_region(Region(grid, Shape.POINT, points_mm=np.array([[1.0, 2.0, 3.0]])), grid)
    assert point.centre_mm == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("order", [(0, 1, 2), (2, 0, 1), (1, 0, 2)])
@pytest.mark.parametrize("flips", [(), (0,), (1, 2), (0, 1, 2)])
def test_upright_is_the_same_however_an_image_is_stored(order: tuple[int, int, int], flips: tuple[int, ...]) -> None:
    cine = Volume(np.arange(120.0).reshape(2, 3, 4, 5), GRID, axes=(Axis("time", (0.0, 0.5), "s"),))
    stored = cine.permuted(order)
    for axis in flips:
        stored = stored.flipped(axis)
    found = stored.upright()
    assert np.array_equal(found.array, cine.array) and found.geometry.same_grid(cine.geometry)


def test_a_region_midway_between_voxels_goes_to_the_same_ones_however_grids_are_stored() -> None:
    """Every centre of the wanted grid lies between two voxels of the region's along each axis."""
    source = Geometry.regular(shape=(8, 8, 8), spacing_mm=(1.0, 1.0, 1.0))
    onto = Geometry.regular(shape=(3, 3, 3), spacing_mm=(2.0, 2.0, 2.0), origin_mm=(1.5, 1.5, 1.5))
    mask = np.random.default_rng(0).random(source.shape) < 0.5
    plain = resample_region(Region(source, mask=mask), onto)
    assert plain.mask is not None
    for flips in ((0,), (1,), (2,), (0, 2), (0, 1, 2)):
        stored, wanted = Volume(mask, source), onto
        for axis in flips:
            stored, wanted = stored.flipped(axis), wanted.flipped(axis)
        one = resample_region(Region(stored.geometry, mask=stored.array), onto)
        other = resample_region(Region(source, mask=mask), wanted)
        assert np.array_equal(one.mask, plain.mask)
        assert other.mask is not None and np.array_equal(np.flip(other.mask, flips), plain.mask)
