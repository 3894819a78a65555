"""The volumes of a series, and what is told of images that were left out."""

from __future__ import annotations

import hashlib
import io

import pytest
import trunk_study
from pydicom import dcmread

from isocenter.dicom.header import merge, read_header
from isocenter.errors import Refused
from isocenter.site.volumes import largest, volumes_of
from isocenter.testing.phantoms import Phantom


@pytest.fixture
def trunk() -> Phantom:
    return trunk_study.trunk()


def test_a_time_that_lacks_an_image_is_left_out_and_told(trunk: Phantom) -> None:
    """One of 48 images that was lost on its way declined the whole dynamic scan."""
    slices = [ds for d in trunk.files if (ds := dcmread(io.BytesIO(d))).Modality == "CT"][:4]
    held = {}
    for n in range(12):
        for k, ds in enumerate(slices):
            ds.AcquisitionTime, ds.InstanceNumber = f"1000{1.5 * n:05.2f}", 4 * n + k + 1
            ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = f"2.25.{4 * n + k + 1}"
            ds.SeriesNumber = 5
            ds.save_as(file := io.BytesIO())
            if (n, k) != (6, 2):
                held[hashlib.sha256(file.getvalue()).hexdigest()] = file.getvalue()
    (study,) = merge(read_header(d) for d in held.values())
    (volume,) = volumes_of(study.series[0], held.__getitem__)
    assert volume.axes[0].values == pytest.approx([1.5 * n for n in range(12) if n != 6])
    assert volume.facts["Told"] == [
        "WARNING: images of series 5 are missing: time 7 lacks 1 of 4 slices. 1 of 12 times was left out"
    ]


def test_a_series_whose_images_make_no_volume_is_refused_by_its_name(trunk: Phantom) -> None:
    study, files = trunk_study.kept()
    drawn = next(s for s in study.series if s.modality == "RTSTRUCT")
    with pytest.raises(Refused):
        largest(drawn, files.__getitem__)
