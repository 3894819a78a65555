"""NIfTI keeps every voxel at its place in the patient, right way round."""

import gzip
import tracemalloc
from dataclasses import replace

import nibabel
import numpy as np
import pytest
from forms_samples import FRAME_UID, ball, letter_f

from isocenter.errors import LimitReached, Refused
from isocenter.forms import nifti
from isocenter.space import Axis, Geometry, Reference, Region, Shape, Volume


def opened(data: bytes) -> nibabel.Nifti1Image:
    """What nibabel makes of the bytes."""
    return nibabel.Nifti1Image.from_bytes(gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data)


@pytest.mark.parametrize("flip", [(), (0,), (1, 2), (0, 1, 2)])
def test_a_letter_f_stays_a_letter_f(flip: tuple[int, ...], axial: Geometry) -> None:
    grid, mask = axial, letter_f(axial)
    want = {tuple(np.round(p, 3)) for p in grid.to_patient(np.argwhere(mask))}
    for axis in flip:
        grid, mask = grid.flipped(axis), np.flip(mask, axis)
    image = opened(nifti.write(Region(grid, mask=mask)))
    index = np.argwhere(np.asarray(image.dataobj) > 0)
    ras = nibabel.affines.apply_affine(image.affine, index)
    assert {tuple(np.round(p * (-1, -1, 1), 3)) for p in ras} == want
    assert image.header.get_xyzt_units()[0] == "mm"


def test_nibabel_names_the_axes_as_we_do(axial: Geometry) -> None:
    image = opened(nifti.write(Volume(np.zeros(axial.shape, np.int16), axial)))
    ours = {"L": "L", "P": "P", "H": "S", "R": "R", "A": "A", "F": "I"}
    assert nibabel.aff2axcodes(image.affine) == tuple(ours[s] for s in reversed(axial.sides))


def test_values_types_and_time_are_kept(axial: Geometry) -> None:
    rng = np.random.default_rng(0)
    for kind in (np.float32, np.int16, np.uint8, np.float64):
        array = (rng.random(axial.shape) * 100).astype(kind)
        image = opened(nifti.write(Volume(array, axial)))
        assert image.get_data_dtype() == np.dtype(kind)
        assert np.array_equal(np.asarray(image.dataobj).T, array)
    moving = rng.random((3, *axial.shape)).astype(np.float32)
    image = opened(nifti.write(Volume(moving, axial, axes=(Axis("time", (0.0, 1.5, 3.0), "s"),))))
    assert np.array_equal(np.asarray(image.dataobj).transpose(3, 2, 1, 0), moving)
    assert float(image.header.get_zooms()[3]) == 1.5


def test_a_sheared_grid_keeps_its_affine(axial: Geometry) -> None:
    affine = axial.affine.copy()
    affine[1, 0] += 1.0
    tilted = Geometry(affine, axial.shape, FRAME_UID)
    image = opened(nifti.write(Volume(np.zeros(axial.shape, np.uint8), tilted)))
    assert np.abs(image.affine - tilted.ras_affine()).max() < 1e-4
    assert int(image.header["qform_code"]) == 0


def test_the_same_volume_is_the_same_bytes(axial: Geometry) -> None:
    assert nifti.write(ball(axial)) == nifti.write(ball(axial))
    assert gzip.decompress(nifti.write(ball(axial))) == nifti.write(ball(axial), compressed=False)


def test_wide_integers_and_booleans_find_a_type(axial: Geometry) -> None:
    assert opened(nifti.write(Volume(np.ones(axial.shape, bool), axial))).get_data_dtype() == np.uint8
    assert opened(nifti.write(Volume(np.full(axial.shape, 7), axial))).get_data_dtype() == np.int32
    assert opened(nifti.write(Volume(np.ones(axial.shape, np.float16), axial))).get_data_dtype() == np.float32


def test_what_nifti_cannot_say_is_refused(axial: Geometry) -> None:
    flat = replace(axial, reference=Reference.PIXEL)
    with pytest.raises(Refused, match="patient coordinates"):
        nifti.write(Volume(np.zeros(axial.shape), flat))
    with pytest.raises(Refused, match="voxels only"):
        nifti.write(Region(axial, Shape.POINT, points_mm=np.zeros((1, 3))))
    with pytest.raises(Refused, match="one leading axis"):
        two = (Axis("time", (0,), "s"), Axis("echo", (0,), "ms"))
        nifti.write(Volume(np.zeros((1, 1, *axial.shape)), axial, axes=two))
    with pytest.raises(Refused, match="plain numbers"):
        nifti.write(Volume(np.zeros(axial.shape, complex), axial))
    with pytest.raises(Refused, match="32 bits"):
        nifti.write(Volume(np.full(axial.shape, 2**40), axial))


def test_a_bomb_is_left_after_what_its_header_says() -> None:
    from isocenter.testing.hostile import members

    bomb = next(m for m in members("H23") if m.name == "a gzip bomb")
    tracemalloc.start()
    with pytest.raises(LimitReached, match="larger than its header says"):
        nifti.read(bomb.data)
    assert tracemalloc.get_traced_memory()[1] < 32 << 20
    tracemalloc.stop()
