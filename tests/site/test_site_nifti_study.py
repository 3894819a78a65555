"""NIfTI images with masks, by the command line: the numbers of the same voxels in DICOM, and what is refused."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest
from typer.testing import CliRunner

from isocenter.cli import app
from isocenter.errors import Refused, Unavailable
from isocenter.forms import nifti
from isocenter.site.drawn import regions_of
from isocenter.site.folder import read_nifti
from isocenter.site.nifti_study import image_in
from isocenter.site.volumes import volumes_of
from isocenter.space import Geometry, Region, Volume, resample_region
from isocenter.testing.phantoms import checkerboards

sys.path.insert(0, str(Path(__file__).parents[1] / "catalogue"))
from real_series import loaded


def asked(*given: object) -> Any:
    done = CliRunner().invoke(app, ["analyse", *map(str, given), "--json"])
    return json.loads(done.stdout)


def values(result: dict[str, Any]) -> dict[tuple[str, str], float]:
    return {(f["where"]["label"], m["definition"]): m["value"] for f in result["findings"] for m in f["measurements"]}


@pytest.fixture(scope="module")
def ct(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same CT with two regions, as DICOM and as NIfTI files."""
    folder = tmp_path_factory.mktemp("ct")
    made = checkerboards.patient()
    (image,), drawn = loaded(made.files)
    (folder / "dicom").mkdir()
    for n, data in enumerate(made.files):
        (folder / "dicom" / str(n)).write_bytes(data)
    (folder / "image.nii.gz").write_bytes(nifti.write(image))
    both = np.zeros(image.geometry.shape, np.int16)
    for n, region in enumerate(drawn, start=1):
        assert region.mask is not None
        (folder / f"{region.label}.nii").write_bytes(nifti.write(region, compressed=False))
        both[region.mask] = n
    (folder / "both.nii.gz").write_bytes(nifti.write(image.like(both, quantity="label", unit="1")))
    return folder


@pytest.mark.nightly
def test_the_numbers_are_those_of_the_same_voxels_in_dicom(ct: Path) -> None:
    (truth,) = asked(ct / "dicom", "--only", "radiomics", "--set", "configuration=C")
    masks = sorted(ct.glob("*.nii"))
    (one,) = asked(ct / "image.nii.gz", *(a for m in masks for a in ("--mask", m)), "--modality", "CT",
                   "--only", "radiomics", "--set", "configuration=C")  # fmt: skip
    assert one["answer"] == "found" and one["reasons"] == truth["reasons"]
    assert values(one) == pytest.approx(values(truth), rel=1e-9)
    (labels,) = asked(ct / "image.nii.gz", "--mask", ct / "both.nii.gz", "--modality", "CT", "--only", "radiomics")
    assert [f["where"]["label"] for f in labels["findings"]] == ["both 1", "both 2"]
    assert sorted(values(labels).values()) == pytest.approx(sorted(values(truth).values()), rel=1e-9)


def test_a_folder_of_one_image_and_its_masks(ct: Path, tmp_path: Path) -> None:
    for name, kind in (("image", "image.nii.gz"), ("mask", "both.nii.gz")):
        (tmp_path / name).mkdir()
        (tmp_path / name / kind).write_bytes((ct / kind).read_bytes())
    (told,) = asked(tmp_path, "--modality", "CT", "--only", "volumetry")
    (named,) = asked(tmp_path / "image", "--mask", ct / "both.nii.gz", "--modality", "CT", "--only", "volumetry")
    assert values(told) == values(named) and len(told["findings"]) == 2
    with pytest.raises(Refused, match="folder of 0 NIfTI images"):
        image_in(tmp_path, [tmp_path / "image" / "image.nii.gz"])


def test_a_mask_as_other_programs_write_it(ct: Path) -> None:
    """Turned round, with one point in time: the same voxels of the patient."""
    canonical = nibabel.as_closest_canonical(nibabel.load(ct / "both.nii.gz"))
    again = nibabel.Nifti1Image(np.asarray(canonical.dataobj)[..., None], canonical.affine)
    (ct / "turned.nii.gz").write_bytes(gzip.compress(again.to_bytes()))
    masks = []
    for name in ("both.nii.gz", "turned.nii.gz"):
        held = read_nifti(ct / "image.nii.gz", [ct / name], "CT")
        ((study,), (image, drawn)) = held.studies, held.studies[0].series
        grid = volumes_of(image, held)[0].geometry
        masks.append([resample_region(r, grid).mask for r in regions_of(study, drawn, held)])
    assert len(masks[0]) == 2 and all(np.array_equal(a, b) for a, b in zip(*masks, strict=True))


def test_forms_that_need_dicom_are_left_out_with_their_reason(ct: Path, tmp_path: Path) -> None:
    asked(
        ct / "image.nii.gz", "--mask", ct / "both.nii.gz", "--modality", "CT", "--only", "volumetry", "--out", tmp_path
    )
    (place,) = tmp_path.iterdir()
    names = {p.name for p in place.iterdir()}
    assert "result.json" in names and any(n.endswith(".region1.nii.gz") for n in names)
    assert ".seg.dcm" in (place / "left-out.txt").read_text()


def test_pet_is_taken_in_suv(tmp_path: Path) -> None:
    grid = Geometry.regular(shape=(12, 20, 20), spacing_mm=(4.0, 4.0, 4.0))
    mask = np.zeros(grid.shape, bool)
    mask[4:8, 6:12, 6:12] = True
    pet = Volume(np.where(mask, 7.5, 0.5).astype(np.float32) + np.indices(grid.shape)[2] * 0.01, grid)
    (tmp_path / "pet.nii").write_bytes(nifti.write(pet, compressed=False))
    (tmp_path / "lesion.nii").write_bytes(nifti.write(Region(grid, mask=mask), compressed=False))
    (said,) = asked(tmp_path / "pet.nii", "--mask", tmp_path / "lesion.nii", "--modality", "PT", "--only", "pet_uptake")
    highest = next(m for m in said["findings"][0]["measurements"] if m["what"]["meaning"] == "SUVmax")
    assert highest["value"] == pytest.approx(7.61) and highest["unit"] == "{SUVbw}g/ml"


@pytest.mark.data
def test_the_digital_phantom_of_ibsi(reference: Path) -> None:
    folder = reference / "ibsi" / "ibsi_1_digital_phantom" / "nifti"
    if not folder.is_dir():
        pytest.skip("the phantoms of IBSI are not among the references")
    (said,) = asked(folder / "image" / "phantom.nii.gz", "--mask", folder / "mask" / "mask.nii.gz", "--modality", "MR",
                    "--only", "radiomics", "--set", "configuration=digital phantom")  # fmt: skip
    (found,) = said["findings"]
    by_tag = {m["definition"].split(",")[0]: m["value"] for m in found["measurements"]}
    assert sum(m["what"]["scheme"] == "IBSI" for m in found["measurements"]) == 482
    assert by_tag["stat_mean"] == pytest.approx(2.15, abs=0.005) and by_tag["morph_volume"] == pytest.approx(556, abs=4)


def test_what_is_refused(ct: Path, tmp_path: Path) -> None:
    image, mask = ct / "image.nii.gz", ct / "both.nii.gz"
    soft = nibabel.Nifti1Image(np.linspace(0, 1, 8).reshape(2, 2, 2).astype(np.float32), np.eye(4))
    (tmp_path / "soft.nii").write_bytes(soft.to_bytes())
    empty = nibabel.Nifti1Image(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    (tmp_path / "empty.nii").write_bytes(empty.to_bytes())
    (tmp_path / "no.nii").write_bytes(b"none")
    for given, masks, modality, words in (
        (image, [mask], "", "--modality CT"),
        (image, [], "XA", "modality 'XA'"),
        (image, [tmp_path / "soft.nii"], "CT", "whole number"),
        (image, [tmp_path / "empty.nii"], "CT", "marks no voxel"),
        (tmp_path / "no.nii", [], "CT", "no whole NIfTI"),
    ):
        with pytest.raises(Refused, match=words):
            read_nifti(given, masks, modality)
    with pytest.raises(Unavailable, match="cannot be read"):
        read_nifti(image, [tmp_path / "gone.nii"], "CT")
    done = CliRunner().invoke(app, ["analyse", str(ct / "dicom"), "--modality", "CT", "--json"])
    assert done.exit_code != 0 and "belong to a NIfTI image" in str(done.exception)
