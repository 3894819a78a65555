"""PET uptake on phantoms of known truth, on real patients with published values, and where it must decline."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from dynamic_pet import dynamic
from enhanced_pet import enhanced
from other_grids import coarser, must_refuse
from real_series import loaded, zipped
from scipy.ndimage import binary_erosion

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.pet_uptake import _HEADER, PETUptake
from isocenter.errors import Refused
from isocenter.methods import pet_header, suv
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Geometry, Reference, Region, Shape, Volume
from isocenter.testing.phantoms import pet_ct

GRID = Geometry.regular(shape=(24, 32, 32), spacing_mm=(4.0, 4.0, 4.0), frame_of_reference="2.25.1")
PER_SUV = 1.0 / suv.conversion(pet_header.read(_HEADER)).factor


def box(*sides: tuple[int, int], grid: Geometry = GRID, label: str = "lesion") -> Region:
    mask = np.zeros(grid.shape, bool)
    mask[tuple(slice(a, b) for a, b in sides)] = True
    return Region(grid, mask=mask, label=label)


def pet(uptake: np.ndarray, **facts: Any) -> Volume:
    known = {k: v for k, v in {**_HEADER, **facts}.items() if v is not None}
    return Volume((uptake * PER_SUV).astype(np.float32), GRID, "activity concentration", "Bq/mL", facts=known)


def warm() -> np.ndarray:
    body = np.full(GRID.shape, 1.0)
    body[0] = 0.2
    return body


def values(answer: Answer, what: Any, definition: str = "", finding: int = 0) -> list[float]:
    held = answer.findings[finding].measurements
    return [m.value for m in held if m.what == what and definition in m.definition]


LESION = box((8, 14), (10, 16), (10, 16))


def hot(level: float = 10.0) -> np.ndarray:
    image = warm()
    assert LESION.mask is not None
    image[LESION.mask] = level
    image[8:11, 10:16, 10:16] = level / 2
    image[13, 10:16, 10:16] = level / 5
    return image


def test_an_outline_without_uptake_has_no_metabolic_volume_and_is_told() -> None:
    """41 % of nothing was the whole outline: 16.6 mL in air."""
    empty = hot() * 0.0
    empty[0, 0, 0] = hot().max()
    answer = PETUptake().run(pet(empty), (LESION,))
    assert values(answer, codes.MTV)[0] == 0.0
    assert any("holds no uptake (SUVmax 0.00)" in r for r in answer.reasons)
    assert not any("no uptake" in r for r in PETUptake().run(pet(hot()), (LESION,)).reasons)


def test_numbers_of_a_known_lesion() -> None:
    answer = PETUptake().run(pet(hot()), (LESION,))
    assert answer.outcome is Outcome.FOUND
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([10.0], rel=1e-6)
    assert values(answer, codes.SUV_MEAN, "SUVbw, whole contour") == pytest.approx([(2 * 10 + 3 * 5 + 2) / 6], rel=1e-6)
    assert values(answer, codes.COUNT) == [216]
    assert values(answer, codes.MTV) == pytest.approx([180 * 0.064])
    assert values(answer, codes.TLG) == pytest.approx([(72 * 10 + 108 * 5) * 0.064], rel=1e-6)


@pytest.mark.parametrize(("threshold", "voxels"), [("41%", 180), ("50%", 180), ("4.0", 180), ("2.5", 180)])
def test_thresholds(threshold: Any, voxels: int) -> None:
    assert values(PETUptake().run(pet(hot()), (LESION,), threshold=threshold), codes.MTV) == pytest.approx(
        [voxels * 0.064]
    )


def test_thresholds_differ_where_they_should() -> None:
    image = pet(hot(6.0))  # parts at 6, 3 and 1.2
    by = {t: values(PETUptake().run(image, (LESION,), threshold=t), codes.MTV)[0] for t in ("41%", "4.0", "2.5")}  # type: ignore[arg-type]
    assert by == pytest.approx({"41%": 180 * 0.064, "4.0": 72 * 0.064, "2.5": 180 * 0.064})


def test_nothing_above_a_fixed_threshold() -> None:
    answer = PETUptake().run(pet(hot(3.0)), (LESION,), threshold="4.0")
    assert values(answer, codes.MTV) == [0.0]
    assert values(answer, codes.TLG) == [0.0]
    assert values(answer, codes.SUV_MEAN, "above") == []


def test_ideal_weight_and_body_surface() -> None:
    answer = PETUptake().run(pet(hot()), (LESION,))
    said = {m.definition: (m.value, m.unit) for m in answer.findings[0].measurements if m.what == codes.SUV_MAX}
    ideal, surface = suv.ideal_body_weight_kg(1.75, "F") / 70.0, suv.body_surface_cm2(70.0, 1.75) / 70_000.0
    assert said["SUVibw"] == (pytest.approx(10.0 * ideal, rel=1e-6), "{SUVibw}g/ml")
    assert said["SUVbsa, DuBois"] == (pytest.approx(10.0 * surface, rel=1e-6), "{SUVbsa}cm2/ml")


def test_lean_body_mass_by_both_formulae() -> None:
    answer = PETUptake().run(pet(hot()), (LESION,))
    for formula, name in (("james128", "SUL, James 128"), ("janmahasatian", "SUL, Janmahasatian")):
        share = suv.lean_body_mass_kg(70.0, 1.75, "F", formula) / 70.0
        found = [m for m in answer.findings[0].measurements if m.what == codes.SUV_MAX and m.definition == name]
        assert [(m.value, m.unit) for m in found] == [(pytest.approx(10.0 * share, rel=1e-6), "{SUVlbm}g/ml")]


@pytest.mark.parametrize("missing", ["PatientSize", "PatientSex"])
def test_without_height_or_sex_there_is_no_sul_and_it_says_so(missing: str) -> None:
    answer = PETUptake().run(pet(hot(), **{missing: None}), (LESION,))
    assert not [m for m in answer.findings[0].measurements if m.unit == "{SUVlbm}g/ml"]
    assert any("SUL is not given" in r for r in answer.reasons)


def test_percist() -> None:
    image = warm() * 2.0
    image[0] = 0.1
    image += np.random.default_rng(0).normal(0.0, 0.05, GRID.shape)
    assert LESION.mask is not None
    image[LESION.mask] = 10.0
    liver = box((2, 22), (18, 31), (2, 30), label="Liver")
    answer = PETUptake().run(pet(image), (LESION, liver), threshold="PERCIST")
    assert len(answer.findings) == 1  # the liver is what it is compared with
    share = suv.lean_body_mass_kg(70.0, 1.75, "F") / 70.0
    assert values(answer, codes.TLG) == pytest.approx([10.0 * share * 216 * 0.064], rel=1e-4)
    assert [m.unit for m in answer.findings[0].measurements if "above PERCIST" in m.definition] == ["{SUVlbm}g/ml"]
    aorta = replace(liver, label="Aorta")
    by_blood = PETUptake().run(pet(image), (LESION, aorta), threshold="PERCIST")
    assert any(m.definition == "PERCIST, blood pool" for m in by_blood.findings[0].measurements)
    with pytest.raises(Refused, match="PERCIST without a liver"):
        PETUptake().run(pet(image), (LESION,), threshold="PERCIST")
    with pytest.raises(Refused, match="PERCIST without SUL"):
        PETUptake().run(pet(image, PatientSize=None), (LESION, liver), threshold="PERCIST")


def test_overlapping_contours_count_once_in_the_totals() -> None:
    wide = box((6, 16), (8, 18), (8, 18), label="edema")
    answer = PETUptake().run(pet(hot()), (LESION, wide))
    total = {m.what: m.value for m in answer.measurements}
    assert total[codes.MTV] == pytest.approx(180 * 0.064)
    assert total[codes.TLG] == pytest.approx((72 * 10 + 108 * 5) * 0.064, rel=1e-6)


def test_a_lesion_drawn_on_a_finer_grid() -> None:
    fine = GRID.respaced((2.0, 1.0, 1.0))
    assert LESION.mask is not None
    mask = LESION.mask.repeat(2, 0).repeat(4, 1).repeat(4, 2)
    answer = PETUptake().run(pet(hot()), (Region(fine, mask=mask, label="on CT"),))
    assert values(answer, codes.COUNT) == [216]
    where = answer.findings[0].where
    assert where is not None and where.geometry.same_grid(GRID)
    assert any("'on CT': its mask" in told and "on another grid than the image" in told for told in answer.reasons)
    must_refuse(lambda region: PETUptake().run(pet(hot()), (region,)), LESION, mean=True)
    assert PETUptake().run(pet(hot()), (coarser(LESION),), other_grid="nearest").findings


def test_another_frame_of_reference_is_declined() -> None:
    elsewhere = Geometry(GRID.affine, GRID.shape, "2.25.9")
    with pytest.raises(Refused, match="frames of reference"):
        PETUptake().run(pet(hot()), (Region(elsewhere, mask=LESION.mask),))
    # ...also when the two grids happen to hold the same points
    shifted = Region(replace(GRID, frame_of_reference="2.25.9"), mask=LESION.mask)
    with pytest.raises(Refused, match="frames of reference"):
        PETUptake().run(pet(hot()), (shifted,))


def test_regions_that_cannot_be_measured_are_named() -> None:
    far = Geometry.regular(shape=(4, 4, 4), origin_mm=(5000.0, 0.0, 0.0), frame_of_reference="2.25.1")
    outside = Region(far, mask=np.ones((4, 4, 4), bool), label="far away")
    point = Region(GRID, Shape.POINT, points_mm=np.zeros((1, 3)), label="a point")
    answer = PETUptake().run(pet(hot()), (LESION, outside, point))
    assert len(answer.findings) == 1
    assert any("far away" in r for r in answer.reasons)
    assert any("a point" in r for r in answer.reasons)
    with pytest.raises(Refused, match="none of the regions"):
        PETUptake().run(pet(hot()), (outside,))


def test_structures_are_chosen_by_name() -> None:
    other = box((2, 4), (2, 4), (2, 4), label="heart")
    assert len(PETUptake().run(pet(hot()), (LESION, other), structures="LES").findings) == 1
    with pytest.raises(Refused, match="no region named 'tumour'"):
        PETUptake().run(pet(hot()), (LESION, other), structures="tumour")


def test_without_lesions_hot_spots_are_listed_with_the_caveat() -> None:
    answer = PETUptake().run(pet(hot()), None)
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([10.0], rel=1e-6)
    assert any("not told apart from disease" in r for r in answer.reasons)
    assert PETUptake().run(pet(hot()), ()).outcome is Outcome.FOUND
    assert PETUptake().run(pet(hot()), None, find_above=11.0).outcome is Outcome.NONE
    assert PETUptake().run(pet(hot()), None, smallest_ml=100.0).outcome is Outcome.NONE


def test_only_the_hottest_are_listed() -> None:
    image = warm()
    image[2:22:4, 2:30:4, 2:30:4] = np.linspace(5, 9, 5 * 7 * 7).reshape(5, 7, 7)
    answer = PETUptake().run(pet(image), None, smallest_ml=0.0)
    assert len(answer.findings) == 20
    assert any("245 hot spots" in r for r in answer.reasons)


def test_a_lesion_at_the_edge_says_so() -> None:
    answer = PETUptake().run(pet(hot()), (box((8, 24), (10, 16), (10, 16)),))
    assert "edge of the image" in answer.findings[0].words


def test_suv_in_the_file_is_not_scaled_twice() -> None:
    image = Volume(hot().astype(np.float32), GRID, "SUVbw", "g/ml", facts={"Units": "GML", "PatientWeight": 70.0})
    assert values(PETUptake().run(image, (LESION,)), codes.SUV_MAX, "SUVbw") == [10.0]


def test_one_frame_of_a_leading_axis_is_taken() -> None:
    one = pet(hot())
    held = replace(one, array=one.array[None], axes=(Axis("time", (0.0,), "s"),))
    assert values(PETUptake().run(held, (LESION,)), codes.COUNT) == [216]
    two = replace(one, array=np.stack([one.array] * 2), axes=(Axis("time", (0.0, 60.0), "s"),))
    with pytest.raises(Refused, match="2 frames that do not say how long"):
        PETUptake().run(two, None)


@pytest.mark.parametrize(
    ("facts", "words"),
    [
        ({"PatientWeight": None}, "weight missing"),
        ({"PatientWeight": "0"}, "weight 0"),
        ({"RadionuclideTotalDose": None}, "injected activity missing"),
        ({"RadionuclideTotalDose": "350"}, "typed in MBq"),
        ({"RadionuclideHalfLife": None}, "half-life missing"),
        ({"RadiopharmaceuticalStartTime": "120000"}, "after the scan"),
        ({"Units": "PROPCNTS"}, "PROPCNTS"),
        ({"Units": "CNTS"}, "Philips"),
        ({"DecayCorrection": "NONE"}, "decay"),
        ({"CorrectedImage": ["DECY"]}, "attenuation"),
        ({"CorrectedImage": None}, "not corrected"),
    ],
)
def test_headers_that_carry_no_suv(facts: dict[str, Any], words: str) -> None:
    with pytest.raises(Refused, match=f"(?i){words}"):
        PETUptake().run(pet(hot(), **facts), (LESION,))


def test_a_series_of_mixed_units_has_no_suv() -> None:
    from io import BytesIO

    from pydicom import dcmread

    files = []
    for data in pet_ct.patient(structures=False).files:
        ds = dcmread(BytesIO(data))
        if ds.Modality == "PT":
            ds.Units = "CNTS" if int(ds.InstanceNumber) % 2 else "BQML"
            held = BytesIO()
            ds.save_as(held)
            files.append(held.getvalue())
    (mixed,) = loaded(files)[0]
    with pytest.raises(Refused, match="a mixed series: Units is BQML and CNTS"):
        PETUptake().run(mixed, None)


def test_images_that_are_none() -> None:
    with pytest.raises(Refused, match="not numbers"):
        PETUptake().run(pet(np.where(hot() > 9, np.nan, 1.0)), None)
    with pytest.raises(Refused, match="one value everywhere"):
        PETUptake().run(pet(np.ones(GRID.shape)), None)
    flat = Volume(hot(), replace(GRID, reference=Reference.PIXEL), facts=_HEADER)
    with pytest.raises(Refused, match="pixel coordinates"):
        PETUptake().run(flat, None)


def test_remarks_of_the_header_reach_the_reader() -> None:
    answer = PETUptake().run(pet(hot(), RadionuclideHalfLife="6000"), (LESION,))
    assert any("half-life" in r for r in answer.reasons)


def _by_hand(folder: Path, image: Volume, mask: Any, factor: float) -> Any:
    """Uptake of the outlined voxels by pydicom and arithmetic alone, slice by slice in the order of the volume."""
    slices = {s.SOPInstanceUID: s for s in map(pydicom.dcmread, folder.rglob("*.dcm")) if s.Modality == "PT"}
    stack = [slices[uid] for uid in image.instance_uids]
    raw = [s.pixel_array.astype(float) * float(s.RescaleSlope) + float(s.RescaleIntercept) for s in stack]
    return np.stack(raw)[mask] * factor


@pytest.mark.data
def test_sts_001_raw(reference: Path) -> None:
    # SUVmax 7.911, mean 2.555 and 5,095 voxels: IBSI validation study; factor: computed by hand from the header.
    folder = reference / "pet-suv-sts001"
    if not folder.is_dir():
        pytest.skip("pet-suv-sts001 is not among the reference data")
    (image,), drawn = loaded(f.read_bytes() for f in sorted(folder.rglob("*.dcm")))
    factor = suv.conversion(pet_header.read(image.facts)).factor
    assert factor == pytest.approx(2.4290297661e-4, rel=1e-9)
    answer = PETUptake().run(image, drawn)
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([7.9107], abs=5e-5)
    assert values(answer, codes.SUV_MEAN, "SUVbw, whole") == pytest.approx([2.555], abs=5e-4)
    assert values(answer, codes.COUNT) == [5095]
    by_hand = _by_hand(folder, image, drawn[0].mask, factor)
    assert values(answer, codes.SUV_MAX, "SUVbw")[0] == pytest.approx(by_hand.max(), rel=1e-6)
    assert values(answer, codes.SUV_MEAN, "SUVbw, whole")[0] == pytest.approx(by_hand.mean(), rel=1e-6)
    # Ranges that the suite of MIRP accepts for lean body mass, and its body surface, a tenth of DICOM's unit.
    assert 5.9 < values(answer, codes.SUV_MAX, "SUL, James 128")[0] < 6.1
    assert 5.8 < values(answer, codes.SUV_MAX, "SUL, Janmahasatian")[0] < 5.9
    header = pet_header.read(image.facts)
    assert 6.6 < 7.9107 * suv.from_suvbw(header, "ibw") < 6.7
    assert 1.95 < 7.9107 * suv.from_suvbw(header, "bsa") < 2.00


@pytest.mark.data
@pytest.mark.parametrize(("patient", "highest"), [("002", 21.676), ("003", 10.265)])
def test_sts_in_suv_already(data: Path, patient: str, highest: float) -> None:
    archive = data / "sarcoma_pet_ct_mr" / f"STS_{patient}.zip"
    if not archive.is_file():
        pytest.skip("sarcoma_pet_ct_mr is not among the data")
    (image,), drawn = loaded(zipped(archive, "/PET/"))
    answer = PETUptake().run(image, drawn)
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([highest], abs=5e-4)


def test_a_lesion_that_is_named_by_its_organ_is_a_lesion() -> None:
    """Liver metastases and mediastinal nodes are measured; only liver and blood pool themselves are references."""
    inputs, _ = next(PETUptake.examples())
    (lesion,) = inputs["lesions"]
    for label in ("Liver met 1", "GTV liver", "mediastinal LN", "liver_mets", "aorta lymph node"):
        answer = PETUptake().run(inputs["pet"], (replace(lesion, label=label),))
        assert [f.where.label for f in answer.findings if f.where] == [label]
    liver = PETUptake().run(inputs["pet"], (replace(lesion, label="Liver"),))
    assert any("no lesions were given" in r for r in liver.reasons)


LENGTHS, COURSE = (10.0, 60.0, 300.0, 600.0, 600.0), (0.5, 2.0, 5.0, 6.0, 9.0)


@pytest.mark.parametrize("decay", ["START", "ADMIN", "NONE"])
def test_frames_of_a_dynamic_pet_are_averaged(decay: str) -> None:
    (image,), _ = loaded(dynamic(LENGTHS, COURSE, decay=decay))
    with pytest.raises(Refused, match=r"a dynamic PET of 5 frames .*--set minutes=50-60"):
        PETUptake().run(image, None)
    answer = PETUptake().run(image, None, minutes="2-26")
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([(5 * 300 + 6 * 600 + 9 * 600) / 1500], rel=1e-4)
    assert answer.reasons[0].startswith("frames 3 to 5 of 5, 1.0 to 26.0 min after the injection, were averaged")
    late = PETUptake().run(image, None, minutes="20-25")
    assert values(late, codes.SUV_MAX, "SUVbw") == pytest.approx([9.0], rel=1e-4)


@pytest.mark.parametrize("decay", ["START", "NONE"])
def test_frames_of_an_enhanced_pet_are_averaged(decay: str) -> None:
    def each_its_time(made: Any) -> None:
        for n, frame in enumerate(made.PerFrameFunctionalGroupsSequence):
            frame.FrameContentSequence[0].TemporalPositionIndex = n % len(LENGTHS) + 1
        if decay == "NONE":
            made.DecayCorrected = "NO"
            del made.DecayCorrectionDateTime

    made = enhanced(dynamic(LENGTHS, COURSE, begun_s=0.0, decay=decay), change=each_its_time)
    (image,), _ = loaded(made)
    assert len(image.axes[0]) == 5
    answer = PETUptake().run(image, None, minutes="2-26")
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([7.0], rel=1e-4)


def test_gates_of_a_pet_are_averaged() -> None:
    for decay in ("START", "NONE"):
        files = dynamic((60.0, 120.0, 60.0), (5.0, 6.0, 7.0), begun_s=3600.0, decay=decay, kind="GATED")
        (image,), _ = loaded(files)
        answer = PETUptake().run(image, None)
        assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([6.0], rel=1e-4)
        assert answer.reasons[0] == "all 3 gates were averaged"


def test_minutes_choose_nothing_of_a_static_pet_and_it_is_told() -> None:
    answer = PETUptake().run(pet(hot()), (LESION,), minutes="50-60")
    assert values(answer, codes.SUV_MAX, "SUVbw") == pytest.approx([10.0], rel=1e-6)
    assert "the PET is static: minutes 50-60 chose nothing of it" in answer.reasons


def test_a_cold_middle_of_a_drawn_lesion_is_told() -> None:
    (inputs, _), *_ = PETUptake.examples()
    pet, (lesion,) = inputs["pet"], inputs["lesions"]
    assert not [r for r in PETUptake().run(pet, (lesion,)).reasons if "cold middle" in r]
    array = np.where(binary_erosion(lesion.mask), pet.array * 0.1, pet.array).astype(np.float32)
    (told,) = [r for r in PETUptake().run(replace(pet, array=array), (lesion,)).reasons if "cold middle" in r]
    assert "lesion has a cold middle (mean SUV 0.8" in told
