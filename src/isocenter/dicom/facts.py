"""Which header values go with a record: what planning, assembling, searching and uptake need, and nothing more.

One line a value: tag, keyword, kind, and whether a series shares it (S) or each instance has its own (I). A value
that a series should share and does not is moved to the instances when their records are merged, so nothing is lost.

Kinds: ``t`` text, ``T`` list of texts, ``d`` decimal, ``D`` list of decimals, ``n`` whole number, ``w`` raw words kept
as they stand; and binary ones, whose width is told here for files that do not tell it (implicit VR, or UN): ``b``
unsigned short, ``h`` signed short, ``f`` double, ``B`` list of doubles, ``F`` list of singles. What is no finite number
is kept as its text, so that whoever computes with it refuses it by name.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from functools import cache
from typing import Any, NamedTuple

from isocenter.dicom.elements import Dataset, File
from isocenter.dicom.projection_codes import projection_words

__all__ = ["Row", "all_facts", "instance_facts", "rows", "series_facts", "text"]


class Row(NamedTuple):
    """One header value: where it stands, its keyword, and how it is read."""

    tag: int
    keyword: str
    kind: str
    shared: bool


_TABLE = """
00080005 SpecificCharacterSet T S
00080008 ImageType T I
00080021 SeriesDate w S
00080022 AcquisitionDate w I
00080023 ContentDate w I
0008002A AcquisitionDateTime w I
00080030 StudyTime w S
00080031 SeriesTime w S
00080032 AcquisitionTime w I
00080033 ContentTime w I
00080060 Modality w S
00080068 PresentationIntentType t S
00080070 Manufacturer t S
00080080 InstitutionName t S
00081010 StationName t S
00081030 StudyDescription t S
0008103E SeriesDescription t S
00081090 ManufacturerModelName t S
00080201 TimezoneOffsetFromUTC w S
00082144 RecommendedDisplayFrameRate n I
00100040 PatientSex w S
00101010 PatientAge w S
00101020 PatientSize d S
00101030 PatientWeight d S
00180010 ContrastBolusAgent t S
00180015 BodyPartExamined t S
00180020 ScanningSequence T S
00180021 SequenceVariant T S
00180022 ScanOptions T S
00180023 MRAcquisitionType t S
00180024 SequenceName t I
00180040 CineRate n I
00180050 SliceThickness d S
00180060 KVP d I
00180080 RepetitionTime d S
00180081 EchoTime d I
00180082 InversionTime d I
00180084 ImagingFrequency d S
00180085 ImagedNucleus t S
00180086 EchoNumbers n I
00180087 MagneticFieldStrength d S
00180088 SpacingBetweenSlices d S
00180090 DataCollectionDiameter d S
00180091 EchoTrainLength n S
00181000 DeviceSerialNumber t S
00181020 SoftwareVersions T S
00181030 ProtocolName t S
00181060 TriggerTime d I
00181062 NominalInterval n I
00181063 FrameTime d I
00181065 FrameTimeVector D I
00181066 FrameDelay d I
00181088 HeartRate n S
00181090 CardiacNumberOfImages n S
00181081 LowRRValue n S
00181082 HighRRValue n S
00181100 ReconstructionDiameter d S
00181111 DistanceSourceToPatient d I
00181110 DistanceSourceToDetector d I
00181114 EstimatedRadiographicMagnificationFactor d I
00181120 GantryDetectorTilt d I
00181151 XRayTubeCurrent n I
00181152 Exposure n I
00181164 ImagerPixelSpacing D I
001811A4 PaddleDescription t I
00181400 AcquisitionDeviceProcessingDescription t I
00181210 ConvolutionKernel t S
00181242 ActualFrameDuration n I
00181312 InPlanePhaseEncodingDirection w S
00181314 FlipAngle d I
00182010 NominalScannedPixelSpacing D I
00185100 PatientPosition w S
00185101 ViewPosition w S
00189037 CardiacSynchronizationTechnique w S
00189073 AcquisitionDuration f S
00089208 ComplexImageComponent w I
00189005 PulseSequenceName t S
00189016 Spoiling w S
00189017 SteadyStatePulseSequence w S
00189018 EchoPlanarPulseSequence w S
00189087 DiffusionBValue f I
00189089 DiffusionGradientOrientation B I
00189090 VelocityEncodingDirection B I
00189217 VelocityEncodingMaximumValue f I
00200010 StudyID t S
00200012 AcquisitionNumber n I
00200020 PatientOrientation T I
00200032 ImagePositionPatient D I
00200037 ImageOrientationPatient D I
00200052 FrameOfReferenceUID w S
00200060 Laterality w S
00200062 ImageLaterality w I
00200100 TemporalPositionIdentifier n I
00200105 NumberOfTemporalPositions n S
00200110 TemporalResolution d S
00201041 SliceLocation d I
00280002 SamplesPerPixel b I
00280004 PhotometricInterpretation w I
00280006 PlanarConfiguration b I
00280030 PixelSpacing D I
00280034 PixelAspectRatio D I
00280051 CorrectedImage T S
00280100 BitsAllocated b I
00280101 BitsStored b I
00280102 HighBit b I
00280103 PixelRepresentation b I
00280120 PixelPaddingValue b S
00280121 PixelPaddingRangeLimit b S
00280301 BurnedInAnnotation w S
00281040 PixelIntensityRelationship w I
00281041 PixelIntensityRelationshipSign h I
00281050 WindowCenter D I
00281300 BreastImplantPresent w S
00281350 PartialView w I
00281051 WindowWidth D I
00281052 RescaleIntercept d I
00281053 RescaleSlope d I
00281054 RescaleType t I
00281056 VOILUTFunction w I
00282110 LossyImageCompression w S
00282112 LossyImageCompressionRatio D S
00321030 ReasonForStudy t S
00321060 RequestedProcedureDescription t S
00400244 PerformedProcedureStepStartDate w S
00400245 PerformedProcedureStepStartTime w S
00400253 PerformedProcedureStepID t S
00400254 PerformedProcedureStepDescription t S
00401002 ReasonForTheRequestedProcedure t S
00541000 SeriesType T S
00541001 Units w S
00541002 CountsSource w S
00541006 SUVType w S
00541100 RandomsCorrectionMethod w S
00541101 AttenuationCorrectionMethod t S
00541102 DecayCorrection w S
00541105 ScatterCorrectionMethod t S
00541300 FrameReferenceTime d I
00541321 DecayFactor d I
00541322 DoseCalibrationFactor d I
00541330 ImageIndex b I
00540081 NumberOfSlices b S
00540101 NumberOfTimeSlices b S
3004000E DoseGridScaling d I
30040002 DoseUnits w I
30060002 StructureSetLabel t S
"""

# Values that only some makers write, each behind the name of its owner (PS3.5 section 7.8.1).
_PRIVATE = (
    (0x7053, "Philips PET Private Group", 0x00, "PhilipsSUVScaleFactor", "d", True),
    (0x7053, "Philips PET Private Group", 0x09, "PhilipsActivityConcentrationScaleFactor", "d", True),
    (0x0009, "GEMS_PETD_01", 0x0D, "GEScanDateTime", "w", True),
    (0x0019, "SIEMENS MR HEADER", 0x0A, "SiemensImagesInMosaic", "b", False),
    (0x0019, "SIEMENS MR HEADER", 0x0C, "SiemensBValue", "d", False),
    (0x0019, "SIEMENS MR HEADER", 0x0E, "SiemensDiffusionGradientDirection", "B", False),
    (0x0043, "GEMS_PARM_01", 0x2F, "GEImageKind", "h", False),
    (0x0043, "GEMS_PARM_01", 0x39, "GEBValue", "D", False),
    (0x0019, "GEMS_ACQU_01", 0xBB, "GEDiffusionGradientX", "d", False),
    (0x0019, "GEMS_ACQU_01", 0xBC, "GEDiffusionGradientY", "d", False),
    (0x0019, "GEMS_ACQU_01", 0xBD, "GEDiffusionGradientZ", "d", False),
    (0x0019, "GEMS_ACQU_01", 0xCC, "GEVelocityEncoding", "h", False),
    (0x0043, "GEMS_PARM_01", 0x30, "GEFlowDirection", "h", False),
    (0x0043, "GEMS_PARM_01", 0x32, "GEVelocityFlags", "h", False),
    (0x2001, "Philips Imaging DD 001", 0x1A, "PhilipsPCVelocity", "F", False),
    (0x2005, "Philips MR Imaging DD 001", 0x0E, "PhilipsScaleSlope", "F", False),
    (0x2005, "Philips MR Imaging DD 001", 0xA0, "PhilipsDynamicScanBeginTime", "F", False),
    (0x0051, "SIEMENS MR HEADER", 0x14, "SiemensVelocity", "t", False),
)

_DRUG, _DOSE, _GIVEN_AT = 0x00540016, 0x00181074, 0x00181072
_OF_DRUG = (
    Row(0x00180031, "Radiopharmaceutical", "t", True),
    Row(0x00181072, "RadiopharmaceuticalStartTime", "w", True),
    Row(0x00181073, "RadiopharmaceuticalStopTime", "w", True),
    Row(0x00181074, "RadionuclideTotalDose", "d", True),
    Row(0x00181075, "RadionuclideHalfLife", "d", True),
    Row(0x00181076, "RadionuclidePositronFraction", "d", True),
    Row(0x00181078, "RadiopharmaceuticalStartDateTime", "w", True),
    Row(0x00181079, "RadiopharmaceuticalStopDateTime", "w", True),
)
_PLACE = (0x00209113, 0x00209116)
_MULTI_ENERGY, _ENERGY = 0x00189364, Row(0x0018937C, "MonoenergeticEnergyEquivalent", "f", True)
# What enhanced objects keep in functional groups (PS3.3 C.7.6.16): the group, where in it, and as what it is known.
_GROUPED = (
    (0x00209071, Row(0x00209072, "ImageLaterality", "w", False)),
    (0x00289110, Row(0x00180050, "SliceThickness", "d", True)),
    (0x00289110, Row(0x00180088, "SpacingBetweenSlices", "d", True)),
    (0x00289110, Row(0x00280030, "PixelSpacing", "D", False)),
    (_PLACE[0], Row(0x00200032, "ImagePositionPatient", "D", False)),
    (_PLACE[1], Row(0x00200037, "ImageOrientationPatient", "D", False)),
    (0x00189112, Row(0x00180080, "RepetitionTime", "d", True)),
    (0x00189112, Row(0x00181314, "FlipAngle", "d", False)),
    (0x00189112, Row(0x00180091, "EchoTrainLength", "n", True)),
    (0x00189114, Row(0x00189082, "EchoTime", "f", False)),
    (0x00189115, Row(0x00189009, "InversionRecovery", "w", True)),
    (0x00189115, Row(0x00189024, "SaturationRecovery", "w", True)),
    (0x00189006, Row(0x00189098, "ImagingFrequency", "f", True)),
    (0x00189118, Row(0x00209251, "NominalInterval", "f", False)),
    (0x00189325, Row(0x00180060, "KVP", "d", False)),
    (0x00189314, Row(0x00181210, "ConvolutionKernel", "t", True)),
    (_MULTI_ENERGY, _ENERGY),
)
_SHARED_GROUPS, _FRAME_GROUPS, _CONVERTED = 0x52009229, 0x52009230, 0x00209170
_AGENTS = 0x00180012
_ECHOES = 0x00189008  # Echo Pulse Sequence of enhanced MR, in the words of classic Scanning Sequence
_SCANNING = {"SPIN": ["SE"], "GRADIENT": ["GR"], "BOTH": ["SE", "GR"]}
_DECAY_CORRECTED, _DECAY_MOMENT = 0x00189758, 0x00189701
# Enhanced PET says of each correction YES or NO (PS3.3 C.8.22.3) where classic images list those that were made.
_CORRECTIONS = ((_DECAY_CORRECTED, "DECY"), (0x00189759, "ATTN"), (0x00189760, "SCAT"), (0x00189761, "DTIM"),
                (0x00189764, "NORM"), (0x00189765, "RAN"))  # fmt: skip
_VELOCITY = 0x00189197  # some write the sequence of enhanced images into classic ones
_OF_VELOCITY = (
    Row(0x00189090, "VelocityEncodingDirection", "B", False),
    Row(0x00189217, "VelocityEncodingMaximumValue", "f", False),
)
# Sequence -> keyword under which its first item's code meaning stands.
# Where a projection is told: by the view, by a name of its own, and by how the patient stood; with their modifiers.
_PROJECTED = (
    (0x00540220, "ViewCode", 0x00540222, "ViewModifier"),
    (0x00185104, "ProjectionEponymousName", 0, ""),
    (0x00540410, "PatientOrientationCode", 0x00540412, "PatientOrientationModifier"),
)
_REGION, _REGION_MODIFIERS = 0x00082218, 0x00082220
_SIDES = {"7771000": "L", "G-A101": "L", "24028007": "R", "G-A100": "R", "51440002": "B", "G-A102": "B"}
_INTENTS = {f"1.2.840.10008.5.1.4.1.1.1.{n}": "FOR PRESENTATION" for n in ("1", "2", "3")} | {
    f"1.2.840.10008.5.1.4.1.1.1.{n}.1": "FOR PROCESSING" for n in ("1", "2", "3")
}
_CODES = (
    (0x00082218, "AnatomicRegion"),
    (0x00181200, "Calibration"),
    (0x00081032, "ProcedureCode"),
    (0x00321064, "RequestedProcedureCode"),
    (0x00400260, "PerformedProtocolCode"),
)
_VALUE, _SCHEME, _MEANING = 0x00080100, 0x00080102, 0x00080104


@cache
def rows() -> tuple[Row, ...]:
    """The table, in the order of the tags."""
    found = []
    for line in _TABLE.strip().splitlines():
        tag, keyword, kind, level = line.split()
        if keyword != "-" and kind != "-":
            found.append(Row(int(tag, 16), keyword, kind, level == "S"))
    return tuple(sorted(found))


@cache
def _by_tag() -> dict[int, Row]:
    return {row.tag: row for row in rows()}


def text(file: File, tag: int, charsets: tuple[str, ...], among: Dataset | None = None) -> str:
    """A text in its character set; bytes that the set does not know become replacement marks, never an exception."""
    slot = (file.dataset if among is None else among).get(tag)
    if slot is None or slot[3] is not None:
        return ""
    raw = file.raw(slot)
    if raw.isascii() and b"\x1b" not in raw:
        return raw.decode("ascii").strip(" \0")
    return _decoded(raw, charsets).strip(" \0")


def _decoded(raw: bytes, charsets: tuple[str, ...]) -> str:
    only = charsets[0] if len(charsets) == 1 else ""
    quick = {"ISO_IR 192": "utf-8", "ISO_IR 100": "latin-1", "GB18030": "gb18030"}.get(only)
    if quick:
        return raw.decode(quick, "replace")
    import warnings

    from pydicom.charset import convert_encodings, decode_bytes

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # an unknown set falls back to the default one; the name stays readable
        try:
            encodings = convert_encodings(list(charsets) or None)
            # Components of a name are encoded one by one: an escape sequence ends with its component.
            return str(decode_bytes(raw, encodings, {"\\", "^", "="}))
        except (LookupError, ValueError):
            return raw.decode("latin-1")


_WIDTHS = {"b": "H", "h": "h", "f": "d", "B": "d", "F": "f"}  # kind -> letter of struct


def _read(file: File, row: Row, charsets: tuple[str, ...], among: Dataset) -> Any:
    kind = row.kind
    if (width := _WIDTHS.get(kind)) and among[row.tag][0] not in ("DS", "IS"):
        found = [_plain(v) for v in file.numbers(row.tag, among, width)]
        return (found or None) if kind in "BF" else (found[0] if found else None)
    if kind == "w":
        return file.ascii(row.tag, among) or None
    slot = among[row.tag]
    if kind in "dDn" and slot[0] in ("FD", "FL", "US", "SS", "UL", "SL"):  # before text: its bytes may be letters
        found = [_plain(v) for v in file.numbers(row.tag, among)]
        return (found or None) if kind == "D" else (found[0] if found else None)
    said = text(file, row.tag, charsets, among)
    if not said:
        return None
    if kind == "t":
        return said
    if kind == "T":
        return [part.strip(" \0") for part in said.split("\\")]
    if kind in "DBF":
        return [_number(part) for part in said.split("\\")]
    value = _number(said.split("\\")[0])
    return int(value) if kind == "n" and isinstance(value, float) and value.is_integer() else value


def _number(part: str) -> float | str:
    try:
        value = float(part)
    except ValueError:
        return part.strip()
    return value if math.isfinite(value) else part.strip()


def _plain(value: float) -> float | int | str:
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def all_facts(file: File, charsets: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Facts that a series should share, as this instance has them, and those of the instance alone; read once."""
    shared, own = _collect(file, charsets)
    _of_series(file, charsets, shared)
    _of_groups(file, charsets, shared, own)
    _of_patient(file, shared)
    for item in file.items(_VELOCITY)[:1]:
        for row in _OF_VELOCITY:
            if row.tag in item and (value := _read(file, row, charsets, item)) is not None:
                own.setdefault(row.keyword, value)
    _real_world(file, charsets, own)
    return shared, own


def facts_at(file: File, tags: Iterable[int]) -> dict[str, Any]:
    """Of all facts of the outermost level only these, which are numbers or words of the basic repertoire."""
    table, found = _by_tag(), {}
    for tag in tags:
        if tag in file.dataset and (value := _read(file, table[tag], (), file.dataset)) is not None:
            found[table[tag].keyword] = value
    return found


def instance_facts(file: File, charsets: tuple[str, ...]) -> dict[str, Any]:
    """Facts of one instance alone."""
    return all_facts(file, charsets)[1]


def series_facts(file: File, charsets: tuple[str, ...]) -> dict[str, Any]:
    """Facts that a series should share, as this instance has them."""
    return all_facts(file, charsets)[0]


def _of_series(file: File, charsets: tuple[str, ...], found: dict[str, Any]) -> None:
    """What stands inside of sequences."""
    _of_drug(file, charsets, file.dataset, found)
    for tag, keyword in _CODES:
        for item in file.items(tag)[:1]:
            found[keyword] = text(file, _MEANING, charsets, item)
    for tag, keyword, modifiers, modified in _PROJECTED:
        for item in file.items(tag)[:1]:
            found[keyword] = _projected(file, charsets, item)
            if modifiers and (said := [_projected(file, charsets, one) for one in file.items(modifiers, item)]):
                found[modified] = ", ".join(said)
    for region in file.items(_REGION)[:1]:
        for item in file.items(_REGION_MODIFIERS, region):
            if side := _SIDES.get(file.ascii(_VALUE, item)):
                found["AnatomicRegionSide"] = side
    if intent := _INTENTS.get(file.ascii(0x00080016)):
        found.setdefault("PresentationIntentType", intent)  # some leave out what the class says
    if agents := [text(file, _MEANING, charsets, item) for item in file.items(_AGENTS)]:
        found.setdefault("ContrastBolusAgent", ", ".join(a for a in agents if a) or "stated by a code without a name")
    for one in file.items(_MULTI_ENERGY)[:1]:
        if _ENERGY.tag in one and (kev := _read(file, _ENERGY, charsets, one)) is not None:
            found[_ENERGY.keyword] = kev
    if echoes := _SCANNING.get(file.ascii(_ECHOES).upper()):
        found.setdefault("ScanningSequence", echoes)
    if _DECAY_CORRECTED in file.dataset:
        _of_enhanced_pet(file, found)
    _references(file, found)
    if _machine_made(file):
        found["MadeBy"] = "machine"
    if file.ascii(0x00080060) == "SR":
        for title in file.items(_CONCEPT)[:1]:
            words = text(file, _MEANING, charsets, title)
            found["ReportTitleCode"] = [file.ascii(_VALUE, title), file.ascii(_SCHEME, title), words]
        for template in file.items(_TEMPLATE)[:1]:
            found["ReportTemplate"] = file.ascii(_TEMPLATE_NUMBER, template)


def _projected(file: File, charsets: tuple[str, ...], item: Dataset) -> str:
    return projection_words(file.ascii(_VALUE, item), file.ascii(_SCHEME, item), text(file, _MEANING, charsets, item))


def _of_enhanced_pet(file: File, found: dict[str, Any]) -> None:
    """The corrections of an enhanced PET in the words of classic ones, and the moment that decay is corrected to."""
    found.setdefault("CorrectedImage", [word for tag, word in _CORRECTIONS if file.ascii(tag).upper() == "YES"])
    if file.ascii(_DECAY_CORRECTED).upper() != "YES":
        found.setdefault("DecayCorrection", "NONE")
    elif moment := file.ascii(_DECAY_MOMENT):
        found.setdefault("DecayCorrection", "START")
        found["DecayCorrectionDateTime"] = moment


def _of_drug(file: File, charsets: tuple[str, ...], among: Dataset, found: dict[str, Any]) -> None:
    drugs = file.items(_DRUG, among)
    given = [" at ".join(file.ascii(tag, drug) or "?" for tag in (_DOSE, _GIVEN_AT)) for drug in drugs]
    if len(set(given)) > 1:
        found["Injections"] = given
    for drug in drugs[:1]:
        for row in _OF_DRUG:
            if row.tag in drug:
                value = _read(file, row, charsets, drug)
                if value is not None:
                    found[row.keyword] = value
        for nuclide in file.items(0x00540300, drug)[:1]:
            found["Radionuclide"] = text(file, _MEANING, charsets, nuclide)
            found["RadionuclideCode"] = [file.ascii(_VALUE, nuclide), file.ascii(_SCHEME, nuclide)]


def _of_groups(file: File, charsets: tuple[str, ...], shared: dict[str, Any], own: dict[str, Any]) -> None:
    """What all frames of an enhanced object share, and what stood in the headers that a converted one was made of."""
    for groups in file.items(_SHARED_GROUPS)[:1]:
        for header in file.items(_CONVERTED, groups)[:1]:
            for tag, row in _by_tag().items():
                into = shared if row.shared else own
                if tag in header and row.keyword not in into:
                    value = _read(file, row, charsets, header)
                    if value is not None:
                        into[row.keyword] = value
            if "RadionuclideTotalDose" not in shared:
                _of_drug(file, charsets, header, shared)
        frames = file.items(_FRAME_GROUPS)
        for group, row in _GROUPED:
            into = shared if row.shared else own
            if row.keyword in into:
                continue
            held = file.items(group, groups)[:1] or [one for own_ in frames for one in file.items(group, own_)[:1]]
            values = [_read(file, row, charsets, one) for one in held if row.tag in one]
            if (row is _ENERGY or group in _PLACE) and group not in groups and len(values) < len(frames):
                continue  # some frames are plain, or lie nobody knows where
            if values and values[0] is not None and all(v == values[0] for v in values):
                into[row.keyword] = values[0]


_AGE = re.compile(r"\s*(\d{1,3})\s*([DWMY])\s*", re.IGNORECASE)
_BORN, _DAYS = 0x00100030, (0x00080020, 0x00080021, 0x00080022, 0x00080023)  # of study, series, acquisition, content


def _of_patient(file: File, found: dict[str, Any]) -> None:
    """The age as the standard writes it, and where none can be read, on the day of the study from the day of birth."""
    if written := _AGE.fullmatch(str(found.get("PatientAge") or "")):
        found["PatientAge"] = f"{int(written[1]):03d}{written[2].upper()}"
        return
    born, day = file.ascii(_BORN), next(filter(None, map(file.ascii, _DAYS)), "")
    if not (born.isdecimal() and day.isdecimal() and len(born) == len(day) == 8 and born <= day):
        return
    months = 12 * (int(day[:4]) - int(born[:4])) + int(day[4:6]) - int(born[4:6]) - (day[6:] < born[6:])
    found["PatientAge"] = f"{months // 12:03d}Y" if months >= 24 else f"{max(months, 0):03d}M"


def _collect(file: File, charsets: tuple[str, ...]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The values of the tables at the outermost level: those that a series should share, and the others."""
    table, dataset = _by_tag(), file.dataset
    shared: dict[str, Any] = {}
    own: dict[str, Any] = {}
    groups = 0
    for tag in dataset:
        groups |= tag
        row = table.get(tag)
        if row is not None:
            value = _read(file, row, charsets, dataset)
            if value is not None:
                (shared if row.shared else own)[row.keyword] = value
    if groups >> 16 & 1:  # private elements have odd groups
        blocks = _blocks(file)
        for group, owner, offset, keyword, kind, of_series in _PRIVATE:
            block = blocks.get((group, owner))
            if block is not None and (tag := block | offset) in dataset:
                value = _read(file, Row(tag, keyword, kind, of_series), charsets, dataset)
                if value is not None:
                    (shared if of_series else own)[keyword] = value
    return shared, own


def _blocks(file: File) -> dict[tuple[int, str], int]:
    """Where the private elements of each creator stand: the first of its blocks in a group."""
    found: dict[tuple[int, str], int] = {}
    for tag in sorted(t for t in file.dataset if t & 0x1FFF0 == 0x10010):  # elements 0010 to 001F of odd groups
        found.setdefault((tag >> 16, file.ascii(tag)), tag & 0xFFFF0000 | (tag & 0xFF) << 8)
    return found


def _real_world(file: File, charsets: tuple[str, ...], found: dict[str, Any]) -> None:
    """The first linear real-world value map: stored value to unit (PS3.3 C.7.6.16.2.11)."""
    for item in file.items(0x00409096)[:1]:
        slope = file.numbers(0x00409225, item, "d")
        intercept = file.numbers(0x00409224, item, "d")
        if slope and math.isfinite(slope[0]):
            found["RealWorldValueSlope"] = slope[0]
            found["RealWorldValueIntercept"] = intercept[0] if intercept and math.isfinite(intercept[0]) else 0.0
            for unit in file.items(0x004008EA, item)[:1]:
                found["RealWorldValueUnit"] = text(file, _VALUE, charsets, unit)


def _references(file: File, found: dict[str, Any]) -> None:
    """Which series a structure set or a segmentation was drawn on, and which regions it names."""
    series: list[str] = []
    frames = {file.ascii(_FRAME, frame) for frame in file.items(0x30060010)} - {""}
    frames = frames or {file.ascii(0x30060024, roi) for roi in file.items(0x30060020)} - {""}
    if len(frames) == 1 and not found.get("FrameOfReferenceUID"):
        found["FrameOfReferenceUID"] = frames.pop()  # a structure set may leave it out where its structures name it
    for frame in file.items(0x30060010):
        for study in file.items(0x30060012, frame):
            for one in file.items(0x30060014, study):
                series.append(file.ascii(0x0020000E, one))
    for one in file.items(0x00081115):
        series.append(file.ascii(0x0020000E, one))
    if any(series):
        found["ReferencedSeriesUIDs"] = sorted({uid for uid in series if uid})
    charsets = tuple(file.ascii(0x00080005).split("\\")) if 0x00080005 in file.dataset else ()
    names = [text(file, 0x30060026, charsets, roi) for roi in file.items(0x30060020)]
    names += [text(file, 0x00620005, charsets, segment) for segment in file.items(0x00620002)]
    if names:
        found["RegionNames"] = names


_FRAME, _CONCEPT, _TEMPLATE, _TEMPLATE_NUMBER = 0x00200052, 0x0040A043, 0x0040A504, 0x0040DB00
_AUTOMATIC = frozenset({"AUTOMATIC", "SEMIAUTOMATIC"})
_ALGORITHM_NAME, _OBSERVER_TYPE, _DEVICE = "111001", "121005", "121007"  # DCM


def _machine_made(file: File) -> bool:
    """Whether a segmentation or a report says of itself that an algorithm made it and nobody has verified it."""
    segments = file.items(0x00620002)
    if segments:
        return any(file.ascii(0x00620008, segment) in _AUTOMATIC for segment in segments)
    if file.ascii(0x00080060) != "SR" or file.ascii(0x0040A493) == "VERIFIED":
        return False
    return any(_by_device(file, item, 8) for item in file.items(0x0040A730))


def _by_device(file: File, item: Dataset, depth: int) -> bool:
    """Whether a content item, or one below it, names a device as the observer, or an algorithm (PS3.16 TID 4019)."""

    def code(tag: int) -> str:
        return next((file.ascii(_VALUE, one) for one in file.items(tag, item)), "")

    name = code(_CONCEPT)
    if name == _ALGORITHM_NAME or (name == _OBSERVER_TYPE and code(0x0040A168) == _DEVICE):
        return True
    return depth > 0 and any(_by_device(file, below, depth - 1) for below in file.items(0x0040A730, item))
