"""Which coded values (VR CS) may stay: a word of capitals may be anybody's name, unless it is known as a code.

Known are the terms of PS3.3 for the attribute, words that stand in its terms or in the Image Type and Scan Options of
vendors and name nobody, words that may stand in any text (`wording`), single letters, and short codes with a number.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from pathlib import Path

from isocenter.dicom.published import is_kind_of_image
from isocenter.dicom.wording import vocabulary

__all__ = ["is_known"]

_CODE = re.compile(r"[A-Z0-9_ ]*\Z")
_PARTS = re.compile(r"[A-Z]+")
_LONG_NUMBER = re.compile(r"\d{5}")
_SIDES = re.compile(r"[APLRHF]{1,3}\Z")  # of a row or a column, as HFP
_KINDS = frozenset({"Modality", "ModalitiesInStudy"})
_SHORT = 3  # letters beside a number: DIS2D, B1000, FM4


@lru_cache(maxsize=4096)
def is_known(keyword: str, value: str) -> bool:
    r"""Whether one coded value is known as a code.

    Args:
        keyword: of the attribute; empty of a private one.
        value: one of its values, without padding.

    >>> is_known("ImageType", "CSA MPR"), is_known("ImageType", "DIS2D"), is_known("ScanOptions", "PETERSEN")
    (True, True, False)
    >>> is_known("KSpaceFiltering", "TUKEY"), is_known("ImageType", "TUKEY"), is_known("ImageType", "MEYER2")
    (True, False, False)
    """
    if not _CODE.match(value):
        return False
    if value in _terms().get(keyword, frozenset()) or (keyword in _KINDS and is_kind_of_image(value)):
        return True
    if _LONG_NUMBER.search(value):
        return False
    if keyword == "PatientOrientation" and _SIDES.match(value):
        return True
    return all(map(_is_word, re.split("[ _]+", value.strip(" _"))))


def _is_word(word: str) -> bool:
    if len(word) < 2 or word in _terms()["*"] or word.lower() in vocabulary():
        return True
    if not any(c.isdigit() for c in word):
        return False
    return all(len(p) <= _SHORT or p in _terms()["*"] or p.lower() in vocabulary() for p in _PARTS.findall(word))


@cache
def _terms() -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {"*": frozenset()}
    for line in Path(__file__).with_name("coded_words.tsv").read_text("ascii").splitlines():
        if not line.startswith("#"):
            keyword, told = line.split("\t")
            found[keyword] = found.get(keyword, frozenset()) | set(told.split(" " if keyword == "*" else "|"))
    return found
