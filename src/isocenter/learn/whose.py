"""Whose case each file of a set is, as far as names tell: of outlined or boxed images, and of pictures of classes."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import PurePosixPath

from isocenter.learn.examples import coded, named_person, person
from isocenter.learn.sheet import plain

__all__ = ["PERSON_COLUMNS", "column_of_people", "whose", "whose_pictures"]

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
_YEAR = re.compile(r"(19|20)\d\d")


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


def whose_pictures(ways: Sequence[str], at: Sequence[int], classes: int) -> list[str]:
    """The person of each picture: by the beginning of its name, by a folder that is called like a person, or by folders
    of people above or below those of the classes; else each is of somebody else.

    Folders of people are more than a few, and most of them have a digit in their names, as pseudonyms have; below the
    classes, where nothing else is expected, also without. A mere number below a class is counted within it.

    Args:
        ways: of each picture, from the folder of the set on. at: which folder of a way is its class; -1 where none is.
        classes: how many there are.

    >>> whose_pictures([f"{n}/ill/{v}.png" for n in range(100, 106) for v in (1, 2)], [1] * 12, 2)[:3]
    ['100', '100', '101']
    >>> whose_pictures(["ill/patient_3/a.png", "well/patient_3/b.png", "ill/4/a.png"], [0, 0, 0], 2)
    ['patient3', 'patient3', 'ill/4/a']
    >>> whose_pictures([f"{kind}/{n}/a.png" for n in range(3) for kind in ("ill", "well")], [0] * 6, 1)[:2]
    ['ill/0', 'well/0']
    """
    folders = [PurePosixPath(way).parts[:-1] for way in ways]
    above = [tuple(p for p in f[: k if k >= 0 else len(f)] if _may_be(p)) for f, k in zip(folders, at, strict=True)]
    below = [tuple(p for p in f[k + 1 :] if _may_be(p)) if k >= 0 else () for f, k in zip(folders, at, strict=True)]
    high = next((n for n in range(_depth(above)) if _named_people([f[: n + 1] for f in above if f[n:]], _FEW)), None)
    many = max(2 * classes, 2)
    low = next((n for n in range(_depth(below)) if _named_people([f[n : n + 1] for f in below if f[n:]], many)), None)
    if low is None and len({f[:1] for f in below if f}) > many:
        low = 0
    found = []
    for way, parts, k, over, under in zip(ways, folders, at, above, below, strict=True):
        called = next((whom for p in reversed(parts) if _may_be(p) and (whom := coded(f"{p}."))), "")
        inner = under[low] if low is not None and under[low:] else ""
        outer = "/".join(over[: high + 1]) if high is not None and over[high:] else ""
        counted = f"{parts[k]}/{inner}" if inner.isdigit() else inner
        found.append(named_person(PurePosixPath(way).name) or called or counted or outer or person(way))
    return found


def _may_be(folder: str) -> bool:
    return not _NOBODY.fullmatch(folder.removeprefix(".")) and not _YEAR.fullmatch(folder)


def _depth(inside: Sequence[Sequence[str]]) -> int:
    return max(map(len, inside), default=0)


def _named_people(folders: Sequence[Sequence[str]], few: int) -> bool:
    """Whether folders are people: more than a few, most of them with a digit in their names."""
    names = {tuple(way): way[-1] for way in folders if way}
    return len(names) > few and sum(any(c.isdigit() for c in name) for name in names.values()) > len(names) / 2


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
