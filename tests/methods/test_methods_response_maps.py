"""Every reference response map of IBSI 2 that is here, and the names of all."""

from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods.response_maps import RESPONSES, response

PHANTOMS = {
    "1.a.1": "checkerboard", "1.a.3": "checkerboard", "1.b.1": "impulse", "2.a": "impulse", "2.c": "checkerboard",
    "3.a.1": "impulse", "3.b.2": "checkerboard", "4.a.1": "impulse", "4.b.2": "sphere", "5.a.1": "impulse",
    "6.a.1": "sphere", "7.a.1": "checkerboard", "9.a": "impulse",
}  # fmt: skip


def read(path: Path) -> np.ndarray:
    if not path.is_file():
        pytest.skip(f"{path.name} is not among the references")
    return np.asarray(nib.load(path).dataobj, dtype=np.float64).T


@pytest.mark.data
@pytest.mark.parametrize("name", PHANTOMS)
def test_a_reference_response_map(name: str, reference: Path) -> None:
    """Within a tenth of the tolerance, which is 1 % of the map's range."""
    folder = reference / "ibsi"
    phantom = PHANTOMS[name]
    image = read(folder / "ibsi_2_digital_phantom" / "nifti" / phantom / "image" / f"{phantom}.nii.gz")
    wanted = read(folder / "reference_response_maps" / f"{name.replace('.', '_')}-ValidCRM.nii.gz")
    found = response(name)(image, (2.0, 2.0, 2.0))
    assert np.abs(found - wanted).max() < 0.001 * np.ptp(wanted)


CUBE = np.random.default_rng(5).normal(0.0, 100.0, (16, 16, 16))
SPACING = (2.0, 2.0, 2.0)
TURNED = {n for n, r in RESPONSES.items() if r.settings.get("rotation_invariant") or r.settings.get("orthogonal")}
WHOLE_PLANE = {"3.c.2", "3.c.3", "4.A", "5.A", "6.A", "7.A"}


@pytest.mark.parametrize("name", sorted({*TURNED, "1.a.1", "1.a.4", "2.a", "2.b"}))
def test_what_has_no_direction_turns_with_the_image(name: str) -> None:
    """Every quarter turn of the image (within the slice, for filters by slice) turns the map and changes no value."""
    made = response(name)
    planes = [(1, 2)] if name in WHOLE_PLANE else [(0, 1), (1, 2), (2, 0)]
    plain = made(CUBE, SPACING)
    for plane in planes:
        assert np.rot90(made(np.rot90(CUBE, 1, plane), SPACING), -1, plane) == pytest.approx(plain, abs=1e-8)


@pytest.mark.parametrize("name", ["8.a.1", "8.a.2", "8.a.3"])
def test_rings_know_no_axis_before_another(name: str) -> None:
    """Axes change places and the image is reversed through its middle: a flip of one axis alone moves the grid of the
    consensus by a sample, and is none of its symmetries."""
    made = response(name)
    plain = made(CUBE, SPACING)
    for order in ((1, 2, 0), (0, 2, 1)):
        assert made(CUBE.transpose(order), SPACING) == pytest.approx(plain.transpose(order), abs=1e-8)
    assert np.flip(made(np.flip(CUBE), SPACING)) == pytest.approx(plain, abs=1e-8)


@pytest.mark.parametrize("name", sorted(RESPONSES))
def test_a_map_is_of_its_own_image(name: str) -> None:
    """A map has its image's shape, the same each time, and grows with the image; by slice, each slice stands alone."""
    made = response(name)
    found = made(CUBE, SPACING)
    assert found.shape == CUBE.shape and np.isfinite(found).all() and np.ptp(found) > 0.0
    assert made(3.0 * CUBE, SPACING) == pytest.approx(3.0 * found, rel=1e-9, abs=1e-7)
    if made.settings.get("by_slice") or name in {"3.c.1", *WHOLE_PLANE, "4.a.1", "4.b.1"}:
        assert made(CUBE[4:5], SPACING)[0] == pytest.approx(found[4], abs=1e-8)


def test_what_lies_beyond_the_edge() -> None:
    """Each boundary condition against the image that it stands for, put around by hand."""
    ways = {"zero": "constant", "nearest": "edge", "periodic": "wrap", "mirror": "symmetric"}
    # Not of two levels (7.a.1, 7.a.2): each is extended anew, which on the phantom of these maps makes no difference.
    for name in ("1.a.1", "1.a.2", "1.a.3", "1.a.4", "2.a", "2.b", "3.a.2", "3.b.1", "5.a.2", "6.a.2"):
        made = response(name)
        boundary = made.settings["boundary"]
        far = max(int(np.ceil(made.reach_mm / 2.0)), made.reach_voxels) + 1
        wide = np.pad(CUBE, far, mode=ways[boundary])
        inside = tuple(slice(far, far + n) for n in CUBE.shape)
        found = made(CUBE, SPACING)
        assert made(wide, SPACING)[inside] == pytest.approx(found, abs=1e-5 * np.ptp(found)), name


def test_energy_and_pooling_are_what_they_say() -> None:
    """The steps of Laws' energy: turn, take the highest, then the mean of its magnitude over 15 voxels a side."""
    from isocenter.methods.filters import mean

    for name, by_slice in (("3.a", False), ("3.b", False), ("3.c", True)):
        plain, turned, energy = (response(f"{name}.{n}")(CUBE, SPACING) for n in (1, 2, 3))
        assert (turned >= plain - 1e-9).all()
        boundary = response(f"{name}.3").settings["boundary"]
        assert energy == pytest.approx(mean(np.abs(turned), 15, boundary=boundary, by_slice=by_slice))


def test_a_filter_looks_no_farther_than_it_says() -> None:
    """A voxel that far away changes nothing, so that images may be cropped before they are filtered."""
    spacing = (2.0, 2.0, 2.0)
    for name in ("2.B", "3.B", "4.B", "6.B", "7.A", "5.A"):
        made = response(name)
        far = max(int(np.ceil(made.reach_mm / 2.0)), made.reach_voxels) + 1
        image = np.zeros((5, 5, 2 * far + 1))
        image[2, 2, 0] = 1000.0
        found = made(image, spacing)
        assert np.abs(found[2, 2, far:]).max() < 1e-2


def test_names() -> None:
    assert {n[:3] for n in RESPONSES if n[-1] in "AB"} == {f"{n}.{c}" for n in range(2, 10) for c in "AB"}
    with pytest.raises(Refused, match=r"no filter configuration '11\.a'"):
        response("11.a")
    for steered in ("9.b.2", "10.b.2"):
        with pytest.raises(Refused, match="structure tensor"):
            response(steered)
