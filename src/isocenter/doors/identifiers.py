"""Questions and answers of Query/Retrieve: identifiers as keys, and rows as identifiers (PS3.4 annex C)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from typing import Any, Final

from isocenter.doors.archive import Archive
from isocenter.errors import IsocenterError, Refused
from isocenter.govern.policy import Person
from isocenter.record.study import Instance

__all__ = [
    "LEVELS",
    "answer",
    "failed_list",
    "instances",
    "keys_of",
    "pages",
    "question",
    "read",
    "row_of",
    "unique_keys",
]

LEVELS: Final = ("PATIENT", "STUDY", "SERIES", "IMAGE")
_UNIQUE: Final = {
    "PATIENT": "PatientID",
    "STUDY": "StudyInstanceUID",
    "SERIES": "SeriesInstanceUID",
    "IMAGE": "SOPInstanceUID",
}
_PAGE: Final = 1000


def read(data: list[bytes] | None, syntax: str) -> Any:
    """Decode an identifier.

    Raises:
        Refused: it cannot be read, or there is none.
    """
    from pydicom.uid import UID
    from pynetdicom.dsutils import decode

    uid = UID(syntax)
    try:
        dataset = decode(BytesIO(b"".join(data or ())), uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated)
        dataset.decode()
    except Exception as error:
        raise Refused("An identifier that cannot be read", type(error).__name__, "look at the sender's query") from None
    if not len(dataset):
        raise Refused("An empty identifier", "it asks for nothing", "name a level and at least one key")
    return dataset


def keys_of(dataset: Any, root: str) -> tuple[str, dict[str, str]]:
    """The level and the matching keys of an identifier, by DICOM keyword; empty keys ask for a value in return.

    Raises:
        Refused: no level, or one that the information model (Patient or Study Root) does not have.
    """
    level = str(dataset.get("QueryRetrieveLevel", "") or "").strip().upper()
    allowed = LEVELS if root == "PATIENT" else LEVELS[1:]
    if level not in allowed:
        raise Refused(
            f"Query/Retrieve Level {level[:16]!a}", f"the {root.title()} Root has {', '.join(allowed)}", "set it"
        )
    keys: dict[str, str] = {}
    for element in dataset:
        word = element.keyword
        if not word or element.VR == "SQ" or word in ("QueryRetrieveLevel", "SpecificCharacterSet"):
            continue
        value = element.value
        if value is None:
            keys[word] = ""
        elif element.VM > 1:
            keys[word] = "\\".join(str(v) for v in value)
        else:
            keys[word] = str(value)
    return level, keys


def unique_keys(level: str, keys: Mapping[str, str]) -> dict[str, str]:
    """The keys that name what is to be retrieved: the unique key of the level and of those above it.

    Raises:
        Refused: the level's own key is missing, or holds a wildcard.
    """
    own = _UNIQUE[level]
    if not keys.get(own):
        raise Refused(f"No {own}", f"a retrieval at level {level} must name what it wants", f"send {own}")
    named = {word: keys[word] for word in _UNIQUE.values() if keys.get(word)}
    for word, value in named.items():
        if "*" in value or "?" in value:
            raise Refused(f"A wildcard in {word}", "a retrieval must name what it wants", "query first, then retrieve")
    return named


def pages(site: Archive, level: str, keys: Mapping[str, str], who: Person) -> Iterator[dict[str, Any]]:
    """All rows that match, fetched page by page so that a broad question does not fill the memory."""
    offset = 0
    while rows := site.find(level, keys, who=who, limit=_PAGE, offset=offset):
        yield from rows
        if len(rows) < _PAGE:
            return
        offset += _PAGE


def instances(site: Archive, named: Mapping[str, str], who: Person) -> list[Instance]:
    """The records of all instances that unique keys name, study by study in the order of their numbers."""
    rows = list(pages(site, "IMAGE", {"StudyInstanceUID": "", "SOPInstanceUID": "", **named}, who))
    wanted = {str(row["SOPInstanceUID"]) for row in rows}
    studies = dict.fromkeys(str(row["StudyInstanceUID"]) for row in rows)
    return [
        instance
        for uid in studies
        for series in site.study(uid, who=who).series
        for instance in series.instances
        if instance.sop_uid in wanted
    ]


def answer(asked: Any, row: Mapping[str, Any], *, level: str, aet: str, syntax: str) -> tuple[bytes, bool]:
    """One row as an identifier that holds what was asked, and whether every key asked for is supported."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    made = Dataset()
    complete = True
    ascii_only = True
    for element in asked:
        word = element.keyword
        if word in ("QueryRetrieveLevel", "SpecificCharacterSet") or element.tag.is_private:
            continue
        if element.VR == "SQ":
            made.add(DataElement(element.tag, "SQ", []))
            complete = False
            continue
        if word not in row:
            complete = False
        value = _plain(row.get(word))
        ascii_only = ascii_only and str(value).isascii()
        made.add(DataElement(element.tag, element.VR, value, validation_mode=0))
    for word, vr, value in (
        ("QueryRetrieveLevel", "CS", level),
        ("RetrieveAETitle", "AE", aet),
        ("InstanceAvailability", "CS", "ONLINE"),
    ):
        made.add(DataElement(tag_for_keyword(word), vr, value))
    if not ascii_only:
        made.SpecificCharacterSet = "ISO_IR 192"
    return _encode(made, syntax), complete


def failed_list(uids: list[str], syntax: str) -> bytes:
    """The identifier that names the instances of a retrieval that failed."""
    from pydicom.dataset import Dataset

    made = Dataset()
    made.FailedSOPInstanceUIDList = uids
    return _encode(made, syntax)


def question(level: str, keys: Mapping[str, str], syntax: str) -> bytes:
    """Keys by DICOM keyword as an identifier to ask with.

    Raises:
        Refused: a keyword that DICOM does not have.
    """
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    made = Dataset()
    for word, value in {"QueryRetrieveLevel": level, **keys}.items():
        tag = tag_for_keyword(word)
        if tag is None:
            raise Refused(f"Key {word!a}", "DICOM has no attribute of that keyword", "use a DICOM keyword")
        made.add(DataElement(tag, dictionary_VR(tag), value.split("\\") if "\\" in value else value, validation_mode=0))
    if not all(value.isascii() for value in keys.values()):
        made.SpecificCharacterSet = "ISO_IR 192"
    return _encode(made, syntax)


def row_of(dataset: Any) -> dict[str, Any]:
    """An identifier that a peer answered with, as a row by DICOM keyword."""
    row: dict[str, Any] = {}
    for element in dataset:
        if element.keyword and element.VR != "SQ":
            row[element.keyword] = (
                [str(v) for v in element.value]
                if element.VM > 1
                else ""
                if element.value is None
                else str(element.value)
            )
    return row


def _plain(value: Any) -> Any:
    """A value of a row as DICOM writes it."""
    if value is None:
        return None
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(v) for v in value]
    if isinstance(value, int | float | str):
        return value
    return value.strftime("%Y%m%d")


def _encode(dataset: Any, syntax: str) -> bytes:
    from pydicom.uid import UID
    from pynetdicom.dsutils import encode

    uid = UID(syntax)
    made = encode(dataset, uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated)
    if made is None:
        raise IsocenterError("An answer that cannot be encoded", "a stored value does not fit its VR", "see the log")
    return bytes(made)
