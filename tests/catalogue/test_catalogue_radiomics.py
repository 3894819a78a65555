"""Radiomics of outlined regions: what it says, what it remarks, what it declines."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_series import loaded, zipped

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.radiomics import Radiomics
from isocenter.errors import Refused
from isocenter.methods.filters import laplacian_of_gaussian
from isocenter.methods.radiomics import Configuration, extract
from isocenter.methods.response_maps import response
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
    steps = {m.what.code: m for m in found.measurements if m.what.scheme != "IBSI"}
    assert (steps["int_mask_vox_count_reseg_roi"].value, steps["int_mask_vox_count_reseg_roi"].unit) == (1344, "1")
    assert steps["img_dim_x_interp_img"].value == 30 and steps["int_mask_mean_int_init_roi"].unit == "[hnsf'U]"
    assert (said["Q4LE"].unit, said["ECT3"].unit, said["RNU0"].unit) == ("[hnsf'U]", "[hnsf'U]2", "mm3")
    entropies = [m.definition for m in found.measurements if m.what.code == "TU9B"]
    assert entropies == [
        "cm_joint_entr_3D_avg, in three dimensions, averaged over directions (ITBB), configuration C",
        "cm_joint_entr_3D_comb, in three dimensions, directions merged (IAZD), configuration C",
    ]
    # Of 1,000 bins the intensity-volume histogram tells the number of a bin, and not HU.
    units = [
        [
            m.unit
            for m in Radiomics().run(CT, (LUMP,), configuration=c).findings[0].measurements
            if m.what.code == "PWN1"
        ]
        for c in "CE"
    ]
    assert units == [["[hnsf'U]"], ["1"]]
    (curve,) = answer.curves
    assert curve.x[0] < curve.x[-1] and curve.y["volume"][0] == 1.0 and curve.y["volume"][-1] == 0.0


def test_the_volume_in_words_is_that_of_the_outline_and_not_of_the_voxels_it_is_brought_to() -> None:
    grid = Geometry.regular(shape=(12, 30, 30), spacing_mm=(3.0, 1.0, 1.0), frame_of_reference="2.25.9")
    image = replace(CT, array=HU[:12], geometry=grid)
    (found,) = Radiomics().run(image, (box((2, 9), (5, 20), (5, 20), grid=grid),)).findings
    assert "voxels of 2 x 2 x 2 mm measured, 4.7 mL outlined" in found.words  # 15 x 15 x 21 mm


def test_a_filter_would_reach_into_a_gap_between_slices() -> None:
    gap = replace(CT, facts={"SlicesLacking": [2]})
    assert Radiomics().run(gap, (LUMP,)).outcome is Outcome.FOUND
    with pytest.raises(Refused, match="a filter on 16 slices of which 1 are missing: it reaches beyond what was drawn"):
        Radiomics().run(gap, (LUMP,), configuration="3.B")


def test_an_outline_of_another_phase_is_told_with_the_phase_that_is_measured() -> None:
    arterial = replace(CT, series_uid="2.25.1", facts={"SeriesDescription": "Abdomen arterial"})
    venous = replace(LUMP, series_uid="2.25.2")
    told = [r for r in Radiomics().run(arterial, (venous,)).reasons if "another series" in r]
    assert told == ["lump: drawn on another series of images; the intensities are those of Abdomen arterial"]
    unnamed = Radiomics().run(replace(arterial, facts={}), (venous,)).reasons
    assert any("are those of series 2.25.1" in r for r in unnamed)
    for image in (replace(CT, series_uid="2.25.2"), CT):
        assert not any("another series" in r for r in Radiomics().run(image, (venous,)).reasons)


def test_fractions_of_voxels_are_told() -> None:
    told = Radiomics().run(CT, (LUMP.of_occupancy(9.9),)).reasons
    assert any("fractions of voxels" in r and "(10.8 mL; the fractions add up to 9.9 mL)" in r for r in told)


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


def said(answer: Answer, tag: str) -> float:
    return next(m.value for m in answer.findings[0].measurements if m.definition.startswith(f"{tag},"))


def test_every_setting_can_be_told() -> None:
    """Each change stands in the configuration's name, and the numbers are those of the library told the same."""
    assert LUMP.mask is not None
    told = Radiomics().run(
        CT, (LUMP,), configuration="C", voxel_mm=3.0, interpolation="cubic", within="-60 to 90", outliers_sd=2.0,
        bins=16, merges="3D, 2D",
    )  # fmt: skip
    assert "3 mm, cubic interpolation, from -60 to 90, outliers beyond 2 SD left out, 16 bins" in told.findings[0].words
    own = Configuration(
        "own", spacing_mm=3.0, interpolation="cubic", within=(-60.0, 90.0), outliers_sd=2.0, bins=16, ivh_width=2.5,
        merges=("3D", "2D"),
    )  # fmt: skip
    library = extract(HU, LUMP.mask, GRID.spacing_mm, own)
    for tag in ("stat_mean", "cm_joint_entr_3D_comb", "cm_joint_entr_2D_avg", "ivh_v10"):
        assert said(told, tag) == pytest.approx(library[tag], rel=1e-9)
    flat = Radiomics().run(CT, (LUMP,), configuration="C", by_slice="yes", voxel_mm=0.0, bin_width=10.0, outliers_sd=0)
    sliced = Configuration("own", by_slice=True, within=(-1000.0, 400.0), bin_width=10.0, ivh_width=2.5, merges=("2D",))
    values = extract(HU, LUMP.mask, GRID.spacing_mm, sliced)
    assert said(flat, "cm_contrast_2D_comb") == pytest.approx(values["cm_contrast_2D_comb"], rel=1e-9)


def test_any_filter_can_be_told_with_its_settings() -> None:
    mine = "laplacian_of_gaussian(sigma_mm=3, boundary=nearest, truncate=3)"
    answer = Radiomics().run(CT, (LUMP,), configuration="D", voxel_mm=0.0, outliers_sd=0.0, filter=mine)
    whole = laplacian_of_gaussian(HU, 3.0, GRID.spacing_mm, boundary="nearest", truncate=3.0)
    assert said(answer, "stat_p90") == pytest.approx(float(np.percentile(whole[LUMP.mask], 90)), rel=0.02)
    assert said(answer, "stat_mean") == pytest.approx(float(whole[LUMP.mask].mean()), rel=1e-6)
    assert len(answer.findings[0].measurements) == 18
    textured = Radiomics().run(CT, (LUMP,), configuration="D", bins=8, filter="laws(kernels=L5E5E5, energy=3)")
    assert said(textured, "ih_max") == 8.0


def test_response_maps_of_the_digital_phantoms() -> None:
    """The whole map of a grey level image comes out, whatever its unit is called."""
    whole = box((0, 16), (0, 30), (0, 30))
    grey = replace(CT, unit="{arbitrary}", quantity="signal")
    for configuration in ("1.a.2", "8.a.2"):
        answer = Radiomics().run(grey, (whole,), configuration=configuration)  # type: ignore[arg-type]
        assert answer.maps is not None
        wanted = response(configuration)(HU, GRID.spacing_mm)
        assert answer.maps["Filter response"].array == pytest.approx(wanted, abs=1e-4)
        assert said(answer, "stat_mean") == pytest.approx(float(wanted.mean()), abs=1e-6)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"within": "low to high"}, "no range of intensities"),
        ({"within": "90 to -60"}, "lower end"),
        ({"bins": 32, "bin_width": 25.0}, "one of them divides"),
        ({"bin_width": -5.0}, "above zero"),
        ({"merges": "4D"}, "merge '4D'"),
        ({"filter": "median(size=3)"}, "filter 'median'"),
        ({"filter": "mean(size=4)"}, "odd number"),
        ({"filter": "mean(width=5)"}, "has no 'width'"),
        ({"filter": "laws(energy=7)"}, "needs kernels"),
        ({"filter": "mean(size=5, boundary=wrapped)"}, "boundary condition 'wrapped'"),
        ({"filter": "mean(5"}, "no filter with its settings"),
        ({"filter": "gabor(sigma_mm=5, wavelength_mm=2, gamma=0)"}, "gamma 0"),
        ({"filter": "mean(size=open('x'))"}, "a setting is a number"),
        ({"filter": "riesz_log(order=1, sigma_mm=2)"}, "wrong kind"),
        ({"filter": "mean(size=five)"}, "wrong kind"),
    ],
)
def test_settings_that_mean_nothing(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        Radiomics().run(CT, (LUMP,), **changes)
    with pytest.raises(Refused, match="arbitrary intensities"):
        Radiomics().run(replace(CT, unit="{arbitrary}"), (LUMP,), bin_width=5.0)


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


def test_images_computed_from_two_energies_are_told() -> None:
    """A map of iodine without a rescale type was measured as one in HU, and nothing was said of 40 keV."""
    kev, iodine = (
        replace(CT, facts={"Modality": "CT", "SeriesDescription": said}) for said in ("Mono 40 keV", "Iodine[mg/ml]")
    )
    answer = Radiomics().run(kev, (LUMP,))
    assert any("a virtual image of 40 keV" in r and r.startswith("WARNING") for r in answer.reasons)
    assert answer.findings[0].measurements == Radiomics().run(CT, (LUMP,)).findings[0].measurements
    arbitrary = Radiomics().run(iodine, (LUMP,))
    assert any("a map of iodine" in r for r in arbitrary.reasons)
    as_mr = Radiomics().run(replace(CT, unit="{arbitrary}"), (LUMP,))
    assert arbitrary.findings[0].measurements == as_mr.findings[0].measurements
    with pytest.raises(Refused, match="on intensities that are not HU"):
        Radiomics().run(iodine, (LUMP,), configuration="C")


def test_an_image_of_grey_levels_has_them_all() -> None:
    """Every consensus feature of the digital phantom can be had from DICOM."""
    levels = np.clip(np.rint(HU / 60.0) + 3.0, 1.0, 6.0).astype(np.float32)
    answer = Radiomics().run(Volume(levels, GRID), (LUMP,), configuration="digital phantom")
    (found,) = answer.findings
    assert sum(m.what.scheme == "IBSI" for m in found.measurements) == 482
    assert {m.unit for m in found.measurements if m.what.code in ("Q4LE", "ECT3")} == {"1"}


def test_remarks() -> None:
    apart = box((4, 12), (8, 20), (8, 22), label="two")
    assert apart.mask is not None
    mask = apart.mask.copy()
    mask[4:12, 13:15] = False
    edge = box((0, 8), (8, 20), (8, 22), label="edge")
    answer = Radiomics().run(CT, (replace(apart, mask=mask), edge, box((1, 2), (1, 3), (1, 3), label="dot")))
    said = "; ".join(answer.reasons)
    assert len(answer.findings) == 2
    for words in ("two: in 2 parts", "edge: reaches the edge", "dot: 4 voxels"):
        assert words in said
    assert "compare textures only" in "; ".join(Radiomics().run(CT, (LUMP,), configuration="D").reasons)


def regular(**changes: Any) -> Geometry:
    given = {"shape": GRID.shape, "spacing_mm": GRID.spacing_mm, "frame_of_reference": GRID.frame_of_reference}
    return Geometry.regular(**{**given, **changes})


def turned(degrees: float) -> Geometry:
    affine, angle = GRID.affine.copy(), np.deg2rad(degrees)
    round_z = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] = round_z @ affine[:3, :3]
    return Geometry(affine, GRID.shape, GRID.frame_of_reference)


@pytest.mark.parametrize(
    ("grid", "words"),
    [
        (
            regular(shape=(16, 15, 15), spacing_mm=(2.0, 4.0, 4.0)),
            r"voxels have another size\): mask 16 x 15 x 15 voxels of 2 x 4 x 4 mm from \(0, 0, 0\) mm; "
            r"image 16 x 30 x 30 voxels of 2 x 2 x 2 mm from \(0, 0, 0\) mm.*export the mask with the size",
        ),
        (regular(origin_mm=(0.0, 1.0, 0.0)), r"lie between those of the image\): .* from \(0, 1, 0\) mm; image"),
        (regular(origin_mm=(0.0, 0.0, 24.0)), r"marks voxels beyond the image\): .* from \(0, 0, 24\) mm; image"),
        (turned(3.0), r"its axes are turned"),
    ],
)
def test_a_mask_on_another_grid_is_refused_unless_its_resampling_is_asked_for(grid: Geometry, words: str) -> None:
    mask = box((2, 8), (4, 12), (4, 12), label="coarse", grid=grid)
    with pytest.raises(Refused, match=rf"coarse: a mask on another grid than the image \(.*{words}"):
        Radiomics().run(CT, (mask,))
    asked = Radiomics().run(CT, (mask,), other_grid="nearest")
    said = "".join(asked.reasons)
    assert len(asked.findings) == 1 and "by nearest neighbour: the outline has moved" in said
    assert ("256 voxels beyond the image are left out" in said) == ("beyond" in words)


def test_a_mask_of_part_of_the_image_or_stored_in_another_order_is_the_same_mask() -> None:
    assert LUMP.mask is not None
    held = Volume(LUMP.mask, GRID)
    for other in (held.cropped((3, 0, 0), (13, 30, 30)), held.permuted((2, 0, 1)).flipped(1)):
        answer = Radiomics().run(CT, (Region(other.geometry, mask=other.array, label="lump"),))
        assert answer.reasons == Radiomics().run(CT, (LUMP,)).reasons
        values = [[m.value for m in a.findings[0].measurements] for a in (answer, Radiomics().run(CT, (LUMP,)))]
        assert values[0] == values[1]


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
    with pytest.raises(Refused, match="a, b: 4 voxels of 2 x 2 x 2 mm are left") as both:
        Radiomics().run(CT, tuple(box((1, 2), (1, 3), (1, 3), label=name) for name in "ab"))
    assert str(both.value).count("4 voxels") == 1, "one reason, told once for all that share it"
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
