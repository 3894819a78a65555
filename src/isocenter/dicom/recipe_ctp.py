"""Scripts of CTP: places in pixels under conditions, and attributes (mircwiki.rsna.org: The CTP DICOM Anonymizer)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any
from xml.parsers import expat

from isocenter.dicom.confidentiality import table
from isocenter.dicom.recipe_wishes import NO_ATTRIBUTE, Asks, Place, Recipe, Wishes, compare, joined, tag_of
from isocenter.errors import Refused

__all__ = ["read_places", "read_script"]

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


def read_places(data: bytes) -> Recipe:
    """What a script of places in pixels asks for; of several that fit the first counts."""
    words = data.decode("utf-8", "replace")
    wishes, places = Wishes(), list[Place]()
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
    return wishes.recipe("CTP pixels", data, read_places, tuple(places), first=True)


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
            made = joined(made, "or", self._and())
        return made

    def _and(self) -> Asks:
        made = self._not()
        while self._next("*"):
            made = joined(made, "and", self._not())
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
        tag, how, value = tag_of(token["name"]), _METHODS.get(token["how"]), token["value"]
        if tag is None:
            raise ValueError(f"{NO_ATTRIBUTE}: {token['name'][:40]}")
        if how is None or value is None:
            raise ValueError(f"the condition {token['how'][:20]} is not taken over")
        return compare(tag, lambda s: how(s, value))


_DONE_ANYHOW = {"curves", "overlays", "privategroups"}


def read_script(data: bytes) -> Recipe:
    """What a script of attributes asks for.

    Raises:
        Refused: it is no XML, or declares entities.
    """
    wishes = Wishes()
    reader = expat.ParserCreate()
    held: dict[str, Any] = {"name": "", "attributes": {}, "line": 0, "words": []}
    given: dict[str, str] = {}

    def begins(name: str, attributes: dict[str, str]) -> None:
        held.update(name=name, attributes=attributes, line=reader.CurrentLineNumber, words=[])

    def says(words: str) -> None:
        held["words"].append(words)

    def ends(name: str) -> None:
        words = "".join(held["words"]).strip()
        if name == held["name"] == "p":
            given[held["attributes"].get("t", "")] = words
        if name == held["name"] and name in ("e", "k", "r") and held["attributes"].get("en", "T") == "T":
            _ctp_line(wishes, name, held["attributes"], words, held["line"], given)
        held["name"] = ""

    def declared(*_: Any) -> None:
        raise Refused("a script of CTP that declares entities", "they can unfold without end", "take them out")

    reader.StartElementHandler, reader.EndElementHandler, reader.CharacterDataHandler = begins, ends, says
    reader.EntityDeclHandler = reader.StartDoctypeDeclHandler = declared
    try:
        reader.Parse(data, True)
    except expat.ExpatError as fault:
        raise Refused("a script of CTP that is no XML", str(fault), "mend that line") from None
    return wishes.recipe("CTP", data, read_script)


def _ctp_line(
    wishes: Wishes, name: str, attributes: dict[str, str], script: str, number: int, given: dict[str, str]
) -> None:
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
    elif (value := _constant(script, given)) is not None:
        wishes.constant(number, said, what, value)
    else:
        wishes.refuse(number, said, "values are made here (pseudonyms by a key, dates moved for each patient);"
                      " keep, empty, remove and constants are taken over")  # fmt: skip


def _constant(script: str, given: dict[str, str]) -> str | None:
    """The value that a script writes into every object: its own words, or a parameter that the file gives."""
    if match := re.fullmatch(r"@param\(@(\w+)\)", script):
        script = given.get(match[1], "")
    return script if script and "@" not in script else None


def _is_mapped(name: str) -> bool:
    """Whether the table maps this UID whatever is asked."""
    tag = tag_of(name)
    return any("x" not in line.tag and int(line.tag, 16) == tag and "U" in line.basic for line in table())
