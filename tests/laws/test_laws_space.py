"""Laws of space, for any geometry: what holds for every grid that a scanner can make."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.space import Geometry, Reference, Region, Volume, resample, surface
from isocenter.space.resample import from_itk, to_itk

LAWS = settings(max_examples=60, deadline=None)
finite = st.floats(-500, 500, allow_nan=False, width=32)


@st.composite
def geometries(draw: st.DrawFn, *, sheared: bool = True) -> Geometry:
    """Oblique, flipped, anisotropic and (with a tilted gantry) sheared grids."""
    a, b, c = (draw(st.floats(-np.pi, np.pi)) for _ in range(3))
    rx = np.array([[1, 0, 0], [0, np.cos(a), -np.sin(a)], [0, np.sin(a), np.cos(a)]])
    ry = np.array([[np.cos(b), 0, np.sin(b)], [0, 1, 0], [-np.sin(b), 0, np.cos(b)]])
    rz = np.array([[np.cos(c), -np.sin(c), 0], [np.sin(c), np.cos(c), 0], [0, 0, 1]])
    steps = (rx @ ry @ rz) @ np.diag([draw(st.floats(0.2, 10.0)) for _ in range(3)])
    if draw(st.booleans()):
        steps[:, 0] *= -1
    if sheared and draw(st.booleans()):
        steps[:, 0] += 0.3 * steps[:, 1]
    affine = np.eye(4)
    affine[:3, :3] = steps
    affine[:3, 3] = [draw(finite) for _ in range(3)]
    shape = tuple(draw(st.integers(1, 6)) for _ in range(3))
    return Geometry(affine, shape, "1.2.3")  # type: ignore[arg-type]


@LAWS
@given(geometries(), st.lists(st.tuples(finite, finite, finite), min_size=1, max_size=5))
def test_index_and_patient_are_inverse(grid: Geometry, points: list[tuple[float, float, float]]) -> None:
    assert np.allclose(grid.to_patient(grid.to_index(points)), points, atol=1e-6)


@LAWS
@given(geometries(), st.data())
def test_crop_keeps_patient_coordinates(grid: Geometry, data: st.DataObject) -> None:
    start = tuple(data.draw(st.integers(0, n - 1)) for n in grid.shape)
    stop = tuple(data.draw(st.integers(s + 1, n)) for s, n in zip(start, grid.shape, strict=True))
    cut = grid.cropped(start, stop)  # type: ignore[arg-type]
    assert np.allclose(cut.to_patient((0, 0, 0)), grid.to_patient(start))
    assert cut.voxel_volume_mm3 == pytest.approx(grid.voxel_volume_mm3)


@LAWS
@given(geometries(), st.tuples(*[st.integers(0, 3)] * 3), st.tuples(*[st.integers(0, 3)] * 3))
def test_padding_then_cropping_is_nothing(
    grid: Geometry, before: tuple[int, int, int], after: tuple[int, int, int]
) -> None:
    stop = tuple(b + n for b, n in zip(before, grid.shape, strict=True))
    assert grid.padded(before, after).cropped(before, stop).same_grid(grid)  # type: ignore[arg-type]


@LAWS
@given(geometries(), st.sampled_from(list(itertools.permutations(range(3)))), st.integers(0, 2))
def test_each_voxel_stays_where_it_is(grid: Geometry, order: tuple[int, int, int], axis: int) -> None:
    array = np.arange(np.prod(grid.shape), dtype=np.float64).reshape(grid.shape)
    volume = Volume(array, grid)
    for moved in (volume.permuted(order), volume.flipped(axis)):
        places = {float(v): tuple(np.round(grid.to_patient(i), 4)) for i, v in np.ndenumerate(array)}
        for index, value in np.ndenumerate(moved.array):
            assert np.allclose(moved.geometry.to_patient(index), places[float(value)], atol=2e-4)


@LAWS
@given(geometries())
def test_respacing_keeps_the_field_of_view(grid: Geometry) -> None:
    finer = grid.respaced(tuple(s / 2 for s in grid.spacing_mm))  # type: ignore[arg-type]
    assert finer.shape == tuple(2 * n for n in grid.shape)
    outer = np.array(grid.shape) - 0.5
    assert np.allclose(finer.to_patient(np.array(finer.shape) - 0.5), grid.to_patient(outer), atol=1e-6)


@LAWS
@given(geometries())
def test_json_reads_back_exactly(grid: Geometry) -> None:
    assert Geometry.from_json(grid.to_json()) == grid
    assert hash(Geometry.from_json(grid.to_json())) == hash(grid)


@LAWS
@given(geometries(sheared=False))
def test_simpleitk_agrees_on_every_corner(grid: Geometry) -> None:
    image = to_itk(np.zeros(grid.shape, np.float32), grid)
    for index in itertools.product(*((0, n - 1) for n in grid.shape)):
        ours = grid.to_patient(index)
        theirs = image.TransformIndexToPhysicalPoint([int(i) for i in index[::-1]])
        assert np.allclose(ours, theirs, atol=1e-6)
    _, back = from_itk(image, "1.2.3")
    assert back.same_grid(grid, 1e-6)


@LAWS
@given(geometries(), st.data())
def test_regions_read_back_voxel_for_voxel(grid: Geometry, data: st.DataObject) -> None:
    bits = data.draw(st.lists(st.booleans(), min_size=int(np.prod(grid.shape)), max_size=int(np.prod(grid.shape))))
    region = Region(grid, mask=np.array(bits).reshape(grid.shape), label="lesion", series_uid="1.2")
    back = Region.from_json(region.to_json())
    assert back == region
    assert back.mask is not None and np.array_equal(back.mask, region.mask)


@LAWS
@given(geometries(), st.integers(0, 2), st.sampled_from(list(itertools.permutations(range(3)))))
def test_flipping_array_and_affine_together_changes_no_measurement(
    grid: Geometry, axis: int, order: tuple[int, int, int]
) -> None:
    rng = np.random.default_rng(0)
    mask = rng.random(grid.shape) > 0.4
    mask[0, 0, 0] = True
    region = Region(grid, mask=mask)
    flipped = Region(grid.flipped(axis), mask=np.flip(mask, axis))
    turned = Region(grid.permuted(order), mask=np.transpose(mask, order))
    for other in (flipped, turned):
        assert other.volume_ml == pytest.approx(region.volume_ml)
        assert np.allclose(other.centre_mm, region.centre_mm, atol=1e-4)
        # marching cubes settles ambiguous faces by the order of the axes, so only the solid box must agree
    box = Region(grid, mask=np.ones(grid.shape, bool))
    turned_box = Region(grid.permuted(order), mask=np.ones(grid.permuted(order).shape, bool))
    assert surface(box).volume_ml == pytest.approx(surface(turned_box).volume_ml, rel=1e-5)
    assert surface(box).volume_ml > 0


@LAWS
@given(geometries())
def test_resampling_onto_itself_is_nothing(grid: Geometry) -> None:
    array = np.random.default_rng(1).random(grid.shape).astype(np.float32)
    same = resample(Volume(array, grid), grid)
    assert np.allclose(same.array, array, atol=1e-5)


@LAWS
@given(geometries())
def test_a_linear_ramp_survives_resampling(grid: Geometry) -> None:
    """A function that is linear in patient space is reproduced exactly by linear interpolation on any other grid."""
    if min(grid.shape) < 3:
        grid = Geometry(grid.affine, tuple(max(3, n) for n in grid.shape), grid.frame_of_reference)  # type: ignore[arg-type]
    index = np.stack(np.meshgrid(*(np.arange(n) for n in grid.shape), indexing="ij"), -1)
    direction = np.array([0.3, -0.2, 0.5])
    volume = Volume(grid.to_patient(index) @ direction, grid)
    inner = grid.cropped((0, 0, 0), tuple(n - 1 for n in grid.shape))  # type: ignore[arg-type]
    affine = inner.affine.copy()
    affine[:3, 3] = grid.to_patient((0.4, 0.3, 0.6))
    shifted = Geometry(affine, inner.shape, grid.frame_of_reference)
    out = resample(volume, shifted)
    wanted = shifted.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in shifted.shape), indexing="ij"), -1))
    assert np.allclose(out.array, wanted @ direction, atol=1e-3 * (1 + np.abs(wanted).max()))


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"affine": np.eye(3)}, "4x4"),
        ({"affine": np.diag([1.0, np.nan, 1.0, 1.0])}, "not a number"),
        ({"affine": np.diag([1.0, 0.0, 1.0, 1.0])}, "extent"),
        ({"affine": np.diag([1.0, 1.0, 1.0, 2.0])}, "0 0 0 1"),
        ({"affine": np.array([[1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0], [0, 0, 0, 1.0]])}, "parallel"),
        ({"shape": (0, 4, 4)}, "at least one"),
    ],
)
def test_geometry_refuses_what_has_no_place(change: dict[str, object], word: str) -> None:
    given_ = {"affine": np.eye(4), "shape": (2, 4, 4)} | change
    with pytest.raises(Refused, match=word):
        Geometry(**given_)  # type: ignore[arg-type]


def test_two_frames_of_reference_are_never_the_same_grid() -> None:
    here = Geometry(np.eye(4), (2, 2, 2), "1.1")
    there = Geometry(np.eye(4), (2, 2, 2), "1.2")
    assert not here.same_grid(there)
    with pytest.raises(Refused, match="egister"):
        here.must_share_frame(there)
    flat = Geometry(np.eye(4), (2, 2, 2), "1.1", Reference.PIXEL)
    with pytest.raises(Refused, match="no patient coordinates"):
        here.must_share_frame(flat)
    with pytest.raises(Refused, match="egister"):
        resample(Volume(np.zeros((2, 2, 2)), here), there)


def test_geometry_refuses_impossible_changes() -> None:
    grid = Geometry(np.eye(4), (2, 3, 4))
    with pytest.raises(Refused, match="outside"):
        grid.cropped((0, 0, 0), (3, 3, 4))
    with pytest.raises(Refused, match="negative"):
        grid.padded((-1, 0, 0), (0, 0, 0))
    with pytest.raises(Refused, match="once each"):
        grid.permuted((0, 0, 1))
    with pytest.raises(Refused, match="above zero"):
        grid.respaced((0.0, 1.0, 1.0))


def test_sheared_grids_are_not_given_to_simpleitk() -> None:
    affine = np.eye(4)
    affine[1, 0] = 0.3
    with pytest.raises(Refused, match="tilted"):
        to_itk(np.zeros((2, 2, 2)), Geometry(affine, (2, 2, 2)))


def test_sides_name_the_patients_sides() -> None:
    assert Geometry.regular(shape=(2, 2, 2)).sides == ("H", "P", "L")
    assert Geometry.regular(shape=(2, 2, 2)).flipped(0).sides == ("F", "P", "L")
