"""A copy of an object without the person: the basic profile's way, by a table.

The table says for each attribute what PS3.15 annex E asks: remove it, empty it, give it a neutral value, or map the
UID. What the table does not know is kept only where its value can name nobody (numbers, codes, geometry); persons,
free text, documents and private attributes never are. Identities are mapped with a secret key, so that the objects of
a study still belong together, and nobody without the key can go back. Dates move by a number of days that is one for
each patient, so that intervals, and with them uptake values and follow-up, stay true. Burned-in text in the pixels is
not looked for here: the object says so, and what is known to carry it is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import io
import warnings
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from isocenter.dicom.conformance import storage_class
from isocenter.dicom.whole import check_whole
from isocenter.errors import Refused

__all__ = ["ACTIONS", "deidentify", "mapped_uid"]

# Keyword -> action: X remove, Z empty, D neutral value, S shift the date, U map the UID, K keep.
_TABLE = """
Z AccessionNumber ReferringPhysicianName PatientBirthDate StudyID ConsultingPhysicianName
Z PlacerOrderNumberImagingServiceRequest FillerOrderNumberImagingServiceRequest
D PatientID PatientName ContentCreatorName VerifyingObserverName PersonName VerifyingOrganization ReviewerName
D DeviceSerialNumber StructureSetLabel RTPlanLabel ROIName SegmentLabel TrackingID TextValue
S StudyDate SeriesDate AcquisitionDate ContentDate AcquisitionDateTime StructureSetDate RTPlanDate ReviewDate
S DateTime Date ObservationDateTime VerificationDateTime DateOfSecondaryCapture FrameAcquisitionDateTime
S FrameReferenceDateTime RadiopharmaceuticalStartDateTime RadiopharmaceuticalStopDateTime
K StudyTime SeriesTime AcquisitionTime ContentTime StructureSetTime RTPlanTime ReviewTime Time
K TimeOfSecondaryCapture RadiopharmaceuticalStartTime RadiopharmaceuticalStopTime
X InstitutionName InstitutionAddress InstitutionalDepartmentName InstitutionCodeSequence
X StationName OperatorsName OperatorIdentificationSequence PerformingPhysicianName
X PhysiciansOfRecord PhysiciansOfRecordIdentificationSequence NameOfPhysiciansReadingStudy RequestingPhysician
X ReferringPhysicianIdentificationSequence ReferringPhysicianAddress ReferringPhysicianTelephoneNumbers
X OtherPatientIDs OtherPatientIDsSequence OtherPatientNames PatientBirthName PatientMotherBirthName
X PatientAddress PatientTelephoneNumbers PatientTelecomInformation PatientBirthTime PatientReligiousPreference
X PatientComments PatientState PatientInsurancePlanCodeSequence EthnicGroup Occupation MilitaryRank
X BranchOfService CountryOfResidence RegionOfResidence MedicalRecordLocator IssuerOfPatientID
X IssuerOfPatientIDQualifiersSequence AdditionalPatientHistory MedicalAlerts Allergies
X ResponsiblePerson ResponsibleOrganization CurrentPatientLocation AdmissionID AdmittingDate AdmittingTime
X AdmittingDiagnosesDescription AdmittingDiagnosesCodeSequence ServiceEpisodeID ServiceEpisodeDescription
X StudyDescription SeriesDescription ProtocolName ImageComments StudyComments DerivationDescription
X RequestAttributesSequence RequestedProcedureDescription RequestedProcedureID RequestedProcedureComments
X ScheduledProcedureStepDescription ScheduledProcedureStepID PerformedProcedureStepDescription
X PerformedProcedureStepID PerformedProcedureStepStartDate PerformedProcedureStepStartTime
X PerformedProcedureStepEndDate PerformedProcedureStepEndTime CommentsOnThePerformedProcedureStep
X ReasonForStudy ReasonForTheRequestedProcedure ImagingServiceRequestComments
X InstanceCreationDate InstanceCreationTime InstanceCreatorUID DateOfLastCalibration TimeOfLastCalibration
X ReferencedPatientSequence ReferencedStudySequence ReferencedPerformedProcedureStepSequence
X OriginalAttributesSequence ModifiedAttributesSequence DigitalSignaturesSequence MACParametersSequence
X EncryptedAttributesSequence DataSetTrailingPadding IconImageSequence GraphicAnnotationSequence
X ClinicalTrialSubjectID ClinicalTrialSubjectReadingID ClinicalTrialSiteName ClinicalTrialSiteID
X ClinicalTrialProtocolName ClinicalTrialProtocolID ClinicalTrialSponsorName ClinicalTrialTimePointDescription
X ClinicalTrialCoordinatingCenterName ContributingEquipmentSequence SourceApplicationEntityTitle
X AuthorObserverSequence ParticipantSequence CustodialOrganizationSequence VerifyingObserverSequence
X PersonAddress PersonTelephoneNumbers PersonIdentificationCodeSequence NetworkID RetrieveAETitle StationAETitle
X ScheduledPerformingPhysicianName PerformedLocation ScheduledStationAETitle PerformedStationAETitle
X PerformedStationName ScheduledStationName DetectorID PlateID CassetteID GantryID GeneratorID
X UnformattedTextValue TextString InterpretationText InterpretationAuthor
K PatientSex PatientAge PatientSize PatientWeight PatientSexNeutered SmokingStatus PregnancyStatus
K Manufacturer ManufacturerModelName SoftwareVersions ConvolutionKernel ContrastBolusAgent SequenceName
K FilterType Radiopharmaceutical AttenuationCorrectionMethod ScatterCorrectionMethod ReconstructionMethod
K AcquisitionContrast PulseSequenceName AlgorithmName AlgorithmVersion
K PixelData FloatPixelData DoubleFloatPixelData ExtendedOffsetTable ExtendedOffsetTableLengths WaveformData
K RedPaletteColorLookupTableData GreenPaletteColorLookupTableData BluePaletteColorLookupTableData LUTData
K SegmentedRedPaletteColorLookupTableData SegmentedGreenPaletteColorLookupTableData
K SegmentedBluePaletteColorLookupTableData VectorGridData PointCoordinatesData
K CodeValue CodingSchemeDesignator CodeMeaning CodingSchemeVersion LongCodeValue ContextIdentifier
K MappingResource ContextUID CodingSchemeUID MappingResourceUID ValueType LUTExplanation
K SOPClassUID MediaStorageSOPClassUID TransferSyntaxUID ReferencedSOPClassUID ImplementationClassUID
K ImplementationVersionName FileMetaInformationVersion FileMetaInformationGroupLength ColorSpace
K SpecificCharacterSet ImageType Modality BodyPartExamined ReceiveCoilName TransmitCoilName StackID
K SegmentAlgorithmName ContentLabel DimensionDescriptionLabel MeasurementUnitsCodeSequence
"""

ACTIONS: dict[str, str] = {
    keyword: line.split()[0] for line in _TABLE.strip().splitlines() for keyword in line.split()[1:]
}
"""Keyword to action; what is not listed is decided by its VR."""

# Values that can name a person, a place or a day, or hold a whole document; kept only where the table says so.
_TELLING_VRS = frozenset({"PN", "LO", "SH", "ST", "LT", "UT", "UC", "UR", "DA", "TM", "DT", "AE", "UN", "OB", "OW"})
_OLDEST = 89  # years; who is older is one of few (as US law and PS3.15's option for characteristics have it)
_SHIFT_DAYS = 3650
_STANDARD_ROOT = "1.2.840.10008."
_METHOD = "Isocenter basic subset of PS3.15 E; pixels not searched"  # LO: at most 64 characters
_CODES = (
    ("113100", "Basic Application Confidentiality Profile"),
    ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    ("113108", "Retain Patient Characteristics Option"),
)


def mapped_uid(uid: str, key: bytes) -> str:
    """Another UID for this one: always the same with the same key, and not to be turned back without it.

    >>> mapped_uid("1.2.3", b"k" * 16) == mapped_uid("1.2.3", b"k" * 16)
    True
    """
    number = int.from_bytes(hmac.new(key, b"uid:" + uid.encode(), hashlib.sha256).digest()[:16], "big")
    return f"2.25.{number}"


def deidentify(data: bytes, *, key: bytes, keep: Collection[str] = ()) -> bytes:
    """A copy of an object without names, dates, places and private attributes.

    Args:
        data: a whole Part 10 file.
        key: secret, at least 16 bytes; the same key maps the same identity to the same pseudonym.
        keep: keywords to keep although the table would not (a research protocol's exceptions, such as
            ``"StudyDescription"``); identities of patient and instances cannot be kept.

    Returns:
        A Part 10 file that says of itself what was done (Patient Identity Removed, De-identification Method).

    Raises:
        Refused: when the key is short, `keep` names an identity, the object is a document or of an unknown class, it
            says that text is burned into its pixels, or it could not be written again.
        NotWhole: when the file is not whole.
    """
    import pydicom

    if len(key) < 16:
        raise Refused(f"a key of {len(key)} bytes", "pseudonyms could be guessed", "give at least 16 secret bytes")
    forbidden = {"PatientName", "PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"} & set(keep)
    if forbidden:
        raise Refused(f"keep={sorted(forbidden)}", "the object would still name the person", "leave these out")
    check_whole(data)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            dataset = pydicom.dcmread(io.BytesIO(data))
            _must_be_known(dataset, keep)
            identity = str(dataset.get("PatientID", "")) + "\\" + str(dataset.get("IssuerOfPatientID", ""))
            person = hmac.new(key, b"patient:" + identity.encode(), hashlib.sha256)
            days = -1 - int.from_bytes(person.digest()[-4:], "big") % _SHIFT_DAYS
            _clean(dataset, _Rule(key, frozenset(keep), days))
            pseudonym = person.hexdigest()[:16].upper()
            dataset.PatientID, dataset.PatientName = pseudonym, f"Anonymous^{pseudonym[:6]}"
            _declare(dataset)
            _meta(dataset)
            out = io.BytesIO()
            dataset.preamble = b"\0" * 128  # a preamble may hold a second file
            dataset.save_as(out, enforce_file_format=True)
        except Refused:
            raise
        except Exception as fault:  # pydicom raises many kinds on odd values
            raise Refused(
                "the object could not be de-identified", str(fault), "leave it out; nothing was exported"
            ) from fault
    return out.getvalue()


@dataclass(frozen=True)
class _Rule:
    key: bytes
    keep: frozenset[str]
    days: int


def _must_be_known(dataset: Any, keep: Collection[str]) -> None:
    kind = storage_class(str(dataset.get("SOPClassUID", "")))
    if kind is None or "EncapsulatedDocument" in dataset:
        raise Refused(
            f"an object of class {kind.name if kind else dataset.get('SOPClassUID', 'unknown')}",
            "what it holds inside cannot be judged",
            "leave it out",
        )
    if str(dataset.get("BurnedInAnnotation", "")) == "YES" and "BurnedInAnnotation" not in keep:
        raise Refused(
            "the image says that text is burned into its pixels",
            "the text may be the patient's name",
            "look at it, and give keep=['BurnedInAnnotation'] when it names nobody",
        )


def _clean(dataset: Any, rule: _Rule) -> None:
    for tag in list(dataset.keys()):
        group = tag.group
        if tag.is_private or group in range(0x5000, 0x5100, 2) or group in range(0x6000, 0x6100, 2):
            del dataset[tag]  # private blocks, curves and overlays may hold anything
            continue
        element = dataset[tag]
        action = "K" if element.keyword in rule.keep else _action(element)
        if action == "X":
            del dataset[tag]
        elif element.VR == "SQ":
            for item in element.value:
                _clean(item, rule)
        elif action == "Z":
            element.value = "" if element.VR == "PN" else None
        elif action == "D":
            element.value = "REMOVED"
        elif action == "S":
            element.value = _shifted(element.value, rule.days)
        elif action == "U":
            element.value = _mapped(element.value, rule.key)
        elif element.VR == "AS":
            element.value = _age(str(element.value or ""))


def _action(element: Any) -> str:
    listed = ACTIONS.get(element.keyword)
    if listed:
        return listed
    if element.VR == "UI":
        return "U"
    if not element.keyword or element.VR in ("UN", "OB", "OW"):
        return "X"  # what nobody has judged is not let out
    # Emptied and not removed: many attributes must stand there, if only without a value (Type 2).
    return "Z" if element.VR in _TELLING_VRS else "K"


def _shifted(value: Any, days: int) -> Any:
    """The day moved; what is no date is emptied, for it may be anything."""
    if value is None or value == "":
        return value
    if not isinstance(value, str) and hasattr(value, "__iter__"):
        return [_shifted(one, days) for one in value]
    said = str(value)
    try:
        moved = date(int(said[:4]), int(said[4:6]), int(said[6:8])) + timedelta(days=days)
    except (ValueError, OverflowError):
        return ""
    rest = said[8:] if len(said) > 8 and set(said[8:]) <= set("0123456789.+-") else ""
    return f"{moved:%Y%m%d}{rest}"


def _age(said: str) -> str:
    if len(said) == 4 and said[3] == "Y" and said[:3].isdigit():
        return "090Y" if int(said[:3]) > _OLDEST else said
    return said if len(said) == 4 and said[:3].isdigit() and said[3] in "DWM" else ""


def _mapped(value: Any, key: bytes) -> Any:
    if not value:
        return value
    if isinstance(value, str):
        return value if value.startswith(_STANDARD_ROOT) else mapped_uid(value, key)
    return [one if str(one).startswith(_STANDARD_ROOT) else mapped_uid(str(one), key) for one in value]


def _declare(dataset: Any) -> None:
    from pydicom.dataset import Dataset

    dataset.PatientIdentityRemoved = "YES"
    dataset.DeidentificationMethod = _METHOD
    codes = []
    for value, meaning in _CODES:
        code = Dataset()
        code.CodeValue, code.CodingSchemeDesignator, code.CodeMeaning = value, "DCM", meaning
        codes.append(code)
    dataset.DeidentificationMethodCodeSequence = codes
    dataset.LongitudinalTemporalInformationModified = "MODIFIED"


def _meta(dataset: Any) -> None:
    meta = dataset.file_meta
    for element in list(meta):
        if element.keyword not in (
            "MediaStorageSOPClassUID",
            "TransferSyntaxUID",
            "ImplementationClassUID",
            "FileMetaInformationVersion",
            "FileMetaInformationGroupLength",
        ):
            del meta[element.tag]
    meta.MediaStorageSOPClassUID = dataset.SOPClassUID
    meta.MediaStorageSOPInstanceUID = dataset.SOPInstanceUID
