"""Regions on their own grid; refusals that name what is missing."""

from __future__ import annotations

import hashlib
import io
from copy import deepcopy
from dataclasses import replace

import highdicom as hd
import numpy as np
import pytest
import trunk_study
from pydicom import Dataset, dcmread
from pydicom.sr.codedict import codes

from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.record import Series, Study
from isocenter.site.drawn import _structures, regions_of
from isocenter.site.volumes import Files, volumes_of
from isocenter.testing.phantoms import Phantom


@pytest.fixture
def trunk() -> Phantom:
    return trunk_study.trunk()


@pytest.fixture
def kept() -> tuple[Study, dict[str, bytes]]:
    return trunk_study.kept()


def test_structures_without_their_images_are_refused(kept: tuple[Study, dict[str, bytes]]) -> None:
    study, files = kept
    drawn = next(s for s in study.series if s.modality == "RTSTRUCT")
    alone = replace(study, series=(drawn,))
    with pytest.raises(Refused, match="Send the referenced series"):
        regions_of(alone, drawn, files.__getitem__)
    ct = next(s for s in study.series if s.modality == "CT")
    with pytest.raises(Refused, match="draws no regions"):
        regions_of(study, ct, files.__getitem__)


def with_structure_set(whole: dict[str, bytes], ds: Dataset) -> tuple[Study, Series, dict[str, bytes]]:
    """The study with this structure set in place of its own."""
    out = io.BytesIO()
    ds.save_as(out)
    files = {k: v for k, v in whole.items() if dcmread(io.BytesIO(v)).Modality != "RTSTRUCT"}
    files[hashlib.sha256(out.getvalue()).hexdigest()] = out.getvalue()
    (study,) = merge(read_header(d) for d in files.values())
    return study, next(s for s in study.series if s.modality == "RTSTRUCT"), files


def test_a_structure_set_may_name_its_images_in_its_contours_alone(trunk: Phantom) -> None:
    sets = [dcmread(io.BytesIO(d)) for d in trunk.files]
    (ds,) = (d for d in sets if d.Modality == "RTSTRUCT")
    whole = {hashlib.sha256(d).hexdigest(): d for d in trunk.files}
    (study,) = merge(read_header(d) for d in whole.values())
    named = regions_of(study, next(s for s in study.series if s.modality == "RTSTRUCT"), whole.__getitem__)
    levels = {round(float(d.ImagePositionPatient[2]), 2): d.SOPInstanceUID for d in sets if d.Modality == "CT"}
    del ds.ReferencedFrameOfReferenceSequence
    ds.pop("FrameOfReferenceUID", None)
    for roi in ds.StructureSetROISequence:
        roi.ReferencedFrameOfReferenceUID = ""
    for contour in (c for drawn in ds.ROIContourSequence for c in drawn.ContourSequence):
        image = Dataset()
        image.ReferencedSOPInstanceUID = levels[round(float(contour.ContourData[2]), 2)]
        contour.ContourImageSequence = [image]
    study, held, files = with_structure_set(whole, ds)
    assert not held.facts.get("ReferencedSeriesUIDs") and not held.frame_of_reference
    assert [r.voxels for r in regions_of(study, held, files.__getitem__)] == [r.voxels for r in named]


def test_a_segmentation_ends_where_its_images_end_and_not_where_its_voxels_do(trunk: Phantom) -> None:
    sets = [dcmread(io.BytesIO(d)) for d in trunk.files]
    images = sorted((d for d in sets if d.Modality == "PT"), key=lambda d: float(d.ImagePositionPatient[2]))
    code = codes.SCT.Organ
    said = hd.seg.SegmentDescription(1, "liver", code, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    for first, last, wanted in ((3, 5, 5), (0, 4, 6), (0, len(images) - 1, len(images))):
        mask = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
        mask[first : last + 1, 2:6, 2:6] = 1
        drawn = hd.seg.Segmentation(
            images, mask, "BINARY", [said], "2.25.8", 9, f"2.25.{100 + last}", 1, "maker", "model", "1", "2"
        )  # fmt: skip
        out = io.BytesIO()
        drawn.save_as(out)
        files = {hashlib.sha256(d).hexdigest(): d for d in (*trunk.files, out.getvalue())}
        (study,) = merge(read_header(d) for d in files.values())
        held = next(s for s in study.series if s.modality == "SEG")
        (region,) = regions_of(study, held, files.__getitem__)
        assert region.geometry.shape[0] == wanted and region.voxels == 16 * (last - first + 1)
        assert not region.imageless
        alone = replace(study, series=(held,))
        (region,) = regions_of(alone, held, files.__getitem__)
        assert region.geometry.shape[0] == last - first + 1 and region.imageless


def test_a_sagittal_segmentation_within_its_images_is_at_no_edge(trunk: Phantom) -> None:
    sets = [dcmread(io.BytesIO(d)) for d in trunk.files]
    images = sorted((d for d in sets if d.Modality == "PT"), key=lambda d: float(d.ImagePositionPatient[2]))
    code = codes.SCT.Organ
    said = hd.seg.SegmentDescription(1, "liver", code, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    affine = np.diag([3.0, 3.0, 3.0, 1.0])  # sagittal slices, rows to the back, columns up
    affine[:3, 3] = np.add(images[2].ImagePositionPatient, [30.0, 30.0, 0.0])
    own = hd.Volume(np.ones((3, 4, 3), np.uint8), affine, "PATIENT", images[0].FrameOfReferenceUID)
    drawn = hd.seg.Segmentation(images, own, "BINARY", [said], "2.25.8", 9, "2.25.100", 1, "maker", "model", "1", "2")
    out = io.BytesIO()
    drawn.save_as(out)
    files = {hashlib.sha256(d).hexdigest(): d for d in (*trunk.files, out.getvalue())}
    (study,) = merge(read_header(d) for d in files.values())
    held = next(s for s in study.series if s.modality == "SEG")
    (region,) = regions_of(study, held, files.__getitem__)
    assert region.voxels == 36 and region.geometry.shape[0] == 5 and region.bounds[0][0] == 1


def test_a_segmentation_on_images_with_gaps_says_so_and_has_no_voxels(trunk: Phantom) -> None:
    """Where an image is missing a structure was in parts, and too small. An empty slice with an image is fine."""
    sets = [dcmread(io.BytesIO(d)) for d in trunk.files]
    images = sorted((d for d in sets if d.Modality == "PT"), key=lambda d: float(d.ImagePositionPatient[2]))
    code = codes.SCT.Organ
    said = hd.seg.SegmentDescription(1, "liver", code, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    mask = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
    mask[[0, 1, 3, 4], 2:6, 2:6] = 1
    drawn = hd.seg.Segmentation(images, mask, "BINARY", [said], "2.25.8", 9, "2.25.100", 1, "maker", "model", "1", "2")
    out = io.BytesIO()
    drawn.save_as(out)
    files = {hashlib.sha256(d).hexdigest(): d for d in (*trunk.files, out.getvalue())}
    (study,) = merge(read_header(d) for d in files.values())
    held = next(s for s in study.series if s.modality == "SEG")
    (region,) = regions_of(study, held, files.__getitem__)
    assert region.voxels == 64 and region.unplaced is None
    gone = hashlib.sha256(
        next(d for d in trunk.files if dcmread(io.BytesIO(d)).SOPInstanceUID == images[2].SOPInstanceUID)
    )
    (study,) = merge(read_header(d) for digest, d in files.items() if digest != gone.hexdigest())
    (region,) = regions_of(study, held, files.__getitem__)
    assert not region.voxels
    with pytest.raises(Refused, match=r"'liver' has 1 slices between its first and its last .* Send all images"):
        region.must_be_placed()


def test_a_segmentation_on_uneven_images_is_not_measured_as_parts(trunk: Phantom) -> None:
    """On slices 3 mm apart below and 6 mm above a ball of 7.2 mL was 3.9 mL in four parts."""
    sets = [dcmread(io.BytesIO(d)) for d in trunk.files]
    every = sorted((d for d in sets if d.Modality == "PT"), key=lambda d: float(d.ImagePositionPatient[2]))
    images = [d for n, d in enumerate(every) if n < 3 or n % 2 == 0]
    assert len(images) >= 6
    code = codes.SCT.Organ
    said = hd.seg.SegmentDescription(1, "liver", code, code, hd.seg.SegmentAlgorithmTypeValues.MANUAL)
    mask = np.zeros((len(images), images[0].Rows, images[0].Columns), np.uint8)
    mask[:, 2:6, 2:6] = 1
    drawn = hd.seg.Segmentation(images, mask, "BINARY", [said], "2.25.8", 9, "2.25.100", 1, "maker", "model", "1", "2")
    out = io.BytesIO()
    drawn.save_as(out)
    kept = {d.SOPInstanceUID for d in images}
    files = {
        hashlib.sha256(d).hexdigest(): d
        for d in (*trunk.files, out.getvalue())
        if (one := dcmread(io.BytesIO(d))).SOPInstanceUID in kept or one.Modality == "SEG"
    }
    (study,) = merge(read_header(d) for d in files.values())
    (region,) = regions_of(study, next(s for s in study.series if s.modality == "SEG"), files.__getitem__)
    with pytest.raises(Refused, match=r"of which no image is there: images are missing, or their distances differ"):
        region.must_be_placed()


def test_structures_across_the_slices_go_onto_the_series_in_whose_slices_they_lie(trunk: Phantom) -> None:
    """One structure is drawn sagittally: it is measured on the CT, and on a sagittal series where there is one."""
    sets = [dcmread(io.BytesIO(d)) for d in trunk.files]
    (ds,) = (d for d in sets if d.Modality == "RTSTRUCT")
    whole = {hashlib.sha256(d).hexdigest(): d for d in trunk.files}
    (study,) = merge(read_header(d) for d in whole.values())
    (ct,) = volumes_of(next(s for s in study.series if s.modality == "CT"), whole.__getitem__)
    before = regions_of(study, next(s for s in study.series if s.modality == "RTSTRUCT"), whole.__getitem__)
    first, sample = ds.ROIContourSequence[0], ds.ROIContourSequence[0].ContourSequence[0]
    middle = np.array(ct.geometry.shape) // 2
    corners = np.array([(-2.5, -3.5), (-2.5, 3.5), (2.5, 3.5), (2.5, -3.5)])
    first.ContourSequence = []
    for column in range(4):
        contour = deepcopy(sample)
        index = np.column_stack([middle[:2] + corners, np.full(4, middle[2] + column)])
        contour.ContourData = [f"{v:.4f}" for v in ct.geometry.to_patient(index).ravel()]
        contour.NumberOfContourPoints = 4
        first.ContourSequence.append(contour)
    study, held, files = with_structure_set(whole, ds)
    box, *others = regions_of(study, held, files.__getitem__)
    assert box.voxels == 5 * 7 * 4 and box.geometry == ct.geometry
    assert [r.voxels for r in others] == [r.voxels for r in before[1:]]
    ds.ROIContourSequence = [first]
    out = io.BytesIO()
    ds.save_as(out)
    alone = {hashlib.sha256(out.getvalue()).hexdigest(): out.getvalue()}
    (record,) = merge([read_header(out.getvalue())])
    sagittal = replace(ct, array=ct.array.transpose(2, 0, 1), geometry=ct.geometry.permuted((2, 0, 1)))
    (kept,) = _structures(record.series[0], Files(alone.__getitem__, {}), [lambda: ct, lambda: sagittal])
    assert kept.geometry == sagittal.geometry and kept.voxels == box.voxels
