"""What strangers leave out of a Segmentation costs no voxel, and the images say how far its slices lie apart."""

from __future__ import annotations

import io
import warnings
from collections.abc import Callable

import numpy as np
import pytest
from forms_samples import FRAME_UID, SERIES_UID, Archive, ball, file_bytes, found
from pydicom import Dataset, dcmread

from isocenter.errors import Refused
from isocenter.forms import seg
from isocenter.forms.completed import Cited, Drawn
from isocenter.space import Geometry, Region


def _written(region: Region, archive: Archive, kind: str = "BINARY") -> Dataset:
    (data,) = seg.write(found(region), *archive, kind=kind)
    return dcmread(io.BytesIO(data))


def _images(grid: Geometry, **other: object) -> Drawn:
    places = np.array([grid.to_patient((k, 0, 0)) for k in range(grid.shape[0])])
    held = {
        "series_uid": SERIES_UID, "places": places, "orientations": np.tile([1.0, 0, 0, 0, 1, 0], (grid.shape[0], 1)),
        "spacing": grid.spacing_mm[1:], "size": grid.shape[1:], "frame": FRAME_UID,
    }  # fmt: skip
    return Drawn(**{**held, **other})  # type: ignore[arg-type]


def _of_one_slice(grid: Geometry) -> Region:
    mask = np.zeros(grid.shape, bool)
    mask[3, 4:9, 5:11] = True
    return Region(grid, mask=mask, series_uid=SERIES_UID)


def _measures(ds: Dataset) -> Dataset:
    return ds.SharedFunctionalGroupsSequence[0].PixelMeasuresSequence[0]


def _no_labels(ds: Dataset) -> None:
    del ds.SegmentSequence[0].SegmentLabel, ds.SegmentSequence[0].SegmentAlgorithmType


def _no_codes(ds: Dataset) -> None:
    del ds.SegmentSequence[0].SegmentedPropertyCategoryCodeSequence
    ds.SegmentSequence[0].SegmentedPropertyTypeCodeSequence = []


def _half_codes(ds: Dataset) -> None:
    del ds.SegmentSequence[0].SegmentedPropertyTypeCodeSequence[0].CodeValue
    named = Dataset()
    named.CodeMeaning = "lobe"
    ds.SegmentSequence[0].AnatomicRegionSequence = [named]


def _no_shared_groups(ds: Dataset) -> None:
    (shared,) = ds.SharedFunctionalGroupsSequence
    for frame in ds.PerFrameFunctionalGroupsSequence:
        frame.update(shared)
    del ds.SharedFunctionalGroupsSequence


def _no_frame_of_reference(ds: Dataset) -> None:
    del ds.FrameOfReferenceUID


def _no_distance(ds: Dataset) -> None:
    _measures(ds).SpacingBetweenSlices = 0


def _no_frame_content(ds: Dataset) -> None:
    del ds.PerFrameFunctionalGroupsSequence[0].FrameContentSequence


def _written_small(ds: Dataset) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        ds.SegmentationType = "binary"


def _not_described(ds: Dataset) -> None:
    ds.SegmentSequence = []


@pytest.mark.parametrize(
    "leave_out",
    [
        _no_labels,
        _no_codes,
        _half_codes,
        _no_shared_groups,
        _no_frame_of_reference,
        _no_distance,
        _not_described,
        _no_frame_content,
        _written_small,
    ],
)
def test_what_was_left_out_costs_no_voxel(
    leave_out: Callable[[Dataset], None], archive: Archive, axial: Geometry
) -> None:
    ds = _written(ball(axial), archive)
    (whole,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial))
    leave_out(ds)
    (again,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial))
    assert np.array_equal(again.mask, whole.mask) and again.geometry == whole.geometry and again.label


def test_the_images_say_how_far_slices_lie_apart(archive: Archive, axial: Geometry) -> None:
    ds = _written(_of_one_slice(axial), archive)
    truth = 5 * 6 * 2.5 * 0.7 * 0.8 / 1000.0
    for distance, thickness in ((5.0, 2.5), (None, 2.5), (None, 0.001), (None, None)):
        for keyword, value in (("SpacingBetweenSlices", distance), ("SliceThickness", thickness)):
            _measures(ds).pop(keyword, None)
            if value is not None:
                setattr(_measures(ds), keyword, value)
        (one,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial))
        assert one.volume_ml == pytest.approx(truth)
    ds = _written(ball(axial), archive)
    _measures(ds).SpacingBetweenSlices = 1.25
    (finer,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial))
    assert finer.volume_ml == pytest.approx(ball(axial).volume_ml)


def test_places_that_a_maker_rounded_are_those_of_the_images(archive: Archive, axial: Geometry) -> None:
    """Of a mask whose positions were rounded to 0.1 mm the voxels were others than the image's: it was refused."""
    ds = _written(ball(axial), archive)
    (whole,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial))
    grid = Geometry.regular(
        shape=axial.shape, spacing_mm=(2.4968, 0.7004, 0.8003), origin_mm=axial.origin_mm, frame_of_reference=FRAME_UID
    )
    for frame in ds.PerFrameFunctionalGroupsSequence:
        (place,) = frame.PlanePositionSequence
        k = round(float(axial.to_index(place.ImagePositionPatient)[0]))
        place.ImagePositionPatient = [f"{mm:.1f}" for mm in grid.to_patient((k, 0, 0))]
    (again,) = seg.read(file_bytes(ds), seek=lambda _: _images(grid))
    assert np.array_equal(again.mask, whole.mask)
    assert again.geometry.spacing_mm == pytest.approx(grid.spacing_mm, abs=1e-4)  # positions count to 1 µm
    assert np.abs(grid.to_index(again.geometry.origin_mm) % 1.0).max() == pytest.approx(0.0, abs=1e-9)
    for frame in ds.PerFrameFunctionalGroupsSequence:  # half a pixel aside is another grid, and stays one
        place = frame.PlanePositionSequence[0]
        place.ImagePositionPatient = [float(place.ImagePositionPatient[0]) + 0.4, *place.ImagePositionPatient[1:]]
    (aside,) = seg.read(file_bytes(ds), seek=lambda _: _images(grid))
    assert aside.geometry.spacing_mm[1:] == pytest.approx((0.7, 0.8), abs=1e-9)


def test_scouts_and_uneven_images_say_nothing_of_the_distance(archive: Archive, axial: Geometry) -> None:
    images = _images(axial)
    scouts = np.array([axial.to_patient((k + 0.3, 0, 0)) for k in range(3)])
    with_scouts = _images(
        axial,
        places=np.concatenate([images.places, scouts]),
        orientations=np.concatenate([images.orientations, np.tile([0.0, 1, 0, 0, 0, -1], (3, 1))]),
    )
    uneven = _images(axial, places=images.places + np.array([[0, 0, 0.4 * (k % 2)] for k in range(6)]))
    holes = _images(axial, places=images.places[[0, 1, 3, 4, 5]], orientations=images.orientations[1:])
    ds = _written(_of_one_slice(axial), archive)
    _measures(ds).SpacingBetweenSlices = 2.0
    said = [
        seg.read(file_bytes(ds), seek=lambda _, i=i: i)[0].geometry.spacing_mm[0] for i in (with_scouts, uneven, holes)
    ]
    assert said == pytest.approx([2.5, 2.0, 2.5])


def test_without_its_images_a_slice_is_as_thick_as_it_says(archive: Archive, axial: Geometry) -> None:
    ds = _written(_of_one_slice(axial), archive)
    del _measures(ds).SpacingBetweenSlices
    (one,) = seg.read(file_bytes(ds))
    assert one.volume_ml == pytest.approx(5 * 6 * 2.5 * 0.7 * 0.8 / 1000.0)
    _measures(ds).SliceThickness = 0.001
    with pytest.raises(Refused, match="nothing says how thick"):
        seg.read(file_bytes(ds))


@pytest.mark.parametrize(
    "other", [{"size": (8, 9)}, {"spacing": (1.4, 1.6)}, {"orientations": np.tile([0.0, 1, 0, 1, 0, 0], (6, 1))}]
)
def test_a_grid_of_its_own_keeps_its_own_distance(other: dict[str, object], archive: Archive, axial: Geometry) -> None:
    ds = _written(_of_one_slice(axial), archive)
    _measures(ds).SpacingBetweenSlices = 1.25
    (one,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial, **other))
    assert one.volume_ml == pytest.approx(5 * 6 * 1.25 * 0.7 * 0.8 / 1000.0)


def test_an_occupancy_keeps_the_sum_of_its_fractions(archive: Archive, axial: Geometry) -> None:
    ds = _written(ball(axial), archive, "OCCUPANCY")
    stored = ds.pixel_array // 4 * 3
    ds.PixelData = stored.astype(np.uint8).tobytes()
    (region,) = seg.read(file_bytes(ds))
    truth = float((stored / 255).sum()) * axial.voxel_volume_mm3 / 1000.0
    assert region.voxels == ball(axial).voxels and region.occupied_ml == pytest.approx(truth)
    assert region.padded((1, 0, 0), (0, 0, 0)).without_images().occupied_ml == pytest.approx(truth)
    ds.PixelData = (stored // 3).astype(np.uint8).tobytes()
    (thin,) = seg.read(file_bytes(ds))
    with pytest.raises(Refused, match=r"fills no voxel by half \(at most 25%\): its fractions add up to"):
        thin.must_be_placed()
    ds.SegmentationFractionalType = "PROBABILITY"
    (unlikely,) = seg.read(file_bytes(ds))
    with pytest.raises(
        Refused, match=r"no voxel of a probability of 50 % or more \(at most 24.7 %, stored as 63 of 255"
    ):
        unlikely.must_be_placed()
    ds.PixelData = bytes(len(ds.PixelData))  # nothing was drawn: that is none
    assert [(r.voxels, r.unplaced) for r in seg.read(file_bytes(ds))] == [(0, None)]


def test_its_tracking_uid_goes_with_a_segment(archive: Archive, axial: Geometry) -> None:
    ds = _written(ball(axial), archive)
    (tracked,) = seg.read(file_bytes(ds))
    assert tracked.tracking == ds.SegmentSequence[0].TrackingUID
    assert tracked.padded((1, 0, 0), (0, 0, 0)).tracking == tracked.tracking


def test_what_it_cites_is_asked_for(archive: Archive, axial: Geometry) -> None:
    asked: list[Cited] = []
    seg.read(file_bytes(_written(ball(axial), archive)), seek=asked.append)  # type: ignore[arg-type,return-value]
    assert asked[0].series == (SERIES_UID,) and f"{SERIES_UID}.3" in asked[0].images and asked[0].frame == FRAME_UID


def test_the_background_of_a_label_map_is_no_structure(archive: Archive, axial: Geometry) -> None:
    ds = _written(ball(axial), archive, "LABELMAP")
    ds.pop("PixelPaddingValue", None)
    assert any(s.SegmentNumber == 0 for s in ds.SegmentSequence)
    assert [r.voxels for r in seg.read(file_bytes(ds))] == [ball(axial).voxels]


def test_values_of_a_label_map_that_nobody_described_are_structures(archive: Archive, axial: Geometry) -> None:
    ds = _written(ball(axial), archive, "LABELMAP")
    stored = ds.pixel_array.copy()
    stored[0, 0, :3] = 7
    ds.PixelData = stored.tobytes()
    known, unknown = seg.read(file_bytes(ds))
    assert known.voxels == ball(axial).voxels
    assert (unknown.label, unknown.voxels) == ("segment 7", 3)


@pytest.mark.parametrize(
    ("group", "words"),
    [("PlaneOrientationSequence", "no orientation"), ("PixelMeasuresSequence", "no size of pixels")],
)
def test_frames_without_a_place_are_refused_in_words(group: str, words: str, archive: Archive, axial: Geometry) -> None:
    ds = _written(ball(axial), archive)
    del ds.SharedFunctionalGroupsSequence[0][group]
    with pytest.raises(Refused, match=f"frames state {words}"):
        seg.read(file_bytes(ds))
    for frame in ds.PerFrameFunctionalGroupsSequence:
        del frame.PlanePositionSequence
    with pytest.raises(Refused, match="frames state no position and no"):
        seg.read(file_bytes(ds))


def test_fractions_of_nothing_are_refused(archive: Archive, axial: Geometry) -> None:
    ds = _written(ball(axial), archive, "OCCUPANCY")
    del ds.MaximumFractionalValue
    with pytest.raises(Refused, match="nothing says which value is all of a voxel"):
        seg.read(file_bytes(ds))


def test_fractions_above_their_maximum_and_a_frame_that_is_there_twice_are_refused_in_words(
    archive: Archive, axial: Geometry
) -> None:
    """Both were told to send all their frames, which they had."""
    ds = _written(ball(axial), archive, "OCCUPANCY")
    ds.MaximumFractionalValue = 100
    with pytest.raises(Refused, match=r"fractions above its Maximum .* Correct Maximum Fractional Value"):
        seg.read(file_bytes(ds))
    ds = _written(ball(axial), archive)
    first, second, *_ = ds.PerFrameFunctionalGroupsSequence
    second.PlanePositionSequence = first.PlanePositionSequence
    second.FrameContentSequence[0].DimensionIndexValues = first.FrameContentSequence[0].DimensionIndexValues
    with pytest.raises(Refused, match=r"several frames of one segment at one place.* one frame for each segment"):
        seg.read(file_bytes(ds))


def test_images_without_a_frame_of_reference_are_in_that_of_what_was_drawn_on_them(
    archive: Archive, axial: Geometry
) -> None:
    """The two frames were said to differ, and nothing could be measured."""
    ds = _written(ball(axial), archive)
    (region,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial, frame=""))
    assert region.geometry.frame_of_reference == ""
    (region,) = seg.read(file_bytes(ds), seek=lambda _: _images(axial))
    assert region.geometry.frame_of_reference == FRAME_UID
