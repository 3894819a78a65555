"""A face is taken out of the pixels, of nothing else, and the object says so."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset
from pydicom.uid import ExplicitVRBigEndian, RLELossless

from isocenter.dicom.classic_frames import alone, classic
from isocenter.dicom.confidentiality import Option, options_named
from isocenter.dicom.deidentify import Deidentified, HeldBack, deidentify
from isocenter.dicom.elements import parse
from isocenter.dicom.header import read_header
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.visual_features import Cover, Shows, shows

BY = Pseudonyms(b"sixteen secret b")
GRID = np.array([[0, 0, 2.0, -16], [0, 2.0, 0, -16], [2.0, 0, 0, -16], [0, 0, 0, 1]])
FACE = np.zeros((16, 16, 18), bool)
FACE[:10, :6] = True  # below z = 3 and before y = -5
COVER = Cover.of(FACE, GRID, {"skin_cm2": 100.0, "left": 0.0, "depth_mm": 30.0})


def slice_of_a_head(z: float = -8.0, **said: Any) -> Dataset:
    ds = Dataset()
    ds.SOPClassUID, ds.SOPInstanceUID = "1.2.840.10008.5.1.4.1.1.4", f"1.2.3.{int(z + 100)}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.1", "1.2.2", "1.2.9"
    ds.Modality, ds.PatientID, ds.PatientName, ds.BodyPartExamined = "MR", "7", "Quxley^Zarah", "HEAD"
    ds.ImageType, ds.InstanceNumber = ["ORIGINAL", "PRIMARY"], 1
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-15.5, -15.5, z], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.SliceThickness = [1, 1], 1
    ds.Rows = ds.Columns = 32
    ds.SamplesPerPixel, ds.PhotometricInterpretation = 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 12, 11, 0
    ds.PixelData = np.arange(500, 500 + 1024, dtype="<u2").tobytes()
    for name, value in said.items():
        setattr(ds, name, value)
    ds["PixelData"].VR = "OW"
    return ds


def file_of(ds: Dataset, syntax: str = "") -> bytes:
    out = io.BytesIO()
    ds.file_meta = pydicom.dataset.FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = pydicom.uid.ExplicitVRLittleEndian
    if syntax == RLELossless:
        ds.compress(RLELossless, encoding_plugin="pydicom")
    elif syntax == ExplicitVRBigEndian:
        ds.PixelData = np.frombuffer(ds.PixelData, "<u2").astype(">u2").tobytes()
        ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian
    pydicom.dcmwrite(out, ds, enforce_file_format=True)
    return out.getvalue()


def cleaned(data: bytes, cover: Cover | None = COVER, **terms: Any) -> tuple[Dataset, Deidentified]:
    series = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True).SeriesInstanceUID
    copy = deidentify(data, by=BY, covers={series: cover} if cover else {}, **terms)
    return pydicom.dcmread(io.BytesIO(copy.data)), copy


@pytest.mark.parametrize("syntax", ["", RLELossless, ExplicitVRBigEndian])
def test_what_is_face_becomes_air_and_all_else_stays_to_the_bit(syntax: str) -> None:
    before = np.frombuffer(slice_of_a_head().PixelData, "<u2").reshape(32, 32)
    ds, copy = cleaned(file_of(slice_of_a_head(), syntax))
    after = ds.pixel_array
    assert (after[:11] == 0).all() and np.array_equal(after[12:], before[12:])
    assert copy.face == "cut" and ds.RecognizableVisualFeatures == "NO"
    assert "113102" in [c.CodeValue for c in ds.DeidentificationMethodCodeSequence]
    assert any("28 to 38 %" in risk for risk in copy.risks)


@pytest.mark.parametrize("seed", range(6))
def test_every_pixel_whose_place_is_nearest_to_a_voxel_of_the_face_goes_and_no_other(seed: int) -> None:
    rng = np.random.default_rng(seed)
    face = np.zeros((16, 16, 18), bool)
    face[2:11, :7, 3:15] = rng.random((9, 7, 12)) < 0.7
    cover = Cover.of(face, GRID, {"skin_cm2": 100.0, "left": 0.0, "depth_mm": 30.0})
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0] if seed > 1 else np.eye(3)  # the first two are axial
    along, down = turn[0], turn[1]
    position = [-15.5, -15.5, -9.0] if seed < 2 else rng.normal(0, 4, 3) - 16 * along - 16 * down
    thickness = float(rng.integers(1, 7))
    told = {"ImagePositionPatient": [round(float(v), 6) for v in position], "SliceThickness": thickness}
    axes = [round(float(v), 9) for v in (*along, *down)]
    said, _ = cleaned(file_of(slice_of_a_head(ImageOrientationPatient=axes, **told)), cover)
    across, downwards = np.array(axes[:3]), np.array(axes[3:])
    back, expected = np.linalg.inv(GRID), np.zeros((32, 32), bool)
    for off in (0.0, -thickness / 2, thickness / 2):
        start = np.array(told["ImagePositionPatient"]) + np.cross(across, downwards) * off
        mm = start[:, None, None] + downwards[:, None, None] * np.arange(32)[:, None]
        mm = mm + across[:, None, None] * np.arange(32)
        at = np.rint(np.einsum("ij,jrc->irc", back[:3, :3], mm) + back[:3, 3][:, None, None]).astype(int)
        inside = ((at >= 0) & (at < np.array(face.shape)[:, None, None])).all(0)
        expected |= inside & face[tuple(np.where(inside, at, 0))]
    assert expected.any() and np.array_equal(said.pixel_array == 0, expected)


def test_a_slice_above_the_face_keeps_its_bytes_compressed_as_they_were() -> None:
    data = file_of(slice_of_a_head(10.0), RLELossless)
    ds, copy = cleaned(data)
    assert ds.file_meta.TransferSyntaxUID == RLELossless and ds.RecognizableVisualFeatures == "NO"
    assert np.array_equal(ds.pixel_array, pydicom.dcmread(io.BytesIO(data)).pixel_array) and copy.face == "cut"


def test_a_sagittal_slice_loses_its_profile_and_ct_becomes_air() -> None:
    said = {"ImagePositionPatient": [0, -15.5, 15.5], "ImageOrientationPatient": [0, 1, 0, 0, 0, -1]}
    ct = slice_of_a_head(
        Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", RescaleSlope=1, RescaleIntercept=-1024, **said
    )
    ds, _ = cleaned(file_of(ct))
    assert (ds.pixel_array[14:, :10] == 24).all() and (ds.pixel_array[:10] >= 500).all()


def test_frames_of_an_enhanced_object_are_cut_each_at_its_place() -> None:
    ds = slice_of_a_head(SOPClassUID="1.2.840.10008.5.1.4.1.1.4.1", NumberOfFrames=2)
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness"):
        delattr(ds, name)
    measures, turned = Dataset(), Dataset()
    measures.PixelSpacing, measures.SliceThickness, turned.ImageOrientationPatient = [1, 1], 1, [1, 0, 0, 0, 1, 0]
    shared = Dataset()
    shared.PixelMeasuresSequence, shared.PlaneOrientationSequence = [measures], [turned]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], []
    for z in (-8.0, 10.0):
        at, frame = Dataset(), Dataset()
        at.ImagePositionPatient = [-15.5, -15.5, z]
        frame.PlanePositionSequence = [at]
        ds.PerFrameFunctionalGroupsSequence.append(frame)
    ds.PixelData = ds.PixelData * 2
    made, copy = cleaned(file_of(ds))
    first, second = made.pixel_array
    assert (first[:11] == 0).all() and (first[12:] >= 500).all() and (second >= 500).all() and copy.face == "cut"


def test_a_head_does_not_leave_before_its_face_is_surely_found() -> None:
    data = file_of(slice_of_a_head())
    for cover, why in (
        (None, "a head by itself"),
        (Cover("none"), "no head was found"),
        (Cover("unsure", "the skin stays"), "the skin stays"),
    ):
        with pytest.raises(HeldBack, match=why):
            cleaned(data, cover)
    scout = slice_of_a_head(
        Modality="CT", SOPClassUID="1.2.840.10008.5.1.4.1.1.2", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"]
    )
    with pytest.raises(HeldBack, match="a projection through the face"):
        cleaned(file_of(scout))
    nowhere = slice_of_a_head()
    del nowhere.ImagePositionPatient
    with pytest.raises(HeldBack, match="without a place"):
        cleaned(file_of(nowhere))


def test_without_the_option_the_copy_says_that_a_face_can_be_made_of_it() -> None:
    ds, copy = cleaned(file_of(slice_of_a_head()), options=options_named(["research"]) - {Option.FACES})
    assert ds.RecognizableVisualFeatures == "YES" and copy.face == "left" and (ds.pixel_array >= 500).all()


@pytest.mark.parametrize(
    ("said", "wanted"),
    [
        ({}, Shows.HEAD),
        ({"BodyPartExamined": "KNEE"}, Shows.NO),
        ({"BodyPartExamined": "", "SeriesDescription": "t1 mprage sag"}, Shows.HEAD),
        ({"BodyPartExamined": ""}, Shows.PERHAPS),
        ({"BodyPartExamined": "WHOLEBODY", "Modality": "PT"}, Shows.PERHAPS),
        ({"Modality": "US"}, Shows.NO),
    ],
)
def test_which_objects_may_show_a_face(said: dict[str, Any], wanted: Shows) -> None:
    assert shows(parse(file_of(slice_of_a_head(**said)))) is wanted


def test_what_names_no_part_and_shows_no_head_leaves_and_says_so() -> None:
    _, copy = cleaned(file_of(slice_of_a_head(BodyPartExamined="")), Cover("none"))
    assert copy.face == "no head" and any("no head was found" in risk for risk in copy.risks)


@pytest.mark.parametrize(
    "said",
    [
        {},
        {"Modality": "CT", "RescaleSlope": 2, "RescaleIntercept": -1024},
        {"ImageOrientationPatient": [0, 1, 0, 0, 0, -1], "PixelSpacing": [2, 0.5], "SliceThickness": 3},
        {"SliceThickness": "", "NumberOfFrames": 1},
    ],
)
def test_a_slice_is_placed_by_itself_as_its_whole_record_places_it(said: dict[str, Any]) -> None:
    data = file_of(slice_of_a_head(**said))
    series = read_header(data).series[0]
    whole, own = classic(series, series.instances[0]), alone(parse(data))
    assert whole is not None and own is not None
    for name in ("position", "orientation", "spacing", "thickness", "slope", "intercept", "rows", "columns", "tile"):
        assert np.array_equal(getattr(whole, name), getattr(own, name)), name


@pytest.mark.parametrize(
    "said",
    [{"ImageType": ["ORIGINAL", "PRIMARY", "M", "MOSAIC"]}, {"NumberOfFrames": 2}, {"mapped": True}, {"bare": True}],
)
def test_what_lies_elsewhere_than_its_plain_header_says_is_not_placed_by_it(said: dict[str, Any]) -> None:
    mapped, bare = said.pop("mapped", False), said.pop("bare", False)
    ds = slice_of_a_head(**said)
    if mapped:
        ds.RealWorldValueMappingSequence = [Dataset()]
    if bare:
        del ds.ImagePositionPatient
    assert alone(parse(file_of(ds))) is None
