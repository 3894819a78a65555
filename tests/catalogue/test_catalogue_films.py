"""Chest and breast from DICOM: what was built is measured, and the header decides what may be said."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from functools import cache
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pydicom
import pytest
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.plan import plan
from isocenter.analysis.weights import open_session
from isocenter.app import open_house
from isocenter.catalogue.breast_density import PERCENT_DENSITY, BreastDensity
from isocenter.catalogue.chest_xray_heart import AGREEMENT, RATIO, ChestXrayHeart
from isocenter.catalogue.chest_xray_opacity import ChestXrayOpacity
from isocenter.cli import app
from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.govern.policy import HOUSE
from isocenter.record import Outcome, codes
from isocenter.settings import Settings
from isocenter.space import Axis, Geometry, Reference, Volume
from isocenter.testing.phantoms import Person, Phantom, breast, thorax
from isocenter.testing.phantoms import chest as child


@cache
def chest(**how: Any) -> tuple[Volume, Phantom]:
    made = thorax.patient(**how)
    (image,), _ = loaded(made.files)
    return image, made


@cache
def mammogram(**how: Any) -> tuple[Volume, Phantom]:
    made = breast.patient(**how)
    (image,), _ = loaded(made.files)
    return image, made


def facts(image: Volume, **said: Any) -> Volume:
    return replace(image, facts={**image.facts, **said})


@pytest.mark.parametrize(
    ("words", "given"),
    [
        ("Thorax p.a.", True), ("CHEST PA", True), ("Chest postero-anterior", True), ("Thorax", False),
        ("Chest AP", False), ("Chest AP/PA", False), ("Thorax pa/lat", False), ("Spain", False),
    ],
)  # fmt: skip
def test_a_view_that_only_the_description_says(words: str, given: bool) -> None:
    """Consoles that leave View Position empty name the view in the protocol: there was no ratio for them."""
    image, _ = chest(seed=1)
    answer = ChestXrayHeart().run(facts(image, ViewPosition="", ViewCode="", SeriesDescription=words, ProtocolName=""))
    assert any(m.what == RATIO for m in answer.measurements) is given
    assert any("by the description" in reason for reason in answer.reasons) is given


def test_an_adult_on_a_pa_film_has_a_ratio() -> None:
    image, made = chest(seed=1)
    answer = ChestXrayHeart().run(image)
    (ratio,) = [m for m in answer.measurements if m.what == RATIO]
    assert ratio.value == pytest.approx(made.truth["cardiothoracic_ratio"], abs=0.015)
    heart = next(f for f in answer.findings if f.what == codes.HEART)
    width = next(m.value for m in heart.measurements if m.unit == "mm")
    assert width == pytest.approx(made.truth["heart_mm"], rel=0.03) and "not wide" in heart.words
    areas = {f.laterality: f.measurements[0].value for f in answer.findings if f.what == codes.LUNG}
    assert areas[codes.RIGHT] == pytest.approx(np.count_nonzero(made.truth["right"]) * 0.64, rel=0.06)
    wide, _ = chest(seed=2, heart_mm=190.0)
    assert ": wide (limit 0.50" in ChestXrayHeart().run(wide).findings[0].words


@pytest.mark.parametrize(
    ("how", "said", "words"),
    [
        ({"view": "AP"}, {}, "the view is AP"),
        ({}, {"ViewPosition": "", "ViewCode": ""}, "does not say that the view is PA"),
        ({}, {"PatientAge": ""}, "does not say the patient's age"),
        ({"turned_mm": 34.0}, {}, "lies off the middle"),
        ({"height_mm": 165.0}, {}, "poor inspiration"),
        ({}, {"PatientPosition": "HFS"}, "the patient lay"),
        ({}, {"PatientOrientationCode": "recumbent"}, "taken lying"),
        ({}, {"ProtocolName": "Thorax im Bett"}, "taken lying"),
        ({}, {"StudyDescription": "XR CHEST PORTABLE"}, "'PORTABLE'"),
        ({}, {"SeriesDescription": "Thorax Bett"}, "'Bett'"),
        ({}, {"SeriesDescription": "Chest A.P."}, "the header says PA and its description 'A.P'"),
        ({}, {"RequestedProcedureDescription": "XR CHEST 1 VIEW AP"}, "its description 'AP'"),
        ({}, {"AcquisitionDeviceProcessingDescription": "CHEST AP", "ProcedureCode": "Chest PA, lateral"}, "'AP'"),
        ({}, {"ProcedureCode": "XR Chest Single view portable"}, "'portable'"),
        ({}, {"PerformedProtocolCode": "Chest bedside"}, "'bedside'"),
        ({}, {"PatientOrientationCode": "", "PatientOrientationModifier": "supine"}, "taken lying"),
        ({}, {"ViewModifier": "lordotic"}, "leant back"),
        ({}, {"ViewPosition": "", "ViewCode": "Anteroposterior projection"}, "the view is AP"),
        ({}, {"PatientAge": "52"}, "age '52' without a unit"),
    ],
)
def test_where_the_ratio_means_nothing_there_is_none(how: dict[str, Any], said: dict[str, Any], words: str) -> None:
    image, _ = chest(seed=1, **how)
    answer = ChestXrayHeart().run(facts(image, **said))
    assert not [m for m in answer.measurements if m.what == RATIO]
    assert words in answer.findings[0].words and len(answer.findings) == 3
    assert not answer.findings[0].measurements


@pytest.mark.parametrize(
    "said", [{"ViewCode": "Posteroanterior projection"}, {"AcquisitionDeviceProcessingDescription": "CHEST PA"}]
)
def test_pa_is_found_where_makers_write_it(said: dict[str, str]) -> None:
    image, _ = chest(seed=1)
    answer = ChestXrayHeart().run(facts(image, **{"ViewPosition": "", "ViewCode": "", **said}))
    assert [m for m in answer.measurements if m.what == RATIO]


def test_a_lateral_view_by_its_code_alone_is_no_frontal_one() -> None:
    image, _ = chest(seed=1)
    lateral = facts(image, ViewPosition="", ViewCode="left lateral (links anliegend)", PatientAge="004Y")
    answer = ChestXrayOpacity().run(lateral, weights=open_session("chest_xray_opacity"))
    assert answer.reasons == (
        "it is described as 'left lateral (links anliegend)', a frontal picture (PA or AP) is wanted",
    )


def test_a_description_of_both_views_contradicts_no_header() -> None:
    image, _ = chest(seed=1)
    for words in ("Chest PA/AP", "Chest P.A.", "Chest apical"):
        assert [m for m in ChestXrayHeart().run(facts(image, SeriesDescription=words)).measurements if m.what == RATIO]


def test_millimetres_of_the_detector_are_told_from_those_of_the_patient() -> None:
    image, _ = chest(seed=1)
    said = {}
    for where in ("ImagerPixelSpacing", "PixelSpacing"):
        heart = ChestXrayHeart().run(facts(image, SpacingFrom=where)).findings[0]
        said[where] = next(m.definition for m in heart.measurements if m.unit == "mm")
    assert said["ImagerPixelSpacing"] == "heart, in the plane of the detector, magnified"
    assert said["PixelSpacing"] == "heart, as calibrated"
    brought = facts(image, SpacingFrom="ImagerPixelSpacing", EstimatedRadiographicMagnificationFactor=1.1)
    in_patient = next(m for m in ChestXrayHeart().run(brought).findings[0].measurements if m.unit == "mm")
    assert in_patient.definition == "heart, in the patient, by the header's magnification of 1.1"


def test_a_cropped_lung_has_no_ratio() -> None:
    image, _ = chest(seed=1)
    low = image.cropped((0, 0, 0), (1, 385, 512))  # through the costophrenic angles
    try:
        answer = ChestXrayHeart().run(facts(low))
    except Refused as why:
        assert "no two lungs" in str(why)
    else:
        assert not [m for m in answer.measurements if m.what == RATIO]


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ViewPosition": "LL"}, "frontal one"),
        ({"ViewPosition": "RL"}, "frontal one"),
        ({"ViewPosition": "", "ViewCode": "left lateral"}, "a view 'left lateral'"),
        ({"ViewCode": "postero-anterior oblique"}, "a view 'postero-anterior oblique'"),
        ({"PatientAge": "012Y"}, "a patient of 12 years"),
        ({"PatientAge": "009M"}, "a patient of 9 months"),
        ({"ViewPosition": "", "SeriesDescription": "CHEST LATERAL"}, "described as 'CHEST LATERAL'"),
        ({"SeriesDescription": "Thorax seitlich"}, "described as 'Thorax seitlich'"),
        ({"PatientOrientation": ["A", "F"]}, "from front to back"),
    ],
)
def test_a_lateral_view_or_a_child_is_not_outlined(said: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        ChestXrayHeart().run(facts(chest(seed=1)[0], **said))


def test_what_is_no_radiograph() -> None:
    image, _ = chest(seed=1)
    with pytest.raises(Refused, match=r"0.3 to 0.8"):
        ChestXrayHeart().run(image, ratio_from=0.0)
    with pytest.raises(Refused, match="square pixels"):
        grid = Geometry.regular(shape=image.geometry.shape, spacing_mm=(1.0, 0.8, 0.4), reference=Reference.PLANE)
        ChestXrayHeart().run(replace(image, geometry=grid))
    axes = (Axis("time", (0.0, 1.0), "s"),)
    film = Volume(np.stack([image.array] * 2), image.geometry, axes=axes, facts=image.facts)
    with pytest.raises(Refused, match="an image of 2 frames: one picture is looked at, and tomosynthesis"):
        ChestXrayHeart().run(film)
    colour = np.stack([image.array[0] * k for k in (1.0, 0.5, 0.2)])[:, None]
    with pytest.raises(Refused, match="in colour"):
        ChestXrayHeart().run(Volume(colour, image.geometry, axes=(Axis("channel", ("R", "G", "B")),)))


def test_a_breast_in_which_nothing_parts_has_no_density() -> None:
    """It was 0 % with a warning, of breasts of fat and of such as were 4 to 79 % dense."""
    fat = BreastDensity().run(mammogram(seed=1, side="L", view="CC", gland=0.0)[0])
    assert not fat.measurements and [str(f.words) for f in fat.findings] == ["Breast (CC), without muscle."]
    assert any(r.startswith("WARNING: no density is given, for fat and gland do not part") for r in fat.reasons)
    glandular = BreastDensity().run(mammogram(seed=1, side="L", view="CC")[0])
    assert not any("do not part" in r for r in glandular.reasons)


def test_a_muscle_that_gland_hides_is_not_counted_as_gland() -> None:
    """Gland up to the muscle and as bright: 52 % dense were 59 %, and the answer only said that no muscle was found."""
    image, made = mammogram(seed=1, side="L", view="MLO")
    hidden = image.array.copy()
    wide = np.zeros(image.geometry.shape[1:], bool)
    wide[:480, :330] = made.truth["breast"][:480, :330] | made.truth["muscle"][:480, :330]
    hidden[0][wide] = hidden[0][made.truth["dense"]].mean()
    answer = BreastDensity().run(replace(image, array=hidden))
    assert not answer.measurements
    assert any("no border of a pectoral muscle was found" in r for r in answer.reasons)


def test_a_raw_film_is_dense_where_the_detector_saw_little() -> None:
    """A picture for processing in MONOCHROME2 was declined as inverted."""
    image, made = chest(seed=1)
    raw = replace(image, array=4000.0 * np.exp(-3.0 * image.array / 4095.0))
    said = {
        "PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationship": "LIN",
        "PixelIntensityRelationshipSign": 1,
    }  # fmt: skip
    answer = ChestXrayHeart().run(facts(raw, **said, InvertedFromMonochrome1=False))
    (ratio,) = [m.value for m in answer.measurements if m.what == RATIO]
    assert ratio == pytest.approx(made.truth["cardiothoracic_ratio"], abs=0.02)
    with pytest.raises(Refused, match="inverted"):
        ChestXrayHeart().run(facts(raw, PresentationIntentType="FOR PRESENTATION"))


def test_a_saturated_abdomen_is_no_padding() -> None:
    """A console may state white as the value of padding and pad nothing."""
    image, _ = chest(seed=1)
    array = image.array.copy()
    array[0, -40:] = white = 2.0 ** int(image.facts["BitsStored"]) - 1
    burnt = replace(image, array=array)
    plain, said = (ChestXrayHeart().run(v) for v in (burnt, facts(burnt, PixelPaddingValue=int(white))))
    assert [m.value for m in said.measurements] == [m.value for m in plain.measurements]


@pytest.mark.parametrize("turned", [False, True])
def test_white_padding_around_the_breast_is_no_tissue(turned: bool) -> None:
    """Air was outlined as the breast where padding is the brightest value, as a padding of 0 is in MONOCHROME1."""
    image, made = mammogram(side="L", view="CC")
    array = image.array.copy()
    white = 2.0 ** int(image.facts["BitsStored"]) - 1
    array[array < 2000] = white
    array[0, 410, 150] = white  # within the breast it is one of its values
    said = facts(image, PixelPaddingValue=0 if turned else int(white), InvertedFromMonochrome1=turned)
    answer = BreastDensity().run(replace(said, array=array))
    (density,) = [m.value for m in answer.measurements if m.what == PERCENT_DENSITY]
    assert density == pytest.approx(made.truth["percent_density"], abs=6.0)
    (breast_found,) = [f for f in answer.findings if str(f.what) == "Breast"]
    assert breast_found.where is not None and not breast_found.where.mask[0, 10, -10]


@pytest.mark.parametrize(("value", "limit"), [(4095, 4000), (4000, 4095), (4095, 2500), (4095, 0)])
def test_a_range_of_padding_around_a_film_is_black_and_bright_tissue_of_that_range_is_not(
    value: int, limit: int
) -> None:
    """Of padding that varies, as after JPEG, no single value was more than a part."""
    image, made = chest(seed=1)
    padded = np.pad(image.array[0], 24, constant_values=4095)
    ring = np.pad(np.zeros(image.array[0].shape, bool), 24, constant_values=True)
    padded[ring] -= np.arange(np.count_nonzero(ring)) % (90 if limit else 1)
    grid = Geometry.regular(shape=(1, *padded.shape), spacing_mm=image.geometry.spacing_mm, reference=Reference.PLANE)
    said = facts(image, PixelPaddingValue=value, PixelPaddingRangeLimit=limit)
    answer = ChestXrayHeart().run(replace(said, array=padded[None], geometry=grid))
    (ratio,) = [m.value for m in answer.measurements if m.what == RATIO]
    assert ratio == pytest.approx(made.truth["cardiothoracic_ratio"], abs=0.015)


@pytest.mark.parametrize(("side", "view"), [("L", "CC"), ("R", "MLO")])
def test_density_from_dicom(side: str, view: str) -> None:
    image, made = mammogram(seed=1, side=side, view=view)
    answer = BreastDensity().run(image)
    (density,) = answer.measurements
    assert density.what == PERCENT_DENSITY and view in density.definition
    assert density.value == pytest.approx(made.truth["percent_density"], abs=3.0)
    assert codes.HEADER_MISMATCH not in {f.what for f in answer.findings}
    assert len(answer.findings) == (3 if view == "MLO" else 2)
    assert any("for presentation" in r for r in answer.reasons)


@pytest.mark.parametrize(("turned", "sign"), [(False, 1), (True, 1), (True, 65535), (False, -1)])
def test_a_raw_mammogram_is_dense_where_the_detector_saw_little(turned: bool, sign: int) -> None:
    """Shown either way: the sign of the pixel intensity relationship says what the detector's values mean."""
    image, made = mammogram(seed=1, side="L", view="CC")
    seen = np.exp(-3.0 * image.array / image.array.max()).astype(np.float32)  # what came through
    stored = seen if sign == 1 else 1.0 - seen
    said: dict[str, Any] = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": sign}
    said |= {"InvertedFromMonochrome1": True} if turned else {}
    answer = BreastDensity().run(replace(facts(image, **said), array=1.0 - stored if turned else stored))
    (density,) = answer.measurements
    assert density.value == pytest.approx(made.truth["percent_density"], abs=3.0)
    assert codes.HEADER_MISMATCH not in {f.what for f in answer.findings}


def test_areas_of_a_breast_on_the_detector_are_told() -> None:
    image, _ = mammogram()
    of = {"SpacingFrom": "ImagerPixelSpacing", "EstimatedRadiographicMagnificationFactor": None}
    said = BreastDensity().run(facts(image, **of)).reasons
    assert any("areas are those on the detector" in r for r in said)
    known = BreastDensity().run(facts(image, **{**of, "EstimatedRadiographicMagnificationFactor": 1.07})).reasons
    assert not any("on the detector" in r for r in known)


def test_the_side_is_checked() -> None:
    image, _ = mammogram(seed=1, side="L", view="CC")
    mirrored = replace(image, array=image.array[..., ::-1].copy())
    for wrong, words in (
        (mirrored, "Patient Orientation says the left"),
        (facts(image, PatientOrientation=None, ImageLaterality="R"), "the header says right"),
        (facts(image, ImageLaterality="R"), "Patient Orientation agrees, the header says right"),
    ):
        found = [f for f in BreastDensity().run(wrong).findings if f.what == codes.HEADER_MISMATCH]
        assert len(found) == 1 and words in found[0].words


def test_the_view_and_the_side_are_found_where_makers_write_them() -> None:
    image, made = mammogram(seed=1, side="L", view="CC")
    nowhere = {"ViewCode": "", "ViewPosition": "", "SeriesDescription": "", "ImageLaterality": "", "ProtocolName": ""}
    ways: tuple[dict[str, Any], ...] = (
        {"ViewCode": "Craniocaudal projection", "AnatomicRegionSide": "L"},
        {"SeriesDescription": "LCC"},
        {"ProtocolName": "L_CC", "Laterality": "L"},
        {"AcquisitionDeviceProcessingDescription": "kraniokaudal", "SeriesDescription": "links"},
    )
    for way in ways:
        answer = BreastDensity().run(facts(image, **{**nowhere, **way}))
        (density,) = answer.measurements
        assert density.value == pytest.approx(made.truth["percent_density"], abs=3.0) and "CC" in density.definition
        assert not any("does not say the side" in reason for reason in answer.reasons)
    both = BreastDensity().run(facts(image, ImageLaterality="B", SeriesDescription="L CC Intelligent 2D"))
    assert any("both breasts" in reason for reason in both.reasons)
    stored = BreastDensity().run(facts(image, Captured=True, FromTomosynthesis=True))
    assert {"captures", "tomosynthesis"} <= set(" ".join(stored.reasons).replace(":", "").split())
    assert any("computed from tomosynthesis" in reason for reason in both.reasons)


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({"ViewCode": "spot compression"}, "not the whole breast"),
        ({"ViewCode": "magnification"}, "not the whole breast"),
        ({"SeriesDescription": "Implant Displaced L MLO"}, "implant hides"),
        ({"BreastImplantPresent": "YES"}, "with an implant"),
        ({"EstimatedRadiographicMagnificationFactor": 1.8}, "magnified 1.8 times"),
        ({"ViewCode": "cranio-caudal exaggerated laterally", "ViewPosition": "XCCL"}, "only a part"),
        ({"ViewModifier": "Rolled Lateral"}, "elsewhere than in a plain view"),
        ({"ViewModifier": "Axillary Tail"}, "only a part"),
        ({"PartialView": "YES"}, "a partial view"),
        ({"PaddleDescription": "SPOT 8 x 10"}, "not the whole breast"),
        ({"SeriesDescription": "LCC ID"}, "implant hides"),
        ({"SeriesDescription": "SPECIMEN"}, "no breast"),
        ({"ViewCode": "", "ViewPosition": "ML", "SeriesDescription": ""}, "of the view 'ML': CC and MLO are known"),
        ({"ViewCode": "", "ViewPosition": "", "SeriesDescription": ""}, "view is not stated"),
    ],
)
def test_views_that_have_no_density(said: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        BreastDensity().run(facts(mammogram(seed=1, side="L", view="CC")[0], **said))


def test_a_person_of_ones_own() -> None:
    child = Person("P9", "PHANTOM^YOUNG", "F", "20200101", 1.1, 18.0)
    (image,), _ = loaded(thorax.patient(person=child).files)
    with pytest.raises(Refused, match="a patient of 6 years"):
        ChestXrayHeart().run(image)


def test_the_network_outlines_with_the_threshold_beside_it() -> None:
    image, made = chest(seed=1)
    answer = ChestXrayHeart().run(image, weights=open_session("chest_xray_heart"))
    said = {m.what: m.value for m in answer.measurements}
    assert said[RATIO] == pytest.approx(made.truth["cardiothoracic_ratio"], abs=0.015)
    assert said[AGREEMENT] > 0.9
    heart = next(f for f in answer.findings if f.what == codes.HEART)
    assert heart.where is not None and heart.where.mask is not None and heart.where.mask.any()
    inverted = replace(image, array=image.array.max() - image.array)
    with pytest.raises(Refused, match="no two lungs"):
        ChestXrayHeart().run(inverted, weights=open_session("chest_xray_heart"))


class Gated:
    """The shipped outlines with a gate that says what it is told."""

    def __init__(self, other: float) -> None:
        self.net, self.chances = open_session("chest_xray_heart"), np.array([[other, 0.0, 1.0 - other]], np.float32)

    def get_outputs(self) -> list[SimpleNamespace]:
        return [SimpleNamespace(name="logits"), SimpleNamespace(name="upright")]

    def run(self, names: list[str], given: dict[str, np.ndarray]) -> list[np.ndarray]:
        assert names == ["logits", "upright"]
        return [self.net.run(["logits"], given)[0], np.repeat(self.chances, len(given["films"]), 0)]


def test_a_picture_like_no_upright_chest_has_no_ratio_and_with_doubtful_outlines_nothing() -> None:
    image, _ = chest(seed=1)
    assert [m for m in ChestXrayHeart().run(image, weights=Gated(0.4)).measurements if m.what == RATIO]
    told = ChestXrayHeart().run(image, weights=Gated(0.6))
    assert not [m for m in told.measurements if m.what == RATIO]
    assert any("does not look like an upright frontal chest" in r for r in told.reasons)
    turned, _ = chest(seed=1, turned_mm=40)
    assert ChestXrayHeart().run(turned, weights=Gated(0.4)).findings
    with pytest.raises(Refused, match=r"like an upright frontal chest, with outlines in doubt \(not sure"):
        ChestXrayHeart().run(turned, weights=Gated(0.6))


def test_a_heart_far_below_a_lung_whose_base_is_white_has_no_ratio() -> None:
    """The lung that is left is tall for its width, so that nothing but the heart below it tells that its base lacks."""
    image, made = chest(seed=1, height_mm=300.0, thorax_mm=240.0, heart_mm=110.0)
    network = open_session("chest_xray_heart")
    plain = ChestXrayHeart().run(image, weights=network)
    assert [m for m in plain.measurements if m.what == RATIO]
    heart = next(f.where.mask for f in plain.findings if f.what == codes.HEART and f.where)
    picture = np.array(image.array[0])
    rows = np.flatnonzero(made.truth["right"].any(axis=1))
    base = np.zeros_like(made.truth["right"])
    base[rows[-1] - len(rows) * 3 // 10 :] = made.truth["right"][rows[-1] - len(rows) * 3 // 10 :]
    picture[base] = np.median(image.array[heart])
    answer = ChestXrayHeart().run(replace(image, array=picture[None]), weights=network)
    assert not [m for m in answer.measurements if m.what == RATIO]
    assert "far below the right lung" in answer.findings[0].words and "are low" not in answer.findings[0].words


def test_a_picture_is_turned_as_it_is_hung_before_it_is_outlined() -> None:
    image, _ = chest(seed=1)
    picture = image.array[0]
    ways = {
        "RF": picture[:, ::-1], "LH": picture[::-1], "RH": picture[::-1, ::-1],
        "FL": picture.T, "HR": picture[::-1, ::-1].T, "FR": picture[:, ::-1].T,
    }  # fmt: skip
    upright = ChestXrayHeart().run(image)
    (ratio,) = [m.value for m in upright.measurements if m.what == RATIO]
    for towards, stored in ways.items():
        turned = replace(image, array=np.ascontiguousarray(stored)[None])
        answer = ChestXrayHeart().run(facts(turned, PatientOrientation=list(towards)))
        assert [m.value for m in answer.measurements if m.what == RATIO] == [ratio], towards
        (right,) = [f for f in answer.findings if f.laterality == codes.RIGHT]
        (before,) = [f for f in upright.findings if f.laterality == codes.RIGHT]
        assert right.where is not None and before.where is not None
        assert right.where.mask is not None and before.where.mask is not None
        back = {"RF": lambda m: m[:, ::-1], "LH": lambda m: m[::-1], "RH": lambda m: m[::-1, ::-1], "FL": lambda m: m.T,
                "HR": lambda m: m.T[::-1, ::-1], "FR": lambda m: m.T[:, ::-1]}[towards]  # fmt: skip
        np.testing.assert_array_equal(back(right.where.mask[0]), before.where.mask[0])
    mirrored = ChestXrayHeart().run(replace(image, array=picture[None, :, ::-1].copy()))
    assert any("may be mirrored" in reason for reason in mirrored.reasons)
    assert not any("may be mirrored" in reason for reason in upright.reasons)


def test_a_raw_mammogram_in_proportion_to_the_exposure() -> None:
    """Behind a breast a tenth is left: without the logarithm all of it was one grey beside the air."""
    image, made = mammogram(seed=1, side="L", view="CC")
    absorbed = image.array / image.array.max()
    came_through = np.exp(-4.0 * absorbed).astype(np.float32) * 16000.0
    said = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": 1, "BitsStored": 14}
    for how in ({"PixelIntensityRelationship": "LIN"}, {"PixelIntensityRelationship": None}):
        for turned in ({}, {"InvertedFromMonochrome1": True}):
            stored = 16383.0 - came_through if turned else came_through
            answer = BreastDensity().run(replace(facts(image, **said, **how, **turned), array=stored))
            assert answer.measurements[0].value == pytest.approx(made.truth["percent_density"], abs=3.0), (how, turned)
    unsaid = {"PresentationIntentType": "FOR PROCESSING", "PixelIntensityRelationshipSign": None, "BitsStored": 14}
    with pytest.raises(Refused, match="darker than the air"):
        BreastDensity().run(replace(facts(image, **unsaid), array=came_through))


def test_the_side_is_held_against_what_else_the_header_says() -> None:
    image, _ = mammogram(seed=1, side="L", view="CC")
    for said, words in (({"SeriesDescription": "R CC"}, "'R CC' says right"), ({"Laterality": "R"}, "Laterality says")):
        found = [f for f in BreastDensity().run(facts(image, **said)).findings if f.what == codes.HEADER_MISMATCH]
        assert len(found) == 1 and words in found[0].words
    silent = BreastDensity().run(facts(image, ImageLaterality=None, Laterality=None, SeriesDescription=""))
    assert any("does not say the side" in reason for reason in silent.reasons)
    made = BreastDensity().run(facts(image, ImageType=["DERIVED", "PRIMARY", "TOMO", "GENERATED_2D"]))
    assert any("computed from tomosynthesis" in reason for reason in made.reasons)


def test_a_border_about_the_film_is_left_out_and_outlines_lie_where_they_lay() -> None:
    image, _ = chest(seed=1)
    plain = ChestXrayHeart().run(image)
    (ratio,) = [m.value for m in plain.measurements if m.what == RATIO]
    for value in (0.0, float(image.array.max())):
        framed = np.pad(image.array[0], ((20, 30), (90, 120)), constant_values=value)[None]
        grid = Geometry.regular(shape=framed.shape, spacing_mm=image.geometry.spacing_mm, reference=Reference.PLANE)
        answer = ChestXrayHeart().run(replace(image, array=framed, geometry=grid))
        assert [m.value for m in answer.measurements if m.what == RATIO] == [ratio], value
        for one, other in zip(plain.findings, answer.findings, strict=True):
            assert one.where is not None and other.where is not None
            assert one.where.mask is not None and other.where.mask is not None
            np.testing.assert_array_equal(other.where.mask[0, 20:-30, 90:-120], one.where.mask[0])
            assert np.count_nonzero(other.where.mask) == np.count_nonzero(one.where.mask)


@pytest.mark.parametrize("axis", [1, 2])
def test_a_picture_of_stripes_is_no_fault_of_the_program(axis: int) -> None:
    image, _ = chest(seed=1)
    stripes = np.broadcast_to(image.array.mean(axis=axis, keepdims=True), image.array.shape)
    try:
        answer = ChestXrayHeart().run(replace(image, array=np.ascontiguousarray(stripes)))
    except Refused:
        return
    assert not [m for m in answer.measurements if m.what == RATIO]


WHO = Person("P7", "PHANTOM^ONE", "F", "19680214", 1.65, 66.0)


def one_series(*films: tuple[bytes, dict[str, Any]]) -> list[bytes]:
    """Films as images of one series, as readers of computed radiography and some archives write them."""
    made = []
    for number, (data, said) in enumerate(films, start=1):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.InstanceNumber = "2.25.70", "2.25.71", number
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"2.25.72.{number}"
        for keyword, value in said.items():
            setattr(ds, keyword, value)
        out = io.BytesIO()
        ds.save_as(out)
        made.append(out.getvalue())
    return made


def test_each_frontal_film_of_a_series_is_asked_by_itself_wherever_the_lateral_one_stands() -> None:
    (film,) = thorax.patient(person=WHO).files
    (study,) = merge(
        [read_header(f) for f in one_series((film, {"ViewPosition": "LL"}), (film, {}), (film, {"ViewPosition": "AP"}))]
    )
    assert [b.image for b in plan([ChestXrayHeart()], study).bindings] == ["2.25.72.2", "2.25.72.3"]
    (study,) = merge(
        [read_header(f) for f in one_series((film, {"ViewPosition": "LL"}), (film, {"ViewPosition": "RL"}))]
    )
    planned = plan([ChestXrayHeart()], study)
    assert not planned.bindings and "has LL" in planned.declined[0].sentences()[0]


SAID = {"Modality": "OT", "ViewPosition": "", "BodyPartExamined": ""}


@pytest.mark.parametrize(
    ("said", "taken"),
    [
        ({"Modality": "RG"}, True),
        ({**SAID, "Modality": "RG"}, True),  # what a film shows is left to the analysis
        ({"Modality": "RG", "BodyPartExamined": "HAND"}, False),
        ({"Modality": "OT"}, True),
        ({**SAID, "SeriesDescription": "Thorax p.a."}, True),
        (SAID, False),
        ({**SAID, "BodyPartExamined": "CHEST"}, False),
        ({"Modality": "OT", "SeriesDescription": "CT Thorax MIP"}, False),
        ({"Modality": "OT", "ViewPosition": "LL"}, False),
    ],
)
def test_a_film_or_a_capture_is_taken_where_its_header_calls_it_a_frontal_chest(
    said: dict[str, Any], taken: bool
) -> None:
    """Scanned films (RG) and captures were declined whatever else was said of them."""
    (film,) = thorax.patient(person=WHO).files
    said = {
        "SeriesDescription": "",
        "StudyDescription": "",
        "AnatomicRegionSequence": [],
        "ViewCodeSequence": [],
        **said,
    }
    (study,) = merge([read_header(f) for f in one_series((film, said))])
    planned = plan([ChestXrayHeart(), ChestXrayOpacity()], study)
    assert len(planned.bindings) == 2 * taken
    if said["Modality"] == "OT" and not taken and said.get("ViewPosition") != "LL":
        assert "a header that calls a capture (OT, SC) a chest, PA or AP" in planned.declined[0].sentences()[0]


def shut_in(picture: np.ndarray, edges: tuple[int, int, int, int]) -> np.ndarray:
    """The picture within a collimator: white with noise and a little scatter beyond it."""
    top, bottom, left, right = edges
    wide = np.pad(picture, ((top, bottom), (left, right)), constant_values=np.nan)
    around = 3900.0 + np.random.default_rng(4).normal(0.0, 30.0, wide.shape) + np.linspace(-40, 40, len(wide))[:, None]
    return np.where(np.isnan(wide), around, wide).astype(np.float32)


@pytest.mark.parametrize("edges", [(120, 90, 80, 110), (0, 0, 60, 0)])
def test_what_a_collimator_shut_out_is_no_part_of_a_chest(edges: tuple[int, int, int, int]) -> None:
    """It is white with noise on films of many makers: there was no ratio, and lungs were drawn into it."""
    image, made = chest(seed=1)
    network = open_session("chest_xray_heart")
    wide = shut_in(np.asarray(image.array[0], np.float32), edges)
    grid = Geometry.regular(shape=(1, *wide.shape), spacing_mm=image.geometry.spacing_mm, reference=Reference.PLANE)
    answer = ChestXrayHeart().run(replace(image, array=wide[None], geometry=grid), weights=network)
    (ratio,) = [m for m in answer.measurements if m.what == RATIO]
    assert ratio.value == pytest.approx(made.truth["cardiothoracic_ratio"], abs=0.015)
    lungs = [f.where for f in answer.findings if f.what == codes.LUNG and f.where is not None]
    inside = np.pad(np.ones(image.geometry.shape[1:], bool), (edges[:2], edges[2:]))
    assert not any((lung.mask[0] & ~inside).any() for lung in lungs if lung.mask is not None)


def test_an_opacity_is_looked_for_within_the_collimator() -> None:
    """Of 40 films 38 were declined for the white that it leaves around a picture."""
    network = open_session("chest_xray_opacity")
    for opacity in ("right lower", ""):
        (plain,), _ = loaded(child.patient(seed=1 if opacity else 4, opacity=opacity).files)
        bare = ChestXrayOpacity().run(plain, weights=network)
        wide = shut_in(np.asarray(plain.array[0], np.float32), (50, 40, 30, 45))
        grid = Geometry.regular(shape=(1, *wide.shape), spacing_mm=plain.geometry.spacing_mm, reference=Reference.PLANE)
        answer = ChestXrayOpacity().run(replace(plain, array=wide[None], geometry=grid), weights=network)
        assert answer.outcome is bare.outcome and answer.outcome is not Outcome.DECLINED
        assert answer.measurements[0].value == pytest.approx(bare.measurements[0].value, abs=0.03)


def test_view_position_may_be_written_whole() -> None:
    """Such films, as of a large public set, were declined for their View Position."""
    (film,) = thorax.patient(person=WHO).files
    for said, ratio in (("POSTEROANTERIOR", True), ("ANTEROPOSTERIOR", False)):
        (study,) = merge([read_header(f) for f in one_series((film, {"ViewPosition": said, "ViewCodeSequence": []}))])
        assert len(plan([ChestXrayHeart(), ChestXrayOpacity()], study).bindings) == 2
        answer = ChestXrayHeart().run(facts(chest(seed=1)[0], ViewPosition=said, ViewCode=""))
        assert any(m.what == RATIO for m in answer.measurements) is ratio
        assert ratio or "the view is AP" in answer.findings[0].words


def test_each_of_sixteen_films_in_one_series_is_looked_at() -> None:
    (film,) = thorax.patient(person=WHO).files
    for many, taken in ((5, True), (16, True), (17, False)):
        (study,) = merge([read_header(f) for f in one_series(*[(film, {})] * many)])
        assert len(plan([ChestXrayHeart()], study).bindings) == many * taken


def test_a_capture_has_a_ratio_and_no_length() -> None:
    """The ratio needs no calibration; whoever captured a picture may have scaled it."""
    image, _ = chest(seed=1)
    film, captured = (ChestXrayHeart().run(facts(image, Modality=m)) for m in ("RG", "OT"))
    ratios = [m.value for answer in (film, captured) for m in answer.measurements if m.what == RATIO]
    assert len(ratios) == 2 and ratios[0] == ratios[1]
    units = [{m.unit for f in answer.findings for m in f.measurements} for answer in (film, captured)]
    assert {"mm", "mm2"} <= units[0] and not {"mm", "mm2"} & units[1]
    assert any("is a capture" in reason for reason in captured.reasons) and not film.reasons
    converted = ChestXrayHeart().run(facts(image, Captured=True))
    assert any("of a class of captures" in reason for reason in converted.reasons)
    flat = replace(image, geometry=Geometry.regular(shape=image.geometry.shape, spacing_mm=(1.0, 1.0, 1.0),
                                                    reference=Reference.PIXEL))  # fmt: skip
    with pytest.raises(Refused, match="pixels of 2 by 1: "):
        ChestXrayHeart().run(facts(flat, Modality="OT", PixelAspectRatio=[2, 1]))


@pytest.mark.nightly
def test_four_mammograms_in_one_series_have_four_answers(tmp_path: Path) -> None:
    made = [breast.patient(side=s, view=v, gland=g, person=WHO) for s, v, g in
            (("L", "CC", 0.3), ("R", "CC", 0.45), ("L", "MLO", 0.3), ("R", "MLO", 0.45))]  # fmt: skip
    files = one_series(*((m.files[0], {}) for m in made))
    truths = [m.truth["percent_density"] for m in made]
    for number, file in enumerate(files):
        (tmp_path / f"{number}.dcm").write_bytes(file)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "breast_density", "--json"])
    said = [answer["measurements"][0]["value"] for answer in json.loads(done.stdout)]
    assert said == pytest.approx(truths, abs=3.0), done.stdout
    words = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "breast_density"]).stdout
    assert all(f"image {number}" in words for number in range(1, 5)), words
    house = open_house(Settings(folder=tmp_path / "archive"), apart=False)
    try:
        house.site.receive(files, sender="test", who=HOUSE)
        (study,) = house.site.studies(who=HOUSE)
        first = house.site.analyse(study.uid, only="breast_density", who=HOUSE)
        assert len({digest for digest, _ in first}) == 4
        assert house.site.analyse(study.uid, only="breast_density", who=HOUSE) == first, "none takes another's place"
        rows = [row for row in house.site.why(study.uid, who=HOUSE) if row["analysis"] == "breast_density"]
        assert [row["answer"] for row in rows] == ["found"] * 4
    finally:
        house.close()


@pytest.mark.parametrize("view", ["CC", "MLO"])
def test_a_mammogram_that_its_table_turns_is_measured_as_shown(view: str) -> None:
    """On an oblique view the muscle was taken for air, and 41 to 43 % was read whatever the breast was."""
    image, _ = mammogram(seed=1, side="L", view=view)
    top = float(image.array.max())
    table = {"first": 0.0, "step": top, "greys": [1.0, 0.0]}
    turned = replace(image, array=top - image.array, facts={**image.facts, "GreyCurve": table})
    plain, seen = (BreastDensity().run(v) for v in (facts(image, GreyCurve=None), turned))
    shares = [[m.value for m in a.measurements if m.what == PERCENT_DENSITY] for a in (plain, seen)]
    assert shares[1] == pytest.approx(shares[0], abs=0.2) and shares[0]
    bent = facts(image, GreyCurve={"first": 0.3 * top, "step": 0.2 * top, "greys": [0.0, 1.0]})
    assert [m.value for m in BreastDensity().run(bent).measurements] == shares[0]
