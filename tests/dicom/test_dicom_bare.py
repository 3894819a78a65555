"""Data sets without their envelope: read where they read to their end, refused in words where not."""

from __future__ import annotations

import io
from pathlib import Path

import made
import numpy as np
import pydicom
import pytest

from isocenter.dicom.bare import enveloped, is_bare
from isocenter.dicom.header import read_header
from isocenter.dicom.pixels import frames
from isocenter.errors import NotWhole
from isocenter.site.folder import read_folder


def bare(syntax: str) -> tuple[bytes, bytes]:
    """A file, and its data set alone."""
    ds = made.dataset(3, pixels=np.arange(24, dtype=np.uint16).reshape(4, 6))
    whole = made.written(ds, syntax)
    start = 132 + 12 + pydicom.dcmread(io.BytesIO(whole)).file_meta.FileMetaInformationGroupLength
    return whole, whole[start:]


@pytest.mark.parametrize("syntax", [made.IMPLICIT, made.EXPLICIT, made.BIG])
def test_a_data_set_alone_is_the_same_image(syntax: str, tmp_path: Path) -> None:
    whole, alone = bare(syntax)
    assert is_bare(alone) and not is_bare(whole)
    mended = enveloped(alone)
    assert mended == enveloped(alone)
    record, truth = read_header(mended), read_header(whole)
    assert record.series[0].instances[0].transfer_syntax == syntax
    assert record.series[0].instances[0].sop_uid == truth.series[0].instances[0].sop_uid
    assert (frames(mended) == frames(whole)).all()
    (tmp_path / "IM0001").write_bytes(alone)
    with read_folder(tmp_path) as held:
        ((study,), ()) = held.studies, held.rejected
        assert held(study.series[0].instances[0].digest) == mended


def test_only_the_mark_is_gone() -> None:
    whole, _ = bare(made.EXPLICIT)
    assert enveloped(whole[132:]) == whole


def test_what_cannot_be_told_is_refused() -> None:
    _, alone = bare(made.EXPLICIT)
    with pytest.raises(NotWhole, match="does not read as a data set"):
        enveloped(alone[:-4])
    packed = (made.SAMPLES / "MR_small_RLE.dcm").read_bytes()
    start = 132 + 12 + pydicom.dcmread(io.BytesIO(packed)).file_meta.FileMetaInformationGroupLength
    with pytest.raises(NotWhole, match="pixel data has no length"):
        enveloped(packed[start:])
