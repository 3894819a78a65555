"""Questions and answers of Query/Retrieve: identifiers as keys, and rows as identifiers (PS3.4 annex C)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from io import BytesIO
from typing import Any, Final, Literal, NamedTuple

from isocenter.dicom.kept_sequences import kept_keys
from isocenter.doors.archive import Archive
from isocenter.errors import IsocenterError, Refused
from isocenter.govern.policy import Person
from isocenter.record.study import Instance
from isocenter.store.search import column_keys

__all__ = [
    "LEVELS",
    "Key",
    "answer",
    "failed_list",
    "instances",
    "keys_of",
    "matched_keys",
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
_OWN: Final = ("QueryRetrieveLevel", "SpecificCharacterSet", "RetrieveAETitle", "InstanceAvailability")
_WHOLE: Final = ("US", "UL", "UV")
_PAGE: Final = 1000
_DEEPEST: Final = 3


class Key(NamedTuple):
    """One element of an identifier: its tag, keyword (empty for private ones), VR, and its value as text.

    A sequence has the keys of its first item instead of a value: a query has one item (PS3.4 C.2.2.2.6).
    """

    tag: int
    keyword: str
    vr: str
    value: str
    item: tuple[Key, ...] = ()


def read(data: list[bytes] | None, syntax: str) -> list[Key]:
    """Decode an identifier, without judging its values: a wildcard in a UID is for the search to refuse.

    Raises:
        Refused: it cannot be read, or there is none.
    """
    from pydicom.uid import UID
    from pynetdicom.dsutils import decode

    uid = UID(syntax)
    try:
        dataset = decode(BytesIO(b"".join(data or ())), uid.is_implicit_VR, uid.is_little_endian, uid.is_deflated)
        keys = _keys(dataset, [], uid.is_little_endian, _DEEPEST)
    except Exception as error:
        raise Refused("An identifier that cannot be read", type(error).__name__, "look at the sender's query") from None
    if not keys:
        raise Refused("An empty identifier", "it asks for nothing", "name a level and at least one key")
    return keys


def _keys(dataset: Any, charset: list[str], little: bool, depth: int) -> list[Key]:
    from pydicom.datadict import dictionary_VR, keyword_for_tag
    from pydicom.dataelem import RawDataElement

    keys: list[Key] = []
    for tag in dataset.keys():  # noqa: SIM118 - iterating a dataset would decode and judge every value
        element = dataset.get_item(tag)
        word = keyword_for_tag(tag)
        vr = element.VR or (dictionary_VR(tag).split(" ")[0] if word else "UN")
        if vr == "SQ":
            items = list(dataset[tag].value)[:1] if depth else []
            inner = tuple(one for item in items for one in _keys(item, charset, little, depth - 1))
            keys.append(Key(int(tag), word, vr, "", inner))
            continue
        raw = element.value if isinstance(element, RawDataElement) else b""
        if word == "SpecificCharacterSet":
            charset = raw.decode("ascii").strip(" \0").split("\\")
        keys.append(Key(int(tag), word, vr, _text(raw or b"", vr, charset, little)))
    return keys


def _text(raw: bytes, vr: str, charset: list[str], little: bool) -> str:
    from pydicom.charset import decode_bytes, python_encoding

    if vr in _WHOLE:
        order: Literal["little", "big"] = "little" if little else "big"
        return str(int.from_bytes(raw, order)) if raw else ""
    if vr in ("SQ", "OB", "OW", "UN", "FL", "FD", "AT"):
        return ""
    encodings = [python_encoding.get(name.strip(), "iso8859") for name in charset] or ["iso8859"]
    return str(decode_bytes(raw, encodings, {0x5C, 0x5E, 0x3D} if vr == "PN" else {0x5C})).strip(" \0")


def keys_of(asked: list[Key], root: str) -> tuple[str, dict[str, str]]:
    """The level and the matching keys of an identifier, by DICOM keyword; empty keys ask for a value in return.

    Those within a sequence stand by a path of keywords. What no record keeps is not matched (PS3.4 C.2.2.1.3); the
    answer says that it is not supported.

    Raises:
        Refused: no level, or one that the information model (Patient or Study Root) does not have.
    """
    level = next((key.value.upper() for key in asked if key.keyword == "QueryRetrieveLevel"), "")
    allowed = LEVELS if root == "PATIENT" else LEVELS[1:]
    if level not in allowed:
        raise Refused(
            f"Query/Retrieve Level {level[:16]!a}", f"the {root.title()} Root has {', '.join(allowed)}", "set it"
        )
    kept = matched_keys(level) | set(_UNIQUE.values())  # a retrieval is narrowed by whichever of them it names
    paths = {path: value for path, value in _paths(asked) if path not in _OWN}
    return level, {path: value for path, value in paths.items() if not value or path.split(".")[0] in kept}


def _paths(keys: Sequence[Key], above: str = "") -> Iterator[tuple[str, str]]:
    for key in keys:
        if key.keyword and key.vr == "SQ":
            yield from _paths(key.item, f"{above}{key.keyword}.")
        elif key.keyword:
            yield above + key.keyword, key.value


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


def answer(asked: list[Key], row: Mapping[str, Any], *, level: str, aet: str, syntax: str) -> tuple[bytes, bool]:
    """One row as an identifier that holds what was asked, and whether every key asked for is supported."""
    from pydicom.datadict import tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    made = Dataset()
    complete = True
    ascii_only = True
    for key in asked:
        if not key.keyword or key.keyword in _OWN:
            continue
        if key.vr == "SQ":
            items = [_item(one, key.item) for one in row.get(key.keyword) or () if isinstance(one, Mapping)]
            made.add(DataElement(key.tag, "SQ", items))
            complete = complete and key.keyword in matched_keys(level)
            ascii_only = ascii_only and str(row.get(key.keyword, "")).isascii()
            continue
        complete = complete and key.keyword in row
        value = _plain(row.get(key.keyword))
        ascii_only = ascii_only and str(value).isascii()
        made.add(DataElement(key.tag, key.vr, value, validation_mode=0))
    for word, vr, value in (
        ("QueryRetrieveLevel", "CS", level),
        ("RetrieveAETitle", "AE", aet),
        ("InstanceAvailability", "CS", "ONLINE"),
    ):
        made.add(DataElement(tag_for_keyword(word), vr, value))
    if not ascii_only:
        made.SpecificCharacterSet = "ISO_IR 192"
    return _encode(made, syntax), complete


def _item(held: Mapping[str, Any], asked: Sequence[Key]) -> Any:
    """What is kept of one item, as far as it was asked for; all of it where nothing in it was named."""
    from pydicom.datadict import dictionary_VR, tag_for_keyword
    from pydicom.dataelem import DataElement
    from pydicom.dataset import Dataset

    inner = {key.keyword: key.item for key in asked if key.keyword}
    made = Dataset()
    for word, value in held.items():
        tag = tag_for_keyword(word)
        if tag is None or (inner and word not in inner):
            continue
        vr = dictionary_VR(tag)
        said = [_item(one, inner.get(word, ())) for one in value] if vr == "SQ" else value
        made.add(DataElement(tag, vr, said, validation_mode=0))
    for key in asked:
        if key.keyword and key.tag not in made:
            made.add(DataElement(key.tag, key.vr, [] if key.vr == "SQ" else None))
    return made


def matched_keys(level: str) -> frozenset[str]:
    """Keywords of what can be searched for at a level: columns, kept header values, and sequences that are kept."""
    if level == "PATIENT":
        return column_keys(level)
    if level == "STUDY":
        return column_keys(level) | {"StudyID"} | {word for word in kept_keys() if word.endswith("Sequence")}
    return column_keys(level) | kept_keys()


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


def row_of(said: list[Key]) -> dict[str, Any]:
    """An identifier that a peer answered with, as a row by DICOM keyword; several values as a list."""
    return {
        key.keyword: key.value.split("\\") if "\\" in key.value else key.value
        for key in said
        if key.keyword and key.vr != "SQ" and key.keyword != "SpecificCharacterSet"
    }


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
