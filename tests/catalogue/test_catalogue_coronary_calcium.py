"""Coronary calcium on phantoms that can be counted pixel by pixel, and every scan that must be declined."""

import io
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from other_grids import coarser, must_refuse
from real_series import loaded
from typer.testing import CliRunner

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.calcium_scan import is_for_calcium, is_gated, must_be_scorable
from isocenter.catalogue.coronary_calcium import CoronaryCalcium
from isocenter.cli import app
from isocenter.errors import Refused
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Geometry, Region, Volume
from isocenter.testing.phantoms import Phantom, coronary


@pytest.fixture(scope="module")
def phantom() -> Phantom:
    return coronary.patient(seed=1, vessels=True)


@pytest.fixture(scope="module")
def scan(phantom: Phantom) -> Volume:
    return loaded(phantom.files)[0][0]


@pytest.fixture(scope="module")
def arteries(phantom: Phantom) -> tuple[Region, ...]:
    return loaded(phantom.files)[1]


def score(answer: Answer) -> float:
    return next(m.value for m in answer.measurements if m.what == codes.CALCIUM_SCORE)


def test_each_artery_and_the_whole(phantom: Phantom, scan: Volume, arteries: tuple[Region, ...]) -> None:
    answer = CoronaryCalcium().run(scan, arteries)
    by_site = {str(f.site): f.measurements[0].value for f in answer.findings}
    truth = phantom.truth["agatston_of"]
    assert by_site == {
        "Left Main Coronary Artery": truth["LM"],
        "Left Anterior Descending Coronary Artery": truth["LAD"],
        "Circumflex Coronary Artery": truth["LCX"],
        "Right Coronary Artery": truth["RCA"],
    }
    assert score(answer) == phantom.truth["agatston"]
    assert "class 101 to 400, CAC-DRS A2/N4" in answer.reasons[0]
    lad = next(f for f in answer.findings if "Descending" in str(f.site))
    assert lad.where is not None and lad.where.voxels == 18 + 6


def test_the_heart_is_found_and_bone_and_aorta_do_not_count(phantom: Phantom, scan: Volume) -> None:
    answer = CoronaryCalcium().run(scan, None)
    assert score(answer) == phantom.truth["agatston"]
    assert any("not told apart" in r for r in answer.reasons)
    with pytest.raises(Refused, match="no heart is drawn"):
        CoronaryCalcium().run(scan, None, heart="drawn")


def test_an_artery_full_of_calcium_is_no_bone(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """1.2 mL in one piece was taken for bone, and the fullest artery scored 0."""
    lad = next(r for r in arteries if r.label == "LAD")
    z, y, x = (round(v) for v in np.argwhere(np.asarray(lad.mask)).mean(axis=0))
    dz, dy, dx = scan.geometry.disk_mm
    hu = np.asarray(scan.array).copy()
    before = score(CoronaryCalcium().run(scan, None))
    tube = np.zeros(hu.shape, bool)
    for n in range(-4, 5):  # it runs to the left and to the back, towards the feet
        tube[z + n, y + n : y + n + round(6 / dy), x + 4 * n : x + 4 * n + round(9 / dx)] = True
    area = tube.sum() * dy * dx
    assert area * dz > 1200.0
    hu[tube] = 320
    answer = CoronaryCalcium().run(replace(scan, array=hu), None)
    assert score(answer) == pytest.approx(before + 3 * area * dz / 3.0, rel=0.1)  # a spot of the phantom lies in it
    assert any("is one piece" in r for r in answer.reasons)
    hu[z - 3 : z + 4, y : y + round(25 / dy), x : x + round(25 / dx)] = 320  # 13 mL: a breastbone, wherever it lies
    assert score(CoronaryCalcium().run(replace(scan, array=hu), None)) <= before


@pytest.mark.parametrize("around", [40.0, -1000.0])
def test_everything_in_a_phantom_without_bone_counts(scan: Volume, around: float) -> None:
    """Blocks in water, with and without air about it: 3 slices of 9 mm² at weight 2, and 4 mm² at weight 4."""
    from isocenter.space import Geometry

    water = np.full((14, 48, 48), around, np.float32)
    water[:, 4:44, 4:44] = 40.0
    water[4:7, 10:16, 20:26] = 250.0
    water[9, 30:34, 30:34] = 450.0
    grid = Geometry.regular(shape=water.shape, spacing_mm=(3.0, 0.5, 0.5), frame_of_reference="2.25.1")
    answer = CoronaryCalcium().run(replace(scan, array=water, geometry=grid, instance_uids=()), None)
    assert score(answer) == 3 * 9 * 2 + 4 * 4
    assert any("as in those of a phantom" in r for r in answer.reasons)
    water[:, 30:44, 4:44] = 300.0  # as large as a bone: a patient, perhaps, whose heart is not there
    with pytest.raises(Refused, match="a heart does not fit"):
        CoronaryCalcium().run(replace(scan, array=water, geometry=grid, instance_uids=()), None)


def test_arteries_on_other_pixels_than_the_ct(scan: Volume, arteries: tuple[Region, ...]) -> None:
    run = CoronaryCalcium().run
    must_refuse(lambda region: run(scan, (region,)), arteries[1])
    asked = run(scan, tuple(coarser(region) for region in arteries), other_grid="nearest")
    assert sum("brought to it by nearest neighbour" in told for told in asked.reasons) == 4


def test_a_drawn_heart_is_taken(phantom: Phantom, scan: Volume) -> None:
    mask = np.zeros(scan.geometry.shape, bool)
    mask[16:23, 80:175, 140:230] = True
    answer = CoronaryCalcium().run(scan, (Region(scan.geometry, mask=mask, label="Heart"),))
    assert score(answer) == phantom.truth["agatston"] - phantom.truth["agatston_of"]["LM"]  # on a slice further up
    assert any("within the drawn heart" in r for r in answer.reasons)


def test_conventions_and_mass_carry_their_names(scan: Volume, arteries: tuple[Region, ...]) -> None:
    one = CoronaryCalcium().run(scan, arteries, convention="area", mg_per_mm3_hu=0.0008)
    assert "area x weight" in one.measurements[0].definition and "/ 3 mm" not in one.measurements[0].definition
    mass = next(m for m in one.measurements if m.what == codes.CALCIUM_MASS)
    assert mass.unit == "mg" and 20 < mass.value < 120
    assert "x spacing / 3 mm" in CoronaryCalcium().run(scan, arteries).measurements[0].definition
    with pytest.raises(Refused, match="calibration"):
        CoronaryCalcium().run(scan, arteries, mg_per_mm3_hu=-1.0)


def test_overlapping_slices_scored_by_area_keep_the_class_and_the_risk_of_agatston(
    scan: Volume, arteries: tuple[Region, ...]
) -> None:
    grid = scan.geometry
    close = Geometry.regular(
        shape=grid.shape, spacing_mm=(grid.spacing_mm[0] / 2.0, *grid.spacing_mm[1:]), frame_of_reference="2.25.1"
    )
    ct = replace(scan, geometry=close, instance_uids=(), facts={**scan.facts, "PatientAge": "61Y", "PatientSex": "M"})
    drawn = tuple(replace(region, geometry=close) for region in arteries)
    asked = {"systolic_mmhg": 130.0, "cholesterol_mg_dl": 200.0, "hdl_mg_dl": 50.0}
    area, spacing = (CoronaryCalcium().run(ct, drawn, convention=c, **asked) for c in ("area", "spacing"))
    assert score(area) == pytest.approx(2.0 * score(spacing))
    assert area.reasons[0] == spacing.reasons[0]
    risks = [next(m.value for m in a.measurements if m.what == codes.CARDIOVASCULAR_RISK) for a in (area, spacing)]
    assert risks[0] == pytest.approx(risks[1])
    assert any("class, category and risk are those of area x weight x spacing" in r for r in area.reasons)


def test_a_scan_that_did_not_follow_the_beat_gets_a_category_and_no_number(
    scan: Volume, arteries: tuple[Region, ...]
) -> None:
    gateless = {k: v for k, v in scan.facts.items() if k not in ("HeartRate", "ScanOptions", "ProtocolName")}
    for answer in (
        CoronaryCalcium().run(replace(scan, facts=gateless), arteries),
        CoronaryCalcium().run(scan, arteries, gated="no"),
    ):
        assert answer.outcome is Outcome.FOUND
        assert not answer.measurements and not any(f.measurements for f in answer.findings)
        assert answer.reasons[0] == "CAC-DRS A2/N4"
        assert any("a category is given, no score" in r for r in answer.reasons)
    assert score(CoronaryCalcium().run(replace(scan, facts=gateless), arteries, gated="yes")) > 0
    asked = CoronaryCalcium().run(scan, arteries, gated="no", systolic_mmhg=130, cholesterol_mg_dl=190, hdl_mg_dl=50)
    assert any("no risk is given: it is made with a score" in r for r in asked.reasons)


def test_slices_of_several_beats_that_state_the_rate_of_each_followed_the_beat(
    scan: Volume, arteries: tuple[Region, ...]
) -> None:
    """What differs from slice to slice was no fact of the scan: nothing said then that it had followed the beat."""
    files = []
    for number, data in enumerate(coronary.patient().files):
        ds = pydicom.dcmread(io.BytesIO(data))
        ds.HeartRate = 58 + number % 4
        for keyword in ("ScanOptions", "ProtocolName"):
            ds.pop(keyword, None)
        out = io.BytesIO()
        ds.save_as(out)
        files.append(out.getvalue())
    (beats,), _ = loaded(files)
    assert "HeartRate" not in beats.facts
    assert score(CoronaryCalcium().run(beats, arteries)) == score(CoronaryCalcium().run(scan, arteries))


@pytest.mark.parametrize(
    ("said", "gated"),
    [
        ("DS_CaSc ECG", True),
        ("Retrospective ECG gating", True),
        ("Heart, no contrast, gated", True),
        ("Chest NON-GATED calcium", False),
        ("Ungated chest", False),
        ("CaSc without ECG", False),
        ("CT_not_gated", False),
        ("Thorax, retrospective recon", False),
        ("Thorax bolus trigger", False),
    ],
)
def test_words_that_deny_the_beat_are_no_gating(scan: Volume, said: str, gated: bool) -> None:
    facts = {k: v for k, v in scan.facts.items() if k not in ("HeartRate", "ScanOptions")}
    assert is_gated(replace(scan, facts={**facts, "ProtocolName": said})) == gated
    assert not is_gated(replace(scan, facts={**facts, "CardiacSynchronizationTechnique": "NONE"}))


def test_what_was_not_operated_is_no_reason(scan: Volume) -> None:
    for said, refused in (
        ("Calcium score, no stents", False),
        ("no prior CABG or stent", False),
        ("CT pre bypass", False),
        ("no chest pain, s/p CABG", True),
        ("no CABG, stent 2019", True),
    ):
        other = replace(scan, facts={**scan.facts, "ReasonForStudy": said})
        if refused:
            with pytest.raises(Refused, match="the header says"):
                must_be_scorable(other)
        else:
            must_be_scorable(other)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"ContrastBolusAgent": "Iomeron 400"}, "contrast agent 'Iomeron 400'"),
        ({"KVP": 100.0}, "100 kV"),
        ({"SliceThickness": 5.0}, "slices of 5 mm"),
        ({"SliceThickness": 0.6}, "slices of 0.6 mm"),
        ({"SliceThickness": 2.5}, "lie 3.00 mm apart"),
        ({"ConvolutionKernel": "B60f"}, "kernel B60f"),
        ({"ReasonForStudy": "after CABG 2019"}, "the header says 'CABG'"),
        ({"StudyDescription": "Calcium score, stent LAD"}, "the header says 'stent'"),
        ({"ProtocolName": "Calcium, mitral valve replacement"}, "the header says 'valve replacement'"),
        ({"SeriesDescription": "CaSc 3.0 MonoPlus 60 keV"}, "a virtual image of 60 keV"),
        ({"ImageType": ["DERIVED", "PRIMARY", "AXIAL", "VMI"]}, "one energy that it does not state"),
        ({"SeriesDescription": "Heart VNC 3.0"}, "a virtual image without contrast"),
        ({"SeriesDescription": "PureCalcium 3.0"}, "an image without a material"),
        ({"RescaleType": "HU_MOD"}, "Hounsfield units were modified"),
    ],
)
def test_headers_that_carry_no_score(scan: Volume, facts: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=words):
        CoronaryCalcium().run(replace(scan, facts={**scan.facts, **facts}), None)


def test_a_virtual_image_of_70_kev_is_scored_with_a_warning(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """Photon-counting scanners give no other image; at 60 and 80 keV the same calcium has another brightness."""
    virtual = replace(scan, facts={**scan.facts, "SeriesDescription": "CaSc 3.0 Mono 70keV"})
    answer, plain = (CoronaryCalcium().run(ct, arteries) for ct in (virtual, scan))
    assert score(answer) == score(plain)
    assert next(r for r in answer.reasons if r not in plain.reasons).startswith("WARNING: a virtual image of 70 keV")
    assert is_for_calcium(virtual.facts)
    assert not is_for_calcium({**virtual.facts, "SeriesDescription": "CaSc 3.0 Mono 40keV"})


def test_no_agent_is_no_contrast(scan: Volume, arteries: tuple[Region, ...]) -> None:
    plain = replace(scan, facts={**scan.facts, "ContrastBolusAgent": "NONE"})
    assert score(CoronaryCalcium().run(plain, arteries)) > 0


def test_pixels_that_carry_no_score(scan: Volume, arteries: tuple[Region, ...]) -> None:
    stent = scan.array.copy()
    stent[18, 120:124, 180:184] = 2500.0
    with pytest.raises(Refused, match="stent, valve, clip or lead"):
        CoronaryCalcium().run(replace(scan, array=stent), None)
    soft = (scan.array > -20) & (scan.array < 120)
    with pytest.raises(Refused, match="contrast was given"):
        CoronaryCalcium().run(replace(scan, array=np.where(soft, scan.array + 200, scan.array)), None)
    noise = np.random.default_rng(0).normal(0, 55, scan.array.shape).astype(np.float32)
    with pytest.raises(Refused, match="noise of"):
        CoronaryCalcium().run(replace(scan, array=scan.array + noise * (scan.array > -200)), None)
    some = CoronaryCalcium().run(replace(scan, array=scan.array + 0.5 * noise * (scan.array > -200)), arteries)
    assert some.outcome is Outcome.FOUND


def test_contrast_and_noise_are_seen_about_arteries_drawn_close(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """Within them there is too little tissue to tell: blood of 250 HU scored 3656, and noise 10 for 0."""
    assert CoronaryCalcium().run(scan, arteries).outcome is Outcome.FOUND
    soft = (scan.array > -20) & (scan.array < 120)
    with pytest.raises(Refused, match=r"a heart of 24\d HU: .* contrast was given"):
        CoronaryCalcium().run(replace(scan, array=np.where(soft, scan.array + 200, scan.array)), arteries)
    noise = np.random.default_rng(0).normal(0, 55, scan.array.shape).astype(np.float32)
    with pytest.raises(Refused, match=r"noise of 5\d HU"):
        CoronaryCalcium().run(replace(scan, array=scan.array + noise * (scan.array > -200)), arteries)


def test_a_lead_is_no_calcium(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """A lead is thinner than a slice: 2,500 HU read 1,500 there, and it was counted, 1,460 for 0."""
    slices, array = scan.geometry.shape[0], scan.array.copy()
    first = CoronaryCalcium().run(scan, None).findings[0].where
    assert first is not None
    middle = np.argwhere(first.mask)[:, 0].min(), *np.round(np.argwhere(first.mask).mean(axis=0)[1:]).astype(int)
    reach = int(np.ceil(54.0 / scan.geometry.disk_mm[0]))
    start = min(int(middle[0]), slices - reach - 1)
    for k in range(start, start + reach + 1):
        array[k, middle[1] : middle[1] + 3, middle[2] : middle[2] + 3] = 1200.0
    lead = replace(scan, array=array)
    with pytest.raises(Refused, match=r"mm long with 600 HU and more all along in the heart: .* a lead"):
        CoronaryCalcium().run(lead, None)
    assert score(CoronaryCalcium().run(lead, arteries)) == score(CoronaryCalcium().run(scan, arteries))
    spot = scan.array.copy()
    spot[start, middle[1] : middle[1] + 3, middle[2] : middle[2] + 3] = 1200.0
    told = CoronaryCalcium().run(replace(scan, array=spot), None)
    assert any("1 slices hold spots of more than 1000 HU, up to 1200" in r for r in told.reasons)
    assert not any("1000 HU" in r for r in CoronaryCalcium().run(scan, None).reasons)


def test_what_is_as_even_as_a_stent_is_told_and_counted(scan: Volume) -> None:
    """A stent of 18 mm scored as calcium without a word; calcium may be as even, so that it counts."""
    plain = CoronaryCalcium().run(scan, None)
    spots = np.argwhere(plain.findings[0].where.mask)
    row, column = np.round(spots.mean(axis=0)[1:]).astype(int)
    first, array = int(spots[:, 0].min()), scan.array.copy()
    array[first : first + 7, row : row + 6, column : column + 6] = 420.0
    told = CoronaryCalcium().run(replace(scan, array=array), None)
    assert score(told) > score(plain)
    assert any("mm long, straight and as bright all along: a stent" in r for r in told.reasons)
    assert not any("straight" in r for r in plain.reasons)
    array[first + 3, row : row + 6, column : column + 6] = 1100.0  # a lump in it
    lumpy = CoronaryCalcium().run(replace(scan, array=array), None)
    assert not any("straight" in r for r in lumpy.reasons)


def test_what_is_no_axial_chest(scan: Volume) -> None:
    with pytest.raises(Refused, match="axial slices"):
        CoronaryCalcium().run(scan.permuted((1, 0, 2)), None)
    with pytest.raises(Refused, match="no two lungs"):
        CoronaryCalcium().run(replace(scan, array=np.where(scan.array < -200, -60.0, scan.array)), None)
    with pytest.raises(Refused, match="does not fit"):
        CoronaryCalcium().run(scan.cropped((0, 0, 0), (5, 320, 320)), None)
    with pytest.raises(Refused, match="Hounsfield"):
        CoronaryCalcium().run(replace(scan, unit="{arbitrary}"), None)
    two = Volume(np.stack([scan.array] * 2), scan.geometry, scan.quantity, scan.unit, (Axis("time", (0, 1), "s"),))
    with pytest.raises(Refused, match="one image of the chest"):
        CoronaryCalcium().run(two, None)


def test_regions_that_do_not_say_where_to_count(scan: Volume, arteries: tuple[Region, ...]) -> None:
    other = replace(arteries[0], label="tumour")
    with pytest.raises(Refused, match="none of them is an artery or a heart"):
        CoronaryCalcium().run(scan, (other,))
    with pytest.raises(Refused, match="overlap"):
        CoronaryCalcium().run(scan, (arteries[0], replace(arteries[0], label="RCA")))


def test_arteries_in_one_outline_and_in_other_words_are_arteries(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """`coronary_arteries` and `artère coronaire` were said to be none, and a cœur to be no heart."""
    by_artery = CoronaryCalcium().run(scan, arteries)
    every = np.logical_or.reduce([np.asarray(r.mask) for r in arteries])
    for label, coded in (("coronary_arteries", ""), ("artères coronaires", ""), ("1", "SCT:41801008")):
        whole = CoronaryCalcium().run(scan, (Region(scan.geometry, mask=every, label=label, coded=coded),))
        assert whole.measurements[0].value == pytest.approx(by_artery.measurements[0].value)
        assert any(f"within '{label}' as drawn" in r for r in whole.reasons)
        assert "/N" not in whole.reasons[0] and whole.findings[0].site == codes.CORONARY_ARTERY
    numbered = tuple(replace(r, label=str(n), coded=f"SCT:{c.code}") for n, (r, c) in enumerate(zip(
        arteries, (codes.LEFT_MAIN, codes.LAD, codes.CIRCUMFLEX, codes.RCA), strict=True)))  # fmt: skip
    assert len(CoronaryCalcium().run(scan, numbered).findings) == len(by_artery.findings)
    with pytest.raises(Refused, match="none of them is an artery or a heart"):
        CoronaryCalcium().run(scan, (Region(scan.geometry, mask=every, label="coronary sinus"),))
    heart = CoronaryCalcium().run(scan, (Region(scan.geometry, mask=every, label="cœur"),))
    assert any("within the drawn heart" in r for r in heart.reasons)


def test_branches_and_segments_count_for_their_artery(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """A diagonal branch was left out without a word, and two regions of one artery were two vessels of CAC-DRS."""
    lad = next(r for r in arteries if r.label == "LAD")
    assert lad.mask is not None
    parts = [lad.mask.copy(), lad.mask.copy()]
    parts[0][:19], parts[1][19:] = False, False
    others = [r for r in arteries if r.label != "LAD"]
    whole = CoronaryCalcium().run(scan, arteries)
    for names in (("LAD proximal", "D1"), ("RIVA", "Diagonal branch"), ("LAD", "LAD distal")):
        drawn = [replace(lad, mask=mask, label=name) for mask, name in zip(parts, names, strict=True)]
        cut = CoronaryCalcium().run(scan, (*others, *drawn))
        assert cut.measurements == whole.measurements and len(cut.findings) == 4
        assert any("A2/N4" in r for r in cut.reasons)
    posterior = CoronaryCalcium().run(scan, tuple(replace(r, label="PDA") if r.label == "RCA" else r for r in arteries))
    assert posterior.measurements == whole.measurements and any("mostly springs" in r for r in posterior.reasons)


def test_a_spot_that_two_arteries_share_keeps_its_weight(scan: Volume, arteries: tuple[Region, ...]) -> None:
    """Until version 6 each artery cut its part out, and weighed it by that part's own peak."""
    lad = next(r for r in arteries if r.label == "LAD")
    assert lad.mask is not None
    (k, row, column), *_ = np.argwhere(lad.mask & (np.asarray(scan.array) >= 130))
    hu = np.array(scan.array)
    hu[k][lad.mask[k] & (hu[k] >= 130)] = 150.0
    hu[k, row, column] = 450.0  # all but one pixel are dull
    one = np.zeros_like(lad.mask)
    one[k, row, column] = True
    parts = replace(lad, mask=lad.mask & ~one), replace(lad, mask=one, label="LM")
    rest = [r for r in arteries if r.label not in ("LAD", "LM")]
    bright = replace(scan, array=hu)
    answer, whole = (CoronaryCalcium().run(bright, (*rest, *drawn)) for drawn in (parts, (lad,)))
    assert score(answer) == pytest.approx(score(whole), rel=1e-12)


@pytest.mark.parametrize("name", ["Left main bronchus", "Right coronary cusp", "D10", "Ramus", "plaque 4"])
def test_what_is_not_named_as_an_artery_is_told_and_not_counted(
    scan: Volume, arteries: tuple[Region, ...], name: str
) -> None:
    some = CoronaryCalcium().run(scan, tuple(r for r in arteries if r.label != "RCA"))
    told = CoronaryCalcium().run(scan, tuple(replace(r, label=name) if r.label == "RCA" else r for r in arteries))
    assert told.measurements == some.measurements
    assert any(r.startswith(f"WARNING: calcium within {name} was not counted") for r in told.reasons)


def test_risk_with_the_score(scan: Volume, arteries: tuple[Region, ...]) -> None:
    known = {"systolic_mmhg": 130.0, "cholesterol_mg_dl": 190.0, "hdl_mg_dl": 50.0}
    answer = CoronaryCalcium().run(scan, arteries, **known, smoker=True)  # type: ignore[arg-type]
    risk = next(m for m in answer.measurements if m.what == codes.CARDIOVASCULAR_RISK)
    assert risk.unit == "%" and "MESA 2015 with calcium" in risk.definition and 5 < risk.value < 40
    half = CoronaryCalcium().run(scan, arteries, systolic_mmhg=130.0)
    assert any("no risk is given: it needs" in r for r in half.reasons)
    wrong = CoronaryCalcium().run(scan, arteries, **{**known, "cholesterol_mg_dl": 5.0})  # type: ignore[arg-type]
    assert any("Multiply mmol/L" in r for r in wrong.reasons)
    assert not [m for m in wrong.measurements if m.what == codes.CARDIOVASCULAR_RISK]


def test_from_a_folder_of_dicom(phantom: Phantom, tmp_path: Path) -> None:
    for number, data in enumerate(phantom.files):
        (tmp_path / f"{number:03d}.dcm").write_bytes(data)
    done = CliRunner().invoke(app, ["analyse", str(tmp_path), "--only", "coronary_calcium", "--json"])
    assert done.exit_code == 0, done.output
    (said,) = json.loads(done.stdout)
    assert said["answer"] == "found" and len(said["findings"]) == 4
    assert said["measurements"][0]["value"] == phantom.truth["agatston"]
