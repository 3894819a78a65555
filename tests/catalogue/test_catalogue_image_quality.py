"""Planted faults are found one by one; good images, made and real, are left in peace."""

import random
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from real_series import loaded, zipped
from scipy import ndimage

from isocenter.analysis.protocol import Answer
from isocenter.catalogue.image_quality import NOISE, ImageQuality
from isocenter.errors import IsocenterError, Refused
from isocenter.record import Outcome, codes
from isocenter.space import Axis, Geometry, Reference, Volume

RNG = np.random.default_rng(0)
PET_HEADER: dict[str, Any] = {
    "Modality": "PT", "Units": "BQML", "DecayCorrection": "ADMIN", "CorrectedImage": ["DECY", "ATTN"],
    "PatientWeight": 70.0, "RadionuclideTotalDose": 350e6,
}  # fmt: skip


def ct(slices: int = 40) -> np.ndarray:
    """A chest: body, lungs, spine, and air about it, with 15 HU of noise."""
    z, y, x = np.indices((slices, 128, 128))
    body = ((y - 63.5) / 44) ** 2 + ((x - 63.5) / 58) ** 2 <= 1
    lungs = sum(((y - 60) / 26) ** 2 + ((x - c) / 18) ** 2 <= 1 for c in (38, 89)) > 0
    spine = (y - 92) ** 2 + (x - 63.5) ** 2 <= 64
    image = np.where(spine, 600.0, np.where(lungs, -820.0, np.where(body, 40.0, -1000.0)))
    return image + RNG.normal(0, 15, image.shape) + 0.3 * z


def mr() -> np.ndarray:
    z, y, x = np.indices((8, 128, 128))
    head = ((y - 63.5) / 34) ** 2 + ((x - 63.5) / 30) ** 2 <= 1
    inner = ((y - 60) / 10) ** 2 + ((x - 63.5) / 8) ** 2 <= 1
    image = np.where(inner, 700.0, np.where(head, 400.0, 0.0)) + z
    return np.hypot(image + RNG.normal(0, 8, image.shape), RNG.normal(0, 8, image.shape))


def radiograph() -> np.ndarray:
    y, x = np.indices((256, 256)) / 256
    lungs = sum(((x - c) / 0.14) ** 2 + ((y - 0.42) / 0.3) ** 2 < 1 for c in (0.28, 0.72)) > 0
    image = np.where(lungs, 60.0, 170.0) + 20 * y
    return (image + RNG.normal(0, 3, image.shape)).clip(0, 255)[None]


def volume(array: np.ndarray, modality: str, *, unit: str = "", spacing: float = 4.0, **facts: Any) -> Volume:
    plane = Reference.PLANE if modality in ("DX", "CR") else Reference.PATIENT
    grid = Geometry.regular(shape=array.shape[-3:], spacing_mm=(spacing, 1.0, 1.0), reference=plane)  # type: ignore[arg-type]
    what = {"CT": ("attenuation", "[hnsf'U]"), "PT": ("activity concentration", "Bq/mL")}
    quantity, known = what.get(modality, ("intensity", "{arbitrary}"))
    return Volume(array.astype(np.float32), grid, quantity, unit or known, facts={"Modality": modality, **facts})


def said(image: Volume, **more: Any) -> list[str]:
    return [f.words for f in ImageQuality().run(image, **more).findings]


def kinds(answer: Answer) -> set[Any]:
    return {f.what for f in answer.findings}


# ---- good images


def test_good_images_are_left_in_peace() -> None:
    assert said(volume(ct(), "CT", BodyPartExamined="CHEST")) == []
    assert said(volume(mr(), "MR", InPlanePhaseEncodingDirection="ROW")) == []
    assert said(volume(radiograph(), "DX", BodyPartExamined="CHEST")) == []
    answer = ImageQuality().run(volume(ct(), "CT"))
    assert answer.outcome is Outcome.NONE
    assert codes.SIGNAL_TO_NOISE in {m.what for m in answer.measurements}


def test_integers_are_images_too() -> None:
    assert said(replace(volume(ct(), "CT"), array=ct().round().astype(np.int16))) == []


def test_colour_cine_and_phases() -> None:
    grid = Geometry.regular(shape=(1, 96, 96), reference=Reference.PIXEL)
    picture = RNG.integers(0, 255, (3, 1, 96, 96)).astype(np.uint8)
    colour = Volume(picture, grid, axes=(Axis("channel", ("R", "G", "B")),), facts={"Modality": "US"})
    assert said(colour) == []
    cine = Volume(np.stack([picture] * 5), grid, axes=(Axis("time", tuple(range(5)), "s"), *colour.axes))
    assert {m.what.code: m.value for m in ImageQuality().run(cine).measurements}["image-count"] == 5
    phases = mr()[None].repeat(4, axis=0) + RNG.normal(0, 5, (4, 8, 128, 128))
    heart = Volume(
        phases.astype(np.float32), volume(mr(), "MR").geometry, axes=(Axis("trigger", (0, 50, 100, 150), "ms"),),
        facts={"Modality": "MR"},
    )  # fmt: skip
    assert said(heart) == []


def test_one_pixel_and_a_pile_of_pixels() -> None:
    assert len(said(volume(np.ones((1, 1, 1)), "CT"))) == 1
    tiny = volume(RNG.random((1, 3, 3)), "OT")
    assert said(tiny) == []


# ---- planted faults, each with the words that name it

FAULTS: list[tuple[str, Callable[[], Volume], str, Any]] = [
    ("NaN", lambda: volume(np.where(ct() > 500, np.nan, ct()), "CT"), "not numbers", codes.QUALITY_ISSUE),
    ("infinite", lambda: volume(np.where(ct() > 500, np.inf, ct()), "CT"), "not numbers", codes.QUALITY_ISSUE),
    ("constant", lambda: volume(np.full((3, 64, 64), 9.0), "MR"), "one value (9)", codes.QUALITY_ISSUE),
    ("noise", lambda: volume(ct() + RNG.normal(0, 200, ct().shape), "CT"), "Strong noise", codes.QUALITY_ISSUE),
    ("noise in MR", lambda: volume(mr() + RNG.normal(0, 150, mr().shape), "MR"), "Strong noise", codes.QUALITY_ISSUE),
    ("blur", lambda: volume(ndimage.gaussian_filter(ct(), (0, 4, 4)), "CT"), "Blurred", codes.QUALITY_ISSUE),
    ("clipped", lambda: volume(np.minimum(ct(), 30.0), "CT"), "clipped at 30", codes.QUALITY_ISSUE),
    ("few greys", lambda: volume(np.round(mr() / 100) * 100, "MR"), "grey levels", codes.QUALITY_ISSUE),
    ("unscaled CT", lambda: volume(ct() + 1024, "CT"), "rescale", codes.HEADER_MISMATCH),
    ("air is off", lambda: volume(ct() + 90, "CT"), "Air lies at", codes.HEADER_MISMATCH),
    ("metal", lambda: volume(_with_metal(), "CT"), "metal", codes.QUALITY_ISSUE),
    ("no lung", lambda: volume(ct().clip(0) - 1000 * (ct() < -950), "CT", BodyPartExamined="CHEST"), "says chest",
     codes.HEADER_MISMATCH),
    ("CT called MR", lambda: volume(ct(), "MR"), "this is CT", codes.HEADER_MISMATCH),
    ("blank slice", lambda: volume(_lost(ct(), 7), "CT"), "blank between others: image 8", codes.QUALITY_ISSUE),
    ("slice twice", lambda: volume(_twice(ct(), 7), "CT"), "repeat the one before: image 8", codes.QUALITY_ISSUE),
    ("gap", lambda: volume(ct(), "CT", SpacingBetweenSlices=2.0), "may be missing", codes.HEADER_MISMATCH),
    ("ghost", lambda: volume(mr() + 0.15 * np.roll(mr(), 64, 2), "MR", InPlanePhaseEncodingDirection="ROW"), "Ghosts",
     codes.QUALITY_ISSUE),
    ("inverted", lambda: volume(255 - radiograph(), "DX", BodyPartExamined="CHEST"), "inverted", codes.HEADER_MISMATCH),
    ("MONOCHROME1 that is 2", lambda: volume(radiograph(), "CR", BodyPartExamined="CHEST",
                                             PhotometricInterpretation="MONOCHROME1"), "MONOCHROME1 is wrong",
     codes.HEADER_MISMATCH),
    ("burned in", lambda: volume(ct(), "CT", BurnedInAnnotation="YES"), "burned in", codes.QUALITY_ISSUE),
    ("lossy", lambda: volume(ct(), "CT", LossyImageCompressionRatio=[35.0]), "35:1", codes.QUALITY_ISSUE),
    ("PET without weight", lambda: volume(abs(mr()), "PT", **{**PET_HEADER, "PatientWeight": 0.0}),
     "SUV cannot be computed", codes.QUALITY_ISSUE),
    ("PET too hot", lambda: volume(mr() * 1e6, "PT", **PET_HEADER), "highest SUV", codes.HEADER_MISMATCH),
    ("PET too cold", lambda: volume(mr() * 1e-3, "PT", **PET_HEADER), "highest SUV", codes.HEADER_MISMATCH),
]  # fmt: skip


def _with_metal() -> np.ndarray:
    image = ct()
    image[10:14, 60:66, 60:66] = 3071.0
    return image


def _lost(image: np.ndarray, index: int) -> np.ndarray:
    image[index] = image.min()
    return image


def _twice(image: np.ndarray, index: int) -> np.ndarray:
    image[index] = image[index - 1]
    return image


@pytest.mark.parametrize(("made", "words", "kind"), [f[1:] for f in FAULTS], ids=[f[0] for f in FAULTS])
def test_planted_faults_are_found(made: Callable[[], Volume], words: str, kind: Any) -> None:
    answer = ImageQuality().run(made())
    hits = [f for f in answer.findings if words in f.words]
    assert hits, [f.words for f in answer.findings]
    assert hits[0].what == kind


# ---- what must not be a fault


def turned_field() -> np.ndarray:
    """The field of a collimator that is turned by 12 degrees, on a picture of a radiograph's size."""
    rows, columns = radiograph().shape[1:]
    y, x = np.indices((rows, columns)) - np.array([rows, columns])[:, None, None] / 2.0
    angle = np.radians(12.0)
    across, down = x * np.cos(angle) + y * np.sin(angle), y * np.cos(angle) - x * np.sin(angle)
    return (np.abs(across) < 0.36 * columns) & (np.abs(down) < 0.36 * rows)


def test_air_of_a_raw_mammogram_is_not_clipped_and_tissue_is() -> None:
    """The direct beam fills the detector: "35.4 % of the pixels are clipped" was said of every such picture."""
    y, x = np.indices((256, 256)) / 256
    breast = (x / 0.6) ** 2 + ((y - 0.5) / 0.4) ** 2 < 1
    raw = np.where(breast, 300.0 + RNG.normal(0.0, 20.0, breast.shape), 4095.0)[None]
    intent = {"PresentationIntentType": "FOR PROCESSING"}
    assert not any("clipped" in w for w in said(volume(raw, "MG", **intent)))
    assert any("clipped" in w for w in said(volume(raw, "MG")))
    burnt = np.where((x < 0.3) & (np.abs(y - 0.5) < 0.2) & (x > 0.02), 4095.0, raw[0])[None]
    assert any("clipped" in w for w in said(volume(burnt, "MG", **intent)))


def test_clipped_tissue_at_the_edges_is_no_margin_and_a_margin_hides_no_noise() -> None:
    picture = radiograph()
    rows, columns = picture.shape[1:]
    y, x = np.indices((rows, columns))
    dome = y > 0.65 * rows + (x - columns / 2) ** 2 / columns  # an abdomen below a chest
    clipped = volume(np.where(dome, 255.0, picture), "DX")
    assert any("clipped" in w for w in said(clipped))
    grainy = picture + RNG.normal(0.0, 2.0, picture.shape)
    framed = np.pad(grainy, ((0, 0), (40, 40), (40, 40)), constant_values=float(grainy.max()))
    noise = [
        next(m.value for m in ImageQuality().run(volume(i, "DX")).measurements if m.what == NOISE)
        for i in (grainy, framed)
    ]
    assert noise[1] == pytest.approx(noise[0], rel=0.1)


@pytest.mark.parametrize(
    "image",
    [
        volume(np.concatenate([np.full((3, 128, 128), -1000.0), ct(20)]), "CT"),  # blank ends of a reformatted stack
        volume(np.where(ct() < -900, -2000.0, ct()), "CT"),  # padding outside the field of view
        volume(ct() + 90, "CT", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]),
        volume(radiograph(), "CR", BodyPartExamined="CHEST", PhotometricInterpretation="MONOCHROME1",
               InvertedFromMonochrome1=True),
        volume(255 - radiograph(), "CR", BodyPartExamined="HAND"),
        volume(255 - radiograph(), "CR", BodyPartExamined="CHEST", ViewPosition="LATERAL"),
        volume(255 - radiograph(), "CR", BodyPartExamined="CHEST", PhotometricInterpretation="MONOCHROME1"),
        volume(ct(), "CT", LossyImageCompressionRatio="3", SpacingBetweenSlices="unknown"),
        volume(mr() + 0.15 * np.roll(mr(), 64, 2), "MR"),  # no phase direction: nothing can be said
        volume(mr() * 50, "PT", **PET_HEADER),
        volume(RNG.uniform(-4096, 4095, (4, 64, 64)), "MR", ImageType=["ORIGINAL", "PRIMARY", "P", "ND"]),
        volume(np.where(mr() > 200, 800.0, 0.0) + RNG.uniform(0, 1400, (8, 128, 128)), "MR",
               ImageType=["DERIVED", "PRIMARY", "DIFFUSION", "ADC"]),
        volume(np.pad(radiograph(), ((0, 0), (24, 30), (30, 24)), constant_values=255.0), "DX"),
        volume(np.where(turned_field(), radiograph(), 255.0), "DX"),
        volume(np.where(mr() > 200, 300.0, 0.0) + RNG.uniform(0, 500, (8, 128, 128)), "MR",
               ImageType=["DERIVED", "PRIMARY", "M", "FAT_FRACTION"]),
        volume(40.0 + 20.0 * np.sin(np.indices((20, 96, 96))[2] / 9.0) + RNG.normal(0, 12, (20, 96, 96)), "CT"),
        volume(np.where(mr() > 200, 20.0, 0.0) + RNG.normal(0, 8, (8, 128, 128)), "CT", unit="mg/mL"),
    ],
    ids=["blank ends", "padding", "localizer", "turned already", "hand", "lateral", "negative", "odd values",
         "no direction", "PET", "MR phase", "ADC", "collimator",
         "turned collimator", "fat fraction", "soft tissue", "iodine"],
)  # fmt: skip
def test_what_is_no_fault(image: Volume) -> None:
    assert said(image) == []


@pytest.mark.parametrize(
    ("padding", "facts"),
    [
        (-2000.0, {}),
        (-3024.0, {}),
        (-1024.0, {"PixelPaddingValue": 63536, "PixelRepresentation": 1, "RescaleSlope": 1, "RescaleIntercept": 976}),
    ],
)
def test_padding_of_a_round_field_of_view_is_no_value_that_was_measured(padding: float, facts: dict[str, Any]) -> None:
    """Minimum was -3024, and a mean and a spread over what nobody measured."""
    y, x = np.indices((128, 128)) - 63.5
    scan = np.maximum(ct(12), -1023.0)
    answer = ImageQuality().run(volume(np.where(np.hypot(y, x) > 64, padding, scan), "CT", **facts))
    inside = scan[:, np.hypot(y, x) <= 64]
    value = {m.what: m.value for m in answer.measurements}
    assert value[codes.MINIMUM] == pytest.approx(inside.min(), abs=1e-3)
    assert value[codes.MEAN] == pytest.approx(inside.mean(), abs=2.0)  # of some images
    assert value[codes.STANDARD_DEVIATION] == pytest.approx(inside.std(), abs=2.0)
    assert any(m.definition == f"without padding of {padding:g}" for m in answer.measurements)


def test_a_ct_without_padding_keeps_its_darkest_voxel() -> None:
    scan = ct(12)
    scan[5, 3, 3] = -1400.0
    value = {m.what: m.value for m in ImageQuality().run(volume(scan, "CT")).measurements}
    assert value[codes.MINIMUM] == -1400.0


def test_strict_complains_sooner() -> None:
    soft = volume(ndimage.gaussian_filter(ct(), (0, 2.2, 2.2)), "CT")
    assert said(soft) == []
    assert any("Blurred" in w for w in said(soft, strict=True))


@pytest.mark.parametrize("modality", ["SEG", "RTDOSE"])
def test_what_is_no_image_is_declined(modality: str) -> None:
    with pytest.raises(Refused, match="no image"):
        ImageQuality().run(volume(ct(), modality))


def test_an_image_without_frames_is_declined() -> None:
    none = Volume(np.zeros((0, 2, 8, 8)), Geometry.regular(shape=(2, 8, 8)), axes=(Axis("time", (), "s"),))
    with pytest.raises(Refused, match="without pixels"):
        ImageQuality().run(none)


def test_doubts_about_a_pet_header_are_told() -> None:
    facts = {
        **PET_HEADER, "DecayCorrection": "START", "RadionuclideHalfLife": 6000.0, "Radionuclide": "F-18",
        "SeriesDate": "20240102", "SeriesTime": "110000", "RadiopharmaceuticalStartTime": "100000",
    }  # fmt: skip
    assert any(w.startswith("Half-life 6000 s") for w in said(volume(mr() * 50, "PT", **facts)))


def test_suv_in_the_file_needs_no_header() -> None:
    held = replace(volume(mr() / 50, "PT"), quantity="SUVbw", unit="g/ml")
    assert said(held) == []


def test_two_hundred_slices_take_less_than_a_second() -> None:
    array = RNG.normal(0, 20, (50, 512, 512)).astype(np.float32)
    array[:, 100:400, 100:400] += 1000
    image = volume(np.tile(array - 1000, (4, 1, 1)), "CT")
    ImageQuality().run(image)
    started = time.perf_counter()
    ImageQuality().run(image)
    assert time.perf_counter() - started < 3.0  # 0.4 s on a quiet machine; the room is for busy ones


# ---- real images


@pytest.mark.data
def test_real_patients_are_left_in_peace(data: Path) -> None:
    folder = data / "sarcoma_pet_ct_mr"
    if not folder.is_dir():
        pytest.skip("sarcoma_pet_ct_mr is not among the data")
    complaints = {}
    for archive in sorted(folder.glob("*.zip")):
        for part in ("CT", "MR_T1", "PET"):
            volumes, _ = loaded(zipped(archive, f"/{part}/"))
            complaints[archive.stem, part] = [w for v in volumes for w in said(v)]
    assert complaints
    assert not {k: v for k, v in complaints.items() if v}


@pytest.mark.data
@pytest.mark.nightly
def test_real_cine_hearts_are_left_in_peace(data: Path) -> None:
    archive = data / "sunnybrook_cine" / "dicoms" / "SCD0000101.zip"
    if not archive.is_file():
        pytest.skip("sunnybrook_cine is not among the data")
    volumes, _ = loaded(zipped(archive))
    assert [w for v in volumes for w in said(v)] == []


@pytest.mark.data
def test_real_radiographs_are_left_in_peace_and_their_negatives_are_not(data: Path) -> None:
    from PIL import Image

    files = sorted((data / "kermany_cxr").rglob("*.jp*g"))
    if not files:
        pytest.skip("kermany_cxr is not among the data")
    complaints = missed = 0
    chosen = random.Random(7).sample(files, 60)
    for file in chosen:
        image = np.asarray(Image.open(file).convert("L"), dtype=np.float32)[None]
        complaints += bool(said(volume(image, "CR", BodyPartExamined="CHEST")))
        missed += not any("inverted" in w for w in said(volume(255 - image, "CR", BodyPartExamined="CHEST")))
    assert complaints <= 1  # one in sixty
    assert missed <= 3


@pytest.mark.nightly
def test_samples_of_pydicom_are_left_in_peace() -> None:
    """All samples that make a volume; the only complaints are what their headers say of compression."""
    import pydicom

    seen, complaints = 0, {}
    for file in sorted((Path(pydicom.__file__).parent / "data" / "test_files").rglob("*.dcm")):
        try:
            volumes, _ = loaded([file.read_bytes()])
        except IsocenterError:
            continue
        for held in volumes:
            if str(held.facts.get("Modality", "")) not in ("SEG", "RTDOSE"):
                seen += 1
                words = [w for w in said(held) if "compression" not in w]
                if words:
                    complaints[file.name] = words
    assert seen > 25
    assert complaints == {}


@pytest.mark.parametrize(("intent", "complained"), [("FOR PROCESSING", False), ("FOR PRESENTATION", True)])
def test_a_raw_chest_whose_values_grow_with_the_exposure_is_not_inverted(intent: str, complained: bool) -> None:
    facts = {"BodyPartExamined": "CHEST", "PresentationIntentType": intent, "PixelIntensityRelationshipSign": 1}
    assert any("inverted" in w for w in said(volume(255 - radiograph(), "DX", **facts))) is complained
