"""Muscle and fat counted on a painted abdomen, and each CT on which they would be wrong."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from other_grids import coarser, must_refuse
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.body_composition import BodyComposition
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Region, Volume
from isocenter.testing.phantoms import Phantom, abdomen_ct, trunk_ct


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return abdomen_ct.patient()


@pytest.fixture(scope="module")
def ct(phantom: Phantom) -> Volume:
    return loaded(phantom.files)[0][0]


def scan(**made: Any) -> Volume:
    return loaded(abdomen_ct.patient(many=3, **made).files)[0][0]


def said(answer: Answer, what: codes.Code, unit: str = "cm2") -> float:
    return next(m.value for m in answer.measurements if m.what == what and m.unit == unit)


AREAS = {
    "muscle": codes.SKELETAL_MUSCLE, "visceral": codes.VISCERAL_FAT, "subcutaneous": codes.SUBCUTANEOUS_FAT,
}  # fmt: skip


def test_areas_at_a_level_and_volumes(phantom: Phantom, ct: Volume) -> None:
    answer = BodyComposition().run(ct, None, level_mm=0.0)
    for name, code in AREAS.items():
        assert said(answer, code) == pytest.approx(phantom.truth[f"{name}_cm2"], rel=0.01)
    assert said(answer, codes.INTERMUSCULAR_FAT) == pytest.approx(phantom.truth["intermuscular_cm2"], abs=2.0)
    assert said(answer, codes.MUSCLE_INDEX, "cm2/m2") == pytest.approx(said(answer, codes.SKELETAL_MUSCLE) / 1.8**2)
    assert said(answer, codes.MUSCLE_ATTENUATION, "[hnsf'U]") == pytest.approx(48.0, abs=0.5)
    masks = abdomen_ct.slices()[1]
    muscle_ml = float(masks["muscle"].sum()) * 1.25**2 * 5 / 1000
    assert said(answer, codes.SKELETAL_MUSCLE, "mL") == pytest.approx(muscle_ml, rel=0.01)
    assert {f.what for f in answer.findings} >= set(AREAS.values())
    assert any("found by the program" in r for r in answer.reasons)


def test_a_level_without_bone_says_that_muscle_may_be_missing(ct: Volume) -> None:
    """Muscle about a spine of 160 HU was left out, without a word."""
    soft = replace(ct, array=np.minimum(np.asarray(ct.array), 160))
    words = "no bone of the spine is seen at the level"
    assert any(words in r for r in BodyComposition().run(soft, None, level_mm=0.0).reasons)
    assert not any(words in r for r in BodyComposition().run(ct, None, level_mm=0.0).reasons)


def test_a_drawn_compartment_is_exact(phantom: Phantom, ct: Volume) -> None:
    masks = abdomen_ct.slices()[1]
    wall = Region(ct.geometry, mask=masks["muscle"] | masks["intermuscular"], label="Muscle")
    vertebra = np.zeros(ct.geometry.shape, bool)
    vertebra[1:4, 180:200, 150:170] = True
    answer = BodyComposition().run(ct, (wall, Region(ct.geometry, mask=vertebra, label="L3")))
    assert said(answer, codes.SKELETAL_MUSCLE) == pytest.approx(phantom.truth["muscle_cm2"], rel=1e-9)
    assert said(answer, codes.INTERMUSCULAR_FAT) == pytest.approx(phantom.truth["intermuscular_cm2"], rel=1e-9)
    must_refuse(lambda region: BodyComposition().run(ct, (region,), level_mm=0.0), wall)
    asked = BodyComposition().run(ct, (coarser(wall),), level_mm=0.0, other_grid="nearest")
    assert any("'Muscle': its mask" in told for told in asked.reasons)
    level = Region(ct.geometry, mask=vertebra, label="L3")
    must_refuse(lambda region: BodyComposition().run(ct, (region,)), level, mean=True)


def test_muscle_and_level_are_known_in_other_words_and_what_is_not_is_told(phantom: Phantom, ct: Volume) -> None:
    """A drawn Muskulatur was passed over for a wall that the program found; LWK3 was no level."""
    masks = abdomen_ct.slices()[1]
    wall = np.array(np.broadcast_to(masks["muscle"] | masks["intermuscular"], ct.geometry.shape))
    vertebra = np.zeros(ct.geometry.shape, bool)
    vertebra[1:4, 180:200, 150:170] = True
    for muscle, level in (("Muskulatur", "LWK3"), ("músculo esquelético", "vertebrae_L3"), ("1", "2")):
        coded = {"1": "SCT:127954009", "2": "SCT:36470004"}
        drawn = (
            Region(ct.geometry, mask=wall, label=muscle, coded=coded.get(muscle, "")),
            Region(ct.geometry, mask=vertebra, label=level, coded=coded.get(level, "")),
            Region(ct.geometry, mask=~wall, label="intermuscular_fat"),
            Region(ct.geometry, mask=~wall, label="Fett zwischen Muskeln"),
        )
        answer = BodyComposition().run(ct, drawn)
        assert said(answer, codes.SKELETAL_MUSCLE) == pytest.approx(phantom.truth["muscle_cm2"], rel=1e-9)
        assert not any("none is used" in told or "by the program" in told for told in answer.reasons)
    for disc in ("L3/4", "L2-L3", "L3-L4", "GTV L 3", "L13", "L35"):
        answer = BodyComposition().run(ct, (Region(ct.geometry, mask=vertebra, label=disc),))
        assert answer.outcome is Outcome.NONE
        assert any(f"none of the outlines ({disc}) is named muscle or L3" in told for told in answer.reasons)


def test_a_compartment_outlined_in_parts_in_one_slice_or_not_closed(phantom: Phantom, ct: Volume) -> None:
    """Of two outlines the first was the muscle; beyond an outline of one slice, and about a psoas, all fat was fat
    under the skin.
    """
    masks = abdomen_ct.slices()[1]
    wall = np.array(np.broadcast_to(masks["muscle"] | masks["intermuscular"], ct.geometry.shape))
    left = np.zeros_like(wall)
    left[:, :, : wall.shape[2] // 2] = True
    halves = [Region(ct.geometry, mask=wall & side, label=f"Muscle {n}") for n, side in enumerate((left, ~left))]
    level = float(ct.geometry.to_patient((2, 0, 0))[2])
    answer = BodyComposition().run(ct, tuple(halves), level_mm=level)
    assert said(answer, codes.SKELETAL_MUSCLE) == pytest.approx(phantom.truth["muscle_cm2"], rel=1e-9)
    assert any("2 outlines are taken together" in told for told in answer.reasons)
    one = wall & (np.arange(len(wall)) == 2)[:, None, None]
    answer = BodyComposition().run(ct, (Region(ct.geometry, mask=one, label="muscle"),), level_mm=level)
    assert said(answer, codes.VISCERAL_FAT) == pytest.approx(phantom.truth["visceral_cm2"], rel=0.02)
    assert all(m.unit != "mL" for m in answer.measurements)
    answer = BodyComposition().run(ct, (halves[0],), level_mm=level)
    assert {codes.VISCERAL_FAT, codes.SUBCUTANEOUS_FAT}.isdisjoint(m.what for m in answer.measurements)
    assert any("encloses no cavity" in told for told in answer.reasons)
    with pytest.raises(Refused, match="no muscle outlined at the level"):
        BodyComposition().run(ct, (Region(ct.geometry, mask=one, label="muscle"),), level_mm=level + 10.0)


def test_without_a_level_there_are_volumes_and_no_index(ct: Volume) -> None:
    answer = BodyComposition().run(ct, None)
    assert answer.outcome is Outcome.NONE and {m.unit for m in answer.measurements} == {"mL"}
    assert any("without a level" in r for r in answer.reasons)
    assert any("25 mm of the body" in r for r in answer.reasons)
    with pytest.raises(Refused, match="the images reach from"):
        BodyComposition().run(ct, None, level_mm=400.0)


def test_areas_of_leaning_slices_are_not_given(ct: Volume) -> None:
    """A plane that leans by 15 degrees cuts 3.5 % more; volumes are what they are."""
    lean = np.eye(4)
    angle = np.radians(15.0)
    lean[1:3, 1:3] = [[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]]
    tilted = replace(ct, geometry=replace(ct.geometry, affine=lean @ ct.geometry.affine))
    answer = BodyComposition().run(tilted, None, level_mm=float(tilted.geometry.to_patient((2, 160, 160))[2]))
    assert {m.unit for m in answer.measurements} == {"mL"}
    assert any("slices lean by 15°: areas would be 4 % larger" in r for r in answer.reasons)
    assert said(answer, codes.SKELETAL_MUSCLE, "mL") == pytest.approx(
        said(BodyComposition().run(ct, None, level_mm=0.0), codes.SKELETAL_MUSCLE, "mL")
    )


def test_cutoffs_carry_their_study_and_people(ct: Volume) -> None:
    low = BodyComposition().run(ct, None, level_mm=0.0, cutoff="Prado 2008")
    words = " ".join(f.words for f in low.findings)
    assert "below 52.4 (Prado 2008: obese patients with cancer, Canada)" in words
    martin = BodyComposition().run(ct, None, level_mm=0.0, cutoff="Martin 2013", weight_kg=70.0)
    assert any("below 43 (Martin 2013" in f.words for f in martin.findings)
    japan = BodyComposition().run(ct, None, level_mm=0.0, cutoff="Japan 2002")
    assert any(f.what == codes.VISCERAL_OBESITY and "above 100" in f.words for f in japan.findings)
    aged = replace(ct, facts={**ct.facts, "PatientAge": "065Y"})
    werf = BodyComposition().run(aged, None, level_mm=0.0, cutoff="van der Werf 2018", weight_kg=84.0)
    said_of = " ".join((*(f.words for f in werf.findings), *werf.reasons))
    assert "42.3" in said_of and "60 to 69 years, BMI 25 to 30" in said_of
    unknown = replace(ct, facts={**ct.facts, "PatientSex": "O"})
    answer = BodyComposition().run(unknown, None, level_mm=0.0, cutoff="Prado 2008")
    assert any("no limit for this person" in r for r in answer.reasons)


def test_height_and_contrast_limit_what_is_said(ct: Volume) -> None:
    bare = replace(ct, facts={k: v for k, v in ct.facts.items() if k != "PatientSize"})
    answer = BodyComposition().run(bare, None, level_mm=0.0)
    assert all(m.what != codes.MUSCLE_INDEX for m in answer.measurements)
    assert any("no height" in r for r in answer.reasons)
    late = replace(ct, facts={**ct.facts, "ContrastBolusAgent": "Iopromide"})
    told = BodyComposition().run(late, None, level_mm=0.0, cutoff="Martin 2013")
    assert any("5 to 10 HU higher" in r for r in told.reasons)
    assert all(f.what != codes.LOW_MUSCLE_ATTENUATION for f in told.findings)
    unstated = replace(ct, facts={**ct.facts, "SeriesDescription": "Abdomen portal venous 5.0"})
    told = BodyComposition().run(unstated, None, level_mm=0.0, cutoff="Martin 2013")
    assert any("portal venous phase by its description" in r for r in told.reasons)


def test_a_psoas_has_no_index_of_all_muscle(ct: Volume) -> None:
    _, row, column = np.indices(ct.geometry.shape)
    middle = [n / 2 for n in ct.geometry.shape[1:]]
    disc = np.hypot(row - middle[0], column - middle[1]) < 12
    psoas = Region(ct.geometry, mask=disc, label="psoas muscle left")
    answer = BodyComposition().run(ct, (psoas,), level_mm=0.0, cutoff="Prado 2008", height_m=1.8)
    assert codes.MUSCLE_INDEX not in {m.what for m in answer.measurements}
    assert codes.LOW_MUSCLE not in {f.what for f in answer.findings}
    assert any(r.startswith("psoas muscle left: not all muscle of the level") for r in answer.reasons)
    whole = BodyComposition().run(ct, (replace(psoas, label="muscle"),), level_mm=0.0, height_m=1.8)
    assert codes.MUSCLE_INDEX in {m.what for m in whole.measurements}  # the name is believed


@pytest.mark.parametrize(
    ("age", "said"),
    [
        ("017Y", "17 years"),
        pytest.param("012Y", "12 years", marks=pytest.mark.nightly),
        pytest.param("018M", "18 months", marks=pytest.mark.nightly),
    ],
)
def test_no_limit_of_adults_is_applied_to_a_child(ct: Volume, age: str, said: str) -> None:
    young = replace(ct, facts={**ct.facts, "PatientAge": age})
    answer = BodyComposition().run(young, None, level_mm=0.0, cutoff="Prado 2008")
    assert not [f for f in answer.findings if f.what in (codes.LOW_MUSCLE, codes.LOW_MUSCLE_ATTENUATION)]
    assert f"a patient of {said}: the limits of Prado 2008 are of adults, none is applied" in answer.reasons
    grown = replace(ct, facts={**ct.facts, "PatientAge": "018Y"})
    assert [f for f in BodyComposition().run(grown, None, level_mm=0.0, cutoff="Prado 2008").findings
            if f.what == codes.LOW_MUSCLE]  # fmt: skip


def test_a_picture_that_cuts_the_body_wall_gives_no_subcutaneous_fat() -> None:
    answer = BodyComposition().run(scan(cut=True), None, level_mm=0.0)
    assert all(m.what != codes.SUBCUTANEOUS_FAT for m in answer.measurements)
    assert any("cuts the body wall at the level" in r for r in answer.reasons)
    assert any(m.what == codes.VISCERAL_FAT for m in answer.measurements)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"KVP": 80.0}, "80 kV"),
        ({"Unlike": {"KVP": ["120", "80"]}}, "slices that differ in KVP: 120, 80"),
        ({"SeriesDescription": "MonoE 40keV[HU]"}, "a virtual image of 40 keV"),
        ({"SliceThickness": 8.0}, "slices of 8 mm"),
        ({"ImageType": ["DERIVED", "SECONDARY", "MPR"]}, "reformatted images"),
    ],
)
def test_headers_on_which_areas_would_be_wrong(ct: Volume, facts: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        BodyComposition().run(replace(ct, facts={**ct.facts, **facts}), None, level_mm=0.0)


def test_metal_elsewhere_costs_the_volumes_and_not_the_level() -> None:
    """A hip or clips far from it declined the whole CT."""
    ct = loaded(abdomen_ct.patient(many=9).files)[0][0]
    height = float(ct.geometry.to_patient([(ct.geometry.shape[0] - 1, 0, 0)])[0][2])
    plain = BodyComposition().run(ct, None, level_mm=height)
    metal = ct.array.copy()
    metal[0, 180:190, 155:165] = 3000
    answer = BodyComposition().run(replace(ct, array=metal), None, level_mm=height)
    assert said(answer, codes.SKELETAL_MUSCLE) == pytest.approx(said(plain, codes.SKELETAL_MUSCLE), rel=0.01)
    assert not [m for m in answer.measurements if m.unit == "mL"] and any("none of them" in r for r in answer.reasons)
    near = 1 + int(np.ceil(10.0 / ct.geometry.disk_mm[0]))
    for level in (0, near):
        height = float(ct.geometry.to_patient([(level, 0, 0)])[0][2])
        with pytest.raises(Refused, match="metal at the level"):
            BodyComposition().run(replace(ct, array=metal), None, level_mm=height)


def with_arms(ct: Volume, gap_mm: float) -> Volume:
    """Two arms beside the body, or pressed against it where the gap is below zero: skin, fat, muscle, two bones."""
    wider = ct.padded(*WIDER, value=-1000)
    array, (_, dy, dx) = wider.array.copy(), ct.geometry.spacing_mm
    body = array > -300
    widest = int(body[2].sum(axis=1).argmax())
    columns = np.flatnonzero(body[2, widest])
    y, x = np.indices(array.shape[1:])
    for edge, side in ((columns[0], -1), (columns[-1], 1)):
        off_y, off_x = (y - widest) * dy, (x - edge) * dx - side * (32.0 + gap_mm)
        for radius, hu in ((32.0, 40.0), (30.0, -100.0), (21.0, 55.0)):
            array[:, (np.hypot(off_y, off_x) <= radius) & ~body[2]] = hu
        for place in (-8.0, 9.0):
            array[:, (np.hypot(off_y, off_x - place) <= 6.0) & ~body[2]] = 900.0
    return replace(wider, array=array)


WIDER = (0, 0, 50), (0, 0, 50)  # columns: the phantom fills its picture


def test_arms_against_the_body_are_named_and_their_fat_is_not_the_bodys(phantom: Phantom, ct: Volume) -> None:
    masks = abdomen_ct.slices()[1]
    wall = Region(ct.geometry, mask=masks["muscle"] | masks["intermuscular"], label="Muscle")
    drawn = (wall.padded(*WIDER),)
    pressed, beside = with_arms(ct, -8.0), with_arms(ct, 12.0)
    run = BodyComposition().run
    with pytest.raises(Refused, match=r"arms against the body: .* or outline the muscle"):
        run(pressed, None, level_mm=0.0)
    with pytest.raises(Refused, match=r"arms lie beside the body: .* or outline the muscle"):
        run(beside, None, level_mm=0.0)
    for scanned, fat in ((pressed, False), (beside, True)):
        answer = run(scanned, drawn, level_mm=0.0, cutoff="Derstine 2018")
        assert said(answer, codes.SKELETAL_MUSCLE) == pytest.approx(phantom.truth["muscle_cm2"], rel=1e-9)
        assert any(r.startswith("WARNING: arms lie beside") for r in answer.reasons)
        assert not any(r.startswith("SMRA") for r in answer.reasons)
        assert any(m.what == codes.SUBCUTANEOUS_FAT for m in answer.measurements) == fat
    cut = pressed.cropped((0, 0, 50), tuple(n - 50 * (axis == 2) for axis, n in enumerate(pressed.geometry.shape)))
    with pytest.raises(Refused, match=r"a picture that cuts what looks like arms against the body: .* or outline"):
        run(cut, None, level_mm=0.0)
    assert said(run(cut, (wall,), level_mm=0.0), codes.SKELETAL_MUSCLE) == pytest.approx(
        phantom.truth["muscle_cm2"], rel=1e-9
    )
    plain = run(ct, (wall,), level_mm=0.0, cutoff="Derstine 2018")
    assert not any("arms" in r for r in plain.reasons) and any(r.startswith("SMRA") for r in plain.reasons)
    assert any(m.what == codes.SUBCUTANEOUS_FAT for m in plain.measurements)


def test_images_on_which_areas_would_be_wrong(ct: Volume) -> None:
    with pytest.raises(Refused, match="arms lie beside the body"):
        BodyComposition().run(scan(arms=True), None, level_mm=0.0)
    metal = ct.array.copy()
    metal[2, 180:190, 155:165] = 3000
    with pytest.raises(Refused, match="metal"):
        BodyComposition().run(replace(ct, array=metal), None, level_mm=0.0)
    with pytest.raises(Refused, match="axial slices"):
        BodyComposition().run(ct.permuted((1, 0, 2)), None)
    with pytest.raises(Refused, match="Hounsfield"):
        BodyComposition().run(replace(ct, unit="{arbitrary}"), None)
    with pytest.raises(Refused, match="6 lumbar vertebrae"):
        BodyComposition().run(ct, None, level_mm=0.0, lumbar_vertebrae=6)
    with pytest.raises(Refused, match="without air and tissue"):
        BodyComposition().run(replace(ct, array=np.zeros_like(ct.array)), None)
    two = Volume(np.stack([ct.array] * 2), ct.geometry, ct.quantity, ct.unit, (Axis("time", (0, 1), "s"),))
    with pytest.raises(Refused, match="one image of the abdomen"):
        BodyComposition().run(two, None)


def test_contents_of_the_bowel(ct: Volume) -> None:
    """Contrast in the bowel is told; the rim of gas, which has every value on its way, is not taken for fat."""
    plain = BodyComposition().run(ct, None, level_mm=0.0)
    fat = next(m.value for m in plain.measurements if m.what == codes.VISCERAL_FAT and m.unit == "cm2")
    from scipy.ndimage import distance_transform_edt

    where = next(f.where for f in plain.findings if f.what == codes.VISCERAL_FAT)
    assert where is not None and where.mask is not None
    depth = distance_transform_edt(where.mask, sampling=(1000.0, *ct.geometry.spacing_mm[1:]))
    at = np.unravel_index(int(depth.argmax()), depth.shape)
    _z, y, x = np.indices(ct.array.shape)
    _dz, dy, dx = ct.geometry.spacing_mm
    from_middle = np.hypot((y - at[1]) * dy, (x - at[2]) * dx)
    bright = np.where(from_middle < 20, 600, ct.array).astype(ct.array.dtype)
    told = BodyComposition().run(replace(ct, array=bright), None, level_mm=0.0)
    assert any("as contrast in the bowel" in r for r in told.reasons)
    assert not any("as contrast in the bowel" in r for r in plain.reasons)
    organ = np.where(from_middle < 22, 40, ct.array)
    gassy = np.where(from_middle < 18, np.clip(-1000 + (from_middle - 14) * 260, -1000, 40), organ)
    seen = [
        next(
            m.value
            for m in BodyComposition().run(replace(ct, array=a.astype(ct.array.dtype)), None, level_mm=0.0).measurements
            if m.what == codes.VISCERAL_FAT and m.unit == "cm2"
        )
        for a in (organ, gassy)
    ]
    assert seen[1] <= seen[0] + 0.02 * fat


def test_from_dicom_to_json(tmp_path: Path, phantom: Phantom) -> None:
    for n, data in enumerate(phantom.files):
        (tmp_path / f"{n}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "body_composition", "--json"])
    assert done.exit_code == 0, done.output
    (result,) = json.loads(done.stdout)
    assert result["answer"] == "none" and {m["unit"] for m in result["measurements"]} == {"mL"}


def test_the_level_is_found_shown_and_measured_at() -> None:
    trunk, truth = trunk_ct.volume(slice_mm=4.0, pixel_mm=3.0, show=(-55.0, 165.0))
    answer = BodyComposition().run(trunk, None)
    level = next(f for f in answer.findings if f.what == codes.THIRD_LUMBAR)
    assert level.where is not None
    assert level.where.centre_mm[2] == pytest.approx(truth["middle_mm"]["L3"], abs=6.0)
    assert level.measurements[0].value >= 0.75 and any("a person counts" in r for r in answer.reasons)
    muscle = next(f for f in answer.findings if f.what == codes.SKELETAL_MUSCLE)
    assert muscle.where is not None and muscle.where.centre_mm[2] == pytest.approx(level.where.centre_mm[2])
