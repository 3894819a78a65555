"""QIDO-RS: searching by URL (PS3.18 section 10.6)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from isocenter.doors import dicom_json
from isocenter.doors.archive import Archive
from isocenter.doors.dicomweb_paging import Paging
from isocenter.doors.identifiers import matched_keys
from isocenter.errors import Refused
from isocenter.govern.policy import Person

__all__ = ["Query", "parse", "search", "unmatched"]

_STUDY: Final = (
    "StudyDate", "StudyTime", "AccessionNumber", "InstanceAvailability", "ModalitiesInStudy", "ReferringPhysicianName",
    "PatientName", "PatientID", "PatientBirthDate", "PatientSex", "StudyInstanceUID", "StudyID",
    "NumberOfStudyRelatedSeries", "NumberOfStudyRelatedInstances",
)  # fmt: skip
_SERIES: Final = (
    "Modality", "SeriesDescription", "SeriesInstanceUID", "SeriesNumber", "NumberOfSeriesRelatedInstances",
    "PerformedProcedureStepStartDate", "PerformedProcedureStepStartTime", "RequestAttributesSequence",
)  # fmt: skip
_IMAGE: Final = (
    "SOPClassUID", "SOPInstanceUID", "InstanceAvailability", "InstanceNumber", "Rows", "Columns", "BitsAllocated",
    "NumberOfFrames",
)  # fmt: skip
_DEEPEST: Final = 4
"""Keywords of one path into sequences at most; no sequence that is searched in goes deeper."""
_LARGEST_PAGE: Final = 5000
"""Rows of one answer where the client names no limit; it is told by a Warning that there may be more."""


@dataclass(frozen=True)
class Query:
    """A search as the URL asks it.

    Args:
        keys: matching keys by keyword, those within sequences by a path of keywords.
        include: keywords asked for beside the standard's; "all" asks for everything that is kept.
        limited: the client named the limit itself, and it is not larger than a page may be.
    """

    keys: dict[str, str]
    include: tuple[str, ...] = ()
    limit: int = _LARGEST_PAGE
    offset: int = 0
    fuzzy: bool = False
    limited: bool = False


def parse(params: Sequence[tuple[str, str]]) -> Query:
    """Read the query part of a QIDO-RS URL.

    >>> parse([("PatientName", "DOE*"), ("00080060", "CT"), ("limit", "5")]).keys
    {'PatientName': 'DOE*', 'Modality': 'CT'}
    >>> parse([("00400275.00400009", "SPS7")]).keys
    {'RequestAttributesSequence.ScheduledProcedureStepID': 'SPS7'}

    Raises:
        Refused: a limit, offset or fuzzymatching that is none, an attribute that DICOM does not have, a path through
            what is no sequence or to a sequence itself, or one attribute asked for twice with different values.
    """
    keys: dict[str, str] = {}
    include: list[str] = []
    limit, offset, fuzzy, limited = _LARGEST_PAGE, 0, False, False
    for name, value in params:
        match name:
            case "limit":
                limit, limited = _whole(name, value), True
            case "offset":
                offset = _whole(name, value)
            case "fuzzymatching":
                if value not in ("true", "false"):
                    raise Refused(f"fuzzymatching={value[:20]!a}", "it is true or false", "")
                fuzzy = value == "true"
            case "includefield":
                named = (one.strip() for one in value.split(",") if one.strip())
                include += ["all" if one == "all" else _keyword(one.split(".")[0]) for one in named]
            case "accept":
                pass
            case _:
                word = _path(name, value)
                if word.endswith("UID") or word == "ModalitiesInStudy":  # lists: any one of them fits
                    keys[word] = "\\".join(one for one in (keys.get(word, ""), value.replace(",", "\\")) if one)
                elif keys.setdefault(word, value) != value:
                    raise Refused(f"{name[:64]!a} twice", "each attribute is matched with one value", "search twice")
    return Query(keys, tuple(include), min(limit, _LARGEST_PAGE), offset, fuzzy, limit <= _LARGEST_PAGE and limited)


def _whole(name: str, value: str) -> int:
    if not value.isascii() or not value.isdigit() or len(value) > 9:
        raise Refused(f"{name}={value[:20]!a}", "it is a whole number, 0 or more", "")
    return int(value)


def _path(name: str, value: str) -> str:
    """A matching key as keywords with dots between; all but the last are sequences, and the last is none."""
    from pydicom.datadict import dictionary_VR

    words = [_keyword(one) for one in name.split(".")]
    if len(words) > _DEEPEST:
        raise Refused(f"attribute {name[:64]!a}", f"a path has {_DEEPEST} attributes at most", "")
    for at, word in enumerate(words):
        within = at < len(words) - 1
        if (dictionary_VR(word) == "SQ") is not within and (within or value):
            why = "is no sequence" if within else "is a sequence, which has no value of its own"
            raise Refused(f"attribute {name[:64]!a}", f"{word} {why}", "write Sequence.Attribute=value")
    return ".".join(words)


def _keyword(name: str) -> str:
    from pydicom.datadict import keyword_for_tag, tag_for_keyword

    name = name.strip()
    if name and tag_for_keyword(name) is not None:  # the dictionary has retired entries without one
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


def unmatched(level: str, query: Query) -> list[str]:
    """Keys that no record keeps at this level: a search goes on without them, and its answer says so."""
    kept = matched_keys(level)
    return [path for path, value in query.keys.items() if value and path.split(".")[0] not in kept]


def search(
    site: Archive, level: str, query: Query, fixed: dict[str, str], base: str, who: Person, paging: Paging | None = None
) -> list[dict[str, Any]]:
    """Rows of a search as DICOM JSON.

    Args:
        level: STUDY, SERIES or IMAGE.
        fixed: UIDs that stand in the path.
        base: URL of the DICOMweb root, for RetrieveURL.
        paging: the searches of the door that go on, so that their pages stay those of one moment.
    """
    wanted = dict.fromkeys(_STUDY if level == "STUDY" or "StudyInstanceUID" not in fixed else ("StudyInstanceUID",))
    if level in ("SERIES", "IMAGE") and (level == "SERIES" or "SeriesInstanceUID" not in fixed):
        wanted |= dict.fromkeys(_SERIES)
    if level == "IMAGE":
        wanted |= dict.fromkeys((*_IMAGE, "SeriesInstanceUID"))
    named = (path.split(".")[0] for path in query.keys)
    wanted |= dict.fromkeys((*named, *(word for word in query.include if word != "all")))
    left = {path: value for path, value in query.keys.items() if path not in unmatched(level, query)}
    asked = {**dict.fromkeys(wanted, ""), **left, **fixed}
    page = (paging or Paging()).page
    rows = page(site, level, asked, who=who, limit=query.limit, offset=query.offset, fuzzy=query.fuzzy)
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
