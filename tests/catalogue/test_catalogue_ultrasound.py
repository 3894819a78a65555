"""Ultrasound analyses: outlines from DICOM with their calibration, measurements of a person, and where they decline."""

from __future__ import annotations

import copy
import io
import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.plan import plan
from isocenter.analysis.run import Request, run
from isocenter.catalogue.fetal_biometry import AGE, BIOMETRY, WEIGHT, FetalBiometry
from isocenter.catalogue.image_quality import EDGE_WIDTH, ImageQuality
from isocenter.catalogue.liver_stiffness import LiverStiffness
from isocenter.catalogue.plane_image import grey
from isocenter.catalogue.thyroid_nodule import ThyroidNodule
from isocenter.catalogue.ultrasound_speckle import SHAPE, UltrasoundSpeckle
from isocenter.cli import app
from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.forms import seg
from isocenter.record import Finding, Origin, Outcome, Result, codes
from isocenter.site.folder import read_folder
from isocenter.site.loading import Loading
from isocenter.space import Axis, Geometry, Reference, Region, Volume
from isocenter.testing.phantoms import fetus, ultrasound

PLANE = Geometry.regular(shape=(1, 120, 160), spacing_mm=(1.0, 0.2, 0.2), reference=Reference.PLANE)
ROW, COLUMN = np.indices(PLANE.shape[1:])
SOLID: Any = {"composition": "solid", "echogenicity": "hypoechoic", "shape": "wider than tall", "margin": "smooth"}
PICTURE = (120.0 + 30.0 * np.cos(ROW / 2.0) * np.sin(COLUMN / 3.0))[None].astype(np.float32)
IMAGE = Volume(PICTURE, PLANE)


def disc(radius_mm: float, grid: Geometry = PLANE, at: tuple[float, float] = (60, 80), label: str = "nodule") -> Region:
    inside = ((ROW - at[0]) ** 2 + (COLUMN - at[1]) ** 2) * 0.04 <= radius_mm**2
    return Region(grid, mask=inside[None], label=label)


def value(finding: Finding, what: Any) -> float:
    return next(m.value for m in finding.measurements if m.what == what)


def test_a_folder_with_an_outlined_head_gives_its_size(tmp_path: Path) -> None:
    made = fetus.patient()
    (data,) = made.files
    (study,) = merge([read_header(data)])
    ds = pydicom.dcmread(io.BytesIO(data))
    (image,), _ = loaded([data])
    head = Region(image.geometry, mask=made.truth["mask"][None], series_uid=image.series_uid,
                  instance_uid=image.instance_uids[0], label="head")  # fmt: skip
    drawn = Result(study.uid, Outcome.FOUND, Origin("person", "reader"), datetime.now(UTC),
                   findings=(Finding(codes.STRUCTURE, where=head, words="Head."),))  # fmt: skip
    (outline,) = seg.write(drawn, study, lambda _: data)
    (tmp_path / "us.dcm").write_bytes(data)
    (tmp_path / "seg.dcm").write_bytes(outline)
    assert ds.SequenceOfUltrasoundRegions[0].PhysicalDeltaX != ds.SequenceOfUltrasoundRegions[0].PhysicalDeltaY
    analysis = FetalBiometry()
    with read_folder(tmp_path) as held:
        (now,) = held.studies
        (binding,) = plan([analysis], now).bindings
        load = Loading(now, analysis.needs, binding.series, held)
        asked = Request("fetal_biometry", now.uid, load, datetime.now(UTC), {"weeks": 30.0, "ac_mm": 260.0},
                        digests=load.digests)  # fmt: skip
        done = run(asked, analysis).result
    assert done.answer is Outcome.FOUND, done.reasons
    whole = next(f for f in done.findings if f.what == BIOMETRY)
    sizes = {m.what.meaning: m.value for m in whole.measurements}
    assert sizes["Head Circumference"] == pytest.approx(made.truth["hc_mm"], abs=0.5)
    assert sizes["Biparietal Diameter"] == pytest.approx(made.truth["bpd_mm"], abs=0.4)
    weight = next(m for m in whole.measurements if m.what == WEIGHT)
    assert weight.percentile is not None and "INTERGROWTH-21st" in weight.norm
    assert "this fetus" in " ".join(done.curves[0].y)


def test_without_calibration_no_length_is_given() -> None:
    made = fetus.patient(calibrated=False)
    (image,), _ = loaded(made.files)
    assert image.geometry.reference is Reference.PIXEL
    head = Region(image.geometry, mask=made.truth["mask"][None], label="head")
    with pytest.raises(Refused, match="without calibration"):
        FetalBiometry().run(image, (head,))
    with pytest.raises(Refused, match="without calibration"):
        ThyroidNodule().run(image, (replace(head, label="nodule"),), composition="spongiform")


@pytest.mark.parametrize(("beyond", "known"), [(0, True), (1, True), (200, False)])
def test_a_picture_smaller_than_its_calibrated_regions_has_no_lengths(beyond: int, known: bool) -> None:
    """As a converter leaves it that shrinks or cuts the pixels and keeps the header; 1: an end written one off."""
    made = fetus.patient()
    ds = pydicom.dcmread(io.BytesIO(made.files[0]))
    region = ds.SequenceOfUltrasoundRegions[0]
    region.RegionLocationMaxX1 = ds.Columns - 1 + beyond
    ds.PixelSpacing = [0.3, 0.3]
    out = io.BytesIO()
    ds.save_as(out)
    (image,), _ = loaded([out.getvalue()])
    head = (Region(image.geometry, mask=made.truth["mask"][None], label="head"),)
    if known:
        assert FetalBiometry().run(image, head).findings
        return
    with pytest.raises(Refused, match="smaller than its calibrated regions"):
        FetalBiometry().run(image, head)


@pytest.mark.parametrize(("spatial", "units", "known"), [(1, 3, True), (2, 4, False), (3, 4, False)])
def test_pixel_spacing_says_nothing_of_a_picture_that_runs_over_time(spatial: int, units: int, known: bool) -> None:
    """An M-mode (2) or Doppler (3) picture with a Pixel Spacing gave a head circumference by it."""
    made = fetus.patient()
    ds = pydicom.dcmread(io.BytesIO(made.files[0]))
    region = ds.SequenceOfUltrasoundRegions[0]
    region.RegionSpatialFormat, region.PhysicalUnitsXDirection, ds.PixelSpacing = spatial, units, [0.3, 0.3]
    out = io.BytesIO()
    ds.save_as(out)
    (image,), _ = loaded([out.getvalue()])
    head = (Region(image.geometry, mask=made.truth["mask"][None], label="head"),)
    if known:
        assert FetalBiometry().run(image, head).findings
        return
    with pytest.raises(Refused, match="head on a picture of an M-mode or Doppler curve: it runs over time"):
        FetalBiometry().run(image, head)


@pytest.mark.parametrize("other", [2, 3])
def test_a_doppler_curve_below_leaves_the_tissue_its_scale(other: int) -> None:
    made = fetus.patient()
    ds = pydicom.dcmread(io.BytesIO(made.files[0]))
    curve = copy.deepcopy(ds.SequenceOfUltrasoundRegions[0])
    curve.RegionSpatialFormat, curve.PhysicalUnitsXDirection, curve.PhysicalUnitsYDirection = other, 4, 7
    curve.RegionLocationMinY0, curve.RegionLocationMaxY1 = ds.Rows - 20, ds.Rows - 1
    curve.PhysicalDeltaX = curve.PhysicalDeltaY = 0.5
    ds.SequenceOfUltrasoundRegions = [curve, *ds.SequenceOfUltrasoundRegions]
    out = io.BytesIO()
    ds.save_as(out)
    (plain,), _ = loaded(made.files)
    (image,), _ = loaded([out.getvalue()])
    sizes = [
        FetalBiometry().run(v, (Region(v.geometry, mask=made.truth["mask"][None], label="head"),)).findings[0]
        for v in (plain, image)
    ]
    assert sizes[0].measurements == sizes[1].measurements


def test_an_outline_is_measured_by_the_part_of_the_picture_that_it_lies_in() -> None:
    twins = [[0.0, 0.0, 79.0, 119.0, 0.2, 0.2], [80.0, 0.0, 159.0, 119.0, 0.4, 0.4]]
    image = replace(IMAGE, facts={"UltrasoundRegions": twins})
    seen = {"composition": "solid", "echogenicity": "isoechoic", "shape": "wider than tall", "margin": "smooth"}
    sizes = []
    for column in (40, 120):
        answer = ThyroidNodule().run(image, (disc(5.0, at=(60, column)),), **seen)  # type: ignore[arg-type]
        sizes.append(value(answer.findings[0], codes.LONG_AXIS))
    assert sizes == pytest.approx([10.0, 20.0], abs=0.5)
    for regions, words in ((twins, "outside the calibrated part"), ([[0.0, 0.0, 159.0, 119.0, 0.2, 0.2],
                           [0.0, 0.0, 159.0, 119.0, 0.4, 0.4]], "their scales differ")):  # fmt: skip
        with pytest.raises(Refused, match=words):
            ThyroidNodule().run(replace(IMAGE, facts={"UltrasoundRegions": regions}), (disc(5.0),), **seen)  # type: ignore[arg-type]


def nodule_on(**header: Any) -> Any:
    """A nodule of 30 mm by the regions, on a picture whose header is changed."""
    ds = pydicom.dcmread(io.BytesIO(fetus.patient().files[0]))
    for keyword, value in header.items():
        setattr(ds, keyword, value)
    if "SequenceOfUltrasoundRegions" not in header:
        del ds.SequenceOfUltrasoundRegions
    out = io.BytesIO()
    ds.save_as(out)
    (image,), _ = loaded([out.getvalue()])
    row, column = np.indices(image.geometry.shape[1:])
    mask = (row - 200) ** 2 + (column - 200) ** 2 <= 50**2
    return ThyroidNodule().run(image, (Region(image.geometry, mask=mask[None], label="nodule"),), **SOLID)


SHOT = "1.2.840.10008.5.1.4.1.1.7"


@pytest.mark.parametrize(
    ("header", "mm"),
    [
        ({"PixelSpacing": [0.2, 0.2]}, 20.0),
        ({"PixelSpacing": [1.0, 1.0]}, None),  # what ITK writes that knows of none
        ({"NominalScannedPixelSpacing": [0.2, 0.2]}, None),  # of the print on the scanner
        ({"ImagerPixelSpacing": [0.2, 0.2]}, None),
        ({"PixelSpacing": [0.2, 0.2], "SOPClassUID": SHOT}, None),
        ({"PixelSpacing": [0.2, 0.2], "SOPClassUID": SHOT, "PixelSpacingCalibrationType": "FIDUCIAL"}, 20.0),
    ],
)
def test_spacing_without_calibrated_regions(header: dict[str, Any], mm: float | None) -> None:
    if mm is None:
        with pytest.raises(Refused, match="without calibration"):
            nodule_on(**header)
    else:
        assert value(nodule_on(**header).findings[0], codes.LONG_AXIS) == pytest.approx(mm, abs=0.4)


def region(left: int, top: int, right: int, bottom: int, mm: float, flags: int = 0) -> pydicom.Dataset:
    made = pydicom.Dataset()
    made.RegionSpatialFormat, made.RegionDataType, made.RegionFlags = 1, 1, flags
    made.RegionLocationMinX0, made.RegionLocationMinY0 = left, top
    made.RegionLocationMaxX1, made.RegionLocationMaxY1 = right, bottom
    made.PhysicalUnitsXDirection = made.PhysicalUnitsYDirection = 3
    made.PhysicalDeltaX, made.PhysicalDeltaY = mm / 10, -mm / 10  # upwards, as some write it
    return made


def test_of_overlapping_regions_the_one_drawn_over_the_other_counts() -> None:
    whole, low = region(0, 0, 559, 439, 0.3), region(0, 0, 559, 439, 0.3, flags=1)
    inset = region(140, 140, 260, 260, 0.1)
    answer = nodule_on(SequenceOfUltrasoundRegions=[low, inset])
    assert value(answer.findings[0], codes.LONG_AXIS) == pytest.approx(10.0, abs=0.2)
    with pytest.raises(Refused, match="their scales differ"):
        nodule_on(SequenceOfUltrasoundRegions=[whole, inset])
    with pytest.raises(Refused, match="their scales differ"):  # a part of the nodule is hidden
        nodule_on(SequenceOfUltrasoundRegions=[low, region(180, 140, 260, 260, 0.1)])
    assert value(nodule_on(SequenceOfUltrasoundRegions=[whole]).findings[0], codes.LONG_AXIS) == pytest.approx(
        30, abs=0.6
    )


@pytest.mark.parametrize(("mm", "doubted"), [(0.3, False), (0.298, False), (3.0, False), (0.03, False), (0.15, True)])
def test_two_calibrations_that_contradict_each_other_are_told(mm: float, doubted: bool) -> None:
    answer = nodule_on(SequenceOfUltrasoundRegions=[region(0, 0, 559, 439, 0.3)], PixelSpacing=[mm, mm])
    assert any("Pixel Spacing says" in r for r in answer.reasons) is doubted


def test_measurements_of_a_person_and_the_age_from_them() -> None:
    answer = FetalBiometry().run(IMAGE, None, hc_mm=250.0, fl_mm=55.0)
    assert value(answer.findings[0], AGE) == pytest.approx(200.523, abs=1e-3)
    assert all(m.percentile is None for m in answer.findings[0].measurements)
    assert any("compare the fetus with itself" in r for r in answer.reasons)
    hadlock = FetalBiometry().run(IMAGE, None, standard="Hadlock", weeks=30.0, hc_mm=280.0, ac_mm=265.0, fl_mm=57.0)
    assert "Hadlock 1991" in next(m.norm for m in hadlock.findings[0].measurements if m.what == WEIGHT)
    with pytest.raises(Refused, match="Hadlock 1984 dates by these"):
        FetalBiometry().run(IMAGE, None, standard="Hadlock", crl_mm=60.0)


def test_the_outer_diameter_of_an_outline_gives_no_age_by_hadlock() -> None:
    """Until version 5 it was told to be left out, and was a half of the mean: 204.7 days for 201.8."""
    inputs, _ = next(FetalBiometry.examples())
    answer = FetalBiometry().run(**inputs, standard="Hadlock")
    (age,) = [m for m in answer.findings[0].measurements if m.what == AGE]
    around = value(
        answer.findings[0], next(m.what for m in answer.findings[0].measurements if m.what.code == "11984-2")
    )
    assert age.definition == "Hadlock 1984, mean of HC"
    assert age.value == pytest.approx(7 * (8.96 + 0.054 * around + 0.0003 * (around / 10) ** 3))
    measured = FetalBiometry().run(**inputs, standard="Hadlock", bpd_mm=72.0)
    (age,) = [m for m in measured.findings[0].measurements if m.what == AGE]
    assert age.definition == "Hadlock 1984, mean of BPD, HC"


def test_a_head_that_is_large_for_any_age_has_none() -> None:
    answer = FetalBiometry().run(IMAGE, None, hc_mm=400.0)
    assert "no age by INTERGROWTH-21st" in answer.findings[0].words
    assert any("an age of 51.1 weeks by HC 400 mm" in told for told in answer.reasons)


def test_an_abdomen_alone_is_measured_without_an_age() -> None:
    answer = FetalBiometry().run(IMAGE, None, ac_mm=233.0)
    assert [m.value for m in answer.measurements or answer.findings[0].measurements] == [233.0]
    assert "no age by INTERGROWTH-21st" in answer.findings[0].words
    assert any("no age, and without weeks no centile" in told for told in answer.reasons)


def test_lengths_before_22_weeks_have_centiles_without_a_weight() -> None:
    answer = FetalBiometry().run(IMAGE, None, hc_mm=176.0, ac_mm=151.0, ofd_mm=62.0, weeks=20.0)
    told = {str(m.what): m for m in answer.findings[0].measurements if m.unit == "mm"}
    assert len(told) == 3 and all(m.percentile is not None for m in told.values())
    assert told["Occipital-Frontal Diameter"].value == 62.0
    assert any("no weight: 20 weeks" in r and "22 to 40" in r for r in answer.reasons)
    assert all(m.what != WEIGHT for m in answer.findings[0].measurements)


def test_a_bpd_that_fits_no_head_of_that_circumference_is_told() -> None:
    """A BPD of 50 mm beside an HC of 300 had a z of -10.6 and an age of its own, without a word."""
    said = "WARNING: a BPD of 50 mm does not fit an HC of 300 mm: a head is 60 to 100 % as wide as it is long"
    wrong = FetalBiometry().run(IMAGE, None, weeks=32.0, hc_mm=300.0, bpd_mm=50.0)
    assert any(said in reason for reason in wrong.reasons)
    wide = FetalBiometry().run(IMAGE, None, weeks=32.0, ofd_mm=80.0, bpd_mm=95.0)
    assert any("a BPD of 95 mm does not fit an OFD of 80 mm" in reason for reason in wide.reasons)
    for bpd in (73.0, 82.0, 93.0):
        right = FetalBiometry().run(IMAGE, None, weeks=32.0, hc_mm=300.0, bpd_mm=bpd)
        assert not any("does not fit" in reason for reason in right.reasons), bpd


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "no measurement of the fetus"),
        ({"hc_mm": 26.0, "weeks": 28.0}, "given in centimetres"),
        ({"hc_mm": 260.0, "weeks": 41.0}, "14 to 40 weeks"),
    ],
)
def test_fetal_biometry_declines(how: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        FetalBiometry().run(IMAGE, None, **how)


def test_a_nodule_is_told_from_its_lobe_and_from_other_nodules() -> None:
    lobe, small = disc(11.0, label="left lobe"), disc(4.0, at=(50, 90), label="")
    answer = ThyroidNodule().run(IMAGE, (lobe, small), **SOLID)
    assert value(answer.findings[0], codes.LONG_AXIS) == pytest.approx(8.0, abs=0.4)
    assert "no follow-up" in answer.findings[0].words
    assert answer.reasons == ("left lobe: not measured, the name is not a nodule's",)
    alone = ThyroidNodule().run(IMAGE, (lobe,), **SOLID)
    assert "Without a size nothing is advised" in alone.findings[0].words
    planes = ThyroidNodule().run(IMAGE, (disc(4.0, label="Nodule 1"), disc(6.0, label="nodule 1")), **SOLID)
    assert value(planes.findings[0], codes.LONG_AXIS) == pytest.approx(12.0, abs=0.4)
    assert planes.findings[0].measurements[-1].definition.startswith("longest diameter of 2 outlines")
    for labels in (("nodule 1", "nodule 2"), ("", "")):
        several = tuple(disc(r, label=n) for r, n in zip((4.0, 9.0), labels, strict=True))
        with pytest.raises(Refused, match="outlines of 2 nodules"):
            ThyroidNodule().run(IMAGE, several, **SOLID)
        assert ThyroidNodule().run(IMAGE, several, longest_mm=12.0, **SOLID).findings


def test_heads_of_twins_are_no_one_fetus() -> None:
    wide = Geometry.regular(shape=PLANE.shape, spacing_mm=(1.0, 1.0, 1.0), reference=Reference.PLANE)
    image = Volume(PICTURE, wide)
    one, again, other = (disc(r, grid=wide, label="head") for r in (8.0, 8.2, 10.0))  # 5 times as large on this grid
    answer = FetalBiometry().run(image, (one, again))
    assert any("is that of the first of several outlines of the head" in r for r in answer.reasons)
    with pytest.raises(Refused, match="two outlines of the head, HC 251 and 314 mm"):
        FetalBiometry().run(image, (one, other))


def test_an_outline_that_is_cut_off_is_no_head() -> None:
    half = disc(10.0, label="head")
    assert half.mask is not None
    half.mask[0, 60:] = False
    with pytest.raises(Refused, match="cut off"):
        FetalBiometry().run(IMAGE, (half,))


def test_a_nodule_with_sizes_and_growth() -> None:
    answer = ThyroidNodule().run(
        IMAGE, None, composition="solid", echogenicity="very hypoechoic", shape="taller than wide",
        margin="ill-defined", punctate_foci=True, rim_calcifications=True,
        sizes_mm="12, 12, 10", sizes_before_mm="10, 10, 10",
    )  # fmt: skip
    words = answer.findings[0].words
    assert "TR5, highly suspicious, 13 points" in words and "fine-needle aspiration" in words
    assert "Grown (2 of 3 dimensions" in words
    assert value(answer.findings[0], codes.VOLUME) == pytest.approx(np.pi / 6 * 1.44)
    for how, said in (({"sizes_mm": "12; ten"}, "three numbers"), ({"sizes_mm": "12, 10"}, "three dimensions")):
        with pytest.raises(Refused, match=said):
            ThyroidNodule().run(IMAGE, None, composition="spongiform", **how)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("how", "words"),
    [
        ({}, "no readings"),
        ({"readings": "5, 5, 5, 5, 5"}, "without a unit"),
        ({"readings": "5, five", "unit": "kPa"}, "numbers with commas"),
        ({"readings": "5, 5", "unit": "kPa"}, "2 readings"),
    ],
)
def test_stiffness_declines(how: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        LiverStiffness().run(IMAGE, **how)


def test_an_unreliable_stiffness_has_no_class() -> None:
    answer = LiverStiffness().run(IMAGE, readings="4, 5, 6, 9, 12, 15, 18, 20, 22, 25", unit="kPa")
    assert "too large for a class" in answer.findings[0].words and "not reliable" in answer.reasons[0]


def test_speckle_of_a_picture_from_dicom() -> None:
    made = fetus.patient()
    (image,), _ = loaded(made.files)
    mask = np.zeros(image.geometry.shape, bool)
    mask[0, 30:120, 60:200] = True
    region = Region(image.geometry, mask=mask, label="placenta")
    answer = UltrasoundSpeckle().run(image, (region,), dynamic_range_db=fetus.DYNAMIC_RANGE_DB)
    assert value(answer.findings[0], SHAPE) == pytest.approx(1.0, abs=0.1)
    assert answer.maps is not None and set(answer.maps) == {"nakagami_m", "despeckled"}
    assert answer.maps["despeckled"].array.min() == pytest.approx(-fetus.DYNAMIC_RANGE_DB, abs=1e-3)
    for how, words in (({"dynamic_range_db": 0.0}, "dynamic range"), ({"dynamic_range_db": 70.0}, "no outline")):
        with pytest.raises(Refused, match=words):
            UltrasoundSpeckle().run(image, (region,) if words == "dynamic range" else (disc(5.0),), **how)


def test_white_is_that_of_the_bits_that_are_stored() -> None:
    """A dark picture of 12 bits: white is 4095, though nothing in it is brighter than half of that."""
    echo = np.sqrt(np.random.default_rng(8).gamma(1.0, 1.0, IMAGE.geometry.shape))
    grey = np.clip(np.round((0.37 + 20.0 * np.log10(echo) / 90.0) * 4095.0), 0, 4095).astype(np.float32)
    assert 1024 < grey.max() < 2048
    held = replace(IMAGE, array=grey, facts={**IMAGE.facts, "BitsStored": 12})
    answer = UltrasoundSpeckle().run(held, (disc(9.0),), dynamic_range_db=90.0)
    assert value(answer.findings[0], SHAPE) == pytest.approx(1.0, abs=0.05)


def test_speckle_takes_no_colour_and_no_white() -> None:
    colour = np.repeat(PICTURE[None], 3, axis=0)
    colour[0, 0, 60, 80] += 60.0
    held = Volume(colour, PLANE, axes=(Axis("channel", ("R", "G", "B")),))
    with pytest.raises(Refused, match="with colour in it"):
        UltrasoundSpeckle().run(held, (disc(5.0),), dynamic_range_db=60.0)
    white = np.where(disc(5.0).mask, 255.0, PICTURE).astype(np.float32)
    with pytest.raises(Refused, match="white pixels"):
        UltrasoundSpeckle().run(replace(IMAGE, array=white), (disc(5.0),), dynamic_range_db=60.0)
    dark = np.where(disc(5.0).mask & (np.arange(PICTURE.shape[-1]) % 9 == 0), 0.0, PICTURE).astype(np.float32)
    with pytest.raises(Refused, match=r"black pixels.*Raise the gain or the dynamic range"):
        UltrasoundSpeckle().run(replace(IMAGE, array=dark), (disc(5.0),), dynamic_range_db=60.0)
    film = Volume(np.stack([PICTURE] * 2), PLANE, axes=(Axis("time", (0.0, 1.0), "s"),))
    with pytest.raises(Refused, match="a film of 2 frames"):
        UltrasoundSpeckle().run(film, (disc(5.0),), dynamic_range_db=60.0)


def test_letters_in_white_are_no_speckle() -> None:
    """Text on 1.7 % of an outline read 0.81 for an m of 1.00, without a word."""
    power = np.random.default_rng(9).exponential(1.0, PICTURE.shape)
    grey = np.clip((70.0 + 10.0 * np.log10(power) - 12.0) / 70.0 * 255.0, 0, 255).astype(np.float32)
    region = disc(9.0)
    answer = UltrasoundSpeckle().run(replace(IMAGE, array=grey), (region,), dynamic_range_db=70.0)
    assert value(answer.findings[0], SHAPE) == pytest.approx(1.0, abs=0.05)
    grey[0, 58:62, 70:95] = 255.0
    with pytest.raises(Refused, match=r"nodule with 1\.\d% of white pixels that are no speckle: text, calipers"):
        UltrasoundSpeckle().run(replace(IMAGE, array=grey), (region,), dynamic_range_db=70.0)


def test_an_outline_without_a_telling_name_is_of_what_it_is_coded_as() -> None:
    said = {}
    for label, coded in (("Kopf", ""), ("Segment_1", "SCT:69536005"), ("Segment_1", "SRT:T-D1100,SCT:24028007")):
        named = replace(disc(11.6, label=label), coded=coded)
        said[label, coded] = FetalBiometry().run(IMAGE, (named,), weeks=14.0).findings[1].words
    assert len(set(said.values())) == 1 and next(iter(said.values())).startswith("Head: HC 73 mm")
    with pytest.raises(Refused, match="what is outlined on it is called 'Segment_1'"):
        FetalBiometry().run(IMAGE, (disc(11.6, label="Segment_1"),), weeks=14.0)


def test_an_outline_of_another_size_than_the_picture_says_so() -> None:
    """It was refused for a calibration that the picture has."""
    small = Geometry.regular(shape=(1, 60, 80), spacing_mm=(1.0, 1.0, 1.0), reference=Reference.PIXEL)
    region = Region(small, mask=np.ones(small.shape, bool), label="nodule", instance_uid="2.25.7")
    with pytest.raises(Refused, match="nodule of 60 by 80 pixels on a picture of 120 by 160"):
        ThyroidNodule().run(replace(IMAGE, instance_uids=("2.25.7",)), (region,), **SOLID)


@pytest.mark.parametrize("said", [{"RegionSpatialFormat": 0}, {"PhysicalUnitsXDirection": 0}])
def test_regions_without_a_length_are_named_as_the_reason(said: dict[str, int]) -> None:
    (data,) = fetus.patient().files
    ds = pydicom.dcmread(io.BytesIO(data))
    for keyword, number in said.items():
        setattr(ds.SequenceOfUltrasoundRegions[0], keyword, number)
    written = io.BytesIO()
    ds.save_as(written)
    (image,), _ = loaded([written.getvalue()])
    mask = np.ones(image.geometry.shape, bool)
    with pytest.raises(Refused, match="states no 2-D tissue in centimetres"):
        ThyroidNodule().run(image, (Region(image.geometry, mask=mask, label="nodule"),), **SOLID)


def test_a_film_carries_what_a_person_gives_and_no_outline() -> None:
    """Its pixels are not measured then; an outline on it would lie on a frame that nothing names."""
    array = np.stack([np.zeros_like(PICTURE) + 1.0, PICTURE])[::-1]
    film = Volume(array, PLANE, axes=(Axis("time", (0.0, 1.0), "s"),), instance_uids=("2.25.8",))
    head = replace(disc(5.0, label="head"), instance_uid="2.25.8")
    given: Any = {"hc_mm": 230.0, "ac_mm": 215.0, "fl_mm": 45.0}
    on_film, on_still = (FetalBiometry().run(image, None, **given) for image in (film, IMAGE))
    assert [f.words for f in on_film.findings] == [f.words for f in on_still.findings] != []
    assert LiverStiffness().run(film, readings="5,5,5,5,6", unit="kPa").findings
    for asked in (lambda: FetalBiometry().run(film, (head,)), lambda: ThyroidNodule().run(film, (head,), **SOLID)):
        with pytest.raises(
            Refused, match=r"on a film of 2 frames: nothing says on which .*still picture of the machine"
        ):
            asked()


def test_an_outline_on_a_film_that_names_its_frame_is_measured_there() -> None:
    """It was declined as one of which nothing says on which frame it lies."""
    film = Volume(
        np.stack([PICTURE**2 / 255.0, PICTURE]), PLANE, axes=(Axis("time", (0.0, 1.0), "s"),), instance_uids=("2.25.8",)
    )
    drawn = replace(disc(5.0, label="head"), instance_uid="2.25.8", frames=frozenset({2}))
    shape = UltrasoundSpeckle().run(film, (drawn,), dynamic_range_db=60.0).findings[0]
    still = UltrasoundSpeckle().run(IMAGE, (disc(5.0),), dynamic_range_db=60.0).findings[0]
    assert value(shape, SHAPE) == value(still, SHAPE)
    nodule = replace(drawn, label="nodule")
    sizes = [ThyroidNodule().run(i, (r,), **SOLID).findings[0].measurements
             for i, r in ((film, nodule), (IMAGE, disc(5.0, label="nodule")))]  # fmt: skip
    assert sizes[0] == sizes[1]
    both = replace(drawn, frames=frozenset({1, 2}))
    with pytest.raises(Refused, match=r"on a film of 2 frames: it was drawn on 2 of them"):
        FetalBiometry().run(film, (both,))
    beyond = replace(drawn, frames=frozenset({3}))
    for wrong in (both, beyond):
        with pytest.raises(Refused, match="a film of 2 frames"):
            UltrasoundSpeckle().run(film, (wrong,), dynamic_range_db=60.0)


def test_lists_of_numbers_and_no_are_understood_on_the_command_line(tmp_path: Path) -> None:
    """As the pages write them: three dimensions with commas between, and a focus that is not there."""
    for n, data in enumerate(ultrasound.patient(seed=1).files):
        ds = pydicom.dcmread(io.BytesIO(data))
        if ds.Modality == "US":
            ds.BodyPartExamined = "THYROID"
            ds.save_as(tmp_path / f"{n}.dcm")
    seen = ["composition=mixed", "echogenicity=isoechoic", "shape=wider than tall", "margin=smooth"]
    more = ["sizes_mm=26, 20, 15", "sizes_before_mm=20, 16, 15", "punctate_foci=false", "macrocalcifications=no"]
    said = [part for one in (*seen, *more) for part in ("--set", one)]
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "thyroid_nodule", "--json", *said])
    (result,) = json.loads(done.stdout)
    assert result["answer"] == "found", result["reasons"]
    words = result["findings"][0]["words"]
    assert "TR2, not suspicious, 2 points" in words and "26 mm: no aspiration" in words and "Grown (2 of 3" in words


def test_an_outline_has_the_scale_of_the_view_of_its_own_picture(tmp_path: Path) -> None:
    """Two pictures of two views each, as machines write them: the outline lies in the second view of the second."""
    made = fetus.patient()
    (data,) = made.files
    mask = np.zeros(pydicom.dcmread(io.BytesIO(data)).pixel_array.shape[:2], bool)
    row, column = np.indices(mask.shape)
    middle = mask.shape[1] // 2
    mask |= ((row - 200) / 80.0) ** 2 + ((column - middle - 130) / 100.0) ** 2 <= 1.0
    files = []
    for number, second in ((1, 0.05), (2, 0.04)):
        ds = pydicom.dcmread(io.BytesIO(data))
        (left,) = ds.SequenceOfUltrasoundRegions
        right = pydicom.dcmread(io.BytesIO(data)).SequenceOfUltrasoundRegions[0]
        for view, x0, cm in ((left, 0, 0.03), (right, middle, second)):
            view.RegionLocationMinX0, view.RegionLocationMaxX1 = x0, x0 + middle - 1
            view.RegionLocationMinY0, view.RegionLocationMaxY1 = 0, mask.shape[0] - 1
            view.PhysicalDeltaX = view.PhysicalDeltaY = cm
        # The colour box over the tissue: the same scale, rounded otherwise.
        colour = pydicom.dcmread(io.BytesIO(data)).SequenceOfUltrasoundRegions[0]
        colour.update(right)
        colour.PhysicalDeltaX, colour.RegionDataType = second * (1.0 + 1e-6), 2
        ds.SequenceOfUltrasoundRegions = [left, right, colour]
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID}.{number}"
        ds.InstanceNumber = number
        out = io.BytesIO()
        ds.save_as(out)
        files.append(out.getvalue())
    study = merge([read_header(f) for f in files])[0]
    (image,), _ = loaded([files[1]])
    head = Region(Geometry.regular(shape=image.geometry.shape, reference=Reference.PIXEL), mask=mask[None],
                  series_uid=image.series_uid, instance_uid=image.instance_uids[0], label="head")  # fmt: skip
    drawn = Result(study.uid, Outcome.FOUND, Origin("person", "reader"), datetime.now(UTC),
                   findings=(Finding(codes.STRUCTURE, where=head, words="Head."),))  # fmt: skip
    by_uid = {i.sop_uid: f for i, f in zip(study.series[0].instances, files, strict=True)}
    files += seg.write(drawn, study, by_uid.__getitem__)
    # A further series of the same patient must not be taken in its stead.
    ds = pydicom.dcmread(io.BytesIO(data))
    ds.SeriesInstanceUID += ".9"
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{ds.SOPInstanceUID}.9"
    out = io.BytesIO()
    ds.save_as(out)
    for number, file in enumerate([*files, out.getvalue()]):
        (tmp_path / f"{number}.dcm").write_bytes(file)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "fetal_biometry", "--json"])
    (answer,) = json.loads(done.stdout)
    said = {m["what"]["meaning"]: m["value"] for f in answer["findings"] for m in f["measurements"]}
    assert said["Head Circumference"] == pytest.approx(227.0, abs=0.6), answer  # 80 by 64 mm; 142 or 170 otherwise


def test_speckle_of_a_lossy_picture_is_not_measured() -> None:
    with pytest.raises(Refused, match="compressed with loss"):
        image = replace(IMAGE, facts={"LossyImageCompression": "01"})
        UltrasoundSpeckle().run(image, (disc(6.0),), dynamic_range_db=60.0)


def test_a_stack_of_slices_is_no_picture() -> None:
    grid = Geometry.regular(shape=(12, 120, 160), spacing_mm=(1.0, 0.2, 0.2), reference=Reference.PLANE)
    with pytest.raises(Refused, match="a stack of 12 slices"):
        grey(Volume(np.repeat(PICTURE, 12, axis=0), grid))


def test_a_comma_within_a_reading_is_not_taken_for_two_readings() -> None:
    for readings in ("5,1; 4,9; 5,2; 5,3; 5,1", "5,1 4,9 5,2 5,3 5,1", "5,1, 4,9, 5,2, 5,3, 5,1,",
                     "5,1,4,9,5,2,5,3,5,1"):  # fmt: skip
        with pytest.raises(Refused, match="decimals with a point"):
            LiverStiffness().run(IMAGE, readings=readings, unit="kPa")
    assert LiverStiffness().run(IMAGE, readings="5,5,5,5,5", unit="kPa").outcome is Outcome.FOUND
    whole = LiverStiffness().run(IMAGE, readings="5, 1, 4, 9, 5, 2, 5, 3, 5, 1", unit="kPa")
    assert any(m.value == 10 for m in whole.findings[0].measurements)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"longest_mm": 1.2}, "was it given in centimetres"),
        ({"sizes_mm": "1.2, 1.0, 1.4"}, "was it given in centimetres"),
        ({"sizes_before_mm": "10, 10, 10"}, "dimensions of one day alone"),
        ({"sizes_mm": "1.2, 1.0, 1.4", "longest_mm": 14.0}, "was it given in centimetres"),
        ({"sizes_mm": "30, 20, 10", "longest_mm": 12.0}, "longest dimension of 12 mm with sizes_mm '30, 20, 10'"),
    ],
)
def test_sizes_of_a_nodule_that_cannot_be_used(given: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        ThyroidNodule().run(IMAGE, None, **SOLID, **given)


def test_a_small_size_that_may_be_one_in_centimetres_is_doubted() -> None:
    for given in ({"longest_mm": 2.5}, {"sizes_mm": "2.5, 1.9, 2.1"}):
        answer = ThyroidNodule().run(IMAGE, None, **SOLID, **given)
        assert any("is it 2.5 cm, that is 25 mm?" in r for r in answer.reasons)
    assert not ThyroidNodule().run(IMAGE, None, **SOLID, longest_mm=5.0).reasons


@pytest.mark.parametrize(
    "said", ["12, 10, 14", "12;10;14", "12 x 10 x 14 mm", "12x10x14", "12 × 10 × 14", "12 mm 10 mm 14 mm"]
)
def test_three_sizes_as_they_are_written(said: str) -> None:
    (nodule,) = ThyroidNodule().run(IMAGE, None, **SOLID, sizes_mm=said).findings
    assert "14 mm: follow-up" in nodule.words
    assert value(nodule, codes.VOLUME) == pytest.approx(np.pi / 6 * 12 * 10 * 14 / 1000)


def test_one_nodule_in_another_order_has_not_grown() -> None:
    (nodule,) = ThyroidNodule().run(IMAGE, None, **SOLID, sizes_mm="12, 20, 10", sizes_before_mm="10, 12, 20").findings
    assert "Not grown (0 of 3 dimensions" in nodule.words and "the longest against the longest" in nodule.words
    (larger,) = ThyroidNodule().run(IMAGE, None, **SOLID, sizes_mm="13, 20, 15", sizes_before_mm="10, 20, 12").findings
    assert "Grown (2 of 3 dimensions" in larger.words and "the longest against" not in larger.words


def test_a_size_just_below_a_threshold_is_not_rounded_to_it_and_children_are_declined() -> None:
    (nodule,) = ThyroidNodule().run(IMAGE, None, **SOLID, longest_mm=14.9).findings
    assert "14.9 mm: follow-up" in nodule.words and "from 10 mm" in nodule.words
    (nodule,) = ThyroidNodule().run(IMAGE, None, **SOLID, longest_mm=14.96).findings
    assert (
        "14.96 mm: follow-up" in nodule.words
    )  # "15 mm: follow-up" was read as a mistake: from 15 mm on it is another
    with pytest.raises(Refused, match="a patient of 8 years"):
        ThyroidNodule().run(replace(IMAGE, facts={"PatientAge": "008Y"}), None, **SOLID, longest_mm=14.9)


def lettered() -> bytes:
    """A head with stripes of black and white to its left, and first among the regions a small one finer by half."""
    ds = pydicom.dcmread(io.BytesIO(fetus.patient().files[0]))
    pixels = ds.pixel_array.copy()
    pixels[20:420, 4:36] = np.where(np.arange(400)[:, None] % 4 < 2, 255, 0)
    ds.PixelData = pixels.tobytes()
    (tissue,) = ds.SequenceOfUltrasoundRegions
    small = copy.deepcopy(tissue)
    small.RegionLocationMaxX1, small.RegionLocationMaxY1 = tissue.RegionLocationMinX0 + 60, 80
    small.PhysicalDeltaX, small.PhysicalDeltaY = tissue.PhysicalDeltaX / 2, tissue.PhysicalDeltaY / 2
    ds.SequenceOfUltrasoundRegions = [small, tissue]
    out = io.BytesIO()
    ds.save_as(out)
    return out.getvalue()


def test_the_quality_of_a_picture_is_that_of_its_tissue_on_its_own_scale() -> None:
    """Stripes beside the tissue were its steepest edges, and their width was by the scale of the first region."""
    (plain,), _ = loaded(fetus.patient().files)
    (picture,), _ = loaded([lettered()])
    alone, answer = ImageQuality().run(plain), ImageQuality().run(picture)
    assert [m.value for m in answer.measurements] == [m.value for m in alone.measurements]
    pixels, mm = (m.value for m in answer.measurements if m.what == EDGE_WIDTH)
    assert mm == pytest.approx(pixels * (0.28 + 0.32) / 2)
    assert answer.reasons[0].startswith("looked at in the largest of 2 ultrasound regions (columns 41 to 560, rows 21")

    unsaid = ImageQuality().run(replace(picture, facts={**picture.facts, "UltrasoundRegions": []}))
    assert [m.value for m in unsaid.measurements] != [m.value for m in answer.measurements]
    assert not unsaid.reasons
    speck = {**picture.facts, "UltrasoundRegions": [[5.0, 5.0, 20.0, 20.0, 0.1, 0.1]]}
    assert not ImageQuality().run(replace(picture, facts=speck)).reasons  # too small to be looked at by itself


def test_of_an_examination_in_one_series_the_outlined_picture_is_read_alone(tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    still = pydicom.dcmread(io.BytesIO(ultrasound.patient().files[0]))
    still.SeriesInstanceUID, shape = "2.25.61", (still.Rows, still.Columns)
    held: list[bytes] = []
    for n, shaped in enumerate((1.0, 3.0)):  # Nakagami m of each picture
        echo = np.sqrt(rng.gamma(shaped, 1.0 / shaped, shape))
        decibel = 20.0 * np.log10(echo / echo.max())
        still.SamplesPerPixel, still.PhotometricInterpretation = 1, "MONOCHROME2"
        still.BitsAllocated = still.BitsStored = 8
        still.HighBit, still.PixelRepresentation = 7, 0
        still.PixelData = np.clip((decibel + 90.0) / 90.0 * 255.0, 0, 255).round().astype(np.uint8).tobytes()
        still.SOPInstanceUID = still.file_meta.MediaStorageSOPInstanceUID = f"2.25.62{n}"
        still.InstanceNumber = n + 2
        out = io.BytesIO()
        still.save_as(out)
        held.append(out.getvalue())
    still.NumberOfFrames, still.InstanceNumber, still.PixelData = 2, 1, 2 * still.PixelData
    still.SOPInstanceUID = still.file_meta.MediaStorageSOPInstanceUID = "2.25.629"
    out = io.BytesIO()
    still.save_as(out)
    held.append(out.getvalue())
    (image,), _ = loaded([held[1]])
    mask = np.zeros(image.geometry.shape, bool)
    mask[0, 20:120, 20:120] = True
    study = merge([read_header(data) for data in held])[0]
    tissue = Region(image.geometry, mask=mask, series_uid="2.25.61", instance_uid="2.25.621", label="liver")
    drawn = Result(study.uid, Outcome.FOUND, Origin("person", "reader"), datetime.now(UTC),
                   findings=(Finding(codes.STRUCTURE, where=tissue, words="Liver."),))  # fmt: skip
    by = {f"2.25.62{n}": data for n, data in zip((0, 1, 9), held, strict=True)}
    (outline,) = seg.write(drawn, study, by.__getitem__)
    for n, data in enumerate((*held, outline)):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    analysis = UltrasoundSpeckle()
    with read_folder(tmp_path) as folder:
        (now,) = folder.studies
        (binding,) = plan([analysis], now).bindings
        given = Loading(now, analysis.needs, binding.series, folder)()
    assert given["image"].instance_uids == ("2.25.621",)
    answer = analysis.run(**given, dynamic_range_db=90.0)
    assert value(answer.findings[0], SHAPE) == pytest.approx(3.0, rel=0.05)
    other = replace(given["outlines"][0], instance_uid="2.25.620", label="spleen")
    told = analysis.run(given["image"], (*given["outlines"], other), dynamic_range_db=90.0)
    assert len(told.findings) == 1 and told.reasons == ("spleen: on another picture, not measured",)
