"""A region goes into a Segmentation and comes back on the same voxels of the same patient."""

import io
import zipfile
from dataclasses import replace
from pathlib import Path

import highdicom as hd
import numpy as np
import pytest
from forms_samples import (
    FRAME_UID,
    SERIES_UID,
    STUDY_UID,
    WHEN,
    Archive,
    ball,
    dciodvfy,
    enhanced,
    file_bytes,
    found,
    letter_f,
    on_film,
    radiograph,
    record,
    sample,
    stack,
)
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes as pydicom_codes

from isocenter.errors import LimitReached, NotFound, NotWhole, Refused
from isocenter.forms import seg, sr
from isocenter.forms.seg import Kind
from isocenter.record import Finding, Origin, Outcome, Result, Verdict, codes
from isocenter.space import Geometry, Reference, Region, Shape, Volume


def rotation(a: float, b: float, c: float) -> np.ndarray:
    """A turn about three axes."""
    ca, sa, cb, sb, cc, sc = np.cos(a), np.sin(a), np.cos(b), np.sin(b), np.cos(c), np.sin(c)
    return (
        np.array([[ca, -sa, 0], [sa, ca, 0], [0, 0, 1]])
        @ np.array([[cb, 0, sb], [0, 1, 0], [-sb, 0, cb]])
        @ np.array([[1, 0, 0], [0, cc, -sc], [0, sc, cc]])
    )


@st.composite
def grids(draw: st.DrawFn) -> Geometry:
    """Orthogonal grids at any angle, with slices in either direction."""
    shape = tuple(draw(st.integers(low, 7)) for low in (1, 3, 3))
    spacing = [draw(st.floats(0.3, 6)) for _ in range(3)]
    turn = rotation(*(draw(st.floats(-3.1, 3.1)) for _ in range(3)))
    steps = turn @ np.array([[0, 0, 1], [0, 1, 0], [1, 0, 0]], float) * spacing
    if draw(st.booleans()):
        steps[:, 0] *= -1
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = steps, [draw(st.floats(-300, 300)) for _ in range(3)]
    return Geometry(affine, shape, FRAME_UID)  # type: ignore[arg-type]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grid=grids(), kind=st.sampled_from(Kind), seed=st.integers(0, 2**16))
def test_masks_come_back_voxel_for_voxel_at_any_angle(grid: Geometry, kind: Kind, seed: int) -> None:
    study, sources = stack(grid)
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 3, grid.shape)
    label.flat[0], label.flat[1] = 1, 2
    masks = [label == 1, label == 2]
    result = found(*(Region(grid, mask=m, series_uid=SERIES_UID, label=f"r{i}") for i, m in enumerate(masks)))
    (data,) = seg.write(result, study, sources, kind=kind)
    back = seg.read(data, grid)
    assert [b.label for b in back] == ["r0", "r1"]
    for region, mask in zip(back, masks, strict=True):
        assert np.array_equal(region.mask, mask)
        assert region.series_uid == SERIES_UID


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(grid=grids())
def test_without_a_grid_every_voxel_still_stands_at_its_place_in_the_patient(grid: Geometry) -> None:
    study, sources = stack(grid)
    mask = np.zeros(grid.shape, bool)
    mask[grid.shape[0] // 2, 1, 2] = mask[0, 0, 1] = True
    (data,) = seg.write(found(Region(grid, mask=mask, series_uid=SERIES_UID)), study, sources)
    (back,) = seg.read(data)
    assert back.mask is not None
    want = grid.to_patient(np.argwhere(mask))
    got = back.geometry.to_patient(np.argwhere(back.mask))
    near = np.linalg.norm(want[:, None] - got[None], axis=-1).min(axis=1)
    assert len(got) == len(want) and near.max() < 1e-3


def test_a_letter_f_is_not_mirrored(archive: Archive, axial: Geometry) -> None:
    study, sources = archive
    (data,) = seg.write(found(Region(axial, mask=letter_f(axial), series_uid=SERIES_UID)), study, sources)
    read = hd.seg.Segmentation.from_dataset(dcmread(io.BytesIO(data)))
    volume = read.get_volume()
    for index in np.argwhere(np.asarray(volume.array)[..., 0]):
        at = volume.affine @ [*index, 1]
        place = np.round(axial.to_index(at[:3])).astype(int)
        assert letter_f(axial)[tuple(place)]
    assert np.count_nonzero(volume.array) == np.count_nonzero(letter_f(axial))


@pytest.mark.peer
@pytest.mark.parametrize("kind", [Kind.BINARY, Kind.PROBABILITY, Kind.OCCUPANCY])
@pytest.mark.parametrize("who", ["machine", "person"])
def test_the_validator_finds_no_error(kind: Kind, who: str, archive: Archive, axial: Geometry, tmp_path: Path) -> None:
    origin = Origin(who, "volumetry" if who == "machine" else "ito", "1")
    (data,) = seg.write(found(ball(axial), ball(axial, 2.0), origin=origin), *archive, kind=kind)
    assert dciodvfy(data, tmp_path) == []


def test_the_label_map_keeps_its_own_rules(archive: Archive, axial: Geometry) -> None:
    inner, outer = ball(axial, 2.0), ball(axial, 5.0)
    assert inner.mask is not None and outer.mask is not None
    ring = replace(outer, mask=outer.mask & ~inner.mask)
    (data,) = seg.write(found(inner, ring), *archive, kind=Kind.LABELMAP)
    assert seg.check_labelmap(data) == ()
    spoiled = dcmread(io.BytesIO(data))
    spoiled.PixelPaddingValue = 3
    del spoiled.SegmentSequence[1]
    assert len(seg.check_labelmap(file_bytes(spoiled))) == 2
    (binary,) = seg.write(found(inner, ring), *archive)
    assert seg.check_labelmap(binary) == ("Segmentation Type is BINARY, not LABELMAP",)


def test_a_label_map_of_many_segments_is_decoded_once(
    archive: Archive, axial: Geometry, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hundred organs on hundreds of slices were decoded a hundred times, for minutes."""
    masks = [np.zeros(axial.shape, bool) for _ in range(4)]
    for n, mask in enumerate(masks):
        mask[n : n + 2, n, n : n + 3] = True
    result = found(*(Region(axial, mask=m, series_uid=SERIES_UID) for m in masks))
    (data,) = seg.write(result, *archive, kind=Kind.LABELMAP)
    asked, read = [], hd.seg.Segmentation.get_volume
    monkeypatch.setattr(hd.seg.Segmentation, "get_volume", lambda self, **how: asked.append(how) or read(self, **how))
    back = seg.read(data, axial)
    assert [np.array_equal(r.mask, m) for r, m in zip(back, masks, strict=True)] == [True] * 4
    assert len(asked) == 1


def test_overlap_is_refused_in_a_label_map_and_kept_in_binary(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial, 5.0), ball(axial, 2.0))
    with pytest.raises(Refused, match="belong to more than one segment"):
        seg.write(result, *archive, kind=Kind.LABELMAP)
    (data,) = seg.write(result, *archive)
    assert [r.voxels for r in seg.read(data, axial)] == [f.where.voxels for f in result.findings if f.where]


def test_empty_frames_are_left_out_and_sources_are_cited(archive: Archive, axial: Geometry) -> None:
    mask = np.zeros(axial.shape, bool)
    mask[2, 4:7, 4:7] = mask[4, 4:7, 4:7] = True
    (data,) = seg.write(found(Region(axial, mask=mask, series_uid=SERIES_UID)), *archive)
    made = dcmread(io.BytesIO(data))
    assert made.NumberOfFrames == 2
    cited = {
        float(g.PlanePositionSequence[0].ImagePositionPatient[2]): str(
            g.DerivationImageSequence[0].SourceImageSequence[0].ReferencedSOPInstanceUID
        )
        for g in made.PerFrameFunctionalGroupsSequence
    }
    assert cited == {35.0: f"{SERIES_UID}.3", 40.0: f"{SERIES_UID}.5"}
    assert made.ReferencedSeriesSequence[0].SeriesInstanceUID == SERIES_UID != made.SeriesInstanceUID
    assert made.ImageType[0] == "DERIVED"


def test_who_drew_it_is_told(archive: Archive, axial: Geometry) -> None:
    by_machine = dcmread(io.BytesIO(seg.write(found(ball(axial)), *archive)[0])).SegmentSequence[0]
    assert by_machine.SegmentAlgorithmType == "AUTOMATIC"
    named = by_machine.SegmentationAlgorithmIdentificationSequence[0]
    assert (named.AlgorithmName, named.AlgorithmVersion, named.AlgorithmSource) == ("volumetry", "1", "Isocenter")
    assert by_machine.TrackingUID == f"{STUDY_UID}.77.1"
    assert by_machine.SegmentedPropertyTypeCodeSequence[0].CodeValue == codes.LESION.code
    assert by_machine.AnatomicRegionSequence[0].CodeValue == codes.LUNG.code
    person = found(ball(axial), origin=Origin("person", "ito"))
    drawn = dcmread(io.BytesIO(seg.write(person, *archive)[0])).SegmentSequence[0]
    assert drawn.SegmentAlgorithmType == "MANUAL"
    mended = dcmread(io.BytesIO(seg.write(replace(person, replaces="aa"), *archive)[0])).SegmentSequence[0]
    assert mended.SegmentAlgorithmType == "SEMIAUTOMATIC"


def test_the_same_result_is_the_same_object(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial))
    first, again = seg.write(result, *archive), seg.write(result, *archive)
    assert first == again
    made = dcmread(io.BytesIO(first[0]))
    assert (made.SeriesInstanceUID, made.SOPInstanceUID) == seg.identity(result, 0)
    assert made.ContentDate == WHEN.strftime("%Y%m%d")
    other = replace(result, made=WHEN.replace(hour=10))
    assert dcmread(io.BytesIO(seg.write(other, *archive)[0])).SOPInstanceUID != made.SOPInstanceUID


def test_a_struck_finding_is_not_written(archive: Archive, axial: Geometry) -> None:
    result = found(ball(axial, 4.0, "kept"), ball(axial, 2.0, "struck"), origin=Origin("person", "ito"))
    struck = replace(
        result, findings=(result.findings[0], replace(result.findings[1], verdict=Verdict.STRUCK, reason="artefact"))
    )
    assert [r.label for r in seg.read(seg.write(struck, *archive)[0])] == ["kept"]


def test_text_in_any_script_survives(archive: Archive, axial: Geometry) -> None:
    (data,) = seg.write(found(ball(axial, 4.0, "Läsion 肝臓")), *archive)
    assert seg.read(data)[0].label == "Läsion 肝臓"
    assert dcmread(io.BytesIO(data)).PatientName == "Müller^Jörg"


def test_probabilities_come_back_within_half_a_step(archive: Archive, axial: Geometry) -> None:
    values = np.random.default_rng(1).random(axial.shape).astype(np.float32)
    volume = Volume(values, axial, "probability", "1", series_uid=SERIES_UID)
    data = seg.write_fractions(volume, Finding(codes.LESION), found(), *archive, kind=Kind.PROBABILITY)
    (back,) = seg.read_fractions(data, axial)
    assert back.quantity == "probability" and np.abs(back.array - values).max() <= 0.5 / 255 + 1e-6
    (half,) = seg.read(data, axial)
    assert np.array_equal(half.mask, back.array >= 0.5)


def test_fractions_that_are_none_are_refused(archive: Archive, axial: Geometry) -> None:
    volume = Volume(np.full(axial.shape, 1.5, np.float32), axial, series_uid=SERIES_UID)
    with pytest.raises(Refused, match="outside 0 to 1"):
        seg.write_fractions(volume, Finding(codes.LESION), found(), *archive, kind=Kind.OCCUPANCY)
    nothing = replace(volume, array=np.zeros(axial.shape, np.float32))
    with pytest.raises(Refused, match="zero everywhere"):
        seg.write_fractions(nothing, Finding(codes.LESION), found(), *archive, kind=Kind.OCCUPANCY)
    with pytest.raises(Refused, match="has no fractions"):
        seg.write_fractions(volume, Finding(codes.LESION), found(), *archive, kind=Kind.BINARY)
    (binary,) = seg.write(found(ball(axial)), *archive)
    with pytest.raises(Refused, match="holds no fractions"):
        seg.read_fractions(binary)


def test_a_sheared_grid_is_refused_in_words(axial: Geometry) -> None:
    affine = axial.affine.copy()
    affine[1, 0] += 1.0
    tilted = Geometry(affine, axial.shape, FRAME_UID)
    with pytest.raises(Refused, match="tilted gantry"):
        seg.write(found(ball(tilted)), *stack(tilted))


def test_a_segment_tells_the_frame_of_the_film_that_it_was_drawn_on() -> None:
    study, sources = radiograph()
    (made,) = seg.write(found(on_film(study)), study, sources)
    film = dcmread(io.BytesIO(made))
    (frame,) = film.PerFrameFunctionalGroupsSequence
    frame.DerivationImageSequence[0].SourceImageSequence[0].ReferencedFrameNumber = 4
    named = io.BytesIO()
    film.save_as(named)
    assert seg.read(made)[0].frames == frozenset() and seg.read(named.getvalue())[0].frames == {4}
    film.PerFrameFunctionalGroupsSequence = [frame, frame]
    film.NumberOfFrames, film.PixelData = 2, film.PixelData * 2
    several = io.BytesIO()
    film.save_as(several)
    with pytest.raises(Refused, match="a segment on 2 frames without a place"):
        seg.read(several.getvalue())


def test_what_has_no_voxels_or_belongs_elsewhere_is_refused(archive: Archive, axial: Geometry) -> None:
    point = Region(axial, Shape.POINT, points_mm=np.zeros((1, 3)), series_uid=SERIES_UID)
    with pytest.raises(Refused, match="without regions"):
        seg.write(found(point), *archive)
    with pytest.raises(Refused, match="wrong patient"):
        seg.write(found(ball(axial), study="1.2.3"), *archive)
    with pytest.raises(NotFound, match=r"series 9\.9"):
        seg.write(found(replace(ball(axial), series_uid="9.9")), *archive)
    far = Geometry.regular(shape=axial.shape, origin_mm=(0, 0, 900), frame_of_reference=FRAME_UID)
    with pytest.raises(Refused, match="no image of series"):
        seg.write(found(ball(far)), *archive)
    other = replace(axial, frame_of_reference="1.2.3.4")
    with pytest.raises(Refused, match="frame of reference"):
        seg.write(found(ball(other)), *archive)


def test_two_grids_make_two_objects(archive: Archive, axial: Geometry) -> None:
    coarse = Geometry.regular(
        shape=(6, 8, 9), spacing_mm=(2.5, 1.4, 1.6), origin_mm=(-10, 5, 30), frame_of_reference=FRAME_UID
    )
    made = seg.write(found(ball(axial), ball(coarse)), *archive)
    assert len(made) == 2
    assert seg.read(made[1], coarse)[0].voxels == ball(coarse).voxels


@pytest.mark.peer
def test_a_radiograph_without_patient_space_keeps_its_mask(tmp_path: Path) -> None:
    study, sources = radiograph()
    region = on_film(study)
    (made,) = seg.write(found(region), study, sources)
    (back,) = seg.read(made, region.geometry)
    assert np.array_equal(back.mask, region.mask) and back.instance_uid == region.instance_uid
    assert seg.read(made)[0].geometry.reference is Reference.PIXEL
    assert dcmread(io.BytesIO(made)).PatientName == "Anonymous"
    assert dciodvfy(made, tmp_path) == []
    with pytest.raises(Refused, match="two images"):
        seg.read(made, Geometry.regular(shape=(1, 5, 5), reference=Reference.PIXEL))


@pytest.mark.peer
def test_frames_of_a_multi_frame_image_are_cited(axial: Geometry, tmp_path: Path) -> None:
    study, sources = enhanced(axial)
    mask = np.zeros(axial.shape, bool)
    mask[4, 3:6, 3:9] = True
    (made,) = seg.write(found(Region(axial, mask=mask, series_uid=SERIES_UID)), study, sources)
    (frame,) = dcmread(io.BytesIO(made)).PerFrameFunctionalGroupsSequence
    cited = frame.DerivationImageSequence[0].SourceImageSequence[0]
    origin = dcmread(io.BytesIO(sources(f"{SERIES_UID}.50"))).PerFrameFunctionalGroupsSequence
    place = origin[int(cited.ReferencedFrameNumber) - 1].PlanePositionSequence[0].ImagePositionPatient
    assert float(place[2]) == 40.0
    assert np.array_equal(seg.read(made, axial)[0].mask, mask)
    assert dciodvfy(made, tmp_path) == []


@pytest.mark.data
@pytest.mark.peer
def test_a_real_enhanced_mr_carries_a_mask(data_folder: Path, tmp_path: Path) -> None:
    path = data_folder / "dicom" / "dcm_qa_enh" / "In" / "Siemens" / "XA10" / "6_1.dcm"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    data = path.read_bytes()
    image = dcmread(io.BytesIO(data))
    study, sources = record(data)
    groups = image.PerFrameFunctionalGroupsSequence
    shared = image.SharedFunctionalGroupsSequence[0]

    def told(keyword: str, frame: int = 0) -> Dataset:
        return getattr(groups[frame] if keyword in groups[frame] else shared, keyword)[0]

    first, second = (np.array(told("PlanePositionSequence", k).ImagePositionPatient, float) for k in (0, 1))
    grid = Geometry.from_dicom(
        position=first,
        orientation=told("PlaneOrientationSequence").ImageOrientationPatient,
        pixel_spacing=told("PixelMeasuresSequence").PixelSpacing,
        slice_step=second - first,
        shape=(2, image.Rows, image.Columns),
        frame_of_reference=str(image.FrameOfReferenceUID),
    )
    mask = np.zeros(grid.shape, bool)
    mask[:, 20:40, 10:22] = True
    region = Region(grid, mask=mask, series_uid=str(image.SeriesInstanceUID))
    (made,) = seg.write(found(region, study=study.uid), study, sources)
    assert np.array_equal(seg.read(made, grid)[0].mask, mask)
    assert dciodvfy(made, tmp_path) == []


@pytest.mark.data
@pytest.mark.peer
def test_a_real_patient_has_one_region_on_each_modality(data_folder: Path, tmp_path: Path) -> None:
    path = data_folder / "sarcoma_pet_ct_mr" / "STS_002.zip"
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    for folder in ("CT", "PET", "MR_T1"):
        with zipfile.ZipFile(path) as packed:
            names = [n for n in packed.namelist() if f"/{folder}/image/" in n and not n.endswith("/")]
            files = [packed.read(n) for n in names]
        headers = sorted((dcmread(io.BytesIO(f), stop_before_pixels=True) for f in files), key=_along)
        study, sources = record(*files)
        first, last = (np.array(h.ImagePositionPatient, float) for h in (headers[0], headers[-1]))
        grid = Geometry.from_dicom(
            position=first,
            orientation=headers[0].ImageOrientationPatient,
            pixel_spacing=headers[0].PixelSpacing,
            slice_step=(last - first) / (len(headers) - 1),
            shape=(len(headers), headers[0].Rows, headers[0].Columns),
            frame_of_reference=str(headers[0].FrameOfReferenceUID),
        )
        region = replace(ball(grid, 30.0, f"tumour {folder}"), series_uid=str(headers[0].SeriesInstanceUID))
        result = found(region, study=study.uid)
        (made,) = seg.write(result, study, sources)
        (back,) = seg.read(made, grid)
        assert np.array_equal(back.mask, region.mask) and back.voxels > 100
        assert dciodvfy(made, tmp_path) == []
        assert dciodvfy(sr.write(result, study, sources, segmentations=[made]), tmp_path) == []


def _along(header: Dataset) -> float:
    along = np.array(header.ImageOrientationPatient, float)
    return float(np.cross(along[:3], along[3:]) @ np.array(header.ImagePositionPatient, float))


def test_images_that_must_have_a_frame_of_reference_and_have_none_are_refused() -> None:
    image = dcmread(io.BytesIO(sample("MR_small.dcm")))
    for keyword in ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient"):
        delattr(image, keyword)
    study, sources = record(file_bytes(image))
    with pytest.raises(Refused, match="cannot carry"):
        seg.write(found(on_film(study), study=study.uid), study, sources)


@pytest.mark.peer
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm"])
def test_real_images_carry_a_mask(name: str, tmp_path: Path) -> None:
    data = sample(name)
    image = dcmread(io.BytesIO(data))
    study, sources = record(data)
    orientation = np.array(image.ImageOrientationPatient, float)
    normal = np.cross(orientation[:3], orientation[3:])
    grid = Geometry.from_dicom(
        position=image.ImagePositionPatient,
        orientation=orientation,
        pixel_spacing=image.PixelSpacing,
        slice_step=normal * float(image.SliceThickness),
        shape=(1, image.Rows, image.Columns),
        frame_of_reference=str(image.FrameOfReferenceUID),
    )
    mask = np.zeros(grid.shape, bool)
    mask[0, 20:40, 10:22] = True
    region = Region(grid, mask=mask, series_uid=str(image.SeriesInstanceUID), label="box")
    (made,) = seg.write(found(region, study=study.uid), study, sources)
    assert np.array_equal(seg.read(made, grid)[0].mask, mask)
    assert dciodvfy(made, tmp_path) == []


def test_what_is_no_segmentation_is_refused(archive: Archive, axial: Geometry) -> None:
    with pytest.raises(NotWhole):
        seg.read(b"not DICOM at all")
    with pytest.raises(Refused, match="modality CT"):
        seg.read(archive[1](f"{SERIES_UID}.1"))
    (data,) = seg.write(found(ball(axial)), *archive)
    moved = Geometry.regular(
        shape=axial.shape, spacing_mm=(2.5, 0.7, 0.8), origin_mm=(-9.7, 5, 30), frame_of_reference=FRAME_UID
    )
    with pytest.raises(Refused, match="another grid"):
        seg.read(data, moved)


@pytest.mark.parametrize("left", ["nothing", "place"])
def test_frames_that_their_maker_did_not_index_are_read(left: str, archive: Archive, axial: Geometry) -> None:
    (data,) = seg.write(found(ball(axial), ball(axial, 2.0)), *archive)
    ds = dcmread(io.BytesIO(data))
    if left == "nothing":
        del ds.DimensionIndexSequence, ds.DimensionOrganizationSequence
        for frame in ds.PerFrameFunctionalGroupsSequence:
            del frame.FrameContentSequence
    else:
        ds.DimensionIndexSequence = [i for i in ds.DimensionIndexSequence if i.DimensionIndexPointer != 0x0062000B]
        for frame in ds.PerFrameFunctionalGroupsSequence:
            content = frame.FrameContentSequence[0]
            content.DimensionIndexValues = content.DimensionIndexValues[1:]
    again, whole = seg.read(file_bytes(ds), axial), seg.read(data, axial)
    assert [np.array_equal(a.mask, b.mask) for a, b in zip(again, whole, strict=True)] == [True] * len(whole)
    for frame in ds.PerFrameFunctionalGroupsSequence:
        del frame.SegmentIdentificationSequence
    with pytest.raises(Refused, match="name no segment"):
        seg.read(file_bytes(ds))


@pytest.mark.parametrize("left_out", [("SliceThickness",), ("SliceThickness", "SpacingBetweenSlices")])
def test_a_thickness_that_its_maker_left_out_is_the_distance_of_the_frames(
    left_out: tuple[str, ...], archive: Archive, axial: Geometry
) -> None:
    (data,) = seg.write(found(ball(axial)), *archive)
    ds = dcmread(io.BytesIO(data))
    measures = ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    for keyword in left_out:
        delattr(measures, keyword)
    (again,), (whole,) = seg.read(file_bytes(ds), axial), seg.read(data, axial)
    assert np.array_equal(again.mask, whole.mask)
    if len(left_out) == 2:
        ds.PerFrameFunctionalGroupsSequence = ds.PerFrameFunctionalGroupsSequence[:1]
        with pytest.raises(Refused, match="a Segmentation without Slice Thickness: its frames lie at one place"):
            seg.read(file_bytes(ds), axial)


def test_a_mask_of_highdicom_on_a_radiograph_with_pixel_spacing_is_read() -> None:
    """Highdicom writes Pixel Spacing of the film and no thickness there, and does not read it again itself."""
    study, sources = radiograph()
    region = on_film(study)
    assert region.mask is not None
    film = dcmread(io.BytesIO(sources(region.instance_uid)))
    film.StudyDate = film.StudyTime = film.StudyID = film.AccessionNumber = film.ReferringPhysicianName = ""
    film.SeriesNumber, film.InstanceNumber, film.PatientName, film.PatientSex = 1, 1, "Anonymous^", "O"
    one = hd.seg.SegmentDescription(
        1, "opacity", pydicom_codes.SCT.MorphologicallyAbnormalStructure, pydicom_codes.SCT.Lesion,
        hd.seg.SegmentAlgorithmTypeValues.MANUAL,
    )  # fmt: skip
    made = hd.seg.Segmentation(
        [film], region.mask.astype(np.uint8), hd.seg.SegmentationTypeValues.BINARY, [one], f"{SERIES_UID}.8", 2,
        f"{SERIES_UID}.8.1", 1, "maker", "model", "1", "serial",
    )  # fmt: skip
    assert "SliceThickness" not in made.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]
    (back,) = seg.read(file_bytes(made))
    assert np.array_equal(back.mask, region.mask)


def test_a_lie_about_size_is_not_allocated(archive: Archive, axial: Geometry) -> None:
    mask = np.zeros(axial.shape, bool)
    mask[0, 0, 0] = mask[5, 0, 0] = True
    (data,) = seg.write(found(Region(axial, mask=mask, series_uid=SERIES_UID)), *archive)
    made = dcmread(io.BytesIO(data))
    last = made.PerFrameFunctionalGroupsSequence[-1].PlanePositionSequence[0]
    first = made.PerFrameFunctionalGroupsSequence[0].PlanePositionSequence[0]
    last.ImagePositionPatient = [*first.ImagePositionPatient[:2], first.ImagePositionPatient[2] + 1e9]
    with pytest.raises((LimitReached, Refused)):
        seg.read(file_bytes(made))


STRANGERS = {
    "seg_image_ct_binary.dcm": (1, 3),
    "seg_image_ct_binary_fractional.dcm": (1, 3),
    "seg_image_ct_binary_overlap.dcm": (2, 165),
    "seg_image_ct_binary_single_frame.dcm": (1, 1),
    "seg_image_ct_true_fractional.dcm": (1, 3),
    "seg_image_cr_binary.dcm": (1, 1),
    "seg_image_sm_control_labelmap.dcm": (20, 1),
    "seg_image_sm_control_labelmap_palette_color.dcm": (20, 1),
    "seg_image_sm_numbers.dcm": (20, 1),
}


@pytest.mark.data
@pytest.mark.parametrize("name", sorted(STRANGERS))
def test_segmentations_of_others_are_read(name: str, data_folder: Path) -> None:
    path = data_folder / "dicom" / "highdicom" / "data" / "test_files" / name
    if not path.is_file():
        pytest.skip(f"{path} is absent")
    data = path.read_bytes()
    regions = seg.read(data)
    segments, slices = STRANGERS[name]
    assert len(regions) == segments and regions[0].geometry.shape[0] == slices
    found_here = dcmread(path)
    stored = np.asarray(found_here.pixel_array)
    if found_here.SegmentationType == "FRACTIONAL":
        limit = found_here.MaximumFractionalValue / 2
        assert sum(r.voxels for r in regions) == np.count_nonzero(stored >= limit)
        assert seg.read_fractions(data)[0].array.max() == pytest.approx(
            stored.max() / found_here.MaximumFractionalValue
        )
    else:
        assert sum(r.voxels for r in regions) == np.count_nonzero(stored)


def test_a_result_without_findings_has_no_segments() -> None:
    assert seg.segments(Result(STUDY_UID, Outcome.NONE, Origin("machine", "x"), WHEN)) == ()


def test_a_segmentation_of_a_tilted_gantry_is_read_where_it_lies(archive: Archive, axial: Geometry) -> None:
    mask = np.zeros(axial.shape, bool)
    mask[1:4, 1:3, 2:4] = mask[5, 2, 2] = True
    (data,) = seg.write(found(Region(axial, mask=mask, series_uid=SERIES_UID)), *archive)
    made = dcmread(io.BytesIO(data))
    for frame in made.PerFrameFunctionalGroupsSequence:
        plane = frame.PlanePositionSequence[0]
        depth = (np.array(plane.ImagePositionPatient, float) - axial.origin_mm) @ axial.directions[:, 0]
        plane.ImagePositionPatient = [*plane.ImagePositionPatient[:1], plane.ImagePositionPatient[1] + 0.4 * depth,
                                      plane.ImagePositionPatient[2]]  # fmt: skip
    lean = axial.affine.copy()
    lean[1, 0] += 0.4 * axial.spacing_mm[0]
    tilted = Geometry(lean, axial.shape, FRAME_UID)
    (alone,) = seg.read(file_bytes(made))
    assert alone.volume_ml == pytest.approx(mask.sum() * tilted.voxel_volume_mm3 / 1000.0)
    assert np.allclose(alone.centre_mm, Region(tilted, mask=mask).centre_mm, atol=0.02)
    (onto,) = seg.read(file_bytes(made), tilted)
    assert np.array_equal(onto.mask, mask)
    crooked = made.PerFrameFunctionalGroupsSequence[1].PlanePositionSequence[0]
    crooked.ImagePositionPatient = [crooked.ImagePositionPatient[0] + 1.0, *crooked.ImagePositionPatient[1:]]
    with pytest.raises(Refused, match="no regular grid"):
        seg.read(file_bytes(made))
