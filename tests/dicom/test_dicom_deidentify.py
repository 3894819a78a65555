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
from PIL import Image, ImageDraw, ImageFont
from pydicom.datadict import DicomDictionary
from pydicom.dataset import Dataset

from isocenter.dicom import cleaning
from isocenter.dicom.assemble import assemble
from isocenter.dicom.confidentiality import COLUMNS, Option, options_named, table
from isocenter.dicom.deidentify import HeldBack
from isocenter.dicom.deidentify import deidentify as whole_copy
from isocenter.dicom.elements import parse
from isocenter.dicom.header import read_header
from isocenter.dicom.leaks import leaks
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.reviewed import DATA, TECHNICAL
from isocenter.dicom.whole import check_whole
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
        if keyword in TECHNICAL | DATA:
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
        (("THORAX2", "99LOCAL", "lung"), ("THORAX2", "99LOCAL", "lung")),
        (("MEYER7", "99LOCAL", "lung"), (f"CODE {BY.uid('MEYER7')[-8:]}", "99LOCAL", "lung")),
        (("MRN4711", "99LOCAL", "lung"), (f"CODE {BY.uid('MRN4711')[-8:]}", "99LOCAL", "lung")),
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


@pytest.mark.parametrize(
    ("number", "said", "left"),
    [
        ("K-123", "K123 thorax", "thorax"), ("K-123", "thorax K 123", "thorax"), ("K123", "K-123 thorax", "thorax"),
        ("AB12CD34", "AB12 CD34 thorax", "thorax"), ("0000123", "thorax 123", "thorax"),
        ("K-123", "thorax 124", "thorax 124"),
    ],
)  # fmt: skip
def test_a_record_number_goes_however_it_is_spelled(number: str, said: str, left: str) -> None:
    assert read(deidentify(made.made(PatientID=number, StudyDescription=said))).StudyDescription == left


def test_words_of_a_place_stay_in_no_technical_text_unless_institutions_are_kept() -> None:
    place = {"InstitutionName": "Zwickelheim General Klinikum", "InstitutionAddress": "Am Ring 3, Obsthausen"}
    maker = {"Manufacturer": "General Electric", "ManufacturerModelName": "Force at Zwickelheim"}
    data = made.made(**place, **maker, SoftwareVersions="VB10 Obsthausen", ReceiveCoilName="Head 24")
    copy = read(deidentify(data))
    assert copy.Manufacturer == "General Electric" and copy.ReceiveCoilName == "Head 24"
    assert copy.ManufacturerModelName == "" and copy.SoftwareVersions == ""
    kept = read(deidentify(data, options=[Option.INSTITUTION]))
    assert kept.InstitutionName == place["InstitutionName"] and "Force" in kept.ManufacturerModelName


def content(kind: str, code: str, scheme: str = "DCM", **values: Any) -> Dataset:
    """A content item of a structured report."""
    name, item = Dataset(), Dataset()
    name.CodeValue, name.CodingSchemeDesignator, name.CodeMeaning = code, scheme, "what it is"
    item.RelationshipType, item.ValueType, item.ConceptNameCodeSequence = "CONTAINS", kind, [name]
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def measured(number: str, unit: str) -> list[Dataset]:
    units, item = Dataset(), Dataset()
    units.CodeValue, units.CodingSchemeDesignator, units.CodeMeaning = unit, "UCUM", unit
    item.NumericValue, item.FloatingPointValue, item.MeasurementUnitsCodeSequence = number, float(number), [units]
    return [item]


def test_a_report_tells_no_number_birth_or_great_age_of_its_subject() -> None:
    inside = [
        content("TEXT", "121030", TextValue="K77"), content("DATE", "121031", Date="19310705"),
        content("NUM", "121033", MeasuredValueSequence=measured("93", "a")),
        content("NUM", "121033", MeasuredValueSequence=measured("1140", "mo")),
        content("NUM", "121033", MeasuredValueSequence=measured("41", "a")),
        content("NUM", "30525-0", "LN", MeasuredValueSequence=measured("101", "a")),
        content("NUM", "121206", MeasuredValueSequence=measured("93", "mm")),
        content("DATE", "111060", Date="20240705"),
    ]  # fmt: skip
    tree = content("CONTAINER", "126000", ContentSequence=inside)
    report = made.dataset(sop_class="1.2.840.10008.5.1.4.1.1.88.33", modality="SR", PixelData=None, Rows=None)
    report.ContentSequence = [tree]
    who, born, *ages, size, day = read(deidentify(made.written(report))).ContentSequence[0].ContentSequence
    assert who.TextValue == "REMOVED" and born.Date == "19000101"
    told = [one.MeasuredValueSequence[0] for one in ages]
    assert [float(one.NumericValue) for one in told] == [90, 1080, 41, 90]
    assert ["FloatingPointValue" in one for one in told] == [False, False, True, False]
    assert float(size.MeasuredValueSequence[0].NumericValue) == 93
    assert day.Date not in ("20240705", "19000101", "")


def test_what_may_be_kept_and_what_never() -> None:
    data = made.made(StudyDescription="Thorax of Dr Ysenbeck")
    assert "StudyDescription" not in read(deidentify(data, options=[]))
    assert read(deidentify(data)).StudyDescription == "Thorax of"
    assert read(deidentify(data, keep=["StudyDescription"])).StudyDescription == "Thorax of Dr Ysenbeck"
    for identity in ("PatientName", "PatientID", "SOPInstanceUID"):
        with pytest.raises(Refused, match="still name the person"):
            deidentify(data, keep=[identity])
    for wrong in ("StudyDescriptoin", "Study Description", "0008,1030"):
        with pytest.raises(Refused, match=f"keep='{wrong}': it is no keyword"):
            deidentify(data, keep=[wrong])


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


NAME = b"Zyqorblat"
GRAPHICS = options_named(["research", "graphics"]) - {Option.FACES}


def rough(*elements: tuple[int, str, bytes]) -> bytes:
    """A CT file with elements that pydicom would not write: any VR with any bytes."""
    data = made.written(made.dataset())
    file = parse(data)
    body = dict.fromkeys(file.dataset)
    given = {tag: (vr, value) for tag, vr, value in elements}
    parts = []
    for tag in sorted(body.keys() | given.keys()):
        vr, value = given[tag] if tag in given else (file.dataset[tag][0], file.raw(file.dataset[tag]))
        parts.append(cleaning.element(tag, vr, value))
    start = data.index(b"\x08\x00\x05\x00CS")
    return data[:start] + b"".join(parts)


def items(*content: tuple[int, str, bytes]) -> bytes:
    """The bytes of a sequence of one item."""
    return cleaning.item(b"".join(cleaning.element(*one) for one in content))


SOMEWHERE = items(
    (0x00080104, "LO", NAME), (0x0040A160, "UT", NAME), (0x00081080, "LO", NAME), (0x00181030, "LO", NAME)
)  # fmt: skip


@pytest.mark.parametrize(
    "element",
    [
        (0x00100040, "SQ", SOMEWHERE),  # a sequence where the sex belongs, which the option keeps
        (0x00102161, "SQ", SOMEWHERE),  # codes of an ethnic group
        (0x00100043, "SQ", SOMEWHERE),
        (0x00101020, "DS", b"172 " + NAME),
        (0x00101030, "DS", b"72 kg, Mrs " + NAME),
        (0x001021C0, "US", NAME),
        (0x001021C0, "LO", NAME),
        (0x00080070, "LO", b"Scanner of Dr. " + NAME),
        (0x00181020, "LO", b"call sales@" + NAME + b".example"),
        (0x00180024, "SH", NAME + b"^Ann"),
        (0x00180015, "CS", NAME.upper() + b" KNEE"),
        (0x00080060, "CS", NAME.upper()),
        (0x00100040, "CS", b"MRS " + NAME.upper()),
        (0x00041130, "CS", NAME.upper()),  # what belongs into a DICOMDIR
        (0x00189152, "FD", NAME[:8]),
        (0x00281101, "LO", NAME),
        (0x00080040, "US", NAME + b" "),
        (0x7FE00008, "OF", NAME * 4),  # pixels beside pixels
    ],
)  # fmt: skip
def test_what_an_option_keeps_is_what_its_kind_says(element: tuple[int, str, bytes]) -> None:
    assert NAME.lower() not in deidentify(rough(element), reviewed=True).lower()


@pytest.mark.parametrize("root", ["1.2.840.10008.5.1.4.1.1.2.20240301.", "2.16.840.1.113883.6.", "1.2.840.10008."])
@pytest.mark.parametrize("tag", [0x00080018, 0x0020000D, 0x00200052, 0x0040A124])
def test_an_instance_below_a_root_of_the_standard_gets_another_uid(root: str, tag: int) -> None:
    assert b"7612345" not in deidentify(rough((tag, "UI", f"{root}7612345".encode())))


@pytest.mark.parametrize("uid", ["1.2.840.10008.5.1.4.1.1.2", "1.2.840.10008.6.1.1022", "2.16.840.1.113883.6.96"])
def test_what_the_standard_registers_stays(uid: str) -> None:
    assert uid.encode() in deidentify(rough((0x0040A124, "UI", uid.encode())))


def test_uids_that_stay_are_uids() -> None:
    kept = rough((0x00080018, "UI", b"1.2.Zyqorblat"), (0x0020000E, "UI", b"1.2.5"))
    copy = deidentify(kept, options=options_named(["research", "uids"]))
    assert NAME not in copy
    assert b"1.2.5" in copy


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("Zyqörblat^Ann", "Zyqoerblat"), ("Zyqörblat^Ann", "ZYQORBLAT"), ("O'Zyqorblat^Ann", "Zyqorblat"),
        ("山田^太郎", "山田太郎"), ("Зык^Ор", "Зыкор"),
    ],
)  # fmt: skip
def test_a_name_stays_in_no_technical_text_however_it_is_spelled(name: str, written: str) -> None:
    copy = deidentify(made.written(made.dataset(PatientName=name, Manufacturer=f"Siemens {written}")))
    assert written.encode().lower() not in copy.lower()


def test_a_name_under_another_vr_is_known_as_a_name() -> None:
    copy = deidentify(rough((0x00100010, "LO", b"Zyqorblat^Ann"), (0x00080070, "LO", b"Siemens Zyqorblat")))
    assert NAME not in copy


def test_an_item_is_read_in_its_own_letters() -> None:
    inside = items(
        (0x00080005, "CS", b"ISO_IR 144"), (0x00080070, "LO", "Зыкорблат".encode("iso8859_5")),
        (0x0040A123, "PN", "Зыкорблат".encode("iso8859_5")),
    )  # fmt: skip
    outside = (0x00180024, "SH", "Зыкорблат".encode())
    copy = deidentify(rough((0x00081115, "SQ", inside), outside))
    assert not leaks(copy, ["Зыкорблат"])
    assert "Зыкорблат".encode("iso8859_5") not in copy


def test_a_time_that_is_a_number_of_somebody_is_none() -> None:
    for options in ("research", "full-dates"):
        given = rough((0x00080032, "TM", b"0351.7612345"), (0x0008002A, "DT", b"202403017612345"))
        copy = deidentify(given, options=options_named([options]) - {Option.FACES})
        assert b"7612345" not in copy


def overlay(picture: np.ndarray, *more: tuple[int, str, bytes], behind: bytes = b"") -> bytes:
    rows, columns = (n.to_bytes(2, "little") for n in picture.shape)
    bits = np.packbits(picture.astype(np.uint8).ravel(), bitorder="little").tobytes()
    return rough(
        (0x60000010, "US", rows), (0x60000011, "US", columns), (0x60000040, "CS", b"R"),
        (0x60000050, "SS", b"\1\0\1\0"), (0x60000100, "US", b"\1\0"), (0x60000102, "US", b"\0\0"),
        (0x60003000, "OW", bits + behind), *more,
    )  # fmt: skip


def test_a_region_stays_and_letters_or_bytes_behind_it_do_not() -> None:
    region = np.zeros((128, 256), bool)
    region[30:90, 40:120] = True
    copy = deidentify(overlay(region, behind=NAME), options=GRAPHICS)
    assert NAME not in copy
    assert (read(copy).overlay_array(0x6000) == region).all() and read(copy)[0x60000100].value == 1
    canvas = Image.new("1", (256, 128))
    ImageDraw.Draw(canvas).text((20, 30), "Zyqorblat Ann", fill=1, font=ImageFont.load_default(20))
    assert 0x60003000 not in read(deidentify(overlay(np.array(canvas)), options=GRAPHICS))
    for odd in ((0x60000011, "US", NAME), (0x60000015, "IS", NAME), (0x60000050, "SS", NAME)):
        assert NAME not in deidentify(overlay(region, odd), options=GRAPHICS)


def test_nothing_stands_behind_the_samples_of_a_waveform() -> None:
    wave, channel = Dataset(), Dataset()
    wave.NumberOfWaveformChannels, wave.NumberOfWaveformSamples, wave.WaveformBitsAllocated = 1, 4, 16
    channel.ChannelLabel = "Zyqorblat lead"
    wave.ChannelDefinitionSequence = [channel]
    samples = np.arange(4, dtype=np.int16).tobytes()
    wave.add_new(0x54001010, "OW", samples + b"Zyqorblat ")
    ecg = made.dataset(
        sop_class="1.2.840.10008.5.1.4.1.1.9.1.1", modality="ECG", PixelData=None, WaveformSequence=[wave]
    )
    copy = deidentify(made.written(ecg))
    assert NAME not in copy and read(copy).WaveformSequence[0].WaveformData == samples


def test_a_picture_in_floating_point_waits_for_a_person() -> None:
    kept = made.dataset()
    kept.FloatPixelData = np.zeros((4, 6), np.float32).tobytes()
    kept.BitsAllocated = 32
    del kept.PixelData
    with pytest.raises(HeldBack, match="floating point"):
        deidentify(made.written(kept))


def test_no_refusal_says_a_value_of_the_header() -> None:
    with pytest.raises(HeldBack, match="class unknown"):
        deidentify(rough((0x00080016, "UI", NAME)))
    with pytest.raises(HeldBack, match="kind SCREEN SAVE"):
        deidentify(rough((0x00080008, "CS", b"DERIVED\\SECONDARY\\ZYQ SCREEN SAVE")))
