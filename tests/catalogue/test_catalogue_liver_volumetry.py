"""Outlined livers against standard volumes, remnants, and outlines that are refused."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from other_grids import coarser, must_refuse, turned
from typer.testing import CliRunner

from isocenter.catalogue.liver_volumetry import LiverVolumetry
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.methods.liver_volume import standard_volume_ml
from isocenter.record import codes
from isocenter.space import Geometry, Reference, Region, Volume
from isocenter.testing.phantoms import liver_ct

GRID = Geometry.regular(shape=(30, 40, 40), spacing_mm=(5.0, 4.0, 4.0), frame_of_reference="2.25.1")


def box(label: str, z: slice, y: slice, x: slice) -> Region:
    mask = np.zeros(GRID.shape, bool)
    mask[z, y, x] = True
    return Region(GRID, mask=mask, label=label)


LIVER = box("Liver", slice(5, 25), slice(5, 30), slice(3, 38))  # 1400 mL
REMNANT = box("FLR", slice(5, 25), slice(5, 30), slice(3, 13))  # 400 mL
TUMOUR = box("Tumour 1", slice(5, 15), slice(5, 30), slice(28, 38))  # 200 mL


def test_remnant_and_standard_volume() -> None:
    image = Volume(np.zeros(GRID.shape, np.float32), GRID, facts={"PatientSize": 1.80, "PatientWeight": 80.0})
    answer = LiverVolumetry().run((LIVER, REMNANT, TUMOUR), image)
    said = {m.definition: m.value for m in answer.measurements}
    assert said["total liver"] == pytest.approx(1400.0) and said["tumour within the liver"] == pytest.approx(200.0)
    assert said["remnant / (total - tumour)"] == pytest.approx(100 * 400 / 1200)
    standard = 1267.28 * 2.0 - 794.41
    assert said["total / standard (Vauthey 2002)"] == pytest.approx(100 * 1400 / standard)
    assert said["remnant / standard (Vauthey 2002)"] == pytest.approx(100 * 400 / standard)
    assert "33 % of the liver without tumour" in answer.findings[0].words
    other = LiverVolumetry().run((LIVER,), None, standard="Urata 1995", height_m=1.7, weight_kg=65.0)
    assert next(m for m in other.measurements if m.what == codes.STANDARD_VOLUME).value == pytest.approx(
        706.2 * 0.007184 * 65.0**0.425 * 170.0**0.725 + 2.4
    )
    bare = LiverVolumetry().run((LIVER,), None, height_m=170.0, weight_kg=65.0)
    assert any("centimetres or pounds" in r for r in bare.reasons) and len(bare.measurements) == 1


def test_a_liver_that_a_label_map_has_around_its_tumours_holds_them() -> None:
    """Where no voxel is of two segments the liver was smaller by its tumours."""
    inside, at_edge = box("tumor", slice(10, 14), slice(10, 14), slice(10, 14)), slice(30, 33)
    beside = box("metastasis", slice(10, 14), at_edge, slice(10, 14))  # it touches the liver with one face
    assert LIVER.mask is not None and inside.mask is not None and beside.mask is not None
    around = replace(LIVER, mask=LIVER.mask & ~inside.mask)
    answer = LiverVolumetry().run((around, REMNANT, inside, beside), None)
    said = {m.definition: m.value for m in answer.measurements}
    assert said["total liver"] == pytest.approx(1400.0)
    assert said["tumour within the liver"] == pytest.approx(64 * 0.08)
    assert any("outlined around 'tumor', of which 5.12 mL are counted" in r for r in answer.reasons)
    assert any("100 % of 'metastasis' lie outside" in r for r in answer.reasons)
    assert answer.findings[0].where is not None and answer.findings[0].where.voxels == LIVER.voxels


@pytest.mark.parametrize(
    "label",
    ["Leber", "Foie", "hígado", "Fegato", "WholeLiver", "Gesamtleber", "Hi\u0301gado", "Lever", "肝臓", "Печень"],
)
def test_a_liver_has_its_name_in_other_languages(label: str) -> None:
    """A Restleber was left out without a word, and a foie was no liver."""
    answer = LiverVolumetry().run((replace(LIVER, label=label), replace(REMNANT, label="Restleber")), None)
    said = {m.definition: m.value for m in answer.measurements}
    assert said["total liver"] == pytest.approx(1400.0) and said["future liver remnant"] == pytest.approx(400.0)


def test_a_liver_may_be_told_by_its_code_alone_and_a_tumour_of_it_is_none() -> None:
    coded = replace(LIVER, label="Segment_1", coded="SCT:10200004")
    answer = LiverVolumetry().run((coded, replace(TUMOUR, label="LiverTumour")), None)
    said = {m.definition: m.value for m in answer.measurements}
    assert said["total liver"] == pytest.approx(1400.0) and said["tumour within the liver"] == pytest.approx(200.0)
    with pytest.raises(Refused, match="none of them is named liver"):
        LiverVolumetry().run((replace(LIVER, label="foie tumeur"),), None)


@pytest.mark.parametrize("stated", [{"PatientSize": "1,75", "PatientWeight": 75.0}, {"PatientWeight": "75 kg"}])
def test_a_height_or_weight_that_is_no_number_costs_the_standard_alone(stated: dict[str, float | str]) -> None:
    """The whole analysis failed with a fault of its own."""
    image = Volume(np.zeros(GRID.shape, np.float32), GRID, facts=stated)
    answer = LiverVolumetry().run((LIVER,), image)
    assert len(answer.measurements) == 1 and any("are no two numbers" in r for r in answer.reasons)


def test_a_standard_of_adults_is_not_a_childs() -> None:
    """A child of 1.35 m and 35 kg had the standard volume of an adult of that size: 657 mL, where Urata has 808."""
    facts = {"PatientSize": 1.35, "PatientWeight": 35.0, "PatientAge": "011Y"}
    image = Volume(np.zeros(GRID.shape, np.float32), GRID, facts=facts)
    answer = LiverVolumetry().run((LIVER,), image)
    assert codes.STANDARD_VOLUME not in {m.what for m in answer.measurements}
    assert any("a patient of 11 years, and Vauthey 2002 is of adults" in r for r in answer.reasons)
    of_children = LiverVolumetry().run((LIVER,), image, standard="Urata 1995")
    said = next(m.value for m in of_children.measurements if m.what == codes.STANDARD_VOLUME)
    assert said == pytest.approx(706.2 * 0.007184 * 35.0**0.425 * 135.0**0.725 + 2.4)


def test_slices_that_nobody_outlined_are_missed() -> None:
    """One was left out of 20 and the liver was 70 mL smaller, without a word."""
    mask = np.asarray(LIVER.mask).copy()
    mask[12] = False
    with pytest.raises(Refused, match="1 slice between others that nobody outlined: some 5% of its volume"):
        LiverVolumetry().run((replace(LIVER, mask=mask),), None)
    thin = Geometry.regular(shape=(90, 40, 40), spacing_mm=(5.0 / 3.0, 4.0, 4.0), frame_of_reference="2.25.1")
    mask = np.repeat(np.asarray(LIVER.mask), 3, axis=0)
    mask[40] = False
    answer = LiverVolumetry().run((Region(thin, mask=mask, label="Liver"),), None)
    assert any("some 1.7 % of its volume are missing" in r for r in answer.reasons)


def test_a_remnant_and_a_tumour_on_grids_of_their_own() -> None:
    plain = LiverVolumetry().run((LIVER, REMNANT, TUMOUR), None).measurements
    assert LiverVolumetry().run((LIVER, turned(REMNANT), turned(TUMOUR)), None).measurements == plain
    # An object holds only the slices that it marks: the tumour bulges beyond those of the liver.
    bulge = box("Tumour 1", slice(3, 15), slice(5, 30), slice(28, 38))
    liver = replace(LIVER, geometry=GRID.cropped((4, 0, 0), (26, 40, 40)), mask=np.asarray(LIVER.mask)[4:26])
    assert LiverVolumetry().run((liver, REMNANT, bulge), None).measurements == plain
    for part in (REMNANT, TUMOUR):
        must_refuse(lambda region: LiverVolumetry().run((LIVER, region), None), part)
    asked = LiverVolumetry().run((LIVER, coarser(REMNANT)), None, other_grid="nearest")
    assert any("'FLR': its mask" in told for told in asked.reasons)


LEFT = box("Liver left lobe", slice(5, 25), slice(5, 30), slice(3, 13))  # 400 mL
RIGHT = box("Liver right lobe", slice(5, 25), slice(5, 30), slice(13, 38))  # 1000 mL


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ((LEFT, RIGHT), "2 outlines together: Liver right lobe, Liver left lobe"),
        ((replace(LEFT, label="Liver"), replace(RIGHT, label="Liver")), "2 outlines together"),
        ((LEFT, LIVER), "'Liver left lobe' lies within 'Liver'"),
        ((replace(RIGHT, label="liver vessels"), LIVER), ""),
        ((replace(RIGHT, label="Liver-GTV"), LIVER), ""),
    ],
)
def test_the_whole_liver_counts_once_however_it_was_outlined(drawn: tuple[Region, ...], words: str) -> None:
    """By the first outline that bears the name, lobes gave 400 mL and vessels 1000 mL, without a word."""
    answer = LiverVolumetry().run(drawn, None)
    assert answer.measurements[0].value == pytest.approx(1400.0) and len(answer.findings) == 1
    assert any(words in told for told in answer.reasons)


def test_a_remnant_in_parts_holds_no_tumour_and_a_tumour_outside_is_told() -> None:
    parts = (replace(LEFT, label="remnant, segment 2"), box("FLR 3", slice(5, 25), slice(5, 30), slice(13, 18)))
    within = box("tumour", slice(5, 25), slice(5, 30), slice(3, 8))  # 200 of 600 mL
    answer = LiverVolumetry().run((LIVER, *parts, within), None)
    said = {m.definition: m.value for m in answer.measurements}
    assert said["future liver remnant"] == pytest.approx(400.0)
    assert said["remnant / (total - tumour)"] == pytest.approx(100 * 400 / 1200)
    assert any("200 mL of tumour within the remnant" in told for told in answer.reasons)
    beside = box("tumour", slice(5, 25), slice(30, 35), slice(3, 8))
    assert any("100 % of 'tumour' lie outside" in r for r in LiverVolumetry().run((LIVER, beside), None).reasons)


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        ((REMNANT,), "named liver"),
        ((RIGHT,), "a part of the liver"),
        ((RIGHT, box("liver", slice(5, 25), slice(5, 30), slice(3, 25))), "share 55 %"),
        ((box("liver", slice(5, 7), slice(5, 10), slice(5, 10)),), "no adult liver has that size"),
        ((box("liver", slice(0, 20), slice(5, 30), slice(3, 38)),), "the images cut"),
        ((LIVER, box("remnant", slice(5, 25), slice(20, 40), slice(3, 13))), "outside the liver"),
    ],
)
def test_outlines_whose_volume_would_be_wrong(drawn: tuple[Region, ...], words: str) -> None:
    with pytest.raises(Refused, match=words):
        LiverVolumetry().run(drawn, None)


def test_what_no_formula_takes() -> None:
    with pytest.raises(Refused, match="formula 'mine'"):
        standard_volume_ml(1.7, 70.0, "mine")
    with pytest.raises(Refused, match="without patient coordinates"):
        unplaced = replace(LIVER, geometry=replace(GRID, reference=Reference.PIXEL))
        LiverVolumetry().run((unplaced,), None)


def test_from_dicom_to_json(tmp_path: Path) -> None:
    made = liver_ct.patient(slices=30, thick_mm=5.0, mm=2.0)
    for n, data in enumerate(made.files):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "liver_volumetry", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    said = {m["definition"]: m for m in result["measurements"]}
    assert said["total liver"]["value"] == pytest.approx(made.truth["liver_ml"], rel=0.02)
    assert said["total liver"]["unit"] == "mL"
    share = 100 * made.truth["flr_ml"] / (made.truth["liver_ml"] - made.truth["tumour_ml"])
    assert said["remnant / (total - tumour)"]["value"] == pytest.approx(share, rel=0.03)
