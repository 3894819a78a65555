"""Radiomics of outlined regions: what it says, what it remarks, what it declines."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from real_series import loaded, zipped

from isocenter.catalogue.radiomics import Radiomics
from isocenter.errors import Refused
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Geometry, Reference, Region, Volume
from isocenter.testing.phantoms import checkerboards

GRID = Geometry.regular(shape=(16, 30, 30), spacing_mm=(2.0, 2.0, 2.0), frame_of_reference="2.25.9")
HU = np.random.default_rng(2).normal(20.0, 60.0, GRID.shape).astype(np.float32)
CT = Volume(HU, GRID, "attenuation", "[hnsf'U]")


def box(*sides: tuple[int, int], label: str = "lump", grid: Geometry = GRID) -> Region:
    mask = np.zeros(grid.shape, bool)
    mask[tuple(slice(a, b) for a, b in sides)] = True
    return Region(grid, mask=mask, label=label)


LUMP = box((4, 12), (8, 20), (8, 22))


def test_what_is_said_has_codes_units_and_its_configuration() -> None:
    answer = Radiomics().run(CT, (LUMP,))
    assert answer.outcome is Outcome.FOUND and answer.reasons[0].startswith("configuration C: in space, linear")
    (found,) = answer.findings
    assert found.what == codes.STRUCTURE and found.where is LUMP and "configuration C" in found.words
    said = {m.what.code: m for m in found.measurements}
    assert all(m.what.scheme == "IBSI" for m in found.measurements)
    assert (said["Q4LE"].unit, said["ECT3"].unit, said["RNU0"].unit) == ("[hnsf'U]", "[hnsf'U]2", "mm3")
    entropies = [m.definition for m in found.measurements if m.what.code == "TU9B"]
    assert entropies == [
        "cm_joint_entr_3D_avg, in three dimensions, averaged over directions (ITBB), configuration C",
        "cm_joint_entr_3D_comb, in three dimensions, directions merged (IAZD), configuration C",
    ]
    (curve,) = answer.curves
    assert curve.x[0] < curve.x[-1] and curve.y["volume"][0] == 1.0 and curve.y["volume"][-1] == 0.0


def test_two_lumps_that_only_texture_tells_apart() -> None:
    """From DICOM files to numbers that are arithmetic."""
    made = checkerboards.patient()
    (image,), drawn = loaded(made.files)
    answer = Radiomics().run(image, drawn)
    assert [f.words.split(":")[0] for f in answer.findings] == list(made.truth)
    values = [{m.definition.split(",")[0]: m.value for m in f.measurements} for f in answer.findings]
    for found, truth in zip(values, made.truth.values(), strict=True):
        assert found["stat_mean"] == pytest.approx(truth["mean_hu"])
        assert found["stat_var"] == pytest.approx(truth["variance_hu2"])
        assert found["morph_vol_approx"] == pytest.approx(truth["volume_mm3"])
        assert found["cm_contrast_3D_comb"] == pytest.approx(truth["contrast"])
    fine, coarse = values
    for tag in fine:
        if tag.startswith(("stat_", "ih_", "ivh_")):
            assert fine[tag] == pytest.approx(coarse[tag])
    assert fine["cm_contrast_3D_comb"] > 1.5 * coarse["cm_contrast_3D_comb"]


def test_a_filter_of_ibsi_2() -> None:
    answer = Radiomics().run(CT, (LUMP,), configuration="4.A")
    assert "filter laws (kernels L5E5, boundary mirror" in answer.reasons[0]
    assert len(answer.findings[0].measurements) == 18
    assert answer.maps is not None and LUMP.mask is not None
    shown = answer.maps["Filter response"]
    assert shown.geometry.same_grid(CT.geometry) and not shown.array[~LUMP.mask].any()
    mean = next(m.value for m in answer.findings[0].measurements if m.definition.startswith("stat_mean"))
    # By slice and not interpolated: the map holds the very values that were measured.
    assert shown.array[LUMP.mask].mean() == pytest.approx(mean, rel=1e-4)
    assert Radiomics().run(CT, (LUMP,)).maps is None
    with pytest.raises(Refused, match="on intensities that are not HU"):
        Radiomics().run(replace(CT, unit="1"), (LUMP,), configuration="3.B")


def test_arbitrary_intensities_give_only_what_their_scale_leaves() -> None:
    mr = replace(CT, quantity="intensity", unit="{arbitrary}")
    one = Radiomics().run(mr, (LUMP,))
    other = Radiomics().run(replace(mr, array=HU * 7.0 + 100.0), (LUMP,))
    assert any("arbitrary" in r for r in one.reasons)
    values = [{m.definition: m.value for m in a.findings[0].measurements} for a in (one, other)]
    assert values[0] == pytest.approx(values[1], rel=2e-3)
    assert not any("stat_mean" in d or "integ_int" in d for d in values[0])


def test_an_image_of_grey_levels_has_them_all() -> None:
    """Every consensus feature of the digital phantom can be had from DICOM."""
    levels = np.clip(np.rint(HU / 60.0) + 3.0, 1.0, 6.0).astype(np.float32)
    answer = Radiomics().run(Volume(levels, GRID), (LUMP,), configuration="digital phantom")
    (found,) = answer.findings
    assert len(found.measurements) == 482
    assert {m.unit for m in found.measurements if m.what.code in ("Q4LE", "ECT3")} == {"1"}


def test_remarks() -> None:
    apart = box((4, 12), (8, 20), (8, 22), label="two")
    assert apart.mask is not None
    mask = apart.mask.copy()
    mask[4:12, 13:15] = False
    edge = box((0, 8), (8, 20), (8, 22), label="edge")
    coarse = Geometry.regular(shape=(16, 15, 15), spacing_mm=(2.0, 4.0, 4.0), frame_of_reference="2.25.9")
    elsewhere = box((4, 12), (4, 10), (4, 10), label="coarse", grid=coarse)
    answer = Radiomics().run(CT, (replace(apart, mask=mask), edge, elsewhere, box((1, 2), (1, 3), (1, 3), label="dot")))
    said = "; ".join(answer.reasons)
    assert len(answer.findings) == 3
    for words in ("two: in 2 parts", "edge: reaches the edge", "coarse: outlined on another grid", "dot: 4 voxels"):
        assert words in said
    assert "compare textures only" in "; ".join(Radiomics().run(CT, (LUMP,), configuration="D").reasons)


@pytest.mark.parametrize(
    ("image", "configuration", "words"),
    [
        (replace(CT, unit="{arbitrary}"), "C", "not HU"),
        (CT, "SUV", "not SUV"),
        (CT, "digital phantom", "no grey levels"),
        (Volume(HU, Geometry.regular(shape=GRID.shape, spacing_mm=(2.0, 2.0, 3.0)), unit="[hnsf'U]"), "A", "2 x 3 mm"),
        (
            Volume(HU, Geometry.regular(shape=GRID.shape, spacing_mm=(5.0, 2.0, 2.0)), unit="[hnsf'U]"),
            "digital phantom",
            "5 x 2 x 2 mm",
        ),
        (Volume(HU, Geometry.regular(shape=GRID.shape, reference=Reference.PIXEL)), "auto", "need millimetres"),
        (Volume(np.stack([HU, HU]), GRID, axes=(Axis("time", (0.0, 1.0), "s"),)), "auto", "2 values of time"),
        (replace(CT, array=np.full_like(HU, 7.0)), "auto", "one intensity everywhere"),
        (replace(CT, array=np.full_like(HU, np.nan)), "auto", "not numbers"),
        (replace(CT, array=np.full_like(HU, 900.0)), "auto", "run from 900 to 900"),
    ],
)
def test_what_it_declines(image: Volume, configuration: str, words: str) -> None:
    region = replace(LUMP, geometry=image.geometry)
    with pytest.raises(Refused, match=words):
        Radiomics().run(image, (region,), configuration=configuration)


def test_regions_that_cannot_be_measured() -> None:
    with pytest.raises(Refused, match="no region named 'liver': there are lump"):
        Radiomics().run(CT, (LUMP,), structures="liver")
    with pytest.raises(Refused, match="4 voxels of 2 x 2 x 2 mm are left"):
        Radiomics().run(CT, (box((1, 2), (1, 3), (1, 3)),))
    many = tuple(box((4, 9), (8, 13), (8, 13), label=f"n{k}") for k in range(21))
    assert "1 are not" in "; ".join(Radiomics().run(CT, many).reasons)
    sheared = np.array(GRID.affine)
    sheared[1, 0] = 0.5
    tilted = Geometry(sheared, GRID.shape)
    with pytest.raises(Refused, match="sheared"):
        Radiomics().run(Volume(HU, tilted, unit="[hnsf'U]"), (replace(LUMP, geometry=tilted),))


@pytest.mark.data
def test_a_real_tumour_on_pet(data: Path) -> None:
    archive = data / "sarcoma_pet_ct_mr" / "STS_002.zip"
    if not archive.is_file():
        pytest.skip("sarcoma_pet_ct_mr is not among the data")
    (volume, *_), drawn = loaded(zipped(archive, "/PET/"))
    answer = Radiomics().run(volume, drawn)
    values = {m.definition.split(",")[0]: m for m in answer.findings[0].measurements}
    assert answer.reasons[0].startswith("configuration SUV") and values["stat_mean"].unit == "{SUVbw}g/ml"
    assert 15.0 < values["stat_max"].value <= 21.7  # SUVmax is 21.676 before interpolation
