"""No export carries a name."""

from __future__ import annotations

import base64
import io
import shutil
import subprocess
import warnings
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import made
import numpy as np
import pydicom
import pytest
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from isocenter.dicom import cleaning
from isocenter.dicom.assemble import assemble
from isocenter.dicom.confidentiality import COLUMNS, Option, options_named, table
from isocenter.dicom.deidentify import HeldBack
from isocenter.dicom.deidentify import deidentify as whole_copy
from isocenter.dicom.header import check_whole, read_header
from isocenter.dicom.leaks import leaks
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.errors import IsocenterError, NotWhole, Refused

KEY = b"sixteen secret b"
BY = Pseudonyms(KEY)


def deidentify(data: bytes, *, by: Pseudonyms = BY, **terms: Any) -> bytes:
    return whole_copy(data, by=by, **terms).data


def read(data: bytes) -> Dataset:
    return pydicom.dcmread(io.BytesIO(data))


VALUES: dict[str, Any] = {
    "PN": "Quxley^Zarah", "LO": "Vexmor said", "SH": "Vexmor", "ST": "Vexmor was here", "LT": "Vexmor was here",
    "UT": "Vexmor was here", "UC": "Vexmor", "UR": "http://vexmor.example", "AE": "VEXMOR", "CS": "VEXMOR",
    "DA": "20240707", "TM": "101112", "DT": "20240707101112", "AS": "041Y", "UI": "1.2.3.77", "DS": "77.5",
    "IS": "77", "US": 77, "SS": -77, "UL": 77, "SL": -77, "FD": 7.5, "FL": 7.5, "OB": b"\1\2\3\4", "OW": b"QUXLEY",
    "UN": b"QUXLEY", "AT": 0x00100010, "UV": 77, "SV": -77, "OF": b"QUXL", "OD": b"QUXLEYQU", "OL": b"QUXL",
    "OV": b"QUXLEYQU",
}  # fmt: skip


def value(tag: int, vr: str) -> Any:
    """A value of its own for each attribute, so that what is kept of one is not mistaken for another."""
    told = VALUES[vr]
    if vr in ("LO", "SH", "ST", "LT", "UT", "UC"):
        return told.replace("Vexmor", f"Vexmor{tag:08x}")
    return "19531117" if tag == 0x00100030 else told


def listed(depth: int) -> Dataset:
    """A data set with every attribute of the table, in sequences to `depth`."""
    ds = Dataset()
    for line in table():
        tag = int(line.tag.replace("x", "0"), 16)
        vr = DicomDictionary.get(tag, ("LO",))[0]
        if tag >> 16 in (0, 2, 4) or line.keyword in ("CurveData", "OverlayData", "OverlayComments"):
            continue
        if vr == "SQ":
            item = Dataset()
            item.PatientName, item.ReferencedSOPInstanceUID = "Quxley^Zarah", "1.2.3.78"
            ds.add_new(tag, "SQ", [item])
        elif vr not in ("NONE",):
            ds.add_new(tag, vr, value(tag, vr))
    if depth:
        ds.SharedFunctionalGroupsSequence = [listed(depth - 1)]
    return ds


@cache
def everything_listed() -> bytes:
    ds = made.dataset()
    for one in listed(4):
        if one.tag not in ds and one.keyword != "EncapsulatedDocument":
            ds[one.tag] = one
    ds.PatientName, ds.PatientID = "Quxley^Zarah", "QX-4711-0815"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return made.written(ds)


@pytest.mark.parametrize("option", [None, *COLUMNS])
def test_every_line_of_the_table_under_every_option_at_every_depth(option: Option | None) -> None:
    data = everything_listed()
    out = read(deidentify(data, options=[option] if option else []))
    assert b"uxley" in data
    level, cells, depth = out, 0, 0
    while True:
        for line in table():
            tag = int(line.tag.replace("x", "0"), 16)
            if "x" in line.tag or tag >> 16 in (0, 2, 4) or tag in (0x00420011, 0x00100010, 0x00100020):
                continue
            if not depth and tag in made.dataset() and option in (Option.UIDS, Option.FULL_DATES):
                continue
            wanted = set(line.options[option] if option in line.options else line.basic.replace("/", ""))
            wanted |= {"C"} if option in (Option.PATIENT, Option.FULL_DATES) else set()  # where it is what it says
            cells += _fits(line.keyword, wanted, level.get(tag))
        if "SharedFunctionalGroupsSequence" not in level:
            break
        level, depth = level.SharedFunctionalGroupsSequence[0], depth + 1
    assert depth == 4 and cells > 3000
    text = out.to_json().lower()
    # The institution's and the device's own attributes may be kept by their options; the person never is.
    assert "quxley" not in text
    assert option in (Option.DEVICE, Option.INSTITUTION, Option.PATIENT) or "vexmor" not in text


def _fits(keyword: str, wanted: set[str], found: Any) -> int:
    """Whether what was done is one of the actions of the cell."""
    told = None if found is None else found.value
    if found is None:
        done = "X"
    elif found.VR == "SQ":
        item = told[0] if told else None
        done = "Z" if not told else "UDCK"
        assert item is None or "Quxley" not in str(item.get("PatientName", ""))
    elif told in ("", None) or (hasattr(told, "__len__") and len(told) == 0):
        done = "Z"
    elif found.VR == "UI":
        done = "K" if told == VALUES["UI"] else "UD"
    elif told == value(int(found.tag), found.VR):
        done = "K"
    else:
        done = "DC"
    if "C" in wanted:  # cleaned until nothing stands there, or moved, or kept where it tells nothing
        done += "C"
    assert wanted & set(done), (keyword, wanted, done, str(found))
    return 1


_WRITTEN: tuple[Callable[[str], str], ...] = (
    str, lambda said: said[::-1], lambda said: base64.b64encode(said.encode()).decode(),
    lambda said: base64.b64encode(b"x" + said.encode()).decode(), lambda said: said.encode().hex(), " ".join, str.lower,
)  # fmt: skip
"""How a canary may be written in a text."""


def planted(depth: int) -> tuple[Dataset, list[bytes]]:
    """A data set with a canary in every attribute of the dictionary that can hold one, in sequences to `depth`."""
    ds, canaries = Dataset(), []
    for n, (tag, (vr, _, _, retired, keyword)) in enumerate(sorted(DicomDictionary.items())):
        group = tag >> 16
        if not keyword or group in (0, 2, 4) or retired or keyword == "PixelData":
            continue
        if keyword in cleaning._TECHNICAL | cleaning._DATA:
            continue  # kept on purpose: manufacturers and kernels, and the image's own numbers
        canary = f"Qzx{n:05d}{depth}Z"
        said = _WRITTEN[n % len(_WRITTEN)](canary)
        wide = canary.encode(("utf-16-le", "utf-16-be", "ascii")[n % 3])
        value: Any = {
            "PN": f"{canary}^{canary}", "LO": said, "SH": said if len(said) <= 16 else canary, "ST": said, "LT": said,
            "UT": said, "UC": said, "UR": canary, "AE": canary, "UN": wide, "OB": wide,
            "UI": f"1.2.{1000000 + n}{depth}", "OW": wide, "CS": canary.upper(),
        }.get(vr)  # fmt: skip
        if value is None:
            continue
        ds.add_new(tag, vr, value)
        canaries.append(canary.encode() if vr == "PN" else value if isinstance(value, bytes) else value.encode())
    if depth:
        inner, more = planted(depth - 1)
        ds.ReferencedSeriesSequence = [inner]
        canaries += more
    return ds, canaries


@cache
def leaky(depth: int) -> tuple[bytes, list[bytes]]:
    """An image with canaries in every corner of the file, and the canaries."""
    ds = made.dataset(pixels=np.zeros((5, 5), np.uint8))
    extra, canaries = planted(depth)
    for one in extra:
        if one.keyword not in ("SOPClassUID", "SpecificCharacterSet") and one.tag not in ds:
            ds[one.tag] = one
    block = ds.private_block(0x0011, "CANARY CREATOR", create=True)
    block.add_new(1, "LO", "PRIVATECANARY")
    block.add_new(2, "SQ", [made.nested(2)])
    ds.add_new(0x60000010, "US", 4)
    ds.add_new(0x60000022, "LO", "OVERLAYCANARY")
    ds.add_new(0x50000022, "LO", "CURVECANARY")
    ds.PatientName, ds.PatientID = "NAMECANARY^FIRSTCANARY", "IDCANARY"
    ds.StudyDescription, ds.PatientBirthDate, ds.StudyDate = "DESCRIPTIONCANARY", "19531117", "20240707"
    ds.PixelData = ds.PixelData + b"TRAILINGCANARY"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for keyword in ("EncapsulatedDocument", "BurnedInAnnotation", "ConversionType", "ImageType"):
            if keyword in ds:
                delattr(ds, keyword)
        data = b"PREAMBLECANARY".ljust(128) + made.written(ds)[128:]
    return data, [
        *canaries,
        b"PRIVATECANARY", b"CANARY CREATOR", b"OVERLAYCANARY", b"CURVECANARY", b"NAMECANARY", b"FIRSTCANARY",
        b"IDCANARY", b"DESCRIPTIONCANARY", b"19531117", b"20240707", b"PREAMBLECANARY", b"TRAILINGCANARY",
    ]  # fmt: skip


@pytest.mark.parametrize("options", ["research", "basic"])
@pytest.mark.parametrize("depth", [2, pytest.param(21, marks=pytest.mark.nightly)])
def test_thousands_of_planted_canaries_are_gone(depth: int, options: str) -> None:
    data, canaries = leaky(depth)
    there = [c for c in canaries if c in data]
    assert len(there) > (30_000 if depth > 10 else 4000)
    out = deidentify(data, options=options_named([options]))
    low = out.lower()
    assert not [c for c in canaries if c.lower() in low]
    assert leaks(data, ["Qzx0"]) and not leaks(out, ["Qzx0"]), "the beginning of all of them, in any way of writing"


@pytest.mark.parametrize("path", sorted(made.SAMPLES.glob("*.dcm")), ids=lambda p: p.name)
def test_every_sample_loses_its_person(path: Path) -> None:
    data = path.read_bytes()
    try:
        before = read_header(data)
        out = deidentify(data, reviewed=True)
    except IsocenterError:
        return
    check_whole(out)
    after = read_header(out)
    assert after.uid != before.uid and after.patient.id != before.patient.id
    assert after.patient.birth_date is None and after.accession == "" and after.referring == ""
    for part in before.patient.name.replace("=", "^").split("^"):
        if len(part) > 3 and part not in ("Anonymous", "anonymous"):
            assert part.encode() not in out
    kept = {"PixelData", "Rows", "Columns", "ImagePositionPatient", "PixelSpacing", "RescaleSlope"}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one, two = read(data), read(out)
    if one.get("BitsStored") == one.get("BitsAllocated") and one.file_meta.TransferSyntaxUID.is_compressed is False:
        assert all(one.get(k) == two.get(k) for k in kept - {"PixelData"})


def test_the_object_says_truthfully_what_was_done() -> None:
    ds = read(deidentify(made.made()))
    assert ds.PatientIdentityRemoved == "YES" and len(ds.DeidentificationMethod) <= 64
    codes = [c.CodeValue for c in ds.DeidentificationMethodCodeSequence]
    assert codes == ["113100", "113111", "113108", "113107", "113105", "113104"]
    assert ds.LongitudinalTemporalInformationModified == "MODIFIED" and "BurnedInAnnotation" not in ds
    plain = read(deidentify(made.made(), options=[]))
    assert [c.CodeValue for c in plain.DeidentificationMethodCodeSequence] == ["113100"]
    assert plain.LongitudinalTemporalInformationModified == "REMOVED" and plain.StudyDate == ""
    full = read(deidentify(made.made(), options=[Option.FULL_DATES]))
    assert full.LongitudinalTemporalInformationModified == "UNMODIFIED" and full.StudyDate == "20260102"
    head = whole_copy(made.made(BodyPartExamined="HEAD"), by=BY, options=[])
    assert read(head.data).RecognizableVisualFeatures == "YES" and "face" in head.risks[0]
    with pytest.raises(HeldBack, match="a head by itself"):  # research takes faces out, and needs the whole head for it
        whole_copy(made.made(BodyPartExamined="HEAD"), by=BY)


def test_an_identity_that_is_still_found_does_not_leave() -> None:
    data = made.made(PatientName="Petersen^Ann", Manufacturer="made for nesreteP")  # backwards: no word of the name
    with pytest.raises(HeldBack, match=r"still stands? in the copy"):
        deidentify(data)


@pytest.mark.peer
@pytest.mark.skipif(shutil.which("dciodvfy") is None, reason="dciodvfy (dicom3tools) is not installed")
@pytest.mark.parametrize("name", ["CT_small.dcm", "MR_small.dcm", "examples_overlay.dcm", "JPEG2000.dcm"])
def test_a_valid_object_stays_valid(name: str, tmp_path: Path) -> None:
    data = (made.SAMPLES / name).read_bytes()
    errors = []
    for stage in (data, deidentify(data, reviewed=True)):
        (tmp_path / "one.dcm").write_bytes(stage)
        said = subprocess.run(["dciodvfy", tmp_path / "one.dcm"], capture_output=True, text=True, check=False).stderr
        errors.append([line for line in said.splitlines() if line.startswith("Error")])
    assert len(errors[1]) <= len(errors[0]), errors[1]


def test_pixels_and_geometry_stay() -> None:
    files = made.stack(4, 2.0)
    before, read_before = made.record(files)
    after, read_after = made.record([deidentify(f) for f in files])
    (a,), (b,) = assemble(before, read_before), assemble(after, read_after)
    assert np.array_equal(a.array, b.array) and np.array_equal(a.geometry.affine, b.geometry.affine)
    assert a.geometry.frame_of_reference != b.geometry.frame_of_reference


def test_identities_map_alike_with_one_key_and_apart_with_another() -> None:
    one, two = (read(deidentify(made.made(n))) for n in (1, 2))
    assert one.StudyInstanceUID == two.StudyInstanceUID and one.PatientID == two.PatientID
    assert one.SOPInstanceUID != two.SOPInstanceUID
    other = read(deidentify(made.made(1), by=Pseudonyms(b"another secret b")))
    assert other.StudyInstanceUID != one.StudyInstanceUID and other.PatientID != one.PatientID
    assert BY.uid("1.2.3") == one.StudyInstanceUID and len(BY.uid("1.2.3")) <= 64
    assert one.file_meta.MediaStorageSOPInstanceUID == one.SOPInstanceUID


def test_intervals_stay_and_days_do_not() -> None:
    first = read(deidentify(made.made(1, StudyDate="20240101", AcquisitionTime="101500")))
    later = read(deidentify(made.made(2, StudyDate="20240311", AcquisitionTime="111500")))
    from datetime import datetime

    a, b = (datetime.strptime(d.StudyDate, "%Y%m%d") for d in (first, later))
    assert (b - a).days == 70 and first.StudyDate != "20240101" and later.AcquisitionTime == "111500"
    odd = read(deidentify(made.made(1, AcquisitionDateTime="20240101120000.5")))
    assert odd.AcquisitionDateTime.endswith("120000.5")


def test_an_age_beyond_ninety_is_one_class() -> None:
    ages = {"095Y": "090Y", "089Y": "089Y", "010M": "010M"}
    for said, kept in ages.items():
        assert read(deidentify(made.made(PatientAge=said))).PatientAge == kept


def test_persons_in_reports_are_removed() -> None:
    data = (made.SAMPLES / "test-SR.dcm").read_bytes()
    names = {str(e.value) for e in read(data).iterall() if e.VR == "PN" and str(e.value)}
    after = {str(e.value) for e in read(deidentify(data)).iterall() if e.VR == "PN" and str(e.value)}
    assert not names & after


@pytest.mark.parametrize(
    ("code", "left"),
    [
        (("39607008", "SCT", "Lung"), ("39607008", "SCT", "Lung")),
        (("T-28000", "SRT", "Dr Ysenbeck Zwirn"), ("T-28000", "SRT", "Lung structure (body structure)")),
        (("99999-9", "LN", "Zwirn of lung"), ("99999-9", "LN", "of lung")),
        (("ZWIRN", "DCM", "Dr Zwirn"), ("REMOVED", "DCM", "REMOVED")),
        (("Zwirn", "UCUM", "Zwirn"), ("REMOVED", "UCUM", "REMOVED")),
        (("g/mL", "UCUM", "g/mL"), ("g/mL", "UCUM", "g/mL")),
        (("A-17", "99LOCAL", "Zwirn lung"), ("A-17", "99LOCAL", "lung")),
        (("ZWIRN", "99LOCAL", "lung"), ("REMOVED", "99LOCAL", "lung")),
    ],
)
def test_nobody_is_named_by_a_code_or_by_what_it_is_said_to_mean(
    code: tuple[str, str, str], left: tuple[str, str, str]
) -> None:
    item = Dataset()
    item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = code
    (found,) = read(deidentify(made.made(ViewCodeSequence=[item]))).ViewCodeSequence
    assert (found.CodeValue, found.CodingSchemeDesignator, found.CodeMeaning) == left


def test_half_of_a_record_number_does_not_stay_in_a_description() -> None:
    ds = read(deidentify(made.made(PatientID="STS_003", StudyDescription="STS 003 CT of 004")))
    assert ds.StudyDescription == "CT of 004"


def test_what_may_be_kept_and_what_never() -> None:
    data = made.made(StudyDescription="Thorax of Dr Ysenbeck")
    assert "StudyDescription" not in read(deidentify(data, options=[]))
    assert read(deidentify(data)).StudyDescription == "Thorax of"
    assert read(deidentify(data, keep=["StudyDescription"])).StudyDescription == "Thorax of Dr Ysenbeck"
    for identity in ("PatientName", "PatientID", "SOPInstanceUID"):
        with pytest.raises(Refused, match="still name the person"):
            deidentify(data, keep=[identity])


def test_documents_unknown_classes_and_burned_in_text_are_refused() -> None:
    with pytest.raises(Refused, match="Encapsulated PDF"):
        ds = made.dataset(sop_class="1.2.840.10008.5.1.4.1.1.104.1", PixelData=None, Rows=None)
        ds.EncapsulatedDocument = b"%PDF-1.4 NAME"
        deidentify(made.written(ds))
    with pytest.raises(Refused, match=r"class 1\.2\.3\.4\.5"):
        deidentify(made.made(sop_class="1.2.3.4.5"))
    burned = made.made(BurnedInAnnotation="YES")
    with pytest.raises(Refused, match="burned into"):
        deidentify(burned)
    assert read(deidentify(burned, reviewed=True)).BurnedInAnnotation == "NO"


def test_a_short_key_and_half_a_file_are_refused() -> None:
    with pytest.raises(Refused, match="secret of 5 bytes"):
        Pseudonyms(b"short")
    with pytest.raises(NotWhole):
        deidentify(made.made()[:-4])


@pytest.mark.parametrize("name", ["CT_small.dcm", "test-SR.dcm", "JPEG2000.dcm", "ExplVR_BigEnd.dcm"])
def test_a_damaged_file_is_cleaned_or_refused_and_never_leaks(name: str) -> None:
    data = (made.SAMPLES / name).read_bytes()
    words = [w for w in str(read(data).PatientName).replace("^", " ").split() if len(w) > 3]
    rng = np.random.default_rng(11)
    refused = cleaned = 0
    for _ in range(80):
        broken = bytearray(data)
        for at in rng.integers(132, min(len(data), 2500), 4):
            broken[at] = rng.integers(256)
        try:
            out = deidentify(bytes(broken), reviewed=True)
        except IsocenterError:
            refused += 1
            continue
        cleaned += 1
        check_whole(out)
        assert not [w for w in words if w.encode() in out and w.encode() not in bytes(broken[2500:])]
    assert refused and cleaned
