"""What becomes of each attribute when the person is taken out: DICOM PS3.15 annex E as a table, not as code.

Table E.1-1 names every attribute of the standard that can tell who somebody is, says what the basic profile does with
it, and what each of ten options does instead. It stands in ``confidentiality.tsv`` with its edition; private attributes
that were reviewed stand in ``safe_private.tsv`` (table E.3.10-1). What no line names is judged by `deidentify`.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path
from typing import NamedTuple

from isocenter.errors import Refused

__all__ = [
    "BASIC",
    "CLEAN_PIXELS",
    "CODES",
    "COLUMNS",
    "EDITION",
    "RESEARCH",
    "Act",
    "Choice",
    "Option",
    "acts",
    "options_named",
    "safe_private",
    "table",
]

EDITION = "PS3.15 table E.1-1: basic profile 2026c, options 2025c; table E.3.10-1: 2025b"


class Option(StrEnum):
    """The ten options of the table, by their column, and one that is about pixels and has none."""

    SAFE_PRIVATE = "safe-private"  # private attributes that were reviewed
    UIDS = "uids"  # the UIDs as they are
    DEVICE = "device"  # serial numbers and names of devices
    INSTITUTION = "institution"  # where it was made
    PATIENT = "patient"  # age, sex, size, weight and the like
    FULL_DATES = "full-dates"  # the dates as they are
    MODIFIED_DATES = "modified-dates"  # dates moved, the same for all of one patient, so that intervals stay
    TEXT = "text"  # descriptions, of which only known words stay
    CONTENT = "content"  # the tree of a structured report, cleaned
    GRAPHICS = "graphics"  # overlays and drawings without text
    FACES = "faces"  # faces taken out of images of heads (PS3.15 E.3.2)


COLUMNS: tuple[Option, ...] = tuple(option for option in Option if option is not Option.FACES)
_LETTERS = dict(zip("PUDICFMTSG", COLUMNS, strict=True))

# PS3.16 CID 7050: code and meaning, as they are written into the object.
BASIC = ("113100", "Basic Application Confidentiality Profile")
CODES = {
    Option.SAFE_PRIVATE: ("113111", "Retain Safe Private Option"),
    Option.UIDS: ("113110", "Retain UIDs Option"),
    Option.DEVICE: ("113109", "Retain Device Identity Option"),
    Option.INSTITUTION: ("113112", "Retain Institution Identity Option"),
    Option.PATIENT: ("113108", "Retain Patient Characteristics Option"),
    Option.FULL_DATES: ("113106", "Retain Longitudinal Temporal Information Full Dates Option"),
    Option.MODIFIED_DATES: ("113107", "Retain Longitudinal Temporal Information Modified Dates Option"),
    Option.TEXT: ("113105", "Clean Descriptors Option"),
    Option.CONTENT: ("113104", "Clean Structured Content Option"),
    Option.GRAPHICS: ("113103", "Clean Graphics Option"),
    Option.FACES: ("113102", "Clean Recognizable Visual Features Option"),
}
CLEAN_PIXELS = ("113101", "Clean Pixel Data Option")

RESEARCH = frozenset(
    {Option.SAFE_PRIVATE, Option.PATIENT, Option.MODIFIED_DATES, Option.TEXT, Option.CONTENT, Option.FACES}
)
"""What a research export keeps by default: what science needs and what names nobody."""


class Act(NamedTuple):
    """What is done to one attribute: the letter of the table, the option that decided (None: the basic profile), and
    what the basic profile alone would do."""

    letter: str
    option: Option | None = None
    basic: str = ""


@dataclass(frozen=True)
class Choice:
    """One line of the table: basic action and, by option, what stands in its column.

    Args:
        tag: eight hexadecimal digits, ``x`` for any (repeating groups).
    """

    tag: str
    keyword: str
    basic: str
    options: dict[Option, str]


@cache
def table() -> tuple[Choice, ...]:
    """Every line of table E.1-1, in the order of tags."""
    lines = (Path(__file__).with_name("confidentiality.tsv")).read_text("utf-8").splitlines()
    found = []
    for line in lines:
        if line and not line.startswith("#"):
            tag, keyword, basic, flags = line.split("\t")
            options = {_LETTERS[x]: done for x, done in zip("PUDICFMTSG", flags, strict=True) if done != "-"}
            found.append(Choice(tag, keyword, basic, options))
    return tuple(found)


@cache
def acts(options: frozenset[Option]) -> dict[int, Act]:
    """Tag to what is done with it, for the attributes that the table names by their whole tag.

    Of several basic actions (``X/Z/D``: which one, the IOD decides) the last is taken: it is valid in every IOD.

    >>> acts(frozenset())[0x0020000D].letter, acts(frozenset({Option.UIDS}))[0x0020000D].letter
    ('U', 'K')
    """
    found = {}
    for line in table():
        if "x" not in line.tag:
            found[int(line.tag, 16)] = _act(line, options)
    return found


def _act(line: Choice, options: frozenset[Option]) -> Act:
    basic = line.basic.split("/")[-1]
    held = [(o, line.options[o]) for o in Option if o in options and o in line.options]
    for wanted in ("K", "C"):
        for option, letter in held:
            if letter == wanted:
                return Act(letter, option, basic)
    return Act(basic, None, basic)


@cache
def safe_private() -> dict[tuple[str, int, int], str]:
    """(creator, group, low byte of the element) -> VR of private attributes that hold nothing of a person."""
    lines = (Path(__file__).with_name("safe_private.tsv")).read_text("utf-8").splitlines()
    rows = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {(r[0], int(r[1], 16), int(r[2], 16)): r[3] for r in rows if len(r[3]) == 2}


def options_named(names: Collection[str]) -> frozenset[Option]:
    """Options by their names; ``research`` stands for the usual six, ``basic`` for none.

    Raises:
        Refused: for a name that is none, or for dates both kept and moved.

    >>> sorted(options_named(["basic", "uids"]))
    [<Option.UIDS: 'uids'>]
    """
    found: set[Option] = set()
    for name in names:
        if name == "research":
            found |= RESEARCH
        elif name != "basic":
            try:
                found.add(Option(name))
            except ValueError:
                raise Refused(
                    f"the option '{name}'", f"there are {', '.join(Option)}, and research and basic", "take one of them"
                ) from None
    if {Option.FULL_DATES, Option.MODIFIED_DATES} <= found:
        if "research" not in names or Option.MODIFIED_DATES.value in names:
            raise Refused("dates both kept and moved", "these two contradict each other", "take one of them")
        found.discard(Option.MODIFIED_DATES)
    return frozenset(found)
