"""What every object that we write says of its maker, its patient and its source images.

Identity is derived, never drawn: the same part of the same result has the same UID on every machine, so that an
object which is sent twice is the same object and an archive keeps one of it.
"""

from __future__ import annotations

import io
import uuid
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from importlib import metadata
from typing import TYPE_CHECKING, Any

from isocenter.dicom.byte_order import BIG_ENDIAN, little_endian
from isocenter.errors import IsocenterError, LimitReached, NotFound, NotWhole, Refused
from isocenter.record import Code, Series, Study

if TYPE_CHECKING:
    from pydicom import Dataset

    from isocenter.record import Origin, Result

__all__ = [
    "ANALYSIS_FAMILY",
    "equipment",
    "MAKER",
    "Sources",
    "algorithm_words",
    "coded",
    "dump",
    "filed",
    "fit",
    "header",
    "headers",
    "lay_on",
    "load",
    "must_belong",
    "person_name",
    "reading",
    "series_of",
    "settle",
    "uid",
    "version",
]

Sources = Callable[[str], bytes]
"""Gives the stored file of a SOP Instance UID."""

MAKER = "Isocenter"
_NAMESPACE = uuid.UUID("5f5b2f60-0b3c-5f1c-9f35-9b0f4f6f8a11")  # ours, drawn once; it only keeps our names apart
_SEXES = ("M", "F", "O")
_SHORT_STRING = _DECIMAL_STRING = 16  # characters that an SH and a DS hold
_COPIED_GROUPS = (0x0008, 0x0010, 0x0020)
_EMPTY_ALLOWED = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "AccessionNumber", "StudyID", "StudyDate",
    "StudyTime", "ReferringPhysicianName",
)  # fmt: skip

ANALYSIS_FAMILY = Code("123110", "DCM", "Artificial Intelligence")


@cache
def version() -> str:
    """The version of this software."""
    return metadata.version("isocenter")


def equipment() -> dict[str, str]:
    """Who made the object, in highdicom's keywords."""
    return {
        "manufacturer": MAKER,
        "manufacturer_model_name": f"{MAKER} (research software)",
        "software_versions": version(),
        "device_serial_number": version(),
    }


def uid(*words: str) -> str:
    """A UID that follows from words (PS3.5 B.2: 2.25 and a name-based UUID of RFC 4122).

    >>> uid("result", "seg") == uid("result", "seg") != uid("result", "sr")
    True
    """
    return f"2.25.{uuid.uuid5(_NAMESPACE, chr(31).join(words)).int}"


def coded(code: Code) -> Any:
    """A code as highdicom takes it; the meaning is cut to the 64 characters that DICOM allows."""
    from highdicom.sr import CodedConcept

    return CodedConcept(value=code.code, scheme_designator=code.scheme, meaning=code.meaning[:64])


def algorithm_words(origin: Origin) -> tuple[str, str]:
    """Name and version for an algorithm identification (TID 4019)."""
    return origin.name[:64], (origin.version or "0")[:64]


def person_name(name: str) -> str:
    """A name in the form that highdicom takes without a remark: with a caret; `settle` takes a lone one away again."""
    return name if not name or "^" in name else f"{name}^"


def load(data: bytes, *, pixels: bool = True) -> Dataset:
    """Read a stored file, whatever its transfer syntax; one in Big Endian comes turned, as highdicom wants it.

    Raises:
        NotWhole: when it is not DICOM.
    """
    from pydicom import dcmread

    with reading("a stored file"):
        found = dcmread(io.BytesIO(data), stop_before_pixels=not pixels)
        return little_endian(found) if found.file_meta.get("TransferSyntaxUID") == BIG_ENDIAN else found


@contextmanager
def reading(what: str) -> Iterator[None]:
    """Turn whatever a broken object makes the libraries raise into one refusal.

    Four random bytes in a header make pydicom raise five kinds of exception and highdicom a dozen; none of them may
    reach a worker's top level.

    Raises:
        NotWhole: for anything but an error of ours, which passes as it is.
        LimitReached: for nesting that is too deep, or more memory than there is.
    """
    try:
        yield
    except IsocenterError:
        raise
    except (RecursionError, MemoryError) as deep:
        raise LimitReached(what, f"it is nested too deeply or claims too much ({type(deep).__name__})") from deep
    except Exception as bad:
        raise NotWhole(
            f"{what} that cannot be read", f"{type(bad).__name__}: {bad}"[:300], "send the file again"
        ) from bad


def header(sources: Sources, sop_uid: str) -> Dataset:
    """The header of a source image, made fit to be cited."""
    with reading(f"the header of image {sop_uid}"):
        return fit(load(sources(sop_uid), pixels=False))


def fit(found: Dataset) -> Dataset:
    """A header that can be cited: empty where it lacks what the standard lets be empty, its texts in Unicode."""
    with warnings.catch_warnings():
        # Values outside the standard are the sender's; pydicom's remarks on them are no news here.
        warnings.simplefilter("ignore", UserWarning)
        for tag in [t for t in found.keys() if t.group in _COPIED_GROUPS]:  # noqa: SIM118  (iterating gives elements)
            _ = found[tag]  # decoded now, while remarks are off
    for keyword in _EMPTY_ALLOWED:
        if keyword not in found:
            setattr(found, keyword, "" if keyword != "PatientBirthDate" else None)
    if found.PatientSex not in _SEXES:
        found.PatientSex = ""  # a value outside the standard would make our object faulty too
    for keyword in ("PatientBirthDate", "StudyDate"):
        if found[keyword].value and not _is_date(str(found[keyword].value)):
            setattr(found, keyword, None)  # de-identified files write 00000000 and the like
    found.StudyID = str(found.StudyID or "")[:_SHORT_STRING]  # a label; nothing is found by it
    for keyword in _EMPTY_ALLOWED:
        element = found[keyword]
        if element.VR == "PN":
            # Text travels as Unicode: the source's character set must not bind what our own texts may say.
            element.value = person_name(str(element.value))
    for keyword in ("ConsultingPhysicianName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy"):
        if keyword in found:
            del found[keyword]  # people who have no part in this object
    found.SpecificCharacterSet = "ISO_IR 192"
    return found


def _is_date(value: str) -> bool:
    """Whether a DICOM date (PS3.5 6.2) names a day of the calendar.

    >>> _is_date("20240229"), _is_date("20120000"), _is_date("00000000")
    (True, False, False)
    """
    try:
        datetime.strptime(value.strip().replace(".", "").replace("-", ""), "%Y%m%d")
    except ValueError:
        return False
    return True


def headers(sources: Sources, sop_uids: Iterable[str]) -> list[Dataset]:
    """Headers of several source images, in the given order."""
    return [header(sources, one) for one in sop_uids]


def series_of(study: Study, series_uid: str) -> Series:
    """The series of a study by UID.

    Raises:
        NotFound: when the study has no such series; the message lists those that it has.
    """
    for series in study.series:
        if series.uid == series_uid:
            return series
    raise NotFound(
        f"series {series_uid or '(none named)'}",
        f"study {study.uid} has {', '.join(s.uid for s in study.series) or 'no series'}",
        "name the series on whose grid the region lies",
    )


def must_belong(result: Result, study: Study) -> None:
    """Refuse to write a result into the study of somebody else.

    Raises:
        Refused: when the study is not the one that the result is about.
    """
    if result.study_uid != study.uid:
        raise Refused(
            f"a result of study {result.study_uid} for study {study.uid}",
            "it would be filed with the wrong patient",
            "give the study that the result is about",
        )


def settle(made: Any, when: datetime, *names: str) -> None:
    """Give an object of highdicom our dates and derived UIDs in place of the clock's and of chance.

    Args:
        made: the dataset; changed in place.
        when: when the result was made; it is when the content was made, however often it is written.
        names: words from which the UIDs inside the object are derived.
    """
    day, clock = when.strftime("%Y%m%d"), when.strftime("%H%M%S.%f")
    made.InstanceCreationDate, made.InstanceCreationTime = day, clock
    for keyword, value in (("ContentDate", day), ("ContentTime", clock)):
        if keyword in made:
            setattr(made, keyword, value)
    made.SeriesDate, made.SeriesTime = day, clock
    if offset := when.strftime("%z"):
        made.TimezoneOffsetFromUTC = offset
    for keyword in ("PatientName", "ContentCreatorName", "ReferringPhysicianName"):
        if made.get(keyword):
            setattr(made, keyword, str(made.get(keyword)).rstrip("^"))
    organization = uid(*names, "dimensions")
    for item in made.get("DimensionOrganizationSequence", []):
        item.DimensionOrganizationUID = organization
    for item in made.get("DimensionIndexSequence", []):
        item.DimensionOrganizationUID = organization
    for item in made.get("ContributingEquipmentSequence", []):
        if item.get("ContributionDateTime"):
            item.ContributionDateTime = day + clock
    made.SpecificCharacterSet = "ISO_IR 192"


def filed(study: Study, sources: Sources, storage: str, kind: str, identity: str) -> Dataset:
    """An object of its own to be filed with a study: patient and study of its first image, our equipment, no content.

    Args:
        storage: its SOP Class UID.
        kind: the word for what it is; UIDs follow from it, from the study and from `identity`.

    Raises:
        Refused: when the study has no instance.
    """
    from pydicom import Dataset, FileMetaDataset
    from pydicom.uid import UID, ExplicitVRLittleEndian

    first = next((i for s in study.series for i in s.instances), None)
    if first is None:
        raise Refused(
            f"study {study.uid} has no instance",
            f"there is no patient to file the {kind} with",
            "receive its images first",
        )
    image = header(sources, first.sop_uid)
    made = Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID = UID(storage)
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID = UID(uid(study.uid, kind, identity))
    for keyword in (*_EMPTY_ALLOWED, "StudyInstanceUID"):
        setattr(made, keyword, image.get(keyword, ""))
    made.InstanceNumber = 1
    made.Manufacturer = MAKER
    made.ManufacturerModelName = equipment()["manufacturer_model_name"]
    made.SoftwareVersions = made.DeviceSerialNumber = version()
    made.ContentDate = made.ContentTime = ""
    if image.get("StudyDescription"):
        made.StudyDescription = image.StudyDescription
    return made


def lay_on(made: Any, image: Dataset) -> None:
    """Finish an object that lies pixel for pixel on a projection image, which has no patient space."""
    made.PatientOrientation = image.get("PatientOrientation") or ""
    for group in made.SharedFunctionalGroupsSequence:
        # highdicom, like others, reads no pixel size without a slice thickness; the cited image says its size.
        if "PixelMeasuresSequence" in group:
            del group.PixelMeasuresSequence


def dump(made: Any) -> bytes:
    """The bytes of a dataset as a Part 10 file."""
    from pydicom import dcmwrite

    _shorten(made)
    out = io.BytesIO()
    dcmwrite(out, made, enforce_file_format=True)
    return out.getvalue()


def _shorten(made: Any) -> None:
    """Bring decimal strings of more than 16 letters, as many images state their places in, to what the standard has."""
    from pydicom.valuerep import DSfloat

    for element in made.iterall():
        if element.VR != "DS" or element.is_empty:
            continue
        many = element.value if element.VM > 1 else [element.value]
        if any(len(str(v)) > _DECIMAL_STRING for v in many):
            short = [DSfloat(float(v), auto_format=True) for v in many]
            element.value = short if element.VM > 1 else short[0]
