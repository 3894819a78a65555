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
