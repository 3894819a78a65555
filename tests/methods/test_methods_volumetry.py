"""Sizes of boxes, balls and ellipsoids by formula, of the IBSI phantom by consensus, and laws of place."""

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from isocenter.errors import Refused
from isocenter.methods import volumetry
from isocenter.space import Geometry, Reference, Region, Shape


def grid(n: int = 48, spacing: tuple[float, float, float] = (1.0, 1.0, 1.0)) -> Geometry:
    return Geometry.regular(shape=(n, n, n), spacing_mm=spacing, origin_mm=(-20.0, 7.0, 3.0))


def ellipsoid(where: Geometry, semi_mm: tuple[float, float, float]) -> Region:
    """Semi-axes along patient x, y, z about the middle of the grid."""
    place = where.to_patient(np.stack(np.meshgrid(*(np.arange(n) for n in where.shape), indexing="ij"), axis=-1))
    centre = where.to_patient((np.array(where.shape) - 1) / 2.0)
    return Region(where, mask=(((place - centre) / np.array(semi_mm)) ** 2).sum(axis=-1) <= 1.0)


def test_one_voxel() -> None:
    mask = np.zeros((5, 5, 5), bool)
    mask[2, 2, 2] = True
    size = volumetry.measure(Region(grid(5, (3.0, 2.0, 1.0)), mask=mask))
    assert size.volume_ml == pytest.approx(0.006)
    assert (size.axes.long_mm, size.axes.short_mm, size.diameter_mm) == pytest.approx((2.0, 1.0, 3.0))
    assert (size.components, size.cut) == (1, False)


def test_a_box() -> None:
    mask = np.zeros((20, 30, 40), bool)
    mask[5:9, 10:22, 8:16] = True
    where = Geometry.regular(shape=mask.shape, spacing_mm=(3.0, 1.0, 1.5))
    size = volumetry.measure(Region(where, mask=mask))
    assert size.volume_ml == pytest.approx(4 * 12 * 8 * 4.5 / 1000)
    assert size.axes.long_mm == pytest.approx(np.hypot(12.0, 8 * 1.5), abs=0.3)
    assert size.volume_ml * 0.9 < size.mesh_volume_ml < size.volume_ml


@pytest.mark.parametrize("radius", [6.0, 11.0, 17.5])
def test_a_ball(radius: float) -> None:
    size = volumetry.measure(ellipsoid(grid(), (radius, radius, radius)))
    true_ml = 4 / 3 * np.pi * radius**3 / 1000
    assert size.volume_ml == pytest.approx(true_ml, rel=0.03)
    assert size.mesh_volume_ml == pytest.approx(true_ml, rel=0.04)
    for length in (size.axes.long_mm, size.axes.short_mm, size.diameter_mm):
        assert length == pytest.approx(2 * radius, abs=1.2)
    # The staircase of voxels: 8 % more than the ball, at any radius, which the docstring tells.
    assert size.surface_mm2 == pytest.approx(4 * np.pi * radius**2 * 1.08, rel=0.03)


def test_an_ellipsoid_on_voxels_of_three_sizes() -> None:
    where = Geometry.regular(shape=(40, 60, 80), spacing_mm=(1.5, 1.0, 0.75))
    size = volumetry.measure(ellipsoid(where, (25.0, 12.0, 20.0)))
    assert size.volume_ml == pytest.approx(4 / 3 * np.pi * 25 * 12 * 20 / 1000, rel=0.01)
    assert size.axes.long_mm == pytest.approx(50.0, abs=1.0)
    assert size.axes.short_mm == pytest.approx(24.0, abs=1.0)
    assert size.diameter_mm == pytest.approx(50.0, abs=1.5)


def test_a_tilted_gantry_keeps_the_volume() -> None:
    straight = grid(20, (3.0, 1.0, 1.0))
    affine = straight.affine.copy()
    affine[1, 0] = 1.2  # each slice a little further back: a sheared grid
    mask = np.zeros((20, 20, 20), bool)
    mask[8:11, 5:15, 5:15] = True
    size = volumetry.measure(Region(Geometry(affine, mask.shape), mask=mask))
    assert size.volume_ml == pytest.approx(3 * 100 * 3.0 / 1000)


def test_parts_are_counted_and_the_largest_is_measured() -> None:
    mask = np.zeros((20, 20, 20), bool)
    mask[2:4, 2:4, 2:4] = True
    mask[10:16, 10:16, 10:16] = True
    mask[4, 4, 4] = True  # touches the first by its corner
    size = volumetry.measure(Region(grid(20), mask=mask))
    assert size.components == 2
    assert size.largest_ml == pytest.approx(0.216)
    assert size.diameter_mm < 11.0


def test_a_region_at_the_edge_is_cut() -> None:
    mask = np.zeros((8, 8, 8), bool)
    mask[0:3, 3:5, 3:5] = True
    assert volumetry.measure(Region(grid(8), mask=mask)).cut


def test_the_axial_plane_is_found_in_a_sagittal_stack() -> None:
    ball = ellipsoid(grid(40), (16.0, 8.0, 12.0))
    sagittal = Region(ball.geometry.permuted((2, 0, 1)), mask=ball.mask.transpose(2, 0, 1))  # type: ignore[union-attr]
    axes = volumetry.axes_of(sagittal)
    assert (axes.long_mm, axes.short_mm) == pytest.approx((32.0, 16.0), abs=1.2)


def test_axes_are_those_of_the_outlines_where_there_are_any() -> None:
    """Of the largest part, also when the array is turned; a stray outline of another part is not measured with it."""
    where = grid(24, (3.0, 0.8, 0.7))
    mask = np.zeros(where.shape, bool)
    mask[3:6, 5:15, 6:10] = mask[4, 20, 20] = True
    tips = np.array([[4.1, 8.0], [9.0, 5.6], [15.3, 7.0], [9.0, 9.4]])
    stray = np.array([[19.6, 19.6], [20.4, 19.7], [20.3, 20.4]])
    long = float(np.linalg.norm((tips[2] - tips[0]) * (0.8, 0.7)))
    for turned, lines, k in ((False, (tips, stray), 4), (True, ([23.0, 0.0] + tips * (-1, 1), stray), 4)):
        geometry = where.flipped(1) if turned else where
        pixels = np.flip(mask, 1) if turned else mask
        region = Region.of_contours(geometry, pixels, None, outlines={k: lines})
        size = volumetry.measure(region)
        assert size.axes.long_mm == pytest.approx(long, abs=1e-9)
        assert 0.7 * 3.5 < size.axes.short_mm < 0.7 * 3.9
    # Drawn on sagittal slices they are measured there.
    tips = np.array([[2.6, 10.0], [4.5, 4.2], [6.1, 10.0], [4.5, 15.5]])
    across = Region.of_contours(where.permuted((2, 0, 1)), mask.transpose(2, 0, 1), None, outlines={8: (tips,)})
    axes = volumetry.measure(across).axes
    assert (axes.plane, axes.long_mm) == ("sagittal", pytest.approx(3.5 * 3.0, abs=1e-9))
    assert axes.short_mm == pytest.approx(11.3 * 0.8, rel=0.02)


def test_slices_farther_apart_than_their_pixels_are_the_plane_of_measurement() -> None:
    """RECIST 1.1 measures in the plane of acquisition: a sagittal MR is not measured across its slices."""
    ball = ellipsoid(Geometry.regular(shape=(60, 60, 15), spacing_mm=(0.8, 0.8, 4.0)), (8.0, 16.0, 10.0))
    axes = volumetry.measure(ball).axes
    assert axes.plane == "sagittal"
    assert (axes.long_mm, axes.short_mm) == pytest.approx((32.0, 20.0), abs=1.1)
    assert volumetry.measure(ellipsoid(grid(), (8.0, 9.0, 16.0))).axes.plane == "axial"


def test_a_large_hull_keeps_its_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    ball = ellipsoid(Geometry.regular(shape=(40, 40, 40), spacing_mm=(1.0, 1.01, 1.02)), (17.1, 16.9, 17.3))
    truth = volumetry.largest_diameter_mm(ball)
    monkeypatch.setattr(volumetry, "_MANY_CORNERS", 10)
    assert volumetry.largest_diameter_mm(ball) == pytest.approx(truth, rel=1e-12)


def test_the_hull_loses_no_pair() -> None:
    from scipy.spatial.distance import pdist

    mask = np.random.default_rng(5).random((9, 10, 11)) < 0.3
    region = Region(Geometry.regular(shape=mask.shape, spacing_mm=(2.0, 1.0, 1.5)), mask=mask)
    every = []
    for axis in range(3):  # all points where the border crosses, also those inside
        padded = np.pad(mask, 1)
        change = np.argwhere(np.diff(padded.astype(np.int8), axis=axis)).astype(float) - 1.0
        change[:, axis] += 0.5
        every.append(change)
    points = region.geometry.to_patient(np.concatenate(every))
    assert volumetry.largest_diameter_mm(region) == pytest.approx(pdist(points).max(), rel=1e-12)


@pytest.mark.parametrize("reference", [Reference.PIXEL, Reference.PLANE])
def test_without_patient_millimetres_there_is_no_volume(reference: Reference) -> None:
    where = Geometry.regular(shape=(1, 4, 4), reference=reference)
    with pytest.raises(Refused, match="needs millimetres"):
        volumetry.measure(Region(where, mask=np.ones((1, 4, 4), bool)))


def test_points_and_empty_masks_have_no_size() -> None:
    with pytest.raises(Refused, match="no voxels to count"):
        volumetry.measure(Region(grid(4), Shape.POINT, points_mm=np.zeros((1, 3))))
    with pytest.raises(Refused, match="empty mask"):
        volumetry.measure(Region(grid(4), mask=np.zeros((4, 4, 4), bool)))


@settings(max_examples=40, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(0, 2),
    st.permutations([0, 1, 2]),
    st.tuples(st.floats(0.5, 5), st.floats(0.5, 5), st.floats(0.5, 5)),
)
def test_flips_and_permutations_change_nothing(
    seed: int, axis: int, order: list[int], spacing: tuple[float, float, float]
) -> None:
    rng = np.random.default_rng(seed)
    mask = rng.random((7, 8, 9)) < 0.3
    mask[3, 4, 5] = True
    region = Region(Geometry.regular(shape=mask.shape, spacing_mm=spacing), mask=mask)
    before = volumetry.measure(region)
    way = (order[0], order[1], order[2])
    for after in (
        Region(region.geometry.flipped(axis), mask=np.flip(mask, axis)),
        Region(region.geometry.permuted(way), mask=mask.transpose(way)),
    ):
        size = volumetry.measure(after)
        for name in ("volume_ml", "mesh_volume_ml", "surface_mm2", "diameter_mm", "sphericity", "components", "cut"):
            assert getattr(size, name) == pytest.approx(getattr(before, name), rel=1e-9), name


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(0.5, 3.0))
def test_sizes_scale_with_the_voxels(seed: int, factor: float) -> None:
    mask = np.random.default_rng(seed).random((6, 6, 6)) < 0.4
    mask[2, 2, 2] = True
    small = volumetry.measure(Region(Geometry.regular(shape=mask.shape), mask=mask))
    spacing = (factor, factor, factor)
    large = volumetry.measure(Region(Geometry.regular(shape=mask.shape, spacing_mm=spacing), mask=mask))
    assert large.volume_ml == pytest.approx(small.volume_ml * factor**3)
    assert large.surface_mm2 == pytest.approx(small.surface_mm2 * factor**2, rel=1e-6)
    assert large.diameter_mm == pytest.approx(small.diameter_mm * factor)
    assert large.axes.long_mm == pytest.approx(small.axes.long_mm * factor)


@pytest.mark.data
def test_the_ibsi_digital_phantom(reference: Path) -> None:
    # Consensus of IBSI 1 (Zwanenburg 2020): volume 592, mesh 556, surface 388, sphericity 0.843, diameter 13.1.
    import nibabel

    file = reference / "ibsi" / "ibsi_1_digital_phantom" / "nifti" / "mask" / "mask.nii.gz"
    if not file.is_file():
        pytest.skip("the IBSI digital phantom is not among the reference data")
    image = nibabel.load(file)
    mask = np.asarray(image.dataobj).transpose(2, 1, 0) > 0
    z, y, x = (float(v) for v in image.header.get_zooms()[::-1])
    size = volumetry.measure(Region(Geometry.regular(shape=mask.shape, spacing_mm=(z, y, x)), mask=mask))
    assert size.volume_ml * 1000 == pytest.approx(592, abs=4)
    assert size.mesh_volume_ml * 1000 == pytest.approx(556, abs=4)
    assert size.surface_mm2 == pytest.approx(388, abs=3)
    assert size.sphericity == pytest.approx(0.843, abs=0.005)
    assert size.diameter_mm == pytest.approx(13.1, abs=0.1)
