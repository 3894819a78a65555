"""QIDO-RS: searching by URL (PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from isocenter.doors import dicom_json
from isocenter.doors.archive import Archive
from isocenter.errors import Refused
from isocenter.govern.policy import Person

__all__ = ["Query", "parse", "search"]

_STUDY: Final = (
    "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ModalitiesInStudy", "ReferringPhysicianName",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
)  # fmt: skip
_SERIES: Final = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "NumberOfSeriesRelatedInstances",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime",
)  # fmt: skip
_IMAGE: Final = (
    "SOPClassUID", "SOPInstanceUID", "InstanceAvailability", "InstanceNumber", "Rows", "Columns", "BitsAllocated",
    "NumberOfFrames",
)  # fmt: skip
_LARGEST_PAGE: Final = 5000
"""Rows of one answer where the client names no limit; it is told by a Warning that there may be more."""


@dataclass(frozen=True)
class Query:
    """A search as the URL asks it.

    Args:
        keys: matching keys by keyword.
        include: keywords asked for beside the standard's; "all" asks for everything that is kept.
        limited: the client named the limit itself.
        warnings: what was not understood, for the Warning header.
    """

    keys: dict[str, str]
    include: tuple[str, ...] = ()
    limit: int = _LARGEST_PAGE
    offset: int = 0
    fuzzy: bool = False
    warnings: tuple[str, ...] = ()
    limited: bool = False


def parse(params: Sequence[tuple[str, str]]) -> Query:
    """Read the query part of a QIDO-RS URL.

    >>> parse([("PatientName", "DOE*"), ("00080060", "CT"), ("limit", "5")]).keys
    {'PatientName': 'DOE*', 'Modality': 'CT'}

    Raises:
        Refused: a limit, offset or fuzzymatching that is none, or an attribute that DICOM does not have.
    """
    keys: dict[str, str] = {}
    include: list[str] = []
    warnings: list[str] = []
    limit, offset, fuzzy = _LARGEST_PAGE, 0, False
    for name, value in params:
        match name:
            case "limit":
                limit = min(_whole(name, value), _LARGEST_PAGE)
            case "offset":
                offset = _whole(name, value)
            case "fuzzymatching":
                if value not in ("true", "false"):
                    raise Refused(f"fuzzymatching={value[:20]!a}", "it is true or false", "")
                fuzzy = value == "true"
            case "includefield":
                include += ["all" if one.strip() == "all" else _keyword(one) for one in value.split(",") if one.strip()]
            case "accept":
                pass
            case _ if "." in name:
                _keyword(name.split(".")[-1])
                warnings.append("matching within sequences is not supported; that key was ignored")
            case _:
                word = _keyword(name)
                keys[word] = value.replace(",", "\\") if word.endswith("UID") or word == "ModalitiesInStudy" else value
    return Query(keys, tuple(include), limit, offset, fuzzy, tuple(warnings), any(n == "limit" for n, _ in params))


def _whole(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Refused(f"{name}={value[:20]!a}", "it is a whole number, 0 or more", "")
    return int(value)


def _keyword(name: str) -> str:
    from pydicom.datadict import keyword_for_tag, tag_for_keyword

    name = name.split(".")[-1].strip()
    if tag_for_keyword(name) is not None:
        return name
    try:
        word = keyword_for_tag(int(name, 16)) if len(name) == 8 else ""
    except ValueError:
        word = ""
    if not word:
        raise Refused(
            f"attribute {name[:64]!a}", "DICOM has no attribute of that keyword or tag", "use e.g. PatientName"
        )
    return word


def search(
    site: Archive, level: str, query: Query, fixed: dict[str, str], base: str, who: Person
) -> list[dict[str, Any]]:
    """Rows of a search as DICOM JSON.

    Args:
        level: STUDY, SERIES or IMAGE.
        fixed: UIDs that stand in the path.
        base: URL of the DICOMweb root, for RetrieveURL.
    """
    rows = site.find(level, {**query.keys, **fixed}, who=who, limit=query.limit, offset=query.offset, fuzzy=query.fuzzy)
    wanted = dict.fromkeys(_STUDY if level == "STUDY" or "StudyInstanceUID" not in fixed else ("StudyInstanceUID",))
    if level in ("SERIES", "IMAGE") and (level == "SERIES" or "SeriesInstanceUID" not in fixed):
        wanted |= dict.fromkeys(_SERIES)
    if level == "IMAGE":
        wanted |= dict.fromkeys((*_IMAGE, "SeriesInstanceUID"))
    wanted |= dict.fromkeys((*query.keys, *(word for word in query.include if word != "all")))
    made = []
    for one in rows:
        words = (*wanted, *one) if "all" in query.include else tuple(wanted)
        url = f"{base}/studies/{one['StudyInstanceUID']}"
        if level != "STUDY":
            url += f"/series/{one['SeriesInstanceUID']}"
        if level == "IMAGE":
            url += f"/instances/{one['SOPInstanceUID']}"
        full = {**one, "InstanceAvailability": "ONLINE", "RetrieveURL": url}
        made.append(dicom_json.row(full, (*words, "RetrieveURL")))
    return made
