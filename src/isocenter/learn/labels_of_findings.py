"""Which label of a recipe a finding of a signed report is: by its code, by what it is called, by where it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from isocenter.record import Code, Finding, codes

__all__ = ["GENERAL", "called", "label_of", "label_of_code", "names_of_labels"]

GENERAL = frozenset({codes.REGION, codes.STRUCTURE, codes.FINDING})
"""Codes that say that something was outlined, and not what: then its name, or the part of the body, says it."""


def names_of_labels(classes: Sequence[str], known_as: Mapping[str, int], *, first: int) -> dict[str, int]:
    """Name or code of each label -> its number.

    Args:
        first: number of the first class: 1 where 0 is the background.
    """
    own = {_plain(name): number for number, name in enumerate(classes, start=first)}
    return own | {_plain(name): number for name, number in known_as.items()}


def label_of(finding: Finding, names: Mapping[str, int]) -> int | None:
    """The label that a finding has; None where it is none of the recipe."""
    return next((names[one] for one in _words(finding) if one in names), None)


def label_of_code(code: Code, names: Mapping[str, int]) -> int | None:
    """The label that findings of a code have."""
    return label_of(Finding(code), names)


def called(finding: Finding) -> str:
    """What a finding is called, for a refusal that lists what there was.

    >>> called(Finding(codes.STRUCTURE, site=codes.LIVER)), called(Finding(codes.REGION, words="Cyst: 3 mm2."))
    ('Anatomical Structure: Liver', 'Image Region: Cyst')
    """
    where = finding.where.label if finding.where is not None else ""
    name = where if finding.what == codes.STRUCTURE else _spoken(finding)
    name = name or where or (str(finding.site) if finding.site else "")
    return f"{finding.what}: {name}" if finding.what in GENERAL and name else str(finding.what)


def _words(finding: Finding) -> Iterator[str]:
    what, where = finding.what, finding.where
    yield from _of_code(what)
    label = _plain(where.label) if where is not None else ""
    yield label
    yield re.sub(r" \d+$", "", label)  # "nodule 2"
    if where is not None and where.coded:
        yield _plain(where.coded)
        yield _plain(where.coded.split()[0])
    if what not in GENERAL:
        return  # an opacity of the lung is no lung
    yield _plain(_spoken(finding))  # a mark on an image has no code of its own: its reader calls it something
    side = f"{finding.laterality} " if finding.laterality else ""
    if finding.site is not None:
        if side:
            yield _plain(f"{side}{finding.site}")
        yield from _of_code(finding.site)
    if side:
        yield _plain(side)


def _spoken(finding: Finding) -> str:
    """What the words of a finding begin with: "Cyst" of "Cyst: 3 mm2."."""
    return re.split(r"[:.,;(]", finding.words)[0].strip()


def _of_code(code: Code) -> Iterator[str]:
    yield _plain(f"{code.scheme}:{code.code}")
    yield _plain(code.meaning)


def _plain(name: str) -> str:
    """
    >>> _plain("Left_Lung "), _plain("SCT:39607008")
    ('left lung', 'sct:39607008')
    """
    return " ".join(name.replace("_", " ").lower().split())
