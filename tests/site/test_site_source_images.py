"""The images that a Segmentation was drawn on: found by three ways of naming them, else not at all."""

from __future__ import annotations

import hashlib
import io

import pytest
from pydicom import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian

from isocenter.dicom.header import merge, read_header
from isocenter.forms.completed import Cited
from isocenter.site.source_images import SourceImages

FRAME = "2.25.7"
SERIES = {"CT": "2.25.11", "PT": "2.25.12"}
CLASSES = {"CT": "1.2.840.10008.5.1.4.1.1.2", "PT": "1.2.840.10008.5.1.4.1.1.128"}


def _image(modality: str, level: int, *, columns: int = 5, placed: bool = True) -> bytes:
    """Axial, 4 rows of 2 mm and columns of 3, at a level every 5 mm."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CLASSES[modality]
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = f"{SERIES[modality]}.{level}"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "2.25.1", SERIES[modality]
    ds.PatientID, ds.Modality, ds.InstanceNumber = "P", modality, level + 1
    if placed:
        ds.FrameOfReferenceUID, ds.PixelSpacing = FRAME, [2, 3]
        ds.ImagePositionPatient, ds.ImageOrientationPatient = [10, 20, 5 * level], [1, 0, 0, 0, 1, 0]
    ds.Rows, ds.Columns, ds.SamplesPerPixel, ds.PhotometricInterpretation = 4, columns, 1, "MONOCHROME2"
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 0
    ds.PixelData = bytes(2 * 4 * columns)
    out = io.BytesIO()
    ds.save_as(out, enforce_file_format=True)
    return out.getvalue()


def _images(*files: bytes) -> SourceImages:
    (study,) = merge(read_header(file) for file in files)
    return SourceImages(study, {hashlib.sha256(file).hexdigest(): file for file in files}.__getitem__)


@pytest.fixture(scope="module")
def both() -> SourceImages:
    return _images(*(_image(modality, level) for modality in CLASSES for level in range(3)))


def test_a_segmentation_names_its_images_in_one_of_three_ways(both: SourceImages) -> None:
    by_series = both.seek(Cited(("2.25.404", SERIES["PT"]), frozenset(), ""))
    by_image = both.seek(Cited((), frozenset({SERIES["PT"] + ".1"}), ""))
    assert by_series is by_image is not None and by_series.series_uid == SERIES["PT"]
    assert both.seek(Cited((), frozenset(), FRAME)) is None, "CT and PET share it"
    alone = _images(*(_image("PT", level) for level in range(3)))
    by_frame = alone.seek(Cited((), frozenset(), FRAME))
    assert by_frame is not None and by_frame.series_uid == SERIES["PT"]
    assert alone.seek(Cited((SERIES["CT"],), frozenset(), FRAME)) is None, "it names others, which are not here"
    assert alone.seek(Cited((), frozenset(), "2.25.8")) is None, "another frame of reference"


def test_images_lie_where_their_headers_say(both: SourceImages) -> None:
    drawn = both.of(SERIES["CT"])
    assert drawn is not None and both.of(SERIES["CT"]) is drawn
    assert drawn.size == (4, 5) and drawn.spacing == (2.0, 3.0) and drawn.frame == FRAME
    assert sorted(drawn.places.tolist()) == [[10, 20, 0], [10, 20, 5], [10, 20, 10]]
    assert drawn.corners.min(axis=0).tolist() == [10, 20, 0]
    assert drawn.corners.max(axis=0).tolist() == [10 + 4 * 3, 20 + 3 * 2, 10], "columns of 3 mm, rows of 2"


def test_what_has_no_place_or_is_not_here_is_none_and_an_odd_image_is_left_out() -> None:
    images = _images(
        *(_image("CT", level, placed=False) for level in range(2)),
        *(_image("PT", level) for level in range(3)), _image("PT", 3, columns=9),
    )  # fmt: skip
    assert images.of("2.25.404") is None and images.of(SERIES["CT"]) is None
    pet = images.of(SERIES["PT"])
    assert pet is not None and len(pet.places) == 3 and pet.size == (4, 5)
