"""A copy of an object without the person, by PS3.15 annex E, and a report of what was done to each attribute.

Who asks chooses options of the table; the default keeps what research needs: sex, age and size, dates moved by one
number of days for each patient so that intervals stay true, reviewed private attributes, the known words of a
description, the tree of a structured report. Pixels are searched for writing; documents, objects of unknown classes
and images that are likely to carry a name are held back for a person. The copy says of itself what was done, and never
more; before it leaves it is searched for every identity that stood in the original.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from types import MappingProxyType
from typing import Any

from isocenter.dicom.alike import age_band
from isocenter.dicom.burned_in import Verdict, judge
from isocenter.dicom.cleaning import Cleaner, Report, element, item
from isocenter.dicom.confidentiality import BASIC, CLEAN_PIXELS, CODES, COLUMNS, RESEARCH, Act, Option, acts
from isocenter.dicom.conformance import storage_class
from isocenter.dicom.elements import PIXELS, Dataset, File
from isocenter.dicom.facts import text
from isocenter.dicom.leaks import leaks
from isocenter.dicom.pixels import holds_more
from isocenter.dicom.plain_values import Rule, charsets_of
from isocenter.dicom.pseudonyms import Pseudonyms
from isocenter.dicom.recipe_wishes import Recipe
from isocenter.dicom.streams import blanked
from isocenter.dicom.visual_features import Cover, Shows, shows, without_face
from isocenter.dicom.whole import whole
from isocenter.dicom.wording import vocabulary
from isocenter.errors import IsocenterError, Refused

__all__ = ["REVIEWED", "Deidentified", "HeldBack", "deidentify", "must_be_keepable"]

_IDENTITIES = frozenset({"PatientName", "PatientID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID"})
_CLASS, _INSTANCE, _STUDY, _SERIES, _DOCUMENT = 0x00080016, 0x00080018, 0x0020000D, 0x0020000E, 0x00420011
_NAME, _ID, _ISSUER, _BIRTH = 0x00100010, 0x00100020, 0x00100021, 0x00100030
_CHARSET, _BURNED, _FEATURES, _PART, _MODALITY = 0x00080005, 0x00280301, 0x00280302, 0x00180015, 0x00080060
_CUT, _NO_HEAD = "cut", "no head"
_METHOD_TEXT, _METHOD_CODES, _REMOVED, _TEMPORAL = 0x00120063, 0x00120064, 0x00120062, 0x00280303
_EXPLICIT, _IMPLICIT, _DEFLATED = "1.2.840.10008.1.2.1", "1.2.840.10008.1.2", "1.2.840.10008.1.2.1.99"
_RAW_DATA = "1.2.840.10008.5.1.4.1.1.66"
_IMPLEMENTATION = "2.25.260117045217312806912906482360013561007"
# Tags whose values are identities of somebody and are looked for in the copy (names, numbers, addresses, telephones).
_NUMBERS = (
    0x00080050, 0x00100020, 0x00101000, 0x00101040, 0x00102154, 0x00102155, 0x00101060, 0x00101005, 0x00101001,
    0x00080092, 0x00080094, 0x00380010, 0x00380500, 0x00380300, 0x00400254, 0x00321070, 0x00101090, 0x00200010,
    0x00402016, 0x00402017, 0x00400009, 0x00401001, 0x00401004, 0x00120040, 0x00081010, 0x00181000,
)  # fmt: skip

_OF_DEVICES = frozenset({0x00081010, 0x00181000})
_OF_PLACES = frozenset({0x00080080, 0x00080081, 0x00081040})  # institution, its address, its department
# Words of places that are also words of makers: "General Electric", "Siemens Healthineers".
_MAKERS = """
    general electric siemens healthineers philips medical medicine systems system health healthcare toshiba canon
    hitachi fujifilm fuji agfa carestream hologic varian elekta shimadzu samsung mindray esaote bruker united imaging
    technologies technology corporation company center centre clinic hospital institute university research
    """
_OF_MAKERS = frozenset(_MAKERS.split())


REVIEWED = "say that it was reviewed"
"""How the reason of an object ends that leaves as soon as a person has looked at it and said so."""


class HeldBack(Refused):
    """An object that does not leave before a person has looked at it."""


@dataclass(frozen=True)
class Deidentified:
    """A clean copy.

    Args:
        data: Part 10 file.
        done: (attribute, what was done, what decided) -> how often.
        pixels: what is known of text in the pixels.
        patient: pseudonym of the patient.
        risks: in words, what could still tell who it is.
        names: UIDs of its study, its series and itself, as they are in the copy.
        face: what became of the face: ``cut``, ``no head`` (none was found where none was named), ``left``, or empty
            where the object shows none.
    """

    data: bytes
    done: Counter[tuple[str, str, str]]
    pixels: Verdict
    patient: str
    risks: tuple[str, ...] = ()
    facts: dict[str, str] = field(default_factory=dict)
    names: tuple[str, str, str] = ("", "", "")
    face: str = ""


def must_be_keepable(keep: Collection[str]) -> None:
    """Keywords of attributes that may be kept.

    Raises:
        Refused: one names an identity, or is no keyword of the standard: nothing would be kept by it.
    """
    if forbidden := _IDENTITIES & set(keep):
        raise Refused(f"keep={sorted(forbidden)}", "the object would still name the person", "leave these out")
    from pydicom.datadict import tag_for_keyword

    if unknown := sorted(one for one in keep if tag_for_keyword(one) is None):
        raise Refused(
            f"keep='{unknown[0]:.64}'", "it is no keyword of PS3.6, so nothing would be kept by it",
            "write it as StudyDescription is written",
        )  # fmt: skip


def deidentify(
    data: bytes,
    *,
    by: Pseudonyms,
    options: Collection[Option] = RESEARCH,
    keep: Collection[str] = (),
    reviewed: bool = False,
    blank: bool = False,
    covers: Mapping[str, Cover] = MappingProxyType({}),
    recipe: Recipe | None = None,
) -> Deidentified:
    """A copy of an object without names, dates, places and whatever else tells who somebody is.

    Args:
        data: a whole Part 10 file.
        by: where pseudonyms come from; one secret maps one identity to one pseudonym, in every object.
        options: of table E.1-1.
        keep: keywords to keep although the table would not (a protocol's exceptions, such as ``"StudyDescription"``);
            identities of patient and instances cannot be kept.
        reviewed: a person has looked at the pixels and found nobody named; what was found is still blanked.
        blank: let images with found writing go without a person, the found lines blanked.
        covers: faces of heads by Series Instance UID, each found in all images of it; wanted where `options` has
            ``faces``.
        recipe: of another tool, on top of the table (`foreign_recipes`).

    Raises:
        HeldBack: when a person must look first: a document, raw data or an unknown class, writing in the pixels, a
            head whose face was not surely found, or an identity that was still found in the copy.
        Refused: when `keep` names an identity or nothing of the standard, or the object cannot be written.
        NotWhole: when the file is not whole.
    """
    must_be_keepable(keep)
    file = whole(data)
    _must_be_known(file)
    verdict = judge(file, data)
    waits = verdict.state == "review" or (verdict.state == "writing" and not blank)
    if waits and not reviewed:
        raise HeldBack(verdict.why, "the text may be a name", f"look at it, and {REVIEWED}")
    if recipe is not None:
        verdict = _with_places(file, verdict, recipe, reviewed=reviewed)
        keep = {*keep, *recipe.keep}
    cover = covers.get(file.ascii(_SERIES))
    face = _face(file, Option.FACES in options, cover)
    none = frozenset[str]()
    taken = (recipe.empty, recipe.remove, frozenset(recipe.write.items())) if recipe else (none, none, frozenset())
    try:
        return _copy(file, data, by, frozenset(options), frozenset(keep), taken, verdict, reviewed, cover, face)
    except IsocenterError:
        raise
    except (ValueError, LookupError, TypeError, ArithmeticError) as fault:  # an odd value that nobody thought of
        raise Refused(
            "the object could not be de-identified", str(fault), "leave it out; nothing was written"
        ) from fault


def _must_be_known(file: File) -> None:
    uid = file.ascii(_CLASS)
    kind = storage_class(uid)
    if kind is None or uid == _RAW_DATA or _DOCUMENT in file.dataset:
        raise HeldBack(
            f"an object of class {kind.name if kind else _numbers_of(uid) or 'unknown'}",
            "what it holds inside cannot be judged",
            "leave it out, or look at it and export it by hand",
        )


def _numbers_of(uid: str) -> str:
    """A UID to be named in a report that travels; empty where it is none."""
    return uid if not set(uid) - set("0123456789.") else ""


def _with_places(file: File, verdict: Verdict, recipe: Recipe, *, reviewed: bool) -> Verdict:
    """What is known of the pixels, with what a recipe wants blanked.

    Raises:
        HeldBack: the recipe wants such an object looked at.
    """
    if PIXELS not in file.dataset:
        return verdict
    flagged = [p.name for p in recipe.fitting(file) if not p.boxes]
    if flagged and not reviewed:
        raise HeldBack(
            f"the recipe flags it: {flagged[0][:60]}", "it says no place to blank", f"look at it, and {REVIEWED}"
        )
    boxes = recipe.boxes(file)
    state = "blank" if boxes and verdict.state == "clean" else verdict.state
    return replace(verdict, boxes=verdict.boxes + boxes, state=state)


def _face(file: File, wanted: bool, cover: Cover | None) -> str:
    """What becomes of a face in this object.

    Raises:
        HeldBack: it shall be taken out, and nobody knows surely where it is.
    """
    said = shows(file)
    if said is Shows.NO:
        return ""
    if not wanted:
        return "left" if said is Shows.HEAD else ""
    if cover is not None and cover.state == _CUT:
        return _CUT
    if said is Shows.PERHAPS and (cover is None or cover.state == "none"):
        return _NO_HEAD
    if cover is None:
        why = "a head by itself: its face is sought in all images of its series"
    else:
        why = cover.why or "said to be of a head, and no head was found in it"
    raise HeldBack(
        f"{why}", "who can draw the head may recognise its person",
        "look at it; what shows no face can leave without the option 'faces', and then says so",
    )  # fmt: skip


_Taken = tuple[frozenset[str], frozenset[str], frozenset[tuple[str, str]]]
"""What a recipe empties, removes and writes over."""


def _copy(
    file: File, data: bytes, by: Pseudonyms, options: frozenset[Option], keep: frozenset[str],
    taken: _Taken, verdict: Verdict, reviewed: bool, cover: Cover | None, face: str,
) -> Deidentified:  # fmt: skip
    identity, issuer = _identity(file)
    banned, sought = _people(file, options)
    report = Report()
    rule = Rule(by, options, by.days(identity, issuer), keep, banned, *taken)
    pseudonym = by.patient(identity, issuer)
    if verdict.boxes or face == _CUT or holds_more(data, file):
        file = _painted_over(file, data, verdict, cover if face == _CUT else None)
    cleaner = Cleaner(file, rule, report)
    extra = _declared(file, options, verdict, pseudonym, reviewed, face)
    parts = cleaner.parts(file.dataset, extra=extra)
    left = leaks(b"".join(p for at, p in enumerate(parts) if at not in cleaner.pixels), sought)
    if left:
        raise HeldBack(
            "1 identity of the original still stands in the copy"
            if len(left) == 1
            else f"{len(left)} identities of the original still stand in the copy",
            "a name or number was written where nobody expects one",
            "look at the object; nothing of it was written",
        )
    if file.syntax == _DEFLATED:
        packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
        body = packer.compress(b"".join(parts)) + packer.flush()
        parts = [body, b"\0" * (len(body) % 2)]
    names = (cleaner.renamed(_STUDY), cleaner.renamed(_SERIES), cleaner.renamed(_INSTANCE))
    made = b"".join([_meta(file.ascii(_CLASS), names[2], file.syntax), *parts])
    risks = _risks(file, options, verdict, face)
    return Deidentified(made, report.done, verdict, pseudonym, risks, _quasi(file, options, keep), names, face)


def _identity(file: File) -> tuple[str, str]:
    """What makes this patient the same in every object: the number within its issuer, or what stands in its place."""
    number, issuer = file.ascii(_ID), file.ascii(_ISSUER)
    if number:
        return number, issuer
    person = f"{file.ascii(_NAME).upper()}\\{file.ascii(_BIRTH)}"
    return (person if person != "\\" else file.ascii(_STUDY)), issuer


def _people(file: File, options: frozenset[Option]) -> tuple[frozenset[str], frozenset[str]]:
    """Words that no text may keep, in small letters; and what the copy is searched for."""
    words: set[str] = set()
    sought: set[str] = set()
    known = vocabulary()
    names, numbers = _person_tags(), _telling_numbers(options)
    places = _OF_PLACES if Option.INSTITUTION not in options else frozenset[int]()
    telling = names | numbers | places

    def walk(among: Dataset, around: tuple[str, ...]) -> None:
        charsets = charsets_of(file, among) if _CHARSET in among else around
        for tag, slot in among.items():
            if tag not in telling and slot[3] is None and slot[0] != "PN":
                continue
            if slot[3] is not None:
                if slot[0] == "SQ":
                    for item in slot[3]:
                        walk(item, charsets)
            elif slot[0] == "PN" or tag in names:
                for low in _words_of(text(file, tag, charsets, among)):
                    words.add(low)
                    if len(low) >= 5 and low not in known and low not in _NOBODY:
                        sought.add(low)
            elif tag in places:
                place = _PARTS.split(text(file, tag, charsets, among).lower())
                words.update(w for w in place if len(w) >= 4 and w not in known and w not in _OF_MAKERS)
            elif tag in numbers:
                said = text(file, tag, charsets, among).strip()
                for one in said.split("\\"):
                    low = one.strip().lower()
                    if len(low) >= 2:
                        words.update(_ways_of(low, letters=tag not in _OF_DEVICES and low not in known))
                    if len(low) >= 6 and low not in known:
                        sought.add(low)

    walk(file.dataset, ())
    birth = file.ascii(_BIRTH)
    if len(birth) == 8 and Option.FULL_DATES not in options:  # the day of birth may be the day of the study
        sought.add(birth)
    return frozenset(words), frozenset(sought)


@cache
def _telling_numbers(options: frozenset[Option]) -> frozenset[int]:
    """Tags of numbers of somebody that the options do not keep."""
    return frozenset(tag for tag in _NUMBERS if acts(options).get(tag, Act("X")).letter != "K")


@lru_cache(maxsize=1024)  # an object has about ten, and a series the same ones
def _ways_of(number: str, *, letters: bool) -> frozenset[str]:
    """How a number of somebody may be spelled as a word: whole, without what separates its parts, and its parts.

    Half of a number ("003" of "STS_003") in a description would still tell whose it is.

    Args:
        number: in small letters.
        letters: whether its letters alone may tell who somebody is (those of a device are often its maker's).

    >>> sorted(_ways_of("k-0123", letters=True))
    ['0123', '123', 'k-0123', 'k0123']
    """
    parts = [part for part in _PARTS.split(number) if part]
    found = {number, "".join(parts), *(part for part in parts if len(part) >= 3)}
    for part in parts:
        found |= {run for run in _RUNS.findall(part) if len(run) >= 3 and (letters or run.isdigit())}
    bare = {one.lstrip("0") for one in found if one.isdigit()}
    return frozenset(found | {one for one in bare if len(one) >= 3})


@lru_cache(maxsize=1024)
def _words_of(name: str) -> frozenset[str]:
    """The words of a name in small letters, each also as it is written without the marks of its language.

    >>> sorted(_words_of("O'Brien^Jürgen"))
    ['brien', 'juergen', 'jurgen', 'jürgen', "o'brien"]
    """
    found = set()
    for word in _BETWEEN.split(name.lower()):
        whole = word.strip(".")
        for one in (whole, *_PARTS.split(whole)):
            plain = unicodedata.normalize("NFKD", one)
            found |= {one, one.translate(_SPELLED_OUT), "".join(c for c in plain if not unicodedata.combining(c))}
    return frozenset(word for word in found if len(word) >= 2)


_BETWEEN = re.compile(r"[=^\\,\s-]+")
_SPELLED_OUT = str.maketrans({"ä": "ae", "ö": "oe", "ü": "ue", "ß": "ss", "æ": "ae", "ø": "oe", "å": "aa", "ł": "l"})
_PARTS = re.compile(r"[\W_]+")
_RUNS = re.compile(r"\d+|[^\W\d_]+")
_NOBODY = frozenset({"anonymous", "anonymized", "removed", "unknown", "none", "test", "phantom"})


@cache
def _person_tags() -> frozenset[int]:
    from pydicom.datadict import DicomDictionary

    return frozenset(tag for tag, entry in DicomDictionary.items() if entry[0] == "PN")


def _painted_over(file: File, data: bytes, verdict: Verdict, cover: Cover | None) -> File:
    """The same file with boxes of its pixels filled, a face taken out and no bits but those of its values.

    Compressed pixels become native ones.

    Raises:
        HeldBack: the face cannot be taken out of this object.
    """
    pixels = blanked(file, data, verdict.boxes)
    if cover is not None:
        if PIXELS not in file.dataset:
            raise HeldBack("a head in floating point", "its face cannot be taken out", "look at it")
        try:
            taken = without_face(file, data, pixels, cover)
        except IsocenterError as why:
            raise HeldBack(str(why), "its face cannot be taken out", "look at it") from why
        if not taken and not verdict.boxes and not holds_more(data, file):
            return file  # the face lies elsewhere: the pixels stay as they are stored
    raw = pixels.astype(pixels.dtype.newbyteorder("<" if file.little else ">")).tobytes()
    at = len(file.data)
    changed = dict(file.dataset)
    syntax = file.syntax if file.dataset[PIXELS][0] != "fragments" else _EXPLICIT
    bulk = bytes(file.data) + raw
    changed[PIXELS] = ("OB" if pixels.itemsize == 1 else "OW", at, at + len(raw), None)
    if pixels.ndim == 4:
        bulk = _spoken(changed, bulk, 0x00280004, b"RGB ", "CS")
        bulk = _spoken(changed, bulk, 0x00280006, (0).to_bytes(2, "little" if file.little else "big"), "US")
    return File(bulk, file.meta, changed, syntax, file.head)


def _spoken(changed: dict[int, Any], bulk: bytes, tag: int, value: bytes, vr: str) -> bytes:
    changed[tag] = (vr, len(bulk), len(bulk) + len(value), None)
    return bulk + value


def _declared(
    file: File, options: frozenset[Option], verdict: Verdict, pseudonym: str, reviewed: bool, face: str
) -> dict[int, tuple[str, bytes]]:
    """What the copy says of itself."""
    codes = [BASIC, *(CODES[o] for o in COLUMNS if o in options)]
    if verdict.boxes:
        codes.append(CLEAN_PIXELS)
    if face == _CUT:
        codes.append(CODES[Option.FACES])
    explicit, little = file.syntax != _IMPLICIT, file.little

    def one(tag: int, vr: str, value: str) -> bytes:
        return element(tag, vr, value.encode(), explicit=explicit, little=little)

    items = b""
    for value, meaning in codes:
        content = one(0x00080100, "SH", value) + one(0x00080102, "SH", "DCM") + one(0x00080104, "LO", meaning)
        items += item(content, little=little)
    dates = "REMOVED"
    if Option.FULL_DATES in options:
        dates = "UNMODIFIED"
    elif Option.MODIFIED_DATES in options:
        dates = "MODIFIED"
    said = {
        _NAME: ("PN", f"Anonymous^{pseudonym[:6]}".encode()),
        _ID: ("LO", pseudonym.encode()),
        _REMOVED: ("CS", b"YES"),
        _METHOD_TEXT: ("LO", b"Isocenter, PS3.15 E.1-1 2026c"),
        _METHOD_CODES: ("SQ", items),
        _TEMPORAL: ("CS", dates.encode()),
    }
    if PIXELS in file.dataset:
        if reviewed or verdict.state == "blank":
            said[_BURNED] = ("CS", b"NO")
        elif file.ascii(_BURNED) == "YES":
            said[_BURNED] = ("CS", b"YES")
        if face in (_CUT, "left"):
            said[_FEATURES] = ("CS", b"NO" if face == _CUT else b"YES")
    return said


def _risks(file: File, options: frozenset[Option], verdict: Verdict, face: str) -> tuple[str, ...]:
    found = [_FACE_RISKS[face]] if face in _FACE_RISKS else []
    if PIXELS in file.dataset:
        if not verdict.searched:
            found.append(f"the pixels were not searched for writing: {verdict.why}")
        elif verdict.boxes:
            found.append("writing was found and blanked; the search misses some")
    for option, words in (
        (Option.UIDS, "UIDs stand as they were: whoever has the original archive can join them"),
        (Option.FULL_DATES, "dates stand as they were"),
        (Option.DEVICE, "the device can be known, and with it the place"),
        (Option.INSTITUTION, "the institution is named"),
    ):
        if option in options:
            found.append(words)
    return tuple(found)


_FACE_RISKS = {
    "left": "a face can be made from the images of a head; nothing was done against it",
    _CUT: "the face was taken out; of such heads 28 to 38 % were still matched by recognition in published work",
    _NO_HEAD: "no part of the body is named, and no head was found in the images",
}


_SINGLES_OUT = {
    "sex": (0x00100040, "PatientSex"), "age": (0x00101010, "PatientAge"), "part": (_PART, "BodyPartExamined"),
    "modality": (_MODALITY, "Modality"), "ethnic group": (0x00102160, "EthnicGroup"),
    "institution": (0x00080080, "InstitutionName"),
}  # fmt: skip
_SELDOM = ("ethnic group", "institution")  # most images do not say it


def _quasi(file: File, options: frozenset[Option], keep: frozenset[str]) -> dict[str, str]:
    """What stands in the copy, names nobody and yet singles out: for k-anonymity."""
    done = acts(options)
    told = {
        name: file.ascii(tag)
        for name, (tag, keyword) in _SINGLES_OUT.items()
        if keyword in keep or tag not in done or done[tag].letter in "KC"
    }
    age = told.get("age", "")
    if age[:3].isdecimal() and age[3:] == "Y":
        told["age"] = age_band(int(age[:3]))
    return {name: value for name, value in told.items() if value or name not in _SELDOM}


def _meta(sop_class: str, instance: str, syntax: str) -> bytes:
    parts = element(0x00020001, "OB", b"\0\1")
    for tag, vr, value in (
        (0x00020002, "UI", sop_class),
        (0x00020003, "UI", instance),
        (0x00020010, "UI", syntax),
        (0x00020012, "UI", _IMPLEMENTATION),
        (0x00020013, "SH", "ISOCENTER"),
    ):
        parts += element(tag, vr, value.encode())
    # The preamble is zeros: it may hold a second file.
    return b"\0" * 128 + b"DICM" + element(0x00020000, "UL", len(parts).to_bytes(4, "little")) + parts
