"""A word of capitals in a coded value stays only where it is known as a code; right images keep theirs."""

from __future__ import annotations

import pytest
from pydicom.datadict import DicomDictionary, tag_for_keyword
from test_dicom_deidentify import deidentify, read, rough

from isocenter.dicom.coded_words import is_known
from isocenter.dicom.confidentiality import options_named

DECIDING = {"SpecificCharacterSet", "PhotometricInterpretation", "BurnedInAnnotation", "RecognizableVisualFeatures"}
"""What decides how the object is read, or whether it leaves at all."""
CODED = sorted(
    (tag, e[4]) for tag, e in DicomDictionary.items()
    if e[0] == "CS" and e[4] and 0x00080000 <= tag < 0x50000000 and e[4] not in DECIDING
)  # fmt: skip
RIGHT = {
    "ImageType": (
        "ORIGINAL PRIMARY AXIAL", "M ND DIS2D NORM", "DERIVED SECONDARY CSA_MPR", "M_FFE FFE", "R_SE",
        "PHASE_MAP T1_MAP", "TRACEW ADC COLFA", "CT_SOM5_SPI", "B0_MAP", "GDC", "CSAPARALLEL", "RCBF PBP MTT",
        "WATER IN_PHASE FM4_1",
        "MPR THICK MNIP",
    ),
    "ScanOptions": ("HELICAL_MODE SAT2 PFP SFS", "FAST_GEMS NPW VASCTOF_GEMS EDR_GEMS FC_SLICE_AX_GEMS", "CG PPG FS"),
    "SequenceVariant": ("SK SP MP OSP",),
    "PatientOrientation": ("L PH", "PF A"),
    "PatientPosition": ("HFS FFDR",),
    "PhotometricInterpretation": ("MONOCHROME2 YBR_FULL_422",),
    "KSpaceFiltering": ("TUKEY",),
    "ApplicationSetupType": ("FLETCHER_SUIT",),
    "ModalitiesInStudy": ("CT SEG RTSTRUCT",),
    "BodyPartExamined": ("CSPINE ABDOMEN",),
    "Units": ("BQML GML",),
    "LossyImageCompressionMethod": ("ISO_10918_1",),
}  # fmt: skip


@pytest.mark.parametrize("options", ["research", "basic", "research patient institution"])
@pytest.mark.parametrize("name", ["PETERSEN", "LI", "MEYER2", "O NAKAMURA", "ANNA_MARIA"])
def test_a_name_stays_in_no_coded_attribute(name: str, options: str) -> None:
    """Every attribute of the dictionary that is coded and may stand in an image, as its only value and as a third."""
    assert len(CODED) > 700
    for value in (name, f"ORIGINAL\\PRIMARY\\{name}"):
        written = rough(*((tag, "CS", value.encode()) for tag, _ in CODED))
        copy = deidentify(written, options=options_named(options.split()))
        assert not any(word in copy for word in name.encode().replace(b"_", b" ").split() if len(word) > 2)
        left = [e.keyword for e in read(copy) if e.VR == "CS" and name in str(e.value)]
        assert left == [], "nor a short one"


@pytest.mark.parametrize("keyword", RIGHT)
def test_what_scanners_write_stays_as_it_is(keyword: str) -> None:
    for line in RIGHT[keyword]:
        said = "\\".join(line.split())
        if keyword in ("ImageType", "ScanOptions", "PatientOrientation", "SequenceVariant"):
            copy = read(deidentify(rough((tag_for_keyword(keyword) or 0, "CS", said.encode()))))
            value = copy[keyword].value
            assert ("\\".join(value) if not isinstance(value, str) else value) == said
        assert all(is_known(keyword, one) for one in line.split())


def test_the_place_of_a_value_in_a_row_stays_and_its_known_words() -> None:
    copy = read(deidentify(rough((0x00080008, "CS", b"ORIGINAL\\PRIMARY\\PETERSEN\\AXIAL"))))
    assert list(copy.ImageType) == ["ORIGINAL", "PRIMARY", "OTHER", "AXIAL"]
    copy = read(deidentify(rough((0x00180022, "CS", b"PETERSEN_MIP"), (0x00181250, "SH", b"x"))))
    assert copy.ScanOptions == "MIP"


def test_layers_that_somebody_named_stay_apart_and_together() -> None:
    by = {}
    for said in (b"PETERSEN", b"NAKAMURA"):
        by[said] = [read(deidentify(rough((0x00700002, "CS", said)))).GraphicLayer for _ in range(2)]
    assert by[b"PETERSEN"][0] == by[b"PETERSEN"][1] != by[b"NAKAMURA"][0]
    assert "PETERSEN" not in by[b"PETERSEN"][0]


def test_private_words_are_judged_alike() -> None:
    """GE's name of a pulse sequence, and a plane of Philips: both reviewed, both words of somebody at the console."""
    ge = lambda value: rough((0x00190010, "LO", b"GEMS_ACQU_01"), (0x0019109E, "LO", value))  # noqa: E731
    for kept in (b"EFGRE3D", b"FSE-XL", b"PROPELLER", b"memp"):
        assert 0x0019109E in read(deidentify(ge(kept))), kept
    for gone in (b"PETERSEN", b"Scan of Anna", b"1234567"):
        assert 0x0019109E not in read(deidentify(ge(gone))), gone
    plane = rough((0x20010010, "LO", b"Philips Imaging DD 001"), (0x2001100B, "CS", b"TRANSVERSAL"))
    assert read(deidentify(plane))[0x2001100B].value in ("TRANSVERSAL", b"TRANSVERSAL ")
    assert b"PETERSEN" not in deidentify(plane.replace(b"TRANSVERSAL ", b"PETERSEN    "))
