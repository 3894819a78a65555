"""The whole chain against the consensus values of IBSI, its steps one by one, and what it refuses."""

import csv
import math
from dataclasses import replace
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from isocenter.errors import Refused
from isocenter.methods import ibsi, radiomics
from isocenter.methods.radiomics import CONFIGURATIONS, Configuration


def consensus(folder: Path, name: str) -> dict[str, tuple[float, float]]:
    """Tag -> (value, tolerance) of the features on which IBSI has a consensus."""
    path = folder / "ibsi" / "test" / "data" / "ibsi_1_reference_values" / f"ibsi_1_{name}.csv"
    if not path.is_file():
        pytest.skip("the values of IBSI are not among the references")
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    return {r["tag"]: (float(r["reference value"]), float(r["tolerance"])) for r in rows if r["reference value"]}


def rounded(value: float) -> float:
    """To three digits, as the consensus values are printed."""
    return round(value, 2 - math.floor(math.log10(abs(value)))) if value else 0.0


@pytest.mark.data
def test_every_consensus_value_of_the_digital_phantom(reference: Path) -> None:
    wanted = consensus(reference, "dig_phantom")
    folder = reference / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    image, mask = (
        np.asarray(nib.load(folder / name).dataobj).T for name in ("image/phantom.nii.gz", "mask/mask.nii.gz")
    )
    found = radiomics.extract(image.astype(float), mask > 0, (2.0, 2.0, 2.0), "digital phantom")
    assert len(wanted) == 482
    assert set(found) == set(wanted)
    off = {t: (found[t], v) for t, (v, tolerance) in wanted.items() if abs(rounded(found[t]) - v) > tolerance + 1e-12}
    assert off == {}


@pytest.mark.data
@pytest.mark.parametrize("name", ["A", "B", "C", "D", "E"])
def test_each_configuration_gives_what_has_a_consensus(name: str, reference: Path, lesion: tuple) -> None:
    found = radiomics.extract(*lesion, name)
    wanted = {t for t in consensus(reference, f"chest_config_{name.lower()}") if not t.endswith(("_img", "_roi"))}
    assert wanted == set(found)


@pytest.fixture(scope="module")
def lesion() -> tuple[np.ndarray, np.ndarray, tuple[float, float, float]]:
    """A lump of HU with a gradient, noise and a hole of air, on voxels of CT."""
    shape, spacing = (14, 40, 44), (3.0, 0.98, 0.98)
    place = np.indices(shape) * np.reshape(spacing, (3, 1, 1, 1))
    away = np.linalg.norm(place - np.reshape([20.0, 19.0, 21.0], (3, 1, 1, 1)), axis=0)
    image = np.where(away < 15.0, 40.0 + place[1], -850.0) + np.random.default_rng(3).normal(0.0, 20.0, shape)
    image[6:8, 18:21, 20:23] = -1010.0
    return np.rint(image), away < 16.0, spacing


def test_the_steps_come_in_their_order(lesion: tuple) -> None:
    image, mask, spacing = lesion
    made = radiomics.prepare(image, mask, spacing, CONFIGURATIONS["E"])
    assert made.spacing_mm == (2.0, 2.0, 2.0)
    assert (made.image == np.rint(made.image)).all()
    assert (made.held <= made.outline).all() and made.held.sum() < made.outline.sum()
    x = made.image[made.outline]
    assert made.image[made.held].min() >= max(-1000.0, x.mean() - 3.0 * x.std())
    values = radiomics.measure(made, CONFIGURATIONS["E"])
    assert values["morph_vol_approx"] == made.outline.sum() * 8.0  # shape is of what was drawn
    assert values["stat_mean"] == pytest.approx(made.image[made.held].mean())
    assert values["ih_max"] == 32.0


def test_configurations_differ_in_what_they_name(lesion: tuple) -> None:
    by_slice = radiomics.prepare(*lesion, CONFIGURATIONS["B"])
    assert by_slice.spacing_mm == (3.0, 2.0, 2.0)
    as_it_is = radiomics.prepare(*lesion, CONFIGURATIONS["A"])
    assert as_it_is.spacing_mm == lesion[2] and as_it_is.outline.sum() == lesion[1].sum()
    assert as_it_is.image[as_it_is.held].min() >= -500.0
    assert all(ibsi.feature(tag).code for tag in radiomics.extract(*lesion, "A"))


def test_a_filter_takes_the_place_of_the_image(lesion: tuple) -> None:
    """What is measured is the response, cropped or not; which voxels are measured, the image before it says."""
    from isocenter.methods.response_maps import response

    image, mask, spacing = lesion
    for name in ("2.A", "6.A", "8.A"):
        made = radiomics.prepare(image, mask, spacing, CONFIGURATIONS[name])
        whole = response(name)(image, spacing)
        held = mask & (image >= -1000.0) & (image <= 400.0)
        assert made.image[made.held] == pytest.approx(whole[held])
        assert set(radiomics.measure(made, CONFIGURATIONS[name])) <= {f"stat_{t[5:]}" for t in ibsi.FEATURES}
    in_space = radiomics.prepare(image, mask, spacing, CONFIGURATIONS["2.B"])
    assert in_space.spacing_mm == (1.0, 1.0, 1.0)
    textured = replace(CONFIGURATIONS["3.B"], bins=16, families=radiomics.FAMILIES)
    assert {"morph_volume", "cm_contrast_3D_comb"} <= set(radiomics.extract(image, mask, spacing, textured))


@pytest.mark.data
@pytest.mark.parametrize("name", ["1.A", "4.A", "3.B"])
def test_each_filter_gives_what_has_a_consensus(name: str, reference: Path, lesion: tuple) -> None:
    path = reference / "ibsi" / "reference_feature_values" / "reference_values.csv"
    if not path.is_file():
        pytest.skip("the values of IBSI 2 are not among the references")
    with path.open(encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines, delimiter=";"))
    assert {r["filter_id"] for r in rows} <= set(CONFIGURATIONS)
    wanted = {r["feature_tag"] for r in rows if r["filter_id"] == name}
    assert set(radiomics.extract(*lesion, name)) == wanted


def test_families_are_chosen(lesion: tuple) -> None:
    assert set(radiomics.extract(*lesion, "C", families=("loc",))) == {"loc_peak_loc", "loc_peak_glob"}
    assert all(t.startswith("szm_") for t in radiomics.extract(*lesion, "C", families=("szm",)))


def test_what_cannot_be_measured_is_refused(lesion: tuple) -> None:
    image, mask, spacing = lesion
    with pytest.raises(Refused, match="no configuration 'F'"):
        radiomics.extract(image, mask, spacing, "F")
    with pytest.raises(Refused, match="same voxels"):
        radiomics.extract(image, mask[1:], spacing, "A")
    with pytest.raises(Refused, match="without voxels"):
        radiomics.extract(image, np.zeros_like(mask), spacing, "A")
    with pytest.raises(Refused, match="no voxel of the region between 900 and 1000"):
        radiomics.extract(image, mask, spacing, replace(CONFIGURATIONS["A"], within=(900.0, 1000.0)))
    with pytest.raises(Refused, match="one intensity everywhere"):
        radiomics.extract(np.full(image.shape, 5.0), mask, spacing, "D")
    speck = np.zeros_like(mask)
    speck[7, 20, 20] = True
    with pytest.raises(Refused, match="smaller than the voxels"):
        radiomics.extract(image, speck, spacing, Configuration("coarse", spacing_mm=9.0, bins=8))
