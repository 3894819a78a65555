"""Recipes of other de-identifiers: `deid` (pydicom) and CTP (RSNA), scripts of attributes and of places in pixels.

What such a file asks for is taken over where it can be done here, on top of the table and never instead of it:
attributes kept, emptied and removed, places that are blanked where a header fits, objects that go to a person. Each
line that cannot be taken over is told with its reason; nobody guesses what was meant. Pseudonyms and dates are made
here alone (keyed, consistent, intervals kept).

Formats: pydicom.github.io/deid (recipe-headers, recipe-filters), mircwiki.rsna.org (The CTP DICOM Anonymizer, The CTP
DICOM Pixel Anonymizer).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.parsers import expat

from isocenter.dicom.confidentiality import table
from isocenter.dicom.elements import File
from isocenter.dicom.facts import text
from isocenter.dicom.streams import Box
from isocenter.errors import Refused

__all__ = ["Line", "Place", "Recipe", "read_recipe", "recipe_of"]

Asks = Callable[[File], bool]
_LARGEST = 4 << 20  # bytes of a recipe
_IDENTITIES = frozenset({
    "PatientName", "PatientID", "OtherPatientIDs", "OtherPatientNames", "PatientBirthName", "PatientMotherBirthName",
    "PatientAddress", "PatientTelephoneNumbers", "StudyInstanceUID", "SeriesInstanceUID", "SOPInstanceUID",
    "AccessionNumber", "PatientBirthDate", "IssuerOfPatientID",
})  # fmt: skip
_NEEDED = frozenset({
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "PixelData", "Modality",
    "SpecificCharacterSet", "PatientName", "PatientID", "PatientIdentityRemoved", "DeidentificationMethod",
    "DeidentificationMethodCodeSequence", "BurnedInAnnotation", "LongitudinalTemporalInformationModified",
})  # fmt: skip
_WHOLE_NUMBERS = frozenset({0x00280002, 0x00280010, 0x00280011, 0x00280100, 0x00280101, 0x00280102, 0x00280103})
_NO_ATTRIBUTE = "no attribute has this name or number"
_GUARDED = "it names somebody, or tells one object from another: it gets a pseudonym whatever is asked"
_STRUCTURE = "without it the object cannot be read, or does not say truthfully what was done to it"


@dataclass(frozen=True)
class Line:
    """A line that was not taken over."""

    number: int
    said: str
    why: str


@dataclass(frozen=True)
class Place:
    """What becomes of the pixels of objects whose header fits.

    Args:
        name: as the recipe calls it.
        boxes: (first row, first column, row behind, column behind); none where a person has to look.
    """

    name: str
    asks: Asks
    boxes: tuple[tuple[int, int, int, int], ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What a recipe asks for.

    Args:
        data: the file.
        kind: deid, CTP or CTP pixels.
        keep, empty, remove: keywords.
        first: of several places that fit only the first counts.
        taken: lines that were taken over; refused: those that were not.
    """

    data: bytes
    kind: str
    keep: frozenset[str] = frozenset()
    empty: frozenset[str] = frozenset()
    remove: frozenset[str] = frozenset()
    places: tuple[Place, ...] = ()
    first: bool = False
    taken: int = 0
    refused: tuple[Line, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return recipe_of, (self.data,)  # other processes read it again: conditions cannot be sent

    def fitting(self, file: File) -> tuple[Place, ...]:
        """The places whose header fits this object."""
        found = tuple(p for p in self.places if p.asks(file))
        return found[:1] if self.first else found

    def boxes(self, file: File) -> tuple[Box, ...]:
        """What is blanked in every frame of this object, within its rows and columns."""
        rows, columns = file.integer(0x00280010), file.integer(0x00280011)
        cut = (
            (max(t, 0), max(left, 0), min(b, rows), min(right, columns))
            for place in self.fitting(file) for t, left, b, right in place.boxes
        )  # fmt: skip
        return tuple(dict.fromkeys((-1, t, le, b, r) for t, le, b, r in cut if t < b and le < r))

    def report(self) -> dict[str, Any]:
        """What the report of an export says of it."""
        return {
            "kind": self.kind, "digest": hashlib.sha256(self.data).hexdigest(), "lines_taken": self.taken,
            "lines_refused": [{"line": x.number, "said": x.said, "why": x.why} for x in self.refused],
        }  # fmt: skip


def read_recipe(path: Path) -> Recipe:
    """Read a recipe from a file; see `recipe_of`."""
    return recipe_of(path.read_bytes())


def recipe_of(data: bytes) -> Recipe:
    """Read a recipe; which kind it is, its content says.

    Raises:
        Refused: it is none of these kinds, or too large.
    """
    if len(data) > _LARGEST:
        raise Refused(f"a recipe of {len(data)} bytes", f"more than {_LARGEST} are no recipe", "name another file")
    words = data.decode("utf-8", "replace")
    if re.match(r"\s*(<\?xml[^>]*>\s*)?(<!--.*?-->\s*)*<script", words, re.DOTALL):
        return _ctp(data)
    elif re.search(r"^\s*FORMAT\s+dicom\b", words, re.MULTILINE | re.IGNORECASE):
        return _Deid(words).recipe(data)
    elif re.search(r"\{[^{}]*\.[a-zA-Z]+\([^{}]*\}\s*\(", words):
        return _ctp_pixels(words, data)
    raise Refused(
        "a recipe of no known kind", "it begins neither with FORMAT dicom nor with <script>, and has no { conditions }"
        " followed by regions", "give a recipe of deid or a script of CTP",
    )  # fmt: skip


def _dictionary() -> tuple[dict[str, int], dict[int, str]]:
    from pydicom.datadict import DicomDictionary

    tags = {entry[4]: tag for tag, entry in DicomDictionary.items() if entry[4]}
    for line in table():
        if "x" not in line.tag:
            tags.setdefault(line.keyword, int(line.tag, 16))
    return tags, {tag: keyword for keyword, tag in tags.items()}


_KNOWN: tuple[dict[str, int], dict[int, str]] | None = None


def _tag(name: str) -> int | None:
    """The tag of a keyword, of ``(0010,0010)``, ``[0010,0010]`` or ``00100010``."""
    global _KNOWN
    _KNOWN = _KNOWN or _dictionary()
    if match := re.fullmatch(r"[(\[]?([0-9A-Fa-f]{4}),?([0-9A-Fa-f]{4})[)\]]?", name.strip()):
        return int(match[1] + match[2], 16)
    return _KNOWN[0].get(name.strip())


def _keyword(name: str) -> str:
    tag = _tag(name)
    assert _KNOWN is not None
    return "" if tag is None else _KNOWN[1].get(tag, "")


def _why_not(keyword: str, wanted: str) -> str:
    """Why an attribute cannot be kept, emptied or removed; empty where it can."""
    if not keyword:
        return _NO_ATTRIBUTE
    if wanted == "keep":
        return _GUARDED if keyword in _IDENTITIES else ""
    tag = _tag(keyword) or 0
    return _STRUCTURE if keyword in _NEEDED or tag >> 16 in (0x0002, 0x0028, 0x7FE0) else ""


class _Wishes:
    """What has been taken over and refused so far."""

    def __init__(self) -> None:
        self.by: dict[str, set[str]] = {"keep": set(), "empty": set(), "remove": set()}
        self.refused: list[Line] = []
        self.taken = 0

    def ask(self, number: int, said: str, name: str, wanted: str) -> None:
        keyword = _keyword(name)
        if why := _why_not(keyword, wanted):
            self.refuse(number, said, why)
            return
        for others in self.by.values():  # the last line counts
            others.discard(keyword)
        self.by[wanted].add(keyword)
        self.taken += 1

    def refuse(self, number: int, said: str, why: str) -> None:
        self.refused.append(Line(number, " ".join(said.split())[:120], why))

    def recipe(self, kind: str, data: bytes, places: tuple[Place, ...] = (), *, first: bool = False) -> Recipe:
        sets = {name: frozenset(held) for name, held in self.by.items()}
        return Recipe(data, kind, **sets, places=places, first=first, taken=self.taken, refused=tuple(self.refused))


# ---- conditions --------------------------------------------------------------------------------------------------


def _said(file: File, tag: int) -> str | None:
    """What an object says of an attribute at its top; None where it is not there."""
    if tag not in file.dataset:
        return None
    return str(file.integer(tag)) if tag in _WHOLE_NUMBERS else text(file, tag, ()).strip()


def _compare(tag: int, how: Callable[[str], bool], *, absent: bool = False) -> Asks:
    def asks(file: File) -> bool:
        said = _said(file, tag)
        return absent if said is None else how(said)

    return asks


def _joined(first: Asks, operator: str, second: Asks) -> Asks:
    if operator == "and":
        return lambda file: first(file) and second(file)
    return lambda file: first(file) or second(file)


# ---- deid ----------------------------------------------------------------------------------------------------------

_OURS = {
    "REPLACE": "values are made here: pseudonyms by a key, dates moved by one number of days for each patient",
    "JITTER": "dates are moved by one number of days for each patient (option modified-dates), so that intervals stay",
    "ADD": "nothing is written into a copy but what says truthfully what was done to it",
    "LABEL": "a label belongs into a filter",
}
_LISTS = {"graylist": "graylist", "greylist": "graylist", "blacklist": "blacklist", "whitelist": "whitelist"}
_CLEAN = "no line of a header makes pixels clean: they are searched, and risky kinds wait for a person"


class _Deid:
    """A recipe of the deid project, read line by line."""

    def __init__(self, words: str) -> None:
        self.wishes, self.places = _Wishes(), list[Place]()
        self.section, self.list = "", ""
        self.name, self.at, self.asks = "", 0, None  # type: tuple[str, int, Asks | None]
        self.boxes: list[tuple[int, int, int, int]] = []
        self.broken = False
        for number, line in enumerate(words.splitlines(), 1):
            self._line(number, line)
        self._end()

    def recipe(self, data: bytes) -> Recipe:
        return self.wishes.recipe("deid", data, tuple(self.places))

    def _line(self, number: int, line: str) -> None:
        said = re.sub(r"(^|\s)#.*$", "", line).strip()
        if not said or re.match(r"FORMAT\s", said, re.IGNORECASE):
            return
        if said.startswith("%"):
            self._end()
            self.section, _, rest = said[1:].partition(" ")
            self.section, self.list = self.section.lower(), _LISTS.get(rest.strip().lower(), "")
            if self.section not in ("header", "filter"):
                self.wishes.refuse(number, said, "of sections, %header and %filter are taken over")
            elif self.section == "filter" and not self.list:
                self.wishes.refuse(number, said, "of filters, graylist, blacklist and whitelist are known")
        elif self.section == "header":
            self._header(number, said)
        elif self.section == "filter" and self.list:
            self._filter(number, said)
        else:
            self.wishes.refuse(number, said, "it stands in no section that is taken over")

    def _header(self, number: int, said: str) -> None:
        action, _, rest = said.partition(" ")
        name, _, value = rest.strip().partition(" ")
        wanted = {"KEEP": "keep", "BLANK": "empty", "REMOVE": "remove"}.get(action.upper(), "")
        if not wanted:
            self.wishes.refuse(number, said, _OURS.get(action.upper(), f"the action {action[:20]} is not known"))
        elif value.strip() or ":" in name or name.upper() == "ALL":
            self.wishes.refuse(number, said, "attributes are taken over one by one, by keyword or tag")
        else:
            self.wishes.ask(number, said, name, wanted)

    def _filter(self, number: int, said: str) -> None:
        word = said.split()[0].lower()
        if word == "label":
            self._end()
            self.name, self.at = said[5:].strip(), number
            if self.list == "whitelist":
                self.broken = True
                self.wishes.refuse(number, said, _CLEAN)
        elif word in ("coordinates", "ctpcoordinates"):
            numbers = re.findall(r"-?\d+", said)
            if len(numbers) != 4 or re.sub(r"[\d\s,-]", "", said.lower()) != word:
                self._break(number, said, "a region is four numbers")
                return
            a, b, c, d = map(int, numbers)
            self.boxes.append((b, a, b + d, a + c) if word.startswith("ctp") else (b, a, d, c))
            self.wishes.taken += 1
        elif word.startswith("keepcoordinates") or word.startswith("ctpkeep"):
            self._break(number, said, "what lies outside of a region is not taken for the part that may go")
        else:
            self._condition(number, said)

    def _condition(self, number: int, said: str) -> None:
        match = re.match(r"(\+|\|\|)?\s*(.*)", said)
        assert match is not None
        operator, rest = ("or" if match[1] == "||" else "and"), match[2]
        try:
            made: Asks | None = None
            for inner, part in _in_line(rest):
                one = _one(part)
                made = one if made is None else _joined(made, inner, one)
            if made is None:
                raise ValueError("nothing is asked")
        except ValueError as why:
            self._break(number, said, str(why))
            return
        self.asks = made if self.asks is None else _joined(self.asks, operator, made)
        self.wishes.taken += 1

    def _break(self, number: int, said: str, why: str) -> None:
        self.broken = True
        self.wishes.refuse(number, said, why)

    def _end(self) -> None:
        """A label ends: with a condition that was not understood nothing of it holds."""
        if self.name and not self.broken and self.asks is not None:
            boxes = tuple(self.boxes) if self.list == "graylist" else ()
            self.places.append(Place(self.name, self.asks, boxes))
        elif self.name and self.broken and self.list != "whitelist":
            self.wishes.refuse(self.at, f"LABEL {self.name}", "one of its lines was refused, so the label is not asked")
        self.name, self.asks, self.boxes, self.broken = "", None, [], False


def _in_line(words: str) -> Iterator[tuple[str, str]]:
    """Conditions of one line and what joins each to those before it."""
    operator = "and"
    for part in re.split(r"\s(\+|\|\|)\s", words):
        if part in ("+", "||"):
            operator = "or" if part == "||" else "and"
        else:
            yield operator, part


def _one(words: str) -> Asks:
    """One condition of a deid filter; ValueError says why it is none."""
    how, _, rest = words.strip().partition(" ")
    name, _, value = rest.strip().partition(" ")
    value = value.strip()
    tag = _tag(name)
    if tag is None:
        raise ValueError(f"{_NO_ATTRIBUTE}: {name[:40]}")
    how = how.lower()
    if how in ("missing", "present", "empty", "notempty"):
        return {
            "missing": _compare(tag, lambda s: False, absent=True),
            "present": _compare(tag, lambda s: True),
            "empty": _compare(tag, lambda s: not s),
            "notempty": _compare(tag, bool),
        }[how]
    if how not in ("contains", "notcontains", "equals", "notequals"):
        raise ValueError(f"the condition {how[:20]} is not known")
    if not value:
        raise ValueError("no value to compare with")
    if how.endswith("equals"):
        wanted = {one.strip().casefold() for one in value.split("|")}
        return _compare(tag, lambda s: (s.casefold() in wanted) == (how == "equals"), absent=how == "notequals")
    try:
        pattern = re.compile(value, re.IGNORECASE)
    except re.error as why:
        raise ValueError(f"the pattern cannot be read: {why}") from None
    return _compare(tag, lambda s: bool(pattern.search(s)) == (how == "contains"), absent=how == "notcontains")


# ---- CTP: places in pixels ---------------------------------------------------------------------------------------

_METHODS: dict[str, Callable[[str, str], bool]] = {
    "equals": lambda s, v: s == v,
    "equalsIgnoreCase": lambda s, v: s.casefold() == v.casefold(),
    "contains": lambda s, v: v in s,
    "containsIgnoreCase": lambda s, v: v.casefold() in s.casefold(),
    "startsWith": lambda s, v: s.startswith(v),
    "startsWithIgnoreCase": lambda s, v: s.casefold().startswith(v.casefold()),
    "endsWith": lambda s, v: s.endswith(v),
    "endsWithIgnoreCase": lambda s, v: s.casefold().endswith(v.casefold()),
}
_TOKEN = re.compile(
    r"\s*(?:(?P<op>[*+!()])|(?P<name>\[[0-9A-Fa-f]{4},[0-9A-Fa-f]{4}\]|\w+)\.(?P<how>\w+)\(\s*(?:\"(?P<value>[^\"]*)\")?\s*\))"
)


def _ctp_pixels(words: str, data: bytes) -> Recipe:
    wishes, places = _Wishes(), list[Place]()
    for match in re.finditer(r"\{([^{}]*)\}((?:\s*\(\s*-?\d+(?:\s*,\s*-?\d+){3}\s*\))*)", words):
        number = words.count("\n", 0, match.start()) + 1
        regions = [tuple(map(int, re.findall(r"-?\d+", r))) for r in re.findall(r"\(([^()]*)\)", match[2])]
        if not regions:
            wishes.refuse(number, match[0], "no region (left, top, width, height) follows the conditions")
            continue
        try:
            asks = _Expression(match[1]).whole()
        except ValueError as why:
            wishes.refuse(number, match[0], str(why))
            continue
        places.append(Place(f"line {number}", asks, tuple((t, le, t + h, le + w) for le, t, w, h in regions)))
        wishes.taken += 1
    return wishes.recipe("CTP pixels", data, tuple(places), first=True)


class _Expression:
    """Conditions of CTP: ``*`` binds more than ``+``, ``!`` turns, brackets group."""

    def __init__(self, words: str) -> None:
        self.words, self.tokens, at = words.rstrip(), list[re.Match[str]](), 0
        while at < len(self.words):
            match = _TOKEN.match(self.words, at)
            if match is None:
                raise ValueError(f"not understood: {self.words[at : at + 40].strip()}")
            self.tokens.append(match)
            at = match.end()
        self.at = 0

    def whole(self) -> Asks:
        made = self._or()
        if self.at != len(self.tokens):
            raise ValueError("a bracket is missing, or two conditions are not joined")
        return made

    def _next(self, *operators: str) -> bool:
        if self.at < len(self.tokens) and self.tokens[self.at]["op"] in operators:
            self.at += 1
            return True
        return False

    def _or(self) -> Asks:
        made = self._and()
        while self._next("+"):
            made = _joined(made, "or", self._and())
        return made

    def _and(self) -> Asks:
        made = self._not()
        while self._next("*"):
            made = _joined(made, "and", self._not())
        return made

    def _not(self) -> Asks:
        if self._next("!"):
            inner = self._not()
            return lambda file: not inner(file)
        if self._next("("):
            made = self._or()
            if not self._next(")"):
                raise ValueError("a bracket is missing")
            return made
        if self.at >= len(self.tokens) or not self.tokens[self.at]["how"]:
            raise ValueError("a condition is missing")
        token = self.tokens[self.at]
        self.at += 1
        tag, how, value = _tag(token["name"]), _METHODS.get(token["how"]), token["value"]
        if tag is None:
            raise ValueError(f"{_NO_ATTRIBUTE}: {token['name'][:40]}")
        if how is None or value is None:
            raise ValueError(f"the condition {token['how'][:20]} is not taken over")
        return _compare(tag, lambda s: how(s, value))


# ---- CTP: attributes -------------------------------------------------------------------------------------------------

_DONE_ANYHOW = {"curves", "overlays", "privategroups"}


def _ctp(data: bytes) -> Recipe:
    wishes = _Wishes()
    reader = expat.ParserCreate()
    held: dict[str, Any] = {"name": "", "attributes": {}, "line": 0, "words": []}

    def begins(name: str, attributes: dict[str, str]) -> None:
        held.update(name=name, attributes=attributes, line=reader.CurrentLineNumber, words=[])

    def says(words: str) -> None:
        held["words"].append(words)

    def ends(name: str) -> None:
        if name == held["name"] and name in ("e", "k", "r") and held["attributes"].get("en", "T") == "T":
            _ctp_line(wishes, name, held["attributes"], "".join(held["words"]).strip(), held["line"])
        held["name"] = ""

    def declared(*_: Any) -> None:
        raise Refused("a script of CTP that declares entities", "they can unfold without end", "take them out")

    reader.StartElementHandler, reader.EndElementHandler, reader.CharacterDataHandler = begins, ends, says
    reader.EntityDeclHandler = reader.StartDoctypeDeclHandler = declared
    try:
        reader.Parse(data, True)
    except expat.ExpatError as fault:
        raise Refused("a script of CTP that is no XML", str(fault), "mend that line") from None
    return wishes.recipe("CTP", data)


def _ctp_line(wishes: _Wishes, name: str, attributes: dict[str, str], script: str, number: int) -> None:
    what = attributes.get("t", "")
    said = f"{name} {what} {attributes.get('n', '')} {script}"
    if name == "r" and what in _DONE_ANYHOW:
        wishes.taken += 1
    elif name in ("k", "r"):
        wishes.refuse(number, said, "groups are not kept or removed as a whole: name the attributes")
    elif script in ("@keep()", "@require()"):
        wishes.ask(number, said, what, "keep")
    elif script == "@empty()":
        wishes.ask(number, said, what, "empty")
    elif script == "@remove()":
        wishes.ask(number, said, what, "remove")
    elif script.startswith("@hashuid(") and _is_mapped(what):
        wishes.taken += 1
    else:
        wishes.refuse(number, said, "values are made here (pseudonyms by a key, dates moved for each patient);"
                      " keep, empty and remove are taken over")  # fmt: skip


def _is_mapped(name: str) -> bool:
    """Whether the table maps this UID whatever is asked."""
    tag = _tag(name)
    return any("x" not in line.tag and int(line.tag, 16) == tag and "U" in line.basic for line in table())
