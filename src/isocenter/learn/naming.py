"""Which class a word, a number, or the name of a folder or column means for a recipe; what may mean two is refused."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from isocenter.errors import Refused
from isocenter.learn.findings import NOT_KNOWN, label_of
from isocenter.learn.kinds import Classes
from isocenter.learn.sheet import THERE, YES_NO, plain

__all__ = [
    "REST",
    "class_above",
    "class_number",
    "class_of",
    "classes_of",
    "columns_of",
    "label_said",
    "named",
    "number",
    "only",
    "shown",
]

REST = -1
"""The label of what is none of the classes, for models that can say so."""

_REST_NAMES = (
    "none", "other", "others", "rest", "unknown", "negative", "background", "outlier", "outliers", "ood", "reject",
    "rejected", "foreign", "notmedical", "nonmedical",
)  # fmt: skip
_BESIDES = {
    "case", "cases", "class", "image", "images", "img", "imgs", "patient", "patients", "picture", "pictures", "sample",
    "samples", "scan", "scans",
}  # fmt: skip
"""Words that say nothing of the class beside which they stand in the name of a folder."""
_NOTHING = ("nofinding", "nofindings", "none", "normal", "nothing")


def number(word: str) -> float:
    """The number that a word is; NaN where it is none."""
    try:
        return float(word)
    except ValueError:
        return float("nan")


def class_number(word: str, how: Classes) -> int | None:
    """The class of a number, alone or behind a word that says it is one: ``1``, ``class_1``, ``grade2``."""
    said = re.fullmatch(r"(?i)(?:class|label|grade|category|cls)?[-_ ]*(\d{1,2})", word.strip())
    return int(said[1]) if said and int(said[1]) < len(how.classes) else None


def label_said(kind: int, how: Classes) -> str:
    """What a label says, for people."""
    several = "|".join(name for k, name in enumerate(how.classes) if how.several and kind >> k & 1) or "nothing"
    return several if how.several else how.classes[kind] if kind >= 0 else "none of the classes"


def class_of(given: object, how: Classes, where: str, names: Sequence[str] = ()) -> int:
    """The number of a class that was given by number or name; true is the disease, where that is the second of two.

    Args:
        where: it stands, for people. names: what a file calls its numbers.

    Raises:
        Refused: it is none of the recipe.
    """
    word = str(given).strip()
    if (kind := named(word, how)) is not None:
        return kind
    value = number(word)
    if names and value in range(len(names)):
        return class_of(names[int(value)], how, where)
    if value in range(len(how.classes)):
        return int(value)
    if how.foreign and value == REST:
        return REST
    if len(how.classes) == 2 and not how.several:
        if (there := THERE.get(word.lower())) is not None:
            return how.positive if there else 1 - how.positive
        if (yes := YES_NO.get(word.lower())) is not None and how.positive == 1:
            return yes
    classes = ", ".join(f"{k} {name}" for k, name in enumerate(how.classes))
    raise Refused(f"label '{word}' in {where}", f"'{how.task}' knows {classes}", "give labels of this set")


def named(word: str, how: Classes) -> int | None:
    """The class of this name, numbered or not (``0_normal``); None where there is none."""
    known = {plain(n): k for k, n in enumerate(how.classes)} | {plain(n): k for n, k in how.known_as.items()}
    if how.foreign:
        known |= dict.fromkeys(_REST_NAMES, REST)
    short = plain(word)
    if (kind := known.get(short, known.get(short.lstrip("0123456789")))) is not None:
        return kind
    rest = [w for w in re.split(r"[^A-Za-z0-9]+", word) if w and w.lower() not in _BESIDES and not w.isdigit()]
    left = plain("".join(rest))
    return known.get(left, known.get(left.removesuffix("s"))) if left else None


def class_above(parts: Sequence[str], how: Classes, name: str, root: str) -> tuple[int, int]:
    """The class that a folder above a file is named or numbered after, and which of the folders it is.

    Raises:
        Refused: there is none, or two of them are named after different classes.
    """
    told = {k: kind for k, part in enumerate(parts) if (kind := named(part, how)) is not None}
    if not told:
        told = {k: kind for k, part in enumerate(parts) if (kind := class_number(part, how)) is not None}
    if len(set(told.values())) > 1:
        raise Refused(f"the folders {', '.join(parts[k] for k in told)} above {name}", "they are different classes",
                      "name the folders of people or series otherwise")  # fmt: skip
    if not told:
        return class_of(parts[-1] if parts else root, how, f"the folder of {name}"), len(parts) - 1
    at = max(told)
    return told[at], at


def classes_of(words: str, how: Classes, where: str) -> int:
    """The sum of 2 ** k over the findings between bars, as in ``Effusion|Mass``; "no finding" and the like is 0.

    Semicolons and commas part them, too, where no finding has one in its name, and so does a list as Python writes it.
    """
    listed = re.fullmatch(r"\[(.*)\]", words.strip())
    marks = "".join(m for m in ";," if not any(m in name for name in (*how.classes, *how.known_as)))
    parts = [w.strip(" '\"") for w in re.split(f"[|{marks}]", listed[1] if listed else words)]
    each = [w for w in parts if w and plain(w) not in _NOTHING]
    if not listed and not any(parts):
        each = [words]
    return sum(1 << k for k in {class_of(w, how, where) for w in each})


def columns_of(columns: Mapping[str, str], how: Classes) -> tuple[str, ...]:
    """The columns of a table that are named after the classes of a recipe, in its order; none where one lacks."""
    at = {kind: c for c in columns.values() if (kind := named(c, how)) is not None}
    return tuple(at[k] for k in range(len(how.classes))) if set(at) == set(range(len(how.classes))) else ()


def only(cells: Sequence[str], how: Classes, where: str) -> int:
    """The class whose cell is 1, of a row with a cell for each, of which one is."""
    told = [YES_NO.get(word.lower(), number(word)) for word in cells]
    there = [k for k, value in enumerate(told) if value == 1]
    if len(there) != 1 or any(value not in (0, 1) for value in told):
        said = ", ".join(f"{name} '{word}'" for name, word in zip(how.classes, cells, strict=True))
        raise Refused(f"{where} says {said}", "a case is of one class", "write 1 for that and 0 for the others")
    return there[0]


def shown(cells: Sequence[str], how: Classes, where: str) -> int:
    """The label of a row with a cell for each finding: 1, 0, or empty or -1 where it is not known (see `findings`)."""
    told = [None if w.lower() in NOT_KNOWN else YES_NO.get(w.lower(), number(w)) for w in cells]
    odd = [f"{n} is '{w}'" for n, w, v in zip(how.classes, cells, told, strict=True) if v not in (0, 1, None)]
    if odd:
        raise Refused(f"{odd[0]} in {where}", "a finding is there, is not, or is not known",
                      "write 1 or 0, and leave the cell empty where nobody knows")  # fmt: skip
    return label_of(told, where)
