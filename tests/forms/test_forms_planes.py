"""Each slice of a region finds the image, and the frame, that carries it."""

import io
from dataclasses import replace

import numpy as np
import pytest
from forms_samples import (
    FRAME_UID,
    SERIES_UID,
    Archive,
    ball,
    enhanced,
    file_bytes,
    on_film,
    radiograph,
    record,
    sample,
)
from pydicom import dcmread

from isocenter.errors import NotFound, Refused
from isocenter.forms.planes import cited, planes
from isocenter.record import Instance
from isocenter.space import Geometry, Region


def test_each_slice_has_its_image(archive: Archive, axial: Geometry) -> None:
    found = planes(archive[0], ball(axial), archive[1])
    assert {k: p.sop_uid for k, p in found.items()} == {k: f"{SERIES_UID}.{k + 1}" for k in range(6)}
    assert len(cited(found)) == 6


def test_a_flipped_grid_still_finds_them(archive: Archive, axial: Geometry) -> None:
    turned = axial.flipped(0).flipped(1)
    found = planes(archive[0], ball(turned), archive[1])
    assert found[0].sop_uid == f"{SERIES_UID}.6" and found[5].sop_uid == f"{SERIES_UID}.1"


def test_facts_that_are_missing_are_read_from_the_file(archive: Archive, axial: Geometry) -> None:
    study, sources = archive
    series = study.series[0]
    bare = replace(study, series=(replace(series, instances=tuple(replace(i, facts={}) for i in series.instances)),))
    assert len(planes(bare, ball(axial), sources)) == 6


def test_the_named_image_goes_before_another_at_its_place(archive: Archive, axial: Geometry) -> None:
    study, sources = archive
    other = dcmread(io.BytesIO(sources(f"{SERIES_UID}.2")))
    other.SOPInstanceUID = other.file_meta.MediaStorageSOPInstanceUID = f"{SERIES_UID}.99"
    data = file_bytes(other)
    series = study.series[0]
    twin = replace(series.instances[1], sop_uid=f"{SERIES_UID}.99")
    both = replace(study, series=(replace(series, instances=(*series.instances, twin)),))

    def read(uid: str) -> bytes:
        return data if uid.endswith(".99") else sources(uid)

    assert planes(both, ball(axial), read)[1].sop_uid == f"{SERIES_UID}.2"
    assert planes(both, replace(ball(axial), instance_uid=twin.sop_uid), read)[1].sop_uid == twin.sop_uid


def test_frames_of_an_enhanced_image_are_counted_from_one(axial: Geometry) -> None:
    study, sources = enhanced(axial)
    found = planes(study, ball(axial), sources)
    frames = dcmread(io.BytesIO(sources(f"{SERIES_UID}.50"))).PerFrameFunctionalGroupsSequence
    for k, plane in found.items():
        place = frames[plane.frame - 1].PlanePositionSequence[0].ImagePositionPatient
        assert np.allclose(axial.to_index([float(x) for x in place]), (k, 0, 0), atol=1e-3)
    assert list(found) == list(range(6)) and len(cited(found)) == 1


def test_a_radiograph_has_one_plane() -> None:
    study, sources = radiograph()
    found = planes(study, on_film(study), sources)
    assert list(found) == [0] and found[0].sop_uid == f"{SERIES_UID}.7.1" and found[0].frame == 0


def test_what_has_no_image_is_refused(archive: Archive, axial: Geometry) -> None:
    study, sources = archive
    with pytest.raises(NotFound, match="series"):
        planes(study, replace(ball(axial), series_uid=""), sources)
    with pytest.raises(Refused, match="has no images"):
        planes(replace(study, series=(replace(study.series[0], instances=()),)), ball(axial), sources)
    with pytest.raises(Refused, match="another place"):
        planes(study, ball(replace(axial, frame_of_reference="9.9")), sources)
    film, film_sources = radiograph()
    two = (*film.series[0].instances, Instance("1.2", "1.2", "1.2", "", 1, rows=1, columns=1))
    several = replace(film, series=(replace(film.series[0], instances=two),))
    with pytest.raises(Refused, match="without saying which"):
        planes(several, replace(on_film(film), instance_uid=""), film_sources)
    small = on_film(film, np.ones((1, 40, 50), bool))
    wrong = Region(
        small.geometry.cropped((0, 0, 0), (1, 9, 9)), mask=np.ones((1, 9, 9), bool), series_uid=small.series_uid
    )
    with pytest.raises(Refused, match="pixel for pixel"):
        planes(film, wrong, film_sources)


def test_images_without_a_frame_of_reference_are_refused(axial: Geometry) -> None:
    image = dcmread(io.BytesIO(sample("MR_small.dcm")))
    del image.FrameOfReferenceUID
    study, sources = record(file_bytes(image))
    grid = Geometry.from_dicom(
        position=image.ImagePositionPatient,
        orientation=image.ImageOrientationPatient,
        pixel_spacing=image.PixelSpacing,
        slice_step=(0, 0, 5) if abs(image.ImageOrientationPatient[5]) < 0.5 else (5, 0, 0),
        shape=(1, image.Rows, image.Columns),
        frame_of_reference=FRAME_UID,
    )
    region = Region(grid, mask=np.ones(grid.shape, bool), series_uid=study.series[0].uid)
    with pytest.raises(Refused, match="names no frame of reference"):
        planes(study, region, sources)
