from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from pydicom import dcmread

from isocenter.doors.negotiation import EXPLICIT, IMPLICIT
from isocenter.doors.transcode import transcode
from isocenter.errors import Refused


@pytest.mark.parametrize("syntax", [EXPLICIT, IMPLICIT])
@pytest.mark.parametrize(
    "name", ["CT_small.dcm", "MR_small_RLE.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "SC_rgb_jpeg_gdcm.dcm"]
)
def test_pixels_and_identity_stay(name: str, syntax: str, sample: Callable[[str], bytes]) -> None:
    before, after = dcmread(BytesIO(sample(name))), dcmread(BytesIO(transcode(sample(name), syntax)))
    assert after.file_meta.TransferSyntaxUID == syntax
    assert after.SOPInstanceUID == before.SOPInstanceUID
    np.testing.assert_array_equal(after.pixel_array, before.pixel_array)


def test_an_object_without_pixels(sample: Callable[[str], bytes]) -> None:
    before, after = dcmread(BytesIO(sample("rtplan.dcm"))), dcmread(BytesIO(transcode(sample("rtplan.dcm"), EXPLICIT)))
    assert after.file_meta.TransferSyntaxUID == EXPLICIT
    assert after == before


def test_a_compressed_target_is_refused(sample: Callable[[str], bytes]) -> None:
    with pytest.raises(Refused, match="only native"):
        transcode(sample("CT_small.dcm"), "1.2.840.10008.1.2.4.80")


def test_what_no_decoder_opens_is_refused() -> None:
    with pytest.raises(Refused, match="cannot be re-encoded"):
        transcode(b"nothing", EXPLICIT)
