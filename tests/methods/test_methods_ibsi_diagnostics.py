"""Sizes, counts and intensities at each step, against arithmetic and the tags of IBSI's tables."""

from pathlib import Path

import numpy as np
import pytest

from isocenter.methods.ibsi_diagnostics import described, of_image, of_region
from isocenter.methods.radiomics import CONFIGURATIONS, prepare


def steps(name: str) -> dict[str, float]:
    """A block of 4 x 6 x 8 voxels of 3 x 1 x 1 mm at 50 HU with one voxel of bone, in air."""
    image, mask = np.full((10, 20, 30), -1000.0), np.zeros((10, 20, 30), bool)
    mask[3:7, 4:10, 8:16] = True
    image[mask] = 50.0
    image[4, 6, 11] = 900.0
    chosen, spacing = CONFIGURATIONS[name], (3.0, 1.0, 1.0)
    sizes = of_image(image, spacing, chosen)
    return sizes | of_region(image, mask, prepare(image, mask, spacing, chosen), sizes)


def test_without_interpolation() -> None:
    found = steps("A")
    assert [found[f"img_dim_{a}_init_img"] for a in "xyz"] == [30, 20, 10]
    assert [found[f"vox_dim_{a}_interp_img"] for a in "xyz"] == [1, 1, 3]
    assert [found[f"int_mask_bb_dim_{a}_init_roi"] for a in "xyz"] == [8, 6, 4]
    assert found["int_mask_vox_count_init_roi"] == found["morph_mask_vox_count_reseg_roi"] == 192
    assert found["int_mask_vox_count_reseg_roi"] == 191 and found["int_mask_max_int_reseg_roi"] == 50  # bone left out
    assert found["int_mask_max_int_init_roi"] == 900
    assert found["int_mask_mean_int_init_roi"] == pytest.approx(50 + 850 / 192)
    assert found["min_int_init_img"] == -1000 and found["max_int_init_img"] == 900


def test_after_interpolation_to_two_millimetres() -> None:
    found = steps("C")
    assert [found[f"img_dim_{a}_interp_img"] for a in "xyz"] == [15, 10, 15]
    assert [found[f"vox_dim_{a}_interp_img"] for a in "xyz"] == [2, 2, 2]
    assert [found[f"morph_mask_bb_dim_{a}_interp_roi"] for a in "xyz"] == [4, 3, 7]  # first and last are half inside
    assert found["morph_mask_vox_count_interp_roi"] == 4 * 3 * 7
    assert [found[f"int_mask_dim_{a}_reseg_roi"] for a in "xyz"] == [15, 10, 15]


@pytest.mark.data
@pytest.mark.parametrize("name", "ABCDE")
def test_every_tag_of_the_reference_table_is_there(name: str, reference: Path) -> None:
    file = f"ibsi_1_chest_config_{name.lower()}.csv"
    table = reference / "ibsi" / "test" / "data" / "ibsi_1_reference_values" / file
    if not table.is_file():
        pytest.skip("the tables of IBSI are not among the reference data")
    rows = [line.split(";") for line in table.read_text().splitlines()[1:]]
    wanted = {row[2] for row in rows if row[2].endswith(("_img", "_roi"))}
    found = steps(name)
    assert len(wanted) == 60 and wanted <= set(found)
    assert all(described(tag)[0] and described(tag)[1] in ("1", "mm", "i") for tag in found)
