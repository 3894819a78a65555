"""No export carries a name."""

from __future__ import annotations

import io
import shutil
import subprocess
import warnings
from pathlib import Path
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary, keyword_dict
from pydicom.dataset import Dataset

from isocenter.dicom.assemble import assemble
from isocenter.dicom.deidentify import ACTIONS, deidentify, mapped_uid
from isocenter.dicom.header import check_whole, read_header
from isocenter.errors import IsocenterError, NotWhole, Refused

KEY = b"sixteen secret b"


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


def test_the_table_names_real_attributes_once() -> None:
    assert set(ACTIONS) <= set(keyword_dict) | {"FileMetaInformationVersion"}
    assert set(ACTIONS.values()) <= set("XZDSUK")


def planted(depth: int) -> tuple[Dataset, list[bytes]]:
    """A data set with a canary in every attribute of the dictionary that can hold one, in sequences to `depth`."""
    ds, canaries = Dataset(), []
    for n, (tag, (vr, _, _, retired, keyword)) in enumerate(sorted(DicomDictionary.items())):
        group = tag >> 16
        if not keyword or group in (0, 2, 4) or retired or ACTIONS.get(keyword) == "K" or keyword == "PixelData":
            continue
        canary = f"Q{n:05d}{depth}Z"
        value: Any = {
            "PN": f"{canary}^{canary}", "LO": canary, "SH": canary, "ST": canary, "LT": canary, "UT": canary,
            "UC": canary, "UR": canary, "AE": canary, "UN": canary.encode(), "OB": canary.encode(),
            "UI": f"1.2.{1000000 + n}{depth}", "OW": canary.encode(),
        }.get(vr)  # fmt: skip
        if value is None:
            continue
        ds.add_new(tag, vr, value)
        canaries.append(value.encode() if vr == "UI" else canary.encode())
    if depth:
        inner, more = planted(depth - 1)
        ds.ReferencedSeriesSequence = [inner]
        canaries += more
    return ds, canaries


def test_thousands_of_planted_canaries_are_gone() -> None:
    ds = made.dataset()
    extra, canaries = planted(2)
    for element in extra:
        if element.keyword not in ("SOPClassUID",) and element.tag not in ds:
            ds[element.tag] = element
    block = ds.private_block(0x0011, "CANARY CREATOR", create=True)
    block.add_new(1, "LO", "PRIVATECANARY")
    block.add_new(2, "SQ", [made.nested(2)])
    ds.add_new(0x60000010, "US", 4)
    ds.add_new(0x60000022, "LO", "OVERLAYCANARY")
    ds.add_new(0x50000022, "LO", "CURVECANARY")
    ds.PatientName, ds.PatientID = "NAMECANARY^FIRSTCANARY", "IDCANARY"
    ds.StudyDescription, ds.PatientBirthDate, ds.StudyDate = "DESCRIPTIONCANARY", "19531117", "20240707"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword in ("EncapsulatedDocument", "BurnedInAnnotation"):
            if keyword in ds:
                delattr(ds, keyword)
        data = b"PREAMBLECANARY".ljust(128) + made.written(ds)[128:]
    canaries += [
        b"PRIVATECANARY", b"CANARY CREATOR", b"OVERLAYCANARY", b"CURVECANARY", b"NAMECANARY", b"FIRSTCANARY",
        b"IDCANARY", b"DESCRIPTIONCANARY", b"19531117", b"20240707", b"PREAMBLECANARY",
    ]  # fmt: skip
    there = [c for c in canaries if c in data]
    assert len(there) > 2000
    out = deidentify(data, key=KEY)
    assert not [c for c in canaries if c in out]


@pytest.mark.parametrize("path", sorted(made.SAMPLES.glob("*.dcm")), ids=lambda p: p.name)
def test_every_sample_loses_its_person(path: Path) -> None:
    data = path.read_bytes()
    try:
        before = read_header(data)
        out = deidentify(data, key=KEY)
    except IsocenterError:
        return
    check_whole(out)
    after = read_header(out)
    assert after.uid != before.uid and after.patient.id != before.patient.id
    assert after.patient.birth_date is None and after.accession == "" and after.referring == ""
    for part in before.patient.name.replace("=", "^").split("^"):
        if len(part) > 3 and part not in ("Anonymous", "anonymous"):
            assert part.encode() not in out


def test_the_object_says_truthfully_what_was_done() -> None:
    ds = read(deidentify(made.made(), key=KEY))
    assert ds.PatientIdentityRemoved == "YES" and "pixels not searched" in ds.DeidentificationMethod
    assert [c.CodeValue for c in ds.DeidentificationMethodCodeSequence] == ["113100", "113107", "113108"]
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED" and len(ds.DeidentificationMethod) <= 64


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "JPEG2000.dcm"])
def test_a_valid_object_stays_valid(name: str, tmp_path: Path) -> None:
    data = (made.SAMPLES / name).read_bytes()
    errors = []
    for stage in (data, deidentify(data, key=KEY)):
        (tmp_path / "one.dcm").write_bytes(stage)
        said = subprocess.run(["dciodvfy", tmp_path / "one.dcm"], capture_output=True, text=True, check=False).stderr
        errors.append([line for line in said.splitlines() if line.startswith("Error")])
    assert len(errors[1]) <= len(errors[0])


def test_pixels_and_geometry_stay() -> None:
    files = made.stack(4, 2.0)
    before, read_before = made.record(files)
    after, read_after = made.record([deidentify(f, key=KEY) for f in files])
    (a,), (b,) = assemble(before, read_before), assemble(after, read_after)
    assert np.array_equal(a.array, b.array) and np.array_equal(a.geometry.affine, b.geometry.affine)
    assert a.geometry.frame_of_reference != b.geometry.frame_of_reference


def test_identities_map_alike_with_one_key_and_apart_with_another() -> None:
    one, two = (read(deidentify(made.made(n), key=KEY)) for n in (1, 2))
    assert one.StudyInstanceUID == two.StudyInstanceUID and one.PatientID == two.PatientID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    other = read(deidentify(made.made(1), key=b"another secret b"))
    assert other.StudyInstanceUID != one.StudyInstanceUID and other.PatientID != one.PatientID
    assert mapped_uid("1.2.3", KEY) == one.StudyInstanceUID and len(mapped_uid("1.2.3", KEY)) <= 64
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID


def test_intervals_stay_and_days_do_not() -> None:
    first = read(deidentify(made.made(1, StudyDate="20240101", AcquisitionTime="101500"), key=KEY))
    later = read(deidentify(made.made(2, StudyDate="20240311", AcquisitionTime="111500"), key=KEY))
    from datetime import datetime

    a, b = (datetime.strptime(d.StudyDate, "%Y%m%d") for d in (first, later))
    assert (b - a).days == 70 and first.StudyDate != "20240101" and later.AcquisitionTime == "111500"
    odd = read(deidentify(made.made(1, AcquisitionDateTime="20240101120000.5"), key=KEY))
    assert odd.AcquisitionDateTime.endswith("120000.5")


def test_an_age_beyond_ninety_is_one_class() -> None:
    ages = {"095Y": "090Y", "089Y": "089Y", "010M": "010M"}
    for said, kept in ages.items():
        assert read(deidentify(made.made(PatientAge=said), key=KEY)).PatientAge == kept


def test_persons_in_reports_are_removed() -> None:
    data = (made.SAMPLES / "test-SR.dcm").read_bytes()
    names = {str(e.value) for e in read(data).iterall() if e.VR == "PN" and str(e.value)}
    after = {str(e.value) for e in read(deidentify(data, key=KEY)).iterall() if e.VR == "PN" and str(e.value)}
    assert not names & after


def test_what_may_be_kept_and_what_never() -> None:
    data = made.made(StudyDescription="Thorax")
    assert "StudyDescription" not in read(deidentify(data, key=KEY))
    assert read(deidentify(data, key=KEY, keep=["StudyDescription"])).StudyDescription == "Thorax"
    for identity in ("PatientName", "PatientID", "SOPInstanceUID"):
        with pytest.raises(Refused, match="still name the person"):
            deidentify(data, key=KEY, keep=[identity])


def test_documents_unknown_classes_and_burned_in_text_are_refused() -> None:
    with pytest.raises(Refused, match="Encapsulated PDF"):
        ds = made.dataset(sop_class="1.2.840.10008.5.1.4.1.1.104.1", PixelData=None, Rows=None)
        ds.EncapsulatedDocument = b"%PDF-1.4 NAME"
        deidentify(made.written(ds), key=KEY)
    with pytest.raises(Refused, match=r"class 1\.2\.3\.4\.5"):
        deidentify(made.made(sop_class="1.2.3.4.5"), key=KEY)
    burned = made.made(BurnedInAnnotation="YES")
    with pytest.raises(Refused, match="burned into"):
        deidentify(burned, key=KEY)
    assert deidentify(burned, key=KEY, keep=["BurnedInAnnotation"])


def test_a_short_key_and_half_a_file_are_refused() -> None:
    with pytest.raises(Refused, match="key of 5 bytes"):
        deidentify(made.made(), key=b"short")
    with pytest.raises(NotWhole):
        deidentify(made.made()[:-4], key=KEY)
