"""The table of header values, held against the dictionary."""

from __future__ import annotations

import made
import pydicom
import pytest
from pydicom.datadict import dictionary_VM, dictionary_VR, keyword_for_tag

from isocenter.dicom.elements import parse
from isocenter.dicom.facts import Row, instance_facts, rows, series_facts, text


@pytest.mark.parametrize("row", rows(), ids=lambda r: r.keyword)
def test_each_line_names_its_tag_and_its_kind_rightly(row: Row) -> None:
    assert keyword_for_tag(row.tag) == row.keyword
    vr = dictionary_VR(row.tag)
    allowed = {
        "t": {"LO", "SH", "CS", "UC", "ST"}, "T": {"CS", "LO"}, "d": {"DS"}, "D": {"DS", "IS"}, "n": {"IS"},
        "b": {"US", "US or SS"}, "h": {"SS"}, "f": {"FD"}, "B": {"FD"}, "w": {"CS", "DA", "TM", "DT", "AS", "UI", "SH"},
    }  # fmt: skip
    assert vr in allowed[row.kind]
    if row.kind in "TDB":
        assert dictionary_VM(row.tag) not in ("1",)


def test_private_values_stand_behind_their_owner() -> None:
    ds = made.dataset(sop_class=made.PT, modality="PT")
    block = ds.private_block(0x7053, "Philips PET Private Group", create=True)
    block.add_new(0x00, "DS", "0.000321")
    block.add_new(0x09, "DS", "2.5")
    found = series_facts(parse(made.written(ds)), ())
    assert found["PhilipsSUVScaleFactor"] == 0.000321 and found["PhilipsActivityConcentrationScaleFactor"] == 2.5
    ds = made.dataset(sop_class=made.PT, modality="PT")
    ds.private_block(0x7053, "SOMEONE ELSE", create=True).add_new(0x00, "DS", "7")
    assert "PhilipsSUVScaleFactor" not in series_facts(parse(made.written(ds)), ())


def test_velocity_of_a_classic_image_in_the_sequence_of_enhanced_ones() -> None:
    way = pydicom.Dataset()
    way.VelocityEncodingDirection, way.VelocityEncodingMaximumValue = [0.0, 0.0, 1.0], 150.0
    ds = made.dataset(MRVelocityEncodingSequence=[way])
    ds.private_block(0x0043, "GEMS_PARM_01", create=True).add_new(0x30, "SS", 4)
    found = instance_facts(parse(made.written(ds)), ())
    assert found["VelocityEncodingDirection"] == [0.0, 0.0, 1.0] and found["VelocityEncodingMaximumValue"] == 150.0
    assert found["GEFlowDirection"] == 4


def test_codes_and_references_and_real_world_maps() -> None:
    region, unit, real = pydicom.Dataset(), pydicom.Dataset(), pydicom.Dataset()
    region.CodeMeaning = "Chest"
    unit.CodeValue = "um2/s"
    real.RealWorldValueSlope, real.RealWorldValueIntercept = 2.0, 1.0
    real.RealWorldValueFirstValueMapped, real.RealWorldValueLastValueMapped = 0, 100
    real["RealWorldValueFirstValueMapped"].VR = real["RealWorldValueLastValueMapped"].VR = "US"
    real.MeasurementUnitsCodeSequence = [unit]
    other = pydicom.Dataset()
    other.SeriesInstanceUID = "1.2.7"
    ds = made.dataset(
        AnatomicRegionSequence=[region], RealWorldValueMappingSequence=[real], ReferencedSeriesSequence=[other]
    )
    file = parse(made.written(ds))
    assert series_facts(file, ())["AnatomicRegion"] == "Chest"
    assert series_facts(file, ())["ReferencedSeriesUIDs"] == ["1.2.7"]
    found = instance_facts(file, ())
    assert (found["RealWorldValueSlope"], found["RealWorldValueIntercept"]) == (2.0, 1.0)
    assert found["RealWorldValueUnit"] == "um2/s"


def test_numbers_that_are_none_stay_words() -> None:
    ds = made.dataset(EchoTime=None)
    data = made.written(ds).replace(b"0.0\\0.0\\1.0 ", b"NaN\\inf\\1.0 ")
    assert instance_facts(parse(data), ())["ImagePositionPatient"] == ["NaN", "inf", 1.0]


def test_text_of_an_unknown_set_is_never_an_exception() -> None:
    file = parse(made.made(PatientName="Jérôme", SpecificCharacterSet="ISO_IR 100"))
    for charset in ("ISO_IR 192", "ISO 2022 IR 87", "nonsense", "ISO_IR 100"):
        assert text(file, 0x00100010, (charset,)).startswith("J")


def _item(**values: object) -> pydicom.Dataset:
    item = pydicom.Dataset()
    for keyword, value in values.items():
        setattr(item, keyword, value)
    return item


def test_what_enhanced_objects_keep_in_groups_is_known_as_in_a_classic_header() -> None:
    shared = _item(
        MRTimingAndRelatedParametersSequence=[_item(RepetitionTime=1400.0, FlipAngle=70.0)],
        PixelMeasuresSequence=[_item(SpacingBetweenSlices=5.0)],
        MRImagingModifierSequence=[_item(TransmitterFrequency=[123.2, 31.0])],
    )
    beat = [_item(RRIntervalTimeNominal=830.0)]
    frames = [
        _item(MREchoSequence=[_item(EffectiveEchoTime=30.0)], CardiacSynchronizationSequence=beat) for _ in range(3)
    ]
    given = {"SharedFunctionalGroupsSequence": [shared], "PerFrameFunctionalGroupsSequence": frames}
    agent = [_item(CodeValue="1", CodingSchemeDesignator="99X", CodeMeaning="Gadobutrol")]
    file = parse(made.written(made.dataset(sop_class=made.ENHANCED_MR, ContrastBolusAgentSequence=agent, **given)))
    found, own = series_facts(file, ()), instance_facts(file, ())
    assert (found["RepetitionTime"], found["SpacingBetweenSlices"], own["FlipAngle"], own["EchoTime"]) == (
        1400,
        5,
        70,
        30,
    )
    assert found["ImagingFrequency"] == 123.2
    assert found["ContrastBolusAgent"] == "Gadobutrol" and own["NominalInterval"] == 830.0
    spin = made.dataset(sop_class=made.ENHANCED_MR, EchoPulseSequence="SPIN", **given)
    assert series_facts(parse(made.written(spin)), ())["ScanningSequence"] == ["SE"]
    frames[1].MREchoSequence[0].EffectiveEchoTime = 60.0
    given["PerFrameFunctionalGroupsSequence"] = frames
    assert "EchoTime" not in instance_facts(parse(made.written(made.dataset(sop_class=made.ENHANCED_MR, **given))), ())


@pytest.mark.parametrize("syntax", [made.EXPLICIT, made.IMPLICIT, made.BIG])
def test_binary_values_are_read_by_their_width_where_the_file_does_not_say_it(syntax: str) -> None:
    """Implicit VR writes no VR at all: a b-value is eight bytes there, and a VENC of Philips three times four."""
    public = {
        "DiffusionBValue": 1000.0, "VelocityEncodingMaximumValue": 150.0, "PixelIntensityRelationshipSign": -1,
        "VelocityEncodingDirection": [0.0, 0.0, 1.0],
    }  # fmt: skip
    ds = made.dataset(modality="MR", **public)
    for group, owner, offset, vr, value in (
        (0x2001, "Philips Imaging DD 001", 0x1A, "FL", [150.0, 0.0, 0.0]),
        (0x2005, "Philips MR Imaging DD 001", 0x0E, "FL", 0.25),
        (0x0019, "GEMS_ACQU_01", 0xCC, "SS", 1500),
        (0x0043, "GEMS_PARM_01", 0x2F, "SS", 3),
    ):
        ds.private_block(group, owner, create=True).add_new(offset, vr, value)
    told = instance_facts(parse(made.written(ds, syntax)), ())
    wanted = {**public, "PhilipsPCVelocity": [150.0, 0.0, 0.0], "GEVelocityEncoding": 1500, "GEImageKind": 3}
    wanted["PhilipsScaleSlope"] = [0.25]
    assert {k: told[k] for k in wanted} == wanted


def test_the_old_header_of_a_converted_object_is_read() -> None:
    drug = _item(RadionuclideTotalDose="370000000", RadionuclideHalfLife="6586.2")
    header = _item(
        CorrectedImage=["ATTN", "DECY"], Units="BQML", HeartRate="61", RadiopharmaceuticalInformationSequence=[drug]
    )
    groups = [_item(UnassignedSharedConvertedAttributesSequence=[header])]
    ds = made.dataset(sop_class="1.2.840.10008.5.1.4.1.1.128.1", modality="PT", SharedFunctionalGroupsSequence=groups)
    found = series_facts(parse(made.written(ds)), ())
    assert (found["CorrectedImage"], found["Units"], found["HeartRate"]) == (["ATTN", "DECY"], "BQML", 61)
    assert found["RadionuclideTotalDose"] == 370e6


def test_several_injections_are_told() -> None:
    first, again = (
        _item(RadionuclideTotalDose=dose, RadiopharmaceuticalStartTime=at)
        for dose, at in (("370000000", "101500"), ("90000000", "094000"))
    )
    ds = made.dataset(modality="PT", RadiopharmaceuticalInformationSequence=[first, again])
    found = series_facts(parse(made.written(ds)), ())
    assert found["Injections"] == ["370000000 at 101500", "90000000 at 094000"]
    ds.RadiopharmaceuticalInformationSequence = [first, first]  # written twice, given once
    assert "Injections" not in series_facts(parse(made.written(ds)), ())


@pytest.mark.parametrize(
    ("born", "age"),
    [
        ("19700315", "055Y"),
        ("19700316", "054Y"),
        ("20240501", "010M"),
        ("", None),
        ("20300101", None),
    ],
)
def test_an_age_that_is_not_stated_follows_from_the_day_of_birth(born: str, age: str | None) -> None:
    ds = made.dataset(PatientBirthDate=born, StudyDate="20250315")
    assert series_facts(parse(made.written(ds)), ()).get("PatientAge") == age
    ds.PatientAge = "061Y"
    assert series_facts(parse(made.written(ds)), ())["PatientAge"] == "061Y"
    del ds.PatientAge
    damaged = made.written(ds).replace(b"20250315", "2025²315".encode("latin-1"))  # a digit, and no number
    assert "PatientAge" not in series_facts(parse(damaged), ())


@pytest.mark.parametrize(("written", "read"), [("52Y", "052Y"), ("052y", "052Y"), ("6M", "006M"), ("52", "055Y")])
def test_an_age_is_read_as_it_is_meant(written: str, read: str) -> None:
    """Without a unit it is none: then the day of birth counts, on the first day that is stated."""
    ds = made.dataset(PatientBirthDate="19700315", StudyDate="", AcquisitionDate="20250315", PatientAge="052Y")
    said = made.written(ds).replace(b"052Y", written.encode().ljust(4))
    assert series_facts(parse(said), ())["PatientAge"] == read


def test_views_and_positions_are_read_by_their_codes_whatever_language_their_meanings_have() -> None:
    ds = made.dataset()
    view, modifier, lying, supine = (pydicom.Dataset() for _ in range(4))
    for item, (value, scheme, meaning) in zip(
        (view, modifier, lying, supine),
        (("399162004", "SCT", "kraniokaudal"), ("R-102D7", "SRT", "Zielaufnahme"),
         ("102538003", "SCT", "recumbent"), ("F-10340", "SRT", "Rückenlage")),
        strict=True,
    ):  # fmt: skip
        item.CodeValue, item.CodingSchemeDesignator, item.CodeMeaning = value, scheme, meaning
    view.ViewModifierCodeSequence, lying.PatientOrientationModifierCodeSequence = [modifier], [supine]
    ds.ViewCodeSequence, ds.PatientOrientationCodeSequence = [view], [lying]
    ds.SpecificCharacterSet = "ISO_IR 100"
    found = series_facts(parse(made.written(ds)), ("ISO_IR 100",))
    assert found["ViewCode"] == "cranio-caudal (kraniokaudal)"
    assert found["ViewModifier"] == "spot compression (Zielaufnahme)"
    assert (found["PatientOrientationCode"], found["PatientOrientationModifier"]) == (
        "recumbent", "supine (Rückenlage)",
    )  # fmt: skip


def test_a_side_is_read_in_functional_groups_and_beside_the_region() -> None:
    ds = made.dataset()
    shared, frame, region, left = (pydicom.Dataset() for _ in range(4))
    frame.FrameLaterality, shared.FrameAnatomySequence = "R", [frame]
    left.CodeValue, left.CodingSchemeDesignator, left.CodeMeaning = "7771000", "SCT", "Left"
    region.CodeValue, region.CodingSchemeDesignator, region.CodeMeaning = "76752008", "SCT", "Breast"
    region.AnatomicRegionModifierSequence = [left]
    ds.SharedFunctionalGroupsSequence, ds.AnatomicRegionSequence = [shared], [region]
    assert instance_facts(parse(made.written(ds)), ())["ImageLaterality"] == "R"
    assert series_facts(parse(made.written(ds)), ())["AnatomicRegionSide"] == "L"


@pytest.mark.parametrize(("kind", "intent"), [("1.2", "FOR PRESENTATION"), ("1.2.1", "FOR PROCESSING")])
def test_the_class_of_a_radiograph_says_what_it_is_for(kind: str, intent: str) -> None:
    ds = made.dataset(SOPClassUID=f"1.2.840.10008.5.1.4.1.1.{kind}")
    assert series_facts(parse(made.written(ds)), ())["PresentationIntentType"] == intent
