from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread

from isocenter.doors import part10
from isocenter.errors import NotWhole

_SAMPLES = (
    "CT_small.dcm",
    "MR_small_RLE.dcm",
    "MR_small_bigendian.dcm",
    "rtplan.dcm",
    "SC_rgb_jpeg_gdcm.dcm",
    "examples_ybr_color.dcm",
)


@pytest.mark.parametrize("name", _SAMPLES)
def test_the_header_goes_off_and_on_and_the_data_set_stays(name: str, sample: Callable[[str], bytes]) -> None:
    data = sample(name)
    meta = part10.split(data)
    body = data[meta.start :]

    again = part10.wrap(meta.sop_class, meta.sop_uid, meta.transfer_syntax) + body

    assert again[part10.split(again).start :] == body
    read, before = dcmread(BytesIO(again)), dcmread(BytesIO(data))
    assert read == before
    assert read.file_meta.ImplementationClassUID == part10.IMPLEMENTATION_UID
    assert part10.identity(body, meta.transfer_syntax) == (str(before.SOPClassUID), str(before.SOPInstanceUID))


def test_a_deflated_data_set_is_not_opened(sample: Callable[[str], bytes]) -> None:
    data = sample("image_dfl.dcm")
    meta = part10.split(data)
    assert part10.identity(data[meta.start :], meta.transfer_syntax) is None


def test_a_data_set_that_does_not_name_itself_claims_nothing() -> None:
    assert part10.identity(b"\x10\x00\x10\x00PN\x04\x00DOE ", "1.2.840.10008.1.2.1") is None


def test_a_file_without_dicm_is_refused() -> None:
    with pytest.raises(NotWhole, match="DICM"):
        part10.split(b"\0" * 400)


def test_a_header_without_transfer_syntax_is_refused() -> None:
    with pytest.raises(NotWhole, match="Transfer Syntax"):
        part10.split(b"\0" * 128 + b"DICM" + b"\x08\x00\x05\x00CS\x00\x00")


@pytest.mark.parametrize("text", ["", "1..2", "1.2.", "a.b", "../1", "1.2/3", "1.2\n", "1" * 65, "1.2\0"])
def test_what_is_no_uid(text: str) -> None:
    assert not part10.is_uid(text)
