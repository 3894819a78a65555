"""Whose case each file of a set is, as far as names tell: of images with outlines or boxes, which no class sorts."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from isocenter.learn.examples import coded
from isocenter.learn.sheet import plain

__all__ = ["PERSON_COLUMNS", "column_of_people", "whose"]

PERSON_COLUMNS = ("person", "personid", "patient", "patientid", "subject", "subjectid")
"""What a column of people is called, by its letters and digits alone."""

_FEW = 4  # folders beside each other that may be sites, scanners or kinds rather than people
_NOBODY = re.compile(
    r"(?i)(images?|imgs?|pictures?|jpe?gimages|labels?|masks?|segmentations?|annotations?|data(set)?|files|"
    r"train(ing)?|val(id(ation)?)?|test(ing)?|tr|ts|all|derivatives|anat|func|dwi|"
    r"sets?|subsets?|parts?|folds?|batch(es)?|splits?|shards?|chunks?|volumes?|"
    r"sites?|cent(er|re)s?|hospitals?|scanners?|vendors?)[-_ .]?(tr|ts|va|\d*)"
)
"""Folders that collections are divided into, which are nobody."""


def whose(ways: Sequence[str], told: Sequence[str] = ()) -> list[str]:
    """The person of each file: by a column, by the beginning of its name, by a folder that is called like a person, or
    by the folders of people, of which there are more than a few; else by the folder, where several files have one
    name. Any other file is of somebody else.

    Args:
        ways: of each file, from the folder of the set on. told: what a column of people says of each.

    >>> whose(["imagesTr/a.nii", "imagesTr/sub-1_ses-1.nii", "sub-1/ses-2/t1.nii"])
    ['imagesTr/a.nii', 'sub1', 'sub1']
    >>> whose([f"scans/{name}/{visit}.nii" for name in ("Ann", "Bob", "Cy", "Di", "Ed") for visit in (1, 2)])[:3]
    ['scans/Ann', 'scans/Ann', 'scans/Bob']
    >>> whose(["a/1.png", "b/2.png"]), whose(["train/images/1.png", "test/images/1.png"], ["P7", ""])
    (['a/1.png', 'b/2.png'], ['P7', 'test/images/1.png'])
    """
    inside = [
        tuple(part for part in PurePosixPath(way).parts[:-1] if not _NOBODY.fullmatch(part.removeprefix(".")))
        for way in ways
    ]
    level = _level_of_people([parts for parts in inside if not any(coded(f"{part}.") for part in parts)])
    often = Counter(PurePosixPath(way).name for way in ways)
    found = []
    for n, (way, parts) in enumerate(zip(ways, inside, strict=True)):
        name = PurePosixPath(way).name
        own = next((whom for part in (name, *(f"{p}." for p in parts)) if (whom := coded(part))), "")
        above = "/".join(parts[:level] if level else parts if often[name] > 1 else ())
        found.append((told[n].strip() if told else "") or own or above or way)
    return found


def _level_of_people(inside: Sequence[tuple[str, ...]]) -> int:
    """How many folders deep the first ones lie that are more than a few; 0 where there are none."""
    for level in range(1, max(map(len, inside), default=0) + 1):
        if len({parts[:level] for parts in inside if len(parts) >= level}) > _FEW:
            return level
    return 0


def column_of_people(columns: Sequence[str]) -> str | None:
    """The column that tells whose each row is; None where there is none."""
    known: Mapping[str, str] = {plain(column): column for column in reversed(columns)}
    return next((known[name] for name in PERSON_COLUMNS if name in known), None)
