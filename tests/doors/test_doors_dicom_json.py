from __future__ import annotations

from collections.abc import Callable
from io import BytesIO

import pytest
from pydicom import dcmread
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset

from isocenter.doors import dicom_json
from isocenter.errors import NotFound

_NAMES = ("CT_small.dcm", "rtplan.dcm", "MR_small_bigendian.dcm", "image_dfl.dcm", "examples_ybr_color.dcm")


@pytest.mark.parametrize("name", _NAMES)
def test_a_header_comes_back_whole_and_every_uri_leads_to_its_bytes(name: str, sample: Callable[[str], bytes]) -> None:
    data = sample(name)
    before = dcmread(BytesIO(data))
    base = "http://x/studies/1/series/2/instances/3"
    asked: list[str] = []

    def fetch(tag: str, vr: str, uri: str) -> bytes:
        assert uri.startswith(base + "/bulkdata/")
        asked.append(uri)
        return dicom_json.bulk(data, uri.removeprefix(base + "/bulkdata/"))[0]

    made = dicom_json.header(data, base)
    assert made.pop("00083002")["Value"] == [before.file_meta.TransferSyntaxUID]
    after = Dataset.from_json(made, bulk_data_uri_handler=fetch)

    for element in before:
        if element.tag.element == 0:
            continue
        again = after[element.tag]
        if element.VR == "DS" and element.value:
            assert again.value == element.value
        elif element.VR != "SQ":
            assert again.value == element.value or (not again.value and not element.value), element
        else:
            assert len(again.value) == len(element.value)
    if "PixelData" in before and len(before.PixelData) > dicom_json.LARGE:
        assert any(uri.endswith("7FE00010") for uri in asked)


def test_a_large_value_within_a_sequence_has_a_path() -> None:
    dataset, item = Dataset(), Dataset()
    item.WaveformData = b"\1\2" * 2000
    item["WaveformData"].VR = "OW"
    dataset.WaveformSequence = [Dataset(), item]
    data = _file(dataset)
    made = dicom_json.header(data, "u")
    uri = made["54000100"]["Value"][1]["54001010"]["BulkDataURI"]
    assert uri == "u/bulkdata/54000100/1/54001010"
    assert dicom_json.bulk(data, "54000100/1/54001010") == (b"\1\2" * 2000, False)


@pytest.mark.parametrize(
    "path", ["", "x", "7FE00010", "00100010", "00081140/0/00100010", "54000100/9/54001010", "1/2", "7FE00010/0"]
)
def test_a_path_to_nothing_or_to_no_bytes(path: str) -> None:
    dataset = Dataset()
    dataset.PatientName = "A^B"
    with pytest.raises(NotFound):
        dicom_json.bulk(_file(dataset), path)


def test_a_value_that_does_not_fit_its_vr_is_given_as_bytes() -> None:
    dataset = Dataset()
    dataset.add(DataElement(0x00200013, "LO", "twelve"))
    data = _file(dataset).replace(b"\x20\x00\x13\x00LO", b"\x20\x00\x13\x00IS")
    assert dicom_json.header(data, "u")["00200013"] == {"vr": "UN", "InlineBinary": "dHdlbHZl"}


def test_rows() -> None:
    row = dicom_json.row(
        {
            "PatientName": "Yamada^Tarou=\u5c71\u7530^\u592a\u90ce",
            "ModalitiesInStudy": ["CT", "PT"],
            "NumberOfStudyRelatedSeries": 2,
            "SeriesNumber": "7",
            "SliceThickness": "1.5",
            "AccessionNumber": "",
        },
        [
            "PatientName",
            "ModalitiesInStudy",
            "NumberOfStudyRelatedSeries",
            "SeriesNumber",
            "SliceThickness",
            "AccessionNumber",
            "StudyID",
            "NoSuchKeyword",
        ],
    )
    assert row == {
        "00080050": {"vr": "SH"},
        "00080061": {"vr": "CS", "Value": ["CT", "PT"]},
        "00100010": {"vr": "PN", "Value": [{"Alphabetic": "Yamada^Tarou", "Ideographic": "\u5c71\u7530^\u592a\u90ce"}]},
        "00180050": {"vr": "DS", "Value": [1.5]},
        "00200010": {"vr": "SH"},
        "00200011": {"vr": "IS", "Value": [7]},
        "00201206": {"vr": "IS", "Value": [2]},
    }


def _file(dataset: Dataset) -> bytes:
    from pydicom.dataset import FileMetaDataset

    dataset.file_meta = FileMetaDataset()
    dataset.file_meta.TransferSyntaxUID = "1.2.840.10008.1.2.1"
    dataset.file_meta.MediaStorageSOPClassUID = dataset.file_meta.MediaStorageSOPInstanceUID = "1.2"
    made = BytesIO()
    dataset.save_as(made, enforce_file_format=True)
    return made.getvalue()
