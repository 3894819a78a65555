"""Recipes of pydicom's deid, line by line (pydicom.github.io/deid: recipe-headers, recipe-filters)."""

from __future__ import annotations

import re
from collections.abc import Iterator

from isocenter.dicom.recipe_wishes import NO_ATTRIBUTE, Asks, Place, Recipe, Wishes, compare, joined, tag_of

__all__ = ["read_deid"]


def read_deid(data: bytes) -> Recipe:
    """What a recipe of deid asks for."""
    read = _Reader(data.decode("utf-8", "replace"))
    return read.wishes.recipe("deid", data, read_deid, tuple(read.places))


_OURS = {
    "REPLACE": "values are made here: pseudonyms by a key, dates moved by one number of days for each patient",
    "JITTER": "dates are moved by one number of days for each patient (option modified-dates), so that intervals stay",
    "ADD": "nothing is written into a copy but what says truthfully what was done to it",
    "LABEL": "a label belongs into a filter",
}
_LISTS = {"graylist": "graylist", "greylist": "graylist", "blacklist": "blacklist", "whitelist": "whitelist"}
_CLEAN = "no line of a header makes pixels clean: they are searched, and risky kinds wait for a person"


class _Reader:
    """A recipe of the deid project, read line by line."""

    def __init__(self, words: str) -> None:
        self.wishes, self.places = Wishes(), list[Place]()
        self.section, self.list = "", ""
        self.name, self.at, self.asks = "", 0, None  # type: tuple[str, int, Asks | None]
        self.boxes: list[tuple[int, int, int, int]] = []
        self.broken = False
        for number, line in enumerate(words.splitlines(), 1):
            self._line(number, line)
        self._end()

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
        if action.upper() == "REPLACE" and not re.match(r"[a-z_]+:|$", value.strip()) and ":" not in name:
            self.wishes.constant(number, said, name, value.strip())
        elif not wanted:
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
                made = one if made is None else joined(made, inner, one)
            if made is None:
                raise ValueError("nothing is asked")
        except ValueError as why:
            self._break(number, said, str(why))
            return
        self.asks = made if self.asks is None else joined(self.asks, operator, made)
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
    tag = tag_of(name)
    if tag is None:
        raise ValueError(f"{NO_ATTRIBUTE}: {name[:40]}")
    how = how.lower()
    if how in ("missing", "present", "empty", "notempty"):
        return {
            "missing": compare(tag, lambda s: False, absent=True),
            "present": compare(tag, lambda s: True),
            "empty": compare(tag, lambda s: not s),
            "notempty": compare(tag, bool),
        }[how]
    if how not in ("contains", "notcontains", "equals", "notequals"):
        raise ValueError(f"the condition {how[:20]} is not known")
    if not value:
        raise ValueError("no value to compare with")
    if how.endswith("equals"):
        wanted = {one.strip().casefold() for one in value.split("|")}
        return compare(tag, lambda s: (s.casefold() in wanted) == (how == "equals"), absent=how == "notequals")
    try:
        pattern = re.compile(value, re.IGNORECASE)
    except re.error as why:
        raise ValueError(f"the pattern cannot be read: {why}") from None
    return compare(tag, lambda s: bool(pattern.search(s)) == (how == "contains"), absent=how == "notcontains")
